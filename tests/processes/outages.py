# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""R2, R3: broker and databases fail under load, and what became of what was promised.

    python -m tests.processes.outages broker-restart broker-wipe --times 20
    python -m tests.processes.outages database-restart view-read-only --times 5

Prints what users saw meanwhile; exit code 1 if anything was lost, doubled, leaked or stuck.
"""

import argparse
import json
import sys
import time

from tests.processes import deployment, load


def broker_restart(d: deployment.Deployment) -> None:
    """The broker goes and comes back with its queues."""
    d.broker.restart()


def broker_kill(d: deployment.Deployment) -> None:
    """The broker dies, and is back a few seconds later."""
    d.broker.kill()
    time.sleep(3.0)
    d.broker.start()


def broker_wipe(d: deployment.Deployment) -> None:
    """The broker comes back with nothing: no queue, no message."""
    d.broker.wipe()


def database_restart(d: deployment.Deployment) -> None:
    """The server of all databases goes and comes back."""
    d.store.restart()


def database_kill(d: deployment.Deployment) -> None:
    """The server of all databases dies, and is back a few seconds later."""
    d.store.kill()
    time.sleep(3.0)
    d.store.start()


def view_read_only(d: deployment.Deployment) -> None:
    """Nobody can write for ten seconds."""
    d.store.execute("SET GLOBAL read_only = 1")
    time.sleep(10.0)
    d.store.execute("SET GLOBAL read_only = 0")


FAULTS = {name.replace("_", "-"): globals()[name] for name in (
    "broker_restart", "broker_kill", "broker_wipe", "database_restart", "database_kill",
    "view_read_only")}


def run(deployed: deployment.Deployment, fault: str, times: int, seed: int = 0,
        tell=lambda line: None) -> dict:
    """So often; what was found."""
    deployed.flavor()
    users = load.Load(deployed, seed, most=30)
    wrong: list[str] = []
    settling: list[float] = []
    for number in range(times):
        users.start()
        time.sleep(3.0)
        FAULTS[fault](deployed)
        time.sleep(3.0)
        users.stop()
        began = time.monotonic()
        if not deployment.within(120.0, users.settled):
            wrong.append(f"not settled: {deployed.statuses()} {deployed.guests()}")
        settling.append(round(time.monotonic() - began, 1))
        wrong += users.lost() + deployed.verify()
        dead = [name for name, service in deployed.services.items() if service.pid is None]
        wrong += [f"{name} ended" for name in dead]
        tell(f"{fault} {number + 1}: settled after {settling[-1]} s, {len(wrong)} wrong")
        if wrong:
            break
    return {"fault": fault, "times": len(settling), "settled after": settling, "wrong": wrong,
            "answers": {f"{verb} {status}": count
                        for (verb, status), count in sorted(users.answers.items())},
            "reads": users.read_figures()}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("faults", nargs="+", choices=sorted(FAULTS), help="what fails")
    parser.add_argument("--times", type=int, default=5, help="how often each (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the requests")
    parser.add_argument("--database", default="mariadb", help="mariadb or postgresql")
    options = parser.parse_args()
    deployed = deployment.Deployment(cells=2, hosts=2, database=options.database)
    found = []
    try:
        deployed.start()
        for fault in options.faults:
            found.append(run(deployed, fault, options.times, options.seed,
                             tell=lambda line: print(line, flush=True)))
            print(json.dumps(found[-1], indent=1), flush=True)
    finally:
        deployed.remove()
    return int(any(one["wrong"] for one in found))


if __name__ == "__main__":
    sys.exit(main())
