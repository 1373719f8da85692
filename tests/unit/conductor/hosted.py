# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A cell with real agents on fake hosts, in one thread: what is sent waits until it is delivered.

``deliver`` carries messages between the conductor and its hosts until none is left; what it is told
to lose, it loses, and a host that is told to die does so before a step of its work.
"""

import collections
import collections.abc

from nova_cells.compute import agent as agents
from nova_cells.compute import journal as journals
from nova_cells.conductor import verify
from nova_cells.domain import address, boot, commands, effects, tasks
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.virt import fake as fake_virt
from nova_cells.virt import settings as virt_settings
from tests.unit.conductor import base

NOW = base.NOW


class Killed(BaseException):
    """The agent dies here."""


class HostedTest(base.CellTest):
    """One cell, three hosts, and a server that runs on one of them."""

    HOSTS = ("h1", "h2", "h3")

    def setUp(self):
        super().setUp()
        self.now = NOW
        self.images = fake_images.FakeImages()
        self.drivers, self.journals, self.agents = {}, {}, {}
        self.queue: collections.deque[effects.Cast] = collections.deque()
        self.sent: list[object] = []             # every message that was delivered
        self.lost: collections.abc.Callable[[object], bool] = lambda message: False
        self.kill: dict[str, str] = {}           # host -> the step before which it dies
        self.dead: set[str] = set()
        with self.store.write() as tx:           # the base's h1 has another uuid
            host = self.store.hosts.get(tx, "h1")
            self.store.hosts.put(tx, model.replace(host, deleted=True, up=False), NOW)
            self.store.resources.remove(tx, host.uuid, 1)
        self.conductor = self.another()
        for name in self.HOSTS:
            self.drivers[name] = fake_virt.FakeDriver(virt_settings.Settings(
                cell=self.identity.uuid, host=name, fake=virt_settings.FakeHost(
                    vcpus=4, memory_mb=4096, disk_gb=40)), self.images)
            self.journals[name] = journals.MemoryJournal()
            self.start(name)
        self.deliver()
        self.uuid = self.booted()

    # -- hosts ----------------------------------------------------------------------------------

    def start(self, name):
        """Another life of the agent."""
        self.dead.discard(name)
        self.kill.pop(name, None)
        self.drivers[name]._watchers.clear()
        agent = self.agents[name] = agents.Agent(
            self.drivers[name], self.journals[name], self.identity.uuid, name, self.ids)
        agent.send = self.queue.append
        agent.step = lambda server, step, host=name: self.step(host, step)
        self.put(agent.start(self.now))

    def step(self, host, step):
        if self.kill.get(host) in (step, "*"):
            raise Killed

    def down(self, host, forced=False):
        """The cell holds it for dead."""
        self.dead.add(host)
        with self.store.write() as tx:
            known = self.store.hosts.get(tx, host)
            self.store.hosts.put(tx, model.replace(known, up=False, forced_down=forced), self.now)
        self.conductor.hosts.start(self.now)

    # -- messages -------------------------------------------------------------------------------

    def put(self, done):
        """What a service wants done: casts wait, ticks are left out, answers are returned."""
        self.queue += [effect for effect in done if isinstance(effect, effects.Cast)]
        return base.replies_in(done)

    def deliver(self):
        """Until nothing is left."""
        while self.queue:
            cast = self.queue.popleft()
            if self.lost(cast.message) or isinstance(cast.to, address.Collector):
                continue
            if isinstance(cast.to, address.Host):
                self._to_host(cast.to.host, cast.message)
            else:
                self.sent.append(cast.message)
                self.put(self.conductor.handle(cast.message, self.now))

    def _to_host(self, host, message):
        if host in self.dead:
            return
        self.sent.append(message)
        try:
            self.put(self.agents[host].handle(message, self.now))
        except Killed:
            self.dead.add(host)

    def later(self, seconds=31.0):
        """The watchdog asks about what is open."""
        self.now += seconds
        for host in self.agents.keys() - self.dead:
            self.conductor.hosts.signs.heard(host, self.now)
        self.put(self.conductor.handle(effects.Tick(job="watchdog"), self.now))
        self.deliver()

    def show(self):
        """Every host shows its guests."""
        for host in sorted(self.agents.keys() - self.dead):
            self.put(self.agents[host].handle(effects.Tick(job="guests"), self.now))
        self.deliver()

    # -- a server -------------------------------------------------------------------------------

    def booted(self, **fields):
        uuid = self.ids.uuid()
        self.put(self.conductor.handle(commands.Boot(
            op=self.ids.uuid(), server=uuid, epoch=1, record=base.server(
                uuid, image=self.images.list()[0], **fields),
            request=boot.BootRequest()), self.now))
        self.put(self.acks(uuid, "confirmed"))
        self.deliver()
        return uuid

    def act(self, verb, **fields):
        """Order a verb, and deliver."""
        answers = self.ask(verb, **fields)
        self.deliver()
        return answers

    def ask(self, verb, **fields):
        """Order a verb; nothing is delivered yet."""
        return self.put(self.command(commands.Act, self.uuid, now=self.now, verb=verb, **fields))

    @property
    def server(self):
        return self.held(self.uuid).server

    @property
    def migration(self):
        """The newest one."""
        with self.store.read() as tx:
            found = [self.store.migrations.get(tx, uuid)
                     for uuid, _version in self.store.migrations.stamps(tx)]
        return max(found, key=lambda one: one.created_at)

    @property
    def last_action(self):
        with self.store.read() as tx:
            held = self.store.servers.get(tx, self.uuid)
            return self.store.actions.get(tx, held.op)

    def running(self):
        """Hosts on which its guest runs, or is frozen."""
        return [name for name, driver in self.drivers.items()
                if (guest := driver._guests.get(self.uuid)) and guest.power in (1, 3)]

    def somewhere(self):
        """Hosts on which anything of it is."""
        return [name for name, driver in self.drivers.items() if driver.leftovers(self.uuid)]

    def sound(self, host):
        """At rest, on this host and nowhere else, with one allocation."""
        server = self.server
        self.assertEqual((None, host), (server.verb, server.host))
        self.assertEqual([host], self.somewhere())
        with self.store.read() as tx:
            self.assertEqual([], list(verify.findings(self.store, tx, self.now,
                                                      self.conductor.settings)))
            self.assertEqual({("here", host)},
                             set(self.store.resources.held(tx)[self.uuid]))

    def tasks(self, leg):
        """Tasks of a leg that were delivered."""
        return [one for one in self.sent if isinstance(one, tasks.Task) and one.wanted.leg == leg]
