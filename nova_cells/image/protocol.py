"""What the image service promises us."""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model


class Unreachable(errors.Problem):
    """The image service does not answer: 503 to a user, another try for a host."""

    family = "cell_down"


class NewImage(model.Value, kw_only=True):
    """An image that is to be made: its record, before it has any bytes."""

    id: str                              # chosen by us, so that asking twice makes one image
    name: str
    visibility: str = "private"          # or "shared": then with ``member``
    member: str | None = None            # the project that may use it, too
    min_disk: int = 0
    min_ram: int = 0
    disk_format: str | None = None       # None: said when the bytes come
    container_format: str | None = None
    properties: dict[str, str] = {}


class ImageDocument(model.Value, kw_only=True):
    """An image as the image service shows it, in whatever state it is."""

    id: str
    name: str | None = None
    status: str = "queued"
    owner: str | None = None
    size: int = 0
    min_disk: int = 0
    min_ram: int = 0
    created_at: str | None = None        # as the service writes it: 2026-01-31T12:00:00Z
    updated_at: str | None = None
    properties: dict[str, typing.Any] = {}


class Search(model.Value, kw_only=True):
    """Which images a list shall show, and where in it to begin."""

    filters: dict[str, str] = {}         # in the image service's own words
    limit: int = 1000
    marker: str | None = None


class Backups(model.Value, kw_only=True):
    """The backups of one server and kind.  ``owners``: projects whose images count; what others
    call a backup of somebody's server is none."""

    server: str
    kind: str
    owners: tuple[str, ...]


class Reading(typing.Protocol):
    """Facts for the API (as the user), bytes for hosts (as our own service user)."""

    def facts(self, image_id: str, token: str | None = None) -> model.ImageFacts:
        """What booting needs to know.  ``NotFound`` if the token's owner cannot see it,
        ``Conflict`` if it is not active, ``Invalid`` for a disk format we do not boot,
        ``Unreachable`` if the image service does not answer."""

    def download(self, image: model.ImageFacts, path: str) -> None:
        """Write the bytes to ``path`` and verify length and hash.  ``Invalid`` if they do not
        match, ``HostTrouble`` if the disk is full, ``Unreachable`` if the service is."""


class Making(typing.Protocol):
    """Making images.  Every call may be repeated."""

    def create(self, image: NewImage, token: str) -> None:
        """The record, as the user, without bytes (queued).  ``Refused`` if the user may not,
        ``OverLimit`` if there are too many, ``Invalid`` if the service refuses what it says."""

    def filled(self, image_id: str) -> bool:
        """Whether its bytes are there (active).  ``NotFound`` if it was deleted meanwhile."""

    def upload(self, image_id: str, data: typing.BinaryIO, size: int, disk_format: str) -> None:
        """Fill the record with bytes, in a bare container, as our service user; one that is
        active already is left as it is.  ``NotFound`` if it was deleted meanwhile, ``Conflict`` if
        it is in no state to be filled."""

    def delete(self, image_id: str, token: str | None = None) -> None:
        """Delete.  ``NotFound`` if it is gone, ``Refused`` if the asker may not."""

    def discard(self, image_id: str) -> None:
        """Delete one that nobody fills any more, as our service user; one that is active, or gone
        already, is left alone."""

    def backups(self, which: Backups) -> list[str]:
        """Their ids, the newest first, as our service user."""


class Showing(typing.Protocol):
    """Documents of images and their properties, as the user: for the old image routes."""

    def show(self, image_id: str, token: str) -> ImageDocument:
        """``NotFound`` if the token's owner cannot see it, ``Refused`` if they may not."""

    def search(self, which: Search, token: str) -> list[ImageDocument]:
        """Those that the token's owner sees, the newest first.  ``Invalid`` if the service does not
        understand the filters or the marker."""

    def set_properties(self, image_id: str, properties: dict[str, str],
                       token: str) -> ImageDocument:
        """These and no other.  ``Refused`` if the user may not."""

    def address(self) -> str:
        """The service's own URL, without version or slash at its end; "" if it has none."""


class ImageRoom(Reading, Making, Showing, typing.Protocol):
    """All that we use of the image service."""
