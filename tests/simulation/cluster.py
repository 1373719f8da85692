"""The whole cluster in one thread, from a seed: no threads, no sockets, no real clock.

Every message is encoded and decoded; the network loses, repeats, delays and reorders; any
service may crash before a message, after it, or between two steps of a flow, and loses what it
had in memory.  Databases, journals and guests outlive it.  The same seed gives the same run.
"""

import collections.abc
import heapq
import random
import uuid as uuids

from nova_cells.api import orders
from nova_cells.collector import service as collecting
from nova_cells.compute import agent as agents
from nova_cells.compute import journal as journals
from nova_cells.conductor import service as conducting
from nova_cells.db import cell as cell_db
from nova_cells.db import seal
from nova_cells.db import view as view_db
from nova_cells.domain import address, codec, commands, effects, errors, resources, tasks
from nova_cells.image import fake as fake_images
from nova_cells.virt import fake as fake_virt
from nova_cells.virt import settings as virt_settings

START = 1_800_000_000.0


class Crash(BaseException):
    """A service dies here, in the middle of what it does; nothing may catch that."""


class Faults:
    """How bad the world is.  All of it off: ``Faults(0)``."""

    def __init__(self, level: float = 1.0) -> None:
        self.lose = 0.08 * level
        self.repeat = 0.08 * level
        self.late = 0.04 * level         # minutes late, instead of milliseconds
        self.crash = 0.02 * level
        self.crash_step = 0.04 * level
        self.driver = 0.05 * level       # a step fails on the host


