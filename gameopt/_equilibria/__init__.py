"""Equilibria: classification, spectra, rotation, gaps."""
