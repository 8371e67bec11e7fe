"""What a results folder, its inputs and this Python have of a record.

A result is the same when its bytes are. Of a table that is not, the cells are compared, so that a
reader sees whether the last printed digit differs or another number stands there.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adnorm.base.files import digest_of
from adnorm.base.shipped import HOME
from adnorm.base.text import counted
from adnorm.provenance.portable import FOLDER
from adnorm.provenance.record import Known, Record, stop_in
from adnorm.provenance.software import CODE, PACKAGES, PYTHON, software
from adnorm.study.reading import RESERVED, locate

#: Below the results, and no result: logs, what was fetched (inputs), the record itself, what the
#: report or a benchmark left, and the mark of a run in which nothing stopped.
NO_RESULTS = frozenset({"logs", "benchmarks", "fetch", RESERVED[2], FOLDER})
#: Files of the results folder itself that are made after the run, by another call.
REPORTS = ("report.html", "report.zip")
FINISHED = "atlas/finished.txt"
#: Up to here a difference is one of the last of the six digits that tables print.
LAST_DIGIT = 1e-5


@dataclass(frozen=True)
class Column:
    """How a column of a table differs.

    Attributes
    ----------
    name
        Its heading.
    cells
        In how many rows it differs.
    largest
        The largest relative difference of two numbers; ``None`` where no pair of numbers differs.
    texts
        In how many of the rows at least one of the two is no number.
    """

    name: str
    cells: int
    largest: float | None
    texts: int


@dataclass(frozen=True)
class TableDifference:
    """How a table differs from the recorded one.

    Attributes
    ----------
    rows
        How many there were, and how many there are.
    gone, new
        Columns that only one of them has.
    columns
        The others that differ; empty where rows cannot be laid side by side.
    """

    rows: tuple[int, int]
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def largest(self) -> float | None:
        """The largest relative difference of all columns."""
        return max((c.largest for c in self.columns if c.largest is not None), default=None)

    def __str__(self) -> str:
        parts = []
        if self.rows[0] != self.rows[1]:
            parts.append(f"{counted(self.rows[1], 'row')}, recorded {self.rows[0]:,}")
        if self.gone:
            parts.append(f"no column {', '.join(self.gone)}")
        if self.new:
            parts.append(f"new column {', '.join(self.new)}")
        if self.columns:
            cells = sum(column.cells for column in self.columns)
            names = ", ".join(f"{c.name} ({c.cells:,})" for c in self.columns[:8])
            more = f" and {len(self.columns) - 8} more" if len(self.columns) > 8 else ""
            parts.append(f"{counted(cells, 'cell')} in {names}{more}")
            parts.append(relative_words(self.largest, sum(c.texts for c in self.columns)))
        return "; ".join(parts) or "the same cells in another order or notation"


def relative_words(largest: float | None, texts: int) -> str:
    """Say how far numbers are apart.

    Examples
    --------
    >>> relative_words(2e-06, 0)
    'largest relative difference 2e-06: the last printed digit'
    """
    if largest is None:
        return f"{counted(texts, 'cell')} with a word or NA on one side or both"
    words = f"largest relative difference {largest:.2g}"
    if texts:
        return f"{words}, and {counted(texts, 'cell')} with a word or NA on one side or both"
    return words + (": the last printed digit" if largest <= LAST_DIGIT else "")


@dataclass
class Comparison:
    """What a folder, its inputs and this Python have of a record.

    Attributes
    ----------
    same
        Results with the recorded bytes.
    changed
        Result → how it differs, where that can be told, else why not.
    missing, additional
        Results that only the record has, and only the folder.
    stopped
        Result → why the folder has none.
    not_run
        Cohort of which the folder holds nothing → how many results of it are recorded.
    ran
        Where some cohorts were not run: results of the others that are the same, and all of them.
    inputs_same, inputs_changed, inputs_missing, inputs_unseen
        Inputs, likewise; unseen are files of the lab that are not here.
    software
        (name, recorded, here) of what differs; empty versions are absent.
    """

    same: int = 0
    changed: dict[str, TableDifference | str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    additional: list[str] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, int] = field(default_factory=dict)
    ran: tuple[int, int] = (0, 0)
    inputs_same: int = 0
    inputs_changed: list[str] = field(default_factory=list)
    inputs_missing: list[str] = field(default_factory=list)
    inputs_unseen: list[str] = field(default_factory=list)
    software: list[tuple[str, str, str]] = field(default_factory=list)
    to_install: list[str] = field(default_factory=list)

    @property
    def results_differ(self) -> bool:
        """Whether the folder has other results than the record."""
        return bool(self.changed or self.missing or self.additional or self.stopped or self.not_run)

    @property
    def inputs_differ(self) -> bool:
        """Whether an input is another one, or gone."""
        return bool(self.inputs_changed or self.inputs_missing)


def compare(record: Record, folder: Path | None, beside: Path | None = None) -> Comparison:
    """Compare a results folder with a record.

    Parameters
    ----------
    record
        What is compared with.
    folder
        The results; ``None`` compares inputs and software alone.
    beside
        Results that were recorded, if they are here: of tables that the record holds no copy of,
        they say what stood in them, as long as they still have the recorded digest.
    """
    found = Comparison()
    if folder is not None:
        compare_results(record, folder, found, beside)
    _compare_inputs(record, folder, found)
    _compare_software(record, found)
    return found


def compare_results(
    record: Record, folder: Path, found: Comparison, beside: Path | None = None
) -> None:
    """Compare the results of a folder with the recorded ones."""
    cohorts = {used.cohort for used in record.inputs if used.cohort}
    absent = {cohort for cohort in cohorts if not (folder / cohort).is_dir()}
    for name, known in record.results.items():
        path, cohort = folder / name, name.split("/")[0]
        if cohort in absent:
            found.not_run[cohort] = found.not_run.get(cohort, 0) + 1
        elif not path.is_file():
            found.missing.append(name)
        elif (stop := stop_in(path)) is not None:
            found.stopped[name] = f"{stop.cohort} stopped at the stage {stop.stage}"
        elif not _is(path, known):
            found.changed[name] = _how(record, name, known, path, beside)
        else:
            found.same += 1
            if cohort in cohorts:
                found.ran = (found.ran[0] + 1, 0)
    there = [name for name in record.results if name.split("/")[0] in cohorts - absent]
    found.ran = (found.ran[0], len(there))
    more = sorted(set(results_of(folder)) - set(record.results))
    # A cohort that stopped leaves its reason in the place of each result.
    found.additional += [name for name in more if stop_in(folder / name) is None]


def results_of(folder: Path) -> Iterator[str]:
    """List the results that lie in a folder, by their path below it."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        parts = inside.parts
        hidden = any(part.startswith(".") for part in parts)
        if hidden or NO_RESULTS & {*parts[:-1]} or not path.is_file():
            # The manifest lies with the files that it lists, and is a result.
            if parts[1:] != ("fetch", "manifest.json"):
                continue
        if inside.as_posix() != FINISHED and inside.as_posix() not in REPORTS:
            yield inside.as_posix()


