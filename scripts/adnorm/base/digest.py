"""A fingerprint of the code that a stage runs.

Snakemake reruns a job when its script changes, but not when a module that the script imports does.
Each rule therefore carries this digest among its parameters. It is taken over the syntax tree, so
comments, docstrings and formatting do not cause reruns.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:] or [ast.Pass()]
    return tree


@functools.cache
def _folder_digest(folder: str) -> bytes:
    digest = hashlib.sha256()
    for path in sorted((PACKAGE / folder).glob("*.py")):
        tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
        digest.update(f"{folder}/{path.name}\n{ast.dump(tree)}".encode())
    return digest.digest()


def code_digest(*folders: str) -> str:
    """Digest the modules in some folders of the package.

    Parameters
    ----------
    *folders
        Names of sub-packages, such as ``"study"`` or ``"scores"``.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    parts = b"".join(_folder_digest(folder) for folder in sorted(set(folders)))
    return hashlib.sha256(parts).hexdigest()[:12]
