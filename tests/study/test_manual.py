"""Schemas and key tables: written from the models, valid, and complete."""

from __future__ import annotations

import re

import pytest
import yaml
from jsonschema import Draft202012Validator

from adnorm.base.yaml_text import read_yaml
from adnorm.study.manual import (
    COMMAND,
    FILES,
    PAGES,
    SCHEMAS,
    renewed,
    schema_of,
    schema_text,
)

RENEW = f"run `{COMMAND}`"


@pytest.mark.parametrize("name", FILES)
def test_schemas_are_schemas_and_describe_every_key(name):
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)

    def undescribed(node, path):
        for key, part in node.get("properties", {}).items():
            here = f"{path}{key}"
            if "description" not in part:
                yield here
            if "examples" not in part and "properties" not in part:
                yield f"{here} (no example)"
            yield from undescribed(part, f"{here}: ")
        for other in ("additionalProperties", "items"):
            if isinstance(node.get(other), dict):
                yield from undescribed(node[other], path)
        if "properties" in node and node.get("additionalProperties") is not False:
            yield f"{path} accepts unknown keys"

    assert list(undescribed(schema, "")) == []


@pytest.mark.parametrize("name", FILES)
def test_the_schemas_for_editors_are_those_of_the_models(name):
    text = (SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8")
    assert text == schema_text(name), RENEW


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_show_every_key_as_the_models_have_it(name):
    text = PAGES[name].read_text(encoding="utf-8")
    assert text.count(f"<!-- keys: {name} -->") + text.count(f"<!-- columns: {name} -->") == 1
    assert text.count("<!-- end -->") == 1
    assert renewed(text) == text, RENEW


def test_no_key_is_left_out_of_the_pages():
    """A key stands on one page: that of its file, or that of a block with a page of its own."""

    def keys(node):
        for key, part in node.get("properties", {}).items():
            yield key
            yield from keys(part)
            for other in ("additionalProperties", "items"):
                if isinstance(part.get(other), dict):
                    yield from keys(part[other])

    tables = "".join(PAGES[name].read_text(encoding="utf-8") for name in FILES)
    shown = set(re.findall(r"^\| `(?:[^`]*: )?(\w+)` \|", tables, re.MULTILINE))
    assert {key for name in FILES for key in keys(schema_of(name))} == shown
    assert "| `simulation` |" in PAGES["cohort"].read_text(encoding="utf-8")
    assert "simulation: weeks" not in tables


def test_editors_and_models_agree_on_shipped_files(repository):
    """What the schema tells an editor is what the models accept."""
    validators = {name: Draft202012Validator(schema_of(name)) for name in FILES}
    for path in sorted((repository / "config").glob("*.yaml")):
        validators["config"].validate(read_yaml(path))
    for path in sorted((repository / "config" / "cohorts").glob("*.yaml")):
        value = read_yaml(path)
        validators["cohort"].validate(value)
        if "simulation" in value:
            validators["simulation"].validate(value["simulation"])


@pytest.mark.parametrize("name", FILES)
def test_examples_and_defaults_are_allowed(name):
    def parts(node):
        for part in node.get("properties", {}).values():
            yield part
            yield from parts(part)
            for other in ("additionalProperties", "items"):
                if isinstance(part.get(other), dict):
                    yield from parts(part[other])

    for part in parts(schema_of(name)):
        # A whole section is shown by an excerpt.
        validator = Draft202012Validator({**part, "required": []})
        for example in part.get("examples", []):
            validator.validate(example)
        if "default" in part and "properties" not in part:
            validator.validate(part["default"])


def test_schema_files_are_yaml_that_every_reader_takes():
    for name in FILES:
        text = (SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text) == schema_of(name)
