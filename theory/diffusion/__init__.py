"""Diffusion models: interpolants of data and noise, exact denoisers, exact laws of samplers."""
