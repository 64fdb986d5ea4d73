"""Where lectures on generative models simplify: the statement as it holds, and a counterexample."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory

LATENT = theory.quadrature(-9, 9, 200)
NORMAL = theory.Normal()


def test_a_game_of_parameters_need_not_have_an_equilibrium():
    """V = (x - y)^2 on [-1, 1]^2: the lower value is 0, the upper one 1, so that no pair has both.

    x wants to be where y is, y away from x: wherever they are, one of them moves. Nash's theorem is
    about mixed strategies, and the existence for GANs about all densities and all functions D.
    """
    places = jnp.linspace(-1, 1, 201)
    value = (places[:, None] - places[None, :]) ** 2
    np.testing.assert_allclose(jnp.min(jnp.max(value, axis=1)), 1)
    np.testing.assert_allclose(jnp.max(jnp.min(value, axis=0)), 0)
    best_x, best_y = jnp.argmin(value, axis=0), jnp.argmax(value, axis=1)
    assert not jnp.any(best_y[best_x] == jnp.arange(201))


def test_differential_nash_is_sufficient_and_not_necessary():
    """x^4 - y^4 and xy have Nash equilibria at 0, whose Hessians are not definite."""
    for value in (lambda x, y: x**4 - y**4, lambda x, y: x * y):
        game, origin = go.zero_sum_game(value), go.Players(jnp.zeros(()), jnp.zeros(()))
        assert go.classify(game, origin).dne != go.VERDICT.yes
        away = jnp.linspace(-1, 1, 21)
        assert jnp.all(value(away, 0.0) >= value(0.0, 0.0))
        assert jnp.all(value(0.0, away) <= value(0.0, 0.0))


def log_densities(shift):
    nodes = theory.quadrature(-12, 15, 400)
    return NORMAL.log_prob(nodes.nodes), theory.Normal(shift).log_prob(nodes.nodes), nodes.weights


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_the_optimal_discriminator_is_a_maximum(shift):
    """Its first variation is 0 and its second negative: the value is greatest there, not least."""
    log_p, log_q, weights = log_densities(shift)
    best = theory.optimal_discriminator(log_p, log_q)
    direction = jnp.sin(jnp.arange(best.size)) * best * (1 - best)
    slope = theory.first_variation(log_p, log_q, best, direction, weights)
    np.testing.assert_allclose(slope, 0, atol=1e-12)
    assert theory.second_variation(log_p, log_q, best, direction, weights) < 0


def test_the_value_at_the_optimal_discriminator_is_at_least_minus_log_4():
    """C(G) = max_D V(D, G) is -log 4 for p_g = p_d and larger for every other generator."""
    values = [
        theory.value_at_optimal_discriminator(*log_densities(s)) for s in (0.0, 0.1, 1.0, 3.0)
    ]
    np.testing.assert_allclose(values[0], -np.log(4), rtol=1e-12)
    assert all(later > before + 1e-4 for before, later in itertools.pairwise(values))


def test_it_is_log_d_that_does_not_saturate_and_not_d():
    """Gradients in the shift of the generator, D fixed at the optimum: of E D(g) and of E log D(g).

    Far from the data the first vanishes as the minimax loss does, by D(1 - D); the second grows as
    the distance does.
    """

    def slopes(shift):
        logit = lambda x: NORMAL.log_prob(x) - theory.Normal(shift).log_prob(x)
        mass = LATENT.weights * jnp.exp(NORMAL.log_prob(LATENT.nodes))
        mean = lambda f: jax.grad(lambda s: jnp.sum(mass * jax.vmap(f)(s + LATENT.nodes)))(shift)
        return mean(lambda x: jax.nn.sigmoid(logit(x))), mean(
            lambda x: jax.nn.log_sigmoid(logit(x))
        )

    near, far = slopes(jnp.asarray(1.0)), slopes(jnp.asarray(10.0))
    assert abs(far[0]) < 1e-4 * abs(near[0])
    assert abs(far[1]) > 5 * abs(near[1])


def test_the_work_of_moving_dirt_is_mass_times_distance():
    """One unit over two places and two units over one are the same work, in one move each."""
    for source, target in (([1, 0, 0], [0, 0, 1]), ([2, 0, 0], [0, 2, 0])):
        (move,) = theory.piles_of_dirt(source, target)
        assert move.mass * move.distance == 2


def test_lipschitz_means_one_constant_for_all_pairs():
    """x^2 has slopes everywhere and no constant: its steepest chord grows with the interval."""
    for reach in (1.0, 10.0, 100.0):
        points = jnp.linspace(-reach, reach, 101)
        steepest = theory.quotient_lower_bound(points**2, points)
        np.testing.assert_allclose(steepest, 2 * reach, rtol=0.02)
        np.testing.assert_allclose(
            theory.quotient_lower_bound(jnp.sin(points), points), 1, atol=0.3
        )


def test_kl_is_not_negative_and_0_for_equal_laws_only():
    """KL >= 0, with equality: an evidence lower bound can be tight."""
    p, q = jnp.array([0.2, 0.3, 0.5]), jnp.array([0.2, 0.31, 0.49])
    assert theory.kl_discrete(p, p) == 0
    assert 0 < theory.kl_discrete(p, q) < 1e-3


def test_minimising_over_weights_is_not_convex_even_for_one_hidden_unit():
    """(vw - 1)^2 in the two weights of a linear network: a saddle at 0, between minima."""
    loss = lambda weights: (weights[0] * weights[1] - 1.0) ** 2
    eigenvalues = jnp.linalg.eigvalsh(jax.hessian(loss)(jnp.zeros(2)))
    assert eigenvalues[0] < 0 < eigenvalues[1]


def test_a_loss_need_not_say_how_good_the_generator_is():
    """On xy, x the generator's error, players who take turns circle: value and |x| both go up and
    down, and do not correlate."""
    solver = go.Alternating(go.Players(optax.sgd(0.1), optax.sgd(0.1)))
    start = go.Players(jnp.asarray(1.0), jnp.asarray(0.0))
    game = go.zero_sum_game(lambda x, y: x * y)
    path = go.rollout(
        game, solver, start, rounds=5000, record=lambda moment: moment.players
    ).records
    value, error = path.x * path.y, jnp.abs(path.x)
    assert abs(np.corrcoef(value, error)[0, 1]) < 0.05
    assert jnp.std(error) > 0.3


def test_a_discriminator_of_finite_capacity_can_be_at_its_optimum_before_the_generator_is():
    """Linear critics see means alone: two laws of one mean are equal to them, and are W1 apart."""
    narrow, wide = jnp.linspace(-1, 1, 101), jnp.linspace(-3, 3, 101)
    critic = theory.lipschitz_linear_critic((jnp.mean(narrow) - jnp.mean(wide))[None])
    np.testing.assert_allclose(critic.estimate, 0, atol=1e-12)
    np.testing.assert_allclose(theory.wasserstein_1d(narrow, wide), 1.0, rtol=0.02)


def test_one_hot_codes_let_a_linear_layer_give_each_class_what_it_wants():
    """Any table of outputs by class is linear in one-hot codes; in the class's number a line is.

    Of outputs 1, 0, 1 for classes 0, 1, 2 the best line is constant, 2/3, with a mean squared error
    of 2/9.
    """
    wanted = jnp.array([1.0, 0.0, 1.0])
    number = jnp.stack([jnp.ones(3), jnp.arange(3.0)], axis=1)
    for code, error in ((jax.nn.one_hot(jnp.arange(3), 3, dtype=float), 0.0), (number, 2 / 9)):
        weights = jnp.linalg.lstsq(code, wanted)[0]
        np.testing.assert_allclose(jnp.mean((code @ weights - wanted) ** 2), error, atol=1e-12)
