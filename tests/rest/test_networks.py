# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Networks over REST, on a fake network service: create, interfaces, addresses, groups, events."""

from nova_cells.domain import records
from nova_cells.network import fake, protocol
from tests.rest import base

APPLES = "apples"


class Networked(base.RestCase):
    can = ("boot", "interfaces")

    def network_room(self):
        self.room = fake.FakeNetworks()
        self.net = self.room.add_network("private", APPLES)
        self.child.errands.room = self.room
        return self.child.ledger.watched(self.room)

    def _prepare(self):
        super()._prepare()
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=base.CELL[:-4] + "0bad", name="node-1", version=2, capabilities=self.can), 2,
                self.clock.time())

    def boot(self, version="2.1", **fields):
        """A server that runs, with the interfaces that its request asked for."""
        uuid = self.create(run=False, version=version, **fields)
        sent = self.child.boots[uuid]
        record = self.child.confirm(uuid)
        shown = self.child.errands.booted(record, sent.request.attached, self.ids)
        if shown["interfaces"]:
            from nova_cells.domain import lifecycle
            record = lifecycle.change(record, self.clock.time(), **shown)
            self.child.records[uuid] = record
            with self.view.write() as tx:
                self.view.servers.apply(tx, record, base.CELL, self.clock.time())
        return uuid

    def refused(self, status, version="2.1", **fields):
        answer = self.ask("POST", "/servers", {"server": {
            "name": "a", "flavorRef": "1", "imageRef": base.PICTURE, **fields}}, version=version)
        self.assertEqual(status, answer.status, (fields, answer.text))
        return answer.message

    def interfaces(self, uuid, version="2.1"):
        answer = self.ask("GET", f"/servers/{uuid}/os-interface", version=version)
        self.assertEqual(200, answer.status, answer.text)
        return answer.json["interfaceAttachments"]

    def addresses(self, uuid):
        found = self.ask("GET", f"/servers/{uuid}/ips").json["addresses"]
        return {label: [one["addr"] for one in listed] for label, listed in found.items()}


class Create(Networked):
    def test_one_network_is_taken_when_none_is_named_and_two_are_ambiguous(self):
        uuid = self.boot()
        self.assertEqual({"private": ["10.0.0.2"]}, self.addresses(uuid))
        self.assertEqual({"private": ["10.0.0.3"]},
                         self.addresses(self.boot("2.37", networks="auto")))
        self.room.add_network("other", APPLES, "10.9.0.0/24")
        self.assertIn("Multiple possible networks", self.refused(409))
        self.refused(409, "2.37", networks="auto")
        self.assertEqual({}, self.addresses(self.boot("2.37", networks="none")))

    def test_another_projects_network_is_not_meant_and_not_found(self):
        other = self.room.add_network("theirs", "bananas")
        self.assertEqual(["private"], list(self.addresses(self.boot())))
        self.assertIn("could not be found", self.refused(400, networks=[{"uuid": other}]))

    def test_without_any_network(self):
        self.room._networks.clear()
        self.assertEqual({}, self.addresses(self.boot()))
        self.assertIn("Unable to automatically", self.refused(400, "2.37", networks="auto"))

    def test_networks_ports_and_addresses_by_name(self):
        port = self.room.add_port(self.net, APPLES, "10.0.0.77")
        uuid = self.boot("2.42", networks=[
            {"uuid": self.net, "fixed_ip": "10.0.0.9", "tag": "front"}, {"port": port.id}])
        self.assertEqual({"private": ["10.0.0.9", "10.0.0.77"]}, self.addresses(uuid))
        shown = self.interfaces(uuid, "2.70")
        self.assertEqual([("front"), None], [one["tag"] for one in shown][::-1])
        self.assertNotIn("tag", self.interfaces(uuid)[0])

    def test_what_is_refused(self):
        port = self.room.add_port(self.net, APPLES, "10.0.0.77")
        bare = self.room.add_network("bare", APPLES, None)
        absent = "00000000-0000-4000-8000-00000000abcd"
        for status, one, more in (
                (400, {"uuid": absent}, {}), (400, {"port": absent}, {}), (400, {}, {}),
                (400, {"uuid": bare}, {}),
                (400, {"uuid": self.net, "fixed_ip": "10.0.0.77"}, {}),
                (400, {"uuid": self.net, "fixed_ip": "nowhere"}, {}),
                (400, {"port": port.id, "fixed_ip": "10.0.0.8"}, {}),
                (400, {"port": port.id}, {"min_count": 2}),
                (400, {"uuid": "x"}, {}), (400, {"uuid": self.net, "tag": "t"}, {}),
                (400, {"uuid": self.net, "mtu": 1}, {})):
            self.refused(status, networks=[one], **more)
        self.room.bind(port.id, "somebody", "h")
        self.assertIn("still in use", self.refused(409, networks=[{"port": port.id}]))
        self.assertEqual([port.id], [one.id for one in self.room.all_ports()])

    def test_tags_come_and_go_with_versions(self):
        for version, status in (("2.31", 400), ("2.32", 202), ("2.36", 202), ("2.37", 400),
                                ("2.41", 400), ("2.42", 202)):
            answer = self.ask("POST", "/servers", {"server": {
                "name": "a", "flavorRef": "1", "imageRef": base.PICTURE,
                "networks": [{"uuid": self.net, "tag": "t"}]}}, version=version)
            self.assertEqual(status, answer.status, (version, answer.text))

    def test_security_groups_by_name_or_id(self):
        web = self.room.add_group(APPLES, "web")
        uuid = self.boot(security_groups=[{"name": "web"}, {"name": web}, {"name": "default"}])
        [port] = self.room.ports(uuid)
        self.assertIn(web, port.groups)
        self.assertIn("not found", self.refused(400, security_groups=[{"name": "none such"}]))

    def test_a_network_service_that_does_not_answer(self):
        self.room.fail_next("networks", protocol.Unreachable("it does not answer"))
        self.refused(503)


