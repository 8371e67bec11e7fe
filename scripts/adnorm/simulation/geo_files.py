"""Writes a simulated cohort in GEO's own formats: series matrix, platform annotation, counts.

The bytes depend on the content alone: the compressed files carry neither a date nor a name.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from adnorm.base.files import atomic
from adnorm.simulation.patients import HEALTHY, Enrolled
from adnorm.simulation.values import Probes
from adnorm.study.cohort import PublishedCohort
from adnorm.study.simulation import Simulation
from adnorm.study.vocabulary import Route, Scale, State

_STATES = {State.LESIONAL: "LS", State.NONLESIONAL: "NL", State.HEALTHY: "HC"}
_TISSUES = {
    State.LESIONAL: "lesional skin biopsy",
    State.NONLESIONAL: "non-lesional skin biopsy",
    State.HEALTHY: "skin biopsy of a healthy volunteer",
}


def write_sequencing(
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


def write_array(
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
