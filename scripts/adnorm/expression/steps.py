"""The record of what became of the identifiers: identifiers.tsv."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd


@dataclass
class Steps:
    """What became of the identifiers, in order; the table identifiers.tsv."""

    rows: list[tuple[str, int, str]] = field(default_factory=list)

    def add(
        self, step: str, count: int, examples: Iterable[str] = (), note: str = "", limit: int = 10
    ) -> None:
        """Note a step: how many, a note, and the first examples in alphabetical order."""
        shown = sorted(dict.fromkeys(str(e) for e in examples))
        more = len(shown) - limit
        text = ", ".join(shown[:limit]) + (f" and {more} more" if more > 0 else "")
        self.rows.append((step, int(count), ": ".join(part for part in (note, text) if part)))

    def table(self) -> pd.DataFrame:
        """Return the steps as a table with the columns step, count, detail."""
        return pd.DataFrame(self.rows, columns=["step", "count", "detail"])
