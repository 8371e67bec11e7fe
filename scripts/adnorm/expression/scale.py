"""Which scale values look like, and how they become counts, linear or log2 values.

One rule reads the scale, for the check of a run and for proposals of cohort files. It looks for
whole numbers behind a logarithm, equal sums and equal spreads, and at the words of the deposit
(data processing, channels, the note of scanpy).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from adnorm.readers.h5ad import Notes
from adnorm.study.vocabulary import Assay, Scale

#: Logarithms in which values are published, by the scale that declares them.
BASES = {Scale.LOG2: 2.0, Scale.LN: float(np.e), Scale.LOG10: 10.0}
#: Sums of samples that differ less than this, as a ratio, are equal: those of TPM, for instance.
EQUAL_SUMS = 1.01
#: Share of the values that the limits below look at: single odd cells do not decide.
NEARLY_ALL = 0.999
# So many values are looked at; more tell no more.
_LOOKED_AT = 200_000
# Rounding of the table blurs high counts; those blurred by more than this tell nothing.
_BLURRED = 0.1
# Where chance would make few values whole, a part of them says expected counts.
_SHARP = 0.01
_FEWEST_VALUES = 20
_OFFSETS = (1.0, 0.5)
# From this share of whole values on, those of a table are counts, or expected counts.
_ALL_WHOLE, _PARTLY_WHOLE = 0.995, 0.25
# Sums of a single power of ten are nobody's chance from so many samples on, or if they meet it.
_FEWEST_SUMS = 6
# Ratio of a high to a low standard deviation of rows; of genes as measured it is 3 and more.
_SAME_SPREAD, _ALIKE_SPREAD = 1.05, 1.4
# "log10", "log (base 10)", "logarithm to the base 10", "base-10 log"; not "log 100".
_NUMBERED = (
    r"log(?:arithm)?(?:s|ic)?[\s_-]*(?:\(?\s*(?:to|of|with|in)?\s*(?:the\s+)?base[\s-]*(?:of\s*)?)?"
    r"\(?\s*{0}(?![\d.])|base[\s-]*(?:of\s*)?{0}(?![\d.])"
)
_SAID = {
    Scale.LOG10: _NUMBERED.format(10) + r"|common log|decadic",
    Scale.LOG2: _NUMBERED.format(2) + r"|binary log",
    Scale.LN: r"natural[\s-]*log|\bln\b|\bbase[\s-]*e\b|\blog_?e\b",
}


@dataclass(frozen=True)
class WholeBehind:
    """Whole numbers behind a logarithm: values are log(count + offset)."""

    #: What was added before the logarithm was taken.
    offset: float
    #: Share of the values that are whole, of those that the rounding of the table leaves sharp.
    share: float
    #: The same share of the values where chance would make less than 3 % whole.
    part: float

    @property
    def counts(self) -> bool:
        """Whether the values are counts."""
        return self.share >= _ALL_WHOLE

    @property
    def expected_counts(self) -> bool:
        """Whether a part is whole that chance does not explain, as of expected counts."""
        return not self.counts and self.part >= _PARTLY_WHOLE


def half_steps(values: np.ndarray) -> np.ndarray:
    """Estimate how far rounding may have moved each value, from the digits that a table has.

    It is half a unit of the last digit. Decimals, significant digits and 32-bit numbers are
    recognised; one value in a thousand may have more digits.

    Examples
    --------
    >>> half_steps(np.array([1.58, 3.17, 2.32, 0.0])).round(6).tolist()
    [0.005, 0.005, 0.005, 0.005]
    """
    size = np.abs(values)
    found = 4 * np.finfo(float).eps * size
    with np.errstate(divide="ignore"):
        exponent = np.where(size > 0, np.floor(np.log10(size)), 0.0)
    decimals = next((d for d in range(10) if _whole_share(values * 10.0**d)), None)
    if decimals is not None:
        found = np.maximum(found, 0.5 * 10.0**-decimals)
    digits = next((s for s in range(2, 10) if _whole_share(values * 10.0 ** (s - 1 - exponent))), 0)
    if digits:
        found = np.maximum(found, 0.5 * 10.0 ** (exponent + 1 - digits))
    single = values.astype(np.float32)
    if decimals is None and not digits and np.mean(single == values) >= NEARLY_ALL:
        # Two units: the logarithm itself was taken in 32 bits.
        found = np.maximum(found, 2 * np.spacing(np.abs(single)).astype(float))
    return found


def _whole_share(scaled: np.ndarray) -> bool:
    return bool(np.mean(np.abs(scaled - np.round(scaled)) < 1e-4) >= NEARLY_ALL)


def whole_behind(matrix: np.ndarray, base: float) -> WholeBehind | None:
    """Look for counts behind a logarithm; ``None`` when too few values are sharp enough to tell.

    The offset is the one that makes most values whole: 1, 0.5, or what the lowest value stands for.
    """
    flat = matrix[np.isfinite(matrix)]
    if not flat.size or flat.max() * np.log(base) > 100:
        return None
    lowest = float(flat.min())
    # The lowest value is no evidence: zeros and floors of any kind end there.
    flat = flat[flat > lowest]
    flat = flat[:: max(1, flat.size // _LOOKED_AT)]
    if not flat.size:
        return None
    raised = base**flat
    blur = 1.2 * raised * np.log(base) * half_steps(flat) + 1e-9 * raised
    offsets = dict.fromkeys([*_OFFSETS, base**lowest] if lowest < 0 else _OFFSETS)
    found = [w for c in offsets if (w := _judge_offset(raised - c, blur, c))]
    return max(found, key=lambda w: w.share, default=None)


def _judge_offset(counts: np.ndarray, blur: np.ndarray, offset: float) -> WholeBehind | None:
    sharp = (blur <= _BLURRED) & (counts > 0.5)
    if sharp.sum() < _FEWEST_VALUES:
        return None
    hit = np.abs(counts - np.round(counts)) <= blur
    sharper = sharp & (blur <= _SHARP)
    # Expected counts are published as log(x + 1); centred values have ties that mean nothing.
    partly = offset == 1.0 and counts.min() >= -0.01 and sharper.sum() >= _FEWEST_VALUES
    part = float(hit[sharper].mean()) if partly else 0.0
    return WholeBehind(offset, float(hit[sharp].mean()), part)


def sums_behind(matrix: np.ndarray) -> dict[Scale, np.ndarray]:
    """Sum base^x − 1 over the rows of each sample, for each logarithm; gaps count as nothing.

    32 bits are enough to compare sums by hundredths.
    """
    single, sums = matrix.astype(np.float32), {}
    for name, base in BASES.items():
        with np.errstate(over="ignore", invalid="ignore"):
            raised = np.expm1(single * np.float32(np.log(base)))
            raised[np.isnan(raised)] = 0
            sums[name] = raised.sum(axis=0, dtype=float)
    return sums


def spread(sums: np.ndarray) -> float:
    """Ratio of the largest to the smallest sum; infinite when one is not above zero."""
    if not np.isfinite(sums).all() or sums.min() <= 0:
        return np.inf
    return float(sums.max() / sums.min())


def power_of_ten(sums: np.ndarray, tolerance: float = 0.001) -> float | None:
    """Return the power of ten that all sums equal, 1 to a million; else ``None``."""
    if spread(sums) > EQUAL_SUMS:
        return None
    middle = float(np.median(sums))
    nearest = 10.0 ** round(np.log10(middle))
    return nearest if 1 <= nearest <= 1e6 and abs(middle / nearest - 1) <= tolerance else None


def equal_sums_behind(matrix: np.ndarray, sums: dict[Scale, np.ndarray]) -> Scale | None:
    """Find the logarithm behind which all samples have the same sum, as CPM and TPM have.

    Quantile normalization makes sums equal behind any logarithm; log2 is returned then.
    """
    if matrix.shape[1] < 2:
        return None
    flat = matrix[np.isfinite(matrix)]
    step = float(np.quantile(half_steps(flat[:: max(1, flat.size // _LOOKED_AT)]), 0.99))
    excess = {}
    for name, base in BASES.items():
        ratio = spread(sums[name])
        if ratio <= min(EQUAL_SUMS + 1.5 * np.log(base) * step, 1.05):
            excess[name] = ratio - 1
    if not excess:
        return None
    best = min(excess, key=lambda name: excess[name])
    if Scale.LOG2 in excess and excess[Scale.LOG2] <= 20 * excess[best] + 1e-5:
        return Scale.LOG2
    certain = matrix.shape[1] >= _FEWEST_SUMS or power_of_ten(sums[best], 0.01)
    return best if certain else None


def scaled_genes(matrix: np.ndarray) -> str:
    """Describe how rows were scaled (z-scores, ranges, own spread); empty if they were not.

    Differences of such values are no fold changes. Genes as measured differ in their spread;
    samples that were left out after scaling, clipping and rounding are allowed for.
    """
    rows = _complete(matrix)
    number = rows.shape[1]
    if number < 3 or len(rows) < _FEWEST_VALUES:
        return ""
    deviation, mean = rows.std(axis=1, ddof=1), rows.mean(axis=1)
    low, middle, high = np.quantile(deviation, [0.05, 0.5, 0.95])
    unit = 0.8 <= middle <= 1.2
    centre = float(np.quantile(np.abs(mean), 0.95)) / middle
    # Means of unscaled values scatter with 1/√n around 0; those of z-scores do not.
    centred = centre <= min(0.15, 1 / np.sqrt(number))
    if unit and centred and high <= _ALIKE_SPREAD * low:
        return "every row has mean 0 and standard deviation 1, as z-scores of genes have"
    if unit and high <= _SAME_SPREAD * low:
        return f"every row has the same standard deviation ({middle:.3g}), as scaled genes have"
    ranges = np.quantile(np.ptp(rows, axis=1), [0.05, 0.95])
    spans = any(abs(ranges[1] / span - 1) < 0.01 for span in (1, 2, 100))
    if number > 3 and spans and ranges[1] <= 1.005 * ranges[0]:
        return f"every row spans the same range ({ranges[1]:.3g}), as genes scaled to it do"
    return _robust_scores(rows) or _part_of_scores(deviation, mean, number, unit)


def _complete(matrix: np.ndarray) -> np.ndarray:
    """Rows without gaps that vary."""
    rows = matrix[np.isfinite(matrix).all(axis=1)]
    rows = rows[:: max(1, len(rows) // 20_000)]
    return rows[np.ptp(rows, axis=1) > 1e-9] if rows.size else rows


def _robust_scores(rows: np.ndarray) -> str:
    medians = np.median(rows, axis=1)
    absolute = np.median(np.abs(rows - medians[:, None]), axis=1)
    low, middle, high = np.quantile(absolute, [0.05, 0.5, 0.95])
    if (
        0.6 <= middle <= 1.1
        and high <= _SAME_SPREAD * low
        and np.quantile(np.abs(medians), 0.95) < 0.05
    ):
        return "every row has median 0 and the same median deviation, as robust z-scores have"
    return ""


def _part_of_scores(deviation: np.ndarray, mean: np.ndarray, number: int, unit: bool) -> str:
    """Recognise z-scores of which samples were left out: their spread is 1 up to chance."""
    from scipy.special import polygamma

    if number < 5 or len(mean) < 100 or not unit or not 0.85 <= np.median(deviation) <= 1.15:
        return ""
    chance = float(polygamma(1, (number - 1) / 2))
    excess = float(np.var(2 * np.log(deviation))) / chance
    centre = float(mean.std() * np.sqrt(number))
    if centre < 0.8 and abs(float(mean.mean())) < 0.1 and excess < 1.5:
        return (
            "the standard deviations of the rows differ from 1 and their means from 0 by chance "
            "alone, as z-scores of genes do when samples were left out later"
        )
    return ""


def scaled_samples(matrix: np.ndarray) -> str:
    """Describe that every sample has mean 0 and standard deviation 1; empty if not."""
    if (
        len(matrix) < 2 * _FEWEST_VALUES
        or matrix.shape[1] < 2
        or np.isnan(matrix).all(axis=0).any()
    ):
        return ""
    mean, deviation = np.nanmean(matrix, axis=0), np.nanstd(matrix, axis=0)
    # Means of unscaled values would scatter with 1/√rows around 0.
    if np.abs(mean).max() < 0.1 / np.sqrt(len(matrix)) and np.abs(deviation - 1).max() < 0.02:
        return "every sample has mean 0 and standard deviation 1, as z-scores of samples have"
    return ""


def centred_genes(matrix: np.ndarray) -> bool:
    """Whether rows were centred: the mean or the median of nearly every row is 0."""
    rows = _complete(matrix)
    if rows.shape[1] < 3 or len(rows) < _FEWEST_VALUES:
        return False
    limit = 0.02 * float(np.median(rows.std(axis=1)))
    centres = (rows.mean(axis=1), np.median(rows, axis=1))
    return any(np.quantile(np.abs(centre), 0.95) <= limit for centre in centres)


@dataclass(frozen=True)
class Hints:
    """What is said of the values, besides the values themselves."""

    #: The logarithms that the data processing of the samples names.
    logarithms: frozenset[Scale] = frozenset()
    #: Channels of the arrays; 2 means ratios, most often.
    channels: int = 1
    #: The logarithm that scanpy noted for ``X`` of an .h5ad.
    container_log: Scale | None = None
    #: Where whole counts stand in the same .h5ad, as `source: layer:` names it; empty for ``X``.
    counts_layer: str | None = None
    #: How the rows of the whole table were scaled, when samples of it are left out; else empty.
    scaled: str = ""

    @property
    def counts(self) -> str:
        """The lines of the cohort file that take the whole counts of the same file, if any."""
        if self.counts_layer is None:
            return ""
        layer = self.counts_layer
        line = f"`layer: {layer}` below `source:`" if layer else "leave out the line `layer:`"
        return f"`scale: counts` and {line}"


def hints_of_container(notes: Notes) -> Hints:
    """Take what an .h5ad says of its values."""
    base = np.nan if notes.log_base is None else notes.log_base
    log = next((name for name, known in BASES.items() if np.isclose(base, known)), None)
    return Hints(container_log=log, counts_layer=notes.counts_layer)


def logs_named(text: str) -> frozenset[Scale]:
    """Find the logarithms that a text names.

    Examples
    --------
    >>> sorted(map(str, logs_named("LOWESS, then Log (base 10) ratio of Cy5 and Cy3")))
    ['log10']
    >>> sorted(map(str, logs_named("converted from log10 to log-2")))
    ['log10', 'log2']
    """
    return frozenset(
        name for name, pattern in _SAID.items() if re.search(pattern, text, re.IGNORECASE)
    )


def hints_of(raw: pd.DataFrame) -> Hints:
    """Read what the samples of a series say of their values."""
    named: frozenset[Scale] = frozenset()
    channels = 1
    for name in map(str, raw.columns):
        key = re.sub(r"[^a-z0-9]", "", name.casefold())
        values = raw[name].fillna("").astype(str)
        if key in ("dataprocessing", "dataprocessingch2", "valuedefinition"):
            named |= logs_named(" ".join(sorted(set(values))))
        elif key == "channelcount" and values.str.strip().isin(["2", "2.0"]).all():
            channels = 2
    return Hints(named, channels)


# ---------------------------------------------------------------- reading the scale

#: Scales of log(count + 1), and the logarithm of each.
LOG_COUNTS = {
    Scale.LOG2_COUNTS: Scale.LOG2,
    Scale.LN_COUNTS: Scale.LN,
    Scale.LOG10_COUNTS: Scale.LOG10,
}
#: How the values of each scale are called.
WORDS = {
    Scale.COUNTS: "counts",
    Scale.LINEAR: "linear values",
    Scale.LOG2: "log2 values",
    Scale.LN: "natural logarithms",
    Scale.LOG10: "log10 values",
} | {scale: f"{name}(count + 1)" for scale, name in LOG_COUNTS.items()}
#: No assay spans 2^25 (33 million) units, so larger values are not log2 values.
HIGHEST_LOG2 = 25.0
#: Counts are kept as 32-bit integers.
HIGHEST_COUNT = 2**31 - 1
# So many rows above the highest log2 value, in half of the samples, are no slips of single cells
# (and more than counting programs write below the genes).
_ROWS_BEYOND = 5
# From this share of negative values on, values are ratios or centred.
RATIOS = 0.2
# Ratios of two channels that nearly all lie within ± 1 are log10 ratios: tenfold, not twofold.
_NEARLY_ALL_RATIOS = 0.995
# So many samples, such sums, and four in five of them so unequal: libraries, not normalized values.
_FEWEST_LIBRARIES, _SUM_OF_READS, _LIBRARIES_DIFFER = 6, 1e4, 3.0
# Highest log10 and natural logarithm of an intensity.
_HIGHEST_LOG10, _HIGHEST_LN = 6.5, 13.0
MILLION = 1e6
# Sums this close to a million, as a ratio, are left as they are.
_PER_MILLION = 2.0


@dataclass(frozen=True)
class Reading:
    """What values look like."""

    #: ``None`` when no scale fits.
    scale: Scale | None
    #: The evidence, as a clause; empty when the range alone decides.
    why: str = ""
    #: Whether other logarithms are excluded; without evidence log2 is what range alone says.
    certain: bool = True
    #: Whether counts are expected counts, to be rounded.
    expected: bool = False
    #: What to do when no scale fits.
    instead: str = ""
    #: Sums of the samples behind each logarithm, of log2 values of sequencing.
    sums: dict[Scale, np.ndarray] = field(default_factory=dict, compare=False)


def read_scale(matrix: np.ndarray, assay: str, hints: Hints) -> Reading:
    """Find the scale that values look like.

    Whole numbers from 0 are counts. Values are linear when they reach beyond every log2 value, or
    when all samples have one sum that is a power of ten (fractions, counts per 10,000 …), and
    logarithms otherwise: there is no third kind and no gap between the two. Which logarithm, and
    whether counts stand behind it, is said by whole numbers and sums behind it, then by what the
    deposit says, else log2 is assumed.

    Parameters
    ----------
    matrix
        Rows × samples, with at least two different finite values.
    assay
        ``microarray`` or ``rna-seq``; sums and whole numbers are judged for sequencing only.
    hints
        What the deposit says.
    """
    finite = finite_of(matrix)
    lowest = finite.min()
    # A few negative cells are slips of the table, and named later.
    negative = 2 * (matrix < 0).any(axis=0).sum() > matrix.shape[1]
    if not negative and all_whole(finite) and finite.max() <= HIGHEST_COUNT:
        return Reading(Scale.COUNTS)
    linear = _linear(matrix, finite)
    if linear is not None:
        return linear
    if lowest >= 0 and nearly_highest(finite) <= 1:
        return Reading(
            None,
            "these look like fractions or p-values, not like expression",
            instead="Choose the table that holds expression",
        )
    scaled = hints.scaled or scaled_genes(matrix) or scaled_samples(matrix)
    if scaled:
        return Reading(
            None,
            f"{scaled}; their differences are no fold changes",
            instead="No scale fits: take the values before they were scaled (log2, linear or "
            "counts)",
        )
    sums: dict[Scale, np.ndarray] = {}
    if assay == Assay.MICROARRAY:
        found = _named_for_array(finite, hints)
    else:
        sums = sums_behind(matrix)
        found = _sequencing(matrix, sums)
    if found is not None:
        return found
    if hints.container_log is not None:
        why = f"uns['log1p'] of the file says that X holds {WORDS[hints.container_log]}"
        return Reading(hints.container_log, why)
    return _unequal_libraries(matrix, sums) or Reading(Scale.LOG2, certain=False, sums=sums)


def finite_of(matrix: np.ndarray) -> np.ndarray:
    """Give the finite values in any order, without a copy where all are finite."""
    finite = np.isfinite(matrix)
    return matrix.ravel(order="K") if finite.all() else matrix[finite]


def all_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers; some are looked at at a time, so that none are copied.

    Examples
    --------
    >>> all_whole(np.array([1.0, 2.0])), all_whole(np.array([1.0, 2.5]))
    (True, False)
    """
    step = 1_000_000
    return all(
        np.array_equal(part, np.floor(part))
        for part in (values[start : start + step] for start in range(0, len(values), step))
    )


