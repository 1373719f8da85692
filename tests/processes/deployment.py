# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A whole deployment as processes on loopback: an API, collectors, child cells, hosts.

Each service is the command that an operator runs, with a configuration file that holds only what
that service may know.  Hypervisors are fake; broker and databases are real.  Everything is ended
by pid, and by the kernel when the test dies.
"""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

from nova_cells.image import fake
from tests.servers import mariadb, postgresql, process, rabbitmq

ROOT = str(pathlib.Path(__file__).parents[2])    # services begin elsewhere, some by our modules
COMMON = """
[DEFAULT]
compute_driver = fake
state_path = {state}
secrets_key_file = {secrets}
host = {host}
graceful_shutdown_timeout = 10
concurrency_backend = {backend}
[api]
auth_strategy = noauth2
[glance]
source = fake
[fake]
boot_delay = {delay}
[conductor]
scheduler = {scheduler}
ask_again = 2
heartbeat = 1
host_down_after = {host_down_after}
[compute]
hello = 2
guests = 10
[collector]
cell_down_after = 20
offer_patience = 5
[rpc]
budget = 10
delete_budget = 2
breaker_seconds = 2
[quota]
instances = -1
cores = -1
ram = -1
"""


class Service(process.Server):
    """One process of ours."""

    def __init__(self, name: str, words: list[str], env: dict[str, str], directory: pathlib.Path,
                 inside=contextlib.nullcontext) -> None:
        self.name = name
        self._inside = inside
        self.directory = directory
        self.log = directory / f"{name}.log"
        self._words, self._env = words, env
        self._process = None

    def start(self) -> None:
        """Begin; ``wait_ready`` waits."""
        self._mark = self.log.stat().st_size if self.log.exists() else 0
        with self._inside():
            self.run(self._words, env=self._env)

    def said(self, words: str) -> bool:
        """Whether the log says this since the last start."""
        if not self.log.exists():
            return False
        with self.log.open("rb") as file:
            file.seek(self._mark)
            return words in file.read().decode(errors="replace")

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Until it says so."""
        self.wait_until(lambda: self.said(": ready"), seconds)

    def kill(self) -> None:
        """kill -9, as far as this process goes."""
        self.end(signal.SIGKILL)

    def hang_up(self) -> None:
        """SIGHUP."""
        os.kill(self.pid, signal.SIGHUP)


