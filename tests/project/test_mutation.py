"""The mutation run: what it changes, which tests it asks, and that it believes no survivor."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest

TOY = '''"""A toy."""
LEAST = 3


def half(x: "int | float") -> float:
    """Return a half.

    >>> half(4)
    2.0
    """
    return x / 2


def enough(n):
    return n >= LEAST


def count(n):
    total = 0
    while n > 0:
        n -= 1
        total += 1
    return total


def unused(x):
    return x * 7
'''
TESTS = """from adnorm.effects.toy import count, enough


def test_enough():
    assert enough(5) and not enough(1)


def test_count():
    assert count(4) == 4
"""


@pytest.fixture
def mutation(repository, monkeypatch):
    """The script, as a module."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import mutation

    return mutation


@pytest.fixture
def toy(tmp_path):
    """A checkout of one module and its tests."""
    package, tests = tmp_path / "scripts/adnorm/effects", tmp_path / "tests/effects"
    for folder in (package, tests, tmp_path / "tests/builders"):
        folder.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    (package / "toy.py").write_text(TOY)
    (tests / "test_toy.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib --doctest-modules"\n'
    )
    return tmp_path


def run(repository, toy, *arguments):
    script = repository / "benchmarks" / "mutation.py"
    table, kept = toy / "table.tsv", toy / "kept.tsv"
    options = ["--root", toy, "--table", table, "--kept", kept, "--patience", 2, *arguments]
    done = subprocess.run(
        [sys.executable, str(script), *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    with open(table, newline="") as file:
        return done, list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_survivors_are_found_and_believed_only_with_a_reason(repository, toy):
    done, rows = run(repository, toy)
    assert done.returncode == 1, done.stderr
    became = {(row["line"], row["mutation"]): (row["verdict"], row["reason"]) for row in rows}
    survived = {key for key, (verdict, _) in became.items() if verdict == "survived"}
    # A test at 1 and one at 5 say nothing of the limit, and nobody calls the last function.
    assert survived == {
        ("LEAST = 3", "3 → 4"),
        ("LEAST = 3", "3 → 2"),
        ("return n >= LEAST", "n >= LEAST → n > LEAST"),
        ("return x * 7", "x * 7 → x / 7"),
        ("return x * 7", "7 → 8"),
        ("return x * 7", "7 → 6"),
    }
    assert became["return x * 7", "7 → 8"][1] == "no test runs it"
    assert became["return x / 2", "x / 2 → x * 2"][1].endswith("::adnorm.effects.toy.half")
    assert became["total += 1", "1 → 2"][1] == "tests/effects/test_toy.py::test_count"
    assert became["n -= 1", "n -= 1 → n += 1"][1] == "stopped by SIGXCPU"
    assert (toy / "scripts/adnorm/effects/toy.py").read_text() == TOY

    lines = ["module\tline\tmutation\tverdict\treason"]
    lines += ["\t".join(("effects/toy", *key, "equivalent", "a toy")) for key in survived]
    kept = toy / "kept.tsv"
    kept.write_text("\n".join(lines) + "\n")
    sample = ["--sample", 4, "--seed", 3]
    done, rows = run(repository, toy, *sample)
    assert (done.returncode, len(rows)) == (0, 4), done.stderr
    # Whoever names a survivor as killed is not believed.
    kept.write_text("\n".join(lines).replace("equivalent", "killed") + "\n")
    kept.write_text(kept.read_text() + "effects/toy\tgone = 1\t1 → 2\tkilled\ta test\n")
    done, rows = run(repository, toy, "--again", kept)
    assert "drop from the list, its line has changed\teffects/toy\tgone = 1\t1 → 2" in done.stdout
    assert (done.returncode, len(rows)) == (1, len(survived)), done.stderr


def test_tests_that_fail_anyway_say_nothing_of_changes(repository, toy):
    tests = toy / "tests/effects/test_toy.py"
    tests.write_text(TESTS.replace("== 4", "== 5"))
    script = repository / "benchmarks" / "mutation.py"
    done = subprocess.run(
        [sys.executable, str(script), "--root", str(toy)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "test_count fails without any change" in done.stderr


def test_the_kept_list_gives_a_reason_for_every_change(repository, mutation):
    kept = repository / "benchmarks" / "mutants.tsv"
    with open(kept, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["verdict"] for row in rows} == {"killed", "equivalent"}
    assert all(row["reason"] for row in rows)
    assert len(mutation.read_kept(kept)) == len(rows)
    tests = {row["reason"].partition("::")[0] for row in rows if row["verdict"] == "killed"}
    assert [name for name in sorted(tests) if not (repository / name).is_file()] == []


def test_messages_types_and_guards_against_rounding_are_left_alone(mutation):
    source = "def f(x: int = 2) -> 'a | b':\n    raise ValueError(f'{x + 1}')\n"
    source += "if n % 5 == 0:\n    progress(n)\nif n > 5:\n    raise ValueError(n)\n"
    source += "y = g(1e-9, strict=True) + 'text'\n"
    found = [m.mutation for m in mutation.mutants_of(source, "effects/toy")]
    # But not the condition of an error, which a test can meet.
    assert found == ["2 → 3", "2 → 1", "n > 5 → n >= 5", "n > 5 → n <= 5", "5 → 6", "5 → 4"]


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("a < b <= c", ["a <= b <= c", "a >= b <= c", "a < b < c", "a < b > c"]),
        ("x.sum(axis=1)", ["x.sum(axis=0)"]),
        ("np.minimum(a, b)", ["np.maximum(a, b)"]),
        ("np.sqrt(a)", ["a"]),
        ("not a and b", ["not a or b", "a and b"]),
        ("~a | b", ["~a & b", "a | b"]),
        ("f(ddof=1)", ["f(ddof=2)", "f(ddof=0)"]),
        ("t.ppf(0.5)", ["t.ppf(0.625)", "t.ppf(0.4)"]),
    ],
)
def test_what_a_line_may_become(mutation, code, changed):
    import ast

    found = mutation.mutants_of(code, "effects/toy")
    assert [ast.unparse(mutation.changed_tree(code, m)) for m in found] == changed


def test_changes_that_read_the_same_are_told_apart(mutation):
    found = mutation.mutants_of("y = f(1) + g(1)\ny = f(1) + g(1)", "effects/toy")
    ones = [m.mutation for m in found if m.mutation.startswith("1 → 2")]
    assert ones == ["1 → 2", "1 → 2 (2)", "1 → 2 (3)", "1 → 2 (4)"]


def test_other_edits_leave_the_sample_as_it_is(mutation):
    lines = [f"a{i} = b{i} + {i + 1}" for i in range(20)]
    before = mutation.drawn(mutation.mutants_of("\n".join(lines), "effects/toy"), 12, seed=1)
    moved = ["# a line more", *lines[::-1], "c = 0"]
    after = mutation.drawn(mutation.mutants_of("\n".join(moved), "effects/toy"), 12, seed=1)
    assert len({m.key for m in before} & {m.key for m in after}) >= 11
    other = mutation.drawn(mutation.mutants_of("\n".join(lines), "effects/toy"), 12, seed=2)
    assert {m.key for m in other} != {m.key for m in before}
