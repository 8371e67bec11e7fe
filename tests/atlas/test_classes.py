"""Drug classes: matched windows only, one trial is descriptive, nothing is mixed in."""

from __future__ import annotations

import dataclasses

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from adnorm.atlas.build import build
from adnorm.atlas.classes import (
    BETWEEN,
    COLUMNS,
    class_table,
    combine,
    read_published,
    window_of,
)
from adnorm.atlas.cohort_results import CohortResults, read_cohort
from adnorm.base.errors import AdnormError
from adnorm.base.tables import read_table, write_table
from adnorm.effects.fit import benjamini_hochberg
from adnorm.index.meta import combine_studies, contrast_groups
from adnorm.index.normalization import COLUMNS as INDEX_COLUMNS
from adnorm.index.teaching import writing
from adnorm.study.config import IndexSettings
from adnorm.study.vocabulary import drug_family

SETTINGS = IndexSettings()
JAKI, BIOLOGIC = "JAK inhibitor", "anti-IL-13"
NOTHING = pd.DataFrame(
    columns=["drug", "drug_class", "dose", "week", "measure", "value", "unit", "source", "note"]
)


def cohort(name, kind, arms, simulated=False, disease="atopic dermatitis", placebo=True):
    """A cohort whose index table says `arms`: (dose, week, dNI, standard error) of ``global``."""
    index = pd.DataFrame(
        [
            {
                "arm": f"{name} drug {dose} mg",
                "week": float(week),
                "reference": "nonlesional",
                "level": "global",
                "name": "global",
                "family": "primary",
                "dni": dni if placebo else np.nan,
                "dni_lower": dni - 2 * error if placebo else np.nan,
                "dni_upper": dni + 2 * error if placebo else np.nan,
                "dni_standard_error": error if placebo else np.nan,
                "dni_reason_code": "" if placebo else "NO_PLACEBO",
                "dni_reason": "" if placebo else "no placebo arm: the index is uncontrolled",
                "pairs": 10,
                "status": "ok",
                "reason_code": "",
                "reason": "",
            }
            for dose, week, dni, error in arms
        ]
    )
    samples = pd.DataFrame(
        [(f"{name} drug {dose} mg", f"{name} drug", kind, float(dose)) for dose, *_ in arms]
        + [("placebo", "placebo", "placebo", np.nan)],
        columns=["arm", "treatment", "drug_class", "dose_mg"],
    )
    return CohortResults(
        name, disease, simulated, "placebo" if placebo else "", index, pd.DataFrame(), samples
    )


def ask(*cohorts, published=NOTHING):
    return class_table(list(cohorts), published, SETTINGS)


def test_one_trial_a_class_is_descriptive_and_says_that_it_is_confounded():
    table = ask(
        cohort("one", JAKI, [(100, 4, 0.5, 0.1)]), cohort("two", BIOLOGIC, [(300, 4, 0.2, 0.1)])
    )
    assert list(table.columns) == COLUMNS
    first = table.iloc[0]
    assert (first["question"], first["drug_class"], first["other_class"]) == (
        "difference",
        "JAK inhibitor",
        "biologic",
    )
    assert first["dni"] == pytest.approx(0.3)
    classes = table[table["question"] == "class"]
    for _, row in pd.concat([classes, table.iloc[:1]]).iterrows():
        assert row["status"] == "descriptive"
        assert "drug class cannot be separated from trial" in row["reason"]
    said = "one is the only trial of JAK inhibitor and two is the only trial of biologic"
    assert said in first["reason"]
    assert classes[[*BETWEEN, "p_value"]].isna().all(axis=None)
    # The class and its family.
    assert classes["dni"].tolist() == pytest.approx([0.5, 0.2, 0.2])
    # Alone, a trial has its own interval.
    assert classes[["lower", "upper"]].to_numpy()[0] == pytest.approx([0.3, 0.7])


