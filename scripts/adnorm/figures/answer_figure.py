"""The answer in one picture: the primary scores of every arm at its first and last visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.base.text import typeset
from adnorm.figures.answer import (
    NO_THERAPY,
    Estimate,
    drug_arms,
    estimates,
    number_text,
)
from adnorm.figures.data import IndexData
from adnorm.figures.labels import EXPLORATORY, other_disease, slanted
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, fit_words, nothing_to_draw, text_width
from adnorm.figures.theme import DASHED, FAINT, INK, NORMAL, Style, shorten
from adnorm.study.vocabulary import Statistic

#: Inches of a row and of the heading of a score.
ROW, HEADING, TOP = 0.165, 0.23, 0.25
#: Inches of the parts of a row, names to people, on two columns of a journal and on one, where
#: people stand below the name.
WIDE, NARROW = (2.0, 2.55, 1.55, 1.0), (1.3, 0.95, 1.1, 0.0)
#: More rows than a page holds, and only the highest dose of every drug is drawn, then its last
#: visit.
MOST_ROWS = {WIDE: 40, NARROW: 22}
#: Markers of the last and the first visit: of what is told, and of arms alone among others.
LAST, FIRST = ("o", "s"), ("^", "D")
SHAPES = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond"}
COLUMNS = [
    *("reference", "arm", "week", "visit", "name", "label", "measure", "value", "lower", "upper"),
    *("pairs", "placebo_pairs", "exploratory", "reason"),
]


def draw_answer(data: IndexData) -> tuple[Figure, pd.DataFrame]:
    """Draw the primary scores of every arm at its first and last visit, minus placebo.

    The table has one row for each dot, in the units of index.tsv.
    """
    rows = estimates(data)
    table = pd.DataFrame([asdict(row) for row in rows]).reindex(columns=COLUMNS)
    title = TITLES["answer"]
    if not any(row.known for row in rows):
        return nothing_to_draw(title, data.facts, _why_no_picture(data, rows), COLUMNS, table)
    layout = WIDE if data.width >= sum(WIDE) else NARROW
    names, panel, numbers, _ = layout
    drawn, left_out = _fitting(rows, MOST_ROWS[layout])
    measures = {row.measure for row in drawn if row.known}
    controlled = Statistic.DNI in measures
    minus = f", minus {data.placebo}" if controlled else ": uncontrolled, no placebo"
    subtitle = f"Percentage points of the disease effect that are gone{minus}"
    sheet = Sheet(title, data.facts, subtitle, left=-names)
    places, heads, end = _laid_out(drawn, ROW if layout is WIDE else 1.6 * ROW)
    axes = sheet.axes(0, TOP, panel, end)
    limits = _limits(drawn)
    axes.set(xlim=limits, ylim=(end, 0), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, lw=0.6, zorder=0)
    if not controlled:
        # Minus placebo, 100 is no level of skin.
        axes.axvline(100, color=NORMAL, lw=0.9, ls=DASHED, zorder=0)
    unit = f"100 × {Statistic.DNI if controlled else Statistic.NI}"
    if len(measures) > 1:
        unit = "100 × dNI (squares and diamonds: 100 × NI)"
    across = f"percentage points\n({unit})" if layout is NARROW else f"percentage points ({unit})"
    axes.set_xlabel(across, size=7)
    measured = f"{'minus ' + data.placebo if controlled else 'arm alone'} ({data.confidence} CI)"
    small: Style = {"size": 6.5, "color": FAINT, "va": "bottom"}
    heading = fit_words(measured.replace(" %", "\u00a0%"), 6.5, numbers - 0.05)
    sheet.text(panel + 0.1, TOP - 0.03, heading, **small)
    if layout is WIDE:
        sheet.text(panel + numbers + 0.1, TOP - 0.03, "patients", **small)
    for name, y in heads.items():
        label = next(row.label for row in drawn if row.name == name)
        sheet.text(-names, TOP + y, shorten(label, 40), size=7.5, weight="bold", va="center")
    for row, y in zip(drawn, places, strict=True):
        _write_row(sheet, data, row, y, layout)
        if row.known:
            _draw_dot(axes, data, row, y, limits)
    sheet.notes(TOP + end + 0.5, _notes(data, drawn, left_out))
    return sheet.figure, table


def _why_no_picture(data: IndexData, rows: Sequence[Estimate]) -> str:
    """Say in a few words why there is no dot; the sentences and the table say more."""
    if not drug_arms(data):
        return "no arm got a drug"
    if not rows:
        return "no lesional skin was sampled after baseline"
    reasons = {row.label: row.short for row in rows}
    return "; ".join(f"{label}: {reason}" for label, reason in reasons.items())


def _fitting(rows: list[Estimate], most: int) -> tuple[list[Estimate], str]:
    """Leave out what a page does not hold, by the design, and say so; sorted by score."""
    names = list(dict.fromkeys(row.name for row in rows))
    steps = [
        ("", lambda row: True),
        ("the highest dose of every drug is", lambda row: row.highest),
        (
            "the highest dose of every drug at its last visit is",
            lambda row: row.highest and row.visit != "first",
        ),
        (
            "the first score of the highest dose of every drug at its last visit is",
            lambda row: row.highest and row.visit != "first" and row.name == names[0],
        ),
    ]
    parts = [
        (sorted(filter(chosen, rows), key=lambda row: names.index(row.name)), words)
        for words, chosen in steps
    ]
    fallback = parts[-1][0][:most], f"{most} drugs at their last visit, in the first score, are"
    kept, words = next((part for part in parts if len(part[0]) <= most), fallback)
    return kept, f"Only {words} drawn; all are in the table." if words else ""


def _laid_out(rows: list[Estimate], height: float) -> tuple[list[float], dict[str, float], float]:
    """Place rows of a height: the middle of each and of every heading, and where all end."""
    places, heads, y = [], {}, 0.0
    for row in rows:
        if row.name not in heads:
            heads[row.name] = y + 0.05 + HEADING / 2
            y += 0.05 + HEADING
        places.append(y + height / 2)
        y += height
    return places, heads, y + 0.06


def _limits(rows: Sequence[Estimate]) -> tuple[float, float]:
    """Limits in percentage points that hold 0, 100 and every interval, up to the farthest."""
    ends = [100 * end for row in rows if row.known for end in row.numbers]
    low, high = max(min([-15.0, *ends]), -150.0), min(max([105.0, *ends]), 250.0)
    margin = 0.04 * (high - low)
    return low - margin, high + margin


def _write_row(
    sheet: Sheet, data: IndexData, row: Estimate, y: float, layout: tuple[float, ...]
) -> None:
    """Write the name of a row, its number and its people."""
    names, panel, numbers, _ = layout
    week = f"week {row.week:g}"
    people = row.people if row.known else ""
    if layout is NARROW:
        below = f"{week}, {people}" if people else week
        name = f"{_fitted(row.arm, names - 0.08)}\n{below}"
    else:
        name = f"{_fitted(row.arm, names - 0.1 - text_width([week], 7))}, {week}"
    middle = TOP + y
    sheet.text(-0.07, middle, name, size=7, ha="right", va="center", linespacing=1.1)
    if not row.known:
        words = fit_words(f"not known: {row.short}", 6.5, data.width - names - panel)
        sheet.text(panel + 0.1, middle, words, size=6.5, color=FAINT, va="center")
        return
    # One meaning of bold in all figures: the interval of what is told excludes 0.
    bold = row.apart and (row.measure == Statistic.DNI or not data.placebo)
    style: Style = {"weight": "bold" if bold else "normal"}
    style |= slanted(bool(row.exploratory))
    sheet.text(panel + 0.1, middle, number_text(row), size=7, va="center", **style)
    if layout is WIDE:
        sheet.text(panel + numbers + 0.1, middle, people, size=7, va="center")


def _fitted(arm: str, room: float) -> str:
    """Shorten the name of an arm until it fits its room in inches; its dose stays."""
    head, dose = (arm, "") if len(arm) < 12 else (arm[:-8], arm[-8:])
    for letters in range(len(head), 0, -1):
        text = shorten(head, letters) + dose
        if text_width([text], 7) <= room:
            return text
    return shorten(arm, 8)


def _draw_dot(
    axes: Axes, data: IndexData, row: Estimate, y: float, limits: tuple[float, float]
) -> None:
    value, lower, upper = (100 * number for number in row.numbers)
    colour = data.arm_colours.get(row.arm, INK)
    axes.plot([lower, upper], [y, y], color=colour, lw=1.3, zorder=2)
    look: Style = {"ms": 4.6, "mec": colour, "mew": 1.1, "zorder": 3}
    # Hollow has one meaning in all figures, too.
    look["mfc"] = colour if row.apart else "white"
    marker = (FIRST if row.visit == "first" else LAST)[_alone(data, row)]
    axes.plot(float(np.clip(value, *limits)), y, marker, **look)


def _alone(data: IndexData, row: Estimate) -> bool:
    """Whether an arm stands alone where others could be compared with placebo."""
    return row.measure == Statistic.NI and bool(data.placebo)


def _notes(data: IndexData, rows: Sequence[Estimate], left_out: str) -> list[str]:
    skin = rows[0].reference
    known = [row for row in rows if row.known]
    kinds = sorted({_alone(data, row) for row in known})
    last, first = (" or ".join(SHAPES[marks[kind]] for kind in kinds) for marks in (LAST, FIRST))
    visits = ""
    if any(row.visit == "first" for row in rows):
        visits = f"{last.capitalize()}: last visit; {first}: first visit. "
    if any(row.measure == Statistic.DNI for row in known):
        scale = (
            f"Solid line: 0, as on {data.placebo}; 100 is the whole disease effect (lesional minus "
            f"{skin} skin before treatment) more than on {data.placebo}, given the score at "
            "baseline. "
        )
    else:
        scale = f"Solid line: 0, as before treatment; dashed: 100, the level of {skin} skin. "
    notes = [
        f"{visits}{scale}Bold and filled: the interval excludes 0, not adjusted for the number of "
        "tests."
    ]
    if any(row.measure == Statistic.DNI for row in known):
        who = "in each arm" if data.of_lesions else f"drug and {data.placebo}"
        notes[0] += f" n = patients ({who})."
    if any(row.measure == Statistic.NI for row in rows if row.known):
        notes.append(
            "Arms without a comparison with placebo are shown alone: what also falls without the "
            "drug cannot be told from its effect."
        )
    reasons = dict.fromkeys(row.exploratory for row in rows if row.exploratory)
    if reasons:
        notes.append(f"{EXPLORATORY} exploratory: {typeset('; '.join(reasons))}.")
    disease = other_disease(data)
    if disease:
        notes.append(f"The patients have {disease}, not atopic dermatitis.")
    return [*notes, *([left_out] if left_out else []), NO_THERAPY]
