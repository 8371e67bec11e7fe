"""Comparisons as columns, disease first: changes of sets and of genes, and their enrichment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adnorm.base.text import counted
from adnorm.figures.data import CohortData, rows_of
from adnorm.figures.heatmap import Heatmap, Span, colour_scale, draw_spans, effect_order, runs
from adnorm.figures.labels import (
    DIRECTION_NOTE,
    EXPLORATORY,
    coverage_notes,
    other_disease,
    set_label,
    signed_note,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import Sheet, nothing_to_draw
from adnorm.figures.theme import ALERT, FAINT, INK, STATES, limit_of
from adnorm.study.comparisons import split_arms, split_contrast
from adnorm.study.vocabulary import FEWEST_SOUND, Arm, ComparisonKind, Direction, Method, State

KINDS: dict[str, str] = {
    ComparisonKind.LESIONAL_NONLESIONAL: "lesional − nonlesional",
    ComparisonKind.LESIONAL_HEALTHY: "lesional − healthy",
    ComparisonKind.NONLESIONAL_HEALTHY: "nonlesional − healthy",
    ComparisonKind.CHANGE: "Change from baseline",
    ComparisonKind.CHANGE_DIFFERENCE: "Difference of changes",
    ComparisonKind.RESIDUAL: "Remaining difference from nonlesional",
    ComparisonKind.RESIDUAL_HEALTHY: "Remaining difference from healthy",
}
DISEASE_KINDS = tuple(KINDS)[:3]
CHANGE_KINDS = (*DISEASE_KINDS, ComparisonKind.CHANGE, ComparisonKind.CHANGE_DIFFERENCE)
ENRICHED_KINDS = (*CHANGE_KINDS, ComparisonKind.RESIDUAL, ComparisonKind.RESIDUAL_HEALTHY)
SIGNS: dict[str, str] = {Direction.UP: " ▲", Direction.DOWN: " ▼"}
HEAD = ["contrast", "kind", "group", "week"]
SET_COLUMNS = [
    *(*HEAD, "set", "label", "change", "lower", "upper", "fdr", "mark", "pairs"),
    *("status", "reason"),
]
GENE_COLUMNS = [
    *(*HEAD, "set", "gene", "direction", "log2_fold_change", "fdr", "mark", "pairs", "reason"),
]
ENRICHMENT_COLUMNS = [
    *(*HEAD, "set", "part", "label", "nes", "fdr", "camera_direction", "camera_fdr", "mark"),
    *("size", "reason"),
]
#: Colours of changes end here in every cohort, so that cohorts of a run can be compared: standard
#: deviations of the reference skin, log2 fold changes, and normalized enrichment scores.
SAME_LIMIT = 3.0
SAME_NOTE = "The same scale in every cohort"
#: Stands beside the colours, where a reader asks what red means.
SIGNED = "± signed set: red = further in the direction of lesional skin of atopic dermatitis."
#: Inches of a column: the least in which three stars stand, and the most.
NARROWEST, BROADEST = 0.19, 0.75
#: Reasons of grey columns that a note lists; the table has all.
MOST_REASONS = 4


# ---------------------------------------------------------------- comparisons in words


def in_words(contrast: str, kind: str, arms: list[str], week: bool = True) -> str:
    """Write a comparison for people.

    Examples
    --------
    >>> in_words("change:a-placebo@4", "change-difference", ["placebo", "a"])
    'Difference of changes: a − placebo, week 4'
    >>> in_words("lesional-nonlesional@0", "lesional-nonlesional", ["a"])
    'Disease: lesional − nonlesional, baseline'
    >>> in_words("lesional-nonlesional:a@4", "lesional-nonlesional", ["a"], week=False)
    'Under treatment: lesional − nonlesional, a'
    >>> in_words("residual", "residual", ["a"])
    'Remaining difference from nonlesional'
    """
    title = KINDS.get(kind, kind)
    if "@" not in contrast:
        return title
    group, when = split_contrast(contrast)
    first, second = split_arms(group, [*arms, "placebo"])
    arm = f"{first} − {second}" if second else first
    if kind not in DISEASE_KINDS:
        text = f"{title}: {arm}"
    elif ":" in contrast:
        text = f"{later_title([arm])}, {arm}"
    else:
        text = f"Disease: {title}"
    return f"{text}, {f'week {when:g}' if when else 'baseline'}" if week else text


def later_title(arms: list[str]) -> str:
    """Name the comparisons of lesional and nonlesional skin after baseline."""
    treated = any(arm != Arm.UNTREATED for arm in arms)
    return f"{'Under treatment' if treated else 'Later visits'}: lesional − nonlesional"


def group_sizes(data: CohortData, contrast: str, kind: str, n: int) -> tuple[int, ...]:
    """Count the patients a comparison rests on, of both groups where two are compared.

    ``9`` patients who have both, ``9, 3`` patients and healthy people, ``13, 11`` patients of two
    arms.
    """
    group, week = split_contrast(contrast)
    sampled = data.sampled

    def people(state: str, when: float, arm: str = "") -> set[str]:
        return sampled.get((state, when, arm), set())

    if kind.endswith(State.HEALTHY):
        state = State.NONLESIONAL if kind.startswith(State.NONLESIONAL) else State.LESIONAL
        patients = people(state, week, group if ":" in contrast else "")
        first, second = len(patients), len(people(State.HEALTHY, 0, Arm.HEALTHY))
    elif kind == ComparisonKind.CHANGE_DIFFERENCE:
        both = split_arms(group, data.arms)
        first, second = (
            len(people(State.LESIONAL, week, arm) & people(State.LESIONAL, 0, arm)) for arm in both
        )
    else:
        return (n,)
    return (first, second) if first + second == n else (n,)


# ---------------------------------------------------------------- comparisons as columns


@dataclass(frozen=True)
class Column:
    """One comparison as a column of a heatmap; see comparisons.tsv."""

    contrast: str
    kind: str
    #: Heading of the block of columns it stands in: an arm, or what is compared.
    group: str
    week: float
    supported: bool
    #: Patients it rests on, and those of its groups: two where groups are compared, none where the
    #: comparison is not supported.
    n: int
    sizes: tuple[int, ...]
    reason: str

    @property
    def n_text(self) -> str:
        """The sizes of its groups in words."""
        return " and ".join(map(str, self.sizes))

    @property
    def exploratory(self) -> bool:
        """Whether a group is so small that the comparison is exploratory."""
        return bool(self.sizes) and min(self.sizes) < FEWEST_SOUND

    @property
    def family(self) -> str:
        """What stands above its block: disease (at baseline), later (visits), or its kind."""
        if self.kind not in DISEASE_KINDS:
            return self.kind
        return "later" if ":" in self.contrast else "disease"


def list_columns(data: CohortData, kinds: tuple[str, ...]) -> list[Column]:
    """List the comparisons of some kinds, in their order, as columns; unsupported changes too."""
    found = []
    for row in rows_of(data.tables["comparisons"]):
        if row.kind not in kinds or "@" not in row.contrast:
            continue
        group, week = split_contrast(row.contrast)
        supported = row.supported == "yes"
        if not supported and row.kind in (*DISEASE_KINDS, ComparisonKind.CHANGE_DIFFERENCE):
            continue
        if row.kind in DISEASE_KINDS and ":" not in row.contrast:
            group = KINDS[row.kind].replace("− ", "−\n")
        reason = "" if pd.isna(row.reason) else str(row.reason)
        n = int(row.pairs)
        sizes = group_sizes(data, row.contrast, row.kind, n) if supported else ()
        found.append(Column(row.contrast, row.kind, group, week, supported, n, sizes, reason))
    arms = data.arms

    def key(column: Column) -> tuple[Any, ...]:
        first, second = split_arms(column.group, arms)
        rank = [arms.index(a) if a in arms else len(arms) for a in (second, first)]
        kind = kinds.index(column.kind)
        # Baseline before later visits of one arm; placebo before dose against dose.
        family = -1 if column.kind in DISEASE_KINDS else kind
        later = column.family == "later"
        return family, later, kind, bool(second), *rank, column.group, column.week

    return sorted(found, key=key)


def supported_columns(data: CohortData) -> list[Column]:
    """List the comparisons that the design of the cohort supports."""
    return [c for c in list_columns(data, CHANGE_KINDS) if c.supported]


def n_notes(columns: list[Column]) -> list[str]:
    """Explain the counts of two groups, if there are any."""
    two = [c for c in columns if len(c.sizes) == 2]
    explained = {
        "patients of two arms": any(not c.kind.endswith(State.HEALTHY) for c in two),
        "patients and healthy people": any(c.kind.endswith(State.HEALTHY) for c in two),
    }
    named = " or ".join(text for text, there in explained.items() if there)
    return [f"a and b: {named}"] if named else []


def mark(fdr: float, level: float) -> str:
    """Write a false discovery rate as stars.

    Examples
    --------
    >>> mark(0.04, 0.05), mark(0.0004, 0.05), mark(0.2, 0.05), mark(float("nan"), 0.05)
    ('*', '***', '', '')
    """
    # nan compares false with everything.
    return "*" * sum(fdr < min(limit, level) for limit in (1.0, 0.01, 0.001))


def star_text(level: float) -> str:
    """Say what stars mean."""
    return f"* FDR < {level:g}, ** < 0.01, *** < 0.001"


# ---------------------------------------------------------------- three figures


def draw_set_changes(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw sets × comparisons: mean difference of the signed z score, with stars."""
    columns = list_columns(data, CHANGE_KINDS)
    if not any(c.supported for c in columns):
        return _impossible(data, "set_changes", SET_COLUMNS)
    effects = data.shown_effects([c.contrast for c in columns])
    values = effects[["contrast", "set", "change", "lower", "upper", "fdr", "pairs", "reason"]]
    table = _cross(columns, pd.DataFrame({"set": data.sets.index}), values)
    table = table.join(data.sets[["label", "status"]], on="set")
    table["mark"] = [mark(f, data.fdr) for f in table["fdr"]]
    names, left_out = data.shown_sets(effects)
    notes = [
        f"{star_text(data.fdr)}: paired t-test of the patients' own differences"
        f"{_welch(columns)}; Benjamini–Hochberg within a comparison and a family of sets "
        "(primary, curated, added).",
        signed_note(data, names),
        *left_out,
        *_column_notes(columns, data.arms),
        *coverage_notes(data, names),
    ]
    drawn = table[table["set"].isin(names)]
    judged = drawn.loc[~drawn["set"].isin(data.controls), "change"].to_numpy(dtype=float)
    fixed = data.method == Method.ZSCORE
    limit = SAME_LIMIT if fixed else limit_of(judged, *data.limits)
    pages = _draw_matrix(
        data,
        "set_changes",
        columns,
        drawn.rename(columns={"set": "row", "change": "value"}),
        blocks=data.blocks(names),
        labels={name: set_label(data, name, sign=True) for name in names},
        counts=counted(len(names), "gene set"),
        limit=limit,
        scale=f"Mean difference of the {data.unit}",
        meaning=[
            SIGNED if data.sets.loc[names, "signed"].any() else "",
            SAME_NOTE if fixed else "Scale of this cohort",
        ],
        notes=notes,
    )
    return pages, table[SET_COLUMNS]


