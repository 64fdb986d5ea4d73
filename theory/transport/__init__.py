"""Optimal transport: closed forms, exact plans, duality, entropic, sliced."""
