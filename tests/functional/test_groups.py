# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Server groups under racing creates: a strict policy holds exactly, over all cells (law T7)."""

import collections
import concurrent.futures
import json
import urllib.request

from tests.functional import deployment

HOSTS = 8                        # of each cell
HOST = "OS-EXT-SRV-ATTR:host"


class Strict(deployment.Deployed):
    def _places(self):
        text = super()._places()
        for number in range(1, deployment.CELLS + 1):
            head, names = f"[cell.cell{number}]\n", (f"c{number}-h{n}" for n in range(1, HOSTS + 1))
            line = f"hosts = {', '.join(names)}\n"
            text = (text.replace(head, head + line) if head in text else text + head + line)
        return "server_group_members = -1\n" + text     # the last group was [quota]

    def group(self, process, policy, **rules):
        status, document, _headers = self.ask(process, "POST", "/os-server-groups", {
            "server_group": {"name": "g", "policy": policy, **({"rules": rules} if rules else {})}})
        self.assertEqual(200, status, document)
        return document["server_group"]["id"]

    def member(self, process, flavor, group):
        request = urllib.request.Request(
            process.url + "/v2.1/servers", method="POST", data=json.dumps({
                "server": {"name": "s", "imageRef": deployment.fake.CIRROS, "flavorRef": flavor,
                           "networks": "none"},
                "os:scheduler_hints": {"group": group}}).encode(),
            headers={"X-Auth-Token": "admin:demo", "Content-Type": "application/json",
                     "OpenStack-API-Version": "compute 2.90"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.loads(reply.read())["server"]["id"]

    def ran(self, process, flavor, group):
        """A member that runs before anything else is asked."""
        uuid = self.member(process, flavor, group)
        self.assertComesTrue(lambda: self.statuses(process)[uuid] == "ACTIVE",
                             lambda: self.statuses(process))
        return uuid

    def settled(self, process, count):
        """The documents of all servers, once none is being built."""
        self.assertComesTrue(
            lambda: len(self.servers(process)) == count
            and not {"BUILD"} & set(self.statuses(process).values()),
            lambda: self.statuses(process), seconds=240)
        return list(self.servers(process).values())

    def raced(self, process, group, count):
        flavor = self.flavor(process)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _n: self.member(process, flavor, group), range(count)))
        return self.settled(process, count)

    def test_64_creates_for_16_places(self):
        process = self.deploy()
        group = self.group(process, "anti-affinity")
        found = self.raced(process, group, 64)
        states = collections.Counter(server["status"] for server in found)
        self.assertEqual({"ACTIVE": HOSTS * deployment.CELLS,
                          "ERROR": 64 - HOSTS * deployment.CELLS}, dict(states))
        hosts = [server[HOST] for server in found if server["status"] == "ACTIVE"]
        self.assertEqual(HOSTS * deployment.CELLS, len(set(hosts)))
        self.assertVerified()
        for server in found:
            self.ask(process, "DELETE", f"/servers/{server['id']}")
        self.assertComesTrue(lambda: not self.servers(process), lambda: self.statuses(process))
        again = self.member(process, self.flavor(process, "again"), group)
        self.assertComesTrue(lambda: self.statuses(process).get(again) == "ACTIVE",
                             lambda: self.statuses(process))
        self.assertVerified()

    def test_two_on_a_host(self):
        process = self.deploy()
        group = self.group(process, "anti-affinity", max_server_per_host=2)
        found = self.raced(process, group, 2 * HOSTS * deployment.CELLS + 4)
        counted = collections.Counter(server[HOST] for server in found
                                      if server["status"] == "ACTIVE")
        self.assertEqual({2}, set(counted.values()))
        self.assertEqual(HOSTS * deployment.CELLS, len(counted))
        self.assertVerified()

    def test_affinity_is_one_host_and_soft_policies_are_kept_while_they_can_be(self):
        process = self.deploy()
        group = self.group(process, "affinity")
        found = self.raced(process, group, 6)
        self.assertEqual({"ACTIVE"}, {server["status"] for server in found})
        self.assertEqual(1, len({server[HOST] for server in found}))
        flavor = self.flavor(process, "soft")
        for policy, hosts in (("soft-affinity", 1), ("soft-anti-affinity", 3)):
            group = self.group(process, policy)
            made = [self.ran(process, flavor, group) for _n in range(3)]   # or a wish loses a race
            shown = self.servers(process)
            self.assertEqual(hosts, len({shown[one][HOST] for one in made}), policy)
        self.assertVerified()
