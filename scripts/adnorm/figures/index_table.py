"""What the normalization heatmap shows: its rows, its columns, its values, and why some lack.

Everything here orders rows of index.tsv and words their reasons; nothing is computed but whether an
interval excludes 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd

from adnorm.base.text import counted, typeset
from adnorm.figures.data import REFERENCES, FigureData
from adnorm.figures.labels import DERIVED, SHORT, reason_of, score_label, set_label
from adnorm.study.vocabulary import (
    Analysis,
    Arm,
    ComparisonKind,
    DerivedScore,
    Family,
    Level,
    ReasonCode,
    Statistic,
    Status,
)

COLUMN_KEYS = ["reference", "measure", "arm", "week"]
KEYS = [*COLUMN_KEYS, "set"]
COLUMNS = [
    *(*KEYS, "label", "value", "lower", "upper", "excludes_0", "p_value", "fdr", "pairs"),
    *("placebo_pairs", "lost", "status", "reason_code", "reason"),
]
MEASURES = (Statistic.NI, Statistic.DNI)
PRIMARY = "Primary family"
#: Headings with the names of the scores below them.
ScoreBlocks = list[tuple[str, list[str]]]


@dataclass
class IndexTable:
    """What the normalization heatmap shows, and what it does not and why."""

    #: One row for each score and column (`COLUMNS`).
    table: pd.DataFrame
    blocks: ScoreBlocks = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Why nothing can be drawn; empty if something can.
    why_not: str = ""

    @property
    def columns(self) -> list[tuple]:
        """Keys (reference, measure, arm, week) in display order."""
        keys = self.table[COLUMN_KEYS].drop_duplicates()
        return list(keys.itertuples(index=False, name=None))

    @property
    def references(self) -> list[str]:
        """References in display order."""
        return list(dict.fromkeys(column[0] for column in self.columns))

    @property
    def patients(self) -> dict[tuple, str]:
        """How many patients stand behind each column."""
        first = self.table.drop_duplicates(COLUMN_KEYS)
        return {
            tuple(row[:4]): f"n={row.pairs}"
            if row.measure == Statistic.NI
            else f"{row.pairs} v {row.placebo_pairs}"
            for row in first[[*COLUMN_KEYS, "pairs", "placebo_pairs"]].itertuples(index=False)
        }


def list_index(data: FigureData) -> IndexTable:
    """Choose rows and columns of the heatmap and list its values from index.tsv."""
    index = data.tables["index"]
    index = index[index["analysis"] == Analysis.PRIMARY].rename(columns={"name": "set"})
    if index.empty:
        why = data.why_no(ComparisonKind.CHANGE)
        needed = "an index needs lesional skin before and after treatment"
        return IndexTable(pd.DataFrame(columns=COLUMNS), why_not=f"{needed}; {why}")
    blocks, notes = score_blocks(data, index)
    labels = block_labels(data, blocks)
    table = _values(data, index[index["set"].isin(labels)])
    table["label"] = table["set"].map(labels)
    table = _in_order(data, table, list(labels))
    if table["value"].isna().all():
        return IndexTable(table, why_not=_all_missing(table))
    absent = table["reason_code"] == ReasonCode.NO_REFERENCE
    refused = table[absent].drop_duplicates("reference").sort_values("reference")
    notes += [f"Not shown against {r.reference} skin: {r.reason}." for r in refused.itertuples()]
    table = table[~table["reference"].isin(refused["reference"])]
    if data.placebo:
        table, without_placebo = _drop_empty_differences(table)
        notes += without_placebo
    else:
        notes.append("No placebo arm: the index is uncontrolled.")
    table = table.reset_index(drop=True)
    notes = [*basis_notes(index, labels), *notes, *_missing_at_visit(table)]
    return IndexTable(table, blocks, labels, notes)


# ---------------------------------------------------------------- rows


def score_blocks(data: FigureData, index: pd.DataFrame) -> tuple[ScoreBlocks, list[str]]:
    """Order the scores: the primary family, then signed sets by category; say what is left out."""
    sets, present = data.sets, set(index["set"])
    signed = set(sets.index[sets["signed"]]) & present
    kept = signed & set(data.shown_sets(index)[0])
    names = {name for name in DERIVED if name in present} | kept
    names |= set(index.loc[index["level"] == Level.PUBLISHED_AXIS, "set"])
    primary = set(index.loc[index["family"] == Family.PRIMARY, "set"])
    blocks: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda n: (n not in primary, _rank(data, n), n)):
        category = DERIVED[name][1] if name in DERIVED else sets["category"].get(name, "residual")
        heading = PRIMARY if name in primary else data.heading(category)
        blocks.setdefault(heading, []).append(name)
    notes = []
    if directionless := len(present & set(sets.index)) - len(signed):
        notes.append(
            f"Not shown, because no way back is defined: {counted(directionless, 'set')} "
            "without a direction (such as composition and controls)."
        )
    if left := len(signed - kept):
        notes.append(f"Not shown: {counted(left, 'added set')}; all are in index.tsv.")
    return list(blocks.items()), notes


def _rank(data: FigureData, name: str) -> float:
    """Where a score stands: the axis first, scores that are no sets before those of their kind."""
    if name == DerivedScore.GLOBAL:
        return -1.0
    if name in data.sets.index:
        return float(data.sets.index.get_loc(name))
    # Lists of disease genes stand among the disease signatures, whatever their name is.
    category = DERIVED[name][1] if name in DERIVED else "madad_core"
    alike = np.flatnonzero(data.sets["category"] == category)
    last = 0 if name in DERIVED else len(data.sets)
    return (alike[0] if alike.size else last) - 0.5


def block_labels(data: FigureData, blocks: ScoreBlocks) -> dict[str, str]:
    """Write the names of scores beside their rows, in the order of the rows."""
    labels = {}
    for heading, names in blocks:
        for name in names:
            label = score_label(data, name)
            # Among sets of many categories the category says what the label is about.
            if heading != PRIMARY and name in data.sets.index:
                label = set_label(data, name).removesuffix(" †")
            elif heading != PRIMARY and name in DERIVED:
                label = label.rpartition(": ")[2]
                label = label[:1].upper() + label[1:]
            labels[name] = label
    return labels


# ---------------------------------------------------------------- values


def _values(data: FigureData, index: pd.DataFrame) -> pd.DataFrame:
    """List index and placebo-adjusted index as rows of one table."""
    texts = ["status", "reason_code", "reason", "dni_reason"]
    index = index.assign(**{c: index[c].astype(object).fillna("").astype(str) for c in texts})
    own = index.assign(measure=Statistic.NI.value, value=index["ni"])
    drugs = index[~index["arm"].isin([data.placebo, Arm.UNTREATED])]
    drugs = drugs if data.placebo else drugs.iloc[:0]
    usable = drugs["ni"].notna()
    differ = drugs.assign(
        measure=Statistic.DNI.value,
        value=drugs["dni"],
        lower=drugs["dni_lower"],
        upper=drugs["dni_upper"],
        # The tests in the table are those of the index itself.
        p_value=np.nan,
        fdr=np.nan,
        reason_code=drugs["reason_code"].where(~usable, ReasonCode.NO_PLACEBO.value),
        reason=drugs["dni_reason"].where(usable & (drugs["dni_reason"] != ""), drugs["reason"]),
    )
    table = pd.concat([own, differ] if len(differ) else [own], ignore_index=True)
    table = table.astype(dict.fromkeys(("value", "lower", "upper"), float))
    counts = ["pairs", "placebo_pairs", "lost"]
    table[counts] = table[counts].astype(float).fillna(0).astype(int)
    unbounded = table["value"].notna() & (table["lower"].isna() | table["upper"].isna())
    table.loc[unbounded, ["value", "lower", "upper"]] = np.nan
    table.loc[unbounded, "reason_code"] = ReasonCode.UNBOUNDED.value
    table.loc[unbounded, "reason"] = "the interval is unbounded"
    known = table["value"].notna()
    table.loc[known, "reason_code"] = ""
    exploratory = table["status"] == Status.EXPLORATORY
    exploratory |= table["reason"].str.startswith(Status.EXPLORATORY)
    usage = np.where(exploratory, Status.EXPLORATORY.value, Status.OK.value)
    table["status"] = np.where(known, usage, Status.NOT_AVAILABLE.value)
    apart = (table["lower"] > 0) | (table["upper"] < 0)
    table["excludes_0"] = np.where(known, np.where(apart, "yes", "no"), "")
    return table


def _in_order(data: FigureData, table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    known = {"reference": REFERENCES, "measure": MEASURES, "arm": data.arms, "set": names}
    ranks = {column: {v: i for i, v in enumerate(values)} for column, values in known.items()}
    table = table.sort_values(
        KEYS, key=lambda c: c.map(ranks[c.name]) if c.name in ranks else c, kind="stable"
    )
    return table[COLUMNS].reset_index(drop=True)


def _drop_empty_differences(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out visits whose placebo cannot be compared, and say why."""
    known = table.groupby(COLUMN_KEYS)["value"].transform("count") > 0
    empty = (table["measure"] == Statistic.DNI) & ~known
    why = table[empty & (table["reason_code"] == ReasonCode.NO_PLACEBO)]
    places = why.drop_duplicates(["arm", "week"])
    parts = [f"{row.arm} week {row.week:g}: {row.reason}" for row in places.itertuples()]
    return table[~empty], [f"No dNI: {'; '.join(parts)}."] if parts else []


