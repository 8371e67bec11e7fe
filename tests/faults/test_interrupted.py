"""Runs that are killed, and disks that are full or refuse to be written."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from adnorm.base import files
from adnorm.base.run_lock import NAME
from adnorm.base.stops import last_note, read_stop, run_stage, stopped_stages
from builders.cohorts import TINY

FETCHED, SHEET = "out/lab/fetch/manifest.json", "out/lab/expression/samples.tsv"
GOES_ON = "Then call again: the run goes on and repeats only what is lacking"


# ---------------------------------------------------------------- kills


def kills_script(repository):
    path = repository / "benchmarks" / "kills.py"
    spec = importlib.util.spec_from_file_location("kills", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module
    spec.loader.exec_module(module)
    return module


def test_killed_runs_end_with_the_bytes_of_an_undisturbed_one(repository, tmp_path, configure):
    """A few kills of a small run; benchmarks/kills.py does the same to the demo."""
    cohort = configure(tmp_path, TINY, "lab.yaml")
    run = configure(tmp_path, {"cohorts": ["lab.yaml"], "results": "out"})
    call = [sys.executable, str(repository / "benchmarks" / "kills.py"), "--kills", "4"]
    call += ["--seed", "83", "--cores", "1", "--folder", str(tmp_path / "kills")]
    call += ["--configfile", str(run), "--with", str(cohort), "--", "out/lab/scores/scores.h5ad"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 5
    assert "snakemake alone" in last and "one job" in last and "all" in last
    assert re.search(r"0 differ, 0 files left behind; 0 finished jobs ran again", last)
    # Kills that found nothing to do would prove nothing.
    assert sum(int(line.split("\t")[4]) for line in lines[1:]) > 0


def test_the_kill_test_sees_what_differs_and_what_stays(repository, tmp_path):
    kills = kills_script(repository)
    quiet, place = (kills.Place(tmp_path / name, tmp_path / "cache", []) for name in "ab")
    for folder in (quiet, place):
        folder.begin([])
        for name in ("same.tsv", "other.tsv", "gone.tsv"):
            (folder.working / name).write_text(name)
    known, usual = quiet.results(), quiet.files()
    logs = place.working / "out" / "lab" / "logs"
    logs.mkdir(parents=True)
    (logs / "figures.stop-1").write_text("{}\n")
    assert kills.compared(place, known, usual) == []
    (logs / "figures.stop-2").write_text('{"message": "why"}')
    assert kills.compared(place, known, usual) == [
        (kills.LEFT, "working/out/lab/logs/figures.stop-2")
    ]
    (logs / "figures.stop-2").unlink()
    (place.working / "gone.tsv").unlink()
    (place.working / "other.tsv").write_text("x")
    left = [
        "working/out/.x.0123456789abcdef.part.tsv",
        "working/out/.running",
        "working/.snakemake/scripts/tmp0a1b2c3d.index.py",
        "working/.snakemake/incomplete/x",
        "tmp/snakemake0a1b2c3d",
        "cache/snakemake/snakemake/source-cache/snakemake-runtime-cache/tmp0a1b2c3d",
    ]
    for name in left:
        root = tmp_path if name.startswith("cache/") else place.folder
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    found = kills.compared(place, known, usual)
    assert found[:2] == [("lacking", "gone.tsv"), ("differs", "other.tsv")]
    assert {name for kind, name in found[2:] if kind == kills.LEFT} >= set(left)
    assert all(map(kills.is_temporary, left))


def test_the_kill_test_knows_what_was_killed_before_the_workflow_was_read(repository, tmp_path):
    kills = kills_script(repository)
    place = kills.Place(tmp_path / "a", tmp_path / "cache", [])
    place.begin([])
    runtime = "snakemake/snakemake/source-cache/snakemake-runtime-cache"
    for folder in (place.temporary / "snakemake", tmp_path / "cache" / runtime / "tmp"):
        for name in ("unmarked", "marked00"):
            made = folder.with_name(folder.name + name)
            made.mkdir(parents=True)
        made.with_name(f".{made.name}.adnorm").touch()
    assert [path.name for path in place.unmarked()] == ["snakemakeunmarked", "tmpunmarked"]


WAITS = """
import sys, time
from pathlib import Path
from adnorm.base.stops import run_stage
folder, word, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def work():
    (folder / word).write_text("works")
    time.sleep(seconds)
    (folder / "x.tsv").write_text(word)