def test_one_trial_against_one_has_no_interval_and_no_p_value():
    first = ask(
        cohort("one", JAKI, [(100, 4, 0.9, 0.01)]), cohort("two", BIOLOGIC, [(300, 4, 0.2, 0.01)])
    ).iloc[0]
    assert first["dni"] == pytest.approx(0.7) and first["trials"] == 2
    assert first[["lower", "upper", "standard_error", "p_value", *BETWEEN]].isna().all()
    assert "no variation between trials: no interval, no p-value" in first["reason"]


def test_two_classes_share_one_variance_between_trials():
    effects, errors = [0.7, 0.5, 0.2, 0.35, 0.1], [0.1, 0.12, 0.09, 0.3, 0.1]
    kinds = [JAKI, JAKI, BIOLOGIC, BIOLOGIC, BIOLOGIC]
    trials = [
        cohort(f"t{i}", kind, [(100, 4, e, s)])
        for i, (kind, e, s) in enumerate(zip(kinds, effects, errors, strict=True))
    ]
    row = ask(*trials).iloc[0]
    signs = np.array([1, 1, -1, -1, -1])
    expected = contrast_groups(np.array([effects]), np.array([errors]) ** 2, signs)
    for column, value in (
        ("dni", expected.effect),
        ("lower", expected.lower),
        ("standard_error", expected.standard_error),
        ("p_value", expected.p_value),
        ("tau2", expected.tau2),
    ):
        assert row[column] == pytest.approx(value[0])
    assert (row["status"], row["reason"], row["trials"]) == ("ok", "", 5)
    assert row["cohorts"] == "t0;t1 against t2;t3;t4"
    shares = expected.weights[0]
    said = [f"t{i} {share:.0%}" for i, share in enumerate(shares)]
    assert row["weights"] == f"{'; '.join(said[:2])} against {'; '.join(said[2:])}"
    assert np.isnan(row["prediction_lower"])


def test_one_trial_against_three_has_an_interval_and_is_descriptive():
    trials = [cohort(f"t{i}", BIOLOGIC, [(1, 4, 0.1 * i, 0.1)]) for i in range(3)]
    row = ask(cohort("one", JAKI, [(1, 4, 0.9, 0.1)]), *trials).iloc[0]
    assert row["lower"] < row["dni"] < row["upper"] and row["p_value"] < 1
    assert row["status"] == "descriptive"
    assert "one is the only trial of JAK inhibitor in this window" in row["reason"]
    assert "no interval" not in row["reason"]


def test_interval_and_p_value_never_contradict():
    rng = np.random.default_rng(5)
    effects, errors = rng.normal(0.3, 0.3, (400, 5)), rng.uniform(0.05, 0.3, (400, 5))
    for signs in (np.ones(5), np.array([1, 1, -1, -1, -1])):
        table, _ = combine(pd.DataFrame(effects), pd.DataFrame(errors), signs, 0.95)
        apart = (table["lower"] > 0) | (table["upper"] < 0)
        assert 0.02 < apart.mean() < 0.9
        assert (apart == (table["p_value"] < 0.05)).all()


def test_a_trial_of_both_classes_is_not_said_to_be_confounded():
    both = cohort("c", JAKI, [(20, 4, 0.5, 0.1)])
    other = cohort("c", BIOLOGIC, [(300, 4, 0.3, 0.1)])
    for frame in (other.index, other.samples):
        frame["arm"] = frame["arm"].str.replace("c drug", "c other")
    other.samples["treatment"] = other.samples["treatment"].str.replace("c drug", "c other")
    both = dataclasses.replace(
        both,
        index=pd.concat([both.index, other.index], ignore_index=True),
        samples=pd.concat([both.samples, other.samples], ignore_index=True),
    )
    row = ask(both).query("question == 'difference'").iloc[0]
    assert (row["dni"], row["status"]) == (pytest.approx(0.2), "descriptive")
    assert row["reason"] == (
        "descriptive: 'c' gave both against one placebo arm. One trial against one shows no "
        "variation between trials: no interval, no p-value"
    )
    assert np.isnan(row["lower"])
    # Beside a second trial there is an interval, of trials that are taken as independent.
    row = (
        ask(both, cohort("d", JAKI, [(20, 4, 0.6, 0.1)])).query("question == 'difference'").iloc[0]
    )
    assert row["lower"] < row["dni"] < row["upper"]
    assert row["reason"] == (
        "descriptive: 'c' gave both against one placebo arm, and they are taken as independent: "
        "the interval is wider than need be"
    )