# ---------------------------------------------------------------- notes


def basis_notes(index: pd.DataFrame, labels: dict[str, str]) -> list[str]:
    """Say whose axis the scores on an axis stand on, and when sets are of another disease."""
    if "basis" not in index:
        return []
    rows = index.assign(basis=index["basis"].astype(object).fillna("").astype(str))
    rows = rows[(rows["basis"] != "") & rows["set"].isin(list(labels))]
    on_axis = rows["level"].isin([Level.GLOBAL, Level.PUBLISHED_AXIS])
    notes = [
        f"{labels[r.set]}: {r.basis}." for r in rows[on_axis].drop_duplicates("set").itertuples()
    ]
    elsewhere = rows.loc[~on_axis & rows["basis"].str.contains(", against "), "basis"]
    return [*notes, *(f"Gene sets: {basis}." for basis in dict.fromkeys(elsewhere))]


def _missing_at_visit(table: pd.DataFrame) -> list[str]:
    visits = table[table["lost"] > 0].drop_duplicates(["arm", "week"])
    gone = [f"{row.arm} week {row.week:g}: {row.lost}" for row in visits.itertuples()]
    return [f"Patients without the visit's lesional sample: {'; '.join(gone)}."] if gone else []


def _all_missing(table: pd.DataFrame) -> str:
    """Say in one sentence why no score of a cohort has an index."""
    parts = []
    for reference, rows in table[table["measure"] == Statistic.NI].groupby("reference", sort=False):
        absent = rows.loc[rows["reason_code"] == ReasonCode.NO_REFERENCE, "reason"]
        if len(absent):
            parts.append(f"against {reference} skin: {absent.iloc[0]}")
            continue
        counts = rows.drop_duplicates("set")["reason_code"].value_counts(sort=True)
        words = [f"{reason_of(code)} in {n}" for code, n in counts.items()]
        together = ", ".join(words).replace("effect", "disease effect")
        parts.append(f"against {reference} skin: {together} of {counts.sum()} scores")
    return f"no score of this cohort has an index; {'; '.join(parts)}"


