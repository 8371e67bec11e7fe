"""The declared scale is checked against the values; it is never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems, nearest
from adnorm.base.logs import get_logger, progress
from adnorm.expression.scale import (
    BASES,
    EQUAL_SUMS,
    HIGHEST_COUNT,
    HIGHEST_LOG2,
    LOG_COUNTS,
    RATIOS,
    WORDS,
    Hints,
    Reading,
    all_whole,
    centred_genes,
    counts_behind,
    finite_of,
    log2_per_unit,
    nearly_highest,
    percent,
    power_of_ten,
    read_scale,
    spread,
    whole_behind,
)
from adnorm.study.vocabulary import Assay, Scale

#: Sums of TPM are a million and those of FPKM are less; sums of counts are mostly more, and differ.
HIGHEST_NORMALIZED_SUM = 2e6
LIBRARY_SPREAD = 1.5
#: A single log2 value above this is an error of the table.
IMPOSSIBLE_LOG2 = 50.0
#: Sums of samples that are normalized for library size differ less than this, as a ratio.
NORMALIZED_SPREAD = 3.0
# Log2 ratios of skin reach further than this; log10 ratios mostly do not.
_NARROW = 0.7
# Smaller sums than this are not those of values per million.
_FEW = 2e5
# Sums of expression reach beyond this.
_BEYOND_RATIOS = 1e4
# Sums of so many libraries are not equal by chance.
_FEWEST_LIBRARIES = 6
# Sums of nearly all genes lie this far below the power of ten that all genes have.
_NEARLY = 0.75


def verify_scale(
    values: pd.DataFrame,
    scale: str,
    where: str,
    assay: str = "",
    rounded: bool = False,
    hints: Hints | None = None,
    checked: str | None = None,
) -> str:
    """Stop when the values contradict the declared scale.

    What values look like is decided by one rule (`read_scale`); the scale that it names is accepted
    when it is declared. RNA-seq values on a linear scale are normalized for library size (TPM,
    FPKM): whole numbers whose sums vary as those of libraries are refused, a doubt is logged.
    Missing values are not judged here.

    Parameters
    ----------
    values
        Rows × samples as published.
    scale
        The declared scale.
    where
        The file, for messages.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts (`round_counts`), so that counts need
        not be whole yet.
    hints
        What the deposit says of its values besides.
    checked
        Why the declared scale is right whatever the check finds (``scale_checked``); what no value
        of that scale can be is refused all the same.

    Returns
    -------
    str
        What the check found and `checked` overrules; empty when there is nothing to overrule.
    """
    if scale not in list(Scale):
        raise AdnormError(
            f"{where}: scale '{scale}' is unknown{nearest(scale, Scale)}; allowed: "
            f"{', '.join(Scale)}"
        )
    scale, hints = Scale(scale), hints or Hints()
    matrix = _as_numbers(values, where)
    _refuse_nothing(matrix, where)
    if rounded and scale != Scale.COUNTS and scale not in LOG_COUNTS:
        raise AdnormError(
            f"{where}: `source: round_counts: true` is for `scale: counts` and logarithms of "
            f"counts, but the cohort file declares `scale: {scale}`; take one of the two lines out"
        )
    problems = Problems(where)
    _name_cells(values, np.isinf(matrix), "infinite", problems, "a log2 of zero, perhaps")
    problems.stop()
    reading = read_scale(matrix, assay, hints)
    _refuse_negative(values, matrix, scale, reading, where)
    found = _contradiction(matrix, scale, reading, assay, rounded)
    if not found:
        _refuse_impossible(values, matrix, scale, where, rounded)
        if checked:
            progress(f"{where}: `scale: {scale}` agrees with the values; no scale_checked needed")
        _log_doubts(matrix, scale, reading, assay, hints, where)
        return ""
    finding = f"declared is `scale: {scale}`, but {describe_values(values)}{found}"
    if not checked:
        wrong = "" if reading.scale is None else "; if not, this is the wrong table"
        ways = _ways_out(values, matrix, scale, rounded, hints)
        raise AdnormError(f"{where}: {finding}{wrong}{ways}")
    _refuse_impossible(values, matrix, scale, where, rounded)
    get_logger().warning(
        "%s: `scale: %s` is kept because the cohort file says why (scale_checked: %s), although "
        "the check found: %s",
        where,
        scale,
        checked,
        finding,
    )
    return finding


def _ways_out(
    values: pd.DataFrame, matrix: np.ndarray, scale: Scale, rounded: bool, hints: Hints
) -> str:
    """Describe the other ways: counts of the same file, or a reason why the scale is right."""
    also = ""
    if hints.counts and scale != Scale.COUNTS:
        also = f". Raw counts stand in the same file: better, take them: write {hints.counts}"
    try:
        _refuse_impossible(values, matrix, scale, "", rounded)
    except AdnormError:
        # A reason would not help: the scale cannot hold such values.
        return also
    return (
        f'. If you know that `scale: {scale}` is right, write `scale_checked: "how you know"` '
        f"below `source:`: it is kept, and the report says so{also}"
    )


def _contradiction(
    matrix: np.ndarray, scale: Scale, reading: Reading, assay: str, rounded: bool
) -> str:
    """Describe how the values contradict the declared scale; empty when they do not."""
    if reading.scale is None:
        return f"; {reading.why}. {reading.instead}"
    if scale == Scale.COUNTS and reading.scale == Scale.LINEAR:
        # Expected counts and linear values look alike, but for equal sums.
        sums = np.nansum(matrix, axis=0)
        if not rounded or matrix.shape[1] < 2 or spread(sums) > EQUAL_SUMS:
            return ""
        also = f", and all samples have the same sum ({np.median(sums):.6g}), as TPM have and reads"
        return _looks_like(Scale.LINEAR, scale, f"{also} have not", " and take `round_counts` out")
    if scale in LOG_COUNTS and reading == Reading(Scale.LOG2, certain=False):
        counts = counts_behind(matrix, scale)[0]
        high = not _within_log2(matrix, LOG_COUNTS[scale]) or np.nanmax(counts) > HIGHEST_COUNT
        # Those that are no counts are refused later, with the ways for expected counts.
        return _looks_like(Scale.LOG2, scale) if high or np.nanmin(counts) < -0.5 else ""
    if scale == Scale.LINEAR and reading.scale == Scale.COUNTS:
        return _whole_linear(matrix, assay)
    if scale in BASES and not reading.certain and _within_log2(matrix, scale):
        return ""
    if reading.scale == scale and (rounded or not reading.expected):
        return ""
    rounding = " and write `round_counts: true` below `source:`" if reading.expected else ""
    taking = rounded and reading.scale != Scale.COUNTS and reading.scale not in LOG_COUNTS
    why = f"; {reading.why}" if reading.why else ""
    return _looks_like(
        reading.scale, scale, why, " and take `round_counts` out" if taking else rounding
    )


def _within_log2(matrix: np.ndarray, name: Scale) -> bool:
    """Whether values of a logarithm stay within the range of log2 values once they are log2."""
    return nearly_highest(matrix[np.isfinite(matrix)]) * log2_per_unit(name) <= HIGHEST_LOG2


def _whole_linear(matrix: np.ndarray, assay: str) -> str:
    """Judge whole numbers that are declared linear: intensities and rounded TPM may be whole."""
    sums = np.nansum(matrix, axis=0)
    if nearly_highest(matrix[np.isfinite(matrix)]) <= HIGHEST_LOG2 and not power_of_ten(sums):
        return _looks_like(Scale.COUNTS, Scale.LINEAR)
    if assay != Assay.RNA_SEQ:
        return ""
    deep = np.median(sums) > HIGHEST_NORMALIZED_SUM and spread(sums) > LIBRARY_SPREAD
    if not deep and spread(sums) <= NORMALIZED_SPREAD:
        return ""
    found = f"; the sums of the samples run from {sums.min():.4g} to {sums.max():.4g}"
    return _looks_like(Scale.COUNTS, Scale.LINEAR, f"{found}, as those of libraries do")


def _looks_like(other: Scale, scale: Scale, why: str = "", also: str = "") -> str:
    if other == scale:
        return f"{why}. If they are expected counts, keep `scale: {scale}`{also}"
    return (
        f"{why}, which is what {WORDS[other]} look like. If that is what they are, change the line "
        f"`scale: {scale}` of the cohort file to `scale: {other}`{also}"
    )


def describe_values(values: pd.DataFrame) -> str:
    """Describe a matrix: range, quantiles, share of whole numbers."""
    flat = values.to_numpy(dtype=float).ravel()
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return "the table holds no finite value"
    low, quarter, middle, upper, high = np.quantile(flat, [0, 0.25, 0.5, 0.75, 1])
    whole = np.mean(flat == np.floor(flat))
    return (
        f"the values run from {low:.4g} to {high:.4g} (quartiles {quarter:.4g}, {middle:.4g}, "
        f"{upper:.4g}), and {percent(whole)} of them are whole numbers"
    )


def _as_numbers(values: pd.DataFrame, where: str) -> np.ndarray:
    """Return the values as numbers, or stop at the first column of text."""
    try:
        return values.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        text = [c for c in values.columns if not pd.api.types.is_numeric_dtype(values[c])]
        raise AdnormError(
            f"{where}: {len(text)} columns hold text instead of numbers, first '{text[0]}' "
            f"({error}); mend the table"
        ) from error


def _refuse_nothing(matrix: np.ndarray, where: str) -> None:
    """Stop at a table without values, or with one value everywhere."""
    if matrix.size == 0:
        raise AdnormError(
            f"{where}: the table has {matrix.shape[0]} rows and {matrix.shape[1]} samples; there "
            "are no values to work on"
        )
    finite = finite_of(matrix)
    if np.isnan(matrix).all():
        raise AdnormError(f"{where}: every value is missing")
    if finite.size and finite.max() == finite.min() and not np.isinf(matrix).any():
        raise AdnormError(f"{where}: all values are {finite[0]:g}; there is nothing to compare")


def _refuse_negative(
    values: pd.DataFrame,
    matrix: np.ndarray,
    scale: Scale,
    reading: Reading,
    where: str,
) -> None:
    """Refuse negative counts and linear values; say what the table looks like."""
    if scale not in (Scale.COUNTS, Scale.LINEAR):
        return
    negative = np.less(matrix, 0, where=~np.isnan(matrix), out=np.zeros(matrix.shape, dtype=bool))
    problems = Problems(where)
    advice = "Mend the table, or exclude the samples"
    if reading.scale is None:
        advice = f"Besides, {reading.why}. {reading.instead}"
    elif reading.scale not in (Scale.COUNTS, Scale.LINEAR):
        because = f" ({reading.why})" if reading.why else ""
        advice = (
            f"They look like {WORDS[reading.scale]}{because}: if that is what they are, change the "
            f"line `scale: {scale}` of the cohort file to `scale: {reading.scale}`"
        )
    note = f"which the declared `scale: {scale}` cannot have"
    if reading.scale is not None:
        note += "; log2 values and ratios can"
    _name_cells(values, negative, "negative", problems, note, advice)
    problems.stop()


def _refuse_impossible(
    values: pd.DataFrame, matrix: np.ndarray, scale: Scale, where: str, rounded: bool
) -> None:
    """Refuse what no reason can make right: parts of reads, reads below zero or beyond number."""
    problems = Problems(where)
    if scale in BASES:
        hit = matrix * log2_per_unit(scale) > IMPOSSIBLE_LOG2
        advice = (
            "Mend the table, or exclude the samples; if the values are linear after all, write "
            '`scale: linear`, and `scale_checked: "how you know"` below `source:`'
        )
        note = "on the log2 scale; no log2 value is"
        _name_cells(values, hit, "above 50", problems, note, advice)
        problems.stop()
    counts, whole = matrix, True
    if scale in LOG_COUNTS:
        counts = counts_behind(matrix, scale)[0]
        found = whole_behind(matrix, BASES[LOG_COUNTS[scale]])
        whole = found is None or found.counts
        note = f"once {WORDS[scale]} is turned back into counts"
        _name_cells(values, counts < -0.5, "below zero reads", problems, note)
        problems.stop()
    elif scale == Scale.COUNTS:
        whole = all_whole(finite_of(matrix))
    else:
        return
    if (whole or rounded) and np.nanmax(counts) <= HIGHEST_COUNT:
        return
    declared = f"{where}: declared is `scale: {scale}`, but {describe_values(values)}"
    other = LOG_COUNTS.get(scale, Scale.LINEAR)
    change = f"change the line `scale: {scale}` of the cohort file to `scale: {other}`"
    if np.nanmax(counts) > HIGHEST_COUNT:
        raise AdnormError(
            f"{declared}; no gene has so many reads in one sample. If they are {WORDS[other]}, "
            f"{change}; if not, this is the wrong table"
        )
    if scale in LOG_COUNTS:
        declared += ", and turned back they are no whole numbers"
    sums = np.nansum(counts, axis=0)
    if matrix.shape[1] > 1 and spread(sums) <= EQUAL_SUMS:
        raise AdnormError(
            f"{declared}; all samples have the same sum ({np.median(sums):.6g}), as TPM have and "
            f"reads have not, which is what {WORDS[other]} look like. If that is what they are, "
            f"{change}; if not, this is the wrong table"
        )
    raise AdnormError(
        f"{declared}. Expected counts (RSEM, salmon, tximport) are not whole: if that is what they "
        "are, write `round_counts: true` below `source:` in the cohort file. If they are TPM or "
        f"FPKM, which is what {WORDS[other]} look like, {change}; if neither, this is the wrong "
        "table"
    )


def _name_cells(
    values: pd.DataFrame,
    hit: np.ndarray,
    what: str,
    problems: Problems,
    note: str,
    advice: str = "Mend the table, or exclude the samples",
) -> None:
    if not hit.any():
        return
    rows, columns = np.nonzero(hit)
    row, column = rows[0], columns[0]
    samples = len(set(columns.tolist()))
    problems.add(
        f"{len(rows)} values in {samples} samples are {what} ({note}); the first is "
        f"{values.iat[row, column]:g} in row '{values.index[row]}', sample "
        f"'{values.columns[column]}'. {advice}"
    )


def _log_doubts(
    matrix: np.ndarray, scale: Scale, reading: Reading, assay: str, hints: Hints, where: str
) -> None:
    """Log what a person should look at."""
    array, doubts = assay == Assay.MICROARRAY, []
    if scale == Scale.COUNTS and assay == Assay.RNA_SEQ:
        doubts = [_doubt_counts(matrix)]
    elif scale == Scale.LINEAR and assay == Assay.RNA_SEQ:
        doubts = [_doubt_linear(matrix)]
    elif scale in BASES:
        doubts = [
            _doubt_centred(matrix),
            _doubt_array(matrix, scale) if array else _doubt_sums(reading.sums, scale),
            _doubt_two_logarithms(matrix, scale, hints),
            _doubt_narrow_ratios(matrix, scale, hints) if array else "",
        ]
    for sentence in filter(None, doubts):
        get_logger().warning("%s: declared is `scale: %s`, and %s", where, scale, sentence)


def _doubt_counts(matrix: np.ndarray) -> str:
    """Doubt counts whose sums are equal, but for those that were drawn to one exact number."""
    sums = np.nansum(matrix, axis=0)
    if len(sums) < _FEWEST_LIBRARIES or not 1 < spread(sums) <= EQUAL_SUMS:
        return ""
    return (
        f"all samples have nearly the same sum ({np.median(sums):,.0f}), as rounded TPM or counts "
        "per million have and reads have not; if they are that, write `scale: linear`"
    )


def _doubt_linear(matrix: np.ndarray) -> str:
    sums = np.nansum(matrix, axis=0)
    finite = matrix[np.isfinite(matrix)]
    if spread(sums) > NORMALIZED_SPREAD:
        return (
            f"the sums of the samples run from {sums.min():.4g} to {sums.max():.4g}; linear values "
            "are expected to be normalized for library size (TPM, FPKM). Expected counts belong "
            "under `scale: counts` with `source: round_counts: true`"
        )
    if np.all(finite == np.floor(finite)):
        return (
            "all values are whole numbers; they are taken for rounded TPM or FPKM. If they are "
            "counts, declare `scale: counts`"
        )
    return ""


def _doubt_centred(matrix: np.ndarray) -> str:
    if np.nanmean(matrix < 0) < RATIOS or not centred_genes(matrix):
        return ""
    return (
        "every row is centred on 0: differences are kept, levels are lost. Which of several "
        "probes stands for a gene, the ranks behind ssGSEA and the sex of the samples depend on "
        "levels; take the values before they were centred if you can"
    )


def _doubt_array(matrix: np.ndarray, scale: Scale) -> str:
    whole = whole_behind(matrix, BASES[scale])
    if whole is None or not whole.counts:
        return ""
    return (
        f"whole numbers stand behind the logarithm, so these intensities are not normalized. If "
        f"they are counts of sequencing, write `assay: rna-seq` and `scale: {scale}_counts`; the "
        "configuration can normalize arrays (`expression: array_normalization: quantile`)"
    )


def _doubt_sums(sums: dict[Scale, np.ndarray], scale: Scale) -> str:
    """Doubt log2 values of most genes, whose sums would nearly be a power of ten otherwise."""
    if scale != Scale.LOG2 or not sums:
        return ""
    behind = sums[Scale.LOG2]
    total = float(np.median(behind))
    # Sums behind ratios are small and of any sign.
    if total > _BEYOND_RATIOS and NORMALIZED_SPREAD < spread(behind) < np.inf:
        return (
            f"behind the logarithm the sums of the samples run from {behind.min():.4g} to "
            f"{behind.max():.4g}: log2 values are expected to be normalized for library size. Of "
            f"expected counts (RSEM, salmon) the logarithm is `scale: {scale}_counts` with "
            "`source: round_counts: true`"
        )
    if spread(behind) <= EQUAL_SUMS and total < _FEW:
        return (
            f"every sample has the sum {total:,.0f} behind the logarithm: the 1 of log2(x + 1) "
            f"stands for {1e6 / total:,.0f} per million then and flattens the changes of most "
            "genes; take the counts, or the values before the logarithm with `scale: linear`"
        )
    if _nearly_power(behind):
        return ""
    for name in (Scale.LN, Scale.LOG10):
        if _nearly_power(sums[name]):
            return (
                f"the sums of the samples are nearly a power of ten if the values are "
                f"{WORDS[name]}; if that is what they are, write `scale: {name}`"
            )
    return ""


def _nearly_power(sums: np.ndarray) -> bool:
    if sums.size < 2 or spread(sums) > 1 / _NEARLY:
        return False
    powers = np.array([1e4, 1e5, 1e6])
    return bool(any(((sums <= 1.01 * p) & (sums >= _NEARLY * p)).all() for p in powers))


def _doubt_narrow_ratios(matrix: np.ndarray, scale: Scale, hints: Hints) -> str:
    """Doubt ratios of arrays that are all small where nobody says of which logarithm they are."""
    if scale != Scale.LOG2 or hints.logarithms or np.nanmean(matrix < 0) < RATIOS:
        return ""
    if np.quantile(np.abs(matrix[np.isfinite(matrix)]), 0.995) > _NARROW:
        return ""
    return (
        f"nearly all ratios lie within ± {_NARROW:g}; if they are log10 ratios, of which 1 is "
        "tenfold, write `scale: log10`"
    )


def _doubt_two_logarithms(matrix: np.ndarray, scale: Scale, hints: Hints) -> str:
    if scale == Scale.LOG10 or Scale.LOG10 not in hints.logarithms or len(hints.logarithms) < 2:
        return ""
    finite = np.abs(matrix[np.isfinite(matrix)])
    if np.quantile(finite, 0.995) > (1 if np.nanmean(matrix < 0) >= RATIOS else 5):
        return ""
    return (
        "the data processing of the samples names log10 and another logarithm, and the range of "
        "the values would fit log10; if they are log10 values, write `scale: log10`"
    )
