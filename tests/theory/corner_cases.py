"""One table of the public functions of `theory`, from which `test_corners` draws its properties.

A new function joins by one line: a call of named arrays, and whole numbers that it accepts.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import theory
from tests.theory.case import Case, whole as _array
from tests.theory.diffusion_cases import DIFFUSION_CASES
from tests.theory.latent_cases import LATENT_CASES

_rng = np.random.default_rng(0)
LINE = {"x": _array(0, 1, 2, 5, 9), "y": _array(1, 2, 3, 9, 4)}
UNEVEN = {"x": _array(0, 1, 2, 5, 9), "y": _array(1, 2, 7)}
WEIGHTED = {**UNEVEN, "x_weights": _array(1, 2, 0, 3, 1), "y_weights": _array(2, 1, 1)}
CLOUDS = {name: _rng.integers(0, 40, (n, 3)) for name, n in (("x", 12), ("y", 9))}
CODED = {"points": CLOUDS["x"], "codebook": CLOUDS["y"][:4]}
THREE = {"generated": CLOUDS["x"], "train": CLOUDS["y"], "held_out": _rng.integers(0, 40, (7, 3))}
GAUSSIANS = {
    "mean_x": _array(1, 2),
    "cov_x": _array((4, 1), (1, 2)),
    "mean_y": _array(3, 2),
    "cov_y": _array((3, 1), (1, 5)),
}
NORMALS = {"mean_x": _array(1)[0], "std_x": _array(2)[0], "mean_y": _array(4)[0]}
NORMALS["std_y"] = _array(3)[0]
# Log probabilities of 1 only are whole numbers; and 0 of probability has none.
NODES = {"log_p": _array(0, 0, 0), "log_q": _array(0, 1, 2), "weights": _array(1, 2, 1)}
ONE_HOT = {"p": _array(0, 1, 0), "q": _array(0, 1, 1)}
AT_SAMPLES = {
    "log_p_at_p": _array(0, 1, 2),
    "log_q_at_p": _array(1, 1, 0),
    "log_p_at_q": _array(0, 1),
    "log_q_at_q": _array(2, 0),
}
LOGITS = {**NODES, "logits": _array(1, 0, 2)}
VARIATION = {
    "log_p": NODES["log_p"],
    "log_q": NODES["log_q"],
    "discriminator": _array(2, 3, 4),
    "direction": _array(1, 0, 2),
    "weights": NODES["weights"],
}
RATE = {"eta": _array(1)[0], "s": _array(2)[0], "mu": _array(1)[0]}
RANKED = {
    "scores": _array((3, 1, 1, 0), (2, 5, 5, 5)),
    "held_out": _array((1, 0, 1, 0), (0, 1, 0, 0)),
    "masked": _array((0, 1, 0, 0), (1, 0, 0, 0)),
}
INVERSE = {
    "mean": _array(1, 2),
    "cov": _array((4, 1), (1, 2)),
    "operator": _array((1, 2), (0, 1), (1, 1)),
    "noise": _array(2)[0],
    "observation": _array(3, 0, 1),
}
MATRIX = {"jacobian": _array((2, 1), (0, 3)), "rates": _array(1, 2)}


def _inside(numbers: Any) -> Any:
    """Critic values from -1 up, in the domain of every conjugate, in the precision given."""
    values = jnp.asarray(numbers)
    dtype = values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else float
    return 0.125 * values.astype(dtype) - 1.0


def _of_divergence(name: str) -> dict[str, Case]:
    """The functions of f-divergences, for one of them."""
    f = theory.F_DIVERGENCES[name]
    return {
        f"f_divergence_density[{name}]": Case(
            lambda log_p, log_q, weights: theory.f_divergence_density(f, log_p, log_q, weights),
            NODES,
            orderless=(),
            empty=False,
        ),
        f"f_divergence_discrete[{name}]": Case(
            lambda p, q: theory.f_divergence_discrete(f, p, q), ONE_HOT, empty=False
        ),
        f"f_divergence_samples[{name}]": Case(
            lambda **logs: theory.f_divergence_samples(f, **logs), AT_SAMPLES
        ),
        f"optimal_critic[{name}]": Case(
            lambda log_p, log_q: theory.optimal_critic(f, log_p, log_q),
            {k: NODES[k] for k in ("log_p", "log_q")},
            empty=False,
        ),
        f"dual_value[{name}]": Case(
            lambda critic, log_p, log_q, weights: theory.dual_value(
                f, _inside(critic), log_p, log_q, weights
            ),
            {**NODES, "critic": _array(0, 2, 4)},
            empty=False,
        ),
        f"dual_value_samples[{name}]": Case(
            lambda at_p, at_q: theory.dual_value_samples(f, _inside(at_p), _inside(at_q)),
            {"at_p": _array(0, 2, 4), "at_q": _array(1, 2)},
        ),
    }


def _in_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the same arrays whatever their names are."""
    return lambda **arrays: function(*arrays.values())


