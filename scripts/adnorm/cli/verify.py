"""Compare results with the record of a run: its crate, results/RUN/provenance.

Says which results differ and how far, which inputs are others, and what to install. CRATE is the
folder `provenance` of a run, a zip of it, or the results folder that it lies in; FOLDER holds the
results to compare, by default those that the crate lies in. Software that differs is told, and is
no difference by itself as long as the results are the same."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adnorm.base.errors import AdnormError
from adnorm.base.text import counted
from adnorm.cli.terminal import say, say_json

if TYPE_CHECKING:
    from adnorm.provenance.comparison import Comparison
    from adnorm.provenance.record import Record

EXAMPLES = """examples:
  adnorm verify results/demo                       is the folder still what was recorded?
  adnorm verify paper.zip results/mine             does a rerun give the recorded numbers?
  adnorm verify results/demo/provenance --json     for programs
"""
#: Files of one kind that are listed.
MOST = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("crate", type=Path, metavar="CRATE", help="crate, its zip, or its results")
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="results to compare with the record"
    )


def run(chosen: argparse.Namespace) -> int:
    """Compare; 1 when something differs."""
    from adnorm.provenance.comparison import compare
    from adnorm.provenance.portable import FOLDER
    from adnorm.provenance.record import find_crate, read_record

    record = read_record(chosen.crate)
    crate = find_crate(chosen.crate)
    above = crate.resolve().parent
    beside = above if crate.is_dir() and crate.resolve().name == FOLDER else None
    folder = chosen.folder
    if folder is not None and not folder.is_dir():
        raise AdnormError(
            f"{folder}: this results folder does not exist; name the folder that `results:` of the "
            "configuration names"
        )
    if folder is None and beside is not None and any((above / n).exists() for n in record.results):
        # Named as the user named it, not by where it is.
        folder = chosen.crate if chosen.crate.resolve() == above else chosen.crate / ".."
    found = compare(record, folder, beside if beside != folder else None)
    differ = found.results_differ or found.inputs_differ
    if chosen.json:
        say_json({"fine": not differ, "problems": []} | _as_json(record, folder, found))
    else:
        say(as_text(record, folder, found))
    return int(differ)


def _as_json(record: Record, folder: Path | None, found: Comparison) -> dict[str, Any]:
    from adnorm.provenance.comparison import TableDifference

    changed = []
    for path, how in found.changed.items():
        entry: dict[str, Any] = {"path": path, "how": str(how)}
        if isinstance(how, TableDifference):
            entry["rows"] = list(how.rows)
            entry["columns"] = [
                {"column": c.name, "cells": c.cells, "largest": c.largest, "texts": c.texts}
                for c in how.columns
            ]
        changed.append(entry)
    return {
        "crate": record.where,
        "about": record.about,
        "results": None if folder is None else str(folder),
        "recorded": len(record.results),
        "same": found.same,
        "changed": changed,
        "missing": found.missing,
        "additional": found.additional,
        "stopped": found.stopped,
        "not_run": found.not_run,
        "inputs": {
            "same": found.inputs_same,
            "changed": found.inputs_changed,
            "missing": found.inputs_missing,
            "not_here": found.inputs_unseen,
        },
        "software": [{"name": n, "recorded": r, "here": h} for n, r, h in found.software],
        "install": found.to_install,
    }


def as_text(record: Record, folder: Path | None, found: Comparison) -> str:
    """Tell what was found: one paragraph, then lists of what differs."""
    words = [record.about, _results_words(record, folder, found)]
    seen = found.inputs_same + len(found.inputs_changed) + len(found.inputs_missing)
    words.append(
        f"Inputs: {found.inputs_same} of {seen} are the same"
        + (
            f"; {len(found.inputs_unseen)} are not here to be compared."
            if found.inputs_unseen
            else "."
        )
    )
    words.append(
        f"Software: {counted(len(found.software), 'difference')}."
        if found.software
        else "Software: the same versions."
    )
    lines = textwrap.wrap(" ".join(filter(None, words)), 100)
    lines += _list("Changed results", (f"{name}: {how}" for name, how in _ordered(found)))
    lines += _list("Stopped here", (f"{name}: {why}" for name, why in found.stopped.items()))
    lines += _list("Missing results", found.missing)
    lines += _list("Additional results", found.additional)
    lines += _list("Changed inputs", found.inputs_changed)
    lines += _list("Missing inputs", found.inputs_missing)
    lines += _list(
        "Other software",
        (f"{name}: recorded {was}, here {here or 'absent'}" for name, was, here in found.software),
    )
    if found.to_install:
        asked = " ".join(found.to_install)
        lines += ["", f"To install what was recorded: python -m pip install {asked}"]
    return "\n".join(lines)


def _results_words(record: Record, folder: Path | None, found: Comparison) -> str:
    if folder is None:
        return "The crate is whole. No results were compared: name a results folder behind it."
    total = len(record.results)
    if not found.results_differ:
        return f"{folder} is as recorded: all {total} results have the same bytes."
    parts = [
        f"{len(names)} {word}"
        for names, word in (
            (found.changed, "changed"),
            (found.stopped, "stopped here"),
            (found.missing, "missing"),
            (found.additional, "additional"),
        )
        if names
    ]
    words = f"{folder} is not as recorded: {found.same} of {total} results have the same bytes"
    words += f"; {', '.join(parts)}." if parts else "."
    if found.not_run and found.ran[1]:
        same, of = found.ran
        words += (
            f" Not run here: {', '.join(found.not_run)}; what joins cohorts differs for that "
            f"reason. Of the cohorts that were run, {same} of {of} results have the same bytes."
        )
    return words


def _ordered(found: Comparison) -> list[tuple[str, object]]:
    """Sort what changed: tables first, pages and pictures last."""
    kinds = (".tsv", ".gmt", ".json", ".h5ad")

    def place(name: str) -> tuple[bool, int, str]:
        suffix = Path(name).suffix
        return "figures" in name, kinds.index(suffix) if suffix in kinds else len(kinds), name

    return sorted(found.changed.items(), key=lambda item: place(item[0]))


def _list(title: str, entries: Iterable[str]) -> list[str]:
    entries = list(entries)
    if not entries:
        return []
    more = (
        [f"  … and {len(entries) - MOST:,} more (--json lists all)"] if len(entries) > MOST else []
    )
    return ["", f"{title}:", *[f"  {entry}" for entry in entries[:MOST]], *more]
