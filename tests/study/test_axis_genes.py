"""A published list of disease genes: what its file may hold."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.study.axis_genes import AxisGenes, read_axis_genes


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_directions_give_the_sign_and_weights_are_one_unless_given(tmp_path):
    plain = "gene\tdirection\nA\tup\nB\tdown\n"
    listed = read_axis_genes(written(tmp_path / "core.tsv", plain))
    assert listed == AxisGenes("core", {"A": 1.0, "B": -1.0}, ())
    full = "gene\tdirection\tweight\ttrained_on\nA\tup\t2.5\tGSE2;GSE1\nB\tdown\t0.5\tNA\n"
    listed = read_axis_genes(written(tmp_path / "full.tsv", full))
    assert listed == AxisGenes("full", {"A": 2.5, "B": -0.5}, ("GSE1", "GSE2"))


def test_all_faults_of_a_list_are_named_at_once(tmp_path):
    text = (
        "gene\tdirection\tweight\ttrained_on\nA\tup\t1\tNA\nA\tdown\t1\tNA\nB\tupp\t1\tNA\n"
        "NA\tup\t1\tNA\nC\tup\t-2\tNA\nD\tup\theavy\tNA\nE\tup\t1\tEwald 2015\n"
    )
    with pytest.raises(AdnormError) as caught:
        read_axis_genes(written(tmp_path / "faulty.tsv", text))
    message = str(caught.value)
    for part in (
        "line 3: gene 'A' stands in the list twice",
        "line 4: direction 'upp' is neither up nor down; did you mean 'up'?",
        "line 5: gene is empty",
        "line 6: weight '-2' is no number above 0",
        "line 7: weight 'heavy' is no number above 0",
        "line 8: trained_on 'Ewald' is no accession",
    ):
        assert part in message
    assert "7 problems" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol\tdirection\nA\tup\n", "column 'gene' is missing"),
        ("gene\tdirection\twieght\nA\tup\t1\n", "'wieght' is unknown; did you mean 'weight'"),
        ("gene\tdirection\n", "the list has no gene"),
        ("gene\tdirection\tgene\nA\tup\tB\n", "column 'gene' stands 2 times"),
        ("gene\tdirection\n# Ewald\nA\tup\tdown\n", "line 3: 3 fields, but the header names 2"),
    ],
)
def test_a_table_of_another_shape_is_refused(tmp_path, text, message):
    with pytest.raises(AdnormError, match=message):
        read_axis_genes(written(tmp_path / "list.tsv", text))


def test_a_list_has_a_file_and_a_name_of_its_own(tmp_path):
    with pytest.raises(AdnormError, match="does not exist"):
        read_axis_genes(tmp_path / "nothing.tsv")
    path = written(tmp_path / "th2.tsv", "gene\tdirection\nA\tup\n")
    with pytest.raises(AdnormError, match="'th2' belongs to another score"):
        read_axis_genes(path, ["global", "th2"])


@pytest.mark.parametrize(
    "text", [b"gene\tdirection\nA\tup\textra\n", b"gene\tdirec\xe9tion\nA\tup\n"]
)
def test_a_table_of_the_configuration_that_is_none_is_told(tmp_path, text):
    (tmp_path / "x.tsv").write_bytes(text + b"B\tup\tmore\tand more\n")
    with pytest.raises(AdnormError, match="x.tsv: this is no table of tab-separated text in UTF-8"):
        read_table(tmp_path / "x.tsv")
