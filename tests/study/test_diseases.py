"""One disease however it is spelled, and no axis or list of another one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.effects.observations import Observations
from adnorm.index.axis import disease_axis, published_axis
from adnorm.index.build import set_basis
from adnorm.index.teaching import Teaching
from adnorm.index.training_cohorts import find_training_cohorts
from adnorm.study.axis_genes import AxisGenes, read_axis_genes
from adnorm.study.diseases import disease_name, lookalikes, same_disease
from builders.axis_trials import SETTINGS, index_of, lesional_rows, paired_effects, trial

GENES = np.array([f"G{i:03d}" for i in range(400)])


@pytest.mark.parametrize(
    "text",
    [
        *("Atopic Dermatitis", " atopic  dermatitis ", "atopic_dermatitis", "atopic-dermatitis"),
        *("AD", "ad", "eczema", "Atopic eczema", "Atopic dermatitis (AD)", "eczema, atopic"),
        *("moderate-to-severe atopic dermatitis", "Atopic dermatitis, moderate to severe"),
        *("severe AD", "atopic dermatitis (eczema)", "ATOPIC\u00a0DERMATITIS"),
    ],
)
def test_spellings_of_one_disease_are_one(text):
    assert same_disease(text, "atopic dermatitis")


@pytest.mark.parametrize(
    "text",
    [
        *("psoriasis", "hand eczema", "nummular eczema", "contact dermatitis", "alopecia areata"),
        *("seborrheic dermatitis", "atopic dermatitis and psoriasis", "Netherton syndrome", ""),
        *("atopic asthma", "adult-onset Still's disease", "severe"),
    ],
)
def test_other_diseases_are_others(text):
    assert not same_disease(text, "atopic dermatitis")
    assert not same_disease("atopic dermatitis", text)


def test_psoriasis_has_its_own_spellings():
    for text in ("Psoriasis vulgaris", "plaque psoriasis", "PSO", "chronic plaque-type psoriasis"):
        assert disease_name(text) == "psoriasis"
    assert disease_name("psoriatic arthritis") == "psoriatic arthritis"


def test_a_slip_is_told_and_a_known_other_disease_is_not():
    assert lookalikes("atopic dermatitits", ["atopic dermatitis"]) == ["atopic dermatitis"]
    assert lookalikes("atopic dermatitis", ["paediatric atopic dermatitis"])
    assert lookalikes("atopic dermatitis", ["psoriasis", "contact dermatitis", "AD"]) == []


# ---------------------------------------------------------------- who teaches


def run_of(*diseases, effects=None):
    effects = effects or {"A": 2.0}
    return pd.concat(
        [lesional_rows(f"c{i}", effects, disease=d) for i, d in enumerate(diseases)],
        ignore_index=True,
    )


def test_a_cohort_is_taught_by_its_own_disease():
    table = run_of("psoriasis", "Psoriasis vulgaris", "PSO", "atopic dermatitis", "Eczema")
    assert find_training_cohorts(table, "c0", True, "psoriasis").cohorts == ["c1", "c2"]
    assert find_training_cohorts(table, "new", True, "AD").cohorts == ["c3", "c4"]
    assert find_training_cohorts(table, "new", True, "alopecia areata").cohorts == []


def test_a_misspelled_disease_is_left_out_with_the_line_to_mend():
    table = run_of("atopic dermatitis", "atopic dermatitits", "atopic dermatitis")
    found = find_training_cohorts(table, "c0", True, "atopic dermatitis")
    assert found.cohorts == ["c2"]
    assert "c1 ('atopic dermatitits')" in found.too_few and "`disease:`" in found.too_few


def observed(log2, observations, disease, cohort="judged"):
    facts = {"cohort": cohort, "simulated": True, "disease": disease}
    return Observations(observations, observations, GENES, log2, None, None, facts)


def two_diseases(seed, share_of_genes=40):
    """Effects of a disease and of another one on other genes, half of them shared."""
    rng = np.random.default_rng(seed)
    first, second = np.zeros(len(GENES)), np.zeros(len(GENES))
    first[:share_of_genes] = rng.choice([-2.0, 2.0], share_of_genes)
    second[20 : 20 + share_of_genes] = rng.choice([-2.0, 2.0], share_of_genes)
    return rng, first, second


@pytest.mark.parametrize("others", [0, 2], ids=["alone", "with two of its own"])
def test_a_psoriasis_trial_is_judged_on_psoriasis(others):
    """The drug takes half of psoriasis away, and nothing of what atopic dermatitis would be."""
    found, axes = [], []
    for seed in range(30):
        rng, psoriasis, dermatitis = two_diseases(seed)
        teachers = [
            paired_effects(*trial(rng, dermatitis, 15, noise=0.5), GENES, name) for name in "abc"
        ]
        teachers += [
            paired_effects(*trial(rng, psoriasis, 15, noise=0.5), GENES, f"p{i}").assign(
                disease="Psoriasis vulgaris"
            )
            for i in range(others)
        ]
        log2, observations = trial(rng, psoriasis, 12, effect=0.5, noise=0.5)
        lesional = Teaching.of(pd.concat(teachers, ignore_index=True))
        axis = disease_axis(observed(log2, observations, "psoriasis"), lesional, {}, SETTINGS, 1)
        assert axis.reason == ""
        used = set(axis.table.loc[axis.table["weight"] != 0, "gene"])
        assert used <= set(GENES[psoriasis != 0]) | set(GENES[60:])
        assert len(used & set(GENES[psoriasis != 0])) > 30
        found.append(index_of(axis.scores, observations))
        axes.append(axis)
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0.5, abs=0.03 + 2 * error)
    for axis in axes:
        assert axis.basis.startswith("axis of psoriasis")
        assert set(axis.table["disease"]) == {"psoriasis"}
        assert "atopic" not in axis.basis
    assert ("cross-fitted" in axes[0].basis) == (others == 0)
    assert ("p0, p1" in axes[0].basis) == (others == 2)


def test_without_an_axis_of_its_own_disease_there_is_none_and_a_reason():
    rng, psoriasis, dermatitis = two_diseases(1)
    teachers = [paired_effects(*trial(rng, dermatitis, 15), GENES, name) for name in "abc"]
    log2, observations = trial(rng, psoriasis, 12)
    keep = (observations["state"] == "lesional").to_numpy()
    healthy = observations["state"].replace("nonlesional", "healthy")
    people = observations.assign(state=healthy)
    people.loc[~keep, "patient"] = "h" + people.loc[~keep, "patient"]
    data = observed(log2, people, "alopecia areata")
    axis = disease_axis(data, Teaching.of(pd.concat(teachers)), {}, SETTINGS, 1)
    assert np.isnan(axis.scores).all() and axis.reason_code == "NOT_SCORED"
    assert "none teaches an axis of alopecia areata" in axis.reason
    assert "0 patients have lesional and nonlesional skin" in axis.reason


# ---------------------------------------------------------------- a published list


def listed(tmp_path, text):
    path = tmp_path / "core.tsv"
    path.write_text(text, encoding="utf-8")
    return read_axis_genes(path)


def test_a_list_says_its_disease(tmp_path):
    head = "gene\tdirection\tdisease\n"
    assert listed(tmp_path, "gene\tdirection\nA\tup\n").disease == "atopic dermatitis"
    assert listed(tmp_path, head + "A\tup\tPsoriasis\nB\tup\tNA\n").disease == "Psoriasis"
    both = head + "A\tup\tAD\nB\tdown\tatopic dermatitis\n"
    assert same_disease(listed(tmp_path, both).disease, "atopic dermatitis")
    with pytest.raises(AdnormError, match="belongs to one disease"):
        listed(tmp_path, head + "A\tup\tpsoriasis\nB\tup\tatopic dermatitis\n")


@pytest.mark.parametrize(
    ("cohort", "disease", "judged"),
    [
        ("psoriasis", "atopic dermatitis", False),
        ("psoriasis", "psoriasis vulgaris", True),
        ("Atopic eczema", "atopic dermatitis", True),
        ("atopic dermatitis", "psoriasis", False),
    ],
)
def test_a_list_judges_cohorts_of_its_disease_only(cohort, disease, judged):
    _, effects, _ = two_diseases(2)
    log2, observations = trial(np.random.default_rng(3), effects)
    weights = dict(zip(GENES[:40], np.sign(effects[:40]), strict=True))
    data = observed(log2, observations, cohort)
    axis = published_axis(data, AxisGenes("core", weights, (), disease), {}, {}, 5, 0.5)
    assert np.isfinite(axis.scores).all() == judged
    assert axis.reason_code == ("" if judged else "OTHER_DISEASE")
    assert (axis.table["weight"] != 0).any() == judged
    assert disease in (axis.basis if judged else axis.reason)
    assert judged or cohort in axis.reason


def test_sets_say_whose_directions_they_have():
    assert set_basis("Atopic dermatitis") == "directions of the gene sets"
    assert "of atopic dermatitis), against the effect of psoriasis" in set_basis("psoriasis")
