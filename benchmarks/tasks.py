"""What is measured: each task of adnorm and of a peer, alone:  tasks.py NAME INPUTS [SAVE].

The clock of a task runs after its imports and after loading binary inputs. A task may return a
table, which is saved so that `compare.py` can say how far adnorm and the peer agree.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

MATRIX = "GSE900001_series_matrix.txt.gz"
COUNTS = "GSE900002_raw_counts.tsv.gz"
DESIGN = "GSE900002_design.tsv"
#: ssGSEA as adnorm calls it.
RANKS = {"sample_norm_method": "rank", "correl_norm_type": "rank", "weight": 0.25, "no_plot": True}
TASKS: dict[str, Callable[[Path, Clock], pd.DataFrame | None]] = {}


class Clock:
    """Seconds and CPU seconds (all threads) between entering and leaving."""

    seconds = cpu = 0.0

    def __enter__(self) -> Clock:
        self.start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start[0]
        self.cpu = time.process_time() - self.start[1]


def task(function: Callable) -> Callable:
    TASKS[function.__name__] = function
    return function


def load(inputs: Path, name: str) -> pd.DataFrame:
    """Load one of the binary matrices, genes × samples."""
    rows = (inputs / f"bin/{name}.rows").read_text().split()
    columns = (inputs / f"bin/{name}.cols").read_text().split()
    values = np.fromfile(inputs / f"bin/{name}.f64").reshape(len(rows), len(columns), order="F")
    return pd.DataFrame(values, index=rows, columns=columns)


def sums(frame) -> pd.DataFrame:
    """Reduce a table to what two readers must agree on: rows and the sum of each sample."""
    columns = frame.column_names if hasattr(frame, "column_names") else frame.columns
    found = {name: float(np.asarray(frame[name].to_numpy()).sum()) for name in map(str, columns)}
    return pd.DataFrame({"rows": len(frame), "sum": pd.Series(found)})


def peer_folder() -> None:
    """Let one task see peers that are installed beside the environment of adnorm.

    Only that task: pandas and anndata load pyarrow wherever they find it, which takes time.
    """
    if "BENCH_PEERS" in os.environ:
        sys.path.append(os.environ["BENCH_PEERS"])


# ---------------------------------------------------------------- reading


@task
def series_matrix(inputs: Path, clock: Clock) -> pd.DataFrame:
    import polars  # noqa: F401 - imported by the reader; the clock counts no imports

    from adnorm.readers.series_matrix import read_series_matrix

    with clock:
        matrix = read_series_matrix(inputs / MATRIX)
    return sums(matrix.values)


def _table_start(path: Path) -> int:
    with gzip.open(path, "rt") as file:
        return next(i for i, line in enumerate(file, 1) if line.startswith("!series_matrix_table"))


@task
def series_matrix_polars(inputs: Path, clock: Clock) -> pd.DataFrame:
    import polars

    path = inputs / MATRIX
    with clock:
        frame = polars.read_csv(
            path, separator="\t", comment_prefix="!", skip_lines=_table_start(path)
        )
    return sums(frame.drop("ID_REF"))


@task
def series_matrix_pyarrow(inputs: Path, clock: Clock) -> pd.DataFrame:
    peer_folder()
    import pyarrow.csv as csv

    path = inputs / MATRIX
    with clock:
        parse = csv.ParseOptions(delimiter="\t", invalid_row_handler=lambda _: "skip")
        table = csv.read_csv(path, csv.ReadOptions(skip_rows=_table_start(path)), parse)
    return sums(table.drop_columns(["ID_REF"]))


@task
def series_matrix_pandas(inputs: Path, clock: Clock) -> pd.DataFrame:
    with clock:
        frame = pd.read_csv(inputs / MATRIX, sep="\t", comment="!", index_col=0)
    return sums(frame)


@task
def counts(inputs: Path, clock: Clock) -> pd.DataFrame:
    import polars  # noqa: F401 - as above

    from adnorm.readers.delimited import read_value_table

    with clock:
        # GeneIDs of NCBI, whose annotation names the genes.
        values = read_value_table(inputs / COUNTS, probes=True)
    return sums(values)


@task
def counts_polars(inputs: Path, clock: Clock) -> pd.DataFrame:
    import polars

    with clock:
        frame = polars.read_csv(inputs / COUNTS, separator="\t")
    return sums(frame.drop("GeneID"))


@task
def counts_pyarrow(inputs: Path, clock: Clock) -> pd.DataFrame:
    peer_folder()
    import pyarrow.csv as csv

    with clock:
        table = csv.read_csv(inputs / COUNTS, parse_options=csv.ParseOptions(delimiter="\t"))
    return sums(table.drop_columns(["GeneID"]))


@task
def counts_pandas(inputs: Path, clock: Clock) -> pd.DataFrame:
    with clock:
        frame = pd.read_csv(inputs / COUNTS, sep="\t", index_col=0)
    return sums(frame)


# ---------------------------------------------------------------- scores


def _gmt(path: Path) -> dict[str, list[str]]:
    fields = [line.split("\t") for line in path.read_text().splitlines()]
    return {name: members for name, _, *members in fields}


def _pygsva(
    method: str, expression: pd.DataFrame, gene_sets: dict[str, list[str]], clock: Clock
) -> pd.DataFrame:
    peer_folder()
    import pygsva

    with clock:
        if method == "ssgsea":
            # Its default divides scores by the range over all samples.
            parameters = pygsva.ssgseaParam(expression, gene_sets, normalization=False)
        else:
            # Its default is no kernel from 200 samples on.
            parameters = pygsva.gsvaParam(expression, gene_sets, kcdf="Gaussian")
        result = pygsva.gsva(parameters)
    return result.T


def _scores(method: str, sets: int, samples: int) -> None:
    """Make the three tasks of one method, number of sets and number of samples."""

    def given(inputs: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        return load(inputs, "expr300").iloc[:, :samples], _gmt(inputs / f"sets{sets}.gmt")

    def ours(inputs: Path, clock: Clock) -> pd.DataFrame:
        # Imported by the scorer; the clock counts no imports, but compiling it counts.
        import gseapy  # noqa: F401

        import adnorm.scores.gsva  # noqa: F401
        from adnorm.scores.single_sample import score_sets
        from adnorm.study.gene_sets import read_gene_sets

        expression, _ = given(inputs)
        gene_sets = read_gene_sets([inputs / f"sets{sets}.gmt"])
        values, genes = np.ascontiguousarray(expression.to_numpy().T), list(expression.index)
        with clock:
            scores = score_sets(method, values, genes, gene_sets, None, chunk_size=250, threads=1)
        return scores.set_axis(expression.columns, axis=0)

    def bare(inputs: Path, clock: Clock) -> pd.DataFrame:
        import gseapy

        expression, gene_sets = given(inputs)
        shared = {"min_size": 1, "max_size": 1000, "threads": 1, "outdir": None}
        with clock:
            if method == "ssgsea":
                result = gseapy.ssgsea(expression, gene_sets, **shared, **RANKS)
            else:
                result = gseapy.gsva(expression, gene_sets, kcdf="Gaussian", **shared)
        return result.res2d.pivot(index="Name", columns="Term", values="ES").astype(float)

    def young(inputs: Path, clock: Clock) -> pd.DataFrame:
        return _pygsva(method, *given(inputs), clock)

    TASKS[f"{method}_{sets}_{samples}"] = ours
    TASKS[f"{method}_{sets}_{samples}_gseapy"] = bare
    TASKS[f"{method}_{sets}_{samples}_pygsva"] = young


for _method in ("ssgsea", "gsva"):
    for _size in ((50, 60), (2000, 60), (50, 300), (2000, 300)):
        _scores(_method, *_size)


def _many_samples(inputs: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """10,000 genes in 2,400 samples, eight with noise of each that there is, and 20 sets."""
    expression = load(inputs, "expr300").iloc[:10_000]
    values = np.tile(expression.to_numpy(), 8)
    values += np.random.default_rng(1).normal(0, 0.5, values.shape)
    names = [f"{name}_{copy}" for copy in range(8) for name in expression.columns]
    known = set(expression.index)
    sets = list(_gmt(inputs / "sets50.gmt").items())[:20]
    kept = {name: [gene for gene in members if gene in known] for name, members in sets}
    return pd.DataFrame(values, index=expression.index, columns=names), kept


@task
def gsva_2400(inputs: Path, clock: Clock) -> pd.DataFrame:
    import adnorm.scores.gsva  # noqa: F401 - as above
    from adnorm.scores.single_sample import enrichment_scores

    expression, sets = _many_samples(inputs)
    values, genes = np.ascontiguousarray(expression.to_numpy().T), list(expression.index)
    with clock:
        scores = enrichment_scores("gsva", values, genes, sets)
    return scores.set_axis(expression.columns, axis=0)


@task
def gsva_2400_pygsva(inputs: Path, clock: Clock) -> pd.DataFrame:
    return _pygsva("gsva", *_many_samples(inputs), clock)


# ---------------------------------------------------------------- effects


def _trial(inputs: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load counts (genes × samples) and the sheet: lesional and nonlesional skin by patient."""
    counts = load(inputs, "de60")
    design = pd.read_csv(inputs / DESIGN, sep="\t", index_col=0).loc[counts.columns]
    samples = pd.DataFrame(
        {
            "sample": counts.columns,
            "patient": design["patient"].to_numpy(),
            "state": design["tissue"].map({"LS": "lesional", "NL": "nonlesional"}).to_numpy(),
            "treatment": "none",
            "dose_mg": np.nan,
            "arm": "untreated",
            "week": 0.0,
        }
    )
    return counts, samples


