# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What must hold at every moment of a simulated run, looked at after each message.

Reads the databases below SQLAlchemy and only where the last message may have changed them, for
it is called thousands of times a seed.
"""

import typing

from nova_cells.domain import codec, lifecycle, records

_host = codec.Unpacker(records.HostRecord)
ALIVE = (lifecycle.RUNNING, lifecycle.PAUSED)
VIEW = "SELECT uuid, epoch, version FROM servers"
HELD = ("SELECT uuid, epoch, version, rest, verb, ticket, host, record IS NOT NULL FROM servers "
        "WHERE confirmed")
MARKED = "SELECT uuid FROM outbox WHERE kind = 'server'"
OVERSOLD = ("SELECT a.provider, a.resource_class FROM allocations a JOIN inventories i ON "
            "i.provider = a.provider AND i.resource_class = a.resource_class "
            "GROUP BY a.provider, a.resource_class, i.total, i.reserved, "
            "i.allocation_ratio HAVING sum(a.used) > (i.total - i.reserved) * i.allocation_ratio")
COUNTED = ("SELECT project_id, count(*), sum(vcpus) FROM servers WHERE counted "
           "GROUP BY project_id")


class Held(typing.NamedTuple):
    """A confirmed server of a cell."""

    uuid: str
    epoch: int
    version: int
    rest: str
    verb: str
    ticket: int
    host: str
    real: bool                   # not a bare tombstone


def _done(entry) -> bool:  # noqa: ANN001
    """Whether a journal's entry says that its task was carried out."""
    return entry.outcome is not None and entry.outcome.result == "done"


