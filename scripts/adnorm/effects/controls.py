"""Negative controls: genes that no disease or drug should move, tested for having moved.

Housekeeping genes have no direction, so they have no index, and an index that is NA is a control
that cannot fail. What fails here is their mean: where the reads of a few genes, the quality of the
RNA or the scale of an array move all genes of lesional skin together, housekeeping genes move, too,
and come back with any treatment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from adnorm.effects.design import patient_differences
from adnorm.effects.fit import holm
from adnorm.effects.observations import Observations
from adnorm.effects.set_effects import compare_patients
from adnorm.study.comparisons import BASELINE, Comparison, number
from adnorm.study.gene_sets import FEWEST_GENES, GeneSet
from adnorm.study.vocabulary import ComparisonKind, Moves, SetRole

COLUMNS = ["contrast", "set", "genes", "change", "lower", "upper", "p_value", "holm_p_value"]
COLUMNS += ["pairs", "moves", "reason"]
#: Log2 steps below which a movement is no alarm: with 139 patients 0.03 is significant, and real
#: housekeeping genes differ by 0.09 between scalp with alopecia and healthy scalp. Library sizes
#: that a few genes distort move all genes by 0.2 to 0.45.
SMALLEST = 0.1
#: A control whose interval reaches beyond this would not notice such library sizes.
LARGEST = 0.3
LEVEL = 0.05
#: Its genes differ between people by nature.
NO_ALARM = "sex_check"


def control_changes(
    data: Observations,
    comparisons: Iterable[Comparison],
    sets: Mapping[str, GeneSet],
    confidence: float,
) -> pd.DataFrame:
    """Test whether the mean log2 expression of each control set differs from 0.

    All genes of a set weigh alike, in log2 steps; the test is two-sided, because a control has no
    direction. It is the paired t-test of patients' own differences, or Welch's test against healthy
    people (`compare_patients`), and gives the interval, too.

    Parameters
    ----------
    data
        Expression of a cohort.
    comparisons
        What the cohort supports; the states of skin at baseline and the changes of lesional skin
        are tested.
    sets
        Sets by name; those of the role ``control`` are tested, without the sex genes.
    confidence
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        contrast, set, genes (measured), change, lower, upper (log2), p_value, holm_p_value (over
        all rows of the cohort), pairs, moves, reason; sorted by contrast and set. It moves
        (``yes``) if Holm's p value is below 0.05 and the change at least 0.1 log2; it is
        ``unclear`` if the interval reaches beyond ± 0.3 log2, so that the control would not notice
        what it is there for.

    References
    ----------
    Holm S (1979). Scand J Stat 6:65-70.
    """
    asked = sorted((c for c in comparisons if _is_tested(c)), key=lambda c: c.name)
    controls = {
        name: gene_set
        for name, gene_set in sorted(sets.items())
        if gene_set.role == SetRole.CONTROL and name != NO_ALARM
    }
    members = [
        np.flatnonzero(np.isin(data.genes, [gene.symbol for gene in gene_set.genes]))
        for gene_set in controls.values()
    ]
    enough = np.array([len(rows) >= FEWEST_GENES for rows in members], dtype=bool)
    if not asked or not controls:
        return pd.DataFrame(columns=COLUMNS)
    means = np.array([data.log2[m].mean(axis=0) for m in members if len(m) >= FEWEST_GENES])
    frames = []
    for comparison in asked:
        rows = pd.DataFrame(
            {
                "contrast": comparison.name,
                "set": list(controls),
                "genes": [len(m) for m in members],
                "pairs": comparison.patients,
            }
        ).reindex(columns=COLUMNS)
        if enough.any():
            first, second = patient_differences(data.combined, comparison, means)
            found = compare_patients(first, second, confidence)
            for column in ("change", "lower", "upper", "p_value"):
                rows.loc[enough, column] = found[column]
        frames.append(rows)
    table = pd.concat(frames, ignore_index=True)
    return _judge(table, {name: len(gene_set.genes) for name, gene_set in controls.items()})


def _is_tested(comparison: Comparison) -> bool:
    disease = (
        ComparisonKind.LESIONAL_NONLESIONAL,
        ComparisonKind.LESIONAL_HEALTHY,
        ComparisonKind.NONLESIONAL_HEALTHY,
    )
    at_baseline = comparison.name == f"{comparison.kind}@{number(BASELINE)}"
    return comparison.kind == ComparisonKind.CHANGE or (comparison.kind in disease and at_baseline)


def _judge(table: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Say of every row whether the control moves, and why not if it was not tested."""
    numbers = ["change", "lower", "upper", "p_value", "holm_p_value"]
    table = table.astype(dict.fromkeys(numbers, float))
    tested = table["p_value"].notna()
    table.loc[tested, "holm_p_value"] = holm(table.loc[tested, ["p_value"]].to_numpy())[:, 0]
    moves = (table["holm_p_value"] < LEVEL) & (table["change"].abs() >= SMALLEST)
    wide = tested & (table[["lower", "upper"]].abs().max(axis=1) > LARGEST)
    few = table["genes"] < FEWEST_GENES
    table["moves"] = np.select([moves, wide, tested], [Moves.YES, Moves.UNCLEAR, Moves.NO], "")
    share = table["genes"].astype(str) + " of " + table["set"].map(sizes).astype(str)
    table["reason"] = np.select(
        [few, ~tested, wide & ~moves],
        [
            share + f" genes measured; at least {FEWEST_GENES} are needed",
            "the mean of its genes does not vary within patients or groups",
            f"the interval reaches beyond ± {LARGEST:g} log2: a shift of all genes by as much "
            "would not be noticed",
        ],
        "",
    )
    return table[COLUMNS]
