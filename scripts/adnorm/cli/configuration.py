"""The configuration that a command works with, and the cohorts that it is asked about."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adnorm.study.reading import Study

from adnorm.base.shipped import HOME

SHIPPED = "config/config.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take cohorts and a configuration."""
    parser.add_argument(
        "cohorts", nargs="*", metavar="COHORT", help="ids or cohort files; else all of the run"
    )
    add_configuration(parser)


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Let a command take a configuration."""
    parser.add_argument("--configfile", type=Path, help=f"configuration of the run; else {SHIPPED}")
    parser.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="values in place of those of the configuration, as Snakemake takes them",
    )


def read_configuration(chosen: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Read the configuration with the cohorts that were asked for.

    Returns
    -------
    config : dict
        As in the file, with what ``--config`` puts in its place; ``cohorts`` are those of the
        command line if it names any.
    where : str
        What to call it in messages.

    Raises
    ------
    AdnormError
        The file does not exist or is not YAML, or ``--config`` is given something else than
        ``KEY=VALUE``.
    """
    from adnorm.base.yaml_text import read_yaml
    from adnorm.study.reading import locate, merged

    path = chosen.configfile or locate(SHIPPED, HOME)
    config = merged(read_yaml(path), _typed(chosen.config))
    if chosen.cohorts:
        config["cohorts"] = list(dict.fromkeys(chosen.cohorts))
    here = Path(SHIPPED).is_file()
    return config, str(chosen.configfile or (SHIPPED if here else "configuration of adnorm"))


def _typed(items: list[str]) -> dict[str, Any]:
    """Read what ``--config`` was given."""
    from adnorm.base.errors import Problems
    from adnorm.base.yaml_text import read_value
    from adnorm.study.reading import merged

    problems = Problems("--config")
    typed: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if equals and key.isidentifier():
            typed = merged(typed, {key: read_value(text, f"--config {key}")})
        else:
            problems.add(f"found '{item}', but it takes KEY=VALUE; cohorts stand before it")
    problems.stop()
    return typed


def read_studies(config: dict[str, Any], where: str) -> tuple[list[Study], list[str], list[str]]:
    """Read the run as Snakemake does; when that stops, each cohort by itself.

    Returns
    -------
    studies : list of Study
        One with all cohorts, or one for each cohort that can be read.
    problems : list of str
        What is wrong.
    unread : list of str
        Cohorts that cannot be read, as the configuration names them.
    """
    from adnorm.cli.terminal import in_words
    from adnorm.study.reading import read_study

    try:
        return [read_study(config, HOME, where)], [], []
    except Exception as error:  # noqa: BLE001 -- what nobody foresaw in one file is told, too
        problems = [in_words(error)]
    studies, unread = [], []
    for name in cohort_names(config):
        try:
            studies.append(read_study({**config, "cohorts": [name]}, HOME, where))
        except Exception:  # noqa: BLE001
            # It stands in the message about the whole run.
            unread.append(name)
    return studies, problems, unread


def snakemake_call(
    chosen: argparse.Namespace, config: dict[str, Any], cohorts: list[str]
) -> tuple[str, str]:
    """Write the call that runs the cohorts that were checked, and where its report belongs."""
    from adnorm.study.reading import locate

    words, typed = ["snakemake", "--cores", "all"], list(chosen.config)
    results = config.get("results", "results")
    elsewhere = Path("Snakefile").resolve() != HOME / "Snakefile"
    if elsewhere:
        words[1:1] = ["-s", str(HOME / "Snakefile")]
    if chosen.cohorts:
        typed = [item for item in typed if not item.startswith("cohorts=")]
        typed.append(f"cohorts={json.dumps(config['cohorts'])}")
        if not chosen.configfile and not any(item.startswith("results=") for item in typed):
            # The results of the shipped configuration are those of the demo.
            results = f"results/{cohorts[0] if len(cohorts) == 1 else 'mine'}"
            typed.append(f"results={results}")
    # By itself Snakemake reads the shipped configuration only in the clone, and not beside cohorts.
    if chosen.configfile or elsewhere or any(item.startswith("cohorts=") for item in typed):
        words += ["--configfile", str(chosen.configfile or locate(SHIPPED, HOME))]
    if typed:
        words += ["--config", *typed]
    return shlex.join(words), shlex.quote(f"{results}/report.html")


def cohort_names(config: dict[str, Any]) -> list[str]:
    """Return the cohorts as the configuration names them; none when it is malformed."""
    names = config.get("cohorts")
    return [str(name) for name in names] if isinstance(names, list) else []


def cohort_path(name: str, config: dict[str, Any]) -> tuple[str, Path]:
    """Say how a message calls a cohort file, and where the file is."""
    from adnorm.study.reading import cohort_path as path_of

    return path_of(name, config.get("cohort_folder", "config/cohorts"), HOME)
