"""WGAN-GP with two 3x512 MLPs on 784 pixels: gameopt, the same loop by hand in JAX, PyTorch.

    python benchmarks/wgan_gp_mlp.py            # PyTorch is left out where it is not installed

One iteration is 5 critic steps and 1 generator step on batches of 64, with Adam. All are timed in
one run on the same threads, in turn, so that a drift of the machine's speed meets all of them; the
ratios are of the medians, with the range of the pairwise ratios beside them. Beside the rates stand
the floating-point operations of the matrix products alone, and the rate at which this machine does
a large matrix product: what is left between the two is the most that any program could still gain.
"""

import argparse
import functools
import itertools
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _race import matrix_rate, race, ratio, table

import gameopt as go
from models import mlp_critic, mlp_generator

PIXELS, LATENT, WIDTH, DEPTH, BATCH, CRITIC_STEPS, ITERATIONS = 784, 128, 512, 3, 64, 5, 10
WEIGHT = 10.0


def adam():
    return optax.adam(1e-4, b1=0.5, b2=0.9)


def with_gameopt(points):
    """Seconds for `ITERATIONS` iterations, by `rollout`."""
    key_x, key_y, key = jax.random.split(jax.random.key(0), 3)
    game = go.WassersteinGAN(
        go.Samples(points), go.NormalLatent((LATENT,)), BATCH, go.GradientPenalty(WEIGHT)
    )
    players = go.Players(
        mlp_generator(LATENT, (PIXELS,), width=WIDTH, depth=DEPTH, key=key_x),
        mlp_critic((PIXELS,), width=WIDTH, depth=DEPTH, key=key_y),
    )
    solver = go.Alternating(
        go.Players(adam(), adam()), order=("y", "x"), inner_steps=go.Players(1, CRITIC_STEPS)
    )
    last = go.rollout(game, solver, players, ITERATIONS, key=key)

    def run():
        nonlocal last
        last = go.rollout(
            game, solver, last.players, ITERATIONS, key=key, state=last.state, start=last.round
        )
        jax.block_until_ready(last.players.y.layers[0].weight)

    return run


