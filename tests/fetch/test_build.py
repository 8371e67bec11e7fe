"""Addresses at GEO, routes and the manifest."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.stops import last_note
from adnorm.fetch import geo
from adnorm.fetch.build import fetch_cohort
from adnorm.fetch.cache import Cache
from adnorm.fetch.download import local_path
from adnorm.fetch.identifiers import fetch_table
from adnorm.fetch.proof import fetch_again, fingerprint
from adnorm.study.checksums import Pin
from builders.fetched import once_asked, published

TABLE_END = "!series_matrix_table_end\n"


def matrix_text(*platforms):
    cells = "\t".join(f'"{p}"' for p in platforms)
    return gzip.compress(
        f'!Series_title\t"x"\n!Sample_platform_id\t{cells}\n!series_matrix_table_begin\n'.encode()
    )


@pytest.fixture
def mirror(tmp_path):
    """A small mirror of GEO: GSE12 on one platform, GSE1000 on two, GPL5 with annotation."""
    root = tmp_path / "geo"
    files = {
        "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz": matrix_text("GPL5", "GPL5"),
        "series/GSEnnn/GSE12/suppl/GSE12_counts.csv.gz": gzip.compress(b"gene,a\nFLG,1\n"),
        "series/GSE1nnn/GSE1000/matrix/GSE1000-GPL5_series_matrix.txt.gz": matrix_text("GPL5"),
        "platforms/GPLnnn/GPL5/annot/GPL5.annot.gz": gzip.compress(b"ID\tGene symbol\np\tFLG\n"),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def web(mirror):
    """The mirror behind a web server that counts what is asked."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(mirror.parent))
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    running.asked, running.address = asked, f"http://127.0.0.1:{running.server_port}/geo/"
    yield running
    running.shutdown()
    running.server_close()


def manifest_of(path):
    return {entry["role"]: entry for entry in json.loads(path.read_text())["files"]}


@pytest.mark.parametrize(
    ("accession", "folder"),
    [("GSE1", "GSEnnn"), ("GSE999", "GSEnnn"), ("GSE1000", "GSE1nnn"), ("GSE193309", "GSE193nnn")],
)
def test_folders_of_accessions(accession, folder):
    assert geo.series_matrix_paths(accession)[0].startswith(f"series/{folder}/{accession}/matrix/")


def test_a_series_on_several_platforms_has_a_second_name():
    first, second = geo.series_matrix_paths("GSE80342", "GPL570")
    assert first.endswith("/GSE80342_series_matrix.txt.gz")
    assert second.endswith("/GSE80342-GPL570_series_matrix.txt.gz")


@pytest.mark.parametrize("accession", ["GSE", "gse12", "E-MTAB-1", "GSE12/..", "", None])
def test_other_accessions_are_refused(accession):
    with pytest.raises(AdnormError, match="is not a GEO series"):
        geo.series_matrix_paths(accession)


def test_the_address_must_say_that_it_is_a_folder():
    with pytest.raises(AdnormError, match=r"write a folder as 'file:\.\./geo'"):
        geo.below("../geo", "x")


def test_series_matrix_from_a_folder(mirror, tmp_path):
    path = fetch_cohort(published(), once_asked(f"file:{mirror}"), tmp_path / "out")
    assert path == tmp_path / "out" / "manifest.json"
    content = json.loads(path.read_text())
    assert (content["cohort"], content["route"]) == ("trial", "geo_series_matrix")
    files = manifest_of(path)
    assert set(files) == {"series_matrix", "annotation"}
    assert files["annotation"]["source"] == "geo:platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"
    for entry in files.values():
        found = fingerprint(path.parent / entry["name"])
        assert found == {key: entry[key] for key in ("bytes", "sha256")}
    assert str(tmp_path) not in path.read_text()


def test_the_platform_may_come_from_the_series_matrix(mirror, tmp_path):
    path = fetch_cohort(published(platform=None), once_asked(f"file:{mirror}"), tmp_path / "out")
    assert manifest_of(path)["annotation"]["name"] == "GPL5.annot.gz"


