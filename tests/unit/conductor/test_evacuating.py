# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Evacuations: only from a host that is down, and the old guest is swept when it comes back."""

from nova_cells.domain import errors, lifecycle, migration, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.virt import protocol
from tests.unit.conductor import hosted


class Base(hosted.HostedTest):
    def setUp(self):
        super().setUp()
        self.source = self.server.host

    def ask_for(self, host=None, **options):
        return self.ask("evacuate", wanted=wants.Wanted(host=host, options=options))

    def evacuate(self, host=None, **options):
        answers = self.ask_for(host, **options)
        self.deliver()
        return answers

    def back(self):
        """The old host answers again, its agent never died."""
        self.dead.discard(self.source)
        with self.store.write() as tx:
            host = self.store.hosts.get(tx, self.source)
            self.store.hosts.put(tx, model.replace(host, up=True, forced_down=False), self.now)

    def attached(self):
        server = lifecycle.change(self.server, self.now, attachments=(
            model.Attachment(volume_id="a"),))
        with self.store.write() as tx:
            self.store.servers.save(tx, server, self.now)


class Fenced(Base):
    def test_a_host_that_is_up_is_still_in_use(self):
        problem = self.assertRaises(errors.Invalid, self.ask_for)
        self.assertIn("is still in use", problem.message)
        self.sound(self.source)

    def test_a_host_that_does_not_answer_will_do_without_shared_disks(self):
        self.down(self.source)
        self.evacuate()
        self.assertNotEqual(self.source, self.server.host)

    def test_with_volumes_it_must_be_forced_down(self):
        self.attached()
        self.down(self.source)
        problem = self.assertRaises(errors.Invalid, self.ask_for)
        self.assertIn("force its service down", problem.message)
        self.assertIsNone(self.server.verb)
        self.down(self.source, forced=True)
        self.evacuate()
        self.assertEqual("active", self.server.rest)

    def test_forced_down_although_it_speaks(self):
        with self.store.write() as tx:
            host = self.store.hosts.get(tx, self.source)
            self.store.hosts.put(tx, model.replace(host, forced_down=True), self.now)
        self.evacuate()
        self.assertNotEqual(self.source, self.server.host)
        self.assertEqual(2, len(self.somewhere()))   # not yet swept
        self.show()
        self.sound(self.server.host)

    def test_a_state_that_does_not_allow_it(self):
        self.act("pause")
        self.down(self.source)
        self.assertRaises(errors.Conflict, self.ask_for)


class Whole(Base):
    def setUp(self):
        super().setUp()
        self.other = next(name for name in self.HOSTS if name != self.source)

    def test_it_is_made_anew_and_the_old_guest_swept(self):
        self.down(self.source)
        self.evacuate(self.other)
        self.assertEqual(("active", self.other, None), (
            self.server.rest, self.server.host, self.server.fault))
        one = self.migration
        self.assertEqual((migration.EVACUATION, "done", False, self.source, self.other), (
            one.kind, one.status, one.open, one.source, one.dest))
        action = self.last_action
        self.assertEqual(("evacuate", "compute_rebuild_instance", "Success"), (
            action.action, action.events[0].name, action.events[0].result))
        self.assertEqual([self.source, self.other], sorted(
            self.somewhere(), key=lambda name: name != self.source))
        self.back()
        self.show()
        self.sound(self.other)
        self.assertEqual([self.other], self.running())

    def test_a_host_that_starts_again_is_swept_too(self):
        self.down(self.source)
        self.evacuate(self.other)
        self.start(self.source)
        self.deliver()
        self.sound(self.other)

    def test_late_words_of_the_old_host_change_nothing(self):
        self.ask("stop")
        stop = [cast.message for cast in self.queue]
        self.queue.clear()
        failed = lifecycle.reset(self.server, "active", self.now)
        with self.store.write() as tx:
            self.store.servers.save(tx, failed, self.now)
        self.down(self.source)
        self.evacuate(self.other)
        before = self.server
        self.back()
        self._to_host(self.source, stop[0])
        self.deliver()
        self.assertEqual(before.rest, self.server.rest)
        self.show()
        self.sound(self.other)
        self.assertEqual([self.other], self.running())

    def test_stopped_stays_stopped_and_from_2_95_all_are(self):
        for verb, options in (("stop", {}), (None, {"stopped": "1"})):
            with self.subTest(verb=verb):
                self.uuid = self.booted()
                self.source = self.server.host
                if verb:
                    self.act(verb)
                self.down(self.source)
                self.evacuate(**options)
                self.assertEqual(("stopped", lifecycle.SHUTDOWN), (
                    self.server.rest, self.server.power_state))
                self.back()
                self.start(self.source)
                self.deliver()
                self.show()
                self.sound(self.server.host)
                self.act("start")
                self.assertEqual([self.server.host], self.running())

    def test_one_in_error_becomes_active(self):
        with self.store.write() as tx:
            held = self.store.servers.get(tx, self.uuid)
            self.store.servers.save(tx, lifecycle.reset(held.server, "error", self.now), self.now)
        self.down(self.source)
        self.evacuate(self.other)
        self.assertEqual("active", self.server.rest)

    def test_disks_that_are_said_to_be_shared_and_are_not(self):
        self.down(self.source)
        self.evacuate(self.other, shared="1")
        self.assertEqual(("error", self.source), (self.server.rest, self.server.host))
        self.assertEqual("failed", self.migration.status)
        self.assertIn("shared storage", self.server.fault.message)
        self.evacuate(self.other)        # may be asked for again
        self.assertEqual("active", self.server.rest)

    def test_no_host_has_room(self):
        for name in self.HOSTS:
            self.down(name)
        self.evacuate()
        self.assertEqual(("error", None, self.source), (
            self.server.rest, self.server.verb, self.server.host))
        self.assertEqual("error", self.migration.status)
        with self.store.read() as tx:
            self.assertEqual({("here", self.source)},
                             set(self.store.resources.held(tx)[self.uuid]))