class NoHostCan(Networked):
    can = ("boot",)

    def test_networks_are_refused_in_words_and_none_is_taken(self):
        self.assertIn("interfaces", self.refused(501))
        self.assertEqual({}, self.addresses(self.boot("2.37", networks="none")))


class Interfaces(Networked):
    def setUp(self):
        super().setUp()
        self.uuid = self.boot("2.37", networks="none")
        self.path = f"/servers/{self.uuid}/os-interface"

    def attach(self, status=200, version="2.1", **fields):
        body = {"interfaceAttachment": fields} if fields else {}
        answer = self.ask("POST", self.path, body, version=version)
        self.assertEqual(status, answer.status, answer.text)
        return answer.json["interfaceAttachment"] if status == 200 else answer.message

    def test_attached_listed_shown_detached(self):
        made = self.attach(version="2.70", net_id=self.net, tag="t",
                           fixed_ips=[{"ip_address": "10.0.0.9"}])
        self.assertEqual(("t", "ACTIVE", self.net, "10.0.0.9"), (
            made["tag"], made["port_state"], made["net_id"], made["fixed_ips"][0]["ip_address"]))
        self.assertEqual([made], self.interfaces(self.uuid, "2.70"))
        one = f"{self.path}/{made['port_id']}"
        self.assertEqual(made, self.ask("GET", one, version="2.70").json["interfaceAttachment"])
        self.assertEqual({"private": ["10.0.0.9"]}, self.addresses(self.uuid))
        self.assertEqual(202, self.ask("DELETE", one).status)
        self.assertEqual(([], {}), (self.room.all_ports(), self.addresses(self.uuid)))
        self.assertEqual((404, 404), (self.ask("GET", one).status, self.ask("DELETE", one).status))

    def test_nothing_named_a_users_own_port_and_a_slow_host(self):
        self.attach()
        port = self.room.add_port(self.net, APPLES)
        self.child.errands.late = 2
        self.assertEqual(port.id, self.attach(port_id=port.id)["port_id"])
        self.child.errands.late = 0
        self.assertEqual(2, len(self.interfaces(self.uuid)))
        self.assertEqual(202, self.ask("DELETE", f"{self.path}/{port.id}").status)
        self.assertEqual("", self.room.port(port.id).device)

    def test_refused(self):
        port = self.room.add_port(self.net, APPLES, "10.0.0.77")
        absent = "00000000-0000-4000-8000-00000000abcd"
        self.attach(400, net_id=self.net, port_id=port.id)
        self.attach(400, fixed_ips=[{"ip_address": "10.0.0.9"}])
        self.attach(404, net_id=absent)
        self.attach(404, port_id=absent)
        self.attach(409, net_id=self.net, fixed_ips=[{"ip_address": "10.0.0.77"}])
        self.attach(400, net_id=self.net, fixed_ips=[{"ip_address": "10.7.0.1"}])
        self.attach(400, net_id=self.net, tag="t")
        self.room.bind(port.id, "somebody", "h")
        self.attach(409, port_id=port.id)
        self.room.quota[APPLES] = 1
        self.attach(403, net_id=self.net)
        self.room.add_network("other", APPLES)
        self.attach(400)
        self.assertEqual([port.id], [one.id for one in self.room.all_ports()])

    def test_locked_or_busy_or_anothers(self):
        self.assertEqual(202, self.act(self.uuid, "lock").status)
        self.attach(409, net_id=self.net)
        self.act(self.uuid, "unlock")
        self.act(self.uuid, "os-resetState", {"state": "error"}, token=base.ADMIN)
        self.attach(409, net_id=self.net)
        self.assertEqual(404, self.ask("GET", self.path, token=base.OTHER).status)
        self.assertEqual(404, self.ask("POST", self.path, {}, token=base.OTHER).status)


