"""How deposits write states of skin, diseases, sexes and missing values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from adnorm.study import decimals

LESIONAL, NONLESIONAL, HEALTHY = "lesional", "nonlesional", "healthy"

_NOT_LETTER = r"(?<![A-Za-z])", r"(?![A-Za-z])"
#: State → how it is written; the first that is found decides, so "non-lesional" stands first.
_STATES = (
    (
        NONLESIONAL,
        r"non[\s_-]*lesion(?:al|s)?|non[\s_-]*ls|a?nls?|uninvolved|non[\s_-]*involved"
        r"|normal[\s_-]*(?:appearing|looking)|unaffected(?![\s_-]*(?:control|person|volunteer))",
    ),
    (
        HEALTHY,
        r"healthy(?:[\s_-]*(?:controls?|volunteers?|skin|donors?|subjects?))?|normal(?:s|[\s_-]*"
        r"(?:controls?|skin|volunteers?))?|(?:unaffected[\s_-]*)?controls?|ctrl|ctr|hc|hv|hd|nn"
        r"|volunteers?",
    ),
    (
        LESIONAL,
        r"(?:(?:acute|chronic)[\s_-]*)?lesion(?:al|s)?|a?ls|involved|affected|plaques?",
    ),
)
#: Short marks that mean a state only where nothing else is written beside them.
_MARKS = {"AL": LESIONAL, "AN": NONLESIONAL, "L": LESIONAL, "H": HEALTHY, "CO": HEALTHY}
#: May be normal (healthy) or non-lesional skin; the other values of the field decide.
AMBIGUOUS_MARK = "N"

DISEASES = {
    "atopic dermatitis": r"atopic[\s_-]*(?:dermatitis|eczema)|eczema|AD",
    "psoriasis": r"psoriasis|psoriatic|psoriasis[\s_-]*vulgaris|PSO|PsV|PP",
    "alopecia areata": r"alopecia[\s_-]*areata|AA",
    "prurigo nodularis": r"prurigo[\s_-]*nodularis|PN",
    "contact dermatitis": r"(?:allergic[\s_-]*|irritant[\s_-]*)?contact[\s_-]*dermatitis|ACD",
    "hidradenitis suppurativa": r"hidradenitis[\s_-]*suppurativa|HS",
    "lichen planus": r"lichen[\s_-]*planus|LP",
    "vitiligo": r"vitiligo",
}
_FEMALE, _MALE = ("f", "female", "woman", "w", "girl"), ("m", "male", "man", "boy")
#: Three codes that name skin where they stand together: psoriatic, uninvolved psoriatic, normal.
_CODES_OF_SKIN = {"PP": LESIONAL, "PN": NONLESIONAL, "NN": HEALTHY}


def _bounded(pattern: str) -> str:
    return f"{_NOT_LETTER[0]}(?:{pattern}){_NOT_LETTER[1]}"


def read_state(text: str) -> tuple[str, str] | None:
    """Find the state of skin that a text names.

    Returns
    -------
    (state, words) or None
        The canonical state and the words that say it.

    Examples
    --------
    >>> read_state("non-lesional skin"), read_state("AD_LS_04"), read_state("m0_AN")
    (('nonlesional', 'non-lesional'), ('lesional', 'LS'), ('nonlesional', 'AN'))
    >>> read_state("skin biopsy")
    """
    for state, pattern in _STATES:
        found = re.search(_bounded(pattern), text, re.IGNORECASE)
        if found:
            return state, found[0]
    parts = re.split(r"[\s_.-]+", text.strip())
    if len(parts) <= 3:
        for part in parts:
            if part in _MARKS:
                return _MARKS[part], part
    return None


def read_disease(text: str) -> str | None:
    """Name the disease that a text says.

    Examples
    --------
    >>> read_disease("AD patient"), read_disease("alopecia_areata"), read_disease("adult")
    ('atopic dermatitis', 'alopecia areata', None)
    """
    for disease, pattern in DISEASES.items():
        *full, short = pattern.split("|")
        # Abbreviations are words only as they are written.
        flags = 0 if short.isupper() else re.IGNORECASE
        if re.search(_bounded("|".join(full) or short), text, re.IGNORECASE):
            return disease
        if re.search(_bounded(short), text, flags):
            return disease
    return None


def read_sex(text: str) -> str | None:
    """Read female or male.

    Examples
    --------
    >>> read_sex("F"), read_sex("Male"), read_sex("unknown")
    ('female', 'male', None)
    """
    word = text.strip().casefold()
    return "female" if word in _FEMALE else "male" if word in _MALE else None


def codes_of_skin(texts: Iterable[str]) -> dict[str, str | None]:
    """Read PP, PN and NN where they stand together; alone, PN is prurigo nodularis.

    Returns
    -------
    dict of str to str or None
        Code → state. Without NN, PN beside PP may be either, so it is ``None``; beside other
        diseases it is one, and nothing is returned.

    Examples
    --------
    >>> codes_of_skin(["PP", "PN", "NN"])["PN"], codes_of_skin(["PN", "HC"])
    ('nonlesional', {})
    >>> codes_of_skin(["PP", "PN"]), codes_of_skin(["PP", "PN", "AD"])
    ({'PN': None}, {})
    """
    parts = {text: set(re.split(r"[\W_]+", text.upper())) for text in texts}
    found = set().union(*parts.values())
    if set(_CODES_OF_SKIN) <= found:
        return dict(_CODES_OF_SKIN)
    others = [text for text, words in parts.items() if not words & set(_CODES_OF_SKIN)]
    either = {"PP", "PN"} <= found and not any(map(read_disease, others))
    return {"PN": None} if either else {}


def code_of_skin(text: str, codes: dict[str, str | None]) -> tuple[str | None, str] | None:
    """Find one of the codes in a text: the state and the code as written."""
    parts = [part for part in re.split(r"[\W_]+", text) if part.upper() in codes]
    return (codes[parts[0].upper()], parts[0]) if len(parts) == 1 else None


def says_missing(text: str) -> bool:
    """Whether a text says that there is no value; "none" may."""
    return text.strip().casefold() == "none" or decimals.says_missing(text)