run_stage(work, "scores", "lab", str(folder / "logs" / "scores.log"), [], [folder / "x.tsv"])
"""


def test_a_job_waits_for_the_same_one_that_outlived_its_run(tmp_path):
    def job(word, seconds):
        return subprocess.Popen(
            [sys.executable, "-c", WAITS, str(tmp_path), word, str(seconds)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def until(condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    old = job("old", 3600)
    until((tmp_path / "old").exists)
    new = job("new", 0)
    assert "the same job of a run that was killed still works (its log:" in new.stderr.readline()
    assert not (tmp_path / "new").exists()
    old.kill()
    old.communicate()
    assert new.communicate(timeout=60)[1] == ""
    assert new.returncode == 0
    assert (tmp_path / "x.tsv").read_text() == "new"


# ---------------------------------------------------------------- disks


@contextmanager
def mounted(folder, size):
    """A small disk of its own."""
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here: no disk can be filled")
    if done.returncode:
        pytest.skip(f"no disk can be mounted that could be filled: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "3m") as folder:
        yield folder


def fill(folder, leave=0):
    """Fill a disk up to some bytes; gives the file to remove."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"0" * 4096)
    os.truncate(filler, filler.stat().st_size - leave)
    return filler


@pytest.fixture(scope="module")
def undisturbed(once, snakemake, configure):
    """A run of a small cohort up to its expression: the bytes of its results by name."""

    def make(folder):
        configure(folder, TINY, "lab.yaml")
        configure(folder, {"cohorts": ["lab.yaml"], "results": "out"})
        snakemake(folder, SHEET, "--configfile", "run.yaml")
        return results(folder)

    return once("undisturbed", make)


def results(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.joinpath("out").rglob("*")
        if path.is_file() and "logs" not in path.parts
    }


def ask(snakemake, folder, target=SHEET):
    return snakemake(folder, target, "--configfile", "run.yaml", check=False)


@pytest.mark.parametrize("leave", [0, 24 << 10, 200 << 10])
def test_a_full_disk_is_told_in_a_sentence_and_mended_by_the_next_call(
    disk, snakemake, configure, undisturbed, leave
):
    """Nothing fits; a log may fit; reasons fit, but no results."""
    configure(disk, TINY, "lab.yaml")
    configure(disk, {"cohorts": ["lab.yaml"], "results": "out"})
    assert ask(snakemake, disk, FETCHED).returncode == 0
    filler = fill(disk, leave)
    full = ask(snakemake, disk)
    assert full.returncode == 1
    assert "the disk is full (now " in full.stderr and "of 3.0 MB are free in" in full.stderr
    assert GOES_ON in full.stderr
    assert "Traceback" not in full.stderr and "Logging error" not in full.stderr
    # Neither half a file nor a temporary one.
    found = results(disk)
    for name, content in found.items():
        assert content == undisturbed.get(name) or read_stop(disk / name), name
    if leave == 200 << 10:
        assert read_stop(disk / SHEET).stage == "expression"
        assert "lab stopped at the stage expression:" in full.stderr
    filler.unlink()
    again = ask(snakemake, disk)
    assert again.returncode == 0, again.stderr
    assert re.findall(r"\[lab · (\w+)\]", again.stderr) == ["expression"]
    assert results(disk) == undisturbed


def test_a_disk_that_is_full_from_the_start_is_told(disk, tmp_path, snakemake, configure):
    working = tmp_path / "working"
    configure(working, TINY, "lab.yaml")
    configure(working, {"cohorts": ["lab.yaml"], "results": str(disk / "out")})
    fill(disk)
    full = snakemake(working, f"{disk}/{SHEET}", "--configfile", "run.yaml", check=False)
    assert full.returncode == 1
    assert f"{disk}/out: the disk is full (now 0 KB of" in full.stderr
    assert "Traceback" not in full.stderr


