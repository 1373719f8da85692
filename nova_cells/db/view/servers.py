"""One row per server: what filters read, the document ready to be sent, the record itself.

A record is applied only if it is newer by (epoch, version) and only from the cell that holds
the epoch: one conditional statement, never a read before a write (laws T2, T25).
"""

import typing

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import notifications as notifying
from nova_cells.db.view import tables
from nova_cells.domain import codec, document, lifecycle, records
from nova_cells.domain import server as model

t = tables.servers
unpack = codec.Unpacker(model.Server)

# Said once: making a statement costs more than carrying it out.  What is not a column's name
# is a condition's parameter; the columns to be set are those of the values that are handed in.
_uuid, _cell, _epoch, _version = (sa.bindparam(f"of_{name}") for name in (
    "uuid", "cell", "epoch", "version"))
_ROW = sa.select(t).where(t.c.uuid == _uuid)
_SHOWN = sa.select(t.c.uuid, t.c.project_id, t.c.user_id, t.c.deleted, t.c.cell, t.c.host,
                   t.c.sealed, t.c.doc).where(t.c.uuid == _uuid)
_RECORD = sa.select(t.c.record).where(t.c.uuid == _uuid)
_HOLDING = sa.select(t.c.uuid, t.c.cell, t.c.epoch, t.c.version, t.c.placed, t.c.host)
_HOLDING_ONE = _HOLDING.where(t.c.uuid == _uuid)
_HOLDING_SOME = _HOLDING.where(t.c.uuid.in_(sa.bindparam("uuids", expanding=True)))
_INSERT = sa.insert(t)
_APPLY = sa.update(t).where(t.c.uuid == _uuid, t.c.cell == _cell, t.c.placed,
                            t.c.epoch == _epoch, t.c.version < _version)
_PLACE = sa.update(t).where(t.c.uuid == _uuid, ~t.c.placed)
_ADOPT = sa.update(t).where(t.c.uuid == _uuid, t.c.cell == _cell, (t.c.epoch < _epoch) | (
    (t.c.epoch == _epoch) & (t.c.version < _version)))
_OWN = sa.update(t).where(t.c.uuid == _uuid, ~t.c.placed, t.c.epoch == _epoch)
_USER_DATA = sa.update(t).where(t.c.uuid == _uuid, t.c.cell == _cell, t.c.placed,
                                t.c.epoch == _epoch, (t.c.sealed_version.is_(None)) | (
                                    t.c.sealed_version < _version))
_metadata, _tags = tables.server_metadata, tables.server_tags
_NO_METADATA = sa.delete(_metadata).where(_metadata.c.server == _uuid)
_NO_TAGS = sa.delete(_tags).where(_tags.c.server == _uuid)
_ADD_METADATA, _ADD_TAGS = sa.insert(_metadata), sa.insert(_tags)


def columns(server: model.Server, now: float) -> dict[str, typing.Any]:
    """The row of a server: every indexed column, the document's fragments, the record."""
    flavor = server.flavor
    return {
        "project_id": server.project_id, "user_id": server.user_id,
        "epoch": server.epoch, "version": server.version,
        # One that is being restored counts again (law T11).
        "counted": server.rest not in ("deleted", "soft_deleted") or server.verb == "restore",
        "vcpus": flavor.vcpus, "ram_mb": flavor.ram_mb,
        "deleted": server.deleted, "soft_deleted": server.rest == "soft_deleted",
        "name": server.name, "description": server.description or "",
        "hostname": server.hostname, "status": lifecycle.status(server),
        "vm_state": lifecycle.vm_state(server), "task_state": lifecycle.task_state(server) or "",
        "power_state": server.power_state, "progress": server.progress,
        "host": server.host or "", "node": server.node or "", "flavor_id": flavor.id,
        "image_ref": server.image.id if server.image else "", "key_name": server.key_name or "",
        "availability_zone": server.availability_zone or "",
        "access_ip_v4": server.access_ip_v4 or "", "access_ip_v6": server.access_ip_v6 or "",
        "ips": "".join(f" {address.ip} " for address in server.addresses),
        "locked": server.locked, "config_drive": server.config_drive,
        "disk_config": server.disk_config, "reservation_id": server.reservation_id,
        "launch_index": server.launch_index, "instance_name": server.instance_name or "",
        "root_device_name": server.root_device_name or "", "disk_gb": flavor.disk_gb,
        "ephemeral_gb": flavor.ephemeral_gb, "created_at": server.created_at,
        "updated_at": server.updated_at or server.created_at,
        "launched_at": server.launched_at or 0, "terminated_at": server.terminated_at or 0,
        # A cell's clock may be ahead of ours; what changed since then is asked of one column.
        "deleted_at": server.deleted_at or 0, "applied_at": max(now, server.updated_at or 0.0),
        "doc": document.fragments(server), "record": codec.pack(server),
    }


