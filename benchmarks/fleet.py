# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""From 1 to 64 cells: pages of one worker over MariaDB, and records from so many children.

The servers are rows and the children are simulated: what they send up is handed to the
collector's own code, over the same MariaDB.
"""

import time
import typing
import uuid

import sqlalchemy as sa

from benchmarks import deployed, inprocess, keystone, lists, measure, worker
from nova_cells.collector import uploads
from nova_cells.db.view import tables
from nova_cells.domain import records
from nova_cells.domain import server as model

PATHS = (("detail 20 rows", "/servers/detail?limit=20"),
         ("detail 100 rows", "/servers/detail?limit=100"),
         ("detail 1000 rows", "/servers/detail?limit=1000"), ("show", "/servers/{id}"),
         ("changes-since, nothing new", lists.POLL))
SERVERS = 6400                               # of the project, spread over the cells


def fleet(quick: bool) -> typing.Iterator[measure.Row]:
    """Pages at 1, 2, 4, 16 and 64 cells; then what each child's records cost."""
    missing = deployed.missing()
    if missing:
        yield {"case": missing}
        return
    store, apis = deployed.Store(), []
    try:
        store.start()
        counts = (1, 64) if quick else (1, 2, 4, 16, 64)
        for count in counts:
            apis.append(inprocess.Api(SERVERS, cells=count, url=store.url(f"view{count}")))
        yield from _pages(dict(zip(counts, apis, strict=True)), quick)
        for count, api in zip(counts, apis, strict=True):
            for size in (1, 50):
                yield _uploads(api, count, size, 200 if quick else 2000)
    finally:
        for api in apis:
            api.close()
        store.remove()


def _pages(apis: dict[int, inprocess.Api], quick: bool) -> typing.Iterator[measure.Row]:
    with keystone.running() as identity, lists.memcached() as (_store, line):
        identity.tokens[lists.GOOD] = keystone.body("bench", inprocess.PROJECT,
                                                    ["member", "reader"])
        for count, api in apis.items():
            one = api.json("/servers?limit=1")["servers"][0]["id"]
            with worker.Worker(deployed.uwsgi(), api, identity.settings + line) as running:
                for name, path in PATHS:
                    row = running.measure(path.format(id=one), quick)
                    yield {"case": f"{name}, {count} cells", **row}


def _uploads(api: inprocess.Api, count: int, size: int, total: int) -> measure.Row:
    """Every child sends its own servers, a version newer, in batches; one collector's thread."""
    collector = uploads.Uploads(api.view)
    incarnations = {cell: str(uuid.uuid4()) for cell in api.cells}
    with api.view.write() as tx:             # as if none had ever sent anything
        tx.execute(sa.update(tables.cells).values(incarnation=None))
    version = 10 + size
    batches, each = [], total // size
    for number in range(each):
        index = number % count
        own = [index + count * (number // count * size + at) for at in range(size)]
        batches.append((api.cells[index], [inprocess.a_server(at % SERVERS, api.cells[
            at % SERVERS % count]) for at in own]))
    times: list[float] = []
    cpu, begin = time.process_time(), time.perf_counter()
    for number, (cell, servers) in enumerate(batches):
        upload = records.Upload(incarnation=incarnations[cell], batch=number, records=tuple(
            _record(model.replace(one, version=version, description="changed"))
            for one in servers))
        before = time.perf_counter()
        collector.apply(upload, cell, time.time())
        times.append(time.perf_counter() - before)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"case": f"{count} children, uploads of {size}", "n": each * size,
            "cpu_ms": round(cpu * 1e3 / (each * size), 3),
            "per_s": round(each * size / wall, 1), **measure.milliseconds(times)}


def _record(server: model.Server) -> records.Record:
    return records.Record(kind="server", uuid=server.uuid, epoch=server.epoch,
                          version=server.version, server=server)
