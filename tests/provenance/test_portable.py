"""What a run is called on another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from adnorm.provenance.portable import (
    _public,
    portable,
    portable_cohort,
    private_paths,
    without_paths,
    without_secrets,
)
from adnorm.study.reading import read_study
from builders.crates import write_study


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("https://example.org/a.tsv", "https://example.org/a.tsv"),
        ("https://me:pw@example.org/a.tsv", "https://example.org/a.tsv"),
        ("http://token@proxy.example.org:8080", "http://proxy.example.org:8080"),
        ("https://x.org/a?acc=GSE1&X-Amz-Signature=q", "https://x.org/a?acc=GSE1"),
        ("https://x.org/a?API_KEY=q", "https://x.org/a"),
        (
            "see https://me:pw@x.org/a and ftp://u:p@y.org/b",
            "see https://x.org/a and ftp://y.org/b",
        ),
        ("GSE1_counts.txt.gz", "GSE1_counts.txt.gz"),
        ("mail me@example.org", "mail me@example.org"),
        ("https://[::1/a", "https://[::1/a"),
    ],
)
def test_addresses_lose_what_is_secret(address, plain):
    assert without_secrets(address) == plain


def test_an_address_that_holds_no_secret_keeps_its_query_as_it_is():
    address = "https://www.ncbi.nlm.nih.gov/geo/download/?acc=GSE1&format=file&file=GSE1%5Fa.txt.gz"
    assert without_secrets(address) == address


def test_paths_below_private_folders_are_shortened_and_others_are_not():
    private = ["/home/ann/work", "/home/ann"]
    text = "see /home/ann/work/a.tsv, file:///home/ann/b, /home/anna/c"
    assert without_paths(text, private) == "see a.tsv, b, /home/anna/c"


def test_the_root_of_the_disk_is_not_taken_for_a_private_folder(monkeypatch):
    monkeypatch.chdir("/")
    assert "/" not in private_paths()


def test_names_that_mean_the_same_elsewhere_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = portable(_study(tmp_path), _home())
    assert run.cohorts == {"near": "near.yaml", "far": "cohorts/far.yaml"}
    assert run.config["cohorts"] == ["near.yaml", "cohorts/far.yaml"]
    assert set(run.files) == {
        *("config/gene_sets/adnorm.tsv", "gene_sets/mine.gmt", "config/published.tsv")
    }
    assert run.table == str(tmp_path / "data" / "genes.tsv")
    assert run.config["identifiers"]["table"] == "inputs/genes.tsv"


@pytest.mark.parametrize(
    ("value", "public"),
    [
        ("file:/home/ann/geo", "default"),
        ("/home/ann/cache", "default"),
        ("https://mirror.example.org/geo", "https://mirror.example.org/geo"),
        (["file:mirror", "https://a.org", "/mnt/geo"], ["https://a.org"]),
        (5, 5),
        (None, None),
    ],
)
def test_places_of_this_machine_are_no_addresses(value, public):
    assert _public(value, "default") == public


def _home() -> Path:
    from adnorm.base.shipped import HOME

    return HOME


def _study(folder: Path):
    return read_study(write_study(folder), _home())


@pytest.mark.parametrize("name", ["config.yaml", "digests.tsv", "tables/x.yaml", "results/x.yaml"])
def test_a_cohort_file_takes_no_name_of_the_crate(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    config = write_study(tmp_path)
    near = (tmp_path / "near.yaml").read_text("utf-8")
    stem = Path(name).stem
    path = tmp_path / name.replace(".tsv", ".yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(near.replace("id: near", f"id: {stem}"))
    study = read_study(config | {"cohorts": [path.relative_to(tmp_path).as_posix()]}, _home())
    (place,) = portable(study, _home()).cohorts.values()
    assert place != "config.yaml" and not place.startswith(("tables/", "results/"))


def test_a_cohort_file_is_the_same_text_unless_it_names_the_machine(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# kept\nid: a\nn: 010\nyes: no\n")
    assert portable_cohort(path, {}, ["/home/ann"]) == path.read_text()
    path.write_text("# in /home/ann/x\nid: a\nn: 010\nyes: no\nsource: {table: /home/ann/x.tsv}\n")
    text = portable_cohort(path, {"/home/ann/x.tsv": "inputs/a/x.tsv"}, ["/home/ann"])
    assert "ann" not in text
    from adnorm.base.yaml_text import read_yaml

    before = read_yaml(path)
    path.write_text(text)
    assert read_yaml(path) == before | {"source": {"table": "inputs/a/x.tsv"}}
