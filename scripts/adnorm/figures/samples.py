"""Every sample as a column: genes of the itch and barrier sets, and the scores of all sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.changes import CHANGE_KINDS, empty_note, list_columns, missing_notes
from adnorm.figures.data import CohortData
from adnorm.figures.heatmap import (
    DIRECTIONS,
    annotated_heatmap,
    draw_tracks,
    effect_order,
    runs,
    scale_rows,
    similar_order,
)
from adnorm.figures.labels import (
    DIRECTION_NOTE,
    SIGNED_BAR,
    coverage_notes,
    set_label,
    signed_note,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import HEADING, Sheet, lines_of, nothing_to_draw, text_width, wrap_words
from adnorm.figures.theme import FAINT, STATES, Style, limit_of, short_names, shorten

SAMPLE_COLUMNS = ["sample", "patient", "state", "arm", "week"]
GENE_COLUMNS = ["set", "gene", "direction", *SAMPLE_COLUMNS, "log2_expression", "z", "reason"]
SET_COLUMNS = ["set", *SAMPLE_COLUMNS, "score", "status", "reason"]
COLUMN_NOTE = "one column per sample, n = samples of a group"
#: Limit of the colours of genes, in standard deviations.
GENE_LIMIT = 2.5
#: Beyond this many samples their names cannot be read.
MOST_NAMED = 60


# ---------------------------------------------------------------- genes × samples


def draw_genes(data: CohortData, topic: str) -> tuple[Figure, pd.DataFrame]:
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
        return nothing_to_draw(title, data.facts, reason, GENE_COLUMNS, table)
    width = _width(values.shape[1])
    subtitle = f"{data.n}; {counted(len(values), 'gene')}; {COLUMN_NOTE}"
    sheet = Sheet(title, data.facts, subtitle, left=-0.85)
    end = _draw_matrix(
        sheet, data, scaled, blocks, width, GENE_LIMIT, direction=directions.__getitem__
    )
    x = width + 0.3
    below = _draw_legends(sheet, data, x)
    below = sheet.colour_bar(x, below, GENE_LIMIT, "Expression (z per gene)")
    _direction_legend(sheet, x, below, {directions[g] for g in values.index})
    flat = sorted(scaled.index[scaled.isna().all(axis=1)])
    order = "their lesional change" if len(disease) else "similarity"
    notes = [
        f"Rows: genes of each set, ordered by {order}; {DIRECTION_NOTE}",
        *missing_notes(data, missing),
        *empty_note(flat, "Grey, no variation between samples"),
        *_name_note(data),
    ]
    sheet.notes(end + 0.12, width + 0.85, notes)
    return sheet.figure, table


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


def _direction_legend(sheet: Sheet, x: float, y: float, present: set[str]) -> None:
    shown = {name: look for name, look in DIRECTIONS.items() if name in present}
    if shown:
        sheet.text(x, y, "Direction in lesional\natopic dermatitis skin", size=7.5, va="top")
    for position, (name, (sign, colour)) in enumerate(shown.items()):
        below = y + 0.33 + 0.16 * position
        sheet.text(x, below, sign, size=7, color=colour, va="top")
        sheet.text(x + 0.16, below, name, size=7, va="top")


# ---------------------------------------------------------------- sets × samples


def draw_sets_samples(data: CohortData) -> tuple[Figure, pd.DataFrame]:
    """Draw sets × samples; one row of the table per set and sample."""
    scores = data.score_values()
    contrasts = [c.contrast for c in list_columns(data, CHANGE_KINDS)]
    names, left_out = data.shown_sets(data.shown_effects(contrasts))
    labels = {name: set_label(data, name, sign=True) for name in names}
    width = _width(scores.shape[1])
    subtitle = f"{data.n}; {counted(len(names), 'gene set')}; {COLUMN_NOTE}"
    left = -text_width(labels.values(), 7) - 0.12
    sheet = Sheet(TITLES["sets_samples"], data.facts, subtitle, left=left)
    judged = scores.loc[[name for name in names if name not in data.controls]]
    limit = limit_of(judged.to_numpy(), *data.limits)
    end = _draw_matrix(
        sheet, data, scores, data.blocks(names), width, limit, label=labels.__getitem__
    )
    x = width + 0.3
    below = _draw_legends(sheet, data, x)
    signed = SIGNED_BAR if any("±" in label for label in labels.values()) else ""
    note = "\n".join(filter(None, [data.zero, signed, "grey = no score"]))
    sheet.colour_bar(x, below, limit, data.unit[:1].upper() + data.unit[1:], note)
    notes = [signed_note(data, names), *left_out, *_name_note(data), *coverage_notes(data, names)]
    sheet.notes(end + 0.12, width - left, notes)
    table = scores.rename_axis(index="set", columns="sample").reset_index()
    table = table.melt("set", value_name="score")
    table = table.join(data.samples[SAMPLE_COLUMNS[1:]], on="sample")
    table = table.join(data.sets[["status", "reason"]], on="set")
    return sheet.figure, data.by_set(table)[SET_COLUMNS]


# ---------------------------------------------------------------- samples as columns


def _width(samples: int) -> float:
    """Inches for a number of samples: readable columns for few, a page for many."""
    return float(np.clip(samples * 0.125, 2.6, 10.5))


def _draw_matrix(
    sheet: Sheet,
    data: CohortData,
    values: pd.DataFrame,
    blocks: list[tuple[str, list[str]]],
    width: float,
    limit: float,
    **style: Any,
) -> float:
    """Draw header, heatmap and names of the samples; return the lower edge."""
    samples = data.samples
    arms = runs(zip(samples["state"], samples["arm"], strict=True))
    visits = runs(zip(samples["state"], samples["arm"], samples["week"], strict=True))
    # Thin white lines between groups, thick ones between states and arms.
    starts = {start for _, start, _ in arms}
    cuts = [(start, 2.4 if start in starts else 0.9) for _, start, _ in visits if start]
    size = width / len(samples)
    y = _draw_groups(sheet, arms, size)
    y = _draw_counts(sheet, visits, size, y)
    tracks = {name: (list(samples[name]), colours) for name, colours in _varying(data).items()}
    y = draw_tracks(sheet, tracks, y, width) + 0.03
    end = annotated_heatmap(sheet, values, blocks, y, width, limit, cuts=cuts, **style)
    names, _ = short_names(list(samples.index))
    if len(names) > MOST_NAMED:
        return end
    for position, name in enumerate(names):
        style = {"size": 5.5, "rotation": 90, "ha": "center", "va": "top"}
        sheet.text(size * (position + 0.5), end + 0.04, name, **style)
    return end + 0.06 + text_width(names, 5.5)


def _varying(data: CohortData) -> dict[str, Mapping[Any, str]]:
    """Colours of the fields that differ between samples; the others need no track."""
    present = set(data.samples["state"])
    fields: dict[str, Mapping[Any, str]] = {
        "state": {s: c for s, c in STATES.items() if s in present},
        "arm": data.arm_colours,
        "week": data.week_colours,
    }
    return {name: colours for name, colours in fields.items() if len(colours) > 1}


def _draw_groups(sheet: Sheet, arms: list[tuple[Any, int, int]], size: float) -> float:
    """Write state and arm above their samples, upright if there is room; return the lower edge."""
    texts = []
    for (state, arm), a, b in arms:
        name = state if arm in ("healthy", state) else f"{state} {arm}"
        texts.append((wrap_words(name, 6.5, (b - a) * size - 0.05), shorten(name, 34)))
    y = 0.05 + max(
        text_width([line], 6.5) + 0.02 if text is None else 0.115 * lines_of([text])
        for text, line in texts
    )
    for (text, line), (_, a, b) in zip(texts, arms, strict=True):
        middle = size * (a + b) / 2
        if text is None:
            style = HEADING | {"va": "bottom", "rotation": 90}
            sheet.text(middle, y - 0.03, line, size=6.5, **style)
        else:
            sheet.text(middle, y - 0.05, text, size=6.5, **HEADING)
    return y


def _draw_counts(sheet: Sheet, visits: list[tuple[Any, int, int]], size: float, y: float) -> float:
    """Write week and n above each group, upright if there is room; return the lower edge."""
    texts = [(f"wk {week:g}", f"n={b - a}", a, b) for (_, _, week), a, b in visits]
    fits = all(text_width([w, n], 6) < (b - a) * size - 0.02 for w, n, a, b in texts)
    flat = [f"{week}  {n}" for week, n, _, _ in texts]
    height = 0.25 if fits else text_width(flat, 6) + 0.12
    style: Style = {"size": 6, "color": FAINT, "ha": "center", "va": "bottom"}
    style |= {"rotation": 0 if fits else 90, "linespacing": 1.15}
    for (week, n, a, b), line in zip(texts, flat, strict=True):
        text = f"{week}\n{n}" if fits else line
        sheet.text(size * (a + b) / 2, y + height - 0.035, text, **style)
    return y + height


def _draw_legends(sheet: Sheet, data: CohortData, x: float) -> float:
    """Draw the legends of the tracks; return the lower edge."""
    y = 0.0
    for name, colours in _varying(data).items():
        named = {f"{key:g}" if name == "week" else key: c for key, c in colours.items()}
        y = sheet.legend(x, y, name.capitalize(), named)
    return y


def _name_note(data: CohortData) -> list[str]:
    """Say what is dropped from the names of the samples."""
    _, prefix = short_names(list(data.samples.index))
    shown = prefix and len(data.samples) <= MOST_NAMED
    return [f"Sample names are without their common beginning {prefix}"] if shown else []
