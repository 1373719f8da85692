# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hosts as processes of their own, two conductors: killed, stopped, back, forgotten."""

import unittest

import testtools

from tests.processes import deployment
from tests.servers import process


class Hosts(testtools.TestCase):
    def deploy(self, **how):
        try:
            made = deployment.Deployment(cells=1, hosts=2, conductors=2, database="sqlite", **how)
        except process.Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        self.addCleanup(made.remove)
        return made.start()

    def states(self, deployed):
        return {row["name"]: row["state"] for row in deployed.manage("host", "list", "c1")}

    def comes(self, deployed, host, state):
        deployed.wait_for(lambda: self.states(deployed).get(host) == state, f"{host} is {state}")

    def test_killed_and_back(self):
        deployed = self.deploy()
        agent = deployed.services["compute-c1-h1"]
        agent.kill()
        self.comes(deployed, "c1-h1", "down")
        self.assertEqual("up", self.states(deployed)["c1-h2"])
        agent.start()
        self.comes(deployed, "c1-h1", "up")

    def test_stopped_forgotten_and_back(self):
        """An hour of silence would not be too long here: the goodbye alone says it."""
        deployed = self.deploy(host_down_after=3600.0)
        deployed.stop("compute-c1-h1")
        self.comes(deployed, "c1-h1", "down")
        deployed.manage("host", "forget", "c1", "c1-h1", plain=True)
        self.assertEqual({"c1-h2": "up"}, self.states(deployed))
        deployed.services["compute-c1-h1"].start()
        self.comes(deployed, "c1-h1", "up")
        self.assertEqual([], deployed.verify())
