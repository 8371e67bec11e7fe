"""Which cohorts teach the disease axis of a cohort, and the table of effects that they teach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from adnorm.base.containers import read_container
from adnorm.base.logs import progress
from adnorm.base.stage import Files
from adnorm.base.tables import read_table, write_table
from adnorm.index.shared_patients import fingerprint, shared_by
from adnorm.study.comparisons import BASELINE, number
from adnorm.study.diseases import ATOPIC_DERMATITIS, lookalikes, same_disease
from adnorm.study.vocabulary import ComparisonKind

CONTRAST = f"{ComparisonKind.LESIONAL_NONLESIONAL}@{number(BASELINE)}"
COLUMNS = [
    *("cohort", "disease", "simulated", "gene", "log2_fold_change", "standard_error"),
    *("pairs", "shares"),
]
#: Below this many other cohorts the axis comes from the cohort itself, cross-fitted.
FEWEST_COHORTS = 2
#: Between the other cohorts in the column ``shares``, and after the name of each.
_NEXT, _NAMED = " | ", ": "


def build(inputs: Files, outputs: Files, settings: Mapping[str, Any], seed: int) -> None:
    """Gather the paired lesional − non-lesional effects of all cohorts in one table.

    Parameters
    ----------
    inputs
        ``effects`` (effects.tsv), ``expression`` (expression.h5ad) and ``manifests``
        (manifest.json) of all cohorts, each below the folder of its cohort. A cohort without the
        comparison adds no rows.
    outputs
        ``lesional_effects``; its column ``shares`` says with which cohorts a cohort has a series, a
        file, samples or patients in common.
    settings, seed
        Not used.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    effects, expression, manifests = (
        {path.parents[1]: path for path in map(Path, inputs[name])}
        for name in ("effects", "expression", "manifests")
    )
    parts, prints = [], []
    for folder in sorted(effects, key=lambda path: path.name):
        rows = read_table(effects[folder])
        data = read_container(expression[folder])
        prints.append(fingerprint(data, manifests[folder]))
        facts = data.uns["adnorm"]
        rows = rows[rows["contrast"] == CONTRAST].assign(
            cohort=str(facts["cohort"]),
            disease=str(facts["disease"]),
            simulated="yes" if facts["simulated"] else "no",
        )
        if len(rows):
            parts.append(rows)
        else:
            progress(f"{facts['cohort']} has no lesional − non-lesional comparison at baseline")
    shared = shared_by(prints)
    for first, others in shared.items():
        for second, what in others.items():
            if first < second:
                progress(f"{first} and {second} do not teach each other; in common: {what}")
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    table["shares"] = table["cohort"].map(lambda cohort: tell_shares(shared.get(cohort, {})))
    table = table[COLUMNS].sort_values(["cohort", "gene"], kind="stable")
    write_table(table, outputs["lesional_effects"])


def tell_shares(others: Mapping[str, str]) -> str:
    """Write the column ``shares``: other cohort → what both have."""
    return _NEXT.join(f"{name}{_NAMED}{what}" for name, what in sorted(others.items()))


def _read_shares(text: object) -> dict[str, str]:
    """Read the column ``shares``: other cohort → what both have."""
    parts = text.split(_NEXT) if isinstance(text, str) and text else []
    return {name: what for part in parts for name, _, what in [part.partition(_NAMED)]}


@dataclass(frozen=True)
class TrainingCohorts:
    """The cohorts that teach the axis of a cohort, and why the others do not.

    Attributes
    ----------
    disease
        Of the judged cohort.
    cohorts
        Those that teach, sorted.
    left_out
        Of this disease, but sharing something: cohort → why.
    other_diseases
        Cohort → its disease.
    """

    disease: str
    cohorts: list[str]
    left_out: dict[str, str]
    other_diseases: dict[str, str]

    @property
    def enough(self) -> bool:
        """Whether an axis can be trained on them."""
        return len(self.cohorts) >= FEWEST_COHORTS

    @property
    def missed(self) -> str:
        """Why cohorts of this disease were left out; empty if none was."""
        return "; ".join(f"{name} left out ({why})" for name, why in self.left_out.items())

    @property
    def mistaken(self) -> str:
        """Which cohorts count as of another disease although its name looks like this one."""
        alike = set(lookalikes(self.disease, self.other_diseases.values()))
        named = [f"{c} ('{d}')" for c, d in self.other_diseases.items() if d in alike]
        if not named:
            return ""
        return (
            f"'{self.disease}' is not the disease of {', '.join(named)} by its spelling; if it is "
            "the same one, write the same under `disease:` in both cohort files"
        )

    @property
    def too_few(self) -> str:
        """Say that the other cohorts cannot teach an axis."""
        has = f"only {self.cohorts[0]} teaches" if self.cohorts else "none teaches"
        few = f"of the other cohorts {has} an axis of {self.disease}, {FEWEST_COHORTS} are asked"
        return "; ".join(filter(None, [few, self.missed, self.mistaken]))


def find_training_cohorts(
    lesional: pd.DataFrame, cohort: str, simulated: bool, disease: str = ATOPIC_DERMATITIS
) -> TrainingCohorts:
    """Find the cohorts that may teach the axis that judges `cohort`.

    They are of the same disease (`same_disease`), simulated like the judged cohort or real like it,
    and share no series, file, samples or patients with it. Of cohorts that share something with
    each other only the one with the most pairs teaches: the same patients are one witness.
    `lesional` is what lesional_effects.tsv holds.
    """
    facts = lesional[lesional["cohort"] != cohort]
    facts = facts[(facts["simulated"] == "yes") == simulated]
    facts = facts.assign(shares=facts.get("shares", ""))
    columns = {"disease": "first", "shares": "first", "pairs": "max"}
    facts = facts.groupby("cohort", as_index=False).agg(columns)
    facts = facts.sort_values(["pairs", "cohort"], ascending=[False, True])
    accepted: list[str] = []
    left_out, others = {}, {}
    for row in facts.itertuples(index=False):
        name = str(row.cohort)
        if not same_disease(str(row.disease), disease):
            others[name] = str(row.disease)
            continue
        shares = _read_shares(row.shares)
        twin = next((other for other in accepted if other in shares), "")
        if cohort in shares:
            left_out[name] = f"in common with this cohort: {shares[cohort]}"
        elif twin:
            left_out[name] = f"in common with {twin}: {shares[twin]}"
        else:
            accepted.append(name)
    return TrainingCohorts(
        disease, sorted(accepted), dict(sorted(left_out.items())), dict(sorted(others.items()))
    )
