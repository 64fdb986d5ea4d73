"""The part of the table of public functions that is about latent-variable models."""

from collections.abc import Callable
from typing import Any

import numpy as np

import theory
from tests.theory.case import Arrays, Case, whole

DATA = {"covariance": whole((6, 1, 0), (1, 4, 1), (0, 1, 2))}
EIGENVALUES = {"eigenvalues": whole(5, 9, 1, 2)}
AT = {"x": whole(1, 3, 0)}
MODEL = {"weights": whole((1, 0), (2, 1), (0, 1)), "mean": whole(1, 0, 2), "variance": whole(2)[0]}
ENCODER = {"gains": whole((1, 0, 1), (0, 1, 1)), "offset": whole(1, 2), "spread": np.diag([1, 4])}
PARAMETERS = {
    "weights": MODEL["weights"],
    "mean": MODEL["mean"],
    "log_variance": whole(0)[0],
    "encoder_weights": ENCODER["gains"],
    "encoder_offset": ENCODER["offset"],
    "encoder_log_variances": whole(0, 0),
}


def _of_model(method: str, *more: Any) -> Callable[..., Any]:
    """A method of `LinearGaussian` at a point; means only, which every argument reaches."""

    def call(weights, mean, variance, x):
        result = getattr(theory.LinearGaussian(weights, mean, variance), method)(x, *more)
        return result if method == "log_prob" else result.mean

    return call


def _vae(function: Callable[..., Any]) -> Case:
    """A function of all parameters of a linear VAE and of the data's covariance."""
    arrays: Arrays = {**PARAMETERS, **DATA}
    return Case(
        lambda covariance, **parameters: function(
            theory.LinearVAE(**parameters), np.zeros(3, np.int64), covariance
        ),
        arrays,
    )


LATENT_CASES: dict[str, Case] = {
    "moments": Case(theory.moments, {"points": whole((1, 2), (3, 0), (5, 5))}),
    "LinearGaussian.log_prob": Case(_of_model("log_prob"), {**MODEL, **AT}),
    "LinearGaussian.posterior": Case(_of_model("posterior"), {**MODEL, **AT}),
    "LinearGaussian.predictive": Case(_of_model("predictive", [1, 0, 1]), {**MODEL, **AT}),
    "gaussian_conditional": Case(
        lambda **law: theory.gaussian_conditional(**law, observed=[1, 0, 1]).mean,
        {"mean": MODEL["mean"], **DATA, **AT},
    ),
    "best_variance": Case(
        lambda eigenvalues: theory.best_variance(eigenvalues, 2),
        EIGENVALUES,
        1,
        orderless=("eigenvalues",),
    ),
    "best_variance[beta]": Case(
        lambda eigenvalues, beta: theory.best_variance(eigenvalues, 2, beta),
        {**EIGENVALUES, "beta": whole(3)[0]},
        1,
        ("eigenvalues",),
        orderless=("eigenvalues",),
    ),
    "active_units": Case(
        theory.active_units,
        {**EIGENVALUES, "variance": whole(2)[0]},
        0,
        orderless=("eigenvalues",),
    ),
    "pca_log_likelihood": Case(
        lambda eigenvalues: theory.pca_log_likelihood(eigenvalues, 2),
        EIGENVALUES,
        orderless=("eigenvalues",),
    ),
    "pca_log_likelihood[variance]": Case(
        lambda **arrays: theory.pca_log_likelihood(**arrays, k=3),
        {**EIGENVALUES, "variance": whole(2)[0]},
        orderless=("eigenvalues",),
    ),
    "probabilistic_pca": Case(
        # The signs of eigenvectors are nobody's.
        lambda covariance: theory.probabilistic_pca([0, 0, 0], covariance, 2).covariance,
        DATA,
        1,
    ),
    "em_round": Case(
        lambda weights, variance, covariance: (
            theory.em_round(
                theory.LinearGaussian(weights, [0, 0, 0], variance), [0, 0, 0], covariance
            ).covariance
        ),
        {"weights": MODEL["weights"], "variance": MODEL["variance"], **DATA},
    ),
    "em_rate": Case(
        lambda eigenvalues: theory.em_rate(eigenvalues, 2),
        EIGENVALUES,
        0,
        orderless=("eigenvalues",),
    ),
    "em_rate[variance]": Case(
        lambda **arrays: theory.em_rate(**arrays, k=3),
        {**EIGENVALUES, "variance": whole(3)[0]},
        0,
        orderless=("eigenvalues",),
    ),
    "best_encoder": Case(
        lambda **model: theory.best_encoder(theory.LinearGaussian(**model)).offset, MODEL
    ),
    "linear_rate_distortion": Case(
        lambda weights, mean, variance, gains, offset, spread, covariance: sum(
            theory.linear_rate_distortion(
                theory.LinearGaussian(weights, mean, variance),
                theory.LinearEncoder(gains, offset, spread),
                [0, 0, 0],
                covariance,
            )
        ),
        {**MODEL, **ENCODER, **DATA},
    ),
    "rate_distortion_curve": Case(
        theory.rate_distortion_curve,
        {**EIGENVALUES, "betas": whole(1, 3), "variance": whole(2)[0]},
        orderless=("eigenvalues",),
    ),
    "rate_distortion_curve[best variance]": Case(
        lambda eigenvalues, betas: theory.rate_distortion_curve(eigenvalues, betas, k=2),
        {**EIGENVALUES, "betas": whole(1, 3)},
        orderless=("eigenvalues",),
    ),
    "linear_vae_objective": _vae(theory.linear_vae_objective),
    "linear_vae_hessian": _vae(theory.linear_vae_hessian),
    "linear_vae_optimum": Case(
        lambda covariance: theory.linear_vae_optimum([0, 0, 0], covariance, 2).decoder().covariance,
        DATA,
        1,
    ),
}

NOT_IN_THE_LATENT_TABLE: dict[str, str] = {}
