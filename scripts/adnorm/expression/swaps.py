"""Samples under the label of another: states exchanged at a visit, and genes of another person.

A patient's samples are compared with each other. What lesional skin looks like, and which genes
tell people apart, is learnt in the cohort itself, from the other patients; nobody's sheet is
believed more than the rest of the samples.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from adnorm.study.comparisons import BASELINE
from adnorm.study.vocabulary import State

#: With fewer patients nobody can say which one is odd.
FEWEST_PATIENTS = 6
#: Of 100 pairs, or samples, so many are taken to be under a wrong label before they are looked at …
PRIOR = 0.01
#: … and from this probability on one is said to be.
PROBABLE = 0.95
#: Makes the median absolute deviation comparable with a standard deviation.
_NORMAL = 1.4826
_FOLDS = 10
#: Genes that separate lesional from nonlesional skin best.
_DIRECTION_GENES = 200
#: Skin varies with heavier tails than the normal distribution has.
_MOST_FREEDOM = 20
#: States of one patient that vary together more than this would make small differences large.
_MOST_CORRELATION = 0.8
#: Share of the way from nonlesional to untreated lesional skin: whose side a sample is on.
_MIDDLE = 0.5
#: A gene tells people apart if its two levels differ by this much (log2) and by so many of the
#: standard deviations within them; samples in the middle of the way count for neither.
_LEVELS, _SEPARATION, _UNSURE = 1.5, 4.0, 0.2
#: Each level has this share of the patients, and at least two of them.
_SMALLEST_SHARE = 0.1
#: Cohen's kappa of two samples of one patient, of a gene that tells people apart; the lower one
#: is asked to find the patients in whom most genes are inconstant, whose samples may be swapped.
_CONSTANT, _CONSTANT_AT_FIRST = 0.8, 0.2
#: Less is asked of genes that are known to be inherited on two levels in skin: deletions and
#: variants that switch a gene off (a list that helps; a cohort needs none of them).
_CONSTANT_IF_INHERITED = 0.5
_INHERITED = frozenset(
    "CHI3L2 CHURC1 ERAP2 FAM118A GSTM1 GSTT1 GSTT2 GSTT2B HLA-DQA1 HLA-DQB1 HLA-DRB1 HLA-DRB4 "
    "HLA-DRB5 LILRA3 PEX6 PPIL3 PSPHP1 RPS4Y1 THNSL2 UGT2B17 UTS2 UTY XIST XRRA1 ZFP57".split()
)
#: Genes that agree in more patients than this are one piece of evidence (linked, or of one sex).
_LINKED = 0.7
_MOST_MARKERS = 50
#: So many of the patients have no say in the choice of genes.
_SUSPECTS = 0.2
#: Fewest genes that must speak against a label.
_FEWEST_MARKERS = 3
#: How often a gene is taken to be on the wrong level, at least: samples are mixed and degrade.
_LEAST_ERROR = 0.08
#: So many of the genes that differ are named.
_NAMED = 5
#: Values of genes that are looked at together: 16 MB.
_VALUES_AT_ONCE = 2_000_000


def _spread(values: np.ndarray) -> np.ndarray:
    """Median absolute deviation down the rows, as a standard deviation."""
    return _NORMAL * np.median(np.abs(values - np.median(values, axis=0)), axis=0)


# ---------------------------------------------------------------- states exchanged at a visit

_LS, _NL = str(State.LESIONAL), str(State.NONLESIONAL)
#: Patient, week and state → columns.
Groups = dict[tuple[str, float, str], list[int]]
EXCHANGE_COLUMNS = [
    *("patient", "week", "lesional", "nonlesional"),
    *("lesional_place", "nonlesional_place", "probability", "exchanged"),
]


def exchanged_states(log2: pd.DataFrame, sheet: pd.DataFrame) -> pd.DataFrame:
    """Judge for every patient and visit whether lesional and nonlesional skin are exchanged.

    Samples are placed on the direction from nonlesional to lesional skin before treatment of the
    patients of the other folds (ten folds; each patient alone up to ten patients): 0 is the median
    of nonlesional, 1 that of lesional skin before treatment. The two places of a pair are compared
    with those of the other patients, at baseline or at later visits: their medians, median absolute
    deviations and correlation are those of a bivariate t distribution (as many degrees of freedom
    as other patients, less one, at most 20), and the probability that the labels are exchanged
    follows from its density at the places as labelled and exchanged, if one pair in 100 is.
    Exchanged are pairs with a probability of at least 0.95 whose sample labelled lesional lies
    nearer to nonlesional skin, and the one labelled nonlesional nearer to untreated lesional
    skin. A lesion that treatment has cleared is therefore no evidence.

    Parameters
    ----------
    log2
        Genes × samples, or scores × samples.
    sheet
        sample, patient, state and week of each column, in that order.

    Returns
    -------
    DataFrame
        Columns `EXCHANGE_COLUMNS`, one row for every two samples of a patient's visit that were
        judged, sorted; empty for fewer than six patients with both states before treatment.
    """
    groups: Groups = {}
    columns = (sheet[name] for name in ("patient", "week", "state"))
    for row, (patient, week, state) in enumerate(zip(*columns, strict=True)):
        groups.setdefault((str(patient), float(week), str(state)), []).append(row)
    visits = sorted(
        (patient, week)
        for patient, week, state in groups
        if state == State.LESIONAL and (patient, week, State.NONLESIONAL) in groups
    )
    people = [patient for patient, week in visits if week == BASELINE]
    if len(people) < FEWEST_PATIENTS:
        return pd.DataFrame(columns=EXCHANGE_COLUMNS)
    places = _places(log2.to_numpy(dtype=float), groups, people, sorted({p for p, _ in visits}))
    pairs = np.array(
        [
            [places[groups[patient, week, state]].mean() for state in (_LS, _NL)]
            for patient, week in visits
        ]
    )
    start = np.array([week == BASELINE for _, week in visits])
    owner = np.array([patient for patient, _ in visits])
    placed = np.isfinite(pairs).all(axis=1)
    names = sheet["sample"].to_numpy()
    rows = []
    for visit, (patient, week) in enumerate(visits):
        others = placed & (owner != patient)
        peers = others & (start if week == BASELINE else ~start)
        count = len(set(owner[peers]))
        if count < FEWEST_PATIENTS - 1 or not placed[visit] or not (others & start).any():
            continue
        low, high = np.median(pairs[others & start], axis=0)[::-1]
        if high <= low:
            continue
        for first, second in product(groups[patient, week, _LS], groups[patient, week, _NL]):
            place = (places[[first, second]] - low) / (high - low)
            chance = _exchange_probability(place, (pairs[peers] - low) / (high - low), count)
            certain = chance >= PROBABLE and place[0] < _MIDDLE < place[1]
            rows.append((patient, week, names[first], names[second], *place, chance, certain))
    return pd.DataFrame(rows, columns=EXCHANGE_COLUMNS)


def _places(
    matrix: np.ndarray,
    groups: Groups,
    people: list[str],
    judged: list[str],
) -> np.ndarray:
    """Place each sample on a direction that its patient had no part in; others are missing.

    The unit is the median difference of the patients who define the direction.
    """
    means = {
        state: np.array([matrix[:, groups[p, BASELINE, state]].mean(axis=1) for p in people])
        for state in (_LS, _NL)
    }
    difference = means[_LS] - means[_NL]
    folds = min(_FOLDS, len(people))
    fold_of = {patient: i % folds for i, patient in enumerate(people)}
    own_fold = np.array([fold_of[patient] for patient in people])
    rows_of: dict[str, list[int]] = {}
    for (patient, _, _), rows in groups.items():
        rows_of.setdefault(patient, []).extend(rows)
    places = np.full(matrix.shape[1], np.nan)
    for fold in range(folds):
        others = own_fold != fold
        middle, spread = np.median(difference[others], axis=0), _spread(difference[others])
        # A gene that happens not to vary among a few patients is not a good one.
        spread += max(float(np.median(spread)), 1e-12)
        best = np.argsort(-np.abs(middle / spread), kind="stable")[:_DIRECTION_GENES]
        weights = middle[best] / spread[best] ** 2
        unit = np.median(difference[others][:, best] @ weights)
        zero = np.median(means[_NL][others][:, best] @ weights)
        # Who has no pair before treatment had no part in any direction.
        mine = [row for p in judged if fold_of.get(p, 0) == fold for row in rows_of[p]]
        if unit > 0 and mine:
            places[mine] = (weights @ matrix[best][:, mine] - zero) / unit
    return places


def _exchange_probability(place: np.ndarray, others: np.ndarray, people: int) -> float:
    """Probability that two places, lesional first, are exchanged, from the others' places."""
    from scipy.stats import multivariate_t

    spread = np.maximum(_spread(others), 1e-6)
    of_difference = _spread(others[:, :1] - others[:, 1:])[0]
    together = (spread @ spread - of_difference**2) / (2 * spread[0] * spread[1])
    correlation = np.clip(together, 0.0, _MOST_CORRELATION)
    covariance = np.outer(spread, spread) * np.array([[1, correlation], [correlation, 1]])
    cohort = multivariate_t(
        np.median(others, axis=0),
        covariance * (1 + 1 / people),
        df=min(people - 1, _MOST_FREEDOM),
    )
    gain = float(cohort.logpdf(place[::-1]) - cohort.logpdf(place))
    return float(1 / (1 + np.exp(np.clip(-gain, -700, 700)) * (1 - PRIOR) / PRIOR))