class Monitor:
    """Laws of every moment.  Raises ``AssertionError`` with the seed."""

    def __init__(self, cluster, limit: int, cores: int) -> None:  # noqa: ANN001
        self.cluster = cluster
        self.limit, self.cores = limit, cores
        self.restored = False
        self._view: dict[str, tuple[int, int]] = {}
        self._cells: dict[str, dict[str, Held]] = {cell: {} for cell in cluster.stores}
        self._sqlite: dict[object, typing.Any] = {}
        self._changes: dict[object, int] = {}
        self._destroyed: dict[tuple[str, str], tuple[int, int]] = {}
        self._did: set[tuple[str, str, str, tuple[int, int]]] = set()    # all that hosts ever did

    def __call__(self, node) -> None:  # noqa: ANN001
        if node is None or node.cell is None:
            self._top()
        elif node.host is None:
            self._cell(node.cell)
        else:
            self._host(node.cell, node.host)

    def forget(self, cell: str) -> None:
        """The cell's database was put back to an old copy."""
        self.restored = True
        self._cells[cell] = {}

    def _changed(self, database) -> object | None:  # noqa: ANN001
        """The SQLite connection, if anything was written since the last look."""
        if database not in self._sqlite:         # in memory there is one connection, kept
            self._sqlite[database] = database.engine.raw_connection().driver_connection
        sqlite = self._sqlite[database]
        count = sqlite.total_changes
        if self._changes.get(database) == count:
            return None
        self._changes[database] = count
        return sqlite

    def _law(self, holds: bool, *words: object) -> None:
        if not holds:
            raise AssertionError(f"seed {self.cluster.seed}: {' '.join(map(str, words))}")

    # -- the API cell -----------------------------------------------------------------------------

    def _top(self) -> None:
        sqlite = self._changed(self.cluster.view)
        if sqlite is None:
            return
        for uuid, epoch, version in sqlite.execute(VIEW):
            before = self._view.get(uuid, (0, 0))
            self._law((epoch, version) >= before, "the view of", uuid, "went back from", before,
                      "to", (epoch, version))
            self._view[uuid] = (epoch, version)
        for project, count, cores in sqlite.execute(COUNTED):
            # A cell put back to an old copy brings servers back whose places were given away.
            self._law(count <= self.limit or self.restored, project, "has", count, "servers")
            self._law(cores <= self.cores or self.restored, project, "has", cores, "cores")

    # -- a child cell -----------------------------------------------------------------------------

    def _cell(self, cell: str) -> None:
        sqlite = self._changed(self.cluster.stores[cell])
        if sqlite is None:
            return
        marked = {uuid for uuid, in sqlite.execute(MARKED)}
        held = {row[0]: Held(*row) for row in sqlite.execute(HELD)}
        for uuid, now in held.items():
            self._unmarked_is_known(cell, now, marked)
            before = self._cells[cell].get(uuid)
            if before is not None and before.verb and not now.verb:
                self._done_was_done(cell, before, now, sqlite)
            for other, theirs in self._cells.items():
                self._law(other == cell or uuid not in theirs, uuid, "is owned by two cells")
        self._cells[cell] = held
        self._law(not sqlite.execute(OVERSOLD).fetchall(), cell, "gave away more than it has")

    def _unmarked_is_known(self, cell: str, now: Held, marked: set[str]) -> None:
        """A mark leaves the outbox only when that version, or a newer one, arrived."""
        known = self._view.get(now.uuid, (0, 0))
        self._law(now.uuid in marked or not now.real or known >= (now.epoch, now.version),
                  f"{now.uuid} is at {now.epoch}.{now.version} in {cell}, not marked, and at",
                  known, "at the top")

    def _done_was_done(self, cell: str, before: Held, now: Held, sqlite) -> None:  # noqa: ANN001
        """What a cell calls done, its host did, under that very ticket."""
        done = lifecycle.VERBS[before.verb].done
        if (now.epoch, now.ticket) != (before.epoch, before.ticket) or now.rest != done \
                or now.rest == before.rest:
            return                       # reset, lifted, or failed
        entries = {host: journal.read(now.uuid) for (where, host), journal
                   in self.cluster.journals.items() if where == cell}    # of its last leg's host
        if before.verb == "delete" and not all(
                self._up(host, sqlite) for host, entry in entries.items()
                if entry is not None or host == before.host):
            return
        stamp = (now.epoch, now.ticket)
        newest = any(entry is not None and entry.stamp == stamp and _done(entry)
                     for entry in entries.values())
        # An old copy may hear of a boot late, and not know of the delete that followed.
        once = self.restored and any((cell, host, now.uuid, stamp) in self._did
                                     for host in entries)
        self._law(newest or once, now.uuid, "is", now.rest, "by a", before.verb, "that",
                  before.host, "never did:", entries)

    @staticmethod
    def _up(host: str, sqlite) -> bool:  # noqa: ANN001
        row = sqlite.execute("SELECT up, record FROM hosts WHERE name = ?", (host,)).fetchone()
        return bool(row and row[0]) and not _host(row[1]).forced_down

    # -- a host -----------------------------------------------------------------------------------

    def _host(self, cell: str, host: str) -> None:
        driver = self.cluster.drivers[cell, host]
        journal = self.cluster.journals[cell, host]
        for uuid, entry in journal._entries.items():
            if _done(entry):
                self._did.add((cell, host, uuid, entry.stamp))
            if entry.verb == "delete" and entry.outcome and entry.outcome.result == "done":
                known = self._destroyed.get((host, uuid), entry.stamp)
                self._destroyed[host, uuid] = max(known, entry.stamp)
        for uuid, guest in driver._guests.items():
            if not guest.defined:        # a disk that a killed agent left behind
                continue
            gone = self._destroyed.get((host, uuid), (0, 0))
            self._law((guest.epoch, guest.ticket) > gone, uuid, "came back on", host, "after",
                      gone)
            for (_cell, other), theirs in self.cluster.drivers.items():
                twin = theirs._guests.get(uuid) if other != host else None
                self._law(twin is None or not twin.defined or self._moving(uuid, guest, twin),
                          uuid, "is on", host, "and on", other)

    def _moving(self, uuid: str, guest, twin) -> bool:  # noqa: ANN001
        """A server that moves may be on two hosts, and runs on one; one that was evacuated may run
        on the old one until that is swept."""
        both = guest.power in ALIVE and twin.power in ALIVE
        return uuid in self.cluster.evacuated or (uuid in self.cluster.migrated and not both)
