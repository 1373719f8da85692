# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A circuit breaker: whoever did not answer several times is left alone for a while (law T18).

Pure but for its lock: the monotonic clock is handed in. closed: everybody passes. open: nobody
does. half-open, when the pause is over: one caller tries, the others are still refused; its
outcome closes or opens again.
"""

import collections.abc
import threading


class Breaker:
    """Counts failures in a row.  Thread-safe."""

    def __init__(self, failures: int, seconds: float,
                 monotonic: collections.abc.Callable[[], float]) -> None:
        self._limit = failures
        self._pause = seconds
        self._now = monotonic
        self._lock = threading.Lock()
        self._failed = 0
        self._open_until: float | None = None
        self._trying = False
        self.told: collections.abc.Callable[[str], None] = lambda state: None    # of each change

    @property
    def state(self) -> str:
        """"closed", "open" or "half-open"."""
        with self._lock:
            return self._state()

    def allow(self) -> bool:
        """Whether this caller may try.  Who may must tell the outcome, exactly once."""
        with self._lock:
            state = self._state()
            if state == "closed":
                return True
            if state == "open" or self._trying:
                return False
            self._trying = True
            self.told("half-open")
            return True

    def succeeded(self) -> None:
        """The caller was answered."""
        with self._lock:
            self._failed = 0
            if self._open_until is not None:
                self.told("closed")
            self._open_until = None
            self._trying = False

    def failed(self) -> None:
        """The caller was not answered."""
        with self._lock:
            self._failed += 1
            if self._trying or self._failed >= self._limit:
                self._open_until = self._now() + self._pause
                self.told("open")
            self._trying = False

    def abandoned(self) -> None:
        """The caller never got to try: no outcome."""
        with self._lock:
            self._trying = False

    def _state(self) -> str:
        if self._open_until is None:
            return "closed"
        return "open" if self._now() < self._open_until else "half-open"
