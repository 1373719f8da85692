# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Old routes to the services for networks and volumes; another name of /servers."""

import json

from oslo_config import cfg

from nova_cells.api import compute, forwarding, microversion
from nova_cells.conf import network, volume
from nova_cells.domain import errors
from tests.rest import base, neighbours

NET = "0e700000-0000-4000-8000-000000000001"
GROUP = "5ec00000-0000-4000-8000-000000000001"
OTHER_GROUP = "5ec00000-0000-4000-8000-000000000002"
PREFIXES = ("/os-networks", "/os-tenant-networks", "/os-floating-ip", "/os-security-group",
            "/os-volumes", "/os-snapshots", "/os-baremetal-nodes")


def old_routes():
    return [action for action in compute.actions() if action.path.startswith(PREFIXES)
            and not action.path.startswith("/os-volumes_boot") and not action.gone
            and not action.path.startswith("/os-security-group-default")]


class Alone(base.RestCase):
    """No such service."""

    def test_windows_and_what_is_said(self):
        bodies = {"volumes:create": {"volume": {"size": 1}},
                  "snapshots:create": {"snapshot": {"volume_id": "v"}},
                  "security-groups:create": {"security_group": {"name": "a", "description": ""}},
                  "security-groups:update": {"security_group": {"name": "a", "description": ""}},
                  "security-group-rules:create": {"security_group_rule": {
                      "parent_group_id": GROUP}},
                  "add_interface": {"add_interface": {}},
                  "remove_interface": {"remove_interface": {}}, "nodes:create": {"node": {}}}
        for action in old_routes():
            path = action.path.replace("{id}", GROUP)
            only_there = action.path.startswith("/os-baremetal") and action.method != "GET"
            wanted = {"2.1": 400 if only_there else 501, "2.35": 400 if only_there else 501,
                      "2.36": 404}
            for version, status in wanted.items():
                answer = self.ask(action.method, path, bodies.get(action.key), token=base.ADMIN,
                                  version=version)
                self.assertEqual(status, answer.status, (action.key, version, answer.text))

    def test_a_client_cannot_name_the_service(self):
        listed = [{"type": "network", "endpoints": [{"publicURL": "http://127.0.0.1:9/"}]}]
        answer = self.ask("GET", "/os-networks", headers={
            "X-Service-Catalog": json.dumps(listed)})
        self.assertEqual(501, answer.status)

    def test_gone(self):
        for method, path in (("POST", "/os-networks"), ("DELETE", "/os-networks/x"),
                             ("POST", "/os-tenant-networks"), ("DELETE", "/os-tenant-networks/x")):
            self.assertEqual(410, self.ask(method, path, {} if method == "POST" else None).status)


class Catalogue(base.RestCase):
    def find(self, catalogue):
        class Request:
            services = self.app_services()
            http = type("Http", (), {"environ": {
                forwarding.CATALOGUE: catalogue if isinstance(catalogue, str)
                else json.dumps(catalogue)}})
        return forwarding.endpoint(Request, forwarding.NETWORK)

    def app_services(self):
        return type("Services", (), {"conf": self.conf})

    def test_endpoint(self):
        listed = [{"type": "volumev3", "name": "c", "endpoints": [{"publicURL": "http://c/v3/p"}]},
                  {"type": "network", "name": "n", "endpoints": [
                      {"region": "R", "publicURL": "http://n:9696/",
                       "internalURL": "http://inner:9696"}]}]
        self.assertEqual("http://inner:9696/v2.0", self.find(listed))
        for nothing in ([], listed[:1], "no json"):
            self.assertRaises(errors.Unsupported, self.find, nothing)


class Neighbourly(base.RestCase):
    """With the services."""

    group, prefix = "neutron", "/v2.0"

    def setUp(self):
        super().setUp()
        self.other = neighbours.Neighbour(self.prefix)
        self.addCleanup(self.other.close)
        for options in (network.OPTS, volume.OPTS):
            for group, opts in options.items():
                self.conf.register_opts(opts, group=group)
        if self.group not in ("neutron", "cinder"):      # nothing here has a room of its own for it
            self.conf.register_opt(cfg.StrOpt("endpoint_override"), group=self.group)
        self.conf.set_override("endpoint_override", self.other.url, group=self.group)

    def get(self, path, **more):
        answer = self.ask("GET", path, **more)
        self.assertEqual(200, answer.status, answer.text)
        return answer.json


