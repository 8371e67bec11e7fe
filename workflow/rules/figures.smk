# Heatmaps and plots of each cohort; they draw tables and compute nothing.
rule figures:
    input:
        left_by("{cohort}/logs/figures"),
        **figure_inputs(DRAWN),
    output:
        **figure_outputs(names.FIGURES),
    log:
        "<results>/{cohort}/logs/figures.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("figures"),
    params:
        settings=drawing_parameter(names.COHORT_SETTINGS, DrawnCohort),
        code=code_of("figures"),
    message:
        "{wildcards.cohort}: figures"
    script:
        "../../scripts/figures.py"


# Figures of the index, what the cohort answers, and the pages that say it. The overview is made here,
# not in a job of its own: it needs what this job has read, and a page alone is no work for a job.
rule index_figures:
    input:
        left_by("{cohort}/logs/index_figures"),
        **figure_inputs(DRAWN | INDEX_DRAWN),
    output:
        **figure_outputs(names.INDEX_FIGURES),
        answer="<results>/{cohort}/figures/answer.json",
        overview=report(
            "<results>/{cohort}/figures/overview.html",
            caption="../report/overview.rst",
            category=str(names.Category.ANSWER),
            labels={"cohort": "{cohort}", "figure": "overview"},
        ),
        answers=report(
            "<results>/{cohort}/figures/answers.html",
            caption="../report/answers.rst",
            category=str(names.Category.ANSWER),
            labels={"cohort": "{cohort}", "figure": "does the answer hold?"},
        ),
        tables=report(
            "<results>/{cohort}/figures/tables.html",
            caption="../report/tables.rst",
            category=str(names.Category.TABLES),
            labels={"cohort": "{cohort}", "figure": "all tables of the cohort"},
        ),
    log:
        "<results>/{cohort}/logs/index_figures.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("index_figures"),
    params:
        settings=drawing_parameter(
            names.COHORT_SETTINGS | names.INDEX_SETTINGS, DescribedCohort
        ),
        code=code_of("index_figures"),
    message:
        "{wildcards.cohort}: what it answers, and figures of the normalization index"
    script:
        "../../scripts/index_figures.py"


# Page one of a run, alone and for the report, and the list of its cohorts.
rule cohorts:
    input:
        left_by("atlas/logs/cohorts"),
        samples=collect(
            "<results>/{cohort}/expression/samples.tsv", cohort=sorted(STUDY.cohorts)
        ),
        drawn=collect(
            "<results>/{cohort}/figures/quality.tsv", cohort=sorted(STUDY.cohorts)
        ),
        patients=collect(
            "<results>/{cohort}/index/trajectories.tsv", cohort=sorted(STUDY.cohorts)
        ),
        answers=collect(
            "<results>/{cohort}/figures/answer.json", cohort=sorted(STUDY.cohorts)
        ),
        pictures=collect(
            "<results>/{cohort}/figures/answer.svg", cohort=sorted(STUDY.cohorts)
        ),
        dose="<results>/atlas/dose.tsv",
    output:
        front="<results>/index.html",
        fragment="<results>/atlas/page_one.html",
        answers="<results>/atlas/answers.json",
        table="<results>/atlas/cohorts.tsv",
        page=report(
            "<results>/atlas/cohorts.html",
            caption="../report/cohorts.rst",
            category=str(names.Category.ANSWER),
            labels={"cohort": "all", "figure": "cohorts of this run"},
        ),
    log:
        "<results>/atlas/logs/cohorts.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("cohorts"),
    params:
        settings=harmless(
            {
                name: {
                    key: getattr(cohort, key)
                    for key in ("title", "accession", "status", "route")
                }
                for name, cohort in STUDY.cohorts.items()
            }
        ),
        code=code_of("cohorts"),
    message:
        "page one, and the cohorts of this run"
    script:
        "../../scripts/cohorts.py"
