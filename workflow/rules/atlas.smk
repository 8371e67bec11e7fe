# All cohorts joined: dose, time course, drug classes.
rule atlas:
    input:
        left_by("atlas/logs/atlas"),
        index=collect(
            "<results>/{cohort}/index/index.tsv", cohort=sorted(STUDY.cohorts)
        ),
        patients=collect(
            "<results>/{cohort}/index/patients.tsv", cohort=sorted(STUDY.cohorts)
        ),
        samples=collect(
            "<results>/{cohort}/expression/samples.tsv", cohort=sorted(STUDY.cohorts)
        ),
        expression=collect(
            "<results>/{cohort}/expression/expression.h5ad",
            cohort=sorted(STUDY.cohorts),
        ),
        teaching="<results>/axis/teaching.h5",
        published=local(str(locate("config/published.tsv", HOME))),
    output:
        dose="<results>/atlas/dose.tsv",
        time="<results>/atlas/time.tsv",
        classes="<results>/atlas/classes.tsv",
    log:
        "<results>/atlas/logs/atlas.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("atlas"),
    params:
        settings=harmless(SETTINGS["index"]),
        seed=SETTINGS["seed"],
        code=code_of("atlas"),
    message:
        "dose, time course and drug classes over all cohorts"
    script:
        "../../scripts/atlas.py"


rule atlas_figures:
    input:
        left_by("atlas/logs/atlas_figures"),
        dose="<results>/atlas/dose.tsv",
        time="<results>/atlas/time.tsv",
        classes="<results>/atlas/classes.tsv",
        samples=collect(
            "<results>/{cohort}/expression/samples.tsv", cohort=sorted(STUDY.cohorts)
        ),
        comparisons=collect(
            "<results>/{cohort}/expression/comparisons.tsv",
            cohort=sorted(STUDY.cohorts),
        ),
        gene_sets=GENE_SETS,
    output:
        **figure_outputs(
            names.ATLAS_FIGURES, folder="<results>/atlas/figures", cohort="all"
        ),
        tables=report(
            "<results>/atlas/tables.html",
            caption="../report/atlas_tables.rst",
            category=str(names.Category.TABLES),
            labels={"cohort": "all", "figure": "dose, time and drug classes"},
        ),
    log:
        "<results>/atlas/logs/atlas_figures.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("atlas_figures"),
    params:
        settings=harmless(
            drawn_by(names.INDEX_SETTINGS)
            | {
                "cohorts": {
                    name: {
                        key: getattr(cohort, key) for key in ("route", "placebo_arm")
                    }
                    for name, cohort in STUDY.cohorts.items()
                }
            }
        ),
        code=code_of("atlas_figures"),
    message:
        "figures over all cohorts"
    script:
        "../../scripts/atlas_figures.py"


# Cohorts that stop fail no job, so that the others are joined: this one fails for them, in a module too.
rule finished:
    input:
        drawn=collect(
            "<results>/{cohort}/figures/quality.tsv", cohort=sorted(STUDY.cohorts)
        ),
        answers=collect(
            "<results>/{cohort}/figures/answer.json", cohort=sorted(STUDY.cohorts)
        ),
        patients=collect(
            "<results>/{cohort}/index/trajectories.tsv", cohort=sorted(STUDY.cohorts)
        ),
        cohorts="<results>/atlas/cohorts.tsv",
        figures="<results>/atlas/figures/forest.tsv",
        explorer="<results>/explorer.html",
        # A run that fails here has its record all the same.
        record="<results>/provenance/ro-crate-metadata.json",
    output:
        "<results>/atlas/finished.txt",
    log:
        "<results>/atlas/logs/finished.log",
    localrule: True
    conda:
        "../../envs/adnorm.yaml"
    params:
        cohorts=sorted(STUDY.cohorts),
        code=code_of("finished"),
    message:
        "whether every cohort finished"
    script:
        "../../scripts/finished.py"
