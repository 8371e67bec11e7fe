"""What shows the scale of values: whole numbers behind a logarithm, equal sums, equal spreads.

Besides, there are the words of the deposit: data processing, channels, scanpy's note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.readers.h5ad import Notes
from adnorm.study.vocabulary import Scale

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
    """Say how rows were scaled (z-scores, ranges, each by its own spread); empty if they were not.

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
    """Say whether every sample has mean 0 and standard deviation 1; empty when not."""
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
