"""A simulated cohort: its model, what is written, and the truth that was planted.

What is written is then read by the same readers as real data. The model, for gene g in a biopsy of
patient p at week t, on the log2 scale::

    level_g + severity_p · remaining_p,t,programme(g) · effect_g   (lesional)
            − field_defect · effect_g                              (healthy)
            + patient + lesion + biopsy + hidden factors

`remaining` is 1 at baseline. It falls in every arm, because patients enrol in a flare (regression
to the mean), and by the reversal of the arm, which acts faster or slower in some gene programmes
and hardly in non-responders.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import progress
from adnorm.base.tables import write_table
from adnorm.simulation.geo_files import write_array, write_sequencing
from adnorm.simulation.patients import OTHER, Enrolled, enrol
from adnorm.simulation.values import (
    SimulatedGenes,
    disease_amount,
    draw_counts,
    draw_genes,
    draw_intensities,
    draw_probes,
    expected_log2,
    nonlesional_levels,
)
from adnorm.study.cohort import PublishedCohort
from adnorm.study.gene_sets import GeneSet, read_gene_sets
from adnorm.study.simulation import Simulation
from adnorm.study.vocabulary import Route, State

COLUMNS = ["kind", "arm", "week", "name", "value"]
_Row: TypeAlias = tuple[str, str, float, str, float]


def simulate_cohort(cohort: PublishedCohort, folder: Path) -> list[tuple[str, str]]:
    """Simulate a cohort and write it as GEO would serve it.

    Parameters
    ----------
    cohort
        What decides the bytes; its ``simulation:`` block is the plan.
    folder
        Folder to write into; made if absent.

    Returns
    -------
    list of (role, name)
        Roles are series_matrix, annotation, table and truth.

    Raises
    ------
    AdnormError
        There is no plan, or it names gene sets or programmes that do not exist.
    """
    trial = cohort.simulation
    if trial is None:
        raise AdnormError(
            f"cohort '{cohort.id}', simulation: route 'simulated' needs a `simulation:` block; "
            "none was found"
        )
    gene_sets = read_gene_sets([Path(trial.gene_sets)])
    programmes = _programmes(cohort.id, trial, gene_sets)
    # Each part has a stream of its own, so that changing one part leaves the others as they were.
    streams = np.random.SeedSequence(trial.seed).spawn(4)
    gene_rng, people_rng, level_rng, value_rng = (np.random.default_rng(s) for s in streams)
    genes = draw_genes(gene_sets, trial.genes, gene_rng)
    people = enrol(trial, programmes, people_rng)
    progress(f"simulating {len(people.biopsies)} biopsies × {len(genes.symbols)} genes")
    log2_level = expected_log2(trial, people, genes, level_rng)
    if trial.writes == Route.GEO_SUPPLEMENTARY:
        counts = draw_counts(log2_level, trial.counts, value_rng)
        files = write_sequencing(folder, cohort, trial, people, genes.written, counts)
    else:
        probes = draw_probes(genes, trial.array, trial.genes.seed)
        level = nonlesional_levels(genes, trial)
        values = draw_intensities(log2_level, level, probes, trial.array, value_rng)
        files = write_array(folder, cohort, trial, people, probes, values)
    write_table(planted_truth(trial, people, genes), folder / "truth.tsv")
    return [*files, ("truth", "truth.tsv")]


def _programmes(cohort_id: str, trial: Simulation, gene_sets: dict[str, GeneSet]) -> list[str]:
    categories = {s.category for s in gene_sets.values() if s.category} | {"itch"}
    problems = Problems(f"cohort '{cohort_id}', simulation")
    named = {*trial.programmes, *(p for arm in trial.arms for p in arm.programmes)}
    for name in sorted(named - categories - {OTHER}):
        problems.add(
            f"programmes: '{name}' is not a category of {trial.gene_sets}"
            f"{nearest(name, categories)}. Known: {listing(sorted(categories), 30)}"
        )
    problems.stop()
    return [*sorted(categories), OTHER]


def planted_truth(trial: Simulation, people: Enrolled, genes: SimulatedGenes) -> pd.DataFrame:
    """Tabulate the truth of a simulated cohort.

    Kinds:

    ``gene_effect``
        lesional − nonlesional log2 fold change of a gene at baseline (arm ``all``);
    ``set_effect``
        the same, mean over the set's signed (or all, if unsigned) detectable genes, each multiplied
        by its sign;
    ``field_defect``
        (nonlesional − healthy) / (lesional − nonlesional);
    ``reversal``
        for a gene programme: the fraction of the lesional effect that is gone, among the patients
        who have this biopsy and their baseline biopsy; comes from the treatment, the flare that
        ends, and chance;
    ``set_change``
        mean LS_t − LS_0 (log2) of the set's genes in these patients;
    ``signed_set_change``
        the same with each gene multiplied by its sign;
    ``patient_response``
        fraction of a patient's lesional effect that is gone, at programme speed 1;
    ``responder``
        1 for patients planned as responders, else 0.
    """
    rows: list[_Row] = []
    for symbol, effect in zip(genes.symbols, genes.effect, strict=True):
        rows.append(("gene_effect", "all", 0, symbol, effect))
    for name, (members, signs) in genes.sets.items():
        effect = genes.effect[members] * np.where(signs == 0, 1, signs)
        rows.append(("set_effect", "all", 0, name, effect.mean()))
    rows.append(("field_defect", "all", 0, "all", trial.field_defect))
    rows += _course(trial, people, genes)
    truth = pd.DataFrame(rows, columns=COLUMNS)
    return truth.sort_values(COLUMNS[:4], kind="stable", ignore_index=True)


def _course(trial: Simulation, people: Enrolled, genes: SimulatedGenes) -> list[_Row]:
    rows: list[_Row] = []
    persons = people.people
    severity = persons["severity"].to_numpy()
    lesional = people.biopsies[people.biopsies["state"] == State.LESIONAL]
    amount = disease_amount(people, genes)
    overall = people.programmes.index(OTHER)
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
