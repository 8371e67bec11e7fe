"""The normalization index: what it must be by definition, and what it must never say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.index.composition import adjust_for_composition
from adnorm.index.estimability import judge_denominator
from adnorm.index.groups import Group
from adnorm.index.normalization import COLUMNS, normalization_index

SETTINGS = {"bootstrap": 400, "confidence": 0.95, "primary": ["global", "first"]}
NAMES = ["first", "second", "third"]


def trial(
    remaining=1.0,
    arms=("drug",),
    patients=10,
    weeks=(4.0,),
    names=NAMES,
    noise=0.0,
    healthy=0,
    effect=3.0,
    seed=0,
):
    """A trial in which a share `remaining` (by arm or one for all) of the effect is left."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    size = len(names)
    for arm in arms:
        left = remaining[arm] if isinstance(remaining, dict) else remaining
        for i in range(patients):
            patient = f"{arm}{i:02d}"
            normal = rng.normal(0, 1, size)
            disease = effect + rng.normal(0, 0.8, size)
            found = [("nonlesional", 0.0, normal), ("lesional", 0.0, normal + disease)]
            found += [("lesional", week, normal + left * disease) for week in weeks]
            for state, week, value in found:
                rows.append((patient, state, week, arm))
                values.append(value + noise * rng.normal(0, 1, size))
    for i in range(healthy):
        rows.append((f"healthy{i:02d}", "healthy", 0.0, "healthy"))
        values.append(rng.normal(-0.5, 0.5, size))
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    return pd.DataFrame(np.array(values), columns=names), observations


def index(values, observations, reference="nonlesional", placebo="", names=None, **changes):
    settings = SETTINGS | {k: v for k, v in changes.items() if k in SETTINGS}
    analysis = changes.get("analysis", "primary")
    return normalization_index(
        values, observations, reference, placebo, settings, 1, names, analysis
    )


# ---------------------------------------------------------------- by definition


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


# ---------------------------------------------------------------- invariance


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


# ---------------------------------------------------------------- patients


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


# ---------------------------------------------------------------- refusals


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


# ---------------------------------------------------------------- calibration and speed


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


# ---------------------------------------------------------------- composition


def test_composition_is_taken_out_without_the_disease():
    """A score that follows T cells among like biopsies loses that part and keeps its own."""
    values, observations = trial(0.5, patients=30, names=["own", "cells"], noise=0.2)
    rng = np.random.default_rng(2)
    cells = pd.DataFrame({"comp_tcell": rng.normal(0, 1, len(values))})
    lesional = (observations["state"] == "lesional") & (observations["week"] == 0)
    cells.loc[lesional, "comp_tcell"] += 2.0
    values["cells"] = 1.5 * cells["comp_tcell"] + 0.1 * rng.normal(size=len(values))
    adjusted = adjust_for_composition(values, observations, cells)
    correlation = np.corrcoef(adjusted["cells"], cells["comp_tcell"])[0, 1]
    assert abs(correlation) < 0.3
    assert adjusted["cells"].std() < 0.3
    kept = index(adjusted[["own"]], observations)["ni"].iloc[0]
    assert kept == pytest.approx(0.5, abs=0.1)


def test_too_few_observations_are_not_adjusted():
    values, observations = trial(0.5, patients=3)
    assert adjust_for_composition(values, observations, values) is None


@pytest.mark.parametrize(
    ("ratio", "asked", "absent"),
    [
        (2.3, "at least 2.5 standard errors are asked, it is 2.3", "bound"),
        (1.0, "at least 2.5 standard errors are asked, it is 1.0; a lower", "above the"),
        (1.0, "a lower 95% bound above 0 is asked, it is -", "rounding"),
    ],
)
def test_a_refused_disease_effect_says_by_which_rule(ratio, asked, absent):
    size = 40
    noise = np.random.default_rng(1).normal(size=(size, 1))
    noise = (noise - noise.mean()) / (noise.std(ddof=1) / np.sqrt(size))
    group = Group(np.arange(size), noise + ratio)
    scale = np.array([10.0])
    judged = judge_denominator([group], np.zeros(size, int), ["set"], "nonlesional", scale, 0.95)
    assert judged.code == ["DENOM_NOT_ESTIMABLE"]
    assert asked in judged.reason[0] and absent not in judged.reason[0]
