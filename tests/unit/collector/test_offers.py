# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Offers at the top: one cell wins, refusals move on, nobody writes what is not theirs."""

from nova_cells.domain import commands, effects, records
from nova_cells.domain import server as model
from tests.unit.collector import base
from tests.unit.collector.base import NOW, ORIGIN


class Offers(base.TopTest):
    def test_it_goes_to_the_cell_with_most_room_and_debits_it(self):
        made = self.boot(9)
        cells = [self.offer(server.uuid).cell for server in made]
        self.assertEqual(7, cells.count(self.a), cells)     # 9 and 5 less 7 and 2: even again
        self.assertEqual(2, cells.count(self.b))

    def test_confirmed_once_and_only_for_the_cell_and_epoch_of_the_offer(self):
        server, = self.boot()
        self.assertEqual("moved", self.accepted(server, self.b))
        self.assertEqual("moved", self.accepted(server, self.a, epoch=2))
        self.assertEqual("confirmed", self.accepted(server, self.a))
        self.assertIsNone(self.offer(server.uuid))
        self.assertEqual((self.a, True), (self.row(server.uuid).cell, self.row(server.uuid).placed))
        self.assertEqual("confirmed", self.accepted(server, self.a))
        self.assertEqual("moved", self.accepted(server, self.b))

    def test_the_answer_says_on_which_host_the_view_has_it(self):
        server, = self.boot()
        self.assertEqual("confirmed", self.accepted(server, self.a))
        again = model.replace(server, cell=self.a, host="h2", epoch=1, version=1, verb="boot",
                              ticket=1)
        ack, = self.upload(self.a, records.Record(
            kind="server", uuid=server.uuid, epoch=1, version=1, server=again)).acks
        self.assertEqual(("confirmed", 1, "h1"), (ack.answer, ack.held, ack.host))

    def test_refused_it_goes_to_the_next_and_a_delete_follows_to_the_first(self):
        server, = self.boot()
        cast, = self.refuse(server.uuid, 1, self.a)
        self.assertEqual((self.b, 2), (cast.to.cell, cast.message.epoch))
        self.assertEqual([self.a], self.kept(server.uuid))
        self.assertEqual("moved", self.accepted(server, self.a))
        self.assertEqual("confirmed", self.accepted(server, self.b, epoch=2))

    def test_a_delete_that_is_kept_stays_shown_whatever_the_cell_still_says(self):
        server, = self.boot()
        self.accepted(server, self.a)
        with self.view.write() as tx:
            self.view.intents.keep(tx, server.uuid, self.a, 1, "op", ORIGIN, NOW)
            self.view.servers.show_deleting(tx, server.uuid, NOW)
        self.accepted(server, self.a, version=7, rest="active", verb=None)
        row = self.row(server.uuid)
        self.assertEqual((7, "ACTIVE", "deleting"), (row.version, row.status, row.task_state))
        self.accepted(server, self.a, version=9, rest="deleted", verb=None)
        self.assertEqual((9, True), (self.row(server.uuid).version, self.row(server.uuid).deleted))

    def test_a_delete_kept_for_an_old_offer_is_not_the_servers(self):
        server, = self.boot()
        self.refuse(server.uuid, 1, self.a)
        self.accepted(server, self.b, epoch=2)
        self.accepted(server, self.b, epoch=2, version=7, rest="active", verb=None)
        self.assertEqual(("ACTIVE", ""), (self.row(server.uuid).status,
                                          self.row(server.uuid).task_state))

    def test_refused_by_all_it_is_in_error_in_the_words_of_the_last(self):
        server, = self.boot()
        self.refuse(server.uuid, 1, self.a)
        self.assertEqual([], self.refuse(server.uuid, 2, self.b))
        with self.view.read() as tx:
            failed = self.view.servers.record(tx, server.uuid)
        self.assertEqual(("error", None), (failed.rest, self.offer(server.uuid)))
        self.assertEqual((500, "No valid host was found: too small."),
                         (failed.fault.code, failed.fault.message))

    def test_old_or_foreign_refusal_changes_nothing(self):
        server, = self.boot()
        for epoch, cell in ((2, self.a), (1, self.b)):
            self.assertEqual([], self.refuse(server.uuid, epoch, cell))
        self.assertEqual((1, self.a), (self.offer(server.uuid).epoch, self.offer(server.uuid).cell))

    def test_unanswered_it_is_said_again_then_moved_and_never_given_up(self):
        server, = self.boot()
        tick = effects.Tick(job="offers")
        self.assertEqual([], self.collector.handle(tick, base.NOW + 1))
        again, = self.collector.handle(tick, base.NOW + 6)
        self.assertEqual((self.a, 1), (again.to.cell, again.message.epoch))
        moved, = self.collector.handle(tick, base.NOW + 40)
        self.assertEqual((self.b, 2), (moved.to.cell, moved.message.epoch))
        for minute in range(2, 20):
            self.collector.handle(tick, base.NOW + 60 * minute)
        self.assertEqual((self.b, 2), (self.offer(server.uuid).cell, self.offer(server.uuid).epoch))

    def test_change_before_confirmation_makes_a_new_offer_and_the_old_one_is_dead(self):
        server, = self.boot()
        order = self.orders.update(server.uuid, {"name": "other"}, base.ORIGIN, base.NOW)
        self.assertEqual((2, "other"), (order.casts[0].message.epoch,
                                        order.casts[0].message.record.name))
        self.assertEqual("moved", self.accepted(server, self.a))
        self.assertEqual("confirmed", self.accepted(order.record, self.a, epoch=2))

    def test_delete_before_confirmation_is_done_here_and_follows_the_offer(self):
        server, = self.boot()
        self.assertIsNone(self.orders.delete(server.uuid, base.ORIGIN, base.NOW))
        self.assertEqual("moved", self.accepted(server, self.a))
        self.assertTrue(self.row(server.uuid).deleted)
        cast, = self.collector.handle(effects.Tick(job="intents"), base.NOW)
        self.assertIsInstance(cast.message, commands.Delete)
        self.assertEqual((self.a, 1), (cast.to.cell, cast.message.epoch))


class Uploads(base.TopTest):
    def placed(self):
        server, = self.boot()
        self.accepted(server, self.a)
        return server

    def test_newest_wins_whatever_the_order(self):
        server = self.placed()
        for version, name in ((5, "five"), (3, "three"), (5, "five"), (4, "four")):
            self.accepted(server, self.a, version=version, name=name)
        self.assertEqual((5, "five"), (self.row(server.uuid).version, self.row(server.uuid).name))

    def test_unknown_servers_are_inserted_only_in_a_resync(self):
        stranger = self.placed()
        uuid = self.ids.uuid()
        stranger = model.replace(stranger, uuid=uuid)
        self.assertEqual("unknown", self.accepted(stranger, self.a))
        with self.view.write() as tx:
            self.view.cells.update(tx, self.a, base.NOW, resyncing=True)
        self.assertEqual("confirmed", self.accepted(stranger, self.a))

    def test_another_incarnation_stops_the_cell_and_nothing_is_taken(self):
        server = self.placed()
        acks = self.upload(self.a, incarnation="another")
        self.assertIn("resync", acks.halted)
        self.assertIsNotNone(self.upload(self.a).halted)
        self.assertIsNone(self.upload(self.b, incarnation="z").halted)
        self.assertEqual(1, self.row(server.uuid).version)

    def test_who_is_not_told_by_the_transport_is_ignored(self):
        self.assertEqual([], self.collector.handle(
            records.Upload(incarnation="i", batch=1), base.NOW, None))
