# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""shelve, shelveOffload, unshelve: what may be asked, when, by whom, and what is shown."""

from nova_cells.domain import commands, errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.domain import wanted as wants
from nova_cells.image import protocol
from tests.rest import base


class Shelve(base.RestCase):
    def setUp(self):
        super().setUp()
        self.uuid = self.create(name="box")

    def set(self, rest, **fields):
        """The server is at this rest now."""
        now, record = self.clock.time(), self.child.records[self.uuid]
        record = model.replace(lifecycle.change(record, now, **fields), rest=rest)
        self.child.records[self.uuid] = record
        with self.view.write() as tx:
            self.assertTrue(self.view.servers.apply(tx, record, base.CELL, now))

    def offload(self):
        self.act(self.uuid, "shelve")
        image_id = self.orders()[-1].wanted.image_id
        self.set("shelved_offloaded", host=None, node=None, shelved_image_id=image_id)
        return image_id

    def orders(self):
        return [call for call in self.child.calls if isinstance(call, commands.Act)]

    def server(self, token=base.ADMIN, version="2.3"):
        return self.ask("GET", f"/servers/{self.uuid}", token=token, version=version).json["server"]

    def test_shelve_makes_an_image_of_its_name(self):
        answer = self.act(self.uuid, "shelve")
        self.assertEqual((202, ""), (answer.status, answer.text))
        order = self.orders()[-1]
        image = self.images.show(order.wanted.image_id, base.MEMBER)
        self.assertEqual(("shelve", "box-shelved", "queued", "snapshot"), (
            order.verb, image.name, image.status, image.properties["image_type"]))

    def test_shelve_is_refused(self):
        self.act(self.uuid, "lock")
        self.assertEqual(409, self.act(self.uuid, "shelve").status)
        self.act(self.uuid, "unlock")
        self.assertEqual(404, self.act(self.uuid, "shelve", token=base.OTHER).status)
        self.set("shelved")
        answer = self.act(self.uuid, "shelve")
        self.assertEqual(409, answer.status)
        self.assertIn("Cannot 'shelve' instance", answer.message)
        self.assertEqual([], self.orders())
        self.assertEqual([], [image for image in self.images.search(
            protocol.Search(), base.ADMIN) if "image_type" in image.properties])

    def test_a_refused_order_leaves_no_image(self):
        def refuse(*_what):
            raise errors.Unsupported("no")
        self.child._carry_out = refuse
        self.assertEqual(501, self.act(self.uuid, "shelve").status)
        self.assertEqual([], [image for image in self.images.search(
            protocol.Search(), base.ADMIN) if "image_type" in image.properties])

    def test_offload_is_an_admin_s_and_of_what_is_shelved(self):
        self.assertEqual(403, self.act(self.uuid, "shelveOffload").status)
        self.assertEqual(409, self.act(self.uuid, "shelveOffload", token=base.ADMIN).status)
        self.set("shelved")
        self.assertEqual(202, self.act(self.uuid, "shelveOffload", token=base.ADMIN).status)
        self.assertEqual("shelve_offload", self.orders()[-1].verb)

    def test_an_offloaded_one_is_on_no_host_and_counts(self):
        before = self.ask("GET", "/limits").json["limits"]["absolute"]["totalInstancesUsed"]
        self.offload()
        shown = self.server()
        self.assertEqual(("SHELVED_OFFLOADED", "shelved_offloaded", None, None, "", "nova"), (
            shown["status"], shown["OS-EXT-STS:vm_state"], shown["OS-EXT-SRV-ATTR:host"],
            shown["OS-EXT-SRV-ATTR:hypervisor_hostname"], shown["hostId"],
            shown["OS-EXT-AZ:availability_zone"]))
        after = self.ask("GET", "/limits").json["limits"]["absolute"]["totalInstancesUsed"]
        self.assertEqual((1, 1), (before, after))

    def test_deleting_it_deletes_its_image(self):
        for how in ("DELETE", "forceDelete"):
            self.uuid = self.create()
            image_id = self.offload()
            if how == "DELETE":
                self.assertEqual(204, self.ask("DELETE", f"/servers/{self.uuid}").status)
            else:
                self.assertEqual(202, self.act(self.uuid, how).status)
            self.assertRaises(errors.NotFound, self.images.show, image_id, base.MEMBER)

    def test_an_image_service_that_is_gone_does_not_hinder_a_delete(self):
        self.offload()

        def gone(*_what):
            raise protocol.Unreachable("gone")
        self.images.delete = gone
        self.assertEqual(204, self.ask("DELETE", f"/servers/{self.uuid}").status)

    # -- unshelve ---------------------------------------------------------------------------------

    def unshelve(self, value=None, version="2.1", token=base.MEMBER):
        return self.act(self.uuid, "unshelve", value, version=version, token=token)

    def test_unshelve(self):
        self.assertEqual(409, self.unshelve().status)
        for rest in ("shelved", "shelved_offloaded"):
            self.set(rest)
            self.assertEqual(202, self.unshelve().status)
            self.assertEqual(("unshelve", wants.Wanted()), (
                self.orders()[-1].verb, self.orders()[-1].wanted))

    def test_before_2_77_anything_may_stand_there_and_nothing_counts(self):
        for value in ({}, {"availability_zone": "moon", "host": "x"}, "text", 7):
            self.set("shelved_offloaded")
            self.assertEqual(202, self.unshelve(value, "2.76").status, value)
            self.assertEqual(wants.Wanted(), self.orders()[-1].wanted)

    def test_shapes(self):
        self.set("shelved_offloaded")
        for version, value in (
                ("2.77", {}), ("2.77", {"availability_zone": None}), ("2.90", {"host": "node-1"}),
                ("2.77", {"availability_zone": "nova", "host": "node-1"}), ("2.77", "text"),
                ("2.91", {"more": 1}), ("2.91", {"host": None}), ("2.91", {"host": 3}),
                ("2.91", {"availability_zone": 3}), ("2.91", [])):
            answer = self.unshelve(value, version, base.ADMIN)
            self.assertEqual(400, answer.status, (version, value, answer.text))
        self.assertEqual(202, self.unshelve(None, "2.77").status)
        self.set("shelved_offloaded")
        self.assertEqual(202, self.unshelve({}, "2.91").status)

    def test_a_zone_from_2_77(self):
        self.set("shelved")
        answer = self.unshelve({"availability_zone": "nova"}, "2.77")
        self.assertEqual(409, answer.status)
        self.assertIn("The server status must be SHELVED_OFFLOADED.", answer.message)
        self.set("shelved_offloaded")
        answer = self.unshelve({"availability_zone": "moon"}, "2.77")
        self.assertEqual((400, "The requested availability zone is not available"),
                         (answer.status, answer.message))
        self.assertEqual(202, self.unshelve({"availability_zone": "nova"}, "2.77").status)
        self.assertEqual({wants.ZONE: "nova"}, self.orders()[-1].wanted.options)

    def test_out_of_its_zone_from_2_91(self):
        self.set("shelved_offloaded", pinned_availability_zone="nova")
        self.assertEqual(202, self.unshelve({"availability_zone": None}, "2.91").status)
        self.assertEqual({wants.UNPIN: "1"}, self.orders()[-1].wanted.options)

    def test_a_host_from_2_91(self):
        self.set("shelved")
        self.assertEqual(409, self.unshelve({"host": "node-1"}, "2.91", base.ADMIN).status)
        self.set("shelved_offloaded", pinned_availability_zone="mars")
        self.assertEqual(403, self.unshelve({"host": "node-1"}, "2.91").status)
        answer = self.unshelve({"host": "node-9"}, "2.91", base.ADMIN)
        self.assertEqual((400, "Compute host node-9 could not be found."),
                         (answer.status, answer.message))
        answer = self.unshelve({"host": "node-1"}, "2.91", base.ADMIN)
        self.assertEqual((409, 'Host "node-1" is not in the availability zone "mars".'),
                         (answer.status, answer.message))
        answer = self.unshelve({"host": "node-1", "availability_zone": "nova"}, "2.91", base.ADMIN)
        self.assertEqual(202, answer.status, answer.text)
        self.assertEqual(("node-1", {wants.ZONE: "nova"}), (
            self.orders()[-1].wanted.host, self.orders()[-1].wanted.options))
        self.set("shelved_offloaded", pinned_availability_zone=None)
        self.assertEqual(202, self.unshelve({"host": "node-1"}, "2.91", base.ADMIN).status)
