"""A mock image service: a few tiny images, for development, simulation and tests.

May assume nothing.  Never reaches a network.  What it hands out is verified as the real
one's is, so a corrupt image is found here too.
"""

import hashlib

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import verify

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


class FakeImages:
    """Images by id.  Everybody may see those of no project; a token of another sees no other."""

    def __init__(self) -> None:
        self._images: dict[str, tuple[model.ImageFacts, bytes, str]] = {}
        self._owners: dict[str, str | None] = {}
        self.downloads = 0
        self.add(CIRROS, PICTURE, name="cirros-fake")
        self.add(SPARSE, empty_qcow2(16 * 1024 * 1024), name="sparse-fake", disk_format="qcow2")

    def add(self, image_id: str, data: bytes, *, status: str = "active", owner: str | None = None,
            **facts: object) -> model.ImageFacts:
        """Put an image there.  ``owner``: the only token that may see it; None: everybody."""
        described: dict[str, object] = {
            "name": image_id, "disk_format": "raw", "size": len(data), "hash_algo": "sha512",
            "hash_value": hashlib.sha512(data).hexdigest()}
        image = model.ImageFacts(id=image_id, **{**described, **facts})
        self._images[image_id] = (image, data, status)
        self._owners[image_id] = owner
        return image

    def remove(self, image_id: str) -> None:
        """Take an image away."""
        self._images.pop(image_id, None)

    def list(self) -> list[model.ImageFacts]:
        """All of them, for whoever starts a cluster without an image service."""
        return [image for image, _, _ in self._images.values()]

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know of an image."""
        image, _, status = self._get(image_id)
        owner = self._owners[image_id]
        if token is not None and owner not in (None, token):
            raise errors.NotFound(f"Image {image_id} could not be found.")
        verify.bootable(image, status)
        return image

    def download(self, image: model.ImageFacts, path: str) -> None:
        """Write the bytes, verified."""
        _, data, _ = self._get(image.id)
        self.downloads += 1
        verify.save([data], image, path)

    def _get(self, image_id: str) -> tuple[model.ImageFacts, bytes, str]:
        if image_id not in self._images:
            raise errors.NotFound(f"Image {image_id} could not be found.")
        return self._images[image_id]
