"""What the models are fitted to: one observation for each patient, state and visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress
from adnorm.study.batches import batch_shares
from adnorm.study.comparisons import average_rows, combine_biopsies, sum_rows

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Observations:
    """Expression of a cohort, biopsies of one patient, state and visit combined.

    Attributes
    ----------
    samples
        The canonical sample sheet as it came (one row per biopsy).
    combined
        One row for each observation: patient, state, week, biopsies, arm.
    genes
        Approved symbols.
    log2
        Log2 expression, shape (genes, observations); biopsies averaged.
    counts
        Read counts, same shape, biopsies summed; ``None`` unless the cohort has counts.
    library_sizes
        Effective library sizes in reads, shape (observations,); ``None`` without counts.
    facts
        ``uns["adnorm"]`` of the file.
    batches
        Share of each batch in each observation (`batch_shares`); ``None`` where the sheet tells no
        batches apart.
    """

    samples: pd.DataFrame
    combined: pd.DataFrame
    genes: np.ndarray
    log2: np.ndarray
    counts: np.ndarray | None
    library_sizes: np.ndarray | None
    facts: dict[str, Any]
    batches: pd.DataFrame | None = None

    def voom_log2(
        self, columns: np.ndarray | slice = slice(None), genes: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """Return log2 counts per million as voom defines them, or `log2` if there are no counts.

        Of some observations, and some genes (rows).
        """
        if self.counts is None or self.library_sizes is None:
            return self.log2[genes][:, columns]
        return log2_cpm(self.counts[genes][:, columns], self.library_sizes[columns])


def log2_cpm(counts: np.ndarray, library_sizes: np.ndarray) -> np.ndarray:
    """Log2 counts per million, half a read added (Law et al. 2014).

    Examples
    --------
    >>> float(log2_cpm(np.array([[1.5]]), np.array([1e6 - 1]))[0, 0])
    1.0
    """
    return np.log2((counts + 0.5) / (library_sizes + 1.0) * 1e6)


def effective_library_sizes(counts: np.ndarray, log2: np.ndarray) -> np.ndarray:
    """Library sizes (in reads) that the expression stage used, read off its own values.

    The stage writes log2(counts / size × 10⁶ + 1), samples × genes. Whatever made the sizes (reads
    alone, TMM, median of ratios), counts and log2 values together say what they were, so voom uses
    the same. Where `log2` was not made in this way, they are the plain sizes, which is logged.
    """
    plain = counts.sum(axis=1, dtype=float)
    # Row by row: a copy of all values for each step would be many times the table.
    per_million = [np.expm1(row.astype(float) * np.log(2)).sum() for row in log2]
    sizes = plain * 1e6 / np.array(per_million)
    if np.allclose(sizes, plain, rtol=1e-4):
        return plain
    # Whatever corrects library sizes keeps the typical one; what does not is no library size.
    typical = abs(np.mean(np.log(sizes / plain))) < np.log(2)
    if typical and all(
        np.allclose(np.log2(reads / size * 1e6 + 1), row, atol=1e-3)
        for reads, size, row in zip(counts, sizes, log2, strict=True)
    ):
        return sizes
    progress("log2 values are not log2(counts per million + 1): plain library sizes are used")
    return plain


def observations_of(data: AnnData, path: str, reads: bool = True) -> Observations:
    """Combine the biopsies of expression.h5ad; `path` is what messages call it.

    Without `reads` the counts, which are as large as the expression, are left out.

    Raises
    ------
    AdnormError
        A value is missing or infinite, or a sample has no reads.
    """
    matrix = np.asarray(data.X)
    bad = ~np.isfinite(matrix).all(axis=0)
    if bad.any():
        raise AdnormError(
            f"{path}: {int(bad.sum())} genes have missing or infinite log2 values "
            f"({listing(data.var_names[bad])}); effects need complete values: remove or impute "
            f"these genes before the expression stage"
        )
    combined, codes = combine_biopsies(data.obs)
    if len(combined) < data.n_obs:
        extra = int((combined["biopsies"] > 1).sum())
        progress(
            f"{data.n_obs} biopsies are {len(combined)} observations: {extra} times, several "
            f"biopsies of one patient, state and visit count as one (log2 averaged, counts summed)"
        )
    counts = sizes = None
    if reads and "counts" in data.layers:
        raw = data.layers["counts"]
        raw = raw.toarray() if hasattr(raw, "toarray") else np.asarray(raw)
        empty = data.obs_names[raw.sum(axis=1, dtype=float) <= 0]
        if len(empty):
            raise AdnormError(
                f"{path}: samples {listing(empty)} have no reads in any gene that passed the "
                f"filter; exclude them (expression.exclude_small_libraries or the cohort file)"
            )
        counts = sum_rows(raw, codes).T
        sizes = np.bincount(codes, weights=effective_library_sizes(raw, matrix))
    return Observations(
        samples=data.obs,
        combined=combined,
        genes=data.var_names.to_numpy(dtype=str),
        log2=np.ascontiguousarray(average_rows(matrix, codes).T),
        counts=counts,
        library_sizes=sizes,
        facts=dict(data.uns.get("adnorm", {})),
        batches=batch_shares(data.obs, codes),
    )
