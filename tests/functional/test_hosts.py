# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts of a running deployment: an operator lists, disables, enables and forgets them."""

from tests.functional import deployment


class Hosts(deployment.Deployed):
    def hosts(self, cell="cell1"):
        return {row["name"]: row for row in self.manage("host", "list", cell)}

    def on(self, process, host):
        return [server for server in self.servers(process).values()
                if server["OS-EXT-SRV-ATTR:host"] == host]

    def test_a_life(self):
        process = self.deploy()
        self.assertComesTrue(lambda: all(
            host["state"] == "up" for host in self.hosts().values()) and self.hosts(), self.hosts)
        name = sorted(self.hosts())[0]
        flavor = self.flavor(process)
        shown = self.manage("host", "disable", "cell1", name, "--reason", "dust")
        self.assertEqual(("disabled", "dust", "up"), (
            shown["status"], shown["disabled_reason"], shown["state"]))
        before = len(self.on(process, name))
        made = [self.created(process, flavor) for _number in range(8)]
        self.assertComesTrue(lambda: set(self.statuses(process).values()) <= {"ACTIVE", "ERROR"},
                             lambda: self.statuses(process))
        self.assertEqual(before, len(self.on(process, name)))
        self.assertEqual("enabled", self.manage("host", "enable", "cell1", name)["status"])
        code, _out, error = self.run_command("host", "forget", "cell1", name)
        self.assertEqual(1, code)
        self.assertIn("is up, and would come back", error)
        self.forced(process, name)
        for uuid in made:
            self.ask(process, "DELETE", f"/servers/{uuid}")
        self.assertComesTrue(lambda: not self.servers(process), lambda: self.servers(process))
        process.stop()
        self.down(name)

    def forced(self, process, name):
        """Through the API, and back."""
        _status, document, _headers = self.ask(process, "GET", f"/os-services?host={name}")
        service = next(one for one in document["services"] if one["binary"] == "nova-compute")
        for forced in (True, False):
            status, document, _headers = self.ask(
                process, "PUT", f"/os-services/{service['id']}", {"forced_down": forced})
            self.assertEqual((200, forced), (status, document["service"]["forced_down"]))

    def down(self, name):
        """A host that stopped is down at once; a cell that is down is not asked."""
        process = self.deploy("--without-cell", "cell1")
        self.assertComesTrue(lambda: self.hosts()[name]["state"] == "unknown: the cell is down",
                             self.hosts)
        code, _out, error = self.run_command("host", "disable", "cell1", name)
        self.assertEqual(1, code)
        self.assertIn("the cell cell1 is down", error)
        services = self.ask(process, "GET", f"/os-services?host={name}")
        service = next(one for one in services[1]["services"] if one["binary"] == "nova-compute")
        self.assertEqual("down", service["state"])
        self.assertIsNotNone(services[2]["X-Nova-Cells-Age"])
        status, document, headers = self.ask(process, "PUT", f"/os-services/{service['id']}",
                                             {"status": "disabled"})
        self.assertEqual(503, status, document)
        self.assertIsNotNone(headers["Retry-After"])
