# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Client, router, server together: addresses in, answers or families of problem out."""

import concurrent.futures
import logging
import socket
import threading
import time

import oslo_messaging

from nova_cells.domain import address, codec, commands, errors
from nova_cells.rpc import client as clients
from nova_cells.rpc import router as routers
from nova_cells.rpc import server as servers
from nova_cells.rpc import transport as transports
from tests.unit.rpc import base, test_local

QUESTION = commands.ReadConsole(op="o", server="s", epoch=1, lines=3)


class ClientTestCase(base.BusTestCase):
    def setUp(self):
        super().setUp()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.url = f"local://{base.fresh_name()}"
        self.router = routers.Router(
            locate={"s": "c1"}.get,
            open_transport=lambda url: transports.open_transport(self.conf, url))
        self.addCleanup(self.router.close)
        self.router.update([("c1", self.url, "blue"), ("c2", self.url, "red")])
        self.now = 0.0
        self.client = clients.Client(self.router, self.conf, monotonic=lambda: self.now)

    def listen(self, cell="c1", topic="conductor", server="one", deliver=None, threads=4):
        deliver = deliver or (lambda message: commands.Text(text=f"{cell}/{topic}/{server}"))
        listener = servers.Listener(self.router.transport(cell), cell, topic, server, deliver,
                                    threads=threads)
        listener.start()
        self.addCleanup(listener.stop)
        return listener


class Addresses(ClientTestCase):
    def test_each_goes_to_its_place(self):
        for cell in ("c1", "c2"):
            self.listen(cell)
            self.listen(cell, "collector")
            self.listen(cell, "compute", "h1")
        for where, expected in (
                (address.Owner("s"), "c1/conductor/one"), (address.Cell("c2"), "c2/conductor/one"),
                (address.Host("c2", "h1"), "c2/compute/h1"),
                (address.Collector("c1"), "c1/collector/one")):
            self.assertEqual(expected, self.client.call(where, QUESTION, 5).text)

    def test_who_owns_nothing(self):
        self.assertRaises(errors.NotFound, self.client.call, address.Owner("?"), QUESTION, 1)

    def test_an_unknown_cell(self):
        error = self.assertRaises(errors.CellDown, self.client.cast, address.Cell("c9"), QUESTION)
        self.assertIn("c9", str(error))

    def test_no_crossing_on_one_bus(self):
        self.listen("c1")
        self.listen("c2")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(
                lambda n: self.client.call(address.Cell(f"c{n % 2 + 1}"), QUESTION, 5).text,
                range(2000)))
        self.assertEqual([f"c{n % 2 + 1}/conductor/one" for n in range(2000)], answers)


class Hot(ClientTestCase):
    def test_a_cell_is_added_and_removed(self):
        self.assertEqual(("c3",), self.router.update(
            [("c1", self.url), ("c2", self.url), ("c3", self.url)]))
        self.listen("c3")
        self.client.call(address.Cell("c3"), QUESTION, 5)
        self.router.update([("c1", self.url)])
        self.assertRaises(errors.CellDown, self.client.call, address.Cell("c3"), QUESTION, 5)
        self.assertEqual(("c1",), self.router.cells())

    def test_a_new_url_replaces_the_transport(self):
        before = self.router.transport("c1"), self.router.transport("c2")
        self.router.update([("c1", "local://" + base.fresh_name()), ("c2", self.url)])
        self.assertIsNot(before[0], self.router.transport("c1"))
        self.assertIs(before[1], self.router.transport("c2"))

    def test_one_bad_url_leaves_the_others(self):
        error = self.assertRaises(errors.Invalid, self.router.update, [
            ("c1", "pigeon://user:secret@loft/"), ("c2", self.url)])
        self.assertNotIn("secret", str(error))
        self.assertEqual(("c2",), self.router.cells())


