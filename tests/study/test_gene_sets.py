"""Gene sets: our own table, its facts, and what the readers make of users' files."""

from __future__ import annotations

import gzip
import logging
import re
from collections import defaultdict
from dataclasses import replace

import pytest

from adnorm.base.errors import AdnormError
from adnorm.base.logs import get_logger
from adnorm.study.gene_sets import Gene, GeneSet, SetSymbols, previous_symbols, read_gene_sets
from adnorm.study.vocabulary import SetRole


@pytest.fixture(scope="module")
def ours(repository):
    return read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv"])


def make_set(*directions):
    genes = tuple(Gene(f"GENE{i}", direction=d) for i, d in enumerate(directions))
    return GeneSet("a", "A", "own", "context", genes)


# ---------------------------------------------------------------- our own table


def test_our_table_has_the_programmes_of_the_project(ours):
    assert {
        "itch_core_skin_up",
        "barrier_terminal_differentiation_down",
        "barrier_hyperproliferation_up",
        "th2",
        "th17_th22",
        "th1_ifn",
        "jak_stat_targets",
        "madad_core_up",
        "comp_tcell",
        "safety_lipid_metabolism",
        "housekeeping",
        "sex_check",
    } <= set(ours)
    assert len(ours) == 47


@pytest.mark.parametrize(
    ("name", "asked", "direction"),
    [
        ("itch_core_skin_up", 28, "up"),
        ("barrier_terminal_differentiation_down", 31, "down"),
        ("barrier_hyperproliferation_up", 34, "up"),
        ("th1_ifn", 25, "up"),
        ("th17_th22", 27, "up"),
        ("th2", 23, "up"),
        ("jak_stat_targets", 30, "up"),
        ("barrier_cornified_envelope_edc", 37, "mixed"),
        ("housekeeping", 11, "unsigned"),
    ],
)
def test_scored_genes_of_our_sets(ours, name, asked, direction):
    assert len(ours[name].scored) == asked
    assert ours[name].direction == direction


def test_every_row_has_source_and_evidence(ours):
    genes = [gene for gene_set in ours.values() for gene in gene_set.genes]
    assert len(genes) == 992
    assert all(gene.source for gene in genes)
    assert {gene.evidence for gene in genes} == {"checked", "partly checked", "to check"}


def test_labels_fit_a_figure_and_differ(ours):
    labels = [gene_set.label for gene_set in ours.values()]
    assert max(map(len, labels)) <= 40
    assert len(set(labels)) == len(labels)


def test_facts_of_a_gene_agree_between_sets(ours):
    facts = defaultdict(set)
    for gene_set in ours.values():
        for g in gene_set.genes:
            facts[g.symbol].add(
                (
                    g.previous_symbols,
                    g.madad_log2_fold_change,
                    g.gse193309_log2_fold_change,
                    g.low_in_bulk_skin,
                )
            )
    assert not {symbol for symbol, kinds in facts.items() if len(kinds) > 1}


def test_negative_controls_and_cell_composition_are_never_signed(ours):
    unsigned = [s for s in ours.values() if s.role in ("control", "composition")]
    assert len(unsigned) == 14
    assert not any(s.signed for s in unsigned)


def test_retired_symbols_of_our_table(ours):
    renames = previous_symbols(ours)
    assert renames["LOR"] == "LORICRIN"
    assert renames["IL8"] == "CXCL8"
    assert list(renames) == sorted(renames)


def test_our_sets_on_the_real_affymetrix_annotation(ours, shared):
    (path,) = (shared / "geo" / "platforms").glob("*/GPL570/annot/*.gz")
    renames = previous_symbols(ours)
    with gzip.open(path, "rt") as lines:
        rows = (line.rstrip("\n").split("\t") for line in lines if line[0] not in "#^!")
        column = next(rows).index("Gene symbol")
        # A probe of several genes (A///B) stands for none of them alone.
        names = {row[column] for row in rows if len(row) > column}
    genes = {renames.get(name, name) for name in names}
    found = {n: sum(g.symbol in genes for g in s.scored) for n, s in ours.items()}
    assert found["th1_ifn"] == 25
    assert found["th17_th22"] == 27
    assert found["jak_stat_targets"] == 29
    assert found["th2"] == 22
    assert found["itch_core_skin_up"] == 26
    assert found["barrier_hyperproliferation_up"] == 25
    assert found["barrier_terminal_differentiation_down"] == 17


