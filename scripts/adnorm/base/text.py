"""Text on its way to people: numbers in sentences, and what comes from the outside world."""

from __future__ import annotations

import re

#: Control characters but tab and line feed, and what no encoding of text may hold.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Show control characters as pictures: a terminal obeys them, and XML may not hold them.

    Lines and tabs stay.

    Examples
    --------
    >>> printable("LS\\x1b[31mX\\n")
    'LS␛[31mX\\n'
    """
    return _CONTROL.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many there are, in the singular for one.

    Examples
    --------
    >>> counted(1, "sample"), counted(2000, "sample"), counted(1, "row names", "rows name")
    ('1 sample', '2,000 samples', '1 row names')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def per_cent(share: float) -> str:
    """Write a level or limit that somebody chose as it is; rounding would make another of it.

    Examples
    --------
    >>> per_cent(0.95), per_cent(0.975), per_cent(0.995)
    ('95 %', '97.5 %', '99.5 %')
    """
    return f"{100 * share:.6g} %"


def points(share: float) -> str:
    """Write a share in whole percentage points; what is not nothing is never written as 0.

    Examples
    --------
    >>> points(0.556), points(-0.05), points(0.004), points(-0.0002), points(0.0)
    ('56', '−5', '0.4', '−0.02', '0')
    """
    whole = round(100 * share)
    # One digit that counts, never in the form 2e-05.
    text = f"{whole}" if whole or not share else f"{float(f'{100 * share:.1g}'):.12f}".rstrip("0")
    return text.replace("-", "−")


def typeset(text: str) -> str:
    """Write minus signs as such, and per cent with a space at which no line breaks.

    Examples
    --------
    >>> typeset("non-lesional is -0.2, a lower 95% bound")
    'non-lesional is −0.2, a lower 95\\xa0% bound'
    """
    return re.sub(r"(?<=\d) ?%", "\u00a0%", re.sub(r"(?<!\w)-(?=\d)", "−", text))
