# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Shapes of bodies and queries, with their history told once.

    create = Shape(name=name, flavorRef=ref).since("2.19", description=optional(description))

A shape is an object with fields.  A field is required unless it is ``optional``; what it may
hold is another shape or a JSON Schema.  ``since`` adds, changes or takes away (``REMOVED``)
fields from a version on.  ``schema(version)`` is the JSON Schema of one version, ``check``
the compiled form of it.  Pure: nothing here knows HTTP.
"""

import bisect
import typing

from nova_cells.api import microversion, schemas
from nova_cells.domain import errors

Schema = dict[str, typing.Any]
REMOVED = object()


class Optional(typing.NamedTuple):
    """A field that may be left out."""

    spec: typing.Any


def optional(spec: "Schema | Shape") -> Optional:
    """This field may be left out."""
    return Optional(spec)


class Shape:
    """An object with named fields.  ``extra``: whether other fields may stand beside them."""

    def __init__(self, fields: dict[str, typing.Any] | None = None, *, extra: bool = False,
                 keywords: Schema | None = None, **named: typing.Any) -> None:
        self._history: list[tuple[int, dict[str, typing.Any]]] = [
            (microversion.MIN, {**(fields or {}), **named})]
        self._extra = extra
        self._keywords = keywords or {}
        self._compiled: dict[tuple[int, bool], typing.Callable[[typing.Any], None]] = {}
        self._cuts: list[int] | None = None

    def since(self, version: str, fields: dict[str, typing.Any] | None = None,
              **named: typing.Any) -> "Shape":
        """The same shape, with these fields added, changed or ``REMOVED`` from a version on."""
        new = Shape(extra=self._extra, keywords=self._keywords)
        new._history = [*self._history, (microversion.minor(version), {**(fields or {}), **named})]
        new._history.sort(key=lambda step: step[0])
        return new

    def fields(self, version: int) -> dict[str, typing.Any]:
        """The fields at a version (minor number), as they were given."""
        found: dict[str, typing.Any] = {}
        for start, changes in self._history:
            if start <= version:
                found.update(changes)
        return {name: spec for name, spec in found.items() if spec is not REMOVED}

    def schema(self, version: int) -> Schema:
        """The JSON Schema at a version (minor number)."""
        fields = self.fields(version)
        required = [name for name, spec in fields.items() if not isinstance(spec, Optional)]
        schema: Schema = {
            "type": "object", "additionalProperties": self._extra,
            "properties": {name: _schema(spec, version) for name, spec in fields.items()},
            **self._keywords}
        if required:
            schema["required"] = required
        return schema

    @property
    def cuts(self) -> list[int]:
        """The versions at which anything in the shape changes, ascending."""
        if self._cuts is None:
            found = {start for start, _ in self._history}
            for _, changes in self._history:
                for spec in changes.values():
                    inner = spec.spec if isinstance(spec, Optional) else spec
                    if isinstance(inner, Shape):
                        found.update(inner.cuts)
            self._cuts = sorted(found)
        return self._cuts

    def check(self, value: typing.Any, version: int, relaxed: bool = False) -> None:
        """Raise ``Invalid`` with one sentence if the value has not this shape.

        ``relaxed``: keys that nobody knows are taken out, as the old ``/v2`` did: a handler must
        never see what was not checked.
        """
        start = self.cuts[max(0, bisect.bisect_right(self.cuts, version) - 1)]
        compiled = self._compiled.get((start, relaxed))
        if compiled is None:
            schema = self.schema(start)
            compiled = self._compiled[start, relaxed] = schemas.compiled(
                _open(schema) if relaxed else schema)
        if relaxed:
            _forget(self.schema(start), value)
        try:
            compiled(value)
        except schemas.Mismatch as mismatch:
            raise errors.Invalid(mismatch.sentence()) from None


def _forget(schema: Schema, value: typing.Any) -> None:
    """Take out the keys that nobody knows at this version."""
    if isinstance(value, list) and "items" in schema:
        for inner in value:
            _forget(schema["items"], inner)
    named = schema.get("properties")
    if not isinstance(value, dict) or named is None:
        return
    if schema.get("additionalProperties") is False and "patternProperties" not in schema:
        for key in value.keys() - named.keys():
            del value[key]
    for key in value.keys() & named.keys():
        _forget(named[key], value[key])


def _open(schema: typing.Any) -> typing.Any:
    """The same schema, but objects with named properties may hold others, too."""
    if isinstance(schema, list):
        return [_open(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    opened = {key: _open(inner) for key, inner in schema.items()}
    if opened.get("additionalProperties") is False and "properties" in opened:
        opened["additionalProperties"] = True
        if opened.get("minProperties") == 1 and "patternProperties" not in opened:
            # a key that is passed over is not the one that must be there
            opened["anyOf"] = [{"required": [name]} for name in opened["properties"]]
    return opened


def _schema(spec: typing.Any, version: int) -> Schema:
    if isinstance(spec, Optional):
        spec = spec.spec
    return spec.schema(version) if isinstance(spec, Shape) else spec


class Query(Shape):
    """Query parameters: each value of each parameter has its field's form.

    Unknown parameters are passed over before the version ``strict`` and refused from it on;
    None: always passed over.  Patterned names (``patterns``) are known, too.
    """

    def __init__(self, fields: dict[str, typing.Any] | None = None, *,
                 strict: str | None = None, **named: typing.Any) -> None:
        super().__init__(fields, extra=True, **named)
        self._strict = microversion.minor(strict) if strict else microversion.NEVER
        self._known: dict[int, dict[str, typing.Callable[[typing.Any], None]]] = {}

    def since(self, version: str, fields: dict[str, typing.Any] | None = None,
              **named: typing.Any) -> "Query":
        """The same query, with these parameters added, changed or ``REMOVED``."""
        new = Query()
        new._strict = self._strict
        new._history = [*self._history, (microversion.minor(version), {**(fields or {}), **named})]
        new._history.sort(key=lambda step: step[0])
        return new

    def accept(self, given: dict[str, list[str]], version: int) -> dict[str, list[str]]:
        """The known parameters of a request.  Raises ``Invalid``."""
        start = self.cuts[max(0, bisect.bisect_right(self.cuts, version) - 1)]
        known = self._known.get(start)
        if known is None:
            known = self._known[start] = {
                name: schemas.compiled(_schema(spec, version))
                for name, spec in self.fields(version).items()}
        accepted = {}
        for name, values in given.items():
            check = known.get(name)
            if check is None:
                if version >= self._strict:
                    raise errors.Invalid(f"Additional properties are not allowed ('{name}' was "
                                         f"unexpected)")
                continue
            for value in values:
                try:
                    check(value)
                except schemas.Mismatch as mismatch:
                    raise errors.Invalid(mismatch.within(name).sentence()) from None
            accepted[name] = values
        return accepted


class Value(Shape):
    """A body that need not be an object: whatever a JSON Schema says, at every version."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self._plain = schema

    def schema(self, version: int) -> Schema:
        """The JSON Schema."""
        return self._plain


