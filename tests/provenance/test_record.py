"""A crate that comes from anywhere: it is read, or refused in a sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adnorm.base.errors import AdnormError
from adnorm.provenance import portable as names
from adnorm.provenance import record as module
from adnorm.provenance.record import read_record, table_text


def packed(crate: Path, target: Path, top: str = "") -> Path:
    """Zip a crate, as people do: the folder itself or what is in it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(crate.rglob("*")):
            if path.is_file():
                archive.write(path, top + path.relative_to(crate).as_posix())
    return target


def rewrite(crate: Path, name: str, content: bytes) -> None:
    """Put another file in the place of one, as somebody would who means harm: digest and all."""
    (crate / name).write_bytes(content)
    path = crate / names.METADATA
    value = json.loads(path.read_text("utf-8"))
    (entity,) = (e for e in value["@graph"] if e["@id"] == name)
    entity["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(value), "utf-8")


def refused(path: Path) -> str:
    with pytest.raises(AdnormError) as error:
        read_record(path)
    return str(error.value)


@pytest.mark.parametrize("top", ["", "provenance/", "a/b/"])
def test_a_crate_reads_the_same_from_its_folder_its_results_and_a_zip(crate, tmp_path, top):
    first = read_record(crate)
    assert len(first.results) > 10 and len(first.inputs) > 5 and len(first.software) > 20
    assert read_record(crate.parent).results == first.results
    zipped = read_record(packed(crate, tmp_path / "crate.zip", top))
    assert (zipped.results, zipped.inputs) == (first.results, first.inputs)
    assert zipped.table("near/index/index.tsv") == first.table("near/index/index.tsv") is not None
    assert zipped.table("near/effects/effects.tsv") is None


def test_what_is_no_crate_is_told_with_what_to_name(tmp_path):
    assert "does not exist" in refused(tmp_path / "absent")
    assert "neither the crate of a run nor a results folder" in refused(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no zip")
    assert "not a zip that can be read" in refused(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x.txt", "x")
    assert f"there is no {names.METADATA} in it" in refused(tmp_path / "b.zip")


def test_all_files_that_changed_or_are_gone_are_told_at_once(own):
    crate = own / "out" / names.FOLDER
    (crate / names.METHODS).write_text("better methods")
    (crate / "near.yaml").unlink()
    (crate / names.DIGESTS).write_text("path\tbytes\tsha256\n")
    told = refused(crate)
    for name in (names.METHODS, "near.yaml", names.DIGESTS):
        assert name in told
    assert "3 problems" in told


BAD = "0" * 64
HOSTILE_ROWS = [
    (names.DIGESTS, ("../../etc/passwd", 1, BAD), "leads out of the folder"),
    (names.DIGESTS, ("/etc/passwd", 1, BAD), "leads out of the folder"),
    (names.DIGESTS, ("a\\..\\b", 1, BAD), "leads out of the folder"),
    (names.DIGESTS, ("a", "-1", BAD), "is no size in bytes"),
    (names.DIGESTS, ("a", "9" * 30, BAD), "is no size in bytes"),
    (names.DIGESTS, ("a", 1, "sha"), "is no SHA-256"),
    (names.DIGESTS, ("a", 1), "does not have 3 fields"),
    (names.INPUTS, ("c", "r", "n", "s", 1, BAD, "../x", ""), "leads out of the folder"),
    (names.INPUTS, ("c", "r", "n", "s", 1, BAD, "", "/etc/shadow"), "leads out of the folder"),
    (names.SOFTWARE, ("package", "numpy"), "does not have 3 fields"),
]


@pytest.mark.parametrize(("name", "row", "words"), HOSTILE_ROWS)
def test_a_row_that_means_harm_is_refused(own, name, row, words):
    crate = own / "out" / names.FOLDER
    columns = (crate / name).read_text("utf-8").splitlines()[0].split("\t")
    rewrite(crate, name, table_text(columns, [row]).encode())
    assert words in refused(crate)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no table"),
        (b"a\tb\n", "found the columns 'a', 'b'"),
        (b"\xff\xfe", "no text in UTF-8"),
    ],
)
def test_a_table_that_is_none_is_refused(own, content, words):
    crate = own / "out" / names.FOLDER
    rewrite(crate, names.DIGESTS, content)
    assert words in refused(crate)


METADATA = [
    b"",
    b"[]",
    b"{}",
    b"nonsense",
    b'{"@graph": 3}',
    b'{"@graph": [{"@id": "./", "hasPart": [{"@id": "gone"}]}]}',
    b'{"@graph": [{"@id": "./"}]}',
    b"[" * 100_000,
    b'{"@graph": [{"@id": "./", "hasPart": {"@id": "../x"}}, {"@id": "../x"}]}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("content", METADATA, ids=range(len(METADATA)))
def test_metadata_that_are_none_are_refused(own, content):
    crate = own / "out" / names.FOLDER
    (crate / names.METADATA).write_bytes(content)
    told = refused(crate)
    assert names.METADATA in told and "Traceback" not in told


def test_a_link_that_leads_out_of_the_crate_is_not_followed(own):
    crate = own / "out" / names.FOLDER
    secret = own / "secret"
    shutil.move(crate / names.METHODS, secret)
    (crate / names.METHODS).symlink_to(secret)
    assert f"{names.METHODS} is missing" in refused(crate)


def test_an_archive_that_holds_too_much_is_refused_before_it_is_unpacked(
    crate, tmp_path, monkeypatch
):
    path = packed(crate, tmp_path / "crate.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 3_000_000)
    monkeypatch.setattr(module, "LARGEST_FILE", 2_000_000)
    assert "this is something else" in refused(path)
    monkeypatch.setattr(module, "LARGEST_FILE", 10**7)
    monkeypatch.setattr(module, "LARGEST_CRATE", 10**5)
    assert "this is something else" in refused(path)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_zip_is_the_record_or_a_sentence(crate, tmp_path, data):
    path = tmp_path / "crate.zip"
    if not path.exists():
        packed(crate, path)
    content = bytearray(path.read_bytes())
    end = data.draw(st.sampled_from([len(content), len(content) // 2, len(content) - 30]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(bytes(content[:end]))
    try:
        found = read_record(damaged)
    except AdnormError as error:
        assert str(damaged) in str(error)
    else:
        assert found.results == read_record(crate).results


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["./", "@id"]),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["@id", "@graph", "hasPart", "sha256", "description"]) | st.text(),
                inner,
            )
        ),
    )
)
def test_any_json_is_the_record_or_a_sentence(tmp_path, value):
    (tmp_path / names.METADATA).write_text(json.dumps(value), "utf-8")
    with pytest.raises(AdnormError):
        read_record(tmp_path)
