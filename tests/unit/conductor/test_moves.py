# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Moves in a cell's database, under a verb that needs two hosts: one leg on each."""

import testtools

from nova_cells.conductor import courses, verify
from nova_cells.db.cell import tables
from nova_cells.domain import codec, commands, effects, errors, migration, tasks
from nova_cells.domain import server as model
from tests.unit.conductor import base
from tests.unit.conductor.base import NOW


class TwoLegs(courses.Course):
    """First the source, then the destination; what the destination cannot do, the source undoes."""

    def begin(self, tx, server, wanted, now):
        one = self._c.moves.begin(tx, server, migration.COLD, wanted, now)
        return server, model.replace(wanted, migration=one)

    def host(self, server, wanted):
        if wanted.migration is None:
            return server.host
        return wanted.migration.dest if wanted.leg == "there" else wanted.migration.source

    def following(self, tx, server, wanted, report, now):
        if wanted.leg == "":
            one = self._c.moves.note(tx, wanted.migration.uuid, now, status="migrating")
            return courses.Leg(model.replace(wanted, leg="there"),
                               {"phase": 2, **self._c.moves.at(tx, one.dest)})
        return courses.Failed("it was full") if wanted.leg == "back" else None

    def instead(self, tx, server, wanted, report, now):
        if wanted.leg != "there":
            return None
        return courses.Leg(model.replace(wanted, leg="back"),
                           self._c.moves.at(tx, wanted.migration.source))

    def done(self, tx, server, wanted, report, now):
        self._c.moves.landed(tx, wanted.migration.uuid, "confirmed", now)
        return {}

    def failed(self, tx, server, wanted, now):
        if wanted.migration is not None and wanted.leg == "there":
            self._c.moves.pending(tx, wanted.migration.uuid, now)
        elif wanted.migration is not None:
            self._c.moves.returned(tx, wanted.migration.uuid, "error", now)
        return {}


class Base(base.CellTest):
    def setUp(self):
        super().setUp()
        self.conductor.courses._own["resize"] = TwoLegs(self.conductor)
        self.hello("h2")
        self.uuid = self.active()
        self.source = self.held(self.uuid).server.host
        self.dest = {"h1": "h2", "h2": "h1"}[self.source]

    def begin(self, **wanted):
        return self.command(commands.Act, self.uuid, verb="resize", origin=commands.Origin(
            user_id="ann", project_id="apples"), **wanted)

    def answer(self, result, host, **more):
        return self.report(self.uuid, self.server.ticket, result, host, **more)

    @property
    def server(self):
        return self.held(self.uuid).server

    @property
    def migration(self):
        with self.store.read() as tx:
            [(uuid, _version)] = self.store.migrations.stamps(tx)
            return self.store.migrations.get(tx, uuid)

    def roles(self):
        with self.store.read() as tx:
            return dict(self.store.resources.held(tx).get(self.uuid, {}).keys())

    def sound(self):
        with self.store.read() as tx:
            self.assertEqual([], list(verify.findings(self.store, tx, NOW,
                                                      self.conductor.settings)))

    def sent(self, done):
        return [(effect.to.host, effect.message.wanted.leg, effect.message.ticket)
                for effect in done if isinstance(effect, effects.Cast)
                and isinstance(effect.message, tasks.Task)]


