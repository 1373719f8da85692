"""The conductor: ``handle(message, now) -> effects``.

Any number of them may serve one cell; what decides is a swap in the cell's database, and a
handler that lost one reads again and decides again.
"""

import logging
import typing

import msgspec
from oslo_db import exception as db_exc

from nova_cells.conductor import (
    changes,
    confirming,
    courses,
    errands,
    healing,
    hostorders,
    hosts,
    moves,
    placing,
    reclaiming,
    relay,
    reports,
    shelving,
    steering,
    watchdog,
    zones,
)
from nova_cells.conductor import figures as cell_figures
from nova_cells.db import engine
from nova_cells.db.cell import places
from nova_cells.domain import commands, effects, errors, records, tasks
from nova_cells.scheduler import fleet

LOG = logging.getLogger(__name__)
TRIES = 8                        # swaps lost in a row before giving the message up


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a conductor behaves.  Seconds."""

    ask_again: float = 30.0          # an open task is sent again
    host_down_after: float = 25.0    # a host silent for so long is down (service_down_time)
    upload_batch: int = 200          # records in one upload
    upload_bytes: int = 1024 * 1024  # of the records in one upload
    upload_retry: float = 3.0        # an upload that is not acknowledged is repeated
    heartbeat: float = 5.0           # an empty upload when there is nothing to say
    tombstone_age: float = 86400.0   # longer than any outage that is to be survived
    reclaim_instance_interval: float = 0.0   # a soft delete is for good then; 0: never
    limit_factor: float = 1.0        # stretches the deadlines of the lifecycle table
    shelved_offload_time: int = 0    # a shelved server keeps its host for so long; below 0: always
    shelved_poll_interval: int = 3600
    resize_confirm_window: float = 0.0   # a resize that waited so long is confirmed; 0: never


class Conductor:
    """One cell's conductor."""

    JOBS: typing.ClassVar[dict[str, float]] = {
        "relay": 1.0, "watchdog": 5.0, "hosts": 2.0, "purge": 600.0, "reclaim": 60.0}

    def __init__(self, store, identity, ids, settings: Settings | None = None,  # noqa: ANN001
                 chooser=None) -> None:  # noqa: ANN001
        self.store = store
        self.cell, self.name = identity.uuid, identity.name
        self.ids = ids
        self.settings = settings or Settings()
        # Several conductors of a cell must not all propose the same of equally good hosts.
        self.places = places.Places(store, fleet.own_rank(ids.uuid()))
        self.placing = placing.Placing(self, chooser)
        self.moves = moves.Moves(self)
        self.courses = courses.Courses(self)
        self.errands = errands.Errands(self)
        self.steering = steering.Steering(self)
        self.changes = changes.Changes(self)
        self.hosts = hosts.Hosts(self)
        self.zones = zones.Zones(self)
        self.hostorders = hostorders.HostOrders(self)
        self.reports = reports.Reports(self)
        self.relay = relay.Relay(self)
        self.reclaiming = reclaiming.Reclaiming(self)
        self.watchdog = watchdog.Watchdog(self)
        self.confirming = confirming.Confirming(self)
        self.healing = healing.Healing(self)
        self.offloading = shelving.Offloading(self)
        if self.settings.shelved_offload_time > 0 and self.settings.shelved_poll_interval > 0:
            self.JOBS = {**self.JOBS, "shelved": float(self.settings.shelved_poll_interval)}

    def start(self, now: float) -> list[effects.Effect]:
        """Ask about every open verb again: tasks may have been lost with the last conductor."""
        self.hosts.start(now)
        return [*self.watchdog.everything(now), effects.Wake("relay")]

    def figures(self, now: float):  # noqa: ANN201
        """The cell in numbers."""
        return cell_figures.read(self, now)

    def handle(self, message: msgspec.Struct, now: float) -> list[effects.Effect]:
        """One message or one tick.  Raises ``errors.Problem`` for the sender to hear."""
        for _attempt in range(TRIES):
            try:
                return self._handle(message, now)
            except (errors.Stale, db_exc.DBDeadlock, db_exc.DBDuplicateEntry) as problem:
                LOG.info("%s lost a race and is decided again: %s", type(message).__name__,
                         str(problem).partition("\n")[0])
            except engine.UNAVAILABLE as problem:
                LOG.warning("%s was not handled: the cell's database does not answer: %s",
                            type(message).__name__, str(problem).partition("\n")[0])
                raise errors.CellDown("The cell's database does not answer just now; try again "
                                      "later.") from None
        raise errors.Conflict("too many changes at once; try again")

    def _handle(self, message: msgspec.Struct, now: float) -> list[effects.Effect]:
        if not isinstance(message, effects.Tick):
            self.hosts.signs.listen(now)
        match message:
            case effects.Tick():
                return self._tick(message.job, now)
            case commands.Boot():
                return self.placing.offered(message, now)
            case commands.Command():
                return self.changes.handle(message, now)
            case commands.CacheImages():
                return self.hostorders.cache(message)
            case commands.HostCommand():
                return self.hostorders.handle(message, now)
            case commands.Aggregates():
                return self.zones.learn(message, now)
            case records.Acks():
                return self.relay.acknowledged(message, now)
            case tasks.Report():
                return self.reports.report(message, now)
            case tasks.ErrandReport():
                return self.errands.report(message, now)
            case tasks.Hello():
                return self.hosts.hello(message, now)
            case tasks.Goodbye():
                return self.hosts.goodbye(message, now)
            case tasks.GuestsSeen():
                return self.reports.guests(message, now)
            case tasks.GuestChanged():
                return self.reports.changed(message, now)
            case tasks.Looked():
                return self.reports.looked(message, now)
        return self.healing.handle(message, now)

    def _tick(self, job: str, now: float) -> list[effects.Effect]:
        match job:
            case "relay":
                return self.relay.tick(now)
            case "watchdog":
                return [*self.watchdog.tick(now), *self.confirming.tick(now)]
            case "hosts":
                return self.hosts.tick(now)
            case "reclaim":
                return self.reclaiming.tick(now)
            case "shelved":
                return self.offloading.tick(now)
            case "purge":
                with self.store.write() as tx:
                    self.store.servers.purge(tx, now - self.settings.tombstone_age)
                    self.store.servers.purge_operations(tx, now - self.settings.tombstone_age)
                    self.store.errands.purge(tx, now - self.settings.tombstone_age)
        return []
