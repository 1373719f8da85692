# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Questions about a server: passed on to its host, or answered by the cell."""

from nova_cells.domain import address, commands, effects, errors, tasks
from tests.unit.conductor import base


class Questions(base.CellTest):
    def test_each_is_passed_on_to_the_servers_host_and_changes_nothing(self):
        uuid = self.active()
        before = self.held(uuid)
        asked = {commands.ReadConsole: tasks.ConsoleQuery,
                 commands.ReadDiagnostics: tasks.DiagnosticsQuery,
                 commands.FindConsole: tasks.AccessQuery}
        self.assertEqual(set(commands.Question.__subclasses__()) - {commands.ReadErrand},
                         {*asked, commands.ReadPassword})
        for command, query in asked.items():
            done, = self.command(command, uuid)
            self.assertIsInstance(done, effects.Forward)
            self.assertEqual(address.Host(self.identity.uuid, "h1"), done.to)
            self.assertIsInstance(done.message, query)
        self.assertEqual(before, self.held(uuid))

    def test_not_before_it_was_built(self):
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.acks(uuid, "confirmed")
        self.assertRaises(errors.Conflict, self.command, commands.FindConsole, uuid)

    def test_password_stays_in_the_cell(self):
        uuid = self.active()
        self.assertEqual([commands.Text(text="")],
                         base.replies_in(self.command(commands.ReadPassword, uuid)))
        with self.store.write() as tx:
            self.store.servers.post_password(tx, uuid, "c2VhbGVk")
            self.assertRaises(errors.Conflict, self.store.servers.post_password, tx, uuid, "x")
            self.assertRaises(errors.Invalid, self.store.servers.post_password, tx, uuid,
                              "x" * 1021)
        self.assertEqual([commands.Text(text="c2VhbGVk")],
                         base.replies_in(self.command(commands.ReadPassword, uuid)))
        self.assertNotIn("c2VhbGVk", repr(self.held(uuid)))
        version = self.held(uuid).version
        self.command(commands.ClearPassword, uuid)
        self.assertEqual([commands.Text(text="")],
                         base.replies_in(self.command(commands.ReadPassword, uuid)))
        self.assertEqual(version, self.held(uuid).version)
