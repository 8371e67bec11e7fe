"""What all figures of a cohort share: its samples, arms, colours and gene sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.figures.theme import arm_colours, order_arms, week_colours
from adnorm.study.gene_sets import ADDED

if TYPE_CHECKING:
    from adnorm.study.gene_sets import GeneSet

#: Normal first, so that a reader compares disease and treatment with what stands at the left.
STATE_ORDER = ("healthy", "nonlesional", "lesional")
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
    "composition": "Cell composition",
    "safety_context": "Context for safety",
    "control": "Controls",
    ADDED: "Added sets",
}


def classes_of(sheet: pd.DataFrame) -> dict[str, str]:
    """List the drug class of every arm of a sample sheet; empty where none is known."""
    if "drug_class" not in sheet:
        return {}
    named = sheet[["arm", "drug_class"]].astype(object).dropna().drop_duplicates("arm")
    return dict(named.astype(str).itertuples(index=False, name=None))


class CohortMaterial(ABC):
    """What figures ask of a cohort, whatever files it was read from.

    Attributes
    ----------
    facts
        cohort, title, simulated, placebo_arm and more, as ``uns["adnorm"]`` has them.
    tables
        The TSV tables by name (comparisons, index, …).
    gene_sets
        All gene sets by name.
    settings
        Section ``figures`` of the configuration, ``fdr``, and what single figures need.
    """

    facts: dict
    tables: dict[str, pd.DataFrame]
    gene_sets: dict[str, GeneSet]
    settings: dict

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
        return float(self.settings.get("fdr", 0.05))

    @property
    def primary(self) -> list[str]:
        """Names of the primary family of the index, in the order of the configuration."""
        return list(self.settings["index"]["primary"])

    @property
    def confidence(self) -> str:
        """The coverage of the intervals of the index, in words."""
        return f"{self.settings['index']['confidence']:.0%}".replace("%", " %")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Canonical sheet in display order: state, arm, week, patient; index sample."""
        obs = self.observations
        sheet = pd.DataFrame(index=obs.index.astype(str))
        for column in ("state", "arm", "patient", "sex", "qc_flags"):
            values = obs[column] if column in obs else pd.Series("", index=obs.index)
            sheet[column] = values.astype(object).where(values.notna(), "").astype(str).to_numpy()
        sheet["week"] = obs["week"].to_numpy(dtype=float)
        sheet["row"] = np.arange(len(obs))
        ranks = pd.DataFrame(
            {
                "state": sheet["state"].map(STATE_ORDER.index),
                "arm": sheet["arm"].map({arm: i for i, arm in enumerate(self.arms)}),
                "week": sheet["week"],
                "patient": sheet["patient"],
                "sample": sheet.index,
            },
            index=sheet.index,
        )
        return sheet.loc[ranks.sort_values(list(ranks.columns), kind="stable").index]

    @property
    def flagged(self) -> int:
        """How many of the samples that are drawn quality control flagged."""
        return int((self.samples["qc_flags"] != "").sum())

    def note_quality(self) -> None:
        """Say above every figure how many samples are flagged."""
        if self.flagged:
            count = f"{self.flagged} of {len(self.samples)} samples"
            self.facts["quality"] = f"{count} flagged by quality control"

    @cached_property
    def arms(self) -> list[str]:
        """Arms in display order."""
        names = self.observations["arm"].astype(str)
        return order_arms(names, self.facts.get("placebo_arm", ""))

    @cached_property
    def arm_colours(self) -> dict[str, str]:
        """Colour of each arm."""
        classes = classes_of(self.observations)
        return arm_colours(self.arms, self.facts.get("placebo_arm", ""), classes)

    @cached_property
    def week_colours(self) -> dict[float, str]:
        """Colour of each visit."""
        return week_colours(self.samples["week"])

    @property
    def n(self) -> str:
        """How many samples and patients the figures rest on."""
        people = self.samples["patient"].nunique()
        return f"{len(self.samples)} samples of {people} people"

    @cached_property
    def sets(self) -> pd.DataFrame:
        """Sets in display order: label, category, direction, status, reason; index set."""
        var = self.described
        sets = pd.DataFrame(index=var.index.astype(str))
        for column in ("label", "category", "role", "direction", "status", "reason"):
            values = var[column].astype(object) if column in var else pd.Series("", index=var.index)
            sets[column] = values.where(values.notna(), "").astype(str).to_numpy()
        sets["label"] = sets["label"].where(sets["label"] != "", sets.index)
        known = list(CATEGORIES)
        order = sets["category"].map(lambda c: known.index(c) if c in known else len(known))
        primary = (sets["role"] != "primary").astype(int)
        ranks = pd.DataFrame({"order": order, "category": sets["category"], "primary": primary})
        return sets.loc[ranks.sort_values(list(ranks.columns), kind="stable").index]

    @property
    def controls(self) -> set[str]:
        """Sets that no disease or drug should move; they do not choose the limits of colours."""
        sets = self.sets
        return set(sets.index[(sets["category"] == "control") | (sets["role"] == "control")])

    def heading(self, category: str) -> str:
        """Write a category for people."""
        return CATEGORIES.get(category, category.replace("_", " ").capitalize() or "Other sets")

    def heatmap_sets(self, *topics: str) -> list[GeneSet]:
        """Return the configured sets of topics (itch, barrier); a set that does not exist stops."""
        asked = [n for topic in topics for n in self.settings["heatmap_sets"].get(topic, [])]
        unknown = [name for name in asked if name not in self.gene_sets]
        if unknown:
            raise AdnormError(
                f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
                f"file has{nearest(unknown[0], self.gene_sets)}"
            )
        return [self.gene_sets[name] for name in asked]

    def why_no(self, *kinds: str) -> str:
        """Say why the cohort has no comparison of some kinds."""
        table = self.tables["comparisons"]
        rows = table[table["kind"].isin(kinds)] if kinds else table
        refused = rows.loc[rows["supported"] != "yes", "reason"].dropna().astype(str)
        reasons = list(dict.fromkeys(refused))
        return "; ".join(reasons[:3]) or "the design of this cohort has no such comparison"
