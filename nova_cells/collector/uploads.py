"""Applying what a child sends up: newer records only, from the cell that holds them only."""

import logging

from nova_cells.domain import address, effects, errors, records
from nova_cells.domain import server as model
from nova_cells.metrics import instruments

LOG = logging.getLogger(__name__)


# An action or a migration is kept only of a server that is the sender's, so that is settled before.
_KINDS = {"server": 0, "action": 1, "migration": 2}


def _order(record: records.Record) -> tuple[int, str, int, int]:
    return _KINDS.get(record.kind, len(_KINDS)), record.uuid, record.epoch, record.version


class Uploads:
    """One upload at a time, one transaction each."""

    def __init__(self, view) -> None:  # noqa: ANN001
        self.view = view
        self._names: dict[str, str] = {}         # what people call the cells, for figures

    def apply(self, upload: records.Upload, sender: str, now: float) -> list[effects.Effect]:
        """Apply a batch and acknowledge every record of it."""
        with instruments.UPLOADS.while_under_way(self._names.get(sender, "new")):
            acks = self._answers(upload, sender, now)
        name = self._names.get(sender, "new")
        for record, ack in zip(upload.records, acks.acks, strict=False):
            instruments.APPLIED.inc(name, record.kind, _outcome(record, ack))
        return [effects.Cast(address.Cell(sender), acks)]

    def _answers(self, upload: records.Upload, sender: str, now: float) -> records.Acks:
        with self.view.write() as tx:
            halted = self._halted(tx, upload, sender, now)
            if halted:
                acks = records.Acks(batch=upload.batch, halted=halted)
            else:
                cell = self.view.cells.get(tx, sender)
                self._names[sender] = cell.name
                held = self._apply(tx, upload, sender, now, cell.resyncing)
                self._release(tx, upload)
                acks = records.Acks(batch=upload.batch, acks=tuple(
                    self._one(tx, record, sender, now, cell.resyncing, held.get(record.uuid))
                    for record in sorted(upload.records, key=_order)))      # no deadlocks
        return acks

    def _halted(self, tx, upload: records.Upload, sender: str,
                now: float) -> str | None:
        """Why nothing of this child is applied, if so.  A child whose database has another
        incarnation than before was restored or replaced: an operator must say who is right."""
        cell = self.view.cells.get(tx, sender)
        if cell is None:
            return "this API cell does not know the cell; create it first"
        if cell.incarnation is None:
            self.view.cells.update(tx, sender, now, incarnation=upload.incarnation)
        elif cell.incarnation != upload.incarnation and cell.halted is None:
            reason = ("the cell's database is another one than before (restored from a copy?); "
                      "run: nova-cells-manage cell resync --truth child " + cell.name)
            LOG.error("cell=%s sync stopped: %s", sender, reason)
            self.view.cells.update(tx, sender, now, halted=reason)
            return reason
        return cell.halted

    def _apply(self, tx, upload: records.Upload, sender: str, now: float,
               resyncing: bool) -> dict:  # noqa: ANN001
        """Everything newer, all at once; what the view holds now, by server."""
        newest: dict[str, model.Server] = {}
        for record in upload.records:
            server = record.server
            if server is not None and (server.uuid not in newest
                                       or newest[server.uuid].stamp < server.stamp):
                newest[server.uuid] = server
        servers = [newest[uuid] for uuid in sorted(newest)]      # one order: no deadlocks
        held = self.view.servers.apply_all(tx, servers, sender, now)
        missing = [server for server in servers if server.uuid not in held]
        if resyncing and missing:
            self.view.servers.insert_all(tx, missing, now, sender)
            held.update(self.view.servers.holdings(tx, [server.uuid for server in missing]))
        # A user was told that it is deleted: no state that the cell had before it heard of that is
        # shown any more (law T18).
        alive = [server.uuid for server in servers
                 if server.verb != "delete" and not server.deleted]
        for uuid, epoch in sorted(self.view.intents.about(tx, sender, alive).items()):
            now_held = held.get(uuid)
            if now_held is not None and (now_held.cell, now_held.placed) == (sender, True) \
                    and now_held.epoch <= epoch:
                self.view.servers.show_deleting(tx, uuid, now)
        return held

    def _release(self, tx, upload: records.Upload) -> None:  # noqa: ANN001
        """What operations held that are over now: the view has their servers as they left them, so
        the quota is counted without a gap (law T11)."""
        holding = self.view.quota.holding(tx)
        for record in upload.records if holding else ():
            if record.server is not None and record.server.deleted:
                self.view.quota.release_of(tx, record.uuid)
            elif record.op is not None and holding.get(record.op) == record.uuid:
                self.view.quota.release(tx, record.op)

    def _one(self, tx, record: records.Record, sender: str, now: float, resyncing: bool,
             holding) -> records.Ack:  # noqa: ANN001
        answer, held, host = "ok", record.version, None
        if record.server is not None:
            answer, held, host = self._server(tx, record.server, sender, now, resyncing, holding)
        elif record.host is not None:
            self.view.records.keep_host(tx, sender, record.host, record.version, now)
        elif record.slots is not None:
            self.view.records.keep_slots(tx, sender, record.slots, record.version)
        elif record.action is not None:
            holding = self.view.servers.holding(tx, record.action.server)
            if holding is not None and (holding.cell, holding.placed) == (sender, True):
                self.view.records.keep_action(tx, record.action, record.version)
        elif record.migration is not None:
            holding = self.view.servers.holding(tx, record.migration.server)
            if holding is not None and (holding.cell, holding.placed) == (sender, True):
                self.view.migrations.keep(tx, sender, record.migration, record.version)
        elif record.user_data is not None:
            self.view.servers.keep_user_data(tx, record.user_data, sender, record.version)
        return records.Ack(kind=record.kind, uuid=record.uuid, epoch=record.epoch,
                           version=record.version, answer=answer, held=held, host=host)

    def _server(self, tx, server: model.Server, sender: str, now: float, resyncing: bool,
                holding) -> tuple[str, int, str | None]:  # noqa: ANN001
        """Confirm, adopt, or say that it has moved or is unknown; and the version and the host
        that the view holds.  ``holding``: what it held once everything newer was applied."""
        servers, placing = self.view.servers, self.view.placing
        if server.deleted:
            self.view.intents.settle(tx, server.uuid, sender, server.epoch)
        if holding is None:
            return "unknown", 0, None
        if (holding.cell, holding.epoch, holding.placed) == (sender, server.epoch, True):
            return "confirmed", holding.version, holding.host or ""
        if placing.confirm(tx, server, sender, now):
            return "confirmed", server.version, server.host or ""
        if resyncing and servers.adopt(tx, server, sender, now):
            return "confirmed", server.version, server.host or ""
        if servers.holding(tx, server.uuid) != holding:
            # Another collector has it too; and who is told "moved" drops the server for good.
            raise errors.Stale(f"the server {server.uuid} changed meanwhile")
        return "moved", 0, None


def _outcome(record: records.Record, ack: records.Ack) -> str:
    """What became of a record, as it is counted."""
    if ack.answer in ("moved", "unknown"):
        return "refused"
    return "stale" if ack.held > record.version else "applied"
