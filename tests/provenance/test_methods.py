"""The methods are those of the configuration and the cohort files, and of nothing else."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from adnorm.base.stops import Stop, write_stop
from adnorm.figures.page.answers import estimand
from adnorm.index.teaching import writing
from adnorm.provenance.methods import REFERENCES, Found, methods_text, plain
from adnorm.scores.gsva import FEWEST_LINEAR
from adnorm.scores.single_sample import MOST_WORK
from adnorm.study.cohort import Cohort
from adnorm.study.config import RunConfig
from adnorm.study.validation import check
from builders.axis_trials import lesional_rows
from builders.crates import cohort
from builders.hostile import hostile


def config(**sections: Any) -> RunConfig:
    return check(RunConfig, {"cohorts": ["trial"]} | sections, "run")


def trial(name: str = "trial", **changes: Any) -> Cohort:
    return Cohort.model_validate(cohort(name, {"table": "a.csv", "sheet": "b.csv"}, **changes))


def text(settings: RunConfig | None = None, *cohorts: Cohort, **stops: Stop) -> str:
    given = {c.id: c for c in cohorts or (trial(),)}
    return methods_text(settings or config(), given, stops, {"numpy": "1.2.3", "python": "3.11.0"})


#: A change of the configuration → what the text says then, and does not say without it.
CHANGES = [
    ({"expression": {"minimum_count": 17}}, "fewer than 17 reads"),
    ({"expression": {"minimum_samples": 9}}, "in 9 samples"),
    ({"expression": {"count_normalization": "median_of_ratios"}}, "by the median of ratios"),
    ({"expression": {"count_normalization": "library_size"}}, "by their library sizes alone"),
    ({"expression": {"exclude_swaps": True}}, "left out samples that expression takes for exch"),
    ({"expression": {"exclude_small_libraries": 4321}}, "libraries of fewer than 4,321 reads"),
    ({"scores": {"minimum_genes": 7}}, "fewer than 7 genes"),
    ({"scores": {"minimum_fraction": 0.625}}, "62.5 % of their genes"),
    ({"effects": {"count_model": "deseq2"}}, "DESeq2"),
    ({"effects": {"count_model": "log2"}}, "limma on log2 counts per million"),
    ({"effects": {"robust": True}}, "robust empirical Bayes"),
    ({"effects": {"confidence": 0.9}}, "with 90 % confidence intervals"),
    ({"effects": {"minimum_pairs": 6}}, "at least 6 patients"),
    ({"effects": {"fdr": 0.01}}, "marks stand for FDR below 0.01"),
    ({"enrichment": {"minimum_size": 8, "maximum_size": 99}}, "(sets of 8 to 99 genes)"),
    ({"enrichment": {"inter_gene_correlation": 0.03}}, "correlation between genes of 0.03"),
    ({"index": {"folds": 4}}, "over 4 patient folds"),
    ({"index": {"minimum_effect": 1.5}}, "at least 1.5 log2"),
    ({"index": {"fdr": 0.02}}, "log2 at an FDR below 0.02"),
    ({"index": {"primary": ["global", "th2"]}}, "(global, th2)"),
    ({"index": {"multiplicity": "fixed_sequence"}}, "fixed sequence, higher doses first"),
    ({"index": {"equivalence_margin": 0.2}}, "NI within 0.2 of 1"),
    ({"index": {"delta": 0.5}}, "0.5 of the index worse"),
    ({"index": {"confidence": 0.975}}, "Intervals (97.5 %)"),
    ({"index": {"axis_genes": "madad.tsv"}}, "published list (madad.tsv)"),
    ({"seed": 99}, "random numbers was 99"),
]


@pytest.mark.parametrize(("changed", "words"), CHANGES, ids=[words for _, words in CHANGES])
def test_a_setting_is_told_as_it_is(changed, words):
    assert words in text(config(**changed))
    assert words not in text()


def test_scores_that_were_not_made_are_not_told():
    told = text(config(scores={"methods": ["zscore"]}))
    assert "signed z score" in told and "ssGSEA" not in told and "GSVA" not in told
    assert "gseapy does itself" not in told
    assert "GSVA" not in text(config(scores={"methods": ["ssgsea"]})).replace("ssGSEA", "")


def test_who_scores_large_cohorts_is_told_with_the_limits_of_the_code():
    assert (MOST_WORK, FEWEST_LINEAR) == (2e8, 600)
    told = text()
    assert "more than 2 × 10⁸, adnorm computes" in told
    assert f"GSVA of {FEWEST_LINEAR} samples or more takes" in told


def test_arrays_and_counts_are_told_apart():
    array = trial("array", assay="microarray", scale="log2")
    told = text(config(expression={"array_normalization": "quantile"}), array)
    assert "quantile-normalized" in told and "reads" not in told and "voom" not in told
    assert "from limma" in told
    both = text(None, array, trial())
    assert "limma-voom" in both and "of other values from limma" in both
    assert "Array values were taken as normalized by the authors" in both


def test_the_estimand_is_that_of_the_pages():
    for kind, changes in (
        ((True, False), {}),
        ((False, False), {"placebo_arm": None, "randomised": None}),
        ((False, False), {"randomised": False}),
        ((True, True), {"within_patient": True}),
    ):
        told = text(None, trial(**changes))
        for what, words in estimand(*kind).items():
            assert f"- **{what}.** {words}" in told
        assert ("dNI) is an analysis of covariance" in told) == kind[0]


def test_without_treatment_nothing_is_estimated():
    untreated = trial(placebo_arm=None, treatments={})
    told = text(None, untreated)
    assert "What is estimated" not in told and "there is no normalization index" in told


def test_every_reference_is_cited_and_every_citation_is_a_reference():
    told = text(config(effects={"count_model": "deseq2", "robust": True}))
    body, _, listed = told.partition("## References")
    cited = {int(n) for group in re.findall(r" \[([\d, ]+)\]", body) for n in group.split(",")}
    numbers = [int(n) for n in re.findall(r"^(\d+)\. ", listed, re.M)]
    assert numbers == list(range(1, len(numbers) + 1)) and cited == set(numbers)
    first = [int(n) for group in re.findall(r" \[([\d, ]+)\]", body) for n in group.split(",")]
    assert list(dict.fromkeys(first)) == numbers
    assert all(line.split(". ", 1)[1] in REFERENCES.values() for line in listed.split("\n") if line)


def test_versions_are_those_that_ran():
    told = text()
    assert "on Python 3.11.0 (numpy 1.2.3)" in told and "scipy" not in told


def test_a_cohort_that_stopped_is_not_described():
    told = text(None, trial(), trial("other"), other=Stop("other", "fetch", "no network"))
    assert "- other: not analysed; it stopped at the stage fetch" in told
    assert "**other**" not in told
    told = text(None, trial("other"), other=Stop("other", "fetch", "no network"))
    assert "No cohort of this run finished." in told


def test_texts_of_the_outside_mean_nothing_in_markdown():
    told = text(None, trial(title=hostile("title"), citation="a\n# b `c` [d](javascript:e)"))
    assert "<script" not in told and "<img" not in told
    assert not re.search(r"^# b", told, re.M)
    assert r"\[d\](javascript:e)" in told and r"\`c\`" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("itch_core_skin_up", "itch_core_skin_up"),
        ("_a_", r"\_a\_"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
    ],
)
def test_plain_text_stays_readable(given, written):
    assert plain(given) == written


HEADS = {
    "index/index.tsv": ("name", "reason_code", "estimator", "ni", "adjusted_p_value", "lost"),
    "scores/coverage.tsv": ("set", "status"),
    "index/denominators.tsv": ("reference", "people"),
}


def finished(folder: Path, cohort: str, *tables: tuple[str, ...]) -> None:
    """Write the tables of a cohort that finished: rows with tabs between their cells."""
    for (name, head), rows in zip_longest(HEADS.items(), tables, fillvalue=()):
        path = folder / cohort / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{row}\n" for row in ("\t".join(head), *rows)))
    (folder / "axis").mkdir(exist_ok=True)
    share(folder, {})


def share(folder: Path, shares: dict[str, str]) -> None:
    """Write what cohorts teach, and what they have in common with others."""
    with writing(folder / "axis/teaching.h5") as add:
        for cohort, text in shares.items():
            add(lesional_rows(cohort, {"IL13": 1.0, "IL4": 1.0}).assign(shares=text))


NOTHING = Found(*[False] * 5)


@pytest.mark.parametrize(
    ("row", "found", "words"),
    [
        ("global\t\tMMRM\t0.5\t0.01\t2", Found(), ()),
        (
            "global\tNOT_SCORED\t\tNA\tNA\t17",
            NOTHING,
            ("No cohort had a disease axis", "none of its scores has a p value", "was."),
        ),
        (
            "th2\t\tobserved pairs\t0.5\tNA\t0",
            Found(False, False, True, False, False),
            ("No cohort had a disease axis", "two one-sided tests"),
        ),
    ],
)
def test_nothing_is_told_as_done_that_came_to_nothing(tmp_path, row, found, words):
    finished(tmp_path, "trial", (row,))
    assert Found.of(tmp_path, {"trial": trial()}) == found
    assert Found.of(tmp_path, {}) == NOTHING
    told = methods_text(config(), {"trial": trial()}, {}, {}, found)
    for sentence, done in {
        "mixed model for repeated measures [": found.model,
        "cross-fitted": found.axis,
        "p values are adjusted": found.tested,
        "two one-sided tests": found.estimated,
        "of the index worse": found.lost,
        "in common": False,
    }.items():
        assert (sentence in told) == done
    for sentence in words:
        assert sentence in told


def test_sets_people_and_what_cohorts_share_are_counted(tmp_path):
    people = ("nonlesional\t8 patients with both", "nonlesional\t9 patients with both")
    other = ("healthy\t9 patients, 3 healthy people",) * 3
    for name, sets in (("trial", ("a\tok", "b\tlow_coverage", "c\tnot_scored")), ("x", ("a\tok",))):
        finished(tmp_path, name, (), sets, (*other, *people, people[0], "nonlesional\tNA"))
    share(tmp_path, {"x": "trial: 5 patient ids | gone: the series GSE1"})
    cohorts = {name: trial(name) for name in ("trial", "x")}
    found = Found.of(tmp_path, cohorts)
    assert (found.sets, found.scored) == (3, (1, 2))
    assert found.reference == dict.fromkeys(cohorts, "8 patients with both")
    assert found.shared == {("trial", "x"): "5 patient ids"}
    told = methods_text(config(), cohorts, {}, {}, found)
    assert "the 3 of adnorm.tsv; a cohort has scores of 1 to 2 of them." in told
    all_of_them = methods_text(config(), cohorts, {}, {}, Found(sets=3, scored=(3, 3)))
    assert "the 3 of adnorm.tsv; all were scored in every cohort." in all_of_them
    assert told.count("nonlesional skin at baseline (8 patients with both)") == 2
    assert "no axis of one another: trial and x share 5 patient ids." in told
    write_stop(tmp_path / "axis/teaching.h5", Stop("x", "effects", "no comparison"))
    assert Found.of(tmp_path, cohorts).shared == {}


def test_the_packages_of_another_model_are_not_named():
    versions = {"pylimma": "0.2.0", "pydeseq2": "0.5.4"}
    for model, named, other in (("voom", "pylimma", "pydeseq2"), ("deseq2", "pydeseq2", "pylimma")):
        settings = config(effects={"count_model": model})
        told = methods_text(settings, {"trial": trial()}, {}, versions)
        assert f"{named} " in told and f"{other} " not in told
