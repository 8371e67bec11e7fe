"""What is known of a data set before anybody has described it: a series, a table or an .h5ad."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.fetch import geo
from adnorm.fetch.content import Expected
from adnorm.fetch.download import AbsentFileError, fetch_file, is_remote, local_path, name_of
from adnorm.study.config import GeoSettings
from adnorm.study.vocabulary import Scale

if TYPE_CHECKING:
    from adnorm.expression.scale import Hints
    from adnorm.readers.series_matrix import SeriesMatrix

HUMAN = "Homo sapiens"
SEQUENCING, ARRAY = "rna-seq", "microarray"
_NO_TABLE = r"raw\.tar|\.(tar|pdf|docx?|bw|bigwig|bed|bedgraph|h5|mtx|rds|rdata|cel|idat|fa|gtf)\b"
_OTHER_CONTENT = (
    r"deg|differential|dge_|deseq|results?|readme|metadata|annot|barcodes|features|peak|_ncbi\.tsv"
)
_SYMBOLS = r"(?:(?:gene|hgnc)[ _.]?)?(?:symbol|name)s?"
_COUNTS, _EXPRESSION = r"counts?|raw|featurecounts", r"tpm|fpkm|rpkm|cpm|norm|expr|matrix|vst|rlog"


@dataclass
class CohortDraft:
    """What a header or a table says."""

    #: What the data are called in messages: accession or file.
    name: str
    #: Proposed id of the cohort.
    identity: str
    route: str
    #: Raw metadata, one row per sample; the index holds the sample ids.
    raw: pd.DataFrame
    accession: str | None = None
    platform: str | None = None
    assay: str | None = None
    #: title, summary, citation: what the series says in words.
    texts: dict[str, str] = field(default_factory=dict)
    #: Keys of `source:` with a remark each; a value of ``None`` must be filled in.
    source: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    #: Supplementary files of the series, best first.
    supplementary: list[str] = field(default_factory=list)
    #: Reads rows × samples, or ``None`` when the values are not at hand.
    read_values: Callable[[], pd.DataFrame | None] | None = None
    #: Reads what the data say of their scale besides the values.
    read_hints: Callable[[], Hints] | None = None

    @cached_property
    def values(self) -> pd.DataFrame | None:
        """Rows × samples, read once; ``None`` when they are not at hand."""
        return None if self.read_values is None else self.read_values()

    @cached_property
    def hints(self) -> Hints:
        """What the data say of their scale, besides the values."""
        from adnorm.expression.scale import hints_of

        return hints_of(self.raw) if self.read_hints is None else self.read_hints()

    @property
    def words(self) -> str:
        """All that the series says in words, for drugs and diseases that it names."""
        return " ".join(self.texts.values())


@contextmanager
def draft_of_series(
    accession: str, platform: str | None, settings: GeoSettings
) -> Iterator[CohortDraft]:
    """Read the header of a GEO series; its files stay as long as the context does.

    A platform (GPL…) chooses one when the series has several.

    Raises
    ------
    AdnormError
        The series is not to be had, is a SuperSeries, has several platforms and none was chosen,
        or holds no human sample.
    """
    with TemporaryDirectory(prefix="adnorm-") as folder:
        path = _series_matrix(accession, platform, settings, Path(folder))
        yield _from_matrix(path, accession, platform, settings.address)


def _series_matrix(
    accession: str, platform: str | None, settings: GeoSettings, folder: Path
) -> Path:
    expected = Expected(accession=accession, accession_in=geo.series_of)
    absent = []
    for place in geo.series_matrix_paths(accession, platform):
        address = geo.below(settings.address, place)
        try:
            target = folder / name_of(address)
            fetch_file(address, target, settings, expected)
            return target
        except AbsentFileError as error:
            absent.append((address, error))
    several = "" if platform else "; if the series has several platforms, add `--platform GPL…`"
    raise AdnormError(
        f"{accession}: no series matrix at {listing([a for a, _ in absent])}; check the accession "
        f"and the address (--geo){several}"
    ) from absent[-1][1]


def _from_matrix(path: Path, accession: str, platform: str | None, address: str) -> CohortDraft:
    from adnorm.readers.series_matrix import read_series_matrix

    header = read_series_matrix(path, platform, read_metadata_only=True)
    draft = _described(accession, header)
    try:
        geo.refuse_empty_table(path, "")
    except AdnormError:
        _take_table(draft, accession, header, address)
    else:

        def read() -> pd.DataFrame | None:
            return read_series_matrix(path, platform).values

        draft.read_values = read
    return draft


def _described(accession: str, header: SeriesMatrix) -> CohortDraft:
    """Take what the header says of the series, without its values."""
    raw, series = header.samples.rename_axis(index=None), header.series
    species = sorted(set(raw["organism"])) if "organism" in raw else []
    if species and HUMAN not in species:
        raise AdnormError(
            f"{accession}: the samples are of {listing(species)}; adnorm takes human data only, "
            "because its gene sets are human"
        )
    draft = CohortDraft(accession, accession.lower(), "geo_series_matrix", raw, accession)
    platforms = sorted(set(raw.get("platform_id", series.get("platform_id", []))))
    draft.platform = platforms[0] if len(platforms) == 1 else None
    kind = " ".join(series.get("type", [])).casefold()
    draft.assay = SEQUENCING if "sequencing" in kind else ARRAY if "by array" in kind else None
    pubmed = series.get("pubmed_id", [])
    draft.texts = {
        "title": " ".join(series.get("title", [])),
        "summary": " ".join([*series.get("summary", []), *series.get("overall_design", [])]),
        "citation": f"PubMed {pubmed[0]}" if pubmed and pubmed[0] else "",
    }
    return draft


def _take_table(draft: CohortDraft, accession: str, header: SeriesMatrix, address: str) -> None:
    """Choose the table of values of a series whose matrix is empty; a server is not asked."""
    listed = [
        text.rsplit("/", 1)[-1]
        for key, texts in header.series.items()
        if key.startswith("supplementary_file")
        for text in texts
    ]
    folder = local_path(geo.below(address, geo.supplementary_path(accession, "x"))).parent
    if not listed and not is_remote(address):
        listed = sorted(path.name for path in folder.glob("*"))
    draft.supplementary = _choose_supplementary(listed)
    if draft.supplementary:
        best = draft.supplementary[0]
        draft.route = "geo_supplementary"
        draft.source["table"] = (best, "the supplementary table of counts or expression")
        if not is_remote(address) and (folder / best).is_file():
            _lay_out(draft, folder / best)
        return
    places = [local_path(at) for _, at in geo.ncbi_counts(accession, address) if not is_remote(at)]
    counts = next((path for path in places if path.is_file()), None)
    if counts is None:
        draft.route = "geo_supplementary"
        draft.source["table"] = (None, "the supplementary table of counts or expression")
        return
    from adnorm.readers.delimited import read_value_table

    draft.route = "ncbi_counts"
    draft.read_values = lambda: read_value_table(counts, probes=True)


def _lay_out(draft: CohortDraft, path: Path) -> None:
    """Take what the table itself says about its columns into the proposal."""
    gene_column, libraries = _genes_of(path, draft.raw)
    if gene_column:
        draft.source["gene_column"] = (gene_column, "the column that looks like genes")
    if libraries:
        draft.source["libraries"] = (
            libraries,
            "the library in the name of a column; lanes are summed",
        )

    def read() -> pd.DataFrame:
        from adnorm.readers.delimited import read_value_table

        return read_value_table(path, gene_column)

    draft.read_values = read


def draft_of_table(path: Path, sheet: Path) -> CohortDraft:
    """Read a lab's own table and sample sheet.

    Raises
    ------
    AdnormError
        A file is missing or is no table.
    """
    from adnorm.readers.delimited import read_sheet

    _must_exist(path, sheet)
    columns = read_sheet(sheet)
    key = _sheet_key(columns, path)
    raw = read_sheet(sheet, key).rename_axis(index=None)
    draft = CohortDraft(str(path), identity_of(path), "local", raw)
    draft.source = {"table": (str(path), ""), "sheet": (str(sheet), "")}
    if key != columns.columns[0]:
        draft.source["sheet_key"] = (key, "this column holds the column names of the table")
    _lay_out(draft, path)
    return draft


def draft_of_h5ad(path: Path) -> CohortDraft:
    """Read the observations of an .h5ad.

    Raises
    ------
    AdnormError
        The file is missing, is no .h5ad, or its rows are cells.
    """
    import h5py

    from adnorm.expression.scale import hints_of_container
    from adnorm.readers.h5ad import RAW, read_counts_layer, read_notes, read_obs, read_values

    _must_exist(path)
    raw = read_obs(path)
    draft = CohortDraft(str(path), identity_of(path), "h5ad", raw)
    draft.source = {"table": (str(path), "")}
    with h5py.File(path, "r") as file:
        layers = sorted(file.get("layers", ())) + ([RAW] if "raw" in file else [])
    counts = [name for name in layers if "count" in name.casefold() or name.casefold() == "raw"]
    # Counts may stand under any name; X is taken when it holds them itself.
    layer = counts[0] if counts else read_counts_layer(path)
    if layers:
        draft.source["layer"] = (layer, f"layers: {', '.join(layers)}; null takes X")
    draft.read_values = lambda: read_values(path, layer)
    draft.read_hints = lambda: hints_of_container(read_notes(path, layer))
    return draft


def _must_exist(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise AdnormError(
                f"{path}: this file does not exist; give a GEO series (GSE and a number), a table "
                "or an .h5ad"
            )


def identity_of(path: Path) -> str:
    """Make an id out of a file name.

    Examples
    --------
    >>> identity_of(Path("data/Our counts v2.csv.gz"))
    'our_counts_v2'
    """
    stem = path.name.split(".")[0]
    return re.sub(r"[^a-z0-9_-]+", "_", stem.casefold()).strip("_-") or "cohort"


def _choose_supplementary(names: list[str]) -> list[str]:
    """Order supplementary files by how likely they are the table of values.

    Archives and lists of differential genes are left out.

    Examples
    --------
    >>> _choose_supplementary(["GSE1_RAW.tar", "GSE1_DEG_results.csv.gz", "GSE1_TPM.txt.gz",
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


def _sheet_key(sheet: pd.DataFrame, table: Path) -> str:
    """Choose the column of a sheet whose cells are the columns of the table; else the first."""
    from adnorm.readers.delimited import find_layout

    columns = set(find_layout(table)[0].names)
    shared = {str(c): len(columns & set(sheet[c])) for c in sheet if sheet[c].is_unique}
    best = max(shared, key=lambda c: shared[c], default=None)
    return best if best and shared[best] else str(sheet.columns[0])


def _genes_of(path: Path, raw: pd.DataFrame) -> tuple[str | None, str | None]:
    """Look at the first rows of a table; the raw metadata tell samples from other columns.

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
        texts = [row[i].strip() for row in rows if len(row) > i]
        numbered = texts in [[str(k + s) for k in range(len(texts))] for s in (0, 1)]
        return 0.0 if numbered or not texts else float(np.mean([type_of(t) != "" for t in texts]))

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
    from adnorm.expression.scale import WORDS, Hints, read_scale
    from adnorm.expression.scale_check import describe_values, verify_scale

    assay = assay or ("microarray" if rows_are_probes(values) else "")
    hints, remark = hints or Hints(), describe_values(values)
    matrix = values.to_numpy(dtype=float)
    if not np.isfinite(matrix).any():
        return None, False, remark
    reading = read_scale(matrix, assay, hints)
    scale = reading.scale
    if scale is None:
        return None, False, f"{remark}; {reading.why}. {reading.instead}"
    if reading.why:
        remark += f"; {reading.why}"
    if scale not in (Scale.COUNTS, Scale.LINEAR) and hints.counts:
        remark += f"; raw counts stand in the same file: better, write {hints.counts}"
    rounded = reading.expected
    if scale == Scale.COUNTS and assay == "microarray":
        scale = Scale.LINEAR
    if scale == Scale.LINEAR and assay != "microarray" and _like_libraries(values):
        scale, rounded = Scale.COUNTS, True
        remark += "; sums differ as those of expected counts do"
    try:
        verify_scale(values, scale, "the values", assay, rounded, hints)
    except AdnormError as error:
        return None, False, str(error)
    if reading.why:
        remark += f" ({WORDS[scale]})"
    return scale, rounded, remark


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
