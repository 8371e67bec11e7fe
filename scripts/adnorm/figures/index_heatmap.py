"""The normalization index as a heatmap: of one cohort, and of all cohorts of a run.

A tile is coloured by its value and paled by its interval, holds a number and its interval, and
joins its neighbours where all lack a number for one reason. Columns that a page has no room for go
on below, with the names of the rows again. Nothing is computed but whether an interval excludes 0.
seaborn's heatmap maps one value to one colour in cells of one size, so these tiles are drawn by
hand, and their jobs do without its import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, takewhile
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from adnorm.base.text import counted, typeset
from adnorm.figures.data import REFERENCES, AtlasData, FigureData, rows_of, sorted_by
from adnorm.figures.heatmap import runs
from adnorm.figures.labels import (
    AS_REFERENCE,
    DERIVED,
    EXPLORATORY,
    SHORT,
    bound,
    digits,
    estimator_note,
    exploratory_note,
    exploratory_rows,
    marked,
    other_disease,
    people,
    plan_note,
    reason_of,
    same_note,
    score_label,
    set_label,
    slanted,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    HEADING,
    Part,
    Sheet,
    draw_pages,
    fit_words,
    lines_of,
    nothing_to_draw,
    page_room,
    text_width,
    wrap_words,
)
from adnorm.figures.theme import FAINT, INK, MARGIN, MISSING, Style, readable_ink
from adnorm.study.diseases import other_than_atopic
from adnorm.study.vocabulary import (
    Arm,
    ComparisonKind,
    DerivedScore,
    Family,
    Level,
    ReasonCode,
    State,
    Statistic,
    Status,
)

COLUMN_KEYS = ["reference", "measure", "arm", "week"]
KEYS = [*COLUMN_KEYS, "set"]
COLUMNS = [
    *(*KEYS, "label", "value", "lower", "upper", "excludes_0", "bold", "p_value", "family", "step"),
    *("adjusted_p_value", "fdr", "as_reference", "estimator", "null_percentile"),
    *("pairs", "placebo_pairs", "lost", "status", "reason_code", "reason"),
]
#: What a drug does more than placebo stands first: a drug is judged by it.
MEASURES = (Statistic.DNI, Statistic.NI)
PRIMARY = "Primary family"
#: Headings with the names of the scores below them.
ScoreBlocks = list[tuple[str, list[str]]]
#: What a column stands for: reference, measure, arm and week, or cohort, arm and week.
Key = tuple[Any, ...]
#: One line of a table.
Row = Mapping[Any, Any]

#: Where the colours end: 0 and 1 stand at a quarter and at three quarters of the scale.
LOWEST, HIGHEST = -0.5, 1.5
#: Worse is orange, normal is teal, beyond normal is dark violet: they differ in lightness too.
STOPS = ("#B35806", "#FFFFFF", "#7CC4BA", "#16837A", "#2D1152")
#: How much of a colour is left where the interval leaves everything open.
PALE = 0.3
#: Inches of the widest column, and of a row with an interval, without one, and with two lines.
WIDEST, ROW, LOW_ROW, HIGH_ROW = 1.0, 0.25, 0.165, 0.235
#: Points of numbers, of intervals and texts in tiles, and of names of rows.
NUMBER, SMALL, NAME = 7.0, 6.0, 7.0
#: The part of a page that names of rows may take, and the most inches.
NAMES, MOST_NAMES = 0.36, 1.4
#: Below this many inches a page is one column of a journal.
ONE_COLUMN = 4.0
#: Inches of the colour bar.
BAR = 2.75
#: A decrease below this percentile of those of random sets is not special.
SPECIAL = 95

ATLAS_KEYS = ["cohort", "arm", "week"]
ATLAS_COLUMNS = [
    *("drawn", *ATLAS_KEYS, "reference", "name", "label", "value", "lower", "upper", "bold"),
    *("as_reference", "pairs", "status", "reason_code", "measure", "reason"),
]
COMPUTED = "computed"

#: Stands where bold is explained: an interval is that of its own tile.
UNADJUSTED = "not adjusted for the number of cells"


class Bar(NamedTuple):
    """What the colours of one measure mean: its title, and words at the five ticks."""

    title: str
    words: tuple[str, str, str, str, str]


#: A difference from placebo says nothing of the level of normal skin.
DIFFERENCE_BAR = Bar(
    "dNI: how much more of the disease effect is gone",
    (
        "less than\non placebo",
        "as on\nplacebo",
        "half of\nit more",
        "all of\nit more",
        "even\nmore",
    ),
)

#: Left and right edge of every column, in inches.
Places = list[tuple[float, float]]


# ---------------------------------------------------------------- colours


@cache
def colours() -> Colormap:
    """Return the colour map of the index: white at 0, teal at 1, orange below, violet above."""
    stops = np.interp([LOWEST, 0.0, 0.5, 1.0, HIGHEST], [LOWEST, HIGHEST], [0, 1])
    return LinearSegmentedColormap.from_list("index", list(zip(stops, STOPS, strict=True)))


def says_nothing(lower: Any, upper: Any) -> Any:
    """Tell whether an interval (or each of a column) includes no change and normal skin."""
    return (lower <= 0) & (upper >= 1)


def tile_colour(value: float, lower: float, upper: float) -> tuple[float, float, float]:
    """Return the colour of an index; pale if its interval includes 0 and 1.

    A strong colour would otherwise tell of a change that nobody has seen.
    """
    position = np.clip((value - LOWEST) / (HIGHEST - LOWEST), 0, 1)
    colour = np.array(colours()(position)[:3])
    red, green, blue = 1 - (1 - colour) * (PALE if says_nothing(lower, upper) else 1.0)
    return red, green, blue


# ---------------------------------------------------------------- what one cohort shows


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
    #: Whether the arms are lesions of the same patients.
    of_lesions: bool = False

    @property
    def columns(self) -> list[Key]:
        """Keys (reference, measure, arm, week) in display order."""
        keys = self.table[COLUMN_KEYS].drop_duplicates()
        return list(keys.itertuples(index=False, name=None))

    @property
    def references(self) -> list[str]:
        """References in display order."""
        return list(dict.fromkeys(self.table["reference"]))

    @property
    def patients(self) -> dict[Key, str]:
        """How many patients stand behind each column."""
        first = self.table.drop_duplicates(COLUMN_KEYS)
        return {
            tuple(row[:4]): people(row.pairs)
            if row.measure == Statistic.NI
            else people(row.pairs, row.placebo_pairs, self.of_lesions)
            for row in rows_of(first[[*COLUMN_KEYS, "pairs", "placebo_pairs"]])
        }


def list_index(data: FigureData) -> IndexTable:
    """Choose rows and columns of the heatmap and list its values from index.tsv."""
    index = data.tables["index"]
    index = index.rename(columns={"name": "set"})
    if index.empty:
        why = data.why_no(ComparisonKind.CHANGE)
        needed = "an index needs lesional skin before and after treatment"
        return IndexTable(pd.DataFrame(columns=COLUMNS), why_not=f"{needed}; {why}")
    blocks, notes = score_blocks(data, index)
    labels = block_labels(data, blocks)
    table = _values(data, index[index["set"].isin(labels)])
    table["label"] = table["set"].map(labels)
    orders = {"reference": REFERENCES, "measure": MEASURES, "arm": data.arms, "set": list(labels)}
    table = sorted_by(table, KEYS, orders).reset_index(drop=True)
    if table["value"].isna().all():
        return IndexTable(table[COLUMNS], why_not=_all_missing(table))
    absent = table["reason_code"] == ReasonCode.NO_REFERENCE
    refused = table[absent].drop_duplicates("reference").sort_values("reference")
    notes += [f"Not shown against {r.reference} skin: {r.reason}." for r in rows_of(refused)]
    table = table[~table["reference"].isin(refused["reference"])]
    if data.placebo:
        table, without_placebo = _drop_empty_differences(table)
        notes += without_placebo
    else:
        notes.append("No placebo arm: the index is uncontrolled.")
    table = table[COLUMNS].reset_index(drop=True)
    shown = index[index["set"].isin(labels) & index["reference"].isin(table["reference"])]
    notes = [
        *plan_note(data, shown),
        *basis_notes(data.tables["denominators"], labels),
        *notes,
        *_like_others(table),
        *_missing_at_visit(table),
        *estimator_note(shown),
    ]
    return IndexTable(table, blocks, labels, notes, of_lesions=data.of_lesions)


# ---------------------------------------------------------------- its rows


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
            f"Not shown, because no disease direction is defined: {counted(directionless, 'set')} "
            "(such as composition and controls)."
        )
    if left := len(signed - kept):
        notes.append(f"Not shown: {counted(left, 'added set')}; all are in index.tsv.")
    return list(blocks.items()), notes


def _rank(data: FigureData, name: str) -> float:
    """Where a score stands: the axis first, scores that are no sets before those of their kind."""
    if name == DerivedScore.GLOBAL:
        return -1.0
    if name in data.sets.index:
        return float(data.sets.index.tolist().index(name))
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


# ---------------------------------------------------------------- its values


def _values(data: FigureData, index: pd.DataFrame) -> pd.DataFrame:
    """List index and placebo-adjusted index as rows of one table."""
    texts = ["status", "reason_code", "reason", "dni_reason_code", "dni_reason"]
    texts += ["family", "as_reference", "estimator", "tested"]
    index = index.assign(**{c: index[c].astype(object).fillna("").astype(str) for c in texts})
    tests = ["p_value", "step", "adjusted_p_value", "fdr"]
    own = index.assign(measure=Statistic.NI.value, value=index["ni"])
    # Every row has one test: that of dNI where there is one.
    own[tests] = own[tests].where(own["tested"] == Statistic.NI)
    drugs = index[~index["arm"].isin([data.placebo, Arm.UNTREATED])]
    drugs = drugs if data.placebo else drugs.iloc[:0]
    usable = drugs["ni"].notna()
    differ = drugs.assign(
        measure=Statistic.DNI.value,
        value=drugs["dni"],
        lower=drugs["dni_lower"],
        upper=drugs["dni_upper"],
        null_percentile=np.nan,
        as_reference="",
        reason_code=drugs["reason_code"].where(~usable, drugs["dni_reason_code"]),
        reason=drugs["dni_reason"].where(usable & (drugs["dni_reason"] != ""), drugs["reason"]),
    )
    differ[tests] = differ[tests].where(differ["tested"] == Statistic.DNI)
    table = pd.concat([own, differ] if len(differ) else [own], ignore_index=True)
    table["uncompared"] = False
    table.loc[len(own) :, "uncompared"] = (usable & drugs["dni"].isna()).to_numpy()
    table = table.astype(dict.fromkeys(("value", "lower", "upper"), float))
    counts = ["pairs", "placebo_pairs", "lost"]
    table[counts] = table[counts].astype(float).fillna(0).astype(int)
    unbounded = table["value"].notna() & (table["lower"].isna() | table["upper"].isna())
    table.loc[unbounded, ["value", "lower", "upper"]] = np.nan
    table.loc[unbounded, "reason_code"] = ReasonCode.UNBOUNDED.value
    table.loc[unbounded, "reason"] = "the interval is unbounded"
    known = table["value"].notna()
    table.loc[known, "reason_code"] = ""
    exploratory = exploratory_rows(table.assign(dni_reason=table["reason"]), difference=True)
    usage = np.where(exploratory, Status.EXPLORATORY.value, Status.OK.value)
    table["status"] = np.where(known, usage, Status.NOT_AVAILABLE.value)
    apart = (table["lower"] > 0) | (table["upper"] < 0)
    table["excludes_0"] = np.where(known, np.where(apart, "yes", "no"), "")
    # An index falls under placebo, too: where there is one, only the difference can stand out.
    judged = table["measure"] == (Statistic.DNI if data.placebo else Statistic.NI)
    table["bold"] = np.where(known & apart & judged, "yes", "no")
    return table


def _drop_empty_differences(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out visits whose placebo cannot be compared, and say why."""
    known = table.groupby(COLUMN_KEYS)["value"].transform("count") > 0
    empty = (table["measure"] == Statistic.DNI) & ~known
    why = table[empty & table["uncompared"]]
    places = why.drop_duplicates(["arm", "week"])
    parts = [f"{row.arm} week {row.week:g}: {row.reason}" for row in rows_of(places)]
    return table[~empty], [f"No dNI: {'; '.join(parts)}."] if parts else []


