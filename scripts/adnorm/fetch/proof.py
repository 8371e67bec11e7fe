"""What has been fetched whole, and so need not be fetched again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from adnorm.base.errors import AdnormError
from adnorm.base.files import digest_of, is_entry, read_json, write_json
from adnorm.base.stops import run_again
from adnorm.fetch.cache import Cache

MANIFEST = "manifest.json"
#: Folder of what belongs to all cohorts, beside theirs.
REFERENCES = "references"
#: What has been fetched so far. It outlives a run that stops, and the manifest, which Snakemake
#: removes before it runs the stage again.
PROOF = ".fetched.json"


class Fingerprint(TypedDict):
    """What tells the bytes of a file from others."""

    bytes: int
    sha256: str


class Entry(Fingerprint):
    """A line of the manifest: one file that was fetched."""

    role: str
    name: str
    source: str


def fingerprint(path: Path) -> Fingerprint:
    """Take the fingerprint of a file, as a manifest lists it."""
    size, sha256 = digest_of(path)
    return {"bytes": size, "sha256": sha256}


def fetch_again(files: Iterable[Path], folder: Path, log: Path) -> None:
    """Let the next call fetch files again that a reader refused; they stay for people to look at.

    Parameters
    ----------
    files
        Files of the cohort, or the identifier table of all cohorts.
    folder
        The folder of the stage fetch of the cohort.
    log
        The log of that stage.
    """
    own = [path for path in files if path.parent == folder]
    if own:
        withdraw_proof(folder, own)
        run_again(log)
    # A table that was not fetched lies elsewhere: its owner mends it, and that is seen.
    shared = folder.parents[1] / REFERENCES
    for path in files:
        if path.parent == shared:
            if path.is_file():
                Cache().forget(digest_of(path)[1])
            run_again(shared / "logs" / f"{path.name}.log")


def proven_files(folder: Path) -> dict[str, Entry]:
    """Say what an earlier run fetched and what still has the bytes it had."""
    return {
        role: entry
        for role, entry in _read_proof(folder).items()
        if (folder / entry["name"]).is_file()
        and fingerprint(folder / entry["name"]).items() <= entry.items()
    }


def write_proof(proven: dict[str, Entry], folder: Path) -> None:
    write_json({"files": [proven[role] for role in sorted(proven)]}, folder / PROOF)


def withdraw_proof(folder: Path, files: Iterable[Path]) -> None:
    """Forget that files were fetched whole, so that the next fetch asks for them again."""
    refused = {path.name for path in files}
    proven = _read_proof(folder).items()
    for _, entry in proven:
        if entry["name"] in refused:
            Cache().forget(entry["sha256"])
    write_proof({role: entry for role, entry in proven if entry["name"] not in refused}, folder)


def _read_proof(folder: Path) -> dict[str, Entry]:
    """Read what an earlier run fetched, by role, whatever became of the files."""
    found = [folder / name for name in (MANIFEST, PROOF) if (folder / name).is_file()]
    try:
        lists = [
            {entry["role"]: entry for entry in read_json(path)["files"] if is_entry(entry)}
            for path in found
        ]
        if not lists:
            return {}
        # A proof may have been withdrawn since the manifest was written.
        return {role: entry for role, entry in lists[0].items() if lists[-1].get(role) == entry}
    except (AdnormError, KeyError, TypeError):
        # A manifest that cannot be read proves nothing: everything is fetched again.
        return {}
