# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API as an OpenAPI 3.1 document, made from the catalogue and nothing else.

``python -m nova_cells.api.openapi`` writes ``doc/openapi/compute.yaml`` and the pages of
``doc/api-ref`` anew.  Microversions stand in ``x-openstack``: an operation has the window in
which it is there, a body one schema for each stretch of versions in which it does not change.
"""

import collections.abc
import json
import pathlib
import re
import sys
import typing

from nova_cells.api import microversion, named, policy, shapes
from nova_cells.api.catalogue import Action

Json = dict[str, typing.Any]
ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = "doc/openapi/compute.yaml"
MEDIA = "application/json"
_FAULT = {"$ref": "#/components/responses/Fault"}
_WORDS = {200: "It was done, and this is what there is.", 201: "It was made.",
          202: "It was taken up and goes on.", 204: "It was done.",
          207: "Some of it was done: the answer says what.",
          300: "There are several.", 304: "It is as you know it.",
          410: "It was there once, and will not come back."}


def stretches(shape: shapes.Shape, first: int, last: int) -> list[tuple[int, int, Json]]:
    """(from, to, schema) for each stretch of versions in which a shape stays as it is."""
    found: list[tuple[int, int, Json]] = []
    starts = sorted({first, *(cut for cut in shape.cuts if first < cut <= last)})
    for place, start in enumerate(starts):
        end = starts[place + 1] - 1 if place + 1 < len(starts) else last
        schema = shape.schema(start)
        if found and found[-1][2] == schema:
            found[-1] = (found[-1][0], end, schema)
        else:
            found.append((start, end, schema))
    return found


class Document:
    """The document while it is made."""

    def __init__(self, actions: collections.abc.Iterable[Action],
                 rules: collections.abc.Iterable[typing.Any]) -> None:
        self._rules = named.Rules(tuple(rules))
        self._schemas: Json = {}
        self._paths: dict[str, Json] = {}
        self._templates: dict[str, str] = {}
        grouped: dict[tuple[str, str], list[Action]] = {}
        for action in sorted(actions, key=lambda one: (one.path, one.method, one.key,
                                                       one.window)):
            template = self._templates.setdefault(named.plain(action.path), action.path)
            grouped.setdefault((template, action.method), []).append(action)
        for (path, method), offered in grouped.items():
            entry = self._paths.setdefault(path, self._entry(path))
            entry[method.lower()] = self._operation(path, method, offered)

    def whole(self) -> Json:
        """The document."""
        return {
            "openapi": "3.1.0",
            "info": {"title": "Compute API", "version": microversion.text(microversion.MAX),
                     "summary": "What nova_cells serves, at every microversion",
                     "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
                     "x-openstack": {"min-ver": microversion.text(microversion.MIN),
                                     "max-ver": microversion.text(microversion.MAX)}},
            "servers": [{"url": "/v2.1"}],
            "security": [{"token": []}],
            "paths": self._paths,
            "components": {
                "securitySchemes": {"token": {"type": "apiKey", "in": "header",
                                              "name": "X-Auth-Token"}},
                "parameters": {"version": {
                    "name": microversion.HEADER, "in": "header", "schema": {"type": "string"},
                    "description": "Such as ``compute 2.96``; without it, 2.1."}},
                "responses": {"Fault": {
                    "description": "It was not done; the only key says what kind of fault it is.",
                    "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Fault"}}}}},
                "schemas": {"Fault": _fault(), **dict(sorted(self._schemas.items()))}}}

    # -- parts ----------------------------------------------------------------------------------

    @staticmethod
    def _entry(path: str) -> Json:
        names = re.findall(r"\{([^}]*)\}", path)
        return {"parameters": [
            {"$ref": "#/components/parameters/version"},
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in names)]}

    def _operation(self, path: str, method: str, offered: list[Action]) -> Json:
        made: Json = {
            "operationId": f"{method.lower()}{re.sub('[^A-Za-z0-9]+', '_', path)}".rstrip("_"),
            "tags": [path.split("/")[1]],
            "description": "\n".join(dict.fromkeys(_say(action) for action in offered)),
            "responses": self._responses(offered)}
        query = [parameter for action in offered for parameter in _parameters(action)]
        query += [{"name": name, "in": "header", "schema": {"type": "string"},
                   "x-openstack": {"min-ver": microversion.text(action.window[0]),
                                   "max-ver": microversion.text(action.window[1])}}
                  for action in offered for name in action.headers]
        if query:
            made["parameters"] = _merged(query)
        bodies = [body for action in offered for body in self._bodies(action)]
        if bodies:
            made["requestBody"] = {
                "required": any(action.body is not shapes.NO_BODY for action in offered),
                "content": {MEDIA: {"schema": bodies[0] if len(bodies) == 1
                                    else {"anyOf": bodies}}}}
        if all(action.gone for action in offered):
            made["deprecated"] = True
        made["x-openstack"] = [self._window(action) for action in offered]
        return made

    def _window(self, action: Action) -> Json:
        first, last = action.window
        window: Json = {"min-ver": microversion.text(first), "max-ver": microversion.text(last)}
        if action.keyed:
            window["action-name"] = action.key
        if action.gone:
            return {**window, "gone": True}
        window["policies"] = self._rules.of(action)
        window["success"] = [action.success, *action.also]
        window["cell-down"] = action.down
        return window

    @staticmethod
    def _responses(offered: list[Action]) -> Json:
        found: Json = {}
        for action in offered:
            if action.gone:
                found["410"] = _FAULT
                continue
            for status in (action.success, *action.also):
                answer: Json = {"description": _WORDS.get(status, "It was done.")}
                if status == 200 and action.method == "GET":
                    answer["content"] = {MEDIA: {"schema": {"type": "object"}}}
                found[str(status)] = answer
        return {**dict(sorted(found.items())), "default": _FAULT}

    def _bodies(self, action: Action) -> list[Json]:
        if action.body is None:
            return []
        found = []
        for first, last, schema in stretches(action.body, *action.window):
            name = (f"{action.method.lower()}_{action.path}_{action.key}" if action.keyed
                    else f"{action.method.lower()}_{action.path}")
            name = re.sub("[^A-Za-z0-9-]+", "_", name).strip("_") + f".{microversion.text(first)}"
            words = {"min-ver": microversion.text(first), "max-ver": microversion.text(last)}
            if action.keyed:
                words["action-name"] = action.key
            self._schemas[name] = {**schema, "x-openstack": words}
            found.append({"$ref": f"#/components/schemas/{name}"})
        return found


def _say(action: Action) -> str:
    """The first line of the handler's own words."""
    words = (getattr(action.handler, "__doc__", None) or "").strip().partition("\n")[0]
    if action.gone:
        words = "Gone."
    return f"{action.key}: {words}" if action.keyed and words else words or action.key