class Deployment:
    """Cells c1, c2, ... with hosts c1-h1, ...  Made, started, removed.

    ``database``: "sqlite", "mariadb" or "postgresql".  Servers may be handed in, to be shared.
    """

    def __init__(self, cells: int = 2, hosts: int = 2, database: str = "mariadb",
                 backend: str = "threading", delay: float = 0.0, host_down_after: float = 45.0,
                 conductors: int = 1, collectors: int = 1, apis: int = 1, scheduler: bool = True,
                 broker: rabbitmq.RabbitMQ | None = None, store=None, more: str = "") -> None:
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nova-cells-deployment-"))
        self._owned: list[process.Server] = []
        self._database = database
        self._broker = broker or self._own(rabbitmq.RabbitMQ())
        self._store = store
        if store is None and database != "sqlite":
            self._store = self._own(mariadb.MariaDB() if database == "mariadb"
                                    else postgresql.PostgreSQL())
        self._tag = uuid.uuid4().hex[:6]
        self._shape = dict(conductors=conductors, collectors=collectors, apis=apis,
                           scheduler=scheduler)
        self._values = dict(backend=backend, delay=delay, host_down_after=host_down_after,
                            secrets=self.directory / "secrets.key",
                            scheduler="service" if scheduler and has_scheduler() else "library")
        self._more = more
        self.cells = {f"c{n}": str(uuid.uuid4()) for n in range(1, cells + 1)}
        self.hosts = {cell: [f"{cell}-h{n}" for n in range(1, hosts + 1)] for cell in self.cells}
        self.services: dict[str, Service] = {}
        self.buses: dict[str, str] = {}             # cell -> its bus, as services know it
        self.urls: list[str] = []

    # -- its life ---------------------------------------------------------------------------------

    def start(self) -> "Deployment":
        """Servers, schemas, cells, services; everything up."""
        for server in self._owned:
            server.start()
        top = self._file("api", "api", view=True)
        self.manage("db", "sync", "view", file=top, plain=True)
        for cell, own in self.cells.items():
            child = self._file(f"conductor-{cell}", f"{cell}-conductor", cell=cell, store=True)
            with self.inside(cell):
                self.manage("db", "sync", "cell", file=child, plain=True)
            self.manage("cell", "create", cell, "--uuid", own, "--transport-url",
                        self.parents_url(cell), plain=True)
        for service in self._make(top).values():
            service.start()
        for name, service in self.services.items():
            if not name.startswith("api"):
                service.wait_ready()
        for name, url in zip([n for n in self.services if n.startswith("api")], self.urls,
                             strict=True):
            port = int(url.rpartition(":")[2])
            self.services[name].wait_until(lambda port=port: process.answers(port))
        self.wait_for(lambda: self._all_heard(), "every cell and host is heard")
        return self

    def remove(self) -> None:
        """End everything, take every directory away."""
        for service in self.services.values():
            service.end(signal.SIGKILL)
        for server in reversed(self._owned):
            server.remove()
        if "KEEP" not in os.environ:
            shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self, name: str) -> None:
        """Let one service end by itself."""
        self.services[name].end(signal.SIGTERM)

    def named(self, prefix: str) -> list[Service]:
        """The services whose name begins so."""
        return [service for name, service in self.services.items() if name.startswith(prefix)]

    @property
    def broker(self) -> rabbitmq.RabbitMQ:
        """The RabbitMQ of all cells: a vhost each."""
        return self._broker

    @property
    def store(self):
        """The database server; None for SQLite."""
        return self._store

    def transport_url(self, cell: str) -> str:
        """The bus of a cell."""
        if cell not in self.buses:
            self.buses[cell] = self._broker.url(f"{cell}-{self._tag}")
        return self.buses[cell]

    def database_url(self, name: str) -> str:
        """The database of "view" or of a cell."""
        if self._store is None:
            return f"sqlite:///{self.directory}/{name}.sqlite"
        return self._store.url(f"{name}_{self._tag}")

    def parents_url(self, cell: str) -> str:
        """The bus of a cell as the API cell reaches it."""
        return self.transport_url(cell)

    def inside(self, cell: str):
        """While this is entered, what is started is where the services of the cell are."""
        return contextlib.nullcontext()

    # -- what an operator types -------------------------------------------------------------------

    def manage(self, *words: str, file: pathlib.Path | None = None, plain: bool = False):
        """nova-cells-manage; what -f json prints unless ``plain``."""
        run = subprocess.run(
            [sys.executable, "-m", "nova_cells.cmd.manage", "--config-file",
             str(file or self.directory / "api.conf"), *words, *([] if plain else ["-f", "json"])],
            capture_output=True, text=True, timeout=120)
        if run.returncode not in (0, 1) or (run.returncode and not run.stdout):
            raise AssertionError(f"nova-cells-manage {' '.join(words)}: {run.returncode}: "
                                 f"{run.stderr}")
        return run.stdout if plain else json.loads(run.stdout)

    def verify(self) -> list[str]:
        """What is wrong in any cell."""
        return [finding for cell in self.cells
                for finding in self.manage("cell", "verify", cell)["findings"]]

    # -- what users do ----------------------------------------------------------------------------

    def ask(self, method: str, path: str, body=None, user: str = "admin:demo", api: int = 0,
            timeout: float = 60.0):
        """(status, document, headers), whatever the status is; status 0: no answer at all."""
        request = urllib.request.Request(
            self.urls[api] + "/v2.1" + path, method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-Auth-Token": user, "Content-Type": "application/json",
                     "OpenStack-API-Version": "compute 2.90"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return reply.status, json.loads(reply.read() or b"null"), reply.headers
        except urllib.error.HTTPError as error:
            text = error.read()
            try:
                return error.code, json.loads(text or b"null"), error.headers
            except ValueError:
                return error.code, text.decode(errors="replace"), error.headers
        except (OSError, ValueError) as error:
            return 0, str(error), {}

    def flavor(self) -> str:
        """The id of a tiny flavor, made the first time."""
        self.ask("POST", "/flavors", {"flavor": {
            "name": "tiny", "id": "tiny", "vcpus": 1, "ram": 64, "disk": 1}})
        return "tiny"

    def create(self, user: str = "admin:demo", api: int = 0, **more):
        """POST servers: (status, document, headers)."""
        return self.ask("POST", "/servers", self.wanted(**more), user, api)

    def wanted(self, **more) -> dict:
        """The body that asks for a server."""
        return {"server": {"name": "s", "imageRef": fake.CIRROS, "flavorRef": "tiny",
                           "networks": "none", **more}}

    def servers(self, user: str = "admin:demo", api: int = 0) -> dict[str, dict]:
        """id -> the server's document, all of them."""
        found, marker = {}, ""
        while True:
            status, document, _headers = self.ask(
                "GET", f"/servers/detail?all_tenants=1&limit=1000{marker}", user=user, api=api)
            if status != 200:
                raise AssertionError(f"GET /servers/detail: {status} {document}")
            found.update({server["id"]: server for server in document["servers"]})
            if len(document["servers"]) < 1000:
                return found
            marker = f"&marker={document['servers'][-1]['id']}"

    def statuses(self) -> dict[str, str]:
        """id -> status."""
        return {uuid: server["status"] for uuid, server in self.servers().items()}

    def guests(self) -> dict[str, list[str]]:
        """id -> the hosts that have a guest of it, by the fake hypervisors' own books."""
        found: dict[str, list[str]] = {}
        for cell, hosts in self.hosts.items():
            for host in hosts:
                for own in fake_guests(self.directory / host, cell, host):
                    found.setdefault(own, []).append(host)
        return found

    def wait_for(self, condition, what: str, seconds: float = 90.0):
        """Sooner or later; what it was in the end.  AssertionError with ``what`` otherwise."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {what}; logs in {self.directory}")
            time.sleep(0.2)

    # -- how it is made ---------------------------------------------------------------------------

    def _own(self, server):
        self._owned.append(server)
        return server

    def _file(self, name: str, host: str, cell: str | None = None, store: bool = False,
              view: bool = False) -> pathlib.Path:
        """A configuration file with what this service may know, and no more."""
        text = COMMON.format(state=self.directory / host, host=host, **self._values) + self._more
        if view:
            text += f"[view_database]\nconnection = {self.database_url('view')}\n"
        if cell:
            text += (f"[cell]\nname = {cell}\nuuid = {self.cells[cell]}\n"
                     f"transport_url = {self.transport_url(cell)}\n")
        if store:
            text += f"[cell_database]\nconnection = {self.database_url(cell)}\n"
        path = self.directory / f"{name}.conf"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _make(self, top: pathlib.Path) -> dict[str, Service]:
        for number in range(1, self._shape["apis"] + 1):
            port = process.free_port()
            self.urls.append(f"http://127.0.0.1:{port}")
            self._service(f"api{number}", [
                sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=8",
                "nova_cells.cmd.wsgi:application"], {"NOVA_CELLS_CONFIG_FILES": str(top)})
        for number in range(1, self._shape["collectors"] + 1):
            self._command("collector", f"collector{number}",
                          self._file(f"collector{number}", f"collector{number}", view=True))
        for cell in self.cells:
            for number in range(1, self._shape["conductors"] + 1):
                name = f"conductor{number}-{cell}"
                self._command("conductor", name, self._file(name, name, cell=cell, store=True),
                              cell)
            if self._shape["scheduler"] and has_scheduler():
                name = f"scheduler-{cell}"
                self._command("scheduler", name, self._file(name, name, cell=cell, store=True),
                              cell)
            for host in self.hosts[cell]:
                self._command("compute", f"compute-{host}",
                              self._file(f"compute-{host}", host, cell=cell), cell)
        return self.services

    def _command(self, module: str, name: str, file: pathlib.Path,
                 cell: str | None = None) -> None:
        self._service(name, [sys.executable, "-m", f"nova_cells.cmd.{module}", "--config-file",
                             str(file)], {}, cell)

    def _service(self, name: str, words: list[str], env: dict[str, str],
                 cell: str | None = None) -> None:
        self.services[name] = Service(
            name, words, {"PYTHONUNBUFFERED": "1", "PYTHONPATH": ROOT, **env}, self.directory,
            functools.partial(self.inside, cell) if cell else contextlib.nullcontext)

    def _all_heard(self) -> bool:
        rows = self.manage("cell", "list")
        if not all(row["heard"] != "never" and row["up"] for row in rows):
            return False
        status, document, _headers = self.ask("GET", "/os-services?binary=nova-compute")
        up = [one for one in document["services"] if one["state"] == "up"] if status == 200 else []
        return len(up) == sum(len(hosts) for hosts in self.hosts.values())


def within(seconds: float, condition) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def has_scheduler() -> bool:
    """Whether there is a scheduler service to run."""
    import importlib.util

    return importlib.util.find_spec("nova_cells.cmd.scheduler") is not None


def fake_guests(state: pathlib.Path, cell: str, host: str) -> list[str]:
    """What a fake hypervisor has written down; a line that is being written counts next time."""
    book = state / "fake" / cell / host / "guests.jsonl"
    alive: dict[str, bool] = {}
    for line in book.read_text().splitlines() if book.exists() else ():
        try:
            change = json.loads(line)
        except ValueError:
            continue
        alive[change["k"]] = change.get("v") is not None
    return [own for own, here in alive.items() if here]
