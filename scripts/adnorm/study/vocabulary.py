"""The words of the tables: every state, level, status, reason code and statistic, once.

Stages meet through files, so a word that one stage writes is read by another. All of them take it
from here. A member is its text: it compares, sorts and prints as such.
"""

from __future__ import annotations

import re
from enum import StrEnum

#: Opens everything that shows cohorts behind which no patient stands.
SIMULATED_DATA = "SIMULATED DATA"
#: Behind every number that is exploratory; what it means stands beside it.
EXPLORATORY = "°"
#: Below this many patients in a group a result is exploratory.
FEWEST_SOUND = 6


class Route(StrEnum):
    """How the values of a cohort come in."""

    GEO_SERIES_MATRIX = "geo_series_matrix"
    GEO_SUPPLEMENTARY = "geo_supplementary"
    NCBI_COUNTS = "ncbi_counts"
    LOCAL = "local"
    H5AD = "h5ad"
    SIMULATED = "simulated"


class Assay(StrEnum):
    """How expression was measured."""

    MICROARRAY = "microarray"
    RNA_SEQ = "rna-seq"


class Scale(StrEnum):
    """Scale of the values as published; of NAME_counts it is the logarithm of count + 1."""

    COUNTS = "counts"
    LOG2_COUNTS = "log2_counts"
    LN_COUNTS = "ln_counts"
    LOG10_COUNTS = "log10_counts"
    LINEAR = "linear"
    LOG2 = "log2"
    LN = "ln"
    LOG10 = "log10"


class State(StrEnum):
    """What a biopsy is of."""

    LESIONAL = "lesional"
    NONLESIONAL = "nonlesional"
    HEALTHY = "healthy"


class Sex(StrEnum):
    """Sex of a patient, as the sheet says it and as the expression shows it."""

    FEMALE = "female"
    MALE = "male"
    NOT_CALLED = "not called"


class Arm(StrEnum):
    """Arms that are no drug; placebo is named by the cohort file."""

    HEALTHY = "healthy"
    UNTREATED = "untreated"
    #: In tables about patients: all arms together.
    ALL = "all arms"


class ComparisonKind(StrEnum):
    """What a contrast compares."""

    LESIONAL_NONLESIONAL = "lesional-nonlesional"
    LESIONAL_HEALTHY = "lesional-healthy"
    NONLESIONAL_HEALTHY = "nonlesional-healthy"
    CHANGE = "change"
    CHANGE_DIFFERENCE = "change-difference"
    RESIDUAL = "residual"
    RESIDUAL_HEALTHY = "residual-healthy"


class BatchVerdict(StrEnum):
    """Whether batches can be told from what is compared."""

    BALANCED = "balanced"
    PARTLY_CONFOUNDED = "partly confounded"
    #: Not estimable once batches are in the model.
    ALIASED = "aliased"


class BatchRule(StrEnum):
    """What the linear model of a cohort makes of its batches."""

    IGNORE = "ignore"
    #: Fixed effects.
    COVARIATE = "covariate"
    #: Random effects.
    BLOCK = "block"


class Direction(StrEnum):
    """How a gene, or all genes of a set, move in lesional skin."""

    UP = "up"
    DOWN = "down"
    MIXED = "mixed"
    UNSIGNED = "unsigned"


class Family(StrEnum):
    """Families of hypotheses in which false discovery rates are controlled."""

    PRIMARY = "primary"
    CURATED = "curated"
    #: All indices that are neither primary nor added.
    SECONDARY = "secondary"
    #: Sets that a user adds must not change the rates of the others.
    ADDED = "added"
    NONE = "none"