# ---------------------------------------------------------------- signed or not


def test_half_of_the_genes_with_a_direction_make_a_set_signed():
    half = make_set("up", "down", "", "")
    assert half.signed
    assert [g.symbol for g in half.scored] == ["GENE0", "GENE1"]
    assert half.direction == "mixed"
    assert half.signs == {"GENE0": 1, "GENE1": -1}


def test_fewer_than_half_make_it_unsigned_and_all_genes_count():
    few = make_set("up", "down", "", "", "")
    assert not few.signed
    assert len(few.scored) == 5
    assert few.up == few.down == ()
    assert few.direction == "unsigned"
    assert set(few.signs.values()) == {1}


def test_a_set_without_any_direction_is_unsigned():
    assert not make_set("", "").signed
    assert not make_set().signed


# ---------------------------------------------------------------- users' files


def test_a_minimal_table_needs_three_columns(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("set\tsymbol\tdirection\nmine\tFLG\tdown\nmine\tIL13\tup\n\n# done\n")
    mine = read_gene_sets([path])["mine"]
    assert (mine.label, mine.category, mine.role) == ("mine", "own", "context")
    assert [g.symbol for g in mine.down] == ["FLG"]


def test_table_saved_by_a_spreadsheet(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_bytes(
        '\ufeffset\tsymbol\tdirection\tlabel\r\nmine\tFLG\tdown\t"Mine, all"\r\n'.encode()
    )
    mine = read_gene_sets([path])["mine"]
    assert mine.label == "Mine, all"
    assert mine.genes[0].symbol == "FLG"


def test_gmt_sets_are_unsigned_and_twins_stay_two_sets(tmp_path):
    path = tmp_path / "mine.gmt"
    path.write_text("PSO_UP\twhere from\tIL17A\tIL22\t\t\nPSO_DN\twhere from\tFLG\tLORICRIN\n")
    sets = read_gene_sets([path])
    assert list(sets) == ["PSO_UP", "PSO_DN"]
    assert sets["PSO_UP"].direction == "unsigned"
    assert [g.symbol for g in sets["PSO_UP"].genes] == ["IL17A", "IL22"]
    assert sets["PSO_DN"].genes[0].source == "where from"


def test_sets_keep_the_order_of_the_files(tmp_path):
    a, b = tmp_path / "a.gmt", tmp_path / "b.tsv"
    a.write_text("z\t-\tFLG\ny\t-\tFLG\n")
    b.write_text("set\tsymbol\tdirection\nx\tFLG\tup\n")
    assert list(read_gene_sets([a, b])) == ["z", "y", "x"]
    assert list(read_gene_sets([b, a])) == ["x", "z", "y"]


def test_an_old_gmt_is_brought_up_to_date_by_the_table(repository, tmp_path):
    path = tmp_path / "old.gmt"
    path.write_text("old\t2009\tLOR\tLORICRIN\tIL8\tFLG\n")
    sets = read_gene_sets([path, repository / "config" / "gene_sets" / "adnorm.tsv"])
    assert [g.symbol for g in sets["old"].genes] == ["LORICRIN", "CXCL8", "FLG"]
    assert sets["old"].genes[0].previous_symbols == ("LOR",)


def test_a_published_collection_with_other_molecules_is_read(tmp_path):
    path = tmp_path / "reactome.gmt"
    path.write_text("Translation\tR-HSA-1\tEIF4E\t18S rRNA\tSARS coronavirus, complete genome\n")
    genes = read_gene_sets([path])["Translation"].genes
    assert [g.symbol for g in genes][1] == "18S rRNA"


@pytest.mark.parametrize("name", ["ReactomePathways", "enrichr.GO_Biological_Process_2021"])
def test_large_real_collections_are_read_beside_our_own(shared, repository, tmp_path, name):
    path = tmp_path / f"{name}.gmt"
    path.write_bytes(gzip.decompress((shared / "reference" / f"{name}.gmt.gz").read_bytes()))
    sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv", path])
    assert len(sets) > 2000


def test_sets_of_a_second_table_are_a_family_of_their_own(ours, repository, tmp_path):
    """Category and role are the user's words; the rates of our sets must not depend on them."""
    table = tmp_path / "mine.tsv"
    head = "set\tlabel\tcategory\trole\tsymbol\tdirection\n"
    table.write_text(head + "mine\tMine\titch\tprimary\tIL31\tup\n")
    shipped = repository / "config" / "gene_sets" / "adnorm.tsv"
    both = read_gene_sets([shipped, table])
    assert both["mine"].family == "added"
    assert {name: both[name].family for name in ours} == {n: s.family for n, s in ours.items()}
    assert {s.family for s in ours.values()} == {"primary", "curated"}
    assert read_gene_sets([table])["mine"].family == "primary"


# ---------------------------------------------------------------- what a platform is read by

#: An added file by what it holds: its name and text, and whether a platform is read as before.
ADDED = {
    "genes that our table names": ("m.gmt", "mine\tx\tIL31\tFLG\n", True),
    "names that our table calls retired": ("m.gmt", "mine\tx\tIL8\tLOR\tFLG\n", True),
    "our genes with words of their own": (
        "m.tsv",
        "set\tlabel\tsymbol\tdirection\tprevious_symbols\nmine\tM\tIL33\tdown\tC9orf26\n",
        True,
    ),
    "a new gene": ("m.gmt", "mine\tx\tIL31\tZZZ3\n", False),
    "another spelling": ("m.gmt", "mine\tx\tIL31\tflg\n", False),
    "a new retired name": (
        "m.tsv",
        "set\tsymbol\tdirection\tprevious_symbols\nmine\tFLG\tup\tPFLG\n",
        False,
    ),
    "a newer name": (
        "m.tsv",
        "set\tsymbol\tdirection\tprevious_symbols\nmine\tFLGX\tup\tFLG\n",
        False,
    ),
}


@pytest.mark.parametrize(("name", "content", "same"), ADDED.values(), ids=list(ADDED))
def test_what_a_platform_is_read_by(ours, repository, tmp_path, name, content, same):
    added, shipped = tmp_path / name, repository / "config" / "gene_sets" / "adnorm.tsv"
    added.write_text(content)
    alone, both = SetSymbols.of(ours), SetSymbols.of(read_gene_sets([shipped, added]))
    assert (both == alone) == (both.digest == alone.digest) == same
    if added.suffix == ".gmt":
        turned = SetSymbols.of(read_gene_sets([added, shipped]))
        assert turned.digest == both.digest


def test_a_platform_is_judged_by_the_first_table_or_the_first_file(ours, repository, tmp_path):
    one, two = tmp_path / "one.gmt", tmp_path / "two.gmt"
    one.write_text("one\tx\tIL31\tFLG\n")
    two.write_text("two\tx\tIL31\tFLG\n")
    shipped = repository / "config" / "gene_sets" / "adnorm.tsv"
    judging = [SetSymbols.of(read_gene_sets(f)).judging for f in ([one, shipped], [one, two])]
    assert list(judging[0]) == list(ours) and list(judging[1]) == ["one"]


def test_every_part_of_what_is_taken_from_sets_counts():
    first = SetSymbols(frozenset("AB"), {"X": "A"}, {"s": frozenset("A")})
    others = [
        replace(first, approved=frozenset("A")),
        replace(first, previous={"X": "B"}),
        replace(first, judging={"s": frozenset("AB")}),
        replace(first, judging={"t": frozenset("A")}),
        replace(first, judging={"s": frozenset("A"), "t": frozenset()}),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 6


# ---------------------------------------------------------------- GMT files as people have them

CORE = "IL31RA\tOSMR\tIL4R\tTSLP\tNPPB"
SKIN = "FLG\tIVL\tFLG2\tHRNR\tCDSN"


@pytest.fixture
def read(tmp_path, repository):
    """Read a GMT beside our table: its sets as name → symbols, and what the log warns of."""

    def reader(content):
        path = tmp_path / "mine.gmt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        told = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: told.append(record.getMessage())
        get_logger().addHandler(handler)
        try:
            sets = read_gene_sets([repository / "config" / "gene_sets" / "adnorm.tsv", path])
        finally:
            get_logger().removeHandler(handler)
        mine = {n: [g.symbol for g in s.genes] for n, s in sets.items() if s.added}
        return mine, told

    return reader


@pytest.mark.parametrize(
    "content",
    [
        f"ITCH\t{CORE}\nBARRIER\t{SKIN}\n",
        # Genes that no table knows, in a file of their own.
        "A\tABCD1\tABCD2\tABCD3\nB\tXYZ1\tXYZ2\n",
        f"ITCH\t{CORE}\nBARRIER\thttp://x\t{SKIN}\nC\tKRT10\tKRT1\n",
    ],
)
def test_a_gmt_without_descriptions_keeps_its_first_gene(read, content):
    sets, told = read(content)
    first = {line.split("\t")[0]: line.split("\t")[1] for line in content.splitlines()}
    assert all(sets[name][0] == gene for name, gene in first.items() if "http" not in gene)
    assert "http://x" not in {gene for genes in sets.values() for gene in genes}
    assert len(told) == 1 and "no descriptions" in told[0]


@pytest.mark.parametrize(
    "description",
    ["", "na", "NA", "http://x", "R-HSA-164843", "WP4341", "M5890", "GO0008150", "of 2009", "MINE"],
)
def test_descriptions_are_no_genes(read, description):
    sets, told = read(f"ITCH\t{description}\t{CORE}\nBARRIER\t{description}\t{SKIN}\n")
    assert sets == {"ITCH": CORE.split("\t"), "BARRIER": SKIN.split("\t")} and told == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"ITCH\tna\t{CORE}\tIL31RA\n", "more than once in their set"),
        (f"ITCH\tna\t{CORE}\nITCH\tna\t{CORE}\n", "defined twice with the same genes"),
        ("ITCH\t\tIL31RA,1.0\tOSMR,1\tIL4R, 0.5\tTSLP,1e-3\tNPPB,-2.0\n", "weights"),
        ("ITCH\tna\tIL31RA\t\tOSMR\tIL4R\tTSLP\tNPPB\t\t\t\n", "empty cells"),
        (f"\n\t\t\t\nITCH\tna\t{CORE}\n\n", ""),
        (f"ITCH\tna\t{CORE}\r\n", ""),
        (f"ITCH\tna\t{CORE}\r", ""),
        (f"ITCH\tgestört\t{CORE}\n".encode("latin-1"), ""),
        (f"ITCH\ta\x85b\u2028c\t{CORE}\n", ""),
        (f"\ufeffITCH\tna\t{CORE}\n", ""),
    ],
    ids=["twice", "same", "weights", "empty", "blank", "crlf", "cr", "latin", "breaks", "mark"],
)
def test_what_can_be_mended_is_mended_and_told_once(read, content, words):
    sets, told = read(content)
    assert sets == {"ITCH": CORE.split("\t")}
    assert [words in sentence for sentence in told] == [True] * bool(words)


