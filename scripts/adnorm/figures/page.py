"""overview.html: everything about one cohort on one page that needs no network."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd

from adnorm.base.losses import percent
from adnorm.base.tables import atomic
from adnorm.figures.contrasts import count_notes
from adnorm.figures.labels import signed_note
from adnorm.figures.material import Material
from adnorm.figures.methods import (
    REFERENCES,
    cited_keys,
    declared_scale,
    methods_sentences,
    versions,
)
from adnorm.figures.names import TITLES
from adnorm.figures.quality import flag_words
from adnorm.figures.results import (
    describe_columns,
    placebo_note,
    result_table,
    supported_columns,
    warnings,
)
from adnorm.figures.selection import MOST_ADDED, added_sets
from adnorm.figures.template import PAGE, STYLE
from adnorm.figures.theme import counted
from adnorm.figures.words import in_words

#: Figures that stand on the page itself; the report has all of them.
SHOWN = ("set_changes", "patients", "genes_itch", "genes_barrier")


def _rows(table: pd.DataFrame) -> list[dict]:
    plain = table.astype(object).where(table.notna(), "")
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def _about(material: Material) -> list[tuple[str, object]]:
    facts, cohort = material.facts, material.settings.get("cohort", {})
    accession = str(cohort.get("accession") or "")
    link: object = accession
    if accession.startswith("GSE"):
        address = f"https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc={accession}"
        link = {"text": accession, "link": address}
    sources = "simulated by adnorm" if facts.get("simulated") else link
    lines = [
        ("Source", sources),
        ("Citation", cohort.get("citation") or ""),
        ("Disease", facts.get("disease", "")),
        ("Tissue", facts.get("tissue", "")),
        ("Assay", " ".join(filter(None, [facts.get("assay", ""), facts.get("platform", "")]))),
        ("Values", f"{facts.get('normalization', '')} (declared scale: {declared_scale(facts)})"),
        ("Check of the scale", facts.get("scale_found") or ""),
        ("Reference skin", facts.get("reference") or "none in this cohort"),
        ("Placebo arm", facts.get("placebo_arm") or "none"),
        ("Size", f"{facts.get('samples')} samples, {facts.get('genes'):,} genes"),
        ("Cohort file", cohort.get("status") or ""),
        ("Note", cohort.get("note") or ""),
    ]
    return [(name, value) for name, value in lines if value]


def _design(material: Material) -> dict:
    table = material.tables["design"]
    weeks = sorted(table["week"].unique())
    rows = []
    order = [s for s in ("healthy", "nonlesional", "lesional") if s in set(table["state"])]
    for arm in material.arms:
        for state in order:
            cells = table[(table["arm"] == arm) & (table["state"] == state)]
            if cells.empty:
                continue
            row: dict[str, object] = {"arm": arm, "state": state}
            for week in weeks:
                cell = cells[cells["week"] == week]
                row[f"w{week:g}"] = "–"
                if len(cell):
                    people, biopsies = int(cell["patients"].iloc[0]), int(cell["samples"].iloc[0])
                    more = f" ({biopsies})" if biopsies > people else ""
                    row[f"w{week:g}"] = f"{people}{more}"
            rows.append(row)
    titles = {"arm": "Arm", "state": "Skin"} | {f"w{w:g}": f"#Week {w:g}" for w in weeks}
    return {"rows": rows, "columns": describe_columns(**titles)}


def _comparisons(material: Material) -> tuple[dict, dict]:
    table = material.tables["comparisons"].copy()
    names = zip(table["contrast"], table["kind"], strict=True)
    table["words"] = [in_words(contrast, kind, material.arms) for contrast, kind in names]
    yes = table[table["supported"] == "yes"]
    no = table[table["supported"] != "yes"]
    return (
        {"rows": _rows(yes), "columns": describe_columns(words="Comparison", reason="Rests on")},
        {"rows": _rows(no), "columns": describe_columns(words="Comparison", reason="Reason")},
    )


def _quality(material: Material) -> tuple[dict, dict]:
    qc, excluded = material.tables["qc"], material.tables["excluded"]
    flags = qc["flags"].fillna("").astype(str)
    flagged = qc[flags != ""].copy()
    flagged["flags"] = flagged["flags"].map(flag_words)
    flagged["excluded_flag"] = flagged["excluded"] == "yes"
    gone = int(flagged["excluded_flag"].sum())
    sentence = (
        f"Assessed: {counted(qc, 'sample')}; flagged: {len(flagged)}, of which excluded by a rule: "
        f"{gone}. Left out of the analysis in all: {len(excluded)}."
    )
    titles = {"sample": "Sample", "flags": "Flags", "reason": "Reason", "excluded": "Excluded"}
    quality = {"sentence": sentence, "rows": _rows(flagged), "columns": describe_columns(**titles)}
    return quality, {
        "rows": _rows(excluded),
        "columns": describe_columns(sample="Sample", reason="Reason"),
    }


def _coverage(material: Material) -> dict:
    table = material.tables["coverage"].copy()
    table["flag"] = table["status"] != "ok"
    table["label"] = table["set"].map(material.sets["label"]).fillna(table["set"])
    table["status"] = table["status"].str.replace("_", " ")
    added = set(added_sets(material))
    hidden = added if len(added) > MOST_ADDED else set()
    order = {name: i for i, name in enumerate(material.sets.index)}
    table = table.sort_values("set", key=lambda s: s.map(order), kind="stable")
    flagged = int(table["flag"].sum())
    titles = {
        "label": "Gene set",
        "asked": "#Asked",
        "found": "#Found",
        "renamed": "#Older symbol",
        "undetected": "#Not detected",
        "absent": "#Absent",
        "status": "Status",
        "reason": "Reason",
    }
    sentence = (
        f"{len(table):,} gene sets, {flagged} of them flagged for low coverage or not scored."
    )
    if hidden:
        sentence += f" The {len(hidden):,} added sets are not listed here: see coverage.tsv."
    rows = _rows(table[~table["set"].isin(hidden)])
    small = len(rows) <= 15
    return {
        "rows": rows,
        "columns": describe_columns(**titles),
        "sentence": sentence,
        "open": small,
    }


def _losses(material: Material) -> dict:
    """What was lost between the deposit and the genes; large losses come first, in colour."""
    table = material.tables["losses"].copy()
    table["flag"] = table["warning"] == "yes"
    table = table.sort_values("flag", ascending=False, kind="stable")
    table["number"] = [
        f"{lost:,} of {total:,} ({percent(share)})"
        for lost, total, share in zip(table["lost"], table["of"], table["share"], strict=True)
    ]
    titles = {"number": "Lost", "what": "What", "detail": "Which", "advice": "What to do"}
    cautions = [
        f"Lost on the way: {row.number} {row.what}." for row in table[table["flag"]].itertuples()
    ]
    return {"rows": _rows(table), "columns": describe_columns(**titles), "cautions": cautions}


def _agreement(material: Material) -> str:
    table = material.tables["agreement"]
    if table.empty or table["spearman"].isna().all():
        return ""
    middle = table.groupby(["method_a", "method_b"])["spearman"].median()
    pairs = [f"{a} and {b} {value:.2f}" for (a, b), value in middle.items()]
    return (
        f"Agreement of the scores (median Spearman correlation over the sets): {'; '.join(pairs)}."
    )


def _files(material: Material) -> dict:
    rows = [
        {
            "name": file["name"],
            "role": file["role"],
            "source": file["source"],
            "bytes": f"{int(file['bytes']):,}",
            "sha256": str(file["sha256"])[:16],
        }
        for file in material.manifest.get("files", [])
    ]
    titles = {"name": "File", "role": "Role", "source": "Source", "bytes": "#Bytes"}
    return {"rows": rows, "columns": describe_columns(**titles, sha256="SHA-256 (first 16 digits)")}


def _references(keys: list[str]) -> dict[str, dict]:
    return {
        key: {"number": i, "text": REFERENCES[key][0], "doi": REFERENCES[key][1]}
        for i, key in enumerate(keys, 1)
    }


def write_page(material: Material, path: Path) -> None:
    """Write the overview page of a cohort.

    Parameters
    ----------
    material
        The cohort.
    path
        overview.html; the SVG figures must already lie beside it.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    facts = material.facts
    methods = methods_sentences(material)
    supported, refused = _comparisons(material)
    quality, excluded = _quality(material)
    people = material.samples["patient"].nunique()
    losses = _losses(material)
    topics = [s.name for s in material.heatmap_sets("itch", "barrier")]
    shown = [name for name in topics if name in material.sets.index]
    effects = material.settings.get("effects", {})
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = page.from_string(PAGE.lstrip()).render(
        title=facts.get("title") or facts["cohort"],
        cohort=facts["cohort"],
        lead=f"{len(material.samples)} samples of {people} people, {facts.get('disease', '')}",
        simulated=bool(facts.get("simulated")),
        style=Markup(STYLE),
        about=_about(material),
        results=result_table(material),
        index_note=_index_note(material),
        warnings=[*warnings(material), *losses["cautions"]],
        placebo_note=placebo_note(material),
        count_note="; ".join(count_notes(supported_columns(material))),
        unit=material.unit,
        zero=material.zero,
        confidence=f"{100 * float(effects.get('confidence', 0.95)):g}",
        signed_note=signed_note(material, shown),
        stars=f"* FDR < {material.fdr:g}, ** < 0.01, *** < 0.001",
        figures=_embedded(path.parent),
        design=_design(material),
        supported=supported,
        refused=refused,
        quality=quality,
        excluded=excluded,
        losses=losses,
        identifiers={
            "rows": _rows(material.tables["identifiers"]),
            "columns": describe_columns(step="Step", count="#Count", detail="Detail"),
        },
        coverage=_coverage(material),
        agreement=_agreement(material),
        methods=methods,
        references=_references(cited_keys(methods)),
        versions=versions(),
        files=_files(material),
    )
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _index_note(material: Material) -> str:
    """Say where the index is; it needs all cohorts of a run, which this page does not wait for."""
    table = material.tables["comparisons"]
    changes = table[(table["kind"] == "change") & (table["supported"] == "yes")]
    if changes.empty:
        return "This cohort has no normalization index: " + material.why_no("change") + "."
    return (
        "How far each of these scores is back (the normalization index, which sets a change "
        "against the disease effect), with its intervals: in the report under "
        "Normalization, in the results as figures/normalization.svg and index/index.tsv."
    )


def _embedded(folder: Path) -> list[dict]:
    figures = []
    for name in SHOWN:
        data = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode("ascii")
        caption = f"{TITLES[name]}. Its numbers are in {name}.tsv."
        figures.append({"data": data, "alt": TITLES[name], "caption": caption})
    return figures
