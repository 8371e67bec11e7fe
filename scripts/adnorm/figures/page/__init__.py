"""Pages that need no network: templates, filled and written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adnorm.base.files import atomic
from adnorm.figures.labels import EXPLORATORY

if TYPE_CHECKING:
    from markupsafe import Markup


def fill(template: str, **values: Any) -> str:
    """Fill a template of this package; texts are escaped, an unknown name stops."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.filters["marked"] = marked
    return pages.get_template(template).render(**values)


def marked(sentence: str) -> Markup:
    """Write a sentence with its exploratory numbers in italics; its text is escaped."""
    from markupsafe import Markup, escape

    number = rf"(−?\d[\d.]*{EXPLORATORY})"
    return Markup(re.sub(number, r"<i>\1</i>", str(escape(sentence))))


def write_text(path: Path, text: str) -> None:
    """Write a page whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write it."""
    write_text(path, fill(template, **values))
