# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""os-hosts, usage reports and the audit log over REST."""

import datetime

from nova_cells.domain import records
from tests.rest import base, tempest_schemas

HOST = base.CELL[:-4] + "0bad"


class Case(base.RestCase):
    def setUp(self):
        super().setUp()
        self.keep(2)

    def keep(self, version, **facts):
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=HOST, name="node-1", version=version,
                totals={"VCPU": 8, "MEMORY_MB": 8192, "DISK_GB": 100}, **facts), version, 1.0)

    def get(self, path, version="2.1", status=200, schema=None, token=base.ADMIN, method="GET",
            body=None):
        answer = self.ask(method, path, body, token=token, version=version)
        self.assertEqual(status, answer.status, answer.text)
        if schema:
            tempest_schemas.check(*schema, version, status, answer.json)
        return answer.json if status == 200 else answer.message


class Hosts(Case):
    def test_list(self):
        found = self.get("/os-hosts", schema=("hosts", "list_hosts"))["hosts"]
        self.assertEqual({("cell1", "conductor", "internal"), ("cell1", "scheduler", "internal"),
                          ("node-1", "compute", "nova")},
                         {(one["host_name"], one["service"], one["zone"]) for one in found})
        self.assertEqual(1, len(self.get("/os-hosts?zone=nova&more=1")["hosts"]))
        self.assertEqual(3, len(self.get("/os-hosts?zone=")["hosts"]))
        self.assertEqual([], self.get("/os-hosts?zone=x")["hosts"])

    def test_show(self):
        self.create()
        self.create(token=base.OTHER)
        rows = self.get("/os-hosts/node-1", schema=("hosts", "get_host_detail"))["host"]
        self.assertEqual([("(total)", 8, 8192, 100), ("(used_now)", 2, 1024, 2),
                          ("(used_max)", 2, 1024, 2), ("apples", 1, 512, 1),
                          ("bananas", 1, 512, 1)],
                         [tuple(row["resource"][key] for key in (
                             "project", "cpu", "memory_mb", "disk_gb")) for row in rows])

    def test_update(self):
        for word, shown in (("disable", "disabled"), ("Enable", "enabled")):
            self.assertEqual({"host": "node-1", "status": shown}, self.get(
                "/os-hosts/node-1", method="PUT", body={"status": word},
                schema=("hosts", "update_host")))
        for body in ({}, {"status": "on"}, {"maintenance_mode": "x"}, {"more": 1}):
            self.get("/os-hosts/node-1", status=400, method="PUT", body=body)
        self.get("/os-hosts/node-1", status=501, method="PUT",
                 body={"maintenance_mode": "enable"})

    def test_what_no_host_can(self):
        for action in ("startup", "shutdown", "reboot"):
            self.get(f"/os-hosts/node-1/{action}", status=501)
            self.get(f"/os-hosts/none/{action}", status=404)
            self.get(f"/os-hosts/node-1/{action}", status=403, token=base.MEMBER)
        self.keep(3, up=False)
        self.get("/os-hosts/node-1/reboot", status=400)

    def test_gone_from_2_43(self):
        for path in ("/os-hosts", "/os-hosts/node-1", "/os-hosts/node-1/reboot"):
            self.get(path, "2.43", 404)
        self.get("/os-hosts/none", status=404)
        self.get("/os-hosts/none", status=404, method="PUT", body={"status": "enable"})


