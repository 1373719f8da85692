# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The runner: effects are carried out, jobs run on time, nothing that a handler does kills it."""

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time

import testtools

from nova_cells import clock, service
from nova_cells.domain import address, commands, effects, errors

QUESTION = commands.ReadConsole(op="op-1", server="s", epoch=1)
CELL = address.Cell("c1")


class Recorder:
    """A client that keeps what it is given."""

    def __init__(self, problem=None):
        self.sent = []
        self.problem = problem

    def cast(self, to, message):
        if self.problem:
            raise self.problem
        self.sent.append((to, message))

    def call(self, to, message, budget=None):
        if self.problem:
            raise self.problem
        return commands.Text(text=f"{to.cell} {budget:g}")


class Scripted:
    """Returns what it was made with, or raises it; counts its ticks."""

    def __init__(self, *wanted, raises=None, begin=()):
        self.wanted = wanted
        self.raises = raises
        self.begin = begin
        self.seen = []

    def start(self, now):
        return list(self.begin)

    def handle(self, message, now):
        self.seen.append((message, now))
        if self.raises:
            raise self.raises
        return [] if isinstance(message, effects.Tick) else list(self.wanted)


class RunnerTestCase(testtools.TestCase):
    def runner(self, handler, jobs=None, client=None):
        self.client = client or Recorder()
        runner = service.Runner("test", handler, self.client, clock.SystemClock(), jobs or {})
        self.addCleanup(runner.stop, 1)
        return runner

    def quiet(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)


class Effects(RunnerTestCase):
    def test_cast_and_reply(self):
        done = commands.Done()
        runner = self.runner(Scripted(effects.Cast(CELL, QUESTION), effects.Reply(done)))
        self.assertIs(done, runner.deliver(QUESTION))
        self.assertEqual([(CELL, QUESTION)], self.client.sent)

    def test_nothing(self):
        self.assertIsNone(self.runner(Scripted()).deliver(QUESTION))

    def test_forward(self):
        runner = self.runner(Scripted(effects.Forward(CELL, QUESTION)))
        self.assertEqual("c1 10", runner.deliver(QUESTION).text)

    def test_forward_to_somebody_silent(self):
        runner = self.runner(Scripted(effects.Forward(CELL, QUESTION)),
                             client=Recorder(errors.CellDown("the host h is silent")))
        answer = runner.deliver(QUESTION)
        self.assertEqual(("cell_down", "the host h is silent"), (answer.family, answer.message))

    def test_a_cast_that_fails_is_not_raised(self):
        self.quiet()
        for problem in (errors.CellDown("down"), ValueError("odd")):
            runner = self.runner(Scripted(effects.Cast(CELL, QUESTION),
                                          effects.Reply(commands.Done())),
                                 client=Recorder(problem))
            self.assertIsInstance(runner.deliver(QUESTION), commands.Done)

    def test_start(self):
        runner = self.runner(Scripted(begin=[effects.Cast(CELL, QUESTION)]))
        runner.start()
        self.assertEqual([(CELL, QUESTION)], self.client.sent)

    def test_sender(self):
        class Wants:
            wants_sender = True

            def handle(self, message, now, sender):
                return [effects.Reply(commands.Text(text=sender))]

        self.assertEqual("c7", self.runner(Wants()).deliver(QUESTION, sender="c7").text)


class Failures(RunnerTestCase):
    def test_a_problem_is_answered(self):
        answer = self.runner(Scripted(raises=errors.Conflict("locked"))).deliver(QUESTION)
        self.assertEqual(("conflict", "locked"), (answer.family, answer.message))

    def test_a_bug_is_logged_with_its_operation(self):
        runner = self.runner(Scripted(raises=KeyError("secret")))
        with self.assertLogs("nova_cells.service", "ERROR") as logs:
            answer = runner.deliver(QUESTION)
        self.assertEqual("bug", answer.family)
        self.assertIn("op-1", answer.message)
        self.assertNotIn("secret", answer.message)
        self.assertIn("op-1", logs.output[0])
        self.assertIn("Traceback", logs.output[0])

    def test_after_stop(self):
        runner = self.runner(Scripted())
        runner.stop(1)
        self.assertEqual("cell_down", runner.deliver(QUESTION).family)


