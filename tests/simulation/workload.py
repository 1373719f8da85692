"""What happens in one simulated run: users, bad luck, and now and then a disaster."""

import random

from nova_cells.api import orders
from nova_cells.domain import boot, commands
from nova_cells.domain import server as model
from tests.simulation import cluster as clusters
from tests.simulation import invariants

FLAVORS = [model.Flavor(id=str(n), name=f"f{n}", vcpus=n, ram_mb=n * 512, disk_gb=1)
           for n in (1, 2, 3)]
IMAGE = model.ImageFacts(id="", name="cirros")
VERBS = ("stop", "start", "reboot", "reboot_hard", "pause", "unpause", "suspend", "resume")
LIMIT = 12


class Run:
    """One seed."""

    def __init__(self, seed: int, verbose: bool = False, level: float | None = None) -> None:
        self.rng = random.Random(seed * 7919 + 13)
        chosen = self.rng.choice((0.3, 1.0, 1.0, 2.0)) if level is None else level
        self.cluster = clusters.Cluster(seed, level=chosen, verbose=verbose)
        self.monitor = invariants.Monitor(self.cluster)
        self.cluster.watch.append(self.monitor)
        self.image = self.cluster.images.list()[0]
        self.servers: list[str] = []
        self.origin = commands.Origin(request_id="req", user_id="u", project_id="p")
        with self.cluster.view.write() as tx:
            for flavor in FLAVORS:
                self.cluster.view.flavors.create(tx, flavor, self.cluster.now)

    def _limit(self) -> None:
        """At no moment are there more servers than the quota allows."""
        with self.cluster.view.read() as tx:
            used = self.cluster.view.quota.usage(tx, "p")["instances"].total
        assert used <= LIMIT or self.restored, f"seed {self.cluster.seed}: {used} of {LIMIT}"

    restored = False

    # -- one thing after another ------------------------------------------------------------------

    def boot(self) -> None:
        """Create one to three servers."""
        count = self.rng.choice((1, 1, 1, 2, 3))
        flavor = self.rng.choice(FLAVORS)
        records = tuple(model.Server(
            uuid=self.cluster.ids.uuid(), project_id="p", user_id="u", epoch=1, version=0,
            flavor=flavor, image=self.image, name=f"s{n}", created_at=self.cluster.now,
            config_drive=self.rng.random() < 0.5) for n in range(count))
        secrets = boot.Secrets(user_data="IyEvYmluL3No", admin_password="canary")
        self.servers += self.cluster.boot(orders.Asked(
            records=records, request=boot.BootRequest(), secrets=secrets, origin=self.origin,
            minimum=1))
        self._limit()

    def act(self) -> None:
        """Something to some server."""
        if not self.servers:
            return
        uuid = self.rng.choice(self.servers)
        o, c, rng = self.cluster.orders, self.cluster, self.rng
        roll = rng.random()
        if roll < 0.3:
            c.send(lambda: o.delete(uuid, self.origin, c.now))
        elif roll < 0.7:
            verb = rng.choice(VERBS)
            c.send(lambda: o.act(uuid, verb, self.origin, c.now))
        elif roll < 0.78:
            c.send(lambda: o.reset_state(uuid, rng.choice(("active", "error")), self.origin,
                                         c.now))
        elif roll < 0.88:
            c.send(lambda: o.update(uuid, {"name": f"n{rng.randrange(99)}"}, self.origin, c.now))
        elif roll < 0.94:
            c.send(lambda: o.change_metadata(uuid, {"k": str(rng.randrange(9))}, (), False, 128,
                                             self.origin, c.now))
        else:
            c.send(lambda: o.lock(uuid, rng.random() < 0.5, None, self.origin, c.now))

    def disaster(self) -> None:
        """A cell cut off, a guest that dies by itself, a service killed."""
        c, rng = self.cluster, self.rng
        roll = rng.random()
        if roll < 0.35:
            cell = rng.choice(list(c.stores))
            c.cut.add(cell)
            c.at(rng.uniform(5, 200), lambda: c.cut.discard(cell))
        elif roll < 0.6:
            driver = rng.choice(list(c.drivers.values()))
            guests = [guest.uuid for guest in driver.guests() if guest.power == 1]
            if guests:
                rng.choice((driver.crash_guest, driver.power_off_inside))(rng.choice(guests))
        else:
            c.crash(rng.choice(c.nodes))

    def go(self) -> None:
        """All of it, to rest, and checked."""
        c, rng = self.cluster, self.rng
        c.run(rng.uniform(0.5, 15))
        for _turn in range(rng.randrange(10, 40)):
            roll = rng.random()
            if roll < 0.45:
                self.boot()
            elif roll < 0.93:
                self.act()
            else:
                self.disaster()
            c.run(rng.choice((0.0, 0.05, 0.5, 5.0, 30.0)))
        if rng.random() < 0.25:
            self.restore()
        c.settle()
        invariants.check(c)

    # -- a child restored from an old copy -----------------------------------------------------

    def restore(self) -> None:
        """Copy a cell's database, let time pass, put the copy back; then the operator decides."""
        c, rng = self.cluster, self.rng
        cell = rng.choice(list(c.stores))
        store = c.stores[cell]
        copy = _dump(store)
        for _turn in range(rng.randrange(3, 12)):
            rng.choice((self.boot, self.act))()
            c.run(rng.choice((0.5, 5.0, 30.0)))
        c.say("RESTORE", cell)
        self.restored = True
        _load(store, copy)
        node = next(node for node in c.nodes if node.cell == cell and node.host is None)
        c.crash(node)
        c.run(rng.uniform(1, 60))
        c.heal()
        c.run(400.0)                     # digests are compared: the old copy shows itself
        with c.view.write() as tx:
            c.view.orders.add(tx, c.ids.uuid(), "resync", cell, {"truth": "child"}, c.now)


def _dump(store) -> bytes:  # noqa: ANN001
    raw = store.engine.raw_connection()
    try:
        return raw.driver_connection.serialize()
    finally:
        raw.close()


def _load(store, data: bytes) -> None:  # noqa: ANN001
    raw = store.engine.raw_connection()
    try:
        raw.driver_connection.deserialize(data)
    finally:
        raw.close()
