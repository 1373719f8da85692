# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Availability zones of the cell's hosts: they follow from host aggregates, which the top sends.

A host that changes its zone is another host to everybody who chose it; its servers, if it got any
while the top was looking, go with it.  The version is acknowledged with the slots, whose zones are
counted by it.
"""

import logging

from nova_cells.domain import aggregates, commands, effects, lifecycle
from nova_cells.domain import server as model

LOG = logging.getLogger(__name__)


class Zones:
    """Keeps them."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._store = conductor.store

    def learn(self, message: commands.Aggregates, now: float) -> list[effects.Effect]:
        """Other aggregates; or the same, because the slots that say so were lost."""
        with self._store.write() as tx:
            facts = self._store.facts.get(tx)
            if (facts.aggregates or 0) == message.version:
                self._store.outbox.mark(tx, "slots", facts.uuid, 0, facts.slots, now)
            else:
                self._store.facts.regroup(tx, message.version, message.aggregates, now)
                for host in self._store.hosts.all(tx):
                    self._settle(tx, host, aggregates.zone_of(host.uuid, message.aggregates), now)
        return [effects.Reply(commands.Done()), effects.Wake("relay")]

    def _settle(self, tx, host, zone: str, now: float) -> None:  # noqa: ANN001
        if host.availability_zone == zone:
            return
        self._store.resources.touch(tx, host.uuid)   # who chose by an old snapshot chooses again
        self._store.hosts.put(tx, model.replace(host, availability_zone=zone), now)
        LOG.info("host=%s is in the zone %s now", host.name, zone)
        for held in self._store.servers.on(tx, host.name):
            if held.server is not None and not held.server.deleted:
                self._store.servers.save(tx, lifecycle.change(
                    held.server, now, availability_zone=zone), now)

    def of(self, tx, host: str) -> str:  # noqa: ANN001
        """The zone of a host, by its uuid."""
        return aggregates.zone_of(host, self._store.facts.aggregates(tx))
