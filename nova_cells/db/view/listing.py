# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The one query for pages of servers: filters, sorts, and a keyset instead of an offset.

A page begins after its marker in the order (sort keys, uuid), so rows that come and go move
nobody else (law T13); sort columns are never null; a marker resolves even if its server is
deleted.  Asks for few columns: the document is stored ready.  ``changes-since`` looks at
when a state came in, by our own clock (law T17).
"""

import collections.abc
import functools
import operator
import typing

import msgspec
import sqlalchemy as sa

from nova_cells.db.view import patterns, tables
from nova_cells.domain import errors

t = tables.servers
BRIEF = (t.c.uuid, t.c.name, t.c.cell)
STAMPS = (t.c.uuid, t.c.epoch, t.c.version)
DETAIL = (*STAMPS, t.c.doc, t.c.cell)
DOC, CELL = 3, 4                         # their places in a row of DETAIL
WATCHED = (*DETAIL, t.c.host, t.c.sealed)

#: Sort key of the API -> column.
SORTS: dict[str, sa.Column] = {
    "access_ip_v4": t.c.access_ip_v4, "access_ip_v6": t.c.access_ip_v6,
    "auto_disk_config": t.c.disk_config, "availability_zone": t.c.availability_zone,
    "config_drive": t.c.config_drive, "created_at": t.c.created_at,
    "display_description": t.c.description, "display_name": t.c.name, "host": t.c.host,
    "hostname": t.c.hostname, "image_ref": t.c.image_ref, "instance_type_id": t.c.flavor_id,
    "key_name": t.c.key_name, "launch_index": t.c.launch_index, "launched_at": t.c.launched_at,
    "locked": t.c.locked, "locked_by": t.c.locked, "node": t.c.node,
    "power_state": t.c.power_state, "progress": t.c.progress, "project_id": t.c.project_id,
    "root_device_name": t.c.root_device_name, "task_state": t.c.task_state,
    "terminated_at": t.c.terminated_at, "updated_at": t.c.updated_at, "user_id": t.c.user_id,
    "uuid": t.c.uuid, "vm_state": t.c.vm_state, "disk_config": t.c.disk_config,
}
#: Columns that a filter may ask to equal one of some values.
EQUAL = frozenset({
    "uuid", "project_id", "user_id", "status", "vm_state", "task_state", "power_state", "host",
    "node", "flavor_id", "image_ref", "key_name", "availability_zone", "access_ip_v4",
    "access_ip_v6", "locked", "config_drive", "disk_config", "reservation_id", "launch_index",
    "root_device_name", "hostname", "progress", "soft_deleted", "instance_name"})
MATCHED = frozenset({"name", "description"})
MOMENTS = frozenset({"created_at", "updated_at", "launched_at", "terminated_at", "deleted_at"})


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.  Values are of their columns' types already."""

    limit: int
    marker: str | None = None
    sorts: tuple[tuple[str, bool], ...] = (("created_at", True),)    # (key, descending)
    equal: dict[str, list[typing.Any]] = {}
    matched: dict[str, str] = {}             # column -> regular expression, as the user wrote it
    moments: dict[str, float] = {}           # column -> within this second
    ip: str | None = None
    ip6: str | None = None
    tags: tuple[str, ...] = ()               # all of these
    tags_any: tuple[str, ...] = ()
    not_tags: tuple[str, ...] = ()           # not all of these
    not_tags_any: tuple[str, ...] = ()
    deleted: bool | None = False             # None: either
    since: float | None = None
    before: float | None = None
    window: float = 0.0                      # seconds that a commit may take


def page(tx: sa.Connection, query: Query,
         columns: tuple[sa.Column, ...]) -> collections.abc.Sequence[sa.Row]:
    """One page of these columns.  ``Invalid`` for an unknown marker or a bad pattern."""
    order = _order(query)
    conditions = _conditions(query)
    if query.marker is not None:
        conditions.append(_after(tx, query, order))
    found = sa.select(*columns).where(*conditions).limit(query.limit).order_by(
        *(column.desc() if descending else column.asc() for column, descending in order))
    return tx.execute(found).fetchall()


