"""Every sample as a column: genes of the itch and barrier sets, and the scores of all sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.columns import (
    draw_group_lines,
    draw_header,
    draw_legends,
    draw_sample_names,
    heatmap_width,
    name_note,
)
from adnorm.figures.contrasts import CHANGE_KINDS, list_columns
from adnorm.figures.grid import DIRECTIONS, draw_grid, empty_note
from adnorm.figures.labels import (
    DIRECTION_NOTE,
    SIGNED_BAR,
    category_blocks,
    mark_label,
    set_notes,
    signed_note,
)
from adnorm.figures.material import Material
from adnorm.figures.names import TITLES
from adnorm.figures.rows import effect_order, expand, scale_rows, similar_order
from adnorm.figures.selection import shown_effects, shown_sets
from adnorm.figures.sheet import Sheet, message_sheet, text_width
from adnorm.figures.theme import counted, limit_of

DISEASE = ("lesional-nonlesional@0", "lesional-healthy@0")
GENE_COLUMNS = [
    "set",
    "gene",
    "direction",
    "sample",
    "patient",
    "state",
    "arm",
    "week",
    "log2_expression",
    "z",
    "reason",
]
COLUMN_NOTE = "one column a sample, n = samples of a group"
SET_COLUMNS = ["set", "sample", "patient", "state", "arm", "week", "score", "status", "reason"]


def disease_effects(material: Material) -> pd.Series:
    """Log2 fold change of each gene in lesional skin, from the first disease contrast there is."""
    effects = material.tables["effects"]
    for contrast in DISEASE:
        rows = effects[effects["contrast"] == contrast]
        if len(rows):
            return rows.set_index("gene")["log2_fold_change"]
    return pd.Series(dtype=float)


def order_genes(
    material: Material, genes: list[str], scaled: pd.DataFrame, directions: dict[str, str]
) -> list[str]:
    """Order the genes of a set by the disease effect, or by similarity if there is none."""
    effects = disease_effects(material)
    found = [g for g in genes if g in scaled.index]
    if len(effects):
        return effect_order(found, effects, directions)
    return similar_order(scaled.loc[found])


def missing_genes(material: Material, genes: list[str]) -> tuple[list[str], list[str]]:
    """Split the genes that no row shows into undetected and those that the data do not have."""
    undetected = set(map(str, np.atleast_1d(material.facts.get("undetected", []))))
    lost = [g for g in genes if g not in material.expression.var_names]
    return [g for g in lost if g in undetected], [g for g in lost if g not in undetected]


def draw_genes(material: Material, name: str, topic: str) -> tuple[Figure, pd.DataFrame]:
    """Draw genes × samples.

    Parameters
    ----------
    material
        The cohort.
    name
        Of the figure.
    topic
        Key of ``heatmap_sets``: itch or barrier.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per gene and sample; genes without a row in the figure with the reason.
    """
    sets = material.heatmap_sets(topic)
    directions = {g.symbol: g.direction for s in sets for g in s.scored}
    asked = list(directions)
    values = material.gene_values(asked)
    scaled = scale_rows(values)
    blocks, shown = [], set()
    for gene_set in sets:
        # A gene of two sets stands in the first one only, or its row would count twice.
        genes = [g.symbol for g in gene_set.scored if g.symbol not in shown]
        shown |= set(genes)
        blocks.append(
            (gene_set.label or gene_set.name, order_genes(material, genes, scaled, directions))
        )
    table = _gene_table(material, sets, values, scaled, directions)
    if values.empty:
        reason = f"none of the {len(asked)} genes of these sets was measured or detected"
        return message_sheet(TITLES[name], material.facts, reason), table
    matrix, lines = expand(scaled, blocks)
    width = heatmap_width(values.shape[1])
    shown_text = f"{material.n}; {counted(values.index, 'gene')}; {COLUMN_NOTE}"
    sheet = Sheet(TITLES[name], material.facts, shown_text, left=-0.85)
    top = draw_header(sheet, material, width)
    limit = 2.5
    axes, end = draw_grid(
        sheet, top, width, matrix, lines, limit, direction=lambda g: directions[g]
    )
    draw_group_lines(axes, material)
    end = draw_sample_names(sheet, material, end, width)
    x = width + 0.3
    below = draw_legends(sheet, material, x)
    below = sheet.colour_bar(x, below, limit, "Expression (z per gene)")
    _direction_legend(sheet, x, below, {directions[g] for g in values.index})
    sheet.notes(-0.85, end + 0.12, width + 0.85, _gene_notes(material, asked, scaled))
    return sheet.figure, table


def _direction_legend(sheet: Sheet, x: float, y: float, present: set[str]) -> None:
    shown = [name for name in DIRECTIONS if name in present]
    if shown:
        sheet.text(x, y, "Direction in lesional\natopic dermatitis skin", size=7.5, va="top")
    for position, name in enumerate(shown):
        sign, colour = DIRECTIONS[name]
        below = y + 0.33 + 0.16 * position
        sheet.text(x, below, sign, size=7, color=colour, va="top")
        sheet.text(x + 0.16, below, name, size=7, va="top")


def _gene_notes(material: Material, asked: list[str], scaled: pd.DataFrame) -> list[str]:
    undetected, absent = missing_genes(material, asked)
    flat = sorted(scaled.index[scaled.isna().all(axis=1)])
    ordered = "their lesional change" if len(disease_effects(material)) else "similarity"
    return [
        f"Rows: genes of each set, ordered by {ordered}; {DIRECTION_NOTE}",
        *empty_note(absent, material.absent.capitalize()),
        *empty_note(undetected, "Measured but not detected"),
        *empty_note(flat, "Grey, no variation between samples"),
        *name_note(material),
    ]


def _gene_table(
    material: Material,
    sets: list,
    values: pd.DataFrame,
    scaled: pd.DataFrame,
    directions: dict[str, str],
) -> pd.DataFrame:
    """One row per gene and sample as drawn, then the genes that are not drawn."""
    samples = material.samples
    undetected, absent = missing_genes(material, list(directions))
    frames, done = [], set()
    for gene_set in sets:
        for gene in (g.symbol for g in gene_set.scored if g.symbol not in done):
            done.add(gene)
            head = {"set": gene_set.name, "gene": gene, "direction": directions[gene] or "none"}
            if gene not in values.index:
                lost = "not detected" if gene in undetected else material.absent
                frames.append(pd.DataFrame([head | {"reason": lost}]))
                continue
            flat = bool(scaled.loc[gene].isna().all())
            frames.append(
                pd.DataFrame(
                    head
                    | {
                        "sample": samples.index,
                        "patient": samples["patient"].to_numpy(),
                        "state": samples["state"].to_numpy(),
                        "arm": samples["arm"].to_numpy(),
                        "week": samples["week"].to_numpy(),
                        "log2_expression": values.loc[gene].to_numpy(),
                        "z": scaled.loc[gene].to_numpy(),
                        "reason": "no variation between samples" if flat else "",
                    }
                )
            )
    return pd.concat(frames, ignore_index=True).reindex(columns=GENE_COLUMNS)


def draw_sets_samples(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw sets × samples.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per set and sample.
    """
    scores = material.score_values()
    contrasts = [c.contrast for c in list_columns(material, CHANGE_KINDS)]
    names, left_out = shown_sets(material, shown_effects(material, contrasts))
    matrix, lines = expand(scores, category_blocks(material, names))
    labels = {name: mark_label(material, name, sign=True) for name in names}
    width = heatmap_width(scores.shape[1])
    shown = f"{material.n}; {counted(names, 'gene set')}; {COLUMN_NOTE}"
    left = -text_width(labels.values(), 7) - 0.12
    sheet = Sheet(TITLES["sets_samples"], material.facts, shown, left=left)
    top = draw_header(sheet, material, width)
    judged = scores.loc[[name for name in names if name not in material.controls]]
    limit = limit_of(judged.to_numpy(), *material.limits)
    axes, end = draw_grid(sheet, top, width, matrix, lines, limit, label=labels.__getitem__)
    draw_group_lines(axes, material)
    end = draw_sample_names(sheet, material, end, width)
    x = width + 0.3
    below = draw_legends(sheet, material, x)
    signed = SIGNED_BAR if any("±" in label for label in labels.values()) else ""
    note = "\n".join(filter(None, [material.zero, signed, "grey = no score"]))
    sheet.colour_bar(x, below, limit, material.unit[:1].upper() + material.unit[1:], note)
    notes = [
        signed_note(material, names),
        *left_out,
        *name_note(material),
        *set_notes(material, names),
    ]
    sheet.notes(left, end + 0.12, width - left, notes)
    return sheet.figure, _score_table(material, scores)


def _score_table(material: Material, scores: pd.DataFrame) -> pd.DataFrame:
    samples = material.samples
    long = scores.rename_axis(index="set", columns="sample").stack(future_stack=True)
    table = long.rename("score").reset_index()
    for column in ("patient", "state", "arm", "week"):
        table[column] = table["sample"].map(samples[column])
    table["status"] = table["set"].map(material.sets["status"])
    table["reason"] = table["set"].map(material.sets["reason"])
    order = {name: i for i, name in enumerate(material.sets.index)}
    return table.sort_values("set", key=lambda s: s.map(order), kind="stable")[SET_COLUMNS]
