"""Writes checksums into a cohort file without touching its comments."""

from __future__ import annotations

from pathlib import Path

import yaml

from adnorm.base.errors import AdnormError
from adnorm.study.schema import read_yaml

KEY = "sha256"


def pin(path: Path, digests: dict[str, str]) -> None:
    """Write ``source: sha256:`` into a cohort file; all other lines stay as they are.

    Parameters
    ----------
    path
        The cohort file.
    digests
        Role → SHA-256.

    Raises
    ------
    AdnormError
        The file is written in a way that cannot be edited by lines; it is left as it was.
    """
    before = read_yaml(path)
    text = path.read_text(encoding="utf-8")
    pinned = _edited(text, digests)
    wanted = before | {"source": (before.get("source") or {}) | {KEY: digests}}
    try:
        same = yaml.load(pinned, Loader=yaml.CBaseLoader) == _as_text(wanted, text)
    except yaml.YAMLError:
        same = False
    if not same:
        lines = "\n".join(_block(digests, "  "))
        raise AdnormError(
            f"{path}: `source:` is written in a way that adnorm cannot edit by lines; write it by "
            f"hand:\nsource:\n{lines}"
        )
    path.write_text(pinned, encoding="utf-8")


def _as_text(wanted: dict, text: str) -> dict:
    """Read the file as text only, with the digests: numbers must stay as they are written."""
    plain = yaml.load(text, Loader=yaml.CBaseLoader)
    source = plain.get("source")
    source = source if isinstance(source, dict) else {}
    return plain | {"source": source | {KEY: wanted["source"][KEY]}}


def _edited(text: str, digests: dict[str, str]) -> str:
    lines = text.splitlines()
    node = _value(yaml.compose(text, Loader=yaml.CSafeLoader), "source")
    if node is None or not isinstance(node, yaml.MappingNode):
        kept = [line for line in lines if not line.startswith("source:")]
        place = _before_samples(kept)
        kept[place:place] = ["source:", *_block(digests, "  ")]
        return _joined(kept)
    if node.flow_style:
        return _joined(_flow_as_block(lines, node, digests))
    old = next((k for k, _ in node.value if k.value == KEY), None)
    indent = " " * node.value[0][0].start_mark.column
    if old is None:
        # Below the last entry; a comment that follows belongs to what comes next.
        place = _last_line(node.value[-1][1]) + 1
    else:
        place = old.start_mark.line
        end = _last_line(_value(node, KEY))
        del lines[place : end + 1]
    lines[place:place] = _block(digests, indent)
    return _joined(lines)


def _before_samples(lines: list[str]) -> int:
    """Find the place above the treatments or samples, and above the comments that open them."""
    keys = ("treatments:", "samples:")
    place = next((i for i, line in enumerate(lines) if line.startswith(keys)), len(lines))
    while place and lines[place - 1].startswith("#"):
        place -= 1
    return place


def _flow_as_block(lines: list[str], node: yaml.MappingNode, digests: dict[str, str]) -> list[str]:
    """Turn ``source: {table: x}`` into lines: digests are too long for one."""
    first, last = node.start_mark.line, node.end_mark.line
    comment = lines[last][node.end_mark.column :].strip()
    entries = [
        "  " + _between("\n".join(lines), key.start_mark, value.end_mark)
        for key, value in node.value
        if key.value != KEY
    ]
    head = "source:" + (f"  {comment}" if comment else "")
    return [*lines[:first], head, *entries, *_block(digests, "  "), *lines[last + 1 :]]


def _between(text: str, start: yaml.Mark, end: yaml.Mark) -> str:
    return text[start.index : end.index]


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """Return the last line that belongs to a node; the end of a block lies behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return node.end_mark.line


def _block(digests: dict[str, str], indent: str) -> list[str]:
    entries = [f"{indent}  {role}: {digest}" for role, digest in sorted(digests.items())]
    return [f"{indent}{KEY}:", *entries]


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
