"""Coverage: every gene that a set asks for is found, absent or undetected, and it is said which."""

from __future__ import annotations

import pytest

from adnorm.scores.coverage import Platform, assess_coverage, outdated_symbols
from adnorm.study.gene_sets import Gene, GeneSet


def gene_set(count, name="a", direction="up", others=()):
    genes = [Gene(f"G{i}", direction=direction) for i in range(count)]
    return GeneSet(name, name.upper(), "own", "context", (*genes, *others))


def platform(count, renamed=None, undetected=(), extra=("ELSE",)):
    genes = frozenset([*(f"G{i}" for i in range(count)), *extra])
    return Platform(genes, renamed or {}, frozenset(undetected))


def assess(asked, offered, minimum_genes=5, minimum_fraction=0.5):
    table = assess_coverage({asked.name: asked}, offered, minimum_genes, minimum_fraction)
    return table.iloc[0]


def test_counts_add_up_and_name_the_genes():
    row = assess(gene_set(10), platform(6, {"G1": "OLD1"}, undetected=("G7", "G6")))
    assert (row.asked, row.found, row.renamed, row.absent, row.undetected) == (10, 6, 1, 2, 2)
    assert row.renamed_genes == "OLD1>G1"
    assert row.undetected_genes == "G6;G7"
    assert row.absent_genes == "G8;G9"
    assert (row.status, row.reason) == ("ok", "")


def test_low_coverage_says_what_was_found_and_what_is_asked():
    row = assess(gene_set(28), platform(7))
    assert row.status == "low_coverage"
    assert row.reason == "7 of 28 genes (25 %) found; at least 5 genes and 50 % are required"


@pytest.mark.parametrize(
    ("asked", "found", "status"),
    [
        (10, 5, "ok"),
        (11, 5, "low_coverage"),
        (4, 4, "low_coverage"),
        (5, 5, "ok"),
        (2, 2, "low_coverage"),
        (8, 1, "not_scored"),
        (8, 0, "not_scored"),
    ],
)
def test_both_limits_count(asked, found, status):
    assert assess(gene_set(asked), platform(found)).status == status


def test_a_share_just_below_the_limit_does_not_read_as_the_limit():
    reason = assess(gene_set(201), platform(100)).reason
    assert "(49 %)" in reason
    assert "50 % are required" in reason


def test_only_directed_genes_of_a_signed_set_are_asked():
    row = assess(gene_set(6, others=(Gene("X"), Gene("Y"))), platform(6))
    assert (row.asked, row.found) == (6, 6)


def test_a_mixed_set_without_one_of_its_directions_is_flagged():
    down = tuple(Gene(f"D{i}", direction="down") for i in range(3))
    row = assess(gene_set(6, others=down), platform(6))
    assert row.status == "low_coverage"
    assert row.reason == (
        "6 of 9 genes (66 %) found; none of the 3 genes that go down is among them"
    )


def test_a_set_of_every_gene_cannot_be_scored():
    row = assess(gene_set(6), platform(6, extra=()))
    assert row.status == "not_scored"
    assert "every gene" in row.reason


def test_a_set_without_any_gene_has_a_row():
    row = assess(gene_set(8), platform(0))
    assert (row.found, row.absent) == (0, 8)
    assert row.reason == "0 of 8 genes (0 %) found; a score needs at least 2 genes"


def test_matching_is_exact():
    lower = GeneSet("a", "A", "", "", (Gene("g0", direction="up"), Gene("g1", direction="up")))
    assert assess(lower, platform(5)).found == 0


def test_outdated_symbols_are_shown_but_not_matched():
    old = gene_set(3, others=(Gene("MLL", direction="up"),))
    offered = platform(3, extra=("KMT2A",))
    renamed = {"MLL": "KMT2A", "OTHER": "G1"}
    assert outdated_symbols({"a": old}, offered, renamed) == {"MLL": "KMT2A"}
    assert assess(old, offered).absent_genes == "MLL"
