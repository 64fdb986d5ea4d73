"""Latent-variable models: the linear-Gaussian one exactly, bounds and estimators of any."""
