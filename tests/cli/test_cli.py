"""The terminal: calls, exit codes, answers for people and for programs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
import yaml

from adnorm.base.tables import read_json
from adnorm.cli import COMMANDS, main
from adnorm.cli.discover import addresses
from adnorm.cli.lock import pin
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.schema import read_yaml

GENE_SETS = "config/gene_sets/adnorm.tsv"


@pytest.fixture(scope="module")
def lab(tmp_path_factory, repository):
    """A lab's counts of a small trial, its sheet, and a configuration."""
    folder = tmp_path_factory.mktemp("lab")
    genes = [g.symbol for s in read_gene_sets([repository / GENE_SETS]).values() for g in s.genes]
    genes = sorted({*genes[:80], *(f"GENE{i}" for i in range(120))})
    rows = [
        {"library": f"{arm}{p}{visit}{skin}", "donor": f"{arm}{p}", "skin": skin, "drug": drug}
        | {"visit": visit}
        for arm, drug in (("U", "upadacitinib 15 mg"), ("P", "placebo"))
        for p in range(4)
        for visit, skins in (("BL", ("LS", "NL")), ("W4", ("LS",)))
        for skin in skins
    ]
    sheet = pd.DataFrame(rows)
    sheet.to_csv(folder / "sheet.csv", index=False)
    counts = np.random.default_rng(5).negative_binomial(4, 0.01, (len(genes), len(sheet)))
    pd.DataFrame(counts, index=genes, columns=sheet["library"]).to_csv(folder / "counts.csv")
    (folder / "run.yaml").write_text("cohort_folder: cohorts\ncohorts: [trial]\n")
    return folder


@pytest.fixture
def here(lab, monkeypatch):
    """The lab's folder as working directory; caches stay inside."""
    monkeypatch.chdir(lab)
    monkeypatch.setenv("XDG_CACHE_HOME", str(lab / "cache"))
    return lab


