# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Creating servers: POST to 202, POST to ACTIVE, and what one boot costs in commits and messages.

``p50_ms`` and ``p99_ms`` are of the POST; ``per_s`` of the boots is until the last is ACTIVE.
"""

import shutil
import tempfile
import time
import typing
from concurrent import futures

import orjson

from benchmarks import inprocess, measure, standalone
from nova_cells import conf as confs
from nova_cells.cmd import deployment, web
from nova_cells.compute import journal
from nova_cells.rpc import bus

RATIOS = ("cpu_allocation_ratio", "ram_allocation_ratio", "disk_allocation_ratio")


def posts(quick: bool) -> typing.Iterator[measure.Row]:
    """The request alone, in this process: nobody works on the offers."""
    api = inprocess.Api(1000, cells=2)
    counter = measure.Counter()
    counter.engine("view", api.view.engine)
    counter.calls(bus.Bus, "put", "messages")
    limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    api.ask("PUT", f"/os-quota-sets/{inprocess.PROJECT}", body=orjson.dumps(limits),
            token="admin:admins")
    body = orjson.dumps({"server": {
        "name": "bench", "flavorRef": inprocess.FLAVOR.id, "imageRef": inprocess.IMAGE.id,
        "networks": "none"}})
    count = 0

    def post() -> bytes:
        nonlocal count
        count += 1
        return api.ask("POST", "/servers", "2.37", body, expected=202)
    try:
        before = counter.snapshot()
        row = measure.repeat(post, 0.5 if quick else 3.0, most=2000)
        yield {"case": "POST servers -> 202", **row, **counter.since(before, count)}
    finally:
        api.close()


def boots(quick: bool) -> typing.Iterator[measure.Row]:
    """POST to ACTIVE over HTTP: two cells of four fake hosts each, in one process."""
    running = standalone.Standalone("--virt", "fake", "--hosts-per-cell", "4")
    try:
        standalone.admit(running.base)
        caller = standalone.Caller(running.base, inprocess.TOKEN)
        time.sleep(5)                    # the cells have learnt the flavor
        standalone.boot(caller, 3, 1, "warm-")
        for count, clients in ((1, 1), (100, 4)) if quick else ((1, 1), (100, 4), (1000, 4)):
            cpu = running.cpu()
            row = standalone.boot(caller, count, clients, f"boot{count}-")
            cpu = running.cpu() - cpu
            yield {"case": f"boot {count}, {clients} clients", **row,
                   "cpu_ms": round(cpu * 1e3 / count, 2)}
        yield from _paced(running, caller, 200, 2.0 if quick else 5.0)
        yield {"case": "memory after these boots", **running.memory()}
        yield from _lists(running, caller)
        yield _delete(running, caller, "boot100-")
    finally:
        running.stop()


def _paced(running: standalone.Standalone, caller: standalone.Caller, rate: int,
           seconds: float) -> typing.Iterator[measure.Row]:
    """POSTs that come at a rate, whatever becomes of the ones before."""
    late: list[float] = []
    begin = time.perf_counter() + 0.1

    def one(number: int) -> None:
        due = begin + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        standalone.create(caller, f"paced-{number}")
        late.append(time.perf_counter() - due)
    count = int(rate * seconds)
    cpu = running.cpu()
    with futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(count)))
    wall = time.perf_counter() - begin
    cpu = running.cpu() - cpu
    yield {"case": f"POST at {rate}/s over HTTP, boots beside", "n": count,
           "per_s": round(count / wall, 1), **measure.milliseconds(late),
           "cpu_ms": round(cpu * 1e3 / count, 2)}
    while caller.json("/servers?limit=1&status=BUILD")["servers"]:
        time.sleep(0.1)


def _lists(running: standalone.Standalone,
           caller: standalone.Caller) -> typing.Iterator[measure.Row]:
    for name, path, count in (("detail 20 rows", "/servers/detail?limit=20", 200),
                              ("detail 100 rows", "/servers/detail?limit=100", 200),
                              ("detail 1000 rows", "/servers/detail?limit=1000", 40)):
        yield over_http(running, caller, name + " over HTTP", path, count)
    one = caller.json("/servers?limit=1")["servers"][0]["id"]
    yield over_http(running, caller, "show over HTTP", f"/servers/{one}", 400)


def over_http(running: standalone.Standalone, caller: standalone.Caller, name: str, path: str,
              count: int) -> measure.Row:
    """One client, one request after another; the CPU is the server's."""
    times, size = [], 0
    cpu, begin = running.cpu(), time.perf_counter()
    for _number in range(count):
        before = time.perf_counter()
        size = len(caller.ask("GET", path)[1])
        times.append(time.perf_counter() - before)
    wall, cpu = time.perf_counter() - begin, running.cpu() - cpu
    return {"case": name, "n": count, "cpu_ms": round(cpu * 1e3 / count, 2),
            "per_s": round(count / wall, 1), **measure.milliseconds(times), "bytes": size}


