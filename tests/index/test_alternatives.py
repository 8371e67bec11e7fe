"""The index on other scores: by hand, against gseapy, and what is said where they disagree."""

from __future__ import annotations

from dataclasses import replace

import anndata
import gseapy
import numpy as np
import pandas as pd
import pytest

from adnorm.expression.library_sizes import composition_factors
from adnorm.index.alternatives import (
    Biopsies,
    on_other_library_sizes,
    on_ssgsea,
    say_disagreement,
    without_composition_genes,
)
from adnorm.index.axis import DiseaseAxis, axis_scores
from adnorm.index.sensitivities import IndexInput
from adnorm.scores.single_sample import score_sets
from adnorm.study.comparisons import combine_biopsies
from adnorm.study.config import IndexSettings
from adnorm.study.gene_sets import Gene, GeneSet
from adnorm.study.vocabulary import DISAGREES

GENES = [f"G{i:03d}" for i in range(300)]
SETTINGS = IndexSettings(primary=("global", "up", "mixed"))


def gene_set(name, directions, role="context"):
    genes = tuple(Gene(GENES[i], direction=way) for i, way in directions)
    return GeneSet(name, name, "own", role, genes)


SETS = {
    "up": gene_set("up", [(i, "up") for i in range(20, 30)], "primary"),
    "mixed": gene_set("mixed", [(i, "up" if i % 2 else "down") for i in range(30, 42)], "primary"),
    # As many genes have a direction as have none.
    "half": gene_set("half", [(i, "up" if i < 56 else "") for i in range(50, 62)]),
    "plain": gene_set("plain", [(i, "") for i in range(70, 80)]),
    "comp_gland": gene_set(
        "comp_gland", [(i, "") for i in (29, 30, 31, 55, 90, 91)], "composition"
    ),
}


def sheet(patients=8):
    """Two biopsies of every lesion at baseline, one of all else."""
    rows = [
        (f"{arm}{i}", arm, state, week)
        for arm in ("drug", "placebo")
        for i in range(patients)
        for state, week in [
            *(("nonlesional", 0.0), ("lesional", 0.0), ("lesional", 0.0), ("lesional", 4.0)),
        ]
    ]
    found = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    return found.set_index(pd.Index([f"S{i:03d}" for i in range(len(found))]))


def disease(obs):
    left = np.where(obs["arm"] == "drug", 0.3, 0.9)
    return np.where(obs["state"] == "lesional", np.where(obs["week"] > 0, left, 1.0), 0.0)


def log2_of(obs, moving, seed=3):
    """The genes of `moving` (a sign by number) rise or fall in lesions, and come back."""
    rng = np.random.default_rng(seed)
    log2 = rng.normal(7, 1.5, len(GENES)) + rng.normal(0, 0.3, (len(obs), len(GENES)))
    for number, sign in moving.items():
        log2[:, number] += 1.5 * sign * disease(obs)
    return log2


MOVING = {
    i: 1 if way in ("up", "") else -1
    for s in ("up", "mixed", "half")
    for i, way in [(GENES.index(g.symbol), g.direction) for g in SETS[s].genes]
}


def cohort(log2, obs, counts=None):
    data = anndata.AnnData(np.asarray(log2, dtype=float), obs=obs)
    data.var_names = GENES
    data.uns["adnorm"] = {"reference": "nonlesional"}
    if counts is not None:
        data.layers["counts"] = counts
    return Biopsies(data, SETS)


def scored(biopsies, axes=()):
    """The primary scores, as the stage hands them to the index."""
    values = biopsies.z_scores(biopsies.data.X, SETS)
    directed = [made.signed for made in SETS.values()]
    names = pd.DataFrame(
        {
            **{"level": "set", "family": "", "basis": "", "role": "context"},
            "reason_code": np.where(directed, "", "UNSIGNED"),
            "reason": np.where(directed, "", "its genes have no direction"),
        },
        index=values.columns,
    )
    observations = combine_biopsies(biopsies.data.obs)[0]
    made = IndexInput(values, names, observations, "placebo", SETTINGS, 1)
    for axis in axes:
        made = made.with_axis(axis)
    return made


def ratio(values, observations, arm="drug"):
    """NI by its definition."""
    table = pd.Series(np.asarray(values)).groupby(
        [observations["patient"], observations["state"], observations["week"]]
    )
    wide = table.mean().unstack([1, 2])
    start, end = wide["lesional", 0.0], wide["lesional", 4.0]
    own = wide.index.str.startswith(arm)
    return (start - end)[own].mean() / (start - wide["nonlesional", 0.0]).mean()


