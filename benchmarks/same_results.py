"""Did a change of the code change a number?  One digest for every table, gene set and container.

    python benchmarks/same_results.py routes out/routes        # a small cohort by each route, run
    python benchmarks/same_results.py record results/demo out/routes/results > before.tsv
    ...                                                         # another version of the code
    python benchmarks/same_results.py record results/demo out/routes/results > after.tsv
    python benchmarks/same_results.py compare before.tsv after.tsv

`record` digests tables (.tsv), gene sets (.gmt) and manifests (.json) by their bytes, and .h5ad by
its content: names, types and values of all its arrays, not the bytes of the container. `compare`
lists what differs, is gone or is new, and ends with an exit code that is not 0 if anything is.
`routes` writes one simulated trial in the layout that each route reads, with one configuration for
all, and runs it; the simulated route itself is the demo.
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
KINDS = (".tsv", ".gmt", ".json")
SKIPPED = {"logs", "provenance", ".running", ".snakemake"}
PATIENTS, WEEKS, OTHER_GENES = 12, (0, 4), 800


# ---------------------------------------------------------------- digests


def digest_h5(path: Path) -> str:
    """Digest the content of an HDF5 file."""
    import h5py

    digest = hashlib.sha256()

    def add(name: str, node: h5py.Group | h5py.Dataset) -> None:
        digest.update(f"{name}\n".encode())
        for key in sorted(node.attrs):
            digest.update(f"{key}={node.attrs[key]!r}\n".encode())
        if isinstance(node, h5py.Dataset):
            values = node[()]
            text = values.dtype == object if isinstance(values, np.ndarray) else True
            digest.update(f"{node.shape} {node.dtype}\n".encode())
            if text:
                flat = values.ravel().tolist() if isinstance(values, np.ndarray) else [values]
                digest.update(repr(flat).encode())
            else:
                digest.update(np.ascontiguousarray(values).tobytes())

    with h5py.File(path) as file:
        add("/", file)
        names: list[str] = []
        file.visit(names.append)
        for name in sorted(names):
            add(name, file[name])
    return digest.hexdigest()


def record(folders: list[Path]) -> pd.DataFrame:
    """Digest every result below some folders; one row per file."""
    rows = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if SKIPPED & set(inside.parts) or not path.is_file():
                continue
            if path.suffix == ".h5ad":
                found = digest_h5(path)
            elif path.suffix in KINDS:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                continue
            rows.append((f"{folder.name}/{inside.as_posix()}", found))
    return pd.DataFrame(rows, columns=["file", "sha256"])


def compare(before: Path, after: Path) -> int:
    """Print what differs between two records; the number of differences."""
    both = [pd.read_csv(path, sep="\t").set_index("file")["sha256"] for path in (before, after)]
    joined = pd.concat(both, axis=1, keys=["before", "after"])
    gone, new = joined["after"].isna(), joined["before"].isna()
    differs = ~gone & ~new & (joined["before"] != joined["after"])
    for word, which in (("differs", differs), ("gone", gone), ("new", new)):
        for name in joined.index[which]:
            print(f"{word}\t{name}")
    same = int((~gone & ~new & ~differs).sum())
    print(f"{same} files are the same, {len(joined) - same} are not", file=sys.stderr)
    return len(joined) - same


# ---------------------------------------------------------------- one cohort for each route


def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate a small trial: sheet (one row per biopsy) and counts (genes × biopsies)."""
    rng = np.random.default_rng(8)
    table = pd.read_csv(ROOT / "config/gene_sets/adnorm.tsv", sep="\t", comment="#")
    direction = table.drop_duplicates("symbol").set_index("symbol")["direction"]
    genes = [*direction.index, *(f"GENE{i}" for i in range(OTHER_GENES))]
    sign = direction.map({"up": 1.0, "down": -1.0}).reindex(genes).fillna(0).to_numpy()
    rows = [
        (f"P{patient:02d}", state, week)
        for patient in range(PATIENTS)
        for week in WEEKS
        for state in ("lesional", "nonlesional")
    ]
    sheet = pd.DataFrame(rows, columns=["patient", "state", "week"])
    sheet["arm"] = np.where(sheet["patient"].str[1:].astype(int) % 2, "Drug", "Placebo")
    sheet["easi"] = rng.uniform(10, 30, len(sheet)).round(1)
    sheet["sample"] = [f"GSM{9000 + i}" for i in range(len(sheet))]
    treated = ((sheet["arm"] == "Drug") & (sheet["week"] > 0)).to_numpy()
    disease = (sheet["state"] == "lesional").to_numpy() * np.where(treated, 0.6, 2.0)
    person = rng.normal(0, 0.3, (len(genes), PATIENTS))[:, sheet["patient"].str[1:].astype(int)]
    log2 = rng.normal(7, 1.5, (len(genes), 1)) + np.outer(sign, disease) + person
    log2 += rng.normal(0, 0.3, log2.shape)
    depth = rng.uniform(0.7, 1.4, len(sheet))
    counts = rng.poisson(np.exp2(log2) * depth)
    sheet = sheet[["sample", "patient", "state", "week", "arm", "easi"]]
    return sheet, pd.DataFrame(counts, pd.Index(genes, name="gene"), sheet["sample"].to_list())


