# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a driver promises that can give guests interfaces (capability "interfaces")."""

import typing


class Interfaces(typing.Protocol):
    """Network interfaces of a guest that is defined.  Repeating a call changes nothing."""

    def attach_interface(self, uuid: str, port: str, mac: str) -> None:
        """The guest has an interface on this port, with this address; at once if it runs."""

    def guest_interfaces(self, uuid: str) -> list[str]:
        """The ports of the interfaces that it has; none if there is no guest."""

    def detach_interface(self, uuid: str, port: str) -> None:
        """It has it no more.  Succeeds when there is none, or no guest."""
