"""Would the tests notice?  Changes one operator, limit or number at a time, and runs the tests.

    python benchmarks/mutation.py                                  # 300 changes, all over
    python benchmarks/mutation.py --modules effects/fit 'index/*'  # of some modules
    python benchmarks/mutation.py --again benchmarks/mutants.tsv   # those that once survived

A change is held in memory: no file is touched. First the tests that should notice one (those of its
package and the golden ones that import the module, and its examples) run on the code as it is, and
the lines that each of them runs are kept. Then every change runs the tests that run its line, the
fastest file first, up to the first failure, in a process of its own that is forked with all
libraries loaded. A change that makes them take far too long counts as noticed.

`mutants.tsv` beside this script names the changes that once survived: `killed`, and the test that
notices it now; or `equivalent`, and why no test can. If a change survives that is not named there
as equivalent, the run ends with 1.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import csv
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = Path(__file__).with_name("mutants.tsv")
COLUMNS = ["module", "line", "mutation", "verdict", "reason"]
#: Modules that compute: what the numbers of the tables come from.
NUMERICAL = [
    *("effects/*", "index/*", "atlas/*", "scores/*", "expression/library_sizes"),
    *("expression/scale", "expression/scale_check", "expression/genes", "expression/quality"),
    "expression/swaps",
]
SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    **{ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt)},
    **{ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt)},
    **{ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,)},
    **{ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.And: (ast.Or,), ast.Or: (ast.And,)},
    **{ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,)},
    **{ast.Pow: (ast.Mult,), ast.FloorDiv: (ast.Div,), ast.Mod: (ast.Mult,)},
    **{ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,)},
}
PAIRS = ["min max", "minimum maximum", "nanmin nanmax", "argmin argmax", "floor ceil", "any all"]
PAIRS += ["mean median", "nanmean nanmedian", "sf cdf", "log log2", "zeros ones"]
CALLS = {a: b for pair in PAIRS for a, b in (pair.split(), reversed(pair.split()))}
DROPPED = {"abs", "sqrt"}
#: Below this a number guards against rounding.
ROUNDING = 1e-5
#: What is said to people, checks of our own, and arguments that change no value.
TOLD = {"progress", "debug", "add", "AdnormError", "obstacle"}
SAFE = {"strict", "copy", "frozen", "kind", "observed", "axis"}


@dataclass(frozen=True)
class Mutant:
    """One change: the text of its line, what becomes what, and where in the tree of its module."""

    module: str
    line: str
    mutation: str
    number: int
    lines: range
    position: int
    choice: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.module, self.line, self.mutation


# ---------------------------------------------------------------- changes


def alternatives(node: ast.AST) -> list[ast.AST]:
    """List what a part of an expression could be by mistake."""

    def other(**fields: object) -> Any:
        changed = copy.copy(node)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed

    match node:
        case ast.Compare(ops=ops):
            return [
                other(ops=[*ops[:i], swap(), *ops[i + 1 :]])
                for i, op in enumerate(ops)
                for swap in SWAPS.get(type(op), ())
            ]
        case ast.AugAssign(op=op):
            return [other(op=swap()) for swap in SWAPS.get(type(op), ())]
        case ast.BinOp(left=left, op=op, right=right):
            text = any(
                isinstance(side, ast.JoinedStr)
                or (isinstance(side, ast.Constant) and isinstance(side.value, str))
                for side in (left, right)
            )
            return [] if text else [other(op=swap()) for swap in SWAPS.get(type(op), ())]
        case ast.BoolOp(op=op):
            return [other(op=swap()) for swap in SWAPS[type(op)]]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.keyword(arg="axis", value=ast.Constant(value=0 | 1 as value)):
            return [other(value=ast.Constant(1 - value))]
        case ast.Constant(value=bool() as value):
            return [other(value=not value)]
        case ast.Constant(value=int() as value):
            return [other(value=value + 1), *([other(value=value - 1)] if value else [])]
        case ast.Constant(value=float() as value) if value == 0 or abs(value) > ROUNDING:
            return [other(value=v) for v in ([value * 1.25, value / 1.25] if value else [1.0])]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
            func: Any = copy.copy(node.func)
            if name in CALLS:
                setattr(func, "id" if isinstance(func, ast.Name) else "attr", CALLS[name])
                return [other(func=func)]
            return [args[0]] if name in DROPPED and len(args) == 1 else []
    return []


def is_told(node: object) -> bool:
    """Whether all of it is said to people: errors, progress, and what they hang on."""
    match node:
        case ast.Raise() | ast.Assert() | ast.JoinedStr():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in TOLD
        case ast.Expr(value=value):
            return is_told(value)
        case ast.If(body=body, orelse=[]):
            calls = [isinstance(statement, ast.Expr) for statement in body]
            return all(calls) and all(map(is_told, body))
    return False


def expressions(node: ast.AST, lines: range = range(0)) -> Iterator[tuple[ast.AST, range]]:
    """Walk over what is computed, with the lines of the statement that each part stands in."""
    if isinstance(node, ast.stmt):
        body: list[ast.stmt] = getattr(node, "body", [])
        end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
        lines = range(node.lineno, max(end, node.lineno + 1))
    yield node, lines
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            told = is_told(child)
            safe = isinstance(child, ast.keyword) and child.arg in SAFE
            if safe:
                yield child, lines
            elif isinstance(child, ast.AST) and not told:
                yield from expressions(child, lines)


def mutants_of(source: str, module: str) -> list[Mutant]:
    """List the changes of a module; of those that read the same, the second is marked (2)."""
    text, seen, found = source.splitlines(), Counter[tuple[str, str]](), []
    for position, (node, lines) in enumerate(expressions(ast.parse(source))):
        for choice, changed in enumerate(alternatives(node)):
            number: int = node.lineno  # type: ignore[attr-defined]
            line = text[number - 1].strip()
            mutation = f"{ast.unparse(node)} → {ast.unparse(changed)}"
            seen[line, mutation] += 1
            if (times := seen[line, mutation]) > 1:
                mutation += f" ({times})"
            found.append(Mutant(module, line, mutation, number, lines, position, choice))
    return found


def changed_tree(source: str, mutant: Mutant) -> ast.Module:
    """Parse a module with one change in it."""
    tree = ast.parse(source)
    nodes = [node for node, _ in expressions(tree)]
    old = nodes[mutant.position]
    new = alternatives(old)[mutant.choice]

    class Change(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is old else self.generic_visit(node)

    return ast.fix_missing_locations(Change().visit(tree))


def drawn(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """Draw a sample by the digest of each change, so that other edits leave it as it is."""

    def lot(mutant: Mutant) -> bytes:
        return hashlib.sha256("\t".join([str(seed), *mutant.key]).encode()).digest()

    return sorted(sorted(mutants, key=lot)[:size], key=lambda m: (m.module, m.number))


# ---------------------------------------------------------------- tests


def imports(path: Path) -> set[str]:
    """Names of the modules that a file imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return names