# ---------------------------------------------------------------- sizes of libraries


@pytest.fixture(scope="module")
def shifted():
    """Four genes take the reads of lesional skin; nothing else changes."""
    obs, rng = sheet(patients=12), np.random.default_rng(5)
    log2 = rng.normal(6, 1, len(GENES)) + rng.normal(0, 0.25, (len(obs), len(GENES)))
    log2[:, :4] = 12 + 1.5 * disease(obs)[:, None] + rng.normal(0, 0.25, (len(obs), 4))
    shares = np.exp2(log2) / np.exp2(log2).sum(axis=1, keepdims=True)
    counts = rng.poisson(rng.gamma(20, shares * 1e7 / 20)).astype(np.int32)
    table = pd.DataFrame(counts.T, index=GENES, columns=obs.index)
    sizes = counts.sum(axis=1) * composition_factors(table, "tmm").to_numpy()
    return cohort(np.log2(counts / sizes[:, None] * 1e6 + 1), obs, counts)


def test_library_sizes_stand_side_by_side_and_alone_invent_an_index(shifted):
    weights = np.where(np.arange(len(GENES)) < 4, 1.0, 0.0)
    obs = combine_biopsies(shifted.data.obs)[0]
    combined = shifted.combined(pd.DataFrame(shifted.data.X)).to_numpy().T
    axis = DiseaseAxis(
        pd.DataFrame(), axis_scores(combined, obs, weights), basis="own", weights=weights
    )
    index = scored(shifted, [axis])
    rows = pd.concat(on_other_library_sizes(index, shifted, [axis]))
    assert set(rows["analysis"]) == {"tmm", "median_of_ratios", "library_size"}
    assert set(rows["name"]) == {"global", "up", "mixed"}
    drug = rows[rows["arm"] == "drug"].set_index(["analysis", "name"])
    assert drug.loc[("library_size", "up"), "reason_code"] == "DIRECTION_CONTRADICTED"
    for method in ("tmm", "median_of_ratios"):
        assert drug.loc[(method, "up"), "reason_code"] == "DENOM_NOT_ESTIMABLE"
        assert drug.loc[(method, "global"), "ni"] == pytest.approx(0.7, abs=0.05)
    # The method that the values were made with repeats the primary analysis.
    primary = index.index("nonlesional", "primary").set_index(["arm", "name"])
    repeated = drug.loc[("tmm", "global")]
    for column in ("ni", "lower", "upper", "dni", "dni_lower", "p_value"):
        assert repeated[column] == pytest.approx(primary.loc[("drug", "global"), column], rel=1e-9)
    assert drug.loc[("library_size", "global"), "lower"] != repeated["lower"]


def test_a_method_that_cannot_be_computed_says_so(shifted):
    counts = shifted.data.layers["counts"].copy()
    # No gene has reads in all samples.
    counts[
        np.arange(len(counts))[:, None],
        (np.arange(150) + np.arange(len(counts))[:, None] * 2) % 300,
    ] = 0
    biopsies = cohort(shifted.data.X, shifted.data.obs, counts)
    rows = pd.concat(on_other_library_sizes(scored(biopsies), biopsies, []))
    failed = rows[rows["analysis"] == "median_of_ratios"]
    assert set(failed["reason_code"]) == {"NOT_SCORED"}
    assert failed["reason"].str.contains("median_of_ratios cannot be computed").all()


def test_without_counts_there_is_nothing_to_size():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    assert on_other_library_sizes(scored(biopsies), biopsies, []) == []


# ---------------------------------------------------------------- ssGSEA


def scores_of(biopsies, **layers):
    var = pd.DataFrame(index=list(SETS))
    empty = np.zeros((biopsies.data.n_obs, len(SETS)))
    return anndata.AnnData(empty, obs=biopsies.data.obs, var=var, layers=layers)


def test_the_index_on_ssgsea_is_that_of_up_minus_down_by_gseapy():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    ours = score_sets("ssgsea", biopsies.data.X, GENES, SETS, None, 250, 1)
    index = scored(biopsies)
    primary = index.index("nonlesional", "primary")
    (rows,) = on_ssgsea(index, biopsies, scores_of(biopsies, ssgsea=ours.to_numpy()), primary)
    assert set(rows["name"]) == {"up", "mixed", "half"} and set(rows["analysis"]) == {"ssgsea"}
    parts = {
        "up": [g.symbol for g in SETS["mixed"].up],
        "down": [g.symbol for g in SETS["mixed"].down],
    }
    table = pd.DataFrame(biopsies.data.X.T, index=GENES, columns=obs.index)
    found = gseapy.ssgsea(
        table, parts, min_size=1, sample_norm_method="rank", correl_norm_type="rank", outdir=None
    ).res2d
    es = found.pivot(index="Name", columns="Term", values="ES").astype(float).loc[obs.index]
    by_hand = ratio(es["up"] - es["down"], obs.reset_index(drop=True))
    row = rows[(rows["name"] == "mixed") & (rows["arm"] == "drug")].iloc[0]
    assert row["ni"] == pytest.approx(by_hand, rel=1e-6)
    assert row["ni"] == pytest.approx(0.7, abs=0.15) and DISAGREES not in row["reason"]


