# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Receives messages: decode, deliver, encode the answer.

What is not a message (poison) is put aside, counted and answered with a failure; it never stops
the loop. No more messages are taken from the broker than there are threads to work on
them, so the rest stays where its time to live is watched; and a command whose caller has left is
dropped, by this machine's own monotonic clock: what the broker let pass has at most its budget
left from the moment it arrived here (law T4).
"""

import collections.abc
import logging
import os
import threading
import time
from concurrent import futures

import oslo_messaging
from oslo_config import cfg
from oslo_messaging.rpc import server as oslo_server

from nova_cells.domain import codec, errors
from nova_cells.rpc import holding, poison
from nova_cells.rpc import transport as transports

LOG = logging.getLogger(__name__)
METHOD = "handle"                # the one method on the wire
LOOK_UP = 0.1                    # seconds between looks at the bus while every thread is busy

Deliver = collections.abc.Callable[..., object]


class _Bounded(oslo_server.RPCServer):
    """An RPC server that takes a message only when a thread is free for it."""

    def begin(self, threads: int, shelf: poison.Shelf) -> None:
        """Start with so many threads.  What the bus itself cannot read goes to the shelf."""
        self._shelf = shelf
        self._free = threading.Semaphore(threads)
        self._stopping = False
        if self.executor_type == "threading":
            # oslo.messaging's own workers wake once a second to see whether they should end.
            self._executor_cls = futures.ThreadPoolExecutor
        self.start(override_pool_size=threads)

    def refuse(self) -> None:
        """Take no message any more; whoever waits for a thread with one in hand puts it back."""
        self._stopping = True
        self._free.release()

    def leave(self) -> None:
        """Stop."""
        self.stop()

    def _create_listener(self):
        listener = super()._create_listener()
        inner = getattr(listener, "_poll_style_listener", None)
        if hasattr(inner, "on_poison"):
            inner.on_poison = self._shelf.put
        return listener

    def _on_incoming(self, incoming) -> None:
        """In the thread that listens.  A message is the bus's until a thread is free for it."""
        message = incoming[0]
        if message.message.get("method") != METHOD:      # answered as oslo.messaging does
            self._shelf.put(f"no method of ours: {message.message.get('method')}"[:80],
                            repr(message.message).encode(errors="replace"))
        read_on = getattr(message, "read_on", None)
        while not self._free.acquire(timeout=LOOK_UP if read_on else None):
            read_on()
        if self._stopping:
            self._free.release()
            message.requeue()
            time.sleep(LOOK_UP)          # or it is the next message again, and green threads starve
            return
        try:
            message.acknowledge()
        except Exception as error:       # not ours any more: the bus gives it to the next
            LOG.info("a message was lost with its connection: %s", error)
            self._free.release()
            return
        self._work_executor.submit(self._work, incoming, message.arrived)

    def _work(self, incoming, arrived: float) -> None:
        try:
            budget = incoming[0].message.get("args", {}).get("b")
            if isinstance(budget, int | float) and time.monotonic() - arrived >= budget:
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
        transports.prepare(transport.conf)
        self._shelf = poison.Shelf(_poisoned(transport.conf), transport.conf.rpc.poisoned_kept,
                                   f"{exchange}/{topic}/{server_name}")
        self._endpoint = _Endpoint(deliver, self._shelf)

    @property
    def poisoned(self) -> int:
        """How many of the texts received were no messages."""
        return self._shelf.count

    def start(self) -> None:
        """Begin to listen.  ``CellDown`` with a sentence if the broker cannot be reached."""
        self._server = self._begin(self._transport)

    def move(self, transport: oslo_messaging.Transport, patience: float = 10.0) -> bool:
        """Listen on another transport from now on; nothing is lost between the two.  Whether what
        was under way on the old one ended in time.  On ``CellDown`` it stays where it was."""
        if transport is self._transport:
            return True
        fresh = self._begin(transport) if self._server is not None else None
        old, self._server = self._server, fresh
        left, self._transport = self._transport, transport
        return self._end(old, left, patience)

    def stop(self, patience: float = 10.0) -> bool:
        """Take nothing more, and wait for what is under way.  Whether all of it ended in time."""
        server, self._server = self._server, None
        return self._end(server, self._transport, patience)

    def _begin(self, transport: oslo_messaging.Transport) -> "_Bounded":
        transports.prepare(transport.conf)
        server = oslo_messaging.get_rpc_server(
            transport, self._target, [self._endpoint], server_cls=_Bounded,
            access_policy=oslo_messaging.ExplicitRPCAccessPolicy,
            **({"executor": self._executor} if self._executor else {}))
        if not holding.hold(transport):
            raise errors.CellDown(f"cannot listen on {self._target.topic}: the transport was "
                                  "replaced just now; try again")
        try:
            server.begin(self._threads, self._shelf)
        except (oslo_messaging.MessagingException, OSError):
            holding.release(transport)
            raise errors.CellDown(f"cannot listen on {self._target.topic}: the message bus does "
                                  "not answer; check that it runs and that its transport URL is "
                                  "right") from None
        return server

    def _end(self, server: "_Bounded | None", transport: oslo_messaging.Transport,
             patience: float) -> bool:
        """In a thread: a broker that is away may keep it for longer than anybody's patience."""
        if server is None:
            return True

        def ending() -> None:
            try:
                server.leave()
                server.wait()
            finally:
                holding.release(transport)

        server.refuse()
        waiter = threading.Thread(target=ending, daemon=True, name="listener-end")
        waiter.start()
        waiter.join(patience)
        return not waiter.is_alive()


def _poisoned(conf) -> str | None:  # noqa: ANN001
    """Where it is put aside: where this process has a place for its state at all."""
    try:
        return os.path.join(conf.state_path, "poisoned")
    except cfg.NoSuchOptError:
        return None


class _Endpoint:
    """What oslo.messaging calls: one method."""

    def __init__(self, deliver: Deliver, shelf: poison.Shelf) -> None:
        self._deliver = deliver
        self._shelf = shelf

    @oslo_messaging.expose
    def handle(self, context: dict, m: object = None, b: float | None = None,
               **later) -> str | None:
        """Deliver one message.  Additions of newer senders (``later``) are ignored."""
        try:
            message = codec.decode(m if isinstance(m, str | bytes) else "")
        except errors.Problem as problem:
            self._shelf.put(str(problem), str(m).encode(errors="replace"))
            return codec.encode(errors.as_failure(problem))
        try:
            answer = self._deliver(message)
            return None if answer is None else codec.encode(answer)
        except errors.Problem as problem:
            return codec.encode(errors.as_failure(problem))
        except Exception:
            LOG.exception("a %s could not be handled", type(message).__name__)
            return codec.encode(errors.Failure(family="bug", message="internal error; see the log"))
