"""Data sets by name or by file. Nothing is downloaded."""

from recipes._data.builtin import TABLES as TABLES
from recipes._data.csv_files import (
    Roles as Roles,
    load_csv as load_csv,
    load_point_csv as load_point_csv,
    write_csv as write_csv,
)
from recipes._data.dataset import (
    Dataset as Dataset,
    Scaling as Scaling,
    Split as Split,
    check_labelled_images as check_labelled_images,
    hold_out as hold_out,
    standardized as standardized,
)
from recipes._data.sources import (
    CIFAR as CIFAR,
    IDX as IDX,
    NAMES as NAMES,
    TORCHVISION as TORCHVISION,
    TOYS as TOYS,
    has_test_split as has_test_split,
    is_folder as is_folder,
    load as load,
    load_labelled as load_labelled,
    load_table as load_table,
)
from recipes._data.table import (
    Column as Column,
    Table as Table,
    hold_out_rows as hold_out_rows,
    rows_like as rows_like,
)
from recipes._data.table_encoding import (
    Encoding as Encoding,
    Scale as Scale,
    fit_encoding as fit_encoding,
)
