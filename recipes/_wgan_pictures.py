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


@eqx.filter_jit
def _scores(critic: Any, points: jax.Array) -> jax.Array:
    return go.critic_scores(critic, points)


class Pictures:
    """Samples from fixed latents, a picture each evaluation: what to draw depends on the data."""

    def __init__(self, folder: RunFolder, data: Dataset, real: np.ndarray):
        self.folder, self.kind, self.real = folder, data.kind, real
        if data.kind == "image":
            _plots.image_grid(real[:100], folder.path / "data.png")
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
            _plots.image_grid(fake[:100], path)
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


def _columns(lines: list[dict[str, Any]], kind: str) -> dict[str, list[Any]]:
    rows = [line for line in lines if line["kind"] == kind]
    names = rows[-1].keys() if rows else ()
    return {name: [row.get(name, np.nan) for row in rows] for name in names}


def draw_curves(lines: list[dict[str, Any]], lipschitz: str, clip: float, folder: Path) -> None:
    """Draws curves.png from the lines of metrics.jsonl."""
    train, held = _columns(lines, "train"), _columns(lines, "eval")
    rounds = held["round"]
    parts = [
        Panel(
            "Distance from generated to real points",
            "round (generator steps)",
            "in the data's units",
            [
                Curve("exact W1 (optimal transport)", rounds, held["w1_exact"], "o-", FAKE),
                Curve(
                    "critic: E f(x) - E f(G(z)), / its steepest slope",
                    rounds,
                    held["wasserstein_estimate_per_slope"],
                    "s--",
                    REAL,
                ),
                Curve(
                    "floor: exact W1 between two real batches",
                    rounds,
                    held["w1_floor"],
                    ":",
                    THEORY,
                ),
            ],
        ),
        Panel(
            "Training batches, the penalty apart",
            "round (generator steps)",
            "critic's score",
            [
                Curve("estimate without penalty", train["round"], train["wasserstein_estimate"]),
                Curve("weighted penalty", train["round"], train["penalty"], color=FAKE),
            ],
        ),
        Panel(
            "Slope of the critic between real and generated points",
            "round (generator steps)",
            "gradient norm",
            [
                Curve("mean", rounds, held["slope_mean"], "o-", REAL),
                Curve("largest", rounds, held["slope_max"], "s--", FAKE),
                *(
                    [Curve("optimal critic: 1", rounds, [1.0] * len(rounds), ":", THEORY)]
                    if lipschitz in ("gp", "lp")
                    else []
                ),
            ],
        ),
        _gradients_panel(held),
    ]
    if lipschitz == "clip":
        label = f"weights at ±{clip:g} (optimal linear critic: 1)"
        parts.append(
            Panel(
                "Weight clipping",
                "round (generator steps)",
                "share of weights",
                [Curve(label, rounds, held["share_at_limit"], "o-", REAL)],
            )
        )
    _plots.panels(parts, folder / "curves.png")


def _gradients_panel(held: dict[str, list[Any]]) -> Panel:
    norms = np.asarray(held["critic_gradient_norms"], float).T
    curves = [
        Curve(f"layer {index + 1}", held["round"], list(row), "o-")
        for index, row in enumerate(norms)
    ]
    return Panel(
        "Gradient of the critic's loss, layer by layer",
        "round (generator steps)",
        "norm",
        curves,
        log_y=True,
    )
