# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The smallest body that a shape takes, made of its schema."""

import typing

UUID = "5a3b0000-0000-4000-8000-000000000001"
_FORMATS = {"uuid": UUID, "ipv4": "10.0.0.1", "ipv6": "fe80::1", "date-time": "2026-01-01",
            "base64": "aGk=", "regex": "a"}
_PATTERNED = ("a", "1", "ab", "private", "nova-compute", "a=b")


def smallest(schema: typing.Any) -> typing.Any:
    """A value that the schema takes, with nothing that may be left out."""
    if not isinstance(schema, dict) or not schema:
        return None
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return smallest(schema[key][0])
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    return _MAKERS[kind](schema)


def _object(schema: dict) -> dict:
    found = {name: smallest(schema["properties"][name]) for name in schema.get("required", ())}
    if len(found) < schema.get("minProperties", 0):
        if schema.get("patternProperties"):
            found["a"] = smallest(next(iter(schema["patternProperties"].values())))
        else:
            for name, inner in schema.get("properties", {}).items():
                found.setdefault(name, smallest(inner))
    return found


def _array(schema: dict) -> list:
    return [smallest(schema.get("items"))] * schema.get("minItems", 0)


def _text(schema: dict) -> str:
    made = _FORMATS.get(schema.get("format", ""), "a")
    return made.ljust(schema.get("minLength", 0), "a") or "a"


_MAKERS = {"object": _object, "array": _array, "string": _text,
           "integer": lambda schema: max(1, schema.get("minimum", 1)),
           "number": lambda schema: max(1, schema.get("minimum", 1)),
           "boolean": lambda schema: True, "null": lambda schema: None}
