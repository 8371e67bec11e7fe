"""Every sample as a column: genes of the itch and barrier sets, and the scores of all sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.changes import (
    CHANGE_KINDS,
    SIGNED,
    direction_note,
    empty_note,
    list_columns,
    missing_notes,
)
from adnorm.figures.data import CohortData
from adnorm.figures.heatmap import (
    Heatmap,
    Span,
    colour_scale,
    draw_spans,
    effect_order,
    runs,
    scale_rows,
    similar_order,
)
from adnorm.figures.labels import coverage_notes, set_label, signed_note
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, nothing_to_draw, text_width
from adnorm.figures.theme import FAINT, STATES, limit_of, short_names
from adnorm.study.vocabulary import Direction, State

SAMPLE_COLUMNS = ["sample", "patient", "state", "arm", "week"]
GENE_COLUMNS = ["set", "gene", "direction", *SAMPLE_COLUMNS, "log2_expression", "z", "reason"]
SET_COLUMNS = ["set", *SAMPLE_COLUMNS, "score", "status", "reason"]
#: Limit of the colours of genes, in standard deviations.
GENE_LIMIT = 2.5
#: Inches of the column of a sample: the most, the least that has a name, and the least that an eye
#: tells from its neighbour, below which a column is the mean of a group.
BROADEST, NAMED, FINEST = 0.125, 0.1, 0.012
#: Inches of a group, for its visit and n; and of a mean, at most.
GROUP, MEAN = 0.11, 0.4
#: Inches between visits, arms and states; of samples, and of means.
GAPS, MEAN_GAPS = (0.012, 0.03, 0.06), (0.0, 0.02, 0.05)


# ---------------------------------------------------------------- genes × samples


def draw_genes(data: CohortData, topic: str) -> tuple[list[Figure], pd.DataFrame]:
    """Draw genes of itch or barrier × samples; the table says why a gene has no row."""
    title, sets = TITLES[f"genes_{topic}"], data.heatmap_sets(topic)
    directions = {g.symbol: g.direction for s in sets for g in s.scored}
    values = data.gene_values(list(directions))
    scaled = scale_rows(values)
    disease = _disease_effects(data)
    home: dict[str, str] = {}
    blocks = []
    for gene_set in sets:
        # A gene of two sets stands in the first one only, or its row would count twice.
        genes = [g.symbol for g in gene_set.scored if g.symbol not in home]
        home |= dict.fromkeys(genes, gene_set.name)
        found = [g for g in genes if g in scaled.index]
        ordered = (
            effect_order(found, disease, directions)
            if len(disease)
            else similar_order(scaled.loc[found])
        )
        blocks.append((gene_set.label or gene_set.name, ordered))
    missing = data.missing_genes(list(directions))
    table = _gene_table(data, home, values, scaled, directions, missing)
    if values.empty:
        reason = f"none of the {len(directions)} genes of these sets was measured or detected"
        figure, table = nothing_to_draw(title, data.facts, reason, GENE_COLUMNS, table)
        return [figure], table
    flat = sorted(scaled.index[scaled.isna().all(axis=1)])
    order = "their lesional change" if len(disease) else "similarity"
    signs = pd.Series(directions).map({Direction.UP: 1.0, Direction.DOWN: -1.0})
    signs = signs.reindex(scaled.index).dropna()
    pages = _draw_samples(
        data,
        title,
        f"{counted(len(values), 'gene')}",
        scaled,
        level=scaled.loc[signs.index].mul(signs, axis=0).mean(),
        level_name="mean z of the drawn genes (those that go down with the sign turned)",
        limit=GENE_LIMIT,
        scale="Expression (z per gene)",
        meaning=["0 = mean of all samples drawn. Grey: no variation between samples."],
        blocks=blocks,
        labels={gene: gene for gene in values.index},
        direction=directions.__getitem__,
        notes=[
            f"Rows: genes of each set, ordered by {order}. {direction_note(data)}",
            *missing_notes(data, missing),
            *empty_note(flat, "Grey, no variation between samples"),
        ],
    )
    return pages, table


def _disease_effects(data: CohortData) -> pd.Series:
    """Log2 fold change of each gene in lesional skin, from the first disease contrast there is."""
    effects = data.tables["effects"]
    for contrast in ("lesional-nonlesional@0", "lesional-healthy@0"):
        rows = effects[effects["contrast"] == contrast]
        if len(rows):
            return rows.set_index("gene")["log2_fold_change"]
    return pd.Series(dtype=float)


def _gene_table(
    data: CohortData,
    home: dict[str, str],
    values: pd.DataFrame,
    scaled: pd.DataFrame,
    directions: dict[str, str],
    missing: dict[str, list[str]],
) -> pd.DataFrame:
    """One row per gene and sample as drawn, and one for each gene that is not drawn."""
    why = {gene: reason for reason, genes in missing.items() for gene in genes}
    samples = data.samples.reset_index(names="sample")[SAMPLE_COLUMNS]
    frames = []
    for gene, name in home.items():
        if gene in why:
            frame = pd.DataFrame({"reason": [why[gene]]})
        else:
            z = scaled.loc[gene].to_numpy()
            flat = "no variation between samples" if np.isnan(z).all() else ""
            log2 = values.loc[gene].to_numpy()
            frame = samples.assign(log2_expression=log2, z=z, reason=flat)
        frames.append(frame.assign(set=name, gene=gene, direction=directions[gene] or "none"))
    return pd.concat(frames, ignore_index=True).reindex(columns=GENE_COLUMNS)


# ---------------------------------------------------------------- sets × samples


def draw_sets_samples(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw sets × samples, each row on its own scale; one row of the table per set and sample."""
    scores = data.score_values()
    contrasts = [c.contrast for c in list_columns(data, CHANGE_KINDS)]
    names, left_out = data.shown_sets(data.shown_effects(contrasts))
    least, _ = data.limits
    # One scale for all would leave most rows pale or drive some to its end: signed sets of few
    # strong genes lie ten times as far from normal skin as cell types.
    limits = pd.Series({name: limit_of(scores.loc[name].to_numpy(), least) for name in names})
    signed = [name for name in names if data.sets.loc[name, "signed"]]
    judged = [name for name in signed or names if name not in data.controls] or names
    zero = f"{data.zero}. " if data.zero else ""
    pages = _draw_samples(
        data,
        TITLES["sets_samples"],
        counted(len(names), "gene set"),
        scores.loc[names],
        level=scores.loc[judged].mean(),
        level_name=f"mean score of the drawn {'signed sets' if signed else 'sets'}",
        limit=limits,
        scale=f"{data.unit[:1].upper()}{data.unit[1:]}, each row on its own scale",
        meaning=[
            f"{zero}Full colour: the value right of the row (97.5 % of its samples lie below, "
            f"and at least {least:g}). Grey: no score.",
            SIGNED if signed else "",
        ],
        blocks=data.blocks(names),
        labels={name: set_label(data, name, sign=True) for name in names},
        aside={name: f"±{limits[name]:g}" for name in names if scores.loc[name].notna().any()},
        aside_title="scale",
        notes=[signed_note(data, names), *left_out, *coverage_notes(data, names)],
    )
    table = scores.rename_axis(index="set", columns="sample").reset_index()
    table = table.melt("set", value_name="score")
    table = table.join(data.samples[SAMPLE_COLUMNS[1:]], on="sample")
    table = table.join(data.sets[["status", "reason"]], on="set")
    return pages, data.by_set(table)[SET_COLUMNS]


