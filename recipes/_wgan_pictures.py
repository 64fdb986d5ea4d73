"""The pictures of a Wasserstein GAN's run."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes import _plots
from recipes._data import Dataset
from recipes._plots import FAKE, REAL, THEORY, Curve, Panel
from recipes._run import RunFolder

Columns = dict[str, list[Any]]


@eqx.filter_jit
def _scores(critic: Any, points: jax.Array) -> jax.Array:
    return go.critic_scores(critic, points)


class Pictures:
    """Samples from fixed latents, a picture each evaluation: what to draw depends on the data."""

    def __init__(self, folder: RunFolder, data: Dataset, real: np.ndarray):
        self.folder, self.kind, self.real = folder, data.kind, real
        if data.kind == "image":
            _plots.image_grid(real[:64], folder.path / "data.png", columns=8)
        elif data.kind == "plane":
            self.limits = _plots.plane_limits(data.points)
        else:
            centred = real - real.mean(axis=0)
            self.axes = np.linalg.svd(centred, full_matrices=False)[2][:2].T

    def samples(self, fake: np.ndarray, critic: Any, round: int, numbers: dict[str, Any]) -> None:
        """Draws samples/ROUND.png from generated points of shape `(n, *shape)`."""
        path = self.folder.path / "samples" / f"{round:08d}.png"
        title = f"round {round:,}: W1 {numbers['w1_exact']:.3f} (floor {numbers['w1_floor']:.3f})"
        if self.kind == "image":
            _plots.image_grid(fake[:64], path, columns=8)
        elif self.kind == "plane":
            grid = jnp.asarray(_plots.plane_grid(self.limits), self.real.dtype)
            scores = np.asarray(_scores(critic, grid))
            _plots.plane(self.real, fake, path, title, self.limits, scores)
        else:
            real, drawn = self.real @ self.axes, fake @ self.axes
            _plots.plane(
                real,
                drawn,
                path,
                f"{title}\non the data's two principal axes",
                _plots.plane_limits(real),
            )


ROUNDS = "round (generator steps)"


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = rows[-1].keys() if rows else ()
    return {name: [row.get(name, np.nan) for row in rows] for name in names}


def draw_curves(lines: list[dict[str, Any]], lipschitz: str, clip: float, folder: Path) -> None:
    """Draws curves.png from the lines of metrics.jsonl."""
    train = _columns([line for line in lines if line["kind"] == "train"])
    held = _columns([line for line in lines if line["kind"] == "eval"])
    # At round 0 the critic has learned nothing, so that what it says there is not drawn.
    judged = _columns([line for line in lines if line["kind"] == "eval" and line["round"] > 0])
    if not judged:
        return
    parts = [
        _distances(train, held, judged, lipschitz),
        _scores_panel(train),
        _slopes(judged, lipschitz),
        _gradients(judged),
    ]
    if lipschitz == "clip":
        curve = Curve(f"weights at ±{clip:g}", judged["round"], judged["share_at_limit"], "o-")
        parts.append(Panel("Weight clipping", ROUNDS, "share of the critic's weights", [curve]))
    _plots.panels(parts, folder / "curves.png")


def _distances(train: Columns, held: Columns, judged: Columns, lipschitz: str) -> Panel:
    curves = [
        Curve("exact W1 (optimal transport)", held["round"], held["w1_exact"], "o-", FAKE),
        Curve("floor: exact W1 of two real batches", held["round"], held["w1_floor"], ":", THEORY),
        Curve(
            "critic's estimate / steepest slope seen",
            judged["round"],
            judged["wasserstein_estimate_per_slope"],
            "s--",
            REAL,
        ),
    ]
    if lipschitz in ("gp", "lp"):
        label = "critic's estimate, training batches"
        curves.append(Curve(label, train["round"], train["wasserstein_estimate"], "-", "#a8c0e0"))
    title = "Distance from generated to real points"
    return Panel(title, ROUNDS, "in the data's units", curves, log_y=True)


def _scores_panel(train: Columns) -> Panel:
    curves = [
        Curve(
            "E f(x) - E f(G(z)), no penalty in it", train["round"], train["wasserstein_estimate"]
        ),
        Curve("weighted penalty", train["round"], train["penalty"], color=FAKE),
    ]
    return Panel("Training batches, the penalty apart", ROUNDS, "critic's score", curves)


def _slopes(judged: Columns, lipschitz: str) -> Panel:
    rounds = judged["round"]
    curves = [
        Curve("mean", rounds, judged["slope_mean"], "o-", REAL),
        Curve("largest", rounds, judged["slope_max"], "s--", FAKE),
    ]
    if lipschitz in ("gp", "lp"):
        curves.append(Curve("optimal critic: 1", rounds, [1.0] * len(rounds), ":", THEORY))
    title = "Slope of the critic between real and generated points"
    return Panel(title, ROUNDS, "gradient norm", curves)


def _gradients(judged: Columns) -> Panel:
    norms = np.asarray(judged["critic_gradient_norms"], float).T
    curves = [
        Curve(f"layer {index + 1}", judged["round"], list(row), "o-")
        for index, row in enumerate(norms)
    ]
    title = "Gradient of the critic's loss, layer by layer"
    return Panel(title, ROUNDS, "norm", curves, log_y=True)
