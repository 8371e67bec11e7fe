"""Responses of patients: exact values, invariances, models, patterns and the simulated trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.tables import read_table
from adnorm.index.build import follow_patients
from adnorm.index.patients import (
    COLUMNS,
    LEAST_SQUARES,
    MIXED,
    denominators,
    describe,
    fit_patient_model,
    trajectories,
)
from adnorm.study.config import IndexSettings

DIFFERENTIATION = "barrier_terminal_differentiation_down"


PROLIFERATION, ITCH = "barrier_hyperproliferation_up", "itch_core_skin_up"


SETTINGS = IndexSettings(bootstrap=200)


NAMES = {"global": 100.0, ITCH: 2.0}


WEEKS = (0.0, 2.0, 4.0, 12.0)


def scores(patients=16, weeks=WEEKS, noise=0.1, shares=None, seed=1):
    """Patients whose scores fall from D + something by a share of D at the last visit."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0, 1.2, patients) if shares is None else np.asarray(shares)
    rows = []
    for i, share in enumerate(shares):
        level = rng.normal()
        for week in weeks:
            for name, size in NAMES.items():
                course = share * np.log1p(week) / np.log1p(weeks[-1])
                value = size * (1 + level - course + noise * rng.normal())
                arm = ("drug", "placebo")[i % 2]
                rows.append([f"{i:02d}", arm, week, "lesional", name, value])
    columns = ["patient", "arm", "week", "state", "name", "score"]
    return pd.DataFrame(rows, columns=columns), shares


def index_rows(error=0.05, **changed):
    rows = pd.DataFrame(
        [
            {
                "analysis": "primary",
                "reference": "nonlesional",
                "arm": arm,
                "week": week,
                "name": name,
                "denominator": size,
                "denominator_se": error * size,
                "reason_code": "",
                "reason": "",
            }
            for arm in ("drug", "placebo")
            for week in WEEKS[1:]
            for name, size in NAMES.items()
        ]
    )
    rows.loc[rows["name"] == ITCH, list(changed)] = list(changed.values())
    return rows


def of(table, name="global", week=12.0):
    return table[(table["name"] == name) & (table["week"] == week)].set_index("patient")


def test_response_is_the_own_decrease_over_the_denominator_of_all():
    values, _ = scores()
    table = trajectories(values, index_rows(), 0.95)
    assert list(table.columns) == COLUMNS
    wide = values[values["name"] == ITCH].pivot(index="patient", columns="week", values="score")
    expected = (wide[0.0] - wide[12.0]) / NAMES[ITCH]
    np.testing.assert_allclose(of(table, ITCH)["response"], expected)
    known = table[table["response"].notna()]
    assert ((known["lower"] < known["response"]) & (known["response"] < known["upper"])).all()
    assert (known["prob_above_half"] >= known["prob_above_three_quarters"]).all()


def test_no_change_is_0_and_the_reference_level_is_1():
    values, _ = scores(noise=0.1)
    start = values[values["week"] == 0].set_index(["patient", "name"])["score"].rename("start")
    values = values.join(start, on=["patient", "name"])
    values["size"] = values["name"].map(NAMES)
    last, even = values["week"] == 12, values["patient"].astype(int) % 2 == 0
    values.loc[last & even, "score"] = values["start"]
    values.loc[last & ~even, "score"] = values["start"] - values["size"]
    found = of(trajectories(values, index_rows(), 0.95))["response"]
    np.testing.assert_allclose(found, np.arange(len(found)) % 2, atol=1e-12)


def test_units_shifts_and_order_of_rows_change_nothing():
    values, _ = scores()
    table = trajectories(values, index_rows(), 0.95)
    other, divisors = values.sample(frac=1, random_state=3), index_rows()
    other["score"] = 7 * other["score"] + 40
    divisors[["denominator", "denominator_se"]] *= 7
    changed = trajectories(other, divisors, 0.95)
    pd.testing.assert_frame_equal(table, changed, rtol=1e-4)


def test_intervals_and_predictions_are_honest():
    """Intervals cover the planned shares; predictions are nearer to them than raw responses."""
    hits, raw, shrunken = [], [], []
    for seed in range(12):
        values, shares = scores(20, noise=0.3, seed=seed)
        found = of(trajectories(values, index_rows(error=1e-6), 0.95))
        assert (found["method"] == MIXED).all()
        hits += list((found["lower"] <= shares) & (shares <= found["upper"]))
        raw.append(np.mean((found["response"] - shares) ** 2))
        shrunken.append(np.mean((found["blup"] - shares) ** 2))
    assert 0.90 <= np.mean(hits) <= 0.985
    assert np.mean(shrunken) < 0.8 * np.mean(raw)


