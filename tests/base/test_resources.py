"""What jobs ask a scheduler for."""

from __future__ import annotations

import gzip
import json
import os
import re

import pytest

from adnorm.base.resources import (
    NEEDS,
    UNKNOWN_VALUES,
    cores,
    mem_mb,
    runtime,
    values_in,
    values_of,
)


def table(rows, columns, separator="\t"):
    lines = (
        separator.join(["GENE", *[f"{i:04}.{j:03}" for j in range(columns)]]) for i in range(rows)
    )
    return ("\n".join(lines) + "\n").encode()


def matrix(rows, columns):
    """A series matrix with a long header: a third of the file says nothing of its values."""
    facts = "\t".join(f'"patient {j}, biopsy of the elbow"' for j in range(columns))
    header = "".join(f"!Sample_characteristics_ch1\t{facts}\n" for _ in range(rows // 3))
    return header.encode() + table(rows, columns)


def bgzip(data):
    """Packed in pieces, as bgzip does."""
    return b"".join(gzip.compress(data[i : i + 60_000]) for i in range(0, len(data), 60_000))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tabs", table(3000, 200)),
        ("packed", gzip.compress(table(3000, 200))),
        ("pieces", bgzip(table(3000, 200))),
        ("commas", table(3000, 200, ",")),
        ("semicolons", gzip.compress(table(3000, 200, ";"))),
        ("matrix", gzip.compress(matrix(3000, 200))),
    ],
)
def test_the_beginning_of_a_file_tells_its_values(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    assert values_in(path) == pytest.approx(600_000, rel=0.15)


@pytest.mark.parametrize(
    "data", [table(2, 3), gzip.compress(table(2, 3)), table(2, 3).rstrip(), b"a\tb\tc\td\te\tf\tg"]
)
def test_a_small_file_is_counted(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    assert values_in(tmp_path / "x") == 6


@pytest.mark.parametrize(
    "data", [b"\x89HDF\r\n\0\0" * 1000, b"PK\3\4" * 2000, gzip.compress(b"\0\t" * 9)[:-9]]
)
def test_what_is_no_text_is_judged_by_its_size(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    assert values_in(tmp_path / "x") == len(data) / 2


def cohort(folder, **files):
    folder.mkdir()
    entries = []
    for role, data in files.items():
        (folder / role).write_bytes(data)
        entries.append({"role": role, "name": role, "sha256": "0" * 64})
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"files": entries}))
    return manifest


def test_a_cohort_has_what_its_largest_file_of_values_has(tmp_path):
    # A series whose counts lie beside a matrix without values, and an annotation larger than both.
    manifests = [
        cohort(tmp_path / "a", series_matrix=b"!x\n", table=table(20, 5), annotation=table(90, 9)),
        cohort(tmp_path / "b", series_matrix=table(10, 7)),
    ]
    assert values_of(manifests) == 100 + 70
    # A cohort that is fetched again has other values.
    (tmp_path / "b" / "series_matrix").write_bytes(table(30, 7))
    os.utime(manifests[1], ns=(1, 1))
    assert values_of(manifests) == 100 + 210


@pytest.mark.parametrize("text", [None, "", "{", '{"files": 3}', '{"files": []}', "[]"])
def test_what_cannot_be_counted_is_a_usual_cohort(tmp_path, text):
    manifest = tmp_path / "manifest.json"
    if text is not None:
        manifest.write_text(text)
    assert values_of([manifest]) == UNKNOWN_VALUES


def test_a_manifest_whose_file_is_gone_is_a_usual_cohort(tmp_path):
    manifest = cohort(tmp_path / "a", table=table(20, 5))
    (tmp_path / "a" / "table").unlink()
    assert values_of([manifest]) == UNKNOWN_VALUES


@pytest.mark.parametrize("stage", NEEDS)
def test_more_values_cohorts_and_attempts_never_ask_for_less(stage):
    need = NEEDS[stage]
    for ask, grows in (
        (mem_mb, (need.each, need.cohort_mib)),
        (runtime, (need.seconds, need.cohort_seconds)),
    ):
        usual, large, many = ask(stage, 1e7, 1, 1), ask(stage, 1e10, 1, 1), ask(stage, 1e7, 9999, 1)
        assert usual > 0
        assert (usual < large, usual < many) == tuple(map(bool, grows))
        assert [ask(stage, 1e7, 1, attempt) for attempt in (2, 3)] == [2 * usual, 4 * usual]


#: Stage, values, cohorts, and the MiB that were measured (benchmarks/README.md).
MEASURED = [
    ("expression", 118e6, 1, 4_078), ("expression", 11.8e6, 1, 708), ("scores", 118e6, 1, 2_645),
    ("effects", 118e6, 1, 3_059), ("effects", 11.8e6, 1, 1_090), ("index", 118e6, 1, 4_717),
    ("index", 11.8e6, 1, 929), ("figures", 118e6, 1, 979), ("index_figures", 118e6, 1, 756),
    ("lesional_effects", 118e6, 1, 990), ("lesional_effects", 40e6, 200, 432),
    ("atlas_figures", 40e6, 200, 1_798), ("explorer", 118e6, 1, 2_076),
    ("explorer", 40e6, 200, 564), ("cohorts", 40e6, 200, 130),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "values", "cohorts", "mib"), MEASURED)
def test_what_was_measured_fits_into_what_is_asked_for(stage, values, cohorts, mib):
    asked = mem_mb(stage, values, cohorts, 1) / 1.048576
    # Two processes of Snakemake stand beside a job on a cluster.
    assert mib + 220 < asked < 5 * (mib + 220)


def test_small_cohorts_are_scored_on_one_core():
    assert [cores(values, 3) for values in (4_999_999, 5_000_000)] == [1, 3]


def test_every_rule_that_is_not_local_asks_for_its_own_stage(repository):
    rules = "".join(path.read_text() for path in (repository / "workflow/rules").glob("*.smk"))
    found = set()
    for block in re.split(r"^rule ", rules, flags=re.MULTILINE)[1:]:
        name = block.partition(":")[0]
        if "    localrule: True" not in block:
            assert f'**asks("{name}"),' in block
            found.add(name)
    assert found == set(NEEDS)
