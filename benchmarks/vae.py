"""Training steps of a VAE: gameopt, the same loop by hand in JAX, PyTorch.

    python benchmarks/vae.py                  # 784-400-40 on bits, batch 100
    python benchmarks/vae.py --kind conv      # 28x28 through 4x4 kernels, 32 and 64 channels
    python benchmarks/vae.py --compiled       # torch.compile too

One step draws a batch and a code for each of its points, and moves both networks by Adam. All
are timed in one run, in turn, so that a drift of the machine's speed meets all; the ratios are of
the medians, with the range of the pairwise ratios beside them. By hand means nothing but JAX, optax
and, of conv, `models.convolve`'s networks. What is not installed is left out.
"""

import argparse
import functools
import itertools
import statistics

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from _race import matrix_rate, race, ratio, table

import gameopt as go
import models
from recipes._latent.elbo import TimedModel, VariationalGame

SIDE, WIDTH, CODE, BATCH, CHANNELS = 28, 400, 40, 100, 32
RATE = 1e-3


def networks(kind, key):
    """Encoder and decoder without their laws."""
    key_x, key_y = jax.random.split(key)
    shape = (SIDE, SIDE)
    if kind == "conv":
        return (
            models.dcgan_encoder(shape, 2 * CODE, width=CHANNELS, key=key_y),
            models.dcgan_generator(
                CODE, shape, width=CHANNELS, key=key_x, norm="none", bounded=False
            ),
        )
    return (
        models.mlp_encoder(shape, 2 * CODE, width=WIDTH, depth=1, key=key_y),
        models.mlp_generator(CODE, shape, width=WIDTH, depth=1, key=key_x, bounded=False),
    )


def with_gameopt(points, setting):
    """`setting.steps` steps, by `rollout`."""
    encoder, decoder = networks(setting.kind, jax.random.key(0))
    model = models.LatentModel(
        models.StandardNormalPrior(CODE), decoder, models.BernoulliLikelihood()
    )
    game = VariationalGame(
        go.Samples(points), BATCH, 1, "elbo", False,
        jnp.float32(1.0), jnp.int32(0), jnp.float32(0.0),
    )  # fmt: skip
    solver = go.Simultaneous(go.Players(optax.adam(RATE), optax.adam(RATE)))
    players = go.Players(TimedModel(model), models.GaussianEncoder(encoder))
    key = jax.random.key(1)
    last = go.rollout(game, solver, players, setting.steps, key=key, every=setting.steps)

    def run():
        nonlocal last
        last = go.rollout(
            game, solver, last.players, setting.steps, key=key, state=last.state, start=last.round,
            every=setting.steps,
        )  # fmt: skip
        jax.block_until_ready(jax.tree.leaves(go.playable(last.players)))

    return run


def by_hand(points, setting):
    """The same loop with nothing but JAX and optax around the networks."""
    both, rest = eqx.partition(networks(setting.kind, jax.random.key(0)), eqx.is_array)

    def loss(both, key):
        encoder, decoder = eqx.combine(both, rest)
        key_rows, key_noise = jax.random.split(key)
        batch = points[jax.random.randint(key_rows, (BATCH,), 0, len(points))]
        mean, log_deviation = jnp.split(jax.vmap(encoder)(batch), 2, axis=1)
        codes = mean + jnp.exp(log_deviation) * jax.random.normal(key_noise, mean.shape)
        logits = jax.vmap(decoder)(codes)
        fit = jnp.sum(batch * logits - jax.nn.softplus(logits)) / BATCH
        kl = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_deviation) - 1 - 2 * log_deviation) / BATCH
        return kl - fit

    optimizer = optax.adam(RATE)

    def step(carry, key):
        both, state = carry
        updates, state = optimizer.update(jax.grad(loss)(both, key), state)
        return (optax.apply_updates(both, updates), state), None

    @functools.partial(jax.jit, donate_argnums=0)
    def steps(carry, key):
        return jax.lax.scan(step, carry, jax.random.split(key, setting.steps))[0]

    carry, key = steps((both, optimizer.init(both)), jax.random.key(2)), jax.random.key(3)

    def run():
        nonlocal carry, key
        key = jax.random.fold_in(key, 0)
        carry = jax.block_until_ready(steps(carry, key))

    return run