def test_an_unknown_platform_lists_the_known(mirror, tmp_path):
    with pytest.raises(AdnormError, match=r"no sample was measured on 'GPL6'.*'GPL5'"):
        fetch_cohort(published(platform="GPL6"), once_asked(f"file:{mirror}"), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_matrix_on_two_platforms_needs_a_choice(mirror, tmp_path):
    path = mirror / "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
    path.write_bytes(matrix_text("GPL5", "GPL96"))
    with pytest.raises(AdnormError, match=r"samples on 'GPL5', 'GPL96'; name one"):
        fetch_cohort(published(platform=None), once_asked(f"file:{mirror}"), tmp_path / "out")


def test_the_variant_with_the_platform_is_found(mirror, tmp_path):
    path = fetch_cohort(
        published(accession="GSE1000"), once_asked(f"file:{mirror}"), tmp_path / "out"
    )
    assert manifest_of(path)["series_matrix"]["name"] == "GSE1000-GPL5_series_matrix.txt.gz"


def test_a_missing_series_says_where_it_was_sought(mirror, tmp_path):
    with pytest.raises(
        AdnormError, match=r"series_matrix: not found at .*GSE77.*name the platform"
    ):
        fetch_cohort(
            published(accession="GSE77", platform=None),
            once_asked(f"file:{mirror}"),
            tmp_path / "out",
        )


def test_a_platform_without_annotation_says_where_it_was_sought(mirror, tmp_path):
    address = f"file:{mirror}/platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"
    (mirror / "platforms/GPLnnn/GPL5/annot/GPL5.annot.gz").unlink()
    plan = published()
    with pytest.raises(AdnormError) as error:
        fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "out")
    assert f"annotation: not found at '{address}'" in str(error.value)
    assert "download the full table of GPL5" in str(error.value)
    assert "(source: annotation:)" in str(error.value)


@pytest.mark.parametrize("header", ["", '"ID_REF"\t"A"\t"B"\n'])
@pytest.mark.parametrize("named", [None, "absent.txt"])
def test_a_series_without_values_stops_before_its_annotation(mirror, tmp_path, header, named):
    path = mirror / "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
    (mirror / "platforms/GPLnnn/GPL5/annot/GPL5.annot.gz").unlink()
    text = gzip.decompress(matrix_text("GPL5", "GPL5")).decode()
    listed = '!Series_supplementary_file\t"ftp://example.org/suppl/GSE12_counts.csv.gz"\n'
    path.write_bytes(gzip.compress((listed + text + header + TABLE_END).encode()))
    plan = published(annotation=named)
    with pytest.raises(AdnormError) as error:
        fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "out")
    assert "Use `route: geo_supplementary`" in str(error.value)
    assert "The series lists: 'GSE12_counts.csv.gz'" in str(error.value)
    assert "annotation" not in str(error.value) and "GPL5" not in str(error.value)
    plan = published("geo_supplementary", "GSE12", None, table="GSE12_counts.csv.gz")
    assert fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "out").is_file()


def test_supplementary_and_named_files(mirror, tmp_path):
    table = tmp_path / "own" / "t.tsv"
    table.parent.mkdir()
    table.write_text("gene\ta\nFLG\t1\n")
    plan = published("geo_supplementary", "GSE12", None, table="GSE12_counts.csv.gz")
    files = manifest_of(fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "a"))
    assert set(files) == {"series_matrix", "table"}
    assert files["table"]["source"] == "geo:series/GSEnnn/GSE12/suppl/GSE12_counts.csv.gz"
    plan = published("geo_supplementary", "GSE12", None, table=str(table))
    files = manifest_of(fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "b"))
    assert (files["table"]["name"], files["table"]["source"]) == ("t.tsv", "t.tsv")


