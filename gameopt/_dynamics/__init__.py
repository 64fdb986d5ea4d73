"""Dynamics of solvers: rates, step sizes, flows, cycles."""
