# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What every bus must do: ``local://`` and RabbitMQ, on threads and on eventlet."""

import concurrent.futures
import os
import subprocess
import sys
import threading

import testtools

from nova_cells import service
from nova_cells.domain import address, commands, errors
from nova_cells.rpc import client as clients
from tests.bus import base

C1 = address.Cell("c1")


class Calls:
    """Questions and their answers."""

    def test_addresses(self):
        for cell in ("c1", "c2"):
            self.listen(cell)
            self.listen(cell, "collector")
            self.listen(cell, "compute", "h1")
            self.listen(cell, "compute", "h2")
        for where, expected in (
                (C1, "c1/conductor/one"), (address.Cell("c2"), "c2/conductor/one"),
                (address.Host("c2", "h1"), "c2/compute/h1"),
                (address.Host("c1", "h2"), "c1/compute/h2"),
                (address.Collector("c1"), "c1/collector/one")):
            self.assertEqual(expected, self.client.call(where, base.numbered(1), 30).text)

    def test_nothing_crosses_over(self):
        """Two cells on one vhost, calls and casts at once."""
        seen = {"c1": [], "c2": []}
        for cell in ("c1", "c2"):
            self.listen(cell)
            self.listen(cell, "compute", "h", deliver=lambda m, cell=cell: seen[cell].append(
                m.lines))

        def one(number):
            cell = f"c{number % 2 + 1}"
            self.client.cast(address.Host(cell, "h"), base.numbered(number))
            return self.client.call(address.Cell(cell), base.numbered(number), 60).text

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(one, range(200)))
        self.assertEqual([f"c{n % 2 + 1}/conductor/one" for n in range(200)], answers)
        self.assertTrue(base.wait_for(lambda: sum(map(len, seen.values())) >= 200))
        self.assertEqual(list(range(0, 200, 2)), sorted(set(seen["c1"])))
        self.assertEqual(list(range(1, 200, 2)), sorted(set(seen["c2"])))

    def test_a_problem_keeps_its_family(self):
        def deliver(message):
            raise errors.Conflict("it is locked")

        self.listen(deliver=deliver)
        self.assertRaises(errors.Conflict, self.client.call, C1, base.numbered(1), 30)

    def test_no_answer_within_the_budget(self):
        go = threading.Event()
        self.addCleanup(go.set)
        self.listen(deliver=lambda message: go.wait(base.GENEROUS))
        error = self.assertRaises(errors.CellDown, self.client.call, C1, base.numbered(1), 0.3)
        self.assertIn("the cell cell c1 did not answer within 0.3 s", str(error))

    def test_what_nobody_waits_for_is_dropped(self):
        """Also what lay in this process already, when no thread was free."""
        seen, go = [], threading.Event()
        self.addCleanup(go.set)

        def deliver(message):
            seen.append(message.lines)
            go.wait(base.GENEROUS)
            return commands.Text(text="")

        self.listen(deliver=deliver, threads=1)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            first = pool.submit(self.client.call, C1, base.numbered(1), 60)
            self.assertTrue(base.wait_for(lambda: seen))
            late = [pool.submit(clients.Client(self.router, self.conf).call, C1,
                                base.numbered(n), 1.0) for n in range(2, 12)]
            for one in late:
                self.assertIsInstance(one.exception(), errors.CellDown)
            threading.Event().wait(2.0)      # the receiver counts from when it heard of them
            go.set()
            first.result()
            self.client.call(C1, base.numbered(99), 60)
        self.assertEqual([1, 99], seen)

    def test_the_breaker_opens_and_closes(self):
        now = [0.0]
        client = clients.Client(self.router, self.conf, monotonic=lambda: now[0])
        listener = self.listen(deliver=lambda message: None)
        listener.stop()
        for _ in range(3):
            self.assertRaises(errors.CellDown, client.call, C1, base.numbered(1), 0.2)
        self.assertEqual("open", client.state("c1"))
        self.assertEqual("closed", client.state("c2"))
        self.listen()
        self.assertRaises(errors.CellDown, client.call, C1, base.numbered(1), 30)
        now[0] += 2
        client.call(C1, base.numbered(1), 30)
        self.assertEqual("closed", client.state("c1"))

    def test_the_bulkhead(self):
        self.conf.set_override("bulkhead", 2, group="rpc")
        client = clients.Client(self.router, self.conf)
        go, inside = threading.Event(), threading.Semaphore(0)
        self.addCleanup(go.set)

        def deliver(message):
            inside.release()
            go.wait(base.GENEROUS)
            return commands.Text(text="")

        self.listen("c1", deliver=deliver)
        self.listen("c2")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(client.call, C1, base.numbered(1), 60) for _ in "ab"]
            for _ in waiting:
                self.assertTrue(inside.acquire(timeout=base.GENEROUS))
            error = self.assertRaises(errors.CellDown, client.call, C1, base.numbered(1), 60)
            self.assertIn("busy", str(error))
            client.call(address.Cell("c2"), base.numbered(1), 60)
            go.set()
            self.assertEqual(2, len([one.result() for one in waiting]))


