"""Views: what a picture of samples shows, kept as arrays so that it can be drawn again."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

NOTHING: dict[str, Any] = {"facecolor": "#ececec", "hatch": "////", "edgecolor": "#b5b5b5"}
"""The ground of a shade where it has no value."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A part of a view. Layers are drawn in their order."""

    kinds: ClassVar[dict[str, type["Layer"]]] = {}
    label: str

    def __init_subclass__(cls) -> None:
        cls.kinds[cls.__name__] = cls

    def draw(self, axis: Axes, view: "View") -> Any:
        """Draw the layer; return what a colour bar needs, if anything does."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Points(Layer):
    """A scatter of `places`, shape `(n, 2)`; `size` in points squared."""

    places: np.ndarray
    color: str
    marker: str = "o"
    size: float = 6.0
    alpha: float = 0.6

    def draw(self, axis: Axes, view: "View") -> Any:
        width = 1.0 if self.marker == "x" else 0.0
        axis.scatter(
            *self.places.T, s=self.size, color=self.color, marker=self.marker, alpha=self.alpha,
            linewidths=width, label=self.label, zorder=3,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Line(Layer):
    """A curve through `x` and `y` of shape `(n,)`; NaN interrupts it."""

    x: np.ndarray
    y: np.ndarray
    color: str
    style: str = "-"

    def draw(self, axis: Axes, view: "View") -> Any:
        axis.plot(self.x, self.y, self.style, color=self.color, lw=1.3, label=self.label)


@dataclasses.dataclass(frozen=True)
class Area(Layer):
    """The area between 0 and a curve."""

    x: np.ndarray
    y: np.ndarray
    color: str

    def draw(self, axis: Axes, view: "View") -> Any:
        axis.fill_between(self.x, self.y, color=self.color, alpha=0.35, lw=0, label=self.label)


@dataclasses.dataclass(frozen=True)
class Shade(Layer):
    """Colours over the whole view, `values[row, column]` from its lower left.

    `low` and `high`: the ends of the colour scale, by default those of the values. Where a value is
    NaN the ground is grey and hatched, and the legend calls it `nothing`.
    """

    values: np.ndarray
    colors: str
    low: float | None = None
    high: float | None = None
    nothing: str = ""

    def draw(self, axis: Axes, view: "View") -> Any:
        (left, bottom), (right, top) = view.low, view.high
        if self.nothing:
            axis.patch.set(**NOTHING)
            axis.add_patch(Rectangle(view.low, 0, 0, label=self.nothing, **NOTHING))
        return axis.imshow(
            self.values, origin="lower", extent=(left, right, bottom, top), cmap=self.colors,
            vmin=self.low, vmax=self.high, aspect="auto",
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class View:
    """One set of axes, from the corner `low` to the corner `high`.

    - `equal`: whether a unit is as long on both axes.
    """

    title: str
    x_label: str
    y_label: str
    low: tuple[float, float]
    high: tuple[float, float]
    layers: Sequence[Layer]
    equal: bool = False

    def draw(self, axis: Axes) -> Any:
        """Draw all layers; return what a colour bar needs: that of the last shade, or `None`."""
        shades = [layer.draw(axis, self) for layer in self.layers]
        axis.set(xlim=(self.low[0], self.high[0]), ylim=(self.low[1], self.high[1]))
        if self.equal:
            axis.set_aspect("equal")
        return next((shade for shade in reversed(shades) if shade is not None), None)

    @property
    def _shades(self) -> list["Shade"]:
        return [layer for layer in self.layers if isinstance(layer, Shade)]

    @property
    def bar_label(self) -> str:
        """The label of the colour bar: that of the last shade."""
        return self._shades[-1].label if self._shades else ""

    @property
    def has_scale(self) -> bool:
        """True if the last shade's colours have fixed ends."""
        return bool(self._shades) and self._shades[-1].high is not None


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The views of one round; `note`: a few words on it, such as its distance from the data."""

    round: int
    note: str
    views: Sequence[View]


def save_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Writes an .npz file: the arrays, and all else as JSON."""
    arrays: dict[str, np.ndarray] = {}

    def put(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = f"array{len(arrays)}"
            arrays[name] = value.astype(np.float32)
            return {"array": name}
        return value

    def plain(part: Any) -> dict[str, Any]:
        own = {f.name: put(getattr(part, f.name)) for f in dataclasses.fields(part)}
        return {"kind": type(part).__name__, **own}

    views = [plain(view) | {"layers": [plain(layer) for layer in view.layers]}
             for view in snapshot.views]  # fmt: skip
    head = {"round": snapshot.round, "note": snapshot.note, "views": views}
    np.savez_compressed(path, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)


def load_snapshot(path: Path) -> Snapshot:
    """Reads what `save_snapshot` wrote.

    **Raises:** some exception of NumPy, zipfile or JSON, or `ValueError`, if the file is damaged.
    """
    # A handle of its own: NumPy leaves that of a damaged archive open.
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        head = json.loads(str(file["head"]))

        def get(value: Any) -> Any:
            return file[value["array"]] if isinstance(value, dict) else value

        def fields(part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
            return ((name, get(value)) for name, value in part.items() if name != "kind")

        def view_of(part: dict[str, Any]) -> View:
            layers = [Layer.kinds[entry["kind"]](**dict(fields(entry))) for entry in part["layers"]]
            own = dict(fields({**part, "layers": None}))
            low, high = tuple(own.pop("low")), tuple(own.pop("high"))
            return View(**{**own, "layers": layers, "low": low, "high": high})

        return Snapshot(head["round"], head["note"], [view_of(part) for part in head["views"]])
