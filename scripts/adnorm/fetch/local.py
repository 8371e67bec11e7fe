"""The routes of a lab's own files: a table with its sample sheet, or an .h5ad."""

from __future__ import annotations

from adnorm.base.errors import AdnormError
from adnorm.fetch.content import H5AD, Expected
from adnorm.fetch.download import Obtain, RemoteFile, distinct, named_files
from adnorm.study.cohort import PublishedCohort


def local_route(cohort: PublishedCohort, address: str, obtain: Obtain) -> None:
    """Bring the table, the sample sheet and, if named, an annotation.

    Raises
    ------
    AdnormError
        The table or the sheet is not named.
    """
    source = cohort.source
    for role, what in (("table", "table of values"), ("sheet", "sample sheet")):
        if not getattr(source, role):
            raise AdnormError(
                f"cohort {cohort.id}: route: 'local' needs `source: {role}:`, the path of the "
                f"{what}"
            )
    for file in distinct(named_files(source, "table", "sheet", "annotation")):
        obtain(file)


def h5ad_route(cohort: PublishedCohort, address: str, obtain: Obtain) -> None:
    """Bring the .h5ad.

    Raises
    ------
    AdnormError
        It is compressed.
    """
    table = cohort.source.table or ""
    if table.endswith(".gz"):
        raise AdnormError(
            f"cohort {cohort.id}: source: table: {table} is compressed; an .h5ad is compressed "
            "inside: unpack it (gunzip) and name the .h5ad"
        )
    obtain(RemoteFile.named("table", table, Expected(H5AD)))
