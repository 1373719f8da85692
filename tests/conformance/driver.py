"""What every driver must do, said once: run on the fake and on real QEMU alike.

A subclass of ``DriverConformance`` supplies the hypervisor: ``open_driver``, and how to crash
a guest, make one deaf to its power button and fill the host's disk.
"""

import threading
import time
import uuid as uuids

from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.image import protocol as image_protocol
from nova_cells.virt import inplace, protocol, telling
from tests.libvirt import machinecode

RUNNING, PAUSED, OFF = lifecycle.RUNNING, lifecycle.PAUSED, lifecycle.SHUTDOWN
STEPS = ("fetch_image", "create_disk", "write_config_drive", "define")
UNDO = {"start": "stop", "create_disk": "remove_disk", "write_config_drive": "remove_config_drive",
        "define": "undefine"}
PATIENCE = 1.0
#: From each state, what each call makes of it; None: Conflict.
POWER = {
    #            running   paused    off       suspended
    "start":    (RUNNING,  RUNNING,  RUNNING,  RUNNING),
    "resume":   (RUNNING,  RUNNING,  RUNNING,  RUNNING),
    "stop":     (OFF,      OFF,      OFF,      OFF),
    "reset":    (RUNNING,  RUNNING,  RUNNING,  RUNNING),
    "pause":    (PAUSED,   PAUSED,   None,     None),
    "unpause":  (RUNNING,  RUNNING,  None,     None),
    "suspend":  (OFF,      OFF,      None,     OFF),
    "reboot":   (RUNNING,  None,     None,     None),
}
#: Capabilities that are no verb's alone.
BESIDE = frozenset({"cache_images", "volumes", "assisted_snapshots", "interfaces"})
STATES = ("running", "paused", "off", "suspended")