def test_probabilities_follow_the_response():
    values, _ = scores(shares=np.tile([0.0, 0.0, 1.1, 1.1], 4), noise=0.02)
    found = of(trajectories(values, index_rows(), 0.95))
    strong = found.index.astype(int) % 4 >= 2
    assert (found.loc[strong, "prob_above_three_quarters"] > 0.95).all()
    assert (found.loc[~strong, "prob_above_half"] < 0.05).all()
    assert (found.loc[strong, "pattern"] == "axis reversed, itch reversed").all()
    assert not found.loc[~strong, "pattern"].str.contains("reversed|undecided").any()
    assert "axis residual, itch residual" in set(found.loc[~strong, "pattern"])


def test_an_uncertain_denominator_widens_the_interval():
    values, _ = scores()
    widths = [
        (t["upper"] - t["lower"]).mean()
        for t in (trajectories(values, index_rows(error=e), 0.95) for e in (0.01, 0.3))
    ]
    assert widths[1] > 1.2 * widths[0]


def test_a_name_that_is_not_estimable_has_rows_with_the_reason():
    why = {"reason_code": "DENOM_NOT_ESTIMABLE", "reason": "too close to 0"}
    values, _ = scores()
    table = trajectories(values, index_rows(**why), 0.95)
    itch = table[table["name"] == ITCH]
    assert len(itch) == len(table) / 2
    numbers = ["response", "lower", "upper", "prob_above_half", "blup"]
    assert itch[numbers].isna().all(axis=None)
    assert (itch["reason"] == "too close to 0").all()
    assert table.loc[table["name"] == "global", "response"].notna().all()


def test_too_few_pairs_at_the_visits_leave_the_denominator():
    rows = index_rows().assign(reason_code="TOO_FEW_PAIRS", reason="only 2")
    found = denominators(rows).set_index("name")
    assert found["denominator"].to_dict() == NAMES
    assert (found["reason"] == "").all()


def test_patients_without_a_baseline_have_no_response():
    values, _ = scores()
    values = values[(values["patient"] != "03") | (values["week"] > 0)]
    found = of(trajectories(values, index_rows(), 0.95))
    assert np.isnan(found.loc["03", "response"])
    assert np.isnan(found.loc["03", "blup"])
    assert found.loc["03", "reason"] == "no lesional sample at baseline"
    assert found["response"].notna().sum() == 15


def test_two_visits_fall_back_to_fixed_effects_and_say_so():
    values, _ = scores(weeks=(0.0, 12.0))
    one = values[values["name"] == "global"]
    columns = [one[c].to_numpy() for c in ("score", "patient", "arm", "week")]
    model = fit_patient_model(*columns)
    assert model.method == LEAST_SQUARES
    assert "too few visits" in model.note
    # Closed form: half the variance of the decreases within arms.
    wide = one.pivot(index=["arm", "patient"], columns="week", values="score")
    change = wide[0.0] - wide[12.0]
    spread = change - change.groupby("arm").transform("mean")
    assert model.noise == pytest.approx(np.sqrt((spread**2).sum() / (16 - 2) / 2))
    table = trajectories(values, index_rows(), 0.95)
    assert table["blup"].isna().all()
    assert table["lower"].notna().all()
    assert table["method"].str.startswith(LEAST_SQUARES).all()


def test_a_score_that_never_varies_has_no_noise_to_speak_of():
    values, _ = scores()
    values["score"] = 3.0
    table = trajectories(values, index_rows(), 0.95)
    assert (table["response"] == 0).all()
    assert table["lower"].isna().all()
    assert table["method"].str.startswith("none: the score is the same").all()


def with_nonlesional(values, differences):
    """Add non-lesional skin at baseline, so far below lesional skin (in units of the size)."""
    start = values[values["week"] == 0]
    below = start["patient"].map(differences) * start["name"].map(NAMES)
    rest = start.assign(state="nonlesional", score=start["score"] - below)
    return pd.concat([values, rest.dropna(subset="score")], ignore_index=True)


