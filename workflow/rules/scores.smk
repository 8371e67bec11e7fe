# Scores of gene sets per sample, and how much of each set the platform can see.
rule scores:
    input:
        left_by("{cohort}/logs/scores"),
        expression="<results>/{cohort}/expression/expression.h5ad",
        gene_sets=GENE_SETS,
    output:
        scores="<results>/{cohort}/scores/scores.h5ad",
        coverage="<results>/{cohort}/scores/coverage.tsv",
        agreement="<results>/{cohort}/scores/agreement.tsv",
    log:
        "<results>/{cohort}/logs/scores.log",
    conda:
        "../../envs/adnorm.yaml"
    threads: scoring_threads
    resources:
        **asks("scores"),
    params:
        settings=harmless(DECIDING["scores"]),
        manner=uncompared(**WORKING["scores"]),
        code=code_of("scores"),
    message:
        "{wildcards.cohort}: gene-set scores"
    script:
        "../../scripts/scores.py"
