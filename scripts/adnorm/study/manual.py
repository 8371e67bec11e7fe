"""The schemas for editors and the tables of keys in the documentation, written from the models.

``python -m adnorm.study.manual`` renews them all; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from adnorm.study.cohort import CohortFile
from adnorm.study.config import RunConfig
from adnorm.study.gene_sets import GeneSetRow
from adnorm.study.simulation import Simulation

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMAS = REPOSITORY / "workflow" / "schemas"
_REFERENCE = REPOSITORY / "docs" / "reference"
#: Pages with a table between markers, by what it lists.
PAGES: dict[str, Path] = {
    "config": _REFERENCE / "configuration.md",
    "cohort": _REFERENCE / "cohort.md",
    "simulation": _REFERENCE / "simulation.md",
    "gene_sets": REPOSITORY / "config" / "gene_sets" / "README.md",
}
COMMAND = "python -m adnorm.study.manual"
#: What people write, by the name of its schema.
MODELS: dict[str, type[BaseModel]] = {
    "config": RunConfig,
    "cohort": CohortFile,
    "simulation": Simulation,
    "gene_sets": GeneSetRow,
}
#: Files that are one mapping of keys, for which editors take a schema.
FILES = ("config", "cohort", "simulation")
Schema = dict[str, Any]


def schema_of(name: str) -> Schema:
    """Write the JSON schema of a model, with every part in its place.

    Parameters
    ----------
    name
        One of `MODELS`.
    """
    written = MODELS[name].model_json_schema()
    parts = written.pop("$defs", {})
    schema = _tidy(written, parts)
    title = {"title": written["title"]} if name in FILES else {}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **title}
    return head | {"description": schema.pop("description")} | schema


def _tidy(node: Schema, parts: dict[str, Schema]) -> Schema:
    """Put parts in place, and write types as a person would."""
    if set(node) == {"$ref"}:
        # What stands in several places is one object, which YAML writes once.
        name = node["$ref"].rsplit("/", 1)[-1]
        if "$ref" not in parts[name]:
            parts[name] = {"$ref": name, "tidy": _tidy(parts[name], parts)}
        return parts[name]["tidy"]
    if "$ref" in node:
        reference = node.pop("$ref")
        return _tidy(_tidy({"$ref": reference}, parts) | node, parts)
    node = {key: value for key, value in node.items() if key != "title"}
    if "allOf" in node:
        (only,) = node.pop("allOf")
        node = only | node
    if "anyOf" in node:
        node |= _joined([_tidy(part, parts) for part in node.pop("anyOf")])
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "properties" in node:
        node["properties"] = {key: _tidy(v, parts) for key, v in node["properties"].items()}
        if node.get("default") is not None:
            node["default"] = {}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key] = _tidy(node[key], parts)
    if "prefixItems" in node:
        first, *_ = node.pop("prefixItems")
        node["items"] = _tidy(first, parts)
    if "description" in node:
        text = " ".join(node["description"].split())
        node["description"] = text if ". " in text else text.removesuffix(".")
    if "default" in node and node["default"] is None and "null" not in node.get("type", ()):
        # It may be left out, but not be null.
        del node["default"]
    node = {key: _short(value) for key, value in node.items()}
    order = ["type", "enum", "oneOf", "additionalProperties", "required", *_LIMITS, "items"]
    order += ["default", "description", "examples", "properties"]
    return {key: node[key] for key in sorted(node, key=order.index)}


def _short(value: Any) -> Any:
    """Write a whole number without decimals, also in a list."""
    if isinstance(value, list):
        return [_short(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_LIMITS = [
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "pattern", "maxLength"),
    *("minItems", "maxItems", "uniqueItems"),
]


def _joined(forms: list[Schema]) -> Schema:
    """Write alternatives as one type with several names, where they differ in nothing else."""
    null = {"type": "null"} in forms
    forms = [form for form in forms if form != {"type": "null"}]
    if {"integer", "number"} <= {form.get("type") for form in forms}:
        forms = [form for form in forms if form.get("type") != "integer"]
    if len(forms) > 1 and any(set(form) != {"type"} for form in forms):
        return {"oneOf": forms}
    joined = dict(forms[0])
    kinds = [form["type"] for form in forms] + ["null"] * null
    joined["type"] = kinds if len(kinds) > 1 else kinds[0]
    if null and "enum" in joined:
        joined["enum"] = [*joined["enum"], None]
    return joined


class _Dumper(yaml.SafeDumper):
    """Short lists stay on one line, and sections alone are written once for several places."""

    def ignore_aliases(self, data: object) -> bool:
        return not (isinstance(data, dict) and "properties" in data)


def _flow_when_short(dumper: _Dumper, data: list[Any]) -> yaml.Node:
    plain = all(not isinstance(value, dict | list) for value in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _flow_when_short)


def schema_text(name: str) -> str:
    """Write the file of a schema."""
    text = yaml.dump(
        schema_of(name), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6
    )
    return f"# Written by `{COMMAND}` from the models in scripts/adnorm/study/.\n{text}"


def _kind(schema: Schema) -> str:
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


def _rows(schema: Schema, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for key, part in schema.get("properties", {}).items():
        name = f"{prefix}{key}"
        if name in PAGES and "properties" in part:
            # A block with a page of its own.
            yield name, "", "", f"{part['description']} [Its keys]({PAGES[name].name})"
            continue
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
    """Return the Markdown table of all keys of a model."""
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for key, kind, default, meaning in _rows(schema_of(name)):
        lines.append(f"| `{key}` | {kind} | {default} | {_escaped(meaning)} |")
    return "\n".join(lines)


def column_table(name: str) -> str:
    """Return the Markdown table of the columns of a table."""
    lines = ["| column | | meaning |", "| --- | --- | --- |"]
    schema = schema_of(name)
    for column, part in schema["properties"].items():
        needed = "required" if column in schema["required"] else ""
        lines.append(f"| {column} | {needed} | {_escaped(part['description'])} |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def renewed(text: str) -> str:
    """Put fresh tables between the ``<!-- keys: NAME -->`` and ``<!-- end -->`` markers."""

    def table(match: re.Match[str]) -> str:
        write = key_table if match[2] == "keys" else column_table
        return f"{match[1]}\n{write(match[3])}\n{match[4]}"

    pattern = r"(<!-- (keys|columns): (\w+) -->)\n.*?(<!-- end -->)"
    return re.sub(pattern, table, text, flags=re.DOTALL)


def main() -> None:
    """Renew the schemas and the pages."""
    for name in FILES:
        (SCHEMAS / f"{name}.schema.yaml").write_text(schema_text(name), encoding="utf-8")
    for path in PAGES.values():
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
