"""Layers: linear, convolutional, normalised, combined."""