def _unequal_libraries(matrix: np.ndarray, sums: dict[Scale, np.ndarray]) -> Reading | None:
    """Recognise logarithms of expected counts, behind which no number is whole, by their sums.

    A few high values make sums unequal as well; unequal libraries move the other genes, too.
    """
    if not sums or np.nanmin(matrix) < 0 or matrix.shape[1] < _FEWEST_LIBRARIES:
        return None
    low, middle, high = np.quantile(sums[Scale.LOG2], [0.1, 0.5, 0.9])
    moved = np.subtract(*np.quantile(np.nanquantile(matrix, 0.75, axis=0), [0.9, 0.1]))
    unequal = high > _LIBRARIES_DIFFER * low and moved > np.log2(_LIBRARIES_DIFFER) / 2
    if not unequal or not _SUM_OF_READS < middle < HIGHEST_COUNT:
        return None
    return Reading(
        Scale.LOG2_COUNTS,
        f"behind the logarithm the sums of four in five samples run from {low:.4g} to {high:.4g}, "
        "as those of libraries do and those of normalized values do not; they may be expected "
        "counts (RSEM, salmon)",
        expected=True,
        sums=sums,
    )


def nearly_highest(finite: np.ndarray) -> float:
    """Return the highest of finite values, but for one in a thousand: single odd cells."""
    return float(np.quantile(finite, NEARLY_ALL, method="lower"))


