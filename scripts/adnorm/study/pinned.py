"""Digests that a person has pinned: other bytes under the same name are refused."""

from __future__ import annotations

from pathlib import Path

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.files import digest_of

_LOCK = "run `adnorm lock`, which shows what changed and pins it"
_BY_HAND = "write its digest in the configuration"


def check_pinned(entries: list[dict], pinned: dict[str, str], where: str) -> None:
    """Compare the files of a cohort with the digests that its file pins.

    Parameters
    ----------
    entries
        Entries of the manifest.
    pinned
        Role or file name → SHA-256 (``source: sha256:`` of the cohort file).
    where
        The cohort, for messages.

    Raises
    ------
    AdnormError
        A file has another digest (both are named), or a pinned name is no file of the cohort.
    """
    problems = Problems(where)
    for key, expected in sorted(pinned.items()):
        files = [entry for entry in entries if key in (entry["role"], entry["name"])]
        if not files:
            known = sorted({entry[field] for entry in entries for field in ("role", "name")})
            problems.add(
                f"source: sha256: no file of this cohort has the role or name '{key}'"
                f"{nearest(key, known)}; it has {listing(known)}"
            )
        for entry in files:
            if entry["sha256"] != expected:
                told = _other(entry["source"], entry["sha256"], expected, _LOCK)
                problems.add(f"source: sha256: {key}: {told}")
    problems.stop()


def check_pinned_table(path: Path, source: str, expected: str | None) -> None:
    """Compare the identifier table with the digest that the configuration pins, if it does.

    Parameters
    ----------
    path
        The table.
    source
        What the configuration calls it.
    expected
        ``identifiers: sha256:``, or ``None``.

    Raises
    ------
    AdnormError
        It has another digest; both are named.
    """
    if expected is None:
        return
    _, found = digest_of(path)
    if found != expected:
        raise AdnormError(f"identifiers: sha256: {_other(source, found, expected, _BY_HAND)}")


def _other(source: str, found: str, expected: str, new: str) -> str:
    return (
        f"{source} has the SHA-256 {found}, but pinned is {expected}. Somebody changed the file "
        f"since it was pinned. Put the pinned version back, or, if the new one is right, {new}"
    )
