"""Quality of each sample: odd ones are flagged; only a rule of the configuration excludes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.logs import get_logger
from adnorm.base.text import counted
from adnorm.expression.scale import RATIOS
from adnorm.expression.swaps import FEWEST_PATIENTS, exchanged_states, other_patients
from adnorm.study.config import ExpressionSettings
from adnorm.study.vocabulary import DOUBTED_LABELS, QualityFlag, Scale, Sex

#: Flag → the configuration key that excludes samples with it; other flags never exclude.
EXCLUDED_BY = {
    QualityFlag.BELOW_LIBRARY_LIMIT: "exclude_small_libraries",
    QualityFlag.PCA_OUTLIER: "exclude_outliers",
    QualityFlag.CORRELATION_OUTLIER: "exclude_outliers",
    QualityFlag.SEX_CONTRADICTS_SHEET: "exclude_sex_mismatch",
    QualityFlag.SEX_DIFFERS_WITHIN_PATIENT: "exclude_sex_mismatch",
    QualityFlag.STATE_EXCHANGED: "exclude_swaps",
    QualityFlag.OTHER_PATIENT: "exclude_swaps",
    QualityFlag.DUPLICATE: "exclude_duplicates",
}
#: So many doubted samples are told with their reason.
MOST_TOLD = 4
#: Libraries that differ by less than five per cent do not differ.
SMALLEST_LOG10_SPREAD = 0.02
X_GENE = "XIST"
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "UTY", "USP9Y", "ZFY", "TXLNGY")
#: XIST and the Y genes must differ by this much (log2, fourfold) before a sex is called.
SEX_DIFFERENCE = 2.0
#: Fewest reads on XIST and the Y genes together.
_FEWEST_SEX_READS = 20
#: Makes the median absolute deviation comparable with a standard deviation.
NORMAL = 1.4826
COMPONENTS = 10
#: Groups smaller than this borrow the samples of the same state.
SMALLEST_GROUP = 3
DUPLICATE = 0.999
#: Correlations vary by rounding alone; a spread below this is none.
SMALLEST_SPREAD = 1e-3
#: Same for distances, as a share of the median distance.
SMALLEST_SHARE = 0.05
#: With fewer samples nobody can say which one is odd.
FEWEST_JUDGED = 6


@dataclass
class _Flags:
    """Flags, their reasons, and which samples are excluded."""

    settings: ExpressionSettings
    flags: dict[str, list[QualityFlag]] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)

    def rule(self, flag: QualityFlag) -> str:
        """Give the key of the configuration that excludes by a flag; empty when none does."""
        key = EXCLUDED_BY.get(flag, "")
        return key if key and getattr(self.settings, key) not in (None, False) else ""

    def add(self, sample: str, flag: QualityFlag, reason: str, spare: bool = False) -> None:
        """Flag a sample; `spare` keeps it even when the configuration excludes by this flag."""
        rule = self.rule(flag)
        excludes = bool(rule) and not spare
        self.flags.setdefault(sample, []).append(flag)
        self.reasons.setdefault(sample, []).append(
            f"{reason} (excluded by {rule})" if excludes else reason
        )
        if excludes:
            self.excluded.add(sample)


def library_table(values: pd.DataFrame, totals: pd.Series, scale: str) -> pd.DataFrame:
    """Count reads and detected genes.

    Parameters
    ----------
    values
        Genes × samples on the declared scale, before the low-count filter.
    totals
        Sum over all rows of the published table, per sample.
    scale
        counts, log2 or linear.

    Returns
    -------
    DataFrame
        Index sample; library_size (reads; counts only), detected_genes (above zero; not on the log2
        scale, which has no zero). Missing where it does not apply.
    """
    nothing = pd.Series(np.nan, index=values.columns)
    has_zero = scale in (Scale.COUNTS, Scale.LINEAR)
    return pd.DataFrame(
        {
            "library_size": totals.reindex(values.columns) if scale == Scale.COUNTS else nothing,
            "detected_genes": (values > 0).sum() if has_zero else nothing,
        }
    )


def below_library_limit(libraries: pd.DataFrame, settings: ExpressionSettings) -> list[str]:
    """List the samples below ``exclude_small_libraries``; none without that rule or reads."""
    limit = settings.exclude_small_libraries
    if limit is None:
        return []
    return sorted(libraries.index[libraries["library_size"] < limit])


def assess_quality(
    samples: pd.DataFrame,
    values: pd.DataFrame,
    log2: pd.DataFrame,
    libraries: pd.DataFrame,
    scale: str,
    settings: ExpressionSettings,
    products: SampleProducts | None = None,
) -> pd.DataFrame:
    """Make the table qc.tsv.

    Parameters
    ----------
    samples
        Canonical sample sheet.
    values
        Genes × samples on the declared scale, before the low-count filter; all samples.
    log2
        Genes × samples, normalized; without the samples below the library limit.
    libraries
        From `library_table`.
    scale
        counts, log2 or linear.
    settings
        The ``expression`` section of the configuration.
    products
        Of the samples of `log2` in their order, if they are made already (`products_of`).

    Returns
    -------
    DataFrame
        One row per sample, in the order of the sheet. ``correlation_within_group`` is the median
        Pearson correlation with the other samples of the same state, arm and week;
        ``pca_distance`` the distance from the middle of the sample's state in the first ten
        principal components, in robust standard deviations above the median distance;
        ``lesional_place`` where it lies between nonlesional (0) and untreated lesional skin (1) of
        the other patients (`exchanged_states`). ``flags`` and ``reason`` are empty for a sample
        without remark.
    """
    flags = _Flags(settings)
    table = samples[["sample", "patient", "state", "arm", "week"]].reset_index(drop=True)
    table = table.join(libraries, on="sample")
    judged = table[table["sample"].isin(log2.columns)].reset_index(drop=True)
    if list(log2.columns) != list(judged["sample"]):
        log2, products = log2[list(judged["sample"])], None
    within, distance = _flag_expression(judged, log2, flags, products)
    table["correlation_within_group"] = table["sample"].map(within)
    table["pca_distance"] = table["sample"].map(distance)
    places = _flag_exchanged(log2, judged, flags)
    table["lesional_place"] = table["sample"].map(places).astype(float)
    _flag_other_patients(log2, judged, flags)
    called, no_call = call_sex(values, scale)
    table["sex_called"] = table["sample"].map(called)
    _flag_sex(samples, called, flags)
    _flag_libraries(table, flags)
    table["flags"] = [";".join(sorted(flags.flags.get(s, []))) for s in table["sample"]]
    table["excluded"] = ["yes" if s in flags.excluded else "no" for s in table["sample"]]
    table["reason"] = ["; ".join(sorted(flags.reasons.get(s, []))) for s in table["sample"]]
    table["not_computed"] = _why_missing(
        table, scale, no_call, set(table["sample"]) - set(log2.columns)
    )
    _tell_doubted(table, flags)
    if len(flags.excluded) == len(table):
        keys = sorted({flags.rule(f) for found in flags.flags.values() for f in found} - {""})
        raise AdnormError(
            f"the rules of `expression:` in the configuration ({', '.join(keys)}) exclude all "
            f"{len(table)} samples; loosen them (first sample: {table['sample'].iloc[0]}: "
            f"{table['reason'].iloc[0]})"
        )
    return table


def _flag_expression(
    sheet: pd.DataFrame, log2: pd.DataFrame, flags: _Flags, products: SampleProducts | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Flag outliers and duplicates among the samples that were normalized."""
    limit = flags.settings.outlier_deviations
    names = list(sheet["sample"])
    products = products_of(log2) if products is None else products
    matrix = correlations(products)
    within = correlation_within_group(matrix, sheet)
    deviations = correlation_deviation(within, sheet)
    distance = pca_deviation(principal_components(log2, products=products), sheet["state"])
    for name, median, low, far in zip(names, within, deviations, distance, strict=True):
        if low < -limit:
            flags.add(
                name,
                QualityFlag.CORRELATION_OUTLIER,
                f"median correlation with its group {median:.3f}, {-low:.1f} robust deviations low",
            )
        if far > limit:
            flags.add(
                name,
                QualityFlag.PCA_OUTLIER,
                f"{far:.1f} robust deviations from its state in the principal components",
            )
    _flag_duplicates(matrix, sheet, flags)
    return dict(zip(names, within, strict=True)), dict(zip(names, distance, strict=True))


