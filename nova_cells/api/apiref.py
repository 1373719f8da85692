# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The reference of the API as pages of the documentation, made from the catalogue."""

import collections.abc
import typing

from nova_cells.api import microversion, named, openapi, shapes
from nova_cells.api.catalogue import Action

FOLDER = "doc/api-ref"
_MADE = ".. This page is made: python -m nova_cells.api.openapi\n"


def pages(actions: collections.abc.Iterable[Action],
          rules: collections.abc.Iterable[typing.Any]) -> dict[str, str]:
    """Path -> text: one page for what begins alike, one for what is gone, and their list."""
    known = named.Rules(tuple(rules))
    groups: dict[str, list[Action]] = {}
    for action in sorted(actions, key=lambda one: (one.path, one.method, one.key, one.window)):
        groups.setdefault("gone" if action.gone else action.path.split("/")[1],
                          []).append(action)
    made = {f"{FOLDER}/{name}.rst": _page(name, members, known)
            for name, members in groups.items()}
    listed = "".join(f"   {name}\n" for name in sorted(groups))
    made[f"{FOLDER}/index.rst"] = (
        f"{_MADE}\n{_title('The API, route by route', '=')}\n"
        "Made from the catalogue of actions, which answers the requests, too; "
        "``doc/openapi/compute.yaml``\nsays the same to programs. A token is sent as "
        "``X-Auth-Token``, a microversion as\n``OpenStack-API-Version: compute 2.96``; without "
        f"one it is {microversion.text(microversion.MIN)}. What a cell that is down\nmeans stands "
        "in :doc:`/howto/cell-down`.\n\n.. toctree::\n   :maxdepth: 1\n\n" + listed)
    return made


def _page(name: str, members: list[Action], known: named.Rules) -> str:
    if name == "gone":
        rows = sorted({(action.method, f"``{action.path}``") for action in members})
        return (f"{_MADE}\n{_title('Gone', '=')}\nThese answer 410, whatever is asked.\n\n"
                + _table(("method", "path"), rows))
    parts = [f"{_MADE}\n{_title('/' + name, '=')}"]
    for action in members:
        words = f"{action.method} {action.path}"
        first, last = (microversion.text(end) for end in action.window)
        if action.keyed:
            words += f": {action.key}"
        if (first, last) != (microversion.text(microversion.MIN),
                             microversion.text(microversion.MAX)):
            words += f" ({first} to {last})"
        parts.append(_title(words, "-") + "\n" + _section(action, known))
    return "\n".join(parts)


def _section(action: Action, known: named.Rules) -> str:
    first, last = (microversion.text(end) for end in action.window)
    asked = [f"``{name}`` ({known.checks[name] or 'anybody'})".replace("(@)", "(anybody)")
             for name in known.of(action)]
    said = (getattr(action.handler, "__doc__", None) or "").strip()
    text = (" ".join(said.split()).replace("*", "\\*").replace("|", "\\|").replace("_ ", "\\_ ")
            + "\n\n" if said else "")
    facts = [("versions", f"{first} to {last}"),
             ("answers", ", ".join(str(status) for status in (action.success, *action.also))),
             ("policy", "; ".join(asked) or "nobody is asked"),
             ("a cell is down", action.down)]
    if action.capability:
        facts.append(("not served", f"501: no host can do it yet ({action.capability})"))
    facts += [("listens to", f"``{name}``") for name in action.headers]
    rows = [*_fields("query", action.query, action), *_fields("body", action.body, action)]
    fields = _table(("name", "in", "holds", "versions"), rows) if rows else ""
    return text + _table(("", ""), facts) + ("\n" + fields if fields else "")


def _fields(place: str, shape: shapes.Shape | None,
            action: Action) -> list[tuple[str, str, str, str]]:
    """One row for each field, by its way from the outermost."""
    found: dict[str, list] = {}
    if shape is not None:
        for start, end, schema in openapi.stretches(shape, *action.window):
            for path, holds in _walk(schema, ""):
                known = found.setdefault(path, [start, end, holds])
                known[1:] = [end, holds]
    return [(f"``{path}``", place, holds,
             f"{microversion.text(start)} to {microversion.text(end)}")
            for path, (start, end, holds) in found.items()]


def _walk(schema: typing.Any, path: str) -> collections.abc.Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        return
    needed = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        way = f"{path}.{name}" if path else name
        yield way, _holds(inner) + (", required" if name in needed else "")
        yield from _walk(inner, way)
        if isinstance(inner, dict):
            yield from _walk(inner.get("items"), way + "[]")


def _holds(schema: typing.Any) -> str:
    if not isinstance(schema, dict) or not schema:
        return "anything"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_holds(inner) for inner in schema[key]))
    if "enum" in schema and "boolean" not in str(schema.get("type")):
        return "one of " + ", ".join(f"``{value}``" for value in schema["enum"])
    kind = schema.get("type", "anything")
    words = " or ".join(kind) if isinstance(kind, list) else kind
    for key, before in (("format", ""), ("minLength", "at least "), ("maxLength", "at most "),
                        ("minimum", "from "), ("maximum", "to "), ("maxItems", "at most ")):
        if key in schema:
            words += f", {before}{schema[key]}"
            words += " characters" if key.endswith("Length") else ""
    return words


def _title(words: str, line: str) -> str:
    return f"{words}\n{line * len(words)}\n"


def _table(head: tuple[str, ...], rows: collections.abc.Iterable[tuple[str, ...]]) -> str:
    named_head = any(head)
    lines = [".. list-table::", *(["   :header-rows: 1"] if named_head else []), ""]
    for row in ((head, *rows) if named_head else rows):
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}".rstrip()
                  for place, cell in enumerate(row)]
    return "\n".join([*lines, ""])
