"""Tables: what is bundled, CSV files and every way in which one can be wrong, codes and back."""

import csv
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
from scipy import stats

from recipes import _data
from recipes._data import Roles, load_point_csv, table_encoding
from recipes._data.csv_files import load_csv, write_csv
from recipes._data.table import quantile_classes
from tests.recipes.data.test_data import refused

HEADER = ["age", "income", "town", "children", "bought"]


def people(n=60):
    """Rows of texts: two continuous columns, a text, an integer with few values, a label."""
    rng = np.random.default_rng(0)
    towns = ["Bern", "Genève, old town", 'the "city"']
    return [
        [str(20 + i), f"{rng.normal(5e4, 1e4):.2f}", towns[i % 3], str(i % 4), "yn"[i % 2]]
        for i in range(n)
    ]


def write(path, rows, header=HEADER, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def same_table(left, right):
    """Bits of numbers, texts of categories: their order is the reader's own."""
    for one, other in zip((*left.columns, left.label), (*right.columns, right.label), strict=True):
        assert one.name == other.name
        assert (one.categories is None) == (other.categories is None)
    for place, column in enumerate(left.columns):
        other = right.columns[place].texts(right.values[:, place])
        assert column.texts(left.values[:, place]) == other
    assert left.label.texts(left.labels) == right.label.texts(right.labels)


def test_bundled_tables_are_scikit_learns():
    """Their numbers, labels and names; the sex of diabetes is a category, its target cut in 3."""
    loaded: Any = sklearn.datasets.load_wine()
    raw: Any = sklearn.datasets.load_diabetes(scaled=False)
    wine, diabetes = (_data.load_table(name, 3) for name in ("wine", "diabetes"))
    np.testing.assert_array_equal(wine.values, loaded.data)
    np.testing.assert_array_equal(wine.labels, loaded.target)
    assert [column.name for column in wine.columns] == list(loaded.feature_names)
    assert _data.load_table("breast_cancer", 3).label.categories == ("malignant", "benign")
    assert [diabetes.columns[i].name for i in diabetes.categorical] == ["sex"]
    assert diabetes.columns[1].texts(diabetes.values[:, 1]) == [f"{s:.0f}" for s in raw.data[:, 1]]
    counts = diabetes.counts()
    assert counts.sum() == 442
    assert counts.max() - counts.min() <= 8, "thirds, but for ties at the edges"
    cuts = np.quantile(raw.target, [1 / 3, 2 / 3])
    np.testing.assert_array_equal(diabetes.labels, (raw.target[:, None] >= cuts).sum(axis=1))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_is_read_as_it_looks(tmp_path, delimiter):
    """Text, and integers of few values, are categories; other numbers are continuous."""
    rows = people()
    path = write(tmp_path / "people.csv", rows, delimiter=delimiter)
    table = load_csv(path, Roles("bought"))
    kinds = {column.name: column.categories for column in table.columns}
    assert kinds["age"] is None
    assert kinds["income"] is None
    assert kinds["children"] == ("0", "1", "2", "3")
    assert kinds["town"] == ("Bern", "Genève, old town", 'the "city"')
    assert table.label == _data.Column("bought", ("n", "y"))
    for place, column in enumerate(table.columns):
        written = [row[place] for row in rows]
        texts = column.texts(table.values[:, place])
        if column.categories is None:
            assert list(map(float, texts)) == list(map(float, written))
        else:
            assert texts == written
    assert table.label.texts(table.labels) == [row[4] for row in rows]


def test_roles_override_what_columns_look_like(tmp_path):
    """Named categorical, continuous, dropped; and a continuous label becomes classes."""
    path = write(tmp_path / "people.csv", people())
    table = load_csv(path, Roles("income", ("age",), ("children",), ("town",), label_bins=4))
    kinds = {column.name: column.categories is None for column in table.columns}
    assert kinds == {"age": False, "children": True, "bought": False}
    assert table.counts().tolist() == [15, 15, 15, 15]
    as_text = load_csv(path, Roles("children", categorical=("children",)))
    assert as_text.classes == 4


def test_a_written_table_is_read_again_to_the_same_bits(tmp_path):
    """Any float64, categories with commas and quotes, integers as categories, a binned label."""
    path = write(tmp_path / "people.csv", people())
    for roles in (Roles("bought"), Roles("income"), Roles("town")):
        table = load_csv(path, roles)
        write_csv(table, tmp_path / "again.csv")
        same_table(load_csv(tmp_path / "again.csv", Roles(roles.label)), table)
    values = np.stack([np.random.default_rng(1).normal(size=60), np.full(60, 3.0)], axis=1)
    columns = (_data.Column("x"), _data.Column("whole"))
    odd = _data.Table("odd", "odd", columns, values, table.label, table.labels)
    write_csv(odd, tmp_path / "odd.csv")
    same_table(load_csv(tmp_path / "odd.csv", Roles("town")), odd)


def edited(line, column, text):
    rows = people()
    rows[line][column] = text
    return rows


FEW_YES = [[*row[:4], "y" if i < 3 else "n"] for i, row in enumerate(people())]
ROLES = Roles("bought")
WRONG = {
    "no_value": (
        [["", *row[1:]] for row in people()],
        ROLES,
        ["age", "no value in any row", "--drop age"],
    ),
    "thousands": (
        [[row[0], "1,234", *row[2:]] for row in people()],
        ROLES,
        ["income", "'1,234'", "with a point and without thousands"],
    ),
    "missing_label": (edited(3, 4, "?"), ROLES, ["bought", "no value", "line 5"]),
    "inf": (edited(2, 1, "-inf"), ROLES, ["line 4", "income", "-inf", "not finite"]),
    "beyond": (edited(2, 1, "1e300"), ROLES, ["line 4", "1e300", "float32"]),
    "ragged": ([*people(), ["1", "2"]], ROLES, ["line 62", "2 cells", "line 1 has 5"]),
    "no_label": (people(), Roles("sold"), ["--label sold", "no such column", "age, income"]),
    "near_label": (people(), Roles("bougth"), ["perhaps you meant bought"]),
    "no_column": (people(), Roles("bought", ("size",)), ["--categorical size"]),
    "both": (people(), Roles("bought", ("age",), ("age",)), ["both name age"]),
    "drop_label": (people(), Roles("bought", drop=("bought",)), ["--drop bought"]),
    "drop_all": (people(), Roles("bought", drop=tuple(HEADER[:4])), ["no column but the label"]),
    "text": (people(), Roles("bought", continuous=("town",)), ["line 2", "'Bern'", "no number"]),
    "one_class": ([[*r[:4], "y"] for r in people()], ROLES, ["fewer than 2 classes"]),
    "rare_class": (FEW_YES, ROLES, ["class 'y'", "3 rows", "at least 5"]),
    "identifiers": (
        [[f"id{i}", *r[1:]] for i, r in enumerate(people(200))],
        ROLES,
        ["age has 200 categories", "'id0'", "--drop age"],
    ),
    "no_rows": ([], ROLES, ["a header and no rows"]),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_tables_are_refused_by_line_and_column(tmp_path, name):
    """One line that says what, where and what to do."""
    rows, roles, words = WRONG[name]
    path = write(tmp_path / "x.csv", rows)
    refused(lambda: load_csv(path, roles), *words)


WRONG_BYTES = {
    "empty": (b"", ["is empty"]),
    "binary": (b"a,b\n\xff\xfe\x00,1\n", ["no text in UTF-8"]),
    "cut_in_a_quote": (b'a,b\n1,"2\n3,4', ["line 3", "unexpected end of data"]),
    "twice": (b"a,a\n1,2\n", ["the name 'a' twice"]),
    "unnamed": (b"a,,\n1,2,3\n", ["a column without a name"]),
}


@pytest.mark.parametrize("name", sorted(WRONG_BYTES))
def test_files_that_are_no_tables(tmp_path, name):
    """Empty, binary, cut off, with a header that names nothing."""
    content, words = WRONG_BYTES[name]
    (tmp_path / "x.csv").write_bytes(content)
    refused(lambda: load_csv(tmp_path / "x.csv", Roles("b")), "x.csv", *words)
    refused(lambda: load_csv(tmp_path / "gone.csv", Roles("b")), "gone.csv", "no such file")


def test_a_fifth_of_each_class_is_held_out():
    """Disjoint, together everything, the same by seed and others by another."""
    table = _data.load_table("wine", 3)
    train, held_out = _data.hold_out_rows(table, 0)
    np.testing.assert_array_equal(held_out.counts(), np.round(table.counts() / 5))
    rows = np.concatenate([train.values, held_out.values])
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(table.values, axis=0))
    assert len(rows) == 178
    again, other = (_data.hold_out_rows(table, seed)[1].values for seed in (0, 1))
    np.testing.assert_array_equal(again, held_out.values)
    assert not np.array_equal(other, held_out.values)
    like = _data.rows_like(train, held_out.counts(), np.random.default_rng(0))
    np.testing.assert_array_equal(like.counts(), held_out.counts())


def test_quantile_classes_of_ties_are_fewer():
    """Values that coincide cannot be cut; a constant is one class."""
    column, labels = quantile_classes("x", np.asarray([0.0] * 8 + [1.0, 2.0]), 5)
    assert column.categories is not None
    assert set(labels) == set(range(len(column.categories)))
    assert quantile_classes("x", np.ones(9), 3)[0].categories == ("all",)


@pytest.mark.parametrize("scale", ["normal_scores", "standard"])
def test_encoding_and_back(tmp_path, scale):
    """Categories exactly, numbers to float32's rounding, a column that never varies exactly."""
    rows = [[*row[:3], "7.5", row[4]] for row in people()]
    table = load_csv(write(tmp_path / "x.csv", rows), Roles("bought"))
    encoding = _data.fit_encoding(table, scale)
    vectors = encoding.encode(table)
    assert vectors.shape == (60, encoding.width)
    assert vectors.shape[1] == len(encoding.names) == 3 + 3
    back = encoding.decode(vectors)
    np.testing.assert_array_equal(back[:, table.categorical], table.values[:, table.categorical])
    np.testing.assert_array_equal(back[:, 3], 7.5)
    np.testing.assert_allclose(back, table.values, rtol=2e-6)


def test_normal_scores_are_those_of_the_ranks():
    """Levels (i - 1/2)/n of the normal law; beyond them the least and the largest value."""
    values = np.random.default_rng(0).lognormal(size=(101, 1))
    labels = np.zeros(101, np.int32)
    label = _data.Column("y", ("a",))
    table = _data.Table("t", "t", (_data.Column("x"),), values, label, labels)
    encoding = _data.fit_encoding(table, "normal_scores")
    scores = np.sort(encoding.encode(table)[:, 0])
    expected = stats.norm.ppf((np.arange(101) + 0.5) / 101)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    beyond = encoding.decode(np.asarray([[-9.0], [9.0]]))[:, 0]
    np.testing.assert_array_equal(beyond, [values.min(), values.max()])


MISSING_TEXTS = ["", "NA", "None", "#N/A", "<NA>", ".", "nan", "#DIV/0!", "-", "NULL"]


@pytest.mark.parametrize("text", MISSING_TEXTS)
def test_missing_numbers_are_filled_and_indicated(tmp_path, text):
    """The column stays continuous: the median in their place, and a column that says where."""
    path = write(tmp_path / "people.csv", edited(7, 1, text))
    table = load_csv(path, Roles("bought"))
    names = [column.name for column in table.columns]
    assert names == ["age", "income", "income is missing", "town", "children"]
    assert table.columns[1].categories is None
    assert table.columns[2].categories == ("no", "yes")
    np.testing.assert_array_equal(table.values[:, 2], np.arange(60) == 7)
    present = np.delete([float(row[1]) for row in people()], 7)
    assert table.values[7, 1] == np.median(present)
    assert "missing values, which are generated too, in income (1.7%)" in str(table)


def test_missing_values_come_back_as_empty_cells(tmp_path):
    """Written and read again, numbers and texts; and encoded and decoded, with any number there."""
    rows = people()
    for place in (3, 9, 20):
        rows[place][0] = "NA"
        rows[place + 1][2] = "n/a"
    table = load_csv(write(tmp_path / "people.csv", rows), Roles("bought"))
    towns = next(column.categories for column in table.columns if column.name == "town")
    assert "" in (towns or ())
    write_csv(table, tmp_path / "again.csv")
    with (tmp_path / "again.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["age"] == "" for row in written] == [i in (3, 9, 20) for i in range(60)]
    assert [row["town"] == "" for row in written] == [i in (4, 10, 21) for i in range(60)]
    same_table(load_csv(tmp_path / "again.csv", Roles("bought")), table)
    encoding = _data.fit_encoding(table, "standard")
    vectors = encoding.encode(table)
    vectors[3, 0] = 5.0  # a generator's number where it says that there is none
    np.testing.assert_allclose(encoding.decode(vectors), table.values, rtol=1e-5, atol=1e-5)


def test_a_dash_among_texts_is_a_text(tmp_path):
    """A missing value among numbers; a category of its own among texts."""
    table = load_csv(write(tmp_path / "people.csv", edited(7, 2, "-")), Roles("bought"))
    assert "-" in (table.columns[2].categories or ())


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_numbers(tmp_path, delimiter):
    """1.234,5 and 0,5 between semicolons or tabs, as spreadsheets write them in half of Europe."""
    rows = people()
    expected = [float(row[1]) for row in rows]
    for row in rows:
        row[1] = f"{float(row[1]):,.2f}".translate(str.maketrans(",.", ".,"))
    path = write(tmp_path / "people.csv", rows, delimiter=delimiter)
    table = load_csv(path, Roles("bought"))
    assert table.columns[1].categories is None
    np.testing.assert_array_equal(table.values[:, 1], expected)


def test_quoted_names_with_the_other_separators_in_them(tmp_path):
    """A header of "h, cm";"w, kg";c has three columns."""
    lines = ['"h, cm";"w, kg";c', *(f"{150 + i};{50.5 + i};{'ab'[i % 2]}" for i in range(20))]
    (tmp_path / "x.csv").write_text("\n".join(lines), encoding="utf-8")
    table = load_csv(tmp_path / "x.csv", Roles("c"))
    assert [column.name for column in table.columns] == ["h, cm", "w, kg"]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-30, 1e30])