def test_without_ssgsea_there_are_no_rows():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    index = scored(biopsies)
    assert on_ssgsea(index, biopsies, scores_of(biopsies), pd.DataFrame()) == []


NAN = float("nan")


@pytest.mark.parametrize(
    ("own", "primary", "said"),
    [
        ((0.5, 0.2, 0.8), (0.6, 0.3, 0.9), ""),
        ((0.9, 0.8, 1.0), (0.5, 0.4, 0.79), "above the one on that, 0.50 (0.40 to 0.79)"),
        ((0.1, 0.0, 0.3), (0.5, 0.31, 0.7), "below the one on that, 0.50 (0.31 to 0.70)"),
        ((0.1, 0.0, 0.3), (NAN, NAN, NAN), "on which there is no index (DENOM_NOT_ESTIMABLE)"),
        ((NAN, NAN, NAN), (0.5, 0.31, 0.7), "on which the index is 0.50 (0.31 to 0.70)"),
        ((NAN, NAN, NAN), (NAN, NAN, NAN), ""),
    ],
)
def test_rows_say_how_they_contradict_the_primary_one(own, primary, said):
    def row(values, reason, **more):
        keys = {"reference": "nonlesional", "arm": "drug", "week": 4.0, "name": "up"}
        numbers = dict(zip(("ni", "lower", "upper"), values, strict=True))
        code = "" if values[0] == values[0] else "DENOM_NOT_ESTIMABLE"
        return pd.DataFrame([keys | numbers | {"reason_code": code, "reason": reason} | more])

    others = pd.concat([row((9, 9, 9), "", arm="placebo"), row(primary, "")])
    reason = say_disagreement(row(own, "exploratory: few"), others)["reason"].iloc[0]
    assert reason.endswith("exploratory: few")
    assert said in reason and (DISAGREES in reason) == bool(said)


# ---------------------------------------------------------------- genes of cells


def test_sets_are_scored_without_the_genes_of_cells():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    index = scored(biopsies)
    (rows,) = without_composition_genes(index, biopsies, 5, 0.5)
    assert set(rows["name"]) == {"up", "mixed", "half"}
    assert set(rows["analysis"]) == {"without_composition_genes"}
    drug = rows[rows["arm"] == "drug"].set_index("name")
    left = replace(SETS["mixed"], genes=SETS["mixed"].genes[2:])
    by_hand = ratio(
        biopsies.z_scores(biopsies.data.X, {"mixed": left})["mixed"], index.observations
    )
    assert drug.loc["mixed", "ni"] == pytest.approx(by_hand, rel=1e-9)
    said = drug["reason"].str.partition("; ")[0]
    assert said["mixed"] == "without 2 of 12 genes, which are in comp_gland"
    # It loses one of six directed genes, and keeps the direction of the others.
    assert said["half"] == "without 1 of 6 genes, which are in comp_gland"
    directed = replace(SETS["half"], genes=SETS["half"].genes[:5])
    by_hand = ratio(
        biopsies.z_scores(biopsies.data.X, {"half": directed})["half"], index.observations
    )
    assert drug.loc["half", "ni"] == pytest.approx(by_hand, rel=1e-9)


def test_what_is_left_of_a_set_must_be_covered():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    rows = pd.concat(without_composition_genes(scored(biopsies), biopsies, 6, 0.5))
    half = rows[rows["name"] == "half"]
    assert set(half["reason_code"]) == {"LOW_COVERAGE"} and half["ni"].isna().all()
    assert (
        half["reason"].str.startswith("without 1 of 6 genes, which are in comp_gland; 5 of 5").all()
    )
    assert rows.loc[rows["name"] == "up", "ni"].notna().all()


def test_no_shared_gene_no_rows():
    obs = sheet()
    biopsies = cohort(log2_of(obs, MOVING), obs)
    alone = replace(biopsies, sets={k: v for k, v in SETS.items() if k != "comp_gland"})
    assert without_composition_genes(scored(biopsies), alone, 5, 0.5) == []
