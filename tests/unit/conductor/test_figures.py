# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A cell in numbers, and the id of a request on its way through the conductor."""

from nova_cells.domain import commands, effects, lifecycle, records
from nova_cells.metrics import instruments
from tests.unit.conductor import base
from tests.unit.conductor.base import NOW


class Figures(base.CellTest):
    def read(self, now=NOW):
        """(figure, labels) -> value."""
        return {(figure, labels): value for figure, labels, value in self.conductor.figures(now)}

    def test_outbox(self):
        uuid = self.ids.uuid()
        self.offer(uuid, now=NOW + 5)
        told = self.read(NOW + 30)
        self.assertEqual(len(self.marks()), told[instruments.OUTBOX, ("cell1",)])
        self.assertEqual(30.0, told[instruments.OUTBOX_AGE, ("cell1",)])       # the host's own
        with self.store.write() as tx:
            self.store.outbox.clear_all(tx, self.store.outbox.marks(tx, 1000))
        told = self.read(NOW + 30)
        self.assertEqual((0, 0.0), (told[instruments.OUTBOX, ("cell1",)],
                                    told[instruments.OUTBOX_AGE, ("cell1",)]))

    def test_late_operations(self):
        uuid = self.active()
        self.command(commands.Act, uuid, verb="stop")
        self.assertEqual(1, self.read()[instruments.OPERATIONS, ("cell1", "stop")])
        self.assertEqual(0, self.read()[instruments.LATE, ("cell1",)])
        limit = lifecycle.VERBS["stop"].limit + 2 * self.conductor.settings.ask_again
        self.assertEqual(0, self.read(NOW + limit)[instruments.LATE, ("cell1",)])
        self.assertEqual(1, self.read(NOW + limit + 1)[instruments.LATE, ("cell1",)])

    def test_an_offer_that_is_not_confirmed_is_no_operation(self):
        self.offer(self.ids.uuid())
        self.assertNotIn((instruments.OPERATIONS, ("cell1", "boot")), self.read())

    def test_hosts(self):
        told = self.read()
        self.assertEqual((1, 0), (told[instruments.HOSTS, ("cell1", "up")],
                                  told[instruments.HOSTS, ("cell1", "down")]))

    def test_each_has_the_labels_of_its_figure(self):
        self.active()
        for figure, labels in self.read():
            self.assertEqual(len(figure.labels), len(labels), figure.name)


class RequestIds(base.CellTest):
    origin = commands.Origin(request_id="req-1")

    def test_a_task_says_who_wanted_it(self):
        uuid = self.active()
        done = self.command(commands.Act, uuid, verb="stop", origin=self.origin)
        self.assertEqual(["req-1"], [task.request_id for task in base.tasks_in(done)])

    def test_and_does_so_when_it_is_sent_again(self):
        uuid = self.active()
        self.command(commands.Act, uuid, verb="stop", origin=self.origin)
        self.hello("h1", now=NOW + 60)
        with self.assertLogs("nova_cells.conductor.watchdog", "INFO"):
            done = self.conductor.handle(effects.Tick(job="watchdog"), NOW + 61)
        self.assertEqual(["req-1"], [task.request_id for task in base.tasks_in(done)])

    def test_a_refusal_says_whom_it_refuses(self):
        full = commands.Boot(
            op="op", server=self.ids.uuid(), epoch=1, record=base.server(
                self.ids.uuid(), pinned_availability_zone="nowhere"),
            request=base.boot.BootRequest(), origin=self.origin)
        refused = [effect.message for effect in self.conductor.handle(full, NOW)
                   if isinstance(effect, effects.Cast)
                   and isinstance(effect.message, records.Refusal)]
        self.assertEqual(["req-1"], [message.request_id for message in refused])
