# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Whether anybody still listens to a cell, by one's own clock alone."""

import types

import testtools

from nova_cells.api import pulse


class Pulse(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 1000.0
        self.pulse = pulse.Pulse(lambda: self.now)

    def alive(self, heard_at, up=True):
        return self.pulse.alive(types.SimpleNamespace(uuid="c", up=up, heard_at=heard_at))

    def test_down_is_down(self):
        self.assertFalse(self.alive(5.0, up=False))

    def test_a_time_that_moves_lives_whatever_it_says(self):
        for heard_at in (5e9, -600.0, 7.0):
            self.now += 50
            self.assertTrue(self.alive(heard_at))

    def test_a_time_that_stands_still_is_nobody_listening(self):
        self.assertTrue(self.alive(5.0))
        self.now += 40
        self.assertTrue(self.alive(5.0))
        self.now += 40
        self.assertFalse(self.alive(5.0))
        self.assertTrue(self.alive(6.0))

    def test_who_did_not_look_accuses_nobody(self):
        self.assertTrue(self.alive(5.0))
        self.now += 4000
        self.assertTrue(self.alive(5.0))
