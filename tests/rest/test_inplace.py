# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Rebuild, rescue, passwords, dumps, soft deletion: each at the boundaries of its versions."""

import base64

from nova_cells.domain import commands, errors
from nova_cells.image import fake as fake_images
from tests.rest import base, tempest_schemas

BIG, SECOND = "5f8a1c5e-0000-4000-8000-00000000b160", "5f8a1c5e-0000-4000-8000-000000005ec0"
MISSING = "5f8a1c5e-0000-4000-8000-00000000dead"
TEXT = base64.b64encode(b"#!/bin/sh").decode()


class Inplace(base.RestCase):
    quota = {"instances": 3, "cores": 20, "ram": 51200, "metadata_items": 5, "key_pairs": 10,
             "injected_files": 1, "injected_file_path_length": 10,
             "injected_file_content_bytes": 9}

    def setUp(self):
        super().setUp()
        self.images.add(SECOND, fake_images.PICTURE, name="second")
        self.images.add(BIG, fake_images.PICTURE, name="big", min_disk=50)

    def shown(self, uuid, version="2.1", token=base.MEMBER):
        return self.ask("GET", f"/servers/{uuid}", version=version, token=token).json["server"]

    def wanted(self):
        return [call for call in self.child.calls if isinstance(call, commands.Act)][-1].wanted

    def opened(self):
        return self.view.seal.open_secrets(self.wanted().secrets)


