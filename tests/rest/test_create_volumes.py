# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Creating servers with volumes: what is refused, what is claimed and made, what is left of it."""

from nova_cells.collector import volumes as collecting
from nova_cells.domain import errors
from tests.rest import base

IMAGE = base.PICTURE
ROOT = {"source_type": "image", "destination_type": "local", "uuid": IMAGE, "boot_index": 0}
NOWHERE = "5f8a1c5e-0000-4000-8000-00000000dead"


def new(size=2, source="image", **more):
    """A root disk on a volume that is to be made."""
    found = {"source_type": source, "destination_type": "volume", "boot_index": 0,
             "volume_size": size, "delete_on_termination": True, **more}
    return {**found, "uuid": IMAGE} if source == "image" and "uuid" not in more else found


def data(volume, **more):
    """A volume that is there."""
    return {"source_type": "volume", "destination_type": "volume", "uuid": volume, **more}


class VolumeCase(base.RestCase):
    with_volumes = True

    def post(self, *disks, image=IMAGE, version="2.1", old=(), **fields):
        server = {"name": "a", "flavorRef": "1", "imageRef": image, **fields}
        if disks:
            server["block_device_mapping_v2"] = list(disks)
        if old:
            server["block_device_mapping"] = list(old)
        if int(version[2:]) >= 37:
            server.setdefault("networks", "none")
        return self.ask("POST", "/servers", {"server": server}, version=version)

    def made(self, *disks, **how):
        answer = self.post(*disks, **how)
        self.assertEqual(202, answer.status, answer.text)
        return answer.json["server"]["id"]

    def claims(self):
        with self.view.read() as tx:
            return self.view.claims.old(tx, float("inf"))

    def collect(self, after=1000.0):
        self.clock.now += after
        collecting.Volumes(self.view, self.volumes).tick(self.clock.time())

    def nothing_is_left(self):
        self.assertEqual(([], {}, {}),
                         (self.claims(), self.volumes.volumes, self.volumes.attachments))


