"""Random numbers from `--seed`: 64 bits of it, in JAX, NumPy and scikit-learn."""

from types import SimpleNamespace

import jax
import numpy as np
from jaxtyping import PRNGKeyArray


def key_of(seed: int) -> PRNGKeyArray:
    """The key of a seed from 0 to 2**64 - 1; distinct seeds have distinct keys.

    Without 64-bit integers `jax.random.key` drops the upper half, so that 2**32 would be the run of
    0. Below 2**32 the keys are the same.
    """
    with jax.enable_x64(True):
        return jax.random.key(np.uint64(seed))


def random_state(seed: int) -> int | np.random.RandomState:
    """A seed as scikit-learn takes it: itself below 2**32, and a generator of its own above."""
    if seed < 2**32:
        return seed
    return np.random.RandomState([seed % 2**32, seed >> 32])


def keys_of(seed: int, *names: str) -> SimpleNamespace:
    """Independent keys of a seed, an attribute for each name; those before it do not change them.

    `keys_of(0, "players", "play").play`
    """
    keys = jax.random.split(key_of(seed), len(names))
    return SimpleNamespace(**dict(zip(names, keys, strict=True)))
