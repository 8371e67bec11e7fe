"""What a deposit says of its scale in words: its data processing, its channels, scanpy's log1p."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

# "log10", "log (base 10)", "logarithm to the base 10", "base-10 log"; not "log 100".
_NUMBERED = (
    r"log(?:arithm)?(?:s|ic)?[\s_-]*(?:\(?\s*(?:to|of|with|in)?\s*(?:the\s+)?base[\s-]*(?:of\s*)?)?"
    r"\(?\s*{0}(?![\d.])|base[\s-]*(?:of\s*)?{0}(?![\d.])"
)
_SAID = {
    "log10": _NUMBERED.format(10) + r"|common log|decadic",
    "log2": _NUMBERED.format(2) + r"|binary log",
    "ln": r"natural[\s-]*log|\bln\b|\bbase[\s-]*e\b|\blog_?e\b",
}


@dataclass(frozen=True)
class Hints:
    """What is said of the values, besides the values themselves.

    Attributes
    ----------
    said
        The logarithms (log2, ln, log10) that the data processing of the samples names.
    channels
        Channels of the arrays; 2 means ratios, most often.
    container_log
        The logarithm that scanpy noted for ``X`` of an .h5ad (``uns["log1p"]``); else ``None``.
    counts
        The lines that take the whole counts of the same .h5ad; ``None`` where there are none.
    counts_layer
        Where they stand, as `source: layer:` names it; empty for ``X``.
    scaled
        How the rows of the whole table were scaled, when samples of it are left out; else empty.
    """

    said: frozenset[str] = frozenset()
    channels: int = 1
    container_log: str | None = None
    counts: str | None = None
    counts_layer: str | None = None
    scaled: str = ""


def logs_named(text: str) -> frozenset[str]:
    """Find the logarithms that a text names.

    Examples
    --------
    >>> sorted(logs_named("LOWESS, then Log (base 10) ratio of Cy5 and Cy3"))
    ['log10']
    >>> sorted(logs_named("converted from log10 to log-2"))
    ['log10', 'log2']
    """
    return frozenset(
        name for name, pattern in _SAID.items() if re.search(pattern, text, re.IGNORECASE)
    )


def hints_of(raw: pd.DataFrame) -> Hints:
    """Read what the samples of a series say of their values.

    Parameters
    ----------
    raw
        Raw metadata of the samples that are used.

    Returns
    -------
    Hints
    """
    said: frozenset[str] = frozenset()
    channels = 1
    for name in map(str, raw.columns):
        key = re.sub(r"[^a-z0-9]", "", name.casefold())
        values = raw[name].fillna("").astype(str)
        if key in ("dataprocessing", "dataprocessingch2", "valuedefinition"):
            said |= logs_named(" ".join(sorted(set(values))))
        elif key == "channelcount" and values.str.strip().isin(["2", "2.0"]).all():
            channels = 2
    return Hints(said, channels)
