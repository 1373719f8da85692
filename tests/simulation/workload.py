# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What happens in one simulated run: users, bad luck, and now and then a disaster."""

import random

from nova_cells.api import orders
from nova_cells.db.view import tables as view_tables
from nova_cells.domain import boot, commands, groups
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from tests.simulation import cluster as clusters
from tests.simulation import imaging, inplace, invariants, monitor, moving

FLAVORS = [model.Flavor(id=str(n), name=f"f{n}", vcpus=n, ram_mb=n * 512, disk_gb=1)
           for n in (1, 2, 3)]
VERBS = ("stop", "start", "reboot", "reboot_hard", "pause", "unpause", "suspend", "resume",
         *inplace.VERBS)
MOVES = ("resize", "resize", "resize", "migrate", "confirm_resize", "revert_resize")
PAUSES = (0.0, 0.0, 0.05, 0.05, 0.5, 5.0, 30.0)
PROJECTS = ("p", "q")
GROUPED = 0.3                    # of the boots into a server group


class Run:
    """One seed."""

    def __init__(self, seed: int, verbose: bool = False, level: float | None = None) -> None:
        self.rng = random.Random(seed * 7919 + 13)
        chosen = self.rng.choice((0.3, 1.0, 1.0, 2.0)) if level is None else level
        self.cluster = clusters.Cluster(seed, level=chosen, verbose=verbose)
        self.monitor = monitor.Monitor(self.cluster, clusters.LIMIT, clusters.CORES)
        self.cluster.watch.append(self.monitor)
        self.image = self.cluster.images.list()[0]
        self.moving = moving.Moving(self, seed)
        self.servers: list[str] = []
        self.imaging = imaging.Imaging(self)
        self.reset: set[str] = set()     # the operator's word about them may be wrong
        self.restored = False            # nor does an old copy know of who was in a group
        self._luck = random.Random(seed * 104729 + 7)        # of groups alone: old seeds stay
        with self.cluster.view.write() as tx:
            for flavor in FLAVORS:
                self.cluster.view.flavors.create(tx, flavor, self.cluster.now)
            self.groups = [self._group(tx, policy, most) for policy, most in (
                *((policy, 1) for policy in groups.POLICIES), (groups.ANTI_AFFINITY, 2))]

    def _group(self, tx, policy: str, most: int) -> groups.Group:  # noqa: ANN001
        uuid = self.cluster.ids.uuid()
        self.cluster.view.groups.create(tx, {
            "uuid": uuid, "project_id": "p", "user_id": "u", "name": policy, "policy": policy,
            "max_per_host": most, "created_at": self.cluster.now})
        return groups.Group(uuid=uuid, policy=policy, max_per_host=most)

    def go(self) -> None:
        """All of it, to rest, and checked."""
        c, rng = self.cluster, self.rng
        c.run(rng.uniform(0.5, 15))
        for _turn in range(rng.randrange(10, 40)):
            self._turn()
            self.moving.turn()
            c.run(rng.choice(PAUSES))
        if rng.random() < 0.25:
            self.restore()
        self.moving.end()
        c.settle()
        invariants.check(c, self.reset)
        if not self.restored:
            invariants.check_groups(c, self.groups)
        self.imaging.check(c.users.unanswered, self.monitor.restored, self.reset)

    def _turn(self) -> None:
        roll = self.rng.random()
        if roll < 0.32:
            self.boot()
        elif roll < 0.54:
            self.act()
        elif roll < 0.66:
            inplace.visit(self)
        elif roll < 0.78:
            self.journey()
        elif roll < 0.94:
            self.burst()
        else:
            self.disaster()

    # -- one thing after another ------------------------------------------------------------------

    def boot(self) -> None:
        """Create one to three servers; the second project asks for more than it may have."""
        rng, project = self.rng, self.rng.choice(PROJECTS)
        count = rng.choice((1, 1, 1, 2, 3)) if project == "p" else rng.choice((1, 5))
        flavor, user = rng.choice(FLAVORS), rng.choice(("u", "v"))
        records = tuple(model.Server(
            uuid=self.cluster.ids.uuid(), project_id=project, user_id=user, epoch=1, version=0,
            flavor=flavor, image=self.image, name=f"s{n}", created_at=self.cluster.now,
            config_drive=rng.random() < 0.5) for n in range(count))
        secrets = boot.Secrets(user_data="IyEvYmluL3No", admin_password="canary")
        self.servers += self.cluster.users.boot(orders.Asked(
            records=records, request=boot.BootRequest(group=self._some_group()), secrets=secrets,
            origin=self._origin(project), minimum=rng.choice((1, count))))

    def _some_group(self) -> groups.Group | None:
        return self._luck.choice(self.groups) if self._luck.random() < GROUPED else None

    def _origin(self, project: str = "p") -> commands.Origin:
        return commands.Origin(request_id="req", user_id="u", project_id=project)

    def act(self) -> None:
        """Something to some server, more often to a young one."""
        if self.servers:
            young = self.servers[-4:]
            self._one(self.rng.choice(self.rng.choice((self.servers, young))))

    def burst(self) -> None:
        """Several orders for one server, faster than any of them can be carried out."""
        if not self.servers:
            return
        uuid = self.rng.choice(self.servers[-8:])
        for _order in range(self.rng.randrange(2, 6)):
            self._one(uuid)
            self.cluster.run(self.rng.choice((0.0, 0.01, 0.03, 0.06)))

    def _one(self, uuid: str) -> None:
        c, rng, roll = self.cluster, self.rng, self.rng.random()
        o, send, origin = c.users.orders, c.users.send, self._origin()
        if roll < 0.22:
            send(lambda: o.delete(uuid, origin, c.now))
        elif roll < 0.32:
            self._move(uuid)
        elif roll < 0.46:
            self.imaging.one(uuid)
        elif roll < 0.68:
            verb = rng.choice(VERBS)
            send(inplace.order(self, uuid, verb, origin))
        elif roll < 0.78:
            self.reset.add(uuid)
            send(lambda: o.reset_state(uuid, rng.choice(("active", "error")), origin, c.now))
        elif roll < 0.88:
            send(lambda: o.update(uuid, {"name": f"n{rng.randrange(99)}"}, origin, c.now))
        elif roll < 0.94:
            send(lambda: o.change_metadata(uuid, {"k": str(rng.randrange(9))}, (), False, 128,
                                           origin, c.now))
        elif roll < 0.97:
            send(lambda: o.change_tags(uuid, origin, c.now, add=(f"t{rng.randrange(9)}",)))
        else:
            send(lambda: o.lock(uuid, rng.random() < 0.5, None, origin, c.now))

    def journey(self) -> None:
        """Move a server that can be moved, and say soon what shall become of it."""
        with self.cluster.view.read() as tx:
            rows = {row.uuid: row.vm_state for row in tx.execute(view_tables.servers.select())
                    if not row.task_state}
        there = [uuid for uuid in self.servers if rows.get(uuid) in ("active", "stopped")]
        if not there:
            return
        uuid = self.rng.choice(there)
        for _order in range(self.rng.choice((1, 2, 2, 3))):
            self._move(uuid, rows.get(uuid) == "resized")
            self.cluster.run(self.rng.choice((0.05, 0.3, 1.0, 1.0, 40.0)))
            with self.cluster.view.read() as tx:
                row = self.cluster.view.servers.row(tx, uuid)
            rows[uuid] = row.vm_state
        if self.rng.random() < 0.2:
            self._one(uuid)

    def _move(self, uuid: str, resized: bool | None = None) -> None:
        """Resize or migrate it, or say what shall become of that."""
        c, rng, origin = self.cluster, self.rng, self._origin()
        some = MOVES if resized is None else MOVES[4:] if resized else MOVES[:4]
        o, verb = c.users.orders, rng.choice(some)
        with c.view.read() as tx:
            record = c.view.servers.record(tx, uuid)
            moves = c.view.migrations.of_server(tx, uuid)
        before, flavor, wanted = record.flavor if record else FLAVORS[0], None, wants.Wanted()
        if verb == "resize":
            flavor = rng.choice(FLAVORS)
            wanted = wants.Wanted(flavor=flavor, options=rng.choice(({}, {"same_host": "yes"})))
        elif verb == "revert_resize" and moves:
            flavor = moves[-1].record.old_flavor
        more = (0, 0) if flavor is None else (max(0, flavor.vcpus - before.vcpus), 0)
        c.users.send(lambda: o.act(uuid, verb, origin, c.now, wanted=wanted, more=more))

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

    # -- a child restored from an old copy ---------------------------------------------------------

    def restore(self) -> None:
        """Copy a cell's database, let time pass, put the copy back; then the operator decides."""
        c, rng = self.cluster, self.rng
        cell = rng.choice(list(c.stores))
        store = c.stores[cell]
        copy = _dump(store)
        for _turn in range(rng.randrange(3, 12)):
            rng.choice((self.boot, self.act, self.burst))()
            c.run(rng.choice((0.5, 5.0, 30.0)))
        c.say("RESTORE", cell)
        self.restored = True
        _load(store, copy)
        self.monitor.forget(cell)
        for node in c.nodes:
            if node.cell == cell and node.host is None:
                c.crash(node)
        c.run(rng.uniform(1, 60))
        c.heal()
        c.run(150.0)                     # digests are compared: the old copy shows itself
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
