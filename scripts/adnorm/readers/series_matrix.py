"""Reads GEO series matrices: facts of the series, facts of the samples, and the values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest, shortened
from adnorm.base.inflate import GET_AGAIN, open_bytes
from adnorm.base.text import counted
from adnorm.readers.delimited import NUMBER, TEXT, Layout, numbers_of, read_columns
from adnorm.readers.text import decode, opening
from adnorm.study.raw_fields import normalised_key, spelt_alike

if TYPE_CHECKING:
    import polars

TABLE_BEGIN, TABLE_END = "!series_matrix_table_begin", "!series_matrix_table_end"
# A quoted field ends at a quotation mark before a tab or the end: others are part of the text.
_CLOSING = re.compile(r'"(?=\t|$)')


@dataclass
class Header:
    """Lines above the table: facts of the series, and of the samples with their line numbers."""

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


def _refuse_super_series(path: Path, series: dict[str, list[str]]) -> None:
    relations = " ".join(series.get("relation", []))
    parts = re.findall(r"SuperSeries of:\s*(GSE\d+)", relations, flags=re.IGNORECASE)
    if parts:
        raise AskedForError(
            f"{path}: this is a SuperSeries, a bundle of other series; its samples belong to "
            f"different experiments. Write one cohort file for each sub-series that you need: "
            f"{listing(parts, 40)}"
        )


def _sample_frame(path: Path, header: Header) -> pd.DataFrame:
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
    """Name the column of each field: names that differ in case and spaces alone become one.

    Not if a sample has both. Other punctuation tells fields apart: ``EASI`` and ``EASI (%)``.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(spelt_alike(name) or name, []).append(name)
    joined: dict[str, str] = {}
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


@dataclass(frozen=True)
class SeriesMatrix:
    """What a series matrix holds."""

    #: Fields of the series (``title``, ``geo_accession``, ``relation`` …), each with all values.
    series: dict[str, list[str]]
    #: One row per sample (index: GEO accession), raw text, ``""`` where a sample has nothing.
    #: Columns are the sample fields (``title``, ``source_name``, ``platform_id``, …; those of a
    #: second channel end in ``_ch2``) and the keys of the characteristics as first written.
    samples: pd.DataFrame
    #: Probes × samples, in the units of the deposit; ``None`` if the table is empty or was not
    #: asked for.
    values: pd.DataFrame | None


def read_series_matrix(
    path: Path | str, platform: str | None = None, read_metadata_only: bool = False
) -> SeriesMatrix:
    """Read a series matrix.

    Parameters
    ----------
    path
        The file, gzip or not.
    platform
        Keep the samples of this platform (GPL…); needed when there are several.
    read_metadata_only
        Leave the table of values alone; `SeriesMatrix.values` is ``None`` then.
    """
    path = Path(path)
    header = read_header(path)
    series = series_fields(header)
    _refuse_super_series(path, series)
    samples = _sample_frame(path, header)
    kept = _platform_samples(path, samples, series, platform)
    values = None
    if not read_metadata_only:
        values = _read_values(path, header, list(samples.index))
        if values is not None and len(kept) < len(samples):
            values = values[list(kept.index)]
    return SeriesMatrix(series, kept, values)


def _platform_samples(
    path: Path, samples: pd.DataFrame, series: dict[str, list[str]], platform: str | None
) -> pd.DataFrame:
    if "platform_id" not in samples:
        known = sorted(set(series.get("platform_id", [])))
        if platform and known and platform not in known:
            raise _unknown_platform(path, platform, dict.fromkeys(known, len(samples)))
        return samples
    counts = Counter(samples["platform_id"])
    if platform:
        if platform not in counts:
            raise _unknown_platform(path, platform, counts)
        return samples[samples["platform_id"] == platform]
    if len(counts) > 1:
        raise AskedForError(
            f"{path}: the samples were measured on several platforms: {_platforms(counts)}; choose "
            "one in the cohort file (platform: GPL…)"
        )
    return samples


