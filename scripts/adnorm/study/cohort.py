"""The cohort file: everything about one data set with one design, as typed models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from adnorm.study.simulation import Simulation
from adnorm.study.validation import Listed, Omittable, Section, Sparse
from adnorm.study.vocabulary import Assay, Route, Scale, State

#: Canonical columns of numbers.
NUMBERS = ("dose_mg", "week", "easi", "scorad", "itch_nrs", "age")
#: Says in a mapping: take this from the patient's other samples (an arm is a patient's property).
OF_PATIENT = "of_patient"
#: Treatment of people without one.
NO_TREATMENT = "none"
#: A word of the vocabulary, as a file writes it.
RouteName = Annotated[Route, Field(strict=False)]
AssayName = Annotated[Assay, Field(strict=False)]
ScaleName = Annotated[Scale, Field(strict=False)]
#: The state that counts as normal at baseline.
ReferenceState = Literal[State.NONLESIONAL, State.HEALTHY]


class SourceFiles(Section):
    """Where the files are, when it does not follow from the accession; how they are laid out."""

    matrix: str | None = Field(
        default=None,
        description="Series matrix as a URL or path; null takes it from the GEO address",
        examples=["https://example.org/GSE1_series_matrix.txt.gz"],
    )
    annotation: str | None = Field(
        default=None,
        description="Annotation as a URL or path: probe to gene symbol of a platform, or NCBI's "
        "table of its genes (route ncbi_counts); null takes it from GEO",
        examples=["data/GPL570.annot.gz"],
    )
    table: str | None = Field(
        default=None,
        description="Table of counts or expression (or the .h5ad of route h5ad), as the file's "
        "name among the supplementary files, a URL or a path",
        examples=["GSE193309_count_matrix.csv.gz"],
    )
    sheet: str | None = Field(
        default=None,
        description="Sample sheet of a local cohort (csv, tsv or txt), one row per sample",
        examples=["data/samples.csv"],
    )
    sheet_key: str | None = Field(
        default=None,
        description="Column of the sample sheet that holds the column names of the table; null "
        "takes the first column",
        examples=["library"],
    )
    gene_column: str | None = Field(
        default=None,
        description="Column of the table (of var, in an .h5ad) that holds gene identifiers; null "
        "takes the first column (the index of var)",
        examples=["gene_id"],
    )
    layer: str | None = Field(
        default=None,
        description="Layer of the .h5ad that holds the values; `.raw` takes those of .raw, null "
        "takes X",
        examples=["counts"],
    )
    libraries: str | None = Field(
        default=None,
        description="Regular expression with the one named group `library`, searched in the names "
        "of the columns of counts; columns in which it finds the same library are its lanes and "
        "are summed",
        examples=["(?P<library>[^_/]+)_[^/]*$"],
    )
    round_counts: bool = Field(
        default=False,
        description="Round expected counts (RSEM, salmon, tximport) to whole numbers",
        examples=[True],
    )
    scale_checked: Annotated[str, Field(max_length=500)] | None = Field(
        default=None,
        description="How you know that the declared scale is right, in words, when the check of "
        "the values says otherwise: the scale is kept and the report says so. Infinite values, "
        "negative counts and counts that are not whole are refused all the same",
        examples=["per 10000 of a panel of weak genes; compared with the authors' table"],
    )
    unpacked_gigabytes: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Gigabytes that a packed file (gzip, .h5ad) of this cohort may hold; null "
        "allows 8, and 200 times the size of the file: what holds more is a mistake or an attack",
        examples=[20],
    )
    symbol_column: str | None = Field(
        default=None,
        description="Column of the platform annotation that holds gene symbols; null looks for the "
        "usual names",
        examples=["Gene symbol"],
    )

    @model_validator(mode="before")
    @classmethod
    def _pinned_elsewhere(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sha256" in given:
            raise ValueError(
                "`sha256:` is not pinned in a cohort file any more: delete it here and run `adnorm "
                "lock`, which writes the files of all cohorts of a run into one table (checksums:)"
            )
        return given


class Treatment(Section):
    """A treatment, by its canonical name."""

    drug_class: str = Field(
        description="Class of the drug; 'placebo' for placebo or vehicle",
        examples=["JAK inhibitor", "anti-IL-13", "placebo"],
    )


class ColumnMapping(Sparse):
    """Mapping of one canonical column.

    `from:`, `from_all:` or `constant:`, then `pattern:`, `values:`, `scale:`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "description": "Mapping of one canonical column: `from:`, `from_all:` or `constant:`, "
            "then `pattern:`, `values:`, `scale:`",
            "examples": [{"from": ["patient id", "subject"]}],
        }
    )

    from_: Omittable[str | Annotated[Listed[str], Field(min_length=1)]] = Field(
        default=None,
        alias="from",
        description="Raw key or list of alternatives. A field of exactly this name is taken, else "
        "the one that differs in case and punctuation alone; fields that are not named never fill "
        "its gaps",
        examples=[["patient_id", "subject"]],
    )
    from_all: Omittable[Annotated[Listed[str], Field(min_length=2)]] = Field(
        default=None,
        description="Raw keys whose values are joined with a space, such as the patient and the "
        "lesion of a trial within patients; all must be filled",
        examples=[["patient_id", "lesion"]],
    )
    values: Omittable[dict[Any, str | int | float | None]] = Field(
        default=None,
        description="Raw value to canonical value; null means not available; numbers that it does "
        "not name stay as they are in columns of numbers, unless it translates numbers; for "
        "treatment and dose_mg, of_patient takes it from the patient's other samples",
        examples=[{"LS": "lesional", "NL": "nonlesional"}],
    )
    pattern: Omittable[str] = Field(
        default=None,
        description="Regular expression with one named group; what the group finds is the value. "
        "Of a number it must take all, with sign and decimals",
        examples=["week (?P<value>[0-9]+)"],
    )
    constant: Omittable[str | int | float] = Field(
        default=None, description="The same value for all samples", examples=["none"]
    )
    scale: Omittable[float] = Field(
        default=None,
        description="Factor that brings a number that was read to the canonical unit, such as "
        "4.345 from months to weeks; values under `values:` are canonical already",
        examples=[4.345],
    )
    missing: str | int | float | None = Field(
        default=None,
        description="Canonical value where the raw field is empty; null means not available",
        examples=[0],
    )

    @property
    def keys(self) -> list[str]:
        """The raw keys to look at: alternatives, best first, or all that are joined."""
        named = self.from_ if self.from_all is None else self.from_all
        return [named] if isinstance(named, str) else list(named or ())

    @property
    def has_one_source(self) -> bool:
        """Whether it is clear where the values come from."""
        return len({"from_", "from_all", "constant"} & self.model_fields_set) == 1

    @property
    def translation(self) -> Mapping[Any, str | int | float | None]:
        """What `values:` says; empty without it."""
        return self.values or {}

    @property
    def says_missing(self) -> bool:
        """Whether the file says what an empty raw field means."""
        return "missing" in self.model_fields_set

    @property
    def results(self) -> list[str | int | float]:
        """The canonical values that the mapping names."""
        named = [*self.translation.values(), self.constant, self.missing]
        return [value for value in named if value is not None]


