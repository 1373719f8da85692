# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One process per state directory: a lock that the kernel lets go of when its holder dies."""

import contextlib
import fcntl
import os

from nova_cells.domain import errors

FILE = "lock"


class StateLock:
    """Held from ``take`` to ``free``, or to the end of the process, however it ends."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._handle: int | None = None

    def take(self) -> None:
        """``Conflict`` with a sentence if another process has it; ``Invalid`` if the directory
        cannot be used."""
        path = os.path.join(self._directory, FILE)
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise errors.Invalid(f"the state directory {self._directory} cannot be used: "
                                 f"{error.strerror}; name another with --state-path") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise errors.Conflict(
                f"the state directory {self._directory} is in use by process {holder}: stop that "
                "one first, or name another with --state-path") from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def free(self) -> None:
        """Let go.  May be repeated."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None