def _rate(function: Callable[..., Any], *names: str, **fixed: Any) -> Case:
    """A rate in closed form, of numbers of shape `()`."""
    return Case(
        lambda **numbers: function(**numbers, **fixed),
        {name: _array(i % 2 + 1)[0] for i, name in enumerate(names)},
    )


CASES: dict[str, Case] = {
    "wasserstein_1d": Case(theory.wasserstein_1d, LINE, 1, None, ("x", "y"), ("x", "y")),
    "wasserstein_1d[uneven]": Case(theory.wasserstein_1d, UNEVEN, 1, None, ("x", "y"), ("x", "y")),
    "wasserstein_1d[weights]": Case(theory.wasserstein_1d, WEIGHTED, 1, ("x", "y"), ("x", "y")),
    "wasserstein_1d[p=2]": Case(
        lambda x, y: theory.wasserstein_1d(x, y, p=2), LINE, 1, None, ("x", "y"), ("x", "y")
    ),
    "wasserstein_1d[p=50]": Case(
        lambda **arrays: theory.wasserstein_1d(**arrays, p=50), WEIGHTED, 1, ("x", "y"), ("x", "y")
    ),
    "wasserstein_1d[p=inf]": Case(
        lambda x, y: theory.wasserstein_1d(x, y, p=np.inf), UNEVEN, 1, None, ("x", "y"), ("x", "y")
    ),
    "wasserstein1_normal": Case(theory.wasserstein1_normal, NORMALS, 1, None, ("mean_x", "mean_y")),
    "wasserstein2_gaussian": Case(
        theory.wasserstein2_gaussian, GAUSSIANS, None, None, ("mean_x", "mean_y")
    ),
    "entropic_gaussian": Case(
        lambda **laws: theory.entropic_gaussian(**laws, epsilon=2),
        GAUSSIANS,
        shifted=("mean_x", "mean_y"),
    ),
    "sliced_wasserstein": Case(
        theory.sliced_wasserstein,
        {**CLOUDS, "along": np.eye(3, dtype=np.int64)},
        1,
        ("x", "y"),
        ("x", "y"),
        ("x", "y"),
    ),
    "sliced_wasserstein2_isotropic": Case(
        theory.sliced_wasserstein2_isotropic,
        {**NORMALS, "mean_x": _array(1, 2), "mean_y": _array(4, 0)},
        1,
        None,
        ("mean_x", "mean_y"),
    ),
    "sinkhorn": Case(
        # A NaN stops the iteration, whose number is no float and is not looked at.
        lambda costs: theory.sinkhorn(costs, 9)[:6],
        {"costs": _array((0, 4, 9), (1, 1, 4))},
    ),
    "sinkhorn_divergence": Case(
        lambda x, y: theory.sinkhorn_divergence(x, y, 300),
        CLOUDS,
        shifted=("x", "y"),
        orderless=("x", "y"),
    ),
    "sinkhorn_divergence[p=1]": Case(
        lambda x, y: theory.sinkhorn_divergence(x, y, 9, p=1), CLOUDS, orderless=("x", "y")
    ),
    "optimal_transport": Case(
        lambda x, y: theory.optimal_transport(x, y).distance,
        CLOUDS,
        1,
        None,
        ("x", "y"),
        ("x", "y"),
        on_host=True,
    ),
    "wasserstein": Case(
        lambda x, y: theory.wasserstein(x, y, p=2),
        CLOUDS,
        1,
        None,
        ("x", "y"),
        ("x", "y"),
        on_host=True,
    ),
    "dual_potentials": Case(
        lambda costs: theory.dual_potentials(costs).value,
        {"costs": _array((0, 4, 9), (1, 1, 4))},
        1,
        orderless=("costs",),
        on_host=True,
    ),
    "kantorovich_rubinstein": Case(
        lambda x, y: theory.kantorovich_rubinstein(x, y).value,
        CLOUDS,
        1,
        None,
        ("x", "y"),
        ("x", "y"),
        on_host=True,
    ),
    "c_transform": Case(
        theory.c_transform, {"potential": _array(1, 2), "costs": _array((1, 2, 3), (3, 2, 1))}, 1
    ),
    "lipschitz_extension": Case(
        theory.lipschitz_extension,
        {"values": _array(0, 3), "points": _array((0, 0), (3, 4)), "at": _array((1, 1), (2, 0))},
        1,
    ),
    "prdc": Case(lambda x, y: theory.prdc(x, y, 2), CLOUDS, 0, None, ("x", "y"), ("x", "y")),
    "prdc[many dimensions]": Case(
        lambda x, y: theory.prdc(x, y, 2),
        {name: _rng.integers(0, 9, (n, 24)) for name, n in (("x", 12), ("y", 9))},
        0,
        None,
        ("x", "y"),
        ("x", "y"),
    ),
    "nearest_neighbours": Case(
        lambda x, y: theory.nearest_neighbours(x, y, 2).distances,
        CLOUDS,
        1,
        None,
        ("x", "y"),
        ("y",),
    ),
    "nearest_neighbour_ratios": Case(
        lambda x, y: theory.nearest_neighbour_ratios(x, y), CLOUDS, 0, None, ("x", "y"), ("y",)
    ),
    "memorised_share": Case(theory.memorised_share, THREE, 0, None, tuple(THREE), tuple(THREE)),
    "mmd2_unbiased": Case(theory.mmd2_unbiased, CLOUDS, orderless=("x", "y")),
    "mmd2_unbiased[gaussian]": Case(
        lambda x, y: theory.mmd2_unbiased(x, y, theory.gaussian_kernel(20)),
        CLOUDS,
        shifted=("x", "y"),
        orderless=("x", "y"),
    ),
    "polynomial_kernel": Case(
        theory.polynomial_kernel, {"x": _array(1, 2), "y": _array(0, 3)}, empty=False
    ),
    "gaussian_kernel": Case(
        theory.gaussian_kernel(2), {"x": _array(1, 2), "y": _array(0, 3)}, empty=False
    ),
    "mmd2_gaussian": Case(
        lambda **laws: theory.mmd2_gaussian(*(laws[name] for name in GAUSSIANS), bandwidth=2),
        GAUSSIANS,
        shifted=("mean_x", "mean_y"),
    ),
    "frechet_distance": Case(
        lambda x, y: theory.frechet_distance(x, y)[:3],
        CLOUDS,
        2,
        None,
        ("x", "y"),
        ("x", "y"),
        # A NaN anywhere is one in the means and in the covariances.
    ),
    "frechet_bias": Case(
        lambda covariance: theory.frechet_bias(covariance, 9, 7),
        {"covariance": GAUSSIANS["cov_x"]},
        1,
    ),
    **{
        name: Case(
            lambda function=function, **arrays: function(
                arrays["scores"], arrays["held_out"], 2, arrays["masked"]
            ),
            RANKED,
            0,
            ("scores",),
            ("scores",),
        )
        for name, function in (
            ("ndcg_at_k", theory.ndcg_at_k),
            ("recall_at_k", theory.recall_at_k),
        )
    },
    "mode_coverage": Case(
        # A sample that is NaN is one of no quality: the share of high quality falls.
        lambda samples, means: theory.mode_coverage(samples, means, 2)[1:3],
        {"samples": CLOUDS["x"], "means": CLOUDS["x"][:4]},
        shifted=("samples", "means"),
        orderless=("samples",),
        quiet=("samples", "means"),
    ),
    "kl_density": Case(theory.kl_density, NODES, empty=False),
    "js_density": Case(theory.js_density, NODES, empty=False),
    "tv_density": Case(theory.tv_density, NODES, empty=False),
    "kl_discrete": Case(theory.kl_discrete, ONE_HOT, empty=False),
    "js_discrete": Case(theory.js_discrete, ONE_HOT, empty=False),
    "tv_discrete": Case(theory.tv_discrete, ONE_HOT, empty=False),
    "kl_normal": Case(
        lambda mean_x, std_x, mean_y, std_y: theory.kl_normal(mean_x, std_x, mean_y, std_y),
        NORMALS,
        0,
        None,
        ("mean_x", "mean_y"),
    ),
    **{
        name: Case(
            _in_order(getattr(theory, name)),
            GAUSSIANS,
            shifted=("mean_x", "mean_y"),
        )
        for name in ("kl_gaussian", "squared_hellinger_gaussian", "chi2_gaussian")
    },
    "kl_samples": Case(theory.kl_samples, {"log_p": _array(0, 1), "log_q": _array(2, 0)}),
    "js_samples": Case(theory.js_samples, AT_SAMPLES),
    **{k: case for name in theory.F_DIVERGENCES for k, case in _of_divergence(name).items()},
    "optimal_logit": Case(
        theory.optimal_logit, {"log_p_data": _array(0, 1), "log_p_gen": _array(2, 1)}, empty=False
    ),
    "optimal_discriminator": Case(
        theory.optimal_discriminator,
        {"log_p_data": _array(0, 1), "log_p_gen": _array(2, 1)},
        empty=False,
    ),
    "discriminator_value": Case(
        lambda log_p, log_q, logits, weights: theory.discriminator_value(
            log_p, log_q, logits, weights
        ),
        LOGITS,
        empty=False,
    ),
    "value_gap": Case(
        lambda log_p, log_q, logits, weights: theory.value_gap(log_p, log_q, logits, weights),
        LOGITS,
        empty=False,
    ),
    "discriminator_value_samples": Case(
        theory.discriminator_value_samples,
        {"real_logits": _array(1, 2), "fake_logits": _array(0, 3, 1)},
    ),
    "value_from_js": Case(theory.value_from_js, {"js": _array(0, 1)}, empty=False),
    "value_at_optimal_discriminator": Case(
        lambda log_p, log_q, weights: theory.value_at_optimal_discriminator(log_p, log_q, weights),
        NODES,
        empty=False,
    ),
    "generator_gradients": Case(
        lambda shift, log_scale: theory.generator_gradients(
            theory.Normal().log_prob, theory.Normal().log_prob, shift, log_scale, _latent()
        ),
        {"shift": _array(1)[0], "log_scale": _array(0)[0]},
    ),
    "saturation_curve": Case(
        lambda shifts: theory.saturation_curve(
            theory.Normal().log_prob, theory.Normal().log_prob, shifts, _latent()
        ),
        {"shifts": _array(0, 1, 2)},
    ),
    "saturation_bound": Case(theory.saturation_bound, {"shift": _array(0, 2)}, empty=False),
    "pointwise_value": Case(
        theory.pointwise_value,
        {"a": _array(1, 0), "b": _array(0, 2), "y": _array(1, 0)},
        empty=False,
    ),
    "pointwise_maximiser": Case(
        theory.pointwise_maximiser, {"a": _array(1, 0, 2), "b": _array(0, 0, 3)}, 0, empty=False
    ),
    "pointwise_curvature": Case(
        theory.pointwise_curvature, {"a": _array(1, 0, 2), "b": _array(0, 0, 3)}, 1, empty=False
    ),
    **{
        name: Case(
            _in_order(getattr(theory, name)),
            VARIATION,
            empty=False,
        )
        for name in ("first_variation", "second_variation")
    },
    "gaussian_posterior": Case(lambda **of: theory.gaussian_posterior(*of.values()).mean, INVERSE),
    # The covariance depends on neither the prior's mean nor the observation.
    "gaussian_posterior[covariance]": Case(
        lambda cov, operator, noise: (
            theory.gaussian_posterior([1, 2], cov, operator, noise, [3, 0, 1]).covariance
        ),
        {name: INVERSE[name] for name in ("cov", "operator", "noise")},
    ),
    "lipschitz_linear_critic": Case(theory.lipschitz_linear_critic, {"delta": _array(3, 4)}),
    "clipped_linear_critic": Case(
        lambda delta: theory.clipped_linear_critic(delta, 2), {"delta": _array(3, 4)}
    ),
    "penalised_linear_critic": Case(
        lambda delta: theory.penalised_linear_critic(delta, 2), {"delta": _array(3, 4)}
    ),
    "dense_norm": Case(theory.dense_norm, {"weight": _array((1, 2), (3, 4))}, 1),
    "circular_convolution_norm": Case(
        lambda kernel: theory.circular_convolution_norm(kernel, (4, 4), 2),
        {"kernel": _rng.integers(0, 5, (2, 3, 2, 2))},
        1,
        empty=False,
    ),
    "network_upper_bound": Case(
        lambda one, two: theory.network_upper_bound([one, two], [2]),
        {"one": _array((1, 2), (3, 4), (0, 1)), "two": _array((1, 0, 2))},
        2,
    ),
    "quotient_lower_bound": Case(
        theory.quotient_lower_bound,
        {"values": _array(0, 3, 1), "points": _array((0, 0), (1, 2), (2, 0))},
        0,
        None,
        ("points",),
    ),
    "power_iteration": Case(
        lambda start: theory.power_iteration(lambda v: 2 * v, start, 3), {"start": _array(1, 2)}
    ),
    "local_lower_bound": Case(
        lambda points, starts: theory.local_lower_bound(lambda v: v**2, points, starts, 3),
        {"points": _array((1, 2), (2, 3)), "starts": _array((1, 0), (1, 1))},
        empty=False,
    ),
    "power_iteration_rate": Case(
        theory.power_iteration_rate, {"singular_values": _array(3, 1, 2)}, 0
    ),
    "power_iteration_value": Case(
        lambda **v: theory.power_iteration_value(**v, iterations=2),
        {"singular_values": _array(3, 1, 2), "coefficients": _array(1, 1, 0)},
        1,
        ("singular_values",),
    ),
    "inertia": Case(theory.inertia, CODED, 2, None, ("points", "codebook"), ("points", "codebook")),
    "quantization_error": Case(
        theory.quantization_error, CODED, 2, None, ("points", "codebook"), ("points", "codebook")
    ),
    "lloyd_round": Case(theory.lloyd_round, CODED, 1, None, (), ("points",)),
    "perplexity": Case(theory.perplexity, {"counts": _array(3, 0, 1)}, 0, None, (), ("counts",)),
    "distortion_lower_bound": Case(
        theory.distortion_lower_bound, {"entropy": _array(1)[0], "codes": _array(4)[0]}
    ),
    "high_resolution_error": Case(
        theory.high_resolution_error,
        {"log_p": NODES["log_p"], "weights": NODES["weights"], "codes": _array(2)[0]},
    ),
    "max_stable_step": Case(theory.max_stable_step, {"jacobian": _array((2, 1), (0, 3))}, -1),
    "round_matrix": Case(lambda **m: theory.round_matrix(**m, n_x=1, alternating=True), MATRIX),
    "drift_matrix": Case(lambda **m: theory.drift_matrix(**m, n_x=1, alternating=True), MATRIX),
    "lines_w1": Case(theory.lines_w1, {"theta": _array(0, 2)}, 1, empty=False),
    "lines_kl": Case(theory.lines_kl, {"theta": _array(0, 2)}, 0, empty=False),
    "lines_js": Case(theory.lines_js, {"theta": _array(0, 2)}, 0, empty=False),
    "lines_tv": Case(theory.lines_tv, {"theta": _array(0, 2)}, 0, empty=False),
    "simultaneous_rate": _rate(theory.simultaneous_rate, "eta", "s", "mu"),
    "alternating_rate": _rate(theory.alternating_rate, "eta", "s", "mu"),
    "proximal_rate": _rate(theory.proximal_rate, "eta", "s", "mu"),
    "extragradient_rate": _rate(theory.extragradient_rate, "eta", "s", "mu", "gamma"),
    "optimistic_rate": _rate(theory.optimistic_rate, "eta", "s", "mu"),
    "consensus_rate": _rate(theory.consensus_rate, "eta", "s", "mu", "gamma"),
    "sga_rate": _rate(theory.sga_rate, "eta", "s", "mu", "strength"),
    "runge_kutta_rate": _rate(theory.runge_kutta_rate, "eta", "s", "mu"),
    "heavy_ball_rate": _rate(theory.heavy_ball_rate, "eta", "s", "momentum", alternating=False),
    "heavy_ball_rate[alternating]": _rate(
        theory.heavy_ball_rate, "eta", "s", "momentum", "mu", alternating=True
    ),
    "alex_rate": _rate(theory.alex_rate, "eta", "s", "gamma", "delta"),
    "lookahead_rate": _rate(theory.lookahead_rate, "modes", "alpha", steps=2),
    "max_lookahead_alpha": Case(
        lambda mode: theory.max_lookahead_alpha(mode, 2), {"mode": _array(2)[0]}
    ),
    "dirac_gan_eigenvalues": Case(
        lambda strength, slope: jnp.abs(
            theory.dirac_gan_eigenvalues("r1", strength=strength, slope=slope)
        ),
        {"strength": _array(1)[0], "slope": _array(2)[0]},
    ),
    **{
        f"{law}.{method}": Case(
            lambda loc, scale, at, law=law, method=method: getattr(
                getattr(theory, law)(loc, scale), method
            )(at),
            {"loc": _array(1)[0], "scale": _array(2)[0], "at": _array(0, 1)},
            empty=False,
        )
        for law in ("Normal", "Laplace", "Logistic", "Uniform", "Exponential")
        for method in ("log_prob", "cdf", "quantile")
    },
}


