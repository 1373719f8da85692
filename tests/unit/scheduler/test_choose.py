# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Choosing: each filter alone, the order, and why nothing was left."""

import testtools

from nova_cells.domain import errors
from nova_cells.scheduler import choose

Place, Request = choose.Place, choose.Request
ROOM = {"VCPU": 4, "MEMORY_MB": 1024}
NEED = Request(amounts={"VCPU": 1, "MEMORY_MB": 256})


def host(key: str, **fields: object) -> Place:
    return Place(**{"key": key, "free": ROOM, "capacity": ROOM, **fields})


class Hosts(testtools.TestCase):
    def names(self, request, *places, count=3):
        chosen = choose.choose(request, places, choose.HOST_FILTERS, choose.spread, count)
        return [place.key for place in chosen]

    def refused(self, request, *places):
        return self.assertRaises(errors.NoPlace, self.names, request, *places)

    def test_every_filter_refuses_in_words(self):
        for request, place, name, word in (
                (NEED, host("a", up=False), "ComputeFilter", "up and enabled"),
                (NEED, host("a", enabled=False), "ComputeFilter", "up and enabled"),
                (Request(amounts={"VCPU": 1}, zone="z"), host("a"), "AvailabilityZoneFilter",
                 "availability zone"),
                (Request(amounts={"VCPU": 1}, tried=frozenset("a")), host("a"), "RetryFilter",
                 "tried"),
                (Request(amounts={"VCPU": 1}, avoid=frozenset("a")), host("a"), "HostFilter",
                 "hosts that the request allows"),
                (Request(amounts={"VCPU": 1}, forced="b"), host("a"), "HostFilter", "allows"),
                (Request(amounts={"VCPU": 1}, required=frozenset("T")), host("a"), "TraitFilter",
                 "traits"),
                (Request(amounts={"VCPU": 1}, forbidden=frozenset("T")),
                 host("a", traits=frozenset("T")), "TraitFilter", "traits"),
                (Request(amounts={"VCPU": 5}), host("a"), "ResourceFilter", "free vCPU"),
                (Request(amounts={"GPU": 1}), host("a"), "ResourceFilter", "free vCPU"),
                (Request(amounts={"VCPU": 2}), host("a", largest={"VCPU": 1}), "ResourceFilter",
                 "free vCPU")):
            problem = self.refused(request, place)
            self.assertEqual(name, problem.facts["filter"])
            self.assertIn(word, problem.message)
            self.assertIn("No valid host was found", problem.message)

    def test_nowhere_at_all(self):
        self.assertIn("there is none", self.refused(NEED).message)

    def test_emptiest_first_by_the_scarcest_class_and_names_break_ties(self):
        busy = host("a", free={"VCPU": 4, "MEMORY_MB": 300})
        self.assertEqual(["b", "c", "a"], self.names(NEED, host("c"), busy, host("b")))
        self.assertEqual(["b"], self.names(NEED, host("c"), busy, host("b"), count=1))

    def test_amounts_must_fit_together_on_one_host(self):
        halves = (host("a", free={"VCPU": 4, "MEMORY_MB": 0}),
                  host("b", free={"VCPU": 0, "MEMORY_MB": 1024}))
        self.refused(NEED, *halves)


class Cells(testtools.TestCase):
    def names(self, request, *places):
        return [place.key for place in choose.choose(request, places, choose.CELL_FILTERS,
                                                     choose.more_slots)]

    def test_most_slots_first_and_uncounted_last(self):
        self.assertEqual(["b", "a", "c"], self.names(
            NEED, Place(key="a", slots=1), Place(key="c"), Place(key="b", slots=7)))

    def test_full_cells_are_left_out(self):
        self.assertRaises(errors.NoPlace, self.names, NEED, Place(key="a", slots=0))

    def test_forced_host_is_looked_for_by_name(self):
        forced = Request(amounts={}, forced="h7")
        self.assertEqual(["b"], self.names(forced, Place(key="a", slots=1, hosts=frozenset("x")),
                                           Place(key="b", slots=1, hosts=frozenset({"h7"}))))
