"""The part of the table of public functions that is about diffusion models."""

from typing import Any

import jax.numpy as jnp
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
ONE_PAIR = {key: value[0] for key, value in PAIR.items()}
NOISE = {key: AT[key] for key in ("alpha", "sigma")}
DECODED = {"x0": whole(1, 3, 2), "mean": whole(2, 0, 5), "variance": whole(2)[0]}
LINE_MIXTURE = {"weights": whole(1, 3), "means": whole(0, 5), "variances": whole(0, 2)}
RATES = {"d_alpha": whole(0)[0], "d_sigma": whole(1)[0]}
KINDS: Any = theory.PREDICTIONS


def _of_kind(function: Any, kind: str) -> Case:
    """A conversion of a kind of prediction, at one level."""
    call = lambda value, x, alpha, sigma: function(kind, value, x, theory.NoiseLevel(alpha, sigma))
    # Of the datum itself nothing is left to convert.
    quiet = ("x", "alpha", "sigma") if kind == "data" else ()
    return Case(call, AT, quiet=quiet, empty=False)


def _target(kind: theory.Prediction) -> Case:
    """The target of a kind of prediction, at one level."""
    call = lambda x, value, alpha, sigma: theory.prediction_target(
        kind, x, value, theory.NoiseLevel(alpha, sigma)
    )
    # Not of the other part of the sum, nor of the level where the kind is the same at all of them.
    quiet = {
        "data": ("value", "alpha", "sigma"),
        "noise": ("x", "alpha", "sigma"),
        "score": ("x", "alpha"),
        "flow": ("alpha", "sigma"),
    }
    return Case(call, AT, quiet=quiet.get(kind, ()), empty=False)


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
    grid = lambda: theory.NoiseLevel(jnp.asarray(GRID["alpha"]), jnp.asarray(GRID["sigma"]))
    sampler = lambda variances: theory.ddim_map(grid(), variances, 1)
    arrays = {"cov": GAUSSIAN["cov"], **({"mean": GAUSSIAN["mean"]} if leaf == 0 else {})}
    call = lambda cov, mean=GAUSSIAN["mean"], std=2: theory.sampler_law(sampler, mean, cov, std)[
        leaf
    ]
    return Case(call, {**arrays, "std": whole(2)[0]})


def _of_bound(chain_alpha, chain_sigma, mean, cov, gains, offsets, variances, prior):
    """All terms of the bound, added up, and the likelihood."""
    found = theory.gaussian_variational_bound(
        theory.NoiseLevel(chain_alpha, chain_sigma),
        mean,
        cov,
        theory.AffineDenoiser(gains, offsets),
        variances,
        prior,
    )
    return found.total + found.negative_log_likelihood


def _of_term(x0, denoised, variance=None, **pair):
    """One term of the bound."""
    return _of_pair(
        lambda cleaner, noisier: [theory.denoising_kl(x0, denoised, cleaner, noisier, variance)]
    )(**pair)


def _of_replacement(leaf: int) -> Case:
    """The law of inpainting: its mean, or its covariance, which no mean has part in."""

    def call(alpha, sigma, cov, mean=GAUSSIAN["mean"], observation=AT["x"]):
        levels = theory.NoiseLevel(alpha, sigma)
        known = [True, False, True]
        return theory.replacement_law(levels, mean, cov, observation, known, resamplings=2)[leaf]

    arrays = {"alpha": GRID["alpha"], "sigma": GRID["sigma"], "cov": GAUSSIAN["cov"]}
    more = {"mean": GAUSSIAN["mean"], "observation": AT["x"]} if leaf == 0 else {}
    return Case(call, {**arrays, **more})


def _of_velocity(function: Any) -> Case:
    def call(value, x, alpha, sigma, d_alpha, d_sigma):
        level, rate = theory.NoiseLevel(alpha, sigma), theory.NoiseLevel(d_alpha, d_sigma)
        return function(value, x, level, rate)

    return Case(call, {**AT, **RATES}, empty=False)


