# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Two conductors over one database, each in the middle of the other's transaction.

What a transaction has read is worth what the statement says that acts on it: it names the version
(law T25).
"""

import uuid as uuids

from nova_cells import clock
from nova_cells.conductor import service, verify
from nova_cells.domain import boot, commands, effects, errors, records, resources, tasks
from tests.unit.conductor import base as conductors
from tests.unit.db import base

HOST = str(uuids.uuid5(uuids.NAMESPACE_DNS, "h1"))
NOW, LONG_AFTER = 10.0, 10.0 + 10 ** 6
AMOUNTS = resources.amounts(conductors.FLAVOR)


class ConductorsTestCase(base.DatabaseTestCase):
    """A cell with one host, and two conductors."""

    def setUp(self):
        super().setUp()
        self.db = self.store()
        self.identity = self.db.identity("cell1")
        self.one, self.other = (service.Conductor(self.db, self.identity, clock.RandomIds())
                                for _ in range(2))
        self.one.handle(tasks.Hello(
            host="h1", uuid=HOST, node="h1", life="l", capabilities=("boot", "stop"),
            inventory={name: resources.Inventory(total=10 ** 6) for name in AMOUNTS}), NOW)

    def boot(self, uuid):
        return commands.Boot(op=f"op-{uuid[:8]}", server=uuid, epoch=1,
                             record=conductors.server(uuid), request=boot.BootRequest(),
                             secrets=boot.Sealed())

    def acks(self, uuid, answer, version=1, held=1):
        return records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=uuid, epoch=1, version=version, answer=answer, held=held),))

    def order(self, kind, uuid, **fields):
        return kind(op=str(uuids.uuid4()), server=uuid, epoch=1, **fields)

    def offered(self):
        uuid = str(uuids.uuid4())
        self.one.handle(self.boot(uuid), NOW)
        return uuid

    def active(self):
        uuid = self.offered()
        self.one.handle(self.acks(uuid, "confirmed"), NOW)
        self.one.handle(tasks.Report(server=uuid, epoch=1, ticket=1, host="h1", result="done",
                                     power_state=1), NOW)
        return uuid

    def held(self, uuid):
        with self.db.read() as tx:
            return self.db.servers.get(tx, uuid)

    def marks(self, kind="server"):
        with self.db.read() as tx:
            return {mark[1:] for mark in self.db.outbox.marks(tx, 1000) if mark[0] == kind}

    def lock(self, uuid):
        """What changes it meanwhile."""
        self.other.handle(self.order(commands.Lock, uuid, locked=True), NOW)


class Marks(ConductorsTestCase):
    """A mark says no less than what must go up, and says it of what there is."""

    def test_an_offer_said_again(self):
        uuid = self.offered()
        self.between(self.db, "UPDATE outbox",
                     lambda: self.other.handle(self.acks(uuid, "confirmed"), NOW))
        self.one.handle(self.boot(uuid), NOW)
        self.assertEqual({(uuid, 1, 2)}, self.marks())

    def test_a_bucket_said_again(self):
        uuid = self.active()
        self.between(self.db, "UPDATE outbox", lambda: self.lock(uuid))
        self.one.handle(commands.Resync(bucket=records.bucket_of(uuid), known=()), NOW)
        self.assertEqual({(uuid, 1, self.held(uuid).version)}, self.marks())

    def test_what_was_dropped_meanwhile(self):
        uuid = self.offered()
        self.between(self.db, "UPDATE outbox",
                     lambda: self.other.handle(self.acks(uuid, "moved"), NOW))
        self.one.handle(self.boot(uuid), NOW)
        self.assertIsNone(self.held(uuid))
        self.one.handle(effects.Tick(job="relay"), NOW + 60)
        self.assertEqual(set(), self.marks())

    def test_a_mark_is_only_raised(self):
        with self.db.write() as tx:
            for stamp in ((1, 5), (2, 1), (1, 9), (2, 0)):
                self.db.outbox.mark(tx, "server", "u", *stamp, NOW)
            self.db.outbox.mark_all(tx, "server", [("u", 1, 7), ("v", 1, 1)], NOW)
        self.assertEqual({("u", 2, 1), ("v", 1, 1)}, self.marks())


class Decisions(ConductorsTestCase):
    def test_moved_while_it_is_deleted(self):
        """The word that it must not come back stays."""
        uuid = self.offered()
        self.between(self.db, "DELETE FROM servers",
                     lambda: self.other.handle(self.order(commands.Delete, uuid), NOW))
        self.one.handle(self.acks(uuid, "moved"), NOW)
        self.assertIsNone(self.held(uuid).server)
        with self.db.read() as tx:
            self.assertEqual([], list(verify.allocations(self.db, tx)))

    def test_an_operation_that_comes_twice_at_once(self):
        """Both are answered with what it did."""
        uuid = self.active()
        order = self.order(commands.Lock, uuid, locked=True)
        self.between(self.db, "SELECT operations", lambda: self.other.handle(order, NOW))
        said = conductors.replies_in(self.one.handle(order, NOW))[0].record
        self.assertEqual((True, self.held(uuid).version), (said.locked, said.version))

    def test_a_host_is_forgotten_while_something_is_placed_there(self):
        self.one.handle(tasks.Goodbye(host="h1", uuid=HOST, life="l"), NOW)
        uuid = str(uuids.uuid4())

        def place():
            with self.db.write() as tx:
                generation = self.db.resources.generations(tx)[HOST]
                self.assertTrue(self.db.resources.claim(tx, uuid, "here", HOST, generation,
                                                        AMOUNTS))
                self.db.servers.insert(
                    tx, conductors.server(uuid, host="h1"), boot.BootRequest(), boot.Sealed(),
                    "op", NOW)
        self.between(self.db, "DELETE FROM", place)
        answer = conductors.replies_in(self.one.handle(
            commands.ForgetHost(host="h1", uuid=HOST), NOW))[0]
        self.assertIsInstance(answer, errors.Failure)
        with self.db.read() as tx:
            self.assertEqual([], list(verify.allocations(self.db, tx)))

    def test_a_late_look_is_no_old_copy(self):
        uuid = self.active()
        version = self.held(uuid).version
        self.between(self.db, "UPDATE servers", lambda: self.lock(uuid))
        self.one.handle(self.acks(uuid, "confirmed", version, version + 1), NOW + 1)
        with self.db.read() as tx:
            self.assertIsNone(self.db.facts.get(tx).halted)

    def test_an_old_copy_is_noticed_twice_at_once(self):
        """It is one other database, not two."""
        first, second = self.active(), self.active()
        seen = []

        def notice():
            self.other.handle(self.acks(second, "confirmed", 3, 99), NOW + 1)
            seen.append(self.db.known_identity().incarnation)
        self.between(self.db, "UPDATE identity", notice)
        self.one.handle(self.acks(first, "confirmed", 3, 99), NOW + 1)
        self.assertEqual(seen, [self.db.known_identity().incarnation])
        self.assertNotEqual(seen, [self.identity.incarnation])

    def test_a_tombstone_that_was_lifted_meanwhile_is_kept(self):
        uuid = self.active()
        self.one.handle(self.order(commands.Delete, uuid), NOW)
        held = self.held(uuid)
        self.one.handle(tasks.Report(server=uuid, epoch=1, ticket=held.server.ticket, host="h1",
                                     result="done"), NOW)
        with self.db.write() as tx:
            self.db.outbox.clear_all(tx, self.db.outbox.marks(tx, 1000))
        self.between(self.db, "DELETE FROM servers", lambda: self.other.handle(commands.Resync(
            bucket=records.bucket_of(uuid), known=((uuid, 1, 99),), lift=True), NOW))
        self.one.handle(effects.Tick(job="purge"), LONG_AFTER)
        self.assertIn((uuid, 1, self.held(uuid).version), self.marks())
        with self.db.write() as tx:
            self.db.outbox.clear_all(tx, self.db.outbox.marks(tx, 1000))
        self.one.handle(effects.Tick(job="purge"), LONG_AFTER)
        self.assertIsNone(self.held(uuid))

    def test_the_watchdog_asks_about_each_alone(self):
        """One that changed meanwhile does not silence the others."""
        asked = sorted(self.offered() for _ in range(3))
        for uuid in asked:
            self.one.handle(self.acks(uuid, "confirmed"), NOW)
        real, lost = self.one.watchdog._ask, [asked[1]]

        def ask(tx, held, now):
            if held.uuid in lost:
                lost.remove(held.uuid)
                raise errors.Stale("it changed meanwhile")
            return real(tx, held, now)
        self.one.watchdog._ask = ask
        done = self.one.handle(effects.Tick(job="watchdog"), NOW + 31)
        self.assertEqual(asked, [task.server for task in conductors.tasks_in(done)])
