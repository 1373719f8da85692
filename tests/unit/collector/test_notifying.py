# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Notifications: each change told, in order, again when it is not sure, by one of several."""

from nova_cells.collector import notifying
from nova_cells.db import view as view_db
from nova_cells.domain import commands, errors, records
from tests.unit.collector import base
from tests.unit.collector.base import NOW


class Notifying(base.TopTest):
    def setUp(self):
        super().setUp()
        self.told, self.broken = [], 0
        self.one, self.two = (notifying.Notifying(self.view, name, self.send)
                              for name in ("one", "two"))

    def make_view(self):
        return view_db.View("sqlite://", quota_defaults=self.limits, notify=True)

    def send(self, event_type, payload, created_at):
        if self.broken:
            self.broken -= 1
            raise errors.CellDown("the bus is down")
        self.told.append((event_type, payload["nova_object.data"]))

    def types(self):
        return [event_type for event_type, _data in self.told]

    def life(self):
        """A server is created, confirmed, and its boot ends."""
        server, = self.boot()
        self.accepted(server, self.a)
        self.accepted(server, self.a, version=2, rest="active", verb=None, power_state=1)
        event = commands.Event(name="compute_boot", start=NOW, finish=NOW, result="Success")
        self.upload(self.a, records.Record(
            kind="action", uuid=server.uuid, epoch=0, version=3, action=commands.ActionRecord(
                uuid=server.uuid, server=server.uuid, epoch=1, version=3, action="create",
                request_id="req", user_id="u", project_id="p", start=NOW, events=(event,))))
        return server

    def test_each_change_is_told_in_order_with_its_version(self):
        server = self.life()
        self.assertEqual(5, self.one.tick(NOW))
        self.assertEqual(["instance.update", "instance.create.start", "instance.update",
                          "instance.update", "instance.create.end"], self.types())
        self.assertEqual([(1, 0), (1, 0), (1, 1), (1, 2), (1, 2)], [
            (data["nova_cells_epoch"], data["nova_cells_version"]) for _type, data in self.told])
        self.assertEqual({(server.uuid, "p")}, {
            (data["uuid"], data["tenant_id"]) for _type, data in self.told})
        self.assertEqual(("active", None, "running"), tuple(
            self.told[-1][1][key] for key in ("state", "task_state", "power_state")))
        self.assertEqual(0, self.one.tick(NOW + 1))

    def test_what_was_not_taken_is_sent_again_and_nothing_overtakes_it(self):
        self.life()
        self.broken = 2
        self.assertEqual([0, 0, 5], [self.one.tick(NOW + second) for second in range(3)])
        self.assertEqual("instance.create.end", self.types()[-1])

    def test_an_old_record_is_not_told_again(self):
        server = self.life()
        self.one.tick(NOW)
        self.accepted(server, self.a)
        self.assertEqual(0, self.one.tick(NOW + 1))

    def test_one_of_two_sends_until_it_is_silent(self):
        self.life()
        self.one.tick(NOW)
        self.life()
        self.assertEqual(0, self.two.tick(NOW + 1))
        self.assertEqual(5, self.one.tick(NOW + 2))
        self.life()
        self.assertEqual(0, self.two.tick(NOW + 4))      # the lease moved since it looked
        self.assertEqual(5, self.two.tick(NOW + 4 + notifying.STALE))
        self.life()
        self.assertEqual([0, 5], [self.one.tick(NOW + 30), self.two.tick(NOW + 31)])

    def test_a_failure_says_why(self):
        server = self.life()
        self.one.tick(NOW)
        event = commands.Event(name="compute_reboot", start=NOW, finish=NOW, result="Error",
                               details="it did not come up")
        self.upload(self.a, records.Record(
            kind="action", uuid="op2", epoch=0, version=3, action=commands.ActionRecord(
                uuid="op2", server=server.uuid, epoch=1, version=3, action="reboot",
                request_id="req", user_id="u", project_id="p", start=NOW, events=(event,),
                message="Error")))
        self.one.tick(NOW + 1)
        event_type, data = self.told[-1]
        self.assertEqual("instance.reboot.error", event_type)
        self.assertEqual("it did not come up",
                         data["fault"]["nova_object.data"]["exception_message"])


class Unwanted(base.TopTest):
    def test_nothing_is_written_that_nobody_wants(self):
        server, = self.boot()
        self.accepted(server, self.a)
        with self.view.read() as tx:
            self.assertEqual(0, self.view.notifications.count(tx))