class Jobs(RunnerTestCase):
    def ticks(self, handler, job):
        return [message for message, _ in list(handler.seen)
                if isinstance(message, effects.Tick) and message.job == job]

    def test_periods_do_not_drift(self):
        for now, due in ((9.0, 10.0), (10.0, 12.0), (11.5, 12.0), (12.0, 14.0), (19.9, 20.0)):
            self.assertEqual(due, service.next_due(10.0, now, 2.0), now)

    def test_it_runs_again_and_again(self):
        handler = Scripted()
        self.runner(handler, {"a": 0.01}).start()
        end = time.monotonic() + 30
        while len(self.ticks(handler, "a")) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        self.assertGreaterEqual(len(self.ticks(handler, "a")), 3)

    def test_wake_is_coalesced_and_never_concurrent(self):
        inside, most, lock = [0], [0], threading.Lock()

        class Careful(Scripted):
            def handle(self, message, now):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.02)
                with lock:
                    inside[0] -= 1
                return super().handle(message, now)

        handler = Careful()
        runner = self.runner(handler, {"a": 3600.0})
        runner.start()
        for _ in range(200):
            runner.wake("a")
        time.sleep(0.2)
        self.assertEqual(1, most[0])
        self.assertIn(len(self.ticks(handler, "a")), (1, 2))

    def test_wake_as_an_effect(self):
        handler = Scripted(effects.Wake("a"), effects.Wake("unknown"))
        runner = self.runner(handler, {"a": 3600.0})
        self.quiet()
        runner.start()
        runner.deliver(QUESTION)
        end = time.monotonic() + 2
        while not self.ticks(handler, "a") and time.monotonic() < end:
            time.sleep(0.005)
        self.assertEqual(1, len(self.ticks(handler, "a")))

    def test_a_job_that_fails_runs_again(self):
        self.quiet()
        handler = Scripted(raises=KeyError("x"))
        self.runner(handler, {"a": 0.01}).start()
        time.sleep(0.2)
        self.assertGreater(len(handler.seen), 3)

    def test_jobs_of_the_handler(self):
        class Own(Scripted):
            JOBS = {"mine": 0.01}

        handler = Own()
        runner = service.Runner("test", handler, Recorder(), clock.SystemClock())
        runner.start()
        time.sleep(0.1)
        self.assertTrue(runner.stop(1))
        count = len(self.ticks(handler, "mine"))
        self.assertGreater(count, 2)
        time.sleep(0.05)
        self.assertEqual(count, len(self.ticks(handler, "mine")))


class Stopping(RunnerTestCase):
    def test_work_under_way_finishes(self):
        began, ended = threading.Event(), threading.Event()

        class Slow:
            def handle(self, message, now):
                began.set()
                time.sleep(0.2)
                ended.set()
                return []

        runner = self.runner(Slow())
        threading.Thread(target=runner.deliver, args=(QUESTION,)).start()
        self.assertTrue(began.wait(2))
        self.assertFalse(runner.stop(0.01))
        self.assertTrue(runner.stop(5))
        self.assertTrue(ended.is_set())


class Backend(testtools.TestCase):
    def chosen(self, *argv, **env):
        """What a fresh process says of its backend and of its threads."""
        code = ("import os, sys; from nova_cells import service\n"
                "name = service.choose_backend(sys.argv[1:], os.environ)\n"
                "import threading; from oslo_service import backend\n"
                "print(name, backend.get_backend_type().value, threading.Lock.__module__)")
        run = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *argv], text=True,
                             env={**os.environ, service.BACKEND_VARIABLE: "", **env},
                             capture_output=True, timeout=60)
        return run.stdout.split() or run.stderr.splitlines()[-1]

    def file(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_threads_by_default(self):
        self.assertEqual(["threading", "threading", "_thread"], self.chosen())

    def test_eventlet_by_environment(self):
        name, backend, _ = self.chosen(NOVA_CELLS_CONCURRENCY_BACKEND="eventlet")
        self.assertEqual(("eventlet", "eventlet"), (name, backend))

    def test_eventlet_by_file(self):
        path = self.file("[DEFAULT]\nconcurrency_backend = eventlet\n[other]\nx = 1\n")
        for argv in (["--config-file", path], [f"--config-file={path}"]):
            self.assertEqual("eventlet", self.chosen(*argv)[0])

    def test_threads_do_not_carry_eventlet_with_them(self):
        for name, loaded in (("threading", False), ("eventlet", True)):
            code = ("import os, sys; from nova_cells import service\n"
                    "service.choose_backend([], os.environ)\n"
                    "import nova_cells.cmd.running.compute, oslo_messaging._drivers.impl_rabbit\n"
                    "print('eventlet.patcher' in sys.modules)")
            run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], text=True,
                                 env={**os.environ, service.BACKEND_VARIABLE: name},
                                 capture_output=True, timeout=90)
            self.assertEqual(str(loaded), run.stdout.strip(), run.stderr[-500:])

    def test_a_broken_file_is_for_others_to_report(self):
        path = self.file("no section here\n")
        self.assertEqual("threading", self.chosen("--config-file", path)[0])

    def test_neither(self):
        text = self.chosen(NOVA_CELLS_CONCURRENCY_BACKEND="twisted")
        self.assertIn("use one of threading, eventlet", text)

    def test_the_bus_and_the_runner_work_under_eventlet_too(self):
        """The whole of these tests again, in a process of green threads."""
        if os.environ.get(service.BACKEND_VARIABLE) == "eventlet":
            self.skipTest("this is that process")
        tests = ["tests.unit.rpc.test_local", "tests.unit.rpc.test_client",
                 "tests.unit.test_service"]
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "testtools.run", *tests], text=True,
            env={**os.environ, service.BACKEND_VARIABLE: "eventlet"}, capture_output=True,
            timeout=300)
        self.assertEqual(0, run.returncode, run.stdout[-3000:] + run.stderr[-3000:])
