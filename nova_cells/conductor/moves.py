# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Moves: what a verb that takes a server to another host does in the cell's database.

A course of such a verb begins with ``begin``, which chooses a host, claims it as role "move" and
writes the migration; it tells how it goes with ``note``; and it ends with exactly one of ``landed``
(the server is where it went) and ``returned`` (it is where it came from), which leave one
allocation, as role "here".  Where nobody knows which of the two is true, for a host fell silent in
the middle, it ends with ``pending``: the migration stays open, both hosts keep what they have and
the cell keeps both claims, until somebody deletes the server, or moves it again.

While a migration is open no guest on its two hosts is a stranger; once it is closed, what is left
on the other host is (``reports``), and is swept.
"""

from nova_cells.conductor import courses
from nova_cells.domain import errors, selection
from nova_cells.domain import migration as model
from nova_cells.domain import server as servers
from nova_cells.domain import wanted as wants
from nova_cells.scheduler import choose

Choice = tuple[choose.Request, list[selection.Proposal]]


class Moves:
    """Begins moves and ends them.  Every method belongs into the transaction of a verb, before
    the server is saved."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def begin(self, tx, server: servers.Server, kind: str, wanted: wants.Wanted,  # noqa: ANN001
              now: float, *, same: bool = False, status: str = "pre-migrating",
              capability: str = "") -> model.Migration:
        """Choose, claim, write down.  ``wanted`` says to which flavor (None: the same) and host
        (None: any other, and its own too if ``same``).  ``NoPlace``: there is none, and a
        migration says so."""
        self.settle(tx, server, now)
        flavor = wanted.flavor or server.flavor
        one = model.Migration(
            uuid=self._c.ids.uuid(), server=server.uuid, epoch=server.epoch, kind=kind,
            status=status, user_id=wanted.user_id, project_id=wanted.project_id,
            source=server.host, source_node=server.node or "", old_flavor=server.flavor,
            new_flavor=flavor, rest=server.rest, created_at=now)
        avoid = set() if same else {server.host}
        try:
            choice = self._c.placing.choices(tx, servers.replace(server, flavor=flavor), now,
                                             capability=capability, forced=wanted.host,
                                             avoid=avoid)
        except errors.NoPlace:
            self._store.migrations.insert(tx, servers.replace(one, status="error", open=False), now)
            raise
        return self._store.migrations.insert(tx, self._claim(tx, one, choice), now)

    def elsewhere(self, tx, server: servers.Server, one: model.Migration,  # noqa: ANN001
                  tried: set[str], capability: str, now: float) -> model.Migration | None:
        """The destination cannot take it, and has nothing of it: another one, or None."""
        try:
            choice = self._c.placing.choices(
                tx, servers.replace(server, flavor=one.new_flavor), now, capability=capability,
                avoid=tried | {one.source})
        except errors.NoPlace:
            return None
        self._store.resources.release(tx, server.uuid, model.MOVE)
        moved = self._claim(tx, one, choice)
        return self._store.migrations.save(tx, moved, now)

    def _claim(self, tx, one: model.Migration, choice: Choice) -> model.Migration:  # noqa: ANN001
        _taken, host = self._c.placing.claim(tx, one.server, *choice, model.MOVE)
        return servers.replace(one, dest=host.name, dest_node=host.hypervisor_hostname)

    # -- how it goes ----------------------------------------------------------------------------

    def note(self, tx, uuid: str, now: float, **changes: object) -> model.Migration:  # noqa: ANN001
        """What anybody may see of it changed: its status, or how much is copied."""
        one = self._store.migrations.get(tx, uuid)
        if one is None:
            raise errors.Bug(f"the migration {uuid} is gone")
        if all(getattr(one, name) == value for name, value in changes.items()):
            return one
        return self._store.migrations.save(tx, one, now, **changes)

    def at(self, tx, host: str) -> courses.Facts:  # noqa: ANN001
        """What a server's record says of where it is, while it is on this host."""
        record = self._store.hosts.get(tx, host)
        if record is None:
            raise errors.Conflict(f"the host {host} is forgotten")
        return {"host": record.name, "node": record.hypervisor_hostname,
                "availability_zone": record.availability_zone}

    # -- how it ends ----------------------------------------------------------------------------

    def landed(self, tx, uuid: str, status: str, now: float) -> model.Migration:  # noqa: ANN001
        """The server is where it went, and nowhere else."""
        one = self.note(tx, uuid, now, status=status, open=False)
        self._store.resources.land(tx, one.server)
        return one

    def returned(self, tx, uuid: str, status: str, now: float) -> model.Migration:  # noqa: ANN001
        """The server is where it came from, and nowhere else."""
        one = self.note(tx, uuid, now, status=status, open=False)
        self._store.resources.release(tx, one.server, model.MOVE)
        return one

    def pending(self, tx, uuid: str, now: float) -> model.Migration:  # noqa: ANN001
        """Nobody knows what became of it: both hosts keep what they have."""
        return self.note(tx, uuid, now, status="error")

    def settle(self, tx, server: servers.Server, now: float,  # noqa: ANN001
               status: str = "error") -> None:
        """Close what an earlier move left open: the server is where its record says."""
        one = self._store.migrations.open_of(tx, server.uuid)
        if one is None:
            return
        end = self.landed if server.host == one.dest != one.source else self.returned
        end(tx, one.uuid, status, now)

    def reset(self, tx, server: servers.Server, now: float) -> None:  # noqa: ANN001
        """The operator's word about where the server rests: a move under way is given up; one that
        waited to be confirmed is over, and the server where it is.  A host that was told to let go
        of the guest may yet do so: then nobody knows, and both keep what they have."""
        one = self._store.migrations.open_of(tx, server.uuid)
        if one is None:
            return
        wanted = self._store.servers.wanted(tx, server.uuid)
        if server.verb is None and server.rest == "resized":
            self.landed(tx, one.uuid, "error", now)
        elif server.verb is not None and wanted.migration is not None:
            self._c.courses.of(server.verb).given_up(tx, server, wanted, now)

    def found(self, tx, server: servers.Server, host: str,  # noqa: ANN001
              now: float) -> servers.Flavor:
        """Its guest is on this host, for sure: a move that an old copy of the database has open is
        over.  The flavor that it has there."""
        one = self._store.migrations.open_of(tx, server.uuid)
        if one is None:
            return server.flavor
        self._store.migrations.save(tx, one, now, status="error", open=False)
        return one.old_flavor if host == one.source else one.new_flavor

    def gone(self, tx, uuid: str, now: float) -> None:  # noqa: ANN001
        """The server is deleted: its resources are given back by whoever says so."""
        one = self._store.migrations.open_of(tx, uuid)
        if one is not None:
            status = "confirmed" if one.status == "finished" else "error"
            self._store.migrations.save(tx, one, now, status=status, open=False)
