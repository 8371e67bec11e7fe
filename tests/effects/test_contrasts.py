"""From comparisons to models: who takes part, which weights, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.effects.contrasts import own_differences, plan_fits
from adnorm.study.biopsies import combine_biopsies
from adnorm.study.comparisons import Comparison
from adnorm.study.design import derive_design


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
    # 24 samples of 8 patients, 6 cells in 2 components.
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
    assert plan.model.cell_names[1] == "drug lesional @0 + placebo lesional @0"


def test_cells_that_no_patient_connects_are_refused_by_name():
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


def test_a_cell_without_samples_is_an_error():
    combined, _ = combine_biopsies(trial())
    ghost = Comparison(
        "change:drug@99", "change", {("drug", "lesional", 99.0): 1.0}, True, 4, True, ""
    )
    with pytest.raises(AdnormError, match="'drug lesional @99'"):
        plan_fits(combined, [ghost])


def test_own_differences_by_kind():
    samples = trial()
    combined, _ = combine_biopsies(samples)
    level = {"lesional": 10.0, "nonlesional": 4.0, "healthy": 1.0}
    values = combined["state"].map(level).to_numpy()[None, :].copy()
    later = ((combined["week"] == 4) & (combined["state"] == "lesional")).to_numpy()
    values[:, later] -= np.where(combined["arm"].to_numpy()[later] == "drug", 3.0, 1.0)
    by_name = {c.name: c for c in derive_design(samples, "placebo", 2).supported}

    first, second = own_differences(combined, by_name["lesional-nonlesional@0"], values)
    assert second is None and first.tolist() == [[6.0] * 8]
    first, second = own_differences(combined, by_name["change:drug-placebo@4"], values)
    assert first.tolist() == [[-3.0] * 4] and second.tolist() == [[-1.0] * 4]
    first, second = own_differences(combined, by_name["residual-healthy:drug@4"], values)
    assert first.tolist() == [[7.0] * 4] and second.tolist() == [[1.0] * 5]
