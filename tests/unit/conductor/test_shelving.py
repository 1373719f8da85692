# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a cell does around shelving: who is offloaded, when, what is given back, who comes back."""

from nova_cells.domain import commands, effects, errors, tasks
from nova_cells.domain import wanted as wants
from tests.unit.conductor import base

CAN = ("boot", "stop", "start", "pause", "snapshot", "shelve", "shelve_offload", "unshelve")


class Shelving(base.CellTest):
    can = CAN
    offload_time = 0

    def setUp(self):
        super().setUp()
        self.conductor = self.another(shelved_offload_time=self.offload_time)

    def act(self, uuid, verb, now=base.NOW, **fields):
        return self.command(commands.Act, uuid, now, verb=verb, wanted=wants.Wanted(**fields))

    def shelve(self, now=base.NOW, uuid=None):
        """Shelved, as far as the host says so: what the conductor does next."""
        uuid = uuid or self.active()
        [task] = base.tasks_in(self.act(uuid, "shelve", image_id="picture"))
        self.assertEqual("picture", task.wanted.image_id)
        return uuid, self.report(uuid, task.ticket, power_state=4, now=now)

    def offloaded(self):
        uuid, done = self.shelve()
        [task] = base.tasks_in(done)
        self.report(uuid, task.ticket, power_state=None)
        return uuid

    def actions(self, uuid):
        """The action of its last operation."""
        with self.store.read() as tx:
            return self.store.actions.get(tx, self.store.servers.get(tx, uuid).op)

    def server(self, uuid):
        return self.held(uuid).server


class AtOnce(Shelving):
    def test_it_is_offloaded_in_the_same_operation(self):
        uuid, done = self.shelve()
        [task] = base.tasks_in(done)
        self.assertEqual(("shelve_offload", "h1"), (task.verb, task.record.host))
        server = self.server(uuid)
        self.assertEqual(("shelved", "shelve_offload", "picture"),
                         (server.rest, server.verb, server.shelved_image_id))
        self.assertEqual({uuid: {"h1"}}, self.allocated())
        self.report(uuid, task.ticket)
        server = self.server(uuid)
        self.assertEqual(("shelved_offloaded", None, None, None, 4, "nova"),
                         (server.rest, server.verb, server.host, server.node, server.power_state,
                          server.availability_zone))
        self.assertEqual({}, self.allocated())
        self.assertEqual(["compute_shelve_instance", "compute_shelve_offload_instance"],
                         [event.name for event in self.actions(uuid).events])

    def test_an_offload_that_fails_leaves_it_shelved(self):
        uuid, done = self.shelve()
        [task] = base.tasks_in(done)
        self.report(uuid, task.ticket, result="failed", error="no")
        server = self.server(uuid)
        self.assertEqual(("shelved", None, "h1"), (server.rest, server.verb, server.host))
        self.assertEqual({uuid: {"h1"}}, self.allocated())

    def test_it_comes_back_where_there_is_room_and_holds_it(self):
        uuid = self.offloaded()
        [task] = base.tasks_in(self.act(uuid, "unshelve"))
        self.assertEqual(("unshelve", "h1", "picture"), (
            task.verb, task.record.host, task.record.shelved_image_id))
        self.assertIsNotNone(task.request)
        self.assertEqual({uuid: {"h1"}}, self.allocated())
        done = self.report(uuid, task.ticket, power_state=1)
        self.assertEqual(["picture"], [effect.message.image_id for effect in done
                                       if isinstance(effect, effects.Cast)])
        server = self.server(uuid)
        self.assertEqual(("active", None, None, "h1"), (
            server.rest, server.shelved_image_id, server.shelved_at, server.host))

    def test_two_conductors_never_give_one_room_away_twice(self):
        """The other conductor has not looked since: the claim decides, then it looks."""
        first, second = self.offloaded(), self.offloaded()
        other = self.another()
        other.places.look(base.NOW, force=True)
        while len(self.allocated()) < 3:
            self.active()
        self.act(first, "unshelve")
        self.conductor = other
        self.act(second, "unshelve")
        self.assertNotIn(second, self.allocated())
        self.assertEqual("Error", self.actions(second).message)

    def test_no_place_is_an_action_in_error_and_no_change_of_its_rest(self):
        uuid = self.offloaded()
        while len(self.allocated()) < 4:
            self.active()
        done = self.act(uuid, "unshelve")
        self.assertEqual([], base.tasks_in(done))
        [reply] = base.replies_in(done)
        self.assertEqual(("shelved_offloaded", None, None), (
            reply.record.rest, reply.record.verb, reply.record.host))
        self.assertEqual(("unshelve", "Error"), (self.actions(uuid).action,
                                                 self.actions(uuid).message))
        self.assertNotIn(uuid, self.allocated())
        self.assertEqual(reply.record, self.server(uuid))

    def test_one_that_fails_on_its_host_holds_nothing_again(self):
        uuid = self.offloaded()
        [task] = base.tasks_in(self.act(uuid, "unshelve"))
        self.report(uuid, task.ticket, result="failed", error="no", elsewhere=True)
        server = self.server(uuid)
        self.assertEqual(("shelved_offloaded", None, None, "picture"), (
            server.rest, server.verb, server.host, server.shelved_image_id))
        self.assertEqual({}, self.allocated())

    def test_a_host_that_was_asked_for(self):
        self.hello("h2")
        uuid = self.offloaded()
        for host in ("h2", "h1"):
            [task] = base.tasks_in(self.act(uuid, "unshelve", host=host))
            self.assertEqual(host, task.record.host)
            self.report(uuid, task.ticket, result="failed", host=host, error="no")
        self.act(uuid, "unshelve", host="h3")
        self.assertEqual("Error", self.actions(uuid).message)

    def test_a_zone_is_kept_and_a_zone_is_left(self):
        uuid = self.offloaded()
        self.act(uuid, "unshelve", options={wants.ZONE: "moon"})
        self.assertEqual("Error", self.actions(uuid).message)
        [task] = base.tasks_in(self.act(uuid, "unshelve", options={wants.ZONE: "nova"}))
        self.assertEqual("nova", task.record.pinned_availability_zone)
        self.report(uuid, task.ticket, result="failed", error="no")
        [task] = base.tasks_in(self.act(uuid, "unshelve", options={wants.UNPIN: "1"}))
        self.assertIsNone(task.record.pinned_availability_zone)

    def test_deleted_while_it_comes_back(self):
        uuid = self.offloaded()
        self.act(uuid, "unshelve")
        [task] = base.tasks_in(self.command(commands.Delete, uuid))
        self.report(uuid, task.ticket)
        self.assertTrue(self.server(uuid).deleted)
        self.assertEqual({}, self.allocated())

    def test_deleted_when_it_is_on_no_host(self):
        uuid = self.offloaded()
        self.assertEqual([], base.tasks_in(self.command(commands.Delete, uuid)))
        self.assertTrue(self.server(uuid).deleted)

    def test_given_up_when_its_host_does_not_answer(self):
        uuid = self.offloaded()
        self.act(uuid, "unshelve")
        self.conductor.handle(effects.Tick(job="watchdog"), base.NOW + 4000)
        self.assertEqual(("shelved_offloaded", None), (self.server(uuid).rest,
                                                       self.server(uuid).host))
        self.assertEqual({}, self.allocated())
        swept = self.conductor.handle(tasks.GuestsSeen(host="h1", guests=(tasks.GuestSeen(
            uuid=uuid, power=1, epoch=1, ticket=self.server(uuid).ticket),)), base.NOW + 4001)
        self.assertTrue(any(isinstance(effect.message, tasks.Sweep) for effect in swept
                            if isinstance(effect, effects.Cast)), swept)

    def test_a_verb_that_interrupts_takes_leave_of_the_image(self):
        uuid = self.active()
        self.act(uuid, "snapshot", image_id="half")
        [task] = base.tasks_in(self.command(commands.Delete, uuid))
        self.assertEqual(("half", None), (task.wanted.abandoned, task.wanted.image_id))

    def test_a_host_that_cannot(self):
        self.can = ("boot",)
        self.hello("h1")
        self.assertRaises(errors.Unsupported, self.act, self.active(), "shelve")


