"""Attacks within balls."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

Norm = Literal["linf", "l2"]


class PerturbationBall(eqx.Module):
    r"""The perturbations $\delta$ of an image p with $\|\delta\| \le$ `radius`, p + δ in [0, 1].

    - `radius`: shape `()`; an array, so that another radius is no other program.
    - `norm`: `linf`, the largest change of a pixel, or `l2`, the Euclidean norm of an image.

    Every method takes a batch: the sets of different images have nothing to do with each other.
    """

    radius: Float[Array, ""]
    norm: Norm = eqx.field(static=True)

    def project(
        self, perturbations: Float[Array, "n *shape"], points: Float[Array, "n *shape"]
    ) -> Float[Array, "n *shape"]:
        """The nearest perturbations of the set, exact for both norms.

        For `linf` the set is a box. For `l2` the ball and the range of the pixels are met together,
        see `project_on_ball_in_box`; one after the other would not be the nearest point.
        """
        lower, upper = -points, 1 - points
        if self.norm == "linf":
            lower, upper = jnp.maximum(lower, -self.radius), jnp.minimum(upper, self.radius)
            return jnp.clip(perturbations, lower, upper)
        flat = lambda a: a.reshape(len(a), -1)
        nearest = jax.vmap(project_on_ball_in_box, in_axes=(0, None, 0, 0))
        out = nearest(flat(perturbations), self.radius, flat(lower), flat(upper))
        return out.reshape(perturbations.shape)

    def sample(
        self, key: PRNGKeyArray, points: Float[Array, "n *shape"]
    ) -> Float[Array, "n *shape"]:
        """Uniform in the ball, and then brought into the range of the pixels."""
        if self.norm == "linf":
            uniform = jax.random.uniform(key, points.shape, points.dtype, -1, 1)
            return self.project(self.radius * uniform, points)
        key_direction, key_length = jax.random.split(key)
        direction = steepest("l2", jax.random.normal(key_direction, points.shape, points.dtype))
        # The share of a ball's volume within a radius grows as its d-th power.
        length = jax.random.uniform(key_length, (len(points),), points.dtype) ** (
            1 / points[0].size
        )
        return self.project(self.radius * jax.vmap(jnp.multiply)(length, direction), points)


def steepest(norm: Norm, gradients: Float[Array, "n *shape"]) -> Float[Array, "n *shape"]:
    """For each image the direction of norm 1 in which its loss climbs fastest; 0 where it is flat.

    The sign of the gradient for `linf`, the gradient over its length for `l2`.
    """
    if norm == "linf":
        return jnp.sign(gradients)
    axes = tuple(range(1, gradients.ndim))
    largest = jnp.max(jnp.abs(gradients), axis=axes, keepdims=True)
    # By the largest entry first: the square of a small gradient is 0 in float32.
    scaled = gradients / jnp.where(largest > 0, largest, 1)
    length = jnp.sqrt(jnp.sum(jnp.square(scaled), axis=axes, keepdims=True))
    return scaled / jnp.where(length > 0, length, 1)


def project_on_ball_in_box(
    point: Float[Array, " d"],
    radius: Float[Array, ""],
    lower: Float[Array, " d"],
    upper: Float[Array, " d"],
) -> Float[Array, " d"]:
    r"""The nearest z to `point` with $\|z\|_2 \le$ `radius` and `lower` <= z <= `upper`, exactly.

    The box must hold 0. By the conditions of Karush, Kuhn and Tucker z = clip(s y) for one s in
    (0, 1], the largest that keeps z in the ball. In $t = s^2$ the square of its norm,
    $\sum_i \min(t y_i^2, b_i^2)$ with b the bounds, is concave and made of lines, so that Newton's
    method climbs from 0 to its root in finitely many steps, of which few are needed.
    """
    squares = jnp.square(point)
    limits = jnp.square(jnp.where(point > 0, upper, lower))

    def newton(carry):
        _, t = carry
        met = t * squares >= limits
        room = jnp.square(radius) - jnp.sum(jnp.where(met, limits, 0))
        slope = jnp.sum(jnp.where(met, 0, squares))
        root = jnp.maximum(room, 0) / jnp.where(slope > 0, slope, 1)
        return t, jnp.where(slope > 0, jnp.minimum(root, 1), 1)

    below, zero = -jnp.ones_like(squares[0]), jnp.zeros_like(squares[0])
    _, t = jax.lax.while_loop(lambda carry: carry[1] > carry[0], newton, (below, zero))
    return jnp.clip(jnp.sqrt(t) * point, lower, upper)


Classifier = Callable[[Array], Array]
"""One image `(*shape)` to the logits `(classes,)`."""


class Attack(NamedTuple):
    """The result of an attack on each image.

    - `perturbation`: shape `(n, *shape)`. `loss`: the cross-entropy there, in nats.
    - `fooled`: whether any perturbation that was tried, 0 included, is misclassified.
    """

    perturbation: Float[Array, "n *shape"]
    loss: Float[Array, " n"]
    fooled: Bool[Array, " n"]


def cross_entropy(logits: Float[Array, " classes"], label: Int[Array, ""]) -> Float[Array, ""]:
    """-log softmax of the label's logit, in nats.

    Written by the margin to the others, because the gradient of the usual form is rounded to 0
    where a classifier is sure, which would hide what an attack looks for.
    """
    others = jnp.where(jnp.arange(len(logits)) == label, -jnp.inf, logits)
    return jax.nn.softplus(jax.nn.logsumexp(others) - logits[label])


@eqx.filter_jit
def predict(classifier: Classifier, points: Float[Array, "n *shape"]) -> Int[Array, " n"]:
    """The most likely class of each image."""
    return jnp.argmax(jax.vmap(classifier)(points), axis=-1)


def _look(classifier: Classifier, points, labels, perturbations) -> tuple[Attack, Array]:
    """Loss and misclassification at the perturbations, and each image's own gradient."""

    def total(perturbations):
        logits = jax.vmap(classifier)(points + perturbations)
        losses = jax.vmap(cross_entropy)(logits, labels)
        return jnp.sum(losses), (losses, jnp.argmax(logits, axis=-1) != labels)

    (_, (losses, fooled)), gradients = jax.value_and_grad(total, has_aux=True)(perturbations)
    return Attack(perturbations, losses, fooled), gradients


