"""The model of repeated measures: exact without missing visits, right where pairs are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from adnorm.index import mmrm
from adnorm.index.means import PatientTable
from adnorm.index.mmrm import COMPOUND_SYMMETRY, UNSTRUCTURED, fit_repeated_measures
from builders.score_trials import cell, index, trial, without

ARMS = {"drug": 0.4, "placebo": 0.8}


def made(patients=12, missing=0.2, weeks=(4.0, 12.0), noise=0.5, seed=1, **changes):
    """A trial of two arms that lacks a share of its lesional samples by chance."""
    values, observations = trial(
        ARMS, tuple(ARMS), patients, weeks, noise=noise, seed=seed, **changes
    )
    lesional = (observations["state"] == "lesional").to_numpy()
    gone = lesional & (np.random.default_rng(seed).random(len(values)) < missing)
    return without(values, observations, gone)


def fit(values, observations):
    table = PatientTable.of(values.to_numpy(dtype=float), observations)
    return fit_repeated_measures(table), table


def test_without_missing_visits_means_errors_and_slope_are_the_plain_ones():
    values, observations = made(missing=0)
    model, table = fit(values, observations)
    weeks = [0.0, 4.0, 12.0]
    assert (model.structure, sorted({week for _, week in model.place})) == (UNSTRUCTURED, weeks)
    assert model.means.shape == (2, 3, 3)
    for (arm, week), (group, then) in model.place.items():
        own = cell(values, observations, "second", "lesional", week, arm)
        assert model.means[group, then, 1] == pytest.approx(own.mean())
    within = pd.concat(
        {w: cell(values, observations, "second", "lesional", w) for w in weeks}, axis=1
    )
    arm = np.array([name[:4] for name in within.index])
    centred = within - within.groupby(arm).transform("mean")
    pooled = (centred.T @ centred / (len(within) - 2)).to_numpy()
    assert model.covariance[1] == pytest.approx(pooled, rel=1e-7)
    change = model.decrease("drug", 12.0)
    drug = within[arm == "drug"]
    assert change.value[1] == pytest.approx((drug[0.0] - drug[12.0]).mean())
    assert change.variance[1] == pytest.approx((drug[0.0] - drug[12.0]).var() / 12)
    assert (change.smallest, sorted(change.counts.tolist())) == (12, [0, 12])
    design = np.column_stack([within[0.0], arm == "drug", np.ones(len(within))])
    fitted = sm.OLS(within[12.0].to_numpy(), design.astype(float)).fit()
    difference = model.contrast({"drug": 1, "placebo": -1}, 12.0)
    assert difference.value[1] == pytest.approx(-fitted.params[1], rel=1e-6)
    # Leaving out patients asks nothing of the variances, as HC3 does.
    robust = fitted.get_robustcov_results("HC3")
    assert difference.variance[1] == pytest.approx(robust.bse[1] ** 2, rel=0.1)


def test_one_missing_visit_of_another_arm_changes_no_number_of_complete_arms():
    """Means of a complete arm are plain means, and its dNI an analysis of covariance."""
    values, observations = trial(
        {**ARMS, "other": 0.6}, ("drug", "placebo", "other"), weeks=(4.0, 12.0), noise=0.5
    )
    gone = (observations["patient"] == "other03") & (observations["week"] == 12)
    whole = index(values, observations, placebo="placebo")
    lacking = index(*without(values, observations, gone), placebo="placebo")
    columns = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value", "estimator"]
    rows = whole["arm"] != "other"
    pd.testing.assert_frame_equal(lacking.loc[rows, columns], whole.loc[rows, columns])
    assert set(lacking.loc[~rows, "estimator"]) == {"MMRM"}


def test_dni_of_the_model_is_the_ancova_estimate_where_next_to_nothing_is_missing():
    """The visit that is missing is of a week that says nothing of the others."""
    rng = np.random.default_rng(4)
    values, observations = trial(ARMS, tuple(ARMS), 40, (4.0, 12.0), noise=0.5, seed=4)
    middle = ((observations["week"] == 4) & (observations["state"] == "lesional")).to_numpy()
    values.loc[middle] = rng.normal(size=(middle.sum(), 3))
    gone = (observations["patient"] == "drug07") & middle
    whole = index(values, observations, placebo="placebo").query("week == 12 and arm == 'drug'")
    lacking = index(*without(values, observations, gone), placebo="placebo")
    lacking = lacking.query("week == 12 and arm == 'drug'")
    assert set(lacking["estimator"]) == {"MMRM"}
    columns = ["ni", "dni", "dni_lower", "dni_upper"]
    assert lacking[columns].to_numpy(dtype=float) == pytest.approx(
        whole[columns].to_numpy(dtype=float), abs=0.01
    )


@pytest.mark.parametrize("asked", ["decrease", "difference"])
def test_parts_are_those_of_fitting_the_trial_without_the_patient(asked, monkeypatch):
    """By force: everybody else in a table of their own, the covariance fitted again."""
    monkeypatch.setattr(mmrm, "STEPS", 200)
    values, observations = made(patients=8, missing=0.1)

    def estimate(scores, sheet):
        model, table = fit(scores, sheet)
        assert model.structure == UNSTRUCTURED
        if asked == "decrease":
            return model.decrease("drug", 12.0), table
        return model.contrast({"drug": 1, "placebo": -1}, 12.0), table

    whole, table = estimate(values, observations)
    monkeypatch.setattr(mmrm, "STEPS", 0)
    lesional = observations[observations["state"] == "lesional"]
    for arm in ARMS:
        people = sorted(lesional.loc[lesional["arm"] == arm, "patient"].unique())
        left_out = np.array(
            [estimate(*without(values, observations, observations["patient"] == who))[0].value
             for who in people]
        )  # fmt: skip
        size = len(people)
        expected = np.sqrt((size - 1) / size) * (left_out.mean(axis=0) - left_out)
        rows = np.searchsorted(table.patients, people)
        np.testing.assert_allclose(whole.parts[rows], expected, atol=1e-5)
        assert np.abs(expected).max() > 0.01


def test_a_few_steps_are_enough_to_leave_a_patient_out(monkeypatch):
    values, observations = made(missing=0.25)
    few = fit(values, observations)[0].contrast({"drug": 1, "placebo": -1}, 12.0)
    monkeypatch.setattr(mmrm, "STEPS", 100)
    many = fit(values, observations)[0].contrast({"drug": 1, "placebo": -1}, 12.0)
    np.testing.assert_allclose(few.variance, many.variance, rtol=0.05)


def test_names_do_not_depend_on_each_other():
    values, observations = made(missing=0.3)
    together, _ = fit(values, observations)
    alone, _ = fit(values[["second"]], observations)
    np.testing.assert_allclose(together.means[:, :, 1], alone.means[:, :, 0], rtol=1e-12)
    np.testing.assert_allclose(together.covariance[1], alone.covariance[0], rtol=1e-12)


def test_order_and_names_of_patients_do_not_matter():
    values, observations = made(missing=0.3)
    order = np.random.default_rng(2).permutation(len(values))
    renamed = observations.assign(patient=observations["patient"].str[::-1])
    plain, mixed = (
        index(values.iloc[rows].reset_index(drop=True), sheet.iloc[rows].reset_index(drop=True),
              placebo="placebo")
        for rows, sheet in ((np.arange(len(values)), observations), (order, renamed))
    )  # fmt: skip
    assert set(plain["estimator"]) == {"MMRM"}
    columns = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"]
    np.testing.assert_allclose(
        mixed[columns].to_numpy(dtype=float), plain[columns].to_numpy(dtype=float), rtol=1e-6
    )


@pytest.mark.parametrize(("unit", "constant"), [(10, 3e5), (1e-6, 0.0)])
def test_units_and_constants_do_not_matter(unit, constant):
    values, observations = made(missing=0.3)
    columns = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"]
    plain, moved = (
        index(scores, observations, placebo="placebo")[columns].to_numpy(dtype=float)
        for scores in (values, unit * values + constant)
    )
    np.testing.assert_allclose(moved, plain, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("together", [4, 5])
def test_one_correlation_stands_for_all_where_two_visits_are_hardly_seen_together(together):
    """Of 3 visits any two must be seen together in 5 patients."""
    values, observations = made(patients=8, missing=0)
    number = observations["patient"].str[-2:].astype(int) + 8 * (observations["arm"] == "drug")
    late = observations["week"] == np.where(number % 2, 4, 12)
    model, _ = fit(*without(values, observations, late & (number >= together)))
    assert model.structure == (UNSTRUCTURED if together == 5 else COMPOUND_SYMMETRY)
    diagonal = np.einsum("nii->ni", model.covariance)
    others = model.covariance[:, ~np.eye(3, dtype=bool)]
    assert (np.ptp(diagonal, axis=1) > 1e-6).all() == (together == 5)
    assert (np.ptp(others, axis=1) > 1e-6).all() == (together == 5)
    found = model.contrast({"drug": 1, "placebo": -1}, 12.0)
    assert np.isfinite(found.value).all() and (found.variance > 0).all()


def test_how_far_the_arms_are_apart_changes_no_error():
    values, observations = made(missing=0.25)
    apart = values.add(1e4 * (observations["arm"] == "drug"), axis=0)
    for arm in ARMS:
        near, far = (fit(v, observations)[0].decrease(arm, 12.0) for v in (values, apart))
        np.testing.assert_allclose(far.variance, near.variance, rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 5.0, 0.1])
def test_a_score_that_never_varies_has_its_level_at_every_visit(level):
    values, observations = made(missing=0.25)
    values["second"] = level
    model, _ = fit(values, observations)
    assert model.means[:, :, 1] == pytest.approx(level, rel=1e-12)
    assert model.decrease("drug", 12.0).variance[1] == pytest.approx(0.0, abs=1e-20)


def test_rounding_errors_that_go_together_are_no_correlation_of_visits():
    """Arms are apart, so that a slope of rounding errors would move their contrast."""
    values, observations = made(missing=0.25)
    level = np.where(observations["arm"] == "drug", 5.0, 3.0) - 0.1 * observations["week"]
    values["second"] = level + 1e-14 * (observations["patient"].str[-2:].astype(int) % 5)
    model, _ = fit(values, observations)
    diagonal = np.einsum("nii->ni", model.covariance)[1]
    assert (np.abs(model.covariance[1] - np.diag(diagonal)) < 1e-3 * diagonal.min()).all()


def test_where_no_visit_has_three_patients_nothing_has_a_mean_or_a_number():
    values, observations = made(patients=2, missing=0)
    gone = (observations["patient"] == "drug01") & (observations["week"] == 12)
    values, observations = without(values, observations, gone)
    assert np.isnan(fit(values, observations)[0].means).all()
    assert set(index(values, observations, placebo="placebo")["reason_code"]) == {"TOO_FEW_PAIRS"}


@pytest.mark.parametrize("stay", [["drug00", "drug05"], ["drug00", "drug05", "drug07"]])
def test_a_visit_of_three_patients_has_a_mean_one_of_two_has_none_and_harms_no_other(stay):
    values, observations = made(missing=0)
    few = (observations["arm"] == "drug") & (observations["week"] == 12)
    few &= ~observations["patient"].isin(stay)
    model, _ = fit(*without(values, observations, few))
    known = len(stay) == 3
    assert (np.isfinite(model.means[model.place["drug", 12.0]]) == known).all()
    own = cell(values, observations, "first", "lesional", 4.0, "drug").mean()
    assert model.means[model.place["drug", 4.0]][0] == pytest.approx(own)
    table = index(*without(values, observations, few), placebo="placebo")
    rows = table[(table["arm"] == "drug") & (table["week"] == 12)]
    assert set(rows["reason_code"]) == {"" if known else "TOO_FEW_PAIRS"}
    assert (rows["ni"].notna() == known).all()
    assert table.loc[table.index.difference(rows.index), "ni"].notna().all()


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_without_noise_the_index_is_the_share_though_visits_are_missing(share):
    """A constant effect, so that every visit of a patient tells all the others."""
    values, observations = trial(1.0, ("drug", "placebo"), weeks=(4.0, 12.0))
    normal = (observations["state"] == "nonlesional").to_numpy()
    base = values[normal].set_axis(observations.loc[normal, "patient"])
    lesional = (observations["state"] == "lesional").to_numpy()
    late = (observations["week"] > 0) & (observations["arm"] == "drug")
    left = np.where(late, 1 - share, 1.0)[lesional, None]
    values.loc[lesional] = base.loc[observations.loc[lesional, "patient"]].to_numpy() + 3 * left
    gone = (observations["week"] == 12) & observations["patient"].isin(["drug01", "placebo04"])
    table = index(*without(values, observations, gone), placebo="placebo")
    assert set(table["estimator"]) == {"MMRM"}
    expected = np.where(table["arm"] == "drug", share, 0.0)
    np.testing.assert_allclose(table["ni"].to_numpy(dtype=float), expected, atol=1e-5)
    drug = table[table["arm"] == "drug"]
    np.testing.assert_allclose(drug["dni"].to_numpy(dtype=float), share, atol=1e-5)
    np.testing.assert_allclose(drug["dni_lower"].to_numpy(dtype=float), share, atol=1e-3)


def test_more_iterations_change_nothing(monkeypatch):
    values, observations = made(missing=0.3)
    plain, _ = fit(values, observations)
    monkeypatch.setattr(mmrm, "TOLERANCE", 1e-13)
    monkeypatch.setattr(mmrm, "ITERATIONS", 20_000)
    longer, _ = fit(values, observations)
    np.testing.assert_allclose(plain.covariance, longer.covariance, atol=1e-6)
    np.testing.assert_allclose(plain.means, longer.means, atol=1e-6)


# ---------------------------------------------------------------- what it is for


def respond(patients, seed, leave):
    """Patients respond by 0.6 on average, each in the own way, and the same at week 4 and 12.

    `leave` says who misses week 12, from the share of the effect that was left at week 4.
    """
    rng = np.random.default_rng(seed)
    rows, scores, lost = [], [], []
    for arm, mean in (("drug", 0.6), ("placebo", 0.3)):
        for i in range(patients):
            normal, sick = rng.normal(0, 0.5), 3 + rng.normal(0, 0.4)
            own = mean + rng.normal(0, 0.35)
            left = [1.0, 1 - 0.8 * own, 1 - own]
            levels = normal + sick * np.array([0.0, *left]) + rng.normal(0, 0.3, 4)
            states = ["nonlesional", *["lesional"] * 3]
            for state, week, level in zip(states, (0.0, 0.0, 4.0, 12.0), levels, strict=True):
                rows.append((f"{arm}{i:04d}", state, week, arm))
                scores.append(level)
                lost.append(week == 12 and leave(levels[2] / 3))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    return without(pd.DataFrame({"first": scores}), observations, lost)


def test_visits_missing_at_random_given_an_earlier_one_do_not_bias_the_model(monkeypatch):
    """Who has not responded at week 4 does not come at week 12. True: 0.6, and 0.3 over placebo."""
    # Of so many patients none needs a covariance of its own.
    monkeypatch.setattr(mmrm, "STEPS", 0)
    values, observations = respond(1000, 3, lambda left: left > 0.55)
    tables = {
        analysis: index(values, observations, placebo="placebo", analysis=analysis)
        .query("arm == 'drug' and week == 12")
        .iloc[0]
        for analysis in ("primary", "observed_pairs")
    }
    primary, pairs = tables["primary"], tables["observed_pairs"]
    assert (primary["estimator"], pairs["estimator"]) == ("MMRM", "observed pairs")
    assert 0.3 < primary["lost"] / (primary["lost"] + primary["pairs"]) < 0.8
    assert pairs["ni"] - 0.6 > 0.1
    assert primary["ni"] == pytest.approx(0.6, abs=0.02)
    assert primary["dni"] == pytest.approx(0.3, abs=0.03)
    # Patients who are missing leave a wider interval.
    whole = index(*respond(1000, 3, lambda left: False), placebo="placebo")
    errors = whole.query("arm == 'drug' and week == 12")["standard_error"]
    assert primary["standard_error"] > 1.03 * errors.item()


def test_intervals_of_the_model_cover_the_truth():
    """A quarter of the visits is missing; names of a trial lack the same ones: several trials."""
    names, inside, level = [f"trial{i}" for i in range(60)], [], []
    for seed in range(4):
        table = index(*made(12, 0.25, noise=0.7, seed=seed, names=names), placebo="placebo")
        rows = table.query("arm == 'drug' and week == 12 and ni == ni")
        assert set(rows["estimator"]) == {"MMRM"} and rows["dni"].notna().all()
        inside += ((rows["lower"] <= 0.6) & (0.6 <= rows["upper"])).tolist()
        level += ((rows["dni_lower"] <= 0.4) & (0.4 <= rows["dni_upper"])).tolist()
        off_zero = (rows["dni_lower"] > 0) | (rows["dni_upper"] < 0)
        assert (off_zero == (rows["p_value"] < 0.05)).all() and 0 < off_zero.mean()
    assert len(inside) > 220
    # Three Monte-Carlo errors of 240 draws.
    assert np.mean(inside) > 0.91 and np.mean(level) > 0.91