def test_several_trials_are_combined_by_random_effects():
    effects, errors = [0.5, 0.3, 0.7], [0.1, 0.12, 0.09]
    trials = [
        cohort(f"t{i}", JAKI, [(100, 4, e, s)])
        for i, (e, s) in enumerate(zip(effects, errors, strict=True))
    ]
    table = ask(*trials)
    row = table[table["question"] == "class"].iloc[0]
    expected = contrast_groups(np.array([effects]), np.array([errors]) ** 2, np.ones(3))
    laird = combine_studies(np.array([effects]), np.array([errors]) ** 2)
    for column, value in (
        ("dni", expected.effect),
        ("lower", expected.lower),
        ("upper", expected.upper),
        ("p_value", expected.p_value),
        ("tau2", expected.tau2),
        ("i2", expected.i2),
        ("dl", laird.effect),
        ("dl_lower", laird.lower),
        ("dl_upper", laird.upper),
    ):
        assert row[column] == pytest.approx(value[0])
    assert row["status"] == "ok" and row["trials"] == 3 and row["cohorts"] == "t0;t1;t2"
    # Two degrees of freedom: tau2 and the error of the mean under the t quantile 4.3.
    spread = np.sqrt(expected.tau2[0] + expected.standard_error[0] ** 2)
    assert row["prediction_upper"] == pytest.approx(row["dni"] + 4.3026527297 * spread)
    assert row["prediction_lower"] == pytest.approx(row["dni"] - 4.3026527297 * spread)
    assert ask(*trials[:2]).query("question == 'class'")["prediction_upper"].isna().all()


def test_trials_that_agree_by_chance_are_exploratory_and_say_what_their_patients_show():
    """Hartung and Knapp's interval of three equal estimates has almost no width."""
    trials = [cohort(f"c{i}", JAKI, [(20, 4, 0.3 + i / 100, 0.3)]) for i in range(3)]
    row = ask(*trials).query("question == 'class'").iloc[0]
    assert row["upper"] - row["lower"] < 0.06 and row["status"] == "exploratory"
    # 1.96 × 0.3 / √3
    assert "by these alone the interval would be ± 0.34" in row["reason"]
    apart = [cohort(f"c{i}", JAKI, [(20, 4, 0.3 * i, 0.3)]) for i in range(3)]
    row = ask(*apart).query("question == 'class'").iloc[0]
    assert (row["status"], row["reason"]) == ("ok", "")


def test_the_weight_of_a_trial_is_its_share_in_its_class_and_drugs_of_one_trial_share_it():
    small = cohort("small", JAKI, [(20, 4, 0.4, 0.3)])
    big = cohort("big", JAKI, [(20, 4, 0.5, 0.1)])
    other = cohort("big", JAKI, [(20, 4, 0.6, 0.1)])
    for frame in (other.index, other.samples):
        frame["arm"] = frame["arm"].str.replace("big drug", "big other")
    other.samples["treatment"] = other.samples["treatment"].str.replace("big drug", "big other")
    big = dataclasses.replace(
        big,
        index=pd.concat([big.index, other.index], ignore_index=True),
        samples=pd.concat([big.samples, other.samples], ignore_index=True),
    )
    table = ask(small, big)
    row = table.query("question == 'class'").iloc[0]
    # Without variance between trials they weigh as their standard errors: 100 to 11.1.
    assert row["weights"] == "big 90%; small 10%"
    weights = table.query("question == 'trial'").set_index("drug")["weight"]
    assert weights.to_dict() == pytest.approx(
        {"big drug": 45.0, "big other": 45.0, "small drug": 10.0}
    )


