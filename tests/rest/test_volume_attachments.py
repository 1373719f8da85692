# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A server's volumes over HTTP: attached, listed at each version, changed, swapped, detached."""

from nova_cells.domain import commands, errands, errors, lifecycle
from nova_cells.domain import server as model
from tests.rest import base, test_create_volumes

NOWHERE = test_create_volumes.NOWHERE
SERVICE = "nova:services"


class Child(base.Child):
    """Its hosts do errands at once, unless they are ``slow``."""

    def __init__(self, *args):
        super().__init__(*args)
        self.errands: dict[str, errands.Errand] = {}
        self.slow = False

    def call(self, to, message, budget=None):
        if not isinstance(message, commands.Run) or self.down:
            return super().call(to, message, budget)
        self.calls.append(message)
        record, now = self.records[message.server], self.clock.time()
        for one in record.attachments:
            self.errands.setdefault(one.errand, errands.Errand(
                uuid=one.errand, server=record.uuid, kind="volume", subject=one.volume_id,
                rest="attached", attachment=one))
        errand = self.errands.get(message.errand.uuid, message.errand)
        try:
            errand = errands.begin(errand, message.verb, record, message.options)
        except errors.Problem as problem:
            return errors.as_failure(problem)
        known = errand.attachment
        if message.verb == "attach_volume":
            known = model.replace(known, device=known.device or "/dev/vdb",
                                  attachment_id=None if self.slow else "a11a0000-0000-4000-8000-"
                                                                       "000000000001")
        elif message.verb == "change_volume":
            known = model.replace(known, delete_on_termination=(
                message.errand.attachment.delete_on_termination))
        elif message.verb == "swap_volume":
            known = model.replace(known, volume_id=message.options["volume"])
        errand = model.replace(errand, attachment=known)
        self.errands[errand.uuid] = errand if self.slow else errands.finish(errand)
        mine = [one for one in self.errands.values() if one.server == record.uuid]
        record = self.records[record.uuid] = lifecycle.change(
            record, now, attachments=errands.shown(mine)["attachments"])
        return commands.Done(record=record, errand=self.errands[errand.uuid])


class AttachmentCase(test_create_volumes.VolumeCase):
    child_class = Child

    def setUp(self):
        super().setUp()
        self.uuid = self.create()
        self.volume = self.volumes.add(3)

    def path(self, volume=None, server=None):
        path = f"/servers/{server or self.uuid}/os-volume_attachments"
        return f"{path}/{volume}" if volume else path

    def attach(self, volume=None, version="2.1", server=None, token=base.MEMBER, **more):
        volume = volume or self.volume.id
        return self.ask("POST", self.path(server=server), {"volumeAttachment": {
            "volumeId": volume, **more}}, version=version, token=token)

    def detach(self, volume=None, version="2.1", **how):
        return self.ask("DELETE", self.path(volume or self.volume.id), version=version, **how)

    def resting(self, rest, **more):
        """The server rests there."""
        record = model.replace(self.child.records[self.uuid], rest=rest, **more)
        record = model.replace(record, version=record.version + 1)
        self.child.records[self.uuid] = record
        with self.view.write() as tx:
            self.view.servers.apply(tx, record, base.CELL, self.clock.time())


