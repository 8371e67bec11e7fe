"""What NCBI's own counts of a series hold: only the samples that passed its pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from adnorm.base.errors import AdnormError, AskedForError, listing, nearest
from adnorm.base.logs import progress
from adnorm.base.text import counted
from adnorm.readers.delimited import find_layout
from adnorm.readers.series_matrix import read_header, series_fields

NO_COUNTS = "no NCBI-generated counts (the sample did not pass NCBI's pipeline)"


def samples_without_counts(table: Path, matrix: Path, raw: pd.DataFrame) -> dict[str, str]:
    """Compare the columns of NCBI's counts with the samples of the series.

    Parameters
    ----------
    table
        NCBI's table of counts; only its header is read.
    matrix
        The series matrix, which may list samples of the series on other platforms too.
    raw
        Raw metadata of the samples on the platform of the cohort (index: accessions).

    Returns
    -------
    dict of str to str
        Sample without a column → why.
    """
    columns = find_layout(table)[0].names[1:]
    header = read_header(matrix)
    elsewhere = {
        name
        for text in series_fields(header).get("sample_id", [])
        for name in re.findall(r"GSM\d+", text)
    }
    for key, fields, _ in header.samples:
        elsewhere.update(fields if key == "geo_accession" else ())
    strange = [name for name in columns if name not in raw.index and name not in elsewhere]
    if strange:
        raise AdnormError(
            f"{table}: {len(strange)} of {counted(len(columns), 'column')} are no samples of the "
            f"series: {listing(strange)}{nearest(strange[0], raw.index)}. Is it the table of "
            "another series? Check accession: and source: table: of the cohort file"
        )
    absent = [str(name) for name in raw.index if name not in set(columns)]
    if len(absent) == len(raw):
        raise AskedForError(
            f"{table}: none of {counted(len(raw), 'sample')} of the cohort has counts; the table "
            f"has {listing(columns, 4)}. Check platform: of the cohort file, or take the table of "
            "the authors with `route: geo_supplementary`"
        )
    if absent:
        progress(
            f"{counted(len(absent), 'sample')} without NCBI-generated counts: {listing(absent)}"
        )
    return dict.fromkeys(absent, NO_COUNTS)
