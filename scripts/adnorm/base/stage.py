"""How every stage runs: one signature, and one way from the workflow into the package.

The package knows nothing of Snakemake; an entry script hands its job object over, and this module
reads from it what every stage needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from adnorm.base.parameters import original
from adnorm.base.stops import finished, run_stage

#: One file, or the files of all cohorts, by the name that the rule gives them.
Files = Mapping[str, Any]


class Build(Protocol):
    """A stage: files in, files out, typed settings, one seed for everything random."""

    def __call__(self, inputs: Files, outputs: Files, settings: Any, seed: int) -> None: ...


class Settings(Protocol):
    """A typed model that checks plain values."""

    @classmethod
    def model_validate(cls, value: Any) -> Any: ...


def run(
    job: Any,
    stage: str,
    build: Build,
    settings: type[Settings] | None = None,
    *,
    packages: tuple[str, ...] = (),
    joins: Sequence[str] = (),
    hands_on: Callable[[str], bool] = lambda name: True,
) -> None:
    """Run a stage for a job of the workflow.

    Parameters
    ----------
    job
        Snakemake's object of the job: ``input``, ``output``, ``params`` (``settings`` and, where
        the stage draws random numbers, ``seed``), ``log``, ``wildcards``. Only named inputs are
        handed to the stage.
    stage
        Name of the stage, for messages.
    build
        The stage.
    settings
        Model of ``params.settings``; ``None`` hands the plain values over.
    packages
        Distribution names whose versions open the log file.
    joins
        Inputs that hold one file for each cohort: cohorts that stopped are left out of them, and
        stop nothing.
    hands_on
        Whether a reason to stop that stands in an input, by its name, stops this stage too.
    """

    def work() -> None:
        inputs = {
            name: _paths(finished(value) if name in joins else value)
            for name, value in job.input.items()
        }
        outputs = {name: _paths(value) for name, value in job.output.items()}
        values = original(job.params.get("settings", {}))
        build(
            inputs,
            outputs,
            settings.model_validate(values) if settings else values,
            job.params.get("seed", 0),
        )

    stopping = [
        path
        for name, value in job.input.items()
        if name not in joins and hands_on(name)
        for path in ([value] if isinstance(value, str) else value)
    ]
    cohort = job.wildcards.get("cohort", "all cohorts")
    run_stage(work, stage, cohort, job.log[0], stopping, job.output, packages)


def _paths(value: str | Sequence[str]) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(path) for path in value]
