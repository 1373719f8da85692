# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Flavors, extra specs and access over REST."""

from tests.rest import desk

SHORT = {"id", "name", "links"}
LONG = SHORT | {"ram", "vcpus", "disk", "swap", "rxtx_factor", "OS-FLV-EXT-DATA:ephemeral",
                "OS-FLV-DISABLED:disabled", "os-flavor-access:is_public"}
GOOD = {"name": "small", "ram": 64, "vcpus": 1, "disk": 1}


class Base(desk.Desk):
    def make(self, version="2.1", **values):
        body = {"flavor": GOOD | values}
        return self.call("POST", "/flavors", body, version=version).json["flavor"]

    def names(self, query="", **how):
        body = self.call("GET", f"/flavors?{query}", **how).json
        return [flavor["name"] for flavor in body["flavors"]]


class Documents(Base):
    def test_keys_by_version(self):
        for version, more in (("2.1", set()), ("2.54", set()), ("2.55", {"description"}),
                              ("2.61", {"description", "extra_specs"}),
                              ("2.104", {"description", "extra_specs"})):
            made = self.make(version, name=f"f{version}")
            shown = self.call("GET", f"/flavors/{made['id']}", version=version).json["flavor"]
            self.assertEqual(LONG | more, set(made))
            self.assertEqual(made, shown)
            listed = self.call("GET", "/flavors/detail", version=version).json["flavors"]
            self.assertIn(shown, listed)
            short = self.call("GET", "/flavors", version=version).json["flavors"][0]
            self.assertEqual(SHORT | more - {"extra_specs"}, set(short))

    def test_values(self):
        made = self.make("2.61", id=7, swap=3, rxtx_factor="1.5", description="d", **{
            "OS-FLV-EXT-DATA:ephemeral": 2, "os-flavor-access:is_public": "False"})
        made.pop("links")
        self.assertEqual({
            "id": "7", "name": "small", "ram": 64, "vcpus": 1, "disk": 1, "swap": 3,
            "rxtx_factor": 1.5, "OS-FLV-EXT-DATA:ephemeral": 2, "description": "d",
            "OS-FLV-DISABLED:disabled": False, "os-flavor-access:is_public": False,
            "extra_specs": {}}, made)

    def test_no_swap_is_text_before_2_75(self):
        made = self.make()
        self.assertEqual("", made["swap"])
        path = f"/flavors/{made['id']}"
        self.assertEqual("", self.call("GET", path, version="2.74").json["flavor"]["swap"])
        self.assertEqual(0, self.call("GET", path, version="2.75").json["flavor"]["swap"])

    def test_links(self):
        made = self.make(id="x")
        self.assertEqual(["self", "bookmark"], [link["rel"] for link in made["links"]])
        self.assertTrue(made["links"][0]["href"].endswith("/v2.1/flavors/x"))
        self.assertTrue(made["links"][1]["href"].endswith("/flavors/x"))
        self.assertNotIn("v2.1", made["links"][1]["href"])

    def test_links_name_the_project_if_the_path_does(self):
        self.make(id="x")
        project = desk.TOKENS["admin"].partition(":")[2]
        body = self.call("GET", f"/{project}/flavors?limit=1").json
        self.assertIn(f"/v2.1/{project}/flavors/x", body["flavors"][0]["links"][0]["href"])
        self.assertIn(f"/v2.1/{project}/flavors?", body["flavors_links"][0]["href"])

    def test_numbers_as_text(self):
        made = self.make(ram="1024", vcpus="2", disk="0", swap="0")
        self.assertEqual((1024, 2, 0), (made["ram"], made["vcpus"], made["disk"]))

    def test_an_id_of_its_own(self):
        self.assertEqual(36, len(self.make()["id"]))
        self.assertEqual(36, len(self.make(name="b", id=None)["id"]))


