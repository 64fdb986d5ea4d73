"""The game of a VQ-VAE, and the numbers and pictures of its codes."""
