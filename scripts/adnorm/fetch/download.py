"""Brings one file here, whole and proven, or leaves nothing under its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from adnorm.base.errors import AdnormError, nearest
from adnorm.base.files import atomic
from adnorm.base.inflate import refuse_endless
from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.fetch.cache import VARIABLE, Cache
from adnorm.fetch.content import ANYTHING, BrokenContentError, Expected, check_content
from adnorm.fetch.proof import Fingerprint, fingerprint
from adnorm.fetch.web import AbsentFileError, download
from adnorm.study.cohort import FetchedSource
from adnorm.study.config import GeoSettings


class OfflineError(AdnormError):
    """Files that were not fetched before, where no server may be asked.

    Attributes
    ----------
    addresses
        Where they would come from.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        files = counted(len(addresses), "file")
        super().__init__(
            f"offline: {files} not fetched before: {', '.join(addresses)}. Run once with a "
            "connection (geo: offline: false), or with a download cache that has them "
            f"({VARIABLE}=FOLDER), or name a folder that is laid out like GEO (geo: mirrors: "
            "[file:FOLDER])"
        )


@dataclass(frozen=True)
class RemoteFile:
    """One file of a cohort, with the places where it may be.

    Attributes
    ----------
    role
        series_matrix, annotation, table or sheet.
    name
        Its name in the cohort's ``fetch/`` folder.
    places
        Where it may be, below each base address: pairs of what the manifest says and the address to
        use, best first.
    expected
        What it must be.
    hint
        What a person can do when it is in none of these places.
    """

    role: str
    name: str
    places: tuple[tuple[tuple[str, str], ...], ...]
    expected: Expected = ANYTHING
    hint: str = ""

    @classmethod
    def named(cls, role: str, source: str, expected: Expected = ANYTHING) -> RemoteFile:
        """Take a file that the cohort file names: one place, an address or a path.

        The manifest keeps the name alone of an absolute path: folders of one machine mean nothing
        on another.
        """
        name = name_of(source)
        absolute = not is_remote(source) and local_path(source).is_absolute()
        return cls(role, name, (((name if absolute else source, source),),), expected)


#: Brings a file of a cohort; returns where it lies, and what the manifest calls its source.
Obtain = Callable[[RemoteFile], tuple[Path, str]]


def named_files(source: FetchedSource, *roles: str) -> list[RemoteFile]:
    """List the files of some roles that the cohort file names."""
    named = ((role, getattr(source, role)) for role in roles)
    return [RemoteFile.named(role, place) for role, place in named if place]


def distinct(files: list[RemoteFile]) -> list[RemoteFile]:
    """Put the role before names that two files share."""
    names = [file.name for file in files]
    return [
        file if names.count(file.name) == 1 else replace(file, name=f"{file.role}_{file.name}")
        for file in files
    ]


def is_remote(source: str) -> bool:
    """Whether a source is an http(s) address.

    Examples
    --------
    >>> is_remote("https://example.org/a.gz"), is_remote("file:mirror/a.gz"), is_remote("a.gz")
    (True, False, False)
    """
    return source.lower().startswith(("http://", "https://"))


def local_path(source: str) -> Path:
    """Turn ``file:FOLDER/…``, ``file:///…`` or a plain path into a path.

    Examples
    --------
    >>> local_path("file:mirror/geo").as_posix(), local_path("file:///data/geo").as_posix()
    ('mirror/geo', '/data/geo')
    """
    if not source.lower().startswith("file:"):
        return Path(source)
    rest = source[5:]
    return Path(unquote(rest[2:])) if rest.startswith("//") else Path(rest)