@pytest.fixture
def trial(here, capsys):
    """A cohort file that was proposed and filled in."""
    call = ["new-cohort", "counts.csv", "--sheet", "sheet.csv", "--id", "trial"]
    assert main([*call, "--output", "cohorts", "--force", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    path = here / "cohorts" / "trial.yaml"
    text = path.read_text()
    for key, value in (("disease", "atopic dermatitis"), ("tissue", "skin biopsy")):
        text = text.replace(f"{key}: null", f"{key}: {value}")
    path.write_text(text)
    return path, answer


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert f"adnorm {command}" in told.split("examples:")[1]
    assert "exit codes" in told
    assert "--json" in told


@pytest.mark.parametrize(
    "call", [[], ["nonsense"], ["new-cohort"], ["lock", "--nonsense"]], ids=" ".join
)
def test_a_wrong_call_ends_with_2(call):
    with pytest.raises(SystemExit) as end:
        main(call)
    assert end.value.code == 2


def test_help_loads_no_library():
    code = (
        "import sys, adnorm.cli\n"
        "try: adnorm.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str(sorted({'pandas', 'numpy', 'jsonschema', 'requests'} & set(sys.modules))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "call",
    [
        ["new-cohort", "absent.csv", "--sheet", "sheet.csv"],
        ["check", "--configfile", "absent.yaml"],
        ["check", "absent"],
        ["lock", "--configfile", "absent.yaml"],
        ["summary", "absent"],
    ],
    ids=" ".join,
)
def test_a_program_finds_the_reason_on_stdout(here, capsys, call):
    assert main([*call, "--json"]) == 1
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["fine"] is False
    assert answer["problems"][0] in told.err


# ---------------------------------------------------------------- new-cohort


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


# ---------------------------------------------------------------- check


def test_a_fine_cohort_is_laid_out_in_a_table(trial, capsys):
    assert main(["check", "--configfile", "run.yaml"]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert max(map(len, lines)) <= 100
    assert "  24 samples of 8 patients, 0 excluded, " in told
    assert any(line.split() == ["placebo", "4", "lesional", "4", "4"] for line in lines)
    assert "change:upadacitinib 15 mg-placebo@4" in told
    assert "no healthy samples at baseline" in told
    assert "gene sets: " in told
    # The table has 185 of the genes that the sets ask for.
    assert any(line.startswith("1 cohort checked, no problem found, but ") for line in lines)


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
    sets = f"gene_sets: [{repository / GENE_SETS}, twice.gmt]\n"
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
        assert yaml.safe_load(words[6].removeprefix("cohorts=")) == [path]
        assert words[5:] == ["--config", words[6], "results=results/trial"]


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
    assert told.err.startswith("STOPPED: genes.tsv")


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
    assert "to fill in: line 8 (disease: null): disease of the patients" in error
    assert "disease: found null, which is not of type string" in error


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
    assert error.startswith("STOPPED") and "BrokenPipe" not in error


def test_shipped_cohorts_are_found_from_anywhere(here, capsys):
    assert main(["check", "demo_reference_array"]) == 0
    assert "supported comparisons" in capsys.readouterr().out


# ---------------------------------------------------------------- lock


def test_lock_pins_and_compares_and_finds_what_changed(trial, here, capsys):
    path, _ = trial
    before = path.read_text()
    assert main(["lock", "--check", "--configfile", "run.yaml"]) == 1
    assert path.read_text() == before
    assert main(["lock", "--configfile", "run.yaml"]) == 0
    pinned = read_yaml(path)["source"]["sha256"]
    assert set(pinned) == {"table", "sheet"} and all(len(d) == 64 for d in pinned.values())
    kept = [line for line in path.read_text().splitlines() if line in before.splitlines()]
    assert kept == before.splitlines()
    assert main(["lock", "--check", "--configfile", "run.yaml"]) == 0
    assert main(["check", "--configfile", "run.yaml"]) == 0
    counts = (here / "counts.csv").read_bytes()
    try:
        (here / "counts.csv").write_bytes(counts + b"GENEX" + b",1" * 24 + b"\n")
        capsys.readouterr()
        assert main(["lock", "--check", "--configfile", "run.yaml"]) == 1
        assert f"counts.csv: pinned is {pinned['table'][:12]}" in capsys.readouterr().out
        assert main(["check", "--configfile", "run.yaml"]) == 1
        assert "adnorm lock" in capsys.readouterr().err
        assert main(["lock", "--configfile", "run.yaml", "--json"]) == 0
        files = json.loads(capsys.readouterr().out)["cohorts"][0]["files"]
        assert [f["role"] for f in files if f["found"] != f["pinned"]] == ["table"]
        assert main(["check", "--configfile", "run.yaml"]) == 0
    finally:
        (here / "counts.csv").write_bytes(counts)


DIGESTS = {"sheet": "b" * 64, "table": "a" * 64}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "source: {}\n",
        "source: {table: x.csv, sheet: 'a, b.csv'}  # ours\n",
        "source: {table: x.csv,\n  sheet: y.csv}\n",
        "source:\n  # the counts\n  table: x.csv  # of 2020\n\n  # and more\n",
        "source:\n  table: x.csv\n  sha256:\n    table: 00  # old\n    gone: 11\n  sheet: y.csv\n",
        "source:\n    sha256: {table: 00}\n    table: x.csv\n",
        "source: null\n",
    ],
    ids=["absent", "empty", "flow", "two_lines", "block", "renewed", "flow_renewed", "null"],
)
def test_pinning_keeps_all_other_lines(tmp_path, source):
    path = tmp_path / "c.yaml"
    rest = "id: c  # ours\n{}# what samples are\nsamples:\n  week: {{from: day, scale: 0.10}}\n"
    path.write_text(rest.format(source))
    before = read_yaml(path)
    pin(path, DIGESTS)
    after = read_yaml(path)
    assert after["source"].pop("sha256") == DIGESTS
    old = before.get("source") or {}
    old.pop("sha256", None)
    assert after == before | {"source": old}
    for comment in ("# ours", "# what samples are\nsamples:", "scale: 0.10"):
        assert comment in path.read_text()
    assert ("# of 2020" in source) == ("# of 2020" in path.read_text())
    again = path.read_text()
    pin(path, DIGESTS)
    assert path.read_text() == again


# ---------------------------------------------------------------- discover


def test_the_query_asks_for_human_series_of_each_jak_inhibitor(capsys):
    assert main(["discover", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == addresses()
    for word in ("upadacitinib", "abrocitinib", "delgocitinib", '"atopic dermatitis"', "gse[ETYP]"):
        assert word in told["term"]
    assert "dupilumab" not in told["term"]
    assert told["query"].startswith("https://eutils.ncbi.nlm.nih.gov/")
    # Servers refuse longer addresses.
    assert len(told["query"]) < 4000


class Answer:
    def __init__(self, content):
        self.content = content

    def raise_for_status(self):
        pass

    def json(self):
        return self.content


def test_found_series_are_listed_newest_first(monkeypatch, capsys):
    asked = []

    def get(address, timeout, headers):
        asked.append(address)
        assert all(timeout)
        if "esearch" in address:
            return Answer({"esearchresult": {"idlist": ["1", "2"]}})
        entries = {
            number: {"accession": f"GSE{number}", "n_samples": 9, "pdat": date, "title": "t"}
            for number, date in (("1", "2023/01/05"), ("2", "2025/10/30"))
        }
        return Answer({"result": {"uids": ["1", "2"], **entries}})

    monkeypatch.setattr(requests, "get", get)
    assert main(["discover", "--run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2", "GSE2", "GSE1"]
    assert "id=1%2C2" in asked[1]


@pytest.mark.parametrize("failure", [requests.ConnectionError, requests.Timeout, ValueError])
def test_without_a_network_one_paragraph_and_the_page(monkeypatch, capsys, failure):
    def get(*_, **__):
        raise failure("no route")

    monkeypatch.setattr(requests, "get", get)
    assert main(["discover", "--run"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("STOPPED: NCBI did not answer")
    assert addresses()["page"] in error


# ---------------------------------------------------------------- summary


def test_the_summary_of_nothing_says_what_to_run(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "no finished cohort is here" in capsys.readouterr().err


def test_manifests_are_linked_not_copied_and_stay_as_they_are(trial, here, repository):
    from adnorm.cli.gathering import gathered
    from adnorm.fetch.build import fetch_cohort
    from adnorm.study.cohort import read_study

    study = read_study(read_yaml(here / "run.yaml") | {"results": "kept"}, repository)
    cohort = study.cohorts["trial"]
    manifest = fetch_cohort(cohort, study.config["geo"], here / "kept/trial/fetch")
    before = {p.name: p.stat().st_mtime_ns for p in manifest.parent.iterdir()}
    with gathered(cohort, study.config) as aside:
        assert read_json(aside) == read_json(manifest)
        assert aside != manifest
    assert {p.name: p.stat().st_mtime_ns for p in manifest.parent.iterdir()} == before


def test_what_nobody_foresaw_is_told_in_a_paragraph_and_the_others_are_checked(
    trial, capsys, monkeypatch
):
    path, _ = trial
    text = path.read_text().replace("id: trial", "id: second")
    path.with_name("second.yaml").write_text(text)
    from adnorm.expression import build

    whole = build.open_sources

    def broken(manifest, cohort):
        if cohort["id"] == "trial":
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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_in_a_paragraph_what_nobody_foresaw(command, capsys, monkeypatch):
    import importlib

    def broken(chosen):
        raise ZeroDivisionError("nobody thought of this")

    module = importlib.import_module(f"adnorm.cli.{command.replace('-', '_')}")
    monkeypatch.setattr(module, "run", broken)
    needed = {"new-cohort": ["GSE1"], "summary": ["results"]}.get(command, [])
    assert main([command, *needed]) == 3
    told = capsys.readouterr().err
    assert told.startswith("STOPPED: an error that adnorm did not foresee: ZeroDivisionError")
    Path(told.split("Its traceback is in ")[1].split(": please")[0]).unlink()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_any_encoding_shows_any_text(trial, encoding):
    path, _ = trial
    path.write_text(path.read_text().replace("title: ", "title: α → ü ", 1), encoding="utf-8")
    run = [sys.executable, "-m", "adnorm.cli", "check", "cohorts/trial.yaml"]
    old = os.environ | {
        "LC_ALL": "POSIX",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": encoding,
    }
    plain = subprocess.run(run, env=old, capture_output=True, check=False)
    assert plain.returncode == 0, plain.stderr
    assert b"\\u03b1 \\u2192" in plain.stdout
    answer = subprocess.run([*run, "--json"], env=old, capture_output=True, check=False)
    told = json.loads(answer.stdout.decode(encoding))
    assert "α → ü" in told["cohorts"][0]["title"]


def test_the_text_of_a_cell_does_not_command_the_terminal(trial, here, capsys):
    sheet = (here / "sheet.csv").read_text()
    (here / "sheet.csv").write_text(sheet.replace(",LS,", ",LS\x1b]0;OWNED\x07,"))
    try:
        assert main(["check", "cohorts/trial.yaml"]) == 1
    finally:
        (here / "sheet.csv").write_text(sheet)
    out, told = capsys.readouterr()
    assert "LS␛]0;OWNED␇" in told
    assert "\x1b" not in out + told
