"""overview.html: everything about one cohort on one page that needs no network.

What stands where is said by ``templates/overview.html``; here are the rows of its tables and the
sentences that depend on them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm import __version__
from adnorm.base.losses import percent
from adnorm.base.text import counted, per_cent
from adnorm.figures.changes import in_words, mark, n_notes, star_text, supported_columns
from adnorm.figures.data import MOST_ADDED, STATE_ORDER, CohortData, rows_of, sorted_by
from adnorm.figures.labels import digits, interval_text, signed_note
from adnorm.figures.names import TITLES
from adnorm.figures.page import write_page
from adnorm.figures.page.answers import estimand
from adnorm.figures.quality import flag_words
from adnorm.study.vocabulary import (
    DOUBTED_LABELS,
    BatchRule,
    BatchVerdict,
    ComparisonKind,
    Moves,
)

if TYPE_CHECKING:
    from markupsafe import Markup

#: Key → (short citation, DOI).
REFERENCES = {
    "tmm": ("Robinson & Oshlack 2010", "10.1186/gb-2010-11-3-r25"),
    "median of ratios": ("Anders & Huber 2010", "10.1186/gb-2010-11-10-r106"),
    "limma": ("Ritchie et al. 2015", "10.1093/nar/gkv007"),
    "blocks": ("Smyth, Michaud & Scott 2005", "10.1093/bioinformatics/bti270"),
    "voom": ("Law et al. 2014", "10.1186/gb-2014-15-2-r29"),
    "deseq2": ("Love et al. 2014", "10.1186/s13059-014-0550-8"),
    "ssgsea": ("Barbie et al. 2009", "10.1038/nature08460"),
    "gsva": ("Hänzelmann et al. 2013", "10.1186/1471-2105-14-7"),
    "gsea": ("Subramanian et al. 2005", "10.1073/pnas.0506580102"),
    "camera": ("Wu & Smyth 2012", "10.1093/nar/gks461"),
    "gseapy": ("Fang et al. 2023", "10.1093/bioinformatics/btac757"),
    "scanpy": ("Wolf et al. 2018", "10.1186/s13059-017-1382-0"),
    "anndata": ("Virshup et al. 2024", "10.21105/joss.04371"),
    "snakemake": ("Mölder et al. 2021", "10.12688/f1000research.29032.2"),
}
PACKAGES = (
    *("anndata", "gseapy", "matplotlib", "numpy", "pandas", "pylimma", "scanpy", "scipy"),
    *("seaborn", "snakemake"),
)
#: Figures that stand on the page itself; the report has all of them.
SHOWN = ("set_changes", "patients", "genes_itch", "genes_barrier")
#: With a larger share of flagged samples the page warns.
MOST_FLAGGED = 0.25

Rows = list[dict[str, Any]]


def write_overview(data: CohortData, path: Path) -> None:
    """Write the overview page of a cohort; the SVG figures must already lie beside it."""
    facts, tables = data.facts, data.tables
    losses, cautions = _losses(tables["losses"])
    supported, refused = _comparisons(data)
    people = data.samples["patient"].nunique()
    write_page(
        path,
        "overview.html",
        **methods_values(data),
        title=facts.get("title") or facts["cohort"],
        cohort=facts["cohort"],
        lead=f"{len(data.samples)} samples of {people} people, {facts.get('disease', '')}",
        simulated=bool(facts.get("simulated")),
        file=data.settings.cohort,
        results=_results(data),
        estimand=_estimand(data),
        index_note=_index_note(data),
        warnings=[*warnings(data), *cautions],
        placebo_note=placebo_note(data),
        n_note="; ".join(n_notes(supported_columns(data))),
        signed_note=signed_note(data, data.topic_sets),
        stars=star_text(data.fdr),
        figures=_embedded(path.parent),
        design=_design(data),
        batches=_batches(data),
        supported=supported,
        refused=refused,
        quality=_quality(data),
        excluded=_rows(tables["excluded"]),
        losses=losses,
        identifiers=_rows(tables["identifiers"]),
        coverage=_coverage(data),
        agreement=_agreement(tables["agreement"]),
        references=REFERENCES,
        versions=versions(),
        files=_files(data),
    )


def _rows(table: pd.DataFrame) -> Rows:
    plain = table.astype(object).where(table.notna(), "")
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def _embedded(folder: Path) -> Rows:
    return [
        {
            "data": base64.b64encode((folder / f"{name}.svg").read_bytes()).decode("ascii"),
            "alt": TITLES[name],
            "caption": f"{TITLES[name]}. Its numbers are in {name}.tsv.",
        }
        for name in SHOWN
    ]


# ---------------------------------------------------------------- results


def _results(data: CohortData) -> dict[str, Any]:
    """Lay out the itch and barrier sets: one row per comparison, one column per set."""
    columns = supported_columns(data)
    effects = data.shown_effects([c.contrast for c in columns])
    effects = effects[effects["set"].isin(data.topic_sets)]
    known = {(row.contrast, row.set): _result(row, data) for row in rows_of(effects)}
    rows = []
    for column in columns:
        row = {
            "what": in_words(column.contrast, column.kind, data.arms, week=False),
            "week": f"{column.week:g}",
            "pairs": column.n_text,
        }
        for name in data.topic_sets:
            row[name] = known.get((column.contrast, name), "")
        rows.append(row)
    titles = {"what": "Comparison", "week": "#Week", "pairs": "#Patients"}
    titles |= {name: f"#{data.sets.loc[name, 'label']}" for name in data.topic_sets}
    return {"rows": rows, "titles": titles}


def _result(row: Any, data: CohortData) -> str:
    if not np.isfinite(row.change):
        return f"not available: {row.reason}"
    flag = "" if data.sets.loc[row.set, "status"] == "ok" else "†"
    estimate, _, interval = interval_text(row.change, row.lower, row.upper, "+").partition(" ")
    parts = [interval, mark(row.fdr, data.fdr), flag]
    # A narrow page breaks the line before the interval, not within it.
    return f"{estimate} {' '.join(filter(None, parts)).replace(' ', chr(0xA0))}"


def _index_note(data: CohortData) -> str:
    """Say where the index is; it needs all cohorts of a run, which this page does not wait for."""
    changes = [c for c in supported_columns(data) if c.kind == ComparisonKind.CHANGE]
    if not changes:
        return f"This cohort has no normalization index: {data.why_no(ComparisonKind.CHANGE)}."
    return (
        "These are plain differences of the patients who have both samples. How far each score is "
        "back is the normalization index, which sets a change against the disease effect, given "
        "the score at baseline and with a model of missed visits, so that a difference between "
        "arms may come out otherwise. It stands, with its intervals, in the report under "
        "Normalization, in the results as figures/normalization.svg and index/index.tsv. Whether "
        'the answer holds in other analyses: "does the answer hold?" in the report, '
        "figures/answers.html in the results."
    )


def _estimand(data: CohortData) -> dict[str, str]:
    """Say what the index estimates; nothing where there is none."""
    if not any(c.kind == ComparisonKind.CHANGE for c in supported_columns(data)):
        return {}
    controlled = bool(data.placebo and data.facts.get("randomised", True))
    return estimand(controlled, data.of_lesions)


def placebo_note(data: CohortData) -> str:
    """Say what placebo alone does to the scores, if the cohort can tell."""
    columns = [c for c in supported_columns(data) if c.kind == ComparisonKind.CHANGE]
    if not columns:
        return ""
    own = [c.contrast for c in columns if c.group == data.placebo]
    if not own:
        return (
            "The cohort has no placebo arm: a change may also come from time or from regression "
            "to the mean."
        )
    effects = data.shown_effects(own)
    changes = effects.loc[effects["set"].isin(data.topic_sets), "change"]
    if not changes.median() < 0:
        return "A drug is judged by its difference to placebo."
    return (
        "Scores also fall without any drug (regression to the mean), so a change in a drug arm "
        "means little without the difference to placebo."
    )


def warnings(data: CohortData) -> list[str]:
    """Say why the results of a cohort must be read with care; usually nothing."""
    caution = str(data.facts.get("caution", ""))
    found = [caution] if caution else []
    if len(data.aliased):
        found.append(_aliased(data))
    samples = len(data.samples)
    if data.flagged > MOST_FLAGGED * samples:
        found.append(
            f"{data.flagged} of {samples} samples are flagged by quality control: differences "
            "may be technical."
        )
    flags = data.samples["qc_flags"].str.split(";")
    doubted = data.samples.index[[bool(set(DOUBTED_LABELS) & set(f)) for f in flags]]
    if len(doubted):
        listed = ", ".join(doubted[:4]) + (" and others" if len(doubted) > 4 else "")
        found.append(
            f"{counted(len(doubted), 'sample')} that the analysis uses may carry the label of "
            f"another one ({listed}): the evidence is under Quality."
        )
    return found + _controls(data)


def _aliased(data: CohortData) -> str:
    """Say which results may be those of a batch."""
    kinds = zip(data.aliased["contrast"], data.aliased["kind"], strict=True)
    named = [in_words(contrast, kind, data.arms) for contrast, kind in kinds]
    more = f"; and {len(named) - 4} more" if len(named) > 4 else ""
    ignored = data.settings.effects.batch == BatchRule.IGNORE
    taken = (
        "The configuration ignores batches, so their numbers are shown and may be those of a batch."
        if ignored
        else "The linear model gives no number for them; indices and single samples are shown as "
        "they are, and may be those of a batch."
    )
    return f"{data.facts['batch'].partition(':')[0]}: {'; '.join(named[:4])}{more}. {taken}"


def _batches(data: CohortData) -> dict[str, Any]:
    """Biopsies by arm, skin, week and batch, and the verdict on every comparison."""
    table = data.tables["batches"]
    if table.empty:
        return {}
    keys = ["arm", "state", "week"]
    wide = table.pivot_table(index=keys, columns="batch", values="biopsies", fill_value=0)
    # A batch may be called "arm".
    wide = wide.astype(int).add_prefix("batch ").reset_index()
    orders = {"arm": data.arms, "state": STATE_ORDER}
    wide = sorted_by(wide, keys, orders).assign(week=lambda d: d["week"].map("{:g}".format))
    titles = {"arm": "Arm", "state": "Skin", "week": "#Week"}
    titles |= {name: f"#B{str(name)[1:]}" for name in wide.columns[3:]}
    judged = data.tables["comparisons"]
    judged = judged[judged["batch"] != ""]
    names = zip(judged["contrast"], judged["kind"], strict=True)
    judged = judged.assign(
        words=[in_words(contrast, kind, data.arms) for contrast, kind in names],
        flag=judged["batch"] == BatchVerdict.ALIASED,
    ).sort_values("flag", ascending=False, kind="stable")
    return {"rows": _rows(wide), "titles": titles, "judged": _rows(judged)}


def _controls(data: CohortData) -> list[str]:
    """Say that negative controls move, or that they would not notice."""
    table, moved = data.tables["controls"], data.moved_controls
    kinds = data.tables["comparisons"].set_index("contrast")["kind"]
    texts = [
        f"{data.sets['label'].get(row.set, row.set)} {digits(row.change, '+')} log2 "
        f"({in_words(row.contrast, kinds[row.contrast], data.arms)})"
        for row in rows_of(moved)
    ]
    tested = table[table["moves"].notna()]
    if texts:
        listed = "; ".join(texts[:4]) + (f"; and {len(texts) - 4} more" if len(texts) > 4 else "")
        return [
            f"Negative controls move in {len(texts)} of {len(tested)} comparisons, where they "
            f"should not: {listed}. All genes may have moved together, so that every set seems to "
            "change with the disease or to come back with the drug: see controls.tsv."
        ]
    if len(tested) and (tested["moves"] == Moves.UNCLEAR).all():
        return [
            "Negative controls cannot tell whether all genes move together: too few patients, or "
            "too much noise (controls.tsv)."
        ]
    return []


# ---------------------------------------------------------------- design, quality, losses, sets


def _design(data: CohortData) -> dict[str, Any]:
    """Patients by arm, skin and week; biopsies in brackets where there are more."""
    table = data.tables["design"]
    counts = [
        f"{people} ({biopsies})" if biopsies > people else f"{people}"
        for people, biopsies in zip(table["patients"], table["samples"], strict=True)
    ]
    wide = table.assign(n=counts).pivot(index=["arm", "state"], columns="week", values="n")
    present = [
        (arm, state) for arm in data.arms for state in STATE_ORDER if (arm, state) in wide.index
    ]
    wide = wide.loc[present].fillna("–").reset_index()
    titles = {week: f"#Week {week:g}" for week in wide.columns[2:]}
    return {"rows": wide.to_dict("records"), "titles": {"arm": "Arm", "state": "Skin"} | titles}


def _comparisons(data: CohortData) -> tuple[Rows, Rows]:
    """Comparisons in words: those that the design supports, and the others."""
    table = data.tables["comparisons"]
    names = zip(table["contrast"], table["kind"], strict=True)
    table = table.assign(words=[in_words(contrast, kind, data.arms) for contrast, kind in names])
    supported = table["supported"] == "yes"
    return _rows(table[supported]), _rows(table[~supported])


def _quality(data: CohortData) -> dict[str, Any]:
    qc, excluded = data.tables["qc"], data.tables["excluded"]
    flags = qc["flags"].fillna("").astype(str)
    flagged = qc.assign(flags=flags.map(flag_words), excluded_flag=qc["excluded"] == "yes")
    flagged = flagged[flags != ""]
    sentence = (
        f"Assessed: {counted(len(qc), 'sample')}; flagged: {len(flagged)}, of which excluded by a "
        f"rule: {flagged['excluded_flag'].sum()}. Left out of the analysis in all: {len(excluded)}."
    )
    return {"sentence": sentence, "rows": _rows(flagged)}


def _losses(table: pd.DataFrame) -> tuple[Rows, list[str]]:
    """What was lost between the deposit and the genes; large losses first, and as cautions."""
    table = table.assign(flag=table["warning"] == "yes")
    table = table.sort_values("flag", ascending=False, kind="stable")
    table["number"] = [
        f"{lost:,} of {total:,} ({percent(share)})"
        for lost, total, share in zip(table["lost"], table["of"], table["share"], strict=True)
    ]
    large = table[table["flag"]].itertuples()
    return _rows(table), [f"Lost on the way: {row.number} {row.what}." for row in large]


def _coverage(data: CohortData) -> dict[str, Any]:
    table = data.by_set(data.tables["coverage"])
    table = table.assign(
        flag=table["status"] != "ok",
        label=table["set"].map(data.sets["label"]).fillna(table["set"]),
        status=table["status"].str.replace("_", " "),
    )
    sentence = (
        f"{len(table):,} gene sets, {table['flag'].sum()} of them flagged for low coverage or not "
        "scored."
    )
    added = set(data.added_sets())
    if len(added) > MOST_ADDED:
        sentence += f" The {len(added):,} added sets are not listed here: see coverage.tsv."
        table = table[~table["set"].isin(added)]
    return {"sentence": sentence, "rows": _rows(table)}


def _agreement(table: pd.DataFrame) -> str:
    if table.empty or table["spearman"].isna().all():
        return ""
    middle = table.groupby(["method_a", "method_b"], as_index=False)[["spearman"]].median()
    pairs = [f"{row.method_a} and {row.method_b} {row.spearman:.2f}" for row in rows_of(middle)]
    return (
        f"Agreement of the scores (median Spearman correlation over the sets): {'; '.join(pairs)}."
    )


def _files(data: CohortData) -> Rows:
    return [
        {
            **{key: file[key] for key in ("name", "role", "source")},
            "bytes": f"{int(file['bytes']):,}",
            "sha256": str(file["sha256"])[:16],
        }
        for file in data.manifest.get("files", [])
    ]


# ---------------------------------------------------------------- methods


class Citations:
    """Numbers what a text cites, in the order of the first citation."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> Markup:
        """Write links to references; keys that are not given are left out."""
        from markupsafe import Markup

        cited = [key for key in keys if key in REFERENCES]
        self.keys += [key for key in dict.fromkeys(cited) if key not in self.keys]
        link = Markup('<a href="#ref-{}">{}</a>')
        links = Markup(", ").join(link.format(key, self.keys.index(key) + 1) for key in cited)
        return Markup(" [{}]").format(links) if cited else Markup("")


def methods_values(data: CohortData) -> dict[str, Any]:
    """Give the values that the template of the methods asks for."""
    return {
        "data": data,
        "facts": data.facts,
        "settings": data.settings,
        "layers": list(data.scores.layers),
        "scale": declared_scale(data.facts),
        "batch_rule": data.settings.effects.batch if len(data.tables["batches"]) else "",
        "compared": bool((data.tables["comparisons"]["supported"] == "yes").any()),
        "confidence": per_cent(data.settings.effects.confidence),
        "per_cent": per_cent,
        "cite": Citations(),
    }


def versions() -> list[tuple[str, str]]:
    """List the software of this run with its versions; packages that are absent are left out."""
    found = [("adnorm", __version__)]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def declared_scale(facts: Mapping[str, Any]) -> str:
    """Name the declared scale, and the reason if the check of the values found another."""
    scale = str(facts.get("declared_scale") or facts.get("scale", ""))
    reason = str(facts.get("scale_checked") or "")
    if not reason:
        return scale
    return f"{scale}, kept although the check of the values finds otherwise, because: {reason}"