# ---------------------------------------------------------------- its notes


def basis_notes(effects: pd.DataFrame, labels: dict[str, str]) -> list[str]:
    """Say whose axis the scores on an axis stand on, and when sets are of another disease."""
    rows = effects.assign(basis=effects["basis"].astype(object).fillna("").astype(str))
    rows = rows[(rows["basis"] != "") & rows["name"].isin(list(labels))]
    on_axis = rows["level"].isin([Level.GLOBAL, Level.PUBLISHED_AXIS])
    axes = rows[on_axis].drop_duplicates("name")
    notes = [f"{labels[row.name]}: {row.basis}." for row in rows_of(axes)]
    elsewhere = rows.loc[~on_axis & rows["basis"].str.contains(", against "), "basis"]
    return [*notes, *(f"Gene sets: {basis}." for basis in dict.fromkeys(elsewhere))]


def _like_others(table: pd.DataFrame) -> list[str]:
    """Name scores that are back by an interval above 0, while random sets fall nearly as much."""
    claimed = (table["lower"] > 0) & (table["null_percentile"] < SPECIAL)
    places = table[claimed].drop_duplicates(["set", "arm", "week"])
    parts = [
        f"{row.label}, {row.arm} week {row.week:g} ({row.null_percentile:.0f})"
        for row in rows_of(places)
    ]
    if not parts:
        return []
    return [
        "Not special: random sets of like genes fall by nearly as much (percentile among them): "
        f"{'; '.join(parts)}."
    ]


