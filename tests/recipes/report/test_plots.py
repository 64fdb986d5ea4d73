"""Pictures: rounds at equal ratios, snapshots that are read back, legends off the data."""

import numpy as np
import pytest
from matplotlib.ticker import LogFormatterSciNotation
from PIL import Image

from recipes._report import plots
from recipes._report.plots import Curve, Panel, at_equal_ratios, over_time, subplots
from recipes._report.views import (
    Area,
    Line,
    Points,
    Shade,
    Snapshot,
    View,
    load_snapshot,
    save_snapshot,
)


@pytest.mark.parametrize(
    ("rounds", "most", "expected"),
    [
        ([0, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000], 6, [0, 10, 50, 200, 1000, 4000]),
        ([0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000], 6, [0, 500, 1000, 1500, 2500, 4000]),
        ([0, 1, 2], 6, [0, 1, 2]),
        ([7], 1, [7]),
    ],
)
def test_rounds_are_at_equal_ratios(rounds, most, expected):
    """The first, the last, and ratios as equal as the rounds that there are allow."""
    assert at_equal_ratios(rounds, most) == expected


def snapshot(round):
    """One view of every kind of layer."""
    x = np.linspace(-1, 1, 5)
    layers = [
        Shade("score", np.where(np.eye(4) > 0, np.nan, 0.5), "RdBu", 0.0, 1.0, nothing="no mass"),
        Area("density", x, x**2, "#4c72b0"),
        Line("curve", x, np.where(x > 0, x, np.nan), "#222222", ":"),
        Points("points", np.stack([x, -x], 1), "#dd8452", "x"),
    ]
    view = View("a title", "x", "y", (-1.0, -1.0), (1.0, 1.0), layers, equal=True)
    return Snapshot(round, "W1 0.5", [view, view])


def test_a_snapshot_is_read_back(tmp_path):
    """All of it: arrays in single precision, NaN included."""
    made = snapshot(30)
    save_snapshot(made, tmp_path / "s.npz")
    found = load_snapshot(tmp_path / "s.npz")
    assert (found.round, found.note, len(found.views)) == (30, "W1 0.5", 2)
    assert found.views[0].low == (-1.0, -1.0)
    for ours, theirs in zip(made.views[0].layers, found.views[0].layers, strict=True):
        assert type(ours) is type(theirs)
        for name, value in vars(ours).items():
            np.testing.assert_array_equal(
                np.float32(value) if isinstance(value, np.ndarray) else value, vars(theirs)[name]
            )


def test_over_time_draws_views_anew_and_leaves_damaged_ones_out(tmp_path, capsys):
    """A column for each round; what cannot be read is said on standard error."""
    (tmp_path / "samples").mkdir()
    for round in (0, 10):
        plots.draw_snapshot(snapshot(round), tmp_path / "samples")
    (tmp_path / "samples" / "00000020.npz").write_bytes(b"PK\3\4 no archive")
    over_time(tmp_path / "samples", tmp_path / "over_time.png")
    assert "left out" in capsys.readouterr().err
    with Image.open(tmp_path / "over_time.png") as picture:
        assert picture.width > 1.0 * picture.height
    assert (tmp_path / "samples" / "00000010.png").stat().st_size > 1000


def test_legends_are_below_the_axes(tmp_path):
    """Nothing of a legend lies on the data, whether each panel has its own or all share one."""
    x = np.arange(1, 10)
    for names in (("a", "b"), ("a", "a")):
        parts = [Panel("title", "x", "y", [Curve(name, x, x)]) for name in names]
        figures = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plots, "save", lambda figure, path, kept=figures: kept.append(figure))
            plots.panels(parts, tmp_path / "p.png")
        (figure,) = figures
        figure.canvas.draw()
        legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
        assert len(legends) == len(set(names))
        boxes = [axis.get_window_extent() for axis in figure.axes]
        for legend in legends:
            assert not any(legend.get_window_extent().overlaps(box) for box in boxes)


def test_ticks_below_two_decades_are_plain_numbers():
    """Not "2 x 10^0"; above, powers of ten."""
    _, axis = subplots()
    axis.plot([1, 2], [0.6, 3.0])
    plots.log_axis(axis, "y")
    texts = [axis.yaxis.get_major_formatter()(value, 0) for value in (0.6, 2.0)]
    assert texts == ["0.6", "2"]
    _, wide = subplots()
    wide.plot([1, 2], [1e-6, 3.0])
    plots.log_axis(wide, "y")
    assert isinstance(wide.yaxis.get_major_formatter(), LogFormatterSciNotation)
