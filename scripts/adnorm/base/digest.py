"""A fingerprint of the code that a rule runs.

Snakemake reruns a job when its script changes, but not when a module that the script imports does.
Each rule therefore carries this digest among its parameters. It is taken over the syntax trees of
the script and of every module of ours that it imports, directly or through another, so that no list
of them has to be kept. Comments, docstrings and formatting do not cause reruns.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
#: Entry scripts of the rules.
SCRIPTS = PACKAGE.parent


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
        digest.update(f"{path.relative_to(SCRIPTS).as_posix()}\n".encode())
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


@functools.cache
def _read(path: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Digest one module, and find the modules of ours that it imports itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = sorted(set(_imports(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            _drop_docstring(node)
    return hashlib.sha256(ast.dump(tree).encode()).digest(), tuple(imports)


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:] or [ast.Pass()]


def _imports(node: ast.AST) -> Iterator[Path]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for branch in child.orelse:
                yield from _imports(branch)
        elif isinstance(child, ast.Import):
            for alias in child.names:
                yield from _files(alias.name)
        elif isinstance(child, ast.ImportFrom):
            yield from _files(child.module or "")
            for alias in child.names:
                yield from _files(f"{child.module}.{alias.name}")
        else:
            yield from _imports(child)


def _files(module: str) -> Iterator[Path]:
    """Give the file of a module of ours, and those of the packages above it, which run first."""
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return
    for depth in range(1, len(parts) + 1):
        base = SCRIPTS.joinpath(*parts[:depth])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                yield path
