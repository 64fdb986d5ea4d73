"""Certificates of runs and toys."""
