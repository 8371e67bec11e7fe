"""The drugs of the field, with their classes, and how sample sheets write arms and doses."""

from __future__ import annotations

import re
from dataclasses import dataclass

PLACEBO, NONE = "placebo", "none"
JAK = "JAK inhibitor"
#: Drug → its class and other names: codes of trials, brands, abbreviations.
DRUGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "abrocitinib": (JAK, ("PF-04965842", "Cibinqo", "abro")),
    "upadacitinib": (JAK, ("ABT-494", "Rinvoq", "UPA")),
    "baricitinib": (JAK, ("LY3009104", "INCB028050", "Olumiant", "bari")),
    "tofacitinib": (JAK, ("CP-690550", "tasocitinib", "Xeljanz", "tofa")),
    "ruxolitinib": (JAK, ("INCB018424", "Opzelura", "Jakafi", "Jakavi", "ruxo", "RUX")),
    "delgocitinib": (JAK, ("JTE-052", "LEO 124249", "Corectim", "delgo")),
    "gusacitinib": ("JAK/SYK inhibitor", ("ASN002", "ASN-002")),
    "ritlecitinib": (JAK, ("PF-06651600", "Litfulo", "ritle")),
    "ivarmacitinib": (JAK, ("SHR0302",)),
    "deuruxolitinib": (JAK, ("CTP-543", "Leqselvi")),
    "brepocitinib": (JAK, ("PF-06700841",)),
    "povorcitinib": (JAK, ("INCB054707",)),
    "jaktinib": (JAK, ()),
    "oclacitinib": (JAK, ("Apoquel",)),
    "cerdulatinib": ("JAK/SYK inhibitor", ("RVT-502",)),
    "ifidancitinib": (JAK, ("ATI-502", "ATI-50002")),
    "deucravacitinib": ("TYK2 inhibitor", ("BMS-986165", "Sotyktu")),
    "dupilumab": ("anti-IL-4Ra", ("REGN668", "SAR231893", "Dupixent", "dupi")),
    "tralokinumab": ("anti-IL-13", ("CAT-354", "Adtralza", "Adbry", "tralo")),
    "lebrikizumab": ("anti-IL-13", ("LY3650150", "Ebglyss", "lebri")),
    "nemolizumab": ("anti-IL-31RA", ("CIM331", "Nemluvio", "nemo")),
    "vixarelimab": ("anti-OSMRb", ("KPL-716",)),
    "fezakinumab": ("anti-IL-22", ("ILV-094",)),
    "secukinumab": ("anti-IL-17A", ("AIN457", "Cosentyx")),
    "ixekizumab": ("anti-IL-17A", ("LY2439821", "Taltz")),
    "brodalumab": ("anti-IL-17RA", ("AMG 827", "Siliq")),
    "ustekinumab": ("anti-IL-12/23", ("CNTO 1275", "Stelara")),
    "risankizumab": ("anti-IL-23", ("ABBV-066", "Skyrizi")),
    "guselkumab": ("anti-IL-23", ("CNTO 1959", "Tremfya")),
    "rocatinlimab": ("anti-OX40", ("KHK4083", "AMG 451")),
    "telazorlimab": ("anti-OX40", ("GBR 830", "ISB 830")),
    "amlitelimab": ("anti-OX40L", ("KY1005", "SAR445229")),
    "tezepelumab": ("anti-TSLP", ("AMG 157", "Tezspire")),
    "etokimab": ("anti-IL-33", ("ANB020",)),
    "itepekimab": ("anti-IL-33", ("REGN3500",)),
    "omalizumab": ("anti-IgE", ("Xolair",)),
    "adalimumab": ("anti-TNF", ("D2E7", "Humira")),
    "etanercept": ("anti-TNF", ("Enbrel",)),
    "infliximab": ("anti-TNF", ("Remicade",)),
    "crisaborole": ("PDE4 inhibitor", ("AN2728", "Eucrisa", "Staquis")),
    "roflumilast": ("PDE4 inhibitor", ("ARQ-151", "Zoryve")),
    "difamilast": ("PDE4 inhibitor", ("OPA-15406",)),
    "apremilast": ("PDE4 inhibitor", ("CC-10004", "Otezla")),
    "ciclosporin": (
        "calcineurin inhibitor",
        ("ciclosporine", "ciclosporin A", "cyclosporin", "cyclosporine", "cyclosporine A", "CsA"),
    ),
    "tacrolimus": ("calcineurin inhibitor", ("FK506", "Protopic")),
    "pimecrolimus": ("calcineurin inhibitor", ("Elidel",)),
    "tapinarof": ("AhR agonist", ("GSK2894512", "Vtama", "benvitimod")),
    "coal tar": ("AhR agonist", ()),
    "methotrexate": ("antimetabolite", ("MTX",)),
    "azathioprine": ("antimetabolite", ("AZA",)),
    "betamethasone": ("glucocorticoid", ("betamethasone valerate", "BMV")),
    "mometasone": ("glucocorticoid", ("mometasone furoate",)),
    "triamcinolone": ("glucocorticoid", ("triamcinolone acetonide", "TAC")),
    "clobetasol": ("glucocorticoid", ("clobetasol propionate",)),
    "hydrocortisone": ("glucocorticoid", ()),
    "prednisone": ("glucocorticoid", ("prednisolone",)),
    "narrow-band ultraviolet B": (
        "phototherapy",
        ("NB-UVB", "nbUVB", "NBUVB", "narrow-band UVB", "narrowband UVB", "UVB"),
    ),
}
_NAMES = {n.casefold(): drug for drug, (_, also) in DRUGS.items() for n in (drug, *also)}
_PLACEBO = r"placebo|vehicle|pbo|plb|plc|sham"
_NOTHING = (
    r"none|no|untreated|no (?:drug|treatment|therapy)|not treated|n/?a|naive|healthy.*|control"
    r"|normal|(?:at )?base ?line.*|pre\b.*|before\b.*|none\b.*"
)


