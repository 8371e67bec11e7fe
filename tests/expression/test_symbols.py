"""Retired and misspelt symbols become approved ones."""

from __future__ import annotations

from adnorm.expression.symbols import KnownSymbols, approve_symbols


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
