"""What proposals take for what: weeks with their sign, arms, names of fields; and their YAML."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adnorm.cli import main
from adnorm.onboarding.cohort_text import marked_lines, write_cohort
from adnorm.onboarding.draft import CohortDraft
from adnorm.onboarding.proposals import propose
from adnorm.onboarding.visits import weeks_of
from adnorm.study.cohort import read_cohort
from adnorm.study.samples import build_sample_sheet
from adnorm.study.schema import read_yaml

FACTS = {"disease": "atopic dermatitis", "tissue": "skin biopsy", "scale": "counts"}


def proposal(tmp_path, raw, **texts):
    """Write the proposal of a sheet; return its text and what YAML makes of it."""
    source = {"table": ("counts.csv", ""), "sheet": ("sheet.csv", "")}
    draft = CohortDraft("lab", "lab", "local", raw, source=source, assay="rna-seq", texts=texts)
    text = write_cohort(propose(draft))
    for key, value in FACTS.items():
        text = text.replace(f"\n{key}: null", f"\n{key}: {value}")
    path = tmp_path / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return text, read_yaml(path)


def trial(visits, **fields):
    """Lesional and non-lesional samples of four patients at each visit."""
    rows = [
        {"subject": f"P{p}", "skin": skin, "visit": visit}
        | {key: values[p % len(values)] for key, values in fields.items()}
        for p in range(4)
        for visit in visits
        for skin in ("LS", "NL")
    ]
    return pd.DataFrame(rows, index=[f"s{i}" for i in range(len(rows))], dtype=object)


# ---------------------------------------------------------------- weeks


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Week -2", "Week 0", "Week 16"], [-2, 0, 16]),
        (["wk -2", "wk 4"], [-2, 4]),
        (["wk-1", "wk16"], [-1, 16]),
        (["W-2", "W0", "W2"], [-2, 0, 2]),
        (["Week \u22122", "Week 16"], [-2, 16]),
        (["Week \u20132", "Week 16"], [-2, 16]),
        (["-2 weeks", "2 weeks"], [-2, 2]),
        (["week (-2)", "week (2)"], [-2, 2]),
        (["minus 2 weeks", "2 weeks"], [-2, 2]),
        (["2 weeks before treatment", "4 weeks after start"], [-2, 4]),
        (["7 days prior to dosing", "day 7"], [-1, 1]),
        (["D-7", "D1", "D15"], [-1, 0, 2]),
        (["Day -14", "Day -1", "Day 15"], [-2, -0.14, 2]),
        (["Day -1 (baseline)", "Day 28"], [0, 4]),
        (["Screening (Day -28)", "Day 1"], [-4, 0]),
        (["day 1", "day 14"], [0, 1.86]),
        (["Month -1", "3 mths"], [-4, 13]),
        (["-4 hours", "0h", "24h"], [-0.02, 0, 0.14]),
        (["Week-0", "Week-4"], [0, 4]),
        (["LS-2 weeks", "NL-2 weeks"], [2, 2]),
        (["Week 4 pre-dose", "Baseline"], [4, 0]),
        (["1 year", "Baseline"], [52, 0]),
        # What the text leaves open.
        (["Week-4", "Week-12", "Baseline"], [None, None, 0]),
        (["C1D1", "C2D1", "Cycle 2 Day 1", "Cycle 3, Day 8"], [None] * 4),
        (["Course 2 day 1", "Period 2 week 4", "C1D15"], [None] * 3),
        (["4 weeks after EOT", "EOT + 4 weeks", "Baseline"], [None, None, 0]),
        (["Follow-up week 4", "FU 4 weeks", "Week 16 (EOT)"], [None, None, 16]),
        (["Unscheduled", "Baseline"], [None, 0]),
        (["Screening", "Baseline", "Week 2"], [None, 0, 2]),
        (["Run-in", "Screening", "Week 1"], [None, None, 1]),
        (["Screening", "Week 2"], [0, 2]),
        (["Pre-Tx", "Week 2"], [0, 2]),
        (["V1", "V5"], [0, None]),
    ],
    ids=lambda v: (
        "-".join(v).encode("ascii", "replace").decode().replace(" ", "_")
        if isinstance(v[0], str)
        else ""
    ),
)
def test_weeks_keep_their_sign_or_are_asked_for(values, expected):
    found = weeks_of(values, "visit", False)
    assert [found[value][0] for value in values] == expected


@pytest.mark.parametrize("early", ["Week -2", "Screening", "\u22122"])
def test_visits_before_baseline_are_left_out_and_the_rest_runs(tmp_path, early):
    week = (lambda w: str(w)) if early == "\u22122" else (lambda w: f"Week {w}")
    raw = trial([early, week(0), week(16)], drug=["placebo", "dupilumab"])
    raw = raw.rename(columns={"visit": "week"})
    text, cohort = proposal(tmp_path, raw)
    assert not [m for m in marked_lines(text) if m.mark == "fill in"]
    assert cohort["exclude"] == [{"from": "week", "values": [early], "reason": "before baseline"}]
    if early == "Week -2":
        assert cohort["samples"]["week"]["values"]["Week -2"] == -2
    samples, excluded = build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml"))
    assert set(samples["week"]) == {0, 16} and len(excluded) == 8


def test_the_only_visit_before_treatment_keeps_its_sign_and_is_told(tmp_path):
    text, cohort = proposal(tmp_path, trial(["Week -2", "Week 16"]))
    assert cohort["samples"]["week"]["values"] == {"Week -2": -2, "Week 16": 16}
    assert "write 0 if it is the last visit before treatment" in text
    assert "exclude" not in cohort


def test_a_field_of_visits_that_cannot_be_read_is_never_all_baseline(tmp_path):
    text, cohort = proposal(tmp_path, trial(["T0", "T1"]))
    assert cohort["samples"]["week"]["values"] == {"T0": None, "T1": None}
    assert sum(m.text.startswith("T") for m in marked_lines(text) if m.mark == "fill in") == 2


def test_a_visit_goes_before_fields_that_only_mention_a_time(tmp_path):
    raw = trial(["Baseline", "EOT"], **{"washout weeks": ["2", "4"], "weeks since onset": ["1"]})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["week"]["from"] == "visit"


# ---------------------------------------------------------------- arms


@pytest.mark.parametrize(
    "field",
    [
        {"drug dose": ["Placebo", "ASN 20 mg", "ASN 40 mg", "ASN 80 mg"]},
        {"study medication": ["XYZ-1 10 mg", "vehicle"]},
        {"group2": ["placebo", "code A"]},
        {"dosis": ["5 mg BID", "10 mg BID"]},
        {"comment": [f"visit done, 15 mg given to {i}" for i in range(4)]},
    ],
    ids=lambda field: next(iter(field)),
)
@pytest.mark.parametrize("untreated", [{}, {"therapy": ["none"]}], ids=["alone", "beside_none"])
def test_a_field_with_placebo_or_milligrams_is_never_untreated(tmp_path, field, untreated):
    text, cohort = proposal(tmp_path, trial(["Baseline", "Week 4"], **field, **untreated))
    asked = [m.text for m in marked_lines(text) if m.mark == "fill in"]
    rule = cohort["samples"]["treatment"]
    assert rule.get("constant") != "none"
    assert asked
    assert set(rule.get("values", {}).values()) != {"none"}


def test_doses_are_kept_where_the_drug_is_asked_for(tmp_path):
    raw = trial(["Baseline", "Week 4"], **{"drug dose": ["Placebo", "ASN 20 mg"]})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["treatment"]["values"] == {"Placebo": "placebo", "ASN 20 mg": None}
    assert cohort["samples"]["dose_mg"]["values"] == {"Placebo": None, "ASN 20 mg": 20}


def test_other_treatments_are_not_the_arm(tmp_path):
    raw = trial(["Baseline", "Week 4"], arm=["A", "B"])
    raw["prior therapy"] = ["dupilumab", "none"] * 8
    raw["biopsy weight"] = "12 mg"
    text, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["treatment"]["from"] == "arm"
    assert set(cohort["samples"]["treatment"]["values"].values()) == {None}
    _, cohort = proposal(tmp_path, raw.drop(columns="arm"))
    assert cohort["samples"]["treatment"] == {"constant": "none"}


def test_a_run_without_treatment_beside_a_field_of_doses_is_warned_of(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    raw = trial(["Baseline"], **{"drug dose": ["Placebo", "ASN 20 mg"]})
    raw.rename_axis("library").to_csv("sheet.csv")
    genes = pd.DataFrame(
        [[(7 * i + 13 * j) % 97 + 20 for j in range(8)] for i in range(60)],
        index=[f"GENE{i}" for i in range(60)],
        columns=raw.index,
    )
    genes.to_csv("counts.csv")
    proposal(tmp_path, raw)
    text = (tmp_path / "lab.yaml").read_text()
    start, end = text.index("  treatment:"), text.index("  week:")
    text = text[:start] + "  treatment: {constant: none}\n" + text[end:]
    text = text.replace("placebo_arm: placebo", "placebo_arm: null")
    text = text.replace("  placebo: {drug_class: placebo}", "  x: {drug_class: x}")
    (tmp_path / "lab.yaml").write_text(text)
    main(["check", "lab.yaml", "--json"])
    told = capsys.readouterr().out
    assert "treatment: none for all samples, but the field 'drug dose' holds" in told


# ---------------------------------------------------------------- names of fields


def test_parts_of_a_score_are_not_the_score_and_all_fields_are_listed(tmp_path):
    raw = trial(["Baseline"], easi_trunk_area=["3"], age_at_onset=["5"])
    raw["itch_medication_number"], raw["oSCORAD"] = "2", "30"
    text, cohort = proposal(tmp_path, raw)
    assert set(cohort["samples"]) == {"patient", "state", "treatment", "week"}
    for line in (
        "# easi: not proposed; fields that mention it: 'easi_trunk_area'",
        "# itch_nrs: not proposed; fields that mention it: 'itch_medication_number'",
        "# age: not proposed; fields that mention it: 'age_at_onset'",
    ):
        assert line in text
    raw["EASI (%)"], raw["EASI"], raw["Age"] = "40", "21", "33"
    raw["Worst itch NRS (0-10)"], raw["SCORAD total"], raw["easi change"] = "7", "50", "-3"
    text, cohort = proposal(tmp_path, raw)
    taken = {column: rule.get("from") for column, rule in cohort["samples"].items()}
    assert taken["easi"] == "EASI" and taken["age"] == "Age"
    assert taken["itch_nrs"] == "Worst itch NRS (0-10)" and taken["scorad"] == "SCORAD total"
    line = next(line for line in text.splitlines() if "from: EASI" in line)
    assert "other fields: 'easi_trunk_area', 'EASI (%)', 'easi change'" in line


@pytest.mark.parametrize(
    "name",
    [
        "EASI",
        "easi score",
        "Total EASI",
        "EASI_total",
        "EASI score (0-72)",
        "TotalEASI",
        "EASI:ch1",
    ],
)
def test_names_of_the_whole_score_are_taken(tmp_path, name):
    _, cohort = proposal(tmp_path, trial(["Baseline"], **{name: ["12", "30"]}))
    assert cohort["samples"]["easi"]["from"] == name


@pytest.mark.parametrize(
    "name",
    [
        *("EASI (%)", "EASI change", "easi_head_neck", "EASI-75", "baseline EASI", "EASI erythema"),
        *("easi improvement from baseline", "EASI percent change", "delta EASI", "EASI50"),
    ],
)
def test_other_measures_of_the_score_are_not(tmp_path, name):
    _, cohort = proposal(tmp_path, trial(["Baseline"], **{name: ["12", "30"]}))
    assert "easi" not in cohort["samples"]


@pytest.mark.parametrize(
    "values",
    [
        ["21,5", "n.d.", "7,25", "3"],
        ["25.3 (severe)", "25,0", "n.d.", "12"],
        ["score 21.5", "ND", "3", "4"],
    ],
)
def test_scores_are_proposed_as_the_run_reads_them(tmp_path, values):
    raw = trial(["Baseline"], EASI=values)
    text, cohort = proposal(tmp_path, raw)
    assert "missing: 'n" in text.casefold()
    samples, _ = build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml"))
    numbers = {v: v.replace(",", ".").split(" ")[v.startswith("score")] for v in values}
    for raw_value, easi in zip(samples["geo_EASI"], samples["easi"], strict=True):
        told = numbers[raw_value]
        assert pd.isna(easi) if told.casefold() in ("n.d.", "nd") else easi == float(told)


def test_scores_out_of_range_are_left_to_a_person(tmp_path):
    text, cohort = proposal(tmp_path, trial(["Baseline"], **{"itch NRS": ["87", "30"]}))
    assert "itch_nrs" not in cohort["samples"]
    assert "# itch_nrs: not proposed; fields that mention it: 'itch NRS'" in text


def test_a_patient_is_never_two_fields(tmp_path):
    raw = trial(["Baseline"], **{"age of patient": ["30", "40"]})
    raw = raw.rename(columns={"subject": "subject id"}).assign(donor="")
    raw.loc["s0", ["subject id", "donor"]] = "", "D1"
    text, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["patient"]["from"] == "subject id"
    assert "other fields: 'donor'" in text
    assert any("1 sample without a patient" in m.remark for m in marked_lines(text))


def test_healthy_people_without_an_id_are_told_apart_by_the_advice(tmp_path):
    raw = trial(["Baseline"])
    healthy = pd.DataFrame(
        {"subject": "", "skin": "healthy", "visit": "Baseline"}, index=["h1", "h2", "h3"]
    )
    raw = pd.concat([raw, healthy])
    raw["library"] = raw.index
    text, _ = proposal(tmp_path, raw)
    start = text.index("    from: subject")
    end = text.index("  state:")
    assert "write `from: [subject, library]`" in text[start:end]
    done = text[:start] + "    from: [subject, library]\n" + text[end:]
    (tmp_path / "lab.yaml").write_text(done)
    samples, _ = build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml"))
    assert samples["patient"].nunique() == 7


# ---------------------------------------------------------------- codes of skin


def codes(*kinds):
    rows = [(f"{i // 2}", kind) for i, kind in enumerate(kinds * 2)]
    index = [f"s{i}" for i in range(len(rows))]
    return pd.DataFrame(rows, columns=["id no", "group"], index=index)


def test_pn_beside_pp_and_nn_is_uninvolved_skin(tmp_path):
    _, cohort = proposal(tmp_path, codes("PP", "PN", "NN"))
    wanted = {"PP": "lesional", "PN": "nonlesional", "NN": "healthy"}
    assert cohort["samples"]["state"]["values"] == wanted
    assert "exclude" not in cohort and cohort["disease"] == "psoriasis"
    titles = codes(*["PP", "PN", "NN"] * 4)
    titles["title"] = "Individual_" + titles["id no"] + "0_" + titles.pop("group") + "_sample"
    _, cohort = proposal(tmp_path, titles)
    assert cohort["samples"]["state"]["values"] == wanted
    assert "pattern" in cohort["samples"]["state"] and cohort["samples"]["patient"]["from"]


def test_pn_alone_is_a_disease_and_beside_pp_alone_is_asked_for(tmp_path):
    _, cohort = proposal(tmp_path, codes("PN", "NN"))
    assert cohort["disease"] == "prurigo nodularis"
    assert cohort["samples"]["state"]["values"] == {"PN": "lesional", "NN": "healthy"}
    _, cohort = proposal(tmp_path, codes("PP", "PN"))
    assert cohort["samples"]["state"]["values"] == {"PP": "lesional", "PN": None}
    assert "exclude" not in cohort
    _, cohort = proposal(tmp_path, codes("AD", "PN", "PP", "HC"))
    assert cohort["exclude"][0]["values"] == ["PN", "PP"]


# ---------------------------------------------------------------- what is written is YAML

ODD = [
    *("\n", "\t", "\r\n", "\x0b", "\x85", "\u2028", "\u2029", "\x00", "\x1b[31m", "\x7f", "\ufeff"),
    *("\ufffe", "\U000e0001", "😀", "é", "'", '"', "#", " #", ": ", "- ", "{", "}", "[", "]", "%"),
    *("@", "`", "!", "&", "*", "|", ">", "? ", "\\", "=", "~", "null", "<<", "---", "...", "1"),
    *("LS", "NL", "Week 4", "Week -2", "placebo", "UPA 15 mg", "3,5", "n.d.", "M", "yes", "0x1f"),
]
TEXTS = st.lists(
    st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=4
).map("".join)
NAMES = st.sampled_from(
    ["patient", "skin", "visit", "treatment", "EASI", "sex", "site", "title", "disease", "response"]
)


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
        keys = rule.get("from_all" if column.joined else "from") or []
        assert ([keys] if isinstance(keys, str) else keys) == column.keys
    assert read.get("exclude", []) == [
        {"from": key, "values": values, "reason": reason}
        for key, values, reason, _ in meant.exclude
    ]


def test_a_line_break_in_a_cell_makes_no_key(tmp_path):
    raw = trial(["Baseline"]).assign(comment="x\nnote: evil\nsamples: {}")
    raw["a\nroute: simulated"] = "1\r\nid: other"
    text, cohort = proposal(tmp_path, raw, title="A\nscale: log2")
    assert cohort["title"] == "A\nscale: log2"
    assert (cohort["route"], cohort["id"], cohort["scale"]) == ("local", "lab", "counts")
    assert "note" not in cohort
    build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml"))


def test_a_value_of_any_length_is_a_key(tmp_path):
    long = "lesional " * 150
    raw = trial(["Baseline"]).replace({"skin": {"LS": long.strip()}})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["state"]["values"] == {long.strip(): "lesional", "NL": "nonlesional"}
    build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml"))
