# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Resize, cold migration, confirm and revert in a cell, with real agents on mock hypervisors.

Messages between the conductor and its hosts are carried by hand, so that each can fail, be repeated
or be lost; what hosts hold and what the cell believes is compared after every test.
"""

import contextlib
import uuid as uuids

import testtools

from nova_cells.compute import agent as agents
from nova_cells.compute import journal
from nova_cells.conductor import service, verify
from nova_cells.db import cell as cell_db
from nova_cells.db.cell import tables
from nova_cells.domain import (
    address,
    boot,
    codec,
    commands,
    effects,
    errors,
    lifecycle,
    records,
    tasks,
)
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import fake as fake_images
from nova_cells.virt import fake, fake_moves, protocol
from nova_cells.virt import settings as virt_settings
from tests.conformance import failing
from tests.unit.conductor import base
from tests.unit.conductor.base import NOW

SMALL = model.Flavor(id="1", name="small", vcpus=1, ram_mb=512, disk_gb=1)
BIG = model.Flavor(id="2", name="big", vcpus=2, ram_mb=1024, disk_gb=4)
HUGE = model.Flavor(id="3", name="huge", vcpus=99, ram_mb=1024, disk_gb=4)


class Cell(testtools.TestCase):
    """A conductor and three hosts.  ``carry`` brings every message until none is left."""

    HOSTS = ("h1", "h2", "h3")

    def setUp(self):
        super().setUp()
        self.ids = base.Ids()
        self.images = fake_images.FakeImages()
        self.store = cell_db.CellStore("sqlite://")
        self.addCleanup(self.store.close)
        self.store.create_tables()
        self.identity = self.store.identity("cell1", self.ids.uuid)
        self.conductor = service.Conductor(self.store, self.identity, self.ids,
                                           service.Settings())
        self.now = NOW
        self.lost: set[str] = set()              # hosts that nothing reaches
        self.seen: list[tuple[str, tasks.Task]] = []
        self.drivers, self.journals, self.agents = {}, {}, {}
        area = fake_moves.Area(None)
        for host in self.HOSTS:
            self.drivers[host] = fake.FakeDriver(virt_settings.Settings(
                cell=self.identity.uuid, host=host, fake=virt_settings.FakeHost(
                    vcpus=8, memory_mb=8192, disk_gb=100)), self.images)
            self.drivers[host].area = area
            self.journals[host] = journal.MemoryJournal()
            self.restart(host)
        self.uuid = self.boot()
        self.source = self.server.host

    def restart(self, host):
        """Another life of a host's agent."""
        self.agents[host] = agents.Agent(self.drivers[host], self.journals[host],
                                         self.identity.uuid, host)
        self.agents[host].send = lambda cast: self.carry([cast])
        self.carry(self.agents[host].start(self.now))

    def carry(self, sent):
        """Every message to where it goes, and what comes of it; the answer, if there was one."""
        reply = None
        for effect in sent:
            if isinstance(effect, effects.Reply):
                reply = effect.message
            elif isinstance(effect, effects.Cast) and isinstance(effect.to, address.Cell):
                self.carry(self.conductor.handle(self._copied(effect.message), self.now))
            elif isinstance(effect, effects.Cast) and isinstance(effect.to, address.Host) \
                    and effect.to.host not in self.lost:
                message = self._copied(effect.message)
                if isinstance(message, tasks.Task):
                    self.seen.append((effect.to.host, message))
                self.carry(self.agents[effect.to.host].handle(message, self.now))
        return reply

    @staticmethod
    def _copied(message):
        return codec.decode(codec.encode(message))

    def boot(self):
        uuid = str(uuids.UUID(self.ids.uuid(), version=4))
        record = model.Server(
            uuid=uuid, project_id="p", user_id="u", epoch=1, version=0, flavor=SMALL, name="s",
            image=self.images.list()[0], verb="boot", created_at=NOW, config_drive=True)
        self.carry(self.conductor.handle(commands.Boot(
            op=self.ids.uuid(), server=uuid, epoch=1, record=record,
            request=boot.BootRequest()), NOW))
        self.carry(self.conductor.handle(records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=uuid, epoch=1, version=1, answer="confirmed", held=1),)), NOW))
        return uuid

    def act(self, verb, **wanted):
        reply = self.carry(self.conductor.handle(commands.Act(
            op=self.ids.uuid(), server=self.uuid, epoch=1, verb=verb,
            wanted=wants.Wanted(**wanted)), self.now))
        if isinstance(reply, errors.Failure):
            errors.raise_failure(reply)
        return reply.record if reply else None

    def tell(self, command, **fields):
        return self.carry(self.conductor.handle(command(
            op=self.ids.uuid(), server=self.uuid, epoch=1, **fields), self.now))

    @property
    def server(self):
        with self.store.read() as tx:
            return self.store.servers.get(tx, self.uuid).server

    def migrations(self):
        with self.store.read() as tx:
            return sorted(self.store.migrations.some(tx, [
                uuid for uuid, _version in self.store.migrations.stamps(tx)]).values(),
                key=lambda one: (one.created_at, one.uuid))

    def events(self):
        with self.store.read() as tx:
            found = [codec.Unpacker(commands.ActionRecord)(row.record)
                     for row in tx.execute(tables.actions.select())]
        last = [action for action in found if action.action not in ("create", "stop")]
        return [(action.action, action.message, [(event.name, event.result, event.host)
                                                 for event in action.events]) for action in last]

    def guests(self):
        """host -> what is left of the server there."""
        found = {host: driver.leftovers(self.uuid) for host, driver in self.drivers.items()}
        return {host: left for host, left in found.items() if left}

    def power(self):
        guest = self.drivers[self.server.host].guest(self.uuid)
        return guest.power if guest else None

    def sound(self):
        """Whatever happened: the cell's invariants, and one guest at most."""
        with self.store.read() as tx:
            self.assertEqual([], list(verify.findings(self.store, tx, self.now,
                                                      self.conductor.settings)))
        defined = [host for host, driver in self.drivers.items()
                   if driver.guest(self.uuid) is not None]
        self.assertLessEqual(len(defined), 1)
        self.assertEqual({}, self.drivers["h1"].area._disks)

    def compare(self):
        """All hosts show their guests, twice: a stranger is swept, a difference looked at."""
        for _turn in range(2):
            for host in self.HOSTS:
                self.carry(self.agents[host].handle(effects.Tick(job="guests"), self.now))

    def later(self, seconds):
        """Time passes; who is not lost speaks, and the watchdog asks."""
        until = self.now + seconds
        while self.now < until:
            self.now += 10
            for host in self.HOSTS:
                if host not in self.lost:
                    self.carry(self.agents[host].handle(effects.Tick(job="hello"), self.now))
            for job in ("hosts", "watchdog"):
                self.carry(self.conductor.handle(effects.Tick(job=job), self.now))

    def stop(self, host, method, problem=None, after=False):
        return failing.Stop(self.drivers[host], method,
                            problem or protocol.HostTrouble("it broke"), after)

    @contextlib.contextmanager
    def deaf(self, leg):
        """No word comes from whoever does this leg."""
        reports = self.conductor.reports

        def report(message, now):
            with self.store.read() as tx:
                if self.store.servers.wanted(tx, message.server).leg == leg:
                    return []
            return real(message, now)
        real, reports.report = reports.report, report
        try:
            yield
        finally:
            reports.report = real

    def everywhere(self, method, after, but=(), problem=None):
        """The method fails on every host but these."""
        stack = contextlib.ExitStack()
        for host in set(self.HOSTS) - set(but):
            stack.enter_context(self.stop(host, method, problem, after))
        return stack


