# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The in-process bus under ``local://``: queues, listeners, replies. Knows nothing of
oslo.messaging.

One ``Bus`` per virtual host, found by name process-wide; two buses share nothing, and a queue
belongs to exactly one exchange, so a message cannot reach another cell. Nothing polls: a listener
sleeps on its own condition until a message for it arrives. Texts are stored, never objects, so
that sender and receiver cannot share one. Memory only: what is queued dies with the process, as
everybody who sends must expect anyway.
"""

import collections
import threading
import time

# (exchange, topic), (exchange, topic, server) or, pooled, (exchange, topic, "", pool)
Key = tuple[str | None, ...]


class Full(Exception):
    """The queue holds as many messages as it may."""


class Unheard(Exception):
    """Nobody listens to the queue, and the sender did not want to wait."""


class Call:
    """What a caller waits on: answered once, or given up."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: tuple[str | None, str | None] | None = None
        self.left = False                # the caller waits no more: nobody would get the answer

    def answer(self, reply: str | None, failure: str | None) -> None:
        """Give the answer; a second one is ignored."""
        if self._answer is None:
            self._answer = (reply, failure)
            self._done.set()

    def wait(self, seconds: float | None) -> tuple[str | None, str | None] | None:
        """The answer, or None when the time is over."""
        self._done.wait(seconds)
        if self._answer is None:
            self.left = True
        return self._answer


class Parcel:
    """One message in a queue."""

    __slots__ = ("call", "expires", "key", "number", "text")

    def __init__(self, key: Key, text: str, call: Call | None, ttl: float | None) -> None:
        self.key = key
        self.text = text
        self.call = call
        self.expires = None if ttl is None else time.monotonic() + ttl
        self.number = 0

    def dead(self, now: float) -> bool:
        """Whether its caller has left."""
        if self.call is not None and self.call.left:
            return True
        return self.expires is not None and now >= self.expires


class _Queue:
    def __init__(self) -> None:
        self.parcels: collections.deque[Parcel] = collections.deque()
        self.ears: list[Ear] = []

    def sweep(self, now: float) -> None:
        self.parcels = collections.deque(p for p in self.parcels if not p.dead(now))

    def next_live(self, now: float) -> Parcel | None:
        """The first living parcel, left where it is."""
        while self.parcels and self.parcels[0].dead(now):
            self.parcels.popleft()
        return self.parcels[0] if self.parcels else None

    def wake_one(self) -> None:
        for place, ear in enumerate(self.ears):
            if ear.idle:
                ear.idle = False
                ear.bell.notify()
                # Round robin: who was just woken is asked last.
                self.ears.append(self.ears.pop(place))
                return


