"""From rows to genes: spreadsheet dates, retired symbols, annotations, merged rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adnorm.base.errors import AdnormError
from adnorm.expression.genes import (
    KnownSymbols,
    RowFates,
    approve_symbols,
    collapse_rows,
    rule_for,
    to_gene_symbols,
)
from adnorm.readers.identifiers import (
    JOINED,
)

HUMAN = ["FLG", "KRT16", "IL4R", "CCL18", "STAT1", "HLA-DRA", "C9orf72", "S100A9", "TSLP", "OSMR"]


def table(index, **columns):
    if not columns:
        columns = {"S1": np.arange(len(index)) + 1.0, "S2": np.arange(len(index)) + 2.0}
    return pd.DataFrame(columns, index=pd.Index(index, dtype=object))


def mapped(values, **options):
    return to_gene_symbols(values, where="table.csv", **options)


def step(found, name):
    rows = [row for row in found.steps if row[0] == name]
    assert len(rows) == 1, found.steps
    return rows[0][1:]


def test_refused_dates_are_dropped_and_counted():
    found = mapped(table([*HUMAN, "1-Mar", "2-Mar", "2-Sep"]))
    assert step(found, "spreadsheet date refused") == (
        2,
        "may stand for two genes: 1-Mar, 2-Mar",
    )
    assert step(found, "spreadsheet date repaired") == (1, "2-Sep>SEPTIN2")
    assert "SEPTIN2" in found.values.index
    assert len(found.values) == len(HUMAN) + 1


def test_what_stays_ambiguous_is_listed_with_its_candidates():
    known = KnownSymbols(
        curated={"ELA2": "ELANE", "CLASH": "FLG"},
        approved=frozenset({"ELA2", "ELANE", "A1", "B1", "FLG"}),
        previous={"p40": "A1", "P40": "B1"},
        ambiguous={"NAF": ["A1", "B1"], "CLASH": ["A1", "B1"]},
    )
    found = mapped(table(["NAF", "p40", "ELA2", "CLASH", "IL4R"]), known=known)
    assert step(found, "ambiguous retired symbol left as it is") == (
        4,
        "CLASH (A1 or B1 or FLG), ELA2 (ELA2 or ELANE), NAF (A1 or B1), p40 (A1 or B1)",
    )
    assert set(found.values.index) == {"NAF", "p40", "ELA2", "CLASH", "IL4R"}


def test_the_gene_sets_may_choose_among_the_candidates():
    known = KnownSymbols(curated={"NAF": "CXCL8"}, ambiguous={"NAF": ["AAA1", "CXCL8"]})
    assert approve_symbols(["NAF"], known)["NAF"] == ("CXCL8", "renamed by the gene sets")


def test_all_that_is_ambiguous_is_listed():
    names = [f"OLD{i:02d}" for i in range(30)]
    known = KnownSymbols(ambiguous={name: ["A1", "B1"] for name in names})
    count, detail = step(
        mapped(table(names), known=known), "ambiguous retired symbol left as it is"
    )
    assert count == 30 and all(name in detail for name in names)


def test_an_id_of_several_genes_is_dropped_and_said():
    ids = ["ENSG00000143631", "ENSG00000000007", "ENSG00000000008"]
    found = mapped(
        table(ids),
        ensembl={"ENSG00000143631": "FLG", "ENSG00000000008": "IL4R"},
        known=KnownSymbols(ambiguous={"ENSG00000000007": ["X1", "X2"]}),
    )
    assert found.values.index.tolist() == ["FLG", "IL4R"]
    assert step(found, "Ensembl gene ids of several genes dropped") == (
        1,
        "ENSG00000000007 (X1 or X2)",
    )
    assert step(found, "Ensembl gene ids not in the identifier table dropped")[0] == 0


def test_symbols_joined_to_entrez_numbers_are_taken_apart():
    values = table(["FLG|2312", "OLD|3868", "?|100130426", "IL4R|3566"])
    found = mapped(values, entrez={"3868": "KRT16"})
    assert found.values.index.tolist() == ["FLG", "IL4R", "KRT16"]
    assert found.values.loc["KRT16", "S1"] == 2.0
    assert step(found, "rows without a symbol (?|…) dropped") == (1, "?|100130426")
    assert step(found, "kind of identifier") == (4, JOINED)
    alone = mapped(values)
    assert alone.values.index.tolist() == ["FLG", "IL4R", "OLD"]


def test_mouse_symbols_joined_to_numbers_are_refused():
    with pytest.raises(AdnormError, match="written as mouse genes are"):
        mapped(table(["Flg|14246", "Krt16|16666", "Il4ra|16190"]))


def test_an_old_identifier_table_does_not_block_the_gene_sets():
    known = KnownSymbols(curated={"LOR": "LORICRIN"}, approved=frozenset({"LOR", "MARCH2"}))
    verdicts = approve_symbols(["LOR", "MARCH2"], known)
    assert verdicts["LOR"][0] == "LORICRIN"
    assert verdicts["MARCH2"][0] == "MARCHF2"


def test_rows_under_the_old_and_the_approved_symbol_become_one_gene():
    values = table(["LOR", "LORICRIN", "IL8", *HUMAN])
    known = KnownSymbols(curated={"LOR": "LORICRIN", "IL8": "CXCL8"})
    found = mapped(values, known=known)
    assert found.values.loc["LORICRIN"].tolist() == [2.0, 3.0]
    assert found.renamed_from["LORICRIN"] == ""
    assert found.renamed_from["CXCL8"] == "IL8"
    assert found.source_ids["LORICRIN"] == "LORICRIN;LOR"
    assert step(found, "genes with several rows merged") == (1, "highest_mean: LORICRIN")


def test_probes_of_several_genes_and_of_none_are_dropped_and_counted():
    probes = [f"P{i}" for i in range(6)]
    annotation = pd.Series(
        ["FLG", "FLG", "KRT16///KRT14", "---", "", "STAT1///STAT1"], index=probes
    )
    found = mapped(table(probes), annotation=annotation)
    assert found.values.index.tolist() == ["FLG", "STAT1"]
    assert step(found, "probes of several genes dropped") == (1, "KRT16///KRT14")
    assert step(found, "probes without a gene dropped") == (2, "P3, P4")
    assert found.source_ids["FLG"] == "P1;P0"


def test_annotation_of_another_platform_stops():
    annotation = pd.Series(["FLG", "KRT16"], index=["X1", "X2"])
    with pytest.raises(AdnormError, match="knows only 0 of 2 probes.*another platform"):
        mapped(table(["P1", "P2"]), annotation=annotation)


def test_annotation_without_symbols_stops():
    annotation = pd.Series(["---", "", np.nan], index=["P1", "P2", "P3"])
    with pytest.raises(AdnormError, match="symbol_column"):
        mapped(table(["P1", "P2", "P3"]), annotation=annotation)


def test_ensembl_ids_go_through_the_table():
    values = table(["ENSG00000143631.10", "ENSG00000186832.8", "ENSG00000999999.1"])
    names = {"ENSG00000143631": "FLG", "ENSG00000186832": "KRT16"}
    found = mapped(values, ensembl=names)
    assert found.values.index.tolist() == ["FLG", "KRT16"]
    assert step(found, "Ensembl gene ids not in the identifier table dropped")[0] == 1
    assert found.source_ids["FLG"] == "ENSG00000143631.10"


@pytest.mark.parametrize("joint", ["_", "|"])
def test_what_is_joined_to_ensembl_ids_is_stripped(joint):
    values = table([f"ENSG00000143631.10{joint}OLDNAME", f"ENSG00000186832.8{joint}KRT16"])
    found = mapped(values, ensembl={"ENSG00000143631": "FLG", "ENSG00000186832": "KRT16"})
    assert found.values.index.tolist() == ["FLG", "KRT16"]


def test_entrez_ids_go_through_the_table():
    found = mapped(table(["2312", "3868"]), entrez={"2312": "FLG", "3868": "KRT16"})
    assert found.values.index.tolist() == ["FLG", "KRT16"]


def test_missing_identifier_table_names_the_key():
    with pytest.raises(AdnormError, match="identifiers: table:"):
        mapped(table(["ENSG00000143631", "ENSG00000186832"]))
    with pytest.raises(AdnormError, match="holds no such ids") as stop:
        mapped(table(["2312", "3868"]), entrez={})
    assert "GENCODE" not in str(stop.value)  # which knows no Entrez ids
    with pytest.raises(AdnormError, match="a GENCODE gene table") as stop:
        mapped(table([*(f"ENSG{i:011d}" for i in range(30)), "BMAL2"]))
    assert "BMAL2" not in str(stop.value)


def test_wrong_identifier_table_stops():
    with pytest.raises(AdnormError, match="knows only 0 of 2"):
        mapped(table(["2312", "3868"]), entrez={"1": "A1BG"})


def test_summary_rows_of_counting_programs_are_dropped():
    values = table([*HUMAN, "__no_feature", "N_unmapped"])
    found = mapped(values)
    assert step(found, "summary rows of a counting program dropped")[0] == 2
    assert found.totals["S1"] == values.loc[HUMAN, "S1"].sum()


def test_a_complete_probe_serves_when_another_misses_a_value():
    values = table(["P1", "P2"], S1=[9.0, 1.0], S2=[np.nan, 2.0], S3=[9.0, 3.0], S4=[9.0, 3.0])
    annotation = pd.Series(["FLG", "FLG"], index=["P1", "P2"])
    found = mapped(values, annotation=annotation)
    assert found.values.loc["FLG"].tolist() == [1.0, 2.0, 3.0, 3.0]
    assert step(found, "rows with missing values dropped") == (1, "P1")


def test_a_broken_sample_stops_and_is_named():
    values = table(HUMAN)
    values.loc[HUMAN[:6], "S2"] = np.nan
    with pytest.raises(AdnormError, match=r"1 samples miss most of their values: 'S2 \(60%\)'"):
        mapped(values)


def test_highest_mean_takes_one_row_and_ties_go_to_the_first_id():
    values = table(["b", "a", "c"], S1=[1.0, 1.0, 0.0], S2=[3.0, 3.0, 1.0])
    genes, sources, _ = collapse_rows(values, pd.Series(["X", "X", "X"]), "highest_mean")
    assert genes.loc["X"].tolist() == [1.0, 3.0]
    assert sources["X"] == "a;b;c"


def test_collapse_does_not_depend_on_the_order_of_the_rows():
    random = np.random.default_rng(3)
    values = table([f"P{i}" for i in range(40)], S1=random.random(40), S2=random.random(40))
    symbols = pd.Series([f"G{i % 7}" for i in range(40)])
    order = random.permutation(40)
    for rule in ("highest_mean", "mean", "sum"):
        one = collapse_rows(values, symbols, rule)
        other = collapse_rows(values.iloc[order], symbols.iloc[order], rule)
        pd.testing.assert_frame_equal(one[0], other[0])
        pd.testing.assert_series_equal(one[1], other[1])


def test_mean_averages():
    values = table(["a", "b"], S1=[1.0, 2.0], S2=[3.0, 5.0])
    genes, _, _ = collapse_rows(values, pd.Series(["X", "X"]), "mean")
    assert genes.loc["X"].tolist() == [1.5, 4.0]


@pytest.mark.parametrize(
    ("scale", "assay", "rule"),
    [
        ("counts", "rna-seq", "sum"),
        ("counts", "microarray", "sum"),
        ("linear", "rna-seq", "sum"),
        ("linear", "microarray", "mean"),
        ("log2", "rna-seq", "mean"),
        ("log2", "microarray", "mean"),
    ],
)
def test_what_adds_up_is_summed_whatever_is_chosen_for_probes(scale, assay, rule):
    assert rule_for(scale, assay, "mean") == rule


def test_reads_of_one_gene_under_several_ids_are_summed():
    # 200 samples; the same 1,000 reads per sample, of which a random share falls to either id.
    random = np.random.default_rng(9)
    share = random.beta(0.4, 0.4, 200)
    reads = 1000 * 2.0 ** random.normal(0, 0.65, 200)
    ids = ["ENSG00000204671.1", "ENSG00000291111.1"]
    split = pd.DataFrame([reads * share, reads * (1 - share)], index=ids).round()
    genes, sources, copies = collapse_rows(split, pd.Series(["IL31", "IL31"]), "sum")
    assert genes.loc["IL31"].tolist() == split.sum().tolist()
    assert set(sources["IL31"].split(";")) == set(ids) and copies == []

    def spread(row):
        return np.log2(row.to_numpy(dtype=float) + 1).std()

    assert spread(genes.loc["IL31"]) == pytest.approx(0.65, abs=0.05)
    # What one id alone would tell: mostly how the reads happened to be spread.
    one, _, _ = collapse_rows(split, pd.Series(["IL31", "IL31"]), "highest_mean")
    assert spread(one.loc["IL31"]) > 2


@pytest.mark.parametrize("copy", ["ENSG1.2_PAR_Y", "ENSG1.2_PAR_Y_PLCXD1", "ENSG1.2_PAR_Y|PLCXD1"])
def test_copies_on_chromosome_y_are_no_reads_of_their_own(copy):
    values = table(["ENSG1.2", copy, "ENSG2"], S1=[5.0, 4.0, 1.0], S2=[7.0, 9.0, 2.0])
    genes, sources, copies = collapse_rows(values, pd.Series(["PLCXD1"] * 3), "sum")
    assert genes.loc["PLCXD1"].tolist() == [6.0, 9.0]
    assert sources["PLCXD1"] == "ENSG1.2;ENSG2" and copies == [copy]


def test_a_copy_on_chromosome_y_counts_when_the_gene_stands_nowhere_else():
    values = table(["ENSG1.2_PAR_Y"], S1=[5.0], S2=[7.0])
    genes, _, copies = collapse_rows(values, pd.Series(["PLCXD1"]), "sum")
    assert genes.loc["PLCXD1"].tolist() == [5.0, 7.0] and copies == []


def test_equal_rows_of_a_gene_are_counted_once():
    values = table(list("abcde"), S1=[5.0, 5.0, 1.0, 0.0, 0.0], S2=[7.0, 7.0, 1.0, 0.0, 0.0])
    genes, _, copies = collapse_rows(values, pd.Series(["X"] * 5), "sum")
    assert genes.loc["X"].tolist() == [6.0, 8.0] and copies == ["b"]
    # Equal rows of two genes are two genes.
    genes, _, copies = collapse_rows(values[:2], pd.Series(["X", "Y"]), "sum")
    assert genes["S1"].tolist() == [5.0, 5.0] and copies == []


def test_what_a_sum_leaves_out_is_said():
    ids = ["ENSG00000182378.13", "ENSG00000182378.13_PAR_Y", "ENSG00000143631.10"]
    names = {"ENSG00000182378": "PLCXD1", "ENSG00000143631": "FLG"}
    found = mapped(table(ids), ensembl=names, collapse="sum")
    assert found.values.loc["PLCXD1"].tolist() == [1.0, 2.0]
    assert step(found, "genes with several rows merged") == (1, "sum: PLCXD1")
    left = step(found, "copies of rows left out of the sum")
    assert left[0] == 1 and left[1].endswith("ENSG00000182378.13_PAR_Y")


def test_steps_account_for_every_row():
    values = table([*HUMAN, "1-Mar", "LOR", "LORICRIN", "__alignment_not_unique"])
    found = mapped(values, known=KnownSymbols(curated={"LOR": "LORICRIN"}))
    steps = {step: count for step, count, _ in found.steps}
    lost = (
        steps["summary rows of a counting program dropped"]
        + steps["spreadsheet date refused"]
        + steps["rows with missing values dropped"]
        + steps["rows merged away"]
    )
    assert steps["rows read"] - lost == steps["genes"] == len(found.values)


def test_retired_symbols_are_matched_in_any_case():
    known = KnownSymbols(
        in_sets=frozenset({"IL33", "LORICRIN", "C9orf72"}), curated={"C9orf26": "IL33"}
    )
    verdicts = approve_symbols(["C9ORF26", "c9orf26", "C9ORF72", "MARCH1", "Sept2", "FLG"], known)
    assert {old: new for old, (new, _) in verdicts.items()} == {
        "C9ORF26": "IL33",
        "c9orf26": "IL33",
        "C9ORF72": "C9orf72",
        "MARCH1": "MARCHF1",
        "Sept2": "SEPTIN2",
        "FLG": "FLG",
    }


def test_a_retired_symbol_that_another_gene_now_has_is_left():
    known = KnownSymbols(
        curated={"ELA2": "ELANE", "A": "B", "B": "C"},
        approved=frozenset({"ELA2", "ELANE", "FLG"}),
        previous={"FLG": "OTHER", "OLD": "NEW"},
        ambiguous={"TWO": ["ONE", "OTHER"]},
    )
    verdicts = approve_symbols(["ELA2", "A", "FLG", "OLD", "TWO", "UNKNOWN"], known)
    assert {old: new for old, (new, _) in verdicts.items()} == {
        "ELA2": "ELA2",
        "A": "A",
        "FLG": "FLG",
        "OLD": "NEW",
        "TWO": "TWO",
        "UNKNOWN": "UNKNOWN",
    }


def test_examples_of_a_step_are_the_first_ten_in_alphabetical_order():
    fates = RowFates(table(HUMAN), adds_up=False)
    letters = "KJIHGFEDCBA"
    fates.note("eleven", 11, letters)
    fates.note("ten", 10, letters[1:], "of one kind")
    fates.note("twice", 12, letters[:6] * 2)
    assert fates.steps == [
        ("eleven", 11, "A, B, C, D, E, F, G, H, I, J and 1 more"),
        ("ten", 10, "of one kind: A, B, C, D, E, F, G, H, I, J"),
        ("twice", 12, "F, G, H, I, J, K"),
    ]


def test_a_loss_is_weighed_by_its_reads_where_reads_add_up():
    values = table(["A", "B", "C"], S1=[60.0, 30.0, 10.0], S2=[40.0, 50.0, 10.0])
    lost = pd.Series(["B", "C"], index=[1, 2])
    for adds_up, weight in ((True, 0.5), (False, None)):
        fates = RowFates(values, adds_up)
        fates.lose("rows", lost)
        (loss,) = fates.losses
        assert (loss.lost, loss.of, loss.weight) == (2, 3, weight)
    fates.lose("rows", lost[:0])
    assert len(fates.losses) == 1


def test_fractions_that_add_up_to_less_than_one_are_weighed_too():
    fates = RowFates(table(["A", "B", "C"], S1=[0.3, 0.05, 0.05]), adds_up=True)
    fates.lose("rows", pd.Series(["B"], index=[1]))
    assert fates.losses[0].weight == pytest.approx(0.125)
    silent = RowFates(table(["A", "B"], S1=[0.0, 0.0]), adds_up=True)
    silent.lose("rows", pd.Series(["B"], index=[1]))
    assert silent.losses[0].weight is None


def test_a_number_is_a_copy_only_beside_the_symbol_itself():
    found = mapped(table([*HUMAN, "FLG.1", "FLG.12", "OTHER.1", "KRT16.100"]))
    assert step(found, "numbered copies of a symbol (FLG.1) joined") == (
        2,
        "FLG.12>FLG, FLG.1>FLG",
    )
    assert {"OTHER.1", "KRT16.100"} <= set(found.values.index)
    assert len(found.values) == len(HUMAN) + 2
