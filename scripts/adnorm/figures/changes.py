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
from adnorm.figures.heatmap import Blocks, annotated_heatmap, effect_order, runs
from adnorm.figures.labels import (
    DIRECTION_NOTE,
    SIGNED_BAR,
    coverage_notes,
    set_label,
    signed_note,
)
from adnorm.figures.names import TITLES
from adnorm.figures.sheet import HEADING, Sheet, lines_of, nothing_to_draw, text_width, wrap_words
from adnorm.figures.theme import ALERT, FAINT, INK, STATES, limit_of, shorten
from adnorm.study.vocabulary import Arm, ComparisonKind, Direction, State

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


# ---------------------------------------------------------------- comparisons in words


def split_contrast(name: str) -> tuple[str, float]:
    """Split the name of a contrast into what changes and when.

    Examples
    --------
    >>> split_contrast("change:gusacitinib 40 mg-placebo@4")
    ('gusacitinib 40 mg-placebo', 4.0)
    >>> split_contrast("lesional-nonlesional@0")
    ('lesional-nonlesional', 0.0)
    """
    head, _, week = name.rpartition("@")
    return head.partition(":")[2] or head, float(week)


def split_arms(group: str, arms: list[str]) -> tuple[str, str]:
    """Split the heading of a difference into its two arms, whose names may hold hyphens.

    Examples
    --------
    >>> split_arms("anti-IL13-placebo", ["placebo", "anti-IL13"])
    ('anti-IL13', 'placebo')
    >>> split_arms("placebo", ["placebo"])
    ('placebo', '')
    """
    for first in arms:
        second = group.removeprefix(f"{first}-")
        if second != group and second in arms:
            return first, second
    return group, ""


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


def n_text(data: CohortData, contrast: str, kind: str, n: int) -> str:
    """Write how many patients a comparison rests on, both numbers where two groups are compared.

    ``9`` patients who have both, ``9 v 3`` patients against healthy people, ``13+11`` patients of
    two arms.
    """
    group, week = split_contrast(contrast)
    sampled = data.sampled

    def people(state: str, when: float, arm: str = "") -> set[str]:
        return sampled.get((state, when, arm), set())

    if kind.endswith(State.HEALTHY):
        state = State.NONLESIONAL if kind.startswith(State.NONLESIONAL) else State.LESIONAL
        patients = people(state, week, group if ":" in contrast else "")
        first, second = len(patients), len(people(State.HEALTHY, 0, Arm.HEALTHY))
        join = " v "
    elif kind == ComparisonKind.CHANGE_DIFFERENCE:
        both = split_arms(group, data.arms)
        first, second = (
            len(people(State.LESIONAL, week, arm) & people(State.LESIONAL, 0, arm)) for arm in both
        )
        join = "+"
    else:
        return str(n)
    return f"{first}{join}{second}" if first + second == n else str(n)


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
    #: Patients it rests on, and the same in words: both sides of a comparison of two groups.
    n: int
    n_text: str
    reason: str

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
        text = n_text(data, row.contrast, row.kind, n) if supported else ""
        found.append(Column(row.contrast, row.kind, group, week, supported, n, text, reason))
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
    explained = {
        " v ": "a v b = patients against healthy people",
        "+": "a+b = patients of two arms",
    }
    return [text for sign, text in explained.items() if any(sign in c.n_text for c in columns)]


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


def draw_set_changes(data: CohortData) -> tuple[Figure, pd.DataFrame]:
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
    labels = {name: set_label(data, name, sign=True) for name in names}
    within = "a comparison and a family of sets: primary, curated, added"
    notes = [
        f"{star_text(data.fdr)} (Benjamini–Hochberg within {within}).",
        signed_note(data, names),
        *left_out,
        *_unsupported_notes(columns, data.arms),
        *coverage_notes(data, names),
    ]
    sheet, width = _sheet(data, "set_changes", columns, list(labels.values()), "gene set")
    judged = table["set"].isin(set(names) - data.controls)
    limit = limit_of(table.loc[judged, "change"].to_numpy(dtype=float), *data.limits)
    signed = SIGNED_BAR if any("±" in label for label in labels.values()) else ""
    bar = (limit, f"Mean difference of the\n{data.unit}", signed)
    tall = table.rename(columns={"set": "row", "change": "value"})
    _draw_matrix(
        sheet, data, columns, tall, data.blocks(names), width, bar, notes, label=labels.__getitem__
    )
    return sheet.figure, table[SET_COLUMNS]


