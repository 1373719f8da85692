# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Whether the collectors still tell of a cell, as one process of the API notices.

A collector says which cells are up; but when no collector works, nobody says that one went down.
So each process watches whether the time at which a cell was heard *moves*, by its own monotonic
clock: what that time is does not matter, for the collector's clock may be wrong (law T17).  A
process that has just started, or was not asked for a while, accuses nobody.
"""

import threading
import typing

SILENT_AFTER = 60.0                      # seconds without a move


class Pulse:
    """Of all cells, in one process.  Thread-safe."""

    def __init__(self, monotonic: typing.Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, float, float]] = {}   # heard at, moved, looked

    def alive(self, cell: typing.Any) -> bool:
        """Whether a cell (its row) is up, and somebody still listens to it."""
        if not cell.up:
            return False
        now = self._monotonic()
        with self._lock:
            heard_at, moved, looked = self._seen.get(cell.uuid, (None, now, now))
            if heard_at != cell.heard_at or now - looked > SILENT_AFTER:
                moved = now
            self._seen[cell.uuid] = (cell.heard_at, moved, now)
        return now - moved <= SILENT_AFTER
