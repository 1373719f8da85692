# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Resize and cold migration, and what becomes of them: confirmed, reverted.

A resize has three legs: the destination *prepares* (another host may do, and nobody was touched),
the source *departs* (power off, disk sent, guest parked), the destination *arrives*.  What cannot
arrive goes *back*.  Then the server waits, resized, and the guest that is parked waits on the
source: ``Confirm`` drops it there, ``Revert`` removes the new one first and then takes the old one
back.  ``compute.moving`` has the hosts' side.
"""

from nova_cells.conductor import courses
from nova_cells.domain import errors, lifecycle, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

PREPARE, DEPART, ARRIVE, BACK = "", "depart", "arrive", "back"
TRIES = 4                        # of a leg that must not fail: there is nowhere else to go
EVENTS = {PREPARE: "compute_prep_resize", DEPART: "compute_resize_instance",
          ARRIVE: "compute_finish_resize", BACK: "compute_finish_revert_resize"}


class Moving(courses.Course):
    """What these verbs have in common."""

    def up(self, tx, server: model.Server, host: str) -> None:  # noqa: ANN001
        """Raise unless this host is there, can do it, and is up."""
        self.able(tx, server, host)
        if not self._c.hosts.is_up(tx, host):
            raise errors.Conflict("Service is unavailable at this time.")

    def again(self, wanted: wants.Wanted) -> courses.Leg | None:
        """The same leg once more, for so many times."""
        tries = int(wanted.options.get("tries", "1"))
        return None if tries >= TRIES else courses.Leg(
            model.replace(wanted, options={**wanted.options, "tries": str(tries + 1)}), {})

    def resized(self, tx, server: model.Server) -> migration.Migration:  # noqa: ANN001
        """The move that waits to be confirmed."""
        one = self._store.migrations.open_of(tx, server.uuid)
        if one is None or one.status == "error":
            raise errors.Invalid("Instance has not been resized.")
        return one


class Resize(Moving):
    """To another flavor, on another host or, where that is allowed, on its own; or ("migrate") to
    another host as it is."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """A host is chosen and claimed; the user hears nothing if there is none."""
        self.up(tx, server, server.host)
        if wanted.host is not None:
            self._named(tx, server, wanted.host)
        kind = migration.RESIZE if server.verb == "resize" else migration.COLD
        one = self._c.moves.begin(tx, server, kind, wanted, now, capability="resize",
                                  same=wanted.options.get("same_host") == "yes")
        disk_config = wanted.options.get("disk_config", server.disk_config)
        return (model.replace(server, disk_config=disk_config),
                model.replace(wanted, migration=one, leg=PREPARE))

    def _named(self, tx, server: model.Server, name: str) -> None:  # noqa: ANN001
        if name == server.host:
            raise errors.Invalid(f"No valid host was found. Cannot migrate to the host ({name}) "
                                 f"where the server exists.")
        if self._store.hosts.get(tx, name) is None:
            raise errors.Invalid(f"Compute host {name} could not be found.")

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """The source departs and takes back, the destination does the rest."""
        one = wanted.migration
        if one is None:
            return server.host
        return one.source if wanted.leg in (DEPART, BACK) else one.dest

    def event(self, server: model.Server, wanted: wants.Wanted) -> str:
        """What users read of a leg."""
        if wanted.migration is None:
            return "cold_migrate"
        return EVENTS[wanted.leg]

    def following(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                  report: tasks.Report, now: float) -> courses.Leg | courses.Failed | None:
        """Prepare, depart, arrive."""
        one = wanted.migration
        if wanted.leg == PREPARE:
            self._c.moves.note(tx, one.uuid, now, status="migrating")
            return courses.Leg(model.replace(wanted, leg=DEPART), {"phase": 1})
        if wanted.leg == DEPART:
            self._c.moves.note(tx, one.uuid, now, status="post-migrating")
            return courses.Leg(model.replace(wanted, leg=ARRIVE),
                               {"phase": 2, **self._c.moves.at(tx, one.dest)})
        if wanted.leg == BACK:
            return courses.Failed(wanted.options.get("why", "the destination could not take it"))
        return None

    def instead(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                report: tasks.Report, now: float) -> courses.Leg | None:
        """Where it cannot go it goes elsewhere, while nobody was touched; later it goes back."""
        if wanted.leg == PREPARE:
            return self._elsewhere(tx, server, wanted, report, now)
        if wanted.leg == ARRIVE:
            why = report.error or "the destination could not take it"
            return courses.Leg(
                model.replace(wanted, leg=BACK, options={**wanted.options, "why": why}),
                {"phase": 1, **self._c.moves.at(tx, wanted.migration.source)})
        return self.again(wanted) if wanted.leg == BACK else None

    def _elsewhere(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                   report: tasks.Report, now: float) -> courses.Leg | None:
        one = self._store.migrations.get(tx, wanted.migration.uuid)
        tried = {*wanted.options.get("tried", "").split(), one.dest}
        if not report.elsewhere or wanted.host is not None \
                or len(tried) >= self._store.servers.request(tx, server.uuid).retries:
            return None
        moved = self._c.moves.elsewhere(tx, server, one, tried, "resize", now)
        if moved is None:
            return None
        options = {**wanted.options, "tried": " ".join(sorted(tried))}
        return courses.Leg(model.replace(wanted, migration=moved, options=options), {})

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """It has its new size, and waits."""
        self._c.moves.note(tx, wanted.migration.uuid, now, status="finished")
        return {**super().done(tx, server, wanted, report, now),
                "flavor": wanted.migration.new_flavor}

    def given_up(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                 now: float) -> courses.Facts:
        """The source may have let go of it, or may yet: nobody knows where it is."""
        if wanted.migration is not None and wanted.leg in (DEPART, BACK):
            self._c.moves.pending(tx, wanted.migration.uuid, now)
            return {}
        return self.failed(tx, server, wanted, now)

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """Nobody was touched yet: as it was.  Given up while it arrives: nobody knows."""
        if wanted.migration is None:
            return {"rest": server.rest}
        if wanted.leg == ARRIVE:
            self._c.moves.pending(tx, wanted.migration.uuid, now)
            return {}
        self._c.moves.returned(tx, wanted.migration.uuid, "error", now)
        return {"rest": server.rest} if wanted.leg == PREPARE else {}


class Confirm(Moving):
    """It stays where it is, as it is."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """The source must be there, for it has something to drop."""
        one = self.resized(tx, server)
        self.up(tx, server, one.source)
        one = self._c.moves.note(tx, one.uuid, now, status="confirming")
        return server, model.replace(wanted, migration=one)

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """Where it came from."""
        return wanted.migration.source if wanted.migration is not None else server.host

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """One that is off is stopped."""
        self._c.moves.landed(tx, wanted.migration.uuid, "confirmed", now)
        off = server.power_state == lifecycle.SHUTDOWN
        return {"rest": "stopped" if off else "active", "power_state": server.power_state}

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """It stays in any case; what is left on the source is a stranger there, and swept."""
        if wanted.migration is not None:
            self._c.moves.landed(tx, wanted.migration.uuid, "error", now)
        return {}


class Revert(Moving):
    """Back to where it came from, as it was."""

    def begin(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
              now: float) -> tuple[model.Server, wants.Wanted]:
        """Both hosts must be there."""
        one = self.resized(tx, server)
        for host in sorted(one.hosts):
            self.up(tx, server, host)
        one = self._c.moves.note(tx, one.uuid, now, status="reverting")
        return server, model.replace(wanted, migration=one)

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """First where it went, then where it came from."""
        if wanted.migration is None:
            return server.host
        return wanted.migration.source if wanted.leg == BACK else wanted.migration.dest

    def event(self, server: model.Server, wanted: wants.Wanted) -> str:
        """What users read of a leg."""
        return EVENTS[BACK] if wanted.leg == BACK else "compute_revert_resize"

    def following(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                  report: tasks.Report, now: float) -> courses.Leg | courses.Failed | None:
        """Removed there, taken back here."""
        if wanted.leg == BACK:
            return None
        back = model.replace(wanted, leg=BACK, options={})
        return courses.Leg(back, {**self._c.moves.at(tx, wanted.migration.source),
                                  "flavor": wanted.migration.old_flavor})

    def instead(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                report: tasks.Report, now: float) -> courses.Leg | None:
        """Neither leg has another way."""
        return self.again(wanted)

    def done(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
             report: tasks.Report, now: float) -> courses.Facts:
        """As it was."""
        one = self._c.moves.returned(tx, wanted.migration.uuid, "reverted", now)
        power = lifecycle.SHUTDOWN if one.rest == "stopped" else lifecycle.RUNNING
        return {**super().done(tx, server, wanted, report, now), "rest": one.rest,
                "power_state": power}

    def failed(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
               now: float) -> courses.Facts:
        """Until it is known to be removed there, nobody knows."""
        if wanted.migration is not None and wanted.leg == BACK:
            self._c.moves.returned(tx, wanted.migration.uuid, "error", now)
        elif wanted.migration is not None:
            self._c.moves.pending(tx, wanted.migration.uuid, now)
        return {}


class Delete(courses.Course):
    """Where it is, then on the other host of a move that is not over.  What a host that is down
    keeps is swept when it comes back."""

    def host(self, server: model.Server, wanted: wants.Wanted) -> str | None:
        """Where it is; then the other one."""
        return wanted.host if wanted.leg == "other" else server.host

    def following(self, tx, server: model.Server, wanted: wants.Wanted,  # noqa: ANN001
                  report: tasks.Report, now: float) -> courses.Leg | courses.Failed | None:
        """The other host of the move, if there is one."""
        one = self._store.migrations.open_of(tx, server.uuid)
        other = migration.other(one, server.host) if one is not None else None
        if wanted.leg == "other" or other is None or not self._c.hosts.is_up(tx, other):
            return None
        return courses.Leg(model.replace(wanted, leg="other", host=other), {})


OWN = {"resize": Resize, "migrate": Resize, "confirm_resize": Confirm, "revert_resize": Revert,
       "delete": Delete}
