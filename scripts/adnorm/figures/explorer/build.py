"""The page: what all cohorts share, the packed tables, and the script that shows them.

Nothing from outside stands in its HTML: every text travels packed, and the script sets it as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adnorm.base.files import atomic
from adnorm.base.logs import get_logger
from adnorm.base.stops import Stop, read_stop
from adnorm.base.tables import read_table
from adnorm.base.text import counted, printable
from adnorm.figures.data import CATEGORIES
from adnorm.figures.explorer.cohort import (
    TABLES,
    CohortResults,
    axis_members,
    read_results,
)
from adnorm.figures.explorer.packing import packed_json
from adnorm.figures.labels import DERIVED, EXPLORATORY
from adnorm.study.config import EffectsSettings, FiguresSettings, IndexSettings
from adnorm.study.gene_sets import DERIVED as DERIVED_SETS
from adnorm.study.gene_sets import GeneSet, previous_symbols, read_gene_sets
from adnorm.study.validation import Section
from adnorm.study.vocabulary import DerivedScore, SetRole

#: Genes that a reader may start from, as far as a cohort has them.
EXAMPLES = ("IL31", "IL13", "FLG", "CCL17", "KRT16", "IL22", "S100A9")
#: What papers call the products of some genes of the shipped sets: alias symbols and names of HGNC.
USUAL_NAMES = {
    "eotaxin": "CCL11",
    "TARC": "CCL17",
    "PARC": "CCL18",
    "MDC": "CCL22",
    "eotaxin-2": "CCL24",
    "eotaxin-3": "CCL26",
    "PAR2": "F2RL1",
    "IL-4Rα": "IL4R",
    "filaggrin": "FLG",
    "psoriasin": "S100A7",
    "hBD-2": "DEFB4A",
    "NGAL": "LCN2",
    "lipocalin 2": "LCN2",
    "keratin 16": "KRT16",
    "oncostatin M": "OSM",
    "periostin": "POSTN",
    "elafin": "PI3",
    "macrophage elastase": "MMP12",
}
#: Files of each cohort that the page is made of.
FILES = (*TABLES, "axis", "expression")
#: What is said of a cohort with genes by number.
GENES = ("genes", "undetected")
#: Bytes from which on a page is told to be large.
LARGE = 60_000_000
TEMPLATES = Path(__file__).parent / "templates"
#: Parts of the script, in this order in one function.
SCRIPTS = ("tables", "drawing", "gene", "score", "index", "page")


class PageSettings(Section):
    """The sections of the configuration that the page is made by, and titles by cohort."""

    figures: FiguresSettings = FiguresSettings()
    effects: EffectsSettings = EffectsSettings()
    index: IndexSettings = IndexSettings()
    cohorts: dict[str, str] = {}


def build(
    inputs: Mapping[str, Sequence[Path]],
    outputs: Mapping[str, Path],
    settings: PageSettings,
    seed: int = 0,
) -> None:
    """Write the explorer of a run.

    Parameters
    ----------
    inputs
        `FILES`, each a list with one file of each cohort in the order of their ids, and
        ``gene_sets``. A cohort of which one file says that it stopped is named, and left out.
    outputs
        Where to write: ``page``.
    settings
        How to draw, and the title of every cohort by its id.
    seed
        Nothing is random here.
    """
    stops, files = [], {}
    lists = [[Path(path) for path in inputs[name]] for name in FILES]
    for name, *paths in zip(sorted(settings.cohorts), *lists, strict=True):
        stop = next(filter(None, map(read_stop, paths)), None)
        if stop:
            stops.append((name, stop))
        else:
            files[name] = dict(zip(FILES, paths, strict=True))
    # One at a time: the tables of a large cohort take a hundred times what is left of them.
    cohorts = (read_results(settings.cohorts[name], own) for name, own in files.items())
    axis = axis_members(read_table(own["axis"]) for own in files.values())
    with atomic(outputs["page"]) as temporary:
        with temporary.open("w", encoding="utf-8") as page:
            gene_sets = read_gene_sets(inputs["gene_sets"])
            for part in page_of(cohorts, gene_sets, axis, settings, stops):
                page.write(part)
        size = temporary.stat().st_size
    if size > LARGE:
        get_logger().warning("%s", _too_large(size, len(files), settings))


def _too_large(size: int, cohorts: int, settings: PageSettings) -> str:
    """Say how a page becomes smaller that browsers open slowly or not at all."""
    explorer = settings.figures.explorer
    fewer = "in several runs with fewer cohorts each"
    if explorer.patients != "none" and explorer.sample_genes:
        fewer = (
            f"with `figures: explorer: sample_genes: 0` (now {explorer.sample_genes:,}), or {fewer}"
        )
    return (
        f"explorer.html holds {counted(cohorts, 'cohort')} and has {size / 1e6:.0f} MB: above "
        f"{LARGE / 1e6:.0f} MB browsers open it slowly, or not at all. Make it {fewer}"
    )


def page_of(
    cohorts: Iterable[CohortResults],
    gene_sets: Mapping[str, GeneSet],
    axis: Mapping[str, int],
    settings: PageSettings,
    stops: Sequence[tuple[str, Stop]] = (),
) -> Iterator[str]:
    """Write the page of some cohorts, part by part; `axis` is that of `axis_members`.

    The tables of a cohort are written before the next cohort is read; what all share comes last.
    """
    before, after = _frame()
    yield before
    explorer, level = settings.figures.explorer, settings.effects.confidence
    sets = dict(gene_sets)
    for derived in DERIVED_SETS:
        made = derived.genes_of(gene_sets)
        sets |= {derived.name: made} if made else {}
    members = {gene.symbol for s in sets.values() for gene in s.genes} | set(axis)
    numbers = {gene: i for i, gene in enumerate(sorted(members))}
    renamed, abouts = dict.fromkeys(previous_symbols(gene_sets).items()), []

    def content(cohort: CohortResults) -> tuple[tuple[dict[str, Any], str, str], dict[str, str]]:
        return cohort.content(members, explorer, level), cohort.renamed

    # No name for the cohort here: it would stay until the next one is read.
    for i, ((about, effects, samples), older) in enumerate(map(content, cohorts)):
        yield _block(f"effects-{i}", effects)
        yield _block(f"samples-{i}", samples)
        renamed |= dict.fromkeys(older.items())
        for key in GENES:
            # Twenty thousand texts of each cohort would take more memory than all else.
            own = [numbers.setdefault(gene, len(numbers)) for gene in about[key]]
            about[key] = np.array(own, dtype=np.int32)
        abouts.append(about)
    genes = sorted(numbers)
    place = {gene: i for i, gene in enumerate(genes)}
    moved = np.array([place[gene] for gene in numbers], dtype=np.int32)
    core = {
        "genes": genes,
        "aliases": _aliases(renamed, place),
        "names": [[name, place[gene]] for name, gene in USUAL_NAMES.items() if gene in place],
        "examples": [gene for gene in EXAMPLES if gene in place],
        "scores": _scores(sets, axis, settings.index, place),
        "confidence": {"effects": level, "index": settings.index.confidence},
        "fdr": settings.effects.fdr,
        "multiplicity": settings.index.multiplicity.replace("_", " "),
        "patients": explorer.patients,
        "exploratory": EXPLORATORY,
        "stopped": [[name, stop.stage, stop.message] for name, stop in stops],
    }
    listed = (about | {key: moved[about[key]].tolist() for key in GENES} for about in abouts)
    yield _block("core", packed_json(_printable(core), "cohorts", map(_printable, listed)))
    yield after


def _aliases(renamed: Iterable[tuple[str, str]], place: Mapping[str, int]) -> list[list[Any]]:
    """Older symbols with the number of the gene that they mean now, where that is one gene."""
    found: dict[str, set[str]] = {}
    for old, new in renamed:
        found.setdefault(old, set()).add(new)
    return [
        [old, place[min(new)]]
        for old, new in sorted(found.items())
        if len(new) == 1 and min(new) in place and old not in place
    ]


def _scores(
    sets: Mapping[str, GeneSet],
    axis: Mapping[str, int],
    index: IndexSettings,
    place: Mapping[str, int],
) -> list[dict[str, Any]]:
    """Scores with their genes and the direction of each: the axis, then sets by topic."""
    known = list(CATEGORIES)

    def order(gene_set: GeneSet) -> tuple[int, bool]:
        topic = known.index(gene_set.category) if gene_set.category in known else len(known)
        return topic, gene_set.role != SetRole.PRIMARY

    first = {
        "name": DerivedScore.GLOBAL.value,
        "label": DERIVED[DerivedScore.GLOBAL][0],
        "topic": "Disease signature",
        "category": DerivedScore.GLOBAL.value,
        "signed": True,
        "primary": _place(DerivedScore.GLOBAL, index),
        "genes": [[place[gene], sign] for gene, sign in axis.items()],
    }
    others = [
        {
            "name": s.name,
            "label": DERIVED[s.name][0] if s.name in DERIVED else s.label,
            "topic": CATEGORIES.get(s.category, "Other sets"),
            "category": s.category,
            "signed": s.signed,
            "primary": _place(s.name, index),
            "genes": [[place[gene], sign] for gene, sign in s.signs.items()],
        }
        for s in sorted(sets.values(), key=order)
    ]
    return [first, *others]


def _place(name: str, index: IndexSettings) -> int:
    """Place in the primary family; −1 outside it."""
    return index.primary.index(name) if name in index.primary else -1


def _printable(value: Any) -> Any:
    """Show control characters of outside texts as pictures: an exported SVG may not hold them."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(part) for part in value]
    return value


def _block(name: str, content: str) -> str:
    """Put packed data into the page: letters of base64, which say nothing to HTML."""
    return f'<script type="text/plain" id="{name}">{content}</script>\n'


def _frame() -> tuple[str, str]:
    """Give the page before and after its data, with style and script; all of it is ours."""
    script = "\n".join(_template(f"{name}.js") for name in SCRIPTS)
    page = _template("explorer.html").replace("/*style*/", _template("explorer.css"))
    page = page.replace("/*script*/", f'"use strict";\n(() => {{\n{script}}})();')
    before, after = page.split("<!--data-->\n")
    return before, after


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