# ---------------------------------------------------------------- samples as columns


@dataclass(frozen=True)
class Columns:
    """Samples in the order in which they are drawn, in groups of one state, arm and visit."""

    samples: pd.DataFrame
    #: State, arm and week of each group, with its first and last but one column.
    groups: list[tuple[Any, int, int]]
    #: Inches of each group, and left of it.
    widths: np.ndarray
    gaps: np.ndarray
    #: Whether one column is the mean of a group.
    means: bool

    @property
    def size(self) -> float:
        """Inches of the narrowest sample."""
        counts = np.array([end - start for _, start, end in self.groups])
        return float((self.widths / counts).min())


def _lay_out(samples: pd.DataFrame, room: float) -> Columns:
    """Give groups of samples their room: readable columns for few, fine ones or means for many."""
    groups = runs(zip(samples["state"], samples["arm"], samples["week"], strict=True))
    counts = np.array([end - start for _, start, end in groups])
    changed = []
    for (before, *_), (after, *_) in zip(groups, groups[1:], strict=False):
        changed.append(2 if before[0] != after[0] else 1 if before[1] != after[1] else 0)
    gaps = np.array([0.0, *(GAPS[kind] for kind in changed)])
    means = counts.sum() * FINEST > room - gaps.sum()
    if means:
        gaps = np.array([0.0, *(MEAN_GAPS[kind] for kind in changed)])
    free = room - gaps.sum()

    def widths(size: float) -> np.ndarray:
        return np.maximum(counts * size, GROUP)

    if means:
        chosen = np.full(len(groups), np.clip(free / len(groups), GROUP, MEAN))
    else:
        sizes = np.linspace(BROADEST, FINEST, 200)
        fitting = [size for size in sizes if widths(size).sum() <= free]
        # Where no size fits, columns go on to the next page.
        chosen = widths(fitting[0] if fitting else FINEST)
    return Columns(samples, groups, chosen, gaps, bool(means))


