"""Modules that wrap networks: packing, precision, standing statistics."""
