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
from models.combinators import (
    Chain as Chain,
    Elementwise as Elementwise,
    Reshape as Reshape,
    Residual as Residual,
    Skip as Skip,
)
from models.conditional import (
    Embedding as Embedding,
    LabelledGenerator as LabelledGenerator,
    OneHot as OneHot,
    labelled_dcgan_generator as labelled_dcgan_generator,
)
from models.conditional_critics import (
    AuxiliaryCritic as AuxiliaryCritic,
    ConcatenationCritic as ConcatenationCritic,
    ProjectionCritic as ProjectionCritic,
    conditional_dcgan_critic as conditional_dcgan_critic,
)
from models.conv_layers import (
    Conv2d as Conv2d,
    ConvTranspose2d as ConvTranspose2d,
    Resize as Resize,
    average_pool as average_pool,
)
from models.convolution import (
    convolve as convolve,
    transposed_convolve as transposed_convolve,
)
from models.dcgan import (
    dcgan_critic as dcgan_critic,
    dcgan_features as dcgan_features,
    dcgan_generator as dcgan_generator,
)
from models.gan import mlp_critic as mlp_critic, mlp_generator as mlp_generator
from models.geometry import Geometry as Geometry, geometry as geometry
from models.layers import LeakyReLU as LeakyReLU, Linear as Linear, Maxout as Maxout
from models.mlp import MLP as MLP
from models.normalisation import (
    BatchNorm as BatchNorm,
    GroupNorm as GroupNorm,
    Statistics as Statistics,
)
from models.pacgan import (
    MaxoutCritic as MaxoutCritic,
    NormalisedGenerator as NormalisedGenerator,
    maxout_critic as maxout_critic,
    normalised_generator as normalised_generator,
)
from models.packing import Packed as Packed
from models.precision import (
    InPrecision as InPrecision,
    in_half_precision as in_half_precision,
)
from models.sngan import (
    sngan_critic as sngan_critic,
    sngan_features as sngan_features,
    sngan_generator as sngan_generator,
)
from models.spectral import SpectralLinear as SpectralLinear, operator_norm as operator_norm
from models.spectral_convolution import SpectralConv2d as SpectralConv2d, refreshed as refreshed
from models.standing_statistics import with_standing_statistics as with_standing_statistics
from models.tabular import (
    ConditionalLatent as ConditionalLatent,
    TabularGenerator as TabularGenerator,
    gumbel_softmax as gumbel_softmax,
    tabular_generator as tabular_generator,
)
from models.translation import (
    PatchCritic as PatchCritic,
    UNet as UNet,
    patch_critic as patch_critic,
    unet_generator as unet_generator,
)