class Casts:
    """What nobody waits for, and those who listen."""

    def test_what_is_too_large_is_not_sent(self):
        self.conf.set_override("max_message_size", 70_000, group="rpc")
        self.listen()
        big = commands.ReadConsole(op="x" * 70_000, server="s", epoch=1)
        self.assertRaises(errors.Invalid, self.client.cast, C1, big)
        self.assertRaises(errors.Invalid, self.client.call, C1, big, 30)

    def test_it_waits_for_a_listener_that_was_there_before(self):
        seen = []
        listener = self.listen(deliver=lambda message: seen.append(message.lines))
        self.assertTrue(listener.stop(60))
        for number in range(20):
            self.client.cast(C1, base.numbered(number))
        listener.start()
        self.assertTrue(base.wait_for(lambda: len(seen) >= 20))
        self.assertEqual(list(range(20)), sorted(set(seen)))

    def test_a_restart_loses_none(self):
        seen, slow = [], threading.Event()

        def deliver(message):
            slow.wait(0.01)
            seen.append(message.lines)

        listener = self.listen(deliver=deliver, threads=2)
        for number in range(100):
            self.client.cast(C1, base.numbered(number))
        self.assertTrue(base.wait_for(lambda: len(seen) > 5))
        self.assertTrue(listener.stop(60))
        held = len(seen)
        self.client.cast(C1, base.numbered(100))
        self.assertEqual(held, len(seen))
        listener.start()
        self.assertTrue(base.wait_for(lambda: len(set(seen)) == 101))

    def test_stop_waits_for_what_is_under_way(self):
        began, go, ended = threading.Event(), threading.Event(), []

        def deliver(message):
            began.set()
            go.wait(base.GENEROUS)
            ended.append(message.lines)
            return commands.Text(text="done")

        listener = self.listen(deliver=deliver)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.client.call, C1, base.numbered(1), 60)
            self.assertTrue(began.wait(base.GENEROUS))
            self.assertFalse(listener.stop(0.1))
            go.set()
            self.assertEqual("done", answer.result().text)
        self.assertEqual([1], ended)

    def test_several_listeners_share(self):
        seen, lock = {}, threading.Lock()

        def listener(name):
            def deliver(message):
                with lock:
                    seen.setdefault(name, []).append(message.lines)
            return deliver

        for name in ("one", "two", "three"):
            self.listen(server=name, deliver=listener(name), router=self.new_router("c1"))
        for number in range(150):
            self.client.cast(C1, base.numbered(number))
        self.assertTrue(base.wait_for(
            lambda: len({n for lines in seen.values() for n in lines}) == 150))
        self.assertEqual(150, sum(map(len, seen.values())))
        self.assertEqual(3, len(seen))

    def test_a_message_lies_no_longer_than_it_is_useful(self):
        self.conf.set_override("cast_ttl", 1.0, group="rpc")
        seen = []
        listener = self.listen(deliver=lambda message: seen.append(message.lines))
        self.assertTrue(listener.stop(60))
        self.client.cast(C1, base.numbered(1))
        threading.Event().wait(2.5)
        self.client.cast(C1, base.numbered(2))
        listener.start()
        self.assertTrue(base.wait_for(lambda: seen))
        self.assertEqual([2], seen)