def _parameters(action: Action) -> list[Json]:
    """Query parameters, each with the versions that have it."""
    if action.query is None:
        return []
    found: dict[str, Json] = {}
    first, last = action.window
    for start, end, schema in stretches(action.query, first, last):
        for name, inner in schema["properties"].items():
            known = found.setdefault(name, {
                "name": name, "in": "query", "schema": inner,
                "x-openstack": {"min-ver": microversion.text(start), "max-ver": ""}})
            known["schema"] = inner
            known["x-openstack"]["max-ver"] = microversion.text(end)
    return list(found.values())


def _merged(parameters: list[Json]) -> list[Json]:
    """Each name once: the widest window of all actions that share a path."""
    found: dict[str, Json] = {}
    for parameter in parameters:
        known = found.setdefault(parameter["name"], parameter)
        if known is not parameter:
            ends = [known["x-openstack"], parameter["x-openstack"]]
            known["schema"] = parameter["schema"]
            known["x-openstack"] = {
                "min-ver": min((end["min-ver"] for end in ends), key=microversion.minor),
                "max-ver": max((end["max-ver"] for end in ends), key=microversion.minor)}
    return [found[name] for name in sorted(found)]


def _fault() -> Json:
    inner = {"type": "object", "required": ["code", "message"], "properties": {
        "code": {"type": "integer"}, "message": {"type": "string"},
        "retryAfter": {"type": "string"}}}
    return {"type": "object", "minProperties": 1, "maxProperties": 1,
            "additionalProperties": inner}


# -- as files -------------------------------------------------------------------------------------

def yaml(value: typing.Any, depth: int = 0) -> str:
    """A value as YAML, in blocks; scalars as JSON, which YAML understands."""
    blank = "  " * depth
    if isinstance(value, dict) and value:
        return "".join(f"{blank}{_key(key)}:{_inner(inner, depth)}"
                       for key, inner in value.items())
    if isinstance(value, list | tuple) and value:
        return "".join(f"{blank}-{_inner(inner, depth)}" for inner in value)
    return f"{blank}{_scalar(value)}\n"


def _inner(value: typing.Any, depth: int) -> str:
    if isinstance(value, dict | list | tuple) and value:
        return "\n" + yaml(value, depth + 1)
    return f" {_scalar(value)}\n"


def _scalar(value: typing.Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(text: str) -> str:
    return text if re.fullmatch("[A-Za-z_/$][A-Za-z0-9_/{}$.-]*", text) else json.dumps(text)


def files() -> dict[str, str]:
    """Path below the root of the project -> text, of everything that is made of the catalogue."""
    from nova_cells.api import apiref, compute
    actions, rules = compute.actions(), policy.list_rules()
    document = Document(actions, rules).whole()
    return {PATH: "# This file is made: python -m nova_cells.api.openapi\n" + yaml(document),
            **apiref.pages(actions, rules)}


def main() -> int:
    """Write them."""
    made = files()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for old in (ROOT / "doc" / "api-ref").glob("*.rst"):
        if str(old.relative_to(ROOT)) not in made:
            old.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
