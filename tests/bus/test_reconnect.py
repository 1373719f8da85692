# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""RabbitMQ away and back: nobody hangs, everybody comes back by himself."""

import concurrent.futures
import os
import signal
import threading

from nova_cells.domain import address, errors
from nova_cells.rpc import client as clients
from tests.bus import base
from tests.servers import process, rabbitmq, wire

C1 = address.Cell("c1")
HOST = address.Host("c1", "h1")


class Reconnect(base.BusTest):
    """One RabbitMQ of its own for all of this, for it is killed."""

    server: rabbitmq.RabbitMQ | None = None

    @classmethod
    def tearDownClass(cls):
        server, cls.server = cls.server, None
        if server is not None:
            server.remove()
        super().tearDownClass()

    def url(self, vhost):
        cls = type(self)
        try:
            if cls.server is None:
                cls.server = rabbitmq.RabbitMQ()
            if cls.server.pid is None:
                cls.server.start()
        except process.Missing as missing:
            self.skipTest(str(missing))
        return cls.server.url(vhost)

    def setUp(self):
        super().setUp()
        self.seen = []
        self.listener = self.listen(router=self.new_router("c1"))
        self.host = self.listen(topic="compute", server="h1", router=self.new_router("c1"),
                                deliver=lambda message: self.seen.append(message.lines))
        self.works()

    def works(self):
        """Calls and casts arrive again, without anybody being started again."""
        def answered():
            try:
                return self.client.call(C1, base.numbered(1), 5).text == "c1/conductor/one"
            except errors.CellDown:
                return False

        def heard():
            try:
                self.client.cast(HOST, base.numbered(len(self.seen)))
            except errors.CellDown:
                return False
            return base.wait_for(lambda: len(self.seen) > before, 1)

        self.assertTrue(base.wait_for(answered))
        before = len(self.seen)
        self.assertTrue(base.wait_for(heard))
        self.assertEqual("closed", self.client.state("c1"))

    def kill(self):
        """kill -9.  RabbitMQ 3.10 keeps which quorum queues there are in a file that it writes at
        leisure; one declared a moment ago would not come back (doc/howto/bus.rst)."""
        self.server.evaluate("[dets:sync(T) || T <- dets:all()]")
        self.server.kill()

    def nobody_hangs(self):
        """However many send at once, and whatever they send."""
        def one(number):
            send = self.client.call if number % 2 else self.client.cast
            more = (5,) if number % 2 else ()
            self.assertRaises(errors.CellDown, send, C1 if number % 3 else HOST,
                              base.numbered(number), *more)

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            waiting = [pool.submit(one, number) for number in range(240)]
            for future in concurrent.futures.as_completed(waiting, timeout=base.GENEROUS):
                future.result()

    def test_restarted(self):
        self.server.restart()
        self.works()

    def test_killed(self):
        self.kill()
        self.nobody_hangs()
        self.server.start()
        self.works()

    def test_wiped(self):
        self.server.wipe()
        self.works()

    def test_queues_deleted(self):
        self.server.drop_queues()
        self.works()

    def test_connections_closed(self):
        self.server.close_connections()
        self.works()

    def test_the_first_word_to_a_broker_that_is_away(self):
        self.kill()
        self.client = clients.Client(self.new_router(), self.conf)
        self.nobody_hangs()
        late = self.new_router("c1")
        self.assertRaises(errors.CellDown, self.listen, "c1", "collector", router=late)
        self.server.start()
        self.works()

    def test_frozen(self):
        """It takes connections and says nothing: as when a network eats everything."""
        pid = self.server.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            self.nobody_hangs()
        finally:
            os.kill(pid, signal.SIGCONT)
        self.works()

    def test_stopped_while_the_broker_is_away(self):
        self.kill()
        ended = threading.Event()

        def stop():
            self.listener.stop(5)
            self.host.stop(5)
            self.router.close()
            ended.set()

        threading.Thread(target=stop, daemon=True).start()
        self.assertTrue(ended.wait(base.GENEROUS))
        self.server.start()


class Silent(base.RabbitTest):
    """A broker that has our connections and says nothing: no sender waits for one after another
    of the things that sending is made of."""

    OPTIONS = {"publish_timeout": 0.5, "connect_timeout": 0.4, "breaker_failures": 10_000}
    SENDS = 60

    def setUp(self):
        super().setUp()
        self.listen()
        self.wire = wire.Wire(self.rabbit.port)
        self.addCleanup(self.wire.close)
        self.bus_url = self.wire.url(self.bus_url)
        self.client = clients.Client(self.new_router("c1"), self.conf)
        self.assertEqual("c1/conductor/one", self.client.call(C1, base.numbered(1), 30).text)

    def test_senders_give_up_in_time(self):
        """Every send ends by its own short time: all of them would not fit otherwise."""
        self.wire.silence()
        done = threading.Event()

        def send():
            for number in range(self.SENDS):
                self.assertRaises(errors.CellDown, self.client.cast, C1, base.numbered(number))
            done.set()

        threading.Thread(target=send, daemon=True).start()
        self.assertTrue(done.wait(base.GENEROUS))
        self.wire.speak()
        self.assertTrue(base.wait_for(self._answered))

    def _answered(self):
        try:
            return self.client.call(C1, base.numbered(1), 5).text == "c1/conductor/one"
        except errors.CellDown:
            return False
