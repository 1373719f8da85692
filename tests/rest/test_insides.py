# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Diagnostics, topology, the posted password, and shares that nobody can mount."""

from tests.rest import base


class Insides(base.RestCase):
    def of(self, uuid, what, version="2.1", token=base.ADMIN, method="GET"):
        return self.ask(method, f"/servers/{uuid}/{what}", version=version, token=token)

    def test_diagnostics(self):
        uuid = self.create()
        self.assertEqual({"cpu0_time": 7, "vda_read": 5, "memory": 524288},
                         self.of(uuid, "diagnostics", "2.47").json)
        self.clock.now += 60
        shown = self.of(uuid, "diagnostics", "2.48").json
        self.assertEqual(("running", 1, 0, 1, 60, {"maximum": 512, "used": None}), (
            shown["state"], shown["num_cpus"], shown["num_nics"], shown["num_disks"],
            shown["uptime"], shown["memory_details"]))
        self.assertEqual({"id": 0, "time": 7, "utilisation": None}, shown["cpu_details"][0])
        self.assertEqual({
            "state", "driver", "hypervisor", "hypervisor_os", "uptime", "config_drive",
            "num_cpus", "num_nics", "num_disks", "memory_details", "cpu_details", "nic_details",
            "disk_details"}, set(shown))

    def test_diagnostics_are_for_admins(self):
        uuid = self.create()
        self.assertEqual(403, self.of(uuid, "diagnostics", token=base.MEMBER).status)
        self.assertEqual(409, self.of(self.create(run=False), "diagnostics").status)
        self.assertEqual(200, self.of(uuid, "diagnostics?x=1", "2.101").status)
        self.assertEqual(400, self.of(uuid, "diagnostics?x=1", "2.102").status)

    def test_topology(self):
        uuid = self.create()
        self.assertEqual({"nodes": [], "pagesize_kb": None},
                         self.of(uuid, "topology", "2.78", base.MEMBER).json)
        self.assertEqual(404, self.of(uuid, "topology", "2.77").status)
        self.assertEqual(404, self.of(uuid, "topology", "2.78", base.OTHER).status)

    def test_password(self):
        uuid, waiting = self.create(), self.create(run=False)
        where = "os-server-password"
        for one in (uuid, waiting):
            self.assertEqual({"password": ""}, self.of(one, where, token=base.MEMBER).json)
        self.child.passwords[uuid] = "c2VhbGVk"
        self.assertEqual({"password": "c2VhbGVk"}, self.of(uuid, where, token=base.MEMBER).json)
        self.assertEqual(404, self.of(uuid, where, token=base.OTHER).status)
        for one in (uuid, waiting):
            self.assertEqual(204, self.of(one, where, method="DELETE").status)
        self.assertEqual({"password": ""}, self.of(uuid, where).json)

    def test_shares(self):
        uuid = self.create()
        share = "5e1f0000-0000-4000-8000-000000000001"
        self.assertEqual({"shares": []}, self.of(uuid, "shares", "2.97").json)
        self.assertEqual(404, self.of(uuid, "shares", "2.96").status)
        body = {"share": {"share_id": share, "tag": "a"}}

        def attach(body=body):
            return self.ask("POST", f"/servers/{uuid}/shares", body, version="2.97")
        self.assertIn("vm_state active", attach().message)
        self.assertEqual(409, self.of(uuid, f"shares/{share}", "2.97", method="DELETE").status)
        self.act(uuid, "os-stop")
        self.assertIn("Feature not supported", attach().message)
        self.assertEqual(409, attach().status)
        for wrong in ({}, {"share": {}}, {"share": {"share_id": "x"}},
                      {"share": {"share_id": share, "tag": "a b"}}):
            self.assertEqual(400, attach(wrong).status)
        for method in ("GET", "DELETE"):
            answer = self.of(uuid, f"shares/{share}", "2.97", method=method)
            self.assertEqual((404, f"Share {share} could not be found."),
                             (answer.status, answer.message))