class SampleMappings(Sparse):
    """How raw metadata become the canonical sample sheet, one mapping for each canonical column."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"state": {"from": "skin type", "values": {"LS": "lesional", "NL": "nonlesional"}}}
            ]
        }
    )

    patient: ColumnMapping
    state: ColumnMapping
    treatment: ColumnMapping
    week: ColumnMapping
    dose_mg: Omittable[ColumnMapping] = None
    easi: Omittable[ColumnMapping] = None
    scorad: Omittable[ColumnMapping] = None
    itch_nrs: Omittable[ColumnMapping] = None
    responder: Omittable[ColumnMapping] = None
    batch: Omittable[ColumnMapping] = None
    sex: Omittable[ColumnMapping] = None
    age: Omittable[ColumnMapping] = None
    site: Omittable[ColumnMapping] = None

    @property
    def by_column(self) -> dict[str, ColumnMapping]:
        """The mappings that the file has, by canonical column."""
        found = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: mapping for name, mapping in found if mapping is not None}


class ExclusionRule(Sparse):
    """A rule that leaves samples out."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["samples"]},
                {"required": ["from", "values"]},
                {"required": ["from", "pattern"]},
            ]
        }
    )

    from_: Omittable[str] = Field(
        default=None, alias="from", description="Raw key to look at", examples=["disease"]
    )
    values: Omittable[Listed[str | int | float]] = Field(
        default=None, description="Raw values whose samples are left out", examples=[["psoriasis"]]
    )
    pattern: Omittable[str] = Field(
        default=None,
        description="Regular expression; samples whose raw value matches are left out",
        examples=["^PSO"],
    )
    samples: Omittable[Listed[str]] = Field(
        default=None, description="Sample ids to leave out", examples=[["GSM2124822"]]
    )
    reason: str = Field(description="Why; stands in the report", examples=["another disease"])

    @model_validator(mode="after")
    def _one_form(self) -> ExclusionRule:
        given = self.model_fields_set - {"reason"}
        if given not in ({"samples"}, {"from_", "values"}, {"from_", "pattern"}):
            raise ValueError(
                "give `samples:`, or `from:` with one of `values:` and `pattern:`; found "
                + (", ".join(f"`{key}:`" for key in self.as_written() if key != "reason") or "none")
            )
        return self


