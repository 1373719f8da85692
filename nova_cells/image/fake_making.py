# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The mock image service's store: images are made, filled, shown, changed and deleted.

A token is ``user:project``, as noauth has it; what such a user makes belongs to the project, and
"admin" sees everything.  A token of another kind says nothing of its project, so what it makes is
everybody's.
"""

import collections.abc
import datetime
import hashlib
import threading
import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model
from nova_cells.image import protocol


class Kept(model.Value, kw_only=True):
    """One image of the mock."""

    facts: model.ImageFacts
    data: bytes = b""
    status: str = "queued"
    owners: tuple[str, ...] = ()         # projects or tokens that may see it; none: everybody
    number: int = 0                      # which one it is: the order of their making
    created_at: float = 0.0
    updated_at: float = 0.0


class FakeMaking:
    """Keeps images in memory."""

    def __init__(self, now: collections.abc.Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._images: dict[str, Kept] = {}
        self._made = 0

    def add(self, image_id: str, data: bytes, *, status: str = "active", owner: str | None = None,
            **facts: object) -> model.ImageFacts:
        """Put an image there.  ``owner``: the only token that may see it; None: everybody."""
        described: dict[str, object] = {"name": image_id, "disk_format": "raw", **_proof(data)}
        image = model.ImageFacts(id=image_id, **{**described, **facts})
        self._keep(image, data=data, status=status, owners=(owner,) if owner else ())
        return image

    def remove(self, image_id: str) -> None:
        """Take an image away."""
        with self._lock:
            self._images.pop(image_id, None)

    def _keep(self, facts: model.ImageFacts, **more: typing.Any) -> None:
        with self._lock:
            self._made += 1
            now = self._now()
            self._images[facts.id] = Kept(facts=facts, number=self._made, created_at=now,
                                          updated_at=now, **more)

    def _get(self, image_id: str, token: str | None = None) -> Kept:
        with self._lock:
            kept = self._images.get(image_id)
        if kept is None or not _sees(kept, token):
            raise errors.NotFound(f"Image {image_id} could not be found.")
        return kept

    def _change(self, kept: Kept, **changes: object) -> Kept:
        with self._lock:
            changed = model.replace(kept, updated_at=self._now(), **changes)
            self._images[kept.facts.id] = changed
            return changed

    # -- making ---------------------------------------------------------------------------------

    def create(self, image: protocol.NewImage, token: str) -> None:
        """The record, without bytes."""
        if image.id in self._images:
            return
        owners = tuple(owner for owner in (_project(token), image.member) if owner)
        self._keep(model.ImageFacts(
            id=image.id, name=image.name, disk_format=image.disk_format or "",
            container_format=image.container_format or "", min_disk=image.min_disk,
            min_ram=image.min_ram, properties=image.properties), owners=owners)

    def filled(self, image_id: str) -> bool:
        """Whether its bytes are there."""
        return self._get(image_id).status == "active"

    def upload(self, image_id: str, data: typing.BinaryIO, size: int, disk_format: str) -> None:
        """Fill the record; once."""
        kept = self._get(image_id)
        if kept.status == "active":
            return
        found = data.read()
        if len(found) != size:
            raise errors.Invalid(f"image {image_id} is {len(found)} bytes, not {size}")
        facts = model.replace(kept.facts, disk_format=disk_format, container_format="bare",
                              **_proof(found))
        self._change(kept, facts=facts, data=found, status="active")

    def delete(self, image_id: str, token: str | None = None) -> None:
        """Delete; who may see what nobody owns may not delete it."""
        kept = self._get(image_id, token)
        if token is not None and not kept.owners and _project(token) and not _admin(token):
            raise errors.Refused("You are not allowed to delete the image.")
        self.remove(image_id)

    def discard(self, image_id: str) -> None:
        """Delete one that nobody fills any more."""
        kept = self._images.get(image_id)
        if kept is not None and kept.status != "active":
            self.remove(image_id)

    def backups(self, which: protocol.Backups) -> list[str]:
        """The newest first."""
        wanted = {"image_type": "backup", "backup_type": which.kind,
                  "instance_uuid": which.server}
        return [kept.facts.id for kept in self._newest()
                if wanted.items() <= kept.facts.properties.items()
                and (not kept.owners or kept.owners[0] in which.owners)]

    # -- showing --------------------------------------------------------------------------------

    def show(self, image_id: str, token: str) -> protocol.ImageDocument:
        """One image."""
        return _document(self._get(image_id, token))

    def search(self, which: protocol.Search, token: str) -> list[protocol.ImageDocument]:
        """Those that the token's owner sees, the newest first."""
        found = [_document(kept) for kept in self._newest() if _sees(kept, token)]
        found = [image for image in found if _matches(image, which.filters)]
        if which.marker is not None:
            places = [place for place, image in enumerate(found) if image.id == which.marker]
            if not places:
                raise errors.Invalid(f"The image service does not know the marker {which.marker}.")
            found = found[places[0] + 1:]
        return found[:which.limit]

    def set_properties(self, image_id: str, properties: dict[str, str],
                       token: str) -> protocol.ImageDocument:
        """These and no other."""
        kept = self._get(image_id, token)
        if not kept.owners and _project(token) and not _admin(token):
            raise errors.Refused(f"Not authorized for image {image_id}.")
        return _document(self._change(kept, facts=model.replace(
            kept.facts, properties=properties)))

    def address(self) -> str:
        """It has none."""
        return ""

    def _newest(self) -> list[Kept]:
        with self._lock:
            return sorted(self._images.values(), key=lambda kept: -kept.number)


def _proof(data: bytes) -> dict[str, object]:
    return {"size": len(data), "hash_algo": "sha512",
            "hash_value": hashlib.sha512(data).hexdigest()}


def _project(token: str) -> str:
    """The project that a token of noauth names; "" for other tokens."""
    return token.partition(":")[2]


def _admin(token: str) -> bool:
    return token.partition(":")[0] == "admin"


def _sees(kept: Kept, token: str | None) -> bool:
    return (token is None or not kept.owners or _admin(token) or token in kept.owners
            or _project(token) in kept.owners)


def _document(kept: Kept) -> protocol.ImageDocument:
    facts = kept.facts
    return protocol.ImageDocument(
        id=facts.id, name=facts.name, status=kept.status, size=facts.size,
        owner=kept.owners[0] if kept.owners else None, min_disk=facts.min_disk,
        min_ram=facts.min_ram, created_at=_time(kept.created_at),
        updated_at=_time(kept.updated_at), properties=dict(facts.properties))


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _matches(image: protocol.ImageDocument, filters: dict[str, str]) -> bool:
    """As the service reads filters: its own words by value, any other name is a property."""
    for name, wanted in filters.items():
        if name == "updated_at":
            operator, _, moment = wanted.partition(":")
            if operator != "gte":
                raise errors.Invalid(f"The image service does not understand updated_at={wanted}.")
            if (image.updated_at or "") < moment:
                return False
        elif name in ("visibility", "sort_key", "sort_dir", "is_public"):
            continue
        elif name in ("name", "status", "min_ram", "min_disk", "id", "owner"):
            if str(getattr(image, name)) != wanted:
                return False
        elif str(image.properties.get(name)) != wanted:
            return False
    return True