def _flag_duplicates(matrix: np.ndarray, sheet: pd.DataFrame, flags: _Flags) -> None:
    """Flag samples that correlate above 0.999.

    Of copies of one biopsy the first by name stays; when the copies claim to be different biopsies
    nobody knows which claim is right, and all of them go.
    """
    keys = ["patient", "state", "week", "arm"]
    biopsies = sheet.set_index("sample")[keys].astype(str).agg("\t".join, axis=1)
    for group in duplicate_groups(matrix, list(sheet["sample"])):
        same = biopsies[group].nunique() == 1
        for name in group:
            others = ", ".join(other for other in group if other != name)
            claim = "" if same else ", which the sheet calls another biopsy"
            flags.add(
                name,
                QualityFlag.DUPLICATE,
                f"correlation above 0.999 with {others}{claim}",
                spare=same and name == group[0],
            )


def _flag_exchanged(log2: pd.DataFrame, sheet: pd.DataFrame, flags: _Flags) -> dict[str, float]:
    """Flag lesional and nonlesional samples that seem exchanged; give the places of all pairs."""
    pairs = exchanged_states(log2, sheet)
    places: dict[str, float] = {}
    # Of a sample with several partners the likeliest is told.
    ordered = pairs.sort_values("probability", ascending=False, kind="stable")
    for own, other in (("lesional", "nonlesional"), ("nonlesional", "lesional")):
        for pair in ordered.drop_duplicates(own).to_dict("records"):
            places[pair[own]] = pair[f"{own}_place"]
            if pair["exchanged"]:
                flags.add(
                    pair[own],
                    QualityFlag.STATE_EXCHANGED,
                    f"perhaps exchanged with {pair[other]}: on the way from nonlesional (0) to "
                    "untreated lesional skin (1) the sample labelled lesional is at "
                    f"{pair['lesional_place']:.2f} and the one labelled nonlesional at "
                    f"{pair['nonlesional_place']:.2f} (probability {pair['probability']:.3f})",
                )
    return places


