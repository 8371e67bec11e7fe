"""Measures each stage of adnorm, and its peers beside it.

    python benchmarks/bench.py --inputs FOLDER [--peers] [STAGE …]

Every run is a process of its own; runs of adnorm and of the peers alternate, and the median of each
measure counts. README.md says what the folder must hold.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import CommandFailed, Cost, TookTooLong, median, run, together
from stages import STAGES, Stage
from table import Result, markdown, tsv

from workflow import PREPARE

HERE = Path(__file__).resolve().parent
GENE_SETS = HERE.parent / "config" / "gene_sets" / "adnorm.tsv"
#: A run longer than this many seconds is not repeated.
LONG = 45.0
#: A peer that takes so many seconds is ended and left out.
MOST = 300.0
#: What Python, R and the system say when a peer is not installed.
ABSENT = ("ModuleNotFoundError", "there is no package called", "No such file or directory")


def execute(what: str, inputs: Path, work: Path, cohorts: int) -> tuple[Cost, Path | None]:
    """Do one run (see `Stage.ours`); give its cost and the table that it saved, if any."""
    kind, name = what.split(":", 1)
    saved = work / f"{name}.tsv"
    if kind == "task":
        command = [sys.executable, str(HERE / "tasks.py"), name, str(inputs), str(saved)]
        cost = run(command, most=MOST)
    elif kind == "Rscript":
        folder = work / Path(name).stem
        folder.mkdir(exist_ok=True)
        script = HERE / "peers" / name
        command = ["Rscript", str(script), str(inputs), str(saved), str(GENE_SETS)]
        cost = run(command, folder, most=MOST)
    elif kind == "import":
        cost = run([sys.executable, "-c", f"import {name}"])
    else:
        folder = work / name
        shutil.rmtree(folder, ignore_errors=True)
        commands = PREPARE[name](folder, cohorts, inputs)
        cost = together([run(command, folder) for command in commands])
    return cost, saved if saved.exists() else None


def agreement(ours: Path | None, peer: Path | None) -> str:
    """Compare two saved tables in a process of its own, so that this one stays small.

    The largest resident set of a child cannot be below that of the process that started it.
    """
    if ours is None or peer is None:
        return ""
    command = [sys.executable, str(HERE / "compare.py"), str(ours), str(peer)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure_stage(name: str, arguments: argparse.Namespace, work: Path) -> list[Result]:
    """Run adnorm and the peers in turn."""
    stage: Stage = STAGES[name]
    runs = {"": stage.ours} | (stage.peers if arguments.peers else {})
    costs: dict[str, list[Cost]] = {who: [] for who in runs}
    tables: dict[str, Path | None] = {}
    for number in range(arguments.repeats):
        for who, what in runs.items():
            if number and costs[who][0].seconds > LONG:
                continue
            print(f"{name}: {who or 'adnorm'}, run {number + 1}", file=sys.stderr, flush=True)
            try:
                cost, tables[who] = execute(what, arguments.inputs, work, arguments.cohorts)
            except (FileNotFoundError, CommandFailed) as error:
                late = isinstance(error, TookTooLong)
                if not who or not (late or any(sign in str(error) for sign in ABSENT)):
                    raise
                why = str(error) if late else "it is not installed"
                print(f"{name}: the peer {who} is left out: {why}", file=sys.stderr)
                runs = {key: value for key, value in runs.items() if key != who}
                continue
            costs[who].append(cost)
    ours = median(costs[""])
    peers = [who for who in runs if who]
    return [
        Result(
            name=name,
            stage=stage,
            ours=ours,
            peer_name=who,
            peer=median(costs[who]) if who else None,
            runs=min(len(costs[""]), len(costs[who])),
            agreement=agreement(tables[""], tables[who]) if who else "",
        )
        for who in peers or [""]
    ]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure adnorm's stages and their peers.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--inputs", type=Path, help="folder with the inputs (README.md)")
    parser.add_argument("--peers", action="store_true", help="run the peers too")
    parser.add_argument("--tiny", action="store_true", help="small inputs made up here, one run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--table", type=Path, help="where to write the TSV")
    found = parser.parse_args(arguments)
    unknown = sorted(set(found.stages) - set(STAGES))
    if unknown:
        parser.error(f"unknown stages {', '.join(unknown)}; known: {', '.join(STAGES)}")
    if (found.inputs is None) != found.tiny:
        parser.error("give either --inputs FOLDER or --tiny")
    found.stages = found.stages or list(STAGES)
    found.cohorts = 5 if found.tiny else 500
    if found.tiny:
        found.repeats = 1
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure, print one table, write it as TSV."""
    options = parse(arguments)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if options.tiny:
            options.inputs = work / "inputs"
            subprocess.run([sys.executable, str(HERE / "tiny.py"), options.inputs], check=True)
        options.inputs = options.inputs.resolve()
        for name in options.stages:
            try:
                results += measure_stage(name, options, work)
            except CommandFailed as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
            # What was measured is not lost with what comes after.
            if options.table:
                options.table.write_text(tsv(results), encoding="utf-8")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(markdown(results))
    print(f"{os.cpu_count()} cores; load average at the end {load}; cells: adnorm / peer = ratio")
    return 0


if __name__ == "__main__":
    sys.exit(main())
