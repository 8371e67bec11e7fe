"""What has been fetched whole, and so need not be fetched again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adnorm.base.errors import AdnormError
from adnorm.base.stops import run_again
from adnorm.base.tables import digest_of, read_json, write_json

MANIFEST = "manifest.json"
#: Folder of what belongs to all cohorts, beside theirs.
REFERENCES = "references"
#: What has been fetched so far. It outlives a run that stops, and the manifest, which Snakemake
#: removes before it runs the stage again.
PROOF = ".fetched.json"


def proven_files(outdir: Path) -> dict[str, dict]:
    """Say what an earlier run fetched and what still has the bytes it had."""
    return {
        role: entry
        for role, entry in _read_proof(outdir).items()
        if (outdir / entry["name"]).is_file()
        and digest_of(outdir / entry["name"]) == (entry["bytes"], entry["sha256"])
    }


def write_proof(proven: dict[str, dict], outdir: Path) -> None:
    """Note what has been fetched so far."""
    write_json({"files": [proven[role] for role in sorted(proven)]}, outdir / PROOF)


def withdraw_proof(outdir: Path | str, files: Iterable[Path]) -> None:
    """Forget that files were fetched whole, so that the next fetch asks for them again.

    The files stay for people to look at.

    Parameters
    ----------
    outdir
        The folder that `fetch_cohort` wrote into.
    files
        Files that a reader refused.
    """
    outdir = Path(outdir)
    refused = {Path(path).name for path in files}
    proven = _read_proof(outdir)
    write_proof(
        {role: entry for role, entry in proven.items() if entry["name"] not in refused}, outdir
    )


def fetch_again(files: Iterable[Path], outdir: Path, log: Path) -> None:
    """Let the next call fetch files again that a reader refused.

    Parameters
    ----------
    files
        Files of the cohort, or the identifier table of all cohorts.
    outdir
        The folder of the stage fetch of the cohort.
    log
        The log of that stage.
    """
    own = [path for path in files if path.parent == outdir]
    if own:
        withdraw_proof(outdir, own)
        run_again(log)
    # A table that was not fetched lies elsewhere: its owner mends it, and that is seen.
    shared = outdir.parents[1] / REFERENCES
    for path in files:
        if path.parent == shared:
            run_again(shared / "logs" / f"{path.name}.log")


def _read_proof(outdir: Path) -> dict[str, dict]:
    """Read what an earlier run fetched: role → entry, whatever became of the files."""
    found = [outdir / name for name in (MANIFEST, PROOF) if (outdir / name).is_file()]
    try:
        lists = [{entry["role"]: entry for entry in read_json(path)["files"]} for path in found]
        if not lists:
            return {}
        # A proof may have been withdrawn since the manifest was written.
        return {role: entry for role, entry in lists[0].items() if lists[-1].get(role) == entry}
    except (AdnormError, KeyError, TypeError):
        # A manifest that cannot be read proves nothing: everything is fetched again.
        return {}
