"""qemu-img is told every format, is kept within limits, and its failures are told apart."""

import os
import shutil
import signal
import stat
import tempfile
import unittest
from unittest import mock

from nova_cells.domain import errors
from nova_cells.virt.libvirt import disk, driver

REAL = shutil.which("qemu-img") and shutil.which("prlimit")


class WithDirectory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = folder.name

    def path(self, *names):
        return os.path.join(self.directory, *names)


class QemuImg(WithDirectory):
    """With a program of our own in its place."""

    def program(self, script):
        path = self.path("qemu-img")
        with open(path, "w") as file:
            file.write(f"#!/bin/bash\n{script}\n")
        os.chmod(path, stat.S_IRWXU)
        environment = {"PATH": f"{self.directory}:{os.environ['PATH']}"}
        patcher = mock.patch.dict(os.environ, environment)
        patcher.start()
        self.addCleanup(patcher.stop)

    def meets(self, problem, script, **how):
        self.program(script)
        with self.assertRaises(problem) as caught:
            disk.qemu_img("convert", "x", **how)
        return str(caught.exception)

    def test_limits_are_set(self):
        self.program('ulimit -v -t -f -c >"$1"')
        disk.qemu_img(self.path("said"), file_limit=1024 * 1024)
        with open(self.path("said")) as file:
            words = [line.split()[-1] for line in file]
        self.assertEqual([str(disk.MEMORY_LIMIT // 1024), str(disk.CPU_LIMIT), "1024", "0"], words)

    def test_full_disk(self):
        for script in ("echo 'write failed: No space left on device' >&2; exit 1",
                       f"kill -{signal.SIGXFSZ:d} $$"):
            self.assertIn("full", self.meets(errors.HostTrouble, script))

    def test_limit_reached(self):
        self.assertIn("limit", self.meets(errors.HostTrouble, f"kill -{signal.SIGXCPU:d} $$"))

    def test_too_slow(self):
        with mock.patch.object(disk, "WALL_LIMIT", 0.1):
            self.meets(errors.HostTrouble, "exec sleep 20")

    def test_the_image_s_fault(self):
        said = self.meets(errors.Invalid, "echo 'Image is corrupt' >&2; exit 1")
        self.assertIn("Image is corrupt", said)

    def test_gigabytes_of_complaints(self):
        self.meets(errors.Invalid, "exec yes 'ERROR: cluster'")

    def test_not_installed(self):
        with mock.patch.object(disk, "_run", return_value=(127, "prlimit: not found")):
            with self.assertRaisesRegex(errors.HostTrouble, "install qemu-utils"):
                disk.qemu_img("check")
        with mock.patch.object(disk.subprocess, "Popen", side_effect=FileNotFoundError):
            with self.assertRaisesRegex(errors.HostTrouble, "prlimit is not installed"):
                disk.qemu_img("check")

    def test_a_file_limit_stops_a_bomb(self):
        if not REAL:
            self.skipTest("qemu-img is not installed")
        with open(self.path("source"), "wb") as file:
            file.write(os.urandom(2 * 1024 * 1024))
        with self.assertRaises(errors.HostTrouble):
            disk.qemu_img("convert", "-f", "raw", "-O", "raw", self.path("source"),
                          self.path("target"), file_limit=1024 * 1024)


@unittest.skipUnless(REAL, "qemu-img is not installed: overlays are not tested")
class Overlay(WithDirectory):
    def setUp(self):
        super().setUp()
        self.base, self.disk = self.path("base"), self.path("guest", "disk")
        with open(self.base, "wb") as file:
            file.truncate(1024 * 1024)

    def make(self, size):
        disk.create_overlay(self.disk, self.base, "raw", size)
        return disk._overlay_size(self.disk)

    def test_made_kept_grown_never_shrunk(self):
        self.assertEqual(2 << 20, self.make(2 << 20))
        inode = os.stat(self.disk).st_ino
        self.assertEqual(4 << 20, self.make(4 << 20))
        self.assertEqual(4 << 20, self.make(2 << 20))
        self.assertEqual(inode, os.stat(self.disk).st_ino)

    def test_blank_disks(self):
        for program, magic, at in ((driver.SWAP, b"SWAPSPACE2", 4086),
                                   (driver.EPHEMERAL, b"\x53\xef", 1080)):
            path = self.path("guest", program[0])
            for _ in range(2):
                disk.create_blank(path, 8 << 20, program)
            self.assertEqual(8 << 20, os.path.getsize(path))
            with open(path, "rb") as file:
                file.seek(at)
                self.assertEqual(magic, file.read(len(magic)))
        with self.assertRaises(errors.HostTrouble):
            disk.create_blank(self.path("guest", "bad"), 4096, ("false",))
        self.assertNotIn("bad.part", os.listdir(self.path("guest")))

    def test_a_half_made_one_is_made_anew(self):
        os.makedirs(os.path.dirname(self.disk))
        with open(self.disk + ".part", "w") as file:
            file.write("half")
        self.assertEqual(2 << 20, self.make(2 << 20))
        self.assertEqual(["disk"], os.listdir(os.path.dirname(self.disk)))

    def test_its_backing_file_has_an_explicit_format(self):
        self.make(2 << 20)
        with open(self.disk, "rb") as file:
            start = file.read(4096)
        self.assertIn(b"\xe2\x79\x2a\xca\x00\x00\x00\x03raw", start)

    def test_full(self):
        with mock.patch.object(disk, "free_bytes", return_value=0):
            with self.assertRaisesRegex(errors.HostTrouble, "no room for a disk"):
                self.make(2 << 20)
        self.assertFalse(os.path.exists(self.disk))

    def test_damaged(self):
        self.make(2 << 20)
        with open(self.disk, "wb") as file:
            file.write(b"x")
        with self.assertRaisesRegex(errors.HostTrouble, "damaged"):
            self.make(2 << 20)

    def test_truncated_qcow2(self):
        with open(self.base, "wb") as file:
            file.write(os.urandom(1024 * 1024))
        target = self.path("image")
        disk.qemu_img("convert", "-f", "raw", "-O", "qcow2", self.base, target)
        disk.check(target)
        os.truncate(target, os.path.getsize(target) - 512 * 1024)
        with self.assertRaises(errors.Invalid):
            disk.check(target)
