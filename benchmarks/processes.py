# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The deployment as processes on MariaDB and RabbitMQ: boots, POSTs, records up, memory, reads.

CPU ms is that of our processes; ``cpu_mariadb`` and ``cpu_rabbitmq`` stand beside it.  What goes
on by itself (heartbeats, looks) is in every figure; its own row says how much that is.
"""

import threading
import time
import types
import typing
import uuid
from concurrent import futures

import sqlalchemy as sa

from benchmarks import deployed, inprocess, keystone, lists, measure, standalone, sync
from nova_cells import conf as confs
from nova_cells import seal
from nova_cells.db import cell as cells
from nova_cells.db import view as views
from nova_cells.db.view import tables
from nova_cells.domain import address, commands
from nova_cells.rpc import client, router, transport

ADMIN = "gAAAAABo" + "a" * 175
FLAVOR = {"id": "bench", "name": "bench", "vcpus": 1, "ram": 64, "disk": 1}


def processes(quick: bool) -> typing.Iterator[measure.Row]:
    """Two cells of two hosts; then memory and boots with one cell and with four."""
    missing = deployed.missing()
    if missing:
        yield {"case": missing}
        return
    with keystone.running() as identity, lists.memcached() as (_store, line):
        identity.tokens[lists.GOOD] = keystone.body("bench", inprocess.PROJECT,
                                                    ["member", "reader"])
        identity.tokens[ADMIN] = keystone.body("admin", "admins", ["admin", "member", "reader"])
        settings = identity.settings + line
        with deployed.running(ADMIN, settings) as made:
            yield from _start(made, quick)
            yield from boots(made, lists.GOOD, 40 if quick else 300)
            yield from _posts(made, 2.0 if quick else 10.0)
            yield from _reads(made, quick)
        with deployed.running(ADMIN, settings) as made:
            yield from _records(made, quick)
        for count in (1,) if quick else (1, 4):
            with deployed.running(ADMIN, settings, cells=count) as made:
                for row in (*_start(made, quick), *boots(made, lists.GOOD, 20 if quick else 100)):
                    yield {**row, "case": f"{count} cells: {row['case']}"}


def _start(made: deployed.Deployed, quick: bool) -> typing.Iterator[measure.Row]:
    """What it is before anybody asks for anything, and what it does then."""
    yield {"case": "start", "start_s": made.started_s,
           "cpu_s": round(sum(made.cpu().values()), 1)}
    deployed.unlimit(made, inprocess.PROJECT, FLAVOR)
    yield {"case": "memory at rest", **made.memory()}
    span = deployed.Span(made)
    time.sleep(5 if quick else 20)
    row = span.row(1)
    yield {"case": "idle, a second", **{
        name: round(value / span.seconds, 2) for name, value in row.items()}}


def boots(made: deployed.Deployed, token: str, count: int,
          **chosen: str) -> typing.Iterator[measure.Row]:
    """POST to ACTIVE, four clients; the memory afterwards."""
    caller = deployed.caller(made, token)
    standalone.boot(caller, 4, 2, "warm-", **chosen)
    for number, clients in ((20, 1), (count, 4)):
        span = deployed.Span(made)
        row = standalone.boot(caller, number, clients, f"boot{number}-", **chosen)
        yield {"case": f"P10 boot {number}, {clients} clients", **row, **span.row(number)}
    yield {"case": f"memory after {count} boots", **made.memory()}


def _posts(made: deployed.Deployed, seconds: float) -> typing.Iterator[measure.Row]:
    """P9: POSTs that come at a rate, from eight clients; the boots go on beside them."""
    caller = deployed.caller(made, lists.GOOD)
    for rate in (20, 50, 100):
        yield paced_posts(made, caller, rate, seconds)
        while caller.json("/servers?limit=1&status=BUILD")["servers"]:
            time.sleep(0.2)


def paced_posts(made: deployed.Deployed, caller: standalone.Caller, rate: int, seconds: float,
                **chosen: str) -> measure.Row:
    """Latency from when each was due; CPU of the API's workers alone, per POST."""
    late: list[float] = []
    count = int(rate * seconds)
    cpu = made.cpu()["api"]
    begin = time.perf_counter() + 0.1

    def one(number: int) -> None:
        due = begin + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        standalone.create(caller, f"paced{rate}-{number}", **chosen)
        late.append(time.perf_counter() - due)
    with futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(count)))
    wall = time.perf_counter() - begin
    return {"case": f"P9 POST at {rate}/s, boots beside", "n": count,
            "cpu_ms": round((made.cpu()["api"] - cpu) * 1e3 / count, 2),
            "per_s": round(count / wall, 1), **measure.milliseconds(late)}


