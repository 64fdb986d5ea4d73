"""What a Wasserstein critic says, beside what is exact."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
import theory


@eqx.filter_jit
def _on_batch(
    players: go.Players, real: Array, latents: Array, key: PRNGKeyArray
) -> dict[str, Array]:
    fake = jax.vmap(players.x)(latents)
    estimate = go.wasserstein_value(
        go.critic_scores(players.y, real), go.critic_scores(players.y, fake)
    )
    slopes = go.gradient_norms(players.y, go.interpolates(real, fake, key))
    return {"fake": fake, "wasserstein_estimate": estimate, "slopes": slopes}


class Measurement:
    """Compares the critic's estimate with the exact distance, always on the same points.

    - `real`, `other`: two disjoint batches of data, shape `(n, *shape)`, on the host.
    - `latents`: as many latents.

    The exact W1 between `real` and `other` is the floor: what a perfect generator would be
    measured at with so few points.
    """

    def __init__(self, real: np.ndarray, other: np.ndarray, latents: Array, key: PRNGKeyArray):
        self.real, self.latents, self.key = jnp.asarray(real), latents, key
        self._flat = real.reshape(len(real), -1)
        self.w1_floor = _exact_w1(self._flat, other.reshape(len(other), -1))

    def __call__(self, players: go.Players) -> tuple[dict[str, float], np.ndarray]:
        """The numbers, and the generated points `(n, *shape)`.

        - `wasserstein_estimate`: E f(real) - E f(generated), without any penalty.
        - `slope_mean`, `slope_max`: gradient norms of f on the lines from real to generated points.
        - `wasserstein_estimate_per_slope`: the estimate of f / slope_max, comparable with W1.
        - `w1_exact`, `w1_floor`: by optimal transport, in the data's units.
        """
        result = _on_batch(players, self.real, self.latents, self.key)
        fake = np.asarray(result["fake"])
        slopes = np.asarray(result["slopes"])
        estimate = float(result["wasserstein_estimate"])
        steepest = max(float(slopes.max()), 1e-30)
        numbers = {
            "wasserstein_estimate": estimate,
            "wasserstein_estimate_per_slope": estimate / steepest,
            "slope_mean": float(slopes.mean()),
            "slope_max": float(slopes.max()),
            "w1_exact": float("nan"),
            "w1_floor": self.w1_floor,
        }
        if np.isfinite(fake).all():
            numbers["w1_exact"] = _exact_w1(self._flat, fake.reshape(len(fake), -1))
        return numbers, fake


def _exact_w1(left: np.ndarray, right: np.ndarray) -> float:
    return float(theory.optimal_transport(left, right, p=1.0).distance)


def share_at_limit(critic: Any, limit: float) -> float:
    """The share of a clipped critic's weights that sit at plus or minus the limit."""
    leaves = [np.abs(np.asarray(leaf)).ravel() for leaf in jax.tree.leaves(go.playable(critic))]
    return float(np.mean(np.concatenate(leaves) >= limit * (1 - 1e-6)))


@eqx.filter_jit
def _metrics_and_gradient(game: go.AbstractGame, players: go.Players, key: PRNGKeyArray) -> Any:
    return game.metrics(players, key), go.field(game, players, key).y


def critic_numbers(game: go.AbstractGame, players: go.Players, key: PRNGKeyArray) -> dict[str, Any]:
    """What the critic's own loss is made of, on one training batch.

    - `penalty`: weighted, apart from the estimate.
    - `critic_gradient_norms`: of its loss in each weight matrix, from the input on. Where weights
      are clipped it grows or shrinks from layer to layer; with a gradient penalty it stays level
      (Gulrajani et al. 2017, arXiv:1704.00028, figure 1b).
    """
    metrics, gradient = _metrics_and_gradient(game, players, key)
    matrices = [leaf for leaf in jax.tree.leaves(gradient) if leaf.ndim >= 2]
    norms = [float(jnp.linalg.norm(leaf)) for leaf in matrices]
    return {"penalty": float(metrics["penalty"]), "critic_gradient_norms": norms}
