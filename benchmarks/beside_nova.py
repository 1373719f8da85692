# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The same requests to a running Nova and to nova_cells, interleaved, and the ratios.

    . openrc     # an administrator: OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME
    python -m benchmarks.beside_nova --user bench --project bench --flavor 42 --image UUID

Starts a stand-alone process of ours with ``auth_strategy = keystone`` beside the same Keystone
and Glance, makes as many servers there as the project has in Nova, and then asks both in turn.
Tokens are checked on both sides.  Makes one user, ``--service-user``, in the service project.
With ``--processes``, ours is the deployment as processes on a MariaDB and a RabbitMQ of its own.
"""

import argparse
import configparser
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import typing
import urllib.parse
from concurrent import futures

import requests

from benchmarks import deployed, facts, measure, standalone


class Keystone:
    """Tokens, the catalogue, and one service user."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.url = os.environ["OS_AUTH_URL"].rstrip("/")
        self._options = options
        self.admin, self.catalogue, _ = self.token(
            os.environ["OS_USERNAME"], os.environ["OS_PROJECT_NAME"], os.environ["OS_PASSWORD"])

    def token(self, user: str, project: str, password: str) -> tuple[str, dict[str, str], str]:
        """A token, the public endpoints by type, the project's id."""
        domain = {"id": os.environ.get("OS_USER_DOMAIN_ID", "default")}
        answer = requests.post(f"{self.url}/auth/tokens", timeout=60, json={"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": project, "domain": domain}}}})
        answer.raise_for_status()
        said = answer.json()["token"]
        ends = {service["type"]: end["url"] for service in said["catalog"]
                for end in service["endpoints"] if end["interface"] == "public"}
        return answer.headers["X-Subject-Token"], ends, said["project"]["id"]

    def ensure_user(self, name: str, password: str, project: str) -> None:
        """The user is there, with the roles of a service."""
        def ask(method: str, path: str, body: typing.Any = None) -> typing.Any:
            answer = requests.request(method, self.url + path, json=body, timeout=60,
                                      headers={"X-Auth-Token": self.admin})
            answer.raise_for_status()
            return answer.json() if answer.content else None
        quoted = urllib.parse.quote(name)
        known = ask("GET", f"/users?name={quoted}")["users"]
        user = known[0] if known else ask("POST", "/users", {"user": {
            "name": name, "password": password}})["user"]
        if known:
            ask("PATCH", f"/users/{user['id']}", {"user": {"password": password}})
        where = ask("GET", f"/projects?name={urllib.parse.quote(project)}")["projects"][0]["id"]
        for role in ask("GET", "/roles")["roles"]:
            if role["name"] in ("admin", "service"):
                ask("PUT", f"/projects/{where}/users/{user['id']}/roles/{role['id']}")


def settings(options: argparse.Namespace, keystone: Keystone, glance: str) -> dict[
        str, dict[str, str]]:
    """Of a configuration file: that Keystone, that Glance."""
    who = {"auth_type": "password", "auth_url": keystone.url,
           "username": options.service_user, "password": options.service_password,
           "project_name": options.service_project, "user_domain_id": "default",
           "project_domain_id": "default"}
    return {
        "api": {"auth_strategy": "keystone"},
        "glance": {"source": "glance", "endpoint_override": glance},
        "keystone_authtoken": {**who, "www_authenticate_uri": keystone.url,
                               "service_token_roles_required": "true", **(
                                   {"memcached_servers": options.memcached}
                                   if options.memcached else {})},
        "service_user": who}


def ours(options: argparse.Namespace, keystone: Keystone,
         glance: str) -> standalone.Standalone | deployed.Deployed:
    """Ours beside that Keystone and Glance: one process, or as many as an operator has."""
    conf = configparser.RawConfigParser()
    conf.read_dict(settings(options, keystone, glance))
    if options.processes:
        text = io.StringIO()
        conf.write(text)
        return deployed.Deployed(keystone.admin, text.getvalue()).start()
    conf.read_dict({
        "DEFAULT": {"compute_driver": "fake"}, "standalone": {"cells": "cell1,cell2"},
        "cell.cell1": {"hosts": "c1-h1,c1-h2"}, "cell.cell2": {"hosts": "c2-h1,c2-h2"}})
    directory = tempfile.mkdtemp(prefix="nova-cells-beside-")
    path = pathlib.Path(directory, "nova-cells.conf")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        conf.write(file)
    return standalone.Standalone("--config-file", str(path), directory=directory)