class CohortFile(Section):
    """Everything about one data set with one design.

    One file for each cohort, config/cohorts/COHORT.yaml.
    """

    model_config = ConfigDict(title="A cohort file")

    id: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="name of the cohort and of its file; letters, digits, '_' and '-' only, "
        "because it becomes a folder",
        examples=["gse80342"],
    )
    title: str = Field(
        description="What the cohort is, in a few words; stands above every figure",
        examples=["Oral ruxolitinib in alopecia areata"],
    )
    accession: Annotated[str, Field(pattern="^(GSE|E-)[A-Z0-9-]+$")] | None = Field(
        default=None,
        description="GEO accession of the series, such as GSE80342; null for a lab's own data",
        examples=["GSE80342"],
    )
    citation: str | None = Field(
        default=None,
        description="The publication to cite",
        examples=["Mackay-Wiggan 2016, JCI Insight 1(15)"],
    )
    disease: str = Field(
        description="Disease of the patients; only cohorts of one disease teach each other its "
        "axis or are combined (capitals, punctuation, severity and synonyms such as AD or eczema "
        "play no part)",
        examples=["atopic dermatitis"],
    )
    tissue: str = Field(description="What was sampled", examples=["skin biopsy", "tape strip"])
    organism: Literal["Homo sapiens"] = Field(
        default="Homo sapiens",
        description="Species; the gene sets are human, so only human data are accepted",
        examples=["Homo sapiens"],
    )
    assay: AssayName = Field(description="How expression was measured", examples=["microarray"])
    platform: str | None = Field(
        default=None,
        description="GEO platform; chooses one when a series has several",
        examples=["GPL570"],
    )
    route: RouteName = Field(description="How the values come in", examples=["geo_supplementary"])
    scale: ScaleName = Field(
        description="Scale of the values as published; verified against the values, never "
        "guessed. NAME_counts is the logarithm of count + 1: it is turned back into counts",
        examples=["log2"],
    )
    reference: ReferenceState | None = Field(
        description="The state that counts as normal at baseline; null when the cohort has neither",
        examples=["nonlesional"],
    )
    placebo_arm: str | None = Field(
        default=None,
        description="The arm that drugs are compared with; null when there is none",
        examples=["placebo"],
    )
    randomised: bool | None = Field(
        default=None,
        description="Whether patients came into the arms at random: the arms then share one "
        "disease effect before treatment, to which each change is set. null: yes with a placebo "
        "arm, no without; in a cohort with one arm it plays no part",
        examples=[False],
    )
    within_patient: bool = Field(
        default=False,
        description="Whether lesions of one patient are in several arms, such as drug on one "
        "and vehicle on another: they are then compared within the patient. Nonlesional skin, "
        "and a lesion before treatment whose treatment is of_patient, serve all arms",
        examples=[True],
    )
    status: Literal["verified", "unverified"] = Field(
        default="unverified",
        description="verified once a run against the real series has confirmed this file",
        examples=["verified"],
    )
    note: str | None = Field(
        default=None,
        description="Caveats that a reader of the report must know",
        examples=["Three baseline-only patients of the series are missing"],
    )
    source: SourceFiles = SourceFiles()
    treatments: dict[str, Treatment] = Field(
        default={},
        description="Every treatment by its canonical name, with its drug class",
        examples=[{"ruxolitinib": {"drug_class": "JAK inhibitor"}}],
    )
    samples: SampleMappings
    exclude: Listed[ExclusionRule] = Field(
        default=(),
        description="Samples to leave out, each rule with its reason; they are listed in "
        "excluded.tsv and in the report",
        examples=[[{"from": "disease", "values": ["psoriasis"], "reason": "another disease"}]],
    )
    simulation: Omittable[Simulation] = None


