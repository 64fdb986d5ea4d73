"""The part of the table of public functions that is about diffusion models."""

from typing import Any

import numpy as np

import theory
from tests.theory.case import Arrays, Case, whole

AT = {"value": whole(1, 3, 2), "x": whole(2, 0, 5), "alpha": whole(3)[0], "sigma": whole(2)[0]}
GAUSSIAN = {"mean": whole(1, 0, 2), "cov": whole((6, 1, 0), (1, 4, 1), (0, 1, 2))}
MIXTURE = {
    "weights": whole(1, 3),
    "means": whole((1, 0, 2), (0, 1, 4)),
    "covs": np.stack([GAUSSIAN["cov"], np.diag([1, 2, 3])]),
}
POINTS = {"points": whole((0, 1, 2), (3, 1, 1), (1, 1, 1), (2, 0, 1))}
GRID = {"alpha": whole(1, 2, 4), "sigma": whole(6, 3, 1), "variances": whole(2, 0, 5)}
PAIR = {
    "cleaner_alpha": whole(4, 3),
    "cleaner_sigma": whole(1, 0),
    "noisier_alpha": whole(2, 1),
    "noisier_sigma": whole(3, 2),
}
RATES = {"d_alpha": whole(0)[0], "d_sigma": whole(1)[0]}
KINDS: Any = theory.PREDICTIONS


def _of_kind(function: Any, kind: str) -> Case:
    """A conversion of a kind of prediction, at one level."""
    call = lambda value, x, alpha, sigma: function(kind, value, x, theory.NoiseLevel(alpha, sigma))
    # Of the datum itself nothing is left to convert.
    quiet = ("x", "alpha", "sigma") if kind == "data" else ()
    return Case(call, AT, quiet=quiet, empty=False)


def _at_level(function: Any, arrays: Arrays, leaf: int | None = None) -> Case:
    """A function of a point, one level and a law, or one leaf of its result."""

    def call(x, alpha, sigma, **law):
        result = function(x, theory.NoiseLevel(alpha, sigma), **law)
        return result if leaf is None else result[leaf]

    return Case(call, {**{key: AT[key] for key in ("x", "alpha", "sigma")}, **arrays})


def _of_pair(function: Any) -> Any:
    """A function of two levels, the parts of its result added up."""

    def call(cleaner_alpha, cleaner_sigma, noisier_alpha, noisier_sigma):
        cleaner = theory.NoiseLevel(cleaner_alpha, cleaner_sigma)
        return sum(function(cleaner, theory.NoiseLevel(noisier_alpha, noisier_sigma)))

    return call


def _of_grid(function: Any, **settings: Any) -> Case:
    """A map of a sampler over a grid of levels, its three parts added up."""
    call = lambda alpha, sigma, variances: sum(
        function(theory.NoiseLevel(alpha, sigma), variances, **settings)
    )
    return Case(call, GRID)


def _of_times(function: Any) -> Case:
    call = lambda times, variances: sum(function(theory.EDM(), times, variances))
    return Case(call, {"times": whole(6, 3, 1), "variances": GRID["variances"]})


def _of_law(leaf: int) -> Case:
    grid = theory.NoiseLevel(GRID["alpha"], GRID["sigma"])
    sampler = lambda variances: theory.ddim_map(grid, variances, 1)
    arrays = {"cov": GAUSSIAN["cov"], **({"mean": GAUSSIAN["mean"]} if leaf == 0 else {})}
    call = lambda cov, mean=GAUSSIAN["mean"], std=2: theory.sampler_law(sampler, mean, cov, std)[
        leaf
    ]
    return Case(call, {**arrays, "std": whole(2)[0]})


def _of_velocity(function: Any) -> Case:
    def call(value, x, alpha, sigma, d_alpha, d_sigma):
        level, rate = theory.NoiseLevel(alpha, sigma), theory.NoiseLevel(d_alpha, d_sigma)
        return function(value, x, level, rate)

    return Case(call, {**AT, **RATES}, empty=False)


DIFFUSION_CASES: dict[str, Case] = {
    **{f"denoised_from[{kind}]": _of_kind(theory.denoised_from, kind) for kind in KINDS},
    **{f"prediction_from[{kind}]": _of_kind(theory.prediction_from, kind) for kind in KINDS},
    "velocity_from": _of_velocity(theory.velocity_from),
    "denoised_from_velocity": _of_velocity(theory.denoised_from_velocity),
    **{
        f"loss_weight[{kind}]": Case(
            lambda alpha, sigma, kind=kind: theory.loss_weight(
                kind, theory.NoiseLevel(alpha, sigma)
            ),
            {key: AT[key] for key in ("alpha", "sigma")},
            quiet=("alpha", "sigma") if kind == "data" else (),
        )
        for kind in KINDS
    },
    "gaussian_denoiser": _at_level(theory.gaussian_denoiser, GAUSSIAN),
    "gaussian_denoising": _at_level(theory.gaussian_denoising, GAUSSIAN, 0),
    "gaussian_marginal_log_prob": _at_level(theory.gaussian_marginal_log_prob, GAUSSIAN),
    "mixture_denoiser": _at_level(theory.mixture_denoiser, MIXTURE),
    "mixture_denoising": _at_level(theory.mixture_denoising, MIXTURE),
    "mixture_marginal_log_prob": _at_level(theory.mixture_marginal_log_prob, MIXTURE),
    "data_denoiser": _at_level(theory.data_denoiser, POINTS),
    "data_denoising": _at_level(theory.data_denoising, POINTS),
    "data_marginal_log_prob": _at_level(theory.data_marginal_log_prob, POINTS),
    "transition": Case(_of_pair(theory.transition), PAIR, empty=False),
    "reverse_step": Case(_of_pair(theory.reverse_step), PAIR, empty=False),
    "ddim_map": _of_grid(theory.ddim_map),
    "ddim_map[eta]": _of_grid(theory.ddim_map, eta=1),
    "ancestral_map": _of_grid(theory.ancestral_map),
    "ancestral_map[large]": _of_grid(theory.ancestral_map, variance="large"),
    "heun_map": _of_grid(theory.heun_map),
    "heun_map[churn]": _of_grid(theory.heun_map, churn=1, churn_high=4),
    "dpm_solver_map": _of_grid(theory.dpm_solver_map),
    "probability_flow_map": _of_grid(theory.probability_flow_map),
    "reverse_sde_map": _of_grid(theory.reverse_sde_map),
    "euler_map": _of_times(theory.euler_map),
    "euler_maruyama_map": _of_times(theory.euler_maruyama_map),
    "sampler_law": _of_law(0),
    "sampler_law[covariance]": _of_law(1),
    "linear_betas": Case(
        lambda first, last: theory.linear_betas(3, first, last),
        {"first": whole(1)[0], "last": whole(1)[0]},
    ),
    "cosine_betas": Case(
        lambda offset, most: theory.cosine_betas(3, offset, most),
        {"offset": whole(1)[0], "most": whole(1)[0]},
    ),
    "levels_of_betas": Case(theory.levels_of_betas, {"betas": whole(1, 1, 1)}),
    "respaced": Case(
        lambda alpha, sigma: sum(theory.respaced(theory.NoiseLevel(alpha, sigma), 2)),
        {"alpha": whole(4, 3, 2), "sigma": whole(0, 1, 2)},
    ),
    "edm_levels": Case(
        lambda least, most, rho: theory.edm_levels(3, least, most, rho).sigma,
        {"least": whole(1)[0], "most": whole(4)[0], "rho": whole(2)[0]},
    ),
}
