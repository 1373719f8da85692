# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a deployment tells of itself: one boot is followed by its request id through every service's
log, no secret is in any line, and its figures and its health are at their port."""

import base64
import json
import urllib.request

from nova_cells.image import fake
from tests.functional import deployment
from tests.servers import process

CONF = deployment.CONF.format(
    delay=0.0, instances=-1, cells="cell1, cell2").replace(
    "[DEFAULT]", "[DEFAULT]\ndebug = true\nuse_json = true\nlog_file = {log}") + """
[cell.cell1]
transport_url = local://nova:canary-of-the-bus@one/cell1
[cell.cell2]
transport_url = local://nova:canary-of-the-bus@two/cell2
[metrics]
port = {port}
"""
USER_DATA = "canary-of-the-user-data"
PASSWORD = "canary-of-the-admin"
FILE = "canary-of-a-file"
TOKEN = "canary-of-the-token"


class Telling(deployment.Deployed):
    def setUp(self):
        super().setUp()
        self.port, self.log = process.free_port(), f"{self.folder}/log"
        self.running = self.start("--config-file", self.file(
            CONF.format(port=self.port, log=self.log)))

    def lines(self):
        """Every line of the log, decoded."""
        with open(self.log) as file:
            return [json.loads(line) for line in file]

    def told(self, path):
        """What is at the port of [metrics]."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as reply:
            return reply.read().decode()

    def booted(self):
        """(uuid, request id) of a server that runs, made with every kind of secret."""
        # Up to 2.56 a request may carry files; the token is the user's name and project.
        request = urllib.request.Request(
            self.running.url + "/v2.1/servers", method="POST",
            headers={"X-Auth-Token": f"{TOKEN}:demo", "Content-Type": "application/json",
                     "OpenStack-API-Version": "compute 2.50"},
            data=json.dumps({"server": {
                "name": "s", "imageRef": fake.CIRROS, "flavorRef": self.flavor(self.running),
                "networks": "none", "adminPass": PASSWORD,
                "user_data": base64.b64encode(USER_DATA.encode()).decode(),
                "personality": [{"path": "/etc/x", "contents":
                                 base64.b64encode(FILE.encode()).decode()}]}}).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            uuid = json.loads(reply.read())["server"]["id"]
            asked = reply.headers["X-OpenStack-Request-Id"]
        self.assertComesTrue(lambda: self.statuses(self.running).get(uuid) == "ACTIVE",
                             lambda: self.statuses(self.running))
        return uuid, asked

    def test_one_boot(self):
        uuid, asked = self.booted()
        mine = [line for line in self.lines() if line["context"]["request_id"] == asked]
        self.assertEqual({"standalone", "conductor", "compute"},
                         {line["context"]["service"] for line in mine})
        for line in mine:
            if line["context"]["service"] != "standalone":       # there it is the API's
                self.assertEqual(uuid, line["context"]["server"])
                self.assertRegex(line["context"]["cell"], "^cell[12]$")
            self.assertTrue(line["context"]["host"], line)
        self.figures()
        self.secrets()

    def figures(self):
        """They are there, and they say what was done."""
        text = self.told("/metrics").splitlines()
        for line in (
                'nova_cells_api_requests_total{method="POST",route="/servers",status="2xx"} 1.0',
                'nova_cells_messages_total{kind="Boot",outcome="ok",service="conductor"} 1.0',
                'nova_cells_messages_total{kind="Task",outcome="ok",service="compute"} 1.0',
                'nova_cells_messages_total{kind="Report",outcome="ok",service="conductor"} 1.0',
                'nova_cells_hosts{cell="cell1",state="up"} 1.0',
                'nova_cells_operations_late{cell="cell2"} 0.0'):
            self.assertIn(line, text)
        for path in ("/healthz", "/readyz"):
            self.assertEqual([], list(json.loads(self.told(path))["wrong"]))
            self.assertEqual(200, self.running.get(path, token="")[0])

    def secrets(self):
        """At DEBUG, from everybody, libraries too: in no form."""
        with open(self.log) as file:
            log = file.read()
        self.assertIn('"levelname": "DEBUG"', log)
        for canary in (USER_DATA, PASSWORD, FILE, "canary-of-the-bus"):
            for form in (canary, base64.b64encode(canary.encode()).decode()):
                self.assertNotIn(form, log)
        self.assertNotIn(f"{TOKEN}:demo", log)
