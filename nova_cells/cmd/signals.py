# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Waits for the signals that an operator sends to a process.

They come through a pipe that the interpreter itself writes to: a handler could do nothing that
blocks, for under eventlet it may run in the middle of the hub.
"""

import os
import select
import signal

STOP = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """SIGTERM and SIGINT, and any others that are asked for.  One per process, made in the main
    thread.  A second SIGTERM or SIGINT ends the process at once."""

    def __init__(self, *others: signal.Signals) -> None:
        self._wanted = {*STOP, *others}
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._count = 0
        for number in STOP:
            signal.signal(number, self._came)
        for number in others:
            signal.signal(number, lambda _number, _frame: None)

    def wait(self) -> signal.Signals:
        """The next of the signals that were asked for."""
        while True:
            select.select([self._read], [], [])
            number = os.read(self._read, 1)[0]
            if number in self._wanted:
                return signal.Signals(number)

    def _came(self, _number: int, _frame: object) -> None:
        self._count += 1
        if self._count > 1:
            os._exit(1)      # asked twice: at once
