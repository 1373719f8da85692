# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Laws of digests and of joint slots."""

import hypothesis
import testtools
from hypothesis import strategies as st

from nova_cells.domain import records
from nova_cells.scheduler import pack

stamps = st.lists(st.tuples(st.uuids().map(str), st.integers(1, 9), st.integers(1, 2**40)),
                  max_size=12, unique_by=lambda stamp: stamp[0])
amounts = st.dictionaries(st.sampled_from("abc"), st.integers(1, 8), min_size=1)
free = st.fixed_dictionaries({name: st.integers(-3, 64) for name in "abc"})


class Digests(testtools.TestCase):
    @hypothesis.given(stamps, st.randoms())
    def test_order_does_not_matter(self, held, rng):
        mixed = list(held)
        rng.shuffle(mixed)
        self.assertEqual(records.digest(held), records.digest(mixed))
        self.assertEqual(records.digests(held), records.digests(mixed))

    @hypothesis.given(stamps.filter(bool), st.data())
    def test_every_difference_shows_in_its_bucket_alone(self, held, data):
        which = data.draw(st.integers(0, len(held) - 1))
        uuid, epoch, version = held[which]
        other = [*held[:which], (uuid, epoch, version + 1), *held[which + 1:]]
        pairs = zip(records.digests(held), records.digests(other), strict=True)
        differing = [n for n, (one, two) in enumerate(pairs) if one != two]
        self.assertEqual([records.bucket_of(uuid)], differing)
        self.assertNotEqual(records.digest(held), records.digest(other))

    @hypothesis.given(stamps)
    def test_digest_is_the_sum_of_the_buckets(self, held):
        total = 0
        for part in records.digests(held):
            total ^= int(part, 16)
        self.assertEqual(records.digest(held), f"{total:016x}")


class JointSlots(testtools.TestCase):
    @hypothesis.given(amounts, free)
    def test_that_many_fit_and_no_more(self, wanted, room):
        count = pack.joint_slots(wanted, room)
        self.assertGreaterEqual(count, 0)
        if count:
            self.assertTrue(all(room[n] >= count * need for n, need in wanted.items()))
        self.assertTrue(any(room[n] < (count + 1) * need for n, need in wanted.items()))

    @hypothesis.given(amounts, free)
    def test_placing_one_takes_one_slot(self, wanted, room):
        count = pack.joint_slots(wanted, room)
        left = {name: room[name] - wanted.get(name, 0) for name in room}
        if count:
            self.assertEqual(count - 1, pack.joint_slots(wanted, left))

    @hypothesis.given(amounts, st.lists(free, max_size=4))
    def test_hosts_add_up_and_a_server_does_not_straddle_two(self, wanted, rooms):
        self.assertEqual(sum(pack.joint_slots(wanted, room) for room in rooms),
                         pack.slots(wanted, rooms))
        summed = {name: sum(max(0, room[name]) for room in rooms) for name in "abc"}
        self.assertLessEqual(pack.slots(wanted, rooms), pack.joint_slots(wanted, summed))

    @hypothesis.given(amounts)
    def test_an_unknown_class_has_no_room(self, wanted):
        self.assertEqual(0, pack.joint_slots({**wanted, "unknown": 1}, dict.fromkeys("abc", 64)))
        self.assertEqual(0, pack.joint_slots({}, {"a": 1}))

    @hypothesis.given(free, st.dictionaries(st.sampled_from("abc"), st.integers(0, 64)))
    def test_fullness_is_a_share(self, left, capacity):
        self.assertTrue(0 <= pack.fullness(left, capacity) <= 1)
