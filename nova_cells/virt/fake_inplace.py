# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The mock hypervisor, as far as guests are rebuilt, rescued and spoken to where they are.

A part of ``fake.FakeDriver``, whose guests it changes by ``_changing``.  Keeps of secrets only
their digests: enough to see that a guest was told the right one.
"""

import hashlib
import typing

import msgspec

from nova_cells.domain import errors, lifecycle
from nova_cells.virt import inplace, protocol

RUNNING, PAUSED = lifecycle.RUNNING, lifecycle.PAUSED
CAPABILITIES = frozenset({"rebuild", "rescue", "change_password", "crash_dump"}) | inplace.EXTRAS


class Old(msgspec.Struct, omit_defaults=True):
    """What of a guest was set aside."""

    disk_gb: int | None = None
    ephemeral: int = 0
    config_drive: bool = False
    saved: bool = False
    told: tuple[str, str] = ("", "")
    knows: dict[str, str] = {}
    ticket: int = 0                      # of the guest that it was


_PARTS = tuple(name for name in Old.__struct_fields__ if name != "ticket")


def digest(text: str | bytes | None) -> str:
    """What is kept of a secret."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest() if data else ""


def knows(spec: protocol.GuestSpec) -> dict[str, str]:
    """What a guest can find out of itself, as config drive and metadata service tell it."""
    told = spec.metadata
    found = {"name": told.get("name", ""), "keys": " ".join(told.get("public_keys", ())),
             "image": spec.server.image.id if spec.server.image else "",
             "user_data": digest(spec.user_data), "password": digest(told.get("admin_pass")),
             "files": " ".join(path for path, _data in spec.files)}
    found |= {f"meta:{key}": value for key, value in told.get("meta", {}).items()}
    return {key: value for key, value in found.items() if value}


class Inplace:
    """Rebuilding, Rescuing and Speaking of ``virt.inplace``."""

    _changing: typing.Any
    _cache: dict[str, int]
    _settings: typing.Any

    def set_aside(self, uuid: str, ephemeral: bool, ticket: int) -> None:
        """Disk and config drive, out of the way."""
        with self._changing("set_aside", uuid) as guest:
            _off(guest)
            kept = guest.ephemeral if ephemeral else 0
            unfinished = guest.aside is not None and guest.ticket in (guest.aside.ticket, ticket)
            if guest.artefacts() and not unfinished:
                guest.aside = Old(ticket=guest.ticket, **{
                    name: getattr(guest, name) for name in _PARTS})
            _put(guest, Old(ephemeral=kept))

    def bring_back(self, uuid: str) -> None:
        """As it was."""
        with self._changing("bring_back", uuid) as guest:
            if guest.aside is not None:
                _off(guest)
                _put(guest, guest.aside)
                guest.aside = None

    def drop_aside(self, uuid: str) -> None:
        """Gone for good."""
        with self._changing("drop_aside", uuid) as guest:
            guest.aside = None

    def rescue(self, spec: protocol.GuestSpec) -> None:
        """Its next start is from that image."""
        image = spec.server.image
        with self._changing("rescue", spec.server.uuid, there=True) as guest:
            _off(guest)
            if image is None or image.id not in self._cache:
                raise protocol.HostTrouble(f"the rescue image is not in the cache of "
                                           f"{self._settings.host}: fetch it first")
            guest.rescue, guest.saved = image.id, False
            guest.rescue_password = digest(spec.metadata.get("admin_pass"))

    def unrescue(self, uuid: str) -> None:
        """Its next start is from its own disk."""
        with self._changing("unrescue", uuid, there=True) as guest:
            if guest.rescue:
                _off(guest)
            guest.rescue = guest.rescue_password = ""

    def set_password(self, uuid: str, password: str) -> None:
        """As an agent inside would."""
        with self._changing("set_password", uuid, there=True) as guest:
            if guest.power != RUNNING:
                raise errors.Conflict(f"instance {uuid} is not running")
            guest.knows = {**guest.knows, "password": digest(password)}
            guest.passwords += 1

    def crash_dump(self, uuid: str) -> None:
        """A fake kernel is always set up to write one."""
        with self._changing("crash_dump", uuid, there=True) as guest:
            if guest.power not in (RUNNING, PAUSED):
                raise errors.Conflict(f"guest {uuid} is off, so it cannot write a dump")
            guest.dumps += 1
            guest.say("sysrq: Trigger a crash", "kdump: saving vmcore")


def _off(guest: typing.Any) -> None:
    if guest.power in (RUNNING, PAUSED):
        raise errors.Conflict(f"guest {guest.uuid} runs: stop it first")


def _put(guest: typing.Any, parts: Old) -> None:
    for name in _PARTS:
        setattr(guest, name, getattr(parts, name))
