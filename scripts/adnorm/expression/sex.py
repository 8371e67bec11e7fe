"""Sex called from expression: XIST against genes of the Y chromosome. Never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.expression.scale import COUNTS, LINEAR, LOG2

X_GENE = "XIST"
Y_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "UTY", "USP9Y", "ZFY", "TXLNGY")
NOT_CALLED = "not called"
FEMALE, MALE = "female", "male"

#: XIST and the Y genes must differ by this much (log2, fourfold) before a sex is called.
DIFFERENCE = 2.0
#: Fewest reads on XIST and the Y genes together.
FEWEST_READS = 20
#: From this share of negative values on, log2 values are ratios, and levels cannot be compared.
RATIOS = 0.2


def call_sex(values: pd.DataFrame, scale: str) -> tuple[pd.Series, str]:
    """Call the sex of each sample.

    Female: XIST at least fourfold above the mean of the Y genes (log2), and above the middle gene
    of the sample; male: the reverse. Anything else is "not called", also when XIST or all Y genes
    are absent from the platform, when a sample has fewer than 20 reads on them, or when the values
    are ratios.

    Parameters
    ----------
    values
        Genes × samples on the declared scale, before the low-count filter.
    scale
        counts, log2 or linear.

    Returns
    -------
    called : Series of str
        female, male or "not called", indexed by sample.
    reason : str
        Why no sample could be called; empty when calls were possible.
    """
    nobody = pd.Series(NOT_CALLED, index=values.columns, dtype=object)
    y_genes = [gene for gene in Y_GENES if gene in values.index]
    if X_GENE not in values.index or not y_genes:
        absent = X_GENE if X_GENE not in values.index else "Y genes"
        return nobody, f"{absent} absent from the platform"
    if scale == LOG2 and (values.to_numpy() < 0).mean() > RATIOS:
        return nobody, "values are ratios"
    x = values.loc[X_GENE].astype(float)
    y = values.loc[y_genes].astype(float)
    enough = pd.Series(True, index=values.columns)
    middle = values.median()
    if scale == COUNTS:
        enough = x + y.sum() >= FEWEST_READS
        per_million = 1e6 / values.sum().clip(lower=1)
        x, y, middle = x * per_million, y * per_million, middle * per_million
    if scale in (COUNTS, LINEAR):
        x, y, middle = np.log2(x + 1), np.log2(y + 1), np.log2(middle + 1)
    difference = x - y.mean()
    called = nobody.copy()
    called[enough & (difference > DIFFERENCE) & (x > middle)] = FEMALE
    called[enough & (difference < -DIFFERENCE) & (y.max() > middle)] = MALE
    reason = "too few reads on XIST and the Y genes" if not enough.any() else ""
    return called, reason


def sex_contradictions(samples: pd.DataFrame, called: pd.Series) -> dict[str, list[tuple]]:
    """Find samples whose sex contradicts the sheet or the patient's other samples.

    Parameters
    ----------
    samples
        Canonical sample sheet (sample, patient, perhaps sex).
    called
        Sex by sample.

    Returns
    -------
    dict
        Sample → list of (flag, reason).
    """
    found: dict[str, list[tuple]] = {}
    known = called[called != NOT_CALLED]
    if "sex" in samples:
        sheet = samples.set_index("sample")["sex"]
        for sample, sex in known.items():
            told = sheet[sample]
            if isinstance(told, str) and told in (FEMALE, MALE) and told != sex:
                found.setdefault(sample, []).append(
                    ("sex_contradicts_sheet", f"expression says {sex}, the sheet says {told}")
                )
    patients = samples.set_index("sample")["patient"]
    for patient, sexes in known.groupby(patients.reindex(known.index).to_numpy(), sort=True):
        counts = sexes.value_counts()
        if len(counts) < 2:
            continue
        # The sex of most samples is the patient's; without a majority all of them are suspect.
        fewest = sorted(counts.index[counts == counts.min()])
        for sample, sex in sexes[sexes.isin(fewest)].items():
            found.setdefault(sample, []).append(
                (
                    "sex_differs_within_patient",
                    f"expression says {sex}, other samples of patient {patient} say otherwise: "
                    "a swap, perhaps",
                )
            )
    return found