class Resize(Cell):
    def test_resized_it_waits_on_another_host_and_the_old_one_is_parked(self):
        record = self.act("resize", flavor=BIG)
        self.assertEqual(("RESIZE", "resize_prep"),
                         (lifecycle.status(record), lifecycle.task_state(record)))
        server = self.server
        self.assertEqual(("VERIFY_RESIZE", BIG, None),
                         (lifecycle.status(server), server.flavor, server.verb))
        self.assertNotEqual(self.source, server.host)
        self.assertEqual(server.host, server.node)
        self.assertEqual(lifecycle.RUNNING, self.power())
        self.assertEqual(["parked disk"], self.guests()[self.source])
        [one] = self.migrations()
        self.assertEqual(("resize", "finished", True, self.source, server.host), (
            one.kind, one.status, one.open, one.source, one.dest))
        self.compare()
        self.assertEqual({self.source, server.host}, set(self.guests()))
        self.sound()

    def test_confirmed_the_old_one_is_gone(self):
        self.act("resize", flavor=BIG)
        self.act("confirm_resize")
        server = self.server
        self.assertEqual(("ACTIVE", BIG), (lifecycle.status(server), server.flavor))
        self.assertEqual({server.host}, set(self.guests()))
        self.assertEqual([("confirmed", False)],
                         [(one.status, one.open) for one in self.migrations()])
        self.sound()

    def test_reverted_it_is_as_it_was(self):
        before = self.server
        self.act("resize", flavor=BIG)
        self.act("revert_resize")
        server = self.server
        for field in ("host", "node", "flavor", "rest", "power_state", "availability_zone"):
            self.assertEqual(getattr(before, field), getattr(server, field), field)
        self.assertEqual({self.source}, set(self.guests()))
        self.assertEqual(lifecycle.RUNNING, self.power())
        self.assertEqual([("reverted", False)],
                         [(one.status, one.open) for one in self.migrations()])
        self.sound()

    def test_a_stopped_one_stays_stopped_all_the_way(self):
        for end in ("confirm_resize", "revert_resize"):
            if self.server.rest == "active":
                self.act("stop")
            self.act("resize", flavor=BIG)
            self.assertEqual(("VERIFY_RESIZE", lifecycle.SHUTDOWN),
                             (lifecycle.status(self.server), self.power()))
            self.act(end)
            self.assertEqual(("SHUTOFF", lifecycle.SHUTDOWN),
                             (lifecycle.status(self.server), self.power()))
        self.sound()

    def test_on_its_own_host_if_that_is_allowed(self):
        for host in set(self.HOSTS) - {self.source}:
            with self.store.write() as tx:
                known = self.store.hosts.get(tx, host)
                self.store.hosts.put(tx, model.replace(known, disabled=True), NOW)
        for end, flavor in (("revert_resize", SMALL), ("confirm_resize", BIG)):
            self.act("resize", flavor=BIG, options={"same_host": "yes"})
            self.assertEqual((self.source, "resized"), (self.server.host, self.server.rest))
            self.assertIn("parked disk", self.guests()[self.source])
            self.act(end)
            self.assertEqual(("active", flavor, lifecycle.RUNNING),
                             (self.server.rest, self.server.flavor, self.power()))
            self.assertNotIn("parked disk", self.guests()[self.source])
            self.sound()

    def test_migrated_to_a_host_that_was_named(self):
        dest = max(set(self.HOSTS) - {self.source})
        self.act("migrate", host=dest)
        self.assertEqual((dest, SMALL, "resized"),
                         (self.server.host, self.server.flavor, self.server.rest))
        self.assertEqual(["migration"], [one.kind for one in self.migrations()])
        for name, words in ((dest, "where the server exists"), ("h9", "could not be found")):
            self.act("confirm_resize") if self.server.rest == "resized" else None
            with testtools.ExpectedException(errors.Invalid, f".*{words}.*"):
                self.act("migrate", host=name)
        self.sound()

    def test_the_steps_are_told_as_clients_know_them(self):
        self.act("resize", flavor=BIG)
        dest = self.server.host
        self.act("confirm_resize")
        self.act("migrate")
        end = self.server.host
        self.act("revert_resize")
        self.assertEqual([
            ("resize", None, [("compute_prep_resize", "Success", dest),
                              ("compute_resize_instance", "Success", self.source),
                              ("compute_finish_resize", "Success", dest)]),
            ("confirmResize", None, [("compute_confirm_resize", "Success", self.source)]),
            ("migrate", None, [("compute_prep_resize", "Success", end),
                               ("compute_resize_instance", "Success", dest),
                               ("compute_finish_resize", "Success", end)]),
            ("revertResize", None, [("compute_revert_resize", "Success", end),
                                    ("compute_finish_revert_resize", "Success", dest)]),
        ], self.events())

    def test_nowhere_to_go_it_stays_as_it_was(self):
        record = self.act("resize", flavor=HUGE)
        self.assertEqual(("ACTIVE", SMALL), (lifecycle.status(record), record.flavor))
        self.assertEqual([("resize", "Error", [("cold_migrate", "Error", self.source)])],
                         self.events())
        self.assertEqual([("error", "", False)], [
            (one.status, one.dest, one.open) for one in self.migrations()])
        self.sound()

    def test_what_waits_for_nobody_cannot_be_confirmed(self):
        self.assertRaises(lifecycle.IllegalMove, self.act, "confirm_resize")
        self.act("resize", flavor=BIG)
        self.tell(commands.ResetState, rest="active")
        self.assertRaises(lifecycle.IllegalMove, self.act, "revert_resize")

    def test_the_source_is_down(self):
        self.act("resize", flavor=BIG)
        self.lost = {self.source}
        self.later(60)
        for verb in ("confirm_resize", "revert_resize"):
            self.assertRaises(errors.Conflict, self.act, verb)
        self.assertEqual("resized", self.server.rest)

    def test_it_is_confirmed_by_itself_after_the_window(self):
        self.conductor.settings = service.Settings(resize_confirm_window=300.0)
        self.act("resize", flavor=BIG)
        self.later(200)
        self.assertEqual("resized", self.server.rest)
        self.later(200)
        self.assertEqual("active", self.server.rest)
        self.assertEqual(["confirmed"], [one.status for one in self.migrations()])
        self.sound()

    def test_the_guest_goes_off_while_it_waits(self):
        self.act("resize", flavor=BIG)
        self.drivers[self.server.host].power_off_inside(self.uuid)
        self.compare()
        self.assertEqual(("resized", lifecycle.SHUTDOWN),
                         (self.server.rest, self.server.power_state))
        self.act("confirm_resize")
        self.assertEqual("stopped", self.server.rest)


