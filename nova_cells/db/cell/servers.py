"""Servers and their actions: the truth.  One function saves, by swap, and marks the outbox."""

import typing

import msgspec
import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import outbox as marking
from nova_cells.db.cell import tables
from nova_cells.domain import boot, codec, commands, errors, lifecycle, records, renewal
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

t = tables.servers
_record = codec.Unpacker(model.Server)
_request = codec.Unpacker(boot.BootRequest)
_wanted = codec.Unpacker(wants.Wanted)
_action = codec.Unpacker(commands.ActionRecord)
PASSWORD_LIMIT = 1020            # bytes
ASK_AGAIN = 30.0                 # seconds between two questions of the watchdog

#: How far a lift goes above what the view knows: the lost database may have given hosts tickets
#: that the view never heard of, and theirs must not win against new ones.
MARGIN = 1_000_000

_HELD = sa.select(t.c.uuid, t.c.epoch, t.c.version, t.c.confirmed, t.c.op, t.c.began_at, t.c.record)
_ONE = _HELD.where(t.c.uuid == sa.bindparam("of_uuid"))
_SORTED = _HELD.order_by(t.c.uuid)
_SOME = _HELD.where(t.c.uuid.in_(sa.bindparam("uuids", expanding=True)))
_REQUEST = sa.select(t.c.request).where(t.c.uuid == sa.bindparam("of_uuid"))
_WANTED = sa.select(t.c.wanted).where(t.c.uuid == sa.bindparam("of_uuid"))
_PASSWORD = sa.select(t.c.password).where(t.c.uuid == sa.bindparam("of_uuid"))
_POST_PASSWORD = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid"), t.c.rest != "deleted",
                                    t.c.password.is_(None))
_CLEAR_PASSWORD = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid")).values(password=None)
_SECRETS = sa.select(t.c.secrets, t.c.user_data).where(t.c.uuid == sa.bindparam("of_uuid"))
_USER_DATA = sa.select(t.c.uuid, t.c.epoch, t.c.version, t.c.user_data).where(
    t.c.uuid.in_(sa.bindparam("uuids", expanding=True)), t.c.rest != "deleted")
_INSERT = sa.insert(t)
_AT = (t.c.uuid == sa.bindparam("of_uuid")) & (t.c.epoch == sa.bindparam("of_epoch"))
_AS_READ = _AT & (t.c.version == sa.bindparam("of_version"))
_SAVE = _ASK_LATER = sa.update(t).where(_AS_READ)
_FORGET = sa.delete(t).where(_AS_READ, ~t.c.confirmed)
_PURGE = sa.delete(t).where(_AS_READ, t.c.rest == "deleted")
_CONFIRM = sa.update(t).where(_AT, ~t.c.confirmed, t.c.rest != "deleted").values(confirmed=True)
_DID = sa.select(tables.operations.c.op).where(tables.operations.c.op == sa.bindparam("of_op"))
_NOTE = sa.insert(tables.operations)
_a = tables.actions
_ACTION = sa.select(_a.c.uuid, _a.c.record).where(
    _a.c.uuid.in_(sa.bindparam("uuids", expanding=True)))
_ACTION_OF = sa.select(_a.c.record).join(t, t.c.op == _a.c.uuid).where(
    t.c.uuid == sa.bindparam("of_uuid"))
_ACTION_AGAIN = sa.update(_a).where(_a.c.uuid == sa.bindparam("of_uuid"))
_ACTION_FIRST = sa.insert(_a)

LOST = ("The cell's database was put back from an old copy in which this server was being moved; "
        "no host has shown its guest yet",
        "The cell's database was put back from an old copy in which this server was being built; "
        "no host has shown its guest yet")
