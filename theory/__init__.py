"""What the optimum is, in closed form: arrays in, arrays out."""

from theory._numeric import Estimate as Estimate
from theory.distributions import (
    AbstractDistribution as AbstractDistribution,
    GaussianMixture as GaussianMixture,
    gaussian_mixture as gaussian_mixture,
    grid as grid,
    ring as ring,
)
from theory.divergences import (
    js_density as js_density,
    js_discrete as js_discrete,
    js_samples as js_samples,
    kl_density as kl_density,
    kl_discrete as kl_discrete,
    kl_gaussian as kl_gaussian,
    kl_normal as kl_normal,
    kl_samples as kl_samples,
    tv_density as tv_density,
    tv_discrete as tv_discrete,
)
from theory.drift import drift_matrix as drift_matrix, round_matrix as round_matrix
from theory.families import (
    AbstractLocationScale as AbstractLocationScale,
    Exponential as Exponential,
    Laplace as Laplace,
    Logistic as Logistic,
    Normal as Normal,
    Uniform as Uniform,
)
from theory.gan import (
    GeneratorGradients as GeneratorGradients,
    discriminator_value as discriminator_value,
    discriminator_value_samples as discriminator_value_samples,
    generator_gradients as generator_gradients,
    optimal_discriminator as optimal_discriminator,
    optimal_logit as optimal_logit,
    value_at_optimal_discriminator as value_at_optimal_discriminator,
    value_from_js as value_from_js,
)
from theory.parallel_lines import (
    ParallelLine as ParallelLine,
    lines_js as lines_js,
    lines_kl as lines_kl,
    lines_tv as lines_tv,
    lines_w1 as lines_w1,
)
from theory.plans import (
    Move as Move,
    TransportPlan as TransportPlan,
    moves as moves,
    optimal_transport as optimal_transport,
    piles_of_dirt as piles_of_dirt,
    wasserstein as wasserstein,
)
from theory.quadrature import (
    Quadrature as Quadrature,
    product_quadrature as product_quadrature,
    quadrature as quadrature,
)
from theory.stability import (
    BILINEAR_RATES as BILINEAR_RATES,
    alex_rate as alex_rate,
    alternating_rate as alternating_rate,
    consensus_rate as consensus_rate,
    dirac_gan_eigenvalues as dirac_gan_eigenvalues,
    extragradient_rate as extragradient_rate,
    heavy_ball_rate as heavy_ball_rate,
    lookahead_rate as lookahead_rate,
    max_lookahead_alpha as max_lookahead_alpha,
    max_stable_step as max_stable_step,
    optimistic_rate as optimistic_rate,
    proximal_rate as proximal_rate,
    runge_kutta_rate as runge_kutta_rate,
    sga_rate as sga_rate,
    simultaneous_rate as simultaneous_rate,
)
from theory.transport import (
    wasserstein1_normal as wasserstein1_normal,
    wasserstein2_gaussian as wasserstein2_gaussian,
    wasserstein_1d as wasserstein_1d,
    wasserstein_1d_quantiles as wasserstein_1d_quantiles,
)
