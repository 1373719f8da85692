# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who uses a transport: one that was replaced is closed when its last user has left.

Calls under way and listeners hold theirs, so that a changed password or another broker costs
nobody an answer. Closing happens in a thread of its own: it may wait for a broker that is away.
"""

import collections.abc
import contextlib
import threading
import time
import weakref

import oslo_messaging

_lock = threading.Lock()
_users: "weakref.WeakKeyDictionary[oslo_messaging.Transport, int]" = weakref.WeakKeyDictionary()
_retired: "weakref.WeakSet[oslo_messaging.Transport]" = weakref.WeakSet()


def hold(transport: oslo_messaging.Transport) -> bool:
    """One user more.  False: it was replaced and nobody held it, so it is closed by now."""
    with _lock:
        if transport in _retired and not _users.get(transport):
            return False
        _users[transport] = _users.get(transport, 0) + 1
        return True


def release(transport: oslo_messaging.Transport) -> None:
    """One user less."""
    with _lock:
        _users[transport] -= 1
        last = not _users[transport] and transport in _retired
    if last:
        _close(transport)


def retire(transport: oslo_messaging.Transport) -> None:
    """There is another now: close it as soon as nobody uses it."""
    with _lock:
        if transport in _retired:
            return
        _retired.add(transport)
        unused = not _users.get(transport)
    if unused:
        _close(transport)


@contextlib.contextmanager
def held(find: collections.abc.Callable[[], tuple[oslo_messaging.Transport, object]],
         ) -> collections.abc.Iterator[tuple]:
    """What ``find`` finds, held meanwhile.  It is asked again when what it found was just
    replaced."""
    found = find()
    while not hold(found[0]):
        found = find()
    try:
        yield found
    finally:
        release(found[0])


def close_all(transports: list[oslo_messaging.Transport], patience: float) -> None:
    """Now, whoever uses them; those whose broker is silent are waited for no longer than this."""
    end = time.monotonic() + patience
    for thread in [_close(transport) for transport in transports]:
        thread.join(max(0.0, end - time.monotonic()))


def _close(transport: oslo_messaging.Transport) -> threading.Thread:
    thread = threading.Thread(target=transport.cleanup, daemon=True, name="transport-end")
    thread.start()
    return thread
