"""What a cohort loses between its deposit and its genes: samples, pairs, genes of the sets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.losses import Loss
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.comparisons import BASELINE
from adnorm.study.gene_sets import FEWEST_GENES, set_losses
from adnorm.study.people import describe, find_spellings, joining_line
from adnorm.study.vocabulary import State

#: Trials lose a few visits; a fifth of the patients is more than that.
_MANY_PATIENTS = 0.2
#: Two biopsies for each patient are common; three and more mostly mean that people were merged.
_MANY_AVERAGED = 0.6
#: Below this share of the genes that the sets ask for, the rows are no human transcriptome …
_FEWEST_FOUND = 0.05
#: … if they are that many, and the sets ask for so many that the share means something.
_TRANSCRIPTOME, _MANY_IN_SETS = 1000, 100
_SHOWN = 6


def sample_losses(samples: int, excluded: pd.DataFrame, known: Mapping[str, str]) -> list[Loss]:
    """List which samples are left out, and why."""
    total = samples + len(excluded)
    kinds: dict[str, list[str]] = {}
    for name, reason in zip(excluded["sample"], excluded["reason"], strict=True):
        if name in known:
            kind = f"samples have {known[name]}"
        elif str(reason).startswith("quality: "):
            kind = "samples are excluded by rules of quality (expression: of the configuration)"
        else:
            kind = f"samples are excluded by the cohort file: {reason}"
        kinds.setdefault(kind, []).append(str(name))
    # What the cohort file declares is known to whoever wrote it.
    above = {kind: 1.0 if "by the cohort file" in kind else 0.05 for kind in kinds}
    return [
        Loss(kind, len(names), total, listing(names, _SHOWN), above=above[kind])
        for kind, names in kinds.items()
    ]


def pair_losses(samples: pd.DataFrame) -> list[Loss]:
    """List which patients lack the other half of a pair."""
    ours = samples[samples["state"] != State.HEALTHY]
    people: dict[tuple[str, bool], set[str]] = {}
    for state, week, patient in zip(ours["state"], ours["week"], ours["patient"], strict=True):
        people.setdefault((str(state), week == BASELINE), set()).add(str(patient))
    lesional = people.get((State.LESIONAL, True), set())
    other = people.get((State.NONLESIONAL, True), set())
    later = people.get((State.LESIONAL, False), set())
    losses = []
    # Skin that no patient has is the design, not a loss.
    if lesional and other:
        alone = sorted(lesional ^ other)
        what = "patients have lesional or nonlesional skin at baseline, but not both"
        losses.append(_patients(what, alone, len(lesional | other)))
    if lesional and later:
        alone = sorted(later - lesional)
        what = "patients have lesional skin at a later visit, but not at baseline"
        losses.append(_patients(what, alone, len(later)))
    if "lesion" in samples:
        losses.append(_doubled_lesions(samples))
    biopsies = samples.groupby(["patient", "state", "week", "arm"], observed=True).size()
    several = biopsies[biopsies > 1]
    detail = f"for instance of {listing([p for p, *_ in several.index], _SHOWN)}"
    losses.append(
        Loss(
            "samples are averaged with another one of the same patient, skin and visit",
            len(samples) - len(biopsies),
            len(samples),
            detail,
            "if these are several people or visits, mend the mapping of patient and week",
            _MANY_AVERAGED,
        )
    )
    return [loss for loss in losses if loss.lost]


def _doubled_lesions(samples: pd.DataFrame) -> Loss:
    """Find visits of a patient with two lesions in one arm and none in another of the patient's."""
    own = samples[samples["lesion"].fillna("") != ""]
    counts = own.groupby(["patient", "week", "arm"], observed=True).size()
    arms = own.groupby("patient", observed=True)["arm"].nunique()
    visits = counts.groupby(level=["patient", "week"]).agg(["max", "size"])
    patients = visits.index.get_level_values("patient")
    odd = visits.index[
        (visits["max"] > 1) & (visits["size"].to_numpy() < arms[patients].to_numpy())
    ]
    named = own.set_index(["patient", "week"])["sample"]
    found = [str(name) for visit in odd for name in named.loc[[visit]]]
    return Loss(
        "visits of a patient have two lesions in one arm and none in another",
        len(odd),
        len(visits),
        f"samples {listing(found, _SHOWN)}",
        "they are averaged; check the treatment of these samples",
        above=0.0,
    )


def _patients(what: str, alone: list[str], total: int) -> Loss:
    advice = "paired comparisons leave them out; check the ids of patients, states and weeks"
    return Loss(what, len(alone), total, listing(alone, _SHOWN), advice, _MANY_PATIENTS)


def spelling_losses(samples: pd.DataFrame, cohort: MeasuredCohort) -> list[Loss]:
    """List patients whose id is spelt in several ways, and how to join them.

    They are never joined silently: 1 and 01 may be people of two centres.
    """
    found = find_spellings(samples)
    if not found:
        return []
    lost = sum(group.pairs for group in found)
    line = joining_line(found, cohort.samples.patient)
    advice = f"if each is one patient, write below samples: `{line}`" if line else ""
    pairs = "1 pair of one patient is" if lost == 1 else f"{lost} pairs of one patient are"
    detail = f"{describe(found)}; as they are, {pairs} lost"
    what = "ids of patients differ only in case, punctuation or zeros from another one"
    count = sum(len(group.names) - 1 for group in found)
    return [Loss(what, count, samples["patient"].nunique(), detail, advice, above=0.0)]


def judged_losses(sets: Mapping[str, frozenset[str]], genes: pd.Index, where: str) -> list[Loss]:
    """Say how many genes of the gene sets the table lacks.

    A table as long as a transcriptome that has hardly any is refused: these are no human genes.
    What a short table lacks, the scores tell.

    Parameters
    ----------
    sets
        `SetSymbols.judging`.
    genes
        Approved symbols of the table, before genes without expression are removed.
    where
        The table, for messages.
    """
    here = frozenset(map(str, genes))
    in_sets = frozenset().union(*sets.values())
    found = in_sets & here
    empty = sum(len(symbols & here) < FEWEST_GENES for symbols in sets.values())
    few = len(found) < _FEWEST_FOUND * len(in_sets) and len(in_sets) >= _MANY_IN_SETS
    if len(here) >= _TRANSCRIPTOME and (few or empty == len(sets)):
        raise AdnormError(
            f"{where}: {len(found)} of the {len(in_sets)} genes that the gene sets ask for are "
            f"among the {len(here)} genes of the table, and {empty} of {len(sets)} sets "
            f"cannot be scored. The table has {listing(sorted(here)[:_SHOWN])}; the sets ask for "
            f"{listing(sorted(in_sets)[:_SHOWN])}. adnorm needs human gene symbols, Ensembl or "
            "Entrez gene ids; if another column of the table holds them, name it (source: "
            "gene_column:), or mend the gene sets (gene_sets:)"
        )
    return set_losses(sets, here)
