"""A published list as a second axis: what the file may hold, and what is made of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.effects.observations import Observations
from adnorm.index.normalization import normalization_index
from adnorm.index.published_axis import dependence, published_axis
from adnorm.study.axis_genes import AxisGenes, read_axis_genes

GENES = np.array([f"G{i}" for i in range(8)])


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
    said = str(caught.value)
    for part in (
        "line 3: gene 'A' stands in the list twice",
        "line 4: direction 'upp' is neither up nor down; did you mean 'up'?",
        "line 5: gene is empty",
        "line 6: weight '-2' is no number above 0",
        "line 7: weight 'heavy' is no number above 0",
        "line 8: trained_on 'Ewald' is no accession",
    ):
        assert part in said
    assert "7 problems" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol\tdirection\nA\tup\n", "column 'gene' is missing"),
        ("gene\tdirection\twieght\nA\tup\t1\n", "'wieght' is unknown; did you mean 'weight'"),
        ("gene\tdirection\n", "the list has no gene"),
    ],
)
def test_a_table_of_another_shape_is_refused(tmp_path, text, said):
    with pytest.raises(AdnormError, match=said):
        read_axis_genes(written(tmp_path / "list.tsv", text))


def test_a_list_has_a_file_and_a_name_of_its_own(tmp_path):
    with pytest.raises(AdnormError, match="does not exist"):
        read_axis_genes(tmp_path / "nothing.tsv")
    path = written(tmp_path / "th2.tsv", "gene\tdirection\nA\tup\n")
    with pytest.raises(AdnormError, match="'th2' belongs to another score"):
        read_axis_genes(path, ["global", "th2"])


def cohort(remaining=0.4, patients=8, noise=0.1, undetected=()):
    """Even genes rise by 2 in disease, odd ones fall by 2; a share is left after treatment."""
    rng = np.random.default_rng(1)
    signs = np.where(np.arange(len(GENES)) % 2, -1.0, 1.0)
    rows, columns = [], []
    for i in range(patients):
        normal = rng.normal(5, 1, len(GENES))
        for state, week, level in (
            *(("nonlesional", 0.0, 0.0), ("lesional", 0.0, 1.0)),
            ("lesional", 4.0, remaining),
        ):
            rows.append((f"p{i}", state, week, "drug"))
            columns.append(normal + 2 * level * signs + noise * rng.normal(size=len(GENES)))
    combined = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    facts = {"cohort": "made_up", "undetected": np.array(undetected, dtype=object)}
    log2 = np.array(columns).T
    return Observations(combined, combined, GENES, log2, None, None, facts)


def listed(genes=GENES, trained_on=()):
    weights = {g: -1.0 if int(g[1:]) % 2 else 1.0 for g in genes if g[1:].isdigit()}
    weights |= {g: 1.0 for g in genes if not g[1:].isdigit()}
    return AxisGenes("core", weights, trained_on)


def test_score_is_the_signed_sum_centred_at_nonlesional_skin_and_the_index_is_planted():
    data = cohort()
    axis = published_axis(data, listed(), {}, {})
    signs = np.array([-1.0 if i % 2 else 1.0 for i in range(len(GENES))])
    plain = signs @ data.log2
    centre = plain[(data.combined["state"] == "nonlesional").to_numpy()].mean()
    np.testing.assert_allclose(axis.scores, plain - centre)
    assert (axis.table["reason"] == "").all()
    names = pd.DataFrame(
        {"level": "published_axis", "reason_code": "", "reason": ""}, index=["core"]
    )
    settings = {"bootstrap": 200, "confidence": 0.95, "primary": ["global"]}
    values = pd.DataFrame({"core": axis.scores})
    found = normalization_index(values, data.combined, "nonlesional", "", settings, 1, names)
    row = found.iloc[0]
    assert row["level"] == "published_axis"
    assert row["lower"] < 0.6 < row["upper"]
    # A list that a user adds does not enter the family whose false discovery rate is controlled.
    assert (row["family"], np.isnan(row["fdr"])) == ("none", True)


def test_absent_genes_are_listed_with_the_reason_and_weigh_nothing():
    genes = [*GENES, "UNSEEN", "FAINT", "OLD"]
    data = cohort(undetected=["FAINT"])
    left_out = {"G0": "composition: in comp_sebaceous"}
    table = published_axis(data, listed(genes), left_out, {"OLD": "G2"}).table.set_index("gene")
    assert table.loc["G0", "reason"] == "composition: in comp_sebaceous"
    assert table.loc["UNSEEN", "reason"] == "not measured in this cohort"
    assert table.loc["FAINT", "reason"] == "not detected in this cohort"
    twice = table.loc["G2"].sort_values("weight")
    assert twice["weight"].tolist() == [0.0, 1.0]
    assert "older symbol" in twice["reason"].iloc[0]
    assert (table.loc[table["reason"] != "", "weight"] == 0).all()
    assert (table.loc[table["reason"] == "", "weight"].abs() == 1).all()
    assert set(table["source"]) == {"published list core"}


@pytest.mark.parametrize(
    "genes", [GENES[:4], [*GENES[:5], *(f"X{i}" for i in range(101, 107))]], ids=["few", "share"]
)
def test_too_little_of_the_list_gives_no_score(genes):
    axis = published_axis(cohort(), listed(genes), {}, {})
    assert axis.reason_code == "LOW_COVERAGE"
    assert f"of {len(genes)} genes of the list core are measured here" in axis.reason
    assert np.isnan(axis.scores).all()


def test_a_list_is_not_independent_where_it_was_made():
    assert "made from GSE58558" in dependence(listed(trained_on=("GSE58558",)), "GSE58558")
    assert dependence(listed(trained_on=("GSE58558",)), "GSE130588") == ""
    assert dependence(listed(), "") == ""
