"""The download cache, mirrors, and runs without a connection."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from adnorm.base.errors import AdnormError
from adnorm.fetch.build import absent_files, fetch_cohort
from adnorm.fetch.cache import Cache
from adnorm.fetch.download import OfflineError, fetch_file
from adnorm.study.checksums import Pin
from builders.fetched import once_asked, published
from builders.servers import Quiet, serving

MATRIX = "/geo/series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
ANNOTATION = "/geo/platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"
HEADER = '!Series_title\t"x"\n!Sample_platform_id\t"GPL5"\n!series_matrix_table_begin\n'


def packed(text):
    return gzip.compress(text.encode(), mtime=0)


class Geo:
    """A server of files by path; a status stands for a file that it does not give."""

    def __init__(self):
        self.files = {MATRIX: packed(HEADER), ANNOTATION: packed("ID\tGene symbol\np\tFLG\n")}
        self.asked, self.at_once, self.most, self.slow = [], 0, 0, 0.0
        self.version = "one"
        outer = self

        class Handler(Quiet):
            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers), time.monotonic()))
                outer.at_once += 1
                outer.most = max(outer.most, outer.at_once)
                time.sleep(outer.slow)
                outer.at_once -= 1
                found = outer.files.get(self.path, 404)
                tag = f'"{outer.version}"'
                if self.headers.get("If-None-Match") == tag and not isinstance(found, int):
                    found = 304
                self.send_response(found if isinstance(found, int) else 200)
                body = b"" if isinstance(found, int) else found
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.handler = Handler

    def paths(self):
        return [path for path, _, _ in self.asked]


@pytest.fixture
def geo():
    state = Geo()
    with serving(state.handler) as server:
        state.address = f"{server.address}/geo"
        yield state


# ---------------------------------------------------------------- what is kept


def test_cohorts_and_runs_share_what_came(geo, tmp_path):
    for name in ("one", "two"):
        fetch_cohort(published(name=name), once_asked(geo.address), tmp_path / name)
    assert geo.paths() == [MATRIX, ANNOTATION]
    assert (tmp_path / "two/GPL5.annot.gz").read_bytes() == geo.files[ANNOTATION]
    # A copy: who changes a result changes nothing for others.
    (tmp_path / "two/GPL5.annot.gz").write_bytes(b"")
    fetch_cohort(published(name="three"), once_asked(geo.address), tmp_path / "three")
    assert (tmp_path / "three/GPL5.annot.gz").read_bytes() == geo.files[ANNOTATION]
    assert os.access(tmp_path / "three/GPL5.annot.gz", os.W_OK)
    assert stat.S_IMODE((tmp_path / "three/GPL5.annot.gz").stat().st_mode) & 0o200


def test_a_cache_of_a_group_stays_one(geo, tmp_path, monkeypatch):
    monkeypatch.setenv("ADNORM_CACHE", str(tmp_path / "shared"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2775)
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "out")
    folders = [path for path in (tmp_path / "shared").rglob("*") if path.is_dir()]
    assert len(folders) >= 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o2775}
    locks = list((tmp_path / "shared").rglob("*.lock"))
    assert locks and {stat.S_IMODE(path.stat().st_mode) for path in locks} == {0o666}


def test_a_damaged_file_is_never_taken_from_the_cache(geo, tmp_path):
    address = f"{geo.address[:-4]}{ANNOTATION}"
    fetch_file(address, tmp_path / "a.gz", once_asked(geo.address))
    known = Cache().find(address)
    for content in (geo.files[ANNOTATION][:-9], packed("ID\tGene symbol\np\tIVL\n"), b"<html>"):
        place = Cache().file(known)
        place.chmod(0o644)
        place.write_bytes(content)
        asked = len(geo.asked)
        fetch_file(address, tmp_path / "a.gz", once_asked(geo.address))
        assert (tmp_path / "a.gz").read_bytes() == geo.files[ANNOTATION]
        assert len(geo.asked) == asked + 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": 1}', "\0\xff"])
def test_a_broken_note_is_as_good_as_none(geo, tmp_path, content):
    address = f"{geo.address[:-4]}{ANNOTATION}"
    fetch_file(address, tmp_path / "a.gz", once_asked(geo.address))
    (note,) = Cache().folder.glob("addresses/*")
    note.write_bytes(content.encode("latin-1"))
    fetch_file(address, tmp_path / "a.gz", once_asked(geo.address))
    assert len(geo.asked) == 2 and Cache().find(address)


def test_a_pinned_file_is_found_by_its_digest_wherever_it_came_from(geo, tmp_path):
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "a")
    old = Cache().find(f"{geo.address[:-4]}{ANNOTATION}")
    geo.files[ANNOTATION], geo.version = packed("ID\tGene symbol\np\tIVL\n"), "two"
    fresh = once_asked(geo.address)
    fetch_cohort(published(), fresh, tmp_path / "b", fresh=True)
    assert (tmp_path / "b/GPL5.annot.gz").read_bytes() == geo.files[ANNOTATION]
    # The server has another version now; the pinned one is in the cache.
    pins = {"GPL5.annot.gz": Pin(bytes=old.bytes, sha256=old.sha256, date="2026-01-31")}
    asked = len(geo.asked)
    fetch_cohort(published(), fresh, tmp_path / "c", pins)
    assert len(geo.asked) == asked
    assert fetch_file(str(tmp_path / "c/GPL5.annot.gz"), tmp_path / "d.gz")["sha256"] == old.sha256
    Cache().forget(old.sha256)
    with pytest.raises(AdnormError, match="is not the file that was pinned"):
        fetch_cohort(published(), fresh, tmp_path / "e", pins)


def test_a_server_is_asked_only_whether_a_file_has_changed(geo, tmp_path):
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "a")
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "b", fresh=True)
    assert [headers.get("If-None-Match") for _, headers, _ in geo.asked] == [None, None] + [
        '"one"',
        '"one"',
    ]
    assert (tmp_path / "b/manifest.json").read_bytes() == (
        tmp_path / "a/manifest.json"
    ).read_bytes()
    # What the server calls unchanged and is damaged here is asked for once more.
    known = Cache().find(f"{geo.address[:-4]}{ANNOTATION}")
    Cache().file(known).chmod(0o644)
    Cache().file(known).write_bytes(b"")
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "c", fresh=True)
    assert (tmp_path / "c/GPL5.annot.gz").read_bytes() == geo.files[ANNOTATION]


def _fetch(address, target):
    fetch_file(address, target, once_asked(""))


def test_jobs_at_once_bring_a_file_once(geo, tmp_path):
    geo.slow = 0.3
    address = f"{geo.address[:-4]}{ANNOTATION}"
    context = multiprocessing.get_context("fork")
    jobs = [
        context.Process(target=_fetch, args=(address, tmp_path / f"{i}" / "a.gz")) for i in range(8)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert [job.exitcode for job in jobs] == [0] * 8
    assert geo.paths() == [ANNOTATION]
    assert {p.read_bytes() for p in tmp_path.glob("*/a.gz")} == {geo.files[ANNOTATION]}
    assert len(list(tmp_path.glob("*/a.gz"))) == 8


def test_a_file_system_without_locks_does_without(geo, tmp_path, monkeypatch):
    import filelock

    def acquire(self, *_, **__):
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    address = f"{geo.address[:-4]}{ANNOTATION}"
    fetch_file(address, tmp_path / "a.gz", once_asked(geo.address))
    assert (tmp_path / "a.gz").read_bytes() == geo.files[ANNOTATION]
    assert [p for p in Cache().folder.glob("parts/*") if p.suffix != ".lock"] == []


def test_servers_are_asked_at_a_pace(tmp_path):
    cache, began = Cache(tmp_path), time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: cache.wait_turn("a.example:443", 20), range(10)))
    # Ten requests have nine gaps of 1/20 s; another server has a line of its own.
    assert 0.45 <= time.monotonic() - began < 3
    began = time.monotonic()
    cache.wait_turn("b.example:443", 0.1)
    assert time.monotonic() - began < 1
    # A clock that was wrong holds nobody up.
    for turn in cache.folder.glob("turns/*"):
        if turn.suffix != ".lock":
            turn.write_text(str(time.time() + 1e6))
    cache.wait_turn("b.example:443", 0.1)
    assert time.monotonic() - began < 2


# ---------------------------------------------------------------- mirrors


@pytest.mark.parametrize("answer", [404, 403, 500, b"<html>captcha</html>"])
def test_a_mirror_is_asked_where_the_first_place_fails(geo, tmp_path, answer):
    own = Geo()
    own.files = dict.fromkeys(own.files, answer)
    with serving(own.handler) as first:
        rules = once_asked(f"{first.address}/geo", mirrors=(geo.address,))
        manifest = fetch_cohort(published(), rules, tmp_path / "out")
        assert own.paths()[0] == MATRIX and geo.paths() == [MATRIX, ANNOTATION]
        plain = fetch_cohort(published(), once_asked(geo.address), tmp_path / "plain")
        assert manifest.read_bytes() == plain.read_bytes()


def test_a_server_that_fails_is_no_reason_for_another_file(geo, tmp_path):
    """Below one address, a second place is for a file that is not at the first."""
    geo.files[MATRIX] = 500
    geo.files[MATRIX.replace("GSE12_series", "GSE12-GPL5_series")] = packed(HEADER)
    with pytest.raises(AdnormError, match="status 500"):
        fetch_cohort(published(), once_asked(geo.address), tmp_path / "out")
    assert geo.paths() == [MATRIX]
    geo.files[MATRIX] = 404
    assert fetch_cohort(published(), once_asked(geo.address), tmp_path / "out").is_file()


def test_a_folder_may_be_a_mirror_and_all_places_are_told(geo, tmp_path):
    geo.files[ANNOTATION] = 503
    rules = once_asked(geo.address, mirrors=(f"file:{tmp_path}/geo",))
    with pytest.raises(AdnormError) as error:
        fetch_cohort(published(), rules, tmp_path / "out")
    for words in (
        f"not found at 'file:{tmp_path}/geo/platforms",
        "status 503",
        "full table of GPL5",
    ):
        assert words in str(error.value)
    place = tmp_path / ANNOTATION.removeprefix("/")
    place.parent.mkdir(parents=True)
    place.write_bytes(packed("ID\tGene symbol\np\tFLG\n"))
    assert fetch_cohort(published(), rules, tmp_path / "out").is_file()


# ---------------------------------------------------------------- without a connection


def test_offline_everything_that_came_before_is_used(geo, tmp_path):
    fetch_cohort(published(), once_asked(geo.address), tmp_path / "a")
    asked = len(geo.asked)
    offline = once_asked(geo.address, offline=True)
    fetch_cohort(published(name="other"), offline, tmp_path / "b")
    fetch_cohort(published(name="other"), offline, tmp_path / "c", fresh=True)
    assert len(geo.asked) == asked
    # Without the cache, from the results.
    for path in Cache().folder.glob("files/*/*"):
        path.unlink()
    fetch_cohort(published(name="other"), offline, tmp_path / "b")
    assert len(geo.asked) == asked


def test_offline_all_that_is_missing_is_told_at_once(geo, tmp_path):
    offline = once_asked(geo.address, offline=True)
    with pytest.raises(OfflineError) as error:
        fetch_cohort(published(), offline, tmp_path / "a")
    assert geo.asked == []
    assert "offline: 2 files not fetched before" in str(error.value)
    for words in (MATRIX, ANNOTATION, "ADNORM_CACHE=FOLDER", "geo: mirrors: [file:FOLDER]"):
        assert words in str(error.value)
    # Which platform it is stands in the matrix.
    assert absent_files(published(platform=None), offline, tmp_path / "a") == [
        f"{geo.address[:-4]}{MATRIX}"
    ]
    fetch_file(f"{geo.address[:-4]}{MATRIX}", tmp_path / "x.gz", once_asked(geo.address))
    assert absent_files(published(platform=None), offline, tmp_path / "a") == [
        f"{geo.address[:-4]}{ANNOTATION}"
    ]
