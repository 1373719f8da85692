"""The connection to one libvirt daemon, and what its errors mean.

libvirt-python lets go of the interpreter while it waits and allows many threads on one
connection, so there is no pool: a lock guards only opening it.  One thread per process runs
libvirt's event loop, whatever the number of connections; without it neither events nor
keepalive work.  Never opens a connection before somebody needs it, and never runs on green
threads.
"""

import collections.abc
import contextlib
import functools
import threading
import types
import typing

from oslo_log import log

from nova_cells.domain import errors

LOG = log.getLogger(__name__)
KEEPALIVE = (10, 6)                      # seconds between probes, probes without an answer


@functools.cache
def library() -> types.ModuleType:
    """libvirt-python, its event loop running."""
    try:
        import libvirt
    except ImportError:
        raise errors.HostTrouble("libvirt-python is not installed: pip install nova-cells[libvirt] "
                                 "(needs libvirt-dev, pkg-config and gcc)")
    if type(threading.Lock()).__module__ != "_thread":
        # libvirt waits inside C, where a green thread would hold up all others for ever.
        raise errors.Invalid("the libvirt driver needs real threads: set [DEFAULT] "
                             "concurrency_backend = threading")
    libvirt.registerErrorHandler(_quiet, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_turn, args=(libvirt,), name="libvirt-events", daemon=True).start()
    return libvirt


def _quiet(_context: object, _error: object) -> None:
    """libvirt would print errors; they are raised, and that is enough."""


def _turn(libvirt: types.ModuleType) -> None:
    # The loop wakes at least once a second, so that it notices what other threads register.
    libvirt.virEventAddTimeout(1000, lambda *_: None, None)
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError as error:
            LOG.warning("libvirt's event loop stumbled: %s", error)


class Connection:
    """One daemon.  Opened when first used, and again when it was lost."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lock = threading.Lock()
        self._conn: typing.Any = None
        self._greet: list[collections.abc.Callable[[typing.Any], None]] = []

    def on_open(self, greet: collections.abc.Callable[[typing.Any], None]) -> None:
        """Call ``greet(connection)`` now if it is open, and whenever it is opened again."""
        with self._lock:
            self._greet.append(greet)
            if self._conn is not None:
                greet(self._conn)

    def alive(self) -> bool:
        """Whether it is open and the daemon answers; asks nothing over the wire."""
        with self._lock:
            return self._conn is not None and self._alive()

    def _alive(self) -> bool:
        try:
            return bool(self._conn.isAlive())
        except library().libvirtError:
            return False

    def get(self) -> typing.Any:
        """The open connection.  ``HostTrouble`` if the daemon does not answer."""
        libvirt = library()
        with self._lock:
            if self._conn is not None and self._alive():
                return self._conn
            self._drop()
            try:
                conn = libvirt.open(self.uri)
                with contextlib.suppress(libvirt.libvirtError):   # not every driver has it
                    conn.setKeepAlive(*KEEPALIVE)
                for greet in self._greet:
                    greet(conn)
            except libvirt.libvirtError as error:
                raise errors.HostTrouble(f"libvirt at {self.uri} does not answer: {error}")
            self._conn = conn
            LOG.info("hypervisor=%s connected", self.uri)
            return conn

    def _drop(self) -> None:
        if self._conn is not None:
            LOG.warning("hypervisor=%s lost", self.uri)
            with contextlib.suppress(library().libvirtError):
                self._conn.close()
            self._conn = None

    def close(self) -> None:
        """Let go; guests keep running."""
        with self._lock:
            self._greet.clear()
            if self._conn is not None:
                with contextlib.suppress(library().libvirtError):
                    self._conn.close()
                self._conn = None

    @contextlib.contextmanager
    def use(self, doing: str) -> collections.abc.Iterator[typing.Any]:
        """The connection, for the body; libvirt's errors become ours.  ``doing`` ends the
        sentence "libvirt cannot ..."."""
        conn = self.get()
        libvirt = library()
        try:
            yield conn
        except libvirt.libvirtError as error:
            raise problem(error, doing)

    @contextlib.contextmanager
    def domain(self, uuid: str, doing: str) -> collections.abc.Iterator[typing.Any]:
        """The guest's domain.  ``NotFound`` if libvirt knows none."""
        with self.use(f"{doing} guest {uuid}") as conn:
            yield conn.lookupByUUIDString(uuid)


def problem(error: typing.Any, doing: str) -> errors.Problem:
    """What a libvirt error means to whoever asked."""
    libvirt = library()
    code = error.get_error_code()
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return errors.NotFound(f"libvirt cannot {doing}: it knows no such guest")
    if code == libvirt.VIR_ERR_OPERATION_INVALID:
        return errors.Conflict(f"libvirt cannot {doing} now: {error.get_error_message()}")
    return errors.HostTrouble(f"libvirt cannot {doing}: {error.get_error_message()}")


def find(conn: typing.Any, uuid: str) -> typing.Any | None:
    """The guest's domain, or None."""
    libvirt = library()
    try:
        return conn.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
