"""Gene by gene: what is different in disease, and what treatment takes back of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.index_material import IndexMaterial
from adnorm.figures.names import TITLES
from adnorm.figures.panels import known_reference
from adnorm.figures.places import label_points
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import FAINT, INK, split_arm
from adnorm.study.comparisons import UNTREATED_ARM

NAME = "reversal"
COLUMNS = [
    "reference",
    "arm",
    "week",
    "gene",
    "class",
    "disease_effect",
    "change",
    "ni",
    "lower",
    "upper",
    "pairs",
    "topic",
    "named",
    "reason",
]
UNCLEAR = "not estimable"
#: Colour and marker of each class; they differ in lightness and in shape, too.
CLASSES = {
    "reversed": ("#0B5D57", "o"),
    "partial": ("#5FB5AB", "^"),
    "residual": ("#E69F00", "s"),
    "worsened": ("#8B1A1A", "v"),
    UNCLEAR: ("#CFCFCF", "."),
}
SIDE, GAP = 3.1, 0.75
#: Genes named in each panel, by topic.
NAMED = {"itch": 5, "barrier": 7}
#: More panels than this are for another page: the table of the genes has all arms.
MOST_PANELS = 4
LEAST_REVERSED = 0.75
#: Both axes reach at least this far, or noise would fill the panel.
LEAST_SPAN = 1.0


def draw_reversal(material: IndexMaterial) -> tuple[Figure, pd.DataFrame]:
    """Draw change under treatment against disease effect, one point a gene.

    The highest dose of every drug and placebo, each at its last visit.

    Parameters
    ----------
    material
        The cohort.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row for each gene and panel.
    """
    genes = material.tables["gene_index"]
    clear = genes[genes["class"] != UNCLEAR]
    reference = known_reference(clear, "denominator") or known_reference(genes, "denominator")
    if not reference:
        reason = _why_not(material)
        empty = pd.DataFrame([{"reason": reason}]).reindex(columns=COLUMNS)
        return message_sheet(TITLES[NAME], material.facts, reason), empty
    genes = genes[genes["reference"] == reference]
    arms = _arms(material, set(genes["arm"]))
    last = genes.groupby("arm")["week"].max()
    tables = [
        _table(material, genes[(genes["arm"] == a) & (genes["week"] == last[a])]) for a in arms
    ]
    both = pd.concat(tables)
    limits = [_limits(both[column]) for column in ("disease_effect", "change")]
    subtitle = "one point a gene; log2 differences; n = patients"
    sheet = Sheet(TITLES[NAME], material.facts, subtitle, left=-0.55)
    for position, table in enumerate(tables):
        _draw_panel(sheet, position * (SIDE + GAP), table, limits, reference)
    width = len(tables) * (SIDE + GAP)
    sheet.notes(-0.55, SIDE + 1.62, max(width + 0.2, 6.0), _notes(material, tables, reference))
    return sheet.figure, both.reset_index(drop=True)


def _why_not(material: IndexMaterial) -> str:
    if material.tables["index"].empty:
        why = material.why_no("change")
        return f"a reversal needs lesional skin before and after treatment; {why}"
    return (
        "no gene has a disease effect at baseline: fewer than 3 patients have lesional skin and "
        "reference skin"
    )


def _arms(material: IndexMaterial, present: set[str]) -> list[str]:
    """The highest dose of every drug, then placebo; arms without a drug if there is none."""
    placebo = material.facts.get("placebo_arm", "")
    drugs: dict[str, str] = {}
    # Arms stand in the order of their doses, so that the last one of a drug is its highest.
    for arm in material.arms:
        if arm in present and arm not in (placebo, UNTREATED_ARM):
            drugs[split_arm(arm)[0]] = arm
    rest = [arm for arm in (placebo, UNTREATED_ARM) if arm in present]
    return [*list(drugs.values())[: MOST_PANELS - len(rest)], *rest]


def _table(material: IndexMaterial, genes: pd.DataFrame) -> pd.DataFrame:
    topics = {
        gene.symbol: topic
        for topic in reversed(NAMED)
        for gene_set in material.heatmap_sets(topic)
        for gene in gene_set.scored
    }
    table = genes.assign(
        disease_effect=genes["denominator"],
        change=-genes["decrease"],
        topic=genes["gene"].map(topics).fillna(""),
        named="",
        reason=genes["reason"].fillna(""),
    )
    table = table[table["disease_effect"].notna() & table["change"].notna()]
    size = table["disease_effect"].abs().where(table["class"] != UNCLEAR)
    for topic, most in NAMED.items():
        best = size[table["topic"] == topic].dropna().nlargest(most).index
        table.loc[best, "named"] = "yes"
    return table[COLUMNS]


def _limits(values: pd.Series) -> tuple[float, float]:
    low, high = min(values.min(), -LEAST_SPAN), max(values.max(), LEAST_SPAN)
    margin = 0.06 * (high - low)
    return float(low - margin), float(high + margin)


def _draw_panel(
    sheet: Sheet, x: float, table: pd.DataFrame, limits: list[tuple], reference: str
) -> None:
    axes = sheet.axes(x, 0.2, SIDE, SIDE)
    axes.set(xlim=limits[0], ylim=limits[1])
    for name in reversed(CLASSES):
        colour, marker = CLASSES[name]
        rows = table[table["class"] == name]
        style = {"ms": 2.5 if name == UNCLEAR else 3.2, "mew": 0, "alpha": 0.8}
        # Thousands of points would make an SVG that browsers open slowly.
        style |= {"rasterized": True, "zorder": 1 if name == UNCLEAR else 2}
        axes.plot(rows["disease_effect"], rows["change"], marker, color=colour, **style)
    ends = np.array(limits[0])
    axes.axhline(0, color=INK, lw=0.5, zorder=3)
    axes.axvline(0, color=INK, lw=0.5, zorder=3)
    axes.plot(ends, -ends, color=INK, lw=1.0, ls=(0, (4, 2)), zorder=3)
    axes.plot(ends, -LEAST_REVERSED * ends, color=FAINT, lw=0.8, ls=":", zorder=3)
    axes.set_xlabel(f"disease: lesional − {reference} at baseline", size=7.5)
    axes.set_ylabel("change: lesional skin, visit − baseline", size=7.5)
    arm, week, pairs = (table[c].iloc[0] for c in ("arm", "week", "pairs"))
    title = f"{arm}, week {week:g} (n = {int(pairs)})"
    axes.set_title(title, loc="left", weight="bold", size=8)
    named = table[table["named"] == "yes"]
    points = list(named[["disease_effect", "change", "gene"]].itertuples(index=False, name=None))
    drawn = table.loc[table["class"] != UNCLEAR, ["disease_effect", "change"]]
    label_points(axes, points, (SIDE, SIDE), drawn.to_numpy())
    counts = table["class"].value_counts().reindex(list(CLASSES), fill_value=0)
    labels = {name: f"{name}: {counts[name]:,}" for name in CLASSES}
    colours = {labels[name]: colour for name, (colour, _) in CLASSES.items()}
    markers = {labels[name]: marker for name, (_, marker) in CLASSES.items()}
    sheet.legend(x, SIDE + 0.62, "Class of the gene: number of genes", colours, markers)


def _notes(material: IndexMaterial, tables: list[pd.DataFrame], reference: str) -> list[str]:
    total = f"{len(tables[0]):,} genes"
    if all((table["class"] == UNCLEAR).all() for table in tables):
        # The most frequent reason; single genes have their own in the table.
        total += f", none of them classed ({tables[0]['reason'].mode().iloc[0]})"
    notes = [
        f"{total}. Dashed: y = −x, full reversal to {reference} skin; dotted: 75 % of it; on the "
        "horizontal line nothing has changed. Disease effects are shrunken towards 0 (empirical "
        "Bayes), so that what was high by chance at baseline does not count as reversed.",
        "Reversed: the interval of the gene's index lies above 75 %; partial: above 0 and around "
        "75 %; residual: below 75 %; worsened: below 0; not estimable: disease effect unclear, or "
        "the interval holds both 0 and 75 %.",
    ]
    if any((table["named"] == "yes").any() for table in tables):
        notes.append(
            "Named: the itch and barrier genes with the largest disease effects among those that "
            "have a class."
        )
    arms = {table["arm"].iloc[0] for table in tables}
    placebo = material.facts.get("placebo_arm", "")
    if placebo in arms:
        notes.append("What falls under placebo as well falls by itself (regression to the mean).")
    elif UNTREATED_ARM in arms:
        notes.append("Nobody was treated: what moves here moves by itself.")
    return notes
