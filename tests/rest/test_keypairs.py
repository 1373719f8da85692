# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Key pairs over REST."""

from nova_cells.api.compute import keys
from tests.rest import desk

MADE = keys.generate("ssh", "u", 0.0)
SHORT = {"name", "public_key", "fingerprint"}
WHOLE = SHORT | {"user_id", "id", "created_at", "updated_at", "deleted_at", "deleted"}


class Base(desk.Desk):
    def post(self, version="2.2", name="k", **values):
        how = {key: values.pop(key) for key in ("who", "status") if key in values}
        values.setdefault("public_key", MADE.public)
        how.setdefault("status", 200 if version == "2.1" else 201)
        body = {"keypair": {"name": name} | {k: v for k, v in values.items() if v is not None}}
        return self.call("POST", "/os-keypairs", body, version=version, **how)

    def names(self, query="", **how):
        body = self.call("GET", f"/os-keypairs?{query}", **how).json
        return [entry["keypair"]["name"] for entry in body["keypairs"]]


class Documents(Base):
    def test_keys_by_version(self):
        for version, more in (("2.1", set()), ("2.2", {"type"}), ("2.104", {"type"})):
            name = version.replace(".", "_")
            made = self.post(version, name).json["keypair"]
            self.assertEqual(SHORT | more | {"user_id"}, set(made))
            shown = self.call("GET", f"/os-keypairs/{name}", version=version).json["keypair"]
            self.assertEqual(WHOLE | more, set(shown))
            self.assertEqual((False, None, None), tuple(
                shown[key] for key in ("deleted", "deleted_at", "updated_at")))
            self.assertIsInstance(shown["id"], int)
            self.assertEqual(MADE.fingerprint, shown["fingerprint"])
            listed = self.call("GET", "/os-keypairs", version=version).json["keypairs"]
            self.assertEqual(SHORT | more, set(listed[0]["keypair"]))

    def test_made_by_the_service(self):
        for kind in ("ssh", "x509"):
            made = self.post("2.2", kind, public_key=None, type=kind).json["keypair"]
            self.assertIn("PRIVATE KEY", made["private_key"])
            self.assertEqual(kind, made["type"])
            self.assertEqual(made["fingerprint"], keys.fingerprint(kind, made["public_key"]))
            shown = self.call("GET", f"/os-keypairs/{kind}").json["keypair"]
            self.assertNotIn("private_key", shown)

    def test_delete(self):
        for version, status in (("2.1", 202), ("2.2", 204)):
            self.post(name="k")
            reply = self.call("DELETE", "/os-keypairs/k", version=version, status=status)
            self.assertEqual(b"", reply.body)
            self.assertIn("k", self.fault(404, "DELETE", "/os-keypairs/k"))
            self.fault(404, "GET", "/os-keypairs/k")

    def test_no_generation_from_2_92_on(self):
        self.assertIn("public_key", self.fault(
            400, "POST", "/os-keypairs", {"keypair": {"name": "k"}}, version="2.92"))
        self.post("2.91", public_key=None)

    def test_names_with_dots_from_2_92_on(self):
        self.post("2.92", "me@my.host")
        self.call("GET", "/os-keypairs/me@my.host")
        self.fault(400, "POST", "/os-keypairs",
                   {"keypair": {"name": "you@my.host", "public_key": MADE.public}},
                   version="2.91")