def _flag_other_patients(log2: pd.DataFrame, sheet: pd.DataFrame, flags: _Flags) -> None:
    """Flag samples whose genes are those of another person, with the evidence."""
    persons = other_patients(log2, sheet)
    for row in persons[persons["swapped"].astype(bool)].to_dict("records"):
        candidate = (
            f"patient {row['candidate']} fits better ({row['candidate_unlike']:.0f} differ)"
            if row["candidate"]
            else "no other patient of the cohort fits"
        )
        flags.add(
            row["sample"],
            QualityFlag.OTHER_PATIENT,
            f"{row['unlike']} of {row['markers']} genes that tell people apart ({row['genes']}) "
            f"differ from the other samples of patient {row['patient']}; {candidate}",
        )


def _tell_doubted(table: pd.DataFrame, flags: _Flags) -> None:
    """Warn, in the log and in `adnorm check`, of samples that may carry the label of another."""
    doubted = []
    for sample in table["sample"]:
        found = zip(flags.flags.get(sample, []), flags.reasons.get(sample, []), strict=True)
        if own := [reason for flag, reason in found if flag in DOUBTED_LABELS]:
            doubted.append(f"{sample}: {'; '.join(own)}")
    if doubted:
        more = (
            f"; and {len(doubted) - MOST_TOLD} more, in qc.tsv" if len(doubted) > MOST_TOLD else ""
        )
        get_logger().warning(
            "%s may carry the label of another one: %s%s. Compare them with the records of the "
            "laboratory and correct the sheet, or leave them out (expression: exclude_swaps and "
            "exclude_sex_mismatch, or exclude: of the cohort)",
            counted(len(doubted), "sample"),
            "; ".join(doubted[:MOST_TOLD]),
            more,
        )


def _flag_libraries(table: pd.DataFrame, flags: _Flags) -> None:
    """Flag libraries below the limits of the configuration, and those far below the others.

    When most libraries are tiny none stands out, so an absolute number is needed too.
    """
    limit, small = flags.settings.exclude_small_libraries, flags.settings.small_library
    deviations = flags.settings.outlier_deviations
    for column, flag, what in (
        ("library_size", QualityFlag.SMALL_LIBRARY, "reads"),
        ("detected_genes", QualityFlag.FEW_GENES, "detected genes"),
    ):
        if table[column].isna().all():
            continue
        low = robust_deviation(
            np.log10(table[column].to_numpy(dtype=float) + 1), SMALLEST_LOG10_SPREAD
        )
        for name, value, deviation in zip(table["sample"], table[column], low, strict=True):
            if column == "library_size" and limit is not None and value < limit:
                flags.add(
                    name, QualityFlag.BELOW_LIBRARY_LIMIT, f"{value:.0f} reads, below {limit}"
                )
            elif column == "library_size" and value < small:
                flags.add(name, flag, f"{value:.0f} reads, below {small}")
            elif deviation < -deviations:
                flags.add(name, flag, f"{value:.0f} {what}, {-deviation:.1f} robust deviations low")


