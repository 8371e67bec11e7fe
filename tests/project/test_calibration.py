"""The calibration: its simulated truth is the stated one, and its verdicts can fail."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, pearsonr

CRITERIA = {
    "a null drug, median NI": 4,
    "a null drug, literal index (circular)": 2,
    "b coverage": 24,
    "b coverage, from genes": 12,
    "b coverage, other noise": 27,
    "c no signal, sets": 3,
    "c no signal, global": 3,
    "d power, width of NI": 3,
    "d power, width of dNI": 3,
    "e dNI − truth": 2,
    "e NI − truth (unadjusted)": 2,
    "e coverage, dNI": 2,
    "h dNI given baseline": 40,
    "i sizes of samples": 2,
    "j change with clinic": 4,
    "j coverage, kappa": 2,
    "j coverage, rank correlation": 2,
    "j repeated measures": 3,
    "k difference of classes": 19,
    "k mean of a class missed": 9,
    "k weights by estimated standard errors, mean of a class − truth": 9,
    "k weights by estimated standard errors, missed": 9,
    "l dose trend": 21,
    "m probabilities": 6,
    "m reversed": 4,
    "m interval of a response": 28,
    "n missing visits, NI by MMRM": 4,
    "n missing visits, dNI by MMRM": 4,
    "o weak disease effects, a drug like placebo": 30,
    "o weak disease effects, a useless drug": 82,
    "r NI, real patients": 6,
    "r control, nonlesional skin": 3,
    "r labels, false alarms": 3,
    "q control moves": 7,
    "s lesions of one patient, dNI": 8,
    "q percentile among random sets": 3,
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

    from adnorm.index import contrasts

    def one_variance(left, sizes, leverage):
        return np.broadcast_to(left.sum(axis=0) / (sizes.sum() - 3), left.shape)

    if pooled:
        monkeypatch.setattr(contrasts, "residual_variances", one_variance)
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


def test_changes_and_visits_share_nothing_but_what_is_said():
    from calibrate.clinic import change_trial, visit_trial

    rng = np.random.default_rng(5)
    x, y, given = change_trial(rng, (20_000, 20_000), "skewed", 3.0)
    for arm, spread in ((slice(0, 20_000), 3.0), (slice(20_000, None), 1.0)):
        design = np.column_stack([np.ones(20_000), given[arm]])
        left = [v[arm] - design @ np.linalg.lstsq(design, v[arm], rcond=None)[0] for v in (x, y)]
        assert np.std(left, axis=1) == pytest.approx(spread, rel=0.05)
        assert np.corrcoef(left)[0, 1] == pytest.approx(0, abs=0.03)
    assert np.corrcoef(x[:20_000], y[:20_000])[0, 1] > 0.05
    x, y = visit_trial(rng, (20_000,), 3, 1.0)
    fall = x[:, 0] - x[:, 2], y[:, 0] - y[:, 2]
    assert np.mean(fall) == pytest.approx(1.5, abs=0.02)
    assert np.corrcoef(*fall)[0, 1] == pytest.approx(0, abs=0.03)


def test_the_truth_of_kappa_is_that_of_its_cells():
    from calibrate.clinic import kappa_truths

    for truth, cells in kappa_truths():
        first, second = cells[2:].sum(), cells[[1, 3]].sum()
        chance = first * second + (1 - first) * (1 - second)
        assert (cells[0] + cells[3] - chance) / (1 - chance) == pytest.approx(truth)
        assert cells.sum() == pytest.approx(1)


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
        columns = [c for c in table if c in {"ni", "dni"} or c.endswith(("lower", "upper"))]
        return table.assign(**{c: table[c] + by for c in columns})

    return moved


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.4, "FAIL")])
def test_coverage_fails_a_biased_index(monkeypatch, by, verdict):
    from calibrate import scores, verdicts
    from calibrate.trials import score_trials

    monkeypatch.setattr(scores, "normalization_index", biased(scores.normalization_index, by))
    arms = scores.two_arms(0.5, 12)
    table = scores.indices(lambda rng, size: score_trials(rng, size, arms), 600, seed=3)
    assert len(table) == 600
    row = verdicts.coverage_row("b coverage", "12 per arm", table, 0.5, 0.4)
    assert row.verdict == verdict


@pytest.mark.parametrize("kind", ["t4", "skewed", "counts"])
def test_trials_of_other_noise_have_the_shares_that_are_said(kind):
    from calibrate.generators import count_trials, noisy_trials, true_share
    from calibrate.trials import Arm

    arms = {"drug": Arm(0.5, 400), "placebo": Arm(0.1, 400)}
    rng = np.random.default_rng(10)
    if kind == "counts":
        values, observations = count_trials(rng, 50, arms)
    else:
        values, observations = noisy_trials(rng, 50, arms, kind)
    for arm, share in (("drug", 0.5), ("placebo", 0.1)):
        decrease, disease = means(values.to_numpy(), observations, arm)
        true = true_share(share) if kind == "counts" else share
        assert true == pytest.approx(share, abs=0.01)
        assert decrease.mean() / disease.mean() == pytest.approx(true, abs=0.02)


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.3, "FAIL")])
def test_other_noise_fails_a_biased_index(monkeypatch, by, verdict):
    from calibrate import generators, scores

    monkeypatch.setattr(scores, "normalization_index", biased(scores.normalization_index, by))
    away, row = generators._cell("skewed", 15, 0.5, 1000)
    assert row.verdict == verdict
    assert (away > 10) == (by > 0)
    assert generators._cell("skewed", 6, 0.5, 20)[1].verdict == "shown"


def test_weak_effects_are_as_many_standard_errors_away_as_is_said():
    from calibrate.weak import weak_trials

    values, observations = weak_trials(np.random.default_rng(11), 4000, 9, 3.0, 0.4, "t4")
    decrease, disease = means(values.to_numpy(), observations, "drug")
    assert disease.mean() / disease.std() == pytest.approx(3, rel=0.05)
    assert decrease.mean() / disease.mean() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.3, "FAIL")])
def test_weak_effects_fail_a_biased_index(monkeypatch, by, verdict):
    from calibrate import scores, weak

    monkeypatch.setattr(scores, "normalization_index", biased(scores.normalization_index, by))
    useless = weak._drawn(100, 15, 4.0, 0.0, "normal")
    assert weak._cell(useless, 0.0, "", 4.0)[1].verdict == verdict
    # Hardly a trial gets a number, so nothing is asked.
    hopeless = weak._drawn(10, 15, 0.5, 0.0, "normal")
    assert weak._cell(hopeless, 0.0, "", 0.5)[1].verdict == "shown"


@pytest.mark.parametrize(
    ("why", "stay_better"), [("at random", 0), ("given week 4", 0.1), ("given week 12", 0.2)]
)
def test_who_misses_a_visit_is_who_is_said(why, stay_better):
    from calibrate.missing import SHARES, course_trials

    values, observations = course_trials(np.random.default_rng(12), 50, 300, why)
    mine = observations[observations["arm"] == "drug"]
    level = values.groupby([mine["state"], mine["week"]]).mean().mean(axis=1)
    counts = mine.groupby(["state", "week"]).size()
    assert counts.tolist() == [300, 300, 200, 300]
    start, early, late = level["lesional"]
    assert start - level["nonlesional", 0.0] == pytest.approx(1, abs=0.02)
    assert start - early == pytest.approx(SHARES["drug"][0], abs=0.02)
    assert start - late - SHARES["drug"][1] == pytest.approx(stay_better, abs=0.06)


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.3, "FAIL")])
def test_missing_visits_fail_a_biased_index(monkeypatch, by, verdict):
    from calibrate import missing

    biased_index = biased(missing.normalization_index, by)
    monkeypatch.setattr(missing, "normalization_index", biased_index)
    rows = list(missing._setting("given week 4", 12, 200))
    assert [row.verdict for row in rows] == [verdict, verdict, "shown", "shown"]


def test_missing_visits_fail_an_index_of_those_who_stayed(monkeypatch):
    from calibrate import missing

    def of_observed_pairs(*arguments):
        return by_the_model(*arguments[:-1], missing.Analysis.OBSERVED_PAIRS)

    by_the_model = missing.normalization_index
    monkeypatch.setattr(missing, "normalization_index", of_observed_pairs)
    assert next(missing._setting("given week 4", 24, 200)).verdict == "FAIL"


def test_the_script_fails_with_a_biased_index(monkeypatch, tmp_path, capsys):
    import calibration
    from calibrate import scores

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


def test_doses_without_effect_have_the_spreads_and_shapes_that_are_said():
    from calibrate import dose

    assert dose.spreads_of("rising to 4", 3).tolist() == [1, 2, 4]
    assert dose.spreads_of("4 in placebo", 4).tolist() == [4, 1, 1, 1]
    rng = np.random.default_rng(9)
    for shape, skewness in (("Gaussian", 0), ("skewed", 1), ("very skewed", 2)):
        noise = dose.noise_of(rng, shape, (500, 400)).ravel()
        assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=0.02)
        assert (noise**3).mean() == pytest.approx(skewness, abs=0.15)
    assert dose.noise_of(rng, "t4", (500, 400)).std() == pytest.approx(1, abs=0.05)
    table = dose.dose_trial(rng, 400, (50, 50, 50), "4 in the highest", "Gaussian")
    for arm in range(3):
        assert table.decrease(f"arm {arm}", 4.0).values.mean() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(("pooled", "verdict"), [(False, "pass"), (True, "FAIL")])
def test_a_dose_trend_with_one_variance_for_all_arms_fails(monkeypatch, pooled, verdict):
    """What permuted patients assume."""
    from calibrate import dose

    def of_pooled_patients(arms, scored, week, *rest):
        steps = np.repeat([arm.step for arm in arms], [arm.patients for arm in arms])
        falls = [scored.table.decrease(arm.name, week).values for arm in arms]
        p_value = pearsonr(steps[:, None], np.concatenate(falls)).pvalue
        return replace(separate(arms, scored, week, *rest), p_value=p_value)

    separate = dose.slope
    if pooled:
        monkeypatch.setattr(dose, "slope", of_pooled_patients)
    away, row = dose._cell((18, 6, 6), "4 in the highest", "Gaussian", 1500, seed=1)
    assert row.verdict == verdict
    assert (away > 5) == pooled


@pytest.mark.parametrize(("knapp", "verdict"), [(True, "pass"), (False, "FAIL")])
def test_classes_by_normal_theory_fail(monkeypatch, knapp, verdict):
    from calibrate import classes

    def normal(effects, errors, signs, confidence):
        estimates, shares = combine(effects, errors, signs, confidence)
        z = estimates["dni"].abs() / (estimates["known"] / 1.959964)
        return estimates.assign(p_value=2 * norm.sf(z)), shares

    monkeypatch.setattr(classes, "COUNTS", ((1, 3),))
    combine = classes.combine
    if not knapp:
        monkeypatch.setattr(classes, "combine", normal)
    rows = list(classes.differences(2000))
    judged = {row.setting: row.verdict for row in rows}
    wide = "1 against 3 trials, between them 0.3, standard errors 0.1–0.3"
    assert judged[wide] == verdict
    assert [row.verdict for row in rows][-3:] == ["shown"] * 3


def test_classes_are_asked_with_standard_errors_of_real_trials(monkeypatch):
    from calibrate import classes

    monkeypatch.setattr(classes, "PATIENTS", ((6, 9),))
    rows = list(classes.estimated(60))
    assert len(rows) == 6
    assert {row.verdict for row in classes.alone(50)} == {"pass"}


def test_tests_of_five_per_cent_are_asked_of_the_clinic():
    from calibrate import clinic

    rows = [*clinic.left_out(10), *clinic.change_errors(20)]
    questions = [row.question for row in rows]
    assert questions.count("j not asked: early predicts late, drug minus placebo") == 3
    assert questions.count("j change with clinic") == 4
    shown = [row.question for row in rows if row.verdict == "shown"]
    assert sorted(set(shown)) == sorted(
        {q for q in questions if "not asked" in q or "beyond its assumption" in q}
    )


@pytest.mark.parametrize("arguments", [["--only", "a,z"], ["--trials", "3"]])
def test_wrong_options_are_refused(arguments, capsys):
    import calibration

    with pytest.raises(SystemExit) as stopped:
        calibration.main(arguments)
    assert stopped.value.code == 2
    assert re.search("unknown questions z; known: a, b|at least 10 trials", capsys.readouterr().err)


# ---------------------------------------------------------------- real patients


def made_up_psort(folder, patients=60, swapped=(), seed=0):
    """A table of the shape of PSORT's, of made-up patients: a third of the disease is left."""
    rng = np.random.default_rng(seed)
    modules = 12
    effect = rng.normal(0, 0.06, modules)
    rows = {}
    for number in range(patients):
        patient, severity = f"P{number:03d}", rng.normal(1, 0.2)
        left = {"00": 1.0, "01": rng.normal(0.8, 0.15), "12": rng.normal(1 / 3, 0.2)}
        for week, share in left.items():
            for skin in ("05", "06") if week != "01" else ("05",):
                disease = severity * share if skin == "05" else 0.0
                named = {"05": "06", "06": "05"}[skin] if (patient, week) in swapped else skin
                noise = rng.normal(0, 0.02, modules)
                rows[f"{patient}_{week}{named}"] = disease * effect + noise
    table = pd.DataFrame.from_dict(rows, "index", columns=[f"m{i}" for i in range(modules)])
    table.drop(index="P001_1205").rename_axis("Sample_id").to_csv(folder / "skin_eigengenes.csv")
    return folder


