"""The calibration: its simulated truth is the stated one, and its verdicts can fail."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

CRITERIA = {
    "a null drug, median NI": 4,
    "a null drug, literal index (circular)": 2,
    "b coverage": 24,
    "b coverage, from genes": 6,
    "c no signal, sets": 3,
    "c no signal, global": 3,
    "d power, width of NI": 3,
    "d power, width of dNI": 3,
    "e dNI − truth": 2,
    "e NI − truth (unadjusted)": 2,
    "f dose trend, contrast": 2,
    "f dose trend, Jonckheere-Terpstra": 2,
    "f early predicts late": 2,
    "h dNI given baseline": 40,
    "i sizes of samples": 2,
}


@pytest.fixture(autouse=True)
def benchmarks(repository, monkeypatch):
    """The folder of the script, as when it is started."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return repository / "benchmarks"


def means(values, observations, arm):
    """Mean decrease over baseline difference in each trial, with the patients of one arm."""
    mine = observations[observations["arm"] == arm]
    by = {key: values[rows] for key, rows in mine.groupby(["state", "week"]).groups.items()}
    start = by["lesional", 0.0].mean(axis=0)
    later = [value for (state, week), value in by.items() if state == "lesional" and week > 0]
    return start - later[0].mean(axis=0), start - by["nonlesional", 0.0].mean(axis=0)


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("split", [False, True])
def test_the_share_of_an_arm_is_its_true_index(share, split):
    from calibrate.trials import Arm, score_trials

    arms = {"drug": Arm(share, 200, 50), "placebo": Arm(0.1, 200)}
    values, observations = score_trials(np.random.default_rng(1), 100, arms, split=split)
    assert len(observations) == len(values) == 200 * 6 - 50
    # Whoever is lost has no visit, so the arm without losses is asked.
    arms["drug"] = Arm(share, 200)
    values, observations = score_trials(np.random.default_rng(1), 100, arms, split=split)
    decrease, disease = means(values.to_numpy(), observations, "drug")
    assert disease.mean() == pytest.approx(1, abs=0.02)
    assert decrease.mean() == pytest.approx(share, abs=0.02)


def test_patients_without_response_leave():
    from calibrate.trials import Arm, score_trials, visits_of

    arms = {"drug": Arm(0.5, 8, 2)}
    rng = np.random.default_rng(2)
    values, observations = score_trials(rng, 4000, arms, biopsy=0.0, leave="without response")
    pd.testing.assert_frame_equal(observations, visits_of(arms))
    matrix = values.to_numpy()
    normal, start, later = matrix[2:8], matrix[10:16], matrix[16:]
    own = (start - later) / (start - normal)
    # Those who stay respond better than all did.
    assert np.median(own) > 0.55


def test_flares_drift_back_by_the_closed_form():
    from calibrate.trials import Arm, flare_trials, flare_truth

    entry, drift = flare_truth()
    arms = {"drug": Arm(0.3, 100), "placebo": Arm(0.0, 100)}
    values, observations = flare_trials(np.random.default_rng(3), 200, arms)
    for arm, gain in (("drug", 0.3), ("placebo", 0.0)):
        decrease, disease = means(values.to_numpy(), observations, arm)
        assert disease.mean() == pytest.approx(entry, abs=0.02)
        assert decrease.mean() / disease.mean() == pytest.approx(drift + gain, abs=0.02)
    assert 0.2 < drift < 0.35


def test_arms_of_unequal_spread_have_the_shares_and_spreads_that_are_said():
    from calibrate.trials import Arm, spread_trials

    arms = {"drug": Arm(0.5, 200), "placebo": Arm(0.1, 200)}
    rng = np.random.default_rng(8)
    values, observations = spread_trials(rng, 100, arms, (4.0, 1.0), (0.6, 0.6), skewed=True)
    residuals = {}
    for arm in arms:
        decrease, disease = means(values.to_numpy(), observations, arm)
        assert disease.mean() == pytest.approx(1, abs=0.02)
        assert decrease.mean() == pytest.approx(arms[arm].share, abs=0.02)
        mine = {
            week: values[(observations["arm"] == arm) & (observations["state"] == "lesional")
                         & (observations["week"] == week)].to_numpy()
            for week in (0.0, 4.0)
        }  # fmt: skip
        residuals[arm] = mine[4.0] - 0.6 * mine[0.0]
    assert residuals["drug"].std() == pytest.approx(1.6, rel=0.03)
    assert residuals["placebo"].std() == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize(("pooled", "verdict"), [(False, "pass"), (True, "FAIL")])
def test_one_variance_for_unequal_arms_fails(monkeypatch, pooled, verdict):
    from calibrate.adjusted import _cell

    from adnorm.index import normalization

    def one_variance(left, sizes, leverage):
        return np.broadcast_to(left.sum(axis=0) / (sizes.sum() - 3), left.shape)

    if pooled:
        monkeypatch.setattr(normalization, "residual_variances", one_variance)
    away, row = _cell((24, 8), 0.25, 2000, seed=1)
    assert row.verdict == verdict
    assert (away > 5) == pooled


def test_diseased_genes_come_back_by_the_share():
    from calibrate.trials import draw_disease, gene_trial

    rng = np.random.default_rng(4)
    disease = draw_disease(rng, 500, 0.1)
    assert (disease != 0).sum() == 50
    assert np.abs(disease[:50]).mean() == pytest.approx(1.5, abs=0.3)
    log2, observations = gene_trial(rng, disease, 300, 0.5)
    decrease, difference = means(log2.T, observations, "drug")
    weights = disease
    assert (weights @ decrease) / (weights @ difference) == pytest.approx(0.5, abs=0.03)
    assert difference[50:].mean() == pytest.approx(0, abs=0.02)