# ---------------------------------------------------------------- genes of another person

PERSON_COLUMNS = [
    *("sample", "patient", "markers", "unlike", "genes", "candidate", "candidate_unlike"),
    *("probability", "swapped"),
]


def other_patients(log2: pd.DataFrame, sheet: pd.DataFrame) -> pd.DataFrame:
    """Judge for every sample whether its genes are those of another patient than its label says.

    Genes that tell people apart are found in the cohort: on two levels, 1.5 log2 steps and four
    standard deviations apart, both of them frequent, and the same in all samples of a patient
    (kappa of at least 0.8) whatever the skin's state and treatment: deletions such as GSTM1's,
    HLA alleles, genes of the sexes. Of genes that go together in people one is kept. A sample
    is compared with the patient's other samples, with those of every other patient, and with
    nobody in particular. It is swapped if the probability that it is its own patient's is at most
    0.05 (of 100 samples one is taken to be swapped before it is looked at), and at least three
    genes differ from each of the patient's other samples.

    Parameters
    ----------
    log2
        Genes × samples.
    sheet
        sample and patient of each column, in that order.

    Returns
    -------
    DataFrame
        Columns `PERSON_COLUMNS`, one row for each sample with another one of its patient; empty
        for fewer than six such patients, or three such genes. ``probability`` is that of another
        person; ``unlike`` of the ``markers`` differ from the patient's most similar other sample,
        and ``genes`` names the clearest of these; ``candidate`` is empty when a person outside of
        the cohort is more likely than any other patient.
    """
    patients, people = pd.factorize(sheet["patient"].astype(str), sort=True)
    counts = np.bincount(patients, minlength=len(people))
    several = counts > 1
    if several.sum() < FEWEST_PATIENTS:
        return pd.DataFrame(columns=PERSON_COLUMNS)
    levels, names = _two_levels(log2, patients)
    inherited = np.array([name in _INHERITED for name in names], dtype=bool)
    levels, errors, kept = _markers(levels, patients, inherited)
    names = [names[i] for i in kept]
    if len(names) < _FEWEST_MARKERS:
        return pd.DataFrame(columns=PERSON_COLUMNS)
    known = ~np.isnan(levels)
    high = np.nanmean(levels, axis=1)
    rows = []
    for sample in np.flatnonzero(several[patients]):
        own, seen = patients[sample], known[:, [sample]]
        both = known & seen
        differ = (levels != levels[:, [sample]]) & both
        # By chance, as in a person who is drawn at random: also where a reference has no level.
        chance = np.log(np.where(levels[:, [sample]] == 1, high[:, None], 1 - high[:, None]))
        same = np.where(differ, np.log(errors)[:, None], np.log(1 - errors)[:, None])
        alike = np.where(both, same, np.where(seen, chance, 0.0)).sum(axis=0)
        # The person is that of any one of the patient's other samples: these may be swapped too.
        others = np.arange(len(patients)) != sample
        scale = alike.max()
        fit = np.where(others, np.exp(alike - scale), 0.0)
        left = counts - (np.arange(len(people)) == own)
        mean = np.bincount(patients, fit, len(people)) / np.maximum(left, 1)
        weights = np.append(mean, np.exp(np.where(seen, chance, 0.0).sum() - scale))
        weights *= np.where(np.arange(len(people) + 1) == own, 1 - PRIOR, PRIOR / len(people))
        probability = 1 - weights[own] / weights.sum()
        weights[own] = -1.0
        best = int(weights.argmax())
        unlike, reference = _fewest(differ, others & (patients == own))
        named = best < len(people)
        rows.append(
            (
                *(sheet["sample"].iloc[sample], people[own], len(names), unlike),
                ", ".join(names[i] for i in np.flatnonzero(differ[:, reference])[:_NAMED]),
                people[best] if named else "",
                _fewest(differ, patients == best)[0] if named else np.nan,
                *(probability, probability >= PROBABLE and unlike >= _FEWEST_MARKERS),
            )
        )
    return pd.DataFrame(rows, columns=PERSON_COLUMNS)


