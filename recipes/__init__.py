"""Experiments, one to a file: `python -m recipes.NAME`; `python -m recipes` lists them."""

from recipes._runtime.start import check_start

check_start()
del check_start
