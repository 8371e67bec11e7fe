"""How much of each gene set a cohort can see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from adnorm.study.gene_sets import GeneSet

OK = "ok"
LOW_COVERAGE = "low_coverage"
NOT_SCORED = "not_scored"

#: A score of one gene is that gene, not a programme.
FEWEST_GENES = 2


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
    minimum_genes
        A set with fewer genes found is flagged.
    minimum_fraction
        A set with a smaller share of its genes found is flagged, 0 to 1.

    Returns
    -------
    DataFrame
        One row a set, in the order of `sets`: set, asked, found, renamed, absent, undetected,
        status, reason, and the genes behind the counts (renamed_genes as ``old>new``,
        absent_genes, undetected_genes; joined by ``;``). asked = found + absent + undetected;
        renamed genes are among the found ones. status is ``ok``, ``low_coverage`` (scored and
        flagged) or ``not_scored``.
    """
    rows = []
    for name, gene_set in sets.items():
        asked = [gene.symbol for gene in gene_set.scored]
        found = [s for s in asked if s in platform.genes]
        renamed = [f"{platform.renamed_from[s]}>{s}" for s in found if platform.renamed_from.get(s)]
        missing = [s for s in asked if s not in platform.genes]
        undetected = [s for s in missing if s in platform.undetected]
        absent = [s for s in missing if s not in platform.undetected]
        status, reason = _judge(gene_set, found, platform, minimum_genes, minimum_fraction)
        rows.append(
            {
                "set": name,
                "asked": len(asked),
                "found": len(found),
                "renamed": len(renamed),
                "absent": len(absent),
                "undetected": len(undetected),
                "status": status,
                "reason": reason,
                "renamed_genes": ";".join(sorted(renamed)),
                "absent_genes": ";".join(sorted(absent)),
                "undetected_genes": ";".join(sorted(undetected)),
            }
        )
    return pd.DataFrame(rows)


def _judge(
    gene_set: GeneSet,
    found: Collection[str],
    platform: Platform,
    minimum_genes: int,
    minimum_fraction: float,
) -> tuple[str, str]:
    asked = len(gene_set.scored)
    # Rounded down: 49.6 % must not read as the 50 % that it misses.
    share = f"{len(found)} of {asked} genes ({100 * len(found) // asked} %) found"
    if len(found) < FEWEST_GENES:
        return NOT_SCORED, f"{share}; a score needs at least {FEWEST_GENES} genes"
    if len(found) == len(platform.genes):
        return NOT_SCORED, f"{share}; the set holds every gene of the cohort, none is left outside"
    if len(found) < minimum_genes or len(found) < minimum_fraction * asked:
        wanted = f"at least {minimum_genes} genes and {100 * minimum_fraction:g} % are asked"
        return LOW_COVERAGE, f"{share}; {wanted}"
    for direction, part in (("up", gene_set.up), ("down", gene_set.down)):
        if part and not any(gene.symbol in platform.genes for gene in part):
            reason = f"{share}; none of the {len(part)} genes that go {direction} is among them"
            return LOW_COVERAGE, reason
    return OK, ""


def outdated_symbols(
    sets: Mapping[str, GeneSet], platform: Platform, renamed: Mapping[str, str]
) -> dict[str, str]:
    """Find symbols of the sets that are absent only because the cohort uses their newer names.

    Sets are matched on approved symbols exactly; these are shown to the user, not matched.

    Parameters
    ----------
    sets
        Sets by name.
    platform
        The genes of the cohort.
    renamed
        Retired symbol → approved symbol, for all names that the cohort brought up to date.

    Returns
    -------
    dict
        Symbol in a set → name of the gene in the cohort, sorted.
    """
    asked = {gene.symbol for gene_set in sets.values() for gene in gene_set.scored}
    return {old: renamed[old] for old in sorted(asked - platform.genes) if old in renamed}
