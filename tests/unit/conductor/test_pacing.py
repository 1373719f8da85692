# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The relay saves messages: while nobody answers, beside another relay, and with large records."""

from nova_cells.domain import codec, effects, records
from tests.unit.conductor import base

BIG = {"description": "x" * 20_000}


def uploads(done):
    return [effect.message for effect in done if isinstance(effect, effects.Cast)
            and isinstance(effect.message, records.Upload)]


def named(done):
    return [record.uuid for upload in uploads(done) for record in upload.records
            if record.kind == "server"]


class Pacing(base.CellTest):
    def setUp(self):
        super().setUp()
        self.now = base.NOW
        self.settle(self.conductor)

    def tick(self, conductor=None, seconds=0.0):
        self.now += seconds
        return (conductor or self.conductor).relay.tick(self.now)

    def answer(self, done, conductor=None):
        for upload in uploads(done):
            (conductor or self.conductor).relay.acknowledged(records.Acks(
                batch=upload.batch, acks=tuple(records.Ack(
                    kind=record.kind, uuid=record.uuid, epoch=record.epoch,
                    version=record.version, answer="moved" if record.kind == "server" else "ok")
                    for record in upload.records)), self.now)

    def settle(self, conductor):
        """Everything that is marked by now has gone up."""
        for _ in range(20):
            self.answer(self.tick(conductor, 1.0), conductor)
        self.assertEqual(set(), self.marks())

    def test_while_nobody_answers_it_asks_less_and_less(self):
        self.offer(self.ids.uuid(), now=self.now)
        when = []
        for second in range(200):
            if named(self.tick(seconds=1.0)):
                when.append(second)
        pauses = [later - sooner for sooner, later in zip(when, when[1:], strict=False)]
        self.assertEqual(sorted(pauses), pauses)
        self.assertLess(len(when), 10)
        self.assertLessEqual(max(pauses), 49)

    def test_a_sign_of_life_is_enough(self):
        """Also the answer to an empty upload: then everything goes at once."""
        self.test_while_nobody_answers_it_asks_less_and_less()
        self.tick(seconds=4.0)
        wakes = self.conductor.relay.acknowledged(records.Acks(batch=0), self.now)
        self.assertEqual([effects.Wake("relay")], wakes)
        self.assertEqual(1, len(named(self.tick(seconds=4.0))))

    def test_memory_is_bounded_while_nobody_answers(self):
        self.conductor = self.another(upload_batch=10)
        sent = []
        for _ in range(60):
            self.offer(self.ids.uuid(), now=self.now)
            sent += uploads(self.tick())
        self.assertEqual(2, len([upload for upload in sent if upload.records]))
        self.assertLessEqual(len(self.conductor.relay._pace._sent), 20)

    def test_large_records_go_in_several_messages(self):
        conductor = self.conductor = self.another(upload_bytes=50_000)
        made = [self.ids.uuid() for _ in range(4)]
        for uuid in made:
            self.offer(uuid, now=self.now, **BIG)
        gone, sent = [], 0
        while self.marks():
            done = self.tick(conductor, 1.0)
            for upload in uploads(done):
                self.assertLess(len(codec.encode(upload)), 60_000)
            gone += named(done)
            sent += len(uploads(done))
            self.answer(done, conductor)
        self.assertEqual(set(made), set(gone))
        self.assertGreater(sent, 1)

    def test_one_too_large_record_goes_alone(self):
        self.conductor = self.another(upload_bytes=1024)
        self.offer(self.ids.uuid(), now=self.now, **BIG)
        gone = []
        for _ in range(5):
            done = self.tick(seconds=1.0)
            self.assertLessEqual(len(named(done)), 1)
            gone += named(done)
            self.answer(done)
        self.assertEqual(1, len(gone))


class TwoRelays(Pacing):
    """Two processes: each with a store of its own, on one database."""

    def setUp(self):
        super().setUp()
        self.other = self.another()
        # The other process does not know what this one has marked.
        self.other.relay._pace._outbox = type(self.store.outbox)()

    def test_beside_a_relay_that_is_heard_each_sends_its_own(self):
        first = self.ids.uuid()
        self.offer(first, now=self.now)
        self.answer(self.tick(), self.other)         # the other hears the answer
        for _ in range(10):
            self.offer(self.ids.uuid(), now=self.now)
            self.assertEqual([], named(self.tick(self.other, 0.1)))
            done = self.tick(seconds=0.1)
            self.assertEqual(1, len(named(done)))
            self.answer(done, self.other)

    def test_what_a_dead_one_leaves_is_taken(self):
        self.offer(self.ids.uuid(), now=self.now)
        self.answer(self.tick(), self.other)
        left = self.ids.uuid()
        self.offer(left, now=self.now)               # and then it dies
        self.assertEqual([], named(self.tick(self.other, 1.0)))
        taken = [name for _ in range(5) for name in named(self.tick(self.other, 1.0))]
        self.assertIn(left, taken)

    def test_alone_it_waits_for_nobody(self):
        self.offer(self.ids.uuid(), now=self.now)
        self.assertEqual(1, len(named(self.tick(self.other))))
