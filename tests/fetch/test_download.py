"""Downloads against a server that misbehaves in the ways servers do."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from adnorm.base.errors import AdnormError
from adnorm.fetch import web
from adnorm.fetch.download import fetch_file, name_of
from adnorm.fetch.web import AbsentFileError, retry_after
from adnorm.study.config import GeoSettings
from builders.servers import Quiet, serving

PACKED = gzip.compress(b"".join(b"probe%d\t%d\n" % (i, i * 7919 % 1000) for i in range(20000)))
SETTINGS = GeoSettings(connect_timeout=5, read_timeout=5, attempts=3, requests_per_second=1000)


@pytest.fixture
def server():
    """A server whose answers a test queues as (status, headers, body, declared length)."""
    answers, asked = [], []

    class Handler(Quiet):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            status, headers, body, length = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as server:
        server.answers, server.asked = answers, asked
        server.url = f"{server.address}/geo/x.txt.gz"
        yield server


@pytest.fixture
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(web, "pause", waited.append)
    return waited


def good(body=PACKED):
    return (200, {}, body, len(body))


def test_a_whole_file_arrives_with_its_digest(server, tmp_path):
    server.answers.append(good())
    found = fetch_file(server.url, tmp_path / "x.txt.gz", SETTINGS)
    assert (tmp_path / "x.txt.gz").read_bytes() == PACKED
    assert found == {"bytes": len(PACKED), "sha256": hashlib.sha256(PACKED).hexdigest()}
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt.gz"]


def test_gzip_is_stored_as_sent_even_if_called_an_encoding(server, tmp_path):
    server.answers.append((200, {"Content-Encoding": "gzip"}, PACKED, len(PACKED)))
    fetch_file(server.url, tmp_path / "x.gz", SETTINGS)
    assert (tmp_path / "x.gz").read_bytes() == PACKED


def test_a_broken_connection_is_tried_again(server, tmp_path, pauses):
    server.answers += [(200, {}, PACKED[:500], len(PACKED)), good()]
    assert fetch_file(server.url, tmp_path / "x.gz", SETTINGS)["bytes"] == len(PACKED)
    assert len(server.asked) == 2 and len(pauses) == 1


def test_a_truncated_gzip_without_a_length_is_never_kept(server, tmp_path, pauses):
    server.answers.append((200, {}, PACKED[: len(PACKED) // 2], None))
    with pytest.raises(AdnormError, match=r"gave up after 3 attempts.*truncated"):
        fetch_file(server.url, tmp_path / "x.gz", SETTINGS)
    assert len(server.asked) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_with_status_200_is_refused_at_once(server, tmp_path, pauses):
    page = b"\n<!DOCTYPE html><html><title>reCAPTCHA</title></html>"
    server.answers.append(good(page))
    with pytest.raises(AdnormError, match="a web page instead of a file"):
        fetch_file(server.url, tmp_path / "x.gz", SETTINGS)
    assert len(server.asked) == 1 and pauses == []
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_web_page_is_refused(server, tmp_path):
    server.answers.append(good(gzip.compress(b"<html>busy</html>")))
    with pytest.raises(AdnormError, match="a web page instead of a file"):
        fetch_file(server.url, tmp_path / "x.gz", SETTINGS)


def test_retry_after_is_honoured(server, tmp_path, pauses):
    server.answers += [(429, {"Retry-After": "7"}, b"", 0), (503, {}, b"", 0), good()]
    fetch_file(server.url, tmp_path / "x.gz", SETTINGS)
    assert pauses[0] == 7
    assert len(server.asked) == 3


def test_pauses_grow_without_retry_after(server, tmp_path, pauses):
    server.answers.append((500, {}, b"", 0))
    settings = GeoSettings(connect_timeout=5, read_timeout=5, attempts=4, requests_per_second=1000)
    with pytest.raises(
        AdnormError,
        match=r"gave up after 4 attempts.*status 500.*`geo: address:`.*`identifiers: table:`",
    ):
        fetch_file(server.url, tmp_path / "x.gz", settings)
    assert len(pauses) == 3
    assert 1 <= pauses[0] <= 2 <= pauses[1] <= 3 < 4 <= pauses[2] <= 5


@pytest.mark.parametrize(("status", "words"), [(404, "no such file"), (403, "refused, status 403")])
def test_lasting_refusals_are_not_repeated(server, tmp_path, pauses, status, words):
    server.answers.append((status, {}, b"<html>", 6))
    with pytest.raises(AdnormError, match=words):
        fetch_file(server.url, tmp_path / "x.gz", SETTINGS)
    assert len(server.asked) == 1 and pauses == []


def test_no_server_at_all(tmp_path, pauses):
    with pytest.raises(AdnormError, match="gave up after 3 attempts"):
        fetch_file("http://127.0.0.1:9/x.gz", tmp_path / "x.gz", SETTINGS)
    assert len(pauses) == 2


def test_a_failed_download_leaves_the_old_file(server, tmp_path, pauses):
    target = tmp_path / "x.gz"
    target.write_bytes(PACKED)
    server.answers.append(good(b"nonsense"))
    with pytest.raises(AdnormError, match="not gzip"):
        fetch_file(server.url, target, SETTINGS)
    assert target.read_bytes() == PACKED


def test_an_empty_answer_is_refused(server, tmp_path, pauses):
    server.answers.append(good(b""))
    with pytest.raises(AdnormError, match="empty"):
        fetch_file(server.url, tmp_path / "x.txt", SETTINGS)


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_local_files_are_copied(tmp_path, form):
    source = tmp_path / "a b.txt.gz"
    source.write_bytes(PACKED)
    fetch_file(form.format(source), tmp_path / "to" / "x.gz")
    assert (tmp_path / "to" / "x.gz").read_bytes() == PACKED


def test_a_relative_file_address(tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "x.csv").write_text("gene,a\nFLG,1\n")
    monkeypatch.chdir(tmp_path)
    assert fetch_file("file:mirror/x.csv", Path("got/x.csv"))["bytes"] == 13


def test_an_absent_local_file_names_the_nearest(tmp_path):
    (tmp_path / "counts.csv").write_text("x")
    with pytest.raises(AbsentFileError, match=r"does not exist; did you mean 'counts\.csv'"):
        fetch_file(str(tmp_path / "count.csv"), tmp_path / "x.csv")


def test_a_local_truncated_gzip_is_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(PACKED[:-9])
    with pytest.raises(AdnormError, match="truncated.*put a whole one in its place") as error:
        fetch_file(str(tmp_path / "a.gz"), tmp_path / "b.gz")
    assert "fetch it again" not in str(error.value)
    assert not (tmp_path / "b.gz").exists()


def test_a_damaged_gzip_is_refused(tmp_path):
    broken = bytearray(PACKED)
    broken[-6] ^= 255
    (tmp_path / "a.gz").write_bytes(broken)
    with pytest.raises(AdnormError, match="damaged"):
        fetch_file(str(tmp_path / "a.gz"), tmp_path / "b.gz")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_local_web_page_gets_no_advice_about_servers(tmp_path, pack):
    (tmp_path / "a.csv").write_bytes(pack(b"<html><table><tr><td>FLG</td></tr></table></html>"))
    with pytest.raises(
        AdnormError, match=r"a\.csv: this file is a web page.*save it as csv"
    ) as error:
        fetch_file(f"file:{tmp_path / 'a.csv'}", tmp_path / "b.csv")
    assert "mirror" not in str(error.value) and "try again" not in str(error.value)


def test_other_local_files_that_are_no_data(tmp_path):
    for content, words in ((b"", "export or copy it again"), (b"a,b\n", "copy the file again")):
        (tmp_path / "a.gz").write_bytes(content)
        with pytest.raises(AdnormError, match=words):
            fetch_file(str(tmp_path / "a.gz"), tmp_path / "b.gz")


def test_gzip_in_several_members_is_whole(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 9)
    assert fetch_file(str(tmp_path / "a.gz"), tmp_path / "b.gz")["bytes"] > 0
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n")[:-3])
    with pytest.raises(AdnormError, match="truncated"):
        fetch_file(str(tmp_path / "a.gz"), tmp_path / "c.gz")


def test_ftp_is_not_supported(tmp_path):
    with pytest.raises(AdnormError, match="'ftp' is not supported"):
        fetch_file("ftp://example.org/x.gz", tmp_path / "x.gz")


def test_names_and_dates():
    assert name_of("https://example.org/a/GSE1%20x.csv?acc=2") == "GSE1 x.csv"
    with pytest.raises(AdnormError, match="folder"):
        name_of("https://example.org/")
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
