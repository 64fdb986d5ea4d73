"""The judge of an autoencoder: held-out errors beside those of the baselines, and a table."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._autoencoder.baselines import baselines, iou
from recipes._autoencoder.codes import AT_ONCE, corrupted
from recipes._autoencoder.data import Images
from recipes._autoencoder.game import cross_entropy
from recipes._autoencoder.tasks import Corruption, TaskArgs, each
from recipes._report.plots import image_grid
from recipes._report.tables import markdown, mean_and_error
from recipes._runtime.run import RunFolder

SHOWN_IMAGES = 10
"""Held-out images of a picture."""
OWN = "autoencoder"


class Judge:
    """Scores on the first `eval_size` held-out images, corrupted once, beside the baselines'.

    The score of an image is the mean squared error of a pixel in [-1, 1]; of segment, the
    intersection over union of the masks.

    - `seen`, `wanted`: the encoder's inputs and what is wanted. `pictures`: inputs as images.
    - `baselines`: their answers by name. `reference`: the name of the one to compare with.
    """

    def __init__(
        self, folder: RunFolder, args: TaskArgs, data: Images, corruption: Corruption,
        key: PRNGKeyArray,
    ):  # fmt: skip
        self.folder, self.corruption, self.segments = folder, corruption, args.task == "segment"
        images, self.wanted = (part[: args.eval_size] for part in data.held_out_pairs)
        self._seen = corrupted(corruption, jnp.asarray(images), key)
        self.seen = np.asarray(self._seen)
        self.pictures = each(corruption.picture, self.seen)
        self.baselines = baselines(args, data, corruption, self.seen, self.wanted)
        self.reference = next(iter(self.baselines))
        self._reference = float(self.scores(self.baselines[self.reference]).mean())

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        """Draw samples/ROUND.png, and return means over the held-out images:

        - `error`, of inpaint and superresolve also `error_kept` with what is known put back;
        - of segment `iou` and `cross_entropy`;
        - `reference`: the first baseline's.
        """
        outputs = self._outputs(players)
        self._draw(outputs, round)
        own = [float(self.scores(found).mean()) for found in self._answers(outputs).values()]
        numbers = {"reference": self._reference}
        if not self.segments:
            return dict(zip(("error", "error_kept"), own, strict=False)) | numbers
        entropy = cross_entropy(jnp.asarray(outputs), jnp.asarray(self.wanted))
        return {"iou": own[0], "cross_entropy": float(entropy)} | numbers

    def answers(self, players: go.Players) -> dict[str, np.ndarray]:
        """The autoencoder's answers by name: as they are, and with what is known put back."""
        return self._answers(self._outputs(players))

    def scores(self, answers: np.ndarray) -> np.ndarray:
        """The score of every image, shape `(n,)`."""
        if self.segments:
            return iou(answers > 0.5, self.wanted > 0.5)
        squares = (answers - self.wanted) ** 2
        return squares.reshape(len(squares), -1).mean(axis=1, dtype=np.float64)

    def write_table(self, answers: dict[str, np.ndarray]) -> dict[str, Any]:
        """Write table.md of the autoencoder's `answers` and the baselines'.

        **Returns:** the standard error of the first of `answers`, and the reference's name.
        """
        measured = {
            name: mean_and_error(self.scores(found))
            for name, found in (answers | self.baselines).items()
        }
        what = "IoU of the masks" if self.segments else "mean squared error of a pixel in [-1, 1]"
        heads = ["method", "IoU" if self.segments else "error", "standard error"]
        rows = [[name, *pair] for name, pair in measured.items()]
        (self.folder.path / "table.md").write_text(
            f"On {len(self.seen)} held-out images: {what}, a mean over images.\n\n"
            f"{markdown(heads, rows)}",
            encoding="utf-8",
        )
        return {"standard_error": measured[OWN][1], "reference_is": self.reference}

    def _outputs(self, players: go.Players) -> np.ndarray:
        """The restored images; of segment, logits."""
        return np.asarray(_restored(players, self._seen))

    def _answers(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        if self.segments:
            return {OWN: (outputs > 0).astype(np.float32)}
        if not self.corruption.known:
            return {OWN: outputs}
        kept = each(self.corruption.keep, self.seen, outputs)
        return {OWN: outputs, f"{OWN}, {self.corruption.known} kept": kept}

    def _draw(self, outputs: np.ndarray, round: int) -> None:
        """Inputs, outputs and what is wanted; of segment the outputs are probabilities."""
        if self.segments:
            outputs = 0.5 + 0.5 * np.tanh(outputs / 2)
        shown = self.pictures, self.as_picture(outputs), self.as_picture(self.wanted)
        rows = [images[:SHOWN_IMAGES] for images in shown]
        path = self.folder.path / "samples" / f"{round:08d}.png"
        image_grid(np.concatenate(rows), path, columns=len(rows[0]))

    def as_picture(self, images: np.ndarray) -> np.ndarray:
        """Answers in [-1, 1], to be drawn: masks are in [0, 1]."""
        return 2 * images - 1 if self.segments else images


@eqx.filter_jit
def _restored(players: go.Players, seen: Any) -> Any:
    return jax.lax.map(lambda one: players.x(players.y(one)), seen, batch_size=AT_ONCE)