def _linear(matrix: np.ndarray, finite: np.ndarray) -> Reading | None:
    """Recognise linear values by their height or their sums."""
    negative = matrix < 0
    beyond = (matrix > HIGHEST_LOG2).sum(axis=1) >= 0.5 * np.isfinite(matrix).sum(axis=1)
    beyond &= np.isfinite(matrix).any(axis=1)
    reaches = nearly_highest(finite) > HIGHEST_LOG2 or beyond.sum() >= _ROWS_BEYOND
    if reaches and 2 * negative.any(axis=0).sum() > matrix.shape[1]:
        return Reading(
            None,
            f"{negative.sum()} values in {negative.any(axis=0).sum()} samples are negative and "
            "others reach beyond every log2 value, as intensities do from which the background "
            "was subtracted",
            instead="No scale fits: take the values before the background was subtracted, or "
            "values that were normalized to log2",
        )
    if reaches:
        mend = "; the negative ones among them must be mended first" if negative.any() else ""
        return Reading(Scale.LINEAR, f"they reach beyond every log2 value{mend}")
    if negative.any() or matrix.shape[1] < 2:
        return None
    total = power_of_ten(np.nansum(matrix, axis=0))
    return Reading(Scale.LINEAR, f"every sample has the sum {total:,.0f}") if total else None


