"""Autoencoders and latent-variable models as recipes train and judge them."""
