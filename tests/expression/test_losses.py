"""What is lost on the way is said in check, in the log and in the report, or stops the run."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import yaml

from adnorm.base.errors import AdnormError
from adnorm.base.logs import get_logger
from adnorm.base.losses import Loss, losses_table, tell
from adnorm.cli.check import as_json, as_text
from adnorm.cli.inspection import inspect_cohort
from adnorm.expression.losses import judged_losses, pair_losses
from adnorm.study.gene_sets import SetSymbols, read_gene_sets
from adnorm.study.people import find_spellings, joining_line, spelling
from adnorm.study.reading import read_study
from builders.cohorts import mapping_of
from builders.expression_stage import small_cohort

GENE_SETS = "config/gene_sets/adnorm.tsv"


class Trial:
    """Twelve patients with three biopsies each; a test spoils what it is about."""

    def __init__(self, folder, repository):
        self.folder, self.repository = folder, repository
        sets = read_gene_sets([repository / GENE_SETS])
        self.symbols = sorted({gene.symbol for s in sets.values() for gene in s.scored})
        rows = [
            (f"S{i:02d}{state}{week}", f"P{i:02d}", state, week)
            for i in range(1, 13)
            for state, week in (("NL", 0), ("LS", 0), ("LS", 16))
        ]
        self.sheet = pd.DataFrame(rows, columns=["sample", "subject", "skin", "week"]).astype(str)
        random = np.random.default_rng(2)
        means = np.exp(random.normal(6, 1, (len(self.symbols), 1)))
        self.counts = pd.DataFrame(
            random.poisson(means * random.uniform(0.5, 2, (len(self.symbols), 36))),
            index=pd.Index(self.symbols, name="gene"),
            columns=list(self.sheet["sample"]),
        )
        self.cohort = small_cohort(
            id="lab",
            title="A trial",
            source={"table": str(folder / "counts.csv"), "sheet": str(folder / "sheet.csv")},
            treatments={"drug": {"drug_class": "JAK inhibitor"}},
            samples={
                "patient": {"from": "subject"},
                "state": {
                    "from": "skin",
                    "values": {"LS": "lesional", "NL": "nonlesional", "HC": "healthy"},
                },
                "treatment": {"constant": "drug"},
                "week": {"from": "week"},
            },
        )
        self.config = {}

    def add_healthy(self, ids):
        rows = [(f"H{i:02d}", name, "HC", "0") for i, name in enumerate(ids)]
        more = pd.DataFrame(rows, columns=self.sheet.columns)
        self.sheet = pd.concat([self.sheet, more], ignore_index=True)
        for name, *_ in rows:
            self.counts[name] = self.counts.iloc[:, 0].sample(frac=1, random_state=1).to_numpy()
        self.cohort["samples"]["treatment"] = {
            "from": "skin",
            "values": {"LS": "drug", "NL": "drug", "HC": "none"},
        }

    def check(self):
        self.counts.to_csv(self.folder / "counts.csv")
        self.sheet.to_csv(self.folder / "sheet.csv", index=False)
        path = self.folder / "lab.yaml"
        path.write_text(yaml.safe_dump(self.cohort, sort_keys=False))
        config = {"cohorts": [str(path)], "results": str(self.folder / "results"), **self.config}
        study = read_study(config, self.repository)
        return inspect_cohort(study.cohorts["lab"], study.config)

    def fine(self):
        found = self.check()
        assert not found.problems, found.problems
        return found

    def stops(self, *words):
        found = self.check()
        assert found.problems
        for word in words:
            assert word in "\n".join(found.problems), found.problems
        return found

    def follow(self, text):
        """Write the line between backticks that a message tells below samples."""
        line = text.split("below samples: `")[-1] if "below samples" in text else text
        line = line.split("`patient: ")[-1].removeprefix("patient: ").split("`")[0]
        self.cohort["samples"]["patient"] = yaml.safe_load(line)


@pytest.fixture
def trial(tmp_path, repository):
    return Trial(tmp_path, repository)


def test_a_sound_trial_loses_nothing(trial):
    found = trial.fine()
    assert found.warnings == [] and found.tables["losses"].empty
    assert "lost on the way: nothing" in as_text(found, full=True)


# ---------------------------------------------------------------- the vocabulary


def test_large_losses_warn_and_small_ones_are_told(caplog):
    losses = [Loss("rows are gone", 6, 100), Loss("rows are odd", 5, 100), Loss("none", 0, 100)]
    table = losses_table(losses)
    assert table["warning"].tolist() == ["yes", "no"]
    logger, levels = get_logger(), []
    handler = logging.Handler()
    handler.emit = lambda record: levels.append((record.levelname, record.getMessage()))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        tell(losses)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert levels == [
        ("WARNING", "6 of 100 rows are gone (6 %)"),
        ("INFO", "5 of 100 rows are odd (5 %)"),
    ]


def test_rows_are_weighed_by_what_they_hold():
    assert not Loss("ids", 40, 100, weight=0.01).warns
    assert Loss("ids", 4, 100, weight=0.3).warns


# ---------------------------------------------------------------- patients in two spellings


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("P01", "p-1", True),
        ("P 1", "P001", True),
        ("AD_07", "ad07", True),
        ("101", "0101", True),
        ("7", "7.0", True),
        ("P1-2", "P12", False),
        ("P1", "P10", False),
        ("P1", "H1", False),
        ("A1", "1A", False),
    ],
)
def test_spellings(one, other, same):
    assert (spelling(one) == spelling(other)) is same


SPELLINGS = {
    "case": str.lower,
    "space": lambda name: f"P {int(name[1:])}",
    "zeros": lambda name: f"P-0{name[1:]}",
}


# Keys of `values:` are matched in any case, so that nothing is lost there.
@pytest.mark.parametrize(
    ("spell", "how"),
    [
        (s, h)
        for s in SPELLINGS
        for h in ("from", "pattern", "values")
        if (s, h) != ("case", "values")
    ],
)
def test_one_patient_in_two_spellings_is_named_with_what_is_lost(trial, spell, how):
    last = trial.sheet["sample"].str.endswith("16") & (trial.sheet.index < 15)
    trial.sheet.loc[last, "subject"] = trial.sheet.loc[last, "subject"].map(SPELLINGS[spell])
    names = list(dict.fromkeys(trial.sheet["subject"]))
    trial.cohort["samples"]["patient"] |= {
        "from": {},
        "pattern": {"pattern": "^(?P<value>.*)$"},
        "values": {"values": {name: name for name in names}},
    }[how]
    found = trial.fine()
    (warning,) = [w for w in found.warnings if "punctuation or zeros" in w]
    assert (
        "5 pairs of one patient are lost" in warning
        and f"'P01' (2) = '{SPELLINGS[spell]('P01')}'" in warning
    )
    comparisons = found.tables["comparisons"].set_index("contrast")
    assert comparisons.loc["change:drug@16", "pairs"] == 7
    assert "see the warning" in " ".join(as_text(found, full=True).split())
    assert any("punctuation" in loss["what"] for loss in as_json(found)["losses"])
    trial.follow(warning)
    mended = trial.fine()
    assert mended.warnings == []
    comparisons = mended.tables["comparisons"].set_index("contrast")
    assert comparisons.loc["change:drug@16", "pairs"] == 12


def test_one_lost_pair_is_one_pair(trial):
    (last, *_) = trial.sheet.index[
        trial.sheet["sample"].str.endswith("16") & (trial.sheet["subject"] == "P01")
    ]
    trial.sheet.loc[last, "subject"] = "p01"
    (warning,) = [w for w in trial.fine().warnings if "punctuation or zeros" in w]
    assert "as they are, 1 pair of one patient is lost" in warning


def test_patients_of_two_centres_are_named_but_stay_two(trial):
    trial.sheet.loc[trial.sheet["subject"] == "P02", "subject"] = "p1"
    found = trial.fine()
    assert "both with a biopsy of the same skin and visit" in found.warnings[0]
    assert found.tables["samples"]["patient"].nunique() == 12


def test_no_line_joins_a_constant(trial):
    samples = trial.fine().tables["samples"]
    samples.loc[0, "patient"] = "p1"
    assert joining_line(find_spellings(samples), mapping_of({"constant": "x"})) == ""


def test_lost_pairs_are_counted(trial):
    keep = ~trial.sheet["sample"].isin([f"S{i:02d}NL0" for i in (1, 2, 3)])
    trial.counts = trial.counts[list(trial.sheet.loc[keep, "sample"])]
    trial.sheet = trial.sheet[keep]
    found = trial.fine()
    (warning,) = found.warnings
    assert warning.startswith("3 of 12 patients have lesional or nonlesional skin at baseline")
    assert "'P01', 'P02', 'P03'" in warning


# ---------------------------------------------------------------- healthy people without an id


@pytest.mark.parametrize("word", ["", "NA", "n.a.", "-", "unknown", "healthy", "Control", "HC"])
def test_healthy_people_without_an_id_are_several(trial, word):
    trial.add_healthy([word] * 6)
    found = trial.stops("`patient: {from: [subject, sample]")
    trial.follow(found.problems[0])
    assert trial.fine().tables["samples"]["patient"].nunique() == 18


def test_one_word_for_missing_ids_is_refused(trial):
    trial.add_healthy([""] * 6)
    trial.cohort["samples"]["patient"]["missing"] = "nobody in particular"
    found = trial.stops("'nobody in particular' names no person", "6 biopsies")
    trial.follow(found.problems[0])
    assert trial.fine().tables["samples"]["patient"].nunique() == 18


def test_a_patient_that_a_mapping_leaves_open_is_a_person_of_its_own(trial):
    trial.add_healthy([""] * 6)
    trial.cohort["samples"]["patient"]["missing"] = None
    found = trial.stops("6 samples have no value", "`patient: {from: [subject, sample]")
    assert "`missing:`" not in found.problems[0]
    trial.follow(found.problems[0])
    assert trial.fine().tables["samples"]["patient"].nunique() == 18


def test_healthy_people_with_ids_pass(trial):
    trial.add_healthy([f"HC{i}" for i in range(5)] + ["healthy"])
    assert trial.fine().warnings == []


# ---------------------------------------------------------------- rows and genes


def test_missing_values_do_not_drop_genes_in_silence(trial):
    trial.counts = trial.counts.astype(float)
    for i in range(0, len(trial.counts), 2):
        trial.counts.iloc[i, 4 if i % 4 else 7] = np.nan
    found = trial.fine()
    text = next(w for w in found.warnings if "missing values and are dropped (50 %)" in w)
    assert "samples with the most: 'S03LS0 (175)', 'S02LS0 (174)';" in text
    losses = found.tables["losses"].set_index("what")
    assert losses.loc["rows have missing values and are dropped", "warning"] == "yes"


def test_few_missing_values_are_told_without_a_warning(trial):
    trial.counts = trial.counts.astype(float)
    trial.counts.iloc[3, 3] = np.nan
    found = trial.fine()
    assert found.warnings == [] and "(below 1 %)" in as_text(found, full=True)


def test_most_rows_with_missing_values_stop(trial):
    trial.counts = trial.counts.astype(float)
    for i in range(len(trial.counts) * 3 // 4):
        trial.counts.iloc[i, i % 36] = np.nan
    trial.stops("rows have missing values in some sample", "exclude:")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (lambda i, s: f"MSTRG.{i}", "loci of an assembler"),
        (lambda i, s: f"XLOC_{i:06d}", "loci of an assembler"),
        (lambda i, s: f"TRINITY_DN{i}_c0_g1", "loci of an assembler"),
        (lambda i, s: f"uc{i:03d}abc.3", "UCSC transcripts"),
        (lambda i, s: f"AK{100000 + i}", "accessions of sequences"),
        (lambda i, s: f"HGNC:{i + 5}", "HGNC ids"),
        (lambda i, s: f"OTTHUMG{i:011d}", "Vega ids"),
        (lambda i, s: f"hsa-miR-{i}", "none of the 47 gene sets can be scored"),
        (lambda i, s: f"contig{i}x", "none of the 47 gene sets can be scored"),
    ],
)
def test_names_that_are_no_genes_stop_the_check_as_they_stop_the_run(trial, name, words):
    trial.counts.index = [name(i, s) for i, s in enumerate(trial.symbols)]
    found = trial.stops(words)
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    "name",
    [
        lambda i, s: f"MSTRG.{i}|{s}",
        lambda i, s: f"XLOC_{i:06d}|{s}",
        lambda i, s: f"gene-{s}",
        lambda i, s: f"gene:{s}",
        lambda i, s: f"{s}_ENSG{i:011d}",
        lambda i, s: f"{s}|ENSG{i:011d}.4",
        lambda i, s: f"ENSG{i:011d}.4_{s}",
    ],
    ids=["stringtie", "gffcompare", "gff3", "ncbi", "seurat", "bar", "rsem"],
)
def test_genes_are_taken_out_of_what_programs_put_around_them(trial, name):
    trial.counts.index = [name(i, s) for i, s in enumerate(trial.symbols)]
    found = trial.fine()
    assert found.warnings == [] and (found.coverage["status"] == "ok").all()


def test_loci_without_a_gene_are_a_loss(trial):
    names = [f"MSTRG.{i}|{s}" if i % 4 else f"MSTRG.{i}" for i, s in enumerate(trial.symbols)]
    trial.counts.index = names
    found = trial.fine()
    assert any("loci of an assembler without a gene" in w for w in found.warnings)


def test_numbered_copies_of_a_symbol_are_one_gene(trial):
    copy = trial.counts.loc[["FLG", "IVL"]].set_axis(["FLG.1", "IVL-1"]) * 2
    trial.counts = pd.concat([trial.counts, copy])
    found = trial.fine()
    steps = found.tables["identifiers"].set_index("step")["detail"]
    assert steps["numbered copies of a symbol (FLG.1) joined"] == "FLG.1>FLG"
    assert steps["genes with several rows merged"] == "sum: FLG"


def test_ids_that_the_table_does_not_know_are_weighed_by_their_reads(trial):
    table = trial.folder / "genes.tsv"
    ids = [f"ENSG{i:011d}" for i in range(len(trial.symbols))]
    known = zip(ids[: len(ids) * 9 // 10], trial.symbols, strict=False)
    table.write_text("gene_id\tgene_name\n" + "".join(f"{i}\t{s}\n" for i, s in known))
    trial.counts.index = ids
    trial.config = {"identifiers": {"table": str(table)}}
    assert any("that the identifier table does not know" in w for w in trial.fine().warnings)
    trial.counts.iloc[len(ids) * 9 // 10 :] = 1
    losses = trial.fine().tables["losses"].set_index("what")
    row = losses.loc["Ensembl gene ids that the identifier table does not know"]
    assert row["warning"] == "no" and "below 1 % of all reads" in row["detail"]


def test_half_of_the_genes_of_the_sets_is_a_warning(trial):
    trial.counts = trial.counts.iloc[::2]
    found = trial.fine()
    assert any("genes that the gene sets ask for are not in the table" in w for w in found.warnings)


def test_added_sets_that_the_table_lacks_are_a_warning_too(trial):
    strange = trial.folder / "strange.gmt"
    strange.write_text("strange\tx\tNOWHERE1\tNOWHERE2\tNOWHERE3\n")
    trial.config = {"gene_sets": [str(trial.repository / GENE_SETS), str(strange)]}
    found = trial.fine()
    assert found.tables["losses"].empty
    # Sets without genes follow from genes that are not there: one warning.
    (warning,) = found.warnings
    assert "3 of 3 genes that the added gene sets" in warning
    assert "so 1 of 1 added gene sets have no two genes in the table" in warning


def test_a_small_panel_is_accepted_with_a_warning(repository):
    sets = read_gene_sets([repository / GENE_SETS])
    members = [gene.symbol for gene in sets["itch_core_skin_up"].scored][:4]
    judging = SetSymbols.of(sets).judging
    losses = judged_losses(judging, pd.Index(members), "t")
    assert len(losses) == 2 and [loss.warns for loss in losses] == [True, False]
    strange = [f"contig{i}x" for i in range(2000)]
    with pytest.raises(AdnormError, match=r"4 of the 697 genes .* 42 of 47 sets cannot be scored"):
        judged_losses(judging, pd.Index([*members, *strange]), "t")


# ---------------------------------------------------------------- check stops where a run stops


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"scores": {"methods": ["ssgsea"]}}, "'zscore' is missing"),
        ({"figures": {"heatmap_sets": {"itch": ["itch_coer"]}}}, "heatmap_sets names 'itch_coer'"),
    ],
)
def test_what_a_later_stage_asks_of_the_configuration(trial, config, words):
    trial.config = config
    trial.stops(words)


def test_a_cohort_of_one_sample(trial):
    trial.sheet, trial.counts = trial.sheet.iloc[1:2], trial.counts.iloc[:, 1:2]
    trial.cohort["reference"] = None
    trial.config = {"expression": {"minimum_samples": 1}}
    trial.stops("this cohort has only one")


def test_sets_that_the_low_count_filter_empties(trial):
    keep = [s for s in trial.symbols if not s.startswith(("A", "B", "C", "D", "E"))]
    low = trial.counts.index.isin(keep)
    trial.counts.loc[low] = 0
    trial.counts = pd.concat(
        [
            trial.counts.loc[low],
            trial.counts.iloc[:20].set_axis([f"OTHER{i}" for i in range(20)]) + 50,
        ]
    )
    trial.stops("none of the 47 gene sets can be scored")


def test_a_pinned_identifier_table_with_other_bytes(trial):
    table = trial.folder / "genes.tsv"
    table.write_text("gene_id\tgene_name\nENSG00000143631\tFLG\n")
    trial.config = {"identifiers": {"table": str(table), "sha256": "0" * 64}}
    trial.stops("genes.tsv", "sha256")


def test_two_lesions_in_one_arm_and_none_in_the_other_are_told():
    """A vehicle lesion that the sheet calls one of the drug would be averaged into it."""
    rows = [
        (f"{patient} {arm} {week:g}", patient, "lesional", week, arm, f"{patient}, {arm}")
        for patient in ("P1", "P2", "P3")
        for arm in ("drug", "vehicle")
        for week in (0.0, 4.0)
    ]
    columns = ["sample", "patient", "state", "week", "arm", "lesion"]
    samples = pd.DataFrame(rows, columns=columns)
    what = "visits of a patient have two lesions in one arm and none in another"
    assert what not in {loss.what for loss in pair_losses(samples)}
    wrong = samples["sample"] == "P2 vehicle 4"
    samples.loc[wrong, ["arm", "lesion"]] = "drug", "P2, drug"
    (loss,) = [loss for loss in pair_losses(samples) if loss.what == what]
    assert (loss.lost, loss.of) == (1, 6)
    assert "'P2 drug 4'" in loss.detail and "'P2 vehicle 4'" in loss.detail and loss.above == 0