def _sequencing(matrix: np.ndarray, sums: dict[Scale, np.ndarray]) -> Reading | None:
    """Look behind the logarithm of sequencing values."""
    equal = equal_sums_behind(matrix, sums)
    if equal == Scale.LOG2:
        return Reading(Scale.LOG2, sums=sums)
    for scale, name in LOG_COUNTS.items():
        whole = whole_behind(matrix, BASES[name])
        if whole is None or not (whole.counts or whole.expected_counts):
            continue
        low, high = sums[name].min(), sums[name].max()
        if spread(sums[name]) <= EQUAL_SUMS:
            return Reading(name)
        share = whole.share if whole.counts else whole.part
        raised = {Scale.LOG2: "2^x", Scale.LN: "e^x", Scale.LOG10: "10^x"}[name]
        return Reading(
            scale,
            f"{raised} − {whole.offset:g} is a whole number for {percent(share)} of the values "
            f"that can tell, and the sums of the samples run from {low:.4g} to {high:.4g}, as "
            "those of libraries do",
            expected=not whole.counts,
        )
    if equal is None:
        return None
    return Reading(
        equal,
        f"all samples have one sum ({np.median(sums[equal]):,.0f}) if they are {WORDS[equal]}, as "
        "normalized values have, and different sums if they are log2 values",
    )


