"""A server's bad days: whatever it does, a file comes whole or not at all, and a sentence says why.

`FAULTS` is the table: what the server does, and what becomes of it. Each is asked for with three
attempts. `PYTHONPATH=tests python tests/faults/test_server.py` prints it.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
import ssl
import struct
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from adnorm.base.errors import AdnormError
from adnorm.fetch import web
from adnorm.fetch.cache import Cache
from adnorm.fetch.download import fetch_file
from adnorm.fetch.web import AbsentFileError
from adnorm.study.config import GeoSettings
from builders.servers import Quiet, serving

TEXT = b"".join(b"probe%d\t%d\n" % (i, i * 7919 % 1000) for i in range(20000))
FILE = gzip.compress(TEXT, mtime=0)
OTHER = gzip.compress(TEXT[::-1], mtime=0)
PAGE = b"\n<!DOCTYPE html><html><title>reCAPTCHA</title></html>"
ETAG, NEW = {"ETag": '"one"'}, {"ETag": '"two"'}
#: A date that tells versions apart, and one that is too young to.
OLD = {"Last-Modified": "Mon, 03 Feb 2025 10:00:00 GMT"}
CUT = 700


@dataclass
class Answer:
    """One answer of the server; it is sent byte by byte where `drip` is a pause in seconds."""

    body: bytes = FILE
    status: int = 200
    headers: dict = field(default_factory=dict)
    #: What the header says; the length of the body unless told otherwise, None says nothing.
    length: int | str | None = -1
    drip: float = 0.0
    drip_header: float = 0.0
    #: Instead of an answer: these bytes; with `reset` the connection is torn down behind the body.
    raw: bytes | None = None
    reset: bool = False
    chunked: bool = False


def broken(headers, at=CUT):
    """An answer that breaks off in the middle of the file."""
    return Answer(FILE[:at], headers=headers, length=len(FILE))


def rest(headers=ETAG, start=CUT, body=None):
    """The rest of the file."""
    body = FILE[start:] if body is None else body
    given = {"Content-Range": f"bytes {start}-{start + len(body) - 1}/{len(FILE)}"}
    return Answer(body, 206, headers | given)


@dataclass
class Fault:
    """What a server does, and what is wanted of it."""

    name: str
    answers: list[Answer]
    #: The file that comes, or the words of the refusal.
    wanted: bytes | str
    requests: int = 1
    #: `Range` headers that it must be asked with, in order.
    ranges: tuple[str | None, ...] | None = None
    settings: dict = field(default_factory=dict)

    @property
    def outcome(self):
        if isinstance(self.wanted, str):
            return f"refused: … {self.wanted} …"
        if self.answers[-1].status == 206:
            return "whole, gone on with"
        return "whole" if self.requests == 1 else "whole, at another attempt"


RANGE = f"bytes={CUT}-"
STATUSES = [500, 502, 503, 504, 408, 425, 429]
FAULTS = [
    Fault("nothing wrong", [Answer()], FILE),
    # ------------------------------------------------ a connection that breaks off
    Fault("breaks off, strong ETag", [broken(ETAG), rest()], FILE, 2, (None, RANGE)),
    Fault("breaks off, Last-Modified", [broken(OLD), rest(OLD)], FILE, 2, (None, RANGE)),
    Fault(
        "breaks off twice",
        [
            broken(ETAG),
            Answer(FILE[CUT:900], 206, rest().headers, len(FILE) - CUT),
            rest(start=900),
        ],
        FILE,
        3,
        (None, RANGE, "bytes=900-"),
    ),
    Fault("breaks off, no version", [broken({}), Answer()], FILE, 2, (None, None)),
    Fault("breaks off, weak ETag", [broken({"ETag": 'W/"one"'}), Answer()], FILE, 2, (None, None)),
    Fault("the file changed in between", [broken(ETAG), Answer(OTHER, headers=NEW)], OTHER, 2),
    Fault("ignores Range", [broken(ETAG), Answer(headers=ETAG)], FILE, 2, (None, RANGE)),
    Fault(
        "sends another part",
        [broken(ETAG), rest(start=100), Answer()],
        FILE,
        3,
        (None, RANGE, None),
    ),
    Fault(
        "a part without Content-Range",
        [broken(ETAG), Answer(FILE[CUT:], 206, ETAG), Answer()],
        FILE,
        3,
        (None, RANGE, None),
    ),
    Fault("has no such rest", [broken(ETAG), Answer(b"", 416), Answer()], FILE, 3),
    Fault("a rest of another file", [broken(ETAG), rest(body=OTHER[CUT:]), Answer()], FILE, 3),
    Fault("the rest unasked for", [rest()], "the whole was asked for", 3),
    Fault("breaks off always", [broken(ETAG), Answer(b"", 206, rest().headers, 9)], "gave up", 3),
    Fault(
        "resets the connection", [Answer(FILE[:CUT], reset=True, length=len(FILE))], "gave up", 3
    ),
    Fault("resets, then is well", [Answer(FILE[:9], reset=True, length=99), Answer()], FILE, 2),
    Fault("closes without a word", [Answer(raw=b"")], "gave up after 3 attempts", 3),
    Fault(
        "speaks no HTTP", [Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n")], "gave up after 3 attempts", 3
    ),
    Fault(
        "one endless header", [Answer(raw=b"HTTP/1.1 200 OK\r\nA: " + b"x" * 99999)], "gave up", 3
    ),
    Fault("cut off, no length", [Answer(FILE[:CUT], length=None)], "truncated", 3),
    Fault("cut off, chunked", [Answer(FILE[:CUT], chunked=True, reset=True)], "gave up", 3),
    Fault("chunked", [Answer(chunked=True)], FILE),
    Fault("no length", [Answer(length=None)], FILE),
    Fault("length too short", [Answer(length=CUT)], "truncated", 3),
    Fault("length no number", [Answer(length="many")], FILE),
    Fault("length twice as long", [Answer(length=2 * len(FILE)), Answer()], FILE, 2),
    # ------------------------------------------------ slow servers
    Fault("drips", [Answer(drip=0.02)], "bytes a second, slower than", 3),
    Fault("drips the header", [Answer(drip_header=0.1)], "header not complete", 3),
    Fault(
        "takes too long",
        [Answer(drip=0.02, headers=ETAG)],
        "not here after 0.5 s",
        1,
        settings={"deadline": 0.5, "slowest_rate": 0},
    ),
    Fault(
        "no end of a chunk",
        [Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000", drip=9.0)],
        "not here after 0.5 s",
        1,
        settings={"deadline": 0.5},
    ),
    Fault("says nothing", [Answer(drip_header=9.0)], "no answer in time", 3),
    # ------------------------------------------------ sizes
    Fault("too large by its length", [Answer(length=10**12)], "1000.0 GB or more; allowed are 20"),
    Fault(
        "too large without a length",
        [Answer(b"x" * 40000, length=None)],
        "largest_gigabytes",
        settings={"largest_gigabytes": 1e-5},
    ),
    # ------------------------------------------------ statuses
    *(Fault(f"status {s} once", [Answer(b"", s), Answer()], FILE, 2) for s in STATUSES),
    Fault("status 503 always", [Answer(b"", 503)], "gave up after 3 attempts: .*status 503", 3),
    Fault("status 404", [Answer(PAGE, 404)], "no such file"),
    Fault("status 410", [Answer(PAGE, 410)], "no such file"),
    Fault("status 403", [Answer(PAGE, 403)], "403 .*may not be public yet .*wait some hours"),
    Fault("status 401", [Answer(PAGE, 401)], "download a file behind a login by hand"),
    Fault("status 407", [Answer(PAGE, 407)], "HTTPS_PROXY"),
    Fault("status 451", [Answer(PAGE, 451)], "legal reasons"),
    Fault("status 204", [Answer(b"", 204)], "status 204"),
    Fault("status 304 unasked", [Answer(b"", 304)], "status 304"),
    # ------------------------------------------------ other content
    Fault("a web page", [Answer(PAGE)], "a web page instead of a file"),
    Fault("a packed web page", [Answer(gzip.compress(PAGE))], "a web page instead of a file"),
    Fault("empty, then well", [Answer(b""), Answer()], FILE, 2),
    Fault("empty", [Answer(b"")], "the file is empty", 3),
    Fault("not gzip", [Answer(b"a\tb\n1\t2\n")], "the bytes are not gzip"),
    Fault("damaged", [Answer(FILE[:-6] + b"\0\0" + FILE[-4:])], "damaged", 3),
    Fault("damaged once", [Answer(FILE[:50] + b"\0" * 9 + FILE[59:]), Answer()], FILE, 2),
    Fault("packed on the way", [Answer(headers={"Content-Encoding": "gzip"})], FILE),
    # ------------------------------------------------ other places
    Fault("sent on", [Answer(b"", 302, {"Location": "/geo/y.txt.gz"}), Answer()], FILE, 2),
    Fault("sent on in circles", [Answer(b"", 302, {"Location": "/geo/x.txt.gz"})], "in circles", 8),
    Fault(
        "sent on to another host",
        [Answer(b"", 302, {"Location": "http://localhost:PORT/geo/y.txt.gz"}), Answer()],
        r"another host, localhost .*hosts: \[ncbi.nlm.nih.gov, localhost\]",
    ),
    Fault(
        "sent on to a host that is allowed",
        [Answer(b"", 307, {"Location": "http://localhost:PORT/geo/y.txt.gz"}), Answer()],
        FILE,
        2,
        settings={"hosts": ("localhost",)},
    ),
    Fault(
        "sent on to a file", [Answer(b"", 302, {"Location": "file:///etc/passwd"})], "never follow"
    ),
    Fault("sent on to nowhere", [Answer(b"", 302, {"Location": "http://[::bad/"})], "no address"),
]


class Server:
    """Gives the answers of a fault in order, the last one again and again."""

    def __init__(self, answers):
        self.answers, self.asked = list(answers), []
        outer = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers), time.monotonic()))
                answers = outer.answers
                self.close_connection = True
                try:
                    self.give(answers.pop(0) if len(answers) > 1 else answers[0])
                except OSError:
                    pass  # who asked has gone

            def give(self, answer):
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    self.wfile.flush()
                    time.sleep(min(answer.drip, 2))
                    return
                lines = [f"HTTP/1.1 {answer.status} Status", "Connection: close"]
                for name, value in answer.headers.items():
                    port = str(self.server.server_port)
                    lines.append(f"{name}: {value.replace('PORT', port)}")
                lines.append(f"Date: {self.date_time_string()}")
                body = answer.body
                if answer.chunked:
                    lines.append("Transfer-Encoding: chunked")
                    end = b"" if answer.reset else b"0\r\n\r\n"
                    body = b"%x\r\n" % len(body) + body + b"\r\n" + end
                elif answer.length is not None:
                    length = len(body) if answer.length == -1 else answer.length
                    lines.append(f"Content-Length: {length}")
                head = ("\r\n".join(lines) + "\r\n\r\n").encode()
                self.send(head, answer.drip_header, 30)
                self.send(body, answer.drip, 60)
                if answer.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()

            def send(self, content, pause, most):
                if not pause:
                    self.wfile.write(content)
                    return
                for i in range(most):
                    time.sleep(min(pause, 2))
                    self.wfile.write(content[i : i + 1])

        self.handler = Handler


@pytest.fixture
def pauses(monkeypatch):
    """Pauses between attempts, noted and not waited; rates are taken over a third of a second."""
    waited = []
    monkeypatch.setattr(web, "pause", waited.append)
    monkeypatch.setattr(web, "RATE_OVER", 0.3)
    return waited


def settings(**other):
    few = {"connect_timeout": 1, "read_timeout": 0.5, "attempts": 3, "requests_per_second": 1000}
    return GeoSettings.model_validate(few | other)


def stored():
    """What is in the download cache: the bytes of its files."""
    return [path.read_bytes() for path in Cache().folder.glob("files/*/*")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "_"))
def test_whatever_a_server_does_a_file_is_whole_or_not_there(fault, tmp_path, pauses):
    server = Server(fault.answers)
    target = tmp_path / "got" / "x.txt.gz"
    began = time.monotonic()
    with serving(server.handler) as running:
        address = f"{running.address}/geo/x.txt.gz"
        if isinstance(fault.wanted, str):
            with pytest.raises(AdnormError, match=f"(?s){fault.wanted}") as error:
                fetch_file(address, target, settings(**fault.settings))
            assert address in str(error.value) and "\n" not in str(error.value)
            assert "object at 0x" not in str(error.value) and "HTTPConnection" not in str(
                error.value
            )
            assert isinstance(error.value, AbsentFileError) == ("no such file" in fault.wanted)
            assert not target.exists() and stored() == []
        else:
            found = fetch_file(address, target, settings(**fault.settings))
            assert target.read_bytes() == fault.wanted and stored() == [fault.wanted]
            digest = hashlib.sha256(fault.wanted).hexdigest()
            assert found == {"bytes": len(fault.wanted), "sha256": digest}
            # Nothing is asked for twice.
            asked = len(server.asked)
            fetch_file(address, tmp_path / "again.gz", settings(**fault.settings))
            assert len(server.asked) == asked
            assert not list(Cache().folder.glob("parts/*.part"))
    assert len(server.asked) == fault.requests
    if fault.ranges:
        assert tuple(headers.get("Range") for _, headers, _ in server.asked) == fault.ranges
        version = next(iter((*fault.answers[0].headers.values(), None)))
        for _, headers, _ in server.asked:
            assert headers.get("If-Range") == (version if "Range" in headers else None)
    left = list((tmp_path / "got").iterdir()) if target.parent.exists() else []
    assert left == ([target] if target.exists() else [])
    assert all(pause >= 1 for pause in pauses)
    assert time.monotonic() - began < 10


def test_the_next_call_goes_on_where_a_deadline_ended_it(tmp_path, pauses):
    server = Server([Answer(drip=0.02, headers=ETAG)])
    with serving(server.handler) as running:
        address = f"{running.address}/geo/x.txt.gz"
        with pytest.raises(AdnormError, match="goes on where this one ended"):
            fetch_file(address, tmp_path / "x.gz", settings(deadline=0.5, slowest_rate=0))
        (part,) = Cache().folder.glob("parts/*.part")
        have = part.stat().st_size
        assert 0 < have < 60 and FILE.startswith(part.read_bytes())
        server.answers[:] = [rest(start=have)]
        # Another run, for another place.
        assert fetch_file(address, tmp_path / "y.gz", settings())["bytes"] == len(FILE)
    assert server.asked[-1][1]["Range"] == f"bytes={have}-"


def test_a_part_that_was_whole_when_its_run_was_killed_is_asked_for_anew(tmp_path, pauses):
    server = Server([broken(ETAG)])
    with serving(server.handler) as running:
        address = f"{running.address}/geo/x.txt.gz"
        with pytest.raises(AdnormError, match="gave up after 1 attempt"):
            fetch_file(address, tmp_path / "x.gz", settings(attempts=1))
        (part,) = Cache().folder.glob("parts/*.part")
        part.write_bytes(FILE)
        server.answers[:] = [Answer(b"", 416), Answer()]
        assert fetch_file(address, tmp_path / "x.gz", settings(attempts=1))["bytes"] == len(FILE)
        # One that nobody knows the version of is not gone on with.
        shutil.rmtree(Cache().folder / "addresses")
        part.write_bytes(FILE[:CUT])
        assert fetch_file(address, tmp_path / "x.gz", settings(attempts=1))["bytes"] == len(FILE)
    assert "Range" not in server.asked[-1][1]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("0", 1, 2),
        ("7", 7, 7),
        ("²", 1, 2),
        ("-5", 1, 2),
        ("9" * 400, 300, 300),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1, 2),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 300),
        ("Fri, 31 Dec 99999999 23:59:59 GMT", 1, 2),
        ("soon", 1, 2),
    ],
)
def test_retry_after_lengthens_a_pause_and_never_shortens_it(tmp_path, pauses, header, least, most):
    asked = Answer(b"", 429, {"Retry-After": header.encode().decode("latin-1")})
    server = Server([asked, asked, Answer()])
    with serving(server.handler) as running:
        fetch_file(f"{running.address}/x.gz", tmp_path / "x.gz", settings())
    assert least <= pauses[0] <= most
    assert len(pauses) == 2 and pauses[1] >= max(2, least)


def test_pauses_end_with_the_deadline(tmp_path, pauses):
    server = Server([Answer(b"", 503, {"Retry-After": "200"})])
    with serving(server.handler) as running:
        with pytest.raises(AdnormError, match="gave up after 1 attempt"):
            fetch_file(f"{running.address}/x.gz", tmp_path / "x.gz", settings(deadline=100))
    assert pauses == []


@pytest.mark.parametrize(
    ("source", "following", "refused"),
    [
        ("https://ftp.ncbi.nlm.nih.gov/geo/x", "http://ftp.ncbi.nlm.nih.gov/geo/x", "from https"),
        ("https://ftp.ncbi.nlm.nih.gov/geo/x", "https://www.ncbi.nlm.nih.gov/x", ""),
        ("https://ftp.ncbi.nlm.nih.gov/geo/x", "https://evilncbi.nlm.nih.gov/x", "another host"),
        (
            "https://ftp.ncbi.nlm.nih.gov/geo/x",
            "https://ncbi.nlm.nih.gov.evil.org/",
            "another host",
        ),
        ("http://mirror.example.org/x", "https://MIRROR.example.org/x", ""),
        ("http://mirror.example.org/x", "https://mirror.example.org@evil.org/x", "another host"),
        ("https://mirror.example.org/x", "ftp://mirror.example.org/x", "from https to ftp"),
    ],
)
def test_where_a_request_may_be_sent_on_to(source, following, refused, tmp_path):
    asking = web._Asking(source, "x", GeoSettings(), Cache(), tmp_path / "p", print, 0.0, None)
    if refused:
        with pytest.raises(AdnormError, match=refused):
            asking._redirected(source, following)
    else:
        assert asking._redirected(source, following) == following


# ---------------------------------------------------------------- what stands between


def test_a_proxy_is_asked_where_the_environment_names_one(tmp_path, monkeypatch):
    server = Server([Answer()])
    with serving(server.handler) as running:
        monkeypatch.setenv("http_proxy", running.address)
        monkeypatch.setenv("no_proxy", "mirror.invalid")
        fetch_file("http://geo.invalid/x.gz", tmp_path / "x.gz", settings(attempts=1))
        assert [path for path, _, _ in server.asked] == ["http://geo.invalid/x.gz"]
        with pytest.raises(AdnormError, match="gave up after 1 attempt"):
            fetch_file("http://mirror.invalid/x.gz", tmp_path / "y.gz", settings(attempts=1))
        assert len(server.asked) == 1


@pytest.fixture
def certificate(tmp_path):
    """A certificate of this machine that nobody knows, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes a certificate, is not here")
    key, path = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)],
        check=True,
        capture_output=True,
    )
    return path, key


