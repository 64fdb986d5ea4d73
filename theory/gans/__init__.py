"""The theory of GANs: the optimal discriminator, its proof, linear critics."""
