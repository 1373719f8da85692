# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The server document, ready to be sent: rendered once when a record arrives, joined when read.

``fragments`` turns a record into byte pieces of JSON, public and for admins, cut wherever a
microversion adds or changes a key.  A ``Plan``, made once per (kind, microversion, sight),
says which pieces make a document; ``assemble`` joins them (law T26).  What may change without
the record (host status, user data, groups, the endpoint in links) is joined in while reading
and never stored.  Text that a user wrote stands whole inside a piece: nothing is ever replaced
in it.  ``domain.rendering`` is the slow, obvious renderer that this must equal.
"""

import collections.abc
import operator
import typing

import msgspec

from nova_cells.domain import rendering
from nova_cells.domain import server as model

FORMAT = 1
DETAIL, SHOW, BRIEF = "detail", "show", "brief"

_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode

#: The stored pieces, by name, in the order in which they are stored.
PIECES = (
    "format", "uuid", "head", "rest", "fault", "fault_admin", "volumes_1", "volumes_3",
    "image_1", "image_2", "image_98", "flavor_1", "flavor_2", "flavor_47", "flavor_specs",
    "admin_1", "admin_3", "hostname", "locked", "description", "tags", "certificates",
    "locked_reason", "pinned_zone", "hints")

#: What is joined in while reading, after the stored pieces.
_SELF, _BOOKMARK, _HOST_STATUS, _USER_DATA, _GROUPS, _FIRST_TEXT = range(
    len(PIECES), len(PIECES) + 6)


def _members(values: dict[str, typing.Any]) -> bytes:
    """``,"key":value`` for every item; nothing for none."""
    return b"," + _json(values)[1:-1] if values else b""


def fragments(server: model.Server) -> bytes:
    """The stored form of a server's document: a MessagePack list of the ``PIECES``."""
    slow = rendering.Parts(server)
    image, flavor = server.image, server.flavor
    pieces = {
        "format": b"%d" % FORMAT,
        "uuid": _json(server.uuid)[1:-1],
        "head": _json({"id": server.uuid, "name": server.name})[1:-1],
        "rest": _members(slow.common()),
        "fault": _members(slow.fault(admin=False)),
        "fault_admin": _members(slow.fault(admin=True)),
        "volumes_1": _members(slow.volumes(1)),
        "volumes_3": _members(slow.volumes(3)),
        "image_1": b',"image":""',
        "image_2": b"",
        "image_98": b"",
        "flavor_1": _opened("flavor", flavor.id),
        "flavor_2": b"/flavors/" + _json(flavor.id)[1:-1] + b'"}]}',
        "flavor_47": b',"flavor":' + _json(slow.flavor_inside(specs=False))[:-1],
        "flavor_specs": b',"extra_specs":' + _json(flavor.extra_specs),
        "admin_1": _members(slow.admin(1)),
        "admin_3": _members(slow.admin(3)),
        "hostname": _members(slow.hostname()),
        "locked": _members(slow.locked()),
        "description": _members(slow.description()),
        "tags": _members(slow.tags()),
        "certificates": _members(slow.certificates()),
        "locked_reason": _members(slow.locked_reason()),
        "pinned_zone": _members(slow.pinned_zone()),
        "hints": _members(slow.hints()),
    }
    if image is not None:
        pieces["image_1"] = _opened("image", image.id)
        pieces["image_2"] = b"/images/" + _json(image.id)[1:-1] + b'"}]'
        pieces["image_98"] = b',"properties":' + _json(slow.image_properties())
    return _pack([pieces[name] for name in PIECES])


def _opened(key: str, identifier: str) -> bytes:
    """``,"key":{"id":...,"links":[{"rel":"bookmark","href":"``: the endpoint comes next."""
    return (b',"' + key.encode() + b'":{"id":' + _json(identifier)
            + b',"links":[{"rel":"bookmark","href":"')


