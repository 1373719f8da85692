"""Flavors, their extra specs and who may use the private ones.

Every change moves the counter "catalogue" in the same transaction, and does so first: children
count the joint slots of a known version, and two changers wait for each other there.

Assumes a connection inside a transaction in every method.  Never shows a flavor's row number:
users know a flavor by its ``flavorid``.
"""

import typing

import sqlalchemy as sa
from oslo_db import exception as db_exc

from nova_cells.db import upsert
from nova_cells.db.view import tables
from nova_cells.domain import errors
from nova_cells.domain import server as model

COUNTER = "catalogue"
_ROWS, _SPECS, _ACCESS = tables.flavors, tables.flavor_extra_specs, tables.flavor_access

_GET = sa.select(_ROWS).where(_ROWS.c.flavorid == sa.bindparam("of_flavorid"))
_GET_VISIBLE = _GET.where(_ROWS.c.public.is_(True) | _ROWS.c.id.in_(
    sa.select(_ACCESS.c.flavor).where(_ACCESS.c.project_id == sa.bindparam("of_project"))))
_SPECS_OF = sa.select(_SPECS).where(
    _SPECS.c.flavor.in_(sa.bindparam("numbers", expanding=True))).order_by(_SPECS.c.key)

#: What a list may be sorted by (the names that the Compute API takes) -> column.
SORT_KEYS: dict[str, str] = {
    "flavorid": "flavorid", "id": "id", "name": "name", "vcpus": "vcpus",
    "memory_mb": "ram_mb", "root_gb": "disk_gb", "ephemeral_gb": "ephemeral_gb",
    "swap": "swap_mb", "rxtx_factor": "rxtx_factor", "is_public": "public",
    "disabled": "disabled", "created_at": "created_at",
}


class Query(model.Value, kw_only=True):
    """Which flavors, in which order, which page.

    ``public`` None: all; True: the public ones and those that ``project`` was given; False:
    the private ones.  ``marker`` is the flavorid after which the page begins.
    """

    public: bool | None = True
    project: str | None = None
    min_ram: int = 0
    min_disk: int = 0
    sort_key: str = "flavorid"
    descending: bool = False
    limit: int | None = None
    marker: str | None = None


class Flavors:
    """The flavors of the cloud.  Stateless."""

    # -- reading ----------------------------------------------------------------------------

    def get(self, tx: sa.Connection, flavorid: str, project: str | None = None) -> model.Flavor:
        """The flavor, or ``NotFound``; with a project: only if that project may see it."""
        row = tx.execute(_GET if project is None else _GET_VISIBLE, {
            "of_flavorid": flavorid, "of_project": project}).one_or_none()
        if row is None:
            raise _unknown(flavorid)
        return _flavor(row, _specs_of(tx, [row.id]).get(row.id, {}))

    def access(self, tx: sa.Connection, flavorid: str) -> list[str]:
        """The projects that were given this private flavor."""
        flavor = _number(tx, flavorid)
        query = sa.select(_ACCESS.c.project_id).where(_ACCESS.c.flavor == flavor)
        return list(tx.execute(query.order_by(_ACCESS.c.project_id)).scalars())

    def list(self, tx: sa.Connection, query: Query) -> list[model.Flavor]:
        """A page of flavors.  ``Invalid`` for an unknown sort key or marker."""
        rows = tx.execute(_page(tx, query)).all()
        specs = _specs_of(tx, [row.id for row in rows])
        return [_flavor(row, specs.get(row.id, {})) for row in rows]

    def catalogue(self, tx: sa.Connection) -> tuple[int, tuple[model.Flavor, ...]]:
        """The catalogue's version and all that is in it."""
        counter = tables.counters.c
        version = tx.execute(sa.select(counter.value).where(counter.name == COUNTER)).scalar()
        return version or 0, tuple(self.list(tx, Query(public=None)))

    # -- changing ---------------------------------------------------------------------------

    def create(self, tx: sa.Connection, flavor: model.Flavor, now: float) -> model.Flavor:
        """A new flavor with its extra specs.  ``Conflict`` if its id or name is taken."""
        bump(tx)
        for column, value, noun in ((_ROWS.c.name, flavor.name, "name"),
                                    (_ROWS.c.flavorid, flavor.id, "ID")):
            if tx.execute(sa.select(_ROWS.c.id).where(column == value)).first():
                raise errors.Conflict(f"Flavor with {noun} {value} already exists.")
        try:
            made = tx.execute(_ROWS.insert().values(_columns(flavor) | {"created_at": now}))
        except db_exc.DBDuplicateEntry:
            raise errors.Conflict(f"Flavor {flavor.name} already exists.") from None
        _put_specs(tx, made.inserted_primary_key.id, flavor.extra_specs)
        return flavor

    def describe(self, tx: sa.Connection, flavorid: str,
                 description: str | None) -> model.Flavor:
        """Change the description, which is all of a flavor that may change."""
        bump(tx)
        change = _ROWS.update().where(_ROWS.c.flavorid == flavorid)
        tx.execute(change.values(description=description))
        return self.get(tx, flavorid)

    def delete(self, tx: sa.Connection, flavorid: str) -> None:
        """Gone; servers keep the copy that they were made from."""
        bump(tx)
        if not tx.execute(_ROWS.delete().where(_ROWS.c.flavorid == flavorid)).rowcount:
            raise _unknown(flavorid)

    def set_specs(self, tx: sa.Connection, flavorid: str, specs: dict[str, str]) -> None:
        """Add or replace extra specs; others stay."""
        bump(tx)
        flavor = _number(tx, flavorid)
        tx.execute(_SPECS.delete().where(_SPECS.c.flavor == flavor, _SPECS.c.key.in_(specs)))
        _put_specs(tx, flavor, specs)

    def delete_spec(self, tx: sa.Connection, flavorid: str, key: str) -> None:
        """Remove one extra spec, or ``NotFound``."""
        bump(tx)
        flavor = _number(tx, flavorid)
        which = (_SPECS.c.flavor == flavor) & (_SPECS.c.key == key)
        if not tx.execute(_SPECS.delete().where(which)).rowcount:
            raise no_spec(flavorid, key)

    def grant(self, tx: sa.Connection, flavorid: str, project: str) -> None:
        """Let a project use a private flavor.  ``Conflict`` if it may already."""
        bump(tx)
        if project in self.access(tx, flavorid):
            raise errors.Conflict(f"Flavor access already exists for flavor {flavorid} and "
                                  f"project {project} combination.")
        tx.execute(_ACCESS.insert().values(flavor=_number(tx, flavorid), project_id=project))

    def revoke(self, tx: sa.Connection, flavorid: str, project: str) -> None:
        """Take it away again.  ``NotFound`` if the project had none."""
        bump(tx)
        which = (_ACCESS.c.flavor == _number(tx, flavorid)) & (_ACCESS.c.project_id == project)
        if not tx.execute(_ACCESS.delete().where(which)).rowcount:
            raise errors.NotFound(f"Flavor access not found for {flavorid} / {project} "
                                  f"combination.")