class AfterAWhile(Shelving):
    offload_time = 100

    def tick(self, seconds):
        return base.tasks_in(self.conductor.handle(effects.Tick(job="shelved"),
                                                   base.NOW + seconds))

    def test_not_before_its_time(self):
        uuid, done = self.shelve()
        self.assertEqual([], base.tasks_in(done))
        self.assertEqual(("shelved", None, "h1"), (
            self.server(uuid).rest, self.server(uuid).verb, self.server(uuid).host))
        self.assertIn("shelved", self.conductor.JOBS)
        self.assertEqual([], self.tick(99))
        [task] = self.tick(100)
        self.assertEqual(("shelve_offload", uuid), (task.verb, task.server))
        self.assertEqual([], self.tick(101))
        self.assertIsNone(self.held(uuid).op)    # nobody's: no action tells of it
        self.report(uuid, task.ticket)
        self.assertEqual("shelved_offloaded", self.server(uuid).rest)

    def test_on_its_own_host_meanwhile(self):
        uuid, _done = self.shelve()
        [task] = base.tasks_in(self.act(uuid, "unshelve"))
        self.assertEqual("h1", task.record.host)
        self.assertEqual([], self.tick(200))
        self.report(uuid, task.ticket, result="failed", error="no")
        self.assertEqual(("shelved", "h1"), (self.server(uuid).rest, self.server(uuid).host))
        self.assertEqual({uuid: {"h1"}}, self.allocated())

    def test_an_operator_does_not_wait(self):
        uuid, _done = self.shelve()
        [task] = base.tasks_in(self.act(uuid, "shelve_offload"))
        self.report(uuid, task.ticket)
        self.assertEqual("shelved_offloaded", self.server(uuid).rest)
        self.assertRaises(errors.Conflict, self.act, uuid, "shelve_offload")


class Never(Shelving):
    offload_time = -1

    def test_it_keeps_its_host(self):
        uuid, done = self.shelve()
        self.assertEqual([], base.tasks_in(done))
        self.assertNotIn("shelved", self.conductor.JOBS)
        self.conductor.handle(effects.Tick(job="shelved"), base.NOW + 1e9)
        self.assertEqual(("shelved", None), (self.server(uuid).rest, self.server(uuid).verb))

    def test_but_one_whose_disk_is_a_volume(self):
        uuid = self.active()
        [task] = base.tasks_in(self.act(uuid, "shelve"))
        [task] = base.tasks_in(self.report(uuid, task.ticket, power_state=4))
        self.assertEqual("shelve_offload", task.verb)
