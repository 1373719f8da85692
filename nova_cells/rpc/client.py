# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Sends messages: ``cast`` and forget, or ``call`` and wait at most a budget.

One method on the wire, ``handle``, with the encoded message and what is left of the caller's
budget, so that a receiver can drop what nobody waits for (law T4). A destination that stays silent
trips its breaker; each has a bulkhead of its own, so a slow cell takes only its own share of the
callers (laws T18, T19). Every way of not being answered is ``CellDown`` with a sentence; it never
means "not done".
"""

import logging
import threading
import time

import oslo_messaging
from oslo_config import cfg

from nova_cells.domain import address as addresses
from nova_cells.domain import codec, commands, errors
from nova_cells.rpc import breaker, figures, holding
from nova_cells.rpc import router as routers
from nova_cells.rpc import server as servers
from nova_cells.rpc import transport as transports

LOG = logging.getLogger(__name__)

# The broker says so when it knows no queue for a message.
_HEARD = oslo_messaging.TransportOptions(at_least_once=True)


class _Gate:
    """What stands before one destination: a breaker for answers and a bulkhead of its own, and
    the breaker of its cell's broker, or each of a thousand hosts would find out for itself."""

    def __init__(self, options, monotonic, broker: breaker.Breaker) -> None:  # noqa: ANN001
        self.answers = breaker.Breaker(options.breaker_failures, options.breaker_seconds,
                                       monotonic)
        self.broker = broker
        self.bulkhead = threading.Semaphore(options.bulkhead)


class Client:
    """The one way out of a service.  Thread-safe."""

    def __init__(self, router: routers.Router, conf: cfg.ConfigOpts,
                 monotonic=time.monotonic) -> None:
        transports.prepare(conf)
        self._router = router
        self._options = conf.rpc
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._gates: dict[tuple, _Gate] = {}
        self._brokers: dict[str, breaker.Breaker] = {}

    @figures.counted("cast")
    def cast(self, address: addresses.Address, message: commands.Message) -> None:
        """Send; nobody waits.  ``CellDown`` if the broker does not take it, or has nobody to
        keep it for."""
        text = self._encoded(message)
        with holding.held(lambda: self._router.target(address)) as (transport, target):
            gate = self._gate(target)
            if not gate.broker.allow():
                raise errors.CellDown(self._unreachable(target))
            try:
                client = oslo_messaging.get_rpc_client(transport, target, retry=1,
                                                       transport_options=_HEARD)
                client.cast({}, servers.METHOD, m=text)
            except oslo_messaging.MessageUndeliverable as error:
                gate.broker.succeeded()      # it answered, after all
                self._give_up(target, error)
            except Exception as error:
                gate.broker.failed()
                self._give_up(target, error)
            gate.broker.succeeded()

    @figures.counted("call")
    def call(self, address: addresses.Address, message: commands.Message,
             budget: float | None = None) -> commands.Message:
        """Send and return the answer.  Raises the family of problem that the other side met;
        ``CellDown`` if there was no answer within ``budget`` seconds (default: [rpc] budget)."""
        text = self._encoded(message)
        budget = self._options.budget if budget is None else budget
        with holding.held(lambda: self._router.target(address)) as (transport, target):
            if budget <= 0:
                raise errors.CellDown(f"no time was left to ask {self._who(target)}")
            reply = self._ask(transport, target, text, budget)
            if reply is None:
                raise errors.Bug(f"{self._who(target)} had no answer to {type(message).__name__}")
        answer = codec.decode(reply)
        if isinstance(answer, errors.Failure):
            errors.raise_failure(answer)
        return answer

    def state(self, cell: str) -> str:
        """What the breaker of a cell's conductors says: "closed", "open" or "half-open"."""
        return self._gate(oslo_messaging.Target(exchange=cell, topic="conductor")).answers.state

    def _ask(self, transport: oslo_messaging.Transport, target: oslo_messaging.Target,
             text: str, budget: float) -> str | None:
        gate = self._gate(target)
        if not gate.bulkhead.acquire(blocking=False):
            raise errors.CellDown(f"{self._who(target)} is busy: {self._options.bulkhead} calls "
                                  "wait for it already; try again")
        try:
            if gate.broker.state == "open":
                raise errors.CellDown(self._unreachable(target))
            if not gate.answers.allow():
                raise errors.CellDown(f"{self._who(target)} has not answered lately; it is tried "
                                      "again in a few seconds")
            try:
                client = oslo_messaging.get_rpc_client(
                    transport, target, timeout=budget, retry=1, transport_options=_HEARD)
                reply = client.call({}, servers.METHOD, m=text, b=budget)
            except Exception as error:
                gate.answers.failed()
                if isinstance(error, oslo_messaging.MessageDeliveryFailure):
                    gate.broker.failed()
                self._give_up(target, error, budget)
            gate.answers.succeeded()
            gate.broker.succeeded()
            return reply
        finally:
            gate.bulkhead.release()

    def _encoded(self, message: commands.Message) -> str:
        """The text.  ``Invalid`` for more than a receiver would take."""
        text = codec.encode(message)
        if len(text) > self._options.max_message_size:
            raise errors.Invalid(f"a {type(message).__name__} of {len(text)} bytes is not sent: "
                                 "[rpc] max_message_size is "
                                 f"{self._options.max_message_size}")
        return text

    def _give_up(self, target: oslo_messaging.Target, error: Exception,
                 budget: float | None = None) -> None:
        """Raise what a failed send means."""
        LOG.debug("exchange=%s topic=%s server=%s: %s", target.exchange, target.topic,
                  target.server, type(error).__name__)
        if isinstance(error, oslo_messaging.MessageUndeliverable):
            raise errors.CellDown(f"nobody listens for {self._who(target)}") from None
        if isinstance(error, oslo_messaging.MessageDeliveryFailure):
            raise errors.CellDown(self._unreachable(target)) from None
        if isinstance(error, oslo_messaging.MessagingTimeout):
            waited = "" if budget is None else f" within {budget:g} s"
            raise errors.CellDown(f"{self._who(target)} did not answer{waited}; what was asked "
                                  "may or may not have happened") from None
        if isinstance(error, oslo_messaging.MessagingException | OSError):
            raise errors.CellDown(self._unreachable(target)) from None
        raise error

    def _gate(self, target: oslo_messaging.Target) -> _Gate:
        key = (target.exchange, target.topic, target.server)
        with self._lock:
            gate = self._gates.get(key)
            if gate is None:
                broker = self._brokers.get(target.exchange)
                if broker is None:
                    broker = self._brokers[target.exchange] = breaker.Breaker(
                        self._options.breaker_failures, self._options.breaker_seconds,
                        self._monotonic)
                gate = self._gates[key] = _Gate(self._options, self._monotonic, broker)
                figures.tell(gate, self._router.name(target.exchange), target.topic, target.server)
            return gate

    def _who(self, target: oslo_messaging.Target) -> str:
        cell = f"the cell {self._router.name(target.exchange)}"
        return f"the host {target.server} of {cell}" if target.server else cell

    def _unreachable(self, target: oslo_messaging.Target) -> str:
        return f"the message bus of {self._who(target)} takes no messages"
