"""What happens to guests by itself: libvirt's events, told as levels.

libvirt calls back on its event loop thread, where nothing may block; the callback only notes
whose guest it was, and a thread of the driver's own looks at the guest and tells what it is
*now*.  So a burst coalesces, and a lost event is made good by the next look.  The same thread
opens a lost connection again, and then tells of every guest.
"""

import collections
import collections.abc
import queue
import threading
import time
import typing

from oslo_log import log

from nova_cells.domain import errors, tasks
from nova_cells.virt.libvirt import connection

LOG = log.getLogger(__name__)
EVERYBODY = ""
PULSE = 5.0                              # seconds between looks at the connection
Tell = collections.abc.Callable[[tasks.GuestSeen], None]


class Events:
    """Listens on one connection, from ``begin`` on."""

    def __init__(self, link: connection.Connection,
                 look: collections.abc.Callable[[str], tasks.GuestSeen | None],
                 everybody: collections.abc.Callable[[], list[tasks.GuestSeen]]) -> None:
        self._link, self._look, self._everybody = link, look, everybody
        self._noted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reboots: collections.Counter[str] = collections.Counter()
        self._moved = threading.Condition()
        self._watchers: list[Tell] = []
        self._told: dict[str, tasks.GuestSeen] = {}
        self._opened = False
        self._thread: threading.Thread | None = None
        self._closed = False
        link.on_open(self._register)

    def watch(self, tell: Tell) -> None:
        """Tell of every change from now on."""
        self._watchers.append(tell)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="guest-events", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Tell nothing more."""
        self._closed = True
        self._watchers.clear()
        self._noted.put(None)

    def reboots(self, uuid: str) -> int:
        """How often the guest was seen to restart."""
        with self._moved:
            return self._reboots[uuid]

    def wait(self, seconds: float) -> None:
        """Sleep, but wake when anything happens to any guest."""
        with self._moved:
            self._moved.wait(max(0.0, seconds))

    # -- on libvirt's thread -------------------------------------------------------------------

    def _register(self, conn: typing.Any) -> None:
        libvirt = connection.library()
        for kind, call in ((libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle),
                           (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._reboot)):
            conn.domainEventRegisterAny(None, kind, call, None)
        if self._opened:
            self._noted.put(EVERYBODY)
        self._opened = True

    def _lifecycle(self, _conn: object, domain: typing.Any, event: int, _detail: int,
                   _opaque: object) -> None:
        libvirt = connection.library()
        if event not in (libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED):
            self._note(domain.UUIDString())

    def _reboot(self, _conn: object, domain: typing.Any, _opaque: object) -> None:
        with self._moved:
            self._reboots[domain.UUIDString()] += 1
        self._note(domain.UUIDString())

    def _note(self, uuid: str) -> None:
        with self._moved:
            self._moved.notify_all()
        self._noted.put(uuid)

    # -- on our own thread ---------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closed:
            try:
                self._tell(self._next())
            except errors.Problem as problem:
                LOG.warning("hypervisor=%s events: %s", self._link.uri, problem)
                time.sleep(0.0 if self._closed else 1.0)
            except Exception:
                LOG.exception("telling of a guest failed")

    def _next(self) -> set[str]:
        """Whose guests changed: all that was noted, at least one unless nothing happens."""
        noted: set[str] = set()
        try:
            first = self._noted.get(timeout=PULSE)
            while first is not None:
                noted.add(first)
                first = self._noted.get_nowait()
        except queue.Empty:
            pass
        if not self._closed and not self._link.alive():
            self._link.get()             # registers again, and notes everybody
        return noted

    def _tell(self, noted: set[str]) -> None:
        guests: list[tasks.GuestSeen | None]
        if EVERYBODY in noted:
            guests = list(self._everybody())
        else:
            guests = [self._look(uuid) for uuid in sorted(noted)]
            for uuid, guest in zip(sorted(noted), guests, strict=True):
                if guest is None:
                    self._told.pop(uuid, None)
        for guest in guests:
            if guest is not None and self._told.get(guest.uuid) != guest:
                for tell in tuple(self._watchers):
                    tell(guest)
                self._told[guest.uuid] = guest
