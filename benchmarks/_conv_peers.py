"""The peers of `conv_gan.py`: by hand in JAX, PyTorch, and gameopt over plain Equinox layers."""

import functools
import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import gameopt as go
from models import BatchNorm, convolve, geometry, transposed_convolve
from models.networks.dcgan import SLOPE, halvings

WEIGHT, ITERATIONS_OF_EQUINOX = 10.0, 1


def plan(setting):
    """Sizes from small to large, and the channels of the hidden images beside them."""
    sizes = halvings((setting.size, setting.size))[::-1]
    channels = [setting.width * 2**i for i in range(len(sizes) - 1)][::-1]
    return sizes, [*channels, setting.channels]


def operations(setting):
    """Floating-point operations in the convolutions and products of one iteration."""
    sizes, channels = plan(setting)
    convolutions = [
        2 * n * m * 16 * a * b
        for (n, m), a, b in zip(sizes[:-1], channels[:-1], channels[1:], strict=True)
    ]
    flat = 2 * sizes[0][0] * sizes[0][1] * channels[0]
    generator = setting.batch * (sum(convolutions) + flat * setting.latent)
    critic = setting.batch * (sum(convolutions) + flat)
    to_input = setting.batch * convolutions[-1]
    # Two batches forward and back to the weights; the penalty: forward, back to the images, and
    # through that once more.
    step = generator + 2 * (3 * critic - to_input)
    if setting.game == "wgan_gp":
        step += 4 * critic
    return setting.critic_steps * step + 3 * generator + 2 * critic


