# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What every service of one cell has: the cell's bus, a client, listeners and runners.

Knows nothing of the API cell.  A service is made elsewhere and handed in as a handler.
"""

import functools
import threading

from nova_cells import metrics, service
from nova_cells.domain import errors
from nova_cells.rpc import client, router, server, transport


class CellBus:
    """The bus of one cell.  Made, opened, services run on it; stopped once."""

    def __init__(self, conf, clock, uuid: str, name: str, url: str) -> None:
        self.uuid, self.name = uuid, name
        self._conf, self._clock, self._url = conf, clock, url
        self._running: list[tuple[server.Listener, service.Runner]] = []
        self._lock = threading.Lock()
        self._stopped = False
        self._router = router.Router(
            open_transport=functools.partial(transport.open_transport, conf))
        self.client = client.Client(self._router, conf)

    def open(self) -> None:
        """``CellDown`` with a sentence if the bus does not answer, ``Invalid`` if it cannot."""
        self._router.update([(self.uuid, self._url, self.name)])
        transport.must_answer(self._conf, self._url)

    def run(self, name: str, handler, topic: str, host: str) -> service.Runner:
        """Listen on a topic and let the handler work; all of it or nothing."""
        runner = service.Runner(name, handler, self.client, self._clock,
                                forward_budget=self._conf.rpc.forward_budget)
        listener = server.Listener(self._router.transport(self.uuid), self.uuid, topic, host,
                                   runner.deliver, threads=self._conf.rpc.threads)
        listener.start()
        try:
            runner.start()
        except BaseException:
            listener.stop(1.0)
            runner.stop(1.0)
            raise
        with self._lock:
            if not self._stopped:
                self._running.append((listener, runner))
                return runner
        listener.stop(1.0)               # it was begun beside the one who stops everything
        runner.stop(1.0)
        raise errors.CellDown(f"{name} is not started any more: its cell is being stopped")

    def check(self) -> str | None:
        """What is wrong with the bus, if anything."""
        return metrics.answers(lambda: transport.must_answer(self._conf, self._url))()

    def stop(self, patience: float) -> bool:
        """Take nothing more; whether all work under way ended in time.  The last that was started
        is told first."""
        with self._lock:
            self._stopped = True
            running, self._running = self._running, []
        return stop_all([stop for listener, runner in reversed(running)
                         for stop in (listener.stop, runner.stop)], patience)

    def close(self) -> None:
        """Let the bus go.  Nothing may be run on it any more."""
        self._router.close()


def stop_all(stops: list, patience: float) -> bool:
    """Call them all at once with this patience; whether each said that it ended."""
    ended: list[bool] = []
    threads = [threading.Thread(target=lambda stop=stop: ended.append(stop(patience)), daemon=True)
               for stop in stops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience + 1.0)
    return len(ended) == len(stops) and all(ended)