class Create(VolumeCase):
    def test_an_image_and_a_volume(self):
        volume = self.volumes.add(3)
        uuid = self.made(ROOT, data(volume.id, device_name="vdc", tag="t"), version="2.42")
        record = self.child.boots[uuid].record
        [one] = record.attachments
        self.assertEqual((volume.id, "/dev/vdc", "t", 3, False, None), (
            one.volume_id, one.device, one.tag, one.size, one.delete_on_termination,
            one.boot_index))
        self.assertEqual(IMAGE, record.image.id)
        shown = self.ask("GET", f"/servers/{uuid}", version="2.3").json["server"]
        self.assertEqual([{"id": volume.id, "delete_on_termination": False}],
                         shown["os-extended-volumes:volumes_attached"])
        [claim] = self.claims()
        self.assertEqual((uuid, volume.id, one.errand, True, False),
                         (claim.server, claim.volume, claim.errand, claim.settled, claim.made))
        self.assertEqual({}, self.volumes.attachments)       # hosts attach, not the API

    def test_booting_from_a_volume_that_is_made(self):
        for image in ({}, {"image": ""}):
            fields = {"image": "", **image}
            uuid = self.made(new(), version="2.67", **fields)
            record = self.child.boots[uuid].record
            [one] = record.attachments
            volume = self.volumes.volumes[one.volume_id]
            self.assertEqual((None, "/dev/vda", True, 2, True),
                             (record.image, one.device, one.root, volume.size,
                              one.delete_on_termination))
            self.assertEqual([volume.id], [made.id for made in self.volumes.made(one.errand)])
            shown = self.ask("GET", f"/servers/{uuid}").json["server"]
            self.assertEqual("", shown["image"])

    def test_every_source(self):
        volume = self.volumes.add(4, bootable=True)
        taken = self.volumes.take_snapshot(self.volumes.add(7).id, "s")
        uuid = self.made(
            data(volume.id, boot_index=0),
            {"source_type": "snapshot", "destination_type": "volume", "uuid": taken.id},
            {"source_type": "blank", "destination_type": "volume", "volume_size": 1,
             "volume_type": "fake-fast"}, image="", version="2.67")
        shown = [(one.device, one.size) for one in self.child.boots[uuid].record.attachments]
        self.assertEqual([("/dev/vda", 4), ("/dev/vdb", 7), ("/dev/vdc", 1)], shown)
        self.assertIn("fake-fast", [one.volume_type for one in self.volumes.volumes.values()])

    def test_the_old_form(self):
        volume = self.volumes.add(4, bootable=True)
        uuid = self.made(old=[{"device_name": "vda", "volume_id": volume.id,
                               "delete_on_termination": "1"}], image="")
        [one] = self.child.boots[uuid].record.attachments
        self.assertEqual((True, True), (one.root, one.delete_on_termination))

    def test_what_is_refused(self):
        busy = self.volumes.add(status="in-use")
        broken = self.volumes.add(status="error")
        plain, shared = self.volumes.add(), self.volumes.add(multiattach=True)
        self.images.add("b16b16b1-0000-4000-8000-000000000009", b"x", min_disk=50)
        for words, status, disks, more in (
                ("failed to get volume", 400, [ROOT, data(NOWHERE)], {}),
                ("failed to get snapshot", 400, [ROOT, {
                    "source_type": "snapshot", "uuid": NOWHERE,
                    "destination_type": "volume"}], {}),
                ("failed to get image", 400, [new(uuid=NOWHERE)], {"image": ""}),
                ("is not bootable", 400, [data(plain.id, boot_index=0)], {"image": ""}),
                ("current status is in-use", 400, [ROOT, data(busy.id)], {}),
                ("current status is error", 400, [ROOT, data(broken.id)], {}),
                ("version 2.60", 400, [ROOT, data(shared.id)], {"version": "2.59"}),
                ("Volume type slow could not", 400, [new(volume_type="slow")],
                 {"image": "", "version": "2.67"}),
                ("Volume is smaller than", 400, [new(
                    uuid="b16b16b1-0000-4000-8000-000000000009")], {"image": ""}),
                ("Missing imageRef", 400, [], {"image": ""}),
                ("Boot sequence", 400, [data(plain.id)], {"image": ""}),
                ("multiple instances", 400, [ROOT, data(plain.id)], {"max_count": 2}),
                ("unexpected", 400, [{**ROOT, "tag": "x"}], {"version": "2.33"}),
                ("unexpected", 400, [new(volume_type="x")], {"version": "2.66", "image": ""}),
                ("unexpected", 400, [{**ROOT, "instance_uuid": "x"}], {})):
            answer = self.post(*disks, **more)
            self.assertEqual((status, True), (answer.status, words in answer.message),
                             (words, answer.text))
        self.assertEqual([], self.claims())

    def test_one_volume_has_one_server(self):
        volume = self.volumes.add()
        first = self.made(ROOT, data(volume.id))
        answer = self.post(ROOT, data(volume.id))
        self.assertEqual(400, answer.status)
        self.assertIn(f"already attached to instances: {first}", answer.message)

    def test_two_at_once_and_one_wins(self):
        volume = self.volumes.add()
        answers = []
        room = self.volumes.show

        def second(*args):
            self.volumes.show = room
            answers.append(self.post(ROOT, data(volume.id)))
            return room(*args)
        self.volumes.show = second
        answers.append(self.post(ROOT, data(volume.id)))
        self.assertEqual([202, 400], [answer.status for answer in answers])

    def test_what_is_multi_attach_has_several(self):
        volume = self.volumes.add(multiattach=True)
        for _server in range(2):
            self.made(ROOT, data(volume.id), version="2.60")
        self.assertEqual(2, len(self.claims()))

    def test_several_servers_have_a_volume_each(self):
        answer = self.post(new(), image="", max_count=3, return_reservation_id=True)
        self.assertEqual(202, answer.status)
        found = {boot.record.attachments[0].volume_id for boot in self.child.boots.values()}
        self.assertEqual((3, 3), (len(found), len(self.volumes.volumes)))

    def test_a_service_that_does_not_answer(self):
        self.volumes.fail("show")
        self.assertEqual(503, self.post(ROOT, data(NOWHERE)).status)

    def test_too_many_volumes(self):
        self.volumes.fail("create", errors.OverLimit("VolumeLimitExceeded"))
        self.assertEqual(403, self.post(new(), image="").status)
        self.nothing_is_left_at_last()

    def nothing_is_left_at_last(self):
        self.collect()
        self.nothing_is_left()


