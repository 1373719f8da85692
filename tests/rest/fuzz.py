# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Sends nonsense to a whole API in one process, and judges every answer.

    python -m tests.rest.fuzz --requests 20000 --seed 1     # some minutes
    python -m tests.rest.fuzz --seed 1 --block 17           # one block of it again, aloud

A block of requests has a deployment of its own, so seed and block say all.  What may come back is
said by ``complaints``: never 5xx, but for 501 where the deployment lacks what is asked for, and
503 while the cell is down; and whatever is refused is refused in the usual words.
"""

import argparse
import collections
import io
import json
import random
import sys
import time
import typing
import urllib.parse

from nova_cells.api import app, compute, faults
from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.network import fake as fake_networks
from nova_cells.volume import fake as fake_volumes
from tests.rest import base, nonsense, test_volume_attachments

BLOCK = 250
QUOTA = {
    "instances": -1,
    "cores": -1,
    "ram": -1,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 100,
    "server_group_members": 100,
}
#: What 501 may say: that this deployment, or every one, has not got it.
LACKING = ("deployment", "capability", "functionality is not supported")


class Child(base.Child):
    """A cell that has heard of nothing but what was confirmed."""

    def __init__(self, view: typing.Any, clock: typing.Any) -> None:
        super().__init__(view, clock)
        self.attaching = test_volume_attachments.Child(view, clock)
        self.attaching.records = self.records

    def call(self, to: typing.Any, message: typing.Any, budget: float | None = None):
        """As any cell: what is not there is not there."""
        server = getattr(message, "server", None)
        if server and server not in self.records and not self.down:
            raise errors.NotFound(f"Instance {server} could not be found.")
        errand = getattr(message, "errand", None)
        if getattr(errand, "kind", "") == "volume" and not self.down:
            return self.attaching.call(to, message, budget)
        return super().call(to, message, budget)


class World:
    """One deployment, and the ids of what is in it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock, self.ids = base.Clock(), base.Ids()
        self.view = base.database(QUOTA)
        self.child = Child(self.view, self.clock)
        conf = base.configuration()
        networks = fake_networks.FakeNetworks() if rng.random() < 0.5 else None
        volumes = fake_volumes.FakeVolumes() if rng.random() < 0.5 else None
        flavor = model.Flavor(id="1", name="m1.tiny", vcpus=1, ram_mb=512, disk_gb=1)
        with self.view.write() as tx:
            self.view.flavors.create(tx, flavor, self.clock.time())
        base.prepare_cell(
            self.view,
            [flavor],
            self.clock.time(),
            slots=10_000,
            capabilities=("volumes", "interfaces", "assisted_snapshots")
            if volumes or networks
            else (),
        )
        self.app = app.loadapp(
            conf,
            self.view,
            self.child,
            self.child.ledger.watched(fake_images.FakeImages(self.clock.time)),
            self.clock,
            self.ids,
            volumes=volumes,
            network=networks,
        )
        if rng.random() < 0.5:
            conf.set_override("enable_proxy_headers_parsing", True, group="oslo_middleware")
            conf.set_override("allowed_origin", ["http://a.example"], group="cors")
            self.app = app.loadapp(
                conf,
                self.view,
                self.child,
                self.child.ledger.watched(fake_images.FakeImages(self.clock.time)),
                self.clock,
                self.ids,
                volumes=volumes,
                network=networks,
            )
        self.known: dict[str, list[str]] = collections.defaultdict(
            list,
            {
                "flavors": ["1"],
                "images": [base.PICTURE],
                "os-hypervisors": ["1"],
                "os-services": ["1"],
                "os-cells": ["cell1", base.CELL],
                "host": ["node-1"],
                "os-hosts": ["node-1"],
                "os-quota-sets": ["apples"],
                "key": ["a", "b"],
                "os-simple-tenant-usage": ["apples"],
                "os-quota-class-sets": ["default"],
                "tag": ["a"],
                "label": ["private"],
                "os-availability-zone": ["nova"],
                "flavorRef": ["1"],
                "imageRef": [base.PICTURE],
                "networks": ["none"],
                "alias": ["servers"],
                "flavor_id": ["1"],
                "binary": ["nova-compute"],
                "availability_zone": ["nova"],
                "volumeId": [],
                "volume": [],
                "volume_id": [],
            },
        )
        if volumes:
            self.known["volumeId"] = [volumes.add().id for _ in range(3)]
        self.known["volume"] = self.known["volume_id"] = self.known["volumeId"]
        self.refresh()

    def refresh(self) -> None:
        """What was deleted is not known any more, and there is enough to ask about."""
        self.known["servers"] = self.known["os-volumes_boot"] = [
            uuid for uuid, record in self.child.records.items() if not record.deleted
        ][-6:]
        for token in ("ann:apples", "admin:admins"):
            if len(self.known["servers"]) < 6:
                self._begin(token)

    def _begin(self, token: str) -> None:
        asked = (
            (
                "/servers",
                {
                    "server": {
                        "name": "a",
                        "flavorRef": "1",
                        "networks": "none",
                        "imageRef": base.PICTURE,
                        "metadata": {"a": "1"},
                    }
                },
            ),
            ("/os-keypairs", {"keypair": {"name": "k-" + token[:3], "type": "ssh"}}),
            ("/os-server-groups", {"server_group": {"name": "g", "policy": "affinity"}}),
            ("/os-aggregates", {"aggregate": {"name": "g-" + token[:3]}}),
        )
        for path, body in asked:
            self.send(
                nonsense.Asked(
                    "POST",
                    "/v2.1" + path,
                    {
                        "X-Auth-Token": token,
                        "Content-Type": "application/json",
                        "OpenStack-API-Version": "compute 2.90",
                    },
                    json.dumps(body).encode(),
                    False,
                )
            )

    def close(self) -> None:
        """Let go of the database."""
        self.view.close()

    def send(self, asked: nonsense.Asked) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers, body; and remembers what was made."""
        environ = self._environ(asked)
        said: list[typing.Any] = []
        self.child.down = asked.down
        parts = self.app(environ, lambda status, headers, *_: said.append((status, headers)))
        data = b"".join(parts)
        self.child.down = False
        status, headers = said[-1]
        number = int(status.split()[0])
        if number < 300 and asked.method in ("POST", "PUT"):
            self._learn(asked.path, data)
        return number, headers, data

    @staticmethod
    def _environ(asked: nonsense.Asked) -> dict[str, typing.Any]:
        path, _, query = asked.path.partition("?")
        body = asked.body or b""
        environ: dict[str, typing.Any] = {
            "REQUEST_METHOD": asked.method,
            "SCRIPT_NAME": "",
            "QUERY_STRING": query,
            "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8774",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:8774",
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if asked.body is not None:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in asked.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
        return environ

    def _learn(self, path: str, data: bytes) -> None:
        parts = path.partition("?")[0].split("/")
        try:
            made = next(iter(json.loads(data).values()))
        except (ValueError, StopIteration, AttributeError):
            return
        name = (made.get("id") or made.get("name")) if isinstance(made, dict) else None
        if name is not None and len(parts) == 3:
            known = self.known[parts[2]]
            if str(name) not in known:
                known.append(str(name))
            del known[:-12]
        for uuid in list(self.child.boots):
            if uuid not in self.child.records and self.rng.random() < 0.9:
                self.child.confirm(uuid)


def complaints(
    asked: nonsense.Asked, status: int, headers: list[tuple[str, str]], data: bytes
) -> list[str]:
    """What is wrong with an answer."""
    found = []
    names = {name.lower(): value for name, value in headers}
    if any(not (value.isascii() and value.isprintable()) for value in names.values()):
        found.append("a header holds what no header can")
    if "x-openstack-request-id" not in names:
        found.append("nobody can ask for it by its id")
    if b"Traceback" in data:
        found.append("a traceback is shown")
    if asked.method == "HEAD" or status in (204, 304):
        return found + (["a body where none may be"] if data else [])
    if names.get("content-length", str(len(data))) != str(len(data)):
        found.append("its length is another")
    try:
        told = json.loads(data) if data else None
    except ValueError:
        return [*found, "it is not JSON"]
    if status >= 400:
        found.extend(_refused(asked, status, names, told))
    return found


def _refused(
    asked: nonsense.Asked, status: int, names: dict[str, str], told: typing.Any
) -> list[str]:
    """What is wrong with a fault."""
    word = faults.NAMES.get(status, "computeFault")
    try:
        (fault,) = told.values()
        message = fault["message"]
        usual = (
            list(told) == [word]
            and fault["code"] == status
            and isinstance(message, str)
            and message
            and names["content-type"].startswith("application/json")
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        usual, message = False, ""
    found = [] if usual else [f"it is not the usual fault {word}"]
    if status == 405 and "allow" not in names:
        found.append("405 and no word of what is allowed")
    if status == 501 and not any(word in message for word in LACKING):
        found.append("501, and no word of what is lacking")
    if status == 503 and not (asked.down and names.get("retry-after")):
        found.append("503, and the cell is up, or when to try again is not said")
    if status >= 500 and status not in (501, 503):
        found.append("an error of ours")
    return found


class Failed(AssertionError):
    """An answer that must not be."""


def block(
    seed: int,
    number: int,
    size: int = BLOCK,
    tally: collections.Counter | None = None,
    aloud: bool = False,
) -> list[str]:
    """One block of requests; what was wrong."""
    rng = random.Random(f"{seed}/{number}")
    world = World(rng)
    found = []
    try:
        actions = [action for action in compute.actions() if not action.gone]
        maker = nonsense.Maker(rng, actions, world.known)
        for place in range(size):
            if place % 10 == 0:
                world.refresh()
            # every action gets its turn, blocks go on where the last one ended
            asked = maker.one(
                actions[(number * size + place) % len(actions)]
                if rng.random() < 0.7
                else rng.choice(actions)
            )
            status, headers, data = world.send(asked)
            if tally is not None:
                tally[status] += 1
            if aloud:
                print(place, status, asked.told()[:300], data[:120])
            wrong = complaints(asked, status, headers, data)
            if wrong:
                found.append(
                    f"seed {seed} block {number} request {place}: {'; '.join(wrong)}\n"
                    f"  {asked.told()}\n  {status} {headers} {data[:400]!r}"
                )
    finally:
        world.close()
    return found


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="python -m tests.rest.fuzz")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--block", type=int, help="only this block, and every request is told")
    args = parser.parse_args()
    tally: collections.Counter = collections.Counter()
    began, wrong = time.process_time(), 0
    blocks = range(-(-args.requests // BLOCK)) if args.block is None else [args.block]
    for number in blocks:
        for told in block(args.seed, number, BLOCK, tally, args.block is not None):
            wrong += 1
            print(told, flush=True)
    print(
        f"{sum(tally.values())} requests, {wrong} answered as they must not be, "
        f"{time.process_time() - began:.0f} s of CPU; {dict(sorted(tally.items()))}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
