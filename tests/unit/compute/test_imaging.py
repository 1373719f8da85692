# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Verbs that make images or bring a guest back from one: every step failed, killed and repeated."""

import unittest
import uuid as uuids

from nova_cells.compute import agent as agents
from nova_cells.compute import journal, rooms
from nova_cells.domain import boot, effects, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import fake as fake_images
from nova_cells.image import protocol as images
from nova_cells.virt import fake, protocol, settings
from tests.conformance.failing import Killed, Stop

TOKEN = "ann:apples"
RUNNING, SHUTDOWN = lifecycle.RUNNING, lifecycle.SHUTDOWN
#: Steps of each verb: who takes them, and by which method.
PICTURE = (("driver", "take_snapshot"), ("driver", "open_snapshot"), ("images", "upload"))
STEPS = {"snapshot": PICTURE, "shelve": (("driver", "stop"), *PICTURE)}


class Case(unittest.TestCase):
    def setUp(self):
        self.images = fake_images.FakeImages()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"), self.images)
        self.begin()

    def begin(self):
        """A running guest."""
        self.journal, self.ticket = journal.MemoryJournal(), 0
        self.uuid = str(uuids.uuid4())
        self.record = model.Server(
            uuid=self.uuid, project_id="apples", user_id="ann", epoch=1, version=1, verb="boot",
            ticket=1, created_at=0.0, image=self.images.facts(fake_images.CIRROS), host="h1",
            flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1), name="guest")
        self.assertEqual("done", self.do("boot").result)
        self.record = model.replace(self.record, rest="active", verb=None)

    def image(self, **properties):
        """The record that the API made."""
        image_id = str(uuids.uuid4())
        self.images.create(images.NewImage(id=image_id, name="picture", properties=properties),
                           TOKEN)
        return image_id

    def task(self, verb, again=False, **wanted):
        self.ticket += not again
        return tasks.Task(
            server=self.uuid, epoch=1, ticket=self.ticket, verb=verb, request=boot.BootRequest(),
            record=model.replace(self.record, verb=verb, ticket=self.ticket),
            wanted=wants.Wanted(**wanted))

    def agent(self):
        """One more life of it."""
        return agents.Agent(self.driver, self.journal, "c1", "h1",
                            rooms_=rooms.Rooms(images=self.images))

    def do(self, verb, again=False, **wanted):
        """The report of one more life of the agent; its progress is in ``told``."""
        agent = self.agent()
        self.told = []
        agent.send = lambda cast: self.told.append(cast.message.phase)
        done = agent.handle(self.task(verb, again, **wanted), 0.0)
        found = [effect.message for effect in done if isinstance(effect, effects.Cast)]
        return found[0] if found else None

    def stop(self, where, step, problem, after):
        return Stop(getattr(self, where), step, problem, after)

    def each(self, verb):
        """Every step of a verb, failed before it did anything and after it did everything."""
        for where, step in STEPS[verb]:
            for after in (False, True):
                with self.subTest(verb=verb, step=step, after=after):
                    self.begin()
                    yield where, step, after
                    self.driver.destroy(self.uuid)
                    self.assertEqual([], self.driver.leftovers(self.uuid))

    def exists(self, image_id):
        return image_id in {image.id for image in self.images.search(images.Search(), TOKEN)}

    def assert_filled(self, image_id):
        self.assertTrue(self.images.filled(image_id))
        self.assertNotIn("snapshot", self.driver.leftovers(self.uuid))