def test_own_ratio_divides_by_the_own_difference_where_it_is_clear():
    values, _ = scores()
    names = sorted(set(values["patient"]))
    # Patient 01 has too small a difference, 02 the wrong way round, 03 no non-lesional sample.
    differences = dict.fromkeys(names, 0.8) | {"01": 0.05, "02": -0.5}
    del differences["03"]
    both = with_nonlesional(values, differences)
    found = of(trajectories(both, index_rows(), 0.95))
    clear = [name for name in names if name not in ("01", "02", "03")]
    np.testing.assert_allclose(found.loc[clear, "own_ratio"], found.loc[clear, "response"] / 0.8)
    assert (found.loc[clear, "own_lower"] < found.loc[clear, "own_ratio"]).all()
    assert (found.loc[clear, "own_ratio"] < found.loc[clear, "own_upper"]).all()
    assert (found.loc[clear, "own_reason"] == "").all()
    assert found.loc[["01", "02", "03"], ["own_ratio", "own_lower"]].isna().all(axis=None)
    assert found.loc["01", "own_reason"].endswith("above 0")
    assert "not more than 2 standard errors" in found.loc["02", "own_reason"]
    assert found.loc["03", "own_reason"] == "no non-lesional sample at baseline"
    # The rest of the row is that of the group, whatever the own difference.
    plain = of(trajectories(values, index_rows(), 0.95))
    pd.testing.assert_series_equal(found["response"], plain["response"])
    healthy = trajectories(both, index_rows().assign(reference="healthy"), 0.95)
    assert healthy["own_ratio"].isna().all()
    assert set(healthy["own_reason"]) == {"nobody is his own healthy control"}


def test_intervals_of_own_ratios_cover():
    """All biopsies carry the same noise; patients differ in level, disease and response."""
    rng = np.random.default_rng(5)
    rows, truth = [], {}
    for i in range(150):
        patient, level, disease = f"{i:03d}", rng.normal(), rng.uniform(0.8, 1.6)
        truth[patient] = share = rng.uniform(0, 1.1)
        states = [("nonlesional", 0.0, 0.0), ("lesional", 0.0, 1.0)]
        states += [("lesional", week, 1 - share * week / 12) for week in WEEKS[1:]]
        for state, week, left in states:
            value = level + left * disease + 0.15 * rng.normal()
            rows.append([patient, "drug", week, state, "global", value])
    columns = ["patient", "arm", "week", "state", "name", "score"]
    table = trajectories(pd.DataFrame(rows, columns=columns), index_rows(), 0.95)
    found = of(table)
    assert found["own_ratio"].notna().mean() > 0.9
    known = found.dropna(subset="own_ratio")
    planted = known.index.map(truth)
    inside = (known["own_lower"] <= planted) & (planted <= known["own_upper"])
    assert 0.90 <= inside.mean() <= 0.99


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({DIFFERENTIATION: "reversed", PROLIFERATION: "reversed", ITCH: "residual"},
         "barrier reversed, itch residual"),
        ({"global": "reversed", DIFFERENTIATION: "residual", PROLIFERATION: "worsened"},
         "axis reversed, barrier differentiation residual, barrier proliferation worsened"),
        ({}, ""),
    ],
)  # fmt: skip
def test_patterns_describe(words, sentence):
    assert describe(words) == sentence


def test_wide_intervals_leave_a_pattern_undecided():
    """Neither reversed while no response is inside the interval, nor residual while all is."""
    values, _ = scores(patients=8, shares=[0.0, 2.2] * 4, noise=0.9, seed=4)
    table = trajectories(values, index_rows(), 0.95)
    known = table[table["name"] == "global"]
    word = known["pattern"].str.extract("axis ([a-z]+)")[0]
    assert (known.loc[word == "reversed", "lower"] > 0).all()
    assert (known.loc[word == "residual", "upper"] < 1).all()
    likely = known["prob_above_three_quarters"]
    unsure = ((likely > 0.8) & (known["lower"] < 0)) | ((likely < 0.2) & (known["upper"] > 1))
    assert unsure.any()
    assert (word[unsure] == "undecided").all()


def inputs_of(values, divisors):
    sheet = values[["patient", "week", "state"]].drop_duplicates().assign(easi=10.0)
    return values, divisors, sheet


def build(folder, inputs):
    outputs = {
        name: folder / f"{name}.tsv" for name in ("trajectories", "concordance", "calibration")
    }
    follow_patients(*inputs, outputs, SETTINGS, 1)
    return outputs


def test_the_stage_writes_the_same_bytes_again(tmp_path):
    inputs = inputs_of(scores()[0], index_rows())
    first = {n: p.read_bytes() for n, p in build(tmp_path / "a", inputs).items()}
    second = {n: p.read_bytes() for n, p in build(tmp_path / "b", inputs).items()}
    assert first == second
    assert len(read_table(tmp_path / "a" / "trajectories.tsv")) == 16 * 3 * 2


@pytest.mark.parametrize("visits", [False, True])
def test_a_series_without_visits_or_index_gives_headers_and_reasons(tmp_path, visits):
    values, _ = scores()
    values = values if visits else values[values["week"] == 0]
    inputs = inputs_of(values, index_rows().iloc[:0])
    outputs = build(tmp_path / "out", inputs)
    table = read_table(outputs["trajectories"])
    assert table.empty
    assert list(table.columns) == COLUMNS
    agreement = read_table(outputs["concordance"]).query("question == 'easi75_agreement'")
    assert set(agreement["status"]) == {"not_available"}
    assert (agreement["reason"] != "").all()
