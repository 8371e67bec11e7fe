"""What tables say of themselves: which file, which column of genes, which scale."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.study.vocabulary import Scale

if TYPE_CHECKING:
    from adnorm.expression.scale_evidence import Hints

_NO_TABLE = r"raw\.tar|\.(tar|pdf|docx?|bw|bigwig|bed|bedgraph|h5|mtx|rds|rdata|cel|idat|fa|gtf)\b"
_OTHER_CONTENT = (
    r"deg|differential|dge_|deseq|results?|readme|metadata|annot|barcodes|features|peak|_ncbi\.tsv"
)
_SYMBOLS = r"(?:(?:gene|hgnc)[ _.]?)?(?:symbol|name)s?"
_COUNTS, _EXPRESSION = r"counts?|raw|featurecounts", r"tpm|fpkm|rpkm|cpm|norm|expr|matrix|vst|rlog"


def choose_supplementary(names: list[str]) -> list[str]:
    """Order supplementary files by how likely they are the table of values.

    Archives and lists of differential genes are left out.

    Examples
    --------
    >>> choose_supplementary(["GSE1_RAW.tar", "GSE1_DEG_results.csv.gz", "GSE1_TPM.txt.gz",
    ...     "GSE1_counts.txt.gz", "NONE"])
    ['GSE1_counts.txt.gz', 'GSE1_TPM.txt.gz']
    """

    def rank(name: str) -> tuple[int, str]:
        lower = name.casefold()
        counts = bool(re.search(_COUNTS, lower)) and "norm" not in lower
        value = 0 if counts else 1 if re.search(_EXPRESSION, lower) else 2
        return value + 3 * bool(re.search(r"\.xlsx?\b", lower)), name

    tables = [
        name
        for name in dict.fromkeys(names)
        if "." in name
        and not re.search(_NO_TABLE, name.casefold())
        and not re.search(_OTHER_CONTENT, re.sub(r"^GSE\d+_?", "", name).casefold())
    ]
    return sorted(tables, key=rank)


def sheet_key(sheet: pd.DataFrame, table: Path) -> str:
    """Choose the column of a sheet whose cells are the columns of the table; else the first."""
    from adnorm.readers.delimited import find_layout

    columns = set(find_layout(table)[0].names)
    shared = {c: len(columns & set(sheet[c])) for c in sheet if sheet[c].is_unique}
    best = max(shared, key=lambda c: shared[c], default=None)
    return best if best and shared[best] else str(sheet.columns[0])


def genes_of(path: Path, raw: pd.DataFrame) -> tuple[str | None, str | None]:
    """Look at the first rows of a table.

    Parameters
    ----------
    path
        The table.
    raw
        Raw metadata, to tell samples from other columns.

    Returns
    -------
    gene_column : str or None
        The column of genes; ``None`` when it is the first and no symbols stand beside its ids.
    libraries : str or None
        A pattern that joins several columns to one sample; ``None`` when each column is one.
    """
    from adnorm.readers.delimited import find_layout
    from adnorm.readers.identifiers import ENSEMBL, ENTREZ, type_of

    layout, rows = find_layout(path)
    names = layout.names

    def genes(i: int) -> float:
        cells = [row[i].strip() for row in rows if len(row) > i]
        numbered = cells in [[str(k + s) for k in range(len(cells))] for s in (0, 1)]
        return 0.0 if numbered or not cells else float(np.mean([type_of(c) != "" for c in cells]))

    gene_column = None
    if rows and genes(0) < 0.5:
        known = _sample_names(raw)
        others = [i for i in range(1, len(names)) if names[i] and names[i] not in known]
        best = max(others, key=lambda i: (genes(i), -i), default=None)
        gene_column = names[best] if best is not None and genes(best) > 0.5 else None
    elif rows and type_of(rows[0][0].strip()) in (ENSEMBL, ENTREZ):
        # Symbols beside the ids need no identifier table.
        beside = [i for i in range(1, len(names)) if re.fullmatch(_SYMBOLS, names[i], re.I)]
        gene_column = next((names[i] for i in beside if genes(i) > 0.5), None)
    return gene_column, _libraries(names, raw)


def _sample_names(raw: pd.DataFrame) -> set[str]:
    return {str(name) for name in raw.index}.union(*(set(raw[c].astype(str)) for c in raw))


def _libraries(names: list[str], raw: pd.DataFrame) -> str | None:
    from adnorm.expression.columns import fitting_pattern

    fields = [set(raw.index.astype(str))]
    fields += [set(raw[c].astype(str)) for c in raw if raw[c].is_unique]
    if any(len(field & set(names)) > 1 for field in fields):
        return None
    return fitting_pattern(names, fields) or None


def judge_scale(
    values: pd.DataFrame, assay: str | None, hints: Hints | None = None
) -> tuple[str | None, bool, str]:
    """Say which scale values look like, by the rule that the run checks them with.

    Returns
    -------
    scale : str or None
        One of the scales of a cohort file; ``None`` when the values fit none of them.
    round_counts : bool
        Whether they look like expected counts.
    remark : str
    """
    from adnorm.expression.scale import WORDS, read_scale
    from adnorm.expression.scale_check import describe_values, verify_scale
    from adnorm.expression.scale_evidence import Hints

    assay = assay or ("microarray" if rows_are_probes(values) else "")
    hints, told = hints or Hints(), describe_values(values)
    matrix = values.to_numpy(dtype=float)
    if not np.isfinite(matrix).any():
        return None, False, told
    reading = read_scale(matrix, assay, hints)
    scale = reading.scale
    if scale is None:
        return None, False, f"{told}; {reading.why}. {reading.instead}"
    if reading.why:
        told += f"; {reading.why}"
    if scale not in (Scale.COUNTS, Scale.LINEAR) and hints.counts:
        told += f"; raw counts stand in the same file: better, write {hints.counts}"
    rounded = reading.expected
    if scale == Scale.COUNTS and assay == "microarray":
        scale = Scale.LINEAR
    if scale == Scale.LINEAR and assay != "microarray" and _like_libraries(values):
        scale, rounded = Scale.COUNTS, True
        told += "; sums differ as those of expected counts do"
    try:
        verify_scale(values, scale, "the values", assay, rounded, hints)
    except AdnormError as error:
        return None, False, str(error)
    if reading.why:
        told += f" ({WORDS[scale]})"
    return scale, rounded, told


def _like_libraries(values: pd.DataFrame) -> bool:
    sums = values.sum()
    spread = sums.max() / sums.min() if sums.min() > 0 else np.inf
    return bool(sums.median() > 2e6 and spread > 1.05)


def judge_assay(values: pd.DataFrame, scale: str | None) -> tuple[str | None, str]:
    """Say which assay values look like: by their identifiers, then by how zeros are written."""
    if rows_are_probes(values):
        return "microarray", "the rows are probes"
    if scale and (scale == "linear" or scale.endswith("counts")):
        return "rna-seq", f"values are {scale}"
    numbers = values.to_numpy(dtype=float)
    floor = np.nanmin(numbers)
    if np.mean(numbers == floor) > 0.01:
        return "rna-seq", f"{np.mean(numbers == floor):.0%} of the values are the lowest, {floor:g}"
    return "microarray", "log2 values without a floor of undetected genes"


def rows_are_probes(values: pd.DataFrame) -> bool:
    """Whether most rows have names of probes of an array."""
    labels = [str(label) for label in values.index[:2000]]
    probes = [bool(re.fullmatch(r".+_at|ILMN_\d+|A_\d+_P\d+", label)) for label in labels]
    return bool(probes) and float(np.mean(probes)) > 0.5