def test_two_baseline_biopsies_correlate_as_said():
    from calibrate.trials import Arm, course_trial

    scores, reliability = course_trial(
        np.random.default_rng(5), {"drug": Arm(0.0, 20_000)}, 0.5, False
    )
    assert reliability == pytest.approx(0.8)
    wide = scores.pivot(index="patient", columns="week", values="score")
    # Without treatment the visits show the level with their own noise, variance 0.55².
    expected = 1 / np.sqrt((1 + 0.5**2) * (1 + 0.55**2))
    assert wide[0.0].corr(wide[2.0]) == pytest.approx(expected, abs=0.02)


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("value", "verdict"), [(91.9, "FAIL"), (92.0, "pass"), (98.0, "pass"), (98.1, "FAIL")]
)
def test_a_verdict_follows_its_range(value, verdict):
    from calibrate.verdicts import COVERAGE, judge

    assert judge("b", "", value, 1.0, "%", *COVERAGE).verdict == verdict
    assert judge("b", "", value, 1.0, "%").verdict == "shown"


def test_the_median_and_its_error_are_those_of_normal_values():
    from calibrate.verdicts import median_row

    values = np.r_[np.random.default_rng(6).normal(0.4, 10, 10_000), np.nan]
    row = median_row("a", "", values, -3, 3, "0")
    found, error = map(float, re.match(r"(\S+) ± (\S+) points", row.measured).groups())
    assert found == pytest.approx(np.nanmedian(values), abs=0.06)
    assert error == pytest.approx(0.1, abs=0.06)
    assert row.verdict == "pass"
    assert median_row("a", "", values + 4, -3, 3, "0").verdict == "FAIL"


def biased(function, by):
    """The index, moved by a constant with its interval."""

    def moved(*arguments, **options):
        table = function(*arguments, **options)
        columns = [
            c for c in table if c in {"ni", "dni", "ancova"} or c.endswith(("lower", "upper"))
        ]
        return table.assign(**{c: table[c] + by for c in columns})

    return moved


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.4, "FAIL")])
def test_coverage_fails_a_biased_index(monkeypatch, by, verdict):
    from calibrate import scores, verdicts
    from calibrate.trials import score_trials

    few = scores.SETTINGS.model_copy(update={"bootstrap": 300})
    monkeypatch.setattr(scores, "SETTINGS", few)
    monkeypatch.setattr(scores, "normalization_index", biased(scores.normalization_index, by))
    arms = scores.two_arms(0.5, 12)
    table = scores.indices(lambda rng, size: score_trials(rng, size, arms), 600, seed=3)
    assert len(table) == 600
    row = verdicts.coverage_row("b coverage", "12 per arm", table, 0.5, 0.4)
    assert row.verdict == verdict


def test_the_script_fails_with_a_biased_index(monkeypatch, tmp_path, capsys):
    import calibration
    from calibrate import scores

    few = scores.SETTINGS.model_copy(update={"bootstrap": 200})
    monkeypatch.setattr(scores, "SETTINGS", few)
    monkeypatch.setattr(scores, "normalization_index", biased(scores.normalization_index, 0.4))
    table = tmp_path / "table.md"
    assert calibration.main(["--trials", "50", "--only", "e", "--table", str(table)]) == 1
    assert "failed: e dNI − truth" in capsys.readouterr().err
    assert "FAIL" in table.read_text(encoding="utf-8")


def test_genes_go_through_both_axes_and_the_literature_is_fooled():
    from calibrate import genes

    tables, literal = genes.global_indices(10, seed=1, share=0.02, true=0.0, figure=True)
    assert set(tables) == {"cross-fit", "other cohorts"}
    for table in tables.values():
        assert abs(table["ni"].median()) < 0.06
        assert set(table["level"]) == {"global"}
    assert np.median(literal) > 10


def test_tests_of_five_per_cent_are_asked_of_the_atlas_and_the_clinic():
    from calibrate import errors

    rows = [*errors.dose_errors(20), *errors.early_errors(10)]
    assert [row.question for row in rows].count("f dose trend, contrast") == 2
    assert [row.verdict for row in rows][-1:] == ["shown"]


@pytest.mark.parametrize("arguments", [["--only", "a,z"], ["--trials", "3"]])
def test_wrong_options_are_refused(arguments, capsys):
    import calibration

    with pytest.raises(SystemExit) as stopped:
        calibration.main(arguments)
    assert stopped.value.code == 2
    assert re.search("unknown questions z; known: a, b|at least 10 trials", capsys.readouterr().err)


# ---------------------------------------------------------------- the kept table


def test_the_kept_table_answers_every_question_and_passes(benchmarks):
    text = (benchmarks / "calibration.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| [a-i] ", line)
    ]
    assert {row[0][0] for row in rows} == set("abcdefghi")
    verdicts = pd.DataFrame([(row[0], row[-1]) for row in rows], columns=["question", "verdict"])
    counts = verdicts.loc[verdicts["verdict"] == "pass", "question"].value_counts()
    assert {question: counts.get(question, 0) for question in CRITERIA} == CRITERIA
    assert set(verdicts["verdict"]) == {"pass", "shown"}
    trials = int(re.search(r"cross-fitted; ([\d,]+) trials", text)[1].replace(",", ""))
    assert trials >= 500
    sizes = re.findall(r"^\| (\d+) \|", text, re.M)
    assert sizes == ["6", "8", "10", "15", "20", "30", "40"]