class Plan:
    """Which pieces make a document.  ``wants_...``: which volatile inputs it needs."""

    def __init__(self, kind: str, version: int, sight: rendering.Sight) -> None:
        self.key = (kind, version, sight)
        shown = rendering.keys_shown(kind, version, sight)
        self.wants_host_status = "host_status" in shown
        self.wants_user_data = "OS-EXT-SRV-ATTR:user_data" in shown
        self.wants_groups = "server_groups" in shown
        self._texts: list[bytes] = []
        with_image = self._steps(kind, version, sight, shown, image=True)
        without = self._steps(kind, version, sight, shown, image=False)
        self._with_image = operator.itemgetter(*with_image)
        self._without = operator.itemgetter(*without)

    def _text(self, text: bytes) -> int:
        if text not in self._texts:
            self._texts.append(text)
        return _FIRST_TEXT + self._texts.index(text)

    def _steps(self, kind: str, version: int, sight: rendering.Sight,
               shown: collections.abc.Container[str], image: bool) -> list[int]:
        text, at = self._text, PIECES.index
        steps = [text(b"{"), at("head")]
        if kind != BRIEF:
            steps += [at("rest"), at("fault_admin" if sight.admin else "fault"),
                      at("volumes_3" if version >= 3 else "volumes_1")]
            steps += self._image(version) if image else [at("image_1")]
            steps += self._flavor(version, sight)
            steps += [place for key, place in self._optional() if key in shown]
        links = text(b'"},{"rel":"bookmark","href":"')
        steps += [text(b',"links":[{"rel":"self","href":"'), _SELF, text(b"/servers/"),
                  at("uuid"), links, _BOOKMARK, text(b"/servers/"), at("uuid"), text(b'"}]}')]
        return steps

    def _image(self, version: int) -> list[int]:
        at = PIECES.index
        steps = [at("image_1"), _BOOKMARK, at("image_2")]
        return steps + ([at("image_98")] if version >= 98 else []) + [self._text(b"}")]

    def _flavor(self, version: int, sight: rendering.Sight) -> list[int]:
        at = PIECES.index
        if version < 47:
            return [at("flavor_1"), _BOOKMARK, at("flavor_2")]
        specs = [at("flavor_specs")] if sight.extra_specs else []
        return [at("flavor_47"), *specs, self._text(b"}")]

    @staticmethod
    def _optional() -> tuple[tuple[str, int], ...]:
        at = PIECES.index
        return (
            ("OS-EXT-SRV-ATTR:host", at("admin_1")),
            ("OS-EXT-SRV-ATTR:launch_index", at("admin_3")),
            ("OS-EXT-SRV-ATTR:user_data", _USER_DATA),
            ("OS-EXT-SRV-ATTR:hostname", at("hostname")),
            ("locked", at("locked")), ("host_status", _HOST_STATUS),
            ("description", at("description")), ("tags", at("tags")),
            ("trusted_image_certificates", at("certificates")), ("server_groups", _GROUPS),
            ("locked_reason", at("locked_reason")),
            ("pinned_availability_zone", at("pinned_zone")), ("scheduler_hints", at("hints")))

    def join(self, stored: bytes, volatile: list[bytes]) -> bytes:
        """One document.  ``volatile``: what ``Joiner`` hands over, in its order."""
        pieces = _unpack(stored)
        pieces += volatile
        getter = self._with_image if pieces[_IMAGE_2] else self._without
        return b"".join(getter(pieces))

    @property
    def texts(self) -> list[bytes]:
        """The punctuation that documents of this plan share."""
        return self._texts


_IMAGE_2 = PIECES.index("image_2")
_plans: dict[tuple[str, int, rendering.Sight], Plan] = {}


def plan(kind: str, version: int, sight: rendering.Sight) -> Plan:
    """The plan for a kind of document, a microversion (minor number) and a sight."""
    key = (kind, version, sight)
    found = _plans.get(key)
    if found is None:
        found = _plans[key] = Plan(kind, version, sight)
    return found


class Joiner:
    """Joins documents for one request: a plan and where its links lead."""

    def __init__(self, made: Plan, place: rendering.Place) -> None:
        self._plan = made
        self._ends = [_json(place.versioned)[1:-1], _json(place.bare)[1:-1]]
        self._still = [*self._ends, b"", b"", b"", *made.texts]

    def one(self, stored: bytes, volatile: rendering.Volatile | None = None) -> bytes:
        """One document."""
        if volatile is None:
            return self._plan.join(stored, self._still)
        made = self._plan
        host = volatile.host_status
        return made.join(stored, [
            *self._ends,
            b"" if host is None else _members({"host_status": host}),
            _members({"OS-EXT-SRV-ATTR:user_data": volatile.user_data}),
            _members({"server_groups": list(volatile.groups)}),
            *made.texts])

    def all(self, stored: collections.abc.Iterable[bytes]) -> list[bytes]:
        """Documents that need nothing volatile."""
        join, still = self._plan.join, self._still
        return [join(data, still) for data in stored]


def enclosed(head: bytes, documents: list[bytes], tail: bytes) -> bytes:
    """Documents with commas between, between head and tail, put together only once: a long list
    is not copied again."""
    if not documents:
        return head + tail
    first, last = head + documents[0], documents[-1] + tail
    if len(documents) == 1:
        return first + tail
    return b",".join([first, *documents[1:-1], last])


def assemble(stored: bytes, kind: str, version: int, sight: rendering.Sight,
             place: rendering.Place, volatile: rendering.Volatile | None = None) -> bytes:
    """One document from its stored pieces.  Lists use a ``Joiner`` of their own."""
    made = plan(kind, version, sight)
    needs = made.wants_host_status or made.wants_user_data or made.wants_groups
    if volatile is None and needs:
        volatile = rendering.Volatile()
    return Joiner(made, place).one(stored, volatile if needs else None)
