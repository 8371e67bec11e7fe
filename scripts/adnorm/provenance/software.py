"""What a run ran on: the code of adnorm, Python, and the packages that adnorm needs."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from adnorm import __version__
from adnorm.base.shipped import HOME, PACKAGE

CODE, PYTHON, PLATFORM, PACKAGES = "code", "python", "platform", "package"
#: Kind, name and version of one thing that a run ran on.
Row = tuple[str, str, str]


def software() -> list[Row]:
    """List what this Python runs on: kind, name, version; sorted within a kind."""
    return [
        (CODE, "adnorm", __version__),
        (CODE, "digest of the files", code_files()),
        *[(CODE, name, value) for name, value in commit().items()],
        (PYTHON, platform.python_implementation(), platform.python_version()),
        (PLATFORM, "system", " ".join(filter(None, (platform.system(), platform.machine())))),
        (PLATFORM, "libc", " ".join(filter(None, platform.libc_ver())) or "unknown"),
        *[(PACKAGES, name, number) for name, number in packages().items()],
    ]


def packages() -> dict[str, str]:
    """Find the installed packages that adnorm needs here, at any depth: name → version.

    Where adnorm itself is not installed (a bare checkout), all that is installed is listed.
    """
    try:
        waiting = _required(distribution("adnorm"), frozenset())
    except PackageNotFoundError:
        return dict(sorted({_normal(d.name): d.version for d in distributions()}.items()))
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        needed = waiting.pop()
        if needed in seen:
            continue
        seen.add(needed)
        name, extras = needed
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = package.version
        waiting += _required(package, extras)
    return dict(sorted(found.items()))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(package: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """List what a package needs on this platform, with the extras that are asked of it."""
    from packaging.requirements import InvalidRequirement, Requirement

    needed = []
    for line in package.requires or ():
        try:
            found = Requirement(line)
        except InvalidRequirement:
            continue
        marker = found.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            needed.append((_normal(found.name), frozenset(found.extras)))
    return needed


def code_files() -> str:
    """Digest the files of the workflow and the package, whatever Git says of them.

    Sixteen hexadecimal digits: the same in a clone and where adnorm was installed from a wheel.
    """
    named = {f"adnorm/{path.relative_to(PACKAGE).as_posix()}": path for path in _files(PACKAGE)}
    workflow = [HOME / "Snakefile", *_files(HOME / "workflow"), *(HOME / "scripts").glob("*.py")]
    named |= {path.relative_to(HOME).as_posix(): path for path in workflow}
    digest = hashlib.sha256()
    for name, path in sorted(named.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _files(folder: Path) -> list[Path]:
    skipped = {"__pycache__", "shipped"}
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not skipped & {*path.relative_to(folder).parts}
    ]


def commit() -> dict[str, str]:
    """Say which commit the code is of, and whether it was changed since; nothing without a clone.

    The repository must be adnorm's own: a wheel may be installed below somebody else's.
    """
    if not (HOME / ".git").exists():
        return {}
    head, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *_TRACKED)
    if head is None or changed is None:
        return {}
    state = "changed since the commit" if changed else "as committed"
    return {"commit": head, "state": state}


#: What a result rests on; a report beside it, or a note, changes nothing.
_TRACKED = ("Snakefile", "workflow", "scripts", "config", "envs")


def _git(*words: str) -> str | None:
    # A clone of somebody else is not asked for its hooks and helpers.
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    try:
        run = subprocess.run(
            ["git", *safe, "-C", str(HOME), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
