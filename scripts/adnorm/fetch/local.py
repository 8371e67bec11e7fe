"""Route ``local``: a lab's own table and sample sheet."""

from __future__ import annotations

from adnorm.base.errors import AdnormError
from adnorm.fetch.wanted import Wanted


def local_files(cohort: dict) -> list[Wanted]:
    """List the files of a local cohort: the table, the sheet and, if named, an annotation.

    Parameters
    ----------
    cohort
        The cohort file; ``source:`` names the files as paths or addresses.

    Raises
    ------
    AdnormError
        The table or the sheet is not named.
    """
    source = cohort["source"]
    files = []
    for role in ("table", "sheet"):
        if not source.get(role):
            raise AdnormError(
                f"cohort {cohort['id']}: route: 'local' needs `source: {role}:`, the path of "
                f"the {'table of values' if role == 'table' else 'sample sheet'}"
            )
        files.append(Wanted.named(role, source[role]))
    if source.get("annotation"):
        files.append(Wanted.named("annotation", source["annotation"]))
    return files
