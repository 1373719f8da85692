# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The API's HTTP server inside the stand-alone process: waitress on a socket bound early.

The port is taken before anything else is started, so that a port in use is one sentence and
costs nothing.  Stopping lets the requests under way be answered.
"""

import ipaddress
import logging
import socket
import threading
import time

import waitress
from waitress import wasyncore

from nova_cells.domain import errors

LOG = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """A socket that nobody else can have.  ``Invalid`` with a sentence otherwise."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise errors.Invalid(f"cannot listen on {host}: {error.strerror}; say another address "
                             "with --host or [standalone] bind_host") from None
    listening = socket.socket(family, kind, proto)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        # A bound socket that does not listen lets a second process bind too (SO_REUSEADDR).
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise errors.Conflict(f"cannot listen on {host} port {port}: {error.strerror}; say another "
                              "port with --port or [standalone] bind_port") from None
    return listening


class WebServer:
    """Serves one WSGI application in a thread of its own."""

    def __init__(self, application, listening: socket.socket, threads: int) -> None:
        self._server = waitress.create_server(
            application, sockets=[listening], threads=threads, ident="nova-cells",
            channel_timeout=120, connection_limit=1000, clear_untrusted_proxy_headers=True,
            asyncore_use_poll=hasattr(__import__("select"), "poll"))
        self._map = self._server._map
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True, name="web")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.socket.getsockname()[1]

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self, patience: float = 10.0) -> bool:
        """Accept nothing more, answer what came; whether all of it was answered in time."""
        end = time.monotonic() + patience
        self._server.accepting = False
        while self._busy() and time.monotonic() < end:
            time.sleep(0.02)
        answered = not self._busy()
        self._leaving.set()
        self._server.pull_trigger()
        self._thread.join(2.0)
        self._server.task_dispatcher.shutdown(timeout=max(0.1, end - time.monotonic()))
        wasyncore.close_all(self._map, ignore_all=True)
        return answered

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _loop(self) -> None:
        while not self._leaving.is_set():
            try:
                self._server.asyncore.loop(
                    timeout=1.0, use_poll=self._server.adj.asyncore_use_poll, map=self._map,
                    count=1)
            except Exception:
                LOG.exception("the web server stumbled")
                time.sleep(0.1)
