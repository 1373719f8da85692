# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What users do meanwhile: creates, deletes and lists, from a seed, and what they were answered.

Bounded: never more than so many servers, never more than so many requests a second.
"""

import collections
import random
import threading
import time

from tests.processes import deployment


def settled(deployed: deployment.Deployment) -> bool:
    """Everything that is there runs once where it should, and nothing else does."""
    status, document, _headers = deployed.ask(
        "GET", "/servers/detail?all_tenants=1&limit=1000")
    if status != 200:
        return False
    servers = {server["id"]: server for server in document["servers"]}
    return set(deployed.guests()) == set(servers) and all(
        server["status"] == "ACTIVE" and not server["OS-EXT-STS:task_state"]
        for server in servers.values())


class Load:
    """Users in threads.  ``promised``: accepted and not deleted; ``deleted``: answered 204."""

    def __init__(self, deployed: deployment.Deployment, seed: int = 0, most: int = 40,
                 rate: float = 4.0) -> None:
        self.d = deployed
        self._rng = random.Random(seed)
        self._most, self._pause = most, 1.0 / rate
        self.promised: set[str] = set()
        self.deleted: set[str] = set()
        self.answers: collections.Counter = collections.Counter()
        self.reads: list[tuple[float, int, int]] = []    # seconds, status, servers shown
        self._leaving = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> "Load":
        """Begin, or begin again."""
        self._leaving.clear()
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Ask for nothing more."""
        self._leaving.set()
        for thread in self._threads:
            thread.join(120)

    def lost(self) -> list[str]:
        """Promises that were not kept, once everything is at rest."""
        now = self.d.statuses()
        return [*(f"{uuid} was accepted and is {now.get(uuid)}" for uuid in sorted(self.promised)
                  if now.get(uuid) != "ACTIVE"),
                *(f"{uuid} was deleted and is {now[uuid]}" for uuid in sorted(self.deleted)
                  if uuid in now)]

    def settled(self) -> bool:
        """Everything is at rest, and what was deleted is gone: a delete that was kept for a cell
        may come to it later than all else."""
        return settled(self.d) and not self.deleted & set(self.d.servers())

    def read_figures(self) -> dict:
        """How reads went: count, failures, the slowest, the median (seconds)."""
        took = sorted(seconds for seconds, _status, _shown in self.reads)
        failed = sum(status != 200 for _seconds, status, _shown in self.reads)
        return {"reads": len(took), "failed": failed,
                "median": round(took[len(took) // 2], 3) if took else None,
                "slowest": round(took[-1], 3) if took else None}

    def _write(self) -> None:
        while not self._leaving.wait(self._pause):
            api = self._rng.randrange(len(self.d.urls))
            if len(self.promised) < self._most and self._rng.random() < 0.6:
                status, body, _headers = self.d.create(api=api, name=f"load-{len(self.reads)}")
                if status == 202:
                    self.promised.add(body["server"]["id"])
                self.answers["POST", status] += 1
            elif self.promised:
                uuid = self._rng.choice(sorted(self.promised))
                status, _body, _headers = self.d.ask("DELETE", f"/servers/{uuid}", api=api)
                if status in (204, 404):
                    self.promised.discard(uuid)
                    self.deleted.add(uuid)
                self.answers["DELETE", status] += 1

    def _read(self) -> None:
        while not self._leaving.wait(0.5):
            began = time.monotonic()
            api = int(began * 10) % len(self.d.urls)
            status, body, _headers = self.d.ask("GET", "/servers/detail?limit=1000", api=api)
            shown = len(body["servers"]) if status == 200 else 0
            self.reads.append((time.monotonic() - began, status, shown))
