"""What the data can carry: quality of the samples, principal components, coverage of the sets."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from adnorm.base.text import counted, per_cent, typeset
from adnorm.figures.data import FILTERED, MOST_ADDED, CohortData, rows_of
from adnorm.figures.heatmap import Line, fit_label, fit_rows, lines_of_blocks, two_lines
from adnorm.figures.labels import set_label
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import (
    KEY,
    LINE,
    LONGEST_PART,
    Sheet,
    name_points,
    nothing_to_draw,
    part_of,
    text_width,
)
from adnorm.figures.theme import (
    ALERT,
    DASHED,
    FAINT,
    HIGHEST_PAGE,
    INK,
    MARGIN,
    STATES,
    Style,
    short_names,
    shorten,
    thinned,
    week_markers,
)

PCA_COLUMNS = ["sample", "patient", "state", "arm", "week", "pc1", "pc2", "flags", "reason"]
QUALITY_COLUMNS = [
    *("sample", "patient", "state", "arm", "week", "library_size", "detected_genes"),
    *("correlation_within_group", "lesional_place", "sex_called", "sex_sheet"),
    *("flags", "excluded", "reason"),
]
COVERAGE_COLUMNS = [
    *("set", "label", "asked", "found", "renamed", "undetected", "absent", "status", "reason"),
]
#: More rings than this hide the points.
MOST_RINGED = 15
#: With more names than this a panel would hold nothing else; they are listed below or in the table.
MOST_NAMES = 6
SEXES = ("female", "not called", "male")
#: Inches of a panel of principal components at most, of what stands left of it, and below.
SIDE, LEFT, BELOW = 2.75, 0.6, 0.75
#: Inches of the least wide and of the highest panel of quality, and of what stands left of it.
LEAST, HIGH, LEFT_OF_QUALITY = 2.6, 1.45, 0.72
#: More flagged samples than this are counted, not listed.
MOST_LISTED = 8
#: Column of qc.tsv, title of its panel, and the beginnings of the flags that are about it.
PANELS = (
    ("library_size", "Library size (million reads)", ("library",)),
    ("detected_genes", "Detected genes", ("few_genes",)),
    ("correlation_within_group", "Median correlation with group (r)", ("correl", "dupl")),
    ("sex_called", "Sex called from expression", ("sex", "other_patient")),
    ("lesional_place", "Place from nonlesional (0) to lesional (1)", ("state",)),
)
#: Parts of the genes of a set: colour and meaning.
PARTS = {
    "found": ("#4C78A8", "found by its symbol"),
    "renamed": ("#6FA3CF", "found by an older symbol"),
    "undetected": ("#C08A2E", FILTERED),
    "absent": ("#8F8F8F", ""),
}


#: Samples from which points are smaller, so that they can be told apart.
MANY = 600


def _scatter(
    axes: Axes, places: pd.DataFrame, colours: pd.Series, shapes: pd.Series, **style: Any
) -> None:
    """Draw points (x, y), each of its own colour and shape.

    seaborn's scatterplot does the same, but takes half a second per panel to find levels and scales
    of columns whose colours and shapes are fixed for all figures. Points of one shape are drawn
    together: an SVG then holds the shape once, not with every point.
    """
    known = places[["x", "y"]].notna().all(axis=1)
    style["s"] *= thinned(len(places), MANY)
    for shape in shapes[known].unique():
        own = known & (shapes == shape)
        x, y = places["x"][own], places["y"][own]
        axes.scatter(x, y, c=colours[own], marker=shape, clip_on=False, **style)


def _ring(axes: Axes, points: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """Ring points (x, y, name) and name them if they are few; return names without a place."""
    axes.autoscale_view()
    many = len(points) > MOST_NAMES
    ring: Style = {"ms": 6.5, "mew": 0.5} if many else {"ms": 9, "mew": 1.1}
    for x, y in points[["x", "y"]].to_numpy(dtype=float):
        axes.plot(x, y, "o", mfc="none", mec=ALERT, zorder=5, clip_on=False, **ring)
    if many:
        return list(points["name"])
    named = list(points[["x", "y", "name"]].itertuples(index=False, name=None))
    return name_points(axes, named, others[["x", "y"]].dropna().to_numpy(dtype=float), ALERT, 6.0)


def key_line(
    sheet: Sheet,
    y: float,
    title: str,
    colours: Mapping[str, str],
    markers: Mapping[str, str] | None = None,
) -> float:
    """Write a legend with its title in lines as wide as the page; return where it ends."""
    sheet.text(sheet.left, y + 0.1, title, size=KEY, va="baseline", color=FAINT)
    samples: list[tuple[Style, str]] = []
    for label, colour in colours.items():
        marker: Style = {"marker": (markers or {}).get(label), "color": colour, "linestyle": ""}
        samples.append((marker | {"markersize": 4.5} if markers else {"facecolor": colour}, label))
    return sheet.keys(y, samples, sheet.left + 0.45, sheet.width - 0.45) + 0.02


# ---------------------------------------------------------------- principal components


def draw_pca(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw the first two principal components, coloured by state and by arm; one row per sample."""
    samples = data.samples
    scores = np.asarray(data.expression.obsm.get("X_pca", np.zeros((len(samples), 0))))
    table = samples.reset_index(names="sample").rename(columns={"qc_flags": "flags"})
    if scores.shape[1] < 2:
        reason = f"principal components need at least 3 samples and 3 genes; there are {data.n}"
        table = table.assign(reason=reason)
        figure, table = nothing_to_draw(TITLES["pca"], data.facts, reason, PCA_COLUMNS, table)
        return [figure], table
    table[["pc1", "pc2"]] = scores[samples["row"].to_numpy(), :2]
    table["reason"] = ""
    subtitle = f"{data.n}; each point is one sample"
    sheet = Sheet(TITLES["pca"], data.facts, subtitle, -LEFT)
    markers = week_markers(table["week"])
    fields: dict[str, Mapping[Any, str]] = {"state": STATES}
    if len([arm for arm in data.arms if arm != "healthy"]) > 1:
        fields["arm"] = data.arm_colours
    elif len(data.week_colours) > 1:
        # One arm only would repeat the state.
        fields["week"] = data.week_colours
    places = table.assign(x=table["pc1"], y=table["pc2"])
    places["name"] = [shorten(name, 22) for name in short_names(list(table["sample"]), 22)[0]]
    ringed = _farthest(places)
    nameless: list[str] = []
    present = set(samples["state"])
    legends: list[tuple[str, Mapping[str, str], Mapping[str, str] | None]]
    legends = [("State", {s: c for s, c in STATES.items() if s in present}, None)]
    legends += [("Arm", data.arm_colours, None)] if "arm" in fields else []
    weeks = {f"{week:g}": marker for week, marker in markers.items()}
    shades = data.week_colours if "week" in fields else dict.fromkeys(markers, INK)
    inks = dict(zip(weeks, (shades[week] for week in markers), strict=True))
    legends.append(("Week", inks, weeks))
    notes = _pca_notes(table, ringed)
    # Drawn once to be measured.
    trial, keys = Sheet(TITLES["pca"], data.facts, subtitle, -LEFT), 0.0
    for legend in legends:
        keys = key_line(trial, keys, *legend)
    # Names of flagged samples without a place take three lines at most.
    rest = keys + 0.5 + sum(map(trial.note_height, notes)) + 3 * LINE
    # Beside one another, or below one another on a narrow page.
    across = len(fields) if sheet.width > len(fields) * (SIDE + LEFT) else 1
    down = ceil(len(fields) / across)
    high = (HIGHEST_PAGE - 2 * MARGIN + trial.top - rest) / down - BELOW
    side = min(sheet.width / across - LEFT - 0.05, SIDE, max(high, 1.0))
    grid = sheet.panels(down, across, (side, side), (LEFT, BELOW), y=0.2).ravel()
    for axes, (field, colours) in zip(grid, fields.items(), strict=True):
        shapes = places["week"].map(markers)
        _scatter(axes, places, places[field].map(colours), shapes, s=24, lw=0.4, edgecolor="white")
        axes.margins(0.1)
        axes.set_title(f"Coloured by {field}", loc="left", weight="bold")
        axes.set_xlabel(f"PC1{_explained(data, 0)}")
        axes.set_ylabel(f"PC2{_explained(data, 1)}", labelpad=1)
        nameless += _ring(axes, ringed, places)
    y = 0.2 + down * (side + BELOW) - 0.15
    for legend in legends:
        y = key_line(sheet, y, *legend)
    if nameless:
        notes.append(f"Flagged, not labelled: {', '.join(dict.fromkeys(nameless))}.")
    sheet.notes(y + 0.1, notes)
    return [sheet.figure], table[PCA_COLUMNS]


