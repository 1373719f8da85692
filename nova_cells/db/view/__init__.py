"""The API cell's database: a view of every server, read first, and what the API cell owns.

May assume that records are whole.  Never lowers a record; never trusts a payload about who
sent it.  Methods take ``tx``, a connection inside ``View.read()`` or ``View.write()``, so that
a caller composes one transaction from several.
"""

import typing

from nova_cells import seal as sealing
from nova_cells.db import engine
from nova_cells.db.view import (
    aggregates,
    cells,
    claims,
    flavors,
    groups,
    intents,
    keypairs,
    migrations,
    notifications,
    offers,
    orders,
    placing,
    quota,
    records,
    replies,
    servers,
    tables,
    usage,
)


class View(engine.Database):
    """The view database and its parts."""

    def __init__(self, url: str, seal: sealing.Seal | None = None,
                 quota_defaults: dict[str, int] | None = None, notify: bool = False,
                 **pool_options: typing.Any) -> None:
        super().__init__(url, **pool_options)
        self.seal = seal or sealing.Seal.fresh()
        self.notifications = notifications.Notifications(notify)
        self.servers = servers.Servers(self.notifications)
        self.offers = offers.Offers()
        self.intents = intents.Intents()
        self.cells = cells.Cells()
        self.records = records.Records(self.notifications, self.servers)
        self.migrations = migrations.Migrations()
        self.orders = orders.Orders()
        self.groups = groups.Groups()
        self.aggregates = aggregates.Aggregates()
        self.placing = placing.Placing(self.servers, self.offers, self.intents, self.cells,
                                       self.records, self.groups, self.aggregates)
        self.quota = quota.Quota(quota_defaults or {})
        self.flavors = flavors.Flavors()
        self.usage = usage.Usage()
        self.keypairs = keypairs.KeyPairs()
        self.replies = replies.Replies()
        self.claims = claims.Claims()

    def create_tables(self) -> None:
        """All tables at once, for databases that nobody keeps (tests, simulations)."""
        tables.metadata.create_all(self.engine)

    def locate(self, server: str) -> str | None:
        """The uuid of the cell that owns this server, for the router."""
        with self.read() as tx:
            row = self.servers.row(tx, server)
        return row.cell if row is not None else None
