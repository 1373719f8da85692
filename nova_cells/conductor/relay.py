"""The relay: reads marks, sends current whole records, clears what is acknowledged.

Loss, repetition and reordering are the same non-event; bursts coalesce, for a mark says only
which record, and the record is read when it is sent.
"""

import logging
import threading

from nova_cells.domain import address, effects, records

LOG = logging.getLogger(__name__)


class Relay:
    """What goes up, and what came of it."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, str], tuple[int, int, float]] = {}
        self._batch = 0
        self._spoke = -1e9

    def tick(self, now: float) -> list[effects.Effect]:
        """Send what is marked and not under way; say something now and then in any case."""
        settings = self._c.settings
        with self._lock, self._store.read() as tx:
            facts = self._store.facts.get(tx)
            batch = [] if facts.halted else self._choose(tx, now)
            if not batch and 0 <= now - self._spoke < settings.heartbeat:
                return []
            bodies = [self._record(tx, mark, facts.lift) for mark in batch]
            upload = records.Upload(incarnation=facts.incarnation, batch=self._batch,
                                    records=tuple(body for body in bodies if body is not None))
            self._batch += 1
            self._spoke = now
        sent: list[effects.Effect] = [effects.Cast(address.Collector(facts.uuid), upload)]
        if len(batch) == settings.upload_batch:
            sent.append(effects.Wake("relay"))
        return sent

    def _choose(self, tx, now: float) -> list[tuple[str, str, int, int]]:  # noqa: ANN001
        """Marks that are not under way at this very version, oldest first."""
        settings, chosen = self._c.settings, []
        for mark in self._store.outbox.marks(tx, settings.upload_batch + len(self._under_way)):
            kind, uuid, epoch, version = mark
            sent = self._under_way.get((kind, uuid))
            if sent is not None and sent[:2] == (epoch, version) \
                    and 0 <= now - sent[2] < settings.upload_retry:
                continue
            self._under_way[kind, uuid] = (epoch, version, now)
            chosen.append(mark)
            if len(chosen) == settings.upload_batch:
                break
        return chosen

    def _record(self, tx, mark: tuple[str, str, int, int],  # noqa: ANN001
                lift: int) -> records.Record | None:
        """The record as it is now, whole.  Kinds without an epoch carry lifted versions."""
        kind, uuid, epoch, version = mark
        body = None
        match kind:
            case "server":
                held = self._store.servers.get(tx, uuid)
                body = held.server if held else None
                if body is not None:
                    epoch, version = body.stamp
            case "action":
                body = self._store.actions.get(tx, uuid)
            case "host":
                body = self._store.hosts.by_uuid(tx, uuid)
            case "slots":
                body = self._c.places.slots(tx)
        if body is None:
            return None
        if kind in ("action", "host"):
            version = lift * records.LIFT + body.version
        elif kind == "slots":
            version = body.version
        return records.Record(kind=kind, uuid=uuid, epoch=epoch, version=version, **{kind: body})

    # -- what came of it --------------------------------------------------------------------------

    def acknowledged(self, message: records.Acks, now: float) -> list[effects.Effect]:
        """Clear what arrived, start what was confirmed, drop what moved."""
        if message.halted:
            LOG.warning("the API cell takes nothing from this cell: %s", message.halted)
            return []
        sent: list[effects.Effect] = []
        with self._store.write() as tx:
            for ack in message.acks:
                sent += self._acknowledge(tx, ack, now)
        with self._lock:
            for ack in message.acks:
                self._under_way.pop((ack.kind, ack.uuid), None)
        return sent

    def _acknowledge(self, tx, ack: records.Ack, now: float) -> list[effects.Effect]:  # noqa: ANN001
        if ack.kind != "server":
            self._store.outbox.clear(tx, ack.kind, ack.uuid, 0, ack.version % records.LIFT)
            return []
        held = self._store.servers.get(tx, ack.uuid)
        if held is not None and held.epoch == ack.epoch:
            if ack.answer == "confirmed":
                if ack.held > held.version:
                    self._restored(tx, held.uuid, held.version, ack.held)
                    return []
                self._store.outbox.clear(tx, ack.kind, ack.uuid, ack.epoch, ack.version)
                return self._c.placing.confirmed(tx, held, now)
            if ack.answer == "moved" or not held.confirmed:
                self._c.placing.moved(tx, held, now)
            else:
                LOG.warning("server=%s is unknown to the API cell; run: nova-cells-manage cell "
                            "resync", ack.uuid)
        self._store.outbox.clear(tx, ack.kind, ack.uuid, ack.epoch, ack.version)
        return []

    def _restored(self, tx, uuid: str, version: int, held: int) -> None:  # noqa: ANN001
        """The parent remembers more of us than we do: this database is an old copy.  Stop, show
        another incarnation, and wait for the operator's word."""
        facts = self._store.facts.get(tx)
        if facts.halted:
            return
        reason = (f"server {uuid} is at version {version} here and {held} in the API cell: this "
                  f"database was restored from an old copy")
        LOG.error("sync stopped: %s; run: nova-cells-manage cell resync --truth child %s",
                  reason, facts.name)
        self._store.facts.set(tx, halted=reason, incarnation=self._c.ids.uuid())
