"""Solvers with a second number beside their step size, each by the number's name."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax

import gameopt as go
from recipes._runtime.solvers import sgd, with_leaves

Number = float | jax.Array


class Second(NamedTuple):
    """A second hyper-parameter.

    - `make`: from the step size and the number to a solver; traceable.
    - `low`, `high`: the range that is shown. `usual`: the value of the measured curve.
    - `label`: what it is, for an axis.
    """

    make: Callable[[Number, Number], go.AbstractSolver]
    low: float
    high: float
    usual: float
    label: str


def _momentum(rate: Number, beta: Number) -> go.Players:
    make = lambda rate, beta: optax.sgd(rate, momentum=beta)
    return go.Players(with_leaves(make, rate, beta), with_leaves(make, rate, beta))


def _timescale(rate: Number, ratio: Number) -> go.Players:
    return go.Players(with_leaves(optax.sgd, rate), with_leaves(optax.sgd, rate * ratio))


MOMENTUM = "momentum of both players"
RATIO = "step size of y over that of x"

SECOND: dict[str, dict[str, Second]] = {
    "simultaneous": {
        "momentum": Second(
            lambda eta, b: go.Simultaneous(_momentum(eta, b)), -0.9, 0.9, 0.0, MOMENTUM
        ),
        "timescale": Second(
            lambda eta, r: go.Simultaneous(_timescale(eta, r)), 0.1, 10.0, 1.0, RATIO
        ),
    },
    "alternating": {
        "momentum": Second(
            lambda eta, b: go.Alternating(_momentum(eta, b)), -0.9, 0.9, -0.5, MOMENTUM
        ),
        "timescale": Second(
            lambda eta, r: go.Alternating(_timescale(eta, r)), 0.1, 10.0, 1.0, RATIO
        ),
    },
    "extragradient": {
        "extrapolation": Second(
            lambda eta, g: go.Extragradient(sgd(eta), extrapolation=sgd(eta * g)),
            0.0,
            6.0,
            1.0,
            "step size of the look ahead over that of the update",
        ),
        "timescale": Second(
            lambda eta, r: go.Extragradient(_timescale(eta, r)), 0.1, 10.0, 1.0, RATIO
        ),
    },
    "optimistic": {
        "optimism": Second(
            lambda eta, o: go.Optimistic(sgd(eta), optimism=o), 0.0, 3.0, 1.0, "optimism o"
        ),
    },
    "alex_gda": {
        "extrapolation": Second(
            lambda eta, g: go.AlexGDA(eta, g, g), 0.0, 4.0, 1.5, "gamma = delta"
        ),
    },
    "lookahead_simultaneous": {
        "alpha": Second(
            lambda eta, a: go.Lookahead(go.Simultaneous(sgd(eta)), alpha=a),
            0.02,
            1.0,
            0.5,
            "alpha (k = 5 rounds)",
        ),
    },
    "lookahead_alternating": {
        "alpha": Second(
            lambda eta, a: go.Lookahead(go.Alternating(sgd(eta)), alpha=a),
            0.02,
            1.0,
            0.5,
            "alpha (k = 5 rounds)",
        ),
    },
    "ode_gan_rk4": {
        "regularizer": Second(
            lambda eta, w: go.RungeKutta(eta, regularizer=w),
            0.0,
            2.0,
            0.1,
            "weight of the gradient regulariser",
        ),
    },
    "unrolled": {
        "unroll_rate": Second(
            lambda eta, u: go.Unrolled(sgd(eta), unroll_rate=u),
            0.0,
            1.0,
            0.2,
            "step size of the imagined steps (K = 5)",
        ),
    },
    "consensus": {
        "strength": Second(
            lambda eta, w: go.Consensus(sgd(eta), w), 0.0, 3.0, 1.0, "strength gamma"
        ),
    },
    "sga": {
        "strength": Second(
            lambda eta, w: go.SGA(sgd(eta), w, align=False), 0.0, 3.0, 1.0, "strength lambda"
        ),
    },
    "cgd": {
        "timescale": Second(lambda eta, r: go.CGD(go.Players(eta, eta * r)), 0.1, 10.0, 1.0, RATIO),
    },
    "look_ahead": {
        "opponent_rate": Second(
            lambda eta, a: go.LookAhead(eta, a), 0.0, 2.0, 0.5, "the opponent's imagined step"
        ),
    },
    "lola": {
        "opponent_rate": Second(
            lambda eta, a: go.LOLA(eta, a), 0.0, 2.0, 0.5, "the opponent's imagined step"
        ),
    },
    "follow_the_ridge": {
        "timescale": Second(
            lambda eta, r: go.FollowTheRidge(go.Players(eta, eta * r)), 0.1, 10.0, 1.0, RATIO
        ),
    },
    "proximal_point": {
        "timescale": Second(
            lambda eta, r: go.ProximalPoint(go.Players(eta, eta * r)), 0.1, 10.0, 1.0, RATIO
        ),
    },
}
"""Solver by name, then hyper-parameter by name; the first is the default."""
