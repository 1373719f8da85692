# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The whole API in this process over a view of its own: real schema, real layers, real bus.

Nobody listens on the bus, so a create ends where its request ends.  Servers are put into the
view as the collector puts them: the same columns and documents.
"""

import functools
import io
import itertools
import os
import shutil
import tempfile
import time
import typing
import uuid

import orjson
import sqlalchemy as sa

from nova_cells import clock, conf, seal
from nova_cells.api import app
from nova_cells.db import migrations
from nova_cells.db import view as views
from nova_cells.db.view import servers as rows
from nova_cells.db.view import tables
from nova_cells.domain import records, resources
from nova_cells.domain import server as model
from nova_cells.image import fake as images
from nova_cells.rpc import client, router, transport

PROJECT = "5f1c1ab4c0de4b0f8d5f0a5e0b0c0d0e"
TOKEN = f"bench:{PROJECT}"
BEGIN = 1_760_000_000.0
FLAVOR = model.Flavor(id="1", name="bench.small", vcpus=1, ram_mb=512, disk_gb=1,
                      extra_specs={"hw:cpu_policy": "shared"})
IMAGE = model.ImageFacts(id=images.CIRROS, name="cirros-fake", size=512)


def a_server(number: int, cell: str, project: str = PROJECT) -> model.Server:
    """A server as a cell would send it up: running, with addresses, a key and metadata."""
    own = str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))
    moment = BEGIN + number
    stopped = number % 10 == 0
    return model.Server(
        uuid=own, project_id=project, user_id="bench", epoch=1, version=4, cell=cell,
        host=f"host-{number % 50}", node=f"host-{number % 50}.example",
        rest="stopped" if stopped else "active", power_state=4 if stopped else 1,
        name=f"bench-{number}", hostname=f"bench-{number}", flavor=FLAVOR, image=IMAGE,
        key_name="bench", metadata={"role": "web"}, reservation_id=f"r-{number:08x}",
        availability_zone="nova", root_device_name="/dev/vda",
        instance_name=f"instance-{number:08x}", created_at=moment, updated_at=moment + 5,
        launched_at=moment + 5, addresses=(model.Address(
            network="private", ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            version=4, mac="fa:16:3e:00:00:01"),))


def put(view: views.View, servers: typing.Iterable[model.Server]) -> None:
    """Many at once, in the columns in which the collector writes them."""
    pending = iter(servers)
    while batch := list(itertools.islice(pending, 2000)):
        with view.write() as tx:
            tx.execute(sa.insert(tables.servers), [
                {"uuid": one.uuid, "cell": one.cell, "placed": True, "sealed": None,
                 **rows.columns(one, one.updated_at)} for one in batch])
            tx.execute(sa.insert(tables.server_metadata), [
                {"server": one.uuid, "key": key, "value": value}
                for one in batch for key, value in one.metadata.items()])


class Api:
    """The application over ``count`` servers of the project, and a tenth as many of others."""

    def __init__(self, count: int = 0, cells: int = 1, settings: str = "", url: str = "",
                 **api: typing.Any) -> None:
        """``settings``: lines of a configuration file; ``url``: an empty database, default: a
        file of SQLite; ``api``: options of that group."""
        self.directory = tempfile.mkdtemp(prefix="nova-cells-bench-")
        file = os.path.join(self.directory, "nova-cells.conf")
        with open(file, "w") as written:
            written.write(settings)
        self.conf = conf.new(files=[file], prog="benchmarks", overrides={
            "DEFAULT": {"state_path": self.directory, "compute_driver": "fake"},
            "api": {"auth_strategy": "noauth2", **api}, "glance": {"source": "fake"}})
        url = url or f"sqlite:///{os.path.join(self.directory, 'view.sqlite')}"
        self.view = views.View(url, seal=seal.Seal.at(os.path.join(self.directory, "view.key")))
        migrations.upgrade("view", url)
        self.cells = [str(uuid.UUID(int=2**100 + number, version=4)) for number in range(cells)]
        self._prepare(count)
        roads = router.Router(locate=self.view.locate, open_transport=functools.partial(
            transport.open_transport, self.conf))
        roads.update([(cell, f"local://{cell}") for cell in self.cells])
        self._roads = roads
        self.application = app.loadapp(
            self.conf, self.view, client.Client(roads, self.conf), images.FakeImages(),
            clock.SystemClock(), clock.RandomIds())

    def _prepare(self, count: int) -> None:
        shape = {resources.shape(FLAVOR): 10**6}
        now = time.time()
        with self.view.write() as tx:
            self.view.flavors.create(tx, FLAVOR, now)
            for number, cell in enumerate(self.cells):
                self.view.cells.create(tx, cell, f"cell{number}", f"local://{cell}", now)
                self.view.records.keep_slots(tx, cell, records.SlotsRecord(
                    cell=cell, version=1, slots=shape, zones={"nova": shape}, hosts=50), 1)
                for host in range(4):
                    self.view.records.keep_host(tx, cell, records.HostRecord(
                        uuid=str(uuid.uuid4()), name=f"host-{host}", version=1), 1, now)
        self.grow(count)

    def grow(self, count: int, begin: int = 0) -> None:
        """Servers ``begin`` to ``count`` of the project, spread over the cells."""
        cells = self.cells
        put(self.view, (a_server(number, cells[number % len(cells)])
                        for number in range(begin, count)))
        put(self.view, (a_server(10**9 + number, cells[number % len(cells)],
                                 f"other-{number % 20}")
                        for number in range(begin // 10, count // 10)))

    def ask(self, method: str, path: str, version: str | None = None, body: bytes = b"",
            expected: int = 200, token: str = TOKEN, **headers: str) -> bytes:
        """One request through every layer.  ``headers``: as WSGI has them."""
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": "/v2.1" + path,
            "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8774",
            "HTTP_HOST": "127.0.0.1:8774", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_AUTH_TOKEN": token, **headers}
        if version:
            environ["HTTP_OPENSTACK_API_VERSION"] = f"compute {version}"
        said: list[typing.Any] = []
        answer = b"".join(self.application(environ, lambda status, headers, _error=None:
                                           said.extend((status, headers))))
        if not said[0].startswith(str(expected)):
            raise AssertionError(f"{method} {path}: {said[0]} {answer[:300]!r}")
        self.headers = dict(said[1])
        return answer

    def json(self, path: str, **more: typing.Any) -> typing.Any:
        """The body of a GET."""
        return orjson.loads(self.ask("GET", path, **more))

    def close(self) -> None:
        """Leave nothing."""
        self._roads.close()
        self.view.close()
        shutil.rmtree(self.directory, ignore_errors=True)
