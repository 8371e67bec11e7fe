"""Is the normalization index calibrated? Simulated trials with a known truth; prints a table.

``python benchmarks/calibration.py`` asks everything; it ends with an error if a criterion fails.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from calibrate.adjusted import TRIALS, unequal_arms
from calibrate.composition import sizes_of_samples
from calibrate.errors import type_one
from calibrate.genes import GENES, coverage_from_genes, no_signal_in_genes, null_drug, single_genes
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

#: Letter → what answers it; the power table is laid out apart.
QUESTIONS: dict[str, tuple[Callable[[int], Iterator[Row]], ...]] = {
    "a": (null_drug,),
    "b": (coverage, coverage_from_genes, hard_coverage),
    "c": (no_signal_in_sets, no_signal_in_genes),
    "d": (),
    "e": (regression_to_the_mean,),
    "f": (type_one,),
    "g": (single_genes,),
    "h": (unequal_arms,),
    "i": (sizes_of_samples,),
}
INTRODUCTION = """# Calibration

Simulated trials with a known truth, judged by adnorm's own functions; written by
`python benchmarks/calibration.py --table benchmarks/calibration.md`.

Scores: every patient has normal skin of their own, a disease effect (mean 1, standard deviation
0.3) and a response (standard deviation 0.25 around the true index), and every biopsy adds noise
(standard deviation 0.3); {scores:,} trials a setting, intervals from 2,000 resamples. Genes:
{genes:,} of them, the diseased ones with effects of 1.5 log2 steps on average in either direction,
patients of different severity (standard deviation 0.3), noise of 0.8 in every biopsy, the axis
trained on three other cohorts of 15 patients in which the disease differs a little, or
cross-fitted; {trials:,} trials a setting. Under regression to the mean patients enter because the
clinic sees them in a flare that is over at the visit; for single genes a fifth as many cohorts are
drawn as trials. Unequal arms: the score at the visit follows the one at baseline (slope 0.6), and
the spread is the ratio of the residual standard deviations, drug against placebo; {unequal:,}
trials a setting, the worst one first. Sizes of samples: cohorts of counts in which twelve genes,
30 % of the reads, rise 2.3-fold in lesions and nothing else changes; an offset moves every gene.

± is the Monte-Carlo error; 100 points are an index of 1; NA are trials in which the index was
refused; `shown` has no criterion and is there because a reader should know it."""
PLANNING = f"""## Planning a trial

Median width of the 95 % interval of NI and dNI, one drug and one placebo arm of the stated size,
true NI {TRUE:g} and true dNI {TRUE - PLACEBO:g}; *found* is the share of trials whose interval of
dNI lies above 0. The *spread* is what patients differ by, on the scale of the index: of a pilot,
`standard_error` × √`pairs` in index.tsv."""


def document(rows: list[Row], widths: pd.DataFrame | None, trials: int) -> str:
    """Say how the trials were drawn, then show the tables."""
    parts = [
        INTRODUCTION.format(
            trials=trials, scores=SCORES * trials, genes=GENES, unequal=TRIALS * trials
        ),
        markdown(rows),
    ]
    if widths is not None:
        parts += [PLANNING, power_markdown(widths)]
    return "\n\n".join(parts) + "\n"


def answer(letters: list[str], trials: int) -> tuple[list[Row], pd.DataFrame | None]:
    """Answer the questions in order; the power table comes with question d."""
    rows: list[Row] = []
    widths = None
    for letter in letters:
        if letter == "d":
            widths = power(trials)
            rows += power_rows(widths)
        for ask in QUESTIONS[letter]:
            rows += ask(trials)
        print(f"{letter}: done", file=sys.stderr)
    return rows, widths


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the normalization index on known truth.")
    parser.add_argument(
        "--trials",
        type=int,
        default=500,
        help=f"trials on genes a setting (default: 500); {SCORES} times as many on scores",
    )
    parser.add_argument("--only", default=",".join(QUESTIONS), help="questions, for example a,b")
    parser.add_argument("--table", type=Path, help="where to write the tables as Markdown")
    found = parser.parse_args(arguments)
    found.only = found.only.split(",")
    unknown = sorted(set(found.only) - set(QUESTIONS))
    if unknown:
        parser.error(f"unknown questions {', '.join(unknown)}; known: {', '.join(QUESTIONS)}")
    if found.trials < 10:
        parser.error("give at least 10 trials")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Ask, print the tables, and return 1 if a criterion fails."""
    options = parse(arguments)
    rows, widths = answer(options.only, options.trials)
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
