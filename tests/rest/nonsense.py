# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Requests that nobody should send, made of the catalogue and a seeded generator.

A body begins as what its shape takes, so that it comes far, and is then spoiled at one or more
places.  May assume nothing of the API but its catalogue; never sends anything: see ``fuzz``.
"""

import json
import typing
import urllib.parse

from nova_cells.api import catalogue, microversion
from tests.rest import oddities, samples


class Asked(typing.NamedTuple):
    """One request, as WSGI has it."""

    method: str
    path: str  # already quoted; with the query
    headers: dict[str, str]
    body: bytes | None
    down: bool  # the cell does not answer meanwhile

    def told(self) -> str:
        """In one line, to be read."""
        body = self.body if self.body is None else self.body[:1500]
        return (
            f"{self.method} {self.path[:600]} down={self.down} body={body!r} "
            f"headers={ {name: value[:200] for name, value in self.headers.items()} }"
        )


class Twice(dict):
    """An object that is written with one of its keys twice."""


class Maker:
    """Makes requests.  ``known``: by name of an argument, what is there; the rest is drawn."""

    def __init__(
        self,
        rng: typing.Any,
        actions: typing.Iterable[catalogue.Action],
        known: dict[str, list[str]],
    ) -> None:
        self.rng, self.known = rng, known
        self.actions = [action for action in actions if not action.gone]
        self.fair = True  # what is drawn is what the shape takes

    def one(self, action: catalogue.Action) -> Asked:
        """A request for an action, spoiled somewhere."""
        first, last = action.window
        self.fair = self.rng.random() < 0.65
        version = self.rng.choice((first, last, self.rng.randint(first, last)))
        headers = {
            "X-Auth-Token": self.rng.choice(
                ("admin:admins",) * 6 + ("ann:apples",) * 5 + ("bob:bananas",)
            ),
            "OpenStack-API-Version": f"compute {microversion.text(version)}",
            "Content-Type": "application/json",
        }
        for name in action.headers:
            headers[name] = self.text()[:900]
        method = action.method if self.rng.random() < 0.96 else self.rng.choice(oddities.METHODS)
        path = self.path(action) + self.query(action, version)
        body = (
            self.body(action, version)
            if method in ("POST", "PUT", "PATCH") or (self.rng.random() < 0.1)
            else None
        )
        if self.rng.random() < 0.2:
            for name in self.rng.sample(sorted(oddities.HEADERS), self.rng.randint(1, 3)):
                headers[name] = self.rng.choice(oddities.HEADERS[name])
        return Asked(
            method,
            path,
            {name: _latin(value) for name, value in headers.items()},
            body,
            self.rng.random() < 0.04,
        )

    # -- where ----------------------------------------------------------------------------------

    def path(self, action: catalogue.Action) -> str:
        """The action's path, its arguments mostly those of something that is there."""
        front = "/v2" if self.rng.random() < 0.04 else "/v2.1"
        if self.rng.random() < 0.04:
            front += "/" + self.rng.choice(("apples", "admins", "bananas", "%C3%A9", "%FF"))
        parts = []
        for part in action.path.strip("/").split("/"):
            if part.startswith("{"):
                part = self.argument(parts[0] if parts else "", part[1:-1])
            parts.append(part)
        path = front + "/" + "/".join(parts)
        if self.rng.random() < 0.02:
            path += self.rng.choice(("/", "//", "/%00", "/..", "%20", ";a=b", "/" + "a/" * 400))
        return path

    def argument(self, root: str, name: str) -> str:
        """What stands in the path for a name."""
        known = (
            self.known.get(root, []) if name in ("id", "server_id") else self.known.get(name, [])
        )
        if known and self.rng.random() < 0.9:
            return urllib.parse.quote(self.rng.choice(known), safe="")
        if self.rng.random() < 0.5:
            anything = [one for many in self.known.values() for one in many]
            return urllib.parse.quote(self.rng.choice([*anything, *oddities.UUIDS]), safe="")
        if self.rng.random() < 0.1:
            return self.rng.choice(("%FF", "%ED%A0%80", "%00", "%2F", "..", "%0d%0aX-A:1"))
        return urllib.parse.quote(self.text()[:3000].encode("utf-8", "replace"), safe="") or "x"

    def query(self, action: catalogue.Action, version: int) -> str:
        """Parameters that the action knows, and others."""
        if self.rng.random() < (0.35 if action.query else 0.9):
            return ""
        if self.rng.random() < 0.05:
            return "?" + self.rng.choice(
                (
                    "%FF=1",
                    "a=%FF",
                    "&&&",
                    "=",
                    "a=%00",
                    "a=" + "&a=" * 2000,
                    "%",
                    "?",
                    "limit",
                    "a[]=1",
                    "x" * 9000,
                    "#",
                    "%u0041=1",
                )
            )
        names = list(action.query.fields(version)) if action.query else []
        pairs = []
        for _ in range(self.rng.randint(1, 4)):
            name = (
                self.rng.choice(names) if names and self.rng.random() < 0.9 else self.text()[:300]
            )
            spec = action.query.schema(version)["properties"].get(name) if action.query else None
            value = self.value(spec or {}) if self.rng.random() < 0.4 else self.text()
            if self.rng.random() < 0.3:
                value = self.rng.choice(self._there())
            pairs.append(
                (name.encode("utf-8", "replace"), str(value)[:6000].encode("utf-8", "replace"))
            )
        return "?" + urllib.parse.urlencode(pairs)

    # -- what -----------------------------------------------------------------------------------

    def body(self, action: catalogue.Action, version: int) -> bytes:
        """What is posted: mostly of the shape, and spoiled."""
        if self.rng.random() < 0.05:
            return self.rng.choice(oddities.RAW)
        if action.body is None:
            made: typing.Any = {action.key: self.odd()} if self.rng.random() < 0.7 else self.odd()
        else:
            made = self.value(action.body.schema(version))
        for _ in range(self.rng.choice((0, 1, 1) if self.fair else (0, 1, 2, 3))):
            made = self.spoiled(made)
        return self.written(made).encode("utf-8", "surrogatepass")

    def value(self, schema: typing.Any, depth: int = 0) -> typing.Any:
        """A value that the schema mostly takes."""
        if not isinstance(schema, dict) or not schema:
            return None if self.fair else self.odd()
        for word in ("oneOf", "anyOf"):
            if word in schema:
                return self.value(self.rng.choice(schema[word]), depth)
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        kind = schema.get("type", "object")
        kind = kind if isinstance(kind, str) else self.rng.choice(kind)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            low = schema.get("minItems", 0)
            return [
                self.value(schema.get("items"), depth + 1)
                for _ in range(self.rng.randint(low, low + 2))
            ]
        if kind == "string" and self.rng.random() < (0.1 if self.fair else 0.5):
            return self._text(schema)
        if not self.fair and kind in ("integer", "number") and self.rng.random() < 0.5:
            return self.rng.randint(schema.get("minimum", 0), schema.get("maximum", 100))
        return samples.smallest({**schema, "type": kind})

    def _object(self, schema: dict, depth: int) -> dict:
        required = schema.get("required", ())
        made = {
            name: self.field(name, inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self.rng.random() < 0.3
        }
        for inner in schema.get("patternProperties", {}).values():
            for name in self.rng.sample(("a", "b", "hw:x", "quota:y"), self.rng.randint(0, 2)):
                made[name] = self.value(inner, depth + 1)
        return made

    def field(self, name: str, schema: typing.Any, depth: int) -> typing.Any:
        """What often is right for a field of this name."""
        there = self.known.get(name)
        if self.fair and there and self.rng.random() < 0.9:
            return self.rng.choice(there)
        return self.value(schema, depth)

    def _text(self, schema: dict) -> str:
        if schema.get("format") == "uuid" or self.rng.random() < 0.5:
            return self.rng.choice(self._there())
        return self.text()[: schema.get("maxLength", 300)]

    def _there(self) -> list[str]:
        return [one for many in self.known.values() for one in many] or [samples.UUID]

    def text(self) -> str:
        """Any text."""
        if self.rng.random() < 0.1:
            return "".join(
                chr(
                    self.rng.choice(
                        (
                            self.rng.randrange(0x20, 0x7F),
                            self.rng.randrange(0xD800),
                            self.rng.randrange(0xE000, 0x110000),
                        )
                    )
                )
                for _ in range(self.rng.randint(1, 40))
            )
        return self.rng.choice(oddities.TEXTS)

    def odd(self) -> typing.Any:
        """Any value."""
        return self.rng.choice(
            (
                self.text,
                lambda: self.rng.choice(oddities.NUMBERS),
                lambda: self.rng.choice(oddities.OTHERS),
            )
        )()

    def spoiled(self, value: typing.Any) -> typing.Any:
        """The same, with something wrong at some place."""
        if isinstance(value, dict) and value and self.rng.random() < 0.85:
            key = self.rng.choice(list(value))
            return {**value, key: self.spoiled(value[key])}
        if isinstance(value, list) and value and self.rng.random() < 0.7:
            place = self.rng.randrange(len(value))
            return [*value[:place], self.spoiled(value[place]), *value[place + 1 :]]
        if isinstance(value, dict) and self.rng.random() < 0.4:
            if value and self.rng.random() < 0.4:
                return Twice(value)
            return {**value, self.text()[:300]: self.odd()}
        if isinstance(value, list) and self.rng.random() < 0.5:
            return [*value, self.odd(), *value]
        return self.odd()

    def written(self, value: typing.Any) -> str:
        """As JSON, or what looks like it."""
        if isinstance(value, dict):
            pairs = [
                f"{self.written(name)}: {self.written(inner)}" for name, inner in value.items()
            ]
            return "{" + ", ".join([*pairs, *(pairs[:1] if isinstance(value, Twice) else [])]) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.written(inner) for inner in value) + "]"
        if isinstance(value, int) and value > 10**300:
            return "1" + "0" * 400
        if isinstance(value, str) and value == "x" * 70_000 and self.rng.random() < 0.3:
            return self.rng.choice(oddities.DEEP)
        return json.dumps(value, ensure_ascii=self.rng.random() < 0.5)


def _latin(value: str) -> str:
    """As a server hands a header on: bytes as latin-1, no line ends."""
    return value.encode("utf-8", "replace").decode("latin-1").replace("\r", " ").replace("\n", " ")
