"""How every stage runs: one signature, and one way from the workflow into the package.

The package knows nothing of Snakemake; an entry script hands its job object over, and this module
reads from it what every stage needs.

Parameters of a rule carry text of the outside world. Snakemake writes them into the scripts of a
report, unescaped, reads braces and angle brackets in them as its own, and hands them to the
captions. A title, a sample name or a set name may hold any of that. So texts stand in parameters
with every character that could mean something replaced by ``%`` and its code, as in addresses of
the web (`harmless`), and are turned back before a stage sees them (`original`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from adnorm.base.stops import finished, run_stage

#: Letters and digits of any language, and marks that mean nothing to HTML, scripts or Snakemake.
_HARMFUL = re.compile(r"[^\w /:,;()+.~=–—-]")

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


def harmless(value: object) -> Any:
    """Write plain values so that they can stand in a parameter.

    Parameters
    ----------
    value
        Dictionaries, lists, texts, numbers, ``None``; keys of dictionaries are texts like others.

    Returns
    -------
    The same, with all texts harmless. Different values stay different, so that Snakemake still sees
    a change.

    Examples
    --------
    >>> harmless({"title": "</script><img src=x>", "dose": 5})
    {'title': '%3C/script%3E%3Cimg src=x%3E', 'dose': 5}
    """
    return _each_text(value, lambda text: _HARMFUL.sub(_code, text))


def original(value: object) -> Any:
    """Turn back what `harmless` wrote.

    Examples
    --------
    >>> original(harmless({"<b>": ["100 %", None, {1: "é\\n"}]}))
    {'<b>': ['100 %', None, {1: 'é\\n'}]}
    """
    return _each_text(value, lambda text: unquote(text, errors="surrogatepass"))


def _code(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_each_text(k, change): _each_text(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(part, change) for part in value]
    return value
