"""The stages that are measured, their peers, and the bars that they are held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """What a measure of adnorm may be at most: a multiple of the peer's, or an amount."""

    measure: str
    ratio: float | None = None
    amount: float | None = None

    @property
    def sentence(self) -> str:
        """The bar in words."""
        name = {
            "stage_seconds": "stage",
            "stage_cpu": "stage CPU",
            "seconds": "process",
            "cpu": "process CPU",
            "peak": "peak",
            "peak_together": "all processes",
        }[self.measure]
        unit = "MiB" if self.measure.startswith("peak") else "s"
        return f"{name} ≤ " + (f"{self.ratio:g} ×" if self.ratio else f"{self.amount:g} {unit}")


@dataclass(frozen=True)
class Stage:
    """One row group of the table.

    Attributes
    ----------
    title
        What is done, on how much.
    ours
        The run of adnorm: ``task:NAME``, ``import:MODULE`` or ``workflow:NAME``.
    peers
        Runs of the peers by their names; ``Rscript:FILE`` as well.
    bars
        What must hold against every peer (with a ratio) or at all (with an amount).
    limit
        What the time cannot go below, in words.
    """

    title: str
    ours: str
    peers: dict[str, str]
    bars: tuple[Bar, ...] = ()
    limit: str = ""


def _read(name: str, title: str) -> Stage:
    peers = {peer: f"task:{name}_{peer}" for peer in ("polars", "pyarrow", "pandas")}
    limit = "the text is unzipped once and each number read once"
    return Stage(title, f"task:{name}", peers, (Bar("stage_seconds", ratio=1.2),), limit)


def _score(method: str, sets: int, samples: int, *bars: Bar) -> Stage:
    name = {"ssgsea": "ssGSEA", "gsva": "GSVA"}[method]
    bars = (Bar("stage_seconds", ratio=1.0), *bars)
    if sets > 1000:
        bars += (Bar("peak", ratio=0.8),)
    ours = f"task:{method}_{sets}_{samples}"
    title = f"{name}, {sets:,} sets × 20,000 genes × {samples} samples"
    limit = (
        "a sort of each sample; one product with the sets"
        if method == "ssgsea"
        else (
            "a kernel for each gene over all samples; a sort of each sample; a walk over each set"
        )
    )
    peers = {peer: f"{ours}_{peer}" for peer in ("gseapy", "pygsva")}
    return Stage(title, ours, peers, bars, limit)


def _start(folder: str, peer: str) -> Stage:
    module = f"adnorm.{folder}.build"
    return Stage(
        f"start-up: import {module}",
        f"import:{module}",
        {f"import {peer}": f"import:{peer}"},
        limit="files of Python that are read",
    )


STAGES = {
    "series_matrix": _read("series_matrix", "series matrix, 54,675 probes × 200 samples"),
    "counts": _read("counts", "counts, 39,376 genes × 300 samples"),
    "ssgsea": _score("ssgsea", 50, 60),
    "gsva": _score("gsva", 50, 60),
    "ssgsea_2000": _score("ssgsea", 2000, 60),
    "gsva_2000": _score("gsva", 2000, 60),
    "ssgsea_300": _score("ssgsea", 50, 300, Bar("stage_cpu", amount=2.1)),
    "gsva_300": _score("gsva", 50, 300, Bar("stage_cpu", amount=4)),
    "ssgsea_2000_300": _score("ssgsea", 2000, 300, Bar("cpu", amount=3)),
    "gsva_2000_300": _score("gsva", 2000, 300, Bar("cpu", amount=10)),
    "gsva_2400": Stage(
        "GSVA, 20 sets × 10,000 genes × 2,400 samples",
        "task:gsva_2400",
        {"pygsva": "task:gsva_2400_pygsva"},
        (Bar("stage_cpu", amount=9),),
        "a kernel for each gene whose time grows with the samples",
    ),
    "effects_log2": Stage(
        "paired effects, log2, 22,661 genes × 60 samples, 31 coefficients",
        "task:effects_log2",
        {"pylimma": "task:effects_log2_pylimma"},
        (Bar("stage_seconds", ratio=1.2),),
        "one product of the matrix with the design",
    ),
    "effects_voom": Stage(
        "paired effects, counts (voom, weighted), 22,661 genes × 60 samples",
        "task:effects_voom",
        {"R limma-voom": "Rscript:limma_voom.R"},
        (Bar("seconds", ratio=1.0),),
        "a small least-squares problem for each gene",
    ),
    "planning": Stage(
        "`snakemake -n`, 500 cohorts",
        "workflow:planning",
        {
            "snakemake, empty workflow": "workflow:planning_nothing",
            "snakemake, as many jobs and files": "workflow:planning_shape",
        },
        (Bar("seconds", amount=8),),
        "Snakemake's own work for as many jobs and files",
    ),
    "startup_fetch": _start("fetch", "json"),
    "startup_expression": _start("expression", "scanpy"),
    "startup_scores": _start("scores", "gseapy"),
    "startup_effects": _start("effects", "pylimma"),
    "startup_figures": _start("figures", "seaborn"),
    "array_cohort": Stage(
        "one array cohort, 54,675 probes × 200 samples, published files to figures, 2 cores",
        "workflow:array_cohort",
        {"R, one script": "Rscript:array_cohort.R"},
        (Bar("seconds", ratio=0.6), Bar("peak_together", ratio=0.5)),
        "the longest way: expression → scores → effects → index → its figures → page one",
    ),
    "demo": Stage(
        "the demo: run with 2 cores, report, summary",
        "workflow:demo",
        {},
        (Bar("seconds", amount=90),),
        "35 jobs, each a process that imports what it needs; drawing",
    ),
}
