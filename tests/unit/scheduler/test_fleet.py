# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The index finds what a plain look at every host finds; what is in flight; counted slots."""

import random

import msgspec
import testtools

from nova_cells.domain import errors
from nova_cells.scheduler import choose, fleet, pack

CLASSES = {"VCPU": (8, 16), "MEMORY_MB": (4096, 8192), "DISK_GB": (100, 0)}


def some_place(rng: random.Random, key: str) -> choose.Place:
    """A host as there may be one: few kinds, so that many are alike."""
    kind = rng.randrange(2)
    capacity = {name: sizes[kind] for name, sizes in CLASSES.items()}
    return choose.Place(
        key=key, up=rng.random() < 0.9, enabled=rng.random() < 0.9,
        zones=frozenset({rng.choice(("nova", "other"))}),
        traits=frozenset(trait for trait in "TU" if rng.random() < 0.5),
        free={name: total * rng.randrange(5) // 4 for name, total in capacity.items()},
        capacity=capacity, largest={"VCPU": rng.choice((2, 2**31))},
        generations=((key, rng.randrange(100)),))


def some_request(rng: random.Random, keys: list[str]) -> choose.Request:
    """What may be asked."""
    def names() -> frozenset[str]:
        return frozenset(rng.sample(keys, 3)) if rng.random() < 0.2 else frozenset()
    return choose.Request(
        amounts={name: rng.randrange(1, most // 2) for name, (most, _more) in CLASSES.items()
                 if rng.random() < 0.7},
        required=frozenset("T" if rng.random() < 0.3 else ""),
        forbidden=frozenset("U" if rng.random() < 0.3 else ""),
        zone=rng.choice((None, None, "nova", "nowhere")), tried=names(), avoid=names(),
        only=names(), forced=rng.choice(keys) if rng.random() < 0.1 else None)


def found(look, *args) -> object:  # noqa: ANN001, ANN002
    """What was found, or why not."""
    try:
        return [place.key for place in look(*args)]
    except errors.NoPlace as problem:
        return problem.facts["filter"]


class Same(testtools.TestCase):
    """Whatever happened to the hosts before."""

    def plain(self, request, places):
        return choose.choose(request, places, choose.HOST_FILTERS, choose.spread)

    def world(self, rng):
        """A fleet after many changes, and what it should know."""
        tested, known = fleet.Fleet(), {}
        keys = [f"h{number}" for number in range(rng.choice((3, 12, 40)))]
        for _change in range(len(keys) * 3):
            key = rng.choice(keys)
            if key in known and rng.random() < 0.2:
                tested.drop(key)
                del known[key]
            else:
                known[key] = some_place(rng, key)
                tested.put(known[key])
        return tested, known, keys

    def test_as_if_every_host_was_looked_at(self):
        several = refused = 0
        for seed in range(150):
            rng = random.Random(seed)
            tested, known, keys = self.world(rng)
            for _ask in range(10):
                request = some_request(rng, keys)
                expected = found(self.plain, request, list(known.values()))
                self.assertEqual(expected, found(tested.best, request), (seed, request))
                several += isinstance(expected, list) and len(expected) > 1
                refused += isinstance(expected, str)
        self.assertGreater(min(several, refused), 200)       # both were really tried

    def test_slots_are_counted_host_by_host(self):
        for seed in range(60):
            rng = random.Random(seed)
            shapes = {f"s{number}": some_request(rng, ["x", "y", "z"]) for number in range(3)}
            tested, known, keys = self.world(rng)
            tested.shapes(shapes)
            for _change in range(10):
                key = rng.choice(keys)
                known[key] = some_place(rng, key)
                tested.put(known[key])
            places = [place for place in known.values() if place.up and place.enabled]
            for shape, request in shapes.items():
                total = sum(pack.joint_slots(request.amounts, place.free) for place in places
                            if choose.trait_filter(place, request)
                            and choose.resource_filter(place, request))
                self.assertEqual(total, sum(zone.get(shape, 0) for zone in
                                            tested.slots().values()), (seed, shape))
                self.assertEqual(total, sum(tested.slots_of(request).values()))
            self.assertEqual(len(places), tested.usable)
            mean = [pack.fullness(place.free, place.capacity) for place in places]
            self.assertAlmostEqual(sum(mean) / len(mean) if mean else 1.0, tested.fullness(), 5)

    def test_nothing_is_left_of_hosts_that_went(self):
        tested, known, _keys = self.world(random.Random(1))
        for key in known:
            tested.drop(key)
        self.assertEqual((0, {}, {}), (len(tested), tested._makes, tested._names))
        self.assertRaises(errors.NoPlace, tested.best, choose.Request(amounts={"VCPU": 1}))


class Flights(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.tested = fleet.Fleet()
        for key in "abc":
            self.tested.put(choose.Place(key=key, free={"VCPU": 2}, capacity={"VCPU": 2}))
        self.one = choose.Request(amounts={"VCPU": 1})

    def first(self, request=None):
        return self.tested.best(request or self.one)[0].key

    def test_what_is_in_flight_is_not_proposed_to_the_next(self):
        self.tested.debit("s1", "a", {"VCPU": 1}, 100.0)
        self.assertEqual("b", self.first())
        self.tested.debit("s2", "b", {"VCPU": 1}, 100.0)
        self.assertEqual("c", self.first())
        self.tested.credit("s1")
        self.assertEqual("a", self.first())

    def test_who_asks_again_flies_once(self):
        self.tested.debit("s1", "a", {"VCPU": 1}, 100.0)
        self.tested.debit("s1", "b", {"VCPU": 1}, 100.0)
        self.assertEqual("a", self.first())

    def test_a_proposal_that_nobody_claims_is_free_again(self):
        self.tested.debit("s1", "a", {"VCPU": 1}, 100.0)
        self.tested.expire(100.0 + fleet.FLIGHT - 1)
        self.assertEqual("b", self.first())
        self.tested.expire(100.0 + fleet.FLIGHT)
        self.assertEqual("a", self.first())

    def test_a_clock_that_was_put_back_keeps_nothing_in_flight(self):
        self.tested.debit("s1", "a", {"VCPU": 1}, 100.0)
        self.tested.expire(50.0)
        self.assertEqual("a", self.first())

    def test_what_is_in_flight_is_proposed_if_there_is_nothing_else(self):
        two = choose.Request(amounts={"VCPU": 2})
        for who, key in (("s1", "a"), ("s2", "b"), ("s3", "c")):
            self.tested.debit(who, key, {"VCPU": 2}, 100.0)
        self.assertEqual("a", self.first(two))

    def test_a_host_read_again_meanwhile_stays_debited(self):
        self.tested.debit("s1", "a", {"VCPU": 1}, 100.0)
        self.tested.put(msgspec.structs.replace(self.tested.get("a"), generations=(("p", 2),)))
        self.assertEqual("b", self.first())

    def test_choosers_that_must_not_agree_break_ties_their_own_way(self):
        other = fleet.Fleet(rank=lambda key: "cab"[ord(key) - ord("a")])
        for key in "abc":
            other.put(self.tested.get(key))
        self.assertEqual(["b", "c", "a"], [place.key for place in other.best(self.one)])