#: What a rule asks stands once; by how much each score misses it is in the table.
_MEASURED = re.compile(r"(?<= asked), it is −?\d[\d.]*(?:e[-+]\d+)?(?=;|$)")
_NUMBER = re.compile(r"−?\d[\d.,]*(?:e[-+]\d+)?")


def reason_notes(shown: IndexTable) -> list[str]:
    """Write why tiles are grey or exploratory; scores that share a reason stand together.

    One note for each kind of reason; one for each reference where their reasons differ.
    """
    table = shown.table.copy()
    reasons = table["reason"].map(typeset).str.replace(_MEASURED, "", regex=True)
    kinds = table["reason_code"].map(SHORT).fillna(table["reason_code"])
    exploratory = table["status"] == Status.EXPLORATORY
    table = table.assign(
        reason=reasons,
        # Sentences that differ in more than their numbers share few words.
        rule=reasons.str.replace(_NUMBER, "…", regex=True),
        kind=kinds.mask(exploratory, Status.EXPLORATORY.value),
    )
    notes: dict[tuple[str, str], list[str]] = {}
    for kind in [*SHORT.values(), Status.EXPLORATORY.value]:
        for reference in shown.references:
            own = table[table["reference"] == reference]
            for _, alike in own[own["kind"] == kind].groupby("rule", sort=False):
                notes.setdefault((kind, _who(kind, alike, own)), []).append(reference)
    written = []
    for (kind, who), references in notes.items():
        alone = len(shown.references) == 1 or len(references) > 1
        against = "" if alone else f", against {references[0]} skin"
        written.append(f"{kind.capitalize()}{against}{who}.")
    return written


