"""What was planted in a simulated cohort, in the terms in which it should be found again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adnorm.fetch.patients import Enrolled
from adnorm.fetch.simulate_genes import SimulatedGenes
from adnorm.fetch.simulate_values import disease_amount
from adnorm.fetch.trial import Trial

COLUMNS = ["kind", "arm", "week", "name", "value"]


def planted_truth(trial: Trial, people: Enrolled, genes: SimulatedGenes) -> pd.DataFrame:
    """Tabulate the truth of a simulated cohort.

    Parameters
    ----------
    trial, people, genes
        What was simulated.

    Returns
    -------
    DataFrame
        Columns kind, arm, week, name, value. Kinds:

        ``gene_effect``
            lesional − nonlesional log2 fold change of a gene at baseline (arm ``all``);
        ``set_effect``
            the same, mean over the set's signed (or all, if unsigned) detectable genes, each
            multiplied by its sign;
        ``field_defect``
            (nonlesional − healthy) / (lesional − nonlesional);
        ``reversal``
            for a gene programme: the fraction of the lesional effect that is gone, among the
            patients who have this biopsy and their baseline biopsy; comes from the treatment,
            the flare that ends, and chance;
        ``set_change``
            mean LS_t − LS_0 (log2) of the set's genes in these patients;
        ``signed_set_change``
            the same with each gene multiplied by its sign;
        ``patient_response``
            fraction of a patient's lesional effect that is gone, at programme speed 1;
        ``responder``
            1 for patients planned as responders, else 0.
    """
    rows: list[tuple] = []
    for symbol, effect in zip(genes.symbols, genes.effect, strict=True):
        rows.append(("gene_effect", "all", 0, symbol, effect))
    for name, (members, signs) in genes.sets.items():
        effect = genes.effect[members] * np.where(signs == 0, 1, signs)
        rows.append(("set_effect", "all", 0, name, effect.mean()))
    rows.append(("field_defect", "all", 0, "all", trial.field_defect))
    rows += _course(trial, people, genes)
    truth = pd.DataFrame(rows, columns=COLUMNS)
    return truth.sort_values(COLUMNS[:4], kind="stable", ignore_index=True)


def _course(trial: Trial, people: Enrolled, genes: SimulatedGenes) -> list[tuple]:
    rows = []
    persons = people.people
    severity = persons["severity"].to_numpy()
    lesional = people.biopsies[people.biopsies["state"] == "lesional"]
    amount = disease_amount(people, genes)
    overall = people.programmes.index("other")
    for index, arm in enumerate(trial.arms):
        members = persons.index[persons["group"] == index]
        rows += [
            ("responder", arm.name, 0, persons["patient"][p], float(persons["responder"][p]))
            for p in members
        ]
        for visit, week in enumerate(trial.weeks[1:], 1):
            later = lesional[(lesional["visit"] == visit) & lesional["person"].isin(members)]
            who = later["person"].to_numpy()
            if len(who) == 0:
                continue
            gone = 1 - people.remaining[who, visit]
            planted = (severity[who, None] * gone).sum(axis=0) / severity[who].sum()
            rows += [
                ("reversal", arm.name, week, name, value)
                for name, value in zip(people.programmes, planted, strict=True)
            ]
            rows += [
                ("patient_response", arm.name, week, persons["patient"][p], value)
                for p, value in zip(who, gone[:, overall], strict=True)
            ]
            start = severity[who].mean()
            change = (amount[later.index].mean(axis=0) - start) * genes.effect
            for name, (columns, signs) in genes.sets.items():
                signed = change[columns] * np.where(signs == 0, 1, signs)
                rows.append(("set_change", arm.name, week, name, change[columns].mean()))
                rows.append(("signed_set_change", arm.name, week, name, signed.mean()))
    return rows
