"""Corruptions of images, from which an autoencoder of each task restores them."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from models import Resize, average_pool
from recipes._latent.networks import AutoencoderArgs
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, AtLeast2, Positive

Task = Literal["reconstruct", "denoise", "inpaint", "superresolve", "segment"]
NOISE = 0.5
"""Default deviation of the noise, on pixels in [-1, 1]."""
SMALLEST = 4
"""Pixels a side of an image that a U-Net halves."""
LARGE, FACTOR, SMALL_FACTOR = 16, 4, 2
"""Images of LARGE pixels a side are shrunk by FACTOR, smaller ones by SMALL_FACTOR."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskArgs(AutoencoderArgs):
    """The flags of tasks of autoencoders."""

    task: Task = "reconstruct"
    """An image from itself (reconstruct), from the image with noise (denoise), from the image with
    a hole (inpaint), from few pixels (superresolve); or the mask of a digit on a textured ground
    (segment)."""
    noise: Positive | None = None
    """Deviation of denoise's noise on a pixel, which is in [-1, 1]. Default: 0.5."""
    hole: AtLeast1 | None = None
    """Pixels a side of inpaint's hole. Default: half of the image's side."""
    factor: AtLeast2 | None = None
    """Factor by which superresolve shrinks the image down and across. Default: 4 for images
    of 16 pixels a side or more, else 2."""
    skips: bool = False
    """With --kind conv, hand the encoder's hidden images to the decoder, as a U-Net does, so that
    no code is between them. Not for reconstruct, where the decoder could copy."""


OWN = {"noise": "denoise", "hole": "inpaint", "factor": "superresolve"}
"""Flags of one task alone, with the task."""


def check_task(args: TaskArgs) -> None:
    """Raise a `UserError` for flags that do not go together."""
    for name, task in OWN.items():
        if getattr(args, name) is not None and args.task != task:
            raise UserError(
                f"--{name} is for --task {task}, and not for {args.task}; leave it out."
            )
    if args.skips and (args.kind != "conv" or args.task == "reconstruct"):
        raise UserError(
            f"--skips is for --kind conv and every task but reconstruct, and not for --kind "
            f"{args.kind} --task {args.task}; leave it out."
        )


def own_defaults(args: TaskArgs, shape: tuple[int, ...]) -> dict[str, float | int]:
    """The task's own flag with its default for images of `shape`.

    **Raises:** `UserError` for a hole that leaves nothing, or a factor that does not divide.
    """
    side = min(shape[:2])
    if args.skips and side < SMALLEST:
        raise UserError(
            f"--skips halves images of at least {SMALLEST} pixels a side, and these are "
            f"{shape[1]}x{shape[0]}; leave it out."
        )
    if args.task == "denoise":
        return {"noise": NOISE if args.noise is None else args.noise}
    if args.task == "inpaint":
        hole = side // 2 if args.hole is None else args.hole
        if hole >= side:
            raise UserError(
                f"--hole must be smaller than the images of {shape[1]}x{shape[0]} pixels, got "
                f"{hole}."
            )
        return {"hole": hole}
    if args.task == "superresolve":
        factor = FACTOR if side >= LARGE else SMALL_FACTOR
        factor = factor if args.factor is None else args.factor
        if shape[0] % factor or shape[1] % factor:
            raise UserError(
                f"--factor must divide the images' {shape[1]}x{shape[0]} pixels, got {factor}."
            )
        return {"factor": factor}
    return {}


class Corruption(eqx.Module):
    """The map from an image and a key to the encoder's input; by itself it is the identity.

    - `shape`: of an image, `(h, w)` or `(h, w, c)`. Static.
    """

    known: ClassVar[str] = ""
    """The part of the image that is known for certain, where an output may differ from it."""
    shape: tuple[int, ...] = eqx.field(static=True)

    @property
    def seen_shape(self) -> tuple[int, ...]:
        """The shape of the encoder's input."""
        return self.shape

    def __call__(self, image: Float[Array, "..."], key: PRNGKeyArray) -> Float[Array, "..."]:
        """The encoder's input for one image."""
        del key
        return image

    def picture(self, seen: Float[Array, "..."]) -> Float[Array, "..."]:
        """One input as an image of `shape`."""
        return seen

    def keep(self, seen: Float[Array, "..."], output: Float[Array, "..."]) -> Float[Array, "..."]:
        """The image nearest to an output of those that agree with what is known for certain."""
        del seen
        return output


