"""Lays measured costs out: Markdown for people, TSV for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from measure import Cost
from stages import Stage

MEASURES = ("stage_seconds", "stage_cpu", "seconds", "cpu", "peak", "peak_together")
HEADER = (
    "stage",
    "peer",
    "stage s",
    "stage CPU s",
    "process s",
    "process CPU s",
    "peak MiB",
    "all processes MiB",
    "n",
    "bar",
    "agreement",
    "limit",
)


@dataclass(frozen=True)
class Result:
    """adnorm against one peer (or none)."""

    name: str
    stage: Stage
    ours: Cost
    peer_name: str
    peer: Cost | None
    runs: int
    agreement: str

    def verdicts(self) -> list[tuple[str, bool]]:
        """Each bar in words, and whether it holds."""
        found = []
        for bar in self.stage.bars:
            value = getattr(self.ours, bar.measure)
            limit = bar.amount
            if limit is None:
                if self.peer is None:
                    continue
                limit = bar.ratio * getattr(self.peer, bar.measure)
            found.append((bar.sentence, value <= limit))
        return found


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(result: Result, measure: str) -> str:
    ours = getattr(result.ours, measure)
    if isnan(ours):
        return ""
    if result.peer is None:
        return _figure(ours)
    peer = getattr(result.peer, measure)
    return f"{_figure(ours)} / {_figure(peer)} = **{ours / peer:.2f}**"


def markdown(results: list[Result]) -> str:
    """Make one table; a cell reads adnorm / peer = **ratio**."""
    lines = ["| " + " | ".join(HEADER) + " |", "| " + " | ".join("---" for _ in HEADER) + " |"]
    for result in results:
        bars = "; ".join(
            f"{words}: {'holds' if holds else '**missed**'}" for words, holds in result.verdicts()
        )
        cells = [_cell(result, measure) for measure in MEASURES]
        row = [result.stage.title, result.peer_name, *cells, str(result.runs)]
        lines.append("| " + " | ".join([*row, bars, result.agreement, result.stage.limit]) + " |")
    return "\n".join(lines) + "\n"


def tsv(results: list[Result]) -> str:
    """One line for each stage, peer and measure."""
    lines = ["stage\tpeer\tmeasure\tadnorm\tpeer_value\tratio\truns"]
    for result in results:
        for measure in MEASURES:
            ours = getattr(result.ours, measure)
            if isnan(ours):
                continue
            peer = getattr(result.peer, measure) if result.peer else None
            others = ("", "") if peer is None else (f"{peer:.4g}", f"{ours / peer:.3f}")
            fields = [result.name, result.peer_name, measure, f"{ours:.4g}", *others]
            lines.append("\t".join([*fields, str(result.runs)]))
    return "\n".join(lines) + "\n"
