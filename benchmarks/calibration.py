"""Is the normalization index calibrated? Simulated trials with a known truth; prints a table.

``python benchmarks/calibration.py`` asks everything; it ends with an error if a criterion fails.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from calibrate.adjusted import TRIALS, unequal_arms
from calibrate.classes import classes
from calibrate.clinic import skin_and_clinic
from calibrate.composition import sizes_of_samples
from calibrate.controls import GENES as GENES_OF_PLACES
from calibrate.controls import controls
from calibrate.dose import dose_trend
from calibrate.generators import other_generators
from calibrate.genes import GENES, coverage_from_genes, no_signal_in_genes, null_drug, single_genes
from calibrate.lesions import lesions_of_one_patient
from calibrate.missing import missing_visits
from calibrate.patients import single_patients
from calibrate.psort import VARIABLE, real_patients
from calibrate.scores import (
    PLACEBO,
    SCORES,
    TRUE,
    coverage,
    hard_coverage,
    no_signal_in_sets,
    power,
    power_markdown,
    power_rows,
    regression_to_the_mean,
)
from calibrate.verdicts import FAIL, Row, markdown
from calibrate.weak import weak_differences, weak_effects

#: Begun first, so that no process is left alone with them at the end.
LONGEST = "abogm"
#: Letter → what answers it; the power table is laid out apart.
QUESTIONS: dict[str, tuple[Callable[[int], Iterator[Row]], ...]] = {
    "a": (null_drug,),
    "b": (coverage, other_generators, coverage_from_genes, hard_coverage),
    "c": (no_signal_in_sets, no_signal_in_genes),
    "d": (),
    "e": (regression_to_the_mean,),
    "g": (single_genes,),
    "h": (unequal_arms,),
    "i": (sizes_of_samples,),
    "j": (skin_and_clinic,),
    "k": (classes,),
    "l": (dose_trend,),
    "m": (single_patients,),
    "n": (missing_visits,),
    "o": (weak_effects, weak_differences),
    "q": (controls,),
    "r": (real_patients,),
    "s": (lesions_of_one_patient,),
}
INTRODUCTION = """# Calibration

Simulated trials with a known truth, judged by adnorm's own functions; written by
`python benchmarks/calibration.py --table benchmarks/calibration.md`.

Scores: every patient has normal skin of their own, a disease effect (mean 1, standard deviation
0.3) and a response (standard deviation 0.25 around the true index), and every biopsy adds noise
(standard deviation 0.3); {scores:,} trials a setting. Genes: {genes:,} of them, the diseased ones
with effects of 1.5 log2 steps on average in either direction, patients of different severity
(standard deviation 0.3), noise of 0.8 in every biopsy, the axis trained on three other cohorts of
15 patients in which the disease differs a little, or cross-fitted; {trials:,} trials a setting,
twice as many for coverage.
Under regression to the mean patients enter because the clinic sees them in a flare that is over
at the visit; for single genes a fifth as many cohorts are drawn as trials. Unequal arms: the
score at the visit follows the one at baseline (slope 0.6), and the spread is the ratio of the
residual standard deviations, drug against placebo; {unequal:,} trials a setting, the worst one
first. Sizes of samples: cohorts of counts in which twelve genes, 30 % of the reads, rise 2.3-fold
in lesions and nothing else changes; an offset moves every gene. Other noise: everything of a
patient and a biopsy is drawn with heavy tails (t4) or skewed, or scores come from negative binomial
counts of genes with a factor that the genes of a biopsy share. Missing visits: a third of each arm
has no biopsy at week 12, and the row says who; the model of repeated measures against those who
stayed. Weak disease effects: one arm whose disease effect is the stated number of its standard
errors away from 0; what is said is the median of the trials that get a number. Of two arms: dNI of
a drug that does nothing, as placebo does.
Lesions of one patient: one under the drug and one under vehicle; they share what the patient does
(standard deviation 0.25) and differ by 0.1 in their response and by 0.2 before treatment.
Drug classes: trials of two classes without a difference, their standard errors known (uniform) or
estimated; *between* is the standard deviation between the trials of a class. Dose trend: no dose
does anything (coverage: a slope of 0.2 a step); placebo stands first, the spread is that of the
responses (0.4 where it is 1), and of five patterns of spread the worst is shown.
Skin and clinic: a score and EASI that have nothing in common but what the row says.

