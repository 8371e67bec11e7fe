"""The three real series, run whole from files laid out as GEO lays them out."""

from __future__ import annotations

import pytest
import yaml

from adnorm.base.files import read_json
from adnorm.base.tables import read_table
from adnorm.study.gene_sets import read_gene_sets
from golden.pin_results import sentence

DISEASE = "lesional-nonlesional@0"
CHANGE = "change:ruxolitinib@12"


@pytest.fixture(scope="module")
def real(tmp_path_factory, snakemake, configure, repository, shared):
    """Results of the real series."""
    folder = tmp_path_factory.mktemp("real")
    config = yaml.safe_load((repository / "config" / "real.yaml").read_text())
    config["geo"] = {"address": f"file:{shared / 'geo'}"}
    config["identifiers"] = {"table": str(shared / "reference" / "gencode_v26_annotation.tsv.gz")}
    configure(folder, config)
    snakemake(folder, "--configfile", "run.yaml")
    return folder / "results" / "real"


def genes(real, cohort, contrast):
    frame = read_table(real / cohort / "effects" / "effects.tsv")
    return frame[frame["contrast"] == contrast].set_index("gene")


def sets(real, cohort, contrast, method="zscore"):
    frame = read_table(real / cohort / "effects" / "set_effects.tsv")
    return frame[(frame["contrast"] == contrast) & (frame["method"] == method)].set_index("set")


def coverage(real, cohort):
    return read_table(real / cohort / "scores" / "coverage.tsv").set_index("set")


def test_the_numbers_are_those_that_the_version_pins(real):
    """What changed is meant, or a mistake: see tests/golden/pin_results.py."""
    changed = sentence("real", real)
    assert not changed, changed


def test_the_record_names_public_places_alone(real, shared):
    crate = real / "provenance"
    for path in (path for path in crate.rglob("*") if path.is_file()):
        assert str(shared) not in path.read_text("utf-8"), path
    config = yaml.safe_load((crate / "config.yaml").read_text("utf-8"))
    assert config["geo"]["address"] == "https://ftp.ncbi.nlm.nih.gov/geo"
    methods = (crate / "methods.md").read_text("utf-8")
    assert "GSE80342" in methods and "Hu T et al. 2023, J Invest Dermatol" in methods


# ---------------------------------------------------------------- GSE80342: ruxolitinib


@pytest.mark.parametrize(
    ("gene", "change"),
    [("CXCL9", -2.66), ("CD8A", -2.24), ("STAT1", -0.60), ("SOCS3", -0.71), ("IL4R", -0.51)],
)
def test_ruxolitinib_lowers_its_targets(real, gene, change):
    row = genes(real, "gse80342", CHANGE).loc[gene]
    assert row["log2_fold_change"] == pytest.approx(change, abs=0.02)
    assert row["p_value"] < 0.01
    assert row["pairs"] == 9


@pytest.mark.parametrize("gene", ["FLG", "OSMR"])
def test_flat_genes_stay_flat(real, gene):
    row = genes(real, "gse80342", CHANGE).loc[gene]
    assert abs(row["log2_fold_change"]) < 0.35
    assert row["fdr"] > 0.05


@pytest.mark.parametrize("method", ["zscore", "ssgsea", "gsva"])
@pytest.mark.parametrize("name", ["th1_ifn", "jak_stat_targets", "tcell_dc_activation"])
def test_interferon_and_jak_stat_scores_fall(real, name, method):
    row = sets(real, "gse80342", CHANGE, method).loc[name]
    assert row["upper"] < 0
    assert row["status"] == "ok"


BARRIER = ("barrier_terminal_differentiation_down", "barrier_hyperproliferation_up")


@pytest.mark.parametrize("method", ["zscore", "gsva"])
@pytest.mark.parametrize("name", BARRIER)
def test_barrier_sets_do_not_move(real, name, method):
    row = sets(real, "gse80342", CHANGE, method).loc[name]
    assert row["lower"] < 0 < row["upper"]


def test_no_barrier_gene_moves(real, repository):
    table = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])
    members = {gene.symbol for name in BARRIER for gene in table[name].scored}
    changes = genes(real, "gse80342", CHANGE)
    found = changes[changes.index.isin(members)]
    assert len(found) == 44
    assert found["fdr"].min() > 0.05


@pytest.mark.parametrize(
    ("name", "found", "asked"),
    [
        ("th1_ifn", 25, 25),
        ("th17_th22", 27, 27),
        ("jak_stat_targets", 29, 30),
        ("th2", 22, 23),
        ("itch_core_skin_up", 26, 28),
        ("barrier_hyperproliferation_up", 25, 34),
        ("barrier_terminal_differentiation_down", 19, 31),
    ],
)
def test_coverage_of_the_array(real, name, found, asked):
    row = coverage(real, "gse80342").loc[name]
    assert (row["found"], row["asked"], row["status"]) == (found, asked, "ok")


def test_questions_that_the_cohort_cannot_answer_have_a_reason(real):
    table = read_table(real / "gse80342" / "expression" / "comparisons.tsv").set_index("contrast")
    refused = table[table["supported"] == "no"]["reason"]
    assert refused[DISEASE] == "no nonlesional samples at baseline"
    assert "no placebo arm" in refused["change:ruxolitinib-placebo@12"]
    assert table.loc["lesional-healthy@0", "supported"] == "yes"


