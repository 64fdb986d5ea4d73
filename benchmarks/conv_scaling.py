"""How a WGAN-GP of DCGAN networks scales: with batch, width, size of the images, and seeds.

    python benchmarks/conv_scaling.py

One thing is changed at a time from 28x28 pixels, batch 64 and 32 channels. Iterations a second (5
critic steps and 1 generator step each), operations a second in convolutions and products, seconds
of the first call, which compiles, and memory that the compiled program takes beside its arguments.
Seeds are players of their own under `vmap`, in one program.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _conv_peers import operations
from _race import matrix_rate, race, table

import gameopt as go
from models import dcgan_critic, dcgan_generator

BASE = {"size": 28, "batch": 64, "width": 32, "seeds": 1}
SWEEPS = {"batch": (16, 64, 256), "width": (16, 32, 64), "size": (8, 28, 64), "seeds": (1, 2, 4)}


def program(setting):
    """A compiled call of `setting.iterations` iterations of every seed, and its arguments."""
    shape = (setting.size, setting.size, 1)
    rng = np.random.default_rng(0)
    points = jnp.asarray(rng.uniform(-1, 1, (1024, *shape)), jnp.float32)
    latent = go.NormalLatent((setting.latent,))
    penalty = go.GradientPenalty(10.0)
    game = go.WassersteinGAN(go.Samples(points), latent, setting.batch, penalty)
    adam = optax.adam(2e-4, b1=0.5, b2=0.9)
    steps = go.Players(1, setting.critic_steps)
    solver = go.Alternating(go.Players(adam, adam), order=("y", "x"), inner_steps=steps)

    def play(game, key):
        key_x, key_y, key = jax.random.split(key, 3)
        players = go.Players(
            dcgan_generator(setting.latent, shape, width=setting.width, key=key_x),
            dcgan_critic(shape, width=setting.width, key=key_y),
        )
        last = go.rollout(game, solver, players, setting.iterations, key=key)
        return go.playable(last.players)

    keys = jax.random.split(jax.random.key(0), setting.seeds)
    every = lambda game, keys: jax.lax.map(lambda k: play(game, k), keys)
    if setting.seeds > 1:
        every = lambda game, keys: jax.vmap(lambda k: play(game, k))(keys)
    return jax.jit(every), (game, keys)


def measured(setting, repeats):
    function, arguments = program(setting)
    begin = time.perf_counter()
    compiled = function.lower(*arguments).compile()
    run = lambda: jax.block_until_ready(compiled(*arguments))
    run()
    first = time.perf_counter() - begin
    seconds = statistics.median(race({"": run}, repeats)[""])
    analysis = compiled.memory_analysis()
    memory = float("nan") if analysis is None else analysis.temp_size_in_bytes / 2**20
    rate = setting.seeds * setting.iterations / seconds
    return rate, rate * operations(setting), first, memory


def main():
    parser = argparse.ArgumentParser(description="How convolutional GANs scale")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each")
    parser.add_argument("--iterations", type=int, default=4, help="iterations in a timed call")
    options = parser.parse_args()
    limit, rows = matrix_rate(), []
    for what, values in SWEEPS.items():
        for value in values:
            own = {**BASE, what: value, "latent": 64, "channels": 1, "critic_steps": 5}
            setting = argparse.Namespace(**own, game="wgan_gp", iterations=options.iterations)
            rate, flops, first, memory = measured(setting, options.repeats)
            share = f"{100 * flops / limit:.0f} %"
            cells = [f"{rate:.2f}", f"{flops / 1e9:.0f}", share, f"{first:.0f} s", f"{memory:.0f}"]
            rows.append([f"{what} {value}", *cells])
    print(f"a 1024 x 1024 product runs at {limit / 1e9:.0f} GFLOP/s")
    header = ["", "iterations / s", "GFLOP/s", "of that", "first call", "MiB"]
    table(header, rows)


if __name__ == "__main__":
    main()
