"""The primary estimates of the index, and the analyses that question them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from adnorm.base.logs import progress
from adnorm.base.tables import stack
from adnorm.effects.observations import Observations
from adnorm.index.axis import DiseaseAxis, Rule, tell_rules
from adnorm.index.batches import batch_adjusted_scores
from adnorm.index.means import FEWEST_PATIENTS, PatientTable
from adnorm.index.normalization import (
    COLUMNS,
    DENOMINATOR_COLUMNS,
    KEYS,
    SENSITIVITY_COLUMNS,
    index_and_denominators,
    normalization_index,
)
from adnorm.index.ratio import sign_flip_p
from adnorm.study.comparisons import BASELINE, average_rows
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import (
    Analysis,
    Arm,
    DerivedScore,
    Estimator,
    Level,
    ReasonCode,
    SetRole,
    State,
    Status,
)


@dataclass(frozen=True)
class IndexInput:
    """What the index is computed from; as for `normalization_index`.

    `names` have a role, and a basis: where the direction of the score comes from.
    """

    values: pd.DataFrame
    names: pd.DataFrame
    observations: pd.DataFrame
    placebo_arm: str
    settings: IndexSettings
    seed: int
    randomised: bool = True
    #: Share of each batch in each observation, where the sheet tells batches apart.
    batches: pd.DataFrame | None = None

    @property
    def references(self) -> list[State]:
        """Nonlesional skin always, healthy skin where the series has it."""
        states = self.observations.loc[self.observations["week"] == BASELINE, "state"]
        return [State.NONLESIONAL, *([State.HEALTHY] if (states == State.HEALTHY).any() else [])]

    def with_axis(self, axis: DiseaseAxis) -> IndexInput:
        """Put the score on an axis before the others."""
        row = pd.DataFrame(
            {
                **{"reason_code": axis.reason_code, "reason": axis.reason, "basis": axis.basis},
                **{"level": axis.level, "role": axis.level},
            },
            index=[axis.name],
        )
        values = self.values.copy()
        values.insert(0, axis.name, axis.scores)
        return replace(self, values=values, names=pd.concat([row, self.names]))

    def index(
        self, reference: str, analysis: str, values: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Compute one analysis against one reference, of other scores where they are given.

        Columns `COLUMNS` and the analysis.
        """
        values = self.values if values is None else values
        table = normalization_index(
            values,
            self.observations,
            reference,
            self.placebo_arm,
            self.settings,
            self.names.loc[values.columns],
            analysis,
            self.randomised,
        )
        return table.assign(analysis=analysis)


@dataclass(frozen=True)
class IndexTables:
    """index.tsv, sensitivities.tsv and denominators.tsv of a cohort."""

    index: pd.DataFrame
    sensitivities: pd.DataFrame
    denominators: pd.DataFrame


