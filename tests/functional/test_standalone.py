# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The stand-alone process, killed in the middle of its work, ends where it should."""

import json
import urllib.request

from nova_cells.image import fake
from tests.unit.cmd import base

CONF = """
[DEFAULT]
compute_driver = fake
[standalone]
cells = cell1, cell2
[api]
auth_strategy = noauth2
[glance]
source = fake
[fake]
boot_delay = 0.4
[conductor]
ask_again = 2
[quota]
instances = -1
cores = -1
ram = -1
"""


class Killed(base.CommandTestCase):
    def post(self, process, path, body):
        request = urllib.request.Request(
            process.url + path, data=json.dumps(body).encode(), headers={
                "X-Auth-Token": "admin:demo", "Content-Type": "application/json",
                "OpenStack-API-Version": "compute 2.90"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read() or b"null")

    def boot(self, process, count):
        flavor = self.post(process, "/v2.1/flavors", {"flavor": {
            "name": "tiny", "vcpus": 1, "ram": 64, "disk": 1}})["flavor"]["id"]
        return [self.post(process, "/v2.1/servers", {"server": {
            "name": f"s{n}", "imageRef": fake.CIRROS, "flavorRef": flavor,
            "networks": "none"}})["server"]["id"] for n in range(count)]

    def statuses(self, process):
        _, document = process.get("/v2.1/servers/detail")
        return {server["id"]: server["status"] for server in document["servers"]}

    def test_in_the_middle_of_boots(self):
        path = self.file(CONF)
        process = self.start("--config-file", path)
        made = self.boot(process, 20)
        process.kill()
        process = self.start("--config-file", path)
        self.assertEqual(set(made), set(self.statuses(process)))
        self.assertTrue(
            base.wait_for(lambda: set(self.statuses(process).values()) == {"ACTIVE"}, 60),
            self.statuses(process))
        for cell in ("cell1", "cell2"):
            shown = self.manage("cell", "verify", cell)
            self.assertEqual([], shown["findings"])
        servers = {cell["name"]: cell["servers"] for cell in self.manage("cell", "list")}
        self.assertEqual(20, sum(servers.values()))
        for cell in (cell for cell, count in servers.items() if count):
            code, _, error = self.run_command("cell", "delete", cell)
            self.assertEqual(1, code)
            self.assertSentence(error, f"{servers[cell]} servers")
        self.assertEqual(0, process.stop()[0])
