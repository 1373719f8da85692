# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Two collectors over one view, each in the middle of the other's transaction.

An upload may be delivered twice, or two uploads of one cell at once: what is acknowledged is in the
view, and nobody is told that a server moved which was confirmed a moment before (laws T2, T6, T25).
"""

from nova_cells import clock
from nova_cells.api import orders
from nova_cells.collector import service
from nova_cells.db import again
from nova_cells.domain import boot, commands, effects, records
from nova_cells.domain import server as model
from tests.unit.conductor import base as conductors
from tests.unit.db import base

CELL, OTHER = (f"ce110000-0000-4000-8000-00000000000{n}" for n in range(2))
NOW = 10.0


class CollectorsTestCase(base.DatabaseTestCase):
    """A view with two cells, and two collectors."""

    def setUp(self):
        super().setUp()
        self.db, self.ids = self.view(), clock.RandomIds()
        with self.db.write() as tx:
            for uuid in (CELL, OTHER):
                self.db.cells.create(tx, uuid, uuid[-1], "local://", NOW)
        self.collectors = [service.Collector(self.db, self.ids) for _ in range(2)]
        for collector in self.collectors:        # both have heard the cell lately
            collector.handle(records.Upload(incarnation="i", batch=0), NOW, CELL)

    def booted(self) -> tuple[model.Server, str]:
        """A server that was asked for, and the cell that it was offered to."""
        made = orders.Orders(self.db, self.ids).boot(orders.Asked(
            records=(conductors.server(self.ids.uuid()),), request=boot.BootRequest()), NOW)
        return made.servers[0], made.casts[0].to.cell

    def upload(self, number: int, *sent: records.Record, cell: str = CELL) -> list[records.Ack]:
        """What a collector answers to an upload."""
        done = self.collectors[number].handle(
            records.Upload(incarnation="i", batch=1, records=sent), NOW, cell)
        return next(list(effect.message.acks) for effect in done
                    if isinstance(effect, effects.Cast)
                    and isinstance(effect.message, records.Acks))


def of_server(server: model.Server, cell: str, version: int) -> records.Record:
    """As the cell that accepted it sends it up."""
    server = model.replace(server, cell=cell, host="h1", version=version, ticket=1, verb="boot")
    return records.Record(kind="server", uuid=server.uuid, epoch=server.epoch, version=version,
                          server=server)


class Confirming(CollectorsTestCase):
    """A record that confirms its offer, in two uploads."""

    def at_once(self, first, second):
        server, cell = self.booted()
        self.upload(0, cell=cell)
        self.upload(1, cell=cell)
        one, two = (of_server(server, cell, version) for version in (first, second))
        others = []
        self.between(self.db, "DELETE FROM offers",
                     lambda: others.extend(self.upload(1, two, cell=cell)))
        mine = self.upload(0, one, cell=cell)
        self.assertEqual(["confirmed"] * 2, [ack.answer for ack in (*mine, *others)])
        self.assertEqual([max(first, second), second], [ack.held for ack in (*mine, *others)])
        with self.db.read() as tx:
            row = self.db.servers.row(tx, server.uuid)
        self.assertEqual((cell, True, max(first, second)), (row.cell, row.placed, row.version))

    def test_the_same_upload(self):
        self.at_once(1, 1)

    def test_a_newer_one_comes_between(self):
        self.at_once(1, 2)

    def test_an_older_one_comes_between(self):
        self.at_once(2, 1)

    def test_a_resync_takes_it_twice(self):
        if self.database_kind() == "mariadb":
            self.skipTest("MariaDB locks the row that the first update only looked at")
        server = conductors.server(self.ids.uuid())
        with self.db.write() as tx:
            self.db.cells.update(tx, CELL, NOW, resyncing=True)
            self.db.servers.insert(tx, model.replace(server, cell=CELL), NOW, cell=CELL,
                                   placed=True)
        newer = of_server(model.replace(server, epoch=2), CELL, 1)
        self.between(self.db, "DELETE FROM offers", lambda: self.upload(1, newer))
        self.assertEqual(["confirmed"], [ack.answer for ack in self.upload(0, newer)])


class Keeping(CollectorsTestCase):
    """Records other than servers: what was acknowledged is there, or a newer one."""

    def kept(self, table) -> int:
        with self.db.read() as tx:
            return tx.exec_driver_sql(f"SELECT version FROM {table}").scalar_one()

    def host(self, version, uuid="h", name="h1", **facts):
        host = records.HostRecord(uuid=uuid, name=name, version=version, **facts)
        return records.Record(kind="host", uuid=uuid, epoch=0, version=version, host=host)

    def slots(self, version):
        return records.Record(kind="slots", uuid=CELL, epoch=0, version=version,
                              slots=records.SlotsRecord(cell=CELL, version=version, slots={}))

    def action(self, version, server):
        record = commands.ActionRecord(
            uuid="op", server=server, epoch=1, version=version, action="stop", request_id="r",
            user_id="u", project_id="p", start=NOW)
        return records.Record(kind="action", uuid="op", epoch=0, version=version, action=record)

    def newest_stays(self, statement, table, made):
        """The newer one is on its way in when the older one comes, and is first."""
        self.between(self.db, statement, lambda: self.upload(1, made(1)))
        self.assertEqual([2], [ack.held for ack in self.upload(0, made(2))])
        self.assertEqual(2, self.kept(table))
        self.upload(1, made(1))
        self.assertEqual(2, self.kept(table))

    def test_slots(self):
        self.newest_stays("INSERT INTO slots", "slots", self.slots)

    def test_slots_after_the_update_found_none(self):
        self.newest_stays("SELECT slots.version", "slots", self.slots)

    def test_a_host(self):
        self.newest_stays("INSERT INTO hosts", "hosts", self.host)

    def test_an_action(self):
        server = conductors.server(self.ids.uuid())
        with self.db.write() as tx:
            self.db.servers.insert(tx, server, NOW, cell=CELL, placed=True)
        for statement in ("INSERT INTO actions", "SELECT actions.version"):
            self.newest_stays(statement, "actions",
                              lambda version: self.action(version, server.uuid))
            with self.db.write() as tx:
                tx.exec_driver_sql("DELETE FROM actions")

    def test_the_successor_of_a_host_comes_while_its_own_record_does(self):
        """Both have one name at the same moment; neither is lost."""
        self.between(self.db, "INSERT INTO hosts", lambda: self.upload(1, self.host(1, "old")))
        self.upload(0, self.host(1, "new"))
        with self.db.read() as tx:
            self.assertEqual({"new"}, {host.uuid for _id, _cell, host
                                       in self.db.records.hosts(tx)})
            self.assertEqual(2, tx.exec_driver_sql("SELECT COUNT(*) FROM hosts").scalar_one())

    def test_a_delete_is_kept_at_the_newest_epoch(self):
        origin, server = commands.Origin(), self.ids.uuid()

        def keep(epoch):
            def once():
                with self.db.write() as tx:
                    self.db.intents.keep(tx, server, CELL, epoch, "op", origin, NOW)
            again.decide(once)
        for statement in ("SELECT intents.", "INSERT INTO intents"):
            self.between(self.db, statement, lambda: keep(1))
            keep(2)
            with self.db.write() as tx:
                self.assertEqual([2], [command.epoch for _cell, command
                                       in self.db.intents.due(tx, NOW)])
                tx.exec_driver_sql("DELETE FROM intents")
