"""The same index on other scores: other sizes of libraries, ssGSEA, sets without cells' genes.

Each of them is a choice that a reader may have made otherwise. The index on it stands among the
sensitivities, and where it contradicts the primary one the row says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.logs import progress
from adnorm.base.tables import stack
from adnorm.expression.library_sizes import METHOD_WORDS, MILLION, composition_factors
from adnorm.index.axis import DiseaseAxis, axis_scores
from adnorm.index.sensitivities import IndexInput
from adnorm.scores.coverage import Platform, assess_coverage
from adnorm.scores.zscore import Reference, find_reference, z_scores
from adnorm.study.comparisons import average_rows, combine_biopsies
from adnorm.study.gene_sets import GeneSet
from adnorm.study.vocabulary import (
    DISAGREES,
    Analysis,
    Method,
    ReasonCode,
    SetRole,
    SetStatus,
)

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Biopsies:
    """What other scores are made from: every biopsy by itself, as expression.h5ad has it.

    Attributes
    ----------
    data
        Log2 expression, samples × genes, and counts where there are any.
    sets
        Sets by name, those that follow from others among them.
    """

    data: AnnData
    sets: Mapping[str, GeneSet]

    @property
    def reference(self) -> Reference:
        """Zero and unit of each gene, as the scores stage takes them."""
        return self._reference(np.asarray(self.data.X, dtype=float))

    def _reference(self, log2: np.ndarray) -> Reference:
        return find_reference(log2, self.data.obs, str(self.data.uns["adnorm"]["reference"]))

    @property
    def genes(self) -> list[str]:
        """Symbol of each column."""
        return list(map(str, self.data.var_names))

    def z_scores(self, log2: np.ndarray, sets: Mapping[str, GeneSet]) -> pd.DataFrame:
        """Score sets by the signed z score, as the scores stage does: observations × sets."""
        genes = self.genes
        known = set(genes)
        signs = {
            name: {symbol: sign for symbol, sign in made.signs.items() if symbol in known}
            for name, made in sets.items()
        }
        return self.combined(z_scores(log2, genes, signs, self._reference(log2)))

    def combined(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Average the biopsies of one patient, state and visit."""
        codes = combine_biopsies(self.data.obs)[1]
        return pd.DataFrame(average_rows(scores.to_numpy(), codes), columns=scores.columns)


