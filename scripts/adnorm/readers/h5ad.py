"""Reads .h5ad files that hold one row for each biopsy; files of single cells are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, listing, nearest
from adnorm.base.inflate import GET_AGAIN, check_size, refuse_endless
from adnorm.base.text import counted
from adnorm.readers.identifiers import count_rows, may_hold_genes, refuse_row_numbers

if TYPE_CHECKING:
    import h5py

#: What `source: layer:` calls ``.raw``, where scanpy keeps the counts of all genes.
RAW = ".raw"
#: Rows for each biopsy (in the middle of all biopsies) above which rows must be cells.
MOST_ROWS_OF_A_BIOPSY = 20
# Sequencing indices of bulk libraries are 6 to 12 bases long, barcodes of cells 14 or more.
_BARCODE = re.compile(r"(?<![A-Za-z])[ACGT]{14,}(?![A-Za-z])")
_AGGREGATE = (
    "adnorm compares biopsies: add the counts of all cells of a biopsy up first (pseudobulk, for "
    "instance scanpy.get.aggregate with func='sum'), so that obs has one row for each biopsy"
)


@dataclass(frozen=True)
class Notes:
    """What an .h5ad says of its values besides."""

    #: Base of the logarithm that scanpy noted for ``X`` (``uns["log1p"]``).
    log_base: float | None = None
    #: Where whole counts stand, as `source: layer:` names it: empty for ``X``, ``None`` nowhere.
    counts_layer: str | None = None


def read_obs(path: Path | str) -> pd.DataFrame:
    """Read what an .h5ad says about its rows, as text; rows that are cells are refused.

    Returns
    -------
    DataFrame of str
        One row per sample; the index holds the names of obs, which stand in the columns ``sample``
        and ``title`` too unless obs has such columns. Whole numbers have no decimal point, and
        missing cells are ``""``.
    """
    with _opened(Path(path)) as file:
        obs = _table(file, "obs", path)
    # The name of the index may be that of a column, such as `sample`.
    names = pd.Index(obs.index.astype(str).str.strip(), dtype=object).rename(None)
    cells = sum(bool(_BARCODE.search(name)) for name in names)
    if 2 * cells > len(names):
        raise AdnormError(
            f"{path}: {cells} of {counted(len(names), 'row')} of obs carry the barcode of a cell, "
            f"such as {listing(names, 2)}; {_AGGREGATE}"
        )
    text = {str(name): _as_text(obs[name]) for name in obs.columns}
    for key in ("sample", "title"):
        text.setdefault(key, list(names))
    return pd.DataFrame(text, index=names, dtype=object)


def refuse_cells(samples: pd.DataFrame, where: str) -> None:
    """Stop when a biopsy (patient, state, week) has more rows than anyone sequences libraries."""
    rows = samples.groupby(["patient", "state", "week", "arm"]).size()
    if rows.median() > MOST_ROWS_OF_A_BIOPSY:
        raise AdnormError(
            f"{where}: {counted(len(samples), 'row')} for "
            f"{counted(len(rows), 'biopsy', 'biopsies')} (the middle one has {rows.median():.0f}): "
            f"these are cells; {_AGGREGATE}. If they are no cells, check the mapping of samples: "
            "patient, state and week"
        )


def read_values(
    path: Path | str, layer: str | None = None, gene_column: str | None = None
) -> pd.DataFrame:
    """Read the values of an .h5ad.

    Parameters
    ----------
    path
        The file.
    layer
        The layer that holds the values, ``.raw`` for those of ``.raw``; ``None`` takes ``X``.
    gene_column
        Column of var (of ``.raw`` its own) that holds the gene identifiers; ``None`` takes the
        index of var.

    Returns
    -------
    DataFrame
        gene ids × samples, float64.
    """
    from anndata.io import read_elem
    from scipy import sparse

    with _opened(Path(path)) as file:
        element = _element(file, layer, path)
        _refuse_swollen(element, path)
        matrix = read_elem(element)
        var = _table(file, "var", path)
        if layer == RAW:
            var = _raw_genes(file, var, path)
        names = _table(file, "obs", path).index.astype(str).str.strip()
    if sparse.issparse(matrix):
        matrix = matrix.toarray()
    if np.asarray(matrix).dtype.kind not in "iuf":
        raise AskedForError(f"{path}: the values are not numbers; choose another layer")
    _refuse_genome(var, path)
    genes = _gene_ids(var, gene_column, path)
    texts = {str(c): pd.Series(_as_text(var[c]), dtype=object) for c in var if c != gene_column}
    beside = [c for c in texts if may_hold_genes(texts[c]) and not count_rows(texts[c])]
    refuse_row_numbers(genes, f"{path}: var", gene_column or "", beside)
    return pd.DataFrame(
        np.asarray(matrix, dtype=float).T,
        index=pd.Index(genes, name="gene", dtype=object),
        columns=pd.Index(names, dtype=object),
    )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    import h5py

    refuse_endless(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError as error:
        raise AdnormError(f"{path}: this file does not exist") from error
    except OSError as error:
        raise AdnormError(
            f"{path}: this is no .h5ad, or it is cut off ({error}); {GET_AGAIN}"
        ) from error
    except (AdnormError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise AdnormError(
            f"{path}: this .h5ad is damaged, or not as anndata writes it ({type(error).__name__}: "
            f"{reason}); {GET_AGAIN}. If it opens with anndata.read_h5ad, write it again with a "
            "current anndata (write_h5ad)"
        ) from error


def _table(file: h5py.File, name: str, path: Path | str) -> pd.DataFrame:
    from anndata.io import read_elem

    if name not in file:
        raise AdnormError(
            f"{path}: an HDF5 file without '{name}' (it has {listing(sorted(file))}), so not an "
            ".h5ad; open it with scanpy and write it with write_h5ad"
        )
    _refuse_swollen(file[name], path)
    table = read_elem(file[name])
    if not isinstance(table, pd.DataFrame):
        raise AdnormError(
            f"{path}: written by an anndata before 0.7; open it with a current one and write it "
            "again"
        )
    return table


def _refuse_swollen(element: h5py.Dataset | h5py.Group, path: Path | str) -> None:
    """Stop at an element that is far larger in memory than in the file, before it is read."""
    import h5py

    held = []

    def add(_: str, part: h5py.Dataset | h5py.Group) -> None:
        if isinstance(part, h5py.Dataset):
            held.append(math.prod(part.shape or ()) * part.dtype.itemsize)
        elif "csr" in (kind := str(part.attrs.get("encoding-type"))) or "csc" in kind:
            # A sparse matrix says how large it is; it is unfolded to numbers of 8 bytes.
            held.append(8 * math.prod(int(n) for n in part.attrs.get("shape", ())))

    add("", element)
    if isinstance(element, h5py.Group):
        element.visititems(add)
    check_size(sum(held), Path(path).stat().st_size, str(path))


def _element(file: h5py.File, layer: str | None, path: Path | str) -> h5py.Dataset | h5py.Group:
    layers = sorted(file.get("layers", ()))
    if _has_raw(file):
        layers.append(RAW)
    if layer is None:
        if _has_values(file):
            return file["X"]
        if not layers:
            # In a damaged file things cannot be seen rather than be unreadable.
            raise AdnormError(
                f"{path}: X holds nothing, and there is no layer either, so the file is damaged or "
                f"holds no values; {GET_AGAIN}"
            )
        raise AskedForError(
            f"{path}: X holds nothing; name the layer that holds the values in the cohort file "
            f"(source: layer:). Layers: {listing(layers)}"
        )
    if layer == RAW and RAW in layers:
        return file["raw"]["X"]
    if layer not in layers:
        raise AskedForError(
            f"{path}: source: layer: there is no layer '{layer}'{nearest(layer, layers)}; layers: "
            f"{listing(layers) or 'none'}. Leave the line out to take X"
        )
    return file["layers"][layer]


def _has_values(file: h5py.File) -> bool:
    return "X" in file and file["X"].attrs.get("encoding-type") != "null"


def _has_raw(file: h5py.File) -> bool:
    return "raw" in file and {"X", "var"} <= set(file["raw"])


def _raw_genes(file: h5py.File, var: pd.DataFrame, path: Path | str) -> pd.DataFrame:
    """Read var of ``.raw``; columns that only var itself has come along when the genes agree."""
    genes = _table(file["raw"], "var", path)
    if genes.index.equals(var.index):
        return genes.join(var[[name for name in var if name not in genes]])
    return genes


def read_notes(path: Path | str, layer: str | None) -> Notes:
    """Read what an .h5ad says besides the values of the layer that is taken (``None``: ``X``)."""
    with _opened(Path(path)) as file:
        noted = file.get("uns/log1p") if layer is None else None
        base = _noted_base(noted) if noted is not None else None
        places = {name: file["layers"][name] for name in sorted(file.get("layers", ()))}
        if _has_raw(file):
            places[RAW] = file["raw"]["X"]
        # Places that are called after counts come first.
        order = sorted(places, key=lambda n: (not re.search(r"count|raw", n, re.I), n))
        if layer is not None and _has_values(file):
            places[""] = file["X"]
            order.append("")
        place = next((n for n in order if n != layer and _holds_counts(places[n])), None)
    return Notes(base, place)


def read_counts_layer(path: Path | str) -> str | None:
    """Find the layer or ``.raw`` that holds whole counts; ``None`` when X does, or nothing."""
    with _opened(Path(path)) as file:
        if _has_values(file) and _holds_counts(file["X"]):
            return None
    return read_notes(path, None).counts_layer


def _noted_base(noted: h5py.Group | h5py.Dataset) -> float:
    """Read the base that scanpy.pp.log1p notes: none is e."""
    base = noted.get("base") if hasattr(noted, "get") else None
    value = np.asarray(np.e if base is None or base.shape is None else base[()])
    return float(value) if value.ndim == 0 and value.dtype.kind in "iuf" else float(np.e)


def _holds_counts(element: h5py.Dataset | h5py.Group) -> bool:
    """Whether the first numbers of a matrix are whole, none is negative, and not all are equal."""
    import h5py

    data = element if isinstance(element, h5py.Dataset) else element.get("data")
    if data is None or data.shape is None or 0 in data.shape or data.dtype.kind not in "iuf":
        return False
    first = np.asarray(data[:200_000] if data.ndim == 1 else data[:50], dtype=float)
    fine = bool(np.all(first == np.floor(first))) and first.min() >= 0
    return fine and float(first.max()) > 1


def _gene_ids(var: pd.DataFrame, column: str | None, path: Path | str) -> list[str]:
    if column is None:
        return list(var.index.astype(str))
    if column not in var:
        raise AskedForError(
            f"{path}: source: gene_column: var has no column '{column}'"
            f"{nearest(column, var.columns)}; it has {listing(var.columns, 40) or 'none'}. Leave "
            f"the line out to take its index ({listing(var.index, 3)})"
        )
    return _as_text(var[column])


def _refuse_genome(var: pd.DataFrame, path: Path | str) -> None:
    """Stop at genes of another species, which 10x' ``genome`` tells."""
    genomes = {str(name) for name in var["genome"].dropna()} if "genome" in var else set()
    other = sorted(g for g in genomes if re.match(r"(?i)mm\d|grcm|mrat|rn\d|rnor", g))
    if other:
        raise AdnormError(
            f"{path}: var: genome: {listing(other)} is not human; adnorm takes human data, because "
            "its gene sets and signatures are human"
        )


def _as_text(column: pd.Series) -> list[str]:
    missing = column.isna().to_numpy()
    cells = column.astype(object).to_numpy()
    return ["" if gone else _cell(value) for value, gone in zip(cells, missing, strict=True)]


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
