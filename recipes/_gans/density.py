"""A GAN on an exact density: what it is trained on, and the judge that knows the optimum."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from models import MLP
from recipes._gans.critics import generated
from recipes._gans.density_grid import (
    DENSITIES,
    GridCells,
    cells_around,
    data_log_masses,
    generated_log_masses,
    latent_grid,
)
from recipes._gans.multilayer import ACTIVATIONS, ActivationName
from recipes._gans.pictures import line_views, plane_views
from recipes._report.plots import draw_snapshot
from recipes._report.views import Snapshot
from recipes._runtime.run import RunFolder


class TrainingDensity:
    """The law that `--data` names, on the line or in the plane."""

    def __init__(self, name: str):
        self.name = name

    @functools.cached_property
    def law(self) -> theory.GaussianMixture:
        """The law; it computes, and so is made only when it is needed."""
        return DENSITIES[self.name]()

    @property
    def d(self) -> int:
        """The dimension: 1 or 2."""
        return self.law.means.shape[1]

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {"name": self.name}

    def __str__(self) -> str:
        return f"{self.name}: an exact density"

    def networks(
        self, width: int, depth: int, activation: ActivationName, key: PRNGKeyArray
    ) -> go.Players:
        """A generator from d normal latents to d coordinates, and a discriminator's logit."""
        key_x, key_y = jax.random.split(key)
        hidden = ACTIVATIONS[activation]
        network = functools.partial(MLP, width=width, depth=depth, activation=hidden)
        shape = (self.d,)
        return go.Players(network(shape, shape, key=key_x), network(shape, (), key=key_y))


def against_optimum(
    log_p_data: jax.Array, log_p_gen: jax.Array, logits: jax.Array
) -> tuple[dict[str, float], jax.Array, np.ndarray]:
    """A discriminator's numbers (see `DensityJudge`), D*, and which cells are populated.

    **Arguments:** log masses of the cells and, last, of what is outside, shape `(k + 1,)`; the
    discriminator's logits there.

    **Returns:** D* of shape `(k + 1,)`; populated of shape `(k,)`.
    """
    ones = jnp.ones_like(logits)
    best = theory.optimal_discriminator(log_p_data, log_p_gen)
    mixture = 0.5 * (jnp.exp(log_p_data) + jnp.exp(log_p_gen))
    populated = np.asarray(mixture[:-1] >= 0.01 * jnp.max(mixture[:-1]))
    error = np.asarray(jnp.abs(jax.nn.sigmoid(logits) - best))
    value = theory.discriminator_value(log_p_data, log_p_gen, logits, ones)
    js = theory.js_density(log_p_data, log_p_gen, ones)
    numbers = {
        "value": float(value),
        "value_at_optimum": float(theory.value_from_js(js)),
        "js": float(js),
        "d_error_max": float(error[:-1][populated].max()),
        "d_error_mean": float(np.sum(np.asarray(mixture) * error)),
    }
    return numbers, best, populated


class DensityJudge:
    """Compares players with the optimum on a grid of cells, and draws what it saw."""

    def __init__(self, folder: RunFolder, density: TrainingDensity):
        law = density.law
        self.cells: GridCells = cells_around(law)
        self.d = density.d
        self.log_p_data = data_log_masses(law, self.cells)
        self.latents, self.folder = latent_grid(self.d), folder

    def __call__(self, players: go.Players, round: int) -> dict[str, float]:
        """Exact numbers of these players, in nats.

        - `value`: V(D, G). `value_at_optimum`: V(D*, G) = -log 4 + 2 JS. `js`: the divergence.
        - `d_error_max`, `d_error_mean`: |D - D*| over the cells with at least 1 % of the densest
          cell's mass, and its mean over (p_d + p_g) / 2.
        """
        points = np.asarray(generated(players.x, self.latents))
        log_p_gen = generated_log_masses(points, self.cells)
        scores = go.critic_scores(players.y, jnp.asarray(self.cells.centres))
        # Outside of the cells there is no data, and D's answer there is taken from the edge.
        logits = jnp.append(scores, jnp.min(scores))
        numbers, best, populated = against_optimum(self.log_p_data, log_p_gen, logits)
        self._draw(points, log_p_gen, logits, best, populated, round, numbers)
        return numbers

    def _draw(self, points, log_p_gen, logits, best, populated, round, numbers) -> None:
        density = lambda log_p: np.exp(np.asarray(log_p[:-1])) / self.cells.volume
        d = np.asarray(jax.nn.sigmoid(logits[:-1]))
        optimum, p_data = np.asarray(best[:-1]), density(self.log_p_data)
        if self.d == 1:
            views = line_views(self.cells, p_data, density(log_p_gen), d, optimum)
        else:
            some = np.random.default_rng(0).choice(points, 1500, replace=False)
            views = plane_views(self.cells, p_data, some, d, optimum, populated)
        note = f"V(D, G) = {numbers['value']:.3f}, JS = {numbers['js']:.3f}"
        draw_snapshot(Snapshot(round, note, views), self.folder.path / "samples")