class Create(Base):
    def refused(self, version="2.61", missing=None, **values):
        body = {"flavor": GOOD | values}
        body["flavor"].pop(missing, None)
        return self.fault(400, "POST", "/flavors", body, version=version)

    def test_missing(self):
        for name in GOOD:
            self.assertIn(name, self.refused(missing=name))

    def test_mistyped_and_out_of_range(self):
        for values in (
                {"ram": "many"}, {"ram": 0}, {"ram": -1}, {"ram": 2**31}, {"ram": None},
                {"ram": 1.5}, {"ram": True}, {"vcpus": 0}, {"vcpus": "9" * 50}, {"disk": -1},
                {"swap": -1}, {"swap": "-1"}, {"name": ""}, {"name": " "}, {"name": 5},
                {"name": "x" * 256}, {"name": " x"}, {"name": "a\x00b"}, {"id": ""},
                {"id": "x" * 256}, {"id": "a/b"}, {"id": " a"}, {"id": True}, {"id": ["a"]},
                {"rxtx_factor": "fast"}, {"rxtx_factor": 0}, {"rxtx_factor": "0"},
                {"rxtx_factor": -1}, {"rxtx_factor": 1e39}, {"description": "x" * 65536},
                {"description": 5}, {"os-flavor-access:is_public": "maybe"},
                {"OS-FLV-EXT-DATA:ephemeral": "some"}, {"unknown": 1},
                {"OS-FLV-DISABLED:disabled": True}):
            self.refused(**values)
        self.assertEqual([], self.names())

    def test_description_before_its_time(self):
        self.refused("2.54", description="d")

    def test_not_a_flavor(self):
        for body in ({}, {"flavor": None}, {"flavor": []}, {"flavors": GOOD}, [],
                     {"flavor": GOOD, "other": 1}):
            self.fault(400, "POST", "/flavors", body)

    def test_taken(self):
        self.make(id="x")
        self.fault(409, "POST", "/flavors", {"flavor": GOOD})
        self.fault(409, "POST", "/flavors", {"flavor": GOOD | {"name": "b", "id": "x"}})

    def test_only_admins(self):
        self.make(id="x")
        for method, path, body in (("POST", "/flavors", {"flavor": GOOD}),
                                   ("PUT", "/flavors/x", {"flavor": {"description": "d"}}),
                                   ("DELETE", "/flavors/x", None)):
            self.fault(403, method, path, body, version="2.55", who="member")


class Change(Base):
    def test_describe(self):
        self.make(id="x")
        for text in ("new\nlines", None):
            reply = self.call("PUT", "/flavors/x", {"flavor": {"description": text}},
                              version="2.61")
            self.assertEqual(text, reply.json["flavor"]["description"])
            self.assertEqual(LONG | {"description", "extra_specs"}, set(reply.json["flavor"]))

    def test_describe_refused(self):
        self.make(id="x")
        for body in ({"flavor": {}}, {"flavor": {"description": 5}}, {},
                     {"flavor": {"description": "x" * 65536}},
                     {"flavor": {"description": "d", "name": "other"}}):
            self.fault(400, "PUT", "/flavors/x", body, version="2.55")
        good = {"flavor": {"description": "d"}}
        self.fault(404, "PUT", "/flavors/none", good, version="2.55")
        self.fault(404, "PUT", "/flavors/x", good, version="2.54")

    def test_delete(self):
        self.make(id="x")
        reply = self.call("DELETE", "/flavors/x", status=202)
        self.assertEqual(b"", reply.body)
        message = self.fault(404, "DELETE", "/flavors/x")
        self.assertEqual("Flavor x could not be found.", message)
        self.assertEqual("Flavor x could not be found.", self.fault(404, "GET", "/flavors/x"))


