# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The course of an evacuation: the server is made anew on another host, for its own is down.

What "down" means is decision 0020.  The record says "the old host" until the new one has reported,
so an evacuation that failed can be asked for again.  A guest that comes back with the old host is a
stranger there from then on, and swept (``reports``).
"""

from nova_cells.conductor import courses
from nova_cells.domain import errors, lifecycle, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants


class Evacuating(courses.Course):
    """One leg, on the host that takes it in."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """Its host must be down, for good as far as anybody can tell; then claim another."""
        self.able(tx, server, server.host)
        source = self._store.hosts.get(tx, server.host)
        if source.up and not source.forced_down:
            raise errors.Invalid(f"Compute service of {source.name} is still in use.")
        if not source.forced_down and shares(server):
            raise errors.Invalid(
                f"Compute service of {source.name} does not answer, which does not keep its guests "
                f"from writing to volumes: make sure that it is off, force its service down, and "
                f"try again.")
        if wanted.host is not None and self._store.hosts.get(tx, wanted.host) is None:
            raise errors.Invalid(f"The host {wanted.host} is in another cell.")
        placed = model.replace(server, pinned_availability_zone=None) \
            if "forced" in wanted.options else server
        one = self._c.moves.begin(tx, placed, migration.EVACUATION, wanted, now,
                                  status="accepted", capability="evacuate")
        if server.rest == "stopped":
            wanted = model.replace(wanted, options=wanted.options | {"stopped": "1"})
        return server, model.replace(wanted, migration=one)

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """The one that takes it in."""
        return wanted.migration.dest if wanted.migration is not None else server.host

    def progressed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                   report: tasks.Report, now: float) -> courses.Facts:
        """It is being made."""
        self._c.moves.note(tx, wanted.migration.uuid, now, status="pre-migrating")
        return {}

    def instead(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                report: tasks.Report, now: float) -> courses.Leg | None:
        """Another host, unless one was asked for."""
        tried = {*wanted.options.get("tried", "").split(), wanted.migration.dest}
        most = self._store.servers.request(tx, server.uuid).retries
        if wanted.host is not None or not report.elsewhere or len(tried) >= most:
            return None
        one = self._store.migrations.get(tx, wanted.migration.uuid)
        moved = self._c.moves.elsewhere(tx, server, one, tried, "evacuate", now)
        if moved is None:
            return None
        return courses.Leg(model.replace(wanted, migration=moved, options=wanted.options | {
            "tried": " ".join(sorted(tried))}), {"phase": 0})

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """It lives there now; stopped, if it was or if 2.95 asked."""
        one = self._c.moves.landed(tx, wanted.migration.uuid, "done", now)
        facts = super().done(tx, server, wanted, report, now)
        facts |= {**self._c.moves.at(tx, one.dest), "launched_at": now}
        if "stopped" in wanted.options:
            facts |= {"rest": "stopped", "power_state": lifecycle.SHUTDOWN}
        return facts

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """It is where it was, and in error."""
        if wanted.migration is not None:
            self._c.moves.returned(tx, wanted.migration.uuid, "failed", now)
        return {}


def shares(server: model.Server) -> bool:
    """Whether a guest of it that still runs, unseen, could write where the new one writes."""
    return bool(server.attachments)


OWN: dict[str, type[courses.Course]] = {"evacuate": Evacuating}
