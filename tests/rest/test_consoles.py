# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Addresses of consoles, and their tokens."""

import urllib.parse

from nova_cells.domain import consoles
from tests.rest import base

NOVNC = {"remote_console": {"protocol": "vnc", "type": "novnc"}}


class Consoles(base.RestCase):
    def open(self, uuid, protocol="vnc", kind="novnc", version="2.6", **more):
        return self.ask("POST", f"/servers/{uuid}/remote-consoles",
                        {"remote_console": {"protocol": protocol, "type": kind}},
                        version=version, **more)

    def token(self, uuid, **how):
        url = self.open(uuid, **how).json["remote_console"]["url"]
        query = urllib.parse.parse_qs(urllib.parse.urlparse(url).query)
        if "token" in query:
            return query["token"][0]
        return urllib.parse.parse_qs(urllib.parse.urlparse(query["path"][0]).query)["token"][0]

    def shown(self, token, version="2.31"):
        return self.ask("GET", f"/os-console-auth-tokens/{token}", version=version,
                        token=base.ADMIN)

    def test_address_and_token(self):
        uuid = self.create()
        given = self.open(uuid).json["remote_console"]
        self.assertEqual({"protocol", "type", "url"}, set(given))
        self.assertTrue(given["url"].startswith("http://proxy.example/novnc?path="))
        token = self.token(uuid)
        answer = self.shown(token)
        self.assertEqual((200, {"console": {
            "instance_uuid": uuid, "host": "10.0.0.7", "port": 5901,
            "internal_access_path": None}}), (answer.status, answer.json))
        self.assertEqual(403, self.ask("GET", f"/os-console-auth-tokens/{token}",
                                       version="2.31").status)
        self.assertEqual(400, self.shown(token, version="2.30").status)
        self.assertEqual(400, self.ask("GET", f"/os-console-auth-tokens/{token}?x=1",
                                       token=base.ADMIN, version="2.99").status)

    def test_old_actions(self):
        uuid = self.create()
        answer = self.act(uuid, "os-getVNCConsole", {"type": "novnc"})
        self.assertEqual((200, "novnc"), (answer.status, answer.json["console"]["type"]))
        self.assertIn("token%3D", answer.json["console"]["url"])
        self.assertEqual(404, self.act(uuid, "os-getVNCConsole", {"type": "novnc"},
                                       version="2.6").status)
        for key, kind in (("os-getVNCConsole", "xvpvnc"), ("os-getVNCConsole", "serial"),
                          ("os-getSPICEConsole", "spice-html5"), ("os-getRDPConsole", "rdp-html5"),
                          ("os-getSerialConsole", "serial")):
            self.assertEqual(400, self.act(uuid, key, {"type": kind}).status, key)
        self.child.consoles.append("serial")
        answer = self.act(uuid, "os-getSerialConsole", {"type": "serial"})
        self.assertIn("/serial?token=", answer.json["console"]["url"])

    def test_kinds(self):
        uuid = self.create()
        self.child.consoles = list(consoles.KINDS)
        for protocol, kind, since in (("vnc", "novnc", 6), ("spice", "spice-html5", 6),
                                      ("serial", "serial", 6), ("mks", "webmks", 8),
                                      ("spice", "spice-direct", 99)):
            for version in (6, 7, 8, 98, 99, 104):
                answer = self.open(uuid, protocol, kind, version=f"2.{version}")
                self.assertEqual(200 if version >= since else 400, answer.status,
                                 (kind, version, answer.text))
        for protocol, kind in (("vnc", "serial"), ("vnc", "xvpvnc"), ("rdp", "rdp-html5"),
                               ("serial", "novnc"), ("telnet", "novnc")):
            self.assertEqual(400, self.open(uuid, protocol, kind).status, kind)
        direct = self.token(uuid, protocol="spice", kind="spice-direct", version="2.99")
        self.assertEqual(5902, self.shown(direct, "2.99").json["console"]["tls_port"])
        self.assertNotIn("tls_port", self.shown(direct, "2.98").json["console"])
        self.assertNotIn("tls_port", self.shown(self.token(uuid), "2.99").json["console"])

    def test_not_offered(self):
        answer = self.open(self.create(), "spice", "spice-html5")
        self.assertEqual((400, "Unavailable console type spice-html5."),
                         (answer.status, answer.message))

    def test_token_ends(self):
        uuid = self.create()
        token = self.token(uuid)
        self.clock.now += 590
        self.assertEqual(200, self.shown(token).status)
        self.clock.now += 20
        answer = self.shown(token)
        self.assertEqual((404, "Token not found"), (answer.status, answer.message))

    def test_token_is_worth_nothing_once_the_server_is_elsewhere_or_gone(self):
        moved, gone = self.create(), self.create()
        tokens = [self.token(moved), self.token(gone)]
        record = self.child.records[moved]
        with self.view.write() as tx:
            self.view.servers.apply(tx, base.model.replace(
                record, version=record.version + 1, host="node-2"), base.CELL, self.clock.time())
        self.ask("DELETE", f"/servers/{gone}")
        self.assertEqual([404, 404], [self.shown(token).status for token in tokens])

    def test_what_is_no_token(self):
        secret = self.view.seal.close(b"something else").decode()
        for token in ("x", "a" * 300, secret, "%C3%A4", "00000000-0000-4000-8000-000000000000"):
            self.assertEqual(404, self.shown(token).status, token)

    def test_when_and_who(self):
        uuid = self.create()
        self.assertEqual(404, self.open(uuid, token=base.OTHER).status)
        self.assertEqual(404, self.open(uuid, version="2.5").status)
        self.assertEqual(409, self.open(self.create(run=False)).status)
