"""A slimmed SVG looks as the one that matplotlib wrote, pixel by pixel."""

from __future__ import annotations

import base64
import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from adnorm.figures.svg import slim_svg
from adnorm.figures.theme import RC, diverging


def drawn() -> str:
    """All kinds of marks that figures have: lines, shades, dashes, hatches, halos, cells."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(6, 5))
        axes = figure.subplots(2, 2).ravel()
        x, y = np.random.default_rng(1).normal(0, 1, (2, 60))
        axes[0].scatter(x, y, c=["#d55e00", "#8c8c8c"] * 30, alpha=0.5, edgecolors="white", lw=0.4)
        axes[0].errorbar(x[:9], y[:9], 0.4, 0.3, fmt="D", color="#0072b2", lw=3, ms=4)
        axes[0].fill_between([-2, 2], -1, 1, color="#16837a", alpha=0.3, clip_on=True)
        axes[1].imshow(y.reshape(6, 10), cmap=diverging(), aspect="auto")
        axes[2].bar(range(5), [1, -2, 3, -1, 2], color="#e69f00", hatch="//", edgecolor="#222222")
        axes[2].axhline(0.5, color="#b3001b", ls=(0, (4, 2)))
        for i in range(20):
            style = [withStroke(linewidth=1.8, foreground="white")]
            axes[3].text(i / 20, (7 * i % 20) / 20, "●" if i % 2 else "IL13", path_effects=style)
        axes[3].pcolormesh(np.outer(x[:5], y[:5]), cmap=diverging())
        axes[3].set(ylabel="turned text", title="a title")
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def seen(page, svg: str) -> np.ndarray:
    packed = base64.b64encode(svg.encode()).decode()
    page.set_content(f'<img style="zoom: 2" src="data:image/svg+xml;base64,{packed}">')
    page.locator("img").evaluate("image => image.decode()")
    shown = page.locator("img").screenshot()
    return np.asarray(Image.open(io.BytesIO(shown)).convert("RGB")).astype(int)


@pytest.fixture
def page(browser_page):
    browser_page.set_viewport_size({"width": 1300, "height": 1100})
    return browser_page


def test_nothing_that_is_seen_changes(page):
    text = drawn()
    before, after = seen(page, text), seen(page, slim_svg(text))
    assert before.shape == after.shape
    # Something is drawn; else two empty pages would look alike.
    assert (before < 200).any(axis=2).mean() > 0.05
    apart = np.abs(before - after).max(axis=2)
    assert (apart > 48).mean() < 0.003
    assert apart.mean() < 0.3
