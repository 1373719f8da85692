"""The relay: reads marks, sends current whole records, clears what is acknowledged.

Loss, repetition and reordering are the same non-event; bursts coalesce, for a mark says only
which record, and the record is read when it is sent.  Few uploads are under way at a time: what
changes meanwhile goes up together with the next, so the busier a cell, the less each change
costs.  When and what is for ``pacing`` to say.
"""

import logging
import threading

import msgspec

from nova_cells.conductor import pacing
from nova_cells.db.cell import servers as server_rows
from nova_cells.domain import address, effects, records

LOG = logging.getLogger(__name__)
_SIZED = msgspec.json.Encoder()


class Relay:
    """What goes up, and what came of it."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store
        self._lock = threading.Lock()
        self._pace = pacing.Pace(self._store.outbox, conductor.settings.upload_batch,
                                 conductor.settings.upload_retry)
        self._batch = 0
        self._spoke = -1e9

    def tick(self, now: float) -> list[effects.Effect]:
        """Send what is marked and not under way; say something now and then in any case."""
        settings = self._c.settings
        with self._lock, self._store.read() as tx:
            facts = self._store.facts.get(tx)
            batch = [] if facts.halted else self._pace.choose(tx, now)
            if not batch and 0 <= now - self._spoke < settings.heartbeat:
                return []
            chosen = len(batch)
            batch, found = self._fitting(tx, batch, facts.lift)
            there = {(record.kind, record.uuid) for record in found}
            lost = [mark for mark in batch if mark[0] != "slots" and mark[:2] not in there]
            batch = [mark for mark in batch if mark not in lost]
            if not facts.halted:
                found += self._slots(tx, facts, now, any(mark[0] == "slots" for mark in batch))
            upload = records.Upload(incarnation=facts.incarnation, batch=self._batch,
                                    records=tuple(found))
            self._pace.sent(batch, self._batch, now)
            self._batch += 1
            self._spoke = now
        if lost:                         # marked again while somebody dropped the record
            with self._store.write() as tx:
                self._store.outbox.clear_all(tx, lost)
        sent: list[effects.Effect] = [effects.Cast(address.Collector(facts.uuid), upload)]
        if chosen and chosen >= min(settings.upload_batch, len(batch) + 1):
            sent.append(effects.Wake("relay"))
        return sent

    def _fitting(self, tx, batch: list[pacing.Mark],  # noqa: ANN001
                 lift: int) -> tuple[list[pacing.Mark], list[records.Record]]:
        """As many of these as one message may hold, and their records; at least one."""
        found = self._records(tx, batch, lift)
        while len(batch) > 1 and len(_SIZED.encode(found)) > self._c.settings.upload_bytes:
            batch = batch[:len(batch) // 2]
            found = self._records(tx, batch, lift)
        return batch, found

    def _records(self, tx, batch: list[tuple[str, str, int, int]],  # noqa: ANN001
                 lift: int) -> list[records.Record]:
        """The records as they are now, whole.  Kinds without an epoch carry lifted versions."""
        def marked(kind: str) -> list[str]:
            return [uuid for known, uuid, _epoch, _version in batch if known == kind]
        held = self._store.servers.some(tx, marked("server"))
        bodies = {"server": {uuid: one.server for uuid, one in held.items()},
                  "action": self._store.actions.some(tx, marked("action")),
                  "user_data": self._store.servers.user_data_of(tx, marked("user_data")),
                  "migration": self._store.migrations.some(tx, marked("migration")),
                  "host": {uuid: self._store.hosts.by_uuid(tx, uuid) for uuid in marked("host")},
                  "slots": {}}
        found = []
        for kind, uuid, epoch, version in batch:
            body = bodies[kind].get(uuid)
            if body is None:
                continue
            op = None
            if kind == "server":
                epoch, version = body.stamp
                op = held[uuid].op if body.verb is None else None
            else:
                version = body.version + lift * records.LIFT
            found.append(records.Record(kind=kind, uuid=uuid, epoch=epoch, version=version, op=op,
                                        **{kind: body}))
        return found

    def _slots(self, tx, facts, now: float,  # noqa: ANN001
               asked: bool) -> list[records.Record]:
        """Joint slots, if the top does not have them: with the record of what took or freed some,
        so that the top's count is right when the offer is closed."""
        slots = self._c.placing.slots.news(tx, facts, now, asked)
        return [] if slots is None else [records.Record(
            kind="slots", uuid=slots.cell, epoch=0, version=slots.version, slots=slots)]

    # -- what came of it --------------------------------------------------------------------------

    def acknowledged(self, message: records.Acks, now: float) -> list[effects.Effect]:
        """Clear what arrived, start what was confirmed, drop what moved."""
        if message.halted:
            LOG.warning("the API cell takes nothing from this cell: %s", message.halted)
            return []
        sent: list[effects.Effect] = []
        if message.acks:
            with self._store.write() as tx:
                held = self._store.servers.some(tx, [
                    ack.uuid for ack in message.acks if ack.kind == "server"])
                plain = [ack for ack in message.acks if _is_plain(ack, held.get(ack.uuid))]
                self._store.outbox.clear_all(tx, [
                    (ack.kind, ack.uuid, ack.epoch, ack.version) if ack.kind == "server"
                    else (ack.kind, ack.uuid, 0, ack.version % records.LIFT) for ack in plain])
                for ack in message.acks:
                    if not _is_plain(ack, held.get(ack.uuid)):
                        sent += self._acknowledge(tx, ack, held.get(ack.uuid), now)
        with self._lock:
            for ack in message.acks:
                if ack.kind == "slots":
                    self._c.placing.slots.arrived(ack.version)
            silent = self._pace.answered([(ack.kind, ack.uuid) for ack in message.acks
                                          if ack.kind != "slots"], now)
        if message.acks or silent:
            sent.append(effects.Wake("relay"))       # for what was held back meanwhile
        return sent

    def _acknowledge(self, tx, ack: records.Ack,  # noqa: ANN001
                     held: server_rows.Held | None, now: float) -> list[effects.Effect]:
        if held is not None and held.epoch == ack.epoch:
            if ack.answer == "confirmed":
                if ack.held > held.version or _forked(ack, held):
                    self._restored(tx, held, ack, now)
                    return []
                begun = self._c.placing.confirmed(tx, held, now)
                if not begun:            # else there is a newer version, and its mark
                    self._store.outbox.clear(tx, ack.kind, ack.uuid, ack.epoch, ack.version)
                return begun
            if ack.answer == "moved" or not held.confirmed:
                self._c.placing.moved(tx, held, now)
            else:
                LOG.warning("server=%s is unknown to the API cell; run: nova-cells-manage cell "
                            "resync", ack.uuid)
        self._store.outbox.clear(tx, ack.kind, ack.uuid, ack.epoch, ack.version)
        return []

    def _restored(self, tx, held: server_rows.Held, ack: records.Ack,  # noqa: ANN001
                  now: float) -> None:
        """The parent remembers more of us than we do: this database is an old copy.  Stop, show
        another incarnation, and wait for the operator's word.  A write of the row itself says that
        we do not merely read late: it was lifted just now, or another node of Galera has more."""
        self._store.servers.ask_later(tx, held, now)
        facts = self._store.facts.get(tx)
        if facts.halted:
            return
        here, there = f"version {held.version}", f"version {ack.held}"
        if held.version == ack.held:
            here, there = f"on host {held.server.host}", f"on {ack.host}"
        reason = (f"server {held.uuid} is {here} here and {there} in the API cell: this "
                  f"database was restored from an old copy")
        LOG.error("sync stopped: %s; run: nova-cells-manage cell resync --truth child %s",
                  reason, facts.name)
        self._store.facts.halt(tx, reason, self._c.ids.uuid())


def _forked(ack: records.Ack, held: server_rows.Held) -> bool:
    """Whether the view has the very version that we have, and another history of it: an offer that
    an old copy of the database took a second time, or the answer to the first time."""
    return (held.server is not None and ack.host is not None and ack.held == held.version
            and ack.host != (held.server.host or ""))


def _is_plain(ack: records.Ack, held: server_rows.Held | None) -> bool:
    """Whether an answer means only that the record arrived."""
    if ack.kind != "server":
        return True
    return (held is not None and held.confirmed and ack.answer == "confirmed"
            and held.epoch == ack.epoch and ack.held <= held.version
            and not _forked(ack, held))
