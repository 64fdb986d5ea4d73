"""Where the kernel of a convolution is laid on an image."""

from typing import Literal, NamedTuple

Pairs = tuple[tuple[int, int], tuple[int, int]]
Padding = Literal["same", "valid"] | int | Pairs


class Geometry(NamedTuple):
    """Where the kernel is laid on the image; hashable.

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
        """Height and width of the window that the kernel is laid on."""
        sizes = zip(self.kernel_shape, self.dilation, strict=True)
        height, width = (d * (k - 1) + 1 for k, d in sizes)
        return height, width

    @property
    def out_shape(self) -> tuple[int, int]:
        """Height and width of what the convolution gives."""
        sizes = zip(self.in_shape, self.reach, self.stride, self.padding, strict=True)
        height, width = ((n + sum(pad) - reach) // s + 1 for n, reach, s, pad in sizes)
        return height, width


def geometry(
    in_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    stride: int | tuple[int, int] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, int] = 1,
) -> Geometry:
    """The geometry of a convolution.

    **Arguments:**

    - `in_shape`, `kernel_shape`: height and width of image and kernel.
    - `padding`: `same`, which gives the image's shape divided by the stride and rounded up;
      `valid`, none; a number for all sides; or pairs.

    **Raises:** `ValueError` for a number below its least, or an image without room for the kernel.
    """
    stride, dilation = pair(stride), pair(dilation)
    image, kernel = (in_shape[0], in_shape[1]), (kernel_shape[0], kernel_shape[1])
    for name, value in (("stride", stride), ("dilation", dilation), ("kernel size", kernel)):
        if min(value) < 1:
            raise ValueError(f"A convolution needs a {name} of at least 1, got {value}.")
    if padding == "same":
        sizes = zip(image, kernel, stride, dilation, strict=True)
        missing = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in sizes]
        rows, columns = ((lost // 2, lost - lost // 2) for lost in missing)
        pairs = (rows, columns)
    elif padding == "valid":
        pairs = ((0, 0), (0, 0))
    elif isinstance(padding, int):
        pairs = ((padding, padding), (padding, padding))
    elif isinstance(padding, tuple):
        pairs = padding
    else:
        raise ValueError(f'padding must be "same", "valid", a number or pairs, got {padding!r}.')
    found = Geometry(image, kernel, stride, dilation, pairs)
    if min(found.out_shape) < 1:
        raise ValueError(
            f"A {kernel} kernel with dilation {dilation} has no room in an image of "
            f"{image} with padding {pairs}: pad more, or take a smaller kernel."
        )
    return found


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Down and across, from one number for both or from two."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])
