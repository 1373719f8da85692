# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A live migration, whole, lost, killed and aborted at each of its steps: one guest, one claim."""

from nova_cells.db.cell import tables
from nova_cells.domain import address, codec, commands, errors, lifecycle, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.virt import protocol
from tests.unit.conductor import hosted

STEPS = (("dest", "prepare_arrival"), ("source", "depart"), ("dest", "arrive"),
         ("source", "clear"))
ASYNC = {"async": "1"}


class Base(hosted.HostedTest):
    def setUp(self):
        super().setUp()
        self.source = self.server.host
        self.dest = next(name for name in self.HOSTS if name != self.source)
        self.other = next(name for name in self.HOSTS if name not in (self.source, self.dest))

    def ask_for(self, host="", **options):
        return self.ask("live_migrate", wanted=wants.Wanted(
            host=self.dest if host == "" else host, options=ASYNC | options))

    def migrate(self, host="", **options):
        answers = self.ask_for(host, **options)
        self.deliver()
        return answers

    def steer(self, word, early=True):
        return self.put(self.command(
            commands.SteerMigration, self.uuid, now=self.now, shown="7", word=word, early=early,
            migration=self.migration.uuid))

    def again(self):
        """Another server."""
        self.uuid = self.booted()
        self.source = self.server.host
        self.dest = next(name for name in self.HOSTS if name != self.source)

    def one(self):
        """Deliver the first message that waits."""
        waiting = list(self.queue)
        self.queue.clear()
        cast = waiting.pop(0)
        if isinstance(cast.to, address.Host):
            self._to_host(cast.to.host, cast.message)
        elif isinstance(cast.to, address.Cell):
            self.put(self.conductor.handle(cast.message, self.now))
        self.queue.extendleft(reversed(waiting))

    def side(self, name):
        return {"source": self.source, "dest": self.dest}[name]


class Whole(Base):
    def test_it_goes_over_and_runs_on(self):
        said = self.drivers[self.source].console_log(self.uuid, None)
        seen = []
        self.lost = lambda message: seen.append((self.migration.status, self.running())) or False
        self.migrate()
        self.sound(self.dest)
        self.assertEqual([self.dest], self.running())
        self.assertEqual(("active", lifecycle.RUNNING, 100), (
            self.server.rest, self.server.power_state, self.server.progress))
        self.assertEqual(said, self.drivers[self.dest].console_log(self.uuid, None))
        one = self.migration
        self.assertEqual((migration.LIVE, "completed", False, self.source, self.dest), (
            one.kind, one.status, one.open, one.source, one.dest))
        self.assertEqual(["queued", "preparing", "running", "post-migrating"],
                         list(dict.fromkeys(status for status, _where in seen
                                            if status in migration.IN_PROGRESS)))
        self.assertTrue(all(len(where) <= 1 for _status, where in seen))
        self.assertGreater(one.memory_total, 0)
        action = self.last_action
        self.assertEqual(("live-migration", None, "compute_live_migration", "Success"), (
            action.action, action.message, action.events[0].name, action.events[0].result))

    def test_it_is_shown_as_migrating_on_its_way(self):
        self.ask_for()
        self.assertEqual(("MIGRATING", "migrating"), (
            lifecycle.status(self.server), lifecycle.task_state(self.server)))

    def test_a_paused_one_stays_paused(self):
        self.act("pause")
        self.migrate()
        self.sound(self.dest)
        self.assertEqual(("paused", lifecycle.PAUSED),
                         (self.server.rest, self.server.power_state))
        self.act("unpause")
        self.assertEqual([self.dest], self.running())

    def test_there_and_back(self):
        self.migrate()
        self.migrate(self.source)
        self.sound(self.source)
        self.assertEqual([self.source], self.running())

    def test_without_a_host_the_cell_chooses(self):
        self.migrate(None)
        self.assertNotEqual(self.source, self.server.host)
        self.sound(self.server.host)

    def test_a_message_of_each_kind_that_comes_twice_changes_nothing(self):
        for agent in self.agents.values():
            agent.send = lambda cast: self.queue.extend((cast, cast))
        put = self.put
        self.put = lambda done: put([effect for effect in done for _turn in (1, 2)])
        self.migrate()
        self.put = put
        self.sound(self.dest)
        self.assertEqual([self.dest], self.running())


