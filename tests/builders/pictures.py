"""Small pictures of figures, compared so that another build of the fonts is no difference."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from adnorm.figures import build
from adnorm.figures.theme import MARGIN, RC
from builders.figure_cohorts import TRIAL, read
from builders.figure_index import RUN, draw_atlas, index_of, make_atlas, pages_of

#: Where the pictures are, and which figures of samples, of an index and of all cohorts have one.
BASELINE = Path(__file__).parents[1] / "figures" / "baseline"
SAMPLES = ("sets_samples", "set_changes", "gene_changes", "enrichment")
COHORT, ATLAS = ("normalization", "time_courses"), ("forest", "normalization_atlas")
#: Drawn so fine, and then averaged over squares of some pixels: letters become grey.
DPI, SQUARE = 150, 6
#: Pixels of a block, the difference in a block that is one (of 255), and the mean one of a picture.
BLOCK, MOST, MOST_ON_AVERAGE = 5, 14.0, 1.5


def picture(pages) -> np.ndarray:
    """The first page, height × width × colours."""
    page, drawn = pages_of(pages)[0], BytesIO()
    page.savefig(drawn, format="png", dpi=DPI, bbox_inches=page.get_tightbbox().padded(MARGIN))
    return np.asarray(Image.open(drawn).convert("RGB").reduce(SQUARE), dtype=np.uint8)


def difference(first: np.ndarray, second: np.ndarray) -> str:
    """Say how two pictures differ; empty if only letters are a little other."""
    if np.abs(np.subtract(first.shape, second.shape)).max() > 2:
        return f"sizes {first.shape[:2]} and {second.shape[:2]}"
    high, wide = np.minimum(first.shape, second.shape)[:2] // BLOCK * BLOCK
    apart = first[:high, :wide].astype(float) - second[:high, :wide]
    blocks = apart.reshape(high // BLOCK, BLOCK, wide // BLOCK, BLOCK, 3).mean(axis=(1, 3))
    worst, mean = np.abs(blocks).max(), np.abs(apart).mean()
    if worst > MOST or mean > MOST_ON_AVERAGE:
        return f"{worst:.1f} in a block (at most {MOST:g}), {mean:.2f} on average"
    return ""


def drawings(repository: Path, folder: Path) -> dict[str, np.ndarray]:
    """Draw the pictures of the made-up trials and run."""
    with mpl.rc_context(RC):
        cohort = read(folder / "cohort", **TRIAL)
        pages = {name: build.COHORT[name](cohort)[0] for name in SAMPLES}
        _, data = index_of(folder / "index", repository)
        pages |= {name: build.INDEX[name](data)[0] for name in COHORT}
    _, figures = draw_atlas(*make_atlas(folder / "atlas", repository, RUN))
    pages |= {name: figures[name][0] for name in ATLAS}
    with mpl.rc_context(RC):
        return {name: picture(some) for name, some in pages.items()}