def _loose(name: str) -> str:
    """Let a hyphen or space inside a name be written in any way."""
    return r"[\s_-]*".join(map(re.escape, re.split(r"[\s-]+", name)))


_DRUG = re.compile(
    r"(?<![a-z])(?:"
    + "|".join(_loose(name) for name in sorted(_NAMES, key=len, reverse=True))
    + r")(?![a-z])",
    re.IGNORECASE,
)
_WORDS = {re.sub(r"[\s_-]+", "", name): drug for name, drug in _NAMES.items()}
_DOSE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*mg\b(?!\s*/\s*(?:kg|ml|g))", re.IGNORECASE)


@dataclass(frozen=True)
class Arm:
    """What a text says about treatment.

    Attributes
    ----------
    treatment
        A drug of `DRUGS`, `PLACEBO`, `NONE`, or empty when the text names none of them.
    dose_mg
        The dose, or ``None``.
    words
        The part of the text that names the treatment.
    """

    treatment: str
    dose_mg: float | None
    words: str


def drugs_in(text: str) -> list[str]:
    """List the drugs that a text names, in the order of the text.

    Examples
    --------
    >>> drugs_in("ASN002 or dupilumab, then cyclosporine A")
    ['gusacitinib', 'dupilumab', 'ciclosporin']
    """
    found = (_WORDS[re.sub(r"[\s_-]+", "", m[0].casefold())] for m in _DRUG.finditer(text))
    return list(dict.fromkeys(found))


def read_arm(text: str) -> Arm:
    """Read a treatment and a dose out of a raw value.

    Examples
    --------
    >>> read_arm("UPA 15 mg QD")
    Arm(treatment='upadacitinib', dose_mg=15.0, words='UPA')
    >>> read_arm("vehicle").treatment, read_arm("none (pre-treatment)").treatment
    ('placebo', 'none')
    >>> read_arm("40 mg"), read_arm("5 mg/kg/d").dose_mg
    (Arm(treatment='', dose_mg=40.0, words=''), None)
    """
    dose = _DOSE.search(text)
    milligrams = float(dose[1]) if dose else None
    placebo = re.search(rf"(?<![a-z])(?:{_PLACEBO})(?![a-z])", text, re.IGNORECASE)
    if placebo:
        return Arm(PLACEBO, None, placebo[0])
    drug = _DRUG.search(text)
    if drug:
        return Arm(drugs_in(text)[0], milligrams, drug[0])
    if re.fullmatch(_NOTHING, text.strip().replace("_", " "), re.IGNORECASE):
        return Arm(NONE, None, text)
    return Arm("", milligrams, "")


def drug_class(treatment: str) -> str | None:
    """Return the class of a drug or of placebo; ``None`` when it is not known."""
    if treatment == PLACEBO:
        return PLACEBO
    return DRUGS[treatment][0] if treatment in DRUGS else None