class Rebuild(Inplace):
    def rebuild(self, uuid, version="2.1", token=base.MEMBER, **fields):
        return self.act(uuid, "rebuild", {"imageRef": SECOND, **fields}, version=version,
                        token=token)

    def test_another_image_and_the_server_as_it_is_then(self):
        uuid = self.create(metadata={"a": "1"})
        answer = self.rebuild(uuid, name="b", metadata={"c": "2"}, adminPass="pw",
                              accessIPv4="10.0.0.1", accessIPv6="2001:DB8::1",
                              **{"OS-DCF:diskConfig": "AUTO"})
        self.assertEqual(202, answer.status, answer.text)
        self.assertTrue(answer.headers["Location"].endswith(f"/v2.1/servers/{uuid}"))
        shown = answer.json["server"]
        self.assertEqual((uuid, "b", SECOND, {"c": "2"}, "10.0.0.1", "2001:db8::1", "AUTO", "pw"),
                         (shown["id"], shown["name"], shown["image"]["id"], shown["metadata"],
                          shown["accessIPv4"], shown["accessIPv6"], shown["OS-DCF:diskConfig"],
                          shown["adminPass"]))
        self.assertEqual(SECOND, self.shown(uuid)["image"]["id"])
        self.assertEqual("pw", self.opened().admin_password)
        self.assertNotIn("pw", str(self.wanted()))

    def test_what_each_version_shows(self):
        uuid = self.create()
        before = {"2.1": set(), "2.9": {"locked"}, "2.19": {"description"}, "2.26": {"tags"},
                  "2.54": {"key_name"}, "2.57": {"user_data"},
                  "2.63": {"trusted_image_certificates"}, "2.71": {"server_groups"},
                  "2.73": {"locked_reason"}}
        known = set(self.rebuild(uuid).json["server"])
        for version, more in before.items():
            keys = set(self.rebuild(uuid, version=version).json["server"])
            self.assertEqual(known | more, keys, version)
            known = keys
        for version in ("2.75", "2.96", "2.98", "2.100"):
            for token in (base.MEMBER, base.ADMIN):
                answer = self.rebuild(uuid, version=version, token=token).json["server"]
                shown = self.shown(uuid, version, token)
                shown.pop("OS-EXT-SRV-ATTR:user_data", None)
                self.assertEqual({*shown, "adminPass", "user_data"}, set(answer), version)

    def test_what_tempest_takes(self):
        uuid = self.create(metadata={"a": "b"})
        for version in ("2.1", "2.3", "2.9", "2.16", "2.19", "2.26", "2.47", "2.54", "2.57",
                        "2.63", "2.71", "2.73", "2.75", "2.89", "2.96", "2.98", "2.100"):
            for token in (base.MEMBER, base.ADMIN):
                answer = self.rebuild(uuid, version=version, token=token)
                tempest_schemas.check("servers", "rebuild_server_with_admin_pass", version, 202,
                                      answer.json)

    def test_fields_have_their_versions(self):
        uuid = self.create()
        certificates = {"trusted_image_certificates": ["c"]}
        for version, until, fields in (
                ("2.19", None, {"description": "d"}), ("2.54", None, {"key_name": None}),
                ("2.57", None, {"user_data": TEXT}), ("2.63", None, certificates),
                ("2.90", None, {"hostname": "h-1"}), ("2.94", None, {"hostname": "h.example"}),
                ("2.1", "2.56", {"personality": [{"path": "p", "contents": TEXT[:4]}]})):
            minor = int(version.partition(".")[2])
            self.assertEqual(202, self.rebuild(uuid, version=version, **fields).status, fields)
            if minor > 1:
                self.assertEqual(400, self.rebuild(uuid, version=f"2.{minor - 1}",
                                                   **fields).status, fields)
            if until:
                self.assertEqual(202, self.rebuild(uuid, version=until, **fields).status)
                above = f"2.{int(until.partition('.')[2]) + 1}"
                self.assertEqual(400, self.rebuild(uuid, version=above, **fields).status)

    def test_keys_and_user_data_are_given_anew_or_taken_away(self):
        uuid = self.create(user_data=TEXT)
        self.ask("POST", "/os-keypairs", {"keypair": {
            "name": "mine", "public_key": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB me"}})
        self.assertEqual(TEXT, self.rebuild(uuid, "2.57").json["server"]["user_data"])
        other = base64.b64encode(b"other").decode()
        answer = self.rebuild(uuid, "2.57", user_data=other)
        self.assertEqual(other, answer.json["server"]["user_data"])
        self.assertNotIn(other, str(self.wanted()))
        shown = self.shown(uuid, "2.3", base.ADMIN)
        self.assertEqual(other, shown["OS-EXT-SRV-ATTR:user_data"])
        self.assertIsNone(self.rebuild(uuid, "2.57", user_data=None).json["server"]["user_data"])
        self.assertIsNone(self.shown(uuid, "2.3", base.ADMIN)["OS-EXT-SRV-ATTR:user_data"])
        bad = self.rebuild(uuid, "2.54", key_name="none-such")
        self.assertEqual((400, "Invalid key_name provided."), (bad.status, bad.message))

    def test_what_cannot_be(self):
        uuid = self.create()
        for image, words in ((MISSING, "Cannot find image for rebuild"),
                             (BIG, "Flavor's disk is smaller than the minimum size")):
            answer = self.act(uuid, "rebuild", {"imageRef": image})
            self.assertEqual(400, answer.status)
            self.assertIn(words, answer.message)
        self.images.add(MISSING, b"x", status="queued")
        answer = self.act(uuid, "rebuild", {"imageRef": MISSING})
        self.assertEqual((400, f"Image {MISSING} is not active."), (answer.status, answer.message))
        for fields in ({"imageRef": 3}, {"imageRef": "http://x/" + SECOND}, {"unknown": 1},
                       {"name": ""}, {"accessIPv4": "x"}, {"metadata": {"k": 1}},
                       {"preserve_ephemeral": "maybe"}, {"personality": [{"path": "p"}]}):
            self.assertEqual(400, self.rebuild(uuid, **fields).status, fields)
        self.assertEqual(400, self.act(uuid, "rebuild", {}).status)
        file = {"path": "p", "contents": TEXT[:4]}
        for fields, words in (
                ({"metadata": {str(n): "x" for n in range(6)}},
                 "Maximum number of metadata items exceeds 5"),
                ({"personality": [file, file]}, "Personality file limit exceeded"),
                ({"personality": [{**file, "path": "p" * 11}]},
                 "Personality file path exceeds maximum 10"),
                ({"personality": [{**file, "contents": TEXT * 2}]},
                 "Personality file content exceeds maximum 9")):
            answer = self.rebuild(uuid, **fields)
            self.assertEqual((403, words), (answer.status, answer.message))

    def test_what_the_state_forbids_comes_first_and_a_lock_before_it(self):
        uuid = self.create()
        self.act(uuid, "pause")
        answer = self.rebuild(uuid, imageRef=MISSING)
        self.assertEqual((409, f"Cannot 'rebuild' instance {uuid} while it is in vm_state paused"),
                         (answer.status, answer.message))
        self.act(uuid, "lock")
        answer = self.rebuild(uuid)
        self.assertEqual((409, f"Instance {uuid} is locked"), (answer.status, answer.message))
        self.assertEqual(404, self.rebuild(uuid, token=base.OTHER).status)

    def test_one_that_is_off_stays_off(self):
        uuid = self.create()
        self.act(uuid, "os-stop")
        self.assertEqual(202, self.rebuild(uuid, preserve_ephemeral=True).status)
        self.assertEqual("SHUTOFF", self.shown(uuid)["status"])
        self.assertEqual({"preserve_ephemeral": "true"}, self.wanted().options)


class NoPasswords(Inplace):
    options = {"enable_instance_password": False}

    def test_replies_without(self):
        uuid = self.create()
        answer = self.act(uuid, "rebuild", {"imageRef": SECOND})
        self.assertNotIn("adminPass", answer.json["server"])
        self.assertEqual({}, self.act(uuid, "rescue").json)


class Rescue(Inplace):
    def test_rescued_and_back(self):
        uuid = self.create()
        answer = self.act(uuid, "rescue", {"adminPass": "pw"})
        self.assertEqual((200, {"adminPass": "pw"}), (answer.status, answer.json))
        self.assertEqual(("RESCUE", "pw"),
                         (self.shown(uuid)["status"], self.opened().admin_password))
        self.assertEqual(base.PICTURE, self.wanted().image.id)
        answer = self.act(uuid, "rescue")
        self.assertEqual((409, f"Cannot 'rescue' instance {uuid} while it is in vm_state rescued"),
                         (answer.status, answer.message))
        answer = self.act(uuid, "unrescue")
        self.assertEqual((202, ""), (answer.status, answer.text))
        self.assertEqual("ACTIVE", self.shown(uuid)["status"])
        self.assertEqual(12, len(self.act(uuid, "rescue").json["adminPass"]))

    def test_from_another_image(self):
        uuid = self.create()
        for reference in (MISSING, BIG + "0"):
            answer = self.act(uuid, "rescue", {"rescue_image_ref": reference})
            self.assertEqual(400, answer.status)
        answer = self.act(uuid, "rescue", {"rescue_image_ref": MISSING})
        self.assertEqual(f"Requested rescue image '{MISSING}' is not supported", answer.message)
        self.assertEqual(200, self.act(uuid, "rescue", {"rescue_image_ref": SECOND}).status)
        self.assertEqual(SECOND, self.wanted().image.id)
        self.assertEqual(base.PICTURE, self.shown(uuid)["image"]["id"])

    def test_what_it_is_not(self):
        uuid = self.create()
        for value in ({"x": 1}, [], "now", {"adminPass": 1}):
            self.assertEqual(400, self.act(uuid, "rescue", value).status, value)


class Inside(Inplace):
    def test_password(self):
        uuid = self.create()
        for password in ("new", ""):
            answer = self.act(uuid, "changePassword", {"adminPass": password})
            self.assertEqual((202, ""), (answer.status, answer.text))
        self.act(uuid, "changePassword", {"adminPass": "secret-word"})
        self.assertEqual("secret-word", self.opened().admin_password)
        self.assertNotIn("secret-word", str(self.child.calls[-1]))
        for value in ({}, {"adminPass": 1}, None, {"adminPass": "x", "more": 1}):
            self.assertEqual(400, self.act(uuid, "changePassword", value).status, value)
        self.act(uuid, "os-stop")
        answer = self.act(uuid, "changePassword", {"adminPass": "x"})
        self.assertEqual(
            (409, f"Cannot 'changePassword' instance {uuid} while it is in vm_state stopped"),
            (answer.status, answer.message))

    def test_dump_from_2_17(self):
        uuid = self.create()
        self.assertEqual(404, self.act(uuid, "trigger_crash_dump", version="2.16").status)
        self.assertEqual(202, self.act(uuid, "trigger_crash_dump", version="2.17").status)
        self.assertEqual(400, self.act(uuid, "trigger_crash_dump", {}, version="2.17").status)
        self.act(uuid, "os-stop")
        answer = self.act(uuid, "trigger_crash_dump", version="2.17")
        self.assertIn("Cannot 'trigger_crash_dump' instance", answer.message)


class Deferred(Inplace):
    def setUp(self):
        super().setUp()
        self.conf.set_override("reclaim_instance_interval", 600)

    def usage(self):
        with self.view.read() as tx:
            return self.view.quota.usage(tx, "apples")["instances"]

    def soft(self):
        uuid = self.create()
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        return uuid

    def test_put_aside_and_restored(self):
        uuid = self.soft()
        shown = self.shown(uuid)
        self.assertEqual(("SOFT_DELETED", "soft-delete"),
                         (shown["status"], shown["OS-EXT-STS:vm_state"]))
        self.assertEqual((0, 0), self.usage())
        calls = len(self.child.calls)
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        self.assertEqual(calls, len(self.child.calls))
        answer = self.act(uuid, "os-start")
        self.assertIn("vm_state soft-delete", answer.message)
        self.assertEqual((202, ""), (lambda a: (a.status, a.text))(self.act(uuid, "restore")))
        self.assertEqual("ACTIVE", self.shown(uuid)["status"])
        self.assertEqual((1, 0), self.usage())

    def test_restore_needs_room_in_the_quota(self):
        uuid = self.soft()
        for _ in range(3):
            self.create()
        answer = self.act(uuid, "restore")
        self.assertEqual(403, answer.status)
        self.assertIn("Quota exceeded for instances", answer.message)
        self.assertEqual((3, 0), self.usage())

    def test_quota_is_held_while_nobody_knows(self):
        uuid = self.soft()
        self.child.down = True
        self.assertEqual(503, self.act(uuid, "restore").status)
        self.assertEqual((0, 1), self.usage())
        self.child.down = False
        self.child.call = lambda *_a: errors.as_failure(errors.Conflict("no"))
        self.assertEqual(409, self.act(uuid, "restore").status)
        self.assertEqual((0, 1), self.usage())

    def test_force_delete_is_for_good(self):
        uuid = self.soft()
        self.assertEqual(202, self.act(uuid, "forceDelete").status)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}").status)

    def test_what_never_ran_is_deleted_for_good(self):
        uuid = self.create(run=False)
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}").status)

    def test_a_cell_that_is_down_puts_nothing_aside(self):
        uuid = self.create()
        self.child.down = True
        self.assertEqual(503, self.ask("DELETE", f"/servers/{uuid}").status)
        self.assertEqual("ACTIVE", self.shown(uuid)["status"])
        self.assertEqual(202, self.act(uuid, "forceDelete").status)
