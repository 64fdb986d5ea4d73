"""MovieLens' three formats, and every way in which a file of ratings can be wrong."""

import gzip

import numpy as np
import pytest

from recipes._data import movielens
from tests.recipes.data.test_data import refused

ROWS = [(196, 242, 3.0), (186, 302, 3.5), (22, 242, 4.0), (196, 51, 5.0), (22, 302, 4.5)]
TABS = "".join(f"{u}\t{i}\t{r:g}\t881250949\n" for u, i, r in ROWS)
COLONS = TABS.replace("\t", "::")
CSV = "userId,movieId,rating,timestamp\n" + TABS.replace("\t", ",")
SHUFFLED = '"Timestamp","RATING","item_id","User ID"\r\n' + "".join(
    f"881250949,{r:g},{i},{u}\r\n" for u, i, r in ROWS
)
FORMS = {
    "u.data": TABS,
    "ratings.dat": COLONS,
    "ratings.csv": CSV,
    "ratings.csv, other header": SHUFFLED,
    "ratings.csv, byte order mark": "\ufeff" + CSV,
    "u.data, no last line end, blank lines": TABS.strip().replace("\n", "\n\n"),
}


def folder_with(tmp_path, text, name="u.data", pack=False):
    raw = text.encode()
    path = tmp_path / (name.partition(",")[0] + (".gz" if pack else ""))
    path.write_bytes(gzip.compress(raw) if pack else raw)
    return tmp_path


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("pack", [False, True])
def test_all_formats_are_the_same_ratings(name, pack, tmp_path):
    """Gzipped or not; columns of a header in any order and case."""
    found = movielens.read_ratings(folder_with(tmp_path, FORMS[name], name, pack))
    for got, expected in zip(found[:3], zip(*ROWS, strict=True), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_liked_are_the_ratings_above(tmp_path):
    """A sparse matrix by the file's own names; a pair that comes twice is one."""
    folder = folder_with(tmp_path, TABS + "22\t242\t5\t881250950\n")
    liked = movielens.load_liked(folder, 3.5)
    assert liked.users.tolist() == [22, 196]
    assert liked.items.tolist() == [51, 242, 302]
    np.testing.assert_array_equal(liked.matrix.toarray(), [[0, 1, 1], [1, 0, 0]])
    assert liked.matrix.nnz == 3
    other = movielens.load_liked(folder, 3.0)
    assert other.matrix.nnz == 4
    assert other.checksum() != liked.checksum() == movielens.load_liked(folder, 3.5).checksum()
    refused(lambda: movielens.load_liked(folder, 5.0), "no rating above 5", "the largest is 5")


def test_many_lines_are_read_without_a_loop(tmp_path):
    """200 000 lines come back as they were written."""
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.integers(1, 10**6, (200_000, 2)), rng.integers(1, 11, 200_000)])
    np.savetxt(tmp_path / "ratings.dat", table, fmt="%d", delimiter="::")
    np.testing.assert_array_equal(np.column_stack(movielens.read_ratings(tmp_path)[:3]), table)


WRONG = {
    "empty": ("u.data", "", ["u.data is empty"]),
    "blank": ("ratings.csv", "\n\n", ["ratings.csv is empty"]),
    "header alone": ("ratings.csv", "userId,movieId,rating\n", ["no ratings"]),
    "cut": ("u.data", TABS + "5\t3", ["line 6 has 2 cells between tabs", "'5\\t3'"]),
    "commas": ("u.data", TABS.replace("\t", ","), ["line 1 has 1 cells between tabs"]),
    "single colons": ("ratings.dat", COLONS.replace("::", ":"), ["line 1 has 1 cells between ::"]),
    "word": ("u.data", TABS + "7\tx\t3\t1\n", ["line 6: the item must be a whole number", "'x'"]),
    "half a user": ("u.data", "1.5\t2\t3\t1\n", ["line 1: the user must be a whole number"]),
    "below 0": ("u.data", TABS + "\n-1\t2\t3\t1\n", ["line 7: the user must be a whole number"]),
    "nan": ("ratings.csv", CSV + "1,2,nan,3\n", ["line 7: the rating must be a finite number"]),
    "inf": ("ratings.dat", COLONS + "1::2::inf::3\n", ["line 6: the rating", "'inf'"]),
    "no rating": ("ratings.csv", CSV + "1,2,,3\n", ["line 7: the rating must be", "''"]),
    "bytes": ("u.data", "\x00\x01\t2\t3\t4\n", ["line 1: the user"]),
    "no header": ("ratings.csv", TABS.replace("\t", ","), ["line 1 must name one column of the"]),
    "no item": ("ratings.csv", "userId,title,rating\n1,2,3\n", ["the item, movieid or itemid"]),
    "two items": ("ratings.csv", "userId,item,movieId,rating\n1,2,3,4\n", ["column of the item"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_its_line(name, tmp_path):
    """One line that names the file, the line and the cell."""
    file, text, words = WRONG[name]
    refused(lambda: movielens.read_ratings(folder_with(tmp_path, text, file)), file, *words)


def test_the_file_is_found_or_missed(tmp_path):
    """None, two, a folder that is not there, and a stream that was cut."""
    refused(lambda: movielens.read_ratings(tmp_path / "no"), "no such folder")
    refused(lambda: movielens.read_ratings(tmp_path), "has none of u.data, ratings.dat")
    folder_with(tmp_path, TABS)
    folder_with(tmp_path, CSV, "ratings.csv", pack=True)
    refused(lambda: movielens.read_ratings(tmp_path), "has u.data and ratings.csv.gz")
    (tmp_path / "u.data").unlink()
    path = tmp_path / "ratings.csv.gz"
    path.write_bytes(path.read_bytes()[:-9])
    refused(lambda: movielens.read_ratings(tmp_path), "truncated")
