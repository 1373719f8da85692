"""The transactions that place a server: accept, offer, confirm, move on, withdraw.

One of the two shared paths of the API and the collector.  Each method is one transaction's
worth of work on ``tx`` and returns what must be sent once it is committed.  Decides where by
the pure scheduler; never by a clock.
"""

import msgspec
import sqlalchemy as sa

from nova_cells.db.view import groups as grouping
from nova_cells.db.view import offers as offering
from nova_cells.domain import address, boot, commands, effects, errors, lifecycle, resources
from nova_cells.domain import server as model
from nova_cells.scheduler import choose

NO_VALID_HOST = 500              # the code of the fault that users read (api-ref)


class Placing:
    """Where servers go, at the top."""

    def __init__(self, servers, offers, intents, cells, records, groups,  # noqa: ANN001
                 aggregates) -> None:
        self.servers, self.offers, self.intents = servers, offers, intents
        self.cells, self.records, self.groups = cells, records, groups
        self.aggregates = aggregates

    # -- choosing ---------------------------------------------------------------------------

    def places(self, tx: sa.Connection, shape: str, zone: str | None,
               named: str | None = None) -> list[choose.Place]:
        """Every cell as a place: joint slots of the shape less the offers in flight; and its
        hosts, if one is ``named``."""
        slots, debits = self.records.slots(tx), self.offers.debits(tx)
        hosts: dict[str, set[str]] = {}
        for _id, cell, record in self.records.hosts(tx) if named else ():
            hosts.setdefault(cell, set()).add(record.name)
        places = []
        zoned = self._zones(tx, slots) if zone else {}
        for cell in self.cells.all(tx):
            record = slots.get(cell.uuid)
            counted = None
            if record is not None and cell.uuid not in zoned:
                by_shape = record.zones.get(zone, {}) if zone else record.slots
                counted = by_shape.get(shape)
            if counted is not None:
                counted = max(0, counted - debits.get((cell.uuid, shape), 0))
            places.append(choose.Place(
                key=cell.uuid, up=cell.up and cell.halted is None, enabled=cell.enabled,
                zones=frozenset(zoned.get(cell.uuid) or (record.zones if record else {"nova"})),
                hosts=frozenset(hosts.get(cell.uuid, ())), slots=counted,
                fullness=record.fullness if record else 0.0))
        return places

    def _zones(self, tx: sa.Connection, slots: dict) -> dict[str, set[str]]:
        """cell -> its zones, of the cells that have not counted by the aggregates as they are."""
        version = self.aggregates.version(tx)
        behind = {cell for cell, record in slots.items() if record.aggregates != version}
        return {cell: zones for cell, zones in self.aggregates.zones_by_cell(tx).items()
                if cell in behind} if behind else {}

    def choose_cell(self, tx: sa.Connection, server: model.Server, request: boot.BootRequest,
                    tried: tuple[str, ...]) -> str:
        """The best cell; that of its group, if that is in one.  Raises ``NoPlace`` in words."""
        pin = self.groups.pin_of(tx, request.group, server.uuid)
        asked, places = self._asked(server, request, tried, pin), self._places(tx, server, request)
        near = self.groups.near(tx, request.group)
        liked = [place for place in places if place.key in near and place.slots]
        try:
            cell = choose.choose(asked, liked, choose.CELL_FILTERS, choose.more_slots)[0].key
        except errors.NoPlace:
            cell = choose.choose(asked, places, choose.CELL_FILTERS, choose.more_slots)[0].key
        if pin is not None:
            self.groups.pin(tx, pin, cell)
        return cell

    def _asked(self, server: model.Server, request: boot.BootRequest, tried: tuple[str, ...],
               pin: grouping.Pin | None) -> choose.Request:
        only = frozenset(cell for cell, _host in request.only_hosts)
        if pin is not None and pin.cell is not None:     # "" is no cell: hints contradict it
            only = frozenset({pin.cell} if not only or pin.cell in only else {""})
        return choose.Request(
            amounts=resources.amounts(server.flavor), shape=resources.shape(server.flavor),
            only=only,
            zone=server.pinned_availability_zone, forced=request.forced_host,
            tried=frozenset(tried))

    def _places(self, tx: sa.Connection, server: model.Server,
                request: boot.BootRequest) -> list[choose.Place]:
        return self.places(tx, resources.shape(server.flavor), server.pinned_availability_zone,
                           request.forced_host)

    def _would_fit(self, tx: sa.Connection, server: model.Server,
                   request: boot.BootRequest) -> bool:
        """Whether a cell that is down just now could take it."""
        places = [msgspec.structs.replace(place, up=True)
                  for place in self._places(tx, server, request) if not place.up]
        try:
            pin = self.groups.pin_of(tx, request.group, server.uuid)
            choose.choose(self._asked(server, request, (), pin), places, choose.CELL_FILTERS,
                          choose.more_slots)
        except errors.NoPlace:
            return False
        return True

    # -- the life of an offer ---------------------------------------------------------------

    def accept(self, tx: sa.Connection, server: model.Server, request: boot.BootRequest,
               secrets: boot.Sealed, origin: commands.Origin, op: str,
               now: float) -> tuple[model.Server, list[effects.Effect]]:
        """A new server and its first offer; in error at once if no cell can take it.  ``CellDown``,
        and nothing is made, if only cells that are down could: an outage puts none in error."""
        sealed = secrets.user_data.encode() if secrets.user_data else None
        try:
            cell = self.choose_cell(tx, server, request, ())
        except errors.NoPlace as problem:
            if self._would_fit(tx, server, request):
                raise errors.CellDown("No cell that could take the server answers just now; try "
                                      "again later") from None
            server = self._nowhere(server, problem.message, now)
            self.servers.insert(tx, server, now, sealed=sealed)
            if request.group is not None:
                self.groups.join(tx, request.group.uuid, server.uuid)
            self.records.add_action(tx, self._action(server, origin, op, now,
                                                     failed=problem.message))
            return server, []
        self.servers.insert(tx, server, now, sealed=sealed)
        if request.group is not None:
            self.groups.join(tx, request.group.uuid, server.uuid)
        self.records.add_action(tx, self._action(server, origin, op, now))
        offer = offering.Offer(
            server=server.uuid, epoch=server.epoch, cell=cell, op=op, origin=origin,
            shape=resources.shape(server.flavor), request=request, secrets=secrets,
            created_at=now)
        self.offers.insert(tx, offer, now)
        return server, [effects.Cast(address.Cell(cell), offer.message(server))]

    def confirm(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> bool:
        """The cell accepted: its offer is closed and the record is the cell's from here.  False
        if the offer has moved on."""
        if not self.offers.confirm(tx, server.uuid, server.epoch, cell):
            return False
        self.servers.place(tx, server, cell, now)
        return True

    def move_on(self, tx: sa.Connection, offer: offering.Offer, now: float,
                refused: str | None = None) -> list[effects.Effect]:
        """Refused (why, in the cell's words), or unanswered for long: to the next cell at the next
        epoch.  Refused by all: NoValidHost, as the last of them said it.  Unanswered and nowhere
        else to go: keep asking."""
        server = self.servers.record(tx, offer.server)
        if server is None or (server.epoch, server.deleted) != (offer.epoch, False):
            return []
        tried = (*offer.tried, offer.cell)
        try:
            cell = self.choose_cell(tx, server, offer.request, tried)
        except errors.NoPlace:
            if refused is not None:
                self._give_up(tx, offer, server, refused, now)
            return []
        return self._reoffer(tx, offer, server, cell, tried, now)

    def _reoffer(self, tx: sa.Connection, offer: offering.Offer, server: model.Server, cell: str,
                 tried: tuple[str, ...], now: float) -> list[effects.Effect]:
        moved = self.offers.move(tx, offer, cell, tried, now)
        if moved is None:
            return []
        server = model.replace(server, epoch=moved.epoch, version=0)
        self._own(tx, server, now, offer.epoch)
        if cell != offer.cell:
            self.intents.keep(tx, server.uuid, offer.cell, offer.epoch, offer.op, offer.origin,
                              now, first=1.0)
        return [effects.Cast(address.Cell(cell), moved.message(server))]

    def _give_up(self, tx: sa.Connection, offer: offering.Offer, server: model.Server,
                 why: str, now: float) -> None:
        if self.offers.close(tx, offer.server, offer.epoch):
            failed = self._nowhere(model.replace(server, epoch=offer.epoch + 1), why, now)
            self._own(tx, failed, now, offer.epoch)
            self._keep(tx, self._action(failed, offer.origin, offer.op, now, failed=why))

    # -- an unplaced server is the API cell's -------------------------------------------------

    def change(self, tx: sa.Connection, server: model.Server, changed: model.Server,
               now: float) -> tuple[bool, list[effects.Effect]]:
        """Change a server that is in no cell: the next epoch; an open offer is made again with
        the changed record, so the old one can no longer be confirmed.  False: somebody was
        faster, read again."""
        offer = self.offers.get(tx, server.uuid)
        changed = model.replace(changed, epoch=server.epoch + 1, version=0)
        if offer is None:
            return self.servers.own(tx, changed, now, expected=server.epoch), []
        if offer.epoch != server.epoch:
            return False, []
        moved = self.offers.move(tx, offer, offer.cell, offer.tried, now)
        if moved is None:
            return False, []
        self._own(tx, changed, now, server.epoch)
        return True, [effects.Cast(address.Cell(moved.cell), moved.message(changed))]

    def give_up(self, tx: sa.Connection, server: model.Server, origin: commands.Origin,
                op: str, now: float) -> bool:
        """An operator's word: a server that is in no cell is in error.  An open offer is closed, by
        compare-and-swap against its confirmation: whoever accepted it hears that it moved.  False:
        it was just confirmed; read again."""
        offer = self.offers.get(tx, server.uuid)
        if offer is not None and not self.offers.close(tx, server.uuid, server.epoch):
            return False
        changed = model.replace(lifecycle.reset(server, "error", now), epoch=server.epoch + 1,
                                version=0)
        self._own(tx, changed, now, server.epoch)
        self._keep(tx, self._action(changed, origin, op, now, action="resetState", done=True))
        return True

    def withdraw(self, tx: sa.Connection, server: model.Server, origin: commands.Origin,
                 op: str, now: float) -> bool:
        """Delete a server that is in no cell, by compare-and-swap against its confirmation.  The
        delete also goes to every cell that may still hold the offer.  False: it was just
        confirmed; read again."""
        offer = self.offers.get(tx, server.uuid)
        if offer is not None and not self.offers.close(tx, server.uuid, server.epoch):
            return False
        deleted = lifecycle.finish(lifecycle.begin(server, "delete", now), now)
        deleted = model.replace(deleted, epoch=server.epoch + 1, version=0)
        self._own(tx, deleted, now, server.epoch)
        if offer is not None:
            self.intents.keep(tx, server.uuid, offer.cell, offer.epoch, op, origin, now)
        self._keep(tx, self._action(deleted, origin, op, now, action="delete", done=True))
        return True

    # -- in words -------------------------------------------------------------------------------

    def _nowhere(self, server: model.Server, why: str, now: float) -> model.Server:
        """In error, with a fault that its owner can read."""
        fault = model.Fault(code=NO_VALID_HOST, message=why, created_at=now)
        return model.replace(lifecycle.fail(server, now, fault), version=0)

    def _own(self, tx: sa.Connection, server: model.Server, now: float, expected: int) -> None:
        """The row follows its offer, or nothing of this transaction is true."""
        if not self.servers.own(tx, server, now, expected=expected):
            raise errors.Stale(f"the server {server.uuid} changed meanwhile")

    def _keep(self, tx: sa.Connection, record: commands.ActionRecord) -> None:
        self.records.keep_action(tx, record, record.version)

    def _action(self, server: model.Server, origin: commands.Origin, op: str, now: float, *,
                action: str = "create", failed: str | None = None,
                done: bool = False) -> commands.ActionRecord:
        """The instance action as far as the API cell knows it; a child's record replaces it."""
        event = ()
        if failed:
            event = (commands.Event(name="schedule_and_build_instances", start=now, finish=now,
                                    result="Error", details=failed),)
        return commands.ActionRecord(
            uuid=op, server=server.uuid, epoch=server.epoch, version=1 if failed or done else 0,
            action=action, request_id=origin.request_id, user_id=origin.user_id,
            project_id=origin.project_id, start=now, updated=now,
            message="Error" if failed else None, events=event)
