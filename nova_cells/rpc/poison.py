# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Where what arrived and was no message is put aside: one small file each, the newest are kept.

An operator can look at them and delete them; nothing reads them again. Never raises, never writes
more than a few a second and never more than a piece of each: whoever sends bad messages must not
be able to fill a disk with them. What they hold may be secret, so only we may read them.
"""

import collections
import contextlib
import itertools
import json
import logging
import os
import pathlib
import threading
import time

from nova_cells.metrics import instruments

LOG = logging.getLogger(__name__)
PIECE = 64 * 1024                # bytes kept of one
PAUSE = 60.0                     # seconds in which no more than ``keep`` are written
KINDS = 100                      # kinds that are logged


class Shelf:
    """Counts, and keeps the newest ``keep`` under ``directory`` (None: none).  Thread-safe;
    several processes may share a directory."""

    def __init__(self, directory: str | os.PathLike | None, keep: int, where: str) -> None:
        self._directory = pathlib.Path(directory) if directory and keep else None
        self._keep = keep
        self._where = where
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._written: collections.deque[float] = collections.deque(maxlen=max(1, keep))
        self._kinds: set[str] = set()
        self.count = 0

    def put(self, reason: str, body: bytes) -> None:
        """One more.  Each kind is logged once, for who sends one bad message sends a thousand."""
        instruments.POISONED.inc(self._where.split("/")[1])
        kind = " ".join(reason.split())[:200]
        with self._lock:
            self.count += 1
            fresh = kind not in self._kinds and len(self._kinds) < KINDS
            if fresh:
                self._kinds.add(kind)
            kept = self._directory is not None and self._may_write()
        if fresh:
            LOG.error("on %s: refused what is not a message: %s", self._where, kind)
        if kept:
            try:
                self._write(kind, body)
            except OSError as error:
                LOG.warning("on %s: it could not be put aside: %s", self._where, error)

    def _may_write(self) -> bool:
        now = time.monotonic()
        if len(self._written) == self._written.maxlen and now - self._written[0] < PAUSE:
            return False
        self._written.append(now)
        return True

    def _write(self, reason: str, body: bytes) -> None:
        directory = self._directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}"
        head = json.dumps({"where": self._where, "reason": reason, "bytes": len(body)})
        handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:
            file.write(head.encode() + b"\n" + body[:PIECE])
        for old in sorted(os.listdir(directory))[:-self._keep]:
            with contextlib.suppress(FileNotFoundError):     # another process was first
                os.unlink(directory / old)