def test_no_small_trial_weighs_more_than_a_larger_one_however_trials_differ():
    rng = np.random.default_rng(6)
    errors = np.sort(rng.uniform(0.05, 0.5, (300, 5)), axis=1)
    effects = rng.normal(0, np.hypot(errors, 0.4))
    _, shares = combine(pd.DataFrame(effects), pd.DataFrame(errors), np.ones(5), 0.95)
    assert (np.diff(shares.to_numpy(), axis=1) <= 0).all()
    assert shares.to_numpy().sum(axis=1) == pytest.approx(1)


def test_rates_are_adjusted_over_windows_and_names_within_a_family():
    trials = [
        cohort(
            f"t{i}", kind, [(1, week, dni + 0.1 * i, 0.1) for week, dni in ((4, 0.5), (12, 0.2))]
        )
        for i, kind in enumerate([JAKI, JAKI, BIOLOGIC, BIOLOGIC])
    ]
    for trial in trials:
        second = trial.index.assign(name="th2", level="set", family="secondary")
        third = trial.index.assign(name="own", level="set", family="none")
        joined = pd.concat([trial.index, second, third], ignore_index=True)
        object.__setattr__(trial, "index", joined)
    table = ask(*trials)
    rows = table[(table["question"] == "difference") & table["p_value"].notna()]
    assert len(rows) == 6
    adjusted = rows[rows["family"] == "secondary"]
    assert adjusted["fdr"].tolist() == benjamini_hochberg(adjusted["p_value"].to_numpy()).tolist()
    assert rows.loc[rows["family"] != "secondary", "fdr"].isna().all()


def test_leave_one_out_is_the_meta_analysis_of_the_rest():
    trials = [cohort(f"t{i}", JAKI, [(1, 4, 0.2 * i, 0.1)]) for i in range(1, 4)]
    rows = ask(*trials).query("question == 'leave_one_out'").set_index("left_out")
    assert sorted(rows.index) == ["t1", "t2", "t3"]
    rest = ask(*trials[1:]).query("question == 'class'").iloc[0]
    assert rows.loc["t1", "dni"] == pytest.approx(rest["dni"])
    assert rows.loc["t1", "cohorts"] == "t2;t3"


def test_a_name_of_two_trials_is_left_with_one_and_has_no_leave_one_out():
    trials = [cohort(f"t{i}", JAKI, [(1, 4, 0.2 * i, 0.1)]) for i in range(1, 4)]
    for trial in trials[:2]:
        second = trial.index.assign(name="th2", level="set")
        object.__setattr__(trial, "index", pd.concat([trial.index, second], ignore_index=True))
    table = ask(*trials)
    means = table.query("question == 'class'").set_index("name")["trials"]
    assert means.to_dict() == {"global": 3, "th2": 2}
    rows = table.query("question == 'leave_one_out'")
    assert list(zip(rows["name"], rows["left_out"], strict=True)) == [
        ("global", "t1"),
        ("global", "t2"),
        ("global", "t3"),
    ]
    # What a trial itself brings is of one trial.
    assert (table.loc[table["question"] == "trial", "trials"] == 1).all()


def test_different_windows_are_refused_with_the_reason():
    table = ask(
        cohort("one", JAKI, [(100, 4, 0.5, 0.1)]), cohort("two", BIOLOGIC, [(300, 16, 0.9, 0.1)])
    )
    refused = table[table["question"] == "difference"]
    assert set(refused["reason_code"]) == {"UNMATCHED_WINDOW"} and len(refused) == 2
    assert refused["dni"].isna().all()
    assert "week 4" in refused["reason"].iloc[0] and "only at week 16" in refused["reason"].iloc[0]


def test_simulated_and_real_trials_are_never_joined():
    table = ask(
        cohort("real", JAKI, [(1, 4, 0.5, 0.1)]),
        cohort("demo", JAKI, [(1, 4, 0.1, 0.1)], simulated=True),
        cohort("demo2", BIOLOGIC, [(1, 4, 0.1, 0.1)], simulated=True),
    )
    assert (table.loc[table["question"] == "class", "trials"] == 1).all()
    differences = table[table["question"] == "difference"].set_index("simulated")
    assert differences.loc["yes", "cohorts"] == "demo against demo2"
    assert differences.loc["no", "reason_code"] == "NO_TRIAL"


