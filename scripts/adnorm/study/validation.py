"""Typed models of what people write, and what is wrong with it in their words.

A file is read into a model (`Section`) that holds types, defaults, allowed values and meanings.
pydantic finds what is wrong; here it is said in sentences that name the place as the file writes
it, everything at once.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function

from adnorm.base.errors import AdnormError, Problems, listing, nearest
from adnorm.base.yaml_text import read_value

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
V = TypeVar("V", bound="Section")


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"{list(values)} holds an entry twice")
    return values


#: A list of a file; a model holds it as a tuple, so that nobody changes it.
Listed = Annotated[tuple[T, ...], Field(strict=False)]
#: A list in which no entry stands twice.
Unique = Annotated[
    tuple[T, ...],
    AfterValidator(_once),
    Field(strict=False, json_schema_extra={"uniqueItems": True}),
]


class _NotNull:
    """Marks a key that may be left out, but not be null."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_before_validator_function(_refuse_null, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(schema)
        parts = [part for part in written.get("anyOf", ()) if part != {"type": "null"}]
        return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "null is not allowed")
    return value


#: A key that may be left out, which is not the same as null.
Omittable = Annotated[T | None, _NotNull()]
#: Digest of a file.
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A mapping of a file: no other keys, no values of another type, and nobody changes it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        # Words stay plain texts: containers and tables do not take members of an enum.
        use_enum_values=True,
        validate_by_name=True,
        validate_by_alias=True,
        # The checks of a model are made when it is first used: a job uses few of them.
        defer_build=True,
    )

    def view(self, kind: type[V]) -> V:
        """Take only what another model asks for.

        Parameters
        ----------
        kind
            A model whose fields all stand here, too; its sections may ask for less.
        """
        return kind.model_validate(_part(self, kind))

    def as_written(self) -> dict[str, Any]:
        """Write the keys that were given, as plain values under the names of the file."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Sparse(Section):
    """A mapping whose absent keys mean something: it is written with the keys that were given."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = handler(schema)
        for part in handler.resolve_ref_schema(written).get("properties", {}).values():
            part.pop("default", None)
        return written

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        given = {name for key in self.model_fields_set for name in (key, fields[key].alias)}
        return {key: value for key, value in handler(self).items() if key in given}


def _part(whole: BaseModel, kind: type[BaseModel]) -> dict[str, Any]:
    part = {}
    for name, inner in _fields(kind):
        value = getattr(whole, name)
        narrower = isinstance(value, BaseModel) and type(value) is not inner
        part[name] = _part(value, inner) if narrower else value
    return part


@functools.cache
def _fields(kind: type[BaseModel]) -> list[tuple[str, Any]]:
    """List the fields of a model with their type; hundreds of cohorts ask for the same."""
    fields = kind.model_fields.items()
    return [(name, _alternatives(field.annotation)[0]) for name, field in fields]


def check(kind: type[M], value: object, where: str) -> M:
    """Read plain values into a model.

    Parameters
    ----------
    kind
        The model.
    value
        What a file holds.
    where
        The file, for messages.

    Raises
    ------
    AdnormError
        One message with everything that is wrong.
    """
    try:
        return kind.model_validate(value)
    except ValidationError:
        problems = Problems(where)
        for sentence in find_faults(kind, value).sentences:
            problems.add(sentence)
        problems.stop()
        raise


@dataclass
class Faults:
    """What a model refuses.

    Attributes
    ----------
    sentences
        For people.
    places
        Where: the first two keys on the way to each fault. Of a mistyped key it is the place of
        the key that was meant.
    unsure
        Keys of the file that are not there, one of which an unknown key that is like none may be.
    """

    sentences: list[str] = field(default_factory=list)
    places: set[tuple[str, ...]] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)


