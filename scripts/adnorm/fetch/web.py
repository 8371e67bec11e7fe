"""Asks servers for files: patiently, politely, and never for longer or more than is allowed.

What came before a connection broke off is kept, and the next request goes on where it ended, if the
server says that the file is still the same (``Range`` with ``If-Range``).

`requests` asks and `tenacity` repeats. Libraries that also cache (pooch, requests-cache, hishel)
know files by address or keep answers as long as a server allows; none goes on with half a file,
bounds its time and size, or keeps an answer out of the cache until its content is checked.
"""

from __future__ import annotations

import email.utils
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from adnorm.base.errors import AdnormError
from adnorm.base.files import read_json, write_json
from adnorm.base.logs import get_logger, how_far
from adnorm.fetch.cache import Cache, Known, note_of
from adnorm.fetch.content import ANOTHER_PLACE, BrokenContentError
from adnorm.study.config import GeoSettings

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

#: Statuses after which a server may well answer later.
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: The file, all of it, the rest of it, or the word that it is the one that is known.
_WHOLE, _REST, _UNCHANGED, _NO_SUCH_REST = 200, 206, 304, 416
_LONGEST_PAUSE = 300.0
_MOST_REDIRECTS = 8
_REPORT_EVERY = 5.0
_CHUNK = 1 << 20
#: Seconds after a change from which the date of the change, whose unit is a second, tells versions
#: apart.
_SURELY_BEFORE = 60.0
#: Seconds over which the rate of a download is taken.
RATE_OVER = 30.0
_REFUSED = {
    401: "it wants a name and a password: download a file behind a login by hand and name its path",
    403: "the file may not be public yet (GEO keeps series private until a date), or the server "
    "turns away this network, as NCBI does for a while after too many requests: open the address "
    "in a browser; if it opens there, wait some hours before the next call",
    407: "a proxy wants a name and a password: write them into HTTPS_PROXY",
    451: "the server must not give it to you for legal reasons",
}


class AbsentFileError(AdnormError):
    """The address is well-formed but no such file is there (404, or no such path)."""


class UnansweredError(AdnormError):
    """No server gave the file; another place may."""


class _OtherPartError(Exception):
    """The server cannot go on where the part ends."""


