"""Which column of a table of values is which sample; columns that are lanes are summed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.readers.delimited import no_header
from adnorm.study.patterns import SlowPatternError, compiled

_IN_R = " as R writes it"
#: Names of lanes: LIBRARY_L001, LIBRARY.lane2, LIBRARY_whatever, LIBRARY.bam, each behind a folder.
_PATTERNS = (
    r"(?P<library>[^/]+)[_.](?:L00\d|lane[_-]?\d)[^/]*$",
    r"(?P<library>[^_/]+)_[^/]*$",
    r"(?P<library>[^/]+)_[^_/]+$",
    r"(?P<library>[^./]+)\.[^/]*$",
    r"(?P<library>[^/]+)\.bam$",
)


def match_samples(
    table_columns: Iterable[str],
    sheet_samples: Iterable[str],
    alternatives: pd.DataFrame | None = None,
    excluded: Iterable[str] = (),
    where: str = "table of values",
) -> dict[str, str]:
    """Find the sample that each column of a table holds.

    The names themselves are tried first. If no column carries a sample's name, every raw field of
    the samples (title, description, …) is tried; it must have another value for each sample and
    match all of them. Nothing is matched in part.

    Parameters
    ----------
    table_columns
        Names of the columns.
    sheet_samples
        Names of the samples (GEO accessions, or the key of a local sheet).
    alternatives
        Raw fields, one row per sample (index: the names of the samples).
    excluded
        Columns or samples that may lack their counterpart.
    where
        The table, for messages.

    Returns
    -------
    dict of str to str
        Column → sample, in the order of the columns.
    """
    columns, samples = [str(c) for c in table_columns], [str(s) for s in sheet_samples]
    excluded = {str(name) for name in excluded}
    _check_unique(columns, samples, where)
    # Field "" is the sample's own name; a dictionary leads from what a field says to the sample.
    fields = {"": dict(zip(samples, samples, strict=True))}
    if not set(columns) & set(samples):
        fields |= _fields(alternatives, samples, excluded)
    fields |= _as_r_writes(fields)
    complete = {}
    for name, lookup in fields.items():
        if not any(_unmatched(columns, lookup, excluded)) and set(columns) & set(lookup):
            complete[name] = {c: lookup[c] for c in columns if c in lookup}
    matches = list(complete.values())
    if matches and all(match == matches[0] for match in matches):
        return matches[0]
    if matches:
        raise AdnormError(
            f"{where}: the columns match the sample fields {listing(complete)} in different ways; "
            "rename the columns to the sample names"
        )
    raise AdnormError(_explanation(columns, fields, excluded, where))


def _check_unique(columns: list[str], samples: list[str], where: str) -> None:
    problems = Problems(where)
    for what, names in (("columns", columns), ("samples of the sheet", samples)):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            problems.add(
                f"these {what} stand twice: {listing(twice)}; each name must be one sample"
            )
    problems.stop()


def _fields(
    alternatives: pd.DataFrame | None, samples: list[str], excluded: set[str]
) -> dict[str, dict[str, str]]:
    """List the raw fields that name every sample differently, as value → sample."""
    if alternatives is None:
        return {}
    names = alternatives.index.astype(str)
    rows = alternatives.set_axis(names)[names.isin(samples)]
    needed = set(samples) - excluded
    lookups = {}
    for field in rows.columns:
        values = rows[field].fillna("").astype(str).str.strip()
        for name, filled in _readings(str(field), values).items():
            if filled.is_unique and needed <= set(filled.index):
                lookups[name] = dict(zip(filled, filled.index, strict=True))
    return lookups


def _as_r_writes(fields: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """List the fields as R turns texts into names of columns (``X101.LS.W2`` of ``101-LS W2``)."""
    lookups = {}
    for name, lookup in fields.items():
        renamed = {name_in_r(label): sample for label, sample in lookup.items()}
        if len(renamed) == len(lookup) and set(renamed) != set(lookup):
            lookups[f"{name or 'sample'}{_IN_R}"] = renamed
    return lookups


def name_in_r(text: str) -> str:
    """Give the name that R makes of a text (``make.names``), as ``read.csv`` does for columns.

    Examples
    --------
    >>> name_in_r("101-LS W2"), name_in_r("AD_1"), name_in_r("_1")
    ('X101.LS.W2', 'AD_1', 'X_1')
    """
    name = re.sub(r"[^\w.]", ".", text)
    return name if re.match(r"[^\W\d_]|\.(?!\d)", name) else f"X{name}"


def _readings(field: str, values: pd.Series) -> dict[str, pd.Series]:
    """List what a field may say: all of its text, or the lines ``Library name: A7`` within it."""
    readings = {field: values[values != ""]}
    lines: dict[str, dict[str, str]] = {}
    for sample, text in readings[field].items():
        for line in text.split("; "):
            key, colon, value = line.partition(":")
            if colon and value.strip():
                lines.setdefault(f"{field}: {key.strip()}", {})[str(sample)] = value.strip()
    return readings | {name: pd.Series(found, dtype=object) for name, found in lines.items()}


def _unmatched(
    columns: list[str], lookup: dict[str, str], excluded: set[str]
) -> tuple[list[str], list[str]]:
    """List columns without a sample, and samples (as the field calls them) without a column."""
    present = set(columns)
    strange = [c for c in columns if c not in lookup and c not in excluded]
    absent = [
        label
        for label, sample in lookup.items()
        if label not in present and sample not in excluded and label not in excluded
    ]
    return strange, absent


def _explanation(
    columns: list[str], fields: dict[str, dict[str, str]], excluded: set[str], where: str
) -> str:
    """Describe what does not match, by the field that matches best."""
    best = max(fields, key=lambda name: len(set(columns) & set(fields[name])))
    if not set(columns) & set(fields[best]):
        return _nothing_matches(columns, fields, excluded, where)
    strange, absent = _unmatched(columns, fields[best], excluded)
    by = f" (compared with the sample field '{best}')" if best else ""
    parts = []
    if strange:
        near = [(c, nearest(c, absent).removeprefix("; ")) for c in strange[:5]]
        close = [f"'{c}': {question}" for c, question in near if question]
        belong = "belongs" if len(strange) == 1 else "belong"
        parts.append(
            f"{len(strange)} of {counted(len(columns), 'column')} {belong} to no sample{by}: "
            f"{listing(strange)}" + (f" ({' '.join(close)})" if close else "")
        )
    if absent:
        lacking = counted(len(absent), "sample has", "samples have")
        parts.append(f"{lacking} no column{by}: {listing(absent)}")
    return (
        f"{where}: {'; '.join(parts)}. Every column must be one sample: rename columns, mend the "
        f"sheet, or leave samples out with `exclude:`{_tried(fields, best)}"
    )


def _nothing_matches(
    columns: list[str], fields: dict[str, dict[str, str]], excluded: set[str], where: str
) -> str:
    """Show a few names of either side, and what tells the two sides apart if that is simple."""
    strange, absent = _unmatched(columns, fields[""], excluded)
    pattern = next(
        (
            sentence
            for name, lookup in fields.items()
            if (sentence := _difference(strange, _needed(lookup, excluded), name))
        ),
        "",
    )
    hint = (
        pattern
        or _lanes(strange, fields, excluded)
        or _common_affix(strange, absent)
        or no_header(columns)
    )
    return (
        f"{where}: no column has the name of a sample. The {counted(len(strange), 'column')}: "
        f"{listing(strange, 3)}; the {counted(len(absent), 'sample')}: {listing(absent, 3)}. "
        + (f"Note: {hint}. " if hint else "")
        + "Rename the columns of the table, or the samples of the sheet, so that they agree"
        + _tried(fields, "")
    )


def _lanes(columns: list[str], fields: dict[str, dict[str, str]], excluded: set[str]) -> str:
    """Propose an expression that takes the names out of paths and lanes; ``""`` without one."""
    pattern = fitting_pattern(columns, [_needed(lookup, excluded) for lookup in fields.values()])
    if not pattern:
        return ""
    return (
        "the names stand within the names of the columns; for counts write "
        f"`libraries: '{pattern}'` below `source:`, which also sums lanes"
    )


def _needed(lookup: dict[str, str], excluded: set[str]) -> list[str]:
    return [label for label, sample in lookup.items() if not {label, sample} & excluded]


def _tried(fields: dict[str, dict[str, str]], best: str) -> str:
    # The column of a sheet that holds the names is no other field.
    others = [name for name in fields if name != best and not name.endswith(_IN_R)]
    tried = [name for name in others if fields[name] != fields[""]]
    return f". Sample fields that were tried too: {listing(tried, 5)}" if tried else ""


def _difference(columns: list[str], samples: list[str], field: str) -> str:
    """Describe the one change that makes every column a sample; ``""`` when there is none."""
    names = f"values of the sample field '{field}'" if field else "sample names"
    for these, those, others, target in (
        ("columns", columns, samples, names),
        (names, samples, columns, "columns"),
    ):
        known, (front, back) = set(others), _affixes(those)
        for start in range(len(front) + 1):
            for end in range(len(back) + 1):
                stripped = [name[start : len(name) - end] for name in those]
                if start + end and all(name in known for name in stripped):
                    what = _affix_words(front[:start], back[len(back) - end :])
                    return f"all {these} {what}; without that they are {target}"
    spelt = {_spelling(name) for name in samples}
    if columns and all(_spelling(name) in spelt for name in columns):
        return f"columns and {names} differ in case or punctuation only"
    return ""


def _common_affix(columns: list[str], samples: list[str]) -> str:
    """Describe how all names of one side begin or end when no name of the other does."""
    for these, those, others in (("columns", columns, samples), ("samples", samples, columns)):
        front, back = _affixes(those)
        # Leading digits of a number are no prefix: GSM1001 and GSM1002 share "GSM".
        front, back = re.sub(r"\d+$", "", front), re.sub(r"^\d+", "", back)
        front = "" if any(name.startswith(front) for name in others) else front
        back = "" if any(name.endswith(back) for name in others) else back
        if front or back:
            return f"all {these} {_affix_words(front, back)}, the others do not"
    return ""


def _affixes(names: list[str]) -> tuple[str, str]:
    """Give the longest prefix and suffix that at least two names share, not overlapping."""
    if len(names) < 2:
        return "", ""
    front = os.path.commonprefix(names)
    back = os.path.commonprefix([name[len(front) :][::-1] for name in names])[::-1]
    return front, back


def _affix_words(front: str, back: str) -> str:
    words = [f"begin with '{front}'"] * bool(front) + [f"end with '{back}'"] * bool(back)
    return " and ".join(words)


def _spelling(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def fitting_pattern(columns: Iterable[str], fields: Iterable[Iterable[str]]) -> str:
    """Find an expression that takes the name of a library out of every column of a table.

    Parameters
    ----------
    columns
        Names of the columns; those in which it finds nothing are taken for others than values.
    fields
        Names that the libraries may have: one collection for each field of the samples.

    Returns
    -------
    str
        Empty when no expression finds all names of a field.

    Examples
    --------
    >>> fitting_pattern(["/bam/A1_S1_L001.bam", "/bam/A1_S1_L002.bam"], [["A1"]])
    '(?P<library>[^_/]+)_[^/]*$'
    """
    columns, wanted = list(columns), [set(field) for field in fields]
    for pattern in _PATTERNS:
        found = {m["library"] for name in columns if (m := re.search(pattern, name))}
        if any(field and field <= found for field in wanted):
            return pattern
    return ""


def sum_lanes(
    counts: pd.DataFrame, pattern: str, where: str
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Sum the lanes of each library.

    Parameters
    ----------
    counts
        Rows × columns of the table. A missing count stays missing in the sum.
    pattern
        Regular expression with the named group ``library``, searched in the name of each column.
    where
        The table, for messages.

    Returns
    -------
    libraries : DataFrame
        Rows × libraries, in the order in which they first appear.
    lanes : dict of str to list of str
        Library → its columns.

    Examples
    --------
    >>> table = pd.DataFrame({"A_1": [1], "A_2": [2], "B_1": [5]})
    >>> sum_lanes(table, "(?P<library>.+)_", "t")[0].to_dict("list")
    {'A': [3.0], 'B': [5.0]}
    """
    lanes: dict[str, list[str]] = {}
    strange = []
    lane = compiled(pattern, case=True)
    for column in counts.columns:
        try:
            match = lane.search(column)
        except SlowPatternError as error:
            raise SlowPatternError(f"{where}: source: libraries: {error}") from None
        if match and match["library"]:
            lanes.setdefault(match["library"], []).append(column)
        else:
            strange.append(column)
    number = counted(counts.shape[1], "column")
    if strange:
        raise AdnormError(
            f"{where}: source: libraries: '{pattern}' finds no library in {len(strange)} of "
            f"{number}: {listing(strange)}. Every column of numbers must "
            "be a lane; mend the expression, or take other columns out of the table"
        )
    summed = {name: counts[columns].sum(axis=1, skipna=False) for name, columns in lanes.items()}
    numbers = Counter(len(columns) for columns in lanes.values())
    usual = max(sorted(numbers), key=lambda size: numbers[size])
    libraries = counted(len(lanes), "library", "libraries")
    progress(f"lanes: {number} summed to {libraries}")
    odd = [f"{name} ({len(names)})" for name, names in lanes.items() if len(names) != usual]
    if odd:
        progress(f"lanes: most libraries have {usual}, these have another number: {listing(odd)}")
    return pd.DataFrame(summed, index=counts.index, dtype=float), lanes
