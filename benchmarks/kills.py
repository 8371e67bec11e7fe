"""Whether a run that is killed again and again ends with the bytes of an undisturbed one.

    python benchmarks/kills.py                                  # the demo, 30 kills, seed 1
    python benchmarks/kills.py --kills 5 --seed 7
    python benchmarks/kills.py --configfile my.yaml out/lab/index/index.tsv      # another run

One run is left alone. Another one is killed at random moments, in a mixture of ways, and called
again in the same way until it finishes; then its files are compared with those of the first, and it
begins anew, until all kills have been made. Every file that the undisturbed run did not leave is
named, wherever a run writes: in its results, in the working directory, in the folder for temporary
files, in the cache. Ends with an exit code that is not 0 if any result differs, any file is left
behind, or a call fails that nobody disturbed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from adnorm.base.leftovers import mark_of

ROOT = Path(__file__).resolve().parent.parent
#: Ways to end a run, and how often each is drawn: whom it hits, and by which signal.
WAYS = {
    ("all", signal.SIGKILL): 8,
    ("all", signal.SIGTERM): 3,
    ("all", signal.SIGINT): 3,
    ("one job", signal.SIGKILL): 3,
    ("snakemake alone", signal.SIGKILL): 3,
}
#: Differ between any two runs: Snakemake's log and what it remembers of times.
TIMES = (".snakemake/log/", ".snakemake/metadata/", ".snakemake/iocache/")
LEFT = "left behind"
#: Where each run has a folder in the cache.
RUNTIME_CACHE = "snakemake/snakemake/source-cache/snakemake-runtime-cache"
#: What a run does while none of its jobs runs.
PLANNING = "planning"
_NOTE = re.compile(r"\w+\.stop-\d+")
_JOB = re.compile(r"scripts/tmp\w{8}\.(\w+)\.py")
_PLANNED = re.compile(r"^(\d+) jobs?: ", re.MULTILINE)
_FINISHED = re.compile(r"^ *\d+ of \d+  \[(.+? · \w+)\]", re.MULTILINE)


@dataclass
class Kill:
    """One kill, and what the next call made of it."""

    moment: float
    way: str
    running: str
    #: Temporary files that were there when the call had ended.
    left: int = 0
    #: Jobs that the next call planned, and how many of them had finished before.
    planned: int = 0
    again: int = 0


@dataclass
class Place:
    """A working directory with a folder for temporary files; all share one cache."""

    folder: Path
    cache: Path
    arguments: list[str]
    #: Jobs that finished since it was begun.
    finished: set[str] = field(default_factory=set)

    @property
    def working(self) -> Path:
        return self.folder / "working"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def begin(self, inputs: list[Path]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.working.mkdir(parents=True)
        self.temporary.mkdir()
        self.finished = set()
        for path in inputs:
            shutil.copy(path, self.working)

    def call(self) -> subprocess.Popen[bytes]:
        """Start the run; what it tells is kept in a file."""
        places = {"TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(self.cache)}
        with (self.folder / "told.txt").open("wb") as told:
            return subprocess.Popen(
                [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *self.arguments],
                cwd=self.working,
                env=os.environ | places | {"OMP_NUM_THREADS": "1"},
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    @property
    def told(self) -> str:
        return (self.folder / "told.txt").read_text(encoding="utf-8", errors="replace")

    def files(self) -> set[str]:
        """Name every file and every temporary folder that a run left."""
        cached = self.cache / "snakemake"
        found = [path for path in self.working.rglob("*") if path.is_file()]
        found += [*self.temporary.rglob("*")]
        inside = {str(path.relative_to(self.folder)) for path in found}
        inside |= {f"cache/{path.relative_to(self.cache)}" for path in cached.rglob("*")}
        passing = tuple(f"working/{folder}" for folder in TIMES)
        return {name for name in inside if not name.startswith(passing)}

    def unmarked(self) -> list[Path]:
        """List what Snakemake leaves that is killed before it has read a line of the workflow.

        Two empty folders, which the next run cannot tell from those of a run that lives.
        """
        runtime = self.cache / RUNTIME_CACHE
        folders = [*self.temporary.glob("snakemake????????"), *runtime.glob("tmp????????")]
        return [folder for folder in folders if not mark_of(folder).exists()]

    def results(self) -> dict[str, str]:
        """Digest every file but logs and what Snakemake keeps for itself."""
        return {
            str(path.relative_to(self.working)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.working.rglob("*"))
            if path.is_file()
            and not {"logs", ".snakemake"} & set(path.parts)
            # The record of a run holds its times here and nowhere else.
            and path.name != "ro-crate-metadata.json"
        }


def jobs_of(run: subprocess.Popen[bytes]) -> list[tuple[psutil.Process, str]]:
    """List the processes of jobs that run, with their stage."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        named = _JOB.search(" ".join(process.info["cmdline"] or ()))
        # The shell that starts a job holds its name, too.
        if named and "python" in Path(process.info["cmdline"][0]).name:
            try:
                if os.getpgid(process.pid) == run.pid:
                    found.append((process, named[1]))
            except ProcessLookupError:
                continue
    return found


