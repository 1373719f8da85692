# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Locks and the steps of actions, as a cell keeps them."""

from nova_cells.domain import commands
from tests.unit.conductor import base


class Locks(base.CellTest):
    def actions(self):
        """Every action of the cell by its name."""
        with self.store.read() as tx:
            uuids = [mark[1] for mark in self.store.outbox.marks(tx, 1000) if mark[0] == "action"]
            found = self.store.actions.some(tx, uuids).values()
        return {action.action: action for action in found}

    def lock(self, uuid, project="p", locked=True, reason=None):
        self.command(commands.Lock, uuid, locked=locked, reason=reason,
                     origin=commands.Origin(project_id=project, admin=True))
        return self.held(uuid).server

    def test_owner_does_not_change_a_lock_that_is_there(self):
        uuid = self.active()
        first = self.lock(uuid, reason="mine")
        self.assertEqual(("owner", "mine"), (first.locked_by, first.locked_reason))
        self.assertEqual(first, self.lock(uuid, reason="other"))
        admins = self.lock(uuid, project="q")
        self.assertEqual(("admin", "mine"), (admins.locked_by, admins.locked_reason))
        self.assertFalse(self.lock(uuid, locked=False).locked)

    def test_an_action_has_the_step_that_the_api_names(self):
        uuid = self.active()
        self.lock(uuid)
        event, = self.actions()["lock"].events
        self.assertEqual(("api_lock", "Success"), (event.name, event.result))
        task, = base.tasks_in(self.command(commands.Act, uuid, verb="stop"))
        self.report(uuid, task.ticket)
        event, = self.actions()["stop"].events
        self.assertEqual(("compute_stop_instance", "h1"), (event.name, event.host))
