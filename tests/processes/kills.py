# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""R1: random kill -9 of any service under load, and what became of what was promised.

    python -m tests.processes.kills --kills 500 --seed 1

Every ``--between`` kills the load pauses, everything must come to rest, and the invariants are
checked.  Exit code 1 if anything was lost, doubled, leaked or stuck.
"""

import argparse
import collections
import json
import random
import sys
import time

from tests.processes import deployment, load


def run(deployed: deployment.Deployment, kills: int, seed: int, between: int = 25,
        tell=lambda line: None) -> dict:
    """Kill so often; what was found.  ``deployed`` is up."""
    rng = random.Random(seed)
    deployed.flavor()
    users = load.Load(deployed, seed)
    killed: collections.Counter = collections.Counter()
    wrong: list[str] = []
    settling: list[float] = []
    while sum(killed.values()) < kills and not wrong:
        users.start()
        for _ in range(min(between, kills - sum(killed.values()))):
            time.sleep(rng.uniform(0.2, 1.5))
            name = rng.choice(sorted(deployed.services))
            deployed.services[name].kill()
            time.sleep(rng.uniform(0.0, 1.0))
            deployed.services[name].start()
            killed[name.partition("-")[0].rstrip("0123456789")] += 1
        users.stop()
        began = time.monotonic()
        if not deployment.within(120.0, users.settled):
            wrong.append(f"not settled: {deployed.statuses()} {deployed.guests()}")
        settling.append(round(time.monotonic() - began, 1))
        wrong += users.lost() + deployed.verify()
        wrong += [f"{own} runs on {hosts}" for own, hosts in deployed.guests().items()
                  if len(hosts) != 1]
        tell(f"{sum(killed.values())} kills, settled after {settling[-1]} s, "
             f"{len(users.promised)} servers, {len(users.deleted)} deleted, {len(wrong)} wrong")
    return {"kills": dict(killed), "settled after": settling, "wrong": wrong,
            "answers": {f"{verb} {status}": count
                        for (verb, status), count in sorted(users.answers.items())},
            "reads": users.read_figures(), "deleted": len(users.deleted),
            "left": len(users.promised)}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="how often (default: 100)")
    parser.add_argument("--between", type=int, default=25, help="kills between two looks")
    parser.add_argument("--seed", type=int, default=0, help="of the order of kills and requests")
    parser.add_argument("--database", default="mariadb", help="mariadb, postgresql or sqlite")
    options = parser.parse_args()
    deployed = deployment.Deployment(cells=2, hosts=2, database=options.database, apis=2)
    try:
        deployed.start()
        found = run(deployed, options.kills, options.seed, options.between,
                    tell=lambda line: print(line, flush=True))
    finally:
        deployed.remove()
    print(json.dumps({"seed": options.seed, **found}, indent=1))
    return int(bool(found["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
