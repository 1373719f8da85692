# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The whole cluster in one thread, from a seed: no threads, no sockets, no real clock.

Every message is encoded and decoded; the network loses, repeats, delays and reorders; any
service may crash before a message, after it, or between two steps of a flow, and loses what it
had in memory.  Databases, journals and guests outlive it.  The same seed gives the same run.
"""

import collections.abc
import hashlib
import heapq
import random

import msgspec

from nova_cells.collector import service as collecting
from nova_cells.compute import agent as agents
from nova_cells.compute import journal as journals
from nova_cells.compute import rooms
from nova_cells.conductor import proposing
from nova_cells.conductor import service as conducting
from nova_cells.db import cell as cell_db
from nova_cells.db import view as view_db
from nova_cells.db.view import tables
from nova_cells.domain import address, codec, effects, errors, tasks
from nova_cells.image import fake as fake_images
from nova_cells.selector import service as selecting
from nova_cells.virt import fake as fake_virt
from nova_cells.virt import fake_moves, protocol
from nova_cells.virt import settings as virt_settings
from tests.simulation import users, world

START = 1_800_000_000.0
LIMIT = 12                       # servers of a project
CORES = 30                       # of a project, all its servers together
COLLECTOR = collecting.Settings(offer_patience=40.0, cell_down_after=100.0, heal_interval=60.0,
                                resync_retry=5.0)
CONDUCTOR = conducting.Settings(limit_factor=0.3, heartbeat=30.0, host_down_after=100.0,
                                reclaim_instance_interval=300.0, resize_confirm_window=400.0)
AGENT = agents.Settings(hello=30.0, guests=60.0)


class Cluster:
    """An API cell with two collectors; three child cells with two conductors and two hosts."""

    def __init__(self, seed: int, cells: int = 3, hosts: int = 2, vcpus: int = 8,
                 level: float = 1.0, verbose: bool = False) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.ids = world.Ids(random.Random(seed + 1))
        self.now = START
        self.faults = world.Faults(level)
        self.verbose = verbose
        self._queue: list[tuple[float, int, collections.abc.Callable[[], None]]] = []
        self._count = 0
        self._last = START                       # when the last message arrives that is on its way
        self._trace = hashlib.blake2b(digest_size=16)
        self.delivered = 0
        self.cut: set[str] = set()               # cells that no message reaches or leaves
        self.severed: set[tuple[str, str]] = set()   # hosts that no message reaches or leaves
        self.migrated: set[str] = set()          # servers that may be on two hosts
        self.evacuated: set[str] = set()         # servers that may run on two
        self.watch: list[collections.abc.Callable[[world.Node | None], None]] = []
        self.offload = random.Random(seed + 2).choice((0, 0, 60, -1))    # shelved_offload_time
        self.key = world.StillSeal()
        self.images = fake_images.FakeImages()
        self.view = view_db.View("sqlite://", self.key,
                                 {"instances": LIMIT, "cores": CORES, "ram": -1})
        self.view.create_tables()
        self.stores: dict[str, cell_db.CellStore] = {}
        self.areas: dict[str, fake_moves.Area] = {}
        self.drivers: dict[tuple[str, str], fake_virt.FakeDriver] = {}
        self.journals: dict[tuple[str, str], journals.MemoryJournal] = {}
        self.nodes: list[world.Node] = []
        self._build(cells, hosts, vcpus)
        self.users = users.Users(self)

    # -- building -------------------------------------------------------------------------------

    def _build(self, cells: int, hosts: int, vcpus: int) -> None:
        for side in "ab":
            self._node(f"collector-{side}", lambda: collecting.Collector(
                self.view, self.ids, COLLECTOR))
        for number in range(1, cells + 1):
            store = cell_db.CellStore("sqlite://")
            store.create_tables()
            identity = store.identity(f"cell{number}", self.ids.uuid)
            self.stores[identity.uuid] = store
            with self.view.write() as tx:
                self.view.cells.create(tx, identity.uuid, identity.name, "local://", self.now)
            selector = selecting.Selector(store, identity, self.ids)
            choosers = (lambda: world.Forgetful(self.rng), lambda cell=identity.uuid,
                        far=selector: world.FarOff(cell, far, self.rng, lambda: self.now))
            for side, chooser in zip("ab", choosers, strict=True):
                self._node(f"{identity.name}-{side}",
                           self._conductor(store, identity.name, chooser), identity.uuid)
            for host in range(1, hosts + 1):
                self._host(identity.uuid, f"c{number}-h{host}", vcpus)

    def _conductor(self, store: cell_db.CellStore, name: str, chooser: collections.abc.Callable[
            [], proposing.Chooser]) -> collections.abc.Callable[[], conducting.Conductor]:
        settings = msgspec.structs.replace(CONDUCTOR, shelved_offload_time=self.offload,
                                           shelved_poll_interval=30)
        return lambda: conducting.Conductor(store, store.identity(name), self.ids, settings,
                                            chooser())

    def _host(self, cell: str, name: str, vcpus: int) -> None:
        driver = fake_virt.FakeDriver(virt_settings.Settings(
            cell=cell, host=name, fake=virt_settings.FakeHost(
                vcpus=vcpus, memory_mb=vcpus * 512, disk_gb=vcpus * 10)), self.images)
        driver.area = self.areas.setdefault(cell, fake_moves.Area(None))
        self.drivers[cell, name] = driver
        journal = self.journals[cell, name] = journals.MemoryJournal()

        def make() -> agents.Agent:
            driver._watchers.clear()
            agent = agents.Agent(driver, journal, cell, name, self.ids, AGENT, self.key,
                                  rooms.Rooms(images=self.images))
            agent.step = self._step
            return agent
        self._node(name, make, cell, name)

    def _node(self, name: str, make: collections.abc.Callable[[], object],
              cell: str | None = None, host: str | None = None) -> None:
        node = world.Node(name, make, self.rng.uniform(-600, 600), cell, host)
        self.nodes.append(node)
        self.at(0.0, lambda: self._start(node))

    def _start(self, node: world.Node) -> None:
        if hasattr(node.service, "send"):
            node.service.send = lambda cast: self._perform(node, [cast], None)
        self._perform(node, node.service.start(self.now + node.skew), None)
        for job in node.service.JOBS:
            self._tick(node, node.life, job)

    def _tick(self, node: world.Node, life: int, job: str) -> None:
        def tick() -> None:
            if node.life == life:
                self._handle(node, effects.Tick(job=job), None, None)
                if node.life == life:
                    self._tick(node, life, job)
        self.at(world.TICKS[job] * self.rng.uniform(0.5, 1.5), tick)

    # -- time -----------------------------------------------------------------------------------

    def at(self, delay: float, do: collections.abc.Callable[[], None]) -> None:
        """Do this after so many seconds."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, do))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            self.now, _count, do = heapq.heappop(self._queue)
            do()
        self.now = until

    def say(self, *words: object) -> None:
        """Into the trace, and for a replay to the terminal."""
        line = " ".join((f"{self.now - START:9.3f}", *map(str, words)))
        self._trace.update(line.encode())
        if self.verbose:
            print(line[:400])

    def trace(self) -> str:
        """A digest of all that was said so far: equal for equal runs."""
        return self._trace.hexdigest()

    def touched(self, node: world.Node | None) -> None:
        """A service (None: the API) may have changed something: every law is looked at."""
        for look in self.watch:
            look(node)

    # -- the network ------------------------------------------------------------------------------

    def cast(self, to: address.Address, message: object, sender: str | None,
             reply_to: str | None = None, origin_cell: str | None = None) -> None:
        """Send one message, badly."""
        text = codec.encode(message)
        assert "canary" not in text, f"seed {self.seed}: a secret travels in the clear: {text}"
        far = isinstance(to, address.Collector) or origin_cell is None
        if far and to.cell in self.cut or self.rng.random() < self.faults.lose:
            self.say("LOST", type(message).__name__, "to", to)
            return
        again = self.rng.random() < self.faults.repeat
        for copy in range(2 if again else 1):
            delay = self.rng.expovariate(1 / 0.02)
            if self.rng.random() < (self.faults.echo if copy else self.faults.late):
                delay = self.rng.uniform(5, 120)
                self._last = max(self._last, self.now + delay)
            self.at(delay, lambda: self._deliver(to, text, sender, reply_to, far))

    def _deliver(self, to: address.Address, text: str, sender: str | None,
                 reply_to: str | None, far: bool) -> None:
        listening = [node for node in self.nodes if node.alive and _hears(node, to)]
        severed = isinstance(to, address.Host) and (to.cell, to.host) in self.severed
        if listening and not severed and not (far and to.cell in self.cut):
            node = listening[0] if len(listening) == 1 else self.rng.choice(listening)
            self.say(node.name, "<-", text)
            self._handle(node, codec.decode(text), sender, reply_to)

    # -- a service at work ------------------------------------------------------------------------

    def _handle(self, node: world.Node, message: object, sender: str | None,
                reply_to: str | None) -> None:
        self.delivered += 1
        odds = self.faults.crash / (8 if isinstance(message, effects.Tick) else 1)
        if self.rng.random() < odds:
            return self.crash(node)
        try:
            done = node.handle(message, self.now, sender)
        except world.Crash:
            self.crash(node)
            return self.touched(node)
        except errors.Problem as problem:
            done = [effects.Reply(errors.as_failure(problem))]
        if self.rng.random() < odds:
            self.crash(node)             # saved, but nothing was sent
        else:
            self._perform(node, done, reply_to)
        self.touched(node)

    def _perform(self, node: world.Node, done: list[effects.Effect],
                 reply_to: str | None) -> None:
        for effect in done:
            match effect:
                case effects.Cast(to=to, message=message) if \
                        (node.cell, node.host) in self.severed:
                    self.say("LOST", type(message).__name__, "of", node.name, "to", to)
                case effects.Cast(to=to, message=message):
                    sender = node.cell if isinstance(to, address.Collector) else None
                    self.cast(to, message, sender, origin_cell=node.cell)
                case effects.Wake(job=job):
                    life = node.life
                    self.at(0.001, lambda job=job, life=life: node.life == life and self._handle(
                        node, effects.Tick(job=job), None, None))
                case effects.Reply(message=message):
                    if reply_to:
                        self.users.answer(reply_to, message)

    def _step(self, server: str, name: str) -> None:
        if self.rng.random() < self.faults.crash_step:
            raise world.Crash
        if self.rng.random() < self.faults.driver:
            raise protocol.HostTrouble(f"step {name} fails here")

    def crash(self, node: world.Node) -> None:
        """kill -9, and started again after a while."""
        self.say("CRASH", node.name)
        node.alive, node.life = False, node.life + 1
        life = node.life
        self.at(self.rng.uniform(0.5, 20), lambda: self._restart(node, life))

    def _restart(self, node: world.Node, life: int) -> None:
        if node.life == life and not node.alive:
            self.say("RESTART", node.name)
            node.service, node.alive = node.make(), True
            self._start(node)

    # -- rest -------------------------------------------------------------------------------------

    def heal(self) -> None:
        """The world is good again; everybody is up."""
        self.faults = world.Faults(0)
        self.cut.clear()
        self.severed.clear()
        for node in self.nodes:
            if not node.alive:
                self._restart(node, node.life)

    def settle(self, patience: float = 1800.0) -> None:
        """Let everything come to rest, late messages included, or say what does not."""
        self.heal()
        self.run(self._last - self.now)
        until = self.now + patience
        while self.now < until:
            self.run(20.0)
            if not self.unsettled():
                self._compare()
                if not self.unsettled():
                    return
        raise AssertionError(f"seed {self.seed}: not at rest: {self.unsettled()}")

    def _compare(self) -> None:
        """What timers would do in minutes: hosts show their guests (a guest that differs is looked
        at, and the change goes up), cells their digests."""
        for job in ("events", "guests", "guests", "heal"):
            for node in self.nodes:
                if job in node.service.JOBS:
                    if job == "heal":
                        node.service.healing._asked.clear()
                    self._handle(node, effects.Tick(job=job), None, None)
            self.run(3.0)

    def unsettled(self) -> list[str]:
        """What is under way."""
        found = []
        with self.view.read() as tx:
            for name in ("offers", "intents", "reservations"):
                count = len(tx.execute(tables.metadata.tables[name].select()).all())
                found += [f"{count} {name}"] if count else []
            found += [f"an order to {order.kind}" for order in self.view.orders.open(tx)]
        for store in self.stores.values():
            with store.read() as tx:
                found += [f"{kind} {uuid} marked" for kind, uuid, _epoch, _version
                          in store.outbox.marks(tx, 3)]
                found += [f"{held.uuid} {held.server.verb}"
                          for held in store.servers.due(tx, float("inf"))]
        return found

    def guests(self) -> dict[str, list[tuple[str, str, tasks.GuestSeen]]]:
        """server -> where guests of it are."""
        found: dict[str, list] = {}
        for (cell, host), driver in self.drivers.items():
            for guest in driver.guests():
                found.setdefault(guest.uuid, []).append((cell, host, guest))
        return found


def _hears(node: world.Node, to: address.Address) -> bool:
    """Whether a message with this address may come to the node."""
    match to:
        case address.Collector():
            return node.cell is None
        case address.Cell(cell=cell):
            return node.cell == cell and node.host is None
        case address.Host(cell=cell, host=host):
            return (node.cell, node.host) == (cell, host)
    return False
