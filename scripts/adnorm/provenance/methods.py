"""methods.md: what was done in a run, in words to paste into a paper.

Every number and choice is read from the resolved configuration, the cohort files and the installed
software. What is the same for every run stands in the words of the pages (`methods.html`,
`answers.html`), and its references are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from adnorm import __version__
from adnorm.base.stops import Stop, read_stop
from adnorm.base.tables import read_table
from adnorm.base.text import counted, per_cent, printable
from adnorm.figures.labels import PLANS
from adnorm.figures.page.answers import estimand
from adnorm.figures.page.overview import REFERENCES as OF_PAGES
from adnorm.index.teaching import Teaching
from adnorm.index.training_cohorts import read_shares
from adnorm.study.cohort import Cohort
from adnorm.study.config import RunConfig
from adnorm.study.vocabulary import (
    Assay,
    BatchRule,
    DerivedScore,
    Estimator,
    Method,
    ReasonCode,
    Route,
    Scale,
    SetStatus,
)

#: Those that the pages do not cite: the index has a page of its own in the documentation.
REFERENCES = {
    "quantile": "Bolstad et al. 2003, Bioinformatics 19:185",
    "fdr": "Benjamini & Hochberg 1995, J R Stat Soc B 57:289",
    "holm": "Holm 1979, Scand J Stat 6:65",
    "meta": "DerSimonian & Laird 1986, Control Clin Trials 7:177",
    "hartung": "Hartung & Knapp 2001, Stat Med 20:3875",
    "ancova": "Vickers & Altman 2001, BMJ 323:1123",
    "mmrm": "Mallinckrodt et al. 2008, Drug Inf J 42:303",
    "fieller": "Fieller 1954, J R Stat Soc B 16:175",
    "tost": "Schuirmann 1987, J Pharmacokinet Biopharm 15:657",
    "robust": "Phipson et al. 2016, Ann Appl Stat 10:946",
    "pydeseq2": "Muzellec et al. 2023, Bioinformatics 39:btad547",
    "e9": "ICH E9(R1) 2019, addendum on estimands and sensitivity analysis in clinical trials",
} | {key: f"{short}, https://doi.org/{doi}" for key, (short, doi) in OF_PAGES.items()}
#: What a paper names; the others are in software.tsv.
NAMED = (
    *("snakemake", "anndata", "scanpy", "gseapy", "pylimma", "pydeseq2", "statsmodels"),
    *("numpy", "scipy", "pandas"),
)
COUNTS_MADE_COMPARABLE = {
    "tmm": ("the trimmed mean of M values (TMM)", "tmm"),
    "median_of_ratios": ("the median of ratios", "median of ratios"),
    "library_size": ("their library sizes alone", ""),
}
#: What cohorts have in common stands in it, below the results folder.
TEACHING = "axis/teaching.h5"
#: What means something in Markdown; an underscore does so at the ends of words alone.
_MARKS = re.compile(r"([\\`*\[\]|#]|(?<![^\W_])_|_(?![^\W_]))")


@dataclass(frozen=True)
class Found:
    """What the results of a run hold: nothing is told as done that came to nothing.

    Attributes
    ----------
    axis
        A disease axis.
    model
        An estimate of the mixed model.
    estimated
        An index.
    tested
        A p value of the primary family.
    lost
        A patient who missed a visit at which there is an index.
    sets
        The number of gene sets.
    scored
        How many of them were scored: the fewest and the most of all cohorts.
    reference
        Cohort → whose biopsies before treatment its reference rests on.
    shared
        Two cohorts that do not teach one another → what they have in common.
    """

    axis: bool = True
    model: bool = True
    estimated: bool = True
    tested: bool = True
    lost: bool = True
    sets: int = 0
    scored: tuple[int, int] = (0, 0)
    reference: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Path, cohorts: Mapping[str, Cohort]) -> Found:
        """Look through the tables of the cohorts that finished, and through the one of all of them.

        Parameters
        ----------
        results
            The results folder.
        cohorts
            The cohorts that finished, by id.
        """
        if not cohorts:
            return cls(axis=False, model=False, estimated=False, tested=False, lost=False)
        done: set[str] = set()
        sets: set[str] = set()
        scored, people = [], {}
        for name, cohort in cohorts.items():
            index = read_table(results / name / "index/index.tsv")
            index = index[index["reason_code"] != ReasonCode.NOT_SCORED]
            lost = pd.to_numeric(index["lost"], errors="coerce") > 0
            here = {
                "axis": index["name"] == DerivedScore.GLOBAL,
                "model": index["estimator"] == Estimator.MMRM,
                "estimated": index["ni"].notna(),
                "tested": index["adjusted_p_value"].notna(),
                "lost": lost & index["ni"].notna(),
            }
            done |= {what for what, rows in here.items() if rows.any()}
            coverage = read_table(results / name / "scores/coverage.tsv")
            sets |= set(coverage["set"])
            scored.append(int((coverage["status"] != SetStatus.NOT_SCORED).sum()))
            denominators = read_table(results / name / "index/denominators.tsv")
            people[name] = _people(denominators, cohort.reference)
        return cls(
            axis="axis" in done,
            model="model" in done,
            estimated="estimated" in done,
            tested="tested" in done,
            lost="lost" in done,
            sets=len(sets),
            scored=(min(scored), max(scored)),
            reference={name: group for name, group in people.items() if group},
            shared=_shared(results / TEACHING, cohorts),
        )


def _people(denominators: pd.DataFrame, reference: str | None) -> str:
    """Say on whom the reference of a cohort rests; scores differ in it where genes are missing."""
    groups = denominators.loc[denominators["reference"] == reference, "people"].dropna()
    usual = groups[groups != ""].mode()
    return "" if usual.empty else str(usual.iloc[-1])


def _shared(file: Path, cohorts: Iterable[str]) -> dict[tuple[str, str], str]:
    """Two cohorts → what they have in common; one of them alone may have the comparison."""
    if read_stop(file) is not None:
        return {}
    names = set(cohorts)
    pairs = {
        (min(first, second), max(first, second)): what
        for first, others in read_shares(Teaching.read(file).facts).items()
        for second, what in others.items()
    }
    return {pair: pairs[pair] for pair in sorted(pairs) if names.issuperset(pair)}


class Citations:
    """Numbers what a text cites, in the order of the first citation."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        """Write the numbers of some references; an empty key is none."""
        cited = [key for key in keys if key]
        self.keys += [key for key in cited if key not in self.keys]
        return f" [{', '.join(str(self.keys.index(key) + 1) for key in cited)}]" if cited else ""

    def listed(self) -> list[str]:
        return [f"{n}. {REFERENCES[key]}" for n, key in enumerate(self.keys, 1)]


def methods_text(
    config: RunConfig,
    cohorts: Mapping[str, Cohort],
    stopped: Mapping[str, Stop],
    versions: Mapping[str, str],
    found: Found = Found(),
) -> str:
    """Write the methods of a run.

    Parameters
    ----------
    config
        The resolved configuration.
    cohorts
        Its cohort files, by id.
    stopped
        Why cohorts gave no result.
    versions
        Package → version; Python among them, as ``python``.
    found
        What the run gave.

    Returns
    -------
    str
        Markdown: the cohorts, one paragraph to paste, what is estimated, and the references.
    """
    cite = Citations()
    used = {name: cohort for name, cohort in cohorts.items() if name not in stopped}
    paragraph = " ".join(_sentences(config, list(used.values()), cite, versions, found))
    lines = ["# Methods", "", f"Written by adnorm {__version__} from `config.yaml` and the cohort "]
    lines[-1] += "files beside it. Check it against what you did besides."
    lines += ["", "## Cohorts", "", *[f"- {_described(cohort, found)}" for cohort in used.values()]]
    lines += [
        f"- {plain(stop.cohort)}: not analysed; it stopped at the stage {plain(stop.stage)}"
        for name, stop in stopped.items()
        if name in cohorts
    ]
    lines += ["", "## Text", "", paragraph if used else "No cohort of this run finished."]
    for title, words in _estimands(used.values()):
        lines += ["", f"## What is estimated{cite('e9')}: {title}", ""]
        lines += [f"- **{what}.** {said}" for what, said in words.items()]
    lines += ["", "## References", "", *cite.listed()]
    return "\n".join(lines) + "\n"


def plain(text: object) -> str:
    """Write a text of the outside world so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> plain("a [x](y) <script>")
    'a \\\\[x\\\\](y) &lt;script&gt;'
    """
    words = " ".join(printable(str(text)).split())
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", words)


def _described(cohort: Cohort, found: Found) -> str:
    """One line of a cohort: what it is, where it comes from, how it was taken."""
    simulated = cohort.route == Route.SIMULATED
    people = f" ({found.reference[cohort.id]})" if cohort.id in found.reference else ""
    facts = [
        "simulated data" if simulated else cohort.accession,
        None if simulated else cohort.citation,
        cohort.disease,
        cohort.tissue,
        cohort.assay,
        None if simulated else cohort.platform,
        f"declared scale: {cohort.scale}",
        f"reference: {cohort.reference} skin at baseline{people}" if cohort.reference else None,
        f"control arm: {cohort.placebo_arm}" if cohort.placebo_arm else "no control arm",
        "lesions compared within the patient" if cohort.within_patient else None,
        "cohort file not checked against the series" if cohort.status == "unverified" else None,
    ]
    told = "; ".join(plain(fact) for fact in facts if fact)
    rules = len(cohort.exclude)
    left_out = f"; {counted(rules, 'rule')} of exclusion" if rules else ""
    return f"**{plain(cohort.id)}**, {plain(cohort.title)}: {told}{left_out}"


def _estimands(cohorts: Iterable[Cohort]) -> list[tuple[str, dict[str, str]]]:
    """Say what is estimated, once for all cohorts of one design; nothing for untreated ones."""
    kinds: dict[tuple[bool, bool], list[str]] = {}
    for cohort in cohorts:
        if _followed(cohort):
            kind = (_controlled(cohort), _controlled(cohort) and cohort.within_patient)
            kinds.setdefault(kind, []).append(cohort.id)
    return [
        (", ".join(plain(name) for name in named), estimand(*kind))
        for kind, named in sorted(kinds.items(), reverse=True)
    ]


# ---------------------------------------------------------------- the paragraph


def _sentences(
    config: RunConfig,
    cohorts: list[Cohort],
    cite: Citations,
    versions: Mapping[str, str],
    found: Found,
) -> list[str]:
    return [
        *_expression(config, cohorts, cite),
        *_scores(config, cite, found),
        *_effects(config, cohorts, cite),
        *_index(config, cohorts, cite, found),
        *_software(config, cite, versions),
    ]


def _expression(config: RunConfig, cohorts: list[Cohort], cite: Citations) -> list[str]:
    from adnorm.expression.library_sizes import FEWEST_SAMPLES, MOST_SAMPLES

    rules = config.expression
    counts = [c for c in cohorts if c.scale in (Scale.COUNTS, *_LOG_COUNTS)]
    arrays = [c for c in cohorts if c.assay == Assay.MICROARRAY]
    said = ["Published values were brought to approved gene symbols on a log2 scale."]
    if config.identifiers.table:
        name = plain(PurePosixPath(config.identifiers.table).name)
        said.append(f"Identifiers of genes were read with the table {name}.")
    if counts:
        words, key = COUNTS_MADE_COMPARABLE[rules.count_normalization]
        fewest = (
            f"{rules.minimum_samples} samples"
            if rules.minimum_samples
            else "as many samples as the smallest group of the design (at least "
            f"{FEWEST_SAMPLES}, at most {MOST_SAMPLES})"
        )
        said.append(
            "Counts of one gene were summed, genes with fewer than "
            f"{rules.minimum_count} reads in {fewest} were left out, and samples were made "
            f"comparable by {words}{cite(key)}."
        )
    if any(c.assay == Assay.RNA_SEQ and c not in counts for c in cohorts):
        said.append(
            "Genes of other RNA-seq values were kept if they reached "
            f"{rules.minimum_value:g} on the linear scale in as many samples."
        )
    if len(cohorts) > len(counts):
        kept = {
            "highest_mean": "the one with the highest mean over all samples was kept",
            "mean": "their mean was taken",
        }[rules.collapse]
        said.append(f"Where several rows of other values had one symbol, {kept}.")
    if arrays:
        done = rules.array_normalization == "quantile"
        said.append(
            f"Array values were quantile-normalized{cite('quantile')}."
            if done
            else "Array values were taken as normalized by the authors."
        )
    left_out = {
        "outliers of the principal components": rules.exclude_outliers,
        "samples whose sex genes contradict the sheet": rules.exclude_sex_mismatch,
        "samples that expression takes for exchanged": rules.exclude_swaps,
        "copies of samples": rules.exclude_duplicates,
        f"libraries of fewer than {rules.exclude_small_libraries:,} reads"
        if rules.exclude_small_libraries
        else "": bool(rules.exclude_small_libraries),
    }
    chosen = [what for what, wanted in left_out.items() if wanted]
    said.append(
        f"Quality control left out {', '.join(chosen)}; other flags were only noted."
        if chosen
        else "Quality control flagged samples and left none out."
    )
    return said


_LOG_COUNTS = tuple(scale for scale in Scale if str(scale).endswith("_counts"))


def _scores(config: RunConfig, cite: Citations, found: Found) -> list[str]:
    methods = config.scores.methods
    files = ", ".join(plain(PurePosixPath(path).name) for path in config.gene_sets)
    fewest, most = found.scored
    some = f"{most}" if fewest == most else f"{fewest} to {most}"
    scored = (
        "all were scored in every cohort"
        if fewest == found.sets
        else f"a cohort has scores of {some} of them"
    )
    said = [
        f"Gene sets are the {found.sets} of {files}; {scored}."
        if found.sets
        else f"Gene sets are those of {files}."
    ]
    if Method.ZSCORE in methods:
        said.append(
            "The signed z score of a gene set is the mean over its genes of their z value, "
            "anchored at the reference samples at baseline and turned for genes that go down in "
            "lesional skin of atopic dermatitis."
        )
    if Method.SSGSEA in methods:
        said.append(f"ssGSEA scores are ES(up) − ES(down){cite('ssgsea', 'gseapy')}.")
    if Method.GSVA in methods:
        said.append(
            "GSVA scores are of the genes that go up minus those that go down"
            f"{cite('gsva', 'gseapy')}."
        )
    # As scores/single_sample.py and scores/gsva.py decide.
    if {Method.SSGSEA, Method.GSVA} & set(methods):
        series = (
            "; GSVA of 600 samples or more takes the exact distribution function in place of "
            "gseapy's table"
        )
        said.append(
            "Where genes × samples × (sets + samples) are more than 2 × 10⁸, adnorm computes what "
            f"gseapy does itself{series if Method.GSVA in methods else ''}."
        )
    said.append(
        f"Sets with fewer than {config.scores.minimum_genes} genes or "
        f"{per_cent(config.scores.minimum_fraction)} of their genes found were flagged."
    )
    return said


def _effects(config: RunConfig, cohorts: list[Cohort], cite: Citations) -> list[str]:
    rules = config.effects
    counts = any(c.scale in (Scale.COUNTS, *_LOG_COUNTS) for c in cohorts)
    model = {
        "voom": ("of counts from limma-voom", ("limma", "voom")),
        "log2": ("of counts from limma on log2 counts per million", ("limma",)),
        "deseq2": ("of counts from DESeq2", ("deseq2", "pydeseq2")),
    }[rules.count_model]
    others = any(c.scale not in (Scale.COUNTS, *_LOG_COUNTS) for c in cohorts)
    parts = [f"{model[0]}{cite(*model[1])}"] if counts else []
    if others:
        parts.append(f"{'of other values ' if counts else ''}from limma{cite('limma')}")
    robust = f", with robust empirical Bayes{cite('robust')}" if rules.robust else ""
    said = [
        f"Gene effects are {', '.join(parts)}, one model per cohort with patients as "
        f"blocks{robust}; comparisons with healthy people are between patients. Several biopsies "
        "of one patient, state and visit were combined first."
    ]
    if any(cohort.samples.batch is not None for cohort in cohorts):
        said.append(
            {
                BatchRule.IGNORE: "Batches play no part in them.",
                BatchRule.BLOCK: f"Batches are random effects{cite('blocks')}; comparisons that "
                "cannot be told from them were left out.",
                BatchRule.COVARIATE: "Batches are fixed effects; comparisons that cannot be told "
                "from them were left out.",
            }[BatchRule(rules.batch)]
        )
    enrichment = config.enrichment
    said += [
        "Changes of set scores rest on each patient's own differences: paired t-tests, and Welch's "
        f"test between arms or people, with {per_cent(rules.confidence)} confidence intervals; a "
        f"comparison needs at least {rules.minimum_pairs} patients.",
        "Negative controls were tested in the same way on the mean log2 expression of housekeeping "
        f"genes, with Holm's adjustment{cite('holm')}.",
        f"False discovery rates are Benjamini–Hochberg{cite('fdr')}; marks stand for FDR below "
        f"{rules.fdr:g}.",
        "Enrichment is preranked GSEA on the moderated t statistic (sets of "
        f"{enrichment.minimum_size} to {enrichment.maximum_size} genes){cite('gsea', 'gseapy')}, "
        f"beside camera{cite('camera')} with "
        + (
            "the correlation between genes estimated for each set."
            if enrichment.inter_gene_correlation == "estimated"
            else f"a correlation between genes of {enrichment.inter_gene_correlation:g}."
        ),
    ]
    return said


def _index(config: RunConfig, cohorts: list[Cohort], cite: Citations, found: Found) -> list[str]:
    from adnorm.index.means import LEAST_SIGNAL

    rules = config.index
    if not any(_followed(cohort) for cohort in cohorts):
        return ["No cohort of this run was treated, so that there is no normalization index."]
    family = ", ".join(plain(name) for name in rules.primary)
    plan = PLANS[rules.multiplicity]
    if found.tested:
        plan += cite("holm" if rules.multiplicity == "holm" else "")
    said = [
        "The normalization index (NI) is the mean decrease of a score of lesional skin from "
        "baseline to a visit, divided by the mean difference between lesional and reference skin "
        "before treatment: 0 is no change, 1 the level of the reference. It is given only where "
        f"lesional skin is at least {LEAST_SIGNAL:g} standard errors away from that reference."
    ]
    if any(_controlled(cohort) for cohort in cohorts):
        said.append(
            "The difference from placebo (dNI) is an analysis of covariance given the score at "
            f"baseline{cite('ancova')}."
        )
    if not found.estimated:
        said.append("No score of this run was.")
    if found.model:
        said.append(
            "Where visits are missing, means come from a mixed model for repeated measures"
            f"{cite('mmrm')}."
        )
    said.append(f"Intervals ({per_cent(rules.confidence)}) are Fieller's{cite('fieller')}.")
    axis = (
        "The disease axis was trained on the other cohorts of the disease by random-effects "
        f"meta-analysis{cite('meta', 'hartung')}, or cross-fitted over {rules.folds} patient folds "
        "where there were fewer than two; its genes differ between lesional and nonlesional skin "
        f"by at least {rules.minimum_effect:g} log2 at an FDR below {rules.fdr:g}."
        if found.axis
        else "No cohort had a disease axis: other cohorts and patients were too few to train one."
    )
    if found.shared:
        pairs = "; ".join(f"{a} and {b} share {what}" for (a, b), what in found.shared.items())
        axis += f" Cohorts with something in common train no axis of one another: {plain(pairs)}."
    said += [
        axis,
        f"The primary family ({family}) is that of the configuration; "
        + (
            f"its p values are adjusted over doses, visits and scores ({plan})."
            if found.tested
            else "none of its scores has a p value."
        ),
    ]
    if found.estimated:
        said.append(
            "A score counts as at the level of the reference when two one-sided tests"
            f"{cite('tost')} find NI within {rules.equivalence_margin:g} of 1."
        )
    if found.lost:
        said.append(
            "As a sensitivity analysis, patients of drug arms who missed a visit were taken to be "
            f"{rules.delta:g} of the index worse than the model says."
        )
    if rules.axis_genes:
        said.append(f"The index was also computed on a published list ({plain(rules.axis_genes)}).")
    return said


def _followed(cohort: Cohort) -> bool:
    return bool(cohort.treatments) and cohort.reference is not None


def _controlled(cohort: Cohort) -> bool:
    return _followed(cohort) and cohort.placebo_arm is not None and cohort.randomised is not False


def _software(config: RunConfig, cite: Citations, versions: Mapping[str, str]) -> list[str]:
    other = "pylimma" if config.effects.count_model == "deseq2" else "pydeseq2"
    named = [f"{n} {versions[n]}" for n in NAMED if n in versions and n != other]
    python = f" on Python {versions['python']}" if "python" in versions else ""
    return [
        f"Everything was run with adnorm {__version__} under Snakemake{cite('snakemake')}{python} "
        f"({', '.join(named)}); data were kept as AnnData{cite('anndata')} and handled with "
        f"scanpy{cite('scanpy')}. The seed of random numbers was {config.seed}. Sources and "
        "checksums of all input files, every setting and the digests of all results are in the "
        "run's RO-Crate."
    ]
