"""Responses of patients: exact values, invariances, models, patterns and the simulated trials."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.base.tables import read_table
from adnorm.index.build import follow_patients
from adnorm.index.patients import (
    COLUMNS,
    MIXED,
    OBSERVED,
    PRIOR,
    RATIOS,
    describe,
    fit_courses,
    t_share,
    trajectories,
)
from adnorm.study.config import IndexSettings

DIFFERENTIATION = "barrier_terminal_differentiation_down"


PROLIFERATION, ITCH = "barrier_hyperproliferation_up", "itch_core_skin_up"


SETTINGS = IndexSettings()


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


def disease_effects(error=0.05, **changed):
    """Rows of denominators.tsv."""
    rows = pd.DataFrame(
        [
            {
                "reference": "nonlesional",
                "arm": "",
                "name": name,
                "denominator": size,
                "standard_error": error * size,
                "status": "ok",
                "reason": "",
            }
            for name, size in NAMES.items()
        ]
    )
    rows.loc[rows["name"] == ITCH, list(changed)] = list(changed.values())
    return rows


def of(table, name="global", week=12.0):
    return table[(table["name"] == name) & (table["week"] == week)].set_index("patient")


def test_observed_is_the_own_decrease_over_the_denominator_of_all():
    values, _ = scores()
    table = trajectories(values, disease_effects(), 0.95)
    assert list(table.columns) == COLUMNS
    wide = values[values["name"] == ITCH].pivot(index="patient", columns="week", values="score")
    expected = (wide[0.0] - wide[12.0]) / NAMES[ITCH]
    np.testing.assert_allclose(of(table, ITCH)["observed"], expected)
    assert ((table["lower"] < table["response"]) & (table["response"] < table["upper"])).all()


def test_no_change_is_0_and_the_reference_level_is_1():
    """With next to no noise the response is what is observed."""
    values, _ = scores(shares=np.arange(16) % 2, noise=1e-4)
    found = of(trajectories(values, disease_effects(), 0.95))
    np.testing.assert_allclose(found["response"], np.arange(16) % 2, atol=2e-3)
    np.testing.assert_allclose(found["observed"], found["response"], atol=2e-3)


def test_units_shifts_and_order_of_rows_change_nothing():
    values, _ = scores()
    table = trajectories(values, disease_effects(), 0.95)
    other, divisors = values.sample(frac=1, random_state=3), disease_effects()
    other["score"] = 7 * other["score"] + 40
    divisors[["denominator", "standard_error"]] *= 7
    changed = trajectories(other, divisors, 0.95)
    pd.testing.assert_frame_equal(table, changed, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("error", [0.05, 0.4])
@pytest.mark.parametrize("share", [1e-3, 1e3])
def test_a_smaller_disease_effect_makes_responses_larger_by_as_much(error, share):
    """Also where its own error is most of what is not known."""
    values, _ = scores(noise=0.3)
    divisors = disease_effects(error=error)
    table = trajectories(values, divisors, 0.95)
    divisors[["denominator", "standard_error"]] *= share
    changed = trajectories(values, divisors, 0.95)
    numbers = ["response", "lower", "upper", "observed"]
    assert table[numbers].notna().all(axis=None)
    np.testing.assert_allclose(changed[numbers] * share, table[numbers], rtol=1e-7, atol=1e-9)


def test_how_reliable_a_change_is_may_lie_anywhere_between_0_and_1_a_priori():
    reliability = RATIOS / (RATIOS + 2)
    np.testing.assert_allclose(reliability + reliability[::-1], 1)
    np.testing.assert_allclose(PRIOR, PRIOR[::-1])
    assert (PRIOR > 0).all()
    for power in range(5):
        assert PRIOR @ reliability**power == pytest.approx(1 / (power + 1), abs=1e-3)


def test_what_patients_have_in_common_is_kept_and_extremes_are_drawn_to_it():
    """All visits complete: the mean of an arm is that of what is observed, and spreads shrink."""
    values, _ = scores(noise=0.3)
    found = of(trajectories(values, disease_effects(), 0.95)).groupby("arm")
    means = found[["response", "observed"]].mean()
    np.testing.assert_allclose(means["response"], means["observed"])
    spreads = found[["response", "observed"]].std()
    assert (spreads["response"] < 0.95 * spreads["observed"]).all()


def trials(noise, patients=30, visits=(4.0, 12.0), heavy=False, count=120, seed=1):
    """One name per trial: scores, disease effects, and the true responses of the patients.

    The index of the drug lies anywhere between 0 and 1, that of placebo between -0.1 and 0.4, and
    responses of patients spread by 0.15 to 0.4; the disease effect is 1 on average.
    """
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.standard_t(4, shape) / np.sqrt(2) if heavy else rng.standard_normal(shape)

    spread = rng.uniform(0.15, 0.4, count)
    # A response may be there at once, or come with the logarithm of time.
    shape = rng.choice([0.0, 0.5, 1.0], count)
    frames, truths, differences = [], [], []
    for arm, (low, high) in {"drug": (0.0, 1.0), "placebo": (-0.1, 0.4)}.items():
        response = rng.uniform(low, high, count) + spread * draw(patients, count)
        level = rng.standard_normal((patients, count))
        start = level + 1 + 0.3 * rng.standard_normal((patients, count))
        for week in (0.0, *visits):
            true = response * (np.log1p(week) / np.log1p(visits[-1])) ** shape if week else 0.0
            score = start - true + noise * draw(patients, count)
            sheet = {"arm": arm, "week": week}
            names = [f"{arm} {i}" for i in range(patients)]
            frames.append(pd.DataFrame(score).assign(patient=names, **sheet))
            if week:
                truths.append(pd.DataFrame(true).assign(patient=names, **sheet))
            else:
                differences.append(score - level - noise * draw(patients, count))
    keys = ["patient", "arm", "week"]
    values, truth = (
        pd.concat(x).set_index(keys).add_prefix("trial ").reset_index().melt(keys, var_name="name")
        for x in (frames, truths)
    )
    differences = np.vstack(differences)
    divisors = pd.DataFrame({"name": values["name"].unique(), "status": "ok", "reason": ""})
    divisors = divisors.assign(reference="nonlesional", arm="")
    divisors["denominator"] = differences.mean(axis=0)
    divisors["standard_error"] = differences.std(axis=0, ddof=1) / np.sqrt(len(differences))
    values = values.rename(columns={"value": "score"}).assign(state="lesional")
    table = trajectories(values, divisors, 0.95)
    return table.merge(truth.rename(columns={"value": "true"}), on=["name", *keys])


@pytest.mark.parametrize("heavy", [False, True])
def test_probabilities_come_true(heavy):
    """Said and true differ by at most 7 points: 5, and the error of 160 trials.

    A flat prior says 0.8 of what is true in 0.7 of these patients.
    """
    table = trials(0.2, heavy=heavy, count=160)
    known = table[table["prob_above_half"].notna()]
    assert len(known) > 0.4 * len(table)
    for column, limit in (("prob_above_half", 0.5), ("prob_above_three_quarters", 0.75)):
        for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95)):
            some = known[known[column].between(low, high)]
            assert len(some) > 60
            assert (some["true"] > limit).mean() == pytest.approx(some[column].mean(), abs=0.07)
    called = known[known["prob_above_three_quarters"] >= 0.8]
    assert (called["true"] > 0.75).mean() >= 0.8


@pytest.mark.parametrize(
    ("noise", "patients", "visits"),
    [(0.5, 6, (4.0, 12.0)), (0.35, 15, (4.0, 12.0)), (0.1, 30, (12.0,))],
)
def test_words_stand_where_a_probability_would_not_come_true(noise, patients, visits):
    table = trials(noise, patients, visits, count=20)
    unknown = table["prob_above_half"].isna()
    assert unknown.mean() > 0.95
    assert table.loc[unknown, "prob_above_three_quarters"].isna().all()
    assert table.loc[unknown, "not_known"].str.startswith("not known: ").all()
    assert (table.loc[~unknown, "not_known"] == "").all()
    # The estimate and its interval stand nevertheless.
    assert table[["response", "lower", "upper"]].notna().all(axis=None)


@pytest.mark.parametrize("noise", [0.1, 0.5])
@pytest.mark.parametrize(("patients", "heavy"), [(6, False), (30, True)])
def test_intervals_cover_the_true_responses(noise, patients, heavy):
    table = trials(noise, patients, heavy=heavy, count=60)
    inside = (table["lower"] <= table["true"]) & (table["true"] <= table["upper"])
    assert 0.92 <= inside.mean() <= 0.99
    nearer = ((table["response"] - table["true"]) ** 2).mean()
    assert nearer < 0.97 * ((table["observed"] - table["true"]) ** 2).mean()


def test_interval_and_probability_are_one_posterior():
    """A probability is above 0.975 where the interval of 95 % lies above the limit, and nowhere
    else; it falls as the limit rises."""
    table = trials(0.15, count=20)
    known = table[table["prob_above_half"].notna()]
    for column, limit in (("prob_above_half", 0.5), ("prob_above_three_quarters", 0.75)):
        sure = known[(known[column] - 0.975).abs() > 1e-4]
        assert ((sure[column] > 0.975) == (sure["lower"] > limit)).all()
        assert ((sure[column] < 0.025) == (sure["upper"] < limit)).all()
        assert (sure["lower"] > limit).any()
    assert (known["prob_above_half"] > known["prob_above_three_quarters"]).all()


@pytest.mark.parametrize(("error", "given"), [(0.0799, True), (0.0801, False)])
def test_a_probability_needs_three_quarters_of_the_disease_effect_to_6_per_cent(error, given):
    values, _ = scores(noise=1e-4)
    table = trajectories(values, disease_effects(error=error), 0.95)
    assert set(table["prob_above_half"].notna()) == {given}
    needed = "to ±0.06 of the disease effect only; ±0.06 are needed"
    assert table["not_known"].str.endswith("" if given else needed).all()


@pytest.mark.parametrize(
    ("noise", "above", "below"), [(0.1, 0.0, 0.1), (0.19, 0.15, 0.16), (0.2, 0.16, 0.17)]
)
def test_a_probability_needs_the_reliability_of_a_patient_to_16_per_cent(noise, above, below):
    """The standard deviation over the models, of an effect so large that nothing else counts."""
    values, _ = scores(noise=noise)
    found = of(trajectories(values, disease_effects().assign(denominator=1e6), 0.95))
    own = values[values["name"] == "global"]
    start, later = own[own["week"] == 0].set_index("patient")["score"], own[own["week"] > 0]
    decrease = (later["patient"].map(start) - later["score"]).to_numpy()[:, None]
    models = fit_courses(decrease, *(later[key].to_numpy() for key in ("patient", "arm", "week")))
    # All have the same visits.
    weight, reliability = models.weight[:, 0], models.reliability[:, 0]
    error = np.sqrt(weight @ (reliability - weight @ reliability) ** 2)
    assert above < error < below
    few = "not known: too few patients and visits to tell response from noise of a biopsy"
    assert set(found["not_known"]) == {few if error > 0.16 else ""}
    assert set(found["prob_above_half"].isna()) == {bool(error > 0.16)}


def test_patterns_follow_the_probabilities():
    table = trials(0.1, count=10).assign(name="global")
    word = table["pattern"].str.removeprefix("axis ")
    assert (table["pattern"] == "").all()  # of these names there is no pattern
    shares = np.tile([0.0, 0.1, 1.1, 1.2], 15)
    values, _ = scores(patients=60, shares=shares, noise=0.05)
    found = of(trajectories(values, disease_effects(error=0.02), 0.95))
    word = found["pattern"].str.extract("^axis ([a-z ]+), itch")[0]
    likely = found["prob_above_three_quarters"]
    assert likely.notna().all()
    expected = np.select([found["upper"] < 0, likely >= 0.8, likely <= 0.2],
                         ["worsened", "reversed", "residual"], "undecided")  # fmt: skip
    assert (word == expected).all()
    assert {"reversed", "residual"} <= set(word)
    # With a vague disease effect there is no probability, and no word but the one for it.
    vague = of(trajectories(values, disease_effects(error=0.2), 0.95))
    assert set(vague["pattern"]) <= {"axis not known, itch not known"}


def test_an_uncertain_denominator_widens_the_interval():
    values, _ = scores()
    widths = [
        (t["upper"] - t["lower"]).mean()
        for t in (trajectories(values, disease_effects(error=e), 0.95) for e in (0.01, 0.3))
    ]
    assert widths[1] > 1.2 * widths[0]


def test_a_name_that_is_not_estimable_has_rows_with_the_reason():
    why = {"status": "not_available", "reason": "too close to 0"}
    values, _ = scores()
    table = trajectories(values, disease_effects(**why), 0.95)
    itch = table[table["name"] == ITCH]
    assert len(itch) == len(table) / 2
    numbers = ["response", "lower", "upper", "prob_above_half", "observed"]
    assert itch[numbers].isna().all(axis=None)
    assert (itch["reason"] == "too close to 0").all()
    assert table.loc[table["name"] == "global", "response"].notna().all()


def test_an_effect_of_one_arm_is_that_of_its_patients():
    values, _ = scores()
    own = [disease_effects().assign(arm=arm) for arm in ("drug", "placebo")]
    own[1]["denominator"] *= 2
    table = trajectories(values, pd.concat(own, ignore_index=True), 0.95)
    one = trajectories(values, disease_effects(), 0.95)
    assert len(table) == len(one)
    half = one["observed"] / np.where(one["arm"] == "placebo", 2, 1)
    np.testing.assert_allclose(table["observed"], half)


def test_missing_visits_take_only_what_rests_on_them():
    values, _ = scores()
    no_start = (values["patient"] == "03") & (values["week"] == 0)
    no_end = (values["patient"] == "05") & (values["week"] == 12)
    whole = trajectories(values, disease_effects(), 0.95)
    table = trajectories(values[~no_start & ~no_end], disease_effects(), 0.95)
    found = of(table)
    assert np.isnan(found.loc["03", "response"])
    assert found.loc["03", "reason"] == "no lesional sample at baseline"
    assert "05" not in found.index
    assert found["response"].notna().sum() == 14
    assert of(table, week=4.0).loc["05", "response"] == pytest.approx(
        of(whole, week=4.0).loc["05", "response"], abs=0.1
    )
    # One score may be there without the other.
    one = trajectories(values[~no_end | (values["name"] == ITCH)], disease_effects(), 0.95)
    assert of(one).loc["05", "reason"] == "no score at this visit"
    assert of(one, ITCH)["reason"].eq("").all()
    # Of one score nobody has a baseline.
    gone = (values["name"] == ITCH) & (values["week"] == 0)
    none = trajectories(values[~gone], disease_effects(), 0.95)
    itch = none[none["name"] == ITCH]
    assert itch[["response", "lower", "upper", "observed"]].isna().all(axis=None)
    assert set(itch["reason"]) == {"no lesional sample at baseline"}
    assert set(itch["not_known"]) == {""}
    pd.testing.assert_series_equal(of(none)["response"], of(whole)["response"])


@pytest.mark.parametrize("error", [0.0, 0.3])
def test_one_visit_after_baseline_cannot_tell_response_from_noise(error):
    values, _ = scores(weeks=(0.0, 12.0))
    found = of(trajectories(values, disease_effects(error=error), 0.95))
    assert (found["method"] == OBSERVED).all()
    np.testing.assert_array_equal(found["response"], found["observed"])
    assert (found["not_known"] == "not known: one visit after baseline cannot tell response from "
            "noise of a biopsy").all()  # fmt: skip
    assert found["pattern"].eq("axis not known, itch not known").all()
    # The interval in closed form: all that patients of an arm differ by is taken as noise, and the
    # disease effect has its error.
    away = found["observed"] - found.groupby("arm")["observed"].transform("mean")
    squares = (away**2).sum() / 14 + (found["observed"] * error) ** 2
    margin = stats.t.ppf(0.975, 14) * np.sqrt(squares)
    np.testing.assert_allclose(found["upper"] - found["response"], margin)
    np.testing.assert_allclose(found["response"] - found["lower"], margin)


def test_four_patients_with_two_visits_are_enough_and_three_are_not():
    """Degrees of freedom within patients: one a patient, less one for the arm."""
    shape = {"weeks": (0.0, 2.0, 12.0), "noise": 0.1}
    for patients, method in ((3, OBSERVED), (4, MIXED)):
        values, _ = scores(patients=patients, **shape)
        table = trajectories(values.assign(arm="drug"), disease_effects(), 0.95)
        assert set(table["method"]) == {method}
        assert table["not_known"].str.startswith("not known").all()


def test_a_score_that_never_varies_has_no_noise_to_speak_of():
    values, _ = scores()
    values["score"] = 3.0
    table = trajectories(values, disease_effects(), 0.95)
    assert (table["response"] == 0).all()
    assert table["lower"].isna().all()
    assert set(table["not_known"]) == {"not known: the score is the same in all samples"}


def test_the_share_below_a_t_value_is_that_of_scipy():
    value = np.linspace(-8, 8, 1001)
    for df, error in ((3, 3e-4), (6, 3e-5), (40, 1e-6)):
        np.testing.assert_allclose(t_share(df, value), stats.t.cdf(value, df), atol=error)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({DIFFERENTIATION: "reversed", PROLIFERATION: "reversed", ITCH: "residual"},
         "barrier reversed, itch residual"),
        ({"global": "reversed", DIFFERENTIATION: "residual", PROLIFERATION: "worsened"},
         "axis reversed, barrier differentiation residual, barrier proliferation worsened"),
        ({"global": "not known", DIFFERENTIATION: "not known", PROLIFERATION: "not known"},
         "axis not known, barrier not known"),
        ({}, ""),
    ],
)  # fmt: skip
def test_patterns_describe(words, sentence):
    assert describe(words) == sentence


def inputs_of(values, divisors):
    sheet = values[["patient", "week", "state"]].drop_duplicates().assign(easi=10.0)
    return values, divisors, sheet


def build(folder, inputs):
    outputs = {
        name: folder / f"{name}.tsv" for name in ("trajectories", "concordance", "calibration")
    }
    follow_patients(*inputs, outputs, SETTINGS)
    return outputs


def test_the_stage_writes_the_same_bytes_again(tmp_path):
    inputs = inputs_of(scores()[0], disease_effects())
    first = {n: p.read_bytes() for n, p in build(tmp_path / "a", inputs).items()}
    second = {n: p.read_bytes() for n, p in build(tmp_path / "b", inputs).items()}
    assert first == second
    assert len(read_table(tmp_path / "a" / "trajectories.tsv")) == 16 * 3 * 2


@pytest.mark.parametrize("visits", [False, True])
def test_a_series_without_visits_or_index_gives_headers_and_reasons(tmp_path, visits):
    values, _ = scores()
    values = values if visits else values[values["week"] == 0]
    inputs = inputs_of(values, disease_effects().iloc[:0])
    outputs = build(tmp_path / "out", inputs)
    table = read_table(outputs["trajectories"])
    assert table.empty
    assert list(table.columns) == COLUMNS
    agreement = read_table(outputs["concordance"]).query("question == 'easi75_agreement'")
    assert set(agreement["status"]) == {"not_available"}
    assert (agreement["reason"] != "").all()