def _named_for_array(finite: np.ndarray, hints: Hints) -> Reading | None:
    """Take the word of the deposit for the logarithm of array values, where these can be it."""
    ratios = np.mean(finite < 0) >= RATIOS
    size = np.abs(finite)
    within = float(np.quantile(size, _NEARLY_ALL_RATIOS))
    named = sorted(hints.logarithms)
    if named == [Scale.LOG10] and (
        within <= 2 if ratios else nearly_highest(finite) <= _HIGHEST_LOG10
    ):
        return Reading(Scale.LOG10, "the data processing of the samples names log10 alone")
    if named == [Scale.LN] and nearly_highest(size) <= _HIGHEST_LN:
        return Reading(
            Scale.LN, "the data processing of the samples names the natural logarithm alone"
        )
    if not named and ratios and hints.channels == 2 and within <= 1:
        return Reading(
            Scale.LOG10,
            "the arrays have two channels and nearly all ratios lie within ± 1, as log10 ratios "
            "do, of which 1 is tenfold",
        )
    return None


def percent(share: float) -> str:
    """Write a share; only all and none are 100 % and 0 %."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


@dataclass(frozen=True)
class Turned:
    """Values on a working scale, and how they got there."""

    #: Rows × samples.
    values: pd.DataFrame
    #: Counts, linear or log2.
    scale: Scale
    #: What was done, to stand before what is done next; empty when nothing was.
    words: str = ""
    #: Rows of identifiers.tsv: step, count, detail.
    steps: list[tuple[str, int, str]] = field(default_factory=list)


def log2_per_unit(name: Scale) -> float:
    """Return what one unit of a logarithm is in log2."""
    return float(np.log2(BASES[name]))


def counts_behind(matrix: np.ndarray, scale: Scale) -> tuple[np.ndarray, float]:
    """Take log(count + offset) back: the counts, not rounded, and the offset that values show."""
    base = BASES[LOG_COUNTS[scale]]
    found = whole_behind(matrix, base)
    offset = found.offset if found is not None and (found.counts or found.expected_counts) else 1.0
    with np.errstate(over="ignore"):
        return np.exp(matrix * np.log(base)) - offset, offset


def turn(values: pd.DataFrame, scale: Scale, assay: str, rounded: bool) -> Turned:
    """Turn verified values into counts, linear or log2 values.

    Counts behind a logarithm become whole numbers again. Natural and decimal logarithms become
    log2 by a factor; those of sequencing whose samples all have one sum behind them become linear
    values first. Linear values of sequencing whose samples all have one sum that is far from a
    million (counts per 10,000, fractions) are brought to a million, so that the low-expression
    filter and the 1 of log2(x + 1) mean the same as for TPM: a 1 among counts per 10,000 stands
    for a hundred per million and flattens the changes of most genes. Expected counts are rounded
    when the cohort file asks for it.

    Parameters
    ----------
    values
        Rows × samples; `adnorm.expression.scale_check.verify_scale` has passed them.
    scale
        The declared scale.
    assay
        ``microarray`` or ``rna-seq``.
    rounded
        Whether the cohort file asks to round expected counts.
    """
    if scale in LOG_COUNTS:
        return _from_log_counts(values, scale, rounded)
    if scale in BASES and scale != Scale.LOG2:
        matrix = values.to_numpy(dtype=float)
        sequencing = assay == Assay.RNA_SEQ and bool(np.nanmin(matrix) >= 0)
        if sequencing and equal_sums_behind(matrix, sums_behind(matrix)) == scale:
            # Equal sums show that x of log(x + 1) is normalized for library size.
            turned = _to_million(np.expm1(values * np.log(BASES[scale])))
            words = f"{scale}(x + 1) turned back into x"
            step = (words, values.size, "all samples have one sum then")
            return replace(turned, words=f"{words}; {turned.words}", steps=[step, *turned.steps])
        factor = log2_per_unit(scale)
        words = f"{scale} values times {factor:.4g}; "
        steps = [(f"{scale} values turned into log2", values.size, f"times {factor:.6g}")]
        return Turned(values * factor, Scale.LOG2, words, steps)
    if scale == Scale.LINEAR and assay == Assay.RNA_SEQ:
        return _to_million(values)
    if scale != Scale.COUNTS or not rounded:
        return Turned(values, scale)
    whole, changed = round_counts(values)
    detail = f"of {values.size} values; asked for by source: round_counts"
    steps = [("expected counts rounded to whole numbers", changed, detail)]
    return Turned(whole, Scale.COUNTS, "", steps)


def round_counts(values: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Round expected counts, halves to the even number as R does; count the values that changed."""
    rounded = values.round()
    return rounded, int(((rounded != values) & values.notna()).to_numpy().sum())


