# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Servers over HTTP: create, show, update, delete, and what a cell that is down changes."""

import base64

from tests.rest import base

IMAGE = base.PICTURE


class Create(base.RestCase):
    def post(self, version=None, hints=None, token=base.MEMBER, **fields):
        body = {"server": {"name": "a", "flavorRef": "1", "imageRef": IMAGE, **fields}}
        if hints is not None:
            body["os:scheduler_hints"] = hints
        if version and int(version[2:]) >= 37:
            body["server"].setdefault("networks", "none")
        return self.ask("POST", "/servers", body, version=version, token=token)

    def test_the_answer_and_the_offer(self):
        answer = self.post(adminPass="secret")
        server = answer.json["server"]
        self.assertEqual(202, answer.status)
        self.assertEqual({"id", "links", "adminPass", "OS-DCF:diskConfig", "security_groups"},
                         set(server))
        self.assertEqual("secret", server["adminPass"])
        self.assertEqual(f"http://localhost/v2.1/servers/{server['id']}",
                         answer.headers["Location"])
        offer = self.child.boots[server["id"]]
        self.assertEqual(("secret", "1", IMAGE, "ann", "apples"), (
            self.secrets(server["id"]).admin_password, offer.record.flavor.id,
            offer.record.image.id, offer.record.user_id, offer.record.project_id))
        shown = self.ask("GET", f"/servers/{server['id']}").json["server"]
        self.assertEqual(("BUILD", "building"), (shown["status"],
                                                 shown["OS-EXT-STS:vm_state"]))

    def test_everything_that_a_body_can_say(self):
        self.ask("POST", "/os-keypairs", {"keypair": {"name": "mine"}})
        data = base64.b64encode(b"#cloud-config").decode()
        answer = self.post("2.90", name=" web 1".strip(), metadata={"k": "v"}, key_name="mine",
                           user_data=data, config_drive=True, description="d", tags=["x", "y"],
                           hostname="www", accessIPv4="10.0.0.1", availability_zone="nova",
                           **{"OS-DCF:diskConfig": "AUTO"})
        self.assertEqual(202, answer.status, answer.text)
        uuid = answer.json["server"]["id"]
        offer = self.child.boots[uuid]
        secrets = self.secrets(uuid)
        self.assertEqual((data, "mine", "2.90"), (secrets.user_data, offer.request.key.name,
                                                  offer.request.created_with))
        shown = self.ask("GET", f"/servers/{uuid}", version="2.104").json["server"]
        for key, value in {"metadata": {"k": "v"}, "key_name": "mine", "config_drive": "True",
                           "description": "d", "tags": ["x", "y"], "accessIPv4": "10.0.0.1",
                           "OS-EXT-SRV-ATTR:hostname": "www", "OS-DCF:diskConfig": "AUTO",
                           "pinned_availability_zone": "nova"}.items():
            self.assertEqual(value, shown[key], key)
        admin = self.ask("GET", f"/servers/{uuid}", version="2.3", token=base.ADMIN)
        self.assertEqual(data, admin.json["server"]["OS-EXT-SRV-ATTR:user_data"])

    def test_secrets_are_nowhere_in_the_view(self):
        data = base64.b64encode(b"canary-user-data").decode()
        self.post(adminPass="canary-password", user_data=data)
        with self.view.read() as tx:
            dump = "".join(str(tuple(row)) for name in ("servers", "offers", "actions")
                           for row in tx.exec_driver_sql(f"SELECT * FROM {name}"))
        self.assertNotIn("canary", dump)
        self.assertNotIn(data, dump)

    def test_several(self):
        answer = self.post(name="web", min_count=2, max_count=3, return_reservation_id=True)
        reservation = answer.json["reservation_id"]
        servers = self.ask("GET", f"/servers/detail?reservation_id={reservation}&sort_key="
                                  f"launch_index&sort_dir=asc", version="2.90").json["servers"]
        self.assertEqual(["web-1", "web-2", "web-3"], [one["name"] for one in servers])
        self.assertEqual(["web-1", "web-2", "web-3"],
                         [one["OS-EXT-SRV-ATTR:hostname"] for one in servers])

    def test_as_many_as_the_quota_allows(self):
        self.assertEqual(202, self.post(min_count=4, max_count=12).status)
        self.assertEqual(10, len(self.ask("GET", "/servers").json["servers"]))
        answer = self.post()
        self.assertEqual(403, answer.status)
        self.assertIn("Quota exceeded", answer.message)

    def test_names_that_cannot_be_found(self):
        for fields, words in (
                ({"flavorRef": "99"}, "Flavor 99 could not be found."),
                ({"imageRef": "5f8a1c5e-0000-4000-8000-00000000dead"},
                 "Can not find requested image"),
                ({"key_name": "nope"}, "Invalid key_name provided."),
                ({"imageRef": ""}, "Missing imageRef attribute"),
                ({"availability_zone": "mars"},
                 "The requested availability zone is not available"),
                ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
                ({"networks": [{"uuid": "5f8a1c5e-0000-4000-8000-00000000dead"}]}, "network"),
                ({"security_groups": [{"name": "web"}]}, "Security group web not found")):
            answer = self.post(**fields)
            self.assertEqual(400, answer.status, fields)
            self.assertIn(words, answer.message)

    def test_a_key_of_somebody_else(self):
        self.ask("POST", "/os-keypairs", {"keypair": {"name": "hers"}}, token="eve:apples")
        self.assertEqual(400, self.post(key_name="hers").status)

    def test_an_image_that_is_too_large(self):
        self.images.add("1ea7f00d-0000-4000-8000-000000000009", b"x", min_disk=50)
        answer = self.post(imageRef="1ea7f00d-0000-4000-8000-000000000009")
        self.assertEqual(400, answer.status)
        self.assertIn("disk is smaller than the minimum size", answer.message)

    def test_volumes_are_refused_clearly(self):
        root = {"source_type": "image", "destination_type": "local", "boot_index": 0,
                "uuid": IMAGE, "delete_on_termination": True}
        self.assertEqual(202, self.post(block_device_mapping_v2=[root]).status)
        answer = self.post(block_device_mapping_v2=[
            {**root, "destination_type": "volume", "volume_size": 1}])
        self.assertEqual((501, True), (answer.status, "volumes" in answer.message))

    def test_networks_from_2_37(self):
        for networks, status in (("none", 202), ("auto", 202), ([], 202), ("all", 400)):
            self.assertEqual(status, self.post("2.37", networks=networks).status, networks)
        body = {"server": {"name": "a", "flavorRef": "1", "imageRef": IMAGE}}
        self.assertEqual(400, self.ask("POST", "/servers", body, version="2.37").status)

    def test_hints_become_hosts_at_the_top(self):
        first = self.create()
        other = self.create(token=base.OTHER)
        answer = self.post(hints={"different_host": [first, other], "_nova_check": "x",
                                  "mine": ["a"]}, version="2.100")
        offer = self.child.boots[answer.json["server"]["id"]]
        self.assertEqual(((base.CELL, "node-1"),), offer.request.avoid_hosts)
        self.assertEqual({"different_host": [first, other], "mine": ["a"]}, offer.record.hints)
        answer = self.post(hints={"same_host": first})
        self.assertEqual(((base.CELL, "node-1"),), self.child.boots[
            answer.json["server"]["id"]].request.only_hosts)
        self.assertEqual(400, self.post(hints={"same_host": other}).status)

    def test_a_host_is_for_admins(self):
        self.assertEqual(403, self.post(availability_zone="nova:node-1").status)
        self.assertEqual(403, self.post("2.74", host="node-1").status)
        for answer in (self.post(availability_zone="nova:node-1", token=base.ADMIN),
                       self.post("2.74", host="node-1", token=base.ADMIN)):
            self.assertEqual("node-1", self.child.boots[
                answer.json["server"]["id"]].request.forced_host)
        self.assertEqual(400, self.post("2.74", host="node-9", token=base.ADMIN).status)

    def test_a_broker_that_is_down_does_not_matter(self):
        self.child.down = True
        self.assertEqual(202, self.post().status)

    def test_a_host_name_by_itself(self):
        for version, name, status in (
                ("2.89", "www", 400), ("2.90", "www", 202), ("2.90", "www.example.org", 400),
                ("2.94", "www.example.org", 202), ("2.94", "-x-", 400), ("2.94", "a_b", 400)):
            self.assertEqual(status, self.post(version, hostname=name).status, (version, name))

    def test_a_host_name_from_a_name(self):
        for name, wanted in (("Web Server_1", "web-server-1"), ("ümläut", "mlut"),
                             ("x" * 100, "x" * 63)):
            answer = self.post(name=name)
            offer = self.child.boots[answer.json["server"]["id"]]
            self.assertEqual(wanted, offer.record.hostname)
        answer = self.post(name="日本")
        uuid = answer.json["server"]["id"]
        self.assertEqual(f"server-{uuid}", self.child.boots[uuid].record.hostname)


