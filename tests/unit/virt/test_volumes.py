# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes of the fake driver's guests: attached, swapped, grown, let go; nothing left behind."""

import testtools

from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.virt import fake, protocol, settings, volumes
from tests.unit.virt import specs

TOLD = {"driver_volume_type": "fake"}


def disk(volume="v1", device="/dev/vdb", **more):
    return volumes.GuestDisk(volume_id=volume, device=device, **more)


class Volumes(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.driver = fake.FakeDriver(settings.Settings(cell="c1", host="h1"))
        spec = specs.spec()
        self.spec = model.replace(spec, server=model.replace(spec.server, image=None))
        self.uuid = self.spec.server.uuid

    def boot(self, root=True):
        if root:
            self.driver.attach_volume(self.uuid, disk("root", "/dev/vda", root=True), TOLD)
        self.driver.fetch_image(self.spec)
        self.driver.create_disk(self.spec)
        self.driver.define(self.spec)
        self.driver.start(self.uuid)

    def test_a_guest_without_an_image_boots_from_its_volume_only(self):
        self.assertRaises(protocol.HostTrouble, self.boot, root=False)
        self.boot()
        self.assertEqual(lifecycle.RUNNING, self.driver.guest(self.uuid).power)
        self.assertRaises(errors.Conflict, self.driver.detach_volume, self.uuid, "root")

    def test_attach_and_detach_may_be_repeated(self):
        self.boot()
        for _time in range(2):
            self.driver.attach_volume(self.uuid, disk(), TOLD)
        self.assertEqual(["root", "v1"],
                         sorted(one.volume_id for one in self.driver.guest_disks(self.uuid)))
        for _time in range(2):
            self.driver.detach_volume(self.uuid, "v1")
        self.assertEqual(1, len(self.driver.guest_disks(self.uuid)))

    def test_one_device_is_one_volume(self):
        self.boot()
        self.driver.attach_volume(self.uuid, disk(), TOLD)
        self.assertRaises(errors.Conflict, self.driver.attach_volume, self.uuid, disk("v2"), TOLD)
        self.assertRaises(errors.Invalid, self.driver.attach_volume, self.uuid,
                          disk("v3", "/dev/vdc"), {})

    def test_swap_and_extend(self):
        self.boot()
        self.driver.attach_volume(self.uuid, disk(size=1), TOLD)
        for _time in range(2):
            self.driver.swap_volume(self.uuid, "v1", disk("v2", size=2), TOLD)
            self.driver.extend_volume(self.uuid, "v2", 3)
        self.assertEqual([3], [one.size for one in self.driver.guest_disks(self.uuid)
                               if one.volume_id == "v2"])
        self.assertRaises(errors.Invalid, self.driver.extend_volume, self.uuid, "v2", 2)
        self.assertRaises(errors.NotFound, self.driver.extend_volume, self.uuid, "v1", 5)

    def test_assisted_snapshots(self):
        self.boot()
        for _time in range(2):
            self.driver.snapshot_volume(self.uuid, "root", {"snapshot_id": "s1"})
        self.assertEqual(("s1",), self.driver.guest_disks(self.uuid)[0].snapshots)
        for _time in range(2):
            self.driver.delete_volume_snapshot(self.uuid, "root", "s1", {})
        self.assertEqual((), self.driver.guest_disks(self.uuid)[0].snapshots)

    def test_a_lone_volume_is_a_leftover_until_it_is_let_go(self):
        self.driver.attach_volume(self.uuid, disk(), TOLD)
        self.assertEqual(["volume v1"], self.driver.leftovers(self.uuid))
        self.driver.detach_volume(self.uuid, "v1")
        self.assertEqual([], self.driver.leftovers(self.uuid))
        self.boot()
        self.driver.destroy(self.uuid)
        self.assertEqual([], self.driver.leftovers(self.uuid))
