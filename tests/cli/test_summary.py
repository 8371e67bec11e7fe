"""`adnorm summary`: the main numbers of a run, by its own facts."""

from __future__ import annotations

import json

import h5py
import pandas as pd
import pytest

from adnorm.base.tables import write_table
from adnorm.cli import main
from adnorm.study.vocabulary import DISAGREES

SET = "itch_core_skin_up"


def write_cohort(results, arms, placebo_arm, contrasts, index_of=(), moves="no", same="no"):
    """Lay a finished cohort out: arm → (class, dose), and its supported contrasts by kind."""
    folder = results / "trial"
    (folder / "logs").mkdir(parents=True)
    (folder / "figures").mkdir()
    (folder / "figures" / "overview.html").write_text("<!DOCTYPE html>")
    rows = [{"arm": arm, "drug_class": kind, "dose_mg": dose} for arm, (kind, dose) in arms.items()]
    write_table(pd.DataFrame(rows), folder / "expression" / "samples.tsv")
    supported = pd.DataFrame(contrasts, columns=["contrast", "kind"])
    supported = supported.assign(supported="yes", reason="4 patients")
    write_table(supported, folder / "expression" / "comparisons.tsv")
    with h5py.File(folder / "expression" / "expression.h5ad", "w") as file:
        file["uns/adnorm/placebo_arm"] = placebo_arm
    effects = supported[["contrast"]].assign(method="zscore", set=SET, status="ok", fdr=0.01)
    effects = effects.assign(change=-0.5, lower=-0.7, upper=-0.3)
    write_table(effects, folder / "effects" / "set_effects.tsv")
    controls = supported[["contrast"]].assign(set="housekeeping", change=0.3, moves=moves)
    write_table(controls, folder / "effects" / "controls.tsv")
    index = pd.DataFrame({"arm": list(index_of)}).assign(
        **{"reference": "nonlesional", "week": 4, "name": SET},
        **{"ni": 0.5, "lower": 0.3, "upper": 0.7, "pairs": 4},
        **{"dni": 0.4, "dni_lower": 0.2, "dni_upper": 0.6},
        **{"adjusted_p_value": 0.012, "as_reference": same},
    )
    agrees = index.assign(analysis="ssgsea", reason="")
    apart = agrees.assign(name="th2", reason=f"exploratory: few; {DISAGREES}: 0.5 (0.3 to 0.7)")
    # Of another visit, of which the summary does not speak.
    other = apart.assign(week=12)
    write_table(index, folder / "index" / "index.tsv")
    write_table(pd.concat([agrees, apart, other]), folder / "index" / "sensitivities.tsv")


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """Write a cohort and ask for the summary of its run."""
    monkeypatch.chdir(tmp_path)

    def tell(*cohort, call=("results",), **more):
        write_cohort(tmp_path / "results", *cohort, **more)
        assert main(["summary", *call, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        return answer["heading"], "\n".join(answer["lines"])

    return tell


DRUG = {"drug 10 mg": ("JAK inhibitor", 10), "vehicle": ("placebo", "NA")}
CHANGE = ("change:drug 10 mg@4", "change")
BEYOND = ("change:drug 10 mg-vehicle@4", "change-difference")


def test_the_summary_of_nothing_says_what_to_run(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "no finished cohort is here" in capsys.readouterr().err


def test_placebo_is_the_arm_that_the_cohort_names(told):
    heading, _ = told(DRUG, "vehicle", [CHANGE, BEYOND])
    assert "change:drug 10 mg-vehicle@4" in heading


def test_a_drug_whose_name_holds_placebo_is_not_placebo(told):
    arms = {name: ("JAK inhibitor", dose) for name, dose in (("placebo-like", 1), ("drug", 2))}
    lower = ("change:drug-placebo-like@4", "change-difference")
    heading, _ = told(arms, "", [("change:drug@4", "change"), lower])
    assert "· change:drug@4 ·" in heading


def test_an_arm_is_found_by_its_whole_name(told):
    arms = {"anti": ("JAK inhibitor", "NA"), "anti-IL13": ("anti-IL-13", "NA")}
    beyond = ("change:anti-IL13-placebo@4", "change-difference")
    arms |= {"placebo": ("placebo", "NA")}
    heading, lines = told(arms, "placebo", [beyond], index_of=["anti", "anti-IL13"])
    assert "anti-IL13, week 4" in heading
    assert "against placebo 0.40 (0.20 to 0.60), adjusted p = 0.012; 4 pairs" in lines


@pytest.mark.parametrize("same", ["yes", "no"])
def test_skin_is_as_the_reference_only_where_tests_say_so(told, same):
    heading, lines = told(DRUG, "vehicle", [BEYOND], index_of=["drug 10 mg"], same=same)
    assert ("as nonlesional skin" in heading + lines) == (same == "yes")


@pytest.mark.parametrize("index_of", [(), ("drug 10 mg",)], ids=["effects", "index"])
def test_controls_that_move_are_told_before_any_number(told, index_of):
    _, lines = told(DRUG, "vehicle", [BEYOND], index_of=index_of, moves="yes")
    first = "  negative controls move in 1 of 1 comparisons: see results/trial/effects/controls.tsv"
    assert lines.splitlines()[0] == first


def test_indices_that_ssgsea_contradicts_are_counted(told):
    _, lines = told(DRUG, "vehicle", [BEYOND], index_of=["drug 10 mg"])
    assert "negative controls" not in lines
    assert lines.endswith("  ssGSEA disagrees with the signed z score in 1 of 2 indices")


@pytest.mark.parametrize("index_of", [(), ("drug 10 mg",)], ids=["effects", "index"])
def test_intervals_have_the_level_of_the_run(told, tmp_path, index_of):
    section = "index" if index_of else "effects"
    settings = f"cohorts: [trial]\n{section}: {{confidence: 0.975}}\n"
    (tmp_path / "run.yaml").write_text(settings)
    _, lines = told(DRUG, "vehicle", [BEYOND], call=("--configfile", "run.yaml"), index_of=index_of)
    assert "(97.5 % CI " in lines


def test_intervals_of_a_run_that_nobody_named_have_no_level(told):
    _, lines = told(DRUG, "vehicle", [BEYOND])
    assert "(CI -0.70 to -0.30" in lines and "95" not in lines