def _why_missing(table: pd.DataFrame, scale: str, no_call: str, small: set[str]) -> list[str]:
    """Explain for each sample why a value is missing."""
    common = []
    if table["library_size"].isna().all():
        common.append(f"library_size: not available for {scale} data")
    if table["detected_genes"].isna().all():
        common.append("detected_genes: not available for log2 data, which have no zero")
    if no_call:
        common.append(f"sex_called: {no_call}")
    result = []
    placed = bool(table["lesional_place"].notna().any())
    columns = ["sample", "correlation_within_group", "pca_distance", "lesional_place"]
    for name, within, distance, place in table[columns].itertuples(index=False, name=None):
        own = list(common)
        if name in small:
            own.append("correlation_within_group, pca_distance: below the library limit")
        elif pd.isna(distance):
            own.append(f"pca_distance: fewer than {FEWEST_JUDGED} samples")
        if name not in small and pd.isna(within):
            own.append("correlation_within_group: no other sample, or no variation")
        if pd.isna(place):
            own.append(
                "lesional_place: no sample of the other state at the visit"
                if placed
                else f"lesional_place: fewer than {FEWEST_PATIENTS} patients with lesional and "
                "nonlesional skin before treatment"
            )
        result.append("; ".join(own))
    return result


def call_sex(values: pd.DataFrame, scale: str) -> tuple[pd.Series, str]:
    """Call the sex of each sample from values before the low-count filter, or explain why not.

    Female: XIST at least fourfold above the mean of the Y genes (log2), and above the middle gene
    of the sample; male: the reverse. Anything else is "not called", also when XIST or all Y genes
    are absent from the platform, when a sample has fewer than 20 reads on them, or when the values
    are ratios.
    """
    nobody = pd.Series(str(Sex.NOT_CALLED), index=values.columns, dtype=object)
    y_genes = [gene for gene in Y_GENES if gene in values.index]
    if X_GENE not in values.index or not y_genes:
        absent = X_GENE if X_GENE not in values.index else "Y genes"
        return nobody, f"{absent} absent from the platform"
    if scale == Scale.LOG2 and (values.to_numpy() < 0).mean() > RATIOS:
        return nobody, "values are ratios"
    x = values.loc[X_GENE].to_numpy(dtype=float)
    y = values.loc[y_genes].to_numpy(dtype=float)
    middle, enough = values.median().to_numpy(dtype=float), np.ones(len(x), dtype=bool)
    if scale == Scale.COUNTS:
        enough = x + y.sum(axis=0) >= _FEWEST_SEX_READS
        per_million = 1e6 / values.sum().clip(lower=1).to_numpy(dtype=float)
        x, y, middle = x * per_million, y * per_million, middle * per_million
    if scale in (Scale.COUNTS, Scale.LINEAR):
        x, y, middle = np.log2(x + 1), np.log2(y + 1), np.log2(middle + 1)
    difference = x - y.mean(axis=0)
    called = nobody.copy()
    called[enough & (difference > SEX_DIFFERENCE) & (x > middle)] = str(Sex.FEMALE)
    called[enough & (difference < -SEX_DIFFERENCE) & (y.max(axis=0) > middle)] = str(Sex.MALE)
    return called, "" if enough.any() else "too few reads on XIST and the Y genes"