def _order(query: Query) -> list[tuple[sa.Column, bool]]:
    order: list[tuple[sa.Column, bool]] = []
    for key, descending in query.sorts:
        column = SORTS[key]
        if all(column is not known for known, _ in order):
            order.append((column, descending))
    if all(column is not t.c.uuid for column, _ in order):
        order.append((t.c.uuid, order[-1][1] if order else True))
    return order


def _after(tx: sa.Connection, query: Query,
           order: list[tuple[sa.Column, bool]]) -> sa.ColumnElement[bool]:
    """Beyond the marker in the order of the page."""
    visible = [t.c.uuid == query.marker]
    if "project_id" in query.equal:
        visible.append(t.c.project_id.in_(query.equal["project_id"]))
    row = tx.execute(sa.select(*(column for column, _ in order)).where(*visible)).first()
    if row is None:
        raise errors.Invalid(f"marker [{str(query.marker)[:64]}] not found")
    arms = []
    for place, (column, descending) in enumerate(order):
        equal = [other == row[index] for index, (other, _) in enumerate(order[:place])]
        arms.append(sa.and_(*equal, _beyond(column, row[place], descending)))
    first, descending = order[0]
    bound = (first == row[0]) | _beyond(first, row[0], descending)
    if not isinstance(row[0], bool):
        bound = first <= row[0] if descending else first >= row[0]   # what an index can use
    return sa.and_(bound, sa.or_(*arms))


def _beyond(column: sa.Column, value: typing.Any, descending: bool) -> sa.ColumnElement[bool]:
    """After a value in one column's order; truth is not compared by size on every database."""
    if isinstance(value, bool):
        return column == (not descending) if value == descending else sa.false()
    return column < value if descending else column > value


def _conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if query.deleted is not None:
        found.append(t.c.deleted == query.deleted)
    for name, values in query.equal.items():
        if name not in EQUAL:
            raise errors.Bug(f"no filter by {name}")
        column = t.c[name]
        found.append(column == values[0] if len(values) == 1 else column.in_(values))
    for name, pattern in query.matched.items():
        found.append(t.c[name].regexp_match(patterns.portable(pattern)))
    for name, moment in query.moments.items():
        found.append(t.c[name].between(moment, moment + 0.999999))
    return found + _addresses(query) + _tags(query) + _changes(query)


def _addresses(query: Query) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if query.ip is not None:
        found.append(t.c.ips.regexp_match(patterns.address(query.ip, 4)))
    if query.ip6 is not None:
        found += [t.c.ips.like("%:%"), t.c.ips.regexp_match(patterns.address(query.ip6, 6))]
    return found


def _tags(query: Query) -> list[sa.ColumnElement[bool]]:
    tags = tables.server_tags

    def has(wanted: typing.Iterable[str]) -> sa.ColumnElement[bool]:
        return t.c.uuid.in_(sa.select(tags.c.server).where(tags.c.tag.in_(list(wanted))))

    def has_all(wanted: typing.Iterable[str]) -> sa.ColumnElement[bool]:
        return functools.reduce(operator.and_, (has([tag]) for tag in wanted))

    found = []
    if query.tags:
        found.append(has_all(query.tags))
    if query.tags_any:
        found.append(has(query.tags_any))
    if query.not_tags:
        found.append(~has_all(query.not_tags))
    if query.not_tags_any:
        found.append(~has(query.not_tags_any))
    return found


def _changes(query: Query) -> list[sa.ColumnElement[bool]]:
    found = []
    if query.since is not None:
        found.append(t.c.applied_at >= query.since - query.window)   # never before updated_at
    if query.before is not None:
        found.append(t.c.updated_at <= query.before)
    return found
