"""What a cohort needs: the files of a route, each with the places where it may be."""

from __future__ import annotations

from dataclasses import dataclass

from adnorm.fetch.content import Whose
from adnorm.fetch.download import is_remote, local_path, name_of


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
    whose
        The series or platform that it must be of; ``None`` for files that tell nothing of it.
    """

    role: str
    name: str
    choices: tuple[tuple[str, str], ...]
    opens_with: bytes = b""
    hint: str = ""
    whose: Whose | None = None

    @classmethod
    def named(
        cls,
        role: str,
        source: str,
        opens_with: bytes = b"",
        whose: Whose | None = None,
    ) -> Wanted:
        """Want a file that the cohort file names: one place, an address or a path.

        The manifest keeps the name alone of an absolute path: folders of one machine mean nothing
        on another.
        """
        name = name_of(source)
        absolute = not is_remote(source) and local_path(source).is_absolute()
        choices = ((name if absolute else source, source),)
        return cls(role, name, choices, opens_with, whose=whose)
