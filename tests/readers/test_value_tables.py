"""Tables of values and sample sheets in the forms that labs hold them."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.annotation import read_annotation
from adnorm.expression.annotation_rows import read_rows
from adnorm.expression.identifier_table import read_identifier_table
from adnorm.expression.value_tables import (
    match_samples,
    read_annotated_table,
    read_sheet,
    read_value_table,
)

PLAIN = "gene,a,b\nFLG,1,2\nLOR,3,4\n"


@pytest.fixture
def written(tmp_path):
    def write(text, name="t.csv"):
        content = text.encode() if isinstance(text, str) else text
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def test_real_counts(shared):
    folder = shared / "geo/series"
    table = read_value_table(folder / "GSE193nnn/GSE193309/suppl/GSE193309_count_matrix.csv.gz")
    assert table.shape == (17848, 49)
    assert table.index[0] == "ENSG00000278267" and table.iloc[0, :3].tolist() == [5, 2, 0]
    table = read_value_table(folder / "GSE199nnn/GSE199046/suppl/GSE199046_count_matrix.txt.gz")
    assert table.shape == (2310, 194)
    assert table.loc["LAP3", "05_AD_25_LS"] == 577


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


def test_whole_numbers_first_and_fractions_later(written):
    rows = "".join(f"G{i},{i}\n" for i in range(500)) + "LAST,0.5\n"
    assert read_value_table(written("gene,a\n" + rows)).loc["LAST", "a"] == 0.5


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


def test_windows_line_ends_at_the_edge_of_the_first_glance(written):
    text = "gene," + "a" * ((1 << 16) - 6) + "\r\nFLG,1\r\n"
    assert text[: 1 << 16].endswith("\r")
    assert read_value_table(written(text)).iloc[0, 0] == 1


def test_feature_counts(written):
    text = (
        '# Program:featureCounts v2.0.1; Command:"featureCounts" "-a" "x.gtf"\n'
        "Geneid\tChr\tStart\tEnd\tStrand\tLength\ta.bam\tb.bam\n"
        "ENSG00000143631.11\tchr1;chr1\t1;9\t5;20\t-;-\t17\t4\t8\n"
        "ENSG00000203782\tchr1\t30\t40\t+\t11\t0\t2\n"
    )
    table = read_value_table(written(text, "counts.txt"))
    assert table.columns.tolist() == ["a.bam", "b.bam"]
    assert table.attrs["dropped"] == ["Chr", "Start", "End", "Strand", "Length"]
    assert table.to_numpy().tolist() == [[4, 8], [0, 2]]


def test_text_about_genes_is_kept_aside(written):
    text = "id,symbol,a,description,b\n2312,FLG,5,filaggrin,6\n4014,,7,,8\n"
    table = read_annotated_table(written(text), "symbol")
    assert table.values.index.tolist() == ["FLG", ""]
    assert table.values.columns.tolist() == ["id", "a", "b"]
    assert table.annotation["description"].tolist() == ["filaggrin", ""]
    table = read_annotated_table(written(text))
    assert table.annotation.columns.tolist() == ["symbol", "description"]


def test_text_that_begins_far_down_is_still_text(written):
    rows = "".join(f"G{i},{i},\n" for i in range(200)) + "".join(f"H{i},1,word\n" for i in range(9))
    table = read_annotated_table(written("gene,a,note\n" + rows))
    assert table.values.columns.tolist() == ["a"]
    assert table.annotation["note"].iloc[-1] == "word"


def test_row_numbers_are_not_genes(written):
    text = '"","symbol","a"\n"1","FLG",5\n"2","LOR",6\n'
    with pytest.raises(AdnormError, match=r"row numbers, not genes.*'symbol'"):
        read_value_table(written(text))
    table = read_value_table(written(text), "symbol")
    assert table.columns.tolist() == ["a"] and table.index.tolist() == ["FLG", "LOR"]


NAMES = [f"GENE{i}A" for i in range(400)]


def numbered(numbers, names=NAMES, column="X", place=0):
    rows = [["gene_id", "a", "b"], *([n, str(i % 7), str(i % 5)] for i, n in enumerate(names))]
    for row, cell in zip(rows, [column, *map(str, numbers)], strict=False):
        row.insert(place, cell)
    return "".join(",".join(row) + "\n" for row in rows[: len(numbers) + 1])


SHUFFLED = list(np.random.default_rng(5).permutation(1200)[:400])


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
    table = read_annotated_table(path, "gene_id")
    assert table.values.columns.tolist() == ["a", "b"] and table.values.index[0] == NAMES[0]


@pytest.mark.parametrize("numbers", [range(400), SHUFFLED, [f"{i}.0" for i in range(400)]])
@pytest.mark.parametrize(("column", "place"), [("X", 0), ("Unnamed: 0", 1), ("row_id", 2)])
def test_a_column_that_counts_rows_is_no_sample(written, numbers, column, place):
    table = read_annotated_table(written(numbered(numbers, column=column, place=place)), "gene_id")
    assert table.values.columns.tolist() == ["a", "b"]
    assert table.values.index[0] == NAMES[0] and table.dropped == [column]


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


def test_a_separator_at_the_end_of_lines(written):
    assert read_value_table(written("gene,a,b,\nFLG,1,2,\n")).columns.tolist() == ["a", "b"]
    assert read_value_table(written("gene,a,b,\nFLG,1,2\n")).columns.tolist() == ["a", "b"]


def test_duplicate_genes_are_left_to_the_next_step(written):
    assert read_value_table(written("gene,a\nX,1\nX,2\n"))["a"].tolist() == [1, 2]


def test_a_table_wider_than_the_first_block(written):
    names = [f"sample_with_a_long_name_{i:05d}" for i in range(6000)]
    text = "gene\t" + "\t".join(names) + "\nFLG" + "\t7" * 6000 + "\n"
    table = read_value_table(written(text, "wide.tsv"))
    assert table.shape == (1, 6000) and table.to_numpy().sum() == 42000


def test_sheets(written):
    sheet = read_sheet(written("library;patient;week\nL1; P1 ;0\nL2;P2;12,5\n;;\n"), "library")
    assert sheet.index.tolist() == ["L1", "L2"]
    assert sheet["patient"].tolist() == ["P1", "P2"] and sheet["week"].tolist() == ["0", "12,5"]
    assert read_sheet(written("s,p\n01,NA\n02,\n")).to_numpy().tolist() == [
        ["01", "NA"],
        ["02", ""],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_of_old_and_new_encodings(written, encoding):
    sheet = read_sheet(written("s,dose\n01,5 µg\n02,NA\n".encode(encoding)))
    assert sheet["dose"].tolist() == ["5 µg", "NA"]
    table = read_value_table(written("gene,Jürgen,b\nX,1,NA\nY,2,3\n".encode(encoding)))
    assert table["Jürgen"].tolist() == [1, 2] and np.isnan(table.loc["X", "b"])


def fields(**columns):
    return pd.DataFrame(columns, index=["G1", "G2", "G3"])


def test_match_by_name():
    raw = fields(title=["c", "b", "a"])
    assert match_samples(["G2", "G1", "G3"], raw.index, raw) == {"G2": "G2", "G1": "G1", "G3": "G3"}


def test_match_by_the_one_field_that_fits():
    raw = fields(title=["x", "y", "z"], description=["c", "b", "a"], sex=["F", "F", "M"])
    assert match_samples(["a", "b", "c"], raw.index, raw) == {"a": "G3", "b": "G2", "c": "G1"}


def test_two_fields_may_agree_but_not_contradict():
    raw = fields(title=["a", "b", "c"], description=["a", "b", "c"])
    assert match_samples(["c", "a", "b"], raw.index, raw)["c"] == "G3"
    raw = fields(title=["a", "b", "c"], description=["c", "b", "a"])
    with pytest.raises(AdnormError, match="in different ways"):
        match_samples(["c", "a", "b"], raw.index, raw)


def test_excluded_names_may_lack_a_counterpart():
    assert match_samples(["G1", "G2"], ["G1", "G2", "G3"], excluded=["G3"]) == {
        "G1": "G1",
        "G2": "G2",
    }
    assert match_samples(["G1", "pool"], ["G1"], excluded=["pool"]) == {"G1": "G1"}
    raw = fields(title=["a", "b", ""])
    assert match_samples(["a", "b"], raw.index, raw, excluded=["G3"]) == {"a": "G1", "b": "G2"}


def test_nothing_is_matched_in_part():
    raw = fields(title=["a", "b", ""])
    with pytest.raises(AdnormError, match="the 3 samples: 'G1', 'G2', 'G3'"):
        match_samples(["a", "b"], raw.index, raw)
    with pytest.raises(
        AdnormError, match=r"1 of 3 columns belongs.*'G4'.*1 sample has no column: 'G3'"
    ):
        match_samples(["G1", "G2", "G4"], raw.index, raw)
    raw = fields(title=["case_a", "case_b", "case_c"])
    with pytest.raises(
        AdnormError,
        match=r"sample field 'title'\): 'case_d' \('case_d': did you mean 'case_c'\?\);",
    ):
        match_samples(["case_a", "case_b", "case_d"], raw.index, raw)
    with pytest.raises(AdnormError, match="stand twice: 'G1'"):
        match_samples(["G1", "G1"], ["G1"])


NUMBERS = range(1, 41)


@pytest.mark.parametrize(
    ("columns", "samples", "note"),
    [
        ("run/S{}.bam", "S{}", "all columns begin with 'run/S' and end with '.bam'"),
        ("Y{}", "{}", "all columns begin with 'Y'; without that they are sample names"),
        ("{}", "P{}", "all sample names begin with 'P'; without that they are columns"),
        ("s_{}", "S-{}", "columns and sample names differ in case or punctuation only"),
        ("AD{}", "GSM{}", "all columns begin with 'AD', the others do not"),
    ],
)
def test_names_that_differ_throughout_are_explained_in_short(columns, samples, note):
    columns, samples = ([form.format(i) for i in NUMBERS] for form in (columns, samples))
    with pytest.raises(AdnormError) as error:
        match_samples(columns, samples)
    message = str(error.value)
    assert note.replace("run/S", "run/") in message
    assert f"'{columns[2]}' and 37 more" in message and f"'{samples[2]}' and 37 more" in message
    assert "did you mean" not in message and "?." not in message and len(message) < 450


def test_a_prefix_is_told_by_the_field_that_it_hides():
    raw = fields(title=["a", "b", "c"], sex=["F", "F", "M"])
    with pytest.raises(AdnormError, match=r"'X\.'; .* values of the sample field 'title'"):
        match_samples(["X.a", "X.b", "X.c"], raw.index, raw)
    with pytest.raises(AdnormError, match=r"'X\.'; .* values of the sample field 'title'"):
        match_samples(["X.a", "X.b", "pool"], raw.index, raw, excluded=["G3", "pool"])


def test_several_suggestions_are_separate_sentences():
    with pytest.raises(AdnormError) as error:
        match_samples(["case_one", "trial_twos", "other_3s"], ["case_one", "trial_two", "other_3"])
    assert (
        "('trial_twos': did you mean 'trial_two'? 'other_3s': did you mean 'other_3'?); 2 samples "
        "have no column: 'trial_two', 'other_3'" in str(error.value)
    )


def test_names_as_r_writes_them_are_found():
    samples = ["101-LS W2", "101-NL W2", "AD_1", "_x"]
    columns = ["X101.LS.W2", "X101.NL.W2", "AD_1", "X_x"]
    assert match_samples(columns, samples) == dict(zip(columns, samples, strict=True))
    # Two samples that R would call the same are no match.
    with pytest.raises(AdnormError, match="no column has the name"):
        match_samples(["X1.A", "X1.B"], ["1-A", "1 A", "1-B"])


def test_names_within_paths_come_with_the_line_to_write():
    columns = [f"/bam/{name}_L00{lane}.bam" for name in ("DEL-01", "DEL-02") for lane in (1, 2)]
    with pytest.raises(AdnormError) as error:
        match_samples(columns, ["DEL-01", "DEL-02"])
    assert "tried too" not in str(error.value)
    pattern = str(error.value).split("`libraries: '")[1].split("'`")[0]
    assert {re.search(pattern, column)["library"] for column in columns} == {"DEL-01", "DEL-02"}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_when_they_can_be_nothing_else(tmp_path, separator):
    rows = ["gene;note;a;b;c", "FLG;a, b;1,5;0,125;2", "LOR;;-2,25;1,234;NA", "KRT16;x;3;;4,5e-1"]
    path = tmp_path / "excel.csv"
    path.write_bytes("\r\n".join(row.replace(";", separator) for row in rows).encode())
    table = read_value_table(path)
    assert list(table.columns) == ["a", "b", "c"]
    expected = [[1.5, 0.125, 2], [-2.25, 1.234, np.nan], [3, np.nan, 0.45]]
    np.testing.assert_array_equal(table.to_numpy(), expected)


# ---------------------------------------------------------------- line breaks within cells


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_line_breaks_in_quoted_cells(written, newline, separator):
    lines = [["gene", f'"about{newline}it"', "a", f'"b{newline}2"']]
    lines += [
        [f"G{i}A", f'"one{newline if i % 5 else ""}two"', "1", str(i % 7)] for i in range(200)
    ]
    path = written("".join(separator.join(cells) + "\n" for cells in lines))
    table = read_annotated_table(path)
    assert table.values.shape == (200, 2) and table.values.columns.tolist() == ["a", "b 2"]
    assert table.values["b 2"].tolist() == [i % 7 for i in range(200)]
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
        table = read_annotated_table(path)
    except AdnormError as error:
        # Refused with its place, never read with fewer rows.
        assert "line 9" in str(error) or "malformed" in str(error)
    else:
        assert table.values.shape == (300, 1)


def test_lines_of_short_rows_are_counted_in_the_file(written):
    text = 'gene,about,a\nFLG,"x\ny",1\nLOR,z\n'
    with pytest.raises(AdnormError, match="line 4, row 'LOR': 2 fields instead of 3"):
        read_annotated_table(written(text))


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
