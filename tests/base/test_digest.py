"""The digest of the code that a rule runs."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap

import pytest

from adnorm.base import digest


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A folder of entry scripts with a package of its own, and a way to write into it."""
    monkeypatch.setattr(digest, "SCRIPTS", tmp_path)
    monkeypatch.setattr(digest, "PACKAGE", tmp_path / "adnorm")

    def write(**modules):
        for name, text in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        forget()
        return digest.code_digest("stage")

    def forget():
        digest._read.cache_clear()
        digest.code_digest.cache_clear()

    yield write
    forget()


def test_digest_ignores_comments_and_sees_code(scripts):
    first = scripts(stage='"""Doc."""\nx = 1\n')
    assert scripts(stage='"""Other doc."""\n# a comment\nx  =  1\n') == first
    assert scripts(stage="x = 2\n") != first


def test_digest_sees_constants_below_functions_and_not_the_order_of_sets(scripts):
    text = """
        def known(word: str) -> bool:
            \"\"\"{doc}\"\"\"
            return word in {words} and word != {other}
        """

    def written(**words):
        return scripts(stage=textwrap.dedent(text).format(**words))

    first = written(doc="One.", words="{'a', 'b', 'c'}", other="'d'")
    assert written(doc="Two.", words="{'c', 'b', 'a'}", other="'d'") == first
    assert written(doc="One.", words="{'a', 'b'}", other="'d'") != first
    assert written(doc="One.", words="{'a', 'b', 'c'}", other="1.0") != written(
        doc="One.", words="{'a', 'b', 'c'}", other="1"
    )


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("from adnorm.one import (\n    first,\n    second,\n)", True),
        ("from adnorm import nothing, one", True),
        ("import os, adnorm.one as other", True),
        ("try:\n    import adnorm.one\nexcept ImportError:\n    pass", True),
        ("if TYPE_CHECKING:\n    x = 1\n\n    import adnorm.one", False),
        ("if TYPE_CHECKING:\n    x = 1\nelse:\n    import adnorm.one", True),
        ("# import adnorm.one", False),
    ],
)
def test_digest_finds_every_way_to_import(scripts, line, follows):
    first = scripts(stage=line, adnorm__one="y = 1\n")
    assert (scripts(adnorm__one="y = 2\n") != first) == follows


def test_digest_follows_the_imports_of_the_script(scripts):
    first = scripts(
        stage="""
            from typing import TYPE_CHECKING
            from adnorm.one import something
            if TYPE_CHECKING:
                import adnorm.types
            """,
        adnorm__one="def something():\n    from adnorm.two import late\n",
        adnorm__two="import adnorm.three\nlate = 1\n",
        adnorm__three="y = 1\n",
        adnorm__types="z = 1\n",
        adnorm__other="z = 1\n",
    )
    assert scripts(adnorm__other="z = 2\n") == first
    assert scripts(adnorm__types="z = 2\n") == first
    assert scripts(adnorm__three="y = 2\n") != first
    assert scripts(adnorm__three="y = 1\n") == first
    assert scripts(adnorm__two="import adnorm.three\nlate = 2\n") != first


@pytest.mark.parametrize("script", sorted(p.stem for p in digest.SCRIPTS.glob("*.py")))
def test_digest_knows_every_module_that_an_entry_script_loads(script):
    """Import what the script imports at its top, and compare with what Python loaded."""
    imports = [
        ast.unparse(node)
        for node in ast.parse((digest.SCRIPTS / f"{script}.py").read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    code = "\n".join(
        [
            *imports,
            "import sys",
            "loaded = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'adnorm']",
            "print(*loaded, sep='\\n')",
        ]
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=digest.SCRIPTS
    )
    known = {str(path) for path in digest.modules_of(digest.SCRIPTS / f"{script}.py")}
    assert len(run.stdout.split()) > 3
    assert set(run.stdout.split()) <= known
