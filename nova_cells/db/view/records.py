"""Records other than servers: hosts, instance actions, slots.  Kept if newer, by version."""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import notifications as notifying
from nova_cells.db.view import servers as server_rows
from nova_cells.db.view import tables
from nova_cells.domain import codec, commands, errors, records

hosts, actions, slots = tables.hosts, tables.actions, tables.slots
_host = codec.Unpacker(records.HostRecord)
_action = codec.Unpacker(commands.ActionRecord)
_slots = codec.Unpacker(records.SlotsRecord)


class _Kind:
    """The statements that keep the newest of one kind, made once.  ``key``: columns that say
    which one; an update's other columns are those of the values that are handed in."""

    def __init__(self, table: sa.Table, *key: str) -> None:
        known = sa.and_(*(table.c[name] == sa.bindparam(f"of_{name}") for name in key))
        self.update = sa.update(table).where(known, table.c.version < sa.bindparam("of_version"))
        self.known = sa.select(table.c.version).where(known)
        self.insert = sa.insert(table)


_HOSTS, _SLOTS = _Kind(hosts, "uuid", "cell"), _Kind(slots, "cell")
_ACTIONS = _Kind(actions, "uuid")
FORGOTTEN = "forgotten "         # before the uuid: what a host that is gone has for a name
_ALL_HOSTS = sa.select(hosts.c.id, hosts.c.cell, hosts.c.record).where(
    ~hosts.c.name.startswith(FORGOTTEN)).order_by(hosts.c.id)
_NAMESAKES = sa.select(hosts.c.id, hosts.c.uuid).where(
    hosts.c.cell == sa.bindparam("of_cell"), hosts.c.name == sa.bindparam("of_name"),
    hosts.c.uuid != sa.bindparam("of_uuid"))
_ALL_SLOTS = sa.select(slots.c.cell, slots.c.record)


def _keep(tx: sa.Connection, kind: _Kind, version: int, key: dict, values: dict,
          insert: dict) -> bool:
    """Update if newer, else insert if missing; MySQL has no conditional upsert.  True if it was
    taken.  Another collector may be between: ``Stale`` or ``DBDuplicateEntry``, and the caller
    decides again, for what it put there may be older than this."""
    which = {f"of_{name}": value for name, value in key.items()}
    values = {"version": version, **values}
    if engine.swapped(tx.execute(kind.update, {**which, "of_version": version, **values})):
        return True
    known = tx.execute(kind.known, which).scalar()
    if known is None:
        tx.execute(kind.insert, {**key, **values, **insert})
    elif known < version:
        raise errors.Stale("an older record came in meanwhile")
    return known is None


class Records:
    """What the cells say of themselves."""

    def __init__(self, notifications: notifying.Notifications,
                 servers: server_rows.Servers) -> None:
        self._notifications, self._servers = notifications, servers

    def keep_host(self, tx: sa.Connection, cell: str, record: records.HostRecord, version: int,
                  now: float) -> None:
        """A compute host of a cell, or its tombstone: that keeps late records out, and frees the
        name.  Its successor's record may come first; then the name is its own from then on."""
        name = FORGOTTEN + record.uuid if record.deleted else record.name
        which = {"of_uuid": record.uuid, "of_cell": cell}
        known = tx.execute(_HOSTS.known, which).scalar()
        if known is not None and known >= version:
            return
        for row in tx.execute(_NAMESAKES, {**which, "of_name": name}).all():
            tx.execute(sa.update(hosts).where(hosts.c.id == row.id).values(
                name=FORGOTTEN + row.uuid))
        _keep(tx, _HOSTS, version, {"uuid": record.uuid, "cell": cell},
              {"record": codec.pack(record), "applied_at": now, "name": name}, {})

    def keep_slots(self, tx: sa.Connection, cell: str, record: records.SlotsRecord,
                   version: int) -> None:
        """How many more servers a cell could take."""
        _keep(tx, _SLOTS, version, {"cell": cell}, {"record": codec.pack(record)}, {})

    def keep_action(self, tx: sa.Connection, record: commands.ActionRecord,
                    version: int) -> None:
        """An instance action."""
        if _keep(tx, _ACTIONS, version, {"uuid": record.uuid}, *_action_values(record)):
            self._tell(tx, record)

    def add_action(self, tx: sa.Connection, record: commands.ActionRecord) -> None:
        """An instance action of an operation that has just got its name."""
        values, insert = _action_values(record)
        tx.execute(_ACTIONS.insert, {"uuid": record.uuid, "version": record.version, **values,
                                     **insert})
        self._tell(tx, record)

    def _tell(self, tx: sa.Connection, action: commands.ActionRecord) -> None:
        if self._notifications.wanted:
            self._notifications.action(tx, action, self._servers.record(tx, action.server),
                                       action.updated or action.start)

    def actions_of(self, tx: sa.Connection, server: str) -> list[commands.ActionRecord]:
        """A server's actions, newest first."""
        query = sa.select(actions.c.record).where(actions.c.server == server).order_by(
            actions.c.started_at.desc(), actions.c.uuid.desc())
        return [_action(row.record) for row in tx.execute(query)]

    def hosts(self, tx: sa.Connection) -> list[tuple[int, str, records.HostRecord]]:
        """(id, cell, record) of every host, by id."""
        return [(row.id, row.cell, _host(row.record)) for row in tx.execute(_ALL_HOSTS)]

    def slots(self, tx: sa.Connection) -> dict[str, records.SlotsRecord]:
        """The slots of every cell that has counted them."""
        return {row.cell: _slots(row.record) for row in tx.execute(_ALL_SLOTS)}


def _action_values(record: commands.ActionRecord) -> tuple[dict, dict]:
    """Columns that every newer record sets, and those that only the first does."""
    return ({"record": codec.pack(record), "updated_at": record.updated or record.start,
             "epoch": record.epoch},
            {"server": record.server, "request_id": record.request_id,
             "started_at": record.start})