class Answers(ClientTestCase):
    def test_a_failure_raises_its_family(self):
        def deliver(message):
            raise errors.Conflict("it is locked")

        self.listen(deliver=deliver)
        error = self.assertRaises(errors.Conflict, self.client.call, address.Cell("c1"), QUESTION)
        self.assertEqual("it is locked", str(error))

    def test_a_bug_says_nothing_of_itself(self):
        def deliver(message):
            raise ValueError("the password is xyzzy")

        self.listen(deliver=deliver)
        error = self.assertRaises(errors.Bug, self.client.call, address.Cell("c1"), QUESTION)
        self.assertNotIn("xyzzy", str(error))

    def test_no_answer_in_time(self):
        self.listen(deliver=lambda message: time.sleep(0.5))
        error = self.assertRaises(errors.CellDown, self.client.call, address.Cell("c1"),
                                  QUESTION, 0.1)
        self.assertIn("the cell blue did not answer within 0.1 s", str(error))

    def test_nobody_there(self):
        error = self.assertRaises(errors.CellDown, self.client.call, address.Host("c1", "h7"),
                                  QUESTION, 3600)        # would hang
        self.assertIn("the host h7 of the cell blue", str(error))

    def test_no_budget_left(self):
        self.assertRaises(errors.CellDown, self.client.call, address.Cell("c1"), QUESTION, 0.0)

    def test_no_answer_at_all_is_a_bug(self):
        self.listen(deliver=lambda message: None)
        self.assertRaises(errors.Bug, self.client.call, address.Cell("c1"), QUESTION, 5)


class Guards(ClientTestCase):
    def fail(self, times):
        for _ in range(times):
            self.assertRaises(errors.CellDown, self.client.call, address.Cell("c1"), QUESTION, 5)

    def test_the_breaker_opens_and_closes(self):
        self.fail(3)
        self.assertEqual("open", self.client.state("c1"))
        self.assertEqual("closed", self.client.state("c2"))
        self.listen("c1")
        self.fail(1)
        self.now += 11
        self.assertEqual("half-open", self.client.state("c1"))
        self.client.call(address.Cell("c1"), QUESTION, 5)
        self.assertEqual("closed", self.client.state("c1"))

    def test_an_open_breaker_lets_casts_through(self):
        self.fail(3)
        self.client.cast(address.Cell("c1"), QUESTION)
        seen = threading.Event()
        self.listen("c1", deliver=lambda message: seen.set())
        self.assertTrue(seen.wait(5))

    def test_a_silent_host_does_not_close_its_cell(self):
        self.listen("c1")
        for _ in range(5):
            self.assertRaises(errors.CellDown, self.client.call, address.Host("c1", "h"), QUESTION)
        self.client.call(address.Cell("c1"), QUESTION, 5)

    def test_the_bulkhead(self):
        self.conf.set_override("bulkhead", 2, group="rpc")
        client = clients.Client(self.router, self.conf)
        go, inside = threading.Event(), threading.Semaphore(0)

        def deliver(message):
            inside.release()
            go.wait(5)
            return commands.Text(text="")

        self.listen("c1", deliver=deliver)
        self.listen("c2")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(client.call, address.Cell("c1"), QUESTION, 5) for _ in "ab"]
            self.assertTrue(inside.acquire(timeout=5) and inside.acquire(timeout=5))
            error = self.assertRaises(errors.CellDown, client.call, address.Cell("c1"), QUESTION, 5)
            self.assertIn("busy", str(error))
            client.call(address.Cell("c2"), QUESTION, 5)     # another cell is not touched
            go.set()
            self.assertEqual(2, len([future.result() for future in waiting]))
        client.call(address.Cell("c1"), QUESTION, 5)


