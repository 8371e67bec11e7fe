"""The routes of GEO: where it keeps the files of an accession, and what they say of themselves."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from adnorm.base.errors import AdnormError, RefusedFileError, listing, nearest
from adnorm.base.inflate import opened
from adnorm.fetch.content import ANYTHING, NCBI_TABLE, SERIES_MATRIX, Expected
from adnorm.fetch.download import Obtain, RemoteFile, distinct, is_remote, name_of, named_files
from adnorm.study.cohort import PublishedCohort

#: NCBI's own address of GEO; what is not below it lies behind two of NCBI's pages.
NCBI = "ncbi.nlm.nih.gov/geo"
_PAGES = "https://www.ncbi.nlm.nih.gov/geo"
#: The genome that NCBI counts reads on; its name stands in the names of the files.
_GENOME = "GRCh38.p13"
_ACCESSION = re.compile(r"(GSE|GPL)(\d+)")
#: A header has fewer lines, and what is sought in them stands within this many bytes.
_HEADER_LINES, _LONGEST_LINE = 100_000, 1 << 20
_TABLE_BEGIN, _TABLE_END = b"!series_matrix_table_begin", b"!series_matrix_table_end"


def series_matrix_route(cohort: PublishedCohort, addresses: Sequence[str], obtain: Obtain) -> None:
    """Bring a series matrix and the annotation of its platform."""
    where = f"cohort {cohort.id}"
    matrix, source = obtain(_matrix(cohort, addresses))
    # Before the annotation: without values, a search for that leads nowhere.
    refuse_empty_table(matrix, f"{where}: {source}")
    if cohort.source.annotation is None:
        platform = choose_platform(cohort.platform, platforms_in(matrix), where)
        obtain(_annotation(platform, addresses))
    else:
        obtain(RemoteFile.named("annotation", cohort.source.annotation))


def supplementary_route(cohort: PublishedCohort, addresses: Sequence[str], obtain: Obtain) -> None:
    """Bring a series matrix, a supplementary table and, if named, an annotation."""
    table, accession = cohort.source.table or "", cohort.accession or ""
    if "/" in table or ":" in table:
        values = RemoteFile.named("table", table)
    else:
        hint = (
            f"check the name among the supplementary files on the page of {accession} (a path of "
            f"your own needs a folder, such as ./{table})"
        )
        values = _below_geo("table", [supplementary_path(accession, table)], addresses, hint=hint)
    named = named_files(cohort.source, "annotation")
    first, values, *rest = distinct([_matrix(cohort, addresses), values, *named])
    matrix, _ = obtain(first)
    listed = supplementary_files(matrix)
    if values.hint and listed:
        more = f". The series lists {listing(listed)}{nearest(table, listed)}"
        values = replace(values, hint=values.hint + more)
    for file in (values, *rest):
        obtain(file)


def ncbi_counts_route(cohort: PublishedCohort, addresses: Sequence[str], obtain: Obtain) -> None:
    """Bring a series matrix, the counts that NCBI made, and its table of genes."""
    accession = cohort.accession or ""
    hint = (
        f"NCBI counts the reads of many human series, not of all: see whether the page of "
        f"{accession} at GEO offers 'NCBI-generated data'. If it does, download the files there "
        "and name them in the cohort file (source: table: and annotation:); if not, take the "
        "table of the authors with `route: geo_supplementary`"
    )
    expected = Expected(NCBI_TABLE)
    files = [_matrix(cohort, addresses)]
    for role, places_at in (("table", ncbi_counts), ("annotation", ncbi_annotation)):
        if named := getattr(cohort.source, role):
            files.append(RemoteFile.named(role, named, expected))
        else:
            places = tuple(tuple(places_at(accession, address)) for address in addresses)
            files.append(RemoteFile(role, name_of(places[0][-1][1]), places, expected, hint))
    for file in distinct(files):
        obtain(file)


def _matrix(cohort: PublishedCohort, addresses: Sequence[str]) -> RemoteFile:
    expected = Expected(SERIES_MATRIX, cohort.accession or "", series_of)
    if cohort.source.matrix:
        return RemoteFile.named("series_matrix", cohort.source.matrix, expected)
    hint = "check the accession and the GEO address"
    if not cohort.platform:
        hint += ", and name the platform in the cohort file if the series has several"
    paths = series_matrix_paths(cohort.accession or "", cohort.platform)
    return _below_geo("series_matrix", paths, addresses, expected, hint)


def _annotation(platform: str, addresses: Sequence[str]) -> RemoteFile:
    """Name the annotation that GEO keeps of a platform, or else the platform's full table."""
    path = annotation_path(platform)
    places = tuple(
        ((f"geo:{path}", below(address, path)), *platform_table(platform, address))
        for address in addresses
    )
    hint = (
        f"GEO keeps an annotation of some platforms only; download the full table of {platform} "
        "from its page at GEO, or its family file (GPL…_family.soft.gz), and name that file in the "
        "cohort file (source: annotation:), with the column of the symbols if its name is unusual "
        "(source: symbol_column:)"
    )
    expected = Expected(b"", platform, platform_of)
    return RemoteFile("annotation", name_of(path), places, expected, hint)