class Documents(AttachmentCase):
    def test_the_answer_to_an_attach(self):
        for version, keys in (("2.1", set()), ("2.70", {"tag"}),
                              ("2.79", {"tag", "delete_on_termination"}),
                              ("2.100", {"tag", "delete_on_termination"})):
            answer = self.attach(version=version)
            self.assertEqual(200, answer.status, answer.text)
            shown = answer.json["volumeAttachment"]
            self.assertEqual({"id", "serverId", "volumeId", "device"} | keys, set(shown))
            self.assertEqual(("/dev/vdb", self.volume.id, self.uuid),
                             (shown["device"], shown["id"], shown["serverId"]))
            self.assertEqual(202, self.detach().status)
        answer = self.attach(version="2.101", tag="t", delete_on_termination=True)
        self.assertEqual((202, ""), (answer.status, answer.text))

    def test_lists_and_one(self):
        self.attach(version="2.79", tag="t", delete_on_termination=True)
        for version, keys in (
                ("2.1", {"id", "device"}), ("2.70", {"id", "device", "tag"}),
                ("2.79", {"id", "device", "tag", "delete_on_termination"}),
                ("2.89", {"device", "tag", "delete_on_termination", "attachment_id",
                          "bdm_uuid"})):
            [listed] = self.ask("GET", self.path(), version=version).json["volumeAttachments"]
            self.assertEqual({"serverId", "volumeId"} | keys, set(listed), version)
            one = self.ask("GET", self.path(self.volume.id), version=version)
            self.assertEqual(listed, one.json["volumeAttachment"])
        shown = self.ask("GET", f"/servers/{self.uuid}", version="2.3").json["server"]
        self.assertEqual([{"id": self.volume.id, "delete_on_termination": True}],
                         shown["os-extended-volumes:volumes_attached"])

    def test_one_that_is_being_attached_has_no_id_yet(self):
        self.child.slow = True
        self.attach()
        for version, count in (("2.88", 1), ("2.89", 0)):
            found = self.ask("GET", self.path(), version=version).json["volumeAttachments"]
            self.assertEqual(count, len(found))
        self.assertEqual(404, self.ask("GET", self.path(self.volume.id), version="2.89").status)

    def test_pages(self):
        volumes = [self.volumes.add().id for _one in range(3)]
        for place, volume in enumerate(volumes):
            self.attach(volume, device=f"/dev/vd{'bcd'[place]}")

        def listed(query, version="2.1"):
            found = self.ask("GET", self.path() + query, version=version)
            return [one["volumeId"] for one in found.json["volumeAttachments"]]
        self.assertEqual(volumes[1:2], listed("?limit=1&offset=1"))
        self.assertEqual(volumes, listed("?limit=0&what=ever"))
        self.assertEqual(400, self.ask("GET", self.path() + "?what=ever", version="2.75").status)
        self.assertEqual(400, self.ask("GET", self.path() + "?limit=-1").status)

    def test_what_is_not_there(self):
        for answer in (self.ask("GET", self.path(NOWHERE)), self.detach(NOWHERE),
                       self.attach(NOWHERE), self.ask("GET", self.path(server=NOWHERE)),
                       self.attach(server=NOWHERE),
                       self.ask("GET", self.path(), token=base.OTHER),
                       self.attach(token=base.OTHER)):
            self.assertEqual(404, answer.status, answer.text)


