"""Closed forms and exact computations that games and GANs are tested against; arrays in and out."""

from theory._numeric import Estimate as Estimate
from theory.diffusion.affine_denoisers import (
    AffineDenoiser as AffineDenoiser,
    affine_denoiser_error as affine_denoiser_error,
    best_affine_denoiser as best_affine_denoiser,
)
from theory.diffusion.affine_maps import AffineMap as AffineMap, sampler_law as sampler_law
from theory.diffusion.continuous_laws import (
    euler_map as euler_map,
    euler_maruyama_map as euler_maruyama_map,
    probability_flow_map as probability_flow_map,
    reverse_sde_map as reverse_sde_map,
)
from theory.diffusion.denoisers import (
    data_denoiser as data_denoiser,
    data_denoising as data_denoising,
    data_marginal_log_prob as data_marginal_log_prob,
    gaussian_denoiser as gaussian_denoiser,
    gaussian_denoising as gaussian_denoising,
    gaussian_marginal_log_prob as gaussian_marginal_log_prob,
    mixture_denoiser as mixture_denoiser,
    mixture_denoising as mixture_denoising,
    mixture_marginal_log_prob as mixture_marginal_log_prob,
)
from theory.diffusion.gaussian_bound import (
    GaussianBound as GaussianBound,
    gaussian_variational_bound as gaussian_variational_bound,
)
from theory.diffusion.interpolants import (
    EDM as EDM,
    AbstractInterpolant as AbstractInterpolant,
    Cosine as Cosine,
    StraightLines as StraightLines,
    VarianceExploding as VarianceExploding,
    VariancePreserving as VariancePreserving,
)
from theory.diffusion.inverse_problems import (
    ReplacementLimit as ReplacementLimit,
    gaussian_guidance as gaussian_guidance,
    replacement_law as replacement_law,
    replacement_limit as replacement_limit,
)
from theory.diffusion.levels import (
    NoiseLevel as NoiseLevel,
    cosine_betas as cosine_betas,
    edm_levels as edm_levels,
    levels_of_betas as levels_of_betas,
    linear_betas as linear_betas,
    respaced as respaced,
)
from theory.diffusion.markov_chain import (
    ReverseStep as ReverseStep,
    Transition as Transition,
    reverse_step as reverse_step,
    transition as transition,
)
from theory.diffusion.optimal_losses import (
    estimated_mmse as estimated_mmse,
    gaussian_information as gaussian_information,
    gaussian_mmse as gaussian_mmse,
    mixture_mmse as mixture_mmse,
)
from theory.diffusion.parametrisations import (
    PREDICTIONS as PREDICTIONS,
    Prediction as Prediction,
    denoised_from as denoised_from,
    denoised_from_velocity as denoised_from_velocity,
    loss_weight as loss_weight,
    prediction_from as prediction_from,
    prediction_target as prediction_target,
    velocity_from as velocity_from,
)
from theory.diffusion.sampler_laws import (
    ancestral_map as ancestral_map,
    ddim_map as ddim_map,
    dpm_solver_map as dpm_solver_map,
    heun_map as heun_map,
)
from theory.diffusion.variational_bound import (
    bits_per_dimension as bits_per_dimension,
    denoising_kl as denoising_kl,
    discretised_reconstruction as discretised_reconstruction,
    gaussian_reconstruction as gaussian_reconstruction,
    prior_kl as prior_kl,
)
from theory.distributions import (
    AbstractDistribution as AbstractDistribution,
    GaussianMixture as GaussianMixture,
    gaussian_mixture as gaussian_mixture,
    grid as grid,
    ring as ring,
)
from theory.divergences.duals import (
    dual_value as dual_value,
    dual_value_samples as dual_value_samples,
    optimal_critic as optimal_critic,
)
from theory.divergences.f_divergences import (
    F_DIVERGENCES as F_DIVERGENCES,
    FDivergence as FDivergence,
    f_divergence_density as f_divergence_density,
    f_divergence_discrete as f_divergence_discrete,
    f_divergence_samples as f_divergence_samples,
)
from theory.divergences.gaussian import (
    chi2_gaussian as chi2_gaussian,
    squared_hellinger_gaussian as squared_hellinger_gaussian,
)
from theory.divergences.kl_js_tv import (
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
from theory.divergences.mixtures import (
    Integral as Integral,
    mixture_divergence as mixture_divergence,
    mixture_quadrature as mixture_quadrature,
)
from theory.divergences.parallel_lines import (
    ParallelLine as ParallelLine,
    lines_js as lines_js,
    lines_kl as lines_kl,
    lines_tv as lines_tv,
    lines_w1 as lines_w1,
)
from theory.dynamics.drift import drift_matrix as drift_matrix, round_matrix as round_matrix
from theory.dynamics.rates import (
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
from theory.gans.linear_critics import (
    LinearCritic as LinearCritic,
    clipped_linear_critic as clipped_linear_critic,
    lipschitz_linear_critic as lipschitz_linear_critic,
    penalised_linear_critic as penalised_linear_critic,
)
from theory.gans.optimum import (
    GeneratorGradients as GeneratorGradients,
    discriminator_value as discriminator_value,
    discriminator_value_samples as discriminator_value_samples,
    generator_gradients as generator_gradients,
    optimal_discriminator as optimal_discriminator,
    optimal_logit as optimal_logit,
    value_at_optimal_discriminator as value_at_optimal_discriminator,
    value_from_js as value_from_js,
)
from theory.gans.proof import (
    first_variation as first_variation,
    lotus as lotus,
    pointwise_curvature as pointwise_curvature,
    pointwise_maximiser as pointwise_maximiser,
    pointwise_value as pointwise_value,
    pushforward_log_prob as pushforward_log_prob,
    saturation_bound as saturation_bound,
    saturation_curve as saturation_curve,
    second_variation as second_variation,
    value_gap as value_gap,
)
from theory.latent.aggregated import (
    Surgery as Surgery,
    aggregated_log_prob as aggregated_log_prob,
    count_active_units as count_active_units,
    elbo_surgery as elbo_surgery,
    unit_activity as unit_activity,
)
from theory.latent.bounds import (
    LogLikelihood as LogLikelihood,
    elbo as elbo,
    importance_log_likelihood as importance_log_likelihood,
    iwae_bound as iwae_bound,
    jackknife_log_mean_exp as jackknife_log_mean_exp,
    kl_categorical as kl_categorical,
    kl_standard_normal as kl_standard_normal,
    log_mean_exp as log_mean_exp,
    posterior_gap as posterior_gap,
)
from theory.latent.disentanglement import (
    MutualInformationGap as MutualInformationGap,
    correlation_of_units as correlation_of_units,
    gaussian_total_correlation as gaussian_total_correlation,
    mutual_information_gap as mutual_information_gap,
    mutual_information_gap_null as mutual_information_gap_null,
)
from theory.latent.estimators import (
    GaussianGradients as GaussianGradients,
    gaussian_log_weights as gaussian_log_weights,
    iwae_objective as iwae_objective,
    reparameterised_gradients as reparameterised_gradients,
    reparameterised_variances as reparameterised_variances,
    score_function_gradients as score_function_gradients,
    score_function_variances as score_function_variances,
    signal_to_noise as signal_to_noise,
)
from theory.latent.linear_gaussian import (
    LinearGaussian as LinearGaussian,
    Moments as Moments,
    gaussian_conditional as gaussian_conditional,
    moments as moments,
)
from theory.latent.linear_inverse import gaussian_posterior as gaussian_posterior
from theory.latent.linear_vae import (
    LinearEncoder as LinearEncoder,
    LinearVAE as LinearVAE,
    RateDistortion as RateDistortion,
    best_encoder as best_encoder,
    linear_rate_distortion as linear_rate_distortion,
    linear_vae_hessian as linear_vae_hessian,
    linear_vae_objective as linear_vae_objective,
    linear_vae_optimum as linear_vae_optimum,
    rate_distortion_curve as rate_distortion_curve,
)
from theory.latent.prior_samples import (
    constant_bernoulli_log_likelihood as constant_bernoulli_log_likelihood,
    constant_gaussian_log_likelihood as constant_gaussian_log_likelihood,
    log_mean_exp_bias as log_mean_exp_bias,
    log_second_moment as log_second_moment,
    prior_sample_bound as prior_sample_bound,
)
from theory.latent.probabilistic_pca import (
    active_units as active_units,
    best_variance as best_variance,
    em_rate as em_rate,
    em_round as em_round,
    pca_log_likelihood as pca_log_likelihood,
    probabilistic_pca as probabilistic_pca,
)
from theory.latent.quantization import (
    assign_codes as assign_codes,
    code_counts as code_counts,
    distortion_lower_bound as distortion_lower_bound,
    high_resolution_error as high_resolution_error,
    inertia as inertia,
    lloyd_round as lloyd_round,
    perplexity as perplexity,
    quantization_error as quantization_error,
)
from theory.lipschitz import (
    PowerIteration as PowerIteration,
    circular_convolution_norm as circular_convolution_norm,
    dense_norm as dense_norm,
    local_lower_bound as local_lower_bound,
    network_upper_bound as network_upper_bound,
    power_iteration as power_iteration,
    power_iteration_rate as power_iteration_rate,
    power_iteration_value as power_iteration_value,
    quotient_lower_bound as quotient_lower_bound,
)
from theory.location_scale import (
    AbstractLocationScale as AbstractLocationScale,
    Exponential as Exponential,
    Laplace as Laplace,
    Logistic as Logistic,
    Normal as Normal,
    Uniform as Uniform,
)
from theory.quadrature import (
    Quadrature as Quadrature,
    piecewise_quadrature as piecewise_quadrature,
    product_quadrature as product_quadrature,
    quadrature as quadrature,
)
from theory.samples.frechet import (
    FrechetDistance as FrechetDistance,
    frechet_bias as frechet_bias,
    frechet_distance as frechet_distance,
)
from theory.samples.kernels import (
    gaussian_kernel as gaussian_kernel,
    mmd2_gaussian as mmd2_gaussian,
    mmd2_unbiased as mmd2_unbiased,
    polynomial_kernel as polynomial_kernel,
)
from theory.samples.modes import (
    ModeCoverage as ModeCoverage,
    high_quality_share as high_quality_share,
    mode_coverage as mode_coverage,
    occupancy as occupancy,
)
from theory.samples.neighbour_search import (
    Neighbours as Neighbours,
    nearest_neighbours as nearest_neighbours,
)
from theory.samples.neighbours import (
    PRDC as PRDC,
    equal_laws_coverage as equal_laws_coverage,
    memorised_share as memorised_share,
    nearest_neighbour_ratios as nearest_neighbour_ratios,
    prdc as prdc,
)
from theory.samples.ranking import ndcg_at_k as ndcg_at_k, recall_at_k as recall_at_k
from theory.transport.closed_form import (
    wasserstein1_normal as wasserstein1_normal,
    wasserstein2_gaussian as wasserstein2_gaussian,
    wasserstein_1d as wasserstein_1d,
    wasserstein_1d_quantiles as wasserstein_1d_quantiles,
)
from theory.transport.duality import (
    Critic as Critic,
    DualityCheck as DualityCheck,
    Potentials as Potentials,
    c_transform as c_transform,
    check_duality as check_duality,
    dual_potentials as dual_potentials,
    kantorovich_rubinstein as kantorovich_rubinstein,
    lipschitz_extension as lipschitz_extension,
)
from theory.transport.entropic import (
    EntropicPlan as EntropicPlan,
    entropic_gaussian as entropic_gaussian,
    sinkhorn as sinkhorn,
    sinkhorn_divergence as sinkhorn_divergence,
)
from theory.transport.plans import (
    Move as Move,
    TransportPlan as TransportPlan,
    moves as moves,
    optimal_transport as optimal_transport,
    piles_of_dirt as piles_of_dirt,
    wasserstein as wasserstein,
)
from theory.transport.sliced import (
    slice_directions as slice_directions,
    sliced_shift_factor as sliced_shift_factor,
    sliced_wasserstein as sliced_wasserstein,
    sliced_wasserstein2_isotropic as sliced_wasserstein2_isotropic,
)
