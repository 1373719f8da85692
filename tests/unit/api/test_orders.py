# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Orders: quota behind one guard, the reply applied before anybody reads, a cell that is down."""

from nova_cells.domain import commands, errors
from nova_cells.domain import server as model
from tests.unit.collector import base


class Boot(base.TopTest):
    limits = {"instances": 3, "cores": -1, "ram": -1}

    def test_no_more_than_the_quota(self):
        self.assertEqual(3, len(self.boot(3)))
        problem = self.assertRaises(errors.OverLimit, self.boot)
        self.assertIn("already used 3 of 3", problem.message)

    def test_as_many_as_fit_when_fewer_will_do(self):
        self.assertEqual(3, len(self.boot(5, minimum=2)))

    def test_all_or_none_when_fewer_will_not_do(self):
        self.assertRaises(errors.OverLimit, self.boot, 4)
        with self.view.read() as tx:
            self.assertEqual(0, self.view.quota.usage(tx, "p")["instances"].total)

    def test_deleting_frees_the_place(self):
        made = self.boot(3)
        self.orders.delete(made[0].uuid, base.ORIGIN, base.NOW)
        self.assertEqual(1, len(self.boot()))

    def test_no_cell_up_is_an_error_its_owner_can_read(self):
        with self.view.write() as tx:
            for cell in (self.a, self.b):
                self.view.cells.set_enabled(tx, cell, False, "x", base.NOW)
        server, = self.boot()
        self.assertEqual("error", server.rest)
        self.assertIn("no cell is up and enabled", server.fault.message)


class Order(base.TopTest):
    def setUp(self):
        super().setUp()
        self.server, = self.boot()
        self.uuid = self.server.uuid

    def place(self):
        self.accepted(self.server, self.a, version=2, rest="active", verb=None)

    def test_nothing_but_delete_and_change_before_it_is_placed(self):
        for order in (lambda: self.orders.act(self.uuid, "stop", base.ORIGIN, base.NOW),
                      lambda: self.orders.reset_state(self.uuid, "active", base.ORIGIN, base.NOW),
                      lambda: self.orders.ask(self.uuid, commands.ReadConsole, base.ORIGIN)):
            self.assertRaises(errors.Conflict, order)

    def test_one_that_is_in_no_cell_can_be_given_up(self):
        """Its offer can no longer be confirmed: who accepted it hears that it moved."""
        order = self.orders.reset_state(self.uuid, "error", base.ORIGIN, base.NOW)
        self.assertEqual(("error", None, 2), (order.record.rest, order.record.verb,
                                              order.record.epoch))
        self.assertIsNone(self.offer(self.uuid))
        self.assertEqual("moved", self.accepted(self.server, self.a))
        self.assertEqual("error", self.row(self.uuid).vm_state)
        again = self.orders.reset_state(self.uuid, "error", base.ORIGIN, base.NOW)
        self.assertEqual("error", again.record.rest)
        self.assertIsNone(self.orders.delete(self.uuid, base.ORIGIN, base.NOW))

    def test_one_that_was_confirmed_meanwhile_is_its_cell_s(self):
        self.place()
        order = self.orders.reset_state(self.uuid, "error", base.ORIGIN, base.NOW)
        self.assertEqual(self.a, order.to.cell)

    def test_order_goes_to_the_cell_with_its_epoch(self):
        self.place()
        order = self.orders.act(self.uuid, "pause", base.ORIGIN, base.NOW)
        self.assertEqual((self.a, 1, "pause"),
                         (order.to.cell, order.command.epoch, order.command.verb))

    def test_the_reply_is_read_before_the_client_is_answered(self):
        self.place()
        order = self.orders.lock(self.uuid, True, None, base.ORIGIN, base.NOW)
        with self.view.read() as tx:
            known = self.view.servers.record(tx, self.uuid)
        locked = model.replace(known, locked=True, version=known.version + 1)
        self.orders.finish(order, commands.Done(record=locked), base.NOW)
        self.assertTrue(self.row(self.uuid).locked)

    def test_failure_of_the_cell_is_raised_as_what_it_was(self):
        self.place()
        order = self.orders.act(self.uuid, "pause", base.ORIGIN, base.NOW)
        for kind in (errors.Conflict, errors.Unsupported, errors.NotFound):
            self.assertRaises(kind, self.orders.finish, order,
                              errors.as_failure(kind("no")), base.NOW)

    def test_delete_that_is_not_answered_is_kept_and_shown(self):
        self.place()
        order = self.orders.delete(self.uuid, base.ORIGIN, base.NOW)
        self.orders.lost(order, base.NOW)
        self.assertEqual([self.a], self.kept(self.uuid))
        self.assertEqual("deleting", self.row(self.uuid).task_state)

    def test_anything_else_that_is_not_answered_is_the_callers_to_repeat(self):
        self.place()
        order = self.orders.act(self.uuid, "pause", base.ORIGIN, base.NOW)
        self.assertRaises(errors.CellDown, self.orders.lost, order, base.NOW)
        self.assertEqual([], self.kept(self.uuid))

    def test_cell_known_to_be_down_is_not_asked(self):
        self.place()
        with self.view.write() as tx:
            self.view.cells.update(tx, self.a, base.NOW, up=False)
        order = self.orders.act(self.uuid, "pause", base.ORIGIN, base.NOW)
        self.assertRaises(errors.CellDown, self.orders.check_up, order)

    def test_deleted_is_not_found(self):
        self.orders.delete(self.uuid, base.ORIGIN, base.NOW)
        self.assertRaises(errors.NotFound, self.orders.delete, self.uuid, base.ORIGIN, base.NOW)
        self.assertRaises(errors.NotFound, self.orders.act, self.uuid, "stop", base.ORIGIN,
                          base.NOW)
