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
from nova_cells.rpc import breaker
from nova_cells.rpc import router as routers
from nova_cells.rpc import transport as transports

LOG = logging.getLogger(__name__)

METHOD = "handle"


class _Gate:
    """What stands before one destination: a breaker for answers, one for the broker, a bulkhead."""

    def __init__(self, options, monotonic) -> None:  # noqa: ANN001
        limits = (options.breaker_failures, options.breaker_seconds, monotonic)
        self.answers = breaker.Breaker(*limits)
        self.broker = breaker.Breaker(*limits)
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

    def cast(self, address: addresses.Address, message: commands.Message) -> None:
        """Send; nobody waits.  ``CellDown`` if the broker does not take it."""
        transport, target = self._router.target(address)
        text = codec.encode(message)
        gate = self._gate(target)
        if not gate.broker.allow():
            raise errors.CellDown(self._unreachable(target))
        try:
            oslo_messaging.get_rpc_client(transport, target, retry=1).cast({}, METHOD, m=text)
        except Exception as error:
            gate.broker.failed()
            self._give_up(target, error)
        gate.broker.succeeded()

    def call(self, address: addresses.Address, message: commands.Message,
             budget: float | None = None) -> commands.Message:
        """Send and return the answer.  Raises the family of problem that the other side met;
        ``CellDown`` if there was no answer within ``budget`` seconds (default: [rpc] budget)."""
        transport, target = self._router.target(address)
        text = codec.encode(message)
        budget = self._options.budget if budget is None else budget
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
            if not gate.answers.allow():
                raise errors.CellDown(f"{self._who(target)} has not answered lately; it is tried "
                                      "again in a few seconds")
            try:
                client = oslo_messaging.get_rpc_client(transport, target, timeout=budget, retry=1)
                reply = client.call({}, METHOD, m=text, b=budget)
            except Exception as error:
                gate.answers.failed()
                self._give_up(target, error, budget)
            gate.answers.succeeded()
            return reply
        finally:
            gate.bulkhead.release()

    def _give_up(self, target: oslo_messaging.Target, error: Exception,
                 budget: float | None = None) -> None:
        """Raise what a failed send means."""
        LOG.debug("exchange=%s topic=%s server=%s: %s", target.exchange, target.topic,
                  target.server, type(error).__name__)
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
                gate = self._gates[key] = _Gate(self._options, self._monotonic)
            return gate

    def _who(self, target: oslo_messaging.Target) -> str:
        cell = f"the cell {self._router.name(target.exchange)}"
        return f"the host {target.server} of {cell}" if target.server else cell

    def _unreachable(self, target: oslo_messaging.Target) -> str:
        return f"the message bus of {self._who(target)} takes no messages"
