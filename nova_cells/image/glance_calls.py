# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Requests to the Image service: as our service user, or with a user's token instead of ours.

May assume a keystoneauth adapter.  Never keeps a token.
"""

import logging
import re
import typing

import requests
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as ks

from nova_cells.domain import errors
from nova_cells.image import protocol

LOG = logging.getLogger(__name__)
_ID = re.compile(r"^[A-Za-z0-9-]{1,64}$")
#: What the service says of an image that is no property for us.
OWN = frozenset((
    "id", "name", "status", "visibility", "protected", "owner", "tags", "size", "virtual_size",
    "checksum", "disk_format", "container_format", "min_disk", "min_ram", "created_at",
    "updated_at", "self", "file", "schema", "locations", "direct_url", "stores"))


def missing(image_id: str) -> errors.NotFound:
    """The sentence that clients know."""
    return errors.NotFound(f"Image {image_id[:255]} could not be found.")


class Calls:
    """What the parts of the room share."""

    def __init__(self, service: adapter.Adapter, timeout: float = 60, retries: int = 0) -> None:
        self._service, self._timeout, self._retries = service, timeout, retries

    def address(self) -> str:
        """The service's own URL, without version or slash at its end."""
        try:
            found = self._service.get_endpoint() or ""
        except (ks.ClientException, requests.RequestException) as error:
            LOG.warning("the image service is not in the catalogue: %s", error)
            raise protocol.Unreachable("the image service is not known just now; try again later")
        return re.sub(r"/v2/?$", "", found.rstrip("/"))

    def _image(self, image_id: str) -> str:
        """The path of one image; what cannot be an id is not even sent."""
        if not _ID.match(image_id):
            raise missing(image_id)
        return f"/v2/images/{image_id}"

    def _get(self, path: str, token: str | None, **how: typing.Any) -> requests.Response:
        return self._call("GET", path, token, **how)

    def _call(self, method: str, path: str, token: str | None,
              **how: typing.Any) -> requests.Response:
        """Whatever it answers.  Raises ``Unreachable`` if it does not."""
        headers = {"Accept": "*/*" if "stream" in how else "application/json",
                   **how.pop("headers", {})}
        if token is not None:
            headers["X-Auth-Token"] = token
        # A user waits, so only one more try; a host has time.  Bytes that were sent are gone.
        tries = self._retries if token is None else min(1, self._retries)
        try:
            url = path
            if token is not None and not self._service.endpoint_override:
                url = self.address() + path
            return self._service.request(
                url, method, headers=headers, timeout=self._timeout, authenticated=token is None,
                connect_retries=0 if "data" in how and method == "PUT" else tries, **how)
        except (ks.ClientException, requests.RequestException) as error:
            LOG.warning("the image service does not answer: %s", error)
            raise protocol.Unreachable("the image service does not answer; try again later")


def told(answer: requests.Response) -> str:
    """What the service says of a refusal, in one line; it may be a page."""
    text = re.sub(r"<[^>]*>", " ", answer.text[:2000])
    return " ".join(text.split())[:200]


def understood(answer: requests.Response) -> dict[str, typing.Any]:
    """The document that it answered.  Raises ``Unreachable`` for what is none."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise protocol.Unreachable("the image service's answer cannot be understood: check "
                                   "[glance] endpoint_override")
    return document


def refuse(image_id: str, status: int, ours: bool) -> typing.NoReturn:
    """Raise what a status that is not the wanted one means for whoever reads an image."""
    if status in (401, 403) and ours:
        raise protocol.Unreachable("the image service refuses our service user: check the roles "
                                   "and the password in [service_user]")
    if status in (401, 403, 404):
        raise missing(image_id)
    if status in (204, 409):
        raise errors.Conflict(f"Image {image_id} is not active.")
    raise protocol.Unreachable(f"the image service answers {status} for image {image_id}: see its "
                               f"log")