def _below_geo(
    role: str,
    paths: list[str],
    addresses: Sequence[str],
    expected: Expected = ANYTHING,
    hint: str = "",
) -> RemoteFile:
    places = tuple(
        tuple((f"geo:{path}", below(address, path)) for path in paths) for address in addresses
    )
    return RemoteFile(role, name_of(paths[0]), places, expected, hint)


def stub(accession: str) -> str:
    """Name the folder that groups an accession with its neighbours.

    Examples
    --------
    >>> stub("GSE80342"), stub("GSE999"), stub("GPL570")
    ('GSE80nnn', 'GSEnnn', 'GPLnnn')
    """
    kind, number = _parts(accession)
    return f"{kind}{number[:-3]}nnn"


def series_matrix_paths(accession: str, platform: str | None = None) -> list[str]:
    """List where the series matrix of a series may be, best first.

    A series on one platform has one plain file. A series on several has one file for each, with
    the platform in its name, and no plain file.

    Examples
    --------
    >>> series_matrix_paths("GSE80342")
    ['series/GSE80nnn/GSE80342/matrix/GSE80342_series_matrix.txt.gz']
    """
    folder = f"{_series(accession)}/matrix"
    names = [f"{accession}_series_matrix.txt.gz"]
    if platform:
        names.append(f"{accession}-{_platform(platform)}_series_matrix.txt.gz")
    return [f"{folder}/{name}" for name in names]


def supplementary_path(accession: str, name: str) -> str:
    """Say where a supplementary file of a series is.

    Examples
    --------
    >>> supplementary_path("GSE193309", "GSE193309_count_matrix.csv.gz")
    'series/GSE193nnn/GSE193309/suppl/GSE193309_count_matrix.csv.gz'
    """
    return f"{_series(accession)}/suppl/{name}"


def annotation_path(platform: str) -> str:
    """Say where the annotation of a platform is.

    Examples
    --------
    >>> annotation_path("GPL570")
    'platforms/GPLnnn/GPL570/annot/GPL570.annot.gz'
    """
    return f"platforms/{stub(_platform(platform))}/{platform}/annot/{platform}.annot.gz"


def ncbi_counts(accession: str, address: str) -> list[tuple[str, str]]:
    """List where the counts that NCBI made for a series may be: label of the manifest and address.

    Examples
    --------
    >>> ncbi_counts("GSE12", "https://ftp.ncbi.nlm.nih.gov/geo")[0][1]
    'https://www.ncbi.nlm.nih.gov/geo/download/?type=rnaseq_counts&acc=GSE12&format=file&file=GSE12_raw_counts_GRCh38.p13_NCBI.tsv.gz'
    >>> ncbi_counts("GSE12", "file:mirror")[0][0]
    'geo:series/GSEnnn/GSE12/suppl/GSE12_raw_counts_GRCh38.p13_NCBI.tsv.gz'
    """
    name = f"{accession}_raw_counts_{_GENOME}_NCBI.tsv.gz"
    path = supplementary_path(accession, name)
    return _below_or_page(path, f"acc={accession}&format=file&file={name}", address)


def ncbi_annotation(accession: str, address: str) -> list[tuple[str, str]]:
    """Say where NCBI's table of the genes that it counts may be, best first.

    It is one file for all series; a mirror may keep it beside the counts of a series or once,
    beside the folders ``series`` and ``platforms``.
    """
    name = f"Human.{_GENOME}.annot.tsv.gz"
    places = _below_or_page(name, f"format=file&file={name}", address)
    if NCBI in address:
        return places
    path = supplementary_path(accession, name)
    return [(f"geo:{path}", below(address, path)), *places]


def _below_or_page(path: str, query: str, address: str) -> list[tuple[str, str]]:
    """List a path below a mirror, and NCBI's page for downloads as the address has it."""
    places = [] if NCBI in address else [(f"geo:{path}", below(address, path))]
    if is_remote(address):
        base = _PAGES if NCBI in address else address.rstrip("/")
        page = f"{base}/download/?type=rnaseq_counts&{query}"
        places.append((page, page))
    return places


def platform_table(platform: str, address: str) -> list[tuple[str, str]]:
    """Say where the full table of a platform is when GEO keeps no annotation of it.

    Examples
    --------
    >>> platform_table("GPL5", "file:mirror"), platform_table("GPL5", "https://ftp.ncbi.nlm.nih.gov/geo")[0][0]
    ([], 'https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?targ=self&acc=GPL5&form=text&view=data')
    """
    if NCBI not in address:
        return []
    page = f"{_PAGES}/query/acc.cgi?targ=self&acc={_platform(platform)}&form=text&view=data"
    return [(page, page)]


def below(address: str, path: str) -> str:
    """Join the base address of GEO (https, a mirror or ``file:FOLDER``) and a path below it.

    Examples
    --------
    >>> below("https://mirror.example.org/geo/", "series/x.gz"), below("file:../geo", "series/x.gz")
    ('https://mirror.example.org/geo/series/x.gz', 'file:../geo/series/x.gz')
    """
    if not is_remote(address) and not address.lower().startswith("file:"):
        raise AdnormError(
            f"geo: address: '{address}' is neither an https address nor a folder; write a folder "
            f"as 'file:{address}'"
        )
    return f"{address.rstrip('/')}/{path}"