def by_hand(points):
    """The same loop with nothing but JAX and optax."""

    def layers(key, sizes):
        keys = jax.random.split(key, len(sizes) - 1)
        init = jax.nn.initializers.he_uniform()
        return [
            (init(k, (n, m)), jnp.zeros(m)) for k, n, m in zip(keys, sizes, sizes[1:], strict=False)
        ]

    def forward(params, x):
        for weight, bias in params[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        return x @ params[-1][0] + params[-1][1]

    def critic(params, x):
        return forward(params, x)[:, 0]

    def generate(params, z):
        return jnp.tanh(forward(params, z))

    def critic_loss(y, x, key):
        key_data, key_latent, key_mix = jax.random.split(key, 3)
        real = points[jax.random.randint(key_data, (BATCH,), 0, len(points))]
        fake = generate(x, jax.random.normal(key_latent, (BATCH, LATENT)))
        mix = jax.random.uniform(key_mix, (BATCH, 1))
        between = mix * real + (1 - mix) * fake
        slopes = jax.grad(lambda b: critic(y, b).sum())(between)
        norms = jnp.sqrt(jnp.sum(slopes**2, axis=1) + 1e-12)
        penalty = WEIGHT * jnp.mean((norms - 1) ** 2)
        return jnp.mean(critic(y, fake)) - jnp.mean(critic(y, real)) + penalty

    def generator_loss(x, y, key):
        return -jnp.mean(critic(y, generate(x, jax.random.normal(key, (BATCH, LATENT)))))

    optimizer = adam()

    def critic_step(carry, key):
        x, y, state = carry
        gradient = jax.grad(critic_loss)(y, x, key)
        updates, state = optimizer.update(gradient, state)
        return (x, optax.apply_updates(y, updates), state), None

    def iteration(carry, key):
        x, y, state_x, state_y = carry
        key_x, key_y = jax.random.split(key)
        keys = jax.random.split(key_y, CRITIC_STEPS)
        (x, y, state_y), _ = jax.lax.scan(critic_step, (x, y, state_y), keys)
        updates, state_x = optimizer.update(jax.grad(generator_loss)(x, y, key_x), state_x)
        return (optax.apply_updates(x, updates), y, state_x, state_y), None

    @functools.partial(jax.jit, donate_argnums=0)
    def iterations(carry, key):
        return jax.lax.scan(iteration, carry, jax.random.split(key, ITERATIONS))[0]

    x = layers(jax.random.key(1), [LATENT, *[WIDTH] * DEPTH, PIXELS])
    y = layers(jax.random.key(2), [PIXELS, *[WIDTH] * DEPTH, 1])
    carry = (x, y, optimizer.init(x), optimizer.init(y))
    key = jax.random.key(3)
    carry = iterations(carry, key)

    def run():
        nonlocal carry, key
        key = jax.random.fold_in(key, 0)
        carry = jax.block_until_ready(iterations(carry, key))

    return run


def with_torch(points, compiled=False):
    """The same loop in PyTorch, on the CPU."""
    import torch
    from torch import nn

    def mlp(sizes, end):
        parts = []
        for n, m in itertools.pairwise(sizes[:-1]):
            parts += [nn.Linear(n, m), nn.ReLU()]
        return nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]), *end)

    generator = mlp([LATENT, *[WIDTH] * DEPTH, PIXELS], [nn.Tanh()])
    critic = mlp([PIXELS, *[WIDTH] * DEPTH, 1], [])
    settings = {"lr": 1e-4, "betas": (0.5, 0.9)}
    optimizer_x = torch.optim.Adam(generator.parameters(), **settings)
    optimizer_y = torch.optim.Adam(critic.parameters(), **settings)
    data = torch.from_numpy(np.asarray(points).copy())

    def critic_step():
        real = data[torch.randint(0, len(data), (BATCH,))]
        with torch.no_grad():
            fake = generator(torch.randn(BATCH, LATENT))
        mix = torch.rand(BATCH, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = WEIGHT * ((slopes.norm(dim=1) - 1) ** 2).mean()
        loss = critic(fake).mean() - critic(real).mean() + penalty
        optimizer_y.zero_grad(set_to_none=True)
        loss.backward()
        optimizer_y.step()

    def generator_step():
        loss = -critic(generator(torch.randn(BATCH, LATENT))).mean()
        optimizer_x.zero_grad(set_to_none=True)
        loss.backward()
        optimizer_x.step()

    def run():
        for _ in range(ITERATIONS):
            for _ in range(CRITIC_STEPS):
                critic_step()
            generator_step()

    run()
    return run


def operations():
    """Floating-point operations in the matrix products of one iteration."""
    forward = lambda sizes: sum(2 * BATCH * n * m for n, m in itertools.pairwise(sizes))
    generator = forward([LATENT, *[WIDTH] * DEPTH, PIXELS])
    critic = forward([PIXELS, *[WIDTH] * DEPTH, 1])
    to_input = 2 * BATCH * PIXELS * WIDTH  # the first layer's share, where no gradient leaves it
    # Two batches forward and back to the weights; then the penalty: forward, back to the points,
    # and through that once more, to the weights and along.
    critic_step = generator + 2 * (3 * critic - to_input) + 4 * critic
    generator_step = 3 * generator + 2 * critic
    return CRITIC_STEPS * critic_step + generator_step


def main():
    parser = argparse.ArgumentParser(description="WGAN-GP: gameopt against its peers")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each")
    repeats = parser.parse_args().repeats
    points = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4096, PIXELS)), jnp.float32)
    contestants = {"gameopt": with_gameopt(points), "JAX by hand": by_hand(points)}
    try:
        contestants["PyTorch"] = with_torch(points)
    except ImportError:
        print("PyTorch is not installed here: left out. pip install torch")
    seconds = race(contestants, repeats)
    rows = []
    for name, theirs in seconds.items():
        rate = ITERATIONS / statistics.median(theirs)
        gflops = rate * operations() / 1e9
        rows.append([name, f"{rate:.1f}", f"{gflops:.0f}", ratio(seconds["gameopt"], theirs)])
    table(["", "it/s (median)", "GFLOP/s", "gameopt is ... times as fast (pairs)"], rows)
    rate = matrix_rate()
    print(
        f"an iteration has {operations() / 1e9:.1f} GFLOP of matrix products; this machine does a"
    )
    print(
        f"1024 x 1024 product at {rate / 1e9:.0f} GFLOP/s: {rate / operations():.1f} it/s at most"
    )


if __name__ == "__main__":
    main()
