"""The plan of a simulated trial: the ``simulation:`` block of a cohort file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from adnorm.base.errors import listing
from adnorm.study.validation import Listed, Section, Unique

#: From 0 to 1, both included.
Share = Annotated[float, Field(ge=0, le=1)]
#: Standard deviations and the like.
Spread = Annotated[float, Field(ge=0)]
#: A number of weeks, as the file writes it.
Week = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]
Speeds = dict[str, Annotated[float, Field(gt=0)]]
#: Which declared scale belongs to which way of writing values.
SCALE_OF_STYLE = {"geo_supplementary": "counts", "geo_series_matrix": "log2"}


class SimulatedArm(Section):
    """One arm of a simulated trial."""

    treatment: str = Field(
        description="Canonical name, as under `treatments:`; none for untreated patients",
        examples=["JAK1 inhibitor"],
    )
    dose_mg: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Dose in mg; null for placebo or where there is no dose",
        examples=[100],
    )
    label: str = Field(
        default="",
        description="How the raw metadata spell treatment and dose; empty writes no treatment",
        examples=["JAK1-INH 100 MG QD"],
    )
    patients: int = Field(ge=1, description="Patients enrolled in this arm", examples=[14])
    reversal: Listed[Annotated[float, Field(ge=-1, le=1.5)]] = Field(
        default=(),
        description="For each week after baseline: fraction of the lesional effect that the "
        "treatment removes in a typical responder, in a programme of speed 1 (1 = down to the "
        "nonlesional level, below 0 = worse)",
        examples=[[0.25, 0.45, 0.65]],
    )
    responders: Share = Field(
        default=0.7, description="Fraction of the patients who respond", examples=[0.7]
    )
    dropout: Share = Field(
        default=0.07,
        description="Fraction of the patients who leave before the last visit; their later "
        "biopsies are missing",
        examples=[0.1],
    )
    programmes: Speeds = Field(
        default={},
        description="Speeds of gene programmes in this arm, in place of those of the trial",
        examples=[{"itch": 2.0}],
    )

    @property
    def name(self) -> str:
        """The arm as the canonical sample sheet names it."""
        if self.treatment == "none":
            return "untreated"
        return self.treatment if self.dose_mg is None else f"{self.treatment} {self.dose_mg:g} mg"


class RegressionToMean(Section):
    """Patients enrol in a flare, so lesional severity falls in every arm, placebo included."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fraction": 0.15, "half_time_weeks": 4}]}
    )

    fraction: Share = Field(
        default=0.15,
        description="Fraction of the lesional effect at enrolment that is lost in the end without "
        "treatment",
        examples=[0.15],
    )
    half_time_weeks: float = Field(
        default=4,
        gt=0,
        description="Weeks after which half of that fraction is lost",
        examples=[4],
    )

    def decrease(self, week: float) -> float:
        """Return the fraction of the severity at enrolment that is gone by a week."""
        return self.fraction * (1 - 0.5 ** (week / self.half_time_weeks))


