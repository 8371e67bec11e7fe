"""`adnorm summary`: what every cohort of a run answers, in the words of page one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from adnorm.base.files import write_json
from adnorm.base.stops import Stop, write_stop
from adnorm.base.text import points
from adnorm.cli import main, summary
from adnorm.cli.summary import painted, summarize
from adnorm.figures import labels
from adnorm.figures.answer import Told, write_answer
from builders.answers import ESTIMATE, HOSTILE, REFERENCE, TRIAL

EARLY = replace(ESTIMATE, week=2.0, visit="first", value=0.44, lower=0.29, upper=0.58)
AXIS = replace(ESTIMATE, name="global", label="Whole disease axis", value=0.3, exploratory="few")
UNKNOWN = replace(
    AXIS, week=2.0, visit="first", value=None, lower=None, upper=None, ni=None, short="not scored"
)
PAIR = replace(
    TRIAL,
    primary=["Whole disease axis", "Itch: core (skin)"],
    estimates=[EARLY, UNKNOWN, ESTIMATE, AXIS],
)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder into which answers are laid."""
    monkeypatch.chdir(tmp_path)

    class Results:
        folder = tmp_path / "results"

        def lay(self, *answers):
            for answer in answers:
                (self.folder / answer.cohort / "logs").mkdir(parents=True)
                write_answer(answer, self.folder / answer.cohort / "figures" / "answer.json")
            return self.folder

    return Results()


def lines(folder):
    return [" ".join(line.split()) for line in summarize(folder).splitlines()]


