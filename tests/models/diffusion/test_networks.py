"""Networks of denoisers: shapes, precisions, labels, and that every weight is of use."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import models

KEY = jax.random.key(0)
TIME = jnp.asarray(0.3)
POINT = jax.random.normal(jax.random.key(1), (6, 5))

MLP = functools.partial(models.TimeMLP, width=8, depth=2)
UNET = functools.partial(models.UNet, width=4, groups=2, heads=2)
NETWORKS = {
    "TimeMLP": functools.partial(MLP, (6, 5)),
    "UNet": functools.partial(UNET, (6, 5), attention=(3,)),
}


def scrambled(network):
    """All weights moved away from where they begin, some of which is 0."""
    leaves, tree = jax.tree.flatten(network)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [a + 0.3 * jax.random.normal(k, a.shape) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def of(name, **settings):
    """A network whose answers depend on all that it is given."""
    return scrambled(NETWORKS[name](key=KEY, **settings))


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((8, 8), {}),
        ((28, 28), {"multipliers": (1, 2, 2), "attention": (7,)}),
        ((9, 13, 3), {"multipliers": (1, 2, 2), "blocks": 2, "attention": (4, 2)}),
        ((5, 4, 1), {"multipliers": (2,)}),
        ((64, 64, 3), {"multipliers": (1, 1, 2, 4)}),
    ],
    ids=str,
)
def test_images_of_any_size_even_or_odd(shape, settings):
    """The answer has the image's shape, without computing it."""
    made = lambda key: UNET(shape, key=key, **settings)
    network = eqx.filter_eval_shape(made, KEY)
    answer = eqx.filter_eval_shape(lambda n, x, t: n(x, t), network, jnp.ones(shape), TIME)
    assert answer.shape == shape


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_begins_at_zero(name):
    """So does the loss at that of no network."""
    network = jax.jit(NETWORKS[name](key=KEY).__call__)
    np.testing.assert_array_equal(network(POINT, TIME), np.zeros(POINT.shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_mapped_over_a_batch_it_is_the_network_of_each_point(name):
    """To rounding, with a time and a label each."""
    network = of(name, classes=2)
    points = jax.random.normal(jax.random.key(3), (3, 6, 5))
    times, labels = jnp.asarray([-2.5, 0.0, 2.5]), jnp.asarray([0, 1, 2])
    at = jax.jit(lambda *one: network(*one))
    together = jax.jit(jax.vmap(at))(points, times, labels)
    one_by_one = [at(*one) for one in zip(points, times, labels, strict=True)]
    np.testing.assert_allclose(together, jnp.stack(one_by_one), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_reaches_the_answer(name):
    """No derivative is 0 all over; of classes, all labels together."""
    network = of(name, classes=2)
    labels = jnp.arange(3)

    def total(network):
        answer = lambda label: network(POINT, TIME, label)
        return jnp.sum(jnp.sin(jax.vmap(answer)(labels)))

    for path, slope in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(total))(network)):
        assert jnp.any(slope != 0), path
        assert jnp.all(jnp.isfinite(slope)), path


@pytest.mark.parametrize("name", NETWORKS)
def test_time_and_label_matter_and_the_null_label_is_no_label(name):
    """Answers differ between times over the whole range and between classes.

    Two programs agree to rounding.
    """
    network = of(name, classes=2)
    at = jax.jit(lambda *given: network(POINT, *given))
    answers = [at(jnp.asarray(time)) for time in (-2.5, -2.4, 0.0, 2.4, 2.5)]
    answers += [at(TIME, jnp.asarray(label)) for label in (0, 1, 2)]
    flat = jnp.stack(answers).reshape(len(answers), -1)
    apart = jnp.linalg.norm(flat[:, None] - flat[None], axis=-1) + jnp.eye(len(answers))
    assert apart.min() > 1e-3
    np.testing.assert_allclose(at(TIME), at(TIME, jnp.asarray(2)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_label_for_a_network_without_classes_is_an_error(name):
    with pytest.raises(ValueError, match="has no classes"):
        of(name)(POINT, TIME, jnp.asarray(0))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_answers_are_of_the_points_precision(name, dtype):
    """In half precision within 2 %, a few roundings of 0.4 %, of the scale of the answers."""
    network = of(name, classes=300)
    label = jnp.asarray(257)
    at = eqx.filter_jit(lambda network, *given: network(*given))
    exact = at(network, POINT, TIME, label)
    low = models.InPrecision(network, jnp.dtype(dtype))
    answer = at(low, POINT.astype("float32"), TIME.astype("float32"), label)
    assert answer.dtype == "float32"
    cast = lambda tree: jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
    plain = eqx.filter_eval_shape(cast(network), cast(POINT), TIME, label)
    assert plain.dtype == dtype
    error = {"float32": 1e-5, "bfloat16": 0.02}[dtype]
    np.testing.assert_allclose(answer, exact, rtol=0, atol=error * float(jnp.abs(exact).max()))


def test_half_precision_leaves_a_time_its_digits_and_a_label_what_it_is():
    """Rounded to half precision, a time near 2.5 would move its fastest features by 0.1 radians.

    Points and conditions of more than one number are rounded.
    """
    seen = []

    def network(x, time, label, vector):
        seen.extend(part.dtype for part in (x, time, label, vector))
        return x

    single = jnp.ones(3, "float32")
    answer = models.in_half_precision(network)(single, single[0], jnp.asarray(257), single)
    assert answer.dtype == "float32"
    assert seen == ["bfloat16", "float32", jnp.asarray(257).dtype, "bfloat16"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"multipliers": (1, 2, 2, 2)}, "cannot be halved 3 times"),
        ({"multipliers": ()}, "multipliers of at least 1"),
        ({"blocks": 0}, "blocks and multipliers of at least 1"),
        ({"width": 0}, "needs a width"),
        ({"width": 5}, "do not come in 2 equal groups"),
        ({"attention": (4,)}, r"among the levels' heights \[6, 3\]"),
        ({"attention": (6,), "heads": 3}, "shared by 3 heads"),
        ({"attention": (6,), "heads": 0}, "shared by 0 heads"),
        ({"classes": -1}, "0 or more classes"),
    ],
    ids=str,
)
def test_unets_that_cannot_be_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        UNET((6, 5), key=KEY, **settings)


