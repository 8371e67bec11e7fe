"""Values of every kind that people bring, by the scale that they are on."""

from __future__ import annotations

import numpy as np
import pandas as pd


def frame(values):
    values = np.asarray(values, dtype=float)
    genes = [f"G{i}" for i in range(len(values))]
    return pd.DataFrame(values, genes, [f"S{i}" for i in range(values.shape[1])])


def reads(depth=3e6, spread=0.5, genes=700, samples=8, seed=8):
    """Reads of libraries that differ in depth; a tenth of the genes differs between two groups."""
    random = np.random.default_rng(seed)
    share = random.lognormal(0, 2.2, size=(genes, 1))
    share = share * random.lognormal(0, 0.35, size=(genes, samples))
    share[random.random(genes) < 0.1, : samples // 2] *= 4
    libraries = depth * np.exp(np.linspace(-spread, spread, samples))
    return random.poisson(share / share.sum(axis=0) * libraries).astype(float)


def array(genes=700, samples=12, seed=1):
    """Log2 intensities as RMA gives them: genes differ in level and in spread."""
    random = np.random.default_rng(seed)
    level = random.gamma(4, 1.6, size=(genes, 1)).clip(2.2, 14.5)
    spread = 1 / np.sqrt(random.gamma(2, 10, size=(genes, 1)))
    return (level + random.normal(size=(genes, samples)) * spread).clip(1.5)


def scored(values, ddof=1):
    deviation = values.std(axis=1, keepdims=True, ddof=ddof)
    kept = deviation[:, 0] > 0
    return ((values - values.mean(axis=1, keepdims=True)) / np.where(kept[:, None], deviation, 1))[
        kept
    ]


def by_deviation(values):
    centred = values - np.median(values, axis=1, keepdims=True)
    deviation = np.median(np.abs(centred), axis=1, keepdims=True)
    return (centred / np.where(deviation > 0, deviation, 1))[deviation[:, 0] > 0]


COUNTS = reads()


SHALLOW = reads(depth=8e3)


PER_MILLION = COUNTS / COUNTS.sum(axis=0) * 1e6


LENGTHS = np.random.default_rng(2).lognormal(7.5, 0.7, size=(len(COUNTS), 1))


RATES = COUNTS / LENGTHS


TPM = RATES / RATES.sum(axis=0) * 1e6


FPKM = RATES / COUNTS.sum(axis=0) * 1e9


EXPRESSED = (COUNTS >= 5).sum(axis=1) >= 3


EXPECTED = COUNTS + (np.arange(len(COUNTS)) % 2)[:, None] * (COUNTS > 0) * 40 / LENGTHS


LOG2 = np.log2(PER_MILLION + 1)


# Counts of salmon for a library that is deeper in some samples: no part of them is whole.
PARTS = COUNTS * np.linspace(0.61, 6.17, COUNTS.shape[1]) * (1 + 0.1 / LENGTHS) + 0.137


DEEP = PER_MILLION * np.where(np.arange(COUNTS.shape[1]) == 3, 4.17, 1.03) + 0.137


ARRAY = array()


COMMON = np.random.default_rng(3).normal(0, 0.5, size=(len(ARRAY), 1))


RATIOS = ARRAY - ARRAY.mean(axis=1, keepdims=True) + COMMON


QUANTILE = np.sort(ARRAY, axis=0).mean(axis=1)[np.argsort(np.argsort(ARRAY, axis=0), axis=0)]


SEQUENCING = {
    "log2_counts": {
        "log2(count + 1)": np.log2(COUNTS + 1),
        "of small libraries": np.log2(SHALLOW + 1),
        "rounded to 3 decimals": np.log2(COUNTS + 1).round(3),
        "rounded to 2 decimals": np.log2(COUNTS + 1).round(2),
        "with 5 digits": np.vectorize(lambda x: float(f"{x:.5g}"))(np.log2(COUNTS + 1)),
        "in 32 bits": np.log2(COUNTS + 1).astype(np.float32),
        "of expressed genes": np.log2(COUNTS + 1)[EXPRESSED],
        "log2(count + 0.5)": np.log2(COUNTS + 0.5),
        "log2(count + 0.5) of expressed genes": np.log2(COUNTS + 0.5)[EXPRESSED],
        "log2(count + 0.1)": np.log2(COUNTS + 0.1),
        "of three samples": np.log2(COUNTS[:, :3] + 1),
    },
    "ln_counts": {
        "ln(count + 1)": np.log1p(COUNTS),
        "in 32 bits": np.log1p(COUNTS.astype(np.float32)),
        "rounded to 3 decimals": np.log1p(COUNTS).round(3),
    },
    "log10_counts": {
        "log10(count + 1)": np.log10(COUNTS + 1),
        "rounded to 3 decimals": np.log10(COUNTS + 1).round(3),
    },
    "ln": {
        "ln(CP10k + 1)": np.log1p(PER_MILLION / 100),
        "in 32 bits": np.log1p(PER_MILLION / 100).astype(np.float32),
        "rounded to 3 decimals": np.log1p(PER_MILLION / 100).round(3),
        "ln(CPM + 1)": np.log1p(PER_MILLION),
        "ln(TPM + 0.01)": np.log(TPM + 0.01),
        "of a common depth": np.log1p(PER_MILLION * 3.3),
    },
    "log10": {
        "log10(CPM + 1)": np.log10(PER_MILLION + 1),
        "rounded to 2 decimals": np.log10(PER_MILLION + 1).round(2),
    },
    "log2": {
        "log2(CPM + 1)": LOG2,
        "log2(TPM + 1)": np.log2(TPM + 1),
        "log2(TPM + 1) rounded to 2 decimals": np.log2(TPM + 1).round(2),
        "log2(TPM + 1) rounded to 1 decimal": np.log2(TPM + 1).round(1),
        "log2(rounded TPM + 1)": np.log2(TPM.round() + 1),
        "log2(TPM + 0.001)": np.log2(TPM + 0.001),
        "log2(TPM + 1) of expressed genes": np.log2(TPM + 1)[EXPRESSED],
        "log2(FPKM + 1)": np.log2(FPKM + 1),
        "log2 CPM with a prior": np.log2((COUNTS + 2) / (COUNTS.sum(axis=0) + 4) * 1e6),
        "variance stabilized": np.log2(PER_MILLION + np.sqrt(PER_MILLION**2 + PER_MILLION) + 2),
        "centred": LOG2 - LOG2.mean(axis=1, keepdims=True),
        "centred on the median": LOG2 - np.median(LOG2, axis=1, keepdims=True),
        "of small libraries, centred": (lambda m: m - np.median(m, axis=1, keepdims=True))(
            np.log2(SHALLOW / SHALLOW.sum(axis=0) * 1e6 + 1)
        ),
    },
    "linear": {
        "TPM": TPM,
        "FPKM": FPKM,
        "CP10k": PER_MILLION / 100,
        "CP10k rounded to 2 decimals": (PER_MILLION / 100).round(2),
        "CP10k of expressed genes": (PER_MILLION / 100)[EXPRESSED],
        "CP10k of many weak genes": np.repeat(PER_MILLION / 100, 20, axis=0) / 20,
        "percent": PER_MILLION / 1e4,
        "fractions": PER_MILLION / 1e6,
        "normalized to a common depth": PER_MILLION * 3.3,
    },
    "counts": {"reads": COUNTS, "few reads": np.minimum(COUNTS, 9)},
}


ARRAYS = {
    "log2": {
        "RMA": ARRAY,
        "rounded to 2 decimals": ARRAY.round(2),
        "of three samples": ARRAY[:, :3],
        "of two samples": ARRAY[:, :2],
        "quantile normalized": QUANTILE,
        "ratios": RATIOS,
        "centred": ARRAY - ARRAY.mean(axis=1, keepdims=True),
        "centred on the median": ARRAY - np.median(ARRAY, axis=1, keepdims=True),
        "of whole intensities": np.log2(np.round(2**ARRAY)),
    },
    "linear": {"intensities": 2**ARRAY},
}


KINDS = [
    (assay, scale, name)
    for assay, kinds in (("rna-seq", SEQUENCING), ("microarray", ARRAYS))
    for scale, tables in kinds.items()
    for name in tables
]


SCALED = {
    "z-scores": scored(LOG2),
    "over n": scored(LOG2, ddof=0),
    "rounded": scored(LOG2).round(2),
    "clipped": scored(ARRAY).clip(-2, 2),
    "of arrays": scored(ARRAY),
    "with samples left out": scored(array(samples=40))[:, ::2],
    "one sample left out": scored(ARRAY)[:, 1:],
    "of three samples": scored(ARRAY[:, :3]),
    "robust": by_deviation(array(seed=4)),
    "unit variance around the level": scored(ARRAY) + 20 * ARRAY.mean(axis=1, keepdims=True) / 20,
    "of samples": (ARRAY - ARRAY.mean(axis=0)) / ARRAY.std(axis=0),
    "from 0 to 1": (ARRAY - ARRAY.min(axis=1, keepdims=True)) / np.ptp(ARRAY, axis=1)[:, None],
    "from -1 to 1": 2 * (ARRAY - ARRAY.min(axis=1, keepdims=True)) / np.ptp(ARRAY, axis=1)[:, None]
    - 1,
}