class DriverConformance:
    """Mix with a ``TestCase``."""

    boot_marker = machinecode.HELLO

    # -- supplied by the subclass --------------------------------------------------------------

    def open_driver(self):
        """A driver for the test's host; a second call is a restarted agent."""
        raise NotImplementedError

    def crash(self, driver, spec):
        """Kill the guest's process."""
        raise NotImplementedError

    def make_deaf(self, driver, uuid):
        """The guest ignores its power button (nothing to do if its image is deaf)."""

    def full_disk(self, driver):
        """A context in which the host's disk is full."""
        raise NotImplementedError

    # -- helpers -------------------------------------------------------------------------------

    def setUp(self):
        super().setUp()
        self.images = fake_images.FakeImages()
        self.good = self.images.add(str(uuids.uuid4()), machinecode.boot_sector())
        self.deaf = self.images.add(str(uuids.uuid4()),
                                    machinecode.boot_sector(machinecode.DEAF))
        self.driver = self.open_driver()
        self.addCleanup(self._clean)
        self.made = []

    def _clean(self):
        driver = self.open_driver()
        for uuid in self.made:
            driver.destroy(uuid)
            self.assertEqual([], driver.leftovers(uuid))
        driver.close()
        self.driver.close()

    def spec(self, image=None, uuid=None, ticket=1, disk_gb=1, config_drive=True):
        uuid = uuid or str(uuids.uuid4())
        self.made.append(uuid)
        server = model.Server(
            uuid=uuid, project_id="p", user_id="u", epoch=1, version=ticket, created_at=0.0,
            flavor=model.Flavor(id="1", name="tiny", vcpus=1, ram_mb=32, disk_gb=disk_gb),
            image=image or self.good, config_drive=config_drive)
        return protocol.GuestSpec(server=server, epoch=1, ticket=ticket, name=f"nc-{uuid[:13]}",
                                  metadata={"uuid": uuid, "hostname": "conform"})

    def boot(self, driver=None, **how):
        driver = driver or self.driver
        spec = self.spec(**how)
        for step in STEPS:
            getattr(driver, step)(spec)
        driver.start(spec.server.uuid)
        return spec

    def power(self, uuid):
        guest = self.driver.guest(uuid)
        return guest and guest.power

    def bring(self, uuid, state):
        """Whatever it is, make it so."""
        self.driver.reset(uuid)
        if state == "paused":
            self.driver.pause(uuid)
        elif state == "off":
            self.driver.stop(uuid, 0)
        elif state == "suspended":
            self.driver.suspend(uuid)

    def call(self, method, uuid):
        patience = (10.0,) if method == "reboot" else (0,) if method == "stop" else ()
        return getattr(self.driver, method)(uuid, *patience)

    def until(self, what, seconds=20.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.02)
        self.fail("it did not happen in time")

    def until_booted(self, uuid, times=1):
        self.until(lambda: self.driver.console_log(uuid, None).count(self.boot_marker) >= times)

    # -- what is here --------------------------------------------------------------------------

    def test_it_is_a_driver_of_the_common_verbs(self):
        self.assertIsInstance(self.driver, protocol.Driver)
        beside = telling.CAPABILITIES | inplace.EXTRAS | BESIDE
        self.assertLessEqual(self.driver.capabilities - beside,
                             {verb.capability for verb in lifecycle.VERBS.values()})
        self.assertLessEqual({"boot", "delete", "reboot_hard"}, self.driver.capabilities)

    def test_facts_outlive_a_restart(self):
        facts = self.driver.facts()
        self.driver.close()
        self.driver = self.open_driver()
        self.assertEqual(facts, self.driver.facts())
        self.assertEqual({"VCPU", "MEMORY_MB", "DISK_GB"}, set(facts.inventory))
        self.assertTrue(all(room.capacity > 0 for room in facts.inventory.values()))

    def test_unknown_guest(self):
        uuid = str(uuids.uuid4())
        self.assertIsNone(self.driver.guest(uuid))
        self.assertEqual([], self.driver.leftovers(uuid))
        for method in POWER:
            with self.subTest(method=method):
                self.assertRaises(errors.NotFound, self.call, method, uuid)
        self.assertRaises(errors.NotFound, self.driver.console_log, uuid, None)
        for method in ("destroy", "undefine", "remove_disk", "remove_config_drive"):
            getattr(self.driver, method)(uuid)

    # -- building ------------------------------------------------------------------------------

    def test_boot_and_delete_leave_nothing(self):
        spec = self.boot()
        uuid = spec.server.uuid
        self.until_booted(uuid)
        self.assertEqual(RUNNING, self.power(uuid))
        self.assertIn(self.driver.guest(uuid), self.driver.guests())
        self.assertEqual({"process", "definition", "disk", "config drive", "console log"},
                         set(self.driver.leftovers(uuid)))
        self.driver.destroy(uuid)
        self.assertEqual([], self.driver.leftovers(uuid))
        self.assertIsNone(self.driver.guest(uuid))
        self.driver.destroy(uuid)

    def test_every_step_may_be_repeated(self):
        spec = self.spec()
        for step in STEPS:
            with self.subTest(step=step):
                getattr(self.driver, step)(spec)
                before = self.driver.leftovers(spec.server.uuid)
                getattr(self.driver, step)(spec)
                self.assertEqual(before, self.driver.leftovers(spec.server.uuid))
        for _ in range(2):
            self.driver.start(spec.server.uuid)
            self.assertEqual(RUNNING, self.power(spec.server.uuid))
        for step in STEPS:                       # all again while it runs
            getattr(self.driver, step)(spec)
            self.assertEqual(RUNNING, self.power(spec.server.uuid))

    def test_every_step_has_its_way_back(self):
        steps = (*STEPS, "start")
        for count in range(1, len(steps) + 1):
            with self.subTest(steps=steps[:count]):
                spec = self.spec()
                uuid = spec.server.uuid
                for step in steps[:count]:
                    getattr(self.driver, step)(uuid if step == "start" else spec)
                for step in reversed(steps[:count]):
                    if step in UNDO:
                        words = (uuid, 0) if step == "start" else (uuid,)
                        getattr(self.driver, UNDO[step])(*words)
                        getattr(self.driver, UNDO[step])(*words)
                self.assertEqual([], self.driver.leftovers(uuid))

    def test_what_a_killed_agent_left_is_listed(self):
        spec = self.spec()
        for step in STEPS[:2]:
            getattr(self.driver, step)(spec)
        self.assertIn(spec.server.uuid, [guest.uuid for guest in self.driver.guests()])
        self.assertIsNone(self.driver.guest(spec.server.uuid))
        self.driver.destroy(spec.server.uuid)
        self.assertNotIn(spec.server.uuid, [guest.uuid for guest in self.driver.guests()])

    def test_destroy_after_any_step(self):
        for count in range(len(STEPS) + 1):
            with self.subTest(steps=STEPS[:count]):
                spec = self.spec()
                for step in STEPS[:count]:
                    getattr(self.driver, step)(spec)
                self.driver.destroy(spec.server.uuid)
                self.assertEqual([], self.driver.leftovers(spec.server.uuid))

    def test_destroy_in_any_state(self):
        for state in STATES:
            with self.subTest(state=state):
                uuid = self.boot().server.uuid
                self.bring(uuid, state)
                self.driver.destroy(uuid)
                self.assertEqual([], self.driver.leftovers(uuid))
                self.assertIsNone(self.driver.guest(uuid))

    def test_undefine_powers_off_and_keeps_the_disk(self):
        uuid = self.boot().server.uuid
        self.driver.undefine(uuid)
        left = set(self.driver.leftovers(uuid))
        self.assertLessEqual({"disk", "config drive"}, left)
        self.assertFalse(left & {"process", "definition", "saved memory"})

    def test_no_config_drive_unless_wanted(self):
        spec = self.boot(config_drive=False)
        self.assertNotIn("config drive", self.driver.leftovers(spec.server.uuid))

    def test_a_guest_without_a_disk_does_not_start(self):
        spec = self.spec()
        self.driver.define(spec)
        self.assertRaises(protocol.HostTrouble, self.driver.start, spec.server.uuid)
        self.assertEqual(OFF, self.power(spec.server.uuid))

    def test_a_disk_needs_its_image_in_the_cache(self):
        image = self.images.add(str(uuids.uuid4()), b"never fetched".ljust(512))
        spec = self.spec(image=image)
        self.assertRaises(protocol.HostTrouble, self.driver.create_disk, spec)
        self.assertEqual([], self.driver.leftovers(spec.server.uuid))

    def test_a_new_ticket_reaches_the_guest_whatever_it_does(self):
        spec = self.boot()
        uuid = spec.server.uuid
        for ticket, state in enumerate(STATES, start=5):
            with self.subTest(state=state):
                self.bring(uuid, state)
                self.driver.define(model.replace(spec, ticket=ticket))
                self.assertEqual((1, ticket), self._stamp(uuid))
                self.driver.start(uuid)
                self.assertEqual((1, ticket), self._stamp(uuid))

    def _stamp(self, uuid):
        guest = self.driver.guest(uuid)
        return guest.epoch, guest.ticket

    # -- images --------------------------------------------------------------------------------

    def refused(self, problem, image, disk_gb=1, step="fetch_image"):
        spec = self.spec(image=image, disk_gb=disk_gb)
        self.assertRaises(problem, getattr(self.driver, step), spec)
        self.assertEqual([], self.driver.leftovers(spec.server.uuid))

    def test_corrupt_image(self):
        data = machinecode.boot_sector()
        image = self.images.add(str(uuids.uuid4()), data, hash_value="00" * 64)
        self.refused(errors.Invalid, image)
        image = self.images.add(str(uuids.uuid4()), data, size=len(data) + 1)
        self.refused(errors.Invalid, image)
        image = self.images.add(str(uuids.uuid4()), data, hash_algo=None, hash_value=None,
                                checksum="00" * 16)
        self.refused(errors.Invalid, image)

    def test_an_image_that_is_gone(self):
        image = self.images.add(str(uuids.uuid4()), b"soon gone")
        self.images.remove(image.id)
        self.refused(errors.Invalid, image)

    def test_image_service_down(self):
        image = self.images.add(str(uuids.uuid4()), b"out of reach")
        def down(*_):
            raise image_protocol.Unreachable("the image service does not answer")
        self.images.download, kept = down, self.images.download
        self.refused(protocol.HostTrouble, image)
        self.images.download = kept
        self.driver.fetch_image(self.spec(image=image))

    def test_no_image(self):
        spec = self.spec()
        spec = model.replace(spec, server=model.replace(spec.server, image=None))
        if "volumes" not in self.driver.capabilities:
            self.assertRaises(errors.Unsupported, self.driver.fetch_image, spec)
            return
        self.driver.fetch_image(spec)            # nothing to fetch: its root is a volume
        self.driver.create_disk(spec)
        self.driver.define(spec)
        self.assertRaises(protocol.HostTrouble, self.driver.start, spec.server.uuid)

    def hostile(self, at, value, base=None):
        data = bytearray(base or fake_images.empty_qcow2(1024 ** 2))
        data[at:at + len(value)] = value
        return self.images.add(str(uuids.uuid4()), bytes(data), disk_format="qcow2")

    def test_hostile_images(self):
        qcow2 = fake_images.empty_qcow2(1024 ** 2)
        cases = {
            "backing file": self.hostile(8, (512).to_bytes(8, "big") + (11).to_bytes(4, "big")),
            "data file": self.hostile(72, (4).to_bytes(8, "big")),
            "data file named": self.hostile(104, b"DATA" + (11).to_bytes(4, "big")
                                            + b"/etc/passwd"),
            "unknown feature": self.hostile(72, (1 << 40).to_bytes(8, "big")),
            "marked corrupt": self.hostile(72, (2).to_bytes(8, "big")),
            "encrypted": self.hostile(32, (1).to_bytes(4, "big")),
            "version 9": self.hostile(4, (9).to_bytes(4, "big")),
            "huge": self.hostile(24, (1 << 62).to_bytes(8, "big")),
            "no qcow2": self.images.add(str(uuids.uuid4()), b"hello", disk_format="qcow2"),
            "raw that is qcow2": self.images.add(str(uuids.uuid4()), qcow2),
            "cut short": self.images.add(str(uuids.uuid4()), qcow2[:60], disk_format="qcow2"),
            "vmdk": self.images.add(str(uuids.uuid4()), b"KDMV", disk_format="vmdk"),
        }
        for name, image in cases.items():
            with self.subTest(name):
                self.refused(errors.Invalid, image)

    def test_an_image_larger_than_the_flavor(self):
        image = self.images.add(str(uuids.uuid4()), fake_images.empty_qcow2(3 * 1024 ** 3),
                                disk_format="qcow2")
        self.refused(errors.Invalid, image, disk_gb=2)
        self.driver.fetch_image(self.spec(image=image, disk_gb=3))
        self.refused(errors.Invalid, image, disk_gb=2, step="create_disk")

    def test_a_qcow2_image_becomes_a_disk(self):
        image = self.images.add(str(uuids.uuid4()), fake_images.empty_qcow2(1024 ** 2),
                                disk_format="qcow2")
        spec = self.boot(image=image)
        self.assertEqual(RUNNING, self.power(spec.server.uuid))

    def test_one_download_per_image(self):
        image = self.images.add(str(uuids.uuid4()), machinecode.boot_sector().ljust(1024))
        before = self.images.downloads
        specs = [self.spec(image=image) for _ in range(4)]
        self._together([lambda spec=spec: self.driver.fetch_image(spec) for spec in specs])
        self.driver.fetch_image(specs[0])
        self.assertEqual(1, self.images.downloads - before)

    def test_full_disk(self):
        image = self.images.add(str(uuids.uuid4()), machinecode.boot_sector().ljust(2048))
        with self.full_disk(self.driver):
            spec = self.spec(image=image)
            def build():
                self.driver.fetch_image(spec)
                self.driver.create_disk(spec)
            self.assertRaises(protocol.HostTrouble, build)
            self.assertEqual([], self.driver.leftovers(spec.server.uuid))
        build()

    # -- power ---------------------------------------------------------------------------------

    def test_every_transition(self):
        uuid = self.boot().server.uuid
        for method, ends in POWER.items():
            for state, end in zip(STATES, ends, strict=True):
                with self.subTest(method=method, state=state):
                    self.bring(uuid, state)
                    if method == "reboot" and state == "running":
                        self.until_booted(uuid, self.boots(uuid) or 1)
                    if end is None:
                        before = self.power(uuid)
                        self.assertRaises(errors.Conflict, self.call, method, uuid)
                        self.assertEqual(before, self.power(uuid))
                        continue
                    self.call(method, uuid)
                    self.assertEqual(end, self.power(uuid))
                    if method != "reboot":       # again: nothing changes
                        self.call(method, uuid)
                        self.assertEqual(end, self.power(uuid))

    def boots(self, uuid):
        """How many boots the console must show before the guest can be asked anything."""
        time.sleep(0.5)
        return 0

    def test_stop_asks_first(self):
        uuid = self.boot().server.uuid
        self.until_booted(uuid)
        self.driver.stop(uuid, 20)
        self.assertEqual(OFF, self.power(uuid))
        self.assertTrue("powering off" in self.driver.console_log(uuid, None)
                        or "Power down" in self.driver.console_log(uuid, None))

    def test_stop_does_not_wait_for_ever(self):
        uuid = self.boot(image=self.deaf).server.uuid
        self.make_deaf(self.driver, uuid)
        self.until_booted(uuid)
        began = time.monotonic()
        self.driver.stop(uuid, PATIENCE)
        self.assertEqual(OFF, self.power(uuid))
        self.assertLess(time.monotonic() - began, PATIENCE + 10)

    def test_reboot_asks(self):
        uuid = self.boot().server.uuid
        self.until_booted(uuid)
        self.assertTrue(self.driver.reboot(uuid, 20))
        self.until_booted(uuid, 2)
        self.assertEqual(RUNNING, self.power(uuid))

    def test_reboot_says_when_nobody_listens(self):
        uuid = self.boot(image=self.deaf).server.uuid
        self.make_deaf(self.driver, uuid)
        self.until_booted(uuid)
        self.assertFalse(self.driver.reboot(uuid, PATIENCE))
        self.driver.reset(uuid)
        self.until_booted(uuid, 2)

    def test_suspend_keeps_the_memory(self):
        uuid = self.boot().server.uuid
        self.until_booted(uuid)
        self.driver.suspend(uuid)
        self.assertIn("saved memory", self.driver.leftovers(uuid))
        self.assertNotIn("process", self.driver.leftovers(uuid))
        self.driver.resume(uuid)
        time.sleep(0.5)
        self.assertNotIn("saved memory", self.driver.leftovers(uuid))
        self.assertEqual(1, self.driver.console_log(uuid, None).count(self.boot_marker))

    def test_racing_starts(self):
        uuid = self.boot().server.uuid
        self.driver.stop(uuid, 0)
        self._together([lambda: self.driver.start(uuid)] * 3)
        self.assertEqual(RUNNING, self.power(uuid))
        self._together([lambda: self.driver.destroy(uuid)] * 3)
        self.assertEqual([], self.driver.leftovers(uuid))

    def _together(self, calls):
        problems = []
        def run(call):
            try:
                call()
            except Exception as problem:
                problems.append(problem)
        threads = [threading.Thread(target=run, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], problems)

    # -- watching, restarting, the console -----------------------------------------------------

    def test_changes_are_told(self):
        told = []
        self.driver.watch(told.append)
        spec = self.boot()
        uuid = spec.server.uuid
        def last():
            return next((guest.power for guest in reversed(told) if guest.uuid == uuid), None)
        self.until(lambda: last() == RUNNING)
        for move, power in ((lambda: self.driver.pause(uuid), PAUSED),
                            (lambda: self.driver.unpause(uuid), RUNNING),
                            (lambda: self.driver.stop(uuid, 0), OFF),
                            (lambda: self.driver.start(uuid), RUNNING),
                            (lambda: self.crash(self.driver, spec), OFF)):
            move()
            self.until(lambda power=power: last() == power)
        self.assertTrue(all((guest.epoch, guest.ticket) == (1, 1) for guest in told
                            if guest.uuid == uuid))

    def test_a_crashed_guest_can_be_started(self):
        spec = self.boot()
        self.crash(self.driver, spec)
        self.until(lambda: self.power(spec.server.uuid) == OFF)
        self.driver.start(spec.server.uuid)
        self.assertEqual(RUNNING, self.power(spec.server.uuid))

    def test_guests_outlive_the_agent(self):
        specs = [self.boot(ticket=3) for _ in range(2)]
        self.driver.suspend(specs[1].server.uuid)
        before = sorted(self.driver.guests(), key=lambda guest: guest.uuid)
        self.driver.close()
        self.driver = self.open_driver()
        self.assertEqual(before, sorted(self.driver.guests(), key=lambda guest: guest.uuid))
        self.driver.resume(specs[1].server.uuid)
        self.driver.stop(specs[0].server.uuid, 0)
        self.assertEqual(OFF, self.power(specs[0].server.uuid))

    def test_console(self):
        spec = self.boot()
        uuid = spec.server.uuid
        self.until_booted(uuid)
        whole = self.driver.console_log(uuid, None)
        self.assertEqual(whole, self.driver.console_log(uuid, 1000))
        self.assertEqual(whole.splitlines()[-1], self.driver.console_log(uuid, 1).rstrip())
        self.assertEqual("", self.driver.console_log(uuid, 0))
        self.driver.stop(uuid, 0)
        self.assertIn(self.boot_marker, self.driver.console_log(uuid, None))
