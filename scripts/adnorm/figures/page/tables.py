"""tables.html: the tables of a cohort, or of all cohorts, to sort, to search and to take along.

What the files say is packed into the page as it stands there, so that what is saved is what was
written; the page opens without a network, also inside the report.
"""

from __future__ import annotations

import base64
import csv
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adnorm.base.tables import NAME_COLUMNS
from adnorm.figures.data import AtlasData, FigureData, IndexData
from adnorm.figures.labels import DERIVED, EXPLORATORY, score_label
from adnorm.figures.page import write_page
from adnorm.study.vocabulary import Status


class Shown(NamedTuple):
    """A table of the page: its key in the inputs, what it is, and the columns that stand first."""

    key: str
    title: str
    about: str
    #: Shown at first, the others on demand; all where none is named.
    first: tuple[str, ...] = ()


_INTERVALS = ("ni", "lower", "upper", "dni", "dni_lower", "dni_upper", "p_value")
COHORT: tuple[Shown, ...] = (
    Shown(
        "index",
        "Index",
        "The normalization index of the disease axis and of every gene set, primary estimates "
        "only: NI and the difference from placebo given the score at baseline (dNI), each with "
        "Fieller's interval, and the p value of what `tested` names. dNI is what is confirmed, NI "
        "alone is descriptive. The primary family, which stands first, has its place in the "
        "multiplicity plan (`step`, `adjusted_p_value`), the other scores a false discovery rate "
        "(`fdr`). `as_reference` is yes only where two one-sided tests find NIs within {margin} "
        "of 1. `estimator` says whether means come from observed pairs or, where visits are "
        "missing, from a mixed model for repeated measures (MMRM). `null_percentile` of the axis "
        "and the primary sets is the share (0 to 100) of random sets of like genes that fall less "
        "since baseline.",
        ("reference", "arm", "week", "name", *_INTERVALS, "adjusted_p_value", "fdr", "pairs")
        + ("placebo_pairs", "status", "reason"),
    ),
    Shown(
        "sensitivities",
        "Other analyses",
        "Analyses that question the index. `unadjusted`: dNI as the plain difference from placebo; "
        "`sign_flips`: an exact p value of no change since baseline; where visits are missing "
        "`observed_pairs` (patients who have both samples), `completers` (patients with all "
        "visits) and `delta_adjusted` (patients of drug arms who missed the visit are taken to be "
        "worse than the model says); `time_matched`: against nonlesional skin of the same visit; "
        "`composition_adjusted`, `with_composition_genes` and those on other scores or library "
        "sizes are exploratory; `percent_improvement` is the figure of the literature, which is "
        "circular and stands here for comparison only. No analysis here is confirmatory: a result "
        "that holds in the index alone is doubtful.",
        ("analysis", "reference", "arm", "week", "name", *_INTERVALS, "pairs", "placebo_pairs")
        + ("status", "reason"),
    ),
    Shown(
        "set_effects",
        "Changes of gene sets",
        "Comparisons of gene-set scores: change with confidence interval, p value, false "
        "discovery rate (Benjamini-Hochberg over the sets of one comparison and method), number "
        "of pairs, and effect size.",
    ),
    Shown(
        "denominators",
        "Disease effects",
        "The disease effects that the index divides by: lesional minus reference skin before "
        "treatment, for each reference and score (and arm, where patients were not randomised), "
        "the people it rests on, and whether an index rests on it at any visit. `basis` says of "
        "which disease an axis is and which cohorts it was trained on, or where the directions of "
        "a gene set come from.",
    ),
    Shown(
        "trajectories",
        "Patients",
        "Responses of single patients: decrease of the lesional score since baseline over the "
        "disease effect of all patients before treatment (0: no change, 1: level of the "
        "reference). `response` is what the biopsies of one patient show, drawn towards the mean "
        "of the arm as far as a mixed model finds it to be noise; interval and probabilities are "
        "those of the same posterior, with the uncertainty of the variances, of the mean of the "
        "arm and of the disease effect. `observed` is the plain change of two biopsies. A "
        "probability stands only where trials of this size and noise bear it out; elsewhere "
        "`not_known` says why. With one visit after baseline nothing tells response from noise: "
        "`response` is then the observed change, and its interval takes all that patients of an "
        "arm differ by as noise, so that it is rather too wide. Patterns call a part reversed if "
        "0.75 is exceeded with a probability of at least 0.8, residual if with at most 0.2, "
        "worsened if the interval lies below 0. These are descriptions for research, not advice "
        "on treatment.",
        ("patient", "arm", "week", "name", "response", "lower", "upper", "prob_above_half")
        + ("prob_above_three_quarters", "observed", "reference", "not_known", "reason"),
    ),
    Shown(
        "concordance",
        "Scores and the clinic",
        "Scores of the skin and clinical values: at baseline; decreases since baseline against "
        "each other, given both baselines within arms (partial Spearman correlation); values over "
        "visits within patients, without what an arm has in common at a visit; EASI-75 and "
        "SCORAD-50 against a response of at least 0.75. Interval and p value of a correlation "
        "come from one standard error (jackknife of patients on Fisher's z); kappa, sensitivity "
        "and specificity have an interval and no p value. `fdr` adjusts the p values of one "
        "question over its scores, clinical values, visits and arms. All of it is exploratory: a "
        "biopsy shows one spot and a clinical score the whole body, so correlations in real "
        "cohorts are mostly weak, and a level of the patient that lasts joins changes that share "
        "no response.",
    ),
    Shown(
        "calibration",
        "Clinical responders",
        "Clinical responders by how far their skin is back: the share of patients with EASI-75 "
        "and with SCORAD-50 in bins of the response of the skin (0 no change, 1 the level of the "
        "reference), with Wilson's interval; exploratory. A bin without a patient, a cohort "
        "without the clinical column and a score without an index have rows with the reason. A "
        "biopsy shows one spot and a clinical score the whole body.",
    ),
    Shown(
        "coverage",
        "Coverage",
        "How much of each gene set the platform can see: genes in the set, measured, renamed to "
        "their approved symbol, absent, and below the expression filter. A set with few of its "
        "genes is flagged wherever it appears.",
        ("set", "asked", "found", "renamed", "absent", "undetected", "status", "reason"),
    ),
    Shown(
        "samples",
        "Samples",
        "The canonical sample sheet. What the deposit says of a sample in its own words stays in "
        "expression/samples.tsv.",
    ),
    Shown(
        "qc",
        "Quality",
        "Quality of the samples. A flag leaves a sample out only by a rule of the configuration; "
        "`not_computed` says why a value is missing.",
    ),
    Shown(
        "comparisons",
        "Comparisons",
        "Every comparison that a cohort like this may support, with its number of patients, or "
        "the reason why this cohort does not support it. Where the sample sheet tells batches, "
        "`batch` says whether they can be told from what is compared (balanced, partly "
        "confounded, aliased: not at all), with the reason. Source: the canonical sample sheet.",
    ),
    Shown(
        "controls",
        "Negative controls",
        "Difference of the mean log2 expression of housekeeping genes between states of skin at "
        "baseline, and its change in each arm at each visit, with confidence interval, p value "
        "(paired t-test; Welch's test against healthy people) and Holm's p value over all rows. A "
        "control `moves` if Holm's p value is below 0.05 and it moves by at least 0.1 log2: then "
        "all genes may have moved together, as where a few genes take the reads of lesional skin, "
        "and the index of every set is in doubt. `unclear`: the interval reaches beyond ± 0.3 "
        "log2, so that the control would not notice such a shift.",
    ),
)
ATLAS: tuple[Shown, ...] = (
    Shown(
        "dose",
        "Dose",
        "Dose of every drug against its normalization index. `trend` is the slope over placebo "
        "and all doses on a scale of doublings (placebo stands one doubling below the lowest "
        "dose): a linear contrast of the arms given the score at baseline, every arm with a "
        "variance of its own (Welch), so that arms of unequal size and spread do not make a "
        "trend. `gain_per_doubling` is the slope over the doses alone; `adjacent` rows compare "
        "neighbouring doses, adjusted by Holm. Interval (Fieller's) and p value are of one test. "
        "A drug with one dose has no trend; its row gives the reason.",
        ("cohort", "disease", "drug", "week", "reference", "name", "question", "low", "high")
        + ("estimate", "lower", "upper", "p_value", "fdr", "holm_p_value", "pairs", "status")
        + ("reason",),
    ),
    Shown(
        "time",
        "Time",
        "The normalization index of every arm over its visits, and the share of the last visit's "
        "index that is there at week 2 (or at the first visit up to week 4), with Fieller's "
        "interval; where patients of the arm missed a visit, both are those of the mixed model of "
        "all visits. The share is NA with a reason where the last index is not estimable or its "
        "interval reaches 0.",
        ("cohort", "disease", "arm", "week", "reference", "name", *_INTERVALS, "pairs", "status")
        + ("reason", "share", "share_lower", "share_upper", "share_reason"),
    ),
    Shown(
        "classes",
        "Drug classes",
        "Drug classes by the placebo-adjusted index at matched windows (weeks 1-3, 4-6, 8-14, "
        "15-18). Of each trial the highest dose and the visit nearest to the middle of the window "
        "enter. Two classes are compared by one mixed model with the class as moderator and one "
        "variance between trials (restricted maximum likelihood); interval and p value are "
        "Hartung and Knapp's. `weights` names the share of each trial; `dl` is the same with "
        "DerSimonian and Laird's variance, for comparison. A class of three trials or more has a "
        "prediction interval and leave-one-out. A class with one trial is descriptive: drug class "
        "cannot be separated from trial; one trial against one has no interval and no p value. "
        "Visits of different windows are not compared. Rows with the status `published_only` "
        "repeat what papers state for groups; they enter no computation.",
        ("question", "drug_class", "other_class", "window", "weeks", "reference", "name", "dni")
        + ("lower", "upper", "p_value", "fdr", "trials", "cohorts", "drug", "dose", "value", "unit")
        + ("source", "status", "reason"),
    ),
)