def test_other_diseases_stay_out_with_the_reason():
    trial = cohort("areata", JAKI, [(1, 4, 0.5, 0.1)], disease="alopecia areata")
    table = ask(trial, cohort("two", BIOLOGIC, [(300, 4, 0.2, 0.1)]))
    row = table[table["reason_code"] == "OTHER_DISEASE"].iloc[0]
    assert "alopecia areata" in row["reason"] and np.isnan(row["dni"])
    assert JAKI not in set(table.loc[table["question"] == "class", "drug_class"])


@pytest.mark.parametrize("spelled", ["Atopic Dermatitis", "AD", "atopic eczema"])
def test_another_spelling_of_the_disease_enters(spelled):
    trial = cohort("one", JAKI, [(1, 4, 0.5, 0.1)], disease=spelled)
    table = ask(trial, cohort("two", BIOLOGIC, [(300, 4, 0.2, 0.1)]))
    assert "OTHER_DISEASE" not in set(table["reason_code"])
    assert JAKI in set(table.loc[table["question"] == "class", "drug_class"])


def test_a_slip_in_the_disease_is_told():
    table = ask(cohort("one", JAKI, [(1, 4, 0.5, 0.1)], disease="atopic dermatitits"))
    row = table[table["reason_code"] == "OTHER_DISEASE"].iloc[0]
    assert "write it so under `disease:`" in row["reason"]


def test_highest_dose_and_nearest_visit_enter_whatever_they_say():
    arms = [(100, 12, 0.9, 0.1), (200, 8, 0.8, 0.1), (200, 12, 0.1, 0.1), (200, 6.5, 0.7, 0.1)]
    table = ask(cohort("one", JAKI, arms))
    row = table[table["question"] == "class"].iloc[0]
    assert row["dni"] == pytest.approx(0.1) and row["weeks"] == "12"
    outside = table[table["reason_code"] == "NO_WINDOW"].iloc[0]
    assert "week 6.5" in outside["reason"]


@pytest.mark.parametrize(
    ("visits", "entered"),
    [
        (range(1, 19), ["2", "4", "12", "16"]),
        # Where the middle was not visited, the nearest; of two as near, the earlier.
        ((1, 3, 5, 6, 11, 13, 15, 18), ["1", "5", "11", "15"]),
    ],
)
def test_the_visit_nearest_to_the_middle_of_each_window_enters(visits, entered):
    table = ask(cohort("one", JAKI, [(100, week, 0.5, 0.1) for week in visits]))
    rows = table[table["question"] == "class"]
    assert rows["window"].tolist() == ["weeks 1-3", "weeks 4-6", "weeks 8-14", "weeks 15-18"]
    assert rows["weeks"].tolist() == entered


def test_a_trial_without_placebo_is_refused():
    table = ask(cohort("one", JAKI, [(100, 4, 0.5, 0.1)], placebo=False))
    assert table["question"].tolist() == ["trial"]
    assert table["reason_code"].tolist() == ["NO_PLACEBO"]
    assert "uncontrolled" in table["reason"].iloc[0]


def test_a_small_placebo_arm_makes_the_difference_exploratory():
    trial = cohort("c", JAKI, [(20, 4, 0.4, 0.1)])
    trial.index["dni_reason"] = "exploratory: a group has fewer than 6 people"
    row = ask(trial).query("question == 'trial'").iloc[0]
    assert (row["dni"], row["status"]) == (0.4, "exploratory")
    assert row["reason"] == "exploratory: a group has fewer than 6 people"


def test_without_any_answer_or_published_result_the_columns_are_left():
    nothing = cohort("c", JAKI, [(20, 4, 0.4, 0.1)])
    nothing = dataclasses.replace(nothing, index=nothing.index.iloc[:0])
    assert (len(ask(nothing)), list(ask(nothing, nothing).columns)) == (0, COLUMNS)


