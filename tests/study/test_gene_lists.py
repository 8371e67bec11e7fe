"""Gene-set files that must stop the run with one message that names every row to mend."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.study.gene_sets import Gene, GeneSet, previous_symbols, read_gene_sets

HEADER = "set\tlabel\tcategory\tsymbol\tprevious_symbols\tdirection\n"


def message(tmp_path, text, name="mine.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AdnormError) as caught:
        read_gene_sets([path])
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def row(name="a", label="A", category="c", symbol="FLG", previous="", direction="up"):
    return "\t".join((name, label, category, symbol, previous, direction)) + "\n"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (row(direction="upp"), "row 2: direction 'upp' is unknown; did you mean 'up'?"),
        (row(direction="Up"), "row 2: direction 'Up' is unknown; did you mean 'up'?"),
        (row(symbol=""), "row 2: the symbol is empty"),
        (row(name=""), "row 2: the name of the set is empty"),
        (row() + row(), "row 3: FLG is already in the set 'a' (row 2)"),
        (row() + row(label="B", symbol="IL4"), "row 3: the set 'a' has two values of label"),
        (row() + row(category="d", symbol="IL4"), "row 3: the set 'a' has two values of category"),
        (row(symbol="1-Mar"), "row 2: '1-Mar' is a date that a spreadsheet made"),
        (row(symbol="Sep-02"), "row 2: 'Sep-02' is a date that a spreadsheet made"),
        (row(symbol="2024-09-01"), "row 2: '2024-09-01' is a date"),
        (row(previous="2-Sep"), "row 2: '2-Sep' is a date"),
        (row(symbol="7124"), "row 2: '7124' is a number"),
        (row(symbol="ENSG00000143631.11"), "is an Ensembl id"),
        (row(symbol="IL4, IL13"), "'IL4, IL13' is not one gene symbol"),
        (row().replace("\n", "\textra\n"), "row 2: 7 fields, but the header names 6"),
        (
            row(symbol="A1", previous="OLD") + row(symbol="B1", previous="X|OLD"),
            "previous symbol 'OLD' belongs to two genes, A1 and B1",
        ),
        (
            row(symbol="A1", previous="B1") + row(name="b", symbol="B1"),
            "'B1' is a previous symbol of A1 and also a gene of its own",
        ),
        ("", "the table has a header row but no genes"),
    ],
)
def test_rows_of_a_table(tmp_path, rows, sentence):
    assert sentence in message(tmp_path, HEADER + rows)


def test_all_problems_of_a_file_come_at_once(tmp_path):
    text = message(tmp_path, HEADER + row(direction="x") + row(symbol="1-Mar") + row(symbol=""))
    assert "3 problems" in text
    for number in (2, 3, 4):
        assert f"row {number}" in text


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("set\tsymbols\tdirection", "'symbol' is missing; did you mean 'symbols'?"),
        ("set\tsymbol\tdirection\tsource\tsource", "the column 'source' occurs 2 times"),
        (
            "set\tsymbol\tdirection\tprevious_symbol",
            "'previous_symbol' is unknown; did you mean 'previous_symbols'?",
        ),
    ],
)
def test_header_of_a_table(tmp_path, header, sentence):
    assert sentence in message(tmp_path, header + "\na\tFLG\tup\n")


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("madad_log2_fold_change", "high", "is 'high', which is not a number"),
        ("gse193309_log2_fold_change", "inf", "is 'inf', which is not a number"),
        ("low_in_bulk_skin", "maybe", "allowed: 'yes' or empty"),
    ],
)
def test_facts_of_a_table(tmp_path, column, value, sentence):
    text = f"set\tsymbol\tdirection\t{column}\na\tFLG\tup\t{value}\n"
    assert f"row 2: {column}" in message(tmp_path, text)
    assert sentence in message(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("a\t-\tFLG\nb\t-\tFLG\na\t-\tIL4\n", "with other genes: 'a' (lines 1 and 3); rename"),
        ("a\t-\n", "lines without a gene: line 1 ('a', '-'); a GMT line has a set, a description"),
        ("a FLG IL4\n", "lines without a gene: line 1 ('a FLG IL4')"),
        ("a\t-\t\t\t\n", "lines without a gene: line 1 ('a', '-')"),
        ("a\t-\tFLG\tMar-01\n", "a spreadsheet made of symbols: 'Mar-01' (line 1, set 'a')"),
        ("\t-\tFLG\n", "lines without a name of the set: line 1 ('FLG')"),
        ("", "the file is empty"),
    ],
)
def test_lines_of_a_gmt(tmp_path, lines, sentence):
    assert sentence in message(tmp_path, lines, "mine.gmt")


def test_files_that_are_no_gene_sets(tmp_path):
    assert "must end in .tsv" in message(tmp_path, "a", "mine.xlsx")
    assert "not a text file; save it" in message(tmp_path, b"PK\x03\x04\xff\xfe", "mine.tsv")
    with pytest.raises(AdnormError, match="does not exist"):
        read_gene_sets([tmp_path / "none.gmt"])


def test_one_set_in_two_files(tmp_path):
    a, b = tmp_path / "a.gmt", tmp_path / "b.gmt"
    a.write_text("same\t-\tFLG\n")
    b.write_text("same\t-\tIL4\n")
    with pytest.raises(AdnormError, match=r"'same' is defined twice, in .*a\.gmt and in .*b\.gmt"):
        read_gene_sets([a, b])


def test_a_retired_symbol_of_two_genes_is_never_resolved(tmp_path):
    a, b = tmp_path / "a.tsv", tmp_path / "b.tsv"
    a.write_text(HEADER + row(symbol="A1", previous="OLD"))
    b.write_text(HEADER + row(name="b", symbol="B1", previous="OLD"))
    with pytest.raises(AdnormError, match=r"'OLD' is given to A1 \(set a\) and B1 \(set b\)"):
        read_gene_sets([a, b])
    sets = {
        n: GeneSet(n, n, "", "", (Gene(s, previous_symbols=("OLD",)),))
        for n, s in (("x", "A1"), ("y", "B1"))
    }
    with pytest.raises(AdnormError, match="ambiguous"):
        previous_symbols(sets)
