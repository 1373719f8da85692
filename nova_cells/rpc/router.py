# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The one place that knows where: an address becomes a transport and a target.

``Target.exchange`` is the cell's uuid, always, so that nothing meant for one cell can be taken by
another even on a shared broker. The cells may change at any time (``update``); callers that hold
an old transport (``holding``) finish with it before it is closed. Never knows who owns a server:
it is handed ``locate``.
"""

import collections.abc
import threading

import oslo_messaging

from nova_cells.domain import address as addresses
from nova_cells.domain import errors
from nova_cells.rpc import holding

Locate = collections.abc.Callable[[str], str | None]
Open = collections.abc.Callable[[str], oslo_messaging.Transport]

END = 5.0                # seconds that all transports get to say goodbye to their brokers


class Router:
    """Addresses to targets.

    ``transports``: cell uuid -> transport; ``open_transport`` makes one of a URL.
    """

    def __init__(self, transports: dict[str, oslo_messaging.Transport] | None = None,
                 locate: Locate | None = None, open_transport: Open | None = None,
                 names: dict[str, str] | None = None) -> None:
        self._transports = dict(transports or {})
        self._names = dict(names or {})
        self._urls: dict[str, str] = {}
        self._locate = locate
        self._open = open_transport
        self._lock = threading.Lock()

    def target(self, address: addresses.Address) -> tuple[oslo_messaging.Transport,
                                                          oslo_messaging.Target]:
        """Where this is.  ``NotFound`` for a server that no cell owns; ``CellDown`` for a cell
        that this process does not know (yet, or any more)."""
        match address:
            case addresses.Owner(server=server):
                return self.target(addresses.Cell(self._owner(server)))
            case addresses.Cell(cell=cell):
                return self._at(cell, topic="conductor")
            case addresses.Host(cell=cell, host=host):
                return self._at(cell, topic="compute", server=host)
            case addresses.Collector(cell=cell):
                return self._at(cell, topic="collector")
            case addresses.Scheduler(cell=cell):
                return self._at(cell, topic="scheduler")
        raise errors.Bug(f"{address!r} is not an address")

    def name(self, cell: str) -> str:
        """What people call this cell."""
        return self._names.get(cell, cell)

    def cells(self) -> tuple[str, ...]:
        """The cells known now, by uuid."""
        return tuple(self._transports)

    def transport(self, cell: str) -> oslo_messaging.Transport | None:
        """The transport of a cell, if it is known."""
        return self._transports.get(cell)

    def update(self, cells: collections.abc.Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        """From now on there are these cells: (uuid, transport URL) or (uuid, URL, name).

        A transport whose URL changed is replaced at once; what is under way on the old one ends
        there. Listeners are moved by who owns them (``Listener.move``).
        Returns the cells whose transport is new.  A URL that cannot be opened leaves its cell
        out and the others in; the first such problem is raised at the end.
        """
        rows = list(cells)
        urls = {row[0]: row[1] for row in rows}
        with self._lock:
            self._names.update({row[0]: row[2] for row in rows if len(row) > 2})
            kept = {cell: transport for cell, transport in self._transports.items()
                    if self._urls.get(cell) == urls.get(cell, "")}
            fresh, problems = self._open_all({c: u for c, u in urls.items() if c not in kept})
            old = [t for cell, t in self._transports.items() if cell not in kept]
            self._transports = kept | fresh      # one assignment: readers see all of it or none
            self._urls = {cell: urls[cell] for cell in self._transports}
        for transport in old:
            holding.retire(transport)
        if problems:
            raise problems[0]
        return tuple(fresh)

    def close(self) -> None:
        """Let every transport go.  One whose broker is silent is left to end by itself."""
        with self._lock:
            transports, self._transports = self._transports, {}
            self._urls = {}
        holding.close_all(list(transports.values()), END)

    def _open_all(self, urls: dict[str, str]) -> tuple[dict[str, oslo_messaging.Transport],
                                                       list[errors.Problem]]:
        opened, problems = {}, []
        for cell, url in urls.items():
            try:
                opened[cell] = self._open(url)
            except errors.Problem as problem:
                problems.append(problem)
        return opened, problems

    def _owner(self, server: str) -> str:
        cell = self._locate(server) if self._locate else None
        if cell is None:
            raise errors.NotFound(f"no cell owns the server {server}")
        return cell

    def _at(self, cell: str, **where: str) -> tuple[oslo_messaging.Transport,
                                                    oslo_messaging.Target]:
        transport = self._transports.get(cell)
        if transport is None:
            raise errors.CellDown(f"the cell {self.name(cell)} is not known here: it is disabled, "
                                  "was removed, or its transport URL cannot be used")
        return transport, oslo_messaging.Target(exchange=cell, **where)
