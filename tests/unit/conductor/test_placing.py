# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An offer: accepted or refused, confirmed or moved; nothing is made before it is confirmed."""

from nova_cells.domain import commands, effects, records
from tests.unit.conductor import base


class Offers(base.CellTest):
    def test_accepted_is_a_row_a_claim_and_nothing_else(self):
        uuid = self.ids.uuid()
        done = self.offer(uuid)
        self.assertEqual([], base.tasks_in(done))
        self.assertFalse(self.held(uuid).confirmed)
        self.assertEqual({uuid: {"h1"}}, self.allocated())
        self.assertIn(("server", uuid), self.marks())

    def test_task_goes_out_once_it_is_confirmed(self):
        uuid = self.ids.uuid()
        self.offer(uuid)
        task, = base.tasks_in(self.acks(uuid, "confirmed"))
        self.assertEqual(("boot", 1, 1), (task.verb, task.epoch, task.ticket))
        self.assertEqual("sealed", task.secrets.once)
        self.assertEqual([], base.tasks_in(self.acks(uuid, "confirmed")))

    def test_moved_leaves_nothing(self):
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.acks(uuid, "moved")
        self.assertEqual((None, {}), (self.held(uuid), self.allocated()))
        self.assertNotIn(("server", uuid), self.marks())

    def test_confirmed_server_is_kept_whatever_the_top_says_later(self):
        uuid = self.active()
        self.acks(uuid, "moved", version=3, held=3)
        self.assertEqual("active", self.held(uuid).server.rest)

    def test_offer_that_comes_three_times_is_one(self):
        uuid = self.ids.uuid()
        for _time in range(3):
            self.offer(uuid)
        self.assertEqual({uuid: {"h1"}}, self.allocated())

    def test_newer_offer_replaces_an_unconfirmed_one(self):
        uuid = self.ids.uuid()
        self.offer(uuid, epoch=1)
        self.offer(uuid, epoch=3)
        self.assertEqual(3, self.held(uuid).epoch)
        self.offer(uuid, epoch=2)
        self.assertEqual(3, self.held(uuid).epoch)

    def test_refused_with_fresh_slots_when_full(self):
        for _server in range(4):
            self.offer(self.ids.uuid())
        refusal = self.offer(self.ids.uuid())[0].message
        self.assertIsInstance(refusal, records.Refusal)
        self.assertEqual({0}, set(refusal.slots.slots.values()))
        self.assertIn("No valid host", refusal.reason)
        self.assertEqual(4, len(self.allocated()))

    def test_delete_that_overtakes_its_boot_is_remembered(self):
        uuid = self.ids.uuid()
        self.command(commands.Delete, uuid)
        done = self.offer(uuid)
        self.assertIsInstance(done[0].message, records.Gone)
        self.assertEqual({}, self.allocated())
        self.offer(uuid, epoch=2)
        self.assertEqual({uuid: {"h1"}}, self.allocated())

    def test_boot_that_fails_is_tried_on_another_host_with_a_fresh_ticket(self):
        self.hello("h2")
        uuid = self.ids.uuid()
        self.offer(uuid)
        first, = base.tasks_in(self.acks(uuid, "confirmed"))
        host = first.record.host
        task, = base.tasks_in(self.report(uuid, 1, "failed", host=host, elsewhere=True, error="x"))
        self.assertNotEqual(host, task.record.host)
        self.assertGreater(task.ticket, first.ticket)
        self.assertEqual({uuid: {task.record.host}}, self.allocated())
        self.report(uuid, task.ticket, "failed", host=task.record.host, elsewhere=True,
                    error="full")
        self.assertEqual(("error", {}), (self.held(uuid).server.rest, self.allocated()))
        self.assertEqual("full", self.held(uuid).server.fault.message)


class Changes(base.CellTest):
    def test_operation_that_comes_again_happens_once(self):
        uuid = self.active()
        order = commands.Act(op="op-1", server=uuid, epoch=1, verb="pause")
        one = base.replies_in(self.conductor.handle(order, base.NOW))[0].record
        two = base.replies_in(self.conductor.handle(order, base.NOW))[0].record
        self.assertEqual(one, two)
        self.report(uuid, one.ticket, power_state=3)
        late = base.replies_in(self.conductor.handle(order, base.NOW))[0].record
        self.assertEqual(("paused", None), (late.rest, late.verb))

    def test_old_report_does_not_end_a_delete(self):
        uuid = self.active()
        paused = base.replies_in(self.command(commands.Act, uuid, verb="pause"))[0].record
        self.command(commands.Delete, uuid)
        self.report(uuid, paused.ticket, power_state=3)
        self.assertEqual("delete", self.held(uuid).server.verb)

    def test_deleted_gives_back_all_that_it_held(self):
        uuid = self.active()
        task, = base.tasks_in(self.command(commands.Delete, uuid))
        self.report(uuid, task.ticket)
        self.assertEqual(({}, True), (self.allocated(), self.held(uuid).server.deleted))

    def test_the_watchdog_asks_again_and_gives_up_in_words(self):
        uuid = self.active()
        self.command(commands.Act, uuid, verb="pause")
        tick = effects.Tick(job="watchdog")
        self.assertEqual([], self.conductor.handle(tick, base.NOW + 1))
        task, = base.tasks_in(self.conductor.handle(tick, base.NOW + 31))
        self.assertEqual("pause", task.verb)
        self.conductor.handle(tick, base.NOW + 700)
        server = self.held(uuid).server
        self.assertEqual((None, "active"), (server.verb, server.rest))

    def test_starting_host_is_given_its_open_tasks(self):
        uuid = self.active()
        self.command(commands.Act, uuid, verb="pause")
        task, = base.tasks_in(self.hello("h1", starting=True))
        self.assertEqual((uuid, "pause"), (task.server, task.verb))


class Relay(base.CellTest):
    def upload(self, now=base.NOW):
        done = self.conductor.handle(effects.Tick(job="relay"), now)
        return done[0].message if done else None

    def test_a_change_while_a_record_is_under_way_stays_marked(self):
        uuid = self.active()
        sent = next(record for record in self.upload().records if record.uuid == uuid)
        self.command(commands.Update, uuid, name="other")
        self.acks(uuid, "confirmed", version=sent.version, held=sent.version)
        self.assertIn(("server", uuid), self.marks())
        self.acks(uuid, "confirmed", version=sent.version + 1, held=sent.version + 1)
        self.assertNotIn(("server", uuid), self.marks())

    def test_it_says_something_now_and_then(self):
        self.upload()
        self.assertIsNone(self.upload(base.NOW + 1))
        self.assertIsNotNone(self.upload(base.NOW + 9))

    def test_top_that_remembers_more_halts_the_cell(self):
        uuid = self.active()
        self.acks(uuid, "confirmed", version=3, held=40)
        with self.store.read() as tx:
            facts = self.store.facts.get(tx)
        self.assertIn("old copy", facts.halted)
        self.assertNotEqual(self.identity.incarnation, facts.incarnation)
