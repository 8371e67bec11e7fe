"""adnorm at a terminal: bring a cohort in, check and pin it, read what a run says, verify it."""

from __future__ import annotations

import argparse
import importlib
import sys
from types import ModuleType

from adnorm import __version__
from adnorm.base.errors import AdnormError
from adnorm.cli.terminal import in_words, prepare, say_json, warn

#: Command → what it does in a few words; each is a module of this package, loaded when called.
COMMANDS = {
    "new-cohort": "propose a cohort file for a GEO series, a table or an .h5ad",
    "check": "validate cohorts without running the workflow",
    "lock": "pin the checksums of the fetched files in the cohort files",
    "discover": "find new GEO series of JAK inhibitors in atopic dermatitis",
    "verify": "compare results with the record of a run, and say what differs",
    "summary": "where the report of a finished run is, and the main numbers",
}
EXIT_CODES = (
    "exit codes: 0 fine; 1 a problem that you can fix, said on stderr; 2 wrong call; "
    "3 an error that adnorm did not foresee; 130 interrupted"
)


def _parser(name: str | None) -> argparse.ArgumentParser:
    """Make the parser; only the module of the command that is called is loaded."""
    parser = argparse.ArgumentParser(
        prog="adnorm",
        description=__doc__,
        epilog=f"{EXIT_CODES}. `adnorm COMMAND --help` shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"adnorm {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, what in COMMANDS.items():
        module = _module(command) if command == name else None
        part = commands.add_parser(
            command,
            help=what,
            description=module.__doc__ if module else what,
            epilog=f"{module.EXAMPLES}\n{EXIT_CODES}" if module else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        part.add_argument("--json", action="store_true", help="machine-readable answer on stdout")
        if module:
            module.add_arguments(part)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"adnorm.cli.{command.replace('-', '_')}")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code.

    Parameters
    ----------
    arguments
        As typed behind ``adnorm``; ``None`` takes those of the process.
    """
    prepare()
    arguments = sys.argv[1:] if arguments is None else arguments
    name = next((a for a in arguments if a in COMMANDS), None)
    chosen = _parser(name).parse_args(arguments)
    try:
        return _module(chosen.command).run(chosen)
    except KeyboardInterrupt:
        warn("STOPPED: interrupted")
        return 130
    except Exception as error:  # noqa: BLE001 -- told in one paragraph, as a stage of the workflow does
        reason = in_words(error)
        if chosen.json:
            # A program that reads the answer finds the reason there too.
            say_json({"fine": False, "problems": [reason]})
        warn(f"STOPPED: {reason}")
        return 1 if isinstance(error, AdnormError) else 3
