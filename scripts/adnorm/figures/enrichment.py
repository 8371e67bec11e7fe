"""Gene-set enrichment of every comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.changes import (
    CHANGE_KINDS,
    HEAD,
    changes_sheet,
    cross,
    draw_matrix,
    impossible,
)
from adnorm.figures.contrasts import list_columns
from adnorm.figures.heatmaps import category_blocks, mark_label, set_notes
from adnorm.figures.material import Material

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

    keys = list((rows["set"] + "\t" + rows["part"]).unique())
    blocks = [
        (heading, [k for s in shown for k in keys if k.split("\t")[0] == s])
        for heading, shown in category_blocks(material, list(rows["set"].unique()))
    ]
    sheet, width, left = changes_sheet(
        material, "enrichment", columns, [label(k) for k in keys], "tested part"
    )
    notes = [
        f"FDR < {material.fdr:g}: ■ GSEA and camera, △ camera only, ○ GSEA only. GSEA permutes "
        "genes, which overstates sets whose genes move together; camera allows for it.",
        "▲ genes of the set that go up in lesional skin of atopic dermatitis, ▼ that go down; "
        "colour is their own movement, not turned.",
        *_untested_notes(table, label),
        *set_notes(material, list(rows["set"].unique())),
    ]
    scale = ("Normalized\nenrichment score", 1.5)
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
    )
    return sheet.figure, table[COLUMNS]
