"""Figures of the demo, where it has run: the repository holds no copies of them.

``{picture} normalization`` shows the figure of that name from results/demo with its title. Where
the demo has not run, a sentence says how it comes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DEMO = Path(__file__).resolve().parents[2] / "results" / "demo"
#: Where figures of one cohort are taken from: the simulated dose-ranging trial.
COHORT = "demo_jak1"


def picture_of(name: str, demo: Path = DEMO) -> Path | None:
    """Find the picture of a figure among the results of the demo."""
    places = (demo / COHORT / "figures", demo / "atlas" / "figures")
    found = (place / f"{name}.png" for place in places)
    return next((path for path in found if path.is_file()), None)


class Picture(SphinxDirective):
    """Show one figure of the demo."""

    required_arguments = 1
    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        """Make the picture, or the sentence in its place."""
        from adnorm.figures.names import TITLES

        name = self.arguments[0]
        if name not in TITLES:
            raise self.error(f"there is no figure '{name}'; figures: {', '.join(TITLES)}")
        path = picture_of(name)
        if path is None:
            words = (
                f"{TITLES[name]}. No picture: the demo had not run when these pages were built "
                "(make demo)."
            )
            return [nodes.paragraph("", "", nodes.emphasis("", words))]
        here = Path(self.env.doc2path(self.env.docname)).parent
        address = Path(os.path.relpath(path, here)).as_posix()
        alt = f"{TITLES[name]} (simulated demo trial)"
        image = nodes.image(uri=address, alt=alt, width="100%", loading="lazy")
        title = nodes.caption("", TITLES[name])
        return [nodes.figure("", image, title, classes=["demo-picture"])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