class Side:
    """One of the two."""

    def __init__(self, name: str, caller: standalone.Caller, admin: standalone.Caller,
                 cpu: typing.Callable[[], float | None]) -> None:
        self.name, self.caller, self.admin, self.cpu = name, caller, admin, cpu

    def unlimit(self, project: str) -> None:
        """No quota for the project."""
        status, body = self.admin.ask("PUT", f"/os-quota-sets/{project}", {"quota_set": {
            "instances": -1, "cores": -1, "ram": -1}})
        if status != 200:
            raise AssertionError(f"{self.name}: no quota: {status} {body[:300]!r}")

    def ask_many(self, ask: typing.Callable[[int], typing.Any], count: int,
                 clients: int) -> measure.Row:
        """So many requests; what they took."""
        times: list[float] = []

        def one(number: int) -> None:
            before = time.perf_counter()
            ask(number)
            times.append(time.perf_counter() - before)
        cpu, begin = self.cpu(), time.perf_counter()
        with futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(one, range(count)))
        wall, after = time.perf_counter() - begin, self.cpu()
        used = None if cpu is None or after is None else (after - cpu) * 1e3 / count
        return {"times": times, "per_s": count / wall, "cpu_ms": used}


def trees_of(directory: str | None, names: str = "*") -> list[int]:
    """The ids in the files ``NAME.pid`` of a directory, and all that descend from them."""
    if directory is None:
        return []
    return sorted(measure.trees(int(path.read_text()) for path in pathlib.Path(
        directory).glob(f"{names}.pid")))


#: What of a Nova's neighbours has no part in any of this; what serves both sides.
UNCOUNTED, SHARED = ("cinder*", "nova-metadata"), ("keystone", "glance", "memcached")


def cpu_of_nova(directory: str | None) -> float | None:
    """CPU seconds of everything that a request to Nova can need."""
    if directory is None:
        return None
    apart = {pid for name in UNCOUNTED for pid in trees_of(directory, name)}
    return sum(measure.cpu_of(pid) for pid in set(trees_of(directory)) - apart)


def parts_of_ours(running: standalone.Standalone | deployed.Deployed,
                  directory: str | None) -> dict[str, float]:
    """The same of ours, by kind: the processes, its database and broker, what both sides share."""
    used = running.cpu()
    if isinstance(used, float):
        return {"process": used}
    return {**used, **{name: sum(measure.cpu_of(pid) for pid in trees_of(directory, name))
                       for name in SHARED}}


def compare(sides: list[Side], name: str, counts: tuple[int, int], rounds: int, clients: int,
            ask: typing.Callable[[Side, int], typing.Any]) -> measure.Row:
    """A and B in turn, ``rounds`` times; medians of each and their ratios."""
    found: dict[str, list[measure.Row]] = {side.name: [] for side in sides}
    for side in sides:
        ask(side, -1)
    for _round in range(rounds):
        for side, count in zip(sides, counts, strict=True):
            found[side.name].append(side.ask_many(lambda n, s=side: ask(s, n), count, clients))
    row: measure.Row = {"case": name, "clients": clients}
    for side in sides:
        runs = found[side.name]
        times = [one for run in runs for one in run["times"]]
        cpus = [run["cpu_ms"] for run in runs if run["cpu_ms"] is not None]
        row[side.name] = {"n": len(times), **measure.milliseconds(times),
                          "per_s": round(measure.percentile([r["per_s"] for r in runs], 50), 2),
                          "cpu_ms": round(measure.percentile(cpus, 50), 2) if cpus else None}
    nova, own = (row[side.name] for side in sides)
    row["ratio"] = {"per_s": round(own["per_s"] / nova["per_s"], 1),
                    "p50": round(nova["p50_ms"] / own["p50_ms"], 1)}
    if nova["cpu_ms"] and own["cpu_ms"]:
        row["ratio"]["cpu"] = round(nova["cpu_ms"] / own["cpu_ms"], 1)
    return row