def _pca_notes(table: pd.DataFrame, ringed: pd.DataFrame) -> list[str]:
    notes = ["From log2 expression of all genes, centred."]
    flagged = int((table["flags"] != "").sum())
    if not flagged:
        return [*notes, "No sample is flagged by quality control."]
    if len(ringed) < flagged:
        return [
            *notes,
            f"Ringed: of the {flagged} samples that quality control flagged, the {len(ringed)} "
            "furthest from the middle. All are in the table of this figure.",
        ]
    return [*notes, "Ringed: flagged by quality control."]


def _farthest(places: pd.DataFrame) -> pd.DataFrame:
    """Choose the flagged samples that are ringed: all, or those furthest from the middle."""
    centred = places[["x", "y"]] - places[["x", "y"]].median()
    distance = (centred**2).sum(axis=1)[places["flags"] != ""]
    kept = distance.sort_values(ascending=False, kind="stable").index[:MOST_RINGED]
    return places.loc[places.index.intersection(kept, sort=False)]


def _explained(data: CohortData, component: int) -> str:
    ratio = np.atleast_1d(data.expression.uns.get("pca", {}).get("variance_ratio", []))
    return f" ({100 * ratio[component]:.1f} % of variance)" if len(ratio) > component else ""


# ---------------------------------------------------------------- quality of the samples


