"""One look for all figures: fonts, colours that mean the same everywhere, files that repeat."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from os import PathLike
from os.path import commonprefix
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager, ft2font
from matplotlib.colors import Colormap, to_hex, to_rgb
from matplotlib.figure import Figure

from adnorm.base.files import atomic
from adnorm.base.tables import write_table
from adnorm.base.text import printable
from adnorm.figures.svg import slim_svg
from adnorm.study.vocabulary import Arm, DrugFamily, State, drug_family

if TYPE_CHECKING:
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.transforms import BboxBase
    from matplotlib.typing import RcKeyType
    from PIL import Image

#: Keywords of matplotlib, whose types differ from key to key.
Style = dict[str, Any]

#: Colour-blind-safe colours after Okabe and Ito, darker where theirs are too light for lines on
#: white paper (3 : 1); the first three are states, the others treatments.
STATES: dict[str, str] = {
    State.HEALTHY: "#00926B",
    State.NONLESIONAL: "#4B6C8E",
    State.LESIONAL: "#D55E00",
}
TREATMENTS = ("#0072B2", "#C2699B", "#B87F00", "#6A51A3", "#7F4F24", "#3D8C95", "#B2476A")
PLACEBO, UNTREATED, ALL_ARMS = "#8C8C8C", "#9A8A63", "#E4E4E4"
MISSING, INK, FAINT, ALERT = "#CFCFCF", "#222222", "#6B6B6B", "#B3001B"
#: The first visit and the last.
VISITS = ("#949448", "#3C3F12")
#: Contrast to white paper of lines and markers; texts have 4.5.
LEAST_CONTRAST = 3.0
#: The level of normal skin in plots of the index.
NORMAL = "#16837A"
#: Marker of each visit, in the order of the visits.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHED = (0, (4, 2))
#: Dots per inch of pictures: what journals ask for.
DPI = 300
#: Millimetres of an inch; inches of the highest page, around it, and to the next on screens.
INCH, HIGHEST_PAGE, MARGIN, BETWEEN = 25.4, 247 / 25.4, 0.04, 0.3

#: Tables of a font that set text: ligatures, kerning, marks, formulas.
_SET_TEXT = ("GSUB", "GPOS", "GDEF", "kern", "MATH")
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
    # TrueType, whole letters that other programs can edit.
    "pdf.fonttype": 42,
    "svg.hashsalt": "adnorm",
    "text.parse_math": False,
    # Letters fitted to pixels take longer, and are wider or narrower with every resolution.
    "text.hinting": "no_hinting",
}


class _FontInMemory(BytesIO):
    """A font file that is read once; its name is what finds it for a PDF."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(Path(path).read_bytes())
        self.path = str(path)

    def __str__(self) -> str:
        return self.path


def _open_font(path: str | PathLike[str], *more: Any, **named: Any) -> ft2font.FT2Font:
    return ft2font.FT2Font(_FontInMemory(path), *more, **named)


# matplotlib looks every letter up in the font's file, a million times for the figures of a cohort.
# That was a quarter of the time of drawing. What it measures and draws stays the same.
vars(font_manager)["ft2font"] = SimpleNamespace(**vars(ft2font) | {"FT2Font": _open_font})

_SIZE = re.compile(r'viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)"')
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
    """Shades of one hue from light to dark; a single one is the hue itself.

    The lightest is as light as a line on white paper may be.
    """
    if count == 1:
        return [colour]
    hue = np.array(to_rgb(colour))
    whiter = [hue + part * (1 - hue) for part in np.linspace(0, 0.5, 26)]
    seen = [shade for shade in whiter if contrast(shade, "white") >= LEAST_CONTRAST]
    first, last = (seen or [hue])[-1], 0.55 * hue
    return [to_hex(first + part * (last - first)) for part in np.linspace(0, 1, count)]


def week_colours(weeks: Iterable[float]) -> dict[float, str]:
    """Give visits shades of olive, which no arm has, later ones darker."""
    ordered = sorted(set(weeks))
    first, last = (np.array(to_rgb(end)) for end in VISITS)
    steps = np.linspace(0, 1, max(len(ordered), 2))
    return {
        week: to_hex(first + step * (last - first))
        for week, step in zip(ordered, steps, strict=False)
    }


def week_markers(weeks: Iterable[float]) -> dict[float, str]:
    """Give visits their markers."""
    return {week: MARKERS[i % len(MARKERS)] for i, week in enumerate(sorted(set(weeks)))}


# ---------------------------------------------------------------- colours of values


def diverging() -> Colormap:
    """Return the colour map of everything with a zero: blue below, red above, grey if missing."""
    # Imported here: the jobs of the index do without, and importing it takes a second.
    import seaborn as sns

    return sns.color_palette("vlag", as_cmap=True).with_extremes(bad=MISSING)


