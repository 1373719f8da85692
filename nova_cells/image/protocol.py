"""What the image service promises us."""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model


class Unreachable(errors.Problem):
    """The image service does not answer: 503 to a user, another try for a host."""

    family = "cell_down"


class ImageRoom(typing.Protocol):
    """Facts for the API (as the user), bytes for hosts (as our own service user)."""

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know.  ``NotFound`` if the token's owner cannot see it,
        ``Conflict`` if it is not active, ``Invalid`` for a disk format we do not boot,
        ``Unreachable`` if the image service does not answer."""

    def download(self, image: model.ImageFacts, path: str) -> None:
        """Write the bytes to ``path`` and verify length and hash.  ``Invalid`` if they do not
        match, ``HostTrouble`` if the disk is full, ``Unreachable`` if the service is."""
