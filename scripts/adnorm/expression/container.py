"""The file expression.h5ad: plain types only, so that scanpy and R readers open it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.tables import atomic
from adnorm.expression.genes import GeneTable
from adnorm.expression.normalize import Normalized
from adnorm.expression.outliers import principal_components
from adnorm.expression.scale import COUNTS, LINEAR

if TYPE_CHECKING:
    import anndata


def build_container(
    normalized: Normalized,
    genes: GeneTable,
    samples: pd.DataFrame,
    flags: pd.Series,
    cohort: dict,
    collapse: str,
) -> anndata.AnnData:
    """Put expression, sheet and what was done into one AnnData.

    Parameters
    ----------
    normalized
        Log2 expression (genes × samples) and counts.
    genes
        What became of the identifiers.
    samples
        Canonical sample sheet, in the order of the columns of the expression.
    flags
        Quality flags by sample, ";"-joined.
    cohort
        The cohort file.
    collapse
        The rule that made one row of several.

    Returns
    -------
    AnnData
        ``X`` float32 (samples × genes), ``layers["counts"]`` int32 when the scale is counts,
        ``obs``, ``var``, ``obsm["X_pca"]`` and ``uns["adnorm"]`` as the data contract says.
    """
    import anndata

    log2 = normalized.log2
    data = anndata.AnnData(
        np.ascontiguousarray(log2.to_numpy(dtype=np.float32).T),
        obs=plain_sheet(samples.assign(qc_flags=samples["sample"].map(flags))),
        var=_describe_genes(log2, genes, cohort["scale"]),
    )
    if normalized.counts is not None:
        data.layers["counts"] = np.ascontiguousarray(normalized.counts.to_numpy(dtype=np.int32).T)
    components = principal_components(log2)
    data.obsm["X_pca"] = components
    data.uns["pca"] = {"variance_ratio": explained_variance(components, log2)}
    data.uns["adnorm"] = _describe_study(normalized, genes, cohort, collapse)
    return data


def explained_variance(components: np.ndarray, log2: pd.DataFrame) -> np.ndarray:
    """Return the share of the variance of all genes that each principal component explains."""
    total = log2.to_numpy(dtype=float).var(axis=1).sum()
    explained = components.astype(float).var(axis=0)
    return explained / total if total > 0 else np.zeros(components.shape[1])


def plain_sheet(samples: pd.DataFrame) -> pd.DataFrame:
    """Give every column of the sheet a plain type: float, or categorical text.

    A slash is a folder in HDF5, so it becomes an underscore in the name of a raw field.

    Parameters
    ----------
    samples
        Canonical sample sheet with a column ``sample``.

    Returns
    -------
    DataFrame
        Index: the samples; missing text stays missing.
    """
    columns: dict[str, object] = {}
    for name in samples.columns:
        column = samples[name]
        key = _free_name(name.replace("/", "_"), columns)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            columns[key] = column.to_numpy(dtype=float, na_value=np.nan)
        else:
            text = column.astype(object).map(lambda v: None if pd.isna(v) else str(v)).to_numpy()
            kinds = np.array(sorted({v for v in text if v is not None}), dtype=object)
            columns[key] = pd.Categorical(text, categories=pd.Index(kinds, dtype=object))
    index = pd.Index(samples["sample"].astype(str).to_numpy(dtype=object), dtype=object)
    return pd.DataFrame(columns, index=index)


def _free_name(name: str, taken: dict[str, object]) -> str:
    while name in taken:
        name += "_"
    return name


def _describe_genes(log2: pd.DataFrame, genes: GeneTable, scale: str) -> pd.DataFrame:
    """Describe each gene: mean, share of samples in which it is seen, where it comes from."""
    if scale in (COUNTS, LINEAR):
        # Log2 of the published zero is zero, whatever the library size.
        raw = genes.values.loc[log2.index, log2.columns]
        detected = (raw > 0).mean(axis=1).to_numpy(dtype=float)
    else:
        # Arrays have no zero: every probe that is on the platform gives a signal.
        detected = np.ones(len(log2))
    return pd.DataFrame(
        {
            "mean_log2": log2.mean(axis=1).to_numpy(dtype=float),
            "detected_fraction": detected,
            "source_ids": genes.source_ids.reindex(log2.index).to_numpy(dtype=object),
            "renamed_from": genes.renamed_from.reindex(log2.index).to_numpy(dtype=object),
        },
        index=pd.Index(log2.index.to_numpy(dtype=object), dtype=object),
    )


def _describe_study(
    normalized: Normalized, genes: GeneTable, cohort: dict, collapse: str
) -> dict[str, object]:
    """Say in plain values what was done."""
    renamed = genes.renamed_from[genes.renamed_from != ""]
    pairs = sorted(
        f"{old}>{new}" for new, names in renamed.items() for old in str(names).split(";")
    )
    texts = {
        key: str(cohort.get(key) or "")
        for key in (
            "title",
            "disease",
            "tissue",
            "assay",
            "platform",
            "scale",
            "route",
            "accession",
        )
    }
    return {
        "cohort": cohort["id"],
        **texts,
        "reference": cohort.get("reference") or "",
        "placebo_arm": cohort.get("placebo_arm") or "",
        "normalization": normalized.method,
        "caution": normalized.caution,
        "collapse": collapse,
        "genes": int(normalized.log2.shape[0]),
        "samples": int(normalized.log2.shape[1]),
        "simulated": cohort["route"] == "simulated",
        "undetected": np.array(normalized.undetected, dtype=object),
        "renamed": np.array(pairs, dtype=object),
    }


def write_container(data: anndata.AnnData, path: Path) -> None:
    """Write an h5ad file whole or not at all, without pandas' nullable strings."""
    import anndata

    with (
        atomic(path) as temporary,
        anndata.settings.override(allow_write_nullable_strings=False),
    ):
        data.write_h5ad(temporary, compression="gzip", convert_strings_to_categoricals=False)