class GenePlan(Section):
    """The genes and how strongly the disease moves them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"total": 4000, "seed": 1}]})

    total: int = Field(
        default=4000,
        ge=1,
        description="All genes; those that the gene sets do not name are called SIM00001, "
        "SIM00002, …",
        examples=[4000],
    )
    seed: int = Field(
        default=1,
        ge=0,
        description="Seed of levels and disease effects; cohorts with the same seed have the same "
        "disease",
        examples=[1],
    )
    diseased_fraction: Share = Field(
        default=0.05,
        description="Fraction of the background genes that the disease moves",
        examples=[0.05],
    )
    default_effect: Spread = Field(
        default=0.7,
        description="Typical log2 fold change of a gene that has a direction but no published "
        "value, and of diseased background genes",
        examples=[0.7],
    )
    between_cohorts: Spread = Field(
        default=0.15,
        description="Standard deviation of a gene's effect between cohorts, as a fraction of the "
        "effect",
        examples=[0.15],
    )
    retired_symbols: Share = Field(
        default=0.5,
        description="Fraction of the genes with a previous symbol that the files call by it "
        "(LORICRIN as LOR always, unless 0)",
        examples=[0.5],
    )


class Variation(Section):
    """Standard deviations of everything that varies."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"severity": 0.25, "patient": 0.35}]})

    severity: Spread = Field(
        default=0.25,
        description="Severity of patients (natural log); it scales the disease effect of all genes",
        examples=[0.25],
    )
    visit: Spread = Field(
        default=0.12,
        description="Severity of a patient from visit to visit (natural log)",
        examples=[0.12],
    )
    response: Spread = Field(
        default=0.15,
        description="Response among responders and among non-responders",
        examples=[0.15],
    )
    patient: Spread = Field(
        default=0.35, description="A patient's own level of a gene (log2)", examples=[0.35]
    )
    lesion: Spread = Field(
        default=0.2,
        description="A gene in the lesions of a patient, the same at all visits (log2)",
        examples=[0.2],
    )
    biopsy: Spread = Field(default=0.15, description="A gene in one biopsy (log2)", examples=[0.15])
    factors: int = Field(
        default=3,
        ge=0,
        le=20,
        description="Hidden factors, such as biopsy depth, that move many genes together",
        examples=[3],
    )
    factor: Spread = Field(
        default=0.2, description="What one hidden factor adds to a gene (log2)", examples=[0.2]
    )


class CountPlan(Section):
    """Sequencing, when counts are written."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"library_size": [13_000_000, 30_000_000]}]}
    )

    library_size: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = Field(
        default=(13e6, 30e6),
        strict=False,
        description="Smallest and largest library (reads in genes); the simulated genes share the "
        "whole library",
        examples=[[13_000_000, 30_000_000]],
    )
    dispersion: float = Field(
        default=0.05,
        gt=0,
        description="Negative-binomial dispersion of well-expressed genes between biopsies of one "
        "kind, on top of `variation`",
        examples=[0.05],
    )
    low_count_dispersion: Spread = Field(
        default=1.5,
        description="What is added to the dispersion at a mean of one read; falls with the mean",
        examples=[1.5],
    )


class ArrayPlan(Section):
    """The array, when a series matrix is written."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"probes_per_gene": [1, 4]}]})

    probes_per_gene: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        default=(1, 4),
        strict=False,
        description="Fewest and most probes of a gene",
        examples=[[1, 4]],
    )
    noise: Spread = Field(
        default=0.15,
        description="Standard deviation of a probe's measurement (log2)",
        examples=[0.15],
    )


