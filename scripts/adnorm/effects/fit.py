"""Gene-wise linear models: effects of every comparison for every gene.

Counts go through limma-voom (or DESeq2, an option that takes minutes instead of seconds), log2
values through limma; the variances are moderated over genes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import how_far, progress
from adnorm.base.text import counted
from adnorm.effects.design import BlockModel, FitPlan, check_model
from adnorm.effects.observations import Observations, log2_cpm
from adnorm.study.batches import without_blocks
from adnorm.study.config import EffectsSettings

COLUMNS = ["contrast", "gene", "log2_fold_change", "standard_error", "t", "degrees_of_freedom"]
COLUMNS += ["p_value", "fdr", "pairs"]


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the false discovery rate; missing ones stay missing and do not count.

    References
    ----------
    Benjamini Y, Hochberg Y (1995). J R Stat Soc B 57:289–300.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, np.nan, 0.04])).tolist()
    [0.02, nan, 0.04]
    """
    from scipy.stats import false_discovery_control

    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_values[tested])
    return adjusted


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values down the first axis by Holm's step-down procedure.

    `statsmodels.stats.multitest.multipletests` takes one family at a time and collects garbage in
    each call, which is longer than all else that the stage does.

    Examples
    --------
    >>> holm(np.array([[0.01], [0.04], [0.03]])).ravel().tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, axis=0)
    left = np.arange(len(p_values), 0, -1)[:, None]
    steps = np.maximum.accumulate(np.take_along_axis(p_values, order, axis=0) * left, axis=0)
    return np.take_along_axis(np.minimum(steps, 1), np.argsort(order, axis=0), axis=0)


