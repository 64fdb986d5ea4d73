"""Divergences between densities, discrete laws, Gaussians, mixtures."""
