"""The profile that plain calls use: what it names is found wherever Snakemake is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.cli import parse_args

FOLDER = Path("profiles/default")


@pytest.mark.parametrize("inside", [True, False], ids=["in the clone", "elsewhere"])
@pytest.mark.parametrize("more", [[], ["--directory", "results"]], ids=["plain", "directory"])
def test_look_and_first_page_of_the_report_are_found(
    repository, tmp_path, monkeypatch, inside, more
):
    monkeypatch.chdir(repository if inside else tmp_path)
    call = [] if inside else ["--snakefile", str(repository / "Snakefile")]
    _, arguments = parse_args([*call, *more])
    # Snakemake goes to the directory before it opens them.
    monkeypatch.chdir(tmp_path)
    for found, name in (
        (arguments.report_stylesheet, "report.css"),
        (arguments.report_metadata, "report-metadata.yaml"),
    ):
        assert Path(found).resolve() == (repository / FOLDER / name).resolve()
        assert Path(found).is_file()
    # The rest of the profile is still heard.
    assert arguments.keep_going
    assert arguments.scheduler == "greedy"


def test_metadata_say_nothing_that_snakemake_would_show_as_the_inside_of_docutils(repository):
    from yte import process_yaml

    with (repository / FOLDER / "report-metadata.yaml").open(encoding="utf-8") as file:
        entries = process_yaml(file)
    # Without an entry the report opens on the graph of the rules.
    assert entries
    assert not any(isinstance(value, str) for value in entries.values())
