"""What another folder has of a record, down to the digit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adnorm.base.stops import Stop, write_stop
from adnorm.provenance import comparison as module
from adnorm.provenance import portable as names
from adnorm.provenance.comparison import TableDifference, compare, results_of, table_difference
from adnorm.provenance.record import read_record

BEFORE = b"gene\tni\tp_value\nA\t0.5\t0.01\nB\t0.25\tNA\nC\tx\t0\n"


def laid(after: bytes, before: bytes = BEFORE) -> TableDifference:
    found = table_difference(before, after)
    assert isinstance(found, TableDifference)
    return found


def test_the_last_digit_is_told_from_another_number():
    last = laid(BEFORE.replace(b"0.25", b"0.250001"))
    (column,) = last.columns
    assert (column.name, column.cells, column.texts) == ("ni", 1, 0)
    assert last.largest == pytest.approx(1e-6 / 0.250001)
    assert "1 cell in ni (1)" in str(last) and "the last printed digit" in str(last)
    other = laid(BEFORE.replace(b"0.25", b"0.5"))
    assert other.largest == pytest.approx(0.5) and "last printed digit" not in str(other)


def test_every_column_that_differs_is_told_with_its_cells():
    found = laid(b"gene\tni\tp_value\nA\t0.6\t0.02\nB\t0.3\tNA\nC\tx\t0\n")
    assert [(c.name, c.cells) for c in found.columns] == [("ni", 2), ("p_value", 1)]
    assert found.largest == pytest.approx(0.5)


@pytest.mark.parametrize("after", [b"NA", b"inf", b"y", b""])
def test_what_is_no_number_is_told_as_such(after):
    found = laid(BEFORE.replace(b"0.25", after))
    assert found.columns[0].texts == 1 and found.largest is None
    assert "1 cell with a word or NA on one side or both" in str(found)
    both = laid(BEFORE.replace(b"0.25", after).replace(b"0.5", b"0.6"))
    assert "and 1 cell with a word or NA on one side" in str(both)


def test_a_change_from_and_to_nothing_is_a_whole_one():
    assert laid(BEFORE.replace(b"\t0\n", b"\t1e-300\n")).largest == 1.0


def test_rows_and_columns_that_come_and_go_are_told():
    assert str(laid(BEFORE + b"D\t1\t1\n")) == "4 rows, recorded 3"
    found = laid(b"gene\tdni\tp_value\nA\t0.5\t0.01\nB\t0.25\tNA\nC\tx\t0\n")
    assert (found.gone, found.new, found.columns) == (("ni",), ("dni",), ())
    moved = laid(b"ni\tgene\tp_value\n0.5\tA\t0.01\n0.25\tB\tNA\nx\tC\t0\n")
    assert not moved.columns and "order or notation" in str(moved)


@pytest.mark.parametrize("after", [b"", b"\xff\xfe", b"a\tb\n1\n"])
def test_what_is_no_table_is_told(after):
    assert "no longer a table" in table_difference(BEFORE, after)


def test_a_folder_has_what_was_recorded(crate):
    record = read_record(crate)
    found = compare(record, crate.parent)
    assert not found.results_differ and not found.inputs_differ
    assert found.same == len(record.results)
    # Files of the lab are looked for where the crate names them; these lay elsewhere.
    assert found.inputs_unseen == ["genes.tsv", "far: far.yaml", "mine.gmt"]
    assert found.inputs_same == len(record.inputs) - 3


def test_missing_additional_changed_and_stopped_results_are_told_apart(own):
    out = own / "out"
    record = read_record(out)
    (out / "near/effects/effects.tsv").unlink()
    (out / "near/index/more.tsv").write_text("x\n")
    index = out / "near/index/index.tsv"
    index.write_text(index.read_text().replace("0.25", "0.3"))
    (out / "near/expression/expression.h5ad").write_text("x")
    write_stop(out / "far/index/index.tsv", Stop("far", "index", "no reason"))
    found = compare(record, out)
    assert found.missing == ["near/effects/effects.tsv"]
    assert found.additional == ["near/index/more.tsv"]
    assert set(found.changed) == {"near/index/index.tsv", "near/expression/expression.h5ad"}
    how = found.changed["near/index/index.tsv"]
    assert isinstance(how, TableDifference) and how.largest == pytest.approx(1 / 6)
    assert found.stopped == {"far/index/index.tsv": "far stopped at the stage index"}
    assert found.same == len(record.results) - 4


def test_recorded_results_that_are_here_say_what_stood_in_a_large_table(own):
    other = own / "other"
    shutil.copytree(own / "out", other, ignore=shutil.ignore_patterns(names.FOLDER))
    table = other / "near/effects/effects.tsv"
    table.write_text(table.read_text().replace("0.25", "0.3"))
    record = read_record(own / "out")
    assert "holds its digest alone" in str(
        compare(record, other).changed["near/effects/effects.tsv"]
    )
    how = compare(record, other, own / "out").changed["near/effects/effects.tsv"]
    assert isinstance(how, TableDifference) and [c.name for c in how.columns] == ["ni"]
    # Not when they were changed since: then they are not what was recorded.
    old = own / "out/near/effects/effects.tsv"
    old.write_text(old.read_text().replace("0.5", "0.6"))
    how = compare(record, other, own / "out").changed["near/effects/effects.tsv"]
    assert "holds its digest alone" in str(how)


def test_logs_reports_and_hidden_files_are_no_results(tmp_path):
    for name in (
        *("a/index/index.tsv", "a/fetch/manifest.json", "index.html"),
        *("a/logs/index.log", "a/fetch/x.gz", ".running", "a/.hidden", "report.html"),
        *(
            "references/hgnc.txt",
            "provenance/digests.tsv",
            "atlas/finished.txt",
            "benchmarks/a.tsv",
        ),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sorted(results_of(tmp_path)) == [
        *("a/fetch/manifest.json", "a/index/index.tsv", "index.html")
    ]


def test_inputs_that_changed_or_are_gone_are_told(own):
    record = read_record(own / "out")
    (own / "data" / "counts.csv").write_text("other\n")
    (own / "out/far/fetch/sheet.csv").unlink()
    (own / "near.yaml").write_text("id: near\n")
    found = compare(record, own / "out")
    assert [words.split(":")[0] for words in found.inputs_changed] == ["near", "near"]
    assert "counts.csv" in found.inputs_changed[0] and "near.yaml" in found.inputs_changed[1]
    (gone,) = found.inputs_missing
    assert gone.startswith("far: sheet.csv (not at ")


def test_inputs_that_are_elsewhere_are_not_called_changed(crate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = compare(read_record(crate), None)
    assert not found.inputs_differ
    assert "near: counts.csv" in found.inputs_unseen


def test_the_cohort_file_of_the_crate_is_as_right_as_the_one_it_was_made_from(crate, monkeypatch):
    monkeypatch.chdir(crate)
    assert not compare(read_record(crate), None).inputs_differ


def test_software_that_differs_is_told_with_what_to_install(crate, monkeypatch):
    record = read_record(crate)
    rows = [r for r in module.software() if r[1] not in ("numpy", "scipy", "digest of the files")]
    rows += [("package", "scipy", "0.1"), ("code", "digest of the files", "0")]
    monkeypatch.setattr(module, "software", lambda: rows)
    monkeypatch.setattr(module.platform, "python_version", lambda: "3.99.0")
    found = compare(record, None)
    recorded = {name: version for _, name, version in record.software}
    assert ("numpy", recorded["numpy"], "") in found.software
    assert ("scipy", recorded["scipy"], "0.1") in found.software
    assert ("CPython", recorded["CPython"], "3.99.0") in found.software
    assert {name for name, *_ in found.software} == {
        *("numpy", "scipy", "CPython", "adnorm, digest of its files")
    }
    assert set(found.to_install) == {f"{n}=={recorded[n]}" for n in ("numpy", "scipy")}


def test_what_is_installed_besides_is_no_difference(crate, monkeypatch):
    rows = [*module.software(), ("package", "something", "1")]
    monkeypatch.setattr(module, "software", lambda: rows)
    assert compare(read_record(crate), None).software == []


def test_the_record_says_where_it_was_read(crate):
    assert read_record(crate).where == str(crate)
    assert Path(read_record(crate.parent).where) == crate


def test_the_reasons_of_a_cohort_that_stopped_are_no_results(stopped):
    assert (stopped.parent / "far/figures/forest.svg").stat().st_size > 1000
    found = compare(read_record(stopped), stopped.parent)
    assert not found.results_differ
