"""The results section of the overview page: its table, its warnings, what placebo does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.figures.contrasts import CHANGE_KINDS, Column, list_columns, mark
from adnorm.figures.material import Material
from adnorm.figures.selection import shown_effects
from adnorm.figures.words import in_words

#: With a larger share of flagged samples the page warns.
MOST_FLAGGED = 0.25
#: The sex genes differ between people by nature, so their movement is no alarm.
NO_ALARM = "sex_check"


def describe_columns(**titles: str) -> list[dict]:
    """Describe the columns of a table: key=title, a title that starts with # is of numbers."""
    return [
        {"key": key, "title": title.lstrip("#"), "number": title.startswith("#")}
        for key, title in titles.items()
    ]


def signed(value: float) -> str:
    """Write a number with its sign.

    Examples
    --------
    >>> signed(-0.304), signed(-0.001)
    ('−0.30', '0.00')
    """
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def supported_columns(material: Material) -> list[Column]:
    """List the comparisons that the page and the figures of changes show."""
    return [c for c in list_columns(material, CHANGE_KINDS) if c.supported]


def result_table(material: Material) -> dict:
    """Lay out the itch and barrier sets: one row a comparison, one column a set."""
    sets = [s for s in material.heatmap_sets("itch", "barrier") if s.name in material.sets.index]
    columns = supported_columns(material)
    effects = shown_effects(material, [c.contrast for c in columns])
    known = effects.set_index(["contrast", "set"])
    rows = []
    for column in columns:
        row: dict[str, object] = {
            "what": in_words(column.contrast, column.kind, material.arms, week=False),
            "week": f"{column.week:g}",
            "pairs": column.count,
        }
        for gene_set in sets:
            key = (column.contrast, gene_set.name)
            row[gene_set.name] = _result(known.loc[key], material) if key in known.index else ""
        rows.append(row)
    titles = {"what": "Comparison", "week": "#Week", "pairs": "#Patients"}
    labels = {s.name: f"#{material.sets.loc[s.name, 'label']}" for s in sets}
    reason = "" if rows else material.why_no()
    return {"rows": rows, "columns": describe_columns(**titles, **labels), "reason": reason}


def _result(row: pd.Series, material: Material) -> str:
    if not np.isfinite(row["change"]):
        return f"not available: {row['reason']}"
    stars = mark(row["fdr"], material.fdr)
    flag = "" if material.sets.loc[row.name[1], "status"] == "ok" else "†"
    interval = f"({signed(row['lower'])} to {signed(row['upper'])})"
    interval = " ".join(filter(None, [interval, stars, flag]))
    # A narrow page breaks the line before the interval, not within it.
    return f"{signed(row['change'])} {interval.replace(' ', chr(0xA0))}"


def placebo_note(material: Material) -> str:
    """Say what placebo alone does to the scores, if the cohort can tell."""
    placebo = material.facts.get("placebo_arm", "")
    columns = [c for c in supported_columns(material) if c.kind == "change"]
    if not columns:
        return ""
    own = [c.contrast for c in columns if c.group == placebo]
    if not own:
        return (
            "The cohort has no placebo arm: a change may also come from time or from regression "
            "to the mean."
        )
    effects = shown_effects(material, own)
    topics = [s.name for s in material.heatmap_sets("itch", "barrier")]
    changes = effects.loc[effects["set"].isin(topics), "change"]
    if not changes.median() < 0:
        return "A drug is judged by its difference to placebo."
    return (
        "Scores also fall without any drug (regression to the mean), so a change in a drug arm "
        "means little without the difference to placebo."
    )


def warnings(material: Material) -> list[str]:
    """Say why the results of a cohort must be read with care; usually nothing."""
    caution = str(material.facts.get("caution", ""))
    found = [caution] if caution else []
    samples = len(material.samples)
    if material.flagged > MOST_FLAGGED * samples:
        found.append(
            f"{material.flagged} of {samples} samples are flagged by quality control: differences "
            "may be technical."
        )
    moved, tested = _moved_controls(material)
    if moved:
        listed = "; ".join(moved[:4]) + (f"; and {len(moved) - 4} more" if len(moved) > 4 else "")
        found.append(
            f"Negative controls move: read the results with care. Of {tested} changes of control "
            f"sets {len(moved)} {'differs' if len(moved) == 1 else 'differ'} from 0: {listed}."
        )
    return found


def _moved_controls(material: Material) -> tuple[list[str], int]:
    """List control sets that change, strongest first, and count the changes that were tested."""
    sets = material.sets
    controls = sets.index[(sets["role"] == "control") & (sets.index != NO_ALARM)]
    names = {c.contrast: c for c in supported_columns(material)}
    effects = shown_effects(material, list(names))
    rows = effects[effects["set"].isin(controls) & effects["change"].notna()]
    # An interval alone excludes 0 in one of twenty comparisons by chance.
    moved = rows[rows["fdr"] < material.fdr].sort_values(
        "change", key=lambda c: -c.abs(), kind="stable"
    )
    texts = []
    for row in moved.itertuples(index=False):
        words = in_words(row.contrast, names[row.contrast].kind, material.arms)
        texts.append(f"{sets.loc[row.set, 'label']} {signed(row.change)} ({words})")
    return texts, len(rows)
