"""Whether negative controls fail where they must, and random sets where nothing is special."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.effects.controls import control_changes
from adnorm.effects.observations import Observations, log2_cpm
from adnorm.expression.library_sizes import LIBRARY_SIZE, TMM, composition_factors
from adnorm.index.random_sets import Score, null_percentiles
from adnorm.scores.zscore import find_reference
from adnorm.study.comparisons import Comparison, derive_design
from adnorm.study.gene_sets import Gene, GeneSet
from adnorm.study.vocabulary import Moves, SetRole
from calibrate.composition import RISING, SETTINGS, counts_of
from calibrate.verdicts import Row, share_row

CONTROL, NULL = "q control moves", "q percentile among random sets"
#: Per cent: of cohorts with a false alarm, of alarms that must not be missed, of percentiles in the
#: outer twentieth.
ALARM, FOUND, OUTER = 7.0, 80.0, (2.5, 7.5)
#: Genes of a set, and of a cohort from which random sets are drawn.
SIZE, GENES = 24, 600
#: One cohort of counts for so many of the others: it has thousands of genes.
COUNTS = 20


def controls(trials: int) -> Iterator[Row]:
    """Ask controls and random sets for what is not there, and for what is."""
    yield from control_alarms(trials)
    yield from shares_of_reads(max(trials // COUNTS, 5))
    yield from places(trials)


def sheet(patients: int, arms: tuple[str, ...] = ("drug", "placebo")) -> pd.DataFrame:
    """Both states of skin at baseline, and lesions at week 4."""
    rows = [
        (f"{arm}{i:03d}", arm, state, week)
        for arm in arms
        for i in range(patients)
        for state, week in (("nonlesional", 0.0), ("lesional", 0.0), ("lesional", 4.0))
    ]
    table = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    return table.assign(treatment=table["arm"], dose_mg=np.nan)


def alarm(
    samples: pd.DataFrame,
    log2: np.ndarray,
    comparisons: list[Comparison],
    sets: dict[str, GeneSet],
    contrast: str = "",
) -> bool:
    """Say whether a control moves in comparisons whose name begins so."""
    names = np.array([f"G{i:04d}" for i in range(len(log2))])
    data = Observations(samples, samples, names, log2, None, None, {})
    found = control_changes(data, comparisons, sets, 0.95)
    found = found[found["contrast"].str.startswith(contrast)]
    return bool((found["moves"] == Moves.YES).any())


def control_sets(first: int, size: int, count: int) -> dict[str, GeneSet]:
    """Make control sets of neighbouring genes."""
    return {
        f"control {k}": GeneSet(
            f"control {k}",
            "",
            "control",
            SetRole.CONTROL,
            tuple(Gene(f"G{first + k * size + i:04d}") for i in range(size)),
        )
        for k in range(count)
    }


def control_alarms(trials: int) -> Iterator[Row]:
    """Move the genes of a sample together, by 0.15 log2 at random and by a shift in lesions."""
    sets = control_sets(0, 12, 2)
    for patients, shift, low, high, seed in (
        (6, 0.0, None, ALARM, 1),
        (15, 0.0, None, ALARM, 2),
        (70, 0.0, None, ALARM, 3),
        (70, 0.05, None, ALARM, 4),
        (6, 0.2, None, None, 5),
        (15, 0.2, None, None, 6),
        (6, 0.45, FOUND, None, 7),
        (15, 0.45, FOUND, None, 8),
    ):
        samples = sheet(patients)
        comparisons = derive_design(samples, "placebo", 3).supported
        lesional = (samples["state"] == "lesional").to_numpy()
        hits = []
        # Alarms that are asked for are not rare, and small trials are where a level could fail.
        for trial in range(trials if patients <= 15 and not shift else max(trials // 2, 5)):
            rng = np.random.default_rng([91, seed, trial])
            log2 = rng.normal(8, 1, (24, 1)) + rng.normal(0, 0.35, (24, len(samples)))
            log2 += rng.normal(0, 0.15, len(samples)) + shift * lesional
            asked_of = "lesional" if shift else ""
            hits.append(alarm(samples, log2, comparisons, sets, asked_of))
        what = f"all genes {shift:g} log2 apart in lesions" if shift else "nothing moves"
        asked = f"5 %, at most {high:g}" if high else f"at least {low:g} %" if low else ""
        where = f"2 arms of {patients}; {what}"
        yield share_row(CONTROL, where, np.array(hits), low, high, asked)


def shares_of_reads(trials: int) -> Iterator[Row]:
    """Let a few genes take the reads of lesions; the control is 24 of the genes that stay."""
    hits: dict[str, list[bool]] = {LIBRARY_SIZE: [], TMM: []}
    for trial in range(trials):
        counts, lesional, _ = counts_of(SETTINGS[0], 9000 + trial)
        samples = pd.DataFrame(
            {
                "patient": [f"p{i // 2}" for i in range(len(lesional))],
                "state": np.where(lesional, "lesional", "nonlesional"),
                **{"week": 0.0, "arm": "untreated", "treatment": "none", "dose_mg": np.nan},
            }
        )
        reads = counts.to_numpy()
        for method, found in hits.items():
            sizes = counts.sum() * composition_factors(counts, method)
            log2 = log2_cpm(reads, sizes.to_numpy())
            comparisons = derive_design(samples, None, 3).supported
            found.append(alarm(samples, log2, comparisons, control_sets(RISING, 12, 2)))
    where = "30 pairs; twelve genes take a share of the reads of lesions"
    asked = f"at least {FOUND:g} %"
    yield share_row(
        CONTROL, f"{where}, library size", np.array(hits[LIBRARY_SIZE]), FOUND, None, asked
    )
    yield share_row(CONTROL, f"{where}, TMM", np.array(hits[TMM]), None, None)


def places(trials: int) -> Iterator[Row]:
    """Where a set of 24 genes stands among random ones."""
    weights = np.where(np.arange(GENES) < SIZE, 1.0, 0.0)
    outer = f"5 %, within {OUTER[0]:g}–{OUTER[1]:g}"
    for what, patients, together, all_fall, set_falls, low, high, expected in (
        ("no effect", 12, 0.0, 0.0, 0.0, *OUTER, outer),
        ("no effect; genes of the set correlate by 0.4", 12, 0.4, 0.0, 0.0, *OUTER, outer),
        ("no effect; genes of the set correlate by 0.4", 30, 0.4, 0.0, 0.0, *OUTER, outer),
        ("all genes fall by 0.3 log2", 12, 0.0, 0.3, 0.0, None, None, ""),
        ("the set falls by 0.3 log2", 12, 0.0, 0.0, 0.3, None, None, ""),
        (
            "the set falls by 0.3 log2, and its genes correlate by 0.4",
            12,
            0.4,
            0.0,
            0.3,
            None,
            None,
            "",
        ),
    ):
        samples = sheet(patients, ("drug",))
        later = (samples["week"] > 0).to_numpy()
        names = np.array([f"G{i:04d}" for i in range(GENES)])
        found = []
        for trial in range(trials if low else max(trials // 5, 5)):
            rng = np.random.default_rng([92, int(10 * together), patients, trial])
            noise = rng.normal(size=(GENES, len(samples)))
            shared = np.sqrt(together) * rng.normal(size=len(samples))
            noise[:SIZE] = np.sqrt(1 - together) * noise[:SIZE] + shared
            log2 = rng.normal(8, 2, (GENES, 1)) + rng.lognormal(-0.7, 0.35, (GENES, 1)) * noise
            log2 -= all_fall * later
            log2[:SIZE] -= set_falls * later
            data = Observations(samples, samples, names, log2, None, None, {})
            reference = find_reference(log2.T, samples, "nonlesional")
            placed = null_percentiles(data, reference, {"set": Score(weights, True)}, trial)
            found.append(placed["null_percentile"].iloc[0])
        percentiles = np.array(found)
        special = (percentiles < 2.5) | (percentiles > 97.5)
        where = f"{patients} patients; {what}: below 2.5 or above 97.5"
        yield share_row(NULL, where, special, low, high, expected)
