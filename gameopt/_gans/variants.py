"""The GANs, by their losses."""

from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._gans.gan import AbstractGAN
from gameopt._gans.losses import (
    RELATIVISTIC_AVERAGE_LOSSES,
    hinge_value,
    least_squares_generator_loss,
    least_squares_value,
    minimax_value,
    non_saturating_generator_loss,
    relativistic_average_value,
    relativistic_value,
    wasserstein_value,
)
from gameopt._types import Scalar


class MinimaxGAN(AbstractGAN):
    """The zero-sum GAN: the generator minimises what the discriminator maximises, and saturates.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, equation 1.
    """

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return minimax_value(real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return minimax_value(real, fake)


class NonSaturatingGAN(AbstractGAN):
    r"""The generator minimises $-\mathbb{E}\log D(G(z))$: the game is not zero-sum.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, the end of section 3.
    """

    zero_sum: ClassVar[bool] = False

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return minimax_value(real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        del real
        return non_saturating_generator_loss(fake)


class WassersteinGAN(AbstractGAN):
    r"""The value is $\mathbb{E} f(x) - \mathbb{E} f(G(z))$: $W_1$ estimated, for 1-Lipschitz $f$.

    What keeps $f$ Lipschitz is a `penalty`, or a set: `constrained(game, y=clip_weights(0.01))`.
    The losses of x are the estimate itself, without the penalty.

    !!! cite "Source"

        Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875; with a penalty, Gulrajani et al.
        (2017), arXiv:1704.00028, algorithm 1.
    """

    value_name: ClassVar[str] = "wasserstein_estimate"

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return wasserstein_value(real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return wasserstein_value(real, fake)


class LeastSquaresGAN(AbstractGAN):
    r"""Least squares: no logits, but values that should be `real_target` and `fake_target`.

    The discriminator minimises $\tfrac12\mathbb{E}(D(x)-b)^2 + \tfrac12\mathbb{E}(D(G(z))-a)^2$,
    the generator $\tfrac12\mathbb{E}(D(G(z))-c)^2$.

    - `real_target`: $b$. `fake_target`: $a$. `generator_target`: $c$. The 0-1 coding of the
      paper's experiments by default. With $b - c = 1$ and $b - a = 2$, such as $(1, -1, 0)$, the
      generator's loss and $\tfrac12\mathbb{E}(D(x)-c)^2$, in which it has no part, are at the
      optimal discriminator half of Pearson's $\chi^2(p_d + p_g \,\|\, 2p_g)$.

    !!! cite "Source"

        Mao et al. (2017), arXiv:1611.04076, equations 2 and 8-9.
    """

    real_target: float = eqx.field(static=True, default=1.0)
    fake_target: float = eqx.field(static=True, default=0.0)
    generator_target: float = eqx.field(static=True, default=1.0)

    zero_sum: ClassVar[bool] = False

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return least_squares_value(real, fake, self.real_target, self.fake_target)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        del real
        return least_squares_generator_loss(fake, self.generator_target)


class HingeGAN(AbstractGAN):
    r"""The hinge loss: the discriminator separates by a margin, the generator minimises
    $-\mathbb{E} D(G(z))$.

    !!! cite "Source"

        Lim & Ye (2017), arXiv:1705.02894, section 3; Miyato et al. (2018), arXiv:1802.05957,
        equations 16-17.
    """

    zero_sum: ClassVar[bool] = False

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return hinge_value(real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        del real
        return -fake.mean()


class RelativisticGAN(AbstractGAN):
    r"""Points are judged in pairs, and each player wants its own to look the more real one.

    The critic minimises $\mathbb{E}\,\mathrm{softplus}(-(D(x_i) - D(G(z_i))))$, the generator
    $\mathbb{E}\,\mathrm{softplus}(-(D(G(z_i)) - D(x_i)))$. A constant added to $D$ changes neither.

    !!! cite "Source"

        Jolicoeur-Martineau (2018), arXiv:1807.00734, section 4.1 (RSGAN).
    """

    zero_sum: ClassVar[bool] = False

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return relativistic_value(real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return -relativistic_value(fake, real)


class RelativisticAverageGAN(AbstractGAN):
    r"""Points are judged relative to the mean score of the other kind.

    - `loss`: a key of `RELATIVISTIC_AVERAGE_LOSSES`: `logistic` is RaSGAN, `least_squares`
      RaLSGAN, `hinge` RaHingeGAN.

    The generator's loss is the critic's with the two kinds exchanged.

    !!! cite "Source"

        Jolicoeur-Martineau (2018), arXiv:1807.00734, section 4.2.
    """

    loss: str = eqx.field(static=True, default="logistic")

    zero_sum: ClassVar[bool] = False

    def __check_init__(self):
        check_choice("loss", self.loss, tuple(RELATIVISTIC_AVERAGE_LOSSES))

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return relativistic_average_value(real, fake, self.loss)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return -relativistic_average_value(fake, real, self.loss)
