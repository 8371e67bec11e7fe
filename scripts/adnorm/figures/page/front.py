"""Page one: what a run answers, as ``index.html`` and as the front of the report.

Both are one template; they differ in how a result is addressed. The report embeds its results, so
that its links ask the report for them by name.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adnorm.base.text import points
from adnorm.figures.answer import NO_THERAPY, SIMULATED, Answer, Estimate, across, number_text
from adnorm.figures.labels import EXPLORATORY
from adnorm.figures.page import fill
from adnorm.study.vocabulary import Statistic

#: More pictures than this would make the page too large; the others are files beside it.
MOST_PICTURES = 24
EXPLORER = "explorer.html"
#: Banners and cautions that stand open; the rest is one click away.
MOST_BANNERS, MOST_CARE = 6, 12
#: Cohorts that a banner names.
MOST_NAMED = 8

Rows = Sequence[Mapping[str, Any]]


def relative(target: str) -> str:
    """Address a result from the results folder."""
    return target


def in_report(target: str) -> str:
    """Address a result inside the report, which knows it by its path; nothing for the report.

    The explorer is no part of the report; it lies beside it.
    Names of cohorts are letters, digits, ``_`` and ``-``, so that nothing here needs escaping.
    """
    if target == "report.html":
        return ""
    if target == EXPLORER:
        return target
    kind = "img" if target.endswith(".svg") else "html"
    find = f"Object.keys(results).find(p=>p.endsWith('/{target}'))"
    view = f"app.setView({{content:'{kind}',contentPath:results[p].data_uri,resultPath:p}})"
    # The report keeps the place to which page one was scrolled.
    top = "document.querySelectorAll('#app .grow').forEach(e=>e.scrollTo(0,0))"
    return f"javascript:void((p=>p&&({view},{top}))({find}))"


def fronts(
    answers: Sequence[Answer],
    stopped: Rows,
    pictures: Mapping[str, Path],
    doses: Mapping[str, Sequence[str]],
) -> list[str]:
    """Write page one twice: alone, and for the report.

    Parameters
    ----------
    answers
        Of the cohorts that have one, in any order.
    stopped
        cohort, outcome and reason of the cohorts that stopped.
    pictures
        The figure ``answer`` of each cohort.
    doses
        What `of_doses` says of a cohort.
    """
    values = _values(answers, stopped, pictures, doses)
    return [_front(values, link) for link in (relative, in_report)]


def _front(values: Mapping[str, Any], link: Callable[[str], str]) -> str:
    beside = " (explorer.html, beside this report)" if link is in_report else ""
    return fill("front.html", **values, link=link, explorer=EXPLORER, beside=beside)


def whole_page(front: str) -> str:
    """Put page one into a page of its own."""
    from markupsafe import Markup

    # Filled by `fill`, which has escaped every text in it.
    return fill("index.html", front=Markup(front))


def _values(
    answers: Sequence[Answer],
    stopped: Rows,
    pictures: Mapping[str, Path],
    doses: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    ranked = sorted(answers, key=lambda answer: answer.rank)
    treated = [answer for answer in ranked if answer.treated]
    mixed = len({answer.simulated for answer in ranked}) > 1
    banners = _banners(ranked, stopped)
    care = [*across(ranked), *_care(treated)]
    return {
        "banners": banners[:MOST_BANNERS],
        "more_banners": banners[MOST_BANNERS:],
        "treated": [
            _entry(answer, pictures if place < MOST_PICTURES else {}, mixed)
            | {"doses": doses.get(answer.cohort, [])}
            for place, answer in enumerate(treated)
        ],
        "references": [_entry(answer, {}, mixed) for answer in ranked if not answer.treated],
        "stopped": stopped,
        "care": care[:MOST_CARE],
        "more_care": care[MOST_CARE:],
        "worked": _worked(treated),
        "no_therapy": NO_THERAPY,
        "exploratory": EXPLORATORY,
    }


def _entry(answer: Answer, pictures: Mapping[str, Path], mixed: bool) -> dict[str, Any]:
    drawn = any(row.known for row in answer.estimates)
    picture = pictures.get(answer.cohort) if drawn else None
    tags = ["SIMULATED"] if answer.simulated and mixed else []
    tags += [answer.other_disease] if answer.other_disease else []
    tags += ["no placebo"] if answer.treated and not answer.placebo else []
    return {
        "cohort": answer.cohort,
        "title": answer.title,
        "told": answer.told,
        "sentence": answer.sentence,
        "tags": tags,
        "drawn": drawn,
        "picture": base64.b64encode(picture.read_bytes()).decode("ascii") if picture else "",
        "numbers": [_number(row) for row in answer.estimates] if picture else [],
        "measure": f"minus {answer.placebo}" if answer.controlled else "arm alone",
        "confidence": answer.confidence.replace(" %", "\u00a0%"),
        "alt": f"Dots with intervals of {answer.cohort}. " + " ".join(answer.sentences),
    }


def _number(row: Estimate) -> dict[str, str]:
    """Write one number of the picture, for screens on which the picture is too small."""
    cells = {"score": row.label, "arm": row.arm, "week": f"{row.week:g}", "n": row.people}
    if not row.known:
        return cells | {"value": f"not known: {row.short}", "n": ""}
    return cells | {"value": number_text(row)}


def _named(cohorts: Sequence[str]) -> str:
    more = f" and {len(cohorts) - MOST_NAMED} more" if len(cohorts) > MOST_NAMED else ""
    return f"{', '.join(cohorts[:MOST_NAMED])}{more}"


def _banners(answers: Sequence[Answer], stopped: Rows) -> list[str]:
    """Say each banner once, with the cohorts that it is of."""
    simulated = [answer.cohort for answer in answers if answer.simulated]
    found = []
    if simulated:
        some = "" if len(simulated) == len(answers) else f" ({_named(simulated)})"
        found.append(SIMULATED.format(some))
    if stopped:
        names = _named([row["cohort"] for row in stopped])
        found.append(f"Not finished: {names}. What joins cohorts was made without.")
    cohorts: dict[str, list[str]] = {}
    for answer in answers:
        for banner in answer.banners:
            if banner != SIMULATED.format(""):
                cohorts.setdefault(banner, []).append(answer.cohort)
    if len(answers) == 1:
        return [*found, *cohorts]
    return [*found, *(f"{_named(names)}: {banner}" for banner, names in cohorts.items())]


def _care(answers: Sequence[Answer]) -> list[str]:
    one = len(answers) == 1
    return [
        sentence if one else f"{answer.cohort}: {sentence}"
        for answer in answers
        for sentence in answer.care
    ]


def _worked(answers: Sequence[Answer]) -> str:
    """Explain one number of this run in words."""
    for answer in answers:
        for row in answer.estimates:
            if row.known and row.measure == Statistic.DNI and row.ni and row.highest:
                value, own = row.numbers[0], row.ni[0]
                simulated = " (simulated)" if answer.simulated else ""
                return (
                    f"{row.label}, {row.arm}, week {row.week:g}, {answer.cohort}{simulated}: "
                    f"{points(own)} of the 100 percentage points between lesional and "
                    f"{row.reference} skin before treatment were gone (NI = {own:.2f}). "
                    f"Minus {answer.placebo}, given the score at baseline, it was "
                    f"{points(value)} percentage points (dNI = {value:.2f})."
                ).replace("= -", "= −")
    return ""
