"""Patients and states of skin of a proposal."""

from __future__ import annotations

import pandas as pd
import pytest

from adnorm.onboarding.cohort_text import marked_lines
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet
from builders.onboarding import (
    SEQUENCING,
    canonical_sheet,
    proposal,
    proposed,
    samples_of,
    sheet_of,
)


def codes(*kinds):
    rows = [(f"{i // 2}", kind) for i, kind in enumerate(kinds * 2)]
    index = [f"s{i}" for i in range(len(rows))]
    return pd.DataFrame(rows, columns=["id no", "group"], index=index)


def test_composite_source_names_and_titles_are_taken_apart(tmp_path):
    samples = [
        {"title": f"AD{p:02d}_{name}", "source_name": name, "treatment": drug}
        for p, drug in enumerate(["dupilumab", "cyclosporine", "dupilumab"], 1)
        for name in ("m0_AL", "m0_AN", "m3_AL", "m3_AN")
    ]
    _, cohort, fill, raw = proposed(
        tmp_path,
        samples,
        title="atopic dermatitis, skin biopsies",
        kind=SEQUENCING,
        supplementary=["GSE1234_RAW.tar", "GSE1234_DEG.csv.gz", "GSE1234_Raw_counts.txt.gz"],
    )
    assert not fill
    assert cohort["route"] == "geo_supplementary"
    assert cohort["source"]["table"] == "GSE1234_Raw_counts.txt.gz"
    sheet = canonical_sheet(tmp_path, raw)
    assert set(sheet["patient"]) == {"AD01", "AD02", "AD03"}
    assert set(sheet["week"]) == {0.0, 13.0}
    assert set(sheet["state"]) == {"lesional", "nonlesional"}


def test_everything_in_the_title_becomes_patterns(tmp_path):
    samples = [
        {"title": f"Patient {p}, {tissue} {when} NB-UVB"}
        for p in range(1, 6)
        for when in ("pre", "week 12")
        for tissue in ("NL", "L")
    ]
    _, cohort, fill, raw = proposed(tmp_path, samples, title="atopic dermatitis")
    assert not fill
    assert {c: "pattern" in rule for c, rule in cohort["samples"].items()} == dict.fromkeys(
        ("patient", "state", "treatment", "week"), True
    )
    sheet = canonical_sheet(tmp_path, raw)
    assert sheet.groupby(["patient", "state"])["week"].nunique().eq(2).all()


@pytest.mark.parametrize(
    ("others", "expected"),
    [(("LS", "NL"), "healthy"), (("LS", "HC"), "nonlesional"), (("LS",), None)],
    ids=["beside_nl", "beside_healthy", "alone"],
)
def test_n_means_what_the_other_values_leave(tmp_path, others, expected):
    samples = [{"lesion": mark, "indivisual": str(i)} for i, mark in enumerate((*others, "N"))]
    _, cohort, fill, _ = proposed(tmp_path, samples, title="atopic dermatitis")
    assert cohort["samples"]["state"]["values"]["N"] == expected
    assert cohort["samples"]["patient"]["from"] == "indivisual"
    assert bool(fill) == (expected is None)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("NA", "`patient: {from: [subject_id, title]}`"),
        ("healthy", "values: {healthy: null}}`"),
    ],
)
def test_a_word_for_several_people_is_left_to_fill_in(tmp_path, word, line):
    samples = samples_of(4, ["Week 0", "Week 2"])
    samples += [{"tissue": "healthy", "time": "Week 0", "subject_id": word}] * 3
    _, _, left, _ = proposed(tmp_path, samples)
    (told,) = [mark.remark for mark in left if "names no person" in mark.remark]
    assert line in told and "3 biopsies" in told
    named = [
        s | {"subject_id": s["subject_id"].replace(word, f"H{i}")} for i, s in enumerate(samples)
    ]
    (tmp_path / "named").mkdir()
    _, _, left, _ = proposed(tmp_path / "named", named)
    assert not [mark for mark in left if "names no person" in mark.remark]


def test_a_patient_is_never_two_fields(tmp_path):
    raw = sheet_of(["Baseline"], **{"age of patient": ["30", "40"]})
    raw = raw.rename(columns={"subject": "subject id"}).assign(donor="")
    raw.loc["s0", ["subject id", "donor"]] = "", "D1"
    text, cohort = proposal(tmp_path, raw)
    assert cohort["samples"]["patient"]["from"] == "subject id"
    assert "other fields: 'donor'" in text
    assert any("1 sample without a patient" in m.remark for m in marked_lines(text))


def test_healthy_people_without_an_id_are_told_apart_by_the_advice(tmp_path):
    raw = sheet_of(["Baseline"])
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
    samples, _ = build_sample_sheet(raw, read_cohort(tmp_path / "lab.yaml").view(MeasuredCohort))
    assert samples["patient"].nunique() == 7


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
