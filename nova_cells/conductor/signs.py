# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Signs of life of the cell's hosts: who was heard, by which conductor, how long ago.

A host speaks to any one of the conductors.  Each counts what it hears in memory and notes the
counts for the others, all hosts in one row, at most every few seconds: no host costs a write of
its own.  A host lives while its count moves in anybody's note; what the count is, and what any
clock but this conductor's own says, does not matter (law T17).  A conductor that started, slept,
had its clock set or heard nothing from anybody, not even its parent's acknowledgements, accuses
nobody until a whole patience has passed since: it is not the hosts that are silent but the bus.
"""

import collections.abc
import threading

NOTE_EVERY = 2.0                 # seconds between two notes of one conductor
GONE_AFTER = 20                  # patiences after which a note that does not move is dropped


class Signs:
    """Of one conductor.  Thread-safe."""

    def __init__(self, store, own: str, patience: float) -> None:  # noqa: ANN001
        self._store = store
        self._own = own
        self.patience = patience
        self._lock = threading.Lock()
        self._mine: dict[str, int] = {}              # host -> how often it was heard here
        self._theirs: dict[str, dict[str, int]] = {}     # conductor -> what it noted
        self._moved: dict[str, float] = {}           # host -> when a sign of it was last noticed
        self._fresh: dict[str, float] = {}           # conductor -> when its note last moved
        self._unsaid = False
        self._noted_at = float("-inf")
        self._read_at: float | None = None
        self._any_at = float("-inf")                 # when anything at all came from the bus

    def start(self) -> None:
        """Nobody was heard yet, and nobody is accused for it."""
        with self._lock:
            self._moved.clear()
            self._theirs.clear()
            self._read_at = None

    def listen(self, now: float) -> None:
        """Something came from the bus, whatever it is."""
        self._any_at = now

    def heard(self, host: str, now: float) -> None:
        """The host spoke to this conductor."""
        with self._lock:
            self._mine[host] = self._mine.get(host, 0) + 1
            self._moved[host] = now
            self._unsaid = True
            soon = 0 <= now - self._noted_at < NOTE_EVERY
        if not soon:
            self.note(now)

    def note(self, now: float) -> None:
        """Tell the other conductors, if there is news."""
        with self._lock:
            if not self._unsaid:
                return
            self._unsaid, self._noted_at = False, now
            heard = dict(self._mine)
        with self._store.write() as tx:
            self._store.hosts.note(tx, self._own, heard)

    def read(self, tx, hosts: collections.abc.Collection[str],  # noqa: ANN001
             now: float) -> list[str]:
        """Notice what the others noted.  The hosts that nobody has heard for too long."""
        notes = self._store.hosts.notes(tx)
        with self._lock:
            if self._read_at is not None and not 0 <= now - self._read_at <= self.patience / 2:
                self._moved.clear()              # slept, or the clock was set
            if not 0 <= now - self._any_at <= self.patience / 2:
                self._moved.clear()              # deaf
            for conductor, heard in notes.items():
                self._notice(conductor, heard, now)
            self._theirs = notes
            self._read_at = now
            self._mine = {host: count for host, count in self._mine.items() if host in hosts}
            self._moved = {host: self._moved.get(host, now) for host in hosts}
            return [host for host, moved in self._moved.items() if now - moved > self.patience]

    def _notice(self, conductor: str, heard: dict[str, int], now: float) -> None:
        """What moved in one note.  The first look tells nothing: it may be a dead one's."""
        before = self._theirs.get(conductor, {} if self._read_at is not None else heard)
        moved = [host for host, count in heard.items() if before.get(host) != count]
        if moved or conductor not in self._fresh:
            self._fresh[conductor] = now
        if conductor != self._own:
            for host in moved:
                self._moved[host] = now

    def sweep(self, now: float) -> None:
        """Drop the notes of conductors that are gone."""
        with self._lock:
            gone = [conductor for conductor, seen in self._fresh.items()
                    if conductor != self._own and now - seen > GONE_AFTER * self.patience]
            for conductor in gone:
                del self._fresh[conductor]
                self._theirs.pop(conductor, None)
        for conductor in gone:
            with self._store.write() as tx:
                self._store.hosts.drop_note(tx, conductor)
