"""A published list of disease genes, on which the index is computed a second time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, listing, nearest, shortened
from adnorm.study.diseases import ATOPIC_DERMATITIS, disease_name
from adnorm.study.gene_sets import check_columns, table_lines

SIGNS = {"up": 1.0, "down": -1.0}
REQUIRED, OPTIONAL = ("gene", "direction"), ("weight", "trained_on", "disease")
#: Public accessions of cohorts: GSE58558, E-MTAB-8149 …
ACCESSION = re.compile(r"[A-Z]+(-[A-Z]+-)?\d+")


@dataclass(frozen=True)
class AxisGenes:
    """The list.

    Attributes
    ----------
    name
        Stem of its file; the name of its rows in all tables.
    weights
        Signed weight by symbol, in the order of the file; above 0 for genes that rise in disease.
    trained_on
        Accessions of the cohorts that the list was made from; it is no independent measure there.
    disease
        Whose genes they are; cohorts of another disease are not judged on the list.
    """

    name: str
    weights: dict[str, float]
    trained_on: tuple[str, ...]
    disease: str = ATOPIC_DERMATITIS


def read_axis_genes(path: Path | str, taken: Iterable[str] = ()) -> AxisGenes:
    """Read a list of disease genes with directions.

    Parameters
    ----------
    path
        Tab-separated: ``gene``; ``direction`` (up or down, in lesional skin); optionally ``weight``
        (above 0; 1 where the column is absent), ``trained_on`` (accessions of the cohorts that
        the list was made from, joined by a semicolon; the rows together count) and ``disease`` (of
        the list; atopic dermatitis where the column is absent or empty).
    taken
        Names of other scores (gene sets, ``global``), which the file must not be called.

    Raises
    ------
    AdnormError
        Everything that is wrong with the file, with line numbers.
    """
    path = Path(path)
    if not path.exists():
        raise AdnormError(f"{path}: this file does not exist; name a table of genes, or null")
    (_, header), *lines = table_lines(path)
    problems = Problems(str(path))
    known = [*REQUIRED, *OPTIONAL]
    check_columns(header, REQUIRED, known, problems)
    if path.stem in set(taken):
        problems.add(f"the name '{path.stem}' belongs to another score; rename the file")
    problems.stop()
    if not lines:
        problems.add("the list has no gene; give one row per gene")
    weights: dict[str, float] = {}
    trained: set[str] = set()
    diseases: list[str] = []
    for line, fields in lines:
        if len(fields) > len(header):
            problems.add(f"line {line}: {len(fields)} fields, but the header names {len(header)}")
            continue
        cells = ("" if field == "NA" else field for field in fields)
        row = dict.fromkeys(known, "") | dict(zip(header, cells, strict=False))
        gene, direction = row["gene"], row["direction"]
        if not gene:
            problems.add(f"line {line}: gene is empty; write its approved symbol")
        elif gene in weights:
            problems.add(
                f"line {line}: gene '{shortened(gene)}' stands in the list twice; keep one row"
            )
        if direction not in SIGNS:
            problems.add(
                f"line {line}: direction '{shortened(direction)}' is neither up nor down"
                f"{nearest(direction, SIGNS)}; say how the gene moves in lesional skin"
            )
        size = _size(row["weight"]) if "weight" in header else 1.0
        if not (0 < size < math.inf):
            problems.add(
                f"line {line}: weight '{shortened(row['weight'])}' is no number above 0; the "
                "column direction gives the sign, and without the column weight all genes weigh 1"
            )
        weights[gene] = size * SIGNS.get(direction, 1.0)
        for accession in filter(None, re.split(r"[;\s]+", row["trained_on"])):
            if not ACCESSION.fullmatch(accession):
                problems.add(
                    f"line {line}: trained_on '{shortened(accession)}' is no accession; write for "
                    "example GSE58558, several joined by a semicolon"
                )
            trained.add(accession)
        if row["disease"] and row["disease"] not in diseases:
            diseases.append(row["disease"])
    if len(set(map(disease_name, diseases))) > 1:
        problems.add(
            f"column 'disease' names {listing(diseases)}; a list belongs to one disease: make a "
            "file of each"
        )
    problems.stop()
    disease = diseases[0] if diseases else ATOPIC_DERMATITIS
    return AxisGenes(path.stem, weights, tuple(sorted(trained)), disease)


def _size(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
