"""Questions that need scores only: coverage, refusals, power, regression to the mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from adnorm.index.normalization import normalization_index
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import DerivedScore, Status
from calibrate.trials import Arm, flare_trials, flare_truth, score_trials
from calibrate.verdicts import (
    BIASED,
    COVERAGE,
    FAIL,
    PASS,
    POINTS,
    REFUSED,
    Row,
    coverage_row,
    inside,
    median_row,
    share_row,
)

SETTINGS = IndexSettings(primary=(DerivedScore.GLOBAL,))
#: Trials on scores, which are cheap, for each one on genes.
SCORES = 4
#: Trials that are computed together.
CHUNK = 1000
#: True index of the placebo arm, where there is one; in the power table also of the drug.
PLACEBO, TRUE = 0.1, 0.5
SIZES, NOISES = (6, 8, 10, 15, 20, 30, 40), (0.15, 0.3, 0.6)


def chunks(trials: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Cut the trials into chunks that are computed together: how many, and their source of chance.

    Nothing is resampled, so that the trials of a chunk share nothing but their layout.
    """
    for number, start in enumerate(range(0, trials, CHUNK)):
        yield min(CHUNK, trials - start), np.random.default_rng([seed, number])


def indices(draw: Callable, trials: int, seed: int, placebo: str = "placebo") -> pd.DataFrame:
    """Compute the index of the drug arm in many trials; one row a trial.

    Parameters
    ----------
    draw
        Takes a source of chance and a number of trials; gives scores and observations.
    """
    frames = []
    for size, rng in chunks(trials, seed):
        values, observations = draw(rng, size)
        table = normalization_index(values, observations, "nonlesional", placebo, SETTINGS)
        frames.append(table[table["arm"] == "drug"])
    return pd.concat(frames, ignore_index=True)


def two_arms(share: float, patients: int, lost: int = 0) -> dict[str, Arm]:
    return {"drug": Arm(share, patients, lost), "placebo": Arm(PLACEBO, patients, lost)}


