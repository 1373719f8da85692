# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The deployment in numbers, as the view knows it; and what becomes of records."""

from nova_cells.domain import commands, records
from nova_cells.metrics import instruments
from tests.unit.collector import base
from tests.unit.collector.base import NOW


class Figures(base.TopTest):
    def read(self, now=NOW):
        """(figure, labels) -> value."""
        return {(figure, labels): value for figure, labels, value in self.collector.figures(now)}

    def test_offers_and_their_age(self):
        told = self.read()
        self.assertEqual((0, 0.0), (told[instruments.OFFERS, ("a",)],
                                    told[instruments.OFFERS_AGE, ("a",)]))
        self.boot(2)
        told = self.read(NOW + 12)
        self.assertEqual(2, sum(told[instruments.OFFERS, (cell,)] for cell in "ab"))
        self.assertEqual(12.0, max(told[instruments.OFFERS_AGE, (cell,)] for cell in "ab"))

    def test_intents(self):
        with self.view.write() as tx:
            self.view.intents.keep(tx, self.ids.uuid(), self.b, 1, "op", commands.Origin(), NOW)
        told = self.read()
        self.assertEqual((0, 1), (told[instruments.INTENTS, ("a",)],
                                  told[instruments.INTENTS, ("b",)]))

    def test_reservations(self):
        self.assertEqual(0, self.read()[instruments.RESERVATIONS, ()])
        with self.view.write() as tx:
            self.view.quota.hold(tx, "op", self.ids.uuid(), "p", "u", 1, 1, 1, NOW)
        self.assertEqual(1, self.read()[instruments.RESERVATIONS, ()])

    def test_cells_and_slots(self):
        with self.view.write() as tx:
            self.view.cells.heard(tx, self.a, NOW)
            self.view.cells.heard(tx, self.b, NOW)
            self.view.cells.update(tx, self.b, NOW, halted="restored")
        told = self.read()
        self.assertEqual((1.0, 0.0), (told[instruments.CELLS_UP, ("a",)],
                                      told[instruments.CELLS_UP, ("b",)]))
        self.assertEqual(9, told[instruments.SLOTS, ("a", base.SHAPE)])

    def test_each_has_the_labels_of_its_figure(self):
        for figure, labels in self.read():
            self.assertEqual(len(figure.labels), len(labels), figure.name)

    def test_what_becomes_of_records(self):
        def count(outcome):
            return instruments.APPLIED._child(("a", "server", outcome))._value.get()

        server, = self.boot()
        before = {outcome: count(outcome) for outcome in ("applied", "stale", "refused")}
        self.assertEqual("confirmed", self.accepted(server, self.a, version=5))
        self.accepted(server, self.a, version=2)
        stranger = base.model.replace(server, uuid=self.ids.uuid(), cell=self.a, version=1)
        self.upload(self.a, records.Record(kind="server", uuid=stranger.uuid, epoch=1, version=1,
                                           server=stranger))
        self.assertEqual({"applied": 1, "stale": 1, "refused": 1},
                         {outcome: count(outcome) - was for outcome, was in before.items()})
