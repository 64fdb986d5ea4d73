"""The part of the table of public functions that is about latent-variable models."""

from collections.abc import Callable
from typing import Any

import jax
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


WEIGHTS = {"log_weights": whole((1, 0, 3), (2, 2, 1))}
CODES = {"mean": whole(1, 2), "log_deviation": whole(0, 1), "noise": whole((1, 0), (2, 1))}
SPREAD = {"means": whole((1, 2), (3, 0), (0, 1)), "log_deviations": whole((0, 1), (1, 0), (0, 0))}
QUADRATIC = {"matrix": whole((2, 1), (1, 3)), "vector": whole(1, 0)}
LABELS = np.arange(6)[:, None] % np.array([[2, 3]])


def _square(z):
    """A function of one code."""
    return z @ z


def _of_codes(function: Callable[..., Any], arrays: Arrays = CODES, **settings: Any) -> Case:
    """A function of a function and of a Gaussian's noise."""
    return Case(lambda **values: function(_square, **values, **settings), arrays)


BOUNDS_CASES: dict[str, Case] = {
    "log_mean_exp": Case(theory.log_mean_exp, WEIGHTS, orderless=("log_weights",), empty=False),
    "jackknife_log_mean_exp": Case(theory.jackknife_log_mean_exp, WEIGHTS, empty=False),
    "importance_log_likelihood": Case(theory.importance_log_likelihood, WEIGHTS, empty=False),
    "iwae_bound": Case(
        lambda log_weights: theory.iwae_bound(log_weights, 1), WEIGHTS, orderless=("log_weights",)
    ),
    "elbo": Case(theory.elbo, WEIGHTS, 1, orderless=("log_weights",)),
    "posterior_gap": Case(theory.posterior_gap, WEIGHTS, empty=False),
    "kl_standard_normal": Case(
        theory.kl_standard_normal, {k: CODES[k] for k in ("mean", "log_deviation")}, empty=False
    ),
    "kl_categorical": Case(
        theory.kl_categorical, {"logits_q": whole(1, 0, 2), "logits_p": whole(0, 3, 1)}
    ),
    "aggregated_log_prob": Case(theory.aggregated_log_prob, {"z": whole((1, 1), (0, 2)), **SPREAD}),
    "elbo_surgery": Case(
        # The rate is exact: noise is in the two estimates alone.
        lambda **codes: sum(jax.tree.leaves(theory.elbo_surgery(**codes))),
        {**SPREAD, "noise": whole((1, 0), (2, 1), (0, 0))},
    ),
    "unit_activity": Case(
        theory.unit_activity, {"means": SPREAD["means"]}, 2, None, ("means",), ("means",)
    ),
    "count_active_units": Case(
        theory.count_active_units, {"means": SPREAD["means"]}, None, None, ("means",)
    ),
    "reparameterised_gradients": _of_codes(theory.reparameterised_gradients),
    "score_function_gradients": _of_codes(theory.score_function_gradients),
    "score_function_gradients[others]": _of_codes(
        theory.score_function_gradients, baseline="others"
    ),
    "gaussian_log_weights": _of_codes(theory.gaussian_log_weights),
    "iwae_objective": _of_codes(theory.iwae_objective),
    "iwae_objective[dreg]": _of_codes(theory.iwae_objective, gradient="dreg"),
    "reparameterised_variances": Case(
        lambda **arrays: sum(theory.reparameterised_variances(**arrays)),
        {**QUADRATIC, "mean": CODES["mean"], "log_deviation": CODES["log_deviation"]},
    ),
    "score_function_variances": Case(
        lambda **arrays: theory.score_function_variances(**arrays, constant=1),
        {**QUADRATIC, "mean": CODES["mean"], "log_deviation": CODES["log_deviation"]},
    ),
    "signal_to_noise": Case(
        theory.signal_to_noise, {"gradients": whole((1, 2), (3, 0), (0, 1))}, 0, orderless=()
    ),
    "prior_sample_bound": Case(
        lambda weights, mean, variance, covariance: theory.prior_sample_bound(
            theory.LinearGaussian(weights, mean, variance), [0, 0, 0], covariance
        ),
        {**MODEL, **DATA},
    ),
    "constant_gaussian_log_likelihood": Case(
        theory.constant_gaussian_log_likelihood,
        {"variances": whole(1, 4, 2)},
        orderless=("variances",),
    ),
    "constant_bernoulli_log_likelihood": Case(
        theory.constant_bernoulli_log_likelihood, {"means": whole(0, 1, 1)}
    ),
    "log_second_moment": Case(
        lambda weights, mean, variance, x: theory.log_second_moment(
            theory.LinearGaussian(weights, mean, variance), x
        ),
        {**MODEL, **AT},
    ),
    "log_mean_exp_bias": Case(
        lambda log_second_moment: theory.log_mean_exp_bias(log_second_moment, 5),
        {"log_second_moment": whole(0, 1)},
        empty=False,
    ),
    "mutual_information_gap": Case(
        lambda codes: theory.mutual_information_gap(codes, LABELS, bins=3)[:2],
        {"codes": whole((0, 1), (1, 5), (0, 2), (4, 1), (0, 1), (7, 3))},
        0,
        shifted=("codes",),
    ),
    "correlation_of_units": Case(
        theory.correlation_of_units,
        {"codes": SPREAD["means"]},
        0,
        None,
        ("codes",),
        ("codes",),
    ),
    "gaussian_total_correlation": Case(theory.gaussian_total_correlation, DATA, 0),
}

LINEAR_CASES: dict[str, Case] = {
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
    "linear_vae_optimum": Case(
        lambda covariance: theory.linear_vae_optimum([0, 0, 0], covariance, 2).decoder().covariance,
        DATA,
        1,
    ),
}

LATENT_CASES = BOUNDS_CASES | LINEAR_CASES
