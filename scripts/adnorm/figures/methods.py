"""The methods paragraph of a cohort, from what was done, with versions and citations."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from adnorm import __version__
from adnorm.figures.material import Material

#: Key → (short citation, DOI).
REFERENCES = {
    "tmm": ("Robinson & Oshlack 2010", "10.1186/gb-2010-11-3-r25"),
    "median of ratios": ("Anders & Huber 2010", "10.1186/gb-2010-11-10-r106"),
    "limma": ("Ritchie et al. 2015", "10.1093/nar/gkv007"),
    "voom": ("Law et al. 2014", "10.1186/gb-2014-15-2-r29"),
    "deseq2": ("Love et al. 2014", "10.1186/s13059-014-0550-8"),
    "ssgsea": ("Barbie et al. 2009", "10.1038/nature08460"),
    "gsva": ("Hänzelmann et al. 2013", "10.1186/1471-2105-14-7"),
    "gsea": ("Subramanian et al. 2005", "10.1073/pnas.0506580102"),
    "camera": ("Wu & Smyth 2012", "10.1093/nar/gks461"),
    "gseapy": ("Fang et al. 2023", "10.1093/bioinformatics/btac757"),
    "scanpy": ("Wolf et al. 2018", "10.1186/s13059-017-1382-0"),
    "anndata": ("Virshup et al. 2024", "10.21105/joss.04371"),
    "snakemake": ("Mölder et al. 2021", "10.12688/f1000research.29032.2"),
}
PACKAGES = (
    "anndata",
    "gseapy",
    "matplotlib",
    "numpy",
    "pandas",
    "pylimma",
    "scanpy",
    "scipy",
    "seaborn",
    "snakemake",
)
_COLLAPSE = {
    "sum": "they were summed, but for copies of the same values",
    "highest_mean": "the one with the highest mean over all samples was kept",
    "mean": "their mean was taken",
}


def versions() -> list[tuple[str, str]]:
    """List the software of this run with its versions; packages that are absent are left out."""
    found = [("adnorm", __version__)]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def methods_sentences(material: Material) -> list[tuple[str, list[str]]]:
    """Write the methods as sentences, each with the keys of what it cites.

    Parameters
    ----------
    material
        The cohort; sections ``scores``, ``effects`` and ``enrichment`` of its settings name the
        parameters that the h5ad files do not hold.

    Returns
    -------
    list of (str, list of str)
        Sentence and keys of `REFERENCES`.
    """
    facts, settings = material.facts, material.settings
    compared = (material.tables["comparisons"]["supported"] == "yes").any()
    return [
        *_expression(facts),
        *_scores(material),
        *(_effects(facts, settings.get("effects", {}), material.fdr) if compared else []),
        *(_enrichment(settings.get("enrichment", {})) if compared else []),
        ("Principal components are of the centred log2 values of all genes.", ["scanpy"]),
        ("The workflow runs under Snakemake; data are kept as AnnData.", ["snakemake", "anndata"]),
    ]


def _expression(facts: Mapping) -> list[tuple[str, list[str]]]:
    collapse = _COLLAPSE.get(str(facts.get("collapse")), "they were collapsed")
    what = "simulated" if facts.get("simulated") else "used as published"
    normalization = str(facts.get("normalization", "none"))
    cited = ["scanpy"] if facts.get("scale") == "counts" else []
    cited += [name for name in ("tmm", "median of ratios") if name in normalization.lower()]
    return [
        (
            f"Expression ({facts.get('assay', '')}, declared scale: {declared_scale(facts)}) was "
            f"{what} and brought to approved gene symbols; where several rows had one symbol, "
            f"{collapse}.",
            [],
        ),
        (f"Normalization: {normalization}.", cited),
    ]


def declared_scale(facts: Mapping) -> str:
    """Name the declared scale, and the reason if the check of the values found another."""
    scale = str(facts.get("declared_scale") or facts.get("scale", ""))
    reason = str(facts.get("scale_checked") or "")
    if not reason:
        return scale
    return f"{scale}, kept although the check of the values finds otherwise, because: {reason}"


def _scores(material: Material) -> list[tuple[str, list[str]]]:
    settings = material.settings.get("scores", {})
    layers = material.scores.layers
    sentences = []
    if "zscore" in layers:
        sentences.append(
            (
                f"The signed z score of a gene set is the mean over its genes of their z value "
                f"(anchored at {material.anchor}), turned for genes that go down in lesional skin "
                "of atopic dermatitis.",
                [],
            )
        )
    if "ssgsea" in layers:
        sentences.append(("ssGSEA enrichment scores are ES(up) − ES(down).", ["ssgsea", "gseapy"]))
    if "gsva" in layers:
        text = "GSVA scores are of the genes that go up minus those that go down."
        sentences.append((text, ["gsva", "gseapy"]))
    share = 100 * float(settings.get("minimum_fraction", 0.5))
    sentences.append(
        (
            f"Sets with fewer than {settings.get('minimum_genes', 5)} genes or {share:g} % of "
            "their genes found are flagged.",
            [],
        )
    )
    return sentences


def _effects(facts: Mapping, settings: Mapping, fdr: float) -> list[tuple[str, list[str]]]:
    model = settings.get("count_model", "voom")
    if facts.get("scale") == "counts" and model == "deseq2":
        fitted = ("Gene effects are from one DESeq2 model with patients as blocks", ["deseq2"])
    elif facts.get("scale") == "counts" and model == "voom":
        text = "Gene effects are from one limma-voom model with patients as blocks"
        fitted = (text, ["limma", "voom"])
    elif facts.get("assay") == "rna-seq":
        text = "Gene effects are from one limma model with patients as blocks and vooma weights"
        fitted = (text, ["limma"])
    else:
        fitted = ("Gene effects are from one limma model with patients as blocks", ["limma"])
    robust = ", robust empirical Bayes" if settings.get("robust") else ""
    level = 100 * float(settings.get("confidence", 0.95))
    return [
        (
            f"{fitted[0]}{robust}; comparisons with healthy people are between patients. Several "
            "biopsies of one patient, state and visit are combined first.",
            fitted[1],
        ),
        (
            "Changes of set scores rest on each patient's own differences: paired t-tests, and "
            f"Welch's test between arms or people, with {level:g} % confidence intervals; a "
            f"comparison needs at least {settings.get('minimum_pairs', 3)} patients.",
            [],
        ),
        (f"False discovery rates are Benjamini–Hochberg; marks stand for FDR < {fdr:g}.", []),
    ]


def _enrichment(settings: Mapping) -> list[tuple[str, list[str]]]:
    smallest, largest = settings.get("minimum_size", 5), settings.get("maximum_size", 500)
    return [
        (
            f"Enrichment is preranked GSEA on the moderated t statistic (sets of {smallest} to "
            f"{largest} genes), with Benjamini–Hochberg over the sets of a comparison; beside it "
            "camera, which allows for correlation between genes.",
            ["gsea", "gseapy", "camera"],
        )
    ]


def cited_keys(sentences: list[tuple[str, list[str]]]) -> list[str]:
    """List the references that sentences cite, in the order of their first citation."""
    return list(dict.fromkeys(key for _, keys in sentences for key in keys))