class Reading(base.RestCase):
    def test_another_projects_server_is_not_found(self):
        uuid = self.create()
        missing = self.ask("GET", "/servers/5f8a1c5e-0000-4000-8000-00000000dead")
        for method, path, body in (
                ("GET", "", None), ("PUT", "", {"server": {"name": "b"}}), ("DELETE", "", None),
                ("POST", "/action", {"os-stop": None}), ("GET", "/metadata", None),
                ("PUT", "/metadata/a", {"meta": {"a": "b"}}), ("GET", "/ips", None),
                ("GET", "/os-instance-actions", None), ("POST", "/action", {"lock": None})):
            answer = self.ask(method, f"/servers/{uuid}{path}", body, token=base.OTHER)
            self.assertEqual((404, f"Instance {uuid} could not be found."),
                             (answer.status, answer.message), (method, path))
        self.assertEqual(404, missing.status)
        self.assertEqual(200, self.ask("GET", f"/servers/{uuid}", token=base.ADMIN).status)

    def test_what_is_no_uuid(self):
        for name in ("web", "-1", "x" * 300, "%00", "..%2f"):
            answer = self.ask("GET", f"/servers/{name}")
            self.assertIn(answer.status, (400, 404), name)
            self.assertLess(len(answer.message), 400)

    def test_who_sees_where_it_is(self):
        uuid = self.create()
        plain = self.ask("GET", f"/servers/{uuid}", version="2.104")
        admin = self.ask("GET", f"/servers/{uuid}", version="2.104", token=base.ADMIN)
        self.assertNotIn("node-1", plain.text)
        self.assertEqual(("node-1", "UP"), (admin.json["server"]["OS-EXT-SRV-ATTR:host"],
                                            admin.json["server"]["host_status"]))

    def test_host_status_follows_the_cell_without_a_new_record(self):
        uuid = self.create()
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, self.clock.time(), up=False)
        for path in (f"/servers/{uuid}", "/servers/detail?all_tenants=1"):
            answer = self.ask("GET", path, version="2.16", token=base.ADMIN)
            self.assertIn('"host_status":"UNKNOWN"', answer.text)

    def test_links_follow_the_endpoint_and_the_project(self):
        uuid = self.create()
        answer = self.ask("GET", f"/apples/servers/{uuid}", headers={"Host": "cloud:8774"})
        self.assertEqual(["http://cloud:8774/v2.1/apples/servers/" + uuid,
                          "http://cloud:8774/apples/servers/" + uuid],
                         [link["href"] for link in answer.json["server"]["links"]])
        answer = self.ask("GET", f"/bananas/servers/{uuid}")
        self.assertEqual(400, answer.status)
        self.assertIn("project_id", answer.message)

    def test_unchanged(self):
        uuid = self.create()
        for path in (f"/servers/{uuid}", "/servers/detail"):
            first = self.ask("GET", path)
            again = self.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
            self.assertEqual((304, ""), (again.status, again.text))
            other = self.ask("GET", path, version="2.19",
                             headers={"If-None-Match": first.headers["ETag"]})
            self.assertEqual(200, other.status)
            self.act(uuid, "os-stop")
            changed = self.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
            self.assertEqual(200, changed.status)
            self.act(uuid, "os-start")


