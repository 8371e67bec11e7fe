"""ssGSEA and GSVA by gseapy, in chunks of sets.

gseapy keeps the running sum of every set in every sample, which takes gigabytes at thousands of
sets. A set's score does not depend on which other sets are scored with it, so chunks bound the
memory and change nothing. All samples of a cohort go through one run, because GSVA compares them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from adnorm.base.errors import AdnormError, listing
from adnorm.base.logs import progress

if TYPE_CHECKING:
    from gseapy.base import GSEAbase

TITLES = {"ssgsea": "ssGSEA", "gsva": "GSVA"}
#: Chunks of each method, in units of `chunk_size`. GSVA repeats its kernel at every call, which
#: costs as much as some hundred sets, and it keeps little of a set.
CHUNKS = {"ssgsea": 1, "gsva": 8}


def enrichment_scores(
    method: str,
    expression: np.ndarray,
    genes: Sequence[str],
    sets: Mapping[str, Sequence[str]],
    chunk_size: int = 250,
    threads: int = 1,
    noun: str = "sets",
) -> pd.DataFrame:
    """Score gene sets in every sample.

    Parameters
    ----------
    method
        ``"ssgsea"``: enrichment score (not the NES, which depends on the other samples) on ranks,
        weight 0.25. ``"gsva"``: Gaussian kernel over the samples given, difference of the largest
        deviations.
    expression
        Log2 expression, shape (samples, genes); finite.
    genes
        Symbol of each column; unique.
    sets
        Symbols by set; each set has at least one gene of the matrix and misses at least one.
    chunk_size
        Sets that ssGSEA scores in one call, GSVA eight times as many; bounds memory, does not
        change a score.
    threads
        Threads of gseapy; does not change a score.
    noun
        What the progress lines count.

    Returns
    -------
    DataFrame
        Scores, shape (samples, sets); columns in the order of `sets`.

    Raises
    ------
    AdnormError
        GSVA of a single sample; gseapy returned other sets than were asked.

    References
    ----------
    Barbie 2009 Nature 462:108 (ssGSEA); Hänzelmann 2013 BMC Bioinformatics 14:7 (GSVA);
    Fang 2023 Bioinformatics 39:btac757 (gseapy).
    """
    samples = expression.shape[0]
    if method == "gsva" and samples < 2:
        raise AdnormError(
            "GSVA compares the samples of a cohort with each other and this cohort has only one; "
            "take gsva out of scores: methods"
        )
    # gseapy breaks ties by row order. By name, gene families would be neighbours in every tie; the
    # digest of the name is an order that neither the file nor the family decides.
    order = sorted(range(len(genes)), key=lambda i: hashlib.sha256(genes[i].encode()).digest())
    # Tokens, because gseapy changes the case of symbols when most of them are upper case.
    tokens = [f"G{rank}" for rank in range(len(genes))]
    values = np.ascontiguousarray(expression[:, order], dtype=float)
    # GSVA's kernel adds up samples, and the last digit of a sum decides ties between genes. An
    # order of the samples that only their values decide keeps the file's order out of the scores.
    rows = sorted(range(samples), key=lambda i: values[i].tobytes())
    table = pd.DataFrame(values[rows].T, index=tokens, columns=[f"S{i}" for i in range(samples)])
    token = {genes[i]: tokens[rank] for rank, i in enumerate(order)}
    names = list(sets)
    scores = np.full((samples, len(names)), np.nan)
    step = CHUNKS[method] * chunk_size
    for start in range(0, len(names), step):
        chunk = names[start : start + step]
        asked = {f"T{start + j}": [token[g] for g in sets[n]] for j, n in enumerate(chunk)}
        _fill(scores, _run(method, table, asked, threads), asked, names)
        progress(f"{TITLES[method]}: {start + len(chunk):,} of {len(names):,} {noun}")
    return pd.DataFrame(scores[np.argsort(rows)], columns=names)


def _run(
    method: str, table: pd.DataFrame, asked: dict[str, list[str]], threads: int
) -> Iterator[tuple[str, int, float]]:
    """Score one chunk and give (set, number of the sample, score)."""
    import gseapy

    shared = {"min_size": 1, "max_size": len(table), "threads": threads, "outdir": None}
    if method == "ssgsea":
        scorer = gseapy.SingleSampleGSEA(
            table,
            asked,
            sample_norm_method="rank",
            correl_norm_type="rank",
            weight=0.25,
            no_plot=True,
            **shared,
        )
    else:
        scorer = gseapy.GSVA(table, asked, kcdf="Gaussian", mx_diff=True, **shared)
    # Half of gseapy's time goes into a table with the members of each set as text, once a sample.
    # Only the scores are wanted; tests hold them equal to the table that gseapy would make.
    scorer.to_df = MethodType(_keep_summaries, scorer)
    scorer.run()
    for summary in scorer.summaries:
        yield summary.term, summary.index, summary.es


def _keep_summaries(scorer: GSEAbase, summaries: list, *_: object) -> None:
    scorer.summaries = summaries


def _fill(
    scores: np.ndarray,
    results: Iterator[tuple[str, int, float]],
    asked: Mapping[str, Sequence[str]],
    names: Sequence[str],
) -> None:
    returned: dict[str, int] = dict.fromkeys(asked, 0)
    unknown = set()
    for term, sample, score in results:
        if term not in returned:
            unknown.add(term)
            continue
        returned[term] += 1
        scores[sample, int(term[1:])] = score
    lost = [term for term, count in returned.items() if count != scores.shape[0]]
    lost += [t for t in asked if t not in lost and not np.isfinite(scores[:, int(t[1:])]).all()]
    if lost or unknown:
        named = listing(names[int(term[1:])] for term in lost) or "none of those asked"
        raise AdnormError(
            f"gseapy did not return one finite score a sample for {named}"
            f"{'; it returned sets that were not asked' if unknown else ''}; "
            "the installed gseapy differs from the locked one, renew the environment"
        )
