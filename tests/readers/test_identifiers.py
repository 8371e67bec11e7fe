"""Types of identifiers, dates of spreadsheets, and numbers of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.readers.delimited import read_value_table
from adnorm.readers.identifiers import (
    ENSEMBL,
    ENTREZ,
    SYMBOLS,
    identifier_type,
    read_date,
    repair_date,
)

HUMAN = ["FLG", "KRT16", "IL4R", "CCL18", "STAT1", "HLA-DRA", "C9orf72", "S100A9", "TSLP", "OSMR"]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (HUMAN, SYMBOLS),
        ([*HUMAN, "1-Mar", "2-Sep"], SYMBOLS),
        (["ENSG00000143631.10", "ENSG00000182378.13_PAR_Y", "ENSG00000113520"], ENSEMBL),
        (["ENSG00000000003.14_TSPAN6", "ENSG00000182378.13_PAR_Y_PLCXD1"], ENSEMBL),
        (["ENSG00000000003|TSPAN6", "ENSG00000000005.5|TNMD"], ENSEMBL),
        (["2312", "3868", "7"], ENTREZ),
        (["5S_rRNA", "RP11-34P13.7", "7SK", *HUMAN], SYMBOLS),
    ],
)
def test_kind_is_detected(labels, kind):
    assert identifier_type(pd.Index(labels), "table.csv") == kind


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["ENSMUSG00000102439", "ENSMUSG00000051439"], "another species"),
        (["Flg", "Krt16", "Il4ra", "S100a9"], "mouse"),
        (["ENST00000368799.2", "ENST00000368801"], "transcripts"),
        (["NM_002016.2", "NM_005557"], "RefSeq"),
        (["207357_s_at", "1552487_a_at"], "annotation"),
        (["ILMN_1762337", "ILMN_2055271"], "annotation"),
        (["ENSMUSG00000102439_Flg", "ENSMUSG00000051439_Cd14"], "another species"),
        (["ENSG00000143631.10|ENST00000368799.2", "ENST00000368801|FLG"], "transcripts"),
        (["FLG", "KRT16", "2312", "3868"], "several kinds: 2 Entrez gene ids ('2312', '3868')"),
    ],
)
def test_other_identifiers_are_refused_with_examples(labels, words):
    with pytest.raises(AdnormError, match="table.csv") as error:
        identifier_type(pd.Index(labels), "table.csv")
    assert words in str(error.value)
    assert labels[0] in str(error.value)


def test_ten_per_cent_of_another_kind_is_the_limit():
    nine = [*HUMAN[:9], "A1BG|1"]
    assert identifier_type(pd.Index(nine), "t") == SYMBOLS
    with pytest.raises(AdnormError, match="at least 90 %|At least 90 %"):
        identifier_type(pd.Index([*HUMAN[:8], "A1BG|1", "A2M|2"]), "t")


@pytest.mark.parametrize(
    ("label", "symbol"),
    [
        ("2-Sep", "SEPTIN2"),
        ("Sep-02", "SEPTIN2"),
        ("02-Sep", "SEPTIN2"),
        ("9-Sep-21", "SEPTIN9"),
        ("2021-09-07", "SEPTIN7"),
        ("2021/09/07", "SEPTIN7"),
        ("2021-03-05 00:00:00", "MARCHF5"),
        ("15-Sep", "SELENOF"),
        ("1-Dec", "DELEC1"),
        ("8-Mar", "MARCHF8"),
        ("1-Mar", ""),
        ("Mar-02", ""),
        ("2021-03-01", ""),
        ("2002-09-01", ""),
        ("3/4/2021", ""),
        ("13-Sep", ""),
        ("1-Apr", ""),
    ],
)
def test_dates_are_repaired_or_refused(label, symbol):
    assert repair_date(label) == symbol


@pytest.mark.parametrize("label", ["FLG2", "SEPTIN2", "MARCHF1", "DEC1", "HLA-DRA", "7SK", "MAR-X"])
def test_symbols_are_not_dates(label):
    assert read_date(label) is None
    assert repair_date(label) is None


NAMES = [f"GENE{i}A" for i in range(400)]


def numbered(numbers, names=NAMES, column="X", place=0):
    rows = [["gene_id", "a", "b"], *([n, str(i % 7), str(i % 5)] for i, n in enumerate(names))]
    for row, cell in zip(rows, [column, *map(str, numbers)], strict=False):
        row.insert(place, cell)
    return "".join(",".join(row) + "\n" for row in rows[: len(numbers) + 1])


SHUFFLED = list(np.random.default_rng(5).permutation(1200)[:400])


def test_row_numbers_are_not_genes(written):
    text = '"","symbol","a"\n"1","FLG",5\n"2","LOR",6\n'
    with pytest.raises(AdnormError, match=r"row numbers, not genes.*'symbol'"):
        read_value_table(written(text))
    table = read_value_table(written(text), "symbol")
    assert table.columns.tolist() == ["a"] and table.index.tolist() == ["FLG", "LOR"]


@pytest.mark.parametrize("column", ["X", "Unnamed: 0", "", "id", "gene", "ENTREZID", '"no."'])
@pytest.mark.parametrize(
    "numbers",
    [
        range(400),
        range(1, 401),
        [f"{i}.0" for i in range(1, 401)],
        [f'"{i}"' for i in range(1, 401)],
        sorted(SHUFFLED),
        SHUFFLED,
        range(8000, 8400),
        range(10),
        [f"row_{i:05d}" for i in range(1, 401)],
    ],
    ids=["0", "1", "floats", "quoted", "filtered", "shuffled", "part", "short", "words"],
)
def test_a_column_that_counts_rows_is_refused_whatever_its_name(written, numbers, column):
    path = written(numbered(list(numbers), column=column))
    with pytest.raises(AdnormError, match=r"row numbers, not genes.*`gene_column: gene_id`"):
        read_value_table(path)
    # What the message says must work.
    table = read_value_table(path, "gene_id")
    assert table.columns.tolist() == ["a", "b"] and table.index[0] == NAMES[0]


@pytest.mark.parametrize("numbers", [range(400), SHUFFLED, [f"{i}.0" for i in range(400)]])
@pytest.mark.parametrize(("column", "place"), [("X", 0), ("Unnamed: 0", 1), ("row_id", 2)])
def test_a_column_that_counts_rows_is_no_sample(written, numbers, column, place):
    table = read_value_table(written(numbered(numbers, column=column, place=place)), "gene_id")
    assert table.columns.tolist() == ["a", "b"]
    assert table.index[0] == NAMES[0]


def test_row_numbers_in_a_table_without_names(written):
    text = "X,a,b\n" + "".join(f"{i},5,6\n" for i in range(50))
    with pytest.raises(AdnormError, match="no other column of the table holds names of genes"):
        read_value_table(written(text))
    assert len(read_value_table(written(text), probes=True)) == 50


def test_values_of_a_sample_may_follow_one_another(written):
    table = read_value_table(written("gene,a,b\nFLG,1,4\nLOR,2,5\nIL4R,3,6\n"))
    assert table.columns.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "ids",
    [
        # A transcriptome: dense where ids are small, sparse beyond; then small panels.
        [*range(1, 12000, 2), *range(23000, 60000, 5), *range(84000, 650000, 90), 100130426],
        [3848, 3849, 3850, 3852, 3853, 3854, 6271, 6272, 6273, 6274, 6275, 6276, 2312, 100287171],
        list(range(6271, 6286)),
        list(range(2, 400000, 570)),
    ],
    ids=["transcriptome", "panel", "family", "large panel"],
)
@pytest.mark.parametrize("beside", [True, False])
def test_entrez_ids_are_no_row_numbers(written, ids, beside):
    names = [f"SYM{i}" for i in range(len(ids))]
    text = "GeneID,symbol,a\n" + "".join(f"{i},{n},5\n" for i, n in zip(ids, names, strict=True))
    if not beside:
        text = "GeneID,a\n" + "".join(f"{i},5\n" for i in ids)
    assert len(read_value_table(written(text))) == len(ids)
