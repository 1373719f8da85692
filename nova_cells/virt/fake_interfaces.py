# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Interfaces of the fake driver's guests.  A mixin: uses the guests of ``FakeDriver``."""

import typing


class FakeInterfaces:
    """An interface is a note in the guest: port id and MAC."""

    if typing.TYPE_CHECKING:
        _guests: dict[str, typing.Any]
        _lock: typing.Any
        _changing: typing.Any
        _failing: typing.Any

    def attach_interface(self, uuid: str, port: str, mac: str) -> None:
        """Noted."""
        with self._changing("attach_interface", uuid, there=True) as guest:
            guest.nics = {**guest.nics, port: mac}

    def guest_interfaces(self, uuid: str) -> list[str]:
        """As noted."""
        with self._failing("guest_interfaces"), self._lock:
            guest = self._guests.get(uuid)
            return list(guest.nics) if guest is not None else []

    def detach_interface(self, uuid: str, port: str) -> None:
        """Forgotten; succeeds when there is none."""
        with self._changing("detach_interface", uuid) as guest:
            guest.nics = {key: mac for key, mac in guest.nics.items() if key != port}
