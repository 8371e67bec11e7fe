"""Writes small inputs in the layout that `tasks.py` reads, to try the scripts:  tiny.py FOLDER."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pandas as pd

GENES, PATIENTS = 300, 8


def save_binary(folder: Path, name: str, frame: pd.DataFrame) -> None:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    np.asarray(frame, dtype=float).ravel(order="F").tofile(folder / f"bin/{name}.f64")
    for kind, names in (("rows", frame.index), ("cols", frame.columns)):
        (folder / f"bin/{name}.{kind}").write_text("\n".join(names) + "\n")


def write(folder: Path) -> None:
    """Write all inputs; the same bytes on every call."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    samples = [f"GSM{i}" for i in range(2 * PATIENTS)]
    genes = [f"SYM{i:05d}" for i in range(GENES)]
    lesional = np.arange(len(samples)) % 2
    effect = rng.normal(0, 0.5, (GENES, 1)) * lesional
    mean = np.exp2(rng.normal(7, 2, (GENES, 1)) + effect + rng.normal(0, 0.3, effect.shape))
    counts = pd.DataFrame(rng.poisson(mean), index=genes, columns=samples)
    log2 = np.log2(counts / counts.sum() * 1e6 + 1)

    save_binary(folder, "de60", counts)
    save_binary(folder, "expr300", log2)
    counts.rename_axis("GeneID").to_csv(folder / "GSE900002_raw_counts.tsv.gz", sep="\t")
    design = {
        "patient": [f"P{i // 2}" for i in range(len(samples))],
        "tissue": np.where(lesional, "LS", "NL"),
    }
    sheet = pd.DataFrame(design, index=pd.Index(samples, name="gsm"))
    sheet.to_csv(folder / "GSE900002_design.tsv", sep="\t")
    for number in (50, 2000):
        with open(folder / f"sets{number}.gmt", "w", encoding="utf-8") as file:
            for i in range(number // 10):
                members = rng.choice(genes, 15, replace=False)
                file.write(f"S{i:04d}\tna\t" + "\t".join(members) + "\n")
    quoted = "\t".join(f'"{name}"' for name in samples)
    header = (
        '!Series_title\t"Tiny series"\n!Series_geo_accession\t"GSE900001"\n'
        f"!Sample_title\t{quoted}\n!Sample_geo_accession\t{quoted}\n!series_matrix_table_begin\n"
    )
    body = log2.rename_axis('"ID_REF"').to_csv(sep="\t", quoting=3, quotechar="'")
    with gzip.open(folder / "GSE900001_series_matrix.txt.gz", "wt") as file:
        file.write(header + body + "!series_matrix_table_end\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
