"""The Dirac-GAN and its published variants: the smallest GANs, solved by hand."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import field
from gameopt._games.sets import Box
from gameopt._trees import float_array, optional_float_array
from gameopt._types import Key, Players, Projection, Scalar

Loss = Literal["minimax", "non_saturating", "wasserstein"]
Number = Float[Array, ""] | None


class DiracGAN(AbstractGame):
    r"""Data is a point mass at 0, the generator one at $\theta$, the discriminator $\psi\cdot x$.

    $$V(\theta, \psi) = \mathbb{E} f(\psi(\theta + \epsilon)) + \mathbb{E} f(-\psi\epsilon')$$

    `players.x` is $\theta$ (minimises), `players.y` is $\psi$ (maximises), both of shape `()`.

    - `loss`: $f(t) = -\log(1 + e^{-t})$ for both players (`minimax`); the generator minimises
      $-f(-\psi\theta)$ instead (`non_saturating`); $f(t) = t$ (`wasserstein`).
    - `penalty`, `penalty_target`: $\tfrac\gamma2(|\psi| - g_0)^2$ added to the discriminator's
      loss, $|\psi|$ being its gradient norm everywhere: $g_0 = 0$ is R1 and R2, which coincide
      here; $g_0 = 1$ is WGAN-GP's.
    - `noise`: $\sigma$ of the instance noise $\epsilon, \epsilon' \sim N(0, \sigma^2)$, integrated
      by Gauss-Hermite quadrature.
    - `consensus`: $\tfrac\gamma2\|\xi\|^2$ added to both losses.
    - `clip`: the set $|\psi| \le c$.

    `None` leaves a part out. `DIRAC_GAN_VARIANTS` has the variants of the paper by name.

    !!! cite "Source"

        Mescheder, Geiger & Nowozin (2018), arXiv:1801.04406, definition 2.1 and section 3.
    """

    loss: Loss = eqx.field(static=True, default="minimax")
    penalty: Number = eqx.field(converter=optional_float_array, default=None)
    penalty_target: Float[Array, ""] = eqx.field(converter=float_array, default=0.0)
    noise: Number = eqx.field(converter=optional_float_array, default=None)
    consensus: Number = eqx.field(converter=optional_float_array, default=None)
    clip: Number = eqx.field(converter=optional_float_array, default=None)

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        plain = self._plain_losses(players)
        if self.consensus is None:
            return plain
        unregularized = DiracGAN(self.loss, self.penalty, self.penalty_target, self.noise)
        gradient = field(unregularized, players)
        shared = 0.5 * self.consensus * (gradient.x**2 + gradient.y**2)
        return Players(plain.x + shared, plain.y + shared)

    def _plain_losses(self, players: Players) -> Players[Scalar, Scalar]:
        theta, psi = players.x, players.y
        nodes, weights = self._noise_nodes(theta.dtype)
        on_fake, on_real = psi * (theta + nodes), -psi * nodes
        expect = lambda values: jnp.sum(weights * values)
        f = (lambda t: t) if self.loss == "wasserstein" else jax.nn.log_sigmoid
        value = expect(f(on_fake)) + expect(f(on_real))
        loss_x = -expect(f(-on_fake)) if self.loss == "non_saturating" else value
        loss_y = -value
        if self.penalty is not None:
            g0 = self.penalty_target
            # Expanded, because |psi|^2 has no second derivative at 0 for autodiff, and psi^2 has.
            loss_y = loss_y + 0.5 * self.penalty * (psi**2 - 2 * g0 * jnp.abs(psi) + g0**2)
        return Players(loss_x, loss_y)

    def _noise_nodes(self, dtype) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
        if self.noise is None:
            return jnp.zeros((1,), dtype), jnp.ones((1,), dtype)
        # 64 nodes: exact for polynomials of degree 127, far below rounding for psi * sigma < 1.
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        return self.noise * jnp.asarray(nodes, dtype), jnp.asarray(weights / weights.sum(), dtype)

    def project(self, players: Players) -> Players:
        if self.clip is None:
            return players
        return Players(players.x, jnp.clip(players.y, -self.clip, self.clip))

    def sets(self, players: Players) -> Players[None, Projection | None]:
        del players
        return Players(None, None if self.clip is None else Box(-self.clip, self.clip))

    def equilibria(self) -> tuple[Players, ...]:
        """(0, 0), except for a penalty with a target above 0, which leaves no equilibrium."""
        if self.penalty is not None and float(self.penalty) > 0 and float(self.penalty_target) > 0:
            return ()
        zero = jnp.zeros((), jnp.result_type(float))
        return (Players(zero, zero),)


DIRAC_GAN_VARIANTS: dict[str, Callable[[], DiracGAN]] = {
    "gan": lambda: DiracGAN("minimax"),
    "nsgan": lambda: DiracGAN("non_saturating"),
    "wgan": lambda: DiracGAN("wasserstein"),
    "wgan_clip": lambda: DiracGAN("wasserstein", clip=1.0),
    "wgan_gp": lambda: DiracGAN("wasserstein", penalty=1.0, penalty_target=1.0),
    "consensus": lambda: DiracGAN("minimax", consensus=1.0),
    "instance_noise": lambda: DiracGAN("minimax", noise=0.7),
    "r1": lambda: DiracGAN("minimax", penalty=0.3),
    "r1_critical": lambda: DiracGAN("minimax", penalty=1.0),
}
"""The variants of Mescheder et al. (2018), figure 3, each made by a call without arguments."""
