# What figures are drawn from, below a cohort's results.
DRAWN = {
    "manifest": "fetch/manifest.json",
    "samples": "expression/samples.tsv",
    "excluded": "expression/excluded.tsv",
    "losses": "expression/losses.tsv",
    "identifiers": "expression/identifiers.tsv",
    "design": "expression/design.tsv",
    "comparisons": "expression/comparisons.tsv",
    "batches": "expression/batches.tsv",
    "qc": "expression/qc.tsv",
    "expression": "expression/expression.h5ad",
    "scores": "scores/scores.h5ad",
    "coverage": "scores/coverage.tsv",
    "agreement": "scores/agreement.tsv",
    "effects": "effects/effects.tsv",
    "set_effects": "effects/set_effects.tsv",
    "controls": "effects/controls.tsv",
    "enrichment": "effects/enrichment.tsv",
}
# What figures of the index are drawn from: tables alone, so that their job is light.
INDEX_DRAWN = {
    **{name: DRAWN[name] for name in ("samples", "comparisons", "qc", "coverage")},
    "controls": DRAWN["controls"],
    "index": "index/index.tsv",
    "sensitivities": "index/sensitivities.tsv",
    "denominators": "index/denominators.tsv",
    "gene_index": "index/gene_index.tsv",
    "patients": "index/patients.tsv",
    "trajectories": "index/trajectories.tsv",
    "concordance": "index/concordance.tsv",
    "calibration": "index/calibration.tsv",
}


# Heatmaps, plots and the overview page of each cohort; they draw tables and compute nothing.
rule figures:
    input:
        left_by("{cohort}/logs/figures"),
        **figure_inputs(DRAWN),
    output:
        **figure_outputs(names.FIGURES),
        overview=report(
            "<results>/{cohort}/figures/overview.html",
            caption="../report/overview.rst",
            category="Overview",
            labels={"cohort": "{cohort}", "figure": "overview"},
        ),
    log:
        "<results>/{cohort}/logs/figures.log",
    conda:
        "../../envs/adnorm.yaml"
    params:
        settings=drawing_parameter(names.COHORT_SETTINGS, DescribedCohort),
        code=code_digest("figures"),
    message:
        "{wildcards.cohort}: figures"
    script:
        "../../scripts/figures.py"


rule index_figures:
    input:
        left_by("{cohort}/logs/index_figures"),
        **figure_inputs(INDEX_DRAWN),
    output:
        **figure_outputs(names.INDEX_FIGURES),
        answers=report(
            "<results>/{cohort}/figures/answers.html",
            caption="../report/answers.rst",
            category="Overview",
            labels={"cohort": "{cohort}", "figure": "does the answer hold?"},
        ),
    log:
        "<results>/{cohort}/logs/index_figures.log",
    conda:
        "../../envs/adnorm.yaml"
    params:
        settings=drawing_parameter(names.INDEX_SETTINGS, DrawnCohort),
        code=code_digest("index_figures"),
    message:
        "{wildcards.cohort}: figures of the normalization index"
    script:
        "../../scripts/index_figures.py"


rule cohorts:
    input:
        left_by("atlas/logs/cohorts"),
        samples=collect(
            "<results>/{cohort}/expression/samples.tsv", cohort=sorted(STUDY.cohorts)
        ),
        overview=collect(
            "<results>/{cohort}/figures/overview.html", cohort=sorted(STUDY.cohorts)
        ),
        index=collect(
            "<results>/{cohort}/figures/normalization.tsv",
            cohort=sorted(STUDY.cohorts),
        ),
        patients=collect(
            "<results>/{cohort}/index/trajectories.tsv", cohort=sorted(STUDY.cohorts)
        ),
    output:
        table="<results>/atlas/cohorts.tsv",
        page=report(
            "<results>/atlas/cohorts.html",
            caption="../report/cohorts.rst",
            category="Overview",
            labels={"cohort": "all", "figure": "cohorts of this run"},
        ),
    log:
        "<results>/atlas/logs/cohorts.log",
    conda:
        "../../envs/adnorm.yaml"
    params:
        settings=harmless(
            {
                name: {
                    key: getattr(cohort, key)
                    for key in ("title", "accession", "status")
                }
                for name, cohort in STUDY.cohorts.items()
            }
        ),
        code=code_digest("cohorts"),
    message:
        "the cohorts of this run"
    script:
        "../../scripts/cohorts.py"
