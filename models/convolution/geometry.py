"""Convolution geometry: stride, padding, dilation."""

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

Pairs = tuple[tuple[int, int], tuple[int, int]]
# At run time `geometry` says what is wrong, and takes integers of any kind.
if TYPE_CHECKING:
    Size = SupportsIndex | Sequence[SupportsIndex]
    Padding = Literal["same", "valid"] | SupportsIndex | Sequence[Size]
else:
    Size = Padding = Any


class Geometry(NamedTuple):
    """Geometry of a convolution; hashable.

    - `in_shape`: height and width of the image. `kernel_shape`: those of the kernel.
    - `stride`, `dilation`: down and across. `padding`: before and after, down and across.
    """

    in_shape: tuple[int, int]
    kernel_shape: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Pairs

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of the kernel's window, dilation included."""
        sizes = zip(self.kernel_shape, self.dilation, strict=True)
        height, width = (d * (k - 1) + 1 for k, d in sizes)
        return height, width

    @property
    def out_shape(self) -> tuple[int, int]:
        """Height and width of the convolution's output."""
        sizes = zip(self.in_shape, self.reach, self.stride, self.padding, strict=True)
        height, width = ((n + sum(pad) - reach) // s + 1 for n, reach, s, pad in sizes)
        return height, width

    @property
    def is_pointwise(self) -> bool:
        """True if every window is one place, and every place has one."""
        same = self.in_shape == self.out_shape
        return same and self.kernel_shape == (1, 1) and self.padding == ((0, 0), (0, 0))


def geometry(
    in_shape: Size,
    kernel_shape: Size,
    stride: Size = 1,
    padding: Padding = "same",
    dilation: Size = 1,
) -> Geometry:
    """Make the geometry of a convolution.

    **Arguments:**

    - `in_shape`, `kernel_shape`: height and width of image and kernel, their first two axes; one
      number for a square. Integers of any kind, as all sizes here.
    - `padding`: `same`, which gives the image's shape divided by the stride and rounded up;
      `valid`, none; a number for all sides; or pairs.

    **Raises:** `ValueError` for a number below its least, or an image without room for the kernel.
    """
    stride, dilation = pair(stride), pair(dilation)
    image, kernel = pair(in_shape), pair(kernel_shape)
    for name, value in (("stride", stride), ("dilation", dilation), ("kernel size", kernel)):
        if min(value) < 1:
            raise ValueError(f"A convolution needs a {name} of at least 1, got {value}.")
    if isinstance(padding, str) and padding == "same":
        sizes = zip(image, kernel, stride, dilation, strict=True)
        missing = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in sizes]
        rows, columns = ((lost // 2, lost - lost // 2) for lost in missing)
        pairs = (rows, columns)
    elif isinstance(padding, str) and padding == "valid":
        pairs = ((0, 0), (0, 0))
    else:
        pairs = _margins(padding)
    found = Geometry(image, kernel, stride, dilation, pairs)
    if min(found.out_shape) < 1:
        raise ValueError(
            f"A {kernel} kernel with dilation {dilation} does not fit into an image of "
            f"{image} with padding {pairs}: pad more, or take a smaller kernel."
        )
    return found


def pair(value: Size) -> tuple[int, int]:
    """Convert one integer for both axes, or two, of any kind, to (down, across)."""
    if isinstance(value, tuple | list):
        return _integer(value[0]), _integer(value[1])
    return _integer(value), _integer(value)


def _integer(value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"A convolution's sizes are integers, got {value!r}.") from None


def _margins(padding: Any) -> Pairs:
    if isinstance(padding, str):
        raise ValueError(f'padding must be "same", "valid", a number or pairs, got {padding!r}.')
    if isinstance(padding, tuple | list):
        rows, columns = padding
        return pair(rows), pair(columns)
    return pair(padding), pair(padding)
