"""What the explorer shows of one cohort: effects of genes, the index, patients, samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.tables import read_table
from adnorm.base.text import typeset
from adnorm.figures.data import REFERENCES, classes_of, known_reference
from adnorm.figures.explorer.packing import (
    Block,
    as_shown,
    ladder,
    millionths,
    packed,
    pieces,
    rates,
)
from adnorm.figures.theme import arm_colours, order_arms
from adnorm.study.comparisons import number
from adnorm.study.config import ExplorerSettings
from adnorm.study.diseases import other_than_atopic
from adnorm.study.vocabulary import (
    Arm,
    Assay,
    BatchVerdict,
    ComparisonKind,
    State,
)

#: Tables of a cohort that the page is made of, and the container of its expression.
TABLES = ("effects", "comparisons", "index", "gene_index", "trajectories")
#: Genes of one piece of the sample values.
PIECE = 64
#: Codes of the states of skin, in the order of the plots.
STATES = (State.HEALTHY, State.NONLESIONAL, State.LESIONAL)
#: Genes of the disease axis that are listed: those with the largest weights.
AXIS_GENES = 60


class Row(NamedTuple):
    """A comparison that the page shows of every gene."""

    contrast: str
    #: ``disease``, ``change`` or ``difference``.
    group: str
    label: str
    arm: str
    week: float | None


@dataclass
class CohortResults:
    """Tables and expression of one cohort.

    ``tables`` has those of `TABLES`; ``facts`` are those of expression.h5ad; ``sheet`` is its
    sample sheet, ``values`` its log2 expression (samples × genes) and ``genes`` their symbols.
    """

    cohort: str
    title: str
    tables: dict[str, pd.DataFrame]
    facts: dict[str, Any]
    sheet: pd.DataFrame
    genes: np.ndarray
    values: np.ndarray

    @property
    def placebo(self) -> str:
        """The placebo arm; empty without one."""
        return str(self.facts.get("placebo_arm") or "")

    @property
    def undetected(self) -> list[str]:
        """Genes that the data have, but that the filter of low values left out."""
        return sorted(map(str, np.atleast_1d(self.facts.get("undetected", []))))

    @property
    def renamed(self) -> dict[str, str]:
        """Symbols of the published table that were brought up to date, with the approved ones."""
        pairs = map(str, np.atleast_1d(self.facts.get("renamed", [])))
        return dict(pair.split(">", 1) for pair in pairs if ">" in pair)

    @cached_property
    def arms(self) -> list[str]:
        """Arms in display order."""
        return order_arms(self.sheet["arm"].astype(str), self.placebo)

    @cached_property
    def weeks(self) -> list[float]:
        """Visits, baseline included."""
        return sorted(self.sheet["week"].astype(float).unique())

    @cached_property
    def patients(self) -> dict[str, int]:
        """Numbers of the patients, in the order of arms and names."""
        rank = {arm: i for i, arm in enumerate(self.arms)}
        people = self.sheet[["arm", "patient"]].astype(str).drop_duplicates()
        ordered = sorted(people.itertuples(index=False), key=lambda p: (rank[p[0]], p[1]))
        return {name: i for i, name in enumerate(dict.fromkeys(p for _, p in ordered))}

    @property
    def within(self) -> bool:
        """Whether lesions of one patient are in several arms."""
        return "lesion" in self.sheet

    # ------------------------------------------------------------ effects of genes

    @cached_property
    def rows(self) -> list[Row]:
        """Comparisons of effects.tsv that the page shows, in display order."""
        kind = ComparisonKind
        there = set(self.tables["effects"]["contrast"])
        arms = [arm for arm in self.arms if arm not in (Arm.HEALTHY, Arm.ALL)]
        visits = [(arm, week) for arm in arms for week in self.weeks if week > 0]
        rows = [
            Row(f"{kind.LESIONAL_NONLESIONAL}@0", "disease", "lesional − nonlesional", "", None),
            Row(f"{kind.LESIONAL_HEALTHY}@0", "disease", "lesional − healthy", "", None),
        ]
        rows += [
            Row(f"{kind.CHANGE}:{arm}@{number(week)}", "change", arm, arm, week)
            for arm, week in visits
        ]
        rows += [
            Row(f"{kind.CHANGE}:{arm}-{self.placebo}@{number(week)}", "difference", arm, arm, week)
            for arm, week in visits
            if self.placebo
        ]
        return [row for row in rows if row.contrast in there]

    @cached_property
    def effects(self) -> dict[str, np.ndarray]:
        """Estimate, standard error, degrees of freedom and fdr; each comparisons × genes."""
        columns = ["log2_fold_change", "standard_error", "degrees_of_freedom", "fdr"]
        place = {gene: i for i, gene in enumerate(self.genes)}
        rank = {row.contrast: i for i, row in enumerate(self.rows)}
        table = self.tables["effects"]
        table = table[table["contrast"].isin(list(rank))]
        where = table["contrast"].map(rank).to_numpy(int), table["gene"].map(place).to_numpy(int)
        found = {}
        for column in columns:
            found[column] = np.full((len(rank), len(place)), np.nan)
            found[column][where] = table[column].to_numpy(float)
        return found

    def half_widths(self, confidence: float) -> np.ndarray:
        """Half the width of the interval of every effect; comparisons × genes."""
        from scipy.special import stdtrit

        found = self.effects
        factors = stdtrit(found["degrees_of_freedom"], (1 + confidence) / 2)
        return factors * found["standard_error"]

    def people(self) -> list[list[int]]:
        """How many people each row rests on: of one group, or of both that are compared."""
        first = self.tables["effects"].drop_duplicates("contrast").set_index("contrast")["pairs"]
        counts = []
        for row in self.rows:
            own = int(first[row.contrast])
            change = [f"change:{arm}@{number(row.week or 0)}" for arm in (row.arm, self.placebo)]
            both = row.group == "difference" and not self.within
            split = both and all(name in first.index for name in change)
            counts.append([int(first[name]) for name in change] if split else [own])
            if row.contrast == f"{ComparisonKind.LESIONAL_HEALTHY}@0":
                sides = [self._at_baseline(state) for state in (State.LESIONAL, State.HEALTHY)]
                counts[-1] = sides if sum(sides) == own else [own]
        return counts

    def _at_baseline(self, state: str) -> int:
        rows = self.sheet[(self.sheet["state"] == state) & (self.sheet["week"] == 0)]
        return int(rows["patient"].nunique())

    def refused(self) -> dict[str, str]:
        """Why the cohort has no row of a group."""
        kinds = {
            "disease": [ComparisonKind.LESIONAL_NONLESIONAL],
            "change": [ComparisonKind.CHANGE],
            "difference": [ComparisonKind.CHANGE_DIFFERENCE],
        }
        table = self.tables["comparisons"]
        shown = {row.group for row in self.rows}
        reasons = {}
        for group, names in kinds.items():
            own = table[table["kind"].isin(names) & (table["supported"] != "yes")]
            given = list(dict.fromkeys(own["reason"].dropna().astype(str)))
            if group not in shown:
                reasons[group] = given[0] if given else "the design has no such comparison"
        return reasons

    # ------------------------------------------------------------ the index

    def _index(self) -> pd.DataFrame:
        """The rows of one reference of index.tsv: nonlesional skin where it gives a number."""
        table = self.tables["index"]
        there = [r for r in REFERENCES if r in set(table["reference"])]
        chosen = known_reference(table, "ni") or (there[0] if there else "")
        return table[table["reference"] == chosen]

    def index_table(self) -> dict[str, Any]:
        """The index, column by column; texts that many rows share are named by number."""
        table = self._index()
        numbers = ("ni", "lower", "upper", "dni", "dni_lower", "dni_upper")
        rank = {arm: i for i, arm in enumerate(self.arms)}
        words, columns = _Words(), {}
        for name in numbers:
            columns[name] = _numbers(table[name], 6)
        for name in ("adjusted_p_value", "fdr"):
            columns[name] = _numbers(table[name], 6)
        for name in ("pairs", "placebo_pairs"):
            columns[name] = _numbers(table[name], 0)
        for name in ("name", "family", "status"):
            columns[name] = [words.number(text) for text in _texts(table[name])]
        for name in ("reason", "dni_reason"):
            columns[name] = [words.number(typeset(text)) for text in _texts(table[name])]
        columns["arm"] = [rank.get(arm, -1) for arm in _texts(table["arm"])]
        columns["week"] = _numbers(table["week"], 2)
        reference = _texts(table["reference"])
        return {
            "reference": reference[0] if reference else "",
            "words": words.texts,
            "columns": columns,
        }

    def _add_gene_index(self, block: Block) -> dict[str, Any]:
        """Index and class of every gene at every visit of every arm."""
        table = self.tables["gene_index"]
        chosen = known_reference(table, "ni")
        table = table[table["reference"] == chosen]
        place = {gene: i for i, gene in enumerate(self.genes)}
        visits = list(table[["arm", "week"]].drop_duplicates().itertuples(index=False, name=None))
        rank = {visit: i for i, visit in enumerate(visits)}
        shape, words = (len(visits), len(place)), _Words([""])
        where = (
            np.array([rank[v] for v in zip(table["arm"], table["week"], strict=True)], int),
            table["gene"].map(place).to_numpy(int),
        )
        pairs = table.groupby(["class", "reason"], dropna=False, sort=False)
        codes = [words.number(": ".join(filter(None, _texts(pd.Series(key))))) for key, _ in pairs]
        classes = np.zeros(shape, np.uint8)
        classes[where] = np.minimum(codes, 255)[pairs.ngroup()] if codes else 0
        block.add("class", classes)
        for name in ("ni", "lower", "upper"):
            values = np.full(shape, np.nan)
            values[where] = table[name].to_numpy(float)
            block.add(f"gene_{name}", millionths(values))
        arms = {arm: i for i, arm in enumerate(self.arms)}
        return {
            "reference": chosen,
            "visits": [[arms.get(str(arm), -1), float(week)] for arm, week in visits],
            "classes": words.texts,
        }

    # ------------------------------------------------------------ patients and samples

    def _add_courses(self, block: Block) -> dict[str, Any]:
        """Index of every patient at every visit, by score."""
        table = self.tables["trajectories"]
        reference = known_reference(table, "response")
        table = table[(table["reference"] == reference) & table["response"].notna()]
        arms = {arm: i for i, arm in enumerate(self.arms)}
        names = list(dict.fromkeys(table["name"].astype(str)))
        keys = list(
            table[["patient", "arm", "week"]].drop_duplicates().itertuples(index=False, name=None)
        )
        row = {key: i for i, key in enumerate(keys)}
        column = {name: i for i, name in enumerate(names)}
        values = np.full((len(names), len(keys)), np.nan)
        for patient, arm, week, name, response in table[
            ["patient", "arm", "week", "name", "response"]
        ].itertuples(index=False, name=None):
            values[column[str(name)], row[patient, arm, week]] = response
        block.add("response", millionths(values))
        return {
            "reference": reference,
            "names": names,
            "keys": [
                [self.patients.get(str(p), -1), arms.get(str(arm), -1), float(week)]
                for p, arm, week in keys
            ],
        }

    def _chosen(self, members: set[str], most: int) -> np.ndarray:
        """Genes with sample values: members of gene sets first, then what changes most."""
        rate = np.nan_to_num(self.effects["fdr"], nan=1.0)
        best = rate.min(axis=0) if len(rate) else np.ones(len(self.genes))
        order = sorted(
            range(len(self.genes)), key=lambda i: (self.genes[i] not in members, best[i], i)
        )
        return np.sort(np.array(order[:most], dtype=int))

    def samples(self, members: set[str], most: int) -> tuple[dict[str, Any], str]:
        """Values of single samples: what they are of, and pieces of `PIECE` genes each."""
        chosen = self._chosen(members, most)
        state = {name: i for i, name in enumerate(STATES)}
        arms = {arm: i for i, arm in enumerate(self.arms)}
        sheet = self.sheet.reset_index(drop=True)
        keys = pd.DataFrame(
            {
                "arm": sheet["arm"].astype(str).map(arms),
                "patient": sheet["patient"].astype(str).map(self.patients),
                "state": sheet["state"].astype(str).map(state),
                "week": sheet["week"].astype(float),
            }
        ).sort_values(["arm", "patient", "state", "week"], kind="stable")
        if not chosen.size:
            return {"genes": [], "keys": []}, ""
        rungs = ladder(np.asarray(self.values, float)[keys.index.to_numpy()][:, chosen].T)
        about = {
            "genes": chosen.tolist(),
            "lowest": rungs.lowest,
            "steps": rungs.steps,
            "piece": PIECE,
            "keys": [
                [int(patient), int(arm), int(skin), float(week)]
                for arm, patient, skin, week in keys.itertuples(index=False, name=None)
            ],
        }
        return about, " ".join(packed(piece) for piece in pieces(rungs.values, PIECE))

    # ------------------------------------------------------------ all of it

    def content(
        self, members: set[str], settings: ExplorerSettings, level: float
    ) -> tuple[dict[str, Any], str, str]:
        """Give what the page says of the cohort, and its packed effects and sample values.

        `members` are the genes of all gene sets; `level` is the coverage of intervals.
        """
        block = Block()
        estimate, half = as_shown(self.effects["log2_fold_change"], self.half_widths(level))
        block.add("estimate", estimate)
        block.add("half", half)
        block.add("fdr", rates(self.effects["fdr"]))
        genes = self._add_gene_index(block)
        single = settings.patients != "none"
        courses = self._add_courses(block) if single else None
        samples, pieces_ = (
            self.samples(members, settings.sample_genes) if single else ({"genes": []}, "")
        )
        disease = str(self.facts.get("disease", ""))
        people = list(self.patients)
        named = settings.patients == "named"
        about = {
            "id": self.cohort,
            "title": self.title,
            "disease": disease,
            "other": bool(other_than_atopic(disease)),
            "simulated": bool(self.facts.get("simulated")),
            "assay": str(self.facts.get("assay", "")),
            "platform": str(self.facts.get("platform", "")),
            "absent": self._absent(),
            "filter": str(self.facts.get("normalization", "")).partition(";")[0],
            "placebo": self.placebo,
            "people": len(people),
            "biopsies": len(self.sheet),
            "arms": self._arms(),
            "genes": list(map(str, self.genes)),
            "undetected": self.undetected,
            "rows": [
                [row.group, row.label, self.arms.index(row.arm) if row.arm else -1, row.week, n]
                for row, n in zip(self.rows, self.people(), strict=True)
            ],
            "refused": self.refused(),
            "aliased": int((self.tables["comparisons"]["batch"] == BatchVerdict.ALIASED).sum()),
            "index": self.index_table(),
            "gene_index": genes,
            "courses": courses,
            "samples": samples,
            "patients": people if named else [],
            "layout": block.layout,
        }
        return about, block.pack(), pieces_

    def _absent(self) -> str:
        """What a gene is that no row of the data holds."""
        if self.facts.get("assay") == Assay.RNA_SEQ:
            return "not in the deposited table"
        return "not measured on the platform"

    def _arms(self) -> list[dict[str, str]]:
        classes = classes_of(self.sheet)
        colours = arm_colours(self.arms, self.placebo, classes)
        kinds: dict[str, str] = {
            Arm.HEALTHY: "healthy",
            Arm.ALL: "shared",
            Arm.UNTREATED: "untreated",
        }
        kinds |= {self.placebo: "placebo"} if self.placebo else {}
        return [
            {"name": arm, "colour": colours[arm], "kind": kinds.get(arm, "drug")}
            for arm in self.arms
        ]


def read_results(title: str, paths: Mapping[str, Path]) -> CohortResults:
    """Read `TABLES` and ``expression`` of one cohort."""
    container = read_container(paths["expression"], layers=())
    genes = container.var_names.astype(str).to_numpy(dtype=object)
    order = np.argsort(genes, kind="stable")
    return CohortResults(
        Path(paths["expression"]).parents[1].name,
        title,
        {name: read_table(paths[name]) for name in TABLES},
        dict(container.uns["adnorm"]),
        container.obs,
        genes[order],
        np.asarray(container.X)[:, order],
    )


def axis_members(tables: Iterable[pd.DataFrame]) -> dict[str, int]:
    """List genes of the disease axis with the largest weights in the sum of the cohorts.

    `tables` are axis.tsv of the cohorts; given are symbol and direction in lesional skin.
    """
    weights: dict[str, float] = {}
    for table in tables:
        used = table[table["weight"].fillna(0) != 0]
        for gene, weight in zip(used["gene"], used["weight"], strict=True):
            weights[gene] = weights.get(gene, 0.0) + float(weight)
    largest = sorted(weights, key=lambda gene: (-abs(weights[gene]), gene))[:AXIS_GENES]
    return {gene: 1 if weights[gene] > 0 else -1 for gene in largest}


class _Words:
    """Texts that stand in many rows, each kept once."""

    def __init__(self, texts: list[str] | None = None) -> None:
        self.texts = texts or []
        self._known = {text: i for i, text in enumerate(self.texts)}

    def number(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.texts)
            self.texts.append(text)
        return self._known[text]


def _texts(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in column]


def _numbers(column: pd.Series, digits: int) -> list[float | int | None]:
    values: Iterator[float] = (float(v) for v in pd.to_numeric(column))
    rounded = (None if np.isnan(v) else round(v, digits) for v in values)
    return [v if v is None or not v.is_integer() else int(v) for v in rounded]