def tests_of(root: Path, module: str) -> list[str]:
    """Find the files of tests that should notice a change of a module: package/name."""
    package, name = module.split("/")
    folder, wanted = root / "tests" / package, {f"adnorm.{package}.{name}"}
    for path in sorted((root / "tests" / "builders").glob("*.py")):
        wanted |= {f"builders.{path.stem}"} if wanted & imports(path) else set()
    beside = {folder / f"test_{name}.py", folder / "test_build.py"}
    found = [
        path
        for path in sorted([*folder.glob("test_*.py"), *(root / "tests/golden").glob("*_test.py")])
        if path in beside or wanted & imports(path)
    ]
    return [f"scripts/adnorm/{module}.py", *(str(path.relative_to(root)) for path in found)]


class Watch:
    """What a run of pytest tells: the first failure, seconds, and whose lines are run."""

    def __init__(
        self, chosen: set[str] | None = None, context: Callable[[str], None] | None = None
    ):
        self.chosen, self.context = chosen, context or (lambda name: None)
        self.failed, self.seconds = "", dict[str, float]()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.chosen is not None:
            items[:] = [item for item in items if item.nodeid in self.chosen]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # A fixture may serve all tests of its file.
        self.context(nodeid.partition("::")[0])

    def pytest_pyfunc_call(self, pyfuncitem: Any) -> None:
        self.context(pyfuncitem.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or f"{report.nodeid} (at import)"


def run_pytest(root: Path, files: list[str], watch: Watch) -> None:
    import pytest

    with tempfile.TemporaryDirectory(prefix="mutation") as folder:
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(root)]
        arguments += ["--basetemp", f"{folder}/tests", *files]
        code = pytest.main(arguments, plugins=[watch])
    if code and not watch.failed:
        raise RuntimeError(f"pytest ended with {int(code)} and no test failed")


