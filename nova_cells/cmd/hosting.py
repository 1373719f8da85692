# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Brings up the agent of one host, on its cell's bus.

May assume that the bus is open.  What was opened for an agent (its hypervisor, its journal) is
let go when the agent cannot be started, or by ``close``.
"""

import contextlib
import os

from nova_cells import seal
from nova_cells.cmd import cellbus, lock
from nova_cells.compute import agent as agents
from nova_cells.compute import answers, journal, rooms
from nova_cells.conf import consoles as console_options
from nova_cells.conf import services as service_options
from nova_cells.conf import standalone as options
from nova_cells.network import loader as networks
from nova_cells.virt import loader
from nova_cells.volume import loader as volumes


def _consoles(conf) -> dict[str, answers.Offered]:
    return {kind: answers.Offered(**words)
            for kind, words in console_options.offered(conf).items()}


class Hosting:
    """The agents of this process."""

    def __init__(self, conf, bus: cellbus.CellBus, images, ids) -> None:
        self._conf, self._bus, self._images, self._ids = conf, bus, images, ids
        self._rooms = rooms.Rooms(images=images, network=networks.load(conf),
                                  volume=volumes.load(conf))
        self._undo = contextlib.ExitStack()

    def start(self, host: str, alone: bool = False) -> None:
        """Start the agent of a host.  ``Invalid``: the configuration can never work; any other
        problem (the hypervisor does not answer, say) may pass.  ``alone``: no other process may
        have an agent of this host."""
        cell = self._bus.name
        directory = os.path.join(self._conf.state_path, "agents", cell, host)
        with contextlib.ExitStack() as undo:
            if alone:
                held = lock.StateLock(directory)
                held.take()
                undo.callback(held.free)
            driver = loader.load(self._conf, cell, host, self._images)
            undo.callback(driver.close)
            kept = journal.FileJournal(directory)
            undo.callback(kept.close)
            agent = agents.Agent(driver, kept, self._bus.uuid, host, self._ids,
                                 service_options.fill(agents.Settings, self._conf.compute),
                                 seal.Seal.at(options.secrets_key(self._conf)),
                                 self._rooms, _consoles(self._conf))
            self._bus.run(f"agent {cell}/{host}", agent, "compute", host)
            self._undo.push(undo.pop_all())

    def close(self) -> None:
        """Let hypervisors and journals go; guests keep running.  After the bus was stopped."""
        self._undo.close()
