"""Gradient norms of a critic, sample by sample, and penalties on them."""

from typing import Literal, Protocol, get_args, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt._arithmetic import square_root
from gameopt._checks import check_choice
from gameopt._gans.networks import Critic, score_at
from gameopt._gans.points import Batched, Points, value_of, with_value
from gameopt._trees import float_array
from gameopt._types import Real, Scalar


def squared_gradient_norms(critic: Critic, points: Points) -> Float[Array, " n"]:
    r"""$\|\nabla_x f(x)\|^2$ at every point, each over that point's own axes and no other.

    At `Conditioned` points the gradient is by the value, the condition being held. The batch has
    no name here: a critic that couples it has no gradient of its own at each point.
    """

    def gradient(point):
        score = lambda value: score_at(critic, with_value(point, value))
        return jax.grad(score)(value_of(point))

    gradients = jax.vmap(gradient)(points)
    return jnp.sum(jnp.square(gradients).reshape(gradients.shape[0], -1), axis=1)


def gradient_norms(critic: Critic, points: Points) -> Float[Array, " n"]:
    r"""$\|\nabla_x f(x)\|$ at every point: shape `(n,)`, in units of score per unit of data.

    Differentiable; where the gradient is 0, the derivative of the norm is taken to be 0.
    """
    return square_root(squared_gradient_norms(critic, points))


def gradient_penalty(
    critic: Critic,
    points: Points,
    target: Real = 1.0,
    one_sided: bool = False,
) -> Scalar:
    r"""$\tfrac1n\sum_i (\|\nabla f(x_i)\| - g_0)^2$, each norm over one sample's axes only.

    **Arguments:**

    - `critic`: takes one point of shape `shape`, gives one number.
    - `points`: shape `(n, *shape)`, any shape and any `n`; or `Conditioned` ones.
    - `target`: $g_0$. 1 is WGAN-GP's; 0 is the zero-centred penalty (R1, R2), smooth everywhere.
    - `one_sided`: penalise only norms above the target, $\max(0, \cdot)^2$ (WGAN-LP).

    **Returns:** shape `()`, without a weight. Of a linear critic $\langle w, x\rangle$ it is
    $(\|w\| - g_0)^2$, for every batch size and every shape.

    !!! cite "Source"

        Gulrajani et al. (2017), arXiv:1704.00028, equation 3; one-sided: Petzka, Fischer &
        Lukovnicov (2018), arXiv:1709.08894, equation 8.
    """
    squares = squared_gradient_norms(critic, points)
    if isinstance(target, int | float) and target == 0:
        return jnp.mean(squares)
    excess = square_root(squares) - target
    if one_sided:
        excess = jnp.maximum(excess, 0)
    return jnp.mean(jnp.square(excess))


def interpolates(real: Batched, fake: Batched, key: PRNGKeyArray) -> Batched:
    r"""$\epsilon_i x_i + (1 - \epsilon_i)\tilde x_i$, one uniform $\epsilon_i$ for each sample.

    Both kinds of shape `(n, *shape)`, and so the result. Of `Conditioned` points the values are
    interpolated; the conditions are the real points'.
    """
    x, other = value_of(real), value_of(fake)
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    weight = jax.random.uniform(key, shape, x.dtype)
    return with_value(real, weight * x + (1 - weight) * other)


def surroundings(points: Batched, spread: Real, key: PRNGKeyArray) -> Batched:
    r"""$x_i + \epsilon_i\, c\, s\, u_i$: points on lines from data to data with noise.

    $s$ is the standard deviation over all entries of the whole batch (divided by their number, not
    by one less), $u_i$ is uniform on $[0, 1)$ for every entry, so that the noise points up, and
    $\epsilon_i$ is uniform on $[0, 1)$, one for each sample.

    **Arguments:** `points`: shape `(n, *shape)`, or `Conditioned` ones, whose values are moved.
    `spread`: $c$, in standard deviations.

    !!! cite "Source"

        Kodali et al. (2017), arXiv:1705.07215, algorithm 1, whose noise is normal; the uniform
        noise and the lines are those of the authors' code, with $c = 1/2$.
    """
    values = value_of(points)
    key_noise, key_line = jax.random.split(key)
    noise = jax.random.uniform(key_noise, values.shape, values.dtype)
    noisy = values + spread * jnp.std(values) * noise
    return interpolates(with_value(points, noisy), points, key_line)


@runtime_checkable
class Penalty(Protocol):
    """The protocol of a critic's penalty: any callable of these arguments, such as a module.

    `real` and `fake` are the points that the critic judges, as many of each, generated ones with
    the conditions of the data. `key` is for what it draws. What it weighs is its own business.
    """

    def __call__(
        self, critic: Critic, real: Points, fake: Points, key: PRNGKeyArray, /
    ) -> Scalar: ...


class Penalties(eqx.Module):
    """The sum of several penalties, such as R1 and R2. Each has a key of its own.

    - `parts`: the penalties, each with its own weight.
    """

    parts: tuple[Penalty, ...] = eqx.field(converter=tuple)

    def __check_init__(self):
        if not self.parts:
            raise ValueError("Penalties needs at least one part. For no penalty, give None.")

    def __call__(self, critic: Critic, real: Points, fake: Points, key: PRNGKeyArray) -> Scalar:
        keys = jax.random.split(key, len(self.parts))
        first, *rest = (p(critic, real, fake, k) for p, k in zip(self.parts, keys, strict=True))
        return sum((part.astype(first.dtype) for part in rest), start=first)


Where = Literal["interpolates", "real", "fake", "around"]


class GradientPenalty(eqx.Module):
    r"""$\lambda\,\mathbb{E}(\|\nabla f\| - g_0)^2$ at points chosen between data and samples.

    - `weight`: $\lambda$, an array leaf, so that a sweep over it is one compilation.
    - `target`, `one_sided`: as in `gradient_penalty`.
    - `where`: on the lines between real and generated points (`interpolates`), on the `real`
      points, on the `fake` ones, or `around` the real ones (`surroundings`).
      `GradientPenalty(gamma / 2, target=0, where="real")` is R1, `GradientPenalty(where="around")`
      DRAGAN's.
    - `spread`: how far around, in standard deviations of the batch. Static.
    """

    weight: Float[Array, ""] = eqx.field(converter=float_array, default=10.0)
    target: float = eqx.field(static=True, converter=float, default=1.0)
    one_sided: bool = eqx.field(static=True, default=False)
    where: Where = eqx.field(static=True, default="interpolates")
    spread: float = eqx.field(static=True, converter=float, default=0.5)

    def __check_init__(self):
        check_choice("where", self.where, get_args(Where))

    def points(self, real: Points, fake: Points, key: PRNGKeyArray) -> Points:
        """The points at which the gradient norms are taken."""
        if self.where == "interpolates":
            return interpolates(real, fake, key)
        if self.where == "around":
            return surroundings(real, self.spread, key)
        return real if self.where == "real" else fake

    def __call__(self, critic: Critic, real: Points, fake: Points, key: PRNGKeyArray) -> Scalar:
        points = self.points(real, fake, key)
        penalty = gradient_penalty(critic, points, self.target, self.one_sided)
        return self.weight.astype(penalty.dtype) * penalty
