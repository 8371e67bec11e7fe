"""Why cells of the normalization heatmap are grey or exploratory, in as few words as it takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile

import pandas as pd

from adnorm.figures.index_cells import SHORT, Cells

EXPLORATORY = "exploratory"

#: What a rule asks stands once; by how much each score misses it is in the table.
_MEASURED = re.compile(r"(?<= asked), it is −?\d[\d.]*(?:e[-+]\d+)?(?=;|$)")
_NUMBER = re.compile(r"−?\d[\d.,]*(?:e[-+]\d+)?")


def reason_notes(cells: Cells) -> list[str]:
    """Write why cells are grey or exploratory; scores that share a reason stand together.

    Parameters
    ----------
    cells
        What the heatmap shows.

    Returns
    -------
    list of str
        One note for each kind of reason; one for each reference where their reasons differ.
    """
    table = cells.table.copy()
    table["reason"] = table["reason"].str.replace(r"(?<!\w)-(?=\d)", "−", regex=True)
    table["reason"] = table["reason"].str.replace(_MEASURED, "", regex=True)
    table["rule"] = table["reason"].str.replace(_NUMBER, "…", regex=True)
    table["kind"] = table["reason_code"].map(SHORT).fillna(table["reason_code"])
    table.loc[table["status"] == EXPLORATORY, "kind"] = EXPLORATORY
    notes: dict[str, list[str]] = {}
    for kind in [*SHORT.values(), EXPLORATORY]:
        for reference in cells.references:
            own = table[table["reference"] == reference]
            some = own[own["kind"] == kind]
            # Sentences that differ in more than their numbers share few words.
            for _, alike in some.groupby("rule", sort=False):
                notes.setdefault(_note(kind, alike, own), []).append(reference)
    alone = len(cells.references) == 1
    written = []
    for note, references in notes.items():
        against = "" if alone or len(references) > 1 else f", against {references[0]} skin"
        kind, _, rest = note.partition("\n")
        written.append(f"{kind.capitalize()}{against}{rest}.")
    return written


def _note(kind: str, some: pd.DataFrame, own: pd.DataFrame) -> str:
    """One kind of reason: its common words once, then every score with what is its own.

    Parameters
    ----------
    kind
        What stands in the cells.
    some, own
        Cells of this kind, and all cells, against one reference.
    """
    visits = set(zip(own["arm"], own["week"], strict=True))
    groups: dict[tuple[str, str], list[str]] = {}
    for (label, reason), rows in some.groupby(["label", "reason"], sort=False):
        where = dict.fromkeys(zip(rows["arm"], rows["week"], strict=True))
        said = "" if set(where) == visits else ", ".join(f"{a} week {w:g}" for a, w in where)
        groups.setdefault((said, reason.removeprefix(f"{kind}: ")), []).append(label)
    numbered = set(own.loc[own["value"].notna(), "label"])
    everything = numbered | set(some["label"])
    head, tail = _shared([reason for _, reason in groups])
    items = []
    for (said, reason), labels in groups.items():
        who = ", ".join(labels)
        if len(labels) > 1 and set(labels) == everything:
            who = "all scores" if everything == set(own["label"]) else "all other scores"
        who = f"{who} ({said})" if said else who
        middle = reason[len(head) : len(reason) - len(tail)].strip()
        between = " " if head or tail else ": "
        items.append(f"{who}{between}{middle}" if len(groups) > 1 else who)
    common = f" ({head}…{tail})" if head or tail else ""
    if len(groups) == 1:
        common = f" ({next(iter(groups))[1]})"
    return f"{kind}\n{common}: {'; '.join(items)}"


def _shared(reasons: list[str]) -> tuple[str, str]:
    """Words that different sentences begin and end with, with the space beside them.

    Examples
    --------
    >>> _shared(["7 of 28 (25 %) found; 5 are asked", "3 of 7 (42 %) found; 5 are asked"])
    ('', ' found; 5 are asked')
    >>> _shared(["the effect is 0.2 (9 patients)", "the effect is 0.3 (9 patients)"])
    ('the effect is ', ' (9 patients)')
    """
    if len(set(reasons)) < 2:
        return "", ""
    words = [reason.split(" ") for reason in reasons]
    # A number belongs to what differs, even if all begin with the same one.
    head = list(takewhile(lambda w: not any(map(str.isdigit, w)), _same(words)))
    tail = _same([w[len(head) :][::-1] for w in words])[::-1]
    while sum(w.count(")") - w.count("(") for w in tail) > 0:
        tail = tail[1:]
    return "".join(f"{w} " for w in head), "".join(f" {w}" for w in tail)


def _same(words: Iterable[list[str]]) -> list[str]:
    columns = zip(*words, strict=False)
    return [column[0] for column in takewhile(lambda c: len(set(c)) == 1, columns)]
