# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""JSON Schema, the part of it that shapes use, compiled to plain functions.

``compiled(schema)`` gives a function that returns nothing or raises ``Mismatch``, which names
the field.  The jsonschema library is the oracle in tests: both must agree.  Unknown keywords
are a ``Bug`` when a schema is compiled, never a silent pass.
"""

import re
import typing

from nova_cells.api import formats
from nova_cells.domain import errors

Check = typing.Callable[[typing.Any], None]
_SHOWN = 200                             # characters of a value that a sentence repeats


class Mismatch(Exception):
    """A value is not of its schema.  ``path``: where inside the body."""

    def __init__(self, reason: str, value: typing.Any) -> None:
        super().__init__(reason)
        self.reason, self.value, self.path = reason, value, []

    def within(self, key: str | int) -> "Mismatch":
        """The same, seen from one level further out."""
        self.path.insert(0, key)
        return self

    def sentence(self) -> str:
        """One sentence that names the field, as clients of this API expect it."""
        if not self.path:
            return self.reason
        return (f"Invalid input for field/attribute {self.path[-1]}. Value: "
                f"{str(self.value)[:_SHOWN]}. {self.reason}")


def _shown(value: typing.Any) -> str:
    return repr(value)[:_SHOWN]


_TYPES: dict[str, typing.Callable[[typing.Any], bool]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "number": lambda value: type(value) in (int, float),
}


def _type(names: str | list[str], _schema: dict) -> Check:
    listed = [names] if isinstance(names, str) else names
    tests = [_TYPES[name] for name in listed]
    words = ", ".join(repr(name) for name in listed)

    def check(value: typing.Any) -> None:
        if not any(test(value) for test in tests):
            raise Mismatch(f"{_shown(value)} is not of type {words}", value)
    return check


def _same(left: typing.Any, right: typing.Any) -> bool:
    return left == right and (type(left) is bool) == (type(right) is bool)


def _enum(values: list, _schema: dict) -> Check:
    def check(value: typing.Any) -> None:
        if not any(_same(value, one) for one in values):
            raise Mismatch(f"{_shown(value)} is not one of {values}", value)
    return check


def _length(test: typing.Callable[[int], bool], words: str) -> Check:
    def check(value: typing.Any) -> None:
        if type(value) is str and test(len(value)):
            raise Mismatch(f"{_shown(value)} is too {words}", value)
    return check


def _pattern(pattern: str, _schema: dict) -> Check:
    search = re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$")
                        else pattern).search

    def check(value: typing.Any) -> None:
        if type(value) is str and not search(value):
            raise Mismatch(f"{_shown(value)} does not match '{pattern}'", value)
    return check


def _number(value: typing.Any) -> int | float | None:
    """A number, or text that spells one: numbers may come as text in this API."""
    if type(value) in (int, float):
        return value
    if type(value) is str and len(value) <= 40:
        try:
            return int(value)
        except ValueError:
            return None
    return None


def _bound(limit: float, beyond: typing.Callable[[float, float], bool], words: str) -> Check:
    def check(value: typing.Any) -> None:
        number = _number(value)
        if number is not None and beyond(number, limit):
            raise Mismatch(f"{_shown(value)} is {words} of {limit}", value)
        if number is None and type(value) is str and len(value) > 40:
            raise Mismatch(f"{_shown(value)} is too long", value)
    return check


def _format(name: str, _schema: dict) -> Check:
    test = formats.FORMATS[name]

    def check(value: typing.Any) -> None:
        if type(value) is str:
            complaint = test(value)
            if complaint:
                raise Mismatch(complaint if complaint is not True
                               else f"{_shown(value)} is not a {name!r}", value)
    return check


def _items(schema: dict, _outer: dict) -> Check:
    inner = compiled(schema)

    def check(value: typing.Any) -> None:
        if type(value) is list:
            for place, item in enumerate(value):
                try:
                    inner(item)
                except Mismatch as mismatch:
                    raise mismatch.within(place)
    return check


def _count(kind: type, test: typing.Callable[[int], bool], words: str) -> Check:
    def check(value: typing.Any) -> None:
        if type(value) is kind and test(len(value)):
            raise Mismatch(f"{_shown(value)} {words}", value)
    return check


def _unique(wanted: bool, _schema: dict) -> Check:
    def check(value: typing.Any) -> None:
        if wanted and type(value) is list:
            if len({repr(item) for item in value}) < len(value):
                raise Mismatch(f"{_shown(value)} has non-unique elements", value)
    return check


def _required(names: list[str], _schema: dict) -> Check:
    def check(value: typing.Any) -> None:
        if type(value) is dict:
            for name in names:
                if name not in value:
                    raise Mismatch(f"'{name}' is a required property", value)
    return check


def _any_of(schemas: list[dict], _schema: dict) -> Check:
    checks = [compiled(schema) for schema in schemas]

    def check(value: typing.Any) -> None:
        first = None
        for one in checks:
            try:
                return one(value)
            except Mismatch as mismatch:
                first = first or mismatch
        deep = first is not None and len(checks) == 1
        raise first if deep else Mismatch(
            f"{_shown(value)} is not valid under any of the given schemas", value)
    return check


def _one_of(schemas: list[dict], _schema: dict) -> Check:
    checks = [compiled(schema) for schema in schemas]

    def check(value: typing.Any) -> None:
        fits = 0
        for one in checks:
            try:
                one(value)
                fits += 1
            except Mismatch:
                pass
        if fits != 1:
            words = ("is not valid under any of the given schemas" if not fits
                     else "is valid under more than one of the given schemas")
            raise Mismatch(f"{_shown(value)} {words}", value)
    return check


def _properties(schema: dict) -> Check:
    """properties, patternProperties and additionalProperties, which belong together."""
    named = {key: compiled(inner) for key, inner in schema.get("properties", {}).items()}
    patterns = [(re.compile(key.removesuffix("$") + r"\Z" if key.endswith("$") else key).search,
                 compiled(inner)) for key, inner in schema.get("patternProperties", {}).items()]
    extra = schema.get("additionalProperties", True)
    other = compiled(extra) if isinstance(extra, dict) else None

    def check(value: typing.Any) -> None:
        if type(value) is not dict:
            return
        for key, item in value.items():
            checks = [named[key]] if key in named else []
            checks += [inner for search, inner in patterns if search(key)]
            if not checks and extra is False:
                raise Mismatch("Additional properties are not allowed "
                               f"({_shown(key)} was unexpected)", value)
            try:
                for inner in checks or ([other] if other else []):
                    inner(item)
            except Mismatch as mismatch:
                raise mismatch.within(key)
    return check


_PROPERTIES = ("properties", "patternProperties", "additionalProperties")
_KEYWORDS: dict[str, typing.Callable[[typing.Any, dict], Check]] = {
    "type": _type,
    "enum": _enum,
    "minLength": lambda low, _: _length(lambda size: size < low, "short"),
    "maxLength": lambda high, _: _length(lambda size: size > high, "long"),
    "pattern": _pattern,
    "minimum": lambda low, _: _bound(low, lambda number, limit: number < limit,
                                     "less than the minimum"),
    "maximum": lambda high, _: _bound(high, lambda number, limit: number > limit,
                                      "greater than the maximum"),
    "format": _format,
    "items": _items,
    "minItems": lambda low, _: _count(list, lambda size: size < low, "is too short"),
    "maxItems": lambda high, _: _count(list, lambda size: size > high, "is too long"),
    "uniqueItems": _unique,
    "required": _required,
    "minProperties": lambda low, _: _count(dict, lambda size: size < low,
                                           "does not have enough properties"),
    "maxProperties": lambda high, _: _count(dict, lambda size: size > high,
                                            "has too many properties"),
    "anyOf": _any_of,
    "oneOf": _one_of,
}
_ORDER = list(_KEYWORDS)


def compiled(schema: dict) -> Check:
    """A function that passes a value of this schema and raises ``Mismatch`` for any other."""
    unknown = set(schema) - set(_KEYWORDS) - set(_PROPERTIES)
    if unknown:
        raise errors.Bug(f"shapes know no keyword {', '.join(sorted(unknown))}")
    checks = [_KEYWORDS[key](schema[key], schema)
              for key in sorted(set(schema) & set(_KEYWORDS), key=_ORDER.index)]
    if any(key in schema for key in _PROPERTIES):
        checks.append(_properties(schema))
    if len(checks) == 1:
        return checks[0]

    def check(value: typing.Any) -> None:
        for one in checks:
            one(value)
    return check