@pytest.mark.parametrize(
    ("genes", "words"),
    [
        (
            [str(1000 + i) for i in range(2000)],
            "(Entrez ids?): '1000' (line 1, set 'ITCH'), '1001'",
        ),
        ([f"ENSG{i:011d}" for i in range(500)], "and 497 more; gene sets hold"),
        (["Il31ra", "Osmr", "Il4ra", "Tslp", "Nppb"], "written as mouse genes are: 'Il31ra'"),
        (["1-Mar", "2-Sep", "FLG"], "dates that a spreadsheet made of symbols: '1-Mar'"),
    ],
)
def test_other_identifiers_are_refused_in_one_sentence(read, genes, words):
    with pytest.raises(AdnormError) as error:
        read("ITCH\tna\t" + "\t".join(genes) + "\n")
    assert words in str(error.value) and len(str(error.value)) < 500


def test_two_sets_of_one_name_are_refused(read):
    with pytest.raises(
        AdnormError, match=r"defined twice, with other genes: 'ITCH' .lines 1 and 2"
    ):
        read(f"ITCH\tna\t{CORE}\nITCH\tna\t{SKIN}\n")


@pytest.mark.parametrize("role", [*SetRole, ""])
def test_every_role_of_the_vocabulary_is_read(tmp_path, role):
    (tmp_path / "mine.tsv").write_text(f"set\tsymbol\tdirection\trole\na\tFLG\tdown\t{role}\n")
    found = read_gene_sets([tmp_path / "mine.tsv"])["a"].role
    assert found == (role or "context") and type(found) is str