def start(work: Callable[[], object], seconds: int, answer: Path) -> int:
    """Start work in a child with a limit of CPU seconds; its result is in a file at its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            log = os.open(answer.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            answer.write_text(json.dumps(work()), encoding="utf-8")
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            raise
        finally:
            os._exit(status)
    return child


def finish(status: int, answer: Path) -> Any:
    """Read what a child gave, or that it ran out of time; stop if it could not do its work."""
    if os.WIFSIGNALED(status):
        return f"stopped by {signal.Signals(os.WTERMSIG(status)).name}"
    if status:
        sys.exit(answer.with_suffix(".log").read_text(encoding="utf-8")[-3000:])
    return json.loads(answer.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Baseline:
    """The tests on the code as it is: seconds of each, and module → line → tests that run it."""

    seconds: dict[str, float]
    runs: dict[str, dict[str, list[str]]]
    libraries: list[str]
    failed: str

    def chosen(self, mutant: Mutant, files: list[str]) -> dict[str, set[str]]:
        """File → its tests that run a changed line, the fastest file first."""
        runs = self.runs[mutant.module]
        seen = {name for line in mutant.lines for name in runs.get(str(line), [])}
        found: dict[str, set[str]] = {}
        for test in self.seconds:
            file = test.partition("::")[0]
            # What is computed at import has no test of its own: all of them run it.
            if file in files and {"", file, test} & seen:
                found.setdefault(file, set()).add(test)
        cost = {file: sum(map(self.seconds.__getitem__, tests)) for file, tests in found.items()}
        return dict(sorted(found.items(), key=lambda item: cost[item[0]]))


def measure(root: Path, modules: list[str], files: list[str]) -> dict[str, Any]:
    """Run tests and see which lines of the modules each of them runs."""
    import coverage

    paths = {module: str(root / f"scripts/adnorm/{module}.py") for module in modules}
    cover = coverage.Coverage(data_file=None, include=list(paths.values()), config_file=False)
    watch = Watch(context=cover.switch_context)
    cover.start()
    run_pytest(root, files, watch)
    cover.stop()
    found = {m: cover.get_data().contexts_by_lineno(path) for m, path in paths.items()}
    ours = {"adnorm", "builders", "tests"}
    loaded = [name for name in sys.modules if name.partition(".")[0] not in ours]
    return {
        "seconds": watch.seconds,
        "runs": found,
        "libraries": loaded,
        "failed": watch.failed,
    }


class Changed(importlib.machinery.SourceFileLoader):
    """Loads a module from a changed tree, and is also who finds it."""

    tree: ast.Module

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_code(self, fullname: str) -> Any:
        return compile(self.tree, self.path, "exec")


def notice(root: Path, mutant: Mutant, files: list[str], chosen: set[str]) -> str:
    """Run the chosen tests on a change; the test that fails, or nothing."""
    path = root / f"scripts/adnorm/{mutant.module}.py"
    name = f"adnorm.{mutant.module.replace('/', '.')}"
    loader = Changed(name, str(path))
    loader.tree = changed_tree(path.read_text(encoding="utf-8"), mutant)
    sys.meta_path.insert(0, loader)  # type: ignore[arg-type]
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever a change may raise
        return f"import: {type(error).__name__}"
    watch = Watch(chosen)
    run_pytest(root, files, watch)
    return watch.failed


# ---------------------------------------------------------------- the run


#: A change, whether it was killed or survived, and by which test.
Verdict = tuple[Mutant, str, str]


def read_kept(path: Path) -> dict[tuple[str, str, str], str]:
    """Read a list of changes: module, line and mutation → verdict."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {(row["module"], row["line"], row["mutation"]): row["verdict"] for row in rows}