def test_without_the_folder_real_patients_are_skipped_with_the_reason(monkeypatch):
    from calibrate.psort import VARIABLE, real_patients

    monkeypatch.delenv(VARIABLE, raising=False)
    (row,) = real_patients(500)
    assert row.verdict == "shown"
    assert row.measured.startswith("skipped: give the folder")


def test_trials_of_real_patients_know_the_value_of_all_of_them(tmp_path):
    from calibrate import psort

    table, sheet = psort.read_table(made_up_psort(tmp_path) / psort.TABLE)
    population = psort.population_of(table, sheet)
    # One lacks a visit.
    assert len(population.patients) == 59 and "P001" not in population.patients
    assert len(population.without({"P000", "P002"}).patients) == 57
    _, truth = psort.draw_trials(population, 9, 50, np.random.default_rng(1))
    np.testing.assert_allclose(truth.mean(axis=0), [0.2, 2 / 3, 0], atol=0.06)
    # All patients as one trial, on their own axis: the closed form.
    scores = population.scores @ psort.axis_of(population.scores)
    found = psort.index_of(pd.DataFrame({"all": psort.rows_of(scores)}), 59)
    start, normal, first, last, normal_last = scores.mean(axis=0)
    expected = np.array([start - first, start - last, normal - normal_last]) / (start - normal)
    np.testing.assert_allclose(found.sort_values("week")["ni"], expected, rtol=1e-9)


