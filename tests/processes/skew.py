# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""R6: clocks ten minutes wrong, in this service and in that, and one that jumps.

    python -m tests.processes.skew                       # every phase
    python -m tests.processes.skew --phases children     # only this one

In each phase servers are booted, acted on and deleted, and services are looked at all the while.
Prints figures; exit code 1 if something was shown as down that lives, if a deadline came too
early, if ``changes-since`` left out what had changed, or if anything was lost, doubled, in ERROR
or against an invariant.
"""

import argparse
import datetime
import json
import pathlib
import sys
import time

from tests.processes import deployment, load

AHEAD, BEHIND = 600, -600        # seconds
# phase -> whose clock is how wrong, before the work; and then in the middle of it
PHASES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "right": ({}, {}),
    "children": ({"conductor1-c1": AHEAD, "compute-c1-h1": AHEAD, "compute-c1-h2": BEHIND,
                  "conductor1-c2": BEHIND}, {}),
    "collector-behind": ({"collector1": BEHIND}, {}),
    "collector-ahead": ({"collector1": AHEAD}, {}),
    "jump": ({"conductor1-c1": AHEAD, "compute-c2-h1": BEHIND},
             {"conductor1-c1": BEHIND, "compute-c2-h1": AHEAD, "collector1": AHEAD}),
}


class Skewed(deployment.Deployment):
    """Each service reads the time by way of a file of its own, which says how wrong it is."""

    def _service(self, name: str, words: list[str], env: dict[str, str],
                 cell: str | None = None) -> None:
        self.set(name, 0)
        python, _m, *rest = words
        super()._service(name, [python, "-m", "tests.processes.wrongclock",
                                str(self._clock(name)), *rest], env, cell)

    def set(self, name: str, seconds: int) -> None:
        """From now on the service's clock is so wrong."""
        new = self._clock(name).with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._clock(name))

    def _clock(self, name: str) -> pathlib.Path:
        return self.directory / f"{name}.clock"


class Drill:
    """The phases, one after another, on one deployment."""

    def __init__(self, d: Skewed, servers: int = 4) -> None:
        self.d = d
        self._count = servers
        self.wrong: list[str] = []
        self.down: set[str] = set()
        d.flavor()

    def phase(self, name: str) -> dict:
        """What was found."""
        before, during = PHASES[name]
        self.wrong, self.down = [], set()
        for service in self.d.services:
            self.d.set(service, before.get(service, 0))
        time.sleep(3.0)                          # until each has read it
        began = time.monotonic()
        kept = set(self.d.servers())
        made = self._boot(during)
        self._act(made)
        self._delete(made, kept)
        self._watch(15.0)
        self.wrong += [f"{what} was shown as down" for what in sorted(self.down)]
        self.wrong += self.d.verify()
        return {"phase": name, "clocks": {**before, **{f"{service}, later": by
                                                      for service, by in during.items()}},
                "seconds": round(time.monotonic() - began, 1), "wrong": self.wrong}

    def _boot(self, during: dict[str, int]) -> list[str]:
        made = []
        for number in range(self._count):
            if number == self._count // 2:
                for service, by in during.items():
                    self.d.set(service, by)
            status, body, _headers = self.d.create()
            if status == 202:
                made.append(body["server"]["id"])
            else:
                self.wrong.append(f"a create was answered {status}: {body}")
        self._until(lambda: all(self._status(one) == "ACTIVE" for one in made), "ACTIVE")
        return made

    def _act(self, made: list[str]) -> None:
        for action, wanted in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
            since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
            for one in made:
                status, body, _headers = self.d.ask("POST", f"/servers/{one}/action",
                                                    {action: None})
                if status != 202:
                    self.wrong.append(f"{action} was answered {status}: {body}")
            self._until(lambda wanted=wanted: all(self._status(one) == wanted for one in made),
                        wanted)
            self._changed(since, set(made), action)

    def _delete(self, made: list[str], kept: set[str]) -> None:
        for one in made:
            status, body, _headers = self.d.ask("DELETE", f"/servers/{one}")
            if status != 204:
                self.wrong.append(f"a delete was answered {status}: {body}")
        self._until(lambda: set(self.d.servers()) == kept and load.settled(self.d), "deleted")

    def _changed(self, since: datetime.datetime, expected: set[str], what: str) -> None:
        """Who asks by a right clock what changed hears of it."""
        stamp = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        status, body, _headers = self.d.ask("GET", f"/servers?changes-since={stamp}")
        shown = {one["id"] for one in body["servers"]} if status == 200 else set()
        for one in sorted(expected - shown):
            self.wrong.append(f"changes-since left {one} out after {what}")

    def _until(self, condition, what: str, seconds: float = 90.0) -> None:
        """Sooner or later; meanwhile nobody may be called down."""
        end = time.monotonic() + seconds
        while not condition():
            self._look()
            if time.monotonic() > end:
                self.wrong.append(f"not {what} within {seconds:g} s: {self.d.statuses()}")
                return
            time.sleep(0.3)

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()
            time.sleep(1.0)

    def _look(self) -> None:
        status, document, _headers = self.d.ask("GET", "/os-services")
        for one in document["services"] if status == 200 else ():
            if one["state"] != "up":
                self.down.add(f"{one['binary']} of {one['host']}")

    def _status(self, server: str) -> str | None:
        status, document, _headers = self.d.ask("GET", f"/servers/{server}")
        return document["server"]["status"] if status == 200 else None


def drill(phases: list[str], conductors: int = 2, tell=lambda line: None) -> list[dict]:
    """What was found in each."""
    d = Skewed(cells=2, hosts=2, scheduler=False, conductors=conductors, collectors=2)
    found = []
    try:
        d.start()
        done = Drill(d)
        for phase in phases:
            found.append(done.phase(phase))
            tell(json.dumps(found[-1], indent=1))
    finally:
        d.remove()
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--phases", nargs="+", choices=list(PHASES), default=list(PHASES),
                        help="whose clocks are wrong (default: each after the other)")
    parser.add_argument("--conductors", type=int, default=2, help="in each cell (default: 2)")
    options = parser.parse_args()
    found = drill(options.phases, options.conductors, tell=lambda line: print(line, flush=True))
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
