"""Where the files are that adnorm ships: configurations, cohort files and gene sets."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CLONE = _PACKAGE.parents[1]


#: Above ``config/``: the clone, or ``adnorm/shipped`` where the package was installed from a wheel.
HOME = _CLONE if (_CLONE / "Snakefile").is_file() else _PACKAGE / "shipped"
