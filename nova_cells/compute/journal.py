"""The journal: the highest ticket a host has seen per server, and how it ended.

Durable, and kept for deleted servers too, so that a late boot cannot bring one back.  Steps
that may not be repeated are noted under their ticket before they are taken.
"""

import json
import os
import pathlib
import threading
import typing

import msgspec

from nova_cells.domain import tasks


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a host knows of its work on one server."""

    epoch: int
    ticket: int
    verb: str
    outcome: tasks.Report | None = None      # None: begun, not ended
    steps: tuple[str, ...] = ()              # steps that may not be repeated, taken

    @property
    def stamp(self) -> tuple[int, int]:
        """What tasks are compared with."""
        return (self.epoch, self.ticket)


class Journal(typing.Protocol):
    """Where entries are kept."""

    def read(self, server: str) -> Entry | None:
        """The entry of a server."""

    def write(self, server: str, entry: Entry) -> None:
        """Durably, before it returns."""


class MemoryJournal:
    """For tests and simulations: outlives the agent object, not the process."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def read(self, server: str) -> Entry | None:
        """The entry of a server."""
        return self._entries.get(server)

    def write(self, server: str, entry: Entry) -> None:
        """Keep it."""
        self._entries[server] = entry


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode
SNAPSHOT = 10_000                # lines in the log before it is written anew


class FileJournal:
    """One append-only file; written anew when it has grown; read whole at start.

    A torn last line (power cut in the middle of a write) is ignored: its task was not begun.
    """

    def __init__(self, directory: str, sync: bool = True) -> None:
        self._path = pathlib.Path(directory) / "journal"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._sync = sync
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._lines = 0
        self._load()
        self._file = self._compact()

    def read(self, server: str) -> Entry | None:
        """The entry of a server."""
        with self._lock:
            return self._entries.get(server)

    def write(self, server: str, entry: Entry) -> None:
        """Append, and flush to the disk."""
        line = self._line(server, entry)
        with self._lock:
            self._entries[server] = entry
            self._file.write(line)
            self._flush(self._file)
            self._lines += 1
            if self._lines > SNAPSHOT + 2 * len(self._entries):
                self._file.close()
                self._file = self._compact()

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._file.close()

    @staticmethod
    def _line(server: str, entry: Entry) -> bytes:
        return json.dumps(server).encode() + b" " + _encode(entry) + b"\n"

    def _flush(self, file: typing.BinaryIO) -> None:
        file.flush()
        if self._sync:
            os.fdatasync(file.fileno())

    def _load(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().split(b"\n"):
            server, _space, entry = line.partition(b" ")
            try:
                self._entries[json.loads(server)] = _decode(entry)
            except (ValueError, msgspec.DecodeError):
                continue

    def _compact(self) -> typing.BinaryIO:
        temporary = self._path.with_suffix(".new")
        with open(temporary, "wb") as file:
            for server, entry in self._entries.items():
                file.write(self._line(server, entry))
            self._flush(file)
        os.replace(temporary, self._path)
        self._lines = len(self._entries)
        return open(self._path, "ab")


