"""Questions that need genes: both axes, the literature's figure, the index of single genes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from adnorm.effects.design import plan_fits
from adnorm.effects.fit import fit_effects
from adnorm.effects.observations import Observations
from adnorm.index.axis import DiseaseAxis, disease_axis
from adnorm.index.genes import gene_index
from adnorm.index.normalization import normalization_index
from adnorm.index.sensitivities import percent_improvement
from adnorm.index.teaching import Teaching
from adnorm.index.training_cohorts import COLUMNS, CONTRAST
from adnorm.study.comparisons import derive_design
from adnorm.study.config import EffectsSettings
from adnorm.study.diseases import ATOPIC_DERMATITIS
from adnorm.study.vocabulary import AxisSource, Level, Status
from calibrate.scores import CHUNK, SETTINGS
from calibrate.trials import WEEK, draw_disease, gene_trial
from calibrate.verdicts import (
    BIASED,
    POINTS,
    REFUSED,
    SHOWN,
    Row,
    coverage_row,
    inside,
    judge,
    median_row,
    not_available,
    share_row,
)

EFFECTS = EffectsSettings()
#: Trials that share the disease and the cohorts that teach its axis.
BLOCK = 5
GENES, JUDGED, TEACHERS, TEACHING = 2000, 9, ("first", "second", "third"), 15


def gene_names() -> np.ndarray:
    return np.array([f"G{i:05d}" for i in range(GENES)])


def observed(cohort: str, log2: np.ndarray, observations: pd.DataFrame) -> Observations:
    facts = {"cohort": cohort, "simulated": True, "disease": ATOPIC_DERMATITIS, "assay": "array"}
    return Observations(observations, observations, gene_names(), log2, None, None, facts)


def lesional_effects(data: Observations) -> pd.DataFrame:
    """Compute the paired lesional − nonlesional effects of a cohort, as the effects stage does."""
    design = derive_design(data.combined, None, 3)
    plans, _ = plan_fits(data.combined, design.supported)
    effects = fit_effects(data, plans, EFFECTS)
    return effects[effects["contrast"] == CONTRAST].assign(
        cohort=data.facts["cohort"], disease=ATOPIC_DERMATITIS, simulated="yes"
    )


def teach(rng: np.random.Generator, disease: np.ndarray) -> pd.DataFrame:
    """Draw the other cohorts, in which the disease is like this one up to a factor per gene."""
    return pd.concat(
        [
            lesional_effects(observed(name, *gene_trial(rng, disease * factor, TEACHING)))
            for name in TEACHERS
            for factor in [rng.lognormal(0, 0.2, len(disease))]
        ]
    )


def global_indices(
    trials: int,
    seed: int,
    share: float,
    true: float,
    patients: int = JUDGED,
    here: bool = True,
    sources: tuple[str, ...] = (AxisSource.CROSS_FIT, AxisSource.OTHER_COHORTS),
    figure: bool = False,
) -> tuple[dict[str, pd.DataFrame], np.ndarray]:
    """Compute the global index of single-arm trials on both axes that adnorm takes.

    Parameters
    ----------
    trials, seed
        How many, and the source of chance.
    share
        Part of the genes that is diseased.
    true
        The true index.
    patients
        In the one arm.
    here
        Whether the judged cohort has the disease too, or only the others.
    sources
        Axes that are asked.
    figure
        Whether the literature's figure is asked too.

    Returns
    -------
    tables : dict
        By axis: one row per trial, as `normalization_index` gives it.
    figures : ndarray
        The literature's figure in points, one per trial; empty unless it was asked.
    """
    scores = {source: [] for source in sources}
    figures = []
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        if trial % BLOCK == 0:
            disease = draw_disease(rng, GENES, share)
            lesional = {
                AxisSource.CROSS_FIT: Teaching.of(pd.DataFrame(columns=COLUMNS)),
                AxisSource.OTHER_COHORTS: Teaching.of(teach(rng, disease)),
            }
        data = observed("judged", *gene_trial(rng, here * disease, patients, true))
        for source in sources:
            scores[source].append(disease_axis(data, lesional[source], {}, SETTINGS, trial))
        if figure:
            found = percent_improvement(
                data.log2, data.genes, data.combined, lesional_effects(data), "p_value"
            )
            figures.append(found["percent_improvement"].iloc[0])
    tables = {source: _judge_axes(axes, data) for source, axes in scores.items()}
    return tables, np.array(figures, dtype=float)


def _judge_axes(axes: list[DiseaseAxis], data: Observations) -> pd.DataFrame:
    """Compute the indices of trials that have the same layout, some at a time."""
    frames = []
    for start in range(0, len(axes), CHUNK):
        part = {f"trial {start + i:04d}": a for i, a in enumerate(axes[start : start + CHUNK])}
        names = pd.DataFrame(
            [(Level.GLOBAL, axis.reason_code, axis.reason) for axis in part.values()],
            columns=["level", "reason_code", "reason"],
            index=list(part),
        )
        values = pd.DataFrame({name: axis.scores for name, axis in part.items()})
        frames.append(
            normalization_index(values, data.combined, "nonlesional", None, SETTINGS, names)
        )
    return pd.concat(frames, ignore_index=True)


def null_drug(trials: int) -> Iterator[Row]:
    """Give a drug without effect: index on both axes, and the literature's figure."""
    for share in (0.02, 0.10):
        tables, figures = global_indices(trials, 11 + int(100 * share), share, 0.0, figure=True)
        where = f"true 0, {JUDGED} patients, {share:.0%} of {GENES:,} genes diseased"
        for source, table in tables.items():
            yield median_row(
                "a null drug, median NI",
                f"axis: {source}; {where}{not_available(table)}",
                100 * table["ni"].to_numpy(),
                -POINTS,
                POINTS,
                f"0, at most {POINTS:g} points off",
            )
        least = BIASED if share == 0.02 else POINTS
        yield median_row(
            "a null drug, literal index (circular)",
            f"own genes, fold change > 2 and P < .05; {where}",
            figures,
            least,
            None,
            f"biased: above {least:g} points",
        )


