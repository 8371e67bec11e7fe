"""`adnorm new-cohort`: what it writes, and what it says is left to do."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from adnorm.cli import main


def test_a_proposal_tells_what_is_left_to_do(here, capsys):
    call = ["new-cohort", "counts.csv", "--sheet", "sheet.csv", "--output", "told"]
    assert main(call) == 0
    told = capsys.readouterr().out
    assert "line 8: fill in disease" in told
    assert "to confirm, 2 to fill in" in told
    assert (here / "told" / "counts.yaml").is_file()
    assert main(call) == 1
    assert "--force" in capsys.readouterr().err


def test_the_machine_readable_answer_names_every_marked_line(trial):
    path, answer = trial
    assert answer["route"] == "local"
    assert answer["fill_in"] == sum(m["mark"] == "fill in" for m in answer["lines"]) == 2
    assert answer["confirm"] == path.read_text().count("# confirm: ")
    assert answer["stops"] == ""


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (["counts.csv"], "add `--sheet FILE`"),
        (["absent.csv", "--sheet", "sheet.csv"], "absent.csv: this file does not exist"),
        (["absent.h5ad"], "absent.h5ad: this file does not exist"),
        (["GSE1", "--geo", "file:nowhere"], "GSE1: no series matrix"),
        (["GSE1", "--geo", "nowhere"], "neither an https address nor a folder"),
        (["GSE1", "--sheet", "sheet.csv"], "--sheet: a GEO series brings"),
        (["counts.csv", "--sheet", "sheet.csv", "--id", "a b"], "--id: 'a b' cannot be a folder"),
    ],
    ids=["no_sheet", "no_table", "no_h5ad", "no_series", "no_address", "sheet_of_geo", "bad_id"],
)
def test_what_cannot_be_proposed_is_said_in_one_paragraph(here, capsys, call, told):
    assert main(["new-cohort", *call, "--output", "nothing"]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert not (here / "nothing").exists()


def test_a_proposal_that_would_stop_says_so(here, capsys):
    sheet = pd.read_csv("sheet.csv").query("skin == 'LS' and visit == 'W4'")
    sheet.to_csv("late.csv", index=False)
    assert main(["new-cohort", "counts.csv", "--sheet", "late.csv", "--output", "late"]) == 0
    capsys.readouterr()
    text = (here / "late" / "counts.yaml").read_text()
    assert "reference: null" in text


def test_a_proposal_says_what_the_configuration_must_hold(here, capsys):
    counts = pd.read_csv("counts.csv", index_col=0)
    counts.set_axis([f"ENSG{i:011d}" for i in range(len(counts))]).to_csv("ensembl.csv")
    assert main(["new-cohort", "ensembl.csv", "--sheet", "sheet.csv", "--output", "told"]) == 0
    told = capsys.readouterr().out
    lines = [line for line in told.splitlines() if line.startswith("  ") and "fill in" not in line]
    config = yaml.safe_load("\n".join(lines))
    assert config["cohorts"] == ["told/ensembl.yaml"]
    assert set(config) == {"cohorts", "identifiers"}
    assert "adnorm check --configfile my_run.yaml" in told
