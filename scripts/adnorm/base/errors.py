"""Failures that a person can mend, said so that they can be mended."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class AdnormError(Exception):
    """A failure whose cause is the input or the configuration.

    Its text is one paragraph for people: what is wrong, where, what was found, what is allowed and
    what to do. It is printed without a traceback; the traceback goes to the log.
    """


class DiskError(AdnormError):
    """What a disk refused, told by who knows which folder it is and how to name another one."""


class AskedForError(AdnormError):
    """The file is as it should be, but what the cohort file asks of it is not in it."""


class RefusedFileError(AdnormError):
    """A file cannot be what it should be, so that it is worth fetching again.

    Attributes
    ----------
    files
        The files, as they lie in the results.
    """

    def __init__(self, sentence: str, files: Iterable[Path]) -> None:
        super().__init__(sentence)
        self.files = tuple(files)


class Problems:
    """Collects everything that is wrong with one file, so that a person mends it in one round.

    Parameters
    ----------
    where
        The file (or other place) that the problems belong to; it opens the message.

    Examples
    --------
    >>> problems = Problems("cohorts/trial.yaml")
    >>> problems.add("key 'tissu' is unknown")
    >>> problems.stop()
    Traceback (most recent call last):
    ...
    adnorm.base.errors.AdnormError: cohorts/trial.yaml: key 'tissu' is unknown
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.sentences: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.sentences)

    def add(self, sentence: str) -> None:
        """Note one problem; the same sentence twice is noted once."""
        # The problems of a file within those of a run stand in lines, all of which stay.
        sentence = "\n".join(shortened(line, _LONGEST_SENTENCE) for line in sentence.split("\n"))
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def stop(self) -> None:
        """Raise `AdnormError` with all problems if there are any; return silently otherwise."""
        if not self.sentences:
            return
        if len(self.sentences) == 1:
            raise AdnormError(f"{self.where}: {self.sentences[0]}")
        numbered = "\n".join(f"  {i}. {s}" for i, s in enumerate(self.sentences, 1))
        raise AdnormError(f"{self.where}: {len(self.sentences)} problems\n{numbered}")


def nearest(name: object, known: Iterable[object]) -> str:
    """Say which known name is closest to a wrong one.

    Returns
    -------
    str
        ``"; did you mean 'lesional'?"``, or an empty string when nothing is close.

    Examples
    --------
    >>> nearest("lesionnal", ["lesional", "healthy"])
    "; did you mean 'lesional'?"
    """
    names = {str(k).casefold(): str(k) for k in known}
    match = difflib.get_close_matches(str(name).casefold(), names, n=1, cutoff=0.6)
    return f"; did you mean '{names[match[0]]}'?" if match else ""


#: Characters of a cell that a message shows, and of a whole sentence.
_LONGEST, _LONGEST_SENTENCE = 300, 12_000


def shortened(text: str, most: int = _LONGEST) -> str:
    """Cut a text that would fill screens; the cells of honest tables stay whole.

    Examples
    --------
    >>> shortened("LS"), len(shortened("x" * 10_000))
    ('LS', 301)
    """
    return text if len(text) <= most else f"{text[:most]}…"


def listing(values: Iterable[object], limit: int = 12) -> str:
    """Join values for a message: quoted, at most `limit` of them, then how many more there are.

    Examples
    --------
    >>> listing(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    quoted = [f"'{shortened(str(value))}'" for value in values]
    if len(quoted) <= limit:
        return ", ".join(quoted)
    return ", ".join(quoted[:limit]) + f" and {len(quoted) - limit} more"
