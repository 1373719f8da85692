"""The collector: ``handle(message, now, sender) -> effects``.

Loses nothing by dying: every decision is in the view database before an effect leaves, and
whatever was not answered is asked again.  Several collectors may run side by side.
"""

import logging

import msgspec

from nova_cells.collector import figures, healing, notifying, uploads, volumes
from nova_cells.db import again, engine
from nova_cells.domain import address, commands, effects, errors, records

LOG = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a collector is.  Seconds."""

    offer_patience: float = 30.0     # unanswered for so long: try the next cell
    cell_down_after: float = 30.0    # silent for so long: down
    heal_interval: float = 300.0     # how often digests are compared
    reservation_patience: float = 30.0   # quota held for so long: ask what became of it
    resync_retry: float = 2.0        # a bucket that is not answered is asked again
    order_patience: float = 180.0    # longer than an order is on its way: then it is not done
    claim_patience: float = 120.0    # a claim of a volume is looked at again


class Collector:
    """Applies what children say, and makes sure they say it."""

    wants_sender = True
    JOBS = {"offers": 1.0, "intents": 1.0, "orders": 0.5, "pulse": 3.0, "heal": 60.0,
            "catalogue": 2.0, "reservations": 5.0, "volumes": 20.0}

    def __init__(self, view, ids, settings: Settings | None = None,  # noqa: ANN001
                 send: notifying.Send | None = None, room=None) -> None:  # noqa: ANN001
        self.view = view
        self.ids = ids
        self.settings = settings or Settings()
        self.uploads = uploads.Uploads(view)
        self.healing = healing.Healing(view, self.settings)
        self._notifying: notifying.Notifying | None = None
        if send is not None:
            self._notifying = notifying.Notifying(view, ids.uuid(), send)
            self.JOBS = {**self.JOBS, "notify": 1.0}
        self.volumes = volumes.Volumes(view, room, self.settings.claim_patience)
        self._seen: dict[str, tuple[float, float]] = {}      # cell -> (heard_at, seen at)
        self._heard: dict[str, float] = {}                   # cell -> when it was written down
        self._adopted: set[str] = set()
        self._reserved: dict[str, float] = {}                # op -> when it was first seen
        self._asked: dict[str, float] = {}                   # op -> when its cell was asked

    def start(self, now: float) -> list[effects.Effect]:
        """Say who we are to every child."""
        self._adopted.clear()
        return again.decide(self._adopt, now)

    def figures(self, now: float):  # noqa: ANN201
        """The deployment in numbers."""
        return figures.read(self, now)

    def handle(self, message: msgspec.Struct, now: float,
               sender: str | None = None) -> list[effects.Effect]:
        """One message from a child (``sender``) or one tick of ours.  Decided again from the top
        when the database took it back; ``CellDown`` when the database does not answer."""
        try:
            return again.decide(self._handle, message, now, sender)
        except engine.UNAVAILABLE as problem:
            LOG.warning("%s was not handled: the view database does not answer: %s",
                        type(message).__name__, str(problem).partition("\n")[0])
            raise errors.CellDown("The view database does not answer just now.") from None

    def _handle(self, message: msgspec.Struct, now: float,
                sender: str | None) -> list[effects.Effect]:
        if isinstance(message, effects.Tick):
            return self._tick(message.job, now)
        if sender is None:
            LOG.warning("a %s came from no cell; ignored", type(message).__name__)
            return []
        self._note(sender, now)
        match message:
            case records.Upload():
                return self.uploads.apply(message, sender, now)
            case records.Refusal():
                return self._refused(message, sender, now)
            case records.Gone():
                with self.view.write() as tx:
                    self.view.intents.settle(tx, message.server, sender, message.epoch)
                return []
            case commands.CellFacts():
                return self._facts(message, sender, now)
            case commands.Digests():
                return self.healing.compare(message, sender, now)
            case commands.Resynced():
                return self.healing.resynced(message, sender, now)
            case records.Settled():
                return self._settled(message, sender, now)
            case records.HostSettled():
                return self.healing.host_settled(message, sender, now)
            case commands.Verified():
                return self.healing.verified(message, sender, now)
        LOG.warning("cell=%s sent a %s, which a collector does not take", sender,
                    type(message).__name__)
        return []

    # -- offers ---------------------------------------------------------------------------------

    def _refused(self, message: records.Refusal, sender: str,
                 now: float) -> list[effects.Effect]:
        with self.view.write() as tx:
            if message.slots is not None:
                self.view.records.keep_slots(tx, sender, message.slots, message.slots.version)
            offer = self.view.offers.get(tx, message.server)
            if offer is None or (offer.epoch, offer.cell) != (message.epoch, sender):
                return []
            LOG.info("server=%s epoch=%d refused by cell=%s: %s", message.server, message.epoch,
                     sender, message.reason)
            return self.view.placing.move_on(tx, offer, now, refused=message.reason)

    def _resend(self, now: float) -> list[effects.Effect]:
        """Offers that are unanswered: again, or to the next cell."""
        sent: list[effects.Effect] = []
        with self.view.read() as tx:
            due = self.view.offers.due(tx, now)
        for offer in due:
            sent += again.decide(self._resend_one, offer, now)
        return sent

    def _resend_one(self, offer, now: float) -> list[effects.Effect]:  # noqa: ANN001
        with self.view.write() as tx:
            moved: list[effects.Effect] = []
            if now - offer.created_at > self.settings.offer_patience * (1 + len(offer.tried)):
                moved = self.view.placing.move_on(tx, offer, now)
            if not moved:
                self.view.offers.sent(tx, offer, now)
                record = self.view.servers.record(tx, offer.server)
                if record is not None and record.epoch == offer.epoch:
                    moved = [effects.Cast(address.Cell(offer.cell), offer.message(record))]
        return moved

    # -- reservations -----------------------------------------------------------------------------

    def _reservations(self, now: float) -> list[effects.Effect]:
        """Quota that an operation has held for long: its cell is asked what became of it."""
        with self.view.read() as tx:
            overdue = self.view.quota.overdue(tx, now - self.settings.reservation_patience)
            rows = self.view.servers.holdings(tx, [row.server for row in overdue]) \
                if overdue else {}
        self._asked = {row.op: self._asked[row.op] for row in overdue if row.op in self._asked}
        sent: list[effects.Effect] = []
        for row in overdue:
            asked = self._asked.get(row.op)
            if asked is not None and 0 <= now - asked < self.settings.reservation_patience:
                continue
            self._asked[row.op] = now
            server = rows.get(row.server)
            if server is None or not server.cell:
                with self.view.write() as tx:
                    self.view.quota.release(tx, row.op)
                continue
            sent.append(effects.Cast(address.Cell(server.cell), commands.Settle(
                op=row.op, server=row.server, epoch=server.epoch)))
        return sent

    def _settled(self, message: records.Settled, sender: str,
                 now: float) -> list[effects.Effect]:
        """The operation is over, and this is the server after it.  Only its cell may say so."""
        with self.view.write() as tx:
            holding = self.view.servers.holding(tx, message.server)
            if holding is not None and holding.cell == sender:
                if message.record is not None:
                    self.view.servers.apply(tx, message.record, sender, now)
                self.view.quota.release(tx, message.op)
        return []

    # -- ticks ----------------------------------------------------------------------------------

    def _tick(self, job: str, now: float) -> list[effects.Effect]:
        match job:
            case "offers":
                return self._resend(now)
            case "reservations":
                return [*self._restored(now), *self._reservations(now)]
            case "intents":
                with self.view.read() as tx:
                    if not self.view.intents.count(tx):
                        return []
                with self.view.write() as tx:
                    due = self.view.intents.due(tx, now)
                return [effects.Cast(address.Cell(cell), command) for cell, command in due]
            case "pulse":
                return self._pulse(now)
            case "orders":
                return self.healing.orders(now)
            case "heal":
                self._forget_replies(now)
                return self.healing.ask(now)
            case "catalogue":
                return [*self._catalogue(now), *self._aggregates()]
            case "notify" if self._notifying is not None:
                if self._notifying.tick(now) == notifying.BATCH:
                    return [effects.Wake("notify")]
            case "volumes":
                self.volumes.tick(now)
        return []

    def _restored(self, now: float) -> list[effects.Effect]:
        """Quota that is held for an order whose answer was lost: until its record is there, or so
        late that no cell takes the order any more.  Time counts from when we saw it (law T17)."""
        with self.view.read() as tx:
            held = self.view.quota.held(tx)
        self._reserved = {op: self._reserved.get(op, now) for op, _counts in held}
        for op, counts in held:
            if counts or abs(now - self._reserved[op]) > self.settings.order_patience:
                with self.view.write() as tx:
                    self.view.quota.release(tx, op)
        return []

    def _forget_replies(self, now: float) -> None:
        with self.view.read() as tx:
            past = self.view.replies.past(tx, now)
        if past:
            with self.view.write() as tx:
                self.view.replies.forget(tx, past, now)

    def _note(self, cell: str, now: float) -> None:
        """Write down that a cell spoke, at most every few seconds."""
        if now - self._heard.get(cell, -1e9) >= 2.0 or now < self._heard[cell]:
            self._heard[cell] = now
            with self.view.write() as tx:
                self.view.cells.heard(tx, cell, now)

    def _pulse(self, now: float) -> list[effects.Effect]:
        """Who fell silent.  Only whether ``heard_at`` moves counts, not what it says: clocks of
        other collectors may be wrong (law T17)."""
        with self.view.read() as tx:
            cells = self.view.cells.all(tx)
        for cell in cells:
            heard_at, seen = self._seen.get(cell.uuid, (-1.0, now))
            if heard_at != cell.heard_at or now < seen:
                self._seen[cell.uuid] = (cell.heard_at, now)
            elif cell.up and now - seen > self.settings.cell_down_after:
                with self.view.write() as tx:
                    if self.view.cells.silent(tx, cell.uuid, cell.heard_at):
                        LOG.warning("cell=%s (%s) is silent for %d s: down", cell.uuid, cell.name,
                                    now - seen)
        return self._adopt(now)

    def _adopt(self, now: float) -> list[effects.Effect]:
        with self.view.write() as tx:
            parent = self.view.cells.parent(tx, self.ids.uuid())
            cells = self.view.cells.all(tx)
        return [effects.Cast(address.Cell(cell.uuid),
                             commands.Adopt(cell=cell.uuid, parent=parent, name=cell.name))
                for cell in cells if cell.uuid not in self._adopted]

    def _facts(self, message: commands.CellFacts, sender: str,
               now: float) -> list[effects.Effect]:
        with self.view.write() as tx:
            parent = self.view.cells.parent(tx, self.ids.uuid())
            if message.parent is not None and message.parent != parent:
                self.view.cells.update(
                    tx, sender, now, halted=f"the cell belongs to another API cell "
                    f"({message.parent}); detach it there first")
        self._adopted.add(sender)
        return []

    def _catalogue(self, now: float) -> list[effects.Effect]:
        """Tell cells whose slots count an older flavor catalogue about the current one."""
        with self.view.read() as tx:
            version, flavors = self.view.flavors.catalogue(tx)
            slots = self.view.records.slots(tx)
            cells = self.view.cells.all(tx)
        return [effects.Cast(address.Cell(cell.uuid),
                             commands.Catalogue(version=version, flavors=flavors))
                for cell in cells if cell.up
                and (cell.uuid not in slots or slots[cell.uuid].catalogue != version)]

    def _aggregates(self) -> list[effects.Effect]:
        """The same for cells whose zones follow older host aggregates."""
        with self.view.read() as tx:
            version = self.view.aggregates.version(tx)
            slots = self.view.records.slots(tx)
            behind = [cell.uuid for cell in self.view.cells.all(tx) if cell.up
                      and cell.uuid in slots and slots[cell.uuid].aggregates != version]
            known = {cell: self.view.aggregates.of_cell(tx, cell) for cell in behind}
        return [effects.Cast(address.Cell(cell), commands.Aggregates(
            version=found[0], aggregates=found[1])) for cell, found in known.items()]