def test_a_mistyped_role_stops_with_the_one_that_was_meant(tmp_path):
    text = "set\tsymbol\tdirection\trole\na\tFLG\tdown\tcompositon\n"
    (tmp_path / "mine.tsv").write_text(text)
    wanted = "row 2: role 'compositon' is unknown; did you mean 'composition'?; allowed: 'primary'"
    with pytest.raises(AdnormError, match=re.escape(wanted)):
        read_gene_sets([tmp_path / "mine.tsv"])


# ---------------------------------------------------------------- files that stop


HEADER = "set\tlabel\tcategory\tsymbol\tprevious_symbols\tdirection\n"


def message(tmp_path, text, name="mine.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AdnormError) as caught:
        read_gene_sets([path])
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def row(name="a", label="A", category="c", symbol="FLG", previous="", direction="up"):
    return "\t".join((name, label, category, symbol, previous, direction)) + "\n"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (row(direction="upp"), "row 2: direction 'upp' is unknown; did you mean 'up'?"),
        (row(direction="Up"), "row 2: direction 'Up' is unknown; did you mean 'up'?"),
        (row(symbol=""), "row 2: the symbol is empty"),
        (row(name=""), "row 2: the name of the set is empty"),
        (row() + row(), "row 3: FLG is already in the set 'a' (row 2)"),
        (row() + row(label="B", symbol="IL4"), "row 3: the set 'a' has two values of label"),
        (row() + row(category="d", symbol="IL4"), "row 3: the set 'a' has two values of category"),
        (row(symbol="1-Mar"), "row 2: '1-Mar' is a date that a spreadsheet made"),
        (row(symbol="Sep-02"), "row 2: 'Sep-02' is a date that a spreadsheet made"),
        (row(symbol="2024-09-01"), "row 2: '2024-09-01' is a date"),
        (row(previous="2-Sep"), "row 2: '2-Sep' is a date"),
        (row(symbol="7124"), "row 2: '7124' is a number"),
        (row(symbol="ENSG00000143631.11"), "is an Ensembl id"),
        (row(symbol="IL4, IL13"), "'IL4, IL13' is not one gene symbol"),
        (row().replace("\n", "\textra\n"), "row 2: 7 fields, but the header names 6"),
        (
            row(symbol="A1", previous="OLD") + row(symbol="B1", previous="X|OLD"),
            "previous symbol 'OLD' belongs to two genes, A1 and B1",
        ),
        (
            row(symbol="A1", previous="B1") + row(name="b", symbol="B1"),
            "'B1' is a previous symbol of A1 and also a gene of its own",
        ),
        ("", "the table has a header row but no genes"),
    ],
)
def test_rows_of_a_table(tmp_path, rows, sentence):
    assert sentence in message(tmp_path, HEADER + rows)