def _missing_at_visit(table: pd.DataFrame) -> list[str]:
    visits = table[table["lost"] > 0].drop_duplicates(["arm", "week"])
    gone = [f"{row.arm} week {row.week:g}: {row.lost}" for row in rows_of(visits)]
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
        words = [f"{reason_of(str(code))} in {n}" for code, n in counts.items()]
        together = ", ".join(words).replace("effect", "disease effect")
        parts.append(f"against {reference} skin: {together} of {counts.sum()} scores")
    return f"no score of this cohort has an index; {'; '.join(parts)}"


#: What a rule asks stands once; by how much each score misses it is in the table.
_MEASURED = re.compile(r"is (\d[\d.]*|inf) standard errors away(.*?), (\d[\d.]*) are required")
_NUMBER = re.compile(r"−?\d[\d.,]*(?:e[-+]\d+)?")


def reason_notes(shown: IndexTable) -> list[str]:
    """Write why tiles are exploratory or grey; scores that share a reason stand together.

    One note for each kind of reason; one for each reference where their reasons differ.
    """
    table = shown.table.copy()
    fewer = r"is less than \3 standard errors away\2"
    reasons = table["reason"].map(typeset).str.replace(_MEASURED, fewer, regex=True)
    kinds = table["reason_code"].map(SHORT).fillna(table["reason_code"])
    exploratory = table["status"] == Status.EXPLORATORY
    table = table.assign(
        reason=reasons,
        # Sentences that differ in more than their numbers share few words.
        rule=reasons.str.replace(_NUMBER, "…", regex=True),
        kind=kinds.mask(exploratory, ""),
    )
    notes: dict[tuple[str, str], list[str]] = {}
    for kind in SHORT.values():
        for reference in shown.references:
            own = table[table["reference"] == reference]
            for _, alike in own[own["kind"] == kind].groupby("rule", sort=False):
                notes.setdefault((kind, _who(kind, alike, own)), []).append(reference)
    written = exploratory_note(shown.table.loc[exploratory, "reason"])
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
    for keys, rows in some.groupby(["label", "reason"], sort=False):
        label, reason = map(str, keys)
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
    >>> _shared(["7 of 28 (25 %) found; 5 are required", "3 of 7 (42 %) found; 5 are required"])
    ('', ' found; 5 are required')
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


# ---------------------------------------------------------------- one cohort


def draw_normalization(data: FigureData) -> tuple[Figure | list[Figure], pd.DataFrame]:
    """Draw the index of the global axis and of every signed set, and what placebo leaves of it.

    On a page of one column the primary family stands first, one row per arm and visit. The table
    has one row for each tile, in the order of the figure; `dNI` first, then `NI`.
    """
    title = TITLES["normalization"]
    shown = list_index(data)
    if shown.why_not:
        return nothing_to_draw(title, data.facts, shown.why_not, COLUMNS, shown.table)
    rows = shown.table.set_index([*COLUMN_KEYS, "set"]).to_dict("index")
    pages = _short_form(data, shown, rows) if data.width < ONE_COLUMN else []
    scores = counted(len(shown.labels), "score")
    subtitle = f"{scores}; below a number its {data.confidence} interval; n = patients"
    look = Look(ROW, 0.185, joined=3, interval=True)
    table = Tiles(data, title, subtitle, shown.blocks, shown.labels, rows, look)
    # Blocks of the measures stand side by side only if all of them do.
    bands = table.bands(shown.columns, 3, _least(shown.table), _cohort_gap, 2)
    heads = [_cohort_head(data, shown, *band) for band in bands]
    key = _keys_of(table, shown, _cohort_samples(data, shown))
    notes = [*_cohort_notes(shown, data), *reason_notes(shown), *shown.notes]
    return [*pages, *table.pages(bands, heads, key, notes)], shown.table[COLUMNS]


