"""The fake hypervisor keeps the promises of a real one."""

import contextlib
import os
import tempfile
import time
import unittest
from unittest import mock

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.virt import fake, journal, protocol, settings
from tests.conformance import driver as conformance


class FakeConformance(conformance.DriverConformance, unittest.TestCase):
    """The common suite, with guests that are kept in a file."""

    boot_marker = "=== system boot done ==="

    def open_driver(self):
        if not hasattr(self, "directory"):
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            self.directory = folder.name
        return fake.FakeDriver(self.settings(instances_path=self.directory), self.images)

    def settings(self, **how):
        return settings.Settings(cell="c1", host="h1", **how)

    def boots(self, uuid):
        return 0

    def crash(self, driver, spec):
        driver.crash_guest(spec.server.uuid)

    def make_deaf(self, driver, uuid):
        driver.deaf.add(uuid)

    @contextlib.contextmanager
    def full_disk(self, driver):
        room = driver._inventory["DISK_GB"]
        driver._inventory["DISK_GB"] = model.replace(room, total=0)
        yield
        driver._inventory["DISK_GB"] = room

    def test_what_does_not_fit_is_refused(self):
        small = settings.FakeHost(vcpus=2, memory_mb=64, disk_gb=2)
        driver = fake.FakeDriver(self.settings(
            fake=small, ratios=settings.Ratios(cpu=1.0, reserved_memory_mb=0)), self.images)
        for _ in range(2):
            self.boot(driver)
        spec = self.spec()
        driver.fetch_image(spec)
        self.assertRaises(protocol.HostTrouble, driver.create_disk, spec)
        self.assertRaises(protocol.HostTrouble, driver.define, spec)
        driver.destroy(driver.guests()[0].uuid)
        self.boot(driver)

    def test_a_failure_on_order(self):
        uuid = self.boot().server.uuid
        self.driver.fail_next("pause", protocol.HostTrouble("no"))
        self.assertRaises(protocol.HostTrouble, self.driver.pause, uuid)
        self.assertEqual(conformance.RUNNING, self.power(uuid))
        self.driver.fail_next("pause", protocol.HostTrouble("the answer is lost"), after=True)
        self.assertRaises(protocol.HostTrouble, self.driver.pause, uuid)
        self.assertEqual(conformance.PAUSED, self.power(uuid))
        self.driver.unpause(uuid)

    def test_the_console_shows_the_metadata(self):
        uuid = self.boot().server.uuid
        self.assertIn(f"### instance-uuid {uuid} hostname conform",
                      self.driver.console_log(uuid, None))

    def test_its_owner_powers_it_off(self):
        told = []
        uuid = self.boot().server.uuid
        self.driver.watch(told.append)
        self.driver.power_off_inside(uuid)
        self.assertEqual([conformance.OFF], [guest.power for guest in told])

    def test_the_host_loses_power(self):
        running, saved = self.boot().server.uuid, self.boot().server.uuid
        self.driver.suspend(saved)
        self.driver.lose_power()
        self.assertEqual(conformance.OFF, self.power(running))
        self.assertIn("saved memory", self.driver.leftovers(saved))

    def test_a_directory_is_one_host_s(self):
        other = model.replace(self.settings(instances_path=self.directory), host="h2")
        self.assertRaises(errors.Invalid, fake.FakeDriver, other, self.images)

    def test_without_a_directory_it_is_repeatable(self):
        first, second = (fake.FakeDriver(self.settings(), None) for _ in range(2))
        self.assertEqual(first.facts(), second.facts())

    def test_a_boot_delay(self):
        with mock.patch.object(time, "sleep") as sleep:
            self.driver.delay = 3.0
            self.boot()
        sleep.assert_called_once_with(3.0)

    def test_a_thousand_guests(self):
        specs = [self.spec() for _ in range(1000)]
        for spec in specs:
            for step in conformance.STEPS:
                getattr(self.driver, step)(spec)
            self.driver.start(spec.server.uuid)
        self.assertEqual({spec.server.uuid for spec in specs},
                         {guest.uuid for guest in self.driver.guests() if guest.power == 1})


class Journal(unittest.TestCase):
    """The file that outlives a killed process."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "guests.jsonl")

    def open(self):
        found = journal.Journal(self.path, fake.Guest)
        self.addCleanup(found.close)
        return found, found.load()

    def test_the_last_word_counts_and_a_torn_line_does_not(self):
        book, values = self.open()
        for epoch in (1, 2):
            values["a"] = fake.Guest("a", epoch=epoch, defined=True)
            book.keep("a", values["a"], values)
        book.keep("b", fake.Guest("b"), values)
        book.keep("b", None, values)
        with open(self.path, "ab") as file:
            file.write(b'{"k":"a","v":{"uu')
        self.assertEqual({"a": fake.Guest("a", epoch=2, defined=True)}, self.open()[1])

    def test_it_does_not_grow_for_ever(self):
        book, values = self.open()
        values["a"] = fake.Guest("a", defined=True)
        for _ in range(journal.SLACK * 3):
            book.keep("a", values["a"], values)
        with open(self.path) as file:
            self.assertLess(len(file.readlines()), journal.SLACK + 10)
        self.assertEqual(values, self.open()[1])
