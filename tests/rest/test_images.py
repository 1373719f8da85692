# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The old image routes: the image service's answers in the old words, up to 2.35 and 2.38."""

from nova_cells.domain import errors
from nova_cells.image import protocol
from tests.rest import base

MINE = "aaaaaaaa-2222-4333-8444-555555555555"
SERVER = "bbbbbbbb-2222-4333-8444-555555555555"


class Case(base.RestCase):
    def setUp(self):
        super().setUp()
        self.images.create(protocol.NewImage(
            id=MINE, name="mine", min_disk=2, min_ram=64, properties={
                "instance_uuid": SERVER, "image_type": "snapshot", "auto_disk_config": "True"}),
            base.MEMBER)

    def image(self, **how):
        return self.ask("GET", f"/images/{MINE}", **how).json["image"]

    def listed(self, query="", path="/images", **how):
        return [image["id"] for image in self.ask("GET", path + query, **how).json["images"]]


class Images(Case):
    def test_until_2_35(self):
        for path in ("/images", "/images/detail", f"/images/{MINE}"):
            self.assertEqual(200, self.ask("GET", path, version="2.35").status)
            self.assertEqual(404, self.ask("GET", path, version="2.36").status)
        self.assertEqual(404, self.ask("DELETE", f"/images/{MINE}", version="2.36").status)
        self.assertEqual(204, self.ask("DELETE", f"/images/{MINE}", version="2.35").status)

    def test_one(self):
        shown = self.image()
        self.assertEqual({
            "id": MINE, "name": "mine", "minDisk": 2, "minRam": 64, "status": "SAVING",
            "progress": 25, "OS-EXT-IMG-SIZE:size": 0, "OS-DCF:diskConfig": "AUTO",
            "metadata": {"instance_uuid": SERVER, "image_type": "snapshot",
                         "auto_disk_config": "True"}},
            {name: value for name, value in shown.items()
             if name not in ("links", "server", "created", "updated")})
        self.assertRegex(shown["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(["self", "bookmark", "alternate"],
                         [link["rel"] for link in shown["links"]])
        self.assertEqual("application/vnd.openstack.image", shown["links"][2]["type"])
        self.assertEqual(SERVER, shown["server"]["id"])
        self.assertEqual(["self", "bookmark"], [link["rel"] for link in shown["server"]["links"]])
        plain = self.ask("GET", f"/images/{base.PICTURE}").json["image"]
        self.assertEqual(("ACTIVE", 100, 512), (plain["status"], plain["progress"],
                                                plain["OS-EXT-IMG-SIZE:size"]))
        self.assertNotIn("server", plain)
        self.assertNotIn("OS-DCF:diskConfig", plain)

    def test_the_service_s_own_address_is_the_alternate(self):
        self.images.address = lambda: "http://glance.example/image"
        self.assertEqual(f"http://glance.example/image/images/{MINE}",
                         self.image()["links"][2]["href"])

    def test_what_is_not_there_or_somebody_else_s(self):
        for token, image_id in ((base.MEMBER, SERVER), (base.OTHER, MINE), (base.MEMBER, "x")):
            answer = self.ask("GET", f"/images/{image_id}", token=token)
            self.assertEqual((404, "Image not found."), (answer.status, answer.message))
            self.assertEqual(404, self.ask("DELETE", f"/images/{image_id}", token=token).status)
            self.assertEqual(404, self.ask("GET", f"/images/{image_id}/metadata",
                                           token=token).status)

    def test_lists(self):
        self.assertIn(MINE, self.listed())
        self.assertNotIn(MINE, self.listed(token=base.OTHER))
        [brief] = [image for image in self.ask("GET", "/images").json["images"]
                   if image["id"] == MINE]
        self.assertEqual({"id", "name", "links"}, brief.keys())
        [whole] = [image for image in self.ask("GET", "/images/detail").json["images"]
                   if image["id"] == MINE]
        self.assertEqual(self.image(), whole)

    def test_filters(self):
        for query, there in (
                ("?name=mine", True), ("?name=other", False), ("?status=QUEUED", True),
                ("?status=active", False), ("?type=snapshot", True), ("?type=backup", False),
                (f"?server={SERVER}", True), (f"?server=http://x/v2.1/servers/{SERVER}", True),
                ("?server=x", False), ("?minRam=64", True), ("?minRam=65", False),
                ("?minDisk=2", True), ("?property-image_type=snapshot", True),
                ("?property-image_type=x", False), ("?changes-since=2000-01-01T00:00:00Z", True),
                ("?changes-since=2999-01-01T00:00:00Z", False), ("?anything=1", True)):
            for path in ("/images", "/images/detail"):
                self.assertEqual(there, MINE in self.listed(query, path), query)

    def test_pages(self):
        everything = self.listed()
        self.assertEqual(3, len(everything))
        answer = self.ask("GET", "/images?limit=2").json
        self.assertEqual(everything[:2], [image["id"] for image in answer["images"]])
        [link] = answer["images_links"]
        self.assertEqual("next", link["rel"])
        self.assertIn(f"marker={everything[1]}", link["href"])
        self.assertEqual(everything[2:], self.listed(f"?limit=2&marker={everything[1]}"))
        self.assertIn("/images/detail?", self.ask(
            "GET", "/images/detail?limit=1").json["images_links"][0]["href"])
        for query in ("?limit=-1", "?limit=x", "?limit=0", "?offset=x", f"?marker={SERVER}"):
            self.assertEqual(400, self.ask("GET", "/images" + query).status, query)

    def test_delete(self):
        answer = self.ask("DELETE", f"/images/{base.PICTURE}")
        self.assertEqual((403, "You are not allowed to delete the image."),
                         (answer.status, answer.message))
        answer = self.ask("DELETE", f"/images/{MINE}")
        self.assertEqual((204, ""), (answer.status, answer.text))
        self.assertNotIn(MINE, self.listed())

    def test_a_service_that_does_not_answer(self):
        def gone(*_what):
            raise protocol.Unreachable("gone")
        self.images.show = self.images.search = self.images.delete = gone
        for method, path in (("GET", "/images"), ("GET", f"/images/{MINE}"),
                             ("DELETE", f"/images/{MINE}"), ("GET", f"/images/{MINE}/metadata")):
            self.assertEqual(503, self.ask(method, path).status)


class Metadata(Case):
    def meta(self, method, key="", body=None, **how):
        return self.ask(method, f"/images/{MINE}/metadata{key and '/' + key}", body, **how)

    def test_until_2_38(self):
        for method, key, body in (("GET", "", None), ("GET", "image_type", None),
                                  ("POST", "", {"metadata": {"a": "1"}}),
                                  ("PUT", "a", {"meta": {"a": "2"}}),
                                  ("PUT", "", {"metadata": {"image_type": "x", "a": "1"}})):
            self.assertEqual(200, self.meta(method, key, body, version="2.38").status)
            self.assertEqual(404, self.meta(method, key, body, version="2.39").status)
        self.assertEqual(404, self.meta("DELETE", "a", version="2.39").status)
        self.assertEqual(204, self.meta("DELETE", "a", version="2.38").status)

    def test_all_of_it(self):
        self.assertEqual({"metadata": self.image()["metadata"]}, self.meta("GET").json)
        self.assertEqual({"meta": {"image_type": "snapshot"}},
                         self.meta("GET", "image_type").json)
        self.assertEqual(404, self.meta("GET", "nothing").status)
        answer = self.meta("POST", body={"metadata": {"k": "v", "image_type": "x"}})
        self.assertEqual(("v", "x", SERVER), tuple(
            answer.json["metadata"][name] for name in ("k", "image_type", "instance_uuid")))
        self.assertEqual({"meta": {"k": "w"}}, self.meta("PUT", "k", {"meta": {"k": "w"}}).json)
        self.assertEqual("w", self.image()["metadata"]["k"])
        self.assertEqual({"metadata": {"only": "1"}},
                         self.meta("PUT", body={"metadata": {"only": "1"}}).json)
        self.assertEqual({"only": "1"}, self.image()["metadata"])
        self.assertEqual(204, self.meta("DELETE", "only").status)
        answer = self.meta("DELETE", "only")
        self.assertEqual((404, "Invalid metadata key"), (answer.status, answer.message))

    def test_shapes_and_limits(self):
        for method, key, body in (
                ("POST", "", {}), ("POST", "", {"metadata": "x"}), ("PUT", "", {"meta": {}}),
                ("POST", "", {"metadata": {"k": 1}}), ("PUT", "k", {"meta": {}}),
                ("PUT", "k", {"meta": {"k": "1", "l": "2"}}), ("PUT", "k", {"meta": {"l": "2"}}),
                ("PUT", "", {"metadata": {"": "x"}}),
                ("PUT", "", {"metadata": {"k": "v"}, "a": 1})):
            self.assertEqual(400, self.meta(method, key, body).status, body)
        many = {f"k{n}": "v" for n in range(6)}
        for method in ("POST", "PUT"):
            answer = self.meta(method, body={"metadata": many})
            self.assertEqual((403, "Image metadata limit exceeded"),
                             (answer.status, answer.message))
        answer = self.ask("PUT", f"/images/{base.PICTURE}/metadata", {"metadata": {"k": "v"}})
        self.assertEqual((403, f"Not authorized for image {base.PICTURE}."),
                         (answer.status, answer.message))

    def test_gone_in_between(self):
        def gone(*_what):
            raise errors.NotFound("gone")
        self.images.set_properties = gone
        self.assertEqual(404, self.meta("PUT", body={"metadata": {}}).status)
