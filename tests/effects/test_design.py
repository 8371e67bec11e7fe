"""From comparisons to models: who takes part, which weights, what is refused; rank and aliasing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adnorm.base.errors import AdnormError
from adnorm.effects.design import BlockModel, check_rank, patient_differences, plan_fits
from adnorm.study.comparisons import Comparison, combine_biopsies, derive_design


def sheet(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient", "arm", "state", "week"])
    return frame.assign(treatment=frame["arm"], dose_mg=np.nan)


def trial() -> pd.DataFrame:
    rows = []
    for arm in ("drug", "placebo"):
        for i in range(4):
            rows += [
                (f"{arm}{i}", arm, "lesional", 0.0),
                (f"{arm}{i}", arm, "nonlesional", 0.0),
                (f"{arm}{i}", arm, "lesional", 4.0),
            ]
    rows += [(f"h{i}", "healthy", "healthy", w) for i in range(5) for w in (0.0, 4.0)]
    return sheet(*rows)


def plans_of(samples: pd.DataFrame):
    combined, _ = combine_biopsies(samples)
    return combined, *plan_fits(combined, derive_design(samples, "placebo", 2).supported)


def test_one_paired_model_and_one_for_each_comparison_between_people():
    combined, plans, refused = plans_of(trial())
    assert refused == {}
    paired = plans[0]
    assert [c.name for c in paired.comparisons] == [
        "lesional-nonlesional@0",
        "change:drug@4",
        "residual:drug@4",
        "change:placebo@4",
        "residual:placebo@4",
        "change:drug-placebo@4",
    ]
    assert [len(p.comparisons) for p in plans[1:]] == [1] * (len(plans) - 1)
    assert {p.comparisons[0].kind for p in plans[1:]} == {
        "lesional-healthy",
        "nonlesional-healthy",
        "residual-healthy",
    }
    # 24 samples of 8 patients, 6 groups in 2 components.
    assert paired.model.df_residual == 24 - (8 + 6 - 2)


def test_repeated_visits_of_healthy_people_stay_out_of_the_paired_model():
    combined, plans, _ = plans_of(trial())
    states = set(combined["state"].iloc[plans[0].model.rows])
    assert states == {"lesional", "nonlesional"}


def test_patients_with_one_sample_stay_out_and_change_nothing():
    samples = trial()
    lonely = sheet(("x", "drug", "lesional", 0.0))
    _, plans, _ = plans_of(samples)
    combined, more, _ = plans_of(pd.concat([samples, lonely], ignore_index=True))
    assert "x" not in set(combined["patient"].iloc[more[0].model.rows])
    assert more[0].model.df_residual == plans[0].model.df_residual


def test_pooled_arms_count_each_person_once_against_healthy():
    combined, plans, _ = plans_of(trial())
    plan = next(p for p in plans if p.comparisons[0].name == "lesional-healthy@0")
    assert len(plan.model.rows) == 8 + 5
    assert plan.model.df_residual == 11
    assert plan.model.group_names[1] == "drug lesional @0 + placebo lesional @0"


def test_groups_that_no_patient_connects_are_refused_by_name():
    samples = sheet(
        *[(f"a{i}", "drug", s, 0.0) for i in range(3) for s in ("lesional", "nonlesional")],
        *[(f"b{i}", "drug", "lesional", w) for i in range(3) for w in (4.0, 8.0)],
    )
    combined, _ = combine_biopsies(samples)
    impossible = Comparison(
        "change:drug@4",
        "change",
        {("drug", "lesional", 4.0): 1.0, ("drug", "lesional", 0.0): -1.0},
        True,
        3,
        True,
        "",
    )
    good = derive_design(samples, None, 2).supported
    plans, refused = plan_fits(combined, [*good, impossible])
    assert set(refused) == {"change:drug@4"}
    assert "'drug lesional @0', 'drug lesional @4' confounded" in refused["change:drug@4"]
    assert [c.name for c in plans[0].comparisons] == ["lesional-nonlesional@0"]


def test_no_residual_degrees_of_freedom_is_refused():
    samples = sheet(
        ("a", "x", "lesional", 0.0),
        ("a", "x", "nonlesional", 0.0),
        ("b", "y", "lesional", 0.0),
        ("b", "y", "nonlesional", 0.0),
    )
    _, plans, refused = plans_of(samples)
    assert plans == []
    assert "no residual degrees of freedom" in refused["lesional-nonlesional@0"]


def test_a_group_without_samples_is_an_error():
    combined, _ = combine_biopsies(trial())
    ghost = Comparison(
        "change:drug@99", "change", {("drug", "lesional", 99.0): 1.0}, True, 4, True, ""
    )
    with pytest.raises(AdnormError, match="'drug lesional @99'"):
        plan_fits(combined, [ghost])


def test_patient_differences_by_kind():
    samples = trial()
    combined, _ = combine_biopsies(samples)
    level = {"lesional": 10.0, "nonlesional": 4.0, "healthy": 1.0}
    values = combined["state"].map(level).to_numpy()[None, :].copy()
    later = ((combined["week"] == 4) & (combined["state"] == "lesional")).to_numpy()
    values[:, later] -= np.where(combined["arm"].to_numpy()[later] == "drug", 3.0, 1.0)
    by_name = {c.name: c for c in derive_design(samples, "placebo", 2).supported}

    first, second = patient_differences(combined, by_name["lesional-nonlesional@0"], values)
    assert second is None and first.tolist() == [[6.0] * 8]
    first, second = patient_differences(combined, by_name["change:drug-placebo@4"], values)
    assert first.tolist() == [[-3.0] * 4] and second.tolist() == [[-1.0] * 4]
    first, second = patient_differences(combined, by_name["residual-healthy:drug@4"], values)
    assert first.tolist() == [[7.0] * 4] and second.tolist() == [[1.0] * 5]


# ---------------------------------------------------------------- blocks and groups


def random_model(seed: int) -> BlockModel:
    """Blocks that see a random choice of groups, often in several components."""
    rng = np.random.default_rng(seed)
    n_blocks, n_groups = rng.integers(2, 9), rng.integers(2, 7)
    seen = rng.random((n_blocks, n_groups)) < 0.35
    seen[np.arange(n_blocks), rng.integers(0, n_groups, n_blocks)] = True
    seen[rng.integers(0, n_blocks, n_groups), np.arange(n_groups)] = True
    blocks, groups = np.nonzero(seen)
    return BlockModel(
        rows=np.arange(len(blocks)),
        blocks=blocks,
        groups=groups,
        block_names=tuple(f"b{i}" for i in range(n_blocks)),
        group_names=tuple(f"c{i}" for i in range(n_groups)),
    )


@pytest.mark.parametrize("seed", range(40))
def test_rank_by_components_is_the_numerical_rank(seed):
    model = random_model(seed)
    n = np.arange(len(model.rows))
    full = np.zeros((len(n), len(model.block_names) + len(model.group_names)))
    full[n, model.blocks] = 1
    full[n, model.groups + len(model.block_names)] = 1
    assert model.rank == np.linalg.matrix_rank(full)
    assert model.design.shape == (len(n), model.rank)
    assert len(model.columns) == model.rank
    check_rank(model.design, model.columns)


@pytest.mark.parametrize("seed", range(40))
def test_obstacle_says_exactly_what_cannot_be_estimated(seed):
    model = random_model(seed)
    if model.df_residual < 1:
        assert "no residual degrees of freedom" in model.obstacle(np.zeros(len(model.group_names)))
        return
    n = np.arange(len(model.rows))
    full = np.zeros((len(n), len(model.block_names) + len(model.group_names)))
    full[n, model.blocks] = 1
    full[n, model.groups + len(model.block_names)] = 1
    for upper in range(len(model.group_names)):
        for lower in range(upper):
            weights = np.zeros(len(model.group_names))
            weights[[upper, lower]] = 1, -1
            contrast = np.concatenate([np.zeros(len(model.block_names)), weights])
            # Estimable if and only if it lies in the row space of the unreduced design.
            projected = full.T @ np.linalg.pinv(full.T) @ contrast
            estimable = np.allclose(projected, contrast)
            reason = model.obstacle(weights)
            assert (reason == "") is estimable
            if reason:
                assert model.group_names[upper] in reason and model.group_names[lower] in reason


def test_reference_is_the_first_group_of_each_component():
    model = BlockModel(
        rows=np.arange(6),
        blocks=np.array([0, 0, 1, 1, 2, 2]),
        groups=np.array([0, 1, 2, 3, 2, 3]),
        block_names=("p1", "p2", "p3"),
        group_names=("drug @0", "drug @4", "placebo @0", "placebo @4"),
    )
    assert model.references.tolist() == [0, 2]
    assert model.columns == ["p1", "p2", "p3", "drug @4", "placebo @4"]
    assert model.df_residual == 1


def test_confounded_columns_are_named():
    visit = np.array([0.0, 1, 0, 1, 0, 1])
    design = np.column_stack([np.ones(6), visit, visit, np.arange(6) ** 2])
    with pytest.raises(AdnormError) as caught:
        check_rank(design, ["intercept", "week 4", "batch 2", "age"])
    message = str(caught.value)
    assert "'week 4', 'batch 2'" in message and "age" not in message
    assert "4 columns but rank 3" in message


def test_groups_stand_by_arm_then_week_then_state():
    """So the reference of an arm is its first state at baseline, whatever the order of samples."""
    rows = [
        (f"{arm}{i}", arm, state, week)
        for arm in "fcaedb"
        for i in range(3)
        for state, week in (("nonlesional", 4.0), ("nonlesional", 0.0), ("lesional", 0.0))
    ]
    _, plans, _ = plans_of(sheet(*rows))
    model = plans[0].model
    cells = ("lesional @0", "nonlesional @0", "nonlesional @4")
    expected = [f"{arm} {cell}" for arm in "abcdef" for cell in cells]
    assert list(model.group_names) == [name for name in expected if name in model.group_names]
    assert {f"{arm} nonlesional @0" for arm in "abcdef"} <= set(model.group_names)
    assert [model.group_names[code] for code in model.references] == [
        f"{arm} lesional @0" for arm in "abcdef"
    ]


def test_a_change_between_arms_counts_only_who_has_both_visits():
    """Patients of either arm with one visit give no difference; the week says which way it goes."""
    samples = trial()
    gone = (samples["patient"] == "drug0") & (samples["week"] == 4)
    samples = samples[~gone].reset_index(drop=True)
    combined, _ = combine_biopsies(samples)
    values = np.arange(len(combined), dtype=float)[None, :] ** 2
    by_name = {c.name: c for c in derive_design(samples, "placebo", 2).supported}
    first, second = patient_differences(combined, by_name["change:drug-placebo@4"], values)

    def change(patient):
        mine = combined[(combined["patient"] == patient) & (combined["state"] == "lesional")]
        start, end = (mine.index[mine["week"] == week][0] for week in (0.0, 4.0))
        return float(end**2 - start**2)

    assert first.tolist() == [[change(f"drug{i}") for i in (1, 2, 3)]]
    assert second.tolist() == [[change(f"placebo{i}") for i in range(4)]]


# ---------------------------------------------------------------- lesions of one patient


def lesions(shared_baseline=False, patients=7, weeks=(2.0, 4.0)):
    """Two lesions on every patient, one in each arm, and non-lesional skin at baseline."""
    rows = []
    for i in range(patients):
        rows.append((f"P{i}", "all arms", "nonlesional", 0.0, ""))
        if shared_baseline:
            rows.append((f"P{i}", "all arms", "lesional", 0.0, ""))
        for arm in ("drug", "vehicle"):
            visits = weeks if shared_baseline else (0.0, *weeks)
            rows += [(f"P{i}", arm, "lesional", week, f"P{i}, {arm}") for week in visits]
    frame = pd.DataFrame(rows, columns=["patient", "arm", "state", "week", "lesion"])
    return frame.assign(treatment=frame["arm"], dose_mg=np.nan)


def lesion_plans(samples):
    combined, _ = combine_biopsies(samples)
    design = derive_design(samples, "vehicle", 3).supported
    return combined, {c.name: c for c in design}, *plan_fits(combined, design)


def contrast_test(plan, name, y):
    """Estimate, t and degrees of freedom of a contrast by plain least squares."""
    which = [c.name for c in plan.comparisons].index(name)
    weights, design = plan.design_weights[:, which], plan.model.design
    check_rank(design, plan.model.columns)
    beta, squares, *_ = np.linalg.lstsq(design, y[plan.model.rows], rcond=None)
    df = plan.model.df_residual
    variance = squares[0] / df * weights @ np.linalg.inv(design.T @ design) @ weights
    return weights @ beta, weights @ beta / np.sqrt(variance), df


def test_lesions_are_paired_with_what_they_are_compared_with():
    combined, design, plans, refused = lesion_plans(lesions(weeks=(4.0,)))
    assert refused == {}
    asked = [sorted(c.name for c in plan.comparisons) for plan in plans]
    assert asked == [
        ["lesional-nonlesional@0", "residual:drug@4", "residual:vehicle@4"],
        ["change:drug@4", "change:vehicle@4"],
        ["change:drug-vehicle@4"],
    ]
    assert design["lesional-nonlesional@0"].terms == {
        ("drug", "lesional", 0.0): 0.5,
        ("vehicle", "lesional", 0.0): 0.5,
        ("all arms", "nonlesional", 0.0): -1.0,
    }
    assert {c.patients for c in design.values()} == {7}
    # Patients, lesions and visits have effects of their own, which must not count as noise.
    rng = np.random.default_rng(1)
    patient, visit, lesion = rng.normal(0, 5, 7), rng.normal(0, 5, (7, 5)), rng.normal(0, 5, (7, 2))
    who = combined["patient"].str[1:].astype(int).to_numpy()
    arm = (combined["arm"] == "vehicle").astype(int).to_numpy()
    y = rng.normal(size=len(combined)) + patient[who]
    y += (
        visit[who, combined["week"].astype(int)]
        + lesion[who, arm] * (combined["lesion"] != "").to_numpy()
    )
    score = combined.assign(y=y).pivot_table("y", "patient", ["arm", "state", "week"])
    change = {a: score[a, "lesional", 4.0] - score[a, "lesional", 0.0] for a in ("drug", "vehicle")}
    value, t, df = contrast_test(plans[2], "change:drug-vehicle@4", y)
    expected = stats.ttest_1samp(change["drug"] - change["vehicle"], 0)
    assert (value, t, df) == pytest.approx(
        ((change["drug"] - change["vehicle"]).mean(), expected.statistic, 6)
    )
    value, _, df = contrast_test(plans[1], "change:drug@4", y)
    assert value == pytest.approx(change["drug"].mean()) and df == 12
    for name in ("change:drug-vehicle@4", "change:drug@4", "lesional-nonlesional@0"):
        own, none = patient_differences(combined, design[name], y[None])
        assert none is None and own.shape == (1, 7)
        if name == "change:drug-vehicle@4":
            assert own[0] == pytest.approx((change["drug"] - change["vehicle"]).to_numpy())
    both = (score["drug", "lesional", 0.0] + score["vehicle", "lesional", 0.0]) / 2
    assert own[0] == pytest.approx((both - score["all arms", "nonlesional", 0.0]).to_numpy())


def test_with_one_baseline_for_both_lesions_the_visit_alone_is_compared():
    combined, design, plans, refused = lesion_plans(lesions(shared_baseline=True, weeks=(4.0,)))
    assert refused == {} and len(plans) == 1
    assert design["change:drug-vehicle@4"].terms == {
        ("drug", "lesional", 4.0): 1.0,
        ("vehicle", "lesional", 4.0): -1.0,
    }
    assert design["lesional-nonlesional@0"].terms == {
        ("all arms", "lesional", 0.0): 1.0,
        ("all arms", "nonlesional", 0.0): -1.0,
    }
    y = np.random.default_rng(2).normal(size=(1, len(combined)))
    own, _ = patient_differences(combined, design["change:drug-vehicle@4"], y)
    score = combined.assign(y=y[0]).pivot_table("y", "patient", ["arm", "state", "week"])
    apart = score["drug", "lesional", 4.0] - score["vehicle", "lesional", 4.0]
    assert own[0] == pytest.approx(apart.to_numpy())


def test_a_patient_who_lacks_one_of_four_samples_is_in_no_difference_of_lesions():
    samples = lesions()
    lost = (samples["lesion"] == "P2, vehicle") & (samples["week"] == 4)
    combined, design, plans, _ = lesion_plans(samples[~lost].reset_index(drop=True))
    assert design["change:drug-vehicle@4"].patients == 6
    assert design["change:drug-vehicle@2"].patients == design["change:drug@4"].patients == 7
    y = np.arange(float(len(combined)))[None]
    assert patient_differences(combined, design["change:drug-vehicle@4"], y)[0].shape == (1, 6)
    # Two lesions × three visits of 6 patients, and four lesional samples of the seventh that pair.
    difference = plans[2].model
    assert difference.df_residual == 6 * 2 + 1 - 2


def test_lesions_beside_batches_are_compared_within_batches():
    samples = lesions(patients=8, weeks=(4.0,))
    combined, _ = combine_biopsies(samples)
    half = combined["patient"].isin(["P0", "P1", "P2", "P3"])
    second = (combined["week"] == 4) & (half ^ (combined["arm"] == "drug"))
    shares = pd.DataFrame({"a": (~second).astype(float), "b": second.astype(float)})
    design = derive_design(samples, "vehicle", 3).supported
    for rule in ("covariate", "block"):
        plans, refused = plan_fits(combined, design, shares, rule)
        assert refused == {}
        model = plans[2].model
        assert not model.random
        assert len({"batch a", "batch b"} & set(model.columns)) == 1
        check_rank(model.design, model.columns)
