# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Our deployment as processes, to be measured: the API under uWSGI, token checks, real servers.

The same deployment as in ``tests/processes``, on a MariaDB whose commits are durable and a
RabbitMQ, both of its own, so that their share is counted too.  Settings are those of a release,
not those of tests: no short patience, no fast heartbeat.
"""

import contextlib
import os
import pathlib
import re
import shutil
import sys
import time
import typing

from benchmarks import measure, standalone
from tests.processes import deployment
from tests.servers import mariadb, process, rabbitmq

#: What tests shorten is as an operator finds it; fake guests are rows only in some cases.
SETTINGS = """
[api]
auth_strategy = keystone
[conductor]
ask_again = 30
heartbeat = 5
host_down_after = 25
[compute]
hello = 12
guests = 3600
[collector]
cell_down_after = 30
offer_patience = 30
[rpc]
budget = 15
delete_budget = 5
breaker_seconds = 10
[quota]
instances = 10
cores = 20
ram = 51200
"""
WRITES = "trx_rw_commits"


class Store(mariadb.MariaDB):
    """As ``mariadb.cnf`` leaves it: a commit is on the disk."""

    def __init__(self) -> None:
        super().__init__("--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=256M",
                         f"--innodb-monitor-enable={WRITES}", "--max-connections=2000")


def uwsgi() -> str:
    """The program.  ``Missing`` without it."""
    found = os.environ.get("UWSGI") or shutil.which("uwsgi")
    if found is None:
        raise process.Missing("uwsgi is not installed: name it in the environment variable UWSGI")
    return found


def missing() -> str | None:
    """Which program is not installed here, in a sentence."""
    try:
        uwsgi()
        process.program("mariadbd", "mysqld", package=mariadb.PACKAGE)
        rabbitmq._scripts()
    except process.Missing as problem:
        return str(problem)
    return None


def under_uwsgi(port: int, processes: int = 2, threads: int = 4) -> list[str]:
    """The command of the API, as ``doc/howto/processes.rst`` has it."""
    return [uwsgi(), "--master", "--die-on-term", "--need-app", "--lazy-apps", "--enable-threads",
            "--processes", str(processes), "--threads", str(threads), "--thunder-lock",
            "--http-socket", f"127.0.0.1:{port}", "--add-header", "Connection: close",
            "--listen", "100", "--buffer-size", "65535", "--disable-logging",
            "--virtualenv", sys.prefix, "--module", "nova_cells.cmd.wsgi:application"]


class Deployed(deployment.Deployment):
    """Cells c1, c2, ... with hosts c1-h1, ...  ``settings``: whose tokens are believed."""

    def __init__(self, admin: str, settings: str, cells: int = 2, hosts: int = 2,
                 **shape: typing.Any) -> None:
        self._admin = admin
        self.kept = Store()
        super().__init__(cells=cells, hosts=hosts, store=self.kept,
                         more=SETTINGS + settings, **shape)
        self._owned.append(self.kept)

    def start(self) -> "Deployed":
        """Up, with a flavor; the seconds that it took."""
        begin = time.perf_counter()
        super().start()
        self.started_s = round(time.perf_counter() - begin, 1)
        self.base = self.urls[0] + "/v2.1"
        return self

    def ask(self, method: str, path: str, body: typing.Any = None, user: str = "",
            api: int = 0, timeout: float = 60.0) -> typing.Any:
        """As the administrator, whoever ``user`` is."""
        return super().ask(method, path, body, self._admin, api, timeout)

    def _service(self, name: str, words: list[str], env: dict[str, str],
                 *more: typing.Any) -> None:
        if name.startswith("api"):
            port = int(next(word for word in words if word.startswith("--listen=")).split(":")[1])
            words = under_uwsgi(port)
            env = {**env, "PYTHONPATH": os.pathsep.join(
                (os.getcwd(), os.environ.get("PYTHONPATH", "")))}
        super()._service(name, words, env, *more)

    # -- what is counted --------------------------------------------------------------------------

    def roots(self) -> dict[str, list[int]]:
        """Kind of service -> the processes that were started as such."""
        found: dict[str, list[int]] = {}
        for name, service in self.services.items():
            kind = re.match("[a-z]+", name)
            if service.pid and kind:
                found.setdefault(kind[0], []).append(service.pid)
        for server in (self.store, self.broker):
            if server.pid:
                found[server.name] = [server.pid]
        return found

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by kind."""
        return {kind: measure.cpu_of_trees(pids) for kind, pids in self.roots().items()}

    def memory(self) -> measure.Row:
        """PSS in MiB, by kind."""
        found: dict[str, float] = {}
        for kind, pids in self.roots().items():
            found[kind] = round(sum(measure.memory_of(pid)["pss_mib"]
                                    for pid in measure.trees(pids)), 1)
        ours = sum(mib for kind, mib in found.items() if kind not in ("mariadb", "rabbitmq"))
        return {"pss_mib": round(sum(found.values()), 1), "ours_mib": round(ours, 1), **found}

    def commits(self) -> int:
        """Transactions that changed something, of all databases."""
        rows = self.kept.execute("SELECT COUNT FROM information_schema.INNODB_METRICS "
                                 f"WHERE NAME = '{WRITES}'")
        return int(rows[0][0])

    def messages(self) -> int:
        """Messages that anybody has put on any bus, answers to calls among them."""
        said = self.broker.evaluate("rabbit_global_counters:overview()")
        return sum(int(count) for count in re.findall(r"messages_received_total => (\d+)", said))


class Span:
    """What was used between its making and ``row``, per one of n things."""

    def __init__(self, running: Deployed) -> None:
        self._running = running
        self._commits, self._messages = running.commits(), running.messages()
        self._cpu, self._begin = running.cpu(), time.perf_counter()

    def row(self, n: float) -> measure.Row:
        """CPU ms: ours, by kind, and that of both servers apart; commits; messages."""
        used = {kind: (seconds - self._cpu.get(kind, 0.0)) * 1e3 / n
                for kind, seconds in self._running.cpu().items()}
        servers = {kind: used.pop(kind) for kind in ("mariadb", "rabbitmq")}
        self.seconds = time.perf_counter() - self._begin
        return {"cpu_ms": round(sum(used.values()), 2),
                "commits": round((self._running.commits() - self._commits) / n, 2),
                "messages": round((self._running.messages() - self._messages) / n, 2),
                **{f"cpu_{kind}": round(ms, 2) for kind, ms in (used | servers).items()}}


@contextlib.contextmanager
def running(admin: str, settings: str, **shape: typing.Any) -> typing.Iterator[Deployed]:
    """One that is up, for as long as the block lasts."""
    made = Deployed(admin, settings, **shape)
    try:
        yield made.start()
    finally:
        made.remove()
        shutil.rmtree(pathlib.Path(made.directory), ignore_errors=True)


def unlimit(made: Deployed, project: str, flavor: dict[str, typing.Any]) -> None:
    """A flavor, and no quota for the project; the cells have learnt the flavor."""
    made.ask("POST", "/flavors", {"flavor": flavor})
    status, body, _headers = made.ask("PUT", f"/os-quota-sets/{project}", {"quota_set": {
        "instances": -1, "cores": -1, "ram": -1}})
    if status != 200:
        raise AssertionError(f"no quota: {status} {str(body)[:300]}")
    time.sleep(6)


def caller(made: Deployed, token: str) -> standalone.Caller:
    """Who asks."""
    return standalone.Caller(made.base, token)
