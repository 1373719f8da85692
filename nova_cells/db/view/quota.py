"""Quota: what may be had, what is had, and the guard row that lets one decide at a time.

Law T11: the first statement of a transaction that decides about quota is ``guard``, a real
write, so that two deciders meet there on every database (a SELECT FOR UPDATE is not certified
by Galera, and SUM then INSERT passes twice).  Usage is always derived: the rows that count
plus the reservations; nothing is ever incremented.

Assumes a connection inside a transaction in every method.  Never commits, and never reads a
clock.  A limit of -1 is no limit.
"""

import collections.abc
import typing

import sqlalchemy as sa

from nova_cells.db import upsert
from nova_cells.db.view import groups, tables
from nova_cells.domain import errors

UNLIMITED = -1
DEFAULT_CLASS = "default"
COUNTED = ("instances", "cores", "ram")

#: Every resource that the Compute API names, with the option that holds its default.  The last
#: four belong to the network service: they are shown to old clients and never limit anything.
RESOURCES: dict[str, str | None] = {
    "instances": "instances", "cores": "cores", "ram": "ram",
    "metadata_items": "metadata_items", "injected_files": "injected_files",
    "injected_file_content_bytes": "injected_file_content_bytes",
    "injected_file_path_bytes": "injected_file_path_length",
    "key_pairs": "key_pairs", "server_groups": "server_groups",
    "server_group_members": "server_group_members",
    "fixed_ips": None, "floating_ips": None, "security_groups": None,
    "security_group_rules": None,
}


_classes, _own, _turns = tables.quota_classes, tables.quota_limits, tables.quota_guards
_CLASS_LIMITS = sa.select(_classes.c.resource, _classes.c.hard_limit).where(
    _classes.c.name == sa.bindparam("of_name"))
_OWN_LIMITS = sa.select(_own.c.resource, _own.c.hard_limit).where(
    _own.c.project_id == sa.bindparam("of_project"), _own.c.user_id == sa.bindparam("of_user"))
_TURN = sa.update(_turns).where(_turns.c.scope == sa.bindparam("of_scope")).values(
    turn=_turns.c.turn + 1)


class Usage(typing.NamedTuple):
    """How much of a resource is taken by rows, and by operations under way."""

    in_use: int
    reserved: int = 0

    @property
    def total(self) -> int:
        """What a limit is compared with."""
        return self.in_use + self.reserved


class Quota:
    """Limits and usage of projects and users.  ``defaults``: option of [quota] -> limit."""

    def __init__(self, defaults: collections.abc.Mapping[str, int]) -> None:
        self.defaults = {name: int(defaults.get(option, UNLIMITED)) if option else UNLIMITED
                         for name, option in RESOURCES.items()}
        self._groups = groups.Groups()

    # -- limits -----------------------------------------------------------------------------

    def class_limits(self, tx: sa.Connection, name: str = DEFAULT_CLASS) -> dict[str, int]:
        """Resource -> limit of a quota class; what it does not say is the option's default."""
        return self.defaults | _limits(tx.execute(_CLASS_LIMITS, {"of_name": name}))

    def project_limits(self, tx: sa.Connection, project: str) -> dict[str, int]:
        """Resource -> limit of a project as a whole."""
        return self.class_limits(tx) | _own_limits(tx, project, "")

    def limits(self, tx: sa.Connection, project: str, user: str | None = None) -> dict[str, int]:
        """Resource -> limit: the user's in the project, else the project's, else the class's."""
        found = self.project_limits(tx, project)
        return found | _own_limits(tx, project, user) if user else found

    def set_limits(self, tx: sa.Connection, project: str, user: str | None,
                   limits: collections.abc.Mapping[str, int]) -> None:
        """Set limits of a project, or of a user in it.  What is not named stays."""
        for resource, value in sorted(limits.items()):      # one order: no deadlocks
            _put(tx, tables.quota_limits, value, project_id=project, user_id=user or "",
                 resource=_known(resource))

    def delete_limits(self, tx: sa.Connection, project: str, user: str | None = None) -> None:
        """Back to the defaults: for one user, or for the project and all users in it."""
        table = tables.quota_limits
        which = table.c.project_id == project
        if user:
            which &= table.c.user_id == user
        tx.execute(table.delete().where(which))

    def set_class_limits(self, tx: sa.Connection, name: str,
                         limits: collections.abc.Mapping[str, int]) -> None:
        """Set limits of a quota class.  Only the class "default" has an effect."""
        for resource, value in sorted(limits.items()):      # one order: no deadlocks
            _put(tx, tables.quota_classes, value, name=name, resource=_known(resource))

    # -- usage ------------------------------------------------------------------------------

    def usage(self, tx: sa.Connection, project: str,
              user: str | None = None) -> dict[str, Usage]:
        """Resource -> what the project has, or what the user has in it.

        Key pairs belong to a user, so a project as a whole has none.
        """
        whose = {"of_project": project, "of_user": user}
        used, reserved = ([int(value) for value in tx.execute(query[bool(user)], whose).one()]
                          for query in (_USED, _RESERVED))
        found = dict.fromkeys(RESOURCES, Usage(0))
        found.update({name: Usage(used[n], reserved[n]) for n, name in enumerate(COUNTED)})
        found["server_groups"] = Usage(self._groups.count(tx, project, user))
        if user:
            found["key_pairs"] = Usage(self.key_pairs(tx, user))
        return found

    def key_pairs(self, tx: sa.Connection, user: str) -> int:
        """How many key pairs a user has."""
        query = sa.select(sa.func.count()).select_from(tables.keypairs)
        return int(tx.execute(query.where(tables.keypairs.c.user_id == user)).scalar_one())

    # -- deciding ---------------------------------------------------------------------------

    def guard(self, tx: sa.Connection, project: str) -> None:
        """Let one transaction at a time decide about a project.  Its first statement (T11)."""
        take_turn(tx, f"project:{project}")

    def guard_user(self, tx: sa.Connection, user: str) -> None:
        """The same for what belongs to a user: key pairs."""
        take_turn(tx, f"user:{user}")

    def check(self, tx: sa.Connection, project: str, user: str, instances: int, cores: int,
              ram: int) -> None:
        """Raise ``OverLimit`` if this much more does not fit the project, or the user in it.

        Assumes that ``guard`` was the first statement of this transaction.
        """
        wanted = dict(zip(COUNTED, (instances, cores, ram), strict=True))
        limits = self.project_limits(tx, project)
        _fit(wanted, self.usage(tx, project), limits)
        own = {name: limit for name, limit in _own_limits(tx, project, user).items()
               if name in COUNTED}
        if own:
            _fit(wanted, self.usage(tx, project, user), own)

    def hold(self, tx: sa.Connection, op: str, server: str, project: str, user: str,
             instances: int, cores: int, ram: int, now: float) -> None:
        """Reserve for an operation under way.  ``op`` is unique: a second hold is an error."""
        tx.execute(tables.reservations.insert().values(
            op=op, server=server, project_id=project, user_id=user, instances=instances,
            cores=cores, ram=ram, created_at=now))

    def release(self, tx: sa.Connection, op: str) -> None:
        """Give back what the operation held, if it still does."""
        tx.execute(tables.reservations.delete().where(tables.reservations.c.op == op))

    def release_of(self, tx: sa.Connection, server: str) -> None:
        """The server is deleted: whatever operations held for it."""
        tx.execute(tables.reservations.delete().where(tables.reservations.c.server == server))

    def holding(self, tx: sa.Connection) -> dict[str, str]:
        """op -> server, of every operation that holds something."""
        return {row.op: row.server for row in tx.execute(_HOLDING)}

    def overdue(self, tx: sa.Connection, before: float) -> list[sa.Row]:
        """(op, server) of those that have held cores or memory alone since before this moment."""
        return list(tx.execute(_HOLDING.where(tables.reservations.c.created_at < before,
                                              tables.reservations.c.instances == 0)))

    def held(self, tx: sa.Connection) -> list[tuple[str, bool]]:
        """(op, whether its server counts again) of what is held for servers that will count."""
        t, s = tables.reservations, tables.servers
        rows = tx.execute(sa.select(t.c.op, s.c.counted).join(
            s, s.c.uuid == t.c.server, isouter=True).where(t.c.instances > 0).order_by(t.c.op))
        return [(op, bool(counted)) for op, counted in rows]


