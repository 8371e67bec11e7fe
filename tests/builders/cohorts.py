"""Cohort files as models, from the plain values of a test."""

from __future__ import annotations

from typing import Any

from adnorm.study.cohort import Cohort, CohortFile, ColumnMapping, MeasuredCohort
from adnorm.study.validation import check


def cohort_of(value: dict[str, Any], where: str = "") -> Cohort:
    """Check plain values as a cohort file is checked, key by key."""
    check(CohortFile, value, where or "cohort.yaml")
    return Cohort.model_validate(value | {"where": where})


def measured_of(value: dict[str, Any], where: str = "") -> MeasuredCohort:
    """Take of a cohort file what the stage expression takes."""
    return cohort_of(value, where).view(MeasuredCohort)


def mapping_of(value: dict[str, Any]) -> ColumnMapping:
    """Read the mapping of one column."""
    return check(ColumnMapping, value, "cohort.yaml")