class Addresses(Networked):
    def setUp(self):
        super().setUp()
        self.uuid = self.boot()

    def do(self, key, value, status=202, version="2.43"):
        answer = self.act(self.uuid, key, value, version=version)
        self.assertEqual(status, answer.status, answer.text)

    def test_fixed(self):
        self.do("addFixedIp", {"networkId": self.net})
        self.assertEqual({"private": ["10.0.0.2", "10.0.0.3"]}, self.addresses(self.uuid))
        self.do("removeFixedIp", {"address": "10.0.0.2"})
        self.assertEqual({"private": ["10.0.0.3"]}, self.addresses(self.uuid))
        self.do("removeFixedIp", {"address": "10.0.0.2"}, 404)
        self.do("addFixedIp", {"networkId": "elsewhere"}, 400)
        self.do("addFixedIp", {"networkId": self.net}, 404, "2.44")

    def test_floating(self):
        self.room.add_floating("192.0.2.7")
        self.do("addFloatingIp", {"address": "192.0.2.7"})
        self.assertEqual({"private": ["10.0.0.2", "192.0.2.7"]}, self.addresses(self.uuid))
        self.do("removeFloatingIp", {"address": "192.0.2.7"})
        self.assertEqual({"private": ["10.0.0.2"]}, self.addresses(self.uuid))
        self.do("removeFloatingIp", {"address": "192.0.2.7"}, 409)
        self.do("addFloatingIp", {"address": "192.0.2.8"}, 404)
        self.do("addFloatingIp", {"address": "192.0.2.7", "fixed_address": "10.0.0.99"}, 400)
        self.do("addFloatingIp", {"address": "somewhere"}, 400)

    def groups(self):
        answer = self.ask("GET", f"/servers/{self.uuid}/os-security-groups")
        return sorted(one["name"] for one in answer.json["security_groups"])

    def test_security_groups(self):
        self.room.add_group(APPLES, "web")
        self.do("addSecurityGroup", {"name": "web"}, version="2.1")
        self.assertEqual(["default", "web"], self.groups())
        shown = self.ask("GET", f"/servers/{self.uuid}").json["server"]["security_groups"]
        self.assertEqual(["default", "web"], [one["name"] for one in shown])
        self.do("removeSecurityGroup", {"name": "web"})
        self.assertEqual(["default"], self.groups())
        self.do("removeSecurityGroup", {"name": "web"}, 404)
        self.do("addSecurityGroup", {"name": "none such"}, 404)


