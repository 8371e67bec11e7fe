# "And this gene?": one page of all cohorts, which works without a network. What a cohort leaves when it
# stops stops nothing here: the page names it.
EXPLORED = {
    "effects": "effects/effects.tsv",
    "comparisons": "expression/comparisons.tsv",
    "index": "index/index.tsv",
    "gene_index": "index/gene_index.tsv",
    "axis": "index/axis.tsv",
    "trajectories": "index/trajectories.tsv",
    "expression": "expression/expression.h5ad",
}


rule explorer:
    input:
        left_by("atlas/logs/explorer"),
        **{
            name: collect(f"<results>/{{cohort}}/{path}", cohort=sorted(STUDY.cohorts))
            for name, path in EXPLORED.items()
        },
        gene_sets=GENE_SETS,
    output:
        page="<results>/explorer.html",
    log:
        "<results>/atlas/logs/explorer.log",
    conda:
        "../../envs/adnorm.yaml"
    resources:
        **asks("explorer"),
    params:
        settings=harmless(
            drawn_by(names.EXPLORER_SETTINGS)
            | {
                "cohorts": {
                    name: cohort.title for name, cohort in STUDY.cohorts.items()
                }
            }
        ),
        code=code_of("explorer"),
    message:
        "explorer: every gene, score and index of all cohorts"
    script:
        "../../scripts/explorer.py"