def adjust_by_family(p_values: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Adjust p-values within each family of hypotheses (`benjamini_hochberg`)."""
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    for family in np.unique(families):
        members = families == family
        adjusted[members] = benjamini_hochberg(p_values[members])
    return adjusted


def fit_unweighted(y: np.ndarray, plan: FitPlan) -> Fit:
    """Ordinary least squares and contrasts by limma; exact because all genes share the design.

    `y` is the log2 expression of the rows of the model, shape (genes, samples). The result is
    limma's fit: coefficients, stdev_unscaled, sigma, df_residual, Amean, …
    """
    import pylimma

    check_model(plan.model)
    if plan.model.random:
        return _fit_precise(y, np.ones(y.shape), plan)
    if len(plan.model.rows) > MOST_DENSE:
        return _fit_absorbed(len(y), lambda part: y[part], plan)
    fit = pylimma.lm_fit(y, plan.model.design)
    return pylimma.contrasts_fit(fit, plan.design_weights)


def fit_voom(
    counts: np.ndarray, library_sizes: np.ndarray, plan: FitPlan, span: float | None = None
) -> Fit:
    """Weigh log2 counts by precision with voom, then weighted least squares with exact contrasts.

    `counts` are the reads of the samples of the model (genes × samples), `library_sizes` their
    effective ones; `span` smooths voom's trend, ``None`` lets limma choose it by the number of
    genes. The result is that of `fit_unweighted`.

    References
    ----------
    Law C W et al. (2014). Genome Biology 15:R29.
    """
    import pylimma

    check_model(plan.model)
    if len(plan.model.rows) > MOST_DENSE:
        offset = np.log2(library_sizes + 1) - np.log2(1e6)
        seen = counts.max(axis=1) > 0

        def log2_of(part: slice) -> np.ndarray:
            return log2_cpm(counts[part], library_sizes)

        return _fit_by_trend(len(counts), log2_of, offset, plan, span, seen)
    chosen = {} if span is None else {"span": span, "adaptive_span": False}
    voomed = pylimma.voom(counts, plan.model.design, lib_size=library_sizes, **chosen)
    return _fit_precise(voomed["E"], voomed["weights"], plan)


def fit_trended(y: np.ndarray, plan: FitPlan) -> Fit:
    """Weigh log2 RNA-seq values by their mean-variance trend (vooma), then fit as for voom.

    Without the reads the precision of a value cannot be counted, but low values still vary more
    than high ones; one common variance would find too much among the former and too little among
    the latter.

    References
    ----------
    Law C W (2013). PhD thesis, University of Melbourne (vooma, in limma).
    """
    import pylimma

    check_model(plan.model)
    if len(plan.model.rows) > MOST_DENSE:
        seen = np.ones(len(y), dtype=bool)
        return _fit_by_trend(len(y), lambda part: y[part], np.zeros(y.shape[1]), plan, None, seen)
    weights = pylimma.vooma(y, plan.model.design)["weights"]
    return _fit_precise(y, np.asarray(weights), plan)


def _fit_precise(y: np.ndarray, weights: np.ndarray, plan: FitPlan) -> Fit:
    correlation = batch_correlation(y, plan.model) if plan.model.random else 0.0
    return fit_weighted(y, weights, plan.model, plan.group_weights, correlation)


#: limma's own functions fit up to so many samples. Their design has a column for every patient, so
#: that they take time with the square of the samples, and many copies of all values; the blocks of
#: larger models are absorbed, for some genes at a time. Both give the same numbers.
MOST_DENSE = 500
#: More genes than this do not make the mean correlation within batches any surer.
_ENOUGH_GENES = 2000


def batch_correlation(y: np.ndarray, model: BlockModel) -> float:
    """Correlation of samples of one batch beside patients and groups; 0 where it is not positive.

    The consensus over genes, of `_ENOUGH_GENES` evenly spread ones where there are more. `y` is the
    log2 expression of the samples of the model (genes × samples).

    References
    ----------
    Smyth G K, Michaud J, Scott H S (2005). Bioinformatics 21:2067–2075 (duplicateCorrelation).
    """
    import pylimma

    if model.batches is None or not len(model.kept_batches):
        # Batches that are groups or patients have no effect of their own here.
        return 0.0
    fixed = model.design[:, : model.rank]
    # Biopsies of several batches that count as one are a batch of their own here.
    _, labels = np.unique(model.batches.to_numpy(), axis=0, return_inverse=True)
    some = y[:: -(-len(y) // _ENOUGH_GENES)]
    found = pylimma.duplicate_correlation(some, fixed, block=labels.ravel())
    correlation = float(found["consensus_correlation"])
    progress(f"correlation of samples of one batch: {correlation:.2f}")
    return max(correlation, 0.0) if np.isfinite(correlation) else 0.0


def moderate(fit: Fit, robust: bool) -> dict[str, np.ndarray]:
    """Moderate the variances over genes (empirical Bayes) and test.

    `robust` keeps genes with outlying variances from the prior. The result has log2_fold_change,
    standard_error, t, degrees_of_freedom (those of the residuals and of the prior together) and
    p_value, each genes × contrasts.

    References
    ----------
    Smyth G K (2004). Stat Appl Genet Mol Biol 3:3. Phipson B et al. (2016). Ann Appl Stat 10:946.
    """
    import pylimma

    moderated = pylimma.e_bayes(fit, robust=robust)
    scale = np.sqrt(np.broadcast_to(moderated["s2_post"], len(fit["sigma"])))
    t = np.asarray(moderated["t"])
    freedom = np.broadcast_to(moderated["df_total"], len(t))
    return {
        "log2_fold_change": np.asarray(moderated["coefficients"]),
        "standard_error": np.asarray(moderated["stdev_unscaled"]) * scale[:, None],
        "t": t,
        "degrees_of_freedom": np.broadcast_to(freedom[:, None], t.shape),
        "p_value": np.asarray(moderated["p_value"]),
    }


def fit_deseq2(counts: np.ndarray, plan: FitPlan) -> dict[str, np.ndarray]:
    """Fit the same design with DESeq2 and test the same numeric contrasts (Wald, no shrinkage).

    Shrunken fold changes are not used: shrinkage can turn the sign of a highly expressed gene.
    Genes are not filtered by their result, and outliers are not removed, so that every gene has a
    p-value; its false discovery rate is then computed as for the other models. Size factors are
    DESeq2's own, the medians of ratios.

    The result is that of `moderate`; t is Wald's statistic, its degrees of freedom are infinite.

    References
    ----------
    Love M I et al. (2014). Genome Biology 15:550. Muzellec B et al. (2023). Bioinformatics
    39:btad547.
    """
    import pydeseq2.dds
    import pydeseq2.ds

    model = plan.model
    check_model(model)
    samples = [f"sample{i}" for i in range(counts.shape[1])]
    design = pd.DataFrame(model.design, index=samples, columns=[f"x{j}" for j in range(model.rank)])
    data = pydeseq2.dds.DeseqDataSet(
        counts=pd.DataFrame(counts.T.astype(int), index=samples),
        metadata=pd.DataFrame({"sample": samples}, index=samples),
        design=design,
        refit_cooks=False,
        quiet=True,
        n_cpus=1,
    )
    data.deseq2()
    names = {
        "log2_fold_change": "log2FoldChange",
        "standard_error": "lfcSE",
        "t": "stat",
        "p_value": "pvalue",
    }
    results = []
    for contrast in plan.design_weights.T:
        tested = pydeseq2.ds.DeseqStats(
            data,
            contrast=contrast,
            cooks_filter=False,
            independent_filter=False,
            quiet=True,
            n_cpus=1,
        )
        tested.summary()
        results.append(tested.results_df)
    found = {
        ours: np.column_stack([result[theirs].to_numpy(dtype=float) for result in results])
        for ours, theirs in names.items()
    }
    return found | {"degrees_of_freedom": np.full(found["t"].shape, np.inf)}


def _tabulate(
    genes: np.ndarray, plan: FitPlan, results: dict[str, np.ndarray]
) -> list[pd.DataFrame]:
    """Lay out one table per contrast, genes sorted."""
    order = np.argsort(genes, kind="stable")
    genes = genes[order]
    frames = []
    for j, comparison in enumerate(plan.comparisons):
        values = {name: column[order, j] for name, column in results.items()}
        # A p-value below the smallest number is not 0.
        values["p_value"] = np.maximum(values["p_value"], np.finfo(float).tiny)
        frame = pd.DataFrame({"contrast": comparison.name, "gene": genes, **values})
        frame["fdr"] = benjamini_hochberg(values["p_value"])
        frame["pairs"] = comparison.patients
        frames.append(frame)
    return frames


def _usable_genes(y: np.ndarray, genes: np.ndarray) -> np.ndarray:
    """Genes that vary; a constant one has neither an effect nor a variance to moderate."""
    varies = np.ptp(y, axis=1) > 0
    if not varies.all():
        constant = genes[~varies]
        progress(f"{len(constant)} genes are constant and have no effect: {listing(constant, 5)}")
    if varies.sum() < 2:
        raise AdnormError(
            f"only {int(varies.sum())} of {len(genes)} genes vary over {y.shape[1]} samples; "
            f"effects need at least 2: check the value table and the declared scale"
        )
    return varies


def _fit_plan(data: Observations, plan: FitPlan, settings: EffectsSettings) -> list[pd.DataFrame]:
    rows, robust = plan.model.rows, settings.robust
    if data.counts is None or settings.count_model == "log2":
        y = data.log2[:, rows]
        use = _usable_genes(y, data.genes)
        fit = fit_trended if data.facts["assay"] == "rna-seq" else fit_unweighted
        results = moderate(fit(y[use], plan), robust)
        return _tabulate(data.genes[use], plan, results)
    counts = data.counts[:, rows]
    use = _usable_genes(counts, data.genes)
    if settings.count_model == "voom":
        assert data.library_sizes is not None, "counts come with library sizes"
        voomed = fit_voom(counts[use], data.library_sizes[rows], plan)
        return _tabulate(data.genes[use], plan, moderate(voomed, robust))
    how_far("DESeq2 takes minutes; voom gives the same ranking in seconds", at_once=True)
    return _tabulate(data.genes[use], plan, fit_deseq2(counts[use], plan))


def fit_effects(
    data: Observations, plans: list[FitPlan], settings: EffectsSettings
) -> pd.DataFrame:
    """Estimate every planned comparison for every gene.

    Parameters
    ----------
    data
        Expression, biopsies combined.
    plans
        Models and contrasts.
    settings
        ``count_model`` (only used if the cohort has counts) and ``robust``.

    Returns
    -------
    DataFrame
        `COLUMNS`; the false discovery rate is within the contrast, ``pairs`` are the patients that
        a comparison rests on; sorted by contrast and gene. No rows if there are no plans.

    Raises
    ------
    AdnormError
        A design is rank deficient, or no gene varies.
    """
    frames = []
    for plan in plans:
        contrasts = counted(len(plan.comparisons), "contrast")
        progress(
            f"{len(data.genes):,} genes × {len(plan.model.rows)} samples, "
            f"{plan.model.rank} coefficients, {contrasts}"
        )
        frames += _fit_plan(data, plan, settings)
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    frames.sort(key=lambda frame: frame["contrast"].iloc[0])
    return pd.concat(frames, ignore_index=True)[COLUMNS]


# ---------------------------------------------------------------- weighted least squares

#: A fit as limma has it: coefficients, stdev_unscaled, sigma, df_residual, Amean, …
Fit: TypeAlias = dict[str, np.ndarray]

#: Floating-point numbers that one working array may hold (16 MB); about eight live at a time.
WORKING_SET = 2_000_000


def _solve(
    y: np.ndarray,
    w: np.ndarray,
    columns: np.ndarray,
    penalty: np.ndarray,
    blocks: np.ndarray,
    contrasts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates, unscaled variances and penalized residual sums of squares of some genes.

    Samples are sorted by block.
    """
    starts = np.unique(blocks, return_index=True)[1]

    def by_block(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts, axis=1)

    count = columns.shape[1]
    held = np.stack([by_block(w * column) for column in columns.T], axis=2)
    shares = held / by_block(w)[:, :, None]
    response = w * y
    products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
    matrix = (w @ products).reshape(-1, count, count)
    matrix -= np.matmul(shares.transpose(0, 2, 1), held)
    diagonal = np.arange(count)
    matrix[:, diagonal, diagonal] += penalty
    right = response @ columns - np.einsum("gbc,gb->gc", shares, by_block(response))
    sides = np.concatenate(
        [right[:, :, None], np.broadcast_to(contrasts, (len(y), *contrasts.shape))], axis=2
    )
    solution = np.linalg.solve(matrix, sides)
    effect = solution[:, :, 0]
    residual = y - effect @ columns.T
    residual -= (by_block(w * residual) / by_block(w))[:, blocks]
    squares = np.einsum("gn,gn,gn->g", w, residual, residual) + effect**2 @ penalty
    return effect @ contrasts, np.einsum("gck,ck->gk", solution[:, :, 1:], contrasts), squares


def fit_weighted(
    y: np.ndarray,
    weights: np.ndarray,
    model: BlockModel,
    group_weights: np.ndarray,
    correlation: float = 0.0,
) -> Fit:
    """Fit a block model with weights for each gene and sample, and estimate contrasts exactly.

    Every gene has weights of its own (voom), hence a design of its own. The block effects are
    absorbed exactly (Frisch and Waugh 1933, Lovell 1963): what is left for a gene is a system as
    small as the number of kept groups and batches, with Z their columns,

        A = Zᵀ W Z − Σ_b V_b V_bᵀ / s_b,

    with V_b the weighted sums of the columns over block b and s_b the sum of its weights, solved
    for thousands of genes at once. The variance of a contrast c is exactly cᵀ A⁻¹ c; limma's
    ``contrasts.fit`` takes the correlation of the coefficients from the unweighted design instead,
    which is only approximate under weights.

    Random batches add (1 − ρ) / ρ to the diagonal of their columns (Henderson 1975), ρ being the
    `correlation` of samples of one batch. At equal weights that is limma's fit with ``block`` and
    ``correlation``; under weights, limma scales the effect of a batch by them too, which a shift
    that all its samples share has no reason to follow.

    `y` is the log2 expression of the samples of the model (genes × samples), `weights` their
    positive precision, `group_weights` the contrasts of the groups (groups × contrasts), which must
    be estimable. The fit is one as limma's functions expect it: coefficients and stdev_unscaled
    (genes × contrasts), sigma, df_residual, Amean (genes).

    References
    ----------
    Frisch R, Waugh F V (1933). Econometrica 1:387–401. Lovell M C (1963). J Am Stat Assoc
    58:993–1010. Henderson C R (1975). Biometrics 31:423–447. Law C W et al. (2014). Genome Biology
    15:R29 (voom).
    """
    return _fit_weighted(
        len(y), lambda part: (y[part], weights[part]), model, group_weights, correlation
    )


def _fit_weighted(
    genes: int,
    values_of: Callable[[slice], tuple[np.ndarray, np.ndarray]],
    model: BlockModel,
    group_weights: np.ndarray,
    correlation: float,
) -> Fit:
    """Fit as `fit_weighted`; `values_of` gives the log2 values and the weights of some genes."""
    n = len(model.rows)
    groups, batches = model.group_columns, model.batch_columns
    if model.random and model.batches is not None:
        # All of them: a random effect needs no reference, and none of no variance has a column.
        batches = model.batches.to_numpy() if correlation > 0 else np.zeros((n, 0))
    columns = np.hstack([groups, batches])
    penalty = np.zeros(columns.shape[1])
    if model.random and correlation > 0:
        penalty[groups.shape[1] :] = (1 - correlation) / correlation
    contrasts = np.zeros((columns.shape[1], group_weights.shape[1]))
    contrasts[: groups.shape[1]] = group_weights[model.kept_groups]
    coefficients = np.zeros((genes, group_weights.shape[1]))
    variances = np.zeros_like(coefficients)
    squares, means = np.zeros(genes), np.zeros(genes)
    step = max(1, WORKING_SET // max(columns.size, 1))
    order = np.argsort(model.blocks, kind="stable")
    blocks, columns = model.blocks[order], columns[order]
    for start in range(0, genes, step):
        chunk = slice(start, start + step)
        y, weights = values_of(chunk)
        means[chunk] = y.mean(axis=1)
        coefficients[chunk], variances[chunk], squares[chunk] = _solve(
            y[:, order], weights[:, order], columns, penalty, blocks, contrasts
        )
    df = model.df_residual
    share = 1 - correlation if model.random else 1.0
    return {
        "coefficients": coefficients,
        "stdev_unscaled": np.sqrt(variances * share),
        "sigma": np.sqrt(squares / share / df),
        "df_residual": np.full(genes, float(df)),
        "Amean": means,
    }


# ---------------------------------------------------------------- models of many samples


class Absorbed:
    """Least squares of a block model without a column for each block.

    The blocks are absorbed (Frisch and Waugh 1933): within blocks, an orthonormal basis of the
    other columns is all that a fit needs, and its time grows with the number of samples.
    """

    def __init__(self, model: BlockModel, group_weights: np.ndarray) -> None:
        columns = np.hstack([model.group_columns, model.batch_columns])
        contrasts = np.zeros((columns.shape[1], group_weights.shape[1]))
        contrasts[: model.group_columns.shape[1]] = group_weights[model.kept_groups]
        basis, triangle = np.linalg.qr(without_blocks(columns, model.blocks))
        self.basis, self.half = basis, np.linalg.solve(triangle.T, contrasts)
        self._order = np.argsort(model.blocks, kind="stable")
        self._back = np.argsort(self._order, kind="stable")
        sizes = np.bincount(model.blocks)
        self._sizes, self._starts = sizes, np.append(0, sizes.cumsum()[:-1])
        self.freedom = len(model.blocks) - len(sizes) - columns.shape[1]
        #: Of each contrast, in units of the residual standard deviation.
        self.error = np.linalg.norm(self.half, axis=0)

    def fit(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the contrasts (genes × contrasts), and give the residuals (genes × samples)."""
        means = np.add.reduceat(y[:, self._order], self._starts, axis=1) / self._sizes
        within = y - np.repeat(means, self._sizes, axis=1)[:, self._back]
        effects = within @ self.basis
        within -= effects @ self.basis.T
        return effects @ self.half, within


def parts_of(genes: int, samples: int) -> list[slice]:
    """Divide genes into parts whose values fill one working array at most."""
    step = max(1, WORKING_SET // samples)
    return [slice(start, min(start + step, genes)) for start in range(0, genes, step)]


def _fit_absorbed(genes: int, log2_of: Callable[[slice], np.ndarray], plan: FitPlan) -> Fit:
    """Ordinary least squares for some genes at a time; `log2_of` gives their values."""
    found = Absorbed(plan.model, plan.group_weights)
    coefficients = np.zeros((genes, plan.group_weights.shape[1]))
    squares, means = np.zeros(genes), np.zeros(genes)
    for part in parts_of(genes, len(plan.model.rows)):
        y = log2_of(part)
        coefficients[part], residual = found.fit(y)
        squares[part] = np.einsum("gn,gn->g", residual, residual)
        means[part] = y.mean(axis=1)
    return {
        "coefficients": coefficients,
        "stdev_unscaled": np.tile(found.error, (genes, 1)),
        "sigma": np.sqrt(squares / found.freedom),
        "df_residual": np.full(genes, float(found.freedom)),
        "Amean": means,
    }


def _fit_by_trend(
    genes: int,
    log2_of: Callable[[slice], np.ndarray],
    offset: np.ndarray,
    plan: FitPlan,
    span: float | None,
    seen: np.ndarray,
) -> Fit:
    """Do what limma's voom and vooma do, and fit, for some genes at a time.

    `offset` of each sample is what its log2 values lack to be those of counts; genes that are not
    `seen` have no say in the trend of the variance.
    """
    from pylimma.utils import choose_lowess_span
    from statsmodels.nonparametric.smoothers_lowess import lowess

    model = plan.model
    plain = _fit_absorbed(genes, log2_of, plan)
    height, spread = (plain["Amean"] + offset.mean())[seen], np.sqrt(plain["sigma"])[seen]
    span = (
        choose_lowess_span(genes, small_n=50, min_span=0.3, power=1 / 3) if span is None else span
    )
    delta = 0.01 * np.ptp(height)
    line = lowess(spread, height, frac=span, it=3, delta=delta, return_sorted=True)
    found = Absorbed(model, plan.group_weights)

    def weighed(part: slice) -> tuple[np.ndarray, np.ndarray]:
        y = log2_of(part)
        fitted = y - found.fit(y)[1]
        return y, np.interp(fitted + offset, line[:, 0], line[:, 1]) ** -4.0

    correlation = 0.0
    if model.random:
        correlation = batch_correlation(log2_of(slice(0, None, -(-genes // _ENOUGH_GENES))), model)
    return _fit_weighted(genes, weighed, model, plan.group_weights, correlation)
