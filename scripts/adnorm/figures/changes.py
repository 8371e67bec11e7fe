"""Comparisons as columns: changes of sets and of genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.contrasts import (
    CHANGE_KINDS,
    Column,
    any_supported,
    count_notes,
    draw_contrast_header,
    grid_width,
    list_columns,
    mark,
    star_note,
    unsupported_notes,
)
from adnorm.figures.grid import draw_grid, empty_note
from adnorm.figures.heatmaps import missing_genes
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
from adnorm.figures.rows import effect_order, expand
from adnorm.figures.selection import shown_effects, shown_sets
from adnorm.figures.sheet import Sheet, message_sheet, text_width
from adnorm.figures.theme import counted, limit_of

HEAD = ["contrast", "kind", "group", "week"]
SET_COLUMNS = [
    *HEAD,
    "set",
    "label",
    "change",
    "lower",
    "upper",
    "fdr",
    "mark",
    "pairs",
    "status",
    "reason",
]
GENE_COLUMNS = [
    *HEAD,
    "set",
    "gene",
    "direction",
    "log2_fold_change",
    "fdr",
    "mark",
    "pairs",
    "reason",
]


def _column_table(columns: list[Column]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "contrast": c.contrast,
                "kind": c.kind,
                "group": c.group.replace("\n", " "),
                "week": c.week,
                "column_pairs": c.pairs,
                "column_reason": "" if c.supported else c.reason,
            }
            for c in columns
        ],
        columns=[*HEAD, "column_pairs", "column_reason"],
    )


def cross(columns: list[Column], rows: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Give every column × row one line, with the values where there are any."""
    keys = ["contrast", *rows.columns.intersection(values.columns)]
    table = _column_table(columns).merge(rows, how="cross")
    table = table.merge(values, how="left", on=keys)
    reason = table["reason"] if "reason" in table else pd.Series("", index=table.index)
    reason = reason.fillna("").astype(str)
    table["reason"] = reason.where(table["column_reason"] == "", table["column_reason"])
    if "pairs" not in table:
        table["pairs"] = np.nan
    table["pairs"] = table["pairs"].fillna(table["column_pairs"]).astype(int)
    return table


def _matrix(table: pd.DataFrame, columns: list[Column], row: str, value: str) -> pd.DataFrame:
    wide = table.pivot(index=row, columns="contrast", values=value)
    return wide[[c.contrast for c in columns]]


def impossible(material: Material, name: str, columns: list[str]) -> tuple[Figure, pd.DataFrame]:
    """Draw the reason, and give a table with the same reason."""
    reason = material.why_no()
    table = pd.DataFrame([{"reason": reason}]).reindex(columns=columns)
    return message_sheet(TITLES[name], material.facts, reason), table


