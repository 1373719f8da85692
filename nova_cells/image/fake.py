"""A mock image service: a few tiny images, for development, simulation and tests.

May assume nothing.  Never reaches a network.  What it hands out is verified as the real
one's is, so a corrupt image is found here too.
"""

import collections.abc
import time

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import fake_making, verify

CIRROS = "c1220500-fa4e-4000-8000-000000000001"
SPARSE = "c1220500-fa4e-4000-8000-000000000002"
PICTURE = b"nova-cells fake image\n".ljust(510, b"\0") + b"\x55\xaa"
CLUSTER = 64 * 1024


def empty_qcow2(virtual_size: int) -> bytes:
    """The smallest qcow2 (version 3) of this virtual size, at most 512 MiB: no backing file,
    no data.  Clusters: header, reference counts' table, their block, level 1 table."""
    def be32(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(4, "big") for number in numbers)

    def be64(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(8, "big") for number in numbers)

    level1 = max(1, -(-virtual_size // (CLUSTER * CLUSTER // 8)))
    header = (b"QFI\xfb" + be32(3) + be64(0) + be32(0, 16) + be64(virtual_size) + be32(0, level1)
              + be64(3 * CLUSTER, CLUSTER) + be32(1, 0) + be64(0, 0, 0, 0) + be32(4, 104)
              + be64(0))
    counts = b"".join(count.to_bytes(2, "big") for count in (1, 1, 1, 1))
    parts = (header, be64(2 * CLUSTER), counts, b"")
    return b"".join(part.ljust(CLUSTER, b"\0") for part in parts)


class FakeImages(fake_making.FakeMaking):
    """Images by id.  Everybody may see those of no project; a token of another sees no other."""

    def __init__(self, now: collections.abc.Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.downloads = 0
        self.add(CIRROS, PICTURE, name="cirros-fake")
        self.add(SPARSE, empty_qcow2(16 * 1024 * 1024), name="sparse-fake", disk_format="qcow2")

    def list(self) -> list[model.ImageFacts]:
        """All that can be booted, for whoever starts a cluster without an image service."""
        return [kept.facts for kept in self._images.values() if kept.status == "active"]

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know of an image."""
        kept = self._get(image_id, token)
        verify.bootable(kept.facts, kept.status)
        return kept.facts

    def download(self, image: model.ImageFacts, path: str) -> None:
        """Write the bytes, verified."""
        kept = self._get(image.id)
        if kept.status != "active":
            raise errors.Conflict(f"Image {image.id} is not active.")
        self.downloads += 1
        verify.save([kept.data], image, path)
