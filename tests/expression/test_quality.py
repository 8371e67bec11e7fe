"""Quality: outliers, sex, swaps, duplicates, and what the configuration excludes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.quality import (
    assess_quality,
    below_library_limit,
    call_sex,
    correlation_deviation,
    correlation_within_group,
    correlations,
    duplicate_groups,
    library_table,
    pca_deviation,
    peers_of,
    principal_components,
    products_of,
    robust_deviation,
)
from adnorm.study.config import ExpressionSettings

SETTINGS = ExpressionSettings(small_library=2000)
GENES = [f"G{i}" for i in range(400)]


def make_cohort(samples=24, seed=5):
    """Log2 expression of healthy-looking samples: 6 patients × 2 states × 2 weeks."""
    random = np.random.default_rng(seed)
    base = random.normal(7, 2, size=(400, 1))
    log2 = pd.DataFrame(
        base + random.normal(0, 0.3, size=(400, samples)),
        index=GENES,
        columns=[f"S{i:02d}" for i in range(samples)],
    )
    number = np.arange(samples)
    sheet = pd.DataFrame(
        {
            "sample": log2.columns,
            "patient": [f"P{n // 4}" for n in number],
            "state": np.where(number % 2, "lesional", "nonlesional"),
            "arm": "untreated",
            "week": np.where(number % 4 < 2, 0.0, 4.0),
        }
    )
    return log2, sheet


def assess(log2, sheet, scale="log2", **changes):
    libraries = library_table(log2, log2.sum(), scale)
    table = assess_quality(sheet, log2, log2, libraries, scale, SETTINGS.model_copy(update=changes))
    return table.set_index("sample", drop=False)


def with_sex(log2, female):
    """Add XIST and two Y genes; `female` says it per sample."""
    female = np.asarray(female)
    rows = pd.DataFrame(
        [np.where(female, 10.0, 3.0), np.where(female, 3.0, 10.5), np.where(female, 3.5, 9.0)],
        index=["XIST", "RPS4Y1", "DDX3Y"],
        columns=log2.columns,
    )
    return pd.concat([log2, rows])


def test_ordinary_samples_are_not_flagged():
    table = assess(*make_cohort())
    assert " ".join(table) == (
        "sample patient state arm week library_size detected_genes correlation_within_group "
        "pca_distance lesional_place sex_called flags excluded reason not_computed"
    )
    assert (table["flags"] == "").all()
    assert (table["reason"] == "").all()
    assert (table["excluded"] == "no").all()
    assert table["sex_called"].unique().tolist() == ["not called"]
    assert table["not_computed"].str.contains("XIST absent").all()
    assert table["not_computed"].str.contains("library_size: not available for log2 data").all()


def test_an_outlier_is_flagged_and_excluded_only_by_the_rule():
    log2, sheet = make_cohort()
    log2["S07"] = np.random.default_rng(1).permutation(log2["S07"])
    table = assess(log2, sheet)
    assert table.loc["S07", "flags"] == "correlation_outlier;pca_outlier"
    assert "robust deviations" in table.loc["S07", "reason"]
    assert (table["excluded"] == "no").all()
    assert (table.drop("S07")["flags"] == "").all()
    table = assess(log2, sheet, exclude_outliers=True)
    assert table.index[table["excluded"] == "yes"].tolist() == ["S07"]
    assert "excluded by exclude_outliers" in table.loc["S07", "reason"]


def test_a_state_that_lies_apart_is_not_an_outlier():
    log2, sheet = make_cohort()
    lesional = (sheet["state"] == "lesional").to_numpy()
    log2.loc[GENES[:150], log2.columns[lesional]] += 3
    assert (assess(log2, sheet)["flags"] == "").all()


# ---------------------------------------------------------------- sex


def test_sex_that_contradicts_the_sheet():
    log2, sheet = make_cohort()
    sheet["sex"] = ["female"] * 12 + ["male"] * 8 + [None] * 4
    females = [True] * 8 + [False] * 16
    table = assess(with_sex(log2, females), sheet, exclude_sex_mismatch=True)
    hit = table.index[table["flags"].str.contains("sex_contradicts_sheet")]
    assert hit.tolist() == ["S08", "S09", "S10", "S11"]
    assert table.loc[hit, "excluded"].eq("yes").all()
    assert "expression says male, the sheet says female" in table.loc["S08", "reason"]


def test_a_swap_within_a_patient_flags_the_minority():
    log2, sheet = make_cohort()
    females = [False] + [True] * 23
    table = assess(with_sex(log2, females), sheet)
    hit = table["flags"].str.contains("sex_differs_within_patient")
    assert table.index[hit].tolist() == ["S00"]
    assert "patient P0" in table.loc["S00", "reason"]


def test_a_swap_without_a_majority_flags_all_of_them():
    log2, sheet = make_cohort()
    females = [False, False] + [True] * 22
    table = assess(with_sex(log2, females), sheet)
    hit = table["flags"].str.contains("sex_differs_within_patient")
    assert table.index[hit].tolist() == ["S00", "S01", "S02", "S03"]


def test_sex_is_not_guessed():
    log2, _ = make_cohort()
    females = [True] * 24
    no_y = with_sex(log2, females).drop(["RPS4Y1", "DDX3Y"])
    assert call_sex(no_y, "log2")[1] == "Y genes absent from the platform"
    undecided = with_sex(log2, females)
    undecided.loc["RPS4Y1"] = undecided.loc["DDX3Y"] = 9.0
    assert call_sex(undecided, "log2")[0].eq("not called").all()
    ratios = with_sex(log2, females).sub(7)
    assert call_sex(ratios, "log2")[1] == "values are ratios"


def test_few_reads_call_no_sex():
    counts = pd.DataFrame(
        {"S1": [5, 0, 90_000], "S2": [500, 0, 90_000], "S3": [0, 400, 90_000]},
        index=["XIST", "RPS4Y1", "KRT5"],
    )
    filler = pd.DataFrame(0, index=GENES, columns=counts.columns)
    called, reason = call_sex(pd.concat([counts, filler]), "counts")
    assert called.tolist() == ["not called", "female", "male"]
    assert reason == ""


# ---------------------------------------------------------------- duplicates


def test_copies_of_one_biopsy_keep_the_first():
    log2, sheet = make_cohort()
    sheet.loc[1, ["patient", "state", "week"]] = sheet.loc[0, ["patient", "state", "week"]]
    log2["S01"] = log2["S00"] + 1e-4 * np.arange(400) / 400
    table = assess(log2, sheet, exclude_duplicates=True)
    assert table.loc["S00", "flags"] == table.loc["S01", "flags"] == "duplicate"
    assert table.loc[["S00", "S01"], "excluded"].tolist() == ["no", "yes"]


def test_copies_that_claim_to_be_different_biopsies_all_go():
    log2, sheet = make_cohort()
    log2["S05"] = log2["S00"]
    table = assess(log2, sheet, exclude_duplicates=True)
    assert table.index[table["excluded"] == "yes"].tolist() == ["S00", "S05"]
    assert "which the sheet calls another biopsy" in table.loc["S05", "reason"]
    assert assess(log2, sheet).loc["S00", "excluded"] == "no"


def test_duplicate_groups_are_joined():
    matrix = np.array([[1, 0.9995, 0.5], [0.9995, 1, 0.9996], [0.5, 0.9996, 1]])
    assert duplicate_groups(matrix, ["b", "a", "c"]) == [["a", "b", "c"]]


# ---------------------------------------------------------------- libraries


def test_small_libraries():
    random = np.random.default_rng(2)
    counts = pd.DataFrame(
        random.poisson(50, size=(400, 24)), index=GENES, columns=make_cohort()[0].columns
    )
    counts["S03"] = random.poisson(0.05, size=400)
    sheet = make_cohort()[1]
    libraries = library_table(counts, counts.sum() + 1000, "counts")
    assert libraries.loc["S00", "library_size"] == counts["S00"].sum() + 1000
    assert libraries.loc["S03", "detected_genes"] == (counts["S03"] > 0).sum()
    settings = SETTINGS.model_copy(update={"exclude_small_libraries": 5000})
    assert below_library_limit(libraries, settings) == ["S03"]
    assert below_library_limit(libraries, SETTINGS) == []
    log2 = np.log2(counts / counts.sum() * 1e6 + 1)
    table = assess_quality(
        sheet, counts, log2.drop(columns="S03"), libraries, "counts", settings
    ).set_index("sample")
    assert table.index[table["excluded"] == "yes"].tolist() == ["S03"]
    assert set(table.loc["S03", "flags"].split(";")) == {"below_library_limit", "few_genes"}
    assert np.isnan(table.loc["S03", "pca_distance"])
    assert "below the library limit" in table.loc["S03", "not_computed"]
    unlimited = assess_quality(sheet, counts, log2, libraries, "counts", SETTINGS)
    flagged = unlimited.set_index("sample").loc["S03"]
    assert "small_library" in flagged["flags"]
    assert "below 2000" in flagged["reason"]
    assert flagged["excluded"] == "no"
    # When all libraries are tiny none stands out; the absolute limit tells all the same.
    strict = SETTINGS.model_copy(update={"small_library": 10**6})
    everyone = assess_quality(sheet, counts, log2, libraries, "counts", strict)
    assert everyone["flags"].str.contains("small_library").all()


def test_rules_that_exclude_everything_stop():
    log2, sheet = make_cohort()
    sheet["sex"] = "female"
    with pytest.raises(AdnormError, match=r"\(exclude_sex_mismatch\) exclude all 24 samples"):
        assess(with_sex(log2, [False] * 24), sheet, exclude_sex_mismatch=True)


# ---------------------------------------------------------------- numbers


def test_robust_deviation_is_the_median_and_mad():
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    np.testing.assert_allclose(robust_deviation(values), (values - 3) / (1.4826 * 1.0))
    assert robust_deviation(np.full(4, 2.0)).tolist() == [0, 0, 0, 0]
    assert robust_deviation(np.array([1.0, 1.0, 1.002]), 1e-3)[2] == pytest.approx(2)


def test_correlations_are_pearson_and_missing_for_flat_samples():
    log2, _ = make_cohort()
    log2["S03"] = 7.0
    matrix = correlations(products_of(log2))
    expected = np.corrcoef(log2.drop(columns="S03").T)
    kept = [i for i in range(24) if i != 3]
    np.testing.assert_allclose(matrix[np.ix_(kept, kept)], expected, atol=1e-12)
    assert np.isnan(matrix[3]).all()


def test_small_groups_borrow_their_state():
    matrix = np.array(
        [[1, 0.9, 0.1, 0.2], [0.9, 1, 0.3, 0.4], [0.1, 0.3, 1, 0.5], [0.2, 0.4, 0.5, 1]]
    )
    sheet = pd.DataFrame(
        {
            "state": ["lesional", "lesional", "lesional", "healthy"],
            "arm": ["a", "a", "b", "healthy"],
            "week": 0.0,
        }
    )
    found = correlation_within_group(matrix, sheet)
    np.testing.assert_allclose(found, [0.5, 0.6, 0.2, 0.4])


def test_a_sample_alone_at_its_visit_is_judged_by_its_state():
    log2, sheet = make_cohort()
    sheet.loc[7, "week"] = 52.0
    log2["S07"] = np.random.default_rng(1).permutation(log2["S07"])
    table = assess(log2, sheet)
    assert "correlation_outlier" in table.loc["S07", "flags"]


def test_principal_components_have_fixed_signs_and_the_variance_of_the_data():
    log2, _ = make_cohort()
    scores = principal_components(log2)
    assert scores.shape == (24, 10)
    assert scores.dtype == np.float32
    largest = np.abs(scores).argmax(axis=0)
    assert (scores[largest, np.arange(10)] > 0).all()
    centred = log2.to_numpy().T - log2.to_numpy().T.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(scores, axis=0), singular[:10], rtol=1e-4)


@pytest.mark.parametrize("shape", [(400, 1), (400, 2), (1, 10)])
def test_principal_components_of_tiny_cohorts(shape):
    log2 = pd.DataFrame(np.random.default_rng(0).random(shape))
    assert not principal_components(log2).any()


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_tiny_cohorts_are_assessed(samples):
    log2, sheet = make_cohort()
    table = assess(log2.iloc[:, :samples], sheet.iloc[:samples])
    assert len(table) == samples
    assert (table["flags"] == "").all()
    assert table["not_computed"].str.contains("pca_distance: fewer than 6 samples").all()


# ---------------------------------------------------------------- limits


def test_correlations_that_differ_by_rounding_do_not_differ():
    """Seven equal correlations have no spread, so that a thousandth is taken: 0.985 is 5 below."""
    sheet = make_cohort(8)[1].assign(state="lesional", week=0.0)
    within = np.array([0.99] * 7 + [0.985])
    np.testing.assert_allclose(correlation_deviation(within, sheet), [0] * 7 + [-5], atol=1e-9)


def test_distances_that_hardly_differ_do_not_differ():
    """Nearly all lie 1 from the middle; the spread taken is a twentieth of that."""
    scores = np.array([-3.0, -1, -1, -1, 0, 1, 1, 1, 3])[:, None]
    states = pd.Series(["lesional"] * 9)
    expected = [40, 0, 0, 0, -20, 0, 0, 0, 40]
    np.testing.assert_allclose(pca_deviation(scores, states), expected, atol=1e-9)


def test_a_state_has_a_middle_of_its_own_from_three_samples_on():
    scores = np.array([0.0, 0, 0, 0, 10, 10, 12])[:, None]
    states = pd.Series(["lesional"] * 4 + ["healthy"] * 3)
    # Distances 0, 0, 0, 0, 0, 0, 2: no spread at all, so nothing is said.
    assert pca_deviation(scores, states).tolist() == [0] * 7
    # Two of a state lie 10 and 12 from the middle of all, which is 0.
    found = pca_deviation(np.delete(scores, 4, axis=0), states.drop(4))
    assert found.tolist() == [0] * 6
    uneven = np.array([-1.0, 1, -2, 2, 10, 12])[:, None]
    # The middle of all is 1.5, of the four lesional ones 0; distances 1, 1, 2, 2, 8.5, 10.5.
    centred = np.array([1, 1, 2, 2, 8.5, 10.5]) - 2
    found = pca_deviation(uneven, states.drop(4))
    np.testing.assert_allclose(found, centred / (1.4826 * 1.0), atol=1e-9)


@pytest.mark.parametrize(("samples", "judged"), [(6, True), (5, False)])
def test_six_samples_are_judged_and_five_are_not(samples, judged):
    log2, sheet = make_cohort(samples)
    table = assess(log2, sheet)
    assert table["pca_distance"].notna().all() == judged
    assert table["pca_distance"].isna().all() != judged
    assert table["not_computed"].str.contains("pca_distance").any() != judged
    within = table["correlation_within_group"].to_numpy()
    assert np.isfinite(correlation_deviation(within, sheet)).all() == judged


@pytest.mark.parametrize(
    ("x", "y", "sex"),
    [
        # The middle gene of the sample stands at 6.
        (8.1, 6.0, "female"),
        (8.0, 6.0, "not called"),
        (6.0, 3.0, "not called"),
        (6.1, 3.0, "female"),
        (3.0, 6.0, "not called"),
        (3.0, 6.1, "male"),
        (6.0, 8.0, "not called"),
        (6.0, 8.1, "male"),
    ],
)
def test_sex_is_called_from_fourfold_and_above_the_middle_gene_on(x, y, sex):
    values = pd.DataFrame({"S": [*[5.0] * 50, 6.0, *[7.0] * 50, x, y]})
    values.index = [*(f"G{i}" for i in range(101)), "XIST", "RPS4Y1"]
    # One of the two lies above and one below or at the middle, so that it stays at 6.
    values.loc["G100", "S"] = 7.0 if (x > 6) != (y > 6) or x == 6 or y == 6 else 5.0
    values.loc["G0", "S"] = 5.0
    values.loc["LOW"] = values.loc["HIGH"] = 6.0
    assert values["S"].median() == 6.0
    assert call_sex(values, "log2")[0].tolist() == [sex]


def test_the_y_genes_count_by_their_mean_and_their_highest():
    values = pd.DataFrame(
        {"S": [*[6.0] * 50, 3.0, 8.0, 4.0]},
        index=[*(f"G{i}" for i in range(50)), "XIST", "RPS4Y1", "DDX3Y"],
    )
    # Mean 6, three above XIST; the highest lies above the middle gene.
    assert call_sex(values, "log2")[0].tolist() == ["male"]
    values.loc["RPS4Y1"] = 6.0
    # Mean 5, but no Y gene is above the middle gene.
    assert call_sex(values, "log2")[0].tolist() == ["not called"]


@pytest.mark.parametrize(("reads", "sex"), [(20, "female"), (19, "not called")])
def test_twenty_reads_are_enough_for_a_sex(reads, sex):
    counts = pd.DataFrame({"S": [*[1] * 30, reads, 0]})
    counts.index = [*(f"G{i}" for i in range(30)), "XIST", "RPS4Y1"]
    called, reason = call_sex(counts, "counts")
    assert called.tolist() == [sex]
    assert (reason == "") == (sex == "female")


@pytest.mark.parametrize(("scale", "x", "sex"), [("linear", 30.9, ""), ("linear", 31.1, "female")])
def test_linear_values_are_compared_as_log2_of_one_more(scale, x, sex):
    """(31 + 1) / (7 + 1) is fourfold."""
    values = pd.DataFrame({"S": [*[2.0] * 30, x, 7.0]})
    values.index = [*(f"G{i}" for i in range(30)), "XIST", "RPS4Y1"]
    assert call_sex(values, scale)[0].tolist() == [sex or "not called"]


def test_reads_are_compared_per_million():
    """Of 2 million reads, XIST's 62 are 31 per million and a Y gene's 14 are 7: just fourfold."""
    for reads, sex in ((62, "not called"), (64, "female")):
        counts = pd.DataFrame({"S": [2_000_000 - 14 - reads, 0, 0, 0, reads, 14]})
        counts.index = ["KRT5", "G1", "G2", "G3", "XIST", "RPS4Y1"]
        assert call_sex(counts, "counts")[0].tolist() == [sex]


@pytest.mark.parametrize(("negative", "ratios"), [(20, False), (21, True)])
def test_values_are_ratios_if_more_than_a_fifth_is_negative(negative, ratios):
    values = pd.DataFrame({"S": [-1.0] * negative + [5.0] * (98 - negative) + [9.0, 3.0]})
    values.index = [*(f"G{i}" for i in range(98)), "XIST", "RPS4Y1"]
    assert (call_sex(values, "log2")[1] == "values are ratios") == ratios


def test_a_group_of_two_is_compared_with_its_state_and_a_state_of_two_with_all():
    sheet = pd.DataFrame(
        {
            "state": ["lesional"] * 5 + ["healthy"] * 2,
            "arm": ["a"] * 3 + ["b"] * 2 + ["healthy"] * 2,
            "week": 0.0,
        }
    )
    found = [peers.tolist() for peers in peers_of(sheet)]
    assert found == [[0, 1, 2]] * 3 + [[0, 1, 2, 3, 4]] * 2 + [[0, 1, 2, 3, 4, 5, 6]] * 2


def test_the_deviation_of_a_correlation_is_from_the_median_of_its_group():
    """Groups of 0.9 and of 0.5 differ by nature; only 0.8 of the first group is odd."""
    sheet = pd.DataFrame(
        {
            "state": ["lesional"] * 4 + ["healthy"] * 4,
            "arm": "x",
            "week": 0.0,
        }
    )
    within = np.array([0.90, 0.90, 0.92, 0.80, 0.50, 0.51, 0.52, 0.53])
    centred = np.array([0, 0, 0.02, -0.10, -0.015, -0.005, 0.005, 0.015])
    spread = 1.4826 * np.median(np.abs(centred - np.median(centred)))
    found = correlation_deviation(within, sheet)
    np.testing.assert_allclose(found, (centred - np.median(centred)) / spread, rtol=1e-9)


def test_libraries_that_differ_by_less_than_five_per_cent_do_not_differ():
    """The spread taken is 0.02 of log10: a library of 63 % lies 10 below."""
    log2, sheet = make_cohort()
    libraries = pd.DataFrame({"library_size": 10_000.0, "detected_genes": 999.0}, log2.columns)
    libraries.loc["S05", "library_size"] = 10_001 * 10**-0.2 - 1
    settings = SETTINGS.model_copy(update={"outlier_deviations": 9.9})
    table = assess_quality(sheet, log2, log2, libraries, "counts", settings).set_index("sample")
    assert table.index[table["flags"] == "small_library"].tolist() == ["S05"]
    assert "6309 reads, 10.0 robust deviations low" in table.loc["S05", "reason"]
    settings = SETTINGS.model_copy(update={"outlier_deviations": 10.1})
    table = assess_quality(sheet, log2, log2, libraries, "counts", settings)
    assert (table["flags"] == "").all()


@pytest.mark.parametrize(("size", "flag"), [(1999, "small_library"), (2000, "")])
def test_the_smallest_library_is_not_small(size, flag):
    log2, sheet = make_cohort()
    libraries = pd.DataFrame({"library_size": float(size), "detected_genes": 9.0}, log2.columns)
    table = assess_quality(sheet, log2, log2, libraries, "counts", SETTINGS)
    assert set(table["flags"]) == {flag}
    settings = SETTINGS.model_copy(update={"exclude_small_libraries": 2000})
    assert len(below_library_limit(libraries, settings)) == (24 if flag else 0)


def test_some_genes_at_a_time_change_no_product(monkeypatch):
    log2, _ = make_cohort()
    log2["S05"] = 3.0
    whole = products_of(log2)
    monkeypatch.setattr("adnorm.expression.quality._GENES_AT_ONCE", 37)
    parts = products_of(log2)
    np.testing.assert_allclose(parts.of_samples, whole.of_samples, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(correlations(parts), correlations(whole), rtol=1e-12)
    centred = log2.to_numpy() - log2.to_numpy().mean(axis=1, keepdims=True)
    vectors, size, _ = np.linalg.svd(centred.T, full_matrices=False)
    expected = np.abs(vectors * size)[:, :10]
    np.testing.assert_allclose(np.abs(principal_components(log2)), expected, rtol=1e-4, atol=1e-5)