def _effects(inputs: Path, clock: Clock, model: str) -> pd.DataFrame:
    # pylimma imports anndata and scipy.stats at its first call; the clock counts no imports.
    import anndata  # noqa: F401
    import pylimma  # noqa: F401
    import scipy.stats  # noqa: F401

    from adnorm.effects.design import plan_fits
    from adnorm.effects.fit import fit_effects
    from adnorm.effects.observations import Observations, log2_cpm
    from adnorm.study.comparisons import combine_biopsies, derive_design, sum_rows
    from adnorm.study.config import EffectsSettings

    table, samples = _trial(inputs)
    combined, codes = combine_biopsies(samples)
    reads = np.ascontiguousarray(sum_rows(table.to_numpy().T, codes).T)
    sizes = reads.sum(axis=0)
    data = Observations(
        samples=samples,
        combined=combined,
        genes=table.index.to_numpy(dtype=str),
        log2=log2_cpm(reads, sizes),
        counts=reads if model == "voom" else None,
        library_sizes=sizes if model == "voom" else None,
        facts={"assay": "microarray"},
    )
    with clock:
        plans, _ = plan_fits(combined, derive_design(samples, None, 3).supported)
        effects = fit_effects(data, plans, EffectsSettings(count_model=model))
    return effects.set_index("gene")[["log2_fold_change", "t", "p_value"]]