def platforms_in(path: Path) -> list[str]:
    """List the platforms that the samples of a series matrix were measured on, sorted."""
    samples: set[str] = set()
    series: set[str] = set()
    for line in _lines(path):
        if line.startswith(b"!series_matrix_table_begin"):
            break
        if line.startswith(b"!Sample_platform_id"):
            samples.update(re.findall(r"GPL\d+", line.decode("utf-8", "replace")))
        elif line.startswith(b"!Series_platform_id"):
            series.update(re.findall(r"GPL\d+", line.decode("utf-8", "replace")))
    return sorted(samples or series, key=lambda name: int(name[3:]))


def series_of(path: Path) -> str | None:
    """Say of which series a series matrix is, by its own words; ``None`` when it does not say."""
    return _stated(path, (b"!Series_geo_accession",), rb"GSE\d+", _TABLE_BEGIN)


def platform_of(path: Path) -> str | None:
    """Say of which platform an annotation is, by its own words; ``None`` when it does not say."""
    keys = (b"!Annotation_platform ", b"!Annotation_platform=", b"!Platform_geo_accession")
    return _stated(path, (*keys, b"^PLATFORM"), rb"GPL\d+", b"!platform_table_begin")


def _stated(path: Path, keys: tuple[bytes, ...], accession: bytes, until: bytes) -> str | None:
    """Find the accession in the first line of a header that begins with one of some keys."""
    lowered = tuple(key.lower() for key in keys)
    with opened(path) as file:
        for _ in range(_HEADER_LINES):
            line = file.readline(_LONGEST_LINE)
            opening = line.lstrip(b"\xef\xbb\xbf").lower()
            if opening.startswith(lowered):
                found = re.search(accession, line)
                return found[0].decode() if found else None
            if not line or opening.startswith(until):
                break
    return None


def supplementary_files(path: Path) -> list[str]:
    """List the names of the supplementary files that a series matrix tells of."""
    names: list[str] = []
    for line in _lines(path):
        if line.startswith(b"!Series_supplementary_file"):
            addresses = re.findall(r'[^"\s]+', line.decode("utf-8", "replace"))[1:]
            names += [address.rsplit("/", 1)[-1] for address in addresses]
        elif line.lower().startswith(_TABLE_BEGIN):
            break
    return names


def _lines(path: Path) -> Iterator[bytes]:
    """Read lines to where the file is cut off or damaged, of which its reader tells."""
    try:
        with opened(path) as file:
            yield from file
    except (EOFError, zlib.error):
        return


def refuse_empty_table(path: Path, where: str) -> None:
    """Stop at a series matrix without values, as GEO writes it for sequencing.

    One that is cut off passes: its reader says so.

    Raises
    ------
    RefusedFileError
        The table has no row; the message names the supplementary files that the series lists.
    """
    lines = _lines(path)
    for line in lines:
        if line.lower().startswith(_TABLE_BEGIN):
            break
    below_header = (next(lines, b"") + next(lines, b"")).lower()
    if _TABLE_END not in below_header:
        return
    tables = supplementary_files(path)
    listed = f" The series lists: {listing(tables)}" if tables else ""
    raise RefusedFileError(
        f"{where}: the table of the series matrix is empty, as GEO leaves it for sequencing. Use "
        "`route: geo_supplementary` in the cohort file and name the supplementary table of counts "
        f"or expression (source: table:).{listed}",
        [path],
    )


def choose_platform(named: str | None, found: list[str], where: str) -> str:
    """Choose the platform of a cohort among those of its series matrix."""
    if named:
        if found and named not in found:
            raise AdnormError(
                f"{where}: platform: no sample was measured on '{named}'"
                f"{nearest(named, found)}; platforms of this series: {listing(found)}"
            )
        return named
    if len(found) == 1:
        return found[0]
    what = f"has samples on {listing(found)}" if found else "does not say its platform"
    raise AdnormError(
        f"{where}: the series matrix {what}; name one in the cohort file (platform: GPL…), or the "
        "annotation itself (source: annotation:)"
    )


def _series(accession: str) -> str:
    if not re.fullmatch(r"GSE\d+", accession or ""):
        raise AdnormError(
            f"accession: '{accession}' is not a GEO series; those are called GSE and a number, "
            "such as GSE80342. Data from elsewhere come in through `route: local`"
        )
    return f"series/{stub(accession)}/{accession}"


def _platform(platform: str) -> str:
    if not re.fullmatch(r"GPL\d+", platform):
        raise AdnormError(
            f"platform: '{platform}' is not a GEO platform; those are called GPL and a number, "
            "such as GPL570. For another one name its annotation (source: annotation:)"
        )
    return platform


def _parts(accession: str) -> tuple[str, str]:
    match = _ACCESSION.fullmatch(accession)
    if match is None:
        raise AdnormError(f"'{accession}' is neither a GEO series (GSE…) nor a platform (GPL…)")
    return match[1], match[2]
