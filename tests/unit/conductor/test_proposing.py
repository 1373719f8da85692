# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Chosen on a snapshot, claimed in the transaction; a scheduler that is silent stops nobody."""

import sqlalchemy as sa

from nova_cells.conductor import proposing, service
from nova_cells.domain import errors, records, selection
from nova_cells.domain import server as model
from tests.unit.conductor import base


class Stub:
    """A scheduler: what it was asked, and what it answers."""

    def __init__(self, *answers):
        self.asked, self.answers = [], list(answers)

    def __call__(self, to, question, budget):
        self.asked.append((to, question, budget))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, errors.Problem):
            raise answer
        return answer


class Conflicts(base.CellTest):
    """Two conductors of one cell, each with a snapshot of its own."""

    def setUp(self):
        super().setUp()
        self.hello("h2")
        self.other = self.another()

    def offers(self, conductor, count, now=base.NOW):
        self.conductor = conductor
        return [self.offer(self.ids.uuid(), now=now) for _one in range(count)]

    def test_nobody_gets_more_than_there_is(self):
        one, two = self.conductor, self.other
        done = [self.offers(turn, 1)[0] for turn in (one, two) * 6]
        refused = [effect for found in done for effect in found
                   if isinstance(getattr(effect, "message", None), records.Refusal)]
        self.assertEqual((8, 4), (len(self.allocated()), len(refused)))
        with self.store.read() as tx:
            for uuid in self.store.resources.generations(tx):
                self.assertEqual(0, self.store.resources.usage(tx, uuid).free()["VCPU"])

    def test_what_others_gave_back_is_found_before_anything_is_refused(self):
        one, two = self.conductor, self.other
        held = [self.ids.uuid() for _one in range(8)]
        for uuid in held:
            self.offer(uuid)
        self.offers(two, 1)                      # full, as two has seen
        self.conductor = one
        self.acks(held[0], "moved")
        self.conductor = two
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.assertIn(uuid, self.allocated())

    def test_one_that_was_left_far_behind_finds_the_last_place(self):
        for number in range(3, 21):
            self.hello(f"h{number}")
        one, two = self.conductor, self.other
        two.places.look(base.NOW)                # all 20 are empty, as it knows
        self.offers(one, 79)
        self.offers(two, 1)                      # no time has passed: it is not due to look
        self.assertEqual(80, len(self.allocated()))

    def test_a_host_that_went_down_meanwhile_is_not_claimed(self):
        self.offers(self.other, 1)               # it knows both hosts
        with self.store.write() as tx:
            for name in ("h1", "h2"):
                host = self.store.hosts.get(tx, name)
                self.store.hosts.put(tx, model.replace(host, up=False), base.NOW)
        before = self.allocated()
        done = self.offers(self.other, 1)[0]
        self.assertIn("up and enabled", done[0].message.reason)
        self.assertEqual(before, self.allocated())

    def test_an_offer_that_is_rolled_back_is_not_remembered(self):
        broken = self.store.servers.insert
        self.store.servers.insert = None
        self.assertRaises(TypeError, self.offers, self.conductor, 1)
        self.store.servers.insert = broken
        for turn in (self.conductor, self.other) * 4:
            self.offers(turn, 1)
        self.assertEqual(8, len(self.allocated()))
        self.assertEqual({}, self.conductor.places.fleet._flights)


