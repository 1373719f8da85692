# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's tags."""

from nova_cells.domain import commands
from tests.rest import base

MANY = [f"t{number:02}" for number in range(50)]


class Tags(base.RestCase):
    def tags(self, method, uuid, tag=None, body=None, **more):
        path = f"/servers/{uuid}/tags" + (f"/{tag}" if tag is not None else "")
        return self.ask(method, path, body, version="2.26", **more)

    def shown(self, uuid):
        found = self.ask("GET", f"/servers/{uuid}", version="2.26").json["server"]["tags"]
        self.assertEqual(found, self.tags("GET", uuid).json["tags"])
        return found

    def test_one_after_another(self):
        uuid = self.create()
        before = self.child.records[uuid].version
        answer = self.tags("PUT", uuid, "b")
        self.assertEqual((201, ""), (answer.status, answer.text))
        self.assertEqual(f"http://localhost/v2.1/servers/{uuid}/tags/b",
                         answer.headers["Location"])
        self.assertEqual(before + 1, self.child.records[uuid].version)
        self.assertEqual(201, self.tags("PUT", uuid, "a").status)
        asked = len(self.child.calls)
        self.assertEqual(204, self.tags("PUT", uuid, "a").status)
        self.assertEqual(asked, len(self.child.calls))
        self.assertEqual(["a", "b"], self.shown(uuid))
        self.assertEqual(204, self.tags("GET", uuid, "a").status)
        self.assertEqual(404, self.tags("GET", uuid, "A").status)
        self.assertEqual(204, self.tags("DELETE", uuid, "a").status)
        answer = self.tags("DELETE", uuid, "a")
        self.assertEqual((404, f"Server {uuid} has no tag 'a'"), (answer.status, answer.message))
        self.assertEqual(["b"], self.shown(uuid))

    def test_all_at_once(self):
        uuid = self.create(tags=["x", "x"], version="2.52")
        self.assertEqual(["x"], self.shown(uuid))
        answer = self.tags("PUT", uuid, body={"tags": ["z", "ä", "z"]})
        self.assertEqual((200, ["z", "ä"]), (answer.status, answer.json["tags"]))
        self.assertIsInstance(self.child.calls[-1], commands.ChangeTags)
        self.assertEqual(["z", "ä"], self.shown(uuid))
        self.assertEqual(204, self.tags("DELETE", uuid).status)
        self.assertEqual([], self.shown(uuid))

    def test_what_fits(self):
        uuid = self.create()
        self.assertEqual(200, self.tags("PUT", uuid, body={"tags": MANY}).status)
        self.assertEqual(400, self.tags("PUT", uuid, "one-more").status)
        self.assertEqual(400, self.tags("PUT", uuid, body={"tags": [*MANY, "x"]}).status)
        self.assertEqual(MANY, self.shown(uuid))
        self.tags("DELETE", uuid)
        self.assertEqual(201, self.tags("PUT", uuid, "x" * 60).status)
        for wrong in ("x" * 61, "a,b"):
            answer = self.tags("PUT", uuid, wrong)
            self.assertEqual(400, answer.status)
            self.assertIn("is invalid. It must be a non empty string", answer.message)
            self.assertEqual(400, self.tags("PUT", uuid, body={"tags": [wrong]}).status)
        for wrong in ({"tags": [""]}, {"tags": "a"}, {"tags": [1]}, {}, {"tags": [], "x": 1}):
            self.assertEqual(400, self.tags("PUT", uuid, body=wrong).status, wrong)
        self.assertEqual(400, self.tags("PUT", uuid, "a", body={"a": 1}).status)
        self.assertEqual(404, self.tags("PUT", uuid, "a%2Fb").status)

    def test_when_and_who(self):
        uuid = self.create()
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}/tags", version="2.25").status)
        self.act(uuid, "lock")
        self.assertEqual(201, self.tags("PUT", uuid, "locked-is-no-matter").status)
        for method, tag in (("GET", None), ("PUT", "a"), ("DELETE", "a"), ("DELETE", None)):
            self.assertEqual(404, self.tags(method, uuid, tag, token=base.OTHER).status)
        waiting = self.create(run=False)
        for method, tag in (("PUT", "a"), ("DELETE", "a"), ("DELETE", None)):
            answer = self.tags(method, waiting, tag)
            self.assertEqual(409, answer.status)
            self.assertIn("while it is in vm_state building", answer.message)
        self.assertEqual([], self.tags("GET", waiting).json["tags"])

    def test_lists_find_them(self):
        tagged, other = self.create(), self.create(name="other")
        self.tags("PUT", tagged, body={"tags": ["red", "blue"]})
        self.tags("PUT", other, "blue")

        def found(query):
            servers = self.ask("GET", f"/servers?{query}", version="2.26").json["servers"]
            return sorted(server["id"] for server in servers)
        for query, wanted in (("tags=red,blue", [tagged]), ("tags-any=red,blue", [tagged, other]),
                              ("not-tags=red,blue", [other]), ("not-tags-any=red", [other])):
            self.assertEqual(sorted(wanted), found(query), query)
        self.tags("DELETE", tagged, "red")
        self.assertEqual([], found("tags=red"))
