"""The crate of a run: whole, valid, and silent about the machine."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import socket
from pathlib import Path

import pytest
import yaml

from adnorm.base.files import digest_of
from adnorm.provenance import portable as names
from adnorm.study.checksums import read_checksums
from adnorm.study.config import RunConfig
from adnorm.study.reading import read_study
from adnorm.study.validation import check
from builders.crates import BEGIN, SECRET, make_crate, write_study
from builders.validator import issues


def files_of(crate: Path) -> dict[str, bytes]:
    return {
        path.relative_to(crate).as_posix(): path.read_bytes()
        for path in sorted(crate.rglob("*"))
        if path.is_file()
    }


def entities(crate: Path) -> dict[str, dict]:
    graph = json.loads((crate / names.METADATA).read_text("utf-8"))["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def table(crate: Path, name: str) -> list[dict[str, str]]:
    header, *rows = (line.split("\t") for line in (crate / name).read_text("utf-8").splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("kind", ["crate", "stopped"])
def test_the_crate_keeps_every_rule_of_its_profile(request, kind):
    """Those of Process Run Crate, Workflow RO-Crate and RO-Crate 1.1 are among them."""
    assert issues(request.getfixturevalue(kind), "workflow-run-crate") == []


@pytest.mark.parametrize(
    ("entity", "key"),
    [("./", "license"), ("./", "mainEntity"), ("#run", "instrument")],
)
def test_the_validator_sees_what_is_missing(own, entity, key):
    crate = own / "out" / names.FOLDER
    path = crate / names.METADATA
    value = json.loads(path.read_text("utf-8"))
    (found,) = (e for e in value["@graph"] if e["@id"] == entity)
    del found[key]
    path.write_text(json.dumps(value), "utf-8")
    assert issues(crate, "workflow-run-crate")


def test_the_validator_sees_a_word_that_nobody_defined(own):
    """`sha256` is no word of RO-Crate 1.1: the crate defines it itself."""
    crate = own / "out" / names.FOLDER
    value = json.loads((crate / names.METADATA).read_text("utf-8"))
    value["@context"] = value["@context"][0]
    (crate / names.METADATA).write_text(json.dumps(value), "utf-8")
    assert issues(crate, "workflow-run-crate")


def test_the_library_reads_the_crate_back(crate):
    from rocrate.rocrate import ROCrate

    read = ROCrate(crate)
    assert read.mainEntity.id == names.SNAKEFILE
    assert read.mainEntity["programmingLanguage"]["name"] == "Snakemake"
    (run,) = read.get_by_type("CreateAction")
    results = {entity.id for entity in run["result"]}
    assert {names.DIGESTS, f"{names.TABLES}/near/index/index.tsv"} <= results
    assert {"near.yaml", names.CONFIG, "config/gene_sets/adnorm.tsv"} <= {
        entity.id for entity in run["object"]
    }


def test_every_file_of_the_crate_is_listed_with_its_digest_and_every_listed_file_is_there(crate):
    files = files_of(crate)
    known = entities(crate)
    listed = {part["@id"] for part in known["./"]["hasPart"]}
    assert listed == set(files) - {names.METADATA}
    for name in listed:
        assert known[name]["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert known[name]["contentSize"] == str(len(files[name]))


def test_every_result_and_every_input_is_recorded(crate):
    results = {row["path"]: row for row in table(crate, names.DIGESTS)}
    above = crate.parent
    there = {
        path.relative_to(above).as_posix()
        for path in above.rglob("*")
        if path.is_file() and not {"logs", names.FOLDER} & {*path.parts}
    }
    fetched = {f"{c}/fetch/{f}" for c in ("near", "far") for f in ("counts.csv", "sheet.csv")}
    assert set(results) == there - fetched - {"atlas/finished.txt"}
    for name, row in results.items():
        content = (above / name).read_bytes()
        assert (row["bytes"], row["sha256"]) == (
            str(len(content)),
            hashlib.sha256(content).hexdigest(),
        )
    inputs = table(crate, names.INPUTS)
    assert {row["fetched"] for row in inputs if row["fetched"]} == fetched
    roles = {(row["cohort"], row["role"]) for row in inputs}
    assert {("near", "cohort file"), ("", "identifier table"), ("", "gene sets")} <= roles
    (identifiers,) = (row for row in inputs if row["role"] == "identifier table")
    assert identifiers["sha256"] == hashlib.sha256(b"genes.tsv\n").hexdigest()
    local = {row["local"] for row in inputs if row["cohort"] == "near"}
    assert local == {"data/counts.csv", "data/sheet.csv", "near.yaml"}


def test_nothing_in_the_crate_names_the_machine_its_people_or_their_passwords(crate, place):
    private = {str(place), str(Path.home()), SECRET}
    host = re.compile(rf"(?<![\w-]){re.escape(socket.gethostname())}(?![\w-])")
    user = getpass.getuser()
    for name, content in files_of(crate).items():
        text = content.decode("utf-8")
        assert [word for word in private if word in text] == [], name
        assert not host.search(text), name
        assert f"/{user}/" not in text and f"{user}@" not in text, name
        paths = re.findall(r"(?<![\w.:/])/(?:home|root|tmp|work|Users)\b[^\s\"']*", text)
        assert paths == [], name


def test_the_configuration_of_the_crate_is_the_run(own, monkeypatch):
    """Read inside the crate; files of data are the lab's own, and lie where inputs.tsv says."""
    crate = own / "out" / names.FOLDER
    monkeypatch.chdir(crate)
    written = yaml.safe_load((crate / names.CONFIG).read_text("utf-8"))
    assert set(written) == set(RunConfig.model_fields)
    Path("inputs").mkdir()
    Path("inputs/genes.tsv").write_text("genes.tsv\n")
    again = read_study(written, Path("/nowhere"))
    assert list(again.cohorts) == ["near", "far"]
    assert again.config.seed == 7 and again.config.results == names.RESULTS
    assert again.config.geo.address.startswith("https://")
    assert again.config.gene_sets == ("config/gene_sets/adnorm.tsv", "gene_sets/mine.gmt")
    assert again.cohorts["far"].source.table == "inputs/far/counts.csv"
    assert again.cohorts["far"].source.sheet == "https://example.org/sheet.csv?acc=1"
    first = check(RunConfig, {"cohorts": ["near"], "seed": 7}, "run")
    kept = {"results", "cohorts", "gene_sets", "identifiers", "checksums", "geo"}
    assert again.config.model_dump(exclude=kept) == first.model_dump(exclude=kept)


