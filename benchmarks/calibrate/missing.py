"""Missing visits: the model of repeated measures against the patients who stayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adnorm.index.normalization import normalization_index
from adnorm.study.vocabulary import Analysis
from calibrate.scores import SETTINGS, chunks
from calibrate.trials import BIOPSY, LEVEL, SEVERITY
from calibrate.verdicts import COVERAGE, FAIL, PASS, POINTS, SHOWN, Row, inside

EARLY, LATE = 4.0, 12.0
#: Share of the disease effect that is gone at either visit, by arm.
SHARES = {"drug": (0.4, 0.6), "placebo": (0.05, 0.1)}
QUESTION = "n missing visits"


def course_trials(
    rng: np.random.Generator, trials: int, patients: int, why: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw trials of two arms and two visits, in which a third of each arm misses the last one.

    `why` says who: ``at random``, ``given week 4`` (mostly those who responded least by then) or
    ``given week 12`` (mostly those who respond least then, which nobody sees).
    """
    rows, scores = [], []
    lost = patients // 3
    for arm, (early, late) in SHARES.items():
        shape = (patients, trials)
        normal = rng.normal(0, LEVEL, shape)
        effect = 1 + rng.normal(0, SEVERITY, shape)
        own = rng.normal(0, 0.35, shape)
        seen = {
            ("nonlesional", 0.0): normal,
            ("lesional", 0.0): normal + effect,
            ("lesional", EARLY): normal + effect - early - own,
            ("lesional", LATE): normal + effect - late - own + rng.normal(0, 0.15, shape),
        }
        seen = {key: value + rng.normal(0, BIOPSY, shape) for key, value in seen.items()}
        week = {"given week 4": EARLY, "given week 12": LATE}.get(why, 0.0)
        # At random: of baseline − baseline nothing is left but the noise.
        decrease = seen["lesional", 0.0] - seen["lesional", week]
        # Patients are interchangeable, so those who leave may stand first.
        order = np.argsort(decrease + rng.normal(0, 0.3, shape), axis=0)
        for (state, visit), values in seen.items():
            first = lost if visit == LATE else 0
            scores.append(np.take_along_axis(values, order, axis=0)[first:])
            rows += [(f"{arm} {i:02d}", state, visit, arm) for i in range(first, patients)]
    observations = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    names = [f"trial {i:04d}" for i in range(trials)]
    return pd.DataFrame(np.vstack(scores), columns=names), observations


def missing_visits(trials: int) -> Iterator[Row]:
    """Bias and coverage at week 12, by the model and by those who stayed."""
    for why in ("at random", "given week 4", "given week 12"):
        for patients in (12, 24):
            yield from _setting(why, patients, 2 * trials)


def _setting(why: str, patients: int, trials: int) -> Iterator[Row]:
    found = {analysis: [] for analysis in (Analysis.PRIMARY, Analysis.OBSERVED_PAIRS)}
    for size, rng in chunks(trials, 7100 + patients + len(why)):
        values, observations = course_trials(rng, size, patients, why)
        for analysis, frames in found.items():
            table = normalization_index(
                values, observations, "nonlesional", "placebo", SETTINGS, None, analysis
            )
            frames.append(table[(table["arm"] == "drug") & (table["week"] == LATE)])
    for analysis, frames in found.items():
        yield from _rows(pd.concat(frames), analysis, why, patients)


def _rows(table: pd.DataFrame, analysis: Analysis, why: str, patients: int) -> Iterator[Row]:
    asked = analysis == Analysis.PRIMARY and why != "given week 12"
    method = "MMRM" if analysis == Analysis.PRIMARY else "observed pairs"
    drug, placebo = SHARES["drug"][1], SHARES["placebo"][1]
    for name, column, prefix, true in (
        ("NI", "ni", "", drug),
        ("dNI", "dni", "dni_", drug - placebo),
    ):
        known = table[table[column].notna()]
        off = 100 * float(known[column].median() - true)
        error = 125 * known[column].std() / np.sqrt(len(known))
        covered = 100 * inside(known, f"{prefix}lower", f"{prefix}upper", true).mean()
        held = abs(off) <= POINTS + 2 * error and COVERAGE[0] - 1 <= covered <= COVERAGE[1] + 1
        yield Row(
            f"{QUESTION}, {name} by {method}",
            f"{patients} per arm, a third misses week 12, {why}",
            f"{off:+.1f} ± {error:.1f} points, coverage {covered:.1f} %",
            f"at most {POINTS:g} points off, 95 %" if asked else "",
            SHOWN if not asked else PASS if held else FAIL,
        )