class Usage(Case):
    def setUp(self):
        super().setUp()
        self.first, self.second = self.create(), self.create()
        self.other = self.create(token=base.OTHER)
        self.clock.now += 7200
        self.ask("DELETE", f"/servers/{self.second}")
        self.clock.now += 3600

    def times(self, back=10800.0):
        start = datetime.datetime.fromtimestamp(self.clock.now - back, datetime.UTC)
        end = datetime.datetime.fromtimestamp(self.clock.now + 60, datetime.UTC)
        return f"start={start:%Y-%m-%dT%H:%M:%S}&end={end:%Y-%m-%dT%H:%M:%S}"

    def test_all_projects(self):
        for version in ("2.1", "2.40", "2.75", "2.104"):
            found = self.get(f"/os-simple-tenant-usage?{self.times(86400)}&detailed=1", version,
                             schema=("tenant_usages", "list_tenant_usage"))["tenant_usages"]
            self.assertEqual(["apples", "bananas"], [one["tenant_id"] for one in found])
            self.assertAlmostEqual(5.0, found[0]["total_hours"], 1)      # three, and two
            self.assertAlmostEqual(5.0 * 512, found[0]["total_memory_mb_usage"], -2)
            states = {one["instance_id"]: one["state"] for one in found[0]["server_usages"]}
            self.assertEqual({self.first: "active", self.second: "terminated"}, states)
        brief = self.get(f"/os-simple-tenant-usage?{self.times()}")["tenant_usages"]
        self.assertNotIn("server_usages", brief[0])

    def test_period(self):
        found = self.get(f"/os-simple-tenant-usage/apples?{self.times(1800)}")["tenant_usage"]
        self.assertEqual([self.first], [one["instance_id"] for one in found["server_usages"]])
        self.assertAlmostEqual(0.5, found["total_hours"], 1)
        old = "start=2001-01-01T00:00:00&end=2001-01-02T00:00:00"
        self.assertEqual({"tenant_usage": {}}, self.get(f"/os-simple-tenant-usage/apples?{old}"))
        self.assertEqual({"tenant_usages": []}, self.get(f"/os-simple-tenant-usage?{old}"))
        for query in ("start=yesterday", "end=2001-01-01T00:00:00",
                      "start=2001-01-02T00:00:00&end=2001-01-01T00:00:00"):
            self.get(f"/os-simple-tenant-usage?{query}", status=400)
        self.get("/os-simple-tenant-usage?more=1", "2.74")
        self.get("/os-simple-tenant-usage?more=1", "2.75", 400)

    def test_one_project(self):
        path = f"/os-simple-tenant-usage/apples?{self.times(86400)}"
        mine = self.get(path, token=base.MEMBER, schema=("tenant_usages", "get_tenant_usage"))
        self.assertEqual(2, len(mine["tenant_usage"]["server_usages"]))
        self.get(path, token=base.OTHER, status=403)
        self.get("/os-simple-tenant-usage", token=base.MEMBER, status=403)

    def test_pages(self):
        query, seen = f"{self.times(86400)}&detailed=1&limit=2", []
        for _page in range(3):
            body = self.get(f"/os-simple-tenant-usage?{query}", "2.40")
            seen += [one["instance_id"] for project in body["tenant_usages"]
                     for one in project["server_usages"]]
            if "tenant_usages_links" not in body:
                break
            query = body["tenant_usages_links"][0]["href"].partition("?")[2]
        self.assertEqual({self.first, self.second, self.other}, set(seen))
        self.assertEqual(3, len(seen))
        body = self.get(f"/os-simple-tenant-usage/apples?{self.times(86400)}&limit=1", "2.40")
        self.assertIn("/os-simple-tenant-usage/apples?", body["tenant_usage_links"][0]["href"])
        self.get("/os-simple-tenant-usage?marker=none", "2.40", 400)


class Audit(Case):
    def test_nothing_was_audited(self):
        found = self.get("/os-instance_usage_audit_log", schema=(
            "instance_usage_audit_logs", "list_instance_usage_audit_log"))
        self.assertEqual("2023-10-01 00:00:00", found["instance_usage_audit_logs"][
            "period_beginning"])
        found = self.get("/os-instance_usage_audit_log/2024-01-15%2010:00:00", schema=(
            "instance_usage_audit_logs", "get_instance_usage_audit_log"))
        log = found["instance_usage_audit_log"]
        self.assertEqual(("2023-12-01 00:00:00", "2024-01-01 00:00:00", ["node-1"],
                          "0 of 1 hosts done. 0 errors."), tuple(log[key] for key in (
                              "period_beginning", "period_ending", "hosts_not_run",
                              "overall_status")))

    def test_wrong(self):
        for given in ("soon", "0001-01-01 00:00:00", "2024-13-01 00:00:00"):
            self.get(f"/os-instance_usage_audit_log/{given}", status=400)
        self.get("/os-instance_usage_audit_log", status=403, token=base.MEMBER)