def _rows(
    index: IndexInput, analysis: str, values: pd.DataFrame, names: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compute an analysis of other scores against every reference."""
    changed = index if names is None else replace(index, names=names)
    return stack(changed.index(reference, analysis, values) for reference in index.references)


# ---------------------------------------------------------------- sizes of libraries


def on_other_library_sizes(
    index: IndexInput, biopsies: Biopsies, axes: Sequence[DiseaseAxis]
) -> list[pd.DataFrame]:
    """Compute the primary family on counts made comparable by each method, side by side.

    Axes keep their weights. The rows of the method that the run was made with repeat the primary
    ones. Without counts there are no rows; a method that cannot be computed has rows that say so.
    """
    if "counts" not in biopsies.data.layers:
        return []
    counts = biopsies.data.layers["counts"]
    counts = counts.toarray() if hasattr(counts, "toarray") else np.asarray(counts)
    table = pd.DataFrame(counts.T, index=biopsies.genes, columns=biopsies.data.obs_names)
    primary = [name for name in index.values.columns if name in index.settings.primary]
    sets = {name: biopsies.sets[name] for name in primary if name in biopsies.sets}
    codes = combine_biopsies(biopsies.data.obs)[1]
    frames = []
    for method in METHOD_WORDS:
        values, failed = index.values[primary].copy(), ""
        try:
            sizes = (table.sum() * composition_factors(table, method)).to_numpy()
            # In place: of a large cohort each step would be a copy of all values.
            log2 = counts / sizes[:, None]
            log2 *= MILLION
            log2 += 1.0
            np.log2(log2, out=log2)
            scored = biopsies.z_scores(log2, sets)
            for name in sets:
                values[name] = scored[name].to_numpy()
            genes_by_observation = average_rows(log2, codes).T
            del log2
            for axis in axes:
                if axis.name in values and axis.weights is not None:
                    values[axis.name] = axis_scores(
                        genes_by_observation, index.observations, axis.weights, axis.fold
                    )
        except AdnormError as error:
            values, failed = values * np.nan, str(error)
        rows = _rows(index, Analysis(method), values)
        unknown = rows["reason_code"] == ReasonCode.NOT_SCORED
        if failed:
            rows.loc[unknown, "reason"] = failed
        frames.append(rows)
    return frames


# ---------------------------------------------------------------- ssGSEA


def on_ssgsea(
    index: IndexInput, biopsies: Biopsies, scores: AnnData, primary: pd.DataFrame
) -> list[pd.DataFrame]:
    """Compute the index of every signed set on its ssGSEA score, ES(up) − ES(down).

    ES does not depend on the other samples (the NES does). `scores` is what scores.h5ad of the same
    samples holds; without ssGSEA in it there are no rows. `primary` are the rows of the primary
    analysis: where the two intervals lie apart, or only one of the two is an index, the reason says
    so (`DISAGREES`).
    """
    if Method.SSGSEA not in scores.layers:
        return []
    matrix = np.asarray(scores.layers[Method.SSGSEA], dtype=float)
    values = biopsies.combined(pd.DataFrame(matrix, columns=scores.var_names.astype(str)))
    signed = [name for name, made in biopsies.sets.items() if made.signed and name in values]
    rows = say_disagreement(_rows(index, Analysis.SSGSEA, values[signed]), primary)
    apart = rows["reason"].str.contains(DISAGREES, regex=False)
    compared = apart | rows["ni"].notna()
    progress(f"ssGSEA and the signed z score disagree in {apart.sum()} of {compared.sum()} indices")
    return [rows]


def say_disagreement(rows: pd.DataFrame, primary: pd.DataFrame) -> pd.DataFrame:
    """Say in the reason of rows where they contradict the primary row of the same index."""
    keys = ["reference", "arm", "week", "name"]
    numbers = ["ni", "lower", "upper", "reason_code"]
    others = rows[keys].merge(primary[[*keys, *numbers]], on=keys, how="left")
    reasons = []
    row: Any
    for row, other in zip(rows.itertuples(), others.itertuples(), strict=True):
        contradiction = _disagreement(row, other)
        reasons.append("; ".join(filter(None, [contradiction, row.reason])))
    return rows.assign(reason=reasons)


def _disagreement(row: Any, primary: Any) -> str:
    """How a row contradicts the primary one; empty where it does not."""
    if pd.isna(row.ni) and pd.isna(primary.ni):
        return ""
    interval = f"{primary.ni:.2f} ({primary.lower:.2f} to {primary.upper:.2f})"
    if pd.isna(row.ni):
        return f"{DISAGREES}, on which the index is {interval}"
    if pd.isna(primary.ni):
        return f"{DISAGREES}, on which there is no index ({primary.reason_code})"
    if row.lower > primary.upper:
        return f"{DISAGREES}: its interval lies above the one on that, {interval}"
    if row.upper < primary.lower:
        return f"{DISAGREES}: its interval lies below the one on that, {interval}"
    return ""


# ---------------------------------------------------------------- genes of cells


def without_composition_genes(
    index: IndexInput, biopsies: Biopsies, minimum_genes: int, minimum_fraction: float
) -> list[pd.DataFrame]:
    """Compute the index of signed sets without the genes that they share with sets of cells.

    Depth and site of a biopsy move genes of glands and fat, and some of them are in lipid-barrier
    sets. What is left must be covered as any set (`assess_coverage`). Rows with a number are
    exploratory only where the primary ones are; the reason says how many genes are left out.
    """
    cells = {
        name: {gene.symbol for gene in made.genes}
        for name, made in biopsies.sets.items()
        if made.role == SetRole.COMPOSITION
    }
    reduced, why = {}, {}
    for name, made in biopsies.sets.items():
        if name not in index.values or not made.signed or made.role == SetRole.COMPOSITION:
            continue
        symbols = {gene.symbol for gene in made.scored}
        shared = symbols & set().union(*cells.values())
        if shared:
            # Of the genes with a direction alone, or a set that loses some would be none any more.
            left = tuple(gene for gene in made.scored if gene.symbol not in shared)
            reduced[name] = replace(made, genes=left)
            owners = ", ".join(sorted(cell for cell, own in cells.items() if own & shared))
            why[name] = f"without {len(shared)} of {len(symbols)} genes, which are in {owners}"
    if not reduced:
        return []
    data = biopsies.data
    platform = Platform(frozenset(biopsies.genes), {}, frozenset())
    coverage = assess_coverage(reduced, platform, minimum_genes, minimum_fraction)
    names = index.names.copy()
    for row in coverage[coverage["status"] != SetStatus.OK].itertuples():
        low = row.status == SetStatus.LOW_COVERAGE
        names.loc[row.set, "reason_code"] = (
            ReasonCode.LOW_COVERAGE if low else ReasonCode.NOT_SCORED
        )
        names.loc[row.set, "reason"] = row.reason
    values = biopsies.z_scores(np.asarray(data.X, dtype=float), reduced)
    rows = _rows(index, Analysis.WITHOUT_COMPOSITION_GENES, values, names)
    without = rows["name"].map(why)
    reason = without.where(rows["reason"] == "", without + "; " + rows["reason"])
    return [rows.assign(reason=reason)]
