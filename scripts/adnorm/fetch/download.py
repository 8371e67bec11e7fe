"""Brings one file here, whole and proven, or leaves nothing under its name."""

from __future__ import annotations

import email.utils
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from adnorm.base.errors import AdnormError, nearest
from adnorm.base.files import atomic
from adnorm.base.logs import get_logger, how_far
from adnorm.fetch.content import (
    ANOTHER_PLACE,
    ANYTHING,
    BrokenContentError,
    Expected,
    check_content,
)
from adnorm.fetch.proof import Fingerprint, fingerprint
from adnorm.study.cohort import FetchedSource
from adnorm.study.config import GeoSettings

if TYPE_CHECKING:
    import requests

#: Statuses after which a server may well answer later.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE = 300.0
_REPORT_EVERY = 5.0
_CHUNK = 1 << 20


class AbsentFileError(AdnormError):
    """The address is well-formed but no such file is there (404, or no such path)."""


class _PassingError(Exception):
    """A failure after which another attempt is worth while."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


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
        Where it may be, best first: pairs of what the manifest says and the address to use.
    expected
        What it must be.
    hint
        What a person can do when it is in none of these places.
    """

    role: str
    name: str
    places: tuple[tuple[str, str], ...]
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
        return cls(role, name, ((name if absolute else source, source),), expected)


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
) -> Fingerprint:
    """Download or copy one file; it appears under its name only after its bytes are checked.

    Parameters
    ----------
    source
        An http(s) address, ``file:…`` or a path (relative to the working directory).
    target
        The final name.
    settings
        Time-outs and number of attempts, for http(s).
    expected
        What the file must be.

    Returns
    -------
    Fingerprint
        Of what is here now.

    Raises
    ------
    AbsentFileError
        No such file.
    AdnormError
        Everything else that went wrong, with the reason and the number of attempts.
    """
    if is_remote(source):
        _download(source, target, settings or GeoSettings(), expected)
    elif "://" in source and not source.lower().startswith("file:"):
        scheme = source.split("://")[0]
        raise AdnormError(
            f"{source}: '{scheme}' is not supported; allowed: https://…, http://…, file:… or a path"
        )
    else:
        _copy(source, target, expected)
    return fingerprint(target)


def _copy(source: str, target: Path, expected: Expected) -> None:
    path = local_path(source)
    if path.is_dir():
        raise AdnormError(f"{source}: this is a folder, not a file")
    if not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise AbsentFileError(f"{source}: this file does not exist{nearest(path.name, beside)}")
    with atomic(target) as temporary:
        try:
            shutil.copyfile(path, temporary)
        except OSError as error:
            raise AdnormError(f"{source}: cannot be copied: {error.strerror or error}") from error
        check_content(temporary, target.name, source, expected, on_disk=True)


def pause(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


def _download(source: str, target: Path, settings: GeoSettings, expected: Expected) -> None:
    import tenacity

    grow = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)

    def failure(state: tenacity.RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def wait(state: tenacity.RetryCallState) -> float:
        retry_after = getattr(failure(state), "pause", None)
        return grow(state) if retry_after is None else min(retry_after, _LONGEST_PAUSE)

    def report(state: tenacity.RetryCallState) -> None:
        how_far(
            f"{target.name}: attempt {state.attempt_number} of {settings.attempts} failed "
            f"({failure(state)}); next in {state.upcoming_sleep:.0f} s",
            at_once=True,
        )

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_PassingError),
        stop=tenacity.stop_after_attempt(settings.attempts),
        wait=wait,
        sleep=pause,
        before_sleep=report,
        reraise=True,
    )
    try:
        retrying(_attempt, source, target, settings, expected)
    except _PassingError as error:
        # The content check names the source itself; other reasons do not.
        reason = str(error).removeprefix(f"{source}: ")
        times = "1 attempt" if settings.attempts == 1 else f"{settings.attempts} attempts"
        raise AdnormError(
            f"{source}: gave up after {times}: {reason}. Check the connection, "
            f"try later, or {ANOTHER_PLACE}"
        ) from error


def _attempt(source: str, target: Path, settings: GeoSettings, expected: Expected) -> None:
    """Try once; failures that may pass become `_PassingError`."""
    import requests
    import urllib3

    timeouts = (settings.connect_timeout, settings.read_timeout)
    # "identity": a .gz file must arrive as it lies on the server, not inflated on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": "adnorm"}
    try:
        with requests.get(source, stream=True, timeout=timeouts, headers=headers) as answer:
            _check_status(answer, source)
            with atomic(target) as temporary:
                _store(answer, temporary, target.name)
                check_content(temporary, target.name, source, expected)
    except BrokenContentError as error:
        if error.passing:
            raise _PassingError(str(error)) from error
        raise
    except (requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects) as error:
        raise AdnormError(f"{source}: this address does not work: {error}") from error
    except requests.exceptions.SSLError as error:
        raise AdnormError(
            f"{source}: the server's certificate was refused ({_plain(error)}); behind a proxy, "
            "set REQUESTS_CA_BUNDLE to your institution's certificates"
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _PassingError(_plain(error)) from error


def _check_status(answer: requests.Response, source: str) -> None:
    status = answer.status_code
    if status == 200:
        return
    if status in (404, 410):
        raise AbsentFileError(f"{source}: the server has no such file (status {status})")
    if status in _PASSING_STATUS:
        raise _PassingError(
            f"the server answered with status {status} {answer.reason}",
            retry_after(answer.headers.get("Retry-After")),
        )
    raise AdnormError(f"{source}: the server refused, status {status} {answer.reason}")


def retry_after(header: str | None) -> float | None:
    """Read a ``Retry-After`` header: seconds, or a date.

    Examples
    --------
    >>> retry_after("7"), retry_after(None), retry_after("soon")
    (7.0, None, None)
    """
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        then = email.utils.parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, then - time.time())


def _store(answer: requests.Response, path: Path, name: str) -> None:
    """Write the body as it comes, saying how far it is every few seconds."""
    total = answer.headers.get("Content-Length", "")
    whole = f" of {int(total) / 1e6:.1f}" if total.isdigit() else ""
    done, reported = 0, time.monotonic()
    with open(path, "wb") as file:
        for block in answer.raw.stream(_CHUNK, decode_content=False):
            file.write(block)
            done += len(block)
            if time.monotonic() - reported > _REPORT_EVERY:
                reported = time.monotonic()
                how_far(f"{name}: {done / 1e6:.1f}{whole} MB")
    get_logger().debug("%s: %d bytes received", name, done)


def _plain(error: Exception) -> str:
    """Say the innermost reason without the names of libraries and their objects."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = str(cause).strip() or type(error).__name__
    if "timed out" in str(error).lower() or "timeout" in type(error).__name__.lower():
        return f"no answer in time ({text})"
    return text