def test_manifest_says_where_files_came_from_without_naming_the_machine(real, shared):
    text = (real / "gse80342" / "fetch" / "manifest.json").read_text()
    assert str(shared) not in text
    sources = {
        f["role"]: f["source"] for f in read_json(real / "gse80342/fetch/manifest.json")["files"]
    }
    assert sources["series_matrix"] == (
        "geo:series/GSE80nnn/GSE80342/matrix/GSE80342_series_matrix.txt.gz"
    )
    assert sources["annotation"] == "geo:platforms/GPLnnn/GPL570/annot/GPL570.annot.gz"


# ---------------------------------------------------------------- GSE193309: lesional, counts


def test_lesional_only_cohort_gives_scores_and_reasons_but_no_comparison(real):
    folder = real / "gse193309"
    assert read_table(folder / "effects" / "effects.tsv").empty
    comparisons = read_table(folder / "expression" / "comparisons.tsv")
    assert set(comparisons["supported"]) == {"no"}
    assert comparisons["reason"].str.len().min() > 10
    samples = read_table(folder / "expression" / "samples.tsv")
    assert len(samples) == 49 and samples["patient"].nunique() == 28
    assert samples["easi"].notna().sum() > 40 and samples["itch_nrs"].notna().sum() > 40


def test_ensembl_ids_become_symbols(real):
    table = read_table(real / "gse193309" / "expression" / "identifiers.tsv")
    assert len(table) > 3
    cover = coverage(real, "gse193309")
    for name in ("itch_core_skin_up", "barrier_terminal_differentiation_down", "th2"):
        assert cover.loc[name, "status"] == "ok"


def test_a_probable_sample_swap_is_flagged_and_kept(real):
    """One biopsy of a man carries XIST and nothing of the Y; his other biopsy does not."""
    quality = read_table(real / "gse193309" / "expression" / "qc.tsv").set_index("sample")
    row = quality.loc["01_AD_22_LS_01"]
    assert "sex_contradicts_sheet" in row["flags"] and "sex_differs_within_patient" in row["flags"]
    assert row["excluded"] == "no" and len(row["reason"]) > 10


# ---------------------------------------------------------------- GSE199046: tape strips


@pytest.mark.parametrize(
    ("name", "found", "asked", "status"),
    [
        ("itch_core_skin_up", 7, 28, "low_coverage"),
        ("barrier_terminal_differentiation_down", 26, 31, "ok"),
        ("barrier_hyperproliferation_up", 24, 34, "ok"),
    ],
)
def test_coverage_of_tape_strips(real, name, found, asked, status):
    row = coverage(real, "gse199046").loc[name]
    assert (row["found"], row["asked"], row["status"]) == (found, asked, status)


def test_low_coverage_is_flagged_wherever_the_set_appears(real):
    row = sets(real, "gse199046", DISEASE).loc["itch_core_skin_up"]
    assert row["status"] == "low_coverage"
    assert "7 of 28" in row["reason"]


@pytest.mark.parametrize("gene", ["KRT16", "SERPINB4", "S100A9"])
def test_inflammation_genes_are_up_in_lesional_tape_strips(real, gene):
    """Up, but far from significant: the median library has fewer than 10,000 reads."""
    row = genes(real, "gse199046", DISEASE).loc[gene]
    assert row["log2_fold_change"] > 0.2
    assert row["fdr"] > 0.05
    assert row["pairs"] == 28


def test_tiny_libraries_are_flagged_but_kept(real):
    quality = read_table(real / "gse199046" / "expression" / "qc.tsv")
    assert len(quality) == 194
    assert quality["library_size"].min() < 100
    flagged = quality[quality["flags"].notna() & (quality["flags"] != "")]
    assert 0 < len(flagged) < 194
    assert set(quality["excluded"]) == {"no"}


# ---------------------------------------------------------------- the tutorial


def test_the_tutorial_tells_what_the_series_say(real, repository):
    page = " ".join((repository / "docs" / "guides" / "tutorial.md").read_text("utf-8").split())
    index = read_table(real / "gse80342" / "index" / "index.tsv")
    index = index[index["reference"] == "healthy"].set_index("name")
    for name, words in (
        ("tcell_dc_activation", "T cells {} (95 % CI {} to {})"),
        ("th2", "Th2 {} ({} to {})"),
        ("jak_stat_targets", "targets of JAK-STAT {} ({} to {})"),
    ):
        row = index.loc[name]
        assert row["status"] == "exploratory"
        assert words.format(*(f"{row[c]:.2f}" for c in ("ni", "lower", "upper"))) in page
    clinic = read_table(real / "gse193309" / "index" / "concordance.tsv")
    clinic = clinic[clinic["score"] == "itch_core_skin_up"].set_index("clinical")
    for value, words in (
        ("easi", "EASI have a rank correlation of {} (95 % CI {} to {}; n = {})"),
        ("itch_nrs", "patients report {} ({} to {}; n = {})"),
    ):
        row = clinic.loc[value]
        numbers = [f"{row[c]:.2f}".replace("-", "−") for c in ("estimate", "lower", "upper")]
        assert words.format(*numbers, row["n"]) in page
    quality = read_table(real / "gse199046" / "expression" / "qc.tsv")
    flagged = (quality["flags"].fillna("") != "").sum()
    assert f"{flagged} of {len(quality)} samples are flagged" in page
    itch = coverage(real, "gse199046").loc["itch_core_skin_up"]
    assert f"({itch['found']} of {itch['asked']} genes)" in page
