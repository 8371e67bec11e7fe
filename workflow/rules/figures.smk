# Heatmaps, plots and the overview page of each cohort; they draw tables and compute nothing.
rule figures:
    input:
        manifest="<results>/{cohort}/fetch/manifest.json",
        samples="<results>/{cohort}/expression/samples.tsv",
        excluded="<results>/{cohort}/expression/excluded.tsv",
        identifiers="<results>/{cohort}/expression/identifiers.tsv",
        design="<results>/{cohort}/expression/design.tsv",
        comparisons="<results>/{cohort}/expression/comparisons.tsv",
        qc="<results>/{cohort}/expression/qc.tsv",
        expression="<results>/{cohort}/expression/expression.h5ad",
        scores="<results>/{cohort}/scores/scores.h5ad",
        coverage="<results>/{cohort}/scores/coverage.tsv",
        agreement="<results>/{cohort}/scores/agreement.tsv",
        effects="<results>/{cohort}/effects/effects.tsv",
        set_effects="<results>/{cohort}/effects/set_effects.tsv",
        enrichment="<results>/{cohort}/effects/enrichment.tsv",
        gene_sets=SETTINGS["gene_sets"],
    output:
        **figure_outputs(),
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
        settings=SETTINGS["figures"] | {"fdr": SETTINGS["effects"]["fdr"]} | METHODS,
        cohort=cohort_file,
        code=code_digest("base", "study", "figures"),
    message:
        "{wildcards.cohort}: figures"
    script:
        "../../scripts/figures.py"
