"""Diffusion models: denoisers by networks, and samplers over any denoiser."""