class Delete(Cell):
    def test_resized_it_is_deleted_on_both_hosts(self):
        self.act("resize", flavor=BIG)
        self.tell(commands.Delete)
        self.assertEqual({}, self.guests())
        self.assertTrue(self.server.deleted)
        self.assertEqual([("confirmed", False)],
                         [(one.status, one.open) for one in self.migrations()])
        self.sound()

    def test_what_a_host_that_is_down_keeps_is_swept_when_it_is_back(self):
        self.act("resize", flavor=BIG)
        self.lost = {self.source}
        self.later(60)
        self.tell(commands.Delete)
        self.assertEqual({self.source}, set(self.guests()))
        self.assertTrue(self.server.deleted)
        self.lost = set()
        self.compare()
        self.assertEqual({}, self.guests())
        self.sound()

    def test_between_two_legs(self):
        for leg in ("", "depart", "arrive"):
            with self.subTest(leg=leg):
                self.uuid = self.boot()
                self.source = self.server.host
                with self.deaf(leg):
                    self.act("resize", flavor=BIG)
                self.assertEqual("resize", self.server.verb)
                self.tell(commands.Delete)
                self.assertEqual({}, self.guests())
                self.assertTrue(self.server.deleted)
                self.sound()


class Trouble(Cell):
    """Each step of each leg fails before it did anything, or after it did everything."""

    def each(self, methods):
        for method in methods:
            for after in (False, True):
                with self.subTest(step=method, after=after):
                    self.uuid = self.boot()
                    self.source = self.server.host
                    yield method, after
                    self.compare()
                    self.sound()
                    self.tell(commands.Delete)
                    self.assertEqual({}, self.guests())
                    self.sound()

    def test_one_that_cannot_take_it_and_another_does(self):
        first = None
        for _method, after in self.each(["make_room"]):
            others = sorted(set(self.HOSTS) - {self.source})
            with self.stop(others[0], "make_room", after=after):
                self.act("resize", flavor=BIG)
                first = self.server
            self.assertEqual((others[1], "resized"), (first.host, first.rest))

    def test_nobody_can_take_it(self):
        for _method, after in self.each(["make_room"]):
            with self.everywhere("make_room", after):
                self.act("resize", flavor=BIG)
            self.assertEqual((self.source, "active", SMALL, lifecycle.RUNNING), (
                self.server.host, self.server.rest, self.server.flavor, self.power()))

    def test_what_cannot_depart_runs_where_it_was(self):
        for method, after in self.each(["stop", "send_disk", "park"]):
            with self.stop(self.source, method, after=after):
                self.act("resize", flavor=BIG)
            self.assertEqual((self.source, "error", SMALL, lifecycle.RUNNING), (
                self.server.host, self.server.rest, self.server.flavor, self.power()), method)
            self.assertIn("it broke", self.server.fault.message)

    def test_what_cannot_arrive_runs_where_it_was(self):
        for method, after in self.each(["receive_disk", "write_config_drive", "define", "start"]):
            with self.everywhere(method, after, but={self.source}):
                self.act("resize", flavor=BIG)
            self.assertEqual((self.source, "error", SMALL, lifecycle.RUNNING), (
                self.server.host, self.server.rest, self.server.flavor, self.power()), method)
            self.assertEqual({self.source}, set(self.guests()))

    def test_what_cannot_be_dropped_is_swept_later(self):
        for method, after in self.each(["unsend_disk", "destroy"]):
            self.act("resize", flavor=BIG)
            with self.stop(self.source, method, after=after):
                self.act("confirm_resize")
            self.assertEqual(("error", BIG, lifecycle.RUNNING),
                             (self.server.rest, self.server.flavor, self.power()))
            self.compare()
            self.assertEqual({self.server.host}, set(self.guests()))

    def test_a_revert_is_tried_again_and_ends_in_error_at_last(self):
        for method, after in self.each(["undefine", "remove_disk", "unpark", "define", "start"]):
            self.act("resize", flavor=BIG)
            with self.everywhere(method, after):
                self.act("revert_resize")
            self.assertEqual("error", self.server.rest)

    def test_a_lost_word_is_asked_for_again(self):
        for leg in ("", "depart", "arrive"):
            self.uuid = self.boot()
            with self.deaf(leg):
                self.act("resize", flavor=BIG)
            self.assertIsNotNone(self.server.verb)
            self.later(60)
            self.assertEqual("resized", self.server.rest)
            self.sound()

    def test_killed_in_any_step_and_started_again_it_goes_on(self):
        for method, after in self.each(("make_room", "stop", "send_disk", "park", "receive_disk",
                                        "write_config_drive", "define", "start", "unsend_disk")):
            with self.everywhere(method, after, problem=failing.Killed()), \
                    contextlib.suppress(failing.Killed):
                self.act("resize", flavor=BIG)
            for host in self.HOSTS:
                self.restart(host)
            self.later(60)
            self.assertEqual(("resized", BIG, lifecycle.RUNNING),
                             (self.server.rest, self.server.flavor, self.power()), method)

    def test_given_up_while_it_arrives_both_hosts_keep_what_they_have(self):
        real = self.conductor.moves.at

        def gone(tx, host):
            self.lost = {host}
            return real(tx, host)
        self.conductor.moves.at = gone
        self.act("resize", flavor=BIG)
        self.conductor.moves.at = real
        dest = self.server.host
        self.later(4000)
        self.assertEqual(("error", dest), (self.server.rest, dest))
        self.lost = set()
        self.later(60)
        self.compare()
        self.assertEqual(["parked disk"], self.guests()[self.source])
        self.drivers["h1"].area._disks.clear()
        self.sound()
        self.tell(commands.Delete)
        self.assertEqual({}, self.guests())
        self.sound()

    def test_given_up_while_it_departs_both_hosts_keep_what_they_have(self):
        """Its source has let go of it, and nobody heard."""
        with self.deaf("depart"):
            self.act("resize", flavor=BIG)
            self.later(4000)
        self.assertEqual("error", self.server.rest)
        self.assertEqual([self.uuid], list(self.drivers["h1"].area._disks))
        with self.store.read() as tx:
            self.assertIsNotNone(self.store.migrations.open_of(tx, self.uuid))
            self.assertEqual(2, len(self.store.resources.holders(tx)[self.uuid]))
        self.tell(commands.Delete)
        self.assertEqual({}, self.guests())
        self.sound()
