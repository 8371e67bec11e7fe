"""The disease axis: which genes it takes, that it cannot flatter a drug, and the scores on it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.effects.fit import benjamini_hochberg
from adnorm.effects.observations import Observations
from adnorm.index.axis import (
    COLUMNS,
    assign_folds,
    axis_scores,
    dependence,
    disease_axis,
    excluded_genes,
    fit_crossfit_axis,
    published_axis,
    winsorised,
)
from adnorm.index.normalization import normalization_index
from adnorm.index.sensitivities import percent_improvement
from adnorm.index.teaching import Teaching
from adnorm.study.axis_genes import AxisGenes
from adnorm.study.config import IndexSettings
from adnorm.study.gene_sets import Gene, GeneSet
from builders.axis_trials import (
    SETTINGS,
    clear_trial,
    crossfit,
    index_of,
    lesional_rows,
    paired_effects,
    train,
    trial,
)


def test_scores_are_centred_at_nonlesional_skin_and_linear():
    rng = np.random.default_rng(3)
    log2, observations = trial(rng, np.full(50, 1.0))
    weights = rng.normal(size=50)
    scores = axis_scores(log2, observations, weights)
    baseline = (observations["state"] == "nonlesional").to_numpy()
    assert scores[baseline].mean() == pytest.approx(0.0, abs=1e-10)
    shifted = axis_scores(log2 + rng.normal(size=(50, 1)), observations, weights)
    np.testing.assert_allclose(shifted, scores, atol=1e-9)
    np.testing.assert_allclose(axis_scores(3 * log2, observations, weights), 3 * scores, atol=1e-9)
    order = rng.permutation(50)
    np.testing.assert_allclose(
        axis_scores(log2[order], observations, weights[order]), scores, atol=1e-9
    )


def test_healthy_skin_is_the_zero_where_there_is_no_nonlesional_skin():
    log2, observations = trial(np.random.default_rng(4), np.full(20, 1.0))
    observations["state"] = observations["state"].replace("nonlesional", "healthy")
    scores = axis_scores(log2, observations, np.ones(20))
    assert scores[observations["state"] == "healthy"].mean() == pytest.approx(0.0, abs=1e-10)
    with pytest.raises(AdnormError, match="neither"):
        axis_scores(log2, observations.assign(state="lesional"), np.ones(20))


@pytest.fixture
def strong_trial():
    return clear_trial()


def test_healthy_people_stand_on_the_scale_of_the_patients(strong_trial):
    genes, log2, observations = strong_trial
    healthy = (observations["state"] == "nonlesional").to_numpy()
    people = observations[healthy].assign(
        state="healthy", arm="healthy", patient=lambda o: "h" + o["patient"]
    )
    both = pd.concat([observations, people], ignore_index=True)
    values = np.hstack([log2, log2[:, healthy]])
    axis = crossfit((genes, values, both))
    scores = axis_scores(values, both, axis.weights, axis.fold)
    assert not set(axis.fold.index) & set(people["patient"])
    assert scores[(both["state"] == "healthy").to_numpy()].mean() == pytest.approx(0, abs=1e-9)


# ---------------------------------------------------------------- a published list


GENES = np.array([f"G{i}" for i in range(8)])
#: Genes, and share of a list, that a cohort must have.
COVERAGE = 5, 0.5


def cohort(remaining=0.4, patients=8, noise=0.1, undetected=()):
    """Even genes rise by 2 in disease, odd ones fall by 2; a share is left after treatment."""
    rng = np.random.default_rng(1)
    signs = np.where(np.arange(len(GENES)) % 2, -1.0, 1.0)
    rows, columns = [], []
    for i in range(patients):
        normal = rng.normal(5, 1, len(GENES))
        for state, week, level in (
            *(("nonlesional", 0.0, 0.0), ("lesional", 0.0, 1.0)),
            ("lesional", 4.0, remaining),
        ):
            rows.append((f"p{i}", state, week, "drug"))
            columns.append(normal + 2 * level * signs + noise * rng.normal(size=len(GENES)))
    combined = pd.DataFrame(rows, columns=["patient", "state", "week", "arm"])
    facts = {"cohort": "made_up", "undetected": np.array(undetected, dtype=object)}
    log2 = np.array(columns).T
    return Observations(combined, combined, GENES, log2, None, None, facts)


def listed(genes=GENES, trained_on=()):
    weights = {g: -1.0 if int(g[1:]) % 2 else 1.0 for g in genes if g[1:].isdigit()}
    weights |= {g: 1.0 for g in genes if not g[1:].isdigit()}
    return AxisGenes("core", weights, trained_on)


def test_score_is_the_signed_sum_centred_at_nonlesional_skin_and_the_index_is_planted():
    data = cohort()
    axis = published_axis(data, listed(), {}, {}, *COVERAGE)
    signs = np.array([-1.0 if i % 2 else 1.0 for i in range(len(GENES))])
    plain = signs @ data.log2
    centre = plain[(data.combined["state"] == "nonlesional").to_numpy()].mean()
    np.testing.assert_allclose(axis.scores, plain - centre)
    assert (axis.table["reason"] == "").all()
    names = pd.DataFrame(
        {"level": "published_axis", "reason_code": "", "reason": ""}, index=["core"]
    )
    settings = IndexSettings(primary=("global",))
    values = pd.DataFrame({"core": axis.scores})
    found = normalization_index(values, data.combined, "nonlesional", "", settings, names)
    row = found.iloc[0]
    assert row["level"] == "published_axis"
    assert row["lower"] < 0.6 < row["upper"]
    # A list that a user adds does not enter the family whose false discovery rate is controlled.
    assert (row["family"], np.isnan(row["fdr"])) == ("none", True)


def test_absent_genes_are_listed_with_the_reason_and_weigh_nothing():
    genes = [*GENES, "UNSEEN", "FAINT", "OLD"]
    data = cohort(undetected=["FAINT"])
    excluded = {"G0": "composition: in comp_sebaceous"}
    table = published_axis(data, listed(genes), excluded, {"OLD": "G2"}, *COVERAGE).table
    table = table.set_index("gene")
    assert table.loc["G0", "reason"] == "composition: in comp_sebaceous"
    assert table.loc["UNSEEN", "reason"] == "not measured in this cohort"
    assert table.loc["FAINT", "reason"] == "below the expression filter in this cohort"
    twice = table.loc["G2"].sort_values("weight")
    assert twice["weight"].tolist() == [0.0, 1.0]
    assert "older symbol" in twice["reason"].iloc[0]
    assert (table.loc[table["reason"] != "", "weight"] == 0).all()
    assert (table.loc[table["reason"] == "", "weight"].abs() == 1).all()
    assert set(table["source"]) == {"published list core"}


@pytest.mark.parametrize(
    "genes", [GENES[:4], [*GENES[:5], *(f"X{i}" for i in range(101, 107))]], ids=["few", "share"]
)
def test_too_little_of_the_list_gives_no_score(genes):
    axis = published_axis(cohort(), listed(genes), {}, {}, *COVERAGE)
    assert axis.reason_code == "LOW_COVERAGE"
    assert f"of {len(genes)} genes of the list core are measured here" in axis.reason
    assert np.isnan(axis.scores).all()


def test_a_list_is_not_independent_where_it_was_made():
    assert "made from GSE58558" in dependence(listed(trained_on=("GSE58558",)), "GSE58558")
    assert dependence(listed(trained_on=("GSE58558",)), "GSE130588") == ""
    assert dependence(listed(), "") == ""


@pytest.fixture
def four_cohorts():
    """Genes that each break one rule, in the cohorts a, b, c and the judged one."""
    common = {"UP": 2.0, "DOWN": -2.5, "SMALL": 0.9, "NULL": 0.0, "SKIN": 3.0, "ELSEWHERE": 2.0}
    return pd.concat(
        [
            lesional_rows("a", common | {"MIXED": 4.0, "ONCE": 2.0}),
            lesional_rows("b", common | {"MIXED": 4.1, "NULL": 0.05}),
            lesional_rows("c", common | {"NULL": -0.05}),
            lesional_rows("judged", {"UP": -9.0, "ONCE": 9.0, "ONLY_HERE": 9.0}),
        ],
        ignore_index=True,
    )


PLATFORM = ["UP", "DOWN", "SMALL", "NULL", "SKIN", "MIXED", "ONCE", "ONLY_HERE"]


def table_of(effects):
    excluded = {"SKIN": "composition: in comp_sebaceous"}
    return train(effects, PLATFORM, excluded).table.set_index("gene")


def test_every_gene_left_out_says_why(four_cohorts):
    axis = table_of(four_cohorts)
    assert axis["reason"].to_dict() == {
        "DOWN": "",
        "ELSEWHERE": "not measured in this cohort",
        "MIXED": "",
        "NULL": "FDR not below 0.05",
        "ONCE": "measured in fewer than 2 other cohorts",
        "ONLY_HERE": "measured in fewer than 2 other cohorts",
        "SKIN": "composition: in comp_sebaceous",
        "SMALL": "|log2 fold change| not above 1",
        "UP": "",
    }
    assert (axis.loc[axis["reason"] != "", "weight"] == 0).all()
    assert axis.reset_index().columns.tolist() == COLUMNS


def test_the_weight_is_the_effect_over_the_variance(four_cohorts):
    axis = table_of(four_cohorts)
    assert axis.loc["UP", "effect"] == pytest.approx(2.0)
    assert axis.loc["UP", "weight"] == pytest.approx(2.0 / (0.1**2 * 20))
    assert axis.loc["DOWN", "weight"] == pytest.approx(-2.5 / (0.1**2 * 20))


def test_a_gene_whose_sign_differs_between_cohorts_is_left_out(four_cohorts):
    extra = pd.concat(
        [
            lesional_rows(c, {"MIXED": e}, error=s)
            for c, e, s in [("d", -3.0, 9.0), ("e", -3.0, 9.0), ("f", -3.0, 9.0)]
        ]
    )
    axis = table_of(pd.concat([four_cohorts, extra], ignore_index=True))
    assert axis.loc["MIXED", "reason"] == "sign agrees in 2 of 5 cohorts"


def test_the_judged_cohort_has_no_say(four_cohorts):
    changed = four_cohorts.copy()
    changed.loc[changed["cohort"] == "judged", "log2_fold_change"] = 0.0
    pd.testing.assert_frame_equal(table_of(four_cohorts), table_of(changed))


def test_the_order_of_rows_plays_no_part(four_cohorts):
    shuffled = four_cohorts.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(table_of(four_cohorts), table_of(shuffled))


def test_a_gene_twice_in_a_cohort_stops(four_cohorts):
    doubled = pd.concat([four_cohorts, four_cohorts.iloc[[0]]])
    with pytest.raises(AdnormError, match="'UP' stand twice"):
        table_of(doubled)


def test_without_other_cohorts_every_weight_is_zero(four_cohorts):
    alone = four_cohorts[four_cohorts["cohort"] == "judged"]
    axis = table_of(alone)
    assert (axis["weight"] == 0).all() and (axis["reason"] != "").all()


def test_the_largest_weights_are_cut():
    weights = winsorised(np.append(np.linspace(-1, 1, 199), 50.0))
    assert np.abs(weights).max() < 1.01 and weights[-1] > 0.98
    assert len(winsorised(np.empty(0))) == 0


def test_composition_genes_are_left_out_with_their_sets():
    sets = {
        name: GeneSet(name, name, "x", role, tuple(Gene(symbol=s) for s in symbols))
        for name, role, symbols in [
            ("comp_sebaceous", "composition", ["FADS2", "ELOVL3"]),
            ("comp_adipose", "composition", ["ELOVL3"]),
            ("itch", "primary", ["IL31"]),
        ]
    }
    assert excluded_genes(sets) == {
        "ELOVL3": "composition: in comp_sebaceous, comp_adipose",
        "FADS2": "composition: in comp_sebaceous",
    }


# ---------------------------------------------------------------- cross-fitting


def test_folds_are_even_in_every_arm_and_do_not_depend_on_order():
    patients = np.array([f"p{i:02d}" for i in range(23)])
    arms = np.array(["drug"] * 10 + ["placebo"] * 10 + ["healthy"] * 3)
    fold = assign_folds(patients, arms, 5, seed=1)
    assert len(fold) == 20
    for arm in ("drug", "placebo"):
        assert np.bincount(fold[patients[arms == arm]]).tolist() == [2] * 5
    order = np.random.default_rng(0).permutation(23)
    pd.testing.assert_series_equal(assign_folds(patients[order], arms[order], 5, seed=1), fold)
    assert not assign_folds(patients, arms, 5, seed=2).equals(fold)
    assert assign_folds(patients[:3], arms[:3], 5, seed=1).nunique() == 3


def test_a_patient_does_not_reach_the_weights_that_judge_them(strong_trial):
    genes, log2, observations = strong_trial
    before = crossfit(strong_trial)
    patient = "p03"
    changed = log2 + 5 * np.outer(
        np.random.default_rng(0).normal(size=len(genes)),
        (observations["patient"] == patient) & (observations["state"] == "lesional"),
    )
    after = crossfit((genes, changed, observations))
    own = before.fold[patient]
    np.testing.assert_array_equal(after.weights[:, own], before.weights[:, own])
    others = [f for f in range(5) if f != own]
    assert (after.weights[:, others] != before.weights[:, others]).any(axis=0).all()


def test_crossfit_table_says_what_is_used(strong_trial):
    axis = crossfit(strong_trial, excluded=["G000"])
    table = axis.table.set_index("gene")
    assert list(axis.table) == COLUMNS
    assert table.loc["G000", "reason"] == "composition" and table.loc["G000", "weight"] == 0
    assert table.loc["G001", "reason"] == "" and table.loc["G001", "weight"] > 0
    assert table.loc["G025", "weight"] < 0
    assert table.loc["G200", "reason"] == "not chosen in any fold of the cross-fit"


def test_without_signal_or_without_pairs_there_is_no_axis_and_a_reason(strong_trial):
    genes, log2, observations = strong_trial
    silent, sheet = trial(np.random.default_rng(6), np.zeros(300))
    axis = crossfit((genes, silent, sheet))
    assert not axis.weights.any() and "no gene" in axis.reason
    lesional = (observations["state"] == "lesional").to_numpy()
    axis = crossfit((genes, log2[:, lesional], observations[lesional].reset_index(drop=True)))
    assert not axis.weights.any() and axis.reason.startswith("0 patients")


def test_without_an_axis_the_reason_names_the_rule_and_following_it_helps(strong_trial):
    """What differs by p = 1e-20 is not called equal because it differs by less than was asked."""
    axis = crossfit(strong_trial, minimum_effect=6.0)
    assert "differ by more than 6 log2 steps" in axis.reason
    assert "`index: minimum_effect`" in axis.reason and "`index: fdr`" in axis.reason
    assert not re.search("no gene that differs", axis.reason)
    counted = re.search(r"of 300 genes (\d+) have a false discovery rate", axis.reason)
    assert 30 <= int(counted[1]) <= 60
    largest = float(re.search(r"largest: ([0-9.]+)", axis.reason)[1])
    assert 2 < largest < 6
    assert crossfit(strong_trial, minimum_effect=1.5).reason == ""
    assert set(axis.table["reason"]) == {"no axis: a fold of the cross-fit chooses no gene"}


def test_the_rule_may_be_the_rate_or_composition(strong_trial):
    genes, _, _ = strong_trial
    silent, sheet = trial(np.random.default_rng(6), np.zeros(300))
    reason = crossfit((genes, silent, sheet)).reason
    assert re.search(
        r"none have a false discovery rate below 0.05 .*\(lowest: (0\.\d+|1)\)", reason
    )
    assert "minimum_effect" not in reason
    reason = crossfit(strong_trial, excluded=genes).reason
    assert reason.endswith("of 300 genes none do not tell the composition of a biopsy")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"minimum_effect": 9.0}, "none differ by more than 9 log2 steps (`index: minimum_effect`)"
         " (largest: 4.05)"),
        ({"fdr": 0.0}, "none have a false discovery rate below 0 (`index: fdr`) (lowest: 0)"),
    ],
)  # fmt: skip
def test_the_rule_that_refuses_the_last_gene_of_other_cohorts_is_named(
    four_cohorts, changes, sentence
):
    axis = train(four_cohorts, PLATFORM, **changes)
    assert (axis.table["weight"] == 0).all() and not axis.weights.any()
    assert axis.reason.startswith(
        "no gene is chosen from 'a', 'b', 'c': of 9 genes 8 are measured here, 6 are measured in "
        "at least 2 other"
    )
    assert sentence in axis.reason


# ---------------------------------------------------------------- a useless drug


@pytest.fixture(scope="module")
def useless_drug():
    """Index (in points) of a drug without effect, by share of diseased genes and by method."""
    found = {}
    genes = np.array([f"G{i:04d}" for i in range(2000)])
    for share in (0.02, 0.10):
        rows = []
        for run in range(50):
            rng = np.random.default_rng(run)
            disease = np.zeros(len(genes))
            many = int(share * len(genes))
            disease[:many] = rng.choice([-1, 1], many) * rng.gamma(4, 1.5 / 4, many)
            teachers = []
            for name in "abc":
                differs = disease * rng.lognormal(0, 0.2, len(genes))
                teachers.append(paired_effects(*trial(rng, differs, 15), genes, name))
            log2, observations = trial(rng, disease)
            weights = train(pd.concat(teachers), genes).weights
            inside = fit_crossfit_axis(log2, genes, observations, {}, SETTINGS, run)
            own = paired_effects(log2, observations, genes, "judged")
            literal = {
                by: percent_improvement(log2, genes, observations, own, by).iloc[0]
                for by in ("fdr", "p_value")
            }
            rows.append(
                {
                    "external": 100
                    * index_of(axis_scores(log2, observations, weights), observations),
                    "crossfit": np.nan
                    if inside.reason
                    else 100
                    * index_of(
                        axis_scores(log2, observations, inside.weights, inside.fold), observations
                    ),
                    "literal_fdr": literal["fdr"]["percent_improvement"],
                    "literal_p_value": literal["p_value"]["percent_improvement"],
                    "note": literal["fdr"]["note"],
                }
            )
        found[share] = pd.DataFrame(rows)
    return found


@pytest.mark.parametrize("share", [0.02, 0.10])
@pytest.mark.parametrize("axis", ["external", "crossfit"])
def test_a_useless_drug_has_an_index_near_zero(useless_drug, share, axis):
    values = useless_drug[share][axis]
    assert values.notna().mean() > 0.9
    assert abs(values.median()) < 3


def test_the_literal_index_flatters_a_useless_drug_and_says_so(useless_drug):
    rare = useless_drug[0.02]
    assert rare["literal_p_value"].median() > 15
    for share in (0.02, 0.10):
        assert (useless_drug[share]["literal_fdr"] > 0).mean() > 0.6
        assert useless_drug[share]["note"].str.startswith("circular").all()


# ---------------------------------------------------------------- the table of a cross-fitted axis


def pairs_of(log2):
    """Lesional − non-lesional differences of `clear_trial`, patients × genes."""
    size = log2.shape[1] // 3
    return (log2[:, :size] - log2[:, size : 2 * size]).T


def test_the_effects_of_a_crossfit_axis_are_those_of_limma(strong_trial):
    """By limma's own fit of an intercept to the differences, and its moderated t."""
    import pylimma

    genes, log2, observations = strong_trial
    # Genes of unequal variance; if all were equal, the prior would have infinitely many degrees.
    log2 = log2 * np.sqrt(6 / np.random.default_rng(9).chisquare(6, (300, 1)))
    pairs = pairs_of(log2)
    table = crossfit((genes, log2, observations)).table
    fit = pylimma.e_bayes(pylimma.lm_fit(pairs.T, np.ones((len(pairs), 1))))
    np.testing.assert_allclose(table["effect"], pairs.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(table["p_value"], fit["p_value"][:, 0], rtol=1e-8)
    np.testing.assert_allclose(table["fdr"], benjamini_hochberg(fit["p_value"][:, 0]), rtol=1e-8)
    margin = stats.t.ppf(0.975, fit["df_total"]) * np.sqrt(fit["s2_post"] / len(pairs))
    np.testing.assert_allclose(table["upper"] - table["effect"], margin, rtol=1e-8)
    np.testing.assert_allclose(table["effect"] - table["lower"], margin, rtol=1e-8)
    assert set(table["cohorts"]) == {1}


def test_the_interval_of_a_crossfit_axis_ends_at_zero_where_confidence_is_one_minus_p(strong_trial):
    table = crossfit(strong_trial).table.set_index("gene")
    for gene in ("G100", "G200", "G250"):
        row = table.loc[gene]
        touching = crossfit(strong_trial, confidence=1 - row["p_value"]).table.set_index("gene")
        end = "lower" if row["effect"] > 0 else "upper"
        assert touching.loc[gene, end] == pytest.approx(0, abs=1e-9)
        assert (row["lower"] > 0 or row["upper"] < 0) == (row["p_value"] < 0.05)


def test_the_weight_of_a_crossfit_gene_is_the_mean_over_folds(strong_trial):
    axis = crossfit(strong_trial)
    order = np.argsort(strong_trial[0])
    assert axis.weights.shape == (300, 5)
    np.testing.assert_allclose(axis.table["weight"], axis.weights[order].mean(axis=1))


def test_the_weight_of_a_fold_is_the_effect_over_the_moderated_variance_of_the_others(strong_trial):
    import pylimma

    _, log2, _ = strong_trial
    axis = crossfit(strong_trial)
    for code in range(5):
        training = pairs_of(log2)[axis.fold.sort_index().to_numpy() != code]
        moderated = pylimma.squeeze_var(training.var(axis=0, ddof=1), len(training) - 1)["var_post"]
        expected = training.mean(axis=0) / moderated
        # The largest are cut; all others are given exactly.
        weights = axis.weights[:, code]
        inside = (weights != 0) & (np.abs(weights) < np.abs(weights).max())
        assert inside.sum() > 30
        units = expected[inside][0] / weights[inside][0]
        np.testing.assert_allclose(units * weights[inside], expected[inside], rtol=1e-9)
        # In units in which the disease effect of those who trained it is 1.
        assert training.mean(axis=0) @ weights == pytest.approx(1)


def test_two_pairs_describe_an_axis_and_one_does_not(strong_trial):
    genes, log2, observations = strong_trial
    for patients, described in ((2, True), (1, False)):
        keep = observations["patient"].isin([f"p{i:02d}" for i in range(patients)]).to_numpy()
        axis = crossfit((genes, log2[:, keep], observations[keep].reset_index(drop=True)))
        assert not axis.weights.any()
        assert axis.table["effect"].notna().all() == described
        assert axis.reason.startswith(f"{patients} patients")


@pytest.mark.parametrize(("patients", "folds", "trained"), [(4, 4, True), (3, 3, False)])
def test_a_fold_is_trained_on_three_patients_at_least(patients, folds, trained):
    disease = np.repeat([6.0, 0.0], [40, 260])
    genes, states = np.array([f"G{i:03d}" for i in range(300)]), ["lesional", "nonlesional"]
    rng = np.random.default_rng(5)
    values = [rng.normal(d, 0.2, (patients, 300)) for d in (disease, 0.0)]
    names = [f"p{i}" for i in range(patients)]
    sheet = pd.DataFrame({"patient": names * 2, "state": np.repeat(states, patients)})
    made_up = (genes, np.vstack(values).T, sheet.assign(week=0.0, arm="drug"))
    axis = crossfit(made_up, folds=folds)
    assert bool(axis.weights.any()) == trained
    assert ("too few" in axis.reason) != trained


def test_a_person_in_no_fold_is_scored_by_every_fold_as_often_as_it_has_patients():
    """Two patients in fold 0, one in fold 1: a healthy person gets ⅔ and ⅓ of the two weights."""
    observations = pd.DataFrame(
        {
            "patient": ["a", "b", "c", "a", "h"],
            "state": ["nonlesional"] * 3 + ["lesional", "healthy"],
            "week": 0.0,
        }
    )
    log2 = np.array([[1.0, 1.0, 1.0, 3.0, 7.0]])
    fold = pd.Series({"a": 0, "b": 0, "c": 1})
    scores = axis_scores(log2, observations, np.array([[1.0, 10.0]]), fold)
    np.testing.assert_allclose(scores, [0, 0, 0, 2 * 1, 6 * (2 / 3 * 1 + 1 / 3 * 10)], atol=1e-12)


def test_weights_are_cut_at_the_99th_percentile_of_their_size():
    weights = np.append(np.arange(1.0, 101.0), -300.0)
    # Of 101 sizes, 1 to 100 and 300, the 99th percentile is the 100th in order: 100.
    np.testing.assert_array_equal(winsorised(weights), np.append(np.arange(1.0, 101.0), -100.0))


def test_two_thirds_of_the_cohorts_are_enough_for_a_sign():
    agreeing = pd.concat(
        [lesional_rows(c, {"A": 3.0, "B": 3.0}, error=0.1) for c in ("a", "b")]
        + [lesional_rows("c", {"A": 3.0, "B": -0.2}, error=9.0)]
    )
    table = train(agreeing, ["A", "B"]).table.set_index("gene")
    assert table["reason"].to_dict() == {"A": "", "B": ""}


def test_a_limit_of_the_axis_is_not_itself_beyond_it():
    """`fdr` and `minimum_effect` are limits that a gene must pass, not reach."""
    rows = pd.concat([lesional_rows(c, {"A": 1.0, "B": 2.0}) for c in "ab"])
    table = train(rows, ["A", "B"], minimum_effect=1.0).table.set_index("gene")
    assert table["reason"].to_dict() == {"A": "|log2 fold change| not above 1", "B": ""}
    rate = float(table.loc["A", "fdr"])
    table = train(rows, ["A", "B"], minimum_effect=0.5, fdr=rate).table.set_index("gene")
    assert table.loc["A", "reason"].startswith("FDR not below")


def test_the_variance_of_a_gene_is_the_mean_over_the_cohorts_that_measured_it():
    """Errors 0.1 and 0.3 of 20 pairs each: σ² = (0.2 + 1.8) / 2 = 1; a third cohort lacks it."""
    rows = pd.concat(
        [
            lesional_rows("a", {"A": 2.0, "B": 9.0}, error=0.1),
            lesional_rows("b", {"A": 2.0, "B": 9.0}, error=0.3),
            lesional_rows("c", {"B": 9.0}, error=0.3),
        ]
    )
    table = train(rows, ["A", "B"]).table.set_index("gene")
    assert table.loc["A", "weight"] == pytest.approx(2.0 / 1.0)


@pytest.mark.parametrize(("measured", "enough"), [(5, True), (4, False)])
def test_the_fewest_genes_of_a_list_are_enough(measured, enough):
    axis = published_axis(cohort(), listed(GENES[:measured]), {}, {}, *COVERAGE)
    assert (axis.reason_code == "") == enough
    assert bool(np.isfinite(axis.scores).all()) == enough


@pytest.mark.parametrize(("absent", "enough"), [(5, True), (6, False)])
def test_the_smallest_share_of_a_list_is_enough(absent, enough):
    genes = [*GENES[:5], *(f"X{i}" for i in range(101, 101 + absent))]
    axis = published_axis(cohort(), listed(genes), {}, {}, *COVERAGE)
    assert (axis.reason_code == "") == enough


def test_genes_of_composition_and_older_symbols_do_not_count_in_the_share_of_a_list():
    """Of 13 genes 5 tell composition and 1 is an older symbol: 5 of 7 are measured."""
    genes = [*GENES[:5], "OLD", *(f"C{i}" for i in range(101, 106)), "X101", "X102"]
    excluded = {f"C{i}": "composition" for i in range(101, 106)}
    axis = published_axis(cohort(), listed(genes), excluded, {"OLD": "G2"}, 5, 0.7)
    assert axis.reason_code == ""
    axis = published_axis(cohort(), listed(genes), excluded, {"OLD": "G2"}, 5, 0.72)
    assert axis.reason.startswith("5 of 7 genes")


@pytest.mark.parametrize(
    ("teachers", "swap", "code"),
    [("ab", "", ""), ("ab", "swapped", ""), ("a", "", ""), ("a", "swapped", "DIRECTION_")],
)
def test_only_an_axis_of_its_own_hangs_on_the_labels_of_a_cohort(
    strong_trial, teachers, swap, code
):
    genes, log2, observations = strong_trial
    facts = {"cohort": "judged", "disease": "atopic dermatitis", "simulated": True}
    data = Observations(observations, observations, genes, log2, None, None, facts)
    effects = dict(zip(genes, np.repeat([2.0, -2.0, 0.0], [20, 20, 260]), strict=True))
    rows = Teaching.of(pd.concat([lesional_rows(name, effects) for name in teachers]))
    axis = disease_axis(data, rows, {}, SETTINGS, 1, swap)
    assert axis.reason_code.startswith(code) and bool(axis.reason_code) == bool(code)
    assert np.isfinite(axis.scores).all() == (code == "")
    assert axis.reason == (swap if code else "")
    assert set(axis.table["source"]) == {"other cohorts" if teachers == "ab" else "cross-fit"}
