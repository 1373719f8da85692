"""Real guests keep the same promises as the fake ones, and some that only they can break."""

import contextlib
import os
import signal
import subprocess
import time
import unittest
import uuid as uuids
from unittest import mock

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.virt import protocol, settings
from nova_cells.virt.libvirt import connection, disk, driver
from tests.conformance import driver as conformance
from tests.libvirt import hypervisor, machinecode


def setUpModule():
    hypervisor.shared()


def tearDownModule():
    hypervisor.forget()


class LibvirtConformance(conformance.DriverConformance, unittest.TestCase):
    """The common suite on QEMU."""

    def open_driver(self, **how):
        here = hypervisor.shared()
        return driver.LibvirtDriver(settings.Settings(
            cell="c1", host="h1", instances_path=here.instances,
            libvirt=settings.LibvirtHost(connection_uri=here.uri, virt_type="qemu", **how)),
            self.images)

    def crash(self, driver, spec):
        os.kill(hypervisor.shared().guest_pid(spec.name), signal.SIGKILL)

    @contextlib.contextmanager
    def full_disk(self, driver):
        with mock.patch.object(disk, "free_bytes", return_value=disk.MARGIN + 1):
            yield

    # -- what only a real host can show --------------------------------------------------------

    def test_a_file_system_that_is_really_full(self):
        base = os.path.join(hypervisor.shared().instances, "_base")
        os.makedirs(base, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", base],
                              check=False)
        if done.returncode:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", base], check=True)
        image = self.images.add(str(uuids.uuid4()), os.urandom(1024 ** 2))
        with mock.patch.object(disk, "MARGIN", -1024 ** 4):      # past the first check
            self.refused(protocol.HostTrouble, image)
        self.assertEqual([], [name for name in os.listdir(base) if not name.endswith(".lock")])

    def test_a_truncated_qcow2(self):
        image = self.full_qcow2(cut=1)
        for raw in (True, False):
            self.driver.close()
            self.driver = self.open_driver(force_raw_images=raw)
            self.refused(errors.Invalid, image)

    def full_qcow2(self, cut=0):
        """A qcow2 whose data are at its end; ``cut``: without its last MiB."""
        source = os.path.join(hypervisor.shared().directory, "source")
        target = source + ".qcow2"
        with open(source, "wb") as file:
            file.write(machinecode.boot_sector() + os.urandom(4 * 1024 ** 2))
        disk.qemu_img("convert", "-f", "raw", "-O", "qcow2", source, target)
        with open(target, "rb") as file:
            data = file.read()
        return self.images.add(str(uuids.uuid4()), data[:len(data) - cut * 1024 ** 2],
                               disk_format="qcow2")

    def test_a_real_qcow2_boots_either_way(self):
        image = self.full_qcow2()
        for raw in (True, False):
            with self.subTest(raw=raw):
                self.driver.close()
                self.driver = self.open_driver(force_raw_images=raw)
                self.until_booted(self.boot(image=image).server.uuid)

    def test_a_disk_grows_and_never_shrinks(self):
        spec = self.spec(disk_gb=1)
        path = self.driver._paths.disk(spec.server.uuid)
        self.driver.fetch_image(spec)
        for size, becomes in ((1, 1), (3, 3), (2, 3)):
            flavor = model.replace(spec.server.flavor, disk_gb=size)
            self.driver.create_disk(
                model.replace(spec, server=model.replace(spec.server, flavor=flavor)))
            self.assertEqual(becomes << 30, disk._overlay_size(path))

    def test_a_flavor_with_further_disks(self):
        spec = self.spec()
        flavor = model.replace(spec.server.flavor, ephemeral_gb=1, swap_mb=8)
        for bus, machine in (("virtio", "pc"), ("ide", "pc"), ("sata", "q35"), ("scsi", "q35")):
            with self.subTest(bus=bus, machine=machine):
                image = model.replace(self.good, properties={"hw_disk_bus": bus,
                                                             "hw_machine_type": machine})
                wanted = self.spec(image=image)
                wanted = model.replace(wanted, server=model.replace(wanted.server, flavor=flavor))
                for step in conformance.STEPS * 2:
                    getattr(self.driver, step)(wanted)
                uuid = wanted.server.uuid
                self.driver.start(uuid)
                self.until_booted(uuid)
                self.driver.undefine(uuid)
                self.driver.remove_config_drive(uuid)
                self.driver.remove_disk(uuid)
                self.assertEqual([], self.driver.leftovers(uuid))

    def test_what_a_killed_agent_leaves(self):
        spec = self.spec()
        uuid = spec.server.uuid
        os.makedirs(self.driver._paths.guest(uuid))
        for name in ("disk.part", "disk.config.part"):
            with open(self.driver._paths.guest(uuid, name), "w") as file:
                file.write("half")
        self.assertEqual({"disk", "config drive"}, set(self.driver.leftovers(uuid)))
        for step in conformance.STEPS:
            getattr(self.driver, step)(spec)
        self.driver.start(uuid)
        self.until_booted(uuid)
        for name in (".fetched", ".part"):
            image = self.images.add(str(uuids.uuid4()), machinecode.boot_sector())
            with open(self.driver._cache.path(image) + name, "w") as file:
                file.write("half")
            self.until_booted(self.boot(image=image).server.uuid)

    def test_libvirtd_restarts_under_us(self):
        told = []
        self.driver.watch(told.append)
        spec = self.boot()
        uuid = spec.server.uuid
        here = hypervisor.shared()
        here.stop()
        self.assertRaises(protocol.HostTrouble, self.driver.stop, uuid, 0)
        here.start()
        self.assertEqual(conformance.RUNNING, self.power(uuid))
        told.clear()
        self.driver.pause(uuid)
        self.until(lambda: any(guest.power == conformance.PAUSED for guest in told))
        self.driver.destroy(uuid)
        self.assertEqual([], self.driver.leftovers(uuid))

    def test_a_daemon_that_hangs_is_found_out(self):
        self.driver.close()
        with mock.patch.object(connection, "KEEPALIVE", (1, 2)):
            self.driver = self.open_driver()
        with open(os.path.join(hypervisor.shared().directory, "libvirtd.own")) as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            self.assertRaises(protocol.HostTrouble, self.driver.guests)
            self.assertLess(time.monotonic() - began, 20)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.driver.guests()

    def test_others_guests_are_not_ours(self):
        uuid = str(uuids.uuid4())
        conn = self.driver._link.get()
        dom = conn.defineXML(f"<domain type='qemu'><name>other</name><uuid>{uuid}</uuid>"
                             f"<memory>32768</memory><os><type>hvm</type></os></domain>")
        self.addCleanup(dom.undefine)
        self.assertIsNone(self.driver.guest(uuid))
        self.assertNotIn(uuid, [guest.uuid for guest in self.driver.guests()])

    def test_the_owner_powers_off_inside(self):
        told = []
        self.driver.watch(told.append)
        image = self.images.add(str(uuids.uuid4()), machinecode.boot_sector(machinecode.BRIEF))
        uuid = self.boot(image=image).server.uuid
        self.until(lambda: told and told[-1].uuid == uuid
                   and told[-1].power == conformance.OFF)
        self.assertIn(machinecode.BYE, self.driver.console_log(uuid, 1))

    def test_no_daemon_is_one_clear_sentence(self):
        here = hypervisor.shared()
        problem = None
        try:
            driver.LibvirtDriver(settings.Settings(
                cell="c1", host="h1", instances_path=here.instances,
                libvirt=settings.LibvirtHost(virt_type="qemu",
                                             connection_uri="qemu+unix:///system?socket=/nowhere")),
                self.images)
        except protocol.HostTrouble as found:
            problem = str(found)
        self.assertIn("libvirt at qemu+unix:///system?socket=/nowhere does not answer", problem)

    def test_the_config_drive_can_be_read(self):
        spec = self.spec()
        self.driver.write_config_drive(spec)
        path = self.driver._paths.config_drive(spec.server.uuid)
        with open(path, "rb") as file:
            file.seek(32808)
            self.assertEqual(b"config-2", file.read(8))

    def test_figures(self):
        """Not a check: how long things take here."""
        spec = self.spec(image=fake_images.FakeImages().facts(fake_images.CIRROS))
        times = {}
        def timed(name, call, *words):
            began = time.perf_counter()
            call(*words)
            times[name] = time.perf_counter() - began
        spec = self.spec()
        uuid = spec.server.uuid
        for step in conformance.STEPS:
            timed(step, getattr(self.driver, step), spec)
        timed("start", self.driver.start, uuid)
        timed("boot", self.until_booted, uuid)
        for name in ("pause", "unpause", "suspend", "resume", "reset"):
            timed(name, getattr(self.driver, name), uuid)
        timed("stop", self.driver.stop, uuid, 0)
        timed("destroy", self.driver.destroy, uuid)
        print(" ".join(f"{name}={1000 * took:.0f}ms" for name, took in times.items()))


if __name__ == "__main__":
    unittest.main()
