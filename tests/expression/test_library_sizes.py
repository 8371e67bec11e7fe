"""Filter and normalization of counts, linear and log2 values."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.expression.library_sizes import (
    _trimmed_mean_ratio,
    _untrimmed,
    composition_factors,
    is_sparse,
    low_count_filter,
    normalize,
    normalize_probes,
    quantile_normalize,
    samples_required,
    size_factors,
    tmm_factors,
    typical_shift,
)
from adnorm.study.config import ExpressionSettings

SETTINGS = ExpressionSettings()


def sheet(*sizes, state="lesional"):
    weeks = np.repeat(np.arange(len(sizes), dtype=float), sizes)
    names = [f"S{i}" for i in range(len(weeks))]
    return pd.DataFrame(
        {"sample": names, "patient": names, "state": state, "arm": "untreated", "week": weeks}
    )


def frame(values):
    values = np.asarray(values)
    return pd.DataFrame(
        values,
        index=[f"G{i}" for i in range(values.shape[0])],
        columns=[f"S{i}" for i in range(values.shape[1])],
    )


@pytest.mark.parametrize(
    ("sizes", "required"),
    [((5, 8), 5), ((2, 8), 3), ((60, 70), 10), ((2,), 2), ((4, 4, 9), 4)],
)
def test_smallest_group_rule(sizes, required):
    assert samples_required(sheet(*sizes), None) == required


def test_number_of_the_configuration_wins():
    assert samples_required(sheet(5, 8), 7) == 7


def test_filter_counts_reads_and_samples():
    counts = frame([[10, 10, 0], [10, 9, 9], [100, 100, 100]])
    assert low_count_filter(counts, 10, 2).tolist() == [True, False, True]


def test_library_size_normalization_closed_form():
    counts = frame(np.array([[10, 40], [30, 60], [60, 300], [1, 0]]))
    settings = ExpressionSettings(minimum_samples=2, count_normalization="library_size")
    found = normalize(counts, sheet(2), "counts", "rna-seq", settings)
    kept = counts.iloc[:3]
    expected = np.log2(kept / kept.sum() * 1e6 + 1)
    pd.testing.assert_frame_equal(found.log2, expected, rtol=1e-12)
    assert found.undetected == ["G3"]
    assert found.counts.dtypes.unique().tolist() == [np.int32]
    assert found.counts.to_numpy().tolist() == kept.to_numpy().tolist()
    assert "at least 10 reads in at least 2 samples" in found.method


@pytest.fixture
def composition(repository, monkeypatch):
    """The trials of the calibration in which twelve genes take the reads of lesions."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import calibrate.composition

    return calibrate.composition


def test_the_default_is_composition_robust(composition):
    offsets = {"library_size": [], "tmm": [], "median_of_ratios": []}
    for seed in range(4):
        trial = composition.counts_of(composition.Assay(1e7, 0.3, 0.05), seed)
        assert not is_sparse(trial[0])
        for method, found in offsets.items():
            offset, spread, _ = composition.errors_of(composition_factors(trial[0], method), *trial)
            found.append(offset)
            assert method == "library_size" or spread < 0.04
    # Every gene that stays falls by 0.45 log2 per million reads, and would come back with a drug.
    assert np.mean(offsets["library_size"]) > 0.4
    assert abs(np.mean(offsets["tmm"])) < 0.02
    assert abs(np.mean(offsets["median_of_ratios"])) < 0.02


def test_sparse_counts_say_that_factors_follow_the_depth(composition):
    counts, lesional, sizes = composition.counts_of(composition.Assay(9000, 1.8, 0.2), seed=1)
    assert is_sparse(counts)
    _, _, slope = composition.errors_of(tmm_factors(counts), counts, lesional, sizes)
    assert slope < -0.1
    settings = ExpressionSettings(minimum_count=0, minimum_samples=1)
    found = normalize(counts, sheet(counts.shape[1]), "counts", "rna-seq", settings)
    assert "compare groups of unequal depth with care" in found.caution
    dense, *_ = composition.counts_of(composition.Assay(1e6, 0.3, 0.2), seed=1)
    found = normalize(dense, sheet(dense.shape[1]), "counts", "rna-seq", settings)
    assert found.caution == ""
    assert "TMM (factors 0." in found.method


@pytest.mark.parametrize("depth", [2000, 1e6])
def test_the_order_of_samples_and_genes_decides_nothing(depth, composition):
    assay = composition.Assay(depth, 1.0, 0.2, genes=600)
    counts, _, _ = composition.counts_of(assay, seed=1, samples=12)
    shuffled = counts.sample(frac=1, axis=1, random_state=3).sample(frac=1, random_state=4)
    for method in ("tmm", "library_size"):
        there = composition_factors(counts, method)
        here = composition_factors(shuffled, method)
        assert here.index.equals(shuffled.columns)
        np.testing.assert_allclose(here.reindex(there.index), there, rtol=1e-9)


