"""Cohorts taken through the stages up to the index, by the package's own functions."""

from __future__ import annotations

from pathlib import Path

from adnorm.effects.build import compare
from adnorm.fetch.build import fetch_cohort
from adnorm.index.build import StageSettings, build
from adnorm.scores import build as scores_stage
from adnorm.study.cohort import PublishedCohort
from adnorm.study.config import ScoresSettings
from adnorm.study.reading import read_study
from builders.axis_trials import compile_lesional_effects
from builders.expression_stage import express

SETTINGS = StageSettings(minimum_genes=5, minimum_fraction=0.5)
TABLES = [
    *("axis", "index", "sensitivities", "denominators", "gene_index", "patients"),
    *("trajectories", "concordance", "calibration"),
]


def index_files(folder: Path) -> dict[str, Path]:
    """Everything that the index stage writes for a cohort."""
    outputs = {name: folder / "index" / f"{name}.tsv" for name in TABLES}
    return outputs | {"residual": folder / "index" / "residual.gmt"}


def index_of(
    folder: Path,
    sets: list[Path],
    settings: StageSettings = SETTINGS,
    outputs: dict[str, Path] | None = None,
    seed: int = 1,
    **changes: object,
) -> None:
    """Run the index stage of a cohort."""
    inputs = {
        "teaching": folder.parent / "teaching.h5",
        "samples": folder / "expression" / "samples.tsv",
        "expression": folder / "expression" / "expression.h5ad",
        "scores": folder / "scores" / "scores.h5ad",
        "effects": folder / "effects" / "effects.tsv",
        "gene_sets": sets,
    }
    build(inputs, outputs or index_files(folder), settings.model_copy(update=changes), seed)


def score(folder: Path, sets: list[Path], settings: dict) -> Path:
    """Run the scores stage of a cohort for the score that the index rests on."""
    inputs = {"expression": folder / "expression" / "expression.h5ad", "gene_sets": sets}
    outputs = {key: folder / "scores" / f"{key}.tsv" for key in ("coverage", "agreement")}
    outputs["scores"] = folder / "scores" / "scores.h5ad"
    settings = ScoresSettings.model_validate(settings | {"methods": ["zscore"]})
    scores_stage.build(inputs, outputs, settings, 0)
    return outputs["scores"]


def run(folder: Path, repository: Path, config: dict, **changes: object) -> Path:
    """Run the stages up to the index."""
    study = read_study(config, repository)
    rules = study.config
    sets = [repository / path for path in rules.gene_sets]
    for name, cohort in study.cohorts.items():
        place = folder / name
        manifest = fetch_cohort(cohort.view(PublishedCohort), rules.geo, place / "fetch")
        table = rules.identifiers.table
        outputs = express(
            manifest, cohort, sets, place / "expression", table, **rules.expression.model_dump()
        )
        scores = score(place, sets, rules.scores.model_dump())
        effects = {key: place / "effects" / f"{key}.tsv" for key in ("effects", "set_effects")}
        inputs = {"expression": outputs["expression"], "scores": scores, "gene_sets": sets}
        compare(inputs, effects, rules.effects.model_copy(update={"count_model": "log2"}))
    compile_lesional_effects(
        [folder / name for name in study.cohorts], folder / "lesional_effects.tsv"
    )
    for name in study.cohorts:
        index_of(folder / name, sets, **changes)
    return folder
