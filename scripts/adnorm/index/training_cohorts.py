"""Which cohorts teach the disease axis of a cohort, and the table of effects that they teach it.

Two cohorts that share a series, a file, samples or patients do not teach each other. Ids of
patients alone are no evidence, because every second lab counts its patients from P01. What counts
are accession numbers, files, values, and ids together with something else that agrees.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import combinations, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy import stats

from adnorm.base.containers import read_container
from adnorm.base.errors import listing
from adnorm.base.files import read_json
from adnorm.base.logs import progress
from adnorm.base.stage import Files
from adnorm.base.tables import read_table, write_tables
from adnorm.base.text import counted
from adnorm.index.teaching import writing
from adnorm.study.comparisons import BASELINE, average_rows, number
from adnorm.study.diseases import ATOPIC_DERMATITIS, disease_name, lookalikes, same_disease
from adnorm.study.vocabulary import ComparisonKind

if TYPE_CHECKING:
    from anndata import AnnData


CONTRAST = f"{ComparisonKind.LESIONAL_NONLESIONAL}@{number(BASELINE)}"
COLUMNS = [
    *("cohort", "disease", "simulated", "gene", "log2_fold_change", "standard_error"),
    *("pairs", "shares"),
]
#: Below this many other cohorts the axis comes from the cohort itself, cross-fitted.
FEWEST_COHORTS = 2
#: Between the other cohorts in the column ``shares``, and after the name of each.
_NEXT, _NAMED = " | ", ": "


def build(inputs: Files, outputs: Files, settings: Mapping[str, Any], seed: int) -> None:
    """Gather the paired lesional − nonlesional effects of all cohorts, one cohort at a time.

    Parameters
    ----------
    inputs
        ``effects`` (effects.tsv), ``expression`` (expression.h5ad) and ``manifests``
        (manifest.json) of all cohorts, each below the folder of its cohort. A cohort without the
        comparison adds no rows.
    outputs
        ``lesional_effects``, a table; its column ``shares`` says with which cohorts a cohort has a
        series, a file, samples or patients in common. ``teaching``: the same for jobs
        (`Teaching`).
    settings, seed
        Not used.

    Raises
    ------
    AdnormError
        A file is missing.
    """
    effects, expression, manifests = (
        {path.parents[1]: path for path in map(Path, inputs[name])}
        for name in ("effects", "expression", "manifests")
    )
    prints, names = [], {}
    for folder in sorted(effects, key=lambda path: path.name):
        if not effects[folder].is_file():
            read_table(effects[folder])  # Says so, before the work.
        data = read_container(expression[folder])
        prints.append(fingerprint(data, manifests[folder]))
        names[folder] = prints[-1].cohort
    shared = shared_by(prints)
    known = {cohort.cohort: (cohort.disease, cohort.simulated) for cohort in prints}
    del prints
    for first, others in shared.items():
        for second, what in others.items():
            if first < second:
                progress(f"{first} and {second} do not teach each other; in common: {what}")
    order = sorted(effects, key=names.__getitem__)

    with writing(outputs["teaching"]) as teach:

        def taught() -> Iterator[pd.DataFrame]:
            yield pd.DataFrame(columns=COLUMNS)
            for folder in order:
                name = names[folder]
                disease, simulated = known[name]
                rows = read_table(effects[folder])
                rows = rows[rows["contrast"] == CONTRAST].assign(
                    cohort=name,
                    disease=disease,
                    simulated="yes" if simulated else "no",
                    shares=tell_shares(shared.get(name, {})),
                )
                if len(rows):
                    rows = rows[COLUMNS].sort_values("gene", kind="stable")
                    teach(rows)
                    yield rows
                else:
                    progress(f"{name} has no lesional − nonlesional comparison at baseline")

        write_tables(taught(), outputs["lesional_effects"])


def tell_shares(others: Mapping[str, str]) -> str:
    """Write the column ``shares``: other cohort → what both have."""
    return _NEXT.join(f"{name}{_NAMED}{what}" for name, what in sorted(others.items()))


def read_shares(lesional: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What cohorts have in common, by cohort and other cohort: of lesional_effects.tsv."""
    first = lesional.drop_duplicates("cohort")
    return {str(c): _read_shares(s) for c, s in zip(first["cohort"], first["shares"], strict=True)}


