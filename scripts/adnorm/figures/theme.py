"""One look for all figures: fonts, colours that mean the same everywhere, files that repeat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import Colormap, to_hex, to_rgb
from matplotlib.figure import Figure

from adnorm.base.files import atomic
from adnorm.base.tables import write_table
from adnorm.base.text import printable
from adnorm.study.vocabulary import Arm, DrugFamily, State, drug_family

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

#: Keywords of matplotlib, whose types differ from key to key.
Style = dict[str, Any]

#: Colour-blind-safe colours of Okabe and Ito; the first three are states, the others treatments.
STATES: dict[str, str] = {
    State.HEALTHY: "#009E73",
    State.NONLESIONAL: "#56B4E9",
    State.LESIONAL: "#D55E00",
}
TREATMENTS = ("#0072B2", "#CC79A7", "#E69F00", "#6A51A3", "#7F4F24", "#3D8C95", "#B2476A")
PLACEBO, UNTREATED, ALL_ARMS = "#8C8C8C", "#C9C1B3", "#E4E4E4"
MISSING, INK, FAINT, ALERT = "#CFCFCF", "#222222", "#6B6B6B", "#B3001B"
#: The level of normal skin in plots of the index.
NORMAL = "#16837A"
#: Marker of each visit, in the order of the visits.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHED = (0, (4, 2))
DPI = 160

RC: dict[RcKeyType, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "adnorm",
    "text.parse_math": False,
    # Letters fitted to pixels take longer, and are wider or narrower with every resolution.
    "text.hinting": "no_hinting",
}

_DOSE = re.compile(r"^(?P<treatment>.+?)\s+(?P<dose>\d+(?:\.\d+)?)\s*mg\b", re.IGNORECASE)


# ---------------------------------------------------------------- arms and their colours


def split_arm(arm: str) -> tuple[str, float]:
    """Split the name of an arm into treatment and dose.

    Examples
    --------
    >>> split_arm("gusacitinib 40 mg"), split_arm("placebo")
    (('gusacitinib', 40.0), ('placebo', 0.0))
    """
    match = _DOSE.match(arm)
    return (match["treatment"], float(match["dose"])) if match else (arm, 0.0)


def order_arms(arms: Iterable[str], placebo_arm: str = "") -> list[str]:
    """Order arms as figures show them: healthy, untreated, placebo, then treatments by dose.

    Skin that serves all arms stands before placebo.

    Examples
    --------
    >>> order_arms(["b 20 mg", "placebo", "b 5 mg", "healthy", "a"], "placebo")
    ['healthy', 'placebo', 'a', 'b 5 mg', 'b 20 mg']
    """
    first = [Arm.HEALTHY, Arm.ALL, Arm.UNTREATED, placebo_arm or "placebo"]

    def key(arm: str) -> tuple[int, str, float, str]:
        return (first.index(arm) if arm in first else len(first), *split_arm(arm), arm)

    return sorted(set(arms), key=key)


def arm_colours(
    arms: Iterable[str], placebo_arm: str = "", classes: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give every arm of a cohort its colour; the same arms always get the same colours.

    Placebo is grey. JAK inhibitors are blue in every cohort, and other drugs only where their class
    is not known (`classes`, by arm), so that figures over all cohorts tell them apart. Doses of one
    treatment are shades of one hue, darker for a higher dose.
    """
    ordered = order_arms(arms, placebo_arm)
    colours = {
        Arm.HEALTHY: STATES[State.HEALTHY],
        Arm.ALL: ALL_ARMS,
        Arm.UNTREATED: UNTREATED,
        "placebo": PLACEBO,
        placebo_arm or "placebo": PLACEBO,
    }
    treatments: dict[str, list[str]] = {}
    for arm in ordered:
        if arm not in colours:
            treatments.setdefault(split_arm(arm)[0], []).append(arm)
    free = list(TREATMENTS)
    for members in treatments.values():
        drug_class = (classes or {}).get(members[0], "")
        jak = drug_family(drug_class) == DrugFamily.JAK_INHIBITOR
        # Blue, the first colour, is left to JAK inhibitors as long as there are others.
        start = 1 if drug_class and not jak and len(free) > 1 else 0
        hue = free.pop(start)
        free = free or list(TREATMENTS)
        colours |= dict(zip(members, _shades(hue, len(members)), strict=True))
    return {arm: colours[arm] for arm in ordered}


