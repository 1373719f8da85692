# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A database copied between an offer's acceptance and its confirmation, and put back later.

Found by seed 232 of the simulation: the guest that runs was swept as a stranger, and a report about
it led to a task without a verb.
"""

from nova_cells.domain import records, tasks
from tests.unit.conductor import base


class NeverConfirmedHere(base.CellTest):
    def setUp(self):
        super().setUp()
        self.uuid = self.ids.uuid()
        self.offer(self.uuid)

    def test_its_guest_is_left_alone(self):
        done = self.conductor.handle(tasks.GuestsSeen(host="h1", guests=(
            tasks.GuestSeen(uuid=self.uuid, power=1, epoch=1, ticket=1),)), base.NOW)
        self.assertEqual([], done)

    def test_a_report_shows_that_it_was_confirmed(self):
        self.report(self.uuid, ticket=1)
        held = self.held(self.uuid)
        self.assertEqual((True, "active", None),
                         (held.confirmed, held.server.rest, held.server.verb))
        self.assertEqual([], [effect for effect in self.acks(self.uuid, "confirmed")
                              if isinstance(getattr(effect, "message", None), tasks.Task)])


class TakenTwice(base.CellTest):
    """A boot that is delivered again, late, to a copy from before it: the view has the very version
    that the copy makes, on another host.  Found by seed 4455 of the simulation."""

    def setUp(self):
        super().setUp()
        self.uuid = self.ids.uuid()
        self.offer(self.uuid)

    def answer(self, host):
        ack = records.Ack(kind="server", uuid=self.uuid, epoch=1, version=1, answer="confirmed",
                          held=1, host=host)
        done = self.conductor.handle(records.Acks(batch=0, acks=(ack,)), base.NOW)
        with self.store.read() as tx:
            halted = self.store.facts.get(tx).halted
        begun = [one for one in done if isinstance(getattr(one, "message", None), tasks.Task)]
        return begun, halted

    def test_the_guest_is_not_made_a_second_time(self):
        begun, halted = self.answer("h9")
        self.assertEqual([], begun)
        self.assertIn("restored from an old copy", halted)
        self.assertIn("h9", halted)
        self.assertFalse(self.held(self.uuid).confirmed)

    def test_an_answer_to_what_we_have_begins_it(self):
        begun, halted = self.answer("h1")
        self.assertEqual((1, None), (len(begun), halted))

    def test_an_answer_of_an_older_release_says_no_host(self):
        begun, halted = self.answer(None)
        self.assertEqual((1, None), (len(begun), halted))
