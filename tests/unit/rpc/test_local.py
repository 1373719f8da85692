# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The in-process bus: nothing crosses, nothing is shared, nothing is polled."""

import concurrent.futures
import logging
import threading
import time

import oslo_messaging

from tests.unit.rpc import base


class Named:
    """Answers with its own name; remembers what it got."""

    def __init__(self, name, seconds=0.0):
        self.name = name
        self.seconds = seconds
        self.seen = []
        self.got = threading.Event()

    def who(self, context, value=None):
        self.seen.append(value)
        self.got.set()
        if self.seconds:
            time.sleep(self.seconds)
        return [self.name, value]

    def fail(self, context):
        raise ValueError("no good")


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


class Crossing(base.BusTestCase):
    """What is meant for one cell is never answered by another."""

    def hammer(self, clients, calls=2000, threads=20):
        def one(number):
            name, client = clients[number % len(clients)]
            answer = client.call({}, "who", value=number)
            return answer == [name, number]

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(one, range(calls)))

    def test_two_exchanges(self):
        transport = self.transport()
        for name in ("a", "b"):
            self.serve(transport, name, Named(name))
        clients = [(name, self.client(transport, name)) for name in ("a", "b")]
        self.assertEqual(2000, self.hammer(clients))

    def test_two_virtual_hosts(self):
        clients = []
        for name in ("a", "b"):
            transport = self.transport()
            self.serve(transport, "same", Named(name))
            clients.append((name, self.client(transport, "same")))
        self.assertEqual(2000, self.hammer(clients))

    def test_two_hosts_of_one_topic(self):
        transport = self.transport()
        for name in ("h1", "h2"):
            self.serve(transport, "cell", Named(name), topic="compute", server=name)
        clients = [(name, self.client(transport, "cell", topic="compute", server=name))
                   for name in ("h1", "h2")]
        self.assertEqual(1000, self.hammer(clients, calls=1000))

    def test_two_transports_of_one_virtual_host_meet(self):
        name = base.fresh_name()
        self.serve(self.transport(name), "cell", Named("a"))
        client = self.client(self.transport(name), "cell")
        self.assertEqual(["a", 1], client.call({}, "who", value=1))


class Calls(base.BusTestCase):
    def test_servers_of_a_topic_share_the_work(self):
        transport = self.transport()
        servers = [Named("1", 0.01), Named("2", 0.01)]
        for server in servers:
            self.serve(transport, "cell", server, server=server.name)
        client = self.client(transport, "cell")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: client.call({}, "who", value=n), range(100)))
        self.assertEqual(100, sum(len(server.seen) for server in servers))
        self.assertTrue(all(server.seen for server in servers), "one did everything")

    def test_nothing_is_shared(self):
        class Keeper:
            def keep(self, context, value):
                self.value = value
                return value

        transport, keeper, value = self.transport(), Keeper(), {"list": [1]}
        self.serve(transport, "cell", keeper)
        answer = self.client(transport, "cell").call({}, "keep", value=value)
        value["list"].append(2)
        keeper.value["list"].append(3)
        self.assertEqual({"list": [1]}, answer)
        self.assertEqual({"list": [1, 3]}, keeper.value)

    def test_what_is_not_plain_data_is_refused(self):
        client = self.client(self.transport(), "cell")
        self.assertRaises(TypeError, client.cast, {}, "who", value=object())

    def test_an_exception_comes_back(self):
        transport = self.transport()
        self.serve(transport, "cell", Named("a"))
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        error = self.assertRaises(ValueError,
                                  self.client(transport, "cell").call, {}, "fail")
        self.assertIn("no good", str(error))

    def test_an_answer_that_comes_too_late(self):
        transport = self.transport()
        self.serve(transport, "cell", Named("a", 0.5))
        client = self.client(transport, "cell", timeout=0.1)
        self.assertRaises(oslo_messaging.MessagingTimeout, client.call, {}, "who")

    def test_nobody_listens(self):
        client = self.client(self.transport(), "cell", timeout=3600)     # would hang
        self.assertRaises(oslo_messaging.MessagingTimeout, client.call, {}, "who")

    def test_nobody_listens_and_patience(self):
        self.conf.set_override("local_fail_fast", False, group="rpc")
        transport = self.transport()
        endpoint = Named("a")
        client = self.client(transport, "cell", timeout=5)
        threading.Timer(0.1, lambda: self.serve(transport, "cell", endpoint)).start()
        self.assertEqual(["a", 7], client.call({}, "who", value=7))


