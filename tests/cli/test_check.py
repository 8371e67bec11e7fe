"""`adnorm check`: all problems at once, and what a cohort would give."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adnorm.base.yaml_text import read_yaml
from adnorm.cli import configuration, main


def test_a_fine_cohort_is_a_verdict_and_its_design(trial, capsys):
    assert main(["check", "--configfile", "run.yaml"]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert max(map(len, lines)) <= 100
    # The table has 185 of the genes that the sets ask for.
    assert "  can run, but 1 warning: 24 samples of 8 patients, 0 excluded, " in told
    head = lines.index("  patients            baseline               week 4")
    assert lines[head + 1].split() == ["lesional", "nonlesional", "lesional"]
    assert lines[head + 2].split() == ["placebo", "4", "4", "4"]
    assert lines[head + 3].split() == ["upadacitinib", "15", "mg", "4", "4", "4"]
    assert "  6 of 8 comparisons can be answered" in told
    assert "not answered: lesional minus healthy skin at baseline; nonlesional minus" in told
    assert "gene sets have enough genes; too few: itch_neuropeptides_receptors (7 of 24)" in told
    # One cause, one warning.
    joined = " ".join(told.split())
    assert joined.count("warning: ") == 2 and "so 32 of 47 gene sets have no two genes" in joined
    assert "Every comparison, gene set and loss: the same call with --full" in lines
    assert any(line.startswith("1 cohort checked, no problem found, but 1 w") for line in lines)
    assert len(lines) < 35


def test_the_full_check_lists_everything_in_words(trial, capsys):
    assert main(["check", "--configfile", "run.yaml", "--full"]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert max(map(len, lines)) <= 100
    assert "change under upadacitinib 15 mg at week 4, minus placebo: 4 pairs of" in told
    assert "lesional minus healthy skin at baseline: no healthy samples at baseline" in told
    assert "change:" not in told and "@" not in told
    assert any(line.split() == ["th2", "11", "/", "23", "low", "coverage"] for line in lines)
    assert any(line.split() == ["nattkemper2018_itch_AD", "11", "/", "12"] for line in lines)
    assert "lost on the way:" in told and "--full" not in told


def test_a_design_that_is_too_wide_goes_on_below(trial, here, capsys):
    from adnorm.cli.check import _design

    weeks = [0, 0, *range(1, 13)]
    rows = [
        {"arm": arm, "week": float(week), "state": state, "patients": 9, "samples": n}
        for arm, n in (("a drug with a long name 40 mg", 12), ("placebo", 9))
        for week, state in zip(weeks, ["nonlesional", *["lesional"] * 13], strict=True)
    ]
    lines = _design(pd.DataFrame(rows))
    assert max(map(len, lines)) <= 100
    heads = [line for line in lines if "patients (biopsies)" in line]
    assert len(heads) == 3
    told = " ".join(heads)
    assert all(
        told.count(f"week {week} ") + told.endswith(f"week {week}") == 1 for week in range(1, 13)
    )
    assert sum(line.count("9 (12)") for line in lines) == 14


def test_progress_stands_on_stderr_alone(trial, capsys):
    assert main(["check", "cohorts/trial.yaml", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["fine"]
    stages = ("files", "expression", "scores", "comparisons")
    assert err.splitlines() == ["loading", *(f"checking trial (1 of 1): {s}" for s in stages)]


def test_on_a_terminal_progress_overwrites_itself(trial, capsys, monkeypatch):
    from adnorm.cli import terminal

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(terminal.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    terminal.step("checking a cohort with a long name: files")
    terminal.warn("fetching")
    told = capsys.readouterr().err
    assert told == "\rchecking a cohort with a long\x1b[K\r\x1b[Kfetching\n"
    monkeypatch.setenv("TERM", "dumb")
    terminal.step("files")
    assert capsys.readouterr().err == "files\n"


def test_a_table_that_cannot_be_had_is_asked_for_once(trial, here, capsys, monkeypatch):
    from adnorm.base.errors import AdnormError
    from adnorm.cli import gathering

    asked = []

    def offline(table, *_):
        asked.append(table)
        raise AdnormError(f"{table}: no network")

    monkeypatch.setattr(gathering, "fetch_table", offline)
    path, _ = trial
    (here / "cohorts" / "again.yaml").write_text(path.read_text().replace("id: trial", "id: again"))
    (here / "cohorts" / "wrong.yaml").write_text(
        path.read_text().replace("id: trial", "id: wrong") + "nonsense: 1\n"
    )
    typed = ["--config", "identifiers={table: 'https://genes.example/hgnc.txt'}", "--json"]
    files = [f"cohorts/{name}.yaml" for name in ("trial", "again", "wrong")]
    assert main(["check", *files, *typed]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert asked == ["https://genes.example/hgnc.txt"]
    assert sum("no network" in text for text in problems) == 1


def test_guesses_that_nobody_confirmed_are_counted(trial, here, capsys):
    path, _ = trial
    marks = path.read_text().count("  # confirm: ")
    assert main(["check", "cohorts/trial.yaml"]) == 0
    told = capsys.readouterr().out
    assert f"{marks} lines of the cohort file still carry '# confirm:', so they are guesses" in told
    assert f"Not confirmed yet: {marks} lines" in told
    assert "lines 5 (title:" in told
    assert main(["check", "cohorts/trial.yaml", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cohorts"][0]["to_confirm"]) == marks
    kept = [line.partition("  # confirm: ")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(kept))
    assert main(["check", "cohorts/trial.yaml"]) == 0
    assert "onfirm" not in capsys.readouterr().out


#: One mistyped key or value of a cohort file → what is told, and nothing else.
MISTYPED = [
    ("samples:", "sample:", "unknown key: 'sample' is unknown; did you mean 'samples'?"),
    ("  patient:", "  patien:", "samples: unknown key: 'patien' is unknown"),
    ("from: donor", "fro: donor", "samples: patient: unknown key: 'fro' is unknown"),
    ("from: skin", "from: skim", "samples: state: from: 'skim' is not a key"),
    ("    from: drug", "    form: drug", "samples: dose_mg: unknown key: 'form' is unknown"),
    ("placebo: placebo ", "placebo: placeb ", "samples: treatment: 'placeb' is not described"),
    ("treatments:", "treatment:", "unknown key: 'treatment' is unknown"),
    ("  placebo: {drug_class", "  placeb: {drug_class", "'placebo' is not described under"),
    ("drug_class: JAK", "drug_clas: JAK", "unknown key: 'drug_clas' is unknown"),
    ("placebo_arm:", "placebo_am:", "unknown key: 'placebo_am' is unknown"),
    ("reference:", "referenc:", "unknown key: 'referenc' is unknown"),
    ("source:", "sourc:", "unknown key: 'sourc' is unknown"),
    ("BL: 0", "BLA: 0", "samples: week: no mapping covers 'BL'"),
    ("BL: 0", "BL: 1", "samples: week: no sample is at baseline (week 0)"),
    ("      LS: lesional", "      LX: lesional", "samples: state: no mapping covers 'LS'"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTYPED, ids=[n for _, n, _ in MISTYPED])
def test_what_follows_from_a_fault_is_not_told(trial, here, capsys, old, new, message):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: typo")
    assert old in text
    at = text.rindex(old) if old == "    from: drug" else text.index(old)
    (here / "cohorts" / "typo.yaml").write_text(text[:at] + new + text[at + len(old) :])
    assert main(["check", "cohorts/typo.yaml", "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert len(problems) == 1, problems
    assert message in problems[0]
    assert " problems\n" not in problems[0]


def test_values_that_are_wrong_are_told_once(trial, here, capsys):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: below").replace("counts.csv", "below.csv")
    text = text.replace("sheet: sheet.csv", "sheet: names.csv")
    (here / "cohorts" / "below.yaml").write_text(text)
    # Another order of the samples names another first cell.
    sheet = pd.read_csv(here / "sheet.csv")
    names = {name: f"S{99 - i}" for i, name in enumerate(sorted(sheet["library"]))}
    sheet.assign(library=sheet["library"].map(names)).to_csv(here / "names.csv", index=False)
    counts = pd.read_csv(here / "counts.csv", index_col=0).rename(columns=names)
    counts.iloc[0] = -1
    counts.to_csv(here / "below.csv")
    assert main(["check", "cohorts/below.yaml", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert "are negative" in problem


def test_what_is_mended_in_a_gene_set_is_told_once(trial, here, capsys, repository):
    (here / "twice.gmt").write_text("MINE\tna\tFLG\tFLG\tKRT16\n")
    sets = f"gene_sets: [{repository}/config/gene_sets/adnorm.tsv, twice.gmt]\n"
    (here / "sets.yaml").write_text(f"cohorts: [cohorts/trial.yaml]\n{sets}")
    call = [sys.executable, "-m", "adnorm.cli", "check", "--configfile", "sets.yaml"]
    told = subprocess.run(call, capture_output=True, text=True)
    assert told.returncode == 0
    assert (told.stdout + told.stderr).count("stand more than once") == 1


def test_a_mistyped_key_does_not_hide_the_other_faults(trial, here, capsys):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: both").replace("from: donor", "fro: donor")
    text = text.replace("W4: 4", "W5: 4").replace("      LS: lesional", "      LX: lesional")
    (here / "cohorts" / "both.yaml").write_text(text)
    assert main(["check", "cohorts/both.yaml"]) == 1
    told = capsys.readouterr().err
    for message in ("'fro' is unknown", "no mapping covers 'W4'", "no mapping covers 'LS'"):
        assert message in told
    assert "no sample has 'W5' of `values:`" in told
    assert "placebo_arm: no sample" not in told and "reference: " not in told


def test_a_mistyped_exclude_rule_is_told_alone(trial, here, capsys):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: rule")
    text = "\n".join(line for line in text.splitlines() if "      W4: 4" not in line)
    for field, value, message in (
        ("visits", "W4", "from: 'visits' is not a key"),
        ("visit", "W4.", "matches no sample; did you mean 'W4'?"),
    ):
        rule = f"\nexclude:\n  - {{from: {field}, values: [{value}], reason: late}}\n"
        (here / "cohorts" / "rule.yaml").write_text(text + rule)
        assert main(["check", "cohorts/rule.yaml", "--json"]) == 1
        problems = json.loads(capsys.readouterr().out)["problems"]
        assert len(problems) == 1 and message in problems[0], problems
        assert "no mapping covers" not in problems[0]


@pytest.mark.parametrize("by", ["cohort", "configuration"])
def test_the_check_prints_the_call_that_runs_it(trial, here, repository, capsys, by):
    path = str(trial[0].relative_to(here))
    assert main(["check", *([path] if by == "cohort" else ["--configfile", "run.yaml"])]) == 0
    told = capsys.readouterr().out
    words = shlex.split(next(line for line in told.splitlines() if line.startswith("Run: ")))[1:]
    start = ["snakemake", "-s", str(repository / "Snakefile"), "--cores", "all"]
    assert words[:5] == start
    if by == "configuration":
        assert words[5:] == ["--configfile", "run.yaml"]
    else:
        shipped = ["--configfile", str(repository / "config" / "config.yaml"), "--config"]
        assert yaml.safe_load(words[8].removeprefix("cohorts=")) == [path]
        assert words[5:] == [*shipped, words[8], "results=results/trial"]


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ([], []),
        (["--config", "seed=2"], ["--config", "seed=2"]),
        (
            ["--config", "cohorts=[demo_jak1]"],
            ["--configfile", "config/config.yaml", "--config", "cohorts=[demo_jak1]"],
        ),
    ],
)
def test_in_the_clone_the_call_names_what_snakemake_would_not_read_by_itself(
    repository, monkeypatch, typed, rest
):
    monkeypatch.chdir(repository)
    parser = argparse.ArgumentParser()
    configuration.add_arguments(parser)
    chosen = parser.parse_args(typed)
    config, _ = configuration.read_configuration(chosen)
    call, report = configuration.snakemake_call(chosen, config, ["demo_jak1"])
    assert shlex.split(call) == ["snakemake", "--cores", "all", *rest]
    assert report == "results/demo/report.html"


def test_the_check_takes_values_as_the_run_does(trial, here, capsys):
    typed = ["results=results/other", "identifiers={table: genes.tsv}", "effects={fdr: 0.1}"]
    before = read_yaml(here / "run.yaml")
    assert main(["check", "--configfile", "run.yaml", "--config", *typed]) == 1
    assert "genes.tsv" in capsys.readouterr().err
    typed = [typed[0], "effects={fdr: 0.1}"]
    assert main(["check", "--configfile", "run.yaml", "--config", *typed]) == 0
    told = capsys.readouterr().out
    words = shlex.split(next(line for line in told.splitlines() if line.startswith("Run: ")))[1:]
    assert words[5:] == ["--configfile", "run.yaml", "--config", *typed]
    assert "--report results/other/report.html" in told
    assert read_yaml(here / "run.yaml") == before


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("cohorts/trial.yaml", "--config: found 'cohorts/trial.yaml', but it takes KEY=VALUE"),
        ("geo={adress: x}", "unknown key: 'adress' is unknown; did you mean 'address'?"),
        ("geo={address", "--config geo: '{address' is not valid YAML"),
    ],
)
def test_wrong_values_are_told(trial, typed, told, capsys):
    assert main(["check", "--configfile", "run.yaml", "--config", typed]) == 1
    assert told in capsys.readouterr().err


def test_what_stops_every_cohort_is_told_once(trial, here, capsys):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: again")
    (here / "cohorts" / "again.yaml").write_text(text)
    both = "cohorts=[cohorts/trial.yaml, cohorts/again.yaml]"
    (here / "genes.tsv").write_text("no\tgenes\n")
    typed = ["--config", both, "identifiers={table: genes.tsv}"]
    assert main(["check", "--configfile", "run.yaml", *typed]) == 1
    told = capsys.readouterr()
    assert told.out.count("stopped, 1 problem") == 2
    assert told.err.splitlines()[-1].startswith("STOPPED: genes.tsv")
    assert told.err.count("genes.tsv") == 1


def test_the_check_writes_nothing_into_the_results(trial, here):
    before = sorted(p for p in here.rglob("*") if "cohorts" not in p.parts)
    assert main(["check", "cohorts/trial.yaml"]) == 0
    assert sorted(p for p in here.rglob("*") if "cohorts" not in p.parts) == before


def test_the_check_as_json_says_all_that_the_table_says(trial, capsys):
    assert main(["check", "cohorts/trial.yaml", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    cohort = answer["cohorts"][0]
    assert answer["fine"] and cohort["id"] == "trial"
    change = {c["contrast"]: c for c in cohort["comparisons"]}["change:placebo@4"]
    assert (change["supported"], change["pairs"]) == ("yes", 4)
    itch = {s["set"]: s for s in cohort["gene_sets"]}["itch_core_skin_up"]
    assert itch["asked"] == 28
    assert {c["arm"] for c in cohort["design"]} == {"placebo", "upadacitinib 15 mg"}


WRONG = (
    ("donor", "doner", "'doner' is not a key"),
    ("NL: nonlesional", "N: nonlesional", "no mapping covers 'NL'"),
    ("W4: 4", "W4: four", "'four' is not a number"),
    ("scale: counts", "scale: log2", "change the line `scale: log2`"),
)


def test_all_problems_of_all_cohorts_are_told_at_once(trial, here, capsys):
    path, _ = trial
    text = path.read_text()
    for old, new, _ in WRONG:
        text = text.replace(old, new)
    # One more layer: a key that the schema refuses.
    wrong = text.replace("id: trial", "id: wrong") + "nonsense: 1\n"
    (here / "cohorts" / "wrong.yaml").write_text(wrong)
    assert main(["check", "cohorts/wrong.yaml", "absent", "cohorts/trial.yaml"]) == 1
    told = capsys.readouterr()
    for _, _, message in WRONG:
        assert message in told.err
    assert "'nonsense' is unknown" in told.err
    assert "cohorts: 'absent': the file" in told.err
    assert "Traceback" not in told.err
    # The other cohort is checked all the same.
    assert "24 samples of 8 patients" in told.out


def test_lines_to_fill_in_are_named(trial, here, capsys):
    path, _ = trial
    left = path.read_text().replace("disease: atopic dermatitis", "disease: null")
    (here / "cohorts" / "left.yaml").write_text(left.replace("id: trial", "id: left"))
    assert main(["check", "cohorts/left.yaml"]) == 1
    error = capsys.readouterr().err
    # Once, with the line and what belongs there.
    assert "left.yaml: disease: to fill in, line 8: disease of the patients" in error
    assert "found null" not in error and error.count("fill in") == 1


def test_a_configuration_that_is_not_there(here, capsys):
    assert main(["check", "--configfile", "absent.yaml"]) == 1
    assert "absent.yaml: this file does not exist" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_hides_no_problem(trial, here):
    call = [sys.executable, "-m", "adnorm.cli", "check", "cohorts/trial.yaml", "absent"]
    run = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run.stdout.close()
    error = run.stderr.read()
    run.stderr.close()
    assert run.wait() == 1
    assert "\nSTOPPED: " in error and "BrokenPipe" not in error


def test_shipped_cohorts_are_found_from_anywhere(here, capsys):
    assert main(["check", "demo_reference_array"]) == 0
    assert "3 of 5 comparisons can be answered" in capsys.readouterr().out


def test_what_nobody_foresaw_is_told_in_a_paragraph_and_the_others_are_checked(
    trial, capsys, monkeypatch
):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: second")
    path.with_name("second.yaml").write_text(text)
    from adnorm.expression import build

    whole = build.open_sources

    def broken(manifest, cohort):
        if cohort.id == "trial":
            raise ZeroDivisionError("nobody thought of this")
        return whole(manifest, cohort)

    monkeypatch.setattr(build, "open_sources", broken)
    files = ["cohorts/trial.yaml", "cohorts/second.yaml"]
    assert main(["check", *files, "--json"]) == 1
    out, told = capsys.readouterr()
    answer = json.loads(out)
    assert [cohort["fine"] for cohort in answer["cohorts"]] == [False, True]
    assert "Traceback" not in told
    said = "cohorts/trial.yaml: an error that adnorm did not foresee: ZeroDivisionError: nobody"
    assert said in told
    kept = Path(told.split("Its traceback is in ")[1].split(": please")[0])
    assert "in broken" in kept.read_text()
    kept.unlink()


def test_batches_are_told_with_what_cannot_be_told_from_them(trial, here, capsys):
    path, _ = trial
    sheet = pd.read_csv(here / "sheet.csv")
    kept = sheet.copy()
    sheet["run"] = ["late" if visit == "W4" else "early" for visit in sheet["visit"]]
    text = path.read_text()
    try:
        sheet.to_csv(here / "sheet.csv", index=False)
        path.write_text(text.replace("samples:\n", "samples:\n  batch: {from: run}\n", 1))
        assert main(["check", "cohorts/trial.yaml"]) == 0
        short = capsys.readouterr().out
        assert main(["check", "cohorts/trial.yaml", "--full"]) == 0
        told = capsys.readouterr().out
        assert main(["check", "cohorts/trial.yaml", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["cohorts"][0]
    finally:
        kept.to_csv(here / "sheet.csv", index=False)
    lines = told.partition("1 cohort checked")[0].splitlines()
    assert max(map(len, lines)) <= 100
    assert "  biopsies by batch (2 batches):" in told
    assert any(line.split() == ["placebo", "4", "lesional", "0", "4"] for line in lines)
    assert "  batches and comparisons, aliased: 4" in told
    assert "  2 batches; comparisons: 4 aliased, " in short
    for text in (short, told):
        joined = " ".join(text.split())
        # One cause, one warning, in words.
        assert joined.count("warning: ") == 2  # The other one is of the genes.
        start = "warning: 4 comparisons cannot be told from batches: change under placebo at week 4"
        assert f"{start}; change under upadacitinib 15 mg at week 4 (batch and visit" in joined
        assert joined.count("mix visits, states and arms within each batch") == 1
    judged = {row["contrast"]: row["batch"] for row in found["comparisons"]}
    assert judged["change:upadacitinib 15 mg@4"] == "aliased"
    assert judged["change:upadacitinib 15 mg-placebo@4"] == "balanced"
    assert {row["batch"] for row in found["batches"]} == {"early", "late"}
    assert any("change:placebo@4" in warning for warning in found["warnings"])