def _fewest(differ: np.ndarray, references: np.ndarray) -> tuple[int, int]:
    """Count the genes that differ from the most similar reference, and say which one it is."""
    counts = np.where(references, differ.sum(axis=0), len(differ) + 1)
    return int(counts.min()), int(counts.argmin())


def _two_levels(log2: pd.DataFrame, patients: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Divide the samples of every gene that has two levels: 0 low, 1 high, missing between them.

    Shape (genes, samples), the gene with the clearest levels first.
    """
    matrix = log2.to_numpy(dtype=float)
    count = matrix.shape[1]
    fewest = max(2, int(np.ceil(_SMALLEST_SHARE * count)))
    left = np.arange(1, count)
    allowed = (left >= fewest) & (count - left >= fewest)
    if not allowed.any():
        return np.empty((0, count)), []
    step = max(1, _VALUES_AT_ONCE // count)
    parts = [
        _divided(matrix[start : start + step], allowed, fewest)
        for start in range(0, len(matrix), step)
    ]
    kept, low, high, clear = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    chosen = np.flatnonzero(kept)
    clearest = np.argsort(-clear, kind="stable")
    chosen, low, high = chosen[clearest], low[clearest], high[clearest]
    way = (matrix[chosen] - low[:, None]) / (high - low)[:, None]
    levels = np.where(way > 0.5, 1.0, 0.0)
    levels[np.abs(way - 0.5) < _UNSURE / 2] = np.nan
    return levels, [str(gene) for gene in log2.index[chosen]]


def _divided(matrix: np.ndarray, allowed: np.ndarray, fewest: int) -> tuple[np.ndarray, ...]:
    """Find which of some genes have two levels; of these the levels, and how clear they are."""
    count = matrix.shape[1]
    left = np.arange(1, count)
    # Levels that are far apart leave a standard deviation of at least this.
    share = fewest / count
    wide = np.flatnonzero(matrix.std(axis=1) >= _LEVELS * np.sqrt(share * (1 - share)))
    ordered = np.sort(matrix[wide], axis=1)
    sums, squares = ordered.cumsum(axis=1), (ordered**2).cumsum(axis=1)
    low, high = sums[:, :-1] / left, (sums[:, -1:] - sums[:, :-1]) / (count - left)
    gain = np.where(allowed, left * (count - left) * (high - low) ** 2, -1.0)
    rows, cut = np.arange(len(wide)), gain.argmax(axis=1)
    low, high, divided = low[rows, cut], high[rows, cut], left[cut]
    within = squares[:, -1] - divided * low**2 - (count - divided) * high**2
    deviation = np.sqrt(np.maximum(within, 0) / max(count - 2, 1))
    apart = (high - low >= _LEVELS) & (high - low >= _SEPARATION * deviation)
    clear = ((high - low) / np.maximum(deviation, 1e-3))[apart]
    kept = np.zeros(len(matrix), dtype=bool)
    kept[wide[apart]] = True
    return kept, low[apart], high[apart], clear


def _markers(
    levels: np.ndarray, patients: np.ndarray, inherited: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Keep genes whose level is the patient's: levels, error rates, and which rows they are.

    A swap makes many genes inconstant in the same two patients. So the fifth of the patients in
    whom most genes are inconstant does not count when the genes are chosen.
    """
    member = np.equal.outer(np.arange(patients.max() + 1), patients).astype(float)
    known = ~np.isnan(levels)
    counts = known.astype(float) @ member.T
    highs = np.where(known, levels, 0.0) @ member.T
    lesser = np.minimum(highs, counts - highs)
    own = np.where(2 * highs == counts, np.nan, (2 * highs > counts).astype(float))
    several = np.bincount(patients) > 1

    def constant(trusted: np.ndarray, least: float | np.ndarray) -> np.ndarray:
        """Genes of which two samples of a trusted patient agree, beyond chance."""
        unlike = (highs * (counts - highs))[:, trusted].sum(axis=1)
        possible = (counts * (counts - 1) / 2)[:, trusted].sum(axis=1)
        ones, zeros = (own == 1).sum(axis=1), (own == 0).sum(axis=1)
        by_chance = 2 * ones * zeros / np.maximum(ones + zeros, 1) ** 2
        people = max(2, int(np.ceil(_SMALLEST_SHARE * len(several))))
        frequent = (np.minimum(ones, zeros) >= people) & (possible > 0)
        return frequent & (unlike <= (1 - least) * by_chance * possible)

    trusted, least = several, _CONSTANT_AT_FIRST
    left_out = max(2, int(_SUSPECTS * several.sum()))
    for _ in range(2):
        odd = (lesser > 0)[constant(trusted, least)].sum(axis=0)
        odd[~several] = -1
        trusted = several.copy()
        trusted[np.argsort(-odd, kind="stable")[:left_out]] = False
        least = _CONSTANT
    profiles = np.where(several & ~trusted, np.nan, own)
    # A gene that only the others differ in would seem to go together with every other gene.
    good = (profiles == 0).any(axis=1) & (profiles == 1).any(axis=1)
    good &= constant(trusted, np.where(inherited, _CONSTANT_IF_INHERITED, _CONSTANT))
    chosen: list[int] = []
    for gene in sorted(np.flatnonzero(good), key=lambda row: not inherited[row]):
        if not any(_linked(profiles[gene], profiles[other]) for other in chosen):
            chosen.append(int(gene))
        if len(chosen) == _MOST_MARKERS:
            break
    wrong = lesser[chosen][:, trusted].sum(axis=1) + 0.5
    errors = np.maximum(wrong / (counts[chosen][:, trusted].sum(axis=1) + 1), _LEAST_ERROR)
    return levels[chosen], errors, chosen


def _linked(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two genes have the same level, or the opposite one, in nearly the same people."""
    both = ~np.isnan(first) & ~np.isnan(second)
    if len(set(first[both])) < 2 or len(set(second[both])) < 2:
        return True
    return bool(abs(np.corrcoef(first[both], second[both])[0, 1]) > _LINKED)
