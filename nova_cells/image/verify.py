"""What every source of images checks alike: may it be booted, and are these its bytes?

May assume the facts that the image service gave.  Never leaves a file behind whose bytes
were not verified.
"""

import collections.abc
import errno
import hashlib
import os

from nova_cells.domain import errors
from nova_cells.domain import server as model

FORMATS = ("raw", "qcow2")
#: Hashes that may prove an image; weaker ones are for old image services that have no other.
ALGORITHMS = ("sha512", "sha384", "sha256", "sha1", "md5")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def bootable(image: model.ImageFacts, status: str) -> None:
    """``Conflict`` unless it is active; ``Invalid`` for a format that is never booted."""
    if status != "active":
        raise errors.Conflict(f"Image {image.id} is not active.")
    if image.disk_format not in FORMATS or image.container_format != "bare":
        kind = f"{image.disk_format} in {image.container_format}"
        raise errors.Invalid(f"Image {image.id} is {kind}: only "
                             f"{' and '.join(FORMATS)} in bare can be booted; convert it")


def save(chunks: collections.abc.Iterable[bytes], image: model.ImageFacts, path: str) -> None:
    """Write the bytes to ``path``, safely on disk, and prove them.  ``Invalid`` if length or
    hash differ, ``HostTrouble`` if the disk is full; then there is no file."""
    try:
        with open(path, "wb") as file:
            _copy(chunks, image, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _forget(path)
        if error.errno in FULL:
            raise errors.HostTrouble(f"no room for image {image.id} ({image.size} bytes) in "
                                     f"{os.path.dirname(path)}: free some space there")
        raise errors.HostTrouble(f"image {image.id} cannot be written: {error}")
    except BaseException:
        _forget(path)
        raise


def _copy(chunks: collections.abc.Iterable[bytes], image: model.ImageFacts, file: object) -> None:
    proof, expected = _proof(image)
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if image.size and length > image.size:
            raise errors.Invalid(f"image {image.id} is longer than the {image.size} bytes that the "
                                 f"image service promised: upload it again")
        if proof is not None:
            proof.update(chunk)
        file.write(chunk)                # type: ignore[attr-defined]
    if image.size and length < image.size:
        raise errors.Invalid(f"image {image.id} ended after {length} of {image.size} bytes: upload "
                             f"it again")
    if proof is not None and proof.hexdigest() != expected:
        raise errors.Invalid(f"image {image.id} is corrupt: its {proof.name} is not the one that "
                             f"the image service recorded; upload it again")


def _proof(image: model.ImageFacts) -> tuple[object | None, str]:
    """The hash to compute, and what it must be; none if the image service gave none."""
    if image.hash_value and image.hash_algo in ALGORITHMS:
        return hashlib.new(image.hash_algo, usedforsecurity=False), image.hash_value
    if image.checksum:
        return hashlib.md5(usedforsecurity=False), image.checksum
    return None, ""


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
