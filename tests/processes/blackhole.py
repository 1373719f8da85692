# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One of eight cells falls silent under load: its bus takes connections and answers nothing.

    python -m tests.processes.blackhole                  # 8 cells, 3 times 30 s
    python -m tests.processes.blackhole --cells 3 --times 1 --seconds 20

Prints figures; exit code 1 if a server was not listed, or was lost, doubled or in ERROR, if an
answer had no Retry-After, or if something did not come back by itself.
"""

import argparse
import contextlib
import json
import sys
import time

from tests.processes import deployment, load, timed
from tests.servers import wire

VICTIM = "c1"


class Wired(deployment.Deployment):
    """The API cell reaches one cell by a wire that can be silenced."""

    _wire: wire.Wire | None = None

    def parents_url(self, cell: str) -> str:
        url = super().parents_url(cell)
        if cell != VICTIM:
            return url
        self._wire = self._wire or wire.Wire(self.broker.port)
        return self._wire.url(url)

    def remove(self) -> None:
        super().remove()
        if self._wire is not None:
            self._wire.close()

    def cut(self):
        """A context in which the cell is silent."""
        return self._wire.silent()


def settle_in(d: deployment.Deployment, each: int = 2) -> tuple[set[str], set[str]]:
    """So many servers in every cell, all ACTIVE: (those of the victim, the others)."""
    d.flavor()
    made: dict[str, list[str]] = {cell: [] for cell in d.cells}

    def spread() -> bool:
        for uuid, hosts in d.guests().items():
            made[hosts[0].partition("-")[0]].append(uuid)
        return all(len(set(uuids)) >= each for uuids in made.values()) and load.settled(d)

    for _ in range(each * len(d.cells)):
        d.create()
    d.wait_for(lambda: load.settled(d), "the first servers are up", 180.0)
    for _ in range(20):
        if spread():
            break
        d.create()
        d.wait_for(lambda: load.settled(d), "more servers are up", 180.0)
    dead = set(made.pop(VICTIM))
    return dead, {uuid for uuids in made.values() for uuid in uuids}


def run(d: Wired, times: int, seconds: float, tell=lambda line: None,
        begins: bool = True) -> dict:
    """Silent so often, for so long; what was found.  ``begins``: services are begun again too."""
    dead, well = settle_in(d)
    users = timed.Users(d, dead, well)
    wrong: list[str] = []
    found: dict = {"cells": len(d.cells), "silent": f"{times} times {seconds:g} s"}
    back: list[float] = []
    kept: list[str] = []
    with users.at_work():
        users.stay(timed.QUIET, seconds)
        if begins:
            found |= {"begins while all is well (s)": begin(d, users)}
        for number in range(times):
            with d.cut():
                users.stay(timed.TROUBLED, seconds)
                kept += delete_one(dead, users, wrong)
                if begins and number == 0:
                    found |= {"begins while silent (s)": begin(d, users)}
            healed = time.monotonic()
            users.window = "coming back"
            if not deployment.within(90.0, lambda: answers(d, dead)):
                wrong.append("the cell does not answer 90 s after it came back")
            back.append(round(time.monotonic() - healed, 1))
            users.stay(timed.QUIET, seconds)
            tell(f"silent {number + 1}: answered {back[-1]} s after, {len(wrong)} wrong")
    wrong += finish(d, users, (dead | well) - set(kept), kept)
    found |= {"answers again after (s)": back, "kept deletes": len(kept), **users.figures()}
    if users.missing:
        wrong.append(f"{users.missing} lists left a server out")
    if users.without_pause:
        wrong.append(f"{users.without_pause} answers of 503 without Retry-After")
    return found | {"wrong": wrong}


def answers(d: deployment.Deployment, dead: set[str]) -> bool:
    """Whether the victim does what it is told."""
    return d.ask("POST", f"/servers/{min(dead)}/action", {"unlock": None})[0] in (200, 202)


def delete_one(dead: set[str], users: timed.Users, wrong: list[str]) -> list[str]:
    """A delete in the silent cell is taken, shown, and must be carried out later."""
    if len(dead) < 2:
        return []
    uuid = max(dead)
    users.forget(uuid)
    dead.discard(uuid)
    status, _document = users.ask("delete there", "DELETE", f"/servers/{uuid}")
    if status != 204:
        wrong.append(f"the delete of {uuid} in the silent cell was answered {status}")
        return []
    return [uuid]


def begin(d: deployment.Deployment, users: timed.Users) -> dict:
    """API and collector begin again: seconds to the first answer, until ready, and what an
    operator's commands take."""
    found = {}
    with users.paused():
        for name, ready in (("api1", lambda: d.ask("GET", "/servers")[0] == 200),
                            ("collector1", lambda: d.services["collector1"].said(": ready"))):
            began = time.monotonic()
            d.services[name].end()
            found[f"{name} stops"] = round(time.monotonic() - began, 1)
            began = time.monotonic()
            d.services[name].start()
            d.wait_for(ready, f"{name} is there again")
            found[f"{name} starts"] = round(time.monotonic() - began, 1)
        for words in (("cell", "list"), ("host", "list"), ("cell", "show", VICTIM)):
            began = time.monotonic()
            d.manage(*words)
            found["manage " + " ".join(words)] = round(time.monotonic() - began, 1)
    return found


def finish(d: deployment.Deployment, users: timed.Users, there: set[str],
           gone: list[str]) -> list[str]:
    """What is wrong when everything had its time to come to rest."""
    began = time.monotonic()
    wrong = []
    if not deployment.within(120.0, lambda: load.settled(d)):
        wrong.append(f"not settled: {d.statuses()} {d.guests()}")
    users.settled_after = round(time.monotonic() - began, 1)
    now = d.statuses()
    wrong += [f"{uuid} is {now.get(uuid)}" for uuid in sorted(there | set(users.made))
              if now.get(uuid) != "ACTIVE"]
    wrong += [f"{uuid} was deleted and is {now[uuid]}" for uuid in gone if uuid in now]
    wrong += [f"{uuid} runs on {hosts}" for uuid, hosts in d.guests().items() if len(hosts) != 1]
    with contextlib.suppress(AssertionError):
        d.wait_for(lambda: not d.verify(), "the invariants hold", 60.0)
        return wrong
    return wrong + d.verify()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cells", type=int, default=8, help="with one host each (default: 8)")
    parser.add_argument("--times", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--seconds", type=float, default=30.0,
                        help="silent for so long, and well for as long (default: 30)")
    parser.add_argument("--database", default="mariadb", help="mariadb, postgresql or sqlite")
    options = parser.parse_args()
    d = Wired(cells=options.cells, hosts=1, database=options.database, scheduler=False)
    try:
        d.start()
        found = run(d, options.times, options.seconds, tell=lambda line: print(line, flush=True))
    finally:
        d.remove()
    print(json.dumps(found, indent=1))
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
