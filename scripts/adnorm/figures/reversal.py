"""Gene by gene: what is different in disease, and what treatment takes back of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adnorm.figures.data import IndexData, known_reference
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    Part,
    Sheet,
    draw_pages,
    fit_words,
    name_points,
    nothing_to_draw,
)
from adnorm.figures.theme import DASHED, FAINT, INK, Style, split_arm
from adnorm.study.vocabulary import Arm, ComparisonKind, GeneClass

COLUMNS = [
    *("reference", "arm", "week", "gene", "class", "disease_effect", "change", "ni", "lower"),
    *("upper", "pairs", "topic", "named", "reason"),
]
#: Colour and marker of each class; they differ in lightness and in shape, too.
CLASSES: dict[str, tuple[str, str]] = {
    GeneClass.REVERSED: ("#0B5D57", "o"),
    GeneClass.PARTIAL: ("#3C9A8E", "^"),
    GeneClass.RESIDUAL: ("#B87F00", "s"),
    GeneClass.WORSENED: ("#8B1A1A", "v"),
    GeneClass.NOT_ESTIMABLE: ("#CFCFCF", "."),
}
#: Inches of the axis left of a panel; a page below this is one column of a journal.
AXIS, ONE_COLUMN = 0.5, 4.0
#: Genes named in each panel, by topic.
NAMED = {"itch": 5, "barrier": 7}
#: More panels than this are for another page: the table of the genes has all arms.
MOST_PANELS = 4
LEAST_REVERSED = 0.75
#: Both axes reach at least this far, or noise would fill the panel.
LEAST_SPAN = 1.0
#: The shorter axis has at least this part of the longer one.
LEAST_PART = 0.6


def draw_reversal(data: IndexData) -> tuple[Figure | list[Figure], pd.DataFrame]:
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
    limits = _limits(both)

    def make(part: str) -> Sheet:
        subtitle = "each point is one gene; log2 differences on both axes; n = patients"
        return Sheet(title, data.facts, subtitle, left=-AXIS, part=part)

    probe = make("")
    across = 2 if probe.width > ONE_COLUMN else 1
    side = probe.width / across - AXIS - 0.06
    # Equal units on both axes: full reversal is a diagonal of 45°.
    spans = [high - low for low, high in limits]
    high = side * spans[1] / spans[0]

    def row(some: list[pd.DataFrame]) -> Part:
        def draw(sheet: Sheet, y: float) -> float:
            ends = []
            for position, table in enumerate(some):
                x = position * (side + AXIS + 0.06)
                axes = sheet.axes(x, y + 0.3, side, high)
                axes.set(xlim=limits[0], ylim=limits[1])
                _draw_panel(axes, table, reference)
                counts = table["class"].value_counts().reindex(list(CLASSES), fill_value=0)
                samples: list[tuple[Style, str]] = [
                    ({"color": colour, "lw": 0, "marker": marker, "ms": 4},
                     f"{name}: {counts[name]:,}")
                    for name, (colour, marker) in CLASSES.items()
                ]  # fmt: skip
                ends.append(sheet.keys(y + high + 0.72, samples, x, side))
            return max(ends) + 0.1 - y

        return Part(draw(make(""), 0.0), draw)

    parts = [row(tables[a : a + across]) for a in range(0, len(tables), across)]
    key, notes = Part(0.04, lambda sheet, y: None), _notes(data, tables, reference)
    return list(draw_pages(make, parts, key, notes)), both


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


def _limits(table: pd.DataFrame) -> list[tuple[float, float]]:
    """Limits of disease effect and change, with room around, neither much longer than the other."""
    ends = []
    for column in ("disease_effect", "change"):
        values = table[column]
        low, high = min(values.min(), -LEAST_SPAN), max(values.max(), LEAST_SPAN)
        margin = 0.06 * (high - low)
        ends.append((float(low - margin), float(high + margin)))
    longest = max(high - low for low, high in ends)
    return [_widened(low, high, LEAST_PART * longest) for low, high in ends]


def _widened(low: float, high: float, least: float) -> tuple[float, float]:
    more = max(least - (high - low), 0.0) / 2
    return low - more, high + more


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
    axes.tick_params(labelsize=6.5, pad=2)
    axes.set_xlabel(f"disease: lesional − {reference}, baseline (log2)", size=6.5, labelpad=2)
    axes.set_ylabel("change: visit − baseline (log2)", size=6.5, labelpad=2)
    arm, week, n = (table[c].iloc[0] for c in ("arm", "week", "pairs"))
    title = fit_words(f"{arm}, week {week:g} (n = {int(n)})", 7, 2.9, bold=True)
    axes.set_title(title, loc="left", weight="bold", size=7, linespacing=1.1, pad=4)


def _notes(data: IndexData, tables: list[pd.DataFrame], reference: str) -> list[str]:
    total = f"{len(tables[0]):,} genes"
    if all((table["class"] == GeneClass.NOT_ESTIMABLE).all() for table in tables):
        # The most frequent reason; single genes have their own in the table.
        total += f", none of them classed ({tables[0]['reason'].mode().iloc[0]})"
    notes = [
        f"{total}. Dashed: full reversal to {reference} skin; dotted: 75 % of it; on the "
        "horizontal line nothing has changed. Disease effects are shrunken towards 0 (empirical "
        "Bayes) and changes lose what goes with that, so that what was high by chance at "
        "baseline does not count as reversed.",
        "Reversed: interval of the gene's index above 75 %; partial: interval above 0 and includes "
        "75 %; residual: below 75 %; worsened: below 0; not estimable: baseline difference too "
        "small, or interval includes 0 and 75 %.",
    ]
    if any((table["named"] == "yes").any() for table in tables):
        notes.append(
            "Black rings: the itch and barrier genes with the largest disease effects among "
            "those that have a class; named where there is room."
        )
    arms = {table["arm"].iloc[0] for table in tables}
    if data.placebo in arms:
        notes.append("What falls on placebo, too, is not an effect of the drug.")
    elif Arm.UNTREATED in arms:
        notes.append("Nobody was treated: what moves here moves without a drug.")
    return notes