def test_an_unbounded_difference_keeps_its_own_reason():
    trial = cohort("alpha", JAKI, [(100, 4, 0.5, 0.1)])
    said = {"dni_reason_code": "DENOM_NOT_ESTIMABLE", "dni_reason": "the interval is unbounded"}
    index = trial.index.assign(dni=np.nan, dni_lower=np.nan, dni_upper=np.nan, **said)
    table = ask(dataclasses.replace(trial, index=index))
    row = table[table["question"] == "trial"].iloc[0]
    assert (row["status"], row["reason_code"]) == ("NA", "DENOM_NOT_ESTIMABLE")
    assert row["reason"] == "the interval is unbounded"


def test_a_trial_that_made_the_list_is_shown_and_not_combined():
    """A published axis is no independent measure where it was trained."""
    trials = [cohort(n, JAKI, [(100, 4, 0.5, 0.1)]) for n in ("alpha", "beta", "gamma")]
    for trial in trials:
        trial.index["level"], trial.index["name"] = "published_axis", "core"
    said = {"status": "exploratory", "reason": "exploratory: not independent: made from GSE1"}
    trials[1] = dataclasses.replace(trials[1], index=trials[1].index.assign(**said))
    table = ask(*trials)
    combined = table[(table["question"] == "class") & (table["drug_class"] == JAKI)]
    assert combined["cohorts"].tolist() == ["alpha;gamma"]
    shown = table[(table["question"] == "trial") & (table["cohorts"] == "beta")].iloc[0]
    assert (shown["status"], shown["dni"]) == ("exploratory", 0.5)


def test_order_of_cohorts_does_not_matter():
    cohorts = [
        cohort(f"t{i}", k, [(1, 4, 0.1 * i, 0.1)]) for i, k in enumerate([JAKI, BIOLOGIC] * 2)
    ]
    pd.testing.assert_frame_equal(ask(*cohorts), ask(*cohorts[::-1]))


@pytest.mark.parametrize(
    ("drug_class", "expected"),
    [
        ("JAK/SYK inhibitor", "JAK inhibitor"),
        ("Janus kinase inhibitor", "JAK inhibitor"),
        ("non-JAK immunosuppressant", "non-JAK immunosuppressant"),
        ("anti-IL-4Ra", "biologic"),
        ("anti-OX40", "biologic"),
        ("monoclonal antibody", "biologic"),
        ("anti-inflammatory", "anti-inflammatory"),
    ],
)
def test_the_family_of_a_class(drug_class, expected):
    assert drug_family(drug_class) == expected


def test_windows_and_families():
    # Both ends belong to a window.
    for week in np.arange(0, 20, 0.5):
        for first, last in ((1, 3), (4, 6), (8, 14), (15, 18)):
            assert (window_of(week) == f"weeks {first}-{last}") == (first <= week <= last)
    assert (
        drug_family("JAK1 inhibitor") == "JAK inhibitor"
        and drug_family("anti-IL-4Ra") == "biologic"
    )
    assert drug_family("calcineurin inhibitor") == "calcineurin inhibitor"


# ---------------------------------------------------------------- published results


def test_published_results_stand_apart(repository):
    published = read_published(repository / "config" / "published.tsv")
    trials = cohort("one", JAKI, [(100, 4, 0.5, 0.1)]), cohort("two", BIOLOGIC, [(1, 4, 0.2, 0.1)])
    table, without = ask(*trials, published=published), ask(*trials)
    rows = table[table["question"] == "published"]
    assert set(rows["status"]) == {"published_only"} and len(rows) == len(published)
    assert rows["dni"].isna().all() and (rows["source"] != "").all()
    computed = table[table["question"] != "published"]
    assert computed["dni"].tolist() == without["dni"].tolist()
    dupilumab = rows[(rows["drug"] == "dupilumab") & rows["measure"].str.startswith("mean")]
    assert dupilumab["value"].tolist() == [68.8, 110.8]
    assert {"abrocitinib", "upadacitinib", "tralokinumab"} <= set(rows["drug"])


