"""Quality of each sample: what is odd about it is flagged; it goes only by a rule of the config."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.expression.outliers import (
    FEWEST_JUDGED,
    correlation_deviation,
    correlation_within_group,
    correlations,
    duplicate_groups,
    pca_deviation,
    principal_components,
    robust_deviation,
)
from adnorm.expression.scale import COUNTS, LINEAR
from adnorm.expression.sex import call_sex, sex_contradictions

#: Flag → the configuration key that excludes samples with it; other flags never exclude.
EXCLUDED_BY = {
    "below_library_limit": "exclude_small_libraries",
    "pca_outlier": "exclude_outliers",
    "correlation_outlier": "exclude_outliers",
    "sex_contradicts_sheet": "exclude_sex_mismatch",
    "sex_differs_within_patient": "exclude_sex_mismatch",
    "duplicate": "exclude_duplicates",
}
#: Libraries that differ by less than five per cent do not differ.
SMALLEST_LOG10_SPREAD = 0.02
COLUMNS = (
    "sample",
    "patient",
    "state",
    "arm",
    "week",
    "library_size",
    "detected_genes",
    "correlation_within_group",
    "pca_distance",
    "sex_called",
    "flags",
    "excluded",
    "reason",
    "not_computed",
)


@dataclass
class _Flags:
    """Flags, their reasons, and which samples go."""

    settings: dict
    flags: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)

    def add(self, sample: str, flag: str, reason: str, spare: bool = False) -> None:
        """Flag a sample; `spare` keeps it even when the configuration excludes by this flag."""
        rule = EXCLUDED_BY.get(flag)
        excludes = rule is not None and self.settings[rule] not in (None, False) and not spare
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
    return pd.DataFrame(
        {
            "library_size": totals.reindex(values.columns) if scale == COUNTS else nothing,
            "detected_genes": (values > 0).sum() if scale in (COUNTS, LINEAR) else nothing,
        }
    )


def below_library_limit(libraries: pd.DataFrame, settings: dict) -> list[str]:
    """List the samples below ``exclude_small_libraries``; none without that rule or reads."""
    limit = settings["exclude_small_libraries"]
    if limit is None:
        return []
    return sorted(libraries.index[libraries["library_size"] < limit])


def assess_quality(
    samples: pd.DataFrame,
    values: pd.DataFrame,
    log2: pd.DataFrame,
    libraries: pd.DataFrame,
    scale: str,
    settings: dict,
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

    Returns
    -------
    DataFrame
        One row per sample, in the order of the sheet. ``correlation_within_group`` is the median
        Pearson correlation with the other samples of the same state, arm and week;
        ``pca_distance`` the distance from the middle of the sample's state in the first ten
        principal components, in robust standard deviations above the median distance. ``flags``
        and ``reason`` are empty for a sample without remark.

    Raises
    ------
    AdnormError
        The rules of the configuration exclude every sample.
    """
    flags = _Flags(settings)
    table = samples[["sample", "patient", "state", "arm", "week"]].reset_index(drop=True)
    table = table.join(libraries, on="sample")
    within, distance = _flag_expression(table, log2, flags)
    table["correlation_within_group"] = table["sample"].map(within)
    table["pca_distance"] = table["sample"].map(distance)
    called, no_call = call_sex(values, scale)
    table["sex_called"] = table["sample"].map(called)
    for sample, found in sex_contradictions(samples, called).items():
        for flag, reason in found:
            flags.add(sample, flag, reason)
    _flag_libraries(table, flags)
    table["flags"] = [";".join(sorted(flags.flags.get(s, []))) for s in table["sample"]]
    table["excluded"] = ["yes" if s in flags.excluded else "no" for s in table["sample"]]
    table["reason"] = ["; ".join(sorted(flags.reasons.get(s, []))) for s in table["sample"]]
    table["not_computed"] = _why_missing(
        table, scale, no_call, set(table["sample"]) - set(log2.columns)
    )
    if len(flags.excluded) == len(table):
        keys = sorted(
            {
                EXCLUDED_BY[f]
                for found in flags.flags.values()
                for f in found
                if EXCLUDED_BY.get(f) and settings[EXCLUDED_BY[f]] not in (None, False)
            }
        )
        raise AdnormError(
            f"the rules of `expression:` in the configuration ({', '.join(keys)}) exclude all "
            f"{len(table)} samples; loosen them (first sample: {table['sample'].iloc[0]}: "
            f"{table['reason'].iloc[0]})"
        )
    return table[list(COLUMNS)]