@task
def effects_log2(inputs: Path, clock: Clock) -> pd.DataFrame:
    return _effects(inputs, clock, "log2")


@task
def effects_voom(inputs: Path, clock: Clock) -> pd.DataFrame:
    return _effects(inputs, clock, "voom")


@task
def effects_log2_pylimma(inputs: Path, clock: Clock) -> pd.DataFrame:
    import anndata  # noqa: F401 - as above
    import pylimma
    import scipy.stats  # noqa: F401

    table, samples = _trial(inputs)
    reads = table.to_numpy()
    values = np.ascontiguousarray(np.log2((reads + 0.5) / (reads.sum(axis=0) + 1) * 1e6))
    with clock:
        patients = pd.get_dummies(samples["patient"]).to_numpy(dtype=float)
        lesional = (samples["state"] == "lesional").to_numpy(dtype=float)
        fit = pylimma.lm_fit(values, np.column_stack([patients, lesional]))
        contrast = np.zeros((patients.shape[1] + 1, 1))
        contrast[-1] = 1
        fit = pylimma.e_bayes(pylimma.contrasts_fit(fit, contrast))
        # The same product: change, t, p and false discovery rate of every gene, by gene.
        genes = table.index.to_list()
        top = pylimma.top_table(fit, coef=0, number=len(genes), genelist=genes, sort_by="none")
    columns = {"log_fc": "log2_fold_change", "t": "t", "p_value": "p_value"}
    return top.set_axis(genes, axis=0)[list(columns)].rename(columns=columns)


def main() -> None:
    """Run one task, save its table and report its inside."""
    name, inputs = sys.argv[1], Path(sys.argv[2])
    clock = Clock()
    table = TASKS[name](inputs, clock)
    if table is not None and len(sys.argv) > 3:
        table.rename_axis("row").to_csv(sys.argv[3], sep="\t")
    if "BENCH_INSIDE" in os.environ:
        report = {"seconds": clock.seconds, "cpu": clock.cpu}
        Path(os.environ["BENCH_INSIDE"]).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