class Ids:
    """Uuids from the seed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def uuid(self) -> str:
        """One more."""
        return str(uuids.UUID(int=self._rng.getrandbits(128), version=4))


class Node:
    """One service: made anew after each crash."""

    def __init__(self, name: str, make: collections.abc.Callable[[], object], skew: float,
                 cell: str | None = None, host: str | None = None) -> None:
        self.name, self.make, self.skew = name, make, skew
        self.cell, self.host = cell, host
        self.service = make()
        self.alive = True
        self.life = 0


class Cluster:
    """An API cell and three child cells with two hosts each."""

    def __init__(self, seed: int, cells: int = 3, hosts: int = 2, vcpus: int = 8,
                 level: float = 1.0, verbose: bool = False) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.now = START
        self.faults = Faults(level)
        self.verbose = verbose
        self._queue: list[tuple[float, int, collections.abc.Callable[[], None]]] = []
        self._count = 0
        self.delivered = self.spoken = 0
        self.ids = Ids(random.Random(seed + 1))
        self.cut: set[str] = set()               # cells that no message reaches or leaves
        self.watch: list[collections.abc.Callable[[], None]] = []
        self.key = seal.Seal.fresh()
        self.images = fake_images.FakeImages()
        self.view = view_db.View("sqlite://", self.key, {"instances": 12, "cores": -1, "ram": -1})
        self.view.create_tables()
        self.stores: dict[str, cell_db.CellStore] = {}
        self.drivers: dict[tuple[str, str], fake_virt.FakeDriver] = {}
        self.journals: dict[tuple[str, str], journals.MemoryJournal] = {}
        self.nodes: list[Node] = []
        self.waiting: dict[str, tuple[float, orders.Order]] = {}
        self.answers: list[tuple[str, str]] = []
        self._build(cells, hosts, vcpus)
        self.orders = orders.Orders(self.view, self.ids)

    # -- building -------------------------------------------------------------------------------

    def _build(self, cells: int, hosts: int, vcpus: int) -> None:
        skew = lambda: self.rng.uniform(-600, 600)  # noqa: E731
        settings = collecting.Settings(offer_patience=40.0, cell_down_after=60.0,
                                       heal_interval=120.0)
        self.collector = self._node("collector", lambda: collecting.Collector(
            self.view, self.ids, settings), skew())
        for number in range(1, cells + 1):
            store = cell_db.CellStore("sqlite://", self.key)
            store.create_tables()
            identity = store.identity(f"cell{number}", self.ids.uuid)
            self.stores[identity.uuid] = store
            with self.view.write() as tx:
                self.view.cells.create(tx, identity.uuid, identity.name, "local://", self.now)
            self._node(identity.name, self._conductor(store, identity), skew(), identity.uuid)
            for host in range(1, hosts + 1):
                self._host(identity.uuid, f"c{number}-h{host}", vcpus, skew())

    def _conductor(self, store, identity):  # noqa: ANN001, ANN202
        settings = conducting.Settings(limit_factor=0.5)
        return lambda: conducting.Conductor(store, store.identity(identity.name), self.ids,
                                            settings)

    def _host(self, cell: str, name: str, vcpus: int, skew: float) -> None:
        driver = fake_virt.FakeDriver(virt_settings.Settings(
            cell=cell, host=name, fake=virt_settings.FakeHost(
                vcpus=vcpus, memory_mb=vcpus * 1024, disk_gb=vcpus * 10)), self.images)
        self.drivers[cell, name] = driver
        journal = self.journals[cell, name] = journals.MemoryJournal()

        def make() -> agents.Agent:
            driver._watchers.clear()
            agent = agents.Agent(driver, journal, cell, name, self.ids)
            agent.step = self._step
            return agent
        self._node(name, make, skew, cell, name)

    def _node(self, name: str, make: collections.abc.Callable[[], object], skew: float,
              cell: str | None = None, host: str | None = None) -> Node:
        node = Node(name, make, skew, cell, host)
        self.nodes.append(node)
        self.at(0.0, lambda: self._start(node))
        return node

    def _start(self, node: Node) -> None:
        life = node.life
        self._perform(node, node.service.start(self.now + node.skew), None)
        for job, seconds in node.service.JOBS.items():
            self._tick(node, life, job, seconds)

    def _tick(self, node: Node, life: int, job: str, seconds: float) -> None:
        def tick() -> None:
            if node.alive and node.life == life:
                self._handle(node, effects.Tick(job=job), None, None)
                if node.life == life:
                    self._tick(node, life, job, seconds)
        # Most ticks find nothing to do; what matters is that they come in any order.
        self.at(max(5.0, seconds) * self.rng.uniform(0.5, 1.5), tick)

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
            before = self.spoken
            do()
            if self.spoken != before:
                for check in self.watch:
                    check()
        self.now = until

    def say(self, *words: object) -> None:
        """For a replay."""
        if self.verbose:
            print(f"{self.now - START:9.3f}", *words)

    # -- the network ------------------------------------------------------------------------------

    def cast(self, to: address.Address, message: object, sender: str | None,
             reply_to: str | None = None, origin_cell: str | None = None) -> None:
        """Send one message, badly."""
        text = codec.encode(message)
        cell = getattr(to, "cell", None)
        far = isinstance(to, address.Collector) or origin_cell is None
        if far and cell in self.cut or self.rng.random() < self.faults.lose:
            self.say("LOST", type(message).__name__, "to", to)
            return
        copies = 2 if self.rng.random() < self.faults.repeat else 1
        for _copy in range(copies):
            delay = self.rng.expovariate(1 / 0.02)
            if self.rng.random() < self.faults.late:
                delay = self.rng.uniform(30, 240)
            self.at(delay, lambda: self._deliver(to, text, sender, reply_to, far))

    def _deliver(self, to: address.Address, text: str, sender: str | None,
                 reply_to: str | None, far: bool) -> None:
        if far and to.cell in self.cut:
            return
        node = self._listener(to)
        if node is not None and node.alive:
            self._handle(node, codec.decode(text), sender, reply_to)

    def _listener(self, to: address.Address) -> Node | None:
        for node in self.nodes:
            match to:
                case address.Collector():
                    if node is self.collector:
                        return node
                case address.Cell(cell=cell):
                    if node.cell == cell and node.host is None:
                        return node
                case address.Host(cell=cell, host=host):
                    if (node.cell, node.host) == (cell, host):
                        return node
        return None

    # -- a service at work ------------------------------------------------------------------------

    def _handle(self, node: Node, message: object, sender: str | None,
                reply_to: str | None) -> None:
        self.delivered += 1
        if not isinstance(message, effects.Tick):
            self.spoken += 1
            self.say(node.name, "<-", type(message).__name__, str(message)[:300])
        odds = self.faults.crash / (20 if isinstance(message, effects.Tick) else 1)
        if self.rng.random() < odds:
            return self.crash(node)
        try:
            if getattr(node.service, "wants_sender", False):
                done = node.service.handle(message, self.now + node.skew, sender)
            else:
                done = node.service.handle(message, self.now + node.skew)
        except Crash:
            return self.crash(node)
        except errors.Problem as problem:
            done = [effects.Reply(errors.as_failure(problem))]
        if self.rng.random() < odds:
            return self.crash(node)      # saved, but nothing was sent
        self._perform(node, done, reply_to)

    def _perform(self, node: Node, done: list[effects.Effect], reply_to: str | None) -> None:
        for effect in done:
            match effect:
                case effects.Cast(to=to, message=message):
                    sender = node.cell if isinstance(to, address.Collector) else None
                    self.cast(to, message, sender, origin_cell=node.cell)
                case effects.Wake(job=job):
                    life = node.life
                    self.at(0.001, lambda job=job, life=life: node.life == life and self._handle(
                        node, effects.Tick(job=job), None, None))
                case effects.Reply(message=message):
                    if reply_to:
                        self._reply(reply_to, message)

    def _step(self, server: str, name: str) -> None:
        if self.rng.random() < self.faults.crash_step:
            raise Crash
        if self.rng.random() < self.faults.driver:
            from nova_cells.virt import protocol
            raise protocol.HostTrouble(f"step {name} fails here")

    def crash(self, node: Node) -> None:
        """kill -9, and started again after a while."""
        self.say("CRASH", node.name)
        node.alive, node.life = False, node.life + 1
        self.at(self.rng.uniform(0.5, 20), lambda: self._restart(node, node.life))

    def _restart(self, node: Node, life: int) -> None:
        if node.life == life and not node.alive:
            self.say("RESTART", node.name)
            node.service, node.alive = node.make(), True
            self._start(node)

    # -- users ------------------------------------------------------------------------------------

    def boot(self, asked: orders.Asked) -> list[str]:
        """POST servers.  The offers are sent once, or not at all if the API dies just then."""
        try:
            accepted = self.orders.boot(asked, self.now)
        except errors.OverLimit:
            return []
        for cast in accepted.casts:
            self.cast(cast.to, cast.message, None)
        return [server.uuid for server in accepted.servers]

    def send(self, make: collections.abc.Callable[[], orders.Order | None]) -> None:
        """Any other request: an order, its call, its answer or none."""
        try:
            order = make()
            if order is None:
                return
            if order.record is not None:
                for cast in order.casts:
                    self.cast(cast.to, cast.message, None)
                return
            try:
                self.orders.check_up(order)
            except errors.CellDown:
                return self.orders.lost(order, self.now)
        except errors.Problem as problem:
            self.say("API", type(problem).__name__, problem.message)
            return
        token = self.ids.uuid()
        self.waiting[token] = order
        self.cast(order.to, order.command, None, reply_to=token)
        self.at(5.0, lambda: self._timeout(token))

    def _reply(self, token: str, message: object) -> None:
        if self.rng.random() < self.faults.lose:
            return
        text = codec.encode(message)
        self.at(self.rng.expovariate(1 / 0.02), lambda: self._answered(token, codec.decode(text)))

    def _answered(self, token: str, message: object) -> None:
        order = self.waiting.pop(token, None)
        if order is None:
            return
        try:
            self.orders.finish(order, message, self.now)
        except errors.Problem as problem:
            self.say("API", type(problem).__name__, problem.message)

    def _timeout(self, token: str) -> None:
        order = self.waiting.pop(token, None)
        if order is not None:
            try:
                self.orders.lost(order, self.now)
            except errors.CellDown:
                pass

    # -- rest -------------------------------------------------------------------------------------

    def heal(self) -> None:
        """The world is good again; everybody is up."""
        self.faults = Faults(0)
        self.cut.clear()
        for node in self.nodes:
            if not node.alive:
                self._restart(node, node.life)

    def settle(self, patience: float = 3600.0) -> None:
        """Let everything come to rest, or say what does not."""
        self.heal()
        until = self.now + patience
        while self.now < until:
            self.run(60.0)
            if not self.unsettled():
                self.run(240.0)          # guests are compared, digests too
                if not self.unsettled():
                    return
        raise AssertionError(f"seed {self.seed}: not at rest: {self.unsettled()}")

    def unsettled(self) -> list[str]:
        """What is under way."""
        found = []
        with self.view.read() as tx:
            for table in ("offers", "intents", "reservations", "orders"):
                if table == "orders":
                    count = len(self.view.orders.open(tx))
                else:
                    from nova_cells.db.view import tables
                    count = len(tx.execute(tables.metadata.tables[table].select()).all())
                if count:
                    found.append(f"{count} {table}")
        for store in self.stores.values():
            with store.read() as tx:
                marks = store.outbox.length(tx)
                verbs = store.servers.due(tx, float("inf"))
            if marks:
                found.append(f"{marks} marks")
            found += [f"{held.uuid} {held.server.verb}" for held in verbs]
        return found

    def guests(self) -> dict[str, list[tuple[str, str, tasks.GuestSeen]]]:
        """server -> where guests of it are."""
        found: dict[str, list] = {}
        for (cell, host), driver in self.drivers.items():
            for guest in driver.guests():
                found.setdefault(guest.uuid, []).append((cell, host, guest))
        return found


__all__ = ["Cluster", "Crash", "Faults", "START", "commands", "resources"]
