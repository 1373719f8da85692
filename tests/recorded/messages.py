# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Writes ``messages.json``: an example of every message as it travels, and the shape of each type.

``python -m tests.recorded.messages`` at a release, or when a message or a field was added;
whoever finds that an old line must change has broken what other releases understand.
"""

import json
import pathlib
import types
import typing

import msgspec

from nova_cells.domain import codec

PATH = pathlib.Path(__file__).with_name("messages.json")
PLAIN = {str: "text", int: 7, float: 1.5, bool: True, type(None): None, dict: {"key": "value"}}


def kinds() -> dict[str, type]:
    """Every type that travels, by name: the messages and what they are made of."""
    found: dict[str, type] = {}
    waiting = list(codec.TYPES.values())
    while waiting:
        kind = waiting.pop()
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            for hint in typing.get_type_hints(kind).values():
                waiting += [part for part in _parts(hint) if _is_struct(part)]
    return found


def alternatives(hint: typing.Any) -> list[str]:
    """What a field may hold, in words that do not depend on their order."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return sorted(word for part in typing.get_args(hint) for word in alternatives(part))
    if typing.get_origin(hint) is typing.Literal:
        return sorted(f"= {value}" for value in typing.get_args(hint))
    if typing.get_origin(hint) is not None:
        inner = ", ".join(" | ".join(alternatives(part)) if part is not Ellipsis else "..."
                          for part in typing.get_args(hint))
        return [f"{typing.get_origin(hint).__name__}[{inner}]"]
    return [hint.__name__]


def shape(kind: type) -> dict[str, dict[str, typing.Any]]:
    """Field -> what it may hold, and whether it must be there."""
    hints = typing.get_type_hints(kind)
    return {field.encode_name: {"holds": alternatives(hints[field.name]),
                                "required": field.required}
            for field in msgspec.structs.fields(kind)}


def example(hint: typing.Any) -> typing.Any:
    """A value with everything filled in that can be."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return parts[0]
    if origin is tuple and parts[-1] is not Ellipsis:
        return tuple(example(part) for part in parts)
    if origin in (tuple, list):
        return origin([example(parts[0])])
    if origin is dict:
        return {example(parts[0]): example(parts[1])}
    if parts:                            # a union: the one that says most
        return example(next((part for part in parts if _is_struct(part)), next(
            part for part in parts if part not in (type(None), msgspec.UnsetType))))
    if _is_struct(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{name: example(hints[name]) for name in hint.__struct_fields__})
    return PLAIN[hint]


def record() -> dict[str, typing.Any]:
    """All of it."""
    return {
        "messages": {name: json.loads(codec.encode(example(kind)))
                     for name, kind in sorted(codec.TYPES.items())},
        "shapes": {name: shape(kind) for name, kind in sorted(kinds().items())}}


def _is_struct(hint: typing.Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _parts(hint: typing.Any) -> list[typing.Any]:
    inner = typing.get_args(hint)
    return [hint, *(part for one in inner for part in _parts(one))]


if __name__ == "__main__":
    PATH.write_text(json.dumps(record(), indent=1, sort_keys=True) + "\n")
