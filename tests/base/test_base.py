"""The ground: errors, tables, logs, digests."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from adnorm.base import digest
from adnorm.base.digest import PACKAGE
from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.tables import atomic, read_json, read_table, stack, write_json, write_table


def test_problems_are_told_all_at_once():
    problems = Problems("file.yaml")
    problems.stop()
    problems.add("first")
    problems.add("second")
    problems.add("first")
    with pytest.raises(AdnormError, match=r"(?s)file.yaml: 2 problems.*1\. first.*2\. second"):
        problems.stop()


def test_nearest_and_listing():
    assert nearest("Lesionall", ["lesional", "healthy"]) == "; did you mean 'lesional'?"
    assert nearest("zzz", ["lesional"]) == ""
    assert listing(range(3), limit=5) == "'0', '1', '2'"


def test_table_round_trip_keeps_names_and_missing(tmp_path):
    frame = pd.DataFrame(
        {"patient": ["01", "02"], "value": [1 / 3, np.nan], "reason": ["", "None"]}
    )
    write_table(frame, tmp_path / "a" / "t.tsv")
    assert (tmp_path / "a" / "t.tsv").read_text() == (
        "patient\tvalue\treason\n01\t0.333333\t\n02\tNA\tNone\n"
    )
    back = read_table(tmp_path / "a" / "t.tsv")
    assert list(back["patient"]) == ["01", "02"]
    assert back["reason"].tolist() == ["", "None"]
    assert np.isnan(back["value"][1])


def test_missing_and_empty_tables_are_named(tmp_path):
    with pytest.raises(AdnormError, match=r"no.tsv: this table is missing"):
        read_table(tmp_path / "no.tsv")
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(AdnormError, match="empty"):
        read_table(tmp_path / "empty.tsv")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(AdnormError, match="line 1"):
        read_json(tmp_path / "bad.json")


def test_atomic_leaves_the_old_file_on_failure(tmp_path):
    target = tmp_path / "x.json"
    write_json({"b": 1, "a": 2}, target)
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"a": 2, "b": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A folder of entry scripts with a package of its own, and a way to write into it."""
    monkeypatch.setattr(digest, "SCRIPTS", tmp_path)

    def write(**modules):
        for name, text in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        digest._read.cache_clear()
        return digest.code_digest("stage")

    yield write
    digest._read.cache_clear()


def test_digest_ignores_comments_and_sees_code(scripts):
    first = scripts(stage='"""Doc."""\nx = 1\n')
    assert scripts(stage='"""Other doc."""\n# a comment\nx  =  1\n') == first
    assert scripts(stage="x = 2\n") != first


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


def test_user_errors_print_one_paragraph_and_log_the_traceback(tmp_path):
    code = f"""
from adnorm.base.errors import AdnormError
from adnorm.base.logs import start_log
start_log({str(tmp_path / "l" / "job.log")!r}, "scores", "demo", ("numpy",))
raise AdnormError("sheet.tsv: column 'week' holds 'twelve'")
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    assert run.returncode != 0
    assert run.stderr.strip() == "[demo · scores] STOPPED: sheet.tsv: column 'week' holds 'twelve'"
    log = (tmp_path / "l" / "job.log").read_text()
    assert "Traceback" in log
    assert "numpy" in log.splitlines()[0]


def test_stacked_tables_keep_their_rows_or_at_least_a_header():
    empty, one = pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})
    assert stack(frame for frame in (empty, one, one))["a"].tolist() == [1, 1]
    assert (len(stack([empty, empty])), list(stack([empty]).columns)) == (0, ["a"])
