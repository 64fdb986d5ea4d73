"""Equinox modules: generators, critics, and the layers that make them."""

from models.gan import mlp_critic as mlp_critic, mlp_generator as mlp_generator
from models.layers import BatchNorm as BatchNorm, Linear as Linear, Maxout as Maxout
from models.mlp import MLP as MLP
from models.pacgan import (
    MaxoutCritic as MaxoutCritic,
    NormalisedGenerator as NormalisedGenerator,
    maxout_critic as maxout_critic,
    normalised_generator as normalised_generator,
)
from models.spectral import SpectralLinear as SpectralLinear, operator_norm as operator_norm
from models.tabular import (
    ConditionalLatent as ConditionalLatent,
    TabularGenerator as TabularGenerator,
    gumbel_softmax as gumbel_softmax,
    tabular_generator as tabular_generator,
)