def _by_response(data: CohortData, level: pd.Series) -> tuple[pd.DataFrame, bool]:
    """Order the patients of an arm by the change of a level, the same at every visit.

    Returns the samples, and whether anybody has a change; without one patients are ordered by the
    level of their lesional skin.
    """
    samples = data.samples.assign(level=level.reindex(data.samples.index))
    lesional = samples[samples["state"] == State.LESIONAL]
    first = lesional[lesional["week"] == 0].groupby("patient")["level"].mean()
    later = lesional[lesional["week"] > 0].sort_values("week", kind="stable")
    last = later.groupby(["arm", "patient"])["level"].last()
    keys = list(zip(samples["arm"], samples["patient"], strict=True))
    start = samples["patient"].map(first)
    change = last.reindex(pd.MultiIndex.from_tuples(keys)).to_numpy(dtype=float) - start
    # Samples stand by state, arm and week already.
    group = samples.groupby(["state", "arm", "week"], sort=False).ngroup()
    samples = samples.assign(group=group, change=change, start=start)
    order = ["group", "change", "start", "patient"]
    samples = samples.sort_values(order, kind="stable", na_position="last")
    return samples, bool(change.notna().any())


def _draw_samples(
    data: CohortData,
    title: str,
    counts: str,
    values: pd.DataFrame,
    *,
    level: pd.Series,
    level_name: str,
    scale: str,
    meaning: list[str],
    notes: list[str],
    **parts: Any,
) -> list[Figure]:
    """Draw rows × samples, or the means of groups of samples."""
    samples, responded = _by_response(data, level)
    drawn = values[samples.index]
    heatmap = Heatmap(
        title=title, facts=data.facts, subtitle="", values=drawn, notes=notes, **parts
    )
    columns = _lay_out(samples, heatmap.room)
    groups = columns.groups
    if columns.means:
        what = "one column per group, the mean of its n samples"
        means = [drawn.iloc[:, a:b].mean(axis=1) for _, a, b in groups]
        heatmap.values = pd.concat(means, axis=1)
        notes = [
            "So many samples that a column would be finer than 0.3 mm: means of groups; the "
            "samples are in the table of this figure.",
            *notes,
        ]
        widths, gaps = columns.widths, columns.gaps
        bounds = [(i, i + 1) for i in range(len(groups))]
    else:
        what = "one column per sample, n = samples of a group"
        widths = np.concatenate(
            [
                np.full(b - a, w / (b - a))
                for (_, a, b), w in zip(groups, columns.widths, strict=True)
            ]
        )
        gaps = np.zeros(len(samples))
        gaps[[a for _, a, _ in groups]] = columns.gaps
        bounds = [(a, b) for _, a, b in groups]
        notes = [*_order_notes(samples, responded, level_name), *notes]
    heatmap.subtitle = f"{data.n}; {counts}; {what}"
    heads = [(group, *bound, b - a) for (group, a, b), bound in zip(groups, bounds, strict=True)]
    blocks = [
        (heads[first][1], heads[last - 1][2])
        for _, first, last in runs((state, arm) for (state, arm, _), *_ in heads)
    ]
    limit = heatmap.limit
    ends = ("≤ −scale", "≥ +scale")
    if not isinstance(limit, pd.Series):
        ends = (f"≤ −{limit:g}", f"≥ {limit:g}")
    names, prefix = short_names(list(samples.index))
    named = not columns.means and columns.size >= NAMED
    if named and prefix:
        notes = [*notes, f"Sample names are without their common beginning {prefix}"]
    heatmap.notes = notes

    def header(sheet: Sheet, start: int, end: int, places: np.ndarray) -> float:
        some = [
            (group, max(a, start) - start, min(b, end) - start, n)
            for group, a, b, n in heads
            if a < end and b > start
        ]
        return _draw_groups(sheet, data, some, places)

    def below(sheet: Sheet, start: int, end: int, places: np.ndarray, y: float) -> float:
        if not named:
            return y
        for name, (left, right) in zip(names[start:end], places, strict=True):
            middle = (left + right) / 2
            sheet.text(middle, y + 0.04, name, size=6, rotation=90, ha="center", va="top")
        return y + 0.06 + text_width(names, 6)

    def footer(sheet: Sheet, y: float) -> float:
        return colour_scale(sheet, y, ends, scale, meaning)

    return heatmap.pages(blocks, widths, gaps, header, footer, below)


