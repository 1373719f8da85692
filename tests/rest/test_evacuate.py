# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""evacuate: bodies, versions, passwords, who may; that the host is down is for the cell to say."""

from nova_cells.domain import commands, records
from tests.rest import base


class Evacuate(base.RestCase):
    def setUp(self):
        super().setUp()
        self.uuid = self.create()
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid="00000002-0000-4000-8000-000000000000", name="node-2", version=1), 1,
                self.clock.time())

    def evacuate(self, version="2.14", token=base.ADMIN, **fields):
        return self.act(self.uuid, "evacuate", fields, version=version, token=token)

    def wanted(self):
        act = [call for call in self.child.calls if isinstance(call, commands.Act)][-1]
        self.assertEqual("evacuate", act.verb)
        return act.wanted

    def password(self):
        return self.view.seal.open_secrets(self.wanted().secrets).admin_password

    def test_bodies_by_version(self):
        for version, body, status in (
                ("2.1", {"onSharedStorage": False}, 200), ("2.1", {}, 400),
                ("2.13", {"onSharedStorage": "True"}, 200), ("2.14", {}, 200),
                ("2.14", {"onSharedStorage": False}, 400), ("2.14", {"host": "node-2"}, 200),
                ("2.28", {"host": "node-2", "force": True}, 400),
                ("2.29", {"host": "node-2", "force": True}, 200),
                ("2.67", {"host": "node-2", "force": "maybe"}, 400),
                ("2.68", {"host": "node-2", "force": True}, 400), ("2.104", {}, 200),
                ("2.104", {"host": None}, 400), ("2.104", {"host": ""}, 400),
                ("2.104", {"adminPass": 3}, 400), ("2.104", {"x": 1}, 400)):
            answer = self.evacuate(version, **body)
            self.assertEqual(status, answer.status, (version, body, answer.text))
            if status == 200 and version not in ("2.1", "2.13"):
                self.assertEqual("", answer.text)
        for body in (None, [], "x"):
            self.assertEqual(400, self.act(self.uuid, "evacuate", body,
                                           token=base.ADMIN).status, body)

    def test_passwords(self):
        told = self.evacuate("2.13", onSharedStorage=False).json
        self.assertEqual({"adminPass": self.password()}, told)
        self.assertEqual(12, len(self.password()))
        told = self.evacuate("2.1", onSharedStorage=False, adminPass="hunter2").json
        self.assertEqual({"adminPass": "hunter2"}, told)
        self.assertEqual("hunter2", self.password())
        answer = self.evacuate("2.1", onSharedStorage=True, adminPass="hunter2")
        self.assertEqual((400, "admin password can't be changed on existing disk"),
                         (answer.status, answer.message))
        self.assertEqual({"adminPass": None},
                         self.evacuate("2.1", onSharedStorage=True).json)
        self.assertEqual("1", self.wanted().options["shared"])
        self.assertEqual("", self.evacuate("2.14", adminPass="hunter2").text)
        self.assertEqual("hunter2", self.password())
        self.assertNotIn("hunter2", repr(self.child.calls[-1]))

    def test_stopped_from_2_95_on(self):
        for version, options in (("2.94", {}), ("2.95", {"stopped": "1"})):
            self.evacuate(version)
            self.assertEqual(options, self.wanted().options, version)

    def test_hosts(self):
        answer = self.evacuate(host="nowhere")
        self.assertEqual((404, "Compute host nowhere not found."),
                         (answer.status, answer.message))
        answer = self.evacuate(host="node-1")
        self.assertEqual((400, "The target host can't be the same one."),
                         (answer.status, answer.message))
        answer = self.evacuate("2.29", force=True)
        self.assertEqual((400, "Can't force to a non-provided destination"),
                         (answer.status, answer.message))
        for version, more, options in (("2.14", {}, {"forced": "1"}), ("2.29", {}, {}),
                                       ("2.67", {"force": True}, {"forced": "1"}),
                                       ("2.68", {}, {})):
            self.evacuate(version, host="node-2", **more)
            self.assertEqual(("node-2", options), (self.wanted().host, self.wanted().options))

    def test_who_may_and_when(self):
        self.assertEqual(403, self.evacuate(token=base.MEMBER).status)
        self.assertEqual(404, self.evacuate(token=base.OTHER).status)
        self.act(self.uuid, "lock")
        self.assertEqual(200, self.evacuate().status)
        self.act(self.uuid, "unlock")
        self.act(self.uuid, "pause")
        answer = self.evacuate()
        self.assertEqual(409, answer.status)
        self.assertIn("Cannot 'evacuate' instance", answer.message)


class WithoutPasswords(Evacuate):
    options = {"enable_instance_password": False}

    def test_passwords(self):
        self.assertEqual("", self.evacuate("2.13", onSharedStorage=False).text)