def _welch(columns: list[Column]) -> str:
    """Say where Welch's test takes the place of the paired one."""
    two = [c.kind for c in columns if len(c.sizes) == 2]
    against = ["against healthy people"] if any(k.endswith(State.HEALTHY) for k in two) else []
    against += ["between arms"] if ComparisonKind.CHANGE_DIFFERENCE in two else []
    return f", Welch's t-test {' and '.join(against)}" if against else ""


def draw_gene_changes(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw genes × comparisons: log2 fold changes, disease first, so that reversal is seen.

    Genes that were not measured stand in the table with the reason.
    """
    columns = list_columns(data, CHANGE_KINDS)
    if not any(c.supported for c in columns):
        return _impossible(data, "gene_changes", GENE_COLUMNS)
    effects = data.tables["effects"]
    sets = data.heatmap_sets()
    directions = {g.symbol: g.direction for s in sets for g in s.scored}
    measured = set(effects["gene"])
    if not measured & set(directions):
        reason = f"none of the {len(directions)} genes of these sets was measured or detected"
        return _impossible(data, "gene_changes", GENE_COLUMNS, reason)
    first = effects[effects["contrast"] == next(c.contrast for c in columns if c.supported)]
    disease = first.set_index("gene")["log2_fold_change"]
    blocks: list[tuple[str, list[str]]] = []
    home: dict[str, str] = {}
    for gene_set in sets:
        own = [g.symbol for g in gene_set.scored if g.symbol not in home]
        home |= dict.fromkeys(own, gene_set.name)
        shown = effect_order([g for g in own if g in measured], disease, directions)
        blocks.append((gene_set.label or gene_set.name, shown))
    genes = [g for _, shown in blocks for g in shown]
    values = effects[["contrast", "gene", "log2_fold_change", "fdr", "pairs"]]
    table = _cross(columns, pd.DataFrame({"gene": genes}), values)
    table["mark"] = [mark(f, data.fdr) for f in table["fdr"]]
    missing = data.missing_genes(list(directions))
    notes = [
        f"{star_text(data.fdr)}: moderated t-test of a linear model (limma), patients as blocks; "
        "Benjamini–Hochberg over all genes of a comparison.",
        f"{direction_note(data)} Opposite colours in the disease column and in a change: reversal.",
        *_column_notes(columns, data.arms),
        *missing_notes(data, missing),
    ]
    pages = _draw_matrix(
        data,
        "gene_changes",
        columns,
        table.rename(columns={"gene": "row", "log2_fold_change": "value"}),
        blocks=blocks,
        labels={gene: gene for gene in genes},
        counts=counted(len(genes), "gene"),
        limit=SAME_LIMIT,
        scale="log2 fold change",
        meaning=[SAME_NOTE],
        notes=notes,
        direction=directions.__getitem__,
    )
    table["set"] = table["gene"].map(home)
    table["direction"] = table["gene"].map(directions).replace("", "none")
    absent = [
        {"set": home[g], "gene": g, "direction": directions[g] or "none", "reason": reason}
        for reason, some in missing.items()
        for g in some
    ]
    return pages, pd.concat([table, pd.DataFrame(absent)]).reindex(columns=GENE_COLUMNS)


def direction_note(data: CohortData) -> str:
    """Say whose direction the signs of genes are."""
    disease = other_disease(data)
    return f"{DIRECTION_NOTE} They are not those of {disease}." if disease else DIRECTION_NOTE


def empty_note(names: list[str], what: str) -> list[str]:
    """Write one note that lists names, or none."""
    return [f"{what} ({len(names)}): {', '.join(names)}"] if names else []


def missing_notes(data: CohortData, missing: dict[str, list[str]]) -> list[str]:
    """List the genes that have no row, by what they are."""
    found = [empty_note(genes, why[:1].upper() + why[1:]) for why, genes in missing.items()]
    return [note for notes in found for note in notes]


def draw_enrichment(data: CohortData) -> tuple[list[Figure], pd.DataFrame]:
    """Draw parts of sets × comparisons: normalized enrichment score, and which tests agree."""
    tested = data.tables["enrichment"]
    compared = set(tested["contrast"])
    columns = list_columns(data, ENRICHED_KINDS)
    columns = [c for c in columns if c.supported and c.contrast in compared]
    if not columns:
        return _impossible(data, "enrichment", ENRICHMENT_COLUMNS)
    rows = tested[["set", "part"]].drop_duplicates()
    rows = rows[rows["set"].isin(data.sets.index)].sort_values("part", ascending=False)
    rows = data.by_set(rows)
    values = ["nes", "fdr", "camera_direction", "camera_fdr", "size", "reason"]
    table = _cross(columns, rows, tested[["contrast", "set", "part", *values]])
    table["row"] = table["set"] + "\t" + table["part"]
    table["label"] = table["set"].map(data.sets["label"])
    gsea, camera = table["fdr"] < data.fdr, table["camera_fdr"] < data.fdr
    table["mark"] = np.select([gsea & camera, camera, gsea], ["■", "△", "○"], default="")

    def label(row: str) -> str:
        name, part = row.split("\t")
        sign = SIGNS.get(part, "")
        return f"{set_label(data, name)}{sign}"

    # Camera ranks the added sets: it does not overstate those whose genes move together.
    chosen, left_out = data.shown_sets(table, "camera_fdr")
    names = [name for name in chosen if name in set(rows["set"])]
    parts = {name: [f"{name}\t{p}" for p in own] for name, own in rows.groupby("set")["part"]}
    blocks = [
        (heading, [row for name in shown for row in parts[name]])
        for heading, shown in data.blocks(names)
    ]
    shown = [row for _, some in blocks for row in some]
    drawn = table[table["row"].isin(shown)]
    notes = [
        f"FDR < {data.fdr:g}: ■ GSEA and camera, △ camera only, ○ GSEA only; pale: neither. GSEA "
        "permutes genes, which overstates sets whose genes move together; camera allows for it.",
        f"{direction_note(data)} Colour: direction of expression, not sign-adjusted.",
        *left_out,
        *_column_notes(columns, data.arms),
        *_untested_notes(drawn, label),
        *coverage_notes(data, names),
    ]
    pages = _draw_matrix(
        data,
        "enrichment",
        columns,
        drawn.rename(columns={"nes": "value"}),
        blocks=blocks,
        labels={row: label(row) for row in shown},
        counts=f"{counted(len(shown), 'test')} (up and down genes separately)",
        limit=SAME_LIMIT,
        scale="Normalized enrichment score",
        meaning=[SAME_NOTE],
        notes=notes,
        faded=True,
    )
    return pages, table[ENRICHMENT_COLUMNS]


def _untested_notes(table: pd.DataFrame, label: Callable[[str], str]) -> list[str]:
    """Say why rows are grey in every comparison."""
    empty = table.groupby("row", sort=False).filter(lambda rows: rows["nes"].isna().all())
    reasons = empty.drop_duplicates("row").set_index("row")["reason"]
    lines = [f"{label(str(row))}: {reason}" for row, reason in reasons.items() if reason]
    if len(lines) > 4:
        more = f"and {len(lines) - 1} more; every reason is in the table of this figure."
        lines = [lines[0], more]
    return ["Grey rows: " + "; ".join(lines)] if lines else []


# ---------------------------------------------------------------- what the three share


def _cross(columns: list[Column], rows: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Give every column × row one line, with the values where there are any."""
    heads = pd.DataFrame(
        [
            (
                *(c.contrast, c.kind, c.group.replace("\n", " "), c.week),
                *(c.n, "" if c.supported else c.reason),
            )
            for c in columns
        ],
        columns=[*HEAD, "column_pairs", "column_reason"],
    )
    table = heads.merge(rows, how="cross")
    keys = ["contrast", *rows.columns.intersection(values.columns)]
    table = table.merge(values, how="left", on=keys)
    if "reason" not in table:
        table["reason"] = ""
    reason = table["reason"].fillna("").astype(str)
    table["reason"] = reason.where(table["column_reason"] == "", table["column_reason"])
    if "pairs" not in table:
        table["pairs"] = np.nan
    table["pairs"] = table["pairs"].fillna(table["column_pairs"]).astype(int)
    return table


def _impossible(
    data: CohortData, name: str, columns: list[str], reason: str = ""
) -> tuple[list[Figure], pd.DataFrame]:
    """Draw the reason, and give a table with the same reason."""
    why = reason or data.why_no()
    figure, table = nothing_to_draw(TITLES[name], data.facts, why, columns)
    return [figure], table


def _draw_matrix(
    data: CohortData,
    name: str,
    columns: list[Column],
    table: pd.DataFrame,
    *,
    counts: str,
    limit: float,
    scale: str,
    meaning: list[str],
    **parts: Any,
) -> list[Figure]:
    """Draw rows × comparisons (row, value, mark); `counts` says how many rows there are."""
    contrasts = [c.contrast for c in columns]
    values, marks = (
        table.pivot(index="row", columns="contrast", values=what)[contrasts]
        for what in ("value", "mark")
    )
    explained = "; ".join(["n = patients", *n_notes(columns)])
    subtitle = f"{counts}; {counted(len(columns), 'comparison')}; {explained}"
    heatmap = Heatmap(
        title=TITLES[name],
        facts=data.facts,
        subtitle=subtitle,
        values=values,
        limit=limit,
        marks=marks,
        **parts,
    )
    gaps = np.zeros(len(columns))
    for position in range(1, len(columns)):
        before, column = columns[position - 1 : position + 1]
        if (before.group, before.kind) != (column.group, column.kind):
            gaps[position] = 0.03 if before.family == column.family else 0.07
    size = (heatmap.room - gaps.sum()) / len(columns)
    widths = np.full(len(columns), np.clip(size, NARROWEST, BROADEST))
    known = values.to_numpy(dtype=float)
    known = known[np.isfinite(known)]
    beyond = int((np.abs(known) > limit).sum())
    last = f"; {beyond} of {len(known):,} values lie beyond it" if beyond else ""
    sentences = [*meaning[:-1], f"{meaning[-1]}{last}. Grey: not available."]

    def footer(sheet: Sheet, y: float) -> float:
        return colour_scale(sheet, y, (f"≤ −{limit:g}", f"≥ {limit:g}"), scale, sentences)

    def header(sheet: Sheet, start: int, end: int, places: np.ndarray) -> float:
        return _draw_header(sheet, data, columns[start:end], places)

    blocks = [(a, b) for _, a, b in runs((c.group, c.kind) for c in columns)]
    return heatmap.pages(blocks, widths, gaps, header, footer)


def _draw_header(
    sheet: Sheet, data: CohortData, columns: list[Column], places: np.ndarray
) -> float:
    """Draw headings, visits and n above the columns; return the lower edge."""
    later = later_title([c.group for c in columns if c.family == "later"])
    titles = KINDS | {"disease": "Disease", "later": later}
    families = [Span(titles[family], a, b) for family, a, b in runs(c.family for c in columns)]
    y = 0.0
    if {c.family for c in columns} != {"disease"}:
        y = draw_spans(sheet, families, places, y, 7.5, weight="bold") + 0.03
    groups = []
    for (group, kind), a, b in runs((c.group, c.kind) for c in columns):
        first, second = split_arms(group, data.arms)
        text = f"{first}\n−\u00a0{second}" if second else group.replace("\n", " ")
        disease = STATES[State.LESIONAL] if kind in DISEASE_KINDS else INK
        groups.append(Span(text, a, b, data.arm_colours.get(first, disease)))
    y = draw_spans(sheet, groups, places, y)
    visits, counts = [], []
    for position, column in enumerate(columns):
        place = (position, position + 1)
        visits.append(Span(f"{column.week:g}", *place, ink=FAINT))
        count = "see note"
        if column.supported:
            count = f"{column.n_text}{EXPLORATORY if column.exploratory else ''}"
        ink = FAINT if column.supported else ALERT
        counts.append(Span(count, *place, ink=ink, italic=column.exploratory))
    y = draw_spans(sheet, visits, places, y - 0.01, 6.0, name="week")
    return draw_spans(sheet, counts, places, y, 6.0, name="n =") + 0.02


def _column_notes(columns: list[Column], arms: list[str]) -> list[str]:
    """Say why columns are grey, and which are exploratory."""
    notes = []
    if any(c.exploratory for c in columns):
        notes.append(f"{EXPLORATORY} exploratory: fewer than {FEWEST_SOUND} patients in a group.")
    refused: dict[str, list[str]] = {}
    for column in columns:
        if not column.supported:
            named = in_words(column.contrast, column.kind, arms)
            refused.setdefault(column.reason, []).append(named)
    parts = [f"{'; '.join(named)}: {reason}" for reason, named in refused.items()]
    if len(parts) > MOST_REASONS:
        more = len(parts) - MOST_REASONS
        parts = [*parts[:MOST_REASONS], f"{more} more reasons are in the table of this figure"]
    return [*notes, f"Grey columns: {'. '.join(parts)}."] if parts else notes
