"""The plan of a simulated trial: what its cohort file asks for, checked and with defaults."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from adnorm.base.errors import AdnormError, Problems, listing, nearest

#: Which declared scale belongs to which way of writing values.
SCALE_OF_STYLE = {"geo_supplementary": "counts", "geo_series_matrix": "log2"}


@dataclass(frozen=True)
class SimulatedArm:
    """One arm of a simulated trial.

    Attributes
    ----------
    treatment, dose_mg
        As in the canonical sample sheet; ``none`` makes an untreated cohort.
    patients
        Patients who are enrolled.
    label
        How the raw metadata spell the treatment; empty writes no treatment.
    reversal
        For each week after baseline: the fraction of the lesional effect that the treatment takes
        away in a typical responder, in a programme of speed 1.
    responders
        Fraction of the patients who respond.
    dropout
        Fraction of the patients whose later visits are missing.
    programmes
        Speeds that replace those of the trial in this arm.
    """

    treatment: str
    patients: int
    dose_mg: float | None = None
    label: str = ""
    reversal: tuple[float, ...] = ()
    responders: float = 0.7
    dropout: float = 0.07
    programmes: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The arm as the canonical sample sheet names it."""
        if self.treatment == "none":
            return "untreated"
        return self.treatment if self.dose_mg is None else f"{self.treatment} {self.dose_mg:g} mg"


@dataclass(frozen=True)
class RegressionToMean:
    """How lesional severity falls in every arm because patients enrol in a flare."""

    fraction: float = 0.15
    half_time_weeks: float = 4.0

    def decrease(self, week: float) -> float:
        """Return the fraction of the severity at enrolment that is gone by a week."""
        return self.fraction * (1 - 0.5 ** (week / self.half_time_weeks))


@dataclass(frozen=True)
class GenePlan:
    """How many genes there are and how strongly the disease moves them."""

    total: int = 4000
    seed: int = 1
    diseased_fraction: float = 0.05
    default_effect: float = 0.7
    between_cohorts: float = 0.15
    retired_symbols: float = 0.5


@dataclass(frozen=True)
class Variation:
    """Standard deviations of everything that varies; log2 units where not said otherwise."""

    severity: float = 0.25
    visit: float = 0.12
    response: float = 0.15
    patient: float = 0.35
    lesion: float = 0.2
    biopsy: float = 0.15
    factors: int = 3
    factor: float = 0.2


@dataclass(frozen=True)
class CountPlan:
    """Library sizes (reads) and the trend of the dispersion of counts."""

    library_size: tuple[float, float] = (13e6, 30e6)
    dispersion: float = 0.05
    low_count_dispersion: float = 1.5


@dataclass(frozen=True)
class ArrayPlan:
    """Probes of a gene and the noise of one probe (log2)."""

    probes_per_gene: tuple[int, int] = (1, 4)
    noise: float = 0.15


@dataclass(frozen=True)
class Simulation:
    """A whole simulated trial; the keys are those of the ``simulation:`` block."""

    writes: str
    arms: tuple[SimulatedArm, ...]
    weeks: tuple[float, ...]
    nonlesional_weeks: tuple[float, ...] = (0,)
    healthy: int = 0
    seed: int = 1
    gene_sets: str = "config/gene_sets/adnorm.tsv"
    programmes: dict[str, float] = field(default_factory=dict)
    nonresponder_reversal: float = 0.25
    failed_biopsies: float = 0.02
    field_defect: float = 0.2
    regression_to_mean: RegressionToMean = RegressionToMean()
    genes: GenePlan = GenePlan()
    variation: Variation = Variation()
    counts: CountPlan = CountPlan()
    array: ArrayPlan = ArrayPlan()

    def speed(self, arm: SimulatedArm, programme: str) -> float:
        """Return how fast a gene programme follows the treatment of an arm."""
        return arm.programmes.get(programme, self.programmes.get(programme, 1.0))

    def reversal(self, arm: SimulatedArm, week: float, programme: str) -> float:
        """Return the fraction of the lesional effect that an arm's responders lose by a week.

        The speed of a programme multiplies the rate, not the fraction: what remains is the
        remainder at speed 1 to the power of the speed, so no speed drives a partial reversal
        past the non-lesional level.
        """
        if week == 0:
            return 0.0
        base = arm.reversal[self.weeks.index(week) - 1]
        return base if base >= 1 else 1 - (1 - base) ** self.speed(arm, programme)


_BLOCKS = {
    "regression_to_mean": RegressionToMean,
    "genes": GenePlan,
    "variation": Variation,
    "counts": CountPlan,
    "array": ArrayPlan,
}


def _build(kind: type, block: dict, where: str, problems: Problems):
    known = [f.name for f in dataclasses.fields(kind)]
    required = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    for key in block.keys() - set(known):
        problems.add(
            f"{where}: the key '{key}' is unknown{nearest(key, known)}. Known: {listing(known, 30)}"
        )
    for key in required:
        if key not in block:
            problems.add(f"{where}: the key '{key}' is missing")
    if not all(key in block for key in required):
        return None
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in block.items() if k in known}
    return kind(**values)


