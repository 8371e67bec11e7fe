# From published files to log2 expression with a canonical sample sheet, and the design that follows.
rule expression:
    input:
        left_by("{cohort}/logs/expression"),
        manifest="<results>/{cohort}/fetch/manifest.json",
        identifiers=IDENTIFIERS,
    output:
        samples="<results>/{cohort}/expression/samples.tsv",
        excluded="<results>/{cohort}/expression/excluded.tsv",
        losses="<results>/{cohort}/expression/losses.tsv",
        identifiers="<results>/{cohort}/expression/identifiers.tsv",
        design="<results>/{cohort}/expression/design.tsv",
        comparisons="<results>/{cohort}/expression/comparisons.tsv",
        batches="<results>/{cohort}/expression/batches.tsv",
        qc="<results>/{cohort}/expression/qc.tsv",
        expression="<results>/{cohort}/expression/expression.h5ad",
    log:
        "<results>/{cohort}/logs/expression.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("expression"),
    params:
        settings=expression_settings,
        # What is taken from them stands in the settings as a digest.
        files=uncompared(gene_sets=SETTINGS["gene_sets"]),
        code=code_of("expression"),
    message:
        "{wildcards.cohort}: expression"
    script:
        "../../scripts/expression.py"