class Events(Networked):
    def tell(self, *events, status=200, version="2.1", token=base.ADMIN):
        answer = self.ask("POST", "/os-server-external-events", {"events": list(events)},
                          version=version, token=token)
        self.assertEqual(status, answer.status, answer.text)
        return answer.json.get("events")

    def test_each_has_its_own_answer(self):
        uuid, waiting = self.boot(), self.create(run=False)
        port = self.interfaces(uuid)[0]["port_id"]
        told = self.tell(
            {"name": "network-vif-plugged", "server_uuid": uuid, "tag": port},
            {"name": "network-changed", "server_uuid": waiting},
            {"name": "network-changed", "server_uuid": "00000000-0000-4000-8000-00000000abcd"},
            status=207)
        self.assertEqual([("completed", 200), ("failed", 422), ("failed", 404)],
                         [(one["status"], one["code"]) for one in told])
        self.assertEqual(400, self.tell({"name": "volume-extended", "server_uuid": uuid},
                                        status=207, version="2.51")[0]["code"])

    def test_words_come_with_versions_and_only_services_and_admins_say_them(self):
        uuid = self.boot()
        for name, since in (("volume-extended", 51), ("power-update", 76),
                            ("accelerator-request-bound", 82), ("volume-reimaged", 93)):
            event = {"name": name, "server_uuid": uuid, "tag": "t"}
            self.tell(event, status=400, version=f"2.{since - 1}")
            self.tell(event, version=f"2.{since}")
        self.tell({"name": "network-changed", "server_uuid": uuid}, status=403,
                  token=base.MEMBER)

    def test_a_changed_port_is_looked_at_and_a_deleted_one_detached(self):
        uuid = self.boot()
        port = self.interfaces(uuid)[0]["port_id"]
        self.room.add_floating("192.0.2.7")
        self.room.float("192.0.2.7", port)
        self.assertEqual({"private": ["10.0.0.2"]}, self.addresses(uuid))
        self.tell({"name": "network-changed", "server_uuid": uuid, "tag": port})
        self.assertEqual(["10.0.0.2", "192.0.2.7"],
                         [one.ip for one in self.child.records[uuid].addresses])
        self.room.delete(port)
        for _twice in range(2):
            self.tell({"name": "network-vif-deleted", "server_uuid": uuid, "tag": port})
        self.assertEqual((), self.child.records[uuid].addresses)

    def test_power_makes_its_verb(self):
        uuid = self.boot()
        for tag, rest in (("POWER_OFF", "stopped"), ("POWER_OFF", "stopped"),
                          ("POWER_ON", "active")):
            self.tell({"name": "power-update", "server_uuid": uuid, "tag": tag}, version="2.76")
            self.assertEqual(rest, self.child.records[uuid].rest)


class Nowhere(base.RestCase):
    """A deployment without networks: each answers in words, none breaks."""

    def test_all_of_it(self):
        uuid = self.create()
        path = f"/servers/{uuid}/os-interface"
        absent = "00000000-0000-4000-8000-00000000abcd"
        self.assertEqual([], self.ask("GET", path).json["interfaceAttachments"])
        self.assertEqual([], self.ask("GET", f"/servers/{uuid}/os-security-groups").json[
            "security_groups"])
        self.assertEqual(501, self.ask("POST", path, {}).status)
        self.assertEqual(404, self.ask("GET", f"{path}/{absent}").status)
        self.assertEqual(404, self.ask("DELETE", f"{path}/{absent}").status)
        for key, value in (("addFixedIp", {"networkId": "n"}),
                           ("removeFixedIp", {"address": "10.0.0.1"}),
                           ("addFloatingIp", {"address": "10.0.0.1"}),
                           ("removeFloatingIp", {"address": "10.0.0.1"}),
                           ("addSecurityGroup", {"name": "n"}),
                           ("removeSecurityGroup", {"name": "n"})):
            self.assertEqual(501, self.act(uuid, key, value).status)
        answer = self.ask("POST", "/os-server-external-events", {"events": [
            {"name": "network-changed", "server_uuid": uuid}]}, token=base.ADMIN)
        self.assertEqual(200, answer.status, answer.text)