def test_results_that_cannot_be_written_are_told(tmp_path, snakemake, configure):
    """A read-only file system where one can be mounted, else a folder without permission."""
    working, folder = tmp_path / "working", tmp_path / "disk"
    configure(working, TINY, "lab.yaml")
    configure(working, {"cohorts": ["lab.yaml"], "results": str(folder / "out")})

    def refused():
        run = snakemake(working, f"{folder}/{SHEET}", "--configfile", "run.yaml", check=False)
        assert run.returncode == 1
        assert "Traceback" not in run.stderr
        assert GOES_ON in run.stderr
        return run.stderr

    if os.getuid():
        folder.mkdir(mode=0o500)
        assert f"{folder}/out: there is no permission to read or write it" in refused()
        folder.chmod(0o700)
    else:
        # Permissions are nothing to root.
        with mounted(folder, "3m"):
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
            assert f"{folder}/out: the file system is read-only" in refused()
    assert not (folder / "out" / NAME).exists()


# ---------------------------------------------------------------- inside one job


@pytest.fixture
def stage(tmp_path):
    """Run a stage that writes two tables; its log and results."""
    log, tables = tmp_path / "lab" / "logs" / "scores.log", [tmp_path / "lab" / n for n in "ab"]

    def work():
        for table in tables:
            files.write_json({"made": 1}, table)

    def run(work=work):
        run_stage(work, "scores", "lab", str(log), [], tables)

    return SimpleNamespace(run=run, log=log, tables=tables)


def refuse(monkeypatch, number, times):
    """Let the first renames fail as a quota does."""
    rename, left = os.replace, [times]

    def replace(old, new):
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number), str(old), None, str(new))
        rename(old, new)

    monkeypatch.setattr(files.os, "replace", replace)


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_cohort_stops_with_what_the_disk_refused_once(
    stage, monkeypatch, capsys, tmp_path, number
):
    refuse(monkeypatch, number, 1)
    stage.run()
    [stop] = stopped_stages(tmp_path / "lab")
    assert stop.message.startswith(f"{stage.tables[0]}: ") and stop.message.endswith(GOES_ON)
    assert [read_stop(table) for table in stage.tables] == [stop, stop]
    told = capsys.readouterr().err
    assert told.count("STOPPED") == 1 and "Traceback" not in told
    # The cause stands in the log, for who wants to know more.
    assert "Traceback" in stage.log.read_text() and os.strerror(number) in stage.log.read_text()
    stage.run()
    assert stopped_stages(tmp_path / "lab") == []
    assert all(read_stop(table) is None for table in stage.tables)


def test_a_job_fails_when_not_even_the_reason_can_be_written(stage, monkeypatch, capsys, tmp_path):
    refuse(monkeypatch, errno.EDQUOT, 99)
    with pytest.raises(SystemExit) as ended:
        stage.run()
    assert ended.value.code == 1
    assert capsys.readouterr().err.count("the disk quota is used up") == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["scores.log"]


def test_a_job_fails_with_the_sentence_when_its_results_fit_but_not_its_note(
    stage, monkeypatch, capsys
):
    # The stage writes, but that it has not stopped this time cannot be noted.
    refuse(monkeypatch, errno.ENOSPC, 1)
    stage.run()
    capsys.readouterr()
    with pytest.raises(SystemExit, match=r"\[lab · scores\] STOPPED: .*: the disk is full"):
        stage.run(lambda: refuse(monkeypatch, errno.ENOSPC, 99))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_log_that_cannot_be_written_stops_nothing(stage, capsys):
    stage.log.parent.mkdir(parents=True)
    stage.log.symlink_to("/dev/full")
    stage.run()
    assert all(table.read_text() for table in stage.tables)
    told = capsys.readouterr().err
    assert told.count("the log cannot be written any more") == 1 and "Traceback" not in told


def test_too_little_memory_is_told_with_what_helps(stage, tmp_path):
    def work():
        raise MemoryError("Unable to allocate 9.00 TiB")

    stage.run(work)
    [stop] = stopped_stages(tmp_path / "lab")
    assert stop.message.startswith("the memory did not suffice (Unable to allocate 9.00 TiB). ")
    assert "--cores 1" in stop.message and stop.message.endswith("repeats only what is lacking")


def test_half_a_note_of_a_killed_job_is_no_note_and_goes(stage, tmp_path):
    stage.log.parent.mkdir(parents=True)
    half = stage.log.parent / ".scores.0123456789abcdef.part.stop-1"
    other = stage.log.parent / ".index.0123456789abcdef.part.stop-1"
    for note in (half, other):
        note.write_text('{"cohort": "la')
    assert stopped_stages(tmp_path / "lab") == [] and last_note(stage.log) is None
    stage.run()
    assert not half.exists() and other.exists()
