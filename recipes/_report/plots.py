"""Pictures: curves, grids of images, views of samples, each with labelled axes and a legend."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from recipes._report.views import Snapshot, View, load_snapshot, save_snapshot

REAL, FAKE, THEORY = "#4c72b0", "#dd8452", "#222222"
COLOURS = (REAL, FAKE, "#2e8b57", "#b33a3a", "#8c5fa8", "#7a5c44", "#c2579b", "#1f8a99")
"""Colours of curves, one after the other: none is too light for paper."""
PERFECT = "real points to other real points"
"""The legend of W1 between two batches of data; blurred or shrunk samples can be below it."""
ROUNDS = "round (generator steps)"
WIDE = 10.8
"""Inches of a page with several columns: text of 9 points is readable at a width of 800 pixels."""


def time_colours(count: int) -> list[Any]:
    """Colours from early to late, of viridis without its yellow, which does not print."""
    return list(time_map()(np.linspace(0, 1, count)))


def time_map() -> ListedColormap:
    """The colour map of `time_colours`."""
    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.78, 256)))


class Curve(NamedTuple):
    """One line of a panel: `x` and `y` of the same length, drawn in `style`.

    Labels that begin with "_" are not in the legend. Without a color it gets the next of `COLOURS`.
    """

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: str = "-"
    color: str | None = None


class Panel(NamedTuple):
    """One set of axes; `note`: what a reader must know of it, in grey above the legend."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    log_y: bool = False
    log_x: bool = False
    note: str = ""


def constant(label: str, level: float, x: Sequence[Any] | np.ndarray) -> Curve:
    """A dotted line at one level, as long as `x`: what theory says."""
    return Curve(label, x, [level] * len(x), ":", THEORY)


def columns_of(lines: Sequence[dict[str, Any]], kind: str, after: int = -1) -> dict[str, list[Any]]:
    """The lines of metrics.jsonl of one kind and later than round `after`, as lists by name.

    NaN where a line lacks a number.
    """
    rows = [line for line in lines if line["kind"] == kind and line["round"] > after]
    names = rows[-1].keys() if rows else ()
    return {name: [row.get(name, np.nan) for row in rows] for name in names}