class Changing(base.RestCase):
    def test_update(self):
        uuid = self.create()
        answer = self.ask("PUT", f"/servers/{uuid}", {"server": {
            "name": "new", "accessIPv4": "10.0.0.9", "OS-DCF:diskConfig": "AUTO"}})
        self.assertEqual((200, "new", "10.0.0.9"), (
            answer.status, answer.json["server"]["name"], answer.json["server"]["accessIPv4"]))
        self.assertEqual("new", self.ask("GET", f"/servers/{uuid}").json["server"]["name"])
        answer = self.ask("PUT", f"/servers/{uuid}", {"server": {"description": None}},
                          version="2.19")
        self.assertIsNone(answer.json["server"]["description"])
        self.assertEqual(400, self.ask("PUT", f"/servers/{uuid}", {"server": {
            "description": "x"}}).status)

    def test_unpinned_and_pinned_again(self):
        """2.104: a server is freed from its zone, and bound again only to where it is."""
        uuid = self.create(availability_zone="nova", version="2.104")

        def pin(zone, version="2.104"):
            return self.ask("PUT", f"/servers/{uuid}",
                            {"server": {"pinned_availability_zone": zone}}, version=version)
        for zone in (None, None, "nova", "nova"):
            answer = pin(zone)
            self.assertEqual(200, answer.status, answer.text)
            self.assertEqual(zone, answer.json["server"]["pinned_availability_zone"])
            shown = self.ask("GET", f"/servers/{uuid}", version="2.104").json["server"]
            self.assertEqual((zone, "nova"), (shown["pinned_availability_zone"],
                                              shown["OS-EXT-AZ:availability_zone"]))
        for zone in ("elsewhere", "", 4):
            self.assertEqual(400, pin(zone).status)
        self.assertEqual(400, pin(None, version="2.103").status)

    def test_update_before_it_is_placed(self):
        uuid = self.create(run=False)
        answer = self.ask("PUT", f"/servers/{uuid}", {"server": {"name": "new"}})
        self.assertEqual((200, "new"), (answer.status, answer.json["server"]["name"]))

    def test_delete(self):
        uuid = self.create()
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        for method in ("GET", "DELETE"):
            answer = self.ask(method, f"/servers/{uuid}")
            self.assertEqual((404, f"Instance {uuid} could not be found."),
                             (answer.status, answer.message))

    def test_delete_before_it_is_placed(self):
        uuid = self.create(run=False)
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}").status)

    def test_a_cell_that_is_down(self):
        """Reads go on; a delete is kept; the rest is 503 with Retry-After (law T18)."""
        uuid = self.create()
        self.child.down = True
        self.assertEqual(200, self.ask("GET", f"/servers/{uuid}").status)
        self.assertEqual(1, len(self.ask("GET", "/servers/detail").json["servers"]))
        for answer in (self.act(uuid, "os-stop"),
                       self.ask("PUT", f"/servers/{uuid}", {"server": {"name": "b"}}),
                       self.ask("POST", f"/servers/{uuid}/metadata", {"metadata": {"a": "b"}})):
            self.assertEqual((503, "5"), (answer.status, answer.headers["Retry-After"]))
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        shown = self.ask("GET", f"/servers/{uuid}").json["server"]
        self.assertEqual("deleting", shown["OS-EXT-STS:task_state"])

    def test_an_old_answer_says_how_old_it_is(self):
        uuid = self.create()
        for path in ("/servers", "/servers/detail", f"/servers/{uuid}"):
            self.assertNotIn("X-Nova-Cells-Age", self.ask("GET", path).headers)
        now = self.clock.time()
        with self.view.write() as tx:
            self.view.cells.update(tx, base.CELL, now, up=False, heard_at=now - 300)
        self.clock.now += 2
        for path in ("/servers", "/servers/detail", f"/servers/{uuid}"):
            self.assertEqual("302", self.ask("GET", path).headers["X-Nova-Cells-Age"])
        self.assertNotIn("X-Nova-Cells-Age", self.ask("GET", "/servers",
                                                      token=base.OTHER).headers)

    def test_a_reader_may_only_read(self):
        """With a policy of roles, and no role in it, nothing may be changed."""
        uuid = self.create()
        with self.view.read() as tx:
            self.assertTrue(self.view.servers.row(tx, uuid).placed)
        self.assertEqual(403, self.ask("GET", "/servers/detail?all_tenants=1").status)
        answer = self.act(uuid, "os-resetState", {"state": "active"})
        self.assertEqual((403, "Policy doesn't allow os_compute_api:os-admin-actions:reset_state "
                               "to be performed."), (answer.status, answer.message))
