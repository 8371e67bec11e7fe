"""The public face: the steps from expression values to the index, on an AnnData in memory.

Data come as an AnnData with log2 expression in ``X`` (samples × genes, approved symbols), read
counts in ``layers["counts"]`` where there are any, and in ``obs`` one row per biopsy with

- ``patient``; ``state``: lesional, nonlesional or healthy; ``week``: 0 is baseline;
- ``arm``: treatment and dose; ``treatment`` and ``dose_mg``, where doses are to be compared.

The workflow does the same with more checks on where the values come from, and with an axis of the
disease that other cohorts teach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import get_logger
from adnorm.study.comparisons import average_rows, combine_biopsies
from adnorm.study.config import EffectsSettings, IndexSettings, ScoresSettings
from adnorm.study.gene_sets import GeneSet
from adnorm.study.gene_sets import read_gene_sets as _read_gene_sets
from adnorm.study.validation import check
from adnorm.study.vocabulary import Assay, Level, Method, ReasonCode, SetRole, SetStatus, State

if TYPE_CHECKING:
    from anndata import AnnData

_SHEET = ("patient", "state", "week", "arm")


def read_cohort(folder: Path | str) -> AnnData:
    """Read the expression of a cohort that the workflow has run.

    Parameters
    ----------
    folder
        Results of the cohort, such as ``results/demo/demo_jak1``.

    Returns
    -------
    AnnData
        Log2 expression with the canonical sample sheet; ``uns["adnorm"]`` says what was done.

    Raises
    ------
    AdnormError
        The folder has no results, or the cohort stopped; the message is that of the stage.
    """
    from adnorm.base.stops import read_stop

    path = Path(folder) / "expression" / "expression.h5ad"
    if not path.is_file():
        raise AdnormError(
            f"{folder}: no results of a cohort are there (expression/expression.h5ad is missing); "
            "name a folder such as results/demo/demo_jak1"
        )
    stop = read_stop(path)
    if stop:
        raise AdnormError(f"{stop.cohort} stopped at the stage {stop.stage}: {stop.message}")
    return read_container(path)


def read_gene_sets(paths: Path | str | Iterable[Path | str]) -> dict[str, GeneSet]:
    """Read gene-set files: tables with directions (``.tsv``) and GMT files (``.gmt``, unsigned).

    Parameters
    ----------
    paths
        One file or several; config/gene_sets/README.md describes the table.

    Returns
    -------
    dict
        Sets by name, in the order of the files.

    Raises
    ------
    AdnormError
        All problems of a file at once.
    """
    return _read_gene_sets([paths] if isinstance(paths, str | Path) else paths)


def score_sets(
    data: AnnData,
    sets: Mapping[str, GeneSet],
    method: Literal["zscore", "ssgsea", "gsva"] = "zscore",
    reference: Literal["nonlesional", "healthy"] = "nonlesional",
    minimum_genes: int | None = None,
    minimum_fraction: float | None = None,
) -> pd.DataFrame:
    """Score gene sets in every sample, higher where a signed set is as in disease.

    Parameters
    ----------
    data
        As the module describes; values must be finite.
    sets
        Sets by name.
    method
        ``zscore``: mean of sign × z, zero and unit of each gene from the reference samples at
        baseline. ``ssgsea``, ``gsva``: score of the genes that rise − score of those that fall.
    reference
        State that the z score takes zero from.
    minimum_genes, minimum_fraction
        Fewest genes of a set, and smallest share of it, that must be among the genes of `data`; the
        defaults are those of the workflow, which scores and flags a set that has fewer, but gives
        it no index.

    Returns
    -------
    DataFrame
        Scores, shape (samples, sets); missing for sets with too few genes, which a warning lists.

    Raises
    ------
    AdnormError
        An argument or a column of ``obs`` is missing or holds something else, no sample at baseline
        is of the reference, or values are not finite.

    Examples
    --------
    >>> import adnorm
    >>> data, sets = adnorm.example_trial()
    >>> scores = adnorm.score_sets(data, sets)
    >>> scores.groupby(data.obs["state"])["itch"].mean().round(1).to_dict()
    {'lesional': 6.8, 'nonlesional': 0.0}
    """
    from adnorm.base.logs import get_logger
    from adnorm.scores.coverage import Platform, assess_coverage
    from adnorm.scores.single_sample import check_expression
    from adnorm.scores.single_sample import score_sets as score
    from adnorm.scores.zscore import find_reference

    problems = Problems("arguments")
    if method not in set(Method):
        problems.add(
            f"method: found {method!r}{nearest(method, Method)}; allowed: {listing(Method)}"
        )
    if not sets:
        problems.add("sets: there is none; read_gene_sets reads them from a file")
    problems.stop()
    sheet = _sheet(data.obs, reference)
    if method == Method.ZSCORE and not ((sheet["state"] == reference) & (sheet["week"] == 0)).any():
        raise AdnormError(
            f"reference: no sample at week 0 is {reference}, so that z scores have no zero; "
            f"states at week 0: {listing(sorted(set(sheet.loc[sheet['week'] == 0, 'state'])))}"
        )
    given = {"minimum_genes": minimum_genes, "minimum_fraction": minimum_fraction}
    limits = {key: value for key, value in given.items() if value is not None}
    settings = check(ScoresSettings, limits, "arguments")
    values = np.asarray(data.X, dtype=float)
    genes = [str(gene) for gene in data.var_names]
    check_expression(values, genes, [str(name) for name in data.obs_names], "data")
    coverage = assess_coverage(
        sets,
        Platform(frozenset(genes), {}, frozenset()),
        settings.minimum_genes,
        settings.minimum_fraction,
    ).set_index("set")
    lacking = coverage.index[coverage["status"] != SetStatus.OK]
    for name in lacking:
        get_logger().warning("%s is not scored: %s", name, coverage.loc[name, "reason"])
    zero = find_reference(values, sheet, reference) if method == Method.ZSCORE else None
    scored = {name: gene_set for name, gene_set in sets.items() if name not in set(lacking)}
    found = score(
        method, values, genes, scored, zero, settings.chunk_size, settings.threads
    ).reindex(columns=list(sets))
    return found.set_index(data.obs_names)


def fit_paired_effects(
    data: AnnData,
    placebo_arm: str | None = None,
    minimum_pairs: int = 3,
    count_model: Literal["voom", "log2", "deseq2"] = "voom",
    assay: Literal["rna-seq", "microarray"] | None = None,
    batch: Literal["ignore", "covariate", "block"] = "covariate",
) -> pd.DataFrame:
    """Estimate every comparison that the design supports, for every gene, patients as blocks.

    Parameters
    ----------
    data
        As the module describes.
    placebo_arm
        The arm that the drugs are compared with.
    minimum_pairs
        Fewest patients (on each side) that a comparison may rest on; 2 at the least.
    count_model
        For data with counts: limma-voom, limma on log2 counts per million, or DESeq2.
    assay
        What measured values without counts: the variance of log2 RNA-seq follows the level of a
        gene. Results of the workflow say it themselves, and are not contradicted.
    batch
        What becomes of the column ``batch`` of ``obs``, if there is one: fixed effects, random
        ones, or nothing. Comparisons that cannot be told from a batch are left out, with a warning,
        unless batches are ignored.

    Returns
    -------
    DataFrame
        One row for each contrast and gene: contrast (``lesional-nonlesional@0``,
        ``change:drug 40 mg-placebo@4`` …), gene, log2_fold_change, standard_error, t, p_value, fdr
        (within the contrast), pairs. No rows if the design supports nothing.

    Raises
    ------
    AdnormError
        An argument or a column of ``obs`` is missing or holds something else, values are not
        finite, or nothing says what measured them.

    Examples
    --------
    >>> import adnorm
    >>> data, sets = adnorm.example_trial()
    >>> effects = adnorm.fit_paired_effects(data, assay="microarray")
    >>> disease = effects[effects["contrast"] == "lesional-nonlesional@0"].set_index("gene")
    >>> disease.loc[["ITCH0", "OTHER0"], "log2_fold_change"].round(1).tolist()
    [2.0, 0.2]
    """
    from adnorm.effects.design import plan_fits
    from adnorm.effects.fit import fit_effects
    from adnorm.effects.observations import observations_of
    from adnorm.study.comparisons import derive_design

    data = data.copy()
    data.obs = _sheet(data.obs)
    if placebo_arm is not None:
        _known_arm(placebo_arm, data.obs)
    given = {"count_model": count_model, "minimum_pairs": minimum_pairs, "batch": batch}
    settings = check(EffectsSettings, given, "arguments")
    facts = dict(data.uns.get("adnorm", {}))
    if assay and facts.get("assay", assay) != assay:
        raise AdnormError(
            f"assay: found {assay!r}, but the cohort says {facts['assay']!r}; leave it out"
        )
    measured_by = assay or facts.get("assay") or ("rna-seq" if "counts" in data.layers else None)
    if measured_by not in set(Assay):
        raise AdnormError(
            f"assay: found {measured_by!r}; data without counts need it, for the model of their "
            f"variance; allowed: {listing(Assay)}"
        )
    data.uns["adnorm"] = facts | {"assay": str(measured_by)}
    found = observations_of(data, "data")
    supported = derive_design(data.obs, placebo_arm, settings.minimum_pairs).supported
    plans, refused = plan_fits(found.combined, supported, found.batches, settings.batch)
    for name, reason in sorted(refused.items()):
        get_logger().warning("contrast '%s' is left out: %s", name, reason)
    return fit_effects(found, plans, settings)


def normalization_index(
    scores: pd.DataFrame,
    samples: pd.DataFrame,
    sets: Mapping[str, GeneSet] | None = None,
    reference: Literal["nonlesional", "healthy"] = "nonlesional",
    placebo_arm: str | None = None,
    confidence: float = 0.95,
    randomised: bool = True,
) -> pd.DataFrame:
    """Say for every arm, visit and score how much of the disease effect is gone.

    NI = mean(LS_0 − LS_t) / mean(LS_0 − reference_0): 0 is no change, 1 the level of the reference,
    below 0 worse, above 1 beyond it; dNI is the difference from placebo given the baseline. Several
    biopsies of one patient, state and visit count as one.

    Parameters
    ----------
    scores
        Shape (samples, names), higher in disease, such as of `score_sets`.
    samples
        Sheet with the same index: patient, state, week, arm. Where lesions of one patient are in
        several arms, a column lesion tells them apart, and is empty for skin that serves all arms
        (arm ``all arms``); they are compared within the patient.
    sets
        Of `read_gene_sets`; sets without directions get no index then.
    reference
        State that stands for normal.
    placebo_arm
        The arm that dNI is taken against; without it there is no dNI. For results of the workflow
        it is ``data.uns["adnorm"]["placebo_arm"]``.
    confidence
        Level of the intervals.
    randomised
        Whether patients were randomised to the arms; else every arm has its own disease effect, and
        none is compared with placebo.

    Returns
    -------
    DataFrame
        One row for each arm, visit and name: ni with lower and upper, dni, patients, and status; a
        row without a number has a reason code and a sentence. The columns are those of
        index.tsv.

    Raises
    ------
    AdnormError
        `scores` and `samples` are of different samples, an argument or a column is missing or holds
        something else, or a patient is in several arms.

    Examples
    --------
    >>> import adnorm
    >>> data, sets = adnorm.example_trial()
    >>> index = adnorm.normalization_index(adnorm.score_sets(data, sets), data.obs, sets)
    >>> print(index[["arm", "week", "name", "ni", "status"]].round(2).to_string(index=False))
     arm  week name  ni status
    drug  12.0 itch 0.7     ok
    """
    from adnorm.index.normalization import normalization_index as compute

    if list(scores.index) != list(samples.index):
        odd = sorted({*map(str, scores.index)} ^ {*map(str, samples.index)})
        what = f"only one of them has {listing(odd, 5)}" if odd else "the order differs"
        raise AdnormError(f"scores and samples are not of the same samples: {what}")
    sheet = _sheet(samples, reference)
    if placebo_arm is not None:
        _known_arm(placebo_arm, sheet)
    combined, codes = combine_biopsies(sheet)
    values = pd.DataFrame(
        average_rows(scores.to_numpy(dtype=float), codes), columns=list(scores.columns)
    )
    names = pd.DataFrame(
        {"level": Level.SET, "reason_code": "", "reason": "", "family": ""}, index=values.columns
    )
    for name in set(names.index) & set(sets or {}):
        gene_set = (sets or {})[name]
        names.loc[name, "family"] = gene_set.family
        if not gene_set.signed:
            names.loc[name, ["reason_code", "reason"]] = (
                ReasonCode.UNSIGNED,
                "its genes have no direction",
            )
    settings = check(IndexSettings, {"confidence": confidence}, "arguments")
    table = compute(
        values, combined, reference, placebo_arm, settings, names, randomised=randomised
    )
    texts = table.select_dtypes("object")
    return table.assign(**{str(column): texts[column].map(_plain) for column in texts})


def _sheet(samples: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """Check a sheet, and add what the design asks for besides."""
    problems = Problems("samples")
    for column in _SHEET:
        if column not in samples:
            problems.add(
                f"the column '{column}' is missing; columns: "
                f"{listing(map(str, samples.columns), 20)}"
                f"{nearest(column, map(str, samples.columns))}"
            )
    problems.stop()
    sheet = samples.copy()
    for column in ("patient", "state", "arm"):
        missing = sheet[column].isna()
        if missing.any():
            problems.add(f"column '{column}': {int(missing.sum())} samples have no value")
        sheet[column] = sheet[column].astype(str)
    unknown = sorted(set(sheet["state"]) - set(State))
    if unknown:
        problems.add(f"column 'state': found {listing(unknown)}; allowed: {listing(State)}")
    weeks = pd.to_numeric(sheet["week"], errors="coerce")
    if weeks.isna().any():
        odd = sorted(set(sheet.loc[weeks.isna(), "week"].astype(str)))
        problems.add(f"column 'week': found {listing(odd, 5)}; allowed: numbers, 0 is baseline")
    if reference is not None and reference not in set(State) - {State.LESIONAL}:
        problems.add(f"reference: found '{reference}'; allowed: 'nonlesional', 'healthy'")
    problems.stop()
    sheet["week"] = weeks.astype(float)
    if "treatment" not in sheet:
        sheet["treatment"] = sheet["arm"]
    if "dose_mg" not in sheet:
        sheet["dose_mg"] = np.nan
    return sheet


def _plain(value: object) -> object:
    """Give a word as plain text, as it stands in the tables."""
    return str(value) if isinstance(value, str) else value


def _known_arm(arm: str, sheet: pd.DataFrame) -> None:
    arms = sorted(set(sheet["arm"]))
    if arm not in arms:
        raise AdnormError(
            f"placebo_arm: no sample is of the arm '{arm}'{nearest(arm, arms)}; "
            f"arms: {listing(arms)}"
        )


def example_trial() -> tuple[AnnData, dict[str, GeneSet]]:
    """Make a small simulated trial to try the functions on.

    Returns
    -------
    data : AnnData
        Six patients before and after a drug; ten genes that rise in lesional skin, forty others.
        The drug takes 70 % of the rise away.
    sets : dict
        One signed gene set, ``itch``.
    """
    import anndata

    from adnorm.study.gene_sets import Gene

    rng = np.random.default_rng(1)
    rows = [
        (f"P{patient}", state, week, "drug")
        for patient in range(6)
        for state, week in (("lesional", 0), ("nonlesional", 0), ("lesional", 12))
    ]
    obs = pd.DataFrame(rows, columns=list(_SHEET), index=[f"S{i}" for i in range(len(rows))])
    genes = [*(f"ITCH{i}" for i in range(10)), *(f"OTHER{i}" for i in range(40))]
    disease = np.where(obs["state"] == "lesional", np.where(obs["week"] > 0, 0.6, 2.0), 0.0)
    values = 8 + rng.normal(0, 0.2, (len(rows), len(genes)))
    values[:, :10] += disease[:, None]
    members = tuple(Gene(symbol=gene, direction="up") for gene in genes[:10])
    itch = GeneSet("itch", "Itch", category="itch", role=SetRole.PRIMARY.value, genes=members)
    return anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=genes)), {"itch": itch}
