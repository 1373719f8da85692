# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""An API cell over a database in memory: two cells that say what the test wants."""

import testtools

from nova_cells.api import orders
from nova_cells.collector import service
from nova_cells.db import view as view_db
from nova_cells.domain import boot, commands, effects, records
from nova_cells.domain import server as model
from tests.unit.conductor import base

NOW = base.NOW
SHAPE = "DISK_GB=1,MEMORY_MB=512,VCPU=1"


class TopTest(testtools.TestCase):
    """Cells A and B; A has more room."""

    limits = {"instances": 10, "cores": -1, "ram": -1}

    def setUp(self):
        super().setUp()
        self.ids = base.Ids()
        self.view = self.make_view()
        self.addCleanup(self.view.close)
        self.view.create_tables()
        self.collector = service.Collector(self.view, self.ids)
        self.orders = orders.Orders(self.view, self.ids)
        self.a, self.b = self.cell("a", 9), self.cell("b", 5)

    def make_view(self) -> view_db.View:
        return view_db.View("sqlite://", quota_defaults=self.limits)

    def cell(self, name: str, slots: int) -> str:
        uuid = self.ids.uuid()
        with self.view.write() as tx:
            self.view.cells.create(tx, uuid, name, "local://", NOW)
            self.view.records.keep_slots(tx, uuid, self.slots(uuid, slots), 1)
        return uuid

    def slots(self, cell: str, count: int, version: int = 1) -> records.SlotsRecord:
        return records.SlotsRecord(cell=cell, version=version, slots={SHAPE: count},
                                   zones={"nova": {SHAPE: count}})

    def boot(self, count: int = 1, **more: object) -> list[model.Server]:
        """POST servers."""
        made = tuple(model.Server(
            uuid=self.ids.uuid(), project_id="p", user_id="u", epoch=1, version=0,
            flavor=base.FLAVOR, created_at=NOW, name="s") for _server in range(count))
        return self.orders.boot(orders.Asked(records=made, request=boot.BootRequest(), **more),
                                NOW).servers

    def accepted(self, server: model.Server, cell: str, epoch: int = 1, version: int = 1,
                 **fields: object) -> str:
        """The cell sends the record up; what it is told."""
        record = model.replace(server, cell=cell, host="h1", epoch=epoch, version=version,
                               **{"verb": "boot", "ticket": 1, **fields})
        return self.upload(cell, records.Record(kind="server", uuid=server.uuid, epoch=epoch,
                                                version=version, server=record)).acks[0].answer

    def upload(self, cell: str, *sent: records.Record, incarnation: str = "i") -> records.Acks:
        done = self.collector.handle(records.Upload(incarnation=incarnation, batch=1,
                                                    records=sent), NOW, cell)
        return next(effect.message for effect in done if isinstance(effect, effects.Cast)
                    and isinstance(effect.message, records.Acks))

    def row(self, uuid: str):
        with self.view.read() as tx:
            return self.view.servers.row(tx, uuid)

    def offer(self, uuid: str):
        with self.view.read() as tx:
            return self.view.offers.get(tx, uuid)

    def refuse(self, uuid: str, epoch: int, cell: str) -> list[effects.Effect]:
        return self.collector.handle(records.Refusal(
            op="o", server=uuid, epoch=epoch, reason="No valid host was found: too small.",
            slots=self.slots(cell, 0, 2)), NOW, cell)

    def kept(self, uuid: str) -> list[str]:
        with self.view.read() as tx:
            return self.view.intents.of(tx, uuid)


ORIGIN = commands.Origin(request_id="req", user_id="u", project_id="p")
