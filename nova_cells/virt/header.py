"""What a disk image says of itself, read without QEMU: is it safe to hand to QEMU at all?

A qcow2 file can name other files of the host as its backing or its data file; whoever opens
it for a guest then shows them to the guest.  So the header is read here first, byte by byte,
and what is not plainly harmless is refused (law: hostile images).  May assume that the file
does not change.  Never guesses a format: it compares with the one that was declared.
Source: QEMU's public qcow2 specification, versions 2 and 3.
"""

import os
import struct

from nova_cells.domain import errors
from nova_cells.domain import server as model

MAGIC = b"QFI\xfb"
#: First bytes of other container formats; an image that was declared raw has none of them.
OTHERS = {MAGIC: "qcow2", b"KDMV": "vmdk", b"# Disk DescriptorFile": "vmdk", b"QED\0": "qed",
          b"vhdxfile": "vhdx", b"conectix": "vhd", b"LUKS\xba\xbe": "luks",
          b"<<< Oracle VM VirtualBox": "vdi", b"<<< QEMU VM Virtual Disk": "vdi"}
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED = 1, 2, 4, 8, 16
_KNOWN = _COMPRESSION | _EXTENDED
_DATA_FILE_NAME = 0x44415441
_FIXED = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3 = struct.Struct(">QQQII")
GIB = 1024 ** 3
LIMIT = 64 * 1024                        # bytes of header that are looked at
HUGE = 1 << 46                           # 64 TiB: no guest's disk is larger


class Header(model.Value, kw_only=True):
    """What matters of an image."""

    disk_format: str
    virtual_size: int                    # bytes


def inspect(path: str, declared: str, name: str) -> Header:
    """The header of an image that was declared to be ``raw`` or ``qcow2``.  ``Invalid``, with
    the reason, for anything that is not plainly harmless; ``name`` says which image."""
    with open(path, "rb") as file:
        start = file.read(LIMIT)
        size = os.fstat(file.fileno()).st_size
    if declared == "raw":
        found = next((kind for magic, kind in OTHERS.items() if start.startswith(magic)), "raw")
        if found != "raw":
            raise errors.Invalid(f"{name} says that it is raw, but it is {found}: correct its "
                                 f"disk_format")
        return Header(disk_format="raw", virtual_size=-(-size // 512) * 512)
    if declared != "qcow2":
        raise errors.Invalid(f"{name} is {declared}: only raw and qcow2 can be booted")
    try:
        return _qcow2(start, size, name)
    except struct.error:
        raise errors.Invalid(f"{name} is no qcow2: its header is cut short")


def size_for(virtual_size: int, disk_gb: int, name: str) -> int:
    """Bytes of a guest's disk.  ``Invalid`` if the image does not fit the flavor; a flavor with
    no disk takes the image's size."""
    wanted = disk_gb * GIB or virtual_size
    if virtual_size > wanted:
        raise errors.Invalid(f"{name} is too large for the flavor: its disk is "
                             f"{-(-virtual_size // GIB)} GiB, the flavor's {disk_gb} GiB")
    return wanted


def _qcow2(start: bytes, size: int, name: str) -> Header:
    (magic, version, backing, _, cluster_bits, virtual, encrypted, level1, level1_at, counts_at,
     _, _, _) = _FIXED.unpack_from(start)
    if magic != MAGIC or version not in (2, 3):
        raise errors.Invalid(f"{name} says that it is qcow2, but it is not (or of an unknown "
                             f"version): correct its disk_format, or convert it")
    reasons = {
        "it has a backing file": backing != 0,
        "it is encrypted": encrypted != 0,
        "its clusters have an impossible size": not 9 <= cluster_bits <= 21,
        "its tables lie outside of the file": level1_at >= size or counts_at >= size,
        "its first table is too large": level1 * 8 > 32 * 1024 * 1024,
        "it claims to be larger than 64 TiB": not 0 < virtual <= HUGE,
    }
    reasons |= _version_3(start, cluster_bits) if version == 3 else {}
    for reason, true in reasons.items():
        if true:
            raise errors.Invalid(f"{name} is refused: {reason}; make a plain one with "
                                 f"'qemu-img convert -O qcow2'")
    return Header(disk_format="qcow2", virtual_size=virtual)


def _version_3(start: bytes, cluster_bits: int) -> dict[str, bool]:
    features, _, _, _, length = _VERSION_3.unpack_from(start, _FIXED.size)
    return {
        "it has an external data file": bool(features & _DATA_FILE)
        or _DATA_FILE_NAME in _extensions(start, length, 1 << cluster_bits),
        "it is marked as corrupt": bool(features & _CORRUPT),
        "it was not closed properly": bool(features & _DIRTY),
        "it needs features that are not known": bool(
            features & ~(_KNOWN | _DATA_FILE | _CORRUPT | _DIRTY)),
        "its header has an impossible length": length < 104 or length > 4096 or length % 8 != 0,
    }


def _extensions(start: bytes, at: int, end: int) -> set[int]:
    """The kinds of header extension that are there."""
    kinds: set[int] = set()
    while at + 8 <= min(end, len(start)):
        kind, length = struct.unpack_from(">II", start, at)
        if kind == 0:
            break
        kinds.add(kind)
        at += 8 + -(-length // 8) * 8
    return kinds
