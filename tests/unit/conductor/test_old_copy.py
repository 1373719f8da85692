# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A database copied between an offer's acceptance and its confirmation, and put back later.

Found by seed 232 of the simulation: the guest that runs was swept as a stranger, and a report about
it led to a task without a verb.
"""

from nova_cells.domain import tasks
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
