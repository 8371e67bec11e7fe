"""Gene by gene: what is different in disease, and what treatment takes back of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.figures.data import IndexData, known_reference
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, name_points, nothing_to_draw
from adnorm.figures.theme import DASHED, FAINT, INK, Style, split_arm
from adnorm.study.vocabulary import Arm, ComparisonKind, GeneClass

COLUMNS = [
    *("reference", "arm", "week", "gene", "class", "disease_effect", "change", "ni", "lower"),
    *("upper", "pairs", "topic", "named", "reason"),
]
#: Colour and marker of each class; they differ in lightness and in shape, too.
CLASSES: dict[str, tuple[str, str]] = {
    GeneClass.REVERSED: ("#0B5D57", "o"),
    GeneClass.PARTIAL: ("#5FB5AB", "^"),
    GeneClass.RESIDUAL: ("#E69F00", "s"),
    GeneClass.WORSENED: ("#8B1A1A", "v"),
    GeneClass.NOT_ESTIMABLE: ("#CFCFCF", "."),
}
SIDE, GAP = 3.1, 0.75
#: Genes named in each panel, by topic.
NAMED = {"itch": 5, "barrier": 7}
#: More panels than this are for another page: the table of the genes has all arms.
MOST_PANELS = 4
LEAST_REVERSED = 0.75
#: Both axes reach at least this far, or noise would fill the panel.
LEAST_SPAN = 1.0


def draw_reversal(data: IndexData) -> tuple[Figure, pd.DataFrame]:
    """Draw change under treatment against disease effect, one point per gene.

    The highest dose of every drug and placebo, each at its last visit. The table has one row for
    each gene and panel.
    """
    title = TITLES["reversal"]
    genes = data.tables["gene_index"]
    classed = genes[genes["class"] != GeneClass.NOT_ESTIMABLE]
    reference = known_reference(classed, "denominator") or known_reference(genes, "denominator")
    if not reference:
        return nothing_to_draw(title, data.facts, _why_not(data), COLUMNS)
    genes = genes[genes["reference"] == reference]
    last = genes.groupby("arm")["week"].max()
    topics = {
        gene.symbol: topic
        for topic in reversed(NAMED)
        for gene_set in data.heatmap_sets(topic)
        for gene in gene_set.scored
    }
    tables = [
        _table(genes[(genes["arm"] == arm) & (genes["week"] == last[arm])], topics)
        for arm in _arms(data, set(last.index))
    ]
    both = pd.concat(tables, ignore_index=True)
    limits = {
        axis: _limits(both[column])
        for axis, column in (("xlim", "disease_effect"), ("ylim", "change"))
    }
    subtitle = "one point per gene; log2 differences; n = patients"
    sheet = Sheet(title, data.facts, subtitle, left=-0.55)
    grid = sheet.panels(1, len(tables), (SIDE, SIDE), (GAP, 0), y=0.2)[0]
    for position, (axes, table) in enumerate(zip(grid, tables, strict=True)):
        axes.set(**limits)
        _draw_panel(axes, table, reference)
        counts = table["class"].value_counts().reindex(list(CLASSES), fill_value=0)
        labels = {name: f"{name}: {counts[name]:,}" for name in CLASSES}
        colours = {labels[name]: colour for name, (colour, _) in CLASSES.items()}
        markers = {labels[name]: marker for name, (_, marker) in CLASSES.items()}
        x, heading = position * (SIDE + GAP), "Class of the gene: number of genes"
        sheet.legend(x, SIDE + 0.62, heading, colours, markers)
    width = len(tables) * (SIDE + GAP)
    sheet.notes(SIDE + 1.62, max(width + 0.2, 6.0), _notes(data, tables, reference))
    return sheet.figure, both


def _why_not(data: IndexData) -> str:
    if data.tables["index"].empty:
        why = data.why_no(ComparisonKind.CHANGE)
        return f"a reversal needs lesional skin before and after treatment; {why}"
    return (
        "no gene has a disease effect at baseline: fewer than 3 patients have lesional skin and "
        "reference skin"
    )


def _arms(data: IndexData, present: set[str]) -> list[str]:
    """The highest dose of every drug, then placebo; arms without a drug if there is none."""
    others = [data.placebo, Arm.UNTREATED]
    # Arms stand in the order of their doses, so that the last one of a drug is its highest.
    drugs = {split_arm(arm)[0]: arm for arm in data.arms if arm in present and arm not in others}
    rest = [arm for arm in others if arm in present]
    return [*list(drugs.values())[: MOST_PANELS - len(rest)], *rest]


def _table(genes: pd.DataFrame, topics: dict[str, str]) -> pd.DataFrame:
    table = genes.assign(
        disease_effect=genes["denominator"],
        change=-genes["decrease"],
        topic=genes["gene"].map(topics).fillna(""),
        named="",
        reason=genes["reason"].fillna(""),
    )
    table = table[table["disease_effect"].notna() & table["change"].notna()]
    size = table["disease_effect"].abs().where(table["class"] != GeneClass.NOT_ESTIMABLE)
    for topic, most in NAMED.items():
        best = size[table["topic"] == topic].dropna().nlargest(most).index
        table.loc[best, "named"] = "yes"
    return table[COLUMNS]


def _limits(values: pd.Series) -> tuple[float, float]:
    low, high = min(values.min(), -LEAST_SPAN), max(values.max(), LEAST_SPAN)
    margin = 0.06 * (high - low)
    return float(low - margin), float(high + margin)


def _draw_panel(axes: Axes, table: pd.DataFrame, reference: str) -> None:
    # Names first: to place them, all that stands in the panel is drawn once.
    named = table[table["named"] == "yes"]
    places = ["disease_effect", "change"]
    axes.plot(*named[places].to_numpy().T, "o", ms=4.4, mfc="none", mec=INK, mew=0.7, zorder=5)
    points = list(named[[*places, "gene"]].itertuples(index=False, name=None))
    others = table.loc[table["class"] != GeneClass.NOT_ESTIMABLE, places].to_numpy()
    name_points(axes, points, others, INK)
    for name in reversed(CLASSES):
        colour, marker = CLASSES[name]
        rows = table[table["class"] == name]
        unclear = name == GeneClass.NOT_ESTIMABLE
        # Thousands of points would make an SVG that browsers open slowly.
        style: Style = {"mew": 0, "alpha": 0.8, "rasterized": True, "color": colour}
        style |= {"ms": 2.5, "zorder": 1} if unclear else {"ms": 3.2, "zorder": 2}
        axes.plot(rows["disease_effect"], rows["change"], marker, **style)
    ends = np.array(axes.get_xlim())
    axes.axhline(0, color=INK, lw=0.5, zorder=3)
    axes.axvline(0, color=INK, lw=0.5, zorder=3)
    axes.plot(ends, -ends, color=INK, lw=1.0, ls=DASHED, zorder=3)
    axes.plot(ends, -LEAST_REVERSED * ends, color=FAINT, lw=0.8, ls=":", zorder=3)
    axes.set_xlabel(f"disease: lesional − {reference} at baseline", size=7.5)
    axes.set_ylabel("change: lesional skin, visit − baseline", size=7.5)
    arm, week, n = (table[c].iloc[0] for c in ("arm", "week", "pairs"))
    axes.set_title(f"{arm}, week {week:g} (n = {int(n)})", loc="left", weight="bold", size=8)


def _notes(data: IndexData, tables: list[pd.DataFrame], reference: str) -> list[str]:
    total = f"{len(tables[0]):,} genes"
    if all((table["class"] == GeneClass.NOT_ESTIMABLE).all() for table in tables):
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
    if data.placebo in arms:
        notes.append("What falls under placebo as well falls by itself (regression to the mean).")
    elif Arm.UNTREATED in arms:
        notes.append("Nobody was treated: what moves here moves by itself.")
    return notes
