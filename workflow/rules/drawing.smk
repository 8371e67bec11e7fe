# What the rules that draw share: their tables, their files, their place in the report, their settings.
from adnorm.base.stops import read_stop
from adnorm.figures import names
from adnorm.study.cohort import DescribedCohort, DrawnCohort

# What figures are drawn from, below a cohort's results.
DRAWN = {
    "manifest": "fetch/manifest.json",
    "samples": "expression/samples.tsv",
    "excluded": "expression/excluded.tsv",
    "losses": "expression/losses.tsv",
    "identifiers": "expression/identifiers.tsv",
    "design": "expression/design.tsv",
    "comparisons": "expression/comparisons.tsv",
    "batches": "expression/batches.tsv",
    "qc": "expression/qc.tsv",
    "expression": "expression/expression.h5ad",
    "scores": "scores/scores.h5ad",
    "coverage": "scores/coverage.tsv",
    "agreement": "scores/agreement.tsv",
    "effects": "effects/effects.tsv",
    "set_effects": "effects/set_effects.tsv",
    "controls": "effects/controls.tsv",
    "enrichment": "effects/enrichment.tsv",
}
# What figures of the index are drawn from: tables alone, so that their job is light.
INDEX_DRAWN = {
    **{name: DRAWN[name] for name in ("samples", "comparisons", "qc", "coverage")},
    **{name: DRAWN[name] for name in ("set_effects", "controls")},
    "index": "index/index.tsv",
    "sensitivities": "index/sensitivities.tsv",
    "denominators": "index/denominators.tsv",
    "gene_index": "index/gene_index.tsv",
    "patients": "index/patients.tsv",
    "trajectories": "index/trajectories.tsv",
    "concordance": "index/concordance.tsv",
    "calibration": "index/calibration.tsv",
}


def figure_inputs(drawn):
    """The tables and containers that figures draw."""
    files = {name: f"<results>/{{cohort}}/{path}" for name, path in drawn.items()}
    return files | {"gene_sets": GENE_SETS}


def report_place(figure, cohort):
    """Where the report lists a figure, and under which words: known when the report is made.

    A figure with nothing to draw is a line with its reason, apart from the others.
    """

    def reason(output):
        stop = read_stop(getattr(output, f"{figure.name}_tsv"))
        if stop:
            return f"{stop.cohort} stopped at the stage {stop.stage}"
        return names.why_not_drawn(getattr(output, f"{figure.name}_svg"))

    def category(wildcards, output):
        return str(names.Category.NOT_DRAWN if reason(output) else figure.category)

    def labels(wildcards, output):
        why = reason(output)
        words = f"{figure.title}: {why}" if why else figure.title
        # Snakemake writes labels into a script as they are, and takes braces for wildcards.
        words = words.translate(str.maketrans("<>{}", "‹›()"))
        return {"cohort": cohort.format(**wildcards), "figure": words}

    return category, labels


def figure_outputs(figures, folder="<results>/{cohort}/figures", cohort="{cohort}"):
    """Every figure as SVG (shown in the report), PNG, PDF and the TSV behind it."""
    outputs = {}
    for figure in figures:
        stem = f"{folder}/{figure.name}"
        category, labels = report_place(figure, cohort)
        outputs[f"{figure.name}_svg"] = report(
            f"{stem}.svg",
            caption=f"../report/{figure.name}.rst",
            category=category,
            labels=labels,
        )
        for kind in ("png", "pdf", "tsv"):
            outputs[f"{figure.name}_{kind}"] = f"{stem}.{kind}"
    return outputs


def drawn_by(sections):
    """The keys of the configuration that figures are drawn by, section by section."""
    return {
        section: {key: SETTINGS[section][key] for key in keys}
        for section, keys in sections.items()
    }


def drawing_parameter(sections, kind):
    """Settings of a job that draws one cohort, with what figures say of it."""

    def settings(wildcards):
        cohort = cohort_file(wildcards).view(kind)
        return harmless(
            drawn_by(sections) | {"cohort": cohort.model_dump(by_alias=True)}
        )

    return settings
