# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Runs a service's command with a wall clock that is wrong by what a file says, now.

    python -m tests.processes.wrongclock FILE MODULE [WORD ...]

Whatever the process asks for the time of day is told that of the file; how long something takes
is not touched.  (libfaketime 0.9.10 would do the same for any program, but makes absolute sleeps
on the monotonic clock fail, and Python sleeps so.)
"""

import pathlib
import runpy
import sys
import time

REREAD = 0.5             # seconds


class Clock:
    """The time of day, and what it is wrong by."""

    def __init__(self, file: str) -> None:
        self._file = pathlib.Path(file)
        self._true, self._true_ns, self._monotonic = time.time, time.time_ns, time.monotonic
        self._wrong, self._read_at = 0.0, float("-inf")

    def wrong(self) -> float:
        """Seconds ahead."""
        now = self._monotonic()
        if now - self._read_at > REREAD:
            self._read_at = now
            self._wrong = float(self._file.read_text())
        return self._wrong

    def time(self) -> float:
        """As ``time.time``."""
        return self._true() + self.wrong()

    def time_ns(self) -> int:
        """As ``time.time_ns``."""
        return self._true_ns() + int(self.wrong() * 1e9)


if __name__ == "__main__":
    file, module, *words = sys.argv[1:]
    clock = Clock(file)
    time.time, time.time_ns = clock.time, clock.time_ns
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
