# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What operators of the simulated cluster do with hosts: migrate off them, steer, evacuate them.

A host that is evacuated was cut off from its cell, guests running on, and forced down; later it is
back, and knows nothing of what happened.
"""

import random

from nova_cells.db.cell import servers as cell_servers
from nova_cells.domain import address, commands
from nova_cells.domain import wanted as wants

ODDS = 0.25                      # of each turn of a run: something more happens, of this


class Moving:
    """Of one run.  Has chances of its own: the others' seeds stay what they were."""

    def __init__(self, run, seed: int) -> None:  # noqa: ANN001
        self._run, self._c = run, run.cluster
        self._luck = random.Random(seed * 104729 + 7)

    def turn(self) -> None:
        """Now and then, one of it."""
        if not self._run.servers or self._luck.random() >= ODDS:
            return
        roll = self._luck.random()
        if roll < 0.65:
            self.migrate(self._luck.choice(self._active() or self._run.servers[-8:]))
        elif roll < 0.85:
            self.steer(self._luck.choice(self._run.servers[-8:]))
        else:
            self.sever()

    def _active(self) -> list[str]:
        """Servers that may be migrated just now."""
        found = []
        for store in self._c.stores.values():
            with store.read() as tx:
                found += [held.uuid for held in store.servers.many(
                    tx, cell_servers.t.c.rest == "active", cell_servers.t.c.verb == "")]
        return sorted(found)

    def migrate(self, uuid: str) -> None:
        """Live, to a host of the cell's choice or a named one."""
        c, luck = self._c, self._luck
        host = luck.choice([*[None] * 12, *(host for _cell, host in c.drivers)])
        options = luck.choice(({}, {"async": "1"}, {"async": "1"}, {"forced": "1"}))
        c.migrated.add(uuid)
        c.users.send(lambda: c.users.orders.act(
            uuid, "live_migrate", self._run._origin(), c.now,
            wanted=wants.Wanted(host=host, options=dict(options))))
        if luck.random() < 0.3:
            c.at(luck.choice((0.0, 0.05, 0.1, 30.0)), lambda: self.steer(uuid))

    def steer(self, uuid: str) -> None:
        """Whatever its newest migration is."""
        c = self._c
        found = [one for store in c.stores.values() for one in self._open(store)
                 if one.server == uuid]
        if found:
            word = self._luck.choice(("abort", "force_complete"))
            c.users.send(lambda: c.users.orders.steer_migration(
                uuid, found[0].uuid, "1", word, True, self._run._origin(), c.now))

    @staticmethod
    def _open(store) -> list:  # noqa: ANN001
        with store.read() as tx:
            return list(store.migrations.open(tx).values())

    def sever(self) -> None:
        """Cut a host off, force it down, evacuate it; after a while it is back."""
        c, luck = self._c, self._luck
        cell, host = luck.choice(sorted(c.drivers))
        c.severed.add((cell, host))
        self._force(cell, host, True)
        for _turn in range(2):
            c.run(luck.choice((0.5, 5.0, 40.0)))
            for guest in sorted(c.drivers[cell, host].guests(), key=lambda one: one.uuid):
                c.evacuated.add(guest.uuid)
                options = luck.choice(({}, {"stopped": "1"}))
                c.users.send(lambda uuid=guest.uuid, options=options: c.users.orders.act(
                    uuid, "evacuate", self._run._origin(), c.now,
                    wanted=wants.Wanted(options=dict(options))))
        c.at(luck.uniform(5, 200), lambda: self._mend(cell, host))

    def _mend(self, cell: str, host: str) -> None:
        self._c.severed.discard((cell, host))
        self._force(cell, host, False)

    def _force(self, cell: str, host: str, down: bool) -> None:
        driver = self._c.drivers[cell, host]
        self._c.cast(address.Cell(cell), commands.SetHost(
            host=host, uuid=driver.facts().uuid, forced_down=down), None)

    def end(self) -> None:
        """Nothing stays forced down: said until it is heard."""
        c = self._c
        c.heal()
        for cell, host in c.drivers:
            self._force(cell, host, False)
        c.run(1.0)
