# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The slots record goes up with what changed it, until the top has it; no claim writes it down."""

import sqlalchemy as sa

from nova_cells.domain import commands, effects, records, resources
from nova_cells.domain import server as model
from tests.unit.conductor import base

SHAPE = resources.shape(base.FLAVOR)


class SlotsTest(base.CellTest):
    def setUp(self):
        super().setUp()
        self.hello("h2")
        self.conductor.handle(commands.Catalogue(version=7, flavors=(base.FLAVOR,)), base.NOW)
        self.now = base.NOW

    def upload(self, after=10.0, conductor=None, heard=True):
        """The slots that go up next, if any; the top answers what it got."""
        self.now += after
        conductor = conductor or self.conductor
        sent = [effect.message for effect in conductor.handle(
            effects.Tick(job="relay"), self.now) if isinstance(effect, effects.Cast)]
        found = [one for upload in sent for one in upload.records if one.slots is not None]
        self.assertLess(len(found), 2)
        for upload in sent if heard else ():
            conductor.handle(records.Acks(batch=upload.batch, acks=tuple(records.Ack(
                kind=one.kind, uuid=one.uuid, epoch=one.epoch, version=one.version,
                held=one.version,
                answer="confirmed" if one.kind == "server" else "ok")
                for one in upload.records)), self.now)
        return found[0].slots if found else None

    def count(self, **more):
        return self.upload(**more).slots[SHAPE]


class Counting(SlotsTest):
    def test_what_took_or_freed_some_goes_up_with_the_count(self):
        self.assertEqual(8, self.count())
        uuid = self.active()
        self.assertEqual(7, self.count())
        task, = base.tasks_in(self.command(commands.Delete, uuid))
        self.report(uuid, task.ticket, host=task.record.host)
        self.assertEqual(8, self.count())

    def test_the_count_is_not_repeated_once_it_is_there(self):
        self.count()
        for _time in range(3):
            self.assertIsNone(self.upload())

    def test_it_is_repeated_until_it_is_there(self):
        for _time in range(3):
            self.assertEqual(8, self.count(heard=False))
        self.assertIsNone(self.upload(after=0.5, heard=False))
        self.assertEqual(8, self.count())
        self.assertIsNone(self.upload())

    def test_what_another_conductor_did_and_never_told_is_told(self):
        self.count()
        other, self.conductor = self.conductor, self.another()
        self.offer(self.ids.uuid())
        self.assertEqual(7, self.count(conductor=other))

    def test_the_version_rises_with_every_change(self):
        seen = [self.upload().version]

        def change(work):
            work()
            slots = self.upload()
            seen.append(slots.version)
            return slots
        change(lambda: self.offer(self.ids.uuid()))
        change(lambda: self.hello("h3"))
        for fields in ({"disabled": True}, {"disabled": False, "up": False}):
            with self.store.read() as tx:
                host = self.store.hosts.get(tx, "h3")
            change(lambda host=host, fields=fields: self.put(model.replace(host, **fields)))
        self.assertEqual(2, change(lambda: self.conductor.handle(commands.ForgetHost(
            host="h3", uuid=host.uuid), base.NOW)).hosts)
        change(lambda: self.conductor.handle(
            commands.Catalogue(version=8, flavors=()), base.NOW))
        self.assertEqual(sorted(set(seen)), seen)

    def put(self, host):
        with self.store.write() as tx:
            self.store.hosts.put(tx, host, base.NOW)

    def test_the_zones_add_up(self):
        with self.store.read() as tx:
            host = self.store.hosts.get(tx, "h2")
        self.put(model.replace(host, availability_zone="other"))
        slots = self.upload()
        self.assertEqual({"nova": {SHAPE: 4}, "other": {SHAPE: 4}}, slots.zones)
        self.assertEqual((8, 2, 7, 0.0), (
            slots.slots[SHAPE], slots.hosts, slots.catalogue, slots.fullness))


class Unwritten(SlotsTest):
    def test_no_claim_and_no_release_touches_a_row_that_all_share(self):
        """A row that every boot of a cell writes would let them in one after the other."""
        self.upload()                    # of the hosts, which did say that there is news
        shared = []
        sa.event.listen(self.store.engine, "before_cursor_execute", lambda _c, _cursor, text,
                        *_more: text.startswith("UPDATE identity") and shared.append(text))
        uuid = self.active()
        task, = base.tasks_in(self.command(commands.Delete, uuid))
        self.report(uuid, task.ticket, host=task.record.host)
        self.offer(self.ids.uuid())
        self.assertEqual([], shared)
        self.assertNotIn(("slots", self.identity.uuid), self.marks())
