"""What a cohort needs: the files of a route, each with the places where it may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """One file to fetch.

    Attributes
    ----------
    role
        series_matrix, annotation, table or sheet.
    name
        Its name in the cohort's ``fetch/`` folder.
    choices
        Where it may be, best first: pairs of what the manifest says and the address to use.
    opens_with
        Bytes that its text must open with; empty for any.
    hint
        What a person can do when it is in none of these places.
    """

    role: str
    name: str
    choices: tuple[tuple[str, str], ...]
    opens_with: bytes = b""
    hint: str = ""