#: Columns by which rows are chosen, in the order of the page.
FILTERS = (
    *("question", "analysis", "cohort", "drug_class", "other_class", "drug", "arm", "week"),
    *("window", "contrast", "kind", "method", "state", "outcome", "clinical", "reference"),
    *("status", "supported", "moves"),
)
#: What a deposit says in its own words: it stays in the results, and out of a page that is sent on.
RAW_PREFIX = "geo_"
#: Columns that hold a gene set or a score of the index.
SCORES = ("name", "set", "score")
#: Numbers that are marked where they are exploratory, and the columns that tell so.
DOUBTS = {
    "ni": ["status"],
    "dni": ["status", "dni_reason"],
    "estimate": ["status"],
    "share": ["share_status"],
}
#: A list of more choices is no choice; the search finds them.
MOST_CHOICES = 80
#: Topics that are one click away, by the category of gene sets.
TOPICS = {"itch": "Itch", "barrier": "Skin barrier"}


def write_tables(inputs: Mapping[str, Any], data: IndexData | AtlasData, path: Path) -> None:
    """Write the page of a cohort or of all cohorts from the files of its tables.

    Parameters
    ----------
    inputs
        The file of every table of `COHORT` or `ATLAS`.
    data
        The same tables, read, with the gene sets.
    path
        Where to write.
    """
    of_cohort = isinstance(data, IndexData)
    stem = str(data.facts["cohort"]) if of_cohort else "atlas"
    tables = [
        _packed(shown, inputs[shown.key], data, stem) for shown in (COHORT, ATLAS)[not of_cohort]
    ]
    names = {name for table in tables for name in table.pop("names")}
    content = {
        "labels": {name: score_label(data, name) for name in sorted(names)},
        "groups": _groups(data, names),
        "exploratory": {"mark": EXPLORATORY, "word": str(Status.EXPLORATORY), "where": DOUBTS},
        "tables": tables,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    write_page(
        path,
        "tables.html",
        title=data.facts.get("title") or stem,
        cohort=stem if of_cohort else data.facts["cohort"],
        simulated=bool(data.facts.get("simulated")),
        # A time in the packed data would make other bytes of the same tables.
        packed=base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii"),
    )


def _groups(data: FigureData, names: set[str]) -> list[dict[str, Any]]:
    """List the scores that are one click away: the primary family, and what adnorm is about."""
    chosen = {"Primary family": [name for name in data.primary if name in names]}
    derived = {name: category for name, (_, category) in DERIVED.items()}
    categories = data.sets["category"].to_dict() | derived
    for category, title in TOPICS.items():
        chosen[title] = sorted(name for name in names if categories.get(name) == category)
    return [{"label": label, "names": found} for label, found in chosen.items() if found]


def _packed(shown: Shown, path: Path, data: FigureData, stem: str) -> dict[str, Any]:
    """Lay out one table by columns, as texts, the primary family first."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    kept = [i for i, name in enumerate(header) if not name.startswith(RAW_PREFIX)]
    header = [header[i] for i in kept]
    rows = [[row[i] for i in kept] for row in rows]
    score = next((name for name in SCORES if name in header), None)
    names: list[str] = []
    if score is not None:
        place = header.index(score)
        ranks = {name: i for i, name in enumerate([*data.primary, *data.sets.index])}
        rows.sort(key=lambda row: ranks.get(row[place], len(ranks)))
        # A score that is not known in this run keeps its own name.
        names = [row[place] for row in rows if row[place] in ranks or row[place] in DERIVED]
    columns = [
        _column(name, values, shown)
        for name, values in zip(
            header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True
        )
    ]
    margin = f"{data.settings.index.equivalence_margin:g}"
    return {
        "id": shown.key,
        "title": shown.title,
        "about": shown.about.replace("{margin}", margin),
        "file": f"{stem}_{shown.key}.tsv",
        "rows": len(rows),
        "score": score,
        "columns": columns,
        "names": names,
    }


def _column(name: str, values: Sequence[str], shown: Shown) -> dict[str, Any]:
    """Lay out a column: numbers as they were written, texts once with their places."""
    choice = name in FILTERS and 1 < len(set(values)) <= MOST_CHOICES
    # Of one arm or one reference alone nothing is to be chosen.
    needless = name in FILTERS and len(set(values)) == 1 and name not in ("arm", "status")
    column: dict[str, Any] = {
        "name": name,
        "shown": not needless and (not shown.first or name in shown.first),
        "filter": FILTERS.index(name) if choice else None,
    }
    if name not in NAME_COLUMNS and _numbers(values):
        return column | {"numbers": "\n".join(values)}
    levels = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return column | {"texts": list(levels), "places": [levels[value] for value in values]}


def _numbers(values: Iterable[str]) -> bool:
    """Tell whether a column holds numbers, missing ones aside."""
    found = [value for value in values if value not in ("", "NA")]
    try:
        return bool([float(value) for value in found])
    except ValueError:
        return False
