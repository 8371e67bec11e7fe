"""The stage index: how far each arm is back from disease, per visit, set, gene and patient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError
from adnorm.base.logs import get_logger, progress
from adnorm.base.stage import Files
from adnorm.base.tables import as_written, read_table, stack, write_table
from adnorm.effects.observations import observations_of
from adnorm.index.alternatives import (
    Biopsies,
    on_other_library_sizes,
    on_ssgsea,
    without_composition_genes,
)
from adnorm.index.axis import DiseaseAxis, dependence, disease_axis, excluded_genes, published_axis
from adnorm.index.clinic import calibration_table, concordance_table, read_clinic
from adnorm.index.genes import gene_index, refuse_genes, residual_profile, write_gmt
from adnorm.index.normalization import COLUMNS, KEYS, SENSITIVITY_COLUMNS, label_swap
from adnorm.index.patients import patient_scores, trajectories
from adnorm.index.random_sets import linear_scores, null_percentiles
from adnorm.index.sensitivities import (
    IndexInput,
    index_tables,
    percent_improvement_rows,
    with_composition_genes,
)
from adnorm.index.teaching import Teaching
from adnorm.index.training_cohorts import CONTRAST
from adnorm.scores.coverage import Platform, assess_coverage
from adnorm.study.axis_genes import AxisGenes, read_axis_genes
from adnorm.study.config import IndexSettings
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.gene_sets import DERIVED, GeneSet, previous_symbols, read_gene_sets
from adnorm.study.vocabulary import (
    DerivedScore,
    Direction,
    Level,
    Method,
    ReasonCode,
    SetStatus,
    State,
    Status,
)

if TYPE_CHECKING:
    from anndata import AnnData


class StageSettings(IndexSettings):
    """Section ``index``, and the coverage of a set that section ``scores`` asks for."""

    minimum_genes: int
    minimum_fraction: float


def build(inputs: Files, outputs: Files, settings: StageSettings, seed: int) -> None:
    """Compute the disease axis, the index of sets and genes, and the responses of patients.

    Parameters
    ----------
    inputs
        ``teaching`` of all cohorts; ``samples``, ``expression``, ``scores``, ``effects`` of
        the cohort; ``gene_sets`` (a list of files). The published list is named by the settings.
    outputs
        Where to write the tables ``axis``, ``index``, ``sensitivities``, ``denominators``,
        ``gene_index``, ``patients``, ``trajectories``, ``concordance``, ``calibration``, and
        ``residual`` (GMT).
    settings
        Of the stage.
    seed
        Of the folds, the random sets and the signs that are flipped.

    Raises
    ------
    AdnormError
        A file is missing or does not fit the others.
    """
    biopsies = read_container(inputs["expression"])
    data = observations_of(biopsies, str(inputs["expression"]), reads=False)
    sets = read_gene_sets(inputs["gene_sets"])
    disease = str(data.facts["disease"])
    values, names = set_scores(inputs["scores"], biopsies, sets, settings)
    swaps = {
        reference: label_swap(values, names, data.combined, reference, settings.confidence, disease)
        for reference in (State.NONLESIONAL, State.HEALTHY)
    }
    for warning in filter(None, swaps.values()):
        get_logger().warning("%s", warning)

    lesional = Teaching.read(inputs["teaching"])
    excluded, renames = excluded_genes(sets), previous_symbols(sets)
    listed = None
    if settings.axis_genes:
        taken = [DerivedScore.GLOBAL, *(rule.name for rule in DERIVED), *sets]
        listed = read_axis_genes(settings.axis_genes, taken)

    def axes(without: Mapping[str, str]) -> list[DiseaseAxis]:
        """The axis of the cohort and that of the list, without some genes."""
        found = [disease_axis(data, lesional, without, settings, seed, swaps[State.NONLESIONAL])]
        if listed:
            limits = settings.minimum_genes, settings.minimum_fraction
            found.append(published_axis(data, listed, without, renames, *limits))
        return found

    main = axes(excluded)
    progress(main[0].reason or main[0].basis)
    placebo = str(data.facts.get("placebo_arm", "") or "")
    randomised = bool(data.facts.get("randomised", True))
    scores = IndexInput(
        values, names, data.combined, placebo, settings, seed, randomised, data.batches
    )
    for axis in main:
        scores = scores.with_axis(axis)

    tables = index_tables(scores)
    index, sensitivities = tables.index, tables.sensitivities
    if len(index):
        effects = read_table(inputs["effects"])
        own = effects[effects["contrast"] == CONTRAST]
        frames = [sensitivities, percent_improvement_rows(data, own, swaps[State.NONLESIONAL])]
        if excluded:
            frames.append(with_composition_genes(scores, axes({})))
        made = {rule.name: found for rule in DERIVED if (found := rule.genes_of(sets))}
        every = Biopsies(biopsies, {**sets, **made})
        limits = settings.minimum_genes, settings.minimum_fraction
        frames += on_other_library_sizes(scores, every, main)
        frames += on_ssgsea(scores, every, read_container(inputs["scores"]), index)
        frames += without_composition_genes(scores, every, *limits)
        keys = ["analysis", *KEYS]
        sensitivities = stack(frames).sort_values(keys, kind="stable", ignore_index=True)
        # Where neither analysis has a number, index.tsv says why.
        empty = sensitivities[["ni", "p_value"]].isna().all(axis=1)
        without = pd.MultiIndex.from_frame(index.loc[index["ni"].isna(), KEYS])
        lacking = empty & pd.MultiIndex.from_frame(sensitivities[KEYS]).isin(without)
        sensitivities = sensitivities.loc[~lacking, SENSITIVITY_COLUMNS]
        signs = {n: every.sets[n].signs for n in settings.primary if n in every.sets}
        linear = linear_scores(data.genes, signs, main)
        placed = null_percentiles(data, every.reference, linear, seed)
        index = index.merge(placed, on=["arm", "week", "name"], how="left")
        # A row without an index has no number at all.
        index["null_percentile"] = index["null_percentile"].where(index["ni"].notna())
        if listed:
            accession = str(data.facts.get("accession", ""))
            index = _say_dependence(index, listed, accession)
            sensitivities = _say_dependence(sensitivities, listed, accession)
        counts = index["status"].value_counts()
        progress(", ".join(f"{count} rows {status}" for status, count in counts.items()))
    index = index.reindex(columns=[*COLUMNS, "null_percentile"])
    genes = stack(
        refuse_genes(
            gene_index(data.log2, data.genes, data.combined, reference, settings.confidence),
            swaps[reference],
        )
        for reference in scores.references
    )
    patients = patient_scores(scores.values, data.combined)
    profile = residual_profile(genes, str(data.facts["cohort"]), settings.minimum_effect)
    write_table(stack(axis.table for axis in main), outputs["axis"])
    write_table(index, outputs["index"])
    write_table(sensitivities, outputs["sensitivities"])
    write_table(tables.denominators, outputs["denominators"])
    write_table(genes, outputs["gene_index"])
    write_gmt(profile, outputs["residual"])
    write_table(patients, outputs["patients"])
    samples = read_table(inputs["samples"])
    follow_patients(patients, tables.denominators, samples, outputs, settings)


def follow_patients(
    scores: pd.DataFrame,
    denominators: pd.DataFrame,
    samples: pd.DataFrame,
    outputs: Files,
    settings: IndexSettings,
) -> None:
    """Write trajectories, concordance and calibration.

    `scores`, `denominators` and `samples` are what patients.tsv, denominators.tsv and samples.tsv
    hold.
    """
    scores, denominators = as_written(scores), as_written(denominators)
    table = trajectories(scores, denominators, settings.confidence)
    clinic = read_clinic(scores, samples, table, settings)
    answers = concordance_table(clinic)
    known = int(table["response"].notna().sum())
    progress(f"{known} of {len(table)} responses of patients, {len(answers)} rows with the clinic")
    write_table(table, outputs["trajectories"])
    write_table(answers, outputs["concordance"])
    write_table(calibration_table(clinic), outputs["calibration"])


def _say_dependence(index: pd.DataFrame, listed: AxisGenes, accession: str) -> pd.DataFrame:
    """Label the rows of a published list that was made with this cohort."""
    label = dependence(listed, accession)
    rows = (index["level"] == Level.PUBLISHED_AXIS) & index["ni"].notna()
    if not label or not rows.any():
        return index
    before = index.loc[rows, "reason"].map(lambda reason: f"; {reason}" if reason else "")
    index.loc[rows, "reason"] = "exploratory: " + label + before
    index.loc[rows, "status"] = Status.EXPLORATORY
    return index


# ---------------------------------------------------------------- scores of sets


def set_scores(
    scores_file: Path,
    biopsies: AnnData,
    sets: Mapping[str, GeneSet],
    settings: StageSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the z scores of all sets, add those of derived sets, and say which can have an index.

    `biopsies` is what expression.h5ad of the same samples holds. The scores have the shape
    (observations, sets), biopsies averaged, NaN for sets that were not scored. The second table has
    level, role, family, basis, reason_code and reason by set; an empty reason code means that it
    can.
    """
    scores = read_container(scores_file)
    if Method.ZSCORE not in scores.layers:
        raise AdnormError(
            f"{scores_file}: the index rests on the score 'zscore', which is not in this file; "
            "add zscore to scores: methods in the configuration"
        )
    if list(scores.obs_names) != list(biopsies.obs_names):
        raise AdnormError(
            f"{scores_file}: the samples are not those of expression.h5ad; run the scores stage "
            "again"
        )
    matrix = np.asarray(scores.layers[Method.ZSCORE], dtype=float)
    every = Biopsies(biopsies, {})
    values = every.combined(pd.DataFrame(matrix, columns=scores.var_names.astype(str)))
    facts = scores.var[["role", "family", "direction", "status", "reason"]]
    facts = facts.astype(str).replace("nan", "")
    derived = {rule.name: made for rule in DERIVED if (made := rule.genes_of(sets))}
    if derived:
        scored = every.z_scores(np.asarray(biopsies.X, dtype=float), derived)
        platform = Platform(frozenset(every.genes), {}, frozenset())
        limits = settings.minimum_genes, settings.minimum_fraction
        coverage = assess_coverage(derived, platform, *limits).set_index("set")
        for name, made in derived.items():
            status, reason = coverage.at[name, "status"], coverage.at[name, "reason"]
            values[name] = np.nan if status == SetStatus.NOT_SCORED else scored[name]
            facts.loc[name] = [made.role, made.family, made.direction, status, reason]
    names = pd.DataFrame(
        [_usable(row["direction"], row["status"], row["reason"]) for _, row in facts.iterrows()],
        columns=["reason_code", "reason"],
        index=values.columns,
    ).assign(
        level=Level.SET,
        role=facts["role"].to_numpy(),
        family=facts["family"].to_numpy(),
        basis=set_basis(str(biopsies.uns["adnorm"]["disease"])),
    )
    return values, names


def _usable(direction: str, status: str, reason: str) -> tuple[str, str]:
    """Why a set cannot have an index; empty where it can."""
    if status == SetStatus.NOT_SCORED:
        return ReasonCode.NOT_SCORED, reason
    if direction == Direction.UNSIGNED:
        return (
            ReasonCode.UNSIGNED,
            "its genes have no direction, so that no disease direction is defined",
        )
    if status == SetStatus.LOW_COVERAGE:
        return ReasonCode.LOW_COVERAGE, reason
    return "", ""


def set_basis(disease: str) -> str:
    """Describe where the direction of a set comes from, and which effect it is compared with."""
    if same_disease(disease, ATOPIC_DERMATITIS):
        return "directions of the gene sets"
    return (
        f"directions of the gene sets (the shipped ones: of {ATOPIC_DERMATITIS}), against the "
        f"effect of {disease} in this cohort"
    )
