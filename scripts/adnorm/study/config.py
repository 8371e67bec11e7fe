"""The configuration of a run: every key with its type, default, allowed values and meaning.

These models are the one source of all that. The schema for editors and the tables of keys in the
documentation are written from them, files are checked by them, and stages take them:
``settings.confidence``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from adnorm.study.validation import Listed, Section, Sha256, Unique
from adnorm.study.vocabulary import BatchRule, Method, Multiplicity

#: Where `adnorm lock` pins the files of a run, unless the configuration says otherwise.
CHECKSUMS = "config/checksums.tsv"
#: Something strictly between 0 and 1.
Fraction = Annotated[float, Field(gt=0, lt=1)]


class IdentifierSettings(Section):
    """How gene identifiers become approved symbols."""

    table: str | None = Field(
        default=None,
        description="Identifier table as a path or URL: HGNC complete set, GENCODE gene table or "
        "NCBI annotation table; needed for Ensembl and Entrez ids",
        examples=["references/hgnc_complete_set.txt"],
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="Pinned SHA-256 of the identifier table, 64 hexadecimal digits in lower case; "
        "other bytes are refused with a message that names their digest",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class GeoSettings(Section):
    """Where GEO is, and how patiently and politely to ask."""

    address: str = Field(
        default="https://ftp.ncbi.nlm.nih.gov/geo",
        description="Base address of GEO: https, a mirror of it, or file:FOLDER laid out in the "
        "same way",
        examples=["file:mirror/geo"],
    )
    mirrors: Listed[str] = Field(
        default=(),
        description="Base addresses that are asked in this order where the first one has not got a "
        "file or does not answer",
        examples=[["https://mirror.example.org/geo", "file:mirror/geo"]],
    )
    hosts: Listed[str] = Field(
        default=("ncbi.nlm.nih.gov",),
        description="Other hosts that a server may send a request on to; those below them, too",
        examples=[["ncbi.nlm.nih.gov", "zenodo.org"]],
    )
    offline: bool = Field(
        default=False,
        description="Ask no server: take what was fetched before, and say in one message what is "
        "missing",
        examples=[True],
    )
    connect_timeout: float = Field(
        default=15, gt=0, description="Seconds to wait for a connection", examples=[15]
    )
    read_timeout: float = Field(
        default=120, gt=0, description="Seconds to wait for the next bytes", examples=[120]
    )
    deadline: float = Field(
        default=7200,
        gt=0,
        description="Seconds that one file may take in all, with every attempt and pause; the next "
        "call goes on where the file ended",
        examples=[3600],
    )
    slowest_rate: float = Field(
        default=2,
        ge=0,
        description="Kilobytes a second that must come, over half a minute; a slower connection is "
        "given up and tried again",
        examples=[10],
    )
    largest_gigabytes: float = Field(
        default=20, gt=0, description="Size from which a file is refused", examples=[50]
    )
    attempts: int = Field(
        default=5,
        ge=1,
        description="How often a download is tried, with growing pauses",
        examples=[5],
    )
    requests_per_second: float = Field(
        default=5,
        gt=0,
        description="Requests that one server gets in a second, from all jobs of all runs that "
        "share a download cache; NCBI allows 50 from everybody behind one address",
        examples=[2],
    )
    downloads: int = Field(
        default=3,
        ge=1,
        description="Cohorts that download at the same time",
        examples=[1],
    )


class ExpressionSettings(Section):
    """From published values to log2 expression."""

    collapse: Literal["highest_mean", "mean"] = Field(
        default="highest_mean",
        description="How several probes of one gene become one row, in arrays and log2 values; "
        "neither rule looks at the outcome. Rows of one gene in counts, TPM and FPKM are summed, "
        "but for copies of the same reads",
        examples=["highest_mean"],
    )
    minimum_count: int = Field(
        default=10,
        ge=0,
        description="Low-count filter: reads that a gene must have …",
        examples=[10],
    )
    minimum_samples: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="… in at least this many samples; null takes the size of the smallest group "
        "of the design, but at least 3 and at most 10",
        examples=[10],
    )
    minimum_value: float = Field(
        default=1,
        ge=0,
        description="Low-expression filter of linear RNA-seq values (TPM, FPKM): the value that a "
        "gene must have in as many samples",
        examples=[1],
    )
    count_normalization: Literal["tmm", "median_of_ratios", "library_size"] = Field(
        default="tmm",
        description="How counts are made comparable between samples; `library_size` alone invents "
        "changes of all genes where a few take many reads",
        examples=["median_of_ratios"],
    )
    array_normalization: Literal["none", "quantile"] = Field(
        default="none",
        description="Normalization of array values; published ones are normalized already",
        examples=["quantile"],
    )
    outlier_deviations: float = Field(
        default=5,
        gt=0,
        description="Robust deviations (median absolute deviations) from which a sample is flagged "
        "as an outlier",
        examples=[5],
    )
    exclude_outliers: bool = Field(
        default=False, description="Leave flagged outliers out, not only flag them", examples=[True]
    )
    small_library: int = Field(
        default=100_000,
        ge=0,
        description="Libraries with fewer reads than this are flagged",
        examples=[1_000_000],
    )
    exclude_small_libraries: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Leave out libraries with fewer reads than this; null keeps all",
        examples=[10_000],
    )
    exclude_sex_mismatch: bool = Field(
        default=False,
        description="Leave out samples whose sex genes contradict the sheet or the patient's other "
        "samples",
        examples=[True],
    )
    exclude_swaps: bool = Field(
        default=False,
        description="Leave out samples that expression takes for exchanged lesional and "
        "nonlesional skin of a visit, or for another patient's",
        examples=[True],
    )
    exclude_duplicates: bool = Field(
        default=False,
        description="Leave out samples whose expression is the same (r > 0.999); of copies of one "
        "biopsy the first stays, of copies that the sheet calls different biopsies none does",
        examples=[True],
    )


class ScoresSettings(Section):
    """Scores of gene sets."""

    methods: Unique[Literal[Method.SSGSEA, Method.GSVA, Method.ZSCORE]] = Field(
        default=(Method.SSGSEA, Method.GSVA, Method.ZSCORE),
        validate_default=True,
        min_length=1,
        description="Which scores to compute",
        examples=[["ssgsea", "zscore"]],
    )
    minimum_genes: int = Field(
        default=5,
        ge=1,
        description="A set with fewer genes found is flagged as low coverage",
        examples=[5],
    )
    minimum_fraction: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A set with a smaller share of its genes found is flagged as low coverage",
        examples=[0.5],
    )
    chunk_size: int = Field(
        default=250,
        ge=1,
        description="Sets that gseapy scores in one call, for cohorts that are not large; bounds "
        "memory and does not change a score",
        examples=[250],
    )
    threads: int = Field(
        default=2,
        ge=1,
        description="Cores that the scores of one cohort take at most, if it has a million values "
        "or more; does not change a score",
        examples=[4],
    )


class EffectsSettings(Section):
    """The linear model of each cohort."""

    count_model: Literal["voom", "log2", "deseq2"] = Field(
        default="voom",
        description="Model for counts: limma-voom, limma on log2 counts per million, or DESeq2 "
        "(takes minutes)",
        examples=["voom"],
    )
    batch: Literal[BatchRule.IGNORE, BatchRule.COVARIATE, BatchRule.BLOCK] = Field(
        default=BatchRule.COVARIATE,
        validate_default=True,
        description="What becomes of the batches of a cohort file (`samples: batch`), for genes "
        "and set scores: `covariate` takes out their fixed effects, `block` takes them for random "
        "ones, `ignore` leaves them in. The first two leave out comparisons that cannot be told "
        "from a batch, with the reason. Cohorts without batches are not touched",
        examples=["ignore"],
    )
    minimum_pairs: int = Field(
        default=3,
        ge=2,
        description="Fewest patients (on each side) that a comparison may rest on",
        examples=[3],
    )
    robust: bool = Field(
        default=False,
        description="Robust empirical Bayes, for data with hypervariable genes",
        examples=[True],
    )
    confidence: Fraction = Field(
        default=0.95, description="Level of confidence intervals", examples=[0.95]
    )
    fdr: Fraction = Field(
        default=0.05,
        description="False discovery rate at which figures mark a change",
        examples=[0.05],
    )

    @model_validator(mode="after")
    def _random_batches(self) -> EffectsSettings:
        if self.count_model == "deseq2" and self.batch == BatchRule.BLOCK:
            raise ValueError(
                "`batch: block` asks for random effects, which DESeq2 does not have; use `batch: "
                "covariate`, or `count_model: voom`"
            )
        return self


class EnrichmentSettings(Section):
    """Gene-set enrichment of each comparison."""

    minimum_size: int = Field(
        default=5,
        ge=2,
        description="Fewest genes of a set in the ranking; smaller sets are listed with the reason",
        examples=[5],
    )
    maximum_size: int = Field(
        default=500, ge=2, description="Most genes of a set in the ranking", examples=[500]
    )
    inter_gene_correlation: Literal["estimated"] | Annotated[float, Field(ge=0, lt=1)] = Field(
        default="estimated",
        description="Correlation between genes of a set in the competitive test: estimated for "
        "each set, or one number from 0 to 1",
        examples=["estimated", 0.01],
    )


class IndexSettings(Section):
    """The normalization index."""

    folds: int = Field(
        default=5,
        ge=2,
        description="Patient folds of the cross-fitted axis, used where fewer than two other "
        "cohorts of the disease can teach one",
        examples=[5],
    )
    minimum_effect: float = Field(
        default=1.0,
        gt=0,
        description="Lesional − nonlesional log2 fold change that a gene of the disease axis must "
        "have",
        examples=[1.0],
    )
    fdr: Fraction = Field(
        default=0.05,
        description="False discovery rate of the genes of the disease axis",
        examples=[0.05],
    )
    axis_genes: str | None = Field(
        default=None,
        description="Table of a published list of disease genes (columns gene, direction up or "
        "down, optionally weight, trained_on and disease); the index of cohorts of its disease "
        "(atopic dermatitis unless it says another) is computed on it too, under the name of the "
        "file",
        examples=["config/madad_core.tsv"],
    )
    primary: Listed[str] = Field(
        default=(
            "global",
            "itch_core_skin_up",
            "barrier_terminal_differentiation_down",
            "barrier_hyperproliferation_up",
        ),
        min_length=1,
        description="Indices of the primary family, fixed before looking; their p values are "
        "adjusted by the plan of `index: multiplicity`, those of the others by false discovery "
        "rate. The order is that of a fixed sequence",
        examples=[["global", "itch_core_skin_up"]],
    )
    multiplicity: Literal[Multiplicity.HOLM, Multiplicity.FIXED_SEQUENCE] = Field(
        default=Multiplicity.HOLM,
        validate_default=True,
        description="Plan of the primary family over doses, visits and indices: `holm`, or "
        "`fixed_sequence` (higher doses first, then later visits, then the order of "
        "`index: primary`; each tested at the full level up to the first that fails)",
        examples=["fixed_sequence"],
    )
    equivalence_margin: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="An index within this distance of 1 counts as the level of the reference; "
        "two one-sided tests must show it",
        examples=[0.2],
    )
    delta: float = Field(
        default=0.25,
        ge=0,
        description="Sensitivity to drop-out: patients of drug arms who missed a visit are taken "
        "to be so much worse, on the scale of the index, than the model of repeated measures says",
        examples=[0.5],
    )
    confidence: Fraction = Field(
        default=0.95, description="Level of the intervals of the index", examples=[0.95]
    )


class HeatmapSets(Section):
    """Gene sets whose genes stand in the two gene heatmaps."""

    itch: Listed[str] = Field(
        default=("itch_core_skin_up",),
        min_length=1,
        description="Sets of the itch heatmap",
        examples=[["itch_core_skin_up"]],
    )
    barrier: Listed[str] = Field(
        default=("barrier_terminal_differentiation_down", "barrier_hyperproliferation_up"),
        min_length=1,
        description="Sets of the barrier heatmap",
        examples=[["barrier_terminal_differentiation_down"]],
    )


class ExplorerSettings(Section):
    """What explorer.html holds of single patients; the page is made to be passed on."""

    patients: Literal["none", "numbered", "named"] = Field(
        default="numbered",
        description="What the page says of single patients: `none`, the means of groups alone; "
        "`numbered`, values of patients and samples under numbers; `named`, under the ids of the "
        "sample sheet",
        examples=["none"],
    )
    sample_genes: int = Field(
        default=1000,
        ge=0,
        description="How many genes of a cohort come with the values of their samples: those of "
        "the gene sets, then those that change most. 1,000 genes of 400 samples take 0.4 MB",
        examples=[5000],
    )


class FiguresSettings(Section):
    """What the figures show."""

    heatmap_sets: HeatmapSets = HeatmapSets()
    explorer: ExplorerSettings = ExplorerSettings()
    width: Literal[89, 183] = Field(
        default=183,
        description="Width of a printed figure in mm: one column of a journal (89) or two (183). "
        "No text is smaller than 6 points, and what does not fit goes on to further pages",
        examples=[89],
    )


class RunConfig(Section):
    """What to run and with which settings.

    Defaults live here; config/config.yaml shows the common keys.
    """

    model_config = ConfigDict(title="The configuration of a run")

    results: str = Field(
        default="results",
        description="Folder for everything that the run writes",
        examples=["results/demo"],
    )
    cohorts: Listed[str] = Field(
        min_length=1,
        description="Cohort ids (files in cohort_folder) or paths of cohort files",
        examples=[["gse80342", "gse193309"]],
    )
    cohort_folder: str = Field(
        default="config/cohorts",
        description="Folder that holds COHORT.yaml",
        examples=["config/cohorts"],
    )
    gene_sets: Listed[str] = Field(
        default=("config/gene_sets/adnorm.tsv",),
        min_length=1,
        description="Gene-set files; .tsv in our own format (signed sets) or .gmt",
        examples=[["config/gene_sets/adnorm.tsv", "my_sets.gmt"]],
    )
    identifiers: IdentifierSettings = IdentifierSettings()
    checksums: str | None = Field(
        default=CHECKSUMS,
        description="Table of the fetched files as they were when `adnorm lock` wrote it; other "
        "bytes are refused. It may be absent; null looks for none",
        examples=["config/checksums.tsv"],
    )
    geo: GeoSettings = GeoSettings()
    expression: ExpressionSettings = ExpressionSettings()
    scores: ScoresSettings = ScoresSettings()
    effects: EffectsSettings = EffectsSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()
    index: IndexSettings = IndexSettings()
    figures: FiguresSettings = FiguresSettings()
    seed: int = Field(
        default=1, ge=0, description="Seed of everything that draws random numbers", examples=[1]
    )


#: Keys that say how a stage works and not what comes out: a change of them reruns nothing.
MANNER = {
    "checksums": True,
    "geo": set(GeoSettings.model_fields) - {"address"},
    "scores": {"chunk_size", "threads"},
}
