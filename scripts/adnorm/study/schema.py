"""Bridge for code that still takes dictionaries; goes with the last of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adnorm.base.errors import Problems
from adnorm.base.yaml_text import read_value, read_yaml  # noqa: F401
from adnorm.study import reading
from adnorm.study.cohort import Cohort, CohortFile, PublishedCohort
from adnorm.study.config import RunConfig
from adnorm.study.reading import Study, locate  # noqa: F401
from adnorm.study.validation import check as _check
from adnorm.study.validation import find_faults

_MODELS = {"config": RunConfig, "cohort": CohortFile}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(part) for key, part in value.items()}
    return [_lists(part) for part in value] if isinstance(value, list | tuple) else value


def _plain(model: Any) -> dict:
    value = _lists(model.model_dump(by_alias=True))
    for key in ("simulation", "stand_ins"):
        if not value.get(key, True):
            del value[key]
    return value


def check(value: dict, name: str, where: str) -> dict:
    return _plain(_check(_MODELS[name], value, where))


def note_faults(value: dict, name: str, problems: Problems) -> set[tuple[str, ...]]:
    faults = find_faults(_MODELS[name], value)
    for sentence in faults.sentences:
        problems.add(sentence)
    return faults.places


def load_schema(name: str) -> dict:
    from adnorm.study.manual import schema_of

    return schema_of(name)


def fill_defaults(value: Any, schema: dict) -> Any:
    value = dict(value) if isinstance(value, dict) else value
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key not in value and "default" in part:
                value[key] = part["default"]
            if key in value:
                value[key] = fill_defaults(value[key], part)
    return value


def read_cohort(*arguments: Any, **named: Any) -> dict:
    return _plain(reading.read_cohort(*arguments, **named))


def read_study(*arguments: Any, **named: Any) -> Study:
    study = reading.read_study(*arguments, **named)
    cohorts: Any = {name: _plain(cohort) for name, cohort in study.cohorts.items()}
    config: Any = _plain(study.config)
    return replace(study, config=config, cohorts=cohorts)


def _published(cohort: dict) -> PublishedCohort:
    known = Cohort.model_fields
    whole = Cohort.model_validate({key: part for key, part in cohort.items() if key in known})
    return whole.view(PublishedCohort)


def published_part(cohort: dict) -> dict:
    return _plain(_published(cohort))


def local_sources(cohort: dict) -> list[str]:
    known = Cohort.model_fields
    return Cohort.model_validate(
        {key: part for key, part in cohort.items() if key in known}
    ).local_files