class _PassingError(Exception):
    """A failure after which another attempt is worth while."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


def pause(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


def download(
    source: str,
    name: str,
    settings: GeoSettings,
    cache: Cache,
    check: Callable[[Path], None],
    came: Known | None = None,
    unless_unchanged: bool = False,
) -> Known:
    """Bring the file of an address into the cache.

    Parameters
    ----------
    source
        An http(s) address.
    name
        Name of the file, for messages.
    settings
        Time-outs and limits.
    cache
        Where to.
    check
        Raises `BrokenContentError` for a file that is not what it should be.
    came
        What the caller saw in the cache of this address; if it is another one now, another job
        has just brought it.
    unless_unchanged
        Whether the server need not send again what came before.

    Raises
    ------
    AbsentFileError
        The server has no such file.
    UnansweredError
        No attempt brought it, or the server refused; the message says how often and why.
    AdnormError
        It is longer or larger than allowed, was sent on to another host, or is not what it should
        be.
    """
    import tenacity

    until = time.monotonic() + settings.deadline
    grow = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)

    def failure(state: tenacity.RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def wait(state: tenacity.RetryCallState) -> float:
        # A server may ask for more patience, never for less.
        asked = getattr(failure(state), "pause", None) or 0.0
        return max(grow(state), min(asked, _LONGEST_PAUSE))

    def report(state: tenacity.RetryCallState) -> None:
        how_far(
            f"{name}: attempt {state.attempt_number} of {settings.attempts} failed "
            f"({failure(state)}); next in {state.upcoming_sleep:.0f} s",
            at_once=True,
        )

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_PassingError),
        stop=tenacity.stop_after_attempt(settings.attempts)
        | tenacity.stop_before_delay(settings.deadline),
        wait=wait,
        sleep=pause,
        before_sleep=report,
        reraise=True,
    )
    with cache.alone(source, settings.deadline) as part:
        # Another job may have brought it while this one waited.
        now = cache.find(source)
        if now and now != came:
            return now
        known = now if unless_unchanged else None
        asking = _Asking(source, name, settings, cache, part, check, until, known)
        try:
            return retrying(asking.attempt)
        except _PassingError as error:
            # The content check names the source itself; other reasons do not.
            reason = str(error).removeprefix(f"{source}: ")
            number = retrying.statistics.get("attempt_number", settings.attempts)
            times = "1 attempt" if number == 1 else f"{number} attempts"
            raise UnansweredError(
                f"{source}: gave up after {times}: {reason}. Check the connection, "
                f"try later, or {ANOTHER_PLACE}"
            ) from error


@dataclass
class _Asking:
    """A file that is asked for, as often as it takes."""

    source: str
    name: str
    settings: GeoSettings
    cache: Cache
    part: Path
    check: Callable[[Path], None]
    until: float
    known: Known | None

    def attempt(self) -> Known:
        """Try once; failures that may pass become `_PassingError`."""
        import requests
        import urllib3

        if self.part.exists() and not (
            note_of(self.part).exists() and os.access(self.part, os.W_OK)
        ):
            # Nobody knows of which version it is, or it is another user's.
            self._start_over()
        try:
            with requests.Session() as session:
                return self._brought(session)
        except BrokenContentError as error:
            # Nothing of it is worth going on with.
            self._start_over()
            if error.passing:
                raise _PassingError(str(error)) from error
            raise
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise AdnormError(f"{self.source}: this address does not work: {error}") from error
        except requests.exceptions.ProxyError as error:
            raise _PassingError(f"the proxy did not answer ({_plain(error)})") from error
        except requests.exceptions.SSLError as error:
            raise UnansweredError(
                f"{self.source}: the server's certificate was refused ({_plain(error)}); behind a "
                "proxy, set REQUESTS_CA_BUNDLE to your institution's certificates"
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() >= self.until:
                raise self._too_long() from error
            raise _PassingError(_plain(error)) from error

    def _brought(self, session: requests.Session) -> Known:
        with closing(self._answer(session)) as answer:
            if answer.status_code == _UNCHANGED and self.known:
                self.cache.renew(self.known)
                return self.known
            # Without a rest, the file became shorter, or was whole already and never checked.
            again = answer.status_code == _NO_SUCH_REST and self.part.exists()
            if not again:
                _check_status(answer, self.source)
                try:
                    with self._ended_in_time(answer):
                        self._store(answer)
                except _OtherPartError:
                    again = True
        if again:
            self._start_over()
            return self._brought(session)
        self.check(self.part)
        etag, modified = answer.headers.get("ETag"), _last_modified(answer.headers)
        known = self.cache.keep(self.source, self.part, etag, modified)
        note_of(self.part).unlink(missing_ok=True)
        return known

    # ------------------------------------------------------------ asking

    def _answer(self, session: requests.Session) -> requests.Response:
        """Ask, and go where the server sends the request on to, if that is allowed."""
        address, headers = self.source, self._headers()
        for _ in range(_MOST_REDIRECTS):
            place = urlsplit(address)
            self.cache.wait_turn(place.netloc.rpartition("@")[2], self.settings.requests_per_second)
            answer = self._asked(session, address, headers)
            following = session.get_redirect_target(answer)
            if following is None:
                return answer
            answer.close()
            address = self._redirected(address, following)
        raise AdnormError(
            f"{self.source}: this address does not work: it is sent on in circles, more than "
            f"{_MOST_REDIRECTS} times (last to {address})"
        )

    def _headers(self) -> dict[str, str]:
        # "identity": a .gz file must arrive as it lies on the server, not inflated on the way.
        headers = {"Accept-Encoding": "identity", "User-Agent": "adnorm"}
        if self.part.exists():
            headers["Range"] = f"bytes={self.part.stat().st_size}-"
            headers["If-Range"] = read_json(note_of(self.part))["version"]
        elif self.known:
            if self.known.etag:
                headers["If-None-Match"] = self.known.etag
            if self.known.last_modified:
                headers["If-Modified-Since"] = self.known.last_modified
        return headers

    def _asked(
        self, session: requests.Session, address: str, headers: dict[str, str]
    ) -> requests.Response:
        import requests

        timeouts = (self.settings.connect_timeout, self.settings.read_timeout)
        left = self.until - time.monotonic()

        def ask() -> requests.Response:
            return session.get(
                address, stream=True, timeout=timeouts, headers=headers, allow_redirects=False
            )

        try:
            return _within(min(sum(timeouts), max(left, 0.1)), ask)
        except UnicodeError as error:
            raise AdnormError(f"{self.source}: this address does not work: {error}") from error
        except ValueError as error:
            if isinstance(error, requests.RequestException):
                raise
            # requests looks at where it would be sent on to, also where it does not go there.
            raise UnansweredError(
                f"{self.source}: the server sends this request on to what is no address "
                f"({error}). {ANOTHER_PLACE.capitalize()}"
            ) from error

    def _redirected(self, address: str, location: str) -> str:
        """Say where a request is sent on to; never to another host, nor from https to http."""
        following = urljoin(address, location)
        start, here, there = urlsplit(self.source), urlsplit(address), urlsplit(following)
        if there.scheme not in ("http", "https") or (here.scheme, there.scheme) == (
            "https",
            "http",
        ):
            raise UnansweredError(
                f"{self.source}: the server sends this request on from {here.scheme} to "
                f"{there.scheme} ({following}), where anybody on the way could change the file; "
                f"this is never followed. {ANOTHER_PLACE.capitalize()}"
            )
        host = (there.hostname or "").lower()
        allowed = [(start.hostname or "").lower(), *(h.lower() for h in self.settings.hosts)]
        if not any(host == known or host.endswith(f".{known}") for known in allowed):
            raise UnansweredError(
                f"{self.source}: the server sends this request on to another host, {host} "
                f"({following}). If that is right, allow it in the configuration (geo: hosts: "
                f"[{', '.join([*self.settings.hosts, host])}]); it may be a page of a login or a "
                "network that catches every address: open the address in a browser"
            )
        return following

    # ------------------------------------------------------------ storing

    def _store(self, answer: requests.Response) -> None:
        """Write the body as it comes, saying how far it is every few seconds."""
        done, total = self._begin(answer)
        most = self.settings.largest_gigabytes * 1e9
        if max(total or 0, done) > most:
            raise self._too_large(total or done)
        of = f" of {total / 1e6:.1f}" if total else ""
        rate = _Rate(self.settings.slowest_rate, done)
        reported = time.monotonic()
        with open(self.part, "ab") as file:
            # What comes, when it comes: a full block of a server that drips would take for ever.
            while block := answer.raw.read1(_CHUNK, decode_content=False):
                try:
                    file.write(block)
                    file.flush()
                except OSError as error:
                    # requests would take it for an error of the web.
                    raise self.cache.unwritable(error) from error
                done += len(block)
                now = time.monotonic()
                if done > most:
                    raise self._too_large(done)
                if now > self.until:
                    raise self._too_long()
                rate.check(done, now)
                if now - reported > _REPORT_EVERY:
                    reported = now
                    how_far(f"{self.name}: {done / 1e6:.1f}{of} MB")
        if time.monotonic() > self.until:
            raise self._too_long()
        if total is not None and done != total:
            raise _PassingError(f"the connection broke off after {done} of {total} bytes")
        get_logger().debug("%s: %d bytes received", self.name, done)

    def _begin(self, answer: requests.Response) -> tuple[int, int | None]:
        """Make room for the body; how many bytes are here already, and how many it will be."""
        length = answer.headers.get("Content-Length", "")
        rest = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        if answer.status_code == _REST:
            have = self.part.stat().st_size if self.part.exists() else 0
            given = re.fullmatch(
                r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)",
                answer.headers.get("Content-Range", "").strip(),
            )
            if have == 0:
                raise _PassingError(
                    "the server sent a part of the file, and the whole was asked for"
                )
            if given is None or int(given[1]) != have:
                raise _OtherPartError
            how_far(f"{self.name}: going on after {have / 1e6:.1f} MB", at_once=True)
            whole = int(given[2]) if given[2] != "*" else rest and have + rest
            return have, whole
        self._start_over()
        if version := _version(answer.headers):
            write_json({"address": self.source, "version": version}, note_of(self.part))
        self.part.touch()
        return 0, rest

    def _start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        note_of(self.part).unlink(missing_ok=True)

    @contextmanager
    def _ended_in_time(self, answer: requests.Response) -> Iterator[None]:
        """Close the connection at the deadline, whatever it is waiting for."""
        timer = threading.Timer(max(0.1, self.until - time.monotonic()), _shut, [answer])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _too_long(self) -> AdnormError:
        return UnansweredError(
            f"{self.source}: not here after {self.settings.deadline:g} s, the longest that a file "
            "may take (geo: deadline:). The next call goes on where this one ended if the server "
            f"can; for a slow connection raise the limit, or {ANOTHER_PLACE}"
        )

    def _too_large(self, size: int) -> AdnormError:
        self._start_over()
        return AdnormError(
            f"{self.source}: this file has {size / 1e9:.1f} GB or more; allowed are "
            f"{self.settings.largest_gigabytes:g} (geo: largest_gigabytes:). Tables of expression "
            "are smaller; if it is right, raise the limit in the configuration"
        )


class _Rate:
    """Watches how fast a download is."""

    def __init__(self, slowest: float, done: int) -> None:
        self.slowest, self.done, self.since = slowest * 1e3, done, time.monotonic()

    def check(self, done: int, now: float) -> None:
        """Give up a connection that was too slow for `RATE_OVER` seconds."""
        if now - self.since < RATE_OVER:
            return
        rate = (done - self.done) / (now - self.since)
        if rate < self.slowest:
            raise _PassingError(
                f"it came with {rate:.0f} bytes a second, slower than {self.slowest / 1e3:g} kB/s "
                "(geo: slowest_rate:)"
            )
        self.done, self.since = done, now


def _version(headers: Any) -> str | None:
    """Say what a server calls this version of a file, as `If-Range` may hold it."""
    etag = headers.get("ETag")
    # A weak one says "as good as", which is not "the same bytes".
    if etag and not etag.startswith("W/"):
        return etag
    return _last_modified(headers)


def _last_modified(headers: Any) -> str | None:
    """Say when a file was changed last, if that tells versions apart: its unit is a second."""
    modified = headers.get("Last-Modified")
    try:
        then, now = (
            email.utils.parsedate_to_datetime(text).timestamp()
            for text in (modified or "", headers.get("Date", ""))
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return modified if now - then >= _SURELY_BEFORE else None


def _shut(answer: requests.Response) -> None:
    """Close a connection that another thread reads from."""
    import socket

    sock = getattr(getattr(answer.raw, "connection", None), "sock", None)
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            get_logger().debug("the connection was closed already")


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Give up a call that takes longer: each byte of a header may come just before its time-out."""
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # noqa: BLE001 -- raised below, in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not result:
        raise _PassingError(f"no whole answer in time (header not complete after {seconds:.0f} s)")
    return result[0]


