"""`adnorm lock`: the files of a run are pinned in a table, and what differs is shown."""

from __future__ import annotations

import hashlib
import json

import pytest

from adnorm.base.errors import AdnormError
from adnorm.cli import main
from adnorm.study.checksums import COLUMNS, Pin, read_checksums, write_checksums

CALL = ("lock", "--configfile", "run.yaml")


@pytest.fixture
def table(trial, here):
    """The table that the command writes into the working directory; gone afterwards."""
    path = here / "config" / "checksums.tsv"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def counts(here):
    """The counts of the trial, as they were again afterwards."""
    path = here / "counts.csv"
    whole = path.read_bytes()
    yield path
    path.write_bytes(whole)


def test_files_are_pinned_with_what_they_hold(table, counts, capsys):
    assert main([*CALL, "--check"]) == 1
    assert "counts.csv: not pinned" in capsys.readouterr().out and not table.exists()
    assert main([*CALL]) == 0
    pins = read_checksums(table)["trial"]
    lines = counts.read_text().splitlines()
    pin = pins["counts.csv"]
    assert pin.sha256 == hashlib.sha256(counts.read_bytes()).hexdigest()
    assert (pin.bytes, pin.rows) == (counts.stat().st_size, len(lines) - 1)
    assert pin.samples == lines[0].count(",")
    assert (pins["sheet.csv"].rows, pins["sheet.csv"].samples) == (None, pin.samples)
    before = table.read_bytes()
    assert main([*CALL, "--check"]) == main([*CALL]) == main([*CALL, "--update"]) == 0
    assert table.read_bytes() == before
    assert main(["check", "--configfile", "run.yaml"]) == 0


