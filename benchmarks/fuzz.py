"""Damages files of every parser for some minutes and counts what becomes of them; prints a table.

``python benchmarks/fuzz.py --minutes 6`` draws them as `tests/faults/test_hostile_files.py` does,
from another seed each call unless ``--seed`` says which. What nobody foresaw is kept in
``--keep FOLDER``, the smallest file of each kind, and ends the call with 1.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from hypothesis import HealthCheck, Phase, given, seed, settings

from builders.hostile_files import FINE, PARSERS, REFUSED, RESULT, Outcome, Reader, damaged

#: Files between two looks at the clock.
_AT_ONCE = 50


def fuzz(name: str, read: Reader, seconds: float, first: int) -> tuple[list[Outcome], dict]:
    """Read damaged files of one parser; all outcomes, and the smallest file of each new fault."""
    outcomes: list[Outcome] = []
    faults: dict[str, tuple[bytes, Outcome]] = {}
    end, number = time.monotonic() + seconds, first
    while time.monotonic() < end:
        number += 1

        @seed(number)
        @settings(
            max_examples=_AT_ONCE,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(damaged(PARSERS[name].valid()))
        def take(content: bytes) -> None:
            outcome = read(name, content)
            outcomes.append(outcome)
            if outcome.kind not in FINE:
                kind = f"{outcome.kind} {re.sub(r'[0-9]+', '0', outcome.what[:60])}"
                if kind not in faults or len(content) < len(faults[kind][0]):
                    faults[kind] = content, outcome

        take()
    return outcomes, faults


def main() -> int:
    """Read the arguments, damage, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="for all parsers together")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="number of the first draw"
    )
    parser.add_argument("--keep", type=Path, help="folder for files that nobody foresaw")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(PARSERS))
    chosen = parser.parse_args()
    names = chosen.parsers or list(PARSERS)
    seconds = 60 * chosen.minutes / len(names)
    print(f"seed {chosen.seed}", file=sys.stderr)
    print("| parser | inputs | results | refused | unforeseen | hangs, crashes | slowest s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        read = Reader(Path(folder))
        for name in names:
            # The first call starts the process, which takes seconds.
            read(name, PARSERS[name].valid())
            outcomes, faults = fuzz(name, read, seconds, chosen.seed)
            kinds = Counter(outcome.kind for outcome in outcomes)
            total += kinds
            print(_row(name, kinds, max(outcome.seconds for outcome in outcomes)), flush=True)
            found |= {(name, kind): fault for kind, fault in faults.items()}
        read.close()
    print(_row("all", total, None))
    for number, ((name, kind), (content, outcome)) in enumerate(found.items()):
        print(f"{name}: {kind}: {outcome.what}", file=sys.stderr)
        if chosen.keep:
            chosen.keep.mkdir(parents=True, exist_ok=True)
            (chosen.keep / f"{number}-{Path(PARSERS[name].file).name}").write_bytes(content)
    return 1 if found else 0


def _row(name: str, kinds: Counter[str], slowest: float | None) -> str:
    counts = [kinds.total(), kinds[RESULT], kinds[REFUSED], kinds["unforeseen"]]
    counts.append(kinds["hang"] + kinds["crash"])
    shown = "" if slowest is None else f"{slowest:.2f}"
    return f"| {name} | {' | '.join(f'{count:,}' for count in counts)} | {shown} |"


if __name__ == "__main__":
    sys.exit(main())
