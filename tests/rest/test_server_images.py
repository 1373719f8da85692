# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""createImage and createBackup: what is answered, what image is made, what is left of a failure."""

from nova_cells.db.view import tables
from nova_cells.domain import commands, errors
from nova_cells.domain import server as model
from nova_cells.image import protocol
from tests.rest import base


class Images(base.RestCase):
    def setUp(self):
        super().setUp()
        self.uuid = self.create()

    def order(self):
        """The last command that the cell got."""
        [act] = [call for call in self.child.calls if isinstance(call, commands.Act)][-1:]
        return act

    def image(self, image_id, token=base.MEMBER):
        return self.images.show(image_id, token)

    def made(self):
        """What the image service has beside what it had."""
        return [image for image in self.images.search(protocol.Search(), base.ADMIN)
                if "image_type" in image.properties]

    def snap(self, version="2.45", **fields):
        return self.act(self.uuid, "createImage", {"name": "pic", **fields}, version=version)

    def backup(self, version="2.45", **fields):
        return self.act(self.uuid, "createBackup", {
            "name": "pic", "backup_type": "daily", "rotation": 2, **fields}, version=version)


class CreateImage(Images):
    def test_the_record_is_there_when_it_is_answered(self):
        answer = self.snap()
        self.assertEqual(202, answer.status, answer.text)
        self.assertEqual(["image_id"], list(answer.json))
        self.assertNotIn("Location", answer.headers)
        image = self.image(answer.json["image_id"])
        self.assertEqual(("queued", "pic", 1, 0), (image.status, image.name, image.min_disk,
                                                   image.min_ram))
        self.assertEqual({"instance_uuid": self.uuid, "user_id": "ann", "image_type": "snapshot",
                          "base_image_ref": base.PICTURE}, image.properties)
        order = self.order()
        self.assertEqual(("snapshot", image.id), (order.verb, order.wanted.image_id))

    def test_until_2_44_it_is_a_location(self):
        for version in ("2.1", "2.38", "2.39", "2.44"):
            answer = self.snap(version)
            self.assertEqual((202, ""), (answer.status, answer.text), version)
            image_id = answer.headers["Location"].rpartition("/images/")[2]
            self.assertEqual("queued", self.image(image_id).status)

    def test_no_token_leaves_the_api(self):
        self.snap()
        self.assertNotIn(base.MEMBER, repr(self.child.calls))

    def test_properties(self):
        source = "11111111-2222-4333-8444-555555555555"
        self.images.add(source, b"x" * 512, min_ram=64, properties={
            "hw_disk_bus": "ide", "img_signature": "s", "os_hidden": "False", "bittorrent": "b",
            "os_glance_x": "1", "long": "l" * 300})
        self.uuid = self.create(imageRef=source)
        answer = self.snap(metadata={"mine": "1", "instance_uuid": "no", "image_type": "test"})
        image = self.image(answer.json["image_id"])
        self.assertEqual(("ide", "1", self.uuid, "l" * 255), tuple(
            image.properties[name] for name in ("hw_disk_bus", "mine", "instance_uuid", "long")))
        self.assertFalse({"img_signature", "os_hidden", "bittorrent", "os_glance_x"}
                         & image.properties.keys())
        self.assertEqual(64, image.min_ram)
        self.assertEqual("test", image.properties["image_type"])
        answer = self.snap(metadata={"image_type": "backup"})
        self.assertEqual("snapshot",
                         self.image(answer.json["image_id"]).properties["image_type"])

    def test_an_admin_s_image_of_somebody_s_server_is_the_owner_s_too(self):
        answer = self.act(self.uuid, "createImage", {"name": "pic"}, version="2.45",
                          token=base.ADMIN)
        image = self.image(answer.json["image_id"], base.MEMBER)
        self.assertEqual("apples", image.properties["instance_owner"])
        self.assertEqual("admin", image.properties["user_id"])

    def test_more_metadata_than_the_quota_until_2_38(self):
        many = {f"k{n}": "v" for n in range(6)}
        answer = self.snap("2.38", metadata=many)
        self.assertEqual((403, "Image metadata limit exceeded"), (answer.status, answer.message))
        self.assertEqual([], self.made())
        self.assertEqual(202, self.snap("2.39", metadata=many).status)

    def test_shapes(self):
        for body in (None, {}, {"name": ""}, {"name": " x "}, {"name": "a" * 256}, {"name": 3},
                     {"name": "x", "more": 1}, {"name": "x", "metadata": {"": "v"}},
                     {"name": "x", "metadata": {"k": 1}}, {"name": "x", "metadata": "m"},
                     {"name": "x", "metadata": {"k": "v" * 256}}):
            answer = self.act(self.uuid, "createImage", body)
            self.assertEqual(400, answer.status, (body, answer.text))
        self.assertEqual([], self.made())

    def test_who_may(self):
        self.assertEqual(404, self.act(self.uuid, "createImage", {"name": "x"},
                                       token=base.OTHER).status)
        self.assertEqual(404, self.act("nowhere", "createImage", {"name": "x"}).status)

    def test_a_lock_does_not_forbid_it(self):
        self.act(self.uuid, "lock")
        self.assertEqual(202, self.snap().status)
        self.assertEqual(202, self.backup().status)

    def test_states(self):
        uuid = self.create(run=False)
        answer = self.act(uuid, "createImage", {"name": "x"})
        self.assertEqual(409, answer.status)
        self.assertIn("Cannot 'createImage' instance", answer.message)
        self.assertEqual([], self.made())
        for key in ("os-stop", "os-start", "pause", "unpause", "suspend"):
            self.assertEqual(202, self.act(self.uuid, key).status)
            self.assertEqual(202, self.snap().status, key)
        self.act(self.uuid, "os-resetState", {"state": "error"}, token=base.ADMIN)
        self.assertEqual(409, self.snap().status)

    def test_an_order_that_is_refused_leaves_no_image(self):
        for problem, status in ((errors.Conflict("busy"), 409), (errors.Unsupported("no"), 501)):
            self.child._carry_out = lambda *_what, problem=problem: _throw(problem)
            for ask in (self.snap, self.backup):
                self.assertEqual(status, ask().status)
                self.assertEqual([], self.made())

    def test_an_order_that_is_not_answered_keeps_it(self):
        self.child._carry_out = lambda *_what: _throw(errors.CellDown("?"))
        self.assertEqual(503, self.snap().status)
        self.assertEqual(1, len(self.made()))

    def test_a_cell_that_is_known_to_be_down(self):
        with self.view.write() as tx:
            tx.execute(tables.cells.update().values(up=False))
        self.assertEqual(503, self.snap().status)
        self.assertEqual([], self.made())

    def test_what_the_image_service_says(self):
        for problem, status in ((errors.Refused("no"), 403), (errors.OverLimit("full"), 403),
                                (errors.Invalid("bad"), 400), (protocol.Unreachable("gone"), 503)):
            self.images.create = lambda *_what, problem=problem: _throw(problem)
            before = len(self.child.calls)
            self.assertEqual(status, self.snap().status)
            self.assertEqual(before, len(self.child.calls))

    def test_a_server_without_an_image(self):
        record = model.replace(self.child.records[self.uuid], image=None,
                               version=self.child.records[self.uuid].version + 1)
        with self.view.write() as tx:
            self.view.servers.apply(tx, record, base.CELL, self.clock.time())
        self.assertEqual(501, self.snap().status)
        answer = self.backup()
        self.assertEqual((400, "Backup is not supported for volume-backed instances."),
                         (answer.status, answer.message))


