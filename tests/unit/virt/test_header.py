"""What an image says of itself is read before QEMU sees it; anything odd is refused."""

import os
import tempfile
import unittest

import hypothesis
from hypothesis import strategies

from nova_cells.domain import errors
from nova_cells.image import fake
from nova_cells.virt import header

GOOD = fake.empty_qcow2(1 << 30)


def extension(kind, data):
    return kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + data


class Header(unittest.TestCase):
    def setUp(self):
        handle, self.path = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(os.unlink, self.path)

    def inspect(self, data, declared="qcow2"):
        with open(self.path, "wb") as file:
            file.write(data)
        return header.inspect(self.path, declared, "image x")

    def patched(self, at, value):
        data = bytearray(GOOD)
        data[at:at + len(value)] = value
        return bytes(data)

    def refused(self, data, why, declared="qcow2"):
        with self.assertRaisesRegex(errors.Invalid, why):
            self.inspect(data, declared)

    def test_plain_ones(self):
        self.assertEqual(header.Header(disk_format="qcow2", virtual_size=1 << 30),
                         self.inspect(GOOD))
        self.assertEqual(header.Header(disk_format="raw", virtual_size=1024),
                         self.inspect(b"x" * 513, "raw"))
        self.assertEqual(1 << 30, self.inspect(self.patched(4, (2).to_bytes(4, "big")))
                         .virtual_size)

    def test_compressed_by_zstd_is_fine(self):
        self.inspect(self.patched(72, (8).to_bytes(8, "big")))

    def test_a_feature_table_is_fine(self):
        self.inspect(self.patched(104, extension(0x6803F857, b"\0" * 48)))

    def test_hostile_ones(self):
        for at, value, why in (
                (8, b"\0\0\0\0\0\0\x10\0", "backing file"),
                (72, (4).to_bytes(8, "big"), "external data file"),
                (104, extension(0x44415441, b"/etc/shadow"), "external data file"),
                (104, extension(0x6803F857, b"\0" * 8) + extension(0x44415441, b"/x"),
                 "external data file"),
                (72, (1 << 5).to_bytes(8, "big"), "not known"),
                (72, (1).to_bytes(8, "big"), "closed properly"),
                (72, (2).to_bytes(8, "big"), "corrupt"),
                (32, (2).to_bytes(4, "big"), "encrypted"),
                (20, (63).to_bytes(4, "big"), "impossible size"),
                (36, (1 << 30).to_bytes(4, "big"), "too large"),
                (40, (1 << 40).to_bytes(8, "big"), "outside"),
                (24, (1 << 50).to_bytes(8, "big"), "64 TiB"),
                (24, bytes(8), "64 TiB"),
                (100, (1 << 20).to_bytes(4, "big"), "impossible length"),
                (4, (1).to_bytes(4, "big"), "unknown"),
                (0, b"QFI\xfa", "it is not")):
            with self.subTest(why=why, at=at):
                self.refused(self.patched(at, value), why)

    def test_cut_short(self):
        for size in (0, 3, 71, 80, 103):
            self.refused(GOOD[:size], "cut short")

    def test_raw_that_is_something_else(self):
        for magic, kind in header.OTHERS.items():
            self.refused(magic + bytes(600), f"it is {kind}", "raw")

    def test_other_formats(self):
        self.refused(b"KDMV", "only raw and qcow2", "vmdk")

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(strategies.lists(strategies.tuples(
        strategies.integers(0, 200), strategies.integers(0, 255)), max_size=12))
    def test_any_damage_is_refused_or_harmless(self, damage):
        data = bytearray(GOOD)
        for at, value in damage:
            data[at] = value
        try:
            found = self.inspect(bytes(data))
        except errors.Invalid:
            return
        self.assertEqual(bytes(8), bytes(data[8:16]))
        self.assertLessEqual(found.virtual_size, header.HUGE)

    def test_size_for(self):
        self.assertEqual(5 << 30, header.size_for(1 << 30, 5, "x"))
        self.assertEqual(123, header.size_for(123, 0, "x"))
        with self.assertRaisesRegex(errors.Invalid, "2 GiB, the flavor's 1 GiB"):
            header.size_for((1 << 30) + 1, 1, "x")
