"""The plan of a simulated trial: its schema, its defaults, its checks, its arithmetic."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

from adnorm.base.errors import AdnormError
from adnorm.simulation.cohort import simulate_cohort
from adnorm.simulation.trial import (
    CountPlan,
    RegressionToMean,
    SimulatedArm,
    Simulation,
    read_trial,
)
from adnorm.simulation.values import draw_counts
from adnorm.study.cohort import read_cohort

DEMOS = ("demo_jak1", "demo_biologic", "demo_reference_rnaseq", "demo_reference_array")


@pytest.fixture(scope="module")
def schema(repository) -> dict:
    path = repository / "workflow" / "schemas" / "simulation.schema.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def cohort() -> dict:
    """The smallest plan that is complete."""
    arms = [
        {"treatment": "drug", "dose_mg": 10, "patients": 4, "reversal": [0.5]},
        {"treatment": "placebo", "patients": 4, "reversal": [0]},
    ]
    block = {"writes": "geo_supplementary", "weeks": [0, 4], "arms": arms}
    return {"id": "tiny", "title": "Tiny", "scale": "counts", "simulation": block}


def objects(schema: dict, name: str = "simulation"):
    """Yield every object of the schema that has named keys."""
    if "properties" in schema:
        yield name, schema
        for key, part in schema["properties"].items():
            yield from objects(part, key)
    if isinstance(schema.get("items"), dict):
        yield from objects(schema["items"], name)


def test_schema_is_valid_and_describes_every_key(schema):
    Draft202012Validator.check_schema(schema)
    for name, part in objects(schema):
        assert part["additionalProperties"] is False, name
        for key, spec in part["properties"].items():
            assert spec["description"], f"{name}: {key}"
            Draft202012Validator({"type": "array", "items": spec}).validate(spec["examples"])
            assert ("default" in spec) != (key in part.get("required", [])), f"{name}: {key}"


def test_defaults_of_the_schema_are_those_of_the_code(schema, cohort):
    bare = read_trial(cohort)
    for name, part in objects(schema):
        if name == "arms":
            code = bare.arms[1]
        else:
            code = bare if name == "simulation" else getattr(bare, name)
        assert {f.name for f in dataclasses.fields(code)} == set(part["properties"])
        for key, spec in part["properties"].items():
            if "default" in spec and spec.get("type") != "object":
                default = spec["default"]
                value = getattr(SimulatedArm("x", 1) if name == "arms" else code, key)
                assert value == (tuple(default) if isinstance(default, list) else default), key


@pytest.mark.parametrize("name", DEMOS)
def test_demo_cohorts_are_valid_and_called_simulated(repository, schema, name):
    cohort = read_cohort(repository / "config" / "cohorts" / f"{name}.yaml")
    Draft202012Validator(schema).validate(cohort["simulation"])
    trial = read_trial(cohort)
    assert cohort["title"].startswith("Simulated")
    assert cohort["accession"] is None
    for arm in trial.arms:
        assert arm.treatment == "none" or arm.treatment in cohort["treatments"]


def test_arms_are_named_as_in_the_sample_sheet():
    assert SimulatedArm("JAK1 inhibitor", 14, dose_mg=100.0).name == "JAK1 inhibitor 100 mg"
    assert SimulatedArm("placebo", 14).name == "placebo"
    assert SimulatedArm("none", 20).name == "untreated"


def test_speed_multiplies_the_rate():
    arm = SimulatedArm("drug", 1, reversal=(0.5, 1.0, -0.2, 1.2), programmes={"th2": 3.0})
    trial = Simulation(
        "geo_supplementary", (arm,), (0, 1, 2, 3, 4), programmes={"itch": 2.0, "th2": 9}
    )
    assert trial.reversal(arm, 0, "itch") == 0
    assert trial.reversal(arm, 1, "other") == pytest.approx(0.5)
    assert trial.reversal(arm, 1, "itch") == pytest.approx(0.75)
    assert trial.reversal(arm, 1, "th2") == pytest.approx(0.875)
    assert trial.reversal(arm, 2, "itch") == 1
    assert trial.reversal(arm, 3, "itch") == pytest.approx(1 - 1.2**2)
    assert trial.reversal(arm, 4, "itch") == 1.2


def test_flare_is_half_gone_after_its_half_time():
    decay = RegressionToMean(fraction=0.2, half_time_weeks=4)
    assert decay.decrease(0) == 0
    assert decay.decrease(4) == pytest.approx(0.1)
    assert decay.decrease(400) == pytest.approx(0.2)


def test_counts_have_the_stated_mean_and_variance():
    level = np.tile(np.log2([100.0, 1e6]), (4000, 1))
    plan = CountPlan(library_size=(1e6, 1e6 + 1), dispersion=0.1, low_count_dispersion=2.0)
    counts = draw_counts(level, plan, np.random.default_rng(3))[:, 0]
    assert counts.mean() == pytest.approx(100, rel=0.03)
    spread = (counts.var() - counts.mean()) / counts.mean() ** 2
    # 0.1 + 2 / 100, times the factor of the gene (log-normal, sd 0.4).
    assert 0.12 * np.exp(-1.2) < spread < 0.12 * np.exp(1.2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weeks": [4, 0]}, "must rise from 0"),
        ({"weeks": [0, 4, 8]}, "reversal has 1 values, but 2 are needed"),
        ({"nonlesional_weeks": [0, 3]}, "nonlesional_weeks: '3' not among weeks"),
        ({"writes": "geo_series_matrx"}, "did you mean 'geo_series_matrix'"),
        ({"writes": "geo_series_matrix"}, "declares the scale 'counts'"),
        ({"sede": 3}, "'sede' is unknown; did you mean 'seed'"),
        ({"arms": []}, "at least one arm"),
        ({"counts": {"library_size": [30e6, 13e6]}}, "the lower must come first"),
        ({"genes": {"totl": 4}}, "did you mean 'total'"),
        ({"failed_biopsies": 2}, "failed_biopsies is 2"),
        ({"regression_to_mean": {"half_time_weeks": 0}}, "half_time_weeks must be above 0"),
        ({"variation": {"patient": -1}}, "variation: patient is -1"),
        ({"array": {"probes_per_gene": [3, 1]}}, "probes_per_gene is [3, 1]"),
    ],
)
def test_contradictions_are_told(cohort, change, told):
    cohort["simulation"].update(change)
    with pytest.raises(AdnormError) as caught:
        read_trial(cohort)
    assert told in str(caught.value)
    assert "cohort 'tiny', simulation" in str(caught.value)


def test_all_problems_come_at_once(cohort):
    cohort["simulation"]["arms"][0]["dropout"] = 1.5
    cohort["simulation"]["arms"][1].update(treatment="drug", dose_mg=10, reversal=[3])
    with pytest.raises(AdnormError) as caught:
        read_trial(cohort)
    for told in ("dropout is 1.5", "'drug 10 mg' is there 2 times", "not within -1"):
        assert told in str(caught.value)


def test_missing_block_and_missing_keys_are_told(cohort):
    broken = copy.deepcopy(cohort)
    del broken["simulation"]["weeks"]
    del broken["simulation"]["arms"][0]["patients"]
    with pytest.raises(AdnormError, match=r"(?s)'patients' is missing.*'weeks' is missing"):
        read_trial(broken)
    with pytest.raises(AdnormError, match="needs a `simulation:` block"):
        read_trial({"id": "tiny", "simulation": None})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"programmes": {"itsch": 2.0}}, "did you mean 'itch'"),
        ({"genes": {"total": 10}}, "the gene sets alone have"),
    ],
)
def test_nothing_is_written_for_a_plan_that_the_gene_sets_refute(
    repository: Path, tmp_path: Path, cohort, change, told
):
    cohort["simulation"].update(
        gene_sets=str(repository / "config" / "gene_sets" / "adnorm.tsv"), **change
    )
    with pytest.raises(AdnormError, match=told):
        simulate_cohort(cohort, tmp_path)
    assert list(tmp_path.iterdir()) == []
