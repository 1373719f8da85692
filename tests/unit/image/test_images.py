"""Images: what may be booted, whose bytes are proven, and who may know of which."""

import errno
import hashlib
import io
import os
import tempfile
import unittest
from unittest import mock

from oslo_config import cfg

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import cached, fake, loader, protocol, verify


class Fake(unittest.TestCase):
    def setUp(self):
        self.images = fake.FakeImages()
        handle, self.path = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(lambda: os.path.exists(self.path) and os.unlink(self.path))

    def test_it_always_has_the_same_images(self):
        self.assertEqual("cirros-fake", self.images.facts(fake.CIRROS).name)
        self.assertEqual({fake.CIRROS, fake.SPARSE}, {image.id for image in self.images.list()})

    def test_download(self):
        for image in self.images.list():
            self.images.download(image, self.path)
            self.assertEqual(image.size, os.path.getsize(self.path))

    def test_unknown(self):
        with self.assertRaisesRegex(errors.NotFound, "Image nowhere could not be found"):
            self.images.facts("nowhere")

    def test_somebody_else_s(self):
        self.images.add("private", b"x", owner="token-a")
        self.images.facts("private", "token-a")
        self.images.facts("private")
        with self.assertRaises(errors.NotFound):
            self.images.facts("private", "token-b")

    def test_not_active(self):
        self.images.add("queued", b"x", status="queued")
        with self.assertRaisesRegex(errors.Conflict, "is not active"):
            self.images.facts("queued")

    def test_formats_that_are_not_booted(self):
        for how in ({"disk_format": "vmdk"}, {"disk_format": "ami"}, {"disk_format": ""},
                    {"container_format": "ovf"}):
            self.images.add("odd", b"x", **how)
            with self.assertRaisesRegex(errors.Invalid, "convert it"):
                self.images.facts("odd")


class Verify(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "image")

    def save(self, *chunks, **facts):
        verify.save(chunks, model.ImageFacts(id="i", **facts), self.path)

    def test_every_proof(self):
        data = b"hello world"
        for name in verify.ALGORITHMS:
            self.save(b"hello ", b"world", size=11, hash_algo=name,
                      hash_value=hashlib.new(name, data).hexdigest())
        self.save(data, checksum=hashlib.md5(data).hexdigest())
        self.save(data, hash_algo="blake9", hash_value="x",
                  checksum=hashlib.md5(data).hexdigest())
        self.save(data)
        with open(self.path, "rb") as file:
            self.assertEqual(data, file.read())

    def test_nothing_stays_of_what_is_not_proven(self):
        good = hashlib.sha512(b"abc").hexdigest()
        for chunks, how, why in (
                ([b"abd"], {"hash_algo": "sha512", "hash_value": good}, "corrupt"),
                ([b"abd"], {"checksum": hashlib.md5(b"abc").hexdigest()}, "corrupt"),
                ([b"ab"], {"size": 3}, "ended after 2 of 3"),
                ([b"abc", b"d"], {"size": 3}, "longer than the 3 bytes")):
            with self.assertRaisesRegex(errors.Invalid, why):
                self.save(*chunks, **how)
            self.assertFalse(os.path.exists(self.path))

    def test_a_full_disk(self):
        class Full(io.FileIO):
            def write(self, data):
                raise OSError(errno.ENOSPC, "No space left on device")

        with mock.patch("builtins.open", lambda path, mode: Full(path, mode)):
            with self.assertRaisesRegex(errors.HostTrouble, "no room for image i"):
                self.save(b"abc")
        self.assertFalse(os.path.exists(self.path))

    def test_a_source_that_breaks_off(self):
        def chunks():
            yield b"abc"
            raise protocol.Unreachable("gone")

        with self.assertRaises(protocol.Unreachable):
            verify.save(chunks(), model.ImageFacts(id="i"), self.path)
        self.assertFalse(os.path.exists(self.path))


class Cached(unittest.TestCase):
    def setUp(self):
        self.time = 0.0
        self.images = fake.FakeImages()
        self.room = mock.Mock(wraps=self.images)
        self.cached = cached.CachedImages(self.room, 10.0, now=lambda: self.time)

    def asked(self, image, token):
        before = self.room.facts.call_count
        self.cached.facts(image, token)
        return self.room.facts.call_count - before

    def test_for_a_while(self):
        self.assertEqual([1, 0], [self.asked(fake.CIRROS, "a") for _ in range(2)])
        self.time = 10.0
        self.assertEqual(1, self.asked(fake.CIRROS, "a"))

    def test_nobody_sees_what_another_saw(self):
        self.images.add("private", b"x", owner="a")
        self.assertEqual(1, self.asked("private", "a"))
        self.assertEqual(1, self.asked("private", None))
        for token in ("b", ""):
            with self.assertRaises(errors.NotFound):
                self.cached.facts("private", token)
        self.assertEqual(0, self.asked("private", "a"))

    def test_refusals_are_not_remembered(self):
        with self.assertRaises(errors.NotFound):
            self.cached.facts("later", "a")
        self.images.add("later", b"x")
        self.cached.facts("later", "a")

    def test_it_does_not_grow_for_ever(self):
        for number in range(cached.LIMIT + 10):
            self.cached.facts(fake.CIRROS, f"token-{number}")
        self.assertEqual(cached.LIMIT, len(self.cached._known))

    def test_no_token_is_kept(self):
        self.cached.facts(fake.CIRROS, "secret-token")
        self.assertNotIn("secret-token", repr(self.cached._known))

    def test_downloads_go_through(self):
        with tempfile.TemporaryDirectory() as folder:
            self.cached.download(self.images.facts(fake.CIRROS), os.path.join(folder, "x"))
        self.assertEqual(1, self.images.downloads)


class Loader(unittest.TestCase):
    def conf(self, source):
        conf = cfg.ConfigOpts()
        conf([], project="nova-cells", default_config_files=[])
        with mock.patch.dict(os.environ, {"OS_GLANCE__SOURCE": source}):
            return conf, loader.load(conf)

    def test_fake(self):
        self.assertIsInstance(self.conf("fake")[1], fake.FakeImages)

    def test_a_service_user_is_needed(self):
        with self.assertRaisesRegex(errors.Invalid, r"\[service_user\] auth_type is not set"):
            self.conf("glance")
