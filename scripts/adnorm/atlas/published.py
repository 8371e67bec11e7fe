"""Results that were published for groups only: shown beside computed rows, never mixed in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.base.tables import read_table

TEXT = ["drug", "drug_class", "dose", "measure", "unit", "source", "note"]
NUMERIC = ["week", "value"]
COLUMNS = ["drug", "drug_class", "dose", "week", "measure", "value", "unit", "source", "note"]
REQUIRED = ["drug", "drug_class", "measure", "source"]


def read_published(path: Path) -> pd.DataFrame:
    """Read the table of published results.

    Parameters
    ----------
    path
        Tab-separated: drug, drug_class, dose, week, measure, value, unit, source, note; ``NA`` for
        what the source does not state.

    Returns
    -------
    DataFrame
        Those columns; week and value are floats, missing words are empty.

    Raises
    ------
    AdnormError
        A column is absent or unknown, a week or value is no number, a row lacks its drug, class,
        measure or source, or a value has no unit.
    """
    table = read_table(path).reset_index(drop=True)
    problems = Problems(str(path))
    for column in sorted(set(COLUMNS) - set(table.columns)):
        problems.add(f"column '{column}' is missing; the columns are {listing(COLUMNS)}")
    for column in table.columns.difference(COLUMNS):
        problems.add(f"column '{column}' is unknown{nearest(column, COLUMNS)}")
    problems.stop()
    table = table[COLUMNS].astype(dict.fromkeys(TEXT, object))
    table[TEXT] = table[TEXT].fillna("").astype(str)
    for column in NUMERIC:
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = table[column].notna() & ~np.isfinite(values)
        for line in table.index[wrong]:
            said = table.loc[line, column]
            problems.add(f"line {line + 2}: {column} '{said}' is no number; write a number or NA")
        table[column] = values
    for column in REQUIRED:
        for line in table.index[table[column].str.strip() == ""]:
            problems.add(f"line {line + 2}: {column} is empty; every published result states it")
    for line in table.index[table["value"].notna() & (table["unit"] == "")]:
        problems.add(f"line {line + 2}: the value has no unit; write percent or what it is")
    problems.stop()
    return table
