# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Users whose every request is timed, in windows that have a name: quiet times and troubled ones.

The windows alternate, so that what else this machine does falls on both alike.
"""

import collections
import contextlib
import threading
import time

from tests.processes import deployment

QUIET, TROUBLED = "quiet", "troubled"


class Users:
    """Some who list, some who create and delete, some who act on servers of cells that are well,
    some who ask for what is in the cell in trouble.  ``dead``: its servers."""

    def __init__(self, deployed: deployment.Deployment, dead: set[str], well: set[str],
                 most: int = 12, pause: float = 0.1, seconds: float = 60.0) -> None:
        self.d = deployed
        self._dead, self._well, self._most = sorted(dead), sorted(well), most
        self._pause, self._seconds = pause, seconds
        self.window = QUIET
        self.took: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
        self.answers: dict[str, collections.Counter] = collections.defaultdict(
            collections.Counter)
        self.made: list[str] = []                # accepted and not deleted yet, oldest first
        self.missing = 0                         # lists that left one of ours out
        self.without_pause = 0                   # 503s without Retry-After
        self.settled_after: float | None = None
        self._leaving, self._going = threading.Event(), threading.Event()
        self._going.set()
        self._threads: list[threading.Thread] = []

    @contextlib.contextmanager
    def at_work(self):
        """They ask meanwhile."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (
            self._list, self._create, self._act, self._ask_the_dead)]
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._leaving.set()
            for thread in self._threads:
                thread.join(120)

    @contextlib.contextmanager
    def paused(self):
        """Nobody asks meanwhile."""
        self._going.clear()
        time.sleep(1.0)
        try:
            yield
        finally:
            self._going.set()

    def forget(self, uuid: str) -> None:
        """This one is expected in lists no more, and nobody acts on it."""
        self._dead.remove(uuid)

    def stay(self, window: str, seconds: float) -> None:
        """This is such a time, and lasts so long."""
        self.window = window
        time.sleep(seconds)

    def figures(self) -> dict:
        """What they saw, as JSON."""
        rows = {f"{what}, {window}": spread(took)
                for (what, window), took in sorted(self.took.items())}
        return {"seconds": rows, "settled after (s)": self.settled_after,
                "lists without a server": self.missing,
                "503 without Retry-After": self.without_pause,
                "answers": {window: {f"{what} {status}": count
                                     for (what, status), count in sorted(counts.items())}
                            for window, counts in self.answers.items()}}

    # -- what they do -----------------------------------------------------------------------------

    def ask(self, what: str, method: str, path: str, body=None):
        """One request, timed in the window in which it began."""
        window, began = self.window, time.monotonic()
        status, document, headers = self.d.ask(method, path, body, timeout=self._seconds)
        self.took[what, window].append(time.monotonic() - began)
        self.answers[window][what, status] += 1
        if status == 503 and "Retry-After" not in headers:
            self.without_pause += 1
        return status, document

    def _next(self, pause: float) -> bool:
        """After a pause; False: no more."""
        self._going.wait()
        return not self._leaving.wait(pause)

    def _list(self) -> None:
        while self._next(self._pause):
            expected = {*self._dead, *self._well}
            status, document = self.ask("list", "GET", "/servers?limit=1000")
            expected &= {*self._dead, *self._well}
            if status == 200 and expected - {one["id"] for one in document["servers"]}:
                self.missing += 1

    def _create(self) -> None:
        while self._next(3 * self._pause):
            status, document = self.ask("create", "POST", "/servers", self.d.wanted())
            if status == 202:
                self.made.append(document["server"]["id"])
            if len(self.made) > self._most:
                self._delete(self.made[0])

    def _delete(self, uuid: str) -> None:
        status, _document = self.ask("delete", "DELETE", f"/servers/{uuid}")
        if status in (204, 404):
            self.made.remove(uuid)

    def _act(self) -> None:
        count = 0
        while self._next(self._pause):
            uuid = self._well[count % len(self._well)]
            count += 1
            self.ask("act", "POST", f"/servers/{uuid}/action",
                     {"lock" if count // len(self._well) % 2 else "unlock": None})

    def _ask_the_dead(self) -> None:
        count = 0
        while self._next(2 * self._pause):
            uuid = self._dead[count % len(self._dead)]
            count += 1
            self.ask("act there", "POST", f"/servers/{uuid}/action",
                     {"lock" if count % 2 else "unlock": None})


def spread(took: list[float]) -> dict:
    """Count, median, 99th percentile, longest, and how many took more than a second."""
    ordered = sorted(took)
    last = len(ordered) - 1
    return {"count": len(ordered), "p50": round(ordered[last // 2], 4),
            "p99": round(ordered[round(last * 0.99)], 4), "longest": round(ordered[-1], 3),
            "over 1 s": sum(one > 1.0 for one in ordered)}
