"""Distances and scores between samples."""
