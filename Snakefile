# adnorm: how far does a drug bring atopic-dermatitis skin back to normal gene expression?
# fetch → expression → scores → effects → index → figures for each cohort, then the atlas of all.
from snakemake.utils import min_version

min_version("9.26.1")


# Another configuration stands alone: nothing of the demo's leaks into it.
if "cohorts" not in config:

    configfile: "config/config.yaml"


pathvars:
    results=config.get("results", "results"),


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/drawing.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/expression.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/effects.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/atlas.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/recording.smk"
include: "workflow/rules/provenance.smk"


report: "workflow/report/workflow.rst"


onstart:
    tell_what_is_missing()


# A cohort that stops fails no job but the last one; what stopped stands last.
onsuccess:
    tell_what_stopped()


onerror:
    tell_what_stopped()


# Page one asks for the last results of every cohort, the forest for what joins them, and a result
# that is not there is asked for by its name.
rule all:
    default_target: True
    input:
        "<results>/index.html",
        "<results>/atlas/figures/forest.svg",
        "<results>/explorer.html",
        f"{CRATE_FOLDER}/{portable.METADATA}",
        "<results>/atlas/finished.txt",
        missing_results,