def take_turn(tx: sa.Connection, scope: str) -> None:
    """Write the guard row of a scope: whoever else wants it waits until we commit."""
    if tx.execute(_TURN, {"of_scope": scope}).rowcount:
        return
    upsert.put(tx, _turns, {"scope": scope, "turn": 1}, {"turn": _turns.c.turn + 1})


def _fit(wanted: dict[str, int], usage: dict[str, Usage], limits: dict[str, int]) -> None:
    over = [name for name, amount in wanted.items()
            if amount > 0 and limits.get(name, UNLIMITED) != UNLIMITED
            and usage[name].total + amount > limits[name]]
    if not over:
        return
    def listed(values: collections.abc.Mapping[str, object]) -> str:
        return ", ".join(str(values[name]) for name in over)
    used = {name: usage[name].total for name in over}
    raise errors.OverLimit(
        f"Quota exceeded for {', '.join(over)}: Requested {listed(wanted)}, but already used "
        f"{listed(used)} of {listed(limits)} {', '.join(over)}", overs=over)


def _known(resource: str) -> str:
    if resource not in RESOURCES:
        raise errors.Invalid(f"Unknown quota resources ['{resource}'].")
    return resource


def _limits(rows: collections.abc.Iterable) -> dict[str, int]:
    return {name: value for name, value in rows if name in RESOURCES}


def _own_limits(tx: sa.Connection, project: str, user: str) -> dict[str, int]:
    return _limits(tx.execute(_OWN_LIMITS, {"of_project": project, "of_user": user}))


def _sums(amounts: tuple, columns: typing.Any,
          *which: sa.ColumnElement[bool]) -> tuple[sa.Select, sa.Select]:
    """Sums of columns over the rows of a project, and of a user in it."""
    sums = [amount if isinstance(amount, sa.sql.functions.FunctionElement)
            else sa.func.coalesce(sa.func.sum(amount), 0) for amount in amounts]
    query = sa.select(*sums).where(columns.project_id == sa.bindparam("of_project"), *which)
    return query, query.where(columns.user_id == sa.bindparam("of_user"))


_USED = _sums((sa.func.count(), tables.servers.c.vcpus, tables.servers.c.ram_mb),
              tables.servers.c, tables.servers.c.counted == sa.true())
_HOLDING = sa.select(tables.reservations.c.op, tables.reservations.c.server)
_RESERVED = _sums(tuple(tables.reservations.c[name] for name in COUNTED), tables.reservations.c)


def _put(tx: sa.Connection, table: sa.Table, value: int, **key: str) -> None:
    """Set ``hard_limit`` of the row with this key, or make the row."""
    upsert.put(tx, table, {"hard_limit": value, **key}, {"hard_limit": value})
