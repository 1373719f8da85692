"""What hosts have given away and what projects have used, from the servers that the view knows.

Derived, never kept (law T9): a host's use is true as soon as the records of its servers are.  A
move that is under way holds what the server will have where it goes, too.
"""

import collections.abc
import typing

import sqlalchemy as sa

from nova_cells.db.view import tables
from nova_cells.domain import codec, errors, migration, resources

t, m = tables.servers, tables.migrations
_HERE = (t.c.placed, t.c.host != "", ~t.c.deleted)
_USED = sa.select(
    t.c.cell, t.c.host, sa.func.sum(t.c.vcpus).label("vcpus"),
    sa.func.sum(t.c.ram_mb).label("ram_mb"),
    sa.func.sum(t.c.disk_gb + t.c.ephemeral_gb).label("disk_gb"), sa.func.count().label("servers"),
    sa.func.sum(sa.case((t.c.task_state != "", 1), else_=0)).label("busy")).where(
        *_HERE).group_by(t.c.cell, t.c.host)
_ON = sa.select(t.c.cell, t.c.host, t.c.uuid, t.c.name).where(*_HERE).order_by(
    t.c.created_at, t.c.uuid)
_MOVING = sa.select(m.c.cell, m.c.record, t.c.host).join(t, t.c.uuid == m.c.server).where(
    ~t.c.deleted, m.c.dest != "", m.c.status.in_(sa.bindparam("open", expanding=True)))
_OPEN = ("pre-migrating", "migrating", "post-migrating", "finished", "queued", "preparing",
         "running", "accepted", "confirming", "reverting", "error")
_ENDED = sa.case((t.c.terminated_at > 0, t.c.terminated_at), else_=t.c.deleted_at)
_RAN = sa.select(t.c.uuid, t.c.name, t.c.project_id, t.c.vcpus, t.c.ram_mb, t.c.vm_state,
                 (t.c.disk_gb + t.c.ephemeral_gb).label("disk_gb"), t.c.launched_at,
                 _ENDED.label("ended_at"), t.c.record)
_OF_PROJECTS = sa.select(
    t.c.project_id, sa.func.sum(t.c.vcpus).label("vcpus"), sa.func.sum(t.c.ram_mb).label("ram_mb"),
    sa.func.sum(t.c.disk_gb + t.c.ephemeral_gb).label("disk_gb")).where(*_HERE).group_by(
        t.c.project_id).order_by(t.c.project_id)
_migration = codec.Unpacker(migration.Migration)
Where = tuple[str, str]          # cell, host


class Used(typing.NamedTuple):
    """What is taken of one host."""

    vcpus: int = 0
    ram_mb: int = 0
    disk_gb: int = 0
    servers: int = 0
    busy: int = 0                        # of them: doing something


class Usage:
    """What hosts have given away.  Stateless."""

    def by_host(self, tx: sa.Connection) -> dict[Where, Used]:
        """Every host that has a server, or will."""
        found = {(row.cell, row.host): Used(int(row.vcpus), int(row.ram_mb), int(row.disk_gb),
                                            row.servers, int(row.busy))
                 for row in tx.execute(_USED)}
        for row in tx.execute(_MOVING, {"open": _OPEN}):
            one = _migration(row.record)
            other = migration.other(one, row.host)
            if not one.open or other is None:
                continue
            held = resources.amounts(one.new_flavor if other == one.dest else one.old_flavor)
            before = found.get((row.cell, other), Used())
            found[row.cell, other] = before._replace(
                vcpus=before.vcpus + held.get(resources.VCPU, 0),
                ram_mb=before.ram_mb + held.get(resources.MEMORY_MB, 0),
                disk_gb=before.disk_gb + held.get(resources.DISK_GB, 0))
        return found

    def in_period(self, tx: sa.Connection, start: float, stop: float, project: str | None,
                  limit: int, marker: str | None) -> collections.abc.Sequence[sa.Row]:
        """A page of the servers that ran at any time between, deleted ones included, by project and
        uuid.  ``Invalid`` for a marker that was never a server."""
        query = _RAN.where(t.c.launched_at > 0, t.c.launched_at < stop, (_ENDED == 0) | (
            _ENDED > start)).order_by(t.c.project_id, t.c.uuid).limit(limit)
        if project is not None:
            query = query.where(t.c.project_id == project)
        if marker is not None:
            at = tx.execute(sa.select(t.c.project_id).where(t.c.uuid == marker)).scalar()
            if at is None:
                raise errors.Invalid(f"Marker {marker[:255]} could not be found.")
            query = query.where((t.c.project_id > at) | (
                (t.c.project_id == at) & (t.c.uuid > marker)))
        return tx.execute(query).all()

    def by_project(self, tx: sa.Connection, cell: str, host: str) -> list[sa.Row]:
        """project_id, vcpus, ram_mb, disk_gb of the servers on one host."""
        return list(tx.execute(_OF_PROJECTS.where(t.c.cell == cell, t.c.host == host)).all())

    def servers_on(self, tx: sa.Connection) -> dict[Where, list[tuple[str, str]]]:
        """(uuid, name) of the servers of every host, oldest first."""
        found: dict[Where, list[tuple[str, str]]] = {}
        for row in tx.execute(_ON):
            found.setdefault((row.cell, row.host), []).append((row.uuid, row.name))
        return found