def test_a_certificate_is_checked_and_an_own_one_can_be_named(tmp_path, certificate, monkeypatch):
    path, key = certificate
    server = Server([Answer(b"", 302, {"Location": "http://127.0.0.1:PORT/y.gz"})])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    with serving(server.handler) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        address = running.address.replace("http:", "https:") + "/x.gz"
        with pytest.raises(AdnormError, match="certificate was refused .*set REQUESTS_CA_BUNDLE"):
            fetch_file(address, tmp_path / "x.gz", settings(attempts=1))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with pytest.raises(AdnormError, match="from https to http"):
            fetch_file(address, tmp_path / "x.gz", settings())
        assert len(server.asked) == 1
        server.answers[:] = [Answer()]
        assert fetch_file(address, tmp_path / "x.gz", settings())["bytes"] == len(FILE)


def test_a_cache_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ADNORM_CACHE", str(tmp_path / "file" / "cache"))
    server = Server([Answer()])
    with serving(server.handler) as running:
        with pytest.raises(AdnormError, match="cache cannot be written .*ADNORM_CACHE=FOLDER"):
            fetch_file(f"{running.address}/x.gz", tmp_path / "x.gz", settings())
    assert server.asked == []


def test_a_full_disk_is_not_the_fault_of_the_server(tmp_path, monkeypatch, pauses):
    import builtins

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, block):
            raise OSError(28, "No space left on device")

    def opening(path, *how, **also):
        file = builtins.open(path, *how, **also)
        return Full(file) if str(path).endswith(".part") and how == ("ab",) else file

    monkeypatch.setattr(web, "open", opening, raising=False)
    server = Server([Answer()])
    with serving(server.handler) as running:
        with pytest.raises(AdnormError, match=r"cannot be written \(No space left on device\)"):
            fetch_file(f"{running.address}/x.gz", tmp_path / "x.gz", settings())
    assert len(server.asked) == 1 and stored() == []


def table():
    """Write the faults and their outcomes as a table of Markdown."""
    lines = ["| what the server does | what becomes of it | requests |", "| --- | --- | --- |"]
    for one in FAULTS:
        outcome = one.outcome.replace("\\", "").replace(".*", "… ")
        lines.append(f"| {one.name} | {outcome} | {one.requests} |")
    return "\n".join(lines) + "\n"


def test_the_table_that_people_read_is_the_one_that_is_tested(repository):
    page = (repository / "tests" / "faults" / "README.md").read_text(encoding="utf-8")
    assert page.endswith("\n\n" + table())


if __name__ == "__main__":
    print(table(), end="")
