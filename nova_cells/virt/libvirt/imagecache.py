"""Images that this host has fetched, verified and unpacked: ``<instances_path>/_base``.

A file has its final name only when it is whole, proven by its checksum and harmless.  Its
name is made of the image's id and checksum, so a changed image is another file.  One
downloader at a time per image, over all threads and processes of the host (a lock file);
what a killed one left is removed by the next.  Never touches a file that is complete.
"""

import collections.abc
import contextlib
import fcntl
import hashlib
import os
import typing

from oslo_log import log

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.virt import fetch, header
from nova_cells.virt.libvirt import disk, paths

LOG = log.getLogger(__name__)


class ImageCache:
    """The cache of one host."""

    def __init__(self, where: paths.Paths, images: typing.Any, raw: bool = True) -> None:
        self._where, self._images, self._raw = where, images, raw

    def path(self, image: model.ImageFacts) -> str:
        """Where the image is, or will be."""
        proof = image.hash_value or image.checksum or ""
        key = hashlib.sha1(f"{image.id}:{proof}".encode(), usedforsecurity=False).hexdigest()
        return os.path.join(self._where.base, f"{key}.{self.format(image)}")

    def format(self, image: model.ImageFacts) -> str:
        """In which format the image is kept."""
        return "raw" if self._raw else image.disk_format

    def look(self, image: model.ImageFacts) -> header.Header:
        """What the cached image is.  ``HostTrouble`` if it is not here."""
        try:
            return header.inspect(self.path(image), self.format(image), f"image {image.id}")
        except FileNotFoundError:
            raise errors.HostTrouble(f"image {image.id} is not in this host's cache: fetch it "
                                     f"first")

    def fetch(self, image: model.ImageFacts, disk_gb: int) -> None:
        """Have the image; ``disk_gb`` is the flavor's, beyond which nothing is unpacked."""
        final = self.path(image)
        if os.path.exists(final):
            return
        os.makedirs(self._where.base, exist_ok=True)
        with _alone(final + ".lock"):
            if os.path.exists(final):
                return
            parts = [final + ".fetched", final + ".part"]
            try:
                self._fetch(image, disk_gb, *parts)
                paths.put(parts[1], final)
            finally:
                for part in parts:
                    paths.forget(part)
        LOG.info("image=%s cached as=%s bytes=%s", image.id, os.path.basename(final),
                 os.stat(final).st_blocks * 512)

    def _fetch(self, image: model.ImageFacts, disk_gb: int, fetched: str, part: str) -> None:
        for old in (fetched, part):
            paths.forget(old)
        disk.need(self._where.base, image.size, f"image {image.id}")
        fetch.download(self._images, image, fetched)
        found = header.inspect(fetched, image.disk_format, f"image {image.id}")
        header.size_for(found.virtual_size, disk_gb, f"image {image.id}")
        if found.disk_format == "qcow2":
            disk.check(fetched)
        if found.disk_format == self.format(image):
            os.replace(fetched, part)
        else:
            _unpack(fetched, part, found.virtual_size)
        os.chmod(part, 0o644)


def _unpack(fetched: str, part: str, virtual_size: int) -> None:
    """qcow2 to raw, so that no table that a stranger wrote is read for a guest.  The file is
    sparse, so only its limit is certain; qemu-img runs into a full disk if it must."""
    disk.need(os.path.dirname(part), os.path.getsize(fetched), "unpacking an image")
    disk.qemu_img("convert", "-q", "-f", "qcow2", "-O", "raw", fetched, part,
                  file_limit=virtual_size + disk.MARGIN)


@contextlib.contextmanager
def _alone(path: str) -> collections.abc.Iterator[None]:
    """Hold a lock file, over threads and processes; a killed holder lets go."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
