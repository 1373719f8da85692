# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Host aggregates over REST: documents, zones, hosts with servers, two hosts of one name."""

from nova_cells.domain import commands, records
from tests.rest import base, tempest_schemas

HOST = base.CELL[:-4] + "0bad"
BETA, OTHER = "ce110000-0000-4000-8000-000000000002", "0c000000-0000-4000-8000-00000000000c"


class Base(base.RestCase):
    def one(self, method, path="", body=None, status=200, schema=None, version="2.41"):
        answer = self.ask(method, f"/os-aggregates{path}", body, token=base.ADMIN,
                          version=version)
        self.assertEqual(status, answer.status, answer.text)
        if schema:
            tempest_schemas.check("aggregates", schema, version, status, answer.json)
        return answer if status >= 300 or not answer.text else answer.json.get("aggregate",
                                                                               answer.json)

    def made(self, name="a", zone=None):
        given = {"name": name} | ({"availability_zone": zone} if zone else {})
        return self.one("POST", body={"aggregate": given}, schema="create_aggregate")["id"]

    def act(self, number, key, value, status=200):
        return self.one("POST", f"/{number}/action", {key: value}, status,
                        "aggregate_add_remove_host" if status == 200 and key.endswith("host")
                        else "aggregate_set_metadata" if status == 200 else None)

    def told(self):
        """What the cell was told last."""
        return [call for call in self.child.calls if isinstance(call, commands.Aggregates)][-1]


class Documents(Base):
    def test_keys_by_version(self):
        self.made("a", "attic")
        for version in ("2.1", "2.40", "2.41", "2.104"):
            found = self.one("GET", version=version, schema="list_aggregates")["aggregates"][0]
            shown = self.one("GET", f"/{found['id']}", version=version, schema="get_aggregate")
            self.assertEqual(found, shown)
            self.assertEqual(version not in ("2.1", "2.40"), "uuid" in shown)
            self.assertEqual(("a", "attic", {"availability_zone": "attic"}, [], False, None), tuple(
                shown[key] for key in ("name", "availability_zone", "metadata", "hosts",
                                       "deleted", "deleted_at")))
            made = self.one("POST", body={"aggregate": {"name": version}}, version=version,
                            schema="create_aggregate")
            self.assertNotIn("hosts", made)

    def test_update_and_delete(self):
        number = self.made()
        for body in ({"name": " b "}, {"availability_zone": "attic"},
                     {"name": "c", "availability_zone": "cellar"}):
            shown = self.one("PUT", f"/{number}", {"aggregate": body},
                             schema="update_aggregate")
        self.assertEqual(("c", "cellar"), (shown["name"], shown["availability_zone"]))
        self.assertIsNotNone(shown["updated_at"])
        self.one("DELETE", f"/{number}")
        for method, path, body in (("GET", "", None), ("DELETE", "", None),
                                   ("PUT", "", {"aggregate": {"name": "x"}}),
                                   ("POST", "/action", {"add_host": {"host": "node-1"}})):
            self.one(method, f"/{number}{path}", body, 404)

    def test_wrong(self):
        number = self.made()
        self.made("b")
        for body in ({}, {"name": ""}, {"name": "x" * 256}, {"name": "x", "more": 1},
                     {"name": "x", "availability_zone": ""},
                     {"name": "x", "availability_zone": "a:b"}):
            self.one("POST", body={"aggregate": body}, status=400)
        for body in ({}, {"availability_zone": None}, {"more": 1}):
            self.one("PUT", f"/{number}", {"aggregate": body}, 400)
        self.assertEqual("Aggregate a already exists.", self.one(
            "POST", body={"aggregate": {"name": "a"}}, status=409).message)
        self.one("PUT", f"/{number}", {"aggregate": {"name": "b"}}, 409)
        self.one("GET", "/one", status=400)
        self.one("GET", f"/{'9' * 40}", status=404)
        for action in ({"set_metadata": {"metadata": {"k": 1}}}, {"set_metadata": {}},
                       {"set_metadata": {"metadata": {"availability_zone": None}}},
                       {"set_metadata": {"metadata": {"availability_zone": ""}}},
                       {"add_host": {"host": "a/b"}}, {"explode": None}):
            self.one("POST", f"/{number}/action", action, 400)

    def test_metadata(self):
        number = self.made("a", "attic")
        self.act(number, "set_metadata", {"metadata": {"k": "v", "l": "w"}})
        shown = self.act(number, "set_metadata", {"metadata": {"k": None, "m": "x"}})
        self.assertEqual({"availability_zone": "attic", "l": "w", "m": "x"}, shown["metadata"])

    def test_not_for_everybody(self):
        for method, path, body in (("GET", "", None), ("GET", "/1", None), ("DELETE", "/1", None),
                                   ("POST", "", {"aggregate": {"name": "x"}}),
                                   ("POST", "/1/action", {"add_host": {"host": "x"}})):
            self.assertEqual(403, self.ask(method, f"/os-aggregates{path}", body).status)