def contrast(first: Any, second: Any) -> float:
    """Contrast of two colours from 1 to 21, as WCAG 2 defines it.

    Examples
    --------
    >>> contrast("black", "white"), contrast("white", "white")
    (21.0, 1.0)
    """
    channels = np.array([to_rgb(first), to_rgb(second)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    dark, light = np.sort(linear @ [0.2126, 0.7152, 0.0722]) + 0.05
    return float(round(light / dark, 3))


def readable_ink(colour: Sequence[float]) -> str:
    """Choose the ink that can be read on a colour: with one of the two, the contrast is 4.5."""
    return max(("black", "white"), key=lambda ink: contrast(ink, tuple(colour)))


def thinned(count: int, most: int = 80) -> float:
    """What lines and points keep of their weight where many lie on one another.

    Examples
    --------
    >>> thinned(80), thinned(160), thinned(2000)
    (1.0, 0.5, 0.25)
    """
    return max(0.25, min(1.0, most / max(count, 1)))


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


#: Pages of a PNG: each takes 20 MB of memory, and viewers show 65,535 lines of dots at most.
#: The head of each says how many there are; all of them are in the SVG and the PDF.
MOST_IN_PNG = 12


def savefig(pages: Figure | Iterable[Figure], folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write a figure for screens and for print, and its table; the same bytes always.

    Parameters
    ----------
    pages
        The figure, or its pages in order. Each is written before the next is asked for, so that
        pages that are drawn as they are asked for are never in memory together.
    folder, name
        Where to: NAME.svg (text stays text) and NAME.png hold the pages one below the other (the
        PNG `MOST_IN_PNG` of them), NAME.pdf (fonts embedded) a page for each, NAME.tsv the table.
    table
        What is drawn.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    texts: list[str] = []
    pictures: list[Image.Image] = []
    nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    with (
        atomic(folder / f"{name}.svg") as svg,
        atomic(folder / f"{name}.png") as png,
        atomic(folder / f"{name}.pdf") as pdf,
        mpl.rc_context(RC),
    ):
        with _bare_fonts(), PdfPages(pdf, metadata=nothing) as file:
            for page in [pages] if isinstance(pages, Figure) else pages:
                # Every pass would measure the page again; one measurement serves all files.
                box = page.get_tightbbox().padded(MARGIN)
                texts.append(slim_svg(_svg(page, box), len(texts)))
                if len(pictures) < MOST_IN_PNG:
                    pictures.append(_picture(page, box))
                page.savefig(file, format="pdf", dpi=DPI, bbox_inches=box)
                _cut_out_pictures(file)
                if isinstance(pages, Iterator):
                    # Its parts refer to each other: it would stay.
                    del page
                    gc.collect()
            text = texts[0] if len(texts) == 1 else _stacked(texts)
            svg.write_text(text, encoding="utf-8")
            # Before the PDF ends, which takes apart its fonts in 80 MB.
            _write_png(png, pictures)
    write_table(table, folder / f"{name}.tsv")


def _cut_out_pictures(file: PdfPages) -> None:
    """Let go of the pages of a PDF that its pictures were cut out of.

    matplotlib keeps the pictures until the file ends; what was rasterized, such as a bar of
    colours, is a view of all 19 MB of dots of its page.
    """
    images: dict[int, Any] = file._ensure_file()._images
    for key, (picture, *names) in list(images.items()):
        if picture.base is not None:
            own = picture.copy()
            # Known by their place in memory: another picture may come to lie where this one did.
            del images[key]
            images[id(own)] = (own, *names)


def _svg(page: Figure, box: BboxBase) -> str:
    drawn = StringIO()
    page.savefig(drawn, format="svg", dpi=DPI, bbox_inches=box, metadata={"Date": None})
    # One control character in a name, and no viewer shows the picture.
    return printable(drawn.getvalue())


def _stacked(texts: Sequence[str]) -> str:
    """Put SVG pages one below the other."""
    inner, wide, high = [], 0.0, -72 * BETWEEN
    for text in texts:
        high += 72 * BETWEEN
        found = _SIZE.search(text)
        assert found is not None
        width, height = float(found["width"]), float(found["height"])
        # Points would be points of the screen, four thirds of the units of the box around.
        page = re.sub(r' (width|height)="([\d.]+)pt"', r' \1="\2"', text, count=2)
        inner.append(f'<svg y="{high:g}"{page.removeprefix("<svg")}')
        wide, high = max(wide, width), high + height
    size = f'width="{wide:g}pt" height="{high:g}pt" viewBox="0 0 {wide:g} {high:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(inner)}</svg>\n'


def _picture(page: Figure, box: BboxBase) -> Image.Image:
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    drawn = BytesIO()
    # Only the whole picture is packed.
    canvas = FigureCanvasAgg(page)
    page.savefig(drawn, format="rgba", dpi=DPI, bbox_inches=box)
    size = int(canvas.renderer.width), int(canvas.renderer.height)
    # The canvas of a page keeps 25 MB of dots as long as the page lives.
    FigureCanvasBase(page)
    return Image.frombuffer("RGBA", size, drawn.getvalue()).convert("RGB")


def _write_png(path: Path, pictures: list[Image.Image]) -> None:
    from PIL import Image

    gap, top = round(DPI * BETWEEN), 0
    high = sum(picture.height + gap for picture in pictures) - gap
    whole = Image.new("RGB", (max(picture.width for picture in pictures), high), "white")
    while pictures:
        picture = pictures.pop(0)
        whole.paste(picture, (0, top))
        top += picture.height + gap
    # One level more takes a third longer for as many bytes.
    whole.save(path, format="png", dpi=(DPI, DPI), compress_level=3)


@contextmanager
def _bare_fonts() -> Iterator[None]:
    """Embed no tables for setting text in fonts: in a PDF every glyph has its place already.

    Picking the rows of the glyphs out of them took half the time of a figure.
    """
    from fontTools import subset

    load = subset.load_font

    def load_bare(file: Any, options: Any, *more: Any, **named: Any) -> Any:
        font = load(file, options, *more, **named)
        for table in {*_SET_TEXT} & {*font.keys()}:
            del font[table]
        return font

    subset.load_font = load_bare
    try:
        yield
    finally:
        subset.load_font = load


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
