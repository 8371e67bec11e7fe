"""YAML as people mean it, within limits that no honest file meets."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from adnorm.base.errors import AdnormError, Problems
from adnorm.base.inflate import refuse_endless


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


def _unique_mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
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
#: Lists and mappings that may stand in one another; a cohort file has five.
_DEEPEST = 100
#: Characters of a file; the parser takes a minute for a hundred times as much.
_MOST_CHARACTERS = 5_000_000
#: What the constructors of YAML's types raise for a text that is none, such as ``!!bool perhaps``.
_NO_VALUE = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError)


def _load(text: str) -> object:
    if len(text) > _MOST_CHARACTERS:
        raise yaml.YAMLError("too long")
    _check_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        values, height = _size(node, {})
        if height > _DEEPEST:
            raise RecursionError
        if values > _MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, "its aliases unfold to millions of values", node.start_mark
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    """Stop before the parser calls itself so often that the process dies: it is written in C."""
    depth = values = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        if depth > _DEEPEST:
            raise RecursionError
        if values > _MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"this file holds more than {_MOST_VALUES:,} values; a configuration has hundreds",
                event.start_mark,
            )


def _size(node: yaml.Node, known: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """Count the values of a node, and how deep they stand, as if aliases were written out."""
    if depth > _DEEPEST:
        raise RecursionError
    if id(node) not in known:
        # A node that holds itself is refused where it is built.
        known[id(node)] = (1, 1)
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        sizes = [_size(part, known, depth + 1) for part in parts]
        height = 1 + max((height for _, height in sizes), default=0)
        known[id(node)] = (1 + sum(count for count, _ in sizes), height)
    return known[id(node)]


_SHOWN = 200
#: A part of what the parser says → what people can do about it; ``{begun}`` is where it began.
_ADVICE = {
    "violates indentation": "this line is indented with a tab; use spaces",
    "cannot start any token": "no value begins with this character; write such a text in quotes, "
    "and indent with spaces, not with tabs",
    "mapping values are not allowed": "a ':' stands where none can; write a text with ': ' in it "
    "in quotes, and indent keys of one level alike",
    "unexpected end of stream": "a quoted text{begun} does not end; a quote is missing",
    "expected ',' or ']'": "a list in brackets{begun} does not end; a ',' or a ']' is missing",
    "expected ',' or '}'": "a mapping in braces{begun} does not end; a ',' or a '}' is missing",
    "expected '-' indicator": "a list{begun} has a line without '-' among its own; indent all of "
    "its '-' alike, and keys otherwise",
    "expected <document start>": "what stands before is no `key: value` but a whole value",
    "expected key": "this is no `key: value` of the mapping{begun}; indent the keys of one level "
    "alike, and put quotes around whole values",
    "could not find expected ':'": "a ':' is missing after a key, or a quoted text{begun} has no "
    "end",
    "undefined alias": "'*' stands for a value that was named before with '&', and none has this "
    "name; write texts that begin with '*' in quotes",
    "unknown escape character": "no character is written like this in double quotes; where '\\' is "
    "a letter of the text, use single quotes",
}


def _in_words(error: yaml.MarkedYAMLError) -> str:
    """Say what is wrong with a text; in the parser's own words where it is rare."""
    problem = error.problem or "it cannot be read"
    words = next((advice for part, advice in _ADVICE.items() if part in problem), problem)
    begun, found = error.context_mark, error.problem_mark
    further = begun and found and begun.line != found.line
    return words.replace("{begun}", f" that begins at line {begun.line + 1}" if further else "")


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
    except (yaml.YAMLError, RecursionError, *_NO_VALUE) as error:
        marked = isinstance(error, yaml.MarkedYAMLError)
        reason = _in_words(error) if marked else "it cannot be read"
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise AdnormError(f"{where}: '{shown}' is not valid YAML: {reason}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    AdnormError
        The file is absent or cannot be read, is not YAML (line and column are named), repeats a
        key, is not a mapping, or unfolds to far more than it is long.
    """
    problems = Problems(str(path))
    value: Any = None
    try:
        refuse_endless(path, "this")
        with path.open(encoding="utf-8") as file:
            value = _load(file.read(_MOST_CHARACTERS + 1))
    except AdnormError as error:
        problems.add(str(error).removeprefix("this: "))
    except FileNotFoundError:
        problems.add("this file does not exist")
    except UnicodeDecodeError:
        problems.add("this file is not UTF-8 text")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problems.add(f"not valid YAML{place}: {_in_words(error)}")
    except yaml.reader.ReaderError as error:
        found = f"character {error.character:#x}" if isinstance(error.character, int) else "bytes"
        problems.add(f"not valid YAML: {found} at position {error.position}: {error.reason}")
    except RecursionError:
        problems.add("not a configuration: lists or mappings stand in one another hundreds deep")
    except yaml.YAMLError:
        problems.add(
            f"this file has more than {_MOST_CHARACTERS / 1e6:.0f} million characters; a "
            "configuration has some thousands"
        )
    except _NO_VALUE as error:
        problems.add(f"a value cannot be read: {str(error).partition('; ')[0]}")
    except OSError as error:
        problems.add(f"this file cannot be read ({error.strerror or error})")
    if not problems and not isinstance(value, dict):
        problems.add("the file must hold `key: value` lines")
    problems.stop()
    return value