def _read_shares(text: object) -> dict[str, str]:
    """Read the column ``shares``: other cohort → what both have."""
    parts = text.split(_NEXT) if isinstance(text, str) and text else []
    return {name: what for part in parts for name, _, what in [part.partition(_NAMED)]}


@dataclass(frozen=True)
class TrainingCohorts:
    """The cohorts that teach the axis of a cohort, and why the others do not."""

    #: Of the judged cohort.
    disease: str
    #: Those that teach, sorted.
    cohorts: list[str]
    #: Of this disease, but sharing something: cohort → why.
    left_out: dict[str, str]
    #: Cohort → its disease.
    other_diseases: dict[str, str]

    @property
    def enough(self) -> bool:
        """Whether an axis can be trained on them."""
        return len(self.cohorts) >= FEWEST_COHORTS

    @property
    def missed(self) -> str:
        """Why cohorts of this disease were left out; empty if none was."""
        return "; ".join(f"{name} left out ({why})" for name, why in self.left_out.items())

    @property
    def mistaken(self) -> str:
        """Which cohorts count as of another disease although its name looks like this one."""
        alike = set(lookalikes(self.disease, self.other_diseases.values()))
        named = [f"{c} ('{d}')" for c, d in self.other_diseases.items() if d in alike]
        if not named:
            return ""
        return (
            f"'{self.disease}' is not the disease of {', '.join(named)} by its spelling; if it is "
            "the same one, write the same under `disease:` in both cohort files"
        )

    @property
    def too_few(self) -> str:
        """Say that the other cohorts cannot teach an axis."""
        has = f"only {self.cohorts[0]} teaches" if self.cohorts else "none teaches"
        few = f"of the other cohorts {has} an axis of {self.disease}, {FEWEST_COHORTS} are required"
        return "; ".join(filter(None, [few, self.missed, self.mistaken]))


def find_training_cohorts(
    lesional: pd.DataFrame, cohort: str, simulated: bool, disease: str = ATOPIC_DERMATITIS
) -> TrainingCohorts:
    """Find the cohorts that may teach the axis that judges `cohort`.

    They are of the same disease (`same_disease`), simulated like the judged cohort or real like it,
    and share no series, file, samples or patients with it. Of cohorts that share something with
    each other only the one with the most pairs teaches: the same patients are one witness.
    `lesional` is what lesional_effects.tsv holds.
    """
    facts = lesional[lesional["cohort"] != cohort]
    facts = facts[(facts["simulated"] == "yes") == simulated]
    facts = facts.assign(shares=facts.get("shares", ""))
    columns = {"disease": "first", "shares": "first", "pairs": "max"}
    facts = facts.groupby("cohort", as_index=False).agg(columns)
    facts = facts.sort_values(["pairs", "cohort"], ascending=[False, True])
    accepted: list[str] = []
    left_out, others = {}, {}
    for row in facts.itertuples(index=False):
        name = str(row.cohort)
        if not same_disease(str(row.disease), disease):
            others[name] = str(row.disease)
            continue
        shares = _read_shares(row.shares)
        twin = next((other for other in accepted if other in shares), "")
        if cohort in shares:
            left_out[name] = f"in common with this cohort: {shares[cohort]}"
        elif twin:
            left_out[name] = f"in common with {twin}: {shares[twin]}"
        else:
            accepted.append(name)
    return TrainingCohorts(
        disease, sorted(accepted), dict(sorted(left_out.items())), dict(sorted(others.items()))
    )


# ---------------------------------------------------------------- what two cohorts share

#: Accession numbers of samples, libraries and runs; each names one thing in the world.
_OF_SAMPLE = re.compile(r"\b(?:GSM|[SED]R[SXR]|SAM[NED][AG]?)\d{3,}\b", re.IGNORECASE)
#: Accession numbers of series, and what the header of one says of the series above it.
_OF_SERIES = re.compile(r"GSE\d+|E-[A-Z]{4}-\d+", re.IGNORECASE)
_PART_OF = re.compile(r"SubSeries of:\s*(GSE\d+)", re.IGNORECASE)
#: Roles of files in the manifest that hold values.
_MATRIX = "series_matrix"
_VALUES = (_MATRIX, "table")
#: Genes that cohorts are compared on: those whose names come first in the order of a checksum, so
#: that any two cohorts kept many of the same ones.
_GENES, _FEWEST_GENES = 2000, 50
#: Two samples are one if this share of the genes stands at the same rank, up to this distance (as a
#: share of the genes). Samples of different people agree in a tenth, technical replicates in a
#: third of the genes; whatever keeps the order of values (scale, library size) keeps all of them.
_SAME_RANK, _RANK_DISTANCE = 0.5, 0.005
#: So many genes, and this share of them at the same rank, are enough to look more closely.
_SKETCH, _MAY_BE_SAME = 256, 0.25
#: Patients of the same id are one if what their sheets say alike is as unlikely as this …
_CHANCE = 1e-4
#: … or if their expression is more alike than that of different ids, by this many deviations: in
#: halves of cohorts it is below 3 for different people, and 8 to 25 for the same ones.
_ALIKE, _FEWEST_ALIKE = 4.0, 7
#: So many ids that no other study is likely to give, and more than half of the smaller cohort.
_FEWEST_PATIENTS = 5
#: Ids mean different people if sex and age agree in a smaller share of them than this.
_CONTRADICTED = 0.6


