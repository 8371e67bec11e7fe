"""Whether two cohorts are of the same disease, however their files spell it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

ATOPIC_DERMATITIS = "atopic dermatitis"
#: Other names of a disease, as `disease:` may give them; each is compared as a whole. "Eczema"
#: alone is atopic dermatitis here; hand or nummular eczema are other diseases.
SYNONYMS = {
    ATOPIC_DERMATITIS: (
        *("ad", "eczema", "atopic eczema", "eczema atopic", "dermatitis atopic"),
        *("atopic dermatitis eczema", "atopic eczema dermatitis syndrome", "neurodermatitis"),
    ),
    "psoriasis": (
        *("pso", "psv", "psoriasis vulgaris", "plaque psoriasis", "psoriasis plaque"),
        *("plaque type psoriasis", "chronic plaque psoriasis", "chronic plaque type psoriasis"),
    ),
    "alopecia areata": ("aa",),
    "prurigo nodularis": ("pn", "chronic nodular prurigo", "nodular prurigo"),
    "hidradenitis suppurativa": ("hs", "acne inversa"),
    "lichen planus": ("lp",),
    "contact dermatitis": (),
    "vitiligo": (),
}
_CANONICAL = {name: known for known, names in SYNONYMS.items() for name in (known, *names)}
#: How bad the disease is does not make it another one.
_DEGREE = r"(?:mild|moderate|severe)(?:ly)?(?: (?:(?:to|and|or) )?(?:mild|moderate|severe))*"
#: Texts this similar are probably one disease with a slip in it.
_ALIKE = 0.85


def disease_name(text: str) -> str:
    """Bring the name of a disease to the form in which names are compared.

    Case, punctuation, spaces, an abbreviation in brackets, words for the severity and the
    `SYNONYMS` play no part; any other difference makes another disease.

    Examples
    --------
    >>> disease_name(" Atopic_Dermatitis (AD)"), disease_name("moderate-to-severe atopic eczema")
    ('atopic dermatitis', 'atopic dermatitis')
    >>> disease_name("Psoriasis vulgaris"), disease_name("hand eczema")
    ('psoriasis', 'hand eczema')
    """
    text = unicodedata.normalize("NFKC", str(text)).strip()
    bracketed = re.fullmatch(r"(.+?)\s*[(\[]([^()\[\]]+)[)\]]", text)
    if bracketed and _plain(bracketed[1]) == _plain(bracketed[2]):
        return _plain(bracketed[1])
    return _plain(text)


def _plain(text: str) -> str:
    words = " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())
    words = re.sub(rf"^{_DEGREE} (?=.)|(?<=.) {_DEGREE}$", "", words)
    return _CANONICAL.get(words, words)


def same_disease(first: str, second: str) -> bool:
    """Say whether two names mean one disease (`disease_name`); no name is the same as none."""
    name = disease_name(first)
    return bool(name) and name == disease_name(second)


def other_than_atopic(disease: str) -> str:
    """Return the name of a disease that is not atopic dermatitis; empty for it, and for no name.

    Examples
    --------
    >>> other_than_atopic("psoriasis"), other_than_atopic("AD"), other_than_atopic("")
    ('psoriasis', '', '')
    """
    return "" if not disease or same_disease(disease, ATOPIC_DERMATITIS) else disease


def lookalikes(disease: str, others: Iterable[str]) -> list[str]:
    """Find names that count as other diseases although they look like this one.

    Parameters
    ----------
    disease
        As a cohort file names it.
    others
        Of the other cohorts.

    Returns
    -------
    list of str
        Those with a slip in them or with words added, sorted; names of `SYNONYMS` are what they
        are.

    Examples
    --------
    >>> lookalikes("atopic dermatitits", ["atopic dermatitis", "contact dermatitis"])
    ['atopic dermatitis']
    >>> lookalikes("paediatric atopic dermatitis", ["AD", "psoriasis"])
    ['AD']
    """
    name = disease_name(disease)
    found = set()
    for other in others:
        second = disease_name(other)
        if second == name or (name in SYNONYMS and second in SYNONYMS):
            continue
        words, more = set(name.split()), set(second.split())
        alike = difflib.SequenceMatcher(None, name, second).ratio() >= _ALIKE
        if alike or (words and more and (words <= more or more <= words)):
            found.add(other)
    return sorted(found)