def _flag_expression(
    table: pd.DataFrame, log2: pd.DataFrame, flags: _Flags
) -> tuple[dict[str, float], dict[str, float]]:
    """Flag outliers and duplicates among the samples that were normalized."""
    limit = float(flags.settings["outlier_deviations"])
    sheet = table[table["sample"].isin(log2.columns)].reset_index(drop=True)
    names = list(sheet["sample"])
    log2 = log2[names]
    matrix = correlations(log2)
    within = correlation_within_group(matrix, sheet)
    deviations = correlation_deviation(within, sheet)
    distance = pca_deviation(principal_components(log2), sheet["state"])
    for name, median, low, far in zip(names, within, deviations, distance, strict=True):
        if low < -limit:
            flags.add(
                name,
                "correlation_outlier",
                f"median correlation with its group {median:.3f}, {-low:.1f} robust deviations low",
            )
        if far > limit:
            flags.add(
                name,
                "pca_outlier",
                f"{far:.1f} robust deviations from its state in the principal components",
            )
    _flag_duplicates(matrix, sheet, flags)
    return dict(zip(names, within, strict=True)), dict(zip(names, distance, strict=True))


def _flag_duplicates(matrix: np.ndarray, sheet: pd.DataFrame, flags: _Flags) -> None:
    """Flag samples that correlate above 0.999.

    Of copies of one biopsy the first by name stays; when the copies claim to be different biopsies
    nobody knows which claim is right, and all of them go.
    """
    biopsies = (
        sheet.set_index("sample")[["patient", "state", "week"]].astype(str).agg("\t".join, axis=1)
    )
    for group in duplicate_groups(matrix, list(sheet["sample"])):
        same = biopsies[group].nunique() == 1
        for name in group:
            others = ", ".join(other for other in group if other != name)
            claim = "" if same else ", which the sheet calls another biopsy"
            flags.add(
                name,
                "duplicate",
                f"correlation above 0.999 with {others}{claim}",
                spare=same and name == group[0],
            )


def _flag_libraries(table: pd.DataFrame, flags: _Flags) -> None:
    """Flag libraries below the limits of the configuration, and those far below the others.

    When most libraries are tiny none stands out, so an absolute number is needed too.
    """
    limit = flags.settings["exclude_small_libraries"]
    small = flags.settings["small_library"]
    deviations = float(flags.settings["outlier_deviations"])
    for column, flag, what in (
        ("library_size", "small_library", "reads"),
        ("detected_genes", "few_genes", "detected genes"),
    ):
        if table[column].isna().all():
            continue
        low = robust_deviation(
            np.log10(table[column].to_numpy(dtype=float) + 1), SMALLEST_LOG10_SPREAD
        )
        for name, value, deviation in zip(table["sample"], table[column], low, strict=True):
            if column == "library_size" and limit is not None and value < limit:
                flags.add(name, "below_library_limit", f"{value:.0f} reads, below {limit}")
            elif column == "library_size" and value < small:
                flags.add(name, flag, f"{value:.0f} reads, below {small}")
            elif deviation < -deviations:
                flags.add(name, flag, f"{value:.0f} {what}, {-deviation:.1f} robust deviations low")


def _why_missing(table: pd.DataFrame, scale: str, no_call: str, small: set[str]) -> list[str]:
    """Say for each sample why a value is missing."""
    common = []
    if table["library_size"].isna().all():
        common.append(f"library_size: {scale} values hold no reads")
    if table["detected_genes"].isna().all():
        common.append("detected_genes: log2 values have no zero")
    if no_call:
        common.append(f"sex_called: {no_call}")
    result = []
    for name, within, distance in zip(
        table["sample"], table["correlation_within_group"], table["pca_distance"], strict=True
    ):
        own = list(common)
        if name in small:
            own.append("correlation_within_group, pca_distance: below the library limit")
        elif pd.isna(distance):
            own.append(f"pca_distance: fewer than {FEWEST_JUDGED} samples")
        if name not in small and pd.isna(within):
            own.append("correlation_within_group: no other sample, or no variation")
        result.append("; ".join(own))
    return result