def judge(root: Path, mutants: list[Mutant], asked: argparse.Namespace) -> Iterator[Verdict]:
    """Run the tests on every change, until the time is over."""
    end = time.monotonic() + 60 * asked.minutes
    modules = sorted({mutant.module for mutant in mutants})
    files = {
        module: [f for f in tests_of(root, module) if not any(fnmatch(f, w) for w in asked.without)]
        for module in modules
    }
    every = sorted({file for several in files.values() for file in several})
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "unchanged")
        child = start(lambda: measure(root, modules, every), 7200, answer)
        base = Baseline(**finish(os.waitpid(child, 0)[1], answer))
        if base.failed:
            sys.exit(f"{base.failed} fails without any change")
        print(f"{len(base.seconds)} tests take {sum(base.seconds.values()):.0f} s", flush=True)
        for name in base.libraries:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        running: dict[int, tuple[Mutant, Path]] = {}
        left = mutants[::-1]
        while running or (left and time.monotonic() < end):
            if left and len(running) < asked.jobs and time.monotonic() < end:
                mutant = left.pop()
                chosen = base.chosen(mutant, files[mutant.module])
                tests = set().union(*chosen.values())
                if not tests:
                    yield mutant, "survived", "no test runs it"
                    continue
                limit = asked.patience + 3 * int(sum(base.seconds[test] for test in tests))
                answer = Path(folder, str(len(left)))
                work = partial(notice, root, mutant, list(chosen), tests)
                running[start(work, limit, answer)] = mutant, answer
                continue
            child, status = os.wait()
            mutant, answer = running.pop(child)
            test = finish(status, answer)
            yield mutant, "killed" if test else "survived", test


def place(text: str) -> Path:
    return Path(text).resolve()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--modules", nargs="+", default=NUMERICAL, help="package/name, or patterns")
    parser.add_argument("--without", nargs="+", default=[], help="files of tests, or patterns")
    parser.add_argument("--sample", type=int, default=300, help="changes to draw (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=55, help="begin none after this time")
    parser.add_argument("--jobs", type=int, default=2, help="changes at a time (default 2)")
    parser.add_argument("--patience", type=int, default=60, help="CPU s beyond those of the tests")
    parser.add_argument("--again", type=place, help="those of this table that are not equivalent")
    parser.add_argument("--table", type=place, help="where to write what became of every change")
    parser.add_argument("--kept", type=place, default=KEPT, help="the list of judged changes")
    parser.add_argument("--root", type=place, default=ROOT, help="another checkout")
    asked = parser.parse_args()
    root, package = asked.root, asked.root / "scripts" / "adnorm"
    os.chdir(root)
    sys.path[:0] = [str(root / "scripts"), str(root / "tests")]
    sys.dont_write_bytecode = True
    names = [str(p.relative_to(package).with_suffix("")) for p in sorted(package.glob("*/*.py"))]
    modules = [
        name
        for name in names
        if not name.endswith("__init__") and any(fnmatch(name, p) for p in asked.modules)
    ]
    kept = read_kept(asked.kept) if asked.kept.is_file() else {}
    every = [
        mutant
        for name in modules
        for mutant in mutants_of((package / f"{name}.py").read_text(encoding="utf-8"), name)
    ]
    pool = [mutant for mutant in every if kept.get(mutant.key) != "equivalent"]
    for module, line, mutation in sorted(set(kept) - {mutant.key for mutant in every}):
        if module in modules or module not in names:
            print("drop from the list, its line has changed", module, line, mutation, sep="\t")
    if asked.again:
        wanted = {key for key, verdict in read_kept(asked.again).items() if verdict != "equivalent"}
        sample = [mutant for mutant in pool if mutant.key in wanted]
    else:
        sample = drawn(pool, asked.sample, asked.seed)
    print(f"{len(sample)} of {len(pool)} changes in {len(modules)} modules", flush=True)
    survived = done = 0
    table = open(asked.table or os.devnull, "w", encoding="utf-8")
    print(*COLUMNS, sep="\t", file=table)
    for mutant, verdict, reason in judge(root, sample, asked):
        done, survived = done + 1, survived + (verdict == "survived")
        print(*mutant.key, verdict, reason, sep="\t", file=table, flush=True)
        where = f"{mutant.module}:{mutant.number}"
        print(verdict, where, mutant.mutation, reason, sep="\t", flush=True)
    print(f"{done} run, {survived} survived, {len(sample) - done} left for want of time")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