def by_hand(points, setting):
    """The same loop with nothing but JAX, optax and `models.convolve`."""
    sizes, channels = plan(setting)
    steps = list(zip(sizes[1:], itertools.pairwise(channels), strict=True))
    batch, latent = setting.batch, setting.latent
    spectral = setting.game == "sngan"

    def networks(key):
        keys = iter(jax.random.split(key, 4 * len(sizes)))
        draw = lambda *shape: 0.02 * jax.random.normal(next(keys), shape)
        flat = sizes[0][0] * sizes[0][1] * channels[0]
        norm = lambda n: (jnp.ones(n), jnp.zeros(n))
        x = {
            "first": draw(latent, flat),
            "kernels": [draw(4, 4, b, a) for _, (a, b) in steps],
            "norms": [norm(a) for _, (a, _) in steps],
            "bias": jnp.zeros(channels[-1]),
        }
        y = {
            "kernels": [draw(4, 4, b, a) for _, (a, b) in steps[::-1]],
            "biases": [jnp.zeros(a) for _, (a, _) in steps[::-1]],
            "last": draw(flat, 1),
        }
        directions = [jax.random.normal(next(keys), (*s, b)) for s, (_, b) in steps[::-1]]
        return x, y, directions

    def normalised(image, scale, shift):
        mean = jnp.mean(image, axis=(0, 1, 2))
        variance = jnp.mean((image - mean) ** 2, axis=(0, 1, 2))
        return scale * jax.lax.rsqrt(variance + 1e-5) * (image - mean) + shift

    where = lambda size: geometry(size, (4, 4), 2, 1)
    low = lambda a: a.astype(jnp.bfloat16) if setting.bf16 else a

    def generate(x, z):
        image = (low(z) @ low(x["first"])).reshape(len(z), *sizes[0], channels[0])
        for (size, _), kernel, norm in zip(steps, x["kernels"], x["norms"], strict=True):
            image, kernel = low(jax.nn.relu(normalised(image, *norm))), low(kernel)
            up = lambda i, kernel=kernel, size=size: transposed_convolve(i, kernel, where(size))
            image = jax.vmap(up)(image)
        return jnp.tanh(image + x["bias"])

    unit = lambda a: a / jnp.sqrt(jnp.sum(a**2))

    def norm_of(kernel, direction, size):
        fixed, at = jax.lax.stop_gradient(kernel), where(size)
        image = unit(transposed_convolve(convolve(direction, fixed, at), fixed, at))
        image = jax.lax.stop_gradient(image)
        answer = jax.lax.stop_gradient(unit(convolve(image, fixed, at)))
        return jnp.vdot(answer, convolve(image, kernel, at)), image

    def critic(y, directions, image):
        image = low(image)
        parts = zip(steps[::-1], y["kernels"], y["biases"], directions, strict=True)
        for (size, _), kernel, bias, direction in parts:
            if spectral:
                kernel = kernel / norm_of(kernel, direction, size)[0]
            kernel = low(kernel)
            down = lambda i, kernel=kernel, size=size: convolve(i, kernel, where(size))
            image = jax.nn.leaky_relu(jax.vmap(down)(image) + low(bias), SLOPE)
        last = y["last"] / jnp.sqrt(jnp.sum(y["last"] ** 2)) if spectral else y["last"]
        return (image.reshape(len(image), -1) @ low(last))[:, 0].astype(jnp.float32)

    def critic_loss(y, directions, x, key):
        key_data, key_latent, key_mix = jax.random.split(key, 3)
        real = points[jax.random.randint(key_data, (batch,), 0, len(points))]
        fake = generate(x, jax.random.normal(key_latent, (batch, latent)))
        if spectral:
            scores = critic(y, directions, real), critic(y, directions, fake)
            return jnp.mean(jax.nn.relu(1 - scores[0])) + jnp.mean(jax.nn.relu(1 + scores[1]))
        mix = jax.random.uniform(key_mix, (batch, 1, 1, 1))
        between = mix * real + (1 - mix) * fake
        slopes = jax.grad(lambda b: critic(y, directions, b).sum())(between)
        penalty = WEIGHT * jnp.mean((jnp.sqrt(jnp.sum(slopes**2, axis=(1, 2, 3))) - 1) ** 2)
        scores = critic(y, directions, real), critic(y, directions, fake)
        return jnp.mean(scores[1]) - jnp.mean(scores[0]) + penalty

    def generator_loss(x, y, directions, key):
        fake = generate(x, jax.random.normal(key, (batch, latent)))
        return -jnp.mean(critic(y, directions, fake))

    optimizer = optax.adam(2e-4, b1=0.5, b2=0.9)

    def critic_step(carry, key):
        x, old, directions, state = carry
        gradient = jax.grad(critic_loss)(old, directions, x, key)
        updates, state = optimizer.update(gradient, state)
        y: Any = optax.apply_updates(old, updates)
        if spectral:
            parts = zip(y["kernels"], directions, steps[::-1], strict=True)
            directions = [norm_of(kernel, u, size)[1] for kernel, u, (size, _) in parts]
        return (x, y, directions, state), None

    def iteration(carry, key):
        x, y, directions, state_x, state_y = carry
        key_x, key_y = jax.random.split(key)
        keys = jax.random.split(key_y, setting.critic_steps)
        (x, y, directions, state_y), _ = jax.lax.scan(
            critic_step, (x, y, directions, state_y), keys
        )
        gradient = jax.grad(generator_loss)(x, y, directions, key_x)
        updates, state_x = optimizer.update(gradient, state_x)
        return (optax.apply_updates(x, updates), y, directions, state_x, state_y), None

    @functools.partial(jax.jit, donate_argnums=0)
    def iterations(carry, key):
        return jax.lax.scan(iteration, carry, jax.random.split(key, setting.iterations))[0]

    x, y, directions = networks(jax.random.key(1))
    key = jax.random.key(3)
    carry = (x, y, directions, optimizer.init(x), optimizer.init(y))
    carry = iterations(carry, key)

    def run():
        nonlocal carry, key
        key = jax.random.fold_in(key, 0)
        carry = jax.block_until_ready(iterations(carry, key))

    return run


