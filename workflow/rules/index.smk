# How far each arm is back from disease: the axis is trained on the other cohorts of the run.
rule lesional_effects:
    input:
        left_by("axis/logs/lesional_effects"),
        effects=collect(
            "<results>/{cohort}/effects/effects.tsv", cohort=sorted(STUDY.cohorts)
        ),
        expression=collect(
            "<results>/{cohort}/expression/expression.h5ad",
            cohort=sorted(STUDY.cohorts),
        ),
        manifests=collect(
            "<results>/{cohort}/fetch/manifest.json", cohort=sorted(STUDY.cohorts)
        ),
    output:
        lesional_effects="<results>/axis/lesional_effects.tsv",
        # The same for jobs: none reads the table.
        teaching="<results>/axis/teaching.h5",
    log:
        "<results>/axis/logs/lesional_effects.log",
    # All other cohorts wait for it.
    localrule: len(STUDY.cohorts) <= needs.FEW_COHORTS
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("lesional_effects"),
    params:
        code=code_of("lesional_effects"),
    message:
        "lesional against non-lesional skin in all cohorts"
    script:
        "../../scripts/lesional_effects.py"


# What a cohort must have of a set, also of those that the index makes itself.
SET_COVERAGE = ("minimum_genes", "minimum_fraction")


rule index:
    input:
        left_by("{cohort}/logs/index"),
        teaching="<results>/axis/teaching.h5",
        samples="<results>/{cohort}/expression/samples.tsv",
        expression="<results>/{cohort}/expression/expression.h5ad",
        scores="<results>/{cohort}/scores/scores.h5ad",
        effects="<results>/{cohort}/effects/effects.tsv",
        gene_sets=GENE_SETS,
        axis_genes=[
            local(str(path)) for path in [SETTINGS["index"]["axis_genes"]] if path
        ],
    output:
        axis="<results>/{cohort}/index/axis.tsv",
        index="<results>/{cohort}/index/index.tsv",
        sensitivities="<results>/{cohort}/index/sensitivities.tsv",
        denominators="<results>/{cohort}/index/denominators.tsv",
        gene_index="<results>/{cohort}/index/gene_index.tsv",
        residual="<results>/{cohort}/index/residual.gmt",
        patients="<results>/{cohort}/index/patients.tsv",
        trajectories="<results>/{cohort}/index/trajectories.tsv",
        concordance="<results>/{cohort}/index/concordance.tsv",
        calibration="<results>/{cohort}/index/calibration.tsv",
    log:
        "<results>/{cohort}/logs/index.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("index"),
    params:
        settings=harmless(
            SETTINGS["index"] | {key: SETTINGS["scores"][key] for key in SET_COVERAGE}
        ),
        seed=SETTINGS["seed"],
        code=code_of("index"),
    message:
        "{wildcards.cohort}: normalization index, patients and the clinic"
    script:
        "../../scripts/index.py"
