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
    correlation_within_group,
    correlations,
    duplicate_groups,
    library_table,
    principal_components,
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
        "pca_distance sex_called flags excluded reason not_computed"
    )
    assert (table["flags"] == "").all()
    assert (table["reason"] == "").all()
    assert (table["excluded"] == "no").all()
    assert table["sex_called"].unique().tolist() == ["not called"]
    assert table["not_computed"].str.contains("XIST absent").all()
    assert table["not_computed"].str.contains("library_size: log2 values hold no reads").all()


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
    matrix = correlations(log2)
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