def coverage_from_genes(trials: int) -> Iterator[Row]:
    """Coverage of the intervals of the global index on both axes."""
    for patients in (6, 9, 15):
        for share in (0.0, 0.5, 1.0):
            seed = 21 + int(2 * share) + 10 * patients
            # Either tail is judged, which asks for more trials than their sum.
            tables, _ = global_indices(2 * trials, seed, 0.10, share, patients)
            for source, table in tables.items():
                where = f"true NI {share:g}; {patients} patients in one arm; axis: {source}"
                row = coverage_row("b coverage, from genes", where, table, share)
                # The criterion is for 9 patients and more.
                yield row if patients >= JUDGED else replace(row, verdict=SHOWN, expected="95 %")


def no_signal_in_genes(trials: int) -> Iterator[Row]:
    """No disease effect here: how often the global index is refused."""
    expected = f"NA in at least {REFUSED:g} %"
    for share, sources, said in (
        (
            0.0,
            (AxisSource.CROSS_FIT, AxisSource.OTHER_COHORTS),
            "no gene is diseased in any cohort",
        ),
        (0.10, (AxisSource.OTHER_COHORTS,), "10 % diseased in the other cohorts, none here"),
    ):
        tables, _ = global_indices(
            trials, 31 + int(100 * share), share, 0.0, here=False, sources=sources
        )
        for source in sources:
            yield share_row(
                "c no signal, global",
                f"axis: {source}; {JUDGED} patients; {said}",
                (tables[source]["status"] == Status.NOT_AVAILABLE).to_numpy(),
                REFUSED,
                None,
                expected,
            )


def single_genes(trials: int) -> Iterator[Row]:
    """Coverage of the intervals of single genes; a tenth of the genes is diseased."""
    for share in (0.0, 0.5, 1.0):
        hits, known = [], []
        for trial in range(max(trials // 5, 2)):
            rng = np.random.default_rng([90, int(2 * share), trial])
            disease = draw_disease(rng, GENES, 0.10)
            log2, observations = gene_trial(rng, disease, JUDGED, share)
            table = gene_index(log2, gene_names(), observations, "nonlesional", SETTINGS.confidence)
            mine = table[(disease != 0) & (table["week"] == WEEK).to_numpy()]
            known.append(mine["ni"].notna().mean())
            hits.append(inside(mine, "lower", "upper", share).mean())
        error = 100 * np.std(hits, ddof=1) / np.sqrt(len(hits))
        yield judge(
            "g single genes, coverage of NI_g",
            f"true {share:g}; {JUDGED} patients; {np.mean(known):.0%} of diseased genes estimable",
            100 * float(np.mean(hits)),
            error,
            "%",
            expected="95 % (no criterion)",
        )
