# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A stand-alone process over HTTP: started, asked, looked at, stopped (by its own id)."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing
import urllib.parse
from concurrent import futures

import orjson

from benchmarks import inprocess, measure

PATIENCE = 60.0


class Caller:
    """An HTTP client with one kept connection per thread."""

    def __init__(self, base: str, token: str) -> None:
        parts = urllib.parse.urlsplit(base)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._own = threading.local()

    def ask(self, method: str, path: str, body: typing.Any = None,
            version: str | None = None) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"X-Auth-Token": self._token, "Accept": "application/json"}
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        for attempt in (1, 2):
            kept = getattr(self._own, "connection", None)
            if kept is None:
                kept = self._own.connection = http.client.HTTPConnection(
                    self._host, self._port, timeout=120)
                kept.connect()
                kept.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                kept.request(method, self._prefix + path, data, headers)
                answer = kept.getresponse()
                found = answer.status, answer.read()
                if answer.will_close:
                    self._own.connection = None
                return found
            except (http.client.RemoteDisconnected, ConnectionResetError):
                self._own.connection = None      # the server let a kept connection go
                if attempt == 2 or method == "POST":
                    raise
        raise AssertionError

    def json(self, path: str, version: str | None = None) -> typing.Any:
        """The body of a GET that must succeed."""
        status, body = self.ask("GET", path, version=version)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body[:300]!r}")
        return orjson.loads(body)


class Standalone:
    """``nova-cells-standalone --virt fake``, or with a configuration file of one's own."""

    def __init__(self, *words: str, directory: str | None = None) -> None:
        self.directory = directory or tempfile.mkdtemp(prefix="nova-cells-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}/v2.1"
        begin = time.perf_counter()
        self._log = open(os.path.join(self.directory, "output"), "ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nova_cells.cmd.standalone", "--state-path",
             os.path.join(self.directory, "state"), "--port", str(self.port), *words],
            stdout=self._log, stderr=self._log, start_new_session=True)
        self.pid = self._process.pid
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.started_s = round(time.perf_counter() - begin, 2)

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                caller = Caller(f"http://127.0.0.1:{self.port}", "")
                if caller.ask("GET", "/")[0] in (200, 300):
                    return
            except OSError:
                time.sleep(0.01)
        with open(self._log.name, errors="replace") as file:
            raise RuntimeError("the stand-alone process did not start: " + file.read()[-2000:])

    def cpu(self) -> float:
        """CPU seconds so far."""
        return measure.cpu_of(self.pid)

    def memory(self) -> measure.Row:
        """RSS and PSS in MiB."""
        return measure.memory_of(self.pid)

    def stop(self) -> None:
        """End it and leave nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def admit(base: str, token: str = "admin:admins") -> None:
    """A flavor that fits often, and no quota for the project (through the API, as an admin)."""
    admin = Caller(base, token)
    flavor = {"id": "bench", "name": "bench", "vcpus": 1, "ram": 64, "disk": 1}
    status, body = admin.ask("POST", "/flavors", {"flavor": flavor})
    if status not in (200, 409):
        raise AssertionError(f"no flavor: {status} {body[:300]!r}")
    limits = {"instances": -1, "cores": -1, "ram": -1}
    status, body = admin.ask("PUT", f"/os-quota-sets/{inprocess.PROJECT}", {"quota_set": limits})
    if status != 200:
        raise AssertionError(f"no quota: {status} {body[:300]!r}")


def create(caller: Caller, name: str, flavor: str = "bench",
           image: str = inprocess.IMAGE.id) -> float:
    """POST one server; seconds until the answer."""
    body = {"server": {"name": name, "flavorRef": flavor, "imageRef": image, "networks": "none"}}
    before = time.perf_counter()
    status, answer = caller.ask("POST", "/servers", body, version="2.37")
    took = time.perf_counter() - before
    if status != 202:
        raise AssertionError(f"POST: {status} {answer[:300]!r}")
    return took


def boot(caller: Caller, count: int, clients: int, prefix: str, **more: str) -> measure.Row:
    """POST so many servers, wait until none is being built; what it took, and in error."""
    begin = time.perf_counter()
    with futures.ThreadPoolExecutor(clients) as pool:
        took = list(pool.map(lambda number: create(caller, f"{prefix}{number}", **more),
                             range(count)))
    accepted = time.perf_counter() - begin
    end = begin + 600
    while caller.json(f"/servers?limit=1&status=BUILD&name=^{prefix}")["servers"]:
        if time.perf_counter() > end:
            raise AssertionError("servers are still being built after ten minutes")
        time.sleep(0.05)
    wall = time.perf_counter() - begin
    failed = len(caller.json(f"/servers?status=ERROR&name=^{prefix}")["servers"])
    return {"n": count, "per_s": round(count / wall, 1), **measure.milliseconds(took),
            "accepted_per_s": round(count / accepted, 1), "all_s": round(wall, 2),
            "errors": failed}
