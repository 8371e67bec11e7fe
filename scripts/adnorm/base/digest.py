"""A fingerprint of the code that a rule runs.

Snakemake reruns a job when its script changes, but not when a module that the script imports does.
Each rule therefore carries this digest among its parameters. It is taken over what Python makes of
the script and of every module of ours that it imports, directly or through another, so that no list
of them has to be kept. Comments, docstrings and assertions cause no reruns, and line breaks seldom.

Every call of Snakemake takes it for the rules of its plan. So modules are compiled, three times as
fast as syntax trees are made of them, and their imports are found in the text.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType

from adnorm.base.shipped import HOME, PACKAGE

#: Entry scripts of the rules.
SCRIPTS = HOME / "scripts"


@functools.cache
def code_digest(script: str) -> str:
    """Digest what an entry script runs.

    Parameters
    ----------
    script
        Name of the script, such as ``"scores"``.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in modules_of(SCRIPTS / f"{script}.py"):
        digest.update(_read(path)[0])
        # Pages are filled templates; they lie beside the modules that fill them.
        for template in sorted(path.parent.glob("templates/*")):
            digest.update(template.read_bytes())
    return digest.hexdigest()[:12]


def modules_of(script: Path) -> list[Path]:
    """List a script and the modules of the package that it imports at any depth, sorted.

    Imports for type checkers alone are left out.
    """
    found, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imports_of(path)
    return sorted(found)


def imports_of(module: Path) -> tuple[Path, ...]:
    """List the modules of the package that one imports itself, anywhere in it."""
    return _read(module)[1]


#: A block that only type checkers read.
_FOR_TYPES = re.compile(r"^( *)if (?:typing\.)?TYPE_CHECKING:\n(?:\1 +.*\n?|\n)+", re.MULTILINE)
#: Modules, or a module of ours and names that come from it.
_IMPORT = re.compile(
    r"^ *(?:from (?P<module>adnorm\b[\w.]*) )?import (?P<names>\([^)]*\)|.*)", re.MULTILINE
)


@functools.cache
def _read(path: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Digest one module, and find the modules of ours that it imports itself."""
    text = _FOR_TYPES.sub(r"\1if False:\n\1    pass\n", path.read_text(encoding="utf-8"))
    code = compile(text, "", "exec", dont_inherit=True, optimize=2)
    imported: set[str] = set()
    for found in _IMPORT.finditer(text):
        names = re.findall(r"[\w.]+", found["names"])
        imported |= {f"{found['module']}.{name}" for name in names} if found["module"] else {*names}
    imports = sorted(filter(None, map(_file, set(_with_packages(imported)))))
    return hashlib.sha256(repr(_plain(code)).encode()).digest(), tuple(imports)


def _plain(value: object) -> object:
    """Write code without its lines, and the members of a set in one order."""
    if isinstance(value, CodeType):
        constants = tuple(_plain(constant) for constant in value.co_consts)
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
        names = (value.co_name, value.co_names, value.co_varnames, value.co_freevars)
        return value.co_code, value.co_exceptiontable, value.co_flags, counts, names, constants
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    if isinstance(value, frozenset):
        return sorted(repr(_plain(part)) for part in value)
    return value


def _with_packages(modules: Iterable[str]) -> Iterator[str]:
    """Add the packages above modules of ours: they run first."""
    for module in modules:
        parts = module.split(".")
        if parts[0] == PACKAGE.name:
            yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _file(module: str) -> Path | None:
    """Find the file of a module or package; what else is imported from them has none."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
