# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A user's word about a live migration under way: abort it, or have it end soon.

The word is saved with what the verb wants, and the task is sent again with it: so it is no more
lost than the task itself.  Before anything is copied there is nothing to ask the source for: the
verb goes back at once.
"""

from nova_cells.conductor import courses
from nova_cells.domain import codec, commands, effects, errors, lifecycle, migration
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants

ACTIONS = {"abort": "live_migration_cancel", "force_complete": "live_migration_force_complete"}
EVENTS = {"abort": "compute_live_migration_abort",
          "force_complete": "compute_live_migration_force_complete"}
STATES = {"abort": "abort live migration", "force_complete": "force_complete"}
METHODS = {"abort": "abort live migration", "force_complete": "force complete"}


class Steering:
    """Carries the word out, in the transaction of its command."""

    def __init__(self, conductor) -> None:  # noqa: ANN001
        self._c = conductor
        self._store = conductor.store

    def steer(self, tx, message: commands.SteerMigration, server: model.Server,  # noqa: ANN001
              now: float) -> tuple[model.Server, list[effects.Effect]]:
        """Save it and say it.  Raises what the user shall hear."""
        force = message.word == migration.FORCE
        if server.verb != "live_migrate" or (force and server.rest != "active"):
            shown = (f"task_state {lifecycle.task_state(server)}"
                     if server.verb != "live_migrate" else f"vm_state {lifecycle.vm_state(server)}")
            raise errors.Conflict(f"Cannot '{STATES[message.word]}' instance {server.uuid} while "
                                  f"it is in {shown}")
        one = self._store.migrations.get(tx, message.migration)
        wanted = self._store.servers.wanted(tx, server.uuid)
        if one is None or wanted.migration is None or wanted.migration.uuid != one.uuid:
            missing = errors.Invalid if force else errors.NotFound
            raise missing(f"Migration {message.shown} not found for instance {server.uuid}")
        self._check(message, one)
        steered = model.replace(wanted, options=wanted.options | {"steer": message.word})
        if one.status in ("queued", "preparing"):
            leg = courses.Leg(model.replace(steered, leg="back"), {})
            sent = self._c.reports.leg(tx, server, leg, now)
            return self._store.servers.get(tx, server.uuid).server, sent
        return self._again(tx, server, steered, now)

    def _check(self, message: commands.SteerMigration, one: migration.Migration) -> None:
        may = ["running"]
        if message.word == "abort" and message.early:
            may += ["queued", "preparing"]
        if one.status not in may:
            raise errors.Invalid(
                f"Migration {message.shown} state of instance {message.server} is {one.status}. "
                f"Cannot {METHODS[message.word]} while the migration is in this state.")

    def _again(self, tx, server: model.Server, steered: wants.Wanted,  # noqa: ANN001
               now: float) -> tuple[model.Server, list[effects.Effect]]:
        changed = lifecycle.change(server, now)
        self._store.servers.save(tx, changed, now, wanted=codec.pack(steered))
        return changed, [self._c.placing.task(tx, changed)]
