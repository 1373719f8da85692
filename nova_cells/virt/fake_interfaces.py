# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Interfaces of the fake driver's guests.  A mixin: uses the guests of ``FakeDriver``."""

import typing


class FakeInterfaces:
    """An interface is a note in the guest: port id and MAC."""

    if typing.TYPE_CHECKING:
        _changing: typing.Any

    def attach_interface(self, uuid: str, port: str, mac: str) -> None:
        """Noted."""
        with self._changing("attach_interface", uuid, there=True) as guest:
            guest.nics = {**guest.nics, port: mac}

    def detach_interface(self, uuid: str, port: str) -> None:
        """Forgotten; succeeds when there is none."""
        with self._changing("detach_interface", uuid) as guest:
            guest.nics = {key: mac for key, mac in guest.nics.items() if key != port}