def test_a_sample_that_shares_no_gene_with_the_reference_is_named():
    counts = frame([[0, 90, 80], [0, 95, 85], [700, 0, 0]])
    with pytest.raises(
        AdnormError, match="tmm cannot be computed for 2 samples.*'S1', 'S2'.*library_size"
    ):
        tmm_factors(counts)


def paired_sheet(patients):
    return pd.DataFrame(
        {
            "sample": [f"S{i:02d}" for i in range(2 * patients)],
            "patient": np.repeat([f"P{i}" for i in range(patients)], 2),
            "state": ["nonlesional", "lesional"] * patients,
            "arm": "untreated",
            "week": 0.0,
        }
    )


@pytest.mark.parametrize("scale", ["linear", "log2"])
def test_published_rna_seq_values_with_a_composition_shift_say_so(scale, composition):
    counts, _, _ = composition.counts_of(composition.Assay(1e7, 0.3, 0.05), seed=2, samples=24)
    settings = ExpressionSettings(minimum_value=0)
    per_million = counts / counts.sum() * 1e6
    robust = counts / (counts.sum() * tmm_factors(counts)) * 1e6
    texts = {}
    for name, table in (("per million", per_million), ("robust", robust)):
        values = table if scale == "linear" else np.log2(table + 1)
        texts[name] = normalize(values, paired_sheet(12), scale, "rna-seq", settings).caution
    assert re.search(
        r"typical gene is 0\.[45]\d log2 lower in lesional.*12 patients", texts["per million"]
    )
    assert texts["robust"] == ""
    assert "`scale: counts`" in texts["per million"]
    # The probes of an array share no reads.
    array = normalize(np.log2(per_million + 1), paired_sheet(12), "log2", "microarray", settings)
    assert array.caution == ""


def test_size_factors_closed_form():
    counts = frame([[10, 20], [100, 200], [50, 100], [0, 7]])
    assert size_factors(counts).tolist() == pytest.approx([1 / np.sqrt(2), np.sqrt(2)])


def test_median_of_ratios_without_a_common_gene_says_what_to_do():
    counts = frame([[100, 0], [0, 100]])
    settings = ExpressionSettings(minimum_samples=1, count_normalization="median_of_ratios")
    with pytest.raises(AdnormError, match="count_normalization: library_size"):
        normalize(counts, sheet(2), "counts", "rna-seq", settings)


def test_no_gene_passes_the_filter():
    with pytest.raises(AdnormError, match="no gene has 10 reads in 2 samples.*minimum_count"):
        normalize(frame([[1, 2], [3, 4]]), sheet(2), "counts", "rna-seq", SETTINGS)


def test_sample_without_reads_is_named():
    counts = frame([[50, 60, 70, 0], [50, 60, 70, 0]])
    with pytest.raises(AdnormError, match="'S3'.*exclude"):
        normalize(counts, sheet(4), "counts", "rna-seq", ExpressionSettings(minimum_samples=3))


def test_unknown_method_is_refused():
    with pytest.raises(ValidationError, match="'tmm', 'median_of_ratios' or 'library_size'"):
        ExpressionSettings(count_normalization="rpkm")


def test_linear_values_become_log2_and_silent_genes_are_undetected():
    found = normalize(
        frame([[0.0, 1.0], [0.0, 0.0], [3.0, 7.0]]), sheet(2), "linear", "microarray", SETTINGS
    )
    assert found.log2.to_numpy().tolist() == [[0, 1], [2, 3]]
    assert found.undetected == ["G1"]
    assert found.counts is None


