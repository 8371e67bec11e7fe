"""Layout and columns of text tables; every wrong cell is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.readers.tables import read_sheet, read_value_table


def values_of(path, *arguments):
    return read_value_table(path, *arguments).values


PLAIN = "gene,a,b\nFLG,1,2\nLOR,3,4\n"


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["t.txt", "t.csv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_compression(written, separator, newline, name, mark):
    table = values_of(written(mark + PLAIN.replace(",", separator).replace("\n", newline), name))
    expected = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["FLG", "LOR"], columns=["a", "b"])
    pd.testing.assert_frame_equal(table, expected, check_names=False, check_column_type=False)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("gene,a,b\nX,1,\nY,NA,2.5\n", [[1, np.nan], [np.nan, 2.5]]),
        ("gene,a,b\nX,1,2\nY,3000000000,1e3\n", [[1, 2], [3e9, 1000]]),
        ('"gene","a","b"\n"X","1","2"\n"Y"," 3 ","null"\n', [[1, 2], [3, np.nan]]),
        ("gene,a,b\nX,1,2\n\nY,-3,4.25\n\n", [[1, 2], [-3, 4.25]]),
    ],
)
def test_cells(written, text, values):
    table = values_of(written(text))
    assert table.index.tolist() == ["X", "Y"]
    np.testing.assert_array_equal(table.to_numpy(), np.array(values, dtype=float))


def test_whole_numbers_first_and_fractions_later(written):
    rows = "".join(f"G{i},{i}\n" for i in range(500)) + "LAST,0.5\n"
    assert values_of(written("gene,a\n" + rows)).loc["LAST", "a"] == 0.5


def test_a_separator_at_the_end_of_lines(written):
    assert values_of(written("gene,a,b,\nFLG,1,2,\n")).columns.tolist() == ["a", "b"]
    assert values_of(written("gene,a,b,\nFLG,1,2\n")).columns.tolist() == ["a", "b"]


def test_a_table_wider_than_the_first_block(written):
    names = [f"sample_with_a_long_name_{i:05d}" for i in range(6000)]
    text = "gene\t" + "\t".join(names) + "\nFLG" + "\t7" * 6000 + "\n"
    table = values_of(written(text, "wide.tsv"))
    assert table.shape == (1, 6000) and table.to_numpy().sum() == 42000


def test_lines_of_short_rows_are_counted_in_the_file(written):
    text = 'gene,about,a\nFLG,"x\ny",1\nLOR,z\n'
    with pytest.raises(AdnormError, match="line 4, row 'LOR': 2 fields instead of 3"):
        read_value_table(written(text))


@pytest.mark.parametrize(
    "title",
    [
        '"Table S2. Counts, all samples",,\n,,\n',
        "Table S2\n\n",
        '"Table S2. Counts, and more",\n',
        "Table S2: counts of 2 samples; raw\n",
        '"a title\nover two lines",,\n',
    ],
)
def test_a_title_above_the_header_is_no_header(written, title):
    path = written(title + PLAIN)
    table = values_of(path)
    assert table.index.tolist() == ["FLG", "LOR"] and table.columns.tolist() == ["a", "b"]
    assert read_sheet(path, "gene")["b"].tolist() == ["2", "4"]


def test_cells_of_a_value_table(fault):
    rows = "".join(f"G{i},1,2\n" for i in range(100))
    message = fault(read_value_table, "gene,a,b\n" + rows + "BAD,many,#DIV/0!\n")
    assert "row 'BAD' (line 102), column 'a': 'many': is not a number" in message
    assert "'#DIV/0!'" in message


def test_many_bad_cells_are_counted(fault):
    rows = "".join(f"G{i},1,{'x' if i % 4 == 0 else i}\n" for i in range(100))
    assert "17 more cells that are not numbers" in fault(read_value_table, "gene,a,b\n" + rows)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_commas_that_may_mean_thousands_are_refused(fault, separator):
    text = "gene;a;b\nX;1,500;2,250\nY;3,500;4,500\n".replace(";", separator)
    message = fault(read_value_table, text)
    assert "column 'a'" in message and "'1,500'" in message and "point as decimal mark" in message


def test_a_point_among_decimal_commas_is_refused(fault):
    rows = "".join(f"G{i};1,5;2,{i}\n" for i in range(20000))
    message = fault(read_value_table, "gene;a;b\n" + rows + "X;1.234;5\n")
    assert "row 'X' (line 20002), column 'a': '1.234'" in message and "thousands" in message


def test_decimal_commas_between_quotes_of_a_comma_table_are_refused(fault):
    message = fault(read_value_table, 'gene,a,b\nX,"1,5","2,25"\nY,"3,5","4,5"\n')
    assert "column 'a'" in message and "'1,5'" in message


def test_a_single_decimal_comma_is_refused(fault):
    rows = "".join(f"G{i};1;2\n" for i in range(100))
    message = fault(read_value_table, "gene;a;b\n" + rows + "X;1,234;5\n")
    assert "row 'X' (line 102), column 'a': '1,234'" in message and "decimal mark" in message