def _least(table: pd.DataFrame) -> float:
    """Inches of the narrowest column that holds every interval and number of patients."""
    return max(text_width(_written(table), SMALL) + 0.05, 0.42)


def _written(table: pd.DataFrame) -> list[str]:
    """Write the intervals of the numbers that are known."""
    known = table[table["value"].notna()]
    return [_interval(row.lower, row.upper) for row in rows_of(known)]


def _cohort_gap(before: Key, column: Key) -> float:
    """Inches between two columns: wider between larger blocks."""
    same = [a == b for a, b in zip(before[:3], column[:3], strict=True)]
    return 0.26 if not same[0] else 0.2 if not same[1] else 0.0 if same[2] else 0.05


def _short_form(data: FigureData, shown: IndexTable, rows: Mapping[Any, Row]) -> list[Figure]:
    """Draw the primary family alone: one row per arm and visit, minus placebo if there is one."""
    measure = MEASURES[0] if data.placebo else MEASURES[-1]
    reference = shown.references[0]
    columns = [c for c in shown.columns if c[:2] == (reference, measure)]
    names = [(name,) for heading, some in shown.blocks if heading == PRIMARY for name in some]
    if not columns or not names:
        return []
    names_of = {key: f"{key[2]} {key[3]:g}" for key in columns}
    blocks = [
        (arm, [names_of[key] for key in keys]) for arm, keys in grouped(columns, lambda key: key[2])
    ]
    labels = {names_of[key]: f"week {key[3]:g}\n{shown.patients[key]}" for key in columns}
    turned = {(*name, names_of[key]): rows[(*key, *name)] for name in names for key in columns}
    what = "minus placebo" if data.placebo else "uncontrolled"
    subtitle = f"below a number its {data.confidence} interval; n = patients"
    look = Look(ROW, 0.19, joined=0, interval=True)
    title = f"How far back to normal: primary family, {what}"
    table = Tiles(data, title, subtitle, blocks, labels, turned, look, data.arm_colours)
    own = shown.table[(shown.table["measure"] == measure) & (shown.table["reference"] == reference)]
    own = own[own["set"].isin([name for (name,) in names])]
    bands = table.bands(names, 0, _least(own), lambda *_: 0.0, 0)
    heads = []
    for some, places in bands:
        feet = [shown.labels[name] for (name,) in some]
        heads.append(Head([], [], feet, places, 7, frozenset([measure])))
    only = IndexTable(own)
    key = _keys_of(table, only, _cohort_samples(data, only))
    return list(table.pages(bands, heads, key, _measure_notes(only, data)))


def _cohort_head(data: FigureData, shown: IndexTable, columns: list[Key], places: Places) -> Head:
    titles = {
        Statistic.NI: "Normalization index (NI)",
        Statistic.DNI: "Minus placebo, given the score at baseline (dNI)",
    }
    tops = []
    for (reference, measure), a, b in _spans(columns, places, 2):
        several = len(shown.references) > 1
        text = f"{titles[measure]}, against {reference} skin" if several else titles[measure]
        tops.append((fit_words(text, 7.5, b - a, bold=True), a, b))
    arms = [(arm, data.arm_colours[arm], a, b) for (_, _, arm), a, b in _spans(columns, places, 3)]
    feet = [
        f"week {column[3]:g}\n" + shown.patients[column].replace(" and ", "\nand ")
        for column in columns
    ]
    return Head(tops, arms, feet, places, 7.5, frozenset(key[1] for key in columns))


def _meaning(shown: IndexTable) -> tuple[str, str]:
    """What 1 and 0 of the index are called at the colour bar."""
    normal = shown.references[0] if len(shown.references) == 1 else "reference"
    untreated = set(shown.table["arm"]) <= {Arm.UNTREATED}
    return normal, "at baseline" if untreated else "before treatment"


def _cohort_samples(data: FigureData, shown: IndexTable) -> list[tuple[Style, str]]:
    known = shown.table[shown.table["value"].notna()]
    tested = "of dNI excludes 0, NI is never bold" if data.placebo else "of NI excludes 0"
    return [
        *([({"text": "0.62", "weight": "bold"}, f"interval {tested}; {UNADJUSTED}")]
          if (known["bold"] == "yes").any() else []),
        *_other_samples(known, same_note(data, shown.references), len(known) < len(shown.table)),
    ]  # fmt: skip


def _measure_notes(shown: IndexTable, data: FigureData) -> list[str]:
    skins = " or ".join(shown.references)
    written = " ".join(_written(shown.table))
    near = ' An end written "< 0" or "> 0" is nearer to 0 than three decimals can tell.'
    if "< 0" not in written and "> 0" not in written:
        near = ""
    effect = f"the disease effect (lesional − {skins} skin at baseline)"
    if Statistic.DNI not in set(shown.table["measure"]):
        uncontrolled = "Uncontrolled: scores fall on placebo, too."
        return [f"NI: share of {effect} that is gone. {uncontrolled}{near}"]
    within = " Lesions are compared within patients; n = patients with lesions in both arms."
    return [
        f"NI: share of {effect} that is gone. dNI: how much more of it is gone than on placebo in "
        "the same week, given the score at baseline; a drug is judged by dNI, because scores fall "
        "on placebo, too (regression to the mean)."
        f"{within if data.of_lesions else ' n of dNI: drug and placebo.'}{near}"
    ]


def _cohort_notes(shown: IndexTable, data: FigureData) -> list[str]:
    disease = other_disease(data)
    borrowed = f"Directions of gene sets are those of atopic dermatitis, not of {disease}."
    return [*_measure_notes(shown, data), *([borrowed] if disease else [])]


