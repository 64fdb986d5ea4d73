"""Every loss of every GAN, exact for logits of any size, in three precisions and for any batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go

LOGITS = np.array([-1e4, -50, -1, 0, 1, 50, 1e4])
PAIRS = np.stack([axis.ravel() for axis in np.meshgrid(LOGITS, LOGITS)])
KEY = jax.random.key(0)

exp, relu, ramp = np.exp, lambda t: np.maximum(t, 0), lambda t: (t > 0) * np.longdouble(1)
softplus = lambda t: relu(t) + np.log1p(exp(-np.abs(t)))
sigmoid = lambda t: exp(-softplus(-t))
tanh, sech = np.tanh, lambda t: 1 / np.cosh(t)
HALF_LOG_2 = np.log(np.longdouble(2)) / 2
only_fake = lambda loss: lambda real, fake: loss(fake)

LOSSES = (
    {
        "minimax": go.minimax_value,
        "non_saturating": only_fake(go.non_saturating_generator_loss),
        "least_squares": lambda real, fake: go.least_squares_value(real, fake, 1.0, 0.0),
        "least_squares_generator": only_fake(
            lambda fake: go.least_squares_generator_loss(fake, 1.0)
        ),
        "hinge": go.hinge_value,
        "wasserstein": go.wasserstein_value,
        "relativistic": go.relativistic_value,
    }
    | {
        f"average_{loss}": functools.partial(go.relativistic_average_value, loss=loss)
        for loss in go.RELATIVISTIC_AVERAGE_LOSSES
    }
    | {f"f_gan_{name}": functools.partial(go.f_gan_value, name) for name in go.FGAN_DUALS}
)

TERMS = {
    "minimax": lambda r, f: [-softplus(-r), -softplus(f)],
    "non_saturating": lambda r, f: [softplus(-f)],
    "least_squares": lambda r, f: [-((r - 1) ** 2) / 2, -(f**2) / 2],
    "least_squares_generator": lambda r, f: [(f - 1) ** 2 / 2],
    "hinge": lambda r, f: [-relu(1 - r), -relu(1 + f)],
    "wasserstein": lambda r, f: [r, -f],
    "relativistic": lambda r, f: [-softplus(f - r)],
    "average_logistic": lambda r, f: [-2 * softplus(f - r)],
    "average_least_squares": lambda r, f: [-2 * (r - f - 1) ** 2],
    "average_hinge": lambda r, f: [-2 * relu(1 - r + f)],
    "f_gan_kl": lambda r, f: [r, -exp(f - 1)],
    "f_gan_reverse_kl": lambda r, f: [-exp(-r), -f, np.ones_like(f)],
    "f_gan_js": lambda r, f: [HALF_LOG_2, -softplus(-r) / 2, -softplus(f) / 2, HALF_LOG_2],
    "f_gan_gan": lambda r, f: [-softplus(-r), -softplus(f)],
    "f_gan_squared_hellinger": lambda r, f: [1, -exp(-r) / 2, -exp(f) / 2],
    "f_gan_pearson": lambda r, f: [r, -f, -(f**2) / 4],
    "f_gan_neyman": lambda r, f: [-1, -exp(-r), 2 * exp(-f / 2)],
    "f_gan_tv": lambda r, f: [tanh(r) / 2, -tanh(f) / 2],
}
"""Of scores that are all r on data and all f on generated points: what each loss is a sum of."""

SLOPES = {
    "minimax": lambda r, f: (sigmoid(-r), -sigmoid(f)),
    "non_saturating": lambda r, f: (0 * r, -sigmoid(-f)),
    "least_squares": lambda r, f: (1 - r, -f),
    "least_squares_generator": lambda r, f: (0 * r, f - 1),
    "hinge": lambda r, f: (ramp(1 - r), -ramp(1 + f)),
    "wasserstein": lambda r, f: (r**0, -(f**0)),
    "relativistic": lambda r, f: (sigmoid(f - r), -sigmoid(f - r)),
    "average_logistic": lambda r, f: (2 * sigmoid(f - r), -2 * sigmoid(f - r)),
    "average_least_squares": lambda r, f: (4 * (1 - r + f), -4 * (1 - r + f)),
    "average_hinge": lambda r, f: (2 * ramp(1 - r + f), -2 * ramp(1 - r + f)),
    "f_gan_kl": lambda r, f: (r**0, -exp(f - 1)),
    "f_gan_reverse_kl": lambda r, f: (exp(-r), -(f**0)),
    "f_gan_js": lambda r, f: (sigmoid(-r) / 2, -sigmoid(f) / 2),
    "f_gan_gan": lambda r, f: (sigmoid(-r), -sigmoid(f)),
    "f_gan_squared_hellinger": lambda r, f: (exp(-r) / 2, -exp(f) / 2),
    "f_gan_pearson": lambda r, f: (r**0, -1 - f / 2),
    "f_gan_neyman": lambda r, f: (exp(-r), -exp(-f / 2)),
    "f_gan_tv": lambda r, f: (sech(r) ** 2 / 2, -(sech(f) ** 2) / 2),
}
"""The derivatives by r and by f, written by hand."""

each_loss = pytest.mark.parametrize("name", LOSSES)


@functools.cache
def measured(dtype, n):
    """Values and slopes of all losses at all pairs of logits, in one compiled program."""
    fill = lambda logit: jnp.broadcast_to(logit, (n,))

    @jax.jit
    @jax.vmap
    def evaluate(r, f):
        at = lambda loss: jax.value_and_grad(lambda r, f: loss(fill(r), fill(f)), (0, 1))(r, f)
        return {name: at(loss) for name, loss in LOSSES.items()}

    outs = evaluate(*jnp.asarray(PAIRS, dtype))
    assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(outs))
    return jax.tree.map(lambda leaf: np.asarray(leaf.astype(jnp.float64)), outs)


@each_loss
@pytest.mark.parametrize("n", [1, 64])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_values_and_slopes_are_exact_for_logits_of_any_size(name, dtype, n):
    """Against closed forms in extended precision, at all pairs of 0, +-1, +-50 and +-10^4.

    Errors of 8 roundings, of the value's largest term: what a sum of terms may lose. The logits
    are those that the dtype has. What is too large for the dtype is infinite, which only
    exponential duals are, at 10^4; what is too small for it is 0.
    """
    limits = jnp.finfo(dtype)
    eps, tiny, largest = float(limits.eps), float(limits.tiny), float(limits.max)
    r, f = np.asarray(jnp.asarray(PAIRS, dtype).astype(jnp.float64)).astype(np.longdouble)
    value, slopes = measured(dtype, n)[name]
    terms = np.stack(np.broadcast_arrays(*TERMS[name](r, f), r)[:-1])
    scale = np.abs(terms).max(axis=0)
    fits = scale < largest
    assert fits[(np.abs(PAIRS) <= 50).all(axis=0)].all()
    assert fits.all() or name.startswith("f_gan")
    error = np.abs(value[fits] - terms.sum(axis=0)[fits])
    assert (error <= 8 * eps * scale[fits] + tiny).all()
    assert not np.isfinite(value[~fits]).any()
    for slope, exact in zip(slopes, SLOPES[name](r, f), strict=True):
        fits = np.abs(exact) < largest
        error = np.abs(slope[fits] - exact[fits])
        assert (error <= 8 * eps * np.abs(exact[fits]) + tiny).all()


@each_loss
def test_a_batch_repeated_twice_has_the_same_loss(name):
    """A mean and no sum, of pairs and of relative scores too: values to 1e-13, slopes halved."""
    real, fake = jax.random.normal(KEY, (2, 5))
    loss = jax.value_and_grad(LOSSES[name], (0, 1))
    value, slopes = loss(real, fake)
    twice, halves = loss(jnp.tile(real, 2), jnp.tile(fake, 2))
    np.testing.assert_allclose(twice, value, rtol=1e-13)
    for whole, half in zip(slopes, halves, strict=True):
        np.testing.assert_allclose(half, jnp.tile(whole, 2) / 2, rtol=1e-12, atol=1e-16)


SIDES = {
    "logistic": (lambda t: sigmoid(-t), lambda t: -sigmoid(t)),
    "least_squares": (lambda t: -2 * (t - 1), lambda t: -2 * (t + 1)),
    "hinge": (lambda t: ramp(1 - t), lambda t: -ramp(1 + t)),
}
"""The slopes g', h' of V = E g(real) + E h(fake)."""


@pytest.mark.parametrize("name", SIDES)
def test_relative_scores_have_the_slopes_of_both_means(name):
    """V = E g(r - E f) + E h(f - E r): dV/dr_i = (g'(r_i - E f) - E h'(f - E r)) / n, and so on.

    Batches of different sizes, all scores different. The generator's loss has them exchanged.
    """
    real, fake = jax.random.normal(KEY, (7,)), 1 + jax.random.normal(jax.random.key(1), (4,))
    slopes = jax.grad(go.relativistic_average_value, (0, 1))(real, fake, name)
    r, f = np.asarray(real), np.asarray(fake)
    g, h = (side(t) for side, t in zip(SIDES[name], (r - f.mean(), f - r.mean()), strict=True))
    np.testing.assert_allclose(slopes[0], (g - h.mean()) / 7, rtol=1e-13)
    np.testing.assert_allclose(slopes[1], (h - g.mean()) / 4, rtol=1e-13)
    game = go.RelativisticAverageGAN(go.NormalLatent((1,)), go.NormalLatent((1,)), 4, loss=name)
    np.testing.assert_allclose(
        game.generator_loss(real[:4], fake), -go.relativistic_average_value(fake, real[:4], name)
    )


def test_relativistic_pairs_are_judged_row_by_row():
    """Both losses against their formulas; a constant added to the critic changes neither."""
    real, fake = jax.random.normal(KEY, (2, 6))
    game = go.RelativisticGAN(go.NormalLatent((1,)), go.NormalLatent((1,)), 6)
    for shift in (0.0, 3.0):
        scores = real + shift, fake + shift
        gaps = np.asarray(real - fake)
        np.testing.assert_allclose(-game.score_value(*scores), softplus(-gaps).mean(), rtol=1e-14)
        np.testing.assert_allclose(game.generator_loss(*scores), softplus(gaps).mean(), rtol=1e-14)


def test_what_cannot_be_compared_is_refused():
    """Pairs that are none, and a loss that is not known."""
    with pytest.raises(ValueError, match=r"as many real as generated points, got 3 and 2"):
        go.relativistic_value(jnp.ones(3), jnp.ones(2))
    with pytest.raises(ValueError, match="loss must be one of logistic, least_squares, hinge"):
        go.RelativisticAverageGAN(go.NormalLatent((1,)), go.NormalLatent((1,)), 4, loss="l2")