def test_the_manifest_keeps_relative_paths_and_no_folder_of_this_machine(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.tsv").write_text("gene\ta\nFLG\t1\n")
    (tmp_path / "data" / "s.tsv").write_text("sample\na\n")
    monkeypatch.chdir(tmp_path)
    for folder, address, written in (
        (tmp_path / "data", f"file://{tmp_path}/data/s.tsv", ("t.tsv", "s.tsv")),
        ("data", "file:data/s.tsv", ("data/t.tsv", "file:data/s.tsv")),
    ):
        plan = published("local", None, None, table=f"{folder}/t.tsv", sheet=address)
        path = fetch_cohort(plan, once_asked("file:x"), tmp_path / "out")
        files = manifest_of(path)
        assert (files["table"]["source"], files["sheet"]["source"]) == written
        assert str(tmp_path) not in path.read_text()


def test_local_files_with_one_name_are_kept_apart(tmp_path):
    for folder, text in (("values", "gene\ta\nFLG\t1\n"), ("sheets", "sample\na\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.tsv").write_text(text)
    plan = published(
        "local",
        None,
        None,
        table=str(tmp_path / "values/data.tsv"),
        sheet=str(tmp_path / "sheets/data.tsv"),
    )
    path = fetch_cohort(plan, once_asked("file:nowhere"), tmp_path / "out")
    files = manifest_of(path)
    assert files["table"]["name"] == "table_data.tsv"
    assert (path.parent / files["sheet"]["name"]).read_text() == "sample\na\n"


def test_proven_files_are_kept_and_missing_ones_fetched(web, tmp_path):
    plan = published()
    path = fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    before, asked = path.read_bytes(), len(web.asked)
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert len(web.asked) == asked
    (tmp_path / "out" / "GPL5.annot.gz").unlink()
    # What the download cache has is asked for nowhere.
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert len(web.asked) == asked
    (tmp_path / "out" / "GPL5.annot.gz").unlink()
    shutil.rmtree(Cache().folder)
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert web.asked[asked:] == ["/geo/platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"]
    (tmp_path / "out" / "GSE12_series_matrix.txt.gz").write_bytes(b"!Series_ changed")
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert len(web.asked) == asked + 2
    assert path.read_bytes() == before


def test_what_came_before_a_run_stopped_is_kept(web, mirror, tmp_path):
    plan = published()
    annotation = mirror / "platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"
    whole = annotation.read_bytes()
    annotation.unlink()
    with pytest.raises(AdnormError, match="annotation: not found"):
        fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    annotation.write_bytes(whole)
    asked = len(web.asked)
    manifest = fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert web.asked[asked:] == ["/geo/platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"]
    manifest.unlink()  # as Snakemake does before it runs the stage again
    shutil.rmtree(Cache().folder)
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert len(web.asked) == asked + 1


def test_a_file_that_a_pinned_digest_refuses_is_fetched_again(web, mirror, tmp_path):
    matrix = mirror / "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
    right = matrix.read_bytes()
    digest = fingerprint(matrix)["sha256"]
    matrix.write_bytes(matrix_text("GPL5"))
    plan = published()
    pins = {matrix.name: Pin(bytes=len(right), sha256=digest, rows=5, date="2026-11-27")}
    with pytest.raises(AdnormError) as error:
        fetch_cohort(plan, once_asked(web.address), tmp_path / "out", pins)
    other = fingerprint(matrix)
    assert f"Pinned on 2026-11-27: {len(right):,} bytes, 5 rows, SHA-256 {digest}" in str(
        error.value
    )
    assert f"Found: {other['bytes']:,} bytes, SHA-256 {other['sha256']}" in str(error.value)
    assert "`adnorm lock trial --update`" in str(error.value)
    matrix.write_bytes(right)
    found = manifest_of(fetch_cohort(plan, once_asked(web.address), tmp_path / "out", pins))
    assert found["series_matrix"]["sha256"] == digest


def stating(text, *platforms):
    """A series matrix or an annotation with a line that says of what it is."""
    whole = f"{text}\n".encode() + gzip.decompress(matrix_text(*platforms))
    # Without the time, which a busy machine lets pass between two calls.
    return gzip.compress(whole, mtime=0)


MATRIX = "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
ANNOTATION = "platforms/GPLnnn/GPL5/annot/GPL5.annot.gz"


@pytest.mark.parametrize(
    ("path", "wrong", "right"),
    [
        (MATRIX, '!Series_geo_accession\t"GSE13"', '!Series_geo_accession\t"GSE12"'),
        (MATRIX, "\ufeff!series_geo_accession\tGSE120", "!Series_geo_accession\tGSE12"),
        (ANNOTATION, "!Annotation_platform = GPL50", "!Annotation_platform = GPL5"),
        (ANNOTATION, "^PLATFORM = GPL6", "^PLATFORM = GPL5"),
        (ANNOTATION, "!Platform_geo_accession = GPL6", "!Platform_title = of GPL6"),
    ],
)
def test_the_file_of_another_series_or_platform_is_never_kept(
    web, mirror, tmp_path, path, wrong, right
):
    plan = published()
    name = path.rpartition("/")[2]
    (mirror / path).write_bytes(stating(wrong, "GPL5"))
    for address, advice in ((web.address, "asks again"), (f"file:{mirror}", "in its place")):
        with pytest.raises(AdnormError, match=f"says that it is of G..[0-9]+, but .*{advice}"):
            fetch_cohort(plan, once_asked(address), tmp_path / "out")
        assert not (tmp_path / "out" / name).exists()
    (mirror / path).write_bytes(stating(right, "GPL5"))
    assert fetch_cohort(plan, once_asked(web.address), tmp_path / "out").is_file()
    # One that an earlier release kept is not kept any more.
    (tmp_path / "out" / name).write_bytes(stating(wrong, "GPL5"))
    found = fingerprint(tmp_path / "out" / name)
    for proof in ("manifest.json", ".fetched.json"):
        content = json.loads((tmp_path / "out" / proof).read_text())
        for entry in content["files"]:
            if entry["name"] == name:
                entry |= found
        (tmp_path / "out" / proof).write_text(json.dumps(content))
    shutil.rmtree(Cache().folder)
    asked = len(web.asked)
    fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    assert web.asked[asked:] == [f"/geo/{path}"]
    assert (tmp_path / "out" / name).read_bytes() == stating(right, "GPL5")


def test_a_named_matrix_of_another_series_is_refused_and_a_named_annotation_is_believed(
    mirror, tmp_path
):
    """Arrays of one design have several numbers at GEO; only a person can know that."""
    (tmp_path / "m.gz").write_bytes(stating('!Series_geo_accession\t"GSE13"', "GPL5"))
    plan = published(matrix=str(tmp_path / "m.gz"))
    with pytest.raises(AdnormError, match="of GSE13, but GSE12 .* mend the cohort file"):
        fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "out")
    (tmp_path / "a.gz").write_bytes(stating("!Annotation_platform = GPL6"))
    plan = published(annotation=str(tmp_path / "a.gz"))
    assert fetch_cohort(plan, once_asked(f"file:{mirror}"), tmp_path / "out").is_file()


def test_a_file_that_a_reader_refuses_is_fetched_again_and_the_others_are_kept(web, tmp_path):
    plan, out = published(), tmp_path / "out"
    manifest = fetch_cohort(plan, once_asked(web.address), out)
    before, log = manifest.read_bytes(), tmp_path / "logs" / "fetch.log"
    fetch_again([out / "GPL5.annot.gz"], out, log)
    assert last_note(log).stat().st_mtime > time.time()
    assert (out / "GPL5.annot.gz").is_file()
    asked = len(web.asked)
    assert fetch_cohort(plan, once_asked(web.address), out).read_bytes() == before
    assert web.asked[asked:] == [f"/geo/{ANNOTATION}"]
    fetch_cohort(plan, once_asked(web.address), out)
    assert len(web.asked) == asked + 1


def test_an_identifier_table_of_the_lab_is_not_fetched_again(tmp_path):
    out = tmp_path / "results" / "lab" / "fetch"
    fetch_again([tmp_path / "hgnc.txt"], out, out.parent / "logs" / "fetch.log")
    assert not list(tmp_path.rglob("*.stop-*"))
    fetch_again([tmp_path / "results/references/hgnc.txt"], out, out.parent / "logs/fetch.log")
    assert [p.name for p in tmp_path.rglob("*.stop-*")] == ["hgnc.txt.stop-1"]


def test_a_broken_manifest_proves_nothing(web, tmp_path):
    plan = published()
    path = fetch_cohort(plan, once_asked(web.address), tmp_path / "out")
    before = path.read_bytes()
    path.write_text("{")
    assert fetch_cohort(plan, once_asked(web.address), tmp_path / "out").read_bytes() == before


def test_a_series_matrix_must_look_like_one(mirror, tmp_path):
    path = mirror / "series/GSEnnn/GSE12/matrix/GSE12_series_matrix.txt.gz"
    path.write_bytes(gzip.compress(b"GeneID\tGSM1\n1\t2\n"))
    with pytest.raises(AdnormError, match="this is not a series matrix"):
        fetch_cohort(published(), once_asked(f"file:{mirror}"), tmp_path / "out")


def test_one_file_outside_cohorts(web, tmp_path):
    source = web.address + "series/GSEnnn/GSE12/suppl/GSE12_counts.csv.gz"
    fetch_table(source, once_asked(""), tmp_path / "t.gz", None)
    assert gzip.decompress((tmp_path / "t.gz").read_bytes()) == b"gene,a\nFLG,1\n"


def test_simulated_files_are_listed(tmp_path, monkeypatch):
    def simulate(plan, folder):
        (folder / "t.csv").write_text("x")
        return [("truth", "t.csv")]

    monkeypatch.setattr("adnorm.simulation.cohort.simulate_cohort", simulate)
    files = manifest_of(fetch_cohort(published("simulated"), once_asked(""), tmp_path / "out"))
    assert (files["truth"]["source"], files["truth"]["bytes"]) == ("simulated", 1)


def test_the_real_mirror(shared, tmp_path, monkeypatch):
    shutil.copytree(shared / "geo/series/GSE193nnn", tmp_path / "geo/series/GSE193nnn")
    monkeypatch.chdir(tmp_path)
    plan = published(
        "geo_supplementary", "GSE193309", "GPL24676", table="GSE193309_count_matrix.csv.gz"
    )
    files = manifest_of(fetch_cohort(plan, once_asked("file:geo"), tmp_path / "out"))
    assert files["table"]["bytes"] == 1424645
    assert files["series_matrix"]["bytes"] == 1084
    assert local_path("file:geo").as_posix() == "geo"
