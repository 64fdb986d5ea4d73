"""Accuracy of classifiers on held-out images, clean and under attack."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recipes._adversarial.attacks import (
    Attack,
    Classifier,
    Norm,
    PerturbationBall,
    accuracy_over_radii,
    fgsm,
    pgd,
    predict,
)

NORMS: tuple[Norm, ...] = ("linf", "l2")
SHARES = np.linspace(0, 2, 9)
"""The radii of a curve, in units of the norm's own radius, which is the fifth."""


class Judge:
    """Held-out images and the attacks on them, the same for every classifier."""

    def __init__(
        self,
        points: np.ndarray,
        labels: np.ndarray,
        radii: dict[Norm, float],
        key: jax.Array,
        *,
        steps: int,
        restarts: int,
    ):
        """
        **Arguments:**

        - `points`: in [0, 1], shape `(n, *shape)`. `labels`: shape `(n,)`.
        - `radii`: of each norm. `key`, `steps`, `restarts`: of PGD.
        """
        self.points, self.labels = jnp.asarray(points), jnp.asarray(labels)
        self.radii, self.key, self.steps, self.restarts = radii, key, steps, restarts

    def ball(self, norm: Norm) -> PerturbationBall:
        """The ball of the norm's own radius."""
        return PerturbationBall(jnp.float32(self.radii[norm]), norm)

    def fgsm(self, classifier: Classifier, ball: PerturbationBall) -> Attack:
        return fgsm(classifier, self.points, self.labels, ball)

    def pgd(self, classifier: Classifier, ball: PerturbationBall) -> Attack:
        return pgd(
            classifier,
            self.points,
            self.labels,
            ball,
            self.key,
            steps=self.steps,
            restarts=self.restarts,
        )

    def at(self, classifier: Classifier, norm: Norm) -> dict[str, float]:
        """Accuracies at the norm's own radius: `clean_`, `fgsm_` and `pgd_accuracy`."""
        ball = self.ball(norm)
        right = predict(classifier, self.points) == self.labels
        share = lambda flags: float(np.mean(np.asarray(flags)))
        return {
            "clean_accuracy": share(right),
            "fgsm_accuracy": share(~self.fgsm(classifier, ball).fooled),
            "pgd_accuracy": share(~self.pgd(classifier, ball).fooled),
        }

    def curves(self, classifier: Classifier) -> dict[str, dict[str, Any]]:
        """Accuracies under `fgsm` and `pgd` over the radii of each norm."""
        out = {}
        for norm in NORMS:
            radii = (SHARES * self.radii[norm]).tolist()
            out[norm] = {"radius": radii} | {
                name: accuracy_over_radii(lambda ball, a=attack: a(classifier, ball), norm, radii)
                for name, attack in (("fgsm", self.fgsm), ("pgd", self.pgd))
            }
        return out


def numbers_of(curves: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Numbers of a table: clean accuracy, and each attack's at its norm's radius."""
    middle = int(np.argmax(SHARES == 1))
    numbers = {"clean": curves[NORMS[0]]["pgd"][0]}
    for norm in NORMS:
        numbers |= {f"{name}_{norm}": curves[norm][name][middle] for name in ("fgsm", "pgd")}
    return numbers
