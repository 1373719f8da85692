"""The config drive holds what the metadata formats promise, and can be read back."""

import io
import json
import os
import unittest

from nova_cells.domain import errors
from nova_cells.virt.libvirt import configdrive
from tests.unit.virt import specs, test_disk

try:
    import pycdlib
except ImportError:
    pycdlib = None


class Documents(unittest.TestCase):
    def test_every_version(self):
        spec = specs.spec(user_data=b"#!/bin/sh", network_data={"links": []})
        files = configdrive.documents(spec)
        for version in configdrive.VERSIONS:
            document = json.loads(files[f"openstack/{version}/meta_data.json"])
            self.assertEqual(specs.UUID, document["uuid"])
            self.assertEqual(b"#!/bin/sh", files[f"openstack/{version}/user_data"])
        self.assertNotIn("openstack/2012-08-10/vendor_data.json", files)
        self.assertNotIn("openstack/2013-10-17/network_data.json", files)
        self.assertEqual({"links": []},
                         json.loads(files["openstack/latest/network_data.json"]))
        self.assertEqual({}, json.loads(files["openstack/latest/vendor_data.json"]))
        ec2 = json.loads(files["ec2/latest/meta-data.json"])
        self.assertEqual((specs.UUID, "tiny"), (ec2["instance-id"], ec2["instance-type"]))

    def test_no_user_data(self):
        self.assertFalse([name for name in configdrive.documents(specs.spec())
                          if "user" in name])

    def test_files_of_the_owner(self):
        spec = specs.spec(files=(("/etc/motd", b"hi"), ("/etc/x", b"\0\xff")))
        files = configdrive.documents(spec)
        self.assertEqual(b"\0\xff", files["openstack/content/0001"])
        listed = json.loads(files["openstack/latest/meta_data.json"])["files"]
        self.assertEqual([{"path": "/etc/motd", "content_path": "/content/0000"},
                          {"path": "/etc/x", "content_path": "/content/0001"}], listed)

    def test_files_that_the_metadata_lists_are_not_listed_twice(self):
        listed = [{"path": "/etc/motd", "content_path": "/content/0000"}]
        files = configdrive.documents(specs.spec(
            files=(("/etc/motd", b"hi"),), metadata={"uuid": specs.UUID, "files": listed}))
        self.assertEqual(listed, json.loads(files["openstack/latest/meta_data.json"])["files"])


@unittest.skipUnless(pycdlib, "pycdlib is not installed: config drives are not tested")
class Drive(test_disk.WithDirectory):
    def test_what_is_written_can_be_read(self):
        path = self.path("guest", "disk.config")
        spec = specs.spec(user_data=b"x" * 65535, metadata={"uuid": specs.UUID, "name": "grüße"})
        for _ in range(2):
            configdrive.write(spec, path)
        self.assertEqual(["disk.config"], os.listdir(self.path("guest")))
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        with open(path, "rb") as file:
            file.seek(32808)
            self.assertEqual(b"config-2", file.read(8))
        drive = pycdlib.PyCdlib()
        drive.open(path)
        self.addCleanup(drive.close)
        for name, contents in configdrive.documents(spec).items():
            for how in ("rr_path", "joliet_path"):
                out = io.BytesIO()
                drive.get_file_from_iso_fp(out, **{how: f"/{name}"})
                self.assertEqual(contents, out.getvalue(), name)

    def test_a_disk_that_refuses(self):
        with open(self.path("file"), "w"):
            pass
        with self.assertRaisesRegex(errors.HostTrouble, "config drive cannot be written"):
            configdrive.write(specs.spec(), self.path("file", "disk.config"))
