"""The public functions of gameopt in one table: a new one joins by one line.

What is tested of all of them is in `test_corners.py`. The functions of a game and its players are
`ANALYSES`; the solvers are in `tests/solvers.py`; the others are `OF_PATHS`, `OF_CRITICS`,
`OF_SCORES` and `SETS`. What is in none of them is exempt, with a reason.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

import gameopt as go
from tests.solvers import ALL_SOLVERS, both

ALTERNATING = ALL_SOLVERS["alternating"](0.1)
SGD = lambda eta: go.Simultaneous(both(optax.sgd, eta))
SGD_PAIR = lambda eta, tau: go.Simultaneous(both(optax.sgd, eta, eta * tau))
FAST = go.Integrator(rtol=1e-3, atol=1e-3, max_steps=64)


def value(x, y):
    """Strongly convex-concave in the entry `w` near its equilibrium 0, and not quadratic."""
    x, y = x["w"], y["w"]
    return jnp.sum(x**2 + x * y - y**2) + 0.1 * jnp.sum(x**4 - x**2 * y**2 - y**4)


def _ahead(z):
    """Other played leaves of the same kind, to be a direction or an end."""
    is_float = lambda a: isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jnp.floating)
    return jax.tree.map(lambda a: a + 1 if is_float(a) else a, z)


def _starts(z):
    with jax.transfer_guard("allow"), jax.debug_key_reuse(False):
        return jax.tree.map(lambda a: jnp.stack([a, a]) if isinstance(a, jax.Array) else a, z)


Analysis = Callable[[go.AbstractGame, go.Players, Any], Any]

ANALYSES: dict[str, Analysis] = {
    "field": lambda game, z, key: go.field(game, z, key),
    "losses_and_field": lambda game, z, key: go.losses_and_field(game, z, key),
    "jvp": lambda game, z, key: go.jvp(game, z, z, key),
    "vjp": lambda game, z, key: go.vjp(game, z, z, key),
    "jacobian": lambda game, z, key: (go.jacobian(game, z, key), go.stationarity(game, z, key)),
    "hessian_x": lambda game, z, key: (go.hessian_x(game, z, key), go.stationarity(game, z, key)),
    "hessian_y": lambda game, z, key: (go.hessian_y(game, z, key), go.stationarity(game, z, key)),
    "stationarity": lambda game, z, key: go.stationarity(game, z, key),
    "loss_gradient": lambda game, z, key: go.loss_gradient(game, z, "y", "x", key),
    "hessian_product": lambda game, z, key: go.hessian_product(
        game, z, "x", "x", "y", getattr(z, "y", z), key
    ),
    "classify": lambda game, z, key: go.classify(game, z, key),
    "classify (krylov)": lambda game, z, key: go.classify(game, z, key, method="krylov"),
    "spectrum": lambda game, z, key: (go.spectrum(game, z, key), go.stationarity(game, z, key)),
    "spectral_density": lambda game, z, key: go.spectral_density(
        game, z, key, which="symmetric", num_probes=2, num_matvecs=2, points=5
    ),
    "rotation": lambda game, z, key: go.rotation(game, z, key),
    "local_rate": lambda game, z, key: go.local_rate(game, SGD(0.1), z, key),
    "local_rate (krylov)": lambda game, z, key: go.local_rate(
        game, SGD(0.1), z, key, method="krylov"
    ),
    "local_rates": lambda game, z, key: go.local_rates(game, SGD, z, [0.1, 0.2], key=key),
    "rate_map": lambda game, z, key: go.rate_map(game, SGD_PAIR, z, [0.1, 0.2], [1.0, 2.0], key),
    "safe_step": lambda game, z, key: go.safe_step(game, SGD, z, key),
    "modal_lookahead": lambda game, z, key: go.modal_lookahead(game, SGD(0.1), z, key).alpha,
    "exploitability": lambda game, z, key: go.exploitability(game, z, key, steps=3),
    "duality_gap": lambda game, z, key: go.duality_gap(game, z, key, steps=3),
    "find_critical_points": lambda game, z, key: go.find_critical_points(
        game, _starts(z), key, max_rounds=3
    ),
    "flow": lambda game, z, key: go.flow(game, z, 1.0, key, integrator=FAST),
    "modified_field": lambda game, z, key: go.modified_field(game, z, key, learning_rate=0.1),
    "modified_flow": lambda game, z, key: go.modified_flow(
        game, z, 2, key, learning_rate=0.1, integrator=FAST
    ),
    "high_resolution_flow": lambda game, z, key: go.high_resolution_flow(
        game, z, 2, key, solver="optimistic", learning_rate=0.1, integrator=FAST
    ),
    "overlay": lambda game, z, key: go.overlay(game, z, 2, key, learning_rate=0.1, integrator=FAST),
    "path_angle": lambda game, z, key: go.path_angle(game, z, go_to(z), key),
    "rollout": lambda game, z, key: go.rollout(game, ALTERNATING, z, 3, key=key),
    "solve": lambda game, z, key: go.solve(
        game, ALTERNATING, z, key=key, max_rounds=3, throw=False
    ),
}
"""Each: `(game, players, key) -> result`, on games of strategies like those of `value`."""

DEFINED_IN = {name: getattr(go, name.split(" ")[0]).__module__ for name in ANALYSES}


def go_to(z: go.Players) -> go.Players:
    """Another point of the same structure; made where implicit transfers are allowed."""
    with jax.transfer_guard("allow"):
        return _ahead(z)


OF_PATHS: dict[str, Callable[[jax.Array], Any]] = {
    "limit_cycle": lambda path: go.limit_cycle(path[:, None]),
    "measured_rate": go.measured_rate,
    "distances": lambda path: go.distances(go.Players(path, path), go.Players(path[0], path[0])),
    "ergodic_averages": go.ergodic_averages,
}
"""Each: of a recorded path of one number, shape `(t,)`."""

KEY = jax.random.key
CRITIC = lambda x: jnp.sum(jnp.tanh(x) ** 2)

OF_CRITICS: dict[str, Callable[[Callable, jax.Array], Any]] = {
    "critic_scores": go.critic_scores,
    "generated": lambda critic, points: go.generated(lambda x: 2 * x, points),
    "squared_gradient_norms": go.squared_gradient_norms,
    "gradient_norms": go.gradient_norms,
    "gradient_penalty": go.gradient_penalty,
    "gradient_penalty (one sided)": lambda critic, points: go.gradient_penalty(
        critic, points, 1.0, True
    ),
    "GradientPenalty": lambda critic, points: go.GradientPenalty()(
        critic, points, points + 1, KEY(0)
    ),
    "GradientPenalty (around)": lambda critic, points: go.GradientPenalty(where="around")(
        critic, points, points + 1, KEY(0)
    ),
    "Penalties": lambda critic, points: go.Penalties((go.GradientPenalty(target=0),) * 2)(
        critic, points, points + 1, KEY(0)
    ),
    "ConsistencyPenalty": lambda critic, points: go.ConsistencyPenalty(lambda key, x: x / 2)(
        critic, points, points, KEY(0)
    ),
    "LeCamPenalty": lambda critic, points: go.LeCamPenalty(1.0)(critic, points, points, KEY(0)),
    "OrthogonalPenalty": lambda critic, points: go.OrthogonalPenalty(1.0)(points),
    "lipschitz_lower_bound": lambda critic, points: go.lipschitz_lower_bound(
        lambda x: critic(x)[None], points
    ),
    "interpolates": lambda critic, points: go.interpolates(points, points, KEY(0)),
    "surroundings": lambda critic, points: go.surroundings(points, 0.5, KEY(0)),
    "augmented": lambda critic, points: go.augmented(lambda key, x: x / 2, points, KEY(0)),
    "reconstruction_error": lambda critic, points: go.reconstruction_error(
        go.Conditioned(points, points), go.Conditioned(points + 1, points)
    ),
}
"""Each: of a critic and points of shape `(n, d)`, differentiable by the points' dtype's numbers."""

OF_SCORES: dict[str, Callable[[jax.Array, jax.Array], Any]] = {
    "minimax_value": go.minimax_value,
    "hinge_value": go.hinge_value,
    "wasserstein_value": go.wasserstein_value,
    "relativistic_value": go.relativistic_value,
    "least_squares_value": lambda real, fake: go.least_squares_value(real, fake, 1.0, 0.0),
    "least_squares_generator_loss": lambda real, fake: go.least_squares_generator_loss(fake, 1.0),
    "non_saturating_generator_loss": lambda real, fake: go.non_saturating_generator_loss(fake),
    **{
        f"relativistic_average_value ({name})": lambda real, fake, name=name: (
            go.relativistic_average_value(real, fake, name)
        )
        for name in go.RELATIVISTIC_AVERAGE_LOSSES
    },
    **{
        f"f_gan_value ({name})": lambda real, fake, name=name: go.f_gan_value(name, real, fake)
        for name in go.FGAN_DUALS
    },
}
"""Each: of scores of data and of generated points, shapes `(n,)`."""

SETS: dict[str, Callable] = {
    "Box": go.Box(-1.0, 1.0),
    "clip_weights": go.clip_weights(1.0),
    "Simplex": go.Simplex(),
    "Ball (l1)": go.Ball(1.0, "l1"),
    "Ball (l2)": go.Ball(1.0, "l2"),
    "Ball (linf)": go.Ball(1.0, "linf"),
}
"""Each: a projection of a vector."""

_REASONS: dict[str, str] = {
    "a game: its losses are played by the tests of its own formula": (
        "Bilinear Quadratic ZeroSumQuadratic MatrixGame IteratedGame DiracGAN LinearQuadratic "
        "ZeroSumLinearQuadratic StochasticBilinear OnePlayerGame IdenticalInterestGame "
        "ToyGame ZeroSumToyGame MinimaxGAN "
        "NonSaturatingGAN WassersteinGAN HingeGAN LeastSquaresGAN RelativisticGAN "
        "RelativisticAverageGAN FGAN"
    ),
    "makes a game, a solver or an optimizer of its arguments, and computes nothing": (
        "matching_pennies rock_paper_scissors iterated_prisoners_dilemma iterated_matching_pennies "
        "constrained over game_from_losses zero_sum_game one_player_game identical_interest_game "
        "descent two_timescale_extragradient projected"
    ),
    "abstract": (
        "AbstractGame ZeroSumGame AbstractFiniteSumGame AbstractGAN AbstractSolver AbstractSet "
        "Penalty"
    ),
    "holds data, and computes nothing": (
        "Players Fixed Known Optimizers Conditioned CriticalPoint PlanarPoint "
        "Batch Moment RoundInfo Rollout Solution "
        "Stats Gap LimitCycle LocalRate Flow MeasuredRate Overlay PathAngle Rotation SafeStep "
        "SpectralDensity Spectrum FoundPoints EquilibriumReport Curvature Leftmost FGANDual "
        "Integrator Samples NormalLatent Key value_of playable record_info record_players"
    ),
    "an enumeration: test_verdicts.py": "VERDICT RESULTS MOTIONS is_yes is_no",
    "of networks: test_lipschitz.py": "lipschitz_upper_bound product_of_bounds",
    "of critics with class logits: test_gan_terms.py": "class_cross_entropy",
    "its NaN and its gradients are in test_corner_numbers.py": "solve_linear tree_norm",
    "parts of a solver: solvers/test_outside_solver.py": "descend init_optimizers round_info",
    "a solver around a solver and an update: test_fixed.py": "Carrying",
    "its answers are those of one game: solvers/test_best_answers.py": "BestAnswers Answer",
}

EXEMPT = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""Public callables that are in no table, and why."""


def table_names() -> set[str]:
    """The public names that a table tests, without what stands in brackets."""
    tables = (ANALYSES, OF_PATHS, OF_CRITICS, OF_SCORES, SETS)
    names = {name.split(" ")[0] for table in tables for name in table}
    return names | {type(make(0.1)).__name__ for make in ALL_SOLVERS.values()} | {"Anchored"}
