"""A run whose every text is hostile, and one cohort of which stops, with its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from adnorm.base.tables import read_table

#: Tells the page and what is around it that it ran; without a mark that anything escapes.
RAN = "document.documentElement.dataset.ran=1;parent.postMessage(/ran/.source,/[*]/.source[1])"


def hostile(name: str) -> str:
    """Make a name that ends a script, an attribute, a comment or a text, and then runs."""
    return (
        f"{name}</script><img src=x onerror={RAN}><script>{RAN}</script>--><!-- '\"><svg "
        f"onload={RAN}> {{x}} \x1b[31m $a$ `<javascript:{RAN}>`_"
    )


def symbols(repository: Path) -> list[str]:
    table = read_table(repository / "config/gene_sets/adnorm.tsv")
    return sorted(table["symbol"].unique())


def write_csv(path: Path, rows: list[list[object]]) -> None:
    quoted = [",".join('"' + str(c).replace('"', '""') + '"' for c in row) for row in rows]
    path.write_text("\n".join(quoted) + "\n")


def lab(folder: Path, genes: list[str]) -> dict:
    """Write a lab's own trial: two arms, ten patients, every name hostile."""
    random = np.random.default_rng(1)
    rows = [["sample", hostile("key"), "tissue", "week", "arm", "easi", hostile("note")]]
    means, columns = random.lognormal(5, 1, len(genes) + 1), []
    for patient in range(10):
        for tissue, week in (("LS", 0), ("NL", 0), ("LS", 12)):
            name = hostile(f"sample{len(columns)}")
            arm = hostile("DRUG" if patient < 5 else "PLACEBO")
            rows.append([name, hostile(f"p{patient}"), tissue, week, arm, 20 - week, hostile("n")])
            raised = np.where(np.arange(len(means)) % 3 == 0, 4.0 if tissue == "LS" else 1.0, 1.0)
            columns.append(random.poisson(means * raised * random.lognormal(0, 0.2, len(means))))
    write_csv(folder / "sheet.csv", rows)
    names = [*genes, hostile("GENE")]
    header = ["gene", *(row[0] for row in rows[1:])]
    body = [[name, *counts] for name, counts in zip(names, np.array(columns).T, strict=True)]
    write_csv(folder / "counts.csv", [header, *body])
    drug, placebo = hostile("drug"), hostile("placebo")
    return {
        "id": "lab",
        "title": hostile("title"),
        "citation": hostile("citation"),
        "disease": hostile("disease"),
        "tissue": hostile("tissue"),
        "platform": hostile("platform"),
        "note": hostile("note"),
        "assay": "rna-seq",
        "route": "local",
        "scale": "counts",
        "reference": "nonlesional",
        "placebo_arm": placebo,
        "source": {"table": "counts.csv", "sheet": "sheet.csv"},
        "treatments": {
            drug: {"drug_class": hostile("class")},
            placebo: {"drug_class": "placebo"},
        },
        "samples": {
            "patient": {"from": hostile("key")},
            "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {
                "from": "arm",
                "values": {hostile("DRUG"): drug, hostile("PLACEBO"): placebo},
            },
            "week": {"from": "week", "values": {"0": 0, "12": 12}},
            "easi": {"from": "easi"},
        },
        "exclude": [{"samples": [hostile("sample29")], "reason": hostile("reason")}],
    }


def series(folder: Path, genes: list[str]) -> dict:
    """Write a series as GEO would serve it, with hostile texts; a value that none maps stops it."""
    names = [f"GSM{i}" for i in range(12)]
    fields = {
        "!Sample_title": [hostile(f"title{i}") for i in range(12)],
        "!Sample_geo_accession": names,
        "!Sample_characteristics_ch1": [f"subject: p{i // 2}" for i in range(12)],
        "!Sample_characteristics_ch1 ": [
            f"tissue: {('LS', hostile('NL'))[i % 2]}" for i in range(12)
        ],
        "!Sample_description": [hostile("description")] * 12,
    }
    lines = [f'!Series_title\t"{hostile("series")}"']
    lines += ["\t".join([key, *(f'"{v}"' for v in values)]) for key, values in fields.items()]
    values = np.random.default_rng(2).normal(8, 1, (len(genes), 12))
    values[::3, ::2] += 2
    lines += ["!series_matrix_table_begin", "\t".join(["ID_REF", *names])]
    for i, row in enumerate(values):
        lines.append("\t".join([f"probe{i}", *(f"{v:.3f}" for v in row)]))
    (folder / "series_matrix.txt").write_text("\n".join([*lines, "!series_matrix_table_end"]))
    probes = [f"probe{i}\t{gene}\t{hostile('gene')}" for i, gene in enumerate(genes)]
    annotation = "\n".join(["ID\tGene symbol\tGene title", *probes])
    (folder / "annotation.tsv").write_text(annotation + "\n")
    return {
        "id": "series",
        "title": hostile("title"),
        "disease": "atopic dermatitis",
        "tissue": "skin biopsy",
        "assay": "microarray",
        "route": "geo_series_matrix",
        "accession": "GSE1",
        "scale": "log2",
        "reference": "nonlesional",
        "source": {"matrix": "./series_matrix.txt", "annotation": "./annotation.tsv"},
        "samples": {
            "patient": {"from": "subject"},
            "state": {"from": "tissue", "values": {"LS": "lesional", "NL": "nonlesional"}},
            "treatment": {"constant": "none"},
            "week": {"constant": 0},
            "site": {"from": "title"},
        },
    }


def run_hostile(folder: Path, repository: Path, snakemake: Callable, configure: Callable) -> Path:
    """Run a hostile cohort and one that stops, and make the report."""
    genes = symbols(repository)
    cohorts = {"lab": lab(folder, genes), "series": series(folder, genes)}
    for name, cohort in cohorts.items():
        configure(folder, cohort, f"{name}.yaml")
    sets = [f"{hostile(f'set{i}')}\t{hostile('text')}\t" + "\t".join(genes[i::4]) for i in range(4)]
    (folder / "sets.gmt").write_text("\n".join(sets) + "\n")
    config = {
        "cohorts": ["lab.yaml", "series.yaml"],
        "results": "out",
        "gene_sets": [str(repository / "config/gene_sets/adnorm.tsv"), "sets.gmt"],
        "index": {"primary": ["global", hostile("set1")]},
        "figures": {"heatmap_sets": {"itch": [hostile("set0")], "barrier": [hostile("set2")]}},
        "scores": {"methods": ["zscore"]},
    }
    configure(folder, config)
    run = snakemake(folder, "--configfile", "run.yaml", check=False)
    words = run.stdout + run.stderr
    assert "series stopped at the stage expression: " in words, words
    assert (folder / "out/lab/figures/overview.html").is_file()
    snakemake(folder, "--configfile", "run.yaml", "--report", "report.html")
    return folder
