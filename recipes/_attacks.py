"""Attacks on a classifier: what the worst perturbation in a ball does to it, from below.

An attack only ever finds perturbations that are there, so that the accuracy under it is an upper
bound of the robust accuracy: a stronger attack may find more.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from recipes._balls import Ball, Norm, steepest

Classifier = Callable[[Array], Array]
"""One image `(*shape)` to the logits `(classes,)`."""


class Attack(NamedTuple):
    """What an attack found for each image.

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
    ball: Ball,
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
    ball: Ball,
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
    attack: Callable[[Ball], Attack], norm: Norm, radii: Sequence[float]
) -> list[float]:
    """The share of images that no attack within each radius fools; `radii` ascend.

    A perturbation of a smaller ball lies in every larger one, so that an image that is fooled once
    counts as fooled from there on, and the accuracies never increase.
    """
    fooled = np.zeros((), bool)
    accuracies = []
    for radius in radii:
        fooled = fooled | np.asarray(attack(Ball(jnp.float32(radius), norm)).fooled)
        accuracies.append(float(np.mean(~fooled)))
    return accuracies