class Ear:
    """A listener over several queues; messages come in the order in which they were sent."""

    def __init__(self, bus: "Bus", keys: list[Key], fanout: Key | None) -> None:
        self._bus = bus
        self.bell = threading.Condition(bus.lock)
        self.idle = False
        self.stopped = False
        self.keys = keys
        self.fanout = fanout

    def take(self, timeout: float | None = None) -> Parcel | None:
        """The next message; None when the time is over or the ear was stopped."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._bus.lock:
            while not self.stopped:
                now = time.monotonic()
                found = self._bus.pick(self, now)
                if found is not None:
                    return found
                if deadline is not None and now >= deadline:
                    return None
                self.idle = True
                self.bell.wait(None if deadline is None else deadline - now)
                self.idle = False
        return None

    def stop(self) -> None:
        """Take nothing more; what is queued stays for the next listener."""
        with self._bus.lock:
            self.stopped = True
            self._bus.forget(self)
            self.bell.notify_all()


class Bus:
    """The queues of one virtual host."""

    def __init__(self, capacity: int = 100_000) -> None:
        self.lock = threading.Lock()
        self.capacity = capacity
        self._queues: dict[Key, _Queue] = {}
        self._fanouts: dict[Key, list[tuple[Ear, Key]]] = {}
        self._sent = 0

    def listen(self, keys: list[Key], fanout: Key | None = None) -> Ear:
        """An ear on these queues, and on everything that is fanned out to ``fanout``."""
        ear = Ear(self, list(keys), fanout)
        with self.lock:
            if fanout is not None:
                private = (*fanout, "fanout", str(id(ear)))
                ear.keys.append(private)
                self._fanouts.setdefault(fanout, []).append((ear, private))
            for key in ear.keys:
                self._queue(key).ears.append(ear)
        return ear

    def put(self, parcel: Parcel, must_be_heard: bool = False) -> None:
        """Queue a message.  Raises ``Full``, or ``Unheard`` if asked to."""
        with self.lock:
            queue = self._queue(parcel.key)
            if must_be_heard and not queue.ears:
                raise Unheard(parcel.key)
            if len(queue.parcels) >= self.capacity:
                queue.sweep(time.monotonic())
                if len(queue.parcels) >= self.capacity:
                    raise Full(parcel.key)
            self._sent += 1
            parcel.number = self._sent
            queue.parcels.append(parcel)
            queue.wake_one()

    def put_back(self, parcel: Parcel) -> None:
        """Return a message that was taken and not worked on: it is next again."""
        with self.lock:
            queue = self._queue(parcel.key)
            queue.parcels.appendleft(parcel)
            queue.wake_one()

    def fan_out(self, key: Key, text: str, ttl: float | None) -> None:
        """A copy to everybody who listens now; nobody else."""
        with self.lock:
            private = [own for _, own in self._fanouts.get(key, ())]
        for own in private:
            self.put(Parcel(own, text, None, ttl))

    def pools(self, key: Key) -> list[Key]:
        """The pooled queues beside this one (notifications)."""
        with self.lock:
            return [k for k in self._queues if len(k) == 4 and k[:2] == key and k[2] == ""]

    def pick(self, ear: Ear, now: float) -> Parcel | None:
        """The oldest living message for this ear.  Called with the lock held."""
        best = None
        for key in ear.keys:
            queue = self._queues.get(key)
            parcel = queue.next_live(now) if queue is not None and queue.parcels else None
            if parcel is not None and (best is None or parcel.number < best.number):
                best = parcel
        if best is not None:
            self._queues[best.key].parcels.popleft()
        return best

    def forget(self, ear: Ear) -> None:
        """Unsubscribe an ear.  Called with the lock held."""
        if ear.fanout is not None:
            pairs = self._fanouts.get(ear.fanout, [])
            self._fanouts[ear.fanout] = [pair for pair in pairs if pair[0] is not ear]
        for key in ear.keys:
            queue = self._queues.get(key)
            if queue is None or ear not in queue.ears:
                continue
            queue.ears.remove(ear)
            if len(key) == 4 and key[2] == "fanout":
                del self._queues[key]
            elif queue.parcels:
                queue.wake_one()         # it may have been the one that was woken for them
            else:
                self._drop_if_idle(key)

    def sizes(self) -> dict[Key, int]:
        """Messages waiting, per queue."""
        with self.lock:
            return {key: len(queue.parcels) for key, queue in self._queues.items()}

    def _queue(self, key: Key) -> _Queue:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
        return queue

    def _drop_if_idle(self, key: Key) -> None:
        queue = self._queues[key]
        if not queue.ears and not queue.parcels:
            del self._queues[key]


_buses: dict[str, tuple[Bus, int]] = {}
_buses_lock = threading.Lock()


def open_bus(name: str, capacity: int) -> Bus:
    """The bus of this name in this process.  Close it as often as it was opened."""
    with _buses_lock:
        bus, users = _buses.get(name, (None, 0))
        if bus is None:
            bus = Bus(capacity)
        _buses[name] = (bus, users + 1)
        return bus


def close_bus(name: str) -> None:
    """Let go of a bus; the last one to do so takes its queues with it."""
    with _buses_lock:
        bus, users = _buses.pop(name, (None, 0))
        if bus is not None and users > 1:
            _buses[name] = (bus, users - 1)
