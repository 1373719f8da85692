# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Limits, quota sets and quota classes over REST."""

from tests.rest import desk
from tests.unit.db.view import rows

KEPT = {"instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups",
        "server_group_members"}
INJECTED = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
NETWORK = {"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}
VERSIONS = (("2.1", KEPT | INJECTED | NETWORK), ("2.35", KEPT | INJECTED | NETWORK),
            ("2.36", KEPT | INJECTED), ("2.56", KEPT | INJECTED), ("2.57", KEPT),
            ("2.104", KEPT))
MINE = f"/os-quota-sets/{desk.PROJECT}"


class Base(desk.Desk):
    def server(self, user="u", vcpus=2, ram_mb=100):
        from nova_cells.db.view import tables
        with self.view.write() as tx:
            tx.execute(tables.servers.insert().values(rows.server(
                uuid=self.new_uuid(), project_id=desk.PROJECT, user_id=user, counted=True,
                vcpus=vcpus, ram_mb=ram_mb)))

    def put(self, path=MINE, version="2.57", key="quota_set", **limits):
        return self.call("PUT", path, {key: limits}, version=version).json[key]


class Sets(Base):
    def test_keys_by_version(self):
        for version, names in VERSIONS:
            for path in (MINE, f"{MINE}/defaults", f"{MINE}/detail"):
                shown = self.call("GET", path, version=version).json["quota_set"]
                self.assertEqual(desk.PROJECT, shown.pop("id"))
                self.assertEqual(names, set(shown))
            self.assertEqual(names, set(self.put(version=version, cores=5)))

    def test_defaults(self):
        self.put(cores=99)
        shown = self.call("GET", f"{MINE}/defaults", who="other").json["quota_set"]
        self.assertEqual((10, 20, 51200, 100, 128, -1), tuple(shown[name] for name in (
            "instances", "cores", "ram", "key_pairs", "metadata_items", "fixed_ips")))

    def test_detail(self):
        self.server()
        self.server(user="v", vcpus=3)
        with self.view.write() as tx:
            self.view.quota.hold(tx, "op", "s", desk.PROJECT, "u", 0, 4, 0, 1.0)
        shown = self.call("GET", f"{MINE}/detail").json["quota_set"]
        self.assertEqual({"limit": 20, "in_use": 5, "reserved": 4}, shown["cores"])
        mine = self.call("GET", f"{MINE}/detail?user_id=u").json["quota_set"]
        self.assertEqual({"limit": 20, "in_use": 2, "reserved": 4}, mine["cores"])

    def test_set_and_delete(self):
        self.assertEqual(5120, self.put(ram="5120")["ram"])
        self.assertEqual(2048, self.put(f"{MINE}?user_id=u", ram=2048)["ram"])
        shown = self.call("GET", f"{MINE}?user_id=u").json["quota_set"]
        self.assertEqual(2048, shown["ram"])
        self.call("DELETE", f"{MINE}?user_id=u", status=202)
        self.assertEqual(5120, self.call("GET", f"{MINE}?user_id=u").json["quota_set"]["ram"])
        self.call("DELETE", MINE, status=202)
        self.assertEqual(51200, self.call("GET", MINE).json["quota_set"]["ram"])

    def test_below_what_is_used(self):
        self.server(vcpus=4)
        message = self.fault(400, "PUT", MINE, {"quota_set": {"cores": 3, "ram": 500}})
        self.assertIn("cores", message)
        self.assertEqual(51200, self.call("GET", MINE).json["quota_set"]["ram"])
        self.assertEqual(4, self.put(cores=4)["cores"])
        self.assertEqual(-1, self.put(cores=-1)["cores"])
        for word in (True, "True"):
            self.assertEqual(0, self.put(cores=0, force=word)["cores"])

    def test_a_user_gets_no_more_than_the_project(self):
        self.put(cores=10)
        for limit in (11, -1):
            self.fault(400, "PUT", f"{MINE}?user_id=u", {"quota_set": {"cores": limit}})
        self.assertEqual(10, self.put(f"{MINE}?user_id=u", cores=10)["cores"])

    def test_refused(self):
        for limits in ({"cores": "many"}, {"cores": -2}, {"cores": "-2"}, {"cores": 2**31},
                       {"cores": None}, {"cores": 1.5}, {"cores": ""}, {"cores": True},
                       {"bananas": 1}, {"force": "perhaps"}, {"cores": "9" * 60}):
            self.fault(400, "PUT", MINE, {"quota_set": limits}, version="2.36")
        for body in ({}, {"quota_set": None}, {"quota_set": []}, [],
                     {"quota_set": {}, "more": 1}):
            self.fault(400, "PUT", MINE, body)

    def test_after_their_time(self):
        for version, names in (("2.36", NETWORK), ("2.57", NETWORK | INJECTED)):
            for name in names:
                self.fault(400, "PUT", MINE, {"quota_set": {name: 1}}, version=version)

    def test_who(self):
        self.call("GET", MINE, who="member")
        self.call("GET", f"{MINE}/detail", who="member")
        self.fault(403, "GET", MINE, who="other")
        self.fault(403, "GET", f"{MINE}/detail", who="other")
        self.fault(403, "PUT", MINE, {"quota_set": {"ram": 0}}, who="member")
        self.fault(403, "DELETE", MINE, who="member")

    def test_queries(self):
        self.call("GET", f"{MINE}?color=red", version="2.74")
        self.fault(400, "GET", f"{MINE}?color=red", version="2.75")
        self.fault(400, "GET", f"{MINE}?user_id={'x' * 256}")


class Classes(Base):
    path = "/os-quota-class-sets/default"

    def test_keys_by_version(self):
        groups = {"server_groups", "server_group_members"}
        for version, names in (("2.1", (KEPT | INJECTED | NETWORK) - groups),
                               ("2.49", (KEPT | INJECTED | NETWORK) - groups),
                               ("2.50", KEPT | INJECTED), ("2.57", KEPT)):
            shown = self.call("GET", self.path, version=version).json["quota_class_set"]
            self.assertEqual("default", shown.pop("id"))
            self.assertEqual(names, set(shown))
            raised = {name: limit + 100 for name, limit in shown.items()}
            changed = self.put(self.path, version, "quota_class_set", **raised)
            self.assertEqual(raised, changed)

    def test_the_default_class_is_everybodys_default(self):
        self.put(self.path, "2.57", "quota_class_set", cores=7)
        self.assertEqual(7, self.call("GET", MINE).json["quota_set"]["cores"])

    def test_refused(self):
        for limits in ({"cores": "many"}, {"cores": -2}, {"bananas": 1}, {"cores": None}):
            self.fault(400, "PUT", self.path, {"quota_class_set": limits})
        for body in ({}, {"quota_class_set": None}, {"quota_set": {}}):
            self.fault(400, "PUT", self.path, body)
        self.fault(400, "PUT", f"/os-quota-class-sets/{'x' * 256}",
                   {"quota_class_set": {"cores": 1}})
        self.fault(400, "PUT", self.path, {"quota_class_set": {"fixed_ips": 1}},
                   version="2.50")
        self.fault(403, "GET", self.path, who="member")
        self.fault(403, "PUT", self.path, {"quota_class_set": {"cores": 1}}, who="member")


class Limits(Base):
    def absolute(self, query="", **how):
        body = self.call("GET", f"/limits?{query}", **how).json
        self.assertEqual([], body["limits"]["rate"])
        self.assertEqual({"rate", "absolute"}, set(body["limits"]))
        return body["limits"]["absolute"]

    def test_keys_by_version(self):
        kept = {"maxTotalInstances", "maxTotalCores", "maxTotalRAMSize", "maxTotalKeypairs",
                "maxServerMeta", "maxServerGroups", "maxServerGroupMembers",
                "totalInstancesUsed", "totalCoresUsed", "totalRAMUsed",
                "totalServerGroupsUsed"}
        files = {"maxPersonality", "maxPersonalitySize"}
        network = {"maxTotalFloatingIps", "maxSecurityGroups", "maxSecurityGroupRules",
                   "totalFloatingIpsUsed", "totalSecurityGroupsUsed"}
        for version, names in (("2.1", kept | files | network | {"maxImageMeta"}),
                               ("2.35", kept | files | network | {"maxImageMeta"}),
                               ("2.36", kept | files | {"maxImageMeta"}),
                               ("2.39", kept | files), ("2.57", kept), ("2.104", kept)):
            self.assertEqual(names, set(self.absolute(version=version)), version)

    def test_usage(self):
        self.server(vcpus=3, ram_mb=7)
        with self.view.write() as tx:
            self.view.quota.hold(tx, "op", "s", desk.PROJECT, "u", 0, 4, 0, 1.0)
        shown = self.absolute(who="member")
        self.assertEqual((1, 3, 7), tuple(shown[f"total{name}Used"]
                                          for name in ("Instances", "Cores", "RAM")))
        self.assertEqual(7, self.absolute("reserved=1", who="member")["totalCoresUsed"])

    def test_other_projects(self):
        self.server()
        self.assertEqual(1, self.absolute(f"tenant_id={desk.PROJECT}")["totalInstancesUsed"])
        self.assertEqual(0, self.absolute("tenant_id=elsewhere")["totalInstancesUsed"])
        self.fault(403, "GET", "/limits?tenant_id=elsewhere", who="member")
        self.fault(400, "GET", "/limits?color=red", version="2.75")
