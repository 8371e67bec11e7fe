"""Rows of the calibration table: what was measured, what was expected, whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.study.vocabulary import Status

#: Points, points, per cent from – to, per cent, per cent from – to.
POINTS, BIASED, COVERAGE, REFUSED, ERROR = 3.0, 15.0, (92.0, 98.0), 95.0, (3.5, 6.5)
#: Per cent of the intervals that may lie above, and below, the truth.
TAIL = (1.0, 4.0)
#: Monte-Carlo error of a tail of 2.5 % over that of a share of 5 %.
TAIL_ERROR = 0.72
PASS, FAIL, SHOWN = "pass", "FAIL", "shown"
HEADER = ("question", "setting", "measured", "expected", "verdict")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    question: str
    setting: str
    measured: str
    expected: str
    verdict: str


def judge(
    question: str,
    setting: str,
    value: float,
    error: float,
    unit: str,
    low: float | None = None,
    high: float | None = None,
    expected: str = "",
) -> Row:
    """Write a line; it passes if the value lies in the stated range, and is shown without one."""
    held = (low is None or value >= low) and (high is None or value <= high)
    verdict = SHOWN if low is None and high is None else PASS if held else FAIL
    return Row(question, setting, f"{value:.1f} ± {error:.1f} {unit}", expected, verdict)


def share_row(
    question: str,
    setting: str,
    hits: np.ndarray,
    low: float | None = None,
    high: float | None = None,
    expected: str = "",
) -> Row:
    """Judge how often something happened, in per cent, with its Monte-Carlo error."""
    share = float(np.mean(hits))
    error = 100 * np.sqrt(share * (1 - share) / len(hits))
    return judge(question, setting, 100 * share, error, "%", low, high, expected)


def median_row(
    question: str,
    setting: str,
    values: np.ndarray,
    low: float | None = None,
    high: float | None = None,
    expected: str = "",
) -> Row:
    """Judge a median in points (an index of 1 is 100 points), with its Monte-Carlo error."""
    known = values[np.isfinite(values)]
    # Of a median, from the quartiles, which outliers do not move.
    spread = np.subtract(*np.quantile(known, [0.75, 0.25])) / 1.349
    error = 1.2533 * spread / np.sqrt(len(known))
    return judge(question, setting, float(np.median(known)), error, "points", low, high, expected)


def inside(table: pd.DataFrame, low: str, high: str, truth: float) -> np.ndarray:
    """Say of every interval that there is whether it holds the truth."""
    known = table[table[low].notna() & table[high].notna()]
    return ((known[low] <= truth) & (truth <= known[high])).to_numpy()


def not_available(table: pd.DataFrame) -> str:
    refused = (table["status"] == Status.NOT_AVAILABLE).mean()
    return f"; {refused:.1%} NA" if refused else ""


def coverage_row(
    question: str, where: str, table: pd.DataFrame, true: float, difference: float | None = None
) -> Row:
    """Judge the intervals of one setting, all of which must cover as often as they say."""
    asked = [("NI", "lower", "upper", true)]
    if difference is not None:
        asked.append(("dNI", "dni_lower", "dni_upper", difference))
    parts, held, error = [], True, 0.0
    for name, low, high, truth in asked:
        known = table[table[low].notna()]
        tails = 100 * (known[low] > truth).mean(), 100 * (known[high] < truth).mean()
        covered = 100 - sum(tails)
        error = 100 * np.sqrt(0.05 * 0.95 / max(len(known), 1))
        # Of dozens of settings some miss a limit by chance, the tails first.
        held &= COVERAGE[0] - 2 * error <= covered <= COVERAGE[1] + 2 * error
        slack = 2 * TAIL_ERROR * error
        held &= all(TAIL[0] - slack <= tail <= TAIL[1] + slack for tail in tails)
        parts.append(f"{name} {covered:.1f} ({tails[0]:.1f} above, {tails[1]:.1f} below)")
    return Row(
        question,
        where + not_available(table),
        f"{', '.join(parts)} % (± {error:.1f})",
        f"95 %, within {COVERAGE[0]:g}–{COVERAGE[1]:g}, either tail {TAIL[0]:g}–{TAIL[1]:g}",
        PASS if held else FAIL,
    )


def markdown(rows: list[Row]) -> str:
    """Lay the rows out as a Markdown table."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    for row in rows:
        cells = (row.question, row.setting, row.measured, row.expected, row.verdict)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
