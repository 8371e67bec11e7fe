"""One run at a time in a results folder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from adnorm.base import run_lock
from adnorm.base.errors import AdnormError
from adnorm.base.run_lock import NAME, Holder, hold, is_held, release

HOLD = """
import sys, time
from adnorm.base.run_lock import hold
hold(sys.argv[1])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def results(tmp_path):
    yield tmp_path / "out"
    release(tmp_path / "out")


@pytest.fixture
def other(results):
    """Another process that holds the folder."""
    running = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(results)], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout.readline() == "held\n"
    yield running
    running.kill()
    running.communicate()


def test_a_folder_is_held_once_and_left_as_it_was(results):
    assert hold(results) is None
    assert hold(results / ".." / "out") is None
    holder = Holder.read((results / NAME).read_text())
    assert (holder.process, holder.folder) == (os.getpid(), os.getcwd())
    release(results)
    release(results)
    assert not results.exists()
    results.mkdir()
    (results / "cohorts.tsv").write_text("x")
    hold(results)
    release(results)
    assert [path.name for path in results.iterdir()] == ["cohorts.tsv"]


def test_a_second_run_is_told_who_holds_the_folder(results, other):
    with pytest.raises(AdnormError) as error:
        hold(results)
    message = str(error.value)
    assert message.startswith(f"{results}: another run writes into this folder: ")
    assert f"process {other.pid} on " in message and f"started in {os.getcwd()}" in message
    # Whoever is refused leaves the lock alone.
    with pytest.raises(AdnormError, match=f"process {other.pid}"):
        hold(results)


def test_a_killed_run_holds_nothing(results, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (results / NAME).is_file()
    killed = hold(results)
    assert killed.process == other.pid
    # Told once.
    assert hold(results) is None


def test_a_run_on_another_computer_is_believed(results):
    results.mkdir()
    (results / NAME).write_text(
        Holder(7, "elsewhere", "/data", "2026-01-01 10:00:00+00:00").written()
    )
    with pytest.raises(AdnormError) as error:
        hold(results)
    assert "process 7 on elsewhere, started in /data on 2026-01-01 at 10:00:00+00:00" in str(
        error.value
    )
    command = str(error.value).partition("remove its lock (")[2].partition(") and")[0]
    subprocess.run(command, shell=True, check=True)
    assert hold(results) is None


@pytest.mark.parametrize("content", ["", "nonsense", "process: 7\nhost: x\n"])
def test_a_lock_file_that_names_nobody_holds_nothing(results, content):
    results.mkdir()
    (results / NAME).write_text(content)
    assert hold(results) is None


def test_a_child_does_not_give_the_folder_of_its_parent_back(results):
    hold(results)
    child = os.fork()
    if not child:
        release(results)
        os._exit(0)
    os.waitpid(child, 0)
    assert (results / NAME).is_file()


def test_where_files_cannot_be_locked_the_process_is_looked_for(results, other, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(AdnormError, match=f"process {other.pid}"):
        hold(results)
    other.kill()
    other.wait()
    assert hold(results).process == other.pid


def test_a_folder_that_cannot_be_written_says_so(results, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(run_lock.os, "open", refuse)
    with pytest.raises(
        AdnormError, match=r"out: this folder cannot be written \(Permission denied"
    ):
        hold(results)


@pytest.mark.parametrize("killed", [False, True])
def test_a_full_disk_is_told_and_what_a_killed_run_left_is_not_lost(results, monkeypatch, killed):
    left = Holder.here().written() if killed else None
    if left:
        results.mkdir()
        (results / NAME).write_text(left)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_lock.os, "pwrite", full)
        with pytest.raises(AdnormError, match=r"the disk is full \(now "):
            hold(results)
    assert results.exists() == killed
    if left:
        assert (results / NAME).read_text() == left
    assert (hold(results) is not None) == killed
    release(results)


def test_who_holds_a_folder_is_seen_without_touching_it(results):
    assert not is_held(results)
    hold(results)
    assert is_held(results)
    release(results)
    assert not is_held(results)
