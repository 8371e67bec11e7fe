"""Platform annotations and identifier tables."""

from __future__ import annotations

import pytest

from adnorm.base.errors import AdnormError
from adnorm.readers.annotation import read_annotation, read_identifier_table, split_symbols
from adnorm.readers.delimited import read_value_table

HGNC = (
    "hgnc_id\tsymbol\tname\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\n"
    'HGNC:6663\tLORICRIN\tloricrin\tApproved\t\t"LOR"\t4014\tENSG00000203782\n'
    "HGNC:6025\tCXCL8\tchemokine\tApproved\tSCYB8|NAF|GCP1\tIL8\t3576\tENSG00000169429\n"
    "HGNC:1\tAAA1\tone\tApproved\tNAF|IL8|FLG\tOLD\t11\tENSG00000000011\n"
    "HGNC:2\tAAA2\ttwo\tApproved\t\tOLD\t12\t\n"
    "HGNC:3748\tFLG\tfilaggrin\tApproved\t\t\t2312\tENSG00000143631\n"
    "HGNC:9\tGONE\tx\tEntry Withdrawn\t\tWENT\t99\t\n"
)


def test_real_platform(shared):
    symbols = read_annotation(shared / "geo/platforms/GPLnnn/GPL570/annot/GPL570.annot.gz")
    assert len(symbols) == 54675
    assert symbols["117_at"] == "HSPA6///LOC652878"
    assert symbols["1405_i_at"] == "CCL5"
    assert split_symbols(symbols["AFFX-TrpnX-M_at"]) == []


def test_real_gencode(shared):
    table = read_identifier_table(shared / "reference/gencode_v26_annotation.tsv.gz")
    assert table.kind == "GENCODE gene table"
    assert table.ensembl["ENSG00000143631"] == "FLG"
    assert table.entrez == {} and table.previous == {}
    assert len(table.ensembl) > 60000 and "FLG" in table.approved


def test_real_gencode_knows_the_real_counts(shared):

    counts = shared / "geo/series/GSE193nnn/GSE193309/suppl/GSE193309_count_matrix.csv.gz"
    known = read_identifier_table(shared / "reference/gencode_v26_annotation.tsv.gz").ensembl
    ids = read_value_table(counts).index
    assert ids.isin(known).mean() == pytest.approx(0.997, abs=0.001)


@pytest.mark.parametrize(
    ("cell", "symbols"),
    [
        ("A///B", ["A", "B"]),
        (" A /// B///A", ["A", "B"]),
        ("---", []),
        ("", []),
        ("--- /// FLG", ["FLG"]),
        ("HLA-DRB4", ["HLA-DRB4"]),
        (float("nan"), []),
    ],
)
def test_split_symbols(cell, symbols):
    assert split_symbols(cell) == symbols


@pytest.mark.parametrize(
    "name", ["Gene Symbol", "GENE_SYMBOL", "Symbol", "ILMN_Gene", "gene symbol"]
)
def test_usual_names_of_the_symbol_column(written, name):
    text = f"#ID = probe\n#x = y\nID\tTitle\t{name}\np1\t5' \"end\tFLG\np2\tb\n"
    assert read_annotation(written(text)).to_dict() == {"p1": "FLG", "p2": ""}


def test_manufacturer_csv_and_named_column(written):
    text = '#%lib=1\n"Probe Set ID","Title","Gene Symbol","Mine"\n"p1","a, b","FLG","X"\n'
    assert read_annotation(written(text, "a.csv.gz")).to_dict() == {"p1": "FLG"}
    assert read_annotation(written(text, "a.csv"), "Mine").to_dict() == {"p1": "X"}


def test_gene_assignment_of_whole_transcript_arrays(written):
    text = "ID\tgene_assignment\n1\tNM_1 // FLG // filaggrin // 1q /// NM_2 // FLG // f\n2\t---\n"
    assert [split_symbols(s) for s in read_annotation(written(text))] == [["FLG"], []]


def test_probe_twice(written):
    assert read_annotation(written("ID\tSymbol\np\tFLG\np\tFLG\n")).to_dict() == {"p": "FLG"}
    with pytest.raises(AdnormError, match="1 probe stands twice with different symbols: 'p'"):
        read_annotation(written("ID\tSymbol\np\tFLG\np\tLOR\n"))


def test_hgnc(written):
    table = read_identifier_table(written(HGNC))
    assert table.kind == "HGNC complete set"
    assert table.previous == {"LOR": "LORICRIN", "IL8": "CXCL8", "SCYB8": "CXCL8", "GCP1": "CXCL8"}
    assert table.ambiguous == {"NAF": ["AAA1", "CXCL8"], "OLD": ["AAA1", "AAA2"]}
    assert table.entrez["2312"] == "FLG" and "99" not in table.entrez
    assert table.ensembl["ENSG00000203782"] == "LORICRIN"
    assert table.approved == {"LORICRIN", "CXCL8", "AAA1", "AAA2", "FLG"}


def test_withdrawn_entries_of_hgnc_name_no_gene(written):
    table = read_identifier_table(written(HGNC))
    assert "GONE" not in table.approved and "WENT" not in table.previous


def test_ncbi_annotation(written):
    text = (
        "GeneID\tSymbol\tDescription\tSynonyms\tGeneType\tEnsemblGeneID\n"
        "2312\tFLG\tfilaggrin\tATOD2|FLG1\tprotein-coding\tENSG00000143631\n"
        "7\tX1\tx\t\tncRNA\tENSG00000000007\n8\tX2\tx\t\tncRNA\tENSG00000000007\n"
    )
    table = read_identifier_table(written(text, "Human.annot.tsv.gz"))
    assert table.kind == "NCBI annotation table"
    assert table.entrez == {"2312": "FLG", "7": "X1", "8": "X2"}
    assert table.ensembl == {"ENSG00000143631": "FLG"}
    assert table.ambiguous == {"ENSG00000000007": ["X1", "X2"]}
    assert table.previous == {"ATOD2": "FLG", "FLG1": "FLG"}


def test_versions_of_ensembl_ids_go(written):
    text = "gene_id\tgene_name\nENSG00000143631.11\tFLG\nENSG00000182378.13_PAR_Y\tPLCXD1\n"
    table = read_identifier_table(written(text))
    assert table.ensembl == {"ENSG00000143631": "FLG", "ENSG00000182378": "PLCXD1"}


def test_annotation_without_symbols(fault):
    message = fault(read_annotation, "ID\tTitle\np\tfilaggrin\n")
    assert "annotation without symbols" in message and "'ID', 'Title'" in message
    message = fault(read_annotation, "ID\tGene symbol\np\t---\nq\t\n")
    assert "annotation without symbols" in message and "for any of 2 probes" in message
    message = fault(read_annotation, "ID\tGene symbol\np\tFLG\n", "Gene Symbols")
    assert "no column 'Gene Symbols'; did you mean 'Gene symbol'?" in message


def test_annotation_cut_off(fault):
    text = "^Annotation\n!platform_table_begin\nID\tGene symbol\np\tFLG\n"
    message = fault(read_annotation, text)
    assert "truncated" in message and "after 1 row;" in message
    assert "export or copy your own once more; one that was fetched" in message


def test_identifier_tables(fault):
    message = fault(read_identifier_table, "name\tvalue\nx\t1\n")
    assert "columns found: 'name', 'value'" in message and "GENCODE" in message
    message = fault(read_identifier_table, "gene_id\tgene_name\nENSMUSG00000102439\tFlg\n")
    assert "no row holds a human Ensembl id" in message
