"""Weeks of a proposal: with their sign, or asked for."""

from __future__ import annotations

import pytest

from adnorm.onboarding.cohort_text import marked_lines
from adnorm.onboarding.visits import weeks_of
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet
from builders.onboarding import proposal, proposed, sheet_of


def test_before_and_after_in_a_field_of_any_name_is_never_all_baseline(tmp_path):
    samples = [
        {"subject id": str(p), "class": f"{when}-{skin}"}
        for p in range(4)
        for when in ("Pre", "Post")
        for skin in ("L", "NL")
    ]
    _, cohort, fill, _ = proposed(tmp_path, samples, title="atopic dermatitis")
    week = cohort["samples"]["week"]
    assert (week["from"], week["values"]) == ("class", {"Pre": 0, "Post": None})
    # Before and after what, nobody can guess.
    assert [m.text for m in fill] == ["from: null", "Post: null"]


@pytest.mark.parametrize(
    ("values", "key", "untreated", "expected"),
    [
        (["Baseline", "Day 15", "Day 29"], "time", False, [0, 2, 4]),
        (["day 0", "day 14"], "time", False, [0, 2]),
        (["BL", "W2", "wk16"], "visit", False, [0, 2, 16]),
        (["0", "3"], "month", False, [0, 13]),
        (["1", "2", "5"], "visit", True, [0, 1, 2]),
        (["1", "2"], "visit", False, [0, None]),
        (["Visit 3/BL", "Visit 4", "Visit 5/W4"], "time", True, [0, None, 4]),
        (["pre-treatment", "after"], "time", True, [0, None]),
        (["0", "12 weeks", "sometime"], "time point", False, [0, 12, None]),
    ],
    ids=lambda v: "-".join(v).replace(" ", "_") if isinstance(v, list) and v[0] != 0 else "",
)
def test_weeks_are_read_or_asked_for(values, key, untreated, expected):
    found = weeks_of(values, key, untreated)
    assert [found[v][0] for v in values] == expected


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
    raw = sheet_of([early, week(0), week(16)], drug=["placebo", "dupilumab"])
    raw = raw.rename(columns={"visit": "week"})
    text, cohort = proposal(tmp_path, raw)
    assert not [m for m in marked_lines(text) if m.mark == "fill in"]
    assert cohort["exclude"] == [{"from": "week", "values": [early], "reason": "before baseline"}]
    if early == "Week -2":
        assert cohort["samples"]["week"]["values"]["Week -2"] == -2
    samples, excluded = build_sample_sheet(
        raw, read_cohort(tmp_path / "lab.yaml").view(MeasuredCohort)
    )
    assert set(samples["week"]) == {0, 16} and len(excluded) == 8


def test_the_only_visit_before_treatment_keeps_its_sign_and_is_told(tmp_path):
    text, cohort = proposal(tmp_path, sheet_of(["Week -2", "Week 16"]))
    assert cohort["samples"]["week"]["values"] == {"Week -2": -2, "Week 16": 16}
    assert "write 0 if it is the last visit before treatment" in text
    assert "exclude" not in cohort


def test_a_field_of_visits_that_cannot_be_read_is_never_all_baseline(tmp_path):
    text, cohort = proposal(tmp_path, sheet_of(["T0", "T1"]))
    assert cohort["samples"]["week"]["values"] == {"T0": None, "T1": None}
    assert sum(m.text.startswith("T") for m in marked_lines(text) if m.mark == "fill in") == 2


def test_a_visit_goes_before_fields_that_only_mention_a_time(tmp_path):
    raw = sheet_of(["Baseline", "EOT"], **{"washout weeks": ["2", "4"], "weeks since onset": ["1"]})
    _, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["week"]["from"] == "visit"
