"""A child cell's database: servers, allocations, hosts, and what must still go up.

May assume that rules come from ``domain`` and proposals from ``scheduler``.  Every save of a
synced record goes through one function that swaps on the version and marks the outbox.
Methods take ``tx``, a connection inside ``CellStore.read()`` or ``CellStore.write()``.
"""

import typing

from nova_cells.db import again, engine
from nova_cells.db.cell import (
    errands,
    groups,
    hosts,
    identity,
    migrations,
    outbox,
    resources,
    servers,
    tables,
)


class CellStore(engine.Database):
    """The cell database and its parts."""

    def __init__(self, url: str, **pool_options: typing.Any) -> None:
        super().__init__(url, **pool_options)
        self.outbox = outbox.Outbox()
        self.servers = servers.Servers(self.outbox)
        self.actions = servers.Actions(self.outbox)
        self.migrations = migrations.Migrations(self.outbox)
        self.errands = errands.Errands()
        self.hosts = hosts.Hosts(self.outbox)
        self.groups = groups.Groups()
        self.resources = resources.Resources(self.groups)
        self.facts = identity.Facts(self.outbox)

    def create_tables(self) -> None:
        """All tables at once, for databases that nobody keeps (tests, simulations)."""
        tables.metadata.create_all(self.engine)

    def known_identity(self) -> identity.Identity | None:
        """Who this cell is; None if nobody said yet."""
        with self.read() as tx:
            return self.facts.known(tx)

    def identity(self, name: str, uuid: typing.Callable[[], str] | None = None
                 ) -> identity.Identity:
        """Who this cell is; made the first time."""
        def once() -> identity.Identity:
            with self.write() as tx:
                return self.facts.ensure(tx, name, uuid or identity.fresh_uuid)
        return again.decide(once)
