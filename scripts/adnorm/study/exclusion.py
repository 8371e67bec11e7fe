"""The rules that leave samples out, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from adnorm.base.errors import Problems, listing, nearest
from adnorm.study.advice import describe_keys, fitting_key, flow
from adnorm.study.cohort import ExclusionRule
from adnorm.study.raw_fields import ambiguity, counted, find_value, raw_values


def excluded_samples(
    raw: pd.DataFrame, rules: Sequence[ExclusionRule], problems: Problems
) -> pd.Series:
    """Apply the `exclude:` rules of a cohort file.

    Returns
    -------
    Series of str
        The reason for each excluded sample, indexed by sample.
    """
    reasons: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        hit = _exclude_hits(raw, rule, f"exclude: rule {number}", problems)
        for sample in raw.index[hit] if hit is not None else []:
            reasons.setdefault(sample, rule.reason)
    return pd.Series(reasons, dtype=object)


def _exclude_hits(
    raw: pd.DataFrame, rule: ExclusionRule, where: str, problems: Problems
) -> pd.Series | None:
    if rule.samples is not None:
        unknown = [s for s in rule.samples if s not in raw.index]
        if unknown:
            problems.add(
                f"{where}: no sample is called {listing(unknown)}{nearest(unknown[0], raw.index)}"
            )
        return pd.Series(raw.index.isin(rule.samples), index=raw.index)
    keys = [rule.from_ or ""]
    unclear = ambiguity(raw, keys)
    if unclear:
        problems.add(f"{where}: {unclear}")
        return None
    found = raw_values(raw, keys)
    if found is None:
        key = fitting_key(raw, lambda value: float(_excludes(rule, value)))
        problems.add(
            f"{where}: from: '{rule.from_}' is not a key of this series. It has: "
            f"{describe_keys(raw)}. Name the key to look at: `{flow({'from': key or 'KEY'})}`, "
            f"or remove the rule"
        )
        # What the rule was meant for is not missed in the mappings besides.
        return raw_values(raw, key)[0].map(lambda value: _excludes(rule, value)) if key else None
    values, key = found
    hit = values.map(lambda value: _excludes(rule, value))
    if not hit.any():
        near = {w: nearest(w, set(values) - {""}) for w in map(str, rule.values or ())}
        problems.add(
            f"{where} matches no sample{next(filter(None, near.values()), '.')} All raw values of "
            f"'{key}': {counted(values)}"
        )
        return values.map(lambda value: any(f"'{value}'?" in text for text in near.values()))
    return hit


def _excludes(rule: ExclusionRule, value: str) -> bool:
    if rule.pattern is not None:
        return re.search(rule.pattern, value, flags=re.IGNORECASE) is not None
    return find_value(value, rule.values or ()) is not None