def _is(path: Path, known: Known) -> bool:
    return path.stat().st_size == known.bytes and digest_of(path)[1] == known.sha256


def _how(
    record: Record, name: str, known: Known, path: Path, beside: Path | None
) -> TableDifference | str:
    if not name.endswith(".tsv"):
        return "other bytes"
    before = record.table(name)
    if before is None and beside is not None and (beside / name).is_file():
        before = (beside / name).read_bytes()
        if hashlib.sha256(before).hexdigest() != known.sha256:
            before = None
    if before is None:
        return "other bytes; the crate holds its digest alone"
    return table_difference(before, path.read_bytes())


def table_difference(before: bytes, after: bytes) -> TableDifference | str:
    """Lay two tables side by side, cell by cell."""
    try:
        (old, old_rows), (new, new_rows) = _table(before), _table(after)
    except (ValueError, csv.Error):
        return "no longer a table of tab-separated text in UTF-8"
    rows = (len(old_rows), len(new_rows))
    gone = tuple(name for name in old if name not in new)
    added = tuple(name for name in new if name not in old)
    if rows[0] != rows[1]:
        return TableDifference(rows, gone, added)
    columns = []
    for name in old:
        if name in new:
            first, second = old.index(name), new.index(name)
            pairs = ((a[first], b[second]) for a, b in zip(old_rows, new_rows, strict=True))
            column = _column(name, pairs)
            if column.cells:
                columns.append(column)
    return TableDifference(rows, gone, added, tuple(columns))


def _table(content: bytes) -> tuple[list[str], list[list[str]]]:
    lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), delimiter="\t")
    header, *rows = list(lines)
    if any(len(row) != len(header) for row in rows):
        raise ValueError("uneven rows")
    return header, rows


def _column(name: str, pairs: Iterable[tuple[str, str]]) -> Column:
    cells = texts = 0
    largest: float | None = None
    for before, after in pairs:
        if before == after:
            continue
        cells += 1
        a, b = _number(before), _number(after)
        if a is None or b is None:
            texts += 1
        else:
            largest = max(largest or 0.0, abs(a - b) / (max(abs(a), abs(b)) or 1.0))
    return Column(name, cells, largest, texts)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# ---------------------------------------------------------------- inputs and software


def _compare_inputs(record: Record, folder: Path | None, found: Comparison) -> None:
    for used in record.inputs:
        copy = record.files.get(used.local)
        right = {used.known.sha256} | ({hashlib.sha256(copy).hexdigest()} if copy else set())
        ran = folder is not None and used.cohort not in found.not_run
        places = [folder / used.fetched] if folder is not None and ran and used.fetched else []
        here = locate(used.local, HOME) if used.local else None
        places += [here] if here and here.is_file() else []
        if not places:
            found.inputs_unseen.append(used.label)
            continue
        for path in places:
            if not path.is_file():
                found.inputs_missing.append(f"{used.label} (not at {path})")
                break
            digest = digest_of(path)[1]
            if digest not in right:
                found.inputs_changed.append(
                    f"{used.label}: {path} has the SHA-256 {digest[:12]}…, recorded is "
                    f"{used.known.sha256[:12]}…"
                )
                break
        else:
            found.inputs_same += 1


def _compare_software(record: Record, found: Comparison) -> None:
    here: Mapping[tuple[str, str], str] = {(k, name): value for k, name, value in software()}
    for kind, name, recorded in record.software:
        now = here.get((kind, name), "")
        if kind == PACKAGES and now != recorded:
            found.software.append((name, recorded, now))
            found.to_install.append(f"{name}=={recorded}")
        elif kind == PYTHON and (name, recorded) != (
            platform.python_implementation(),
            platform.python_version(),
        ):
            found.software.append((name, recorded, platform.python_version()))
        elif kind == CODE and name in ("adnorm", "digest of the files") and now != recorded:
            words = "adnorm" if name == "adnorm" else "adnorm, digest of its files"
            found.software.append((words, recorded, now))