#: Verbs that say little of where the guest is now; and those that only drop what it left behind.
ANYWHERE = ("boot", "resize", "migrate", "revert_resize")
WAITED = ("confirm_resize",)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A server as the cell holds it: the record, and what only the cell needs to know.

    ``server`` is None for a bare tombstone: a delete that overtook its boot.
    """

    uuid: str
    epoch: int
    version: int
    confirmed: bool
    op: str | None
    began_at: float
    server: model.Server | None


class Servers:
    """The servers of the cell."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    # -- reading --------------------------------------------------------------------------------

    def get(self, tx: sa.Connection, uuid: str) -> Held | None:
        """One server, or its tombstone, or None."""
        row = tx.execute(_ONE, {"of_uuid": uuid}).first()
        return _held(row) if row is not None else None

    def some(self, tx: sa.Connection, uuids: list[str]) -> dict[str, Held]:
        """Those of these that are there."""
        found = tx.execute(_SOME, {"uuids": uuids}) if uuids else ()
        return {row.uuid: _held(row) for row in found}

    def many(self, tx: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Held]:
        """Those that match, by uuid."""
        return [_held(row) for row in tx.execute(_SORTED.where(*where))]

    def open_on(self, tx: sa.Connection, host: str) -> list[Held]:
        """Those that are doing a verb, and are on this host or move from or to it."""
        m = tables.migrations
        moving = sa.select(m.c.server).where(m.c.open, (m.c.source == host) | (m.c.dest == host))
        return self.many(tx, (t.c.host == host) | t.c.uuid.in_(moving), t.c.verb != "",
                         t.c.confirmed)

    def on(self, tx: sa.Connection, host: str) -> list[Held]:
        """Those that belong on this host."""
        return self.many(tx, t.c.host == host, t.c.confirmed)

    def busy(self, tx: sa.Connection) -> list[Held]:
        """Those with a verb under way."""
        return self.many(tx, t.c.verb != "", t.c.confirmed)

    def due(self, tx: sa.Connection, now: float) -> list[Held]:
        """Those whose verb the watchdog should ask about."""
        return self.many(tx, t.c.verb != "", t.c.due_at <= now, t.c.confirmed)

    def soft_deleted(self, tx: sa.Connection, before: float) -> list[Held]:
        """Those that were deleted softly before then, and do nothing."""
        return self.many(tx, t.c.rest == "soft_deleted", t.c.deleted_at <= before,
                         t.c.verb == "", t.c.confirmed)

    def stamps(self, tx: sa.Connection, bucket: int | None = None,
               living: bool = True) -> list[tuple[str, int, int]]:
        """(uuid, epoch, version) of the confirmed servers, of one bucket if asked."""
        query = sa.select(t.c.uuid, t.c.epoch, t.c.version).where(t.c.confirmed)
        if living:
            query = query.where(t.c.rest != "deleted")
        if bucket is not None:
            query = query.where(t.c.uuid.like(f"{bucket:02x}%"))
        return [tuple(row) for row in tx.execute(query)]

    def request(self, tx: sa.Connection, uuid: str) -> boot.BootRequest:
        """What was asked when it was booted."""
        return _request(tx.execute(_REQUEST, {"of_uuid": uuid}).scalar_one())

    def requests(self, tx: sa.Connection) -> typing.Iterator[tuple[str, boot.BootRequest]]:
        """(uuid, what was asked when it was booted), of all that were (for checks)."""
        for row in tx.execute(sa.select(t.c.uuid, t.c.request).where(t.c.request.is_not(None))):
            yield row.uuid, _request(row.request)

    def secrets(self, tx: sa.Connection, uuid: str) -> boot.Sealed:
        """What the guest needs in secret; only the user data once it has run."""
        row = tx.execute(_SECRETS, {"of_uuid": uuid}).one()
        return boot.Sealed(once=row.secrets.decode() if row.secrets else None,
                           user_data=row.user_data.decode() if row.user_data else None)

    def wanted(self, tx: sa.Connection, uuid: str) -> wants.Wanted:
        """What the verb under way wants beside its name."""
        data = tx.execute(_WANTED, {"of_uuid": uuid}).scalar()
        return _wanted(data) if data is not None else wants.Wanted()

    def password(self, tx: sa.Connection, uuid: str) -> str | None:
        """What its guest posted, encrypted by the guest for its owner."""
        return tx.execute(_PASSWORD, {"of_uuid": uuid}).scalar()

    # -- writing --------------------------------------------------------------------------------

    def insert(self, tx: sa.Connection, server: model.Server, request: boot.BootRequest,
               secrets: boot.Sealed, op: str, now: float) -> None:
        """A server that was offered and accepted: not confirmed yet."""
        tx.execute(_INSERT, dict(
            uuid=server.uuid, confirmed=False, op=op, began_at=now, due_at=now + ASK_AGAIN,
            request=codec.pack(request), secrets=secrets.once.encode() if secrets.once else None,
            user_data=secrets.user_data.encode() if secrets.user_data else None,
            **_columns(server)))
        self._outbox.mark(tx, "server", server.uuid, server.epoch, server.version, now)

    def bury(self, tx: sa.Connection, uuid: str, epoch: int, now: float,
             version: int = 0) -> None:
        """A bare tombstone: a boot at this epoch or an older one must not happen any more.  There
        must be no row: whoever put one in meanwhile (DBDuplicateEntry) has to be looked at."""
        tx.execute(sa.insert(t).values(
            uuid=uuid, epoch=epoch, version=version, confirmed=False, host="", rest="deleted",
            verb="", ticket=0, op=None, began_at=now, due_at=0, deleted_at=now, record=None,
            request=None, secrets=None, user_data=None))

    def save(self, tx: sa.Connection, server: model.Server, now: float,
             **more: typing.Any) -> None:
        """The one way to change a server: swap on the version before, and mark the outbox.
        Raises ``Stale`` when somebody was faster."""
        before = {"of_uuid": server.uuid, "of_epoch": server.epoch,
                  "of_version": server.version - 1}
        if server.verb is None:          # what a verb wanted dies with it
            more["wanted"] = None
        result = tx.execute(_SAVE, {**before, **_columns(server), **more})
        if not engine.swapped(result):
            raise errors.Stale(f"server {server.uuid} changed meanwhile")
        self._outbox.mark(tx, "server", server.uuid, server.epoch, server.version, now)

    def renew(self, tx: sa.Connection, server: model.Server, given: wants.Renewal,
              now: float) -> None:
        """A key or user data given anew: kept for whoever makes the guest from now on.  Comes just
        before the ``save`` of the server, which is at its next version already.  Raises ``Stale``
        when somebody was faster."""
        values: dict[str, typing.Any] = {}
        if given.key is not msgspec.UNSET:
            values["request"] = codec.pack(renewal.request(self.request(tx, server.uuid), given))
        if given.user_data is not msgspec.UNSET:
            values["user_data"] = given.user_data.encode() if given.user_data else None
        if values and not engine.swapped(tx.execute(_SAVE, {
                "of_uuid": server.uuid, "of_epoch": server.epoch,
                "of_version": server.version - 1, **values})):
            raise errors.Stale(f"server {server.uuid} changed meanwhile")
        if "user_data" in values:
            self._outbox.mark(tx, "user_data", server.uuid, 0, server.version, now)

    def with_user_data(self, tx: sa.Connection, bucket: int) -> list[tuple[str, int]]:
        """(uuid, version) of those of a bucket that have user data."""
        return [tuple(row) for row in tx.execute(sa.select(t.c.uuid, t.c.version).where(
            t.c.confirmed, t.c.rest != "deleted", t.c.user_data.is_not(None),
            t.c.uuid.like(f"{bucket:02x}%")))]

    def user_data_of(self, tx: sa.Connection, uuids: list[str]) -> dict[str, records.UserData]:
        """The sealed user data of these, as it is now."""
        found = tx.execute(_USER_DATA, {"uuids": uuids}) if uuids else ()
        return {row.uuid: records.UserData(
            server=row.uuid, epoch=row.epoch, version=row.version,
            sealed=row.user_data.decode() if row.user_data else None) for row in found}

    def confirm(self, tx: sa.Connection, uuid: str, epoch: int) -> bool:
        """The top says that it is ours.  True the first time."""
        return engine.swapped(tx.execute(_CONFIRM, {"of_uuid": uuid, "of_epoch": epoch}))

    def forget(self, tx: sa.Connection, held: Held) -> None:
        """The top says that it went elsewhere before it was confirmed here.  Raises ``Stale`` if it
        is not as it was read: confirmed, or deleted, which must be remembered."""
        if not engine.swapped(tx.execute(_FORGET, _stamp(held))):
            raise errors.Stale(f"server {held.uuid} changed meanwhile")
        self._outbox.drop(tx, "server", held.uuid)

    def ask_later(self, tx: sa.Connection, held: Held, due_at: float) -> None:
        """When the watchdog asks next.  Raises ``Stale`` if it is not as it was read."""
        if not engine.swapped(tx.execute(_ASK_LATER, {**_stamp(held), "due_at": due_at})):
            raise errors.Stale(f"server {held.uuid} changed meanwhile")

    def lift(self, tx: sa.Connection, uuid: str, epoch: int, version: int, now: float) -> bool:
        """The child is the truth: raise a record's stamp above this one of the view's."""
        held = self.get(tx, uuid)
        if held is None or held.server is None:
            return False
        lifted = held.server
        if lifted.verb in ANYWHERE:      # its guest may run, and anywhere: wait for who shows it
            lifted = model.replace(lifecycle.fail(lifted, now, model.Fault(
                code=500, message=LOST[lifted.verb == "boot"], created_at=now)),
                want={"lost": lifted.verb})
        elif lifted.verb in WAITED:      # as if nobody had asked
            lifted = model.replace(lifted, verb=None, phase=0, want={}, rest="resized")
        lifted = model.replace(lifted, epoch=max(epoch, held.epoch),
                               version=max(version, held.version) + MARGIN)
        if lifted.verb is not None:
            lifted = model.replace(lifted, ticket=lifted.version)
        result = tx.execute(sa.update(t).where(
            t.c.uuid == uuid, t.c.epoch == held.epoch, t.c.version == held.version).values(
                **_columns(lifted), due_at=now,
                **({"secrets": None} if "lost" in lifted.want else {}),
                **({"wanted": None} if lifted.verb is None else {})))
        if not engine.swapped(result):
            raise errors.Stale(f"server {uuid} changed meanwhile")
        self._outbox.mark(tx, "server", uuid, lifted.epoch, lifted.version, now)
        return True

    def post_password(self, tx: sa.Connection, uuid: str, text: str) -> None:
        """Its guest posts a password, once: until it is cleared no other is taken."""
        if not 0 < len(text.encode()) <= PASSWORD_LIMIT:
            raise errors.Invalid("Request is too large.")
        if not engine.swapped(tx.execute(_POST_PASSWORD, {"of_uuid": uuid, "password": text})):
            raise errors.Conflict(f"Instance {uuid} has a password already, or is gone")

    def clear_password(self, tx: sa.Connection, uuid: str) -> None:
        """Forget what its guest posted."""
        tx.execute(_CLEAR_PASSWORD, {"of_uuid": uuid})

    def purge(self, tx: sa.Connection, before: float, limit: int = 500) -> int:
        """Forget tombstones older than this whose last record has arrived."""
        waiting = sa.select(tables.outbox.c.uuid).where(tables.outbox.c.kind == "server")
        old = tx.execute(sa.select(t.c.uuid, t.c.epoch, t.c.version).where(
            t.c.rest == "deleted", t.c.deleted_at < before,
            t.c.uuid.not_in(waiting)).limit(limit)).all()
        # As it was read, or not now: one that was lifted meanwhile must go up again.
        gone = [row.uuid for row in sorted(old) if engine.swapped(tx.execute(_PURGE, {
            "of_uuid": row.uuid, "of_epoch": row.epoch, "of_version": row.version}))]
        if gone:
            tx.execute(sa.delete(tables.actions).where(tables.actions.c.server.in_(gone)))
            tx.execute(sa.delete(tables.migrations).where(tables.migrations.c.server.in_(gone)))
        return len(gone)

    # -- operations -----------------------------------------------------------------------------

    def did(self, tx: sa.Connection, op: str) -> bool:
        """Whether this operation was carried out before."""
        return tx.execute(_DID, {"of_op": op}).first() is not None

    def note(self, tx: sa.Connection, op: str, server: str, kind: str, now: float) -> None:
        """This operation is carried out, in the same transaction as what it did."""
        tx.execute(_NOTE, {"op": op, "server": server, "kind": kind, "done_at": now})

    def purge_operations(self, tx: sa.Connection, before: float) -> None:
        """Forget operations that nobody repeats any more."""
        tx.execute(sa.delete(tables.operations).where(tables.operations.c.done_at < before))


