# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Receives messages: decode, deliver, encode the answer.

What is not a message (poison) is counted, logged once per kind and answered with a failure; it
never stops the loop. No more messages are taken from the broker than there are threads to work on
them, so the rest stays where its time to live is watched; and a command whose caller has left is
dropped, by this machine's own monotonic clock: what the broker let pass has at most its budget
left from the moment it arrived here (law T4).
"""

import collections.abc
import logging
import threading
import time
from concurrent import futures

import oslo_messaging
from oslo_messaging.rpc import server as oslo_server

from nova_cells.domain import codec, errors
from nova_cells.metrics import instruments
from nova_cells.rpc import transport as transports

LOG = logging.getLogger(__name__)

Deliver = collections.abc.Callable[..., object]


class _Bounded(oslo_server.RPCServer):
    """An RPC server that takes a message only when a thread is free for it."""

    def begin(self, threads: int) -> None:
        """Start with so many threads."""
        self._free = threading.Semaphore(threads)
        self._stopping = False
        if self.executor_type == "threading":
            # oslo.messaging's own workers wake once a second to see whether they should end.
            self._executor_cls = futures.ThreadPoolExecutor
        self.start(override_pool_size=threads)

    def leave(self) -> None:
        """Stop; whoever waits for a thread with a message in hand puts it back."""
        self._stopping = True
        self._free.release()
        self.stop()

    def _on_incoming(self, incoming) -> None:
        arrived = time.monotonic()
        self._free.acquire()
        if self._stopping:
            self._free.release()
            incoming[0].requeue()
            return
        self._work_executor.submit(self._work, incoming, arrived)

    def _work(self, incoming, arrived: float) -> None:
        try:
            budget = incoming[0].message.get("args", {}).get("b")
            if isinstance(budget, int | float) and time.monotonic() - arrived >= budget:
                incoming[0].acknowledge()
                LOG.info("dropped a message whose sender waits no more")
                return
            self._process_incoming(incoming)
        except Exception:
            LOG.exception("a message could not be handled")
        finally:
            self._free.release()


class Listener:
    """Listens on one topic of one cell.  ``deliver(message)`` returns the answer or None.

    ``exchange`` is the cell's uuid, ``server_name`` the host or any unique name.  ``executor``
    None: whatever the process runs on.  May be started again after it was stopped.
    """

    def __init__(self, transport: oslo_messaging.Transport, exchange: str, topic: str,
                 server_name: str, deliver: Deliver, executor: str | None = None,
                 threads: int = 8) -> None:
        self._transport = transport
        self._target = oslo_messaging.Target(exchange=exchange, topic=topic, server=server_name)
        self._executor = executor
        self._threads = threads
        self._server: _Bounded | None = None
        self._endpoint = _Endpoint(deliver, f"{exchange}/{topic}/{server_name}")

    @property
    def poisoned(self) -> int:
        """How many of the texts received were no messages."""
        return self._endpoint.poisoned

    def start(self) -> None:
        """Begin to listen.  ``CellDown`` with a sentence if the broker cannot be reached."""
        transports.prepare(self._transport.conf)
        server = oslo_messaging.get_rpc_server(
            self._transport, self._target, [self._endpoint], server_cls=_Bounded,
            access_policy=oslo_messaging.ExplicitRPCAccessPolicy,
            **({"executor": self._executor} if self._executor else {}))
        try:
            server.begin(self._threads)
        except (oslo_messaging.MessagingException, OSError):
            raise errors.CellDown(f"cannot listen on {self._target.topic}: the message bus does "
                                  "not answer; check that it runs and that its transport URL is "
                                  "right") from None
        self._server = server

    def stop(self, patience: float = 10.0) -> bool:
        """Take nothing more, and wait for what is under way.  Whether all of it ended in time."""
        server, self._server = self._server, None
        if server is None:
            return True
        server.leave()
        waiter = threading.Thread(target=server.wait, daemon=True, name="listener-end")
        waiter.start()
        waiter.join(patience)
        return not waiter.is_alive()


class _Endpoint:
    """What oslo.messaging calls: one method."""

    def __init__(self, deliver: Deliver, where: str) -> None:
        self._deliver = deliver
        self._where = where
        self._seen: set[str] = set()
        self.poisoned = 0

    @oslo_messaging.expose
    def handle(self, context: dict, m: object = None, b: float | None = None,
               **later) -> str | None:
        """Deliver one message.  Additions of newer senders (``later``) are ignored."""
        try:
            message = codec.decode(m if isinstance(m, str | bytes) else "")
        except errors.Problem as problem:
            self._poison(problem)
            return codec.encode(errors.as_failure(problem))
        try:
            answer = self._deliver(message)
            return None if answer is None else codec.encode(answer)
        except errors.Problem as problem:
            return codec.encode(errors.as_failure(problem))
        except Exception:
            LOG.exception("on %s: %s could not be handled", self._where, type(message).__name__)
            return codec.encode(errors.Failure(family="bug", message="internal error; see the log"))

    def _poison(self, problem: errors.Problem) -> None:
        """Count it; log each kind once, for who sends one bad message sends a thousand."""
        self.poisoned += 1
        instruments.POISONED.inc(self._where.split("/")[1])
        kind = str(problem)[:200]
        if kind not in self._seen and len(self._seen) < 100:
            self._seen.add(kind)
            LOG.error("on %s: refused what is not a message: %s", self._where, kind)