class CreateBackup(Images):
    def test_it(self):
        answer = self.backup(metadata={"why": "x"})
        self.assertEqual(202, answer.status, answer.text)
        image = self.image(answer.json["image_id"])
        self.assertEqual({"instance_uuid": self.uuid, "user_id": "ann", "image_type": "backup",
                          "backup_type": "daily", "base_image_ref": base.PICTURE, "why": "x"},
                         image.properties)
        order = self.order()
        self.assertEqual(("backup", image.id, {
            "backup_type": "daily", "rotation": "2", "owner": "apples"}),
            (order.verb, order.wanted.image_id, order.wanted.options))

    def test_until_2_44_it_is_a_location_unless_none_is_kept(self):
        answer = self.backup("2.44")
        self.assertEqual((202, ""), (answer.status, answer.text))
        image_id = answer.headers["Location"].rpartition("/v2.1/images/")[2]
        self.assertEqual("queued", self.image(image_id).status)
        self.assertNotIn("Location", self.backup("2.44", rotation=0).headers)
        self.assertEqual(["image_id"], list(self.backup("2.45", rotation=0).json))
        self.assertEqual(202, self.backup(rotation="3").status)

    def test_shapes(self):
        for change in ({"rotation": -1}, {"rotation": "x"}, {"rotation": None}, {"name": ""},
                       {"backup_type": 1}, {"more": 1}, {"metadata": {"k": 1}}):
            self.assertEqual(400, self.backup(**change).status, change)
        for name in ("name", "backup_type", "rotation"):
            body = {"name": "x", "backup_type": "daily", "rotation": 1}
            del body[name]
            self.assertEqual(400, self.act(self.uuid, "createBackup", body).status)
        self.assertEqual([], self.made())

    def test_the_quota_of_metadata(self):
        many = {f"k{n}": "v" for n in range(6)}
        self.assertEqual(403, self.backup("2.38", metadata=many).status)
        self.assertEqual(202, self.backup("2.39", metadata=many).status)


def _throw(problem):
    raise problem
