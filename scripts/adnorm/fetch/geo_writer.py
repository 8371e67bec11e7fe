"""Writes GEO's own file formats: series matrix, platform annotation, table of counts.

The bytes depend on the content alone: the compressed files carry neither a date nor a name.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from adnorm.base.tables import atomic


@contextmanager
def open_gzip(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file for compressed writing; it appears under its name only when complete."""
    with (
        atomic(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=4) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text,
    ):
        yield text


def quoted(values: Iterable[object]) -> str:
    """Quote and tab-join the fields of one line.

    Examples
    --------
    >>> quoted(["ID_REF", "A1"])
    '"ID_REF"\\t"A1"'
    """
    # GEO has no escape for a quotation mark inside a field; it writes an apostrophe.
    return "\t".join('"' + str(v).replace('"', "'") + '"' for v in values)


def write_series_matrix(
    path: Path,
    series: Sequence[tuple[str, str]],
    samples: Sequence[tuple[str, Sequence[str]]],
    identifiers: Sequence[str],
    values: np.ndarray | None = None,
    probes: Sequence[str] = (),
) -> None:
    """Write a series matrix.

    Parameters
    ----------
    path
        The file, ending in ``_series_matrix.txt.gz``.
    series
        Fields of the series, ``("title", "…")``; written as ``!Series_title``.
    samples
        Fields of the samples with one value a sample, ``("characteristics_ch1", […])``; a field
        may occur several times.
    identifiers
        Sample accessions, the header of the table.
    values
        samples × probes, written with four decimals; ``None`` leaves the table empty, as GEO does
        for sequencing.
    probes
        Names of the columns of `values`.
    """
    with open_gzip(path) as file:
        for key, value in series:
            file.write(f"!Series_{key}\t{quoted([value])}\n")
        file.write("\n")
        for key, fields in samples:
            file.write(f"!Sample_{key}\t{quoted(fields)}\n")
        file.write(f"!series_matrix_table_begin\n{quoted(['ID_REF', *identifiers])}\n")
        if values is not None:
            line = "\t".join(["%.4f"] * len(identifiers))
            for probe, row in zip(probes, values.T.tolist(), strict=True):
                file.write(f'"{probe}"\t{line % tuple(row)}\n')
        file.write("!series_matrix_table_end\n")


def write_annotation(
    path: Path, platform: str, probes: Sequence[str], symbols: Sequence[str]
) -> None:
    """Write a platform annotation with the columns ID, Gene title and Gene symbol."""
    with open_gzip(path) as file:
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


def write_counts(
    path: Path, genes: Sequence[str], identifiers: Sequence[str], counts: np.ndarray
) -> None:
    """Write a table of counts: one row a gene, one column a sample, comma-separated.

    Parameters
    ----------
    path
        The file, ending in ``.csv.gz``.
    genes, identifiers
        Row names and column names.
    counts
        samples × genes.
    """
    with open_gzip(path) as file:
        file.write(",".join(["gene_symbol", *identifiers]) + "\n")
        for gene, row in zip(genes, counts.T.tolist(), strict=True):
            file.write(f"{gene},{','.join(map(str, row))}\n")
