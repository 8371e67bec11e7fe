"""What killed runs leave outside their results goes, and nothing of a run that lives."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time

import pytest

from adnorm.base import leftovers
from adnorm.base.leftovers import mark, remove_folders, remove_scripts
from adnorm.base.run_lock import NAME, Holder

ENTRIES = ["scores.py", "fetch.py"]


class Job:
    """Stands for Snakemake's object of a job, which is never brought to life."""

    def __reduce__(self):
        return (os.abort, ())


def script(folder, log, name="tmp0a1b2c3d.scores.py", more=(), end="snakemake preamble end"):
    """Write a script as Snakemake does."""
    pickled = pickle.dumps([Job(), {"log": [log, *more]}], protocol=4)
    path = folder / ".snakemake" / "scripts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"import sys;import pickle;snakemake = pickle.loads({pickled!r}); logger\n# {end}\nx\n"
    )
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cleared(results="out"):
    return [p.name for p in remove_scripts(".snakemake/scripts", ENTRIES, results)]


@pytest.mark.parametrize("results", ["out", "o u't/\"é", "."])
def test_scripts_of_a_killed_run_go_wherever_its_results_are(here, results):
    path = script(here, f"{results}/lab/logs/scores.log")
    # The folder that this run holds, or another one that nobody does.
    assert cleared(results if results != "." else "else") == [path.name]
    assert not path.exists()


def holder(folder, process, host=None):
    here = Holder.here()
    folder.mkdir(parents=True)
    (folder / NAME).write_text(Holder(process, host or here.host, "/x", "now").written())


def test_scripts_of_a_run_with_other_results_stay_while_it_lives(here):
    path = script(here, f"{here}/other/lab/logs/scores.log")
    holder(here / "other", os.getppid())
    assert cleared() == []
    # Elsewhere nobody can see whether it lives.
    (here / "other" / NAME).write_text(Holder(1, "elsewhere", "/x", "now").written())
    assert cleared() == []
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    (here / "other" / NAME).write_text(Holder(ended.pid, Holder.here().host, "/x", "now").written())
    assert cleared() == [path.name]


def test_every_folder_that_could_be_meant_must_be_free(here):
    path = script(here, "out/lab/logs/scores.log", more=["busy/a/logs/b.log"])
    holder(here / "busy", os.getppid())
    assert cleared() == []
    (here / "busy" / NAME).unlink()
    assert cleared() == [path.name]


def test_the_script_of_a_job_that_outlived_its_run_stays_while_it_works(here):
    log = here / "out" / "lab" / "logs" / "scores.log"
    script(here, str(log))
    code = (
        "import sys; from adnorm.base.logs import start_log; start_log(sys.argv[1], 'scores');"
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as job:
        assert job.stdout.readline() == b"ready\n"
        assert cleared() == []
        job.kill()
    assert len(cleared()) == 1


@pytest.mark.parametrize(
    "name", ["tmp0a1b2c3d.other.py", "scores.py", "tmp0a1b2c3d.scores.R", "tmp-.scores.py"]
)
def test_scripts_of_other_workflows_stay(here, name):
    path = script(here, "out/lab/logs/scores.log", name)
    assert cleared() == [] and path.exists()


def test_a_script_that_names_no_log_of_ours_stays(here):
    script(here, "out/lab/scores.log")
    assert cleared() == []


def test_half_a_script_goes_when_nobody_can_still_be_writing_it(here):
    path = script(here, "out/lab/logs/scores.log", end="")
    assert cleared() == []
    os.utime(path, (time.time() - 100,) * 2)
    assert cleared() == [path.name]


# ---------------------------------------------------------------- folders of a run

RUN = (
    "import sys; from adnorm.base.leftovers import mark; mark(sys.argv[1:]);"
    "print('ready', flush=True); sys.stdin.read()"
)


def running(*folders):
    """Start a process that marks folders as its own."""
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_text("x")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, folders)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_folders_of_a_killed_run_go_and_those_of_a_living_one_stay(tmp_path):
    ours, lives, dead = (tmp_path / f"snakemake{n * 8}" for n in "abc")
    unmarked = tmp_path / "snakemakedddddddd"
    unmarked.mkdir()
    ours.mkdir()
    living, killed = running(lives), running(dead)
    try:
        killed.kill()
        killed.communicate()
        assert dead.exists()
        assert remove_folders([ours]) == [dead]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            ".snakemakebbbbbbbb.adnorm", ours.name, lives.name, unmarked.name
        ]  # fmt: skip
        assert remove_folders([ours]) == []
    finally:
        living.communicate()
    # Who ends by himself leaves no mark.
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_removed_that_a_mark_only_seems_to_name(tmp_path):
    ours, else_ = tmp_path / "tmpaaaaaaaa", tmp_path / "else"
    for folder in (ours, else_):
        folder.mkdir()
        (folder / "kept").write_text("x")
    (tmp_path / "tmpbbbbbbbb").symlink_to(else_)
    (tmp_path / ".tmpbbbbbbbb.adnorm").write_text("")
    # Not a random end of a name.
    (tmp_path / ".else.adnorm").write_text("")
    # A mark that is a link is somebody else's.
    (tmp_path / "tmpcccccccc").mkdir()
    (tmp_path / ".tmpcccccccc.adnorm").symlink_to(else_ / "kept")
    remove_folders([ours])
    assert (else_ / "kept").exists() and (ours / "kept").exists()
    assert (tmp_path / "tmpcccccccc").exists()


def test_where_nothing_can_be_marked_nothing_is_removed(tmp_path, monkeypatch):
    folder = tmp_path / "tmpaaaaaaaa"
    folder.mkdir()
    monkeypatch.setattr(leftovers.os, "open", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    mark([folder])
    assert remove_folders([tmp_path / "tmpbbbbbbbb"]) == []
    assert folder.exists()
