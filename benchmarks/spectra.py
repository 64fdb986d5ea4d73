"""Spectra: products with second derivatives a second, by gameopt, by hand in JAX, in PyTorch.

    python benchmarks/spectra.py         # PyTorch and PyHessian are left out where not installed

(a) The Hessian of a discriminator, an MLP of 3 x 512 on 512 rows of 64 numbers: the Krylov space of
`spectrum` with full reorthogonalisation, against as many Hessian-vector products by hand and
nothing else, PyTorch with a kept graph doing the same Lanczos run, and PyHessian. (b) The
Jacobian of a WGAN-GP of 1.1 million parameters over 1792 points in 7 minibatches: `spectrum`, its
transpose included, against as many products by hand. (c) The memory of (b) against the size of its
two bases. All are timed in one run, in turn, each in a process of its own; ratios are of medians,
with the range of the pairs.
"""

import argparse
import importlib.util
import itertools
import statistics

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _race import race_apart, ratio, table

import gameopt as go
from models import mlp_critic, mlp_generator

ROWS, FEATURES, WIDTH, DEPTH, PRODUCTS, GAME_PRODUCTS = 512, 64, 512, 3, 32, 16


def cross_entropy(points, labels, x, y):
    """The loss of a discriminator `y`; the opponent `x` does nothing."""
    del x
    logits = go.critic_scores(y, points)
    return jnp.mean(jax.nn.softplus(logits) - labels * logits)


def data():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    return points, (rng.uniform(size=ROWS) < 0.5).astype(np.float32)


def discriminator_game():
    points, labels = map(jnp.asarray, data())
    loss = jax.tree_util.Partial(cross_entropy, points, labels)
    game = go.game_from_losses(lambda x, y: jnp.sum(x**2), loss)
    network = mlp_critic((FEATURES,), width=WIDTH, depth=DEPTH, key=jax.random.key(0))
    return game, go.Players(jnp.zeros(1), network)


def wgan_gp():
    keys = jax.random.split(jax.random.key(1), 4)
    points = jax.random.uniform(keys[3], (1797, 64), minval=-1, maxval=1)
    game = go.WassersteinGAN(
        go.Samples(points), go.NormalLatent((32,)), 256, go.GradientPenalty(10.0)
    )
    players = go.Players(
        mlp_generator(32, (64,), width=WIDTH, depth=DEPTH, key=keys[0]),
        mlp_critic((64,), width=WIDTH, depth=DEPTH, key=keys[1]),
    )
    return go.over(game, jax.random.split(keys[2], 7)), players


def by_spectrum(game, players, which, count):
    def run():
        found = go.spectrum(game, players, which=which, method="krylov", num_matvecs=count)
        jax.block_until_ready(found.values)

    return run


@eqx.filter_jit
def own_product(game, players, vector):
    played, rest = eqx.partition(players.y, eqx.is_inexact_array)
    loss = lambda y: game.losses(go.Players(players.x, eqx.combine(y, rest))).y
    return jax.jvp(jax.grad(loss), (played,), (vector,))[1]


@eqx.filter_jit
def game_product(game, players, vector):
    return go.jvp(game, players, vector)


@eqx.filter_jit
def game_transposed_product(game, players, vector):
    return go.vjp(game, players, vector)


def by_hand(game, players, products, vector, count):
    def run():
        for product in products:
            jax.block_until_ready([product(game, players, vector) for _ in range(count)])

    return run


def torch_network():
    import torch
    from torch import nn

    sizes = [FEATURES, *[WIDTH] * DEPTH]
    parts = []
    for n, m in itertools.pairwise(sizes):
        parts += [nn.Linear(n, m), nn.ReLU()]
    points, labels = map(torch.tensor, data())
    return nn.Sequential(*parts, nn.Linear(WIDTH, 1)), points, labels[:, None]