def draw_gene_changes(data: CohortData) -> tuple[Figure, pd.DataFrame]:
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
        f"{star_text(data.fdr)} (Benjamini–Hochberg within a comparison).",
        f"{DIRECTION_NOTE} Opposite colours in the disease column and in a change = reversal.",
        *_unsupported_notes(columns, data.arms),
        *missing_notes(data, missing),
    ]
    sheet, width = _sheet(data, "gene_changes", columns, genes, "gene")
    limit = limit_of(table["log2_fold_change"].to_numpy(dtype=float), 1.5, 4.0)
    bar = (limit, "log2 fold change", "")
    tall = table.rename(columns={"gene": "row", "log2_fold_change": "value"})
    _draw_matrix(
        sheet, data, columns, tall, blocks, width, bar, notes, direction=directions.__getitem__
    )
    table["set"] = table["gene"].map(home)
    table["direction"] = table["gene"].map(directions).replace("", "none")
    absent = [
        {"set": home[g], "gene": g, "direction": directions[g] or "none", "reason": reason}
        for reason, some in missing.items()
        for g in some
    ]
    return sheet.figure, pd.concat([table, pd.DataFrame(absent)]).reindex(columns=GENE_COLUMNS)


def empty_note(names: list[str], what: str) -> list[str]:
    """Write one note that lists names, or none."""
    return [f"{what} ({len(names)}): {', '.join(names)}"] if names else []


def missing_notes(data: CohortData, missing: dict[str, list[str]]) -> list[str]:
    """List the genes that have no row, by what they are."""
    return [
        *empty_note(missing[data.absent], data.absent.capitalize()),
        *empty_note(missing["not detected"], "Measured but not detected"),
    ]


def draw_enrichment(data: CohortData) -> tuple[Figure, pd.DataFrame]:
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
    notes = [
        f"FDR < {data.fdr:g}: ■ GSEA and camera, △ camera only, ○ GSEA only. GSEA permutes "
        "genes, which overstates sets whose genes move together; camera allows for it.",
        "▲ genes of the set that go up in lesional skin of atopic dermatitis, ▼ that go down; "
        "colour is their own movement, not turned.",
        *left_out,
        *_untested_notes(table[table["row"].isin(shown)], label),
        *coverage_notes(data, names),
    ]
    labels = [label(row) for row in shown]
    sheet, width = _sheet(data, "enrichment", columns, labels, "tested part")
    judged = table["set"].isin(set(names) - data.controls)
    limit = limit_of(table.loc[judged, "nes"].to_numpy(dtype=float), 1.5, 4.0)
    bar = (limit, "Normalized\nenrichment score", "")
    tall = table.rename(columns={"nes": "value"})
    _draw_matrix(sheet, data, columns, tall, blocks, width, bar, notes, label=label, outlined=True)
    return sheet.figure, table[ENRICHMENT_COLUMNS]


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
) -> tuple[Figure, pd.DataFrame]:
    """Draw the reason, and give a table with the same reason."""
    return nothing_to_draw(TITLES[name], data.facts, reason or data.why_no(), columns)


def _sheet(
    data: CohortData, name: str, columns: list[Column], labels: list[str], noun: str
) -> tuple[Sheet, float]:
    """Open the sheet; give the width of the mesh: wide columns for few, so that headings fit."""
    size = float(np.clip(3.0 / len(columns), 0.36, 0.75))
    later = sum(c.family == "later" for c in columns)
    if later:
        # The heading of these columns has the longest words.
        size = max(size, min(0.85 / later, 9.0 / len(columns), 0.75))
    counts = ", ".join(["n = patients", *n_notes(columns)])
    shown = f"{counted(len(labels), noun)}; {counted(len(columns), 'comparison')}; {counts}"
    left = -text_width(labels, 7) - 0.3
    return Sheet(TITLES[name], data.facts, shown, left=left), len(columns) * size


def _draw_matrix(
    sheet: Sheet,
    data: CohortData,
    columns: list[Column],
    table: pd.DataFrame,
    blocks: Blocks,
    width: float,
    bar: tuple[float, str, str],
    notes: list[str],
    **style: Any,
) -> None:
    """Draw rows × comparisons (row, value, mark) with header, colour bar and notes."""
    contrasts = [c.contrast for c in columns]
    values, marks = (
        table.pivot(index="row", columns="contrast", values=what)[contrasts]
        for what in ("value", "mark")
    )
    limit, title, note = bar
    y, cuts = _draw_header(sheet, data, columns, width)
    end = annotated_heatmap(sheet, values, blocks, y, width, limit, marks=marks, cuts=cuts, **style)
    explained = "\n".join(filter(None, [note, "grey = not available"]))
    sheet.colour_bar(width + 0.3, y, limit, title, explained)
    sheet.notes(end + 0.12, max(width - sheet.left, 6.0), notes)


