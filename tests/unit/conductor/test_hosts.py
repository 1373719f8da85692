# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts appear, fall silent and come back."""

from nova_cells.domain import effects
from tests.unit.conductor import base

TICK = effects.Tick(job="hosts")


class Hosts(base.CellTest):
    def up(self):
        with self.store.read() as tx:
            return self.store.hosts.get(tx, "h1").up

    def test_silent_host_is_down_and_comes_back_by_its_next_word(self):
        self.conductor.handle(TICK, base.NOW)
        self.conductor.handle(TICK, base.NOW + 59)
        self.assertTrue(self.up())
        self.conductor.handle(TICK, base.NOW + 61)
        self.assertFalse(self.up())
        self.hello("h1", base.NOW + 62)
        self.assertTrue(self.up())

    def test_host_that_speaks_to_another_conductor_is_up(self):
        """Of several conductors each hears a part; what one hears, all of them know."""
        other = self.another()
        for second in range(0, 300, 10):
            self.hello("h1", base.NOW + second, conductor=other)
            self.conductor.handle(TICK, base.NOW + second + 1)
            self.assertTrue(self.up())

    def test_clocks_of_conductors_may_differ_by_any_amount(self):
        other = self.another()
        for second in range(0, 300, 10):
            self.hello("h1", base.NOW + second + 600, conductor=other)
            self.conductor.handle(TICK, base.NOW + second + 1)
            self.assertTrue(self.up())

    def test_conductor_that_starts_accuses_nobody(self):
        late = self.another()
        late.start(base.NOW + 1000)
        late.handle(TICK, base.NOW + 1000)
        late.handle(TICK, base.NOW + 1030)
        self.assertTrue(self.up())
        late.handle(TICK, base.NOW + 1061)
        self.assertFalse(self.up())

    def test_two_conductors_find_it_silent_once(self):
        other = self.another()
        for conductor in (self.conductor, other):
            conductor.handle(TICK, base.NOW)
        self.assertEqual([effects.Wake("relay")], self.conductor.handle(TICK, base.NOW + 100))
        self.assertEqual([], other.handle(TICK, base.NOW + 100))

    def test_hosts_are_known_by_their_first_word(self):
        self.hello("h2")
        self.assertEqual(["h1", "h2"], self.names())

    def names(self):
        with self.store.read() as tx:
            return [host.name for host in self.store.hosts.all(tx)]
