# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A sender's time is one, over everything that sending is made of."""

import threading
from unittest import mock

import testtools

from nova_cells.rpc import deadline, holding


class Deadline(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 100.0
        patched = mock.patch.object(deadline.time, "monotonic", lambda: self.now)
        patched.start()
        self.addCleanup(patched.stop)

    def test_without_one(self):
        self.assertIsNone(deadline.left())
        self.assertEqual(7.0, deadline.at_most(7.0))
        self.assertFalse(deadline.over(1e9))

    def test_waits_share_it(self):
        with deadline.within(3.0):
            self.assertEqual(2.0, deadline.at_most(2.0))
            self.now += 2.0
            self.assertEqual(1.0, deadline.at_most(2.0))
            self.assertFalse(deadline.over())
            self.assertTrue(deadline.over(pause=1.0))
            self.now += 5.0
            self.assertEqual((0.0, deadline.LEAST), (deadline.left(), deadline.at_most(2.0)))
            self.assertTrue(deadline.over())
        self.assertIsNone(deadline.left())

    def test_an_inner_one_is_never_longer(self):
        with deadline.within(3.0):
            with deadline.within(60.0):
                self.assertEqual(3.0, deadline.left())
            with deadline.within(1.0):
                self.assertEqual(1.0, deadline.left())
            self.assertEqual(3.0, deadline.left())

    def test_it_is_one_threads_own(self):
        seen = []
        with deadline.within(3.0):
            other = threading.Thread(target=lambda: seen.append(deadline.left()))
            other.start()
            other.join()
        self.assertEqual([None], seen)


class Closing(testtools.TestCase):
    def test_a_silent_one_keeps_nobody(self):
        heard, ended = threading.Event(), []
        silent = mock.Mock(cleanup=heard.wait)
        well = mock.Mock(cleanup=lambda: ended.append("well"))
        holding.close_all([silent, well], 0.5)
        self.assertFalse(heard.is_set())
        self.assertEqual(["well"], ended)
        heard.set()