def test_a_file_of_which_rows_are_gone_stops_and_shows_both(table, counts, capsys):
    main([*CALL])
    before = table.read_text()
    pin = read_checksums(table)["trial"]["counts.csv"]
    lines = counts.read_text().splitlines(keepends=True)
    counts.write_text("".join(lines[: len(lines) * 6 // 10]))
    capsys.readouterr()
    assert main(["check", "--configfile", "run.yaml"]) == 1
    told = capsys.readouterr().err
    assert f"counts.csv (counts.csv) is not the file that was pinned. Pinned on {pin.date}" in told
    assert pin.sha256 in told and f"{pin.rows:,} rows" in told
    assert hashlib.sha256(counts.read_bytes()).hexdigest() in told
    assert "`adnorm lock trial --update`" in told
    for options in ([], ["--check"]):
        assert main([*CALL, *options]) == 1
        shown = capsys.readouterr()
        assert "counts.csv: DIFFERS" in shown.out and "sheet.csv: as pinned" in shown.out
        assert f"{pin.rows:,} rows" in shown.out
        assert f"{len(lines) * 6 // 10 - 1:,} rows" in shown.out
        assert "adnorm lock --update" in shown.err
        assert table.read_text() == before
    # Somebody else's row, and the day on which the sheet was pinned, stay byte for byte.
    other = "other\tx.csv\t1\t" + "a" * 64 + "\tNA\t3\t2024-02-29\n"
    table.write_text(before.replace(pin.date, "2025-01-01").replace("trial\tc", other + "trial\tc"))
    kept = [line for line in table.read_text().splitlines() if "counts.csv" not in line]
    assert main([*CALL, "--update", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["cohorts"][0]["files"]
    assert [f["file"] for f in files if f["found"]["sha256"] != f["pinned"]["sha256"]] == [
        "counts.csv"
    ]
    after = table.read_text().splitlines()
    assert [line for line in after if "counts.csv" not in line] == kept and len(after) == 4
    assert main(["check", "--configfile", "run.yaml"]) == 0


def test_a_file_that_the_cohort_does_not_have_any_more(table, capsys):
    main([*CALL])
    table.write_text(table.read_text().replace("sheet.csv", "sheets.csv"))
    assert main(["check", "--configfile", "run.yaml"]) == 1
    assert "pinned is a file 'sheets.csv', which this cohort does not have; did you mean" in (
        capsys.readouterr().err
    )
    assert main([*CALL]) == 1
    assert "no such file of this cohort" in capsys.readouterr().out
    assert main([*CALL, "--update"]) == 0
    assert set(read_checksums(table)["trial"]) == {"counts.csv", "sheet.csv"}


def test_a_named_table_must_be_there_and_null_looks_for_none(table, here, configure, capsys):
    run = here / "run.yaml"
    text = run.read_text()
    try:
        run.write_text(text + "checksums: my/pins.tsv\n")
        assert main(["check", "--configfile", "run.yaml"]) == 1
        assert "my/pins.tsv does not exist; `adnorm lock` writes it" in capsys.readouterr().err
        assert main([*CALL]) == 0
        assert set(read_checksums(here / "my/pins.tsv")) == {"trial"}
        assert main(["check", "--configfile", "run.yaml"]) == 0
        table.parent.mkdir(exist_ok=True)
        table.write_text("nonsense\n")
        run.write_text(text)
        assert main(["check", "--configfile", "run.yaml"]) == 1
        assert "column 'sha256' is missing" in capsys.readouterr().err
        run.write_text(text + "checksums: null\n")
        assert main(["check", "--configfile", "run.yaml"]) == 0
        assert main([*CALL]) == 1
        assert "names no table to write" in capsys.readouterr().err
    finally:
        run.write_text(text)


def test_a_digest_in_a_cohort_file_is_sent_to_the_table(trial, capsys):
    path, _ = trial
    text = path.read_text()
    try:
        path.write_text(text.replace("source:\n", "source:\n  sha256: {table: aa}\n"))
        assert "sha256" in path.read_text()
        assert main(["check", "--configfile", "run.yaml"]) == 1
        assert "delete it here and run `adnorm lock`" in " ".join(capsys.readouterr().err.split())
    finally:
        path.write_text(text)


GOOD = dict(zip(COLUMNS, ("lab", "x.csv", "12", "a" * 64, "5", "NA", "2026-01-31"), strict=True))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bytes": "-1"}, "line 2: bytes '-1' is not a number of bytes"),
        ({"bytes": "²"}, "bytes '²' is not"),
        ({"sha256": "A" * 64}, "is not a SHA-256"),
        ({"rows": ""}, "rows '' is not a number of rows, or NA"),
        ({"samples": "1e3"}, "samples '1e3' is not"),
        ({"date": "31.1.2026"}, "date '31.1.2026' is not a day as YYYY-MM-DD, or NA"),
        ({"cohort": ""}, "cohort is empty"),
    ],
)
def test_every_wrong_cell_of_the_table_is_named(tmp_path, changed, words):
    path = tmp_path / "checksums.tsv"
    rows = [GOOD | changed, GOOD, GOOD]
    path.write_text("\n".join("\t".join(row) for row in [COLUMNS, *(r.values() for r in rows)]))
    with pytest.raises(AdnormError) as error:
        read_checksums(path)
    assert words in str(error.value)
    assert "line 4: the file 'x.csv' of 'lab' stands twice" in str(error.value)


def test_the_table_is_read_as_it_is_written(tmp_path):
    pin = Pin(bytes=12, sha256="a" * 64, rows=3, date="2026-01-31")
    pins = {"b": {"y z.csv": pin, "x.csv": pin}, "a": {"é.gz": Pin(bytes=0, sha256="b" * 64)}}
    write_checksums(pins, tmp_path / "t.tsv")
    assert read_checksums(tmp_path / "t.tsv") == pins
    assert [line.split("\t")[1] for line in (tmp_path / "t.tsv").read_text().splitlines()] == [
        *("file", "é.gz", "x.csv", "y z.csv")
    ]
    with pytest.raises(AdnormError, match="rename it"):
        write_checksums({"a": {"x\ty": pin}}, tmp_path / "t.tsv")
    assert read_checksums(tmp_path / "absent.tsv") == {}
