# Comparisons of the design as contrasts of one linear model per cohort: genes, set scores, enrichment.
rule effects:
    input:
        left_by("{cohort}/logs/effects"),
        expression="<results>/{cohort}/expression/expression.h5ad",
        scores="<results>/{cohort}/scores/scores.h5ad",
        coverage="<results>/{cohort}/scores/coverage.tsv",
        gene_sets=GENE_SETS,
    output:
        effects="<results>/{cohort}/effects/effects.tsv",
        set_effects="<results>/{cohort}/effects/set_effects.tsv",
        controls="<results>/{cohort}/effects/controls.tsv",
        enrichment="<results>/{cohort}/effects/enrichment.tsv",
    log:
        "<results>/{cohort}/logs/effects.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("effects"),
    params:
        settings=harmless(SETTINGS["effects"] | SETTINGS["enrichment"]),
        seed=SETTINGS["seed"],
        code=code_of("effects"),
    message:
        "{wildcards.cohort}: effects of genes and gene sets, enrichment"
    script:
        "../../scripts/effects.py"
