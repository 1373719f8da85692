# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The catalogue: one value per REST action, and the table that finds it.

An action says its path, its versions, its shapes, its policy, its status and its handler, and
nothing else says any of it again.  What is posted to ``.../action`` is the same kind of value,
found by the body's single key.  Routes declares the table; a tree of dictionaries built from
it answers requests.  Pure but for Routes: no request is in here.
"""

import collections.abc
import typing

import routes

from nova_cells.api import faults, microversion, shapes
from nova_cells.domain import errors

Handler = collections.abc.Callable[[typing.Any], typing.Any]


class Action(typing.NamedTuple):
    """One action of the API."""

    key: str                             # for /action paths: the key in the body; else a name
    method: str
    path: str                            # "/servers/{id}", without the version
    down: str                            # while the cell is down: a word of ``down.ANSWERS``
    policy: str | None = None            # checked for the asker's own project; None: nobody asks
    success: int = 200
    handler: Handler | None = None       # handler(request) -> dict | bytes | None | Reply
    body: shapes.Shape | None = None
    query: shapes.Query | None = None
    since: str = "2.1"
    until: str | None = None             # the last version that has it
    reply: collections.abc.Callable[[typing.Any, typing.Any], typing.Any] | None = None
    gone: bool = False                   # 410: it was there once
    headers: tuple[str, ...] = ()        # that it listens to, beside those that all do
    also: tuple[int, ...] = ()           # other statuses of success: 204 beside 201, 304
    capability: str | None = None        # known, but nothing serves it yet: 501 in the end

    @property
    def window(self) -> tuple[int, int]:
        """First and last minor version that have it."""
        last = microversion.minor(self.until) if self.until else microversion.MAX
        return microversion.minor(self.since), last

    @property
    def keyed(self) -> bool:
        """Whether it is found by the body's single key."""
        return self.path.endswith("/action")


class Entry:
    """Everything that one path offers: by method, or by method and body key."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.methods: dict[str, list[Action]] = {}

    def offered(self, method: str) -> list[Action]:
        """All actions of a method.  Raises what the caller should hear if there is none."""
        offered = self.methods.get(method)
        if offered is None:
            raise faults.NoMethod("The method is not allowed for this resource.",
                                  allow=sorted(self.methods))
        if offered[0].gone:
            raise faults.Gone("This resource is no longer available. No forwarding address is "
                              "given.")
        return offered


def pick(offered: list[Action], version: int, body: typing.Any = None) -> Action:
    """The one action of a path and method that a version has and, where several are posted to
    one path, that the body's single key names."""
    if offered[0].keyed:
        if not isinstance(body, dict) or not body:
            raise errors.Invalid("Malformed request body")
        named = [action for action in offered if action.key in body]
        if not named:
            raise errors.Invalid(f"There is no such action: {next(iter(body))[:64]}")
        if len(body) > 1:
            raise errors.Invalid("A request names exactly one action.")
        offered = named
    for action in offered:
        first, last = action.window
        if first <= version <= last:
            return action
    raise errors.NotFound("The resource could not be found.")


class Catalogue:
    """All actions, and the way from a path to them."""

    def __init__(self, actions: collections.abc.Iterable[Action]) -> None:
        self.actions = tuple(actions)
        self.mapper = routes.Mapper()
        self._tree: dict[typing.Any, typing.Any] = {}
        entries: dict[str, Entry] = {}
        for action in self.actions:
            entry = entries.get(action.path)
            if entry is None:
                entry = entries[action.path] = Entry(action.path)
                self.mapper.connect(None, action.path, entry=entry)
                self._plant(entry)
            self._add(entry, action)
        self.roots = {path.split("/")[1] for path in entries}

    def _plant(self, entry: Entry) -> None:
        node = self._tree
        names = []
        for part in entry.template.strip("/").split("/"):
            if part.startswith("{"):
                names.append(part[1:-1])
                part = None
            node = node.setdefault(part, {})
        node[""] = (entry, names)

    @staticmethod
    def _add(entry: Entry, action: Action) -> None:
        siblings = entry.methods.setdefault(action.method, [])
        for other in siblings:
            if (other.key == action.key or not action.keyed) and not (
                    other.window[1] < action.window[0] or action.window[1] < other.window[0]):
                raise errors.Bug(f"two actions answer {action.method} {action.path} "
                                 f"({action.key}) at one version")
        siblings.append(action)

    def find(self, parts: list[str]) -> tuple[Entry, dict[str, str]] | None:
        """The entry of a path that was split at its slashes, and its arguments."""
        values: list[str] = []
        node = self._walk(self._tree, parts, 0, values)
        if node is None:
            return None
        entry, names = node
        return entry, dict(zip(names, values, strict=True))

    def _walk(self, node: dict, parts: list[str], place: int, values: list[str]) -> tuple | None:
        if place == len(parts):
            return node.get("")
        part = parts[place]
        inner = node.get(part) if part else None
        if inner is not None:
            found = self._walk(inner, parts, place + 1, values)
            if found is not None:
                return found
        inner = node.get(None)
        if inner is None or not part:
            return None
        values.append(part)
        found = self._walk(inner, parts, place + 1, values)
        if found is None:
            values.pop()
        return found
