# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A delete that meets its boot in the cell's database: one of them is first, and nothing leaks.

On SQLite writers queue; on the others both may have looked before either writes (law T1).
"""

import uuid as uuids

from nova_cells import clock
from nova_cells.conductor import service, verify
from nova_cells.domain import boot, commands, resources, tasks
from tests.unit.conductor import base as conductors
from tests.unit.db import base

TIMES = 20


class BootAndDelete(base.DatabaseTestCase):
    def setUp(self):
        super().setUp()
        self.db = self.store()
        identity = self.db.identity("cell1")
        self.conductors = [service.Conductor(self.db, identity, clock.RandomIds())
                           for _ in range(2)]
        self.conductors[0].handle(tasks.Hello(
            host="h1", uuid=str(uuids.uuid4()), node="h1", capabilities=("boot",),
            inventory={name: resources.Inventory(total=10 ** 6) for name in (
                resources.VCPU, resources.MEMORY_MB, resources.DISK_GB)}), 1.0)

    def boot(self, uuid, epoch):
        return commands.Boot(op=str(uuids.uuid4()), server=uuid, epoch=epoch,
                             record=conductors.server(uuid, epoch), request=boot.BootRequest(),
                             secrets=boot.Sealed())

    def delete(self, uuid, epoch):
        return commands.Delete(op=str(uuids.uuid4()), server=uuid, epoch=epoch,
                               origin=commands.Origin())

    def assertClean(self):
        with self.db.read() as tx:
            self.assertEqual([], list(verify.allocations(self.db, tx)))

    def test_at_once(self):
        for _ in range(TIMES):
            uuid = str(uuids.uuid4())
            words = (self.boot(uuid, 1), self.delete(uuid, 1))
            outcomes = self.race(2, lambda n, words=words: self.conductors[n].handle(
                words[n], 2.0))
            self.assertEqual([list, list], [type(one) for one in outcomes], outcomes)
        self.assertClean()

    def test_a_boot_between_the_look_and_the_tombstone(self):
        if self.database_kind() == "sqlite":
            self.skipTest("on SQLite the second writer waits until the first has ended")
        uuid, bury = str(uuids.uuid4()), self.db.servers.bury
        arrived = [self.boot(uuid, 1)]

        def late(*words, **named):
            if arrived:
                self.conductors[1].handle(arrived.pop(), 2.0)
            return bury(*words, **named)

        self.db.servers.bury = late
        self.conductors[0].handle(self.delete(uuid, 1), 2.0)
        self.assertClean()
        with self.db.read() as tx:
            self.assertTrue(self.db.servers.get(tx, uuid).server.verb == "delete"
                            or self.db.servers.get(tx, uuid).server.deleted)

    def test_the_next_epoch_overtakes(self):
        for _ in range(TIMES):
            uuid = str(uuids.uuid4())
            self.conductors[0].handle(self.boot(uuid, 1), 2.0)
            words = (self.boot(uuid, 2), self.delete(uuid, 2))
            outcomes = self.race(2, lambda n, words=words: self.conductors[n].handle(
                words[n], 3.0))
            self.assertEqual([list, list], [type(one) for one in outcomes], outcomes)
        self.assertClean()
