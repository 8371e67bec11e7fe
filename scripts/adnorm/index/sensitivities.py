"""The index table of a cohort: the primary analysis and those that question it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adnorm.base.logs import progress
from adnorm.index.composition import adjust_for_composition
from adnorm.index.groups import COMPLETERS, HEALTHY, LESIONAL, NONLESIONAL, PRIMARY, TIME_MATCHED
from adnorm.index.normalization import COLUMNS, EXPLORATORY, KEYS, OK, normalization_index
from adnorm.study.comparisons import BASELINE

COMPOSITION_ADJUSTED = "composition_adjusted"
#: Role of the gene sets that tell cell types.
COMPOSITION = "composition"


@dataclass(frozen=True)
class Asked:
    """What the index is computed from.

    Attributes
    ----------
    values
        Scores, shape (observations, names).
    names
        By name: level, role, reason_code, reason, and basis: where the direction of the score comes
        from.
    observations
        patient, state, week, arm of each row of `values`.
    placebo_arm
        Empty without one.
    settings
        Section ``index`` of the configuration.
    seed
        Of the resamples.
    """

    values: pd.DataFrame
    names: pd.DataFrame
    observations: pd.DataFrame
    placebo_arm: str
    settings: dict
    seed: int

    def index(
        self, reference: str, analysis: str, values: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Compute one analysis against one reference."""
        values = self.values if values is None else values
        found = normalization_index(
            values,
            self.observations,
            reference,
            self.placebo_arm,
            self.settings,
            self.seed,
            self.names.loc[values.columns],
            analysis,
        )
        return found.assign(basis=found["name"].map(self.names["basis"]))

    def references(self) -> list[str]:
        """Non-lesional skin always, healthy skin where the series has it."""
        healthy = (self.observations["state"] == HEALTHY) & (self.observations["week"] == BASELINE)
        return [NONLESIONAL, HEALTHY] if healthy.any() else [NONLESIONAL]


def index_table(asked: Asked) -> pd.DataFrame:
    """Compute the index against every reference, and its sensitivity analyses.

    Returns
    -------
    DataFrame
        Rows of `normalization_index` for the analyses ``primary``; ``completers`` (only patients
        with all visits; where there are several visits); ``time_matched`` (non-lesional skin of
        the same visit; where it was taken); ``composition_adjusted`` (exploratory).
    """
    adjusted, reason = _adjusted(asked)
    frames = []
    for reference in asked.references():
        primary = asked.index(reference, PRIMARY)
        frames.append(primary)
        if primary.empty:
            progress("no lesional samples after baseline: the index has no rows")
            return primary
        if primary.groupby("arm")["week"].nunique().max() > 1:
            frames.append(asked.index(reference, COMPLETERS))
        if reference == NONLESIONAL and _later_nonlesional(asked.observations):
            matched = asked.index(reference, TIME_MATCHED)
            frames.append(matched[matched["pairs"] > 0])
        if adjusted is None:
            progress(f"no composition-adjusted index: {reason}")
        else:
            found = asked.index(reference, COMPOSITION_ADJUSTED, adjusted)
            frames.append(exploratory(found, _share_left(found, primary)))
    table = pd.concat([f for f in frames if len(f)], ignore_index=True)
    return table.sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]


def _later_nonlesional(observations: pd.DataFrame) -> bool:
    later = observations["week"] > BASELINE
    states = set(observations.loc[later, "state"])
    return {LESIONAL, NONLESIONAL} <= states


def _adjusted(asked: Asked) -> tuple[pd.DataFrame | None, str]:
    """Scores without composition, or why there are none."""
    usable = np.isfinite(asked.values.to_numpy(dtype=float)).all(axis=0)
    role = (asked.names["role"] == COMPOSITION).to_numpy()
    if not (usable & role).any():
        return None, "no composition set was scored"
    signed = usable & ~role & (asked.names["reason_code"] == "").to_numpy()
    adjusted = adjust_for_composition(
        asked.values.loc[:, signed], asked.observations, asked.values.loc[:, usable & role]
    )
    return adjusted, "too few observations to estimate what composition explains"


def _share_left(adjusted: pd.DataFrame, primary: pd.DataFrame) -> pd.Series:
    """Say of every adjusted row how much disease effect the adjustment left."""
    before = adjusted["name"].map(primary.groupby("name")["denominator"].first())
    share = (adjusted["denominator"] / before).map("{:.0%}".format)
    return (
        "exploratory: composition is itself changed by the treatment; the index is of the "
        + share
        + " of the disease effect that composition does not explain"
    )


def exploratory(table: pd.DataFrame, why: str | pd.Series) -> pd.DataFrame:
    """Label the rows that have a number as exploratory."""
    said = table["status"].isin([OK, EXPLORATORY])
    return table.assign(
        status=table["status"].where(~said, EXPLORATORY),
        reason=table["reason"].where(~said, why),
    )
