# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API cell's way to its cells: the view, and a router that follows the table of cells.

A cell that was created, changed or deleted with nova-cells-manage is so in every process that
looks every few seconds, without a restart; what is under way on an old transport ends there.
"""

import functools
import logging
import threading

from nova_cells import seal
from nova_cells.conf import database as database_options
from nova_cells.conf import standalone as options
from nova_cells.db import migrations, view
from nova_cells.domain import errors
from nova_cells.rpc import client, lanes, notifier, router, transport

LOG = logging.getLogger(__name__)

LOOK_EVERY = 2.0         # seconds between looks at the table of cells
LEAVE = 2.0              # seconds that the last messages have to leave


def open_view(conf) -> view.View:
    """The view database, which must answer; ``Unusable`` with a sentence otherwise."""
    url = options.view_url(conf)
    opened = view.View(
        url, seal=seal.Seal.at(options.secrets_key(conf)),
        quota_defaults=dict(conf.quota.items()), notify=notifier.wanted(conf),
        **database_options.pool_options(conf.view_database, url))
    opened.ping()
    return opened


def check_schema(conf) -> None:
    """``Invalid`` with a sentence unless the view is at the schema of this version."""
    at, newest = migrations.current("view", options.view_url(conf))
    if at != newest:
        raise errors.Invalid(f"the view database is at schema {at or 'none'}, not {newest}: run "
                             "'nova-cells-manage db sync view'")


class Fleet:
    """Every cell, as the table says.  Thread-safe."""

    def __init__(self, conf, opened: view.View) -> None:
        self.view = opened
        self.router = router.Router(
            locate=opened.locate,
            open_transport=functools.partial(transport.open_transport, conf))
        self.client = lanes.Lanes(client.Client(self.router, conf))
        self.rows: list[tuple[str, str, str]] = []       # uuid, transport URL, name
        self._lock = threading.Lock()

    def look(self) -> tuple[str, ...]:
        """Make the router agree with the table.  Returns the cells whose transport is new."""
        with self._lock:
            with self.view.read() as tx:
                rows = [(row.uuid, row.transport_url, row.name) for row in self.view.cells.all(tx)]
            if rows == self.rows:
                return ()
            self.rows = rows
            try:
                return self.router.update(rows)
            except errors.Problem as problem:
                LOG.error("a cell cannot be reached: %s", problem)
                return tuple(self.router.cells())

    def url(self, cell: str) -> str:
        """The transport URL of a cell."""
        return next(row[1] for row in self.rows if row[0] == cell)

    def close(self) -> None:
        """Let every transport go, after what waits to be sent; the view stays open."""
        self.client.close(LEAVE)
        self.router.close()
