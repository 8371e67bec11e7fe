"""The normalization index as a heatmap: of one cohort, and of all cohorts of a run.

A tile is coloured by its value and paled by its interval, holds a number and its interval, and
joins its neighbours where all lack a number for one reason. Nothing is computed but whether an
interval excludes 0. seaborn's heatmap maps one value to one
colour in cells of one size, so these tiles are drawn by hand, and their jobs do without its import.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, takewhile
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from adnorm.base.text import counted, typeset
from adnorm.figures.data import REFERENCES, AtlasData, FigureData, rows_of, sorted_by
from adnorm.figures.labels import (
    AS_REFERENCE,
    DERIVED,
    SHORT,
    digits,
    estimator_note,
    plan_note,
    reason_of,
    same_note,
    score_label,
    set_label,
    without_doi,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import HEADING, Sheet, fit_words, lines_of, nothing_to_draw, text_width
from adnorm.figures.theme import FAINT, MISSING, Style, readable_ink, shorten
from adnorm.study.vocabulary import (
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
    *(*KEYS, "label", "value", "lower", "upper", "excludes_0", "p_value", "family", "step"),
    *("adjusted_p_value", "fdr", "as_reference", "estimator", "null_percentile"),
    *("pairs", "placebo_pairs", "lost", "status", "reason_code", "reason"),
]
MEASURES = (Statistic.NI, Statistic.DNI)
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
#: Inches of the narrowest and the widest column of a cohort.
NARROWEST, WIDEST = 0.68, 1.05
#: More columns than this put the second reference below the first one.
MOST_COLUMNS = 16
HATCH = "//////"
#: A decrease below this percentile of those of random sets is not special.
SPECIAL = 95

ATLAS_KEYS = ["cohort", "arm", "week"]
ATLAS_COLUMNS = [
    *("drawn", *ATLAS_KEYS, "reference", "name", "label", "value", "lower", "upper", "bold"),
    *("as_reference", "pairs", "status", "reason_code", "measure", "source", "reason"),
]
COMPUTED, PUBLISHED = "computed", "published, not recomputed"
#: Least inches of a column of the atlas, and of all columns of an arm and of a cohort.
VISIT, ARM, COHORT = 0.44, 0.8, 1.05

#: Left and right edge of every column, in inches.
Places = list[tuple[float, float]]


# ---------------------------------------------------------------- colours


@cache
def colours() -> Colormap:
    """Return the colour map of the index: white at 0, teal at 1, orange below, violet above."""
    stops = np.interp([LOWEST, 0.0, 0.5, 1.0, HIGHEST], [LOWEST, HIGHEST], [0, 1])
    return LinearSegmentedColormap.from_list("index", list(zip(stops, STOPS, strict=True)))


def says_nothing(lower: Any, upper: Any) -> Any:
    """Tell whether an interval (or each of a column) holds both no change and normal skin."""
    return (lower <= 0) & (upper >= 1)


def tile_colour(value: float, lower: float, upper: float) -> tuple[float, float, float]:
    """Return the colour of an index; pale if its interval holds both 0 and 1.

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
        return list(dict.fromkeys(column[0] for column in self.columns))

    @property
    def patients(self) -> dict[Key, str]:
        """How many patients stand behind each column."""
        first = self.table.drop_duplicates(COLUMN_KEYS)
        return {
            tuple(row[:4]): f"n={row.pairs}"
            if row.measure == Statistic.NI
            else f"n={row.placebo_pairs}"
            if self.of_lesions
            else f"{row.pairs} v {row.placebo_pairs}"
            for row in first[[*COLUMN_KEYS, "pairs", "placebo_pairs"]].itertuples(index=False)
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
    exploratory = table["status"] == Status.EXPLORATORY
    exploratory |= table["reason"].str.startswith(Status.EXPLORATORY)
    usage = np.where(exploratory, Status.EXPLORATORY.value, Status.OK.value)
    table["status"] = np.where(known, usage, Status.NOT_AVAILABLE.value)
    apart = (table["lower"] > 0) | (table["upper"] < 0)
    table["excludes_0"] = np.where(known, np.where(apart, "yes", "no"), "")
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
    """Write why tiles are grey or exploratory; scores that share a reason stand together.

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


# ---------------------------------------------------------------- one cohort


def draw_normalization(data: FigureData) -> tuple[Figure, pd.DataFrame]:
    """Draw the index of the global axis and of every signed set, and what placebo leaves of it.

    The table has one row for each tile, in the order of the figure; `NI` first, then `dNI`.
    """
    shown = list_index(data)
    if shown.why_not:
        title = TITLES["normalization"]
        return nothing_to_draw(title, data.facts, shown.why_not, COLUMNS, shown.table)
    left = -text_width(shown.labels.values(), 7) - 0.14
    scores = counted(len(shown.labels), "score")
    subtitle = f"{scores}; {data.confidence} confidence intervals; n = patients"
    sheet = Sheet(TITLES["normalization"], data.facts, subtitle, left=left)
    columns = shown.columns
    panels = [columns]
    if len(columns) > MOST_COLUMNS:
        panels = [list(some) for _, some in groupby(columns, key=lambda c: c[0])]
    rows = shown.table.set_index([*COLUMN_KEYS, "set"]).to_dict("index")
    look = Look(0.275, 0.2, joined=3, interval=True)
    end, width = 0.0, 0.0
    for panel in panels:
        places = _cohort_places(panel)
        y = _cohort_header(sheet, data, shown, panel, places, end + (0.3 if end else 0.0))
        end = _draw_tiles(sheet, y, shown.blocks, shown.labels, panel, places, rows, look)
        width = max(width, places[-1][1])
    below = _cohort_key(sheet, data, shown, width + 0.3)
    notes = _cohort_notes(shown, data)
    sheet.notes(max(end + 0.13, below), max(width + 1.6 - left, 6.0), notes)
    return sheet.figure, shown.table[COLUMNS]


def _cohort_places(columns: list[Key]) -> Places:
    """Equal columns, with wider gaps between larger blocks."""
    size = float(np.clip(4.0 / len(columns), NARROWEST, WIDEST))
    x, places = 0.0, []
    for before, column in zip([columns[0], *columns[:-1]], columns, strict=True):
        same = [a == b for a, b in zip(before[:3], column[:3], strict=True)]
        x += 0.26 if not same[0] else 0.18 if not same[1] else 0.0 if same[2] else 0.05
        places.append((x, x + size))
        x += size
    return places


def _cohort_header(
    sheet: Sheet, data: FigureData, shown: IndexTable, columns: list[Key], places: Places, y: float
) -> float:
    titles = {
        Statistic.NI: "Normalization index (NI)",
        Statistic.DNI: "Difference from placebo (dNI)",
    }
    tops = []
    for (reference, measure), a, b in _spans(columns, places, 2):
        several = len(shown.references) > 1
        text = f"{measure} against {reference} skin" if several else titles[measure]
        # Bold is wider than what is measured.
        tops.append((fit_words(text, 7.5, (b - a + 0.12) / 1.15), a, b))
    arms = [(arm, data.arm_colours[arm], a, b) for (_, _, arm), a, b in _spans(columns, places, 3)]
    feet = [f"wk {column[3]:g}\n{shown.patients[column]}" for column in columns]
    return _draw_header(sheet, tops, arms, feet, places, y, 7.5)


def _cohort_key(sheet: Sheet, data: FigureData, shown: IndexTable, x: float) -> float:
    """Draw the colour bar and what bold, italic and grey are; return the lower edge."""
    normal = shown.references[0] if len(shown.references) == 1 else "reference"
    untreated = {column[2] for column in shown.columns} <= {Arm.UNTREATED}
    _draw_bar(sheet, x, normal, "at baseline" if untreated else "before treatment")
    y = 2.12
    table = shown.table
    known = table[table["value"].notna()]
    if Statistic.DNI in set(table["measure"]):
        text = "dNI, in the same colours: how\nmuch more is gone than under\n"
        text += "placebo; 0 = nothing"
        sheet.text(x, y, text, size=6.5, color=FAINT, va="top", linespacing=1.3)
        y += 0.5
    styles = [
        ((known["excludes_0"] == "yes").any(), {"weight": "bold"}, "interval excludes 0"),
        ((known["status"] == Status.EXPLORATORY).any(), {"style": "italic"},
         "exploratory, see notes"),
    ]  # fmt: skip
    for used, style, meaning in styles:
        if used:
            sheet.text(x, y, "0.62", size=7, va="top", **style)
            sheet.text(x + 0.33, y, meaning, size=6.5, color=FAINT, va="top")
            y += 0.17
    y = _same_key(sheet, x, y, known, same_note(data, shown.references))
    return _draw_boxes_key(sheet, x, y, known, len(known) < len(table), "no index, see notes")


def _same_key(sheet: Sheet, x: float, y: float, known: pd.DataFrame, meaning: str) -> float:
    """Say what the mark of an index at the level of the reference means; return the next line."""
    if not (known["as_reference"] == "yes").any():
        return y
    sheet.text(x, y, f"0.97 {AS_REFERENCE}", size=7, va="top")
    sheet.text(x + 0.42, y, meaning, size=6.5, color=FAINT, va="top", linespacing=1.2)
    return y + 0.29


def _cohort_notes(shown: IndexTable, data: FigureData) -> list[str]:
    skins = " or ".join(shown.references)
    notes = [
        f"NI = share of the disease effect (lesional − {skins} skin at baseline) that is gone in "
        f"the patients of an arm; nothing is clipped. Bold: the {data.confidence} interval "
        "excludes 0, not corrected for the number of cells.",
    ]
    if Statistic.DNI in set(shown.table["measure"]):
        notes.append(
            "Scores come down under placebo too (regression to the mean): judge a drug by dNI, the "
            "difference from placebo given the score at baseline, which is what is confirmed; NI "
            "alone is descriptive. n of dNI: "
            + (
                "patients with lesions in both arms."
                if data.of_lesions
                else "patients of the arm v patients of placebo."
            )
        )
        if data.of_lesions:
            notes.append(
                "Lesions of one patient are in several arms: dNI compares them within the patient."
            )
    return [*notes, *reason_notes(shown), *shown.notes]


# ---------------------------------------------------------------- all cohorts


def draw_normalization_atlas(data: AtlasData) -> tuple[Figure, pd.DataFrame]:
    """Draw the index of every score in every arm and week of every cohort.

    The table has one row for each tile, then the published results.
    """
    title = TITLES["normalization_atlas"]
    time = data.time.rename(columns={"name": "set"})
    published = data.published.rename(columns={"share": "value"}).assign(drawn=PUBLISHED)
    published = published.reindex(columns=ATLAS_COLUMNS)
    if time["ni"].notna().sum() == 0:
        reason = "no cohort of this run has an index over visits"
        table = pd.concat([pd.DataFrame([{"reason": reason}]), published])
        return nothing_to_draw(title, data.facts, reason, ATLAS_COLUMNS, table)
    blocks, notes = score_blocks(data, time)
    labels = block_labels(data, blocks)
    table = _atlas_table(time[time["set"].isin(labels)], labels)
    columns = list(table[ATLAS_KEYS].drop_duplicates().itertuples(index=False, name=None))
    places = _atlas_places(columns)
    left = -text_width([*labels.values(), *published["label"].astype(str)], 7) - 0.14
    visits = counted(len(columns), "arm and week", "arms and weeks")
    subtitle = f"{counted(len(labels), 'score')}; {visits}; n = patients"
    sheet = Sheet(title, data.facts, subtitle, left=left)
    y = _atlas_header(sheet, data, table, columns, places)
    rows = table.set_index([*ATLAS_KEYS, "name"]).to_dict("index")
    look = Look(0.185, 0.185, joined=1, interval=False)
    end = _draw_tiles(sheet, y, blocks, labels, columns, places, rows, look)
    below = _draw_published(sheet, published, end + 0.2)
    x = places[-1][1] + 0.3
    _draw_bar(sheet, x, "reference", "before treatment")
    sheet.text(x, 2.12, "0.62", size=7, weight="bold", va="top")
    meaning = "interval excludes 0, see notes"
    sheet.text(x + 0.33, 2.12, meaning, size=6.5, color=FAINT, va="top")
    known = table[table["value"].notna()]
    lacking = len(known) < len(table)
    y = _same_key(sheet, x, 2.29, known, same_note(data, ["reference"]))
    edge = _draw_boxes_key(sheet, x, y, known, lacking, "no index", len(published) > 0)
    width = max(places[-1][1] + 1.6 - left, 6.5)
    model = estimator_note(time, by="cohort")
    sheet.notes(max(below + 0.1, edge), width, [*ATLAS_NOTES, *notes, *model, *data.absent_note])
    return sheet.figure, pd.concat([table, published], ignore_index=True)[ATLAS_COLUMNS]


def _atlas_table(time: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    order = {name: i for i, name in enumerate(labels)}
    time = time.assign(rank=time["set"].map(order)).sort_values(["place", "week", "rank"])
    known = time["ni"].notna()
    controlled = time["dni_lower"].notna()
    lower = time["dni_lower"].where(controlled, time["lower"])
    upper = time["dni_upper"].where(controlled, time["upper"])
    table = time.assign(
        drawn=COMPUTED,
        name=time["set"],
        label=time["set"].map(labels),
        value=time["ni"],
        bold=np.where(known & ((lower > 0) | (upper < 0)), "yes", "no"),
        reason_code=time["reason_code"].where(~known, ""),
        measure=Statistic.NI.value,
        source="",
    )
    table[["lower", "upper"]] = table[["lower", "upper"]].where(known)
    return table.reset_index(drop=True).reindex(columns=ATLAS_COLUMNS)


def _atlas_places(columns: list[Key]) -> Places:
    """Columns are wider where a cohort or an arm has few, so that their names fit."""
    visits = Counter(column[:2] for column in columns)
    size = Counter(column[0] for column in columns)
    x, places = 0.0, []
    for before, column in zip([columns[0], *columns[:-1]], columns, strict=True):
        x += 0.16 if before[0] != column[0] else 0.04 if before[1] != column[1] else 0.0
        width = max(VISIT, ARM / visits[column[:2]], COHORT / size[column[0]])
        places.append((x, x + width))
        x += width
    return places


def _atlas_header(
    sheet: Sheet, data: AtlasData, table: pd.DataFrame, columns: list[Key], places: Places
) -> float:
    references = table.drop_duplicates("cohort").set_index("cohort")["reference"]
    tops = []
    for (cohort,), a, b in _spans(columns, places, 1):
        text = fit_words(data.name(cohort), 7, (b - a) / 1.15)
        if references[cohort] == "healthy":
            text += f"\nagainst {references[cohort]} skin"
        tops.append((text, a, b))
    arms = [(key[1], data.colours[key], a, b) for key, a, b in _spans(columns, places, 2)]
    n = table.drop_duplicates(ATLAS_KEYS).set_index(ATLAS_KEYS)["pairs"]
    feet = [f"wk {column[2]:g}\nn={int(n[column])}" for column in columns]
    return _draw_header(sheet, tops, arms, feet, places, 0.0, 7)


def _draw_published(sheet: Sheet, published: pd.DataFrame, y: float) -> float:
    """Draw published results as hatched rows with what was measured; return the lower edge."""
    if published.empty:
        return y
    sheet.text(sheet.left, y, "Published (real trials)", size=7.5, weight="bold", va="center")
    words = "not recomputed, another measure than NI, of groups, not adjusted for placebo; "
    words += "sources in full are in the table"
    sheet.text(0.02, y, words, size=6.5, color=FAINT, va="center")
    size, width = 0.185, VISIT * 1.4
    y += size / 2 + 0.03
    axes = sheet.axes(0, y, width, size * len(published))
    axes.set(xlim=(0, 1), ylim=(len(published), 0))
    axes.set_axis_off()
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}
    inside: Style = {"size": 6, "ha": "center", "va": "center", "in_layout": False, "bbox": plate}
    edge: Style = {"edgecolor": "#FFFFFF", "hatch": HATCH, "lw": 0.8, "in_layout": False}
    for position, row in enumerate(rows_of(published)):
        known = np.isfinite(row.value)
        colour = tile_colour(row.value, row.value, row.value) if known else to_rgb(MISSING)
        with mpl.rc_context({"hatch.linewidth": 0.7}):
            axes.add_patch(Rectangle((0, position), 1, 1, facecolor=colour, **edge))
        text = f"{100 * row.value:.4g} %".replace("-", "−") if known else "no number"
        axes.text(0.5, position + 0.5, text, **inside)
        middle = y + size * (position + 0.5)
        sheet.text(-0.07, middle, row.label, size=7, ha="right", va="center")
        source = shorten(f"{row.measure}; {without_doi(row.source)}", 118)
        sheet.text(width + 0.08, middle, source, size=6, color=FAINT, va="center")
    return y + size * len(published)


ATLAS_NOTES = (
    "NI = share of the disease effect (lesional − reference skin at baseline) that is gone in the "
    "patients of an arm; reference: nonlesional skin where no other is named. Intervals are in the "
    "table and in the figure of each cohort.",
    "Bold: the interval of the difference to placebo (of NI itself, where there is no placebo or "
    "the arm is the placebo) excludes 0; not corrected for the number of cells. Weeks differ "
    "between cohorts: compare drugs in the forest, where windows are matched.",
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


def _spans(columns: list[Key], places: Places, depth: int) -> list[tuple[Key, float, float]]:
    """Blocks of columns that share their first parts: the parts, left and right edge."""
    found = []
    for key, some in groupby(range(len(columns)), key=lambda i: columns[i][:depth]):
        own = list(some)
        found.append((key, places[own[0]][0], places[own[-1]][1]))
    return found


def _draw_header(
    sheet: Sheet,
    tops: list[tuple[str, float, float]],
    arms: list[tuple[str, str, float, float]],
    feet: list[str],
    places: Places,
    y: float,
    size: float,
) -> float:
    """Write blocks, arms with their colour, visits and patients above the columns."""
    y += 0.0187 * size * lines_of(text for text, _, _ in tops)
    for text, a, b in tops:
        sheet.text((a + b) / 2, y - 0.03, text, size=size, weight="bold", **HEADING)
    names = [fit_words(arm, size - 0.5, b - a - 0.02) for arm, _, a, b in arms]
    y += 0.1 + 0.0178 * (size - 0.5) * lines_of(names)
    for text, (_, colour, a, b) in zip(names, arms, strict=True):
        sheet.text((a + b) / 2, y - 0.055, text, size=size - 0.5, **HEADING)
        sheet.box(a + 0.012, y, b - a - 0.024, 0.06, facecolor=colour)
    style = {"size": size * 0.82, "color": FAINT, "ha": "center", "va": "top", "linespacing": 1.2}
    for text, (a, b) in zip(feet, places, strict=True):
        sheet.text((a + b) / 2, y + 0.09, text, **style)
    return y + 0.35


def _draw_tiles(
    sheet: Sheet,
    y: float,
    blocks: ScoreBlocks,
    labels: dict[str, str],
    columns: list[Key],
    places: Places,
    rows: Mapping[Any, Row],
    look: Look,
) -> float:
    """Draw scores × columns with the labels of the rows; return the lower edge."""
    height = sum(look.heading + look.row * len(names) for _, names in blocks)
    axes = sheet.axes(0, y, places[-1][1], height)
    axes.set(xlim=(0, places[-1][1]), ylim=(height, 0))
    axes.set_axis_off()
    below = 0.0
    boxes: list[tuple[tuple[float, ...], Any]] = []
    for heading, names in blocks:
        middle = y + below + look.heading / 2 + 0.005
        sheet.text(0, middle, heading, size=7.5, weight="bold", va="center")
        below += look.heading
        for name in names:
            middle = y + below + look.row / 2
            sheet.text(-0.07, middle, labels[name], size=7, ha="right", va="center")
            own = [rows[(*column, name)] for column in columns]
            for a, b in _joined(own, columns, look.joined):
                x, right = places[a][0], places[b - 1][1]
                colour = _write_tile(axes, own[a], x, right, below, b - a > 1, look)
                boxes.append(((x, below, right, below + look.row), colour))
            below += look.row
    corners = [[(a, b), (c, b), (c, d), (a, d)] for (a, b, c, d), _ in boxes]
    style: Style = {"edgecolors": "white", "linewidths": 0.9, "zorder": 1}
    filled = PolyCollection(corners, facecolors=[colour for _, colour in boxes], **style)
    # What lies inside the panel need not be measured to find the size of the page.
    filled.set_in_layout(False)
    axes.add_collection(filled, autolim=False)
    return y + height


def _joined(rows: list[Row], columns: list[Key], shared: int) -> list[tuple[int, int]]:
    """Start and end of tiles; neighbours without a number for one reason make one."""

    def tile(i: int) -> Key:
        lacking = np.isnan(rows[i]["value"])
        return (columns[i][:shared], rows[i]["reason_code"]) if lacking else (i,)

    groups = [list(some) for _, some in groupby(range(len(rows)), key=tile)]
    return [(group[0], group[-1] + 1) for group in groups]


def _write_tile(
    axes: Axes,
    row: Mapping[Any, Any],
    x: float,
    right: float,
    below: float,
    several: bool,
    look: Look,
) -> Any:
    """Write an index and its interval, or why there is none; return the colour of the tile."""
    middle = (x + right) / 2
    style: Style = {"ha": "center", "va": "center", "in_layout": False}
    if np.isnan(row["value"]):
        text = reason_of(row["reason_code"])
        size = 5.5 if look.interval else 5.2
        if not look.interval:
            text = shorten(text, max(int((right - x) / 0.052), 6))
        elif not several:
            text = text.replace(" ", "\n", 1)
        style |= {"color": FAINT, "linespacing": 1.05, "size": size}
        axes.text(middle, below + look.row / 2, text, **style)
        return MISSING
    colour = tile_colour(row["value"], row["lower"], row["upper"])
    bold = row.get("excludes_0", row.get("bold")) == "yes"
    style["color"] = readable_ink(colour)
    if look.interval and row["status"] == Status.EXPLORATORY:
        style["style"] = "italic"
    number: Style = {"weight": "bold" if bold else "normal", "size": 7 if look.interval else 6.3}
    at = 0.34 if look.interval else 0.5
    mark = f" {AS_REFERENCE}" if row["as_reference"] == "yes" else ""
    axes.text(middle, below + look.row * at, digits(row["value"]) + mark, **number, **style)
    if look.interval:
        dash = "–" if row["lower"] > -0.005 else " to "
        interval = f"{digits(row['lower'])}{dash}{digits(row['upper'])}"
        axes.text(middle, below + look.row * 0.76, interval, size=5.2, **style)
    return colour


def _draw_bar(sheet: Sheet, x: float, normal: str, start: str) -> None:
    """Draw the colour bar of the index and say what its colours mean."""
    sheet.text(x, 0.0, "Normalization index", size=7.5, va="top")
    axes = sheet.axes(x, 0.22, 0.14, 1.7)
    bar = sheet.figure.colorbar(ScalarMappable(Normalize(LOWEST, HIGHEST), colours()), cax=axes)
    ticks = {
        LOWEST: f"≤ −{-LOWEST:g}  worse",
        0.0: f"0  as {start}",
        0.5: "0.5  half way",
        1.0: f"1  level of {normal} skin",
        HIGHEST: f"≥ {HIGHEST:g}  past that level",
    }
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.outline.set_linewidth(0.4)
    axes.tick_params(labelsize=6.5, length=2)


def _draw_boxes_key(
    sheet: Sheet,
    x: float,
    y: float,
    known: pd.DataFrame,
    lacking: bool,
    words: str,
    published: bool = False,
) -> float:
    """Say what pale, grey and hatched tiles are, where there are any; return the lower edge."""
    kinds = [
        (says_nothing(known["lower"], known["upper"]).any(), tile_colour(1.0, 0.0, 1.0), "",
         "pale: interval holds both 0 and 1"),
        (lacking, MISSING, "", words),
        (published, tile_colour(0.7, 0.7, 0.7), HATCH, PUBLISHED),
    ]  # fmt: skip
    for used, colour, hatch, meaning in kinds:
        if used:
            style = {"facecolor": colour, "edgecolor": "white", "hatch": hatch, "lw": 0}
            sheet.box(x, y + 0.005, 0.24, 0.1, **style)
            sheet.text(x + 0.33, y, meaning, size=6.5, color=FAINT, va="top")
            y += 0.17
    return y
