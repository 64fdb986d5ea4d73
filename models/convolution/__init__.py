"""Convolutions as primitives with forms that are fast on each platform."""