def test_all_problems_of_a_file_come_at_once(tmp_path):
    text = message(tmp_path, HEADER + row(direction="x") + row(symbol="1-Mar") + row(symbol=""))
    assert "3 problems" in text
    for number in (2, 3, 4):
        assert f"row {number}" in text


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("set\tsymbols\tdirection", "'symbol' is missing; did you mean 'symbols'?"),
        ("set\tsymbol\tdirection\tsource\tsource", "the column 'source' occurs 2 times"),
        (
            "set\tsymbol\tdirection\tprevious_symbol",
            "'previous_symbol' is unknown; did you mean 'previous_symbols'?",
        ),
    ],
)
def test_header_of_a_table(tmp_path, header, sentence):
    assert sentence in message(tmp_path, header + "\na\tFLG\tup\n")


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("madad_log2_fold_change", "high", "is 'high', which is not a number"),
        ("gse193309_log2_fold_change", "inf", "is 'inf', which is not a number"),
        ("low_in_bulk_skin", "maybe", "allowed: 'yes' or empty"),
    ],
)
def test_facts_of_a_table(tmp_path, column, value, sentence):
    text = f"set\tsymbol\tdirection\t{column}\na\tFLG\tup\t{value}\n"
    assert f"row 2: {column}" in message(tmp_path, text)
    assert sentence in message(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("a\t-\tFLG\nb\t-\tFLG\na\t-\tIL4\n", "with other genes: 'a' (lines 1 and 3); rename"),
        ("a\t-\n", "lines without a gene: line 1 ('a', '-'); a GMT line has a set, a description"),
        ("a FLG IL4\n", "lines without a gene: line 1 ('a FLG IL4')"),
        ("a\t-\t\t\t\n", "lines without a gene: line 1 ('a', '-')"),
        ("a\t-\tFLG\tMar-01\n", "a spreadsheet made of symbols: 'Mar-01' (line 1, set 'a')"),
        ("\t-\tFLG\n", "lines without a name of the set: line 1 ('FLG')"),
        ("", "the file is empty"),
    ],
)
def test_lines_of_a_gmt(tmp_path, lines, sentence):
    assert sentence in message(tmp_path, lines, "mine.gmt")


