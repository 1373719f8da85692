"""What the API does to servers, without any HTTP: check, save or send, apply what is answered.

An order is a command and where it goes; the reply *is* the new record, and the view holds it
before the client is answered, so that reads follow writes (law T3).  A server that is in no
cell is the API cell's own: delete, rename and the like act here, by compare-and-swap against
its confirmation (law T1).  May assume that the caller is allowed to do what it asks.
"""

import collections.abc
import logging

import msgspec

from nova_cells.db import again
from nova_cells.db.view import replies
from nova_cells.domain import address as addresses
from nova_cells.domain import (
    boot,
    codec,
    commands,
    effects,
    errands,
    errors,
    lifecycle,
    tags,
)
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.domain.boot import Sealed

LOG = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds."""

    budget: float = 15.0             # how long a user waits for a cell
    delete_budget: float = 5.0       # a delete that is not answered is kept instead


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to a request that has a key, to be kept with what it does."""

    name: str
    digest: str
    reply: bytes
    until: float


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request to create servers, checked and resolved.

    ``records`` are at epoch 1, version 0, as many as may be had at most; at least ``minimum``
    of them must fit the quota.
    """

    records: tuple[model.Server, ...]
    request: boot.BootRequest
    secrets: boot.Secrets = boot.Secrets()
    origin: commands.Origin = commands.Origin()
    minimum: int = 0                 # 0: all of them
    once: Once | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What was created, and the offers to send."""

    servers: list[model.Server]
    casts: list[effects.Effect]
    kept: replies.Kept | None = None # it was carried out before, with this reply; nothing was done


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A command on its way; ``record`` when it was carried out at the top, with ``casts``."""

    to: addresses.Address | None = None
    command: commands.Command | None = None
    record: model.Server | None = None
    casts: tuple[effects.Effect, ...] = ()


class Orders:
    """The operations of the API cell on servers."""

    def __init__(self, view, ids, settings: Settings | None = None) -> None:  # noqa: ANN001
        self.view = view
        self.ids = ids
        self.settings = settings or Settings()

    # -- create -----------------------------------------------------------------------------

    def boot(self, asked: Asked, now: float) -> Accepted:
        """Quota, rows and offers in one transaction behind the project's guard row (T11)."""
        return again.decide(self._boot, asked, self.view.seal.close_secrets(asked.secrets), now)

    def _boot(self, asked: Asked, sealed: Sealed, now: float) -> Accepted:
        first = asked.records[0]
        servers: list[model.Server] = []
        casts: list[effects.Effect] = []
        with self.view.write() as tx:
            self.view.quota.guard(tx, first.project_id)
            if asked.once is not None:
                kept = self._once(tx, asked.once, now)
                if kept is not None:
                    return Accepted(servers=[], casts=[], kept=kept)
            if asked.request.group is not None:
                self.view.groups.guard(tx, asked.request.group.uuid)
            for record in asked.records[:self._fitting(tx, asked)]:
                server, sent = self.view.placing.accept(
                    tx, model.replace(record, verb="boot", phase=0, ticket=0), asked.request,
                    sealed, asked.origin, self.ids.uuid(), now)
                servers.append(server)
                casts += sent
        return Accepted(servers=servers, casts=casts)

    def _once(self, tx, once: Once, now: float) -> replies.Kept | None:  # noqa: ANN001
        """Keep the reply; or what is kept already, if it was carried out before."""
        kept = self.view.replies.find(tx, once.name, now)
        if kept is None:
            self.view.replies.keep(tx, once.name, replies.Kept(once.digest, once.reply),
                                   once.until, now)
        return kept

    def _fitting(self, tx, asked: Asked) -> int:  # noqa: ANN001
        """How many of the records fit the quota.  Raises ``OverLimit`` under the minimum."""
        first, count = asked.records[0], len(asked.records)
        while True:
            try:
                self.view.quota.check(
                    tx, first.project_id, first.user_id, count, count * first.flavor.vcpus,
                    count * first.flavor.ram_mb)
                if asked.request.group is not None:
                    self._fit_group(tx, asked.request.group.uuid, first, count)
                return count
            except errors.OverLimit:
                if count <= (asked.minimum or len(asked.records)):
                    raise
                count -= 1

    def _fit_group(self, tx, group: str, server: model.Server, count: int) -> None:  # noqa: ANN001
        limits = self.view.quota.limits(tx, server.project_id, server.user_id)
        self.view.groups.check(tx, group, server.user_id, count, limits["server_group_members"])

    # -- change -----------------------------------------------------------------------------

    def act(self, uuid: str, verb: str, origin: commands.Origin, now: float,
            want: dict[str, str] | None = None, wanted: wants.Wanted | None = None,
            more: tuple[int, int] = (0, 0)) -> Order:
        """Begin a verb of the lifecycle table.  ``more``: cores and MiB that the server will take
        beyond what is counted for it; reserved until the operation is over (law T11)."""
        row, server = self._find(uuid)
        if not row.placed:
            lifecycle.begin(server, verb, now)       # says why not, if the state forbids it
            raise errors.Conflict(lifecycle.unready(server, verb))
        order = self._to_cell(row, commands.Act, origin, verb=verb, want=want or {},
                              wanted=wanted or wants.Wanted())
        if any(more):
            again.decide(self._reserve, order.command.op, server, more, now)
        return order

    def _reserve(self, op: str, server: model.Server, more: tuple[int, int],
                 now: float) -> None:
        """Raises ``OverLimit`` if it is too much."""
        with self.view.write() as tx:
            self.view.quota.guard(tx, server.project_id)
            self.view.quota.check(tx, server.project_id, server.user_id, 0, *more)
            self.view.quota.hold(tx, op, server.uuid, server.project_id, server.user_id, 0, *more,
                                 now)

    def lock(self, uuid: str, locked: bool, reason: str | None, origin: commands.Origin,
             now: float) -> Order:
        """Forbid changes, or allow them again."""
        return self._either(
            uuid, lambda server: lifecycle.lock(server, locked, reason, origin.project_id, now),
            commands.Lock, origin, now, locked=locked, reason=reason)

    def reset_state(self, uuid: str, rest: str, origin: commands.Origin, now: float) -> Order:
        """The operator's word about where a server rests.  One that is in no cell can be given
        up, and nothing else: no word makes a guest."""
        def once() -> Order:
            row, server = self._find(uuid)
            if row.placed:
                return self._to_cell(row, commands.ResetState, origin, rest=rest)
            if rest != "error":
                raise errors.Conflict(f"Instance {uuid} is on no host: it can only be deleted, or "
                                      f"reset to error")
            with self.view.write() as tx:
                if not self.view.placing.give_up(tx, server, origin, self.ids.uuid(), now):
                    raise errors.Stale("it was just confirmed")
                return Order(record=self.view.servers.record(tx, uuid))
        return self._settled(uuid, once)

    def update(self, uuid: str, fields: dict[str, object], origin: commands.Origin,
               now: float) -> Order:
        """Change what the owner gave (``commands.Update`` names the fields)."""
        return self._either(uuid, lambda server: lifecycle.change(server, now, **fields),
                            commands.Update, origin, now, **fields)

    def change_metadata(self, uuid: str, items: dict[str, str],
                        remove: collections.abc.Iterable[str], whole: bool, limit: int,
                        origin: commands.Origin, now: float) -> Order:
        """Set and remove metadata items."""
        gone = tuple(remove)

        def change(server: model.Server) -> model.Server:
            kept = {} if whole else dict(server.metadata)
            kept.update(items)
            if any(key not in kept for key in gone):
                raise errors.NotFound("Metadata item was not found")
            kept = {key: value for key, value in kept.items() if key not in gone}
            if 0 <= limit < len(kept) and len(kept) > len(server.metadata):
                raise errors.OverLimit(f"Maximum number of metadata items exceeds {limit}")
            return lifecycle.change(server, now, metadata=kept)
        return self._either(uuid, change, commands.ChangeMetadata, origin, now, items=items,
                            remove=gone, whole=whole, limit=limit)

    def change_tags(self, uuid: str, origin: commands.Origin, now: float, *,
                    add: collections.abc.Iterable[str] = (),
                    remove: collections.abc.Iterable[str] = (), whole: bool = False) -> Order:
        """Add and remove tags."""
        row, server = self._find(uuid)
        if not row.placed:
            tags.check(server, "update tags")
            raise errors.Conflict(f"Instance {uuid} is on no host: it can only be deleted")
        return self._to_cell(row, commands.ChangeTags, origin, add=tuple(add),
                             remove=tuple(remove), whole=whole)

    def ask(self, uuid: str, question: type[commands.Question], origin: commands.Origin,
            **fields: object) -> Order:
        """A question to the cell, or to the server's host."""
        row, _server = self._find(uuid)
        if not row.placed:
            raise errors.Conflict(f"Instance {uuid} is not ready")
        return self._to_cell(row, question, origin, **fields)

    def run(self, uuid: str, verb: str, errand: errands.Errand, origin: commands.Origin,
            options: dict[str, str] | None = None) -> Order:
        """Begin a verb of an errand (``domain.errands``): a new one, or the one of its uuid.  The
        answer of ``carry_out`` is then the errand; the server's record was applied."""
        row, _server = self._find(uuid)
        if not row.placed:
            raise errors.Conflict(f"Instance {uuid} is on no host: it can only be deleted")
        return self._to_cell(row, commands.Run, origin, verb=verb, errand=errand,
                             options=options or {})

    def clear_password(self, uuid: str, origin: commands.Origin) -> Order | None:
        """Forget the password that the guest posted.  None: there is no guest that could have."""
        row, _server = self._find(uuid)
        return self._to_cell(row, commands.ClearPassword, origin) if row.placed else None

    def steer_migration(self, uuid: str, migration: str, shown: str, word: str, early: bool,
                        origin: commands.Origin, now: float) -> Order:
        """Abort a live migration, or have it end soon."""
        row, _server = self._find(uuid)
        if not row.placed:
            raise errors.Conflict(f"Instance {uuid} is on no host: it is not being migrated")
        return self._to_cell(row, commands.SteerMigration, origin, migration=migration,
                             shown=shown, word=word, early=early)

    def delete(self, uuid: str, origin: commands.Origin, now: float,
               force: bool = False) -> Order | None:
        """Delete.  None when it was carried out here, for the server is in no cell."""
        def once() -> Order | None:
            row, server = self._find(uuid)
            if row.placed:
                return self._to_cell(row, commands.Delete, origin, force=force)
            with self.view.write() as tx:
                if not self.view.placing.withdraw(tx, server, origin, self.ids.uuid(), now):
                    raise errors.Stale("it was just confirmed")
            return None
        return self._settled(uuid, once)

    def restore(self, uuid: str, origin: commands.Origin, now: float) -> Order:
        """Restore one that was deleted softly, if the quota has room for it: held from here until
        the record counts again (law T11)."""
        def once() -> Order:
            row, server = self._find(uuid)
            order = self._to_cell(row, commands.Act, origin, verb="restore")
            if row.placed:               # else it never was deleted softly
                self.check_up(order)
            lifecycle.begin(server, "restore", now)
            flavor, owner = server.flavor, (server.project_id, server.user_id)
            amounts = (1, flavor.vcpus, flavor.ram_mb)
            with self.view.write() as tx:
                self.view.quota.guard(tx, server.project_id)
                self.view.quota.check(tx, *owner, *amounts)
                self.view.quota.hold(tx, order.command.op, uuid, *owner, *amounts, now)
            return order
        return self._settled(uuid, once)

    # -- carrying out -----------------------------------------------------------------------

    def carry_out(self, client, order: Order | None, clock):  # noqa: ANN001, ANN201
        """Call the cell and apply the record that it answers.  Returns the record, the answer to a
        question, or None.  Raises what the cell answered; ``CellDown`` when it did not."""
        if order is None:
            return None
        if order.record is not None:
            for cast in order.casts:
                try:
                    client.cast(cast.to, cast.message)
                except errors.CellDown as problem:       # saved; the collector sends it again
                    LOG.info("server=%s not sent yet: %s", order.record.uuid, problem)
            return order.record
        deleting = isinstance(order.command, commands.Delete)
        budget = self.settings.delete_budget if deleting else self.settings.budget
        try:
            self.check_up(order)
        except errors.CellDown:
            self._not_sent(order)
            self.lost(order, clock.time())
            return None
        try:
            answer = client.call(order.to, order.command, budget)
            if deleting and isinstance(answer, errors.Failure) \
                    and answer.family == errors.CellDown.family:     # it cannot just now
                raise errors.CellDown(answer.message)
        except errors.CellDown:
            self.lost(order, clock.time())
            return None
        return self.finish(order, answer, clock.time())

    def check_up(self, order: Order) -> None:
        """Raise ``CellDown`` at once for a cell that is known to be down or halted."""
        with self.view.read() as tx:
            cell = self.view.cells.get(tx, order.to.cell)
        if cell is None or cell.halted or not cell.up:
            name = cell.name if cell else order.to.cell
            raise errors.CellDown(f"The cell {name} of instance {order.command.server} does not "
                                  f"answer just now; try again later")

    def finish(self, order: Order, answer: msgspec.Struct, now: float):  # noqa: ANN201
        """Apply what the cell answered."""
        if isinstance(answer, errors.Failure):
            self._not_sent(order)
            errors.raise_failure(answer)
        if isinstance(answer, commands.Done) and answer.record is not None:
            again.decide(self._apply, answer.record, order, now)
            return answer.record if answer.errand is None else answer.errand
        return None if isinstance(answer, commands.Done) else answer

    def _apply(self, record: model.Server, order: Order, now: float) -> None:
        with self.view.write() as tx:
            self.view.servers.apply(tx, record, order.to.cell, now)
            if _holds(order) and order.command.verb == "restore":
                self.view.quota.release(tx, order.command.op)

    def _not_sent(self, order: Order) -> None:
        """It was not, and will not be, carried out: what it held of the quota is free again."""
        if _holds(order):
            again.decide(self._release, order.command.op)

    def _release(self, op: str) -> None:
        with self.view.write() as tx:
            self.view.quota.release(tx, op)

    def lost(self, order: Order, now: float) -> None:
        """The cell did not answer.  A delete is kept for it; anything else is the caller's to
        repeat, for it may or may not have happened (law T18)."""
        command = order.command
        if not isinstance(command, commands.Delete):
            raise errors.CellDown(
                f"The cell of instance {command.server} does not answer just now. The request "
                f"may or may not have been carried out; look, and try again later")
        again.decide(self._keep, command, order.to.cell, now)

    def _keep(self, command: commands.Delete, cell: str, now: float) -> None:
        with self.view.write() as tx:
            self.view.intents.keep(tx, command.server, cell, command.epoch, command.op,
                                   command.origin, now)
            self.view.servers.show_deleting(tx, command.server, now)

    # -- either here or there -----------------------------------------------------------------

    def _find(self, uuid: str):  # noqa: ANN202
        with self.view.read() as tx:
            row = self.view.servers.row(tx, uuid)
        if row is None or row.deleted:
            raise errors.NotFound(f"Instance {uuid} could not be found.")
        return row, UNPACK(row.record)

    def _to_cell(self, row, kind: type, origin: commands.Origin, /,  # noqa: ANN001
                 **fields: object) -> Order:
        return Order(to=addresses.Cell(row.cell), command=kind(
            op=self.ids.uuid(), server=row.uuid, epoch=row.epoch, origin=origin, **fields))

    def _either(self, uuid: str, change: collections.abc.Callable[[model.Server], model.Server],
                kind: type, origin: commands.Origin, now: float, **fields: object) -> Order:
        """A change of what is shown: ordered from the cell, or made here while there is none."""
        def once() -> Order:
            row, server = self._find(uuid)
            if row.placed:
                return self._to_cell(row, kind, origin, **fields)
            changed = change(server)
            if changed is server:
                return Order(record=server)
            with self.view.write() as tx:
                done, casts = self.view.placing.change(tx, server, changed, now)
                if not done:
                    raise errors.Stale("somebody was faster")
                record = self.view.servers.record(tx, uuid)
            return Order(record=record, casts=tuple(casts))
        return self._settled(uuid, once)

    def _settled(self, uuid: str, once: collections.abc.Callable):  # noqa: ANN202
        try:
            return again.decide(once)
        except errors.Stale:
            raise errors.Conflict(
                f"Instance {uuid} changes too often just now; try again") from None


def _holds(order: Order) -> bool:
    """Whether it may hold a reservation: a restore until its record is applied, which counts it;
    the others until they are over."""
    return isinstance(order.command, commands.Act) and order.command.verb in (
        "restore", "resize", "revert_resize")


UNPACK = codec.Unpacker(model.Server)
