"""Rankings that the models are compared with: popularity, matrix factorisation, the optimum."""

from typing import Any, NamedTuple

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from recipes._data.movielens import shape_of
from recipes._recommender.data import HeldOut, RecommenderData
from recipes._recommender.judge import Judge, Scores
from recipes._runtime.progress import says
from recipes._runtime.seeds import random_state

ALTERNATIONS = 15
"""Rounds of the factorisation, users and then items: the library's default."""


class Baseline(NamedTuple):
    """A ranking that is not trained by play.

    - `name`: of its row. `scores`: from held-out users to the scores of some of them.
    """

    name: str
    scores: Any


def popularity(train: sparse.csr_array) -> np.ndarray:
    """The users of each item, shape `(items,)`."""
    return np.bincount(train.indices, minlength=shape_of(train)[1]).astype(np.float32)


class MatrixFactorisation:
    r"""Implicit-feedback matrix factorisation, $\sum_{ui} c_{ui}(p_{ui} - x_u \cdot y_i)^2 +
    \lambda(\|x\|^2 + \|y\|^2)$ with $c = $ `confidence` where $p = 1$, and 1 where $p = 0$.

    Alternating least squares are the alternating best answers of this game of identical interest;
    a held-out user is the best answer to the items.

    !!! cite "Source"

        Hu, Koren & Volinsky (2008), Collaborative filtering for implicit feedback datasets.
    """

    def __init__(
        self,
        train: sparse.csr_array,
        *,
        factors: int,
        confidence: float,
        regularization: float,
        seed: int,
        alternations: int = ALTERNATIONS,
    ):
        self.factors, self.confidence = factors, confidence
        # One thread for its linear algebra: the library has threads of its own.
        with threadpool_limits(1, "blas"):
            self._model = AlternatingLeastSquares(
                factors=factors, regularization=regularization, alpha=confidence,
                iterations=alternations, use_cg=False, random_state=random_state(seed),
            )  # fmt: skip
            self._model.fit(sparse.csr_matrix(train), show_progress=False)

    @property
    def items(self) -> np.ndarray:
        """The factors of the items, shape `(items, factors)`."""
        return np.asarray(self._model.item_factors)

    @property
    def users(self) -> np.ndarray:
        """The factors of the users that it was fitted to, shape `(users, factors)`."""
        return np.asarray(self._model.user_factors)

    def folded_in(self, rows: sparse.csr_array) -> np.ndarray:
        """The best factors of users by their items, shape `(n, factors)`."""
        with threadpool_limits(1, "blas"):
            return self._model.recalculate_user(
                np.arange(shape_of(rows)[0]), sparse.csr_matrix(rows)
            )

    def scores(self, part: HeldOut) -> Scores:
        """Scores of held-out users."""
        return lambda rows: self.folded_in(part.fold_in[rows]) @ self.items.T


def fit_best(args: Any, data: RecommenderData, validation: Judge) -> MatrixFactorisation:
    """The factorisation of the largest NDCG@100 on the validation users."""
    fits = [
        MatrixFactorisation(
            data.train, factors=factors, confidence=confidence,
            regularization=args.als_regularization, seed=args.seed,
        )
        for factors in args.als_factors
        for confidence in args.als_confidences
    ]  # fmt: skip
    ndcg = [np.mean(validation(fit.scores(data.validation)).ndcg) for fit in fits]
    return fits[int(np.argmax(ndcg))]


def baselines(args: Any, data: RecommenderData, validation: Judge) -> list[Baseline]:
    """Popularity, the best factorisation and, of generated data, the Bayes-optimal ranking."""
    counts = popularity(data.train)
    with says("matrix factorisation"):
        fit = fit_best(args, data, validation)
    found = [
        Baseline("popularity", lambda part: lambda rows: np.tile(counts, (len(rows), 1))),
        Baseline(f"ALS, {fit.factors} factors", fit.scores),
    ]
    bayes = data.bayes
    if bayes is not None:
        optimum = lambda part: lambda rows: bayes.scores(part.fold_in[rows]).astype(np.float32)
        found.append(Baseline("Bayes-optimal", optimum))
    return found
