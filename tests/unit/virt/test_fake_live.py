# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Guests that go from one fake host to another: slowly, steered, killed, handed over once."""

import threading

import fixtures
import testtools

from nova_cells.domain import errors, lifecycle
from nova_cells.virt import fake, protocol
from nova_cells.virt import settings as values
from tests.unit.virt import specs

WAIT = 60.0


class Live(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.here, self.there = self.host("h1"), self.host("h2")
        self.spec = specs.spec()
        self.uuid = self.spec.server.uuid
        for step in (self.here.fetch_image, self.here.create_disk, self.here.define):
            step(self.spec)
        self.here.start(self.uuid)
        self.told = []

    def host(self, name, **more):
        return fake.FakeDriver(values.Settings(cell="c1", host=name, fake=values.FakeHost(
            vcpus=2, memory_mb=2048, disk_gb=20, **more)), None)

    def power(self, driver):
        return driver.guest(self.uuid).power

    def depart(self):
        return self.here.depart(self.uuid, "h2", self.told.append)

    def test_it_goes_over_as_it_is(self):
        said = self.here.console_log(self.uuid, None)
        self.assertEqual("h2", self.there.prepare_arrival(self.spec))
        self.assertEqual(lifecycle.SHUTDOWN, self.power(self.there))
        handed = self.depart()
        self.assertEqual(lifecycle.SHUTDOWN, self.power(self.here))
        self.there.arrive(self.spec, handed)
        self.assertEqual(lifecycle.RUNNING, self.power(self.there))
        self.assertEqual(said, self.there.console_log(self.uuid, None))
        self.here.destroy(self.uuid)
        self.assertEqual([], self.here.leftovers(self.uuid))

    def test_every_call_may_be_repeated(self):
        for _turn in (1, 2):
            self.there.prepare_arrival(self.spec)
        first = self.depart()
        self.assertEqual(first, self.depart())
        self.there.arrive(self.spec, first)
        self.there.pause(self.uuid)
        self.there.arrive(self.spec, first)      # late: what happened since stays
        self.there.prepare_arrival(self.spec)
        self.assertEqual(lifecycle.PAUSED, self.power(self.there))

    def test_no_room(self):
        full = values.Settings(cell="c1", host="h3", fake=values.FakeHost(
            vcpus=1, memory_mb=1, disk_gb=1))
        driver = fake.FakeDriver(full, None)
        self.assertRaises(protocol.HostTrouble, driver.prepare_arrival, self.spec)
        self.assertEqual([], driver.leftovers(self.uuid))

    def test_one_that_is_off_stays(self):
        self.here.stop(self.uuid, 0)
        self.assertRaises(errors.Conflict, self.depart)
        self.here.start(self.uuid)
        self.assertEqual(lifecycle.RUNNING, self.power(self.here))

    def test_one_that_went_over_can_be_started_again_by_hand(self):
        handed = self.depart()
        self.here.start(self.uuid)
        self.assertNotEqual("", handed)
        self.assertEqual(lifecycle.RUNNING, self.power(self.here))
        self.assertEqual("", self.here._guests[self.uuid].handed)

    def slowly(self):
        """Begin a copy that takes longer than any test, and wait until it has begun."""
        self.here.copying = 100_000.0
        begun, result = threading.Event(), []

        def copy():
            try:
                result.append(self.here.depart(self.uuid, "h2", self.tell(begun)))
            except errors.Problem as problem:
                result.append(problem)
        thread = threading.Thread(target=copy)
        thread.start()
        self.addCleanup(thread.join, WAIT)
        self.addCleanup(self.here.abort_departure, self.uuid)
        self.assertTrue(begun.wait(WAIT))
        return thread, result

    def tell(self, begun):
        def told(copied):
            self.told.append(copied)
            begun.set()
        return told

    def test_aborted(self):
        thread, result = self.slowly()
        self.assertEqual(lifecycle.RUNNING, self.power(self.here))
        self.here.abort_departure(self.uuid)
        thread.join(WAIT)
        self.assertIsInstance(result[0], errors.Conflict)
        self.assertEqual(lifecycle.RUNNING, self.power(self.here))

    def test_hurried(self):
        thread, result = self.slowly()
        self.here.hurry_departure(self.uuid)
        thread.join(WAIT)
        self.assertIsInstance(result[0], str)
        self.assertEqual(lifecycle.SHUTDOWN, self.power(self.here))

    def test_steering_nothing_changes_nothing(self):
        self.here.abort_departure(self.uuid)
        self.here.hurry_departure(self.uuid)
        self.assertIsInstance(self.depart(), str)
        self.here.abort_departure(self.uuid)
        self.assertEqual(lifecycle.SHUTDOWN, self.power(self.here))

    def test_it_tells_how_far_it_is(self):
        self.here.copying = 0.02
        self.depart()
        self.assertEqual(sorted(one.percent for one in self.told),
                         [one.percent for one in self.told])
        self.assertEqual((20, 0), (len(self.told), self.told[0].percent))
        self.assertTrue(all(one.memory_processed + one.memory_remaining == one.memory_total > 0
                            for one in self.told))

    def test_what_goes_over_outlives_the_process(self):
        folder = self.useFixture(fixtures.TempDir()).path
        settings = values.Settings(cell="c1", host="h1", instances_path=folder)
        driver = fake.FakeDriver(settings, None)
        for step in (driver.fetch_image, driver.create_disk, driver.define):
            step(self.spec)
        driver.start(self.uuid)
        handed = driver.depart(self.uuid, "h2", self.told.append)
        driver.close()
        driver = fake.FakeDriver(settings, None)
        self.addCleanup(driver.close)
        self.assertEqual(handed, driver.depart(self.uuid, "h2", self.told.append))
        self.assertEqual(lifecycle.SHUTDOWN, driver.guest(self.uuid).power)
