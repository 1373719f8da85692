# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Guests that outlived what the cell remembers: their server is where they are.

After an old copy of the database was put back, a server that the copy has in the middle of its
boot may long run, and on another host.  So its boot is not gone on with (``cell.servers.lift``): it
waits, in error, for a host that shows the guest under the copy's ticket or a later one.  Without an
old copy no host has ever seen a later ticket than the cell, so nothing here can happen then.
"""

import logging

from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import errors, lifecycle, resources, tasks
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)
ROLE = "here"                    # as in placing: an allocation that is no move


class Adopting:
    """Takes guests in that a host shows."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def belongs(self, held: server_rows.Held, guest: tasks.GuestSeen, host: str) -> bool:
        """Whether this guest is the server's, whatever its row says of the host."""
        server = held.server
        if server is None or server.deleted or server.verb is not None or not held.confirmed \
                or guest.epoch != held.epoch or guest.power not in lifecycle.SEEN:
            return False
        if server.host == host:
            return server.rest == "error" and "lost" in server.want \
                and guest.ticket >= server.ticket
        return guest.ticket > server.ticket

    def adopt(self, host: str, guest: tasks.GuestSeen, now: float) -> bool:
        """Write down that the server is there, with its claim.  False if others have been placed in
        its room: then the operator's word counts, that the copy is right."""
        try:
            self._adopt(host, guest, now)
        except errors.NoPlace:
            LOG.error("server=%s host=%s its guest is here, from before an old copy of the "
                      "database was put back, but others were placed in its room", guest.uuid, host)
            return False
        LOG.warning("server=%s host=%s its guest is here, from before an old copy of the database "
                    "was put back: taken in", guest.uuid, host)
        return True

    def _adopt(self, host: str, guest: tasks.GuestSeen, now: float) -> None:
        with self._store.write() as tx:
            held = self._store.servers.get(tx, guest.uuid)
            place = self._store.hosts.get(tx, host)
            if held is None or place is None or not self.belongs(held, guest, host):
                return
            server = lifecycle.observe(model.replace(held.server, rest="active", want={}),
                                       guest.power, now)
            server = lifecycle.change(
                model.replace(server, version=held.server.version), now, host=host,
                node=place.hypervisor_hostname, availability_zone=place.availability_zone,
                flavor=self._c.moves.found(tx, held.server, host, now),
                fault=None, ticket=guest.ticket, launched_at=server.launched_at or now)
            if not self._claim(tx, server, place.uuid):
                raise errors.NoPlace("others have been placed in its room")
            self._store.servers.save(tx, server, now)

    def _claim(self, tx, server: model.Server, provider: str) -> bool:  # noqa: ANN001
        """Move its claim to the host that shows it.  False if there is no room: others were placed
        there while the cell knew nothing of it."""
        self._store.resources.release(tx, server.uuid)
        usage = self._store.resources.usage(tx, provider)
        amounts = resources.amounts(server.flavor)
        if usage is None or any(usage.free().get(name, 0) < amount
                                for name, amount in amounts.items()):
            return False
        if not self._store.resources.claim(tx, server.uuid, ROLE, provider,
                                           usage.provider.generation, amounts):
            raise errors.Stale(f"the provider of host {server.host} changed meanwhile")
        group = self._store.servers.request(tx, server.uuid).group
        if group is not None:            # it is there, whatever the policy says
            self._store.groups.take(tx, group, server.host, server.uuid, ROLE, force=True)
        return True