def name_of(source: str) -> str:
    """Take the file name from a source, without folder.

    NCBI's pages for downloads name the file, or the accession, in the query.

    Examples
    --------
    >>> name_of("https://example.org/x/GSE1_counts.csv.gz?download=1"), name_of("data/counts.tsv")
    ('GSE1_counts.csv.gz', 'counts.tsv')
    >>> name_of("https://www.ncbi.nlm.nih.gov/geo/download/?acc=GSE1&format=file&file=GSE1.tsv.gz")
    'GSE1.tsv.gz'
    """
    if not is_remote(source):
        name = local_path(source).name
    else:
        address = urlsplit(source)
        query = parse_qs(address.query)
        name = Path(unquote(address.path)).name
        if "file" in query:
            name = Path(query["file"][0]).name
        elif name == "acc.cgi" and "acc" in query:
            name = f"{Path(query['acc'][0]).name}.txt"
    if not name:
        raise AdnormError(f"{source}: this address names a folder, not a file")
    return name


def fetch_file(
    source: str,
    target: Path,
    settings: GeoSettings | None = None,
    expected: Expected = ANYTHING,
    pinned: str | None = None,
    fresh: bool = False,
) -> Fingerprint:
    """Download or copy one file; it appears under its name only after its bytes are checked.

    Parameters
    ----------
    source
        An http(s) address, ``file:…`` or a path (relative to the working directory).
    target
        The final name.
    settings
        Time-outs and limits, for http(s).
    expected
        What the file must be.
    pinned
        SHA-256 that it should have: such a file is taken from the download cache wherever it came
        from, and another one that is there is no reason not to ask.
    fresh
        Ask the server whether it has another version than the download cache.

    Returns
    -------
    Fingerprint
        Of what is here now.

    Raises
    ------
    AbsentFileError
        No such file.
    UnansweredError
        No server gave it.
    OfflineError
        It is not in the download cache, and no server may be asked.
    AdnormError
        Everything else that went wrong, with the reason and the number of attempts.
    """
    if is_remote(source):
        _download(source, target, settings or GeoSettings(), expected, pinned, fresh)
    elif "://" in source and not source.lower().startswith("file:"):
        scheme = source.split("://")[0]
        raise AdnormError(
            f"{source}: '{scheme}' is not supported; allowed: https://…, http://…, file:… or a path"
        )
    else:
        _copy(source, target, expected)
    return fingerprint(target)


def _download(
    source: str,
    target: Path,
    settings: GeoSettings,
    expected: Expected,
    pinned: str | None,
    fresh: bool,
) -> None:
    """Take a file from the download cache, into which it is brought first if it must."""
    cache = Cache()
    came = cache.find(source)
    known = came
    if not settings.offline and fresh:
        known = None
    elif pinned and (came is None or came.sha256 != pinned):
        # Another one that came from there is of use only where nobody can be asked.
        known = cache.pinned(source, pinned) or (came if settings.offline else None)
    if known:
        try:
            check_content(cache.file(known), target.name, source, expected)
            if cache.take(known, target):
                return
            progress(f"{target.name}: damaged in the download cache")
        except BrokenContentError as error:
            # An earlier release took less care, or somebody wrote into the cache.
            progress(f"{target.name}: not taken from the download cache: {error}")
            cache.forget(known.sha256)
    if settings.offline:
        raise OfflineError([source])

    def check(path: Path) -> None:
        check_content(path, target.name, source, expected)

    for unless_unchanged in (fresh, False):
        found = download(source, target.name, settings, cache, check, came, unless_unchanged)
        if cache.take(found, target):
            return
    raise AdnormError(
        f"{cache.folder}: the download cache loses {target.name} as soon as it comes; see whether "
        f"its disk is sound, or name another folder ({VARIABLE}=FOLDER before the call)"
    )


def _copy(source: str, target: Path, expected: Expected) -> None:
    path = local_path(source)
    if path.is_dir():
        raise AdnormError(f"{source}: this is a folder, not a file")
    refuse_endless(path, source)
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise AbsentFileError(f"{source}: this file does not exist{nearest(path.name, beside)}")
    with atomic(target) as temporary:
        try:
            shutil.copyfile(path, temporary)
        except OSError as error:
            raise AdnormError(f"{source}: cannot be copied: {error.strerror or error}") from error
        check_content(temporary, target.name, source, expected, on_disk=True)
