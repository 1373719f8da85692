# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""R1: each service killed at each named point of boot and delete, and what became of the servers.

    python -m tests.processes.points                 # every point, on MariaDB and RabbitMQ
    python -m tests.processes.points --only Boot     # those whose name has this in it

Prints a row for each point; exit code 1 if anything was lost, doubled, leaked or stuck.
"""

import argparse
import json
import sys
import time
import typing

from tests.processes import deployment, load


class Point(typing.NamedTuple):
    """Who dies, where, and what is under way."""

    operation: str           # boot or delete
    service: str             # prefix of the service's name
    at: str                  # a point of crashing.py

    def __str__(self) -> str:
        return f"{self.operation}/{self.service}/{self.at}"


def _around(operation: str, service: str, *messages: str) -> list[Point]:
    return [Point(operation, service, f"{message}:{when}")
            for message in messages for when in ("before", "decided", "after")]


STEPS = ("fetch_image", "create_disk", "write_config_drive", "define", "start")
POINTS = [
    *(Point("boot", "api", at) for at in (
        "commit:before", "commit:after", "send:Boot:before", "send:Boot:after")),
    *_around("boot", "conductor", "Boot", "Acks", "Report"),
    *_around("boot", "collector", "Upload"),
    *(Point("boot", "scheduler", at) for at in ("Select:before", "Select:decided")),
    *_around("boot", "compute", "Task.boot"),
    *(Point("boot", "compute", f"step:{step}") for step in STEPS),
    *(Point("boot", "conductor", f"send:{what}:{when}") for what in ("Upload", "Task.boot")
      for when in ("before", "after")),
    *(Point("delete", "api", at) for at in ("send:Delete:before", "send:Delete:after")),
    *_around("delete", "conductor", "Delete", "Report"),
    *_around("delete", "collector", "Upload"),
    *_around("delete", "compute", "Task.delete"),
    Point("delete", "compute", "step:delete"),
]


class Found(typing.NamedTuple):
    """What came of one point."""

    point: Point
    wrong: list[str]
    seconds: float           # from the restart until everything was settled


class Drill:
    """A deployment on which points are tried one after another."""

    def __init__(self, deployed: deployment.Deployment, servers: int = 6) -> None:
        self.d = deployed
        self.count = servers
        deployed.flavor()

    def try_point(self, point: Point) -> Found:
        """Kill, restart, wait, look."""
        self.d.wait_for(self._settled, "the servers of the point before are gone")
        before = set(self.d.servers())
        if point.operation == "delete":
            self._boot()
            self.d.wait_for(self._settled, "the servers to be deleted are up")
            mine = set(self.d.servers()) - before
        victim = self._trap(point)
        promised, refused = self._boot() if point.operation == "boot" else self._delete(mine)
        died = deployment.within(60.0, lambda: any(one.pid is None for one in victim))
        for one in victim:
            one.end()
            one.start()
        begin = time.monotonic()
        wrong = [] if died else ["the point was never reached"]
        settled = deployment.within(90.0, self._settled)
        if point.operation == "delete" and refused:
            for uuid in refused & set(self.d.servers()):
                self.d.ask("DELETE", f"/servers/{uuid}")
            settled = deployment.within(60.0, self._settled)
        took = time.monotonic() - begin
        wrong += [] if settled else [f"not settled: {self.d.statuses()}"]
        now = self.d.statuses()
        if point.operation == "boot":
            wrong += [f"{uuid} was accepted and is {now.get(uuid)}" for uuid in promised
                      if now.get(uuid) != "ACTIVE"]
        else:
            wrong += [f"{uuid} was deleted and is {now[uuid]}" for uuid in mine & set(now)]
        wrong += self._look()
        for uuid in set(now) - before:
            self.d.ask("DELETE", f"/servers/{uuid}")
        return Found(point, wrong, took)

    def _trap(self, point: Point) -> list[deployment.Service]:
        """The services of this kind, begun again so that they die at the point."""
        victims = self.d.named(point.service)
        for one in victims:
            one.end()
            plain = list(one._words)
            one._words = [plain[0], "-m", "tests.processes.crashing", point.at, plain[2],
                          *plain[3:]]
            one.start()
            one._words = plain
        for one in victims:
            one.wait_until(lambda one=one: self._up(one))
        return victims

    def _up(self, one: deployment.Service) -> bool:
        if one.name.startswith("api"):
            return self.d.ask("GET", "/flavors", api=int(one.name[3:]) - 1)[0] == 200
        return one.said(": ready")

    def _boot(self) -> tuple[list[str], set[str]]:
        answers = [self.d.create() for _ in range(self.count)]
        return [body["server"]["id"] for status, body, _headers in answers if status == 202], set()

    def _delete(self, mine: set[str]) -> tuple[list[str], set[str]]:
        answers = {uuid: self.d.ask("DELETE", f"/servers/{uuid}")[0] for uuid in mine}
        gone = {uuid for uuid, status in answers.items() if status in (204, 404)}
        return sorted(gone), mine - gone

    def _settled(self) -> bool:
        """Everything that exists is at rest and runs where it should, and nothing else."""
        return load.settled(self.d)

    def _look(self) -> list[str]:
        """No guest twice, and the invariants of every cell."""
        doubled = [f"{uuid} runs on {hosts}" for uuid, hosts in self.d.guests().items()
                   if len(hosts) != 1]
        return doubled + self.d.verify()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="points whose name has this in it")
    parser.add_argument("--database", default="mariadb", help="mariadb, postgresql or sqlite")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    options = parser.parse_args()
    deployed = deployment.Deployment(cells=2, hosts=2, database=options.database)
    bad = 0
    try:
        deployed.start()
        drill = Drill(deployed)
        for point in POINTS:
            if options.only not in str(point):
                continue
            found = drill.try_point(point)
            bad += bool(found.wrong)
            row = {"point": str(point), "settled": round(found.seconds, 1), "wrong": found.wrong}
            words = "; ".join(found.wrong) or "good"
            print(json.dumps(row) if options.json
                  else f"{row['point']:44} {row['settled']:6.1f} s  {words}", flush=True)
    finally:
        deployed.remove()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
