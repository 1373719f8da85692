# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Messages doubled, reordered, late, poisoned, oversized (R5): one listener, and a real handler
whose state must be that of the serial model."""

import json
import os
import random
import threading
import uuid

import kombu

from nova_cells.domain import address, codec, commands
from tests.bus import base

C1 = address.Cell("c1")
BAD_BODIES = [
    b"", b"not json", b"\xff\xfe\x00", b"[1, 2]", b'"text"', b"null", b"{}", b'{"method": 1}',
    b'{"method": "handle"}', b'{"method": "handle", "args": []}',
    b'{"oslo.version": "2.0", "oslo.message": "{"}',
    b'{"oslo.version": "9.9", "oslo.message": "{}"}',
    b'{"oslo.version": "2.0", "oslo.message": "[]"}',
    b'{"oslo.version": [], "oslo.message": 7}',
    b'{"method": "handle", "args": {}, "_unique_id": []}',
]
BAD_ARGS = [{}, {"m": None}, {"m": 7}, {"m": "not json"}, {"m": '{"v":[9,0],"t":"Done","m":{}}'},
            {"m": '{"v":[1,0],"t":"os.system","m":{}}'}, {"m": '{"v":[1,0],"t":"Act","m":{}}'},
            {"m": "{}", "b": "soon"}]


def envelope(args: dict, method: str = "handle") -> bytes:
    """As oslo.messaging would send it."""
    inner = {"method": method, "args": args, "_unique_id": uuid.uuid4().hex}
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(inner)}).encode()


class Versions:
    """A handler as ours are: what is newer is taken, what is old or known changes nothing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.newest: dict[str, int] = {}
        self.delivered = 0

    def deliver(self, message) -> None:
        with self.lock:
            self.delivered += 1
            if message.lines > self.newest.get(message.server, -1):
                self.newest[message.server] = message.lines


class Poison(base.RabbitTest):
    OPTIONS = {"max_message_size": 70_000, "poisoned_kept": 10}

    def setUp(self):
        super().setUp()
        self.handler = Versions()
        self.listener = self.listen(deliver=self.handler.deliver)
        connection = kombu.Connection(self.bus_url.replace("rabbit://", "amqp://"))
        self.addCleanup(connection.release)
        self.producer = kombu.Producer(connection.channel())

    def raw(self, body: bytes, content_type="application/json", **how) -> None:
        self.producer.publish(body, exchange="c1", routing_key="conductor",
                              content_type=content_type, content_encoding="utf-8", **how)

    def test_the_serial_model(self):
        rng = random.Random(5)
        numbers = {f"s{n}": list(range(15)) for n in range(20)}
        wanted = [(server, n) for server, all_of in numbers.items() for n in all_of]
        texts = [codec.encode(commands.ReadConsole(op="o", server=server, epoch=1, lines=n))
                 for server, n in wanted]
        sent = [envelope({"m": text}) for text in texts for _ in range(rng.choice((1, 1, 2, 3)))]
        rng.shuffle(sent)
        late, sent = sent[:50], sent[50:]
        bad = [*BAD_BODIES, *map(envelope, BAD_ARGS), b"x" * 80_000,
               envelope({"m": "y" * 80_000}), envelope({}, "os_system")]
        for number, body in enumerate(sent):
            self.raw(body)
            if number % 7 == 0:
                self.raw(rng.choice(bad))
        for body in bad:
            self.raw(body)
        self.raw(b"\x80\x04K\x01.", content_type="application/x-python-serialize")
        self.raw(b"- yaml", content_type="application/x-yaml")
        for body in late:
            self.raw(body)
        self.assertTrue(base.wait_for(
            lambda: self.handler.delivered == len(sent) + len(late)))
        self.assertEqual(dict.fromkeys(numbers, 14), self.handler.newest)
        self.assertGreaterEqual(self.listener.poisoned, len(bad) + 2)
        self.assertTrue(base.wait_for(lambda: not any(
            self.rabbit.queues(self.bus_url.rpartition("/")[2]).values())))

    def test_it_is_kept_for_an_operator_to_look_at(self):
        folder = os.path.join(self.state, "poisoned")
        for number in range(25):
            self.raw(b"not json %d" % number)
        self.assertTrue(base.wait_for(lambda: self.listener.poisoned == 25))
        kept = sorted(os.listdir(folder))
        self.assertEqual(10, len(kept))
        with open(os.path.join(folder, kept[0]), "rb") as file:
            head, body = file.read().split(b"\n", 1)
        self.assertEqual("c1/conductor/one", json.loads(head)["where"])
        self.assertIn(b"not json", body)
        self.assertEqual(0o600, os.stat(os.path.join(folder, kept[0])).st_mode & 0o777)

    def test_work_goes_on_beside_a_flood(self):
        for _ in range(300):
            self.raw(b"not json")
        self.client.cast(C1, base.numbered(1))
        self.assertTrue(base.wait_for(lambda: self.handler.delivered))