def test_perceptrons_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="a width and a depth of at least 1"):
        models.TimeMLP((2,), width=0, depth=1, key=KEY)
    with pytest.raises(ValueError, match="a point with entries"):
        models.TimeMLP((0,), width=4, depth=1, key=KEY)
    with pytest.raises(ValueError, match="even number of features"):
        models.TimeEmbedding(3, 4, 0, KEY)


def test_attention_moves_with_its_places():
    """Attention of which every place sees all does not know their order; causal attention does."""
    x = jax.random.normal(KEY, (7, 6))
    order = jax.random.permutation(jax.random.key(4), 7)
    init = jax.nn.initializers.lecun_normal()
    layer, causal = (
        kind(6, 3, init, KEY) for kind in (models.SelfAttention, models.CausalAttention)
    )
    np.testing.assert_allclose(layer(x[order]), layer(x)[order], rtol=1e-12, atol=1e-14)
    assert jnp.abs(causal(x[order]) - causal(x)[order]).max() > 1e-3


def test_times_a_tenth_apart_have_features_apart():
    """The embedding tells levels of all of its range apart: distances of features, of norm 5.7.

    A step of 0.1 is one of 0.4 in log sigma/alpha.
    """
    times = jnp.linspace(-2.5, 2.5, 51)
    features = jax.vmap(models.TimeEmbedding(64, 4, 0, KEY).features)(times)
    np.testing.assert_allclose(jnp.sum(features**2, axis=1), 32, rtol=1e-12)
    apart = jnp.linalg.norm(features[:, None] - features[None], axis=-1)
    assert apart[~np.eye(51, dtype=bool)].min() > 1
