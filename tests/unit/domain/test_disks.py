# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What bodies say of disks, and which names new disks get."""

import testtools

from nova_cells.domain import disks, errors
from nova_cells.domain import server as model

IMAGE, VOLUME = "1a9e0000-0000-4000-8000-000000000001", "501a0000-0000-4000-8000-000000000001"
FLAVOR = model.Flavor(id="1", name="f", vcpus=1, ram_mb=512, disk_gb=1, ephemeral_gb=10,
                      swap_mb=512)
ROOT = {"source_type": "image", "destination_type": "local", "uuid": IMAGE, "boot_index": 0}
DATA = {"source_type": "volume", "destination_type": "volume", "uuid": VOLUME}
BLANK = {"source_type": "blank", "destination_type": "local"}


def read(*new, image=IMAGE, count=1):
    found = disks.read((), new, image)
    disks.check(found, FLAVOR, image, count)
    return found


class Reading(testtools.TestCase):
    def refused(self, words, *new, image=IMAGE, count=1):
        problem = self.assertRaises(errors.Invalid, read, *new, image=image, count=count)
        self.assertIn(words, problem.message)

    def test_an_image_and_a_volume(self):
        root, data = read(ROOT, {**DATA, "boot_index": None, "delete_on_termination": "true",
                                 "tag": "t", "device_name": "vdb"})
        self.assertEqual((True, False), (root.root, root.on_volume))
        self.assertEqual((VOLUME, True, "t", "/dev/vdb", False),
                         (data.uuid, data.delete, data.tag, data.device, data.root))

    def test_booting_from_a_new_volume(self):
        [root] = read({"source_type": "image", "destination_type": "volume", "uuid": IMAGE,
                       "boot_index": "0", "volume_size": "5", "volume_type": "fast",
                       "delete_on_termination": True}, image="")
        self.assertEqual((5, "fast", True, True),
                         (root.size, root.volume_type, root.root, root.delete))

    def test_what_is_refused(self):
        boot = {**DATA, "boot_index": 0}
        for words, new, image in (
                ("Missing device UUID", [{"source_type": "volume", "boot_index": 0}], ""),
                ("Invalid device UUID", [ROOT, {**BLANK, "uuid": VOLUME}], IMAGE),
                ("Mapping image to local is not", [{**ROOT, "boot_index": 1}], IMAGE),
                ("Mapping image to local is not", [ROOT], ""),
                ("volume_type with destination_type=local", [
                    ROOT, {**BLANK, "volume_type": "x"}], IMAGE),
                ("volume type to existing volume", [{**boot, "volume_type": "x"}], ""),
                ("Boot sequence", [DATA], ""),
                ("Boot sequence", [boot, {**DATA, "boot_index": 2}], ""),
                ("Boot sequence", [boot, ROOT], IMAGE),
                ("non-zero size specified", [{**ROOT, "destination_type": "volume"}], ""),
                ("to have non-zero size", [
                    ROOT, {"source_type": "blank", "destination_type": "volume"}], IMAGE),
                ("Ephemeral disks requested", [ROOT, {**BLANK, "volume_size": 11}], IMAGE),
                ("More than one swap", [ROOT, *[{**BLANK, "guest_format": "swap"}] * 2], IMAGE),
                ("Swap drive requested", [
                    ROOT, {**BLANK, "guest_format": "swap", "volume_size": 513}], IMAGE),
                ("more local devices", [ROOT, *[{**BLANK, "volume_size": 1}] * 3], IMAGE),
                ("same device name as the root", [ROOT, {**DATA, "device_name": "vda"}], IMAGE),
                ("Mapping volume to local", [
                    ROOT, {**DATA, "destination_type": "local"}], IMAGE),
                ("Block Device Mapping is Invalid.", [{**boot, "disk_bus": "string"}], "")):
            self.refused(words, *new, image=image)
        self.refused("multiple instances", boot, image="", count=2)

    def test_both_forms(self):
        problem = self.assertRaises(errors.Invalid, disks.read, [{}], [ROOT], IMAGE)
        self.assertIn("different block_device_mapping syntaxes", problem.message)

    def test_the_old_form(self):
        [root] = disks.read([{"device_name": "vda", "volume_id": VOLUME,
                              "delete_on_termination": "1"}], (), "")
        self.assertEqual((True, True, VOLUME), (root.root, root.delete, root.uuid))
        image, swap, snapshot = disks.read([
            {"virtual_name": "swap"}, {"device_name": "/dev/vdc", "snapshot_id": VOLUME},
            {"no_device": True}], (), IMAGE)
        self.assertEqual((IMAGE, True), (image.uuid, image.root))
        self.assertEqual(("swap", "local", "snapshot", "volume"), (
            swap.guest_format, swap.destination, snapshot.source, snapshot.destination))
        self.assertRaises(errors.Invalid, disks.read, [{"device_name": "vdb"}], (), IMAGE)

    def test_no_device_is_none(self):
        self.assertEqual(1, len(read(ROOT, {"no_device": True})))


class Names(testtools.TestCase):
    def test_the_next_free_one(self):
        self.assertEqual("/dev/vdb", disks.free_device([], "/dev/vda"))
        self.assertEqual("/dev/vdd", disks.free_device(["/dev/vdb", "/dev/sdc"], None))
        self.assertEqual("/dev/sdb", disks.free_device([], "/dev/sda1"))
        taken = [f"/dev/vd{chr(97 + number)}" for number in range(26)]
        self.assertEqual("/dev/vdaa", disks.free_device(taken, "/dev/vda"))

    def test_a_wanted_one(self):
        self.assertEqual("/dev/vdx", disks.named("/dev/vdx", ["/dev/vdb"], "/dev/vda"))
        self.assertRaises(errors.Conflict, disks.named, "/dev/vdb", ["/dev/xvdb"], None)
        self.assertRaises(errors.Conflict, disks.named, "/dev/vda", [], None)
        self.assertRaises(errors.Invalid, disks.named, "/mnt/a", [], None)

    def test_all_taken(self):
        taken = [disks.free_device([], None)]
        for _one in range(26 * 27 - 2):
            taken.append(disks.free_device(taken, None))
        self.assertRaises(errors.Refused, disks.free_device, taken, None)