class Snapshot(Case):
    def test_it_is_filled_and_shows_its_phases(self):
        image_id = self.image()
        self.assertEqual("done", self.do("snapshot", image_id=image_id).result)
        self.assert_filled(image_id)
        self.assertEqual([1, 2], self.told)
        facts = self.images.facts(image_id, TOKEN)
        self.assertEqual(("raw", "bare", 1024), (facts.disk_format, facts.container_format,
                                                 facts.size))
        self.assertEqual(RUNNING, self.driver.guest(self.uuid).power)

    def test_a_failed_step_leaves_neither_image_nor_copy_and_the_guest_as_it_was(self):
        for verb in STEPS:
            for where, step, after in self.each(verb):
                image_id = self.image()
                with self.stop(where, step, protocol.HostTrouble("no"), after):
                    self.assertEqual("failed", self.do(verb, image_id=image_id).result)
                self.assertFalse(self.exists(image_id))
                self.assertNotIn("snapshot", self.driver.leftovers(self.uuid))
                self.assertEqual(RUNNING, self.driver.guest(self.uuid).power)

    def test_killed_and_asked_again_it_is_filled(self):
        for verb in STEPS:
            for where, step, after in self.each(verb):
                image_id = self.image()
                with self.stop(where, step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb, image_id=image_id)
                self.assertEqual("done", self.do(verb, again=True, image_id=image_id).result)
                self.assert_filled(image_id)

    def test_killed_and_failing_when_asked_again_it_leaves_nothing(self):
        for verb in STEPS:
            for where, step, after in self.each(verb):
                if (step, after) == ("upload", True):
                    continue                     # it was filled: that is success
                image_id = self.image()
                with self.stop(where, step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb, image_id=image_id)
                with self.stop("driver", "take_snapshot", protocol.HostTrouble("no"), False):
                    self.assertEqual("failed", self.do(verb, True, image_id=image_id).result)
                self.assertFalse(self.exists(image_id))
                self.assertEqual(RUNNING, self.driver.guest(self.uuid).power)

    def test_killed_and_then_deleted_nothing_waits_for_bytes(self):
        for verb in STEPS:
            for where, step, after in self.each(verb):
                image_id = self.image()
                with self.stop(where, step, Killed(), after):
                    self.assertRaises(Killed, self.do, verb, image_id=image_id)
                self.assertEqual("done", self.do("delete", abandoned=image_id).result)
                self.assertEqual([], self.driver.leftovers(self.uuid))
                self.assertEqual((step, after) == ("upload", True), self.exists(image_id))

    def test_a_copy_that_cannot_be_dropped_fails_nothing(self):
        image_id = self.image()
        with self.stop("driver", "drop_snapshot", protocol.HostTrouble("no"), False):
            self.assertEqual("done", self.do("snapshot", image_id=image_id).result)
        self.assertTrue(self.images.filled(image_id))

    def test_an_image_that_was_deleted_meanwhile(self):
        image_id = self.image()
        self.images.delete(image_id, TOKEN)
        report = self.do("snapshot", image_id=image_id)
        self.assertEqual("failed", report.result)
        self.assertIn("was deleted before it was filled", report.error)
        self.assertEqual(RUNNING, self.driver.guest(self.uuid).power)

    def test_an_image_service_that_is_gone_does_not_fail_a_delete(self):
        with self.stop("images", "discard", images.Unreachable("no"), False):
            self.assertEqual("done", self.do("delete", abandoned=self.image()).result)


class Backup(Case):
    def backup(self, rotation, kind="daily", again=False, image_id=None):
        image_id = image_id or self.image(image_type="backup", backup_type=kind,
                                          instance_uuid=self.uuid)
        report = self.do("backup", again, image_id=image_id, options={
            wants.KIND: kind, wants.ROTATION: str(rotation), wants.OWNER: "apples"})
        self.assertEqual("done", report.result, report.error)
        return image_id

    def test_the_oldest_of_its_kind_go(self):
        weekly = self.backup(2, "weekly")
        made = [self.backup(2) for _ in range(3)]
        self.assertEqual([False, True, True], [self.exists(one) for one in made])
        self.assertTrue(self.exists(weekly))

    def test_with_rotation_0_none_stays(self):
        made = [self.backup(3), self.backup(0)]
        self.assertEqual([False, False], [self.exists(one) for one in made])

    def test_with_rotation_0_it_may_be_asked_again(self):
        image_id = self.image(image_type="backup", backup_type="daily", instance_uuid=self.uuid)
        with self.stop("images", "delete", Killed(), True):
            self.assertRaises(Killed, self.backup, 0, image_id=image_id)
        self.backup(0, again=True, image_id=image_id)
        self.assertFalse(self.exists(image_id))

    def test_what_others_call_a_backup_of_it_is_none(self):
        first = self.backup(1)
        theirs = str(uuids.uuid4())
        self.images.create(images.NewImage(id=theirs, name="trap", properties={
            "image_type": "backup", "backup_type": "daily", "instance_uuid": self.uuid}),
            "eve:eels")
        second = self.backup(1)
        self.assertEqual([False, True], [self.exists(first), self.exists(second)])
        self.assertTrue(self.images.filled(theirs) is False)

    def test_an_old_one_that_cannot_be_deleted_fails_it_and_keeps_the_new_one(self):
        self.backup(1)
        image_id = self.image(image_type="backup", backup_type="daily", instance_uuid=self.uuid)
        with self.stop("images", "delete", images.Unreachable("no"), False):
            report = self.do("backup", image_id=image_id, options={
                wants.KIND: "daily", wants.ROTATION: "1"})
        self.assertEqual("failed", report.result)
        self.assertTrue(self.images.filled(image_id))


