"""Records other than servers: hosts, instance actions, slots.  Kept if newer, by version."""

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import codec, commands, records

hosts, actions, slots = tables.hosts, tables.actions, tables.slots
_host = codec.Unpacker(records.HostRecord)
_action = codec.Unpacker(commands.ActionRecord)
_slots = codec.Unpacker(records.SlotsRecord)


def _keep(tx: sa.Connection, table: sa.Table, known: sa.ColumnElement[bool],
          version: int, values: dict, insert: dict) -> None:
    """Update if newer, else insert if missing; MySQL has no conditional upsert."""
    if engine.swapped(tx.execute(sa.update(table).where(
            known, table.c.version < version).values(version=version, **values))):
        return
    if tx.execute(sa.select(table.c.version).where(known)).first() is not None:
        return
    try:
        with tx.begin_nested():
            tx.execute(sa.insert(table).values(version=version, **values, **insert))
    except db_exc.DBDuplicateEntry:
        pass                     # another collector inserted it; the record comes again


class Records:
    """What the cells say of themselves."""

    def keep_host(self, tx: sa.Connection, cell: str, record: records.HostRecord, version: int,
                  now: float) -> None:
        """A compute host of a cell."""
        _keep(tx, hosts, (hosts.c.uuid == record.uuid) & (hosts.c.cell == cell), version,
              {"record": codec.pack(record), "applied_at": now, "name": record.name},
              {"uuid": record.uuid, "cell": cell})

    def keep_slots(self, tx: sa.Connection, cell: str, record: records.SlotsRecord,
                   version: int) -> None:
        """How many more servers a cell could take."""
        _keep(tx, slots, slots.c.cell == cell, version, {"record": codec.pack(record)},
              {"cell": cell})

    def keep_action(self, tx: sa.Connection, record: commands.ActionRecord,
                    version: int) -> None:
        """An instance action."""
        _keep(tx, actions, actions.c.uuid == record.uuid, version,
              {"record": codec.pack(record), "updated_at": record.updated or record.start,
               "epoch": record.epoch},
              {"uuid": record.uuid, "server": record.server, "request_id": record.request_id,
               "started_at": record.start})

    def actions_of(self, tx: sa.Connection, server: str) -> list[commands.ActionRecord]:
        """A server's actions, newest first."""
        query = sa.select(actions.c.record).where(actions.c.server == server).order_by(
            actions.c.started_at.desc(), actions.c.uuid.desc())
        return [_action(row.record) for row in tx.execute(query)]

    def hosts(self, tx: sa.Connection) -> list[tuple[int, str, records.HostRecord]]:
        """(id, cell, record) of every host, by id."""
        query = sa.select(hosts.c.id, hosts.c.cell, hosts.c.record).order_by(hosts.c.id)
        return [(row.id, row.cell, _host(row.record)) for row in tx.execute(query)]

    def slots(self, tx: sa.Connection) -> dict[str, records.SlotsRecord]:
        """The slots of every cell that has counted them."""
        return {row.cell: _slots(row.record)
                for row in tx.execute(sa.select(slots.c.cell, slots.c.record))}


