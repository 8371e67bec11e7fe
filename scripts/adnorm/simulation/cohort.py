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

import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.files import atomic
from adnorm.base.logs import progress
from adnorm.base.tables import write_table
from adnorm.simulation.patients import HEALTHY, OTHER, Enrolled, enrol, in_second_batch
from adnorm.simulation.values import (
    Probes,
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
from adnorm.study.vocabulary import Route, Scale, State

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
    streams = np.random.SeedSequence(trial.seed).spawn(5)
    gene_rng, people_rng, level_rng, value_rng, batch_rng = map(np.random.default_rng, streams)
    genes = draw_genes(gene_sets, trial.genes, gene_rng)
    people = enrol(trial, programmes, people_rng)
    progress(f"simulating {len(people.biopsies)} biopsies × {len(genes.symbols)} genes")
    log2_level = expected_log2(trial, people, genes, level_rng)
    if trial.batches.along:
        second = in_second_batch(trial.batches.along, people)
        shift = trial.batches.effect * batch_rng.standard_normal(len(genes.symbols))
        log2_level += second[:, None] * shift
    if trial.writes == Route.GEO_SUPPLEMENTARY:
        counts = draw_counts(log2_level, trial.counts, value_rng)
        files = _write_sequencing(folder, cohort, trial, people, genes.written, counts)
    else:
        probes = draw_probes(genes, trial.array, trial.genes.seed)
        level = nonlesional_levels(genes, trial)
        values = draw_intensities(log2_level, level, probes, trial.array, value_rng)
        files = _write_array(folder, cohort, trial, people, probes, values)
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


# ---------------------------------------------------------------- as GEO would serve it

_STATES = {State.LESIONAL: "LS", State.NONLESIONAL: "NL", State.HEALTHY: "HC"}
_TISSUES = {
    State.LESIONAL: "lesional skin biopsy",
    State.NONLESIONAL: "non-lesional skin biopsy",
    State.HEALTHY: "skin biopsy of a healthy volunteer",
}


def _write_sequencing(
    folder: Path,
    cohort: PublishedCohort,
    trial: Simulation,
    people: Enrolled,
    genes: Iterable[str],
    counts: np.ndarray,
) -> list[tuple[str, str]]:
    """Write a series matrix without values and a supplementary table of counts."""
    matrix, table = f"{cohort.id}_series_matrix.txt.gz", f"{cohort.id}_counts.csv.gz"
    names = _sample_names(cohort, people)
    series, samples = _series_fields(cohort, people), _sample_fields(cohort, trial, people, 0)
    _write_series_matrix(folder / matrix, series, samples, names)
    _write_counts(folder / table, genes, names, counts)
    return [("series_matrix", matrix), ("table", table)]


def _write_array(
    folder: Path,
    cohort: PublishedCohort,
    trial: Simulation,
    people: Enrolled,
    probes: Probes,
    values: np.ndarray,
) -> list[tuple[str, str]]:
    """Write a series matrix with log2 intensities and the annotation of its platform."""
    matrix, annotation = f"{cohort.id}_series_matrix.txt.gz", f"{cohort.id}.annot.gz"
    series = _series_fields(cohort, people)
    samples = _sample_fields(cohort, trial, people, len(probes.identifiers))
    names = _sample_names(cohort, people)
    _write_series_matrix(folder / matrix, series, samples, names, values, probes.identifiers)
    _write_annotation(folder / annotation, _platform(cohort), probes.identifiers, probes.symbols)
    return [("series_matrix", matrix), ("annotation", annotation)]


def _platform(cohort: PublishedCohort) -> str:
    return cohort.platform or "SIMULATED"


def _sample_names(cohort: PublishedCohort, people: Enrolled) -> list[str]:
    return [f"{cohort.id}_{i:03d}" for i in range(1, len(people.biopsies) + 1)]


def _series_fields(cohort: PublishedCohort, people: Enrolled) -> list[tuple[str, str]]:
    title = cohort.title
    title = title if "SIMULATED" in title else f"SIMULATED: {title}"
    kind = "array" if cohort.scale == Scale.LOG2 else "high throughput sequencing"
    return [
        ("title", title),
        ("geo_accession", f"SIMULATED_{cohort.id}"),
        ("status", "SIMULATED data, not deposited anywhere"),
        ("summary", "SIMULATED: no person, biopsy or measurement behind these values exists."),
        ("overall_design", f"{len(people.people)} people, {len(people.biopsies)} skin biopsies."),
        ("type", f"Expression profiling by {kind}"),
        ("sample_id", " ".join(_sample_names(cohort, people))),
        ("platform_id", _platform(cohort)),
    ]


def _sample_fields(
    cohort: PublishedCohort, trial: Simulation, people: Enrolled, values: int
) -> list[tuple[str, list[str]]]:
    persons = people.people.loc[people.biopsies["person"]].reset_index(drop=True)
    biopsies = people.biopsies
    state = [_STATES[s] for s in biopsies["state"]]
    labels = ["" if g == HEALTHY else trial.arms[g].label for g in persons["group"]]

    def characteristics(key: str, texts: Iterable[object]) -> tuple[str, list[str]]:
        # GEO leaves the whole field empty where a sample lacks the key.
        return "characteristics_ch1", [f"{key}: {t}" if t != "" else "" for t in texts]

    rows = zip(state, persons["patient"], biopsies["week"], strict=True)
    count = len(biopsies)
    fields = [
        ("title", [f"simulated skin, {s}, subject {p}, week {w:g}" for s, p, w in rows]),
        ("geo_accession", _sample_names(cohort, people)),
        ("status", ["SIMULATED"] * count),
        ("type", ["SRA" if trial.writes == Route.GEO_SUPPLEMENTARY else "RNA"] * count),
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
    if trial.batches.along:
        second = in_second_batch(trial.batches.along, people)
        fields.insert(11, characteristics("batch", np.where(second, "B", "A")))
    if any(labels):
        fields.insert(9, characteristics("treatment", labels))
    return fields


@contextmanager
def _open_gzip(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file for compressed writing; it appears under its name only when complete."""
    with (
        atomic(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text,
    ):
        yield text


def _quoted(values: Iterable[object]) -> str:
    # GEO has no escape for a quotation mark inside a field; it writes an apostrophe.
    return "\t".join('"' + str(v).replace('"', "'") + '"' for v in values)


def _write_series_matrix(
    path: Path,
    series: Sequence[tuple[str, str]],
    samples: Sequence[tuple[str, Sequence[str]]],
    identifiers: Sequence[str],
    values: np.ndarray | None = None,
    probes: Sequence[str] = (),
) -> None:
    """Write a series matrix; without values the table is empty, as GEO leaves it for sequencing.

    Fields are pairs such as ``("title", "…")``, written as ``!Series_title``; those of the samples
    have one value per sample, and a field may occur several times.
    """
    with _open_gzip(path) as file:
        for key, value in series:
            file.write(f"!Series_{key}\t{_quoted([value])}\n")
        file.write("\n")
        for key, fields in samples:
            file.write(f"!Sample_{key}\t{_quoted(fields)}\n")
        file.write(f"!series_matrix_table_begin\n{_quoted(['ID_REF', *identifiers])}\n")
        if values is not None:
            line = "\t".join(["%.4f"] * len(identifiers))
            for probe, row in zip(probes, values.T.tolist(), strict=True):
                file.write(f'"{probe}"\t{line % tuple(row)}\n')
        file.write("!series_matrix_table_end\n")


def _write_annotation(
    path: Path, platform: str, probes: Sequence[str], symbols: Sequence[str]
) -> None:
    """Write a platform annotation with the columns ID, Gene title and Gene symbol."""
    with _open_gzip(path) as file:
        file.write(
            f"^Annotation\n!Annotation_platform = {platform}\n"
            f"!Annotation_platform_title = Simulated array {platform}\n"
            "!Annotation_platform_organism = Homo sapiens\n"
            "#ID = ID from Platform data table\n"
            "#Gene title = Gene name\n"
            "#Gene symbol = Gene symbol\n"
            "!platform_table_begin\nID\tGene title\tGene symbol\n"
        )
        for probe, symbol in zip(probes, symbols, strict=True):
            title = "simulated control" if symbol == "---" else f"simulated probe of {symbol}"
            file.write(f"{probe}\t{title}\t{symbol}\n")
        file.write("!platform_table_end\n")


def _write_counts(
    path: Path, genes: Iterable[str], identifiers: Sequence[str], counts: np.ndarray
) -> None:
    """Write a table of counts: one row per gene, one column per sample, comma-separated."""
    with _open_gzip(path) as file:
        file.write(",".join(["gene_symbol", *identifiers]) + "\n")
        for gene, row in zip(genes, counts.T.tolist(), strict=True):
            file.write(f"{gene},{','.join(map(str, row))}\n")
