# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Host aggregates as a cell follows them."""

import uuid as uuids

from nova_cells.domain import aggregates, commands
from tests.unit.conductor import base

H1 = str(uuids.uuid5(uuids.NAMESPACE_DNS, "h1"))


class Zones(base.CellTest):
    def told(self, version, *hosts, zone="attic"):
        found, = base.replies_in(self.conductor.handle(commands.Aggregates(
            version=version, aggregates=(aggregates.Aggregate(
                id=1, uuid="a", name="a", metadata={"availability_zone": zone},
                hosts=hosts),)), base.NOW + 1))
        self.assertEqual(commands.Done(), found)

    def host(self, name="h1"):
        with self.store.read() as tx:
            return self.store.hosts.get(tx, name)

    def slots(self):
        with self.store.read() as tx:
            self.conductor.places.refresh(tx, base.NOW + 2)
            return self.conductor.placing.slots.record(tx, self.store.facts.get(tx))

    def test_host_slots_and_servers_are_in_the_zone(self):
        uuid = self.active()
        self.told(3, H1)
        self.assertEqual("attic", self.host().availability_zone)
        self.assertIn(("host", H1), self.marks())
        self.assertEqual("attic", self.held(uuid).server.availability_zone)
        record = self.slots()
        self.assertEqual((3, True), (record.aggregates, "attic" in record.zones))
        self.told(4)
        self.assertEqual("nova", self.host().availability_zone)

    def test_the_same_again_changes_nothing_but_is_acknowledged_again(self):
        self.told(3, H1)
        before = self.host()
        self.told(3, H1)
        self.assertEqual(before, self.host())
        self.assertIn("slots", [kind for kind, _uuid in self.marks()])

    def test_who_chose_by_the_old_zone_chooses_again(self):
        with self.store.read() as tx:
            before = self.store.resources.generations(tx)[H1]
        self.told(3, H1)
        with self.store.write() as tx:
            self.assertFalse(self.store.resources.claim(tx, "s", "here", H1, before, {"VCPU": 1}))

    def test_host_that_appears_later_is_in_its_zone(self):
        h9 = str(uuids.uuid5(uuids.NAMESPACE_DNS, "h9"))
        self.told(3, h9)
        self.hello("h9", base.NOW + 2)
        self.assertEqual("attic", self.host("h9").availability_zone)