def _unknown_platform(path: Path, platform: str, counts: Mapping[str, int]) -> AdnormError:
    return AskedForError(
        f"{path}: platform: no sample was measured on '{platform}'{nearest(platform, counts)}; "
        f"platforms of this series: {_platforms(counts)}"
    )


def _platforms(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"'{name}' ({counted(count, 'sample')})" for name, count in sorted(counts.items())
    )


def _read_values(path: Path, header: Header, accessions: list[str]) -> pd.DataFrame | None:
    """Parse the table below the header; ``None`` if it has no row."""
    columns = header.columns
    if columns[0].lower() == TABLE_END:
        return None
    if columns != [""]:
        _check_columns(path, columns[1:], accessions)
    if header.first_row.lower() == TABLE_END:
        return None
    if not header.first_row:
        raise AdnormError(
            f"{path}: the table is truncated: it has no row and the line '{TABLE_END}' is missing; "
            f"{GET_AGAIN}"
        )
    layout = Layout(path, "\t", header.lines, columns, last_row=TABLE_END)
    frame = read_columns(layout, [TEXT] + [NUMBER] * len(accessions))
    probes = frame["0"].to_list()
    while probes and probes[-1] is None:
        probes.pop()
    if not probes or probes[-1] != TABLE_END:
        raise AdnormError(
            f"{path}: the table is truncated: the line '{TABLE_END}' is missing after "
            f"{counted(len(probes), 'probe')}; {GET_AGAIN}"
        )
    probes.pop()
    if not probes:
        return None
    _check_probes(path, probes, header.lines)
    _check_all_numbers(path, frame, columns)
    numbers = numbers_of(frame[: len(probes)], range(1, len(columns)))
    values = pd.DataFrame(
        numbers, index=pd.Index(probes, name="probe", dtype=object), columns=columns[1:], copy=False
    )
    return values if columns[1:] == accessions else values[accessions]


def _check_columns(path: Path, columns: list[str], accessions: list[str]) -> None:
    problems = Problems(str(path))
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    without = [name for name in columns if name not in set(accessions)]
    absent = [name for name in accessions if name not in set(columns)]
    if twice:
        problems.add(f"these columns stand twice in the table: {listing(twice)}")
    if without:
        problems.add(
            counted(
                len(without),
                "column of the table is no sample of the series",
                "columns of the table are no samples of the series",
            )
            + f": {listing(without)}{nearest(without[0], absent)}"
        )
    if absent:
        without_column = counted(len(absent), "sample has", "samples have")
        problems.add(f"{without_column} no column in the table: {listing(absent)}")
    problems.stop()


def _check_probes(path: Path, probes: list[str | None], first_line: int) -> None:
    problems = Problems(str(path))
    counts = Counter(probes)
    if TABLE_END in counts:
        problems.add(f"the line '{TABLE_END}' stands twice: something follows the table")
    blank = [i for i, name in enumerate(probes) if name is None]
    if blank:
        problems.add(
            f"{counted(len(blank), 'row has', 'rows have')} no probe id "
            f"(first: line {first_line + blank[0] + 1})"
        )
    twice = [str(name) for name, count in counts.items() if count > 1 and name is not None]
    if twice:
        standing = counted(len(twice), "probe stands", "probes stand")
        problems.add(f"{standing} twice in the table: {listing(twice)}")
    problems.stop()


def _check_all_numbers(path: Path, frame: polars.DataFrame, columns: list[str]) -> None:
    """Stop at samples whose values are text throughout."""
    text = [columns[i] for i, kind in enumerate(frame.dtypes) if i and not kind.is_numeric()]
    if text:
        first = frame[:, columns.index(text[0])].drop_nulls()
        raise AdnormError(
            f"{path}: the values of {listing(text)} are not numbers (row "
            f"'{shortened(str(frame[0, 0]))}', column '{shortened(text[0])}': "
            f"'{shortened(first[0]) if len(first) else ''}')"
        )