# ---------------------------------------------------------------- all cohorts


def draw_normalization_atlas(
    data: AtlasData,
) -> tuple[Figure | Iterator[Figure], pd.DataFrame]:
    """Draw the index of every score in every arm and week of every cohort.

    The table has one row for each tile. Pages are drawn as they are asked for: of 200 cohorts there
    are 68, some 50 MB each.
    """
    title = TITLES["normalization_atlas"]
    time = data.time.rename(columns={"name": "set"})
    blocks, notes = score_blocks(data, time)
    labels = block_labels(data, blocks)
    table = _atlas_table(data, time[time["set"].isin(labels)], labels)
    if table["value"].isna().all():
        reason = "no cohort of this run has an index over visits"
        return nothing_to_draw(title, data.facts, reason, ATLAS_COLUMNS, table)
    columns = list(table[ATLAS_KEYS].drop_duplicates().itertuples(index=False, name=None))
    visits = counted(len(columns), "arm and week", "arms and weeks")
    subtitle = f"{counted(len(labels), 'score')}; {visits}; n = patients"
    rows = table.set_index([*ATLAS_KEYS, "name"]).to_dict("index")
    look = Look(LOW_ROW, 0.18, joined=1, interval=False)
    tiles = Tiles(data, title, subtitle, blocks, labels, rows, look)
    known = table[table["value"].notna()]
    bands = tiles.bands(columns, 2, 0.42, _atlas_gap, 1)
    heads = [_atlas_head(data, table, *band) for band in bands]
    bold = f"no placebo, interval of NI excludes 0; {UNADJUSTED}"
    never = "cohort with placebo: NI is never bold, a drug is judged by dNI"
    controlled = known["cohort"].map(data.placebo_of) != ""
    samples: list[tuple[Style, str]] = [
        *([({"text": "0.62", "weight": "bold"}, bold)] if (known["bold"] == "yes").any() else []),
        *([({"text": "0.62"}, never)] if controlled.any() else []),
        *_other_samples(
            known, same_note(data, ["reference"]), len(known) < len(table), "reasons in the table"
        ),
    ]
    key = _key(tiles.make(""), [_index_bar("reference", "before treatment")], samples)
    doubted = exploratory_note(table.loc[table["status"] == Status.EXPLORATORY, "reason"])
    model = estimator_note(time, by="cohort")
    below = [*ATLAS_NOTES, *doubted, *_borrowed(data), *notes, *model, *data.absent_note]
    return tiles.pages(bands, heads, key, below), table[ATLAS_COLUMNS]


def _borrowed(data: AtlasData) -> list[str]:
    """Say of cohorts of other diseases whose directions their gene sets have."""
    others = [other for d in data.diseases.values() if (other := other_than_atopic(d))]
    named = " and ".join(dict.fromkeys(others))
    return [f"Directions of gene sets are those of atopic dermatitis, also in {named}."] * bool(
        named
    )


