"""The numbers of a version: digests of the result tables of the demo and of the three real series.

    python tests/golden/pin_results.py compare demo results/demo
    python tests/golden/pin_results.py write demo results/demo real results/real

`pins/demo.tsv` and `pins/real.tsv` have a row for every table (.tsv, .gmt, .json): its rows,
its digest, and one for each of its columns, so that what changed can be named. Beside them are
copies of the tables of the index, so that it can be said how far. `pins/pins.json` names the
version they belong to and one digest over all of that.

Numbers change for a reason, or by mistake. So that nobody pins a mistake in passing, the section of
that version in CHANGELOG.md must hold a line that begins with "- Results `DIGEST`:" and says what
changed and why; `write` prints how it begins, and a test looks for it.

Tables print six digits. The same locked packages give the same bytes on the machines tried so far
(x86-64 under Linux, one core or several); another processor or another library of linear algebra
may round the last digit otherwise, which `compare` tells from other changes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "pins"
ROOT = HERE.parents[2]
RUNS = ("demo", "real")
KINDS = (".tsv", ".gmt", ".json")
#: Tables whose values are kept, in every cohort that has them.
KEPT = ("index/index.tsv", "index/denominators.tsv")
COLUMNS = ("table", "rows", "sha256", "columns")
#: The least that a reason takes.
WORDS = 5


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _columns(content: bytes) -> tuple[int, dict[str, str]]:
    """Count the rows of a table, and digest each of its columns."""
    lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), delimiter="\t")
    header, *rows = list(lines)
    cells = zip(*rows, strict=True) if rows else ([] for _ in header)
    digests = [_short("\n".join(column).encode())[:8] for column in cells]
    return len(rows), dict(zip(header, digests, strict=True))


def tables_of(folder: Path) -> dict[str, list[str]]:
    """Describe every table of a results folder as a row of the pins."""
    from adnorm.provenance.comparison import results_of

    rows = {}
    for name in sorted(results_of(folder)):
        if not name.endswith(KINDS):
            continue
        content = (folder / name).read_bytes()
        count, columns = _columns(content) if name.endswith(".tsv") else (0, {})
        told = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
        rows[name] = [name, str(count), _short(content), told]
    return rows


def pinned(run: str) -> dict[str, list[str]]:
    """Read the pins of a run."""
    header, *lines = (HERE / f"{run}.tsv").read_text("utf-8").splitlines()
    assert header.split("\t") == list(COLUMNS)
    return {line.split("\t")[0]: line.split("\t") for line in lines}


def digest() -> str:
    """Digest everything that is pinned: twelve hexadecimal digits."""
    found = hashlib.sha256()
    for path in sorted(HERE.rglob("*")):
        if path.is_file() and path.name != "pins.json":
            found.update(
                f"{path.relative_to(HERE).as_posix()}\0{_short(path.read_bytes())}\n".encode()
            )
    return found.hexdigest()[:12]


def write(run: str, folder: Path) -> None:
    """Pin the tables of a results folder."""
    HERE.mkdir(exist_ok=True)
    rows = ["\t".join(COLUMNS), *("\t".join(row) for row in tables_of(folder).values())]
    (HERE / f"{run}.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    shutil.rmtree(HERE / run, ignore_errors=True)
    for kept in KEPT:
        for path in sorted(folder.glob(f"*/{kept}")):
            copy = HERE / run / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def differences(run: str, folder: Path) -> list[str]:
    """Say what a results folder has otherwise than its pins; empty where all is the same."""
    from adnorm.provenance.comparison import TableDifference, table_difference

    was, now = pinned(run), tables_of(folder)
    told = [f"{name}: missing" for name in sorted(was.keys() - now.keys())]
    told += [f"{name}: new" for name in sorted(now.keys() - was.keys())]
    for name in sorted(was.keys() & now.keys()):
        if was[name][2] == now[name][2]:
            continue
        copy = HERE / run / name
        how = (
            table_difference(copy.read_bytes(), (folder / name).read_bytes())
            if copy.is_file()
            else None
        )
        if isinstance(how, TableDifference):
            told.append(f"{name}: {how}")
            continue
        before, after = json.loads(was[name][3]), json.loads(now[name][3])
        columns = [c for c in dict.fromkeys([*before, *after]) if before.get(c) != after.get(c)]
        rows = (
            "" if was[name][1] == now[name][1] else f" ({now[name][1]} rows, pinned {was[name][1]})"
        )
        told.append(f"{name}: {', '.join(columns) or 'other bytes'}{rows}")
    # What is known to its digits comes first: it says how far the others may be.
    return sorted(told, key=lambda words: ("relative difference" not in words, words))


def sentence(run: str, folder: Path, limit: int = 12) -> str:
    """Say in one paragraph that numbers changed, and what to do; empty where none did."""
    found = differences(run, folder)
    if not found:
        return ""
    more = f"; and {len(found) - limit} more tables" if len(found) > limit else ""
    return (
        f"the numbers of {run} are not those pinned for adnorm {pins()['version']}: "
        f"{'; '.join(found[:limit])}{more}. If that is meant, run `python "
        f"tests/golden/pin_results.py write {run} results/{run}` after a fresh run, and write what "
        "changed and why in CHANGELOG.md, section of the version that is not released, in the line "
        "whose beginning it prints"
    )


def pins() -> dict[str, str]:
    """Read the version of the pins, and their digest."""
    return json.loads((HERE / "pins.json").read_text("utf-8"))


def reason(text: str, version: str, wanted: str) -> str:
    """Find what a changelog says in the section of a version about pins with a digest."""
    section = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    line = re.search(
        rf"^- Results `{wanted}`:(.*?)(?=^- |^#|^$|\Z)", section[1] if section else "", re.M | re.S
    )
    return " ".join(line[1].split()) if line else ""


def main(words: list[str]) -> int:
    """Compare a run with its pins, or pin runs."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from adnorm import __version__

    command, *rest = words or [""]
    runs = dict(zip(rest[::2], map(Path, rest[1::2]), strict=False))
    if command not in ("compare", "write") or not runs or not set(runs) <= set(RUNS):
        sys.exit(__doc__)
    absent = [
        str(folder) for folder in runs.values() if not (folder / "atlas/cohorts.tsv").is_file()
    ]
    if absent:
        sys.exit(f"{', '.join(absent)}: no results of a whole run; run the workflow first")
    if command == "compare":
        told = [sentence(run, folder) for run, folder in runs.items()]
        for run, words_of_run in zip(runs, told, strict=True):
            print(words_of_run or f"the numbers of {run} are those of adnorm {pins()['version']}")
        return int(any(told))
    for run, folder in runs.items():
        write(run, folder)
    new = {"version": __version__, "digest": digest()}
    (HERE / "pins.json").write_text(json.dumps(new, indent=1) + "\n", "utf-8")
    print(
        f"Pinned for adnorm {__version__}. Write into that section of CHANGELOG.md what changed "
        f"and why:\n\n- Results `{new['digest']}`: …"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