def read_trial(cohort: dict) -> Simulation:
    """Read the ``simulation:`` block of a cohort file.

    Parameters
    ----------
    cohort
        The cohort file as a dictionary.

    Returns
    -------
    Simulation
        The plan, with defaults filled in.

    Raises
    ------
    AdnormError
        The block is missing, has unknown keys or contradicts itself; all problems in one message.
    """
    where = f"cohort '{cohort.get('id', '?')}', simulation"
    block = cohort.get("simulation")
    if not block:
        raise AdnormError(f"{where}: route 'simulated' needs a `simulation:` block; none was found")
    problems = Problems(where)
    parts = {k: _build(v, block.get(k) or {}, k, problems) for k, v in _BLOCKS.items()}
    arms = tuple(
        _build(SimulatedArm, arm, f"arms: number {i}", problems)
        for i, arm in enumerate(block.get("arms") or [], 1)
    )
    trial = _build(Simulation, {**block, **parts, "arms": list(arms)}, "keys", problems)
    problems.stop()
    _check_visits(trial, problems)
    _check_arms(trial, problems)
    _check_numbers(trial, problems)
    _check_style(trial, cohort, problems)
    problems.stop()
    return trial


def _check_visits(trial: Simulation, problems: Problems) -> None:
    weeks = list(trial.weeks)
    if not weeks or weeks[0] != 0 or weeks != sorted(set(weeks)):
        problems.add(f"weeks: {weeks} must rise from 0 (baseline) without repeats, as [0, 4, 16]")
    extra = [w for w in trial.nonlesional_weeks if w not in weeks]
    if extra:
        problems.add(f"nonlesional_weeks: {listing(extra)} not among weeks {weeks}")


def _check_arms(trial: Simulation, problems: Problems) -> None:
    later = len(trial.weeks) - 1
    if not trial.arms:
        problems.add("arms: at least one arm is needed; an untreated cohort has treatment none")
    names = [arm.name for arm in trial.arms]
    for name in sorted({n for n in names if names.count(n) > 1}):
        problems.add(f"arms: '{name}' is there {names.count(name)} times; merge these arms")
    for arm in trial.arms:
        if len(arm.reversal) != later:
            problems.add(
                f"arms: '{arm.name}': reversal has {len(arm.reversal)} values, but {later} are "
                f"needed: one for each week after baseline {list(trial.weeks[1:])}"
            )
        if any(not -1 <= r <= 1.5 for r in arm.reversal):
            problems.add(f"arms: '{arm.name}': reversal {list(arm.reversal)} not within -1 … 1.5")
        if not isinstance(arm.patients, int) or arm.patients < 1:
            problems.add(f"arms: '{arm.name}': patients is {arm.patients!r}; at least 1 is needed")
        for key in ("responders", "dropout"):
            _check_fraction(getattr(arm, key), f"arms: '{arm.name}': {key}", problems)


def _check_fraction(value: float, what: str, problems: Problems) -> None:
    if not 0 <= value <= 1:
        problems.add(f"{what} is {value}; a fraction between 0 and 1 is needed")


def _check_numbers(trial: Simulation, problems: Problems) -> None:
    for key in ("nonresponder_reversal", "failed_biopsies"):
        _check_fraction(getattr(trial, key), key, problems)
    _check_fraction(trial.regression_to_mean.fraction, "regression_to_mean: fraction", problems)
    if not trial.regression_to_mean.half_time_weeks > 0:
        problems.add("regression_to_mean: half_time_weeks must be above 0")
    for key in ("diseased_fraction", "retired_symbols"):
        _check_fraction(getattr(trial.genes, key), f"genes: {key}", problems)
    for name in (f.name for f in dataclasses.fields(Variation)):
        value = getattr(trial.variation, name)
        if not (value >= 0 and math.isfinite(value)):
            problems.add(f"variation: {name} is {value}; a number of at least 0 is needed")
    low, high = trial.counts.library_size
    if not 0 < low < high:
        problems.add(f"counts: library_size is [{low:g}, {high:g}]; the lower must come first")
    few, many = trial.array.probes_per_gene
    if not 1 <= few <= many:
        problems.add(f"array: probes_per_gene is [{few}, {many}]; the lower, at least 1, first")


def _check_style(trial: Simulation, cohort: dict, problems: Problems) -> None:
    if trial.writes not in SCALE_OF_STYLE:
        problems.add(
            f"writes: '{trial.writes}' is unknown{nearest(trial.writes, SCALE_OF_STYLE)}. "
            f"Allowed: {listing(SCALE_OF_STYLE)}"
        )
    elif cohort.get("scale") != SCALE_OF_STYLE[trial.writes]:
        problems.add(
            f"writes: '{trial.writes}' gives {SCALE_OF_STYLE[trial.writes]}, but the cohort "
            f"declares the scale '{cohort.get('scale')}'; change one of them"
        )
