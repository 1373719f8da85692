# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes on a host: the volume service or the driver fails, stalls or is killed at each call, and
nothing is left; what is done again is done once."""

import uuid as uuids

import testtools

from nova_cells.compute import agent as agents
from nova_cells.compute import journal, rooms, volumes
from nova_cells.domain import boot, effects, errands, errors, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.virt import fake, protocol, settings
from nova_cells.volume import fake as fake_volumes
from nova_cells.volume import none

CALLS = ("uses", "reserve", "connect", "complete")
FLAVOR = model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=1)


class Killed(BaseException):
    """The agent dies here."""


class HostCase(testtools.TestCase):
    """A host, a volume service, a server that is to have a volume."""

    def setUp(self):
        super().setUp()
        self.room, self.images = fake_volumes.FakeVolumes(), fake_images.FakeImages()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"), self.images)
        self.journal = journal.MemoryJournal()
        self.fresh()

    def fresh(self, image=fake_images.CIRROS, **more):
        """Another server with one volume, of which nothing is done yet."""
        self.uuid, self.rest = str(uuids.uuid4()), "active"
        self.volume = self.room.add(2, bootable=True)
        self.attachment = model.Attachment(**{
            "volume_id": self.volume.id, "device": "/dev/vdb", "size": 2,
            "errand": str(uuids.uuid4()), **more})
        self.image = self.images.facts(image) if image else None

    def record(self, verb=None, ticket=1):
        return model.Server(
            uuid=self.uuid, project_id="p", user_id="u", epoch=1, version=ticket, verb=verb,
            ticket=ticket, created_at=0.0, image=self.image, host="h1", flavor=FLAVOR,
            rest=self.rest,
            name="guest", hostname="guest", attachments=(self.attachment,))

    def errand(self, verb=None, ticket=1, **more):
        return errands.Errand(**{
            "uuid": self.attachment.errand, "server": self.uuid, "kind": errands.VOLUME,
            "subject": self.volume.id, "epoch": 1, "version": ticket, "ticket": ticket,
            "verb": verb, "rest": "new" if verb == "attach_volume" else "attached",
            "attachment": self.attachment, **more})

    def agent(self, room="own"):
        """One more life of the agent."""
        return agents.Agent(self.driver, self.journal, "c1", "h1", rooms_=rooms.Rooms(
            images=self.images, volume=self.room if room == "own" else room))

    def report(self, message, agent=None):
        done = (agent or self.agent()).handle(message, 0.0)
        found = [effect.message for effect in done if isinstance(effect, effects.Cast)]
        return found[0] if found else None

    def verb(self, verb, ticket=1, agent=None):
        """A task of the server."""
        return self.report(tasks.Task(
            server=self.uuid, epoch=1, ticket=ticket, verb=verb, request=boot.BootRequest(),
            record=self.record(verb, ticket), attached=(self.errand(),)), agent)

    def run_(self, verb, ticket=1, agent=None, gone=False, **more):
        """A task of the errand."""
        return self.report(tasks.ErrandTask(
            server=self.uuid, epoch=1, version=ticket, errand=self.errand(verb, ticket, **more),
            record=None if gone else self.record()), agent)

    def status(self):
        return self.room.volumes[self.volume.id].status

    def disks(self):
        return [disk.volume_id for disk in self.driver.guest_disks(self.uuid)]

    def assert_attached(self):
        self.assertEqual(("in-use", [self.volume.id], 1), (
            self.status(), self.disks(), len(self.room.uses(self.uuid))))

    def assert_free(self):
        self.assertEqual(("available", [], []), (
            self.status(), self.disks(), self.room.uses(self.uuid)))


class Attach(HostCase):
    def fresh(self, **more):
        super().fresh(**more)
        record = model.replace(self.record(), attachments=())
        spec = protocol.GuestSpec(server=record, epoch=1, ticket=1, name="i", metadata={})
        for step in (self.driver.fetch_image, self.driver.create_disk, self.driver.define):
            step(spec)
        self.driver.start(self.uuid)

    def test_attach_and_detach(self):
        done = self.run_("attach_volume")
        self.assertEqual("done", done.result)
        self.assert_attached()
        [use] = self.room.uses(self.uuid)
        self.assertEqual((use.id, "h1"), (done.errand.attachment.attachment_id, use.host))
        self.assertEqual("done", self.run_("detach_volume", ticket=2).result)
        self.assert_free()

    def test_it_fails_or_stalls_at_each_call_and_nothing_is_left(self):
        for call in CALLS:
            for problem in (errors.Invalid("no"), None):
                for after in (False, True):
                    with self.subTest(call=call, problem=problem, after=after):
                        self.fresh()
                        self.room.fail(call, problem, after)
                        told = self.run_("attach_volume")
                        self.assertEqual(("failed", False), (told.result, told.left))
                        self.assert_free()
                        self.assertEqual("done", self.run_("attach_volume", ticket=2).result)
                        self.assert_attached()

    def test_what_cannot_be_undone_is_told_and_released_later(self):
        for call in ("uses", "release"):
            with self.subTest(call=call):
                self.fresh()
                self.room.fail("complete")
                if call == "uses":       # the first is before anything is reserved
                    real, asked = self.room.uses, []

                    def uses(*args):
                        asked.append(args)  # noqa: B023
                        if len(asked) == 2:  # noqa: B023
                            raise errors.CellDown("stalled")
                        return real(*args)  # noqa: B023
                    self.room.uses = uses
                else:
                    self.room.fail("release")
                told = self.run_("attach_volume")
                self.room.__dict__.pop("uses", None)
                self.assertEqual(("failed", True), (told.result, told.left))
                self.attachment = model.replace(self.attachment, delete_on_termination=True)
                self.assertEqual("done", self.run_("release", 2, fault="no").result)
                self.assertEqual([], self.room.uses(self.uuid))
                self.assertIn(self.volume.id, self.room.volumes)

    def test_the_driver_fails(self):
        for after in (False, True):
            self.fresh()
            self.driver.fail_next("attach_volume", protocol.HostTrouble("no slot"), after)
            self.assertEqual("failed", self.run_("attach_volume").result)
            self.assert_free()

    def test_killed_at_each_step_and_asked_again_it_is_attached_once(self):
        for call in CALLS:
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.room.fail(call, Killed(), after)
                    self.assertRaises(Killed, self.run_, "attach_volume")
                    self.assertEqual("done", self.run_("attach_volume").result)
                    self.assert_attached()

    def test_killed_while_detaching_and_asked_again(self):
        for call in ("uses", "release"):
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.run_("attach_volume")
                    self.room.fail(call, Killed(), after)
                    self.assertRaises(Killed, self.run_, "detach_volume", 2)
                    self.assertEqual("done", self.run_("detach_volume", ticket=2).result)
                    self.assert_free()

    def test_a_detach_that_stalls_is_attached_still_and_goes_later(self):
        self.run_("attach_volume")
        self.room.fail("release")
        self.assertEqual("failed", self.run_("detach_volume", ticket=2).result)
        self.assertEqual("done", self.run_("detach_volume", ticket=3).result)
        self.assert_free()

    def test_a_late_attach_does_not_bring_back_what_was_detached(self):
        self.run_("attach_volume")
        self.run_("detach_volume", ticket=2)
        self.assertIsNone(self.run_("attach_volume"))
        self.assert_free()

    def test_a_host_that_has_no_volume_service(self):
        told = self.run_("attach_volume", agent=self.agent(none.NoVolumes()))
        self.assertEqual("failed", told.result)

    def swap(self, ticket=2, new=None):
        new = new or self.room.add(3)
        return new, self.run_("swap_volume", ticket, options={"volume": new.id})

    def test_swap(self):
        for migrating in (False, True):
            self.fresh()
            self.run_("attach_volume")
            self.room._set(self.volume.id, migration="migrating" if migrating else None)
            new, told = self.swap()
            kept = self.volume.id if migrating else new.id
            self.assertEqual(("done", kept), (told.result, told.errand.attachment.volume_id))
            self.assertEqual([kept], self.disks())
            self.assertEqual([new.id], [use.volume_id for use in self.room.uses(self.uuid)])
            self.assertEqual("available", self.status())

    def test_a_swap_that_fails_leaves_the_old_one(self):
        for call in ("reserve", "connect", "complete"):
            with self.subTest(call=call):
                self.fresh()
                self.run_("attach_volume")
                self.room.fail(call)
                new, told = self.swap()
                self.assertEqual("failed", told.result)
                self.assertEqual("available", self.room.volumes[new.id].status)
                self.assertIn(("migrated", self.volume.id, new.id, "True"), self.room.told)
                self.assertEqual("in-use", self.status())

    def test_extended(self):
        self.run_("attach_volume")
        self.room._set(self.volume.id, size=9)
        told = self.run_("extend_volume", ticket=2)
        self.assertEqual((9, 9), (told.errand.attachment.size,
                                  self.driver.guest_disks(self.uuid)[0].size))

    def test_assisted_snapshots_tell_the_volume_service(self):
        self.run_("attach_volume")
        self.run_("snapshot_volume", 2, options={"snapshot_id": "s1"})
        self.run_("drop_volume_snapshot", 3, options={"snapshot_id": "s1"})
        self.driver.fail_next("snapshot_volume", protocol.HostTrouble("no"))
        self.assertEqual("failed", self.run_(
            "snapshot_volume", 4, options={"snapshot_id": "s2"}).result)
        self.assertEqual([("snapshot", "s1", "creating"), ("snapshot", "s1", "deleting"),
                          ("snapshot", "s2", "error")], self.room.told)


class Boot(HostCase):
    """From a volume; the steps of a boot are failed in ``conformance.failing``, too."""

    def fresh(self, **more):
        super().fresh(**{"image": None, "device": "/dev/vda", "boot_index": 0,
                         "delete_on_termination": True, **more})

    def test_boot_and_delete(self):
        self.room._set(self.volume.id, status="creating")
        self.room.slow = 2
        pauses = []
        self.patch(volumes, "pause", pauses.append)
        done = self.verb("boot")
        self.assertEqual(("done", lifecycle.RUNNING), (done.result, done.power_state), done)
        self.assertEqual(2, len(pauses))
        self.assert_attached()
        [told] = done.attached
        self.assertEqual(self.room.uses(self.uuid)[0].id, told.attachment.attachment_id)
        gone = self.verb("delete", ticket=2)
        self.assertEqual([self.attachment.errand], [one.uuid for one in gone.attached])
        self.assertEqual(({}, {}), (self.room.volumes, self.room.attachments))
        self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_it_fails_or_stalls_at_each_call_and_nothing_is_left(self):
        for call in ("show", *CALLS):
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.room.fail(call, None, after)
                    told = self.verb("boot")
                    self.assertEqual("failed", told.result)
                    self.assert_free()
                    self.assertEqual([], self.driver.leftovers(self.uuid))
                    self.assertEqual("done", self.verb("boot", ticket=2).result)
                    self.assert_attached()

    def test_killed_at_each_call_and_asked_again_it_runs(self):
        for call in ("show", *CALLS):
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.room.fail(call, Killed(), after)
                    self.assertRaises(Killed, self.verb, "boot")
                    self.assertEqual("done", self.verb("boot").result)
                    self.assert_attached()

    def test_killed_and_then_deleted_nothing_is_left(self):
        for call in CALLS:
            for after in (False, True):
                with self.subTest(call=call, after=after):
                    self.fresh()
                    self.room.fail(call, Killed(), after)
                    self.assertRaises(Killed, self.verb, "boot")
                    self.verb("delete", ticket=2)
                    self.assertEqual([], self.room.uses(self.uuid))
                    self.assertEqual([], self.driver.leftovers(self.uuid))

    def test_shelved_away_it_is_kept_and_comes_back(self):
        self.verb("boot")
        for ticket in (2, 3):            # twice is once
            told = self.verb("shelve_offload", ticket=ticket)
            self.assertEqual(("done", 1), (told.result, len(told.attached)))
            [use] = self.room.uses(self.uuid)
            self.assertEqual((None, "reserved"), (use.host, self.status()))
        self.rest = "shelved_offloaded"
        self.assertEqual("done", self.verb("unshelve", ticket=4).result)
        self.assert_attached()

    def test_a_volume_that_could_not_be_made(self):
        self.room._set(self.volume.id, status="error")
        told = self.verb("boot")
        self.assertEqual(("failed", False), (told.result, told.elsewhere))
        self.assertIn("did not finish being created", told.error)

    def test_a_delete_that_the_volume_service_does_not_hear_is_not_told_as_all(self):
        for call in ("uses", "release", "delete"):
            with self.subTest(call=call):
                self.fresh()
                self.verb("boot")
                self.room.fail(call)
                told = self.verb("delete", ticket=2)
                self.assertEqual(("done", ()), (told.result, told.attached))
                self.assertEqual("done", self.run_("release", 3, gone=True).result)
                self.assertEqual(([], False), (self.room.uses(self.uuid),
                                               self.volume.id in self.room.volumes))

    def test_a_volume_that_stays_is_only_let_go(self):
        self.fresh(delete_on_termination=False)
        self.verb("boot")
        self.verb("delete", ticket=2)
        self.assertEqual("available", self.status())

    def test_another_host_s_connection_is_let_go_of(self):
        other = self.room.reserve(self.volume.id, self.uuid)
        self.room.connect(other, {"host": "h0"})
        self.assertEqual("done", self.verb("boot").result)
        self.assertEqual(["h1"], [use.host for use in self.room.uses(self.uuid)])

    def test_a_host_that_cannot_lets_another_try(self):
        told = self.verb("boot", agent=self.agent(none.NoVolumes()))
        self.assertEqual(("failed", True), (told.result, told.elsewhere), told)