class Cohort(CohortFile):
    """A cohort file that was read and checked.

    Attributes
    ----------
    where
        What messages call the file.
    stand_ins
        Canonical columns whose mapping is refused elsewhere and replaced by one that cannot be
        wrong; empty for every cohort that runs.
    """

    where: str = ""
    stand_ins: Listed[str] = ()

    @property
    def local_files(self) -> list[str]:
        """The files on this disk that the cohort reads, sorted."""
        source = self.source
        named = [path for path in (source.matrix, source.annotation, source.sheet) if path]
        # The table of a GEO series is a file name among its supplementary files, not a path.
        if source.table and (self.route != Route.GEO_SUPPLEMENTARY or "/" in source.table):
            named.append(source.table)
        return sorted(path for path in named if "://" not in path and not path.startswith("file:"))


class FetchedSource(Section):
    """Which files are fetched; the other keys of `source:` say how they are read."""

    matrix: str | None
    annotation: str | None
    table: str | None
    sheet: str | None
    unpacked_gigabytes: float | None


class PublishedCohort(Section):
    """What decides which bytes are fetched: mending a mapping must not fetch again."""

    id: str
    accession: str | None
    platform: str | None
    route: RouteName
    source: FetchedSource
    #: What the simulator writes besides; a real series is the same whatever it is called.
    title: str = ""
    scale: ScaleName | None = None
    simulation: Simulation | None = None

    @model_validator(mode="before")
    @classmethod
    def _nameless(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given if given.get("simulation") else given | {"title": ""}


class MeasuredCohort(Section):
    """What decides expression and the sample sheet, without what only readers of the report see."""

    id: str
    where: str
    accession: str | None
    disease: str
    tissue: str
    assay: AssayName
    platform: str | None
    route: RouteName
    scale: ScaleName
    reference: ReferenceState | None
    placebo_arm: str | None
    randomised: bool | None
    within_patient: bool = False
    source: SourceFiles
    treatments: dict[str, Treatment]
    samples: SampleMappings
    exclude: Listed[ExclusionRule]
    stand_ins: Listed[str] = ()

    @property
    def at_random(self) -> bool:
        """Whether the arms are of patients who came into them at random."""
        return self.placebo_arm is not None if self.randomised is None else self.randomised


class DrawnCohort(Section):
    """What every figure of a cohort says of it."""

    id: str
    title: str
    route: RouteName
    reference: ReferenceState | None
    placebo_arm: str | None


class DescribedCohort(DrawnCohort):
    """What the answer and the overview page say besides."""

    disease: str = ""
    accession: str | None = None
    citation: str | None = None
    status: str = ""
    note: str | None = None
