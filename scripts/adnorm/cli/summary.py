"""Where the report of a finished run is, and its main numbers in a few lines.

The level of the intervals stands in the configuration of the run."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from adnorm.base.errors import AdnormError
from adnorm.base.text import per_cent
from adnorm.cli import configuration
from adnorm.cli.terminal import say, say_json
from adnorm.study.vocabulary import (
    DISAGREES,
    Analysis,
    BatchVerdict,
    ComparisonKind,
    DrugFamily,
    Method,
    Moves,
    SetStatus,
    drug_family,
)

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = """examples:
  adnorm summary results/demo
  adnorm summary --configfile my_run.yaml       the results of this run
  adnorm summary results/demo --json
"""
#: The sets that the project is about, in the order in which they are told.
HEADLINE_SETS = (
    "itch_core_skin_up",
    "barrier_terminal_differentiation_down",
    "barrier_hyperproliferation_up",
)


@dataclass(frozen=True)
class Levels:
    """Confidence of the intervals of effects and index; ``None`` where it is not known."""

    effects: float | None = None
    index: float | None = None


UNKNOWN = Levels()


class Headline(NamedTuple):
    """The main numbers of a cohort; those with a JAK inhibitor go first, untreated ones last."""

    rank: int
    heading: str
    lines: list[str]


class Summary(TypedDict):
    """What a run says in short: the cohort that is told first, the others, and what is missing."""

    results: str
    report: str | None
    heading: str
    lines: list[str]
    others: list[str]
    cohorts: int
    unfinished: list[str]


class _Answer(NamedTuple):
    """A comparison that can be told: drugs against placebo first, then the highest dose."""

    against_placebo: bool
    dose: float
    week: float
    contrast: str
    arm: str
    reason: str


def _headline(folder: Path, levels: Levels) -> Headline | None:
    """Choose what to tell of one cohort by its design alone, never by its outcome.

    The highest dose against placebo at the last visit; without placebo its change from baseline;
    without treatment lesional against non-lesional skin.
    """
    from adnorm.base.tables import read_table

    samples = read_table(folder / "expression" / "samples.tsv")
    comparisons = read_table(folder / "expression" / "comparisons.tsv")
    supported = comparisons[comparisons["supported"] == "yes"]
    arms = samples.drop_duplicates("arm").set_index("arm")
    moved = _moved_controls(folder / "effects" / "controls.tsv")
    aliased = _aliased(comparisons)
    answers = _answers(supported, arms["dose_mg"], _placebo_arm(folder))
    if answers:
        chosen = max(answers, key=lambda answer: answer[:3])
        family = drug_family(str(arms.loc[chosen.arm, "drug_class"]))
        rank = 0 if family == DrugFamily.JAK_INHIBITOR else 1
        files = [folder / "index" / f"{name}.tsv" for name in ("index", "sensitivities")]
        lines = []
        if all(file.is_file() for file in files):
            index, sensitivities = map(read_table, files)
            lines = _index_lines(index, sensitivities, chosen, levels)
        if lines:
            heading = f"{folder.name} · normalization index · {lines[0]}"
            return Headline(rank, heading, [*moved, *aliased, *lines[1:]])
        contrast, reason = chosen.contrast, chosen.reason
    else:
        disease = supported[supported["contrast"] == f"{ComparisonKind.LESIONAL_NONLESIONAL}@0"]
        if disease.empty:
            return None
        rank, contrast, reason = 2, disease["contrast"].iloc[0], disease["reason"].iloc[0]
    effects = read_table(folder / "effects" / "set_effects.tsv")
    effects = effects[(effects["contrast"] == contrast) & (effects["method"] == Method.ZSCORE)]
    heading = f"{folder.name} · {contrast} · signed z score · {reason}"
    return Headline(rank, heading, [*moved, *aliased, *_effect_lines(effects, levels)])


def _aliased(comparisons: pd.DataFrame) -> list[str]:
    """Say that batches cannot be told from what is compared, before any number."""
    batch = comparisons.get("batch")
    count = 0 if batch is None else int((batch == BatchVerdict.ALIASED).sum())
    if not count:
        return []
    return [f"  batches cannot be told from {count} comparisons: see comparisons.tsv"]


def _moved_controls(table: Path) -> list[str]:
    """Say that negative controls move, before any number."""
    from adnorm.base.tables import read_table

    controls = read_table(table)
    tested, moved = controls["moves"].notna().sum(), (controls["moves"] == Moves.YES).sum()
    if not moved:
        return []
    return [f"  negative controls move in {moved} of {tested} comparisons: see {table}"]


def _placebo_arm(folder: Path) -> str:
    """Read which arm is placebo; empty when none is."""
    import h5py

    with h5py.File(folder / "expression" / "expression.h5ad", "r") as file:
        return file["uns/adnorm/placebo_arm"].asstr()[()]


def _answers(supported: pd.DataFrame, doses: pd.Series, placebo_arm: str) -> list[_Answer]:
    """List the changes of drugs under their exact names, from baseline and beyond placebo."""
    answers = []
    columns = (supported[column] for column in ("contrast", "kind", "reason"))
    for contrast, kind, reason in zip(*columns, strict=True):
        name, _, week = contrast.removeprefix("change:").rpartition("@")
        beyond = kind == ComparisonKind.CHANGE_DIFFERENCE
        if beyond and not (placebo_arm and name.endswith(f"-{placebo_arm}")):
            continue
        arm = name.removesuffix(f"-{placebo_arm}") if beyond else name
        if (beyond or kind == ComparisonKind.CHANGE) and arm in doses:
            dose = doses[arm] if doses[arm] == doses[arm] else 0.0
            answers.append(_Answer(beyond, dose, float(week), contrast, arm, reason))
    return answers


def _interval(lower: float, upper: float, form: str, level: float | None) -> str:
    name = f"{per_cent(level)} CI" if level else "CI"
    return f"{name} {lower:{form}} to {upper:{form}}"


def _index_lines(
    index: pd.DataFrame, sensitivities: pd.DataFrame, answer: _Answer, levels: Levels
) -> list[str]:
    """Tell the index of an arm at a visit: a heading, then a line for each headline set."""
    rows = index[
        (index["arm"] == answer.arm)
        & (index["week"] == answer.week)
        & index["name"].isin(HEADLINE_SETS)
        & index["ni"].notna()
    ]
    if rows.empty:
        return []
    reference = rows["reference"].iloc[0]
    heading = f"{answer.arm}, week {answer.week:g} · 0 = as before treatment"
    lines = [f"{heading}, 1 = level of {reference} skin"]
    for row in rows[rows["reference"] == reference].set_index("name").itertuples():
        adjusted = ""
        if row.dni == row.dni:
            adjusted = (
                f"; against placebo {row.dni:.2f} ({row.dni_lower:.2f} to {row.dni_upper:.2f})"
            )
        if row.adjusted_p_value == row.adjusted_p_value:
            small = row.adjusted_p_value < 0.001
            adjusted += f", adjusted p {'< 0.001' if small else f'= {row.adjusted_p_value:.2g}'}"
        # Only two one-sided tests say so, never an index near 1.
        if row.as_reference == "yes":
            adjusted += f"; as {reference} skin"
        interval = _interval(row.lower, row.upper, ".2f", levels.index)
        lines.append(f"  {row.Index:<40} {row.ni:.2f} ({interval}){adjusted}; {row.pairs} pairs")
    return [*lines, *_on_ssgsea(sensitivities, answer, reference)]


def _on_ssgsea(sensitivities: pd.DataFrame, answer: _Answer, reference: str) -> list[str]:
    """Count the indices that ssGSEA contradicts, for readers who trust that score."""
    rows = sensitivities[
        (sensitivities["analysis"] == Analysis.SSGSEA)
        & (sensitivities["arm"] == answer.arm)
        & (sensitivities["week"] == answer.week)
        & (sensitivities["reference"] == reference)
    ]
    if rows.empty:
        return []
    apart = rows["reason"].fillna("").astype(str).str.contains(DISAGREES, regex=False)
    compared = int((apart | rows["ni"].notna()).sum())
    return [f"  ssGSEA disagrees with the signed z score in {apart.sum()} of {compared} indices"]


def _effect_lines(effects: pd.DataFrame, levels: Levels) -> list[str]:
    """Tell the effect of one contrast on each headline set."""
    found = {row["set"]: row for row in effects.to_dict("records")}
    lines = []
    for name in (name for name in HEADLINE_SETS if name in found):
        row = found[name]
        flag = "" if row["status"] == SetStatus.OK else f" [{row['status'].replace('_', ' ')}]"
        value = "NA"
        if row["change"] == row["change"]:
            interval = _interval(row["lower"], row["upper"], "+.2f", levels.effects)
            value = f"{row['change']:+.2f} ({interval}, FDR {row['fdr']:.2g})"
        lines.append(f"  {name:<40} {value}{flag}")
    return lines


def gather(results: Path, levels: Levels = UNKNOWN) -> Summary:
    """Gather where the report is and the most important numbers of a run.

    Raises
    ------
    AdnormError
        The folder holds no finished cohort.
    """
    from adnorm.study.reading import RESERVED

    cohorts = sorted(p.parent for p in results.glob("*/logs") if p.parent.name not in RESERVED)
    folders = [c for c in cohorts if _finished(c / "figures" / "overview.html")]
    if not folders:
        raise AdnormError(
            f"{results}: no finished cohort is here; run `snakemake --cores all` first"
        )
    headlines = sorted(h for h in (_headline(folder, levels) for folder in folders) if h)
    report = results / "report.html"
    return {
        "results": str(results),
        "report": str(report) if report.is_file() else None,
        "heading": headlines[0].heading if headlines else "",
        "lines": headlines[0].lines if headlines else [],
        "others": [headline.heading.split(" · ")[0] for headline in headlines[1:]],
        "cohorts": len(cohorts),
        "unfinished": [c.name for c in cohorts if c not in folders],
    }


def _finished(page: Path) -> bool:
    """Whether a page shows results; a cohort that stopped has its reason there."""
    from adnorm.base.stops import read_stop

    return page.is_file() and read_stop(page) is None


def summarize(results: Path, levels: Levels = UNKNOWN) -> str:
    """Say where the report is and the most important numbers of a run; see `gather`."""
    found = gather(results, levels)
    report = found["report"]
    lines = [f"Report: {report}" if report else f"Results: {results} (no report yet)"]
    if found["heading"]:
        lines += ["", found["heading"], *found["lines"]]
    if found["others"]:
        lines += ["", f"Other cohorts, in the report: {', '.join(found['others'])}"]
    unfinished = found["unfinished"]
    if unfinished:
        lines += [
            "",
            f"{len(unfinished)} of {found['cohorts']} cohorts did not finish: "
            f"{', '.join(unfinished)}; their logs say why ({results}/COHORT/logs)",
        ]
    lines += ["", "These numbers describe data; they are not treatment advice."]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "results", nargs="?", type=Path, help="results folder; else that of the configuration"
    )
    parser.set_defaults(cohorts=[])
    configuration.add_configuration(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the summary."""
    results, levels = _run_of(chosen)
    if chosen.json:
        say_json(gather(results, levels))
    else:
        say(summarize(results, levels))
    return 0


def _run_of(chosen: argparse.Namespace) -> tuple[Path, Levels]:
    """Find the results and the levels of their intervals.

    The shipped configuration is that of another folder only by its name.
    """
    from adnorm.study.config import RunConfig
    from adnorm.study.validation import check

    config, where = configuration.read_configuration(chosen)
    run = check(RunConfig, config, where)
    folder = Path(run.results)
    if chosen.results and not chosen.configfile and chosen.results.resolve() != folder.resolve():
        return chosen.results, UNKNOWN
    levels = Levels(run.effects.confidence, run.index.confidence)
    return chosen.results or folder, levels