def new_figure(**options: Any) -> Figure:
    """A figure of its own, which is not pyplot's: no window, and no state that others share.

    **Arguments:** `options`: of `matplotlib.figure.Figure`, such as `figsize` and `layout`.
    """
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[int | float, int | float] | None = None,
    layout: Any = None,
    **options: Any,
) -> tuple[Figure, Any]:
    """A new figure and its axes, which are what `Figure.subplots` gives for the `options`."""
    figure = new_figure(figsize=figsize, layout=layout)
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure."""
    figure.savefig(path, dpi=110, bbox_inches="tight")


def panels(parts: Sequence[Panel], path: Path, columns: int = 2, note: str = "") -> None:
    """Several panels of curves on one page, each legend below its axes; one if all are alike.

    `note`: what a reader must know of all panels, in grey above the one legend.
    """
    columns = min(columns, len(parts))
    rows = -(-len(parts) // columns)
    wide = min(6.4, WIDE / columns)
    labels = [_labels(part) for part in parts]
    alike = len(parts) > 1 and all(names == labels[0] for names in labels)
    tall = 3.0 * rows + 0.9 if alike else (3.0 + 0.2 * max(map(len, labels))) * rows
    figure, axes = subplots(
        rows, columns, figsize=(wide * columns, tall), squeeze=False, layout="constrained"
    )
    for axis, part in zip(axes.flat, parts, strict=False):
        _draw_panel(axis, part)
        if not alike:
            legend_below(axis, part.note, columns=1 if wide < 5 else 2)
    for axis in axes.flat[len(parts) :]:
        axis.axis("off")
    if alike:
        handles, names = axes.flat[0].get_legend_handles_labels()
        columns = 4 if max(map(len, names)) < 30 else 2
        legend = figure.legend(
            handles, names, fontsize=9, loc="outside lower center", ncols=columns,
            title=note or None, title_fontsize=8.5, frameon=False,
        )  # fmt: skip
        legend.get_title().set_color("#555555")
    save(figure, path)


def _labels(part: Panel) -> list[str]:
    return [curve.label for curve in part.curves if not curve.label.startswith("_")]


def _draw_panel(axis: Axes, part: Panel) -> None:
    axis.set_prop_cycle(color=COLOURS)
    for curve in part.curves:
        style: dict[str, Any] = {"color": curve.color} if curve.color else {}
        axis.plot(curve.x, curve.y, curve.style, label=curve.label, lw=1.4, ms=4.5, **style)
    axis.set(title=part.title, xlabel=part.x_label, ylabel=part.y_label)
    axis.title.set_fontsize(11)
    if part.log_y:
        log_axis(axis, "y")
    if part.log_x:
        log_axis(axis, "x")
    axis.grid(alpha=0.25)


def legend_below(axis: Axes, note: str = "", columns: int = 2) -> None:
    """A legend under the label of the x axis; for figures whose layout is constrained."""
    handles, names = axis.get_legend_handles_labels()
    if not handles:
        return
    if sum(map(len, names)) > 34 * columns and max(map(len, names)) > 30:
        columns = 1
    figure: Any = axis.figure
    half_an_inch = ScaledTranslation(0, -0.52, figure.dpi_scale_trans)
    legend = axis.legend(
        handles, names, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=columns,
        bbox_transform=axis.transAxes + half_an_inch, frameon=False, title=note or None,
        title_fontsize=8.5, borderaxespad=0,
    )  # fmt: skip
    legend.get_title().set(color="#555555", multialignment="center")


def log_axis(axis: Axes, which: str) -> None:
    """A logarithmic axis; below two decades its ticks are plain numbers such as 0.5, 1 and 2."""
    getattr(axis, f"set_{which}scale")("log")
    line: Any = getattr(axis, f"{which}axis")
    low, high = sorted(getattr(axis, f"get_{which}lim")())
    if not 0 < low < high or np.log10(high / low) >= 2:
        return
    steps = (1, 2, 5) if high / low > 4 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    line.set_major_locator(LogLocator(subs=steps))
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    line.set_minor_formatter(NullFormatter())


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1], `(n, h, w)` or `(n, h, w, c)`, to bytes."""
    return np.clip((images + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)


def image_grid(images: np.ndarray, path: Path, columns: int = 10, side: int = 512) -> None:
    """A grid of images, enlarged without smoothing to about `side` pixels."""
    images = to_pixels(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    rows = len(images) // columns
    height, width = images.shape[1:3]
    gap = 1
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, *images.shape[3:])
    page = np.full(shape, 90, np.uint8)
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        page[top : top + height, left : left + width] = images[index]
    scale = max(1, round(side / page.shape[1]))
    Image.fromarray(page).resize(
        (page.shape[1] * scale, page.shape[0] * scale), Image.Resampling.NEAREST
    ).save(path)


def plane_limits(points: np.ndarray, margin: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a window around points of shape `(n, 2)`."""
    low, high = np.quantile(points, 0.001, axis=0), np.quantile(points, 0.999, axis=0)
    pad = margin * (high - low).max()
    return low - pad, high + pad


def plane_grid(limits: tuple[np.ndarray, np.ndarray], side: int = 80) -> np.ndarray:
    """Points `(side * side, 2)` that cover a window, row by row from its lower left."""
    xs, ys = (np.linspace(low, high, side) for low, high in zip(*limits, strict=True))
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def draw_snapshot(snapshot: Snapshot, folder: Path) -> None:
    """Writes ROUND.png into a samples/ folder, and the arrays for `over_time` beside it."""
    path = folder / f"{snapshot.round:08d}.png"
    save_snapshot(snapshot, path.with_suffix(".npz"))
    draw_views(snapshot.views, path, f"round {snapshot.round:,}: {snapshot.note}")


def draw_views(views: Sequence[View], path: Path, title: str) -> None:
    """Views on one page: of curves one below the other, of the plane side by side."""
    beside = views[0].equal
    shape = (1, len(views)) if beside else (len(views), 1)
    size = (4.1 * len(views) + 1.2, 4.6) if beside else (6.4, 3.0 * len(views) + 0.6)
    figure, axes = subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    shades = {}
    for axis, view in zip(axes.flat, views, strict=True):
        shades[view.bar_label] = _draw_view(axis, view)
        if len(views) > 1:
            axis.set_title(view.title, fontsize=10)
    _add_bars(figure, axes, shades)
    _one_legend(figure, axes.flat)
    figure.suptitle(title, fontsize=11)
    save(figure, path)


def _draw_view(axis: Axes, view: View) -> Any:
    """Draw a view; return what a colour bar needs, if there is anything to have one."""
    shade = view.draw(axis)
    axis.set(xlabel=view.x_label, ylabel=view.y_label)
    if shade is None:
        axis.grid(alpha=0.25)
    return shade


def _add_bars(figure: Figure, axes: Any, shades: dict[str, Any]) -> None:
    """A colour bar for each label."""
    for label, shade in shades.items():
        if label:
            figure.colorbar(shade, ax=axes, label=label, shrink=0.85)


def _one_legend(figure: Figure, axes: Any) -> None:
    named: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        patches = [(p, p.get_label()) for p in axis.patches if p.get_label()]
        for handle, label in [*zip(handles, labels, strict=True), *patches]:
            named.setdefault(str(label), handle)
    if named:
        legend = figure.legend(
            list(named.values()), list(named), fontsize=9, loc="outside lower center", ncols=4
        )
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set(alpha=1, sizes=[24])


def at_equal_ratios(rounds: Sequence[int], most: int) -> list[int]:
    """Up to `most` of ascending rounds, at equal ratios: the first, the last, and in between.

    A sample changes as much from round 10 to round 100 as from there to round 1000.
    """
    if len(rounds) <= most:
        return list(rounds)
    logs = np.log1p(np.asarray(rounds, float))
    first = [rounds[0]] if rounds[0] == 0 else []
    begin = 1 if first else 0
    chosen: list[int] = []
    left = most - len(first)
    # From the end, each the nearest to an equal share of what is left of the logarithm.
    position = len(rounds) - 1
    while left > 0 and position >= begin:
        chosen.append(rounds[position])
        left -= 1
        if left == 0:
            break
        target = logs[position] - (logs[position] - logs[begin]) / left
        room = range(begin + left - 1, position)
        position = min(room, key=lambda i: abs(logs[i] - target))
    return first + chosen[::-1]


def over_time(samples: Path, path: Path, most: int = 6) -> None:
    """The samples of a samples/ folder at rounds of equal ratios, drawn anew on one page.

    Views where there are any, else pictures; damaged files are left out.
    """
    kept = _readable(samples, "npz", load_snapshot)
    if kept:
        _draw_over_time([kept[r] for r in at_equal_ratios(list(kept), most)], path)
        return
    pictures = _readable(samples, "png", _load_picture)
    chosen = at_equal_ratios(list(pictures), most)
    if not chosen:
        return
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    height, width = pictures[chosen[-1]].shape[:2]
    size = (WIDE * 0.3 * columns, (WIDE * 0.3 * height / width + 0.25) * rows)
    figure, axes = subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, round in zip(axes.flat, chosen, strict=False):
        axis.imshow(pictures[round], interpolation="nearest")
        axis.set_title(f"round {round:,}", fontsize=11)
    save(figure, path)


def _draw_over_time(snapshots: Sequence[Snapshot], path: Path) -> None:
    """A column for each round and a row for each view; of single views, three in a row."""
    views = len(snapshots[0].views)
    columns = min(3, len(snapshots)) if views == 1 else len(snapshots)
    rows = views if views > 1 else -(-len(snapshots) // columns)
    wide = WIDE / columns
    tall = 0.9 * wide if snapshots[0].views[0].equal else max(1.9, 0.75 * wide)
    figure, axes = subplots(
        rows, columns, figsize=(WIDE, tall * rows + 0.5), squeeze=False, layout="constrained",
        sharex="all" if views == 1 else "row", sharey="all" if views == 1 else "row",
    )  # fmt: skip
    shades, drawn = {}, []
    for index, snapshot in enumerate(snapshots):
        places = axes.flat[index : index + 1] if views == 1 else axes[:, index]
        for axis, view in zip(places, snapshot.views, strict=True):
            shade = _draw_view(axis, view)
            if views > 1 and view.equal and index == 0:
                axis.set_ylabel(f"{view.title}\n{view.y_label}")
            drawn.append(axis)
            # A scale that differs from round to round has no bar.
            if shade is not None and view.has_scale:
                shades[view.bar_label] = shade
        places[0].set_title(f"round {snapshot.round:,}\n{snapshot.note}", fontsize=9)
    for axis in axes.flat[: len(drawn)]:
        axis.label_outer()
    for axis in axes.flat[len(drawn) :]:
        axis.axis("off")
    _add_bars(figure, axes, shades)
    _one_legend(figure, drawn)
    save(figure, path)


def _readable(samples: Path, ending: str, load: Any) -> dict[int, Any]:
    """Load each file ROUND.ending, by round; damaged ones are reported and skipped."""
    found = {}
    for file in sorted(samples.glob(f"[0-9]*.{ending}")):
        try:
            found[int(file.stem)] = load(file)
        except Exception as error:  # whatever Pillow or NumPy raise of damaged bytes
            print(f"left out {file}: it is damaged ({type(error).__name__})", file=sys.stderr)
    return found


def _load_picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
