"""Refuses samples of other species, by what their metadata say."""

from __future__ import annotations

import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.study.raw_fields import normalised_key

_FIELDS = frozenset({"organism", "organism_ch1", "organism_ch2", "species"})
_HUMAN = frozenset(
    {"homo sapiens", "h. sapiens", "h sapiens", "hsapiens", "human", "9606", "ncbitaxon:9606"}
)
_UNKNOWN = frozenset({"", "na", "n/a", "nan", "none", "unknown"})


def refuse_other_species(raw: pd.DataFrame, where: str, all_of_them: bool = False) -> None:
    """Stop at samples that are not human.

    Parameters
    ----------
    raw
        Raw metadata, one row per sample; the fields organism and species are looked at.
    where
        The cohort, for messages.
    all_of_them
        Stop only when no sample is left that could be human: others may be excluded later.

    Raises
    ------
    AdnormError
        The samples, their species and the rule that leaves them out.
    """
    for field in raw.columns:
        if normalised_key(str(field)) not in _FIELDS:
            continue
        names = raw[field].fillna("").astype(str).str.strip()
        other = names[~names.str.casefold().isin(_HUMAN | _UNKNOWN)]
        if other.empty or (all_of_them and len(other) < len(names)):
            continue
        kinds = sorted(set(other))
        mend = (
            "choose a series of human samples"
            if len(other) == len(names)
            else f"leave them out (exclude: - {{from: {field}, values: [{', '.join(kinds)}], "
            "reason: another species})"
        )
        raise AdnormError(
            f"{where}: {len(other)} of {len(names)} samples are not human: the field '{field}' "
            f"says {listing(kinds, 4)} (first: sample '{other.index[0]}'). The gene sets and "
            f"signatures of adnorm are human; {mend}"
        )
