"""The normalization index: what it must be by definition, and what it must never say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.index.means import Group
from adnorm.index.normalization import (
    COLUMNS,
    baseline_adjusted,
    residual_variances,
)
from builders.score_trials import NAMES, index, trial


def test_no_change_is_exactly_zero():
    table = index(*trial(remaining=1.0))
    assert (table["ni"] == 0).all()
    assert (table[["lower", "upper"]] == 0).all(axis=None)
    assert (table["p_value"] == 1).all()


def test_the_level_of_non_lesional_skin_is_exactly_one():
    values, observations = trial()
    later = (observations["week"] == 4).to_numpy()
    normal = (observations["state"] == "nonlesional").to_numpy()
    values.loc[later] = values.loc[normal].to_numpy()
    table = index(values, observations)
    assert (table["ni"] == 1).all()
    assert (table["closeness"] == 1).all()
    assert table[["lower", "upper"]].to_numpy() == pytest.approx(1)
    assert table["p_value"].to_numpy() == pytest.approx(2 / 2**10)


@pytest.mark.parametrize(
    ("remaining", "expected"), [(0.5, 0.5), (1.4, -0.4), (-0.25, 1.25), (0.9, 0.1)]
)
def test_a_share_of_the_way_back_is_that_share_and_is_never_clipped(remaining, expected):
    table = index(*trial(remaining=remaining))
    assert table["ni"].to_numpy() == pytest.approx(expected)
    assert table["closeness"].to_numpy() == pytest.approx(1 - abs(1 - expected))


def test_ratio_of_sums_by_hand():
    observations = pd.DataFrame(
        [
            (p, s, w, "drug")
            for p in "abc"
            for s, w in [("lesional", 0.0), ("nonlesional", 0.0), ("lesional", 2.0)]
        ],
        columns=["patient", "state", "week", "arm"],
    )
    values = pd.DataFrame({"x": [10.0, 1, 4, 12, 2, 9, 11, 0, 1]})
    row = index(values, observations).iloc[0]
    assert row["denominator"] == pytest.approx(30 / 3)
    assert row["ni"] == pytest.approx((6 + 3 + 10) / 30)
    assert row["denominator_se"] == pytest.approx(stats.sem([9, 10, 11]))
    assert (row["pairs"], row["status"], row["interval"]) == (3, "exploratory", "fieller")
    assert row["p_value"] == pytest.approx(2 / 8)


def test_healthy_reference_by_hand():
    values, observations = trial(remaining=0.5, healthy=12)
    table = index(values, observations, "healthy").set_index("name")
    state, week = observations["state"], observations["week"]
    start = values[(state == "lesional") & (week == 0)].mean()
    end = values[(state == "lesional") & (week == 4)].mean()
    healthy = values[state == "healthy"].mean()
    for name in NAMES:
        expected = (start - end)[name] / (start - healthy)[name]
        assert table.loc[name, "ni"] == pytest.approx(expected)
    assert set(table["arm"]) == {"drug"}


def test_fieller_column_is_the_paired_closed_form():
    values, observations = trial(remaining=0.4, noise=0.5)
    row = index(values, observations).set_index("name").loc["second"]
    by = [values["second"][(observations["state"] == s) & (observations["week"] == w)].to_numpy()
          for s, w in (("lesional", 0), ("lesional", 4), ("nonlesional", 0))]  # fmt: skip
    for limit in (row["fieller_lower"], row["fieller_upper"]):
        rest = (by[0] - by[1]) - limit * (by[0] - by[2])
        assert stats.ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)
    assert row["lower"] == pytest.approx(row["fieller_lower"], abs=0.08)
    assert row["upper"] == pytest.approx(row["fieller_upper"], abs=0.08)


def numbers(table):
    return table[["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"]].to_numpy(
        dtype=float
    )


@pytest.fixture(scope="module")
def controlled():
    return trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.4, healthy=8)


@pytest.mark.parametrize("reference", ["nonlesional", "healthy"])
def test_constants_and_units_do_not_matter(controlled, reference):
    values, observations = controlled
    plain = index(values, observations, reference, "placebo")
    moved = index(values * 7.5 + [3.0, -2.0, 100.0], observations, reference, "placebo")
    assert numbers(moved) == pytest.approx(numbers(plain), nan_ok=True)


def test_order_of_observations_and_names_does_not_matter(controlled):
    values, observations = controlled
    plain = index(values, observations, placebo="placebo")
    order = np.random.default_rng(3).permutation(len(values))
    mixed = index(
        values.iloc[order][NAMES[::-1]].reset_index(drop=True),
        observations.iloc[order].reset_index(drop=True),
        placebo="placebo",
    )
    assert numbers(mixed) == pytest.approx(numbers(plain), nan_ok=True)


def test_names_of_patients_do_not_matter(controlled):
    values, observations = controlled
    plain = index(values, observations, placebo="placebo")
    renamed = observations.assign(patient=[p[::-1] for p in observations["patient"]])
    other = index(values, renamed, placebo="placebo")
    assert other["ni"].to_numpy() == pytest.approx(plain["ni"].to_numpy())
    assert other["dni"].to_numpy() == pytest.approx(plain["dni"].to_numpy(), nan_ok=True)


def test_same_seed_same_bytes(controlled):
    assert index(*controlled).to_csv() == index(*controlled).to_csv()


def test_only_patients_with_both_samples_are_in_the_numerator():
    values, observations = trial({"drug": 0.5, "placebo": 1.0}, ("drug", "placebo"))
    gone = (observations["week"] == 4) & observations["patient"].isin(["drug00", "drug01"])
    table = index(values[~gone].reset_index(drop=True), observations[~gone].reset_index(drop=True))
    row = table[(table["arm"] == "drug") & (table["name"] == "first")].iloc[0]
    assert (row["pairs"], row["lost"]) == (8, 2)
    start = (observations["week"] == 0) & (observations["state"] == "lesional")
    normal = observations["state"] == "nonlesional"
    disease = values["first"][start].to_numpy() - values["first"][normal].to_numpy()
    # The drug arm comes first: patients 2 to 9 stay, all 20 are in the denominator.
    assert row["ni"] == pytest.approx(0.5 * disease[2:10].mean() / disease.mean())


def test_completers_leave_out_who_misses_any_visit():
    values, observations = trial(0.5, weeks=(2.0, 4.0), noise=0.3)
    gone = (observations["week"] == 4) & (observations["patient"] == "drug03")
    values, observations = (frame[~gone].reset_index(drop=True) for frame in (values, observations))
    pairs = {
        analysis: index(values, observations, analysis=analysis).groupby("week")["pairs"].first()
        for analysis in ("primary", "completers")
    }
    assert pairs["primary"].tolist() == [10, 9]
    assert pairs["completers"].tolist() == [9, 9]


def test_time_matched_reference_follows_non_lesional_skin():
    """When lesional and non-lesional skin fall alike, nothing is normalized."""
    values, observations = trial(1.0)
    normal = observations["state"] == "nonlesional"
    later = observations[normal].assign(week=4.0)
    values = pd.concat([values, values[normal] - 1.0], ignore_index=True)
    observations = pd.concat([observations, later], ignore_index=True)
    fallen = (observations["state"] == "lesional") & (observations["week"] == 4)
    values[fallen] -= 1.0
    assert (index(values, observations)["ni"] > 0.2).all()
    matched = index(values, observations, analysis="time_matched")
    assert matched["ni"].to_numpy() == pytest.approx(0, abs=1e-12)


def test_placebo_is_subtracted():
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.2)
    table = index(values, observations, placebo="placebo").set_index(["arm", "name"])
    for name in NAMES:
        expected = table.loc[("drug", name), "ni"] - table.loc[("placebo", name), "ni"]
        assert table.loc[("drug", name), "dni"] == pytest.approx(expected)
        row = table.loc[("drug", name)]
        assert row["dni_lower"] < row["dni"] < row["dni_upper"]
    assert table.loc["placebo", "dni"].isna().all()


def test_ancova_is_the_arm_coefficient_of_least_squares_over_the_disease_effect():
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.6)
    table = index(values, observations, placebo="placebo").set_index(["arm", "name"])
    for name in NAMES:
        wide = observations.assign(value=values[name]).pivot(
            index=["arm", "patient"], columns=["state", "week"], values="value"
        )
        start, end = wide["lesional", 0.0], wide["lesional", 4.0]
        drug = (wide.index.get_level_values("arm") == "drug").astype(float)
        design = np.column_stack([np.ones(len(wide)), start, drug])
        fitted = sm.OLS(end.to_numpy(), design).fit()
        disease = (start - wide["nonlesional", 0.0]).to_numpy()
        row = table.loc[("drug", name)]
        assert row["ancova"] == pytest.approx(-fitted.params[2] / disease.mean())
        assert row["ancova_lower"] < row["ancova"] < row["ancova_upper"]
        # The arms are equal in size and spread, where one variance is right as well.
        assert np.log(row["ancova_p_value"] / fitted.pvalues[2]) == pytest.approx(0, abs=0.5)
    assert table.loc["placebo", "ancova"].isna().all()


def test_ancova_frees_the_difference_of_unequal_flares():
    """A useless drug; who starts in a flare falls back. The adjusted difference scatters less."""
    rng = np.random.default_rng(8)
    names = [f"trial{i}" for i in range(300)]
    values, observations = trial(1.0, ("drug", "placebo"), 12, names=names, noise=0.2, seed=7)
    start = (observations["state"] == "lesional") & (observations["week"] == 0)
    values.loc[start] += 2 * rng.normal(size=(24, 300))
    table = index(values, observations, placebo="placebo")
    drug = table[(table["arm"] == "drug") & table["dni"].notna()]
    assert len(drug) > 200
    assert drug["ancova"].mean() == pytest.approx(0, abs=0.03)
    assert drug["ancova"].std() < 0.7 * drug["dni"].std()
    assert (drug["ancova_p_value"] < 0.05).mean() < 0.1


def test_a_difference_whose_interval_is_unbounded_is_no_number():
    """With three placebo patients the index is bounded where the difference may not be."""
    found = []
    for seed in range(40):
        values, observations = trial(
            {"drug": 0.5, "placebo": 1.0}, ("drug", "placebo"), 4, names=["first"],
            noise=1.0, effect=2.4, seed=seed,
        )  # fmt: skip
        gone = (observations["patient"] == "placebo00") & (observations["week"] == 4)
        keep = ~gone.to_numpy()
        found.append(
            index(values[keep].reset_index(drop=True), observations[keep].reset_index(drop=True),
                  placebo="placebo")
        )  # fmt: skip
    table = pd.concat(found)
    for value, lower, upper in (
        ("ni", "lower", "upper"),
        ("dni", "dni_lower", "dni_upper"),
        ("ancova", "ancova_lower", "ancova_upper"),
    ):
        given = table[value].notna()
        assert given.any()
        assert table.loc[given, [lower, upper]].notna().all(axis=None)
    drug = table[table["arm"] == "drug"]
    lacking = drug[drug["ni"].notna() & drug["dni"].isna()]
    assert len(lacking)
    assert set(lacking["dni_reason_code"]) == {"DENOM_NOT_ESTIMABLE"}
    assert lacking["dni_reason"].str.contains("unbounded").all()
    assert lacking["dni_standard_error"].isna().all()
    refused = table[table["ni"].isna()]
    assert len(refused)
    assert (refused["reason_code"] != "").all()


def test_single_arm_says_that_it_is_uncontrolled():
    table = index(*trial(0.5))
    assert table["dni"].isna().all()
    assert table["dni_reason"].str.contains("no placebo arm").all()
    assert set(table["dni_reason_code"]) == {"NO_PLACEBO"}


def test_every_row_without_a_placebo_adjusted_index_says_why():
    """Placebo itself and untreated arms lack nothing; a small arm says nothing of refused names."""
    names = pd.DataFrame(
        {"level": "set", "reason_code": ["", "UNSIGNED", ""], "reason": ["", "no direction", ""]},
        index=NAMES,
    )
    values, observations = trial(0.5, ("drug", "placebo", "untreated"), noise=0.3)
    small = (observations["arm"] != "placebo") | observations["patient"].str[-1].isin(list("0123"))
    table = index(
        values[small].reset_index(drop=True),
        observations[small].reset_index(drop=True),
        placebo="placebo",
        names=names,
    )
    lacking = table[table["dni"].isna()]
    assert ((lacking["reason"] != "") | (lacking["dni_reason"] != "")).all()
    assert (table["dni_reason_code"] == "").all()
    assert set(table.loc[table["arm"] == "placebo", "dni_reason"]) == {"this is the placebo arm"}
    drug = table[table["arm"] == "drug"].set_index("name")
    assert drug["dni_reason"].str.startswith("exploratory").tolist() == [True, False, True]


def test_placebo_without_the_visit_is_said():
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"))
    gone = (observations["arm"] == "placebo") & (observations["week"] == 4)
    table = index(
        values[~gone].reset_index(drop=True), observations[~gone].reset_index(drop=True),
        placebo="placebo",
    )  # fmt: skip
    assert table["dni"].isna().all()
    assert table["dni_reason"].str.contains("placebo has 0 patients .* week 4").all()
    assert set(table["dni_reason_code"]) == {"TOO_FEW_PAIRS"}


def test_placebo_adjustment_is_unbiased_under_regression_to_the_mean():
    """Patients enter in flare and improve anyway; the drug adds 0.3 on top."""
    rng = np.random.default_rng(5)
    size, plain, adjusted = 400, [], []
    names = [f"trial{i}" for i in range(size)]
    values, observations = trial(1.0, ("drug", "placebo"), names=names, noise=0.3, seed=6)
    state, week = observations["state"].to_numpy(), observations["week"].to_numpy()
    flare = 1.5 + 0.5 * rng.normal(size=(20, size))
    later = (state == "lesional") & (week == 4)
    # What is measured at baseline includes the flare; it is gone at week 4.
    values.loc[(state == "lesional") & (week == 0)] += flare
    drug = (observations["arm"] == "drug").to_numpy() & later
    values.loc[drug] -= 0.3 * (3.0 + 1.5)
    table = index(values, observations, placebo="placebo", bootstrap=10)
    plain, adjusted = (table.loc[table["arm"] == "drug", c].to_numpy() for c in ("ni", "dni"))
    assert plain.mean() > 0.55
    assert adjusted.mean() == pytest.approx(0.3, abs=0.01)


def test_no_signal_gives_no_number():
    names = [f"noise{i}" for i in range(400)]
    values, observations = trial(1.0, names=names, noise=1.0, effect=0.0)
    table = index(values, observations)
    refused = table[table["status"] == "NA"]
    assert len(refused) >= 0.95 * len(table)
    assert set(refused["reason_code"]) <= {"DENOM_NOT_ESTIMABLE", "DIRECTION_CONTRADICTED"}
    assert refused["reason"].str.len().min() > 40
    assert refused[["ni", "lower", "upper", "p_value", "dni", "closeness"]].isna().all(axis=None)
    assert np.isfinite(refused["denominator"].astype(float)).all()


def test_global_index_asks_for_more_than_a_set():
    """An effect of three standard errors is enough for a set, not for the global axis."""
    values, observations = trial(0.5, patients=16)
    start = (observations["week"] == 0) & (observations["state"] == "lesional")
    normal = (observations["state"] == "nonlesional").to_numpy()
    base = values.loc[normal, "first"].to_numpy()
    spread = stats.zscore(np.arange(16.0), ddof=1)
    values.loc[start.to_numpy(), "first"] = base + 3.0 + 4 * spread
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    row = index(values, observations, names=names).set_index("name").loc["first"]
    assert row["denominator"] / row["denominator_se"] == pytest.approx(3.0)
    assert row["status"] == "ok"
    names.loc["first", "level"] = "global"
    row = index(values, observations, names=names).set_index("name").loc["first"]
    assert (row["status"], row["reason_code"]) == ("NA", "DENOM_NOT_ESTIMABLE")
    assert "at least 4 standard errors" in row["reason"]


def test_swapped_labels_are_refused():
    values, observations = trial(0.5)
    other = {"lesional": "nonlesional", "nonlesional": "lesional"}
    start = observations["week"] == 0
    observations.loc[start, "state"] = observations.loc[start, "state"].map(other)
    table = index(values, observations)
    assert set(table["reason_code"]) == {"DIRECTION_CONTRADICTED"}
    assert table["reason"].str.contains("labels are swapped").all()
    assert table["ni"].isna().all()


def test_without_reference_there_is_a_row_and_a_reason():
    values, observations = trial(0.5)
    table = index(values, observations, "healthy")
    assert len(table) == len(NAMES)
    assert set(table["reason_code"]) == {"NO_REFERENCE"}
    assert table["reason"].str.contains("no healthy samples").all()


def test_what_is_refused_beforehand_keeps_its_reason():
    values, observations = trial(0.5)
    values["second"] = np.nan
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    names.loc["third"] = "set", "UNSIGNED", "no direction"
    for reference in ("nonlesional", "healthy"):
        table = index(values, observations, reference, names=names).set_index("name")
        assert table.loc["third", "reason_code"] == "UNSIGNED"
        assert table.loc["third", "reason"] == "no direction"
        assert table.loc["second", "reason_code"] == "NOT_SCORED"
    assert index(values, observations, names=names)["ni"].notna().sum() == 1


def test_a_housekeeping_constant_is_refused():
    values, observations = trial(0.5)
    values["first"] = 8.0 + np.random.default_rng(1).normal(0, 1e-15, len(values))
    row = index(values, observations).set_index("name").loc["first"]
    assert row["reason_code"] == "DENOM_NOT_ESTIMABLE"


@pytest.mark.parametrize(
    ("patients", "status", "interval"),
    [(2, "NA", ""), (5, "exploratory", "fieller"), (6, "ok", "bca")],
)
def test_few_pairs(patients, status, interval):
    values, observations = trial({"drug": 0.5, "placebo": 1.0}, ("drug", "placebo"), noise=0.2)
    late = (observations["arm"] == "drug") & (observations["week"] == 4)
    gone = late & (observations["patient"].str[-2:].astype(int) >= patients).to_numpy()
    table = index(values[~gone].reset_index(drop=True), observations[~gone].reset_index(drop=True))
    rows = table[table["arm"] == "drug"]
    assert set(rows["status"]) == {status}
    assert set(rows["interval"]) == {interval}
    if status == "NA":
        assert set(rows["reason_code"]) == {"TOO_FEW_PAIRS"}
        assert rows["reason"].str.contains("only 2 patients").all()
    else:
        assert rows["lower"].notna().all()


def test_two_observations_of_one_visit_are_refused():
    values, observations = trial(0.5)
    twice = (
        pd.concat([frame, frame.tail(1)], ignore_index=True) for frame in (values, observations)
    )
    with pytest.raises(AdnormError, match="'drug09'.*combine their biopsies"):
        index(*twice)


def test_a_patient_in_two_arms_is_refused():
    values, observations = trial(0.5)
    observations.loc[0, "arm"] = "other"
    with pytest.raises(AdnormError, match="'drug00'.*more than one arm"):
        index(values, observations)


def test_cohort_without_visits_has_columns_and_no_rows():
    values, observations = trial(weeks=())
    table = index(values, observations)
    assert (len(table), list(table.columns)) == (0, COLUMNS)


def test_false_discovery_rate_is_over_the_secondary_names():
    values, observations = trial(0.5, noise=1.0, weeks=(2.0, 4.0), effect=6.0)
    table = index(values, observations)
    primary = table["name"] == "first"
    assert table.loc[primary, "fdr"].isna().all()
    expected = stats.false_discovery_control(table.loc[~primary, "p_value"].to_numpy(dtype=float))
    assert table.loc[~primary, "fdr"].to_numpy() == pytest.approx(expected)


def test_what_a_user_adds_does_not_change_the_rates_of_the_other_names():
    values, observations = trial(0.5, noise=1.0, weeks=(2.0, 4.0), effect=6.0)
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    names["family"] = ["primary", "curated", "added"]
    table = index(values, observations, names=names).set_index(["name", "week"])
    without = index(values[NAMES[:2]], observations, names=names).set_index(["name", "week"])
    second = table.loc[["second"], "fdr"]
    assert second.tolist() == without.loc[["second"], "fdr"].tolist()
    third = table.loc[["third"]]
    assert set(third["family"]) == {"added"}
    expected = stats.false_discovery_control(third["p_value"].to_numpy(dtype=float))
    assert third["fdr"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize("true", [0.0, 0.5, 1.0])
def test_intervals_cover_the_truth(true):
    """200 trials of nine patients in two arms; the kept table of the benchmark has more."""
    names = [f"trial{i}" for i in range(200)]
    remaining = {"drug": 1 - true, "placebo": 1.0}
    values, observations = trial(remaining, ("drug", "placebo"), 9, names=names, noise=0.5, seed=9)
    table = index(values, observations, placebo="placebo", bootstrap=1000)
    drug = table[table["arm"] == "drug"]
    assert (drug["status"] == "ok").all()
    for prefix, low, high in (
        ("ni", "lower", "upper"),
        ("dni", "dni_lower", "dni_upper"),
        ("ni", "fieller_lower", "fieller_upper"),
    ):
        inside = (drug[low] <= true) & (true <= drug[high])
        assert 0.89 <= inside.mean() <= 0.995, prefix
        assert drug[prefix].mean() == pytest.approx(true, abs=0.03)


def test_sixty_names_and_twelve_visits():
    names = [f"set{i}" for i in range(60)]
    remaining = {"drug": 0.5, "placebo": 0.9, "other": 0.2}
    values, observations = trial(
        remaining, tuple(remaining), 11, (2.0, 4.0, 8.0, 12.0), names, noise=0.5
    )
    assert len(values) == 198
    table = index(values, observations, placebo="placebo", bootstrap=2000)
    assert len(table) == 60 * 12
    assert (table["status"] == "ok").all()


# ---------------------------------------------------------------- given the baseline


def compare(start, end, disease=1.0, error=0.0, confidence=0.95):
    """Compare two arms; each argument is a pair of arrays (patients, names)."""
    arms = tuple(Group(np.arange(len(a)), a - b) for a, b in zip(start, end, strict=True))
    names = start[0].shape[1]
    divisor = np.full(names, disease), np.full(names, error)
    return baseline_adjusted(arms, start, *divisor, confidence)


def draw(sizes, ratio, names, seed, effect=0.0, slopes=(0.6, 0.6)):
    """Arms whose residuals have the standard deviations `ratio` and 1, in units of 0.4."""
    rng = np.random.default_rng(seed)
    start = tuple(1 + rng.normal(0, 0.6, (n, names)) for n in sizes)
    end = tuple(
        slope * (x - 1) - gain + 0.4 * spread * rng.normal(size=x.shape)
        for x, slope, gain, spread in zip(start, slopes, (effect, 0), (ratio, 1), strict=True)
    )
    return start, end


def written_out(start, end):
    """Coefficient, standard error and degrees of freedom from the matrices of the model."""
    arm = np.repeat([1.0, 0.0], [len(v) for v in start])
    x, y = np.concatenate(start), np.concatenate(end)
    fitted = sm.OLS(y, np.column_stack([arm, 1 - arm, x])).fit()
    design = fitted.model.exog
    contrast = np.array([1.0, -1.0, 0.0]) @ np.linalg.pinv(design)
    residual = np.eye(len(y)) - design @ np.linalg.pinv(design)
    masks = [arm == 1, arm == 0]
    # Expected sum of squares of arm a by the variance of arm b: tr(M_ab M_ba).
    moments = np.array([[(residual[np.ix_(a, b)] ** 2).sum() for b in masks] for a in masks])
    squares = np.array([(fitted.resid[m] ** 2).sum() for m in masks])
    variances = np.linalg.solve(moments, squares)
    parts = np.array([v * (contrast[m] ** 2).sum() for v, m in zip(variances, masks, strict=True)])
    freedom = [np.trace(residual[np.ix_(m, m)]) for m in masks]
    df = parts.sum() ** 2 / (parts**2 / freedom).sum()
    return -(fitted.params[0] - fitted.params[1]), np.sqrt(parts.sum()), df, variances


@pytest.mark.parametrize("sizes", [(8, 24), (24, 8), (15, 15), (4, 7)])
def test_estimate_error_and_interval_are_those_of_the_matrices(sizes):
    start, end = draw(sizes, 3.0, 5, seed=1, effect=0.3)
    found = compare(start, end, disease=0.8, error=0.1)
    for i in range(5):
        value, error, df, _ = written_out(*([v[:, i] for v in vs] for vs in (start, end)))
        assert found.value[i] == pytest.approx(value / 0.8)
        assert found.p_value[i] == pytest.approx(2 * stats.t.sf(abs(value) / error, df))
        t2 = stats.t.ppf(0.975, df) ** 2
        a, b = 0.8**2 - t2 * 0.1**2, value * 0.8
        root = np.sqrt(b**2 - a * (value**2 - t2 * error**2))
        assert found.lower[i] == pytest.approx((b - root) / a)
        assert found.upper[i] == pytest.approx((b + root) / a)


def test_without_differences_at_baseline_it_is_welchs_test():
    start, end = draw((7, 19), 2.5, 4, seed=2)
    start = tuple(np.ones_like(v) for v in start)
    expected = stats.ttest_ind(*(a - b for a, b in zip(start, end, strict=True)), equal_var=False)
    found = compare(start, end)
    assert found.p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert found.lower == pytest.approx(low) and found.upper == pytest.approx(high)


def test_variances_of_the_arms_are_unbiased():
    start, end = draw((6, 18), 4.0, 20_000, seed=3)
    centred = [v - v.mean(axis=0) for v in start]
    own = np.stack([(v**2).sum(axis=0) for v in centred])
    falls = [v - v.mean(axis=0) for v in end]
    slope = sum((u * v).sum(axis=0) for u, v in zip(centred, falls, strict=True)) / own.sum(axis=0)
    left = [((v - slope * u) ** 2).sum(axis=0) for u, v in zip(centred, falls, strict=True)]
    found = residual_variances(np.stack(left), np.array([[6.0], [18.0]]), own / own.sum(axis=0))
    assert found.mean(axis=1) == pytest.approx([1.6**2, 0.4**2], rel=0.02)


def test_with_many_patients_it_is_the_robust_error_of_statsmodels():
    start, end = draw((400, 1200), 4.0, 1, seed=4, effect=0.1)
    arm = np.repeat([1.0, 0.0], [400, 1200])
    x, y = (np.concatenate(v)[:, 0] for v in (start, end))
    robust = sm.OLS(y, np.column_stack([np.ones(len(y)), x, arm])).fit(cov_type="HC3", use_t=True)
    found = compare(start, end)
    assert found.value[0] == pytest.approx(-robust.params[2])
    assert (found.upper - found.lower)[0] == pytest.approx(
        float(np.diff(robust.conf_int()[2])[0]), rel=0.02
    )


@pytest.mark.parametrize("sizes", [(8, 24), (10, 30), (15, 15), (24, 8), (6, 18)])
@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("slopes", [(0.6, 0.6), (0.9, 0.3)], ids=["one slope", "two slopes"])
def test_five_per_cent_whatever_the_size_and_spread_of_the_arms(sizes, ratio, slopes):
    start, end = draw(sizes, ratio, 20_000, seed=5, slopes=slopes)
    found = compare(start, end)
    assert 3.5 < 100 * (found.p_value < 0.05).mean() < 6.5
    assert 3.5 < 100 * ((found.lower > 0) | (found.upper < 0)).mean() < 6.5


@pytest.mark.parametrize("sizes", [(3, 3), (3, 9)])
def test_the_fewest_patients_have_a_finite_answer(sizes):
    found = compare(*draw(sizes, 1.0, 2000, seed=6))
    assert np.isfinite(found.p_value).all() and ((0 < found.p_value) & (found.p_value <= 1)).all()
    assert (found.p_value < 0.05).mean() < 0.09


def test_no_noise_at_all_is_certain():
    start = tuple(np.array([[1.0], [2.0], [4.0], [3.0]]) for _ in range(2))
    same = compare(start, tuple(0.5 * v for v in start))
    assert same.value == pytest.approx(0.0, abs=1e-12)
    moved = compare(start, (0.5 * start[0] - 1, 0.5 * start[1]))
    assert moved.value == pytest.approx(1.0)
    assert moved.lower == pytest.approx(1.0) and moved.upper == pytest.approx(1.0)
