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
STAMPED = (*STAMPS, t.c.cell)
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


class Shape(typing.NamedTuple):
    """What the words of a query hang on, without its values: making a statement takes many times
    as long as asking it."""

    columns: tuple[sa.Column, ...]
    sorts: tuple[tuple[str, bool], ...]
    equal: tuple[tuple[str, bool], ...]      # (column, whether one of several values)
    deleted: bool
    since: bool
    before: bool
    after: tuple[bool | None, ...] | None    # the marker's truths; None: no marker


def page(tx: sa.Connection, query: Query,
         columns: tuple[sa.Column, ...]) -> collections.abc.Sequence[sa.Row]:
    """One page of these columns.  ``Invalid`` for an unknown marker or a bad pattern."""
    values = _values(query)
    after = None
    if query.marker is not None:
        row = _marked(tx, query)
        values.update((f"after_{place}", value) for place, value in enumerate(row))
        after = tuple(value if isinstance(value, bool) else None for value in row)
    found = _statement(Shape(
        columns, query.sorts, tuple((name, len(several) != 1)
                                    for name, several in query.equal.items()),
        query.deleted is not None, query.since is not None, query.before is not None, after))
    rare = _patterns(query) + _addresses(query) + _tags(query)
    return tx.execute(found.where(*rare) if rare else found, values).fetchall()


def _values(query: Query) -> dict[str, typing.Any]:
    """What ``_statement`` leaves open."""
    values: dict[str, typing.Any] = {"most": query.limit}
    for name, several in query.equal.items():
        values["equal_" + name] = several[0] if len(several) == 1 else several
    if query.deleted is not None:
        values["gone"] = query.deleted
    if query.since is not None:
        values["since"] = query.since - query.window     # never before updated_at
    if query.before is not None:
        values["before"] = query.before
    return values


@functools.lru_cache(maxsize=512)
def _statement(shape: Shape) -> sa.Select:
    order = _order(shape.sorts)
    conditions = []
    if shape.deleted:
        conditions.append(t.c.deleted == sa.bindparam("gone"))
    for name, several in shape.equal:
        if name not in EQUAL:
            raise errors.Bug(f"no filter by {name}")
        value = sa.bindparam("equal_" + name, expanding=several)
        conditions.append(t.c[name].in_(value) if several else t.c[name] == value)
    if shape.since:
        conditions.append(t.c.applied_at >= sa.bindparam("since"))
    if shape.before:
        conditions.append(t.c.updated_at <= sa.bindparam("before"))
    if shape.after is not None:
        conditions.append(_after(order, shape.after))
    return sa.select(*shape.columns).where(*conditions).limit(
        sa.bindparam("most", type_=sa.Integer)).order_by(
        *(column.desc() if descending else column.asc() for column, descending in order))


def _order(sorts: tuple[tuple[str, bool], ...]) -> list[tuple[sa.Column, bool]]:
    order: list[tuple[sa.Column, bool]] = []
    for key, descending in sorts:
        column = SORTS[key]
        if all(column is not known for known, _ in order):
            order.append((column, descending))
    if all(column is not t.c.uuid for column, _ in order):
        order.append((t.c.uuid, order[-1][1] if order else True))
    return order


def _marked(tx: sa.Connection, query: Query) -> sa.Row:
    """Where the marker stands in the order of the page."""
    visible = [t.c.uuid == query.marker]
    if "project_id" in query.equal:
        visible.append(t.c.project_id.in_(query.equal["project_id"]))
    order = _order(query.sorts)
    row = tx.execute(sa.select(*(column for column, _ in order)).where(*visible)).first()
    if row is None:
        raise errors.Invalid(f"marker [{str(query.marker)[:64]}] not found")
    return row


def _after(order: list[tuple[sa.Column, bool]],
           truths: tuple[bool | None, ...]) -> sa.ColumnElement[bool]:
    """Beyond the marker in the order of the page."""
    at = [sa.bindparam(f"after_{place}", type_=column.type)
          for place, (column, _) in enumerate(order)]
    arms = []
    for place, (column, descending) in enumerate(order):
        equal = [other == at[index] for index, (other, _) in enumerate(order[:place])]
        arms.append(sa.and_(*equal, _beyond(column, at[place], truths[place], descending)))
    first, descending = order[0]
    bound = (first == at[0]) | _beyond(first, at[0], truths[0], descending)
    if truths[0] is None:
        bound = first <= at[0] if descending else first >= at[0]     # what an index can use
    return sa.and_(bound, sa.or_(*arms))


def _beyond(column: sa.Column, value: sa.BindParameter, truth: bool | None,
            descending: bool) -> sa.ColumnElement[bool]:
    """After a value in one column's order; truth is not compared by size on every database."""
    if truth is not None:
        return column == (not descending) if truth == descending else sa.false()
    return column < value if descending else column > value


def _patterns(query: Query) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for name, pattern in query.matched.items():
        found.append(t.c[name].regexp_match(patterns.portable(pattern)))
    for name, moment in query.moments.items():
        found.append(t.c[name].between(moment, moment + 0.999999))
    return found


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

