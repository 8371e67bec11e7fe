"""What a proposal writes is the YAML that was meant."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adnorm.base.yaml_text import read_yaml
from adnorm.onboarding.cohort_text import marked_lines, scalar, write_cohort
from adnorm.onboarding.draft import (
    CohortDraft,
)
from adnorm.onboarding.proposals import propose
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet
from builders.onboarding import proposal, sheet_of

NAMES = st.sampled_from(
    ["patient", "skin", "visit", "treatment", "EASI", "sex", "site", "title", "disease", "response"]
)


ODD = [
    *("\n", "\t", "\r\n", "\x0b", "\x85", "\u2028", "\u2029", "\x00", "\x1b[31m", "\x7f", "\ufeff"),
    *("\ufffe", "\U000e0001", "😀", "é", "'", '"', "#", " #", ": ", "- ", "{", "}", "[", "]", "%"),
    *("@", "`", "!", "&", "*", "|", ">", "? ", "\\", "=", "~", "null", "<<", "---", "...", "1"),
    *("LS", "NL", "Week 4", "Week -2", "placebo", "UPA 15 mg", "3,5", "n.d.", "M", "yes", "0x1f"),
]
TEXTS = st.lists(
    st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=4
).map("".join)


def test_a_filled_in_line_counts_no_more():
    text = "disease: null  # fill in: which\nscale: log2  # confirm: right\n"
    assert [m.mark for m in marked_lines(text)] == ["fill in", "confirm"]
    done = text.replace("null", "atopic dermatitis")
    assert [m.mark for m in marked_lines(done)] == ["confirm"]


@pytest.mark.parametrize(
    "value",
    ["skin type", "01", "1", "1.5", "no", "on", "null", "~", "a: b", "x #y", "yes", " a", "-", "",
     'he said "x"', "[a]", "{a}", "É 3/4", "1e5", "true", "'", "a,b", "NA", "*x", "&x", "@x", "%"],
)  # fmt: skip
def test_text_is_written_so_that_it_is_read_back(tmp_path, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"{scalar(value)}: {scalar(value)}\nlist: [{scalar(value)}, x]\n")
    read = read_yaml(path)
    assert read.get(value) == value
    assert read["list"] == [value, "x"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_proposal_of_any_text_is_the_yaml_that_was_meant(tmp_path, data):
    fields = data.draw(st.lists(NAMES | TEXTS, min_size=1, max_size=5, unique=True))
    rows = data.draw(st.integers(1, 6))
    column = st.lists(TEXTS, min_size=rows, max_size=rows)
    index = [f"s{i}" for i in range(rows)]
    raw = pd.DataFrame({f: data.draw(column) for f in fields}, index=index, dtype=object)
    name, title = data.draw(TEXTS), data.draw(TEXTS)
    source = {"table": (name, ""), "sheet": (data.draw(TEXTS), data.draw(TEXTS))}
    texts = {"title": title, "summary": data.draw(TEXTS)}
    draft = CohortDraft(name, "x", "local", raw, assay="rna-seq", texts=texts, source=source)
    meant = propose(draft)
    path = tmp_path / "x.yaml"
    path.write_text(write_cohort(meant), encoding="utf-8")
    read = read_yaml(path)
    facts = {fact.key: fact.value for fact in meant.facts}
    assert {key: read[key] for key in facts} == facts
    assert set(read) - set(facts) <= {"source", "treatments", "samples", "exclude"}
    assert read["source"] == {fact.key: fact.value for fact in meant.source}
    assert {k: v["drug_class"] for k, v in read.get("treatments", {}).items()} == {
        fact.key: fact.value for fact in meant.treatments
    }
    assert set(read["samples"]) == {column.name for column in meant.columns}
    for column in meant.columns:
        rule = read["samples"][column.name]
        assert rule.get("values", {}) == {line.raw: line.value for line in column.lines}
        assert rule.get("pattern") == column.pattern
        keys = rule.get("from_all" if column.joined else "from")
        # Empty text is the name of a field; null is none.
        keys = [] if keys is None else keys
        assert ([keys] if isinstance(keys, str) else keys) == column.keys
    assert read.get("exclude", []) == [
        {"from": key, "values": values, "reason": reason}
        for key, values, reason, _ in meant.exclude
    ]


def test_a_line_break_in_a_cell_makes_no_key(tmp_path):
    raw = sheet_of(["Baseline"]).assign(comment="x\nnote: evil\nsamples: {}")
    raw["a\nroute: simulated"] = "1\r\nid: other"
    text, cohort = proposal(tmp_path, raw, title="A\nscale: log2")
    assert cohort["title"] == "A\nscale: log2"
    assert (cohort["route"], cohort["id"], cohort["scale"]) == ("local", "lab", "counts")
    assert "note" not in cohort
    build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml").view(MeasuredCohort))


def test_a_value_of_any_length_is_a_key(tmp_path):
    long = "lesional " * 150
    raw = sheet_of(["Baseline"]).replace({"skin": {"LS": long.strip()}})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["state"]["values"] == {long.strip(): "lesional", "NL": "nonlesional"}
    build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml").view(MeasuredCohort))
