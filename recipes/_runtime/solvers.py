"""Every solver of gameopt by name, each made from one number: its step size.

solver = SOLVERS["extragradient"](0.1)

The optimizers are made inside, so that a step size may be traced and many be tried by one `vmap`.
What else a solver has is at its published or default value; what differs is said beside it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax
from jax.tree_util import Partial

import gameopt as go
from gameopt import Players
from recipes._runtime.errors import UserError

Rate = float | jax.Array
Make = Callable[[Rate], go.AbstractSolver]

TIMESCALE = 4.0
"""Ratio of y's step size to x's for solvers made for a leader and a faster follower."""


def with_leaves(
    make: Callable[..., optax.GradientTransformation], *numbers: Rate
) -> optax.GradientTransformation:
    """`make(*numbers)`, whose numbers are its leaves instead of hidden in functions.

    So they may be traced, and a compiled function takes them as arguments; a tracer in a function
    that JAX's caches keep would outlive its trace.
    """
    return optax.GradientTransformation(
        Partial(_init, make, numbers), Partial(_update, make, numbers)
    )


def _init(make: Callable, numbers: tuple[Rate, ...], params: Any) -> Any:
    return make(*numbers).init(params)


def _update(
    make: Callable, numbers: tuple[Rate, ...], updates: Any, state: Any, params: Any = None
) -> Any:
    return make(*numbers).update(updates, state, params)


def sgd(rate: Rate) -> Players:
    """Plain gradient steps of both players."""
    return Players(with_leaves(optax.sgd, rate), with_leaves(optax.sgd, rate))


def faster_follower(rate: Rate) -> Players:
    """Plain gradient steps, of which y's have the step size `rate` and x's a fraction of it."""
    return Players(with_leaves(optax.sgd, rate / TIMESCALE), with_leaves(optax.sgd, rate))


def adam(rate: Rate) -> Players:
    """Adam as it is used for games: beta of 0.5 and 0.9."""
    make = lambda rate: optax.adam(rate, b1=0.5, b2=0.9)
    return Players(with_leaves(make, rate), with_leaves(make, rate))


def negative_momentum(rate: Rate) -> Players:
    """Heavy ball with a momentum of -1/2, as Gidel et al. (2019), arXiv:1807.04740."""
    make = lambda rate: optax.sgd(rate, momentum=-0.5)
    return Players(with_leaves(make, rate), with_leaves(make, rate))


FIRST_ORDER: dict[str, Make] = {
    "simultaneous": lambda rate: go.Simultaneous(sgd(rate)),
    "alternating": lambda rate: go.Alternating(sgd(rate)),
    "alternating_adam": lambda rate: go.Alternating(adam(rate)),
    "negative_momentum": lambda rate: go.Alternating(negative_momentum(rate)),
    "alex_gda": lambda rate: go.AlexGDA(rate),
    "extragradient": lambda rate: go.Extragradient(sgd(rate)),
    "extra_adam": lambda rate: go.Extragradient(adam(rate)),
    "two_timescale_extragradient": lambda rate: go.two_timescale_extragradient(rate, TIMESCALE),
    "anchored_extragradient": lambda rate: go.AnchoredExtragradient(rate),
    "past_extragradient": lambda rate: go.PastExtragradient(sgd(rate)),
    "optimistic": lambda rate: go.Optimistic(sgd(rate)),
    "optimistic_adam": lambda rate: go.Optimistic(adam(rate)),
    "lookahead_simultaneous": lambda rate: go.Lookahead(go.Simultaneous(sgd(rate))),
    "lookahead_alternating": lambda rate: go.Lookahead(go.Alternating(sgd(rate))),
    "averaged_alternating": lambda rate: go.Averaged(go.Alternating(sgd(rate))),
    "ema_alternating": lambda rate: go.Averaged(go.Alternating(sgd(rate)), decay=0.99),
}
"""They need gradients alone."""

SECOND_ORDER: dict[str, Make] = {
    # The regulariser of Qin et al. is a Hessian product.
    "ode_gan_heun": lambda rate: go.RungeKutta(rate, "heun", regularizer=0.01),
    "ode_gan_rk4": lambda rate: go.RungeKutta(rate, "rk4", regularizer=0.01),
    "unrolled": lambda rate: go.Unrolled(sgd(rate), steps=5, unroll_rate=rate),
    "sga": lambda rate: go.SGA(sgd(rate)),
    "consensus": lambda rate: go.Consensus(sgd(rate)),
    "hamiltonian": lambda rate: go.Hamiltonian(sgd(rate)),
    # The opponent is thought to take steps of the size that is taken.
    "look_ahead": lambda rate: go.LookAhead(rate, opponent_rate=rate),
    "lola": lambda rate: go.LOLA(rate, opponent_rate=rate),
    "sos": lambda rate: go.SOS(rate, opponent_rate=rate),
}
"""They need a fixed number of products with second derivatives a round."""

SOLVING: dict[str, Make] = {
    "lss": lambda rate: go.LSS(sgd(rate)),
    "cgd": lambda rate: go.CGD(rate),
    "acgd": lambda rate: go.ACGD(rate),
    "stackelberg": lambda rate: go.Stackelberg(faster_follower(rate)),
    "follow_the_ridge": lambda rate: go.FollowTheRidge(rate),
    "follow_the_ridge_double": lambda rate: go.FollowTheRidge(rate, variant="double"),
    # Two Newton steps instead of four: one is exact on affine games.
    "proximal_point": lambda rate: go.ProximalPoint(rate, newton_steps=2),
}
"""They solve a linear system a round, by conjugate gradients."""

SOLVERS: dict[str, Make] = {**FIRST_ORDER, **SECOND_ORDER, **SOLVING}
"""Every solver that plays any smooth game."""

FINITE_SUM_SOLVERS: dict[str, Make] = {"svre": lambda rate: go.SVRE(rate)}
"""Those that play finite sums alone, and need a key."""

solver_names: tuple[str, ...] = tuple(SOLVERS)


def check_names(flag: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Raise a `UserError` for the first name that is not known, or if there is none at all."""
    import difflib

    if not names:
        raise UserError(f"{flag} needs at least one name of: {', '.join(known)}.")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"perhaps you meant {near[0]}" if near else f"known are {', '.join(known)}"
            raise UserError(f"{flag} {name}: there is no such name; {hint}.")
