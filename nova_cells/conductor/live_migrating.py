# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The course of a live migration: five legs over two hosts, and who has the guest after each.

::

    ""        destination prepares   the guest is at the source
    "depart"  source copies          at the source, until it lets go
    "arrive"  destination takes up   at the destination: there is no way back from here
    "clean"   source clears          at the destination
    "back"    destination clears     at the source: it could not be copied, or was aborted

Only the source's word says that it let go, and only after it the destination is told to take up: so
whatever is lost, and whoever dies, at most one of them runs the guest.  The record says "the
destination" from the moment the source let go, and both claims stand until nothing is left on the
other host.
"""

from nova_cells.conductor import courses
from nova_cells.domain import errors, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

PHASES = {"": 0, "depart": 2, "arrive": 3, "clean": 3, "back": 3}
AGAIN = 3                                # tries of a leg that must not fail
ABORTED = "The live migration was aborted."


class LiveMigrating(courses.Course):
    """Prepares, copies, hands over, clears."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """Check both hosts and claim the destination.  Before 2.34 the asker waits for this."""
        self.able(tx, server, server.host)
        waits = "async" not in wanted.options
        try:
            self._check(tx, server, wanted)
            one = self._c.moves.begin(
                tx, _zoneless(server) if "forced" in wanted.options else server, migration.LIVE,
                wanted, now, status="queued", capability="live_migrate")
        except errors.NoPlace as problem:
            if waits:
                raise errors.Invalid(problem.message) from None
            raise
        return server, model.replace(wanted, migration=one)

    def _check(self, tx, server: model.Server, wanted: wants.Wanted) -> None:  # noqa: ANN001
        """``NoPlace`` if the hosts cannot do it, in the words of Nova."""
        if not self._c.hosts.is_up(tx, server.host):
            raise errors.NoPlace(f"Compute service of {server.host} is unavailable at this time.")
        if wanted.host is None or "forced" not in wanted.options:
            return
        if wanted.host == server.host:
            raise errors.NoPlace(f"Unable to migrate instance ({server.uuid}) to current host "
                                 f"({server.host}).")
        target = self._store.hosts.get(tx, wanted.host)
        if target is None:
            raise errors.NoPlace(f"Unable to force live migrate instance {server.uuid} across "
                                 f"cells.")
        if not self._c.hosts.is_up(tx, wanted.host):
            raise errors.NoPlace(f"Compute service of {wanted.host} is unavailable at this time.")

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """Whose part it is."""
        if wanted.migration is None:
            return server.host
        source = wanted.leg in ("depart", "clean")
        return wanted.migration.source if source else wanted.migration.dest

    def progressed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                   report: tasks.Report, now: float) -> courses.Facts:
        """How much is copied; that the destination has begun."""
        if wanted.leg == "":
            self._c.moves.note(tx, wanted.migration.uuid, now, status="preparing")
            return {}
        figures = {name: int(report.facts[name]) for name in migration.FIGURES
                   if name in report.facts}
        if figures:
            self._c.moves.note(tx, wanted.migration.uuid, now, **figures)
        percent = int(report.facts.get("percent", 0))
        return {"progress": percent} if percent != server.progress else {}

    def following(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                  report: tasks.Report, now: float) -> courses.Leg | courses.Failed | None:
        """The next leg."""
        one = wanted.migration
        match wanted.leg:
            case "":
                self._c.moves.note(tx, one.uuid, now, status="running")
                address = report.facts.get("address", one.dest)
                return _leg(wanted, "depart", address=address)
            case "depart":
                self._c.moves.note(tx, one.uuid, now, status="post-migrating")
                there = self._c.moves.at(tx, one.dest)
                return _leg(wanted, "arrive", {**there, "progress": 100},
                            handed=report.facts["handed"])
            case "arrive" if self._c.hosts.is_up(tx, one.source):
                seen = {} if report.power_state is None else {"power_state": report.power_state}
                return _leg(wanted, "clean", seen, handed="")
            case "back":
                return courses.Failed(wanted.options.get("why", ABORTED))
        return None

    def instead(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                report: tasks.Report, now: float) -> courses.Leg | None:
        """Another destination; back; or once more, where there is no other way."""
        if wanted.leg == "":
            return self._elsewhere(tx, server, wanted, report, now)
        if wanted.leg == "depart":
            why = ABORTED if _aborted(wanted) else report.error or "the source could not copy it"
            return _leg(wanted, "back", why=why)
        tries = int(wanted.options.get("tries", "1"))
        return _leg(wanted, wanted.leg, tries=str(tries + 1)) if tries < AGAIN else None

    def _elsewhere(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                   report: tasks.Report, now: float) -> courses.Leg | None:
        tried = {*wanted.options.get("tried", "").split(), wanted.migration.dest}
        most = self._store.servers.request(tx, server.uuid).retries
        if wanted.host is not None or not report.elsewhere or len(tried) >= most:
            return None
        one = self._store.migrations.get(tx, wanted.migration.uuid)
        moved = self._c.moves.elsewhere(tx, server, one, tried, "live_migrate", now)
        if moved is None:
            return None
        return _leg(model.replace(wanted, migration=moved), "", tried=" ".join(sorted(tried)))

    def alone(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> courses.Leg | courses.Failed | courses.Done | None:
        """The host whose part it is is down.  What is left there is swept when it comes back."""
        match wanted.leg:
            case "":
                return courses.Failed(f"The host {wanted.migration.dest} does not answer.")
            case "back":
                return courses.Failed(wanted.options.get("why", ABORTED))
            case "clean":
                return courses.Done(self.done(tx, server, wanted, None, now))
        return None

    def overdue(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                now: float) -> courses.Leg | None:
        """A copy that takes too long is aborted; only the source can say what came of it."""
        if wanted.leg != "depart" or _aborted(wanted):
            return None
        return _leg(wanted, "depart", steer=migration.ABORT)

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report | None, now: float) -> courses.Facts:
        """It lives at the destination, and nowhere else."""
        self._c.moves.landed(tx, wanted.migration.uuid, "completed", now)
        return {}

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """Where it is depends on the leg in which it failed."""
        if wanted.migration is None:             # it never began: the cell says why
            return {}
        uuid, status = wanted.migration.uuid, "cancelled" if _aborted(wanted) else "failed"
        if wanted.leg in ("", "back"):
            self._c.moves.returned(tx, uuid, status, now)
        elif wanted.leg == "depart":     # given up: the source may have let go of it, or not
            self._c.moves.pending(tx, uuid, now)
        else:
            self._c.moves.landed(tx, uuid, "failed" if wanted.leg == "arrive" else "completed",
                                 now)
        return {"rest": "error"} if wanted.leg == "arrive" else {}


def _aborted(wanted: wants.Wanted) -> bool:
    return wanted.options.get("steer") == migration.ABORT


def _zoneless(server: model.Server) -> model.Server:
    return model.replace(server, pinned_availability_zone=None)


def _leg(wanted: wants.Wanted, leg: str, facts: courses.Facts | None = None,
         **options: str) -> courses.Leg:
    kept = {name: value for name, value in wanted.options.items()
            if name != "tries"} | options
    return courses.Leg(
        model.replace(wanted, leg=leg, options={name: value for name, value in kept.items()
                                                if value}),
        {"phase": PHASES[leg], **(facts or {})})


OWN: dict[str, type[courses.Course]] = {"live_migrate": LiveMigrating}
