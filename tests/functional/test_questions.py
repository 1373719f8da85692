# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is asked of a guest goes to its host and back, in a whole deployment."""

import urllib.parse

from tests.functional import deployment


class Questions(deployment.Deployed):
    def test_of_a_running_guest(self):
        process = self.deploy()
        uuid = self.created(process, self.flavor(process), tags=["b"])
        self.assertComesTrue(lambda: self.shown(process, uuid)["status"] == "ACTIVE",
                             lambda: self.shown(process, uuid))
        found = self.asked(process, "GET", f"/servers/{uuid}/diagnostics")
        self.assertEqual(("running", 1, {"maximum": 64, "used": 64}), (
            found["state"], found["num_cpus"], found["memory_details"]))
        self.assertEqual({"password": ""}, self.asked(
            process, "GET", f"/servers/{uuid}/os-server-password"))
        console = self.asked(process, "POST", f"/servers/{uuid}/remote-consoles", {
            "remote_console": {"protocol": "vnc", "type": "novnc"}})["remote_console"]
        query = urllib.parse.parse_qs(urllib.parse.urlparse(console["url"]).query)
        token = query["path"][0].removeprefix("?token=")
        self.assertEqual(uuid, self.asked(
            process, "GET", f"/os-console-auth-tokens/{token}")["console"]["instance_uuid"])
        status, fault, _headers = self.ask(process, "POST", f"/servers/{uuid}/remote-consoles", {
            "remote_console": {"protocol": "serial", "type": "serial"}})
        self.assertEqual((400, "Unavailable console type serial."), (
            status, fault["badRequest"]["message"]))
        self.assertEqual(201, self.ask(process, "PUT", f"/servers/{uuid}/tags/a")[0])
        self.assertEqual(["a", "b"], self.shown(process, uuid)["tags"])
        self.assertEqual(204, self.ask(process, "DELETE", f"/servers/{uuid}")[0])
        where = f"/os-console-auth-tokens/{token}"
        self.assertComesTrue(lambda: self.ask(process, "GET", where)[0] == 404, lambda: "token")

    def shown(self, process, uuid):
        return self.asked(process, "GET", f"/servers/{uuid}")["server"]

    def asked(self, process, method, path, body=None):
        status, document, _headers = self.ask(process, method, path, body)
        self.assertEqual(200, status, document)
        return document