class Leaks(VolumeCase):
    """Law T14: the volume service fails or stalls at each call; a request dies; a server never
    comes to be."""

    def test_it_fails_or_stalls_at_each_call(self):
        for call in ("create", "made", "delete"):
            for problem in (errors.Invalid("no"), None):
                for after in (False, True):
                    with self.subTest(call=call, problem=problem, after=after):
                        self.volumes.fail(call, problem, after)
                        self.volumes.fail("create", errors.OverLimit("full"))
                        answer = self.post(new(), new(source="blank", boot_index=None),
                                           image="")
                        self.assertIn(answer.status, (400, 403, 503))
                        self.collect()
                        self.volumes._problems.clear()
                        self.collect()
                        self.nothing_is_left()

    def test_the_quota_is_full(self):
        self.assertEqual(202, self.post(new(), image="", min_count=8, max_count=12).status)
        self.assertEqual(10, len(self.volumes.volumes))
        self.assertEqual(10, len(self.claims()))
        self.assertEqual(403, self.post(new(), image="").status)
        self.assertEqual((10, 10), (len(self.volumes.volumes), len(self.claims())))

    def test_the_request_dies_after_each_write(self):
        class Killed(BaseException):
            pass

        def die(*_args):
            raise Killed
        view = self.view.claims
        for name in ("take", "found", "renew", "settle"):
            with self.subTest(name=name):
                real = getattr(view, name)
                setattr(view, name, die)
                self.assertRaises(Killed, self.post, new(), image="")
                setattr(view, name, real)
                for uuid in list(self.child.boots):
                    self.ask("DELETE", f"/servers/{uuid}")
                with self.view.read() as tx:
                    uuids = [row.uuid for row in tx.exec_driver_sql("SELECT uuid FROM servers "
                                                                    "WHERE NOT deleted")]
                for uuid in uuids:
                    self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
                self.collect()
                self.nothing_is_left()

    def test_a_server_that_never_was_anywhere(self):
        uuid = self.made(new(), new(source="blank", boot_index=None,
                                    delete_on_termination=False), image="")
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        self.collect()
        self.assertEqual([], self.claims())
        self.assertEqual([False], [one.bootable for one in self.volumes.volumes.values()])

    def test_what_a_server_has_is_left_alone(self):
        uuid = self.made(new(), image="")
        for _time in range(3):
            self.collect()
        self.child.confirm(uuid)
        self.collect()
        self.assertEqual((1, 1), (len(self.claims()), len(self.volumes.volumes)))

    def test_a_volume_is_free_again_when_its_server_is_gone(self):
        volume = self.volumes.add()
        first = self.made(ROOT, data(volume.id))
        self.child.confirm(first)
        self.assertEqual(400, self.post(ROOT, data(volume.id)).status)
        self.ask("DELETE", f"/servers/{first}")
        self.assertEqual(202, self.post(ROOT, data(volume.id)).status)


class Without(base.RestCase):
    """No volume service, or no host that can use it."""

    def post(self, *disks, image=IMAGE):
        return self.ask("POST", "/servers", {"server": {
            "name": "a", "flavorRef": "1", "imageRef": image,
            "block_device_mapping_v2": list(disks)}})

    def test_it_is_refused_in_words(self):
        self.assertEqual(202, self.post(ROOT).status)
        for answer in (self.post(new(), image=""), self.post(ROOT, data(NOWHERE))):
            self.assertEqual((501, True), (answer.status, "volumes" in answer.message))
