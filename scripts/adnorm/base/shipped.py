"""Where the files are that stand beside the package: the workflow, configurations, gene sets."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = PACKAGE / "shipped"

#: The clone, or ``adnorm/shipped`` where the package was installed from a wheel.
HOME = _SHIPPED if _SHIPPED.is_dir() else PACKAGE.parents[1]
