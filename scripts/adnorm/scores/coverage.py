"""How much of each gene set a cohort can see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from adnorm.study.gene_sets import FEWEST_GENES, GeneSet
from adnorm.study.vocabulary import SetStatus


@dataclass(frozen=True)
class Platform:
    """What a cohort offers to gene sets.

    Attributes
    ----------
    genes
        Approved symbols with expression values.
    renamed_from
        Approved symbol → the retired symbols under which the platform lists it, for genes whose
        name was brought up to date.
    undetected
        Symbols that are on the platform but were removed for low counts.
    """

    genes: frozenset[str]
    renamed_from: Mapping[str, str]
    undetected: frozenset[str]


def assess_coverage(
    sets: Mapping[str, GeneSet],
    platform: Platform,
    minimum_genes: int,
    minimum_fraction: float,
) -> pd.DataFrame:
    """Count for every set which of its scored genes the cohort has.

    Parameters
    ----------
    sets
        Sets by name.
    platform
        The genes of the cohort.
    minimum_genes, minimum_fraction
        A set with fewer genes detected, or a smaller share of its genes (0 to 1), is flagged.

    Returns
    -------
    DataFrame
        One row per set, in the order of `sets`: set, asked (its size), found (genes detected),
        renamed, absent, undetected, status, reason, and the genes behind the counts
        (renamed_genes as ``old>new``, absent_genes, undetected_genes; joined by ``;``).
        asked = found + absent + undetected; renamed genes are among the found ones.
    """
    rows = []
    for name, gene_set in sets.items():
        symbols = [gene.symbol for gene in gene_set.scored]
        detected = [s for s in symbols if s in platform.genes]
        renamed = [
            f"{platform.renamed_from[s]}>{s}" for s in detected if platform.renamed_from.get(s)
        ]
        missing = [s for s in symbols if s not in platform.genes]
        undetected = [s for s in missing if s in platform.undetected]
        absent = [s for s in missing if s not in platform.undetected]
        status, reason = _judge(gene_set, detected, platform, minimum_genes, minimum_fraction)
        rows.append(
            {
                "set": name,
                "asked": len(symbols),
                "found": len(detected),
                "renamed": len(renamed),
                "absent": len(absent),
                "undetected": len(undetected),
                "status": status.value,
                "reason": reason,
                "renamed_genes": ";".join(sorted(renamed)),
                "absent_genes": ";".join(sorted(absent)),
                "undetected_genes": ";".join(sorted(undetected)),
            }
        )
    return pd.DataFrame(rows)


def _judge(
    gene_set: GeneSet,
    detected: Collection[str],
    platform: Platform,
    minimum_genes: int,
    minimum_fraction: float,
) -> tuple[SetStatus, str]:
    size = len(gene_set.scored)
    # Rounded down: 49.6 % must not read as the 50 % that it misses.
    share = f"{len(detected)} of {size} genes ({100 * len(detected) // size} %) found"
    if len(detected) < FEWEST_GENES:
        return SetStatus.NOT_SCORED, f"{share}; a score needs at least {FEWEST_GENES} genes"
    if len(detected) == len(platform.genes):
        reason = f"{share}; the set holds every gene of the cohort, none is left outside"
        return SetStatus.NOT_SCORED, reason
    if len(detected) < minimum_genes or len(detected) < minimum_fraction * size:
        limits = f"at least {minimum_genes} genes and {100 * minimum_fraction:g} % are required"
        return SetStatus.LOW_COVERAGE, f"{share}; {limits}"
    for direction, part in (("up", gene_set.up), ("down", gene_set.down)):
        if part and not any(gene.symbol in platform.genes for gene in part):
            reason = f"{share}; none of the {len(part)} genes that go {direction} is among them"
            return SetStatus.LOW_COVERAGE, reason
    return SetStatus.OK, ""


def outdated_symbols(
    sets: Mapping[str, GeneSet], platform: Platform, renamed: Mapping[str, str]
) -> dict[str, str]:
    """Find symbols of the sets that are absent only because the cohort uses their newer names.

    Sets are matched on approved symbols exactly; these are shown to the user, not matched.
    `renamed` gives the approved symbol of every retired one that the cohort brought up to date.
    """
    symbols = {gene.symbol for gene_set in sets.values() for gene in gene_set.scored}
    return {old: renamed[old] for old in sorted(symbols - platform.genes) if old in renamed}