def test_a_column_that_never_varies_has_the_deviation_zero(value):
    """A thousand times 0.1 has a mean that is not 0.1, and a deviation that is not 0."""
    values = np.full(1000, value)
    assert table_encoding.standard(values).deviation == 0
    points = np.stack([values, np.arange(1000.0)], axis=1).astype(np.float32)
    data, scaling = _data.standardized(_data.Dataset("x", points, None, "plane", "x"))
    assert scaling.scale[0] == 1
    np.testing.assert_array_equal(data.points[:, 0], 0)


def test_tables_beyond_the_limits_are_refused_at_once(tmp_path):
    """Many columns, a line without an end: the limit and the number are said, in linear time."""
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{i}" for i in range(100_000)) + "\n", encoding="utf-8")
    refused(lambda: load_csv(path, ROLES), path, "100,000 columns", "10,000")
    path.write_text("a,b\n" + "," * (2**20 + 5), encoding="utf-8")
    refused(lambda: load_csv(path, ROLES), path, "line 2", "1,048,576 characters")
    refused(lambda: load_point_csv(path), path, "line 2", "1,048,576 characters")


@pytest.mark.parametrize("text", ["n.a.", "unknown", "12%", "$12", "1_000", "−3.5", "1d5"])
def test_an_odd_cell_among_numbers_is_named(tmp_path, text):
    """The line and the cell, and no column of sixty categories; said to be text, it is."""
    path = write(tmp_path / "people.csv", edited(7, 1, text))
    refused(lambda: load_csv(path, ROLES), "line 9", "income", repr(text), "--categorical income")
    categorical = load_csv(path, Roles("bought", categorical=("income",)))
    assert categorical.columns[1].categories is not None


def test_names_with_line_breaks_and_other_separators(tmp_path):
    """A quoted name may have a line break in it; bars divide cells too."""
    rows = [f"{i}.5,{i + 0.25},{'ab'[i % 2]}" for i in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(['"h\nm","w",c', *rows]), encoding="utf-8")
    table = load_csv(tmp_path / "x.csv", Roles("c"))
    assert [column.name for column in table.columns] == ["h\nm", "w"]
    text = "\n".join(["h|w|c", *rows]).replace(",", "|")
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    assert [column.name for column in load_csv(tmp_path / "x.csv", Roles("c")).columns] == [
        "h",
        "w",
    ]
