# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A cell that is down: its servers are listed, deletes are kept, everything else waits."""

import time

from tests.functional import deployment

SOON = 10.0                      # seconds; the promise is under one, the machine may be busy


class Down(deployment.Deployed):
    def test_a_down_cell(self):
        if deployment.CELLS < 2:
            self.skipTest("a cell that is down beside others needs two: NOVA_CELLS_TEST_CELLS=2")
        process = self.deploy()
        flavor = self.flavor(process)
        made = self.spread(process, flavor)
        self.assertComesTrue(lambda: set(self.statuses(process).values()) == {"ACTIVE"},
                             lambda: self.statuses(process))
        held = {name: cell["servers"] for name, cell in self.cells().items()}
        process.stop()
        process = self.deploy("--without-cell", "cell1")
        self.assertEqual(set(made), set(self.servers(process)))
        self.assertComesTrue(lambda: not self.cells()["cell1"]["up"], self.cells)
        stuck = [uuid for uuid in made if self.act(process, uuid, "os-stop") == 503]
        self.assertEqual(held["cell1"], len(stuck))
        self.refused(process, stuck[0])
        self.kept(process, stuck[1])
        process.stop()
        process = self.deploy()
        self.assertComesTrue(lambda: stuck[1] not in self.servers(process),
                             lambda: self.servers(process)[stuck[1]])
        self.assertEqual(set(made) - {stuck[1]}, set(self.servers(process)))
        self.assertEqual(202, self.act(process, stuck[0], "os-stop"))
        self.assertComesTrue(lambda: self.statuses(process)[stuck[0]] == "SHUTOFF",
                             lambda: self.statuses(process))
        self.assertVerified()

    def spread(self, process, flavor):
        """Servers, at least two in each cell; a new flavor is not counted at once."""
        made = []
        while min(cell["servers"] for cell in self.cells().values()) < 2 and len(made) < 60:
            made.append(self.created(process, flavor))
            time.sleep(0.3)
        return made

    def cells(self):
        return {cell["name"]: cell for cell in self.manage("cell", "list")}

    def act(self, process, uuid, action):
        return self.ask(process, "POST", f"/servers/{uuid}/action", {action: None})[0]

    def refused(self, process, uuid):
        """Every other command: 503 with Retry-After, soon; reads go on."""
        for method, path, body in (
                ("POST", "/action", {"pause": None}), ("PUT", "", {"server": {"name": "n"}}),
                ("POST", "/metadata", {"metadata": {"k": "v"}}),
                ("POST", "/action", {"os-getConsoleOutput": {}})):
            began = time.monotonic()
            status, document, headers = self.ask(process, method, f"/servers/{uuid}{path}", body)
            self.assertEqual(503, status, document)
            self.assertIsNotNone(headers["Retry-After"])
            self.assertLess(time.monotonic() - began, SOON)
        self.assertEqual(200, self.ask(process, "GET", f"/servers/{uuid}")[0])

    def kept(self, process, uuid):
        """A delete is taken, shown, and carried out when the cell is back."""
        began = time.monotonic()
        status, document, _headers = self.ask(process, "DELETE", f"/servers/{uuid}")
        self.assertEqual(204, status, document)
        self.assertLess(time.monotonic() - began, SOON)
        self.assertEqual("deleting", self.servers(process)[uuid]["OS-EXT-STS:task_state"])


class Nowhere(deployment.Deployed):
    def test_flavor_that_fits_nowhere_says_so_to_its_owner(self):
        process = self.deploy()
        uuid = self.created(process, self.flavor(process, "huge", vcpus=100000),
                            user="someone:poor")
        self.assertComesTrue(
            lambda: self.servers(process, "someone:poor")[uuid]["status"] == "ERROR",
            lambda: self.servers(process, "someone:poor"))
        fault = self.servers(process, "someone:poor")[uuid]["fault"]
        self.assertEqual(500, fault["code"])
        self.assertIn("No valid host was found", fault["message"])
        self.assertIn("enough free vCPU", fault["message"])
        self.assertEqual(204, self.ask(process, "DELETE", f"/servers/{uuid}",
                                       user="someone:poor")[0])
        self.assertEqual({}, self.servers(process, "someone:poor"))