class Actions:
    """Instance actions: records like any other."""

    def __init__(self, outbox: marking.Outbox) -> None:
        self._outbox = outbox

    def get(self, tx: sa.Connection, uuid: str) -> commands.ActionRecord | None:
        """One action."""
        return self.some(tx, [uuid]).get(uuid)

    def some(self, tx: sa.Connection, uuids: list[str]) -> dict[str, commands.ActionRecord]:
        """Those of these that are there."""
        found = tx.execute(_ACTION, {"uuids": uuids}) if uuids else ()
        return {row.uuid: _action(row.record) for row in found}

    def request_of(self, tx: sa.Connection, server: str) -> str:
        """The id of the request that began the verb under way, as its action says."""
        data = tx.execute(_ACTION_OF, {"of_uuid": server}).scalar()
        return _action(data).request_id if data is not None else ""

    def put(self, tx: sa.Connection, action: commands.ActionRecord, now: float) -> None:
        """Save and mark.  An action has one writer at a time: the transaction of its verb."""
        values = {"version": action.version, "record": codec.pack(action)}
        if not engine.swapped(tx.execute(_ACTION_AGAIN, {"of_uuid": action.uuid, **values})):
            tx.execute(_ACTION_FIRST, {"uuid": action.uuid, "server": action.server, **values})
        self._outbox.mark(tx, "action", action.uuid, 0, action.version, now)

    def forget(self, tx: sa.Connection, uuid: str) -> None:
        """The offer went elsewhere: its action is not ours to tell."""
        tx.execute(sa.delete(tables.actions).where(tables.actions.c.uuid == uuid))
        self._outbox.drop(tx, "action", uuid)


def _stamp(held: Held) -> dict[str, typing.Any]:
    return {"of_uuid": held.uuid, "of_epoch": held.epoch, "of_version": held.version}


def _columns(server: model.Server) -> dict[str, typing.Any]:
    return {"epoch": server.epoch, "version": server.version, "host": server.host or "",
            "rest": server.rest, "verb": server.verb or "", "ticket": server.ticket,
            "deleted_at": server.deleted_at or 0, "record": codec.pack(server)}


def _held(row: sa.Row) -> Held:
    return Held(uuid=row.uuid, epoch=row.epoch, version=row.version,
                confirmed=bool(row.confirmed), op=row.op, began_at=row.began_at,
                server=_record(row.record) if row.record is not None else None)