def _who(kind: str, some: pd.DataFrame, own: pd.DataFrame) -> str:
    """The common words of one kind of reason, then every score with what is its own.

    `some` are the rows of this kind, `own` all rows against the same reference.
    """
    visits = set(zip(own["arm"], own["week"], strict=True))
    groups: dict[tuple[str, str], list[str]] = {}
    for (label, reason), rows in some.groupby(["label", "reason"], sort=False):
        where = dict.fromkeys(zip(rows["arm"], rows["week"], strict=True))
        place = "" if set(where) == visits else ", ".join(f"{a} week {w:g}" for a, w in where)
        groups.setdefault((place, reason.removeprefix(f"{kind}: ")), []).append(label)
    numbered = set(own.loc[own["value"].notna(), "label"])
    everything = numbered | set(some["label"])
    head, tail = _shared([reason for _, reason in groups])
    items = []
    for (place, reason), labels in groups.items():
        who = ", ".join(labels)
        if len(labels) > 1 and set(labels) == everything:
            who = "all scores" if everything == set(own["label"]) else "all other scores"
        who = f"{who} ({place})" if place else who
        middle = reason[len(head) : len(reason) - len(tail)].strip()
        between = " " if head or tail else ": "
        items.append(f"{who}{between}{middle}" if len(groups) > 1 else who)
    common = f" ({head}…{tail})" if head or tail else ""
    if len(groups) == 1:
        common = f" ({next(iter(groups))[1]})"
    return f"{common}: {'; '.join(items)}"


def _shared(reasons: list[str]) -> tuple[str, str]:
    """Words that different sentences begin and end with, with the space beside them.

    Examples
    --------
    >>> _shared(["7 of 28 (25 %) found; 5 are asked", "3 of 7 (42 %) found; 5 are asked"])
    ('', ' found; 5 are asked')
    >>> _shared(["the effect is 0.2 (9 patients)", "the effect is 0.3 (9 patients)"])
    ('the effect is ', ' (9 patients)')
    """
    if len(set(reasons)) < 2:
        return "", ""
    words = [reason.split(" ") for reason in reasons]
    # A number belongs to what differs, even if all begin with the same one.
    head = list(takewhile(lambda w: not any(map(str.isdigit, w)), _same(words)))
    tail = _same([w[len(head) :][::-1] for w in words])[::-1]
    while sum(w.count(")") - w.count("(") for w in tail) > 0:
        tail = tail[1:]
    return "".join(f"{w} " for w in head), "".join(f" {w}" for w in tail)


def _same(words: Iterable[list[str]]) -> list[Any]:
    columns = zip(*words, strict=False)
    return [column[0] for column in takewhile(lambda c: len(set(c)) == 1, columns)]