def test_published_table_with_faults_names_all_of_them(tmp_path):
    path = tmp_path / "published.tsv"
    header = "\t".join(NOTHING.columns)
    path.write_text(
        f"{header}\nx\tJAK inhibitor\tNA\t4\tmean\thalf\tpercent\tpaper\tNA\n"
        "y\tJAK inhibitor\tNA\t4\tmean\t5\tNA\tNA\tNA\n"
    )
    with pytest.raises(AdnormError) as caught:
        read_published(path)
    for said in ("value 'half' is no number", "line 3: source is empty", "has no unit"):
        assert said in str(caught.value)
    path.write_text(header.replace("source", "sorce") + "\n")
    with pytest.raises(AdnormError, match="did you mean 'source'"):
        read_published(path)


# ---------------------------------------------------------------- the stage


def write_cohort(folder, name, index, patients, samples):
    facts = {
        "cohort": name,
        "disease": "atopic dermatitis",
        "simulated": True,
        "placebo_arm": "",
        "randomised": True,
    }
    (folder / "expression").mkdir(parents=True)
    ad.AnnData(np.zeros((1, 1)), uns={"adnorm": facts}).write_h5ad(
        folder / "expression" / "expression.h5ad"
    )
    write_table(index, folder / "index" / "index.tsv")
    write_table(patients, folder / "index" / "patients.tsv")
    write_table(samples, folder / "expression" / "samples.tsv")


def test_stage_writes_headers_for_cohorts_that_answer_nothing(repository, tmp_path):
    patients = pd.DataFrame(columns=["patient", "arm", "week", "state", "name", "score"])
    samples = pd.DataFrame(
        [("untreated", "none", "none", np.nan)],
        columns=["arm", "treatment", "drug_class", "dose_mg"],
    )
    write_cohort(tmp_path / "a", "a", pd.DataFrame(columns=INDEX_COLUMNS), patients, samples)
    outputs = {name: tmp_path / f"{name}.tsv" for name in ("dose", "time", "classes")}
    published = repository / "config" / "published.tsv"
    with writing(tmp_path / "teaching.h5"):
        pass
    inputs = {
        "index": [tmp_path / "a" / "index" / "index.tsv"],
        "published": published,
        "teaching": tmp_path / "teaching.h5",
    }
    build(inputs, outputs, IndexSettings(), 1)
    assert read_table(outputs["dose"]).empty and read_table(outputs["time"]).empty
    assert set(read_table(outputs["classes"])["status"]) == {"published_only"}


def test_missing_expression_says_which_stage_to_run(tmp_path):
    with pytest.raises(AdnormError, match="run the stage expression again"):
        read_cohort(tmp_path)


# ---------------------------------------------------------------- the same patients


def test_cohorts_with_the_same_patients_are_one_trial_of_their_class():
    big, small = (cohort(name, JAKI, [(100, 4, 0.5, 0.1)]) for name in ("big", "small"))
    big.index["pairs"] = 12
    trials = [big, small, cohort("own", JAKI, [(100, 4, 0.3, 0.1)])]
    shares = {"big": {"small": "the series GSE1"}, "small": {"big": "the series GSE1"}}
    table = class_table(trials, NOTHING, SETTINGS, shares)
    rows = table[table["question"] == "trial"].set_index("cohorts")
    assert rows.loc["small", "status"] == "NA" and np.isnan(rows.loc["small", "dni"])
    assert rows.loc["small", "reason_code"] == "SAME_PATIENTS"
    assert rows.loc["small", "reason"].endswith("in common is the series GSE1")
    combined = table[table["question"] == "class"]
    assert set(combined["trials"]) == {2} and combined["dni"].iloc[0] == pytest.approx(0.4)
    # Without anything in common all three enter.
    assert set(ask(*trials).query("question == 'class'")["trials"]) == {3}


def test_cohorts_of_two_classes_may_have_patients_in_common():
    """One trial cut in two by its drugs: placebo is in both, and neither is lost."""
    jak = cohort("one", JAKI, [(100, 4, 0.5, 0.1)])
    biologic = cohort("two", BIOLOGIC, [(300, 4, 0.2, 0.1)])
    shares = {"one": {"two": "the series GSE1"}, "two": {"one": "the series GSE1"}}
    table = class_table([jak, biologic], NOTHING, SETTINGS, shares)
    assert table.loc[table["question"] == "trial", "dni"].notna().all()
