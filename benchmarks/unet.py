"""Training and sampling of a diffusion model's UNet: gameopt and PyTorch.

    python benchmarks/unet.py                 # 28x28, 32 and 64 channels, batch 64
    python benchmarks/unet.py --compiled      # torch.compile too
    python benchmarks/unet.py --size 64 --channels 3 --width 64 --multipliers 1 2 2 4 --half \
        --compiled                            # for a GPU: bfloat16, against torch.compile

A training step draws levels and noise for a batch, and moves the network by Adam; a sample is a
batch through the steps of DDIM. Both networks are the same, layer by layer. All are timed in one
run, in turn, so that a drift of the machine's speed meets all, each in a process of its own; the
ratios are of the medians, with the range of the pairwise ratios beside them. What is not installed
is left out.
"""

import argparse
import importlib.util
import statistics

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from _race import matrix_rate, race_apart, ratio, table
from _unet_peers import torch_runs

import gameopt as go
import models
import theory

RATE = 1e-3


class DenoisingGame(go.OnePlayerGame):
    """The mean loss of a batch, at times between those of little noise and of little data."""

    points: jax.Array
    batch: int = eqx.field(static=True)

    def loss(self, x, key=None):
        assert key is not None
        key_rows, key_time, key_noise = jax.random.split(key, 3)
        points = self.points[jax.random.randint(key_rows, (self.batch,), 0, len(self.points))]
        times = jax.random.uniform(key_time, (self.batch,), minval=0.001, maxval=0.999)
        noise = jax.random.normal(key_noise, points.shape)
        loss = lambda *one: models.denoising_loss(x, *one)
        return jnp.mean(jax.vmap(loss)(points, theory.Cosine().level(times), noise))


def denoiser(setting):
    """The network, in half precision if that is asked for, as a denoiser."""
    network = models.UNet(
        setting.shape, width=setting.width, multipliers=setting.multipliers, key=jax.random.key(0)
    )
    return models.Denoiser(models.in_half_precision(network) if setting.half else network, "v")


def training(points, setting):
    """`setting.steps` steps, by `rollout`."""
    game = DenoisingGame(jnp.asarray(points), setting.batch)
    solver, key = go.descent(optax.adam(RATE)), jax.random.key(1)
    players = go.Players(denoiser(setting), None)
    last = go.rollout(game, solver, players, setting.steps, key=key, every=setting.steps)

    def run():
        nonlocal last
        last = go.rollout(
            game, solver, last.players, setting.steps, key=key, state=last.state, start=last.round,
            every=setting.steps,
        )  # fmt: skip
        jax.block_until_ready(jax.tree.leaves(go.playable(last.players)))

    return run


def sampling(setting):
    """One batch through `setting.sampler_steps` steps of DDIM."""
    levels = theory.Cosine().levels(setting.sampler_steps)
    levels = jax.tree.map(lambda part: part.astype(jnp.float32), levels)

    @eqx.filter_jit
    def sample(denoise, key):
        def one(key):
            begin = models.start(levels, setting.shape, key)
            return models.reverse_process(models.DDIM(), denoise, levels, begin, key).x

        return jax.vmap(one)(jax.random.split(key, setting.batch))

    trained, key = denoiser(setting), jax.random.key(2)
    run = lambda: jax.block_until_ready(sample(trained, key))
    run()
    return run


def prepared(name, setting):
    """The two tasks of one framework."""
    points = np.random.default_rng(0).normal(size=(4096, *setting.shape)).astype(np.float32)
    if name == "gameopt":
        runs = training(points, setting), sampling(setting)
    else:
        runs = torch_runs(points, setting, name.endswith("compiled"))
    return {"training": runs[0], "sampling": runs[1]}


def main():
    parser = argparse.ArgumentParser(description="A UNet as a denoiser: gameopt against PyTorch")
    parser.add_argument("--size", type=int, default=28, help="pixels a side")
    parser.add_argument("--channels", type=int, default=1, help="of the images; 1 for grey")
    parser.add_argument("--width", type=int, default=32, help="channels of the first hidden image")
    parser.add_argument("--multipliers", type=int, nargs="+", default=[1, 2], help="of its levels")
    parser.add_argument("--batch", type=int, default=64, help="images a step, and a sample")
    parser.add_argument("--steps", type=int, default=5, help="training steps in a timed run")
    parser.add_argument("--sampler-steps", type=int, default=50, help="steps of DDIM")
    parser.add_argument("--repeats", type=int, default=9, help="timed runs of each")
    parser.add_argument("--half", action="store_true", help="bfloat16")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too")
    setting = parser.parse_args()
    setting.shape = (setting.size, setting.size, setting.channels)
    names = ["gameopt"]
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed here: left out. pip install torch")
    else:
        names += ["PyTorch", "PyTorch, compiled"] if setting.compiled else ["PyTorch"]
    times = race_apart(prepared, names, (setting,), setting.repeats)
    for what, seconds in times.items():
        count = setting.steps if what == "training" else 1
        rows = [
            [name, f"{statistics.median(own) / count * 1e3:.1f}", ratio(seconds["gameopt"], own)]
            for name, own in seconds.items()
        ]
        unit = "ms a step" if what == "training" else "ms a batch of samples"
        table([what, f"{unit} (median)", "gameopt is ... times as fast (pairs)"], rows)
    print(f"this machine does a 1024 x 1024 product at {matrix_rate() / 1e9:.0f} GFLOP/s, on")
    print(jax.devices()[0].device_kind)


if __name__ == "__main__":
    main()
