"""What a cohort would give: the stages of a run themselves, run aside, and what they say.

A run stops at the first layer that is wrong: keys, then mappings, then samples, then values. So
that a person mends everything in one round, wrong parts are replaced by ones that cannot be wrong
and the rest is read on; what would follow from a stand-in is not asked, and results of such a
cohort are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from adnorm.base.errors import AdnormError, listing, nearest
from adnorm.base.logs import warnings_collected
from adnorm.base.shipped import HOME
from adnorm.base.tables import read_table
from adnorm.base.yaml_text import read_yaml
from adnorm.cli import configuration
from adnorm.cli.gathering import Identifiers, gathered
from adnorm.cli.terminal import in_words, step
from adnorm.study.checksums import Pin
from adnorm.study.cohort import (
    NO_TREATMENT,
    OF_PATIENT,
    Cohort,
    CohortFile,
    ColumnMapping,
    MeasuredCohort,
    SampleMappings,
    Treatment,
)
from adnorm.study.config import RunConfig
from adnorm.study.patterns import fault_of, groups_of
from adnorm.study.reading import ANY_SHEET, ROUTE_NEEDS, located, sound_part
from adnorm.study.validation import check, find_faults
from adnorm.study.vocabulary import Method, Route

if TYPE_CHECKING:
    from adnorm.onboarding.cohort_text import Marked

#: Tables that the stage expression writes.
_TABLES = (
    *("samples", "excluded", "losses", "identifiers", "design", "comparisons", "batches", "qc"),
)
#: What a cohort says of its arms, where they are not its own.
_NO_ARMS = {"placebo_arm": None, "randomised": None, "reference": None, "within_patient": False}
#: Models of counts that take minutes; what stops them stops voom too.
_QUICK = {"deseq2": "voom"}


@dataclass
class Inspection:
    """All that the check of one cohort found; it cannot run while there is a problem."""

    cohort: Cohort
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Those that the stage expression writes, by name; empty when it stopped.
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    #: coverage.tsv of the gene sets.
    coverage: pd.DataFrame = field(default_factory=pd.DataFrame)
    genes: int = 0
    #: Lines of the cohort file that are still guesses of `adnorm new-cohort`.
    unconfirmed: list[Marked] = field(default_factory=list)


def inspect_cohort(
    cohort: Cohort,
    config: RunConfig,
    identifiers: Identifiers | None = None,
    tell: Callable[[str], None] = step,
    pinned: Mapping[str, Pin] = MappingProxyType({}),
) -> Inspection:
    """Check one cohort of a checked configuration by the code that a run would use.

    Parameters
    ----------
    cohort, config
        Checked.
    identifiers
        The identifier table that the cohorts of a run share.
    tell
        Is told what is done now.
    pinned
        What the files must be, by their names.
    """
    found = Inspection(cohort)
    with warnings_collected(found.warnings), TemporaryDirectory(prefix="adnorm-") as folder:
        try:
            tell("files")
            with gathered(cohort, config, pinned) as manifest:
                table = (identifiers or Identifiers(config)).path()
                _run_aside(found, _Stages(manifest, config, table, Path(folder), tell))
        except Exception as error:  # noqa: BLE001 -- one cohort must not end the check of the others
            where = "" if isinstance(error, AdnormError) else f"{cohort.where}: "
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
    config: RunConfig
    identifiers: Path | None
    folder: Path
    tell: Callable[[str], None]

    @property
    def expression(self) -> Path:
        return self.folder / "expression.h5ad"

    @property
    def gene_sets(self) -> list[Path]:
        return [Path(path) for path in self.config.gene_sets]

    def table(self, name: str) -> pd.DataFrame:
        """Read a table that a stage wrote."""
        return read_table(self.folder / f"{name}.tsv")

    def express(self, cohort: Cohort) -> None:
        """Run the stage expression."""
        self.tell("expression")
        from adnorm.expression.build import StageSettings, build

        settings = StageSettings(
            cohort=cohort.view(MeasuredCohort),
            expression=self.config.expression,
            minimum_pairs=self.config.effects.minimum_pairs,
            identifiers_sha256=self.config.identifiers.sha256,
        )
        inputs = {
            "manifest": self.manifest,
            "gene_sets": self.gene_sets,
            "identifiers": [self.identifiers] if self.identifiers else [],
        }
        outputs = {name: self.folder / f"{name}.tsv" for name in _TABLES}
        build(inputs, outputs | {"expression": self.expression}, settings, self.config.seed)

    def has_sheet(self, cohort: Cohort) -> bool:
        """Whether the sample sheet is right, so that what stopped the stage is told in full."""
        from adnorm.base.inflate import allowing
        from adnorm.expression.sources import open_sources

        try:
            with allowing(cohort.source.model_dump()):
                open_sources(self.manifest, cohort.view(MeasuredCohort)).sample_sheet()
        except AdnormError:
            return False
        return True

    def score(self) -> None:
        """Run the stage scores without ssGSEA and GSVA, which take long and cannot stop."""
        self.tell("scores")
        from adnorm.scores import build as scores

        methods = self.config.scores.methods
        if Method.GSVA in methods and len(self.table("samples")) < 2:
            raise AdnormError(
                "GSVA compares the samples of a cohort with each other and this cohort has only "
                "one; take gsva out of scores: methods"
            )
        names = ("scores.h5ad", "coverage.tsv", "agreement.tsv")
        outputs = {Path(name).stem: self.folder / name for name in names}
        inputs = {"expression": self.expression, "gene_sets": self.gene_sets}
        settings = self.config.scores.model_copy(update={"methods": (Method.ZSCORE,)})
        scores.build(inputs, outputs, settings, 0)

    def compare(self) -> None:
        """Run the stage effects, and rank the genes as the enrichment does."""
        self.tell("comparisons")
        from adnorm.effects.build import compare
        from adnorm.effects.enrichment import rank_genes

        settings = self.config.effects
        model = _QUICK.get(settings.count_model, settings.count_model)
        inputs = {"expression": self.expression, "scores": self.folder / "scores.h5ad"}
        _, _, effects = compare(inputs, {}, settings.model_copy(update={"count_model": model}))
        for contrast, rows in effects.groupby("contrast", sort=True):
            genes, statistic = rows["gene"].to_numpy(dtype=str), rows["t"].to_numpy(dtype=float)
            rank_genes(genes, statistic, str(contrast))


def _run_aside(found: Inspection, stages: _Stages) -> None:
    """Run all stages whose code may stop, and note what they say.

    Left out are ssGSEA and GSVA, enrichment and the index: they work on what has
    been checked by then. What they ask of the configuration is checked instead.
    """
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
    steps = found.tables["identifiers"].set_index("step")["count"]
    found.genes = int(steps["genes in the expression"])
    found.problems += _asked_of_configuration(stages.config)
    try:
        stages.score()
        found.coverage = stages.table("coverage")
        stages.compare()
    except AdnormError as error:
        found.problems.append(str(error))


def _behind_sheet(stages: _Stages, cohort: Cohort, known: str) -> list[str]:
    """Look behind a wrong sample sheet: are the values right at least?"""
    sheet = ANY_SHEET
    if cohort.route == Route.H5AD:
        # Rows of one biopsy would be taken for cells.
        sheet = sheet | {"patient": {"from": "sample", "missing": "anybody"}}
    samples = SampleMappings.model_validate(sheet)
    plain_parts: dict[str, Any] = {"samples": samples, "treatments": {}, **_NO_ARMS}
    for exclude in (cohort.exclude, ()):
        try:
            stages.express(cohort.model_copy(update=plain_parts | {"exclude": exclude}))
        except AdnormError as error:
            if str(error) in known:
                # The rules of `exclude:` themselves are wrong: go on without them.
                continue
            return [str(error)]
        break
    return []


def _asked_of_configuration(config: RunConfig) -> list[str]:
    from adnorm.study.gene_sets import read_gene_sets

    problems = []
    if Method.ZSCORE not in config.scores.methods:
        problems.append(
            "configuration: scores: methods: 'zscore' is missing; the index rests on it, so every "
            "cohort would stop at the stage index. Add it"
        )
    sets = read_gene_sets(config.gene_sets)
    heatmaps = config.figures.heatmap_sets
    named = [*heatmaps.itch, *heatmaps.barrier]
    unknown = [name for name in named if name not in sets]
    if unknown:
        problems.append(
            f"configuration: figures: heatmap_sets names {listing(unknown)}, which no gene-set "
            f"file has{nearest(unknown[0], sets)}; every cohort would stop at the stage figures"
        )
    return problems


def problems_behind(
    unread: list[str],
    config: dict[str, Any],
    identifiers: Identifiers | None = None,
    tell: Callable[[str], None] = step,
) -> list[str]:
    """Find what else is wrong with cohorts whose files are refused."""
    try:
        settings = located(check(RunConfig, config, ""), HOME)
    except AdnormError:
        return []
    identifiers = identifiers or Identifiers(settings)
    problems = []
    for name in unread:
        named, path = configuration.cohort_path(name, config)
        tell_of = partial(_of_cohort, tell, path.stem)
        try:
            part = _readable_part(path, named) if path.is_file() else None
        except Exception as error:  # noqa: BLE001 -- the other cohorts are looked at all the same
            problems.append(f"{named}: {in_words(error)}")
            continue
        if part is not None:
            cohort, replaced = part
            # What is wrong with the stand-in for a key is no problem of the file.
            problems += [
                text
                for text in inspect_cohort(cohort, settings, identifiers, tell_of).problems
                if not any(f"`{key}: " in text or f" {key}: " in text for key in replaced)
            ]
    return problems


def _of_cohort(tell: Callable[[str], None], name: str, stage: str) -> None:
    tell(f"checking {name}: {stage}")


def _readable_part(path: Path, where: str) -> tuple[Cohort, set[str]] | None:
    """Return what can be read of a wrong cohort file, called `where` in messages.

    Returns
    -------
    (cohort, replaced) or None
        A cohort and the keys that are not the file's own; ``None`` when the way in (route, source)
        is wrong, so that there is nothing to read. Its ``stand_ins`` are the canonical columns that
        are not the file's own: see `build_sample_sheet`.
    """
    try:
        value = read_yaml(path)
    except AdnormError:
        return None
    faults = find_faults(CohortFile, value)
    replaced = {place[0] for place in faults.places if place} - {"samples"}
    if replaced & {"route", "source", "simulation"}:
        return None
    cohort = sound_part(value, faults, path.stem, where)
    if {need.partition(".")[0] for need in ROUTE_NEEDS[cohort.route]} & faults.unsure:
        return None
    given = value.get("samples")
    refused = {place[1] for place in faults.places if place[:1] == ("samples",) and place[1:]}
    own = {
        column: mapping
        for column, mapping in cohort.samples.by_column.items()
        if column in (given if isinstance(given, dict) else {}) and column not in refused
    }
    kept = {column: mapping for column, mapping in own.items() if _can_be_applied(mapping)}
    wrong = refused | (set(own) - set(kept))
    if "exclude" in replaced:
        # Which samples the mappings must cover is not known.
        kept = {}
    stand_ins = (set(ANY_SHEET) - set(kept)) | (wrong & {"dose_mg"})
    given_to = kept["treatment"].results if "treatment" in kept else []
    unknown = set(map(str, given_to)) - {NO_TREATMENT, OF_PATIENT, *cohort.treatments}
    parts: dict[str, Any] = {"samples": SampleMappings.model_validate(ANY_SHEET | kept)}
    if unknown:
        not_known = dict.fromkeys(sorted(unknown), Treatment(drug_class="not known"))
        parts["treatments"] = cohort.treatments | not_known
        stand_ins.add("treatment")
    if stand_ins or "treatments" in replaced:
        parts |= _NO_ARMS
    return cohort.model_copy(update=parts | {"stand_ins": tuple(sorted(stand_ins))}), replaced


def _can_be_applied(mapping: ColumnMapping) -> bool:
    pattern = mapping.pattern or "(?P<value>)"
    return mapping.has_one_source and not fault_of(pattern) and bool(groups_of(pattern))