class Refused(Base):
    def test_bad_fields(self):
        for values in ({"name": ""}, {"name": 5}, {"name": "x" * 256}, {"name": "a/b"},
                       {"name": r"key_/.\@:"}, {"name": " a"}, {"name": None},
                       {"name": "\u2603"}, {"public_key": ""}, {"public_key": " "},
                       {"public_key": 5}, {"public_key": "ssh-rsa JUNK nova@ubuntu"},
                       {"public_key": "ssh-rsa " + "A" * 2048 + " openstack@ubuntu"},
                       {"public_key": "x" * 65536}, {"type": "pgp"}, {"type": None},
                       {"type": "x509"}, {"user_id": 5}, {"user_id": ""}, {"unknown": 1}):
            body = {"keypair": {"name": "k", "public_key": MADE.public} | values}
            self.fault(400, "POST", "/os-keypairs", body, version="2.10")
        self.assertEqual([], self.names())

    def test_before_their_time(self):
        for version, field in (("2.1", {"type": "ssh"}), ("2.9", {"user_id": "u"})):
            body = {"keypair": {"name": "k", "public_key": MADE.public} | field}
            self.fault(400, "POST", "/os-keypairs", body, version=version)

    def test_not_a_key_pair(self):
        for body in ({}, [], {"keypair": None}, {"keypair": {}}, {"keypairs": {"name": "k"}},
                     {"keypair": {"name": "k"}, "more": 1}):
            self.fault(400, "POST", "/os-keypairs", body)

    def test_taken(self):
        self.post()
        body = {"keypair": {"name": "k", "public_key": MADE.public}}
        self.assertEqual("Key pair 'k' already exists.",
                         self.fault(409, "POST", "/os-keypairs", body))

    def test_over_the_limit(self):
        with self.view.write() as tx:
            self.view.quota.set_limits(tx, desk.PROJECT, None, {"key_pairs": 1})
        self.post(who="member")
        body = {"keypair": {"name": "b", "public_key": MADE.public}}
        self.assertEqual("Quota exceeded, too many key pairs.",
                         self.fault(403, "POST", "/os-keypairs", body, who="member"))

    def test_queries(self):
        self.post()
        for query in ("limit=-1", "limit=x", "marker=nobody"):
            self.fault(400, "GET", f"/os-keypairs?{query}", version="2.35")
            self.assertEqual(["k"], self.names(query, version="2.34"))
        for method, path in (("GET", "/os-keypairs"), ("GET", "/os-keypairs/k"),
                             ("DELETE", "/os-keypairs/k")):
            self.fault(400, method, f"{path}?color=red", version="2.75")


class Users(Base):
    def test_an_admin_for_another_user(self):
        made = self.post("2.10", user_id="somebody").json["keypair"]
        self.assertEqual("somebody", made["user_id"])
        self.assertEqual([], self.names(version="2.10"))
        self.assertEqual(["k"], self.names("user_id=somebody", version="2.10"))
        self.assertEqual([], self.names("user_id=somebody", version="2.9"))
        path = "/os-keypairs/k?user_id=somebody"
        self.assertEqual("somebody",
                         self.call("GET", path, version="2.10").json["keypair"]["user_id"])
        self.fault(404, "GET", path, version="2.9")
        self.call("DELETE", path, version="2.10", status=204)

    def test_a_tenant_only_for_herself(self):
        self.post("2.10", who="member")
        self.assertEqual(["k"], self.names(who="member"))
        self.assertEqual([], self.names(who="other"))
        self.fault(404, "GET", "/os-keypairs/k", who="other")
        for method, path in (("GET", "/os-keypairs"), ("GET", "/os-keypairs/k"),
                             ("DELETE", "/os-keypairs/k")):
            self.fault(403, method, f"{path}?user_id=somebody", version="2.10", who="member")
        self.fault(403, "POST", "/os-keypairs", {"keypair": {
            "name": "x", "public_key": MADE.public, "user_id": "somebody"}},
            version="2.10", who="member")

    def test_pages(self):
        for name in "cab":
            self.post(name=name)
        self.assertEqual(["a", "b", "c"], self.names())
        body = self.call("GET", "/os-keypairs?limit=2", version="2.35").json
        self.assertEqual(2, len(body["keypairs"]))
        [following] = body["keypairs_links"]
        self.assertEqual("next", following["rel"])
        path = following["href"].partition("/v2.1")[2]
        body = self.call("GET", path, version="2.35").json
        self.assertEqual(["c"], [entry["keypair"]["name"] for entry in body["keypairs"]])
        self.assertNotIn("keypairs_links", body)