def same_keys(sides: list[Side]) -> list[str]:
    """How the documents of the two differ in their keys."""
    said = []
    for version in ("2.1", "2.96"):
        shown = [set(side.caller.json("/servers/detail?limit=1&status=ACTIVE", version)
                     ["servers"][0]) for side in sides]
        if shown[0] != shown[1]:
            said.append(f"{version}: {sorted(shown[0] ^ shown[1])}")
    return said


def main() -> int:
    """The command."""
    options = _options()
    keystone = Keystone(options)
    keystone.ensure_user(options.service_user, options.service_password, options.service_project)
    token, ends, project = keystone.token(options.user, options.project, options.password)
    running = ours(options, keystone, options.glance or ends["image"])
    try:
        sides = [Side("nova", standalone.Caller(options.nova or ends["compute"], token),
                      standalone.Caller(options.nova or ends["compute"], keystone.admin),
                      lambda: cpu_of_nova(options.nova_pids)),
                 Side("ours", standalone.Caller(running.base, token),
                      standalone.Caller(running.base, keystone.admin),
                      lambda: sum(parts_of_ours(running, options.nova_pids).values()))]
        rows = list(_run(options, sides, project, running))
    finally:
        running.remove() if isinstance(running, deployed.Deployed) else running.stop()
    found = {"facts": facts.gather(), "rows": rows}
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps(found, indent=1))
    return 0


def _run(options: argparse.Namespace, sides: list[Side], project: str,
         running: standalone.Standalone | deployed.Deployed) -> typing.Iterator[measure.Row]:
    nova, own = sides
    flavor = nova.caller.json(f"/flavors/{options.flavor}")["flavor"]
    own.admin.ask("POST", "/flavors", {"flavor": {
        name: flavor[name] for name in ("id", "name", "vcpus", "ram", "disk")}})
    for side in sides:
        side.unlimit(project)
    time.sleep(5)                        # our cells have learnt the flavor
    wanted = options.servers or _count(nova.caller)
    chosen = {"flavor": options.flavor, "image": options.image}
    if isinstance(running, deployed.Deployed):
        _fill(running, project, wanted)
    else:
        yield _say({"case": f"ours: {wanted} servers made", **standalone.boot(
            own.caller, wanted, 4, "beside-", **chosen)})
    yield _say({"case": "documents differ in", "keys": same_keys(sides),
                "servers": [_count(side.caller) for side in sides]})
    yield from _reads(sides, options.rounds)
    for clients in (1, 4):
        yield _say(compare(
            sides, "P9 POST servers -> 202", (10, 100), options.rounds, clients,
            lambda side, n, c=clients: standalone.create(side.caller, f"post-{c}-{n}", **chosen)))
    yield from _boots(options, sides, running, chosen)
    yield _say({"case": "P13 ours: memory", **running.memory()})
    yield _say({"case": "P13 Nova: memory", **memory_of_nova(options.nova_pids)})


def _reads(sides: list[Side], rounds: int) -> typing.Iterator[measure.Row]:
    some = {side.name: side.caller.json("/servers?limit=1")["servers"][0]["id"] for side in sides}
    for name, path, counts in (
            ("P1 detail, 1000 rows", "/servers/detail?limit=1000", (2, 30)),
            ("P2 detail, 20 rows", "/servers/detail?limit=20", (10, 200)),
            ("detail, 100 rows", "/servers/detail?limit=100", (5, 100)),
            ("ids, 1000 rows", "/servers?limit=1000", (3, 50)),
            ("P4 changes-since, nothing new", "/servers/detail?changes-since=2999-01-01T00:00:00Z",
             (15, 200)), ("P3 show", "/servers/{id}", (15, 300))):
        for clients in (1, 4) if name.startswith(("P1", "P2", "P3")) else (1,):
            yield _say(compare(sides, name, counts, rounds, clients, lambda side, _n, p=path: (
                side.caller.json(p.format(id=some[side.name])))))