def _atlas_table(data: AtlasData, time: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    order = {name: i for i, name in enumerate(labels)}
    time = time.assign(rank=time["set"].map(order)).sort_values(["place", "week", "rank"])
    known = time["ni"].notna()
    controlled = time["cohort"].map(data.placebo_of) != ""
    apart = (time["lower"] > 0) | (time["upper"] < 0)
    exploratory = exploratory_rows(time)
    table = time.assign(
        drawn=COMPUTED,
        name=time["set"],
        label=time["set"].map(labels),
        value=time["ni"],
        # Scores fall on placebo, too: an index beside a placebo arm says nothing of the drug.
        bold=np.where(known & apart & ~controlled, "yes", "no"),
        status=np.where(
            known,
            np.where(exploratory, Status.EXPLORATORY.value, Status.OK.value),
            Status.NOT_AVAILABLE.value,
        ),
        reason_code=time["reason_code"].where(~known, ""),
        measure=Statistic.NI.value,
    )
    table[["lower", "upper"]] = table[["lower", "upper"]].where(known)
    return table.reset_index(drop=True).reindex(columns=ATLAS_COLUMNS)


def _atlas_gap(before: Key, column: Key) -> float:
    return 0.2 if before[0] != column[0] else 0.05 if before[1] != column[1] else 0.0


def _atlas_head(data: AtlasData, table: pd.DataFrame, columns: list[Key], places: Places) -> Head:
    references = table.drop_duplicates("cohort").set_index("cohort")["reference"]
    tops = []
    for (cohort,), a, b in _spans(columns, places, 1):
        text = data.name(cohort)
        if references[cohort] == State.HEALTHY:
            text += f", against {references[cohort]} skin"
        tops.append((fit_words(text, 7, b - a, bold=True), a, b))
    arms = [(key[1], data.colours[key], a, b) for key, a, b in _spans(columns, places, 2)]
    n = table.drop_duplicates(ATLAS_KEYS).set_index(ATLAS_KEYS)["pairs"]
    feet = [f"week {column[2]:g}\n{people(int(n[column]))}" for column in columns]
    return Head(tops, arms, feet, places, 7)


ATLAS_NOTES = (
    "NI: share of the disease effect (lesional − reference skin at baseline) that is gone; the "
    "reference is nonlesional skin where no other is named. Scores fall on placebo, too: what a "
    "drug does more than placebo (dNI) stands in the forest and in the figure of each cohort. "
    "Intervals: in the table.",
    "Weeks differ between cohorts: compare drugs in the forest, where windows are matched.",
)


# ---------------------------------------------------------------- tiles, header and key of both


class Look(NamedTuple):
    """Inches of a row and of a heading; how many keys joined tiles share; whether to write both.

    `joined` counts the first keys of a column that tiles without a number must share to be joined.
    """

    row: float
    heading: float
    joined: int
    interval: bool


class Head(NamedTuple):
    """What stands above the columns of a band: blocks, arms with their colour, visits.

    Without arms, the names of the columns stand upright.
    """

    tops: list[tuple[str, float, float]]
    arms: list[tuple[str, str, float, float]]
    feet: list[str]
    places: Places
    size: float
    #: Measures of the tiles below; the key of a page explains those that it has.
    measures: frozenset[str] = frozenset()

    @property
    def turned(self) -> list[str]:
        """Names of columns that stand upright, in lines of a third of their length."""
        return [fit_words(text, SMALL, 0.95) for text in self.feet]

    @property
    def names(self) -> list[str]:
        """Names of arms, broken to the width of their columns."""
        return [fit_words(arm, self.size - 0.5, b - a - 0.02) for arm, _, a, b in self.arms]

    @property
    def height(self) -> float:
        """Inches down to the tiles."""
        if not self.arms:
            return text_width([ln for t in self.turned for ln in t.split("\n")], SMALL) + 0.12
        return self._arms_end + 0.09 + 0.112 * lines_of(self.feet) + 0.03

    @property
    def _tops_end(self) -> float:
        return 0.06 + 0.0187 * self.size * lines_of(text for text, _, _ in self.tops)

    @property
    def _arms_end(self) -> float:
        return self._tops_end + 0.1 + 0.0178 * (self.size - 0.5) * lines_of(self.names)

    def draw(self, sheet: Sheet, y: float) -> None:
        """Write it below `y`."""
        for text, a, b in self.tops:
            middle = (a + b) / 2
            # A block that is narrower than its name begins where its columns do.
            wide = text_width(text.split("\n"), self.size, bold=True) > b - a
            place = {"ha": "left"} if wide else {}
            x = a if wide else middle
            sheet.text(x, y + self._tops_end - 0.05, text, size=self.size, weight="bold",
                       **HEADING | place)  # fmt: skip
        for text, (_, colour, a, b) in zip(self.names, self.arms, strict=True):
            below = y + self._arms_end
            sheet.text((a + b) / 2, below - 0.05, text, size=self.size - 0.5, **HEADING)
            sheet.box(a + 0.012, below, b - a - 0.024, 0.06, facecolor=colour)
        style: Style = {"size": SMALL, "ha": "center", "linespacing": 1.2}
        if self.arms:
            style |= {"color": FAINT, "va": "top"}
            texts, at = self.feet, y + self._arms_end + 0.085
        else:
            style |= {"rotation": 90, "multialignment": "left", "va": "bottom"}
            texts, at = self.turned, y + self.height - 0.05
        for text, (a, b) in zip(texts, self.places, strict=True):
            sheet.text((a + b) / 2, at, text, **style)


@dataclass
class Tiles:
    """Scores × columns on pages: what stands in tiles, and how wide and high pages let it be."""

    data: FigureData
    title: str
    subtitle: str
    blocks: ScoreBlocks
    labels: dict[str, str]
    rows: Mapping[Any, Row]
    look: Look
    #: Colours that stand beside headings.
    colours: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Break the names of rows to the part of the page that they may take."""
        room = min(NAMES * self.data.width, MOST_NAMES)
        self.names = {
            key: "\n".join(fit_words(line, NAME, room) for line in text.split("\n"))
            for key, text in self.labels.items()
        }
        if lines_of(self.names.values()) > 1:
            self.look = self.look._replace(row=max(self.look.row, HIGH_ROW))
            # Three lines have no room in a row.
            self.names = {
                key: text if text.count("\n") < 2 else fit_words(self.labels[key], 6, room * 1.15)
                for key, text in self.names.items()
            }
        wide = text_width([line for n in self.names.values() for line in n.split("\n")], NAME)
        self.left = -wide - 0.12

    def make(self, part: str) -> Sheet:
        """Make an empty page."""
        return Sheet(self.title, self.data.facts, self.subtitle, left=self.left, part=part)

    def bands(
        self,
        columns: list[Key],
        arm: int,
        least: float,
        gap: Callable[[Key, Key], float],
        block: int,
    ) -> list[tuple[list[Key], Places]]:
        """Break columns into bands that the page has room for, with the places of the columns.

        Parameters
        ----------
        columns
            Keys of the columns.
        arm, block
            How many first keys the columns of an arm, and of a block share: they stay together.
        least
            Inches of the narrowest column.
        gap
            Inches between two columns.
        """
        room = self.data.width - 2 * MARGIN + self.left
        for most in range(len(columns), 0, -1):
            # Cohorts may stand side by side; measures do only if all of them do.
            share = block == 1 or most == len(columns)
            bands = _broken(columns, block, arm, most, share)
            gaps = [sum(gap(a, b) for a, b in zip(some, some[1:], strict=False)) for some in bands]
            sizes = [
                (room - between) / len(some) for between, some in zip(gaps, bands, strict=True)
            ]
            if min(sizes) >= least or most == 1:
                break
        size = min(*sizes, WIDEST)
        return [(some, _places(some, size, gap)) for some in bands]

    def pages(
        self,
        bands: list[tuple[list[Key], Places]],
        heads: list[Head],
        key: Part | Callable[[Sequence[Part]], Part],
        notes: list[str],
    ) -> Iterator[Figure]:
        """Draw every band with its head and the names of the rows, on as many pages as it takes."""
        parts = []
        whole = page_room(self.make)
        for (columns, places), head in zip(bands, heads, strict=True):
            empty = Part(0.0, lambda sheet, y: None, head.measures)
            room = whole - (key if isinstance(key, Part) else key([empty])).height
            for blocks in self._chunks(room - head.height - 0.1):
                height = head.height + self._height(blocks) + 0.1

                def draw(
                    sheet: Sheet,
                    y: float,
                    head: Head = head,
                    blocks: ScoreBlocks = blocks,
                    columns: list[Key] = columns,
                    places: Places = places,
                ) -> None:
                    head.draw(sheet, y)
                    self._draw(sheet, y + head.height, blocks, columns, places)

                parts.append(Part(height, draw, head.measures))
        return draw_pages(self.make, parts, key, notes)

    def _height(self, blocks: ScoreBlocks) -> float:
        return sum(self._heading(heading)[1] + self.look.row * len(names)
                   for heading, names in blocks)  # fmt: skip

    def _heading(self, text: str) -> tuple[str, float]:
        """Break a heading to the room behind its colour, or right of the names; with its inches."""
        room = self.data.width - 2 * MARGIN - 0.04 + (-0.2 if self.colours else self.left)
        lines = fit_words(text, 7.5, room, bold=True)
        return lines, self.look.heading + 0.12 * (lines_of([lines]) - 1)

    def _chunks(self, room: float) -> list[ScoreBlocks]:
        """Break the rows into blocks that a page has room for; headings are repeated."""
        chunks: list[ScoreBlocks] = [[]]
        used = 0.0
        for heading, names in self.blocks:
            for number, name in enumerate(names):
                begins = number == 0
                more = f"{heading}, continued"
                height = self.look.row + (self._heading(heading)[1] if begins else 0.0)
                # No heading alone at the foot of a page.
                if chunks[-1] and used + height > room:
                    chunks.append([])
                    used, begins = 0.0, True
                    height = self.look.row + self._heading(more)[1]
                if begins:
                    chunks[-1].append((heading if number == 0 else more, []))
                chunks[-1][-1][1].append(name)
                used += height
        return chunks

    def _draw(
        self, sheet: Sheet, y: float, blocks: ScoreBlocks, columns: list[Key], places: Places
    ) -> None:
        look, height = self.look, self._height(blocks)
        axes = sheet.axes(0, y, places[-1][1], height)
        axes.set(xlim=(0, places[-1][1]), ylim=(height, 0))
        axes.set_axis_off()
        below = 0.0
        boxes: list[tuple[tuple[float, ...], Any]] = []
        for heading, names in blocks:
            text, tall = self._heading(heading)
            middle = y + below + tall / 2 + 0.005
            colour = self.colours.get(heading.removesuffix(", continued"))
            if colour:
                sheet.box(sheet.left, middle - 0.045, 0.14, 0.09, facecolor=colour)
            x = sheet.left + 0.2 if colour else 0
            sheet.text(x, middle, text, size=7.5, weight="bold", va="center", linespacing=1.1)
            below += tall
            for name in names:
                middle = y + below + look.row / 2
                label: Style = {"size": NAME, "ha": "right", "va": "center", "linespacing": 1.05}
                sheet.text(-0.06, middle, self.names[name], **label)
                own = [self.rows[(*column, name)] for column in columns]
                for a, b in _joined(own, columns, look.joined):
                    x, right = places[a][0], places[b - 1][1]
                    colour = _write_tile(axes, own[a], x, right, below, look)
                    boxes.append(((x, below, right, below + look.row), colour))
                below += look.row
        corners = [[(a, b), (c, b), (c, d), (a, d)] for (a, b, c, d), _ in boxes]
        style: Style = {"edgecolors": "white", "linewidths": 0.9, "zorder": 1}
        filled = PolyCollection(corners, facecolors=[colour for _, colour in boxes], **style)
        # What lies inside the panel need not be measured to find the size of the page.
        filled.set_in_layout(False)
        axes.add_collection(filled, autolim=False)


def _broken(columns: list[Key], block: int, arm: int, most: int, share: bool) -> list[list[Key]]:
    """Break columns into bands of `most`; arms, and where they fit blocks, stay whole.

    Examples
    --------
    >>> _broken([("a", 1), ("a", 2), ("b", 1), ("b", 2)], 0, 1, 3, True)
    [[('a', 1), ('a', 2)], [('b', 1), ('b', 2)]]
    """
    bands: list[list[Key]] = [[]]
    for _, own in grouped(columns, lambda key: key[:block]):
        if bands[-1] and (not share or len(bands[-1]) + len(own) > most):
            bands.append([])
        for _, visits in grouped(own, lambda key: key[:arm]):
            for start in range(0, len(visits), most):
                some = visits[start : start + most]
                if bands[-1] and len(bands[-1]) + len(some) > most:
                    bands.append([])
                bands[-1] += some
    return bands


def grouped(columns: list[Key], key: Callable[[Key], Any]) -> list[tuple[Any, list[Key]]]:
    """List neighbours that share a key."""
    return [(shared, list(some)) for shared, some in groupby(columns, key=key)]


def _places(columns: list[Key], size: float, gap: Callable[[Key, Key], float]) -> Places:
    x, places = 0.0, []
    for before, column in zip([columns[0], *columns[:-1]], columns, strict=True):
        x += gap(before, column)
        places.append((x, x + size))
        x += size
    return places


def _spans(columns: list[Key], places: Places, depth: int) -> list[tuple[Key, float, float]]:
    """Blocks of columns that share their first parts: the parts, left and right edge."""
    blocks = runs(column[:depth] for column in columns)
    return [(key, places[start][0], places[end - 1][1]) for key, start, end in blocks]


def _joined(rows: list[Row], columns: list[Key], shared: int) -> list[tuple[int, int]]:
    """Start and end of tiles; neighbours without a number for one reason make one."""

    def tile(i: int) -> Key:
        lacking = np.isnan(rows[i]["value"])
        return (columns[i][:shared], rows[i]["reason_code"]) if lacking else (i,)

    return [(start, end) for _, start, end in runs(map(tile, range(len(rows))))]


def _interval(lower: float, upper: float) -> str:
    """Write an interval for a tile, which has no room for more than three digits.

    Examples
    --------
    >>> _interval(-0.1, 0.3), _interval(0.004, 0.3), _interval(-0.00002, 0.3)
    ('−0.10, 0.30', '0.004, 0.30', '< 0, 0.30')
    """
    ends = [bound(end) for end in (lower, upper)]
    far = ("> 0" if end > 0 else "< 0" for end in (lower, upper))
    short = (
        other if len(e.lstrip("−")) > len("0.000") else e
        for e, other in zip(ends, far, strict=True)
    )
    return ", ".join(short)


def _write_tile(axes: Axes, row: Row, x: float, right: float, below: float, look: Look) -> Any:
    """Write an index and its interval, or why there is none; return the colour of the tile."""
    middle = (x + right) / 2
    style: Style = {"ha": "center", "va": "center", "in_layout": False}
    if np.isnan(row["value"]):
        text = wrap_words(reason_of(row["reason_code"]), SMALL, right - x - 0.04)
        lines = int(look.row / 0.1)
        # What a tile has no room for stands below the figure.
        text = text if text and lines_of([text]) <= lines else "–"
        axes.text(middle, below + look.row / 2, text, size=SMALL, color=INK, linespacing=1.05,
                  **style)  # fmt: skip
        return MISSING
    colour = tile_colour(row["value"], row["lower"], row["upper"])
    exploratory = row["status"] == Status.EXPLORATORY
    style |= {"color": readable_ink(colour)} | slanted(exploratory)
    weight = "bold" if row["bold"] == "yes" else "normal"
    at = 0.34 if look.interval else 0.5
    text = marked(digits(row["value"]), exploratory)
    text += f" {AS_REFERENCE}" if row["as_reference"] == "yes" else ""
    size = NUMBER if look.interval else 6.5
    axes.text(middle, below + look.row * at, text, size=size, weight=weight, **style)
    if look.interval:
        interval = _interval(row["lower"], row["upper"])
        axes.text(middle, below + look.row * 0.76, interval, size=SMALL, **style)
    return colour


def _keys_of(
    tiles: Tiles, shown: IndexTable, samples: list[tuple[Style, str]]
) -> Callable[[Sequence[Part]], Part]:
    """Make the key of each page: the colours mean other things for NI and for dNI."""
    bars = {Statistic.DNI.value: DIFFERENCE_BAR, Statistic.NI.value: _index_bar(*_meaning(shown))}

    def key(parts: Sequence[Part]) -> Part:
        on_page = {measure for part in parts for measure in part.about}
        return _key(tiles.make(""), [bars[m] for m in bars if m in on_page], samples)

    return key


def _key(probe: Sheet, bars: Sequence[Bar], samples: list[tuple[Style, str]]) -> Part:
    """Colour bars of a page, and what its tiles mean: beside one bar on a wide page, or below."""

    def draw(sheet: Sheet, y: float) -> float:
        y += 0.06
        if sheet.width < ONE_COLUMN:
            for bar in bars:
                y = _draw_bar(sheet, sheet.left, y, bar) + 0.06
            return sheet.keys(y, samples) + 0.08
        ends = [
            _draw_bar(sheet, sheet.left + place * (BAR + 0.5), y, bar)
            for place, bar in enumerate(bars)
        ]
        if len(bars) == 1:
            x = sheet.left + BAR + 0.5
            return max(*ends, sheet.keys(y, samples, x, sheet.width - BAR - 0.5)) + 0.08
        return sheet.keys(max(ends) + 0.06, samples) + 0.08

    return Part(draw(probe, 0.0), draw)


def _index_bar(normal: str, start: str) -> Bar:
    """What the colours of NI mean, in a cohort whose reference and start are called so."""
    begins = start.replace(" ", "\n", 1)
    words = ("worse", f"as {begins}", "half way", f"as {normal}\nskin", "past\nthat level")
    return Bar("NI: how much of the disease effect is gone", words)


def _draw_bar(sheet: Sheet, x: float, y: float, key: Bar) -> float:
    """Draw a colour bar of the index and say what its colours mean; return where it ends."""
    sheet.text(x, y + 0.1, key.title, size=7, va="baseline")
    axes = sheet.axes(x + 0.26, y + 0.16, BAR - 0.5, 0.1)
    mappable = ScalarMappable(Normalize(LOWEST, HIGHEST), colours())
    bar = sheet.figure.colorbar(mappable, cax=axes, orientation="horizontal")
    ends = (f"≤ −{-LOWEST:g}", "0", "0.5", "1", f"≥ {HIGHEST:g}")
    labels = [f"{end}\n{words}" for end, words in zip(ends, key.words, strict=True)]
    bar.set_ticks([LOWEST, 0.0, 0.5, 1.0, HIGHEST], labels=labels)
    bar.outline.set_linewidth(0.4)
    axes.tick_params(labelsize=6, length=2, pad=1.5)
    return y + 0.39 + 0.1 * lines_of(key.words)


def _other_samples(
    known: pd.DataFrame, same: str, lacking: bool, where: str = "see notes"
) -> list[tuple[Style, str]]:
    """What exploratory, equal, pale and grey tiles are, where there are any."""
    exploratory = bool((known["status"] == Status.EXPLORATORY).any())
    pale = bool(says_nothing(known["lower"], known["upper"]).any())
    kinds: list[tuple[bool, Style, str]] = [
        (exploratory, {"text": f"0.62{EXPLORATORY}", **slanted(True)}, "exploratory, see notes"),
        (bool((known["as_reference"] == "yes").any()), {"text": f"0.97 {AS_REFERENCE}"},
         same.replace("\n", " ")),
        (pale, {"facecolor": tile_colour(1.0, 0.0, 1.0), "edgecolor": FAINT, "lw": 0.3},
         "pale: interval includes 0 and 1, inconclusive"),
        (lacking, {"facecolor": MISSING}, f"no index, {where}"),
    ]  # fmt: skip
    return [(style, meaning) for used, style, meaning in kinds if used]
