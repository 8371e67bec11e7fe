"""Gene-set enrichment of every comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.changes import (
    HEAD,
    changes_sheet,
    cross,
    draw_matrix,
    impossible,
)
from adnorm.figures.contrasts import CHANGE_KINDS, list_columns
from adnorm.figures.labels import category_blocks, mark_label, set_notes
from adnorm.figures.material import Material
from adnorm.figures.selection import shown_sets

COLUMNS = [
    *HEAD,
    "set",
    "part",
    "label",
    "nes",
    "fdr",
    "camera_direction",
    "camera_fdr",
    "mark",
    "size",
    "reason",
]


def _untested_notes(table: pd.DataFrame, label: Callable[[str], str]) -> list[str]:
    """Say why rows are grey in every comparison."""
    empty = table.groupby("key", sort=False).filter(lambda rows: rows["nes"].isna().all())
    whys = empty.drop_duplicates("key")
    lines = [
        f"{label(k)}: {why}" for k, why in zip(whys["key"], whys["reason"], strict=True) if why
    ]
    if len(lines) > 4:
        more = f"and {len(lines) - 1} more; every reason is in the table of this figure."
        lines = [lines[0], more]
    return ["Grey rows: " + "; ".join(lines)] if lines else []


def draw_enrichment(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw sets × comparisons: normalized enrichment score, and which tests agree.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per comparison, set and part.
    """
    kinds = (*CHANGE_KINDS, "residual", "residual-healthy")
    columns = [c for c in list_columns(material, kinds) if c.supported]
    tested = material.tables["enrichment"]
    columns = [c for c in columns if c.contrast in set(tested["contrast"])]
    if not columns:
        return impossible(material, "enrichment", COLUMNS)
    rows = tested[["set", "part"]].drop_duplicates()
    rows = rows[rows["set"].isin(material.sets.index)]
    order = {name: i for i, name in enumerate(material.sets.index)}
    rank = rows["set"].map(order)
    rows = rows.assign(rank=rank).sort_values(["rank", "part"], ascending=[True, False])
    rows = rows[["set", "part"]]
    names = ["nes", "fdr", "camera_direction", "camera_fdr", "size", "reason"]
    table = cross(columns, rows, tested[["contrast", "set", "part", *names]])
    table["key"] = table["set"] + "\t" + table["part"]
    table["label"] = table["set"].map(material.sets["label"])
    gsea, camera = table["fdr"] < material.fdr, table["camera_fdr"] < material.fdr
    table["mark"] = np.select([gsea & camera, camera, gsea], ["■", "△", "○"], default="")

    def label(key: str) -> str:
        name, part = key.split("\t")
        sign = {"up": " ▲", "down": " ▼"}.get(part, "")
        return f"{mark_label(material, name)}{sign}"

    # Camera ranks the added sets: it does not overstate those whose genes move together.
    chosen, left_out = shown_sets(material, table, "camera_fdr")
    rows = rows[rows["set"].isin(chosen)]
    names = list(rows["set"].unique())
    of_set = {s: [f"{s}\t{p}" for p in parts] for s, parts in rows.groupby("set")["part"]}
    keys = [key for name in names for key in of_set[name]]
    blocks = [
        (heading, [key for name in shown for key in of_set[name]])
        for heading, shown in category_blocks(material, names)
    ]
    sheet, width, left = changes_sheet(
        material, "enrichment", columns, [label(k) for k in keys], "tested part"
    )
    notes = [
        f"FDR < {material.fdr:g}: ■ GSEA and camera, △ camera only, ○ GSEA only. GSEA permutes "
        "genes, which overstates sets whose genes move together; camera allows for it.",
        "▲ genes of the set that go up in lesional skin of atopic dermatitis, ▼ that go down; "
        "colour is their own movement, not turned.",
        *left_out,
        *_untested_notes(table[table["key"].isin(keys)], label),
        *set_notes(material, names),
    ]
    scale = ("Normalized\nenrichment score", (1.5, 4.0), "")
    draw_matrix(
        sheet,
        material,
        columns,
        table,
        "key",
        "nes",
        blocks,
        width,
        left,
        scale,
        notes,
        label=label,
        outlined=True,
    )
    return sheet.figure, table[COLUMNS]