def test_the_summary_of_nothing_says_what_to_run(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "no finished cohort is here" in capsys.readouterr().err


def test_every_cohort_is_told_in_the_order_of_page_one(results):
    simulated = replace(PAIR, cohort="a", simulated=True, banners=["SIMULATED DATA: no drug."])
    folder = results.lay(REFERENCE, simulated, PAIR)
    told = lines(folder)
    disease = "atopic dermatitis"
    heads = [
        told.index(f"trial · A trial · {disease}"),
        told.index(f"a · A trial · {disease} · SIMULATED DATA"),
        told.index(f"reference · Untreated · {disease}"),
    ]
    assert heads == sorted(heads)
    # What is true of a cohort without patients stands once, above everything.
    assert told.count("! SIMULATED DATA: no drug.") == 1
    assert told.index("! SIMULATED DATA: no drug.") < heads[0]
    assert "Nobody got a drug here." in told


def test_the_primary_family_stands_in_its_order_with_first_and_last_visit(results):
    told = lines(results.lay(PAIR))
    head = told.index("drug 20 mg: points, minus placebo (95 % CI) week 2 week 12")
    assert told[head + 1 : head + 4] == [
        "Whole disease axis not known: not scored 30° (35 to 76)",
        "Itch: core (skin) 44 (29 to 58) 56 (35 to 76)",
        "n = 13 and 11 n = 13 and 11",
    ]
    assert "At week 12, drug 20 mg had removed 56° more." in told
    assert "- On placebo alone, it fell by 20 %." in told
    assert told[-1] == "This is gene expression, not itch; these numbers are not treatment advice."
    # Columns stand below one another.
    table = [line for line in summarize(results.folder).splitlines() if line.startswith("    ")]
    columns = ("week 12", "30°", "56 (")
    assert len({line.index(c) for line, c in zip(table[:3], columns, strict=True)}) == 1


def test_numbers_are_written_as_on_page_one(results):
    assert summary.EXPLORATORY == labels.EXPLORATORY
    small = replace(ESTIMATE, value=0.3, lower=0.004, upper=-0.0004)
    told = " ".join(lines(results.lay(replace(TRIAL, estimates=[small]))))
    assert f"30 ({points(0.004)} to {points(-0.0004)})" in told and "(0.4 to −0.04)" in told


def test_an_arm_alone_is_not_called_a_difference(results):
    alone = replace(ESTIMATE, measure="NI", placebo_pairs=0, people="n = 13")
    told = " ".join(lines(results.lay(replace(TRIAL, placebo="", estimates=[alone]))))
    assert "points, arm alone (95 % CI)" in told and "minus" not in told
    mixed = replace(alone, week=2.0, visit="first"), ESTIMATE
    results.folder.joinpath("trial/figures/answer.json").unlink()
    both = results.lay(replace(TRIAL, cohort="both", estimates=list(mixed)))
    told = " ".join(lines(both))
    assert "minus placebo" in told and "56 (35 to 76) arm alone 56 (35 to 76)" in told


def test_there_is_nothing_to_say_only_with_its_reason(results):
    unknown = replace(UNKNOWN, visit="only")
    told = [Told("drug 20 mg", "How far it is back cannot be known, because it is odd.", "")]
    found = lines(results.lay(replace(TRIAL, told=told, estimates=[unknown])))
    assert "How far it is back cannot be known, because it is odd." in found
    assert not any("percentage points of the disease effect" in line for line in found)
    assert not any("points," in line for line in found)


def test_cohorts_without_an_answer_say_why(results, capsys):
    folder = results.lay(PAIR)
    for name in ("broken", "older"):
        (folder / name / "logs").mkdir(parents=True)
    stop = Stop("broken", "index", "no axis\nof this disease")
    write_stop(folder / "broken" / "figures" / "answer.json", stop)
    told = " ".join(lines(folder))
    assert "broken did not finish ! stopped at the stage index: no axis of this disease" in told
    assert "older did not finish ! its answer is not there" in told
    assert main(["summary", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cohorts"] == 3 and answer["unfinished"] == ["broken", "older"]


def test_a_run_whose_cohorts_all_stopped_says_why(results, capsys):
    (results.folder / "broken" / "logs").mkdir(parents=True)
    write_stop(results.folder / "broken/figures/answer.json", Stop("broken", "fetch", "offline"))
    assert main(["summary", str(results.folder)]) == 1
    assert "broken: stopped at the stage fetch: offline" in capsys.readouterr().err


def test_what_the_run_cannot_tell_and_its_pages_are_named(results):
    folder = results.lay(PAIR)
    write_json({"care": ["One trial per drug class."]}, folder / "atlas" / "answers.json")
    assert "(no report yet)" in summarize(folder)
    for page in ("index.html", "report.html"):
        (folder / page).write_text("")
    told = summarize(folder)
    assert told.startswith(f"Page one: {folder}/index.html\nReport: {folder}/report.html")
    assert "All cohorts\n  - One trial per drug class." in told


def test_another_disease_and_exploratory_banners_are_told(results):
    odd = replace(PAIR, disease="psoriasis", banners=["Exploratory: few."])
    told = lines(results.lay(odd))
    assert "trial · A trial · psoriasis" in told
    assert told.index("! Exploratory: few.") < told.index(
        "At week 12, drug 20 mg had removed 56° more."
    )


def test_programs_get_all_of_it(results, capsys):
    folder = results.lay(PAIR, REFERENCE)
    assert main(["summary", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["heading"] == "trial · A trial · atopic dermatitis"
    assert answer["others"] == ["reference"]
    assert [part["cohort"] for part in answer["answers"]] == ["trial", "reference"]
    assert answer["answers"][0]["estimates"][0]["value"] == 0.44
    assert "At week 12, drug 20 mg had removed 56° more." in answer["lines"]


def test_the_results_of_a_configuration_are_found(results, tmp_path, capsys):
    results.lay(PAIR)
    (tmp_path / "run.yaml").write_text("cohorts: [trial]\nresults: results\n")
    assert main(["summary", "--configfile", "run.yaml"]) == 0
    assert "At week 12, drug 20 mg had removed" in capsys.readouterr().out


def test_colours_are_for_terminals_alone_and_no_name_can_bring_its_own(
    results, capsys, monkeypatch
):
    folder = results.lay(replace(PAIR, title=f"\x1b[31m{HOSTILE}", banners=["Odd."]))
    assert main(["summary", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["summary", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "\x1b[31m  ! Odd.\x1b[0m" in told
    assert "␛[31m</script>" in told
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["summary", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert painted("\n  ! x") != "\n  ! x"


def test_doses_are_told_with_their_cohort(results, capsys):
    folder = results.lay(PAIR, REFERENCE)
    doses = {"doses": {"trial": ["Whether 20 mg did more cannot be told."]}, "care": []}
    write_json(doses, folder / "atlas" / "answers.json")
    told = lines(folder)
    place = told.index("Whether 20 mg did more cannot be told.")
    assert place < told.index("- On placebo alone, it fell by 20 %.")
    assert told.count("Whether 20 mg did more cannot be told.") == 1
    assert main(["summary", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"][0]["doses"] == doses["doses"]["trial"]


def test_what_0_and_100_mean_depends_on_the_measure(results):
    told = " ".join(lines(results.lay(PAIR)))
    assert "100 the whole disease effect more than on placebo." in told
    assert "level of the reference skin" not in told and "normal" not in told
    alone = replace(ESTIMATE, measure="NI", placebo_pairs=0, people="n = 13")
    results.folder.joinpath("trial/figures/answer.json").unlink()
    told = " ".join(lines(results.lay(replace(TRIAL, cohort="a", placebo="", estimates=[alone]))))
    assert "0 is as before treatment, 100 the level of the reference skin." in told
    assert "0 is as on placebo" not in told
