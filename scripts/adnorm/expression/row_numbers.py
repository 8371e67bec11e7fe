"""Tells a column that counts rows from a column of Entrez ids, whatever its name.

A match with an identifier table proves nothing: 72 % of the integers below 12,000 are human Entrez
ids. What tells them apart is how dense they are. Row numbers of a table that was filtered or
shuffled still fill much of the way from 0 to the largest of them; the Entrez ids of a
transcriptome reach beyond 100,000,000, those of a small panel beyond 1,000 times its size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from adnorm.base.errors import AskedForError, listing

#: Share of the numbers from 0 to the largest that must be there for row numbers …
_FILLED = 0.1
#: … where a column of gene names stands beside them: reason enough to ask.
_FILLED_BESIDE_NAMES = 0.02
#: Share of the numbers from the smallest to the largest, for a part of a long numbered table: the
#: ids of one family of genes (keratins, S100) follow one another, too.
_FILLED_WITHIN, _FEWEST_WITHIN = 0.5, 300
#: Fewer rows than this are row numbers only when none is left out.
_FEWEST = 30
#: What a numbered row may be called: row12, row_0003. Other words may be names of a kind.
_PREFIX = re.compile(r"row[ _.-]?(?=\d)", re.IGNORECASE)
#: What writes the numbers of rows names their column so.
_USUAL_NAMES = re.compile(
    r"|x|unnamed.*|index|level_0|rownames?|row[ ._]?(no|nr|num|number|id|index)?|#|no|nr|number|v1",
    re.IGNORECASE,
)


def whole_number(text: str) -> int | None:
    """Read a number of a row or gene: ``12``, also as ``12.0`` or ``1e+05``; ``None`` otherwise.

    Examples
    --------
    >>> whole_number("12"), whole_number("12.0"), whole_number("1e+05"), whole_number("1.5")
    (12, 12, 100000, None)
    """
    text = text.strip()
    if re.fullmatch(r"\d{1,15}", text):
        return int(text)
    if re.fullmatch(r"\d{1,15}\.0+|\d(\.\d+)?[eE]\+?\d{1,2}", text):
        value = float(text)
        return int(value) if value.is_integer() else None
    return None


def count_rows(labels: Iterable[str], beside_names: bool = False) -> bool:
    """Whether labels number the rows of a table: all of them, or those that a filter left.

    Parameters
    ----------
    labels
        The cells of a column, as text, in any order; they may share the word ``row``.
    beside_names
        Whether another column of the table holds names of genes.

    Examples
    --------
    >>> count_rows(["3", "1", "2"]), count_rows(["7157", "2312", "3569"])
    (True, False)
    """
    labels = [label.strip().strip('"') for label in labels]
    prefix = _PREFIX.match(labels[0]) if labels else None
    if prefix and all(label.startswith(prefix[0]) for label in labels):
        labels = [label[prefix.end() :] for label in labels]
    found = [whole_number(label) for label in labels]
    if not found or any(number is None for number in found):
        return False
    numbers = sorted(set(found))
    if len(numbers) < 2 or len(numbers) < len(found):
        return False
    least, most = numbers[0], numbers[-1]
    if least in (0, 1) and most - least + 1 == len(numbers):
        return True
    if len(numbers) < _FEWEST:
        return False
    if len(numbers) >= (_FILLED_BESIDE_NAMES if beside_names else _FILLED) * (most + 1):
        return True
    within = _FILLED_WITHIN * (most - least + 1)
    return len(numbers) >= max(within, _FEWEST_WITHIN)


def named_as_row_numbers(name: str) -> bool:
    """Whether a column is called as programs call the numbers of rows (``X``, ``Unnamed: 0``)."""
    return _USUAL_NAMES.fullmatch(name.strip()) is not None


def refuse_row_numbers(
    labels: Iterable[str], where: str, column: str, beside: Iterable[str]
) -> None:
    """Stop when what should be genes are the numbers of rows.

    Parameters
    ----------
    labels
        What should be gene identifiers.
    where
        The table, for messages.
    column
        Name of the column that holds them, empty for one without a name.
    beside
        Columns of text that may hold the genes, the best first.

    Raises
    ------
    AskedForError
        The column is named, and the columns of text beside it.
    """
    labels, beside = list(labels), list(beside)
    if not count_rows(labels, bool(beside)):
        return
    called = f"the column '{column}'" if column else "the column without a name (row names)"
    advice = (
        "no other column of the table holds names of genes: take a table with symbols, Ensembl or "
        "Entrez ids"
    )
    if beside:
        advice = (
            "name the column of genes in the cohort file, below source: "
            f"`gene_column: {beside[0]}`. Columns of text: {listing(beside)}"
        )
    raise AskedForError(
        f"{where}: {called} holds row numbers, not genes ({listing(labels[:4])}); that many "
        f"of them are also Entrez ids means nothing; {advice}"
    )


def may_hold_genes(cells: pd.Series) -> bool:
    """Whether the cells of a column of text may name genes: filled, short, mostly different."""
    filled = cells[cells.str.strip() != ""]
    return (
        2 * len(filled) > len(cells)
        and 2 * filled.nunique() > len(filled)
        and bool((filled.str.len() <= 40).mean() > 0.9)
    )
