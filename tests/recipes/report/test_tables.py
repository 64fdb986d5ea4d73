"""Tables: cells as they are read, every number in CSV, errors as scipy has them."""

import csv

import numpy as np
import pytest

from recipes._report.tables import (
    markdown,
    mean_and_error,
    means_with_errors,
    plus_minus,
    write_csv,
)


def test_a_table_rounds_floats_and_leaves_none_blank():
    """Bars within cells are escaped, or they would end the cell."""
    table = markdown(["name", "value"], [["a|b", 0.123456], ["c", None], ["d", 3]])
    assert table == "| name | value |\n| --- | ---: |\n| a\\|b | 0.1235 |\n| c |  |\n| d | 3 |\n"


def test_csv_keeps_every_digit(tmp_path):
    """Numbers that are read back are the same to the last bit."""
    value = 0.1 + 0.2
    write_csv(["name", "value"], [["a, b", value], ["c", None]], tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        heads, first, second = csv.reader(file)
    assert heads == ["name", "value"]
    assert first[0] == "a, b"
    assert float(first[1]) == value
    assert second == ["c", ""]


@pytest.mark.parametrize("count", [2, 3, 50])
def test_errors_are_the_deviation_over_the_root_of_the_count(count):
    """The unbiased deviation; a single value has no error."""
    values = np.random.default_rng(count).normal(size=count)
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(mean, values.sum() / count, rtol=1e-12)
    assert error is not None
    variance = ((values - mean) ** 2).sum() / (count - 1)
    np.testing.assert_allclose(error, np.sqrt(variance / count), rtol=1e-12)
    assert means_with_errors({"a": values[:1]}) == {"a": values[0], "a_error": None}


def test_a_number_with_its_error():
    """Both have as many digits."""
    assert plus_minus(0.51234, 0.0031, 3, " %") == "0.512 ± 0.003 %"
    assert plus_minus(2.0, None, 1) == "2.0"
