"""The transport recipe: the lecture notes' piles, proofs of optimality, and errors of one line."""

import json

import numpy as np
import pytest

from recipes import transport
from recipes._data import load_point_csv
from recipes._runtime.errors import UserError
from recipes._transport.pictures import potential_surface

SMALL = {"points": 30, "regularisations": (0.03, 0.3)}


def solved(tmp_path, **flags):
    return transport.run(transport.Args(out=tmp_path / "run", **{**SMALL, **flags}))


def test_the_lecture_notes_piles(tmp_path, float32, capsys):
    """3 2 1 4 to 1 2 4 3: moves of 2 + 2 + 1 by one place, so that the work is 5.

    For p = 1 the potentials are a 1-Lipschitz critic: by its surface E f(x) - E f(y) is W1, and
    the slope of the surface is at most 1. The bias of entropy is positive and grows with it.
    """
    result = solved(tmp_path)
    assert [(m.source, m.target, m.mass) for m in result.piles.moves if m.distance] == [
        (0, 1, 2.0), (1, 2, 2.0), (3, 2, 1.0)
    ]  # fmt: skip
    assert result.summary["piles"]["work"] == 5.0
    np.testing.assert_allclose(result.piles.w1, 0.5, rtol=1e-12)
    assert "mass 2 goes from 0 to 1: work 2" in capsys.readouterr().out
    clouds = result.clouds
    # HiGHS meets its constraints to 1e-7.
    assert np.abs(clouds.duality).max() < 1e-6
    f_x, f_y = (potential_surface(clouds, points) for points in (clouds.x, clouds.y))
    np.testing.assert_allclose(f_x.mean() - f_y.mean(), clouds.plan.distance, rtol=1e-6)
    steps = np.linalg.norm(np.diff(clouds.x, axis=0), axis=1)
    assert (np.abs(np.diff(f_x)) <= steps * (1 + 1e-12)).all()
    weak, strong = clouds.entropic
    assert weak.converged
    assert 0 < weak.bias < strong.bias
    assert float(clouds.sliced.value) < clouds.plan.distance
    for name in ("piles.png", "clouds.png", "entropic.png", "config.json"):
        assert (result.folder / name).stat().st_size > 100
    lines = (result.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["move"] * 6 + ["entropic"] * 2


def test_a_shift_between_files(tmp_path, float32):
    """W_2 of a cloud and its shift is the length of the shift, in any dimension.

    The files are float32, and hold the shift to 1e-6; five dimensions are drawn in two.
    """
    points = np.random.default_rng(0).normal(size=(25, 5))
    shift = np.array([1.0, -2.0, 0.5, 0.0, 1.0])
    np.save(tmp_path / "x.npy", points)
    header = "a,b,c,d,e"
    np.savetxt(tmp_path / "y.csv", points + shift, delimiter=",", header=header, comments="")
    flags = {"cloud": str(tmp_path / "x.npy"), "other": str(tmp_path / "y.csv"), "p": 2}
    result = solved(tmp_path, **flags)
    np.testing.assert_allclose(result.clouds.plan.distance, np.linalg.norm(shift), rtol=1e-6)
    assert result.summary["clouds"]["dimension"] == 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"piles": (1.0, 2.0)}, "--piles has 2 heights and --holes 4"),
        ({"piles": (), "holes": ()}, "--piles has 0 heights"),
        ({"piles": (1.0, 2.0), "holes": (1.0, 1.0)}, "--piles hold 3 and --holes 2"),
        ({"piles": (-1.0, 2.0), "holes": (1.0, 0.0)}, "--piles must be finite and 0 or more"),
        ({"piles": (float("nan"),), "holes": (1.0,)}, "--piles must be finite"),
        ({"piles": (0.0,), "holes": (0.0,)}, "nothing to move"),
        ({"points": 1}, "--points must be from 2 to 500"),
        ({"seed": -1}, "--seed must be 0 or more"),
        ({"regularisations": (0.0,)}, "--regularisations"),
        ({"regularisations": (float("nan"),)}, "--regularisations"),
        ({"cloud": "circle"}, "--cloud circle is none of normal, ring"),
        ({"other": "missing.csv"}, "--other missing.csv: there is no such file"),
    ],
)
def test_flags_that_cannot_work(tmp_path, flags, message):
    """One line, before anything is written."""
    with pytest.raises(UserError, match=message):
        solved(tmp_path, **flags)
    assert not (tmp_path / "run").exists()


def test_clouds_that_cannot_be_compared(tmp_path):
    """Both dimensions are named; a line is no plane; there is something to move."""
    np.save(tmp_path / "same.npy", np.ones((9, 2)))
    with pytest.raises(UserError, match="are one point, repeated"):
        solved(tmp_path, cloud=str(tmp_path / "same.npy"), other=str(tmp_path / "same.npy"))
    np.save(tmp_path / "three.npy", np.ones((9, 3)))
    with pytest.raises(UserError, match=r"points of 3 numbers and --other ring of 2"):
        solved(tmp_path, cloud=str(tmp_path / "three.npy"))
    np.save(tmp_path / "one.npy", np.ones((9, 1)))
    with pytest.raises(UserError, match="points of 1 number each"):
        solved(tmp_path, other=str(tmp_path / "one.npy"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has no points"),
        (b"x,y\n", "has no points"),
        (b"1,2\n3,4,5\n", "line 2 has 3 cells where line 1 has 2"),
        (b"x,y\n1,2\n3,four\n", "line 3: 'four' is no number"),
        (b"1,2\n\n3,\n", "line 3: '' is no number"),
        (b"1,2\nnan,3\n", "NaN or inf in 1 of its 2 points, first in point 1"),
        (b"1,2\n", "1 points; at least 2"),
        (b"1,2\n3,1e300\n", "beyond float32"),
        (b"\xff\xfe1,2\n", "no text in UTF-8"),
        (b'1,2\n"3,4\n', "line 2: unexpected end of data; repair it"),
        (b",x,y\n0,1,2\n1,3,4\n", "a column without a name .*index=False"),
        (b"Unnamed: 0,x,y\n0,1,2\n1,3,4\n", "a column without a name"),
        (b'x,y\n"1,5",2\n"2,5",3\n', "'1,5'; write numbers with a point"),
        (b"x;y\n1,5;2\n2.5;3\n", "'1,5' and '2.5'"),
    ],
)
def test_text_files_that_are_not_sound(tmp_path, text, message):
    """The line is named, as a person counts it."""
    (tmp_path / "c.csv").write_bytes(text)
    with pytest.raises(UserError, match=message):
        load_point_csv(tmp_path / "c.csv")


def test_a_text_file_as_spreadsheets_write_it(tmp_path):
    """A byte order mark, a line of names, line ends of two bytes, and spaces do not matter."""
    (tmp_path / "c.csv").write_bytes(b"\xef\xbb\xbfx,y\r\n1, 2\r\n\r\n-3,4e1\r\n")
    data = load_point_csv(tmp_path / "c.csv")
    np.testing.assert_array_equal(data.points, [[1, 2], [-3, 40]])
    assert data.kind == "plane"


@pytest.mark.parametrize("text", [b"x;y\n1,5;2,0\n-0,25;3\n", b"1,5\t2\n-,25\t3,0\n"])
def test_points_with_decimal_commas_are_read(tmp_path, text):
    """As a spreadsheet writes them where the comma is the decimal mark."""
    (tmp_path / "c.csv").write_bytes(text)
    found = load_point_csv(tmp_path / "c.csv")
    np.testing.assert_array_equal(found.points, [[1.5, 2], [-0.25, 3]])
