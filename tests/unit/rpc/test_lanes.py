# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One silent cell's messages wait for it alone."""

import threading

import testtools

from nova_cells.domain import address, errors
from nova_cells.rpc import lanes

C1, C2 = address.Cell("c1"), address.Cell("c2")


class Client:
    """Writes down what is sent; ``c1`` is silent until told otherwise."""

    def __init__(self):
        self.sent, self.arrived = [], threading.Condition()
        self.speaks = threading.Event()
        self.call = self.state = None

    def cast(self, to, message):
        if to == C1:
            self.speaks.wait(60.0)
        if message == "refused":
            raise errors.CellDown("nobody listens")
        if message == "broken":
            raise ValueError(message)
        with self.arrived:
            self.sent.append((to, message))
            self.arrived.notify_all()

    def has(self, *wanted):
        with self.arrived:
            return self.arrived.wait_for(lambda: self.sent == list(wanted), 60.0)


class Lanes(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.client = Client()
        self.addCleanup(self.client.speaks.set)
        self.lanes = lanes.Lanes(self.client, most=3)

    def test_a_silent_cell_keeps_nobody(self):
        self.lanes.cast(C1, "first")
        self.lanes.cast(C1, "second")
        self.lanes.cast(C2, "other")
        self.assertTrue(self.client.has((C2, "other")))
        self.client.speaks.set()
        self.assertTrue(self.client.has((C2, "other"), (C1, "first"), (C1, "second")))

    def test_no_more_than_so_many_wait(self):
        for number in range(3):
            self.lanes.cast(C1, number)
        self.assertRaises(errors.CellDown, self.lanes.cast, C1, 3)
        self.lanes.cast(C2, "other")
        self.assertTrue(self.client.has((C2, "other")))

    def test_what_cannot_be_sent_stops_nothing(self):
        for message in ("refused", "broken", "fine"):
            self.lanes.cast(C2, message)
        self.assertTrue(self.client.has((C2, "fine")))

    def test_close_waits_for_what_can_leave(self):
        self.client.speaks.set()
        for number in range(3):
            self.lanes.cast(C1, number)
        self.lanes.close(60.0)
        self.assertEqual([(C1, 0), (C1, 1), (C1, 2)], self.client.sent)
        self.assertRaises(errors.CellDown, self.lanes.cast, C2, "late")

    def test_close_does_not_wait_for_what_cannot(self):
        self.lanes.cast(C1, "never")
        self.lanes.close(0.1)
        self.assertEqual([], self.client.sent)

    def test_an_idle_lane_is_given_up_and_made_again(self):
        tested = lanes.Lanes(self.client, idle=0.01)
        tested.cast(C2, 1)
        self.assertTrue(self.client.has((C2, 1)))
        for _ in range(6000):
            if not tested._lanes:
                break
            threading.Event().wait(0.01)
        self.assertEqual({}, tested._lanes)
        tested.cast(C2, 2)
        self.assertTrue(self.client.has((C2, 1), (C2, 2)))