@dataclass(frozen=True)
class Fingerprint:
    """What tells whose samples a cohort holds."""

    cohort: str
    disease: str
    simulated: bool
    #: Accession numbers of the series, of the one that it is a part of, and of those that a field
    #: of its sample sheet names.
    series: frozenset[str]
    #: Name of each file of values by its SHA-256.
    files: dict[str, str]
    #: Public accession numbers that its sample sheet names.
    samples: frozenset[str]
    #: Facts before treatment as text, shape (patients, facts).
    patients: pd.DataFrame = field(repr=False)
    #: Of the samples.
    names: np.ndarray = field(repr=False)
    #: Of the columns of `log2`, sorted by their checksum.
    genes: np.ndarray = field(repr=False)
    #: Shape (samples, genes).
    log2: np.ndarray = field(repr=False)
    #: Patient of each sample, and the code of its state and visit.
    of_patient: np.ndarray = field(repr=False)
    layout: np.ndarray = field(repr=False)

    @cached_property
    def keys(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers that stand for the genes, sorted, and the column of each."""
        keys = [int.from_bytes(blake2b(g.encode(), digest_size=8).digest()) for g in self.genes]
        columns = np.argsort(np.array(keys, dtype=np.uint64))
        return np.array(keys, dtype=np.uint64)[columns], columns

    @cached_property
    def order(self) -> np.ndarray:
        """Of the genes whose keys come first: the place of each in its sample."""
        first = self.log2[:, self.keys[1][: 2 * _SKETCH]]
        return stats.rankdata(first, axis=1, method="dense").astype(np.uint16)

    @cached_property
    def own(self) -> tuple[dict[str, int], np.ndarray]:
        """What is the patients' own in their expression: row of each, and patients × genes."""
        # What lesions and visits have in common belongs to no patient.
        values = self.log2 - average_rows(self.log2, self.layout)[self.layout]
        names, codes = np.unique(self.of_patient, return_inverse=True)
        rows = {str(name): row for row, name in enumerate(names)}
        return rows, average_rows(values, codes).astype(np.float32)


def fingerprint(data: AnnData, manifest: Path) -> Fingerprint:
    """Take the fingerprint of expression.h5ad and fetch/manifest.json (without it, of no files)."""
    facts = data.uns["adnorm"]
    entries = read_json(manifest)["files"] if Path(manifest).is_file() else []
    genes = data.var_names.to_numpy(dtype=str)
    checksum = np.array([zlib.crc32(gene.encode()) for gene in genes], dtype=np.int64)
    kept = np.lexsort((genes, checksum))[:_GENES]
    return Fingerprint(
        str(facts["cohort"]),
        str(facts["disease"]),
        bool(facts["simulated"]),
        _series(str(facts.get("accession", "") or ""), data.obs, Path(manifest).parent, entries),
        {e["sha256"]: e["name"] for e in entries if e["role"] in _VALUES},
        _public_samples(data.obs),
        facts_of_patients(data.obs),
        data.obs_names.to_numpy(dtype=str),
        genes[kept],
        np.asarray(data.X[:, kept], dtype=np.float32),
        data.obs["patient"].astype(str).to_numpy(),
        data.obs.groupby(["state", "week"], observed=True).ngroup().to_numpy(),
    )


def _series(
    accession: str, obs: pd.DataFrame, folder: Path, entries: list[dict[str, Any]]
) -> frozenset[str]:
    found = _OF_SERIES.findall(accession)
    for path in (folder / entry["name"] for entry in entries if entry["role"] == _MATRIX):
        with path.open("rb") as file:
            unpack = gzip.open if file.read(2) == b"\x1f\x8b" else open
        with unpack(path, "rt", encoding="utf-8", errors="replace") as file:
            for line in takewhile(lambda text: not text.startswith("!Sample_"), file):
                if line.startswith("!Series_relation"):
                    found += _PART_OF.findall(line)
    for column in obs.columns:
        if not is_numeric_dtype(obs[column]):
            texts = (str(text).strip() for text in obs[column].unique())
            found += [text for text in texts if _OF_SERIES.fullmatch(text)]
    return frozenset(name.upper() for name in found)


def _public_samples(obs: pd.DataFrame) -> frozenset[str]:
    """Accession numbers in the sheet; what most samples name (a reference) tells no sample."""
    found: dict[str, set[int]] = {}
    texts = [obs[column] for column in obs if not is_numeric_dtype(obs[column])]
    for column in (obs.index.to_series(), *texts):
        for row, text in enumerate(column.astype(str)):
            for name in _OF_SAMPLE.findall(text):
                found.setdefault(name.upper(), set()).add(row)
    most = max(len(obs) / 2, 2)
    return frozenset(name for name, rows in found.items() if len(rows) <= most)


def shared_by(prints: Iterable[Fingerprint]) -> dict[str, dict[str, str]]:
    """Compare all cohorts that could teach one another: cohort → other cohort → what both have."""
    found: dict[str, dict[str, str]] = {}
    for first, second in combinations(prints, 2):
        if first.simulated != second.simulated:
            continue
        if disease_name(first.disease) != disease_name(second.disease):
            continue
        what = what_is_shared(first, second)
        if what:
            found.setdefault(first.cohort, {})[second.cohort] = what
            found.setdefault(second.cohort, {})[first.cohort] = what
    return found


def what_is_shared(first: Fingerprint, second: Fingerprint) -> str:
    """Describe what two cohorts share; empty if there is no evidence that they do."""
    series = sorted(first.series & second.series)
    if series:
        return f"the series {', '.join(series)}"
    files = sorted(first.files[digest] for digest in set(first.files) & set(second.files))
    if files:
        return f"the same file of values ({listing(files, 2)})"
    numbers = sorted(first.samples & second.samples)
    if numbers:
        return f"{counted(len(numbers), 'accession number')} of samples ({listing(numbers, 3)})"
    same = same_samples(first, second) if may_have_same_samples(first, second) else []
    if same:
        named = [a if a == b else f"{a} = {b}" for a, b in same]
        return f"{counted(len(same), 'sample')} with the same values ({listing(named, 3)})"
    return _shared_patients(first, second)


def same_samples(first: Fingerprint, second: Fingerprint) -> list[tuple[str, str]]:
    """Find samples (their names in either cohort) whose genes stand in the same order."""
    genes = _common_genes(first, second)
    if genes is None:
        return []
    log2 = [cohort.log2[:, own] for cohort, own in zip((first, second), genes, strict=True)]
    ranks = [stats.rankdata(values, axis=1) for values in log2]
    scaled = [r - r.mean(axis=1, keepdims=True) for r in ranks]
    scaled = [s / np.maximum(np.linalg.norm(s, axis=1, keepdims=True), 1e-9) for s in scaled]
    nearest = (scaled[0] @ scaled[1].T).argmax(axis=1)
    distance = max(_RANK_DISTANCE * ranks[0].shape[1], 0.5)
    # Genes that are not seen at all stand at one rank in everybody.
    above = [values > values.min(axis=1, keepdims=True) for values in log2]
    seen = above[0] & above[1][nearest]
    close = (np.abs(ranks[0] - ranks[1][nearest]) <= distance) & seen
    found = []
    for row in np.flatnonzero(close.sum(axis=1) >= _SAME_RANK * seen.sum(axis=1)):
        other = nearest[row]
        own, others = log2[0][row][seen[row]], log2[1][other][seen[row]]
        if min(len(np.unique(own)), len(np.unique(others))) >= _FEWEST_GENES:
            found.append((str(first.names[row]), str(second.names[other])))
    return found


def may_have_same_samples(first: Fingerprint, second: Fingerprint) -> bool:
    """Say whether it is worth asking for `same_samples`, at a fiftieth of the cost.

    It looks at the ranks of a few genes, and for less agreement than `same_samples` asks for. Equal
    values are ranked in the order of the genes, which is the same in both.
    """
    keys = [cohort.keys[0][: 2 * _SKETCH] for cohort in (first, second)]
    genes, *columns = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    if len(genes) < _SKETCH:
        return True
    ranks = [
        cohort.order[:, own[:_SKETCH]].argsort(axis=1, kind="stable").argsort(axis=1)
        for cohort, own in zip((first, second), columns, strict=True)
    ]
    # The ranks of all samples have the same mean and spread.
    centred = [(r - (_SKETCH - 1) / 2).astype(np.float32) for r in ranks]
    nearest = (centred[0] @ centred[1].T).argmax(axis=1)
    close = np.abs(ranks[0] - ranks[1][nearest]) <= _RANK_DISTANCE * _SKETCH
    return bool((close.mean(axis=1) >= _MAY_BE_SAME).any())


def _common_genes(first: Fingerprint, second: Fingerprint) -> tuple[np.ndarray, np.ndarray] | None:
    """Columns of the genes that both have; ``None`` if they are too few."""
    genes, *places = np.intersect1d(
        first.keys[0], second.keys[0], assume_unique=True, return_indices=True
    )
    if len(genes) < _FEWEST_GENES:
        return None
    return first.keys[1][places[0]], second.keys[1][places[1]]


def _shared_patients(first: Fingerprint, second: Fingerprint) -> str:
    """Say which patients two cohorts share: the ids, and what else agrees."""
    ids = sorted(set(first.patients.index) & set(second.patients.index))
    if not ids:
        return ""
    people = f"{counted(len(ids), 'patient id')} ({listing(ids, 3)})"
    facts = [cohort.patients.loc[ids] for cohort in (first, second)]
    chance, which = agreeing_facts(*facts)
    if chance <= _CHANCE:
        return f"{people}, and {listing(which, 4)} of these patients agree"
    if alike(first, second, ids) >= _ALIKE:
        return f"{people}, and the expression of these patients agrees"
    smaller = min(len(first.patients), len(second.patients))
    telling = [name for name in ids if not trivially_numbered(name)]
    if len(telling) < _FEWEST_PATIENTS or 2 * len(telling) <= smaller:
        return ""
    if personal_agreement(*facts) < _CONTRADICTED:
        return ""
    return (
        f"{people}, which two studies hardly number alike; if these are different people, join the "
        "name of the study to the id in the cohort file (`patient: {from_all: [study, subject]}`)"
    )


def alike(first: Fingerprint, second: Fingerprint, ids: list[str]) -> float:
    """Ask whether patients of one id are more alike than patients of different ids.

    The mean correlation of what is the patient's own, in standard deviations of what it is when ids
    are permuted; 0 with fewer than seven ids or too few genes.
    """
    genes = _common_genes(first, second)
    if genes is None or len(ids) < _FEWEST_ALIKE:
        return 0.0
    own = []
    for cohort, columns in zip((first, second), genes, strict=True):
        rows, values = cohort.own
        means = values[[rows[name] for name in ids]][:, columns].astype(float)
        means = means - means.mean(axis=0)
        own.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9))
    table = own[0] @ own[1].T
    centred = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    # Variance of the trace under permutations (Hoeffding 1951).
    deviation = np.sqrt((centred**2).sum() / (len(ids) - 1))
    return float(np.trace(centred) / deviation) if deviation > 0 else 0.0