def _from_log_counts(values: pd.DataFrame, scale: Scale, rounded: bool) -> Turned:
    name = LOG_COUNTS[scale]
    matrix = values.to_numpy(dtype=float)
    counts, offset = counts_behind(matrix, scale)
    whole = np.maximum(np.round(counts), 0.0) + 0.0
    formula = f"{name}(count + {offset:g})"
    steps = [(f"{formula} turned back into counts", values.size, _accuracy(matrix, name))]
    if rounded:
        changed = int((np.abs(whole - counts) > 1e-6 * (counts + 1)).sum())
        detail = f"of {values.size} values; asked for by source: round_counts"
        steps.append(("expected counts rounded to whole numbers", changed, detail))
    frame = pd.DataFrame(whole, index=values.index, columns=values.columns)
    return Turned(frame, Scale.COUNTS, f"{formula} turned back into counts; ", steps)


def _accuracy(matrix: np.ndarray, name: Scale) -> str:
    """Describe how precisely the digits of the table determine the highest counts."""
    finite = matrix[np.isfinite(matrix)]
    finite = finite[:: max(1, finite.size // 200_000)]
    error = float(np.log(BASES[name]) * half_steps(finite).max(initial=0.0))
    if error < 1e-7:
        return "exactly"
    return f"exactly below {0.5 / error:.0f}, higher ones within {error:.2g} of their value"


def _to_million(values: pd.DataFrame) -> Turned:
    sums = np.nansum(values.to_numpy(dtype=float), axis=0)
    total = float(np.median(sums))
    far = max(total / MILLION, MILLION / total) > _PER_MILLION if total > 0 else False
    if values.shape[1] < 2 or not far or spread(sums) > EQUAL_SUMS:
        return Turned(values, Scale.LINEAR)
    shown = f"{total:,.5g}" if total < 1000 else f"{total:,.0f}"
    detail = f"every sample had the sum {shown}; times {MILLION / total:.6g}"
    steps = [("values brought to per million", values.size, detail)]
    words = f"values per {shown} × 10⁶ / {shown}; "
    return Turned(values * (MILLION / total), Scale.LINEAR, words, steps)
