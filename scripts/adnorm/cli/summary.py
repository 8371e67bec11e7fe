"""Where the report of a finished run is, and its main numbers in a few lines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from adnorm.base.errors import AdnormError
from adnorm.base.stops import read_stop
from adnorm.cli.terminal import say, say_json

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = """examples:
  adnorm summary results/demo
  adnorm summary results/demo --json
"""

#: The sets that the project is about, in the order in which they are told.
HEADLINE_SETS = (
    "itch_core_skin_up",
    "barrier_terminal_differentiation_down",
    "barrier_hyperproliferation_up",
)


def _headline(folder: Path) -> tuple[int, str, list[str]] | None:
    """Choose what to tell of one cohort by its design alone, never by its outcome.

    The highest dose against placebo at the last visit; without placebo its change from baseline;
    without treatment lesional against non-lesional skin.

    Returns
    -------
    (rank, heading, lines) or None
        Cohorts with a JAK inhibitor have rank 0, other drugs 1, untreated ones 2.
    """
    from adnorm.base.tables import read_table

    samples = read_table(folder / "expression" / "samples.tsv")
    comparisons = read_table(folder / "expression" / "comparisons.tsv")
    supported = comparisons[comparisons["supported"] == "yes"]
    doses = samples.drop_duplicates("arm").set_index("arm")
    rows = []
    for _, row in supported.iterrows():
        what, _, week = row["contrast"].rpartition("@")
        arm = what.partition(":")[2]
        drug = next((a for a in doses.index if arm == a or arm.startswith(f"{a}-")), None)
        against_placebo = row["kind"] == "change-difference" and "placebo" in arm
        if row["kind"] == "change" or against_placebo:
            dose = doses.loc[drug, "dose_mg"] if drug else 0
            rows.append((against_placebo, 0 if dose != dose else dose, float(week), row, drug))
    if rows:
        *_, chosen, drug = max(rows, key=lambda r: r[:3])
        rank = 0 if drug and "JAK" in str(doses.loc[drug, "drug_class"]) else 1
    else:
        disease = supported[supported["contrast"] == "lesional-nonlesional@0"]
        if disease.empty:
            return None
        chosen, rank = disease.iloc[0], 2
    index = folder / "index" / "index.tsv"
    if chosen["kind"] != "lesional-nonlesional" and index.is_file():
        told = _index_lines(read_table(index), drug, float(chosen["contrast"].rpartition("@")[2]))
        if told:
            return rank, f"{folder.name} · normalization index · {told[0]}", told[1:]
    effects = read_table(folder / "effects" / "set_effects.tsv")
    found = effects[(effects["contrast"] == chosen["contrast"]) & (effects["method"] == "zscore")]
    found = found.set_index("set")
    lines = []
    for name in HEADLINE_SETS:
        if name not in found.index:
            continue
        row = found.loc[name]
        flag = "" if row["status"] == "ok" else f" [{row['status'].replace('_', ' ')}]"
        value = (
            f"{row['change']:+.2f} (95 % CI {row['lower']:+.2f} to {row['upper']:+.2f}, "
            f"FDR {row['fdr']:.2g})"
            if row["change"] == row["change"]
            else "NA"
        )
        lines.append(f"  {name:<40} {value}{flag}")
    heading = f"{folder.name} · {chosen['contrast']} · signed z score · {chosen['reason']}"
    return rank, heading, lines


def _index_lines(index: pd.DataFrame, arm: str, week: float) -> list[str]:
    """Tell the index of an arm at a visit: a heading, then a line for each headline set."""
    rows = index[(index["analysis"] == "primary") & (index["arm"] == arm) & (index["week"] == week)]
    rows = rows[rows["name"].isin(HEADLINE_SETS) & rows["ni"].notna()]
    if rows.empty:
        return []
    reference = rows["reference"].iloc[0]
    lines = [f"{arm}, week {week:g} · 0 = as before treatment, 1 = as {reference} skin"]
    for row in rows[rows["reference"] == reference].set_index("name").itertuples():
        adjusted = ""
        if row.dni == row.dni:
            adjusted = (
                f"; beyond placebo {row.dni:.2f} ({row.dni_lower:.2f} to {row.dni_upper:.2f})"
            )
        lines.append(
            f"  {row.Index:<40} {row.ni:.2f} (95 % CI {row.lower:.2f} to {row.upper:.2f})"
            f"{adjusted}; {row.pairs} pairs"
        )
    return lines


def tell(results: Path) -> dict:
    """Gather where the report is and the most important numbers of a run.

    Parameters
    ----------
    results
        The results folder of a finished run.

    Returns
    -------
    dict
        report (path or ``None``), heading and lines of the cohort that is told first, others,
        cohorts, and unfinished.

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
    told = sorted(h for h in map(_headline, folders) if h is not None)
    report = results / "report.html"
    return {
        "results": str(results),
        "report": str(report) if report.is_file() else None,
        "heading": told[0][1] if told else "",
        "lines": told[0][2] if told else [],
        "others": [heading.split(" · ")[0] for _, heading, _ in told[1:]],
        "cohorts": len(cohorts),
        "unfinished": [c.name for c in cohorts if c not in folders],
    }


def _finished(page: Path) -> bool:
    """Whether a page shows results; a cohort that stopped has its reason there."""
    return page.is_file() and read_stop(page) is None


def summarize(results: Path) -> str:
    """Say where the report is and the most important numbers of a run; see `tell`."""
    told = tell(results)
    report = told["report"]
    lines = [f"Report: {report}" if report else f"Results: {results} (no report yet)"]
    if told["heading"]:
        lines += ["", told["heading"], *told["lines"]]
    if told["others"]:
        lines += ["", f"Other cohorts, in the report: {', '.join(told['others'])}"]
    unfinished = told["unfinished"]
    if unfinished:
        lines += [
            "",
            f"{len(unfinished)} of {told['cohorts']} cohorts did not finish: "
            f"{', '.join(unfinished)}; their logs say why ({results}/COHORT/logs)",
        ]
    lines += ["", "These numbers describe data; they are not treatment advice."]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("results", type=Path, help="results folder, such as results/demo")


def run(chosen: argparse.Namespace) -> int:
    """Print the summary."""
    told = tell(chosen.results) if chosen.json else summarize(chosen.results)
    (say_json if chosen.json else say)(told)
    return 0