class Refused(Base):
    def test_what_the_asker_waits_for_before_2_34(self):
        self.down(self.dest)
        for host, options in ((self.dest, {"forced": "1"}), (self.dest, {}),
                              (self.source, {"forced": "1"}), ("elsewhere", {"forced": "1"})):
            ask = wants.Wanted(host=host, options=options)
            self.assertRaises(errors.Invalid, self.ask, "live_migrate", wanted=ask)
        self.assertIsNone(self.server.verb)
        self.sound(self.source)

    def test_from_2_34_on_it_is_an_action_that_failed(self):
        [answer] = self.migrate("nowhere")
        self.assertIsNone(answer.record.verb)
        self.assertEqual(("error", False), (self.migration.status, self.migration.open))
        self.assertEqual("Error", self.last_action.message)
        self.sound(self.source)
        self.assertEqual([self.source], self.running())

    def test_a_source_that_is_down(self):
        self.down(self.source)
        self.assertRaises(errors.Invalid, self.ask, "live_migrate", wanted=wants.Wanted())

    def test_a_server_that_is_off(self):
        self.act("stop")
        self.assertRaises(errors.Conflict, self.ask_for)

    def test_forced_it_may_leave_its_zone(self):
        server = lifecycle.change(self.server, self.now, pinned_availability_zone="nova")
        with self.store.write() as tx:
            host = self.store.hosts.get(tx, self.dest)
            self.store.hosts.put(tx, model.replace(host, availability_zone="far"), self.now)
            self.store.resources.touch(tx, host.uuid)
            self.store.servers.save(tx, server, self.now)
        self.migrate()
        self.assertEqual(self.source, self.server.host)
        self.migrate(forced="1")
        self.sound(self.dest)
        self.assertEqual("nova", self.server.pinned_availability_zone)


class Failing(Base):
    def trouble(self, side, step, times):
        host, count = self.side(side), [times]

        def fail(name, wanted):
            if name == host and wanted == step and count[0]:
                count[0] -= 1
                raise protocol.HostTrouble(f"{step} fails here")
        self.step = fail

    def test_a_step_that_fails_for_good(self):
        for side, step in STEPS:
            with self.subTest(step=step):
                self.step = lambda host, step: None
                self.again()
                self.trouble(side, step, 9)
                self.migrate()
                self.later()
                self.assertIsNone(self.server.verb)
                self.show()
                self.show()
                there = self.dest if step in ("arrive", "clear") else self.source
                self.sound(there)
                self.assertFalse(self.migration.open)
                self.assertEqual("error" if step == "arrive" else "active", self.server.rest)
                self.assertEqual([] if step == "arrive" else [there], self.running())
                self.assertEqual("Error", self.last_action.message)

    def test_a_step_at_the_end_that_fails_once_is_taken_again(self):
        for side, step in STEPS[2:]:
            with self.subTest(step=step):
                self.step = lambda host, step: None
                self.again()
                self.trouble(side, step, 1)
                self.migrate()
                self.sound(self.dest)
                self.assertEqual([self.dest], self.running())
                self.assertEqual("completed", self.migration.status)

    def test_a_host_that_has_no_room_is_passed_over(self):
        first = []

        def fail(name, step):
            if step == "prepare_arrival" and not first:
                first.append(name)
                raise protocol.HostTrouble("no room")
        self.step = fail
        self.migrate(None)
        self.assertNotIn(self.server.host, (self.source, first[0]))
        self.sound(self.server.host)
        self.assertEqual("completed", self.migration.status)

    def test_a_guest_that_went_off_by_itself_stays(self):
        self.ask_for()
        self.drivers[self.source].power_off_inside(self.uuid)
        self.deliver()
        self.show()
        self.sound(self.source)
        self.assertEqual(("stopped", "failed"), (self.server.rest, self.migration.status))


class Killing(Base):
    def test_a_host_that_dies_at_a_step_and_comes_back(self):
        for side, step in STEPS:
            with self.subTest(step=step):
                self.again()
                self.kill[self.side(side)] = step
                self.migrate()
                self.assertIn(self.side(side), self.dead)
                self.assertLessEqual(len(self.running()), 1)
                self.start(self.side(side))
                self.deliver()
                self.sound(self.dest)
                self.assertEqual([self.dest], self.running())

    def test_a_report_of_each_step_that_is_lost(self):
        for leg in ("", "depart", "arrive", "clean"):
            with self.subTest(leg=leg):
                self.again()
                gone = []
                self.lost = lambda message, gone=gone, leg=leg: (
                    isinstance(message, tasks.Report) and message.result == "done"
                    and self.tasks(leg) and not gone and not gone.append(message))
                self.sent.clear()
                self.migrate()
                self.assertEqual(1, len(gone))
                self.assertEqual("live_migrate", self.server.verb)
                self.later()
                self.sound(self.dest)
                self.assertEqual([self.dest], self.running())

    def test_a_source_that_let_go_dies_and_comes_back(self):
        """The answer is the same as before, whatever its memory lost."""
        self.lost = lambda message: isinstance(message, tasks.Report) and \
            "handed" in message.facts
        self.migrate()
        self.assertEqual([], self.running())
        self.lost = lambda message: False
        self.start(self.source)
        self.deliver()
        self.sound(self.dest)
        self.assertEqual([self.dest], self.running())

    def test_a_destination_that_is_down_before_it_is_ready(self):
        self.ask_for()
        self.down(self.dest)
        self.deliver()
        self.later()
        self.sound(self.source)
        self.assertEqual("failed", self.migration.status)

    def test_a_source_that_is_down_once_the_guest_left(self):
        self.kill[self.source] = "clear"
        self.migrate()
        self.down(self.source)
        self.later()
        self.assertEqual((None, self.dest, "completed"), (
            self.server.verb, self.server.host, self.migration.status))
        with self.store.write() as tx:
            host = self.store.hosts.get(tx, self.source)
            self.store.hosts.put(tx, model.replace(host, up=True), self.now)
        self.start(self.source)
        self.deliver()
        self.sound(self.dest)

    def test_a_conductor_that_dies_at_every_message(self):
        """What it had sent is lost, what it had saved is not: a new one asks again."""
        self.ask_for()
        deaths = 0
        while self.server.verb is not None:
            self.queue = type(self.queue)(cast for cast in self.queue
                                          if not isinstance(cast.message, tasks.Task))
            self.conductor = self.another()
            self.put(self.conductor.start(self.now))
            self.one()
            deaths += 1
            self.assertLess(deaths, 50)
        self.deliver()
        self.sound(self.dest)
        self.assertEqual([self.dest], self.running())

    def test_a_source_that_stays_silent_in_the_middle_leaves_both_claims(self):
        self.kill[self.source] = "depart"
        self.migrate()
        self.down(self.source)
        self.later(9000.0)
        self.assertIsNone(self.server.verb)
        self.assertTrue(self.migration.open)
        with self.store.read() as tx:
            self.assertEqual({("here", self.source), ("move", self.dest)},
                             set(self.store.resources.held(tx)[self.uuid]))

    def test_a_copy_that_takes_too_long_is_aborted(self):
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "depart" and "steer" not in message.wanted.options
        self.migrate()
        self.later(7300.0)
        self.sound(self.source)
        self.assertEqual("cancelled", self.migration.status)