def with_torch(points, setting, compiled=False):
    """The same loop in PyTorch; on a GPU channels-last, with automatic mixed precision if asked."""
    import torch
    from torch import nn
    from torch.nn.utils.parametrizations import spectral_norm

    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    sizes, channels = plan(setting)
    height, width = sizes[0]
    flat = height * width * channels[0]
    pairs = list(itertools.pairwise(channels))
    maybe = spectral_norm if setting.game == "sngan" else lambda layer: layer
    up = [
        nn.Linear(setting.latent, flat, bias=False),
        nn.Unflatten(1, (channels[0], height, width)),
    ]
    for index, (a, b) in enumerate(pairs):
        up += [nn.BatchNorm2d(a), nn.ReLU()]
        up.append(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=index == len(pairs) - 1))
    down = []
    for a, b in pairs[::-1]:
        down += [maybe(nn.Conv2d(b, a, 4, 2, 1)), nn.LeakyReLU(SLOPE)]
    generator = nn.Sequential(*up, nn.Tanh()).to(device)
    critic = nn.Sequential(*down, nn.Flatten(), maybe(nn.Linear(flat, 1))).to(device)
    data = torch.from_numpy(np.asarray(points).copy()).permute(0, 3, 1, 2).to(device)
    layout = torch.channels_last if device == "cuda" else torch.contiguous_format
    generator, critic = generator.to(memory_format=layout), critic.to(memory_format=layout)
    data = data.contiguous(memory_format=layout)
    settings = {"lr": 2e-4, "betas": (0.5, 0.9)}
    optimizer_x = torch.optim.Adam(generator.parameters(), **settings)
    optimizer_y = torch.optim.Adam(critic.parameters(), **settings)
    latents = lambda: torch.randn(setting.batch, setting.latent, device=device)
    half = torch.autocast(device, torch.bfloat16, enabled=setting.bf16)

    def critic_loss():
        real = data[torch.randint(0, len(data), (setting.batch,), device=device)]
        with half:
            with torch.no_grad():
                fake = generator(latents())
            if setting.game == "sngan":
                return torch.relu(1 - critic(real)).mean() + torch.relu(1 + critic(fake)).mean()
            mix = torch.rand(setting.batch, 1, 1, 1, device=device)
            between = (mix * real + (1 - mix) * fake).requires_grad_(True)
            scores = critic(between).sum()
            (slopes,) = torch.autograd.grad(scores, between, create_graph=True)
            penalty = WEIGHT * ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean()
            return critic(fake).mean() - critic(real).mean() + penalty

    def generator_loss():
        with half:
            return -critic(generator(latents())).mean()

    # torch.compile does no second derivatives, so that only SNGAN's critic can be compiled.
    if compiled:
        generator_loss = torch.compile(generator_loss)
        critic_loss = critic_loss if setting.game == "wgan_gp" else torch.compile(critic_loss)

    def step(loss, optimizer):
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    def run():
        for _ in range(setting.iterations):
            for _ in range(setting.critic_steps):
                step(critic_loss, optimizer_y)
            step(generator_loss, optimizer_x)
        if device == "cuda":
            torch.cuda.synchronize()

    run()
    return run


class _ChannelsFirst(eqx.Module):
    """`BatchNorm` for Equinox's layout."""

    norm: BatchNorm

    def __call__(self, x, *, key=None):
        del key
        return jnp.moveaxis(self.norm(jnp.moveaxis(x, 0, -1)), -1, 0)


def with_equinox(points, setting):
    """gameopt's loop over the convolutions of `eqx.nn`, which are XLA's; iterations a call."""
    sizes, channels = plan(setting)
    keys = iter(jax.random.split(jax.random.key(5), 2 * len(sizes) + 2))
    height, width = sizes[0]
    flat = height * width * channels[0]
    pairs = list(itertools.pairwise(channels))
    lift, relu = eqx.nn.Lambda, eqx.nn.Lambda(jax.nn.relu)
    up = [
        eqx.nn.Linear(setting.latent, flat, use_bias=False, key=next(keys)),
        lift(lambda x: x.reshape(channels[0], height, width)),
    ]
    for a, b in pairs:
        up += [_ChannelsFirst(BatchNorm(a)), relu]
        up.append(eqx.nn.ConvTranspose2d(a, b, 4, 2, padding=1, key=next(keys)))
    down = []
    for a, b in pairs[::-1]:
        down.append(eqx.nn.Conv2d(b, a, 4, 2, padding=1, key=next(keys)))
        down.append(lift(functools.partial(jax.nn.leaky_relu, negative_slope=SLOPE)))
    critic = eqx.nn.Sequential(
        [*down, lift(jnp.ravel), eqx.nn.Linear(flat, "scalar", key=next(keys))]
    )
    generator = eqx.nn.Sequential([*up, lift(jnp.tanh)])
    data, latent = jnp.moveaxis(points, -1, 1), go.NormalLatent((setting.latent,))
    if setting.game == "sngan":
        raise SystemExit("--equinox goes with --game wgan_gp.")
    penalty = go.GradientPenalty(WEIGHT)
    game = go.WassersteinGAN(go.Samples(data), latent, setting.batch, penalty)
    adam = optax.adam(2e-4, b1=0.5, b2=0.9)
    steps = go.Players(1, setting.critic_steps)
    solver = go.Alternating(go.Players(adam, adam), order=("y", "x"), inner_steps=steps)
    rounds, key = ITERATIONS_OF_EQUINOX, jax.random.key(0)
    last = go.rollout(game, solver, go.Players(generator, critic), rounds, key=key)

    def run():
        nonlocal last
        last = go.rollout(
            game, solver, last.players, rounds, key=key, state=last.state, start=last.round
        )
        jax.block_until_ready(jax.tree.leaves(go.playable(last.players)))

    return run, rounds