def with_torch():
    """Lanczos in PyTorch: a kept graph of the gradient, full reorthogonalisation."""
    import torch

    network, points, labels = torch_network()
    parameters = list(network.parameters())
    size = sum(p.numel() for p in parameters)
    start = torch.randn(size)

    def run():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(points), labels)
        gradient = torch.cat(
            [g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)]
        )
        basis = torch.zeros(PRODUCTS, size)
        vector = start / start.norm()
        for j in range(PRODUCTS):
            basis[j] = vector
            parts = torch.autograd.grad(gradient, parameters, vector, retain_graph=True)
            product = torch.cat([p.reshape(-1) for p in parts])
            used = basis[: j + 1]
            for _ in range(2):
                product = product - used.T @ (used @ product)
            vector = product / product.norm()

    run()
    return run


def with_pyhessian():
    """PyHessian's power iteration: its Lanczos calls a function that PyTorch no longer has."""
    import torch
    from pyhessian import hessian

    network, points, labels = torch_network()
    loss = torch.nn.BCEWithLogitsLoss()

    def run():
        power = hessian(network, loss, data=(points, labels), cuda=False)
        power.eigenvalues(maxIter=PRODUCTS, tol=0.0, top_n=1)

    run()
    return run


PEERS = {"PyTorch": (with_torch, ["torch"]), "PyHessian": (with_pyhessian, ["torch", "pyhessian"])}
OURS, BY_HAND = "gameopt", "products by hand, JAX"


def hessian_runs(name):
    """The contestant of that name: as many products with the Hessian."""
    if name in PEERS:
        return {"hessian": PEERS[name][0]()}
    game, players = discriminator_game()
    if name == OURS:
        return {"hessian": by_spectrum(game, players, "hessian_y", PRODUCTS)}
    return {"hessian": by_hand(game, players, [own_product], go.playable(players.y), PRODUCTS)}


def jacobian_runs(name):
    """The contestant of that name: as many products with the Jacobian and its transpose."""
    game, players = wgan_gp()
    if name == OURS:
        return {"jacobian": by_spectrum(game, players, "jacobian", GAME_PRODUCTS)}
    products = [game_product, game_transposed_product]
    return {"jacobian": by_hand(game, players, products, go.playable(players), GAME_PRODUCTS)}


def show(prepare, names, repeats, products):
    """Race the contestants, and print the table."""
    (seconds,) = race_apart(prepare, names, (), repeats).values()
    rows = [
        [name, f"{products / statistics.median(theirs):.1f}", ratio(seconds[OURS], theirs)]
        for name, theirs in seconds.items()
    ]
    table(["", "products/s", "speed-up of gameopt (pairs)"], rows)


def main():
    parser = argparse.ArgumentParser(description="Spectra: gameopt against its peers")
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each")
    repeats = parser.parse_args().repeats
    names = [OURS, BY_HAND]
    for name, (_, packages) in PEERS.items():
        if all(importlib.util.find_spec(package) for package in packages):
            names.append(name)
        else:
            print(f"{name} is left out: it is not installed. pip install torch pyhessian")
    size_of = lambda strategy: sum(leaf.size for leaf in jax.tree.leaves(go.playable(strategy)))
    size = size_of(discriminator_game()[1].y)
    print(f"(a) Hessian of a discriminator, {size:,} entries, {PRODUCTS} products")
    show(hessian_runs, names, repeats, PRODUCTS)
    game, players = wgan_gp()
    size = size_of(players)
    print(f"(b) Jacobian of a WGAN-GP, {size:,} entries, 2 x {GAME_PRODUCTS} products")
    show(jacobian_runs, [OURS, BY_HAND], max(repeats // 2, 1), 2 * GAME_PRODUCTS)
    memory(game, players, size)


def memory(game, players, size):
    """What XLA says that the compiled programs need beside their arguments."""
    from gameopt._equilibria.spectrum import _krylov_spectrum, _Search

    settings = ("jacobian", None, _Search(GAME_PRODUCTS, 0, 1e-6, 1e-6), False)
    start = jnp.zeros(size)
    needed = lambda function, *arguments: (
        function.lower(*arguments).compile().compiled.memory_analysis().temp_size_in_bytes
    )
    space = needed(_krylov_spectrum, game, players, None, start, *settings)
    one = needed(game_product, game, players, go.playable(players))
    bases = 2 * GAME_PRODUCTS * size * 4
    print(
        f"(c) memory: {space / 2**20:.0f} MiB, of which the bases are {bases / 2**20:.0f} MiB; one "
        f"product by hand takes {one / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
