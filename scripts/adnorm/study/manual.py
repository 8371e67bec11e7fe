"""The manual's tables of keys, written from the schemas so that they cannot drift apart.

``python -m adnorm.study.manual config/README.md`` renews the tables between their markers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from adnorm.study.schema import load_schema


def _kind(schema: dict) -> str:
    if "enum" in schema:
        return " \\| ".join("null" if v is None else f"`{v}`" for v in schema["enum"])
    kind = schema.get("type")
    if kind is None:
        return " or ".join(_kind(part) for part in schema.get("oneOf", []))
    kinds = kind if isinstance(kind, list) else [kind]
    if kinds == ["array"]:
        return f"list of {_kind(schema.get('items', {'type': 'values'}))}"
    return " or ".join(kinds)


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_plain(v) for v in value)}]"
    return str(value)


def _rows(schema: dict, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for key, part in schema.get("properties", {}).items():
        name = f"{prefix}{key}"
        nested = part.get("properties")
        default = "" if nested or "default" not in part else f"`{_plain(part['default'])}`"
        if not default and key in schema.get("required", []):
            default = "*required*"
        yield name, "" if nested else _kind(part), default, part.get("description", "")
        # All columns of `samples:` share one mapping language; it is shown once.
        if nested and not (prefix == "samples: " and key != "patient"):
            yield from _rows(part, f"{name}: ")
        other = part.get("additionalProperties")
        if isinstance(other, dict) and "properties" in other:
            yield from _rows(other, f"{name}: NAME: ")
        items = part.get("items")
        if isinstance(items, dict) and "properties" in items:
            yield from _rows(items, f"{name}: ")


def key_table(name: str) -> str:
    """Return the Markdown table of all keys of a schema."""
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for row in _rows(load_schema(name)):
        key, kind, default, meaning = row
        meaning = meaning.replace("|", "\\|")
        lines.append(f"| `{key}` | {kind} | {default} | {meaning} |")
    return "\n".join(lines)


def renew(text: str) -> str:
    """Put fresh tables between the ``<!-- keys: NAME -->`` and ``<!-- end -->`` markers."""

    def table(match: re.Match) -> str:
        return f"{match[1]}\n{key_table(match[2])}\n{match[3]}"

    pattern = r"(<!-- keys: (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(pattern, table, text, flags=re.DOTALL)


if __name__ == "__main__":
    manual = Path(sys.argv[1])
    manual.write_text(renew(manual.read_text(encoding="utf-8")), encoding="utf-8")