# ---------------------------------------------------------------- what the sheets say

#: What says how a sample was treated, not who the patient is.
_NOT_OF_PATIENT = (
    *("sample", "patient", "state", "treatment", "drug_class", "dose_mg", "arm", "week"),
    "qc_flags",
)
#: A fact agrees if it does in this share of the patients.
_AGREE = 0.9
#: A fact that changes along the ids less than half as often as by chance was dealt out in blocks
#: (batch 1 for the first ten), as it would be anywhere.
_CHANGES = 0.5
#: Facts of a person that no two sheets give differently.
_PERSONAL = ("sex", "age")


def facts_of_patients(obs: pd.DataFrame) -> pd.DataFrame:
    """Whatever the sheet says of a patient before treatment, where it says one thing.

    What repeats the id of the patient or tells the arm is left out: trials are numbered and dealt
    alike everywhere.
    """
    start = obs[obs["week"].to_numpy(dtype=float) == BASELINE]
    start = start if len(start) else obs
    people = start["patient"].astype(str).to_numpy()
    ids = pd.Index(sorted(set(obs["patient"].astype(str))), name="patient")
    arm = start["arm"].astype(str).groupby(people).first()
    facts = {}
    for column in start.columns:
        name = re.sub(r"[\W_]+", " ", str(column).removeprefix("geo_").casefold()).strip()
        if name in {c.replace("_", " ") for c in _NOT_OF_PATIENT} or name in facts:
            # Every canonical column stands once more among the raw ones; the first is enough.
            continue
        if is_numeric_dtype(start[column]):
            text = start[column].map(lambda v: "" if pd.isna(v) else f"{v:g}")
        else:
            text = start[column].astype(object).map(lambda v: "" if pd.isna(v) else _read(str(v)))
        grouped = text.astype(str).groupby(people)
        fact = grouped.first().where(grouped.nunique() == 1, "").reindex(ids, fill_value="")
        repeats = [_repeats(v, name) for name, v in zip(ids, fact, strict=True) if v]
        dealt = arm.nunique() > 1 and fact.groupby(arm).nunique().max() == 1
        if 2 * sum(repeats) < len(repeats) and not dealt:
            facts[name] = fact
    return pd.DataFrame(facts, index=ids)


