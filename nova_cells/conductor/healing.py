"""The child's half of healing: digests, resync, verify, adoption."""

import logging

import msgspec

from nova_cells.conductor import verify
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import address, commands, effects, records

LOG = logging.getLogger(__name__)


class Healing:
    """Answers the collector's questions about the cell as a whole."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def handle(self, message: msgspec.Struct, now: float) -> list[effects.Effect]:
        """One question."""
        match message:
            case commands.ReadDigests():
                return self._up(self._digests())
            case commands.Resync():
                return [*self._up(self._resync(message, now)), effects.Wake("relay")]
            case commands.Verify():
                return self._up(self._verify(message, now))
            case commands.Adopt():
                with self._store.write() as tx:
                    facts = self._store.facts.adopt(tx, message.parent)
                return self._up(_facts(facts))
            case commands.Detach():
                with self._store.write() as tx:
                    facts = self._store.facts.detach(tx, message.parent)
                return self._up(_facts(facts))
            case commands.Catalogue():
                return self._learn(message, now)
        LOG.warning("a %s came, which a conductor does not take", type(message).__name__)
        return []

    def _up(self, message: msgspec.Struct) -> list[effects.Effect]:
        return [effects.Cast(address.Collector(self._c.cell), message)]

    def _digests(self) -> commands.Digests:
        with self._store.read() as tx:
            return commands.Digests(incarnation=self._store.facts.get(tx).incarnation,
                                    digests=records.digests(self._store.servers.stamps(tx)))

    def _learn(self, message: commands.Catalogue, now: float) -> list[effects.Effect]:
        with self._store.write() as tx:
            if self._store.facts.get(tx).catalogue == message.version:
                facts = self._store.facts.get(tx)        # the slots that say so were lost
                self._store.outbox.mark(tx, "slots", facts.uuid, 0, facts.slots, now)
            else:
                self._store.facts.learn(tx, message.version, message.flavors, now)
        return [effects.Wake("relay")]

    def _resync(self, message: commands.Resync, now: float) -> commands.Resynced:
        """Mark a bucket's records again; with ``lift``, raise them above what the view knows."""
        lost: list[str] = []
        with self._store.write() as tx:
            facts = self._store.facts.get(tx)
            if message.bucket == 0 and message.order:
                self._everything_else(tx, message.lift, now)
            known = {uuid: (epoch, version) for uuid, epoch, version in message.known}
            mine = {uuid: (epoch, version) for uuid, epoch, version
                    in self._store.servers.stamps(tx, message.bucket, living=False)}
            lifted = {uuid for uuid, stamp in mine.items()
                      if message.lift and uuid in known and known[uuid] >= stamp}
            for uuid in sorted(lifted):
                self._store.servers.lift(tx, uuid, *known[uuid], now)
            self._store.outbox.mark_all(tx, "server", [
                (uuid, *stamp) for uuid, stamp in sorted(mine.items()) if uuid not in lifted], now)
            self._store.outbox.mark_all(tx, "user_data", [
                (uuid, 0, version) for uuid, version in self._store.servers.with_user_data(
                    tx, message.bucket)] if message.order else [], now)
            if message.lift:
                for uuid in sorted(known.keys() - mine.keys()):
                    epoch, version = known[uuid]
                    held = self._store.servers.get(tx, uuid)
                    if held is not None:         # an offer that this copy never saw confirmed
                        self._c.placing.forget(tx, held, now)
                    self._store.servers.bury(tx, uuid, epoch, now,
                                             version=version + server_rows.MARGIN)
                    lost.append(uuid)
            if message.lift and message.bucket == records.BUCKETS - 1:
                self._store.facts.set(tx, halted=None)
        return commands.Resynced(order=message.order, bucket=message.bucket,
                                 incarnation=facts.incarnation, marked=len(mine),
                                 lost=tuple(lost))

    def _everything_else(self, tx, lift: bool, now: float) -> None:  # noqa: ANN001
        """Hosts, moves and slots go up again too; with ``lift``, above all earlier ones."""
        facts = self._store.facts.get(tx)
        if lift:
            self._store.facts.set(tx, lift=facts.lift + 1)
        for uuid, version in self._store.hosts.stamps(tx):
            self._store.outbox.mark(tx, "host", uuid, 0, version, now)
        self._store.outbox.mark_all(tx, "migration", [
            (uuid, 0, version) for uuid, version in self._store.migrations.stamps(tx)], now)
        self._store.facts.bump_slots(tx, now)

    def _verify(self, message: commands.Verify, now: float) -> commands.Verified:
        with self._store.read() as tx:
            stamps = self._store.servers.stamps(tx)
            return commands.Verified(
                order=message.order, servers=len(stamps), digests=records.digests(stamps),
                findings=tuple(verify.findings(self._store, tx, now, self._c.settings)),
                settled=self._store.outbox.length(tx) == 0)


def _facts(facts) -> commands.CellFacts:  # noqa: ANN001
    return commands.CellFacts(cell=facts.uuid, incarnation=facts.incarnation,
                              parent=facts.parent)
