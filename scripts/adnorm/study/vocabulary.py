"""The words of the tables: every state, level, status, reason code and statistic, once.

Stages meet through files, so a word that one stage writes is read by another. All of them take it
from here. A member is its text: it compares, sorts and prints as such.
"""

from __future__ import annotations

import re
from enum import StrEnum


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
    #: Only patients with all visits.
    COMPLETERS = "completers"
    #: Against non-lesional skin of the same visit.
    TIME_MATCHED = "time_matched"
    COMPOSITION_ADJUSTED = "composition_adjusted"
    WITH_COMPOSITION_GENES = "with_composition_genes"
    PERCENT_IMPROVEMENT = "literal"


class Statistic(StrEnum):
    """The normalization index, and its difference from placebo."""

    NI = "NI"
    DNI = "dNI"


class Interval(StrEnum):
    """Where the interval of an index comes from."""

    BCA = "bca"
    FIELLER = "fieller"


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
    #: Atlas: a number without a test behind it.
    DESCRIPTIVE = "descriptive"


class ClinicStatus(StrEnum):
    """Whether a question about scores and the clinic has an answer."""

    OK = "ok"
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
    DUPLICATE = "duplicate"