class Checks(AttachmentCase):
    def test_bodies(self):
        for body in ({}, {"volumeAttachment": {}}, {"volumeAttachment": {"volumeId": "x"}},
                     {"volumeAttachment": {"volumeId": self.volume.id, "device": "vdb"}},
                     {"volumeAttachment": {"volumeId": self.volume.id, "device": " "}},
                     {"volumeAttachment": {"volumeId": self.volume.id, "tag": "t"}},
                     {"volumeAttachment": {"volumeId": self.volume.id, "more": 1}},
                     {"volumeAttachment": None}):
            self.assertEqual(400, self.ask("POST", self.path(), body).status, body)
        self.assertEqual(400, self.attach(version="2.49", tag="a,b").status)
        self.assertEqual(400, self.attach(version="2.78", delete_on_termination=True).status)

    def test_states(self):
        for rest, version, status in (
                ("error", "2.1", 409), ("rescued", "2.1", 409), ("building", "2.1", 409),
                ("suspended", "2.1", 409), ("shelved_offloaded", "2.19", 409),
                ("shelved", "2.19", 409), ("shelved", "2.20", 200), ("paused", "2.1", 200),
                ("stopped", "2.1", 200), ("resized", "2.1", 200)):
            self.resting(rest)
            answer = self.attach(version=version)
            self.assertEqual(status, answer.status, (rest, answer.text))
            if status == 200:
                self.assertEqual(202, self.detach(version=version).status)
            else:
                self.assertIn("Cannot 'attach_volume' instance", answer.message)

    def test_busy_and_locked(self):
        self.resting("active", verb="reboot")
        self.assertEqual(409, self.attach().status)
        self.resting("active", verb=None, locked=True)
        self.assertEqual(409, self.attach().status)
        self.assertEqual(200, self.attach(token=base.ADMIN).status)

    def test_shelved_away(self):
        self.resting("shelved_offloaded")
        shared = self.volumes.add(multiattach=True)
        self.assertIn("Tagged", self.attach(version="2.49", tag="t").message)
        self.assertIn("multiattach", self.attach(shared.id, version="2.60").message)

    def test_volumes_that_cannot_be_attached(self):
        for volume, words in (
                (self.volumes.add(status="in-use"), "current status is in-use"),
                (self.volumes.add(status="creating"), "current status is creating"),
                (self.volumes.add(multiattach=True), "version 2.60")):
            self.volumes.slow = 99
            answer = self.attach(volume.id)
            self.assertEqual((400, True), (answer.status, words in answer.message), answer.text)
        self.assertEqual([], self.claims())

    def test_twice_and_elsewhere(self):
        self.assertEqual(200, self.attach().status)
        other = self.create()
        for server in (self.uuid, other):
            answer = self.attach(server=server)
            self.assertEqual(400, answer.status)
            self.assertIn("is already attached to instances", answer.message)
        self.assertEqual(202, self.detach().status)
        self.assertEqual(200, self.attach(server=other).status)

    def test_multi_attach(self):
        shared = self.volumes.add(multiattach=True)
        other = self.create()
        for server in (self.uuid, other):
            self.assertEqual(200, self.attach(shared.id, "2.60", server).status)
        answer = self.attach(shared.id, "2.60", other)
        self.assertEqual((400, True), (answer.status, "already attached" in answer.message))

    def test_the_root_is_not_detached(self):
        uuid = self.made(test_create_volumes.new(), image="")
        self.child.confirm(uuid)
        [root] = self.child.records[uuid].attachments
        answer = self.ask("DELETE", self.path(root.volume_id, uuid))
        self.assertEqual((400, "Cannot detach a root device volume"),
                         (answer.status, answer.message))

    def test_what_the_cell_refuses_leaves_no_claim(self):
        real = self.child.call
        self.child.call = lambda *_args: errors.as_failure(errors.Conflict("no"))
        self.assertEqual(409, self.attach().status)
        self.child.call = real
        self.assertEqual([], self.claims())

    def test_a_cell_that_does_not_answer_keeps_the_claim_until_its_record_says(self):
        self.child.down = True
        self.assertEqual(503, self.attach().status)
        self.assertEqual(1, len(self.claims()))
        self.child.down = False
        self.assertEqual(400, self.attach().status)
        self.collect()
        self.assertEqual(200, self.attach().status)
        self.collect()
        self.assertEqual([True], [claim.settled for claim in self.claims()])

    def test_a_service_that_does_not_answer(self):
        self.volumes.fail("show")
        self.assertEqual(503, self.attach().status)
        self.assertEqual([], self.claims())


class Change(AttachmentCase):
    def setUp(self):
        super().setUp()
        self.attach()

    def put(self, version="2.85", volume=None, token=base.MEMBER, **fields):
        return self.ask("PUT", self.path(volume or self.volume.id), {"volumeAttachment": {
            "volumeId": self.volume.id, **fields}}, version=version, token=token)

    def test_whether_it_goes_with_its_server(self):
        answer = self.put(delete_on_termination=True, id=self.volume.id, serverId=self.uuid,
                          device="/dev/vdb")
        self.assertEqual((202, ""), (answer.status, answer.text))
        shown = self.ask("GET", self.path(self.volume.id), version="2.79").json
        self.assertTrue(shown["volumeAttachment"]["delete_on_termination"])

    def test_what_cannot_be_changed(self):
        for name, value in (("id", NOWHERE), ("serverId", NOWHERE), ("device", "/dev/vdz"),
                            ("tag", "t")):
            answer = self.put(**{name: value})
            self.assertEqual((400, f"The {name} property is not mutable"),
                             (answer.status, answer.message))
        self.assertEqual(400, self.put("2.84", delete_on_termination=True).status)
        self.assertEqual(404, self.put(volume=NOWHERE, volumeId=NOWHERE).status)

    def swap(self, new, version="2.1", token=SERVICE):
        return self.put(version, volumeId=new, token=token)

    def test_only_services_swap(self):
        new = self.volumes.add(3)
        self.assertEqual(403, self.swap(new.id, token=base.MEMBER).status)


