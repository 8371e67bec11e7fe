"""Route ``simulated``: a cohort with known truth, written in GEO's own file formats.

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

import numpy as np

from adnorm.base.errors import Problems, listing, nearest
from adnorm.base.logs import progress
from adnorm.base.tables import write_table
from adnorm.fetch.geo_writer import write_annotation, write_counts, write_series_matrix
from adnorm.fetch.patients import Enrolled, arm_of, enrol
from adnorm.fetch.simulate_genes import OTHER, SimulatedGenes, draw_genes
from adnorm.fetch.simulate_truth import planted_truth
from adnorm.fetch.simulate_values import (
    draw_counts,
    draw_intensities,
    draw_probes,
    expected_log2,
    nonlesional_levels,
)
from adnorm.fetch.trial import Trial, read_trial

_STATES = {"lesional": "LS", "nonlesional": "NL", "healthy": "HC"}
_TISSUES = {
    "lesional": "lesional skin biopsy",
    "nonlesional": "non-lesional skin biopsy",
    "healthy": "skin biopsy of a healthy volunteer",
}


def simulate_cohort(cohort: dict, outdir: Path) -> list[dict]:
    """Simulate a cohort and write it as GEO would serve it.

    Parameters
    ----------
    cohort
        The cohort file as a dictionary; its ``simulation:`` block is the plan.
    outdir
        Folder to write into; made if absent.

    Returns
    -------
    list of dict
        ``role`` (series_matrix, annotation, table, truth) and ``name`` of each file.

    Raises
    ------
    AdnormError
        The plan contradicts itself or names gene sets or programmes that do not exist.
    """
    from adnorm.study.gene_sets import read_gene_sets

    trial = read_trial(cohort)
    gene_sets = read_gene_sets([Path(trial.gene_sets)])
    programmes = _programmes(cohort["id"], trial, gene_sets)
    # Each part has a stream of its own, so that changing one part leaves the others as they were.
    streams = np.random.SeedSequence(trial.seed).spawn(4)
    gene_rng, people_rng, level_rng, value_rng = (np.random.default_rng(s) for s in streams)
    genes = draw_genes(gene_sets, trial.genes, gene_rng)
    people = enrol(trial, programmes, people_rng)
    progress(f"simulating {len(people.biopsies)} biopsies × {len(genes.symbols)} genes")
    log2_level = expected_log2(trial, people, genes, level_rng)
    outdir = Path(outdir)
    write = _write_counts if trial.writes == "geo_supplementary" else _write_array
    files = write(cohort, trial, people, genes, log2_level, value_rng, outdir)
    write_table(planted_truth(trial, people, genes), outdir / "truth.tsv")
    return [*files, {"role": "truth", "name": "truth.tsv"}]


def _programmes(cohort_id: str, trial: Trial, gene_sets: dict) -> list[str]:
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


def _write_counts(
    cohort: dict,
    trial: Trial,
    people: Enrolled,
    genes: SimulatedGenes,
    log2_level: np.ndarray,
    rng: np.random.Generator,
    outdir: Path,
) -> list[dict]:
    counts = draw_counts(log2_level, trial.counts, rng)
    names = _sample_names(cohort, people)
    matrix = f"{cohort['id']}_series_matrix.txt.gz"
    table = f"{cohort['id']}_counts.csv.gz"
    series, samples = _series_fields(cohort, people), _sample_fields(cohort, trial, people, 0)
    write_series_matrix(outdir / matrix, series, samples, names)
    write_counts(outdir / table, genes.written, names, counts)
    return [{"role": "series_matrix", "name": matrix}, {"role": "table", "name": table}]


def _write_array(
    cohort: dict,
    trial: Trial,
    people: Enrolled,
    genes: SimulatedGenes,
    log2_level: np.ndarray,
    rng: np.random.Generator,
    outdir: Path,
) -> list[dict]:
    probes = draw_probes(genes, trial.array, trial.genes.seed)
    level = nonlesional_levels(genes, trial)
    values = draw_intensities(log2_level, level, probes, trial.array, rng)
    matrix = f"{cohort['id']}_series_matrix.txt.gz"
    annotation = f"{cohort['id']}.annot.gz"
    series = _series_fields(cohort, people)
    samples = _sample_fields(cohort, trial, people, len(probes.identifiers))
    names = _sample_names(cohort, people)
    write_series_matrix(outdir / matrix, series, samples, names, values, probes.identifiers)
    write_annotation(outdir / annotation, _platform(cohort), probes.identifiers, probes.symbols)
    return [{"role": "series_matrix", "name": matrix}, {"role": "annotation", "name": annotation}]


def _platform(cohort: dict) -> str:
    return cohort.get("platform") or "SIMULATED"


def _sample_names(cohort: dict, people: Enrolled) -> list[str]:
    return [f"{cohort['id']}_{i:03d}" for i in range(1, len(people.biopsies) + 1)]


def _series_fields(cohort: dict, people: Enrolled) -> list[tuple[str, str]]:
    title = cohort["title"]
    title = title if "SIMULATED" in title else f"SIMULATED: {title}"
    kind = "array" if cohort.get("scale") == "log2" else "high throughput sequencing"
    return [
        ("title", title),
        ("geo_accession", f"SIMULATED_{cohort['id']}"),
        ("status", "SIMULATED data, not deposited anywhere"),
        ("summary", "SIMULATED: no person, biopsy or measurement behind these values exists."),
        ("overall_design", f"{len(people.people)} people, {len(people.biopsies)} skin biopsies."),
        ("type", f"Expression profiling by {kind}"),
        ("sample_id", " ".join(_sample_names(cohort, people))),
        ("platform_id", _platform(cohort)),
    ]


def _sample_fields(
    cohort: dict, trial: Trial, people: Enrolled, values: int
) -> list[tuple[str, list[str]]]:
    persons = people.people.loc[people.biopsies["person"]].reset_index(drop=True)
    biopsies = people.biopsies
    state = [_STATES[s] for s in biopsies["state"]]
    labels = [arm.label if (arm := arm_of(trial, g)) else "" for g in persons["group"]]

    def characteristics(key: str, texts) -> tuple[str, list[str]]:
        # GEO leaves the whole field empty where a sample lacks the key.
        return "characteristics_ch1", [f"{key}: {t}" if t != "" else "" for t in texts]

    rows = zip(state, persons["patient"], biopsies["week"], strict=True)
    count = len(biopsies)
    fields = [
        ("title", [f"simulated skin, {s}, subject {p}, week {w:g}" for s, p, w in rows]),
        ("geo_accession", _sample_names(cohort, people)),
        ("status", ["SIMULATED"] * count),
        ("type", ["SRA" if trial.writes == "geo_supplementary" else "RNA"] * count),
        ("source_name_ch1", [_TISSUES[s] for s in biopsies["state"]]),
        ("organism_ch1", ["Homo sapiens"] * count),
        characteristics("subject id", persons["patient"]),
        characteristics("tissue", state),
        characteristics("time point", [f"Week {w:g}" for w in biopsies["week"]]),
        characteristics("Sex", ["F" if s == "female" else "M" for s in persons["sex"]]),
        characteristics("age", persons["age"]),
        characteristics("easi score", ["" if e != e else f"{e:.1f}" for e in biopsies["easi"]]),
        characteristics("itch nrs", ["" if n != n else f"{n:g}" for n in biopsies["itch_nrs"]]),
        ("molecule_ch1", ["total RNA"] * count),
        ("platform_id", [_platform(cohort)] * count),
        ("data_row_count", [str(values)] * count),
    ]
    if any(labels):
        fields.insert(9, characteristics("treatment", labels))
    return fields
