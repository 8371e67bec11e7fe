"""Which cohorts teach the disease axis of a cohort, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from adnorm.study.diseases import ATOPIC_DERMATITIS, lookalikes, same_disease

DISEASE = ATOPIC_DERMATITIS
#: Below this many other cohorts the axis comes from the cohort itself, cross-fitted.
FEWEST_COHORTS = 2
#: Between the other cohorts in the column ``shares``, and after the name of each.
_NEXT, _NAMED = " | ", ": "


@dataclass(frozen=True)
class Teachers:
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
        said = f"of the other cohorts {has} an axis of {self.disease}, {FEWEST_COHORTS} are asked"
        return "; ".join(filter(None, [said, self.missed, self.mistaken]))


def find_teachers(
    lesional: pd.DataFrame, cohort: str, simulated: bool, disease: str = DISEASE
) -> Teachers:
    """Find the cohorts that may teach the axis that judges `cohort`.

    They are of the same disease (`same_disease`), simulated like the judged cohort or real like it,
    and share no series, file, samples or patients with it. Of cohorts that share something with
    each other only the one with the most pairs teaches: the same patients are one witness.

    Parameters
    ----------
    lesional
        lesional_effects.tsv.
    cohort
        The cohort that is judged; it never teaches its own axis.
    simulated
        Whether it is simulated; simulated and real cohorts never mix.
    disease
        Of its patients.
    """
    facts = lesional[lesional["cohort"] != cohort]
    facts = facts[(facts["simulated"] == "yes") == simulated]
    facts = facts.assign(shares=facts.get("shares", ""))
    told = {"disease": "first", "shares": "first", "pairs": "max"}
    facts = facts.groupby("cohort", as_index=False).agg(told)
    facts = facts.sort_values(["pairs", "cohort"], ascending=[False, True])
    accepted: list[str] = []
    left_out, others = {}, {}
    for row in facts.itertuples(index=False):
        if not same_disease(row.disease, disease):
            others[str(row.cohort)] = str(row.disease)
            continue
        shares = _read_shares(row.shares)
        twin = next((name for name in accepted if name in shares), "")
        if cohort in shares:
            left_out[str(row.cohort)] = f"in common with this cohort: {shares[cohort]}"
        elif twin:
            left_out[str(row.cohort)] = f"in common with {twin}: {shares[twin]}"
        else:
            accepted.append(str(row.cohort))
    return Teachers(
        disease, sorted(accepted), dict(sorted(left_out.items())), dict(sorted(others.items()))
    )


def tell_shares(others: Mapping[str, str]) -> str:
    """Write the column ``shares``: other cohort → what both have."""
    return _NEXT.join(f"{name}{_NAMED}{said}" for name, said in sorted(others.items()))


def _read_shares(text: object) -> dict[str, str]:
    """Read the column ``shares``: other cohort → what both have."""
    parts = str(text).split(_NEXT) if isinstance(text, str) and text else []
    return {name: said for part in parts for name, _, said in [part.partition(_NAMED)]}


def training_cohorts(
    lesional: pd.DataFrame, cohort: str, simulated: bool, disease: str = DISEASE
) -> list[str]:
    """List the cohorts that teach the axis that judges `cohort` (`find_teachers`)."""
    return find_teachers(lesional, cohort, simulated, disease).cohorts
