"""Convolutional GANs: gameopt, the same loop by hand in JAX, PyTorch, and plain Equinox layers.

    python benchmarks/conv_gan.py                     # what is not installed is left out
    python benchmarks/conv_gan.py --game sngan --size 32 --channels 3
    python benchmarks/conv_gan.py --bf16 --compiled   # on a GPU

WGAN-GP: 5 critic steps with a gradient penalty and 1 generator step on batches of 64 with Adam,
DCGAN networks with batch normalisation in the generator. SNGAN: 1 and 1 step of the hinge loss,
spectral normalisation in the discriminator, of the operator in gameopt and of the reshaped kernel
in PyTorch. By hand means nothing but JAX, optax and `models.convolve`. All are timed in one run, in
turn.
Beside the rates stand the operations in the convolutions and matrix products alone, and the rate
at which this machine does a large matrix product.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _conv_peers import by_hand, operations, with_equinox, with_torch
from _race import matrix_rate, race, ratio, table

import gameopt as go
from models import dcgan_critic, dcgan_generator, in_half_precision, refreshed


def optimizers():
    return go.Players(optax.adam(2e-4, b1=0.5, b2=0.9), optax.adam(2e-4, b1=0.5, b2=0.9))


def with_gameopt(points, setting):
    """`setting.iterations` iterations, by `rollout`; returns also the seconds of the first call."""
    begin = time.perf_counter()
    key_x, key_y, key = jax.random.split(jax.random.key(0), 3)
    shape, latent = points.shape[1:], go.NormalLatent((setting.latent,))
    players = go.Players(
        dcgan_generator(setting.latent, shape, width=setting.width, key=key_x),
        dcgan_critic(shape, width=setting.width, key=key_y, spectral=setting.game == "sngan"),
    )
    if setting.bf16:
        players = go.Players(in_half_precision(players.x), in_half_precision(players.y))
    if setting.game == "sngan":
        game = go.HingeGAN(go.Samples(points), latent, setting.batch)
        game = go.constrained(game, y=refreshed)
    else:
        penalty = go.GradientPenalty(10.0)
        game = go.WassersteinGAN(go.Samples(points), latent, setting.batch, penalty)
    steps = go.Players(1, setting.critic_steps)
    solver = go.Alternating(optimizers(), order=("y", "x"), inner_steps=steps)
    play = lambda last: go.rollout(
        game, solver, last.players, setting.iterations, key=key, state=last.state, start=last.round
    )
    last = go.rollout(game, solver, players, setting.iterations, key=key)
    jax.block_until_ready(jax.tree.leaves(go.playable(last.players)))
    first = time.perf_counter() - begin

    def run():
        nonlocal last
        last = play(last)
        jax.block_until_ready(jax.tree.leaves(go.playable(last.players)))

    return run, first


def main():
    parser = argparse.ArgumentParser(description="Convolutional GANs: gameopt against its peers")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of each")
    parser.add_argument("--game", choices=["wgan_gp", "sngan"], default="wgan_gp")
    parser.add_argument("--size", type=int, default=28, help="height and width of the images")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--width", type=int, default=64, help="channels of the widest images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=4, help="iterations in a timed call")
    parser.add_argument("--latent", type=int, default=128)
    parser.add_argument(
        "--bf16", action="store_true", help="half precision, weights in single; not for Equinox"
    )
    parser.add_argument("--compiled", action="store_true", help="torch.compile as well")
    parser.add_argument(
        "--equinox", action="store_true", help="plain Equinox layers too, which takes minutes"
    )
    setting = parser.parse_args()
    setting.critic_steps = 5 if setting.game == "wgan_gp" else 1
    shape = (setting.size, setting.size, setting.channels)
    points = np.random.default_rng(0).uniform(-1, 1, (4096, *shape)).astype(np.float32)
    points = jnp.asarray(points)
    ours, first = with_gameopt(points, setting)
    contestants = {"gameopt": ours, "JAX by hand": by_hand(points, setting)}
    try:
        contestants["PyTorch"] = with_torch(points, setting)
        if setting.compiled:
            contestants["PyTorch, compiled"] = with_torch(points, setting, compiled=True)
    except ImportError:
        print("PyTorch is not installed here: left out. pip install torch")
    seconds = race(contestants, setting.repeats)
    if setting.equinox:
        run, iterations = with_equinox(points, setting)
        scale = setting.iterations / iterations
        seconds["Equinox layers"] = [t * scale for t in race({"": run}, 2)[""]]
    work, limit = operations(setting), matrix_rate()
    rows = []
    for name, theirs in seconds.items():
        rate = setting.iterations / statistics.median(theirs)
        few = seconds["gameopt"][: len(theirs)]
        share = f"{100 * rate * work / limit:.0f} %"
        rows.append([name, f"{rate:.2f}", f"{rate * work / 1e9:.0f}", share, ratio(few, theirs)])
    print(
        f"{setting.game}, {'x'.join(map(str, shape))}, {setting.width} channels, "
        f"{'bfloat16' if setting.bf16 else 'float32'}, {jax.devices()[0]}"
    )
    table(["", "it/s", "GFLOP/s", "of a product's rate", "gameopt is ... times as fast"], rows)
    print(
        f"an iteration has {work / 1e9:.1f} GFLOP; a 1024 x 1024 product runs at {limit / 1e9:.0f}"
    )
    print(f"gameopt's first call, compilation and {setting.iterations} iterations: {first:.1f} s")


if __name__ == "__main__":
    main()
