# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A whole deployment in one process on a loopback port, and what its users do to it.

The environment says on what it runs, so that the same tests are run on all of it:
NOVA_CELLS_TEST_DATABASE (sqlite, mariadb, postgresql), NOVA_CELLS_TEST_BUS (local, rabbit),
NOVA_CELLS_TEST_CELLS (2) and NOVA_CELLS_CONCURRENCY_BACKEND (threading, eventlet).
"""

import json
import os
import urllib.error
import urllib.request
import uuid

from nova_cells.image import fake
from tests.servers import databases, process, rabbitmq
from tests.unit.cmd import base

CELLS = int(os.environ.get("NOVA_CELLS_TEST_CELLS") or 2)
BUS = os.environ.get("NOVA_CELLS_TEST_BUS") or "local"

CONF = """
[DEFAULT]
compute_driver = fake
[standalone]
cells = {cells}
[api]
auth_strategy = noauth2
[glance]
source = fake
[fake]
boot_delay = {delay}
[conductor]
ask_again = 2
heartbeat = 1
[collector]
cell_down_after = 6
offer_patience = 5
[rpc]
delete_budget = 1
[quota]
instances = {instances}
cores = -1
ram = -1
"""


class Deployed(base.CommandTestCase):
    """Starts, restarts and asks."""

    def setUp(self):
        super().setUp()
        try:
            self.places = self._places()
        except process.Missing as missing:
            self.skipTest(str(missing))

    def _places(self):
        """Where this test's databases and buses are, as words for the configuration; none: below
        the state path, and inside the process."""
        kind, text = databases.kind(), ""
        if kind != "sqlite":
            text += f"[view_database]\nconnection = {databases.empty(kind)}\n"
        for number in range(1, CELLS + 1):
            text += f"[cell.cell{number}]\n"
            if kind != "sqlite":
                text += f"connection = {databases.empty(kind)}\n"
            if BUS == "rabbit":
                url = rabbitmq.shared().url(f"cell{number}-{uuid.uuid4().hex[:8]}")
                text += f"transport_url = {url}\n"
        return text

    def deploy(self, *words, delay=0.0, instances=-1):
        """A process on this test's state."""
        cells = ", ".join(f"cell{number}" for number in range(1, CELLS + 1))
        self.path = self.file(CONF.format(delay=delay, instances=instances, cells=cells)
                              + self.places)
        return self.start("--config-file", self.path, *words)

    def run_command(self, *words, **named):
        """An operator's command, on the same databases."""
        if databases.kind() == "sqlite":
            return super().run_command(*words, **named)
        return super().run_command("--config-file", self.path, *words, **named)

    def ask(self, process, method, path, body=None, user="admin:demo"):
        """(status, document, headers), whatever the status is."""
        request = urllib.request.Request(
            process.url + "/v2.1" + path, method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"X-Auth-Token": user, "Content-Type": "application/json",
                     "OpenStack-API-Version": "compute 2.90"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                text = reply.read()
                return reply.status, json.loads(text or b"null"), reply.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), error.headers

    def flavor(self, process, name="tiny", vcpus=1, ram=64):
        """The id of a new flavor."""
        status, document, _headers = self.ask(process, "POST", "/flavors", {
            "flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": 1}})
        self.assertEqual(200, status, document)
        return document["flavor"]["id"]

    def create(self, process, flavor, user="admin:demo", **more):
        """POST servers: (status, document, headers)."""
        return self.ask(process, "POST", "/servers", {"server": {
            "name": "s", "imageRef": fake.CIRROS, "flavorRef": flavor, "networks": "none",
            **more}}, user)

    def created(self, process, flavor, **more):
        """The id of a new server."""
        status, document, _headers = self.create(process, flavor, **more)
        self.assertEqual(202, status, document)
        return document["server"]["id"]

    def servers(self, process, user="admin:demo"):
        """id -> the server's document, all of them."""
        status, document, _headers = self.ask(process, "GET", "/servers/detail", user=user)
        self.assertEqual(200, status, document)
        return {server["id"]: server for server in document["servers"]}

    def statuses(self, process):
        """id -> status."""
        return {uuid: server["status"] for uuid, server in self.servers(process).items()}

    def assertComesTrue(self, condition, what, seconds=90):
        """Sooner or later."""
        if not base.wait_for(condition, seconds):
            self.fail(f"not within {seconds} s: {what()}")

    def assertVerified(self):
        """Every invariant of every cell."""
        for cell in self.manage("cell", "list"):
            shown = self.manage("cell", "verify", cell["name"])
            self.assertEqual([], shown["findings"])
