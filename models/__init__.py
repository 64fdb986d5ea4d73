"""Equinox modules: generators, critics, and the layers that make them."""

from models.augmentation import (
    Brightness as Brightness,
    Composition as Composition,
    Contrast as Contrast,
    Cutout as Cutout,
    DiffAugment as DiffAugment,
    Flip as Flip,
    Saturation as Saturation,
    Translation as Translation,
    flip_and_shift as flip_and_shift,
)
from models.convolution.geometry import Geometry as Geometry, geometry as geometry
from models.convolution.trilinear import (
    convolve as convolve,
    transposed_convolve as transposed_convolve,
)
from models.diffusion.ancestral import DDIM as DDIM, Ancestral as Ancestral
from models.diffusion.continuous import (
    first_time as first_time,
    probability_flow as probability_flow,
    reverse_sde as reverse_sde,
)
from models.diffusion.denoisers import Denoiser as Denoiser
from models.diffusion.guidance import (
    ClassifierFree as ClassifierFree,
    ClassifierGuided as ClassifierGuided,
)
from models.diffusion.integration import Trajectory as Trajectory
from models.diffusion.inverse import (
    Entries as Entries,
    InverseGuided as InverseGuided,
    LinearObservation as LinearObservation,
    Pooled as Pooled,
)
from models.diffusion.inversion import (
    interpolation as interpolation,
    invert as invert,
    spherical as spherical,
)
from models.diffusion.likelihood import (
    LogLikelihood as LogLikelihood,
    log_likelihood as log_likelihood,
)
from models.diffusion.loss import denoising_loss as denoising_loss
from models.diffusion.replacement import Replacement as Replacement
from models.diffusion.samplers import (
    AbstractSampler as AbstractSampler,
    ReverseProcess as ReverseProcess,
    Step as Step,
    reverse_process as reverse_process,
    start as start,
)
from models.diffusion.second_order import DPMSolver2M as DPMSolver2M, Heun as Heun
from models.diffusion.time_embedding import TimeEmbedding as TimeEmbedding
from models.diffusion.time_mlp import TimeMLP as TimeMLP
from models.diffusion.unet import UNet as UNet
from models.latent.gaussian import (
    DiagonalGaussian as DiagonalGaussian,
    MixturePrior as MixturePrior,
    StandardNormalPrior as StandardNormalPrior,
    VampPrior as VampPrior,
)
from models.latent.likelihoods import (
    AbstractLikelihood as AbstractLikelihood,
    BernoulliLikelihood as BernoulliLikelihood,
    CategoricalLikelihood as CategoricalLikelihood,
    DiscretizedLogisticLikelihood as DiscretizedLogisticLikelihood,
    GaussianLikelihood as GaussianLikelihood,
    LearnedGaussianLikelihood as LearnedGaussianLikelihood,
)
from models.latent.vae import (
    GaussianEncoder as GaussianEncoder,
    LabelledEncoder as LabelledEncoder,
    LatentModel as LatentModel,
    labelled_shape as labelled_shape,
)
from models.layers.attention import (
    CausalAttention as CausalAttention,
    Memory as Memory,
    SelfAttention as SelfAttention,
)
from models.layers.codebook import (
    AbstractCodebook as AbstractCodebook,
    CodeAverages as CodeAverages,
    Codebook as Codebook,
    MovingCodebook as MovingCodebook,
    straight_through as straight_through,
)
from models.layers.combinators import (
    Chain as Chain,
    Elementwise as Elementwise,
    Reshape as Reshape,
    Residual as Residual,
    Skip as Skip,
)
from models.layers.conv import (
    Conv2d as Conv2d,
    ConvTranspose2d as ConvTranspose2d,
    Resize as Resize,
    average_pool as average_pool,
)
from models.layers.linear import (
    LeakyReLU as LeakyReLU,
    Linear as Linear,
    Maxout as Maxout,
    SpectralLinear as SpectralLinear,
    operator_norm as operator_norm,
)
from models.layers.normalisation import (
    BatchNorm as BatchNorm,
    GroupNorm as GroupNorm,
    Statistics as Statistics,
)
from models.layers.spectral_conv import SpectralConv2d as SpectralConv2d, refreshed as refreshed
from models.networks.code_prior import CodePrior as CodePrior
from models.networks.conditional import (
    AuxiliaryCritic as AuxiliaryCritic,
    ConcatenationCritic as ConcatenationCritic,
    Embedding as Embedding,
    LabelledGenerator as LabelledGenerator,
    OneHot as OneHot,
    ProjectionCritic as ProjectionCritic,
    conditional_dcgan_critic as conditional_dcgan_critic,
    labelled_dcgan_generator as labelled_dcgan_generator,
)
from models.networks.dcgan import (
    dcgan_critic as dcgan_critic,
    dcgan_features as dcgan_features,
    dcgan_generator as dcgan_generator,
)
from models.networks.encoders import dcgan_encoder as dcgan_encoder, mlp_encoder as mlp_encoder
from models.networks.mlp import MLP as MLP, mlp_critic as mlp_critic, mlp_generator as mlp_generator
from models.networks.pacgan import (
    MaxoutCritic as MaxoutCritic,
    NormalisedGenerator as NormalisedGenerator,
    maxout_critic as maxout_critic,
    normalised_generator as normalised_generator,
)
from models.networks.sngan import (
    sngan_critic as sngan_critic,
    sngan_features as sngan_features,
    sngan_generator as sngan_generator,
)
from models.networks.tabular import (
    ConditionalLatent as ConditionalLatent,
    TabularGenerator as TabularGenerator,
    gumbel_softmax as gumbel_softmax,
    tabular_generator as tabular_generator,
)
from models.networks.translation import (
    PatchCritic as PatchCritic,
    TranslationUNet as TranslationUNet,
    patch_critic as patch_critic,
    unet_generator as unet_generator,
)
from models.networks.vqvae import (
    CodeDecoder as CodeDecoder,
    vqvae_decoder as vqvae_decoder,
    vqvae_encoder as vqvae_encoder,
)
from models.wrappers.packing import Packed as Packed
from models.wrappers.precision import (
    InPrecision as InPrecision,
    in_half_precision as in_half_precision,
)
from models.wrappers.standing_statistics import with_standing_statistics as with_standing_statistics
