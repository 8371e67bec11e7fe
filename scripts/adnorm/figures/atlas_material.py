"""What the figures over all cohorts are drawn from: the tables of the atlas and the arms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.tables import read_table
from adnorm.figures.index_material import describe_sets
from adnorm.figures.panels import known_reference
from adnorm.figures.shared import CohortMaterial, classes_of
from adnorm.figures.theme import arm_colours, counted, order_arms
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease

if TYPE_CHECKING:
    from adnorm.study.gene_sets import GeneSet

TABLES = ("dose", "time", "classes")
#: What a sample sheet says of an arm.
OF_ARMS = ["treatment", "drug_class", "dose_mg"]
#: Stand where the tables of the atlas have no number, by reason code.
PUBLISHED = "published"


@dataclass
class AtlasMaterial(CohortMaterial):
    """Tables over all cohorts; see `CohortMaterial`.

    Attributes
    ----------
    facts, gene_sets, settings
        As there; the facts are those of the run.
    tables
        `TABLES`.
    cohorts
        By id: title, route, placebo_arm.
    sheets
        samples.tsv by cohort.
    """

    facts: dict
    tables: dict[str, pd.DataFrame]
    gene_sets: dict[str, GeneSet]
    settings: dict
    cohorts: dict[str, dict] = field(default_factory=dict)
    sheets: dict[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def observations(self) -> pd.DataFrame:
        """Samples of all cohorts."""
        return pd.concat([sheet.set_index("sample") for sheet in self.sheets.values()])

    @cached_property
    def described(self) -> pd.DataFrame:
        """The gene sets; what single cohorts lack of them stands in their own figures."""
        return describe_sets(self.gene_sets).assign(status="ok", reason="")

    def placebo(self, cohort: str) -> str:
        """Name the placebo arm of a cohort; empty without one."""
        return str(self.cohorts[cohort].get("placebo_arm") or "")

    def simulated(self, cohort: str) -> bool:
        """Whether no patient stands behind a cohort."""
        return self.cohorts[cohort]["route"] == "simulated"

    def name(self, cohort: str) -> str:
        """Write a cohort; one that is simulated or of another disease among others says so."""
        mixed = len({self.simulated(c) for c in self.sheets}) > 1
        said = ["simulated"] if mixed and self.simulated(cohort) else []
        disease = self.diseases.get(cohort, ATOPIC_DERMATITIS)
        said += [] if same_disease(disease, ATOPIC_DERMATITIS) else [disease]
        return f"{cohort} ({', '.join(said)})" if said else cohort

    @cached_property
    def diseases(self) -> dict[str, str]:
        """Disease by cohort, of those that have a table over time."""
        time = self.tables["time"]
        if "disease" not in time:
            return {}
        return time.drop_duplicates("cohort").set_index("cohort")["disease"].to_dict()

    @cached_property
    def colours(self) -> dict[tuple[str, str], str]:
        """Colour by cohort and arm, the same as in the figures of the cohort."""
        return {
            (cohort, arm): colour
            for cohort, sheet in self.sheets.items()
            for arm, colour in arm_colours(
                sheet["arm"], self.placebo(cohort), classes_of(sheet)
            ).items()
        }

    @cached_property
    def time(self) -> pd.DataFrame:
        """time.tsv against one reference a cohort, with treatment, class and dose of every arm."""
        time = self.tables["time"]
        time = time[time["cohort"].isin(self.sheets)]
        references = {c: known_reference(rows, "ni") for c, rows in time.groupby("cohort")}
        chosen = time["cohort"].map(references)
        # A cohort without any number is shown against the reference that most cohorts have.
        chosen = chosen.where(chosen != "", "nonlesional")
        time = time[time["reference"] == chosen]
        arms = [
            sheet[["arm", *OF_ARMS]].drop_duplicates("arm").assign(cohort=cohort)
            for cohort, sheet in self.sheets.items()
        ]
        time = time.merge(pd.concat(arms), on=["cohort", "arm"], how="left")
        order = [(c, a) for c in sorted(self.sheets) for a in self.arms_of(c)]
        place = {key: i for i, key in enumerate(order)}
        time["place"] = [place[key] for key in zip(time["cohort"], time["arm"], strict=True)]
        unbounded = time["lower"].isna() | time["upper"].isna()
        time.loc[unbounded, "ni"] = float("nan")
        texts = ["reason_code", "reason"]
        time[texts] = time[texts].fillna("")
        return time.sort_values(["place", "week"], kind="stable", ignore_index=True)

    def arms_of(self, cohort: str) -> list[str]:
        """Arms of a cohort in display order."""
        return order_arms(self.sheets[cohort]["arm"], self.placebo(cohort))

    @property
    def without_index(self) -> list[str]:
        """Cohorts that no table of the atlas holds: one visit, or nothing to compare."""
        return sorted(set(self.sheets) - set(self.tables["time"]["cohort"]))

    @property
    def absent_note(self) -> list[str]:
        """Name the cohorts without an index over visits."""
        if not self.without_index:
            return []
        return [f"Without a visit after baseline: {', '.join(self.without_index)}."]

    @cached_property
    def published(self) -> pd.DataFrame:
        """Published results: label, share (1 = 100 %), measure, source, reason, drug_class.

        Results without a number are joined over their weeks.
        """
        classes = self.tables["classes"]
        rows = classes[classes["question"] == PUBLISHED].copy()
        words = ["drug", "dose", "weeks", "measure", "unit", "source", "reason"]
        rows[words] = rows[words].astype(object).where(rows[words].notna(), "").astype(str)
        rows["drug"] = (rows["drug"] + " " + rows["dose"]).str.strip()
        percent = rows["unit"] == "percent"
        rows["share"] = rows["value"].where(~percent, rows["value"] / 100)
        numbered = rows[rows["value"].notna()]
        others = rows[rows["value"].isna()]
        keys = ["drug", "drug_class", "measure", "source", "reason"]
        joined = others.groupby(keys, sort=False)["weeks"].agg(_joined_weeks).reset_index()
        rows = pd.concat([numbered, joined], ignore_index=True)
        rows["label"] = [
            _published_label(d, w) for d, w in zip(rows["drug"], rows["weeks"], strict=True)
        ]
        return rows.reindex(columns=["label", "share", *keys])


def without_doi(source: str) -> str:
    """Leave out of a source what a figure has no room for.

    Examples
    --------
    >>> without_doi("Author 2020 Journal 1:2, doi:10.1/x, NCT01")
    'Author 2020 Journal 1:2, NCT01'
    """
    return re.sub(r",? ?doi:[^\s,]+", "", source)


def _joined_weeks(weeks: pd.Series) -> str:
    return ", ".join(week for week in weeks if week)


def _published_label(drug: str, weeks: str) -> str:
    if not weeks:
        return drug
    return f"{drug}, week{'s' if ',' in weeks else ''} {weeks}"


def read_atlas_material(
    inputs: dict[str, Path | list[Path]], cohorts: dict[str, dict], settings: dict
) -> AtlasMaterial:
    """Read the tables that the figures over all cohorts draw.

    Parameters
    ----------
    inputs
        dose, time, classes; ``samples`` (a list, one a cohort) and ``gene_sets`` (a list).
    cohorts
        By id: title, route, placebo_arm.
    settings
        Section ``figures`` of the configuration with ``index``.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    from adnorm.study.gene_sets import read_gene_sets

    sheets = {Path(path).parents[1].name: read_table(path) for path in inputs["samples"]}
    simulated = [cohorts[name]["route"] == "simulated" for name in sheets]
    facts = {
        "title": "All cohorts of this run",
        "cohort": counted(list(sheets), "cohort"),
        "simulated": all(simulated),
        "quality": "" if all(simulated) or not any(simulated) else "some cohorts are simulated",
    }
    tables = {name: read_table(inputs[name]) for name in TABLES}
    gene_sets = read_gene_sets(inputs["gene_sets"])
    return AtlasMaterial(facts, tables, gene_sets, settings, cohorts, sheets)
