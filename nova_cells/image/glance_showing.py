# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Documents of images, as the user: what the old image routes of the Compute API need."""

import json
import typing
import urllib.parse

import requests

from nova_cells.domain import errors
from nova_cells.image import glance_calls, protocol
from nova_cells.image.glance_making import PATCH

_PAGE = 1000


class Showing(glance_calls.Calls):
    """The part of the room that shows what there is."""

    def show(self, image_id: str, token: str) -> protocol.ImageDocument:
        """One image."""
        return document(self._shown(image_id, token))

    def search(self, which: protocol.Search, token: str) -> list[protocol.ImageDocument]:
        """Those that the token's owner sees, page by page."""
        found: list[protocol.ImageDocument] = []
        if not which.limit:
            return found
        query = {**which.filters, "limit": str(min(which.limit, _PAGE))}
        if which.marker:
            query["marker"] = which.marker
        path = f"/v2/images?{urllib.parse.urlencode(query)}"
        while path and len(found) < which.limit:
            answer = self._get(path, token)
            if answer.status_code in (400, 404):
                raise errors.Invalid(f"The image service does not understand the query: "
                                     f"{glance_calls.told(answer)}")
            if answer.status_code in (401, 403):
                raise errors.Refused("You are not allowed to list images.")
            if answer.status_code != 200:
                glance_calls.refuse("list", answer.status_code, ours=False)
            page = glance_calls.understood(answer)
            found += [document(image) for image in page.get("images", ())]
            path = page.get("next") or ""
        return found[:which.limit]

    def set_properties(self, image_id: str, properties: dict[str, str],
                       token: str) -> protocol.ImageDocument:
        """These and no other."""
        before = document(self._shown(image_id, token)).properties
        changes: list[dict[str, typing.Any]] = [
            {"op": "add", "path": _pointer(name), "value": value}
            for name, value in properties.items() if before.get(name) != value]
        changes += [{"op": "remove", "path": _pointer(name)}
                    for name in before if name not in properties]
        if not changes:
            return self.show(image_id, token)
        answer = self._call("PATCH", self._image(image_id), token, headers=PATCH,
                            data=json.dumps(changes))
        _checked(image_id, answer)
        return document(glance_calls.understood(answer))

    def _shown(self, image_id: str, token: str) -> dict[str, typing.Any]:
        answer = self._get(self._image(image_id), token)
        _checked(image_id, answer)
        return glance_calls.understood(answer)


def _checked(image_id: str, answer: requests.Response) -> None:
    """Raise what an answer other than success means to the user."""
    if answer.status_code in (401, 403):
        raise errors.Refused(f"Not authorized for image {image_id}.")
    if answer.status_code in (400, 409, 413):
        raise errors.Invalid(f"The image service does not take the change: "
                             f"{glance_calls.told(answer)}")
    if answer.status_code != 200:
        glance_calls.refuse(image_id, answer.status_code, ours=False)


def _pointer(name: str) -> str:
    """A property's name as a JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def document(found: dict[str, typing.Any]) -> protocol.ImageDocument:
    """The service's document as our value."""
    try:
        return protocol.ImageDocument(
            id=str(found["id"]), name=found.get("name"), status=found.get("status") or "",
            owner=found.get("owner"), size=int(found.get("size") or 0),
            min_disk=int(found.get("min_disk") or 0), min_ram=int(found.get("min_ram") or 0),
            created_at=found.get("created_at"), updated_at=found.get("updated_at"),
            properties={name: value for name, value in found.items()
                        if name not in glance_calls.OWN and name != "os_hidden"
                        and not name.startswith("os_hash_")})
    except (KeyError, TypeError, ValueError):
        raise protocol.Unreachable("the image service's answer cannot be understood: check "
                                   "[glance] endpoint_override")
