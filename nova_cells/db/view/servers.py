"""One row per server: what filters read, the document ready to be sent, the record itself.

A record is applied only if it is newer by (epoch, version) and only from the cell that holds
the epoch: one conditional statement, never a read before a write (laws T2, T25).
"""

import typing

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import codec, document, lifecycle
from nova_cells.domain import server as model

t = tables.servers
unpack = codec.Unpacker(model.Server)


def columns(server: model.Server, now: float) -> dict[str, typing.Any]:
    """The row of a server: every indexed column, the document's fragments, the record."""
    flavor = server.flavor
    return {
        "project_id": server.project_id, "user_id": server.user_id,
        "epoch": server.epoch, "version": server.version,
        "counted": server.rest not in ("deleted", "soft_deleted"),
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
        "deleted_at": server.deleted_at or 0, "applied_at": now,
        "doc": document.fragments(server), "record": codec.pack(server),
    }


class Servers:
    """The servers of every cell, and those that are in none yet."""

    def row(self, tx: sa.Connection, uuid: str) -> sa.Row | None:
        """The whole row, or None."""
        return tx.execute(sa.select(t).where(t.c.uuid == uuid)).first()

    def record(self, tx: sa.Connection, uuid: str) -> model.Server | None:
        """The record, or None."""
        data = tx.execute(sa.select(t.c.record).where(t.c.uuid == uuid)).scalar()
        return unpack(data) if data is not None else None

    def insert(self, tx: sa.Connection, server: model.Server, now: float, *,
               cell: str | None = None, placed: bool = False,
               sealed: bytes | None = None) -> None:
        """A server that the view has never seen."""
        tx.execute(sa.insert(t).values(uuid=server.uuid, cell=cell, placed=placed, sealed=sealed,
                                       **columns(server, now)))
        self._index(tx, server, fresh=True)

    def apply(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> bool:
        """Keep the newest, from the cell that holds the epoch.  Safe with anything, in any order,
        any number of times.  True if this record was newer."""
        newer = ((t.c.uuid == server.uuid) & (t.c.cell == cell) & t.c.placed
                 & (t.c.epoch == server.epoch) & (t.c.version < server.version))
        result = tx.execute(sa.update(t).where(newer).values(**columns(server, now)))
        if engine.swapped(result):
            self._index(tx, server)
            return True
        return False

    def place(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> None:
        """The offer was confirmed (the caller won that swap): the cell owns it from here."""
        tx.execute(sa.update(t).where(t.c.uuid == server.uuid, ~t.c.placed).values(
            cell=cell, placed=True, **columns(server, now)))
        self._index(tx, server)

    def adopt(self, tx: sa.Connection, server: model.Server, cell: str, now: float) -> bool:
        """A record that the child's word alone makes true (resync): newer epochs and versions
        win, rows of other cells stay.  True if it was taken."""
        newer = ((t.c.uuid == server.uuid) & (t.c.cell == cell)
                 & ((t.c.epoch < server.epoch)
                    | ((t.c.epoch == server.epoch) & (t.c.version < server.version))))
        result = tx.execute(sa.update(t).where(newer).values(placed=True, **columns(server, now)))
        if engine.swapped(result):
            self._index(tx, server)
        return engine.swapped(result)

    def own(self, tx: sa.Connection, server: model.Server, now: float, expected: int) -> bool:
        """The API cell changes a server that is in no cell: the next epoch, by compare-and-swap
        on the last.  True if nobody was faster."""
        mine = (t.c.uuid == server.uuid) & ~t.c.placed & (t.c.epoch == expected)
        result = tx.execute(sa.update(t).where(mine).values(**columns(server, now)))
        if engine.swapped(result):
            self._index(tx, server)
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

    def holding(self, tx: sa.Connection, uuid: str) -> sa.Row | None:
        """cell, epoch, version, placed: what decides about a record."""
        return tx.execute(sa.select(t.c.cell, t.c.epoch, t.c.version, t.c.placed).where(
            t.c.uuid == uuid)).first()

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

    def where_are(self, tx: sa.Connection, uuids: list[str]) -> list[tuple[str, str]]:
        """(cell, host) of the servers among these that are placed on a host."""
        query = sa.select(t.c.cell, t.c.host).where(t.c.uuid.in_(uuids), t.c.placed,
                                                    t.c.host != "", ~t.c.deleted)
        return [tuple(row) for row in tx.execute(query)]

    def _index(self, tx: sa.Connection, server: model.Server, fresh: bool = False) -> None:
        """Metadata and tags, for their filters."""
        for table, rows in (
                (tables.server_metadata, [{"server": server.uuid, "key": key, "value": value}
                                          for key, value in server.metadata.items()]),
                (tables.server_tags, [{"server": server.uuid, "tag": tag}
                                      for tag in server.tags])):
            if not fresh:
                tx.execute(sa.delete(table).where(table.c.server == server.uuid))
            if rows:
                tx.execute(sa.insert(table), rows)