def _repeats(text: str, patient: str) -> bool:
    """Whether a text says the id of the patient, or the number in it."""
    if patient.casefold() in text:
        return True
    numbers = re.findall(r"\d+", patient)
    return bool(numbers) and int(numbers[-1]) in {int(n) for n in re.findall(r"\d+", text)[:9]}


def _read(text: str) -> str:
    """Numbers are compared as numbers."""
    text = text.strip().casefold()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def trivially_numbered(name: str) -> bool:
    """Say whether an id is one that any lab may give: one short number, or one or two letters.

    >>> [trivially_numbered(name) for name in ("P01", "patient 12", "1002", "A", "101-007")]
    [True, True, True, True, False]
    """
    return bool(re.fullmatch(r"[^\d]*\d{1,4}[^\d]*|[^\W\d_]{1,2}", name.strip()))


def agreeing_facts(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, list[str]]:
    """Find what two sheets say alike of the same ids (rows; empty where unknown).

    The probability that as much agrees among different people (1 if nothing does), and what agrees
    in nine of ten patients.
    """
    both = []
    for name in first.columns.intersection(second.columns, sort=False):
        a, b = first[name].to_numpy(), second[name].to_numpy()
        known = (a != "") & (b != "")
        if known.any():
            both.append((name, known, a[known], b[known]))
    if not any((a == b).mean() >= _AGREE for _, _, a, b in both):
        return 1.0, []  # As of most pairs of cohorts; what follows takes ten times as long.
    compared = []
    kinds = set()
    for name, known, a, b in both:
        # Two columns that tell people apart alike are one fact.
        kind = (*np.flatnonzero(known), *pd.factorize(a)[0])
        if kind in kinds or not (_scattered(a) and _scattered(b)):
            continue
        kinds.add(kind)
        same = a[:, None] == b[None, :]
        pairs, hits = same.size - len(same), int(np.trace(same))
        often = np.clip((same.sum() - hits) / pairs, 1 / (pairs + 1), 1 - 1e-9)
        compared.append((name, hits, len(same), often))
    agreed = [fact for fact in compared if fact[1] / fact[2] >= _AGREE]
    # Each fact pays for all that were looked at.
    chances = [
        min(stats.binom.sf(hits - 1, patients, often) * len(compared), 1.0)
        for _, hits, patients, often in agreed
    ]
    return float(np.prod(chances)), [str(name) for name, *_ in agreed]


def _scattered(values: np.ndarray) -> bool:
    """Whether a fact varies, and not in blocks along the ids."""
    if len(set(values)) < 2:
        return False
    _, counts = np.unique(values, return_counts=True)
    expected = (len(values) - 1) * (1 - ((counts / len(values)) ** 2).sum())
    return (values[1:] != values[:-1]).sum() >= _CHANGES * expected


def personal_agreement(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Share of the ids whose sex and age agree, of those where both sheets know them; else 1."""
    hits = [
        first.loc[known, name] == second.loc[known, name]
        for name in _PERSONAL
        if name in first and name in second
        for known in [(first[name] != "") & (second[name] != "")]
    ]
    agree = np.concatenate(hits) if hits else np.empty(0)
    return float(np.mean(agree)) if len(agree) else 1.0