def kill(run: subprocess.Popen[bytes], whom: str, how: signal.Signals, rng: random.Random) -> str:
    """Send the signal; which stages ran then, or an empty text if the run ended first."""
    jobs = jobs_of(run)
    while whom == "one job" and not jobs and run.poll() is None:
        time.sleep(0.05)
        jobs = jobs_of(run)
    if run.poll() is not None:
        return ""
    if whom == "one job":
        jobs = [rng.choice(jobs)]
        jobs[0][0].send_signal(how)
    elif whom == "all":
        os.killpg(run.pid, how)
    else:
        os.kill(run.pid, how)
    return ", ".join(sorted(stage for _, stage in jobs)) or PLANNING


def disturbed(place: Place, longest: float, seed: int, kills: list[Kill], wanted: int) -> int:
    """Call once, and kill the run unless it ends before; its exit code if nobody disturbed it.

    A run of which one job was killed goes on with the others, and the next kill may hit it, too.
    """
    before, known, begin = place.files(), len(kills), time.monotonic()
    run = place.call()
    whom = "one job"
    while whom == "one job" and len(kills) < wanted and run.poll() is None:
        # Each kill has its own numbers: how fast a computer is does not decide which come next.
        rng = random.Random(f"{seed}: {len(kills)}")
        whom, how = rng.choices(list(WAYS), list(WAYS.values()))[0]
        # More often early: a call that goes on has less to do than a first one.
        moment = longest * rng.uniform(0, 1) ** 2
        try:
            run.wait(moment)
        except subprocess.TimeoutExpired:
            after = time.monotonic() - begin
            if running := kill(run, whom, how, rng):
                kills.append(Kill(after, f"{how.name}, {whom}", running))
                show(kills[-1], len(kills))
    code = run.wait(None if whom == "one job" or len(kills) == known else 600)
    told = place.told
    finished = set(_FINISHED.findall(told))
    if known and (planned := _PLANNED.search(told)):
        kills[known - 1].planned = int(planned[1])
        kills[known - 1].again = len(finished & place.finished)
    place.finished |= finished
    if len(kills) == known:
        return code
    kills[-1].left = sum(map(is_temporary, place.files() - before))
    if kills[-1].running == PLANNING:
        for folder in place.unmarked():
            shutil.rmtree(folder)
    return -1


def is_temporary(name: str) -> bool:
    """Whether a file is of the kind that only a run that goes on may have."""
    return bool(
        re.search(r"\.part(\.|$)|/\.running$|\.snakemake/(scripts|incomplete|locks)/|^tmp/", name)
    ) or name.startswith(f"cache/{RUNTIME_CACHE}/")


def show(made: Kill, number: int) -> None:
    """Write what is known of a kill at once: this takes long."""
    print(
        f"{number}\t{made.moment:.1f}\t{made.way}\t{made.running}",
        file=sys.stderr,
        flush=True,
    )