class Lists(Base):
    def setUp(self):
        super().setUp()
        for n in range(5):
            self.make(name=f"f{n}", id=str(n), ram=64 * (5 - n), disk=n)

    def test_pages(self):
        found, path = [], "/flavors?limit=2"
        while path:
            body = self.call("GET", path).json
            found.append([flavor["id"] for flavor in body["flavors"]])
            following = body.get("flavors_links", [])
            path = following[0]["href"].partition("/v2.1")[2] if following else None
        self.assertEqual([["0", "1"], ["2", "3"], ["4"]], found)

    def test_filters_and_sorts(self):
        self.assertEqual(["f3", "f4"], self.names("minDisk=3"))
        self.assertEqual(["f0", "f1"], self.names("minRam=200"))
        self.assertEqual(["f4", "f3"], self.names("sort_key=memory_mb&limit=2"))
        self.assertEqual(["f4", "f3"], self.names("sort_key=name&sort_dir=desc&limit=2"))
        self.assertEqual([], self.names("limit=0"))
        self.assertEqual([], self.names("minDisk=9999999999"))

    def test_refused(self):
        for query in ("limit=-1", "limit=x", "limit=", "marker=nobody", "minRam=x",
                      "minDisk=-1", "minRam=\u00b2", "sort_key=color", "sort_dir=up",
                      "is_public=maybe"):
            self.fault(400, "GET", f"/flavors?{query}")
            self.fault(400, "GET", f"/flavors/detail?{query}")

    def test_unknown_parameters(self):
        self.assertEqual(5, len(self.names("color=red", version="2.74")))
        self.fault(400, "GET", "/flavors?color=red", version="2.75")


class Private(Base):
    def setUp(self):
        super().setUp()
        self.make(name="open", id="open")
        self.make(name="mine", id="mine", **{"os-flavor-access:is_public": "false"})
        self.make(name="hers", id="hers", **{"os-flavor-access:is_public": False})
        self.grant("mine")

    def grant(self, flavor, verb="addTenantAccess", project=desk.PROJECT, **how):
        return self.call("POST", f"/flavors/{flavor}/action", {verb: {"tenant": project}},
                         **how)

    def test_lists(self):
        self.assertEqual(["mine", "open"], self.names(who="member"))
        self.assertEqual(["open"], self.names(who="other"))
        # A tenant's word about is_public counts for nothing.
        self.assertEqual(["mine", "open"], self.names("is_public=None", who="member"))
        self.assertEqual(["hers", "mine", "open"], self.names("is_public=None"))
        for word in ("f", "false", "no", "0"):
            self.assertEqual(["hers", "mine"], self.names(f"is_public={word}"))
        for word in ("t", "true", "yes", "1"):
            self.assertIn("open", self.names(f"is_public={word}"))

    def test_show(self):
        self.call("GET", "/flavors/mine", who="member")
        self.fault(404, "GET", "/flavors/mine", who="other")
        self.fault(404, "GET", "/flavors/mine/os-extra_specs", who="other")
        self.call("GET", "/flavors/hers")

    def test_grant_and_revoke(self):
        entry = {"flavor_id": "mine", "tenant_id": desk.PROJECT}
        listed = self.call("GET", "/flavors/mine/os-flavor-access").json
        self.assertEqual({"flavor_access": [entry]}, listed)
        self.assertEqual({"flavor_access": [entry, entry | {"tenant_id": "zz"}]},
                         self.grant("mine", project="zz").json)
        self.assertEqual({"flavor_access": [entry]},
                         self.grant("mine", "removeTenantAccess", "zz").json)

    def test_refused(self):
        path = "/flavors/mine/action"
        self.fault(409, "POST", path, {"addTenantAccess": {"tenant": desk.PROJECT}})
        self.fault(404, "POST", path, {"removeTenantAccess": {"tenant": "nobody"}})
        self.fault(404, "POST", "/flavors/none/action", {"addTenantAccess": {"tenant": "p"}})
        self.fault(404, "GET", "/flavors/none/os-flavor-access")
        self.fault(404, "GET", "/flavors/open/os-flavor-access")
        for body in ({}, {"addTenantAccess": None}, {"addTenantAccess": {}}, {"other": {}},
                     {"addTenantAccess": {"tenant": 5}}, {"addTenantAccess": {"tenant": ""}},
                     {"addTenantAccess": {"tenant": "x" * 256}},
                     {"addTenantAccess": {"tenant": "p", "more": 1}},
                     {"addTenantAccess": {"tenant": "p"}, "more": 1}):
            self.fault(400, "POST", path, body)
        for verb in ("addTenantAccess", "removeTenantAccess"):
            self.fault(403, "POST", path, {verb: {"tenant": "p"}}, who="member")
        self.fault(403, "GET", "/flavors/mine/os-flavor-access", who="member")

    def test_public_flavors_take_no_access_from_2_7_on(self):
        self.fault(409, "POST", "/flavors/open/action", {"addTenantAccess": {"tenant": "p"}},
                   version="2.7")
        self.grant("open", version="2.6")


