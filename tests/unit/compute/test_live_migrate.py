# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A copy that takes long on its host: its task again, a word about it, and what interrupts it."""

import threading

import testtools

from nova_cells.compute import agent as agents
from nova_cells.compute import journal
from nova_cells.domain import boot, effects, lifecycle, tasks
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.virt import fake
from nova_cells.virt import settings as values
from tests.unit.virt import specs

WAIT = 60.0


class Copying(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.prepare()

    def prepare(self):
        self.driver = fake.FakeDriver(values.Settings(cell="c1", host="h1", fake=values.FakeHost(
            vcpus=4, memory_mb=2048, disk_gb=20)))
        self.agent = agents.Agent(self.driver, journal.MemoryJournal(), "c1", "h1")
        self.sent = []
        self.begun = threading.Event()
        self.agent.send = self.heard
        self.record = specs.spec().server
        self.assertEqual("done", self.do(self.task("boot", 1)).result)
        self.driver.copying = 100_000.0
        self.results = []

    def heard(self, cast):
        self.sent.append(cast.message)
        self.begun.set()

    def task(self, verb, ticket, leg="", **options):
        return tasks.Task(
            server=self.record.uuid, epoch=1, ticket=ticket, verb=verb,
            record=model.replace(self.record, verb=verb, ticket=ticket, version=ticket),
            request=boot.BootRequest(), wanted=wants.Wanted(leg=leg, options=options))

    def do(self, task):
        found = [effect.message for effect in self.agent.handle(task, 0.0)
                 if isinstance(effect, effects.Cast)]
        return found[0] if found else None

    def copy(self):
        """Begun, and waiting for a word."""
        task = self.task("live_migrate", 2, "depart")
        thread = threading.Thread(target=lambda: self.results.append(self.do(task)))
        thread.start()
        self.addCleanup(thread.join, WAIT)
        self.addCleanup(self.driver.abort_departure, self.record.uuid)
        self.assertTrue(self.begun.wait(WAIT))
        return thread, task

    def power(self):
        guest = self.driver.guest(self.record.uuid)
        return guest.power if guest else None

    def test_the_same_task_again_waits_for_nobody(self):
        thread, task = self.copy()
        self.assertIsNone(self.do(task))
        self.assertEqual(lifecycle.RUNNING, self.power())
        self.driver.hurry_departure(self.record.uuid)
        thread.join(WAIT)
        self.assertEqual("done", self.results[0].result)
        self.assertEqual(self.results[0], self.do(task))     # and is answered when it is over

    def test_the_same_task_with_a_word_is_steered(self):
        for word, result, power in (("abort", "failed", lifecycle.RUNNING),
                                    ("force_complete", "done", lifecycle.SHUTDOWN)):
            with self.subTest(word=word):
                self.prepare()
                thread, _task = self.copy()
                self.assertIsNone(self.do(self.task("live_migrate", 2, "depart", steer=word)))
                thread.join(WAIT)
                self.assertEqual((result, power), (self.results[0].result, self.power()))

    def test_one_that_comes_to_be_aborted_is(self):
        self.assertEqual("failed", self.do(
            self.task("live_migrate", 2, "depart", steer="abort")).result)
        self.assertEqual(lifecycle.RUNNING, self.power())

    def test_one_that_let_go_is_not(self):
        self.driver.copying = 0.0
        first = self.do(self.task("live_migrate", 2, "depart"))
        again = self.do(self.task("live_migrate", 3, "depart", steer="abort"))
        self.assertEqual((first.result, first.facts), (again.result, again.facts))

    def test_a_delete_need_not_wait_for_its_end(self):
        thread, _task = self.copy()
        self.assertEqual("done", self.do(self.task("delete", 3)).result)
        thread.join(WAIT)
        self.assertEqual([], self.driver.leftovers(self.record.uuid))

    def test_it_tells_how_far_it_is(self):
        thread, _task = self.copy()
        self.driver.abort_departure(self.record.uuid)
        thread.join(WAIT)
        report = self.sent[0]
        self.assertEqual(("progress", 2), (report.result, report.phase))
        self.assertEqual(str(64 * 2**20), report.facts["memory_total"])
        self.assertEqual("0", report.facts["percent"])
