"""Looks at the bytes of a file: servers answer with web pages and status 200."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.inflate import GZIP_MAGIC, damage, is_web_page, opened

#: What each kind of file must have among its first characters, and its name in words.
SERIES_MATRIX = b"!Series_"
NCBI_TABLE = b"GeneID"
H5AD = b"\x89HDF"
_KINDS = {
    SERIES_MATRIX: "a series matrix: no line begins with '!Series_'",
    NCBI_TABLE: "a table of NCBI: it has no column 'GeneID'",
    H5AD: "an .h5ad: its bytes are not HDF5",
}
#: What helps when a server does not.
ANOTHER_PLACE = (
    "name another place in the configuration: `geo: address:` for a mirror of GEO, "
    "`identifiers: table:` for a file of identifiers"
)
_CHUNK = 1 << 20
_OPENING = 64 * 1024


class BrokenContentError(AdnormError):
    """The bytes are not the file that was asked for.

    Attributes
    ----------
    passing
        Whether the same request may succeed later, as after a connection that broke off.
    """

    def __init__(self, sentence: str, passing: bool = False) -> None:
        super().__init__(sentence)
        self.passing = passing


@dataclass(frozen=True)
class Expected:
    """What a file must be.

    Attributes
    ----------
    opens_with
        Bytes that must occur in the first 64 KiB of the (inflated) text: `SERIES_MATRIX`,
        `NCBI_TABLE` or `H5AD`; empty for any.
    accession, accession_in
        The series or platform that it must be of, and what reads the accession out of a file
        (``None`` where a file does not say).
    """

    opens_with: bytes = b""
    accession: str = ""
    accession_in: Callable[[Path], str | None] | None = None


ANYTHING = Expected()


def check_content(
    path: Path, name: str, source: str, expected: Expected = ANYTHING, on_disk: bool = False
) -> None:
    """Refuse a file whose bytes cannot be what is expected of it.

    Parameters
    ----------
    path
        The file as it arrived, still under a temporary name.
    name
        Its final name; ``.gz`` demands a whole gzip file.
    source
        Where it came from, for messages.
    expected
        What it must be.
    on_disk
        Whether the source is a file on this machine, so that no server is to blame.

    Raises
    ------
    BrokenContentError
        Empty, a web page, not gzip, a gzip file that is cut off or damaged, other content, or the
        file of another series or platform.
    AdnormError
        A gzip file that holds more than `adnorm.base.inflate` allows.
    """
    with open(path, "rb") as file:
        opening = file.read(_OPENING)
    if not opening:
        what_to_do = "; export or copy it again" if on_disk else ""
        raise BrokenContentError(f"{source}: the file is empty (0 bytes){what_to_do}", passing=True)
    if is_web_page(opening):
        raise BrokenContentError(_web_page_message(source, on_disk))
    packed = opening.startswith(GZIP_MAGIC)
    if name.endswith(".gz") and not packed:
        raise BrokenContentError(
            f"{source}: the name ends in .gz but the bytes are not gzip (they begin with "
            f"{opening[:16]!r}); {'copy' if on_disk else 'ask for'} the file again, or rename it "
            "if it is plain text"
        )
    if packed:
        opening = _inflate_through(path, source, on_disk)
        if not opening:
            raise BrokenContentError(f"{source}: the gzip file holds nothing")
        if is_web_page(opening):
            raise BrokenContentError(_web_page_message(source, on_disk))
    if expected.opens_with and expected.opens_with not in opening:
        raise BrokenContentError(
            f"{source}: this is not {_KINDS[expected.opens_with]}; it begins with "
            f"{opening[:40].decode('utf-8', 'replace')!r}"
        )
    check_accession(path, source, expected, on_disk)


def check_accession(path: Path, source: str, expected: Expected, on_disk: bool = False) -> None:
    """Refuse the file of another series or platform; see `check_content`."""
    stated = expected.accession_in(path) if expected.accession_in else None
    if stated is None or stated == expected.accession:
        return
    what_to_do = (
        "put the right file in its place, or mend the cohort file"
        if on_disk
        else "it was not kept and the next call asks again; if it comes again, name a mirror "
        "(config: geo: address:), or mend the cohort file if that names the wrong one"
    )
    raise BrokenContentError(
        f"{source}: this file says that it is of {stated}, but {expected.accession} was asked for; "
        f"{what_to_do}"
    )


def _web_page_message(source: str, on_disk: bool) -> str:
    if on_disk:
        return (
            f"{source}: this file is a web page (HTML), not the data. If a browser saved it, it "
            "is the page of a captcha, a login or an error: download the file itself and put it "
            "in this place. If a program exported it as HTML (some .xls files are), save it "
            "as csv or tsv"
        )
    return (
        f"{source}: a web page instead of a file came back (HTML, perhaps a captcha, a login or "
        f"an error page). Open the address in a browser, wait and try again, or {ANOTHER_PLACE}"
    )


def _inflate_through(path: Path, source: str, on_disk: bool) -> bytes:
    """Inflate a whole gzip file, keeping only its first 64 KiB."""
    what_to_do = (
        "put a whole one in its place (copy or download it again, or compress the original again)"
        if on_disk
        else "it was not kept, fetch it again"
    )
    try:
        with opened(path, source, lines=False) as file:
            opening = file.read(_OPENING)
            while file.read(_CHUNK):
                pass
    except zlib.error as error:
        raise BrokenContentError(
            f"{source}: the gzip file is damaged ({damage(error)}); {what_to_do}",
            passing=True,
        ) from error
    except EOFError as error:
        raise BrokenContentError(
            f"{source}: the gzip file is truncated: it ends in the middle, after "
            f"{path.stat().st_size} bytes; {what_to_do}",
            passing=True,
        ) from error
    return opening
