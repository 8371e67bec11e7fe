"""answers.html: the primary answers of a cohort, what they are of, and whether they hold.

One table for the highest dose of every drug at its last visit: chosen by the design, never by the
outcome.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adnorm.figures.answer import (
    ANALYSES,
    NO_THERAPY,
    Answer,
    highest_doses,
    primary_rows,
)
from adnorm.figures.data import IndexData, known_reference
from adnorm.figures.labels import (
    PLANS,
    estimator_note,
    interval_text,
    p_text,
    reason_of,
    score_label,
    side_of,
)
from adnorm.figures.page import write_page
from adnorm.study.vocabulary import Statistic, Status

#: Behind a number whose interval lies otherwise than the primary one.
DIFFERS = "≠"

Rows = list[dict[str, Any]]


def estimand(controlled: bool, of_lesions: bool = False) -> dict[str, str]:
    """Say what the index estimates, in the words of ICH E9(R1).

    `controlled` is whether patients, or their lesions, were randomised to a placebo arm;
    `of_lesions` is whether lesions of one patient are in several arms.
    """
    alone = "The mean of an arm alone (NI) is descriptive: it holds what also falls on placebo."
    if not controlled:
        summary = (
            "Mean of an arm (NI): descriptive, because no randomised placebo arm shows what falls "
            "without the drug."
        )
    elif of_lesions:
        summary = (
            "Mean difference between the lesions of a patient, under the drug and under placebo, "
            f"given their scores at baseline (dNI): this is what is confirmed. {alone}"
        )
    else:
        summary = (
            "Difference between the mean of an arm and that of placebo, given the score at "
            f"baseline (dNI): this is what is confirmed. {alone}"
        )
    return {
        "Population": "Patients with lesional skin who entered the study.",
        "Variable": "Decrease of the score of lesional skin from baseline to the visit, in units "
        "of the disease effect before treatment (lesional − reference skin).",
        "Intercurrent events": "Leaving the study or missing a visit: hypothetical strategy (as if "
        "the patient had been seen, given the other visits; mixed model for repeated measures). "
        "Rescue treatment that the sample sheet does not tell: treatment policy.",
        "Summary": summary,
    }


def write_answers(data: IndexData, answer: Answer, path: Path) -> None:
    """Write the page from the tables ``index`` and ``sensitivities``, below the answer in words."""
    own = primary_rows(data)
    reference = known_reference(own, "ni")
    others = data.tables["sensitivities"]
    others = others[(others["reference"] == reference) & others["name"].isin(data.primary)]
    arms = [arm for arm in highest_doses(data) if arm in set(own["arm"])]
    answers = [_answer(data, own, others, arm) for arm in arms] if reference else []
    write_page(
        path,
        "answers.html",
        title=answer.title,
        cohort=answer.cohort,
        banners=answer.banners,
        sentences=answer.sentences,
        no_therapy=NO_THERAPY,
        estimand=estimand(bool(own["dni"].notna().any()), data.of_lesions),
        reference=reference,
        answers=answers,
        confidence=data.confidence,
        plan=PLANS[data.settings.index.multiplicity],
        margin=f"{data.settings.index.equivalence_margin:g}",
        model=estimator_note(own),
        differs=DIFFERS,
    )


def _answer(data: IndexData, index: pd.DataFrame, others: pd.DataFrame, arm: str) -> dict[str, Any]:
    """Lay out one arm at its last visit: its estimates, and what other analyses make of them."""
    index = index[index["arm"] == arm]
    week = index["week"].max()
    rows = index[index["week"] == week].set_index("name")
    names = [name for name in data.primary if name in rows.index]
    labels = {name: score_label(data, name) for name in names}
    others = others[(others["arm"] == arm) & (others["week"] == week)]
    # One quantity in all rows: dNI, or NI where no name is compared with placebo.
    measure = Statistic.DNI if rows["dni"].notna().any() else Statistic.NI
    compared = [
        {"analysis": f"Primary estimate{_remark(rows.loc[names])}", "flag": False}
        | {name: _cell(rows.loc[name], measure) for name in names}
    ]
    for analysis, words in ANALYSES.items():
        found = others[others["analysis"] == analysis].set_index("name")
        if len(found):
            compared.append(_compared(rows, found, names, measure, words, data.level))
    return {
        "arm": arm,
        "week": f"{week:g}",
        "measure": measure,
        "estimates": [
            _estimate(row, labels[row.Index], data.of_lesions)
            for row in rows.loc[names].itertuples()
        ],
        "analyses": compared,
        "titles": {"analysis": "Analysis"} | {name: f"#{labels[name]}" for name in names},
    }


def _estimate(row: Any, label: str, of_lesions: bool) -> dict[str, str]:
    """One score: NI and dNI with intervals, the test and its place in the plan."""
    if not np.isfinite(row.ni):
        return {"score": label, "ni": f"none: {reason_of(row.reason_code)}"} | dict.fromkeys(
            ("n", "dni", "p", "adjusted", "same", "estimator"), ""
        )
    compared = np.isfinite(row.dni)
    step = f" (step\xa0{row.step:.0f})" if np.isfinite(row.step) else ""
    adjusted = f"{p_text(row.adjusted_p_value)}{step}" if np.isfinite(row.adjusted_p_value) else ""
    exploratory = ", exploratory" if row.status == Status.EXPLORATORY else ""
    few = ", exploratory" if str(row.dni_reason).startswith(Status.EXPLORATORY) else exploratory
    people = f"{row.pairs:.0f}"
    if compared:
        people = (
            f"{row.placebo_pairs:.0f}" if of_lesions else f"{people} and {row.placebo_pairs:.0f}"
        )
    return {
        "score": label,
        "n": people,
        "ni": _whole(row.ni, row.lower, row.upper) + exploratory,
        "dni": _whole(row.dni, row.dni_lower, row.dni_upper) + few if compared else "",
        "p": f"{p_text(row.p_value)} ({row.tested})",
        "adjusted": adjusted,
        "same": "not shown" if row.as_reference == "no" else str(row.as_reference),
        "estimator": str(row.estimator),
    }


def _whole(value: float, lower: float, upper: float) -> str:
    """Write a number and its interval on one line each."""
    return interval_text(value, lower, upper).replace(" ", "\xa0").replace("\xa0(", " (")


def _remark(rows: pd.DataFrame) -> str:
    numbers = rows["status"].isin([Status.OK, Status.EXPLORATORY])
    same = numbers.any() and (rows.loc[numbers, "status"] == Status.EXPLORATORY).all()
    return " (exploratory)" if same else ""


def _ends(row: Any, measure: str) -> list[float]:
    columns = ["dni", "dni_lower", "dni_upper"] if measure == Statistic.DNI else []
    return [float(row[column]) for column in columns or ["ni", "lower", "upper"]]


def _cell(row: Any, measure: str) -> str:
    ends = _ends(row, measure)
    return _whole(*ends).replace(" (", "\n(") if np.isfinite(ends).all() else "–"


def _compared(
    rows: pd.DataFrame,
    found: pd.DataFrame,
    names: list[str],
    measure: str,
    words: str,
    level: float,
) -> dict[str, Any]:
    """One analysis beside the primary one; marked where its interval lies otherwise."""
    cells: dict[str, Any] = {"analysis": words + _remark(found), "flag": False}
    for name in names:
        cells[name] = "–"
        if name not in found.index:
            continue
        row = found.loc[name]
        ends, first = _ends(row, measure), _ends(rows.loc[name], measure)
        if np.isfinite(ends).all():
            apart = np.isfinite(first).all() and side_of(*ends[1:]) != side_of(*first[1:])
            cells[name] = _cell(row, measure) + (f"\xa0{DIFFERS}" if apart else "")
            cells["flag"] |= bool(apart)
        elif np.isfinite(row["p_value"]) and not np.isfinite(row["ni"]):
            cells[name], apart = _exchanged(row, rows.loc[name], level)
            cells["flag"] |= apart
    return cells


def _exchanged(row: Any, primary: Any, level: float) -> tuple[str, bool]:
    """Write an exact p-value, and whether it contradicts the interval of NI."""
    value = p_text(row["p_value"])
    text = f"p {value}" if value.startswith("<") else f"p = {value}"
    # Of few patients no exchange gives a small p-value: it cannot speak against them.
    least = 2.0 ** (1 - row["pairs"])
    if least >= level:
        return f"{text}\n(least possible: {p_text(least)})", False
    apart = (row["p_value"] < level) != (side_of(primary["lower"], primary["upper"]) != 0)
    return f"{text}\xa0{DIFFERS}" if apart else text, bool(apart)