def _order_notes(samples: pd.DataFrame, responded: bool, level: str) -> list[str]:
    """Say how patients are ordered, where there are several."""
    if samples["patient"].nunique() < 2:
        return []
    if responded:
        return [
            "Patients of an arm stand in the same order at every visit: by the change in lesional "
            f"skin from baseline to their last visit of the {level}, largest decrease first, those "
            "without a later visit last."
        ]
    return [f"Patients of a group stand by the {level} in lesional skin, lowest first."]


def _draw_groups(
    sheet: Sheet,
    data: CohortData,
    heads: list[tuple[Any, int, int, int]],
    places: np.ndarray,
) -> float:
    """Write states and arms with their colours, and visits with n, above the columns."""
    states, arms = [], []
    for state, first, last in runs(group[0] for group, *_ in heads):
        start, end = heads[first][1], heads[last - 1][2]
        states.append(Span(state, start, end, STATES.get(state, FAINT)))
    for (state, arm), first, last in runs(group[:2] for group, *_ in heads):
        start, end = heads[first][1], heads[last - 1][2]
        named = "" if arm == state else arm
        arms.append(Span(named, start, end, data.arm_colours[arm] if named else ""))
    y = draw_spans(sheet, states, places, 0.0, weight="bold")
    if any(span.text for span in arms):
        y = draw_spans(sheet, arms, places, y, 6.5)
    visits, counts = [], []
    for (_, _, week), start, end, n in heads:
        visits.append(Span(f"{week:g}", start, end, ink=FAINT))
        counts.append(Span(f"{n}", start, end, ink=FAINT))
    y = draw_spans(sheet, visits, places, y - 0.01, 6.0, name="week")
    return draw_spans(sheet, counts, places, y, 6.0, name="n =") + 0.01