class Moves:
    """Another password, another broker."""

    def other_url(self, keep: bool = False) -> str:
        """Another way to this bus, or to another; ``keep``: this one stays usable."""
        raise NotImplementedError

    def test_what_is_under_way_ends_on_the_old_one(self):
        go, inside = threading.Event(), threading.Semaphore(0)
        self.addCleanup(go.set)

        def deliver(message):
            inside.release()
            go.wait(base.GENEROUS)
            return commands.Text(text=str(message.lines))

        listener = self.listen(deliver=deliver, router=self.new_router("c1"))
        child = self.new_router("c1")
        old = self.router.transport("c1")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(self.client.call, C1, base.numbered(n), 60) for n in range(3)]
            for _ in waiting:
                self.assertTrue(inside.acquire(timeout=base.GENEROUS))
            url = self.other_url()
            self.assertEqual({"c1", "c2"}, set(self.router.update([("c1", url), ("c2", url)])))
            child.update([("c1", url)])
            moved = pool.submit(listener.move, child.transport("c1"), 60)
            self.assertIsNot(old, self.router.transport("c1"))
            go.set()
            self.assertEqual(["0", "1", "2"], sorted(one.result().text for one in waiting))
            self.assertTrue(moved.result())
        self.assertEqual("7", self.client.call(C1, base.numbered(7), 60).text)

    def test_a_listener_moves_and_loses_none(self):
        seen = []
        listener = self.listen(deliver=lambda message: seen.append(message.lines))
        sender, stop = self.new_router("c1"), threading.Event()
        client, sent = clients.Client(sender, self.conf), []

        def sending():
            while not stop.is_set():
                client.cast(C1, base.numbered(len(sent)))
                sent.append(1)
                stop.wait(0.005)

        thread = threading.Thread(target=sending, daemon=True)
        thread.start()
        self.assertTrue(base.wait_for(lambda: len(seen) > 5))
        url = self.other_url(keep=True)
        self.router.update([("c1", url), ("c2", url)])
        self.assertTrue(listener.move(self.router.transport("c1"), 60))
        mark = len(seen)
        self.assertTrue(base.wait_for(lambda: len(seen) > mark + 5))
        stop.set()
        thread.join(base.GENEROUS)
        self.assertTrue(base.wait_for(lambda: set(seen) == set(range(len(sent)))))


class Local(Calls, Casts, Moves, base.BusTest):
    """In one process."""

    def other_url(self, keep=False):
        return self.bus_url + "?again=1" if keep else self.url(self.id())


class Rabbit(Calls, Casts, Moves, base.RabbitTest):
    """Over RabbitMQ."""

    def other_url(self, keep=False):
        """Another password.  ``keep``: who connects with the old one still may."""
        vhost = self.bus_url.rpartition("/")[2]
        return self.rabbit.url(vhost) + "?heartbeat_rate=2" if keep else (
            self.rabbit.change_password(vhost))


class Eventlet(testtools.TestCase):
    """In a process of its own, for what is patched once stays so."""

    def test_all_of_it(self):
        if os.environ.get(service.BACKEND_VARIABLE) == "eventlet":
            self.skipTest("this is it")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "testtools.run",
             "tests.bus.test_conformance.Local", "tests.bus.test_conformance.Rabbit"],
            env={**os.environ, service.BACKEND_VARIABLE: "eventlet"},
            capture_output=True, text=True, timeout=900)
        self.assertEqual(0, done.returncode, (done.stdout + done.stderr)[-6000:])
