"""Simulated trials with batches: where the effect is wrong with them and right without."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.containers import read_container
from adnorm.base.tables import read_table
from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_effects
from adnorm.effects.observations import observations_of
from adnorm.index.batches import batch_adjusted_scores
from adnorm.simulation.cohort import simulate_cohort
from adnorm.study.cohort import PublishedCohort
from adnorm.study.comparisons import derive_design
from adnorm.study.config import EffectsSettings
from adnorm.study.vocabulary import BatchRule
from builders.cohorts import cohort_of
from builders.expression_stage import express, write_manifest
from builders.score_trials import index
from builders.simulations import COHORT, PLAN

CHANGE = "change:drug@4"


def written(along: str | None) -> dict:
    """An array trial of one drug with two visits, its batches as planned."""
    plan = PLAN | {
        "writes": "geo_series_matrix",
        "arms": [{"treatment": "drug", "label": "DRUG", "patients": 36, "reversal": [0.5]}],
        "genes": {"total": 1400},
        "failed_biopsies": 0,
        "batches": {"along": along, "effect": 1.0},
    }
    samples = COHORT["samples"] | {
        "treatment": {"from": "treatment", "values": {"DRUG": "drug"}},
        **({"batch": {"from": "batch"}} if along else {}),
    }
    return COHORT | {
        "assay": "microarray",
        "scale": "log2",
        "treatments": {"drug": {"drug_class": "JAK inhibitor"}},
        "samples": samples,
        "simulation": plan,
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory, repository):
    """The same trial with different batches, as the expression stage leaves it."""
    made = {}
    sets = repository / "config" / "gene_sets" / "adnorm.tsv"
    for along in (None, "visits", "patients", "enrolment"):
        folder = tmp_path_factory.mktemp(str(along))
        cohort = written(along)
        cohort["simulation"] = cohort["simulation"] | {"gene_sets": str(sets)}
        files = simulate_cohort(cohort_of(cohort).view(PublishedCohort), folder)
        roles = {role: name for role, name in files if role != "truth"}
        manifest = write_manifest(folder, "tiny", "simulated", roles)
        made[along] = express(manifest, cohort_of(cohort), [sets], folder / "expression")
    return made


def effects(outputs: dict, rule: str) -> pd.DataFrame:
    data = observations_of(read_container(outputs["expression"]), "trial")
    supported = derive_design(data.samples, None, 3).supported
    plans, refused = plan_fits(data.combined, supported, data.batches, rule)
    table = fit_effects(data, plans, EffectsSettings(batch=rule))
    wide = table.pivot(index="gene", columns="contrast", values="log2_fold_change")
    return wide.assign(**dict.fromkeys(refused, np.nan))


def distance(first: pd.Series, second: pd.Series) -> float:
    """Typical difference; of the second batch alone it would be 1."""
    joined = pd.concat([first, second], axis=1).dropna()
    return float(np.sqrt(((joined.iloc[:, 0] - joined.iloc[:, 1]) ** 2).mean()))


def test_batches_are_planned_and_written(measured):
    sheet = read_table(measured["enrolment"]["samples"])
    by_visit = sheet[sheet["state"] == "lesional"].pivot(
        index="patient", columns="week", values="batch"
    )
    kinds = (by_visit[0.0] + by_visit[4.0].fillna("")).tolist()
    # Numbered as they enrolled.
    starts, ends = by_visit[0.0].tolist(), by_visit[4.0].dropna().tolist()
    assert starts == sorted(starts) and ends == sorted(ends)
    assert kinds.count("AB") >= 8 and kinds.count("AA") >= 8 and kinds.count("BB") >= 8
    table = read_table(measured["enrolment"]["batches"])
    assert table["biopsies"].sum() == len(sheet)
    assert "batch" not in read_table(measured[None]["samples"])
    assert read_table(measured[None]["batches"]).empty


def test_the_verdicts_stand_beside_the_comparisons(measured):
    found = {}
    for along, outputs in measured.items():
        table = read_table(outputs["comparisons"]).set_index("contrast")
        found[along] = table.loc[[CHANGE, "lesional-nonlesional@0"], "batch"].tolist()
    assert found == {
        None: ["", ""],
        "visits": ["aliased", "balanced"],
        "patients": ["balanced", "balanced"],
        "enrolment": ["partly confounded", "balanced"],
    }


def test_a_batch_that_patients_cross_makes_effects_wrong_unless_it_is_taken_out(measured):
    truth = effects(measured[None], BatchRule.IGNORE)[CHANGE]
    outputs = measured["enrolment"]
    wrong, right, random = (
        distance(effects(outputs, rule)[CHANGE], truth)
        for rule in (BatchRule.IGNORE, BatchRule.COVARIATE, BatchRule.BLOCK)
    )
    # About a third of the pairs cross.
    pairs = read_table(outputs["samples"]).pivot_table(
        index="patient", columns="week", values="batch", aggfunc="last"
    )
    cross = (pairs.dropna()[0.0] != pairs.dropna()[4.0]).mean()
    assert 0.2 < cross < 0.4 and wrong == pytest.approx(cross, abs=0.05)
    assert right < 0.6 * wrong and random < 0.7 * wrong


def test_a_batch_of_whole_patients_does_no_harm(measured):
    truth = effects(measured[None], BatchRule.IGNORE)
    for rule in BatchRule:
        found = effects(measured["patients"], rule)
        assert distance(found[CHANGE], truth[CHANGE]) < 0.02


def test_a_batch_that_is_the_visit_is_refused_and_wrong_when_ignored(measured):
    truth = effects(measured[None], BatchRule.IGNORE)
    refused = effects(measured["visits"], BatchRule.COVARIATE)
    assert refused[CHANGE].isna().all()
    assert distance(refused["lesional-nonlesional@0"], truth["lesional-nonlesional@0"]) < 0.02
    ignored = effects(measured["visits"], BatchRule.IGNORE)
    assert distance(ignored[CHANGE], truth[CHANGE]) == pytest.approx(1, abs=0.1)


def test_the_index_of_genes_that_the_batch_moves(measured):
    """Genes that rise in lesions and rise with the second batch: a drug seems to do less."""
    plain = observations_of(read_container(measured[None]["expression"]), "trial")
    data = observations_of(read_container(measured["enrolment"]["expression"]), "trial")
    effect = effects(measured[None], BatchRule.IGNORE)["lesional-nonlesional@0"].loc[data.genes]
    moved = (data.log2 - plain.log2) @ data.batches["B"] / data.batches["B"].sum()
    chosen = (effect > 0.7).to_numpy() & (moved > 0.5)
    assert chosen.sum() > 10
    true, shifted = (pd.DataFrame({"first": d.log2[chosen].mean(axis=0)}) for d in (plain, data))
    adjusted, reason = batch_adjusted_scores(shifted, data.combined, data.batches)
    assert reason == ""
    ni = [index(v, data.combined)["ni"].iloc[0] for v in (true, shifted, adjusted)]
    assert ni[1] < ni[0] - 0.15 and abs(ni[2] - ni[0]) < 0.1
    aliased = observations_of(read_container(measured["visits"]["expression"]), "trial")
    none, reason = batch_adjusted_scores(shifted, aliased.combined, aliased.batches)
    assert none is None and "the change in arm drug by week 4" in reason
