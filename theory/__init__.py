"""What the optimum is, in closed form: arrays in, arrays out."""

from theory._numeric import Estimate as Estimate
from theory.distributions import (
    AbstractDistribution as AbstractDistribution,
)
from theory.distributions import (
    GaussianMixture as GaussianMixture,
)
from theory.distributions import (
    gaussian_mixture as gaussian_mixture,
)
from theory.distributions import (
    grid as grid,
)
from theory.distributions import (
    ring as ring,
)
from theory.divergences import (
    js_density as js_density,
)
from theory.divergences import (
    js_discrete as js_discrete,
)
from theory.divergences import (
    js_samples as js_samples,
)
from theory.divergences import (
    kl_density as kl_density,
)
from theory.divergences import (
    kl_discrete as kl_discrete,
)
from theory.divergences import (
    kl_gaussian as kl_gaussian,
)
from theory.divergences import (
    kl_normal as kl_normal,
)
from theory.divergences import (
    kl_samples as kl_samples,
)
from theory.divergences import (
    tv_density as tv_density,
)
from theory.divergences import (
    tv_discrete as tv_discrete,
)
from theory.families import (
    AbstractLocationScale as AbstractLocationScale,
)
from theory.families import (
    Exponential as Exponential,
)
from theory.families import (
    Laplace as Laplace,
)
from theory.families import (
    Logistic as Logistic,
)
from theory.families import (
    Normal as Normal,
)
from theory.families import (
    Uniform as Uniform,
)
from theory.gan import (
    GeneratorGradients as GeneratorGradients,
)
from theory.gan import (
    discriminator_value as discriminator_value,
)
from theory.gan import (
    discriminator_value_samples as discriminator_value_samples,
)
from theory.gan import (
    generator_gradients as generator_gradients,
)
from theory.gan import (
    optimal_discriminator as optimal_discriminator,
)
from theory.gan import (
    optimal_logit as optimal_logit,
)
from theory.gan import (
    value_at_optimal_discriminator as value_at_optimal_discriminator,
)
from theory.gan import (
    value_from_js as value_from_js,
)
from theory.parallel_lines import (
    ParallelLine as ParallelLine,
)
from theory.parallel_lines import (
    lines_js as lines_js,
)
from theory.parallel_lines import (
    lines_kl as lines_kl,
)
from theory.parallel_lines import (
    lines_tv as lines_tv,
)
from theory.parallel_lines import (
    lines_w1 as lines_w1,
)
from theory.quadrature import (
    Quadrature as Quadrature,
)
from theory.quadrature import (
    product_quadrature as product_quadrature,
)
from theory.quadrature import (
    quadrature as quadrature,
)
from theory.transport import (
    Move as Move,
)
from theory.transport import (
    TransportPlan as TransportPlan,
)
from theory.transport import (
    moves as moves,
)
from theory.transport import (
    optimal_transport as optimal_transport,
)
from theory.transport import (
    piles_of_dirt as piles_of_dirt,
)
from theory.transport import (
    wasserstein as wasserstein,
)
from theory.transport import (
    wasserstein1_normal as wasserstein1_normal,
)
from theory.transport import (
    wasserstein2_gaussian as wasserstein2_gaussian,
)
from theory.transport import (
    wasserstein_1d as wasserstein_1d,
)
from theory.transport import (
    wasserstein_1d_quantiles as wasserstein_1d_quantiles,
)
