# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An operator's order about a host on its way: to the host's cell, until that has answered."""

from nova_cells.domain import address, commands, effects, records
from tests.unit.collector import base

HOST = {"host": "h1", "uuid": "u1"}


class HostOrders(base.TopTest):
    def add(self, kind="set host", **body):
        with self.view.write() as tx:
            self.view.orders.add(tx, "o1", kind, self.a, {**HOST, **body}, base.NOW)

    def tick(self, seconds=0.0):
        return self.collector.handle(effects.Tick(job="orders"), base.NOW + seconds)

    def settled(self, sender=None, **fields):
        self.collector.handle(records.HostSettled(order="o1", **fields), base.NOW,
                              sender or self.a)
        with self.view.read() as tx:
            return self.view.orders.get(tx, "o1")

    def record(self, **facts):
        host = records.HostRecord(uuid="u1", name="h1", version=3, **facts)
        return records.Record(kind="host", uuid="u1", epoch=0, version=3, host=host)

    def hosts(self):
        with self.view.read() as tx:
            return [host for _id, _cell, host in self.view.records.hosts(tx)]

    def test_it_goes_to_the_cell_until_that_answers(self):
        self.add(disabled=True, reason="dust")
        wanted = [effects.Cast(address.Cell(self.a), commands.SetHost(
            **HOST, order="o1", disabled=True, reason="dust"))]
        self.assertEqual(wanted, self.tick())
        self.assertEqual([], self.tick(1))
        self.assertEqual(wanted, self.tick(10))
        self.assertEqual("done", self.settled(record=self.record(disabled=True)).state)
        self.assertEqual([True], [host.disabled for host in self.hosts()])
        self.assertEqual([], self.tick(20))

    def test_forgotten(self):
        self.add("forget host")
        self.assertEqual([effects.Cast(address.Cell(self.a), commands.ForgetHost(
            **HOST, order="o1"))], self.tick())
        self.settled(record=self.record(deleted=True))
        self.assertEqual([], self.hosts())

    def test_what_cannot_be_done_says_why(self):
        self.add("forget host")
        self.tick()
        order = self.settled(problem="the host h1 is up")
        self.assertEqual(("failed", {"error": "the host h1 is up"}), (order.state, order.result))

    def test_only_its_own_cell_answers_and_what_was_taken_back_stays_so(self):
        self.add(disabled=True)
        self.tick()
        self.assertEqual("running", self.settled(self.b, record=self.record()).state)
        self.assertEqual([], self.hosts())
        with self.view.write() as tx:
            self.view.orders.update(tx, "o1", "running", base.NOW, state="failed")
        self.assertEqual("failed", self.settled(record=self.record()).state)