class Networks(Neighbourly):
    def setUp(self):
        super().setUp()
        self.other.things["networks"] = [{"id": NET, "name": "out", "router:external": True}]

    def test_networks(self):
        network, = self.get("/os-networks")["networks"]
        self.assertEqual((NET, "out", None), (network["id"], network["label"], network["cidr"]))
        self.assertNotIn("bridge", network)
        self.assertIn("bridge", self.get("/os-networks", token=base.ADMIN)["networks"][0])
        self.assertEqual({"id": NET, "cidr": "None", "label": "out"},
                         self.get(f"/os-tenant-networks/{NET}")["network"])
        self.assertEqual([{"name": "out"}],
                         self.get("/os-floating-ip-pools")["floating_ip_pools"])
        answer = self.ask("GET", "/os-networks/nothing")
        self.assertEqual((404, "Network not found"), (answer.status, answer.message))
        self.assertEqual({base.MEMBER, base.ADMIN}, {token for _, _, token in self.other.asked})

    def test_floating_ips(self):
        self.other.new = lambda kind, given: {
            **given, "floating_ip_address": "10.9.9.9", "tenant_id": "apples", "port_id": None}
        made = self.ask("POST", "/os-floating-ips", {"pool": "out"}).json["floating_ip"]
        self.assertEqual({"id": made["id"], "ip": "10.9.9.9", "fixed_ip": None,
                          "instance_id": None, "pool": "out"}, made)
        self.assertEqual([made], self.get("/os-floating-ips")["floating_ips"])
        self.other.things["floatingips"][0]["port_id"] = "p"
        self.other.things["ports"] = [{"id": "p", "device_id": "server"}]
        self.assertEqual("server", self.get(
            f"/os-floating-ips/{made['id']}")["floating_ip"]["instance_id"])
        self.assertEqual(202, self.ask("DELETE", f"/os-floating-ips/{made['id']}").status)
        self.assertEqual(404, self.ask("DELETE", f"/os-floating-ips/{made['id']}").status)
        answer = self.ask("POST", "/os-floating-ips", {"pool": "nowhere"})
        self.assertEqual((404, "Floating IP pool not found."), (answer.status, answer.message))
        for kind, status in (("OverQuota", 403), ("ExternalIpAddressExhausted", 404)):
            self.other.refusals["POST", "/floatingips"] = (409, {
                "NeutronError": {"type": kind, "message": "no"}})
            self.assertEqual(status, self.ask("POST", "/os-floating-ips", {"pool": "out"}).status)

    def test_what_cannot_be_understood(self):
        for document in ({}, {"networks": "x"}):
            self.other.refusals["GET", f"/networks/{NET}"] = (200, document)
            self.assertEqual(503, self.ask("GET", f"/os-networks/{NET}").status, document)

    def test_refusals(self):
        for theirs, ours in ((401, 403), (403, 403), (404, 404), (400, 400), (500, 503)):
            self.other.refusals["GET", "/networks"] = (theirs, {"NeutronError": {"message": "no"}})
            self.assertEqual(ours, self.ask("GET", "/os-networks").status)
        self.other.close = lambda: None
        self.conf.set_override("endpoint_override", "http://127.0.0.1:9", group="neutron")
        answer = self.ask("GET", "/os-networks")
        self.assertEqual((503, "5"), (answer.status, answer.headers["Retry-After"]))

    def test_no_way_out_of_a_path(self):
        self.ask("GET", "/os-networks/..%2F..%2Fsecret")
        self.ask("GET", f"/os-networks/{NET}%3Fa=b")
        for dots in ("..", "%2e%2e", ".", "..."):
            for path in ("/os-networks/", "/os-floating-ips/", "/os-tenant-networks/"):
                self.assertEqual(404, self.ask("GET", path + dots).status)
            self.assertEqual(404, self.ask("DELETE", f"/os-floating-ips/{dots}").status)
        for _method, path, _token in self.other.asked:
            self.assertTrue(path.startswith("/networks/"), path)


