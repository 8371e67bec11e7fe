"""Reads the lines above the table of a series matrix: facts of the series and its samples."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing
from adnorm.expression.text_file import decode, open_bytes, opening
from adnorm.expression.wording import GET_AGAIN, counted
from adnorm.study.raw_fields import normalised_key, spelt_alike

TABLE_BEGIN, TABLE_END = "!series_matrix_table_begin", "!series_matrix_table_end"
# A quoted field ends at a quotation mark before a tab or the end: others are part of the text.
_CLOSING = re.compile(r'"(?=\t|$)')


@dataclass
class Header:
    """Lines above the table."""

    series: list[tuple[str, list[str]]] = field(default_factory=list)
    samples: list[tuple[str, list[str], int]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    first_row: str = ""
    lines: int = 0


def split_fields(line: str) -> list[str]:
    r"""Split the part of a header line behind its key.

    Fields are separated by tabs; quoted fields may hold tabs and quotation marks.

    Examples
    --------
    >>> split_fields('"a\tb"\t""\tc\t"the "big" one"')
    ['a\tb', '', 'c', 'the "big" one']
    """
    fields, position, closes = [], 0, True
    while position <= len(line):
        quoted = closes and line.startswith('"', position)
        closing = _CLOSING.search(line, position + 1) if quoted else None
        if closing:
            text, end = line[position + 1 : closing.start()].replace('""', '"'), closing.end()
        else:
            # Where one search found no closing mark, none behind it will: long lines stay quick.
            closes = closes and not quoted
            end = line.find("\t", position)
            end = len(line) if end < 0 else end
            text = line[position:end]
        fields.append(text.strip())
        position = end + 1
    return fields


def read_header(path: Path) -> Header:
    """Read up to the header row of the table, joining lines that a quoted field breaks."""
    opening(path)
    header, pending = Header(), ""
    with open_bytes(path) as file:
        for raw in file:
            header.lines += 1
            line = decode(raw).rstrip("\r\n")
            if line.lower().startswith(TABLE_BEGIN):
                _add_line(header, pending)
                header.lines += 1
                header.columns = split_fields(decode(file.readline()).rstrip("\r\n"))
                header.first_row = decode(file.readline()).strip()
                return header
            if line.startswith("!"):
                _add_line(header, pending)
                pending = line
            elif pending and line.strip():
                pending += " " + line
    _add_line(header, pending)
    if not header.samples and not header.series:
        raise AdnormError(
            f"{path}: this is not a series matrix: no line begins with '!Series_' or '!Sample_'"
        )
    raise AdnormError(
        f"{path}: a series matrix without a table: the line '{TABLE_BEGIN}' is missing, so the "
        f"file is cut off or not a series matrix; {GET_AGAIN}"
    )


def _add_line(header: Header, line: str) -> None:
    key, _, rest = line.partition("\t")
    if key.startswith("!Series_"):
        header.series.append((key.removeprefix("!Series_"), split_fields(rest)))
    elif key.startswith("!Sample_"):
        header.samples.append((key.removeprefix("!Sample_"), split_fields(rest), header.lines - 1))


def series_fields(header: Header) -> dict[str, list[str]]:
    series: dict[str, list[str]] = {}
    for key, fields in header.series:
        series.setdefault(key, []).extend(fields)
    return series


def refuse_super_series(path: Path, series: dict[str, list[str]]) -> None:
    relations = " ".join(series.get("relation", []))
    parts = re.findall(r"SuperSeries of:\s*(GSE\d+)", relations, flags=re.IGNORECASE)
    if parts:
        raise AskedForError(
            f"{path}: this is a SuperSeries, a bundle of other series; its samples belong to "
            f"different experiments. Write one cohort file for each sub-series that you need: "
            f"{listing(parts, 40)}"
        )


def sample_frame(path: Path, header: Header) -> pd.DataFrame:
    """Make one row per sample out of the fields, which stand one below the other."""
    accessions = next((f for key, f, _ in header.samples if key == "geo_accession"), None)
    if not accessions or accessions == [""]:
        raise AdnormError(
            f"{path}: the series matrix names no sample (no line '!Sample_geo_accession')"
        )
    problems = Problems(str(path))
    twice = sorted(name for name, count in Counter(accessions).items() if count > 1)
    if twice:
        problems.add(f"these samples stand twice: {listing(twice)}")
    for key, fields, line in header.samples:
        if len(fields) != len(accessions):
            problems.add(
                f"line {line}: '!Sample_{key}' has {counted(len(fields), 'field')} for "
                f"{counted(len(accessions), 'sample')}"
            )
    problems.stop()
    rows: list[dict[str, list[str]]] = [{} for _ in accessions]
    order: dict[str, None] = {}
    fields_of_samples = {normalised_key(_field_name(key)) for key, _, _ in header.samples}
    for key, fields, _ in header.samples:
        for row, text in zip(rows, fields, strict=True):
            name, value = _name_and_value(key, text, fields_of_samples)
            order.setdefault(name)
            if value and value not in row.setdefault(name, []):
                row[name].append(value)
    names = _one_spelling(list(order), rows)
    frame = pd.DataFrame(
        [{names[name]: "; ".join(v) for name, v in row.items() if v} for row in rows],
        index=pd.Index(accessions, name="geo_accession", dtype=object),
        columns=list(dict.fromkeys(names.values())),
        dtype=object,
    ).fillna("")
    # A column that no sample fills says nothing.
    frame = frame.loc[:, (frame != "").any()]
    return frame.drop(columns="geo_accession")


def _one_spelling(names: list[str], rows: list[dict[str, list[str]]]) -> dict[str, str]:
    """Join fields whose names differ in case and spaces alone, unless a sample has both.

    Other punctuation tells fields apart: ``EASI`` and ``EASI (%)`` are two.

    Returns
    -------
    dict of str to str
        Field → the first spelling, which names the column.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(spelt_alike(name) or name, []).append(name)
    joined = {}
    for spellings in groups.values():
        apart = any(sum(bool(row.get(name)) for name in spellings) > 1 for row in rows)
        joined |= {name: name if apart else spellings[0] for name in spellings}
    return joined


def _field_name(key: str) -> str:
    return key.removesuffix("_ch1")


def _name_and_value(key: str, text: str, fields: set[str]) -> tuple[str, str]:
    """Name the column of one cell; characteristics carry their name inside, before the colon."""
    if not key.startswith("characteristics"):
        return _field_name(key), text
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        name, value = "characteristics", text
    second = "_ch2" if key.endswith("_ch2") else ""
    name = name.strip() + second
    if normalised_key(name) in fields and name != "characteristics":
        # A characteristic called "title" is not the title of the sample.
        name = f"characteristics {name}"
    return name, value.strip()
