# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""R4: a cell is cut off from the API cell, one way, the other, both, or badly, under load.

    python -m tests.processes.cut                        # each way for 30 s
    python -m tests.processes.cut --ways both --seconds 3600

Needs root: the cell, with a broker and a database of its own, is in a network namespace.  Prints
figures; exit code 1 if a server was not listed, or was lost, doubled or in ERROR, or if something
did not come back by itself.
"""

import argparse
import contextlib
import json
import sys

from tests.processes import blackhole, deployment, netns
from tests.servers import mariadb, process, rabbitmq

VICTIM = blackhole.VICTIM
WAYS = {
    "to": lambda apart: apart.cut(netns.TO_CELL),
    "from": lambda apart: apart.cut(netns.FROM_CELL),
    "both": lambda apart: apart.cut(),
    "loss": lambda apart: apart.lose(0.2),
    "slow": lambda apart: apart.slow(128),
}


class FarRabbitMQ(rabbitmq.RabbitMQ):
    """Made, started and asked from inside the cell; reached from outside at its address too."""

    def __init__(self, apart: netns.Apart) -> None:
        self._apart = apart
        super().__init__()

    def _configuration(self) -> str:
        return (super()._configuration()
                + f"listeners.tcp.2 = {self._apart.address}:{self.port}\n")


class Apart(deployment.Deployment):
    """The first cell is elsewhere: all that it has but its place in the table of cells."""

    def __init__(self, apart: netns.Apart, **shape) -> None:
        super().__init__(**shape)
        self._apart = apart
        with apart.inside():
            self._far = [FarRabbitMQ(apart), mariadb.MariaDB()]
        self.way = "both"

    def start(self) -> "Apart":
        with self._apart.inside():
            for server in self._far:
                server.start()
        return super().start()

    def remove(self) -> None:
        for service in self.named("") or ():
            service.end(9)
        with self._apart.inside():
            for server in reversed(self._far):
                server.remove()
        super().remove()

    def transport_url(self, cell: str) -> str:
        if cell != VICTIM:
            return super().transport_url(cell)
        if cell not in self.buses:
            with self._apart.inside():
                self.buses[cell] = self._far[0].url(f"{cell}-{self._tag}")
        return self.buses[cell]

    def parents_url(self, cell: str) -> str:
        url = self.transport_url(cell)
        return url.replace("@127.0.0.1:", f"@{self._apart.address}:") if cell == VICTIM else url

    def database_url(self, name: str) -> str:
        if name != VICTIM:
            return super().database_url(name)
        with self._apart.inside():
            return self._far[1].url(f"{name}_{self._tag}")

    def inside(self, cell: str):
        return self._apart.inside() if cell == VICTIM else contextlib.nullcontext()

    @contextlib.contextmanager
    def cut(self):
        """The cell is cut off meanwhile, in the way that was chosen."""
        WAYS[self.way](self._apart)
        try:
            yield
        finally:
            self._apart.heal()


def drill(ways: list[str], times: int, seconds: float, cells: int = 3,
          tell=lambda line: None) -> list[dict]:
    """Each way; what was found.  ``process.Missing`` where there can be no namespaces."""
    problem = netns.missing()
    if problem:
        raise process.Missing(problem)
    found = []
    with netns.Apart() as apart:
        d = Apart(apart, cells=cells, hosts=1, scheduler=False)
        try:
            d.start()
            for way in ways:
                d.way = way
                found.append({"way": way, **blackhole.run(d, times, seconds, tell, begins=False)})
                tell(json.dumps(found[-1], indent=1))
        finally:
            d.remove()
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ways", nargs="+", choices=sorted(WAYS), default=["to", "from", "both"],
                        help="what is dropped: to the cell, from it, both; or a fifth is lost; or "
                             "slow, so that seconds of delay build up (default: to from both)")
    parser.add_argument("--times", type=int, default=1, help="how often each (default: 1)")
    parser.add_argument("--seconds", type=float, default=30.0, help="for so long (default: 30)")
    parser.add_argument("--cells", type=int, default=3, help="with one host each (default: 3)")
    options = parser.parse_args()
    try:
        found = drill(options.ways, options.times, options.seconds, options.cells,
                      tell=lambda line: print(line, flush=True))
    except process.Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
