"""Checks of configuration files against the JSON schemas, with answers in the user's words."""

from __future__ import annotations

import functools
from copy import deepcopy
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from adnorm.base.errors import AdnormError, Problems, listing, nearest

SCHEMAS = Path(__file__).resolve().parents[3] / "workflow" / "schemas"


class _Loader(yaml.CSafeLoader):
    """YAML as people mean it: `no`, `on` and `010` are text, and a key stands once."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":bool", ":int"))]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", yaml.resolver.re.compile(r"^(?:true|false|True|False)$"), list("tfTF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    yaml.resolver.re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"),
    list("-+0123456789"),
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict:
    loader.flatten_mapping(node)
    result: dict = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                "a key is a list or a mapping, not a word",
                key_node.start_mark,
            )
        if key in result:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{key}' stands twice", key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


#: Values of a file when every alias (``*name``) is written out; a cohort file has some hundred.
_MOST_VALUES = 200_000


def _load(text: str) -> object:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > _MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, "its aliases unfold to millions of values", node.start_mark
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values below a node as if every alias were written out."""
    if id(node) not in known:
        # A node that holds itself is refused where it is built.
        known[id(node)] = 1
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def read_value(text: str, where: str) -> object:
    """Read one value that was typed at a terminal, as it would be read in a file.

    Parameters
    ----------
    text
        YAML, such as ``results/mine`` or ``{address: 'file:mirror/geo'}``.
    where
        What to call it in messages.

    Raises
    ------
    AdnormError
        It is not YAML.
    """
    try:
        return _load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        told = getattr(error, "problem", None) or "it cannot be read"
        raise AdnormError(f"{where}: '{text}' is not valid YAML: {told}") from None


def read_yaml(path: Path) -> dict:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    AdnormError
        The file is absent or cannot be read, is not YAML (line and column are named), repeats a
        key, is not a mapping, or unfolds to far more than it is long.
    """
    problems = Problems(str(path))
    value = None
    try:
        value = _load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.add("this file does not exist")
    except UnicodeDecodeError:
        problems.add("this file is not UTF-8 text")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problems.add(f"not valid YAML{place}: {error.problem}")
    except yaml.reader.ReaderError as error:
        found = f"character {error.character:#x}" if isinstance(error.character, int) else "bytes"
        problems.add(f"not valid YAML: {found} at position {error.position}: {error.reason}")
    except RecursionError:
        problems.add("not a configuration: lists or mappings stand in one another hundreds deep")
    except ValueError as error:
        problems.add(f"a value cannot be read: {str(error).partition('; ')[0]}")
    except OSError as error:
        problems.add(f"this file cannot be read ({error.strerror or error})")
    if not problems and not isinstance(value, dict):
        problems.add("the file must hold `key: value` lines")
    problems.stop()
    return value


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(name))


@functools.cache
def load_schema(name: str) -> dict:
    """Load a schema by its short name (``config``, ``cohort``, ``simulation``).

    A property that says ``$file: NAME`` stands for that other schema.
    """
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return _expand(schema)


def _expand(node: object) -> object:
    if isinstance(node, dict):
        if set(node) == {"$file"}:
            return load_schema(node["$file"])
        return {key: _expand(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_expand(value) for value in node]
    return node


def fill_defaults(value: object, schema: dict) -> object:
    """Return a copy of `value` in which absent keys have the defaults of the schema."""
    value = deepcopy(value)
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key not in value and "default" in part:
                value[key] = deepcopy(part["default"])
            if key in value:
                value[key] = fill_defaults(value[key], part)
        other = schema.get("additionalProperties")
        if isinstance(other, dict):
            known = schema.get("properties", {})
            value = {k: v if k in known else fill_defaults(v, other) for k, v in value.items()}
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        value = [fill_defaults(item, schema["items"]) for item in value]
    return value


def _place(error: ValidationError) -> str:
    path = ": ".join(
        str(part) if isinstance(part, str) else f"item {part + 1}" for part in error.path
    )
    return f"{path}: " if path else ""


def _shown(found: object) -> str:
    text = "null" if found is None else repr(found)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _sentence(error: ValidationError) -> str:
    """Turn an error of the validator into a sentence that says what to do."""
    place, found, rule = _place(error), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [k for k in found if k not in known]
        hints = "".join(f" '{k}' is unknown{nearest(k, known) or '.'}" for k in unknown)
        return f"{place}unknown key:{hints} Known: {listing(known, 40)}"
    if error.validator == "required":
        missing = [k for k in rule if k not in found]
        return f"{place}{listing(missing)} must be given"
    if error.validator == "enum":
        allowed = ["null" if value is None else value for value in rule]
        near = nearest(found, allowed)
        return f"{place}'{found}' is not allowed{near}; allowed: {listing(allowed, 40)}"
    if error.validator == "type":
        kinds = rule if isinstance(rule, list) else [rule]
        return f"{place}found {_shown(found)}, which is not of type {' or '.join(kinds)}"
    if error.validator == "pattern":
        told = error.schema.get("description", f"it must match {rule}")
        return f"{place}'{found}' is not a valid name here: {told}"
    if error.validator in ("oneOf", "anyOf"):
        told = error.schema.get("description", "")
        return f"{place}{_shown(found)} fits none of the allowed forms. {told}".rstrip()
    return f"{place}{error.message}"


def check(value: dict, schema_name: str, where: str) -> dict:
    """Check a configuration against a schema and fill in the defaults.

    Parameters
    ----------
    value
        What the file holds.
    schema_name
        ``config`` or ``cohort``.
    where
        The file, for messages.

    Returns
    -------
    dict
        A copy with all defaults.

    Raises
    ------
    AdnormError
        One message with everything that is wrong.
    """
    problems = Problems(where)
    note_faults(value, schema_name, problems)
    problems.stop()
    return fill_defaults(value, load_schema(schema_name))


def note_faults(value: dict, schema_name: str, problems: Problems) -> set[tuple[str, ...]]:
    """Note everything that a schema refuses.

    A key that is missing because it is mistyped is told once, as the mistyped one.

    Returns
    -------
    set of tuple of str
        Where the faults are: the first two keys on the way to each. Of a mistyped key it is the
        place of the key that was meant.
    """
    errors = sorted(
        _validator(schema_name).iter_errors(value), key=lambda e: [str(p) for p in e.path]
    )
    meant = {(*error.path, key) for error in errors for key in _meant(error)}
    places = {(*error.path,) for error in errors} | meant
    for error in errors:
        missing = _missing(error)
        places |= {(*error.path, key) for key in missing}
        if not missing or any((*error.path, key) not in meant for key in missing):
            problems.add(_sentence(error))
    return {tuple(str(part) for part in place[:2]) for place in places}


def _missing(error: ValidationError) -> list[str]:
    """List the keys that must be there and are not."""
    if error.validator != "required":
        return []
    return [key for key in error.validator_value if key not in error.instance]


def _meant(error: ValidationError) -> list[str]:
    """List the known keys that unknown ones were probably meant for."""
    if error.validator != "additionalProperties":
        return []
    known = error.schema.get("properties", {})
    absent = [key for key in known if key not in error.instance]
    likely = [nearest(key, absent) for key in error.instance if key not in known]
    return [key for key in absent if any(f"'{key}'" in text for text in likely)]
