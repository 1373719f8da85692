# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The port on which a process tells its figures, and whether it is alive and ready.

Standard library's HTTP in a thread, so it runs under threads and under eventlet.  Of the processes
that were given one port the first serves; the others ask every few seconds whether it is free.
No token is asked for: the address must be one that only operators reach.
"""

import http.server
import json
import logging
import os
import pathlib
import re
import socket
import socketserver
import threading

import prometheus_client
from prometheus_client import core, multiprocess

from nova_cells.metrics import health, instruments

LOG = logging.getLogger(__name__)
AGAIN = 5.0              # seconds until a process that found the port taken looks again
STOP = 0.5               # how soon it is seen that the process ends
_JSON = "application/json"


class Server:
    """What ``serve`` gives: stop it once.  ``port`` is None while another process serves."""

    def __init__(self, host: str, port: int, service: str,
                 checks: dict[str, health.Check]) -> None:
        self.service = service
        self._place = (host, port)
        self._readiness = health.Readiness(checks)
        self._http: _Http | None = None
        self._leaving = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="metrics")

    @property
    def port(self) -> int | None:
        """Where it listens now."""
        return self._http.server_address[1] if self._http is not None else None

    def start(self) -> None:
        """Begin to answer, or to wait for the port."""
        if self._place[1]:
            self._take()
            self._thread.start()

    def stopping(self) -> None:
        """The process is about to end: alive, but not ready any more."""
        self._stopping = True

    def stop(self) -> None:
        """Answer nothing more."""
        self._stopping = True
        self._leaving.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    # -- what is answered -------------------------------------------------------------------------

    def alive(self) -> tuple[int, dict]:
        """200 unless a thread of the process died or hangs."""
        wrong = health.ailments()
        return (503 if wrong else 200), {"service": self.service, "alive": not wrong,
                                         "wrong": wrong}

    def ready(self) -> tuple[int, dict]:
        """200 when every check is content; else what is wrong, by check."""
        wrong = {"stopping": f"{self.service} is stopping"} if self._stopping \
            else self._readiness.wrong()
        return (503 if wrong else 200), {"service": self.service, "ready": not wrong,
                                         "wrong": wrong}

    # -- the port ---------------------------------------------------------------------------------

    def _run(self) -> None:
        told = False
        while not self._leaving.is_set():
            if self._http is not None:
                self._http.answer_next()
                continue
            if not told:
                told = True
                LOG.info("port %d of [metrics] is taken; this process takes over when it is free",
                         self._place[1])
            if not self._leaving.wait(AGAIN):
                self._take()
        if self._http is not None:
            self._http.server_close()

    def _take(self) -> None:
        try:
            self._http = _Http(self._place, self)
        except OSError as error:
            LOG.debug("[metrics] %s: %s", self._place, error)


class _Http(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    timeout = 0.5                # how soon it is seen that the process ends

    def __init__(self, place: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        super().__init__(place, _Handler)
        self.socket.settimeout(STOP)

    def answer_next(self) -> None:
        """Wait for a request, not for long.  Not ``handle_request``, whose selector would be the
        wrong one if this module was imported before eventlet had its way."""
        try:
            request, address = self.get_request()
        except OSError:
            return
        try:
            self.process_request(request, address)
        except Exception:
            self.handle_error(request, address)
            self.shutdown_request(request)

    def handle_error(self, request, client_address) -> None:  # noqa: ANN001
        LOG.debug("who asked for figures left", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "nova-cells", ""
    timeout = 10

    def do_GET(self) -> None:
        owner = self.server.owner
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._send(200, text(), prometheus_client.CONTENT_TYPE_LATEST)
        elif path == "/healthz":
            self._say(*owner.alive())
        elif path == "/readyz":
            self._say(*owner.ready())
        else:
            self._say(404, {"here": ["/metrics", "/healthz", "/readyz"]})

    do_HEAD = do_GET

    def _say(self, status: int, document: dict) -> None:
        self._send(status, json.dumps(document).encode() + b"\n", _JSON)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        LOG.debug(format, *args)


def serve(conf, service_name: str, checks: dict[str, health.Check]) -> Server:  # noqa: ANN001
    """Tell figures and health as [metrics] says.  ``checks``: name -> callable that gives None, or
    a sentence on what is wrong.  After the fork, in every worker."""
    server = Server(str(conf.metrics.bind_host), conf.metrics.port, service_name, checks)
    server.start()
    return server


def prepare(conf, service_name: str, workers: int) -> None:  # noqa: ANN001
    """Before workers are forked: they shall count together.  Where PROMETHEUS_MULTIPROC_DIR says,
    else in a directory of state_path that no other service on the machine has."""
    if workers > 1 and conf.metrics.port:
        own = os.path.join(conf.state_path, "metrics", f"{service_name}-{conf.metrics.port}")
        instruments.share(instruments.shared() or own)


def text() -> bytes:
    """All figures, as Prometheus reads them."""
    registry = instruments.REGISTRY
    folder = instruments.shared()
    if folder:
        registry = core.CollectorRegistry()
        _bury(pathlib.Path(folder))
        multiprocess.MultiProcessCollector(registry, path=folder)
    own = core.CollectorRegistry()
    own.register(instruments.WATCHED)
    prometheus_client.ProcessCollector(registry=own)
    return prometheus_client.generate_latest(registry) + prometheus_client.generate_latest(own)


def _bury(folder: pathlib.Path) -> None:
    """What processes that are gone had in hand is in nobody's hand now."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = re.search(r"_(\d+)\.db$", file.name)
        if pid is not None and not _is_there(int(pid[1])):
            multiprocess.mark_process_dead(int(pid[1]), str(folder))


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