def coverage(trials: int) -> Iterator[Row]:
    """Coverage of the intervals of NI and dNI, on scores and on both axes."""
    asked = [(n, lost) for n in (8, 12, 20) for lost in (0, n // 4)] + [(5, 0), (4, 0)]
    for patients, lost in asked:
        for share in (0.0, 0.5, 1.0):
            arms = two_arms(share, patients, lost)
            table = indices(
                lambda rng, size, arms=arms: score_trials(rng, size, arms),
                SCORES * trials,
                seed=100 * patients + 10 * lost + int(2 * share),
            )
            gone = f", {lost} of them lost" if lost else ""
            where = f"true NI {share:g}, dNI {share - PLACEBO:.1f}; {patients} per arm{gone}"
            yield coverage_row("b coverage", where, table, share, share - PLACEBO)


def hard_coverage(trials: int) -> Iterator[Row]:
    """Show what the criterion does not ask and a reader should know."""
    arms = two_arms(0.5, 12, 3)
    for name, options, seed in (
        ("half of the patients respond fully, half not at all", {"split": True}, 61),
        ("the quarter that responds least leaves", {"leave": "without response"}, 62),
    ):
        table = indices(
            lambda rng, size, options=options: score_trials(rng, size, arms, **options),
            SCORES * trials,
            seed,
        )
        yield share_row(
            "b coverage, NI, beyond the criterion",
            f"true NI 0.5; 12 per arm, 3 lost; {name}; median NI {table['ni'].median():.2f}",
            inside(table, "lower", "upper", 0.5),
            expected="95 %",
        )


def no_signal_in_sets(trials: int) -> Iterator[Row]:
    """No disease effect: how often the index of a set is refused."""
    expected = f"NA in at least {REFUSED:g} %"
    for patients in (4, 9, 20):
        arms = two_arms(0.5, patients)
        table = indices(
            lambda rng, size, arms=arms: score_trials(rng, size, arms, disease=0.0),
            SCORES * trials,
            seed=30 + patients,
        )
        refused = (table["status"] == Status.NOT_AVAILABLE).to_numpy()
        yield share_row(
            "c no signal, sets", f"{patients} per arm", refused, REFUSED, None, expected
        )


def power(trials: int) -> pd.DataFrame:
    """Median width of the intervals against patients per arm and spread between patients.

    Returns
    -------
    DataFrame
        patients, biopsy (noise of one biopsy), spread (median standard error × √patients), ni, dni
        (median widths), found (share of trials whose dNI interval lies above 0).
    """
    rows = []
    for patients in SIZES:
        for noise in NOISES:
            table = indices(
                lambda rng, size, n=patients, noise=noise: score_trials(
                    rng, size, two_arms(TRUE, n), biopsy=noise
                ),
                SCORES * trials,
                seed=4000 + 100 * patients + int(100 * noise),
            )
            rows.append(
                {
                    "patients": patients,
                    "biopsy": noise,
                    "spread": table["standard_error"].median() * np.sqrt(patients),
                    "ni": (table["upper"] - table["lower"]).median(),
                    "dni": (table["dni_upper"] - table["dni_lower"]).median(),
                    "found": (table["dni_lower"] > 0).mean(),
                }
            )
    return pd.DataFrame(rows)


def power_rows(table: pd.DataFrame) -> Iterator[Row]:
    """Widths must fall with more patients, about as one over the square root."""
    for _, rows in table.groupby("biopsy"):
        widths = rows.set_index("patients")
        for name, column in (("NI", "ni"), ("dNI", "dni")):
            first, last = widths.loc[10, column], widths.loc[40, column]
            held = bool((widths[column].diff().dropna() < 0).all() and 1.8 < first / last < 2.6)
            yield Row(
                f"d power, width of {name}",
                f"spread {widths.loc[40, 'spread']:.2f}; 10 against 40 per arm",
                f"{first:.2f} against {last:.2f}",
                "falls with every step; four times the patients, about half the width",
                PASS if held else FAIL,
            )


def power_markdown(table: pd.DataFrame) -> str:
    """Lay out the power table: one line per size of arm, three columns per spread."""
    largest = table[table["patients"] == max(SIZES)].sort_values("biopsy")
    head = ["patients per arm"] + [
        f"{what}, spread {spread:.2f}"
        for spread in largest["spread"]
        for what in ("NI", "dNI", "found")
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for patients, rows in table.groupby("patients"):
        cells = [str(patients)]
        for row in rows.sort_values("biopsy").itertuples():
            cells += [f"{row.ni:.2f}", f"{row.dni:.2f}", f"{row.found:.0%}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def regression_to_the_mean(trials: int) -> Iterator[Row]:
    """Patients who entered in a flare: the plain and the placebo-adjusted index."""
    _, drift = flare_truth()
    for gain in (0.0, 0.3):
        arms = {"drug": Arm(gain, 12), "placebo": Arm(0.0, 12)}
        table = indices(
            lambda rng, size, arms=arms: flare_trials(rng, size, arms),
            SCORES * trials,
            seed=50 + int(10 * gain),
        )
        where = f"the drug takes {100 * gain:g} % of the disease effect at entry; 12 per arm"
        yield median_row(
            "e dNI − truth",
            where,
            100 * (table["dni"].to_numpy() - gain),
            -POINTS,
            POINTS,
            f"0, at most {POINTS:g} points off",
        )
        yield median_row(
            "e NI − truth (unadjusted)",
            where,
            100 * (table["ni"].to_numpy() - gain),
            BIASED,
            None,
            f"biased: {100 * drift:.1f} in closed form, above {BIASED:g} points",
        )
        yield share_row(
            "e coverage, dNI",
            where,
            inside(table, "dni_lower", "dni_upper", gain),
            *COVERAGE,
            f"95 %, within {COVERAGE[0]:g}–{COVERAGE[1]:g}",
        )
