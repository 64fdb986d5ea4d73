"""Rates and drift of solvers in closed form."""
