"""What the atlas knows of a cohort: its index table, the scores of its patients, its arms."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table
from adnorm.index.means import PatientTable
from adnorm.index.mmrm import RepeatedMeasures, fit_repeated_measures
from adnorm.index.ratio import Divisor
from adnorm.study.vocabulary import Arm, Status


@dataclass(frozen=True)
class CohortResults:
    """Results of one cohort.

    Attributes
    ----------
    cohort, disease
        As the cohort file names them.
    simulated
        Whether no patient stands behind the values.
    placebo_arm
        Empty without one.
    index
        index.tsv.
    patients
        patients.tsv: patient, arm, week, state, name, score.
    samples
        samples.tsv.
    randomised
        Whether patients, or lesions, came into the arms at random.
    """

    cohort: str
    disease: str
    simulated: bool
    placebo_arm: str
    index: pd.DataFrame = field(repr=False)
    patients: pd.DataFrame = field(repr=False)
    samples: pd.DataFrame = field(repr=False)
    randomised: bool = True

    def keys(self) -> dict[str, str]:
        """Columns that open every row of this cohort."""
        simulated = "yes" if self.simulated else "no"
        return {"cohort": self.cohort, "simulated": simulated, "disease": self.disease}

    def drug_arms(self) -> pd.DataFrame:
        """Arms that got a drug: arm, treatment, drug_class, dose_mg; by drug and rising dose."""
        arms = self.samples[["arm", "treatment", "drug_class", "dose_mg"]].drop_duplicates("arm")
        idle = arms["arm"].isin([self.placebo_arm, Arm.HEALTHY, Arm.UNTREATED])
        return arms[~idle].sort_values(["treatment", "dose_mg", "arm"], ignore_index=True)

    def references(self) -> list[str]:
        """What the index was measured against."""
        return sorted(set(self.index["reference"]), reverse=True)

    def weeks(self, arms: list[str]) -> list[float]:
        """Visits at which any of the arms has lesional samples after baseline."""
        return sorted(set(self.index.loc[self.index["arm"].isin(arms), "week"]))


@dataclass(frozen=True)
class PatientScores:
    """Scores of the patients of a cohort, arranged for ratios against one reference."""

    #: Of the names that have an index.
    table: PatientTable
    reference: str
    #: level, reason_code and reason by name, of those with and of those without an index.
    usable: pd.DataFrame
    refused: pd.DataFrame

    @cached_property
    def divisor(self) -> Divisor | None:
        """The disease effect; ``None`` where no name has one."""
        mean = self.table.baseline_difference(self.reference) if len(self.usable) else []
        return Divisor(self.table.mean(mean), self.table.strata) if mean else None

    @cached_property
    def repeated(self) -> RepeatedMeasures | None:
        """The model of all visits, where one was missed."""
        arms = sorted({arm for arm, _ in self.table.visits})
        if not len(self.usable) or not self.table.incomplete(arms):
            return None
        return fit_repeated_measures(self.table)


def read_cohort(folder: Path) -> CohortResults:
    """Read the results of one cohort; a file that is missing is named.

    `folder` is results/COHORT, with index/index.tsv, index/patients.tsv, expression/samples.tsv and
    expression/expression.h5ad (of which only the facts are read).
    """
    import h5py

    expression = folder / "expression" / "expression.h5ad"
    if not expression.is_file():
        raise AdnormError(f"{expression}: this file is missing; run the stage expression again")
    with h5py.File(expression) as store:
        # Read without anndata, which takes longer to import than the stage to read.
        group = store["uns/adnorm"]
        words = ("cohort", "disease", "placebo_arm")
        facts = {key: group[key].asstr()[()] if key in group else "" for key in words}
        simulated = bool(group["simulated"][()])
        randomised = bool(group["randomised"][()])
    index = read_table(folder / "index" / "index.tsv")
    return CohortResults(
        facts["cohort"],
        facts["disease"],
        simulated,
        facts["placebo_arm"],
        index,
        read_table(folder / "index" / "patients.tsv"),
        read_table(folder / "expression" / "samples.tsv"),
        randomised,
    )


def has_number(index: pd.DataFrame) -> pd.Series:
    """Which rows of an index table carry a number."""
    return index["status"].isin([Status.OK, Status.EXPLORATORY])


def arrange(cohort: CohortResults, reference: str) -> PatientScores:
    """Arrange the patients of a cohort for ratios against ``nonlesional`` or ``healthy``."""
    index = cohort.index[cohort.index["reference"] == reference]
    known = set(index.loc[has_number(index), "name"])
    names = index.drop_duplicates("name").set_index("name")[["level", "reason_code", "reason"]]
    usable = names[names.index.isin(known)]
    keys = [key for key in ("patient", "arm", "week", "state", "lesion") if key in cohort.patients]
    scores = cohort.patients.fillna({"lesion": ""})
    wide = scores.pivot_table("score", keys, "name", observed=True)
    table = PatientTable.of(
        wide[list(usable.index)].to_numpy(dtype=float), wide.index.to_frame(index=False)
    )
    return PatientScores(table, reference, usable, names[~names.index.isin(known)])
