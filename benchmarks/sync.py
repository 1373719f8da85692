# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""From a child to the top: how late, how many, and how long to compare or rebuild everything.

A whole deployment in this process.  A change is an ``Update`` command given to the conductor as
a message would be; it is visible when the transaction that applied its record has committed.
The lag counts from before the change is begun, so the child's own commit is in it.
"""

import itertools
import threading
import time
import typing
import uuid

import sqlalchemy as sa

from benchmarks import boots, inprocess, measure
from nova_cells.db.cell import servers as child_rows
from nova_cells.db.cell import tables as child_tables
from nova_cells.db.view import tables as view_tables
from nova_cells.domain import boot, codec, commands, effects, resources


class Seen:
    """When each (server, version) was applied."""

    def __init__(self, inside: boots.Inside) -> None:
        self.times: dict[tuple[str, int], float] = {}
        self.uploads = 0
        uploads = inside.collector.uploads
        inner = uploads.apply

        def apply(upload: typing.Any, *more: typing.Any) -> typing.Any:
            found = inner(upload, *more)
            now = time.perf_counter()
            self.uploads += bool(upload.records)
            for record in upload.records:
                if record.server is not None:
                    self.times[record.uuid, record.version] = now
            return found
        uploads.apply = apply


def sync(quick: bool) -> typing.Iterator[measure.Row]:
    """Lag at rest and at 500 changes/s; the sustained rate."""
    count = 500 if quick else 2000
    inside = boots.Inside(cells=1, hosts=1)
    try:
        seen = Seen(inside)
        uuids = fill(inside, count)
        for rate, seconds in ((10, 2.0 if quick else 5.0), (100, 2.0 if quick else 5.0),
                              (500, 2.0 if quick else 10.0)):
            yield _paced(inside, seen, uuids, rate, seconds)
        yield _flood(inside, 2000 if quick else 20_000)
    finally:
        inside.stop()


def heal(quick: bool) -> typing.Iterator[measure.Row]:
    """All of a cell's servers: verified, and the view rebuilt by a resync."""
    count = 5000 if quick else 100_000
    inside = boots.Inside(cells=1, hosts=1)
    try:
        begin = time.perf_counter()
        fill(inside, count)
        cell = inside.cells[0].identity.uuid
        yield {"case": f"fill both databases with {count:,}", "n": count,
               "seconds": round(time.perf_counter() - begin, 2)}
        yield _order(inside, "verify", cell, count, f"verify {count:,} servers, unchanged")
        with inside.view.write() as tx:
            tx.execute(sa.delete(view_tables.servers))
            tx.execute(sa.delete(view_tables.server_metadata))
        yield _order(inside, "resync", cell, count, f"rebuild a view of {count:,} by resync")
    finally:
        inside.stop()


def fill(inside: boots.Inside, count: int, project: str = inprocess.PROJECT,
         begin: int = 0) -> list[str]:
    """Servers in the child's database and in the view, at rest and known to both."""
    cell = inside.cells[0]
    host = cell.plan.hosts[0]
    with cell.store.read() as tx:
        provider = next(iter(cell.store.resources.generations(tx)))
    amounts = resources.amounts(inprocess.FLAVOR)
    servers = (codec.Unpacker(inprocess.model.Server)(codec.pack(one)) for one in (
        inprocess.model.replace(inprocess.a_server(number, cell.identity.uuid, project), host=host)
        for number in range(begin, begin + count)))
    request = codec.pack(boot.BootRequest())
    uuids: list[str] = []
    while batch := list(itertools.islice(servers, 2000)):
        with cell.store.write() as tx:
            tx.execute(sa.insert(child_tables.servers), [
                {"uuid": one.uuid, "confirmed": True, "began_at": 0, "due_at": 0,
                 "request": request, **child_rows._columns(one)} for one in batch])
            tx.execute(sa.insert(child_tables.allocations), [
                {"server": one.uuid, "role": "here", "provider": provider,
                 "resource_class": name, "used": amount}
                for one in batch for name, amount in amounts.items()])
        inprocess.put(inside.view, batch)
        uuids += [one.uuid for one in batch]
    return uuids


