# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The operator's word about a server's rest, and what it may not bring about."""

from nova_cells.domain import commands, errors
from tests.unit.conductor import base


class ResetState(base.CellTest):
    def booting(self):
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.acks(uuid, "confirmed")
        return uuid

    def secrets(self, uuid):
        with self.store.read() as tx:
            return self.store.servers.secrets(tx, uuid)

    def test_it_ends_the_boot_and_the_boots_secrets_go_with_it(self):
        uuid = self.booting()
        self.assertEqual("sealed", self.secrets(uuid).once)
        self.command(commands.ResetState, uuid, rest="active")
        self.assertIsNone(self.secrets(uuid).once)

    def test_the_report_of_the_verb_that_it_ended_changes_nothing(self):
        uuid = self.booting()
        self.command(commands.ResetState, uuid, rest="error")
        before = self.held(uuid)
        self.report(uuid, ticket=1)
        self.assertEqual(before, self.held(uuid))

    def test_server_without_a_host_cannot_be_active(self):
        uuid = self.booting()
        self.report(uuid, ticket=1, result="failed", error="no")
        server = self.held(uuid).server
        self.assertEqual((None, "error"), (server.host, server.rest))
        self.assertRaises(errors.Conflict, self.command, commands.ResetState, uuid, rest="active")
        self.command(commands.ResetState, uuid, rest="error")

    def test_delete_that_interrupts_a_boot_and_fails_keeps_no_secrets_either(self):
        uuid = self.booting()
        task, = base.tasks_in(self.command(commands.Delete, uuid))
        self.report(uuid, task.ticket, result="failed", error="no")
        self.assertEqual("error", self.held(uuid).server.rest)
        with self.store.read() as tx:
            self.assertIsNone(self.store.servers.secrets(tx, uuid).once)
