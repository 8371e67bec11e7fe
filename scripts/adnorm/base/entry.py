"""How an entry script runs its stage: from a job of the workflow into the package.

The package knows nothing of Snakemake; a script hands its job object over, and this module reads
from it what every stage needs. Scripts import it before the stage, and nothing else does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adnorm.base.stage import Build, Settings, original
from adnorm.base.stops import finished, run_stage

# Nothing of what a stage imports becomes garbage. Looking for it took a fifth of the imports, which
# are half of the work of a small cohort.
gc.disable()


def run(
    job: Any,
    stage: str,
    build: Build,
    settings: type[Settings] | None = None,
    *,
    packages: tuple[str, ...] = (),
    cohort: str = "all cohorts",
    joins: Sequence[str] = (),
    hands_on: Callable[[str], bool] = lambda name: True,
) -> None:
    """Run a stage for a job of the workflow.

    Parameters
    ----------
    job
        Snakemake's object of the job: ``input``, ``output``, ``params`` (``settings``; ``manner``,
        which is settings that change no result; ``files``, which are inputs too, but those of which
        a setting says what the result depends on; and, where the stage draws random numbers,
        ``seed``), ``log``, ``wildcards``, ``threads``. Only named inputs are handed to the stage.
    stage
        Name of the stage, for messages.
    build
        The stage.
    settings
        Model of ``params.settings``; ``None`` hands the plain values over.
    packages
        Distribution names whose versions open the log file.
    cohort
        What to call the job in messages where it is not of one cohort.
    joins
        Inputs that hold one file for each cohort: cohorts that stopped are left out of them, and
        stop nothing.
    hands_on
        Whether a reason to stop that stands in an input, by its name, stops this stage too.
    """

    gc.freeze()
    gc.enable()

    def work() -> None:
        inputs = {
            name: _paths(finished(value) if name in joins else value)
            for name, value in job.input.items()
        } | {name: _paths(value) for name, value in original(job.params.get("files", {})).items()}
        outputs = {name: _paths(value) for name, value in job.output.items()}
        values = original(job.params.get("settings", {}))
        for key, value in original(job.params.get("manner", {})).items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        if "threads" in values:
            # What the job was given: fewer than it may have where there are no more cores.
            values["threads"] = job.threads
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
    run_stage(
        work, stage, job.wildcards.get("cohort", cohort), job.log[0], stopping, job.output, packages
    )


def _paths(value: str | Sequence[str]) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(path) for path in value]
