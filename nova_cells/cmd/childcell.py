# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One child cell inside the stand-alone process: its conductor and the agents of its hosts.

Knows nothing of the API cell: it has a database, a bus and a name.  A host whose hypervisor does
not answer is tried again and again beside the others.
"""

import contextlib
import functools
import logging
import os
import sys
import threading

from nova_cells import seal, service
from nova_cells.compute import agent as agents
from nova_cells.compute import journal
from nova_cells.conductor import service as conductors
from nova_cells.conf import database as database_options
from nova_cells.conf import services as service_options
from nova_cells.conf import standalone as options
from nova_cells.db import cell as cell_database
from nova_cells.db import migrations
from nova_cells.domain import errors
from nova_cells.rpc import client, router, server, transport
from nova_cells.virt import loader

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
        self._router: router.Router | None = None
        self._running: list[tuple[server.Listener, service.Runner]] = []
        self._undo = contextlib.ExitStack()      # drivers and journals, to be closed
        self._lock = threading.Lock()
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
        cell = self.identity.uuid
        self._router = router.Router(
            open_transport=functools.partial(transport.open_transport, self._conf))
        self._router.update([(cell, self.url, self.plan.name)])
        transport.must_answer(self._conf, self.url)
        self._client = client.Client(self._router, self._conf)
        conductor = conductors.Conductor(
            self.store, self.identity, self._ids,
            service_options.fill(conductors.Settings, self._conf.conductor))
        self._run(f"conductor {self.plan.name}", conductor, "conductor", self._conf.host)
        missing = [host for host in self.plan.hosts if not self._start_host(host, first=True)]
        if missing:
            threading.Thread(target=self._retry, args=(missing,), daemon=True,
                             name=f"hosts of {self.plan.name}").start()

    def stop(self, patience: float) -> bool:
        """Whether all work under way ended in time.  Guests keep running."""
        self._leaving.set()
        with self._lock:
            running, self._running = self._running, []
        ended = stop_all([stop for listener, runner in reversed(running)
                          for stop in (listener.stop, runner.stop)], patience)
        self._undo.close()
        if self._router is not None:
            self._router.close()
        return ended

    def close(self) -> None:
        """Let the database go."""
        if self.store is not None:
            self.store.close()

    def _run(self, name: str, handler, topic: str, host: str) -> None:
        cell = self.identity.uuid
        runner = service.Runner(name, handler, self._client, self._clock,
                                forward_budget=self._conf.rpc.forward_budget)
        listener = server.Listener(self._router.transport(cell), cell, topic, host,
                                   runner.deliver, threads=self._conf.rpc.threads)
        listener.start()
        try:
            runner.start()
        except BaseException:
            listener.stop(1.0)
            runner.stop(1.0)
            raise
        with self._lock:
            self._running.append((listener, runner))

    def _start_host(self, host: str, first: bool) -> bool:
        """Whether it could be started.  ``Invalid`` (a configuration that can never work) is
        raised; a hypervisor that does not answer is not."""
        with contextlib.ExitStack() as undo:
            try:
                driver = loader.load(self._conf, self.plan.name, host, self._images)
                undo.callback(driver.close)
                kept = journal.FileJournal(os.path.join(self._conf.state_path, "agents",
                                                        self.plan.name, host))
                undo.callback(kept.close)
                agent = agents.Agent(driver, kept, self.identity.uuid, host, self._ids,
                                     service_options.fill(agents.Settings, self._conf.compute),
                                     seal.Seal.at(options.secrets_key(self._conf)))
                self._run(f"agent {self.plan.name}/{host}", agent, "compute", host)
            except errors.Invalid:
                raise
            except errors.Problem as problem:
                if first:
                    sys.stderr.write(f"host {host} of {self.plan.name} is not up: {problem}; tried "
                                     f"again every {HOST_RETRY:g} s\n")
                LOG.warning("cell=%s host=%s: %s", self.plan.name, host, problem)
                return False
            self._undo.push(undo.pop_all())
        return True

    def _retry(self, hosts: list[str]) -> None:
        while hosts and not self._leaving.wait(HOST_RETRY):
            try:
                hosts = [host for host in hosts if not self._start_host(host, first=False)]
            except Exception:
                LOG.exception("cell=%s: a host could not be started", self.plan.name)


def stop_all(stops: list, patience: float) -> bool:
    """Call them all at once with this patience; whether each said that it ended."""
    ended: list[bool] = []
    threads = [threading.Thread(target=lambda stop=stop: ended.append(stop(patience)), daemon=True)
               for stop in stops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience + 1.0)
    return len(ended) == len(stops) and all(ended)
