# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One API worker as it is deployed: uWSGI, keystonemiddleware, memcached, asked over HTTP.

Behind it are a view on SQLite and a stand-in Keystone.  CPU time is the worker's alone.  Needs
``uwsgi`` on the path, or named by the environment variable UWSGI.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import typing

from benchmarks import inprocess, keystone, lists, measure, standalone

PATHS = (("show", "/servers/{id}"), ("detail 20 rows", "/servers/detail?limit=20"),
         ("detail 100 rows", "/servers/detail?limit=100"),
         ("detail 1000 rows", "/servers/detail?limit=1000"),
         ("changes-since poll, nothing new", lists.POLL))


def worker(quick: bool) -> typing.Iterator[measure.Row]:
    """GETs of one worker, tokens asked each time and remembered."""
    program = os.environ.get("UWSGI") or shutil.which("uwsgi")
    if program is None:
        yield {"case": "API worker: there is no uwsgi"}
        return
    api = inprocess.Api(2000)
    try:
        one = api.json("/servers?limit=1")["servers"][0]["id"]
        with keystone.running() as identity, lists.memcached() as (store, line):
            identity.tokens[lists.GOOD] = keystone.body("bench", inprocess.PROJECT,
                                                        ["member", "reader"])
            for name, remembered in (("asked each time", 0), ("remembered", 10)):
                settings = identity.settings + line + f"[api]\ntoken_cache_time = {remembered}\n"
                with Worker(program, api, settings) as running:
                    for case, path in PATHS:
                        yield {"case": f"{case}, tokens {name}", "store": store,
                               **running.measure(path.format(id=one), quick)}
    finally:
        api.close()


class Worker:
    """uWSGI with one process."""

    def __init__(self, program: str, api: inprocess.Api, settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = api.directory
        self._file = os.path.join(folder, "worker.conf")
        with open(self._file, "w") as file:
            file.write(f"[DEFAULT]\nstate_path = {folder}\nsecrets_key_file = {folder}/view.key\n"
                       f"[view_database]\nconnection = {api.view.url}\n"
                       f"[glance]\nsource = fake\n{settings}")
        self._log = open(os.path.join(folder, "worker.log"), "w")
        self._process = subprocess.Popen(
            [program, "--http11-socket", f"127.0.0.1:{port}", "--threads", "4", "--lazy-apps",
             "--virtualenv", sys.prefix, "--module", "nova_cells.cmd.wsgi:application",
             "--need-app", "--die-on-term", "--disable-logging", "--so-keepalive"],
            stdout=self._log, stderr=self._log, cwd=os.getcwd(),
            env={**os.environ, "NOVA_CELLS_CONFIG_FILES": self._file,
                 "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))})
        self._caller = standalone.Caller(f"http://127.0.0.1:{port}/v2.1", lists.GOOD)

    def __enter__(self) -> "Worker":
        end = time.monotonic() + standalone.PATIENCE
        while True:
            try:
                if self._caller.ask("GET", "/servers?limit=1")[0] == 200:
                    return self
            except OSError:
                pass
            if time.monotonic() > end or self._process.poll() is not None:
                self.__exit__()
                with open(self._log.name) as file:
                    raise AssertionError("the worker did not start: " + file.read()[-2000:])
            time.sleep(0.2)

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def _cpu(self) -> float:
        with open(f"/proc/{self._process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / measure.TICKS

    def measure(self, path: str, quick: bool) -> measure.Row:
        """Requests one after another, in rounds; the CPU time is the median of the rounds."""
        times: list[float] = []
        rounds: list[float] = []
        size = 0
        for _round in range(3 if quick else 9):
            cpu, count, end = self._cpu(), 0, time.monotonic() + 0.5
            while time.monotonic() < end:
                before = time.perf_counter()
                status, body = self._caller.ask("GET", path)
                times.append(time.perf_counter() - before)
                if status != 200:
                    raise AssertionError(f"{path}: {status} {body[:300]!r}")
                count, size = count + 1, len(body)
            rounds.append((self._cpu() - cpu) * 1e3 / count)
        return {"n": len(times), "cpu_ms": round(statistics.median(rounds), 3),
                "per_s": round(1 / statistics.fmean(times), 1), **measure.milliseconds(times),
                "bytes": size}