def draw_quality(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw library size, detected genes, correlation and called sex; excluded samples too."""
    table = _quality_table(data)
    title, facts = TITLES["quality"], data.facts
    subtitle = f"n = {counted(len(table), 'sample')}; in order of state, arm, week and patient"
    known = {panel: _panel_values(table, panel[0]) for panel in PANELS}
    drawn = {panel: values for panel, values in known.items() if values.notna().any()}
    missing = _left_out(table, [column for column, _, _ in drawn])
    if not drawn:
        reason = "; ".join(missing) or "no value was computed for this cohort"
        figure, table = nothing_to_draw(title, facts, reason, QUALITY_COLUMNS, table)
        return [figure], table
    notes = _quality_notes(table, missing)
    states = {s: c for s, c in STATES.items() if s in set(table["state"])}
    marks = {"kept": "o", "excluded": "X"} if (table["excluded"] == "yes").any() else {}
    trial = Sheet(title, facts, subtitle, -LEFT_OF_QUALITY, LONGEST_PART)
    across = max(min(int(trial.width / (LEAST + LEFT_OF_QUALITY)), len(drawn), 2), 1)
    size = (trial.width / across - LEFT_OF_QUALITY - 0.05, HIGH)
    pitch = HIGH + 0.5
    rest = 0.6 + sum(map(trial.note_height, notes))
    most = max(int((HIGHEST_PAGE - 2 * MARGIN + trial.top - rest) / pitch), 1) * across
    panels = list(drawn.items())
    parts = [panels[i : i + most] for i in range(0, len(panels), most)]
    pages = []
    for number, some in enumerate(parts, start=1):
        part = part_of(number, len(parts))
        sheet = Sheet(title, facts, subtitle, -LEFT_OF_QUALITY, part)
        down = ceil(len(some) / across)
        grid = sheet.panels(down, across, size, (LEFT_OF_QUALITY, 0.5), y=0.2).ravel()
        for axes, (panel, values) in zip(grid, some, strict=False):
            _draw_quality(axes, table, values, *panel)
        for axes in grid[len(some) :]:
            axes.remove()
        y = 0.2 + down * pitch - 0.05
        # An odd number of panels leaves a place, in which the legend stands.
        free = len(some) < len(grid)
        x, y_keys = (size[0] + LEFT_OF_QUALITY, y - pitch) if free else (0.0, y)
        below = _quality_keys(sheet, x, y_keys, states, marks)
        if number == len(parts):
            sheet.notes(y + 0.08 if free else below + 0.1, notes)
        pages.append(sheet.figure)
    return pages, table.reindex(columns=QUALITY_COLUMNS)


def _quality_keys(
    sheet: Sheet, x: float, y: float, states: dict[str, str], marks: dict[str, str]
) -> float:
    """Draw the legends, in a place left by panels or below them; return where they end."""
    if x:
        y = sheet.legend(x, y + 0.05, "State", states)
        return sheet.legend(x, y, "Sample", dict.fromkeys(marks, INK), marks) if marks else y
    y = key_line(sheet, y, "State", states)
    return key_line(sheet, y, "Sample", dict.fromkeys(marks, INK), marks) if marks else y


def _quality_table(data: CohortData) -> pd.DataFrame:
    table = data.tables["qc"].copy()
    for column in ("flags", "reason", "not_computed"):
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    table["excluded"] = table["excluded"].fillna("no") if "excluded" in table else "no"
    table["sex_sheet"] = table["sample"].map(data.samples["sex"]).fillna("")
    return data.in_order(table).reset_index(drop=True)


def _panel_values(table: pd.DataFrame, column: str) -> pd.Series:
    missing = pd.Series(np.nan, index=table.index)
    if column not in table:
        return missing
    if column != "sex_called":
        return table[column].astype(float) / (1e6 if column == "library_size" else 1)
    called = table[column].astype(object)
    if not called.isin(["female", "male"]).any():
        return missing
    return called.map(SEXES.index, na_action="ignore").astype(float)


def _limits(values: pd.Series, column: str) -> tuple[float, float]:
    """Choose an axis from 0 or above that does not blow small differences up."""
    if column == "sex_called":
        return -0.5, 2.6
    if column == "lesional_place":
        return min(values.min(), 0.0) - 0.2, max(values.max(), 1.0) + 0.3
    if column == "library_size":
        return 0.0, 1.2 * max(values.max(), 1e-3)
    least = 0.2 * max(values.max(), 10) if column == "detected_genes" else 0.1
    span = max(values.max() - values.min(), least)
    middle = (values.max() + values.min()) / 2
    low = middle - 0.65 * span
    low = max(low, 0.0) if values.min() >= 0 else low
    high = middle + 0.7 * span
    return low, high if column == "detected_genes" else min(high, 1.005)


def _draw_quality(
    axes: Axes,
    table: pd.DataFrame,
    values: pd.Series,
    column: str,
    title: str,
    words: tuple[str, ...],
) -> None:
    """Draw one point per sample; ring and name those flagged for the value of this panel."""
    places = table.assign(x=np.arange(len(table), dtype=float), y=values)
    shapes = table["excluded"].map({"no": "o", "yes": "X"})
    _scatter(axes, places, table["state"].map(STATES), shapes, s=12, lw=0)
    axes.set_title(title, loc="left", weight="bold")
    axes.set(xlim=(-1, len(table)), xticks=[], ylabel="")
    axes.set_xlabel("samples", labelpad=4)
    if column == "library_size" and values.max() > 30 * values[values > 0].min():
        axes.set_yscale("log")
        axes.set_ylim(values[values > 0].min() / 1.5, values.max() * 2)
    else:
        axes.set_ylim(_limits(values, column))
    if column == "sex_called":
        axes.set_yticks(range(len(SEXES)), SEXES)
    else:
        # Plain counts; a correlation keeps its digits.
        plain = ",.0f" if column == "detected_genes" else "g"
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: typeset(f"{v:{plain}}")))
    own = table["flags"].map(lambda flags: any(word in flags for word in words))
    places["name"] = [shorten(name, 22) for name in short_names(list(table["sample"]), 22)[0]]
    _ring(axes, places[own & values.notna()], places)


def _left_out(table: pd.DataFrame, shown: list[str]) -> list[str]:
    """Say why panels are left out."""
    remarks = "; ".join(dict.fromkeys(table["not_computed"])).split("; ")
    found = []
    for column, title, _ in PANELS:
        if column not in shown:
            own = [r.partition(": ")[2] for r in remarks if r.startswith(column) and ": " in r]
            reason = own[0] if own else "not computed for this cohort"
            found.append(f"{title.lower()} ({reason})")
    return found


def flag_words(flags: str) -> str:
    """Write flags for people.

    Examples
    --------
    >>> flag_words("correlation_outlier;small_library")
    'correlation outlier, small library'
    """
    return flags.replace("_", " ").replace(";", ", ")


def _quality_notes(table: pd.DataFrame, missing: list[str]) -> list[str]:
    flagged = table[table["flags"] != ""]
    notes = [f"Not shown: {'; '.join(missing)}."] if missing else []
    placed = table["lesional_place"].notna() if "lesional_place" in table else table["week"] < 0
    if set(table.loc[placed, "week"]) == {0} and (table["week"] > 0).any():
        notes.append(
            "Place: of samples at baseline only, where a patient has both states; later visits "
            "have no pair."
        )
    if flagged.empty:
        return [*notes, "No sample is flagged."]
    notes.append(
        "Ringed: flagged for the value of the panel. "
        "A flag excludes a sample only by a rule of the configuration."
    )
    if len(flagged) > MOST_LISTED:
        flags = flagged["flags"].str.split(";").explode().value_counts().sort_index()
        counts = ", ".join(f"{flag_words(str(name))} {count}" for name, count in flags.items())
        listed = "the table of this figure lists them"
        return [*notes, f"{len(flagged)} of {len(table)} samples flagged ({counts}); {listed}."]
    for row in rows_of(flagged):
        gone = " (excluded)" if row.excluded == "yes" else ""
        notes.append(f"{row.sample}{gone}: {row.reason or flag_words(row.flags)}")
    return notes


# ---------------------------------------------------------------- coverage of the gene sets


def draw_coverage(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw one bar per set: found, found by an older symbol, filtered, absent.

    Hundreds of added sets are only counted; the table has them too.
    """
    table = data.tables["coverage"].set_index("set")
    listed = [name for name in data.sets.index if name in table.index]
    added = set(data.added_sets()) & set(listed)
    hidden = added if len(added) > MOST_ADDED else set()
    names = [name for name in listed if name not in hidden]
    lines = lines_of_blocks(data.blocks(names))
    flagged = table["status"] != "ok"
    low = int(flagged[names].sum())
    subtitle = f"{counted(len(names), 'gene set')}, {low} flagged; "
    subtitle += "numbers: genes measured of genes in the set"
    least = data.settings.scores.minimum_fraction
    notes = [f"Dashed line: {per_cent(least)} measured, the least that is not flagged."]
    if low:
        notes.append(
            f"† fewer than {per_cent(least)} or too few genes measured; the reason of each set is "
            "in the table of this figure."
        )
    if hidden:
        words = {"ok": "ok", "low_coverage": "low coverage", "not_scored": "not scored"}
        counts = table.loc[sorted(added), "status"].value_counts()
        found = ", ".join(f"{counts.get(key, 0):,} {word}" for key, word in words.items())
        notes.append(f"{len(added):,} added sets, not drawn: {found}; all are in the TSV.")
    # Which genes are found has nothing to do with samples or batches.
    facts = data.facts | {"batch": ""}
    width = Sheet(TITLES["coverage"], facts, subtitle).width
    size = 7.0 if width > 5 else 6.0
    labels = {name: fit_label(set_label(data, name), size, 0.36 * width) for name in names}
    written = [line for label in labels.values() for line in label.split("\n")]
    left = -text_width(written, size) - 0.09
    room = width + left - 0.45
    trial = Sheet(TITLES["coverage"], facts, subtitle, left, LONGEST_PART)
    rest = HIGHEST_PAGE - 2 * MARGIN + trial.top - 1.0
    noted = rest - sum(map(trial.note_height, notes))
    parts, row = fit_rows(lines or [Line("", True)], rest, noted, two_lines(labels.values()))
    pages = []
    for number, some in enumerate(parts, start=1):
        part = part_of(number, len(parts))
        sheet = Sheet(TITLES["coverage"], facts, subtitle, left, part)
        y = 0.0
        if some:
            axes = sheet.axes(0, y, room, row * len(some))
            for position, (text, heading) in enumerate(some):
                middle = row * (position + 0.5)
                if heading:
                    sheet.text(0, middle, text, size=7.5, weight="bold", va="center")
                    continue
                found = f"{table.loc[text, 'found']:.0f}/{table.loc[text, 'asked']:.0f}"
                style: Style = {"va": "center", "color": ALERT if flagged[text] else INK}
                sheet.text(-0.07, middle, labels[text], ha="right", size=size, **style)
                sheet.text(room + 0.08, middle, found, size=6.5, **style)
            places = {line.text: i for i, line in enumerate(some) if not line.heading}
            _draw_bars(axes, table, places)
            axes.set(ylim=(len(some), 0), xlim=(0, 100), yticks=[])
            axes.set_xlabel("% of the genes in the set", size=7, labelpad=2)
            axes.spines["left"].set_visible(False)
            axes.axvline(100 * least, color=ALERT, linewidth=0.9, linestyle=DASHED, zorder=4)
            meanings = {meaning or data.absent: colour for colour, meaning in PARTS.values()}
            y = key_line(sheet, row * len(some) + 0.48, "Genes", meanings)
        if number == len(parts):
            sheet.notes(y + 0.08, notes)
        pages.append(sheet.figure)
    drawn = table.loc[listed].reset_index()
    drawn["label"] = drawn["set"].map(data.sets["label"])
    return pages, drawn.reindex(columns=COVERAGE_COLUMNS)


def _draw_bars(axes: Axes, table: pd.DataFrame, places: dict[str, int]) -> None:
    """Stack the four parts; what is left over of the genes of a set is found by its own symbol."""
    rows = table.loc[list(places)]
    others = rows[["renamed", "undetected", "absent"]].astype(int)
    parts = others.assign(found=rows["asked"].astype(int) - others.sum(axis=1))
    shares = 100 * parts.div(rows["asked"].clip(lower=1), axis=0)[list(PARTS)]
    start = shares.cumsum(axis=1) - shares
    middles = [place + 0.5 for place in places.values()]
    for part, (colour, _) in PARTS.items():
        style: Style = {"height": 0.72, "color": colour, "linewidth": 0}
        axes.barh(middles, shares[part], left=start[part], **style)