class Legs(Base):
    def test_each_leg_is_another_task_for_its_host(self):
        [(host, leg, first)] = self.sent(self.begin())
        self.assertEqual((self.source, ""), (host, leg))
        [(host, leg, second)] = self.sent(self.answer("done", self.source))
        self.assertEqual((self.dest, "there"), (host, leg))
        self.assertGreater(second, first)
        self.assertEqual(self.dest, self.server.host)
        self.assertEqual([], self.sent(self.answer("done", self.dest)))
        self.assertEqual(("resized", None), (self.server.rest, self.server.verb))
        self.assertEqual({"here": self.dest}, self.roles())
        self.sound()

    def test_a_late_report_of_an_earlier_leg_changes_nothing(self):
        [(_host, _leg, ticket)] = self.sent(self.begin())
        self.answer("done", self.source)
        before = self.server
        self.report(self.uuid, ticket, "failed", self.source)
        self.report(self.uuid, before.ticket, "done", self.source)   # not its part
        self.assertEqual(before, self.server)

    def test_a_host_that_starts_gets_the_leg_that_is_its_part(self):
        self.begin()
        self.answer("done", self.source)
        self.assertEqual([(self.dest, "there", self.server.ticket)],
                         self.sent(self.hello(self.dest, starting=True)))

    def test_what_the_second_host_cannot_do_goes_back(self):
        self.begin()
        self.answer("done", self.source)
        [(host, leg, _ticket)] = self.sent(self.answer("failed", self.dest, error="full"))
        self.assertEqual((self.source, "back"), (host, leg))
        self.answer("done", self.source)
        self.assertEqual(("error", self.source), (self.server.rest, self.server.host))
        self.assertEqual({"here": self.source}, self.roles())
        self.assertEqual(("error", False), (self.migration.status, self.migration.open))
        self.sound()

    def test_given_up_in_the_middle_both_hosts_keep_what_they_have(self):
        self.begin()
        self.answer("done", self.source)
        for turn in range(1, 200):
            self.hello(self.source, NOW + 40 * turn)
            self.hello(self.dest, NOW + 40 * turn)
            self.conductor.handle(effects.Tick(job="watchdog"), NOW + 40 * turn)
        self.assertEqual("error", self.server.rest)
        self.assertEqual({"here": self.source, "move": self.dest}, self.roles())
        for host in (self.source, self.dest):
            guests = tasks.GuestsSeen(host=host, guests=(tasks.GuestSeen(
                uuid=self.uuid, power=4, epoch=1, ticket=2),))
            swept = [effect for effect in self.conductor.handle(guests, NOW + 9000)
                     if isinstance(getattr(effect, "message", None), tasks.Sweep)]
            self.assertEqual([], swept)
        self.sound()


class Record(Base):
    def test_it_holds_both_hosts_and_says_who_asked(self):
        self.begin()
        one = self.migration
        self.assertEqual((self.source, self.dest, "ann", "apples", True), (
            one.source, one.dest, one.user_id, one.project_id, one.open))
        self.assertEqual({"here": self.source, "move": self.dest}, self.roles())
        self.assertIn(("migration", one.uuid), self.marks())
        self.sound()

    def test_it_goes_up_as_it_is_now(self):
        self.begin()
        self.answer("done", self.source)
        [cast] = [effect for effect in self.conductor.handle(effects.Tick(job="relay"), NOW)
                  if isinstance(effect, effects.Cast)]
        [record] = [one for one in cast.message.records if one.kind == "migration"]
        self.assertEqual((self.migration, self.migration.version),
                         (record.migration, record.version))
        self.assertEqual("migrating", record.migration.status)

    def test_nowhere_to_go_is_said_and_changes_nothing_else(self):
        self.begin()
        self.answer("done", self.source)
        self.answer("done", self.dest)
        self.command(commands.ResetState, self.uuid, rest="active")
        with self.store.write() as tx:
            for name in ("h1", "h2"):
                host = self.store.hosts.get(tx, name)
                self.store.hosts.put(tx, model.replace(host, disabled=True), NOW)
        [reply] = base.replies_in(self.begin())
        self.assertEqual(None, reply.record.verb)
        with self.store.read() as tx:
            statuses = sorted(self.store.migrations.get(tx, uuid).status
                              for uuid, _version in self.store.migrations.stamps(tx))
            [action] = [codec.Unpacker(commands.ActionRecord)(row.record) for row in tx.execute(
                tables.actions.select()) if b"Error" in row.record]
        self.assertEqual(["confirmed", "error"], statuses)
        self.assertIn("No valid host", action.events[0].details)
        self.sound()

    def test_a_delete_closes_it_and_gives_all_back(self):
        self.begin()
        self.answer("done", self.source)
        self.command(commands.Delete, self.uuid)
        [(host, leg, _ticket)] = self.sent(self.answer("done", self.dest))
        self.assertEqual((self.source, "other"), (host, leg))
        self.answer("done", self.source)
        self.assertEqual({}, self.roles())
        self.assertFalse(self.migration.open)
        self.sound()

    def test_a_host_of_an_open_move_counts_as_used(self):
        self.begin()
        with self.store.read() as tx:
            self.assertEqual([2, 1], [self.store.hosts.servers_on(tx, host)
                                      for host in (self.source, self.dest)])

    def test_who_writes_what_changed_meanwhile_is_told(self):
        self.begin()
        one = self.migration
        with self.store.write() as tx:
            self.store.migrations.save(tx, one, NOW, status="x")
        with testtools.ExpectedException(errors.Stale), self.store.write() as tx:
            self.store.migrations.save(tx, one, NOW, status="y")
