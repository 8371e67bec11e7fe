"""From comparisons to models: who takes part, which weights, what is refused; rank and aliasing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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