def _shades(colour: str, count: int) -> list[str]:
    """Shades of one hue from light to dark; a single one is the hue itself."""
    if count == 1:
        return [colour]
    hue = np.array(to_rgb(colour))
    shades = []
    for position in np.linspace(-0.5, 0.3, count):
        towards = np.ones(3) if position < 0 else np.zeros(3)
        shades.append(to_hex(hue + abs(position) * (towards - hue)))
    return shades


def week_colours(
    weeks: Iterable[float], lightest: float = 0.9, darkest: float = 0.15
) -> dict[float, str]:
    """Give visits shades of grey, later ones darker."""
    ordered = sorted(set(weeks))
    steps = np.linspace(lightest, darkest, max(len(ordered), 2))
    return {week: to_hex((g, g, g)) for week, g in zip(ordered, steps, strict=False)}


def week_markers(weeks: Iterable[float]) -> dict[float, str]:
    """Give visits their markers."""
    return {week: MARKERS[i % len(MARKERS)] for i, week in enumerate(sorted(set(weeks)))}


# ---------------------------------------------------------------- colours of values


def diverging() -> Colormap:
    """Return the colour map of everything with a zero: blue below, red above, grey if missing."""
    # Imported here: the jobs of the index do without, and importing it takes a second.
    import seaborn as sns

    return sns.color_palette("vlag", as_cmap=True).with_extremes(bad=MISSING)


def readable_ink(colour: Sequence[float]) -> str:
    """Choose the ink that can be read on a colour, by its relative luminance."""
    red, green, blue = colour
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.52 else INK


def limit_of(
    values: np.ndarray, least: float, most: float = np.inf, percentile: float = 97.5
) -> float:
    """Choose the symmetric limit of a colour scale: a percentile of the absolute values.

    It lies between `least` and `most`, so that noise is not blown up to full colour and a few huge
    values do not leave the rest pale.
    """
    finite = np.abs(values[np.isfinite(values)])
    if not finite.size:
        return least
    return float(np.clip(np.ceil(np.percentile(finite, percentile) * 2) / 2, least, most))


# ---------------------------------------------------------------- files


def savefig(figure: Figure, folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write a figure as SVG (text stays text) and PNG, and its table; the same bytes always."""
    # Two passes would measure the page twice; one measurement serves both files.
    page = figure.get_tightbbox().padded(0.12)
    # Packing a PNG as tightly as possible takes as long as drawing it.
    kinds: dict[str, Style] = {
        "svg": {"metadata": {"Date": None}},
        "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}},
    }
    for kind, options in kinds.items():
        with atomic(folder / f"{name}.{kind}") as temporary, mpl.rc_context(RC):
            figure.savefig(temporary, format=kind, dpi=DPI, bbox_inches=page, **options)
            if kind == "svg":
                # One control character in a name, and no viewer shows the picture.
                text = temporary.read_text(encoding="utf-8")
                if (clean := printable(text)) != text:
                    temporary.write_text(clean, encoding="utf-8")
    write_table(table, folder / f"{name}.tsv")


# ---------------------------------------------------------------- names that fit


def shorten(text: str, limit: int) -> str:
    """Cut a text that is too long for its place, visibly."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def short_names(names: Sequence[str], limit: int = 24) -> tuple[list[str], str]:
    """Shorten names that are too long, so that they still differ; give the beginning dropped.

    Examples
    --------
    >>> short_names(["trial_a_1", "trial_a_22"], 5)
    (['1', '22'], 'trial_a_')
    >>> short_names(["trial_a_1", "trial_a_22"])
    (['trial_a_1', 'trial_a_22'], '')
    """
    prefix = ""
    if len(names) > 1 and max(map(len, names)) > limit:
        # Cut at a separator, or a number that all share would be torn apart.
        prefix = re.sub(r"[^\W_]*$", "", commonprefix(list(names)))
    rest = [name.removeprefix(prefix) for name in names]
    short = [shorten(name, limit) for name in rest]
    if len(set(short)) < len(set(rest)):
        short = [n if len(n) <= limit else f"…{n[1 - limit :]}" for n in rest]
    return short, prefix
