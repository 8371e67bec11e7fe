"""Bad files: one message that names the fault and its place, and never a plausible value."""

from __future__ import annotations

import gzip
import time

import anndata
import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.expression.annotation import read_annotation, read_identifier_table
from adnorm.expression.h5ad import read_obs, read_values
from adnorm.expression.series_matrix import read_series_matrix
from adnorm.expression.value_tables import read_sheet, read_value_table

HEAD = (
    '!Series_title\t"x"\n!Sample_geo_accession\t"A"\t"B"\n!series_matrix_table_begin\n'
    '"ID_REF"\t"A"\t"B"\n'
)
END = "!series_matrix_table_end\n"


@pytest.fixture
def fault(tmp_path):
    """Write a file, read it, and give the message of the error that must follow."""

    def read(reader, content, *arguments, name="file.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(AdnormError) as caught:
            reader(path, *arguments)
        message = str(caught.value)
        assert message.startswith(str(path))
        return message.removeprefix(str(path))

    return read


ROWS = "".join(f'"p{i}"\t{i}.5\t{i * 7919 % 97}.25\n' for i in range(5000))
READERS = [read_series_matrix, read_value_table, read_sheet, read_annotation, read_identifier_table]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (gzip.compress(b""), "empty"),
        (b"<!DOCTYPE html>\n<html><body>captcha</body></html>", "web page"),
        (gzip.compress(b"\n<HTML>busy</HTML>"), "web page"),
        (b"PK\x03\x04\x14\x00rest", "save the sheet as csv or tsv"),
        ("gene\ta\nX\t1\n".encode("utf-16"), "UTF-16"),
        (b"\x00\x01\x02\x03", "binary"),
        (b"gene,a,b\rFLG,1,2\rLOR,3,4\r", "carriage return only"),
        (b"gene\ta" + b"\rFLG\t1" * 20000, "carriage return only"),
    ],
)
def test_files_that_are_no_text_table(fault, reader, content, words):
    assert words in fault(reader, content)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_not_there(tmp_path, reader):
    with pytest.raises(AdnormError, match="does not exist"):
        reader(tmp_path / "absent.txt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_truncated_gzip(fault, share):
    packed = gzip.compress((HEAD + ROWS + END).encode())
    message = fault(read_series_matrix, packed[: int(len(packed) * share)], name="m.gz")
    assert "truncated" in message
    packed = gzip.compress(("g\ta\tb\n" + ROWS).encode())
    assert "truncated" in fault(read_value_table, packed[: int(len(packed) * share)], name="t.gz")


def test_damaged_gzip(fault):
    packed = bytearray(gzip.compress((HEAD + ROWS + END).encode()))
    packed[-6] ^= 255
    assert "checksum" in fault(read_series_matrix, bytes(packed))


def test_series_matrix_cut_off_between_rows(fault):
    assert "truncated" in fault(read_series_matrix, HEAD + ROWS)
    assert "truncated" in fault(read_series_matrix, HEAD)


def test_series_matrix_cut_off_inside_a_row(fault):
    message = fault(read_series_matrix, HEAD + ROWS + '"p9999"\t1.')
    assert "line 5005, row 'p9999': 2 fields instead of 3" in message


def test_series_matrix_without_a_table(fault):
    assert "without a table" in fault(read_series_matrix, HEAD.split("!series")[0])


def test_something_else_than_a_series_matrix(fault):
    assert "not a series matrix" in fault(read_series_matrix, "gene\ta\nFLG\t1\n")


def test_something_behind_the_table(fault):
    text = HEAD + '"p"\t1\t2\n' + END
    assert "truncated" in fault(read_series_matrix, text + '"q"\t1\t2\n')
    assert "stands twice" in fault(read_series_matrix, text + '"q"\t1\t2\n' + END)


def test_cells_that_are_not_numbers_are_named(fault):
    rows = '"p1"\t1\t2\n"p2"\t3\tabsent\n"p3"\t1_0\t4\n"p4"\t5\t6\n'
    message = fault(read_series_matrix, HEAD + rows + END)
    assert "row 'p2' (line 6), column 'B': 'absent': is not a number" in message
    assert "row 'p3' (line 7), column 'A': '1_0': is not a number" in message


def test_a_sample_of_words(fault):
    message = fault(read_series_matrix, HEAD + '"p1"\t1\tlow\n"p2"\t3\thigh\n' + END)
    assert "the values of 'B' are not numbers (row 'p1', column 'B': 'low')" in message


def test_rows_of_unequal_length(fault):
    message = fault(read_series_matrix, HEAD + '"p1"\t1\t2\n"p2"\t3\n"p3"\t4\t5\t6\n' + END)
    assert "line 6, row 'p2': 2 fields instead of 3" in message
    assert "line 7, row 'p3': 4 fields instead of 3" in message
    message = fault(read_value_table, "gene,a,b\n" + "X,1,2\n" * 60 + "Y,1\n")
    assert "line 62, row 'Y': 2 fields instead of 3" in message


def test_probes_twice_and_without_a_name(fault):
    message = fault(read_series_matrix, HEAD + '"p"\t1\t2\n"p"\t1\t3\n\t1\t2\n"q"\t1\t2\n' + END)
    assert "1 probe stands twice in the table: 'p'" in message
    assert "1 row has no probe id (first: line 7)" in message


def test_columns_that_are_not_the_samples(fault):
    text = (HEAD + '"p"\t1\t2\n' + END).replace('"ID_REF"\t"A"\t"B"', '"ID_REF"\t"A"\t"C"')
    message = fault(read_series_matrix, text)
    assert "1 column of the table is no sample of the series: 'C'" in message
    assert "1 sample has no column in the table: 'B'" in message


def test_sample_fields_of_unequal_number_and_samples_twice(fault):
    text = HEAD.replace("!series", '!Sample_title\t"one"\n!series', 1) + END
    assert "line 3: '!Sample_title' has 1 field for 2 samples" in fault(read_series_matrix, text)
    assert "stand twice: 'A'" in fault(read_series_matrix, HEAD.replace('"B"', '"A"', 1) + END)
    no_samples = '!Series_title\t"x"\n!series_matrix_table_begin\n' + END
    assert "names no sample" in fault(read_series_matrix, no_samples)


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


def test_columns_of_a_value_table(fault):
    assert "'a' stands 2 times" in fault(read_value_table, "gene,a,a\nX,1,2\n")
    assert "without a name: number '3'" in fault(read_value_table, "gene,a,,b\nX,1,2,3\nY,4,4,4\n")
    assert "no column of numbers" in fault(read_value_table, "gene,note\nX,word\n")
    assert "no header" in fault(read_value_table, "FLG,1,1\nLOR,3,4\n")
    assert "no columns found" in fault(read_value_table, "gene a b\nX 1 2\n")
    assert "no row of values" in fault(read_value_table, "gene,a,b\n")
    message = fault(read_value_table, "gene_id,a\nX,1\n", "gene_ids")
    assert "'gene_ids' does not exist; did you mean 'gene_id'?" in message


def test_sheets(fault):
    text = "library,patient\nL1,P1\nL1,P2\n,P3\n"
    message = fault(read_sheet, text, "library")
    assert "1 sample stands in more than one row: 'L1' (lines 2 and 3)" in message
    assert "delete the surplus rows" in message and "without repetition is 'patient'" in message
    assert "1 row names no sample (line 4); fill in" in message
    message = fault(read_sheet, "# note\nid,x\n" + "A,1\n,\n" * 8, "id")
    assert "'A' (lines 3, 5, 7, 9, 11, 13 and 2 more)" in message and "repetition" not in message
    assert "no column 'libary'; did you mean 'library'?" in fault(read_sheet, text, "libary")
    assert "'a' stands 2 times" in fault(read_sheet, "a,a\n1,2\n")
    assert "header but no row" in fault(read_sheet, "a,b\n,\n")


def test_annotation_without_symbols(fault):
    message = fault(read_annotation, "ID\tTitle\np\tfilaggrin\n")
    assert "annotation without symbols" in message and "'ID', 'Title'" in message
    message = fault(read_annotation, "ID\tGene symbol\np\t---\nq\t\n")
    assert "annotation without symbols" in message and "for any of 2 probes" in message
    message = fault(read_annotation, "ID\tGene symbol\np\tFLG\n", "Gene Symbols")
    assert "no column 'Gene Symbols'; did you mean 'Gene symbol'?" in message


def test_annotation_cut_off(fault):
    text = "^Annotation\n!platform_table_begin\nID\tGene symbol\np\tFLG\n"
    message = fault(read_annotation, text)
    assert "truncated" in message and "after 1 row;" in message
    assert "export or copy your own once more; one that was fetched" in message


def test_identifier_tables(fault):
    message = fault(read_identifier_table, "name\tvalue\nx\t1\n")
    assert "columns found: 'name', 'value'" in message and "GENCODE" in message
    message = fault(read_identifier_table, "gene_id\tgene_name\nENSMUSG00000102439\tFlg\n")
    assert "no row holds a human Ensembl id" in message


def test_quotation_marks_that_never_close_cost_no_time(fault):
    names = "\t".join(f'"GSM{i}' for i in range(40_000))
    begun = time.perf_counter()
    fault(read_series_matrix, f'!Series_title\t"x"\n!Sample_geo_accession\t{names}\n' + END)
    assert time.perf_counter() - begun < 20


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_h5ad_is_told_in_a_paragraph(tmp_path, seed):
    path = tmp_path / "x.h5ad"
    obs = pd.DataFrame({"skin": ["LS", "NL", "LS"]}, index=["a", "b", "c"])
    anndata.AnnData(np.ones((3, 4), dtype="f4"), obs=obs).write_h5ad(path)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
    random = np.random.default_rng(seed)
    whole[random.integers(600, len(whole), 600)] = random.integers(0, 256, 600)
    path.write_bytes(whole.tobytes())
    for read in (read_obs, read_values):
        try:
            read(path)
        except AdnormError as error:
            assert str(error).startswith(str(path))


@pytest.mark.parametrize(
    "text", [b"gene\tdirection\nA\tup\textra\n", b"gene\tdirec\xe9tion\nA\tup\n"]
)
def test_a_table_of_the_configuration_that_is_none_is_told(tmp_path, text):
    (tmp_path / "x.tsv").write_bytes(text + b"B\tup\tmore\tand more\n")
    with pytest.raises(AdnormError, match="x.tsv: this is no table of tab-separated text in UTF-8"):
        read_table(tmp_path / "x.tsv")
