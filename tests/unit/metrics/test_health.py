# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Alive and ready, in sentences: threads that ended or hang, checks that are not content."""

import threading
import time
from unittest import mock

import testtools

from nova_cells import clock, metrics, service
from nova_cells.domain import effects, errors
from nova_cells.metrics import health


class Alive(testtools.TestCase):
    def runner(self, tick):
        handler = mock.Mock(spec=["handle"])
        handler.handle.side_effect = lambda message, now: tick()
        runner = service.Runner("conductor cell1", handler, mock.Mock(), clock.SystemClock(),
                                {"relay": 0.01})
        self.addCleanup(runner.stop, 1.0)
        runner.start()
        return runner

    def assertSoon(self, condition):
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        self.assertTrue(condition(), health.ailments())

    def test_nothing_is_wrong_with_a_runner_that_runs(self):
        ticked = threading.Event()
        self.runner(lambda: ticked.set() or [])
        self.assertTrue(ticked.wait(60))
        self.assertEqual([], health.ailments())

    def test_a_thread_that_ended_is_named(self):
        def leave():
            raise SystemExit
        runner = self.runner(leave)
        self.assertSoon(lambda: health.ailments())
        self.assertEqual(["the job relay of conductor cell1 has ended"], health.ailments())
        runner.stop(1.0)
        self.assertEqual([], health.ailments())

    def test_a_run_that_does_not_end_is_named(self):
        go = threading.Event()
        self.addCleanup(go.set)
        self.runner(lambda: go.wait(600) and [])
        with mock.patch.object(service, "STALLED", 0.05):
            self.assertSoon(lambda: health.ailments())
            self.assertRegex(health.ailments()[0],
                             "^the job relay of conductor cell1 has been busy with one run for")
        self.assertEqual([], health.ailments())

    def test_ticks_and_messages_are_counted_apart(self):
        runner = self.runner(lambda: [])
        count = runner._instruments.TICKS._child(("conductor", "relay"))
        before = count._sum.get()
        runner.deliver(effects.Tick(job="relay"))
        self.assertGreater(count._sum.get(), before)


class Ready(testtools.TestCase):
    def test_only_what_is_wrong_is_said(self):
        readiness = health.Readiness({"good": lambda: None, "bad": lambda: "It is broken."})
        self.assertEqual({"bad": "It is broken."}, readiness.wrong())

    def test_a_check_that_breaks_is_wrong_itself(self):
        def check():
            raise KeyError("secret")
        said = health.Readiness({"bus": check}).wrong()
        self.assertRegex(said["bus"], "the check itself failed .KeyError.")
        self.assertNotIn("secret", said["bus"])

    def test_a_question_that_raises_a_problem(self):
        def ask():
            raise errors.CellDown("The bus does not answer.")
        self.assertEqual("The bus does not answer.", metrics.answers(ask)())
        self.assertIsNone(metrics.answers(lambda: 5)())

    def test_checks_that_hang_are_not_waited_for_by_everybody(self):
        go, begun = threading.Event(), threading.Event()
        self.addCleanup(go.set)
        readiness = health.Readiness({"database": lambda: begun.set() or go.wait(600) and None})
        threading.Thread(target=readiness.wrong, daemon=True).start()
        self.assertTrue(begun.wait(60))
        with mock.patch.object(health, "PATIENCE", 0.01):
            self.assertEqual(["checks"], list(readiness.wrong()))
