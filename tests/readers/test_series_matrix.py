"""Series matrices, real and made up."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adnorm.base.errors import AdnormError
from adnorm.readers.delimited import read_value_table
from adnorm.readers.series_matrix import read_series_matrix, split_fields

END = "!series_matrix_table_end\n"


def quoted(*cells):
    return "\t".join(f'"{c}"' for c in cells)


def text_of(
    samples=("A", "B"), fields=(), rows=('"p1"\t1.5\t2', '"p2"\tnull\t-3e-1'), end=END, series=()
):
    lines = [
        '!Series_title\t"a trial"',
        *series,
        "",
        f"!Sample_geo_accession\t{quoted(*samples)}",
        *fields,
    ]
    lines += ["!series_matrix_table_begin", quoted("ID_REF", *samples), *rows]
    return "\n".join(lines) + "\n" + end


@pytest.fixture
def written(tmp_path):
    def write(text, packed=True):
        content = text.encode() if isinstance(text, str) else text
        path = tmp_path / ("m_series_matrix.txt" + ".gz" * packed)
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    return write


def test_real_array_series(shared):
    path = shared / "geo/series/GSE80nnn/GSE80342/matrix/GSE80342_series_matrix.txt.gz"
    matrix = read_series_matrix(path, "GPL570")
    assert matrix.series["geo_accession"] == ["GSE80342"]
    assert matrix.values.shape == (54675, 21)
    assert matrix.values.to_numpy().dtype == np.float64
    assert matrix.values.loc["1007_s_at", "GSM2124815"] == 10.5215
    assert list(matrix.values.columns) == list(matrix.samples.index)
    assert matrix.samples.loc["GSM2124818", ["patient", "week", "Sex"]].tolist() == ["P1", "0", "F"]
    # Healthy people have no week: an empty cell, not the key of a neighbour.
    assert matrix.samples.loc["GSM2124815", "week"] == ""
    assert matrix.samples["platform_id"].unique().tolist() == ["GPL570"]


@pytest.mark.parametrize(
    ("folder", "series", "n"), [("GSE193nnn", "GSE193309", 49), ("GSE199nnn", "GSE199046", 194)]
)
def test_real_sequencing_series_have_no_values(shared, folder, series, n):
    path = shared / f"geo/series/{folder}/{series}/matrix/{series}_series_matrix.txt.gz"
    matrix = read_series_matrix(path)
    assert matrix.values is None
    assert len(matrix.samples) == n
    assert "scorad" in matrix.samples


def test_unknown_platform_of_a_real_series(shared):
    path = shared / "geo/series/GSE80nnn/GSE80342/matrix/GSE80342_series_matrix.txt.gz"
    with pytest.raises(
        AdnormError, match=r"'GPL571'; did you mean 'GPL570'\?.*'GPL570' \(21 samples\)"
    ):
        read_series_matrix(path, "GPL571", read_metadata_only=True)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_and_missing_cells(written, packed, newline):
    rows = ['"p1"\t1.5\t2', '"p2"\tnull\t-3e-1', "p3\t\tNA", '"p4"\t"7"\t 8 ']
    matrix = read_series_matrix(written(text_of(rows=rows).replace("\n", newline), packed))
    assert matrix.values.index.tolist() == ["p1", "p2", "p3", "p4"]
    expected = np.array([[1.5, 2], [np.nan, -0.3], [np.nan, np.nan], [7, 8]])
    np.testing.assert_array_equal(matrix.values.to_numpy(), expected)


def test_parsed_numbers_are_those_of_python(written):
    rng = np.random.default_rng(1)
    numbers = rng.normal(0, 10, (500, 2)) * 10.0 ** rng.integers(-9, 9, (500, 2))
    rows = [f'"p{i}"\t{a!r}\t{b:.6f}' for i, (a, b) in enumerate(numbers.tolist())]
    values = read_series_matrix(written(text_of(rows=rows))).values
    assert values["A"].tolist() == numbers[:, 0].tolist()
    assert values["B"].tolist() == [float(f"{b:.6f}") for b in numbers[:, 1]]


def test_keys_that_differ_between_samples_of_one_row(written):
    fields = [
        f"!Sample_characteristics_ch1\t{quoted('patient: 1', 'tissue: skin')}",
        f"!Sample_characteristics_ch1\t{quoted('Tissue: blood', 'patient: 2')}",
        f"!Sample_characteristics_ch1\t{quoted('patient: 1', 'patient: two')}",
        f"!Sample_characteristics_ch1\t{quoted('', 'time: week: 4')}",
        f"!Sample_characteristics_ch1\t{quoted('no key here', '')}",
    ]
    samples = read_series_matrix(written(text_of(fields=fields))).samples
    assert samples["patient"].tolist() == ["1", "2; two"]
    assert samples["tissue"].tolist() == ["blood", "skin"]
    assert samples["time"].tolist() == ["", "week: 4"]
    assert samples["characteristics"].tolist() == ["no key here", ""]
    assert "Tissue" not in samples


def test_fields_with_tabs_quotes_and_two_channels(written):
    fields = [
        '!Sample_title\t"a\ttab"\t"the "big" one"',
        f"!Sample_source_name_ch1\t{quoted('skin', 'skin')}",
        f"!Sample_source_name_ch2\t{quoted('pool', 'pool')}",
        f"!Sample_characteristics_ch2\t{quoted('patient: all', 'patient: all')}",
        f"!Sample_characteristics_ch1\t{quoted('title: Dr', 'title: Ms')}",
        f"!Sample_description\t{quoted('one', '')}",
        f"!Sample_description\t{quoted('two', '')}",
    ]
    samples = read_series_matrix(written(text_of(fields=fields))).samples
    assert samples["title"].tolist() == ["a\ttab", 'the "big" one']
    assert samples["source_name"].tolist() == ["skin", "skin"]
    assert samples["source_name_ch2"].tolist() == ["pool", "pool"]
    assert samples["patient_ch2"].tolist() == ["all", "all"]
    assert samples["characteristics title"].tolist() == ["Dr", "Ms"]
    assert samples["description"].tolist() == ["one; two", ""]


def test_a_field_that_breaks_over_lines_and_latin_letters(written):
    text = text_of(fields=['!Sample_title\t"first\nhalf"\t"µ"']).encode("latin-1")
    samples = read_series_matrix(written(text)).samples
    assert samples["title"].tolist() == ["first half", "µ"]


def test_columns_in_another_order_follow_the_samples(written):
    text = text_of().replace('"ID_REF"\t"A"\t"B"', '"ID_REF"\t"B"\t"A"')
    values = read_series_matrix(written(text)).values
    assert values.columns.tolist() == ["A", "B"]
    assert values.loc["p1"].tolist() == [2, 1.5]


@pytest.mark.parametrize("rows", [(), ("",)])
def test_an_empty_table(written, rows):
    if rows:
        text = text_of(rows=()).replace('"ID_REF"\t"A"\t"B"\n', "")
    else:
        text = text_of(rows=())
    assert read_series_matrix(written(text)).values is None


def test_several_platforms(written):
    fields = [f"!Sample_platform_id\t{quoted('GPL5', 'GPL96')}"]
    path = written(text_of(fields=fields))
    with pytest.raises(AdnormError, match=r"several platforms: 'GPL5' \(1 sample\), 'GPL96'"):
        read_series_matrix(path)
    matrix = read_series_matrix(path, "GPL96")
    assert matrix.samples.index.tolist() == matrix.values.columns.tolist() == ["B"]


def test_a_super_series_lists_its_parts(written):
    series = [
        '!Series_relation\t"SuperSeries of: GSE1"',
        '!Series_relation\t"SuperSeries of: GSE22"',
    ]
    with pytest.raises(AdnormError, match=r"SuperSeries.*'GSE1', 'GSE22'"):
        read_series_matrix(written(text_of(series=series)))


def test_a_part_of_a_super_series_is_fine(written):
    text = text_of(series=['!Series_relation\t"SubSeries of: GSE1"'])
    assert read_series_matrix(written(text)).values is not None


def test_metadata_only_does_not_parse(written):
    matrix = read_series_matrix(written(text_of(rows=['"p1"\tx\ty'])), read_metadata_only=True)
    assert matrix.values is None and len(matrix.samples) == 2


CELL = st.text(
    st.characters(exclude_characters='"\t\r\n', exclude_categories=["Cs", "Cc", "Z"]), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(CELL, st.booleans(), st.sampled_from(["", "\t", '"', ' "x" '])),
        min_size=1,
        max_size=6,
    )
)
def test_split_fields_gives_back_what_was_joined(cells):
    expected = [left + middle + "z" if quote else left for left, quote, middle in cells]
    line = "\t".join(
        f'"{e}"' if quote else e for e, (_, quote, _) in zip(expected, cells, strict=True)
    )
    assert split_fields(line) == [e.strip() for e in expected]


HEAD = (
    '!Series_title\t"x"\n!Sample_geo_accession\t"A"\t"B"\n!series_matrix_table_begin\n'
    '"ID_REF"\t"A"\t"B"\n'
)


ROWS = "".join(f'"p{i}"\t{i}.5\t{i * 7919 % 97}.25\n' for i in range(5000))


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
