# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The table of figures: name, kind, labels, help; and the registry that holds them.

A figure is counted where something happens (``inc``, ``observe``, ``set``), or read when somebody
asks (``watch``): then it costs nothing between two scrapes.  Thread-safe.  Never raises into the
caller's work; never holds more series than ``MOST`` of one figure.
"""

import collections.abc
import contextlib
import logging
import os
import pathlib
import threading
import time
import typing

import prometheus_client
from prometheus_client import core, values

LOG = logging.getLogger(__name__)

MOST = 5000              # series of one figure; what would be more is counted as "other"
KEEP = 5.0               # seconds that what was read for one scrape serves the next
SHARED = "PROMETHEUS_MULTIPROC_DIR"

# Seconds.  A GET takes one millisecond, a call to a cell ten, a boot's task minutes.
QUICK = (.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1.0, 2.5, 5.0, 15.0, 60.0)
SLOW = (.001, .005, .025, .1, .5, 2.5, 10.0, 60.0, 300.0)

TABLE: list["Instrument"] = []
prometheus_client.disable_created_metrics()      # twice the series for what nobody asks


class Instrument:
    """One figure.  ``read``: it is asked for at a scrape, and ``live`` says how the values of
    several processes are put together."""

    def __init__(self, name: str, kind: str, help: str, labels: tuple[str, ...] = (),
                 buckets: tuple[float, ...] = QUICK, read: bool = False,
                 live: str = "livesum") -> None:
        self.name, self.kind, self.help, self.labels = name, kind, help, labels
        self.buckets, self.read, self.live = buckets, read, live
        self._metric: typing.Any = None
        self._children: dict[tuple[str, ...], typing.Any] = {}
        TABLE.append(self)

    def build(self, registry: core.CollectorRegistry | None) -> None:
        """Begin (again) to count, in this registry; None: in files shared by processes."""
        words: dict[str, typing.Any] = {"labelnames": self.labels, "registry": registry}
        if self.kind == "counter":
            self._metric = prometheus_client.Counter(self.name, self.help, **words)
        elif self.kind == "histogram":
            self._metric = prometheus_client.Histogram(self.name, self.help,
                                                       buckets=self.buckets, **words)
        else:
            self._metric = prometheus_client.Gauge(self.name, self.help,
                                                   multiprocess_mode=self.live, **words)
        self._children = {}

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """So much more of it."""
        self._child(labels).inc(by)

    def observe(self, seconds: float, *labels: str) -> None:
        """It took so long."""
        self._child(labels).observe(seconds)

    def set(self, value: float, *labels: str) -> None:
        """It is this now."""
        self._child(labels).set(value)

    @contextlib.contextmanager
    def while_under_way(self, *labels: str) -> collections.abc.Iterator[None]:
        """One more of it inside."""
        self._child(labels).inc()
        try:
            yield
        finally:
            self._child(labels).dec()

    def _child(self, labels: tuple[str, ...]) -> typing.Any:
        child = self._children.get(labels)
        if child is None:
            if len(self._children) >= MOST:
                labels = ("other",) * len(self.labels)
            child = self._metric.labels(*labels) if self.labels else self._metric
            self._children[labels] = child
        return child


# -- the API --------------------------------------------------------------------------------------

API_REQUESTS = Instrument(
    "nova_cells_api_requests_total", "counter",
    "Requests answered, by path as the API table has it, method, and class of status.",
    ("route", "method", "status"))
API_SECONDS = Instrument(
    "nova_cells_api_request_seconds", "histogram",
    "How long requests took, token and policy included.", ("route", "method"))

# -- messages -------------------------------------------------------------------------------------

SENT = Instrument(
    "nova_cells_rpc_sent_total", "counter",
    "Calls and casts out, by cell, mode (call, cast), kind of message, and outcome: ok, or the "
    "family of the problem (cell_down, conflict ...).", ("cell", "mode", "kind", "outcome"))
SENT_SECONDS = Instrument(
    "nova_cells_rpc_seconds", "histogram",
    "How long calls (until their answer) and casts (until the broker has them) took.",
    ("cell", "mode"))
MESSAGES = Instrument(
    "nova_cells_messages_total", "counter",
    "Messages handled, by service, kind, and outcome: ok, or the family of the problem.",
    ("service", "kind", "outcome"))
MESSAGE_SECONDS = Instrument(
    "nova_cells_message_seconds", "histogram",
    "How long a message was worked on, what it caused to be sent included.", ("service", "kind"),
    SLOW)
POISONED = Instrument(
    "nova_cells_messages_poisoned_total", "counter",
    "Texts received that were no messages: somebody else writes to the bus, or another release.",
    ("topic",))
TICKS = Instrument(
    "nova_cells_tick_seconds", "histogram",
    "How long a run of a periodic job took.", ("service", "job"), SLOW)
BREAKER = Instrument(
    "nova_cells_breaker_state", "gauge",
    "Whether a cell is asked: 0 closed (it is), 1 half-open (one call tries), 2 open (it is left "
    "alone).", ("cell", "topic"), live="livemax")
BULKHEAD = Instrument(
    "nova_cells_bulkhead_in_use", "gauge",
    "Calls that wait for a cell's answer now; one more than [rpc] bulkhead is refused.",
    ("cell", "topic"))

# -- the collector, and what the view says --------------------------------------------------------

UPLOADS = Instrument(
    "nova_cells_uploads_under_way", "gauge",
    "Uploads of a cell that are being applied.", ("cell",))
APPLIED = Instrument(
    "nova_cells_records_total", "counter",
    "Records that came up, by outcome: applied, stale (the view holds a newer one), refused (not "
    "this cell's, or unknown).", ("cell", "kind", "outcome"))
OFFERS = Instrument(
    "nova_cells_offers", "gauge", "Boots offered to a cell and unanswered.", ("cell",), read=True)
OFFERS_AGE = Instrument(
    "nova_cells_offers_oldest_seconds", "gauge",
    "Age of the oldest offer that no cell has confirmed: a user looks at BUILD for so long.",
    ("cell",), read=True)
RESERVATIONS = Instrument(
    "nova_cells_reservations", "gauge", "Quota reservations of operations under way.", read=True)
INTENTS = Instrument(
    "nova_cells_intents", "gauge", "Orders kept for a cell that did not answer.", ("cell",),
    read=True)
CELLS_UP = Instrument(
    "nova_cells_cell_up", "gauge",
    "1: the cell was heard lately and its records are taken; 0: it is silent, or sync stopped.",
    ("cell",), read=True)
SLOTS = Instrument(
    "nova_cells_slots", "gauge", "Servers of a shape (VCPU, MiB of RAM, GiB of disk, traits) that "
    "a cell says it could still take.", ("cell", "shape"), read=True)

# -- the conductor, and what the cell's database says ---------------------------------------------

OUTBOX = Instrument(
    "nova_cells_outbox_length", "gauge", "Records of a cell that must still go up.", ("cell",),
    read=True)
OUTBOX_AGE = Instrument(
    "nova_cells_outbox_oldest_seconds", "gauge",
    "Age of the oldest mark in the outbox: by so much the view lags behind the cell.", ("cell",),
    read=True)
OPERATIONS = Instrument(
    "nova_cells_operations", "gauge", "Verbs under way on the servers of a cell.",
    ("cell", "verb"), read=True)
LATE = Instrument(
    "nova_cells_operations_late", "gauge",
    "Verbs that are older than their deadline; the watchdog should have ended them.",
    ("cell",), read=True)
HOSTS = Instrument(
    "nova_cells_hosts", "gauge", "Hosts of a cell, by state: up, down.", ("cell", "state"),
    read=True)

# -- a host ---------------------------------------------------------------------------------------

TASKS = Instrument(
    "nova_cells_tasks_under_way", "gauge", "Tasks that a host works on, or that wait there for "
    "their turn.", ("host",), read=True)
GUESTS = Instrument(
    "nova_cells_guests", "gauge", "Guests of a host, as it told its cell last.", ("host",),
    read=True)

# -- any process ----------------------------------------------------------------------------------

POOL = Instrument(
    "nova_cells_database_connections_in_use", "gauge",
    "Connections of the pool that somebody holds now; all of them (max_pool_size + max_overflow): "
    "requests wait.", ("database",), read=True)
INFO = Instrument(
    "nova_cells_info", "gauge", "Always 1; says what this process is.",
    ("service", "version", "cell", "host"), read=True)

Sample = tuple[Instrument, tuple[str, ...], float]
Read = collections.abc.Callable[[], collections.abc.Iterable[Sample]]
REGISTRY = core.CollectorRegistry(auto_describe=False)
_watched: dict[object, "Watch"] = {}
_lock = threading.Lock()


class Watch:
    """Something that is read when somebody asks, at most once in ``keep`` seconds.  What cannot
    be read is left out, for figures of the past would be lies."""

    def __init__(self, read: Read, keep: float) -> None:
        self._read, self._keep = read, keep
        self._turn = threading.Lock()
        self._until = float("-inf")
        self._known: list[Sample] = []

    def samples(self) -> list[Sample]:
        """What it says now."""
        with self._turn:
            if time.monotonic() >= self._until:
                try:
                    self._known = list(self._read())
                except Exception as error:
                    LOG.warning("some figures cannot be told: %s", type(error).__name__)
                    self._known = []
                self._until = time.monotonic() + self._keep
            return self._known

    def stop(self) -> None:
        """Not read any more."""
        with _lock:
            _watched.pop(self, None)


def watch(read: Read, keep: float = KEEP) -> Watch:
    """``read()`` gives (instrument, labels, value) of figures that are read at a scrape."""
    watched = Watch(read, keep)
    with _lock:
        _watched[watched] = watched
    return watched


class _Watched:
    """What is read at a scrape, as prometheus_client wants it."""

    def collect(self) -> collections.abc.Iterator[core.Metric]:
        with _lock:
            asked = list(_watched.values())
        found: dict[Instrument, dict[tuple[str, ...], float]] = {}
        for one in asked:
            for instrument, labels, value in one.samples():
                known = found.setdefault(instrument, {})
                if labels in known or len(known) < MOST:
                    known[labels] = value
        for instrument, series in found.items():
            family = core.GaugeMetricFamily(instrument.name, instrument.help,
                                            labels=instrument.labels)
            for labels, value in series.items():
                family.add_metric(labels, value)
            yield family


def identify(service: str, version: str, cell: str = "", host: str = "") -> None:
    """What this process is: shown as nova_cells_info.  The last word counts."""
    _identity[:] = [(INFO, (service, version, cell, host), 1.0)]


_identity: list[Sample] = []


def _build(registry: core.CollectorRegistry | None) -> None:
    for instrument in TABLE:
        if not instrument.read:
            instrument.build(registry)


def share(directory: str | os.PathLike) -> None:
    """From now on count in files of this directory, which is emptied first, so that whichever
    process is asked tells the sum of all.  Before workers are forked, once, in their parent."""
    folder = pathlib.Path(directory)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink(missing_ok=True)
    os.environ[SHARED] = str(folder)
    values.ValueClass = values.get_value_class()
    _build(None)


def shared() -> str | None:
    """The directory that processes share, if they do."""
    return os.environ.get(SHARED) or os.environ.get(SHARED.lower())


WATCHED = _Watched()
watch(lambda: _identity, keep=0.0)
_build(None if shared() else REGISTRY)
