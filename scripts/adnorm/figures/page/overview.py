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
from adnorm.base.text import counted, per_cent, typeset
from adnorm.figures.answer import NO_THERAPY, Answer, primary_rows
from adnorm.figures.changes import in_words, mark, n_notes, star_text, supported_columns
from adnorm.figures.data import (
    MOST_ADDED,
    STATE_ORDER,
    CohortData,
    IndexData,
    known_reference,
    rows_of,
    sorted_by,
)
from adnorm.figures.labels import (
    EXPLORATORY,
    digits,
    interval_text,
    p_text,
    people,
    score_label,
    side_of,
    signed_note,
)
from adnorm.figures.names import FIGURES, INDEX_FIGURES, TITLES, Category
from adnorm.figures.page import write_page
from adnorm.figures.page.answers import estimand
from adnorm.figures.quality import flag_words
from adnorm.study.vocabulary import (
    DOUBTED_LABELS,
    Arm,
    BatchRule,
    BatchVerdict,
    ComparisonKind,
    Moves,
    State,
    Status,
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
#: Comparisons that are named where many have one verdict; all are in comparisons.tsv.
MOST_NAMED = 6

Rows = list[dict[str, Any]]


def write_overview(data: CohortData, found: IndexData, answer: Answer, path: Path) -> None:
    """Write the overview page of a cohort; the figure ``answer`` must already lie beside it."""
    facts, tables = data.facts, data.tables
    losses, cautions = _losses(data)
    supported, refused = _comparisons(data)
    people = data.samples["patient"].nunique()
    index = primary_rows(found)
    write_page(
        path,
        "overview.html",
        **methods_values(data),
        title=answer.title,
        cohort=answer.cohort,
        lead=f"{len(data.samples)} samples of {people} people, {facts.get('disease', '')}",
        banners=answer.banners,
        sentences=answer.sentences,
        no_therapy=NO_THERAPY,
        care=answer.care,
        picture=_embedded(path.with_name("answer.svg")) if answer.estimates else "",
        picture_alt=TITLES["answer"],
        index_rows=_index_rows(found, index),
        reference=known_reference(index, "ni") or next(iter(index["reference"]), ""),
        confidence_index=found.confidence,
        bold_words="the interval excludes 0"
        if answer.controlled
        else "the interval excludes 0 (uncontrolled)",
        simulated=answer.simulated,
        file=data.settings.cohort,
        results=_results(data),
        estimand=_estimand(data),
        index_note=_index_note(data, index),
        warnings=[*warnings(data), *cautions],
        placebo_note=placebo_note(data),
        n_note="; ".join(n_notes(supported_columns(data))),
        signed_note=signed_note(data, data.topic_sets),
        stars=star_text(data.fdr),
        figures=[
            {"file": f"{figure.name}.svg", "title": figure.title, "category": figure.category}
            for figure in (*INDEX_FIGURES, *FIGURES)
        ],
        answer_category=Category.ANSWER,
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


def _embedded(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode("ascii")


# ---------------------------------------------------------------- the index


def _index_rows(data: IndexData, index: pd.DataFrame) -> Rows:
    """Lay out the primary family at every visit: the highest dose of a drug first, placebo last."""
    from markupsafe import Markup

    arms = list(reversed(data.arms))
    orders: dict[str, list[str]] = {"arm": arms, "name": data.primary}
    shown = sorted_by(index, ["name", "arm", "week"], orders)
    rows: Rows = []
    for row in rows_of(shown):
        compared, alone = np.isfinite(row.dni), np.isfinite(row.ni)
        few = str(row.dni_reason).startswith(Status.EXPLORATORY)
        doubt = row.status == Status.EXPLORATORY
        dni = ni = Markup("")
        if compared:
            dni = _number(row.dni, row.dni_lower, row.dni_upper, doubt or few, marked=True)
        if alone:
            ni = _number(row.ni, row.lower, row.upper, doubt, marked=not data.placebo)
        placebo_pairs = row.placebo_pairs if compared else 0
        p = row.adjusted_p_value
        why = row.reason if not alone or doubt else row.dni_reason
        why = "" if pd.isna(why) else typeset(str(why))
        last = rows[-1] if rows else {}
        same = last.get("why") == (row.name, row.arm, why)
        if same and not alone:
            # Visits that all lack a number for one reason are one row.
            last["week"], last["n"] = f"{last['week']}, {row.week:g}", ""
            continue
        rows.append(
            {
                "why": (row.name, row.arm, why) if not alone else None,
                "score": score_label(data, row.name),
                "arm": row.arm,
                "week": f"{row.week:g}",
                "n": people(row.pairs, placebo_pairs, data.of_lesions),
                "dni": dni,
                "ni": ni,
                "p": p_text(p) if np.isfinite(p) else "",
                "status": why,
            }
        )
    return rows


def _number(value: float, lower: float, upper: float, doubt: bool, marked: bool) -> Markup:
    """Write an estimate: bold where its interval excludes 0, italic where it is exploratory."""
    from markupsafe import Markup

    text = interval_text(value, lower, upper)
    if doubt:
        number, _, interval = text.partition(" ")
        text = Markup("<i>{}{} {}</i>").format(number, EXPLORATORY, interval)
    bold = marked and side_of(lower, upper)
    return Markup("<b>{}</b>").format(text) if bold else Markup("{}").format(text)


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


def _index_note(data: CohortData, index: pd.DataFrame) -> str:
    """Say how plain differences and the index belong together, and where they disagree."""
    changes = [c for c in supported_columns(data) if c.kind == ComparisonKind.CHANGE]
    if not changes:
        return f"This cohort has no normalization index: {data.why_no(ComparisonKind.CHANGE)}."
    note = (
        "These are plain differences of the patients who have both samples. The primary answer is "
        "the index above: it sets a change against the disease effect, given the score at baseline "
        "and with a model of missed visits, so that a difference between arms may come out "
        "otherwise."
    )
    apart = _disagreements(data, index)
    if apart:
        listed = "; ".join(apart[:MOST_NAMED])
        more = f"; and {len(apart) - MOST_NAMED} more" if len(apart) > MOST_NAMED else ""
        note += f" It does so here, and the index counts: {listed}{more}."
    return note


def _disagreements(data: CohortData, index: pd.DataFrame) -> list[str]:
    """Name the scores on which a plain difference from placebo and dNI have other verdicts."""
    effects = data.shown_effects(list(data.tables["comparisons"]["contrast"]))
    plain = effects.drop_duplicates(["contrast", "set"]).set_index(["contrast", "set"])
    found = []
    for row in rows_of(index[index["dni"].notna()]):
        key = (f"change:{row.arm}-{data.placebo}@{row.week:g}", row.name)
        if key not in plain.index or not np.isfinite(plain.loc[key, "change"]):
            continue
        # A score that falls has a change below 0, and an index above 0.
        change = plain.loc[key]
        marked = -int(np.sign(change["change"])) if change["fdr"] < data.fdr else 0
        if marked != side_of(row.dni_lower, row.dni_upper):
            verdict = "marked" if marked else "not marked"
            label = data.sets["label"].get(row.name, row.name)
            found.append(
                f"{label}, {row.arm}, week {row.week:g} (plain difference {verdict}, dNI "
                f"{interval_text(row.dni, row.dni_lower, row.dni_upper)})"
            )
    return found


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
        return "A drug is judged by its difference from placebo."
    return (
        "Scores also fall without any drug (regression to the mean), so a change in a drug arm "
        "means little without the difference from placebo."
    )


def warnings(data: CohortData) -> list[str]:
    """Say why the results of a cohort must be read with care; usually nothing."""
    caution = str(data.facts.get("caution", ""))
    found = [caution] if caution else []
    if len(data.aliased):
        found.append(_aliased(data))
    flags = data.samples["qc_flags"].str.split(";")
    doubted = data.samples.index[[bool(set(DOUBTED_LABELS) & set(f)) for f in flags]]
    if len(doubted):
        listed = ", ".join(doubted[:4]) + (" and others" if len(doubted) > 4 else "")
        found.append(
            f"{counted(len(doubted), 'sample')} that the analysis uses may carry the label of "
            f"another one ({listed}): the evidence is under Quality."
        )
    return [*found, *_added(data), *_controls(data)]


def _added(data: CohortData) -> list[str]:
    """Say that sets which the user added have few of their genes in this cohort."""
    added = data.sets.loc[data.added_sets()]
    short = added[added["status"] != "ok"]
    if short.empty:
        return []
    listed = ", ".join(short["label"][:4]) + (" and others" if len(short) > 4 else "")
    named = f" ({listed})" if len(added) <= MOST_ADDED else ""
    return [
        f"{len(short):,} of {counted(len(added), 'added gene set')} have too few genes here to be "
        f"trusted{named}: see Gene sets."
    ]


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
    return {"rows": _rows(wide), "titles": titles, "judged": _judged(data)}


def _judged(data: CohortData) -> Rows:
    """Group the comparisons by the verdict on their batches; aliased ones first."""
    judged = data.tables["comparisons"]
    judged = judged[judged["batch"].fillna("") != ""]
    names = zip(judged["contrast"], judged["kind"], strict=True)
    judged = judged.assign(
        words=[in_words(contrast, kind, data.arms) for contrast, kind in names],
        # What is the same for all; the groups of each comparison stand in comparisons.tsv.
        head=judged["batch_reason"]
        .str.partition(":")[0]
        .where(judged["batch"] == BatchVerdict.ALIASED, ""),
    )
    rows = []
    for (verdict, _), group in judged.groupby(["batch", "head"], sort=False):
        listed = "; ".join(group["words"][:MOST_NAMED])
        more = len(group) - MOST_NAMED
        reasons = list(dict.fromkeys(group["batch_reason"]))
        others = f" – and {len(reasons) - 1} alike" if len(reasons) > 1 else ""
        rows.append(
            {
                "batch": verdict,
                "count": f"{len(group)}",
                "words": f"{listed}; and {more} more" if more > 0 else listed,
                "batch_reason": f"{reasons[0]}{others}",
                "flag": verdict == BatchVerdict.ALIASED,
            }
        )
    return sorted(rows, key=lambda row: not row["flag"])


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


def _losses(data: CohortData) -> tuple[Rows, list[str]]:
    """What was lost between the deposit and the index; large losses first, and as cautions."""
    table = data.tables["losses"]
    table = table.assign(flag=table["warning"] == "yes")
    table = table.sort_values("flag", ascending=False, kind="stable")
    table["number"] = [
        _of(lost, total) for lost, total in zip(table["lost"], table["of"], strict=True)
    ]
    large = [f"Lost on the way: {row.number} {row.what}." for row in rows_of(table[table["flag"]])]
    return [*_rows(table), *_missing_visits(data), *_undetected(data)], large


def _of(lost: int, total: int) -> str:
    return f"{lost:,} of {total:,} ({percent(lost / total if total else 0.0)})"


def _missing_visits(data: CohortData) -> Rows:
    """Count the patients with lesional skin at baseline and none at a later visit of their arm."""
    parts, lost, total = [], 0, 0
    own = data.samples[data.samples["state"] == State.LESIONAL]
    start = own[own["week"] == 0]
    for arm in data.arms:
        people = set(own.loc[own["arm"] == arm, "patient"])
        begun = people & set(start.loc[start["arm"].isin([arm, Arm.ALL]), "patient"])
        later = own[(own["arm"] == arm) & (own["week"] > 0)]
        for week, seen in later.groupby("week")["patient"]:
            gone = len(begun - set(seen))
            lost, total = lost + gone, total + len(begun)
            if gone:
                parts.append(f"{arm}, week {week:g}: {gone} of {len(begun)}")
    if not lost:
        return []
    return [
        {
            "number": _of(lost, total),
            "what": "lesional biopsies of later visits are missing",
            "detail": "; ".join(parts),
            "advice": "",
            "flag": False,
        }
    ]


def _undetected(data: CohortData) -> Rows:
    """Count the genes that were measured and are too weak to be kept."""
    weak = len(np.atleast_1d(np.asarray(data.facts.get("undetected", []), dtype=object)))
    if not weak:
        return []
    total = weak + int(data.facts.get("genes", len(data.expression.var_names)))
    return [
        {
            "number": _of(weak, total),
            "what": "genes are below the expression filter",
            "detail": "",
            "advice": "",
            "flag": False,
        }
    ]


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
