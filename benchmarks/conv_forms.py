"""The three maps of a convolution on a CPU: by matrix products, by XLA's fast form, by Winograd's.

    python benchmarks/conv_forms.py
    python benchmarks/conv_forms.py --bf16

`models.convolution` takes the fastest: what this prints is why. Rates count the multiplications of
the definition, of which Winograd's form does without half. Each map alone, five
times in a scan, batch 64, float32 or bfloat16; the best of the repeats.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from _race import matrix_rate, race, table

from models.convolution import canonical, matrix, winograd
from models.convolution.geometry import geometry
from models.convolution.trilinear import _by_xla

BATCH, TIMES = 64, 5
COLUMNS = {
    "matrix": "matrix, GFLOP/s",
    "columns": "windows as columns",
    "canonical": "XLA's fast form",
    "plain": "XLA's, image by image",
    "winograd": "Winograd's",
}
ALL_FORMS = {
    "convolution": {
        "matrix": matrix.convolution, "canonical": canonical.convolution, "plain": _by_xla,
        "winograd": winograd.convolution,
    },
    "transposed_convolution": {
        "matrix": matrix.transposed_convolution, "canonical": canonical.transposed_convolution,
        "winograd": lambda g, kernel, where: winograd.convolution(
            g, *canonical.turned(kernel, where)
        ),
    },
    "kernel_gradient": {
        "matrix": matrix.by_rows, "columns": matrix.by_columns,
        "winograd": winograd.kernel_gradient,
    },
}  # fmt: skip
LAYERS = [
    # size, kernel, stride, padding, channels in and out
    (28, 3, 1, 1, 64, 64),
    (28, 3, 1, 1, 32, 32),
    (28, 3, 1, 1, 16, 16),
    (14, 3, 1, 1, 64, 64),
    (32, 4, 2, 1, 64, 128),
    (14, 4, 2, 1, 64, 128),
    (64, 4, 2, 1, 3, 64),
    (28, 4, 2, 1, 1, 64),
    (28, 3, 1, 1, 8, 64),
    (14, 4, 2, 1, 16, 32),
]


def in_a_scan(form, left, right, where):
    """The map of `TIMES` different arguments, its answers added up.

    Not followed by a reduction, with which XLA computes a convolution in another way.
    """
    many = jnp.stack([left] * TIMES)

    def play(many, right):
        shape = jax.eval_shape(lambda: form(left, right, where))
        step = lambda total, one: (total + form(one, right, where), None)
        return jax.lax.scan(step, jnp.zeros_like(shape), many)[0]

    compiled = jax.jit(play)

    def run():
        jax.block_until_ready(compiled(many, right))

    run()
    return run


def main():
    parser = argparse.ArgumentParser(description="Forms of a convolution on a CPU")
    parser.add_argument("--repeats", type=int, default=8, help="timed runs of each")
    parser.add_argument("--bf16", action="store_true", help="in bfloat16")
    setting = parser.parse_args()
    repeats, rows = setting.repeats, []
    rng = np.random.default_rng(0)
    dtype = jnp.bfloat16 if setting.bf16 else jnp.float32
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape), dtype)
    for size, kernel, stride, padding, channels, out in LAYERS:
        where = geometry((size, size), (kernel, kernel), stride, padding)
        x, w = normal(BATCH, size, size, channels), normal(kernel, kernel, channels, out)
        g = normal(BATCH, *where.out_shape, out)
        work = TIMES * 2 * g.size * kernel**2 * channels
        for name, left, right in (
            ("convolution", x, w),
            ("transposed_convolution", g, w),
            ("kernel_gradient", x, g),
        ):
            forms = dict(ALL_FORMS[name])
            if name == "transposed_convolution" and stride > 1:
                del forms["canonical"]
            if kernel != 3 or stride > 1:
                del forms["winograd"]
            runs = {n: in_a_scan(form, left, right, where) for n, form in forms.items()}
            rates = {n: work / min(s) / 1e9 for n, s in race(runs, repeats).items()}
            layer = f"{kernel}x{kernel} stride {stride}, {channels} to {out}, {size}x{size}"
            cells = [f"{rates[n]:.0f}" if n in rates else "" for n in COLUMNS]
            rows.append([layer, name.replace("_", " "), *cells])
    print(f"a 1024 x 1024 product runs at {matrix_rate() / 1e9:.0f} GFLOP/s")
    table(["layer", "map", *COLUMNS.values()], rows)


if __name__ == "__main__":
    main()