def _reads(made: deployed.Deployed, quick: bool) -> typing.Iterator[measure.Row]:
    caller = deployed.caller(made, lists.GOOD)
    one = caller.json("/servers?limit=1")["servers"][0]["id"]
    for name, path, count in (("P1 detail 1000 rows", "/servers/detail?limit=1000", 60),
                              ("P2 detail 20 rows", "/servers/detail?limit=20", 400),
                              ("P4 changes-since, nothing new", lists.POLL, 400),
                              ("P3 show", f"/servers/{one}", 400)):
        yield reads(made, caller, name, path, count // 4 if quick else count)


def reads(made: deployed.Deployed, caller: standalone.Caller, name: str, path: str,
          count: int) -> measure.Row:
    """One request after another; the CPU is that of the API's workers."""
    times, size = [], 0
    for _warm in range(4):
        caller.json(path)
    span, begin = made.cpu(), time.perf_counter()
    for _number in range(count):
        before = time.perf_counter()
        size = len(caller.ask("GET", path)[1])
        times.append(time.perf_counter() - before)
    wall, after = time.perf_counter() - begin, made.cpu()
    return {"case": name, "n": count,
            "cpu_ms": round((after["api"] - span["api"]) * 1e3 / count, 2),
            "per_s": round(count / wall, 1), **measure.milliseconds(times), "bytes": size,
            "cpu_mariadb": round((after["mariadb"] - span["mariadb"]) * 1e3 / count, 2)}


# -- records on their way up -----------------------------------------------------------------------

class Top:
    """The view, a child's database, and a way down the child's bus, in the client's hands."""

    def __init__(self, made: deployed.Deployed, name: str) -> None:
        self.conf = confs.new(files=[str(made.directory / "api.conf")], prog="benchmarks")
        self.view = views.View(made.database_url("view"),
                               seal=seal.Seal.at(str(made.directory / "secrets.key")))
        self.cell = made.cells[name]
        store = cells.CellStore(made.database_url(name))
        self.cells = [types.SimpleNamespace(
            store=store, identity=types.SimpleNamespace(uuid=self.cell),
            plan=types.SimpleNamespace(hosts=made.hosts[name]))]
        self._roads = router.Router(open_transport=lambda url: transport.open_transport(
            self.conf, url))
        self._roads.update([(self.cell, made.transport_url(name))])
        self.client = client.Client(self._roads, self.conf)

    def behind(self, uuids: list[str], version: int) -> set[str]:
        """Which of these the view does not hold at more than this version yet."""
        t, found = tables.servers, set()
        with self.view.read() as tx:
            for begin in range(0, len(uuids), 500):
                found |= {row.uuid for row in tx.execute(sa.select(t.c.uuid).where(
                    t.c.uuid.in_(uuids[begin:begin + 500]), t.c.version > version))}
        return set(uuids) - found

    def close(self) -> None:
        """Connections."""
        self._roads.close()
        self.view.close()
        self.cells[0].store.close()


def _records(made: deployed.Deployed, quick: bool) -> typing.Iterator[measure.Row]:
    """P11: commands cast on a cell's bus until the view holds what came of them; a resync."""
    count = 2000 if quick else 10_000
    top = Top(made, "c1")
    try:
        uuids = sync.fill(typing.cast(typing.Any, top), count)
        fresh = iter(uuids)
        for rate, seconds in ((10, 2.0), (100, 2.0), (300, 2.0)) if quick else (
                (10, 5.0), (100, 5.0), (300, 5.0), (500, 10.0)):
            own = [next(fresh) for _number in range(int(rate * seconds))]
            yield _lag(made, top, own, rate)
        yield _heal(made, top, count, "verify")
        with top.view.write() as tx:
            tx.execute(sa.delete(tables.server_metadata))
            tx.execute(sa.delete(tables.servers))
        yield _heal(made, top, count, "resync")
    finally:
        top.close()


def _lag(made: deployed.Deployed, top: Top, uuids: list[str], rate: int) -> measure.Row:
    """Each server changed once, at a rate; the lag counts from before the command is cast."""
    began: dict[str, float] = {}
    seen: dict[str, float] = {}
    version = inprocess.a_server(0, top.cell).version
    span, begin = deployed.Span(made), time.perf_counter()

    def send(part: int) -> None:
        for number in range(part, len(uuids), 4):
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            began[uuids[number]] = time.perf_counter()
            top.client.cast(address.Cell(top.cell), commands.Update(
                op=str(uuid.uuid4()), server=uuids[number], epoch=1, description="changed"))
    senders = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for sender in senders:
        sender.start()
    end = begin + len(uuids) / rate + 60
    while len(seen) < len(uuids) and time.perf_counter() < end:
        waiting = [own for own in list(began) if own not in seen]
        late = top.behind(waiting, version)
        now = time.perf_counter()
        seen.update((own, now) for own in waiting if own not in late)
        time.sleep(0.002)
    for sender in senders:
        sender.join()
    wall = time.perf_counter() - begin
    lags = [seen[own] - began[own] for own in seen]
    return {"case": f"P11 change to top at {rate}/s", "n": len(uuids),
            "per_s": round(len(uuids) / wall, 1), **measure.milliseconds(lags or [0.0]),
            "unseen": len(uuids) - len(seen), **span.row(len(uuids))}


def _heal(made: deployed.Deployed, top: Top, count: int, verb: str) -> measure.Row:
    """What an operator types, until the view holds everything again."""
    span, begin = deployed.Span(made), time.perf_counter()
    made.manage("cell", verb, "c1")
    told = time.perf_counter() - begin
    t = tables.servers
    while True:
        with top.view.read() as tx:
            held = tx.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
        if held >= count or time.perf_counter() - begin > 300:
            break
        time.sleep(0.05)
    wall = time.perf_counter() - begin
    return {"case": f"P11 {verb} {count:,} servers", "n": count, "per_s": round(count / wall, 1),
            "seconds": round(wall, 2), "order_s": round(told, 2), "held": held, **span.row(count)}
