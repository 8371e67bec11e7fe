# Heatmaps, plots and the overview page of each cohort; they draw tables and compute nothing.
rule figures:
    input:
        **figure_inputs(),
    output:
        **figure_outputs(FIGURES),
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
