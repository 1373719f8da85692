"""The image cache holds only what is whole, proven and harmless."""

import os
import threading
from unittest import mock

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import fake
from nova_cells.virt.libvirt import disk, imagecache, paths
from tests.unit.virt import test_disk


class Cache(test_disk.WithDirectory):
    def setUp(self):
        super().setUp()
        self.images = fake.FakeImages()
        self.image = self.images.facts(fake.CIRROS)
        self.cache = imagecache.ImageCache(paths.Paths(self.directory), self.images)

    def files(self):
        return [name for name in os.listdir(self.path("_base")) if not name.endswith(".lock")]

    def test_once(self):
        for _ in range(2):
            self.cache.fetch(self.image, 1)
        self.assertEqual(1, self.images.downloads)
        self.assertEqual([os.path.basename(self.cache.path(self.image))], self.files())
        self.assertEqual(512, self.cache.look(self.image).virtual_size)
        self.assertEqual(0o644, os.stat(self.cache.path(self.image)).st_mode & 0o777)

    def test_a_changed_image_is_another_file(self):
        other = model.replace(self.image, hash_value="00" * 64)
        self.assertNotEqual(self.cache.path(self.image), self.cache.path(other))

    def test_one_downloader_over_processes(self):
        others = [imagecache.ImageCache(paths.Paths(self.directory), self.images)
                  for _ in range(4)]
        threads = [threading.Thread(target=cache.fetch, args=(self.image, 1)) for cache in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(1, self.images.downloads)

    def test_nothing_stays_of_a_bad_one(self):
        bad = self.images.add("bad", b"x" * 600, hash_value="11" * 64)
        with self.assertRaisesRegex(errors.Invalid, "corrupt"):
            self.cache.fetch(bad, 1)
        self.assertEqual([], self.files())

    def test_nothing_stays_of_a_hostile_one(self):
        data = bytearray(fake.empty_qcow2(1 << 20))
        data[8:16] = (4096).to_bytes(8, "big")
        bad = self.images.add("bad", bytes(data), disk_format="qcow2")
        with mock.patch.object(disk, "qemu_img") as run:
            with self.assertRaisesRegex(errors.Invalid, "backing file"):
                self.cache.fetch(bad, 1)
        run.assert_not_called()
        self.assertEqual([], self.files())

    def test_too_large_for_the_flavor_is_never_unpacked(self):
        bomb = self.images.add("bomb", fake.empty_qcow2(1 << 40), disk_format="qcow2")
        with mock.patch.object(disk, "qemu_img") as run:
            with self.assertRaisesRegex(errors.Invalid, "too large"):
                self.cache.fetch(bomb, 1)
        run.assert_not_called()

    def test_no_room(self):
        with mock.patch.object(disk, "free_bytes", return_value=disk.MARGIN):
            with self.assertRaisesRegex(errors.HostTrouble, "no room for image"):
                self.cache.fetch(self.image, 1)
        self.assertEqual(0, self.images.downloads)

    def test_not_fetched(self):
        with self.assertRaisesRegex(errors.HostTrouble, "fetch it first"):
            self.cache.look(self.image)

    def test_gone_and_unreachable(self):
        self.images.remove(self.image.id)
        with self.assertRaisesRegex(errors.Invalid, "choose another"):
            self.cache.fetch(self.image, 1)