def _best(old: Attack, new: Attack) -> Attack:
    better = new.loss > old.loss
    mask = better.reshape(-1, *[1] * (new.perturbation.ndim - 1))
    return Attack(
        jnp.where(mask, new.perturbation, old.perturbation),
        jnp.where(better, new.loss, old.loss),
        old.fooled | new.fooled,
    )


@eqx.filter_jit
def fgsm(
    classifier: Classifier,
    points: Float[Array, "n *shape"],
    labels: Int[Array, " n"],
    ball: PerturbationBall,
) -> Attack:
    r"""One step from the image itself to the ball's edge: $\epsilon\,\mathrm{sign}(\nabla L)$.

    In `l2` it is $\epsilon\,\nabla L / \|\nabla L\|_2$. On a linear classifier of two classes it is
    the worst perturbation there is, as long as it stays in the range of the pixels.

    !!! cite "Source"

        Goodfellow, Shlens & Szegedy (2015), arXiv:1412.6572, section 4.
    """
    clean, gradients = _look(classifier, points, labels, jnp.zeros_like(points))
    step = ball.project(ball.radius * steepest(ball.norm, gradients), points)
    found, _ = _look(classifier, points, labels, step)
    return found._replace(fooled=clean.fooled | found.fooled)


@eqx.filter_jit
def pgd(
    classifier: Classifier,
    points: Float[Array, "n *shape"],
    labels: Int[Array, " n"],
    ball: PerturbationBall,
    key: PRNGKeyArray,
    *,
    steps: int = 40,
    restarts: int = 3,
) -> Attack:
    r"""Projected gradient ascent from several starts; the best perturbation of all is kept.

    Steps of length $2.5\,\epsilon$ / `steps` along the steepest direction, so that the far side of
    the ball can be reached. The first start is 0, the others are drawn from the ball. What FGSM
    finds counts as well, so that the loss is never below FGSM's.

    !!! cite "Source"

        Mądry, Makelov, Schmidt, Tsipras & Vladu (2018), arXiv:1706.06083, sections 2.1 and 5.
    """
    length = 2.5 * ball.radius / steps

    def step(carry, _):
        perturbations, best = carry
        here, gradients = _look(classifier, points, labels, perturbations)
        moved = perturbations + length * steepest(ball.norm, gradients)
        return (ball.project(moved, points), _best(best, here)), None

    def climb(best: Attack, number: Int[Array, ""]):
        drawn = ball.sample(jax.random.fold_in(key, number), points)
        start = jnp.where(number == 0, jnp.zeros_like(points), drawn)
        (last, best), _ = jax.lax.scan(step, (start, best), length=steps)
        return _best(best, _look(classifier, points, labels, last)[0]), None

    best, _ = jax.lax.scan(climb, fgsm(classifier, points, labels, ball), jnp.arange(restarts))
    return best


def accuracy_over_radii(
    attack: Callable[[PerturbationBall], Attack], norm: Norm, radii: Sequence[float]
) -> list[float]:
    """The share of images that no attack within each radius fools; `radii` ascend.

    A perturbation of a smaller ball lies in every larger one, so that an image that is fooled once
    counts as fooled from there on, and the accuracies never increase.
    """
    fooled = np.zeros((), bool)
    accuracies = []
    for radius in radii:
        fooled = fooled | np.asarray(attack(PerturbationBall(jnp.float32(radius), norm)).fooled)
        accuracies.append(float(np.mean(~fooled)))
    return accuracies
