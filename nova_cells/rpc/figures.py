# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a client's calls and casts are counted by: cell, kind of message, outcome; and its gates."""

import collections.abc
import functools
import time
import typing

from nova_cells.domain import address as addresses
from nova_cells.domain import errors
from nova_cells.metrics import instruments

_STATES = {"closed": 0.0, "half-open": 1.0, "open": 2.0}
Send = typing.TypeVar("Send", bound=collections.abc.Callable[..., typing.Any])


def counted(mode: str) -> collections.abc.Callable[[Send], Send]:
    """Counts and times a client's method ``send(address, message, ...)``."""
    def decorate(send: Send) -> Send:
        @functools.wraps(send)
        def counting(client, address: addresses.Address, message, *more, **words):  # noqa: ANN001, ANN002, ANN003, ANN202
            outcome, began = "ok", time.perf_counter()
            cell, topic = _place(client, address)
            waiting = mode == "call"
            if waiting:
                instruments.BULKHEAD.inc(cell, topic)
            try:
                return send(client, address, message, *more, **words)
            except errors.Problem as problem:
                outcome = problem.family
                raise
            except Exception:
                outcome = "bug"
                raise
            finally:
                if waiting:
                    instruments.BULKHEAD.inc(cell, topic, by=-1.0)
                instruments.SENT.inc(cell, mode, type(message).__name__, outcome)
                instruments.SENT_SECONDS.observe(time.perf_counter() - began, cell, mode)
        return typing.cast(Send, counting)
    return decorate


def _place(client, address: addresses.Address) -> tuple[str, str]:  # noqa: ANN001
    """What people call the cell, and who is meant there."""
    cell = getattr(address, "cell", None)        # an owner is found while it is sent
    topic = {"Host": "compute", "Collector": "collector"}.get(type(address).__name__, "conductor")
    return (client._router.name(cell) if cell else "owner"), topic


def tell(gate, cell: str, topic: str, host: str | None) -> None:  # noqa: ANN001
    """From now on the state of this gate's breaker is told; not of those of single hosts."""
    if host is None:
        instruments.BREAKER.set(0.0, cell, topic)
        gate.answers.told = lambda state: instruments.BREAKER.set(_STATES[state], cell, topic)