class Listening(ClientTestCase):
    def raw(self, cell="c1", **args):
        target = oslo_messaging.Target(exchange=cell, topic="conductor")
        return oslo_messaging.get_rpc_client(self.router.transport(cell), target, timeout=5).call(
            {}, "handle", **args)

    def test_poison(self):
        listener = self.listen()
        poison = ["", "not json", None, 7, ["x"], '{"v":[9,0],"t":"Done","m":{}}',
                  '{"v":[1,0],"t":"os.system","m":{}}', '{"v":[1,0],"t":"Act","m":{"op":1}}']
        for text in poison:
            answer = codec.decode(self.raw(m=text))
            self.assertEqual("invalid", answer.family)
        self.assertEqual(len(poison), listener.poisoned)
        self.client.call(address.Cell("c1"), QUESTION, 5)

    def test_poison_is_logged_once(self):
        logging.disable(logging.NOTSET)
        self.listen()
        with self.assertLogs("nova_cells.rpc.poison", "ERROR") as logs:
            for _ in range(10):
                self.raw(m="not json")
        self.assertEqual(1, len(logs.output))

    def test_additions_of_newer_senders_are_ignored(self):
        self.listen()
        text = self.raw(m=codec.encode(QUESTION), news="later")
        self.assertEqual("c1/conductor/one", codec.decode(text).text)

    def test_only_one_method(self):
        self.listen()
        target = oslo_messaging.Target(exchange="c1", topic="conductor")
        client = oslo_messaging.get_rpc_client(self.router.transport("c1"), target, timeout=5)
        self.assertRaises(oslo_messaging.RemoteError, client.call, {}, "_poison", problem="x")

    def test_a_command_whose_caller_left_is_dropped(self):
        seen, go = [], threading.Event()

        def deliver(message):
            seen.append(message.lines)
            go.wait(5)
            return commands.Text(text="")

        self.listen(deliver=deliver, threads=1)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            pool.submit(self.client.call, address.Cell("c1"), QUESTION, 5)
            self.assertTrue(test_local.wait_for(lambda: seen))
            late = [pool.submit(self.client.call, address.Cell("c1"),
                                commands.ReadConsole(op="o", server="s", epoch=1, lines=n), 0.1)
                    for n in (8, 9)]
            self.assertEqual(2, sum(isinstance(f.exception(), errors.CellDown) for f in late))
            go.set()
            self.client.call(address.Cell("c1"), QUESTION, 5)
        self.assertEqual([3, 3], seen)

    def test_restart_loses_no_cast(self):
        seen, slow = [], threading.Event()

        def deliver(message):
            slow.wait(0.002)
            seen.append(message.lines)

        listener = self.listen(deliver=deliver, threads=1)
        for number in range(100):
            self.client.cast(address.Cell("c1"), commands.ReadConsole(
                op="o", server="s", epoch=1, lines=number))
        self.assertTrue(test_local.wait_for(lambda: len(seen) > 10))
        self.assertTrue(listener.stop())
        self.assertLess(len(seen), 100)
        listener.start()
        self.addCleanup(listener.stop)
        self.assertTrue(test_local.wait_for(lambda: len(seen) >= 100))
        self.assertEqual(list(range(100)), seen)

    def test_stop_has_patience_with_what_is_under_way(self):
        began, ended = threading.Event(), threading.Event()

        def deliver(message):
            began.set()
            time.sleep(0.2)
            ended.set()

        listener = self.listen(deliver=deliver)
        self.client.cast(address.Cell("c1"), QUESTION)
        self.assertTrue(began.wait(5))
        self.assertTrue(listener.stop(5))
        self.assertTrue(ended.is_set())

    def test_latency(self):
        self.listen()
        took = []
        for _ in range(300):
            start = time.perf_counter()
            self.client.call(address.Cell("c1"), QUESTION, 5)
            took.append(time.perf_counter() - start)
        took.sort()
        print(f"client call over local:// median {took[150] * 1e6:.0f} us, "
              f"p99 {took[297] * 1e6:.0f} us")


class Brokers(base.BusTestCase):
    def test_one_that_does_not_answer(self):
        error = self.assertRaises(errors.CellDown, transports.must_answer, self.conf,
                                  "rabbit://me:s3cret@127.0.0.1:1/v")
        self.assertIn("127.0.0.1:1", str(error))
        self.assertNotIn("s3cret", str(error))

    def test_those_that_do(self):
        with socket.create_server(("127.0.0.1", 0)) as there:
            port = there.getsockname()[1]
            transports.must_answer(self.conf, f"rabbit://a:b@127.0.0.1:1,a:b@127.0.0.1:{port}/v")
        transports.must_answer(self.conf, "local://anything")


class Secrets(base.BusTestCase):
    def test_masked(self):
        for url in ("rabbit://nova:s3cret@host:5672/v?ssl=s3cret",
                    "rabbit://a:s3cret@h1:1,b:s3cret@h2:2/v"):
            self.assertNotIn("s3cret", transports.masked(url))
            self.assertIn("***@", transports.masked(url))
        self.assertEqual("local://cell1", transports.masked("local://cell1"))
        self.assertEqual("***", transports.masked("s3cret"))