class Interrupted(Base):
    def test_a_delete_at_each_step_leaves_nothing(self):
        for number in range(12):
            with self.subTest(number=number):
                self.again()
                self.ask_for()
                for _turn in range(number):
                    if self.queue:
                        self.one()
                self.put(self.command(commands.Delete, self.uuid, now=self.now))
                self.deliver()
                self.later()
                self.show()
                self.assertEqual("deleted", self.server.rest)
                self.assertEqual([], self.somewhere())
                with self.store.read() as tx:
                    self.assertNotIn(self.uuid, self.store.resources.held(tx))
                    self.assertIsNone(self.store.migrations.open_of(tx, self.uuid))


class Steered(Base):
    def test_aborted_before_anything_is_copied(self):
        self.ask_for()
        self.assertRaises(errors.Invalid, self.steer, "abort", early=False)
        self.assertRaises(errors.Invalid, self.steer, "force_complete")
        self.steer("abort")
        self.deliver()
        self.sound(self.source)
        self.assertEqual(("cancelled", False), (self.migration.status, self.migration.open))
        self.assertEqual([self.source], self.running())
        self.assertEqual("active", self.server.rest)

    def test_aborted_while_it_is_copied(self):
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "depart" and "steer" not in message.wanted.options
        self.migrate()
        self.assertEqual("running", self.migration.status)
        self.steer("abort", early=False)
        self.deliver()
        self.sound(self.source)
        self.assertEqual("cancelled", self.migration.status)
        self.assertEqual([self.source], self.running())
        with self.store.read() as tx:
            unpack = codec.Unpacker(commands.ActionRecord)
            found = [unpack(row.record) for row in tx.execute(tables.actions.select())]
        [one] = [action for action in found if action.action == "live_migration_cancel"]
        self.assertEqual("compute_live_migration_abort", one.events[0].name)

    def test_an_abort_that_is_lost_is_said_again(self):
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "depart"
        self.migrate()
        self.steer("abort")
        self.deliver()
        self.lost = lambda message: False
        self.later()
        self.sound(self.source)
        self.assertEqual("cancelled", self.migration.status)

    def test_too_late(self):
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "arrive"
        self.migrate()
        for word in ("abort", "force_complete"):
            self.assertRaises(errors.Invalid, self.steer, word)
        self.lost = lambda message: False
        self.later()
        self.sound(self.dest)
        self.assertRaises(errors.Conflict, self.steer, "abort")

    def test_a_paused_one_may_be_aborted_and_not_forced(self):
        self.act("pause")
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "depart" and "steer" not in message.wanted.options
        self.migrate()
        problem = self.assertRaises(errors.Conflict, self.steer, "force_complete")
        self.assertIn("Cannot 'force_complete' instance", problem.message)
        self.steer("abort")
        self.deliver()
        self.sound(self.source)
        self.assertEqual("paused", self.server.rest)

    def test_another_servers_migration(self):
        self.migrate()
        one = self.migration
        self.uuid = self.booted()
        self.source = self.server.host
        self.ask_for()
        for word, problem in (("abort", errors.NotFound), ("force_complete", errors.Invalid)):
            for uuid in (one.uuid, ""):
                self.assertRaises(problem, self.command, commands.SteerMigration, self.uuid,
                                  now=self.now, word=word, migration=uuid)

    def test_forced_to_complete(self):
        self.lost = lambda message: isinstance(message, tasks.Task) and \
            message.wanted.leg == "depart" and "steer" not in message.wanted.options
        self.migrate()
        self.steer("force_complete")
        self.deliver()
        self.sound(self.dest)
        self.assertEqual("completed", self.migration.status)
