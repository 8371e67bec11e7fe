"""The cells of the normalization heatmap: its rows, its columns and what stands in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.figures.labels import mark_label
from adnorm.figures.selection import shown_sets
from adnorm.figures.shared import CohortMaterial
from adnorm.figures.theme import counted
from adnorm.study.comparisons import UNTREATED_ARM

KEYS = ["reference", "measure", "arm", "week", "set"]
COLUMNS = [
    *KEYS,
    "label",
    "value",
    "lower",
    "upper",
    "excludes_0",
    "p_value",
    "fdr",
    "pairs",
    "placebo_pairs",
    "lost",
    "status",
    "reason_code",
    "reason",
]
REFERENCES, MEASURES = ("nonlesional", "healthy"), ("NI", "dNI")
GLOBAL, ITCH_MINUS_TH2 = "global", "itch_minus_th2"
#: Level of a disease axis that a published list of genes defines.
PUBLISHED_AXIS = "published_axis"
PRIMARY = "Primary family"
#: Scores of the index that are no gene sets: label and category.
DERIVED = {
    GLOBAL: ("Whole disease axis", "global"),
    ITCH_MINUS_TH2: ("Itch: core without Th2 genes", "itch"),
}
NO_REFERENCE, NO_PLACEBO, UNBOUNDED = "NO_REFERENCE", "NO_PLACEBO", "UNBOUNDED"
#: What stands in a cell without a number, by reason code.
SHORT = {
    NO_REFERENCE: "no reference",
    "DENOM_NOT_ESTIMABLE": "effect unclear",
    "DIRECTION_CONTRADICTED": "opposite direction",
    "LOW_COVERAGE": "low coverage",
    "NOT_SCORED": "not scored",
    "TOO_FEW_PAIRS": "too few patients",
    NO_PLACEBO: "no placebo",
    UNBOUNDED: "interval unbounded",
    "OTHER_DISEASE": "another disease",
}
NOT_DEFINED = "not available"


@dataclass
class Cells:
    """What the normalization heatmap shows.

    Attributes
    ----------
    table
        One row per cell (`COLUMNS`).
    blocks
        Headings with the scores below them.
    labels
        Text left of each score.
    columns
        Keys (reference, measure, arm, week) in display order.
    notes
        What is not drawn, and why.
    why_not
        Why nothing can be drawn; empty if something can.
    """

    table: pd.DataFrame
    blocks: list[tuple[str, list[str]]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    columns: list[tuple] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    why_not: str = ""

    @property
    def references(self) -> list[str]:
        """References in display order."""
        return list(dict.fromkeys(column[0] for column in self.columns))

    @property
    def values(self) -> dict[tuple, dict]:
        """Every cell by its keys."""
        return {tuple(row[key] for key in KEYS): row for row in self.table.to_dict("records")}

    @property
    def patients(self) -> dict[tuple, str]:
        """How many patients stand behind each column."""
        first = self.table.drop_duplicates(KEYS[:-1])
        return {
            tuple(row[:4]): f"n={row.pairs}"
            if row.measure == "NI"
            else f"{row.pairs} v {row.placebo_pairs}"
            for row in first[[*KEYS[:-1], "pairs", "placebo_pairs"]].itertuples(index=False)
        }


def list_cells(material: CohortMaterial) -> Cells:
    """Choose rows and columns of the heatmap and put its values into cells.

    Parameters
    ----------
    material
        The cohort; ``tables["index"]`` is index.tsv.
    """
    index = material.tables["index"]
    index = index[index["analysis"] == "primary"].rename(columns={"name": "set"})
    if index.empty:
        why = material.why_no("change")
        asked = "an index needs lesional skin before and after treatment"
        return Cells(pd.DataFrame(columns=COLUMNS), why_not=f"{asked}; {why}")
    blocks, notes = score_blocks(material, index)
    order = [name for _, names in blocks for name in names]
    labels = {n: row_label(material, n, heading == PRIMARY) for heading, ns in blocks for n in ns}
    table = _table(material, index[index["set"].isin(order)]).assign(
        label=lambda t: t["set"].map(labels)
    )
    if table["value"].isna().all():
        return Cells(_sorted(material, table, order), why_not=_all_missing(table))
    refused = table.groupby("reference")["reason_code"].agg(lambda c: (c == NO_REFERENCE).any())
    for reference in refused.index[refused]:
        why = table.loc[table["reason_code"] == NO_REFERENCE, "reason"].iloc[0]
        notes.append(f"Not shown against {reference} skin: {why}.")
    table = table[~table["reference"].map(refused)]
    if material.facts.get("placebo_arm"):
        table, lost = _drop_empty_differences(table)
        notes += lost
    else:
        notes.append("No placebo arm: the index is uncontrolled.")
    table = _sorted(material, table, order)
    columns = list(table[KEYS[:-1]].drop_duplicates().itertuples(index=False, name=None))
    notes = [*basis_notes(index, labels), *notes, *_lost(table)]
    return Cells(table, blocks, labels, columns, notes)


def basis_notes(index: pd.DataFrame, labels: dict[str, str]) -> list[str]:
    """Say whose axis the scores on an axis stand on, and when sets are of another disease.

    Parameters
    ----------
    index
        Primary rows of index.tsv; the names stand in the column ``set``.
    labels
        Text beside each score that is shown.
    """
    if "basis" not in index:
        return []
    told = index.assign(basis=index["basis"].astype(object).fillna("").astype(str))
    told = told[(told["basis"] != "") & told["set"].isin(list(labels))]
    on_axis = told["level"].isin([GLOBAL, PUBLISHED_AXIS])
    notes = [
        f"{labels[name]}: {rows['basis'].iloc[0]}."
        for name, rows in told[on_axis].groupby("set", sort=False)
    ]
    elsewhere = told.loc[~on_axis & told["basis"].str.contains(", against "), "basis"]
    notes += [f"Gene sets: {basis}." for basis in dict.fromkeys(elsewhere)]
    return notes


def score_blocks(material: CohortMaterial, index: pd.DataFrame) -> tuple[list, list[str]]:
    """Order the scores: the primary family, then signed sets by category."""
    sets, present = material.sets, set(index["set"])
    signed = [n for n in sets.index if sets.loc[n, "direction"] not in ("unsigned", "")]
    kept = set(shown_sets(material, index)[0])
    names = [n for n in DERIVED if n in present]
    names += sorted(set(index.loc[index["level"] == PUBLISHED_AXIS, "set"]))
    names += [n for n in signed if n in present and n in kept]
    primary = set(index.loc[index["family"] == "primary", "set"])
    blocks: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda n: _rank(material, n, n in primary)):
        category = DERIVED[name][1] if name in DERIVED else sets["category"].get(name, "residual")
        heading = PRIMARY if name in primary else material.heading(category)
        blocks.setdefault(heading, []).append(name)
    notes = []
    directionless = len(present & set(sets.index)) - len(present & set(signed))
    if directionless:
        notes.append(
            f"Not shown, because no way back is defined: {counted(range(directionless), 'set')} "
            "without a direction (such as composition and controls)."
        )
    left = len(present & set(signed) - kept)
    if left:
        notes.append(f"Not shown: {counted(range(left), 'added set')}; all are in index.tsv.")
    return list(blocks.items()), notes


def _rank(material: CohortMaterial, name: str, primary: bool) -> tuple:
    names = list(material.sets.index)
    if name == ITCH_MINUS_TH2:
        itch = [i for i, c in enumerate(material.sets["category"]) if c == "itch"]
        return (not primary, 1, min(itch, default=0) - 0.5)
    if name == GLOBAL:
        return (not primary, 0, 0)
    if name not in names:
        # Among the disease signatures, whatever the name of the list is.
        same = [i for i, c in enumerate(material.sets["category"]) if c == "madad_core"]
        return (not primary, 1, min(same, default=len(names)) - 0.5)
    return (not primary, 1, names.index(name))


def published_axis_label(name: str) -> str:
    """Name an axis that a published list of genes defines."""
    return f"Disease axis of a list: {name.replace('_', ' ')}"


def row_label(material: CohortMaterial, name: str, whole: bool) -> str:
    """Write the name of a score beside its row; `whole` with the category before it."""
    if name in DERIVED:
        label = DERIVED[name][0]
        short = label.rpartition(": ")[2]
        return label if whole else short[:1].upper() + short[1:]
    if name not in material.sets.index:
        return published_axis_label(name)
    # Among sets of many categories the category says what the label is about.
    if whole:
        return str(material.sets.loc[name, "label"])
    return mark_label(material, name).removesuffix(" †")


def _table(material: CohortMaterial, index: pd.DataFrame) -> pd.DataFrame:
    """Write index and placebo-adjusted index as cells of one table."""
    texts = ["status", "reason_code", "reason", "dni_reason"]
    index = index.assign(**{c: index[c].astype(object).fillna("").astype(str) for c in texts})
    own = index.assign(measure="NI", value=index["ni"])
    control = material.facts.get("placebo_arm", "")
    drugs = index[~index["arm"].isin([control, UNTREATED_ARM])] if control else index.iloc[:0]
    usable = drugs["ni"].notna()
    differ = drugs.assign(
        measure="dNI",
        value=drugs["dni"],
        lower=drugs["dni_lower"],
        upper=drugs["dni_upper"],
        # The tests in the table are those of the index itself.
        p_value=np.nan,
        fdr=np.nan,
        reason_code=drugs["reason_code"].where(~usable, NO_PLACEBO),
        reason=drugs["dni_reason"].where(usable & (drugs["dni_reason"] != ""), drugs["reason"]),
    )
    table = pd.concat([own, differ] if len(differ) else [own], ignore_index=True)
    table = table.astype(dict.fromkeys(("value", "lower", "upper"), float))
    counts = ["pairs", "placebo_pairs", "lost"]
    table[counts] = table[counts].astype(float).fillna(0).astype(int)
    unbounded = table["value"].notna() & (table["lower"].isna() | table["upper"].isna())
    table.loc[unbounded, ["value", "lower", "upper"]] = np.nan
    table.loc[unbounded, "reason_code"] = UNBOUNDED
    table.loc[unbounded, "reason"] = "the interval is unbounded"
    known = table["value"].notna()
    table.loc[known, "reason_code"] = ""
    exploratory = (table["status"] == "exploratory") | table["reason"].str.startswith("exploratory")
    table["status"] = np.where(known, np.where(exploratory, "exploratory", "ok"), "NA")
    apart = (table["lower"] > 0) | (table["upper"] < 0)
    table["excludes_0"] = np.where(known, np.where(apart, "yes", "no"), "")
    return table


def _sorted(material: CohortMaterial, table: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    ranks = table[KEYS].copy()
    known = {"reference": REFERENCES, "measure": MEASURES, "arm": material.arms, "set": order}
    for column, values in known.items():
        ranks[column] = ranks[column].map({value: i for i, value in enumerate(values)})
    rows = ranks.sort_values(KEYS, kind="stable").index
    return table.loc[rows, COLUMNS].reset_index(drop=True)


def _drop_empty_differences(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out visits whose placebo cannot be compared, and say why."""
    known = table.groupby(KEYS[:-1])["value"].transform(lambda v: v.notna().any())
    empty = (table["measure"] == "dNI") & ~known
    why = table[empty & (table["reason_code"] == NO_PLACEBO)]
    places = why.drop_duplicates(["arm", "week"])
    said = [f"{row.arm} week {row.week:g}: {row.reason}" for row in places.itertuples()]
    return table[~empty], [f"No dNI: {'; '.join(said)}."] if said else []


def _lost(table: pd.DataFrame) -> list[str]:
    visits = table.drop_duplicates(["arm", "week"])
    gone = [f"{row.arm} week {row.week:g}: {row.lost}" for row in visits.itertuples() if row.lost]
    return [f"Patients without the visit's lesional sample: {'; '.join(gone)}."] if gone else []


def _all_missing(table: pd.DataFrame) -> str:
    """Say in one sentence why no score of a cohort has an index."""
    parts = []
    for reference, rows in table[table["measure"] == "NI"].groupby("reference", sort=False):
        absent = rows.loc[rows["reason_code"] == NO_REFERENCE, "reason"]
        if len(absent):
            parts.append(f"against {reference} skin: {absent.iloc[0]}")
            continue
        counts = rows.drop_duplicates("set")["reason_code"].value_counts(sort=True)
        words = counts.index.map(lambda code: SHORT.get(code, NOT_DEFINED))
        said = [f"{word} in {n}" for word, n in zip(words, counts, strict=True)]
        together = ", ".join(said).replace("effect", "disease effect")
        parts.append(f"against {reference} skin: {together} of {counts.sum()} scores")
    return f"no score of this cohort has an index; {'; '.join(parts)}"