def with_torch(points, setting, compiled=False):
    """The same loop in PyTorch."""
    import torch
    from torch import nn

    if setting.kind == "conv":
        encoder = nn.Sequential(
            nn.Unflatten(1, (1, SIDE)), nn.Conv2d(1, CHANNELS, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(CHANNELS, 2 * CHANNELS, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(),
            nn.Linear(2 * CHANNELS * 49, 2 * CODE),
        )  # fmt: skip
        decoder = nn.Sequential(
            nn.Linear(CODE, 2 * CHANNELS * 49), nn.Unflatten(1, (2 * CHANNELS, 7, 7)), nn.ReLU(),
            nn.ConvTranspose2d(2 * CHANNELS, CHANNELS, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(CHANNELS, 1, 4, 2, 1), nn.Flatten(1, 2),
        )  # fmt: skip
    else:
        encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(SIDE**2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2 * CODE)
        )
        decoder = nn.Sequential(
            nn.Linear(CODE, WIDTH), nn.ReLU(), nn.Linear(WIDTH, SIDE**2),
            nn.Unflatten(1, (SIDE, SIDE)),
        )  # fmt: skip
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    encoder, decoder = encoder.to(device), decoder.to(device)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    data = torch.from_numpy(np.asarray(points).copy()).to(device)

    def loss_of(batch, noise):
        mean, log_deviation = encoder(batch).chunk(2, dim=1)
        logits = decoder(mean + torch.exp(log_deviation) * noise)
        logits = logits.reshape(batch.shape)
        fit = nn.functional.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
        kl = 0.5 * (mean**2 + torch.exp(2 * log_deviation) - 1 - 2 * log_deviation).sum()
        return (fit + kl) / BATCH

    loss_of = torch.compile(loss_of) if compiled else loss_of

    def run():
        for _ in range(setting.steps):
            batch = data[torch.randint(0, len(data), (BATCH,), device=device)]
            loss = loss_of(batch, torch.randn(BATCH, CODE, device=device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    run()
    return run


def operations(kind):
    """Floating-point operations in the products of one step."""
    if kind == "dense":
        encoder, decoder = [SIDE**2, WIDTH, 2 * CODE], [CODE, WIDTH, SIDE**2]
        forward = sum(2 * n * m for part in (encoder, decoder) for n, m in itertools.pairwise(part))
        return BATCH * (3 * forward - 2 * SIDE**2 * WIDTH)
    # Kernels of 4x4: every output of a convolution, every input of a transposed one.
    first, second = 14 * 14 * 16 * CHANNELS, 7 * 7 * 16 * CHANNELS * 2 * CHANNELS
    dense = 2 * CHANNELS * 49 * 2 * CODE + CODE * 2 * CHANNELS * 49
    return BATCH * 2 * (3 * (2 * first + 2 * second + dense) - first)


def main():
    parser = argparse.ArgumentParser(description="A VAE: gameopt against its peers")
    parser.add_argument("--kind", choices=("dense", "conv"), default="dense")
    parser.add_argument("--steps", type=int, default=None, help="steps in a timed run")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too")
    setting = parser.parse_args()
    setting.steps = setting.steps or (200 if setting.kind == "dense" else 20)
    bits = np.random.default_rng(0).random((8192, SIDE, SIDE)) < 0.2
    points = jnp.asarray(bits, jnp.float32)
    contestants = {
        "gameopt": with_gameopt(points, setting), "JAX by hand": by_hand(points, setting)
    }  # fmt: skip
    try:
        contestants["PyTorch"] = with_torch(points, setting)
        if setting.compiled:
            contestants["PyTorch, compiled"] = with_torch(points, setting, compiled=True)
    except ImportError:
        print("PyTorch is not installed here: left out. pip install torch")
    seconds = race(contestants, setting.repeats)
    rows = []
    for name, theirs in seconds.items():
        rate = setting.steps / statistics.median(theirs)
        gflops = rate * operations(setting.kind) / 1e9
        rows.append([name, f"{rate:.0f}", f"{gflops:.0f}", ratio(seconds["gameopt"], theirs)])
    table(["", "steps/s (median)", "GFLOP/s", "gameopt is ... times as fast (pairs)"], rows)
    print(f"a step has {operations(setting.kind) / 1e9:.2f} GFLOP; this machine does a 1024 x 1024")
    print(f"product at {matrix_rate() / 1e9:.0f} GFLOP/s, on {jax.devices()[0].device_kind}")


if __name__ == "__main__":
    main()
