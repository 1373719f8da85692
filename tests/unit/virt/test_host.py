"""What a host is told, who it is, where it keeps things, and what its guests said."""

import os
import unittest

from oslo_config import cfg

from nova_cells.domain import errors
from nova_cells.virt import fake, identity, loader, settings
from nova_cells.virt.libvirt import console, paths
from tests.unit.virt import specs, test_disk


class Loader(test_disk.WithDirectory):
    def conf(self, text):
        path = self.path("nova-cells.conf")
        with open(path, "w") as file:
            file.write(text)
        conf = cfg.ConfigOpts()
        conf([], project="nova-cells", default_config_files=[path])
        return conf

    def test_nova_s_spelling(self):
        conf = self.conf("[DEFAULT]\ncompute_driver = fake.FakeDriver\n")
        driver = loader.load(conf, "cell1", "h1")
        self.assertIsInstance(driver, fake.FakeDriver)
        self.assertEqual("h1", driver.facts().hostname)
        for name in ("libvirt", "libvirt.LibvirtDriver"):
            conf.set_override("compute_driver", name)
            self.assertEqual("libvirt", loader.driver_name(conf))

    def test_unknown_driver(self):
        with self.assertRaisesRegex(errors.Invalid, "xen is unknown: use one of fake, libvirt"):
            loader.load(self.conf("[DEFAULT]\ncompute_driver = xen.XenDriver\n"), "c", "h")

    def test_virt_type_is_never_guessed(self):
        conf = self.conf(f"[DEFAULT]\ninstances_path = {self.directory}\n")
        with self.assertRaisesRegex(errors.Invalid, "virt_type is not set: say qemu"):
            loader.resolve(conf, "c", "h")

    def test_nowhere_to_keep_guests(self):
        with self.assertRaisesRegex(errors.Invalid, "nowhere to keep guests"):
            loader.resolve(self.conf("[libvirt]\nvirt_type = qemu\n"), "c", "h")

    def test_a_host_of_its_own(self):
        conf = self.conf("""
[DEFAULT]
instances_path = /general
[libvirt]
virt_type = qemu
connection_uri = qemu:///system
[host.cell1.c1-h1]
connection_uri = qemu+unix:///system?socket=/x
instances_path = /own
""")
        own, other = (loader.resolve(conf, "cell1", name) for name in ("c1-h1", "c1-h2"))
        self.assertEqual(("/own", "qemu+unix:///system?socket=/x"),
                         (own.instances_path, own.libvirt.connection_uri))
        self.assertEqual(("/general", "qemu:///system"),
                         (other.instances_path, other.libvirt.connection_uri))

    def test_fake_hosts_share_a_path_but_not_a_directory(self):
        conf = self.conf(f"""
[DEFAULT]
compute_driver = fake
instances_path = {self.directory}
[fake]
vcpus = 8
memory_mb = 1024
[host.c1.h2]
vcpus = 16
""")
        first, second = (loader.load(conf, "c1", name) for name in ("h1", "h2"))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        self.assertNotEqual(first.facts().uuid, second.facts().uuid)
        self.assertEqual([8, 16], [driver.facts().inventory["VCPU"].total
                                   for driver in (first, second)])
        self.assertEqual(1024, first.facts().inventory["MEMORY_MB"].capacity)


class Ratios(unittest.TestCase):
    def test_inventory(self):
        found = settings.Ratios(reserved_disk_mb=1500).inventory(4, 2048, 100)
        self.assertEqual({"VCPU": 16, "MEMORY_MB": 1536, "DISK_GB": 98},
                         {name: room.capacity for name, room in found.items()})

    def test_never_less_than_nothing(self):
        found = settings.Ratios(reserved_memory_mb=4096).inventory(1, 1024, 1)
        self.assertEqual(0, found["MEMORY_MB"].capacity)


class Identity(test_disk.WithDirectory):
    def test_it_is_kept(self):
        first = identity.host_uuid(self.path("new"), "c", "h")
        self.assertEqual(first, identity.host_uuid(self.path("new"), "c", "h"))

    def test_a_bare_uuid_is_accepted(self):
        with open(self.path(identity.FILE), "w") as file:
            file.write(specs.UUID)
        self.assertEqual(specs.UUID, identity.host_uuid(self.directory, "c", "h"))

    def test_two_hosts_never_share_a_directory(self):
        identity.host_uuid(self.directory, "c", "h1")
        with self.assertRaisesRegex(errors.Invalid, "belongs to host c/h1, not to c/h2"):
            identity.host_uuid(self.directory, "c", "h2")

    def test_nonsense(self):
        with open(self.path(identity.FILE), "w") as file:
            file.write("nonsense")
        with self.assertRaisesRegex(errors.Invalid, "holds no uuid"):
            identity.host_uuid(self.directory, "c", "h")


class Paths(test_disk.WithDirectory):
    def test_only_uuids_make_paths(self):
        where = paths.Paths(self.directory)
        for name in ("../../etc", "_base", "", "a/b", None):
            with self.assertRaises(errors.Invalid):
                where.guest(name)
        self.assertEqual(self.path(specs.UUID, "disk"), where.disk(specs.UUID.upper()))

    def test_parts_count_as_what_they_are_parts_of(self):
        where = paths.Paths(self.directory)
        os.makedirs(where.guest(specs.UUID))
        self.assertEqual(["directory"], where.leftovers(specs.UUID))
        for name in ("disk.part", "disk.config.part", "console.log.0", "odd"):
            with open(where.guest(specs.UUID, name), "w"):
                pass
        self.assertEqual(["config drive", "console log", "disk", "odd"],
                         where.leftovers(specs.UUID))


class Console(test_disk.WithDirectory):
    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path("console.log")

    def test_nothing_yet(self):
        self.assertEqual("", console.tail(self.path("console.log"), None))

    def test_lines(self):
        path = self.write("console.log", b"one\r\ntwo\nthree")
        self.assertEqual("two\nthree", console.tail(path, 2))
        self.assertEqual("one\r\ntwo\nthree", console.tail(path, 99))
        for none in (0, -1):
            self.assertEqual("", console.tail(path, none))

    def test_the_older_half_comes_first(self):
        self.write("console.log.0", b"old\n")
        self.assertEqual("old\nnew\n", console.tail(self.write("console.log", b"new\n"), None))

    def test_only_the_end_of_a_long_one(self):
        path = self.write("console.log", b"x" * console.LIMIT + b"end")
        self.assertEqual(console.LIMIT, len(console.tail(path, None)))
        self.assertTrue(console.tail(path, None).endswith("end"))

    def test_bytes_of_strangers(self):
        path = self.write("console.log", b"\xff\xfe\x00ok")
        self.assertTrue(console.tail(path, None).endswith("\x00ok"))