def _flag_sex(samples: pd.DataFrame, called: pd.Series, flags: _Flags) -> None:
    """Flag samples whose sex contradicts the sheet or the patient's other samples."""
    known = called[called != Sex.NOT_CALLED]
    if "sex" in samples:
        stated = dict(zip(samples["sample"], samples["sex"], strict=True))
        for sample, sex in zip(known.index, known, strict=True):
            if stated[sample] in (Sex.FEMALE, Sex.MALE) and stated[sample] != sex:
                reason = f"expression says {sex}, the sheet says {stated[sample]}"
                flags.add(sample, QualityFlag.SEX_CONTRADICTS_SHEET, reason)
    patients = samples.set_index("sample")["patient"].reindex(known.index).to_numpy()
    for patient, sexes in known.groupby(patients, sort=True):
        counts = sexes.value_counts()
        if len(counts) < 2:
            continue
        # The sex of most samples is the patient's; without a majority all of them are suspect.
        fewest = sorted(counts.index[counts == counts.min()])
        for sample, sex in sexes[sexes.isin(fewest)].items():
            reason = (
                f"expression says {sex}, other samples of patient {patient!s} say otherwise: "
                "a swap, perhaps"
            )
            flags.add(str(sample), QualityFlag.SEX_DIFFERS_WITHIN_PATIENT, reason)


def robust_deviation(values: np.ndarray, smallest_spread: float = 0.0) -> np.ndarray:
    """Express values as deviations from their median, in robust standard deviations.

    Missing values stay missing; without a spread all are 0.

    Examples
    --------
    >>> robust_deviation(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 31.7]
    """
    values = np.asarray(values, dtype=float)
    centred = values - np.nanmedian(values) if np.isfinite(values).any() else values
    spread = np.nanmedian(np.abs(centred)) * NORMAL if np.isfinite(values).any() else 0.0
    spread = max(spread, smallest_spread)
    return centred / spread if spread > 0 else np.zeros_like(values)


#: Genes that are multiplied at a time.
_GENES_AT_ONCE = 2048


@dataclass(frozen=True)
class SampleProducts:
    """Products of all pairs of samples, which correlations and principal components both rest on.

    Making them takes time with the square of the samples, so they are made once; genes are taken
    some at a time, so that no second copy of the values is needed.
    """

    #: Of the values, less the mean of each gene; shape (samples, samples).
    of_samples: np.ndarray
    #: Of these with the means of the genes, less the mean of all; shape (samples,).
    with_genes: np.ndarray
    #: Of the latter with themselves.
    of_genes: float
    #: Mean of each sample, less the mean of all; shape (samples,).
    means: np.ndarray
    #: Length of each sample, less its mean; NaN where it does not vary; shape (samples,).
    lengths: np.ndarray
    genes: int

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """The largest eigenvalues, `COMPONENTS` at most, and their vectors, the largest first."""
        from scipy.linalg import eigh
        from threadpoolctl import threadpool_limits

        last = len(self.of_samples) - 1
        with threadpool_limits(limits=1):
            size, vectors = eigh(
                self.of_samples, subset_by_index=[max(0, last - COMPONENTS + 1), last]
            )
        # Below this an eigenvalue is rounding.
        size[size < len(self.of_samples) * np.finfo(float).eps * size[-1]] = 0.0
        return size[::-1], vectors[:, ::-1]


def products_of(log2: pd.DataFrame) -> SampleProducts:
    """Multiply all pairs of samples; `log2` is genes × samples."""
    from threadpoolctl import threadpool_limits

    matrix = log2.to_numpy(dtype=float)
    genes, count = matrix.shape
    of_samples, with_genes = np.zeros((count, count)), np.zeros(count)
    of_genes, squares, largest = matrix.mean(axis=1), np.zeros(count), 0.0
    sample_means = matrix.mean(axis=0)
    overall = of_genes.mean() if genes else 0.0
    # Linear algebra on several threads adds in another order, and the last digits differ.
    with threadpool_limits(limits=1):
        for start in range(0, genes, _GENES_AT_ONCE):
            part = slice(start, start + _GENES_AT_ONCE)
            values = matrix[part]
            squares += ((values - sample_means) ** 2).sum(axis=0)
            largest = max(largest, float(np.abs(values).max()))
            centred = values - of_genes[part, None]
            of_samples += centred.T @ centred
            with_genes += (of_genes[part] - overall) @ centred
    lengths = np.sqrt(squares)
    lengths[lengths <= 1e-9 * max(1.0, largest)] = np.nan
    rest = of_genes - overall
    return SampleProducts(
        of_samples, with_genes, float(rest @ rest), sample_means - overall, lengths, genes
    )


