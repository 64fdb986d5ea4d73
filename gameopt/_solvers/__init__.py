"""Solvers: a file for each, or for a few of one kind."""