def _boots(options: argparse.Namespace, sides: list[Side],
           running: standalone.Standalone | deployed.Deployed,
           chosen: dict[str, str]) -> typing.Iterator[measure.Row]:
    for clients, counts in ((1, (5, 10)), (4, (options.boots, 10 * options.boots))):
        for side, count in zip(sides, counts, strict=True):
            cpu, parts = side.cpu(), parts_of_ours(running, options.nova_pids)
            row = standalone.boot(side.caller, count, clients, f"boot-{clients}-", **chosen)
            after = side.cpu()
            if side.name == "ours":
                row.update((f"cpu_{kind}", round((used - parts[kind]) * 1e3 / count, 1)) for
                           kind, used in parts_of_ours(running, options.nova_pids).items())
            yield _say({"case": f"P10 {side.name}: boot {count}, {clients} clients", **row,
                        "cpu_ms": None if cpu is None or after is None else round(
                            (after - cpu) * 1e3 / count, 1)})


def _fill(running: deployed.Deployed, project: str, count: int) -> None:
    """Rows of servers in the view and in the cells, as a Nova of a benchmark has them."""
    from benchmarks import processes, sync

    for number, name in enumerate(running.cells):
        top = processes.Top(running, name)
        try:
            sync.fill(typing.cast(typing.Any, top), count // len(running.cells), project,
                      number * 10**6)
        finally:
            top.close()


def memory_of_nova(directory: str | None) -> measure.Row:
    """PSS in MiB, by service; what serves both sides, and what has no part, apart."""
    if directory is None:
        return {}
    found = {path.stem: round(sum(measure.memory_of(pid).get("pss_mib", 0.0)
                                  for pid in trees_of(directory, path.stem)), 1)
             for path in sorted(pathlib.Path(directory).glob("*.pid"))}
    own = {name: mib for name, mib in found.items()
           if name.startswith(("nova-", "placement")) and name != "nova-metadata"}
    servers = sum(found.get(name, 0.0) for name in ("mariadb", "rabbitmq", "epmd"))
    return {"pss_mib": round(sum(own.values()) + servers, 1),
            "ours_mib": round(sum(own.values()), 1), **found}


def _say(row: measure.Row) -> measure.Row:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return row


def _count(caller: standalone.Caller) -> int:
    total, marker = 0, ""
    while True:
        page = caller.json(f"/servers?limit=1000{marker}")["servers"]
        total += len(page)
        if len(page) < 1000:
            return total
        marker = f"&marker={page[-1]['id']}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside_nova",
                                     description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--user", default=os.environ.get("OS_USERNAME"), help="an ordinary user of the project")
    add("--project", default=os.environ.get("OS_PROJECT_NAME"), help="whose servers are listed")
    add("--password", default=os.environ.get("OS_PASSWORD"), help="of that user")
    add("--nova", metavar="URL", help="Nova's API; default: as the catalogue has it")
    add("--glance", metavar="URL", help="Glance's API; default: as the catalogue has it")
    add("--flavor", required=True, help="a flavor's id, in Nova")
    add("--image", required=True, help="an image's id")
    add("--memcached", metavar="HOST:PORT", help="where token checks are remembered, as Nova's are")
    add("--nova-pids", metavar="DIR", help="files *.pid of Nova's services, to count their CPU")
    add("--service-user", default="nova-cells-bench")
    add("--service-password", default=os.environ.get("OS_PASSWORD"))
    add("--service-project", default="service")
    add("--rounds", type=int, default=3)
    add("--processes", action="store_true", help="ours as processes, on MariaDB and RabbitMQ")
    add("--boots", type=int, default=40, help="boots to ACTIVE, of Nova's; ten times that of ours")
    add("--servers", type=int, default=0, help="make so many of ours, not as many as Nova has")
    add("-o", "--output", metavar="FILE", help="write JSON there")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