class Noise(Corruption):
    """Independent Gaussian noise of `deviation` on every pixel."""

    deviation: float = eqx.field(static=True)

    def __call__(self, image: Float[Array, "..."], key: PRNGKeyArray) -> Float[Array, "..."]:
        return image + self.deviation * jax.random.normal(key, image.shape, image.dtype)


class Hole(Corruption):
    """A square of `size` pixels at 0, at one of a few places drawn at random.

    The input has a further channel, which is 1 where pixels are known and -1 in the hole. Places
    are half of a hole apart, so that there are few enough for one linear map each.
    """

    known: ClassVar[str] = "known pixels"
    size: int = eqx.field(static=True)

    @property
    def seen_shape(self) -> tuple[int, ...]:
        channels = self.shape[2] if len(self.shape) == 3 else 1
        return (*self.shape[:2], channels + 1)

    def corners(self) -> np.ndarray:
        """The upper left corners of the holes that there are, shape `(m, 2)`."""
        apart = max(self.size // 2, 1)
        tops, lefts = (
            sorted({*range(0, side - self.size, apart), side - self.size})
            for side in self.shape[:2]
        )
        return np.array([(top, left) for top in tops for left in lefts])

    def __call__(self, image: Float[Array, "..."], key: PRNGKeyArray) -> Float[Array, "..."]:
        corners = jnp.asarray(self.corners())
        top, left = corners[jax.random.randint(key, (), 0, len(corners))]
        rows, columns = jnp.arange(self.shape[0])[:, None], jnp.arange(self.shape[1])[None]
        down = (rows >= top) & (rows < top + self.size)
        across = (columns >= left) & (columns < left + self.size)
        known = ~(down & across)[..., None]
        image = image.reshape(*self.shape[:2], -1)
        mask = jnp.where(known, 1, -1).astype(image.dtype)
        return jnp.concatenate([jnp.where(known, image, 0), mask], axis=-1)

    def picture(self, seen: Float[Array, "..."]) -> Float[Array, "..."]:
        return seen[..., :-1].reshape(self.shape)

    def keep(self, seen: Float[Array, "..."], output: Float[Array, "..."]) -> Float[Array, "..."]:
        known = (seen[..., -1:] > 0).reshape((*self.shape[:2], 1)[: len(self.shape)])
        return jnp.where(known, self.picture(seen), output)


class Downsample(Corruption):
    """Means over squares of `factor` times `factor` pixels, each as large as its square."""

    known: ClassVar[str] = "known means"
    factor: int = eqx.field(static=True)

    def small(self, image: Float[Array, "..."]) -> Float[Array, "h w c"]:
        """The means themselves."""
        return average_pool(image.reshape(*self.shape[:2], -1), self.factor)

    def __call__(self, image: Float[Array, "..."], key: PRNGKeyArray) -> Float[Array, "..."]:
        del key
        return self._spread(image)

    def _spread(self, image: Float[Array, "..."]) -> Float[Array, "..."]:
        height, width = self.shape[:2]
        return Resize((height, width))(self.small(image)).reshape(self.shape)

    def keep(self, seen: Float[Array, "..."], output: Float[Array, "..."]) -> Float[Array, "..."]:
        # Spreading means is an orthogonal projection, so that this is one too.
        return output + seen - self._spread(output)


def each(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """A function of one image, or of one image each, over arrays of shape `(n, ...)`."""
    return np.asarray(jax.vmap(function)(*map(jnp.asarray, arrays)))


def make_corruption(args: TaskArgs, shape: tuple[int, ...]) -> Corruption:
    """The corruption of resolved flags, for images of `shape`."""
    if args.noise is not None:
        return Noise(shape, args.noise)
    if args.hole is not None:
        return Hole(shape, args.hole)
    if args.factor is not None:
        return Downsample(shape, args.factor)
    return Corruption(shape)