def series_matrix(sheet: pd.DataFrame, accession: str, values: pd.DataFrame | None) -> str:
    """Write a trial as a GEO series matrix, with values or without."""
    lines = {
        "Sample_title": sheet["patient"] + " " + sheet["state"],
        "Sample_geo_accession": sheet["sample"],
        "Sample_organism_ch1": ["Homo sapiens"] * len(sheet),
    }
    text = f'!Series_title\t"A small trial"\n!Series_geo_accession\t"{accession}"\n'
    for key, cells in lines.items():
        text += f"!{key}\t" + "\t".join(f'"{cell}"' for cell in cells) + "\n"
    for key in ("patient", "state", "week", "arm", "easi"):
        cells = "\t".join(f'"{key}: {cell}"' for cell in sheet[key])
        text += f"!Sample_characteristics_ch1\t{cells}\n"
    names = "\t".join(f'"{name}"' for name in sheet["sample"])
    text += f'!series_matrix_table_begin\n"ID_REF"\t{names}\n'
    if values is not None:
        text += values.to_csv(sep="\t", header=False, float_format="%.4f", lineterminator="\n")
    return text + "!series_matrix_table_end\n"


def place(path: Path, text: str) -> None:
    """Write a text, packed where its name says so; the same bytes at every call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_routes(folder: Path) -> Path:
    """Write the trial in the layout of each route, and the configuration that runs them all."""
    import anndata

    sheet, counts = trial()
    genes, geo = list(counts.index), folder / "geo"
    ids = [str(100_000 + i) for i in range(len(genes))]
    table = counts.to_csv(sep="\t", lineterminator="\n")
    log2 = np.log2(counts / counts.sum() * 1e6 + 1) + 2
    array = log2.set_axis([f"probe_{i}_at" for i in range(len(genes))])
    probes = pd.DataFrame({"ID": array.index, "Gene symbol": genes})
    by_id = counts.set_axis(pd.Index(ids, name="GeneID"))
    annotation = pd.DataFrame(
        {
            **{"GeneID": ids, "Symbol": genes, "Description": "x", "Synonyms": "-"},
            **{"GeneType": "protein-coding", "EnsemblGeneID": [f"ENSG{int(i):011d}" for i in ids]},
        }
    )
    shelf = geo / "series/GSE9nnn"
    for number, values in (("GSE9001", array), ("GSE9002", None), ("GSE9003", None)):
        matrix = series_matrix(sheet, number, values)
        place(shelf / number / "matrix" / f"{number}_series_matrix.txt.gz", matrix)
    place(folder / "probes.tsv", probes.to_csv(sep="\t", index=False, lineterminator="\n"))
    place(shelf / "GSE9002/suppl/GSE9002_counts.txt.gz", table)
    suppl = shelf / "GSE9003/suppl"
    place(
        suppl / "GSE9003_raw_counts_GRCh38.p13_NCBI.tsv.gz",
        by_id.to_csv(sep="\t", lineterminator="\n"),
    )
    place(
        suppl / "Human.GRCh38.p13.annot.tsv.gz",
        annotation.to_csv(sep="\t", index=False, lineterminator="\n"),
    )
    place(folder / "counts.tsv", table)
    place(folder / "sheet.tsv", sheet.to_csv(sep="\t", index=False, lineterminator="\n"))
    data = anndata.AnnData(
        counts.T.to_numpy(dtype=np.float32),
        obs=sheet.drop(columns="sample").set_axis(sheet["sample"].to_list()),
        var=pd.DataFrame(index=genes),
    )
    data.write_h5ad(folder / "data.h5ad")

    routes = {
        "geo_series_matrix": {
            "accession": "GSE9001",
            **{"assay": "microarray", "scale": "log2"},
            "source": {"annotation": str(folder / "probes.tsv")},
        },
        "geo_supplementary": {
            "accession": "GSE9002",
            "source": {"table": "GSE9002_counts.txt.gz"},
        },
        "ncbi_counts": {"accession": "GSE9003"},
        "local": {
            "source": {"table": str(folder / "counts.tsv"), "sheet": str(folder / "sheet.tsv")}
        },
        "h5ad": {"source": {"table": str(folder / "data.h5ad")}},
    }
    for route, own in routes.items():
        cohort = {
            "id": route,
            "title": f"A small trial by the route {route}",
            **{"disease": "atopic dermatitis", "tissue": "skin biopsy", "assay": "rna-seq"},
            **{"route": route, "scale": "counts", "reference": "nonlesional"},
            **{"placebo_arm": "placebo", "source": {}},
            "treatments": {
                "drug": {"drug_class": "JAK inhibitor"},
                "placebo": {"drug_class": "placebo"},
            },
            "samples": {
                "patient": {"from": "patient"},
                "state": {"from": "state"},
                "treatment": {"from": "arm", "values": {"Drug": "drug", "Placebo": "placebo"}},
                "week": {"from": "week"},
                "easi": {"from": "easi"},
            },
        } | own
        (folder / f"{route}.yaml").write_text(yaml.safe_dump(cohort), encoding="utf-8")
    config = folder / "run.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "results": str(folder / "results"),
                "cohorts": [str(folder / f"{route}.yaml") for route in routes],
                "geo": {"address": f"file:{geo}"},
            }
        ),
        encoding="utf-8",
    )
    return config


def main(command: str, *arguments: str) -> int:
    """Run one of the three commands."""
    if command == "routes":
        config = write_routes(Path(arguments[0]).resolve())
        call = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"]
        return subprocess.run(
            [*call, "--configfile", str(config)], cwd=ROOT, check=False
        ).returncode
    if command == "record":
        record([Path(a) for a in arguments]).to_csv(sys.stdout, sep="\t", index=False)
        return 0
    if command == "compare":
        return int(compare(*(Path(a) for a in arguments)) > 0)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else __doc__)