def compared(place: Place, known: dict[str, str], usual: set[str]) -> list[tuple[str, str]]:
    """Say what a finished run has that the undisturbed one has not, and the other way round."""
    found = place.results()
    problems = [
        ("differs" if name in found else "lacking", name)
        for name in known
        if found.get(name) != known[name]
    ]
    left = sorted(place.files() - usual)
    return problems + [(LEFT, name) for name in left if not is_settled(place.folder / name)]


def is_settled(path: Path) -> bool:
    """Whether a file is the note of a stage that stopped once and has run again since: it stays.

    A job that outlives its Snakemake stops when the next call takes away what it has written.
    """
    if not _NOTE.fullmatch(path.name) or path.parent.name != "logs":
        return False
    return path.is_file() and json.loads(path.read_text(encoding="utf-8")) == {}


def table(kills: list[Kill]) -> None:
    print("kill\tafter s\tsignal, to whom\tran then\ttemporary files\tjobs left\tran again")
    for number, made in enumerate(kills, 1):
        print(
            f"{number}\t{made.moment:.1f}\t{made.way}\t{made.running}\t{made.left}"
            f"\t{made.planned or '-'}\t{made.again}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="files to ask for (default: everything)")
    parser.add_argument("--configfile", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--with", dest="inputs", type=Path, nargs="*", default=[], metavar="FILE")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", default="2")
    parser.add_argument(
        "--within",
        type=float,
        help="seconds of a call within which it is killed (default: half of an undisturbed run)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where to work (default: a temporary folder); one of an earlier call has its "
        "undisturbed run in it, which is taken",
    )
    options = parser.parse_args()
    # Who is started in the background has SIGINT ignored, and so what is started here would have.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin = time.monotonic()
    made_folder = options.folder is None
    folder = Path(tempfile.mkdtemp(prefix="adnorm-kills-")) if made_folder else options.folder
    folder = folder.resolve()
    arguments = ["--cores", options.cores, "--configfile", options.configfile.name]
    arguments += ["--", *options.targets] if options.targets else []
    inputs = [options.configfile, *options.inputs]
    quiet, place = (Place(folder / name, folder / "cache", arguments) for name in ("a", "b"))

    took = folder / "undisturbed_seconds.txt"
    if not took.exists():
        quiet.begin(inputs)
        start = time.monotonic()
        if quiet.call().wait():
            print(f"the run that nobody disturbed failed:\n{quiet.told}", file=sys.stderr)
            return 1
        took.write_text(f"{time.monotonic() - start:.1f}\n", encoding="utf-8")
    whole = float(took.read_text(encoding="utf-8"))
    known, usual = quiet.results(), quiet.files()
    problems = [(LEFT, f"undisturbed: {name}") for name in sorted(usual) if is_temporary(name)]

    kills: list[Kill] = []
    runs, begun = 0, False
    while begun or len(kills) < options.kills:
        if not begun:
            place.begin(inputs)
            begun = True
        # Several kills to each run.
        code = disturbed(place, options.within or whole / 2, options.seed, kills, options.kills)
        if code == 0:
            runs += 1
            problems += [(kind, f"run {runs}: {n}") for kind, n in compared(place, known, usual)]
            begun = False
        elif code > 0:
            problems.append(("failed without a kill", place.told))
            break
    table(kills)
    for kind, what in problems:
        print(f"{kind}: {what}")
    ways = ", ".join(f"{n} × {way}" for way, n in sorted(Counter(k.way for k in kills).items()))
    wrong = Counter(kind for kind, _ in problems)
    print(
        f"{len(kills)} kills ({ways}); {runs} finished runs of {len(known)} results each: "
        f"{wrong['differs'] + wrong['lacking']} differ, {wrong[LEFT]} files left behind; "
        f"{sum(made.again for made in kills)} finished jobs ran again; "
        f"an undisturbed run took {whole:.0f} s, all {(time.monotonic() - begin) / 60:.0f} min"
    )
    if made_folder and not problems:
        shutil.rmtree(folder)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