def principal_components(log2: pd.DataFrame, products: SampleProducts | None = None) -> np.ndarray:
    """Compute principal components, the same on every machine and thread count.

    Genes are centred, not scaled. The components are the eigenvectors of the products of the
    samples, which are few against the genes. The sign of each is chosen so that the sample with the
    largest absolute score has a positive one. One column of zeros when there are fewer than three
    samples or two genes.
    """
    samples = log2.shape[1]
    count = min(COMPONENTS, samples - 1, log2.shape[0] - 1)
    if count < 1 or samples < 3:
        return np.zeros((samples, 1), dtype=np.float32)
    size, vectors = (products_of(log2) if products is None else products).components
    scores = vectors[:, :count] * np.sqrt(size[:count])
    largest = np.abs(scores).argmax(axis=0)
    signs = np.sign(scores[largest, np.arange(count)])
    return (scores * np.where(signs == 0, 1, signs)).astype(np.float32)


def pca_deviation(scores: np.ndarray, states: pd.Series) -> np.ndarray:
    """Measure how far each sample lies from the middle of its state in the principal components.

    Lesional and healthy skin lie apart by nature, so distances are measured within a state; a state
    of fewer than three samples is measured from the middle of all. Given is the deviation from the
    median distance, in robust standard deviations; missing for fewer than six samples.
    """
    if len(scores) < FEWEST_JUDGED:
        return np.full(len(scores), np.nan)
    distance = np.zeros(len(scores))
    labels = states.astype(str).to_numpy()
    for state in sorted(set(labels)):
        rows = labels == state
        centre = np.median(scores[rows] if rows.sum() >= SMALLEST_GROUP else scores, axis=0)
        distance[rows] = np.linalg.norm(scores[rows] - centre, axis=1)
    return robust_deviation(distance, SMALLEST_SHARE * float(np.median(distance)))


def correlations(products: SampleProducts) -> np.ndarray:
    """Pearson correlation between samples; missing where a sample does not vary."""
    result = products.of_samples - products.genes * np.outer(products.means, products.means)
    result += products.with_genes[:, None] + products.with_genes + products.of_genes
    result /= products.lengths[:, None]
    result /= products.lengths
    return result


def peers_of(samples: pd.DataFrame) -> list[np.ndarray]:
    """List the samples that each sample is compared with, itself among them.

    Those of the same state, arm and week; when they are fewer than three, those of the same state;
    when these are fewer than three as well, all.
    """
    state = samples["state"].astype(str)
    group = state + "\t" + samples["arm"].astype(str) + "\t" + samples["week"].astype(str)
    everyone = np.arange(len(samples))
    found = [everyone] * len(samples)
    for labels in (state.to_numpy(), group.to_numpy()):
        for label in sorted(set(labels)):
            members = np.flatnonzero(labels == label)
            if len(members) >= SMALLEST_GROUP:
                for position in members:
                    found[position] = members
    return found


def correlation_within_group(matrix: np.ndarray, samples: pd.DataFrame) -> np.ndarray:
    """Median correlation of each sample with the others of its group; see `peers_of`."""
    result = np.full(len(samples), np.nan)
    for position, peers in enumerate(peers_of(samples)):
        values = matrix[position, peers[peers != position]]
        values = values[np.isfinite(values)]
        if values.size:
            result[position] = np.median(values)
    return result


def correlation_deviation(within: np.ndarray, samples: pd.DataFrame) -> np.ndarray:
    """Deviation of `correlation_within_group` from its group's median, in robust deviations.

    The spread is that of all samples, since a group of three has none of its own. Missing when
    there are fewer than six samples.
    """
    if len(within) < FEWEST_JUDGED:
        return np.full(len(within), np.nan)
    centred = np.array(
        [
            value - np.nanmedian(within[peers]) if np.isfinite(value) else np.nan
            for value, peers in zip(within, peers_of(samples), strict=True)
        ]
    )
    return robust_deviation(centred, SMALLEST_SPREAD)


def duplicate_groups(matrix: np.ndarray, names: list[str]) -> list[list[str]]:
    """Find groups of samples that correlate above 0.999: the same library twice."""
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(np.nan_to_num(matrix) > DUPLICATE, directed=False)
    groups = pd.Series(names, dtype=object).groupby(labels).agg(sorted)
    return sorted(group for group in groups if len(group) > 1)
