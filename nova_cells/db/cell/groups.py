"""Who of which server group is on which host: claims as rows, unique where the policy is strict.

Written in the transaction that places a server, removed in the one that releases it, as its
allocations are.  Strict anti-affinity: (group, host, slot) is unique, and there are as many slots
as the group allows on a host.  Strict affinity: one row says which host is the group's, and every
member that comes or goes moves it, so nobody comes to a host that the last member just left.
"""

import sqlalchemy as sa

from nova_cells.db import engine
from nova_cells.db.cell import tables
from nova_cells.domain import errors, groups, migration

c, p = tables.group_claims, tables.group_pins
_group, _host = sa.bindparam("of_group"), sa.bindparam("of_host")
_other = c.c.server != sa.bindparam("of_server")
_SPREAD = sa.select(c.c.host, sa.func.count()).where(c.c.server_group == _group, _other).group_by(
    c.c.host)
_SLOTS = sa.select(c.c.server, c.c.slot).where(c.c.server_group == _group, c.c.host == _host)
_PIN = sa.select(p.c.host, p.c.turn).where(p.c.server_group == _group)
_OTHERS = sa.select(c.c.server).where(c.c.server_group == _group, _other).limit(1)
_FOLLOW = sa.update(p).where(p.c.server_group == _group, p.c.turn == sa.bindparam("of_turn"))
_STAY = sa.update(p).where(p.c.server_group == _group, p.c.host == _host).values(
    turn=p.c.turn + 1)
_TURN = sa.update(p).where(p.c.server_group == _group).values(turn=p.c.turn + 1)
_UNPIN = sa.delete(p).where(p.c.server_group == _group, ~sa.exists().where(
    c.c.server_group == p.c.server_group))
# Its only member went back to where it came from.
_RETURN = sa.update(p).where(p.c.server_group == _group, ~sa.exists().where(
    c.c.server_group == p.c.server_group, c.c.host == p.c.host)).values(
        host=sa.select(sa.func.min(c.c.host)).where(
            c.c.server_group == _group).scalar_subquery())
_MINE = sa.select(c.c.server_group, c.c.role, c.c.host).where(
    c.c.server == sa.bindparam("of_server"))


class Groups:
    """The claims of members."""

    def spread(self, tx: sa.Connection, group: str, server: str) -> dict[str, int]:
        """host -> how many members but this one are there, or are on their way."""
        return {row[0]: row[1] for row in tx.execute(_SPREAD, {
            "of_group": group, "of_server": server})}

    def pinned(self, tx: sa.Connection, group: str, server: str) -> str | None:
        """The host of a strict affinity; None while it has no member here but this one."""
        pin = tx.execute(_PIN, {"of_group": group}).first()
        others = tx.execute(_OTHERS, {"of_group": group, "of_server": server}).first()
        return pin.host if pin is not None and others is not None else None

    def fits(self, tx: sa.Connection, group: groups.Group, host: str, server: str) -> bool:
        """Whether the policy lets a member onto a host, as far as this transaction sees."""
        if group.policy == groups.AFFINITY:
            return self.pinned(tx, group.uuid, server) in (None, host)
        if group.policy != groups.ANTI_AFFINITY:
            return True
        taken = self._slots(tx, group, host)
        return server in taken or self._free(group, taken) is not None

    def take(self, tx: sa.Connection, group: groups.Group, host: str, server: str, role: str,
             force: bool = False) -> None:
        """Write the member down.  Raises ``Stale`` or ``DBDuplicateEntry`` if somebody else came
        first.  ``force``: it is there, whatever the policy says."""
        slot = None
        if group.policy == groups.AFFINITY:
            self._stay(tx, group, host, server, force)
        elif group.policy == groups.ANTI_AFFINITY:
            taken = self._slots(tx, group, host)
            slot = self._free(group, taken, force)
            if server in taken:          # it moves to where it is: it has its slot
                slot = None
            elif slot is None:
                raise errors.Stale(f"the server group {group.uuid} has all that it may on {host}")
        tx.execute(sa.insert(c).values(server=server, role=role, server_group=group.uuid,
                                       host=host, slot=slot))

    def leave(self, tx: sa.Connection, server: str, role: str | None = None) -> None:
        """The server holds nothing any more, in one role or in any."""
        held = [row.server_group for row in tx.execute(_MINE, {"of_server": server})
                if role in (None, row.role)]
        if not held:
            return
        mine = c.c.server == server
        tx.execute(sa.delete(c).where(mine if role is None else mine & (c.c.role == role)))
        for group in sorted(set(held)):
            # The turn first: who comes to this group just now is seen, or comes after us.
            if engine.swapped(tx.execute(_TURN, {"of_group": group})):
                tx.execute(_UNPIN, {"of_group": group})
                tx.execute(_RETURN, {"of_group": group})

    def land(self, tx: sa.Connection, server: str) -> None:
        """A move is over, as ``Resources.land`` has it."""
        mine = {row.role: row.host for row in tx.execute(_MINE, {"of_server": server})}
        if mine.get(migration.MOVE) is None:
            return
        if mine[migration.MOVE] == mine.get(migration.HERE):     # that one has the slot
            return self.leave(tx, server, migration.MOVE)
        self.leave(tx, server, migration.HERE)
        tx.execute(sa.update(c).where(c.c.server == server, c.c.role == migration.MOVE).values(
            role=migration.HERE))

    def members(self, tx: sa.Connection) -> dict[str, set[str]]:
        """server -> hosts on which it counts as a member of its group (for checks)."""
        found: dict[str, set[str]] = {}
        for row in tx.execute(sa.select(c.c.server, c.c.host)):
            found.setdefault(row.server, set()).add(row.host)
        return found

    def _stay(self, tx: sa.Connection, group: groups.Group, host: str, server: str,
              force: bool) -> None:
        if engine.swapped(tx.execute(_STAY, {"of_group": group.uuid, "of_host": host})):
            return
        pin = tx.execute(_PIN, {"of_group": group.uuid}).first()
        if pin is None:
            tx.execute(sa.insert(p).values(server_group=group.uuid, host=host, turn=1))
        elif self.pinned(tx, group.uuid, server) is not None:
            if not force:
                raise errors.Stale(f"the server group {group.uuid} is on {pin.host}")
        elif not engine.swapped(tx.execute(_FOLLOW, {     # its only member takes it along
                "of_group": group.uuid, "of_turn": pin.turn, "host": host,
                "turn": pin.turn + 1})):
            raise errors.Stale(f"the server group {group.uuid} changed meanwhile")

    def _slots(self, tx: sa.Connection, group: groups.Group, host: str) -> dict[str, int]:
        """server -> its slot on a host."""
        return {row.server: row.slot for row in tx.execute(_SLOTS, {
            "of_group": group.uuid, "of_host": host}) if row.slot is not None}

    def _free(self, group: groups.Group, taken: dict[str, int],
              force: bool = False) -> int | None:
        """The first slot that is free."""
        most = len(taken) + 1 if force else group.max_per_host
        return next((slot for slot in range(most) if slot not in taken.values()), None)
