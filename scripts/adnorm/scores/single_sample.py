"""ssGSEA and GSVA; signed sets by any method; do the methods agree?

Up to `MOST_WORK` gseapy scores, above it `ssgsea` and `gsva` do, which give the same scores in a
small part of the time (but see there for cohorts of many hundred samples). gseapy keeps the running
sum of every set in every sample, which takes gigabytes at thousands of sets. A set's score does not
depend on which other sets are scored with it, so chunks bound the memory and change nothing. All
samples of a cohort go through one run, because GSVA compares them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from adnorm.base.errors import AdnormError, Problems, listing
from adnorm.base.logs import how_far, progress
from adnorm.scores.ssgsea import ssgsea_scores
from adnorm.scores.zscore import Reference, z_scores
from adnorm.study.gene_sets import GeneSet
from adnorm.study.vocabulary import Method

if TYPE_CHECKING:
    from gseapy.base import GSEAbase

TITLES = {Method.SSGSEA: "ssGSEA", Method.GSVA: "GSVA"}
#: Chunks of each method, in units of `chunk_size`. GSVA repeats its kernel at every call, which
#: costs as much as some hundred sets, and it keeps little of a set.
CHUNKS = {Method.SSGSEA: 1, Method.GSVA: 8}

#: genes × samples × (sets + samples) up to which gseapy scores; GSVA compares samples in pairs. It
#: takes about two seconds for as much, as long as loading and compiling kernels takes.
MOST_WORK = 2e8
#: Genes by whose values samples are put in order; the others are asked if these are all equal.
FIRST_GENES = 64


def check_expression(
    expression: np.ndarray, genes: Sequence[str], samples: Sequence[str], where: str
) -> None:
    """Refuse values that scoring libraries would quietly replace, and names that occur twice.

    `expression` has the shape (samples, genes); `where` is the file, for messages.
    """
    problems = Problems(where)
    for kind, names in (("gene", genes), ("sample", samples)):
        twice = pd.Index(names)[pd.Index(names).duplicated()].unique()
        if len(twice):
            problems.add(f"{len(twice)} {kind}s occur more than once: {listing(twice, 5)}")
    if expression.size == 0:
        problems.add(f"nothing to score: {len(samples)} samples, {len(genes)} genes")
    for kind, wrong in (("missing", np.isnan(expression)), ("infinite", np.isinf(expression))):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            problems.add(
                f"{int(wrong.sum()):,} {kind} values, the first in gene {genes[column]}, "
                f"sample {samples[row]}; scores need finite log2 expression, run the stage "
                "expression again"
            )
    problems.stop()


def score_sets(
    method: str,
    expression: np.ndarray,
    genes: Sequence[str],
    sets: Mapping[str, GeneSet],
    reference: Reference | None,
    chunk_size: int,
    threads: int,
) -> pd.DataFrame:
    """Score signed and unsigned gene sets in every sample by one method.

    Parameters
    ----------
    method
        A `Method`. ssGSEA and GSVA: score of the genes that go up − score of those that go down, or
        the part that exists; z score: mean of sign × z.
    expression
        Log2 expression, shape (samples, genes); finite.
    genes
        Symbol of each column; unique. Genes of a set that are not among them are left out.
    sets
        Sets by name, each with at least one gene in `genes`.
    reference
        Zero and unit of each gene; only for the z score.
    chunk_size, threads
        Passed to `enrichment_scores`.

    Returns
    -------
    DataFrame
        Scores, shape (samples, sets).
    """
    known = set(genes)
    signs = {
        name: {symbol: sign for symbol, sign in gene_set.signs.items() if symbol in known}
        for name, gene_set in sets.items()
    }
    if not sets:
        return pd.DataFrame(index=range(expression.shape[0]))
    if method == Method.ZSCORE:
        assert reference is not None, "the z score needs a reference"
        return z_scores(expression, genes, signs, reference)
    parts: dict[str, list[str]] = {}
    owners: list[tuple[str, int]] = []
    for name, of_gene in signs.items():
        for sign in (1, -1):
            members = [symbol for symbol, own in of_gene.items() if own == sign]
            if members:
                parts[f"{name}\t{sign}"] = members
                owners.append((name, sign))
    noun = "sets" if len(parts) == len(sets) else "sets (up and down apart)"
    pieces = enrichment_scores(method, expression, genes, parts, chunk_size, threads, noun)
    position = {name: j for j, name in enumerate(sets)}
    scores = np.zeros((expression.shape[0], len(sets)))
    for piece, (name, sign) in zip(pieces.columns, owners, strict=True):
        scores[:, position[name]] += sign * pieces[piece].to_numpy()
    return pd.DataFrame(scores, columns=list(sets))


def enrichment_scores(
    method: str,
    expression: np.ndarray,
    genes: Sequence[str],
    sets: Mapping[str, Sequence[str]],
    chunk_size: int = 250,
    threads: int = 1,
    noun: str = "sets",
) -> pd.DataFrame:
    """Score lists of genes in every sample: samples × sets, in the order of `sets`.

    ssGSEA gives the enrichment score (not the NES, which depends on the other samples) on ranks,
    weight 0.25; GSVA a Gaussian kernel over the samples given and the difference of the largest
    deviations. Each set has at least one gene of the matrix and misses at least one. In one call of
    gseapy ssGSEA scores `chunk_size` sets, GSVA eight times as many; neither that nor `threads`
    changes a score. `noun` is what the progress lines count.

    References
    ----------
    Barbie 2009 Nature 462:108 (ssGSEA); Hänzelmann 2013 BMC Bioinformatics 14:7 (GSVA);
    Fang 2023 Bioinformatics 39:btac757 (gseapy).
    """
    samples, which = expression.shape[0], Method(method)
    if which == Method.GSVA and samples < 2:
        raise AdnormError(
            "GSVA compares the samples of a cohort with each other and this cohort has only one; "
            "take gsva out of scores: methods"
        )
    whole = [name for name, symbols in sets.items() if len(symbols) == len(genes)]
    if whole:
        raise AdnormError(
            f"a score compares the genes of a set with all others, and {listing(whole)} has every "
            "gene of the matrix; leave it out, or score a matrix with more genes"
        )
    # Ties are broken by row order. By name, gene families would be neighbours in every tie; the
    # digest of the name is an order that neither the file nor the family decides.
    order = sorted(range(len(genes)), key=lambda i: hashlib.sha256(genes[i].encode()).digest())
    # GSVA's kernel adds up samples, and the last digit of a sum decides ties between genes. An
    # order of the samples that only their values decide keeps the file's order out of the scores.
    rows = _by_values(expression, order)
    place = {genes[i]: rank for rank, i in enumerate(order)}
    members = [np.array([place[gene] for gene in symbols]) for symbols in sets.values()]
    names = list(sets)
    if len(genes) * samples * (len(sets) + samples) <= MOST_WORK:
        values = np.ascontiguousarray(expression[np.ix_(rows, order)], dtype=float)
        scores = np.empty((samples, len(sets)))
        scores[rows] = _by_gseapy(which, values, members, names, chunk_size, threads, noun)
        return pd.DataFrame(scores, columns=names)
    if which == Method.SSGSEA:
        scores = ssgsea_scores(expression, order, members, threads)
    else:
        # It loads numba, which takes as long as scoring a small cohort.
        from adnorm.scores.gsva import gsva_scores

        scores = gsva_scores(expression, rows, order, members, threads)
    progress(f"{TITLES[which]}: {len(names):,} of {len(names):,} {noun}")
    return pd.DataFrame(scores, columns=names)


def _by_values(expression: np.ndarray, order: list[int]) -> list[int]:
    """Put samples in the order of their bytes, genes in the order given."""
    first = [row.tobytes() for row in np.asarray(expression[:, order[:FIRST_GENES]], dtype=float)]
    rows = []
    for _, tied in groupby(sorted(range(len(first)), key=first.__getitem__), first.__getitem__):
        same = list(tied)
        if len(same) > 1:
            same.sort(key=lambda i: np.asarray(expression[i, order], dtype=float).tobytes())
        rows += same
    return rows


def _by_gseapy(
    which: Method,
    values: np.ndarray,
    members: Sequence[np.ndarray],
    names: Sequence[str],
    chunk_size: int,
    threads: int,
    noun: str,
) -> np.ndarray:
    """Score sets, given by columns of `values`, in chunks: samples × sets."""
    # Tokens, because gseapy changes the case of symbols when most of them are upper case.
    tokens = [f"G{rank}" for rank in range(values.shape[1])]
    table = pd.DataFrame(values.T, index=tokens, columns=[f"S{i}" for i in range(len(values))])
    scores = np.full((len(values), len(names)), np.nan)
    step = CHUNKS[which] * chunk_size
    for start in range(0, len(names), step):
        chunk = members[start : start + step]
        asked = {f"T{start + j}": [tokens[i] for i in of_set] for j, of_set in enumerate(chunk)}
        _fill(scores, _run(which, table, asked, threads), asked, names)
        done = start + len(chunk)
        tell = how_far if done < len(names) else progress
        tell(f"{TITLES[which]}: {done:,} of {len(names):,} {noun}")
    return scores


def _run(
    method: Method, table: pd.DataFrame, members: dict[str, list[str]], threads: int
) -> Iterator[tuple[str, int, float]]:
    """Score one chunk and give (set, number of the sample, score)."""
    import gseapy

    shared = {"min_size": 1, "max_size": len(table), "threads": threads, "outdir": None}
    if method == Method.SSGSEA:
        scorer = gseapy.SingleSampleGSEA(
            table,
            members,
            sample_norm_method="rank",
            correl_norm_type="rank",
            weight=0.25,
            no_plot=True,
            **shared,
        )
    else:
        scorer = gseapy.GSVA(table, members, kcdf="Gaussian", mx_diff=True, **shared)
    # Half of gseapy's time goes into a table with the members of each set as text, once per sample.
    # Only the scores are wanted; tests hold them equal to the table that gseapy would make.
    scorer.to_df = MethodType(_keep_summaries, scorer)
    scorer.run()
    for summary in scorer.summaries:
        yield summary.term, summary.index, summary.es


def _keep_summaries(scorer: GSEAbase, summaries: list[Any], *_: object) -> None:
    scorer.summaries = summaries


def _fill(
    scores: np.ndarray,
    results: Iterator[tuple[str, int, float]],
    members: Mapping[str, Sequence[str]],
    names: Sequence[str],
) -> None:
    """Put scores in their place; every set must have come back, with a score for every sample."""
    returned: dict[str, int] = dict.fromkeys(members, 0)
    unknown = set()
    for term, sample, score in results:
        if term not in returned:
            unknown.add(term)
            continue
        returned[term] += 1
        scores[sample, int(term[1:])] = score
    dropped = [
        term
        for term, count in returned.items()
        if count != scores.shape[0] or not np.isfinite(scores[:, int(term[1:])]).all()
    ]
    if dropped or unknown:
        named = listing(names[int(term[1:])] for term in dropped) or "none of those asked"
        raise AdnormError(
            f"gseapy did not return one finite score per sample for {named}"
            f"{'; it returned sets that were not asked' if unknown else ''}; "
            "the installed gseapy differs from the locked one, renew the environment"
        )


def agreement(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Correlate the methods (scores of the same samples × sets) across samples, set by set.

    One row per set and pair of methods. Spearman's correlation is missing, with a reason, when a
    set was not scored, a score is the same in all samples, or there are fewer than three samples.
    """
    rows = []
    ranks = {method: rankdata(frame.to_numpy(), axis=0) for method, frame in scores.items()}
    for j, name in enumerate(next(iter(scores.values())).columns):
        for a, b in combinations(scores, 2):
            both = [scores[method].iloc[:, j].to_numpy() for method in (a, b)]
            reason = _no_correlation(both)
            value = np.nan if reason else np.corrcoef(ranks[a][:, j], ranks[b][:, j])[0, 1]
            rows.append((name, a, b, value, len(both[0]), reason))
    columns = ["set", "method_a", "method_b", "spearman", "samples", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _no_correlation(both: list[np.ndarray]) -> str:
    if not all(np.isfinite(values).all() for values in both):
        return "not scored"
    if len(both[0]) < 3:
        return "fewer than three samples"
    if any(np.ptp(values) == 0 for values in both):
        return "the score is the same in all samples"
    return ""