def test_the_axis_of_a_trial_is_that_of_the_patients_not_drawn(tmp_path, monkeypatch):
    from calibrate import psort

    table, sheet = psort.read_table(made_up_psort(tmp_path) / psort.TABLE)
    population = psort.population_of(table, sheet)
    taught = []
    axis_of = psort.axis_of
    monkeypatch.setattr(psort, "axis_of", lambda s: (taught.append(s), axis_of(s))[1])
    values, _ = psort.draw_trials(population, 9, 3, np.random.default_rng(2))
    for (_, column), teachers in zip(values.items(), taught, strict=True):
        normal = column.to_numpy()[9:18]
        own = teachers[:, 1] @ axis_of(teachers)
        assert not np.isclose(normal[:, None], own).any()
        assert 50 <= len(teachers) <= 58


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.2, "FAIL")])
def test_real_patients_fail_a_biased_index(tmp_path, monkeypatch, by, verdict):
    from calibrate import psort

    biased_index = biased(psort.normalization_index, by)
    monkeypatch.setattr(psort, "normalization_index", biased_index)
    table, sheet = psort.read_table(made_up_psort(tmp_path) / psort.TABLE)
    drawn = psort.indices(psort.population_of(table, sheet), 30, 800, seed=1)
    rows = list(psort.coverage_rows(drawn, "", 30, True))
    assert [row.verdict for row in rows] == [verdict, "shown"] * 2
    assert psort.control_row(drawn, "", 30, True).verdict == verdict


