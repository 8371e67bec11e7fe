"""Samples as points: principal components."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.figures.material import Material
from adnorm.figures.names import TITLES
from adnorm.figures.places import name_points
from adnorm.figures.sheet import Sheet, message_sheet
from adnorm.figures.theme import INK, MARKERS, STATES, short_names

#: More rings than this hide the points.
MOST_RINGED = 15
PCA_COLUMNS = ["sample", "patient", "state", "arm", "week", "pc1", "pc2", "flags", "reason"]


def _markers(material: Material) -> dict[float, str]:
    weeks = list(material.week_colours)
    return {week: MARKERS[i % len(MARKERS)] for i, week in enumerate(weeks)}


def draw_pca(material: Material) -> tuple[Figure, pd.DataFrame]:
    """Draw the first two principal components, coloured by state and by arm.

    Returns
    -------
    figure : Figure
    table : DataFrame
        One row per sample.
    """
    samples = material.samples
    scores = np.asarray(material.expression.obsm.get("X_pca", np.zeros((len(samples), 0))))
    table = samples.reset_index(names="sample").rename(columns={"qc_flags": "flags"})
    if scores.shape[1] < 2:
        reason = f"principal components need at least 3 samples and 3 genes; there are {material.n}"
        table["reason"] = reason
        figure = message_sheet(TITLES["pca"], material.facts, reason)
        return figure, table.reindex(columns=PCA_COLUMNS)
    table[["pc1", "pc2"]] = scores[samples["row"].to_numpy(), :2]
    table["reason"] = ""
    sheet = Sheet(TITLES["pca"], material.facts, f"{material.n}; each point is one sample", -0.6)
    markers = _markers(material)
    side = 3.1
    panels = _panels(material)
    flagged = table[table["flags"] != ""]
    table["name"], _ = short_names(list(table["sample"]), 22)
    ringed = _ringed(table)
    nameless: list[str] = []
    for position, (column, colours) in enumerate(panels):
        axes = sheet.axes(position * (side + 0.75), 0.2, side, side)
        for week, rows in table.groupby("week", sort=True):
            face = rows[column].map(colours)
            edge = "#666666" if column == "week" else "white"
            style = {"s": 24, "linewidths": 0.4, "edgecolors": edge, "marker": markers[week]}
            axes.scatter(rows["pc1"], rows["pc2"], c=face, **style)
        axes.margins(0.1)
        axes.set_title(f"Coloured by {column}", loc="left", weight="bold")
        axes.set_xlabel(f"PC1{_explained(material, 0)}")
        axes.set_ylabel(f"PC2{_explained(material, 1)}", labelpad=1)
        points = list(zip(ringed["pc1"], ringed["pc2"], ringed["name"], strict=True))
        others = list(zip(table["pc1"], table["pc2"], strict=True))
        nameless += name_points(axes, points, (side, side), others)
    across = len(panels) * (side + 0.75)
    x = across - 0.3
    present = {s: c for s, c in STATES.items() if s in set(samples["state"])}
    y = sheet.legend(x, 0.2, "State", present)
    if any(column == "arm" for column, _ in panels):
        y = sheet.legend(x, y, "Arm", material.arm_colours)
    weeks = {f"{week:g}": INK for week in markers}
    sheet.legend(x, y, "Week", weeks, {f"{w:g}": m for w, m in markers.items()})
    notes = ["From log2 expression of all genes, centred."]
    if flagged.empty:
        notes.append("No sample is flagged by quality control.")
    elif len(ringed) < len(flagged):
        notes.append(
            f"Ringed: of the {len(flagged)} samples that quality control flagged, the "
            f"{len(ringed)} furthest from the middle; the others are in the table of this figure."
        )
    else:
        notes.append("Ringed: flagged by quality control.")
    if nameless:
        notes.append(f"Ringed without a name: {', '.join(dict.fromkeys(nameless))}.")
    sheet.notes(-0.6, side + 0.75, across + 0.9, notes)
    return sheet.figure, table[PCA_COLUMNS]


def _panels(material: Material) -> list[tuple[str, dict]]:
    """Colour by state and by arm; by week where one arm only would repeat the state."""
    panels: list[tuple[str, dict]] = [("state", STATES)]
    if len([arm for arm in material.arms if arm != "healthy"]) > 1:
        panels.append(("arm", material.arm_colours))
    elif len(material.week_colours) > 1:
        panels.append(("week", material.week_colours))
    return panels


def _ringed(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the flagged samples that are ringed: all, or those furthest from the middle."""
    places = table[["pc1", "pc2"]]
    distance = ((places - places.median()) ** 2).sum(axis=1)
    flagged = distance[table["flags"] != ""].sort_values(ascending=False, kind="stable")
    return table.loc[table.index.intersection(flagged.index[:MOST_RINGED], sort=False)]


def _explained(material: Material, component: int) -> str:
    ratio = np.atleast_1d(material.expression.uns.get("pca", {}).get("variance_ratio", []))
    return f" ({100 * ratio[component]:.1f} % of variance)" if len(ratio) > component else ""
