# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Placing inside one cell: offers accepted by a conductor, at several numbers of hosts.

A case is ``Boot`` to its end in the conductor: decision, claim, rows, commit, on SQLite in a file.
Nothing travels: messages are handed over by hand.
"""

import functools
import itertools
import os
import shutil
import tempfile
import time
import typing
import uuid as uuids

from benchmarks import measure
from nova_cells.conductor import placing, proposing, service
from nova_cells.db import cell as cell_db
from nova_cells.domain import (
    boot,
    codec,
    commands,
    effects,
    records,
    resources,
    selection,
    tasks,
)
from nova_cells.domain import server as model
from nova_cells.scheduler import choose
from nova_cells.selector import service as selectors

SIZES = (100, 1000, 5000)
FLAVORS = tuple(model.Flavor(id=str(n), name=f"f{n}", vcpus=n, ram_mb=1024 * n, disk_gb=10 * n)
                for n in (1, 2, 4, 8, 16))
CATALOGUE = tuple(model.Flavor(id=f"{v}-{r}", name=f"f{v}-{r}", vcpus=v, ram_mb=1024 * r,
                               disk_gb=20) for v in (1, 2, 4, 8) for r in (1, 2, 4, 8, 16))


class Ids:
    """Uuids."""

    def uuid(self) -> str:
        """One more."""
        return str(uuids.uuid4())


class Cell:
    """A conductor over a database in a file, with hosts that are already half full or so."""

    def __init__(self, hosts: int, load: float = 4.0) -> None:
        self.directory = tempfile.mkdtemp(prefix="nova-cells-bench-")
        self.store = cell_db.CellStore(f"sqlite:///{os.path.join(self.directory, 'cell.db')}")
        self.store.create_tables()
        self.identity = self.store.identity("cell1", Ids().uuid)
        self.now = 1_800_000_000.0
        self.made: list[placing.Placing] = []
        self.conductor = self.another()
        self.conductor.handle(commands.Catalogue(version=1, flavors=CATALOGUE), self.now)
        inventory = {resources.VCPU: resources.Inventory(total=64, allocation_ratio=4.0),
                     resources.MEMORY_MB: resources.Inventory(total=256 * 1024),
                     resources.DISK_GB: resources.Inventory(total=4000)}
        with self.store.write() as tx:
            for number in range(hosts):
                own = str(uuids.uuid5(uuids.NAMESPACE_DNS, f"h{number}"))
                self.store.hosts.put(tx, records.HostRecord(
                    uuid=own, name=f"h{number:05d}", version=0, capabilities=("boot",),
                    availability_zone=f"az{number % 3}"), self.now)
                self.store.resources.put(tx, resources.Provider(
                    uuid=own, name=f"h{number:05d}", host=f"h{number:05d}", inventory=inventory))
                for taken in range(int(number * load) % 9):      # unequally loaded
                    self.store.resources.claim(
                        tx, f"{number}-{taken}", "here", own, taken + 1,
                        resources.amounts(FLAVORS[(number + taken) % len(FLAVORS)]))
        self._pending = itertools.count()

    def another(self, **more: typing.Any) -> service.Conductor:
        """A conductor of this cell."""
        made = service.Conductor(self.store, self.identity, Ids(), **more)
        self.made.append(made.placing)
        return made

    def offer(self, conductor: service.Conductor | None = None) -> bytes:
        """The top offers one boot."""
        number, own = next(self._pending), str(uuids.uuid4())
        self.now += 0.01
        flavor = FLAVORS[number % len(FLAVORS)]
        done = (conductor or self.conductor).handle(commands.Boot(
            op=str(uuids.uuid4()), server=own, epoch=1, request=boot.BootRequest(),
            record=model.Server(uuid=own, project_id="p", user_id="u", epoch=1, version=0,
                                flavor=flavor, name="s", verb="boot", created_at=self.now)),
            self.now)
        if any(isinstance(effect, effects.Cast) for effect in done):
            raise RuntimeError("refused")
        return own.encode()

    def close(self) -> None:
        """Leave nothing."""
        self.store.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def decisions(quick: bool) -> typing.Iterator[measure.Row]:
    """At a growing number of hosts: the decision alone, offers accepted by it, by a scheduler
    service (through the codec, without a bus), by four conductors in turn; a look; slots."""
    seconds = 0.7 if quick else 3.0
    for hosts in SIZES:
        cell = Cell(hosts)
        try:
            for name, work in _cases(cell):
                lost = sum(one.lost for one in cell.made)
                row = measure.repeat(work, seconds, least=5, most=2000)
                lost = sum(one.lost for one in cell.made) - lost
                yield {"case": f"{name}, {hosts} hosts", **row,
                       **({"lost": round(lost / row["n"], 3)} if "offer" in name else {})}
        finally:
            cell.close()


def _cases(cell: Cell) -> typing.Iterator[tuple[str, typing.Callable[[], bytes]]]:
    yield "offer accepted", cell.offer
    yield "decision alone", functools.partial(_decided, cell)
    selector = selectors.Selector(cell.store, cell.identity, Ids())
    selector.start(cell.now)

    def ask(_to: object, question: selection.Select, _budget: float) -> object:
        done = selector.handle(codec.decode(codec.encode(question)), cell.now)
        return codec.decode(codec.encode(done[0].message))
    asking = cell.another(chooser=proposing.Service(cell.identity.uuid, ask))
    asking.places.look(cell.now)
    yield "offer accepted, by the service", functools.partial(cell.offer, asking)
    turns = itertools.cycle([cell.another() for _one in range(4)])
    yield "offer accepted, four conductors in turn", lambda: cell.offer(next(turns))
    yield "a look at what changed", functools.partial(_looked, cell)
    yield "slots told", functools.partial(_counted, cell)


def _decided(cell: Cell) -> bytes:
    """Proposals, given back at once."""
    cell.conductor.places.propose("s", choose.Request(amounts={"VCPU": 2, "MEMORY_MB": 4096}), 3,
                                  cell.now)
    cell.conductor.places.settle("s")
    return b""


def _looked(cell: Cell) -> bytes:
    with cell.store.read() as tx:
        cell.conductor.places.refresh(tx, cell.now)
    return b""


def _counted(cell: Cell) -> bytes:
    with cell.store.read() as tx:
        cell.conductor.placing.slots.record(tx, cell.store.facts.get(tx))
    return b""


def path(quick: bool) -> typing.Iterator[measure.Row]:
    """Statements, commits and CPU that one boot costs its conductor, message by message."""
    import sqlalchemy as sa

    cell = Cell(4)
    statements = 0

    def count(*_event: object) -> None:
        nonlocal statements
        statements += 1
    sa.event.listen(cell.store.engine, "before_cursor_execute", count)
    counter = measure.Counter()
    counter.engine("cell", cell.store.engine)
    n = 100 if quick else 400
    try:
        own = [uuids.uuid4() for _one in range(n)]
        for name, work in _path(cell, [str(one) for one in own]):
            statements, before, cpu = 0, counter.snapshot(), time.process_time()
            for one in range(n):
                work(one)
            cpu = time.process_time() - cpu
            found = counter.since(before, n)
            yield {"case": f"boot path: {name}", "n": n, "cpu_ms": round(cpu * 1e3 / n, 3),
                   "statements": round(statements / n, 2), "commits": found["commits"],
                   "reads": found["reads"]}
    finally:
        cell.close()


def _path(cell: Cell, own: list[str]) -> typing.Iterator[tuple[str, typing.Callable]]:
    """What a conductor is told of a boot, in order."""
    small = model.Flavor(id="s", name="s", vcpus=1, ram_mb=64, disk_gb=1)

    def handle(message: object) -> list[effects.Effect]:
        cell.now += 0.01
        return cell.conductor.handle(message, cell.now)

    def offer(n: int) -> None:
        handle(commands.Boot(
            op=f"op-{own[n]}"[:36], server=own[n], epoch=1, request=boot.BootRequest(),
            record=model.Server(uuid=own[n], project_id="p", user_id="u", epoch=1, version=0,
                                flavor=small, name="s", verb="boot", created_at=cell.now)))

    def ack(n: int) -> None:
        handle(records.Acks(batch=0, acks=(records.Ack(
            kind="server", uuid=own[n], epoch=1, version=1, answer="confirmed", held=1),)))

    def report(n: int) -> None:
        with cell.store.read() as tx:
            server = cell.store.servers.get(tx, own[n]).server
        handle(tasks.Report(server=own[n], epoch=1, ticket=server.ticket, host=server.host,
                            result="done", power_state=1))

    def upload(n: int) -> None:
        cell.now += 60
        for effect in handle(effects.Tick(job="relay")):
            if isinstance(effect, effects.Cast):
                handle(records.Acks(batch=effect.message.batch, acks=tuple(records.Ack(
                    kind=one.kind, uuid=one.uuid, epoch=one.epoch, version=one.version,
                    answer="confirmed" if one.kind == "server" else "ok", held=one.version)
                    for one in effect.message.records)))
    yield "accept", offer
    yield "confirm", ack
    yield "done", report
    yield "upload and its answer, by tens", lambda n: upload(n) if n % 10 == 0 else None
