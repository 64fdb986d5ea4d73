"""A table as a conditional GAN is trained on it, and the judge of its rows while it is trained."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from models import ConditionalLatent, mlp_critic, tabular_generator
from recipes._data import Scale, Table, fit_encoding, hold_out_rows, rows_like
from recipes._gans.critics import generated
from recipes._report.judge import exact_w1
from recipes._runtime.run import RunFolder
from recipes._runtime.seeds import key_of
from recipes._tabular.pictures import ClassPictures

DATA_BATCHES = 5
"""Batches of training rows over which `w1_floor` is averaged."""


class TrainingTable:
    """Rows with their labels as points: the encoded row, and the label one-hot times its weight.

    - `table`: as it came. `train`, `held_out`: its parts, drawn by `seed`.
    - `encoding`: of rows, fitted to `train`.
    """

    def __init__(self, table: Table, seed: int, scale: Scale, label_weight: float):
        self.table, self.label_weight = table, label_weight
        self.train, self.held_out = hold_out_rows(table, seed)
        self.encoding = fit_encoding(self.train, scale)

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return self.table.describe()

    def __str__(self) -> str:
        return str(self.table)

    def points(self, table: Table) -> np.ndarray:
        """Float32 of shape `(n, width + classes)`."""
        labels = self.label_weight * np.eye(table.classes, dtype=np.float32)[table.labels]
        return np.concatenate([self.encoding.encode(table), labels], axis=1)

    def rows(self, points: np.ndarray) -> Table:
        """The table of points: the inverse of `points`, up to float32's rounding."""
        vectors, labels = np.split(np.asarray(points), [self.encoding.width], axis=1)
        values, codes = self.encoding.decode(vectors), labels.argmax(axis=1).astype(np.int32)
        label = self.table.label
        return Table("generated", "generated", self.table.columns, values, label, codes)

    def sampler(self) -> go.Samples:
        """The sampler of batches of the training rows."""
        return go.Samples(jnp.asarray(self.points(self.train)))

    def latent(self, latent_size: int) -> ConditionalLatent:
        """Latents whose labels are as frequent as in the training rows."""
        log_frequencies = jnp.log(jnp.asarray(self.train.counts(), jnp.float32))
        return ConditionalLatent(log_frequencies, latent_size, sum(self.encoding.categories))

    def networks(
        self, latent_size: int, widths: go.Players[int, int], depth: int, key: PRNGKeyArray
    ) -> go.Players:
        """A fresh conditional generator, and a fresh critic of rows and labels."""
        key_x, key_y = jax.random.split(key)
        generator = tabular_generator(
            latent_size,
            self.table.classes,
            len(self.encoding.scales),
            self.encoding.categories,
            width=widths.x,
            depth=depth,
            label_weight=self.label_weight,
            key=key_x,
        )
        shape = (self.encoding.width + self.table.classes,)
        return go.Players(generator, mlp_critic(shape, width=widths.y, depth=depth, key=key_y))

    def generate(
        self, generator: Any, latent: ConditionalLatent, labels: np.ndarray, key: PRNGKeyArray
    ) -> Table:
        """A row of each of these labels, in the table's own units and categories."""
        latents = latent.given(key, jnp.asarray(labels))
        return self.rows(np.asarray(generated(generator, latents)))


class TableJudge:
    """Compares rows from fixed latents with held-out rows of the same labels, and draws them.

    Distances are in the units of training: deviations or normal scores, one-hot categories, and
    the weighted label. `w1_floor` is the mean distance from as many training rows, of the same
    labels, to the held-out: what a perfect generator measures with so few rows.

    - `numbers`: `(players, real, fake) -> numbers`, what the players say of the same points.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: TrainingTable,
        latent: ConditionalLatent,
        eval_size: int,
        seed: int,
        numbers: Callable[[go.Players, Array, Array], dict[str, Any]],
    ):
        rng = np.random.default_rng(seed)
        held_out = data.held_out.rows(rng.permutation(len(data.held_out.labels))[:eval_size])
        batches = [rows_like(data.train, held_out.counts(), rng) for _ in range(DATA_BATCHES)]
        self.held_out, self.numbers = data.points(held_out), numbers
        self.train = list(map(data.points, batches))
        self.w1_floor = float(np.mean([exact_w1(batch, self.held_out) for batch in self.train]))
        self.latents = latent.given(key_of(seed), jnp.asarray(held_out.labels))
        self.pictures = ClassPictures(folder, data.points(data.train), held_out, data.train)

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        """The players' own numbers, and by exact optimal transport:

        - `w1_exact`, `w1_floor`: from the generated, and from training rows, to the held-out ones.
          In many dimensions rows with too little spread measure less, so that below `w1_floor` is
          not better: precision and recall tell.
        - `w1_train`: from the generated to training rows; below `w1_exact` where those are learned
          by heart.
        """
        fake = generated(players.x, self.latents)
        numbers = self.numbers(players, jnp.asarray(self.held_out), fake)
        points = np.asarray(fake)
        w1 = lambda real: exact_w1(points, real) if np.isfinite(points).all() else float("nan")
        numbers |= {"w1_exact": w1(self.held_out), "w1_floor": self.w1_floor}
        numbers["w1_train"] = float(np.mean([w1(batch) for batch in self.train]))
        self.pictures(points, round, numbers)
        return numbers
