# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A database copied between an offer's acceptance and its confirmation, and put back later.

Found by seed 232 of the simulation: the guest that runs was swept as a stranger, and a report about
it led to a task without a verb.
"""

from nova_cells.domain import effects, records, tasks
from tests.unit.conductor import base


class NeverConfirmedHere(base.CellTest):
    def setUp(self):
        super().setUp()
        self.uuid = self.ids.uuid()
        self.offer(self.uuid)

    def test_its_guest_is_left_alone(self):
        done = self.conductor.handle(tasks.GuestsSeen(host="h1", guests=(
            tasks.GuestSeen(uuid=self.uuid, power=1, epoch=1, ticket=1),)), base.NOW)
        self.assertEqual([], done)

    def test_a_report_shows_that_it_was_confirmed(self):
        self.report(self.uuid, ticket=1)
        held = self.held(self.uuid)
        self.assertEqual((True, "active", None),
                         (held.confirmed, held.server.rest, held.server.verb))
        self.assertEqual([], [effect for effect in self.acks(self.uuid, "confirmed")
                              if isinstance(getattr(effect, "message", None), tasks.Task)])


class TakenTwice(base.CellTest):
    """A boot that is delivered again, late, to a copy from before it: the view has the very version
    that the copy makes, on another host.  Found by seed 4455 of the simulation."""

    def setUp(self):
        super().setUp()
        self.uuid = self.ids.uuid()
        self.offer(self.uuid)

    def answer(self, host):
        ack = records.Ack(kind="server", uuid=self.uuid, epoch=1, version=1, answer="confirmed",
                          held=1, host=host)
        done = self.conductor.handle(records.Acks(batch=0, acks=(ack,)), base.NOW)
        with self.store.read() as tx:
            halted = self.store.facts.get(tx).halted
        begun = [one for one in done if isinstance(getattr(one, "message", None), tasks.Task)]
        return begun, halted

    def test_the_guest_is_not_made_a_second_time(self):
        begun, halted = self.answer("h9")
        self.assertEqual([], begun)
        self.assertIn("restored from an old copy", halted)
        self.assertIn("h9", halted)
        self.assertFalse(self.held(self.uuid).confirmed)

    def test_an_answer_to_what_we_have_begins_it(self):
        begun, halted = self.answer("h1")
        self.assertEqual((1, None), (len(begun), halted))

    def test_an_answer_of_an_older_release_says_no_host(self):
        begun, halted = self.answer(None)
        self.assertEqual((1, None), (len(begun), halted))


class LostInItsBoot(base.CellTest):
    """The copy has a server in the middle of its boot; it may long run, and on another host.  Found
    by seed 4739 of the simulation: the boot was gone on with, and there were two guests."""

    def setUp(self):
        super().setUp()
        self.hello("h2")
        self.uuid = self.ids.uuid()
        self.offer(self.uuid)
        self.acks(self.uuid, "confirmed")
        self.first = self.held(self.uuid).server.host
        self.other = {"h1": "h2", "h2": "h1"}[self.first]
        with self.store.write() as tx:
            self.store.servers.lift(tx, self.uuid, 1, 4, base.NOW)

    def show(self, host, ticket, power=1):
        """A host shows its guest."""
        return self.conductor.handle(tasks.GuestsSeen(host=host, guests=(
            tasks.GuestSeen(uuid=self.uuid, power=power, epoch=1, ticket=ticket),)), base.NOW)

    def test_its_boot_is_not_gone_on_with(self):
        held = self.held(self.uuid)
        self.assertEqual(("error", None), (held.server.rest, held.server.verb))
        self.assertIn("old copy", held.server.fault.message)
        with self.store.read() as tx:
            self.assertEqual("", self.store.servers.secrets(tx, self.uuid).once or "")
        self.assertEqual([], list(self.conductor.watchdog.everything(base.NOW)))

    def test_it_is_where_a_host_shows_it(self):
        self.show(self.other, ticket=3)
        server = self.held(self.uuid).server
        self.assertEqual(("active", self.other, None, 3),
                         (server.rest, server.host, server.fault, server.ticket))
        self.assertEqual({self.uuid: {self.other}}, self.holders())

    def test_or_where_it_was_begun(self):
        self.show(self.first, ticket=1, power=4)
        server = self.held(self.uuid).server
        self.assertEqual(("stopped", self.first), (server.rest, server.host))

    def test_a_guest_from_before_is_swept(self):
        sweep, = [one.message for one in self.show(self.other, ticket=0)
                  if isinstance(one, effects.Cast)]
        self.assertIsInstance(sweep, tasks.Sweep)
        self.assertEqual("error", self.held(self.uuid).server.rest)

    def test_a_guest_whose_room_is_taken_is_swept(self):
        self.hello(self.other, vcpus=0)
        sweep, = [one.message for one in self.show(self.other, ticket=3)
                  if isinstance(one, effects.Cast)]
        self.assertIsInstance(sweep, tasks.Sweep)
        self.assertEqual({self.uuid: {self.first}}, self.holders())

    def holders(self):
        with self.store.read() as tx:
            return self.store.resources.holders(tx)