def _latent() -> theory.Quadrature:
    return theory.quadrature(-6, 6, 20)


CASES |= LATENT_CASES | DIFFUSION_CASES


NOT_IN_THE_TABLE = {
    "assign_codes": "indices, -1 for NaN: latent/test_quantization",
    "check_duality": "takes the results of two others",
    "code_counts": "takes indices, which are whole numbers",
    "estimated_mmse": "takes a function: diffusion/test_optimal_losses",
    "equal_laws_coverage": "takes whole numbers only",
    "gaussian_mixture": "refuses what is not finite: test_distributions",
    "grid": "takes whole numbers and a deviation: test_distributions",
    "ring": "takes whole numbers and a deviation: test_distributions",
    "high_quality_share": "takes a number of dimensions",
    "linear_vae_hessian": "derivatives of linear_vae_objective: test_linear_vae",
    "lotus": "takes functions",
    "pushforward_log_prob": "takes functions",
    "mixture_divergence": "takes mixtures",
    "mixture_quadrature": "takes mixtures",
    "moves": "takes a plan",
    "mutual_information_gap_null": "takes a key: test_disentanglement",
    "occupancy": "takes labels, which are whole numbers",
    "piecewise_quadrature": "edges that do not increase are refused, NaN among them",
    "piles_of_dirt": "on the host, with checks of its own: test_plans",
    "product_quadrature": "takes rules",
    "quadrature": "takes two ends and a number of nodes",
    "slice_directions": "takes a key and whole numbers",
    "sliced_shift_factor": "takes a number of dimensions",
    "wasserstein_1d_quantiles": "takes functions",
}