class ExtraSpecs(Base):
    path = "/flavors/x/os-extra_specs"

    def setUp(self):
        super().setUp()
        self.make(id="x")

    def put(self, specs, **how):
        return self.call("POST", self.path, {"extra_specs": specs}, **how).json

    def test_all_of_it(self):
        specs = {"hw:numa_nodes": "1", "hw:cpu_policy": "shared"}
        self.assertEqual({"extra_specs": specs}, self.put(specs))
        self.assertEqual({"extra_specs": specs}, self.call("GET", self.path).json)
        one = {"hw:numa_nodes": "2"}
        item = f"{self.path}/hw:numa_nodes"
        self.assertEqual(one, self.call("PUT", item, one).json)
        self.assertEqual(one, self.call("GET", item, who="member").json)
        shown = self.call("GET", "/flavors/x", version="2.61", who="member").json["flavor"]
        self.assertEqual(specs | one, shown["extra_specs"])
        self.assertEqual(b"", self.call("DELETE", item).body)
        self.fault(404, "DELETE", item)
        self.assertEqual("Flavor x has no extra specs with key hw:numa_nodes.",
                         self.fault(404, "GET", item))

    def test_numbers_are_kept_as_text(self):
        self.assertEqual({"extra_specs": {"a": "5"}}, self.put({"a": 5}))

    def test_refused(self):
        for specs in (None, [], "a", {"a/b": "c"}, {"a" * 256: "c"}, {"a": "c" * 256},
                      {"a": None}, {"a": ["b"]}, {"a": True}, {"": "c"}):
            self.fault(400, "POST", self.path, {"extra_specs": specs})
        for body in ({}, {"specs": {}}, {"extra_specs": {}, "more": 1}):
            self.fault(400, "POST", self.path, body)
        for body in ({}, {"b": "1"}, {"a": "1", "b": "2"}, {"a": None}, {"a": "1" * 256}):
            self.fault(400, "PUT", f"{self.path}/a", body)
        self.fault(404, "POST", "/flavors/none/os-extra_specs", {"extra_specs": {"a": "b"}})
        self.fault(404, "PUT", "/flavors/none/os-extra_specs/a", {"a": "b"})
        self.fault(404, "GET", "/flavors/none/os-extra_specs")
        self.fault(403, "POST", self.path, {"extra_specs": {"a": "b"}}, who="member")
        self.fault(403, "PUT", f"{self.path}/a", {"a": "b"}, who="member")
        self.fault(403, "DELETE", f"{self.path}/a", who="member")

    def test_checked_from_2_86_on(self):
        for specs in ({"hw:numa_nodes": "none"}, {"hw:nothing": "1"}):
            self.fault(400, "POST", self.path, {"extra_specs": specs}, version="2.86")
            key = next(iter(specs))
            self.fault(400, "PUT", f"{self.path}/{key}", specs, version="2.86")
            self.put(specs, version="2.85")
        self.put({"foo:bar": "baz", "hw:cpu_policy": "shared"}, version="2.86")