def test_low_expression_filter_of_tpm():
    values = frame(
        [[1.0, 1.0, 1.0, 0.0], [0.9, 50.0, 0.9, 50.0], [3.0, 7.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    )
    found = normalize(values, sheet(4), "linear", "rna-seq", ExpressionSettings(minimum_samples=3))
    assert found.undetected == ["G1", "G3"]
    np.testing.assert_array_equal(found.log2.loc["G2"], [2, 3, 1, 1])
    assert "genes with at least 1 in at least 3 samples" in found.method
    everything = ExpressionSettings(minimum_value=0)
    assert normalize(values, sheet(4), "linear", "rna-seq", everything).undetected == ["G3"]
    # Intensities have other units, and log2 values are filtered by nobody.
    for scale, assay, gone in (("linear", "microarray", ["G3"]), ("log2", "rna-seq", [])):
        assert normalize(values, sheet(4), scale, assay, SETTINGS).undetected == gone


def test_the_low_expression_filter_takes_the_smallest_group():
    values = frame(np.tile([5.0] * 4 + [0.0] * 5, (2, 1)) + [[0.0], [0.5]])
    assert normalize(values, sheet(4, 5), "linear", "rna-seq", SETTINGS).undetected == []
    values.iloc[:, 0] = 0.0
    with pytest.raises(AdnormError, match="no gene has a value of 1 in 4 samples"):
        normalize(values, sheet(4, 5), "linear", "rna-seq", SETTINGS)


def test_log2_values_stay():
    values = frame([[5.0, 6.0], [7.0, 8.0]])
    found = normalize(values, sheet(2), "log2", "microarray", SETTINGS)
    pd.testing.assert_frame_equal(found.log2, values)


def test_quantile_normalization_closed_form():
    # The worked example of Bolstad 2003 without ties.
    values = frame([[5.0, 4.0, 3.0], [2.0, 1.0, 4.0], [3.0, 6.0, 6.0], [4.0, 2.0, 8.0]])
    found = quantile_normalize(values)
    ranks = [2.0, 3.0, 14 / 3, 19 / 3]
    expected = [
        [ranks[3], ranks[2], ranks[0]],
        [ranks[0], ranks[0], ranks[1]],
        [ranks[1], ranks[3], ranks[2]],
        [ranks[2], ranks[1], ranks[3]],
    ]
    np.testing.assert_allclose(found.to_numpy(), expected)


def test_tied_values_get_the_mean_of_their_ranks():
    found = quantile_normalize(frame([[1.0, 2.0], [1.0, 4.0], [3.0, 6.0]]))
    # Ranks of S0: 1.5, 1.5, 3; reference 1.5, 2.5, 4.5; halfway between the first two is 2.
    np.testing.assert_allclose(found["S0"], [2.0, 2.0, 4.5])


def test_quantile_is_for_arrays_only():
    values = frame([[5.0, 1.0], [7.0, 9.0]])
    quantile = ExpressionSettings(array_normalization="quantile")
    array = normalize_probes(values, "microarray", quantile)
    assert sorted(array["S0"]) == sorted(array["S1"])
    pd.testing.assert_frame_equal(normalize_probes(values, "rna-seq", quantile), values)
    pd.testing.assert_frame_equal(normalize_probes(values, "microarray", SETTINGS), values)
    assert "quantile" in normalize(array, sheet(2), "log2", "microarray", quantile).method
    assert "quantile" not in normalize(values, sheet(2), "log2", "rna-seq", quantile).method


def test_quantile_normalization_with_missing_values():
    values = frame([[5.0, 4.0, np.nan], [2.0, np.nan, np.nan], [3.0, 6.0, np.nan]])
    found = quantile_normalize(values)
    assert found.isna().equals(values.isna())
    # The empty sample leaves the others whole; 2, 3, 5 and 4, 5, 6 (4 and 6 spread) are averaged.
    np.testing.assert_allclose(found["S0"], [5.5, 3.0, 4.0])
    np.testing.assert_allclose(found["S1"].dropna(), [3.0, 5.5])


# ---------------------------------------------------------------- factors in closed form


def test_where_most_upper_quartiles_are_zero_the_largest_sum_of_roots_is_the_reference():
    """Three of five samples have reads in fewer than a quarter of the genes, though two have more.

    The reference is then "S1", whose reads are spread over most genes, and not the sample whose
    upper quartile is nearest to the mean; every other one is compared with it alone.
    """
    rng = np.random.default_rng(3)
    matrix = rng.poisson(30, (200, 5)).astype(float)
    matrix[40:, [0, 2, 4]] = 0
    matrix[:, 1] *= 4
    counts = frame(matrix)
    upper = np.quantile(matrix, 0.75, axis=0) / matrix.sum(axis=0)
    assert np.median(upper) == 0 < upper.mean()
    assert np.abs(upper - upper.mean()).argmin() == 0
    assert np.sqrt(matrix).sum(axis=0).argmax() == 1
    shares = matrix / matrix.sum(axis=0)
    ratios = [
        _trimmed_mean_ratio(matrix[:, i], shares[:, i], matrix[:, 1], shares[:, 1])
        for i in range(5)
    ]
    expected = np.exp2(ratios - np.mean(ratios))
    np.testing.assert_allclose(tmm_factors(counts), expected, rtol=1e-12)


def test_the_trimmed_mean_takes_the_middle_ratios_by_their_precision():
    """Ten genes: three ratios at either end are cut, of the abundances none (5 % of 10 is none)."""
    reads = np.array([100.0, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
    fold = np.array([0.1, 0.2, 0.3, 0.9, 1.0, 1.1, 1.2, 5.0, 6.0, 7.0])
    other = reads * fold
    share, reference = other / 10_000, reads / 20_000
    found = _trimmed_mean_ratio(other, share, reads, reference)
    kept = slice(3, 7)
    ratio = np.log2(share / reference)[kept]
    weight = 1 / ((1 - share) / other + (1 - reference) / reads)[kept]
    assert found == pytest.approx((weight * ratio).sum() / weight.sum(), rel=1e-12)


def test_the_trimmed_mean_cuts_a_twentieth_of_the_abundances():
    """Of 40 genes with one ratio but for two, the two most and the two least abundant are cut."""
    reads = np.geomspace(10, 1e5, 40)
    other = reads * np.where(np.arange(40) % 2, 1.02, 0.98)
    share, reference = other / other.sum(), reads / reads.sum()
    ratio = np.log2(share / reference)
    abundance = np.argsort(np.log2(share) + np.log2(reference))
    ranks = stats.rankdata(ratio)
    kept = (ranks >= 13) & (ranks <= 28)
    kept[abundance[[0, 1, -2, -1]]] = False
    weight = 1 / ((1 - share) / other + (1 - reference) / reads)[kept]
    expected = (weight * ratio[kept]).sum() / weight.sum()
    found = _trimmed_mean_ratio(other, share, reads, reference)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("zeros", "sparse"), [(10, False), (11, True)])
def test_counts_are_sparse_above_a_tenth_of_zeros_in_a_tenth_of_the_samples(zeros, sparse):
    matrix = np.full((100, 11), 9)
    # The 90th percentile of eleven samples is the second emptiest.
    matrix[:zeros, :2] = 0
    assert is_sparse(frame(matrix)) == sparse
    matrix[:, 1] = 9
    assert not is_sparse(frame(matrix))


def shifted(shifts, genes=100):
    """Log2 values of patients whose upper half of genes differs by a shift, and their sheet."""
    base = np.linspace(1, 10, genes)[:, None]
    columns = []
    for shift in shifts:
        lesional = base + np.where(base > 5.5, shift, -9.0)
        columns += [base, lesional]
    values = np.hstack(columns)
    sheet = paired_sheet(len(shifts))
    return pd.DataFrame(values, columns=sheet["sample"]), sheet


@pytest.mark.parametrize(
    ("shifts", "found"),
    [
        ([0.3, 0.4, 0.5], (0.4, 3)),
        ([-0.3, -0.4, -0.5], (-0.4, 3)),
        ([0.4, 0.4], None),
        # A tenth of a log2 unit is told, less is not.
        ([0.101] * 3, (0.101, 3)),
        ([0.099] * 3, None),
        # Mean 0.4, standard deviation 0.2 or 0.25, three patients: 3.5 and 2.8 standard errors.
        ([0.2, 0.4, 0.6], (0.4, 3)),
        ([0.15, 0.4, 0.65], None),
    ],
)
def test_the_typical_gene_is_the_median_of_the_upper_half(shifts, found):
    shift = typical_shift(*shifted(shifts))
    assert shift == (None if found is None else pytest.approx(found))


def test_the_typical_shift_is_that_before_treatment():
    log2, sheet = shifted([0.3, 0.4, 0.5])
    later = sheet.assign(week=4.0, sample="W" + sheet["sample"])
    values = pd.concat([log2, log2.add(5).set_axis(later["sample"], axis=1)], axis=1)
    assert typical_shift(values, pd.concat([sheet, later], ignore_index=True)) == pytest.approx(
        (0.4, 3)
    )


def test_medians_of_ratios_are_divided_by_the_libraries_and_have_geometric_mean_one():
    counts = frame([[10, 20], [100, 200], [50, 100], [0, 700]])
    factors = composition_factors(counts, "median_of_ratios")
    # Size factors 1/√2 and √2, libraries 160 and 1020.
    raw = np.array([1 / np.sqrt(2) / 160, np.sqrt(2) / 1020])
    np.testing.assert_allclose(factors, raw / np.sqrt(raw.prod()))


def test_a_sample_needs_two_values_for_a_distribution():
    values = frame([[5.0, 1.0, 4.0], [np.nan, 2.0, 6.0], [np.nan, 3.0, 8.0]])
    found = quantile_normalize(values)
    assert found["S0"].iloc[0] == 5.0
    np.testing.assert_allclose(found["S1"], [2.5, 4.0, 5.5])


@pytest.mark.parametrize("trim", [0.05, 0.3, 0.45])
def test_trimming_leaves_the_values_whose_ranks_are_within(trim):
    rng = np.random.default_rng(0)
    for _ in range(300):
        values = rng.integers(0, rng.integers(1, 15), rng.integers(1, 40)).astype(float)
        lowest, ranks = np.floor(len(values) * trim) + 1, stats.rankdata(values)
        expected = (ranks >= lowest) & (ranks <= len(values) + 1 - lowest)
        assert _untrimmed(values, trim).tolist() == expected.tolist()