DIFFUSION_CASES: dict[str, Case] = {
    **{f"denoised_from[{kind}]": _of_kind(theory.denoised_from, kind) for kind in KINDS},
    **{f"prediction_from[{kind}]": _of_kind(theory.prediction_from, kind) for kind in KINDS},
    **{f"prediction_target[{kind}]": _target(kind) for kind in KINDS},
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
    "heun_map[churn]": _of_grid(theory.heun_map, churn=1, churn_to=2),
    "dpm_solver_map": _of_grid(theory.dpm_solver_map),
    "probability_flow_map": _of_grid(theory.probability_flow_map),
    "reverse_sde_map": _of_grid(theory.reverse_sde_map),
    "euler_map": _of_times(theory.euler_map),
    "euler_maruyama_map": _of_times(theory.euler_maruyama_map),
    "sampler_law": _of_law(0),
    "sampler_law[covariance]": _of_law(1),
    "best_affine_denoiser": Case(
        lambda alpha, sigma, mean, cov: (
            theory.best_affine_denoiser(theory.NoiseLevel(alpha, sigma), mean, cov).offset
        ),
        {**NOISE, **GAUSSIAN},
    ),
    "affine_denoiser_error": Case(
        lambda gain, offset, alpha, sigma, mean, cov: theory.affine_denoiser_error(
            theory.AffineDenoiser(gain, offset), theory.NoiseLevel(alpha, sigma), mean, cov
        ),
        {**NOISE, **GAUSSIAN, "gain": np.diag([1, 0, 2]), "offset": whole(1, 0, 1)},
    ),
    **{
        function.__name__: Case(
            lambda alpha, sigma, cov, function=function: function(
                theory.NoiseLevel(alpha, sigma), cov
            ),
            {**NOISE, "cov": GAUSSIAN["cov"]},
        )
        for function in (theory.gaussian_mmse, theory.gaussian_information)
    },
    "mixture_mmse": Case(
        lambda alpha, sigma, **law: theory.mixture_mmse(theory.NoiseLevel(alpha, sigma), **law),
        {**NOISE, **LINE_MIXTURE},
    ),
    "gaussian_guidance": _at_level(
        lambda x, level, mean, cov, operator, noise, observation: theory.gaussian_guidance(
            x, level, mean, cov, operator, noise, observation
        ),
        {
            **GAUSSIAN,
            "operator": whole((1, 2, 0), (0, 1, 1)),
            "noise": whole(2)[0],
            "observation": whole(3, 0),
        },
    ),
    "replacement_law": _of_replacement(0),
    "replacement_law[covariance]": _of_replacement(1),
    "replacement_limit": Case(theory.replacement_limit, {"correlation": whole(0)[0]}),
    "prior_kl": Case(
        lambda x0, alpha, sigma, prior: theory.prior_kl(x0, theory.NoiseLevel(alpha, sigma), prior),
        {"x0": DECODED["x0"], **NOISE, "prior": whole(2)[0]},
    ),
    "denoising_kl": Case(_of_term, {"x0": DECODED["x0"], "denoised": DECODED["mean"], **ONE_PAIR}),
    "denoising_kl[variance]": Case(
        _of_term,
        {
            "x0": DECODED["x0"],
            "denoised": DECODED["mean"],
            "variance": DECODED["variance"],
            **ONE_PAIR,
        },
    ),
    "gaussian_reconstruction": Case(theory.gaussian_reconstruction, DECODED),
    "discretised_reconstruction": Case(
        lambda x0, mean, variance: theory.discretised_reconstruction(
            x0, mean, variance, bins=6, low=0, high=5
        ),
        DECODED,
    ),
    "bits_per_dimension": Case(
        lambda nats, bin_width: theory.bits_per_dimension(nats, 3, bin_width),
        {"nats": whole(6, 9), "bin_width": whole(2)[0]},
        empty=False,
    ),
    "gaussian_variational_bound": Case(
        _of_bound,
        {
            "chain_alpha": whole(3, 2, 1),
            "chain_sigma": whole(0, 1, 2),
            **GAUSSIAN,
            "gains": np.stack([np.eye(3, dtype=np.int64)] * 2),
            "offsets": whole((1, 0, 2), (0, 1, 1)),
            "variances": whole(1, 2),
            "prior": whole(3)[0],
        },
    ),
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
