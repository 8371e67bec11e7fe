"""Writes a proposal as a commented cohort file, every guess marked."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass

from adnorm.base.errors import listing
from adnorm.onboarding.fields import Column, Line, counts_of, filled
from adnorm.onboarding.proposals import CONFIRM, FILL, Fact, Proposal
from adnorm.study.comparisons import number

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./()+-]*(?<! )")
_WORDS_OF_YAML = ("null", "true", "false", "~", "yes", "no", "on", "off")
_LONGEST = 110
#: YAML takes a longer text for a key only behind a question mark.
_LONGEST_KEY = 1000
_MARKED = re.compile(rf"#.*?\b({CONFIRM}|{FILL}): (.*)$")


@dataclass(frozen=True)
class Marked:
    """A line of a cohort file that a person must look at."""

    line: int
    mark: str
    remark: str
    text: str


def scalar(value: object) -> str:
    """Write one value of YAML, on one line, so that it is read back as the same value.

    Examples
    --------
    >>> scalar("skin type"), scalar("01"), scalar("no"), scalar(None), scalar(2.0)
    ('skin type', '"01"', '"no"', 'null', '2')
    >>> scalar("two\\nlines\\u2028\\x85")
    '"two\\\\nlines\\\\u2028\\\\u0085"'
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        short = number(value)
        return short if float(short) == value and "e" not in short else f"{value:.15g}"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS_OF_YAML:
        return text
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(character: str) -> str:
    """Escape what YAML reads as the end of a line, or not at all."""
    if character.isprintable():
        return character
    place = ord(character)
    return f"\\U{place:08x}" if place > 0xFFFF else f"\\u{place:04x}"


def one_line(text: str) -> str:
    """Write a text for a comment: on one line, without characters that YAML refuses.

    Examples
    --------
    >>> one_line("a\\nb: c\\x1b[31m\\x00")
    'a b: c?[31m?'
    """
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def write_cohort(proposal: Proposal) -> str:
    """Write the cohort file, YAML with comments.

    Guesses end in ``# confirm: …``, what nobody can guess is ``null`` and ends in ``# fill in: …``.
    """
    draft = proposal.draft
    lines = [
        f"# Proposed by `adnorm new-cohort` from {one_line(draft.name)}: {len(draft.raw)} samples.",
        f"# A line with '{CONFIRM}:' is a guess: compare it with the series, then take the mark "
        "out.",
        f"# A line with '{FILL}:' holds null: only you know what belongs there.",
    ]
    lines += [_fact(fact) for fact in proposal.facts]
    at = next(i for i, line in enumerate(lines) if line.startswith("route:"))
    lines[at + 1 : at + 1] = _alternatives(proposal)
    if proposal.source:
        lines += ["source:", *(f"  {_fact(fact)}" for fact in proposal.source)]
    if proposal.treatments:
        lines += ["treatments:", *map(_treatment, proposal.treatments)]
    lines.append("samples:")
    for column in proposal.columns:
        lines += _column(column)
    if proposal.exclude:
        lines.append("exclude:")
        for key, values, reason, count in proposal.exclude:
            shown = ", ".join(map(scalar, values))
            rule = f"{{from: {scalar(key)}, values: [{shown}], reason: {reason}}}"
            lines.append(_marked(f"  - {rule}", CONFIRM, f"{count} samples"))
    lines += _doubtful(proposal)
    lines += _unused(proposal)
    return "\n".join(lines) + "\n"


def marked_lines(text: str) -> list[Marked]:
    """List the lines that still carry a mark; a filled-in line counts no more."""
    found = []
    for place, line in enumerate(text.splitlines(), 1):
        match = _MARKED.search(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        before = line[: match.start()]
        if match[1] == FILL and not re.search(r"\bnull\W*$", before):
            continue
        found.append(Marked(place, match[1], match[2], before.strip()))
    return found


def _marked(line: str, mark: str, remark: str) -> str:
    return f"{line}  # {mark}: {one_line(remark)}" if mark else line


def _fact(fact: Fact) -> str:
    return _marked(f"{scalar(fact.key)}: {scalar(fact.value)}", fact.mark, fact.remark)


def _treatment(fact: Fact) -> str:
    line = f"  {scalar(fact.key)}: {{drug_class: {scalar(fact.value)}}}"
    mark = CONFIRM if fact.value is not None else FILL
    return _marked(line, mark, fact.remark)


def _alternatives(proposal: Proposal) -> list[str]:
    draft = proposal.draft
    if draft.route != "geo_supplementary":
        return []
    lines = [f"# other supplementary file: {one_line(name)}" for name in draft.supplementary[1:6]]
    return [
        *lines,
        "# or `route: ncbi_counts` without a table: counts that NCBI made from the raw reads",
    ]


def _column(column: Column) -> list[str]:
    head = f"  {column.name}:"
    if not column.keys:
        if column.fill:
            # A null key is refused by the schema, so that nobody runs it by accident.
            return [head, _marked("    from: null", FILL, column.remark)]
        constant = f"{head} {{constant: {scalar(column.constant)}}}"
        return [_marked(constant, CONFIRM, column.remark)]
    keys = [scalar(key) for key in column.keys]
    source = keys[0] if len(keys) == 1 else f"[{', '.join(keys)}]"
    word = "from_all" if column.joined else "from"
    lines = [head, _marked(f"    {word}: {source}", CONFIRM, column.remark)]
    if column.pattern:
        # Backslashes stay as they are in single quotes, but a line cannot be broken there.
        quoted = "'" + column.pattern.replace("'", "''") + "'"
        plain = column.pattern.isprintable()
        lines.append(f"    pattern: {quoted if plain else scalar(column.pattern)}")
    if column.lines:
        lines.append("    values:")
        for line in column.lines:
            head = scalar(line.raw)
            if len(head) > _LONGEST_KEY:
                lines.append(f"      ? {head}")
                head = ""
            lines.append(_value(f"      {head}", line))
    if column.missing:
        lines.append(_value("    missing", column.missing))
    return lines


def _value(head: str, line: Line) -> str:
    return _marked(f"{head}: {scalar(line.value)}", FILL if line.fill else CONFIRM, line.remark)


def _doubtful(proposal: Proposal) -> list[str]:
    """Name the fields that only mention a column: parts of a score are not the score."""
    return [
        one_line(f"# {name}: not proposed; fields that mention it: {listing(keys, 12)}")
        for name, keys in proposal.doubtful.items()
    ]


def _unused(proposal: Proposal) -> list[str]:
    raw = proposal.draft.raw
    parts = []
    for key in proposal.unused:
        kinds = counts_of(filled(raw, [key]))
        shown = ", ".join(f"{value[:40]} ({count})" for value, count in list(kinds.items())[:3])
        more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
        parts.append(f"#   {one_line(f'{key}: {shown}{more}')}"[:_LONGEST])
    title = textwrap.wrap("Fields of the samples that no line above reads:", _LONGEST)
    return [f"# {line}" for line in title] + parts if parts else []
