"""The set scores of a cohort, and which of them an index can be asked of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.effects.observations import Observations, read_h5ad
from adnorm.index.estimability import LOW_COVERAGE, NOT_SCORED, SET, UNSIGNED
from adnorm.scores.coverage import Platform, assess_coverage
from adnorm.scores.zscore import find_reference, z_scores
from adnorm.study.biopsies import average_rows, combine_biopsies
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.gene_sets import GeneSet
from adnorm.study.vocabulary import SetStatus

ZSCORE = "zscore"
ITCH, TH2, ITCH_MINUS_TH2 = "itch_core_skin_up", "th2", "itch_minus_th2"
#: Coverage that the derived set must have, the defaults of the scores stage.
MINIMUM_GENES, MINIMUM_FRACTION = 5, 0.5


def read_set_scores(
    path: Path, data: Observations, sets: Mapping[str, GeneSet]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the signed z scores of all sets and say which of them can have an index.

    Parameters
    ----------
    path
        scores.h5ad.
    data
        Expression of the same samples, for `itch_minus_th2`.
    sets
        Gene sets by name.

    Returns
    -------
    values : DataFrame, shape (observations, sets)
        Scores, biopsies averaged; NaN for sets that were not scored.
    names : DataFrame
        By set: level, role, family, reason_code and reason; an empty reason code means that it can.

    Raises
    ------
    AdnormError
        The file has no z scores or belongs to other samples.
    """
    scores = read_h5ad(path)
    if ZSCORE not in scores.layers:
        raise AdnormError(
            f"{path}: the index rests on the score 'zscore', which is not in this file; "
            "add zscore to scores: methods in the configuration"
        )
    if list(scores.obs_names) != list(data.samples.index):
        raise AdnormError(
            f"{path}: the samples are not those of expression.h5ad; run the scores stage again"
        )
    _, codes = combine_biopsies(data.samples)
    values = pd.DataFrame(
        average_rows(np.asarray(scores.layers[ZSCORE], dtype=float), codes),
        columns=scores.var_names.astype(str),
    )
    columns = ["role", "family", "direction", "status", "reason"]
    facts = scores.var[columns].astype(str).replace("nan", "")
    names = pd.DataFrame(
        [_usable(row["direction"], row["status"], row["reason"]) for _, row in facts.iterrows()],
        columns=["reason_code", "reason"],
        index=values.columns,
    ).assign(
        level=SET,
        role=facts["role"].to_numpy(),
        family=facts["family"].to_numpy(),
        basis=set_basis(str(data.facts["disease"])),
    )
    return _with_itch_minus_th2(values, names, data, sets)


def set_basis(disease: str) -> str:
    """Say where the direction of a set comes from, and whose disease effect it is set against.

    Parameters
    ----------
    disease
        Of the cohort.
    """
    if same_disease(disease, ATOPIC_DERMATITIS):
        return "directions of the gene sets"
    return (
        f"directions of the gene sets (the shipped ones: of {ATOPIC_DERMATITIS}), against the "
        f"effect of {disease} in this cohort"
    )


def _usable(direction: str, status: str, reason: str) -> tuple[str, str]:
    if status == SetStatus.NOT_SCORED:
        return NOT_SCORED, reason
    if direction == "unsigned":
        return UNSIGNED, "its genes have no direction, so that no way back is defined"
    if status == SetStatus.LOW_COVERAGE:
        return LOW_COVERAGE, reason
    return "", ""


def _with_itch_minus_th2(
    values: pd.DataFrame,
    names: pd.DataFrame,
    data: Observations,
    sets: Mapping[str, GeneSet],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the itch set without its Th2 genes: is it itch that falls, or Th2 inflammation?"""
    if ITCH not in sets or TH2 not in sets or ITCH_MINUS_TH2 in sets:
        return values, names
    th2 = {gene.symbol for gene in sets[TH2].genes}
    itch = sets[ITCH]
    rest = replace(
        itch,
        name=ITCH_MINUS_TH2,
        genes=tuple(gene for gene in itch.genes if gene.symbol not in th2),
    )
    platform = Platform(frozenset(map(str, data.genes)), {}, frozenset())
    cover = assess_coverage({rest.name: rest}, platform, MINIMUM_GENES, MINIMUM_FRACTION).iloc[0]
    score = np.full(len(values), np.nan)
    if cover["status"] != SetStatus.NOT_SCORED:
        present = np.flatnonzero(np.isin(data.genes, list(rest.signs)))
        score = _anchored_score(data, present, rest.signs)
    code, reason = _usable(rest.direction, cover["status"], cover["reason"])
    row = pd.DataFrame(
        {
            "reason_code": code,
            "reason": reason,
            "level": SET,
            "role": itch.role,
            "family": itch.family,
            "basis": set_basis(str(data.facts["disease"])),
        },
        index=[ITCH_MINUS_TH2],
    )
    return values.assign(**{ITCH_MINUS_TH2: score}), pd.concat([names, row])


def _anchored_score(
    data: Observations, present: np.ndarray, signs: Mapping[str, int]
) -> np.ndarray:
    # The deviations are moderated over all genes, as in the scores stage, and then cut to these.
    log2 = data.log2.T
    zero = find_reference(log2, data.combined, str(data.facts["reference"]))
    cut = replace(zero, centre=zero.centre[present], deviation=zero.deviation[present])
    genes = [str(gene) for gene in data.genes[present]]
    wanted = {ITCH_MINUS_TH2: {gene: signs[gene] for gene in genes}}
    return z_scores(log2[:, present], genes, wanted, cut)[ITCH_MINUS_TH2].to_numpy()
