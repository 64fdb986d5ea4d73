"""Exact likelihoods of every method while training, and its samples beside the data."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from models import LatentModel
from recipes._data.training import judged_rows
from recipes._latent_bounds.exact import COARSE, log_densities, on_nodes, spread
from recipes._latent_bounds.game import NAMES, model_of, names_of, prior_of
from recipes._latent_bounds.model import LatentArgs, LatentData, latent_keys
from recipes._report import plots
from recipes._report.judge import exact_w1
from recipes._report.plots import FAKE, draw_snapshot, plane_grid, plane_limits
from recipes._report.views import Points, Shade, Snapshot, View
from recipes._runtime.run import RunFolder

MOST_EVALUATED = 400
"""The most held-out points that likelihoods are of."""
SIDE, SHOWN = 48, 300
"""Places on a side of a picture of densities, and points drawn."""
DARKEST = 6.0
"""Nats below the highest density at which a picture is white."""


@eqx.filter_jit
def drawn(model: LatentModel, key: PRNGKeyArray, n: int, means: bool) -> Array:
    """`n` points from codes of the prior: draws from their laws, or `means` of them."""

    def one(key: PRNGKeyArray) -> Array:
        key_code, key_point = jax.random.split(key)
        z = prior_of(model).sample(key_code)
        return model.mean(z) if means else model.draw(z, key_point)

    return jax.vmap(one)(jax.random.split(key, n))


class LatentJudge:
    """Numbers and pictures of all methods in a round, each under the method's name.

    - `exact_NAME`: mean log-likelihood of held-out points by quadrature, nats.
    - `spread_NAME`: the variance of the decoder's mean as a share of the data's; 0 if it ignores z.
    - `w1_NAME`: exact W1 between samples and data, in the data's units; `w1_floor` between data.
    """

    def __init__(self, folder: RunFolder, args: LatentArgs, data: LatentData):
        self.folder, self.args, self.data = folder, args, data
        rows = judged_rows(len(data.points), args.eval_size, args.seed)
        self.flat, other = (flat(data.points[part]) for part in (rows.real, rows.other))
        self.w1_floor = exact_w1(self.flat, other)
        self.is_plane = data.data.scaled.kind == "plane"

    def points(self, players: go.Players, name: str) -> np.ndarray:
        """As many samples of one method as are judged, from the same codes in every round."""
        key, model = latent_keys(self.args).samples, model_of(players, name)
        return np.asarray(drawn(model, key, self.args.eval_size, means=False))

    def w1(self, points: np.ndarray) -> float:
        """Exact W1 between points and data; NaN for points that are not finite."""
        found = flat(points)
        return exact_w1(self.flat, found) if np.isfinite(found).all() else float("nan")

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        numbers: dict[str, Any] = {}
        views = []
        held_out = self.data.held_out[:MOST_EVALUATED]
        for name in names_of(players):
            law = on_nodes(model_of(players, name), COARSE, self.flat.shape[1])
            points = self.points(players, name)
            numbers[f"exact_{name}"] = float(np.mean(log_densities(law, held_out)))
            numbers[f"spread_{name}"] = spread(law) / self.data.variance
            numbers[f"w1_{name}"] = self.w1(points)
            if self.is_plane:
                views.append(self._view(name, law, points))
        if views:
            best = max(numbers[f"exact_{name}"] for name in players.x)
            snapshot = Snapshot(round, f"best {best:.2f} nats", views)
            draw_snapshot(snapshot, self.folder.path / "samples")
        elif self.data.is_image:
            self._draw_images(players, round)
        return numbers | {"w1_floor": self.w1_floor}

    def _view(self, name: str, law: Any, points: np.ndarray) -> View:
        limits = plane_limits(self.data.points, margin=0.1)
        densities = log_densities(law, plane_grid(limits, SIDE)).reshape(SIDE, SIDE)
        below = np.maximum(densities - densities.max(), -DARKEST)
        shade = Shade("log-density below its highest, nats", below, "Greys", -DARKEST, 0.0)
        low, high = ((float(corner[0]), float(corner[1])) for corner in limits)
        dots = Points("samples", points[:SHOWN], FAKE, size=3.0)
        return View(NAMES[name], "$x_1$", "$x_2$", low, high, [shade, dots], equal=True)

    def _draw_images(self, players: go.Players, round: int) -> None:
        rows = [self.means(players, name, 16) for name in names_of(players)]
        path = self.folder.path / "samples" / f"{round:08d}.png"
        plots.image_grid(np.concatenate(rows), path, columns=8)

    def means(self, players: go.Players, name: str, count: int) -> np.ndarray:
        """Means of one method's decoder at codes of the prior, the same ones in every round."""
        key = latent_keys(self.args).samples
        return np.asarray(drawn(model_of(players, name), key, count, means=True))


def flat(points: np.ndarray) -> np.ndarray:
    """Points as vectors, shape `(n, d)`."""
    return np.asarray(points).reshape(len(points), -1)
