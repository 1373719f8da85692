# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A child cell's conductor over a database in memory, fed by hand."""

import itertools
import uuid as uuids

import testtools

from nova_cells.conductor import service
from nova_cells.db import cell as cell_db
from nova_cells.domain import boot, commands, effects, records, resources, tasks
from nova_cells.domain import server as model

NOW = 1_000_000.0
FLAVOR = model.Flavor(id="1", name="small", vcpus=1, ram_mb=512, disk_gb=1)


class Ids:
    """Uuids that count."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def uuid(self) -> str:
        return str(uuids.UUID(int=next(self._numbers)))


def server(uuid: str, epoch: int = 1, **fields: object) -> model.Server:
    """A server as an offer carries it."""
    return model.Server(uuid=uuid, project_id="p", user_id="u", epoch=epoch, version=0,
                        flavor=FLAVOR, name="s", verb="boot", created_at=NOW, **fields)


class CellTest(testtools.TestCase):
    """One cell with one host, h1."""

    can: tuple[str, ...] = ("boot", "stop", "start", "pause")

    def setUp(self):
        super().setUp()
        self.ids = Ids()
        self.store = cell_db.CellStore("sqlite://")
        self.addCleanup(self.store.close)
        self.store.create_tables()
        self.identity = self.store.identity("cell1", self.ids.uuid)
        self.conductor = self.another()
        self.hello("h1")

    def another(self, **settings: float) -> service.Conductor:
        """A conductor of the same cell."""
        return service.Conductor(self.store, self.identity, self.ids,
                                 service.Settings(**settings))

    def hello(self, host: str, now: float = NOW, conductor=None, vcpus: int = 4,
              starting: bool = False) -> list[effects.Effect]:
        """A host says that it is there."""
        inventory = {resources.VCPU: resources.Inventory(total=vcpus),
                     resources.MEMORY_MB: resources.Inventory(total=vcpus * 512),
                     resources.DISK_GB: resources.Inventory(total=100)}
        return (conductor or self.conductor).handle(tasks.Hello(
            host=host, uuid=str(uuids.uuid5(uuids.NAMESPACE_DNS, host)), node=host,
            capabilities=self.can, inventory=inventory,
            starting=starting), now)

    def offer(self, uuid: str, epoch: int = 1, now: float = NOW,
              **fields: object) -> list[effects.Effect]:
        """The top offers a boot."""
        return self.conductor.handle(commands.Boot(
            op=f"op-{uuid}", server=uuid, epoch=epoch, record=server(uuid, epoch, **fields),
            request=boot.BootRequest(), secrets=boot.Sealed(once="sealed")), now)

    def acks(self, uuid: str, answer: str, epoch: int = 1, version: int = 1, held: int = 1,
             now: float = NOW) -> list[effects.Effect]:
        """The top answers an upload."""
        return self.conductor.handle(records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=uuid, epoch=epoch, version=version, answer=answer, held=held),
        )), now)

    def report(self, uuid: str, ticket: int, result: str = "done", host: str = "h1",
               now: float = NOW, **more: object) -> list[effects.Effect]:
        """A host reports."""
        return self.conductor.handle(tasks.Report(
            server=uuid, epoch=1, ticket=ticket, host=host, result=result, **more), now)

    def command(self, kind: type, uuid: str, now: float = NOW, epoch: int = 1,
                **fields: object) -> list[effects.Effect]:
        """The top orders something."""
        return self.conductor.handle(kind(op=self.ids.uuid(), server=uuid, epoch=epoch,
                                          **fields), now)

    def active(self) -> str:
        """A server that was booted."""
        uuid = self.ids.uuid()
        self.offer(uuid)
        self.acks(uuid, "confirmed")
        self.report(uuid, ticket=1, power_state=1)
        return uuid

    def held(self, uuid: str):
        """As the cell holds it."""
        with self.store.read() as tx:
            return self.store.servers.get(tx, uuid)

    def marks(self) -> set[tuple[str, str]]:
        """What must still go up."""
        with self.store.read() as tx:
            return {mark[:2] for mark in self.store.outbox.marks(tx, 1000)}

    def allocated(self) -> dict[str, set[str]]:
        """Who holds resources where."""
        with self.store.read() as tx:
            return self.store.resources.holders(tx)


def tasks_in(done: list[effects.Effect]) -> list[tasks.Task]:
    """The tasks among effects."""
    return [effect.message for effect in done if isinstance(effect, effects.Cast)
            and isinstance(effect.message, tasks.Task)]


def replies_in(done: list[effects.Effect]) -> list[object]:
    """The answers among effects."""
    return [effect.message for effect in done if isinstance(effect, effects.Reply)]
