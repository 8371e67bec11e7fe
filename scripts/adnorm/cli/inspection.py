"""What a cohort would give: the stages of a run themselves, run aside, and what they say.

A run stops at the first layer that is wrong: keys, then mappings, then samples, then values. So
that a person mends everything in one round, wrong parts are replaced by ones that cannot be wrong
and the rest is read on; what would follow from a stand-in is not asked, and results of such a
cohort are never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.logs import warnings_collected
from adnorm.base.tables import read_table
from adnorm.cli import configuration
from adnorm.cli.gathering import gathered, identifier_table
from adnorm.cli.terminal import in_words
from adnorm.study.cohort import locate
from adnorm.study.samples import NO_TREATMENT
from adnorm.study.vocabulary import Method, State

if TYPE_CHECKING:
    from adnorm.onboarding.cohort_text import Marked

#: Tables that the stage expression writes.
_TABLES = ("samples", "excluded", "losses", "identifiers", "design", "comparisons", "qc")
#: Models of counts that take minutes; what stops them stops voom too.
_QUICK = {"deseq2": "voom"}
#: What cannot be wrong, for keys that must be there.
_NEEDED = {
    "title": "a cohort",
    "disease": "a disease",
    "tissue": "a tissue",
    "assay": "rna-seq",
    "scale": "log2",
    "reference": None,
}
#: One mapping for each column that must be there.
ANY_SHEET = {
    "patient": {"constant": "anybody"},
    "state": {"constant": State.LESIONAL.value},
    "treatment": {"constant": NO_TREATMENT},
    "week": {"constant": 0},
}


@dataclass
class Inspection:
    """All that the check of one cohort found; it cannot run while there is a problem."""

    cohort: dict
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Those that the stage expression writes, by name; empty when it stopped.
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    #: coverage.tsv of the gene sets.
    coverage: pd.DataFrame = field(default_factory=pd.DataFrame)
    genes: int = 0
    #: Lines of the cohort file that are still guesses of `adnorm new-cohort`.
    unconfirmed: list[Marked] = field(default_factory=list)


def inspect_cohort(cohort: dict, config: dict) -> Inspection:
    """Check one cohort of a checked configuration by the code that a run would use."""
    found = Inspection(cohort)
    with warnings_collected(found.warnings), TemporaryDirectory(prefix="adnorm-") as folder:
        try:
            with gathered(cohort, config) as manifest:
                _run_aside(found, _Stages(manifest, config, identifier_table(config), Path(folder)))
        except Exception as error:  # noqa: BLE001 -- one cohort must not end the check of the others
            where = "" if isinstance(error, AdnormError) else f"{cohort['where']}: "
            found.problems.append(where + in_words(error))
    found.warnings += _treated_after_all(found)
    return found


def _treated_after_all(found: Inspection) -> list[str]:
    """Warn when a cohort without treatment has a field that speaks of placebo or a dose."""
    from adnorm.onboarding.treatments import holds_treatment

    samples = found.tables.get("samples")
    if samples is None or (samples["treatment"] != NO_TREATMENT).any():
        return []
    fields = samples.filter(regex="^geo_").rename(columns=lambda name: name.removeprefix("geo_"))
    held = holds_treatment(fields)
    return [f"samples: treatment: none for all samples, but {held}"] if held else []


@dataclass(frozen=True)
class _Stages:
    """The stages of a run, on the files of one cohort, writing into a folder aside."""

    manifest: Path
    config: dict
    identifiers: Path | None
    folder: Path

    @property
    def expression(self) -> Path:
        return self.folder / "expression.h5ad"

    @property
    def gene_sets(self) -> list[Path]:
        return [Path(path) for path in self.config["gene_sets"]]

    def table(self, name: str) -> pd.DataFrame:
        """Read a table that a stage wrote."""
        return read_table(self.folder / f"{name}.tsv")

    def express(self, cohort: dict) -> None:
        """Run the stage expression."""
        from adnorm.expression.build import build_expression

        settings = self.config["expression"] | {
            "minimum_pairs": self.config["effects"]["minimum_pairs"],
            "identifiers_sha256": self.config["identifiers"]["sha256"],
        }
        outputs = {name: self.folder / f"{name}.tsv" for name in _TABLES}
        outputs["expression"] = self.expression
        build_expression(self.manifest, cohort, settings, self.gene_sets, self.identifiers, outputs)

    def has_sheet(self, cohort: dict) -> bool:
        """Whether the sample sheet is right, so that what stopped the stage is told in full."""
        from adnorm.base.inflate import allowing
        from adnorm.expression.sources import open_sources

        try:
            with allowing(cohort["source"]):
                open_sources(self.manifest, cohort).sample_sheet()
        except AdnormError:
            return False
        return True

    def score(self) -> None:
        """Run the stage scores without ssGSEA and GSVA, which take long and cannot stop."""
        import anndata

        from adnorm.scores import build as scores

        methods = self.config["scores"]["methods"]
        if Method.GSVA in methods and anndata.read_h5ad(self.expression, backed="r").n_obs < 2:
            raise AdnormError(
                "GSVA compares the samples of a cohort with each other and this cohort has only "
                "one; take gsva out of scores: methods"
            )
        names = ("scores.h5ad", "coverage.tsv", "agreement.tsv")
        outputs = {Path(name).stem: self.folder / name for name in names}
        inputs = {"expression": self.expression, "gene_sets": self.gene_sets}
        settings = self.config["scores"] | {"methods": [Method.ZSCORE.value]}
        scores.build(inputs, outputs, settings, 0)

    def compare(self) -> None:
        """Run the stage effects, and rank the genes as the enrichment does."""
        from adnorm.effects.build import build_effects
        from adnorm.effects.enrichment import rank_genes

        settings = self.config["effects"] | self.config["enrichment"]
        model = settings["count_model"]
        settings |= {"count_model": _QUICK.get(model, model)}
        names = ("effects", "set_effects")
        outputs = {name: self.folder / f"{name}.tsv" for name in names}
        build_effects(self.expression, self.folder / "scores.h5ad", settings, outputs)
        for contrast, rows in self.table("effects").groupby("contrast", sort=True):
            genes, statistic = rows["gene"].to_numpy(dtype=str), rows["t"].to_numpy(dtype=float)
            rank_genes(genes, statistic, str(contrast))


def _run_aside(found: Inspection, stages: _Stages) -> None:
    """Run all stages whose code may stop, and note what they say.

    Left out are ssGSEA and GSVA, enrichment and the bootstraps of the index: they work on what has
    been checked by then. What they ask of the configuration is checked instead.
    """
    from anndata import read_h5ad

    try:
        stages.express(found.cohort)
    except AdnormError as error:
        found.problems.append(str(error))
        # What a sheet that cannot be wrong leads to is no warning about this cohort.
        warnings = list(found.warnings)
        if not stages.has_sheet(found.cohort):
            found.problems += _behind_sheet(stages, found.cohort, str(error))
        found.warnings[:] = warnings
        return
    found.tables = {name: stages.table(name) for name in _TABLES}
    found.genes = read_h5ad(stages.expression, backed="r").n_vars
    found.problems += _asked_of_configuration(stages.config)
    try:
        stages.score()
        found.coverage = stages.table("coverage")
        stages.compare()
    except AdnormError as error:
        found.problems.append(str(error))


def _behind_sheet(stages: _Stages, cohort: dict, known: str) -> list[str]:
    """Look behind a wrong sample sheet: are the values right at least?"""
    sheet = ANY_SHEET
    if cohort["route"] == "h5ad":
        # Rows of one biopsy would be taken for cells.
        sheet = sheet | {"patient": {"from": "sample", "missing": "anybody"}}
    plain = {"samples": sheet, "treatments": {}, "placebo_arm": None, "reference": None}
    exclusions: tuple[list[dict], ...] = (cohort["exclude"], [])
    for exclude in exclusions:
        try:
            stages.express(cohort | plain | {"exclude": exclude})
        except AdnormError as error:
            if str(error) in known:
                # The rules of `exclude:` themselves are wrong: go on without them.
                continue
            return [str(error)]
        break
    return []


def _asked_of_configuration(config: dict) -> list[str]:
    from adnorm.study.gene_sets import read_gene_sets

    problems = []
    if Method.ZSCORE not in config["scores"]["methods"]:
        problems.append(
            "configuration: scores: methods: 'zscore' is missing; the index rests on it, so every "
            "cohort would stop at the stage index. Add it"
        )
    sets = read_gene_sets(config["gene_sets"])
    named = [name for names in config["figures"]["heatmap_sets"].values() for name in names]
    unknown = [name for name in named if name not in sets]
    if unknown:
        problems.append(
            f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
            f"file has{nearest(unknown[0], sets)}; every cohort would stop at the stage figures"
        )
    return problems


def readable_part(path: Path, where: str) -> tuple[dict, set[str]] | None:
    """Return what can be read of a wrong cohort file, called `where` in messages.

    Returns
    -------
    (cohort, replaced) or None
        A cohort that passes the schema and the keys that are not the file's own; ``None`` when the
        way in (route, source) is wrong, so that there is nothing to read. Its ``stand_ins`` are the
        canonical columns that are not the file's own: see `build_sample_sheet`.
    """
    from adnorm.study.schema import check, load_schema, note_faults, read_yaml

    try:
        value = read_yaml(path)
    except AdnormError:
        return None
    faults = note_faults(value, "cohort", Problems(where))
    replaced = {place[0] for place in faults if place} - {"samples"}
    if replaced & {"route", "source", "simulation"}:
        return None
    known = load_schema("cohort")["properties"]
    samples = value.get("samples")
    samples = samples if isinstance(samples, dict) else {}
    value = {key: part for key, part in value.items() if key in known and key not in replaced}
    value |= {key: _NEEDED[key] for key in replaced & set(_NEEDED)} | {"id": path.stem}
    wrong = {place[1] for place in faults if place[:1] == ("samples",) and len(place) > 1}
    wrong |= {column for column, rule in samples.items() if not _sound(rule)}
    kept = {c: r for c, r in samples.items() if c in known["samples"]["properties"]}
    kept = {column: rule for column, rule in kept.items() if column not in wrong}
    if "exclude" in replaced:
        # Which samples the mappings must cover is not known.
        kept = {}
    stand_ins = (set(ANY_SHEET) - set(kept)) | (wrong & {"dose_mg"})
    named = _named(kept.get("treatment", {})) - set(value.get("treatments", {}))
    if named:
        value["treatments"] = value.get("treatments", {}) | {
            name: {"drug_class": "not known"} for name in named
        }
        stand_ins.add("treatment")
    if stand_ins or "treatments" in replaced:
        value |= {"placebo_arm": None, "reference": None}
    value["samples"] = ANY_SHEET | kept
    cohort = check(value, "cohort", where) | {"where": where, "stand_ins": sorted(stand_ins)}
    return cohort, replaced


def _named(rule: dict) -> set[str]:
    """List the treatments that a mapping names."""
    from adnorm.study.mapping import OF_PATIENT

    given = [*rule.get("values", {}).values(), rule.get("constant"), rule.get("missing")]
    return {str(name) for name in given if name is not None} - {NO_TREATMENT, OF_PATIENT}


def _sound(rule: object) -> bool:
    """Whether a mapping can be applied."""
    if not isinstance(rule, dict):
        return False
    try:
        groups = re.compile(str(rule.get("pattern", "(?P<value>)"))).groupindex
    except re.error:
        return False
    return len({"from", "from_all", "constant"} & set(rule)) == 1 and bool(groups)


def problems_behind(unread: list[str], config: dict) -> list[str]:
    """Find what else is wrong with cohorts whose files are refused."""
    from adnorm.study.schema import check

    try:
        settings = check(config, "config", "")
    except AdnormError:
        return []
    home = configuration.HOME
    settings["gene_sets"] = [str(locate(path, home)) for path in settings["gene_sets"]]
    problems = []
    for name in unread:
        named, path = configuration.cohort_path(name, config)
        try:
            part = readable_part(path, named) if path.is_file() else None
        except Exception as error:  # noqa: BLE001 -- the other cohorts are looked at all the same
            problems.append(f"{named}: {in_words(error)}")
            continue
        if part is not None:
            cohort, replaced = part
            # What is wrong with the stand-in for a key is no problem of the file.
            problems += [
                text
                for text in inspect_cohort(cohort, settings).problems
                if not any(f"`{key}: " in text or f" {key}: " in text for key in replaced)
            ]
    return problems