def _check_status(answer: requests.Response, source: str) -> None:
    status = answer.status_code
    if status in (_WHOLE, _REST):
        return
    if status in (404, 410):
        raise AbsentFileError(f"{source}: the server has no such file (status {status})")
    if status in _PASSING_STATUS:
        raise _PassingError(
            f"the server answered with status {status} {answer.reason}",
            retry_after(answer.headers.get("Retry-After")),
        )
    advice = _REFUSED.get(status, "open the address in a browser to see what it says")
    raise UnansweredError(
        f"{source}: the server refused, status {status} {answer.reason}: {advice}. Or "
        f"{ANOTHER_PLACE}"
    )


def retry_after(header: str | None) -> float | None:
    """Read a ``Retry-After`` header: seconds, or a date.

    Examples
    --------
    >>> retry_after("7"), retry_after(None), retry_after("soon"), retry_after("²")
    (7.0, None, None, None)
    """
    if header is None:
        return None
    if re.fullmatch(r"\s*[0-9]+\s*", header, re.ASCII):
        return float(header)
    try:
        then = email.utils.parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, then - time.time())


def _plain(error: BaseException) -> str:
    """Say the innermost reason without the names of libraries and their objects."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = str(cause).strip() or type(error).__name__
    if "timed out" in str(error).lower() or "timeout" in type(error).__name__.lower():
        return f"no answer in time ({text})"
    return text
