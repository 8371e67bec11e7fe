"""What figures are drawn from: the tables of one cohort or of all of them, read once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.base.files import read_json
from adnorm.base.tables import read_table
from adnorm.base.text import counted, per_cent
from adnorm.figures.theme import INCH, arm_colours, order_arms, week_colours
from adnorm.study.batches import confused_with
from adnorm.study.cohort import DescribedCohort
from adnorm.study.config import (
    EffectsSettings,
    EnrichmentSettings,
    FiguresSettings,
    IndexSettings,
    ScoresSettings,
    Section,
)
from adnorm.study.diseases import other_than_atopic, same_disease
from adnorm.study.gene_sets import read_gene_sets
from adnorm.study.vocabulary import (
    BatchVerdict,
    Direction,
    Method,
    Moves,
    SetCategory,
    SetRole,
    State,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from adnorm.study.gene_sets import GeneSet

#: Normal first, so that a reader compares disease and treatment with what stands at the left.
STATE_ORDER = (State.HEALTHY, State.NONLESIONAL, State.LESIONAL)
#: The reference of an index that is drawn first.
REFERENCES = (State.NONLESIONAL, State.HEALTHY)
#: Topics of the gene heatmaps, in the order of figures.
TOPICS = ("itch", "barrier")
#: Category → heading; neighbours with the same heading stand in one block.
CATEGORIES = {
    "itch": "Itch",
    "barrier": "Skin barrier",
    "madad_core": "Disease signature",
    "residual": "Disease signature",
    "th2": "Immune signalling",
    "th17_th22": "Immune signalling",
    "th1_ifn": "Immune signalling",
    "jak_stat": "Immune signalling",
    SetCategory.COMPOSITION: "Cell composition",
    "safety_context": "Context for safety (genes, not safety data)",
    SetCategory.CONTROL: "Controls",
    SetCategory.OWN: "Added sets",
}
#: Scoring methods, the one that figures prefer first, with the unit of their scores.
METHODS: dict[str, str] = {
    Method.ZSCORE: "signed z score",
    Method.SSGSEA: "ssGSEA score",
    Method.GSVA: "GSVA score",
}
#: Stands above figures in which a batch may be taken for what is compared.
BATCH_ALERT = "Batch and {} cannot be told apart"
#: From this share of flagged samples on, figures say so where they say that data are simulated.
MOST_FLAGGED = 0.2
#: What a gene is that was measured and is expressed too little.
FILTERED = "below the expression filter"
#: More added sets than this make a figure that nobody can read.
MOST_ADDED = 40
COHORT_TABLES = (
    *("excluded", "losses", "identifiers", "design", "comparisons", "batches", "qc", "coverage"),
    *("agreement", "effects", "set_effects", "controls", "enrichment"),
)
INDEX_TABLES = (
    *("samples", "comparisons", "qc", "coverage", "controls", "index", "gene_index"),
    *("sensitivities", "denominators", "patients", "trajectories", "concordance", "calibration"),
)

ATLAS_TABLES = ("dose", "time", "classes")


class AtlasCohort(Section):
    """What figures over all cohorts ask of a cohort file."""

    route: str
    placebo_arm: str | None


class DrawingSettings(Section):
    """The sections of the configuration that figures draw by, and what cohort files say."""

    figures: FiguresSettings = FiguresSettings()
    scores: ScoresSettings = ScoresSettings()
    effects: EffectsSettings = EffectsSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()
    index: IndexSettings = IndexSettings()
    #: Where one cohort is drawn.
    cohort: DescribedCohort | None = None
    #: Where all are.
    cohorts: dict[str, AtlasCohort] = {}


def rows_of(table: pd.DataFrame) -> Iterable[Any]:
    """Give the rows with their columns as attributes, of types that only the files know."""
    return table.itertuples(index=False)


def _texts(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Some columns as texts, empty where something is missing."""
    found = table.reindex(columns=columns).astype(object)
    return found.where(found.notna(), "").astype(str).set_axis(table.index.astype(str))


