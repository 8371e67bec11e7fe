"""Reads GEO series matrices: facts of the series, facts of the samples, and the values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, Problems, listing, nearest
from adnorm.expression.delimited import NUMBER, TEXT, numbers_of, read_columns
from adnorm.expression.series_header import (
    TABLE_END,
    Header,
    read_header,
    refuse_super_series,
    sample_frame,
    series_fields,
)
from adnorm.expression.table_layout import Layout
from adnorm.expression.wording import GET_AGAIN, counted


@dataclass(frozen=True)
class SeriesMatrix:
    """What a series matrix holds.

    Attributes
    ----------
    series
        Fields of the series (``title``, ``geo_accession``, ``relation`` …), each with all values.
    samples
        One row per sample (index: GEO accession), raw text, ``""`` where a sample has nothing.
        Columns are the sample fields (``title``, ``source_name``, ``platform_id``, …; those of a
        second channel end in ``_ch2``) and the keys of the characteristics as first written.
    values
        probes × samples, in the units of the deposit; ``None`` if the table is empty or was not
        asked for.
    """

    series: dict[str, list[str]]
    samples: pd.DataFrame
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

    Returns
    -------
    SeriesMatrix

    Raises
    ------
    AdnormError
        Not a series matrix, a SuperSeries, several platforms and none chosen, an unknown platform,
        samples and columns that differ, a table that is cut off, duplicate probes, or cells that
        are not numbers.
    """
    path = Path(path)
    header = read_header(path)
    series = series_fields(header)
    refuse_super_series(path, series)
    samples = sample_frame(path, header)
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
            f"{path}: the samples were measured on several platforms: {_counted(counts)}; choose "
            "one in the cohort file (platform: GPL…)"
        )
    return samples


def _unknown_platform(path: Path, platform: str, counts: dict[str, int]) -> AdnormError:
    return AskedForError(
        f"{path}: platform: no sample was measured on '{platform}'{nearest(platform, counts)}; "
        f"platforms of this series: {_counted(counts)}"
    )


def _counted(counts: dict[str, int]) -> str:
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


def _check_probes(path: Path, probes: list, first_line: int) -> None:
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


def _check_all_numbers(path: Path, frame, columns: list[str]) -> None:
    """Stop at samples whose values are text throughout."""
    text = [columns[i] for i, kind in enumerate(frame.dtypes) if i and not kind.is_numeric()]
    if text:
        first = frame[:, columns.index(text[0])].drop_nulls()
        raise AdnormError(
            f"{path}: the values of {listing(text)} are not numbers (row '{frame[0, 0]}', column "
            f"'{text[0]}': '{first[0] if len(first) else ''}')"
        )
