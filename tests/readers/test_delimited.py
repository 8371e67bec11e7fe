"""Text tables, of values and of samples, as labs hold them; every wrong cell is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.inflate import _Counted
from adnorm.expression.columns import match_samples
from adnorm.readers.delimited import read_sheet, read_value_table

PLAIN = "gene,a,b\nFLG,1,2\nLOR,3,4\n"


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["t.txt", "t.csv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_compression(written, separator, newline, name, mark):
    table = read_value_table(
        written(mark + PLAIN.replace(",", separator).replace("\n", newline), name)
    )
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
    table = read_value_table(written(text))
    assert table.index.tolist() == ["X", "Y"]
    np.testing.assert_array_equal(table.to_numpy(), np.array(values, dtype=float))


@pytest.mark.parametrize("last", ["1", "0.5", "NA", '"5'], ids=str)
def test_a_packed_table_is_inflated_once_whatever_is_looked_for_in_it(written, last, monkeypatch):
    rows = "".join(f'"G{i}",{i * 37 % 101},{i}\n' for i in range(30_000)) + f"X,{last},\n"
    path = written("gene,a,b\n" + rows, "t.csv.gz")
    inflate, given = _Counted._inflate, []

    def counted(self, most: int) -> bytes:
        text = inflate(self, most)
        given.append(len(text))
        return text

    monkeypatch.setattr(_Counted, "_inflate", counted)
    if last == '"5':
        with pytest.raises(AdnormError, match="2 fields instead of 3"):
            read_value_table(path)
    else:
        assert len(read_value_table(path)) == 30_001
    # Its beginning is looked at before; the end is reached once.
    assert given.count(0) == 1 and sum(given) > len(rows)


def test_whole_numbers_first_and_fractions_later(written):
    rows = "".join(f"G{i},{i}\n" for i in range(500)) + "LAST,0.5\n"
    assert read_value_table(written("gene,a\n" + rows)).loc["LAST", "a"] == 0.5


def test_a_separator_at_the_end_of_lines(written):
    assert read_value_table(written("gene,a,b,\nFLG,1,2,\n")).columns.tolist() == ["a", "b"]
    assert read_value_table(written("gene,a,b,\nFLG,1,2\n")).columns.tolist() == ["a", "b"]


def test_a_table_wider_than_the_first_block(written):
    names = [f"sample_with_a_long_name_{i:05d}" for i in range(6000)]
    text = "gene\t" + "\t".join(names) + "\nFLG" + "\t7" * 6000 + "\n"
    table = read_value_table(written(text, "wide.tsv"))
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
    table = read_value_table(path)
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


def test_real_counts(shared):
    folder = shared / "geo/series"
    table = read_value_table(folder / "GSE193nnn/GSE193309/suppl/GSE193309_count_matrix.csv.gz")
    assert table.shape == (17848, 49)
    assert table.index[0] == "ENSG00000278267" and table.iloc[0, :3].tolist() == [5, 2, 0]
    table = read_value_table(folder / "GSE199nnn/GSE199046/suppl/GSE199046_count_matrix.txt.gz")
    assert table.shape == (2310, 194)
    assert table.loc["LAP3", "05_AD_25_LS"] == 577


def test_the_header_of_write_table_is_one_shorter(written):
    table = read_value_table(written('"a"\t"b"\n"FLG"\t1\t2\n"LOR"\t3\t4\n'))
    assert table.columns.tolist() == ["a", "b"] and table.loc["LOR"].tolist() == [3, 4]


def test_a_gene_column_without_a_name(written):
    assert read_value_table(written('"",a,b\nFLG,1,2\n')).index.tolist() == ["FLG"]


def test_names_of_columns_may_be_numbers(written):
    assert read_value_table(written("gene,1,2\nFLG,5,6\n")).columns.tolist() == ["1", "2"]
    assert match_samples(["2", "1"], ["1", "2"]) == {"2": "2", "1": "1"}
    with pytest.raises(AdnormError, match="the 2 samples: 'A', 'B'.*no header"):
        match_samples(["1", "2"], ["A", "B"])
    with pytest.raises(AdnormError) as error:
        match_samples(["1", "2"], ["1", "3"])
    assert "header" not in str(error.value)


def test_feature_counts(written):
    text = (
        '# Program:featureCounts v2.0.1; Command:"featureCounts" "-a" "x.gtf"\n'
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\ta.bam\tb.bam\n"
        "ENSG00000143631.11\tchr1;chr1\t1;9\t5;20\t-;-\t17\t4\t8\n"
        "ENSG00000203782\tchr1\t30\t40\t+\t11\t0\t2\n"
    )
    table = read_value_table(written(text, "counts.txt"))
    assert table.columns.tolist() == ["a.bam", "b.bam"]
    assert table.to_numpy().tolist() == [[4, 8], [0, 2]]


def test_text_about_genes_is_no_sample(written):
    text = "id,symbol,a,description,b\n2312,FLG,5,filaggrin,6\n4014,,7,,8\n"
    table = read_value_table(written(text), "symbol")
    assert table.index.tolist() == ["FLG", ""]
    assert table.columns.tolist() == ["id", "a", "b"]
    assert read_value_table(written(text)).columns.tolist() == ["a", "b"]


def test_text_that_begins_far_down_is_still_text(written):
    rows = "".join(f"G{i},{i},\n" for i in range(200)) + "".join(f"H{i},1,word\n" for i in range(9))
    table = read_value_table(written("gene,a,note\n" + rows))
    assert table.columns.tolist() == ["a"]


def test_duplicate_genes_are_left_to_the_next_step(written):
    assert read_value_table(written("gene,a\nX,1\nX,2\n"))["a"].tolist() == [1, 2]


def test_sheets(written):
    sheet = read_sheet(written("library;patient;week\nL1; P1 ;0\nL2;P2;12,5\n;;\n"), "library")
    assert sheet.index.tolist() == ["L1", "L2"]
    assert sheet["patient"].tolist() == ["P1", "P2"] and sheet["week"].tolist() == ["0", "12,5"]
    assert read_sheet(written("s,p\n01,NA\n02,\n")).to_numpy().tolist() == [
        ["01", "NA"],
        ["02", ""],
    ]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_when_they_can_be_nothing_else(tmp_path, separator):
    rows = ["gene;note;a;b;c", "FLG;a, b;1,5;0,125;2", "LOR;;-2,25;1,234;NA", "KRT16;x;3;;4,5e-1"]
    path = tmp_path / "excel.csv"
    path.write_bytes("\r\n".join(row.replace(";", separator) for row in rows).encode())
    table = read_value_table(path)
    assert list(table.columns) == ["a", "b", "c"]
    expected = [[1.5, 0.125, 2], [-2.25, 1.234, np.nan], [3, np.nan, 0.45]]
    np.testing.assert_array_equal(table.to_numpy(), expected)


def test_columns_of_a_value_table(fault):
    assert "'a' stands 2 times" in fault(read_value_table, "gene,a,a\nX,1,2\n")
    assert "without a name: number '3'" in fault(read_value_table, "gene,a,,b\nX,1,2,3\nY,4,4,4\n")
    assert "no column of numbers" in fault(read_value_table, "gene,note\nX,word\n")
    assert "no header" in fault(read_value_table, "FLG,1,1\nLOR,3,4\n")
    assert "no columns found" in fault(read_value_table, "gene a b\nX 1 2\n")
    assert "no row of values" in fault(read_value_table, "gene,a,b\n")
    message = fault(read_value_table, "gene_id,a\nX,1\n", "gene_ids")
    assert "'gene_ids' does not exist; did you mean 'gene_id'?" in message


def test_bad_sheets(fault):
    text = "library,patient\nL1,P1\nL1,P2\n,P3\n"
    message = fault(read_sheet, text, "library")
    assert "1 sample stands in more than one row: 'L1' (lines 2 and 3)" in message
    assert "delete the surplus rows" in message and "without repetition is 'patient'" in message
    assert "1 row names no sample (line 4); fill in" in message
    message = fault(read_sheet, "# note\nid,x\n" + "A,1\n,\n" * 8, "id")
    assert "'A' (lines 3, 5, 7, 9, 11, 13 and 2 more)" in message and "repetition" not in message
    message = fault(read_sheet, "id,x\n" + "".join(f"S{i},1\n" * 2 for i in range(7)), "id")
    assert "7 samples stand" in message and "'S5' (lines 12 and 13) and 1 more. Each" in message
    assert "no column 'libary'; did you mean 'library'?" in fault(read_sheet, text, "libary")
    assert "'a' stands 2 times" in fault(read_sheet, "a,a\n1,2\n")
    assert "header but no row" in fault(read_sheet, "a,b\n,\n")