class Servers:
    """The servers of every cell, and those that are in none yet."""

    def __init__(self, notifications: notifying.Notifications) -> None:
        self._notifications = notifications

    def row(self, tx: sa.Connection, uuid: str) -> sa.Row | None:
        """The whole row, or None."""
        return tx.execute(_ROW, {"of_uuid": uuid}).first()

    def shown(self, tx: sa.Connection, uuid: str) -> sa.Row | None:
        """What a GET of it needs, or None: neither the record nor what lists search."""
        return tx.execute(_SHOWN, {"of_uuid": uuid}).first()

    def record(self, tx: sa.Connection, uuid: str) -> model.Server | None:
        """The record, or None."""
        data = tx.execute(_RECORD, {"of_uuid": uuid}).scalar()
        return unpack(data) if data is not None else None

    def insert(self, tx: sa.Connection, server: model.Server, now: float, *,
               cell: str | None = None, placed: bool = False,
               sealed: bytes | None = None) -> None:
        """A server that the view has never seen."""
        tx.execute(_INSERT, {"uuid": server.uuid, "cell": cell, "placed": placed,
                             "sealed": sealed, **columns(server, now)})
        self._index(tx, [server], now, fresh=True)

    def insert_all(self, tx: sa.Connection, servers: list[model.Server], now: float,
                   cell: str) -> None:
        """Placed servers of a cell that the view has never seen."""
        tx.execute(_INSERT, [{"uuid": server.uuid, "cell": cell, "placed": True, "sealed": None,
                              **columns(server, now)} for server in servers])
        self._index(tx, servers, now, fresh=True)

    def apply(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> bool:
        """Keep the newest, from the cell that holds the epoch.  Safe with anything, in any order,
        any number of times.  True if this record was newer."""
        result = tx.execute(_APPLY, {**_stamp(server, cell), **columns(server, now)})
        if engine.swapped(result):
            self._index(tx, [server], now)
            return True
        return False

    def apply_all(self, tx: sa.Connection, servers: list[model.Server], cell: str,
                  now: float) -> dict[str, sa.Row]:
        """``apply`` for many; no server twice.  What the view holds of each of them now, as
        ``holding`` has it."""
        if not servers:
            return {}
        values = [{**_stamp(server, cell), **columns(server, now)} for server in servers]
        if tx.dialect.name == "sqlite":
            tx.execute(_APPLY, values)
            held = self.holdings(tx, [server.uuid for server in servers])
            taken = [server for server in servers if server.uuid in held
                     and (cell, True, *server.stamp) == (
                         held[server.uuid].cell, held[server.uuid].placed,
                         held[server.uuid].epoch, held[server.uuid].version)]
        else:
            # Others write at the same time: only who swapped the row may touch what hangs on it.
            taken = [server for server, value in zip(servers, values, strict=True)
                     if engine.swapped(tx.execute(_APPLY, value))]
            held = self.holdings(tx, [server.uuid for server in servers])
        self._index(tx, taken, now)
        return held

    def place(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> None:
        """The offer was confirmed (the caller won that swap): the cell owns it from here."""
        tx.execute(_PLACE, {"of_uuid": server.uuid, "cell": cell, "placed": True,
                            **columns(server, now)})
        self._index(tx, [server], now)

    def adopt(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> bool:
        """A record that the child's word alone makes true (resync): newer epochs and versions
        win, rows of other cells stay.  True if it was taken."""
        result = tx.execute(_ADOPT, {**_stamp(server, cell), "placed": True,
                                     **columns(server, now)})
        if engine.swapped(result):
            self._index(tx, [server], now)
        return engine.swapped(result)

    def own(self, tx: sa.Connection, server: model.Server, now: float, expected: int) -> bool:
        """The API cell changes a server that is in no cell: the next epoch, by compare-and-swap
        on the last.  True if nobody was faster."""
        result = tx.execute(_OWN, {"of_uuid": server.uuid, "of_epoch": expected,
                                   **columns(server, now)})
        if engine.swapped(result):
            self._index(tx, [server], now)
        return engine.swapped(result)

    def show_deleting(self, tx: sa.Connection, uuid: str, now: float) -> None:
        """A delete is kept for its cell: show the last state, and that it is being deleted.  The
        stamp stays, for the record is still the cell's."""
        server = self.record(tx, uuid)
        if server is not None and not server.deleted:
            shown = model.replace(server, verb="delete", phase=0)
            tx.execute(sa.update(t).where(t.c.uuid == uuid, t.c.epoch == server.epoch,
                                          t.c.version == server.version).values(
                                              **columns(shown, now)))

    def keep_user_data(self, tx: sa.Connection, given: records.UserData, cell: str,
                       version: int) -> None:
        """User data that a rebuild gave anew, if it is newer, from the cell that has the
        server."""
        tx.execute(_USER_DATA, {
            "of_uuid": given.server, "of_cell": cell, "of_epoch": given.epoch,
            "of_version": version, "sealed_version": version,
            "sealed": given.sealed.encode() if given.sealed else None})

    def holding(self, tx: sa.Connection, uuid: str) -> sa.Row | None:
        """uuid, cell, epoch, version, placed, host: what decides about a record."""
        return tx.execute(_HOLDING_ONE, {"of_uuid": uuid}).first()

    def holdings(self, tx: sa.Connection, uuids: list[str]) -> dict[str, sa.Row]:
        """``holding`` of many, by uuid."""
        return {row.uuid: row for row in tx.execute(_HOLDING_SOME, {"uuids": uuids})}

    def stamps(self, tx: sa.Connection, cell: str, bucket: int | None = None,
               living: bool = True) -> list[tuple[str, int, int]]:
        """(uuid, epoch, version) of a cell's living servers, of one bucket if asked.  Deleted ones
        do not count: the child forgets them long before the view does."""
        query = sa.select(t.c.uuid, t.c.epoch, t.c.version).where(
            t.c.cell == cell, t.c.placed)
        if living:
            query = query.where(~t.c.deleted)
        if bucket is not None:
            query = query.where(t.c.uuid.like(f"{bucket:02x}%"))
        return [tuple(row) for row in tx.execute(query)]

    def live_in(self, tx: sa.Connection, cell: str) -> int:
        """How many servers a cell has that are not deleted."""
        return tx.execute(sa.select(sa.func.count()).select_from(t).where(
            t.c.cell == cell, ~t.c.deleted)).scalar_one()

    def live_by_host(self, tx: sa.Connection) -> dict[tuple[str, str], int]:
        """(cell, host) -> how many servers are there that are not deleted."""
        query = sa.select(t.c.cell, t.c.host, sa.func.count()).where(
            t.c.placed, t.c.host != "", ~t.c.deleted).group_by(t.c.cell, t.c.host)
        return {(cell, host): count for cell, host, count in tx.execute(query)}

    def where_are(self, tx: sa.Connection, uuids: list[str]) -> list[tuple[str, str]]:
        """(cell, host) of the servers among these that are placed on a host."""
        query = sa.select(t.c.cell, t.c.host).where(t.c.uuid.in_(uuids), t.c.placed,
                                                    t.c.host != "", ~t.c.deleted)
        return [tuple(row) for row in tx.execute(query)]

    def _index(self, tx: sa.Connection, servers: list[model.Server], now: float,
               fresh: bool = False) -> None:
        """What follows from a record that was taken in: metadata and tags, for their filters, and
        what others are told."""
        self._notifications.servers(tx, servers, now)
        mine = [{"of_uuid": server.uuid} for server in servers]
        for forget, add, rows in (
                (_NO_METADATA, _ADD_METADATA, [
                    {"server": server.uuid, "key": key, "value": value}
                    for server in servers for key, value in server.metadata.items()]),
                (_NO_TAGS, _ADD_TAGS, [{"server": server.uuid, "tag": tag}
                                       for server in servers for tag in server.tags])):
            if mine and not fresh:
                tx.execute(forget, mine)
            if rows:
                tx.execute(add, rows)


def _stamp(server: model.Server, cell: str) -> dict[str, typing.Any]:
    """What the conditions compare a row with."""
    return {"of_uuid": server.uuid, "of_cell": cell, "of_epoch": server.epoch,
            "of_version": server.version}
