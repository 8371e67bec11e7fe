"""Series of the public atlas, as far as they are known, written in GEO's layout.

No series can be reached from a test. What is written here are the keys and values that are known
of each (design, tissues, visits, arms) with a few patients an arm. A key in `Series.assumed` is
not known: its name here is one of the guesses of the cohort file, and tests take it away to see
that the message leads to the right line.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

#: Fields of a sample; everything else is a characteristic, `key: value`.
FIELDS = ("title", "source_name", "description")
#: What GEO puts into every series: long, and the same for all samples.
PROTOCOL = "Biopsies were put into a stabilizing solution; RNA was taken out as the kit says. " * 6


@dataclass(frozen=True)
class Series:
    """One series.

    Attributes
    ----------
    platform
        GPL accession.
    samples
        Field or characteristic → value, one mapping per sample; an absent key is an empty cell.
    assumed
        Keys whose name is a guess.
    """

    accession: str
    platform: str
    samples: tuple[dict[str, str], ...]
    assumed: tuple[str, ...] = ()

    def renamed(self, key: str, name: str) -> Series:
        """The same series with a key called otherwise."""
        samples = tuple({name if k == key else k: v for k, v in s.items()} for s in self.samples)
        return replace(self, samples=samples)

    def revalued(self, key: str, values: dict[str, str]) -> Series:
        """The same series with other values of a key."""
        samples = tuple(s | {key: values.get(s[key], s[key])} for s in self.samples if key in s)
        return replace(self, samples=samples)

    @property
    def names(self) -> list[str]:
        """GEO accessions of the samples."""
        digits = self.accession.removeprefix("GSE")
        return [f"GSM{digits}{number:03d}" for number in range(1, len(self.samples) + 1)]


def write_series_matrix(
    series: Series,
    path: Path,
    values: dict[str, list] | None = None,
    tables: tuple[str, ...] = (),
) -> Path:
    """Write a series matrix as GEO does: characteristics without gaps, so keys share lines.

    `values` are rows of the table by probe, `tables` the names of supplementary files.
    """
    count = len(series.samples)
    rows = [
        ("Series_title", [f"Fixture of {series.accession}"]),
        ("Series_geo_accession", [series.accession]),
        ("Series_platform_id", [series.platform]),
    ]
    rows += [("Series_supplementary_file", [f"ftp://ftp.example.org/{name}"]) for name in tables]
    names = series.names
    titles = [s.get("title", name) for s, name in zip(series.samples, names, strict=True)]
    rows += [
        ("Sample_title", titles),
        ("Sample_geo_accession", names),
        ("Sample_source_name_ch1", [s.get("source_name", "skin biopsy") for s in series.samples]),
        ("Sample_organism_ch1", ["Homo sapiens"] * count),
    ]
    told = [[f"{k}: {v}" for k, v in s.items() if k not in FIELDS] for s in series.samples]
    for line in range(max(map(len, told))):
        rows.append(
            ("Sample_characteristics_ch1", [t[line] if line < len(t) else "" for t in told])
        )
    rows.append(("Sample_extract_protocol_ch1", [PROTOCOL] * count))
    rows.append(("Sample_description", [s.get("description", "") for s in series.samples]))
    rows.append(("Sample_platform_id", [series.platform] * count))
    text = "".join(f"!{key}\t" + "\t".join(f'"{v}"' for v in row) + "\n" for key, row in rows)
    text += "!series_matrix_table_begin\n"
    text += "\t".join(f'"{name}"' for name in ["ID_REF", *names]) + "\n"
    for probe, numbers in (values or {}).items():
        text += f'"{probe}"\t' + "\t".join(str(n) for n in numbers) + "\n"
    text += "!series_matrix_table_end\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def biopsies(
    arms: dict[str, int], states: tuple[str, ...], visits: tuple[str, ...]
) -> Iterator[tuple[str, str, str, str]]:
    """Patients of each arm at each visit: patient, arm, state, visit."""
    patient = 0
    for arm, count in arms.items():
        for _ in range(count):
            patient += 1
            for visit in visits:
                for state in states:
                    yield f"{patient:02d}", arm, state, visit


SKIN = ("LS", "NL")


def _trial(accession: str, platform: str, samples, *assumed: str) -> Series:
    return Series(accession, platform, tuple(samples), assumed)


def _gusacitinib() -> Iterator[dict[str, str]]:
    arms = {"placebo": 3, "ASN002 20 mg": 3, "ASN002 40 mg": 3, "ASN002 80 mg": 3}
    for patient, arm, state, visit in biopsies(arms, SKIN, ("Baseline", "Day 15", "Day 29")):
        yield {
            "tissue": state,
            "patient_id": patient,
            "week": visit,
            "batch_date": "2018-03-01",
        } | {"treatment": arm}


def _dupilumab() -> Iterator[dict[str, str]]:
    visits = ("Week0", "Week4", "Week16")
    for patient, arm, state, visit in biopsies({"Dupilumab": 4, "Placebo": 4}, SKIN, visits):
        # Not everybody has all visits and non-lesional skin.
        if (patient, visit) == ("08", "Week16") or (patient, state) == ("02", "NL"):
            continue
        clinic = {"EASI": "20.5"} | ({"SCORAD": "55"} if visit != "Week4" else {})
        yield {"tissue": state, "time": visit, "treatment": arm, "subject_id": patient} | clinic


def _coded_dupilumab() -> Iterator[dict[str, str]]:
    arms = {"B": 3, "C": 3, "D": 3, "placebo": 3}
    for patient, arm, state, visit in biopsies(arms, SKIN, ("Pre", "Post")):
        yield {"tissue": state, "time": visit, "patient id": patient, "treatment": arm} | {
            "EASI": "18"
        }


def _practice() -> Iterator[dict[str, str]]:
    skin = {"LS": "AL", "NL": "AN"}
    arms = {"dupilumab": 4, "ciclosporin": 3, "none": 2}
    for patient, arm, state, visit in biopsies(arms, SKIN, ("m0", "m3")):
        if visit == "m0" or (arm != "none" and state == "LS"):
            source = f"{visit}_{skin[state]}"
            yield {"source_name": source, "patient": patient, "treatment": arm}


def _ciclosporin() -> Iterator[dict[str, str]]:
    skin = {"LS": "lesional", "NL": "non-lesional"}
    for patient, _, state, visit in biopsies({"": 4}, SKIN, ("baseline", "week 2", "week 12")):
        yield {"lesions": skin[state], "time": visit, "gender": "female", "patient": patient} | {
            "SCORAD": "60"
        }


def _crisaborole() -> Iterator[dict[str, str]]:
    """Two lesions of every patient; non-lesional skin has no ointment."""
    for patient, _, _, visit in biopsies({"": 4}, ("",), ("Baseline", "Day 8", "Day 15")):
        known = {"patient_id": patient, "week": visit, "batch_date": "2017-05-04"}
        for ointment in ("crisaborole", "vehicle"):
            yield {"tissue": "LESIONAL"} | known | {"treatment": ointment}
        if visit == "Baseline":
            yield {"tissue": "NONLESIONAL"} | known | {"treatment": "none"}


def _fezakinumab() -> Iterator[dict[str, str]]:
    for patient, arm, state, visit in biopsies({"Drug": 6, "Placebo": 3}, SKIN, ("0", "4", "12")):
        yield {"tissue": state, "patient_id": patient, "week": visit, "batch_date": "a"} | {
            "treatment": arm
        }


def _secukinumab() -> Iterator[dict[str, str]]:
    for patient, arm, state, visit in biopsies(
        {"secukinumab": 4, "placebo": 3}, SKIN, ("baseline", "week 4", "week 16")
    ):
        yield {"skin_type": state, "ptid": patient, "treatment": arm, "visit": visit}


def _anti_ox40() -> Iterator[dict[str, str]]:
    skin = {"LS": "Lesional", "NL": "Non-lesional"}
    for patient, arm, state, visit in biopsies({"GBR 830": 4, "placebo": 3}, SKIN, ("BL", "W4")):
        yield {"diagnosis": "atopic dermatitis", "tissue_type": skin[state]} | {
            "subject_id": patient,
            "treatment": arm,
            "week": visit,
        }


def _ultraviolet() -> Iterator[dict[str, str]]:
    for patient, _, state, visit in biopsies({"": 4}, ("L", "NL"), ("Pre", "Post")):
        yield {"subject id": patient, "class": f"{visit}-{state}", "SCORAD": "0"}


def _tofacitinib() -> Iterator[dict[str, str]]:
    arms = {"tofacitinib 10 mg BID": 4, "placebo": 3}
    for patient, arm, state, visit in biopsies(arms, SKIN, ("Baseline", "Week 4")):
        if state == "LS" or visit == "Baseline":
            yield {"patient": patient, "tissue": state, "treatment": arm, "week": visit}


def _with_psoriasis() -> Iterator[dict[str, str]]:
    for disease, states in (
        ("AD", ("lesional", "non-lesional")),
        ("PSO", ("lesional", "non-lesional")),
        ("CTRL", ("healthy",)),
    ):
        for patient, _, state, _ in biopsies({"": 4}, states, ("",)):
            yield {"patient's condition": disease, "skin type": state} | {
                "patient": f"{disease}_{patient}"
            }
    yield {"patient's condition": "AD", "skin type": "chronic_lesion", "patient": "AD_01"}


def _five_visits() -> Iterator[dict[str, str]]:
    for letter, states in (("P", SKIN), ("H", ("HC",))):
        for patient, _, state, visit in biopsies({"": 3}, states, ("01", "02", "03", "04", "05")):
            clinic = {"scorad": "30", "easi_total_score": "9"} if letter == "P" else {}
            known = {"subject": letter + patient, "skin_type": state, "visit": visit}
            yield known | {"gender": "male", "biopsy_area": "arm"} | clinic
    # A technical replicate.
    yield {"subject": "P01", "skin_type": "LS", "visit": "01", "gender": "male"}


def _three_groups(key: str, person: str, groups: dict[str, str]) -> Iterator[dict[str, str]]:
    """People of one visit; groups by who has them."""
    for group, letter in groups.items():
        for patient, _, _, _ in biopsies({"": 4}, ("",), ("",)):
            yield {key: group, "tissue": "skin", person: letter + patient}


def _lanes() -> Iterator[dict[str, str]]:
    number = 0
    for letter, states in (("P", ("Lesion", "Non Lesion")), ("C", ("Control",))):
        visits = ("Visit 3/BL", "Visit 6/Week 12") if letter == "P" else ("Visit 3/BL",)
        for patient, _, state, visit in biopsies({"": 4}, states, visits):
            number += 1
            yield {"tissue_type": state, "time": visit, "patient": letter + patient} | {
                "description": f"Library name: L{number:03d}"
            }


def _follow_up() -> Iterator[dict[str, str]]:
    for patient, _, _, visit in biopsies({"": 4}, ("",), ("LS_baseline", "LS_follow-up")):
        yield {"patient": patient, "group": visit}


ATOPIC = {"Normal": "N", "AL": "P", "ANL": "P"}
STAGES = {"Acute LS": "P", "Chronic LS": "P", "NL": "P", "Normal": "N"}
CONDITIONS = {"Atopic dermatitis": "A", "Psoriasis": "B", "Normal": "N"}
CODES = {"N": "N", "LS": "P", "NL": "P"}
#: By the name of the cohort file.
SERIES = {
    "gse133385": _trial("GSE133385", "GPL570", _gusacitinib(), "treatment"),
    "gse130588": _trial("GSE130588", "GPL570", _dupilumab(), "EASI", "SCORAD"),
    "gse59294": _trial(
        "GSE59294", "GPL570", _coded_dupilumab(), "patient id", "tissue", "treatment", "EASI"
    ),
    "gse157194": _trial("GSE157194", "GPL21290", _practice(), "patient", "treatment"),
    "gse58558": _trial("GSE58558", "GPL570", _ciclosporin(), "patient", "SCORAD"),
    "gse133477": _trial("GSE133477", "GPL570", _crisaborole(), "treatment"),
    "gse99802": _trial("GSE99802", "GPL570", _fezakinumab()),
    "gse137430": _trial("GSE137430", "GPL1", _secukinumab(), "treatment", "visit"),
    "gse140684": _trial("GSE140684", "GPL1", _anti_ox40(), "treatment", "week"),
    "gse27887": _trial("GSE27887", "GPL570", _ultraviolet(), "subject id", "class"),
    "gse69967": _trial(
        "GSE69967", "GPL1", _tofacitinib(), "patient", "tissue", "treatment", "week"
    ),
    "gse121212": _trial("GSE121212", "GPL16791", _with_psoriasis(), "patient"),
    "gse193309_visits": _trial("GSE193309", "GPL24676", _five_visits()),
    "gse32924": _trial(
        "GSE32924", "GPL570", _three_groups("condition", "patient", ATOPIC), "patient"
    ),
    "gse36842": _trial("GSE36842", "GPL570", _three_groups("group", "patient", STAGES), "patient"),
    "gse16161": _trial("GSE16161", "GPL570", _three_groups("condition", "indivisual", CONDITIONS)),
    "gse107361": _trial("GSE107361", "GPL570", _three_groups("lesion", "indivisual", CODES)),
    "gse330551": _trial("GSE330551", "GPL1", _lanes()),
    "gse283265": _trial("GSE283265", "GPL1", _follow_up(), "patient", "group"),
}