class BatchPlan(Section):
    """Biopsies that were processed together."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"along": "visits", "effect": 0.5}]})

    along: Literal["visits", "patients", "enrolment"] | None = Field(
        default=None,
        description="What two batches go along with. `visits`: baseline in the first, later "
        "visits in the second. `patients`: every other patient, with all visits. `enrolment`: the "
        "first third of the patients in the first, the last third in the second, those between "
        "change with their visits. null: no batches",
        examples=["visits"],
    )
    effect: Spread = Field(
        default=0.5,
        description="Standard deviation, over genes, of the shift of the second batch (log2)",
        examples=[0.5],
    )


class Simulation(Section):
    """The `simulation:` block of a cohort file with `route: simulated`.

    Change its numbers to plan a trial.
    """

    model_config = ConfigDict(title="Plan of a simulated cohort")

    writes: Literal["geo_supplementary", "geo_series_matrix"] = Field(
        description="GEO's way of serving the values: a supplementary table of counts (RNA-seq, "
        "scale counts), or the series matrix itself with a platform annotation (array, scale log2)",
        examples=["geo_supplementary"],
    )
    seed: int = Field(
        default=1,
        ge=0,
        description="Seed of everything that belongs to this cohort alone; the same seed gives the "
        "same bytes",
        examples=[2024],
    )
    gene_sets: str = Field(
        default="config/gene_sets/adnorm.tsv",
        description="Gene-set table whose genes are simulated, with their directions and published "
        "fold changes",
        examples=["config/gene_sets/adnorm.tsv"],
    )
    weeks: Unique[Week] = Field(
        min_length=1,
        description="Visits with a lesional biopsy, rising from 0 (baseline)",
        examples=[[0, 2, 4, 12]],
    )
    nonlesional_weeks: Unique[Week] = Field(
        default=(0,),
        description="Visits with a nonlesional biopsy, some of `weeks`",
        examples=[[0, 16]],
    )
    healthy: int = Field(
        default=0, ge=0, description="Healthy volunteers, one biopsy each", examples=[14]
    )
    arms: Listed[SimulatedArm] = Field(
        min_length=1,
        description="Arms of the trial; an untreated cohort has one arm with treatment none",
        examples=[
            [
                {
                    "treatment": "placebo",
                    "label": "PLACEBO",
                    "patients": 14,
                    "reversal": [0, 0.05, 0.1],
                }
            ]
        ],
    )
    programmes: Speeds = Field(
        default={},
        description="Speed of gene programmes (categories of the gene sets, `other` for the rest); "
        "1 where not named. What remains of the lesional effect is the remainder at speed 1 to the "
        "power of the speed: above 1 is faster, below 1 slower",
        examples=[{"itch": 1.6, "barrier": 0.7}],
    )
    nonresponder_reversal: Share = Field(
        default=0.25,
        description="Response of a typical non-responder as a fraction of a responder's",
        examples=[0.25],
    )
    failed_biopsies: Share = Field(
        default=0.02,
        description="Fraction of the biopsies after baseline that gave no usable sample",
        examples=[0.02],
    )
    field_defect: float = Field(
        default=0.2,
        description="How abnormal nonlesional skin is: (nonlesional − healthy) as a fraction of "
        "(lesional − nonlesional)",
        examples=[0.2],
    )
    regression_to_mean: RegressionToMean = RegressionToMean()
    genes: GenePlan = GenePlan()
    variation: Variation = Variation()
    counts: CountPlan = CountPlan()
    array: ArrayPlan = ArrayPlan()
    batches: BatchPlan = BatchPlan()

    def speed(self, arm: SimulatedArm, programme: str) -> float:
        """Return how fast a gene programme follows the treatment of an arm."""
        return arm.programmes.get(programme, self.programmes.get(programme, 1.0))

    def reversal(self, arm: SimulatedArm, week: float, programme: str) -> float:
        """Return the fraction of the lesional effect that an arm's responders lose by a week.

        The speed of a programme multiplies the rate, not the fraction: what remains is the
        remainder at speed 1 to the power of the speed, so no speed drives a partial reversal
        past the nonlesional level.
        """
        if week == 0:
            return 0.0
        base = arm.reversal[self.weeks.index(week) - 1]
        return base if base >= 1 else 1 - (1 - base) ** self.speed(arm, programme)

    def contradictions(self, scale: str | None) -> Iterator[str]:
        """Say what in the plan contradicts itself, or the scale that the cohort file declares."""
        weeks = list(self.weeks)
        if weeks[0] != 0 or weeks != sorted(set(weeks)):
            yield f"weeks: {weeks} must rise from 0 (baseline) without repeats, as [0, 4, 16]"
        extra = [week for week in self.nonlesional_weeks if week not in weeks]
        if extra:
            yield f"nonlesional_weeks: {listing(extra)} not among weeks {weeks}"
        names = [arm.name for arm in self.arms]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"arms: '{name}' is there {names.count(name)} times; merge these arms"
        for arm in self.arms:
            if len(arm.reversal) != len(weeks) - 1:
                yield (
                    f"arms: '{arm.name}': reversal has {len(arm.reversal)} values, but "
                    f"{len(weeks) - 1} are needed: one for each week after baseline {weeks[1:]}"
                )
        low, high = self.counts.library_size
        if not low < high:
            yield f"counts: library_size is [{low:g}, {high:g}]; the lower must come first"
        few, many = self.array.probes_per_gene
        if few > many:
            yield f"array: probes_per_gene is [{few}, {many}]; the lower, at least 1, first"
        if scale != SCALE_OF_STYLE[self.writes]:
            yield (
                f"writes: '{self.writes}' gives {SCALE_OF_STYLE[self.writes]}, but the cohort "
                f"declares the scale '{scale}'; change one of them"
            )
