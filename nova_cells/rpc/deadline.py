# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Until when the sender in this thread may wait, over everything that sending is made of.

A message to a broker that is silent meets a chain of waits: for a slot, for a connection, for the
broker to take it, for a new connection.  Each asks here what is left, so that all of them together
take no longer than one may.  Threads that only listen have no deadline.
"""

import collections.abc
import contextlib
import threading
import time

_own = threading.local()
LEAST = 0.05             # seconds: of a socket, less would mean "never wait"


@contextlib.contextmanager
def within(seconds: float) -> collections.abc.Iterator[None]:
    """What this thread does meanwhile has so long; never longer than it had."""
    before, until = getattr(_own, "until", None), time.monotonic() + seconds
    _own.until = until if before is None else min(before, until)
    try:
        yield
    finally:
        _own.until = before


def left() -> float | None:
    """Seconds; 0 when the time is over, None when there is no deadline."""
    until = getattr(_own, "until", None)
    return None if until is None else max(0.0, until - time.monotonic())


def at_most(seconds: float) -> float:
    """So long, or what is left of it; never so short that a socket would not wait at all."""
    remaining = left()
    return seconds if remaining is None else max(LEAST, min(seconds, remaining))


def over(pause: float = 0.0) -> bool:
    """Whether nothing would be left after such a pause."""
    remaining = left()
    return remaining is not None and remaining <= pause
