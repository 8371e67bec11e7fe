"""Text of the outside world in the parameters of a rule, written so that it can do no harm.

Snakemake writes the parameters of a job into the scripts of a report, unescaped, reads braces and
angle brackets in them as its own, and hands them to the captions. A title, a sample name or a set
name may hold any of that. So texts stand in parameters with every character that could mean
something replaced by ``%`` and its code, as in addresses of the web; entry scripts turn them back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

#: Letters and digits of any language, and marks that mean nothing to HTML, scripts or Snakemake.
_HARMFUL = re.compile(r"[^\w /:,;()+.~=–—-]")


def harmless(value: object) -> object:
    """Write plain values so that they can stand in a parameter.

    Parameters
    ----------
    value
        Dictionaries, lists, texts, numbers, ``None``; keys of dictionaries are texts like others.

    Returns
    -------
    object
        The same, with all texts harmless. Different values stay different, so that Snakemake still
        sees a change.

    Examples
    --------
    >>> harmless({"title": "</script><img src=x>", "dose": 5})
    {'title': '%3C/script%3E%3Cimg src=x%3E', 'dose': 5}
    """
    return _each_text(value, lambda text: _HARMFUL.sub(_code, text))


def original(value: object) -> object:
    """Turn back what `harmless` wrote.

    Examples
    --------
    >>> original(harmless({"<b>": ["100 %", None, {1: "é\\n"}]}))
    {'<b>': ['100 %', None, {1: 'é\\n'}]}
    """
    return _each_text(value, lambda text: unquote(text, errors="surrogatepass"))


def _code(match: re.Match) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_each_text(k, change): _each_text(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(part, change) for part in value]
    return value
