"""The workflow on a real Slurm: the same bytes as without it, and what becomes of lost jobs."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections import Counter

import pytest

from builders.cohorts import TINY
from builders.slurm import Run

#: When a run began, ended, and was recorded.
TIMES = re.compile(rb'"(?:startTime|endTime|datePublished)": "[0-9T:+-]+"')
SCORES = "out/lab/scores/scores.h5ad"


@pytest.fixture
def place(tmp_path, configure):
    configure(tmp_path, TINY, "lab.yaml")
    configure(tmp_path, {"cohorts": ["lab.yaml"], "results": "out"})
    return tmp_path


def results(folder):
    """Digest of every file of a run by its name: no logs, and the record without its times."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and "logs" not in name.parts:
            data = path.read_bytes()
            if path.name == "ro-crate-metadata.json":
                data, times = TIMES.subn(b"", data)
                assert times == 3
            digests[str(name)] = hashlib.sha256(data).hexdigest()
    return digests


def test_the_demo_gives_the_same_bytes(slurm, demo_run, tmp_path, repository):
    shutil.copy(demo_run / "run.yaml", tmp_path)
    run = Run(tmp_path, repository, "--configfile", "run.yaml")
    assert run.end() == 0, run.text
    here, there = (results(folder / "results" / "demo") for folder in (demo_run, tmp_path))
    assert len(there) > 400
    assert {name for name in here | there if here.get(name) != there.get(name)} <= {"report.html"}
    # One submission for what follows each other in a cohort.
    submitted = re.findall(r"^\[(.+) · (.+)\] submitted as \d+: [\d,]+ MB, ", run.text, re.M)
    chains = Counter(rules for _, rules in submitted)
    assert chains == {
        "expression, scores, effects, figures": 4, "index, index_figures": 4,
        "atlas, atlas_figures, cohorts": 1, "explorer": 1,
    }  # fmt: skip


def test_a_job_that_lacks_memory_is_tried_again_with_more(slurm, place, repository):
    asked = ["--set-resources", "expression:mem_mb=60*20**(attempt-1)", "scores:mem_mb=60"]
    run = Run(place, repository, "--configfile", "run.yaml", *asked, "--", SCORES)
    assert run.end() == 0, run.text
    assert (place / SCORES).is_file()
    lab = "[lab · expression, scores]"
    [lost] = [line for line in run.text.splitlines() if "was ended" in line]
    assert lost.startswith(f"{lab} (submission ")
    assert "because it took more memory than it had asked for, 60 MB. To ask for more" in lost
    assert "--set-resources expression:mem_mb=120 scores:mem_mb=120. What it did" in lost
    assert f"{lab} is tried again" in run.text
    assert re.search(r"submitted as \d+: 1,200 MB, ", run.text)


def test_time_cancelled_jobs_a_drained_node_and_a_restart_of_the_controller(
    slurm, place, repository
):
    run = Run(place, repository, "--configfile", "run.yaml", "--", SCORES)
    run.until("submitted as")
    job = slurm.running_job()
    # The controller looks at times every half minute; until then the job must not end.
    slurm.ask("scancel", "--signal=STOP", "--full", job)
    slurm.ask("scontrol", "update", f"JobId={job}", "EndTime=now")
    # A drained node: what waits for it goes on when the node is back.
    slurm.ask("scontrol", "update", "NodeName=localhost", "State=DRAIN", "Reason=test")
    run.until("submitted as", 2)
    [job] = slurm.jobs()
    slurm.ask("scancel", job)
    run.until("submitted as", 3)
    time.sleep(3)
    assert slurm.jobs("PENDING") and not slurm.jobs("RUNNING")
    slurm.stop_controller()
    time.sleep(12)
    slurm.start_controller()
    slurm.ask("scontrol", "update", "NodeName=localhost", "State=RESUME")
    assert run.end() == 0, run.text
    assert "it took more time than it had asked for" in run.text
    assert f"(submission {job}) was ended before it began" in run.text
    assert (place / SCORES).is_file()
