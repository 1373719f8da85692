# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Which rules of policy an action asks, found in the code itself.

An action may name its rule; most ask when they know the server.  What they ask stands in their
handlers as text, or the rule says which request it is for: both are looked at, so that nobody has
to write it down once more.  For documents and tests alone; requests never come here.
"""

import collections.abc
import inspect
import re
import types
import typing

from nova_cells.api.catalogue import Action

PREFIX = "os_compute_api:"
_DEEP = 6                                # how far from the handler a rule's name may stand


class Rules:
    """All rules, by name and by the requests that they are for."""

    def __init__(self, rules: collections.abc.Iterable[typing.Any]) -> None:
        self.checks = {rule.name: str(rule.check_str) for rule in rules}
        self._rules = {rule.name: rule for rule in rules}
        self._of: dict[tuple[str, str], list[str]] = {}
        for rule in rules:
            for operation in getattr(rule, "operations", None) or ():
                methods = operation["method"]
                for method in [methods] if isinstance(methods, str) else methods:
                    key = (method, plain(operation["path"]))
                    self._of.setdefault(key, []).append(rule.name)

    def of(self, action: Action) -> list[str]:
        """The names of the rules that an action may ask, in order."""
        if action.gone:
            return []
        found = {action.policy} if action.policy else set()
        found |= self._written(action.handler, _DEEP, set())
        if not found or not action.keyed:
            path = action.path.replace("/os-volumes_boot", "/servers")
            found |= set() if action.keyed else set(self._of.get((action.method, plain(path)), ()))
        return sorted(found)

    def _written(self, function: typing.Any, deep: int, seen: set[int]) -> set[str]:
        """Names of rules that stand in a function, in what it closes over or calls."""
        function = inspect.unwrap(function) if callable(function) else function
        function = getattr(function, "func", function)
        code = getattr(function, "__code__", None)
        if code is None or not deep or id(code) in seen:
            return set()
        seen.add(id(code))
        found: set[str] = set()
        for value in _near(function, code):
            if isinstance(value, str):
                found |= {name for name in (value, PREFIX + value) if name in self.checks}
            elif isinstance(value, types.FunctionType) and value.__module__.startswith(
                    "nova_cells.api"):
                found |= self._written(value, deep - 1, seen)
        return found


def _near(function: typing.Any, code: types.CodeType) -> collections.abc.Iterator[typing.Any]:
    for value in code.co_consts:
        yield from value if isinstance(value, tuple | frozenset) else (value,)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue
    for name in code.co_names:
        yield function.__globals__.get(name)


def plain(path: str) -> str:
    """A path whatever its arguments are called: ``/servers/{}``."""
    return re.sub(r"\{[^}]*\}", "{}", path.partition(" ")[0])
