"""Latent-variable models: laws of observations and of latents, variational autoencoders."""