def index_tables(data: IndexInput) -> IndexTables:
    """Compute the index against every reference, and the analyses that question it.

    These are ``unadjusted`` (dNI as the plain difference; with placebo), ``sign_flips`` (an exact
    p-value of NI), ``observed_pairs``, ``completers`` and ``delta_adjusted`` (where visits are
    missing), ``time_matched`` (nonlesional skin of the same visit; where it was taken) and
    ``composition_adjusted`` and ``batch_adjusted`` (exploratory).
    """
    adjusted, reason = _without_composition(data)
    same_batch, lacking = batch_adjusted_scores(data.values, data.observations, data.batches)
    if data.batches is not None and lacking:
        progress(f"no batch-adjusted index: {lacking}")
    primaries, effects, frames = [], [], []
    for reference in data.references:
        primary, effect = index_and_denominators(
            data.values,
            data.observations,
            reference,
            data.placebo_arm,
            data.settings,
            data.names,
            Analysis.PRIMARY,
            data.randomised,
        )
        effects.append(effect.assign(basis=effect["name"].map(data.names["basis"])))
        if primary.empty:
            progress("no lesional samples after baseline: the index has no rows")
            return IndexTables(primary, _columns(primary), effects[0][DENOMINATOR_COLUMNS])
        primaries.append(primary)
        if primary["dni"].notna().any():
            unadjusted = data.index(reference, Analysis.UNADJUSTED)
            frames.append(unadjusted[unadjusted["dni"].notna()])
        frames.append(_sign_flips(data, primary))
        modelled = primary["estimator"] == Estimator.MMRM
        if modelled.any():
            frames += [
                data.index(reference, a) for a in (Analysis.OBSERVED_PAIRS, Analysis.COMPLETERS)
            ]
            frames.append(_delta_adjusted(primary[modelled], data))
        if reference == State.NONLESIONAL:
            matched = data.index(reference, Analysis.TIME_MATCHED)
            frames.append(matched[matched["pairs"] > 0])
        if adjusted is None:
            progress(f"no composition-adjusted index: {reason}")
        else:
            table = data.index(reference, Analysis.COMPOSITION_ADJUSTED, adjusted)
            frames.append(exploratory(table, COMPOSITION_REASON))
        if same_batch is not None:
            table = data.index(reference, Analysis.BATCH_ADJUSTED, same_batch)
            frames.append(exploratory(table, BATCH_REASON))
    index = stack(primaries).sort_values(KEYS, kind="stable", ignore_index=True)[COLUMNS]
    return IndexTables(index, _columns(stack(frames)), stack(effects)[DENOMINATOR_COLUMNS])


def _columns(table: pd.DataFrame) -> pd.DataFrame:
    """Columns and order of sensitivities.tsv."""
    table = table.reindex(columns=SENSITIVITY_COLUMNS)
    return table.sort_values(["analysis", *KEYS], kind="stable", ignore_index=True)


def exploratory(table: pd.DataFrame, why: str | pd.Series) -> pd.DataFrame:
    """Label the rows that have a number as exploratory."""
    numbers = table["status"].isin([Status.OK, Status.EXPLORATORY])
    return table.assign(
        status=table["status"].where(~numbers, Status.EXPLORATORY),
        reason=table["reason"].where(~numbers, why),
    )


def _sign_flips(data: IndexInput, primary: pd.DataFrame) -> pd.DataFrame:
    """The p-value of exchanging baseline and visit within patients, of every number."""
    numbers = primary[primary["ni"].notna()]
    names = [name for name in data.values.columns if name in set(numbers["name"])]
    table = PatientTable.of(data.values[names].to_numpy(dtype=float), data.observations)
    found: dict[tuple[str, float, str], float] = {}
    for arm, week in table.visits:
        flips = sign_flip_p(table.decrease(arm, week).values, np.random.default_rng(data.seed))
        found |= {(arm, week, name): p for name, p in zip(names, flips, strict=True)}
    keys = zip(numbers["arm"], numbers["week"], numbers["name"], strict=True)
    return numbers[[*KEYS, "pairs", "placebo_pairs", "status"]].assign(
        analysis=Analysis.SIGN_FLIPS,
        p_value=[found[key] for key in keys],
        reason_code="",
        reason="exact p-value of no change since baseline, of the patients who have both samples",
    )


def _delta_adjusted(modelled: pd.DataFrame, data: IndexInput) -> pd.DataFrame:
    """Take patients who missed a visit to be worse than the model says, in drug arms only.

    The share of the patients who missed it times delta is taken off NI and dNI, and off the ends
    of their intervals. Where nobody missed a visit there is no row.
    """
    delta = data.settings.delta
    share = (modelled["lost"] / (modelled["lost"] + modelled["pairs"])).astype(float)
    drug = ~modelled["arm"].isin([data.placebo_arm, Arm.UNTREATED])
    shift = delta * share.where(drug, 0.0)
    numbers = ["ni", "lower", "upper", "dni", "dni_lower", "dni_upper"]
    shifted = modelled[numbers].sub(shift, axis=0)
    why = share.map(lambda part: f"{part:.0%} of the patients missed the visit")
    return modelled.assign(
        **{column: shifted[column] for column in numbers},
        p_value=np.nan,
        analysis=Analysis.DELTA_ADJUSTED,
        reason=why + f"; they are taken to be {delta:g} of the disease effect worse",
    )[modelled["ni"].notna() & drug & (share > 0)]