class Queues(base.BusTestCase):
    def test_order(self):
        transport, endpoint = self.transport(), Named("a")
        client = self.client(transport, "cell")
        for number in range(500):
            client.cast({}, "who", value=number)
        self.serve(transport, "cell", endpoint, threads=1)
        self.assertTrue(wait_for(lambda: len(endpoint.seen) == 500))
        self.assertEqual(list(range(500)), endpoint.seen)

    def test_a_call_that_nobody_waits_for_is_not_delivered(self):
        self.conf.set_override("local_fail_fast", False, group="rpc")
        transport, endpoint = self.transport(), Named("a")
        client = self.client(transport, "cell", timeout=0.05)
        self.assertRaises(oslo_messaging.MessagingTimeout, client.call, {}, "who", value="old")
        self.client(transport, "cell").cast({}, "who", value="new")
        self.serve(transport, "cell", endpoint)
        self.assertTrue(endpoint.got.wait(5))
        self.assertEqual(["new"], endpoint.seen)

    def test_bounded(self):
        self.conf.set_override("local_queue_size", 10, group="rpc")
        client = self.client(self.transport(), "cell")
        for number in range(10):
            client.cast({}, "who", value=number)
        self.assertRaises(oslo_messaging.MessageDeliveryFailure, client.cast, {}, "who")

    def test_what_is_dead_makes_room(self):
        self.conf.set_override("local_queue_size", 5, group="rpc")
        self.conf.set_override("local_fail_fast", False, group="rpc")
        transport = self.transport()
        impatient = self.client(transport, "cell", timeout=0.01)
        for _ in range(5):
            self.assertRaises(oslo_messaging.MessagingTimeout, impatient.call, {}, "who")
        self.client(transport, "cell").cast({}, "who")

    def test_fanout(self):
        transport = self.transport()
        servers = [Named("1"), Named("2"), Named("3")]
        for server in servers:
            self.serve(transport, "cell", server, server=server.name)
        elsewhere = Named("4")
        self.serve(transport, "other", elsewhere)
        self.client(transport, "cell", fanout=True).cast({}, "who", value=1)
        self.assertTrue(all(server.got.wait(5) for server in servers))
        self.assertFalse(elsewhere.seen)

    def test_a_server_restarts(self):
        transport, first, second = self.transport(), Named("1"), Named("2")
        client = self.client(transport, "cell")
        running = self.serve(transport, "cell", first)
        self.assertEqual("1", client.call({}, "who")[0])
        running.stop()
        running.wait()
        for number in range(20):
            client.cast({}, "who", value=number)
        self.serve(transport, "cell", second)
        self.assertTrue(wait_for(lambda: len(second.seen) == 20))
        self.assertEqual("2", client.call({}, "who")[0])

    def test_the_last_to_close_takes_the_queues(self):
        name, endpoint = base.fresh_name(), Named("a")
        transport = self.transport(name)
        self.client(transport, "cell").cast({}, "who", value="lost")
        transport.cleanup()
        transport.cleanup()
        again = self.transport(name)
        self.serve(again, "cell", endpoint)
        self.client(again, "cell").cast({}, "who", value="new")
        self.assertTrue(endpoint.got.wait(5))
        self.assertEqual(["new"], endpoint.seen)


class Notifications(base.BusTestCase):
    def listen(self, transport, seen, pool=None):
        class Endpoint:
            def info(self, context, publisher, kind, payload, metadata):
                seen.append(payload)

        listener = oslo_messaging.get_notification_listener(
            transport, [oslo_messaging.Target(topic="notes")], [Endpoint()], pool=pool)
        listener.start()
        self.addCleanup(listener.wait)
        self.addCleanup(listener.stop)

    def test_every_pool_has_its_copy(self):
        transport = oslo_messaging.get_notification_transport(
            self.conf, f"local://{base.fresh_name()}")
        self.addCleanup(transport.cleanup)
        one, two, three = [], [], []
        self.listen(transport, one)
        self.listen(transport, two, pool="p")
        self.listen(transport, three, pool="p")
        notifier = oslo_messaging.Notifier(transport, "me", driver="messaging", topics=["notes"])
        for number in range(10):
            notifier.info({}, "thing", {"n": number})
        self.assertTrue(wait_for(lambda: len(one) == 10 and len(two) + len(three) == 10))


class Speed(base.BusTestCase):
    def test_latency_and_twenty_callers(self):
        transport = self.transport()
        self.serve(transport, "cell", Named("a"))
        client = self.client(transport, "cell")
        client.call({}, "who")
        took = []
        for _ in range(300):
            start = time.perf_counter()
            client.call({}, "who")
            took.append(time.perf_counter() - start)
        took.sort()
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: client.call({}, "who", value=n), range(2000)))
        rate = 2000 / (time.perf_counter() - start)
        print(f"local:// median {took[150] * 1e6:.0f} us, p99 {took[297] * 1e6:.0f} us, "
              f"20 callers {rate:.0f} calls/s")