def _delete(running: standalone.Standalone, caller: standalone.Caller,
            prefix: str) -> measure.Row:
    found = caller.json(f"/servers?limit=1000&name=^{prefix}")["servers"]
    times = []
    cpu, begin = running.cpu(), time.perf_counter()
    for server in found:
        before = time.perf_counter()
        caller.ask("DELETE", f"/servers/{server['id']}")
        times.append(time.perf_counter() - before)
    while caller.json(f"/servers?limit=1&name=^{prefix}")["servers"]:
        time.sleep(0.05)
    wall, cpu = time.perf_counter() - begin, running.cpu() - cpu
    return {"case": f"delete {len(found)}, one client", "n": len(found),
            "cpu_ms": round(cpu * 1e3 / len(found), 2), "per_s": round(len(found) / wall, 1),
            **measure.milliseconds(times)}


# -- what one boot costs --------------------------------------------------------------------------

class Inside:
    """A whole deployment in this process, so that its engines and buses can be counted."""

    def __init__(self, cells: int = 2, hosts: int = 4) -> None:
        self.directory = tempfile.mkdtemp(prefix="nova-cells-bench-")
        names = [f"cell{number}" for number in range(1, cells + 1)]
        self.conf = confs.new(files=[], prog="benchmarks", overrides={
            "DEFAULT": {"state_path": self.directory, "compute_driver": "fake",
                        **dict.fromkeys(RATIOS, 1e5)},       # there is always room
            "compute": {"guests": 3600.0},                   # no looks at what only rows say
            "standalone": {"cells": names, "bind_host": "127.0.0.1", "bind_port": 0},
            "api": {"auth_strategy": "noauth2"}, "glance": {"source": "fake"}})
        from nova_cells.conf import standalone as options

        for number, name in enumerate(names, 1):
            self.conf.register_opts(options.CELL, group=f"cell.{name}")
            self.conf.set_override("hosts", [f"c{number}-h{host}" for host in range(hosts)],
                                   group=f"cell.{name}")
        self.running = deployment.Deployment(self.conf)
        self.running.start(web.bind("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.running.port}/v2.1"

    @property
    def view(self) -> typing.Any:
        """The API cell's database."""
        return self.running._api.view

    @property
    def collector(self) -> typing.Any:
        """The collector itself."""
        return self.running._api.runner._handler

    @property
    def cells(self) -> list[typing.Any]:
        """The child cells: ``store``, ``identity``."""
        return self.running._cells

    def conductor(self, number: int = 0) -> typing.Any:
        """The runner of a cell's conductor."""
        return self.cells[number]._running[0][1]

    def stop(self) -> None:
        """Leave nothing."""
        self.running.stop(5.0)
        shutil.rmtree(self.directory, ignore_errors=True)


def counts(quick: bool) -> typing.Iterator[measure.Row]:
    """Commits, messages and journal flushes of a boot: alone, and in a crowd."""
    counter = measure.Counter()
    counter.calls(bus.Bus, "put", "messages")
    counter.calls(journal.FileJournal, "_flush", "syncs")
    inside = Inside()
    try:
        standalone.admit(inside.base)
        counter.engine("view", inside.view.engine)
        for cell in inside.cells:
            counter.engine("cells", cell.store.engine)
        caller = standalone.Caller(inside.base, inprocess.TOKEN)
        time.sleep(5)
        for count, clients in ((1, 1), (100, 4)) if quick else ((1, 1), (100, 4), (1000, 4)):
            time.sleep(1)
            before = counter.snapshot()
            row = standalone.boot(caller, count, clients, f"boot{count}-")
            time.sleep(1)
            yield {"case": f"boot {count}: counted", "n": count, "errors": row["errors"],
                   **counter.since(before, count)}
    finally:
        inside.stop()
