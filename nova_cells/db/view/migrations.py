# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Migrations as the cells sent them up: kept if newer, listed by page.

The integer id of a migration is minted here, when its first record comes in (law T16); so are
those of its flavors, for a flavor may be gone from the catalogue when somebody looks.
"""

import typing

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import codec, errors
from nova_cells.domain import migration as model

t, f = tables.migrations, tables.flavors
_record = codec.Unpacker(model.Migration)
_NEWER = sa.update(t).where(t.c.uuid == sa.bindparam("of_uuid"), t.c.cell == sa.bindparam(
    "of_cell"), t.c.version < sa.bindparam("of_version"))
_KNOWN = sa.select(t.c.version, t.c.cell).where(t.c.uuid == sa.bindparam("of_uuid"))
_INSERT = sa.insert(t)
_FLAVORS = sa.select(f.c.flavorid, f.c.id).where(
    f.c.flavorid.in_(sa.bindparam("names", expanding=True)))
_COLUMNS = (t.c.id, t.c.cell, t.c.old_flavor, t.c.new_flavor, t.c.record)


class Row(typing.NamedTuple):
    """A migration as the view holds it."""

    id: int
    cell: str
    old_flavor: int | None
    new_flavor: int | None
    record: model.Migration


class Asked(typing.NamedTuple):
    """Which migrations: a field that is None does not matter."""

    statuses: tuple[str, ...] | None = None
    host: str | None = None              # source or destination
    node: str | None = None
    source: str | None = None
    kind: str | None = None
    server: str | None = None
    user_id: str | None = None
    project_id: str | None = None
    since: float | None = None           # by the time of their last change
    before: float | None = None


class Migrations:
    """Of all cells."""

    def keep(self, tx: sa.Connection, cell: str, one: model.Migration, version: int) -> None:
        """Keep the newest.  May assume that the server is the cell's.  Another collector may be
        between: ``Stale`` or ``DBDuplicateEntry``, and the caller decides again."""
        values = {"version": version, **_values(one)}
        if engine.swapped(tx.execute(_NEWER, {
                "of_uuid": one.uuid, "of_cell": cell, "of_version": version, **values})):
            return
        known = tx.execute(_KNOWN, {"of_uuid": one.uuid}).first()
        if known is None:
            ids = {row.flavorid: row.id for row in tx.execute(_FLAVORS, {
                "names": [one.old_flavor.id, one.new_flavor.id]})}
            tx.execute(_INSERT, {
                "uuid": one.uuid, "cell": cell, "server": one.server, **values,
                "created_at": one.created_at, "old_flavor": ids.get(one.old_flavor.id),
                "new_flavor": ids.get(one.new_flavor.id)})
        elif known.cell == cell and known.version < version:
            raise errors.Stale("an older record came in meanwhile")

    def of_server(self, tx: sa.Connection, server: str) -> list[Row]:
        """A server's, oldest first."""
        return self._rows(tx, sa.select(*_COLUMNS).where(t.c.server == server).order_by(t.c.id))

    def by_id(self, tx: sa.Connection, server: str, number: int) -> Row | None:
        """The one of a server with this integer id."""
        found = self._rows(tx, sa.select(*_COLUMNS).where(
            t.c.id == number, t.c.server == server))
        return found[0] if found else None

    def all(self, tx: sa.Connection, asked: Asked) -> list[Row]:
        """Those that match, oldest first."""
        return self._rows(tx, sa.select(*_COLUMNS).where(*_conditions(asked)).order_by(t.c.id))

    def page(self, tx: sa.Connection, asked: Asked, most: int,
             marker: str | None) -> list[Row] | None:
        """Those that match, newest first, after the one with the uuid ``marker``.  None: there is
        no such marker."""
        query = sa.select(*_COLUMNS).where(*_conditions(asked))
        if marker is not None:
            last = tx.execute(sa.select(t.c.created_at, t.c.id).where(t.c.uuid == marker)).first()
            if last is None:
                return None
            query = query.where((t.c.created_at < last.created_at) | (
                (t.c.created_at == last.created_at) & (t.c.id < last.id)))
        return self._rows(tx, query.order_by(t.c.created_at.desc(), t.c.id.desc()).limit(most))

    @staticmethod
    def _rows(tx: sa.Connection, query: sa.Select) -> list[Row]:
        return [Row(row.id, row.cell, row.old_flavor, row.new_flavor, _record(row.record))
                for row in tx.execute(query)]


def _conditions(asked: Asked) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for column, value in ((t.c.kind, asked.kind), (t.c.server, asked.server),
                          (t.c.user_id, asked.user_id), (t.c.project_id, asked.project_id),
                          (t.c.source, asked.source)):
        if value is not None:
            found.append(column == value)
    if asked.statuses is not None:
        found.append(t.c.status.in_(asked.statuses))
    if asked.host is not None:
        found.append((t.c.source == asked.host) | (t.c.dest == asked.host))
    if asked.node is not None:
        found.append((t.c.source_node == asked.node) | (t.c.dest_node == asked.node))
    if asked.since is not None:
        found.append(t.c.updated_at >= asked.since)
    if asked.before is not None:
        found.append(t.c.updated_at <= asked.before)
    return found


def _values(one: model.Migration) -> dict[str, typing.Any]:
    """Columns that every newer record sets."""
    return {"kind": one.kind, "status": one.status, "source": one.source,
            "source_node": one.source_node, "dest": one.dest, "dest_node": one.dest_node,
            "user_id": one.user_id, "project_id": one.project_id,
            "updated_at": one.updated_at or one.created_at, "record": codec.pack(one)}