def bump(tx: sa.Connection) -> None:
    """Move the catalogue's version.  The first statement of every change."""
    table = tables.counters
    change = table.update().where(table.c.name == COUNTER).values(value=table.c.value + 1)
    if tx.execute(change).rowcount:
        return
    upsert.put(tx, table, {"name": COUNTER, "value": 1}, {"value": table.c.value + 1})


def no_spec(flavorid: str, key: str) -> errors.NotFound:
    """The answer to a question about an extra spec that a flavor has not."""
    return errors.NotFound(f"Flavor {flavorid} has no extra specs with key {key}.")


def _unknown(flavorid: str) -> errors.NotFound:
    return errors.NotFound(f"Flavor {flavorid} could not be found.")


def _number(tx: sa.Connection, flavorid: str) -> int:
    number = tx.execute(sa.select(_ROWS.c.id).where(_ROWS.c.flavorid == flavorid)).scalar()
    if number is None:
        raise _unknown(flavorid)
    return number


def _visible(project: str) -> sa.ColumnElement[bool]:
    given = sa.select(_ACCESS.c.flavor).where(_ACCESS.c.project_id == project)
    return _ROWS.c.public.is_(True) | _ROWS.c.id.in_(given)


def _page(tx: sa.Connection, query: Query) -> sa.Select:
    rows = sa.select(_ROWS).where(_ROWS.c.ram_mb >= query.min_ram,
                                  _ROWS.c.disk_gb >= query.min_disk)
    if query.public and query.project is not None:
        rows = rows.where(_visible(query.project))
    elif query.public is not None:
        rows = rows.where(_ROWS.c.public.is_(query.public))
    if query.sort_key not in SORT_KEYS:
        raise errors.Invalid(f"Invalid sort key {query.sort_key!r}.")
    key = _ROWS.c[SORT_KEYS[query.sort_key]]
    if isinstance(key.type, sa.Boolean):         # not every database orders and compares those
        key = sa.case((key, 1), else_=0)
    if query.marker is not None:
        rows = rows.where(_after(tx, query, key))
    for column in (key, _ROWS.c.id):
        rows = rows.order_by(column.desc() if query.descending else column.asc())
    return rows if query.limit is None else rows.limit(query.limit)


def _after(tx: sa.Connection, query: Query, key: sa.ColumnElement) -> sa.ColumnElement[bool]:
    """Keyset: what comes after the marker by (sort key, id) (law T13)."""
    found = sa.select(key.label("at"), _ROWS.c.id).where(_ROWS.c.flavorid == query.marker)
    mark = tx.execute(found).one_or_none()
    if mark is None:
        raise errors.Invalid(f"marker [{query.marker}] not found")
    if query.descending:
        return (key < mark.at) | ((key == mark.at) & (_ROWS.c.id < mark.id))
    return (key > mark.at) | ((key == mark.at) & (_ROWS.c.id > mark.id))


def _specs_of(tx: sa.Connection, numbers: list[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for row in tx.execute(_SPECS_OF, {"numbers": numbers}) if numbers else ():
        found.setdefault(row.flavor, {})[row.key] = row.value
    return found


def _put_specs(tx: sa.Connection, flavor: int, specs: dict[str, str]) -> None:
    if specs:
        tx.execute(_SPECS.insert(), [{"flavor": flavor, "key": key, "value": value}
                                     for key, value in specs.items()])


def _columns(flavor: model.Flavor) -> dict[str, typing.Any]:
    return {"flavorid": flavor.id, "name": flavor.name, "vcpus": flavor.vcpus,
            "ram_mb": flavor.ram_mb, "disk_gb": flavor.disk_gb,
            "ephemeral_gb": flavor.ephemeral_gb, "swap_mb": flavor.swap_mb,
            "rxtx_factor": flavor.rxtx_factor, "public": flavor.public,
            "disabled": flavor.disabled, "description": flavor.description}


def _flavor(row: sa.Row, specs: dict[str, str]) -> model.Flavor:
    return model.Flavor(
        id=row.flavorid, name=row.name, vcpus=row.vcpus, ram_mb=row.ram_mb,
        disk_gb=row.disk_gb, ephemeral_gb=row.ephemeral_gb, swap_mb=row.swap_mb,
        rxtx_factor=row.rxtx_factor, public=row.public, disabled=row.disabled,
        description=row.description, extra_specs=specs)