Real patients (`--psort`): PSORT, psoriasis under adalimumab or ustekinumab, module scores of
lesional and nonlesional skin at weeks 0, 1 and 12 (repository C4TB/PSORT, not part of the
project). Trials are drawn from those who have all samples, with replacement, so that no finite
population has to be corrected for; the axis is that of the patients not drawn, and the value to be
held is the full cohort's on the same axis; {scores:,} trials a setting. Nonlesional skin at week
12 against 0 takes the place of an arm as a control; these patients take a systemic drug, so its
full-cohort value need not be 0. Pairs whose labels seem exchanged (`exchanged_states`) are left
out, then kept; false alarms and swaps that are found are counted in draws of which one pair was
exchanged.
Single patients: the true index of a drug lies anywhere between 0 and 1 (placebo: −0.1 to 0.4),
responses of its patients spread by 0.15 to 0.4, and come at once, with the logarithm of time, or
between them; designs with two and three visits after baseline, with and without placebo, are asked
together. The settings stand with the worst first; patients of one trial share its estimates, which
the Monte-Carlo error counts.
Controls: two sets of 12 genes with noise of 0.35 log2, and 0.15 more that the genes of a sample
share. Random sets: {genes_of_places:,} genes, 24 of them the set, with noise of 0.5 log2 that
differs between genes (standard deviation of its logarithm 0.35).

± is the Monte-Carlo error; 100 points are an index of 1; NA are trials in which the index was
refused; intervals of b pass within two Monte-Carlo errors of their limits; `shown` has no criterion
and is there because a reader should know it."""
PLANNING = f"""## Planning a trial

Median width of the 95 % interval of NI and dNI, one drug and one placebo arm of the stated size,
true NI {TRUE:g} and true dNI {TRUE - PLACEBO:g}; *found* is the share of trials whose interval of
dNI lies above 0. The *spread* is what patients differ by, on the scale of the index: of a pilot,
`standard_error` × √`pairs` in index.tsv."""


def document(rows: list[Row], widths: pd.DataFrame | None, trials: int) -> str:
    """Say how the trials were drawn, then show the tables."""
    parts = [
        INTRODUCTION.format(
            trials=trials,
            scores=SCORES * trials,
            genes=GENES,
            unequal=TRIALS * trials,
            genes_of_places=GENES_OF_PLACES,
        ),
        markdown(rows),
    ]
    if widths is not None:
        parts += [PLANNING, power_markdown(widths)]
    return "\n\n".join(parts) + "\n"


def answer(letters: list[str], trials: int, jobs: int = 1) -> tuple[list[Row], pd.DataFrame | None]:
    """Answer the questions, several at a time; the power table comes with question d."""
    asked = [
        (letter, ask)
        for letter in letters
        for ask in (*QUESTIONS[letter], *[power] * (letter == "d"))
    ]
    rows: list[Row] = []
    widths = None
    # Forked, so that questions are those of this process.
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        # The long ones first.
        order = sorted(asked, key=lambda task: LONGEST.find(task[0]) if task[0] in LONGEST else 99)
        found = {task: pool.submit(_timed, *task, trials) for task in order}
        for task in asked:
            answers = found[task].result()
            if task[1] is power:
                widths = answers
                rows += power_rows(widths)
            else:
                rows += answers
    return rows, widths


def _timed(letter: str, ask: Callable, trials: int) -> list[Row] | pd.DataFrame:
    start = time.process_time()
    found = ask(trials)
    found = found if isinstance(found, pd.DataFrame) else list(found)
    print(f"{letter} {ask.__name__}: {time.process_time() - start:.0f} s", file=sys.stderr)
    return found


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the normalization index on known truth.")
    parser.add_argument(
        "--trials",
        type=int,
        default=500,
        help=f"trials on genes a setting (default: 500); {SCORES} times as many on scores",
    )
    parser.add_argument("--only", default=",".join(QUESTIONS), help="questions, for example a,b")
    parser.add_argument(
        "--psort",
        type=Path,
        help=f"folder of the PSORT tables for question r (default: {VARIABLE}; else it is skipped)",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--table", type=Path, help="where to write the tables as Markdown")
    found = parser.parse_args(arguments)
    found.only = found.only.split(",")
    unknown = sorted(set(found.only) - set(QUESTIONS))
    if unknown:
        parser.error(f"unknown questions {', '.join(unknown)}; known: {', '.join(QUESTIONS)}")
    if found.psort:
        os.environ[VARIABLE] = str(found.psort)
    if found.trials < 10:
        parser.error("give at least 10 trials")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Ask, print the tables, and return 1 if a criterion fails."""
    options = parse(arguments)
    rows, widths = answer(options.only, options.trials, options.jobs)
    text = document(rows, widths, options.trials)
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    failed = [row for row in rows if row.verdict == FAIL]
    for row in failed:
        print(f"failed: {row.question}: {row.setting}: {row.measured}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