class SetRole(StrEnum):
    """What a gene set serves for."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    CONTEXT = "context"
    #: Cells, not regulation.
    COMPOSITION = "composition"
    #: Must not move.
    CONTROL = "control"


class SetCategory(StrEnum):
    """Categories of gene sets that are treated otherwise than the rest; a file may name any."""

    #: Of sets that a file gives no category: those of a GMT, and a user's own.
    OWN = "own"
    COMPOSITION = "composition"
    CONTROL = "control"


class Moves(StrEnum):
    """Whether a negative control does what it must not."""

    YES = "yes"
    NO = "no"
    #: Too few patients, or too much noise, to notice what it is there for.
    UNCLEAR = "unclear"


class DrugFamily(StrEnum):
    """Families of drug classes that are compared with each other."""

    JAK_INHIBITOR = "JAK inhibitor"
    BIOLOGIC = "biologic"


def drug_family(drug_class: str) -> str:
    """Put a drug class, as a cohort file names it, into its family; else it is its own.

    Examples
    --------
    >>> [drug_family(c) for c in ("JAK/SYK inhibitor", "anti-IL-13", "PDE4 inhibitor")]
    ['JAK inhibitor', 'biologic', 'PDE4 inhibitor']
    """
    if re.search(r"(?<!non-)\bjak|\bjanus kinase", drug_class, re.IGNORECASE):
        return DrugFamily.JAK_INHIBITOR.value
    # anti-IL-13 is one, an anti-inflammatory or anti-histamine is not.
    target = r"\banti-(?!inflam|hist|microb|bact|fung|prolif)"
    if re.search(rf"{target}|\bbiologic|antibod", drug_class, re.IGNORECASE):
        return DrugFamily.BIOLOGIC.value
    return drug_class


class Method(StrEnum):
    """Single-sample scores of a gene set."""

    GSVA = "gsva"
    SSGSEA = "ssgsea"
    ZSCORE = "zscore"


class Level(StrEnum):
    """What an index is of."""

    GLOBAL = "global"
    SET = "set"
    #: An axis that a published list of genes defines.
    PUBLISHED_AXIS = "published_axis"


class DerivedScore(StrEnum):
    """Names in the tables of the index that are no gene set of a file."""

    GLOBAL = "global"
    ITCH_MINUS_TH2 = "itch_minus_th2"
    PERCENT_IMPROVEMENT = "pct_improvement_literal"


class Analysis(StrEnum):
    """The primary analysis of the index, and those that question it."""

    PRIMARY = "primary"
    #: Patients who have both samples, where the primary analysis is a model of all visits.
    OBSERVED_PAIRS = "observed_pairs"
    #: dNI as the plain difference of two arms, not given the baseline.
    UNADJUSTED = "unadjusted"
    #: The p-value of exchanging baseline and visit within patients.
    SIGN_FLIPS = "sign_flips"
    #: Patients who missed the visit taken to be worse than the model says.
    DELTA_ADJUSTED = "delta_adjusted"
    #: Only patients with all visits.
    COMPLETERS = "completers"
    #: Against nonlesional skin of the same visit.
    TIME_MATCHED = "time_matched"
    COMPOSITION_ADJUSTED = "composition_adjusted"
    #: Without the effects of batches.
    BATCH_ADJUSTED = "batch_adjusted"
    #: Axes that keep the genes of cell composition, sets that lose them.
    WITH_COMPOSITION_GENES = "with_composition_genes"
    WITHOUT_COMPOSITION_GENES = "without_composition_genes"
    #: On log2 values of counts that another method made comparable.
    TMM = "tmm"
    MEDIAN_OF_RATIOS = "median_of_ratios"
    LIBRARY_SIZE = "library_size"
    #: On ssGSEA in place of the signed z score.
    SSGSEA = "ssgsea"
    PERCENT_IMPROVEMENT = "literal"


#: Opens what a row of the analysis `ssgsea` says where it contradicts the primary one.
DISAGREES = "disagrees with the signed z score"


class Statistic(StrEnum):
    """The normalization index, and its difference from placebo."""

    NI = "NI"
    DNI = "dNI"


class Estimator(StrEnum):
    """How the mean decrease of an arm is estimated."""

    OBSERVED_PAIRS = "observed pairs"
    #: Mixed model for repeated measures.
    MMRM = "MMRM"


class Multiplicity(StrEnum):
    """How the primary family is protected against many looks."""

    HOLM = "holm"
    FIXED_SEQUENCE = "fixed_sequence"


class AxisSource(StrEnum):
    """Who taught the disease axis of a cohort."""

    OTHER_COHORTS = "other cohorts"
    CROSS_FIT = "cross-fit"
    #: The name of the list follows.
    PUBLISHED_LIST = "published list"


class Status(StrEnum):
    """How far a number of the index or the atlas may be used."""

    OK = "ok"
    EXPLORATORY = "exploratory"
    NOT_AVAILABLE = "NA"
    #: Atlas: a figure of the literature that nothing here supports or contradicts.
    PUBLISHED_ONLY = "published_only"
    #: Atlas: a number of trials from which no class can be told apart.
    DESCRIPTIVE = "descriptive"


class ClinicStatus(StrEnum):
    """Whether a question about scores and the clinic has an answer; none is confirmatory."""

    EXPLORATORY = "exploratory"
    NOT_AVAILABLE = "not_available"
    TOO_FEW = "too_few"


class SetStatus(StrEnum):
    """Whether the platform, and the design, carry a number of a gene set."""

    OK = "ok"
    LOW_COVERAGE = "low_coverage"
    NOT_SCORED = "not_scored"
    #: The design promised the comparison, but the samples do not identify it.
    NOT_ESTIMABLE = "not_estimable"


class ReasonCode(StrEnum):
    """Why there is no index; the sentence stands beside it."""

    NO_REFERENCE = "NO_REFERENCE"
    NO_PLACEBO = "NO_PLACEBO"
    NOT_RANDOMISED = "NOT_RANDOMISED"
    DENOM_NOT_ESTIMABLE = "DENOM_NOT_ESTIMABLE"
    DIRECTION_CONTRADICTED = "DIRECTION_CONTRADICTED"
    LOW_COVERAGE = "LOW_COVERAGE"
    UNSIGNED = "UNSIGNED"
    NOT_SCORED = "NOT_SCORED"
    TOO_FEW_PAIRS = "TOO_FEW_PAIRS"
    OTHER_DISEASE = "OTHER_DISEASE"
    NO_WINDOW = "NO_WINDOW"
    UNBOUNDED = "UNBOUNDED"
    ONE_DOSE = "ONE_DOSE"
    NO_DOSE = "NO_DOSE"
    NO_EARLY_VISIT = "NO_EARLY_VISIT"
    ONE_VISIT = "ONE_VISIT"
    LAST_NOT_ESTIMABLE = "LAST_NOT_ESTIMABLE"
    UNMATCHED_WINDOW = "UNMATCHED_WINDOW"
    NO_TRIAL = "NO_TRIAL"
    SAME_PATIENTS = "SAME_PATIENTS"


class Question(StrEnum):
    """What a row of the atlas answers: of doses, then of drug classes."""

    TREND = "trend"
    GAIN_PER_DOUBLING = "gain_per_doubling"
    ADJACENT = "adjacent"
    DIFFERENCE = "difference"
    CLASS = "class"
    LEAVE_ONE_OUT = "leave_one_out"
    TRIAL = "trial"
    PUBLISHED = "published"


class GeneClass(StrEnum):
    """What a treatment made of the disease effect of a gene."""

    REVERSED = "reversed"
    PARTIAL = "partial"
    RESIDUAL = "residual"
    WORSENED = "worsened"
    NOT_ESTIMABLE = "not estimable"


class QualityFlag(StrEnum):
    """What is odd about a sample."""

    SMALL_LIBRARY = "small_library"
    FEW_GENES = "few_genes"
    BELOW_LIBRARY_LIMIT = "below_library_limit"
    PCA_OUTLIER = "pca_outlier"
    CORRELATION_OUTLIER = "correlation_outlier"
    SEX_CONTRADICTS_SHEET = "sex_contradicts_sheet"
    SEX_DIFFERS_WITHIN_PATIENT = "sex_differs_within_patient"
    #: Lesional and nonlesional skin of one patient and visit.
    STATE_EXCHANGED = "state_exchanged"
    OTHER_PATIENT = "other_patient"
    DUPLICATE = "duplicate"


#: Flags that doubt the label of a sample, not its measurement.
DOUBTED_LABELS = (
    QualityFlag.SEX_CONTRADICTS_SHEET,
    QualityFlag.SEX_DIFFERS_WITHIN_PATIENT,
    QualityFlag.STATE_EXCHANGED,
    QualityFlag.OTHER_PATIENT,
)