NO_BODY = Value({"type": "null"})


# -- what a field may hold ------------------------------------------------------------------------

def string(low: int = 0, high: int | None = None, **keywords: typing.Any) -> Schema:
    """Text of some length."""
    schema: Schema = {"type": "string", **keywords}
    if low:
        schema["minLength"] = low
    if high is not None:
        schema["maxLength"] = high
    return schema


def integer(low: int | None = None, high: int | None = None) -> Schema:
    """A whole number, or its decimal spelling as text."""
    schema: Schema = {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}
    if low is not None:
        schema["minimum"] = low
        if low >= 0:
            schema["pattern"] = "^[0-9]+$"
    if high is not None:
        schema["maximum"] = high
    return schema


def nullable(spec: Schema) -> Schema:
    """The same, or null."""
    types = spec["type"]
    types = [types] if isinstance(types, str) else list(types)
    schema = {**spec, "type": [*types, "null"]}
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def array(spec: Schema, low: int = 0, high: int | None = None, unique: bool = False) -> Schema:
    """A list of such things."""
    schema: Schema = {"type": "array", "items": spec, "minItems": low}
    if high is not None:
        schema["maxItems"] = high
    if unique:
        schema["uniqueItems"] = True
    return schema


def either(*specs: Schema) -> Schema:
    """Any of these."""
    return {"anyOf": list(specs)}


def one_of(*values: typing.Any) -> Schema:
    """One of these values."""
    return {"enum": list(values)}


TRUE_WORDS = ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t")
FALSE_WORDS = ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f")

anything: Schema = {}
nothing: Schema = {"type": "null"}
boolean: Schema = {"type": ["boolean", "string"],
                   "enum": [True, *TRUE_WORDS, False, *FALSE_WORDS]}
uuid: Schema = {"type": "string", "format": "uuid"}
positive = integer(1)
non_negative = integer(0)
#: A name as people give it: 1 to 255 characters that can be printed, no blanks at its ends.
name: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
name_or_null: Schema = {"oneOf": [name, {"type": "null"}]}
#: The same, blanks at its ends allowed (they are stripped).
lax_name: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "format": "lax_name"}
#: What a guest calls itself: one label; from 2.94 the whole name with its domain.
hostname: Schema = {"type": "string", "minLength": 2, "maxLength": 63,
                    "pattern": "^[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]$"}
full_hostname: Schema = {"type": "string", "minLength": 2, "maxLength": 255,
                         "pattern": "^[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]$"}
#: A tag of a server.
tag: Schema = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
description: Schema = {"type": ["string", "null"], "minLength": 0, "maxLength": 255,
                       "format": "description"}
metadata: Schema = {"type": "object", "additionalProperties": False,
                    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$":
                                          {"type": "string", "maxLength": 255}}}


def truth(value: typing.Any) -> bool:
    """What a ``boolean`` says."""
    return value is True or value in TRUE_WORDS