def test_a_cohort_file_that_can_be_passed_on_keeps_its_comments(crate, place):
    assert (crate / "near.yaml").read_bytes() == (place / "near.yaml").read_bytes()
    assert "# See" not in (crate / "cohorts" / "far.yaml").read_text("utf-8")


def test_only_the_metadata_hold_a_date(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path)
    first = files_of(make_crate(tmp_path, study))
    second = files_of(make_crate(tmp_path, study, begin=BEGIN - 10**6))
    assert [name for name in first if first[name] != second[name]] == [names.METADATA]
    dated = re.compile(rb"20\d\d-\d\d-\d\dT[\d:+]+")
    assert dated.sub(b"", first[names.METADATA]) == dated.sub(b"", second[names.METADATA])
    holding = [name for name, content in first.items() if dated.search(content)]
    assert holding == [names.METADATA]


def test_the_run_lasted_from_its_first_result_to_its_last(crate):
    run = entities(crate)["#run"]
    assert run["startTime"] == "2026-01-02T03:04:05+00:00"
    assert run["endTime"] > run["startTime"]
    assert entities(crate)["./"]["datePublished"] == run["endTime"]


def test_a_cohort_that_stopped_is_named_and_has_no_results(stopped):
    run = entities(stopped)["#run"]
    assert "1 of 2 cohorts finished" in run["description"]
    assert "far stopped at the stage expression" in run["description"]
    recorded = {row["path"] for row in table(stopped, names.DIGESTS)}
    assert any(name.startswith("near/") for name in recorded)
    assert not [name for name in recorded if name.startswith("far/")]
    methods = (stopped / names.METHODS).read_text("utf-8")
    assert "- far: not analysed; it stopped at the stage expression" in methods
    assert "**near**" in methods and "**far**" not in methods


def test_a_run_in_which_nothing_finished_has_a_record_of_that(made):
    crate = made("near", "far") / "out" / names.FOLDER
    assert issues(crate, "workflow-run-crate") == []
    assert "0 of 2 cohorts finished" in entities(crate)["#run"]["description"]
    assert "No cohort of this run finished." in (crate / names.METHODS).read_text("utf-8")


def test_two_files_of_one_name_stay_two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "mine.gmt").write_text("other\tx\tIL31\tIL4\tFLG\tFLG2\tKRT16\n")
    study["gene_sets"].append(str(tmp_path / "more" / "mine.gmt"))
    crate = make_crate(tmp_path, study)
    written = yaml.safe_load((crate / names.CONFIG).read_text("utf-8"))["gene_sets"]
    assert written[1:] == ["gene_sets/mine.gmt", "gene_sets/2/mine.gmt"]
    assert [(crate / name).read_text("utf-8")[:4] for name in written[1:]] == ["mine", "othe"]
    assert issues(crate, "workflow-run-crate") == []


def test_the_rule_writes_what_the_stage_asks_for(repository):
    """The builder of these tests and the rule name the same outputs."""
    rule = (repository / "workflow/rules/provenance.smk").read_text("utf-8")
    outputs = rule.partition("    output:")[2].partition("    log:")[0]
    named = set(re.findall(r"^        (\w+)=", outputs, re.M))
    from builders import crates

    builder = Path(crates.__file__).read_text("utf-8")
    assert named == set(re.findall(r'"(\w+)": names\.[A-Z]+,$', builder, re.M)) | {
        *("cohorts", "copied", "tables")
    }


def test_a_run_from_the_crate_refuses_other_files_and_asks_only_what_is_public(crate):
    written = yaml.safe_load((crate / names.CONFIG).read_text("utf-8"))
    assert written["checksums"] == names.CHECKSUMS
    assert written["geo"]["mirrors"] == ["https://mirror.example.org/geo"]
    assert written["geo"]["offline"] is False
    pins = read_checksums(crate / names.CHECKSUMS)
    fetched = crate.parent / "far" / "fetch"
    assert set(pins) == {"near", "far"} and set(pins["far"]) == {"sheet.csv", "counts.csv"}
    assert pins["far"]["counts.csv"].sha256 == digest_of(fetched / "counts.csv")[1]