def find_faults(kind: type[BaseModel], value: object) -> Faults:
    """Find everything that a model refuses.

    A key that is missing because it is mistyped is told once, as the mistyped one.
    """
    try:
        kind.model_validate(value)
    except ValidationError as refused:
        found = refused.errors(include_url=False)
    else:
        return Faults()
    faults, places = Faults(), _gathered(kind, found)
    meant: set[tuple[Any, ...]] = set()
    for path, errors in places.items():
        place, given = _Place.at(kind, path), _at(value, path)
        keys, unsure = _meant(place, given, errors)
        meant |= {(*path, key) for key in keys}
        faults.places |= {tuple(map(str, (*path, key)[:2])) for key in keys}
        faults.unsure |= set() if path else set(unsure)
    for path, errors in sorted(places.items(), key=lambda item: [str(part) for part in item[0]]):
        place = _Place.at(kind, path)
        for error in errors:
            missing = {(*path, key) for key in error.get("missing", ())}
            faults.places |= {tuple(map(str, p[:2])) for p in {path} | missing}
            if not missing or missing - meant:
                faults.sentences.append(place.prefix + _sentence(place, error))
    return faults


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def _gathered(
    kind: type[BaseModel], found: list[Any]
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Bring errors together by the place that a person would mend."""
    places: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for error in found:
        path = tuple(error["loc"])
        if path and path[-1] == "[key]":
            places.setdefault(path[:-2], []).append({"type": "key", "input": path[-2]})
            continue
        if error["type"] in ("missing", "extra_forbidden"):
            # Told once for the mapping that lacks them or has them.
            errors = places.setdefault(path[:-1], [])
            word = "missing" if error["type"] == "missing" else "unknown"
            entry = next((e for e in errors if word in e), None)
            if entry is None:
                errors.append(entry := {"type": error["type"], word: []})
            entry[word].append(path[-1])
            continue
        path = _Place.at(kind, path).path
        errors = places.setdefault(path, [])
        if not any("input" in e for e in errors):
            errors.append({"input": error["input"], **error})
    # A list whose entries are wrong is not too short besides.
    for path in [p for p, errors in places.items() if errors[0]["type"] == "too_short"]:
        if any(other[: len(path)] == path and other != path for other in places):
            del places[path]
    return places


def _meant(
    place: _Place, instance: Mapping[str, Any], errors: list[dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """List the known keys that unknown ones were probably meant for, and those that may be meant.

    One unknown key where one key is missing is that key, whatever it looks like.
    """
    unknown = [error for error in errors if "unknown" in error]
    if not unknown:
        return [], []
    absent = [key for key in place.keys if key not in instance]
    missing = [key for error in errors for key in error.get("missing", ())]
    likely = {key: nearest(key, absent) for key in unknown[0]["unknown"]}
    # A second spelling of a key that is there stands for no other one.
    unlike = [k for k, near in likely.items() if not near and not nearest(k, place.keys)]
    meant = [key for key in absent if any(f"'{key}'" in near for near in likely.values())]
    if len(unlike) == 1 and len(rest := [key for key in missing if key not in meant]) == 1:
        unknown[0]["likely"] = {unlike[0]: rest[0]}
        return [*meant, *rest], []
    return meant, absent if unlike else []


@dataclass
class _Place:
    """A place in a model: what may stand there."""

    path: tuple[Any, ...]
    #: Types that may stand here, without ``None``.
    alternatives: tuple[Any, ...]
    optional: bool = False
    meaning: str = ""
    labels: tuple[str, ...] = ()

    @classmethod
    def at(cls, kind: type[BaseModel], path: tuple[Any, ...]) -> _Place:
        """Follow the location of an error; it ends where a value may have several forms."""
        place = cls((), (kind,))
        for part in path:
            if len(place.alternatives) != 1:
                break
            whole = place.alternatives[0]
            annotation, meaning = _below(whole, part)
            if annotation is None:
                break
            listed = get_origin(whole) in (tuple, list)
            place = cls(
                (*place.path, part),
                _alternatives(annotation),
                _is_optional(annotation),
                meaning or _description(annotation),
                (*place.labels, f"item {part + 1}" if listed else str(part)),
            )
        return place

    @property
    def prefix(self) -> str:
        """The keys on the way, as a message opens with them."""
        return "".join(f"{label}: " for label in self.labels)

    @property
    def keys(self) -> list[str]:
        """Names of the keys of a mapping, as the file writes them."""
        model = self.alternatives[0] if self.alternatives else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
        return [part.alias or name for name, part in model.model_fields.items()]

    @property
    def allowed(self) -> list[object]:
        """The allowed values, where they are listed."""
        values: list[object] = []
        for kind in self.alternatives:
            if get_origin(kind) is Literal:
                values += [getattr(value, "value", value) for value in get_args(kind)]
            elif isinstance(kind, type) and issubclass(kind, Enum):
                values += [member.value for member in kind]
        return [*values, *(["null"] if values and self.optional else [])]

    @property
    def kinds(self) -> list[str]:
        """The types that may stand here, in the words of YAML."""
        names = list(dict.fromkeys(_kind(part) for part in self.alternatives))
        if "number" in names and "integer" in names:
            names.remove("integer")
        return [*names, *(["null"] if self.optional else [])]


def _below(annotation: Any, part: Any) -> tuple[Any, str]:
    """Find what may stand under a key or at a position, and what it means."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, known in annotation.model_fields.items():
            if part in (name, known.alias):
                annotation = known.annotation
                if any(isinstance(mark, _NotNull) for mark in known.metadata):
                    annotation = functools.reduce(operator.or_, _alternatives(annotation))
                return annotation, known.description or ""
    elif origin in (tuple, list):
        return get_args(annotation)[0], ""
    elif origin is dict and part != "[key]":
        return get_args(annotation)[1], ""
    return None, ""


def _unwrapped(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _description(annotation: Any) -> str:
    for part in getattr(annotation, "__metadata__", ()):
        if isinstance(part, FieldInfo) and part.description:
            return part.description
    return ""


def _members(annotation: Any) -> tuple[Any, ...]:
    annotation = _unwrapped(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(m for part in get_args(annotation) for m in _members(part))
    return (annotation,)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return tuple(part for part in _members(annotation) if part is not type(None))


def _is_optional(annotation: Any) -> bool:
    return type(None) in _members(annotation)


_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin in (tuple, list):
        return "array"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "object"
    return _KINDS.get(annotation, "string")


def _shown(found: object) -> str:
    text = "null" if found is None else repr(found)
    return text if len(text) <= 200 else f"{text[:200]}…"


#: What pydantic finds → the sentence of it.
_BOUNDS = {
    "greater_than_equal": "{found} is less than the minimum of {ge}",
    "greater_than": "{found} is less than or equal to the minimum of {gt}",
    "less_than_equal": "{found} is greater than the maximum of {le}",
    "less_than": "{found} is greater than or equal to the maximum of {lt}",
    "too_short": "{found} has fewer than {min_length} entries",
    "too_long": "{found} has more than {max_length} entries",
    "string_too_long": "{found} is longer than {max_length} characters",
    "finite_number": "{found} is not a finite number",
}


def _sentence(place: _Place, error: dict[str, Any]) -> str:
    """Turn what pydantic found into a sentence that says what to do."""
    if "unknown" in error:
        known, likely = place.keys, error.get("likely", {})
        hints = "".join(
            f" '{k}' is unknown{nearest(likely.get(k, k), known) or '.'}" for k in error["unknown"]
        )
        return f"unknown key:{hints} Known: {listing(known, 40)}"
    if "missing" in error:
        return f"{listing(error['missing'])} must be given"
    found, rule = error["input"], error["type"]
    if rule == "key":
        return f"the key {_shown(found)} is no text; put it in quotes"
    if rule in _BOUNDS:
        limits = {key: _plain(value) for key, value in error.get("ctx", {}).items()}
        return _BOUNDS[rule].format(found=_shown(found), **limits)
    if rule == "value_error":
        return str(error["ctx"]["error"])
    if rule == "string_pattern_mismatch":
        meaning = place.meaning or f"it must match {error['ctx']['pattern']}"
        return f"'{found}' is not a valid name here: {meaning}"
    if place.allowed and rule in ("literal_error", "enum") and len(place.alternatives) == 1:
        near = nearest(found, place.allowed)
        return f"'{found}' is not allowed{near}; allowed: {listing(place.allowed, 40)}"
    if len(place.alternatives) > 1 and ("array" in place.kinds or place.allowed):
        return f"{_shown(found)} fits none of the allowed forms. {place.meaning}".rstrip()
    return f"found {_shown(found)}, which is not of type {' or '.join(place.kinds)}"


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_types(
    kind: type[BaseModel], value: Mapping[str, Any], typed: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the texts of a command line the type that a model asks for at their place.

    Snakemake hands all that stands inside of a section over as text: ``geo={attempts: 1}`` has the
    attempts '1'. What a model takes as text stays text; any other is read as in a file.

    Parameters
    ----------
    kind
        The model.
    value
        Plain values, from files and the command line.
    typed
        What was typed, by key. Of a workflow that uses this one it may be something else, so that
        only what stands in `value` as it was typed is read.

    Examples
    --------
    >>> class Geo(Section):
    ...     attempts: int = 5
    ...     address: str = ""
    >>> with_types(Geo, {"attempts": "1", "address": "12"}, {"attempts": "1", "address": "12"})
    {'attempts': 1, 'address': '12'}
    """
    return {
        key: _typed(part, typed[key], _below(kind, key)[0], f"--config {key}")
        if key in typed
        else part
        for key, part in value.items()
    }


def _typed(value: Any, typed: Any, annotation: Any, where: str) -> Any:
    alternatives = _alternatives(annotation) if annotation is not None else ()
    inner = alternatives[0] if len(alternatives) == 1 else None
    if isinstance(value, Mapping) and isinstance(typed, Mapping):
        return {
            key: _typed(part, typed[key], _below(inner, key)[0], where) if key in typed else part
            for key, part in value.items()
        }
    if not alternatives or value != typed:
        return value
    if isinstance(value, list):
        lists = [kind for kind in alternatives if get_origin(kind) in (tuple, list)]
        entry = get_args(lists[0])[0] if lists else None
        return [_typed(part, part, entry, where) for part in value]
    if not isinstance(value, str):
        return value
    if value == "null" and _is_optional(annotation):
        return None
    if str in alternatives:
        return value
    try:
        return read_value(value, where)
    except AdnormError:
        return value
