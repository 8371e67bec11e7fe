"""Pages that need no network: templates, filled and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adnorm.base.files import atomic


def fill(template: str, **values: Any) -> str:
    """Fill a template of this package; texts are escaped, an unknown name stops."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template(template).render(**values)


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write it."""
    text = fill(template, **values)
    with atomic(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")
