"""The part of the table of public functions that is about diffusion models."""

from typing import Any

import theory
from tests.theory.case import Case, whole

AT = {"value": whole(1, 3, 2), "x": whole(2, 0, 5), "alpha": whole(3)[0], "sigma": whole(2)[0]}
RATES = {"d_alpha": whole(0)[0], "d_sigma": whole(1)[0]}
KINDS: Any = theory.PREDICTIONS


def _of_kind(function: Any, kind: str) -> Case:
    """A conversion of a kind of prediction, at one level."""
    call = lambda value, x, alpha, sigma: function(kind, value, x, theory.NoiseLevel(alpha, sigma))
    # Of the datum itself nothing is left to convert.
    quiet = ("x", "alpha", "sigma") if kind == "data" else ()
    return Case(call, AT, quiet=quiet, empty=False)


def _target(kind: str) -> Case:
    """What a prediction of a kind is trained on, at one level."""
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
    "linear_betas": Case(
        lambda first, last: theory.linear_betas(3, first, last),
        {"first": whole(1)[0], "last": whole(2)[0]},
        degree=1,
    ),
    "cosine_betas": Case(
        lambda offset, most: theory.cosine_betas(3, offset, most),
        {"offset": whole(1)[0], "most": whole(1)[0]},
    ),
    "levels_of_betas": Case(theory.levels_of_betas, {"betas": whole(0, 0, 0)}),
    "respaced": Case(
        lambda alpha, sigma: theory.respaced(theory.NoiseLevel(alpha, sigma), 2),
        {"alpha": whole(4, 3, 2), "sigma": whole(0, 1, 2)},
    ),
    "edm_levels": Case(
        lambda least, most, rho: theory.edm_levels(3, least, most, rho),
        {"least": whole(1)[0], "most": whole(4)[0], "rho": whole(2)[0]},
    ),
}
