"""The normalization index: what it must be by definition, and what it must never say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from adnorm.base.errors import AdnormError
from adnorm.index.normalization import COLUMNS, label_swap, plan_of
from adnorm.study.config import IndexSettings
from adnorm.study.validation import check
from adnorm.study.vocabulary import Multiplicity
from builders.score_trials import NAMES, both_tables, cell, index, trial, without


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
    assert table[["lower", "upper"]].to_numpy() == pytest.approx(1)
    assert set(table["as_reference"]) == {"yes"}
    for name, found in table.set_index("name")["p_value"].items():
        disease = (
            values.loc[~normal & ~later, name].to_numpy() - values.loc[normal, name].to_numpy()
        )
        assert found == pytest.approx(stats.ttest_1samp(disease, 0).pvalue)


@pytest.mark.parametrize(
    ("remaining", "expected"), [(0.5, 0.5), (1.4, -0.4), (-0.25, 1.25), (0.9, 0.1)]
)
def test_a_share_of_the_way_back_is_that_share_and_is_never_clipped(remaining, expected):
    table = index(*trial(remaining=remaining))
    assert table["ni"].to_numpy() == pytest.approx(expected)


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
    table, denominators = both_tables(values, observations)
    row, effect = table.iloc[0], denominators.iloc[0]
    assert effect["denominator"] == pytest.approx(30 / 3)
    assert effect["standard_error"] == pytest.approx(stats.sem([9, 10, 11]))
    interval = stats.ttest_1samp([9, 10, 11], 0).confidence_interval(0.95)
    assert effect[["lower", "upper"]].tolist() == pytest.approx(list(interval))
    assert row["ni"] == pytest.approx((6 + 3 + 10) / 30)
    assert (row["pairs"], row["status"]) == (3, "exploratory")
    assert row["reason"] == "exploratory: the smallest group has 3 people"
    assert row["p_value"] == pytest.approx(stats.ttest_1samp([6, 3, 10], 0).pvalue)


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


def test_the_interval_is_the_paired_closed_form():
    values, observations = trial(remaining=0.4, noise=0.5)
    row = index(values, observations).set_index("name").loc["second"]
    by = [cell(values, observations, "second", state, week).to_numpy()
          for state, week in (("lesional", 0), ("lesional", 4), ("nonlesional", 0))]  # fmt: skip
    for limit in (row["lower"], row["upper"]):
        rest = (by[0] - by[1]) - limit * (by[0] - by[2])
        assert stats.ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)
    fall, disease = by[0] - by[1], by[0] - by[2]
    expected = stats.sem(fall - row["ni"] * disease) / disease.mean()
    assert row["standard_error"] == pytest.approx(expected)


def numbers(table):
    return table[["ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"]].to_numpy(
        dtype=float
    )


@pytest.fixture(scope="module")
def controlled():
    return trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.4, healthy=8)


@pytest.mark.parametrize("unit", [7.5, 0.01])
@pytest.mark.parametrize("reference", ["nonlesional", "healthy"])
def test_constants_and_units_do_not_matter(controlled, reference, unit):
    values, observations = controlled
    plain = index(values, observations, reference, "placebo")
    moved = index(values * unit + [3.0, -2.0, 100.0], observations, reference, "placebo")
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


def test_same_scores_same_bytes(controlled):
    assert index(*controlled).to_csv() == index(*controlled).to_csv()


def test_only_patients_with_both_samples_are_among_observed_pairs():
    values, observations = trial({"drug": 0.5, "placebo": 1.0}, ("drug", "placebo"))
    gone = (observations["week"] == 4) & observations["patient"].isin(["drug00", "drug01"])
    table = index(*without(values, observations, gone), analysis="observed_pairs")
    row = table[(table["arm"] == "drug") & (table["name"] == "first")].iloc[0]
    assert (row["pairs"], row["lost"], row["estimator"]) == (8, 2, "observed pairs")
    start = (observations["week"] == 0) & (observations["state"] == "lesional")
    normal = observations["state"] == "nonlesional"
    disease = values["first"][start].to_numpy() - values["first"][normal].to_numpy()
    # The drug arm comes first: patients 2 to 9 stay, all 20 are in the denominator.
    assert row["ni"] == pytest.approx(0.5 * disease[2:10].mean() / disease.mean())


def test_completers_leave_out_who_misses_any_visit():
    values, observations = trial(0.5, weeks=(2.0, 4.0), noise=0.3)
    gone = (observations["week"] == 4) & (observations["patient"] == "drug03")
    values, observations = without(values, observations, gone)
    tables = {a: index(values, observations, analysis=a) for a in ("primary", "completers")}
    pairs = {a: table.groupby("week")["pairs"].first().tolist() for a, table in tables.items()}
    assert pairs == {"primary": [10, 9], "completers": [9, 9]}
    estimators = {a: set(table["estimator"]) for a, table in tables.items()}
    assert estimators == {"primary": {"MMRM"}, "completers": {"observed pairs"}}


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


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "visits missing"])
def test_unadjusted_placebo_is_subtracted(missing):
    values, observations = trial(
        {"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), weeks=(4.0, 12.0), noise=0.2
    )
    gone = (observations["week"] == 12) & observations["patient"].isin(["drug01", "placebo05"])
    values, observations = without(values, observations, gone & missing)
    table = index(values, observations, placebo="placebo", analysis="unadjusted")
    assert set(table["estimator"]) == {"MMRM" if missing else "observed pairs"}
    table = table[table["week"] == 12].set_index(["arm", "name"])
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
        assert row["dni"] == pytest.approx(-fitted.params[2] / disease.mean())
        assert row["dni_lower"] < row["dni"] < row["dni_upper"]
        # The arms are equal in size and spread, where one variance is right as well.
        assert np.log(row["p_value"] / fitted.pvalues[2]) == pytest.approx(0, abs=0.5)
        assert (row["tested"], table.loc[("placebo", name), "tested"]) == ("dNI", "NI")
    assert table.loc["placebo", "dni"].isna().all()


def test_ancova_frees_the_difference_of_unequal_flares():
    """A useless drug; who starts in a flare falls back. The adjusted difference scatters less."""
    rng = np.random.default_rng(8)
    names = [f"trial{i}" for i in range(300)]
    values, observations = trial(1.0, ("drug", "placebo"), 12, names=names, noise=0.2, seed=7)
    start = (observations["state"] == "lesional") & (observations["week"] == 0)
    values.loc[start] += 2 * rng.normal(size=(24, 300))
    tables = {
        analysis: index(values, observations, placebo="placebo", analysis=analysis)
        for analysis in ("primary", "unadjusted")
    }
    plain, drug = (
        tables[analysis][(table["arm"] == "drug") & table["dni"].notna()]
        for analysis, table in (
            ("unadjusted", tables["unadjusted"]),
            ("primary", tables["primary"]),
        )
    )
    assert len(drug) > 200
    assert drug["dni"].mean() == pytest.approx(0, abs=0.03)
    assert drug["dni"].std() < 0.7 * plain["dni"].std()
    assert (drug["p_value"] < 0.05).mean() < 0.1


def test_a_difference_whose_interval_is_unbounded_is_no_number():
    """With three placebo patients the index is bounded where the difference may not be."""
    found = []
    for seed in range(20):
        values, observations = trial(
            1.0, ("drug", "placebo"), 4, names=["first"], effect=1.0, seed=seed
        )
        gone = (observations["patient"] == "placebo00") & (observations["week"] == 4)
        values, observations = without(values, observations, gone)
        late = observations["week"] == 4
        # All patients move alike, so that the signal is sound; placebo scatters a little.
        values[late] -= 2.0
        scatter = np.random.default_rng(seed).normal(0, 0.3, size=3)
        values.loc[late & (observations["arm"] == "placebo"), "first"] += scatter
        found.append(index(values, observations, placebo="placebo", analysis="observed_pairs"))
    table = pd.concat(found)
    for value, lower, upper in (
        ("ni", "lower", "upper"),
        ("dni", "dni_lower", "dni_upper"),
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
    table = index(*without(values, observations, ~small), placebo="placebo", names=names)
    lacking = table[table["dni"].isna()]
    assert ((lacking["reason"] != "") | (lacking["dni_reason"] != "")).all()
    assert (table["dni_reason_code"] == "").all()
    assert set(table.loc[table["arm"] == "placebo", "dni_reason"]) == {"this is the placebo arm"}
    drug = table[table["arm"] == "drug"].set_index("name")
    assert drug["dni_reason"].str.startswith("exploratory").tolist() == [True, False, True]


def test_placebo_without_the_visit_is_said():
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"))
    gone = (observations["arm"] == "placebo") & (observations["week"] == 4)
    table = index(*without(values, observations, gone), placebo="placebo")
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
    table = index(values, observations, placebo="placebo")
    plain, adjusted = (table.loc[table["arm"] == "drug", c].to_numpy() for c in ("ni", "dni"))
    assert plain.mean() > 0.55
    assert adjusted.mean() == pytest.approx(0.3, abs=0.01)


def test_no_signal_gives_no_number():
    names = [f"noise{i}" for i in range(400)]
    values, observations = trial(1.0, names=names, noise=1.0, effect=0.0)
    table, denominators = both_tables(values, observations)
    refused = table[table["status"] == "NA"]
    assert len(refused) >= 0.95 * len(table)
    assert set(refused["reason_code"]) <= {"DENOM_NOT_ESTIMABLE", "DIRECTION_CONTRADICTED"}
    assert refused["reason"].str.len().min() > 40
    assert refused[["ni", "lower", "upper", "p_value", "dni"]].isna().all(axis=None)
    assert (refused["as_reference"] == "").all()
    numbers = ["denominator", "standard_error", "lower", "upper"]
    assert np.isfinite(denominators[numbers].to_numpy(dtype=float)).all()


@pytest.mark.parametrize(
    ("strength", "status", "said"),
    [
        (4.9, "NA", "4.9 standard errors away from the reference, 5 are required"),
        (5.1, "exploratory", "5.1 standard errors away"),
        (5.9, "exploratory", "5.9 standard errors away from the reference, 6 are"),
        (6.1, "ok", ""),
    ],
)
@pytest.mark.parametrize("level", ["global", "set"])
def test_a_weak_signal_gives_no_number_and_a_middling_one_an_exploratory_number(
    strength, status, said, level
):
    """No change at all, so that the signal is the disease effect over its standard error."""
    values, observations = trial(1.0, patients=16)
    spread = stats.zscore(np.arange(16.0), ddof=1)
    normal = (observations["state"] == "nonlesional").to_numpy()
    base = values.loc[normal, "first"].to_numpy()
    for week in (0, 4):
        lesional = (~normal) & (observations["week"] == week).to_numpy()
        values.loc[lesional, "first"] = base + strength + 4 * spread
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    names.loc["first", "level"] = level
    table, denominators = both_tables(values, observations, names=names)
    row = table.set_index("name").loc["first"]
    effect = denominators.set_index("name").loc["first"]
    assert effect["denominator"] / effect["standard_error"] == pytest.approx(strength)
    assert (row["status"], row["reason"].endswith(said) or said in row["reason"]) == (status, True)
    assert np.isfinite(row["ni"]) == (status != "NA")
    assert row["reason_code"] == ("DENOM_NOT_ESTIMABLE" if status == "NA" else "")
    assert (row["reason"] == "") == (status == "ok")


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


def test_a_refused_name_leaves_the_model_of_missing_visits_to_the_others():
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.3)
    gone = (observations["week"] == 4) & (observations["patient"] == "drug01")
    values, observations = without(values, observations, gone)
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    names.loc["third"] = "set", "UNSIGNED", "no direction"
    table, whole = (index(values, observations, placebo="placebo", names=n) for n in (names, None))
    others = (table["name"] != "third") & (table["arm"] == "drug")
    columns = ["estimator", "ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value"]
    pd.testing.assert_frame_equal(table.loc[others, columns], whole.loc[others, columns])
    assert set(table.loc[others, "estimator"]) == {"MMRM"}


@pytest.mark.parametrize(("randomised", "estimator"), [(True, "MMRM"), (False, "observed pairs")])
def test_a_row_is_of_the_model_where_an_arm_that_it_compares_lacks_a_visit(randomised, estimator):
    values, observations = trial({"drug": 0.3, "placebo": 0.8}, ("drug", "placebo"), noise=0.3)
    gone = (observations["week"] == 4) & (observations["patient"] == "placebo01")
    table = index(*without(values, observations, gone), placebo="placebo", randomised=randomised)
    assert set(table.loc[table["arm"] == "drug", "estimator"]) == {estimator}
    assert set(table.loc[table["arm"] == "placebo", "estimator"]) == {"MMRM"}


def test_a_housekeeping_constant_is_refused():
    values, observations = trial(0.5)
    values["first"] = 8.0 + np.random.default_rng(1).normal(0, 1e-15, len(values))
    row = index(values, observations).set_index("name").loc["first"]
    assert row["reason_code"] == "DENOM_NOT_ESTIMABLE"


@pytest.mark.parametrize("analysis", ["primary", "observed_pairs"])
@pytest.mark.parametrize(("patients", "status"), [(2, "NA"), (5, "exploratory"), (6, "ok")])
def test_few_pairs(patients, status, analysis):
    """A model of all visits has more patients, but few of them were seen at the visit."""
    values, observations = trial({"drug": 0.5, "placebo": 1.0}, ("drug", "placebo"), noise=0.2)
    late = (observations["arm"] == "drug") & (observations["week"] == 4)
    gone = late & (observations["patient"].str[-2:].astype(int) >= patients).to_numpy()
    table = index(*without(values, observations, gone), placebo="placebo", analysis=analysis)
    rows = table[table["arm"] == "drug"]
    assert set(rows["status"]) == {status}
    said = rows["dni_reason"].str.startswith("exploratory: a group has fewer than 6")
    assert said.all() == (status == "exploratory")
    if status == "NA":
        assert set(rows["reason_code"]) == {"TOO_FEW_PAIRS"}
        assert rows["reason"].str.contains("only 2 patients").all()
    else:
        assert rows["lower"].notna().all()


@pytest.mark.parametrize(("people", "status"), [(5, "exploratory"), (6, "ok")])
def test_few_healthy_people_make_the_index_of_many_patients_exploratory(people, status):
    table = index(*trial(0.5, noise=0.2, healthy=people), "healthy")
    assert set(table["status"]) == {status}
    said = "exploratory: the smallest group has 5 people"
    assert set(table["reason"]) == ({said} if people == 5 else {""})


@pytest.mark.parametrize(("pairs", "status"), [(5, "exploratory"), (6, "ok")])
def test_patients_without_a_baseline_are_no_pairs_though_the_model_takes_them(pairs, status):
    values, observations = trial(0.5, ("drug", "other"), noise=0.2)
    start = (observations["state"] == "lesional") & (observations["week"] == 0)
    gone = start & (observations["arm"] == "drug")
    gone &= observations["patient"].str[-2:].astype(int) >= pairs
    table = index(*without(values, observations, gone)).query("arm == 'drug'")
    assert set(table["estimator"]) == {"MMRM"} and set(table["pairs"]) == {pairs}
    assert set(table["status"]) == {status}


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
    table = index(values, observations, placebo="placebo")
    drug = table[table["arm"] == "drug"]
    assert (drug["status"] == "ok").all()
    for prefix, low, high in (("ni", "lower", "upper"), ("dni", "dni_lower", "dni_upper")):
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
    table = index(values, observations, placebo="placebo")
    assert len(table) == 60 * 12
    assert (table["status"] == "ok").all()


# ---------------------------------------------------------------- interval, p-value, plan


@pytest.mark.parametrize("analysis", ["primary", "unadjusted"])
def test_intervals_and_p_values_of_the_index_never_contradict_each_other(analysis):
    names = [f"trial{i}" for i in range(150)]
    remaining = {"drug": 0.8, "placebo": 1.0}
    values, observations = trial(
        remaining, tuple(remaining), 7, (4.0, 12.0), names, noise=0.7, effect=2.5
    )
    gone = (observations["week"] == 12) & observations["patient"].isin(["drug03", "placebo01"])
    table = index(*without(values, observations, gone), placebo="placebo", analysis=analysis).query(
        "ni == ni"
    )
    assert set(table["estimator"]) == {"MMRM"}
    for tested, lower, upper in (("NI", "lower", "upper"), ("dNI", "dni_lower", "dni_upper")):
        rows = table[table["tested"] == tested]
        off_zero = (rows[lower] > 0) | (rows[upper] < 0)
        assert 0.02 < off_zero.mean() < 0.98
        assert (off_zero == (rows["p_value"] < 0.05)).all()


def hypotheses(**changes):
    """Rows as the plan takes them: p-values of two doses, two visits and two names."""
    rows = [
        (arm, week, name)
        for arm in ("drug 10 mg", "drug 100 mg")
        for week in (4.0, 16.0)
        for name in ("global", "first")
    ]
    table = pd.DataFrame(rows, columns=["arm", "week", "name"])
    table["p_value"] = [0.03, 0.5, 0.01, 0.04, 0.002, 0.02, 0.001, 0.012]
    return table.assign(family="primary", **changes).sample(frac=1, random_state=1)


def test_holm_is_that_of_statsmodels():
    table = hypotheses()
    plan = plan_of(table, IndexSettings(primary=("global", "first")))
    expected = multipletests(table["p_value"], method="holm")[1]
    assert plan.loc[table.index, "adjusted_p_value"].tolist() == pytest.approx(expected.tolist())
    steps = table["p_value"].rank().tolist()
    assert plan.loc[table.index, "step"].tolist() == steps


def test_fixed_sequence_is_the_largest_p_value_up_to_the_step():
    """Higher dose (by number, not by text), then later visit, then the order of the setting."""
    settings = IndexSettings(primary=("first", "global"), multiplicity=Multiplicity.FIXED_SEQUENCE)
    table = hypotheses()
    plan = table.join(plan_of(table, settings)).sort_values("step")
    order = list(plan[["arm", "week", "name"]].itertuples(index=False, name=None))
    assert order == [
        (arm, week, name)
        for arm in ("drug 100 mg", "drug 10 mg")
        for week in (16.0, 4.0)
        for name in ("first", "global")
    ]
    p_values = [0.012, 0.001, 0.02, 0.002, 0.04, 0.01, 0.5, 0.03]
    assert plan["p_value"].tolist() == p_values
    assert plan["adjusted_p_value"].tolist() == [0.012, 0.012, 0.02, 0.02, 0.04, 0.04, 0.5, 0.5]
    assert plan["step"].tolist() == list(range(1, 9))


def test_the_plan_is_a_word_of_the_configuration():
    for word in ("holm", "fixed_sequence"):
        assert check(IndexSettings, {"multiplicity": word}, "config.yaml").multiplicity == word
    with pytest.raises(AdnormError, match="bonferroni"):
        check(IndexSettings, {"multiplicity": "bonferroni"}, "config.yaml")


@pytest.mark.parametrize("multiplicity", list(Multiplicity))
def test_what_is_not_in_the_family_or_has_no_p_value_is_not_in_the_plan(multiplicity):
    table = hypotheses()
    table.loc[0, "family"] = "secondary"
    table.loc[3, "p_value"] = np.nan
    settings = IndexSettings(primary=("global", "first"), multiplicity=multiplicity)
    plan = plan_of(table, settings)
    assert sorted(plan.index) == [1, 2, 4, 5, 6, 7]
    rest = plan_of(table.loc[sorted(plan.index)], settings)
    pd.testing.assert_frame_equal(rest.sort_index(), plan.sort_index())
    assert plan["adjusted_p_value"].max() <= 1


def test_families_are_of_drugs_and_the_rates_are_of_the_difference_from_placebo():
    names = pd.DataFrame(
        {"level": ["set", "set", "published_axis"], "reason_code": "", "reason": ""}, index=NAMES
    )
    remaining = {"drug": 0.7, "placebo": 1.0, "untreated": 1.0}
    values, observations = trial(remaining, tuple(remaining), 9, (4.0, 12.0), noise=0.7)
    table = index(values, observations, placebo="placebo", names=names)
    idle = table["arm"].isin(["placebo", "untreated"]) | (table["name"] == "third")
    assert set(table.loc[idle, "family"]) == {"none"}
    assert table.loc[idle, ["step", "adjusted_p_value", "fdr"]].isna().all(axis=None)
    first, second = (table[~idle & (table["name"] == name)] for name in NAMES[:2])
    assert (set(first["family"]), set(second["family"])) == ({"primary"}, {"secondary"})
    assert set(table.loc[~idle, "tested"]) == {"dNI"}
    expected = stats.false_discovery_control(second["p_value"].to_numpy())
    assert second["fdr"].to_numpy() == pytest.approx(expected)
    assert sorted(first["step"]) == [1, 2] and first["fdr"].isna().all()
    holm = multipletests(first["p_value"], method="holm")[1]
    assert first["adjusted_p_value"].to_numpy() == pytest.approx(holm)


def test_as_reference_follows_its_margin():
    values, observations = trial(0.1, noise=0.3, patients=14)
    wide, narrow = (
        set(index(values, observations, equivalence_margin=m)["as_reference"]) for m in (0.4, 0.02)
    )
    assert (wide, narrow) == ({"yes"}, {"no"})


# ---------------------------------------------------------------- arms that were not randomised


def test_arms_that_were_not_randomised_have_their_own_disease_effect():
    values, observations = trial({"drug": 0.5, "placebo": 0.9}, ("drug", "placebo"), noise=0.2)
    table, effects = both_tables(values, observations, placebo="placebo", randomised=False)
    assert sorted(zip(effects["arm"], effects["name"], strict=True)) == [
        (arm, name) for arm in ("drug", "placebo") for name in NAMES
    ]
    for arm in ("drug", "placebo"):
        own = (observations["arm"] == arm).to_numpy()
        alone, effect = both_tables(
            values[own].reset_index(drop=True), observations[own].reset_index(drop=True)
        )
        columns = ["ni", "lower", "upper", "standard_error", "pairs", "status"]
        found = table[table["arm"] == arm].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[columns], alone[columns])
        columns = ["denominator", "standard_error", "lower", "upper", "people", "status"]
        found = effects[effects["arm"] == arm].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[columns], effect[columns])
    assert table["dni"].isna().all()
    drug = table["arm"] == "drug"
    assert set(table.loc[drug, "dni_reason_code"]) == {"NOT_RANDOMISED"}
    assert table.loc[drug, "dni_reason"].str.contains("not randomised").all()
    assert set(table.loc[~drug, "dni_reason"]) == {"this is the placebo arm"}
    together = both_tables(values, observations, placebo="placebo")[0]
    assert (together["ni"] - table["ni"]).abs().min() > 1e-4
    assert together.loc[drug, "dni"].notna().all()


def test_one_arm_rests_on_the_disease_effect_of_the_cohort_randomised_or_not():
    made = trial(0.5, noise=0.2, healthy=8)
    for reference in ("nonlesional", "healthy"):
        tables, others = (both_tables(*made, reference, randomised=r) for r in (True, False))
        for table, other in zip(tables, others, strict=True):
            pd.testing.assert_frame_equal(table, other)
        assert set(tables[1]["arm"]) == {""}


@pytest.mark.parametrize("randomised", [True, False])
def test_a_disease_effect_is_ok_where_a_number_rests_on_it_and_else_has_the_reason(randomised):
    names = pd.DataFrame({"level": "set", "reason_code": "", "reason": ""}, index=NAMES)
    names.loc["third", ["reason_code", "reason"]] = "UNSIGNED", "no direction"
    values, observations = trial(1.0, ("drug", "other"), 8, (4.0, 12.0), noise=0.3)
    # One name is too weak in one of the arms only.
    weak = (observations["arm"] == "other") & (observations["state"] == "lesional")
    values.loc[weak.to_numpy(), "second"] -= 2.9
    late = (observations["arm"] == "other") & (observations["week"] == 12)
    late &= observations["patient"] != "other01"
    table, effects = both_tables(
        *without(values, observations, late), names=names, randomised=randomised
    )
    assert (effects["status"] == "NA").any() and (effects["status"] == "ok").any()
    for row in effects.itertuples(index=False):
        rows = table[(table["name"] == row.name) & table["arm"].isin([row.arm or "drug", "other"])]
        rows = rows[(rows["arm"] == row.arm) | (row.arm == "")]
        assert (row.status == "ok") == rows["ni"].notna().any()
        assert (row.reason_code == "") == (row.reason == "") == (row.status == "ok")
        if row.status == "NA":
            said = set(zip(rows["reason_code"], rows["reason"], strict=True))
            assert (row.reason_code, row.reason) in said
            # Few patients at one visit are not what is wrong with the effect.
            assert row.reason_code != "TOO_FEW_PAIRS"


@pytest.mark.parametrize("randomised", [True, False])
def test_without_visits_the_disease_effects_stand_and_say_that_nothing_rests_on_them(randomised):
    table, effects = both_tables(*trial(weeks=()), randomised=randomised)
    assert table.empty and effects["name"].tolist() == NAMES
    assert np.isfinite(effects["denominator"].astype(float)).all()
    assert set(effects["reason"]) == {"no lesional samples after baseline"}
    assert set(effects["status"]) == {"NA"}


# ---------------------------------------------------------------- label swap


@pytest.mark.parametrize(
    ("against", "sound", "swapped"), [(3, 2, True), (2, 0, False), (3, 3, False)]
)
def test_labels_look_exchanged_where_three_sets_and_most_run_against_their_direction(
    against, sound, swapped
):
    """A set without all scores has no part in it."""
    sets = [f"set{i}" for i in range(against + sound)]
    values, observations = trial(names=[*sets, "unknown"], noise=0.2)
    values[sets[:against]] *= -1
    values["unknown"] *= -1
    values.loc[4, "unknown"] = np.nan
    names = pd.DataFrame({"reason_code": "", "reason": ""}, index=values.columns)
    said = label_swap(values, names, observations, "nonlesional", 0.95)
    expected = (
        f"{against} of {against + sound} gene sets with a direction run against it at baseline and "
        f"{sound} with it: lesional and nonlesional labels look exchanged"
    )
    assert said == (expected if swapped else "")


# ---------------------------------------------------------------- signal of all arms


@pytest.mark.parametrize("patients", [9, 15])
def test_a_drug_that_does_what_placebo_does_is_not_selected_by_how_it_came_out(patients):
    """A rule that asks the arm alone keeps drugs whose lesions are high at the visit."""
    names = [f"set{i}" for i in range(2500)]
    made = trial(1.0, ("drug", "placebo"), patients, names=names, noise=0.7, effect=1.2, seed=3)
    table = index(*made, placebo="placebo")
    drug = table[table["arm"] == "drug"]
    for rows in (drug[drug["ni"].notna()], drug[drug["status"] == "ok"]):
        assert 100 < len(rows) < 2400
        assert rows["dni"].median() == pytest.approx(0, abs=0.03)
        assert rows["ni"].median() == pytest.approx(0, abs=0.03)


def test_which_names_get_a_number_does_not_depend_on_who_is_in_which_arm():
    names = [f"set{i}" for i in range(200)]
    values, observations = trial(0.8, ("drug", "placebo"), 8, names=names, noise=0.9, effect=1.5)
    other = {f"{arm}{i:02d}": "drug" if i % 2 else "placebo" for arm in ("drug", "placebo")
             for i in range(8)}  # fmt: skip
    dealt = observations.assign(arm=observations["patient"].map(other))
    found = [
        set(table.loc[table["reason"].str.contains("standard errors away"), "name"])
        for table in (index(values, o, placebo="placebo") for o in (observations, dealt))
    ]
    assert found[0] == found[1] and 20 < len(found[0]) < 200