class Swap(Change):
    """As the volume service."""

    def setUp(self):
        super().setUp()
        self.conf.set_override("policy_default_rule", "default", group="oslo_policy")
        allows = self.allowing("os_compute_api:os-volumes-attachments:swap")
        self.addCleanup(allows)
        self.use = self.volumes.reserve(self.volume.id, self.uuid)
        self.volumes._set(self.volume.id, migration="migrating", status="in-use")

    def allowing(self, name):
        """Everybody may do this."""
        from nova_cells.api import policy
        real = policy.Policy.allows
        policy.Policy.allows = lambda own, who, rule, target=None: (
            rule == name or real(own, who, rule, target))
        return lambda: setattr(policy.Policy, "allows", real)

    def test_only_services_swap(self):
        """Here everybody may."""

    def test_swap(self):
        new = self.volumes.add(4)
        self.assertEqual(202, self.swap(new.id, token=base.MEMBER).status)
        self.assertEqual({"volume": new.id}, self.child.calls[-1].options)
        self.assertEqual(404, self.ask("GET", self.path(self.volume.id)).status)
        self.assertEqual(200, self.ask("GET", self.path(new.id)).status)
        with self.view.read() as tx:
            held = [self.view.claims.of_volume(tx, one) for one in (self.volume.id, new.id)]
        self.assertEqual([0, 1], [len(one) for one in held])

    def test_what_is_refused(self):
        small, used = self.volumes.add(1), self.volumes.add(5)
        self.volumes.reserve(used.id, NOWHERE)
        for new, status, words in ((NOWHERE, 400, "could not be found"),
                                   (small.id, 400, "same size or larger"),
                                   (used.id, 400, "must be detached")):
            answer = self.swap(new, token=base.MEMBER)
            self.assertEqual((status, True), (answer.status, words in answer.message),
                             answer.text)
        self.volumes._set(self.volume.id, migration=None)
        answer = self.swap(self.volumes.add(5).id, token=base.MEMBER)
        self.assertEqual((409, True), (answer.status, "is not migrating" in answer.message))


class Assisted(AttachmentCase):
    PATH = "/os-assisted-volume-snapshots"

    def setUp(self):
        super().setUp()
        self.addCleanup(Swap.allowing(self, "os_compute_api:os-assisted-volume-snapshots:create"))
        self.addCleanup(Swap.allowing(self, "os_compute_api:os-assisted-volume-snapshots:delete"))

    def body(self, volume=None, **more):
        return {"snapshot": {"volume_id": volume or self.volume.id, "create_info": {
            "snapshot_id": "s1", "type": "qcow2", "new_file": "f", "id": self.uuid, **more}}}

    def test_taken_and_merged(self):
        self.attach()
        answer = self.ask("POST", self.PATH, self.body())
        self.assertEqual((200, {"snapshot": {"id": self.uuid, "volumeId": self.volume.id}}),
                         (answer.status, answer.json))
        self.assertEqual(("snapshot_volume", "s1"), (
            self.child.calls[-1].verb, self.child.calls[-1].options["snapshot_id"]))
        info = f'{{"volume_id": "{self.volume.id}", "verb": "x", "row": 1}}'
        answer = self.ask("DELETE", f"{self.PATH}/s1?delete_info={info}".replace(" ", "%20"))
        self.assertEqual(204, answer.status, answer.text)
        self.assertEqual("drop_volume_snapshot", self.child.calls[-1].verb)

    def test_what_is_refused(self):
        for answer in (self.ask("POST", self.PATH, self.body()),
                       self.ask("POST", self.PATH, self.body(type="raw")),
                       self.ask("POST", self.PATH, self.body(more=1)),
                       self.ask("DELETE", f"{self.PATH}/s1"),
                       self.ask("DELETE", f"{self.PATH}/s1?delete_info=x"),
                       self.ask("DELETE", f"{self.PATH}/s1?delete_info=[]"),
                       self.ask("DELETE", f"{self.PATH}/s1?delete_info=%7B%22volume_id%22:1%7D"),
                       self.ask("DELETE", f"{self.PATH}/s1?x=1", version="2.75")):
            self.assertEqual(400, answer.status, answer.text)


class Without(base.RestCase):
    """No volume service: what there is to read is read, the rest is refused in words."""

    def test_it_is_said(self):
        uuid = self.create()
        path = f"/servers/{uuid}/os-volume_attachments"
        self.assertEqual({"volumeAttachments": []}, self.ask("GET", path).json)
        self.assertEqual(404, self.ask("GET", f"{path}/{NOWHERE}").status)
        self.assertEqual(404, self.ask("DELETE", f"{path}/{NOWHERE}").status)
        answer = self.ask("POST", path, {"volumeAttachment": {"volumeId": NOWHERE}})
        self.assertEqual((501, True), (answer.status, "capability: volumes" in answer.message))
