# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Hypervisors over REST: documents by version, what is used, pages, search."""

from nova_cells.domain import records
from tests.rest import base, tempest_schemas

HOST = base.CELL[:-4] + "0bad"
SECOND = "0c000000-0000-4000-8000-00000000000c"
TOTALS = {"VCPU": 8, "MEMORY_MB": 8192, "DISK_GB": 100}
CUTS = ("2.1", "2.27", "2.28", "2.33", "2.52", "2.53", "2.75", "2.87", "2.88", "2.104")


class Hypervisors(base.RestCase):
    def setUp(self):
        super().setUp()
        with self.view.write() as tx:
            for number, (uuid, name) in enumerate(((HOST, "node-1"), (SECOND, "node-2")), 2):
                self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                    uuid=uuid, name=name, version=number, hypervisor_type="fake", totals=TOTALS,
                    hypervisor_hostname=f"{name}.example", hypervisor_version=7,
                    address="192.0.2.7", cpu_info='{"arch": "x86_64"}'), number, 1.0)

    def get(self, path="", version="2.1", status=200, schema=None):
        answer = self.ask("GET", f"/os-hypervisors{path}", token=base.ADMIN, version=version)
        self.assertEqual(status, answer.status, answer.text)
        if schema and version not in ("2.88", "2.104"):      # Tempest has no schema of 2.88
            tempest_schemas.check("hypervisors", schema, version, status, answer.json)
        return answer.json if status == 200 else answer.message

    def first(self, version):
        return self.get(version=version)["hypervisors"][0]["id"]

    def test_documents(self):
        brief = {"id", "hypervisor_hostname", "state", "status"}
        whole = brief | {"hypervisor_type", "hypervisor_version", "host_ip", "service"}
        amounts = {"vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used",
                   "local_gb_used", "free_ram_mb", "free_disk_gb", "current_workload",
                   "running_vms", "disk_available_least", "cpu_info"}
        for version in CUTS:
            new = version in ("2.88", "2.104")
            listed = self.get(version=version, schema="list_search_hypervisors")["hypervisors"]
            self.assertEqual([brief, brief], [set(one) for one in listed])
            detail = self.get("/detail", version, schema="list_hypervisors_detail")["hypervisors"]
            shown = self.get(f"/{listed[0]['id']}", version, schema="get_hypervisor")["hypervisor"]
            self.assertEqual(whole | ({"uptime"} if new else amounts), set(shown))
            self.assertEqual(("node-1.example", "node-1", "192.0.2.7"), (
                shown["hypervisor_hostname"], shown["service"]["host"], shown["host_ip"]))
            extra = {"servers": []} if version in ("2.75", "2.87", "2.88", "2.104") else {}
            if version not in ("2.1", "2.27", "2.28", "2.33", "2.52"):
                self.assertEqual(listed[0] | extra, self.get(
                    "?with_servers=true", version)["hypervisors"][0])
            self.assertEqual(shown, detail[0])
        self.assertEqual({"arch": "x86_64"}, self.get(
            f"/{self.first('2.28')}", "2.28")["hypervisor"]["cpu_info"])

    def test_what_is_used_follows_the_servers(self):
        uuid = self.create()
        self.create(run=False)
        shown = self.get(f"/{self.first('2.53')}", "2.53")["hypervisor"]
        self.assertEqual((1, 512, 1, 1, 7680, 99, 0), tuple(shown[key] for key in (
            "vcpus_used", "memory_mb_used", "local_gb_used", "running_vms", "free_ram_mb",
            "free_disk_gb", "current_workload")))
        stats = self.get("/statistics", "2.87", schema="get_hypervisor_statistics")[
            "hypervisor_statistics"]
        self.assertEqual((2, 16, 1, 1, 200), tuple(stats[key] for key in (
            "count", "vcpus", "vcpus_used", "running_vms", "local_gb")))
        found = self.get("?with_servers=1&hypervisor_hostname_pattern=node-1", "2.53")
        self.assertEqual([{"uuid": uuid, "name": "a"}], found["hypervisors"][0]["servers"])
        found = self.get("/node/servers", "2.52", schema="get_hypervisors_servers")["hypervisors"]
        self.assertEqual([{"uuid": uuid, "name": "a"}], found[0]["servers"])
        self.assertNotIn("servers", found[1])
        self.ask("DELETE", f"/servers/{uuid}")
        self.assertEqual(0, self.get(f"/{self.first('2.53')}", "2.53")["hypervisor"][
            "running_vms"])

    def test_search(self):
        for version in ("2.1", "2.52"):
            found = self.get("/node-2/search", version, schema="list_search_hypervisors")
            self.assertEqual(["node-2.example"], [one["hypervisor_hostname"]
                                                  for one in found["hypervisors"]])
            self.assertIn("No hypervisor matching 'zzz'", self.get("/zzz/search", version, 404))
            self.get("/zzz/servers", version, 404)
        for path in ("/node/search", "/node/servers"):
            self.get(path, "2.53", 404)
        self.get("?hypervisor_hostname_pattern=zzz", "2.53", 404)
        self.get("?hypervisor_hostname_pattern=node&limit=1", "2.53", 400)

    def test_pages(self):
        for version in ("2.33", "2.53", "2.104"):
            page = self.get("?limit=1", version)
            self.assertEqual(1, len(page["hypervisors"]))
            following = page["hypervisors_links"][0]["href"].partition("?")[2]
            rest = self.get(f"?{following}", version)["hypervisors"]
            self.assertEqual("node-2.example", rest[0]["hypervisor_hostname"])
            self.get("?marker=none", version, 400)
        self.assertEqual(2, len(self.get("?limit=1", "2.32")["hypervisors"]))
        self.get("?color=red", "2.52")
        self.get("?color=red", "2.53", 400)
        self.get("?with_servers=perhaps", "2.53", 400)

    def test_not_found(self):
        for version, name, status in (("2.1", "nope", 404), ("2.1", "99", 404),
                                      ("2.53", "99", 400), ("2.53", base.CELL, 404)):
            self.get(f"/{name}", version, status)
            self.get(f"/{name}/uptime", version, status)
        self.get("/statistics", "2.88", 404)
        self.get(f"/{HOST}/uptime", "2.88", 404)

    def test_uptime(self):
        self.get(f"/{HOST}/uptime", "2.53", 501)
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=HOST, name="node-1", version=9, up=False), 9, 1.0)
        self.assertIn("unavailable", self.get(f"/{HOST}/uptime", "2.53", 400))
        self.assertEqual("down", self.get(version="2.53")["hypervisors"][0]["state"])

    def test_not_for_everybody(self):
        for path in ("", "/detail", "/statistics", f"/{HOST}", f"/{HOST}/uptime", "/n/search",
                     "/n/servers"):
            self.assertEqual(403, self.ask("GET", f"/os-hypervisors{path}").status)