def _paced(inside: boots.Inside, seen: Seen, uuids: list[str], rate: int,
           seconds: float) -> measure.Row:
    runner = inside.conductor()
    began: dict[tuple[str, int], float] = {}
    count = int(rate * seconds)
    numbers = iter(range(count))
    lock = threading.Lock()
    cpu, uploads = time.process_time(), seen.uploads
    begin = time.perf_counter()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            own = uuids[number % len(uuids)]
            before = time.perf_counter()
            answer = runner.deliver(commands.Update(
                op=str(uuid.uuid4()), server=own, epoch=1, description=f"change {number}"))
            began[own, answer.record.version] = before
    workers = [threading.Thread(target=work) for _number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    wall = time.perf_counter() - begin
    end = time.perf_counter() + 10
    while not began.keys() <= seen.times.keys() and time.perf_counter() < end:
        time.sleep(0.01)
    cpu = time.process_time() - cpu
    lags = [seen.times[key] - moment for key, moment in began.items() if key in seen.times]
    return {"case": f"lag at {rate} changes/s", "n": count, "cpu_ms": round(cpu * 1e3 / count, 2),
            "per_s": round(count / wall, 1), **measure.milliseconds(lags),
            "unseen": len(began) - len(lags), "uploads": seen.uploads - uploads}


def _flood(inside: boots.Inside, count: int) -> measure.Row:
    """As many changes at once as a relay can carry up: every record is read, sent, applied."""
    store, t, marks = inside.cells[0].store, child_tables.servers, child_tables.outbox
    known = fill_more(inside, count)
    with store.write() as tx:
        held = [store.servers.get(tx, own) for own in known]
        tx.execute(sa.update(t).where(t.c.uuid == sa.bindparam("own")).values(
            version=sa.bindparam("v"), record=sa.bindparam("r")), [
                {"own": one.uuid, "v": one.version + 1, "r": codec.pack(
                    inprocess.model.replace(one.server, version=one.version + 1,
                                            description="flood"))} for one in held])
        tx.execute(sa.insert(marks), [
            {"kind": "server", "uuid": one.uuid, "epoch": one.epoch, "version": one.version + 1,
             "marked_at": 0.0} for one in held])
    cpu, begin = time.process_time(), time.perf_counter()
    inside.conductor().wake("relay")
    wall = _until_empty(store, begin)
    cpu = time.process_time() - cpu
    return {"case": f"{count:,} changes at once", "n": count,
            "cpu_ms": round(cpu * 1e3 / count, 3), "per_s": round(count / wall, 1),
            "seconds": round(wall, 2)}


def fill_more(inside: boots.Inside, count: int) -> list[str]:
    """The uuids of ``count`` servers of the child, filled up if there are fewer."""
    store, t = inside.cells[0].store, child_tables.servers
    with store.read() as tx:
        have = tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
    if have < count:
        cell = inside.cells[0].identity.uuid
        extra = [inprocess.a_server(number, cell) for number in range(10**6, 10**6 + count - have)]
        request = codec.pack(boot.BootRequest())
        with store.write() as tx:
            tx.execute(sa.insert(t), [
                {"uuid": one.uuid, "confirmed": True, "began_at": 0, "due_at": 0,
                 "request": request, **child_rows._columns(one)} for one in extra])
        inprocess.put(inside.view, extra)
    with store.read() as tx:
        return [row.uuid for row in tx.execute(sa.select(t.c.uuid).limit(count))]


def _until_empty(store: typing.Any, begin: float, patience: float = 300.0) -> float:
    while True:
        with store.read() as tx:
            if not store.outbox.length(tx):
                return time.perf_counter() - begin
        if time.perf_counter() - begin > patience:
            raise AssertionError("the outbox does not empty")
        time.sleep(0.02)


def _order(inside: boots.Inside, kind: str, cell: str, count: int, name: str) -> measure.Row:
    """An operator's order, until it is done and everything has arrived."""
    own = str(uuid.uuid4())
    cpu, begin = time.process_time(), time.perf_counter()
    with inside.view.write() as tx:
        inside.view.orders.add(tx, own, kind, cell, {"truth": "view"}, time.time())
    inside.running._api.runner.deliver(effects.Tick(job="orders"))
    while True:
        with inside.view.read() as tx:
            order = inside.view.orders.get(tx, own)
        if order.state in ("done", "failed") or time.perf_counter() - begin > 600:
            break
        time.sleep(0.05)
    done = time.perf_counter() - begin
    wall = _until_empty(inside.cells[0].store, begin)
    with inside.view.read() as tx:
        held = inside.view.servers.live_in(tx, cell)
    return {"case": name, "n": count, "cpu_ms": round((time.process_time() - cpu) * 1e3 / count, 3),
            "per_s": round(count / wall, 1), "seconds": round(wall, 2),
            "order_s": round(done, 2), "state": order.state, "held": held,
            "findings": len((order.result or {}).get("findings", ()))}