class SecurityGroups(Neighbourly):
    def setUp(self):
        super().setUp()
        self.other.things["security_groups"] = [
            {"id": uuid, "name": name, "description": "d", "tenant_id": "apples",
             "security_group_rules": []} for uuid, name in ((GROUP, "web"), (OTHER_GROUP, "db"))]

    def rule(self, **given):
        return self.ask("POST", "/os-security-group-rules", {"security_group_rule": {
            "parent_group_id": GROUP, **given}})

    def test_groups(self):
        self.assertEqual(["db", "web"], [group["name"] for group in self.get(
            "/os-security-groups")["security_groups"]])
        self.assertEqual(1, len(self.get("/os-security-groups?limit=1")["security_groups"]))
        self.assertEqual([], self.get("/os-security-groups", token=base.OTHER)["security_groups"])
        self.other.new = lambda kind, given: {**given, "tenant_id": "apples"}
        body = {"security_group": {"name": "new", "description": "x"}}
        made = self.ask("POST", "/os-security-groups", body).json["security_group"]
        self.assertEqual({"id": made["id"], "name": "new", "description": "x",
                          "tenant_id": "apples", "rules": []}, made)
        body["security_group"]["name"] = "newer"
        where = f"/os-security-groups/{made['id']}"
        self.assertEqual("newer", self.ask("PUT", where, body).json["security_group"]["name"])
        self.other.refusals["DELETE", f"/security-groups/{made['id']}"] = (
            409, {"NeutronError": {"message": "in use"}})
        answer = self.ask("DELETE", where)
        self.assertEqual((400, "in use"), (answer.status, answer.message))
        self.other.refusals.clear()
        self.assertEqual([202, 404, 400], [self.ask("DELETE", path).status for path in (
            where, where, "/os-security-groups/web")])
        self.other.refusals["POST", "/security-groups"] = (409, {})
        self.assertEqual(403, self.ask("POST", "/os-security-groups", body).status)

    def test_rules(self):
        made = self.rule(ip_protocol="tcp", from_port=80, to_port="81", cidr="10.0.0.0/8")
        self.assertEqual(200, made.status, made.text)
        shown = made.json["security_group_rule"]
        self.assertEqual({
            "id": shown["id"], "parent_group_id": GROUP, "ip_protocol": "tcp", "from_port": 80,
            "to_port": 81, "group": {}, "ip_range": {"cidr": "10.0.0.0/8"}}, shown)
        grouped = self.rule(group_id=OTHER_GROUP, ip_protocol="udp").json["security_group_rule"]
        self.assertEqual(({"name": "db", "tenant_id": "apples"}, 1, 65535), (
            grouped["group"], grouped["from_port"], grouped["to_port"]))
        self.other.things["security_groups"][0]["security_group_rules"] = [
            *self.other.things["security_group_rules"],
            {"id": "out", "direction": "egress", "security_group_id": GROUP}]
        self.assertEqual(2, len(self.get(f"/os-security-groups/{GROUP}")[
            "security_group"]["rules"]))
        again = self.rule(ip_protocol="tcp", from_port=80, to_port=81, cidr="10.0.0.0/8")
        self.assertEqual((400, f"This rule already exists in group {GROUP}"),
                         (again.status, again.message))
        where = f"/os-security-group-rules/{shown['id']}"
        self.assertEqual([202, 404, 400], [self.ask("DELETE", path).status for path in (
            where, where, "/os-security-group-rules/x")])

    def test_bad_rules(self):
        for given in ({}, {"ip_protocol": "tcp"}, {"cidr": "10.0.0.0"}, {"cidr": "1.2.3.4/0"},
                      {"ip_protocol": "gre", "from_port": 1, "to_port": 2},
                      {"ip_protocol": "tcp", "from_port": 2, "to_port": 1},
                      {"ip_protocol": "tcp", "from_port": 0, "to_port": 1},
                      {"ip_protocol": "icmp", "from_port": 256, "to_port": 1},
                      {"ip_protocol": "tcp", "from_port": "a", "to_port": [1]},
                      {"group_id": "x"}, {"ip_protocol": {"a": 1}, "from_port": 1, "to_port": 1}):
            self.assertEqual(400, self.rule(**given).status, given)
        self.assertEqual([], [asked for asked in self.other.asked if asked[0] != "GET"])
        self.assertEqual(404, self.rule(group_id=NET).status)


