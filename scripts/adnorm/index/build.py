"""The stage index: how far each arm is back from disease, per visit, set and gene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.logs import get_logger, progress
from adnorm.base.tables import read_table, stack, write_table
from adnorm.effects.observations import Observations, read_observations
from adnorm.index.axis import CONTRAST
from adnorm.index.direction import exchanged_labels
from adnorm.index.estimability import (
    DIRECTION_CONTRADICTED,
    GLOBAL,
    NOT_SCORED,
    PUBLISHED_AXIS,
)
from adnorm.index.gene_index import gene_index, refuse_genes, residual_profile, write_gmt
from adnorm.index.global_axis import DiseaseAxis, disease_axis
from adnorm.index.groups import HEALTHY, NONLESIONAL
from adnorm.index.literal import pct_improvement_literal
from adnorm.index.normalization import COLUMNS, EXPLORATORY, KEYS, NOT_AVAILABLE
from adnorm.index.published_axis import dependence, published_axis
from adnorm.index.selection import left_out_genes
from adnorm.index.sensitivities import Asked, exploratory, index_table
from adnorm.index.sets import ITCH_MINUS_TH2, read_set_scores
from adnorm.study.axis_genes import AxisGenes, read_axis_genes
from adnorm.study.gene_sets import previous_symbols, read_gene_sets

WITH_COMPOSITION_GENES, LITERAL = "with_composition_genes", "literal"


def build_index(
    lesional: Path,
    expression: Path,
    scores: Path,
    effects: Path,
    gene_set_files: list[Path],
    settings: dict,
    outputs: dict[str, Path],
    seed: int,
) -> None:
    """Compute the disease axis, the index of sets and genes, and the scores of patients.

    Parameters
    ----------
    lesional
        lesional_effects.tsv of all cohorts.
    expression, scores, effects
        expression.h5ad, scores.h5ad and effects.tsv of the cohort.
    gene_set_files
        Gene-set files (``.tsv``, ``.gmt``).
    settings
        Section ``index`` of the configuration: bootstrap, folds, minimum_effect, fdr, primary,
        confidence, axis_genes (path of a published list, or nothing).
    outputs
        Where to write: ``axis``, ``index``, ``gene_index``, ``patients`` (tables) and ``residual``
        (GMT).
    seed
        Of the resamples and the folds.

    Raises
    ------
    AdnormError
        A file is missing or does not fit the others.
    """
    data = read_observations(expression)
    sets = read_gene_sets(gene_set_files)
    table, left_out = read_table(lesional), left_out_genes(sets)
    values, names = read_set_scores(scores, data, sets)
    confidence, disease = float(settings["confidence"]), str(data.facts["disease"])
    exchanged = {
        reference: exchanged_labels(values, names, data.combined, reference, confidence, disease)
        for reference in (NONLESIONAL, HEALTHY)
    }
    for said in exchanged.values():
        if said:
            get_logger().warning("%s", said)
    axis = disease_axis(data, table, left_out, settings, seed, exchanged[NONLESIONAL])
    progress(axis.reason or axis.basis)
    asked = _with_axis(Asked(values, names, data.combined, _placebo(data), settings, seed), axis)
    listed = None
    if settings.get("axis_genes"):
        listed = read_axis_genes(settings["axis_genes"], [GLOBAL, ITCH_MINUS_TH2, *sets])
        renames = previous_symbols(sets)
        published = published_axis(data, listed, left_out, renames)
        asked = _with_axis(asked, published, listed.name, PUBLISHED_AXIS)
    index = index_table(asked)
    if len(index):
        frames = [index, _literal(data, read_table(effects), exchanged[NONLESIONAL])]
        if left_out:
            everything = disease_axis(data, table, {}, settings, seed, exchanged[NONLESIONAL])
            axes = [(everything, GLOBAL, GLOBAL)]
            if listed:
                everything = published_axis(data, listed, {}, renames)
                axes.append((everything, listed.name, PUBLISHED_AXIS))
            frames.append(_with_composition_genes(asked, axes))
        index = stack(frames).sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]
        if listed:
            index = _say_dependence(index, listed, str(data.facts.get("accession", "")))
        said = index.loc[index["analysis"] == "primary", "status"].value_counts()
        progress(", ".join(f"{count} rows {status}" for status, count in said.items()))
    genes = stack(
        refuse_genes(
            gene_index(data.log2, data.genes, data.combined, reference, settings),
            exchanged[reference],
        )
        for reference in asked.references()
    )
    profile = residual_profile(genes, str(data.facts["cohort"]), float(settings["minimum_effect"]))
    axes = [axis.table, published.table] if listed else [axis.table]
    write_table(stack(axes), outputs["axis"])
    write_table(index, outputs["index"])
    write_table(genes, outputs["gene_index"])
    write_gmt(profile, outputs["residual"])
    write_table(patient_scores(asked.values, data.combined), outputs["patients"])


def _placebo(data: Observations) -> str:
    return str(data.facts.get("placebo_arm", "") or "")


def _with_axis(asked: Asked, axis: DiseaseAxis, name: str = GLOBAL, level: str = GLOBAL) -> Asked:
    """Put the score on an axis before the others."""
    row = pd.DataFrame(
        {
            **{"reason_code": axis.reason_code, "reason": axis.reason, "basis": axis.basis},
            **{"level": level, "role": level},
        },
        index=[name],
    )
    values = asked.values.copy()
    values.insert(0, name, axis.scores)
    return replace(asked, values=values, names=pd.concat([row, asked.names]))


def _with_composition_genes(asked: Asked, axes: list[tuple[DiseaseAxis, str, str]]) -> pd.DataFrame:
    """Compute the index of the axes once more with the genes that tell composition on them."""
    alone = replace(asked, values=asked.values.iloc[:, :0], names=asked.names.iloc[:0])
    for axis, name, level in axes:
        alone = _with_axis(alone, axis, name, level)
    why = "exploratory: genes that tell cell composition are on the axis"
    return pd.concat(
        [
            exploratory(alone.index(reference, WITH_COMPOSITION_GENES), why)
            for reference in alone.references()
        ],
        ignore_index=True,
    )


def _say_dependence(index: pd.DataFrame, listed: AxisGenes, accession: str) -> pd.DataFrame:
    """Label the rows of a published list that this cohort helped to make."""
    said = dependence(listed, accession)
    mine = (index["level"] == PUBLISHED_AXIS) & index["ni"].notna()
    if not said or not mine.any():
        return index
    before = index.loc[mine, "reason"].map(lambda reason: f"; {reason}" if reason else "")
    index.loc[mine, "reason"] = "exploratory: " + said + before
    index.loc[mine, "status"] = EXPLORATORY
    return index


def _literal(data: Observations, effects: pd.DataFrame, exchanged: str) -> pd.DataFrame:
    """Write the literature's figure as rows of the index table, labelled circular."""
    disease = effects[effects["contrast"] == CONTRAST]
    found = pct_improvement_literal(data.log2, data.genes, data.combined, disease)
    value = found["pct_improvement_literal"].to_numpy(dtype=float) / 100
    known = np.isfinite(value) & (exchanged == "")
    lacking = exchanged or found["lacking"]
    counted = found["note"] + " (" + found["genes"].astype(str) + " genes)"
    rows = pd.DataFrame(
        {
            "analysis": LITERAL,
            "reference": "nonlesional",
            "arm": found["arm"],
            "week": found["week"],
            "level": GLOBAL,
            "name": "pct_improvement_literal",
            "ni": np.where(known, value, np.nan),
            "family": "none",
            "basis": "genes of this cohort",
            "pairs": found["pairs"],
            "status": np.where(known, EXPLORATORY, NOT_AVAILABLE),
            "reason_code": np.where(known, "", DIRECTION_CONTRADICTED if exchanged else NOT_SCORED),
            "reason": np.where(known, counted, lacking),
        }
    )
    rows[["interval", "dni_reason_code", "dni_reason"]] = ""
    return rows.reindex(columns=COLUMNS)


def patient_scores(values: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """List the scores that trajectories of patients are drawn from.

    Parameters
    ----------
    values
        Shape (observations, names).
    observations
        patient, arm, week, state of each row.

    Returns
    -------
    DataFrame
        patient, arm, week, state, name, score; names without a score are left out.
    """
    keys = ["patient", "arm", "week", "state"]
    wide = pd.concat(
        [observations[keys].reset_index(drop=True), values.reset_index(drop=True)], axis=1
    )
    table = wide.melt(keys, var_name="name", value_name="score").dropna(subset="score")
    return table.sort_values(["patient", "week", "state", "name"], ignore_index=True)