def draw_set_changes(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw sets × comparisons: mean difference of the signed z score, with stars.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per comparison and set.
    """
    columns = list_columns(material, CHANGE_KINDS)
    if not any_supported(columns):
        return impossible(material, "set_changes", SET_COLUMNS)
    effects = shown_effects(material, [c.contrast for c in columns])
    values = effects[["contrast", "set", "change", "lower", "upper", "fdr", "pairs", "reason"]]
    names = list(material.sets.index)
    table = cross(columns, pd.DataFrame({"set": names}), values)
    table["label"] = table["set"].map(material.sets["label"])
    table["status"] = table["set"].map(material.sets["status"])
    table["mark"] = [mark(f, material.fdr) for f in table["fdr"]]
    names, left_out = shown_sets(material, effects)
    labels = {name: mark_label(material, name, sign=True) for name in names}
    sheet, width, left = changes_sheet(
        material, "set_changes", columns, list(labels.values()), "gene set"
    )
    notes = [
        star_note(material.fdr, "a comparison and a family of sets: primary, curated, added"),
        signed_note(material, names),
        *left_out,
        *unsupported_notes(columns, material.arms),
    ]
    signed = SIGNED_BAR if any("±" in label for label in labels.values()) else ""
    draw_matrix(
        sheet,
        material,
        columns,
        table,
        "set",
        "change",
        category_blocks(material, names),
        width,
        left,
        (f"Mean difference of the\n{material.unit}", material.limits, signed),
        [*notes, *set_notes(material, names)],
        label=labels.__getitem__,
    )
    return sheet.figure, table[SET_COLUMNS]


def changes_sheet(
    material: Material, name: str, columns: list[Column], labels: list[str], noun: str
) -> tuple[Sheet, float, float]:
    width = grid_width(columns)
    left = -text_width(labels, 7) - 0.3
    counts = ", ".join(["n = patients", *count_notes(columns)])
    shown = f"{counted(labels, noun)}; {counted(columns, 'comparison')}; {counts}"
    return Sheet(TITLES[name], material.facts, shown, left=left), width, left


def draw_matrix(
    sheet: Sheet,
    material: Material,
    columns: list[Column],
    table: pd.DataFrame,
    row: str,
    value: str,
    blocks: list,
    width: float,
    left: float,
    scale: tuple[str, tuple[float, float], str],
    notes: list[str],
    **style: object,
) -> None:
    """Draw one matrix of comparisons with header, colour bar and notes."""
    matrix, lines = expand(_matrix(table, columns, row, value), blocks)
    marks, _ = _expand_marks(_matrix(table, columns, row, "mark"), lines)
    title, limits, note = scale
    judged = table[table[row].isin([name for kind, name in lines if kind == "row"])]
    if "set" in judged:
        judged = judged[~judged["set"].isin(material.controls)]
    limit = limit_of(judged[value].to_numpy(dtype=float), *limits)
    y, cuts = draw_contrast_header(sheet, material, columns, width)
    axes, end = draw_grid(sheet, y, width, matrix, lines, limit, marks=marks, **style)
    for position, thickness in cuts:
        axes.axvline(position, color="white", linewidth=thickness, zorder=2)
    explained = "\n".join(filter(None, [note, "grey = not available"]))
    sheet.colour_bar(width + 0.3, y, limit, title, explained)
    sheet.notes(left, end + 0.12, max(width - left, 6.0), notes)


def _expand_marks(marks: pd.DataFrame, lines: list) -> tuple[np.ndarray, list]:
    empty = [""] * marks.shape[1]
    texts = [empty if kind == "heading" else list(marks.loc[name]) for kind, name in lines]
    return np.array(texts, dtype=object), lines


def draw_gene_changes(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw genes × comparisons: log2 fold changes, disease first, so that reversal is seen.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per comparison and gene; genes that were not measured with the reason.
    """
    columns = list_columns(material, CHANGE_KINDS)
    if not any_supported(columns):
        return impossible(material, "gene_changes", GENE_COLUMNS)
    effects = material.tables["effects"]
    sets = material.heatmap_sets("itch", "barrier")
    directions = {g.symbol: g.direction for s in sets for g in s.scored}
    measured = set(effects["gene"])
    if not measured & set(directions):
        reason = f"none of the {len(directions)} genes of these sets was measured or detected"
        empty = pd.DataFrame([{"reason": reason}]).reindex(columns=GENE_COLUMNS)
        return message_sheet(TITLES["gene_changes"], material.facts, reason), empty
    first = effects[effects["contrast"] == next(c.contrast for c in columns if c.supported)]
    disease = first.set_index("gene")["log2_fold_change"]
    blocks, home = [], {}
    for gene_set in sets:
        genes = [g.symbol for g in gene_set.scored if g.symbol not in home]
        home |= dict.fromkeys(genes, gene_set.name)
        shown = effect_order([g for g in genes if g in measured], disease, directions)
        blocks.append((gene_set.label or gene_set.name, shown))
    genes = [g for _, shown in blocks for g in shown]
    values = effects[["contrast", "gene", "log2_fold_change", "fdr", "pairs"]]
    table = cross(columns, pd.DataFrame({"gene": genes}), values)
    table["mark"] = [mark(f, material.fdr) for f in table["fdr"]]
    sheet, width, left = changes_sheet(material, "gene_changes", columns, genes, "gene")
    undetected, absent = missing_genes(material, list(directions))
    notes = [
        star_note(material.fdr),
        f"{DIRECTION_NOTE} Opposite colours in the disease column and in a change = reversal.",
        *unsupported_notes(columns, material.arms),
        *empty_note(absent, material.absent.capitalize()),
        *empty_note(undetected, "Measured but not detected"),
    ]
    scale = ("log2 fold change", (1.5, 4.0), "")
    style = {"direction": lambda g: directions[g]}
    draw_matrix(
        sheet,
        material,
        columns,
        table,
        "gene",
        "log2_fold_change",
        blocks,
        width,
        left,
        scale,
        notes,
        **style,
    )
    table["set"] = table["gene"].map(home)
    table["direction"] = table["gene"].map(directions).replace("", "none")
    lost = [
        {"set": home[g], "gene": g, "direction": directions[g] or "none", "reason": reason}
        for some, reason in ((absent, material.absent), (undetected, "not detected"))
        for g in some
    ]
    return sheet.figure, pd.concat([table, pd.DataFrame(lost)]).reindex(columns=GENE_COLUMNS)