def _draw_header(
    sheet: Sheet, data: CohortData, columns: list[Column], width: float
) -> tuple[float, list[tuple[int, float]]]:
    """Draw headings, visits and n above the columns.

    Returns the lower edge, and the columns at which blocks and kinds begin with the width in
    points of the line that separates them.
    """
    size = width / len(columns)
    blocks = [(columns[a], a, b) for _, a, b in runs((c.group, c.kind) for c in columns)]
    headings = [_heading(c, data.arms, (b - a) * size - 0.04) for c, a, b in blocks]
    y = _draw_families(sheet, columns, size) + 0.05 + max(height for _, _, height in headings)
    cuts: list[tuple[int, float]] = []
    for (column, a, b), (text, rotation, _) in zip(blocks, headings, strict=True):
        look = HEADING | {"rotation": rotation, "va": "bottom" if rotation else "baseline"}
        sheet.text(size * (a + b) / 2, y - (0.03 if rotation else 0.055), text, size=7, **look)
        arm = split_arms(column.group, data.arms)[0]
        disease = STATES[State.LESIONAL] if column.kind in DISEASE_KINDS else INK
        colour = data.arm_colours.get(arm, disease)
        sheet.box(size * a + 0.015, y, size * (b - a) - 0.03, 0.06, facecolor=colour)
        if a:
            cuts.append((a, 5.0 if columns[a - 1].family != column.family else 2.4))
    y += 0.09
    counts = [f"n={c.n_text}" if c.supported else "no" for c in columns]
    if text_width(counts, 6) > size - 0.06:
        counts = [text.removeprefix("n=") for text in counts]
    look = {"size": 6, "ha": "center", "va": "top", "linespacing": 1.2}
    for position, (column, count) in enumerate(zip(columns, counts, strict=True)):
        colour = FAINT if column.supported else ALERT
        text = f"wk {column.week:g}\n{count}"
        sheet.text(size * (position + 0.5), y, text, color=colour, **look)
    return y + 0.26, cuts


def _heading(column: Column, arms: list[str], room: float) -> tuple[str, int, float]:
    """Fit a heading over its columns: text, rotation and height in inches."""
    first, second = split_arms(column.group, arms)
    name = f"{first} − {second}" if second else column.group.replace("\n", " ")
    wrapped = wrap_words(name, 7, room)
    if wrapped is not None:
        return wrapped, 0, 0.125 * lines_of([wrapped])
    flat = f"{shorten(first, 30)} −\n{shorten(second, 30)}" if second else column.group
    if "\n" not in flat:
        flat = wrap_words(flat, 7, 1.3) or shorten(flat, 30)
    return flat, 90, text_width(flat.split("\n"), 7) + 0.02


def _draw_families(sheet: Sheet, columns: list[Column], size: float) -> float:
    """Write what is compared above the blocks of one family; return the height used."""
    later = later_title([c.group for c in columns if c.family == "later"])
    titles = KINDS | {"disease": "Disease", "later": later}
    spans = runs(c.family for c in columns)
    if {family for family, _, _ in spans} <= {"disease"}:
        return 0.0
    texts = []
    for family, a, b in spans:
        # Bold is wider than what is measured.
        wrapped = wrap_words(titles[family], 7.5, (b - a) * size / 1.15)
        texts.append(wrapped or titles[family].replace(" ", "\n"))
    height = 0.14 * lines_of(texts)
    for text, (_, a, b) in zip(texts, spans, strict=True):
        sheet.text(size * (a + b) / 2, height - 0.03, text, size=7.5, weight="bold", **HEADING)
    return height + 0.08


def _unsupported_notes(columns: list[Column], arms: list[str]) -> list[str]:
    """Say why columns are grey."""
    refused = [c for c in columns if not c.supported]
    parts = [f"{in_words(c.contrast, c.kind, arms)}: {c.reason}" for c in refused]
    return ["Grey columns (no): " + "; ".join(parts)] if parts else []