class Trouble(Base):
    STEPS = ("fetch_image", "create_disk", "write_config_drive", "define", "start")

    def test_a_step_that_fails_once_is_done_elsewhere(self):
        for wanted in self.STEPS:
            with self.subTest(step=wanted):
                self.uuid = self.booted()
                self.source, failed = self.server.host, []

                def fail(name, step, failed=failed, wanted=wanted):
                    if step == wanted and not failed:
                        failed.append(name)
                        raise protocol.HostTrouble("no")
                self.step = fail
                self.down(self.source)
                self.evacuate()
                self.assertNotIn(self.server.host, (self.source, failed[0]))
                self.assertEqual("active", self.server.rest)
                self.back()
                self.start(self.source)
                self.deliver()
                self.show()
                self.sound(self.server.host)

    def test_killed_at_each_step_and_back(self):
        for step in self.STEPS:
            with self.subTest(step=step):
                self.uuid = self.booted()
                self.source = self.server.host
                other = next(name for name in self.HOSTS if name != self.source)
                self.down(self.source)
                self.kill[other] = step
                self.evacuate(other)
                self.assertIn(other, self.dead)
                self.start(other)
                self.deliver()
                self.assertEqual(("active", other), (self.server.rest, self.server.host))
                self.back()
                self.start(self.source)
                self.deliver()
                self.show()
                self.sound(other)

    def test_lost_messages_are_sent_again(self):
        for kind in (tasks.Task, tasks.Report):
            with self.subTest(kind=kind):
                self.uuid = self.booted()
                self.source, gone = self.server.host, []
                self.down(self.source)
                self.lost = lambda message, kind=kind, gone=gone: (
                    isinstance(message, kind) and not gone and not gone.append(1))
                self.evacuate()
                self.lost = lambda message: False
                self.later()
                self.assertEqual((None, "active"), (self.server.verb, self.server.rest))
                self.back()
                self.start(self.source)
                self.deliver()
                self.show()
                self.sound(self.server.host)

    def test_one_that_was_being_migrated(self):
        """The migration that nobody could end is closed, and what it left is swept."""
        dest = next(name for name in self.HOSTS if name != self.source)
        self.kill[self.source] = "depart"
        self.act("live_migrate", wanted=wants.Wanted(host=dest, options={"async": "1"}))
        self.down(self.source)
        self.later(9000.0)
        third = next(name for name in self.HOSTS if name not in (self.source, dest))
        self.evacuate(third)
        self.show()
        self.back()
        self.start(self.source)
        self.deliver()
        self.show()
        self.sound(third)
