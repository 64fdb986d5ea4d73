"""Convolutions alone, inside a scan: forward, gradient, gradient of a gradient's norm.

    python benchmarks/conv_layers.py         # PyTorch is left out where it is not installed

Two convolutions with a leaky ReLU in between, batch 64: two of 3x3 on 28x28x64, and two of 4x4
with stride 2 as in a DCGAN. Each is done by `models.Conv2d`, by `eqx.nn.Conv2d` (XLA's own
convolution) and by PyTorch; in JAX four times in one scan. All are timed in one run, in turn.
"""

import argparse
import functools
import itertools
import statistics
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _race import race, ratio, table

from models import Chain, Conv2d, LeakyReLU

BATCH, SLOPE, TIMES = 64, 0.2, 4
NETWORKS = {
    "3x3, 64 to 64 to 64 channels, 28x28": (28, (64, 64, 64), 3, 1),
    "4x4 stride 2, 1 to 64 to 128, 28x28": (28, (1, 64, 128), 4, 2),
    "4x4 stride 2, 3 to 64 to 128, 64x64": (64, (3, 64, 128), 4, 2),
}
"""Size, channels, kernel and stride."""
WHAT = ("forward", "gradient", "gradient of a penalty")


def score(network, points):
    """One number for each image."""
    return jnp.sum(jax.vmap(network)(points), axis=(1, 2, 3))


def loss(what: str, network, points):
    if what == "gradient of a penalty":
        slopes = jax.grad(lambda x: score(network, x).sum())(points)
        return jnp.mean((jnp.sqrt(jnp.sum(slopes**2, axis=(1, 2, 3))) - 1) ** 2)
    return jnp.mean(score(network, points) ** 2)


def in_a_scan(what: str, network, points) -> Callable[[], None]:
    """The loss or its gradient in the weights, `TIMES` times, each from the one before."""

    def step(carry, _):
        network, points = carry
        if what == "forward":
            return (network, points + 1e-6 * loss(what, network, points)), None
        gradient = eqx.filter_grad(lambda net: loss(what, net, points))(network)
        updates = jax.tree.map(lambda leaf: -1e-6 * leaf, gradient)
        return (eqx.apply_updates(network, updates), points), None

    arrays, static = eqx.partition((network, points), eqx.is_array)

    def play(arrays):
        body = lambda c, t: (eqx.filter(step(eqx.combine(c, static), t)[0], eqx.is_array), None)
        return jax.lax.scan(body, arrays, None, length=TIMES)[0]

    compiled = jax.jit(play)
    return lambda: jax.block_until_ready(compiled(arrays))


def with_torch(what: str, size: int, channels, kernel: int, stride: int) -> Callable[[], None]:
    import torch
    from torch import nn

    layers = [nn.Conv2d(a, b, kernel, stride, 1) for a, b in itertools.pairwise(channels)]
    network = nn.Sequential(layers[0], nn.LeakyReLU(SLOPE), layers[1])
    points = torch.randn(BATCH, channels[0], size, size)

    def run():
        for _ in range(TIMES):
            if what == "forward":
                with torch.no_grad():
                    network(points)
                continue
            network.zero_grad(set_to_none=True)
            x = points.clone().requires_grad_(what != "gradient")
            scores = network(x).sum(dim=(1, 2, 3))
            if what == "gradient":
                (scores**2).mean().backward()
                continue
            (slopes,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
            ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean().backward()

    return run


def contestants(what: str, size: int, channels, kernel: int, stride: int, xla: bool):
    keys = jax.random.split(jax.random.key(0), 3)
    init = jax.nn.initializers.he_normal()
    pairs = list(itertools.pairwise(channels))
    layers = [
        Conv2d(a, b, kernel, init, k, stride=stride, padding=1)
        for (a, b), k in zip(pairs, keys, strict=False)
    ]
    points = jax.random.normal(keys[2], (BATCH, size, size, channels[0]))
    ours = Chain(layers[0], LeakyReLU(SLOPE), layers[1])
    found = {"gameopt": in_a_scan(what, ours, points)}
    if xla:
        make = functools.partial(eqx.nn.Conv2d, kernel_size=kernel, stride=stride, padding=1)
        theirs = [make(a, b, key=k) for (a, b), k in zip(pairs, keys, strict=False)]
        network = Chain(theirs[0], LeakyReLU(SLOPE), theirs[1])
        found["XLA"] = in_a_scan(what, network, jnp.moveaxis(points, -1, 1))
    try:
        found["PyTorch"] = with_torch(what, size, channels, kernel, stride)
    except ImportError:
        print("PyTorch is not installed here: left out. pip install torch")
    return found


def main():
    parser = argparse.ArgumentParser(description="Convolutions: gameopt against its peers")
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each")
    parser.add_argument("--xla", action="store_true", help="XLA's own too, which takes minutes")
    args = parser.parse_args()
    rows, peers = [], []
    for (name, network), what in itertools.product(NETWORKS.items(), WHAT):
        runs = contestants(what, *network, xla=args.xla)
        for run in runs.values():
            run()
        seconds = race(runs, args.repeats)
        ours = seconds.pop("gameopt")
        cells = [name, what, f"{1e3 * statistics.median(ours) / TIMES:.1f} ms"]
        rows.append([*cells, *(ratio(ours, theirs) for theirs in seconds.values())])
        peers = [f"{peer}'s time over it" for peer in seconds]
    print(f"batch {BATCH}, float32, NumPy {np.__version__}, JAX {jax.__version__}")
    table(["convolutions", "what", "gameopt", *peers], rows)


if __name__ == "__main__":
    main()