def classes_of(sheet: pd.DataFrame) -> dict[str, str]:
    """List the drug class of every arm of a sample sheet; empty where none is known."""
    if "drug_class" not in sheet:
        return {}
    named = sheet[["arm", "drug_class"]].astype(object).dropna().drop_duplicates("arm")
    return dict(named.astype(str).itertuples(index=False, name=None))


def known_reference(rows: pd.DataFrame, column: str) -> str:
    """Choose the reference to draw: nonlesional skin where there is any number, else healthy."""
    known = set(rows.loc[rows[column].notna(), "reference"])
    return next((reference for reference in REFERENCES if reference in known), "")


def sorted_by(
    table: pd.DataFrame, keys: Sequence[str], orders: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Sort rows by some columns, those of `orders` in the order of their values there."""
    ranks = {column: {v: i for i, v in enumerate(values)} for column, values in orders.items()}

    def key(column: pd.Series) -> pd.Series:
        return column.map(ranks[str(column.name)]) if column.name in ranks else column

    return table.sort_values(list(keys), key=key, kind="stable")


@dataclass
class FigureData(ABC):
    """What figures ask of a cohort, whatever files it was read from.

    ``facts`` has cohort, title, simulated, placebo_arm and more, as ``uns["adnorm"]`` of a
    container; ``tables`` the TSV tables by name.
    """

    facts: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    gene_sets: dict[str, GeneSet]
    settings: DrawingSettings

    def __post_init__(self) -> None:
        """Let the pages know how wide they may be."""
        self.facts["width"] = self.width

    @property
    @abstractmethod
    def observations(self) -> pd.DataFrame:
        """The canonical sheet with ``qc_flags``; index sample."""

    @property
    @abstractmethod
    def described(self) -> pd.DataFrame:
        """label, category, role, direction, status, reason of every set; index set."""

    @property
    def fdr(self) -> float:
        """False discovery rate at which a change is marked."""
        return self.settings.effects.fdr

    @property
    def primary(self) -> list[str]:
        """Names of the primary family of the index, in the order of the configuration."""
        return list(self.settings.index.primary)

    @property
    def confidence(self) -> str:
        """The coverage of the intervals of the index, in words."""
        return per_cent(self.settings.index.confidence)

    @property
    def level(self) -> float:
        """What p values of the index are held against."""
        return 1 - self.settings.index.confidence

    @property
    def width(self) -> float:
        """Inches that a figure may be wide."""
        return self.settings.figures.width / INCH

    @property
    def placebo(self) -> str:
        """The placebo arm; empty without one."""
        return self.facts.get("placebo_arm") or ""

    # ------------------------------------------------------------ samples and arms

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Canonical sheet in display order: state, arm, week, patient; index sample."""
        obs = self.observations
        sheet = _texts(obs, ["state", "arm", "patient", "sex", "qc_flags"])
        sheet["week"] = obs["week"].to_numpy(dtype=float)
        sheet["row"] = np.arange(len(obs))
        return self.in_order(sheet.assign(sample=sheet.index)).drop(columns="sample")

    def in_order(self, sheet: pd.DataFrame) -> pd.DataFrame:
        """Bring rows of samples into display order; excluded samples may have other arms."""
        arms = order_arms(sheet["arm"].astype(str), self.placebo)
        orders: dict[str, Sequence[str]] = {"state": STATE_ORDER, "arm": arms}
        return sorted_by(sheet, ["state", "arm", "week", "patient", "sample"], orders)

    @property
    def flagged(self) -> int:
        """How many of the samples that are drawn quality control flagged."""
        return int((self.samples["qc_flags"] != "").sum())

    @property
    def many_flagged(self) -> bool:
        """Whether so many are flagged that it stands above everything."""
        return self.flagged > 0 and self.flagged >= MOST_FLAGGED * len(self.samples)

    @property
    def moved_controls(self) -> pd.DataFrame:
        """The rows of controls.tsv in which a negative control moves, strongest first."""
        controls = self.tables["controls"]
        moved = controls[controls["moves"] == Moves.YES]
        return moved.sort_values("change", key=lambda c: -c.abs(), kind="stable")

    @property
    def aliased(self) -> pd.DataFrame:
        """The comparisons that cannot be told from the batches, with the reason."""
        table = self.tables["comparisons"]
        return table[table["batch"] == BatchVerdict.ALIASED]

    def note_quality(self) -> None:
        """Say above every figure what is flagged, if controls move, and what batches confound."""
        notes = []
        self.facts["batch"] = ""
        if len(self.aliased):
            compared = " and ".join(dict.fromkeys(map(confused_with, self.aliased["kind"])))
            count = counted(len(self.aliased), "comparison")
            self.facts["batch"] = f"{BATCH_ALERT.format(compared)}: {count}, see comparisons.tsv"
        self.facts["flagged"] = ""
        if self.flagged:
            count = f"{self.flagged} of {len(self.samples)} samples flagged by quality control"
            if self.many_flagged:
                self.facts["flagged"] = count
            else:
                notes.append(count)
        if len(self.moved_controls):
            notes.append("negative controls move")
        if notes:
            self.facts["quality"] = "; ".join(notes)

    @cached_property
    def sampled(self) -> dict[tuple[str, float, str], set[str]]:
        """Patients by state, week and arm; arm "" holds those of all arms."""
        people: dict[tuple[str, float, str], set[str]] = {}
        columns = self.samples[["state", "week", "arm", "patient"]]
        for state, week, arm, patient in columns.itertuples(index=False, name=None):
            for key in ((state, week, arm), (state, week, "")):
                people.setdefault(key, set()).add(patient)
        return people

    @property
    def of_lesions(self) -> bool:
        """Whether lesions of one patient are in several arms, and are compared within patients."""
        return "lesion" in self.observations

    @cached_property
    def arms(self) -> list[str]:
        """Arms in display order."""
        return order_arms(self.observations["arm"].astype(str), self.placebo)

    @cached_property
    def arm_colours(self) -> dict[str, str]:
        """Colour of each arm."""
        return arm_colours(self.arms, self.placebo, classes_of(self.observations))

    @cached_property
    def week_colours(self) -> dict[float, str]:
        """Colour of each visit."""
        return week_colours(self.samples["week"])

    @property
    def n(self) -> str:
        """How many samples and patients the figures rest on."""
        people = self.samples["patient"].nunique()
        who = "person" if people == 1 else "people"
        return f"{counted(len(self.samples), 'sample')} of {people} {who}"

    # ------------------------------------------------------------ gene sets

    @cached_property
    def sets(self) -> pd.DataFrame:
        """Sets in display order: label, category, direction, status, reason; index set."""
        columns = ["label", "category", "role", "direction", "status", "reason"]
        sets = _texts(self.described, columns)
        sets["label"] = sets["label"].where(sets["label"] != "", sets.index.to_series())
        sets["signed"] = ~sets["direction"].isin([Direction.UNSIGNED, ""])
        known = list(CATEGORIES)
        order = sets["category"].map(lambda c: known.index(c) if c in known else len(known))
        primary = (sets["role"] != SetRole.PRIMARY).astype(int)
        ranks = pd.DataFrame({"order": order, "category": sets["category"], "primary": primary})
        return sets.loc[ranks.sort_values(list(ranks.columns), kind="stable").index]

    def by_set(self, table: pd.DataFrame) -> pd.DataFrame:
        """Bring rows of sets into display order."""
        return sorted_by(table, ["set"], {"set": list(self.sets.index)})

    @property
    def controls(self) -> set[str]:
        """Sets that no disease or drug should move; they do not choose the limits of colours."""
        sets = self.sets
        named = (sets["category"] == SetCategory.CONTROL) | (sets["role"] == SetRole.CONTROL)
        return set(sets.index[named])

    def heading(self, category: str) -> str:
        """Write a category for people."""
        return CATEGORIES.get(category, category.replace("_", " ").capitalize() or "Other sets")

    def blocks(self, names: list[str]) -> list[tuple[str, list[str]]]:
        """Group sets under the heading of their category, in display order."""
        sets = self.sets.loc[self.sets.index.isin(names)]
        headings = sets["category"].map(self.heading)
        return [(heading, list(rows.index)) for heading, rows in sets.groupby(headings, sort=False)]

    def heatmap_sets(self, *topics: str) -> list[GeneSet]:
        """Return the configured sets of topics (itch, barrier); a set that does not exist stops."""
        chosen = self.settings.figures.heatmap_sets
        names = [name for topic in topics or TOPICS for name in getattr(chosen, topic)]
        unknown = [name for name in names if name not in self.gene_sets]
        if unknown:
            raise AdnormError(
                f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
                f"file has{nearest(unknown[0], self.gene_sets)}"
            )
        return [self.gene_sets[name] for name in names]

    @property
    def topic_sets(self) -> list[str]:
        """Names of the itch and barrier sets that were scored."""
        return [s.name for s in self.heatmap_sets() if s.name in self.sets.index]

    def added_sets(self) -> list[str]:
        """List the sets that are neither of a category of adnorm nor chosen for the heatmaps."""
        ours = set(CATEGORIES) - {SetCategory.OWN}
        chosen = [s.name for s in self.heatmap_sets()]
        own = self.sets["category"].isin(ours) | self.sets.index.isin(chosen)
        return list(self.sets.index[~own])

    def shown_sets(self, rates: pd.DataFrame, column: str = "fdr") -> tuple[list[str], list[str]]:
        """Choose the sets that a figure draws, and say what it leaves out.

        All sets of adnorm, and of the added ones those that have a score and the smallest false
        discovery rate (`column` of `rates`) in the comparisons that are shown.
        """
        added = self.added_sets()
        scored = [n for n in added if self.sets.loc[n, "status"] != "not_scored"]
        best = rates.groupby("set")[column].min().reindex(scored)
        # A stable order: sets without any rate come last, equal ones stay as they stand.
        kept = set(best.sort_values(kind="stable", na_position="last").index[:MOST_ADDED])
        left = set(added) - kept
        names = [name for name in self.sets.index if name not in left]
        if not left:
            return names, []
        ranked = "those with the smallest FDR" if len(scored) > MOST_ADDED else "those with a score"
        count = f"{len(kept):,} of {len(added):,} added sets shown ({ranked})"
        return names, [f"{count}; all are in the TSV."]

    def why_no(self, *kinds: str) -> str:
        """Say why the cohort has no comparison of some kinds."""
        table = self.tables["comparisons"]
        rows = table[table["kind"].isin(kinds)] if kinds else table
        refused = rows.loc[rows["supported"] != "yes", "reason"].dropna().astype(str)
        reasons = list(dict.fromkeys(refused))
        return "; ".join(reasons[:3]) or "the design of this cohort has no such comparison"


# ---------------------------------------------------------------- one cohort, with its matrices


@dataclass
class CohortData(FigureData):
    """Tables and matrices of one cohort; the facts are those of expression.h5ad."""

    expression: AnnData
    scores: AnnData
    manifest: dict[str, Any]

    @property
    def observations(self) -> pd.DataFrame:
        """The canonical sheet."""
        return self.expression.obs

    @property
    def described(self) -> pd.DataFrame:
        """What the scores stage says of every set."""
        return self.scores.var

    @property
    def absent(self) -> str:
        """What a gene is that no row of the data holds."""
        rna = self.facts.get("assay") == "rna-seq"
        return "not in the deposited table" if rna else "absent from the platform"

    def gene_values(self, genes: list[str]) -> pd.DataFrame:
        """Log2 expression, genes × samples in display order; only genes that are measured."""
        found = [g for g in genes if g in self.expression.var_names]
        columns = self.expression.var_names.get_indexer(found)
        values = np.asarray(self.expression.X[:, columns], dtype=float)
        return pd.DataFrame(
            values[self.samples["row"].to_numpy()].T, index=found, columns=self.samples.index
        )

    def missing_genes(self, genes: list[str]) -> dict[str, list[str]]:
        """Group the genes that no row shows by why: absent, or below the filter."""
        undetected = set(map(str, np.atleast_1d(self.facts.get("undetected", []))))
        missing = [g for g in genes if g not in self.expression.var_names]
        return {
            self.absent: [g for g in missing if g not in undetected],
            FILTERED: [g for g in missing if g in undetected],
        }

    @property
    def method(self) -> str:
        """The scoring method that is drawn: signed z if the cohort has it."""
        return next(m for m in METHODS if m in self.scores.layers)

    @property
    def unit(self) -> str:
        """What a score is called on axes and colour bars."""
        return METHODS[self.method]

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest limit of colours; only z scores have a scale known beforehand."""
        return (1.5, 4.0) if self.method == Method.ZSCORE else (0.5, np.inf)

    def score_values(self) -> pd.DataFrame:
        """Scores, sets × samples in display order."""
        values = pd.DataFrame(
            np.asarray(self.scores.layers[self.method], dtype=float),
            index=self.scores.obs_names.astype(str),
            columns=self.scores.var_names.astype(str),
        )
        return values.loc[self.samples.index].T

    def shown_effects(self, contrasts: list[str]) -> pd.DataFrame:
        """Return the set effects of the drawn method in some comparisons."""
        effects = self.tables["set_effects"]
        return effects[(effects["method"] == self.method) & effects["contrast"].isin(contrasts)]

    @property
    def zero(self) -> str:
        """What a score of 0 means; empty for methods without such a meaning."""
        return f"0 = mean of {self.z_reference}" if self.method == Method.ZSCORE else ""

    @property
    def z_reference(self) -> str:
        """The samples whose mean is a z score of 0, in words."""
        reference = str(self.scores.uns.get("adnorm", {}).get("anchor", "all samples"))
        return reference.replace("@0", " skin at baseline")


def read_cohort(inputs: Mapping[str, Any], settings: DrawingSettings) -> CohortData:
    """Read expression, scores, manifest, `COHORT_TABLES` and ``gene_sets`` (a list).

    Raises
    ------
    AdnormError
        A file is missing, or scores and expression are of different samples.
    """
    cohort = settings.cohort
    assert cohort is not None
    expression = read_container(inputs["expression"], layers=())
    scores = read_container(inputs["scores"])
    if sorted(expression.obs_names) != sorted(scores.obs_names):
        odd = sorted(set(expression.obs_names) ^ set(scores.obs_names))
        raise AdnormError(
            f"scores.h5ad does not belong to expression.h5ad (samples in only one of them: "
            f"{listing(odd)}); run the scores stage again"
        )
    data = CohortData(
        facts=dict(expression.uns["adnorm"]) | {"title": cohort.title},
        tables={name: read_table(inputs[name]) for name in COHORT_TABLES},
        gene_sets=read_gene_sets(inputs["gene_sets"]),
        settings=settings,
        expression=expression,
        scores=scores,
        manifest=read_json(inputs["manifest"]),
    )
    data.note_quality()
    return data


# ---------------------------------------------------------------- the index of one cohort


@dataclass
class IndexData(FigureData):
    """Tables of one cohort (`INDEX_TABLES`); their job opens no container and imports little."""

    @cached_property
    def observations(self) -> pd.DataFrame:
        """The canonical sheet with the flags of quality control."""
        samples = self.tables["samples"].set_index("sample").rename_axis(None)
        flags = self.tables["qc"].set_index("sample")["flags"]
        return samples.assign(qc_flags=flags.reindex(samples.index).fillna(""))

    @cached_property
    def described(self) -> pd.DataFrame:
        """The gene sets, with what became of their genes in the cohort."""
        found = self.tables["coverage"].set_index("set")
        names = list(self.gene_sets)
        return describe_sets(self.gene_sets).assign(
            status=found["status"].reindex(names), reason=found["reason"].reindex(names)
        )


def describe_sets(gene_sets: dict[str, GeneSet]) -> pd.DataFrame:
    """List label, category, role and direction of gene sets; index set."""
    kinds = ("label", "category", "role", "direction")
    rows = [[getattr(s, kind) for kind in kinds] for s in gene_sets.values()]
    return pd.DataFrame(rows, index=list(gene_sets), columns=list(kinds))


def read_index(inputs: Mapping[str, Any], settings: DrawingSettings) -> IndexData:
    """Read `INDEX_TABLES` and ``gene_sets`` (a list)."""
    cohort = settings.cohort
    assert cohort is not None
    facts = {key: getattr(cohort, key) or "" for key in ("title", "placebo_arm", "reference")}
    facts |= {"cohort": cohort.id, "simulated": cohort.route == "simulated"}
    facts |= {"disease": cohort.disease}
    tables = {name: read_table(inputs[name]) for name in INDEX_TABLES}
    data = IndexData(facts, tables, read_gene_sets(inputs["gene_sets"]), settings)
    data.note_quality()
    return data


# ---------------------------------------------------------------- all cohorts of a run


@dataclass
class AtlasData(FigureData):
    """Tables over all cohorts (`ATLAS_TABLES`), and samples.tsv by cohort; facts of the run."""

    sheets: dict[str, pd.DataFrame]

    @cached_property
    def observations(self) -> pd.DataFrame:
        """Samples of all cohorts."""
        return pd.concat([sheet.set_index("sample") for sheet in self.sheets.values()])

    @cached_property
    def described(self) -> pd.DataFrame:
        """The gene sets; what single cohorts lack of them stands in their own figures."""
        return describe_sets(self.gene_sets).assign(status="ok", reason="")

    def placebo_of(self, cohort: str) -> str:
        """Name the placebo arm of a cohort; empty without one."""
        return self.settings.cohorts[cohort].placebo_arm or ""

    def simulated(self, cohort: str) -> bool:
        """Whether no patient stands behind a cohort."""
        return self.settings.cohorts[cohort].route == "simulated"

    @property
    def mixed(self) -> bool:
        """Whether the run has simulated cohorts and real ones."""
        return len({self.simulated(cohort) for cohort in self.sheets}) > 1

    def name(self, cohort: str) -> str:
        """Write a cohort; simulated ones among others say so, and all their disease among several.

        A disease other than atopic dermatitis is always named.
        """
        remarks = ["simulated"] if self.mixed and self.simulated(cohort) else []
        disease = self.diseases.get(cohort, "")
        several = any(not same_disease(other, disease) for other in self.diseases.values())
        unlike = bool(other_than_atopic(disease))
        remarks += [disease] if unlike or (several and disease) else []
        return f"{cohort} ({', '.join(remarks)})" if remarks else cohort

    @cached_property
    def diseases(self) -> dict[str, str]:
        """Disease by cohort, of those that have a table over time."""
        time = self.tables["time"]
        if "disease" not in time:
            return {}
        first = time.drop_duplicates("cohort")
        return dict(zip(first["cohort"], first["disease"], strict=True))

    @cached_property
    def colours(self) -> dict[tuple[str, str], str]:
        """Colour by cohort and arm, the same as in the figures of the cohort."""
        return {
            (cohort, arm): colour
            for cohort, sheet in self.sheets.items()
            for arm, colour in arm_colours(
                sheet["arm"], self.placebo_of(cohort), classes_of(sheet)
            ).items()
        }

    @cached_property
    def time(self) -> pd.DataFrame:
        """time.tsv against one reference per cohort, with treatment, class and dose of the arms."""
        time = self.tables["time"]
        time = time[time["cohort"].isin(self.sheets)]
        references = {c: known_reference(rows, "ni") for c, rows in time.groupby("cohort")}
        chosen = time["cohort"].map(references)
        # A cohort without any number is shown against the reference that most cohorts have.
        time = time[time["reference"] == chosen.where(chosen != "", REFERENCES[0])]
        arms, order = [], []
        for cohort, sheet in sorted(self.sheets.items()):
            order += [(cohort, arm) for arm in order_arms(sheet["arm"], self.placebo_of(cohort))]
            of_arms = sheet[["arm", "treatment", "drug_class", "dose_mg"]].drop_duplicates("arm")
            arms.append(of_arms.assign(cohort=cohort))
        time = time.merge(pd.concat(arms), on=["cohort", "arm"], how="left")
        place = {key: i for i, key in enumerate(order)}
        time["place"] = [place[key] for key in zip(time["cohort"], time["arm"], strict=True)]
        time.loc[time["lower"].isna() | time["upper"].isna(), "ni"] = float("nan")
        texts = ["reason_code", "reason"]
        time[texts] = time[texts].fillna("")
        return time.sort_values(["place", "week"], kind="stable", ignore_index=True)

    @property
    def absent_note(self) -> list[str]:
        """Name the cohorts that no table of the atlas holds: one visit, or nothing to compare."""
        absent = sorted(set(self.sheets) - set(self.tables["time"]["cohort"]))
        return [f"Without a visit after baseline: {', '.join(absent)}."] if absent else []

    @cached_property
    def published(self) -> pd.DataFrame:
        """Published results: label, share (1 = 100 %), measure, source, reason, drug_class.

        Results without a number are joined over their weeks.
        """
        classes = self.tables["classes"]
        rows = classes[classes["question"] == "published"].copy()
        words = ["drug", "dose", "weeks", "measure", "unit", "source", "reason"]
        rows[words] = rows[words].astype(object).where(rows[words].notna(), "").astype(str)
        rows["drug"] = (rows["drug"] + " " + rows["dose"]).str.strip()
        rows["share"] = rows["value"].where(rows["unit"] != "percent", rows["value"] / 100)
        numbered, others = rows[rows["value"].notna()], rows[rows["value"].isna()]
        keys = ["drug", "drug_class", "measure", "source", "reason"]
        joined = others.groupby(keys, sort=False)["weeks"].agg(lambda w: ", ".join(filter(None, w)))
        rows = pd.concat([numbered, joined.reset_index()], ignore_index=True)
        when = [f", week{'s' if ',' in w else ''} {w}" if w else "" for w in rows["weeks"]]
        return rows.assign(label=rows["drug"] + when).reindex(columns=["label", "share", *keys])


def read_atlas(inputs: Mapping[str, Any], settings: DrawingSettings) -> AtlasData:
    """Read `ATLAS_TABLES`, ``gene_sets``, and ``samples`` and ``comparisons`` of each cohort.

    The files of a cohort stand in its folder.
    """
    sheets = {Path(path).parents[1].name: read_table(path) for path in inputs["samples"]}
    aliased = [
        Path(path).parents[1].name
        for path in inputs["comparisons"]
        if (read_table(path)["batch"] == BatchVerdict.ALIASED).any()
    ]
    simulated = [settings.cohorts[name].route == "simulated" for name in sheets]
    facts = {
        "title": "All cohorts of this run",
        "cohort": counted(len(sheets), "cohort"),
        "simulated": all(simulated),
        "quality": "" if all(simulated) or not any(simulated) else "some cohorts are simulated",
        "batch": f"{BATCH_ALERT.format('visit, state or arm')} in {listing(aliased)}"
        if aliased
        else "",
    }
    tables = {name: read_table(inputs[name]) for name in ATLAS_TABLES}
    return AtlasData(facts, tables, read_gene_sets(inputs["gene_sets"]), settings, sheets)
