"""The site asks for nothing outside: fonts, scripts, styles and pictures lie beside its pages.

Links that a reader follows are fine. What a browser fetches by itself is a warning of the build,
and warnings are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Attributes whose address a browser fetches by itself, by tag.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "link": ("href",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
#: Links of the head that are read by people and machines that look for them, not by a page.
NOT_FETCHED = {"canonical", "author", "license", "next", "prev", "search", "index", "genindex"}
OUTSIDE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:[a-z]+:)?//[^'\")\s;]+)", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        values = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        if tag == "link" and set(values.get("rel", "").split()) <= NOT_FETCHED:
            return
        for name in FETCHED.get(tag, ()):
            for address in values.get(name, "").split(", "):
                if OUTSIDE.match(address):
                    self.outside.append(address)
        self.outside += IN_STYLES.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Note the addresses of a style."""
        if self._style:
            self.outside += IN_STYLES.findall(data)


def fetched_from_outside(text: str, kind: str = "html") -> list[str]:
    """List the addresses of other hosts that a page (or a style sheet) fetches by itself.

    Parameters
    ----------
    text
        Of the file.
    kind
        ``html`` or ``css``.
    """
    if kind == "css":
        return IN_STYLES.findall(text)
    page = _Page()
    page.feed(text)
    return page.outside


def outside_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """Go through a built site."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".css"):
            text = path.read_text(encoding="utf-8")
            for address in fetched_from_outside(text, path.suffix[1:]):
                yield path.relative_to(folder), address


def _check(app: Sphinx, exception: Exception | None) -> None:
    from sphinx.util import logging

    if exception is None and app.builder.format == "html":
        for path, address in outside_of(Path(app.outdir)):
            logging.getLogger(__name__).warning("%s fetches %s", path, address)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check every site that was built."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