def test_all_questions_about_real_patients_are_answered(tmp_path, capsys, monkeypatch):
    import calibration
    from calibrate import psort

    monkeypatch.setenv(psort.VARIABLE, "nowhere")
    monkeypatch.setattr(psort, "SIZES", (9,))
    monkeypatch.setattr(psort, "SWAP_SIZES", (9,))
    monkeypatch.setattr(psort, "SWAP_DRAWS", 2)
    folder = made_up_psort(tmp_path, swapped={("P010", "00"), ("P020", "00")})
    calibration.main(["--trials", "60", "--only", "r", "--psort", str(folder)])
    text = capsys.readouterr().out
    assert "| week 0, all patients | 2 of 60 pairs |" in text
    assert "| week 1, 9 patients of 57;" in text
    assert "9 patients of 59; exchanged pairs kept" in text
    alarms = re.search(r"r labels, false alarms \| week 0, 9 patients; \d+ pairs.*", text)[0]
    assert "| 0.0 ± 0.0 %" in alarms and alarms.endswith("| pass |")
    found = re.search(r"one pair exchanged is found \| week 0, 9 patients \| (\S+) ±", text)[1]
    assert float(found) > 30


# ---------------------------------------------------------------- the kept table


def test_the_kept_table_answers_every_question_and_passes(benchmarks):
    text = (benchmarks / "calibration.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| [a-z] ", line)
    ]
    import calibration

    assert {row[0][0] for row in rows} == set(calibration.QUESTIONS) | {"d"}
    verdicts = pd.DataFrame([(row[0], row[-1]) for row in rows], columns=["question", "verdict"])
    counts = verdicts.loc[verdicts["verdict"] == "pass", "question"].value_counts()
    assert {question: counts.get(question, 0) for question in CRITERIA} == CRITERIA
    assert set(verdicts["verdict"]) == {"pass", "shown"}
    trials = int(re.search(r"cross-fitted; ([\d,]+) trials", text)[1].replace(",", ""))
    assert trials >= 500
    sizes = re.findall(r"^\| (\d+) \|", text, re.M)
    assert sizes == ["6", "8", "10", "15", "20", "30", "40"]
