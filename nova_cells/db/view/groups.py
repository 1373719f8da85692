"""Server groups: their names, their policy, who is in them, and the cell of a strict affinity.

Membership is derived: a member is a server that joined and is not deleted, so nothing is to be
removed with it.  A strict affinity is pinned to a cell by compare-and-swap on ``turn``, which moves
with everybody who joins (law T7); it is free again once no member lives or is on its way.

Assumes a connection inside a transaction in every method.
"""

import collections.abc
import typing

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.view import tables
from nova_cells.domain import errors, groups

g, m, s, o = (tables.server_groups, tables.server_group_members, tables.servers, tables.offers)
_GET = sa.select(g).where(g.c.uuid == sa.bindparam("of_uuid"))
_GUARD = sa.update(g).where(g.c.uuid == sa.bindparam("of_uuid")).values(turn=g.c.turn + 1)
_PIN = sa.update(g).where(g.c.uuid == sa.bindparam("of_uuid"),
                          g.c.turn == sa.bindparam("of_turn"))
_LIVING = sa.select(m.c.server_group, m.c.server).join(s, s.c.uuid == m.c.server).where(
    m.c.server_group.in_(sa.bindparam("groups", expanding=True)), ~s.c.deleted).order_by(
        s.c.created_at, s.c.uuid)
_OTHERS = sa.select(m.c.server).join(s, s.c.uuid == m.c.server).where(
    m.c.server_group == sa.bindparam("of_group"), m.c.server != sa.bindparam("of_server"),
    ~s.c.deleted, s.c.placed | sa.exists().where(o.c.server == s.c.uuid)).limit(1)
_OF = sa.select(m.c.server, m.c.server_group).join(g, g.c.uuid == m.c.server_group).where(
    m.c.server.in_(sa.bindparam("servers", expanding=True)))
_CELLS = sa.select(s.c.cell).join(m, m.c.server == s.c.uuid).where(
    m.c.server_group == sa.bindparam("of_group"), s.c.placed, ~s.c.deleted).distinct()
_JOIN = sa.insert(m)


class Pin(typing.NamedTuple):
    """A strict affinity as it was seen.  ``cell``: where its members are; None: it has none."""

    group: str
    turn: int
    cell: str | None


class Groups:
    """The server groups.  Stateless."""

    # -- reading ----------------------------------------------------------------------------

    def get(self, tx: sa.Connection, uuid: str) -> sa.Row:
        """The row, or ``NotFound``."""
        row = tx.execute(_GET, {"of_uuid": uuid}).first()
        if row is None:
            raise missing(uuid)
        return row

    def page(self, tx: sa.Connection, project: str | None, limit: int,
             offset: int) -> collections.abc.Sequence[sa.Row]:
        """A page, oldest first, of one project or of all."""
        query = sa.select(g).order_by(g.c.id).limit(limit).offset(offset)
        return tx.execute(query if project is None else query.where(
            g.c.project_id == project)).all()

    def members(self, tx: sa.Connection, uuids: list[str]) -> dict[str, list[str]]:
        """group -> its members, oldest first."""
        found: dict[str, list[str]] = {}
        for row in tx.execute(_LIVING, {"groups": uuids}) if uuids else ():
            found.setdefault(row.server_group, []).append(row.server)
        return found

    def of(self, tx: sa.Connection, servers: collections.abc.Iterable[str]) -> dict[str, str]:
        """server -> its group, of those that are in one."""
        return {row.server: row.server_group
                for row in tx.execute(_OF, {"servers": list(servers)})}

    def count(self, tx: sa.Connection, project: str, user: str | None = None) -> int:
        """How many groups a project has, or a user in it."""
        query = sa.select(sa.func.count()).select_from(g).where(g.c.project_id == project)
        return tx.execute(query if user is None else query.where(
            g.c.user_id == user)).scalar_one()

    # -- changing ---------------------------------------------------------------------------

    def create(self, tx: sa.Connection, row: dict[str, typing.Any]) -> None:
        """A new group.  Assumes that its project's guard was taken."""
        tx.execute(sa.insert(g).values(cell=None, turn=0, **row))

    def delete(self, tx: sa.Connection, uuid: str) -> None:
        """Gone; its members stay as they are, and go on to keep its policy among themselves."""
        if not tx.execute(sa.delete(g).where(g.c.uuid == uuid)).rowcount:
            raise missing(uuid)
        tx.execute(sa.delete(m).where(m.c.server_group == uuid))

    def guard(self, tx: sa.Connection, uuid: str) -> None:
        """Let one transaction at a time add to a group: a real write, before anything is read."""
        if not engine.swapped(tx.execute(_GUARD, {"of_uuid": uuid})):
            raise errors.Invalid(missing(uuid).message)

    def check(self, tx: sa.Connection, uuid: str, user: str, more: int, limit: int) -> None:
        """Raise ``OverLimit`` if a user would have too many servers in a group."""
        query = sa.select(sa.func.count()).select_from(m).join(s, s.c.uuid == m.c.server).where(
            m.c.server_group == uuid, s.c.user_id == user, ~s.c.deleted)
        if limit >= 0 and tx.execute(query).scalar_one() + more > limit:
            raise errors.OverLimit("Quota exceeded, too many servers in group")

    def join(self, tx: sa.Connection, group: str, server: str) -> None:
        """One more member.  Assumes ``guard``."""
        tx.execute(_JOIN, {"server": server, "server_group": group})

    def near(self, tx: sa.Connection, group: groups.Group | None) -> set[str]:
        """The cells that a soft affinity would like best: those of its members."""
        if group is None or group.policy != groups.SOFT_AFFINITY:
            return set()
        return set(tx.execute(_CELLS, {"of_group": group.uuid}).scalars())

    # -- where a strict affinity is -----------------------------------------------------------

    def pin_of(self, tx: sa.Connection, group: groups.Group | None, server: str) -> Pin | None:
        """Where a server must be for its group's sake; None if that says nothing about cells."""
        if group is None or group.policy != groups.AFFINITY:
            return None
        row = tx.execute(_GET, {"of_uuid": group.uuid}).first()      # before who is in it
        if row is None:
            return None
        alone = row.cell is None or tx.execute(_OTHERS, {
            "of_group": group.uuid, "of_server": server}).first() is None
        return Pin(row.uuid, row.turn, None if alone else row.cell)

    def pin(self, tx: sa.Connection, seen: Pin, cell: str) -> None:
        """The group is in this cell from now on.  ``Stale`` if somebody joined since it was
        seen."""
        if not engine.swapped(tx.execute(_PIN, {
                "of_uuid": seen.group, "of_turn": seen.turn, "cell": cell,
                "turn": seen.turn + 1})):
            raise errors.Stale(f"the server group {seen.group} changed meanwhile")


def missing(uuid: str) -> errors.NotFound:
    """The sentence that clients know."""
    return errors.NotFound(f"Instance group {uuid[:255]} could not be found.")
