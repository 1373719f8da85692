# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A wire between a client and a server that can be made silent: no root, no namespaces.

Connections through a silent wire are accepted by the kernel and never answered; those that were
open stay open and say nothing, as with packets that are dropped on the way.  When the wire speaks
again, what was held back goes on, and connections that the other side has given up end.
"""

import contextlib
import selectors
import socket
import threading

from tests.servers import process

CHUNK = 65536
UP, DOWN = "up", "down"          # towards the server, towards the client


class Wire:
    """Forwards a port of loopback to another.  ``close`` ends it."""

    def __init__(self, target: int) -> None:
        self._target = ("127.0.0.1", target)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listening.getsockname()[1]
        self._silent: frozenset[str] = frozenset()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._wake, self._bell = socket.socketpair()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="wire")
        self._thread.start()

    def url(self, url: str) -> str:
        """The same transport URL, by way of this wire."""
        return url.replace(f"127.0.0.1:{self._target[1]}", f"127.0.0.1:{self.port}")

    def silence(self, *ways: str) -> None:
        """Nothing passes any more: neither way, or only not these."""
        self._silent = frozenset(ways or (UP, DOWN))
        self._ring()

    def speak(self) -> None:
        """As before."""
        self._silent = frozenset()
        self._ring()

    @contextlib.contextmanager
    def silent(self, *ways: str):
        """Silent meanwhile."""
        self.silence(*ways)
        try:
            yield
        finally:
            self.speak()

    def close(self) -> None:
        """The end of every connection."""
        self._closing = True
        self._ring()
        self._thread.join(10.0)

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._bell.send(b"!")

    def _run(self) -> None:
        """One look after another: which ends may be read depends on who is silent."""
        while not self._closing:
            silent = self._silent
            with selectors.DefaultSelector() as look:
                look.register(self._wake, selectors.EVENT_READ, None)
                if UP not in silent:
                    look.register(self._listening, selectors.EVENT_READ, None)
                for pair in self._pairs:
                    for way, own, other in ((UP, *pair), (DOWN, *reversed(pair))):
                        if way not in silent:
                            look.register(own, selectors.EVENT_READ, (pair, own, other))
                self._pass_on(look, silent)
        for pair in [*self._pairs, (self._listening, self._wake), (self._bell,)]:
            for end in pair:
                end.close()

    def _pass_on(self, look: selectors.BaseSelector, silent: frozenset[str]) -> None:
        """Until who is silent changes, or the connections do."""
        while silent == self._silent and not self._closing:
            for key, _events in look.select():
                if key.fileobj is self._wake:
                    self._wake.recv(CHUNK)
                elif key.fileobj is self._listening:
                    return self._accept()
                elif not self._move(*key.data[1:]):
                    return self._end(key.data[0])
        return None

    def _accept(self) -> None:
        client, _address = self._listening.accept()
        try:
            self._pairs.append((client, socket.create_connection(self._target, timeout=10.0)))
        except OSError:
            client.close()

    def _move(self, own: socket.socket, other: socket.socket) -> bool:
        """Whether the connection goes on."""
        try:
            data = own.recv(CHUNK)
            other.sendall(data)
        except OSError:
            return False
        return bool(data)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.remove(pair)
        for end in pair:
            end.close()


class Deaf:
    """A port that takes connections and never answers: a broker that is there and is not."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listening.getsockname()[1]

    def close(self) -> None:
        """It is gone altogether."""
        self._listening.close()


class Swallowing(Deaf):
    """A port whose packets are dropped: not even a connection comes about."""

    def __init__(self) -> None:
        super().__init__()
        self._listening.listen(0)
        self._waiting: list[socket.socket] = []
        while process.answers(self.port) and len(self._waiting) < 16:
            own = socket.socket()
            own.setblocking(False)
            own.connect_ex(("127.0.0.1", self.port))
            self._waiting.append(own)

    def close(self) -> None:
        for own in self._waiting:
            own.close()
        super().close()
