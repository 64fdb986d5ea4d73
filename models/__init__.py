"""Equinox modules: generators, critics, and the layers that make them."""

from models.gan import mlp_critic as mlp_critic, mlp_generator as mlp_generator
from models.layers import Linear as Linear
from models.mlp import MLP as MLP
from models.spectral import SpectralLinear as SpectralLinear, operator_norm as operator_norm
