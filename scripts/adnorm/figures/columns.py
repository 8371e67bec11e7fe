"""Samples as columns: groups with their n on top, annotation strips, legends at the right."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from adnorm.figures.material import Material
from adnorm.figures.sheet import Sheet, text_width, wrap_words
from adnorm.figures.theme import FAINT, STATES, short_names, shorten

STRIP = 0.13
#: Beyond this many samples their names cannot be read.
MOST_NAMED = 60


def heatmap_width(samples: int) -> float:
    """Inches for a number of samples: readable cells for few, a page for many."""
    return float(np.clip(samples * 0.125, 2.6, 10.5))


def runs(values: list[Hashable]) -> list[tuple[Hashable, int, int]]:
    """List runs of equal values with their start and end.

    Examples
    --------
    >>> runs(["a", "a", "b"])
    [('a', 0, 2), ('b', 2, 3)]
    """
    found, start = [], 0
    for value, members in groupby(values):
        end = start + sum(1 for _ in members)
        found.append((value, start, end))
        start = end
    return found


def draw_header(sheet: Sheet, material: Material, width: float) -> float:
    """Draw group labels, n and the strips state, arm and week; return the lower edge."""
    samples = material.samples
    cell = width / len(samples)
    blocks = runs(list(zip(samples["state"], samples["arm"], strict=True)))
    groups = runs(list(zip(samples["state"], samples["arm"], samples["week"], strict=True)))
    names = [
        state if arm in ("healthy", state) else f"{state} {arm}" for (state, arm), _, _ in blocks
    ]
    wrapped = [
        wrap_words(name, 6.5, (b - a) * cell - 0.05)
        for name, (_, a, b) in zip(names, blocks, strict=True)
    ]
    flat = [shorten(name, 34) for name in names]
    y = 0.05 + max(
        text_width([line], 6.5) + 0.02 if text is None else 0.115 * (text.count("\n") + 1)
        for text, line in zip(wrapped, flat, strict=True)
    )
    for text, line, (_, a, b) in zip(wrapped, flat, blocks, strict=True):
        style = {"size": 6.5, "ha": "center", "linespacing": 1.15}
        middle = cell * (a + b) / 2
        if text is None:
            sheet.text(middle, y - 0.03, line, va="bottom", rotation=90, **style)
        else:
            sheet.text(middle, y - 0.05, text, va="baseline", **style)
    y = _draw_counts(sheet, groups, cell, y)
    for column, colours in _varying(material).items():
        _draw_strip(sheet, y, width, list(samples[column]), colours, column)
        y += STRIP + 0.02
    return y + 0.03


def _varying(material: Material) -> dict[str, Mapping]:
    """Colours of the fields that differ between samples; the others need no strip."""
    present = set(material.samples["state"])
    fields: dict[str, Mapping] = {
        "state": {s: c for s, c in STATES.items() if s in present},
        "arm": material.arm_colours,
        "week": material.week_colours,
    }
    return {name: colours for name, colours in fields.items() if len(colours) > 1}


def _draw_counts(sheet: Sheet, groups: list, cell: float, y: float) -> float:
    """Write week and n above each group, upright if there is room."""
    names = [f"wk {week:g}" for (_, _, week), _, _ in groups]
    counts = [f"n={b - a}" for _, a, b in groups]
    widths = [max(text_width([n, c], 6), 0.0) for n, c in zip(names, counts, strict=True)]
    fits = all(w < (b - a) * cell - 0.02 for w, (_, a, b) in zip(widths, groups, strict=True))
    flat = [f"{n}  {c}" for n, c in zip(names, counts, strict=True)]
    height = 0.25 if fits else text_width(flat, 6) + 0.12
    for name, count, (_, a, b) in zip(names, counts, groups, strict=True):
        middle = cell * (a + b) / 2
        text = f"{name}\n{count}" if fits else f"{name}  {count}"
        sheet.text(
            middle,
            y + height - 0.035,
            text,
            size=6,
            color=FAINT,
            ha="center",
            va="bottom",
            rotation=0 if fits else 90,
            linespacing=1.15,
        )
    return y + height


def _draw_strip(
    sheet: Sheet, y: float, width: float, values: list, colours: Mapping, name: str
) -> None:
    keys = list(colours)
    axes = sheet.axes(0, y, width, STRIP)
    codes = np.array([[keys.index(v) for v in values]])
    palette = ListedColormap([colours[k] for k in keys])
    axes.pcolormesh(codes, cmap=palette, vmin=-0.5, vmax=len(keys) - 0.5, rasterized=True)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    sheet.text(-0.07, y + STRIP / 2, name, size=6.5, color=FAINT, ha="right", va="center")


def draw_group_lines(axes: Axes, material: Material) -> None:
    """Separate groups by thin white lines, and states and arms by thick ones."""
    samples = material.samples
    blocks = {a for _, a, _ in runs(list(zip(samples["state"], samples["arm"], strict=True)))}
    keys = list(zip(samples["state"], samples["arm"], samples["week"], strict=True))
    for _, start, _ in runs(keys):
        if start:
            axes.axvline(start, color="white", linewidth=2.4 if start in blocks else 0.9, zorder=2)


def draw_sample_names(sheet: Sheet, material: Material, y: float, width: float) -> float:
    """Write the samples below the columns if they can be read; return the lower edge."""
    names, _ = short_names(list(material.samples.index))
    if len(names) > MOST_NAMED:
        return y
    cell = width / len(names)
    for position, name in enumerate(names):
        sheet.text(
            cell * (position + 0.5), y + 0.04, name, size=5.5, rotation=90, ha="center", va="top"
        )
    return y + 0.06 + text_width(names, 5.5)


def name_note(material: Material) -> list[str]:
    """Say what is dropped from the names of the samples."""
    _, prefix = short_names(list(material.samples.index))
    shown = prefix and len(material.samples) <= MOST_NAMED
    return [f"Sample names are without their common beginning {prefix}"] if shown else []


def draw_legends(sheet: Sheet, material: Material, x: float, y: float = 0.0) -> float:
    """Draw the legends of the strips; return the lower edge."""
    for column, colours in _varying(material).items():
        named = {f"{k:g}" if column == "week" else k: c for k, c in colours.items()}
        y = sheet.legend(x, y, column.capitalize(), named)
    return y