class Volumes(Neighbourly):
    group, prefix = "cinder", "/v3/apples"

    def setUp(self):
        super().setUp()
        self.other.new = lambda kind, given: {**given, "status": "available", "created_at": "now",
                                              "size": given.get("size", 1)}

    def test_volumes(self):
        answer = self.ask("POST", "/os-volumes", {"volume": {
            "size": "2", "display_name": "v", "display_description": "d"}})
        made = answer.json["volume"]
        self.assertEqual(f"http://localhost/v2.1/os-volumes/{made['id']}",
                         answer.headers["Location"])
        self.assertEqual({
            "id": made["id"], "status": "available", "size": 2, "availabilityZone": None,
            "createdAt": "now", "attachments": [{}], "displayName": "v", "volumeType": None,
            "displayDescription": "d", "snapshotId": None, "metadata": {}}, made)
        for path in ("/os-volumes", "/os-volumes/detail"):
            self.assertEqual([made], self.get(path)["volumes"])
            self.assertEqual([], self.get(path + "?offset=1")["volumes"])
        self.other.things["volumes"][0]["attachments"] = [
            {"server_id": "s", "device": "/dev/vdb"}]
        self.assertEqual([{"id": made["id"], "volumeId": made["id"], "serverId": "s",
                           "device": "/dev/vdb"}],
                         self.get(f"/os-volumes/{made['id']}")["volume"]["attachments"])
        where = f"/os-volumes/{made['id']}"
        self.assertEqual([202, 404], [self.ask("DELETE", where).status for _ in range(2)])
        self.assertEqual(f"Volume {made['id']} could not be found.",
                         self.ask("GET", where).message)
        self.assertEqual(404, self.ask("POST", "/os-volumes", {"volume": {
            "size": 1, "snapshot_id": "x"}}).status)
        for wrong in ({}, {"volume": {}}, {"volume": {"size": 0}}, {"volume": {"size": 1, "x": 1}}):
            self.assertEqual(400, self.ask("POST", "/os-volumes", wrong).status)

    def test_snapshots(self):
        answer = self.ask("POST", "/os-snapshots", {"snapshot": {
            "volume_id": "v", "force": "true", "display_name": "s"}})
        made = answer.json["snapshot"]
        self.assertEqual({"id": made["id"], "volumeId": "v", "status": "available", "size": 1,
                          "createdAt": "now", "displayName": "s", "displayDescription": None},
                         made)
        self.assertIs(True, self.other.things["snapshots"][0]["force"])
        self.assertEqual([made], self.get("/os-snapshots/detail")["snapshots"])
        self.assertEqual(made, self.get(f"/os-snapshots/{made['id']}")["snapshot"])
        self.assertEqual(202, self.ask("DELETE", f"/os-snapshots/{made['id']}").status)
        self.assertEqual(404, self.ask("GET", f"/os-snapshots/{made['id']}").status)


class Nodes(Neighbourly):
    group, prefix = "ironic", "/v1"

    def test_nodes(self):
        self.other.refusals = {
            ("GET", "/nodes/detail"): (200, {"nodes": [{"uuid": NET, "properties": {"cpus": 4}}]}),
            ("GET", f"/nodes/{NET}"): (200, {"uuid": NET, "provision_state": "active"}),
            ("GET", "/ports"): (200, {"ports": [{"address": "aa"}]})}
        node, = self.get("/os-baremetal-nodes", token=base.ADMIN)["nodes"]
        self.assertEqual((NET, "4", "0"), (node["id"], node["cpus"], node["memory_mb"]))
        shown = self.get(f"/os-baremetal-nodes/{NET}", token=base.ADMIN)["node"]
        self.assertEqual(([{"address": "aa"}], "active"), (
            shown["interfaces"], shown["task_state"]))
        self.assertEqual(403, self.ask("GET", "/os-baremetal-nodes").status)
        self.assertEqual(400, self.ask("POST", "/os-baremetal-nodes", {}).status)


class VolumesBoot(base.RestCase):
    """The same as /servers."""

    def test_it_is_the_same(self):
        uuid = self.create()
        for path in ("", "/detail", f"/{uuid}"):
            for version in ("2.1", "2.102"):
                one, other = (self.ask("GET", name + path, version=version)
                              for name in ("/servers", "/os-volumes_boot"))
                self.assertEqual((one.status, one.json), (other.status, other.json))
            self.assertEqual(404, self.ask("GET", "/os-volumes_boot" + path,
                                           version="2.103").status)
        self.assertEqual(202, self.ask("POST", f"/os-volumes_boot/{uuid}/action",
                                       {"os-stop": None}).status)
        self.assertEqual(400, self.ask("POST", f"/os-volumes_boot/{uuid}/action",
                                       {"lock": None}).status)
        self.assertEqual(204, self.ask("DELETE", f"/os-volumes_boot/{uuid}").status)

    def test_windows(self):
        twins = [action for action in compute.actions()
                 if action.path.startswith("/os-volumes_boot")]
        self.assertGreater(len(twins), 8)
        for action in twins:
            self.assertLessEqual(action.window[1], microversion.minor("2.102"))
