"""Text files: what is refused, and how lines become records."""

from __future__ import annotations

import gzip
import time

import numpy as np
import pytest

from adnorm.base.errors import AdnormError
from adnorm.readers.annotation import read_annotation, read_identifier_table, read_rows
from adnorm.readers.delimited import read_sheet, read_value_table
from adnorm.readers.series_matrix import read_series_matrix

HEAD = (
    '!Series_title\t"x"\n!Sample_geo_accession\t"A"\t"B"\n!series_matrix_table_begin\n'
    '"ID_REF"\t"A"\t"B"\n'
)


END = "!series_matrix_table_end\n"


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


def test_quotation_marks_that_never_close_cost_no_time(fault):
    names = "\t".join(f'"GSM{i}' for i in range(40_000))
    begun = time.perf_counter()
    fault(read_series_matrix, f'!Series_title\t"x"\n!Sample_geo_accession\t{names}\n' + END)
    assert time.perf_counter() - begun < 20


def test_windows_line_ends_at_the_edge_of_the_first_glance(written):
    text = "gene," + "a" * ((1 << 16) - 6) + "\r\nFLG,1\r\n"
    assert text[: 1 << 16].endswith("\r")
    assert read_value_table(written(text)).iloc[0, 0] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_of_old_and_new_encodings(written, encoding):
    sheet = read_sheet(written("s,dose\n01,5 µg\n02,NA\n".encode(encoding)))
    assert sheet["dose"].tolist() == ["5 µg", "NA"]
    table = read_value_table(written("gene,Jürgen,b\nX,1,NA\nY,2,3\n".encode(encoding)))
    assert table["Jürgen"].tolist() == [1, 2] and np.isnan(table.loc["X", "b"])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_line_breaks_in_quoted_cells(written, newline, separator):
    lines = [["gene", f'"about{newline}it"', "a", f'"b{newline}2"']]
    lines += [
        [f"G{i}A", f'"one{newline if i % 5 else ""}two"', "1", str(i % 7)] for i in range(200)
    ]
    path = written("".join(separator.join(cells) + "\n" for cells in lines))
    table = read_value_table(path)
    assert table.shape == (200, 2) and table.columns.tolist() == ["a", "b 2"]
    assert table["b 2"].tolist() == [i % 7 for i in range(200)]
    sheet = read_sheet(path, "gene")
    assert sheet.columns.tolist() == ["gene", "about it", "a", "b 2"]
    assert sheet["about it"].iloc[1] == "one two"
    names, rows = read_rows(path)
    assert names == ["gene", "about it", "a", "b 2"] and len(rows) == 200


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_annotations_with_line_breaks_lose_no_row(written, newline, separator):
    lines = [["ID", "Description", "Gene symbol"]]
    lines += [[f"p{i}_at", f'"one{newline if i % 5 else ""}two"', f"SYM{i}"] for i in range(500)]
    text = "".join(separator.join(cells) + "\n" for cells in lines)
    symbols = read_annotation(written(text))
    assert len(symbols) == 500 and symbols["p3_at"] == "SYM3"
    text = text.replace("ID", "gene_id", 1).replace("Gene symbol", "gene_name")
    for i in range(500):
        text = text.replace(f"p{i}_at{separator}", f"ENSG{i:011d}{separator}")
    assert len(read_identifier_table(written(text)).ensembl) == 500


@pytest.mark.parametrize("stray", ['"5 prime', '5 prime 3"', 'a "b', '"'])
def test_quotation_marks_that_quote_nothing_swallow_no_row(written, stray):
    rows = [f"p{i}_at\t{stray if i % 5 == 0 else 'x'}\tSYM{i}\n" for i in range(300)]
    path = written("ID\tAbout\tGene symbol\n" + "".join(rows), "t.tsv")
    assert len(read_annotation(path)) == 300
    rows = [f"G{i}A\t{stray if i == 7 else 'x'}\t{i}\n" for i in range(300)]
    path = written("gene\tabout\ta\n" + "".join(rows), "t.tsv")
    try:
        table = read_value_table(path)
    except AdnormError as error:
        # Refused with its place, never read with fewer rows.
        assert "line 9" in str(error) or "malformed" in str(error)
    else:
        assert table.shape == (300, 1)