class Asked(base.CellTest):
    """The scheduler service, seen from the conductor."""

    def setUp(self):
        super().setUp()
        self.hello("h2")

    def with_service(self, *answers):
        self.stub = Stub(*answers)
        self.chooser = proposing.Service(self.identity.uuid, self.stub)
        self.conductor = service.Conductor(self.store, self.identity, self.ids, None, self.chooser)

    def proposed(self, host, generation=1):
        with self.store.read() as tx:
            known = self.store.hosts.get(tx, host)
        return selection.Proposal(host=host, provider=known.uuid, version=known.version,
                                  generation=generation)

    def placed(self, now=base.NOW):
        uuid = self.ids.uuid()
        self.offer(uuid, now=now)
        return next(iter(self.allocated()[uuid]))

    def test_what_it_proposes_is_claimed(self):
        self.with_service(selection.Selected(proposals=((self.proposed("h2"),),)))
        self.assertEqual("h2", self.placed())
        to, question, budget = self.stub.asked[0]
        self.assertEqual((self.identity.uuid, base.FLAVOR.vcpus),
                         (to.cell, question.wanted[0].amounts["VCPU"]))
        self.assertLessEqual(budget, 2.0)

    def test_no_transaction_is_open_while_it_is_asked(self):
        self.with_service(selection.Selected(proposals=((self.proposed("h2"),),)))
        open_now, seen = [], []
        for event, change in (("begin", lambda _c: open_now.append(1)),
                              ("commit", lambda _c: open_now.pop()),
                              ("rollback", lambda _c: open_now.pop())):
            sa.event.listen(self.store.engine, event, change)
        ask = self.chooser._ask
        self.chooser._ask = lambda *args: (seen.append(list(open_now)), ask(*args))[1]
        self.assertEqual("h2", self.placed())
        self.assertEqual([[]], seen)

    def test_an_alternate_is_claimed_if_somebody_was_faster(self):
        self.with_service(selection.Selected(proposals=((
            self.proposed("h2", generation=0), self.proposed("h1")),)))
        self.conductor.places.look(base.NOW)     # knows h2 at its generation, and that it fits
        self.assertEqual("h2", self.placed())
        self.with_service(selection.Selected(proposals=((
            self.proposed("h2", generation=9), self.proposed("h1")),)))
        self.assertEqual("h1", self.placed())

    def test_hosts_where_somebody_was_faster_are_named_when_it_is_asked_again(self):
        self.with_service(
            selection.Selected(proposals=((self.proposed("h2", generation=9),),)),
            selection.Selected(proposals=((self.proposed("h2"),),)))
        self.assertEqual("h2", self.placed())
        self.assertEqual([(), (self.proposed("h2").provider,)],
                         [question.again for _to, question, _budget in self.stub.asked])

    def test_one_that_does_not_answer_is_left_alone_for_a_while(self):
        self.with_service(errors.CellDown("nobody"))
        for later in range(3):
            self.placed(now=base.NOW + later)
        self.assertEqual((1, 1), (len(self.stub.asked), self.chooser.unanswered))
        self.placed(now=base.NOW + proposing.SILENCE)
        self.assertEqual(2, len(self.stub.asked))

    def test_one_that_is_back_is_asked_again(self):
        self.with_service(errors.CellDown("nobody"),
                          selection.Selected(proposals=((self.proposed("h2"),),)))
        self.placed()
        self.conductor.places.doubt_host("h2")
        self.placed(now=base.NOW + proposing.SILENCE)
        self.placed(now=base.NOW + proposing.SILENCE)
        self.assertEqual((1, 2), (self.chooser.unanswered, self.chooser.answered))

    def test_it_cannot_refuse(self):
        self.with_service(selection.Selected(proposals=((),), reason="I see no hosts"))
        self.placed()
        for _server in range(7):
            self.placed()
        self.assertIsInstance(self.offer(self.ids.uuid())[0].message, records.Refusal)

    def test_a_wrong_one_oversells_nothing_and_stops_nobody(self):
        self.with_service(selection.Selected(proposals=((self.proposed("h2", generation=1),),)))
        done = [self.offer(self.ids.uuid()) for _server in range(9)]
        self.assertEqual(8, len(self.allocated()))
        self.assertIsInstance(done[-1][0].message, records.Refusal)

    def test_a_second_try_on_another_host_asks_nobody(self):
        self.with_service(errors.CellDown("nobody"))
        uuid = self.ids.uuid()
        self.offer(uuid)
        first, = base.tasks_in(self.acks(uuid, "confirmed"))
        asked = len(self.stub.asked)
        task, = base.tasks_in(self.report(uuid, 1, "failed", host=first.record.host,
                                          elsewhere=True, error="x"))
        self.assertNotEqual(first.record.host, task.record.host)
        self.assertEqual(asked, len(self.stub.asked))