def test_files_that_are_no_gene_sets(tmp_path):
    assert "must end in .tsv" in message(tmp_path, "a", "mine.xlsx")
    assert "not a text file; save it" in message(tmp_path, b"PK\x03\x04\xff\xfe", "mine.tsv")
    with pytest.raises(AdnormError, match="does not exist"):
        read_gene_sets([tmp_path / "none.gmt"])


def test_one_set_in_two_files(tmp_path):
    a, b = tmp_path / "a.gmt", tmp_path / "b.gmt"
    a.write_text("same\t-\tFLG\n")
    b.write_text("same\t-\tIL4\n")
    with pytest.raises(AdnormError, match=r"'same' is defined twice, in .*a\.gmt and in .*b\.gmt"):
        read_gene_sets([a, b])


def test_a_retired_symbol_of_two_genes_is_never_resolved(tmp_path):
    a, b = tmp_path / "a.tsv", tmp_path / "b.tsv"
    a.write_text(HEADER + row(symbol="A1", previous="OLD"))
    b.write_text(HEADER + row(name="b", symbol="B1", previous="OLD"))
    with pytest.raises(AdnormError, match=r"'OLD' is given to A1 \(set a\) and B1 \(set b\)"):
        read_gene_sets([a, b])
    sets = {
        n: GeneSet(n, n, "", "", (Gene(s, previous_symbols=("OLD",)),))
        for n, s in (("x", "A1"), ("y", "B1"))
    }
    with pytest.raises(AdnormError, match="ambiguous"):
        previous_symbols(sets)
