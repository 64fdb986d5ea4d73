"""The saturation picture: both generator losses' gradients as the generator moves away."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from models import MLP
from recipes._gans.critics import train_critic
from recipes._report import plots
from recipes._report.plots import FAKE, REAL, Curve, Panel

BATCH = 512
FLAT = (
    "A learned D is flatter than D* where no batch has points between the laws: "
    "from shift 3 on its gradient stays below the exact one"
)


class SaturationCurve(NamedTuple):
    """Gradients in the generator's shift, data N(0, 1) against N(shift, 1): each of shape `(k,)`.

    `exact_*` at D* by quadrature; `learned_*` at a discriminator trained against that generator.
    """

    shifts: np.ndarray
    exact_minimax: np.ndarray
    exact_non_saturating: np.ndarray
    learned_minimax: np.ndarray
    learned_non_saturating: np.ndarray


def measure_saturation(key: PRNGKeyArray, rounds: int = 600) -> SaturationCurve:
    """Trains one discriminator for each shift, all of them in one compiled call."""
    normal, exact_shifts = theory.Normal(0.0, 1.0), jnp.linspace(0.0, 8.0, 33)
    rule = theory.quadrature(-9.0, 9.0, 200)
    exact = theory.saturation_curve(normal.log_prob, normal.log_prob, exact_shifts, rule)
    learned = jax.jit(jax.vmap(lambda shift: _learned(shift, key, rounds)))(exact_shifts)
    return SaturationCurve(
        *(
            np.asarray(values)
            for values in (
                exact_shifts,
                exact.minimax,
                exact.non_saturating,
                learned[:, 0],
                learned[:, 1],
            )
        )
    )


def _learned(shift: jax.Array, key: PRNGKeyArray, rounds: int) -> jax.Array:
    """Both generator gradients at the discriminator learned for one shift, shape `(2,)`."""
    key_network, key_play, key_judge = jax.random.split(key, 3)
    network = MLP((), (), width=32, depth=2, activation=jnp.tanh, key=key_network)
    normal = lambda key, n: jax.random.normal(key, (n,))
    generator = jax.tree_util.Partial(jnp.add, shift)
    games = [make(normal, normal, BATCH) for make in (go.MinimaxGAN, go.NonSaturatingGAN)]
    start = go.Players(generator, network)
    players = train_critic(games[0], start, rounds, 1e-2, key_play)
    keys = jax.random.split(key_judge, 8)
    fields = [jax.vmap(lambda k, g=g: go.field(g, players, k).x)(keys) for g in games]
    return jnp.stack([jnp.mean(jax.tree.leaves(field)[0]) for field in fields])


def draw_saturation(measured: SaturationCurve, path: Path) -> None:
    """Two panels: the gradients, and the same on a logarithmic axis."""
    shifts = measured.shifts
    label = "shift of the generator N(shift, 1) from N(0, 1)"
    lines = [
        ("minimax: exact, = d 2 JS", measured.exact_minimax, "-", REAL),
        ("minimax: with a learned D", measured.learned_minimax, "o", REAL),
        ("non-saturating: exact, = d (KL - 2 JS)", measured.exact_non_saturating, "-", FAKE),
        ("non-saturating: with a learned D", measured.learned_non_saturating, "s", FAKE),
    ]
    linear = [Curve(name, shifts, y, style, color) for name, y, style, color in lines]
    # At shift 0 both are 0, and what is measured there is noise.
    logarithmic = [
        Curve(name, shifts[1:], np.abs(y[1:]), style, color) for name, y, style, color in lines
    ]
    plots.panels(
        [
            Panel("Gradient of the generator's loss", label, "d loss / d shift", linear),
            Panel("The minimax loss saturates", label, "its size", logarithmic, log_y=True),
        ],
        path,
        note=FLAT,
    )
