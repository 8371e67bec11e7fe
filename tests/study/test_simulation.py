"""The plan of a simulated trial: its checks and its arithmetic."""

from __future__ import annotations

import copy

import pytest
import yaml

from adnorm.base.errors import AdnormError
from adnorm.study.reading import read_cohort
from adnorm.study.simulation import RegressionToMean, SimulatedArm, Simulation
from builders.simulations import COHORT, PLAN

DEMOS = ("demo_jak1", "demo_biologic", "demo_reference_rnaseq", "demo_reference_array")


@pytest.fixture
def refused(tmp_path):
    """Read a cohort file with a plan; return what is said of it."""

    def read(plan):
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(COHORT | {"simulation": plan}))
        with pytest.raises(AdnormError) as caught:
            read_cohort(path)
        assert str(path) in str(caught.value)
        return str(caught.value)

    return read


@pytest.mark.parametrize("name", DEMOS)
def test_demo_cohorts_are_valid_and_called_simulated(repository, name):
    cohort = read_cohort(repository / "config" / "cohorts" / f"{name}.yaml")
    assert cohort.title.startswith("Simulated")
    assert cohort.accession is None
    for arm in cohort.simulation.arms:
        assert arm.treatment == "none" or arm.treatment in cohort.treatments


def test_arms_are_named_as_in_the_sample_sheet():
    drug = SimulatedArm(treatment="JAK1 inhibitor", patients=14, dose_mg=100.0)
    assert drug.name == "JAK1 inhibitor 100 mg"
    assert SimulatedArm(treatment="placebo", patients=14).name == "placebo"
    assert SimulatedArm(treatment="none", patients=20).name == "untreated"


def test_speed_multiplies_the_rate():
    reversal = (0.5, 1.0, -0.2, 1.2)
    arm = SimulatedArm(treatment="drug", patients=1, reversal=reversal, programmes={"th2": 3.0})
    trial = Simulation(
        writes="geo_supplementary",
        arms=(arm,),
        weeks=(0, 1, 2, 3, 4),
        programmes={"itch": 2.0, "th2": 9.0},
    )
    assert trial.reversal(arm, 0, "itch") == 0
    assert trial.reversal(arm, 1, "other") == pytest.approx(0.5)
    assert trial.reversal(arm, 1, "itch") == pytest.approx(0.75)
    assert trial.reversal(arm, 1, "th2") == pytest.approx(0.875)
    assert trial.reversal(arm, 2, "itch") == 1
    assert trial.reversal(arm, 3, "itch") == pytest.approx(1 - 1.2**2)
    assert trial.reversal(arm, 4, "itch") == 1.2


def test_flare_is_half_gone_after_its_half_time():
    flare = RegressionToMean(fraction=0.2, half_time_weeks=4)
    assert flare.decrease(0) == 0
    assert flare.decrease(4) == pytest.approx(0.1)
    assert flare.decrease(400) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weeks": [4, 0]}, "must rise from 0"),
        ({"weeks": [0, 4, 8]}, "reversal has 1 values, but 2 are needed"),
        ({"nonlesional_weeks": [0, 3]}, "nonlesional_weeks: '3' not among weeks"),
        ({"writes": "geo_series_matrx"}, "did you mean 'geo_series_matrix'"),
        ({"writes": "geo_series_matrix"}, "declares the scale 'counts'"),
        ({"sede": 3}, "'sede' is unknown; did you mean 'seed'"),
        ({"arms": []}, "arms: [] has fewer than 1 entries"),
        ({"counts": {"library_size": [30e6, 13e6]}}, "the lower must come first"),
        ({"genes": {"totl": 4}}, "did you mean 'total'"),
        ({"failed_biopsies": 2}, "failed_biopsies: 2 is greater than the maximum of 1"),
        ({"regression_to_mean": {"half_time_weeks": 0}}, "half_time_weeks: 0 is less than or"),
        ({"variation": {"patient": -1}}, "variation: patient: -1 is less than the minimum"),
        ({"array": {"probes_per_gene": [3, 1]}}, "probes_per_gene is [3, 1]"),
    ],
)
def test_contradictions_are_told(refused, change, message):
    told = refused(PLAN | change)
    assert message in told
    assert "simulation: " in told


def test_all_problems_come_at_once(refused):
    plan = copy.deepcopy(PLAN)
    plan["arms"][0]["dropout"] = 1.5
    plan["arms"][1]["reversal"] = [3]
    told = refused(plan)
    assert "dropout: 1.5 is greater" in told and "3 is greater than the maximum of 1.5" in told
    plan = copy.deepcopy(PLAN)
    plan["arms"][1].update(treatment="drug", dose_mg=10, reversal=[])
    told = refused(plan)
    assert "'drug 10 mg' is there 2 times" in told and "reversal has 0 values" in told


def test_missing_block_and_missing_keys_are_told(refused):
    plan = copy.deepcopy(PLAN)
    del plan["weeks"]
    del plan["arms"][0]["patients"]
    told = refused(plan)
    assert "'weeks' must be given" in told and "'patients' must be given" in told
    assert "simulation: found null, which is not of type object" in refused(None)
