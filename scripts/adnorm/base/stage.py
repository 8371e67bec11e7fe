"""What every stage is: one signature, and parameters that survive their way to it.

Parameters of a rule carry text of the outside world. Snakemake writes them into the scripts of a
report, unescaped, reads braces and angle brackets in them as its own, and hands them to the
captions. A title, a sample name or a set name may hold any of that. So texts stand in parameters
with every character that could mean something replaced by ``%`` and its code, as in addresses of
the web (`harmless`), and are turned back before a stage sees them (`original`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import unquote

#: Letters and digits of any language, and marks that mean nothing to HTML, scripts or Snakemake.
_HARMFUL = re.compile(r"[^\w /:,;()+.~=–—-]")

#: One file, or the files of all cohorts, by the name that the rule gives them.
Files = Mapping[str, Any]


class Build(Protocol):
    """A stage: files in, files out, typed settings, one seed for everything random."""

    def __call__(self, inputs: Files, outputs: Files, settings: Any, seed: int) -> None: ...


class Settings(Protocol):
    """A typed model that checks plain values."""

    @classmethod
    def model_validate(cls, value: Any) -> Any: ...


def harmless(value: object) -> Any:
    """Write plain values so that they can stand in a parameter.

    Parameters
    ----------
    value
        Dictionaries, lists, texts, numbers, ``None``; keys of dictionaries are texts like others.

    Returns
    -------
    The same, with all texts harmless. Different values stay different, so that Snakemake still sees
    a change.

    Examples
    --------
    >>> harmless({"title": "</script><img src=x>", "dose": 5})
    {'title': '%3C/script%3E%3Cimg src=x%3E', 'dose': 5}
    """
    return _each_text(value, lambda text: _HARMFUL.sub(_code, text))


def original(value: object) -> Any:
    """Turn back what `harmless` wrote.

    Examples
    --------
    >>> original(harmless({"<b>": ["100 %", None, {1: "é\\n"}]}))
    {'<b>': ['100 %', None, {1: 'é\\n'}]}
    """
    return _each_text(value, lambda text: unquote(text, errors="surrogatepass"))


def _code(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_each_text(k, change): _each_text(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(part, change) for part in value]
    return value
