"""Made-up series, sheets and tables of a lab, and what is proposed for them."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd

from adnorm.base.yaml_text import read_yaml
from adnorm.onboarding.cohort_text import marked_lines, write_cohort
from adnorm.onboarding.draft import (
    CohortDraft,
    draft_of_series,
    draft_of_table,
)
from adnorm.onboarding.proposals import propose
from adnorm.study.cohort import MeasuredCohort
from adnorm.study.config import GeoSettings
from adnorm.study.reading import read_cohort
from adnorm.study.samples import build_sample_sheet

SEQUENCING = "Expression profiling by high throughput sequencing"


ARRAY = "Expression profiling by array"


def write_series(
    folder,
    samples,
    accession="GSE1234",
    title="a series",
    kind=ARRAY,
    supplementary=(),
    species="Homo sapiens",
):
    """Lay a series out as GEO does; a sample is its characteristics, title and source_name."""
    names = [f"GSM{i:04d}" for i in range(len(samples))]

    def row(key, cells):
        return "\t".join([key, *(f'"{cell}"' for cell in cells)])

    keys = dict.fromkeys(k for s in samples for k in s if k not in ("title", "source_name"))
    lines = [
        row("!Series_title", [title]),
        row("!Series_type", [kind]),
        *(row("!Series_supplementary_file", [f"ftp://host/{n}"]) for n in supplementary),
        row("!Sample_title", [s.get("title", n) for s, n in zip(samples, names, strict=True)]),
        row("!Sample_geo_accession", names),
        row("!Sample_source_name_ch1", [s.get("source_name", "skin biopsy") for s in samples]),
        row("!Sample_organism_ch1", [species] * len(names)),
        row("!Sample_platform_id", ["GPL570"] * len(names)),
    ]
    for key in keys:
        cells = [f"{key}: {s[key]}" if key in s else "" for s in samples]
        lines.append(row("!Sample_characteristics_ch1", cells))
    lines += ["!series_matrix_table_begin", row('"ID_REF"', names)]
    if kind == ARRAY:
        for probe in range(3):
            values = "\t".join(f"{3 + (7 * i + probe) % 9 + 0.5}" for i in range(len(names)))
            lines.append(f'"{probe}_at"\t{values}')
    lines.append("!series_matrix_table_end")
    path = folder / "series" / f"{accession[:-3]}nnn" / accession / "matrix"
    path.mkdir(parents=True)
    text = "\n".join(lines) + "\n"
    (path / f"{accession}_series_matrix.txt.gz").write_bytes(gzip.compress(text.encode()))
    return GeoSettings(address=f"file:{folder}")


def proposed(tmp_path, samples, **facts):
    """Return the text of a proposal, what YAML makes of it, and the lines left to fill in."""
    settings = write_series(tmp_path, samples, **facts)
    with draft_of_series("GSE1234", None, settings) as draft:
        text = write_cohort(propose(draft))
        raw = draft.raw
    path = tmp_path / "gse1234.yaml"
    path.write_text(text)
    return text, read_yaml(path), [m for m in marked_lines(text) if m.mark == "fill in"], raw


def samples_of(patients, visits, **fields):
    """Lesional and non-lesional samples of each patient at each visit."""
    return [
        {"tissue": tissue, "time": visit, "subject_id": f"S{p:02d}"}
        | {key: values[p % len(values)] for key, values in fields.items()}
        for p in range(patients)
        for visit in visits
        for tissue in ("LS", "NL")
    ]


def canonical_sheet(tmp_path, raw):
    samples, _ = build_sample_sheet(
        raw, read_cohort(tmp_path / "gse1234.yaml").view(MeasuredCohort)
    )
    return samples


RNG = np.random.default_rng(7)


COUNTS = pd.DataFrame(
    RNG.negative_binomial(3, 0.004, (200, 8)) * RNG.integers(10, 30, 8),
    index=[f"GENE{i}" for i in range(200)],
    columns=[f"L{i}" for i in range(8)],
)


TPM = COUNTS / COUNTS.sum() * 1e6


SHEET = pd.DataFrame(
    {
        "no": range(8),
        "library": COUNTS.columns,
        "donor": [f"D{i // 2}" for i in range(8)],
        "skin": ["LS", "NL"] * 4,
    }
)


COHORT_OF_A_LAB = {
    "id": "lab",
    "title": "A lab",
    "disease": "atopic dermatitis",
    "tissue": "skin biopsy",
    "assay": "rna-seq",
    "route": "local",
    "scale": "counts",
    "reference": "nonlesional",
    "source": {"table": "x.csv", "sheet": "y.csv"},
}


def lab_source(tmp_path, table, name="table.csv", index=True):
    table.to_csv(tmp_path / name, index=index)
    SHEET.to_csv(tmp_path / "sheet.csv", index=False)
    draft = draft_of_table(tmp_path / name, tmp_path / "sheet.csv")
    return {key: value for key, (value, _) in draft.source.items()}, draft


FACTS = {"disease": "atopic dermatitis", "tissue": "skin biopsy", "scale": "counts"}


def proposal(tmp_path, raw, **texts):
    """Write the proposal of a sheet; return its text and what YAML makes of it."""
    source = {"table": ("counts.csv", ""), "sheet": ("sheet.csv", "")}
    draft = CohortDraft("lab", "lab", "local", raw, source=source, assay="rna-seq", texts=texts)
    text = write_cohort(propose(draft))
    for key, value in FACTS.items():
        text = text.replace(f"\n{key}: null", f"\n{key}: {value}")
    path = tmp_path / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return text, read_yaml(path)


def sheet_of(visits, **fields):
    """Lesional and non-lesional samples of four patients at each visit."""
    rows = [
        {"subject": f"P{p}", "skin": skin, "visit": visit}
        | {key: values[p % len(values)] for key, values in fields.items()}
        for p in range(4)
        for visit in visits
        for skin in ("LS", "NL")
    ]
    return pd.DataFrame(rows, index=[f"s{i}" for i in range(len(rows))], dtype=object)
