# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One child cell inside the stand-alone process: its conductor and the agents of its hosts.

Knows nothing of the API cell: it has a database, a bus and a name.  A host whose hypervisor does
not answer is tried again and again beside the others.
"""

import logging
import sys
import threading

from nova_cells.cmd import cellbus, hosting
from nova_cells.conductor import service as conductors
from nova_cells.conf import database as database_options
from nova_cells.conf import services as service_options
from nova_cells.conf import standalone as options
from nova_cells.db import cell as cell_database
from nova_cells.db import migrations
from nova_cells.domain import errors

LOG = logging.getLogger(__name__)

HOST_RETRY = 10.0        # seconds between tries to reach a host's hypervisor


class ChildCell:
    """Made, then opened (database, identity), then started; stopped once."""

    def __init__(self, conf, plan: options.CellPlan, images, clock, ids) -> None:
        self.plan = plan
        self.store: cell_database.CellStore | None = None
        self.identity = None
        self.url = ""
        self._conf, self._images, self._clock, self._ids = conf, images, clock, ids
        self._bus: cellbus.CellBus | None = None
        self._hosting: hosting.Hosting | None = None
        self._leaving = threading.Event()

    def open(self) -> None:
        """The database, at its newest schema, and who the cell is."""
        url = self.plan.connection
        self.store = cell_database.CellStore(
            url, **database_options.pool_options(self._conf.cell_database, url))
        self.store.ping()
        migrations.upgrade("cell", url)
        self.identity = self.store.identity(self.plan.name, self._ids.uuid)
        self.url = self.plan.transport_url or f"local://{self.identity.uuid}"

    def start(self) -> None:
        """The conductor, then the hosts."""
        self._bus = cellbus.CellBus(self._conf, self._clock, self.identity.uuid, self.plan.name,
                                    self.url)
        self._bus.open()
        conductor = conductors.Conductor(
            self.store, self.identity, self._ids,
            service_options.conductor(conductors.Settings, self._conf))
        self._bus.run(f"conductor {self.plan.name}", conductor, "conductor", self._conf.host)
        self._hosting = hosting.Hosting(self._conf, self._bus, self._images, self._ids)
        missing = [host for host in self.plan.hosts if not self._start_host(host, first=True)]
        if missing:
            threading.Thread(target=self._retry, args=(missing,), daemon=True,
                             name=f"hosts of {self.plan.name}").start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time.  Guests keep running."""
        self._leaving.set()
        ended = self._bus.stop(patience) if self._bus is not None else True
        if self._hosting is not None:
            self._hosting.close()
        if self._bus is not None:
            self._bus.close()
        return ended

    def close(self) -> None:
        """Let the database go."""
        if self.store is not None:
            self.store.close()

    def _start_host(self, host: str, first: bool) -> bool:
        """Whether it could be started.  ``Invalid`` (a configuration that can never work) is
        raised; a hypervisor that does not answer is not."""
        try:
            self._hosting.start(host)
        except errors.Invalid:
            raise
        except errors.Problem as problem:
            if first:
                sys.stderr.write(f"host {host} of {self.plan.name} is not up: {problem}; tried "
                                 f"again every {HOST_RETRY:g} s\n")
            LOG.warning("cell=%s host=%s: %s", self.plan.name, host, problem)
            return False
        return True

    def _retry(self, hosts: list[str]) -> None:
        while hosts and not self._leaving.wait(HOST_RETRY):
            try:
                hosts = [host for host in hosts if not self._start_host(host, first=False)]
            except Exception:
                LOG.exception("cell=%s: a host could not be started", self.plan.name)
