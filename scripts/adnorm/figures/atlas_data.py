"""What figures over all cohorts are drawn from: the tables of the atlas, and the sample sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from adnorm.base.tables import read_table
from adnorm.base.text import counted
from adnorm.figures.data import (
    REFERENCES,
    DrawingSettings,
    FigureData,
    classes_of,
    describe_sets,
    known_reference,
)
from adnorm.figures.theme import arm_colours, order_arms
from adnorm.study.diseases import ATOPIC_DERMATITIS, same_disease
from adnorm.study.gene_sets import read_gene_sets

ATLAS_TABLES = ("dose", "time", "classes")


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
        """Write a cohort; one that is simulated or of another disease among others says so."""
        remarks = ["simulated"] if self.mixed and self.simulated(cohort) else []
        disease = self.diseases.get(cohort, ATOPIC_DERMATITIS)
        remarks += [] if same_disease(disease, ATOPIC_DERMATITIS) else [disease]
        return f"{cohort} ({', '.join(remarks)})" if remarks else cohort

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
                sheet["arm"], self.placebo_of(cohort), classes_of(sheet)
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
        joined = others.groupby(keys, sort=False)["weeks"].agg(lambda weeks: _joined(weeks))
        rows = pd.concat([numbered, joined.reset_index()], ignore_index=True)
        when = [f", week{'s' if ',' in w else ''} {w}" if w else "" for w in rows["weeks"]]
        return rows.assign(label=rows["drug"] + when).reindex(columns=["label", "share", *keys])


def _joined(weeks: pd.Series) -> str:
    return ", ".join(filter(None, weeks))


def read_atlas(inputs: Mapping[str, Any], settings: DrawingSettings) -> AtlasData:
    """Read `ATLAS_TABLES`, ``gene_sets`` and ``samples`` (each in the folder of its cohort)."""
    sheets = {Path(path).parents[1].name: read_table(path) for path in inputs["samples"]}
    simulated = [settings.cohorts[name].route == "simulated" for name in sheets]
    facts = {
        "title": "All cohorts of this run",
        "cohort": counted(len(sheets), "cohort"),
        "simulated": all(simulated),
        "quality": "" if all(simulated) or not any(simulated) else "some cohorts are simulated",
    }
    tables = {name: read_table(inputs[name]) for name in ATLAS_TABLES}
    return AtlasData(facts, tables, read_gene_sets(inputs["gene_sets"]), settings, sheets)
