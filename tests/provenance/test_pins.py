"""The pinned numbers of a version, and the line of the changelog that says why they are so."""

from __future__ import annotations

import json
import shutil

import pytest

from adnorm import __version__
from golden import pin_results as module

REASON = "the disease axis weighs cohorts by their pairs, because small ones ruled it"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Pins of their own, of a small results folder."""
    monkeypatch.setattr(module, "HERE", tmp_path / "pins")
    folder = tmp_path / "run"
    for name, text in (
        ("a/index/index.tsv", "name\tni\tdni\nglobal\t0.5\t0.25\nth2\t0.125\tNA\n"),
        ("a/effects/effects.tsv", "gene\tt\tp_value\nFLG\t2\t0.01\n"),
        ("a/figures/forest.svg", "<svg/>"),
        ("a/fetch/manifest.json", "{}"),
        ("atlas/cohorts.tsv", "cohort\na\n"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert module.main(["write", "demo", str(folder)]) == 0
    return folder


def change(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_pins_are_as_they_were_written():
    """Nobody edits them by hand: `write` makes them and their digest together."""
    assert module.digest() == module.pins()["digest"]
    assert set(module.pinned("demo")) >= {"demo_jak1/index/index.tsv", "atlas/dose.tsv"}
    assert set(module.pinned("real")) >= {"gse80342/index/index.tsv", "atlas/dose.tsv"}
    for run in module.RUNS:
        for path in (module.HERE / run).rglob("*.tsv"):
            row = module.pinned(run)[path.relative_to(module.HERE / run).as_posix()]
            assert row[2] == module._short(path.read_bytes())


def test_the_changelog_says_why_the_numbers_are_what_they_are(repository):
    pins = module.pins()
    text = (repository / "CHANGELOG.md").read_text("utf-8")
    why = module.reason(text, pins["version"], pins["digest"])
    assert len(why.split()) >= module.WORDS, (
        f"the pinned numbers of adnorm {pins['version']} changed, but CHANGELOG.md does not say "
        f'why: write a line into that section that begins with "- Results `{pins["digest"]}`:" '
        f"and says in at least {module.WORDS} words what changed and why"
    )


def test_a_reason_counts_in_the_section_of_its_version_alone():
    text = f"# Changes\n\n## 2.0\n\n- Other.\n- Results `abc`: {REASON},\n  as told.\n- More.\n\n"
    text += f"## 1.0\n\n- Results `def`: {REASON}\n"
    assert module.reason(text, "2.0", "abc") == f"{REASON}, as told."
    assert module.reason(text, "1.0", "def") == REASON
    for version, digest in (("2.0", "def"), ("1.0", "abc"), ("3.0", "abc"), ("2.0", "ab")):
        assert module.reason(text, version, digest) == ""
    assert module.reason("## 2.0\n\n- Results `abc`:\n- More of it and more\n", "2.0", "abc") == ""


def test_the_same_numbers_are_the_same_and_pictures_do_not_count(shelf, capsys):
    (shelf / "a/figures/forest.svg").write_text("<svg></svg>")
    assert module.differences("demo", shelf) == []
    assert module.main(["compare", "demo", str(shelf)]) == 0
    assert f"the numbers of demo are those of adnorm {__version__}" in capsys.readouterr().out


def test_a_number_that_changed_is_told_with_its_column_and_how_far(shelf, capsys):
    change(shelf, "a/index/index.tsv", "0.125", "0.1250001")
    change(shelf, "a/effects/effects.tsv", "0.01", "0.02")
    first, second = module.differences("demo", shelf)
    assert first.startswith(
        "a/index/index.tsv: 1 cell in ni (1); largest relative difference 8e-07"
    )
    assert "the last printed digit" in first
    assert second == "a/effects/effects.tsv: p_value"
    assert module.main(["compare", "demo", str(shelf)]) == 1
    told = capsys.readouterr().out
    assert "pin_results.py write demo results/demo" in told and "CHANGELOG.md" in told


def test_tables_rows_and_columns_that_come_and_go_are_told(shelf):
    (shelf / "a/new.tsv").write_text("x\n1\n")
    (shelf / "atlas/cohorts.tsv").unlink()
    change(shelf, "a/effects/effects.tsv", "FLG\t2\t0.01\n", "FLG\t2\t0.01\nLOR\t1\t0.5\n")
    change(shelf, "a/fetch/manifest.json", "{}", "[]")
    assert module.differences("demo", shelf) == [
        "a/effects/effects.tsv: gene, t, p_value (2 rows, pinned 1)",
        "a/fetch/manifest.json: other bytes",
        "a/new.tsv: new",
        "atlas/cohorts.tsv: missing",
    ]


def test_pins_that_change_are_another_digest_of_which_the_changelog_knows_nothing(shelf, capsys):
    before = module.pins()["digest"]
    text = f"## {__version__}\n\n- Results `{before}`: {REASON}\n"
    assert module.reason(text, __version__, before)
    change(shelf, "a/index/index.tsv", "0.125", "0.126")
    module.main(["write", "demo", str(shelf)])
    after = module.pins()["digest"]
    assert after != before and module.reason(text, __version__, after) == ""
    assert f"- Results `{after}`: …" in capsys.readouterr().out
    # Back again, and it is known again.
    change(shelf, "a/index/index.tsv", "0.126", "0.125")
    module.main(["write", "demo", str(shelf)])
    assert module.pins()["digest"] == before


def test_pinning_one_run_leaves_the_other(shelf, tmp_path):
    kept = (module.HERE / "demo.tsv").read_bytes()
    shutil.copytree(shelf, tmp_path / "real")
    change(tmp_path / "real", "a/index/index.tsv", "0.125", "0.5")
    module.main(["write", "real", str(tmp_path / "real")])
    assert (module.HERE / "demo.tsv").read_bytes() == kept
    assert json.loads((module.HERE / "pins.json").read_text())["version"] == __version__


@pytest.mark.parametrize("words", [[], ["compare"], ["pin", "demo", "x"], ["write", "other", "x"]])
def test_a_wrong_call_shows_how_it_is_called(words):
    with pytest.raises(SystemExit, match="pin_results.py compare demo"):
        module.main(words)


def test_half_a_run_is_not_pinned(tmp_path):
    with pytest.raises(SystemExit, match="no results of a whole run"):
        module.main(["write", "demo", str(tmp_path)])
