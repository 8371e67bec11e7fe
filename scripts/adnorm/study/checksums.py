"""The table that pins the files of a run: what was fetched when `adnorm lock` wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems
from adnorm.base.files import atomic
from adnorm.study.gene_sets import check_columns, table_lines
from adnorm.study.validation import Section, Sha256

COLUMNS = ("cohort", "file", "bytes", "sha256", "rows", "samples", "date")
_NONE = "NA"
_PATTERNS = {
    "bytes": (r"[0-9]{1,18}", "a number of bytes"),
    "sha256": (r"[0-9a-f]{64}", "a SHA-256: 64 hexadecimal digits, in lower case"),
    "rows": (r"[0-9]{1,18}|NA", "a number of rows, or NA"),
    "samples": (r"[0-9]{1,18}|NA", "a number of samples, or NA"),
}


class Pin(Section):
    """A file as it was when it was pinned."""

    bytes: int
    sha256: Sha256
    #: Rows (probes, genes) and samples that it holds; ``None`` where it holds no such thing.
    rows: int | None = None
    samples: int | None = None
    #: Day, as YYYY-MM-DD; ``None`` in the record of a run, which does not say.
    date: str | None = None

    def __str__(self) -> str:
        held = [
            f"{count:,} {word}" for word in ("rows", "samples") if (count := getattr(self, word))
        ]
        return ", ".join([f"{self.bytes:,} bytes", *held, f"SHA-256 {self.sha256}"])


#: File name → pin, of each cohort by its id.
Pins = Mapping[str, Mapping[str, Pin]]


def read_checksums(path: Path) -> dict[str, dict[str, Pin]]:
    """Read ``checksums.tsv``.

    Parameters
    ----------
    path
        Tab-separated, one row per file: cohort, file, bytes, sha256, rows, samples, date.

    Returns
    -------
    dict
        Cohort → file name → pin; empty when there is no such file.

    Raises
    ------
    AdnormError
        Everything that is wrong with the file, with line numbers.
    """
    if not path.exists():
        return {}
    (_, header), *lines = table_lines(path)
    problems = Problems(str(path))
    check_columns(header, COLUMNS, COLUMNS, problems)
    problems.stop()
    pins: dict[str, dict[str, Pin]] = {}
    for line, fields in lines:
        if len(fields) != len(header):
            problems.add(f"line {line}: {len(fields)} fields, but the header names {len(header)}")
            continue
        row = dict(zip(header, fields, strict=True))
        wrong = _problems(row)
        if row["file"] in pins.get(row["cohort"], {}):
            wrong.append(
                f"the file '{row['file']}' of '{row['cohort']}' stands twice; keep one row"
            )
        for sentence in wrong:
            problems.add(f"line {line}: {sentence}")
        if not wrong:
            counts = {k: None if row[k] == _NONE else int(row[k]) for k in ("rows", "samples")}
            day = None if row["date"] == _NONE else row["date"]
            pin = Pin(bytes=int(row["bytes"]), sha256=row["sha256"], date=day, **counts)
            pins.setdefault(row["cohort"], {})[row["file"]] = pin
    problems.stop()
    return pins


def _problems(row: dict[str, str]) -> list[str]:
    wrong = [f"{key} is empty" for key in ("cohort", "file") if not row[key]]
    wrong += [
        f"{key} '{row[key]}' is not {what}"
        for key, (pattern, what) in _PATTERNS.items()
        if not re.fullmatch(pattern, row[key], re.ASCII)
    ]
    try:
        if row["date"] != _NONE:
            date.fromisoformat(row["date"])
    except ValueError:
        wrong.append(f"date '{row['date']}' is not a day as YYYY-MM-DD, or NA")
    return wrong


def write_checksums(pins: Pins, path: Path) -> None:
    """Write ``checksums.tsv``, sorted by cohort and file."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for cohort in sorted(pins):
        for name, pin in sorted(pins[cohort].items()):
            for text in (cohort, name):
                if re.search(r"[\t\r\n\"]", text) or text != text.strip() or text.startswith("#"):
                    raise AdnormError(
                        f"{path}: '{text}' cannot stand in a table of tab-separated text; rename it"
                    )
            cells = (cohort, name, *(getattr(pin, column) for column in COLUMNS[2:]))
            rows.append(tuple(_NONE if cell is None else str(cell) for cell in cells))
    with atomic(path) as temporary:
        text = "".join("\t".join(row) + "\n" for row in rows)
        temporary.write_text(text, encoding="utf-8", newline="\n")
