# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Making images in the Image service: the record as the user, the bytes as our service user.

Every call may be repeated: we choose the image's id, so a record is made once; bytes are only sent
to an image that has none.  Never keeps a token, and never believes that bytes arrived because
nobody complained: the length is compared.
"""

import json
import logging
import typing
import urllib.parse

import requests

from nova_cells.domain import errors
from nova_cells.image import glance_calls, protocol

LOG = logging.getLogger(__name__)
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_PAGE = 100


class Making(glance_calls.Calls):
    """The writing part of the room."""

    def create(self, image: protocol.NewImage, token: str) -> None:
        """The record, as the user, without bytes."""
        document: dict[str, typing.Any] = {
            **image.properties, "id": image.id, "name": image.name,
            "visibility": image.visibility, "min_disk": image.min_disk, "min_ram": image.min_ram}
        if image.disk_format and image.container_format:
            document |= {"disk_format": image.disk_format,
                         "container_format": image.container_format}
        answer = self._call("POST", "/v2/images", token, json=document)
        if answer.status_code not in (201, 409):     # 409: we made it, the answer was lost
            _refused(answer)
        if image.member:
            shared = self._call("POST", f"{self._image(image.id)}/members", token,
                                json={"member": image.member})
            if shared.status_code not in (200, 409):
                LOG.warning("image=%s project=%s may not use it: the image service answers %d",
                            image.id, image.member, shared.status_code)

    def filled(self, image_id: str) -> bool:
        """Whether its bytes are there."""
        return self._document(image_id).get("status") == "active"

    def upload(self, image_id: str, data: typing.BinaryIO, size: int, disk_format: str) -> None:
        """Fill the record with bytes; one that is filled is left as it is."""
        document = self._document(image_id)      # also: our token is fresh when the bytes go
        if document.get("status") == "active":
            return
        path = self._image(image_id)
        formats = {"disk_format": disk_format, "container_format": "bare"}
        changes = [{"op": "add", "path": f"/{name}", "value": value}
                   for name, value in formats.items() if document.get(name) != value]
        if changes:
            self._sent(image_id, self._call("PATCH", path, None, headers=PATCH,
                                            data=json.dumps(changes)))
        answer = self._call("PUT", f"{path}/file", None, data=data,
                            headers={"Content-Type": "application/octet-stream"})
        if answer.status_code == 409 and self.filled(image_id):      # somebody was faster
            return
        self._sent(image_id, answer)
        found = self._document(image_id)
        if found.get("status") != "active" or found.get("size") != size:
            raise protocol.Unreachable(
                f"the image service has {found.get('size')} of {size} bytes of image {image_id}, "
                f"which is {found.get('status')}")
        LOG.info("image=%s uploaded bytes=%d", image_id, size)

    def delete(self, image_id: str, token: str | None = None) -> None:
        """Delete."""
        answer = self._call("DELETE", self._image(image_id), token)
        if answer.status_code == 404:
            raise glance_calls.missing(image_id)
        if answer.status_code in (401, 403):
            raise errors.Refused("You are not allowed to delete the image.")
        if answer.status_code == 409:
            raise errors.Conflict(f"Image {image_id} is in use.")
        if answer.status_code not in (200, 204):
            glance_calls.refuse(image_id, answer.status_code, ours=token is None)

    def discard(self, image_id: str) -> None:
        """Delete one that nobody fills any more."""
        try:
            if not self.filled(image_id):
                self.delete(image_id)
        except errors.NotFound:
            return

    def backups(self, which: protocol.Backups) -> list[str]:
        """The newest first."""
        query = urllib.parse.urlencode({
            "image_type": "backup", "backup_type": which.kind, "instance_uuid": which.server,
            "sort_key": "created_at", "sort_dir": "desc", "limit": _PAGE})
        found, path = [], f"/v2/images?{query}"
        while path:
            answer = self._get(path, None)
            if answer.status_code != 200:
                glance_calls.refuse(which.server, answer.status_code, ours=True)
            page = glance_calls.understood(answer)
            found += [image["id"] for image in page.get("images", ())
                      if image.get("owner") in which.owners]
            path = page.get("next") or ""
        return found

    def _document(self, image_id: str) -> dict[str, typing.Any]:
        """As our service user sees it."""
        answer = self._get(self._image(image_id), None)
        if answer.status_code != 200:
            glance_calls.refuse(image_id, answer.status_code, ours=True)
        document = glance_calls.understood(answer)
        if document.get("status") in ("deleted", "pending_delete"):
            raise glance_calls.missing(image_id)
        return document

    @staticmethod
    def _sent(image_id: str, answer: requests.Response) -> None:
        """Raise what an answer to bytes or to a change means to a host."""
        if answer.status_code in (404, 410):
            raise glance_calls.missing(image_id)
        if answer.status_code == 409:
            raise errors.Conflict(f"Image {image_id} is in no state to be filled.")
        if answer.status_code in (400, 413):
            raise errors.Invalid(f"the image service does not take the bytes of image {image_id}: "
                                 f"{glance_calls.told(answer)}")
        if answer.status_code not in (200, 204):
            glance_calls.refuse(image_id, answer.status_code, ours=True)


def _refused(answer: requests.Response) -> typing.NoReturn:
    """Raise what the user did wrong."""
    words = glance_calls.told(answer)
    if answer.status_code in (401, 403):
        raise errors.Refused(f"The image service does not let you make an image: {words}")
    if answer.status_code == 413:
        raise errors.OverLimit(f"The image service takes no more: {words}")
    if answer.status_code == 400:
        raise errors.Invalid(f"The image service does not take the image: {words}")
    raise protocol.Unreachable(f"the image service answers {answer.status_code}; see its log")