# ---------------------------------------------------------------- composition

BATCH_REASON = "exploratory: the effects of batches are estimated in the same samples"
COMPOSITION_REASON = (
    "exploratory: composition is itself changed by the treatment; the index is of the disease "
    "effect that composition does not explain"
)
#: Observations beyond the group means that each component of composition must rest on.
OBSERVATIONS_PER_COMPONENT = 10
#: Components beyond this share of the variance of composition are noise.
EXPLAINED = 0.95


def adjust_for_composition(
    values: pd.DataFrame, observations: pd.DataFrame, composition: pd.DataFrame
) -> pd.DataFrame | None:
    """Remove from each score what composition explains among biopsies of one group.

    The slopes come from biopsies of the same arm, state and visit only, so that the disease and
    the treatment do not shape them. Composition is summarized by its first principal components,
    one for every ten observations at most.

    The adjusted scores are exploratory: composition is itself changed by treatment. ``None`` if
    there are too few observations or composition does not vary. All three tables have one row for
    each observation.
    """
    group = observations.groupby(["arm", "state", "week"], observed=True).ngroup().to_numpy()
    group = np.unique(group, return_inverse=True)[1]
    freedom = len(group) - (group.max(initial=-1) + 1)

    def within_groups(table: np.ndarray) -> np.ndarray:
        return table - average_rows(table, group)[group]

    inner = within_groups(composition.to_numpy(dtype=float))
    deviation = np.sqrt((inner**2).sum(axis=0) / max(freedom, 1))
    varies = deviation > 1e-9
    most = min(freedom // OBSERVATIONS_PER_COMPONENT, int(varies.sum()))
    if most < 1:
        return None
    scaled = composition.to_numpy(dtype=float)[:, varies] / deviation[varies]
    _, singular, axes = np.linalg.svd(within_groups(scaled), full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = min(most, int(np.searchsorted(share, EXPLAINED)) + 1)
    components = scaled @ axes[:kept].T
    within = within_groups(values.to_numpy(dtype=float))
    slopes = np.linalg.lstsq(within_groups(components), within, rcond=None)[0]
    return values - components @ slopes


def _without_composition(data: IndexInput) -> tuple[pd.DataFrame | None, str]:
    """Scores without composition, or why there are none."""
    usable = np.isfinite(data.values.to_numpy(dtype=float)).all(axis=0)
    role = (data.names["role"] == SetRole.COMPOSITION).to_numpy()
    if not (usable & role).any():
        return None, "no composition set was scored"
    signed = usable & ~role & (data.names["reason_code"] == "").to_numpy()
    adjusted = adjust_for_composition(
        data.values.loc[:, signed], data.observations, data.values.loc[:, usable & role]
    )
    return adjusted, "too few observations to estimate what composition explains"


def with_composition_genes(data: IndexInput, axes: list[DiseaseAxis]) -> pd.DataFrame:
    """Compute the index of axes that keep the genes of cell composition."""
    alone = replace(data, values=data.values.iloc[:, :0], names=data.names.iloc[:0])
    for axis in axes:
        alone = alone.with_axis(axis)
    why = "exploratory: genes that tell cell composition are on the axis"
    return stack(
        exploratory(alone.index(reference, Analysis.WITH_COMPOSITION_GENES), why)
        for reference in alone.references
    )


# ---------------------------------------------------------------- percent improvement

#: Published lists of disease genes: at least doubled or halved, and below 5 % false discovery
#: rate or p-value.
MINIMUM_EFFECT, THRESHOLD = 1.0, 0.05
#: Column of effects.tsv → how the literature writes it; both are in use.
SELECTIONS = {"fdr": "FDR < 0.05", "p_value": "P < 0.05"}
CIRCULAR = (
    "circular: genes and denominator come from the same baseline samples as the numerator, so "
    "even a useless drug seems to help; only for comparison with published figures"
)


def percent_improvement(
    log2: np.ndarray,
    genes: np.ndarray,
    observations: pd.DataFrame,
    lesional: pd.DataFrame,
    select_by: str = "fdr",
) -> pd.DataFrame:
    """Mean over the trial's own disease genes of 100 × (LS_t − LS_0) / (NL_0 − LS_0).

    The percentage of improvement of the literature, for comparison with published figures only.
    `lesional` holds the trial's own lesional − nonlesional effects at baseline; `select_by` says
    whether ``fdr`` or ``p_value`` is below 5 % in a disease gene. Unadjusted p-values are the more
    biased choice.

    One row per arm and week: percent_improvement (NaN with fewer than three patients or no disease
    gene), genes, pairs, note (how genes were chosen; always says that the figure is circular) and
    lacking (why there is no figure).
    """
    row = pd.Series(np.arange(len(genes)), index=genes)
    effects = lesional[lesional["gene"].isin(row.index)].sort_values("gene")
    disease = effects["log2_fold_change"].to_numpy(dtype=float)
    tested = effects[select_by].to_numpy(dtype=float)
    table = PatientTable.of(log2[row[effects["gene"]].to_numpy(dtype=int)].T, observations)
    size = np.abs(disease)
    rules = [
        Rule(~(tested < THRESHOLD), "", f"have {SELECTIONS[select_by]}", tested, "lowest"),
        Rule(~(size > MINIMUM_EFFECT), "", "at least double or halve", size, "largest"),
    ]
    chosen = ~(rules[0].refused | rules[1].refused)
    none_chosen = "no lesional − nonlesional effects in this cohort"
    if len(effects):
        none_chosen = f"no disease gene: {tell_rules(len(effects), rules)}"
    rows = []
    for arm, week in table.visits:
        change = table.decrease(arm, week)
        n, value, lacking = len(change.rows), np.nan, ""
        if n < FEWEST_PATIENTS:
            lacking = f"{n} patients with both samples, {FEWEST_PATIENTS} are required"
        elif not chosen.any():
            lacking = none_chosen
        else:
            value = 100 * (change.values[:, chosen].mean(axis=0) / disease[chosen]).mean()
        rows.append((arm, week, value, n, lacking))
    result = pd.DataFrame(rows, columns=["arm", "week", "percent_improvement", "pairs", "lacking"])
    return result.assign(
        genes=int(chosen.sum()),
        note=f"{CIRCULAR}; genes with fold change > 2 and {SELECTIONS[select_by]}",
    )


def percent_improvement_rows(
    data: Observations, lesional: pd.DataFrame, label_swap: str
) -> pd.DataFrame:
    """Write `percent_improvement` as rows of the index table, labelled circular."""
    found = percent_improvement(data.log2, data.genes, data.combined, lesional)
    value = found["percent_improvement"].to_numpy(dtype=float) / 100
    known = np.isfinite(value) & (label_swap == "")
    code = ReasonCode.DIRECTION_CONTRADICTED if label_swap else ReasonCode.NOT_SCORED
    with_genes = found["note"] + " (" + found["genes"].astype(str) + " genes)"
    rows = pd.DataFrame(
        {
            "analysis": Analysis.PERCENT_IMPROVEMENT,
            "reference": State.NONLESIONAL,
            "arm": found["arm"],
            "week": found["week"],
            "level": Level.GLOBAL,
            "name": DerivedScore.PERCENT_IMPROVEMENT,
            "ni": np.where(known, value, np.nan),
            "pairs": found["pairs"],
            "placebo_pairs": 0,
            "status": np.where(known, Status.EXPLORATORY, Status.NOT_AVAILABLE),
            "reason_code": np.where(known, "", code),
            "reason": np.where(known, with_genes, label_swap or found["lacking"]),
        }
    )
    return rows.reindex(columns=SENSITIVITY_COLUMNS)