class Shelving(Case):
    def shelved(self, rest="shelved"):
        """A guest that was shelved; off its host if ``rest`` says so."""
        image_id = self.image()
        self.assertEqual("done", self.do("shelve", image_id=image_id).result)
        self.record = model.replace(self.record, rest="shelved", shelved_image_id=image_id)
        if rest == "shelved_offloaded":
            self.assertEqual("done", self.do("shelve_offload").result)
            self.assertEqual([], self.driver.leftovers(self.uuid))
            self.record = model.replace(self.record, rest=rest)
        return image_id

    def assert_back(self, report, image_id):
        self.assertEqual(("done", RUNNING), (report.result, report.power_state), report.error)
        self.assertEqual(RUNNING, self.driver.guest(self.uuid).power)
        self.assertTrue(self.images.filled(image_id))

    def test_shelved_it_is_off_and_its_disk_is_there(self):
        image_id = self.shelved()
        self.assertTrue(self.images.filled(image_id))
        self.assertEqual(SHUTDOWN, self.driver.guest(self.uuid).power)
        self.assertIn("disk", self.driver.leftovers(self.uuid))
        self.assert_back(self.do("unshelve"), image_id)

    def test_a_failed_shelve_of_a_paused_guest_leaves_it_paused(self):
        self.driver.pause(self.uuid)
        self.record = model.replace(self.record, rest="paused")
        with self.stop("images", "upload", images.Unreachable("no"), False):
            self.assertEqual("failed", self.do("shelve", image_id=self.image()).result)
        self.assertEqual(lifecycle.PAUSED, self.driver.guest(self.uuid).power)

    def test_without_an_image_nothing_is_uploaded(self):
        self.assertEqual("done", self.do("shelve").result)
        self.assertEqual(SHUTDOWN, self.driver.guest(self.uuid).power)

    def test_offloaded_it_comes_back_from_its_image(self):
        image_id = self.shelved("shelved_offloaded")
        before = self.images.downloads
        self.assert_back(self.do("unshelve"), image_id)
        self.assertEqual([1], self.told)
        self.assertEqual(before + 1, self.images.downloads)

    def steps(self):
        for step in ("fetch_image", "create_disk", "write_config_drive", "define", "start"):
            for after in (False, True):
                with self.subTest(step=step, after=after):
                    self.begin()
                    yield step, after, self.shelved("shelved_offloaded")
                    self.driver.destroy(self.uuid)

    def test_an_unshelve_that_fails_leaves_nothing_but_the_image(self):
        for step, after, image_id in self.steps():
            with self.stop("driver", step, protocol.HostTrouble("no"), after):
                self.assertEqual("failed", self.do("unshelve").result)
            self.assertEqual([], self.driver.leftovers(self.uuid))
            self.assertTrue(self.images.filled(image_id))
            self.assert_back(self.do("unshelve"), image_id)

    def test_an_unshelve_that_is_killed_goes_on(self):
        for step, after, image_id in self.steps():
            with self.stop("driver", step, Killed(), after):
                self.assertRaises(Killed, self.do, "unshelve")
            self.assert_back(self.do("unshelve", again=True), image_id)

    def test_its_image_stays_until_the_cell_says_that_it_runs(self):
        image_id = self.shelved("shelved_offloaded")
        self.assertEqual("done", self.do("unshelve").result)
        self.assertTrue(self.images.filled(image_id))
        agent = self.agent()
        message = tasks.DropImage(server=self.uuid, image_id=image_id)
        with self.stop("images", "delete", images.Unreachable("no"), False):
            self.assertEqual([], agent.handle(message, 0.0))
        self.assertTrue(self.exists(image_id))
        for _time in range(2):
            self.assertEqual([], agent.handle(message, 0.0))
            self.assertFalse(self.exists(image_id))

    def test_an_image_that_is_gone(self):
        image_id = self.shelved("shelved_offloaded")
        self.images.remove(image_id)
        report = self.do("unshelve")
        self.assertEqual("failed", report.result)
        self.assertIn("could not be found", report.error)
        self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_an_offload_is_repeated(self):
        self.shelved()
        with self.stop("driver", "destroy", Killed(), True):
            self.assertRaises(Killed, self.do, "shelve_offload")
        self.assertEqual("done", self.do("shelve_offload", again=True).result)
        self.assertEqual([], self.driver.leftovers(self.uuid))