class Hosts(Base):
    def zones(self):
        found = self.ask("GET", "/os-availability-zone").json["availabilityZoneInfo"]
        return {zone["zoneName"] for zone in found}

    def test_host_is_in_its_aggregates_zone_and_its_cell_hears_of_it(self):
        number = self.made("a", "attic")
        self.assertEqual({"nova"}, self.zones())
        self.assertEqual(["node-1"], self.act(number, "add_host", {"host": "node-1"})["hosts"])
        self.assertEqual({"attic"}, self.zones())
        told = self.told().aggregates[0]
        self.assertEqual((number, "attic", (HOST,)), (told.id, told.zone, told.hosts))
        self.act(number, "add_host", {"host": "node-1"}, 409)
        self.one("DELETE", f"/{number}", status=400)
        self.act(number, "set_metadata", {"metadata": {"availability_zone": "cellar"}})
        self.assertEqual("cellar", self.told().aggregates[0].zone)
        server = {"name": "a", "flavorRef": "1", "imageRef": base.PICTURE}
        self.assertEqual(400, self.ask("POST", "/servers", {"server": server | {
            "availability_zone": "attic"}}).status)
        uuid = self.create(run=False, availability_zone="cellar")     # not counted there yet
        self.assertIn(uuid, self.child.boots)
        self.assertEqual([], self.act(number, "remove_host", {"host": "node-1"})["hosts"])
        self.assertEqual(((), {"nova"}), (self.told().aggregates, self.zones()))
        self.act(number, "remove_host", {"host": "node-1"}, 404)
        self.one("DELETE", f"/{number}")

    def test_host_with_servers_stays_in_its_zone(self):
        attic, plain = self.made("a", "attic"), self.made("b")
        self.create()
        answer = self.act(attic, "add_host", {"host": "node-1"}, 409)
        self.assertIn("already has 1 instance(s)", answer.message)
        self.act(plain, "add_host", {"host": "node-1"})
        self.one("PUT", f"/{plain}", {"aggregate": {"availability_zone": "x"}}, 400)
        self.act(plain, "set_metadata", {"metadata": {"availability_zone": "x"}}, 400)
        self.act(plain, "remove_host", {"host": "node-1"})

    def test_zone_with_servers_is_not_left_nor_renamed(self):
        attic, same, other = self.made("a", "attic"), self.made("b", "attic"), self.made("c", "x")
        self.act(attic, "add_host", {"host": "node-1"})
        answer = self.act(other, "add_host", {"host": "node-1"}, 409)
        self.assertIn("already in availability zone(s)", answer.message)
        self.create()
        self.act(attic, "remove_host", {"host": "node-1"}, 409)
        self.one("PUT", f"/{attic}", {"aggregate": {"availability_zone": "x"}}, 400)
        self.act(same, "add_host", {"host": "node-1"})
        self.act(attic, "remove_host", {"host": "node-1"})

    def test_hosts_of_one_name_in_two_cells(self):
        number = self.made()
        with self.view.write() as tx:
            self.view.cells.create(tx, BETA, "beta", "local://beta", 1.0)
            self.view.records.keep_host(tx, BETA, records.HostRecord(
                uuid=OTHER, name="node-1", version=1), 1, 1.0)
        self.assertIn("beta, cell1", self.act(number, "add_host", {"host": "node-1"}, 409).message)
        self.act(number, "add_host", {"host": "node-1.beta"})
        self.assertEqual((OTHER,), self.told().aggregates[0].hosts)

    def test_images_are_cached_before_anybody_boots_from_them(self):
        number = self.made()

        def asked(cache, status, version="2.81", number=number):
            self.assertEqual(status, self.ask(
                "POST", f"/os-aggregates/{number}/images", {"cache": cache}, token=base.ADMIN,
                version=version).status, cache)
        asked([{"id": base.PICTURE}], 202)
        self.assertEqual([], self.child.casts)           # it has no hosts
        self.act(number, "add_host", {"host": "node-1"})
        asked([{"id": base.PICTURE}], 202)
        sent = self.child.casts[-1]
        self.assertEqual(((HOST,), [base.PICTURE]), (sent.hosts, [one.id for one in sent.images]))
        for cache in ([], [{}], [{"id": "x"}], [{"id": BETA}], [{"id": BETA, "more": 1}],
                      [{"id": base.PICTURE}, {"id": base.PICTURE}]):
            asked(cache, 400)
        asked([{"id": base.PICTURE}], 404, "2.80")
        asked([{"id": base.PICTURE}], 404, number=99)
        self.child.down = True
        asked([{"id": base.PICTURE}], 202)

    def test_cell_that_is_down_is_told_later(self):
        number = self.made("a", "attic")
        self.child.down = True
        self.assertEqual(["node-1"], self.act(number, "add_host", {"host": "node-1"})["hosts"])

    def test_host_that_is_forgotten_leaves(self):
        number = self.made()
        self.act(number, "add_host", {"host": "node-1"})
        with self.view.write() as tx:
            self.view.records.keep_host(tx, base.CELL, records.HostRecord(
                uuid=HOST, name="node-1", version=2, up=False), 2, 1.0)
        self.assertEqual(204, self.ask("DELETE", f"/os-services/{HOST}", token=base.ADMIN,
                                       version="2.53").status)
        self.assertEqual([], self.one("GET", f"/{number}")["hosts"])
